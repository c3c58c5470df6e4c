//! The optimizer over one lane group of ports: the same circuit for every chunk of every model.

use super::{PUBLIC_ROWS, Segment};
use crate::{
    fixed::{Class, LOW_BITS},
    ops::linear::circuit::GRADIENT_OF_PREDICTION,
    ops::sgd::{
        Element, Hyper,
        circuit::{self as sgd, HyperColumns, Lane},
    },
    plan::{BlockId, Builder, Col, Declared, Interval, Kind, LANES, PortId, RESERVED_ROWS},
};

/// Ports of the update segment, in order: what enters, then what leaves.
pub const WEIGHTS: PortId = 0;
/// Low parts of the weights.
pub const LOW: PortId = 1;
/// Momentum.
pub const MOMENTUM: PortId = 2;
/// Gradient: the sum over all contributions.
pub const GRADIENT: PortId = 3;
/// New weights.
pub const NEW_WEIGHTS: PortId = 4;
/// New low parts.
pub const NEW_LOW: PortId = 5;
/// New momentum.
pub const NEW_MOMENTUM: PortId = 6;

/// Instance rows of λ, μ and ω.
pub const HYPER_ROWS: [usize; 3] = [PUBLIC_ROWS, PUBLIC_ROWS + 1, PUBLIC_ROWS + 2];

/// Bits of λ, μ and ω: see [`Hyper`].
const HYPER_BITS: [u32; 3] = [46, 24, 48];

/// Where the cells of each port lie.
fn ranges() -> [Declared; 7] {
    let (w, v) = (Interval::signed(Class::Weight.bits()), Interval::signed(Class::Momentum.bits()));
    let lo = Interval::unsigned(LOW_BITS);
    // A step has fewer than 2^24 predictions.
    let g = Interval::within(GRADIENT_OF_PREDICTION << 24);
    let before =
        |interval| Declared::outside(interval, "the preceding update, or whoever committed to the first state");
    let after = |interval| Declared::shown(interval, "the cases of the divisions");
    let gradient = Declared::outside(g, "the circuits of the gradients that are added up");
    [before(w), before(lo), before(v), gradient, after(w), after(lo), after(v)]
}

/// Builds the segment for one lane group: for each lane the elements by row (missing ones are zero).
pub fn build(k: u32, hyper: &Hyper, lanes: &[Vec<(Element, i128)>; LANES]) -> Segment {
    let rows = (1usize << k) - RESERVED_ROWS;
    let mut builder = Builder::new();
    let b = &mut builder;
    for name in ["w", "lo", "v", "g", "w new", "lo new", "v new"] {
        b.port(name, LANES, true);
    }
    let block = b.block_at("sgd", 0, rows);
    let ports: Vec<[Col; LANES]> = (0..7).map(|port| b.port_lanes(block, port, 0, "port")).collect();
    for (lanes, declared) in ports.iter().zip(ranges()) {
        for &column in lanes {
            b.declare(block, column, declared);
        }
    }
    let [lambda, mu, omega] = [
        ("lambda", hyper.lambda, HYPER_BITS[0]),
        ("mu", hyper.mu, HYPER_BITS[1]),
        ("omega", hyper.omega, HYPER_BITS[2]),
    ]
    .map(|(name, value, bits)| constant_column(b, block, name, (value, bits)));
    for (column, row) in [lambda, mu, omega].into_iter().zip(HYPER_ROWS) {
        let cell = b.cell(block, column, 0);
        b.public(cell, row);
    }
    let zero = (Element { w: 0, lo: 0, v: 0 }, 0);
    for (i, elements) in lanes.iter().enumerate() {
        let mut elements = elements.clone();
        elements.resize(rows, zero);
        let lane = Lane {
            w: ports[WEIGHTS][i],
            lo: ports[LOW][i],
            v: ports[MOMENTUM][i],
            g: ports[GRADIENT][i],
            w_new: ports[NEW_WEIGHTS][i],
            lo_new: ports[NEW_LOW][i],
            v_new: ports[NEW_MOMENTUM][i],
        };
        sgd::place(b, block, &i.to_string(), (lane, HyperColumns { lambda, mu, omega }), hyper, &elements);
    }
    let (plan, witness) = builder.finish(k);
    Segment { plan, witness }
}

/// A column that holds a public value of so many bits on every row.
fn constant_column(b: &mut Builder, block: BlockId, name: &str, (value, bits): (u64, u32)) -> Col {
    let column = b.column(block, Kind::Wire, name);
    b.declare(block, column, Declared::outside(Interval::unsigned(bits), "the verifier computes the public value"));
    let rows = b.rows(block);
    for row in 0..rows {
        b.set(block, column, row, value.into());
    }
    b.gate(block, &format!("{name} is the same on every row"), column.cur() - column.at(1), 0..rows - 1);
    column
}
