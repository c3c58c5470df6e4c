//! Private steps, and the proof of a private first state.

use super::hedge::Hedge;
use super::secrets::{HiddenSum, HiddenWeights, Secrets, column_blinding};
use super::span::prove_span;
use crate::blinding::PortBlinding;
use crate::error::ProveError;
use crate::execute::Then;
use crate::step::{GradientTasks, Progress, StepOf, StepProver, assemble_gradient};
use crate::task::{Inputs, InstanceInputs, Task};
use backend::curve::F;
use backend::span::{Hiding, commit_hidden};
use circuits::model::{Gradients, State};
use circuits::ops::sgd::Hyper;
use circuits::segments::{Privacy, SegmentKind, head, update};
use circuits::statements::domain::Place;
use circuits::statements::hidden::HiddenSegment;
use circuits::statements::ties::{self, Ports, Tie};
use circuits::statements::{
    Assigned, Bundle, DisclosedLoss, GenesisProof, Layouts, PrivateStep, Run, StateCommitments, check_instances,
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
        PortBlinding::Secret(columns) => Ok(columns.iter().map(|c| Hiding::new(&c.rows, c.blind)).collect()),
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

/// Adds up what hides gradients, and takes away all blinds but one, as the verifier does of their commitments.
fn one_blind(summands: &[&[Hiding]]) -> Vec<Hiding> {
    let surplus = F::from(summands.len() as u64) - F::ONE;
    let columns = summands.first().map_or(0, |port| port.len());
    let column = |c: usize| {
        let mut sum = Hiding::blind(-surplus);
        summands.iter().for_each(|port| sum += &port[c]);
        sum
    };
    (0..columns).map(column).collect()
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
        let (mut inputs, none) = (Inputs::default(), Gradients::zeros(config));
        let mut leave = |state: &State, place: &dyn Fn(u32, u32) -> Place| {
            self.update_instances(&mut inputs, (&domain, place), (state, &none, &Hyper::IDENTITY), Some(&hedge))
        };
        let mut instances = leave(state, &|segment, group| Place::Update { segment, group })?;
        let mut new: Vec<[&[Hiding]; 2]> = secrets.segments.iter().map(|of| [&of.w[..], &of.lo[..]]).collect();
        if !state.at_rest() {
            instances.extend(leave(&state.before(), &|segment, group| Place::Before { segment, group })?);
            new.extend(before.iter().map(|[w, lo]: &HiddenWeights| [&w[..], &lo[..]]));
        }
        // The new ports are the state's commitments themselves.
        let groups = new.iter().flat_map(|[w, lo]| w.chunks(LANES).zip(lo.chunks(LANES)));
        for (instance, (w, lo)) in instances.iter_mut().zip(groups) {
            let secret = |of: &[Hiding]| PortBlinding::Secret(of.iter().map(|h| column_blinding(h, rows)).collect());
            (instance.ports[update::NEW_WEIGHTS], instance.ports[update::NEW_LOW]) = (secret(w), secret(lo));
        }
        let tasks = self.cut(SegmentKind::Update, instances);
        let updates = self.execute_all(&tasks, &inputs, progress)?;
        let instances_per_proof = self.instances_per_proof;
        Ok((secrets, GenesisProof { instances_per_proof, updates, canonical: vec![] }, committed))
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
        self.of_kind(at.run.disclosure.privacy())?;
        self.of_kind(Privacy::Private)?;
        if self.instances_per_proof != at.run.instances_per_proof {
            return Err(ProveError::Mismatch { what: "the number of instances per proof" });
        }
        let (id, digest, layers) = (at.run.id()?, at.before.digest(), self.spec.config.layers);
        let hyper = at.run.hyper(&self.spec.config, at.step)?;
        let weights: Vec<Vec<Hiding>> = secrets.segments.iter().map(|of| of.w.clone()).collect();
        let (mut tasks, mut inputs, mut ranges) = (vec![], Inputs::default(), vec![]);
        let (mut sum, mut pairs) = (Gradients::zeros(&self.spec.config), Pairs::default());
        let mut of_gradients: Vec<Vec<Vec<Hiding>>> = vec![];
        let mut losses = secrets.losses.clone();
        for (index, batch) in (0..).zip(batches) {
            let domain = Run::contribution_domain(&id, at.step, &digest, index);
            let hedge = Hedge::new(&secrets.secret, domain.bytes())?;
            let GradientTasks { tasks: of_batch, inputs: their, losses: of_sequences, gradients } =
                self.gradient_tasks_with(&domain, state, &batch.sequences, Some(&hedge))?;
            let of = |segment| hidings(of_batch.iter().filter(|task| task.segment == segment));
            let ports = (&of(SegmentKind::Layer)?, &of(SegmentKind::Head)?);
            pairs.tie(&ties::of_contribution(&weights, layers, ports));
            let sequences: Vec<Hiding> = ports.1.iter().map(|ports| ports[head::BATCH][0].clone()).collect();
            let leaves: Vec<Hiding> = batch.blinds.iter().map(|&blind| Hiding::blind(blind)).collect();
            pairs.tie(&ties::of_leaves(&sequences, &leaves));
            of_gradients.push(ties::gradients(layers, ports).iter().map(|summands| one_blind(summands)).collect());
            for (loss, ports) in of_sequences.iter().zip(ports.1) {
                losses.sum = losses.sum.checked_add(*loss).ok_or(ProveError::Mismatch { what: "a sum of losses" })?;
                losses.hiding += &ports[head::LOSS][0];
            }
            inputs.extend(their);
            sum.add(&gradients);
            let first = tasks.len();
            tasks.extend(of_batch);
            ranges.push(first..tasks.len());
        }
        let domain = Run::update_domain(&id, at.step, &digest);
        let hedge = Hedge::new(&secrets.secret, domain.bytes())?;
        let place = |segment, group| Place::Update { segment, group };
        let instances = self.update_instances(&mut inputs, (&domain, &place), (state, &sum, &hyper), Some(&hedge))?;
        let of_update = tasks.len();
        tasks.extend(self.cut(SegmentKind::Update, instances));
        let update_ports = hidings(&tasks[of_update..])?;
        let layouts = Layouts::new(&self.spec.config);
        let expected: Vec<Vec<Hiding>> = (0..layouts.segments())
            .map(|segment| {
                let summands: Vec<&[Hiding]> = of_gradients.iter().map(|of| &of[segment][..]).collect();
                let columns = (0..secrets.segments[segment].w.len()).map(|c| {
                    let mut total = Hiding::blind(F::ZERO);
                    summands.iter().for_each(|summand| total += &summand[c]);
                    total
                });
                secrets.segments[segment].dividends(&hyper, &columns.collect::<Vec<_>>(), summands.len())
            })
            .collect();
        let found = ties::dividends(&layouts, &update_ports);
        pairs.tie(&ties::of_update(&found, &expected));
        let mut moved = state.clone();
        let mut saturations = circuits::arithmetic::fixed::Saturations::default();
        circuits::ops::sgd::apply(&hyper, &mut moved, &sum, &mut saturations);

        let then = Then { tasks: 0..0, with: &mut |_| Ok(()) };
        let mut proofs = self.execute_then(&tasks, &inputs, progress, then)?;
        let updates = proofs.split_off(of_update);
        let after = self.assemble_state(at.before, &tasks[of_update..], &updates)?;
        let hidden = |segment: usize| {
            let [w, lo] = [update::NEW_WEIGHTS, update::NEW_LOW].map(|port| layouts.join(&update_ports, port, segment));
            secrets.segments[segment].moved(w, lo)
        };
        let segments: Vec<HiddenSegment> = (0..layouts.segments()).map(hidden).collect();
        let loss = match at.run.disclosure.loss_of(at.step) {
            None => None,
            Some(steps) => {
                let (before, nothing) = (&secrets.losses, Hiding::blind(F::ZERO));
                pairs.0.push((losses.hiding.clone(), nothing));
                let commit = || commit_hidden(self.params, &[F::from(before.sum)], &before.hiding);
                let before = (steps > 1).then(commit).transpose().map_err(ProveError::Commitments)?;
                let disclosed = DisclosedLoss { sum: losses.sum, before: before.map(|point| point.to_bytes()) };
                losses = HiddenSum::none();
                Some(disclosed)
            }
        };
        let mut proofs = proofs.into_iter();
        let assemble = |range: std::ops::Range<usize>| {
            let of_contribution = proofs.by_ref().take(range.len()).collect();
            assemble_gradient(vec![], &tasks[range], of_contribution)
        };
        let contributions = ranges.into_iter().map(assemble).collect();
        let leaves = batches.iter().flat_map(|batch| batch.leaves.iter().cloned()).collect();
        let (run, before, private) = (at.run.clone(), at.before.clone(), Some(PrivateStep { loss, span: vec![] }));
        let mut bundle =
            Bundle { run, step: at.step, before, contributions, leaves, updates, canonical: vec![], private };
        let span = prove_span(self.params, &secrets.secret, &bundle.span_statement()?, &pairs.0)?;
        bundle.private.iter_mut().for_each(|private| private.span.clone_from(&span));
        // Nothing can fail from here on: the state moves with its proofs, or not at all.
        *state = moved;
        (secrets.segments, secrets.losses) = (segments, losses);
        Ok((bundle, after))
    }
}
