//! A plan as a stock Halo2 circuit.

use halo2_proofs::{
    circuit::{Layouter, SimpleFloorPlanner, Value},
    plonk::{Advice, Circuit, Column, ConstraintSystem, Error, Expression, Fixed, Instance, VirtualCells},
    poly::Rotation,
};
use plonkish::{Expr, Field, Global, Plan, RESERVED_ROWS, Uniform, Witness};
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

thread_local! {
    // `Circuit::configure` has no argument: the plan in force on this thread is its missing parameter.
    static PLAN: RefCell<Option<Arc<dyn Any + Send + Sync>>> = const { RefCell::new(None) };
}

/// Runs `f` with `plan` as the circuit that [`PlanCircuit`] configures on this thread.
pub fn with_plan<F: Field, T>(plan: &Arc<Plan<F>>, f: impl FnOnce() -> T) -> T {
    struct Restore(Option<Arc<dyn Any + Send + Sync>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            PLAN.with(|p| *p.borrow_mut() = self.0.take());
        }
    }
    let _restore = Restore(PLAN.with(|p| p.borrow_mut().replace(plan.clone())));
    f()
}

/// Runs `f` on the columns of instances as halo2 takes them, as slices of slices: the instance's values, then each value that is
/// the same on every usable row.
pub fn with_columns<F: Field, T>(
    (uniform, k): (&[Uniform], u32),
    instances: &[Vec<F>],
    f: impl FnOnce(&[&[&[F]]]) -> T,
) -> T {
    let rows = (1usize << k) - RESERVED_ROWS;
    let column = |value: &Uniform, instance: &Vec<F>| vec![value.of(instance).unwrap_or(F::ZERO); rows];
    let columns = |instance: &Vec<F>| uniform.iter().map(|value| column(value, instance)).collect::<Vec<_>>();
    let made: Vec<Vec<Vec<F>>> = instances.iter().map(columns).collect();
    let all = instances
        .iter()
        .zip(&made)
        .map(|(values, made)| std::iter::once(values).chain(made).map(Vec::as_slice).collect::<Vec<&[F]>>());
    let all: Vec<Vec<&[F]>> = all.collect();
    let all: Vec<&[&[F]]> = all.iter().map(Vec::as_slice).collect();
    f(&all)
}

/// A plan with or without a witness. Use inside [`with_plan`].
#[derive(Clone, Debug)]
pub struct PlanCircuit<F> {
    /// The plan.
    pub plan: Arc<Plan<F>>,
    /// The witness; `None` to make keys.
    pub witness: Option<Arc<Witness<F>>>,
}

/// The columns of a configured plan.
#[derive(Clone, Debug)]
pub struct PlanConfig {
    advice: Vec<Column<Advice>>,
    fixed: Vec<Column<Fixed>>,
    /// The instance's values; then those that are the same on every row.
    instance: Vec<Column<Instance>>,
}

impl PlanConfig {
    fn expression<F: Field>(&self, cells: &mut VirtualCells<'_, F>, poly: &Expr<F, Global>) -> Expression<F> {
        match poly {
            Expr::Const(c) => Expression::Constant(*c),
            Expr::Cell(Global::Advice(a), rotation) => cells.query_advice(self.advice[*a], Rotation(*rotation)),
            Expr::Cell(Global::Fixed(f), rotation) => {
                assert_eq!(*rotation, 0, "fixed cells are read on the current row");
                cells.query_fixed(self.fixed[*f])
            }
            Expr::Cell(Global::Uniform(u), rotation) => {
                assert_eq!(*rotation, 0, "what is the same on every row is read on the current one");
                cells.query_instance(self.instance[1 + *u], Rotation::cur())
            }
            Expr::Add(a, b) => self.expression(cells, a) + self.expression(cells, b),
            Expr::Mul(a, b) => self.expression(cells, a) * self.expression(cells, b),
            Expr::Scale(a, c) => self.expression(cells, a) * *c,
            Expr::Within(a, _) => self.expression(cells, a),
        }
    }
}

impl<F: Field> Circuit<F> for PlanCircuit<F> {
    type Config = PlanConfig;
    type FloorPlanner = SimpleFloorPlanner;

    fn without_witnesses(&self) -> Self {
        PlanCircuit { plan: self.plan.clone(), witness: None }
    }

    fn configure(meta: &mut ConstraintSystem<F>) -> PlanConfig {
        let plan = PLAN.with(|p| p.borrow().clone()).expect("configured inside with_plan");
        let plan: Arc<Plan<F>> = plan.downcast().expect("configured with a plan over its field");
        let advice: Vec<_> = plan.advice.iter().map(|_| meta.advice_column()).collect();
        let fixed = plan.fixed.iter().map(|_| meta.fixed_column()).collect();
        let instance: Vec<_> = (0..=plan.uniform.len()).map(|_| meta.instance_column()).collect();
        if !plan.publics.is_empty() {
            meta.enable_equality(instance[0]);
        }
        for (column, a) in plan.advice.iter().zip(&advice) {
            if column.equality {
                meta.enable_equality(*a);
            }
        }
        let config = PlanConfig { advice, fixed, instance };
        for gate in &plan.gates {
            meta.create_gate("", |cells| {
                let selector = config.expression(cells, &gate.selector.poly());
                vec![selector * config.expression(cells, &gate.poly)]
            });
        }
        for (i, &flag) in plan.port_flags.iter().enumerate() {
            let canonical = is_canonical(&plan, i);
            let port = config.advice[i];
            meta.create_gate("port: zero where no data stands", |cells| {
                let (flag, value) = (cells.query_fixed(config.fixed[flag]), cells.query_advice(port, Rotation::cur()));
                if canonical {
                    // `flag` is 1 on data: unassigned rows, the blinding rows included, are forced to zero.
                    vec![(Expression::Constant(F::ONE) - flag) * value]
                } else {
                    vec![flag * value]
                }
            });
        }
        config
    }

    fn synthesize(&self, config: PlanConfig, mut layouter: impl Layouter<F>) -> Result<(), Error> {
        let plan = &self.plan;
        let public_cells = layouter.assign_region(
            || "plan",
            |mut region| {
                for (column, values) in config.fixed.iter().zip(&plan.fixed) {
                    for (row, value) in values.iter().enumerate().filter(|(_, v)| **v != F::ZERO) {
                        region.assign_fixed(|| "", *column, row, || Value::known(*value))?;
                    }
                }
                if let Some(witness) = &self.witness {
                    for (column, values) in config.advice.iter().zip(&witness.values) {
                        for (row, value) in values.iter().enumerate().filter(|(_, v)| **v != F::ZERO) {
                            region.assign_advice(|| "", *column, row, || Value::known(*value))?;
                        }
                    }
                }
                let mut named = HashMap::new();
                let ends = plan.copies.iter().flat_map(|&(a, b)| [a, b]);
                for cell @ (column, row) in ends.chain(plan.publics.iter().map(|p| p.0)) {
                    if let std::collections::hash_map::Entry::Vacant(entry) = named.entry(cell) {
                        let value = match &self.witness {
                            Some(w) => Value::known(w.values[column][row]),
                            None => Value::unknown(),
                        };
                        entry.insert(region.assign_advice(|| "", config.advice[column], row, || value)?.cell());
                    }
                }
                for (a, b) in &plan.copies {
                    region.constrain_equal(named[a], named[b])?;
                }
                Ok(plan.publics.iter().map(|(cell, row)| (named[cell], *row)).collect::<Vec<_>>())
            },
        )?;
        for (cell, row) in public_cells {
            layouter.constrain_instance(cell, config.instance[0], row)?;
        }
        Ok(())
    }
}

fn is_canonical<F: Field>(plan: &Plan<F>, column: usize) -> bool {
    plan.port_of_column(column).is_some_and(|port| port.blinding.is_canonical())
}
