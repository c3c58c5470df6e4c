//! The optimizer over one lane group of ports: the same circuit for every chunk of every model.

use super::{InputError, Privacy};
use crate::{
    arithmetic::fixed::{Class, LOW_BITS},
    ops::sgd::circuit::{self as sgd, DIVIDEND_BOUND, Lane},
};
use backend::{Builder, Circuit};
use plonkish::{Col, Declared, Interval, LANES, PortId, RESERVED_ROWS, Roles};
use serde::{Deserialize, Serialize};

/// Ports of the update segment, in order: what enters, then what leaves. The dividends: their commitments are made of those of
/// weights, low parts, movements and gradients ([`dividends`](crate::statements::SegmentPoints::dividends)).
pub const DIVIDENDS: PortId = 0;
/// New weights.
pub const NEW_WEIGHTS: PortId = 1;
/// New low parts. New movements need no port: each is the new weight less the one that entered.
pub const NEW_LOW: PortId = 2;

/// Names of the ports.
const PORTS: [&str; 3] = ["x", "w new", "lo new"];

/// Where the cells of each port lie.
fn ranges() -> [Declared; PORTS.len()] {
    let entering = "the verifier makes it of commitments: of the preceding update and of the gradients' circuits";
    let after = |interval| Declared::shown(interval, "the cases of the divisions");
    [
        Declared::outside(Interval::within(DIVIDEND_BOUND), entering),
        after(Interval::signed(Class::Weight.bits())),
        after(Interval::unsigned(LOW_BITS)),
    ]
}

/// The dividends are given.
pub const ROLES: Roles = Roles { inputs: &[(DIVIDENDS, "")], results: &[], free: &[] };

/// The values of the update of one lane group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateValues {
    /// For each lane the dividends by row ([`dividend`](crate::ops::sgd::dividend)); missing ones are zero.
    pub lanes: [Vec<i128>; LANES],
}

impl UpdateValues {
    /// Refuses dividends that the circuit does not take, and more of them than one of `2^k` rows holds.
    pub fn check(&self, k: u32) -> Result<(), InputError> {
        let rows = (1usize << k) - RESERVED_ROWS;
        for lane in &self.lanes {
            if lane.len() > rows {
                return Err(InputError::Shape { name: "update".into(), expected: (rows, 1), found: (lane.len(), 1) });
            }
            if let Some(row) = lane.iter().position(|x| x.unsigned_abs() > DIVIDEND_BOUND) {
                return Err(InputError::Range { name: "update".into(), index: row });
            }
        }
        Ok(())
    }
}

/// The circuit of one lane group.
pub fn circuit(k: u32, privacy: Privacy) -> Circuit<UpdateValues> {
    let rows = (1usize << k) - RESERVED_ROWS;
    let mut builder = Builder::<UpdateValues>::for_values(k);
    let b = &mut builder;
    for name in PORTS {
        b.port(name, LANES, privacy.of_tensors());
    }
    let block = b.block_at("sgd", 0, rows);
    let ports: [[Col; LANES]; PORTS.len()] = std::array::from_fn(|port| b.port_lanes(block, port, 0, "port"));
    for (lanes, declared) in ports.iter().zip(ranges()) {
        for &column in lanes {
            b.declare(block, column, declared);
        }
    }
    let [dividends, weights, low] = ports;
    for (i, ((x, w_new), lo_new)) in dividends.into_iter().zip(weights).zip(low).enumerate() {
        let lane = Lane { x, w_new, lo_new };
        let x = move |values: &UpdateValues, row: usize| values.lanes[i].get(row).copied().unwrap_or(0);
        sgd::place(b, block, &i.to_string(), lane, x);
    }
    builder.compile()
}
