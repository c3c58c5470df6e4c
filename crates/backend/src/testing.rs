//! Small circuits that have one of everything, for tests of proofs and of forgeries.

use crate::curve::F;
use crate::{Builder, Plan, Witness};
use ff::Field;
use plonkish::{
    Blinding, BlockId, Cell, Challenge, Col, Declared, Expr, Global, Interval, Kind, LANES, PortId, Selector, field,
};
use proptest::prelude::*;
use std::sync::Arc;

/// Log2 of the rows of the small circuits.
pub const TOY_K: u32 = 8;

const ROWS: usize = 12;
/// Columns of each port.
const COLUMNS: usize = 4;
/// Tag of the table of squares.
const SQUARES: u64 = 1;

/// A small circuit's plan, a witness with phase 1 filled, and what surrounds it.
#[derive(Clone, Debug)]
pub struct Toy {
    /// The plan; it does not depend on the values.
    pub plan: Arc<Plan>,
    /// Phase 1.
    pub witness: Witness,
    /// Public values.
    pub publics: Vec<F>,
    /// Column and row of some cells, by what they hold.
    pub cells: ToyCells,
}

/// Where the small circuit keeps the cells that forgeries change.
#[derive(Clone, Debug)]
pub struct ToyCells {
    /// A limb in use.
    pub limb: (usize, usize),
    /// First component of a looked-up pair in use.
    pub pair: (usize, usize),
    /// A wire that a copy constraint binds.
    pub wire: (usize, usize),
    /// A row that no block uses.
    pub idle_row: usize,
}

/// Port 0 (canonical, 4 columns): a tensor of bytes. Port 1 (secret wire, 4 columns): its double. The public values are
/// the sum of the tensor and of the doubles, and one that no cell reads.
///
/// Every byte is a limb, its square is looked up, and the doubling is checked again by a random projection.
pub fn toy(seed: u64) -> Toy {
    let byte = |row: usize, lane: usize| -> i128 {
        let mix = (seed + 1).wrapping_mul(6_364_136_223_846_793_005).wrapping_add((row * COLUMNS + lane) as u64);
        i128::from(mix.wrapping_mul(2_862_933_555_777_941_757) >> 58)
    };
    let mut b = Builder::new(TOY_K);
    b.table(SQUARES, (0..64).map(|x| (x, x * x)).collect());
    let tensor = b.port("tensor", COLUMNS, Blinding::Canonical);
    let double = b.port("double", COLUMNS, Blinding::Shared);
    let block = b.block_at("toy/double", 0, ROWS);
    let x = columns_of(&mut b, block, tensor, "x");
    for &column in &x {
        b.declare(block, column, Declared::outside(Interval::unsigned(8), "the test"));
    }
    let y = columns_of(&mut b, block, double, "y");
    let limb = b.column(block, Kind::Limb, "x again");
    let hint = b.column(block, Kind::Unchecked, "square of the square");
    let sum = b.column(block, Kind::Copyable, "sum so far");
    let pair = b.lookup(block, SQUARES, "square", 0..ROWS);
    let projected = b.column(block, Kind::Acc, "projection of y");
    let expected = b.column(block, Kind::Acc, "projection of 2x");
    for row in 0..ROWS {
        for lane in 0..COLUMNS {
            b.set(block, x[lane], row, byte(row, lane));
            b.set(block, y[lane], row, 2 * byte(row, lane));
        }
        b.set(block, pair.x, row, byte(row, 1));
        b.set(block, pair.y, row, byte(row, 1) * byte(row, 1));
    }
    b.define(block, "limb = x0", limb, x[0].cur(), 0..ROWS);
    b.gate(block, "pair.x = x1", pair.x.cur() - x[1].cur(), 0..ROWS);
    b.define(block, "hint = pair.y²", hint, pair.y.cur().square(), 0..ROWS);
    let lanes = || Expr::sum(x.iter().map(|c| c.cur()));
    b.define(block, "sum begins", sum, lanes(), 0..1);
    b.define(block, "sum goes on", sum, sum.at(-1) + lanes(), 1..ROWS);
    for lane in 0..COLUMNS {
        b.determine(block, "y = 2x", &y[lane].cur(), y[lane].cur() - x[lane].cur().times(2), 0..ROWS);
    }
    let weighted = |lanes: &[Col], scale: i128| {
        let (u, v) = (Challenge::Inputs.power(1), Challenge::Inputs.power(2));
        let rest = Expr::sum(lanes[1..].iter().map(|c| c.cur()));
        lanes[0].cur().times(scale) + (u + v) * rest.times(scale)
    };
    b.define(block, "projection of y", projected, weighted(&y, 1), 0..ROWS);
    b.define(block, "projection of 2x", expected, weighted(&x, 2), 0..ROWS);
    let column = |b: &Builder, c: Col| -> Vec<Cell> { (0..ROWS).map(|r| b.cell(block, c, r)).collect() };
    let (left, right) = (column(&b, projected), column(&b, expected));
    let (left, right) = (b.horner(&left, Challenge::Rows), b.horner(&right, Challenge::Rows));
    let norm = b.dot(&[(left, left)]);
    let same = b.dot(&[(left, right)]);
    b.equal(norm, same);

    // The sum, copied elsewhere and doubled.
    let tail = b.block("toy/total", 2);
    let total = b.column(tail, Kind::Copyable, "total");
    let (last, here) = (b.cell(block, sum, ROWS - 1), b.cell(tail, total, 0));
    b.copy(last, here);
    b.define(tail, "doubled", total, total.at(-1).times(2), 1..2);
    b.public(here, 7);
    let doubled = b.cell(tail, total, 1);
    b.public(doubled, 8);

    let (limb, pair) = (b.cell(block, limb, 3), b.cell(block, pair.x, 3));
    let (plan, witness) = b.compile_filled();
    let value = |cell| value_of(&plan, &witness, cell);
    let publics = vec![value(here), value(doubled), field(i128::from(seed))];
    let cells = ToyCells {
        limb: plan.locate(limb),
        pair: plan.locate(pair),
        wire: plan.locate(here),
        idle_row: plan.usable - 2,
    };
    Toy { plan: Arc::new(plan), witness, publics, cells }
}

fn value_of(plan: &Plan, witness: &Witness, cell: Cell) -> F {
    let (column, row) = plan.locate(cell);
    witness.values[column][row]
}

/// All columns of a port, however many lanes it is grouped in.
fn columns_of(b: &mut Builder, block: BlockId, port: PortId, name: &str) -> Vec<Col> {
    (0..COLUMNS / LANES).flat_map(|group| b.port_lanes(block, port, group, name)).collect()
}

/// Public values of an instance of [`toy`]; the last is bound but read by no cell.
pub const TOY_PUBLICS: usize = 3;

/// Another circuit, at the other end of the wire: port 0 (secret wire) is port 1 of [`toy`], of which it publishes the
/// sum. It blinds more rows than [`toy`].
pub fn toy_sink(seed: u64) -> Toy {
    let source = toy(seed);
    let wire = source.plan.port_columns(1);
    let mut b = Builder::new(TOY_K);
    let port = b.port("double", COLUMNS, Blinding::Shared);
    let block = b.block_at("sink", 0, ROWS);
    let y = columns_of(&mut b, block, port, "y");
    for &column in &y {
        b.declare(block, column, Declared::outside(Interval::unsigned(9), "the circuit at the other end"));
    }
    let sum = b.column(block, Kind::Copyable, "sum so far");
    let ones = b.column(block, Kind::Unchecked, "ones");
    // More rotations, hence more blinding rows, than the circuit at the other end.
    b.define(block, "one", ones, Expr::int(1), 0..ROWS);
    let before = Expr::sum([1, 2, 3, 4, 5].map(|n| ones.at(-n)));
    b.gate(block, "five ones", before - Expr::int(5), 5..ROWS);
    for row in 0..ROWS {
        for (lane, column) in wire.clone().enumerate() {
            b.set_field(block, y[lane], row, source.witness.values[column][row]);
        }
    }
    let lanes = || Expr::sum(y.iter().map(|c| c.cur()));
    b.define(block, "sum begins", sum, lanes(), 0..1);
    b.define(block, "sum goes on", sum, sum.at(-1) + lanes(), 1..ROWS);
    let last = b.cell(block, sum, ROWS - 1);
    b.public(last, 7);
    let wire = b.cell(block, sum, 0);
    let (plan, witness) = b.compile_filled();
    let publics = vec![value_of(&plan, &witness, last)];
    let wire = plan.locate(wire);
    let cells = ToyCells { limb: wire, pair: wire, wire, idle_row: plan.usable - 2 };
    Toy { plan: Arc::new(plan), witness, publics, cells }
}

fn constant() -> impl Strategy<Value = F> {
    prop_oneof![Just(-F::ONE), Just(F::ONE), Just(F::ZERO), any::<u8>().prop_map(|x| F::from(u64::from(x)))]
}

/// Selectors of values of two fixed columns.
pub fn selector() -> impl Strategy<Value = Selector> {
    (0..2usize, 1..=3usize)
        .prop_flat_map(|(column, values)| (1..=values).prop_map(move |value| Selector { column, value, values }))
}

/// Expressions over three advice columns, read two rows up and down, and two fixed columns.
pub fn expression() -> impl Strategy<Value = Expr<F, Global>> {
    let leaf = prop_oneof![
        constant().prop_map(Expr::Const),
        (0..3usize, -2..=2i32).prop_map(|(column, rotation)| Expr::Cell(Global::Advice(column), rotation)),
        (0..2usize).prop_map(|column| Expr::Cell(Global::Fixed(column), 0)),
    ];
    leaf.prop_recursive(5, 24, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a + b),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a - b),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a * b),
            inner.clone().prop_map(|a| a.clone() * a),
            (inner, constant()).prop_map(|(a, by)| Expr::Scale(Box::new(a), by)),
        ]
    })
}
