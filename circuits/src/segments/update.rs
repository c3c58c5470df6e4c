//! The optimizer over one lane group of ports: the same circuit for every chunk of every model.

use super::{InputError, PUBLIC_ROWS, Variant};
use crate::{
    arithmetic::fixed::{Class, LOW_BITS},
    model::{OptimizerKind, Slot},
    ops::adamw::{self, Integers, circuit as adamw_circuit},
    ops::sgd::circuit::{self as sgd, DIVIDEND_BOUND},
};
use backend::{Builder, Circuit};
use plonkish::{BlockId, Col, Declared, Interval, LANES, PortId, RESERVED_ROWS, Roles};
use serde::{Deserialize, Serialize};

/// What a port of an update's circuit holds. What enters is made of the commitments of weights, slots and gradient
/// ([`Hyper::entering`](crate::model::Hyper::entering)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdatePort {
    /// SGD's dividends.
    Dividends,
    /// The gradient times γ.
    Gradient,
    /// The weights after their decay.
    Decayed,
    /// A slot before the update.
    Slot(Slot),
    /// The weights after it.
    NewWeights,
    /// A slot after it.
    NewSlot(Slot),
}

impl UpdatePort {
    /// Its name in circuits.
    pub fn name(self) -> &'static str {
        match self {
            UpdatePort::Dividends => "x",
            UpdatePort::Gradient => "gradient",
            UpdatePort::Decayed => "decayed",
            UpdatePort::Slot(Slot::Low) => "lo",
            UpdatePort::Slot(Slot::Momentum) => "momentum",
            UpdatePort::Slot(Slot::First) => "m",
            UpdatePort::Slot(Slot::Second) => "v",
            UpdatePort::NewWeights => "w new",
            UpdatePort::NewSlot(Slot::Low) => "lo new",
            UpdatePort::NewSlot(Slot::Momentum) => "momentum new",
            UpdatePort::NewSlot(Slot::First) => "m new",
            UpdatePort::NewSlot(Slot::Second) => "v new",
        }
    }
}

/// What enters SGD's circuit.
const SGD_ENTERING: [UpdatePort; 1] = [UpdatePort::Dividends];
/// What leaves it. New movements need no port: each is the new weight less the one that entered.
const SGD_LEAVING: [UpdatePort; 2] = [UpdatePort::NewWeights, UpdatePort::NewSlot(Slot::Low)];

/// What enters AdamW's circuit, in the order of [`adamw::Entering`].
const ADAMW_ENTERING: [UpdatePort; 4] =
    [UpdatePort::Gradient, UpdatePort::Decayed, UpdatePort::Slot(Slot::First), UpdatePort::Slot(Slot::Second)];
/// What leaves it.
const ADAMW_LEAVING: [UpdatePort; 4] = [
    UpdatePort::NewWeights,
    UpdatePort::NewSlot(Slot::Low),
    UpdatePort::NewSlot(Slot::First),
    UpdatePort::NewSlot(Slot::Second),
];

/// Ports that enter, in order: they come first.
pub fn entering(optimizer: OptimizerKind) -> &'static [UpdatePort] {
    match optimizer {
        OptimizerKind::Sgd => &SGD_ENTERING,
        OptimizerKind::AdamW => &ADAMW_ENTERING,
    }
}

/// Ports that leave, in order.
pub fn leaving(optimizer: OptimizerKind) -> &'static [UpdatePort] {
    match optimizer {
        OptimizerKind::Sgd => &SGD_LEAVING,
        OptimizerKind::AdamW => &ADAMW_LEAVING,
    }
}

/// All ports, in order.
pub fn ports(optimizer: OptimizerKind) -> impl Iterator<Item = UpdatePort> {
    entering(optimizer).iter().chain(leaving(optimizer)).copied()
}

/// Where a port stands, if an optimizer's circuit has it.
pub fn port(optimizer: OptimizerKind, which: UpdatePort) -> Option<PortId> {
    ports(optimizer).position(|port| port == which)
}

/// Public values that the circuit reads, which stand before an instance's context.
pub fn integers(optimizer: OptimizerKind) -> usize {
    match optimizer {
        OptimizerKind::Sgd => 0,
        OptimizerKind::AdamW => adamw_circuit::integer_ranges().len(),
    }
}

/// What enters is given.
pub fn roles(optimizer: OptimizerKind) -> Roles {
    const SGD: Roles = Roles { inputs: &[(0, "")], results: &[], free: &[] };
    const ADAMW: Roles = Roles { inputs: &[(0, ""), (1, ""), (2, ""), (3, "")], results: &[], free: &[] };
    match optimizer {
        OptimizerKind::Sgd => SGD,
        OptimizerKind::AdamW => ADAMW,
    }
}

/// Where the cells of each port lie.
fn ranges(optimizer: OptimizerKind) -> Vec<Declared> {
    let entering = |interval| {
        let by = "the verifier makes it of commitments: of the preceding update and of the gradients' circuits";
        Declared::outside(interval, by)
    };
    match optimizer {
        OptimizerKind::Sgd => {
            let after = |interval| Declared::shown(interval, "the cases of the divisions");
            let leaving = [Interval::signed(Class::Weight.bits()), Interval::unsigned(LOW_BITS)];
            [entering(Interval::within(DIVIDEND_BOUND))].into_iter().chain(leaving.map(after)).collect()
        }
        OptimizerKind::AdamW => {
            let entering = adamw_circuit::entering_ranges().map(entering);
            entering.into_iter().chain(adamw_circuit::leaving_ranges().map(adamw_circuit::shown)).collect()
        }
    }
}

/// The values of the update of one lane group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateValues {
    /// Public integers, in order.
    pub integers: Vec<i128>,
    /// For each port that enters, for each lane, what stands in its rows; missing ones are zero.
    pub entering: Vec<[Vec<i128>; LANES]>,
}

impl UpdateValues {
    /// Refuses values of another optimizer, those that the circuit does not take, and more of them than one of `2^k` rows
    /// holds.
    pub fn check(&self, optimizer: OptimizerKind, k: u32) -> Result<(), InputError> {
        let expected = (integers(optimizer), entering(optimizer).len());
        let found = (self.integers.len(), self.entering.len());
        if expected != found {
            return Err(InputError::Shape { name: "integers and ports of an update".into(), expected, found });
        }
        if optimizer == OptimizerKind::AdamW {
            let ranges = adamw_circuit::integer_ranges();
            if let Some(index) =
                self.integers.iter().zip(ranges).position(|(&x, (_, range))| !range.contains(Interval::new(x, x)))
            {
                return Err(InputError::Range { name: "integers of an update".into(), index });
            }
        }
        let rows = (1usize << k) - RESERVED_ROWS;
        for (lanes, (port, declared)) in self.entering.iter().zip(ports(optimizer).zip(ranges(optimizer))) {
            for lane in lanes {
                let name = || format!("update: {}", port.name());
                if lane.len() > rows {
                    return Err(InputError::Shape { name: name(), expected: (rows, 1), found: (lane.len(), 1) });
                }
                if let Some(index) = lane.iter().position(|&x| !declared.interval.contains(Interval::new(x, x))) {
                    return Err(InputError::Range { name: name(), index });
                }
            }
        }
        Ok(())
    }

    /// What enters a row of a lane by a port.
    fn at(&self, port: usize, lane: usize, row: usize) -> i128 {
        self.entering[port][lane].get(row).copied().unwrap_or(0)
    }
}

/// The circuit of one lane group.
pub fn circuit(k: u32, variant: Variant) -> Circuit<UpdateValues> {
    let (rows, optimizer) = ((1usize << k) - RESERVED_ROWS, variant.optimizer);
    let mut builder = Builder::<UpdateValues>::for_values(k);
    let b = &mut builder;
    for port in ports(optimizer) {
        b.port(port.name(), LANES, variant.privacy.of_tensors());
    }
    let block = b.block_at(optimizer.name(), 0, rows);
    let columns: Vec<[Col; LANES]> =
        (0..ports(optimizer).count()).map(|port| b.port_lanes(block, port, 0, "port")).collect();
    for (lanes, declared) in columns.iter().zip(ranges(optimizer)) {
        for &column in lanes {
            b.declare(block, column, declared);
        }
    }
    match optimizer {
        OptimizerKind::Sgd => place_sgd(b, block, &columns),
        OptimizerKind::AdamW => place_adamw(b, block, &columns),
    }
    builder.compile()
}

/// The columns of one lane, port by port.
fn lane_of<const PORTS: usize>(columns: &[[Col; LANES]], lane: usize) -> [Col; PORTS] {
    std::array::from_fn(|port| columns[port][lane])
}

fn place_sgd(b: &mut Builder<UpdateValues>, block: BlockId, columns: &[[Col; LANES]]) {
    for i in 0..LANES {
        let [x, w_new, lo_new] = lane_of(columns, i);
        let lane = sgd::Lane { x, w_new, lo_new };
        sgd::place(b, block, &i.to_string(), lane, move |values, row| values.at(0, i, row));
    }
}

fn place_adamw(b: &mut Builder<UpdateValues>, block: BlockId, columns: &[[Col; LANES]]) {
    let by = "the verifier computes it from the run";
    let mut rows = PUBLIC_ROWS..;
    let integers = adamw_circuit::integer_ranges().map(|(name, interval)| {
        let row = rows.next().unwrap_or(PUBLIC_ROWS);
        b.uniform(row, name, Declared::outside(interval, by))
    });
    let integers = Integers::of(integers);
    for i in 0..LANES {
        let [gradient, decayed, first, second, w_new, lo_new, first_new, second_new] = lane_of(columns, i);
        let lane = adamw_circuit::Lane { gradient, decayed, first, second, w_new, lo_new, first_new, second_new };
        adamw_circuit::place(b, block, &i.to_string(), lane, &integers, move |values: &UpdateValues, row| {
            let at = |port| values.at(port, i, row);
            let entering = adamw::Entering { gradient: at(0), decayed: at(1), first: at(2), second: at(3) };
            (Integers::of(std::array::from_fn(|integer| values.integers[integer])), entering)
        });
    }
}
