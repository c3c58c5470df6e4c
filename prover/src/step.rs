//! Proofs of a training step: gradient proofs of its contributions, then the update proof.

use crate::blinding::{PortBlinding, derive_wire};
use crate::canonical::prove_canonical;
use crate::engine::{Cancel, Engine, Native, Stage};
use crate::error::ProveError;
use crate::execute::Then;
use crate::key::ProverKey;
use crate::private::{Hedge, hidden_ports};
use crate::task::{Input, Inputs, InstanceInputs, Task, TaskInstance, cut};
use backend::curve::{ENCODED, F, Params, Point};
use backend::ports::commit_canonical;
use circuits::model::{Config, Gradients, Hyper, Spec, SquareSum, State, Token, public_loss, sequence_gradient};
use circuits::segments::head::HeadWeights;
use circuits::segments::update::UpdateValues;
use circuits::segments::{Circuits, Entering, Privacy, SegmentKind, Variant, layer};
use circuits::statements::domain::{Domain, Place};
use circuits::statements::{
    Assigned, Bundle, Contribution, GenesisProof, Layouts, MAX_INSTANCES_PER_PROOF, Run, StateCommitments,
    check_instances,
};
use group::GroupEncoding;
use plonkish::{LANES, field};
use std::ops::Range;
use verifier::keys::{Told, VerifyingKeys};

/// What proofs of a model's steps are made with.
pub struct StepKeys {
    /// Layer segment.
    pub layer: ProverKey,
    /// Head segment.
    pub head: ProverKey,
    /// Update segment.
    pub update: ProverKey,
    /// The circuits, compiled once.
    pub circuits: Circuits,
    /// What verifiers hold.
    pub verifying: VerifyingKeys,
    /// What they are of.
    pub config: Config,
}

impl StepKeys {
    /// Makes the keys of a model's public circuits with SGD.
    pub fn generate(params: &Params, spec: &Spec) -> Result<Self, ProveError> {
        Self::generate_of(params, spec, Variant::default())
    }

    /// The same of a variant of the circuits.
    pub fn generate_of(params: &Params, spec: &Spec, variant: impl Into<Variant>) -> Result<Self, ProveError> {
        let circuits = Circuits::of(spec, variant.into());
        // What every proof needs: prepared now, so that the first takes no longer than others.
        params.bases();
        let verifying = VerifyingKeys::make(params, &circuits, &spec.config, &mut |_, _| {})?;
        Self::new(params, spec, circuits, verifying, &mut |_, _| {})
    }

    /// Makes the proving keys beside verifying keys of the same model, telling how many are made, and of how many.
    pub fn new(
        params: &Params,
        spec: &Spec,
        circuits: Circuits,
        verifying: VerifyingKeys,
        told: &mut Told<'_>,
    ) -> Result<Self, ProveError> {
        let key = |kind| ProverKey::new(params, circuits.plan(kind), verifying.of(kind).clone());
        let [layer, head, update] = SegmentKind::try_each(key, told)?;
        Ok(StepKeys { layer, head, update, circuits, verifying, config: spec.config.clone() })
    }

    /// The key of a segment.
    pub fn of(&self, segment: SegmentKind) -> &ProverKey {
        match segment {
            SegmentKind::Layer => &self.layer,
            SegmentKind::Head => &self.head,
            SegmentKind::Update => &self.update,
        }
    }
}

/// Commitments of a state.
pub fn commit_state(params: &Params, spec: &Spec, state: &State) -> Result<StateCommitments, ProveError> {
    let committed = Layouts::new(&spec.config).commit_state(params, state);
    committed.map_err(ProveError::Commitments)
}

/// How far a task of a list has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskStage {
    /// Number of the task.
    pub task: usize,
    /// Its circuit.
    pub segment: SegmentKind,
    /// How far its proof is.
    pub stage: Stage,
}

/// Told how far the tasks of a list are: several may be under way, whose stages come mixed.
pub type Progress<'a> = dyn FnMut(TaskStage) + 'a;

/// A contribution of proofs, in the order of their tasks.
pub fn assemble_gradient(losses: Vec<u64>, tasks: &[Task], proofs: Vec<Vec<u8>>) -> Contribution {
    let (mut layers, mut heads) = (vec![], vec![]);
    for (task, proof) in tasks.iter().zip(proofs) {
        if task.segment == SegmentKind::Layer { layers.push(proof) } else { heads.push(proof) }
    }
    Contribution { losses, layers, heads }
}

/// A contribution's proofs, and its gradient.
pub struct Gradient {
    /// The proofs.
    pub contribution: Contribution,
    /// Gradient of the sum of the losses.
    pub gradients: Gradients,
}

/// Proves gradients and updates of one model.
#[derive(Clone)]
pub struct StepProver<'a> {
    /// Parameters.
    pub params: &'a Params,
    /// Keys.
    pub keys: &'a StepKeys,
    /// The model.
    pub spec: &'a Spec,
    /// What makes the proofs.
    pub engine: &'a dyn Engine,
    /// Most instances in one proof.
    pub instances_per_proof: u32,
    /// Stops what is being proven.
    pub cancel: Cancel,
}

/// A gradient to be proven.
pub struct GradientTasks {
    /// The tasks: layers, then heads.
    pub tasks: Vec<Task>,
    /// What they are computed from.
    pub inputs: Inputs,
    /// Sum of the losses of each sequence, frac 24.
    pub losses: Vec<u64>,
    /// Gradient of the sum of the losses.
    pub gradients: Gradients,
}

/// An update to be proven.
pub struct UpdateTasks {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// What they are computed from.
    pub inputs: Inputs,
    /// Sums of the squares of the gradient, by instance, where it is clipped.
    pub squares: Vec<SquareSum>,
}

/// A proven update.
pub struct ProvenUpdate {
    /// Sums of the squares of the gradient, by instance, where it is clipped.
    pub squares: Vec<SquareSum>,
    /// The proofs.
    pub proofs: Vec<Vec<u8>>,
    /// The commitments of the state after it.
    pub after: StateCommitments,
}

/// Where a step stands in its run.
#[derive(Clone, Copy)]
pub struct StepOf<'a> {
    /// The run.
    pub run: &'a Run,
    /// Number of the step.
    pub step: u64,
    /// State before it.
    pub before: &'a StateCommitments,
}

impl<'a> StepProver<'a> {
    /// A prover with the native engine, of as many instances in one proof as there may be.
    pub fn new(params: &'a Params, keys: &'a StepKeys, spec: &'a Spec) -> Self {
        let instances_per_proof = MAX_INSTANCES_PER_PROOF;
        StepProver { params, keys, spec, engine: &Native, instances_per_proof, cancel: Cancel::default() }
    }

    /// The same, with another engine.
    #[must_use]
    pub fn with_engine(self, engine: &'a dyn Engine) -> Self {
        StepProver { engine, ..self }
    }

    /// The same, to be stopped by `cancel`.
    #[must_use]
    pub fn with_cancel(self, cancel: Cancel) -> Self {
        StepProver { cancel, ..self }
    }

    /// The same, of so many instances in one proof.
    #[must_use]
    pub fn with_instances_per_proof(self, instances_per_proof: u32) -> Self {
        StepProver { instances_per_proof, ..self }
    }

    /// The circuits that it has keys of.
    pub fn variant(&self) -> Variant {
        self.keys.circuits.variant
    }

    /// Refuses a run of another kind than the keys and the caller, or with proofs of other numbers of instances.
    pub(crate) fn fits(&self, run: &Run, privacy: Privacy) -> Result<(), ProveError> {
        self.of_kind(privacy)?;
        if run.variant() != self.variant() {
            return Err(ProveError::Mismatch { what: "the run's circuits" });
        }
        if self.instances_per_proof == run.instances_per_proof {
            Ok(())
        } else {
            Err(ProveError::Mismatch { what: "the number of instances per proof" })
        }
    }

    /// Refuses keys of circuits of another kind.
    pub(crate) fn of_kind(&self, privacy: Privacy) -> Result<(), ProveError> {
        if self.variant().privacy == privacy {
            Ok(())
        } else {
            Err(ProveError::Mismatch { what: "the kind of the keys' circuits" })
        }
    }

    pub(crate) fn cut(&self, segment: SegmentKind, instances: Vec<TaskInstance>) -> Vec<Task> {
        cut((self.variant(), &self.spec.config), segment, instances, self.instances_per_proof as usize)
    }

    /// The tasks of the gradient of a contribution's batch, each sequence of T + 1 tokens.
    pub fn gradient_tasks(
        &self,
        domain: &Domain,
        state: &State,
        batch: &[Vec<Token>],
    ) -> Result<GradientTasks, ProveError> {
        self.of_kind(Privacy::Public)?;
        self.gradient_tasks_with(domain, state, batch, None)
    }

    /// The same of either kind; of a private one, ports are blinded by the hedge.
    pub(crate) fn gradient_tasks_with(
        &self,
        domain: &Domain,
        state: &State,
        batch: &[Vec<Token>],
        hedge: Option<&Hedge>,
    ) -> Result<GradientTasks, ProveError> {
        let ports = |segment, of: (F, &InstanceInputs), public: &dyn Fn() -> Vec<PortBlinding>| {
            hedge.map_or_else(public, |hedge| hidden_ports(self, hedge, segment, of))
        };
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| ProveError::NoRandomness)?;
        let (config, layers) = (&self.spec.config, self.spec.config.layers);
        let columns = self.keys.layer.plan.ports[layer::LOWER].columns;
        let wire = |sequence: usize, boundary: usize| {
            let name: Vec<u8> = [sequence as u32, boundary as u32].iter().flat_map(|w| w.to_le_bytes()).collect();
            derive_wire(&secret, domain.bytes(), &name, columns)
        };
        let canonical = || PortBlinding::CANONICAL;
        let (mut inputs, mut losses, mut gradients) = (Inputs::default(), vec![], Gradients::zeros(config));
        let weights = state.w.layers.iter().map(|layer| inputs.put(Input::LayerWeights(Box::new(layer.clone()))));
        let weights = weights.collect::<Result<Vec<_>, _>>()?;
        let head_weights = inputs.put(Input::HeadWeights(HeadWeights::of(&state.w)))?;
        let (mut of_layers, mut of_heads) = (vec![], vec![]);
        for (s, tokens) in batch.iter().enumerate() {
            self.cancel.check()?;
            let trace = sequence_gradient(self.spec, &state.w, tokens)?;
            trace.accumulate(&mut gradients);
            let loss = public_loss(trace.loss())?;
            losses.push(loss);
            for (l, &weights) in weights.iter().enumerate() {
                let entering = inputs.put(Input::Entering(Entering::layer(&trace, l)))?;
                let inputs = InstanceInputs::Layer { weights, entering };
                let context = domain.context(Place::Layer { sequence: s as u32, layer: l as u32 });
                let public = || vec![canonical(), canonical(), wire(s, l), wire(s, l + 1)];
                let ports = ports(SegmentKind::Layer, (context, &inputs), &public);
                of_layers.push(TaskInstance { inputs, publics: vec![context], ports });
            }
            let sequence = inputs.put(Input::Sequence(tokens.clone()))?;
            let entering = inputs.put(Input::Entering(Entering::head(&trace)))?;
            let inputs = InstanceInputs::Head { weights: head_weights, sequence, entering };
            let context = domain.context(Place::Head { sequence: s as u32 });
            let public = || vec![canonical(), canonical(), wire(s, 0), wire(s, layers), canonical()];
            let ports = ports(SegmentKind::Head, (context, &inputs), &public);
            let publics = if hedge.is_none() { vec![F::from(loss), context] } else { vec![context] };
            of_heads.push(TaskInstance { inputs, publics, ports });
        }
        let mut tasks = self.cut(SegmentKind::Layer, of_layers);
        tasks.extend(self.cut(SegmentKind::Head, of_heads));
        Ok(GradientTasks { tasks, inputs, losses, gradients })
    }

    /// Proves the gradient of a contribution's batch.
    pub fn gradient(
        &self,
        domain: &Domain,
        state: &State,
        batch: &[Vec<Token>],
        progress: &mut Progress<'_>,
    ) -> Result<Gradient, ProveError> {
        let GradientTasks { tasks, inputs, losses, gradients } = self.gradient_tasks(domain, state, batch)?;
        let proofs = self.execute_all(&tasks, &inputs, progress)?;
        Ok(Gradient { contribution: assemble_gradient(losses, &tasks, proofs), gradients })
    }

    /// The tasks of the update of `state` by a sum of gradients.
    pub fn update_tasks(
        &self,
        domain: &Domain,
        state: &State,
        gradients: &Gradients,
        hyper: &Hyper,
    ) -> Result<UpdateTasks, ProveError> {
        self.of_kind(Privacy::Public)?;
        self.update_tasks_with(domain, (state, gradients, hyper), None)
    }

    /// The same of either kind; of a private one, ports are blinded by the hedge.
    pub(crate) fn update_tasks_with(
        &self,
        domain: &Domain,
        of: (&State, &Gradients, &Hyper),
        hedge: Option<&Hedge>,
    ) -> Result<UpdateTasks, ProveError> {
        let (mut inputs, place) = (Inputs::default(), |segment, group| Place::Update { segment, group });
        let instances = self.update_instances(&mut inputs, (domain, &place), of, hedge)?;
        let squares =
            if self.variant().update.clips() { Layouts::new(&self.spec.config).squares(of.1) } else { vec![] };
        Ok(UpdateTasks { tasks: self.cut(SegmentKind::Update, instances), inputs, squares })
    }

    /// The tasks that show a first state's range: updates by the identity of the weights now, and of those before the last
    /// movement where there was one.
    pub fn genesis_tasks(&self, domain: &Domain, state: &State) -> Result<UpdateTasks, ProveError> {
        let (inputs, instances) = self.genesis_instances(domain, state, None)?;
        Ok(UpdateTasks { tasks: self.cut(SegmentKind::Update, instances), inputs, squares: vec![] })
    }

    /// Their instances, of either kind, and what these are computed from; of a private state, ports are blinded by the hedge.
    pub(crate) fn genesis_instances(
        &self,
        domain: &Domain,
        state: &State,
        hedge: Option<&Hedge>,
    ) -> Result<(Inputs, Vec<TaskInstance>), ProveError> {
        let (mut inputs, none) = (Inputs::default(), Gradients::zeros(&self.spec.config));
        let mut leave = |state: &State, place: &dyn Fn(u32, u32) -> Place| {
            let identity = Hyper::identity(self.variant().update);
            self.update_instances(&mut inputs, (domain, place), (state, &none, &identity), hedge)
        };
        let mut instances = leave(state, &|segment, group| Place::Update { segment, group })?;
        if let Some(before) = state.before() {
            instances.extend(leave(&before, &|segment, group| Place::Before { segment, group })?);
        }
        Ok((inputs, instances))
    }

    /// The instances of an update; what they are computed from is added to `inputs`. Of a private one, ports are blinded by the
    /// hedge.
    fn update_instances(
        &self,
        inputs: &mut Inputs,
        (domain, place): (&Domain, &dyn Fn(u32, u32) -> Place),
        (state, gradients, hyper): (&State, &Gradients, &Hyper),
        hedge: Option<&Hedge>,
    ) -> Result<Vec<TaskInstance>, ProveError> {
        let variant = self.variant();
        if (state.moments.kind(), hyper.kind()) != (variant.update.optimizer(), variant.update) {
            return Err(ProveError::Mismatch { what: "the optimizer of the state" });
        }
        let (layouts, mut instances) = (Layouts::new(&self.spec.config), vec![]);
        let integers = hyper.publics();
        for segment in 0..layouts.segments() {
            let mut sources = layouts.state_columns(segment, state);
            sources.push(layouts.gradient_columns(segment, gradients));
            for group in 0..layouts.of(segment).groups {
                let port = |multiples: Vec<i128>| {
                    std::array::from_fn(|lane| combined(&sources, group * LANES + lane, &multiples))
                };
                let entering: Vec<[Vec<i128>; LANES]> = hyper.entering().into_iter().map(port).collect();
                let values = UpdateValues { integers: integers.clone(), entering };
                let publics = values.publics(variant);
                let values = inputs.put(Input::Update(values))?;
                let context = domain.context(place(segment as u32, group as u32));
                let inputs = InstanceInputs::Update { values };
                let ports = match hedge {
                    None => vec![PortBlinding::CANONICAL; SegmentKind::Update.ports(variant)],
                    Some(hedge) => hidden_ports(self, hedge, SegmentKind::Update, (context, &inputs)),
                };
                let publics = publics.into_iter().chain([context]).collect();
                instances.push(TaskInstance { inputs, publics, ports });
            }
        }
        Ok(instances)
    }

    /// Proves the update of a state by a sum of gradients. The
    /// commitments must be the state's: with others, no verifier accepts the proofs.
    pub fn update(
        &self,
        domain: &Domain,
        (state, before): (&State, &StateCommitments),
        gradients: &Gradients,
        hyper: &Hyper,
        progress: &mut Progress<'_>,
    ) -> Result<ProvenUpdate, ProveError> {
        let UpdateTasks { tasks, inputs, squares } = self.update_tasks(domain, state, gradients, hyper)?;
        let proofs = self.execute_all(&tasks, &inputs, progress)?;
        let after = self.assemble_state(before, &tasks, &proofs)?;
        Ok(ProvenUpdate { squares, proofs, after })
    }

    /// The commitments of the state after an update, by those at the heads of its proofs.
    pub(crate) fn assemble_state(
        &self,
        before: &StateCommitments,
        tasks: &[Task],
        proofs: &[Vec<u8>],
    ) -> Result<StateCommitments, ProveError> {
        let shape = &self.keys.update.verifying.shape;
        let decoded = |port: &Vec<[u8; ENCODED]>| -> Option<Vec<Point>> {
            port.iter().map(|bytes| Point::from_bytes(bytes).into_option()).collect()
        };
        let mut ports = vec![];
        for (task, proof) in tasks.iter().zip(proofs) {
            let items = proof.as_chunks::<ENCODED>().0;
            for instance in shape.by_port(task.instances.len(), items).ok_or(ProveError::SelfCheck)? {
                let points: Option<Vec<Vec<Point>>> = instance.iter().map(decoded).collect();
                ports.push(points.ok_or(ProveError::SelfCheck)?);
            }
        }
        let zero = commit_canonical(self.params, &[]).map_err(ProveError::Commitments)?;
        let kind = self.variant().update;
        let before = before.decode(kind.optimizer()).map_err(ProveError::Commitments)?;
        let layouts = Layouts::new(&self.spec.config);
        layouts.state_after(kind, &before, &ports, &zero).map_err(ProveError::Commitments)
    }

    /// Proves that a first state is in range and canonically committed; gives its commitments too.
    pub fn genesis(
        &self,
        state: &State,
        progress: &mut Progress<'_>,
    ) -> Result<(GenesisProof, StateCommitments), ProveError> {
        let config = &self.spec.config;
        self.of_kind(Privacy::Public)?;
        check_instances(self.instances_per_proof)?;
        state.check(config)?;
        let committed = commit_state(self.params, self.spec, state)?;
        let UpdateTasks { tasks, inputs, .. } = self.genesis_tasks(&GenesisProof::domain(config, &committed), state)?;
        let updates = self.execute_all(&tasks, &inputs, progress)?;
        let canonical = self.outputs(&[], state, &committed)?;
        let instances_per_proof = self.instances_per_proof;
        Ok((GenesisProof { instances_per_proof, updates, canonical }, committed))
    }

    /// Shows that the commitments of the contributions' gradients and of the state after have the canonical blind.
    pub fn outputs(
        &self,
        gradients: &[&Gradients],
        after: &State,
        commitments: &StateCommitments,
    ) -> Result<Vec<u8>, ProveError> {
        self.cancel.check()?;
        let layouts = Layouts::new(&self.spec.config);
        let refused = ProveError::Commitments;
        let mut columns: Vec<Vec<F>> = vec![];
        let mut points = vec![];
        for gradients in gradients {
            points.extend(layouts.commit_gradients(self.params, gradients).map_err(refused)?.into_iter().flatten());
            let of_segments = (0..layouts.segments()).flat_map(|segment| layouts.gradient_columns(segment, gradients));
            columns.extend(of_segments.map(|column| column.into_iter().map(field).collect::<Vec<F>>()));
        }
        let state = (0..layouts.segments()).flat_map(|segment| layouts.state_columns(segment, after)).flatten();
        columns.extend(state.map(|column| column.into_iter().map(field).collect()));
        points.extend(commitments.points().map_err(refused)?);
        self.cancel.check()?;
        prove_canonical(self.params, &columns, &points)
    }

    /// Takes and proves a whole step of a run: `batches` are those assigned, one per contribution. `state` moves on.
    pub fn step(
        &self,
        at: StepOf<'_>,
        state: &mut State,
        batches: &[Assigned],
        progress: &mut Progress<'_>,
    ) -> Result<(Bundle, StateCommitments), ProveError> {
        self.fits(at.run, Privacy::Public)?;
        state.check(&self.spec.config)?;
        let (id, digest) = (at.run.id()?, at.before.digest());
        let (mut tasks, mut inputs) = (vec![], Inputs::default());
        let mut add = |more: Vec<Task>, their: Inputs| {
            inputs.extend(their);
            let first = tasks.len();
            tasks.extend(more);
            first..tasks.len()
        };
        let mut sum = Gradients::zeros(&self.spec.config);
        let mut computed = vec![];
        for (index, batch) in (0..).zip(batches) {
            let domain = Run::contribution_domain(&id, at.step, &digest, index);
            let GradientTasks { tasks, inputs, losses, gradients } =
                self.gradient_tasks(&domain, state, &batch.sequences)?;
            sum.add(&gradients);
            computed.push((add(tasks, inputs), losses, gradients));
        }
        let domain = Run::update_domain(&id, at.step, &digest);
        let hyper = at.run.hyper(&self.spec.config, at.step, at.run.optimizer.squares(&sum))?;
        let update = self.update_tasks(&domain, state, &sum, &hyper)?;
        let squares = update.squares;
        let of_update = add(update.tasks, update.inputs);
        let mut saturations = circuits::arithmetic::fixed::Saturations::default();
        let mut moved = state.clone();
        moved.update(&hyper, &sum, &mut saturations)?;
        let gradients: Vec<&Gradients> = computed.iter().map(|(_, _, gradients)| gradients).collect();
        let mut shown = None;
        // What follows from the update's proofs is computed while gradients are still being proven.
        let mut show = |updates: Vec<Vec<u8>>| {
            let after = self.assemble_state(at.before, &tasks[of_update.clone()], &updates)?;
            shown = Some((self.outputs(&gradients, &moved, &after)?, after));
            Ok(())
        };
        let then = Then { tasks: of_update.clone(), with: &mut show };
        let mut proofs = self.execute_then(&tasks, &inputs, progress, then)?;
        let updates = proofs.split_off(of_update.start);
        let (canonical, after) = shown.ok_or(ProveError::NoInstances)?;
        // Nothing can fail from here on: the state moves with its proofs, or not at all.
        *state = moved;
        let mut proofs = proofs.into_iter();
        let assemble = |(range, losses, _): (Range<usize>, _, _)| {
            let of_contribution = proofs.by_ref().take(range.len()).collect();
            assemble_gradient(losses, &tasks[range], of_contribution)
        };
        let contributions = computed.into_iter().map(assemble).collect();
        let leaves = batches.iter().flat_map(|batch| batch.leaves.iter().cloned()).collect();
        let (run, before) = (at.run.clone(), at.before.clone());
        Ok((
            Bundle { canonical, run, step: at.step, before, contributions, leaves, squares, updates, private: None },
            after,
        ))
    }
}

/// A column of a sum of multiples of ports. What 128 bits do not hold is refused with all that the circuit does not take.
fn combined(sources: &[Vec<Vec<i128>>], column: usize, multiples: &[i128]) -> Vec<i128> {
    let rows = sources.first().map_or(0, |source| source[column].len());
    let of_row = |row: usize| {
        let mut terms = sources.iter().zip(multiples).filter(|(_, by)| **by != 0);
        let sum = terms.try_fold(0i128, |sum, (source, &by)| sum.checked_add(source[column][row].checked_mul(by)?));
        sum.unwrap_or(i128::MAX)
    };
    (0..rows).map(of_row).collect()
}
