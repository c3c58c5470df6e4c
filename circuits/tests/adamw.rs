//! AdamW's update forged as a cheat would, who computes everything that follows: each fails at its constraint, or in the range
//! table.
#![cfg(feature = "proofs")]
#![allow(clippy::unwrap_used)]

mod common;

use backend::challenge::{self, Challenges};
use backend::{Plan, Witness, curve::F};
use circuits::model::{Slot, UpdateKind};
use circuits::ops::adamw::{self, BETA_BITS, ETA_BITS, Element, Integers, Trace};
use circuits::segments::Privacy;
use circuits::segments::update::{self, UpdatePort};
use common::{Case, Segment, adamw_case, adamw_hyper};
use ff::{Field, PrimeField};
use plonkish::{Interval, LANES, LIMB_BITS, Violation, WitnessError, check_witness, field};
use proptest::prelude::*;

const K: u32 = 8;
/// The row that is forged, of the first lane.
const ROW: usize = 3;

/// An element with moments of its own, and its gradient.
fn element() -> (Element, i128) {
    let first = -(5 << 20);
    (Element { w: 777, lo: 1_234_567, first, second: i128::from(first).pow(2) * 3 / 2 }, (9 << 30) + 77)
}

fn case() -> Case {
    let lanes: [Vec<(Element, i128)>; LANES] =
        std::array::from_fn(|lane| if lane == 0 { vec![element(); ROW + 2] } else { vec![] });
    adamw_case(Privacy::Public, K, &adamw_hyper(), &lanes)
}

fn trace() -> Trace {
    let (hyper, (element, g)) = (adamw_hyper(), element());
    adamw::trace(&hyper.integers, &adamw::entering(&hyper, &element, g))
}

/// Advice column of a name in the update's block.
fn column(plan: &Plan, name: &str) -> usize {
    let named = |owners: &Vec<plonkish::Owner>| owners.iter().any(|o| o.op == "adamw" && o.column == name);
    plan.owners.iter().position(named).unwrap_or_else(|| panic!("no column {name}"))
}

fn port_column(plan: &Plan, which: UpdatePort) -> usize {
    plan.port_columns(update::port(UpdateKind::AdamW, which).unwrap()).start
}

/// A witness under a cheat's hands.
struct Forged {
    plan: std::sync::Arc<Plan>,
    witness: Witness,
    publics: Vec<F>,
}

impl Forged {
    fn new() -> Self {
        let Case { segment: Segment { plan, witness }, publics, .. } = case();
        let forged = Forged { plan, witness, publics };
        assert_eq!(forged.found(), Vec::<String>::new());
        forged
    }

    fn set(&mut self, name: &str, value: i128) {
        let at = column(&self.plan, name);
        self.witness.values[at][ROW] = field(value);
    }

    fn set_port(&mut self, which: UpdatePort, value: F) {
        let at = port_column(&self.plan, which);
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

    /// Sums of squares of what is in the port.
    fn add_up(&mut self) {
        let lanes = port_column(&self.plan, UpdatePort::Gradient);
        let (squares, mut sum) = (column(&self.plan, "squares"), F::ZERO);
        for row in 0..self.plan.usable {
            sum += (0..LANES).map(|lane| self.witness.values[lanes + lane][row].square()).sum::<F>();
            self.witness.values[squares][row] = sum;
        }
        *self.publics.last_mut().unwrap() = sum;
    }

    /// A weight with its low part, and its limbs.
    fn set_weight(&mut self, whole: i128) {
        let (w, lo) = (whole >> 24, whole & ((1 << 24) - 1));
        self.set_port(UpdatePort::NewWeights, field(w));
        self.set_port(UpdatePort::NewSlot(Slot::Low), field(lo));
        self.set("w'0.low", lo >> 12);
        self.set("w'0.high", (w + (1 << 16)) >> 12);
    }

    /// A first moment, and its limbs.
    fn set_first(&mut self, moment: i128) {
        self.set_port(UpdatePort::NewSlot(Slot::First), field(moment));
        self.set_limbs("m'0.upper", 2, (moment + (1 << 35)) >> 12);
    }

    /// Names of the constraints that fail, or what is no limb.
    fn found(&self) -> Vec<String> {
        let mut witness = self.witness.clone();
        let lookups = witness.count_lookups(&self.plan);
        if !lookups.is_empty() {
            let name = |error: WitnessError| match error {
                WitnessError::NotInTable { column, row: ROW, .. } => column,
                other => panic!("{other}"),
            };
            return lookups.into_iter().map(name).collect();
        }
        let challenges: Challenges = challenge::scalars(&[5; 64]);
        witness.fill_phase2(&self.plan, &challenges);
        let name = |violation: Violation| match violation {
            Violation::Gate(gate, ROW) => gate,
            other => format!("{other:?}"),
        };
        check_witness(&self.plan, &witness, &challenge::instance(&challenges, &self.publics))
            .into_iter()
            .map(name)
            .collect()
    }
}

/// Whether some cells of limbs hold none, and all else is as it should be.
fn is_no_limb(found: &[String]) -> bool {
    !found.is_empty() && found.iter().all(|found| found.starts_with("limb "))
}

/// The limbs of `γ·g + 2^35 − 2^36·ĝ`, and the sum of squares of what enters.
fn of_gradient(by: i128) -> (i128, i128) {
    let entering = adamw::entering(&adamw_hyper(), &element().0, element().1).gradient;
    (entering + (1 << 35) - ((trace().gradient + by) << 36), entering)
}

/// A mean gradient is an integer, and the one next to the quotient: another has no remainder of three limbs.
#[test]
fn another_mean_gradient() {
    for by in [-1, 1] {
        let mut forged = Forged::new();
        forged.set_limbs("g0.remainder", 3, of_gradient(by).0);
        assert!(is_no_limb(&forged.found()), "{:?}", forged.found());
    }
    // A remainder by 1 off leaves a fraction, which neither moment is a mean of.
    let mut forged = Forged::new();
    forged.set_limbs("g0.remainder", 3, of_gradient(0).0 ^ 1);
    assert_eq!(
        forged.found(),
        ["adamw: m'0: the mean of moment and gradient", "adamw: v'0: the mean of moment and square"]
    );
}

/// A cheat who lets the first moment be what fits that fraction: it is none that limbs hold.
#[test]
fn a_moment_of_a_fraction() {
    let hyper = adamw_hyper().integers;
    let mut forged = Forged::new();
    let (remainder, entering) = of_gradient(0);
    forged.set_limbs("g0.remainder", 3, remainder ^ 1);
    let scaled = field::<F>(entering + (1 << 35) - (remainder ^ 1));
    let share = F::from(2).pow_vartime([36]).invert().unwrap() * field::<F>(hyper.share1) * scaled;
    let dividend = field::<F>(hyper.beta1 * i128::from(element().0.first) + hyper.rounding) + share;
    let honest = field::<F>(i128::from(trace().first));
    let low = dividend - honest * F::from(1 << 24);
    let at = column(&forged.plan, "m'0.remainder.0");
    forged.witness.values[at][ROW] = low;
    assert!(is_no_limb(&forged.found()), "{:?}", forged.found());
}

#[test]
fn another_flag() {
    for flag in [2, -2, 1 << 40] {
        let mut forged = Forged::new();
        forged.set("w'0.end", flag);
        assert!(forged.found().contains(&"adamw: w'0: end is -1, 0 or 1".to_owned()), "{:?}", forged.found());
    }
    // And a case that is not: the largest weight, said of one in range.
    let mut forged = Forged::new();
    forged.set("w'0.end", 1);
    forged.set_limbs("w'0.complement", 3, 0);
    let less = "adamw: w'0: the decayed weight less the quotient";
    assert_eq!(forged.found(), ["adamw: w'0: at an end, the end", less]);
    forged.set_weight((1 << 40) - 1);
    assert_eq!(forged.found(), [less]);
    forged.set("w'0.end", -1);
    assert_eq!(forged.found(), ["adamw: w'0: at an end, the end", less]);
    forged.set_weight(-(1 << 40));
    assert_eq!(forged.found(), [less]);
}

/// A weight beyond its range that stays there: it is another than the end, whatever the limbs.
#[test]
fn another_end() {
    let mut hyper = adamw_hyper();
    hyper.integers.eta = (1 << ETA_BITS) - 1;
    for (sign, end) in [(-1i128, 65_535), (1, -65_536)] {
        let element = Element { w: end, lo: 0, first: (sign << 32) as i64, second: 7 };
        let lanes = [vec![(element, 0); ROW + 2], vec![]];
        let Case { segment: Segment { plan, witness }, publics, .. } = adamw_case(Privacy::Public, K, &hyper, &lanes);
        let mut forged = Forged { plan, witness, publics };
        assert_eq!(forged.found(), Vec::<String>::new());
        let (flag, at) = (column(&forged.plan, "w'0.end"), "adamw: w'0: at an end, the end");
        assert_eq!(forged.witness.values[flag][ROW], field(-sign));
        let whole = if end < 0 { -(1 << 40) } else { (1 << 40) - 1 };
        for other in [whole + sign, whole + (sign << 12), whole + (sign << 24), 0] {
            forged.set_weight(other);
            assert_eq!(forged.found(), [at], "{other}");
        }
        // One said to be in range needs a remainder that no limbs hold.
        forged.set_weight(whole);
        forged.set("w'0.end", 0);
        let found = forged.found();
        assert!(found.contains(&"adamw: w'0: the decayed weight less the quotient".to_owned()), "{found:?}");
    }
}

/// A weight beyond its range, with all that follows from it: its top limb alone tells.
#[test]
fn a_weight_of_more_bits() {
    let mut hyper = adamw_hyper();
    hyper.integers.eta = 1 << 12;
    for (sign, end) in [(-1i128, 65_535), (1, -65_536)] {
        let element = Element { w: end, lo: 0, first: (sign << 32) as i64, second: 7 };
        let lanes = [vec![(element, 0); ROW + 2], vec![]];
        let Case { segment: Segment { plan, witness }, publics, .. } = adamw_case(Privacy::Public, K, &hyper, &lanes);
        let mut forged = Forged { plan, witness, publics };
        let entering = adamw::entering(&hyper, &element, 0);
        let trace = adamw::trace(&hyper.integers, &entering);
        assert!(trace.whole().1 && trace.unclamped.abs() < 1 << 46, "{trace:?}");
        forged.set_weight(trace.unclamped);
        forged.set("w'0.end", 0);
        let remainder = trace.numerator + trace.half - (entering.decayed - trace.unclamped) * trace.divisor();
        forged.set_limbs("w'0.remainder", 3, remainder);
        forged.set_limbs("w'0.complement", 3, 2 * trace.half - remainder);
        let found = forged.found();
        if sign < 0 {
            assert_eq!(found, ["adamw: w'0: top limb has 5 bits"]);
        } else {
            // Below, no limb is what w' + 2^16 has at the top.
            assert!(found.contains(&"adamw: w'0: top limb has 5 bits".to_owned()), "{found:?}");
        }
    }
}

/// What leaves is a sum of limbs of which the lowest has no cell: what it is not is refused.
#[test]
fn limbs_that_no_cell_holds() {
    let (whole, first) = (i128::from(trace().whole().0), i128::from(trace().first));
    for (forge, name) in [
        (
            (|forged, whole, _| forged.set_port(UpdatePort::NewWeights, field((whole >> 24) + 4096)))
                as fn(&mut Forged, i128, i128),
            "w'0: new weight",
        ),
        (|forged, whole, _| forged.set_port(UpdatePort::NewWeights, field((whole >> 24) - 4096)), "w'0: new weight"),
        (
            |forged, whole, _| forged.set_port(UpdatePort::NewSlot(Slot::Low), field((whole & 0xff_ffff) + 4096)),
            "w'0: new low part",
        ),
        (
            |forged, whole, _| forged.set_port(UpdatePort::NewSlot(Slot::Low), field((whole & 0xff_ffff) - 4096)),
            "w'0: new low part",
        ),
        (|forged, _, first| forged.set_port(UpdatePort::NewSlot(Slot::First), field(first + 4096)), "m'0: new moment"),
        (|forged, _, first| forged.set_port(UpdatePort::NewSlot(Slot::First), field(first - 4096)), "m'0: new moment"),
        // Fractions.
        (
            |forged, _, first| forged.set_port(UpdatePort::NewSlot(Slot::First), field::<F>(first) + F::TWO_INV),
            "m'0: new moment",
        ),
        (|forged, _, _| forged.set("w'0.low", 4095), "w'0: new low part"),
        // A weight of 18 bits, with the limbs for it.
        (|forged, _, _| forged.set_weight(1 << 40), "w'0: top limb has 5 bits"),
        (|forged, _, _| forged.set_weight(-(1 << 40) - 1), "w'0: top limb has 5 bits"),
    ] {
        let mut forged = Forged::new();
        forge(&mut forged, whole, first);
        let found = forged.found();
        assert!(found.contains(&format!("adamw: {name}")), "{name}: {found:?}");
    }
}

/// SOUNDNESS 12: s ± 1, with what is left.
#[test]
fn another_root() {
    let Trace { second, root, .. } = trace();
    for s in [root - 1, root + 1] {
        let mut forged = Forged::new();
        let rest = second - s * (s + 1) / 2;
        forged.set_limbs("v'0.rest", 3, rest);
        forged.set_limbs("v'0.complement", 3, s - rest);
        assert!(is_no_limb(&forged.found()), "{:?}", forged.found());
    }
    // The same root of another moment.
    let mut forged = Forged::new();
    let rest = second - root * (root + 1) / 2;
    forged.set_limbs("v'0.rest", 3, rest - 1);
    forged.set_limbs("v'0.complement", 3, root - rest + 1);
    assert_eq!(forged.found(), ["adamw: v'0: the root's square and the rest"]);
    // And the moment with it: no mean.
    forged.set_port(UpdatePort::NewSlot(Slot::Second), field(second - 1));
    assert_eq!(forged.found(), ["adamw: v'0: the mean of moment and square"]);
}

/// Sums of squares that are another's, in a public circuit: of a row, from a row on, and of the public value.
#[test]
fn another_sum_of_squares() {
    let forge = |from: usize, to: usize| {
        let mut forged = Forged::new();
        let squares = column(&forged.plan, "squares");
        let rows = forged.plan.usable;
        forged.witness.values[squares][from..to.min(rows)].iter_mut().for_each(|sum| *sum += F::ONE);
        (forged.found(), rows)
    };
    let all = |found: Vec<String>| found.into_iter().filter(|f| !f.starts_with("adamw: squares: ")).collect::<Vec<_>>();
    let (found, rows) = forge(0, 1);
    assert!(found.iter().any(|f| f.contains("squares: the first row's")), "{found:?}");
    for row in [1, ROW, 9] {
        let (found, _) = forge(row, rows);
        assert!(found.iter().any(|f| f.contains("squares: added up")), "{found:?}");
        assert_eq!(all(found).len(), 2 - usize::from(row == ROW), "the last row's copy fails too");
    }
    let mut forged = Forged::new();
    *forged.publics.last_mut().unwrap() += F::ONE;
    assert_eq!(forged.found().len(), 1, "{:?}", forged.found());
}

/// SOUNDNESS 11: q ± 1 with r ∓ d.
#[test]
fn another_quotient() {
    let trace = trace();
    let (divisor, (decayed, whole)) = (trace.divisor(), {
        let (hyper, (element, g)) = (adamw_hyper(), element());
        (adamw::entering(&hyper, &element, g).decayed, trace.whole().0)
    });
    let remainder = trace.numerator + trace.half - (decayed - i128::from(whole)) * divisor;
    for by in [-1i128, 1] {
        let mut forged = Forged::new();
        let (moved, r) = (i128::from(whole) + by, remainder + by * divisor);
        forged.set_weight(moved);
        forged.set_limbs("w'0.remainder", 3, r);
        forged.set_limbs("w'0.complement", 3, divisor - 1 - r);
        assert!(is_no_limb(&forged.found()), "{:?}", forged.found());
    }
    // The same remainder for another quotient.
    let mut forged = Forged::new();
    forged.set_weight(i128::from(whole) + 1);
    assert_eq!(forged.found(), ["adamw: w'0: the decayed weight less the quotient"]);
}

/// Integers and elements at the ends of their ranges, with the largest gradients that are clipped and, in steps that go on without them, the
/// largest there are.
#[test]
fn ends_of_all_ranges_are_accepted() {
    let one = 1i128 << BETA_BITS;
    let (first, second) = (adamw::FIRST_MAX, adamw::SECOND_MAX);
    let mut elements = vec![];
    for first in [-first, -1, 0, 1, first] {
        for second in [0, 1, second - 1, second] {
            for (w, lo) in [(-65_536, 0), (65_535, (1 << 24) - 1), (0, 77)] {
                elements.push(Element { w, lo, first, second });
            }
        }
    }
    let mut cases = 0;
    for (beta1, beta2, up) in [(1, 0, false), (1, one - 1, true), (one - 1, 0, true), (one - 1, one - 1, false)] {
        for (eta, epsilon) in [(0, 0), (1 << 36, 7), ((1 << ETA_BITS) - 1, 1_518_500_250), ((1 << ETA_BITS) - 1, 0)] {
            for skips in [false, true] {
                let share = |beta| if skips { 0 } else { one - beta };
                let rounding = if up { one - 1 } else { 0 };
                let (share1, share2) = (share(beta1), share(beta2));
                let integers = Integers { eta, epsilon, beta1, share1, beta2, share2, rounding };
                let (gamma, omega) = if skips { (1, 0) } else { (1 << 10, 1 << 24) };
                let hyper = adamw::Hyper { gamma, omega, integers };
                let largest = if skips { 1i128 << 82 } else { (i128::from(first) << 36) >> 10 };
                let all = |g: i128| elements.iter().map(move |&e| (e, g));
                let lanes = [all(largest).chain(all(0)).collect(), all(-largest).chain(all(-1)).collect()];
                for privacy in [Privacy::Public, Privacy::Private] {
                    let case = adamw_case(privacy, K, &hyper, &lanes);
                    let Segment { plan, witness } = case.segment;
                    let found = Forged { plan, witness, publics: case.publics }.found();
                    assert_eq!(found, Vec::<String>::new(), "{hyper:?}");
                    cases += 1;
                }
            }
        }
    }
    assert_eq!(cases, 4 * 4 * 2 * 2);
}

fn arb_limbs(count: u32) -> impl Strategy<Value = i128> {
    (0..1i128 << (LIMB_BITS * count), 0..LIMB_BITS * count).prop_map(|(x, shift)| x >> shift)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever limbs a prover chooses, something enters that they are right for: and what leaves has its width, on which the next step and a
    /// genesis proof rely.
    #[test]
    fn what_leaves_is_in_range_whatever_enters(
        (left, mean) in (arb_limbs(3), (arb_limbs(2), arb_limbs(3))),
        (remainder, rest, complement) in (arb_limbs(2), arb_limbs(3), arb_limbs(3)),
        (low, high, share) in (arb_limbs(2), 0i128..1 << 17, 0i128..1 << 24),
    ) {
        let hyper = adamw_hyper().integers;
        let mut forged = Forged::new();
        let two = |bits: u64| F::from(2).pow_vartime([bits]);
        // m' and the gradient that leads to it.
        forged.set_limbs("g0.remainder", 3, left);
        forged.set_limbs("m'0.remainder", 2, mean.0);
        let first_new = mean.1 - (1 << 35);
        let dividend = (first_new << BETA_BITS) + mean.0;
        let before = hyper.beta1 * i128::from(element().0.first) + hyper.rounding;
        let scaled = two(36) * field::<F>(dividend - before) * field::<F>(hyper.share1).invert().unwrap();
        let gradient = scaled - two(35) + field::<F>(left);
        // v' of its root, and the v that leads to it.
        let root = rest + complement;
        let second_new = root * (root + 1) / 2 + rest;
        forged.set_limbs("v'0.remainder", 2, remainder);
        forged.set_limbs("v'0.rest", 3, rest);
        forged.set_limbs("v'0.complement", 3, complement);
        let square = field::<F>(hyper.share2) * scaled.square() * two(72).invert().unwrap();
        let after = field::<F>((second_new << BETA_BITS) + remainder - hyper.rounding);
        let second = (after - square) * field::<F>(hyper.beta2).invert().unwrap();
        // The weight, and the one before that leads to it.
        let half = root + hyper.epsilon;
        prop_assume!(half < 1 << 35);
        let r = (2 * half * share) >> 24;
        forged.set_weight(low + (high << 24) - (1 << 40));
        forged.set_first(first_new);
        forged.set("w'0.end", 0);
        forged.set_limbs("w'0.remainder", 3, r);
        forged.set_limbs("w'0.complement", 3, 2 * half - r);
        let moved = field::<F>(low + (high << 24) - (1 << 40));
        let quotient = field::<F>(2 * hyper.eta * first_new + half - r) * field::<F>(2 * half + 1).invert().unwrap();
        for (port, value) in [
            (UpdatePort::Gradient, gradient),
            (UpdatePort::Slot(Slot::Second), second),
            (UpdatePort::Decayed, moved + quotient),
            (UpdatePort::NewSlot(Slot::Second), field(second_new)),
        ] {
            forged.set_port(port, value);
        }
        forged.add_up();
        prop_assert_eq!(forged.found(), Vec::<String>::new());
        prop_assert!(adamw::circuit::leaving_ranges()[3].contains(Interval::new(second_new, second_new)));
        // And nothing else leaves.
        for (port, gates) in [
            (UpdatePort::NewWeights, ["adamw: w'0: the decayed weight less the quotient", "adamw: w'0: new weight"]),
            (UpdatePort::NewSlot(Slot::Low), ["adamw: w'0: the decayed weight less the quotient", "adamw: w'0: new low part"]),
            (UpdatePort::NewSlot(Slot::First), ["adamw: m'0: the mean of moment and gradient", "adamw: m'0: new moment"]),
            (UpdatePort::NewSlot(Slot::Second), ["adamw: v'0: the root's square and the rest"; 2]),
        ] {
            let mut other = Forged { plan: forged.plan.clone(), witness: forged.witness.clone(), publics: forged.publics.clone() };
            let at = port_column(&other.plan, port);
            other.witness.values[at][ROW] += F::ONE;
            prop_assert!(other.found().iter().any(|found| gates.contains(&found.as_str())), "{:?}", other.found());
        }
    }
}
