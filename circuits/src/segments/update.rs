//! The optimizer over one lane group of ports: the same circuit for every chunk of every model.

use super::{InputError, PUBLIC_ROWS};
use crate::{
    arithmetic::fixed::{Class, LOW_BITS},
    model::Slot,
    ops::linear::circuit::GRADIENT_OF_PREDICTION,
    ops::sgd::{
        Element, Hyper,
        circuit::{self as sgd, GRADIENT_BOUND, HyperColumns, LAMBDA_BOUND, Lane},
    },
};
use backend::{Builder, Circuit};
use plonkish::{BlockId, Col, Declared, Interval, Kind, LANES, PortId, RESERVED_ROWS, Roles};
use serde::{Deserialize, Serialize};

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

/// The slots that the optimizer keeps, with the ports before and after.
pub const SLOTS: [(Slot, PortId, PortId); 2] = [(Slot::Low, LOW, NEW_LOW), (Slot::Momentum, MOMENTUM, NEW_MOMENTUM)];

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

/// Weights, low parts, momentum and gradient are given.
pub const ROLES: Roles =
    Roles { inputs: &[(WEIGHTS, ""), (LOW, ""), (MOMENTUM, ""), (GRADIENT, "")], results: &[], free: &[] };

/// The values of the update of one lane group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateValues {
    /// Public integers.
    pub hyper: Hyper,
    /// For each lane the elements and their gradients by row; missing ones are zero.
    pub lanes: [Vec<(Element, i128)>; LANES],
}

impl UpdateValues {
    fn element(&self, lane: usize, row: usize) -> (Hyper, Element, i128) {
        let (element, gradient) = self.lanes[lane].get(row).copied().unwrap_or_default();
        (self.hyper, element, gradient)
    }

    /// Refuses integers outside their ranges, and more elements than a circuit of `2^k` rows holds.
    pub fn check(&self, k: u32) -> Result<(), InputError> {
        let rows = (1usize << k) - RESERVED_ROWS;
        let Hyper { lambda, mu, omega } = self.hyper;
        if lambda >= LAMBDA_BOUND || mu >> HYPER_BITS[1] != 0 || omega >> HYPER_BITS[2] != 0 {
            return Err(InputError::Hyper);
        }
        for lane in &self.lanes {
            if lane.len() > rows {
                return Err(InputError::Shape { name: "update".into(), expected: (rows, 1), found: (lane.len(), 1) });
            }
            let in_range = |&(Element { w, lo, v }, g): &(Element, i128)| {
                Class::Weight.contains(w)
                    && Slot::Low.contains(lo)
                    && Slot::Momentum.contains(v)
                    && g.unsigned_abs() <= GRADIENT_BOUND
            };
            if let Some(row) = lane.iter().position(|element| !in_range(element)) {
                return Err(InputError::Range { name: "update".into(), index: row });
            }
        }
        Ok(())
    }
}

/// The circuit of one lane group.
pub fn circuit(k: u32) -> Circuit<UpdateValues> {
    let rows = (1usize << k) - RESERVED_ROWS;
    let mut builder = Builder::<UpdateValues>::for_values();
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
    let lambda = constant_column(b, block, "lambda", (|hyper| hyper.lambda, HYPER_BITS[0]));
    let mu = constant_column(b, block, "mu", (|hyper| hyper.mu, HYPER_BITS[1]));
    let omega = constant_column(b, block, "omega", (|hyper| hyper.omega, HYPER_BITS[2]));
    for (column, row) in [lambda, mu, omega].into_iter().zip(HYPER_ROWS) {
        let cell = b.cell(block, column, 0);
        b.public(cell, row);
    }
    let lane_of_ports = |lane: usize| Lane {
        w: ports[WEIGHTS][lane],
        lo: ports[LOW][lane],
        v: ports[MOMENTUM][lane],
        g: ports[GRADIENT][lane],
        w_new: ports[NEW_WEIGHTS][lane],
        lo_new: ports[NEW_LOW][lane],
        v_new: ports[NEW_MOMENTUM][lane],
    };
    for i in 0..LANES {
        let element = move |values: &UpdateValues, row: usize| values.element(i, row);
        sgd::place(b, block, &i.to_string(), (lane_of_ports(i), HyperColumns { lambda, mu, omega }), element);
    }
    builder.compile(k)
}

/// A column that holds a public value of so many bits on every row.
fn constant_column(
    b: &mut Builder<UpdateValues>,
    block: BlockId,
    name: &str,
    (value, bits): (fn(&Hyper) -> u64, u32),
) -> Col {
    let column = b.column(block, Kind::Copyable, name);
    b.declare(block, column, Declared::outside(Interval::unsigned(bits), "the verifier computes the public value"));
    let rows = b.rows(block);
    b.assign(block, move |values, cells| {
        (0..rows).for_each(|row| cells.set(column, row, value(&values.hyper).into()));
    });
    b.gate(block, &format!("{name} is the same on every row"), column.cur() - column.at(1), 0..rows - 1);
    column
}
