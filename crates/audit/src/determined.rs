//! That phase 2 adds no freedom: each of its cells is fixed by a constraint from cells fixed before it.

use super::index::{Index, at};
use plonkish::{Field, Global};
use std::collections::{HashMap, HashSet};

/// Phase-2 cells (column, row) that some constraint reads and none determines.
///
/// A gate determines the one cell not yet known that it reads, if it is linear in it with a coefficient that is not
/// zero. Copies determine only along assignments: equations are there to be checked, not to define.
pub(super) fn undetermined<F: Field>(ix: &Index<'_, F>, values: &[F]) -> Vec<(usize, usize)> {
    let plan = ix.plan;
    let first = plan.phase1 * ix.rows;
    let mut known = vec![true; values.len()];
    let mut read = HashSet::new();
    // Gates on rows, with the number of unknown cells.
    let mut rows: Vec<(u32, u32)> = vec![];
    let mut readers: Vec<Vec<u32>> = vec![vec![]; values.len() - first];
    for (g, gate) in plan.gates.iter().enumerate() {
        if !ix.cells_of_gate[g].iter().any(|&(c, _)| c >= plan.phase1) {
            continue;
        }
        for &row in &gate.rows {
            let defines = !is_final_check(ix, g, row);
            for &(column, rotation) in ix.cells_of_gate[g].iter().filter(|(c, _)| *c >= plan.phase1) {
                let cell = ix.id((column, at(row, rotation))) as usize;
                known[cell] = false;
                read.insert(cell);
                if defines {
                    readers[cell - first].push(rows.len() as u32);
                }
            }
            if defines {
                rows.push((g as u32, row as u32));
            }
        }
    }
    for &(a, b) in &plan.copies {
        for cell in [a, b].map(|c| ix.id(c) as usize).into_iter().filter(|&c| c >= first) {
            known[cell] = false;
            read.insert(cell);
        }
    }
    let mut unknown: Vec<u32> = vec![0; rows.len()];
    for cell in &read {
        for &row in &readers[cell - first] {
            unknown[row as usize] += 1;
        }
    }
    let mut open: Vec<usize> = plan.publics.iter().map(|p| ix.id(p.0) as usize).filter(|&c| c >= first).collect();
    let mut assigned: HashMap<usize, Vec<usize>> = HashMap::new();
    for (&(a, b), _) in plan.copies.iter().zip(&ix.assigned).filter(|(_, assigned)| **assigned) {
        let (from, to) = (ix.id(a) as usize, ix.id(b) as usize);
        if from < first {
            open.push(to);
        } else {
            assigned.entry(from).or_default().push(to);
        }
    }
    let linear = |row: u32, cell: usize| -> bool {
        let (gate, row) = rows[row as usize];
        let poly = &plan.gates[gate as usize].poly;
        let value = |by: u64| {
            poly.eval(&|column, rotation| match column {
                Global::Advice(a) => {
                    let at = a * ix.rows + at(row as usize, rotation);
                    if at == cell { values[at] + F::from(by) } else { values[at] }
                }
                Global::Fixed(f) => plan.fixed[f][at(row as usize, rotation)],
                Global::Uniform(u) => ix.uniform[u],
            })
        };
        let (zero, one, two) = (value(0), value(1), value(2));
        one != zero && two - one == one - zero
    };
    let only = |row: u32, known: &[bool]| -> Option<usize> {
        let (gate, at_row) = rows[row as usize];
        ix.cells_of_gate[gate as usize]
            .iter()
            .map(|&(column, rotation)| ix.id((column, at(at_row as usize, rotation))) as usize)
            .find(|&cell| !known[cell])
    };
    for row in 0..rows.len() as u32 {
        if unknown[row as usize] == 1
            && let Some(cell) = only(row, &known)
            && linear(row, cell)
        {
            open.push(cell);
        }
    }
    while let Some(cell) = open.pop() {
        if known[cell] {
            continue;
        }
        known[cell] = true;
        open.extend(assigned.get(&cell).into_iter().flatten());
        for &row in &readers[cell - first] {
            unknown[row as usize] -= 1;
            if unknown[row as usize] == 1
                && let Some(next) = only(row, &known)
                && linear(row, next)
            {
                open.push(next);
            }
        }
    }
    let mut left: Vec<usize> = read.into_iter().filter(|&cell| !known[cell]).collect();
    left.sort_unstable();
    left.into_iter().map(|cell| (cell / ix.rows, cell % ix.rows)).collect()
}

/// The check at the end of the lookup argument: a gate that reads the running sum on the last row.
fn is_final_check<F: Field>(ix: &Index<'_, F>, gate: usize, row: usize) -> bool {
    row == ix.plan.usable - 1 && ix.cells_of_gate[gate].contains(&(ix.plan.running, 0))
}

/// Whether the lookup argument ends with its check.
pub(super) fn lookups_are_checked<F: Field>(ix: &Index<'_, F>) -> bool {
    let last = |g: usize| ix.plan.gates[g].rows.last().is_some_and(|&row| is_final_check(ix, g, row));
    (0..ix.plan.gates.len()).any(last)
}
