//! The search for witness cells that nothing determines. See [the module](super) for what it looks for.

use super::changes::{changes, mix};
use super::columns::pool;
use super::determined::{lookups_are_checked, undetermined};
use super::index::{CellId, Class, Index};
use super::moves::mend;
use super::state::{Constraint, State, Verdict};
use super::{AuditError, Free, Roles};
use plonkish::{Challenge, Field, Plan, Witness, check_witness};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Which cells to change.
#[derive(Clone, Debug)]
pub enum Choice {
    /// All.
    All,
    /// So many, drawn with a seed.
    Sample(usize, u64),
    /// These (column, row).
    Cells(Vec<(usize, usize)>),
}

/// Lanes for which the claim about tables is checked by full recomputation.
const FULL_CHECKS: usize = 12;

/// Default of [`Forge::effort`].
const EFFORT: usize = 32;

/// A change that no constraint notices.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unnoticed {
    /// Op and column of the cell changed first.
    pub cell: String,
    /// Its row in the grid.
    pub row: usize,
    /// How it was changed.
    pub change: String,
    /// All cells changed, mends included.
    pub with: Vec<String>,
    /// The equation that an adversary satisfies by computing on from the change; none if nothing breaks at all.
    pub downstream: Option<String>,
}

/// How many cells of an op a search could change, and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Cells.
    pub cells: usize,
    /// Those that were changed.
    pub tried: usize,
}

/// Result of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Phase-1 cells that a constraint reads, or that stand in a row of an op that constraints read.
    pub cells: usize,
    /// Those that were changed.
    pub tried: usize,
    /// Both by op.
    pub ops: BTreeMap<String, Coverage>,
    /// Phase-1 cells that no constraint but a table reads: padding.
    pub idle: usize,
    /// Cells of ports that must be zero as no data stands there.
    pub zero: usize,
    /// Changes made, apart from mends.
    pub changes: usize,
    /// Moves made to mend them.
    pub moves: usize,
    /// How often each constraint noticed a change.
    pub caught: BTreeMap<String, usize>,
    /// Changes within what is declared to be free.
    pub declared: usize,
    /// Cells given from outside that decide nothing in this witness, by column.
    pub inert: BTreeMap<String, usize>,
    /// Changes that nothing noticed.
    pub unnoticed: Vec<Unnoticed>,
    /// Phase-2 cells that are read but determined by no constraint.
    pub undetermined: Vec<String>,
    /// Instance rows that no cell is compared with.
    pub unread_publics: Vec<usize>,
    /// Whether an entry of no table was found to break the lookup argument, recomputed in full.
    pub lookups_hold: bool,
}

impl Findings {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.holes() == 0
    }

    /// How much was found.
    pub fn holes(&self) -> usize {
        self.unnoticed.len() + self.undetermined.len() + self.unread_publics.len() + usize::from(!self.lookups_hold)
    }
}

/// What happened to one cell.
#[derive(Clone, Debug, Default)]
struct Outcome {
    changes: usize,
    moves: usize,
    declared: usize,
    inert: bool,
    caught: BTreeMap<Caught, usize>,
    unnoticed: Vec<Unnoticed>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Caught {
    Phase1(Constraint),
    Phase2(String),
}

/// A circuit with an honest witness, ready to be searched.
pub struct Forge<'p, F> {
    ix: Index<'p, F>,
    witness: Witness<F>,
    challenges: BTreeMap<Challenge, F>,
    values: Vec<F>,
    instance: Vec<F>,
    publics: usize,
    /// Moves after which the search for a mend of one change gives up.
    effort: usize,
    /// Whether what is declared to be free is left out of the findings.
    excuses: bool,
    free: &'static [Free],
}

impl<'p, F: Field> Forge<'p, F> {
    /// Takes an honest phase-1 witness and its public values; the challenges are drawn from a constant.
    pub fn new(plan: &'p Plan<F>, mut witness: Witness<F>, publics: &[F], roles: &Roles) -> Result<Self, AuditError> {
        let challenges = super::drawn(0x5a);
        let outside = witness.count_lookups(plan);
        witness.fill_phase2(plan, &challenges);
        let instance = Challenge::rows(&challenges).chain(publics.iter().copied()).collect::<Vec<F>>();
        let broken: Vec<String> = outside
            .iter()
            .map(ToString::to_string)
            .chain(check_witness(plan, &witness, &instance).iter().map(ToString::to_string))
            .collect();
        if let Some(first) = broken.first() {
            return Err(AuditError::Dishonest { count: broken.len(), first: first.clone() });
        }
        let ix = Index::new(plan, roles, &instance);
        let values = witness.values.iter().flatten().copied().collect();
        Ok(Forge {
            ix,
            witness,
            challenges,
            values,
            instance,
            publics: publics.len(),
            effort: EFFORT,
            excuses: true,
            free: roles.free,
        })
    }

    /// Gives up on a change only after so many moves.
    #[must_use]
    pub fn effort(self, effort: usize) -> Self {
        Forge { effort, ..self }
    }

    /// Reports also what is declared to be free.
    #[must_use]
    pub fn without_excuses(self) -> Self {
        Forge { excuses: false, ..self }
    }

    /// As if a limb that no cell holds (by its place in the plan) were not looked up.
    #[must_use]
    pub(crate) fn without_implied(mut self, limb: usize) -> Self {
        self.ix.implied_of.iter_mut().for_each(|limbs| limbs.retain(|&other| other as usize != limb));
        self
    }

    /// Phase-1 cells (column, row) that a cell is computed from.
    pub fn sources(&self, cell: (usize, usize)) -> Vec<(usize, usize)> {
        self.ix.leaves(self.ix.id(cell)).into_iter().map(|cell| self.ix.place(cell)).collect()
    }

    /// Whether a copy (by its place in the plan) is an equation to be checked, not a value handed on.
    pub fn is_equation(&self, copy: usize) -> bool {
        let (a, b) = self.ix.plan.copies[copy];
        !self.ix.assigned[copy] && a.0.max(b.0) >= self.ix.plan.phase1
    }

    /// Cells (column, row) that a search changes: those that constraints read, and those of ops that stand on rows
    /// with such cells. Also the numbers of idle cells and of port cells that must be zero.
    pub fn cells(&self) -> (Vec<(usize, usize)>, usize, usize) {
        let plan = self.ix.plan;
        let multiplicities: HashSet<usize> = plan.tables.iter().map(|t| t.multiplicity).collect();
        let is_read = |cell: CellId| {
            !(self.ix.gates.of(cell).is_empty()
                && self.ix.implied(self.ix.place(cell).0).is_empty()
                && self.ix.copies.of(cell).is_empty()
                && self.ix.publics.of(cell).is_empty()
                && self.ix.readers.of(cell).is_empty())
        };
        let mut live_rows = HashSet::new();
        for column in 0..plan.phase1 {
            for owner in &plan.owners[column] {
                for (cell, row) in owner.all_rows().enumerate() {
                    if is_read(self.ix.id((column, row))) {
                        live_rows.insert((owner.block, cell));
                    }
                }
            }
        }
        let (mut cells, mut idle, mut zero) = (vec![], 0, 0);
        for column in (0..plan.phase1).filter(|c| !multiplicities.contains(c)) {
            for row in 0..self.ix.rows {
                // Idle port cells are not harmless: their column is a statement to the outside.
                let is_port = column < plan.port_rows.len();
                let cell = plan.owner(column, row).and_then(|o| Some((o.block, o.cell(row)?)));
                let is_live = cell.is_some_and(|cell| live_rows.contains(&cell));
                if is_port && !plan.port_rows[column][row] {
                    zero += 1;
                } else if is_port || is_live || is_read(self.ix.id((column, row))) {
                    cells.push((column, row));
                } else {
                    idle += 1;
                }
            }
        }
        (cells, idle, zero)
    }

    /// Searches.
    pub fn search(&self, choice: &Choice) -> Findings {
        self.search_with(choice, &|_, _| ())
    }

    /// Searches, and says after each cell how many of how many are done.
    pub fn search_with(&self, choice: &Choice, progress: &(dyn Fn(usize, usize) + Sync)) -> Findings {
        let (all, idle, zero) = self.cells();
        let total = all.len();
        let mut ops: BTreeMap<String, Coverage> = BTreeMap::new();
        all.iter().for_each(|&cell| ops.entry(self.op(cell)).or_default().cells += 1);
        let chosen = match choice {
            Choice::All => all,
            Choice::Cells(cells) => cells.clone(),
            Choice::Sample(n, seed) => {
                let mut keyed: Vec<(u64, (usize, usize))> =
                    all.into_iter().map(|c| (mix(*seed ^ mix((c.0 * self.ix.rows + c.1) as u64)), c)).collect();
                keyed.sort_unstable();
                keyed.into_iter().take(*n).map(|(_, cell)| cell).collect()
            }
        };
        chosen.iter().for_each(|&cell| ops.entry(self.op(cell)).or_default().tried += 1);
        let done = AtomicUsize::new(0);
        let outcomes: Vec<Outcome> = chosen
            .par_iter()
            .with_min_len(16)
            .map_init(
                || self.state(),
                |state, &cell| {
                    let outcome = self.try_cell(state, cell);
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1, chosen.len());
                    outcome
                },
            )
            .collect();
        let mut findings = Findings {
            cells: total,
            tried: chosen.len(),
            ops,
            idle,
            zero,
            undetermined: self.undetermined(),
            unread_publics: self.unread_publics(),
            lookups_hold: self.lookups_hold(&chosen),
            ..Findings::default()
        };
        let state = self.state();
        for (outcome, &cell) in outcomes.into_iter().zip(&chosen) {
            if outcome.inert {
                *findings.inert.entry(self.name(cell)).or_default() += 1;
            }
            findings.changes += outcome.changes;
            findings.moves += outcome.moves;
            findings.declared += outcome.declared;
            for (caught, n) in outcome.caught {
                let name = match caught {
                    Caught::Phase1(constraint) => state.name(constraint),
                    Caught::Phase2(name) => name,
                };
                *findings.caught.entry(name).or_default() += n;
            }
            findings.unnoticed.extend(outcome.unnoticed);
        }
        findings.unnoticed.sort();
        findings
    }

    /// The first change of one of these cells (column, row) that nothing notices.
    pub fn find(&self, cells: &[(usize, usize)]) -> Option<Unnoticed> {
        cells
            .par_iter()
            .with_min_len(4)
            .map_init(|| self.state(), |state, &cell| self.try_cell(state, cell).unnoticed.into_iter().next())
            .find_map_first(|unnoticed| unnoticed)
    }

    fn state(&self) -> State<'_, 'p, F> {
        State::new(&self.ix, &self.values, &self.instance)
    }

    /// Names a cell by its op and column.
    pub fn name(&self, (column, row): (usize, usize)) -> String {
        self.ix.plan.name_of(column, row)
    }

    /// The op that owns a cell; of padding, what its column holds.
    fn op(&self, (column, row): (usize, usize)) -> String {
        let plan = self.ix.plan;
        plan.owner(column, row).map_or_else(|| pool(&plan.advice[column].name).to_owned(), |owner| owner.op.clone())
    }

    fn undetermined(&self) -> Vec<String> {
        let cells = undetermined(&self.ix, &self.values);
        let named: BTreeMap<String, usize> = cells.into_iter().rev().map(|c| (self.name(c), c.1)).collect();
        named.into_iter().map(|(name, row)| format!("{name}, row {row}")).collect()
    }

    fn unread_publics(&self) -> Vec<usize> {
        // A value that is the same on every row has a column if a gate reads it.
        let read: HashSet<usize> = self.ix.plan.instance_rows().collect();
        let first = Challenge::ALL.len();
        (first..first + self.publics).filter(|row| !read.contains(row)).collect()
    }

    /// Puts an entry of no table into some slots, one at a time, and recomputes everything.
    fn lookups_hold(&self, chosen: &[(usize, usize)]) -> bool {
        if !lookups_are_checked(&self.ix) {
            return false;
        }
        let plan = self.ix.plan;
        let is_slot = |column: usize| self.ix.slot_of.get(column).is_some_and(Option::is_some);
        let looked_up = chosen.iter().filter(|c| is_slot(c.0) || !self.ix.implied(c.0).is_empty());
        let mut slots: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for &cell in looked_up {
            slots.entry(cell.0).or_insert(cell);
        }
        slots.into_values().take(FULL_CHECKS).all(|(column, row)| {
            let mut witness = self.witness.clone();
            witness.values[column][row] += F::from(1 << 13);
            witness.count_lookups(plan);
            witness.fill_phase2(plan, &self.challenges);
            plan.gates.iter().enumerate().filter(|(g, _)| self.ix.class[*g] == Class::Lookup).any(|(_, gate)| {
                let last = plan.usable - 1;
                gate.rows.binary_search(&last).is_ok()
                    && witness.eval(plan, &gate.poly, last, &self.ix.uniform) != F::ZERO
            })
        })
    }

    fn try_cell(&self, state: &mut State<'_, '_, F>, at: (usize, usize)) -> Outcome {
        let cell = self.ix.id(at);
        let is_input = self.ix.input[cell as usize];
        let mut outcome = Outcome::default();
        let mut seen = HashSet::new();
        for change in changes(state, cell) {
            outcome.changes += 1;
            for &(cell, value) in &change.values {
                state.set(cell, value);
            }
            // A projection's input is no constraint of its own: let phase 2 say what breaks.
            let broken = state.broken.iter().find(|c| !matches!(c, Constraint::Result(_))).copied();
            let verdict = match broken {
                Some(constraint) => {
                    *outcome.caught.entry(Caught::Phase1(constraint.anywhere())).or_default() += 1;
                    None
                }
                None => match state.verdict() {
                    Verdict::Source(name) if is_input => Some(Verdict::Caught(name)),
                    Verdict::Free if is_input => {
                        outcome.inert = true;
                        None
                    }
                    verdict => Some(verdict),
                },
            };
            let verdict = match verdict {
                Some(Verdict::Caught(name)) => {
                    *outcome.caught.entry(Caught::Phase2(name)).or_default() += 1;
                    None
                }
                verdict => verdict,
            };
            // What phase 2 catches may be mended if the result of an equation changed.
            let verdict = match verdict {
                None if change.mend && !is_input && !state.broken.is_empty() => {
                    let mut budget = self.effort;
                    let verdict = mend(state, &mut budget);
                    outcome.moves += self.effort - budget;
                    verdict
                }
                verdict => verdict,
            };
            if let Some(verdict) = verdict {
                self.record(state, at, &change.name, verdict, &mut seen, &mut outcome);
            }
            state.undo(0);
        }
        outcome
    }

    fn record(
        &self,
        state: &State<'_, '_, F>,
        at: (usize, usize),
        change: &str,
        verdict: Verdict,
        seen: &mut HashSet<Vec<String>>,
        outcome: &mut Outcome,
    ) {
        let ix = &self.ix;
        let cells: Vec<(usize, usize)> = state.changed().into_iter().map(|c| ix.place(c)).collect();
        if self.excuses && self.free.iter().any(|free| self.is_excused(state, free, &cells)) {
            outcome.declared += 1;
            return;
        }
        let with: Vec<String> = cells.iter().map(|&c| format!("{}, row {}", self.name(c), c.1)).collect();
        // One report for each set of cells.
        if seen.insert(with.clone()) {
            outcome.unnoticed.push(Unnoticed {
                cell: self.name(at),
                row: at.1,
                change: change.to_owned(),
                with,
                downstream: match verdict {
                    Verdict::Source(name) | Verdict::Caught(name) => Some(name),
                    Verdict::Free => None,
                },
            });
        }
    }

    fn is_excused(&self, state: &State<'_, '_, F>, free: &Free, cells: &[(usize, usize)]) -> bool {
        let mut moved = F::ZERO;
        for &(column, row) in cells {
            let Some(owner) = self.ix.plan.owner(column, row) else { return false };
            let is = |name: &&str| owner.column.starts_with(*name);
            if !free.ops.contains(&owner.op.as_str()) {
                return false;
            } else if is(&free.column) {
                let cell = self.ix.id((column, row)) as usize;
                moved += state.values[cell] - state.base[cell];
            } else if !free.along.iter().any(is) {
                return false;
            }
        }
        moved == F::ZERO
    }
}
