//! Against the real library: `fixtures/oracle/check_export.py` says how.

use super::*;
use circuits::model::{Spec, sequence_gradient};
use std::fs;
use std::path::{Path, PathBuf};

fn directory() -> PathBuf {
    std::env::var("GRADIENTCOIN_EXPORTS").expect("GRADIENTCOIN_EXPORTS names a directory").into()
}

const CASES: [&str; 5] = ["nano", "micro", "micro-untied", "micro-base", "micro-low"];

/// Writes what the script compares with the library:
/// `GRADIENTCOIN_EXPORTS=DIR cargo test -p cli exports_for_the_library -- --ignored`.
#[test]
#[ignore = "writes files for a check by the real library"]
fn exports_for_the_library() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let corpus = fs::read(fixtures.join("corpus/stories.txt")).unwrap();
    for name in CASES {
        let preset = name.split('-').next().unwrap();
        let mut config = Config::preset(preset).unwrap();
        if name.ends_with("-untied") {
            config = config.untied();
        }
        if name.ends_with("-base") {
            config = Config::from_json(&config.to_json().replace("1e4", "50")).unwrap();
        }
        let mut state = State::init(&config, 1);
        // Logits are of the weights in use alone: elsewhere than in this case, the file holds nothing else.
        if !name.ends_with("-low") {
            state.lo = Weights::zeros(&config);
        }
        if name == preset {
            let bytes = fs::read(fixtures.join(format!("oracle/{name}_trained.i32"))).unwrap();
            let mut numbers = bytes.as_chunks().0.iter().map(|b| i64::from(i32::from_le_bytes(*b)));
            for x in state.w.iter_mut().flat_map(|tensor| &mut tensor.data) {
                *x = numbers.next().unwrap();
            }
        }
        let tokens = &corpus[1000..=1000 + config.context];
        let logits = sequence_gradient(&Spec::new(config.clone()), &state.w, tokens).unwrap().head.logits;
        let dir = directory().join(name);
        let exported = export(&config, &state, 300).unwrap();
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("config.json"), config.to_hugging_face()).unwrap();
        fs::write(dir.join(WEIGHTS_FILE), exported.weights).unwrap();
        fs::write(dir.join(SIDECAR_FILE), exported.sidecar).unwrap();
        fs::write(dir.join("tokens.bin"), &tokens[..config.context]).unwrap();
        // Frac 24, little-endian.
        let logits: Vec<u8> = logits.data.iter().flat_map(|&z| i64::try_from(z).unwrap().to_le_bytes()).collect();
        fs::write(dir.join("logits.i64"), logits).unwrap();
    }
}

/// The other way round: what the library has written, each weight unchanged, so that the file beside the weights still fits.
#[test]
#[ignore = "reads files that the real library wrote"]
fn files_of_the_library() {
    for name in CASES {
        let load = |dir: &Path| {
            let config = Config::from_json(&fs::read_to_string(dir.join("config.json")).unwrap()).unwrap();
            let weights = read(&config, &fs::read(dir.join(WEIGHTS_FILE)).unwrap()).unwrap();
            (config, weights)
        };
        let dir = directory().join(name);
        let (config, saved) = load(&directory().join("saved").join(name));
        assert_eq!((&config, &saved), (&load(&dir).0, &load(&dir).1), "{name}");
        let restored = restore(&config, &saved, &fs::read(dir.join(SIDECAR_FILE)).unwrap()).unwrap();
        assert_eq!(restored.map(|(_, step)| step), Some(300), "{name}");
    }
}
