//! From packed blocks to a plan: global columns, gates with selectors, the lookup argument.

mod gates;
mod layout;
mod lookup;
mod merge;

use super::assign::Circuit;
use super::block::{Block, Builder, LocalImplied};
use super::bounds::{declared, spans};
use super::cells::{Cell, Col, Local, Port};
use super::owner::owners;
use super::pack::{Packing, Pool, pack};
use super::plan::{Global, ImpliedLimb, Place, Plan, uniform_column};
use super::ranges::Declared;
use super::{Expr, Field, Witness};
use gates::Gates;
use layout::Layout;
use lookup::Lookups;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

impl<F: Field> Builder<F> {
    /// The plan, and the witness of the values that were set.
    pub fn compile_filled(self) -> (Plan<F>, Witness<F>) {
        let circuit = self.compile();
        let witness = circuit.fill(&()).expect("what is set has no range to leave");
        (Arc::unwrap_or_clone(circuit.plan), witness)
    }
}

impl<F: Field, V> Builder<F, V> {
    /// Packs the blocks into the grid.
    ///
    /// # Panics
    /// On a malformed circuit: a bug of an op, never of its values.
    pub fn compile(mut self) -> Circuit<F, V> {
        let fills = std::mem::take(&mut self.fills);
        Circuit::new(self.plan(), fills)
    }

    /// Packs and compiles.
    pub(super) fn plan(mut self) -> Plan<F> {
        self.check_order();
        self.check_rows();
        let (k, usable) = (self.k, self.usable());
        let Packing { places, sizes, .. } = pack(&self, usable);
        let fixed = sizes[&Pool::Fixed];
        let mut layout = Layout::new(&self, sizes, usable);
        let mut gates = Gates::new(usable, fixed);
        let mut columns: Vec<Vec<Global>> =
            self.blocks.iter().zip(&places).map(|(block, place)| layout.columns(block, place)).collect();
        let placed = Placed { builder: &self, layout: &layout, places: &places, columns: &columns };

        placed.add_constants(&mut gates);
        placed.add_gates(&mut gates);
        let tags = placed.add_tags(&mut gates);
        let (port_rows, ops) = (placed.port_rows(usable), placed.ops());

        let mut implied = placed.implied();
        let mut lookups = lookup::add(&mut layout, &mut gates, (&tags, &implied), usable);
        let (mut fixed_columns, mut gates) = gates.finish();
        let mut port_flags = port_flags(&self.ports, &port_rows, &mut fixed_columns);
        let merged = merge::equal(fixed_columns);
        merged.rename((&mut gates, &mut implied), &mut columns, &mut lookups, &mut port_flags);
        let Lookups { helpers, tables, running, positions } = lookups;
        let (mut owners, constants) =
            owners(&self.blocks, &places, &columns, (layout.advice.len(), merged.of_first(fixed)));
        let spans = spans(&self, &places, &columns, &mut owners, layout.phase1);
        let declared = declared(&self);
        let Layout { advice, phase1, uniform, .. } = layout;
        let of_public =
            |(&row, (name, declared)): (&usize, &(String, Declared))| (row, (name.clone(), declared.interval));
        let uniform_publics = self.publics_known.iter().map(of_public).collect();
        let mut plan = Plan {
            k,
            usable,
            advice,
            phase1,
            fixed: merged.columns,
            gates,
            copies: vec![],
            publics: vec![],
            ports: self.ports,
            port_rows,
            port_flags,
            ops,
            owners,
            constants,
            spans,
            declared,
            faults: self.faults,
            assignments: vec![],
            implied,
            helpers,
            tables,
            running,
            uniform,
            uniform_publics,
            table_rows: positions,
            places,
            columns,
        };
        plan.connect(&self.copies, &self.publics);
        plan.assignments = self.steps.iter().map(|step| plan.assignment(step)).collect();
        plan.assert_well_formed();
        plan
    }
}

impl<F: Field> Plan<F> {
    /// Copies, and the cells that equal rows of the instance.
    fn connect(&mut self, copies: &[(Cell, Cell)], publics: &[(Cell, usize)]) {
        self.copies = copies.iter().map(|&(a, b)| (self.locate(a), self.locate(b))).collect();
        self.publics = publics.iter().map(|&(cell, row)| (self.locate(cell), row)).collect();
        let cells = self.copies.iter().flat_map(|(a, b)| [a, b]).chain(self.publics.iter().map(|(cell, _)| cell));
        for &(column, _) in cells {
            self.advice[column].equality = true;
        }
    }
}

/// The fixed columns that say where port columns are zero, shared by those that are zero on the same rows.
fn port_flags<F: Field>(ports: &[Port], port_rows: &[Vec<bool>], fixed: &mut Vec<Vec<F>>) -> Vec<usize> {
    let canonical = ports.iter().flat_map(|port| std::iter::repeat_n(port.blinding.is_canonical(), port.columns));
    let mut columns = HashMap::new();
    let flag = |(canonical, rows): (bool, &Vec<bool>)| {
        // Which of the two conditions a flag is for is told by the port, so that equal flags may serve both.
        let flags: Vec<bool> = rows.iter().map(|&data| data == canonical).collect();
        let next = fixed.len();
        *columns.entry(flags).or_insert_with_key(|flags| {
            fixed.push(flags.iter().map(|&flag| if flag { F::ONE } else { F::ZERO }).collect());
            next
        })
    };
    canonical.zip(port_rows).map(flag).collect()
}

/// A builder's blocks where they stand.
struct Placed<'a, F, V> {
    builder: &'a Builder<F, V>,
    layout: &'a Layout,
    places: &'a [Place],
    columns: &'a [Vec<Global>],
}

impl<F: Field, V> Placed<'_, F, V> {
    fn advice(&self, block: usize, column: usize) -> usize {
        match self.columns[block][column] {
            Global::Advice(a) => a,
            Global::Fixed(_) | Global::Uniform(_) => unreachable!("lookups and ports are advice"),
        }
    }

    /// The values of the blocks' fixed columns.
    fn add_constants(&self, gates: &mut Gates<F>) {
        for (b, block) in self.builder.blocks.iter().enumerate() {
            for (column, global) in block.columns.iter().zip(&self.columns[b]) {
                if let Global::Fixed(f) = *global {
                    for (row, value) in column.constants.iter().enumerate() {
                        gates.fixed(f)[self.places[b].base(row)] = *value;
                    }
                }
            }
        }
    }

    fn add_gates(&self, gates: &mut Gates<F>) {
        for (b, block) in self.builder.blocks.iter().enumerate() {
            for gate in &block.gates {
                gates.add_stated(
                    gate.stated,
                    gate.role,
                    format!("{}: {}", block.op, gate.name),
                    self.of_grid(b, &gate.poly),
                    gate.rows.iter().map(|&row| self.places[b].base(row)),
                );
            }
        }
    }

    /// An expression of a block over the grid's columns.
    fn of_grid(&self, block: usize, poly: &Local<F>) -> Expr<F, Global> {
        poly.map(&|column, rotation| match column {
            Col::Local(i) => (self.columns[block][i], self.places[block].rotation_from_base((i, rotation))),
            Col::Uniform(value) => (uniform_column(&self.layout.uniform, value), 0),
        })
    }

    /// The limbs that no cell holds.
    fn implied(&self) -> Vec<ImpliedLimb<F>> {
        let blocks = self.builder.blocks.iter().enumerate();
        let of_block = |(b, block): (usize, &'_ Block<F>)| {
            let limb = |limb: &LocalImplied<F>| ImpliedLimb {
                name: format!("{}: {}", block.op, limb.name),
                form: self.of_grid(b, &limb.form),
                stated: limb.stated,
            };
            block.implied.iter().map(limb).collect::<Vec<_>>()
        };
        blocks.flat_map(of_block).collect()
    }

    /// Fixed columns that say in which table a pair is looked up; 0 where nothing is.
    fn add_tags(&self, gates: &mut Gates<F>) -> Vec<usize> {
        let tags: Vec<usize> = (0..self.layout.pairs()).map(|_| gates.fixed_column()).collect();
        for (b, block) in self.builder.blocks.iter().enumerate() {
            for lookup in &block.lookups {
                let column = tags[self.layout.pair_of(self.advice(b, lookup.x))];
                for &row in &lookup.rows {
                    gates.fixed(column)[self.places[b].at(lookup.x, row)] = F::from(lookup.tag);
                }
            }
        }
        tags
    }

    /// For each port column, the rows on which data stands. All others, carry rows too, must be zero like idle ones.
    fn port_rows(&self, usable: usize) -> Vec<Vec<bool>> {
        let total: usize = self.builder.ports.iter().map(|p| p.columns).sum();
        let mut rows = vec![vec![false; usable]; total];
        for (b, block) in self.builder.blocks.iter().enumerate() {
            for (i, column) in block.columns.iter().enumerate() {
                for row in (0..column.data.len()).filter(|&row| column.data[row]) {
                    rows[self.advice(b, i)][self.places[b].at(i, row)] = true;
                }
            }
        }
        rows
    }

    /// For each op, the advice cells of its blocks.
    fn ops(&self) -> BTreeMap<String, usize> {
        let mut ops = BTreeMap::new();
        for (b, block) in self.builder.blocks.iter().enumerate() {
            let advice = self.columns[b].iter().filter(|column| matches!(column, Global::Advice(_))).count();
            if advice > 0 {
                *ops.entry(block.op.clone()).or_insert(0) += advice * block.rows;
            }
        }
        ops
    }
}
