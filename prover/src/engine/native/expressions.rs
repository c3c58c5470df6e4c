//! Gates as a program over columns: equal parts of expressions are computed once, and each instruction runs over some
//! rows at a time.

use super::Scalar;
use backend::gates::{Constraint, Gates, Node};
use plonkish::{Global, Selector};
use simd::Vector;
use std::collections::HashMap;

/// Rows of a strip, which an instruction runs over: enough to hide what an instruction costs, few enough for the nearest cache.
pub const STRIP: usize = 64;

/// Vectors of a strip.
pub const fn strip<F, V: Vector<F>>() -> usize {
    STRIP / V::LANES
}

/// What is computed, and the register that it goes to.
#[derive(Clone, Debug)]
struct Instruction<V> {
    to: usize,
    operation: Operation<V>,
}

/// Operands are registers.
#[derive(Clone, Debug)]
enum Operation<V> {
    Constant(V),
    /// Reads a column at a rotation.
    Read(Global, i32),
    Add(usize, usize),
    Subtract(usize, usize),
    Multiply(usize, usize),
    Scale(usize, V),
    /// Adds a gate's value, times its weight, to the sum of those of its selector.
    Weigh {
        a: usize,
        gate: usize,
        first: bool,
    },
    /// Adds that sum, times the selector, to an output.
    Emit {
        output: usize,
        selector: Option<Factor<V>>,
    },
}

/// A selector: its fixed column, and the values that it does not select.
#[derive(Clone, Debug)]
struct Factor<V> {
    column: usize,
    others: Vec<V>,
}

/// Gates, compiled.
#[derive(Clone, Debug)]
pub struct Program<V> {
    instructions: Vec<Instruction<V>>,
    registers: usize,
}

/// The columns that a program reads, as far as some rows and their neighbours reach.
pub trait Strips<P>: Sync {
    /// The values of a column on `STRIP` rows from a vector on, rotated by whole vectors; and the vector after them, unless
    /// the column is read at no rotation.
    fn strip(&self, column: Global, vector: usize, rotation: Rotation) -> &[P];
}

/// A rotation: whole vectors, then elements on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Whole vectors.
    pub vectors: isize,
    /// Elements, fewer than a vector has.
    pub elements: usize,
}

impl Rotation {
    /// By some rows.
    #[inline(always)]
    pub fn of<F, V: Vector<F>>(rows: i32) -> Self {
        let elements = rows.rem_euclid(V::LANES as i32);
        Rotation { vectors: ((rows - elements) >> V::LOG_LANES) as isize, elements: elements as usize }
    }

    /// The vector at the place to which whole vectors lead.
    #[inline(always)]
    pub fn read<F, V: Vector<F>>(self, machine: V::Machine, values: &[V::Packed]) -> V {
        let vector = V::unpack(machine, &values[0]);
        if self.elements == 0 { vector } else { vector.shifted(V::unpack(machine, &values[1]), self.elements) }
    }
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

impl<V> Program<V> {
    /// Compiles some constraints: of each its number, which its weight goes by, and the output that it is added to.
    pub fn new<F: Scalar>(
        machine: V::Machine,
        gates: &Gates<F>,
        constraints: impl IntoIterator<Item = (usize, usize)>,
    ) -> Self
    where
        V: Vector<F>,
    {
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
        Self::assemble(machine, &gates.nodes, &groups)
    }

    fn assemble<F: Scalar>(machine: V::Machine, nodes: &[Node<F>], groups: &[Group]) -> Self
    where
        V: Vector<F>,
    {
        let mut uses = vec![0usize; nodes.len()];
        groups.iter().flat_map(|group| &group.gates).for_each(|&(_, node)| uses[node] += 1);
        // Operands stand before what uses them; nodes that nothing needs use nothing.
        for node in (0..uses.len()).rev() {
            if uses[node] > 0 {
                nodes[node].operands().for_each(|operand| uses[operand] += 1);
            }
        }
        let mut assembly = Assembly::<F, V> {
            machine,
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
                assembly.instructions.push(Instruction { to, operation: Operation::Weigh { a, gate, first } });
                assembly.used(node);
            }
            if let Some(sum) = sum {
                let selector = selector.map(|s| Factor {
                    column: s.column,
                    others: s.others().map(|other: F| V::splat(machine, &other)).collect(),
                });
                let operation = Operation::Emit { output: *output, selector };
                assembly.instructions.push(Instruction { to: sum, operation });
                assembly.registers.free.push(sum);
            }
        }
        Program { instructions: assembly.instructions, registers: assembly.registers.count }
    }

    /// Room for running.
    pub fn registers<F: Scalar>(&self, machine: V::Machine) -> Vec<Vec<V>>
    where
        V: Vector<F>,
    {
        vec![vec![V::splat(machine, &F::ZERO); strip::<F, V>()]; self.registers]
    }

    /// Adds the weighed gates on `STRIP` rows from a vector on to `outputs`, each of as many values.
    #[inline(always)]
    pub fn run<F: Scalar>(
        &self,
        machine: V::Machine,
        columns: &impl Strips<V::Packed>,
        vector: usize,
        weights: &[V],
        registers: &mut [Vec<V>],
        outputs: &mut [V::Packed],
    ) where
        V: Vector<F>,
    {
        for Instruction { to, operation } in &self.instructions {
            // The target leaves its place while others are read; no instruction reads its own target.
            let mut target = std::mem::take(&mut registers[*to]);
            match operation {
                Operation::Constant(value) => target.fill(*value),
                Operation::Read(column, rotation) => {
                    let rotation = Rotation::of::<F, V>(*rotation);
                    let values = columns.strip(*column, vector, rotation);
                    for (i, to) in target.iter_mut().enumerate() {
                        *to = rotation.read(machine, &values[i..]);
                    }
                }
                Operation::Add(a, b) => {
                    for ((to, a), b) in target.iter_mut().zip(&registers[*a]).zip(&registers[*b]) {
                        *to = *a + *b;
                    }
                }
                Operation::Subtract(a, b) => {
                    for ((to, a), b) in target.iter_mut().zip(&registers[*a]).zip(&registers[*b]) {
                        *to = *a - *b;
                    }
                }
                Operation::Multiply(a, b) => {
                    for ((to, a), b) in target.iter_mut().zip(&registers[*a]).zip(&registers[*b]) {
                        *to = *a * *b;
                    }
                }
                Operation::Scale(a, by) => {
                    for (to, a) in target.iter_mut().zip(&registers[*a]) {
                        *to = *a * *by;
                    }
                }
                Operation::Weigh { a, gate, first } => {
                    let weight = weights[*gate];
                    for (to, a) in target.iter_mut().zip(&registers[*a]) {
                        let weighed = *a * weight;
                        *to = if *first { weighed } else { *to + weighed };
                    }
                }
                Operation::Emit { output, selector } => {
                    let strip = strip::<F, V>();
                    for (i, sum) in target.iter().enumerate() {
                        let mut selected = *sum;
                        if let Some(Factor { column, others }) = selector {
                            let cells = columns.strip(Global::Fixed(*column), vector, Rotation::of::<F, V>(0));
                            let cell = V::unpack(machine, &cells[i]);
                            selected = selected * cell;
                            for other in others {
                                selected = selected * (*other - cell);
                            }
                        }
                        let out = &mut outputs[output * strip + i];
                        *out = (V::unpack(machine, out) + selected).pack();
                    }
                }
            }
            registers[*to] = target;
        }
    }
}

struct Assembly<'n, F, V: Vector<F>> {
    machine: V::Machine,
    nodes: &'n [Node<F>],
    /// Uses that are still to come.
    uses: Vec<usize>,
    place: Vec<Option<usize>>,
    registers: Registers,
    instructions: Vec<Instruction<V>>,
}

impl<F: Scalar, V: Vector<F>> Assembly<'_, F, V> {
    /// Computes a node, unless it is computed already, and says in which register it is.
    fn compute(&mut self, node: usize) -> usize {
        if let Some(register) = self.place[node] {
            return register;
        }
        let of = |this: &mut Self, (a, b): (usize, usize)| (this.compute(a), this.compute(b));
        let operation = match self.nodes[node] {
            Node::Cell(column, rotation) => Operation::Read(column, rotation),
            Node::Constant(value) => Operation::Constant(V::splat(self.machine, &value)),
            Node::Add(a, b) => {
                let (a, b) = of(self, (a, b));
                Operation::Add(a, b)
            }
            Node::Subtract(a, b) => {
                let (a, b) = of(self, (a, b));
                Operation::Subtract(a, b)
            }
            Node::Multiply(a, b) => {
                let (a, b) = of(self, (a, b));
                Operation::Multiply(a, b)
            }
            Node::Scale(a, by) => Operation::Scale(self.compute(a), V::splat(self.machine, &by)),
        };
        // Taken before the operands' registers are free, so that it is none of theirs.
        let register = self.registers.take();
        self.instructions.push(Instruction { to: register, operation });
        self.nodes[node].operands().for_each(|operand| self.used(operand));
        self.place[node] = Some(register);
        register
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

#[cfg(test)]
mod tests {
    use super::*;
    use backend::testing::{expression, selector};
    use ff::Field;
    use pasta_curves::Fp;
    use plonkish::Expr;
    use proptest::prelude::*;
    use simd::{One, elements, vectors};

    const ROWS: usize = 2 * STRIP;
    /// Rows before and after that rotations reach, by whole vectors.
    const REACH: usize = 16;

    struct Grid<P> {
        advice: Vec<Vec<P>>,
        fixed: Vec<Vec<P>>,
        /// Vectors that rotations reach.
        reach: usize,
        strip: usize,
    }

    impl<P: Sync> Strips<P> for Grid<P> {
        fn strip(&self, column: Global, vector: usize, rotation: Rotation) -> &[P] {
            let first = (self.reach + vector).wrapping_add_signed(rotation.vectors);
            match column {
                Global::Advice(column) => &self.advice[column][first..=first + self.strip],
                Global::Fixed(column) => &self.fixed[column][first..first + self.strip],
                Global::Uniform(_) => unreachable!("expressions of the test read none"),
            }
        }
    }

    /// Runs constraints, of each of which the output is given, and compares with what expressions say row by row.
    fn check<V: Vector<Fp>>(
        machine: V::Machine,
        constraints: &[(Expr<Fp, Global>, Option<Selector>, usize)],
        seed: u64,
    ) -> Result<(), TestCaseError> {
        let value = |i: usize| (Fp::from(seed) + Fp::from(i as u64 + 1)).square().square() + Fp::from(3);
        let column = |c: usize| (0..ROWS + 2 * REACH).map(|row| value(1000 * c + row)).collect::<Vec<_>>();
        let (advice, fixed): (Vec<_>, Vec<_>) = ((0..3).map(column).collect(), (3..5).map(column).collect());
        let loaded = |columns: &[Vec<Fp>]| columns.iter().map(|column| vectors::<Fp, V>(machine, column)).collect();
        let strip = strip::<Fp, V>();
        let grid = Grid { advice: loaded(&advice), fixed: loaded(&fixed), reach: REACH / V::LANES, strip };
        let weights: Vec<Fp> = (0..constraints.len()).map(|i| value(9000 + i)).collect();
        let splat: Vec<V> = weights.iter().map(|weight| V::splat(machine, weight)).collect();
        let gates = Gates::new(constraints.iter().map(|(poly, selector, _)| (*selector, poly.clone())));
        let program = Program::<V>::new(machine, &gates, constraints.iter().map(|c| c.2).enumerate());
        let mut registers = program.registers(machine);
        for first in [0, STRIP] {
            let mut found = vec![V::splat(machine, &Fp::ONE).pack(); 2 * strip];
            program.run(machine, &grid, first / V::LANES, &splat, &mut registers, &mut found);
            let found = elements::<Fp, V>(machine, &found);
            for row in 0..STRIP {
                let cell = |column: Global, rotation: i32| {
                    let row = (REACH + first + row).wrapping_add_signed(rotation as isize);
                    match column {
                        Global::Advice(column) => advice[column][row],
                        Global::Fixed(column) => fixed[column][row],
                        Global::Uniform(_) => unreachable!("expressions of the test read none"),
                    }
                };
                for output in 0..2 {
                    let of_output = constraints.iter().zip(&weights).filter(|(constraint, _)| constraint.2 == output);
                    let sum = of_output.fold(Fp::ONE, |sum, ((poly, selector, _), weight)| {
                        let selector = selector.map_or(Fp::ONE, |selector| selector.poly().eval(&cell));
                        sum + *weight * selector * poly.eval(&cell)
                    });
                    prop_assert_eq!(found[output * STRIP + row], sum);
                }
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn programs_compute_what_expressions_say(
            constraints in prop::collection::vec((expression(), prop::option::of(selector()), 0..2usize), 1..6),
            seed in any::<u64>(),
        ) {
            check::<Fp>(One, &constraints, seed)?;
            #[cfg(target_arch = "x86_64")]
            if let Some(machine) = simd::Ifma::detect() {
                check::<simd::Wide<Fp>>(machine, &constraints, seed)?;
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
        let program = Program::<Fp>::new(One, &gates, [(0, 0), (1, 0)]);
        // Three cells; a product, a difference, a square; two gates are weighed, and the selector comes once.
        assert_eq!(program.instructions.len(), 3 + 3 + 2 + 1);
        assert!(program.registers <= 4);
    }
}
