//! Round trips, the layout on the other side, and what is refused.

use super::*;
use circuits::model::Config;

fn config() -> Config {
    Config::NANO.untied()
}

/// The tensors of a file as they can be changed and written again.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn read(bytes: &[u8]) -> Tensors {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let tensors = file.tensors().into_iter();
    tensors.map(|(name, v)| (name, (v.dtype(), v.shape().to_vec(), v.data().to_vec()))).collect()
}

fn write(tensors: &Tensors) -> Vec<u8> {
    let views = tensors.iter().map(|(n, (t, s, d))| (n, TensorView::new(*t, s.clone(), d).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

fn changed(change: impl FnOnce(&mut Tensors)) -> Result<Imported, InterchangeError> {
    let mut tensors = read(&export(&config(), &State::init(&config(), 3).w).unwrap());
    change(&mut tensors);
    import(&config(), &write(&tensors))
}

#[test]
fn what_is_exported_is_imported() {
    for config in [Config::NANO, config(), Config::MICRO] {
        let state = State::init(&config, 5);
        let bytes = export(&config, &state.w).unwrap();
        assert!((bytes.len() as u64) < file_limit(&config));
        let imported = import(&config, &bytes).unwrap();
        assert_eq!(imported.state.w, state.w);
        assert!(imported.saturated.is_empty());
        assert_eq!(imported.state.lo, Params::zeros(&config));
        imported.state.check(&config).unwrap();
        assert_eq!(export(&config, &imported.state.w).unwrap(), bytes);
    }
}

#[test]
fn elements_stand_where_the_library_has_them() {
    let config = config();
    let mut w = Params::zeros(&config);
    let layer = &mut w.layers[0];
    // Input 3 of the second head's pair 1: features 2 and 3 of 8 here, 1 and 1 + 4 there.
    layer.wq.data[3 * 16 + 8 + 2] = 4096;
    layer.wk.data[3 * 16 + 8 + 3] = 4096;
    layer.wd.data[40 * 16 + 5] = -4096;
    layer.norm2.data[7] = 2048;
    w.head.as_mut().unwrap().data[65 * 16 + 1] = 1;
    let tensors = read(&export(&config, &w).unwrap());
    assert_eq!(tensors.len(), 12);
    let ones = |name: &str| -> (Vec<usize>, Vec<(usize, f32)>) {
        let (_, shape, data) = &tensors[name];
        let numbers = data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b));
        (shape.clone(), numbers.enumerate().filter(|(_, x)| *x != 0.0).collect())
    };
    assert_eq!(ones("model.layers.0.self_attn.q_proj.weight"), (vec![16, 16], vec![((8 + 1) * 16 + 3, 1.0)]));
    assert_eq!(ones("model.layers.0.self_attn.k_proj.weight"), (vec![16, 16], vec![((8 + 5) * 16 + 3, 1.0)]));
    assert_eq!(ones("model.layers.0.mlp.down_proj.weight"), (vec![16, 44], vec![(5 * 44 + 40, -1.0)]));
    assert_eq!(ones("model.layers.0.post_attention_layernorm.weight"), (vec![16], vec![(7, 0.5)]));
    assert_eq!(ones("lm_head.weight"), (vec![256, 16], vec![(65 * 16 + 1, 1.0 / 4096.0)]));
}

#[test]
fn shorter_floats_are_read() {
    const NAME: &str = "model.norm.weight";
    for (dtype, one_and_a_half) in [(Dtype::F16, 0x3e00u16), (Dtype::BF16, 0x3fc0)] {
        let imported = changed(|t| {
            t.insert(NAME.into(), (dtype, vec![16], one_and_a_half.to_le_bytes().repeat(16)));
        });
        assert_eq!(imported.unwrap().state.w.norm_f.data, [6144; 16]);
    }
}

#[test]
fn clipped_elements_are_counted() {
    let imported = changed(|t| {
        let (_, _, data) = t.get_mut("model.layers.0.self_attn.v_proj.weight").unwrap();
        data[..4].copy_from_slice(&17f32.to_le_bytes());
        data[8..12].copy_from_slice(&(-1e30f32).to_le_bytes());
    });
    let imported = imported.unwrap();
    assert_eq!(imported.saturated, BTreeMap::from([("model.layers.0.self_attn.v_proj.weight".into(), 2)]));
    assert_eq!(imported.state.w.layers[0].wv.data[0], 65535);
    assert_eq!(imported.state.w.layers[0].wv.data[2 * 16], -65536);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    const NAME: &str = "model.layers.0.mlp.up_proj.weight";
    let message = |change: &dyn Fn(&mut Tensors)| changed(change).unwrap_err().to_string();
    let missing = message(&|t| {
        t.remove(NAME);
    });
    assert_eq!(missing, format!("`{NAME}` is missing"));
    let unknown = message(&|t| {
        t.insert("model.extra".into(), (Dtype::F32, vec![1], vec![0; 4]));
    });
    assert_eq!(unknown, "`model.extra` is no tensor of this configuration");
    let shape = message(&|t| t.get_mut(NAME).unwrap().1.reverse());
    assert_eq!(shape, format!("`{NAME}` has the shape [16, 44], not [44, 16]"));
    let dtype = message(&|t| {
        t.get_mut(NAME).unwrap().0 = Dtype::I32;
    });
    assert_eq!(dtype, format!("`{NAME}` holds I32; F32, F16 and BF16 are read"));
    for bad in [f32::NAN, f32::INFINITY] {
        let message = message(&|t| t.get_mut(NAME).unwrap().2[8..12].copy_from_slice(&bad.to_le_bytes()));
        assert_eq!(message, format!("`{NAME}`, element 2: not a finite number"));
    }
    // A head of its own is no part of a tied model, and the other way round.
    let untied = export(&config(), &State::init(&config(), 3).w).unwrap();
    assert!(
        matches!(import(&Config::NANO, &untied), Err(InterchangeError::Unknown { name }) if name == "lm_head.weight")
    );
    let tied = export(&Config::NANO, &State::init(&Config::NANO, 3).w).unwrap();
    assert!(matches!(import(&config(), &tied), Err(InterchangeError::Missing { name }) if name == "lm_head.weight"));
}

#[test]
fn damaged_files_never_panic() {
    let bytes = export(&config(), &State::init(&config(), 3).w).unwrap();
    for length in [0, 7, 8, 100, bytes.len() - 1] {
        assert!(import(&config(), &bytes[..length]).is_err());
    }
    let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    for at in 0..header {
        for flip in [1, 0x20, 0x80] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            // Some damage, to the metadata for instance, does not matter.
            let _ = import(&config(), &damaged);
        }
    }
}

/// Writes what `fixtures/oracle/check_export.py` compares with the library:
/// `GRADIENTCOIN_EXPORTS=DIR cargo test -p cli exports_for_the_library -- --ignored`.
#[test]
#[ignore = "writes files for a check by the real library"]
fn exports_for_the_library() {
    use circuits::model::{Spec, sequence_gradient};
    use std::{fs, path::Path};
    let out = std::env::var("GRADIENTCOIN_EXPORTS").expect("GRADIENTCOIN_EXPORTS names a directory");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let corpus = fs::read(fixtures.join("corpus/stories.txt")).unwrap();
    let micro = || Config::preset("micro").unwrap();
    let cases = [
        ("nano", Config::preset("nano").unwrap(), Some("nano_trained.i32")),
        ("micro", micro(), Some("micro_trained.i32")),
        ("micro-untied", micro().untied(), None),
        ("micro-base", Config::from_json(&micro().to_json().replace("1e4", "50")).unwrap(), None),
    ];
    for (name, config, trained) in cases {
        let mut w = State::init(&config, 1).w;
        if let Some(file) = trained {
            let bytes = fs::read(fixtures.join("oracle").join(file)).unwrap();
            let mut numbers = bytes.as_chunks().0.iter().map(|b| i64::from(i32::from_le_bytes(*b)));
            for x in w.iter_mut().flat_map(|tensor| &mut tensor.data) {
                *x = numbers.next().unwrap();
            }
        }
        let tokens = &corpus[1000..=1000 + config.context];
        let logits = sequence_gradient(&Spec::new(config.clone()), &w, tokens).unwrap().head.logits;
        let dir = Path::new(&out).join(name);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("config.json"), config.to_json()).unwrap();
        fs::write(dir.join(WEIGHTS_FILE), export(&config, &w).unwrap()).unwrap();
        fs::write(dir.join("tokens.bin"), &tokens[..config.context]).unwrap();
        // Frac 24, little-endian.
        let logits: Vec<u8> = logits.data.iter().flat_map(|&z| i64::try_from(z).unwrap().to_le_bytes()).collect();
        fs::write(dir.join("logits.i64"), logits).unwrap();
    }
}

/// The other way round: what the library has written, each weight unchanged.
#[test]
#[ignore = "reads files that the real library wrote"]
fn files_of_the_library() {
    use std::{fs, path::Path};
    let out = std::env::var("GRADIENTCOIN_EXPORTS").expect("GRADIENTCOIN_EXPORTS names a directory");
    for name in ["nano", "micro", "micro-untied", "micro-base"] {
        let read = |dir: &Path| {
            let config = Config::from_json(&fs::read_to_string(dir.join("config.json")).unwrap()).unwrap();
            let imported = import(&config, &fs::read(dir.join(WEIGHTS_FILE)).unwrap()).unwrap();
            (config, imported)
        };
        let dir = Path::new(&out);
        assert_eq!(read(&dir.join("saved").join(name)), read(&dir.join(name)), "{name}");
    }
}
