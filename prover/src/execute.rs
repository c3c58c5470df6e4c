//! Tasks done in this process.

use crate::engine::{ProofInstance, Stage, Watch, prove_with};
use crate::error::ProveError;
use crate::step::{Progress, StepProver};
use crate::task::{Inputs, InstanceInputs, Task, TaskInstance};
use backend::Witness;
use circuits::segments::SegmentKind;
use circuits::statements::MAX_INSTANCES_PER_PROOF;
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Proofs of few instances that are made side by side, if there are together no more than one proof may have: a proof of
/// many keeps a machine busy, and two would take more memory than the largest.
const SIDE_BY_SIDE: usize = 2;

/// No further task is begun once a worker ended, after the last one, with an error or in a panic.
struct EndsAll<'a>(&'a AtomicUsize, usize);

impl Drop for EndsAll<'_> {
    fn drop(&mut self) {
        self.0.store(self.1, Ordering::Relaxed);
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

    /// Does tasks; gives their proofs in the same order. Large ones come first, one after another; a small one does not
    /// keep two cores busy, so that two are done at a time.
    pub fn execute_all(
        &self,
        tasks: &[Task],
        inputs: &Inputs,
        progress: &mut Progress<'_>,
    ) -> Result<Vec<Vec<u8>>, ProveError> {
        let mut proofs: Vec<Option<Vec<u8>>> = vec![None; tasks.len()];
        let (large, small): (Vec<usize>, Vec<usize>) =
            (0..tasks.len()).partition(|&i| tasks[i].instances.len() * SIDE_BY_SIDE > MAX_INSTANCES_PER_PROOF as usize);
        for i in large {
            let segment = tasks[i].segment;
            proofs[i] = Some(self.execute(&tasks[i], inputs, &mut |stage| progress(segment, stage))?);
        }
        let (next, shared) = (AtomicUsize::new(0), Mutex::new(progress));
        let told = |segment: SegmentKind, stage: Stage| {
            let mut progress = shared.lock().unwrap_or_else(PoisonError::into_inner);
            progress(segment, stage);
        };
        let work = || -> Result<Vec<(usize, Vec<u8>)>, ProveError> {
            let (mut done, _ends) = (vec![], EndsAll(&next, small.len()));
            while let Some(&i) = small.get(next.fetch_add(1, Ordering::Relaxed)) {
                let segment = tasks[i].segment;
                done.push((i, self.execute(&tasks[i], inputs, &mut |stage| told(segment, stage))?));
            }
            Ok(done)
        };
        let found: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..SIDE_BY_SIDE.min(small.len())).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        });
        for done in found {
            for (i, proof) in done? {
                proofs[i] = Some(proof);
            }
        }
        proofs.into_iter().map(|proof| proof.ok_or(ProveError::Mismatch { what: "the number of proofs" })).collect()
    }
}
