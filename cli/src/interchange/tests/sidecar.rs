//! `gradientcoin.safetensors`.

use super::*;

const REST: &str = "model.layers.0.mlp.up_proj.weight.rest";
const MOMENTUM: &str = "model.layers.0.mlp.up_proj.weight.momentum";
const KEY: &str = "gradientcoin";

/// The trained state's weights, and its other file.
fn files() -> (WeightFile, File) {
    let exported = export(&config(), &trained(), 300).unwrap();
    (read(&config(), &exported.weights).unwrap(), File::read(&exported.sidecar))
}

fn refused(change: impl FnOnce(&mut File)) -> String {
    let (weights, mut file) = files();
    change(&mut file);
    restore(&config(), &weights, &file.write()).unwrap_err().to_string()
}

fn edit_header(file: &mut File, from: &str, to: &str) {
    let header = file.metadata.get_mut(KEY).unwrap();
    assert!(header.contains(from), "{header}");
    *header = header.replacen(from, to, 1);
}

/// 7.11
#[test]
fn tensors_are_named_after_those_of_the_library() {
    let (_, file) = files();
    assert_eq!(file.tensors.len(), 2 * 12);
    let (dtype, shape, data) = &file.tensors[REST];
    assert_eq!((*dtype, &shape[..], data.len()), (Dtype::I32, &[44, 16][..], 4 * 44 * 16));
    let (dtype, shape, data) = &file.tensors[MOMENTUM];
    assert_eq!((*dtype, &shape[..]), (Dtype::I64, &[44, 16][..]));
    // Output 2, input 1.
    let at = 2 * 16 + 1;
    let v = i64::from_le_bytes(*data[8 * at..].first_chunk().unwrap());
    assert_eq!(v, trained().movement_mut().unwrap().layers[0].wu.at(1, 2));
    let header = &file.metadata[KEY];
    assert!(header.starts_with(r#"{"version":4,"step":300,"optimizer":"sgd","weights":""#), "{header}");
}

/// 7.11
#[test]
fn it_fits_the_same_numbers_whatever_file_they_are_in() {
    let (weights, sidecar) = files();
    let bytes = sidecar.write();
    let expected = Some((trained(), 300));
    assert_eq!(restore(&config(), &weights, &bytes).unwrap(), expected);

    let resaved = changed(|f| f.metadata.clear());
    assert_eq!(restore(&config(), &resaved.unwrap(), &bytes).unwrap(), expected);

    // Numbers that a shorter float holds as well, and another zero.
    let (zeros, moments) = (Weights::zeros(&config()), trained().moments);
    let mut state = State { w: map(&config(), &zeros, &zeros, |_, _| 4096), lo: zeros, moments };
    state.w.norm_f.data.fill(0);
    let exported = export(&config(), &state, 4).unwrap();
    let mut file = File::read(&exported.weights);
    for (dtype, _, data) in file.tensors.values_mut() {
        *dtype = Dtype::BF16;
        *data = data.chunks_exact(4).flat_map(|single| single[2..].to_vec()).collect();
    }
    *file.data("model.norm.weight") = [0, 0x80].repeat(16);
    let shorter = read(&config(), &file.write()).unwrap();
    assert_eq!(restore(&config(), &shorter, &exported.sidecar).unwrap(), Some((state, 4)));
}

/// 7.11
#[test]
fn it_fits_no_other_weights_and_no_other_configuration() {
    let (weights, sidecar) = files();
    let bytes = sidecar.write();
    let unfit = |config: &Config, weights: &WeightFile| restore(config, weights, &bytes).unwrap().is_none();
    let bit = changed(|f| f.data("model.norm.weight")[0] ^= 1).unwrap();
    assert!(unfit(&config(), &bit));
    // What is rounded to the same number, or clipped to it, is not the same.
    for (number, exact) in [(1.0 + f32::EPSILON, true), (16.0, false), (1e-20, false)] {
        let other = changed(|f| f.data("model.norm.weight")[..4].copy_from_slice(&f32::to_le_bytes(number))).unwrap();
        assert_eq!(other.exact(), exact);
        assert!(unfit(&config(), &other), "{number}");
    }
    let swapped = changed(|f| {
        let other = f.data("model.layers.0.self_attn.k_proj.weight").clone();
        *f.data("model.layers.0.self_attn.q_proj.weight") = other;
    });
    assert!(unfit(&config(), &swapped.unwrap()));
    for (from, to) in [("1e-5", "1e-6"), ("1e4", "5e4"), ("\"num_attention_heads\": 2", "\"num_attention_heads\": 1")] {
        let text = config().to_json().replace(from, to).replace("\"head_dim\": 8,", "");
        let text = if from.starts_with('"') { text.replace("\"num_key_value_heads\": 2,", "") } else { text };
        let other = Config::from_json(&text).unwrap();
        assert_ne!(other, config());
        assert!(unfit(&other, &weights), "{to}");
    }
}

/// 7.11
#[test]
fn what_is_malformed_is_refused_by_name() {
    let missing = refused(|f| drop(f.tensors.remove(MOMENTUM)));
    assert_eq!(missing, format!("`{MOMENTUM}` is missing"));
    let unknown = refused(|f| f.put("extra", Dtype::I32, &[1], vec![0; 4]));
    assert_eq!(unknown, "`extra` is not a tensor of this configuration");
    let shape = refused(|f| f.tensors.get_mut(REST).unwrap().1.reverse());
    assert_eq!(shape, format!("`{REST}` has the shape [16, 44], not [44, 16]"));
    let dtype = refused(|f| f.tensors.get_mut(REST).unwrap().0 = Dtype::F32);
    assert_eq!(dtype, format!("`{REST}` holds F32, not I32"));
    let dtype = refused(|f| f.tensors.get_mut(MOMENTUM).unwrap().0 = Dtype::F64);
    assert_eq!(dtype, format!("`{MOMENTUM}` holds F64, not I64"));
    // No weight is as far away.
    for v in [1 << 41, -(1 << 41), i64::MIN] {
        let range = refused(|f| f.data(MOMENTUM)[16..24].copy_from_slice(&v.to_le_bytes()));
        assert_eq!(range, format!("`{MOMENTUM}`, element 2: {v} is out of range"));
    }
    // A low part that makes it another weight than the one in `model.safetensors`.
    for rest in [1 << 24, -1, i32::MAX, i32::MIN] {
        let range = refused(|f| f.data(REST)[4..8].copy_from_slice(&i32::to_le_bytes(rest)));
        assert_eq!(range, format!("`{REST}`, element 1: {rest} is out of range"));
    }
}

/// 7.11
#[test]
fn unknown_versions_and_damage_are_refused() {
    assert_eq!(
        refused(|f| edit_header(f, "\"version\":4", "\"version\":3")),
        "the file has version 3; only version 4 is supported"
    );
    // Also of a version whose other keys are not known.
    let later = refused(|f| drop(f.metadata.insert(KEY.into(), r#"{"version": 9, "optimizer": "adamw"}"#.into())));
    assert_eq!(later, "the file has version 9; only version 4 is supported");
    assert_eq!(refused(|f| f.metadata.clear()), "the metadata `gradientcoin` is missing");
    let malformed = "the metadata `gradientcoin` is malformed: ";
    for (from, to) in [("\"version\":4,", ""), ("\"step\":300", "\"step\":-1"), ("\"step\"", "\"steps\"")] {
        let message = refused(|f| edit_header(f, from, to));
        assert!(message.starts_with(malformed), "{message}");
    }
    // Within their ranges, and not what was written.
    let damaged = "the file is damaged: its checksum does not match its content";
    assert_eq!(refused(|f| f.data(MOMENTUM)[0] ^= 1), damaged);
    assert_eq!(refused(|f| edit_header(f, "\"step\":300", "\"step\":301")), damaged);
    let (weights, _) = files();
    let message = |bytes: &[u8]| restore(&config(), &weights, bytes).unwrap_err().to_string();
    assert!(message(b"version https://git-lfs.github.com/spec/v1\n").contains("Git LFS pointer"));
    assert_eq!(message(b"\x02\0\0\0\0\0\0\0{}"), "the metadata `gradientcoin` is missing");
}
