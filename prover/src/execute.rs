//! Tasks done in this process: two at a time, so that while one waits for few threads the other keeps the rest busy.

use crate::engine::{ProofInstance, Stage, Watch, prove_with};
use crate::error::ProveError;
use crate::step::{Progress, StepProver, TaskStage};
use crate::task::{Inputs, InstanceInputs, Task, TaskInstance};
use backend::Witness;
use rayon::prelude::*;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Cells of advice columns that may be under way beside the largest task of a list, so that two at a time take little more
/// memory than one.
pub const CELLS_BESIDE: usize = 1 << 21;

/// Tasks that wait, and the cells of those under way.
struct Queue {
    waiting: Vec<usize>,
    cells: usize,
    limit: usize,
}

impl Queue {
    /// The first task that waits and for which there is room.
    fn take(&mut self, cells: &[usize]) -> Option<usize> {
        let fits = |&task: &usize| self.cells == 0 || self.cells + cells[task] <= self.limit;
        let task = self.waiting.remove(self.waiting.iter().position(fits)?);
        self.cells += cells[task];
        Some(task)
    }
}

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

    /// Does tasks; gives their proofs in the same order. The first that fails stops the others.
    pub fn execute_all(
        &self,
        tasks: &[Task],
        inputs: &Inputs,
        progress: &mut Progress<'_>,
    ) -> Result<Vec<Vec<u8>>, ProveError> {
        let prover = self.clone().with_cancel(self.cancel.within());
        let cells: Vec<usize> = tasks.iter().map(|task| self.cells(task)).collect();
        let limit = cells.iter().max().map_or(0, |most| most + CELLS_BESIDE);
        let queue = Mutex::new(Queue { waiting: (0..tasks.len()).collect(), cells: 0, limit });
        let (progress, failed) = (Mutex::new(progress), Mutex::new(None));
        // Nothing here waits for another task: with one thread, the second half begins after the first.
        let some = || {
            let mut proofs = vec![];
            while let Some(number) = { locked(&queue).take(&cells) } {
                let segment = tasks[number].segment;
                let mut told = |stage| (locked(&progress))(TaskStage { task: number, segment, stage });
                match prover.execute(&tasks[number], inputs, &mut told) {
                    Ok(proof) => proofs.push((number, proof)),
                    Err(error) => {
                        locked(&failed).get_or_insert(error);
                        prover.cancel.cancel();
                    }
                }
                locked(&queue).cells -= cells[number];
            }
            proofs
        };
        let (mut proofs, others) = rayon::join(some, some);
        if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        proofs.extend(others);
        proofs.sort_unstable_by_key(|&(number, _)| number);
        Ok(proofs.into_iter().map(|(_, proof)| proof).collect())
    }

    /// Cells of a task's advice columns.
    fn cells(&self, task: &Task) -> usize {
        let shape = &self.keys.of(task.segment).verifying.shape;
        (task.instances.len() * shape.advice) << shape.k
    }
}

/// What a panic left is no worse: it is passed on where both halves are joined.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
