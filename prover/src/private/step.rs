//! Private steps, and the proof of a private first state.

use super::hedge::Hedge;
use super::secrets::{HiddenSum, Secrets};
use super::span::prove_span;
use crate::blinding::{ColumnBlinding, PortBlinding};
use crate::error::ProveError;
use crate::step::{GradientTasks, Progress, StepOf, StepProver, UpdateTasks, assemble_gradient};
use crate::task::{InstanceInputs, Task};
use backend::curve::F;
use backend::span::{Hiding, commit_hidden};
use circuits::arithmetic::fixed::Saturations;
use circuits::model::{Gradients, Hyper, Slot, SquareSum, State};
use circuits::segments::{Privacy, SegmentKind, UpdatePort, head, update};
use circuits::statements::hidden::HiddenSegment;
use circuits::statements::ties::{self, Ports, Tie};
use circuits::statements::{
    Assigned, Bundle, DisclosedLoss, Disclosure, GenesisProof, Layouts, PrivateStep, Run, StateCommitments,
    check_instances,
};
use ff::{Field, PrimeField};
use group::GroupEncoding;
use plonkish::LANES;

/// The ports of an instance, each blinded by a secret of its own.
pub(crate) fn hidden_ports(
    prover: &StepProver<'_>,
    hedge: &Hedge,
    segment: SegmentKind,
    (context, inputs): (F, &InstanceInputs),
) -> Vec<PortBlinding> {
    let shape = &prover.keys.of(segment).verifying.shape;
    let port = |(number, columns): (usize, &std::ops::Range<usize>)| {
        let mut what = context.to_repr().to_vec();
        what.extend_from_slice(&(number as u64).to_le_bytes());
        inputs.digests().iter().for_each(|digest| what.extend_from_slice(&digest.0));
        PortBlinding::Secret(hedge.columns(&what, columns.len(), shape.blinding_rows))
    };
    shape.ports.iter().enumerate().map(port).collect()
}

/// What hides the ports of tasks of one circuit, instance by instance.
fn hidings<'t>(tasks: impl IntoIterator<Item = &'t Task>) -> Result<Ports<Hiding>, ProveError> {
    let port = |port: &PortBlinding| match port {
        PortBlinding::Secret(columns) => Ok(columns.iter().map(ColumnBlinding::hiding).collect()),
        PortBlinding::Canonical(_) => Err(ProveError::Mismatch { what: "the blinding of a private port" }),
    };
    let instances = tasks.into_iter().flat_map(|task| &task.instances);
    instances.map(|instance| instance.ports.iter().map(port).collect()).collect()
}

/// Ends of wires, in the verifier's order.
#[derive(Default)]
struct Pairs(Vec<(Hiding, Hiding)>);

impl Pairs {
    fn tie(&mut self, ties: &[Tie<'_, Hiding>]) {
        self.0.extend(ties.iter().flat_map(|tie| tie.found.iter().cloned().zip(tie.expected.iter().cloned())));
    }
}

/// Adds up what hides ports, column by column.
fn added(summands: &[&[Hiding]]) -> Vec<Hiding> {
    let columns = summands.first().map_or(0, |port| port.len());
    let column = |c: usize| {
        let mut sum = Hiding::blind(F::ZERO);
        summands.iter().for_each(|port| sum += &port[c]);
        sum
    };
    (0..columns).map(column).collect()
}

/// The same of gradients, less all blinds but one, as the verifier does of their commitments.
fn one_blind(summands: &[&[Hiding]]) -> Vec<Hiding> {
    let (mut sum, surplus) = (added(summands), Hiding::blind(F::from(summands.len() as u64) - F::ONE));
    sum.iter_mut().for_each(|column| *column -= &surplus);
    sum
}

/// What is to be proven of a private step: a list of tasks, and a pure assembly of their results
/// ([`StepProver::private_bundle`]).
pub struct PrivateTasks {
    /// Of each contribution.
    pub contributions: Vec<GradientTasks>,
    /// Of the update.
    pub update: UpdateTasks,
}

impl StepProver<'_> {
    /// Draws what hides a private run's first state, and proves that it is in range: gives both, and its commitments. To be
    /// done once for a run: what hides its commitments hides them in this proof alone.
    pub fn private_genesis(
        &self,
        state: &State,
        progress: &mut Progress<'_>,
    ) -> Result<(Secrets, GenesisProof, StateCommitments), ProveError> {
        self.of_kind(Privacy::Private)?;
        let config = &self.spec.config;
        check_instances(self.instances_per_proof)?;
        state.check(config)?;
        let rows = self.keys.update.verifying.shape.blinding_rows;
        let (secrets, before, committed) = Secrets::begin(self.params, config, state, rows)?;
        let domain = GenesisProof::domain(config, &committed);
        let hedge = Hedge::new(&secrets.secret, domain.bytes())?;
        let (inputs, mut instances) = self.genesis_instances(&domain, state, Some(&hedge))?;
        // The new ports are the state's commitments themselves, then those of the weights before.
        let (kind, optimizer) = (self.variant().update, self.variant().update.optimizer());
        let leaving = update::leaving(kind).iter().filter_map(|&port| Some((port, update::port(kind, port)?)));
        let leaving: Vec<_> = leaving.collect();
        let mut instances_left = instances.iter_mut();
        for of in secrets.segments.iter().chain(&before) {
            for (group, instance) in (0..of.w.len() / LANES).zip(&mut instances_left) {
                for &(port, id) in &leaving {
                    let hidden = match port {
                        UpdatePort::NewSlot(slot) => of.slot(optimizer, slot),
                        _ => &of.w,
                    };
                    let of_group = hidden.iter().skip(group * LANES).take(LANES);
                    instance.ports[id] = PortBlinding::Secret(of_group.map(|h| ColumnBlinding::of(h, rows)).collect());
                }
            }
        }
        let tasks = self.cut(SegmentKind::Update, instances);
        let updates = self.execute_all(&tasks, &inputs, progress)?;
        let instances_per_proof = self.instances_per_proof;
        Ok((secrets, GenesisProof { instances_per_proof, updates, canonical: vec![] }, committed))
    }

    /// The tasks of a step of a private run, and the state that it leads to.
    pub fn private_tasks(
        &self,
        at: StepOf<'_>,
        (state, secrets): (&State, &Secrets),
        batches: &[Assigned],
    ) -> Result<(PrivateTasks, State), ProveError> {
        self.fits(at.run, Privacy::Private)?;
        state.check(&self.spec.config)?;
        let (id, digest) = (at.run.id()?, at.before.digest());
        let (mut sum, mut contributions) = (Gradients::zeros(&self.spec.config), vec![]);
        for (index, batch) in (0..).zip(batches) {
            let domain = Run::contribution_domain(&id, at.step, &digest, index);
            let hedge = Hedge::new(&secrets.secret, domain.bytes())?;
            let tasks = self.gradient_tasks_with(&domain, state, &batch.sequences, Some(&hedge))?;
            sum.add(&tasks.gradients);
            contributions.push(tasks);
        }
        let hyper = at.run.hyper(&self.spec.config, at.step, at.run.optimizer.squares(&sum))?;
        let update = self.private_update_tasks(at, (state, secrets), &sum, &hyper)?;
        let (mut moved, mut saturations) = (state.clone(), Saturations::default());
        moved.update(&hyper, &sum, &mut saturations)?;
        Ok((PrivateTasks { contributions, update }, moved))
    }

    /// The tasks of a private step's update.
    pub fn private_update_tasks(
        &self,
        at: StepOf<'_>,
        (state, secrets): (&State, &Secrets),
        gradients: &Gradients,
        hyper: &Hyper,
    ) -> Result<UpdateTasks, ProveError> {
        let domain = Run::update_domain(&at.run.id()?, at.step, &at.before.digest());
        let hedge = Hedge::new(&secrets.secret, domain.bytes())?;
        self.update_tasks_with(&domain, (state, gradients, hyper), Some(&hedge))
    }

    /// The bundle of a private step, by the proofs of its tasks in their order; what hides the state after it, and that state's
    /// commitments.
    pub fn private_bundle(
        &self,
        at: StepOf<'_>,
        secrets: &Secrets,
        batches: &[Assigned],
        tasks: &PrivateTasks,
        proofs: Vec<Vec<u8>>,
    ) -> Result<(Bundle, Secrets, StateCommitments), ProveError> {
        let (layers, layouts) = (self.spec.config.layers, Layouts::new(&self.spec.config));
        let squares = SquareSum::total(&tasks.update.squares);
        let hyper = at.run.hyper(&self.spec.config, at.step, squares)?;
        let weights: Vec<Vec<Hiding>> = secrets.segments.iter().map(|of| of.w.clone()).collect();
        let (mut pairs, mut losses, mut proofs) = (Pairs::default(), secrets.losses.clone(), proofs.into_iter());
        let (mut contributions, mut of_gradients) = (vec![], vec![]);
        for (of_batch, batch) in tasks.contributions.iter().zip(batches) {
            let of = |segment| hidings(of_batch.tasks.iter().filter(|task| task.segment == segment));
            let ports = (&of(SegmentKind::Layer)?, &of(SegmentKind::Head)?);
            pairs.tie(&ties::of_contribution(&weights, layers, ports));
            let sequences: Vec<Hiding> = ports.1.iter().map(|ports| ports[head::BATCH][0].clone()).collect();
            let leaves: Vec<Hiding> = batch.blinds.iter().map(|&blind| Hiding::blind(blind)).collect();
            pairs.tie(&ties::of_leaves(&sequences, &leaves));
            let of_segments = ties::gradients(layers, ports).into_iter();
            of_gradients.push(of_segments.map(|summands| one_blind(&summands)).collect::<Vec<_>>());
            for (loss, ports) in of_batch.losses.iter().zip(ports.1) {
                // Of fewer than 2^24 sequences a step and 2^32 steps, each below 2^60.
                losses.sum += u128::from(*loss);
                losses.hiding += &ports[head::LOSS][0];
            }
            let of_contribution = proofs.by_ref().take(of_batch.tasks.len()).collect();
            contributions.push(assemble_gradient(vec![], &of_batch.tasks, of_contribution));
        }
        let (update_ports, updates) = (hidings(&tasks.update.tasks)?, proofs.collect::<Vec<_>>());
        let expected = secrets.segments.iter().enumerate().map(|(segment, of)| {
            let summands: Vec<&[Hiding]> = of_gradients.iter().map(|of| &of[segment][..]).collect();
            of.entering(&hyper, &added(&summands), summands.len())
        });
        let kind = self.variant().update;
        let found = ties::entering(&layouts, kind, &update_ports);
        let expected: Vec<Vec<Vec<Hiding>>> = expected.collect();
        pairs.tie(&ties::of_update(kind, &found, &expected));
        if let Some(port) = update::port(kind, UpdatePort::Squares) {
            let ports: Vec<&[Hiding]> = update_ports.iter().map(|ports| &ports[port][..]).collect();
            pairs.0.extend(added(&ports).into_iter().map(|sum| (sum, Hiding::blind(F::ZERO))));
        }
        let moved = |(segment, of): (usize, &HiddenSegment)| {
            let new = |which| update::port(kind, which).map(|port| layouts.join(&update_ports, port, segment));
            let w = new(UpdatePort::NewWeights).unwrap_or_default();
            of.moved(kind.optimizer(), w, |slot: Slot| new(UpdatePort::NewSlot(slot)))
        };
        let segments = secrets.segments.iter().enumerate().map(moved).collect();
        let loss = match at.run.disclosure.loss_of(at.step) {
            None => None,
            Some(steps) => {
                pairs.0.push((losses.hiding.clone(), Hiding::blind(F::ZERO)));
                let before = &secrets.losses;
                let commit = || commit_hidden(self.params, &[F::from_u128(before.sum)], &before.hiding);
                let before = (steps > 1).then(commit).transpose().map_err(ProveError::Commitments)?;
                let disclosed = DisclosedLoss { sum: losses.sum, before: before.map(|point| point.to_bytes()) };
                losses = HiddenSum::none();
                Some(disclosed)
            }
        };
        if at.run.disclosure == (Disclosure::Private { loss_steps: 0 }) {
            losses = HiddenSum::none();
        }
        let after = self.assemble_state(at.before, &tasks.update.tasks, &updates)?;
        let leaves = batches.iter().flat_map(|batch| batch.leaves.iter().cloned()).collect();
        let (run, before, private) = (at.run.clone(), at.before.clone(), Some(PrivateStep { loss, span: vec![] }));
        let canonical = vec![];
        let squares = if kind.clips() { vec![squares] } else { vec![] };
        let step = at.step;
        let mut bundle = Bundle { run, step, before, contributions, leaves, squares, updates, canonical, private };
        let span = prove_span(self.params, &secrets.secret, &bundle.span_statement()?, &pairs.0)?;
        bundle.private.iter_mut().for_each(|private| private.span.clone_from(&span));
        Ok((bundle, Secrets { secret: secrets.secret, segments, losses }, after))
    }

    /// Takes and proves a whole step of a private run, as [`StepProver::step`] does of a public one; the state and what hides it move
    /// on.
    pub fn private_step(
        &self,
        at: StepOf<'_>,
        (state, secrets): (&mut State, &mut Secrets),
        batches: &[Assigned],
        progress: &mut Progress<'_>,
    ) -> Result<(Bundle, StateCommitments), ProveError> {
        let (tasks, moved) = self.private_tasks(at, (state, secrets), batches)?;
        let proofs = self.execute_private(&tasks, progress)?;
        let (bundle, hidden, after) = self.private_bundle(at, secrets, batches, &tasks, proofs)?;
        // The state moves with its proofs, or not at all.
        (*state, *secrets) = (moved, hidden);
        Ok((bundle, after))
    }

    /// Does the tasks of a private step.
    pub fn execute_private(
        &self,
        tasks: &PrivateTasks,
        progress: &mut Progress<'_>,
    ) -> Result<Vec<Vec<u8>>, ProveError> {
        let PrivateTasks { contributions, update } = tasks;
        let mut inputs = update.inputs.clone();
        contributions.iter().for_each(|of_batch| inputs.extend(of_batch.inputs.clone()));
        let all = contributions.iter().flat_map(|of_batch| &of_batch.tasks).chain(&update.tasks);
        self.execute_all(&all.cloned().collect::<Vec<_>>(), &inputs, progress)
    }
}
