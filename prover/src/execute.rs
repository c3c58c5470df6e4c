//! Tasks done in this process: two at a time, so that while one waits for few threads the other keeps the rest busy. They have
//! a pool of threads of their own: what else the process does is not kept waiting for a list of proofs. Called on a thread of a
//! pool, they are done there one after the other.

use crate::engine::{Cancel, ProofInstance, Stage, Watch, prove_with};
use crate::error::ProveError;
use crate::step::{Progress, StepProver, TaskStage};
use crate::task::{Inputs, InstanceInputs, Task, TaskInstance};
use backend::Witness;
use rayon::prelude::*;
use rayon::{Scope, ThreadPoolBuilder};
use std::ops::Range;
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Cells of advice columns that may be under way beside the largest task of a list, so that two at a time take little more
/// memory than one: a little more than eight instances of AdamW's update have with 2^12 rows.
pub const CELLS_BESIDE: usize = 3 << 20;

/// Tasks that are under way at a time.
const AT_ONCE: usize = 2;

/// Tasks that wait, and those under way.
struct Queue {
    state: Mutex<State>,
    /// Of each task.
    cells: Vec<usize>,
    limit: usize,
}

struct State {
    waiting: Vec<usize>,
    under_way: usize,
    /// Of those under way.
    cells: usize,
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
        let mut waiting: Vec<usize> = (0..cells.len()).collect();
        waiting.sort_by_key(|task| (Some(*task) != largest, !first.contains(task)));
        Queue { state: Mutex::new(State { waiting, under_way: 0, cells: 0 }), cells, limit }
    }

    /// The first task that waits and for which there is room now. While none is under way there is room for any, so that who
    /// finds none leaves the rest to those who have one.
    fn take(&self) -> Option<Taken<'_>> {
        let mut state = locked(&self.state);
        let fits = |&task: &usize| match state.under_way {
            0 => true,
            under_way => under_way < AT_ONCE && state.cells + self.cells[task] <= self.limit,
        };
        let place = state.waiting.iter().position(fits)?;
        let number = state.waiting.remove(place);
        state.under_way += 1;
        state.cells += self.cells[number];
        Some(Taken { queue: self, number })
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut state = locked(&self.queue.state);
        state.under_way -= 1;
        state.cells -= self.queue.cells[self.number];
    }
}

/// What is done with the proofs of some tasks, while others are still under way.
pub(crate) struct Then<'t> {
    /// The tasks: they come first.
    pub tasks: Range<usize>,
    /// Called once with their proofs, in their order; not if there are none.
    pub with: &'t mut (dyn FnMut(Vec<Vec<u8>>) -> Result<(), ProveError> + Send),
}

/// Proofs so far, by the numbers of their tasks.
type Done = Vec<(usize, Vec<u8>)>;

/// Those of some tasks, in order; none unless all are there.
fn all_of(done: &Done, tasks: &Range<usize>) -> Option<Vec<Vec<u8>>> {
    tasks.clone().map(|task| done.iter().find(|(number, _)| *number == task).map(|(_, proof)| proof.clone())).collect()
}

/// What it takes to take a task and do it.
#[derive(Clone, Copy)]
struct Worker<'s> {
    queue: &'s Queue,
    execute: &'s (dyn Fn(usize, &Sender<TaskStage>) + Sync),
    cancel: &'s Cancel,
}

impl<'s> Worker<'s> {
    /// Does a task, if there is room for one. Another is looked for beside it and once it is done, by whichever thread comes to
    /// it. That may be one that waits for a part of its own task: it goes back to that after one more task, not after all.
    fn go_on(self, scope: &Scope<'s>, tell: Sender<TaskStage>) {
        let Some(taken) = self.queue.take() else { return };
        let _stop = StopOnPanic(self.cancel);
        let theirs = tell.clone();
        scope.spawn(move |scope| self.go_on(scope, theirs));
        (self.execute)(taken.number, &tell);
        drop(taken);
        scope.spawn(move |scope| self.go_on(scope, tell));
    }
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
        task.check(self.variant(), &self.spec.config)?;
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
            InstanceInputs::Update { values } => {
                circuits.update.fill(inputs.update((circuits.variant, circuits.update.plan.k), values)?)
            }
        };
        filled.map_err(|source| ProveError::Witness { instance: index, source })
    }

    /// Does tasks; gives their proofs in the same order. The first that fails stops the others. Progress is told on this thread.
    /// On a thread of a pool they are done one after the other, by that pool.
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
            // A pool beside one whose thread waits would take more threads than there are to be.
            let execute = |(number, task): (usize, &Task)| {
                self.execute(task, inputs, &mut |stage| progress(stage_of(number, stage)))
            };
            let proofs = tasks.iter().enumerate().map(execute).collect::<Result<Vec<_>, _>>()?;
            if !then.tasks.is_empty() {
                (then.with)(proofs[then.tasks].to_vec())?;
            }
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
                Some((with, proofs)) => {
                    prover.cancel.check()?;
                    with(proofs)
                }
                None => Ok(()),
            }
        };
        let execute = |number: usize, tell: &Sender<TaskStage>| {
            let mut told = |stage| {
                // Who is told may be gone: then nobody asks for the proofs.
                let _ = tell.send(stage_of(number, stage));
            };
            let proof = prover.execute(&tasks[number], inputs, &mut told);
            if let Err(error) = proof.and_then(|proof| proven(number, proof)) {
                locked(&failed).get_or_insert(error);
                prover.cancel.cancel();
            }
        };
        let pool = ThreadPoolBuilder::new().num_threads(rayon::current_num_threads()).build();
        let pool = pool.map_err(ProveError::Threads)?;
        thread::scope(|scope| {
            let _stop = StopOnPanic(&prover.cancel);
            let (tell, told) = mpsc::channel();
            let worker = Worker { queue: &queue, execute: &execute, cancel: &prover.cancel };
            scope.spawn(move || pool.scope(|scope| worker.go_on(scope, tell)));
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
    use crate::step::{StepKeys, UpdateTasks};
    use backend::curve::{DEFAULT_K, Params};
    use circuits::model::{Config, Gradients, Spec, State};
    use circuits::model::{Hyper, UpdateKind};
    use circuits::statements::Domain;

    #[test]
    fn tasks_are_under_way_as_far_as_there_is_room() {
        let queue = Queue::new([8, 8, 1, 2].map(|cells| cells * CELLS_BESIDE).into(), &(0..0));
        let large = queue.take().unwrap();
        let small = queue.take().unwrap();
        assert_eq!((large.number, small.number), (0, 2));
        assert!(queue.take().is_none(), "there are two");
        drop(large);
        // Beside the small one there is no room for what is larger than the limit leaves.
        let next = queue.take().unwrap();
        assert_eq!(next.number, 1);
        drop(small);
        assert!(queue.take().is_none(), "it does not fit beside the large one");
        drop(next);
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

    /// Whether tasks are done side by side or, on a thread of a pool, one after the other.
    #[test]
    fn what_follows_from_proofs_may_fail() {
        let mut config = Config::NANO;
        (config.vocab, config.hidden, config.mlp) = (16, 8, 12);
        (config.layers, config.heads, config.context) = (2, 2, 4);
        let (params, spec) = (Params::new(DEFAULT_K), Spec::new(config));
        let keys = StepKeys::generate(&params, &spec).unwrap();
        let state = State::init(&spec.config, 3);
        let prover = StepProver::new(&params, &keys, &spec).with_instances_per_proof(1);
        let gradients = Gradients::zeros(&spec.config);
        let tasks_of =
            prover.update_tasks(&Domain::new("a test", &[]), &state, &gradients, &Hyper::identity(UpdateKind::Sgd));
        let UpdateTasks { tasks, inputs, .. } = tasks_of.unwrap();
        assert_eq!(tasks.len(), 3);
        let execute = |proofs: &mut Vec<usize>| {
            let mut with = |of_tasks: Vec<Vec<u8>>| {
                proofs.push(of_tasks.len());
                Err(ProveError::Mismatch { what: "the state" })
            };
            prover.execute_then(&tasks, &inputs, &mut |_| {}, Then { tasks: 0..1, with: &mut with })
        };
        let (mut beside, mut alone) = (vec![], vec![]);
        let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        for result in [execute(&mut beside), pool.install(|| execute(&mut alone))] {
            assert!(matches!(result, Err(ProveError::Mismatch { what: "the state" })), "{result:?}");
        }
        assert_eq!((beside, alone), (vec![1], vec![1]));
        // The prover itself was not stopped.
        assert!(prover.cancel.check().is_ok());
    }
}
