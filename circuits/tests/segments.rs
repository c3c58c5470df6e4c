//! The segments accept honest traces, checked constraint by constraint.
#![cfg(feature = "proofs")]
#![allow(clippy::unwrap_used)]

mod common;

use backend::curve::F;
use circuits::segments::{Circuits, Privacy, SegmentKind, Variant};
use circuits::{
    model::{Config, Spec, State, Token, UpdateKind, sequence_gradient},
    ops::adamw,
    ops::sgd::{Element, Hyper},
    segments::layer,
};
use common::{Segment, adamw_case, adamw_hyper, head_segment, layer_segment, sgd_case, update_segment};
use ff::Field;
use plonkish::{Challenge, LANES, check_witness};
use std::collections::BTreeMap;

const K: u32 = 12;

fn challenges() -> BTreeMap<Challenge, F> {
    Challenge::ALL.iter().enumerate().map(|(i, &c)| (c, F::from(0x1234_5678_9abc_def1 * (i as u64 + 3)))).collect()
}

fn check(mut segment: Segment, publics: &[F]) {
    let challenges = challenges();
    let missing = segment.witness.count_lookups(&segment.plan);
    assert_eq!(missing, []);
    segment.witness.fill_phase2(&segment.plan, &challenges);
    let instance: Vec<F> = Challenge::ALL.iter().map(|c| challenges[c]).chain(publics.iter().copied()).collect();
    let found = check_witness(&segment.plan, &segment.witness, &instance);
    let report: Vec<String> = found.iter().take(20).map(ToString::to_string).collect();
    println!(
        "columns {} (phase 1 {}), fixed {}, gates {}, copies {}, degree {}",
        segment.plan.advice.len(),
        segment.plan.phase1,
        segment.plan.fixed.len(),
        segment.plan.gates.len(),
        segment.plan.copies.len(),
        segment.plan.degree()
    );
    assert!(found.is_empty(), "{} violations: {report:#?}", found.len());
}

fn trace_of(config: Config) -> (Spec, State, circuits::model::SequenceTrace) {
    let spec = Spec::new(config);
    let state = State::init(&spec.config, 7);
    let sequence: Vec<Token> =
        (0..=spec.config.context).map(|i| ((i * i * 31 + 7 * i + 13) % spec.config.vocab) as Token).collect();
    let trace = sequence_gradient(&spec, &state.w, &sequence).unwrap();
    (spec, state, trace)
}

fn loss(trace: &circuits::model::SequenceTrace) -> F {
    F::from(circuits::model::public_loss(trace.loss()).unwrap())
}

#[test]
fn an_honest_layer_is_accepted() {
    let mut grouped = Config::MICRO;
    (grouped.kv_heads, grouped.head_dim, grouped.biased) = (Some(2), Some(20), true);
    for config in [Config::NANO, Config::MICRO, grouped] {
        let (spec, state, trace) = trace_of(config);
        check(layer_segment(&spec, K, &state.w, &trace), &[]);
    }
}

#[test]
fn an_honest_head_is_accepted() {
    let wide = |vocab| {
        let mut config = Config::NANO;
        config.vocab = vocab;
        config
    };
    for config in [Config::NANO, Config::NANO.untied(), Config::MICRO, wide(260), wide(1024).untied()] {
        let (spec, state, trace) = trace_of(config);
        check(head_segment(&spec, K, &state.w, &trace), &[loss(&trace)]);
    }
}

#[test]
fn an_honest_update_is_accepted() {
    let hyper = Hyper { lambda: 1 << 28, mu: 61_847_529_062, omega: 1 << 20 };
    let lanes: [Vec<(Element, i128)>; LANES] = std::array::from_fn(|lane| {
        (0..500)
            .map(|i| {
                let x = (i as i64 * 7919 + lane as i64 * 104_729) % 60_000 - 30_000;
                (Element { w: x, lo: x.rem_euclid(1 << 24), v: x << 25 }, i128::from(x) << (i % 50))
            })
            .collect()
    });
    check(update_segment(K, &hyper, &lanes), &[]);
}

/// A norm of 0, with moments of 0 and with others.
#[test]
fn a_clipped_update_without_a_gradient_is_accepted() {
    let moving = (adamw::Element { w: 5, lo: 6, first: 7 << 20, second: 8 << 40 }, 0);
    for privacy in [Privacy::Public, Privacy::Private] {
        let clipped = Variant { privacy, update: UpdateKind::ClippedSgd };
        let sgd = sgd_case(clipped, K, &Hyper { lambda: 1 << 28, mu: 1 << 35, omega: 1 }, &Default::default());
        let still = adamw_case(privacy, K, &adamw_hyper(), &Default::default());
        let moving = adamw_case(privacy, K, &adamw_hyper(), &[vec![moving; 9], vec![moving]]);
        for case in [sgd, still, moving] {
            if privacy == Privacy::Public {
                assert_eq!(case.publics.last(), Some(&F::ZERO), "{}", case.name);
            }
            check(case.segment, &case.publics);
        }
    }
}

/// Exactly the rows that the layout gives to tensors carry data; carry rows and gaps are forced to zero.
#[test]
fn ports_carry_data_where_tensors_stand_and_nowhere_else() {
    let (spec, state, trace) = trace_of(Config::MICRO);
    let segment = layer_segment(&spec, K, &state.w, &trace);
    let layout = layer::weight_layout(&spec.config, K);
    assert!(layout.pieces.iter().flatten().any(|p| p.carry > 0), "some tensor is continued in another group");
    let expected = layout.fill(|_, _, _| true);
    for port in [layer::WEIGHTS, layer::GRADIENTS] {
        let columns = segment.plan.port_columns(port);
        assert_eq!(segment.plan.port_rows[columns], expected[..]);
    }
}

/// Selectors share columns, and columns of blocks share columns of the grid: each selector is zero on all rows but those of
/// its gates, and no cell has two owners.
#[test]
fn what_shares_a_column_is_kept_apart() {
    for config in [Config::NANO, Config::MICRO, Config::MINI] {
        let circuits = Circuits::of(&Spec::new(config), Variant::public(UpdateKind::AdamW));
        let (mut shared, mut strided) = (0, 0);
        for plan in SegmentKind::ALL.map(|kind| circuits.plan(kind)) {
            for gate in &plan.gates {
                let column = &plan.fixed[gate.selector.column];
                let selected = (0..plan.usable).filter(|&row| gate.selector.eval(column[row]) != F::ZERO);
                assert!(selected.eq(gate.rows.iter().copied()), "{}", gate.name);
                shared += usize::from(gate.selector.values > 1);
            }
            for (column, owners) in plan.owners.iter().enumerate() {
                let mut owned = vec![false; plan.usable];
                for owner in owners {
                    strided += usize::from(owner.stride > 1);
                    for (cell, row) in owner.all_rows().enumerate() {
                        assert!(!std::mem::replace(&mut owned[row], true), "{} row {row}", plan.advice[column].name);
                        assert!(plan.owner(column, row) == Some(owner) && owner.cell(row) == Some(cell));
                    }
                }
                let idle = (0..plan.usable).filter(|&row| !owned[row]);
                assert!(idle.into_iter().all(|row| plan.owner(column, row).is_none()));
            }
        }
        assert!(shared > 0 && strided > 0, "{shared} gates of shared selectors, {strided} strided columns");
    }
}
