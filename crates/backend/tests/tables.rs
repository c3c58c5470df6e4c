//! A function's table does not widen the range of limbs.

use backend::Builder;
use plonkish::Kind;

#[test]
fn a_table_without_lanes_of_pairs_is_left_out() {
    let mut b = Builder::new(10);
    b.table(1, vec![(5000, 7)]);
    let block = b.block("limbs", 2);
    let limb = b.column(block, Kind::Limb, "limb");
    b.gate(block, "limb is read", limb.cur() - limb.cur(), 0..2);
    b.set(block, limb, 0, 4095);
    b.set(block, limb, 1, 5000);
    let (plan, mut witness) = b.compile_filled();
    let outside = witness.count_lookups(&plan);
    assert_eq!(outside.len(), 1, "{outside:?}");
}
