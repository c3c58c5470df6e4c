//! How large a step is, as far as its circuits say it.

use super::{Layouts, MAX_INSTANCES_PER_PROOF};
use crate::model::Config;
use crate::segments::{Circuits, SegmentKind};
use backend::keys::{KeyError, Shape};

/// How much a step takes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// B: sequences of a contribution.
    pub batch: usize,
    /// N: contributions.
    pub accumulate: usize,
    /// Most instances in one proof.
    pub instances_per_proof: usize,
}

/// One sequence, and as many instances in a proof as there may be.
impl Default for Extent {
    fn default() -> Self {
        Extent { batch: 1, accumulate: 1, instances_per_proof: MAX_INSTANCES_PER_PROOF as usize }
    }
}

impl Extent {
    /// The instances of each proof of a circuit, in the order of a step's tasks.
    pub fn proofs(self, config: &Config, kind: SegmentKind) -> Vec<usize> {
        let (instances, times) = match kind {
            SegmentKind::Layer => (self.batch * config.layers, self.accumulate),
            SegmentKind::Head => (self.batch, self.accumulate),
            SegmentKind::Update => (Layouts::new(config).updates().len(), 1),
        };
        let most = self.instances_per_proof.max(1);
        let of_contribution = (0..instances).step_by(most).map(|first| (instances - first).min(most));
        std::iter::repeat_n(of_contribution, times).flatten().collect()
    }
}

/// A step's instances, columns and bytes.
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
    /// Bytes of the circuits' proofs. A bundle has one opening, or one proof of its wires, besides.
    pub proof_bytes: usize,
}

impl StepSize {
    /// Of a configuration and its circuits.
    pub fn of(config: &Config, circuits: &Circuits, extent: Extent) -> Result<Self, KeyError> {
        let mut size = StepSize::default();
        for (kind, instances) in SegmentKind::ALL.into_iter().zip(&mut size.instances) {
            let (plan, proofs) = (circuits.plan(kind), extent.proofs(config, kind));
            let shape = Shape::of(plan)?;
            *instances = proofs.iter().sum();
            size.columns += *instances * shape.advice;
            size.cells += (*instances * shape.advice) << shape.k;
            size.assigned += *instances * plan.ops.values().sum::<usize>();
            size.proof_bytes += proofs.into_iter().map(|instances| shape.proof_length(instances)).sum::<usize>();
        }
        Ok(size)
    }
}
