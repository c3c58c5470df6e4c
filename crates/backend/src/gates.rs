//! Gates as data: a graph in which equal parts of expressions stand once.

use plonkish::{Expr, Field, Global, Plan, Selector};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A part of an expression. Operands are numbers of nodes, smaller than the node's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Node<F> {
    /// A constant.
    Constant(F),
    /// The cell of a column at a rotation from the current row.
    Cell(Global, i32),
    /// Sum of two.
    Add(usize, usize),
    /// Difference of two.
    Subtract(usize, usize),
    /// Product of two.
    Multiply(usize, usize),
    /// Product with a constant.
    Scale(usize, F),
}

impl<F> Node<F> {
    /// Numbers of the nodes that it is made from.
    pub fn operands(&self) -> impl Iterator<Item = usize> + use<F> {
        let (a, b) = match *self {
            Node::Constant(_) | Node::Cell(..) => (None, None),
            Node::Scale(a, _) => (Some(a), None),
            Node::Add(a, b) | Node::Subtract(a, b) | Node::Multiply(a, b) => (Some(a), Some(b)),
        };
        a.into_iter().chain(b)
    }
}

/// A polynomial that is zero on every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// What the node is multiplied with.
    pub selector: Option<Selector>,
    /// Its node.
    pub node: usize,
}

/// Constraints over one graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gates<F> {
    /// Parts, operands before what uses them.
    pub nodes: Vec<Node<F>>,
    /// The constraints, in order.
    pub constraints: Vec<Constraint>,
}

impl<F: Field> Gates<F> {
    /// The gates of a plan in halo2's order: those of the plan, then that port columns are zero where no data stands.
    pub fn of(plan: &Plan<F>) -> Self {
        let gates = plan.gates.iter().map(|gate| (Some(gate.selector), gate.poly.clone()));
        let ports = (0..plan.port_rows.len()).map(|column| {
            let (flag, value) = (plan.port_flags[column], Expr::Cell(Global::Advice(column), 0));
            if plan.port_of_column(column).is_some_and(|port| port.blinding.is_canonical()) {
                (None, (Expr::Const(F::ONE) - Expr::Cell(Global::Fixed(flag), 0)) * value)
            } else {
                (Some(Selector { column: flag, value: 1, values: 1 }), value)
            }
        });
        Self::new(gates.chain(ports))
    }

    /// Constraints from pairs of a selector and a polynomial.
    pub fn new(constraints: impl IntoIterator<Item = (Option<Selector>, Expr<F, Global>)>) -> Self {
        let mut graph = Graph { nodes: vec![], numbers: HashMap::new() };
        let constraint = |(selector, poly)| Constraint { selector, node: graph.of(&poly) };
        let constraints = constraints.into_iter().map(constraint).collect();
        Gates { nodes: graph.nodes, constraints }
    }

    /// For each node, what a fold over its operands gives: in one pass, as operands come first.
    fn fold<T: Clone>(&self, mut value: impl FnMut(&Node<F>, &[T]) -> T) -> Vec<T> {
        let mut values: Vec<T> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let next = value(node, &values);
            values.push(next);
        }
        values
    }

    /// The degree of each constraint, its selector included.
    pub fn degrees(&self) -> Vec<usize> {
        let of_nodes = self.fold(|node, values: &[usize]| match *node {
            Node::Constant(_) => 0,
            Node::Cell(..) => 1,
            Node::Add(a, b) | Node::Subtract(a, b) => values[a].max(values[b]),
            Node::Multiply(a, b) => values[a] + values[b],
            Node::Scale(a, _) => values[a],
        });
        self.constraints.iter().map(|c| c.selector.map_or(0, |selector| selector.values) + of_nodes[c.node]).collect()
    }

    /// Calls `f` on the cells that some constraints, given by their numbers, read; on each at least once.
    pub fn cells(&self, constraints: impl IntoIterator<Item = usize>, f: &mut impl FnMut(Global, i32)) {
        let mut used = vec![false; self.nodes.len()];
        for Constraint { selector, node } in constraints.into_iter().map(|number| self.constraints[number]) {
            selector.into_iter().for_each(|selector| f(Global::Fixed(selector.column), 0));
            used[node] = true;
        }
        // What uses a node has a larger number.
        for number in (0..used.len()).rev() {
            if used[number] {
                self.nodes[number].operands().for_each(|operand| used[operand] = true);
            }
        }
        for (node, _) in self.nodes.iter().zip(&used).filter(|(_, used)| **used) {
            if let Node::Cell(column, rotation) = *node {
                f(column, rotation);
            }
        }
    }

    /// The value of each constraint, given the cells'.
    pub fn evaluate(&self, cell: impl Fn(Global, i32) -> F) -> Vec<F> {
        let values = self.fold(|node, values: &[F]| match *node {
            Node::Constant(value) => value,
            Node::Cell(column, rotation) => cell(column, rotation),
            Node::Add(a, b) => values[a] + values[b],
            Node::Subtract(a, b) => values[a] - values[b],
            Node::Multiply(a, b) => values[a] * values[b],
            Node::Scale(a, by) => values[a] * by,
        });
        let value = |constraint: &Constraint| match constraint.selector {
            Some(selector) => selector.eval(cell(Global::Fixed(selector.column), 0)) * values[constraint.node],
            None => values[constraint.node],
        };
        self.constraints.iter().map(value).collect()
    }
}

/// A node by its encoding, to find equal ones.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Constant([u8; 32]),
    Cell(Global, i32),
    Add(usize, usize),
    Subtract(usize, usize),
    Multiply(usize, usize),
    Scale(usize, [u8; 32]),
}

struct Graph<F> {
    nodes: Vec<Node<F>>,
    numbers: HashMap<Key, usize>,
}

impl<F: Field> Graph<F> {
    fn put(&mut self, node: Node<F>) -> usize {
        let key = match node {
            Node::Constant(value) => Key::Constant(value.to_repr()),
            Node::Cell(column, rotation) => Key::Cell(column, rotation),
            Node::Add(a, b) => Key::Add(a, b),
            Node::Subtract(a, b) => Key::Subtract(a, b),
            Node::Multiply(a, b) => Key::Multiply(a, b),
            Node::Scale(a, by) => Key::Scale(a, by.to_repr()),
        };
        let next = self.nodes.len();
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.nodes.push(node);
        }
        number
    }

    fn value(&self, node: usize) -> Option<F> {
        if let Node::Constant(value) = self.nodes[node] { Some(value) } else { None }
    }

    fn scaled(&mut self, node: usize, by: F) -> usize {
        match self.nodes[node] {
            Node::Constant(value) => self.put(Node::Constant(value * by)),
            _ if by == F::ONE => node,
            Node::Scale(inner, also) => self.scaled(inner, also * by),
            _ => self.put(Node::Scale(node, by)),
        }
    }

    /// A scaled node's operand, if its factor is −1.
    fn negative(&self, node: usize) -> Option<usize> {
        match self.nodes[node] {
            Node::Scale(inner, by) if by == -F::ONE => Some(inner),
            _ => None,
        }
    }

    fn of(&mut self, expr: &Expr<F, Global>) -> usize {
        match expr {
            Expr::Const(value) => self.put(Node::Constant(*value)),
            Expr::Cell(column, rotation) => self.put(Node::Cell(*column, *rotation)),
            Expr::Scale(a, by) => {
                let a = self.of(a);
                self.scaled(a, *by)
            }
            Expr::Within(a, _) => self.of(a),
            Expr::Add(a, b) => {
                let (a, b) = (self.of(a), self.of(b));
                match (self.value(a), self.value(b)) {
                    (Some(x), Some(y)) => return self.put(Node::Constant(x + y)),
                    (Some(x), None) if x == F::ZERO => return b,
                    (None, Some(y)) if y == F::ZERO => return a,
                    _ => {}
                }
                match (self.negative(a), self.negative(b)) {
                    (_, Some(b)) => self.put(Node::Subtract(a, b)),
                    (Some(a), None) => self.put(Node::Subtract(b, a)),
                    _ => self.put(Node::Add(a.min(b), a.max(b))),
                }
            }
            Expr::Mul(a, b) => {
                let (a, b) = (self.of(a), self.of(b));
                match (self.value(a), self.value(b)) {
                    (Some(x), _) => self.scaled(b, x),
                    (_, Some(y)) => self.scaled(a, y),
                    _ => self.put(Node::Multiply(a.min(b), a.max(b))),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{expression, selector};
    use ff::Field;
    use pasta_curves::Fp;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn gates_say_what_expressions_say(
            constraints in prop::collection::vec((expression(), prop::option::of(selector())), 1..6),
            seed in any::<u64>(),
        ) {
            let gates = Gates::new(constraints.iter().map(|(poly, selector)| (*selector, poly.clone())));
            let cell = |column: Global, rotation: i32| {
                let number = match column {
                    Global::Advice(column) => 10 * column as u64,
                    Global::Fixed(column) => 100 + column as u64,
                    Global::Uniform(number) => 200 + number as u64,
                };
                (Fp::from(seed) + Fp::from(number) + plonkish::field::<Fp>(rotation.into())).square().square()
            };
            let (values, degrees) = (gates.evaluate(cell), gates.degrees());
            for (number, (poly, selector)) in constraints.iter().enumerate() {
                let factor = selector.map_or(Fp::ONE, |selector| selector.poly().eval(&cell));
                prop_assert_eq!(values[number], factor * poly.eval(&cell));
                prop_assert!(degrees[number] <= poly.degree() + selector.map_or(0, |s| s.poly::<Fp>().degree()));
                // Cells are those of the expression, but for those that a zero or a difference took away.
                let mut found = vec![];
                gates.cells([number], &mut |column, rotation| found.push((column, rotation)));
                let mut own = poly.distinct_cells();
                own.extend(selector.map(|selector| (Global::Fixed(selector.column), 0)));
                let of_expression = found.iter().all(|cell| own.contains(cell));
                prop_assert!(of_expression, "{found:?} of {own:?}");
            }
            for (number, node) in gates.nodes.iter().enumerate() {
                prop_assert!(node.operands().all(|operand| operand < number));
                prop_assert!(!gates.nodes[..number].contains(node), "twice");
            }
        }
    }
}
