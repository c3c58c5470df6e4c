//! The optimizer over one lane group of ports: the same circuit for every chunk of every model.

use super::{InputError, PUBLIC_ROWS};
use crate::{
    arithmetic::fixed::{Class, LOW_BITS, MOMENTUM_BITS, STATE_BITS},
    model::{MAX_RATE, Slot},
    ops::linear::circuit::GRADIENT_OF_PREDICTION,
    ops::sgd::{
        Element, Hyper, MU_BITS,
        circuit::{self as sgd, DIVIDEND_BOUND, Lane, PublicHyper},
        dividend,
    },
};
use backend::{Builder, Circuit};
use plonkish::{Col, Declared, Interval, LANES, PortId, RESERVED_ROWS, Roles};
use serde::{Deserialize, Serialize};

/// Ports of the update segment, in order: what enters, then what leaves. Weights that enter, with their low parts: their
/// commitments are `2^24·C(w) + C(lo)`.
pub const WHOLE: PortId = 0;
/// The weights' last movements.
pub const MOMENTUM: PortId = 1;
/// Gradient: the sum over all contributions.
pub const GRADIENT: PortId = 2;
/// New weights.
pub const NEW_WEIGHTS: PortId = 3;
/// New low parts. New movements need no port: each is the new weight less the one that entered.
pub const NEW_LOW: PortId = 4;

/// Names of the ports.
const PORTS: [&str; 5] = ["w+lo", "v", "g", "w new", "lo new"];

/// Instance rows of λ, μ and ω.
pub const HYPER_ROWS: [usize; 3] = [PUBLIC_ROWS, PUBLIC_ROWS + 1, PUBLIC_ROWS + 2];

/// Bits of λ, μ and ω: see [`Hyper`].
const HYPER_BITS: [u32; 3] = [37, MU_BITS, 37];

/// Largest `|g|`: a step has fewer than 2^24 predictions.
const GRADIENT_BOUND: u128 = GRADIENT_OF_PREDICTION << 24;

/// Where the cells of each port lie.
fn ranges() -> [Declared; PORTS.len()] {
    let before =
        |interval| Declared::outside(interval, "the preceding update, or whoever committed to the first state");
    let after = |interval| Declared::shown(interval, "the cases of the divisions");
    let g = Interval::within(GRADIENT_BOUND);
    [
        before(Interval::signed(STATE_BITS)),
        before(Interval::signed(MOMENTUM_BITS)),
        Declared::outside(g, "the circuits of the gradients that are added up"),
        after(Interval::signed(Class::Weight.bits())),
        after(Interval::unsigned(LOW_BITS)),
    ]
}

/// Weights, movements and gradient are given.
pub const ROLES: Roles = Roles { inputs: &[(WHOLE, ""), (MOMENTUM, ""), (GRADIENT, "")], results: &[], free: &[] };

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
        if lambda > MAX_RATE || mu >> HYPER_BITS[1] != 0 || omega >> HYPER_BITS[2] != 0 {
            return Err(InputError::Hyper);
        }
        for lane in &self.lanes {
            if lane.len() > rows {
                return Err(InputError::Shape { name: "update".into(), expected: (rows, 1), found: (lane.len(), 1) });
            }
            let in_range = |(e, g): &(Element, i128)| {
                Class::Weight.contains(e.w)
                    && Slot::Low.contains(e.lo)
                    && Slot::Momentum.contains(e.v)
                    && g.unsigned_abs() <= GRADIENT_BOUND
                    && dividend(&self.hyper, e, *g).is_some_and(|x| x.unsigned_abs() <= DIVIDEND_BOUND)
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
    for name in PORTS {
        b.port(name, LANES, true);
    }
    let block = b.block_at("sgd", 0, rows);
    let ports: Vec<[Col; LANES]> = (0..PORTS.len()).map(|port| b.port_lanes(block, port, 0, "port")).collect();
    for (lanes, declared) in ports.iter().zip(ranges()) {
        for &column in lanes {
            b.declare(block, column, declared);
        }
    }
    let mut public = |i: usize, name: &str| {
        let range = Declared::outside(Interval::unsigned(HYPER_BITS[i]), "the verifier computes the public value");
        b.uniform(HYPER_ROWS[i], name, range)
    };
    let hyper = PublicHyper { lambda: public(0, "lambda"), mu: public(1, "mu"), omega: public(2, "omega") };
    let lane_of_ports = |lane: usize| Lane {
        whole: ports[WHOLE][lane],
        v: ports[MOMENTUM][lane],
        g: ports[GRADIENT][lane],
        w_new: ports[NEW_WEIGHTS][lane],
        lo_new: ports[NEW_LOW][lane],
    };
    for i in 0..LANES {
        let element = move |values: &UpdateValues, row: usize| values.element(i, row);
        sgd::place(b, block, &i.to_string(), (lane_of_ports(i), &hyper), element);
    }
    builder.compile(k)
}
