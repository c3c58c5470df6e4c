//! Packing blocks into the grid: first fit by decreasing height, minimising new columns.

use super::block::Block;
use super::cells::Kind;
use super::plan::Place;
use std::collections::BTreeMap;

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

    /// What a new column costs, in units of a full-width committed column.
    fn weight(self) -> usize {
        match self {
            Pool::Limb => 6,
            Pool::Unchecked => 4,
            Pool::Copyable => 5,
            Pool::Lookup => 14,
            Pool::Acc => 10,
            Pool::Fixed => 1,
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

/// The columns of one pool, each with the row intervals in use.
type Usage = BTreeMap<Pool, Vec<Vec<(usize, usize)>>>;

#[derive(Debug)]
pub(super) struct Packing {
    pub places: Vec<Place>,
    pub sizes: BTreeMap<Pool, usize>,
}

/// Packs all blocks into `usable` rows. Panics if a block is taller: ops split their tensors.
pub(super) fn pack<F>(blocks: &[Block<F>], usable: usize) -> Packing {
    let mut usage: Usage = Pool::ALL.iter().map(|&p| (p, vec![])).collect();
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    order.sort_by_key(|&i| (blocks[i].fixed_row.is_none(), std::cmp::Reverse(blocks[i].rows), i));
    let mut places: Vec<Option<Place>> = vec![None; blocks.len()];
    for i in order {
        let block = &blocks[i];
        assert!(block.rows <= usable, "block {} of {} rows exceeds {usable}", block.op, block.rows);
        let row = block.fixed_row.unwrap_or_else(|| best_row(block, &usage, usable));
        places[i] = Some(place(block, row, &mut usage));
    }
    Packing {
        places: places.into_iter().map(|p| p.expect("every block was placed")).collect(),
        sizes: usage.into_iter().map(|(pool, columns)| (pool, columns.len())).collect(),
    }
}

fn is_free(column: &[(usize, usize)], start: usize, end: usize) -> bool {
    column.iter().all(|&(s, e)| end <= s || e <= start)
}

fn need<F>(block: &Block<F>) -> BTreeMap<Pool, usize> {
    let mut need = BTreeMap::new();
    for pool in block.columns.iter().filter_map(|c| Pool::of(c.kind)) {
        *need.entry(pool).or_insert(0) += 1;
    }
    need
}

fn best_row<F>(block: &Block<F>, usage: &Usage, usable: usize) -> usize {
    let need = need(block);
    let mut candidates: Vec<usize> =
        usage.values().flatten().flatten().map(|&(_, end)| end).filter(|end| end + block.rows <= usable).collect();
    candidates.push(0);
    candidates.sort_unstable();
    candidates.dedup();
    let cost = |row: usize| -> usize {
        need.iter()
            .map(|(pool, &n)| {
                let free = usage[pool].iter().filter(|c| is_free(c, row, row + block.rows)).count();
                n.saturating_sub(free) * pool.weight()
            })
            .sum()
    };
    candidates.into_iter().min_by_key(|&row| (cost(row), row)).expect("row 0 is a candidate")
}

fn place<F>(block: &Block<F>, row: usize, usage: &mut Usage) -> Place {
    let (start, end) = (row, row + block.rows);
    let mut slots = vec![0; block.columns.len()];
    let mut pairs = BTreeMap::new();
    for (i, column) in block.columns.iter().enumerate() {
        slots[i] = match (column.kind, Pool::of(column.kind)) {
            (Kind::Port(_, place), _) => place,
            (Kind::LookupY(pair), _) => pairs[&pair],
            (kind, Some(pool)) => {
                let columns = usage.get_mut(&pool).expect("all pools exist");
                let slot = columns.iter().position(|c| is_free(c, start, end)).unwrap_or_else(|| {
                    columns.push(vec![]);
                    columns.len() - 1
                });
                columns[slot].push((start, end));
                if let Kind::LookupX(pair) = kind {
                    pairs.insert(pair, slot);
                }
                slot
            }
            (_, None) => unreachable!("ports and second components are handled above"),
        };
    }
    Place { row, rows: block.rows, slots }
}
