//! Tokens and targets outside the vocabulary, and positions that look ahead.
#![cfg(feature = "proofs")]
#![allow(clippy::unwrap_used)]

mod common;

use backend::curve::F;
use common::{Segment, head_segment, layer_segment, nano};
use plonkish::{Challenge, Violation, check_witness};
use std::collections::BTreeMap;

const K: u32 = 12;

/// What breaks when a cell, named by op, column and row within its block, gets another value; phase 2 follows.
fn broken(mut segment: Segment, publics: &[F], (op, column, row): (&str, &str, usize), value: u64) -> Vec<String> {
    let plan = &segment.plan;
    let (advice, row) = plan
        .owners
        .iter()
        .enumerate()
        .find_map(|(a, owners)| owners.iter().find(|o| o.op == op && o.column == column).map(|o| (a, o.row(row))))
        .expect("a column of the op");
    let cell = &mut segment.witness.values[advice][row];
    assert_ne!(*cell, F::from(value));
    *cell = F::from(value);
    let challenges: BTreeMap<Challenge, F> =
        Challenge::ALL.iter().zip(5u64..).map(|(&c, i)| (c, F::from(0x0eed_f00d_dead_beef * i))).collect();
    assert_eq!(segment.witness.count_lookups(plan), []);
    segment.witness.fill_phase2(plan, &challenges);
    let instance: Vec<F> = Challenge::ALL.iter().map(|c| challenges[c]).chain(publics.iter().copied()).collect();
    check_witness(plan, &segment.witness, &instance).iter().map(Violation::to_string).collect()
}

#[test]
fn a_token_or_target_equal_to_the_vocabulary_size() {
    let (spec, state, trace) = nano();
    let loss = [F::from(circuits::model::public_loss(trace.loss()).unwrap())];
    let vocab = spec.config.vocab as u64;
    // Row 0 is a token only, the last row a target only; rows between are both.
    for row in [0, 3, spec.config.context] {
        let segment = head_segment(&spec, K, &state.w, &trace);
        let found = broken(segment, &loss, ("embedding", "token", row), vocab);
        assert!(!found.is_empty() && found.iter().all(|v| v.starts_with("copy port batch")), "{found:?}");
    }
}

#[test]
fn a_future_position_unmasked() {
    let (spec, state, trace) = nano();
    // Query 0, key 1: masked. A probability forward, a gradient of a score backward.
    for (column, expected) in [("p0.0", "2·e·scale + sum = p·2·sum + remainder"), ("dS0.2", "dS is P·")] {
        let segment = layer_segment(&spec, K, &state.w, &trace);
        let found = broken(segment, &[], ("attention/scores", column, 1), 77);
        assert!(found.iter().any(|v| v.contains(expected)), "{column}: {found:?}");
    }
}
