//! Gates as a program over columns: equal parts of expressions are computed once, and each instruction runs over some
//! rows at a time.

use super::Scalar;
use backend::gates::{Constraint, Gates, Node};
use plonkish::{Global, Selector};
use std::collections::HashMap;

/// Rows that an instruction runs over: enough to hide what an instruction costs, few enough for the nearest cache.
pub const LANE: usize = 64;

/// Where an instruction reads from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operand {
    Register(usize),
    /// A column, and the rotation.
    Column(Global, i32),
}

#[derive(Clone, Debug)]
enum Instruction<F> {
    Constant {
        to: usize,
        value: F,
    },
    Add {
        to: usize,
        a: Operand,
        b: Operand,
    },
    Subtract {
        to: usize,
        a: Operand,
        b: Operand,
    },
    Multiply {
        to: usize,
        a: Operand,
        b: Operand,
    },
    Scale {
        to: usize,
        a: Operand,
        by: F,
    },
    /// Adds a gate's value, times its weight, to the sum of those of its selector.
    Weigh {
        to: usize,
        a: Operand,
        gate: usize,
        first: bool,
    },
    /// Adds that sum, times the selector, to an output.
    Emit {
        output: usize,
        selector: Option<Factor<F>>,
        sum: usize,
    },
}

/// A selector: its fixed column, and the values that it does not select.
#[derive(Clone, Debug)]
struct Factor<F> {
    column: usize,
    others: Vec<F>,
}

/// Gates, compiled.
#[derive(Clone, Debug)]
pub struct Program<F> {
    instructions: Vec<Instruction<F>>,
    registers: usize,
}

/// The columns that a program reads, as far as some rows and their neighbours reach.
pub trait Columns<F>: Sync {
    /// The values of a column on `LANE` rows from `row` on, rotated.
    fn lane(&self, column: Global, row: usize, rotation: i32) -> &[F];
}

/// Gates of one selector and one output: number and node of each.
struct Group {
    selector: Option<Selector>,
    output: usize,
    gates: Vec<(usize, usize)>,
}

/// Gives registers to nodes, and takes them back after their last use.
struct Registers {
    free: Vec<usize>,
    count: usize,
}

impl Registers {
    fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        })
    }
}

impl<F: Scalar> Program<F> {
    /// Compiles some constraints: of each its number, which its weight goes by, and the output that it is added to.
    pub fn new(gates: &Gates<F>, constraints: impl IntoIterator<Item = (usize, usize)>) -> Self {
        // Gates of one selector and output are weighed together, so that the selector is multiplied with once.
        let mut groups: Vec<Group> = vec![];
        let mut group_of = HashMap::new();
        for (number, output) in constraints {
            let Constraint { selector, node } = gates.constraints[number];
            let group = *group_of.entry((selector, output)).or_insert(groups.len());
            if group == groups.len() {
                groups.push(Group { selector, output, gates: vec![] });
            }
            groups[group].gates.push((number, node));
        }
        Self::assemble(&gates.nodes, &groups)
    }

    fn assemble(nodes: &[Node<F>], groups: &[Group]) -> Self {
        let mut uses = vec![0usize; nodes.len()];
        groups.iter().flat_map(|group| &group.gates).for_each(|&(_, node)| uses[node] += 1);
        // Operands stand before what uses them; nodes that nothing needs use nothing.
        for node in (0..uses.len()).rev() {
            if uses[node] > 0 {
                nodes[node].operands().for_each(|operand| uses[operand] += 1);
            }
        }
        let mut assembly = Assembly {
            nodes,
            uses,
            place: vec![None; nodes.len()],
            registers: Registers { free: vec![], count: 0 },
            instructions: vec![],
        };
        for Group { selector, output, gates } in groups {
            let mut sum = None;
            for &(gate, node) in gates {
                let a = assembly.compute(node);
                let (to, first) = (*sum.get_or_insert_with(|| assembly.registers.take()), gate == gates[0].0);
                assembly.instructions.push(Instruction::Weigh { to, a, gate, first });
                assembly.used(node);
            }
            if let Some(sum) = sum {
                let selector = selector.map(|s| Factor { column: s.column, others: s.others().collect() });
                assembly.instructions.push(Instruction::Emit { output: *output, selector, sum });
                assembly.registers.free.push(sum);
            }
        }
        Program { instructions: assembly.instructions, registers: assembly.registers.count }
    }

    /// Room for running.
    pub fn registers(&self) -> Vec<Vec<F>> {
        vec![vec![F::ZERO; LANE]; self.registers]
    }

    /// Adds the weighed gates on `LANE` rows from `row` on to `outputs`, each of `LANE` values.
    pub fn run(
        &self,
        columns: &impl Columns<F>,
        row: usize,
        weights: &[F],
        registers: &mut [Vec<F>],
        outputs: &mut [F],
    ) {
        for instruction in &self.instructions {
            // The target leaves its place while others are read; no instruction reads its own target.
            let (Instruction::Constant { to, .. }
            | Instruction::Add { to, .. }
            | Instruction::Subtract { to, .. }
            | Instruction::Multiply { to, .. }
            | Instruction::Scale { to, .. }
            | Instruction::Weigh { to, .. }
            | Instruction::Emit { sum: to, .. }) = instruction;
            let mut target = std::mem::take(&mut registers[*to]);
            let read = |operand: &Operand| -> &[F] {
                match operand {
                    Operand::Register(register) => &registers[*register],
                    Operand::Column(column, rotation) => columns.lane(*column, row, *rotation),
                }
            };
            match instruction {
                Instruction::Constant { value, .. } => target.fill(*value),
                Instruction::Add { a, b, .. } => combine(&mut target, read(a), read(b), |a, b| *a + b),
                Instruction::Subtract { a, b, .. } => combine(&mut target, read(a), read(b), |a, b| *a - b),
                Instruction::Multiply { a, b, .. } => combine(&mut target, read(a), read(b), |a, b| *a * b),
                Instruction::Scale { a, by, .. } => {
                    target.iter_mut().zip(read(a)).for_each(|(to, a)| *to = *a * by);
                }
                Instruction::Weigh { a, gate, first, .. } => {
                    let weight = &weights[*gate];
                    let values = target.iter_mut().zip(read(a));
                    if *first {
                        values.for_each(|(to, a)| *to = *a * weight);
                    } else {
                        values.for_each(|(to, a)| *to += &(*a * weight));
                    }
                }
                Instruction::Emit { output, selector, .. } => {
                    let output = outputs[output * LANE..(output + 1) * LANE].iter_mut().zip(&target);
                    match selector {
                        None => output.for_each(|(out, sum)| *out += sum),
                        Some(Factor { column, others }) => {
                            let cells = columns.lane(Global::Fixed(*column), row, 0);
                            output.zip(cells).for_each(|((out, sum), cell)| {
                                *out += &others.iter().fold(*sum * cell, |product, other| product * (*other - cell));
                            });
                        }
                    }
                }
            }
            registers[*to] = target;
        }
    }
}

fn combine<F: Scalar>(to: &mut [F], a: &[F], b: &[F], f: impl Fn(&F, &F) -> F) {
    for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
        *to = f(a, b);
    }
}

struct Assembly<'n, F> {
    nodes: &'n [Node<F>],
    /// Uses that are still to come.
    uses: Vec<usize>,
    place: Vec<Option<usize>>,
    registers: Registers,
    instructions: Vec<Instruction<F>>,
}

impl<F: Scalar> Assembly<'_, F> {
    /// Computes a node, unless it is computed already, and says where it is.
    fn compute(&mut self, node: usize) -> Operand {
        if let Node::Cell(column, rotation) = self.nodes[node] {
            return Operand::Column(column, rotation);
        }
        if let Some(register) = self.place[node] {
            return Operand::Register(register);
        }
        let of = |this: &mut Self, (a, b): (usize, usize)| (this.compute(a), this.compute(b));
        let instruction = match self.nodes[node] {
            Node::Cell(column, rotation) => return Operand::Column(column, rotation),
            Node::Constant(value) => Instruction::Constant { to: 0, value },
            Node::Add(a, b) => {
                let (a, b) = of(self, (a, b));
                Instruction::Add { to: 0, a, b }
            }
            Node::Subtract(a, b) => {
                let (a, b) = of(self, (a, b));
                Instruction::Subtract { to: 0, a, b }
            }
            Node::Multiply(a, b) => {
                let (a, b) = of(self, (a, b));
                Instruction::Multiply { to: 0, a, b }
            }
            Node::Scale(a, by) => Instruction::Scale { to: 0, a: self.compute(a), by },
        };
        // Taken before the operands' registers are free, so that it is none of theirs.
        let register = self.registers.take();
        self.instructions.push(instruction.to(register));
        self.nodes[node].operands().for_each(|operand| self.used(operand));
        self.place[node] = Some(register);
        Operand::Register(register)
    }

    fn used(&mut self, node: usize) {
        self.uses[node] -= 1;
        if self.uses[node] == 0
            && let Some(register) = self.place[node].take()
        {
            self.registers.free.push(register);
        }
    }
}

impl<F> Instruction<F> {
    fn to(mut self, register: usize) -> Self {
        match &mut self {
            Instruction::Constant { to, .. }
            | Instruction::Add { to, .. }
            | Instruction::Subtract { to, .. }
            | Instruction::Multiply { to, .. }
            | Instruction::Scale { to, .. }
            | Instruction::Weigh { to, .. }
            | Instruction::Emit { sum: to, .. } => *to = register,
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backend::testing::{expression, selector};
    use ff::Field;
    use pasta_curves::Fp;
    use plonkish::Expr;
    use proptest::prelude::*;

    const ROWS: usize = 2 * LANE;
    /// Rows before and after that rotations reach.
    const REACH: usize = 2;

    struct Grid {
        advice: Vec<Vec<Fp>>,
        fixed: Vec<Vec<Fp>>,
    }

    impl Columns<Fp> for Grid {
        fn lane(&self, column: Global, row: usize, rotation: i32) -> &[Fp] {
            let first = (REACH + row).wrapping_add_signed(rotation as isize);
            match column {
                Global::Advice(column) => &self.advice[column][first..first + LANE],
                Global::Fixed(column) => &self.fixed[column][first..first + LANE],
                Global::Uniform(_) => unreachable!("expressions of the test read none"),
            }
        }
    }

    proptest! {
        #[test]
        fn programs_compute_what_expressions_say(
            constraints in prop::collection::vec((expression(), prop::option::of(selector()), 0..2usize), 1..6),
            seed in any::<u64>(),
        ) {
            let value = |i: usize| (Fp::from(seed) + Fp::from(i as u64 + 1)).square().square() + Fp::from(3);
            let column = |c: usize| (0..ROWS + 2 * REACH).map(|row| value(1000 * c + row)).collect::<Vec<_>>();
            let grid = Grid { advice: (0..3).map(column).collect(), fixed: (3..5).map(column).collect() };
            let weights: Vec<Fp> = (0..constraints.len()).map(|i| value(9000 + i)).collect();
            let outputs: Vec<usize> = constraints.iter().map(|c| c.2).collect();
            let gates = Gates::new(constraints.iter().map(|(poly, selector, _)| (*selector, poly.clone())));
            let program = Program::new(&gates, outputs.iter().copied().enumerate());
            let mut registers = program.registers();
            for first in [0, LANE] {
                let mut found = vec![Fp::ONE; 2 * LANE];
                program.run(&grid, first, &weights, &mut registers, &mut found);
                for row in 0..LANE {
                    let cell = |column: Global, rotation: i32| grid.lane(column, first, rotation)[row];
                    for output in 0..2 {
                        let of_output = constraints.iter().zip(&weights).zip(&outputs).filter(|(_, o)| **o == output);
                        let sum = of_output.fold(Fp::ONE, |sum, (((poly, selector, _), weight), _)| {
                            let selector = selector.map_or(Fp::ONE, |selector| selector.poly().eval(&cell));
                            sum + *weight * selector * poly.eval(&cell)
                        });
                        prop_assert_eq!(found[output * LANE + row], sum);
                    }
                }
            }
        }
    }

    /// Equal parts are computed once, and what nothing needs is not computed.
    #[test]
    fn a_program_is_short() {
        let x = |rotation| Expr::<Fp, Global>::Cell(Global::Advice(0), rotation);
        let product = || x(0) * x(1);
        let selector = Some(Selector { column: 0, value: 1, values: 1 });
        let gates = Gates::new([(selector, product() - x(2)), (selector, product() * product() + Expr::int(0))]);
        let program = Program::new(&gates, [(0, 0), (1, 0)]);
        // A product, a difference, a square; two gates are weighed, and the selector comes once.
        assert_eq!(program.instructions.len(), 3 + 2 + 1);
        assert!(program.registers <= 4);
    }
}
