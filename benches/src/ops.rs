//! What each op of a step costs: its cells by kind, times the measured cost of a cell of a full column of that kind.
//!
//! This counts commitments, transforms, openings, the permutation and the lookup argument, in proportion to the cells.
//! It leaves out what does not grow with cells: the evaluation of gates, and what every proof costs, which is listed apart.
//! Cells of columns that no op uses on some rows are paid for too and stand by themselves.

use crate::lanes::{Lane, Lanes, ROWS};
use crate::timing::compare;
use backend::Plan;
use backend::curve::Params;
use circuits::model::Spec;
use circuits::segments::{Circuits, SegmentKind};
use circuits::statements::{Layouts, MAX_INSTANCES_PER_PROOF};
use plonkish::Global;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Cells by kind.
pub type Cells = BTreeMap<Lane, usize>;

/// Name under which cells that no op uses are listed.
pub const IDLE: &str = "idle";

/// Columns by which a circuit grows when a cell's cost is measured.
const COLUMNS: usize = 48;

/// What proofs and their cells cost.
#[derive(Clone, Debug)]
pub struct Costs {
    /// A proof of one instance that has a few columns of each kind only.
    pub proof: Duration,
    /// What a cell of a full column of each kind adds to it; of a pair, what both cells add.
    pub cells: BTreeMap<Lane, Duration>,
}

impl Costs {
    /// Measures them, as medians of `runs` runs.
    pub fn measure(params: &Params, runs: usize) -> Self {
        let base = Lanes::new(params, Lane::Unchecked, 0);
        let (mut proof, mut cells) = (Duration::ZERO, BTreeMap::new());
        for lane in Lane::ALL {
            let more = Lanes::new(params, lane, COLUMNS);
            let [without, with] = compare(runs, [&mut || drop(base.prove()), &mut || drop(more.prove())]);
            proof = without;
            cells.insert(lane, with.saturating_sub(without).div_f64((COLUMNS * ROWS) as f64));
        }
        Costs { proof, cells }
    }

    /// Of some cells.
    pub fn of(&self, cells: &Cells) -> Duration {
        cells.iter().map(|(lane, &count)| self.cells[lane].mul_f64(count as f64)).sum()
    }
}

/// The kind of a column of an op; none for the second of a pair and for columns of the lookup argument.
fn lane(plan: &Plan, column: usize) -> Option<Lane> {
    let column = &plan.advice[column];
    match column.name.rsplit_once(' ').map_or("", |(kind, _)| kind) {
        "limb" => Some(Lane::Limb),
        "copyable" => Some(Lane::Copyable),
        "acc" => Some(Lane::Acc),
        "lookup x" => Some(Lane::Pair),
        kind if kind == "unchecked" || kind.starts_with("port ") => {
            Some(if column.equality { Lane::Copyable } else { Lane::Unchecked })
        }
        _ => None,
    }
}

/// The cells that each op of a plan constrains.
pub fn cells(plan: &Plan) -> BTreeMap<String, Cells> {
    let mut owned: BTreeMap<&str, BTreeSet<(usize, usize)>> = BTreeMap::new();
    for gate in &plan.gates {
        let Some((op, _)) = gate.name.split_once(": ") else { continue };
        let of_op = owned.entry(op).or_default();
        gate.poly.cells(&mut |column, rotation| {
            let Global::Advice(column) = column else { return };
            if op != "lookup" && lane(plan, column).is_some() {
                of_op.extend(gate.rows.iter().map(|&row| (column, (row as i64 + i64::from(rotation)) as usize)));
            }
        });
    }
    let mut idle = Cells::new();
    for lane in (0..plan.advice.len()).filter_map(|column| lane(plan, column)) {
        *idle.entry(lane).or_default() += plan.usable;
    }
    let mut ops = BTreeMap::new();
    for (op, owned) in owned {
        let mut cells = Cells::new();
        for lane in owned.into_iter().filter_map(|(column, _)| lane(plan, column)) {
            *cells.entry(lane).or_default() += 1;
            *idle.entry(lane).or_default() -= 1;
        }
        if !cells.is_empty() {
            ops.insert(op.to_owned(), cells);
        }
    }
    ops.insert(IDLE.into(), idle);
    ops
}

/// The cells of each op in a step of batch 1: all layers, the head, all parts of the update.
pub fn of_step(spec: &Spec) -> BTreeMap<String, Cells> {
    let (circuits, updates) = (Circuits::new(spec), Layouts::new(&spec.config).updates().len());
    let mut sum: BTreeMap<String, Cells> = BTreeMap::new();
    for (kind, times) in SegmentKind::ALL.into_iter().zip([spec.config.layers, 1, updates]) {
        for (op, cells) in cells(circuits.plan(kind)) {
            let of_op = sum.entry(op).or_default();
            for (lane, count) in cells {
                *of_op.entry(lane).or_default() += times * count;
            }
        }
    }
    sum
}

/// Proofs of a step of batch 1.
pub fn proofs_of_step(spec: &Spec) -> usize {
    let updates = Layouts::new(&spec.config).updates().len();
    [spec.config.layers, 1, updates].iter().map(|n| n.div_ceil(MAX_INSTANCES_PER_PROOF as usize)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::spec;

    #[test]
    fn every_op_of_a_step_has_cells() {
        let ops = of_step(&spec("nano"));
        for op in ["rmsnorm", "rope", "swiglu", "sgd", IDLE] {
            assert!(ops.contains_key(op), "{op} is not among {:?}", ops.keys());
        }
        // Every pool that an op can use has a lane.
        let circuits = Circuits::new(&spec("nano"));
        let argument = ["lookup y", "multiplicity", "challenge", "square", "helper", "table", "lookup running"];
        for plan in SegmentKind::ALL.map(|kind| circuits.plan(kind)) {
            for (i, column) in plan.advice.iter().enumerate() {
                let ours = argument.iter().all(|of| !column.name.starts_with(of));
                assert_eq!(lane(plan, i).is_some(), ours, "{}", column.name);
            }
        }
        // The update's circuit is full: idle cells are those of the others.
        let update = cells(&Circuits::new(&spec("nano")).update.plan);
        assert!(update[IDLE].values().all(|&count| count == 0), "{update:?}");
    }
}
