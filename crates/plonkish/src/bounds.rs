//! That constraints, which hold modulo p, are equations of integers: no constraint of phase 1 can reach p/2, nor can the
//! difference of a coefficient on the two sides of an equation between projections.
//!
//! What the cells of phase 1 are known to lie within is noted while the circuit is built (`known`). *Open* cells are
//! those that an equation determines: there one side must be made of open cells alone, each a coefficient of its own,
//! and no coefficient of the other side may exceed what is declared of them.
//!
//! The lookup argument is left out: it is an identity of rational functions over the field, which says of cells that they
//! are entries of a table, as field elements. So are the gates that compute projections: they hold whatever the cells are.
//! What the lookup of a limb that no cell holds says is an equation, and counts as a constraint.

use super::block::{Block, Builder};
use super::cells::{Kind, Role};
use super::interval::{Interval, bits, half};
use super::margins::{BoundError, Margin, Margins, shifted};
use super::plan::{DeclaredRange, Global, Owner, Place, Plan, Span};
use super::projections::{Cells, Projections};
use super::ranges::{Basis, Because};
use super::{Field, LIMB_BITS};
use ethnum::U256;
use std::collections::{BTreeSet, HashMap};

/// The most that the degrees of an instance's equations between projections may add up to.
pub const MAX_DEGREE: u64 = 1 << 20;

impl<F: Field> Plan<F> {
    /// Where the integer lies that a phase-1 cell stands for; none if nothing is known.
    pub fn span(&self, column: usize, row: usize) -> Option<&Span> {
        let spans = &self.spans.get(column)?[self.owner(column, row)?.spans.clone()];
        let next = spans.partition_point(|s| s.first <= row);
        spans[..next].last().filter(|s| row < s.end())
    }

    /// Finds out whether the constraints are equations of integers.
    pub fn check_bounds(&self) -> Result<Margins, BoundError> {
        let mut projections = Projections::new(self);
        projections.compute()?;
        let (coefficient, equations, degree) = projections.check_equations()?;
        if degree > MAX_DEGREE {
            return Err(BoundError::Degree { found: degree, max: MAX_DEGREE });
        }
        self.check_ports(&projections.determined)?;
        let constraint = self.check_gates(&projections.determined)?;
        Ok(Margins { constraint, coefficient, equations, degree })
    }

    pub(super) fn cell_name(&self, column: usize, row: usize) -> String {
        format!("`{}`", self.name_of(column, row))
    }

    pub(super) fn unknown(&self, column: usize, row: usize) -> BoundError {
        BoundError::Unknown { cell: self.cell_name(column, row), row }
    }

    /// Whoever reads a port relies on what is declared of its data.
    fn check_ports(&self, determined: &Cells) -> Result<(), BoundError> {
        for (column, data) in self.port_rows.iter().enumerate() {
            for row in (0..data.len()).filter(|&row| data[row]) {
                let span = self.span(column, row).ok_or_else(|| self.unknown(column, row))?;
                if span.basis == Basis::Open && !determined.contains((column, row)) {
                    return Err(BoundError::Undetermined { cell: self.cell_name(column, row), row });
                }
            }
        }
        Ok(())
    }

    /// `determined` holds the open cells that an equation determines.
    fn check_gates(&self, determined: &Cells) -> Result<Margin, BoundError> {
        let (half, mut largest, mut place) = (half::<F>(), U256::ZERO, String::new());
        let gates = self.gates.iter().filter(|gate| gate.role == Role::Phase1);
        let gates = gates.map(|gate| (&gate.name, &gate.poly, &gate.rows[..], Interval::ZERO));
        let everywhere: Vec<usize> = (0..self.usable).collect();
        let limb = Interval::new(1 - (1 << LIMB_BITS), 0);
        let implied = self.implied.iter().map(|implied| (&implied.name, &implied.form, &everywhere[..], limb));
        for (name, poly, mut rows, less) in gates.chain(implied) {
            let cells = poly.distinct_cells();
            while let Some(&row) = rows.first() {
                // Rows on which all cells stay within the spans of this one.
                let (mut end, mut ranges) = (usize::MAX, HashMap::new());
                for &(column, rotation) in &cells {
                    let Global::Advice(a) = column else { continue };
                    if a >= self.phase1 {
                        return Err(BoundError::Phase2 { gate: name.clone() });
                    }
                    let at = shifted(row, rotation);
                    let span = self.span(a, at).ok_or_else(|| self.unknown(a, at))?;
                    end = end.min(shifted(span.end(), -rotation));
                    ranges.insert((column, rotation), span.interval);
                }
                let (here, rest) = rows.split_at(rows.partition_point(|&r| r < end));
                rows = rest;
                for &(column, rotation) in &cells {
                    match column {
                        Global::Fixed(f) => {
                            let values = here.iter().map(|&r| Interval::of(self.fixed[f][r]));
                            ranges.extend(values.reduce(Interval::hull).map(|hull| ((column, rotation), hull)));
                        }
                        Global::Advice(a)
                            if self.span(a, shifted(row, rotation)).is_some_and(|s| s.basis == Basis::Open) =>
                        {
                            let mut at = here.iter().map(|&r| shifted(r, rotation));
                            if let Some(row) = at.find(|&at| !determined.contains((a, at))) {
                                return Err(BoundError::Undetermined { cell: self.cell_name(a, row), row });
                            }
                        }
                        Global::Uniform(u) => {
                            let range = self.uniform_range(u);
                            ranges.extend(range.map(|range| ((column, rotation), range)));
                        }
                        Global::Advice(_) => {}
                    }
                }
                let interval = poly.interval(&|column, rotation| ranges.get(&(column, rotation)).copied());
                let interval = interval.and_then(|interval| interval.plus(less));
                match interval.map(Interval::magnitude).filter(|m| *m <= half) {
                    Some(magnitude) if magnitude > largest => (largest, place) = (magnitude, name.clone()),
                    Some(_) => {}
                    None => return Err(BoundError::Gate { gate: name.clone(), row }),
                }
            }
        }
        Ok(Margin { bits: bits(largest), place })
    }
}

/// Where the integers in each phase-1 column lie, from what is known of the columns of blocks.
pub(super) fn spans<F: Field, V>(
    builder: &Builder<F, V>,
    places: &[Place],
    columns: &[Vec<Global>],
    owners: &mut [Vec<Owner>],
    phase1: usize,
) -> Vec<Vec<Span>> {
    let mut known: HashMap<(usize, usize), Vec<Span>> = HashMap::new();
    for (b, (block, place)) in builder.blocks.iter().zip(places).enumerate() {
        for (i, column) in block.columns.iter().enumerate() {
            let Global::Advice(a) = columns[b][i] else { continue };
            let Some(interval) = builder.column_interval(b, i).filter(|_| a < phase1) else { continue };
            let basis = column.known.as_ref().map_or(Basis::Firm, |known| known.basis);
            let span = |(first, rows)| Span { first: place.at(i, first), rows, stride: place.stride, interval, basis };
            known.insert((a, place.at(i, 0)), known_rows(block, i).into_iter().map(span).collect());
        }
    }
    let of_owners = |(column, owners): (usize, &mut Vec<Owner>)| {
        let mut spans = vec![];
        for owner in owners {
            let first = spans.len();
            spans.extend(known.remove(&(column, owner.first)).unwrap_or_default());
            owner.spans = first..spans.len();
        }
        spans
    };
    owners[..phase1].iter_mut().enumerate().map(of_owners).collect()
}

/// Stretches (first row, number of rows) of a column of which something is known.
fn known_rows<F>(block: &Block<F>, column: usize) -> Vec<(usize, usize)> {
    let rows: &[bool] = block.columns[column].known.as_ref().map_or(&[], |known| &known.rows);
    if rows.is_empty() {
        return vec![(0, block.rows)];
    }
    let mut stretches: Vec<(usize, usize)> = vec![];
    for row in (0..rows.len()).filter(|&row| rows[row]) {
        match stretches.last_mut() {
            Some((first, count)) if *first + *count == row => *count += 1,
            _ => stretches.push((row, 1)),
        }
    }
    stretches
}

/// The declared ranges, once for each op, column and range.
pub(super) fn declared<F: Field, V>(builder: &Builder<F, V>) -> Vec<DeclaredRange> {
    let mut found = BTreeSet::new();
    for block in &builder.blocks {
        for column in &block.columns {
            let Some((known, because)) = column.known.as_ref().and_then(|k| Some((k, k.because?))) else { continue };
            let because = match because {
                Because::Shown(by) => format!("shown by: {by}"),
                Because::Equation => "an equation between projections".to_owned(),
                Because::Outside(by) => format!("from outside: {by}"),
            };
            let place = if matches!(column.kind, Kind::Port(..)) { "port " } else { "" };
            found.insert(DeclaredRange {
                op: block.op.clone(),
                column: format!("{place}{}", column.name.trim_end_matches(|c: char| c.is_ascii_digit())),
                range: known.interval.to_string(),
                because,
            });
        }
    }
    for (row, (name, declared)) in &builder.publics_known {
        let Because::Outside(by) = declared.because else { continue };
        let (column, range) = (format!("row {row}, {name}"), declared.interval.to_string());
        found.insert(DeclaredRange { op: "instance".into(), column, range, because: format!("from outside: {by}") });
    }
    found.into_iter().collect()
}
