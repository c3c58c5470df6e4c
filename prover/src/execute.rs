//! Tasks done in this process.

use crate::engine::{ProofInstance, Stage, Watch, prove_with};
use crate::error::ProveError;
use crate::step::{Progress, StepProver};
use crate::task::{Inputs, InstanceInputs, Task, TaskInstance};
use backend::Witness;
use rayon::prelude::*;

impl StepProver<'_> {
    /// Does one task: fills its instances, proves them, verifies the proof.
    pub fn execute(
        &self,
        task: &Task,
        inputs: &Inputs,
        progress: &mut dyn FnMut(Stage),
    ) -> Result<Vec<u8>, ProveError> {
        let (key, instances) = (self.keys.of(task.segment), self.fill(task, inputs)?);
        let watch = &mut Watch { progress, cancel: &self.cancel };
        Ok(prove_with(self.engine, self.params, key, instances, watch)?.bytes)
    }

    /// Computes a task's instances from their inputs.
    pub fn fill(&self, task: &Task, inputs: &Inputs) -> Result<Vec<ProofInstance>, ProveError> {
        self.cancel.check()?;
        task.check(&self.spec.config)?;
        if self.keys.config != self.spec.config {
            return Err(ProveError::Mismatch { what: "the keys' configuration" });
        }
        let instance = |(index, instance): (usize, &TaskInstance)| {
            self.cancel.check()?;
            let witness = self.witness(index, &instance.inputs, inputs)?;
            Ok(ProofInstance { witness, publics: instance.publics.clone(), ports: instance.ports.clone() })
        };
        task.instances.par_iter().enumerate().map(instance).collect()
    }

    fn witness(&self, index: usize, of: &InstanceInputs, inputs: &Inputs) -> Result<Witness, ProveError> {
        let (spec, circuits) = (self.spec, &self.keys.circuits);
        let filled = match of {
            InstanceInputs::Layer { weights, entering } => {
                circuits.layer.fill(&inputs.layer(&spec.config, weights, entering)?.compute(spec))
            }
            InstanceInputs::Head { weights, sequence, entering } => {
                circuits.head.fill(&inputs.head(&spec.config, weights, sequence, entering)?.compute(spec))
            }
            InstanceInputs::Update { values } => circuits.update.fill(inputs.update(circuits.update.plan.k, values)?),
        };
        filled.map_err(|source| ProveError::Witness { instance: index, source })
    }

    /// Does tasks, one after another; gives their proofs in the same order.
    pub fn execute_all(
        &self,
        tasks: &[Task],
        inputs: &Inputs,
        progress: &mut Progress<'_>,
    ) -> Result<Vec<Vec<u8>>, ProveError> {
        // Each proof keeps all cores busy.
        let execute = |task: &Task| self.execute(task, inputs, &mut |stage| progress(task.segment, stage));
        tasks.iter().map(execute).collect()
    }
}
