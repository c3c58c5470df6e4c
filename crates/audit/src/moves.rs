//! How a forger mends a broken constraint: by solving it for one cell, or for the digits of an integer.

use super::index::{CellId, small};
use super::state::{Constraint, State, Verdict};
use plonkish::Field;

/// Cells to be given values.
pub(super) type Move<F> = Vec<(CellId, F)>;

/// An untouched digit of a constraint, with its coefficient at the present values.
struct Term<F> {
    cell: CellId,
    coefficient: F,
    /// Largest value.
    cap: u64,
    /// The integer, and the digit's place in it.
    family: (u32, u32),
}

/// Whether a forger may change a cell to mend something.
fn may_change<F: Field>(state: &State<'_, '_, F>, cell: CellId) -> bool {
    let ix = state.ix;
    let (column, row) = ix.place(cell);
    column < ix.plan.phase1
        && !state.is_touched(cell)
        && !ix.input[cell as usize]
        // The second component of a pair follows the first.
        && (ix.slot_of[column].is_none() || ix.is_first_component(cell))
        && ix.plan.owner(column, row).is_some()
}

/// Ways to mend a constraint.
fn moves<F: Field>(state: &mut State<'_, '_, F>, constraint: Constraint) -> Vec<Move<F>> {
    let cells: Vec<CellId> = state.cells_of(constraint).into_iter().filter(|&c| may_change(state, c)).collect();
    if let Constraint::Copy(_) = constraint {
        let ends = state.cells_of(constraint);
        let other = |cell: CellId| if ends[0] == cell { ends[1] } else { ends[0] };
        return cells.into_iter().map(|cell| vec![(cell, state.value(other(cell)))]).collect();
    }
    let mut moves = digit_moves(state, constraint, &cells);
    let residue = state.residue(constraint);
    let slopes = state.slopes(constraint);
    let terms = digits_of(state, &slopes, &cells);
    let families = families(&terms);
    let plain = cells.iter().filter_map(|cell| slopes.iter().find(|s| s.0 == *cell && state.ix.cap(s.0).is_none()));
    for &(cell, coefficient) in plain {
        moves.extend(families.iter().filter_map(|family| divide(state, family, residue, (cell, coefficient))));
        let inverse: Option<F> = coefficient.invert().into();
        moves.extend(inverse.map(|inverse| vec![(cell, state.value(cell) - residue * inverse)]));
    }
    // Other cases of a case distinction.
    let flags = cells.iter().map(|&c| (c, state.ix.cases(c))).filter(|(c, cases)| cases.contains(&state.value(*c)));
    let flags: Vec<(CellId, &[F])> = flags.collect();
    if flags.len() <= MOST_FLAGS {
        let choose = |chosen: Vec<Move<F>>, &(flag, cases): &(CellId, &[F])| {
            let with = |case: F| chosen.iter().map(move |m| m.iter().copied().chain([(flag, case)]).collect());
            cases.iter().flat_map(|&case| with(case)).collect::<Vec<Move<F>>>()
        };
        for mut cases in flags.iter().fold(vec![vec![]], choose) {
            cases.retain(|&(flag, case)| case != state.value(flag));
            if !cases.is_empty() {
                let digits = state.supposing(&cases, |state| digit_moves(state, constraint, &cells));
                moves.extend(digits.into_iter().map(|m| cases.iter().copied().chain(m).collect::<Move<F>>()));
            }
        }
    }
    moves
}

/// Most flags of a constraint that are changed together.
const MOST_FLAGS: usize = 2;

fn digits_of<F: Field>(state: &State<'_, '_, F>, slopes: &[(CellId, F)], cells: &[CellId]) -> Vec<Term<F>> {
    let term = |&(cell, coefficient): &(CellId, F)| {
        let cap = state.ix.cap(cell)?;
        cells.contains(&cell).then(|| Term { cell, coefficient, cap, family: state.ix.family(cell) })
    };
    let mut terms: Vec<Term<F>> = slopes.iter().filter_map(term).collect();
    // The least digit first: the others' coefficients are multiples of its own.
    terms.sort_by_key(|t| t.family);
    terms
}

/// The digits of each integer.
fn families<F: Field>(terms: &[Term<F>]) -> Vec<Vec<&Term<F>>> {
    let mut families: Vec<Vec<&Term<F>>> = vec![];
    for term in terms {
        match families.iter_mut().find(|f| f[0].family.0 == term.family.0) {
            Some(family) => family.push(term),
            None => families.push(vec![term]),
        }
    }
    families
}

/// Ways to mend a constraint by its digits: one integer, or all of them, first those in use.
fn digit_moves<F: Field>(state: &State<'_, '_, F>, constraint: Constraint, cells: &[CellId]) -> Vec<Move<F>> {
    let residue = state.residue(constraint);
    let terms = digits_of(state, &state.slopes(constraint), cells);
    let mut sets = families(&terms);
    sets.push(terms.iter().filter(|t| state.value(t.cell) != F::ZERO).collect());
    sets.push(terms.iter().collect());
    let mut moves: Vec<Move<F>> = vec![];
    for set in sets {
        if let Some(m) = decompose(state, &set, residue)
            && !m.is_empty()
            && !moves.contains(&m)
        {
            moves.push(m);
        }
    }
    moves
}

/// Solves for digits, greatest coefficient first: `Σ c_i·digit_i = Σ c_i·present_i − residue`.
fn decompose<F: Field>(state: &State<'_, '_, F>, digits: &[&Term<F>], residue: F) -> Option<Move<F>> {
    // The unit: a coefficient of which the others are multiples.
    digits.iter().find_map(|unit| {
        let scaled = Scaled::by(state, digits, residue, unit.coefficient)?;
        scaled.digits(state, small(scaled.target)?)
    })
}

/// Division: the quotient in a cell without a table, the remainder in digits.
fn divide<F: Field>(
    state: &State<'_, '_, F>,
    digits: &[&Term<F>],
    residue: F,
    (cell, coefficient): (CellId, F),
) -> Option<Move<F>> {
    let unit = digits.iter().map(|t| t.coefficient).next()?;
    let scaled = Scaled::by(state, digits, residue, unit)?;
    let inverse: Option<F> = unit.invert().into();
    let ratio = coefficient * inverse?;
    let (divisor, sign) = small(ratio).map(|d| (d, F::ONE)).or_else(|| small(-ratio).map(|d| (d, -F::ONE)))?;
    if divisor < 2 {
        return None;
    }
    let (quotient, remainder) = match (small(scaled.target), small(-scaled.target)) {
        (Some(target), _) => (F::from_u128(target / divisor), target % divisor),
        (None, Some(less)) => (-F::from_u128(less.div_ceil(divisor)), (divisor - less % divisor) % divisor),
        (None, None) => return None,
    };
    let mut found = scaled.digits(state, remainder)?;
    found.push((cell, state.value(cell) + sign * quotient));
    Some(found)
}

/// Digits with coefficients that are small integers, and the sum that they should have.
struct Scaled<'t, F> {
    digits: Vec<(u128, &'t Term<F>)>,
    target: F,
}

impl<'t, F: Field> Scaled<'t, F> {
    fn by(state: &State<'_, '_, F>, digits: &[&'t Term<F>], residue: F, unit: F) -> Option<Self> {
        let inverse: Option<F> = unit.invert().into();
        let inverse = inverse?;
        let mut digits: Vec<(u128, &Term<F>)> =
            digits.iter().filter_map(|t| small(t.coefficient * inverse).map(|ratio| (ratio, *t))).collect();
        digits.sort_by_key(|(ratio, _)| std::cmp::Reverse(*ratio));
        let present = |sum: F, (ratio, t): &(u128, &Term<F>)| sum + F::from_u128(*ratio) * state.value(t.cell);
        let target = digits.iter().fold(-residue * inverse, present);
        Some(Scaled { digits, target })
    }

    /// The digits of `rest`, where they are not so already.
    fn digits(&self, state: &State<'_, '_, F>, mut rest: u128) -> Option<Move<F>> {
        let mut found = vec![];
        for (ratio, term) in &self.digits {
            let digit = (rest / ratio).min(u128::from(term.cap));
            rest -= digit * ratio;
            let digit = F::from_u128(digit);
            if digit != state.value(term.cell) {
                found.push((term.cell, digit));
            }
        }
        (rest == 0).then_some(found)
    }
}

/// Mends what is broken, at most `budget` moves, until phase 1 is satisfied and phase 2 does not notice. The changes of
/// a success are left in the state.
pub(super) fn mend<F: Field>(state: &mut State<'_, '_, F>, budget: &mut usize) -> Option<Verdict> {
    if state.broken.is_empty() {
        let verdict = state.verdict();
        return (!matches!(verdict, Verdict::Caught(_))).then_some(verdict);
    }
    if *budget == 0 {
        return None;
    }
    *budget -= 1;
    // The constraint with the fewest cells left; hopeless if one has none.
    let mut tightest: Option<(usize, Constraint)> = None;
    for &constraint in &state.broken {
        let left = match constraint {
            Constraint::Table(..) | Constraint::Public(_) => 0,
            _ => state.cells_of(constraint).into_iter().filter(|&c| may_change(state, c)).count(),
        };
        if left == 0 {
            return None;
        }
        if tightest.is_none_or(|(least, _)| left < least) {
            tightest = Some((left, constraint));
        }
    }
    let (_, constraint) = tightest?;
    for m in moves(state, constraint) {
        let keep = state.changes();
        for &(cell, value) in &m {
            state.set_with_pair(cell, value);
        }
        if !state.broken.contains(&constraint)
            && let Some(verdict) = mend(state, budget)
        {
            return Some(verdict);
        }
        state.undo(keep);
        if *budget == 0 {
            return None;
        }
    }
    None
}
