//! Proofs of a training step: gradient proofs of its contributions, then the update proof.

use crate::canonical::prove_canonical;
use crate::error::ProveError;
use crate::proof::{Proof, ProofInstance, ProverKey, Stage, prove};
use crate::rng::{PortBlinding, derive_wire};
use backend::curve::{F, Params, Point};
use backend::keys::VerifyingKey;
use backend::{Circuit, Witness};
use circuits::model::{Gradients, Spec, State, public_loss, sequence_gradient};
use circuits::ops::sgd::{Element, Hyper};
use circuits::scope::{Place, Scope};
use circuits::segments::head::HeadInput;
use circuits::segments::layer::LayerInput;
use circuits::segments::update::UpdateValues;
use circuits::segments::{Circuits, SegmentKind, layer, update};
use circuits::statement::{
    Bundle, Contribution, Encoding, GenesisProof, INSTANCES_PER_PROOF, Layouts, Run, SegmentState, StateCommitments,
};
use group::GroupEncoding;
use plonkish::{LANES, field};
use std::sync::{Mutex, PoisonError};

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
}

impl StepKeys {
    /// Makes the keys of a model.
    pub fn generate(params: &Params, spec: &Spec) -> Result<Self, ProveError> {
        Self::generate_told(params, spec, &mut |_, _| {})
    }

    /// The same, telling how many keys are made, and of how many.
    pub fn generate_told(params: &Params, spec: &Spec, told: &mut dyn FnMut(usize, usize)) -> Result<Self, ProveError> {
        let circuits = Circuits::new(spec);
        let mut made = 0;
        let mut key = |kind: SegmentKind| -> Result<ProverKey, ProveError> {
            let plan = circuits.plan(kind);
            let key = ProverKey::new(params, plan, VerifyingKey::with_publics(params, plan, kind.publics())?)?;
            made += 1;
            told(made, SegmentKind::ALL.len());
            Ok(key)
        };
        let (layer, head, update) = (key(SegmentKind::Layer)?, key(SegmentKind::Head)?, key(SegmentKind::Update)?);
        Ok(StepKeys { layer, head, update, circuits })
    }

    /// The keys of layer, head and update that a verifier needs.
    pub fn verifying(&self) -> [VerifyingKey; 3] {
        [&self.layer, &self.head, &self.update].map(|key| key.verifying.clone())
    }
}

/// Commitments of a state.
pub fn commit_state(params: &Params, spec: &Spec, state: &State) -> Result<StateCommitments, ProveError> {
    let committed = Layouts::new(&spec.config).commit_state(params, state);
    committed.map_err(|source| ProveError::Port { instance: 0, source })
}

/// Which part of a step is being proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Layers of a contribution.
    Layers,
    /// Heads of a contribution.
    Heads,
    /// The update.
    Update,
}

impl Part {
    /// Its name, in the plural where there are several.
    pub fn name(self) -> &'static str {
        match self {
            Part::Layers => "layers",
            Part::Heads => "heads",
            Part::Update => "update",
        }
    }
}

/// Told how far a part of a step is; parts may be proven side by side.
pub type Progress<'a> = dyn FnMut(Part, Stage) + Send + 'a;

/// A contribution's proofs, and its gradient.
pub struct Gradient {
    /// The proofs.
    pub contribution: Contribution,
    /// Gradient of the sum of the losses.
    pub gradients: Gradients,
}

fn filled<V>(circuit: &Circuit<V>, values: &V) -> Result<Witness, ProveError> {
    circuit.fill(values).map_err(|source| ProveError::Witness { instance: 0, source })
}

/// Proves gradients and updates of one model.
#[derive(Clone, Copy)]
pub struct StepProver<'a> {
    /// Parameters.
    pub params: &'a Params,
    /// Keys.
    pub keys: &'a StepKeys,
    /// The model.
    pub spec: &'a Spec,
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

impl StepProver<'_> {
    /// Proves the gradient of a contribution's batch, each sequence of T + 1 tokens.
    pub fn gradient(
        &self,
        scope: &Scope,
        state: &State,
        batch: &[Vec<u8>],
        progress: &mut Progress<'_>,
    ) -> Result<Gradient, ProveError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| ProveError::NoRandomness)?;
        let wire = |sequence: usize, boundary: usize, columns: usize| {
            let name: Vec<u8> = [sequence as u32, boundary as u32].iter().flat_map(|w| w.to_le_bytes()).collect();
            derive_wire(&secret, scope.bytes(), &name, columns)
        };
        let layers = self.spec.config.layers;
        let columns = self.keys.layer.plan.ports[layer::LOWER].columns;
        let mut out = Gradient {
            contribution: Contribution { losses: vec![], layers: vec![], heads: vec![] },
            gradients: Gradients::zeros(&self.spec.config),
        };
        let mut pending: [Vec<ProofInstance>; 2] = [vec![], vec![]];
        for (sequence, tokens) in batch.iter().enumerate() {
            let trace = sequence_gradient(self.spec, &state.w, tokens)?;
            trace.accumulate(&mut out.gradients);
            let loss = public_loss(trace.loss())?;
            out.contribution.losses.push(loss);
            for layer in 0..layers {
                let place = Place::Layer { sequence: sequence as u32, layer: layer as u32 };
                let ports = vec![
                    PortBlinding::Canonical(1),
                    PortBlinding::Canonical(1),
                    wire(sequence, layer, columns),
                    wire(sequence, layer + 1, columns),
                ];
                let values = LayerInput::of(&state.w, &trace, layer).compute(self.spec);
                let witness = filled(&self.keys.circuits.layer, &values)?;
                pending[0].push(ProofInstance { witness, publics: vec![scope.context(place)], ports });
                self.flush(&mut pending[0], false, Part::Layers, &mut out.contribution.layers, progress)?;
            }
            let ports = vec![
                PortBlinding::Canonical(1),
                PortBlinding::Canonical(1),
                wire(sequence, 0, columns),
                wire(sequence, layers, columns),
                PortBlinding::Canonical(1),
            ];
            let context = scope.context(Place::Head { sequence: sequence as u32 });
            let witness = filled(&self.keys.circuits.head, &HeadInput::of(&state.w, &trace).compute(self.spec))?;
            let publics = vec![F::from(loss), context];
            pending[1].push(ProofInstance { witness, publics, ports });
            self.flush(&mut pending[1], false, Part::Heads, &mut out.contribution.heads, progress)?;
        }
        // What is left of both kinds is proven side by side: a single proof does not keep two cores busy.
        let [mut layers, mut heads] = pending;
        let Contribution { layers: layer_proofs, heads: head_proofs, .. } = &mut out.contribution;
        let shared = Mutex::new(progress);
        let report = |part: Part, stage: Stage| {
            let mut progress = shared.lock().unwrap_or_else(PoisonError::into_inner);
            progress(part, stage);
        };
        std::thread::scope(|scope| {
            let heads = scope.spawn(|| {
                self.flush(&mut heads, true, Part::Heads, head_proofs, &mut |part, stage| report(part, stage))
            });
            self.flush(&mut layers, true, Part::Layers, layer_proofs, &mut |part, stage| report(part, stage))?;
            heads.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        Ok(out)
    }

    /// Proves the pending instances once they fill a proof, or at the end.
    fn flush(
        &self,
        pending: &mut Vec<ProofInstance>,
        end: bool,
        part: Part,
        proofs: &mut Vec<Vec<u8>>,
        progress: &mut Progress<'_>,
    ) -> Result<Option<Proof>, ProveError> {
        if pending.is_empty() || (!end && pending.len() < INSTANCES_PER_PROOF) {
            return Ok(None);
        }
        let key = match part {
            Part::Layers => &self.keys.layer,
            Part::Heads => &self.keys.head,
            Part::Update => &self.keys.update,
        };
        let proof = prove(self.params, key, std::mem::take(pending), &mut |stage| progress(part, stage))?;
        proofs.push(proof.bytes.clone());
        Ok(Some(proof))
    }

    /// Proves the update of `state` by the sum of `summands` contributions' gradients; gives the proofs and the
    /// commitments of the state after.
    pub fn update(
        &self,
        scope: &Scope,
        state: &State,
        gradients: &Gradients,
        summands: u64,
        hyper: &Hyper,
        progress: &mut Progress<'_>,
    ) -> Result<(Vec<Vec<u8>>, StateCommitments), ProveError> {
        let layouts = Layouts::new(&self.spec.config);
        let mut pending = vec![];
        let mut proofs = vec![];
        let mut after: Vec<[Vec<Encoding>; 3]> = vec![Default::default(); layouts.segments()];
        let places = layouts.updates();
        let mut columns = None;
        for (i, &(segment, group)) in places.iter().enumerate() {
            if group == 0 {
                columns = Some((layouts.state_columns(segment, state), layouts.gradient_columns(segment, gradients)));
            }
            let ([w, lo, v], g) = columns.as_ref().expect("a segment begins with group 0");
            let lanes: [Vec<(Element, i128)>; LANES] = std::array::from_fn(|lane| {
                let c = group * LANES + lane;
                let element = |row: usize| (Element { w: w[c][row], lo: lo[c][row], v: v[c][row] }, g[c][row]);
                (0..w[c].len()).map(element).collect()
            });
            let place = Place::Update { segment: segment as u32, group: group as u32 };
            let mut publics = [hyper.lambda, hyper.mu, hyper.omega].map(F::from).to_vec();
            publics.push(scope.context(place));
            let mut ports = vec![PortBlinding::Canonical(1); update::NEW_MOMENTUM + 1];
            ports[update::GRADIENT] = PortBlinding::Canonical(summands);
            let witness = filled(&self.keys.circuits.update, &UpdateValues { hyper: *hyper, lanes })?;
            pending.push(ProofInstance { witness, publics, ports });
            let end = i + 1 == places.len();
            if let Some(proof) = self.flush(&mut pending, end, Part::Update, &mut proofs, progress)? {
                let first = i + 1 - proof.ports.len();
                for (&(segment, _), ports) in places[first..].iter().zip(&proof.ports) {
                    for (into, port) in after[segment].iter_mut().zip(&ports[update::NEW_WEIGHTS..]) {
                        into.extend(port.iter().map(Point::to_bytes));
                    }
                }
            }
        }
        let segments = after.into_iter().map(|[w, lo, v]| SegmentState { w, lo, v }).collect();
        Ok((proofs, StateCommitments { segments }))
    }

    /// Proves that a first state is in range and canonically committed; gives its commitments too.
    pub fn genesis(
        &self,
        state: &State,
        progress: &mut Progress<'_>,
    ) -> Result<(GenesisProof, StateCommitments), ProveError> {
        let config = &self.spec.config;
        state.check(config)?;
        let committed = commit_state(self.params, self.spec, state)?;
        let (scope, gradients) = (GenesisProof::scope(config, &committed), state.identity_gradient(config));
        let (updates, after) = self.update(&scope, state, &gradients, 1, &Hyper::IDENTITY, progress)?;
        if after != committed {
            return Err(ProveError::Mismatch { what: "the state after the identity" });
        }
        let canonical = self.outputs(&[], state, &after)?;
        Ok((GenesisProof { updates, canonical }, committed))
    }

    /// Shows that the commitments of the contributions' gradients and of the state after have the canonical blind.
    pub fn outputs(
        &self,
        gradients: &[&Gradients],
        after: &State,
        commitments: &StateCommitments,
    ) -> Result<Vec<u8>, ProveError> {
        let layouts = Layouts::new(&self.spec.config);
        let refused = |source| ProveError::Port { instance: 0, source };
        let mut columns: Vec<Vec<F>> = vec![];
        let mut points = vec![];
        for gradients in gradients {
            points.extend(layouts.commit_gradients(self.params, gradients).map_err(refused)?.into_iter().flatten());
            let of_segments = (0..layouts.segments()).flat_map(|segment| layouts.gradient_columns(segment, gradients));
            columns.extend(of_segments.map(|column| column.into_iter().map(field).collect::<Vec<F>>()));
        }
        let state = (0..layouts.segments()).flat_map(|segment| layouts.state_columns(segment, after)).flatten();
        columns.extend(state.map(|column| column.into_iter().map(|x| field(x.into())).collect()));
        points.extend(commitments.points().map_err(refused)?);
        prove_canonical(self.params, &columns, &points)
    }

    /// Takes and proves a whole step of a run: `batches` holds one batch per contribution. `state` moves on.
    pub fn step(
        &self,
        at: StepOf<'_>,
        state: &mut State,
        batches: &[Vec<Vec<u8>>],
        progress: &mut Progress<'_>,
    ) -> Result<(Bundle, StateCommitments), ProveError> {
        let (id, digest) = (at.run.id()?, at.before.digest());
        let hyper = at.run.hyper(&self.spec.config, at.step)?;
        let mut sum = Gradients::zeros(&self.spec.config);
        let mut proven = vec![];
        for (index, batch) in (0..).zip(batches) {
            let scope = Run::contribution_scope(&id, at.step, &digest, index);
            let gradient = self.gradient(&scope, state, batch, progress)?;
            sum.add(&gradient.gradients);
            proven.push(gradient);
        }
        let scope = Run::update_scope(&id, at.step, &digest);
        let (updates, after) = self.update(&scope, state, &sum, proven.len() as u64, &hyper, progress)?;
        let mut saturations = circuits::fixed::Saturations::default();
        circuits::ops::sgd::apply(&hyper, state, &sum, &mut saturations);
        let gradients: Vec<&Gradients> = proven.iter().map(|p| &p.gradients).collect();
        let canonical = self.outputs(&gradients, state, &after)?;
        let contributions = proven.into_iter().map(|p| p.contribution).collect();
        let (run, before) = (at.run.clone(), at.before.clone());
        Ok((Bundle { canonical, run, step: at.step, before, contributions, updates }, after))
    }
}
