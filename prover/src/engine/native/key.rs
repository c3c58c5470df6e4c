//! What the native engine knows of a circuit.

use super::Scalar;
use super::domain::Domain;
use super::expressions::Program;
use super::permutation;
use super::runs::{self, Steps};
use backend::gates::Gates;
use backend::keys::Shape;
use backend::queries::Queries;
use plonkish::{Global, Plan};
use rayon::prelude::*;
use simd::{One, Vector, vectors};

/// A circuit, ready to be proven with what this processor has.
pub enum NativeKey<F: Scalar> {
    /// Element by element.
    One(Key<F, F>),
    /// By vectors of eight.
    #[cfg(target_arch = "x86_64")]
    Wide(Key<F, simd::Wide<F>>),
}

/// A circuit, ready to be proven.
pub struct Key<F, V: Vector<F>> {
    /// Rows, and a coset for each piece of the quotient.
    pub domain: Domain<F, V>,
    /// What proofs open.
    pub queries: Queries,
    /// Advice columns.
    pub advice: usize,
    /// Rows at the end of a permutation product that are random.
    pub blinding: usize,
    /// Most columns in a permutation product.
    pub chunk: usize,
    /// Constraints beside the permutation's.
    pub constraints: usize,
    /// Values that are the same on every usable row.
    pub uniform: usize,
    /// Coefficients of the column that is 1 on every usable row.
    pub usable: Vec<V::Packed>,
    /// Coefficients of the fixed columns, in the order of halo2's.
    pub fixed: Vec<Vec<V::Packed>>,
    /// Values of the permutation's columns.
    pub sigma_values: Vec<Vec<V::Packed>>,
    /// Their coefficients.
    pub sigma: Vec<Vec<V::Packed>>,
    /// For each coset, what is evaluated there.
    pub parts: Vec<Part<V>>,
    /// Rows before and after a row that constraints read.
    pub reach: (usize, usize),
    /// Fixed columns on each coset.
    pub cosets: Vec<FixedCoset<V::Packed>>,
}

/// The constraints that are evaluated on a coset: a polynomial of degree d·(n − 1) is known from its values on d − 1 cosets
/// once it is divided by X^n − 1, so that gates of low degree are not evaluated on all.
pub struct Part<V> {
    /// The program. Output i adds up constraints that take i cosets more than those before this one.
    pub program: Program<V>,
    /// Which advice columns are read on this coset, the permutation's included.
    pub advice: Vec<bool>,
    /// Whether it reads a value that is the same on every row.
    uniform: bool,
    /// Which fixed columns it reads.
    fixed: Vec<bool>,
}

/// Fixed columns on a coset; empty if nothing reads them there.
pub struct FixedCoset<P> {
    /// Fixed columns.
    pub fixed: Vec<Vec<P>>,
    /// The permutation's.
    pub sigma: Vec<Vec<P>>,
    /// 1 on every usable row.
    pub usable: Vec<P>,
    /// 1 on the first row.
    pub first: Vec<P>,
    /// 1 on the last row in use, to which permutation products lead.
    pub last: Vec<P>,
    /// 1 on the rows before that.
    pub active: Vec<P>,
}

/// Cosets that a constraint of this degree takes.
pub fn cosets_of(degree: usize) -> usize {
    degree.saturating_sub(1).max(1)
}

impl<F: Scalar> NativeKey<F> {
    /// Prepares a plan, of which `shape` is the shape.
    pub fn new(plan: &Plan<F>, shape: &Shape) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let (Some(machine), 6..) = (simd::Ifma::detect(), plan.k) {
            return NativeKey::Wide(Key::new(machine, plan, shape));
        }
        Self::plain(plan, shape)
    }

    /// The same, element by element on any processor.
    pub fn plain(plan: &Plan<F>, shape: &Shape) -> Self {
        NativeKey::One(Key::new(One, plan, shape))
    }

    /// Bytes of its columns: coefficients, and values on rows and cosets. Programs and roots of unity are left out.
    pub fn bytes(&self) -> usize {
        match self {
            NativeKey::One(key) => key.bytes(),
            #[cfg(target_arch = "x86_64")]
            NativeKey::Wide(key) => key.bytes(),
        }
    }
}

impl<F: Scalar, V: Vector<F>> Key<F, V> {
    fn new(machine: V::Machine, plan: &Plan<F>, shape: &Shape) -> Self {
        let (domain, queries) = (Domain::new(machine, plan.k, shape.quotient_pieces), Queries::of(plan));
        let rows = domain.rows();
        let gates = Gates::of(plan);
        let degrees = gates.degrees();
        let reach = reach(&gates, shape.blinding_rows);
        let part = |coset: usize| {
            let here =
                degrees.iter().map(|&degree| cosets_of(degree)).enumerate().filter(|&(_, cosets)| cosets > coset);
            let (mut advice, mut fixed) = (vec![false; plan.advice.len()], vec![false; plan.fixed.len()]);
            let mut uniform = false;
            queries.permuted.iter().for_each(|&column| advice[column] = true);
            gates.cells(here.clone().map(|(number, _)| number), &mut |column, _| match column {
                Global::Advice(column) => advice[column] = true,
                Global::Fixed(column) => fixed[column] = true,
                Global::Uniform(_) => uniform = true,
            });
            let program = Program::new(machine, &gates, here.map(|(number, cosets)| (number, cosets - 1 - coset)));
            Part { program, advice, uniform, fixed }
        };
        let parts: Vec<Part<V>> = (0..shape.quotient_pieces).into_par_iter().map(part).collect();
        let sigma_values = permutation::columns(plan, &queries, &domain);
        let last = rows - shape.blinding_rows;
        let ones = |from: usize, to: usize| [vec![F::ZERO; from], vec![F::ONE; to - from]].concat();
        let lagrange = [ones(0, plan.usable), ones(0, 1), ones(last, last + 1), ones(0, last)];
        let columns = FixedColumns::<F, V>::new(&domain, plan.fixed.iter().chain(&sigma_values).chain(&lagrange));
        let cosets = (0..shape.quotient_pieces)
            .map(|coset| {
                let lagrange = [parts[coset].uniform, coset < cosets_of(2), coset < cosets_of(3), true];
                let read = parts[coset].fixed.iter().copied().chain(sigma_values.iter().map(|_| true)).chain(lagrange);
                let mut values = columns.evaluate(&domain, coset, &read.collect::<Vec<_>>());
                let mut pop = || values.pop().unwrap_or_default();
                let (active, last, first, usable) = (pop(), pop(), pop(), pop());
                let sigma = values.split_off(plan.fixed.len());
                FixedCoset { fixed: values, sigma, usable, first, last, active }
            })
            .collect();
        let mut fixed = columns.coefficients;
        let mut sigma = fixed.split_off(plan.fixed.len());
        let usable = sigma.swap_remove(sigma_values.len());
        sigma.truncate(sigma_values.len());
        let sigma_values = sigma_values.par_iter().map(|values| vectors::<F, V>(machine, values)).collect();
        Key {
            advice: plan.advice.len(),
            blinding: shape.blinding_rows - 1,
            chunk: shape.permutation_chunk(),
            constraints: gates.constraints.len(),
            uniform: plan.uniform.len(),
            usable,
            domain,
            queries,
            fixed,
            sigma_values,
            sigma,
            parts,
            reach,
            cosets,
        }
    }

    fn bytes(&self) -> usize {
        let all = [&self.fixed, &self.sigma, &self.sigma_values].into_iter().flatten();
        let of_coset = |coset: &FixedCoset<V::Packed>| {
            let columns: usize = coset.fixed.iter().chain(&coset.sigma).map(Vec::len).sum();
            columns + coset.usable.len() + coset.first.len() + coset.last.len() + coset.active.len()
        };
        let vectors =
            self.usable.len() + all.map(Vec::len).sum::<usize>() + self.cosets.iter().map(of_coset).sum::<usize>();
        vectors * size_of::<V::Packed>()
    }

    /// Columns of the permutation: that of the instance's values, if it is copied from, then advice columns.
    pub fn permuted(&self) -> usize {
        self.queries.permuted()
    }

    /// Where the values that are the same on every row stand among evaluated columns: behind advice columns, products and the
    /// instance's values.
    pub fn uniform_from(&self) -> usize {
        self.advice + self.products() + 1
    }

    /// Products of the permutation.
    pub fn products(&self) -> usize {
        self.permuted().div_ceil(self.chunk)
    }
}

/// Columns that are the same in all proofs.
struct FixedColumns<F, V: Vector<F>> {
    /// Of those that have few.
    steps: Vec<Option<Steps<F>>>,
    coefficients: Vec<Vec<V::Packed>>,
}

impl<F: Scalar, V: Vector<F>> FixedColumns<F, V> {
    /// Columns of these first values.
    fn new<'v>(domain: &Domain<F, V>, values: impl Iterator<Item = &'v Vec<F>>) -> Self {
        let shared = runs::Coefficients::new(domain);
        let column = |work: &mut Vec<V>, values: &Vec<F>| match runs::steps(values, domain.rows()) {
            Some(steps) => {
                let coefficients = vectors::<F, V>(domain.machine, &shared.of(&steps));
                (Some(steps), coefficients)
            }
            None => {
                let mut column = values.to_vec();
                column.resize(domain.rows(), F::ZERO);
                let mut column = vectors::<F, V>(domain.machine, &column);
                domain.interpolate(&mut column, work);
                (None, column)
            }
        };
        let values = values.collect::<Vec<_>>().into_par_iter();
        let (steps, coefficients) = values.map_init(Vec::new, column).unzip();
        FixedColumns { steps, coefficients }
    }

    /// The values of those that are read on a coset; of the others, none.
    fn evaluate(&self, domain: &Domain<F, V>, coset: usize, read: &[bool]) -> Vec<Vec<V::Packed>> {
        let shared = runs::Values::new(domain, coset);
        let evaluate = |work: &mut Vec<V>, column: usize| match &self.steps[column] {
            _ if !read[column] => vec![],
            Some(steps) => vectors::<F, V>(domain.machine, &shared.of(steps)),
            None => {
                let mut values = self.coefficients[column].clone();
                domain.evaluate(coset, &self.coefficients[column], work, &mut values);
                values
            }
        };
        (0..self.steps.len()).into_par_iter().map_init(Vec::new, evaluate).collect()
    }
}

fn reach<F: Scalar>(gates: &Gates<F>, blinding_rows: usize) -> (usize, usize) {
    // A permutation product is read on the next row, and on the last one in use.
    let (mut before, mut after) = (blinding_rows, 1);
    gates.cells(0..gates.constraints.len(), &mut |_, rotation| {
        before = before.max((-rotation).max(0) as usize);
        after = after.max(rotation.max(0) as usize);
    });
    (before, after)
}
