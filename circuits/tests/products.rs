//! Forged matrix products: every product of a step, wrong in one entry and wrong by an anti-diagonal error, is caught by
//! its random projection and by nothing else.
#![cfg(feature = "proofs")]
#![allow(clippy::unwrap_used)]

mod common;

use backend::curve::F;
use circuits::{
    arithmetic::fixed::Saturations,
    arithmetic::tensor::{Matrix, Wide},
    model::{Biases, Config, LayerBackward, LayerForward, SequenceTrace, Spec, State, layer_backward, layer_forward},
    segments::{
        Privacy,
        layer::{self, LayerValues},
    },
};
use common::{Segment, head_segment, nano, traced};
use plonkish::{Challenge, Violation, check_witness};
use std::collections::BTreeMap;

const K: u32 = 12;

/// Phase 2 is computed from the forged values, as an adversary would.
fn broken(mut segment: Segment, publics: &[F]) -> Vec<Violation> {
    let challenges: BTreeMap<Challenge, F> =
        Challenge::ALL.iter().enumerate().map(|(i, &c)| (c, F::from(0x0eed_f00d_dead_beef * (i as u64 + 5)))).collect();
    assert_eq!(segment.witness.count_lookups(&segment.plan), []);
    segment.witness.fill_phase2(&segment.plan, &challenges);
    let instance: Vec<F> = Challenge::ALL.iter().map(|c| challenges[c]).chain(publics.iter().copied()).collect();
    check_witness(&segment.plan, &segment.witness, &instance)
}

fn assert_caught_by_projection(name: &str, found: &[Violation]) {
    assert!(!found.is_empty(), "{name}: nothing notices");
    for violation in found {
        assert!(
            matches!(violation, Violation::Copy(a, b) if a.0.starts_with("acc") && b.0.starts_with("acc")),
            "{name}: {violation}"
        );
    }
}

/// Adds an error that rounding does not show: `[[0, 1], [−1, 0]]`, or one entry.
fn forge(x: &mut Wide, anti_diagonal: bool) {
    let (row, column) = (x.rows - 2, x.cols - 3);
    x.data[row * x.cols + column + 1] += 1;
    if anti_diagonal {
        x.data[(row + 1) * x.cols + column] -= 1;
    }
}

type OfLayer = (&'static str, for<'a> fn(&'a mut LayerForward, &'a mut LayerBackward) -> &'a mut Wide);

/// Two heads of queries to each of keys and values, wider than the hidden size, with biases.
fn grouped() -> (Spec, State, SequenceTrace) {
    let mut config = Config::NANO;
    (config.heads, config.kv_heads, config.head_dim, config.biased) = (4, Some(2), Some(8), true);
    traced(config)
}

fn layer_of(spec: &Spec, state: &State, f: &LayerForward, b: &LayerBackward) -> Segment {
    let values = LayerValues { weights: state.w.layers[0].clone(), forward: f.clone(), backward: b.clone() };
    Segment::new(layer::circuit(spec, K, Privacy::Public), &values)
}

#[test]
fn every_product_of_a_layer() {
    every_product(nano(), &[]);
}

#[test]
fn every_product_of_a_grouped_and_biased_layer() {
    every_product(
        grouped(),
        &[
            ("dbq", |_, b| &mut b.grads.bias.as_mut().unwrap().q),
            ("dbk", |_, b| &mut b.grads.bias.as_mut().unwrap().k),
            ("dbv", |_, b| &mut b.grads.bias.as_mut().unwrap().v),
        ],
    );
}

/// What is summed over a group of heads, for each head of keys and values.
#[test]
fn every_sum_over_a_group() {
    let (spec, state, trace) = grouped();
    let products: [OfLayer; 2] = [("dk", |_, b| &mut b.attention.dk), ("dv", |_, b| &mut b.attention.zdv)];
    for (name, product) in products {
        for head in 0..spec.config.kv_heads() {
            for anti_diagonal in [false, true] {
                let (mut f, mut b) = (trace.forward[0].clone(), trace.backward[0].clone());
                let x = product(&mut f, &mut b);
                let (cols, first) = (x.cols, head * spec.config.head_dim());
                x.data[5 * cols + first + 3] += 1;
                x.data[6 * cols + first + 2] -= i128::from(anti_diagonal);
                let found = broken(layer_of(&spec, &state, &f, &b), &[]);
                assert_caught_by_projection(&format!("{name} of head {head}"), &found);
            }
        }
    }
}

/// The columns of two heads of keys and values, exchanged.
fn exchanged<E: Copy + Default>(x: &Matrix<E>) -> Matrix<E> {
    let half = x.cols / 2;
    Matrix::from_fn(x.rows, x.cols, |i, j| x.at(i, (j + half) % x.cols))
}

/// A layer computed as if each group of queries read the keys and values of the other one: but for the products of
/// attention, everything is consistent.
#[test]
fn queries_read_the_keys_of_their_group() {
    let (spec, state, trace) = grouped();
    let w = &state.w.layers[0];
    let mut other = w.clone();
    (other.wk, other.wv) = (exchanged(&w.wk), exchanged(&w.wv));
    let bias = w.bias.as_ref().unwrap();
    other.bias = Some(Biases { q: bias.q.clone(), k: exchanged(&bias.k), v: exchanged(&bias.v) });
    let mut none = Saturations::default();
    let mut f = layer_forward(&spec, &other, &trace.forward[0].x, &mut none);
    let mut b = layer_backward(&spec, &other, &f, &trace.backward[0].dx_out, &mut none);
    for x in [&mut f.zk, &mut f.zv, &mut b.attention.dk, &mut b.attention.zdv, &mut b.grads.wk, &mut b.grads.wv] {
        *x = exchanged(x);
    }
    for x in [&mut f.k, &mut f.v, &mut b.attention.dv, &mut b.dzk] {
        *x = exchanged(x);
    }
    let gradients = b.grads.bias.as_mut().unwrap();
    (gradients.k, gradients.v) = (exchanged(&gradients.k), exchanged(&gradients.v));
    let found = broken(layer_of(&spec, &state, &f, &b), &[]);
    assert_caught_by_projection("the other group's keys", &found);
    // S, dP, O and dq of each head of queries, dk and dv of each head of keys.
    assert_eq!(found.len(), 4 * 4 + 2 * 2);
}

fn every_product((spec, state, trace): (Spec, State, SequenceTrace), more: &[OfLayer]) {
    let build = |f: &LayerForward, b: &LayerBackward| layer_of(&spec, &state, f, b);
    assert_eq!(broken(build(&trace.forward[0], &trace.backward[0]), &[]), []);
    // The forged entries of the `[T × T]` products are masked or do not touch the maximum.
    let products: [OfLayer; 26] = [
        ("q", |f, _| &mut f.zq),
        ("k", |f, _| &mut f.zk),
        ("v", |f, _| &mut f.zv),
        ("scores", |f, _| &mut f.attention.scores),
        ("O", |f, _| &mut f.attention.zo),
        ("x mid", |f, _| &mut f.zx_mid),
        ("gate", |f, _| &mut f.zg),
        ("up", |f, _| &mut f.zu),
        ("x out", |f, _| &mut f.zx_out),
        ("ds", |_, b| &mut b.zds),
        ("dh2", |_, b| &mut b.zdh2),
        ("dO", |_, b| &mut b.zdo),
        ("dq", |_, b| &mut b.attention.dq),
        ("dk", |_, b| &mut b.attention.dk),
        ("dv", |_, b| &mut b.attention.zdv),
        ("dh1", |_, b| &mut b.zdh1),
        ("dWq", |_, b| &mut b.grads.wq),
        ("dWk", |_, b| &mut b.grads.wk),
        ("dWv", |_, b| &mut b.grads.wv),
        ("dWo", |_, b| &mut b.grads.wo),
        ("dWg", |_, b| &mut b.grads.wg),
        ("dWu", |_, b| &mut b.grads.wu),
        ("dWd", |_, b| &mut b.grads.wd),
        ("dP", |_, b| &mut b.attention.dp),
        ("dgain 1", |_, b| &mut b.grads.norm1),
        ("dgain 2", |_, b| &mut b.grads.norm2),
    ];
    for (name, product) in products.iter().chain(more) {
        for anti_diagonal in [false, true] {
            let (mut f, mut b) = (trace.forward[0].clone(), trace.backward[0].clone());
            let x = product(&mut f, &mut b);
            if x.rows == 1 {
                x.data[3] += 1;
                x.data[4] -= i128::from(anti_diagonal);
            } else if ["scores", "dP"].contains(name) {
                // Rows 1 and 2 of a head, in masked columns: no softmax sees the error.
                let cols = x.cols;
                x.data[cols + 6] += 1;
                x.data[2 * cols + 5] -= i128::from(anti_diagonal);
            } else {
                forge(x, anti_diagonal);
            }
            assert_caught_by_projection(name, &broken(build(&f, &b), &[]));
        }
    }
}

type OfHead = (&'static str, fn(&mut SequenceTrace) -> &mut Wide);

#[test]
fn every_product_of_the_head() {
    let (spec, state, trace) = nano();
    let loss = F::from(circuits::model::public_loss(trace.loss()).unwrap());
    let products: [OfHead; 5] = [
        ("logits", |t| &mut t.head.logits),
        ("dh", |t| &mut t.head.zdh),
        ("dE, head's part", |t| &mut t.head.d_head),
        ("dE, embedding's part", |t| &mut t.d_embed),
        ("dgain", |t| &mut t.head.norm_backward.dgain),
    ];
    for (name, product) in products {
        for anti_diagonal in [false, true] {
            let mut forged = trace.clone();
            let x = product(&mut forged);
            if x.rows == 1 {
                x.data[3] += 1;
                x.data[4] -= i128::from(anti_diagonal);
            } else {
                forge(x, anti_diagonal);
            }
            assert_caught_by_projection(name, &broken(head_segment(&spec, K, &state.w, &forged), &[loss]));
        }
    }
}

#[test]
fn a_gathered_row_that_is_not_the_tokens() {
    let (spec, state, trace) = nano();
    let loss = F::from(circuits::model::public_loss(trace.loss()).unwrap());
    let mut forged = trace.clone();
    // Two errors that cancel under any single power of one challenge.
    forged.x0.data[1] += 1;
    forged.x0.data[spec.config.hidden] -= 1;
    let found = broken(head_segment(&spec, K, &state.w, &forged), &[loss]);
    assert_caught_by_projection("x0", &found);
}
