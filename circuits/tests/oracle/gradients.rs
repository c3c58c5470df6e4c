//! Whole gradients: every tensor of every case of `gradients.json`, and the loss.

use circuits::{
    arithmetic::fixed::Saturations,
    arithmetic::tensor::Tensor,
    model::{Config, Gradients, Spec, Weights, sequence_gradient, tensors},
};
use serde_json::Value;

use crate::{cases, deviation, fixture, floats, seed};

/// Least cosine between a tensor's gradient and the oracle's.
const COSINE: f64 = 0.9995;
/// Largest norm of their difference, relative to the oracle's: bounds the error of the norm as well.
const RELATIVE: f64 = 0.01;
/// Largest relative error of a loss.
const LOSS: f64 = 1e-3;

/// The 4-byte words of a file.
fn words(file: &Value) -> Vec<[u8; 4]> {
    let bytes = fixture(&format!("oracle/{}", file.as_str().unwrap()));
    bytes.chunks_exact(4).map(|b| b.try_into().unwrap()).collect()
}

/// A preset with other values of some keys; `null` takes a key away.
fn config_of(case: &Value) -> Config {
    let preset = Config::preset(case["preset"].as_str().unwrap()).unwrap();
    let mut keys: Value = serde_json::from_str(&preset.to_json()).unwrap();
    for (key, value) in case["changes"].as_object().into_iter().flatten() {
        keys[key] = value.clone();
    }
    let config = Config::from_json(&keys.to_string()).unwrap();
    if case["tied"].as_bool().unwrap() { config } else { config.untied() }
}

fn weights_of(case: &Value, config: &Config) -> Weights {
    if let Some(seed) = case["seed"].as_u64() {
        return seed::weights(config, seed);
    }
    let mut words = words(&case["weights"]).into_iter().map(|w| i64::from(i32::from_le_bytes(w)));
    let weights = Weights::build(config, |s| {
        Tensor::new(s.rows, s.cols, words.by_ref().take(s.rows * s.cols).collect()).unwrap()
    });
    assert_eq!(words.next(), None);
    weights
}

#[test]
fn every_gradient_is_that_of_the_oracle() {
    let corpus = fixture("corpus/stories.txt");
    let mut names = vec![];
    for case in cases("gradients.json") {
        let name = case["name"].as_str().unwrap().to_owned();
        let config = config_of(&case);
        let weights = weights_of(&case, &config);
        weights.check(&config).unwrap();
        let spec = Spec::new(config.clone());
        let (mut sum, mut loss, mut saturations) = (Gradients::zeros(&config), 0, Saturations::default());
        for offset in floats(&case["offsets"]) {
            let sequence = seed::window(&config, &corpus, offset as usize);
            let trace = sequence_gradient(&spec, &weights, &sequence).unwrap();
            trace.accumulate(&mut sum);
            loss += trace.loss();
            saturations += trace.saturations;
        }
        assert_eq!(saturations.total(), 0, "{name}: {saturations}");

        let expected = case["loss_sum"].as_f64().unwrap();
        let error = loss as f64 / f64::from(1 << 24) / expected - 1.0;
        println!("{name}: loss {:+.4} %", 100.0 * error);
        assert!(error.abs() < LOSS, "{name}: the loss is off by {error:e}");

        let mut words = words(&case["gradient"]).into_iter().map(|w| f64::from(f32::from_le_bytes(w)));
        let listed = case["tensors"].as_array().unwrap();
        let specs = tensors(&config);
        assert_eq!(listed.len(), specs.len());
        for ((tensor, spec), listed) in sum.iter().zip(&specs).zip(listed) {
            assert_eq!(listed["name"].as_str().unwrap(), spec.name);
            let expected: Vec<f64> = words.by_ref().take(spec.rows * spec.cols).collect();
            let norm = expected.iter().map(|x| x * x).sum::<f64>().sqrt();
            assert!((norm / listed["norm"].as_f64().unwrap() - 1.0).abs() < 1e-6, "{name}: {} misread", spec.name);
            let found: Vec<f64> = tensor.data.iter().map(|&x| x as f64 / f64::from(1 << 18).powi(2)).collect();
            let (relative, turned) = deviation(&found, &expected);
            println!("{name} {}: {:.3} %, 1 - cos {turned:.1e}", spec.name, 100.0 * relative);
            assert!(relative <= RELATIVE, "{name}: {} is off by {relative}", spec.name);
            assert!(1.0 - turned >= COSINE, "{name}: {} has 1 - cosine {turned}", spec.name);
        }
        assert_eq!(words.next(), None);
        names.push(name);
    }
    // Both sizes, both batches, before and after training.
    for name in ["nano", "micro"]
        .iter()
        .flat_map(|p| ["init_b1", "init_b8", "trained_b1", "trained_b8"].map(|c| format!("{p}_{c}")))
    {
        assert!(names.contains(&name), "{name} is missing");
    }
    // Grouped queries, with heads of their own size, biases, scaled angles.
    for name in ["nano_grouped_init_b1", "nano_biased_init_b8", "micro_llama3_init_b1"] {
        assert!(names.iter().any(|n| n == name), "{name} is missing");
    }
}
