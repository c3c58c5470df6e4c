//! `model.safetensors`.

use super::*;

const HEAD: &str = "lm_head.weight";
const EMBEDDING: &str = "model.embed_tokens.weight";
const V: &str = "model.layers.0.self_attn.v_proj.weight";

fn zeros() -> State {
    let zeros = Weights::zeros(&config());
    State::resting(zeros.clone(), zeros, &config(), OptimizerKind::Sgd)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// 7.11
    #[test]
    fn export_import_export_gives_the_same_bytes(
        (config, state) in prop_oneof![Just(Config::NANO), Just(config()), Just(biased())]
            .prop_flat_map(|config| (Just(config.clone()), arb_state(config))),
    ) {
        let exported = export(&config, &state, 7).unwrap();
        prop_assert!((exported.weights.len() as u64) < weights_limit(&config));
        prop_assert!((exported.sidecar.len() as u64) < sidecar_limit(&config));
        let weights = read(&config, &exported.weights).unwrap();
        prop_assert!(weights.exact());
        prop_assert_eq!(weights.strict(), Ok(()));

        // With the file beside it, all of it.
        prop_assert_eq!(restore(&config, &weights, &exported.sidecar).unwrap(), Some((state.clone(), 7)));
        let again = export(&config, &state, 7).unwrap();
        prop_assert_eq!(&again.weights, &exported.weights);
        prop_assert_eq!(&again.sidecar, &exported.sidecar);

        // Without, the weights.
        let alone = weights.state(&config);
        alone.check(&config).unwrap();
        prop_assert_eq!(export(&config, &alone, 0).unwrap().weights, exported.weights);
    }
}

#[test]
fn a_model_of_more_layers_comes_back() {
    let config = Config::MICRO;
    let state = State::init(&config, 5);
    let exported = export(&config, &state, 0).unwrap();
    let weights = read(&config, &exported.weights).unwrap();
    assert_eq!(restore(&config, &weights, &exported.sidecar).unwrap(), Some((state, 0)));
}

#[test]
fn elements_stand_where_the_library_has_them() {
    let mut state = zeros();
    let layer = &mut state.w.layers[0];
    // Input 3 of the second head's pair 1: features 2 and 3 of 8 here, 1 and 1 + 4 there.
    layer.wq.data[3 * 16 + 8 + 2] = 4096;
    layer.wk.data[3 * 16 + 8 + 3] = 4096;
    layer.wd.data[40 * 16 + 5] = -4096;
    layer.norm2.data[7] = 2048;
    // The weight in use, without its low part.
    state.w.head.as_mut().unwrap().data[65 * 16 + 1] = 1;
    state.lo.head.as_mut().unwrap().data[65 * 16 + 1] = 1 << 23;
    let file = File::read(&export(&config(), &state, 0).unwrap().weights);
    assert_eq!(file.tensors.len(), 12);
    let ones = |name: &str| -> (Vec<usize>, Vec<(usize, f32)>) {
        let (_, shape, data) = &file.tensors[name];
        let numbers = data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b));
        (shape.clone(), numbers.enumerate().filter(|(_, x)| *x != 0.0).collect())
    };
    assert_eq!(ones("model.layers.0.self_attn.q_proj.weight"), (vec![16, 16], vec![((8 + 1) * 16 + 3, 1.0)]));
    assert_eq!(ones("model.layers.0.self_attn.k_proj.weight"), (vec![16, 16], vec![((8 + 5) * 16 + 3, 1.0)]));
    assert_eq!(ones("model.layers.0.mlp.down_proj.weight"), (vec![16, 44], vec![(5 * 44 + 40, -1.0)]));
    assert_eq!(ones("model.layers.0.post_attention_layernorm.weight"), (vec![16], vec![(7, 0.5)]));
    assert_eq!(ones(HEAD), (vec![256, 16], vec![(65 * 16 + 1, 1.0 / 4096.0)]));
}

#[test]
fn grouped_and_biased_tensors_stand_where_the_library_has_them() {
    let config = biased();
    let zero = Weights::zeros(&config);
    let mut state = State::resting(zero.clone(), zero, &config, OptimizerKind::Sgd);
    let layer = &mut state.w.layers[0];
    // Features 8..16 are of the second head; its pair 1 is 2 and 3 here, 1 and 1 + 4 there.
    layer.wq.data[3 * 32 + 8 + 3] = 4096;
    layer.wk.data[3 * 16 + 8 + 2] = 4096;
    layer.wv.data[3 * 16 + 8 + 2] = 4096;
    layer.wo.data[30 * 16 + 5] = 4096;
    let bias = layer.bias.as_mut().unwrap();
    bias.q.data[24 + 3] = 8192;
    bias.k.data[8 + 2] = 8192;
    bias.v.data[8 + 2] = 8192;
    let file = File::read(&export(&config, &state, 0).unwrap().weights);
    assert_eq!(file.tensors.len(), 14);
    for (name, shape, at, number) in [
        ("q_proj.weight", vec![32, 16], (8 + 5) * 16 + 3, 1.0),
        ("k_proj.weight", vec![16, 16], (8 + 1) * 16 + 3, 1.0),
        ("v_proj.weight", vec![16, 16], (8 + 2) * 16 + 3, 1.0),
        ("o_proj.weight", vec![16, 32], 5 * 32 + 30, 1.0),
        ("q_proj.bias", vec![32], 24 + 5, 2.0),
        ("k_proj.bias", vec![16], 8 + 1, 2.0),
        ("v_proj.bias", vec![16], 8 + 2, 2.0),
    ] {
        let (_, found, data) = &file.tensors[&format!("model.layers.0.self_attn.{name}")];
        let numbers: Vec<f32> = data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let expected: Vec<f32> = (0..numbers.len()).map(|i| if i == at { number } else { 0.0 }).collect();
        assert_eq!((found, numbers), (&shape, expected), "{name}");
    }
    // None may be missing.
    let mut less = file.clone();
    less.tensors.remove("model.layers.0.self_attn.k_proj.bias");
    let message = read(&config, &less.write()).unwrap_err().to_string();
    assert_eq!(message, "`model.layers.0.self_attn.k_proj.bias` is missing");
    let mut wide = file;
    wide.put("model.layers.0.self_attn.k_proj.bias", Dtype::F32, &[32], vec![0; 128]);
    let message = read(&config, &wide.write()).unwrap_err().to_string();
    assert_eq!(message, "`model.layers.0.self_attn.k_proj.bias` has the shape [32], not [16]");
}

#[test]
fn shorter_floats_are_read() {
    const NAME: &str = "model.norm.weight";
    for (dtype, one_and_a_half) in [(Dtype::F16, 0x3e00u16), (Dtype::BF16, 0x3fc0)] {
        let weights = changed(|f| f.put(NAME, dtype, &[16], one_and_a_half.to_le_bytes().repeat(16)));
        assert_eq!(weights.unwrap().state(&config()).w.norm_f.data, [6144; 16]);
    }
}

/// 7.11: low parts included.
#[test]
fn numbers_come_in_to_the_nearest_of_all_bits() {
    let third = 1.0f32 / 3.0;
    let weights = changed(|f| f.data(V)[..4].copy_from_slice(&third.to_le_bytes())).unwrap();
    let state = weights.state(&config());
    // 0.3333333432674408 = 11184811 · 2^-25.
    assert_eq!(
        (state.w.layers[0].wv.data[0], state.lo.layers[0].wv.data[0]),
        (1365, (11_184_811 << 11) - (1365 << 24))
    );
    assert!(weights.exact());
}

#[test]
fn clipped_elements_are_counted() {
    let weights = changed(|f| {
        f.data(V)[..4].copy_from_slice(&17f32.to_le_bytes());
        f.data(V)[8..12].copy_from_slice(&(-1e30f32).to_le_bytes());
    });
    let weights = weights.unwrap();
    assert_eq!(weights.clipped, BTreeMap::from([(V.into(), 2)]));
    assert!(weights.rounded.is_empty() && !weights.exact());
    let state = weights.state(&config());
    assert_eq!((state.w.layers[0].wv.data[0], state.lo.layers[0].wv.data[0]), (65535, (1 << 24) - 1));
    assert_eq!((state.w.layers[0].wv.data[2 * 16], state.lo.layers[0].wv.data[2 * 16]), (-65536, 0));
    assert_eq!(weights.strict().unwrap_err().to_string(), format!("`{V}`: 2 beyond ±16 would be clipped"));
}

/// 7.11
#[test]
fn rounding_errors_are_told_by_tensor_and_strict_refuses_large_ones() {
    const NORM: &str = "model.norm.weight";
    let (error, limit) = (2f32.powi(-37), 2f32.powi(-13));
    let norm = |rest: f32| changed(|f| *f.data(NORM) = bytes(&[&[error; 15][..], &[rest]].concat())).unwrap();
    let told = |weights: &WeightFile| -> Vec<(String, f64)> {
        weights.rounded.iter().map(|(name, error)| (name.clone(), error.to_f64())).collect()
    };
    for rest in [limit, -limit, 1.0] {
        let weights = norm(rest);
        assert_eq!(told(&weights), [(NORM.to_owned(), 2f64.powi(-37))]);
        assert_eq!(weights.strict(), Ok(()), "{rest}");
    }
    let below = f32::from_bits(limit.to_bits() - 1);
    let message = format!("`{NORM}` would be rounded by 7.3e-12, which is more than 2^-24 of its largest value");
    assert_eq!(norm(below).strict().unwrap_err().to_string(), message);
    // All exact, however small.
    let weights = norm(2f32.powi(-36));
    assert_eq!(told(&weights), [(NORM.to_owned(), 2f64.powi(-37))]);
    let weights = changed(|f| *f.data(NORM) = bytes(&[2f32.powi(-36); 16])).unwrap();
    assert!(weights.exact());

    // Every tensor that it refuses is counted.
    let weights = changed(|f| {
        *f.data(NORM) = bytes(&[error; 16]);
        f.data(V)[..4].copy_from_slice(&17f32.to_le_bytes());
    });
    let message = format!("`{V}`: 1 beyond ±16 would be clipped; and 1 more tensor");
    assert_eq!(weights.unwrap().strict().unwrap_err().to_string(), message);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    const NAME: &str = "model.layers.0.mlp.up_proj.weight";
    let message = |change: &dyn Fn(&mut File)| changed(change).unwrap_err().to_string();
    let missing = message(&|f| drop(f.tensors.remove(NAME)));
    assert_eq!(missing, format!("`{NAME}` is missing"));
    let unknown = message(&|f| f.put("model.extra", Dtype::F32, &[1], vec![0; 4]));
    assert_eq!(unknown, "`model.extra` is not a tensor of this configuration");
    let shape = message(&|f| f.tensors.get_mut(NAME).unwrap().1.reverse());
    assert_eq!(shape, format!("`{NAME}` has the shape [16, 44], not [44, 16]"));
    let dtype = message(&|f| f.tensors.get_mut(NAME).unwrap().0 = Dtype::I32);
    assert_eq!(dtype, format!("`{NAME}` holds I32, not F32, F16 or BF16"));
    for bad in [f32::NAN, f32::INFINITY] {
        let message = message(&|f| f.data(NAME)[8..12].copy_from_slice(&bad.to_le_bytes()));
        assert_eq!(message, format!("`{NAME}`, element 2: not a finite number"));
    }
}

/// 7.18
#[test]
fn the_head_of_a_tied_model_must_be_its_embedding() {
    let state = State::init(&Config::NANO, 3);
    let tied = export(&Config::NANO, &state, 0).unwrap().weights;
    let import = |change: &dyn Fn(&mut File)| {
        let mut file = File::read(&tied);
        change(&mut file);
        read(&Config::NANO, &file.write())
    };
    let both = |file: &mut File| {
        let embedding = file.tensors[EMBEDDING].clone();
        file.tensors.insert(HEAD.into(), embedding);
    };
    let expected = import(&|_| ());
    let expected = expected.unwrap();
    // Both, and the head alone: the library writes and reads such files.
    assert_eq!(import(&both).unwrap(), expected);
    let alone = |file: &mut File| {
        both(file);
        file.tensors.remove(EMBEDDING);
    };
    assert_eq!(import(&alone).unwrap(), expected);
    let mut longest = File::read(&tied);
    both(&mut longest);
    assert!((longest.write().len() as u64) < weights_limit(&Config::NANO));

    let differs = "`lm_head.weight` differs from `model.embed_tokens.weight`, but config.json says \
                   `\"tie_word_embeddings\": true`; with `false` it is read as a separate head";
    let other = import(&|file| {
        both(file);
        file.data(HEAD)[0] ^= 1;
    });
    assert_eq!(other.unwrap_err().to_string(), differs);
    let shorter = import(&|file| file.put(HEAD, Dtype::F32, &[16], vec![0; 64]));
    assert_eq!(shorter.unwrap_err().to_string(), differs);

    // And the other way round.
    let message = "`lm_head.weight` is missing; if the head is the embedding, config.json must say \
                   `\"tie_word_embeddings\": true`";
    assert_eq!(read(&config(), &tied).unwrap_err().to_string(), message);
}

/// 7.21
#[test]
fn buffers_of_old_files_are_skipped_and_no_others() {
    let with = |name: &str| changed(|f| f.put(name, Dtype::F32, &[4], bytes(&[1.0, 0.1, 0.01, 0.001])));
    let plain = changed(|_| ()).unwrap();
    assert_eq!(with("model.layers.0.self_attn.rotary_emb.inv_freq").unwrap(), plain);
    for name in [
        "model.layers.1.self_attn.rotary_emb.inv_freq",
        "model.layers.00.self_attn.rotary_emb.inv_freq",
        "model.layers.0.self_attn.rotary_emb.cos_cached",
        "model.layers.0.self_attn.q_proj.bias",
    ] {
        assert_eq!(with(name).unwrap_err().to_string(), format!("`{name}` is not a tensor of this configuration"));
    }
}

/// 7.18
#[test]
fn what_is_no_safetensors_file_says_what_it_is() {
    let message = |bytes: &[u8]| read(&config(), bytes).unwrap_err().to_string();
    assert_eq!(message(b""), "the file is empty");
    assert!(
        message(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n").contains("Git LFS pointer")
    );
    assert!(message(b"<!doctype html><title>Sign in</title>").contains("a web page"));
    assert_eq!(message(b"Entry not found"), "this is text, not the file itself: `Entry not found`");
}

#[test]
fn damaged_files_never_panic() {
    let exported = export(&config(), &trained(), 3).unwrap();
    let weights = read(&config(), &exported.weights).unwrap();
    let all = |file: &[u8]| {
        // Some damage, to the metadata for instance, does not matter.
        (read(&config(), file).is_ok(), restore(&config(), &weights, file).is_ok())
    };
    for file in [&exported.weights, &exported.sidecar] {
        for length in [0, 7, 8, 100, file.len() - 1] {
            assert_eq!(all(&file[..length]), (false, false));
        }
        let header = 8 + u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
        for at in 0..header {
            for flip in [1, 0x20, 0x80] {
                let mut damaged = file.clone();
                damaged[at] ^= flip;
                let _ = all(&damaged);
            }
        }
    }
}
