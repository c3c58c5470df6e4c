//! Training in fixed point against float64, and what it reaches.
#![allow(clippy::unwrap_used)]

#[path = "training/adamw.rs"]
mod adamw;
#[path = "training/entropy.rs"]
mod entropy;
#[path = "training/run.rs"]
mod run;
#[path = "training/saturation.rs"]
mod saturation;
#[path = "../../circuits/tests/oracle/seed.rs"]
mod seed;

use circuits::model::Config;
use run::{fixture, mean_of_last, sgd, train};
use serde_json::Value;

#[test]
fn nano_follows_float64_over_300_steps() {
    let oracle: Value = serde_json::from_slice(&fixture("oracle/trajectory.json")).unwrap();
    let number = |value: &Value| value.to_string();
    assert_eq!((&oracle["preset"], &oracle["weight_decay"]), (&"nano".into(), &0.0.into()));
    let (rate, momentum) = (number(&oracle["lr"]), number(&oracle["momentum"]));
    let [steps, batch] = ["steps", "batch"].map(|key| oracle[key].as_u64().unwrap() as usize);
    let cases = oracle["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let seed = case["seed"].as_u64().unwrap();
        let expected: Vec<f64> = case["losses"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        let mut losses = vec![];
        train(&Config::NANO, seed, sgd(&rate, &momentum), (steps, batch), |log| {
            assert_eq!(log.saturations.total(), 0, "step {}: {}", log.step, log.saturations);
            losses.push(log.mean_loss());
        });
        assert_eq!(losses.len(), expected.len());
        let (found, wanted) = (mean_of_last(&losses, 25), mean_of_last(&expected, 25));
        let relative = |(a, b): (&f64, &f64)| (a / b - 1.0).abs();
        let worst = losses.iter().zip(&expected).map(relative).fold(0.0, f64::max);
        let error = found / wanted - 1.0;
        println!(
            "seed {seed}: {found:.5} against {wanted:.5} nats, {:+.4} %; worst step {:.4} %",
            100.0 * error,
            100.0 * worst
        );
        assert!(error.abs() < 0.005, "seed {seed}: the last 25 losses are off by {error}");
    }
}

#[test]
fn micro_learns_within_200_steps() {
    let mut losses = vec![];
    train(&Config::MICRO, 1, sgd("0.1", "0.9"), (200, 8), |log| losses.push(log.mean_loss()));
    let last = mean_of_last(&losses, 20);
    println!("{last:.4} nats over the steps up to 200");
    assert!(last < 2.0, "{last}");
}

#[test]
fn entropies_of_the_corpus() {
    let corpus = fixture("corpus/stories.txt");
    for (order, nats) in [2.9616, 1.8235, 0.9022, 0.5467].into_iter().enumerate() {
        let found = entropy::conditional_entropy(&corpus, order);
        assert!((found - nats).abs() < 5e-5, "order {order}: {found}");
    }
}
