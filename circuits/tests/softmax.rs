//! A softmax around anything but its largest live score is refused.
#![cfg(feature = "proofs")]
#![allow(clippy::unwrap_used)]

use backend::{Builder, curve::F};
use circuits::{
    arithmetic::gadgets::Slab,
    arithmetic::tensor::Wide,
    ops::{
        softmax::{
            self, Softmax,
            circuit::{ExpTags, place},
        },
        tables::{ExpTable, HEAD_SCALE},
    },
};
use plonkish::{Challenge, Kind, Violation, check_witness, field};
use std::collections::BTreeMap;

#[test]
fn the_maximum_is_the_largest_score() {
    // Placed honestly while the second score equals the first; then the second is raised by less than half a step of the
    // table, so that its distance to the claimed maximum is negative.
    let scores = Wide::new(1, 4, vec![-1500, -1500, -3_000_000, -5_000_000]).unwrap();
    let table = ExpTable::new(1, 256, HEAD_SCALE);
    let trace = softmax::full(&scores, &table);
    for (raised, expected) in [(-1500, None), (0, Some("distance = (t + far)·2^12 + rest"))] {
        let mut b = Builder::<(Wide, Softmax)>::for_values(12);
        let slab = Slab::new(&mut b, "softmax", 1, 4);
        let lanes = slab.lane_columns(&mut b, Kind::Unchecked, "score");
        slab.fill(&mut b, &lanes, |v, i, j| v.0.at(i, j));
        let (block, row, lane) = slab.position(0, 1);
        let second = b.cell(block, lanes[0][lane], row);
        let tags = ExpTags { lo: 1, hi: 2 };
        place(&mut b, &slab, (&slab.placed(&lanes), |v| &v.0), |_, _| true, (|v| &v.1, &table, tags), 1 << 40);
        let circuit = b.compile();
        let (plan, mut witness) = (&circuit.plan, circuit.fill(&(scores.clone(), trace.clone())).unwrap());
        let (column, row) = plan.locate(second);
        witness.values[column][row] = field(raised);

        let challenges: BTreeMap<Challenge, F> =
            Challenge::ALL.iter().zip(3u64..).map(|(&c, i)| (c, F::from(0x1234_5678_9abc_def1 * i))).collect();
        assert_eq!(witness.count_lookups(plan), []);
        witness.fill_phase2(plan, &challenges);
        let instance: Vec<F> = challenges.values().copied().collect();
        let names: Vec<String> = check_witness(plan, &witness, &instance).iter().map(Violation::to_string).collect();
        match expected {
            None => assert_eq!(names, Vec::<String>::new()),
            Some(expected) => assert!(!names.is_empty() && names.iter().all(|n| n.contains(expected)), "{names:?}"),
        }
    }
}
