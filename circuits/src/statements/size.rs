//! How large a step is, as far as its circuits say it.

use super::{Layouts, MAX_INSTANCES_PER_PROOF};
use crate::model::Config;
use crate::segments::{Circuits, SegmentKind};
use backend::keys::{KeyError, Shape};

/// A step of batch 1, with as many instances in a proof as there may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepSize {
    /// Instances of each circuit, in the order of [`SegmentKind::ALL`].
    pub instances: [usize; 3],
    /// Advice columns.
    pub columns: usize,
    /// Cells of these columns.
    pub cells: usize,
    /// Those that ops own.
    pub assigned: usize,
    /// Bytes of the circuits' proofs. A bundle has one opening besides.
    pub proof_bytes: usize,
}

impl StepSize {
    /// Of a configuration and its circuits.
    pub fn of(config: &Config, circuits: &Circuits) -> Result<Self, KeyError> {
        let instances = [config.layers, 1, Layouts::new(config).updates().len()];
        let mut size = StepSize { instances, ..Self::default() };
        let most = MAX_INSTANCES_PER_PROOF as usize;
        for (kind, count) in SegmentKind::ALL.into_iter().zip(instances) {
            let plan = circuits.plan(kind);
            let shape = Shape::of(plan)?;
            size.columns += count * shape.advice;
            size.cells += (count * shape.advice) << shape.k;
            size.assigned += count * plan.ops.values().sum::<usize>();
            let proofs = (0..count).step_by(most).map(|first| shape.proof_length((count - first).min(most)));
            size.proof_bytes += proofs.sum::<usize>();
        }
        Ok(size)
    }
}
