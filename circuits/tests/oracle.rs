//! The integer arithmetic against the float64 oracle of `fixtures/oracle`, operation by operation and as a whole.
#![allow(clippy::unwrap_used)]

#[path = "oracle/gradients.rs"]
mod gradients;
#[path = "oracle/ops.rs"]
mod ops;
#[path = "oracle/seed.rs"]
mod seed;

use std::{collections::HashMap, fs, path::PathBuf};

use circuits::model::{Config, tensors};
use serde_json::Value;

/// The bytes of a file under `fixtures`.
fn fixture(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(path);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The `cases` of a JSON file of the oracle.
fn cases(file: &str) -> Vec<Value> {
    let mut value: Value = serde_json::from_slice(&fixture(&format!("oracle/{file}"))).unwrap();
    serde_json::from_value(value["cases"].take()).unwrap()
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn integers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|x| x.as_i64().unwrap()).collect()
}

/// Expected minus found, relative to expected; and one minus the cosine between them.
fn deviation(found: &[f64], expected: &[f64]) -> (f64, f64) {
    assert_eq!(found.len(), expected.len());
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let difference: Vec<f64> = found.iter().zip(expected).map(|(x, y)| x - y).collect();
    let (norm, size) = (dot(expected, expected), dot(found, found));
    let relative = (dot(&difference, &difference) / norm).sqrt();
    (relative, 1.0 - dot(found, expected) / (norm * size).sqrt())
}

#[test]
fn numbers_from_a_seed() {
    let corpus = fixture("corpus/stories.txt");
    let mut stream = seed::Stream::new(1, "embed");
    assert_eq!([stream.word(), stream.word()], [0x4B2B_9565_76EC_E4F3, 0x6103_4930_CC84_3019]);
    let nano = [74620, 3169, 167_663, 107_895, 51421, 83207, 160_273, 56370];
    assert_eq!(seed::offsets(&Config::NANO, &corpus, 1, 8), nano);
    let micro = [77638, 144_101, 115_883, 87579, 100_069, 58255, 62013, 37028];
    assert_eq!(seed::offsets(&Config::MICRO, &corpus, 1, 8), micro);
    let sums = [
        (Config::NANO, [("embed", 20213), ("layers.0.norm1", 65278), ("layers.0.wq", -15020), ("norm_f", 65300)]),
        (Config::MICRO, [("embed", 44611), ("layers.0.norm1", 261_600), ("layers.0.wq", 28485), ("norm_f", 262_215)]),
    ];
    for (config, sums) in sums {
        let weights = seed::weights(&config, 1);
        let found: HashMap<String, i64> =
            tensors(&config).into_iter().zip(weights.iter()).map(|(s, w)| (s.name, w.data.iter().sum())).collect();
        for (name, expected) in sums {
            assert_eq!(found[name], expected, "{name}");
        }
    }
}
