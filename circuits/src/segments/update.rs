//! The optimizer over one lane group of ports: the same circuit for every chunk of every model.

use super::{InputError, PUBLIC_ROWS, Privacy, Variant};
use crate::{
    arithmetic::fixed::{Class, LOW_BITS},
    model::{OptimizerKind, Slot, UpdateKind},
    ops::adamw::{self, GRADIENT_BOUND, Integers, circuit as adamw_circuit},
    ops::sgd::circuit::{self as sgd, DIVIDEND_BOUND},
    ops::squares::circuit::{self as squares, Total},
};
use backend::curve::F;
use backend::{Builder, Circuit};
use plonkish::{BlockId, Col, Declared, Interval, Kind, LANES, PortId, RESERVED_ROWS, Roles, field};
use serde::{Deserialize, Serialize};

/// What a port of an update's circuit holds. What enters is made of the commitments of weights, slots and gradient
/// ([`Hyper::entering`](crate::model::Hyper::entering)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdatePort {
    /// SGD's dividends.
    Dividends,
    /// The gradient times γ of AdamW, or as it is.
    Gradient,
    /// The weights after their decay.
    Decayed,
    /// A slot before the update.
    Slot(Slot),
    /// The weights after it.
    NewWeights,
    /// A slot after it.
    NewSlot(Slot),
    /// The sum of the gradient's squares, in one cell: of a private circuit that clips.
    Squares,
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
            UpdatePort::Squares => "squares",
        }
    }
}

/// What enters SGD's circuit.
const SGD_ENTERING: [UpdatePort; 1] = [UpdatePort::Dividends];
/// What enters it where it clips.
const CLIPPED_ENTERING: [UpdatePort; 2] = [UpdatePort::Dividends, UpdatePort::Gradient];
/// What leaves both. New movements need no port: each is the new weight less the one that entered.
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
pub fn entering(kind: UpdateKind) -> &'static [UpdatePort] {
    match kind {
        UpdateKind::Sgd => &SGD_ENTERING,
        UpdateKind::ClippedSgd => &CLIPPED_ENTERING,
        UpdateKind::AdamW => &ADAMW_ENTERING,
    }
}

/// Ports that leave a state, in order.
pub fn leaving(kind: UpdateKind) -> &'static [UpdatePort] {
    match kind.optimizer() {
        OptimizerKind::Sgd => &SGD_LEAVING,
        OptimizerKind::AdamW => &ADAMW_LEAVING,
    }
}

/// Whether the sum of squares is a port's.
fn hides_squares(variant: Variant) -> bool {
    variant.update.clips() && variant.privacy == Privacy::Private
}

/// All ports, in order.
pub fn ports(variant: Variant) -> impl Iterator<Item = UpdatePort> {
    let squares = hides_squares(variant).then_some(UpdatePort::Squares);
    entering(variant.update).iter().chain(leaving(variant.update)).copied().chain(squares)
}

/// Where a port stands, if an update's circuit has it. The sum of squares, which not all have, is the last.
pub fn port(kind: UpdateKind, which: UpdatePort) -> Option<PortId> {
    let squares = kind.clips().then_some(UpdatePort::Squares);
    entering(kind).iter().chain(leaving(kind)).copied().chain(squares).position(|port| port == which)
}

/// Columns of a port.
fn columns(port: UpdatePort) -> usize {
    if port == UpdatePort::Squares { 1 } else { LANES }
}

/// The row of the sum of squares in its port.
pub fn squares_row(k: u32) -> usize {
    (1usize << k) - RESERVED_ROWS - 1
}

/// Integers that the circuit reads of the run, public values which stand before the sum of squares, if that is one, and an
/// instance's context.
pub fn integers(kind: UpdateKind) -> usize {
    match kind {
        UpdateKind::Sgd | UpdateKind::ClippedSgd => 0,
        UpdateKind::AdamW => adamw_circuit::INTEGERS,
    }
}

/// Public values before an instance's context.
pub fn publics(variant: Variant) -> usize {
    integers(variant.update) + usize::from(variant.update.clips() && variant.privacy == Privacy::Public)
}

/// What enters is given; what a public circuit says of the squares is a result.
pub fn roles(variant: Variant) -> Roles {
    const GIVEN: [(PortId, &str); 4] = [(0, ""), (1, ""), (2, ""), (3, "")];
    const CLIPPED_ROW: usize = PUBLIC_ROWS;
    const ADAMW_ROW: usize = PUBLIC_ROWS + adamw_circuit::INTEGERS;
    let inputs = &GIVEN[..entering(variant.update).len()];
    let results: &[usize] = match (variant.update, variant.privacy) {
        (UpdateKind::Sgd, _) | (_, Privacy::Private) => &[],
        (UpdateKind::ClippedSgd, Privacy::Public) => &[CLIPPED_ROW],
        (UpdateKind::AdamW, Privacy::Public) => &[ADAMW_ROW],
    };
    Roles { inputs, results, free: &[] }
}

/// Where the cells of each port lie, but for the sum of squares, which a gate says.
fn ranges(kind: UpdateKind) -> Vec<Declared> {
    let given = |interval| {
        let by = "the verifier makes it of commitments: of the preceding update and of the gradients' circuits";
        Declared::outside(interval, by)
    };
    match kind {
        UpdateKind::Sgd | UpdateKind::ClippedSgd => {
            let after = |interval| Declared::shown(interval, "the cases of the divisions");
            let leaving = [Interval::signed(Class::Weight.bits()), Interval::unsigned(LOW_BITS)];
            let bounds = [DIVIDEND_BOUND, GRADIENT_BOUND].into_iter().take(entering(kind).len());
            bounds.map(|bound| given(Interval::within(bound))).chain(leaving.map(after)).collect()
        }
        UpdateKind::AdamW => {
            let entering = adamw_circuit::entering_ranges().map(given);
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
    /// Refuses values of another update, those that the circuit does not take, and more of them than one of `2^k` rows
    /// holds.
    pub fn check(&self, kind: UpdateKind, k: u32) -> Result<(), InputError> {
        let expected = (integers(kind), entering(kind).len());
        let found = (self.integers.len(), self.entering.len());
        if expected != found {
            return Err(InputError::Shape { name: "integers and ports of an update".into(), expected, found });
        }
        if kind == UpdateKind::AdamW {
            let ranges = adamw_circuit::integer_ranges();
            if let Some(index) =
                self.integers.iter().zip(ranges).position(|(&x, (_, range))| !range.contains(Interval::new(x, x)))
            {
                return Err(InputError::Range { name: "integers of an update".into(), index });
            }
        }
        let ranges = self.taken(kind);
        let rows = (1usize << k) - RESERVED_ROWS;
        for (lanes, (port, interval)) in self.entering.iter().zip(entering(kind).iter().zip(ranges)) {
            for lane in lanes {
                let name = || format!("update: {}", port.name());
                if lane.len() > rows {
                    return Err(InputError::Shape { name: name(), expected: (rows, 1), found: (lane.len(), 1) });
                }
                if let Some(index) = lane.iter().position(|&x| !interval.contains(Interval::new(x, x))) {
                    return Err(InputError::Range { name: name(), index });
                }
            }
        }
        Ok(())
    }

    /// Where what enters lies: of a gradient less than the circuit takes, where it counts.
    fn taken(&self, kind: UpdateKind) -> Vec<Interval> {
        let mut taken: Vec<Interval> = ranges(kind).into_iter().map(|declared| declared.interval).collect();
        if let (UpdateKind::AdamW, Ok(integers)) = (kind, self.integers.as_slice().try_into()) {
            taken[0] = Interval::within(Integers::of(integers).gradient_bound());
        }
        taken
    }

    /// What an instance says in public before its context: integers, and the sum of squares, where it is public.
    pub fn publics(&self, variant: Variant) -> Vec<F> {
        let kind = variant.update;
        let gradient = port(kind, UpdatePort::Gradient).filter(|_| publics(variant) > integers(kind));
        let squares = |port: PortId| self.entering[port].iter().flatten().map(|&x| field::<F>(x).square()).sum();
        self.integers.iter().map(|&x| field(x)).chain(gradient.map(squares)).collect()
    }

    /// What enters a row of a lane by a port.
    fn at(&self, port: usize, lane: usize, row: usize) -> i128 {
        self.entering[port][lane].get(row).copied().unwrap_or(0)
    }
}

/// The circuit of one lane group.
pub fn circuit(k: u32, variant: Variant) -> Circuit<UpdateValues> {
    let (rows, kind) = ((1usize << k) - RESERVED_ROWS, variant.update);
    let mut builder = Builder::<UpdateValues>::for_values(k);
    let b = &mut builder;
    for port in ports(variant) {
        b.port(port.name(), columns(port), variant.privacy.of_tensors());
    }
    let block = b.block_at(kind.optimizer().name(), 0, rows);
    let lanes: Vec<[Col; LANES]> = (0..ranges(kind).len()).map(|port| b.port_lanes(block, port, 0, "port")).collect();
    for (lanes, declared) in lanes.iter().zip(ranges(kind)) {
        for &column in lanes {
            b.declare(block, column, declared);
        }
    }
    match kind.optimizer() {
        OptimizerKind::Sgd => place_sgd(b, block, &lanes, kind),
        OptimizerKind::AdamW => place_adamw(b, block, &lanes),
    }
    if let Some(gradient) = port(kind, UpdatePort::Gradient).filter(|_| kind.clips()) {
        let total = match port(kind, UpdatePort::Squares).filter(|_| hides_squares(variant)) {
            Some(port) => Total::Port(b.column(block, Kind::Port(port, 0), "squares port")),
            None => Total::Public(PUBLIC_ROWS + integers(kind)),
        };
        squares::place(b, block, lanes[gradient], total);
    }
    builder.compile()
}

/// The columns of one lane, port by port.
fn lane_of<const PORTS: usize>(columns: &[[Col; LANES]], lane: usize) -> [Col; PORTS] {
    std::array::from_fn(|port| columns[port][lane])
}

fn place_sgd(b: &mut Builder<UpdateValues>, block: BlockId, columns: &[[Col; LANES]], kind: UpdateKind) {
    let leaving = entering(kind).len();
    let leaves = columns[leaving].into_iter().zip(columns[leaving + 1]);
    for (i, (x, (w_new, lo_new))) in columns[0].into_iter().zip(leaves).enumerate() {
        let lane = sgd::Lane { x, w_new, lo_new };
        sgd::place(b, block, &i.to_string(), lane, move |values, row| values.at(0, i, row));
    }
    // The gradient is there for its squares.
    for (port, &lanes) in columns.iter().enumerate().take(leaving).skip(1) {
        let rows = b.rows(block);
        lanes.iter().for_each(|&lane| b.carries_data(block, lane, 0..rows));
        b.assign(block, move |values: &UpdateValues, cells| {
            for (i, &lane) in lanes.iter().enumerate() {
                (0..rows).for_each(|row| cells.set(lane, row, values.at(port, i, row)));
            }
        });
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
