//! Steps are proven by both engines and verified by both verifiers; forged ones are not.
#![allow(clippy::unwrap_used)]

mod common;

use backend::curve::{F, Params};
use circuits::arithmetic::tensor::Tensor;
use common::{Like, compared, inputs};
use peers::circuit::{NEW_WEIGHTS, PORTS, weight_layout};
use peers::proof::{Prover, StepError, verify_step};
use peers::{Mlp, Values, circuit};
use plonkish::{Violation, field};
use prover::ProveError;
use prover::engine::{Cancel, Engine, Halo2, Native, Watch, prove_with};
use std::sync::LazyLock;
use verifier::{Oracle, instances};

static MLP: LazyLock<Mlp> = LazyLock::new(compared);
static PARAMS: LazyLock<Params> = LazyLock::new(|| Params::new(MLP.shape.k()));
static PROVER: LazyLock<Prover> = LazyLock::new(|| Prover::new(&PARAMS, *MLP).unwrap());

fn values(like: Like) -> Values {
    Values::of(&MLP, inputs(&MLP, like)).unwrap()
}

#[test]
fn honest_steps_are_proven_and_verified_whatever_the_engine() {
    let oracle = Oracle::new(&PARAMS, &PROVER.key.plan).unwrap();
    for like in [Like::Usual, Like::Extreme, Like::Zero] {
        for engine in [&Native as &dyn Engine, &Halo2] {
            let proven = PROVER.prove(&PARAMS, engine, inputs(&MLP, like)).unwrap();
            assert_eq!(proven.total, values(like).loss.total);
            let key = &PROVER.key.verifying;
            verify_step(&PARAMS, key, &proven).unwrap();
            let instance = instances(key, &proven.bytes, &[vec![F::from(proven.total)]]).unwrap();
            oracle.check(&PARAMS, key, 1, &proven.bytes, &instance).unwrap();
        }
    }
}

/// No commitment to anything private is the same twice, ports included.
#[test]
fn proofs_of_one_step_have_no_commitment_in_common() {
    let [a, b] = [(); 2].map(|()| PROVER.prove(&PARAMS, &Native, inputs(&MLP, Like::Zero)).unwrap());
    assert!(PROVER.key.plan.ports.iter().all(|port| !port.blinding.is_canonical()));
    let [of_a, of_b] = [&a, &b].map(|proven| verify_step(&PARAMS, &PROVER.key.verifying, proven).unwrap());
    assert_eq!(of_a[0].len(), PORTS);
    let points = of_a[0].iter().flatten().zip(of_b[0].iter().flatten());
    assert!(points.clone().count() >= 2 * PORTS && points.clone().all(|(a, b)| a != b));
    let advice = PROVER.key.verifying.shape.advice;
    let (a, b) = (a.bytes.as_chunks::<32>().0, b.bytes.as_chunks::<32>().0);
    assert!(a[..advice].iter().zip(&b[..advice]).all(|(a, b)| a != b));
}

/// What leaves is the new weights, as the next step's port holds them.
#[test]
fn the_new_weights_leave() {
    for like in [Like::Usual, Like::Extreme, Like::Steep] {
        let (values, circuit) = (values(like), circuit(&MLP, MLP.shape.k()));
        let witness = circuit.fill(&values).unwrap();
        let of = |tensor: &Tensor, i, j| field::<F>(tensor.at(i, j).into());
        let new = [&values.new_w1, &values.new_w2];
        let expected = weight_layout(&MLP.shape, MLP.shape.k()).fill(|tensor, i, j| of(new[tensor], i, j));
        assert_eq!(witness.values[circuit.plan.port_columns(NEW_WEIGHTS)], expected[..]);
    }
}

/// A new weight that is one too large, with all cells that it is computed from.
#[test]
fn wrong_new_weights_are_refused() {
    let mut values = values(Like::Usual);
    values.dividend_1.data[37] += 1 << peers::step::SHIFT_1;
    let instance = PROVER.instance(&values).unwrap();
    let watch = &mut Watch { progress: &mut |_| {}, cancel: &Cancel::default() };
    let refused = prove_with(&Native, &PARAMS, &PROVER.key, vec![instance.clone()], watch).unwrap_err();
    let is_equation = |violation: &Violation| matches!(violation, Violation::Copy(a, b) if a.0.starts_with("acc") && b.0.starts_with("acc"));
    assert!(matches!(&refused, ProveError::Unsatisfied { violation, .. } if is_equation(violation)), "{refused}");
    // Nor does it pass without the prover's own check.
    let forged = Native.prove(&PARAMS, &PROVER.key, &mut [instance], watch).unwrap();
    let forged = peers::proof::Proven { bytes: forged.bytes, total: values.loss.total };
    verify_step(&PARAMS, &PROVER.key.verifying, &forged).unwrap_err();
}

#[test]
fn another_loss_and_flipped_bits_are_refused() {
    let good = PROVER.prove(&PARAMS, &Native, inputs(&MLP, Like::Usual)).unwrap();
    let key = &PROVER.key.verifying;
    let mut other = good.clone();
    other.total -= 1;
    verify_step(&PARAMS, key, &other).unwrap_err();
    for at in (0..good.bytes.len()).step_by(997) {
        let mut other = good.clone();
        other.bytes[at] ^= 1;
        verify_step(&PARAMS, key, &other).unwrap_err();
    }
    let mut out = inputs(&MLP, Like::Usual);
    out.x.data[0] = 1 << 23;
    assert!(matches!(PROVER.prove(&PARAMS, &Native, out), Err(StepError::Input(_))));
}
