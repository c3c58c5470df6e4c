//! Tasks done in this process: two at a time, so that while one waits for few threads the other keeps the rest busy.

use crate::engine::{Cancel, ProofInstance, Stage, Watch, prove_with};
use crate::error::ProveError;
use crate::step::{Progress, StepProver, TaskStage};
use crate::task::{Inputs, InstanceInputs, Task, TaskInstance};
use backend::Witness;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::mpsc::{self, Sender};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Cells of advice columns that may be under way beside the largest task of a list, so that two at a time take little more
/// memory than one.
pub const CELLS_BESIDE: usize = 1 << 21;

/// Tasks that are under way at a time.
const AT_ONCE: usize = 2;

/// Tasks that wait, and the cells of those under way.
struct Queue {
    state: Mutex<(Vec<usize>, usize)>,
    given_back: Condvar,
    /// Of each task.
    cells: Vec<usize>,
    limit: usize,
}

/// A task that was taken; its cells are given back when it is dropped.
struct Taken<'q> {
    queue: &'q Queue,
    number: usize,
}

impl Queue {
    /// Tasks of so many cells. The largest is taken first, lest it be left alone in the end; then some before all others.
    fn new(cells: Vec<usize>, first: &Range<usize>) -> Self {
        let limit = cells.iter().max().map_or(0, |most| most + CELLS_BESIDE);
        let largest = (0..cells.len()).rev().max_by_key(|&task| cells[task]);
        let mut order: Vec<usize> = (0..cells.len()).collect();
        order.sort_by_key(|task| (Some(*task) != largest, !first.contains(task)));
        Queue { state: Mutex::new((order, 0)), given_back: Condvar::new(), cells, limit }
    }

    /// The first task that waits and for which there is room, or comes to be; none once none waits.
    fn take(&self) -> Option<Taken<'_>> {
        let mut state = locked(&self.state);
        loop {
            let (waiting, under_way) = &mut *state;
            if waiting.is_empty() {
                return None;
            }
            let fits = |&task: &usize| *under_way == 0 || *under_way + self.cells[task] <= self.limit;
            if let Some(place) = waiting.iter().position(fits) {
                let number = waiting.remove(place);
                *under_way += self.cells[number];
                return Some(Taken { queue: self, number });
            }
            state = self.given_back.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        locked(&self.queue.state).1 -= self.queue.cells[self.number];
        self.queue.given_back.notify_all();
    }
}

/// What is done with the proofs of some tasks, while others are still under way.
pub(crate) struct Then<'t> {
    /// The tasks: they come first.
    pub tasks: Range<usize>,
    /// Called once with their proofs, in their order.
    pub with: &'t mut (dyn FnMut(Vec<Vec<u8>>) -> Result<(), ProveError> + Send),
}

/// Proofs so far, by the numbers of their tasks.
type Done = Vec<(usize, Vec<u8>)>;

/// Those of some tasks, in order; none unless all are there.
fn all_of(done: &Done, tasks: &Range<usize>) -> Option<Vec<Vec<u8>>> {
    tasks.clone().map(|task| done.iter().find(|(number, _)| *number == task).map(|(_, proof)| proof.clone())).collect()
}

/// Stops all tasks of a list if one panics, or who is told of them does.
struct StopOnPanic<'c>(&'c Cancel);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.cancel();
        }
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

    /// Does tasks; gives their proofs in the same order. The first that fails stops the others. Progress is told on this thread.
    pub fn execute_all(
        &self,
        tasks: &[Task],
        inputs: &Inputs,
        progress: &mut Progress<'_>,
    ) -> Result<Vec<Vec<u8>>, ProveError> {
        self.execute_then(tasks, inputs, progress, Then { tasks: 0..0, with: &mut |_| Ok(()) })
    }

    /// The same; once some of them are done, something is done with their proofs.
    pub(crate) fn execute_then(
        &self,
        tasks: &[Task],
        inputs: &Inputs,
        progress: &mut Progress<'_>,
        then: Then<'_>,
    ) -> Result<Vec<Vec<u8>>, ProveError> {
        let stage_of = |task: usize, stage| TaskStage { task, segment: tasks[task].segment, stage };
        if rayon::current_thread_index().is_some() {
            // A thread of the pool that waited for tasks would be missing to them.
            let execute = |(number, task): (usize, &Task)| {
                self.execute(task, inputs, &mut |stage| progress(stage_of(number, stage)))
            };
            let proofs = tasks.iter().enumerate().map(execute).collect::<Result<Vec<_>, _>>()?;
            (then.with)(proofs[then.tasks].to_vec())?;
            return Ok(proofs);
        }
        let prover = self.clone().with_cancel(self.cancel.within());
        let queue = Queue::new(tasks.iter().map(|task| self.cells(task)).collect(), &then.tasks);
        let (failed, done) = (Mutex::new(None), Mutex::new(Done::new()));
        let (of_then, then) = (then.tasks, Mutex::new(Some(then.with)));
        // Whoever comes last of these tasks goes on with their proofs.
        let proven = |number: usize, proof: Vec<u8>| {
            let proofs = {
                let mut done = locked(&done);
                done.push((number, proof));
                if of_then.contains(&number) { all_of(&done, &of_then) } else { None }
            };
            match proofs.and_then(|proofs| Some((locked(&then).take()?, proofs))) {
                Some((with, proofs)) => with(proofs),
                None => Ok(()),
            }
        };
        let some = |tell: Sender<TaskStage>| {
            let _stop = StopOnPanic(&prover.cancel);
            while let Some(taken) = queue.take() {
                let number = taken.number;
                let mut told = |stage| {
                    // Who is told may be gone: then nobody asks for the proofs.
                    let _ = tell.send(stage_of(number, stage));
                };
                let proof = prover.execute(&tasks[number], inputs, &mut told);
                if let Err(error) = proof.and_then(|proof| proven(number, proof)) {
                    locked(&failed).get_or_insert(error);
                    prover.cancel.cancel();
                }
            }
        };
        // Threads beside the pool's: what else the pool does is not kept waiting for a list of proofs.
        thread::scope(|scope| {
            let _stop = StopOnPanic(&prover.cancel);
            let (tell, told) = mpsc::channel();
            for _ in 0..AT_ONCE.min(tasks.len()) {
                let tell = tell.clone();
                scope.spawn(|| some(tell));
            }
            drop(tell);
            told.into_iter().for_each(progress);
        });
        if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let mut proofs = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        proofs.sort_unstable_by_key(|&(number, _)| number);
        Ok(proofs.into_iter().map(|(_, proof)| proof).collect())
    }

    /// Cells of a task's advice columns.
    fn cells(&self, task: &Task) -> usize {
        let shape = &self.keys.of(task.segment).verifying.shape;
        (task.instances.len() * shape.advice) << shape.k
    }
}

/// What a panic left is no worse: it is passed on where the threads are joined.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_waits_for_room_alone() {
        let queue = Queue::new([8, 8, 1, 2].map(|cells| cells * CELLS_BESIDE).into(), &(0..0));
        let large = queue.take().unwrap();
        let small = queue.take().unwrap();
        assert_eq!((large.number, small.number), (0, 2));
        thread::scope(|scope| {
            let next = scope.spawn(|| queue.take().map(|taken| taken.number));
            drop(large);
            // Beside the small one there is no room for what is larger than the limit leaves.
            assert_eq!(next.join().unwrap(), Some(1));
        });
        drop(small);
        assert_eq!(queue.take().unwrap().number, 3);
        assert!(queue.take().is_none());
    }

    #[test]
    fn some_tasks_come_first() {
        let queue = Queue::new(vec![1, 3, 1, 2, 1, 3], &(2..4));
        let order: Vec<usize> = (0..6).map(|_| queue.take().unwrap().number).collect();
        assert_eq!(order, [1, 2, 3, 0, 4, 5]);
    }

    #[test]
    fn proofs_are_handed_on_when_all_are_there() {
        let done: Done = [3, 0, 2].map(|number: usize| (number, vec![number as u8])).into();
        assert_eq!(all_of(&done, &(2..4)), Some(vec![vec![2], vec![3]]));
        assert_eq!(all_of(&done, &(1..4)), None);
    }
}
