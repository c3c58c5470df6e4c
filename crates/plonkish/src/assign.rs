//! From values to a witness: what is assigned to the cells of phase 1 once a circuit's values are known.

use super::block::{Fill, FromValues};
use super::block_cells::Cells;
use super::cells::BlockId;
use super::plan::{Assignment, Plan};
use super::{Field, Witness, WitnessError};
use std::fmt;
use std::sync::Arc;

/// [`Fill`] over the grid.
enum GridFill<F, V> {
    Assign { block: BlockId, from: FromValues<F, V> },
    Set { at: (usize, usize), value: F },
    Compute(Assignment<F>),
}

/// A plan, and how values of type `V` fill it.
pub struct Circuit<F, V> {
    /// The plan.
    pub plan: Arc<Plan<F>>,
    fills: Vec<GridFill<F, V>>,
}

impl<F: fmt::Debug, V> fmt::Debug for Circuit<F, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl<F: Field, V> Circuit<F, V> {
    pub(super) fn new(plan: Plan<F>, fills: Vec<Fill<F, V>>) -> Self {
        let over_grid = |fill| match fill {
            Fill::Assign { block, from } => GridFill::Assign { block, from },
            Fill::Set { cell, value } => GridFill::Set { at: plan.locate(cell), value },
            Fill::Compute(step) => GridFill::Compute(plan.assignment(&step)),
        };
        let fills = fills.into_iter().map(over_grid).collect();
        Circuit { plan: Arc::new(plan), fills }
    }

    /// The witness of some values: phase 1 but for the multiplicities of the lookup argument. Values that an op's cells
    /// cannot hold are refused.
    pub fn fill(&self, values: &V) -> Result<Witness<F>, WitnessError> {
        let plan = &*self.plan;
        let mut witness = Witness { values: vec![vec![F::ZERO; plan.usable]; plan.advice.len()] };
        let mut error = None;
        for fill in &self.fills {
            match fill {
                GridFill::Assign { block, from } => {
                    let values_of_cells = &mut witness.values;
                    from(values, &mut Cells { plan, block: *block, values: values_of_cells, error: &mut error });
                }
                GridFill::Set { at, value } => witness.values[at.0][at.1] = *value,
                GridFill::Compute(assignment) => witness.assign(plan, assignment, &[]),
            }
        }
        error.map_or(Ok(witness), Err)
    }
}
