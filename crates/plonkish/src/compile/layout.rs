//! The columns of a plan: which there are, and where each kind begins.

use super::super::block::{Block, Builder, LocalColumn};
use super::super::cells::{Challenge, Col, Kind, Uniform};
use super::super::pack::Pool;
use super::super::plan::{Column, Global, Place};
use super::super::{Field, LIMB_BITS};
use std::collections::{BTreeMap, BTreeSet};

/// Advice columns, in order: ports, the pools of phase 1, multiplicities; accumulators.
pub(super) struct Layout {
    /// Advice columns; the lookup argument adds its own at the end.
    pub advice: Vec<Column>,
    /// First column of each port.
    port_first: Vec<usize>,
    /// First column of each pool.
    pool_first: BTreeMap<Pool, usize>,
    /// Columns of each pool (of lookups: pairs of columns).
    sizes: BTreeMap<Pool, usize>,
    /// What the tables hold: tag, x, y. Table 0 is of limbs.
    pub entries: Vec<(u64, i128, i128)>,
    /// For each table, the column that says how often its entries are looked up.
    pub multiplicity: Vec<usize>,
    /// Number of phase-1 columns.
    pub phase1: usize,
    /// Values that are the same on every row and that are read.
    pub uniform: Vec<Uniform>,
}

impl Layout {
    /// The columns of `builder`'s circuit, whose blocks fill `sizes` columns of each pool.
    pub fn new<F: Field, V>(builder: &Builder<F, V>, sizes: BTreeMap<Pool, usize>, usable: usize) -> Self {
        let mut layout = Layout {
            advice: vec![],
            port_first: vec![],
            pool_first: BTreeMap::new(),
            sizes,
            entries: vec![],
            multiplicity: vec![],
            phase1: 0,
            uniform: vec![],
        };
        for port in &builder.ports {
            layout.port_first.push(layout.advice.len());
            for i in 0..port.columns {
                layout.add(format!("port {} {i}", port.name));
            }
        }
        layout.pool(Pool::Limb, &["limb"]);
        layout.pool(Pool::Unchecked, &["unchecked"]);
        layout.pool(Pool::Copyable, &["copyable"]);
        layout.pool(Pool::Lookup, &["lookup x", "lookup y"]);
        // Without pairs the tuple's weights are absent, so that a pair's first component would pass for a limb.
        let functions = builder.tables.iter().filter(|_| layout.pairs() > 0);
        layout.entries = (0..1i128 << LIMB_BITS)
            .map(|x| (0, x, 0))
            .chain(functions.flat_map(|(&tag, table)| table.rows.iter().map(move |&(x, y)| (tag, x, y))))
            .collect();
        let tables = layout.entries.len().div_ceil(usable);
        layout.multiplicity = (0..tables).map(|i| layout.add(format!("multiplicity {i}"))).collect();
        layout.phase1 = layout.advice.len();
        layout.uniform = uniform(&builder.blocks, layout.pairs() > 0);
        layout.pool(Pool::Acc, &["acc"]);
        layout
    }

    fn pool(&mut self, pool: Pool, names: &[&str]) {
        self.pool_first.insert(pool, self.advice.len());
        for i in 0..self.sizes[&pool] {
            for name in names {
                self.add(format!("{name} {i}"));
            }
        }
    }

    /// Adds an advice column.
    pub fn add(&mut self, name: String) -> usize {
        self.advice.push(Column { name, equality: false });
        self.advice.len() - 1
    }

    /// Columns of limbs.
    pub fn limbs(&self) -> std::ops::Range<usize> {
        let first = self.pool_first[&Pool::Limb];
        first..first + self.sizes[&Pool::Limb]
    }

    /// Pairs of columns that are looked up together.
    pub fn pairs(&self) -> usize {
        self.sizes[&Pool::Lookup]
    }

    /// The first column of a pair.
    pub fn pair(&self, i: usize) -> usize {
        self.pool_first[&Pool::Lookup] + 2 * i
    }

    /// Which pair a column is the first of.
    pub fn pair_of(&self, x: usize) -> usize {
        (x - self.pool_first[&Pool::Lookup]) / 2
    }

    /// The columns that a block's own columns became.
    pub fn columns<F>(&self, block: &Block<F>, place: &Place) -> Vec<Global> {
        let column = |(i, (local, slot)): (usize, (&LocalColumn<F>, &usize))| match local.kind {
            Kind::Limb => Global::Advice(self.pool_first[&Pool::Limb] + slot),
            Kind::Unchecked | Kind::Copyable => Global::Advice(self.pool_first[&place.pool(i)] + slot),
            Kind::LookupX(_) => Global::Advice(self.pair(*slot)),
            Kind::LookupY(_) => Global::Advice(self.pair(*slot) + 1),
            Kind::Acc => Global::Advice(self.pool_first[&Pool::Acc] + slot),
            // The blocks' fixed columns are the first ones.
            Kind::Fixed => Global::Fixed(*slot),
            Kind::Port(port, slot) => Global::Advice(self.port_first[port] + slot),
        };
        block.columns.iter().zip(&place.slots).enumerate().map(column).collect()
    }
}

/// Values that are the same on every row and that are read: the pole always, the tuple's weights where there are pairs, the
/// rest where a gate names them.
fn uniform<F: Field>(blocks: &[Block<F>], pairs: bool) -> Vec<Uniform> {
    let mut used = BTreeSet::from([Uniform::Power(Challenge::Alpha, 1)]);
    if pairs {
        used.extend([Challenge::TupleY, Challenge::TupleTag].map(|weight| Uniform::Power(weight, 1)));
    }
    for gate in blocks.iter().flat_map(|block| &block.gates) {
        gate.poly.cells(&mut |column, _| {
            if let Col::Uniform(value) = column {
                used.insert(value);
            }
        });
    }
    used.into_iter().collect()
}
