//! The weights that an update leaves are in range, whatever enters it: the reason why a genesis proof shows that a first state is.
#![cfg(feature = "proofs")]
#![allow(clippy::unwrap_used)]

mod common;

use backend::challenge::{self, Challenges};
use backend::{Plan, Witness, curve::F};
use circuits::ops::sgd::Hyper;
use common::{Segment, update_segment};
use ff::{Field, FromUniformBytes, PrimeField};
use plonkish::{LIMB_BITS, Violation, check_witness};
use proptest::prelude::*;
use std::sync::LazyLock;

const K: u32 = 8;
/// The row that is forged, of the first lane.
const ROW: usize = 100;

/// An update of zeros: every other row stays as it is.
static ZEROS: LazyLock<Segment> = LazyLock::new(|| update_segment(K, &Hyper::IDENTITY, &Default::default()));

fn plan() -> &'static Plan {
    &ZEROS.plan
}

/// Advice column of a name in the update's block.
fn column(name: &str) -> usize {
    let named = |owners: &Vec<plonkish::Owner>| owners.iter().any(|o| o.op == "sgd" && o.column == name);
    plan().owners.iter().position(named).unwrap_or_else(|| panic!("no column {name}"))
}

fn pow2(e: u32) -> F {
    F::from(2).pow_vartime([u64::from(e)])
}

/// An element from anything.
fn arb_field() -> impl Strategy<Value = F> {
    prop_oneof![
        proptest::array::uniform32(any::<u8>()).prop_map(|bytes| {
            let mut wide = [0; 64];
            wide[..32].copy_from_slice(&bytes);
            F::from_uniform_bytes(&wide)
        }),
        any::<u64>().prop_map(F::from),
        any::<u64>().prop_map(|x| -F::from(x)),
    ]
}

/// How a division ends: in range, over or under.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Within,
    Over,
    Under,
}

/// What the prover is free to choose of a division: limbs and which case it is.
#[derive(Clone, Debug)]
struct Free {
    limbs: Vec<u64>,
    end: End,
}

/// Bits of a result and of what is shifted out, with all limbs that its columns have.
#[derive(Clone, Copy)]
struct Division {
    name: &'static str,
    bits: u32,
}

const WEIGHT: Division = Division { name: "w'0", bits: 41 };
const SHIFT: u32 = 36;

impl Division {
    /// Limbs of the quotient and the remainder, and those beyond, that only a saturated value may use.
    fn limbs(self) -> (usize, usize) {
        let usual = (self.bits.div_ceil(LIMB_BITS) + SHIFT / LIMB_BITS) as usize;
        let all =
            (0..).take_while(|i| plan().owners.iter().flatten().any(|o| o.column == format!("{}.{i}", self.name)));
        (usual, all.count())
    }

    fn arb(self) -> impl Strategy<Value = Free> {
        let (usual, all) = self.limbs();
        let end = prop_oneof![Just(End::Within), Just(End::Over), Just(End::Under)];
        (proptest::collection::vec(0u64..1 << LIMB_BITS, all), end).prop_map(move |(mut limbs, end)| {
            if end == End::Within {
                limbs[usual..].fill(0);
                // The top limb is narrower; the one beyond shows it.
                let narrow = self.bits - LIMB_BITS * (self.bits.div_ceil(LIMB_BITS) - 1);
                limbs[usual - 1] &= (1 << narrow) - 1;
                limbs[usual] = limbs[usual - 1] << (LIMB_BITS - narrow);
            }
            Free { limbs, end }
        })
    }

    /// Sets limbs and case; gives the dividend that they stand for, and the limbs of the result.
    fn set(self, witness: &mut Witness, free: &Free) -> (F, Vec<u64>) {
        let put = |witness: &mut Witness, name: &str, value: F| witness.values[column(name)][ROW] = value;
        for (i, &limb) in free.limbs.iter().enumerate() {
            put(witness, &format!("{}.{i}", self.name), F::from(limb));
        }
        let flag = |end: End| F::from(u64::from(free.end == end));
        put(witness, &format!("{}.end", self.name), flag(End::Over) - flag(End::Under));
        let (usual, all) = self.limbs();
        let of_number = if free.end == End::Within { &free.limbs[..usual] } else { &free.limbs };
        let offset = pow2(self.bits - 1 + SHIFT) + pow2(SHIFT - 1);
        let beyond = flag(End::Over) * pow2(self.bits + SHIFT) - flag(End::Under) * pow2(LIMB_BITS * all as u32);
        let x = integer(of_number) + beyond - offset;
        let upper = &free.limbs[(SHIFT / LIMB_BITS) as usize..usual];
        let top = 1u64 << (self.bits - LIMB_BITS * (upper.len() as u32 - 1));
        let result = upper.iter().enumerate().map(|(i, &limb)| match free.end {
            End::Within => limb,
            End::Over if i + 1 == upper.len() => top - 1,
            End::Over => (1 << LIMB_BITS) - 1,
            End::Under => 0,
        });
        (x, result.collect())
    }
}

fn integer(limbs: &[u64]) -> F {
    (0..).zip(limbs).map(|(i, &limb)| F::from(limb) * pow2(LIMB_BITS * i)).sum()
}

/// The integer of a field element that is one of few bits.
fn signed(x: F) -> i128 {
    let small = |x: F| {
        let bytes = x.to_repr();
        bytes[15..].iter().all(|&b| b == 0).then(|| i128::from_le_bytes(bytes[..16].try_into().unwrap()))
    };
    small(x).or_else(|| small(-x).map(|x| -x)).expect("a small integer")
}

fn found(witness: &Witness) -> Vec<Violation> {
    let mut witness = witness.clone();
    assert!(witness.count_lookups(plan()).is_empty());
    let challenges: Challenges = challenge::scalars(&[5; 64]);
    witness.fill_phase2(plan(), &challenges);
    check_witness(plan(), &witness, &challenge::instance(&challenges, &[]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// 7.1: limbs and case are all that the lookups and gates allow, and the dividend what they stand for: nothing else
    /// satisfies its gate. What leaves has its width, and nothing else satisfies its gate.
    #[test]
    fn an_update_leaves_a_state_in_range_whatever_enters_it(weight in WEIGHT.arb(), other in arb_field()) {
        let mut witness = ZEROS.witness.clone();
        let (x, limbs) = WEIGHT.set(&mut witness, &weight);
        let (lo_new, w_new) = (integer(&limbs[..2]), integer(&limbs[2..]) - pow2(16));
        let ports = [x, w_new, lo_new];
        for (port, value) in ports.into_iter().enumerate() {
            let at = plan().port_columns(port).start;
            witness.values[at][ROW] = value;
        }
        prop_assert_eq!(found(&witness), vec![]);
        prop_assert!((-(1 << 16)..1 << 16).contains(&signed(w_new)));
        prop_assert!((0..1 << 24).contains(&signed(lo_new)));

        // The same limbs and case with another dividend or result.
        for (port, gate) in [
            (0, "sgd: w'0: x is the dividend"),
            (1, "sgd: w'0: new weight"),
            (2, "sgd: w'0: new low part"),
        ] {
            let at = plan().port_columns(port).start;
            if other == witness.values[at][ROW] {
                continue;
            }
            let mut forged = witness.clone();
            forged.values[at][ROW] = other;
            let found = found(&forged);
            prop_assert!(found.contains(&Violation::Gate(gate.into(), ROW)), "{found:?}");
        }
    }

    /// In range the top limb is narrow, whatever limb stands beyond it; and there is no fourth case.
    #[test]
    fn a_wide_top_limb_or_another_flag_is_refused(
        free in WEIGHT.arb(),
        wide in 1u64 << 5..1 << LIMB_BITS,
        beyond in 0u64..1 << LIMB_BITS,
        flag in arb_field(),
    ) {
        let (usual, _) = WEIGHT.limbs();
        let mut witness = ZEROS.witness.clone();
        let mut limbs = free.limbs.clone();
        (limbs[usual - 1], limbs[usual]) = (wide, beyond);
        WEIGHT.set(&mut witness, &Free { limbs, end: End::Within });
        let gate = |name: &str| Violation::Gate(format!("sgd: w'0: {name}"), ROW);
        let of_wide = found(&witness);
        prop_assert!(of_wide.contains(&gate("top limb has 5 bits, unless saturated")), "{of_wide:?}");

        if ![F::ZERO, F::ONE, -F::ONE].contains(&flag) {
            WEIGHT.set(&mut witness, &free);
            witness.values[column("w'0.end")][ROW] = flag;
            let of_flag = found(&witness);
            prop_assert!(of_flag.contains(&gate("end is -1, 0 or 1")), "{of_flag:?}");
        }
    }

    /// And limbs that are no limbs are in no table.
    #[test]
    fn a_limb_of_more_bits_is_refused(limb in 1u64 << LIMB_BITS..1 << 40, which in 0usize..8, negative: bool) {
        let mut witness = ZEROS.witness.clone();
        let limb = if negative { -F::from(limb) } else { F::from(limb) };
        witness.values[column(&format!("w'0.{which}"))][ROW] = limb;
        prop_assert_eq!(witness.count_lookups(plan()).len(), 1);
    }
}
