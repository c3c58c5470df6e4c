//! Packing blocks into the grid: first fit, minimising new columns; at first by decreasing height, then in whatever order is
//! found to be better.
//!
//! A block that is wide and low leaves most of its columns empty. So a row of a block may take several rows of the grid, its
//! *stride*: columns of one pool then share a column of the grid, each on its own rows of every stride. How many is
//! searched for, for all blocks of one shape at a time; the order, by moving the largest blocks.

use super::block::{Block, Builder};
use super::cells::{Col, Kind};
use super::plan::Place;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Most rows of the grid that a row of a block takes.
pub(super) const MAX_STRIDE: usize = 4;

/// The largest blocks, whose order is searched for: more of them take longer, and save next to nothing.
const MOVED: usize = 8;

/// What an opening at one more rotation costs, in the units of [`Pool::weight`]: 32 bytes, and little time.
const ROTATION: usize = 3;

/// Most rotations at which a column is read, so that RESERVED_ROWS cover what hides it.
const MAX_ROTATIONS: usize = 12;

/// Pools of interchangeable columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pool {
    Limb,
    Unchecked,
    Copyable,
    Lookup,
    Acc,
    Fixed,
}

impl Pool {
    const ALL: [Pool; 6] = [Pool::Limb, Pool::Unchecked, Pool::Copyable, Pool::Lookup, Pool::Acc, Pool::Fixed];

    /// What a new column costs to commit to, transform and open, its part of the lookup argument and of the permutation
    /// included: estimated from what these cost the native engine, in units of a twentieth of a copied column of small cells.
    fn weight(self) -> usize {
        match self {
            Pool::Limb => 16,
            Pool::Unchecked => 8,
            Pool::Copyable => 20,
            Pool::Lookup => 48,
            Pool::Acc => 40,
            Pool::Fixed => 4,
        }
    }

    /// The pool of a kind; ports have their own columns, and the second component of a pair follows the first.
    fn of(kind: Kind) -> Option<Pool> {
        match kind {
            Kind::Limb => Some(Pool::Limb),
            Kind::Unchecked => Some(Pool::Unchecked),
            Kind::Copyable => Some(Pool::Copyable),
            Kind::LookupX(_) => Some(Pool::Lookup),
            Kind::Acc => Some(Pool::Acc),
            Kind::Fixed => Some(Pool::Fixed),
            Kind::LookupY(_) | Kind::Port(..) => None,
        }
    }
}

/// A column of a pool.
#[derive(Clone, Debug)]
struct Slot {
    /// Which rows are in use: a pattern of its pool.
    pattern: usize,
    /// Rotations at which it is read.
    rotations: BTreeSet<i32>,
}

impl Slot {
    /// Rotations that it would have on top of its own.
    fn more(&self, rotations: &BTreeSet<i32>) -> usize {
        rotations.difference(&self.rotations).count()
    }
}

/// Rows in use, the same in some columns of a pool.
#[derive(Clone, Debug)]
struct Pattern {
    /// Intervals of rows, ascending.
    used: Vec<(usize, usize)>,
    /// Number of the columns.
    columns: usize,
}

impl Pattern {
    fn is_free(&self, start: usize, end: usize) -> bool {
        self.used.iter().all(|&(s, e)| end <= s || e <= start)
    }
}

/// The columns of a pool. Of many columns few patterns are used, so that rows are looked for in those.
#[derive(Clone, Debug)]
struct Columns {
    slots: Vec<Slot>,
    patterns: Vec<Pattern>,
}

impl Columns {
    fn new() -> Self {
        Columns { slots: vec![], patterns: vec![Pattern { used: vec![], columns: 0 }] }
    }

    /// How many columns are free from `start` to `end`.
    fn free(&self, start: usize, end: usize) -> usize {
        self.patterns.iter().filter(|pattern| pattern.is_free(start, end)).map(|pattern| pattern.columns).sum()
    }

    /// A column that is free from `start` to `end` and, with these rotations, read at no more than there may be: the one that
    /// has most of them; a new one if there is none.
    fn take(&mut self, (start, end): (usize, usize), rotations: &BTreeSet<i32>) -> usize {
        let is_free: Vec<bool> = self.patterns.iter().map(|pattern| pattern.is_free(start, end)).collect();
        let mut fewest: Option<(usize, usize)> = None;
        for (i, slot) in self.slots.iter().enumerate().filter(|(_, slot)| is_free[slot.pattern]) {
            let more = slot.more(rotations);
            if slot.rotations.len() + more <= MAX_ROTATIONS && fewest.is_none_or(|(fewest, _)| more < fewest) {
                fewest = Some((more, i));
            }
            if more == 0 {
                break;
            }
        }
        let slot = fewest.map(|(_, slot)| slot).unwrap_or_else(|| {
            self.slots.push(Slot { pattern: 0, rotations: BTreeSet::new() });
            self.patterns[0].columns += 1;
            self.slots.len() - 1
        });
        let before = self.slots[slot].pattern;
        let mut used = self.patterns[before].used.clone();
        used.insert(used.partition_point(|&(other, _)| other < start), (start, end));
        let after = self.patterns.iter().position(|pattern| pattern.used == used).unwrap_or_else(|| {
            self.patterns.push(Pattern { used, columns: 0 });
            self.patterns.len() - 1
        });
        self.patterns[before].columns -= 1;
        self.patterns[after].columns += 1;
        self.slots[slot].pattern = after;
        self.slots[slot].rotations.extend(rotations);
        slot
    }
}

/// The columns of each pool.
type Usage = BTreeMap<Pool, Columns>;

#[derive(Debug)]
pub(super) struct Packing {
    pub places: Vec<Place>,
    pub sizes: BTreeMap<Pool, usize>,
    cost: usize,
}

/// What of a block matters here.
struct Shape<'a> {
    op: &'a str,
    rows: usize,
    fixed_row: Option<usize>,
    kinds: Vec<Kind>,
    /// For each column the rotations at which gates read it.
    rotations: Vec<BTreeSet<i32>>,
    need: BTreeMap<Pool, usize>,
}

impl<'a> Shape<'a> {
    fn of<F: super::Field>(block: &'a Block<F>, is_copied: impl Fn(usize) -> bool) -> Self {
        let mut rotations = vec![BTreeSet::from([0]); block.columns.len()];
        for gate in &block.gates {
            gate.poly.cells(&mut |column, rotation| {
                if let Col::Local(column) = column {
                    rotations[column].insert(rotation);
                }
            });
        }
        let kind = |(i, kind): (usize, Kind)| match kind {
            // What is never copied takes no part in the permutation.
            Kind::Copyable if !is_copied(i) => Kind::Unchecked,
            kind => kind,
        };
        let kinds: Vec<Kind> = block.columns.iter().map(|c| c.kind).enumerate().map(kind).collect();
        // Both columns of a pair stand on the same rows; the second follows the first.
        for lookup in &block.lookups {
            let of_second = std::mem::take(&mut rotations[lookup.x + 1]);
            rotations[lookup.x].extend(of_second);
        }
        let mut need = BTreeMap::new();
        for pool in kinds.iter().filter_map(|&kind| Pool::of(kind)) {
            *need.entry(pool).or_insert(0) += 1;
        }
        Shape { op: &block.op, rows: block.rows, fixed_row: block.fixed_row, kinds, rotations, need }
    }

    /// Columns of the grid that it takes of a pool.
    fn width(&self, pool: Pool, stride: usize) -> usize {
        let need = self.need.get(&pool).copied().unwrap_or(0);
        // Constants are read on the first row of a stride.
        if pool == Pool::Fixed { need } else { need.div_ceil(stride) }
    }
}

/// Packs all blocks into `usable` rows. Panics if a block is taller: ops split their tensors.
pub(super) fn pack<F: super::Field, V>(builder: &Builder<F, V>, usable: usize) -> Packing {
    let copied = builder.copies.iter().flat_map(|&(a, b)| [a, b]).chain(builder.publics.iter().map(|&(cell, _)| cell));
    let copied: HashSet<(usize, usize)> = copied.map(|cell| (cell.block, cell.column)).collect();
    let of = |(b, block)| Shape::of(block, |column| copied.contains(&(b, column)));
    let shapes: Vec<Shape<'_>> = builder.blocks.iter().enumerate().map(of).collect();
    let is_over_port = |shape: &Shape<'_>| shape.kinds.iter().any(|kind| matches!(kind, Kind::Port(..)));
    assert!(
        shapes.iter().all(|shape| shape.fixed_row.is_some() || !is_over_port(shape)),
        "blocks over ports have a row"
    );
    // They stand as the ports do.
    let mut alike: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (i, shape) in shapes.iter().enumerate().filter(|(_, shape)| shape.fixed_row.is_none()) {
        alike.entry((shape.op, shape.rows, &shape.need)).or_default().push(i);
    }
    let mut alike: Vec<Vec<usize>> = alike.into_values().collect();
    let area = |block: usize| shapes[block].rows * shapes[block].kinds.len();
    alike.sort_by_key(|alike| (Reverse(alike.len() * area(alike[0])), alike[0]));
    let (mut over_ports, mut free): (Vec<usize>, Vec<usize>) =
        (0..shapes.len()).partition(|&i| shapes[i].fixed_row.is_some());
    let by_height = |blocks: &mut [usize], strides: &[usize]| {
        blocks.sort_by_key(|&i| (Reverse(shapes[i].rows * strides[i]), i));
    };
    let mut strides = vec![1; shapes.len()];
    by_height(&mut over_ports, &strides);
    let with =
        |strides: &[usize], free: &[usize]| with_strides(&shapes, strides, over_ports.iter().chain(free), usable);
    by_height(&mut free, &strides);
    let mut large = free.clone();
    large.sort_by_key(|&i| (Reverse(area(i)), i));
    large.truncate(MOVED);
    let mut best = with(&strides, &free).expect("without strides there is a packing");
    loop {
        let before = best.cost;
        for blocks in &alike {
            for stride in 1..=MAX_STRIDE {
                if shapes[blocks[0]].rows * stride > usable || strides[blocks[0]] == stride {
                    continue;
                }
                let mut other = strides.clone();
                blocks.iter().for_each(|&block| other[block] = stride);
                let mut sorted = free.clone();
                by_height(&mut sorted, &other);
                for order in [sorted, free.clone()] {
                    match with(&other, &order) {
                        Some(found) if found.cost < best.cost => {
                            (best, free, strides) = (found, order, other.clone());
                        }
                        _ => {}
                    }
                }
            }
        }
        for (&block, &other) in large.iter().flat_map(|block| large.iter().map(move |other| (block, other))) {
            let at = |block: usize| free.iter().position(|&other| other == block).expect("a large block is a free one");
            let (from, to) = (at(block), at(other));
            let mut moved = free.clone();
            let block = moved.remove(from);
            moved.insert(to, block);
            match with(&strides, &moved) {
                Some(found) if found.cost < best.cost => (best, free) = (found, moved),
                _ => {}
            }
        }
        if best.cost == before {
            return best;
        }
    }
}

/// None if a column would be read at too many rotations.
fn with_strides<'a>(
    shapes: &[Shape<'_>],
    strides: &[usize],
    order: impl Iterator<Item = &'a usize>,
    usable: usize,
) -> Option<Packing> {
    let mut usage: Usage = Pool::ALL.iter().map(|&p| (p, Columns::new())).collect();
    let mut places: Vec<Option<Place>> = vec![None; shapes.len()];
    for &i in order {
        let (shape, stride) = (&shapes[i], strides[i]);
        assert!(shape.rows * stride <= usable, "block {} of {} rows exceeds {usable}", shape.op, shape.rows);
        let row = shape.fixed_row.unwrap_or_else(|| best_row(shape, stride, &usage, usable));
        places[i] = Some(place(shape, (row, stride), &mut usage)?);
    }
    let cost = |(pool, Columns { slots, .. }): (&Pool, &Columns)| {
        slots.len() * pool.weight() + ROTATION * slots.iter().map(|slot| slot.rotations.len()).sum::<usize>()
    };
    Some(Packing {
        cost: usage.iter().map(cost).sum(),
        places: places.into_iter().map(|p| p.expect("every block was placed")).collect(),
        sizes: usage.into_iter().map(|(pool, columns)| (pool, columns.slots.len())).collect(),
    })
}

fn best_row(shape: &Shape<'_>, stride: usize, usage: &Usage, usable: usize) -> usize {
    let height = shape.rows * stride;
    let patterns = usage.values().flat_map(|columns| &columns.patterns).filter(|pattern| pattern.columns > 0);
    let ends = patterns.flat_map(|pattern| &pattern.used).map(|&(_, end)| end);
    let candidates: BTreeSet<usize> = ends.filter(|end| end + height <= usable).chain([0]).collect();
    let cost = |row: usize| -> usize {
        let of_pool = |&pool: &Pool| {
            let free = usage[&pool].free(row, row + height);
            shape.width(pool, stride).saturating_sub(free) * pool.weight()
        };
        shape.need.keys().map(of_pool).sum()
    };
    candidates.into_iter().min_by_key(|&row| (cost(row), row)).expect("row 0 is a candidate")
}

fn place(shape: &Shape<'_>, (row, stride): (usize, usize), usage: &mut Usage) -> Option<Place> {
    let (start, end) = (row, row + shape.rows * stride);
    let (mut slots, mut offsets) = (vec![0; shape.kinds.len()], vec![0; shape.kinds.len()]);
    let mut pairs = BTreeMap::new();
    for &pool in shape.need.keys() {
        let of_pool: Vec<usize> = (0..shape.kinds.len()).filter(|&i| Pool::of(shape.kinds[i]) == Some(pool)).collect();
        let together = if pool == Pool::Fixed { 1 } else { stride };
        for columns in of_pool.chunks(together) {
            let mut rotations = BTreeSet::new();
            for (offset, &column) in columns.iter().enumerate() {
                offsets[column] = offset;
                rotations.extend(shape.rotations[column].iter().map(|r| r * stride as i32 + offset as i32));
            }
            if stride > 1 && rotations.len() > MAX_ROTATIONS {
                return None;
            }
            let slot = usage.get_mut(&pool).expect("all pools exist").take((start, end), &rotations);
            for &column in columns {
                slots[column] = slot;
                if let Kind::LookupX(pair) = shape.kinds[column] {
                    pairs.insert(pair, (slot, offsets[column]));
                }
            }
        }
    }
    for (column, kind) in shape.kinds.iter().enumerate() {
        match kind {
            Kind::Port(_, place) => slots[column] = *place,
            Kind::LookupY(pair) => (slots[column], offsets[column]) = pairs[pair],
            _ => {}
        }
    }
    let copied = shape.kinds.iter().map(|&kind| kind == Kind::Copyable).collect();
    Some(Place { row, rows: shape.rows, stride, slots, copied, offsets })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Blinding, Cell, PortId};
    use pasta_curves::Fp;
    use proptest::prelude::*;

    const USABLE: usize = 200;

    fn kinds() -> impl Strategy<Value = Vec<(Kind, i32)>> {
        let kind = prop_oneof![Just(Kind::Limb), Just(Kind::Unchecked), Just(Kind::Copyable), Just(Kind::Acc)];
        prop::collection::vec((kind, -3..=3i32), 1..12)
    }

    proptest! {
        /// However blocks are packed, each cell has a place of its own in its pool, gates read what they name, and no column
        /// is read at more rotations than blinding hides.
        #[test]
        fn every_cell_has_a_place_of_its_own(
            blocks in prop::collection::vec((8..60usize, kinds(), prop::bool::ANY), 1..7),
        ) {
            let mut b = Builder::<Fp>::new(8);
            let port: PortId = b.port("port", 1, Blinding::Canonical);
            for (number, (rows, kinds, over_port)) in blocks.iter().enumerate() {
                let block = match over_port {
                    true => b.block_at("over", 20 * number, *rows.min(&20)),
                    false => b.block("free", *rows),
                };
                for (i, &(kind, rotation)) in kinds.iter().enumerate() {
                    let column = b.column(block, kind, &format!("c{i}"));
                    b.gate(block, &format!("g{i}"), column.at(rotation), 3..5);
                    if kind == Kind::Copyable && i % 2 == 0 {
                        let (first, last) = (b.cell(block, column, 0), b.cell(block, column, 1));
                        b.equal(first, last);
                    }
                }
                if *over_port {
                    b.column(block, Kind::Port(port, 0), "port");
                }
            }
            let Packing { places, sizes, .. } = pack(&b, USABLE);
            let (mut taken, mut rotations) = (BTreeMap::new(), BTreeMap::<(Pool, usize), BTreeSet<i32>>::new());
            for (block, place) in b.blocks.iter().zip(&places) {
                prop_assert!(block.fixed_row.is_none_or(|row| place.row == row && place.stride == 1));
                for (i, column) in block.columns.iter().enumerate() {
                    let Some(pool) = Pool::of(column.kind) else { continue };
                    let pool = if column.kind == Kind::Copyable { place.pool(i) } else { pool };
                    prop_assert!(place.slots[i] < sizes[&pool]);
                    for row in 0..block.rows {
                        prop_assert!(place.at(i, row) < USABLE);
                        prop_assert!(taken.insert((pool, place.slots[i], place.at(i, row)), i).is_none(), "twice");
                    }
                    let read = rotations.entry((pool, place.slots[i])).or_insert_with(|| BTreeSet::from([0]));
                    for gate in &block.gates {
                        gate.poly.cells(&mut |c, rotation| if c == Col::Local(i) {
                            // From the row that stands for row 3 of the block.
                            let rotation_in_grid = place.rotation_from_base((i, rotation));
                            let row = (3 + i64::from(rotation)) as usize;
                            assert_eq!(place.base(3) as i64 + i64::from(rotation_in_grid), place.at(i, row) as i64);
                            read.insert(rotation_in_grid);
                        });
                    }
                }
            }
            prop_assert!(rotations.values().all(|read| read.len() <= MAX_ROTATIONS));
        }
    }

    /// A block that is wide and low is spread over more rows.
    #[test]
    fn low_and_wide_blocks_are_spread() {
        let mut b = Builder::<Fp>::new(8);
        let block = b.block("low", USABLE / 4);
        for i in 0..8 {
            b.column(block, Kind::Limb, &format!("c{i}"));
        }
        let Packing { places, sizes, .. } = pack(&b, USABLE);
        assert_eq!((places[0].stride, sizes[&Pool::Limb]), (4, 2));
        let plan = b.compile_filled().0;
        let [first, second] = [0, 1].map(|column| plan.locate(Cell { block, column, row: 3 }));
        assert_eq!((first.0, first.1 + 1), second);
    }
}
