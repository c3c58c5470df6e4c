//! The step in integers is that in float64, as nearly as the comparison requires, and takes whatever is in range.
#![allow(clippy::unwrap_used)]

mod common;

use common::{compared, small};
use peers::data::{Float, draw};
use peers::step::{CLASS, InputError};
use peers::{Inputs, Mlp, Shape, Values, circuit};
use proptest::prelude::*;

/// What both sides of the comparison keep to.
const TOLERANCE: f64 = 1.0 / 2048.0;

#[test]
fn weights_and_loss_are_those_of_float64() {
    let larger = Mlp::new(Shape::new(16, 32, 128, 32).unwrap(), 1 << 23).unwrap();
    let mut furthest = 0.0f64;
    for (mlp, seeds) in [(small(), 200), (compared(), 200), (larger, 20)] {
        for seed in 0..seeds {
            let inputs = draw(&mlp, seed);
            let float = Float::of(&mlp, &inputs);
            let values = Values::of(&mlp, inputs).unwrap();
            assert_eq!(values.saturations.total(), 0);
            furthest = furthest.max(float.distance(&mlp, &values));
        }
    }
    println!("largest distance: 2^{:.2}", furthest.log2());
    assert!(furthest <= TOLERANCE, "{furthest}");
}

#[test]
fn a_step_lowers_the_loss() {
    let (mlp, inputs) = (compared(), draw(&compared(), 3));
    let first = Values::of(&mlp, inputs.clone()).unwrap();
    let next = Inputs { w1: first.new_w1.clone(), w2: first.new_w2.clone(), ..inputs };
    assert!(Values::of(&mlp, next).unwrap().loss.total < first.loss.total);
}

#[test]
fn what_is_no_input_is_refused() {
    let (mlp, good) = (small(), draw(&small(), 1));
    let of = |change: &dyn Fn(&mut Inputs)| {
        let mut inputs = good.clone();
        change(&mut inputs);
        Values::of(&mlp, inputs).unwrap_err()
    };
    assert_eq!(of(&|i| i.w2.data[3] = CLASS.max() + 1), InputError::Range("w2"));
    let refused = InputError::Shape { name: "target", expected: (4, 2), found: (2, 4) };
    assert_eq!(of(&|i| i.target = i.target.transpose()), refused);
}

fn any_inputs() -> impl Strategy<Value = Inputs> {
    let drawn = draw(&small(), 0);
    let any = |len: usize| {
        let element = prop_oneof![CLASS.min()..=CLASS.max(), -3i64..=3, Just(CLASS.min()), Just(CLASS.max())];
        prop::collection::vec(element, len)
    };
    let sizes = [&drawn.x, &drawn.target, &drawn.w1, &drawn.w2].map(|t| t.data.len());
    (any(sizes[0]), any(sizes[1]), any(sizes[2]), any(sizes[3])).prop_map(move |(x, target, w1, w2)| {
        let mut inputs = drawn.clone();
        (inputs.x.data, inputs.target.data, inputs.w1.data, inputs.w2.data) = (x, target, w1, w2);
        inputs
    })
}

proptest! {
    /// Whatever is in range has cells, and new weights in range.
    #[test]
    fn the_step_is_total(inputs in any_inputs()) {
        let mlp = small();
        let values = Values::of(&mlp, inputs).unwrap();
        prop_assert!(values.new_w1.within(CLASS) && values.new_w2.within(CLASS));
        let circuit = circuit(&mlp, mlp.shape.k());
        prop_assert!(circuit.fill(&values).unwrap().count_lookups(&circuit.plan).is_empty());
    }
}
