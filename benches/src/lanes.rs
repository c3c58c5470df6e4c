//! Circuits that are nothing but full columns of one kind.

use backend::curve::{DEFAULT_K, F, Params};
use backend::{Builder, Plan, Witness};
use plonkish::{BlockId, Challenge, Col, Declared, Interval, Kind, RESERVED_ROWS};
use prover::engine::{ProofInstance, prove};
use prover::key::ProverKey;
use std::sync::Arc;

/// Rows that a cell can stand on.
pub const ROWS: usize = (1 << DEFAULT_K) - RESERVED_ROWS;

/// What a column's cells are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Looked up in the range table.
    Limb,
    /// Committed, of 24 bits.
    Unchecked,
    /// As `Unchecked`, in the permutation.
    Copyable,
    /// Two columns, a pair looked up in a table.
    Pair,
    /// Of phase 2, in the permutation.
    Acc,
}

impl Lane {
    /// All of them.
    pub const ALL: [Lane; 5] = [Lane::Limb, Lane::Unchecked, Lane::Copyable, Lane::Pair, Lane::Acc];

    /// A name.
    pub fn name(self) -> &'static str {
        match self {
            Lane::Limb => "limb",
            Lane::Unchecked => "unchecked",
            Lane::Copyable => "copyable",
            Lane::Pair => "pair",
            Lane::Acc => "acc",
        }
    }
}

/// Numbers that look random enough.
pub fn number(seed: u64) -> u64 {
    let mixed = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 32
}

fn fill(b: &mut Builder, block: BlockId, column: Col, seed: usize, bits: u32) {
    for row in 0..ROWS {
        b.set(block, column, row, i128::from(number((seed * ROWS + row) as u64) & ((1 << bits) - 1)));
    }
}

/// Three limbs, an unchecked column, an accumulator and a looked-up pair, in every circuit so that none is without a
/// part of the argument, then `count` columns of one kind.
fn circuit(lane: Lane, count: usize) -> (Plan, Witness) {
    const SQUARES: u64 = 1;
    let mut builder = Builder::new(DEFAULT_K);
    let b = &mut builder;
    b.table(SQUARES, (0..64).map(|x| (x, x * x)).collect());
    let block = b.block_at("lanes", 0, ROWS);
    let first = b.column(block, Kind::Unchecked, "first");
    b.declare(block, first, Declared::outside(Interval::unsigned(24), "filled so"));
    fill(b, block, first, 0, 24);
    let limbs = 3 + if lane == Lane::Limb { count } else { 0 };
    for i in 0..limbs {
        let limb = b.column(block, Kind::Limb, "limb");
        fill(b, block, limb, i, 12);
    }
    if let Lane::Unchecked | Lane::Copyable = lane {
        let kind = if lane == Lane::Unchecked { Kind::Unchecked } else { Kind::Copyable };
        let mut before = None;
        for _ in 0..count {
            let column = b.column(block, kind, "unchecked");
            b.define(block, "the first again", column, first.cur(), 0..ROWS);
            if lane == Lane::Copyable {
                let cell = b.cell(block, column, 0);
                b.equal(before.unwrap_or(cell), cell);
                before = Some(cell);
            }
        }
    }
    for i in 0..1 + if lane == Lane::Pair { count } else { 0 } {
        let pair = b.lookup(block, SQUARES, "pair", 0..ROWS);
        for row in 0..ROWS {
            let x = i128::from(number((i * ROWS + row) as u64) & 63);
            b.set(block, pair.x, row, x);
            b.set(block, pair.y, row, x * x);
        }
    }
    let mut before = None;
    for _ in 0..1 + if lane == Lane::Acc { count } else { 0 } {
        let acc = b.column(block, Kind::Acc, "acc");
        b.define(block, "projection", acc, Challenge::Rows.power(1) * first.cur(), 0..ROWS);
        let cell = b.cell(block, acc, 0);
        b.equal(before.unwrap_or(cell), cell);
        before = Some(cell);
    }
    builder.compile_filled()
}

/// A circuit of one kind of column, ready to be proven.
pub struct Lanes<'p> {
    params: &'p Params,
    key: ProverKey,
    witness: Witness,
}

impl<'p> Lanes<'p> {
    /// Makes the circuit with `count` full columns and its key.
    pub fn new(params: &'p Params, lane: Lane, count: usize) -> Self {
        Self::of(params, circuit(lane, count))
    }

    /// A circuit of `count` full limb columns and nothing else.
    pub fn limbs(params: &'p Params, count: usize) -> Self {
        let mut builder = Builder::new(DEFAULT_K);
        let block = builder.block_at("limbs", 0, ROWS);
        for i in 0..count {
            let limb = builder.column(block, Kind::Limb, "limb");
            fill(&mut builder, block, limb, i, 12);
        }
        Self::of(params, builder.compile_filled())
    }

    fn of(params: &'p Params, (plan, witness): (Plan, Witness)) -> Self {
        let key = ProverKey::generate(params, &Arc::new(plan)).expect("the circuit has a key");
        Lanes { params, key, witness }
    }

    /// Proves one instance, both passes and the prover's check of its own proof included.
    pub fn prove(&self) -> Vec<u8> {
        let publics: Vec<F> = vec![];
        let instance = ProofInstance { witness: self.witness.clone(), publics, ports: vec![] };
        prove(self.params, &self.key, vec![instance], &mut |_| {}).expect("an honest witness is proven").bytes
    }
}
