//! What the search does to a cell.

use super::index::{CellId, Class, small};
use super::state::{Constraint, State};
use plonkish::Field;
use std::collections::{BTreeMap, HashMap};

/// A change to try.
pub(super) struct Change<F> {
    pub name: String,
    /// Whether to look for a mend.
    pub mend: bool,
    pub values: Vec<(CellId, F)>,
}

/// The changes to try on a cell.
pub(super) fn changes<F: Field>(state: &mut State<'_, '_, F>, cell: CellId) -> Vec<Change<F>> {
    let ix = state.ix;
    let value = state.value(cell);
    let one = F::ONE;
    let mut changes = vec![];
    let mut add = |name: &str, mend: bool, values: Vec<(CellId, F)>| {
        changes.push(Change { name: name.to_owned(), mend, values });
    };
    add("+1", true, vec![(cell, value + one)]);
    add("-1", true, vec![(cell, value - one)]);
    add("+2^12", false, vec![(cell, value + F::from(1 << 12))]);
    let random = F::from_u128(u128::from(mix(cell.into())) << 64 | u128::from(mix(!u64::from(cell)))).square();
    add("random", false, vec![(cell, random)]);
    for (name, to) in [("0", F::ZERO), ("1", one), ("-1", -one)] {
        if value != to && (to != -one || ix.cases(cell).contains(&to)) {
            add(&format!("set to {name}"), true, vec![(cell, to)]);
        }
    }
    // Another entry of the table.
    let (column, row) = ix.place(cell);
    if let (Some(slot), true) = (ix.slot_of[column], ix.is_first_component(cell))
        && let Some((y, _)) = ix.slots[slot as usize].pair
    {
        let tag = ix.tag(slot, row);
        let last = F::from(ix.last[&tag]);
        for (name, to) in [("next entry", value + one), ("entry before", value - one), ("last entry", last)] {
            if let Some(&follow) = ix.follow.get(&(tag, to.to_repr()))
                && to != value
            {
                add(name, true, vec![(cell, to), (ix.id((y, row)), follow)]);
            }
        }
    }
    // With another cell of a gate, so that the gate stays satisfied.
    let is_bit = |x: F| x == F::ZERO || x == one;
    let gates = ix.gates.of(cell).iter().filter(|(gate, _)| ix.class[*gate as usize] == Class::Local);
    let implied = ix.implied(column).iter().map(|&limb| Constraint::Implied(limb, row as u32));
    let constraints: Vec<Constraint> = gates.map(|&(gate, row)| Constraint::Gate(gate, row)).chain(implied).collect();
    // What is given from outside stays: with another input, another output is right.
    if ix.input[cell as usize] {
        return changes;
    }
    for constraint in constraints {
        if ix.slot_of[column].is_none() {
            for values in absorbed(state, constraint, cell) {
                add("takes over digits", true, values);
            }
            if let Some(root) = other_root(state, constraint, cell) {
                add("the other root", true, vec![(cell, root)]);
            }
        }
        let slopes: HashMap<CellId, F> = state.slopes(constraint).into_iter().collect();
        for other in state.cells_of(constraint) {
            if other == cell || ix.input[other as usize] {
                continue;
            }
            let there = state.value(other);
            let is_plain = |c: CellId| ix.slot_of[ix.place(c).0].is_none();
            if is_bit(value) && is_bit(there) && is_plain(cell) && is_plain(other) {
                add("both bits flipped", true, vec![(cell, one - value), (other, one - there)]);
            }
            let (Some(&a), Some(&b)) = (slopes.get(&cell), slopes.get(&other)) else { continue };
            let (Some(inverse_a), Some(inverse_b)) = (Option::<F>::from(a.invert()), Option::<F>::from(b.invert()))
            else {
                continue;
            };
            let is_small = |x: F| small(x).or_else(|| small(-x)).is_some();
            let (here, step) = match (a * inverse_b, b * inverse_a) {
                (ratio, _) if is_small(ratio) => (one, -ratio),
                (_, ratio) if is_small(ratio) => (-ratio, one),
                _ => (b, -a),
            };
            add("with another cell of a gate", false, vec![(cell, value + here), (other, there + step)]);
            add("with another cell of a gate", false, vec![(cell, value - here), (other, there - step)]);
        }
    }
    let results: Vec<u32> = ix.readers.of(cell).iter().copied().filter(|&op| ix.result[op as usize]).collect();
    for op in results.into_iter().filter(|_| ix.slot_of[column].is_none()) {
        for values in absorbed(state, Constraint::Result(op), cell) {
            changes.push(Change { name: "takes over digits".into(), mend: true, values });
        }
        if let Some(root) = other_root(state, Constraint::Result(op), cell) {
            changes.push(Change { name: "the other root".into(), mend: true, values: vec![(cell, root)] });
        }
    }
    changes
}

/// Of a constraint that is quadratic in a cell, the other value that satisfies it.
fn other_root<F: Field>(state: &mut State<'_, '_, F>, constraint: Constraint, cell: CellId) -> Option<F> {
    let value = state.value(cell);
    let mut at = |offset: F| state.supposing(&[(cell, value + offset)], |state| state.residue(constraint));
    let (up, down, here, further) = (at(F::ONE), at(-F::ONE), at(F::ZERO), at(F::from(2)));
    // here + linear·offset + square·offset².
    let (linear, square) = ((up - down) * F::TWO_INV, (up + down) * F::TWO_INV - here);
    let is_quadratic = further == here + linear.double() + square.double().double();
    let inverse: Option<F> = square.invert().into();
    let offset = -linear * inverse.filter(|_| is_quadratic && here == F::ZERO)?;
    (offset != F::ZERO).then_some(value + offset)
}

/// For each integer in a constraint, and each of its digits: all digits from there on set to zero, and the constraint
/// solved for a cell that has no table.
fn absorbed<F: Field>(state: &mut State<'_, '_, F>, constraint: Constraint, cell: CellId) -> Vec<Vec<(CellId, F)>> {
    let mut families: BTreeMap<u32, Vec<CellId>> = BTreeMap::new();
    for digit in state.cells_of(constraint) {
        if state.ix.cap(digit).is_some() && state.value(digit) != F::ZERO {
            families.entry(state.ix.family(digit).0).or_default().push(digit);
        }
    }
    let mut changes = vec![];
    for digits in families.into_values() {
        let mut values: Vec<(CellId, F)> = vec![];
        for digit in digits.into_iter().rev() {
            values.push((digit, F::ZERO));
            let solved = state.supposing(&values, |state| {
                let (_, coefficient) = state.slopes(constraint).into_iter().find(|s| s.0 == cell)?;
                let inverse: Option<F> = coefficient.invert().into();
                Some(state.value(cell) - state.residue(constraint) * inverse?)
            });
            if let Some(solved) = solved.filter(|&to| to != state.value(cell)) {
                changes.push(values.iter().copied().chain([(cell, solved)]).collect());
            }
        }
    }
    changes
}

/// SplitMix64's output function.
pub(super) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
