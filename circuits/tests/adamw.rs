//! AdamW's update forged as a cheat would, who computes everything that follows: each fails at its constraint, or in the range
//! table.
#![cfg(feature = "proofs")]
#![allow(clippy::unwrap_used)]

mod common;

use backend::challenge::{self, Challenges};
use backend::{Plan, Witness, curve::F};
use circuits::model::OptimizerKind;
use circuits::ops::adamw::{self, Element, Trace};
use circuits::segments::Privacy;
use circuits::segments::update::{self, UpdatePort};
use common::{Segment, adamw_hyper, adamw_segment};
use ff::{Field, PrimeField};
use plonkish::{LANES, LIMB_BITS, Violation, check_witness, field};

const K: u32 = 8;
/// The row that is forged, of the first lane.
const ROW: usize = 3;

/// An element with moments of its own, and its gradient.
fn element() -> (Element, i128) {
    let first = -(5 << 20);
    (Element { w: 777, lo: 1_234_567, first, second: i128::from(first).pow(2) * 3 / 2 }, (9 << 30) + 77)
}

fn segment() -> Segment {
    let lanes: [Vec<(Element, i128)>; LANES] =
        std::array::from_fn(|lane| if lane == 0 { vec![element(); ROW + 2] } else { vec![] });
    adamw_segment(Privacy::Public, K, &adamw_hyper(), &lanes)
}

fn trace() -> Trace {
    let (hyper, (element, g)) = (adamw_hyper(), element());
    adamw::trace(&hyper.integers, &adamw::entering(&hyper, &element, g).unwrap())
}

/// Advice column of a name in the update's block.
fn column(plan: &Plan, name: &str) -> usize {
    let named = |owners: &Vec<plonkish::Owner>| owners.iter().any(|o| o.op == "adamw" && o.column == name);
    plan.owners.iter().position(named).unwrap_or_else(|| panic!("no column {name}"))
}

fn port(plan: &Plan, which: UpdatePort) -> usize {
    plan.port_columns(update::port(OptimizerKind::AdamW, which).unwrap()).start
}

/// A witness under a cheat's hands.
struct Forged {
    plan: std::sync::Arc<Plan>,
    witness: Witness,
}

impl Forged {
    fn new() -> Self {
        let Segment { plan, witness } = segment();
        let forged = Forged { plan, witness };
        assert_eq!(forged.found(), Vec::<String>::new());
        forged
    }

    fn set(&mut self, name: &str, value: i128) {
        let at = column(&self.plan, name);
        self.witness.values[at][ROW] = field(value);
    }

    fn set_port(&mut self, which: UpdatePort, value: F) {
        let at = port(&self.plan, which);
        self.witness.values[at][ROW] = value;
    }

    /// Limbs of an integer; of one that is negative or too large the last takes the rest, and is no limb.
    fn set_limbs(&mut self, name: &str, count: usize, value: i128) {
        for i in 0..count {
            let part = value >> (LIMB_BITS as usize * i);
            let limb = if i + 1 == count { part } else { part & ((1 << LIMB_BITS) - 1) };
            self.set(&format!("{name}.{i}"), limb);
        }
    }

    fn found(&self) -> Vec<String> {
        let mut witness = self.witness.clone();
        let lookups = witness.count_lookups(&self.plan);
        if !lookups.is_empty() {
            return vec!["no limb".into(); lookups.len()];
        }
        let challenges: Challenges = challenge::scalars(&[5; 64]);
        witness.fill_phase2(&self.plan, &challenges);
        let publics = adamw_hyper().integers.list().map(field::<F>);
        let name = |violation: Violation| match violation {
            Violation::Gate(gate, ROW) => gate,
            other => format!("{other:?}"),
        };
        check_witness(&self.plan, &witness, &challenge::instance(&challenges, &publics)).into_iter().map(name).collect()
    }
}

#[test]
fn a_gradient_that_is_not_clipped() {
    let mut forged = Forged::new();
    // All that follows is of the small gradient; the port and the limb beyond the range say another.
    let x = F::from_u128((i128::from(adamw_hyper().gamma) * element().1) as u128)
        + F::from(2).pow_vartime([84]) * F::from(9);
    forged.set_port(UpdatePort::Gradient, x);
    forged.set("g0.7", 9);
    assert_eq!(forged.found(), ["adamw: g0: extra limbs only when saturated"]);
}

#[test]
fn another_flag() {
    for flag in [2, -2, 1 << 40] {
        for (name, gate) in [("g0.end", "adamw: g0: end is -1, 0 or 1"), ("w'0.end", "adamw: w'0: end is -1, 0 or 1")] {
            let mut forged = Forged::new();
            forged.set(name, flag);
            assert!(forged.found().contains(&gate.to_owned()), "{:?}", forged.found());
        }
    }
    // And a case that is not: the largest weight, said of one in range.
    let mut forged = Forged::new();
    forged.set("w'0.end", 1);
    forged.set("w'0.narrow", 0);
    forged.set_port(UpdatePort::NewWeights, F::from(65_535));
    forged.set_port(UpdatePort::NewSlot(circuits::model::Slot::Low), F::from((1 << 24) - 1));
    forged.set_limbs("w'0.complement", 3, 0);
    assert_eq!(forged.found(), ["adamw: w'0: the decayed weight less the quotient"]);
}

/// SOUNDNESS 12: s ± 1, with what is left.
#[test]
fn another_root() {
    let Trace { second, root, .. } = trace();
    for s in [root - 1, root + 1] {
        let mut forged = Forged::new();
        let rest = second - s * s;
        forged.set_limbs("v'0.rest", 3, rest);
        forged.set_limbs("v'0.complement", 3, 2 * s - rest);
        assert!(forged.found().iter().all(|found| found == "no limb") && !forged.found().is_empty());
    }
    // A root that is half an integer: limbs of an odd sum.
    let mut forged = Forged::new();
    let rest = second - root * root;
    forged.set_limbs("v'0.complement", 3, 2 * root - rest + 1);
    assert!(forged.found().contains(&"adamw: v'0: the root is an integer".to_owned()), "{:?}", forged.found());
}

/// SOUNDNESS 11: q ± 1 with r ∓ d.
#[test]
fn another_quotient() {
    let trace = trace();
    let (divisor, (decayed, whole)) = (trace.divisor(), {
        let (hyper, (element, g)) = (adamw_hyper(), element());
        (adamw::entering(&hyper, &element, g).unwrap().decayed, trace.whole().0)
    });
    let remainder = trace.numerator + trace.half - (decayed - i128::from(whole)) * divisor;
    for by in [-1i128, 1] {
        let mut forged = Forged::new();
        let (moved, r) = (i128::from(whole) + by, remainder + by * divisor);
        forged.set_limbs("w'0", 4, moved + (1 << 40));
        forged.set_limbs("w'0.remainder", 3, r);
        forged.set_limbs("w'0.complement", 3, divisor - 1 - r);
        assert!(forged.found().iter().all(|found| found == "no limb") && !forged.found().is_empty());
    }
    // The same remainder for another quotient.
    let mut forged = Forged::new();
    forged.set_limbs("w'0", 4, i128::from(whole) + 1 + (1 << 40));
    let found = forged.found();
    assert!(found.contains(&"adamw: w'0: the decayed weight less the quotient".to_owned()), "{found:?}");
}
