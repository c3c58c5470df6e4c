//! Plans as circuits: the direct checker agrees with halo2's, proofs have the length that is computed, and faulty
//! circuits cannot become keys.
#![allow(clippy::unwrap_used)]

use backend::curve::{F, Params};
use backend::halo2::{PlanCircuit, with_columns, with_plan};
use backend::keys::{KeyError, Shape, VerifyingKey};
use backend::testing::{TOY_K, TOY_PUBLICS, Toy, toy, toy_sink};
use backend::{Builder, Plan, Witness, challenge};
use ff::Field;
use halo2_proofs::dev::{MockProver, VerifyFailure};
use plonkish::{Challenge, Global, Kind, Uniform, check_witness};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Whether halo2's own checker accepts. It takes every value in the blinding rows for unknown, so that it calls the
/// gates that hold canonical ports at zero there poisoned; real proofs show that they are not.
fn mock_accepts(plan: &Arc<Plan>, witness: &Witness, instance: &[F]) -> bool {
    let circuit = PlanCircuit { plan: plan.clone(), witness: Some(Arc::new(witness.clone())) };
    let columns = with_columns((&plan.uniform, plan.k), &[instance.to_vec()], |columns| {
        columns[0].iter().map(|column| column.to_vec()).collect()
    });
    let mock = with_plan(plan, || MockProver::run(plan.k, &circuit, columns)).unwrap();
    match mock.verify() {
        Ok(()) => true,
        Err(failures) => failures.iter().all(|f| matches!(f, VerifyFailure::ConstraintPoisoned { .. })),
    }
}

fn filled(mut toy: Toy) -> (Arc<Plan>, Witness, Vec<F>) {
    assert!(toy.witness.count_lookups(&toy.plan).is_empty());
    let challenges = challenge::scalars(&[3; 64]);
    toy.witness.fill_phase2(&toy.plan, &challenges);
    let instance = challenge::instance(&challenges, &toy.publics);
    (toy.plan, toy.witness, instance)
}

#[test]
fn the_checkers_agree_on_honest_and_on_corrupted_witnesses() {
    for toy in [toy(1), toy_sink(1)] {
        let (plan, witness, instance) = filled(toy);
        assert_eq!(check_witness(&plan, &witness, &instance), vec![]);
        assert!(mock_accepts(&plan, &witness, &instance));
        let mut broken = 0;
        for column in 0..plan.advice.len() {
            for row in [0, 3, plan.usable - 1] {
                let mut corrupted = witness.clone();
                corrupted.values[column][row] += F::ONE;
                let found = check_witness(&plan, &corrupted, &instance);
                assert_eq!(
                    found.is_empty(),
                    mock_accepts(&plan, &corrupted, &instance),
                    "{} row {row}: {found:?}",
                    plan.advice[column].name
                );
                broken += usize::from(!found.is_empty());
            }
        }
        assert!(broken > plan.advice.len());
        for row in 0..instance.len() {
            let mut corrupted = instance.clone();
            corrupted[row] += F::ONE;
            let accepted = check_witness(&plan, &witness, &corrupted).is_empty();
            assert_eq!(accepted, mock_accepts(&plan, &witness, &corrupted), "instance row {row}");
            // The context, and challenges that nothing uses, are read by no cell and by no gate; the pole of lookups of nothing
            // decides nothing.
            let is_read = |value: &Uniform| match *value {
                Uniform::Power(Challenge::Alpha, _) if plan.helpers.is_empty() => false,
                Uniform::Power(challenge, _) => Challenge::ALL.get(row) == Some(&challenge),
                Uniform::Public(public) => public == row,
            };
            let read = plan.publics.iter().any(|p| p.1 == row) || plan.uniform.iter().any(is_read);
            assert_eq!(accepted, !read, "row {row} of {:?}", plan.uniform);
        }
    }
}

#[test]
fn the_plan_does_not_depend_on_values() {
    let params = Params::new(TOY_K);
    let key = |toy: Toy| VerifyingKey::new(&params, &toy.plan).unwrap();
    let (a, b, sink) = (key(toy(1)), key(toy(2)), key(toy_sink(1)));
    assert_eq!(a.digest, b.digest);
    assert_ne!(a.digest, sink.digest);
    assert!(b.expect_digest(&a.digest).is_ok());
    assert!(matches!(sink.expect_digest(&a.digest), Err(KeyError::Digest)));
}

#[test]
fn digests_cover_the_layout_that_the_pinned_key_does_not_show() {
    let params = Params::new(TOY_K);
    let plan = toy(1).plan;
    let base = VerifyingKey::new(&params, &plan).unwrap();
    let longer = VerifyingKey::with_publics(&params, &plan, TOY_PUBLICS).unwrap();
    let mut fewer = (*plan).clone();
    fewer.phase1 -= 1;
    let fewer = VerifyingKey::new(&params, &Arc::new(fewer)).unwrap();
    // What is the same on every row is told by no commitment of the key.
    let mut swapped = (*plan).clone();
    swapped.uniform.swap(0, 1);
    let swapped = VerifyingKey::new(&params, &Arc::new(swapped)).unwrap();
    assert_eq!(VerifyingKey { shape: base.shape.clone(), digest: base.digest, ..fewer.clone() }, base);
    assert_ne!(base.digest, longer.digest);
    assert_ne!(base.digest, fewer.digest);
    assert_eq!((&swapped.fixed, &swapped.sigma, swapped.transcript), (&base.fixed, &base.sigma, base.transcript));
    assert_ne!(base.digest, swapped.digest);
}

#[test]
fn faulty_keys_are_refused() {
    let params = Params::new(TOY_K);
    let plan = toy(1).plan;
    assert!(matches!(VerifyingKey::new(&Params::new(6), &plan), Err(KeyError::Rows { plan: 8, params: 6 })));
    assert!(matches!(VerifyingKey::with_publics(&params, &plan, 1), Err(KeyError::Publics { read: 2, given: 1 })));
    // The instance column has as many rows as any other, and the challenges stand there too.
    let rows = (1 << TOY_K) - VerifyingKey::new(&params, &plan).unwrap().shape.blinding_rows;
    let most = rows - backend::challenge::SLOTS;
    assert!(VerifyingKey::with_publics(&params, &plan, most).is_ok());
    let refused = VerifyingKey::with_publics(&params, &plan, most + 1);
    assert!(matches!(refused, Err(KeyError::TooManyPublics { publics, rows: r }) if publics == most + 1 && r == rows));
}

/// Each phase-1 column that nothing reads on the current row could be committed to as any point.
#[test]
fn every_phase_1_column_must_be_queried() {
    let plan = toy(1).plan;
    for target in plan.port_rows.len()..plan.phase1 {
        if plan.advice[target].equality {
            continue;
        }
        let mut unread = (*plan).clone();
        unread.gates.retain(|gate| {
            let mut reads = false;
            gate.poly.cells(&mut |c, rotation| reads |= c == Global::Advice(target) && rotation == 0);
            !reads
        });
        assert!(unread.gates.len() < plan.gates.len());
        match Shape::of(&Arc::new(unread)) {
            Err(KeyError::NotQueried { .. }) => {}
            other => panic!("{}: {other:?}", plan.advice[target].name),
        }
    }
}

/// A gate that reaches a reserved row (where blinding stands) or wraps around does not become a plan.
#[test]
fn no_gate_reads_a_blinding_row() {
    let finish = |rotation: i32, row: usize| {
        let mut b = Builder::new(TOY_K);
        let usable = (1 << TOY_K) - plonkish::RESERVED_ROWS;
        let block = b.block_at("reach", 0, usable);
        let column = b.column(block, Kind::Unchecked, "x");
        b.gate(block, "same as its neighbour", column.cur() - column.at(rotation), [row]);
        catch_unwind(AssertUnwindSafe(|| b.compile_filled())).map(drop)
    };
    let last = (1 << TOY_K) - plonkish::RESERVED_ROWS - 1;
    assert!(finish(1, last - 1).is_ok() && finish(-1, 1).is_ok());
    for (rotation, row) in [(1, last), (2, last - 1), (-1, 0)] {
        let message = *finish(rotation, row).unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("reads a row outside the usable ones"), "{message}");
    }
}
