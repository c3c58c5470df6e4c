//! What each room of a step costs: its cells by kind, times the measured cost of a cell of a full column of that kind.
//!
//! This counts commitments, transforms, openings, the permutation and the lookup argument, in proportion to the cells.
//! It leaves out what does not grow with cells: the evaluation of gates, challenges and tables. Cells of columns that no
//! room uses on some rows are paid for too and stand by themselves.

use crate::lanes::{Lane, Lanes};
use crate::timing::{median, time};
use circuits::curve::Params;
use circuits::model::Spec;
use circuits::plan::{Global, Plan};
use circuits::segments::Plans;
use circuits::statement::Layouts;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Cells by kind.
pub type Cells = BTreeMap<Lane, usize>;

/// Name under which cells that no room uses are listed.
pub const IDLE: &str = "idle";

/// Columns by which a circuit grows when a cell's cost is measured.
const COLUMNS: usize = 48;

/// What a cell of a full column of each kind adds to a proof of one instance; of a pair, what both cells add.
pub fn costs(params: &Params, runs: usize) -> BTreeMap<Lane, Duration> {
    let base = Lanes::new(params, Lane::Hint, 0);
    Lane::ALL
        .into_iter()
        .map(|lane| {
            let more = Lanes::new(params, lane, COLUMNS);
            let (mut without, mut with) = (vec![], vec![]);
            for _ in 0..runs {
                without.push(time(|| base.prove()).0);
                with.push(time(|| more.prove()).0);
            }
            (lane, median(with).saturating_sub(median(without)).div_f64((COLUMNS * crate::lanes::ROWS) as f64))
        })
        .collect()
}

/// The kind of a column of a room; none for the second of a pair and for columns of the lookup argument.
fn lane(plan: &Plan, column: usize) -> Option<Lane> {
    let column = &plan.advice[column];
    match column.name.rsplit_once(' ').map_or("", |(kind, _)| kind) {
        "limb" => Some(Lane::Limb),
        "wire" => Some(Lane::Wire),
        "acc" => Some(Lane::Acc),
        "lookup x" => Some(Lane::Pair),
        kind if kind == "hint" || kind.starts_with("port ") => {
            Some(if column.equality { Lane::Wire } else { Lane::Hint })
        }
        _ => None,
    }
}

/// The cells that each room of a plan constrains.
pub fn cells(plan: &Plan) -> BTreeMap<String, Cells> {
    let mut owned: BTreeMap<&str, BTreeSet<(usize, usize)>> = BTreeMap::new();
    for gate in &plan.gates {
        let Some((room, _)) = gate.name.split_once(": ") else { continue };
        let of_room = owned.entry(room).or_default();
        gate.poly.cells(&mut |column, rotation| {
            let Global::Advice(column) = column else { return };
            if room != "lookup" && lane(plan, column).is_some() {
                of_room.extend(gate.rows.iter().map(|&row| (column, (row as i64 + i64::from(rotation)) as usize)));
            }
        });
    }
    let mut idle = Cells::new();
    for lane in (0..plan.advice.len()).filter_map(|column| lane(plan, column)) {
        *idle.entry(lane).or_default() += plan.usable;
    }
    let mut rooms = BTreeMap::new();
    for (room, owned) in owned {
        let mut cells = Cells::new();
        for lane in owned.into_iter().filter_map(|(column, _)| lane(plan, column)) {
            *cells.entry(lane).or_default() += 1;
            *idle.entry(lane).or_default() -= 1;
        }
        if !cells.is_empty() {
            rooms.insert(room.to_owned(), cells);
        }
    }
    rooms.insert(IDLE.into(), idle);
    rooms
}

/// The cells of each room in a step of batch 1: all layers, the head, all parts of the update.
pub fn of_step(spec: &Spec) -> BTreeMap<String, Cells> {
    let (plans, updates) = (Plans::new(spec), Layouts::new(&spec.config).updates().len());
    let mut sum: BTreeMap<String, Cells> = BTreeMap::new();
    for (plan, times) in [(&plans.layer, spec.config.layers), (&plans.head, 1), (&plans.update, updates)] {
        for (room, cells) in cells(plan) {
            let of_room = sum.entry(room).or_default();
            for (lane, count) in cells {
                *of_room.entry(lane).or_default() += times * count;
            }
        }
    }
    sum
}

/// The cost of some cells.
pub fn cost(cells: &Cells, costs: &BTreeMap<Lane, Duration>) -> Duration {
    cells.iter().map(|(lane, &count)| costs[lane].mul_f64(count as f64)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::spec;

    #[test]
    fn every_room_of_a_step_has_cells() {
        let rooms = of_step(&spec("nano"));
        for room in ["rmsnorm", "rope", "swiglu", "sgd", IDLE] {
            assert!(rooms.contains_key(room), "{room} is not among {:?}", rooms.keys());
        }
        let limbs = |room: &str| rooms[room].get(&Lane::Limb).copied().unwrap_or_default();
        assert!(limbs("sgd") > limbs(IDLE));
    }
}
