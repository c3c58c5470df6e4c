//! Against the real library: `fixtures/oracle/check_export.py` says how.

use super::*;
use circuits::model::{RopeScaling, Spec, sequence_gradient, tokens_of_bytes};
use std::fs;
use std::path::{Path, PathBuf};

fn directory() -> PathBuf {
    std::env::var("GRADIENTCOIN_EXPORTS").expect("GRADIENTCOIN_EXPORTS names a directory").into()
}

const CASES: [&str; 9] = [
    "nano",
    "micro",
    "micro-untied",
    "micro-base",
    "micro-low",
    "micro-grouped",
    "micro-biased",
    "micro-linear",
    "micro-llama3",
];

/// What of a preset is other in a case.
fn change(config: &mut Config, case: &str) {
    let decimal = |text: &str| text.parse().unwrap();
    match case {
        "untied" => config.tied = false,
        "base" => config.rope_theta = decimal("50"),
        "grouped" => (config.kv_heads, config.head_dim) = (Some(2), Some(24)),
        "biased" => (config.kv_heads, config.biased) = (Some(1), true),
        "linear" => config.rope_scaling = RopeScaling::Linear { factor: decimal("2.5") },
        "llama3" => {
            config.biased = true;
            config.rope_scaling =
                RopeScaling::Llama3 { factor: decimal("8"), low: decimal("0.5"), high: decimal("2"), original: 16 };
        }
        _ => {}
    }
}

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
        change(&mut config, name.split('-').nth(1).unwrap_or_default());
        let mut state = State::init(&config, 1);
        // Biases are zero at first: here of either sign, up to a half.
        for bias in state.w.layers.iter_mut().filter_map(|layer| layer.bias.as_mut()) {
            for b in [&mut bias.q, &mut bias.k, &mut bias.v] {
                b.data.iter_mut().zip(0..).for_each(|(b, i)| *b = 97 * (i * 13 % 43) - 2000);
            }
        }
        // Logits are of the weights in use, whatever their low parts, which the file does not hold.
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
        let logits =
            sequence_gradient(&Spec::new(config.clone()), &state.w, &tokens_of_bytes(tokens)).unwrap().head.logits;
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
