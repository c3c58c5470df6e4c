//! Verifying a training step: every proof, the wires between segments, the sum of the gradients, the state's chain.
//!
//! A verifier holds no weights and no gradients: it compares commitments. [`StepVerifier::check`] does all of it but the
//! final multi-scalar multiplication, which many steps share.

use crate::batch::Batch;
use crate::error::VerifyError;
use crate::proof::{Ports, instances};
use circuits::codec::CodecError;
use circuits::curve::{F, Params, Point};
use circuits::keys::{KeyError, VerifyingKey};
use circuits::model::{Config, Spec};
use circuits::plan::field;
use circuits::ports::{PortError, commit_canonical, sum};
use circuits::segments::{PUBLICS, Plans, head, layer, update};
use circuits::statement::{
    Bundle, Contribution, Encoding, INSTANCES_PER_PROOF, Layouts, Place, Run, RunError, SegmentState, StateCommitments,
    Step,
};
use group::GroupEncoding;

/// Why a step is refused: one variant for each rule.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The run itself is refused.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The file is refused.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The keys are those of another configuration.
    #[error("the keys are not those of the run's configuration")]
    Keys,
    /// The step belongs to another run.
    #[error("the step belongs to another run")]
    OtherRun,
    /// The step is not the next one.
    #[error("step {found} stands where step {expected} is expected")]
    Number {
        /// The next step.
        expected: u64,
        /// In the bundle.
        found: u64,
    },
    /// The step does not begin at the state at which the step before ended.
    #[error("step {step} does not begin at the state that the step before left")]
    Before {
        /// The step.
        step: u64,
    },
    /// Too few or too many contributions, sequences or proofs.
    #[error("{found} {what}, not {expected}")]
    Count {
        /// Of what.
        what: &'static str,
        /// By the run.
        expected: usize,
        /// In the bundle.
        found: usize,
    },
    /// A proof is refused.
    #[error("{part} proof {index}: {source}")]
    Proof {
        /// Which kind.
        part: &'static str,
        /// Its number among its kind, over all contributions.
        index: usize,
        /// Why.
        source: VerifyError,
    },
    /// A port that should hold the state holds something else.
    #[error("{place:?}: the {port} are not those of the state")]
    State {
        /// The instance.
        place: Place,
        /// The port.
        port: &'static str,
    },
    /// Two ends of a wire differ.
    #[error(
        "contribution {contribution}, sequence {sequence}: the wire below layer {boundary} has two ends that differ"
    )]
    Wire {
        /// The contribution.
        contribution: u32,
        /// The sequence.
        sequence: u32,
        /// The boundary: that of layer 0 is below it, the last one below the head.
        boundary: usize,
    },
    /// The update's gradient is not the sum of the contributions'.
    #[error("segment {segment}: the update does not apply the sum of the contributions' gradients")]
    GradientSum {
        /// The segment.
        segment: usize,
    },
    /// Gradients that cannot be added up.
    #[error("segment {segment}: {source}")]
    Sum {
        /// The segment.
        segment: usize,
        /// Why.
        source: PortError,
    },
    /// The new state's commitments are not shown to have the canonical blind.
    #[error("the opening of the new state's commitments: {source}")]
    Canonical {
        /// Why.
        source: VerifyError,
    },
    /// A batch is not the one that the run's seed assigns.
    #[error("contribution {contribution}, sequence {sequence}: the batch is not the one that the seed assigns")]
    Batch {
        /// The contribution.
        contribution: u32,
        /// The sequence.
        sequence: u32,
    },
    /// A key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Keys of a model's three circuits.
pub struct StepVerifier {
    spec_config: Config,
    layouts: Layouts,
    /// Layer segment.
    pub layer: VerifyingKey,
    /// Head segment.
    pub head: VerifyingKey,
    /// Update segment.
    pub update: VerifyingKey,
}

/// What a checked step leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// State after the step.
    pub after: StateCommitments,
    /// Sum of the losses over all predictions of the step, frac 24.
    pub loss: u128,
}

impl StepVerifier {
    /// Makes the keys of a configuration.
    pub fn new(params: &Params, config: &Config) -> Result<Self, StepError> {
        let plans = Plans::new(&Spec::new(config.clone()));
        let key = |plan, publics| VerifyingKey::with_publics(params, plan, publics);
        Ok(StepVerifier {
            spec_config: config.clone(),
            layouts: Layouts::new(config),
            layer: key(&plans.layer, PUBLICS[0])?,
            head: key(&plans.head, PUBLICS[1])?,
            update: key(&plans.update, PUBLICS[2])?,
        })
    }

    /// The configuration that the keys are of.
    pub fn config(&self) -> &Config {
        &self.spec_config
    }

    /// Checks everything of a step but the claims that it adds to `batch`. `sequences` are the assigned batches, one per
    /// contribution, where the corpus is at hand.
    pub fn check<'p>(
        &self,
        params: &'p Params,
        batch: &mut Batch<'p>,
        (run, number, before): (&Run, u64, &StateCommitments),
        bundle: &Bundle,
        sequences: Option<&[Vec<Vec<u8>>]>,
    ) -> Result<Verified, StepError> {
        if run.check()? != self.spec_config {
            return Err(StepError::Keys);
        }
        if bundle.run != *run {
            return Err(StepError::OtherRun);
        }
        if bundle.step != number {
            return Err(StepError::Number { expected: number, found: bundle.step });
        }
        if bundle.before != *before {
            return Err(StepError::Before { step: number });
        }
        bundle.before.check(&self.spec_config)?;
        count("contributions", run.accumulate as usize, bundle.contributions.len())?;
        if let Some(assigned) = sequences {
            count("assigned batches", run.accumulate as usize, assigned.len())?;
            for batch in assigned {
                count("assigned sequences", run.batch as usize, batch.len())?;
            }
        }
        let step = Step { run: run.id()?, step: number, before: before.digest() };

        let mut gradients: Vec<Vec<Vec<Point>>> = vec![vec![]; self.layouts.segments()];
        let mut loss = 0;
        for (c, contribution) in bundle.contributions.iter().enumerate() {
            let assigned = sequences.and_then(|s| s.get(c)).map(Vec::as_slice);
            self.contribution(params, batch, (&step, c as u32), run, before, contribution, assigned, &mut gradients)?;
            loss += contribution.losses.iter().map(|&l| u128::from(l)).sum::<u128>();
        }
        let after = self.update(batch, &step, run, bundle, &gradients)?;
        Ok(Verified { after, loss })
    }

    #[allow(clippy::too_many_arguments)]
    fn contribution<'p>(
        &self,
        params: &'p Params,
        batch: &mut Batch<'p>,
        (step, c): (&Step, u32),
        run: &Run,
        before: &StateCommitments,
        contribution: &Contribution,
        assigned: Option<&[Vec<u8>]>,
        gradients: &mut [Vec<Vec<Point>>],
    ) -> Result<(), StepError> {
        let (sequences, layers) = (run.batch as usize, self.spec_config.layers);
        count("losses", sequences, contribution.losses.len())?;
        let layer_publics: Vec<Vec<F>> = (0..sequences * layers)
            .map(|i| {
                let (sequence, layer) = ((i / layers) as u32, (i % layers) as u32);
                vec![step.context(Place::Layer { contribution: c, sequence, layer })]
            })
            .collect();
        let head_publics: Vec<Vec<F>> = contribution
            .losses
            .iter()
            .enumerate()
            .map(|(s, &loss)| vec![F::from(loss), step.context(Place::Head { contribution: c, sequence: s as u32 })])
            .collect();
        let layer_ports = proofs(batch, "layer", &self.layer, &contribution.layers, &layer_publics)?;
        let head_ports = proofs(batch, "head", &self.head, &contribution.heads, &head_publics)?;

        for s in 0..sequences {
            let sequence = s as u32;
            let of_head = &head_ports[s];
            let state = |place: Place, segment: usize, port: &[Point]| {
                let port_is = |expected: &[Encoding]| port.iter().map(Point::to_bytes).eq(expected.iter().copied());
                if port_is(&before.segments[segment].w) {
                    Ok(())
                } else {
                    Err(StepError::State { place, port: "weights" })
                }
            };
            state(Place::Head { contribution: c, sequence }, layers, &of_head[head::WEIGHTS])?;
            gradients[layers].push(of_head[head::GRADIENTS].clone());
            // The wires, bottom to top: head to layers and back.
            let mut below = &of_head[head::LOWER];
            for (l, summands) in gradients.iter_mut().enumerate().take(layers) {
                let of_layer = &layer_ports[s * layers + l];
                state(Place::Layer { contribution: c, sequence, layer: l as u32 }, l, &of_layer[layer::WEIGHTS])?;
                if of_layer[layer::LOWER] != *below {
                    return Err(StepError::Wire { contribution: c, sequence, boundary: l });
                }
                below = &of_layer[layer::UPPER];
                summands.push(of_layer[layer::GRADIENTS].clone());
            }
            if of_head[head::UPPER] != *below {
                return Err(StepError::Wire { contribution: c, sequence, boundary: layers });
            }
            if let Some(assigned) = assigned {
                let matches = assigned.get(s).is_some_and(|tokens| {
                    let column: Vec<F> = head::batch_column(tokens).into_iter().map(field).collect();
                    commit_canonical(params, &column).is_ok_and(|point| of_head[head::BATCH] == [point])
                });
                if !matches {
                    return Err(StepError::Batch { contribution: c, sequence });
                }
            }
        }
        Ok(())
    }

    fn update(
        &self,
        batch: &mut Batch<'_>,
        step: &Step,
        run: &Run,
        bundle: &Bundle,
        gradients: &[Vec<Vec<Point>>],
    ) -> Result<StateCommitments, StepError> {
        let hyper = run.hyper(&self.spec_config, step.step)?;
        let places = self.layouts.updates();
        let publics: Vec<Vec<F>> = places
            .iter()
            .map(|&(segment, group)| {
                let context = step.context(Place::Update { segment: segment as u32, group: group as u32 });
                vec![F::from(hyper.lambda), F::from(hyper.mu), F::from(hyper.omega), context]
            })
            .collect();
        let ports = proofs(batch, "update", &self.update, &bundle.updates, &publics)?;

        let empty = || SegmentState { w: vec![], lo: vec![], v: vec![] };
        let join = |which: usize, segment: usize| -> Vec<Point> {
            let of_segment = places.iter().zip(&ports).filter(|((s, _), _)| *s == segment);
            of_segment.flat_map(|(_, ports)| ports[which].iter().copied()).collect()
        };
        let encode = |points: Vec<Point>| -> Vec<Encoding> { points.iter().map(Point::to_bytes).collect() };
        let mut after = vec![empty(); self.layouts.segments()];
        for (segment, after) in after.iter_mut().enumerate() {
            let before = &bundle.before.segments[segment];
            let place = Place::Update { segment: segment as u32, group: 0 };
            for (port, name, expected) in [
                (update::WEIGHTS, "weights", &before.w),
                (update::LOW, "low parts", &before.lo),
                (update::MOMENTUM, "momentum", &before.v),
            ] {
                if encode(join(port, segment)) != *expected {
                    return Err(StepError::State { place, port: name });
                }
            }
            let total = sum(gradients[segment].iter().map(Vec::as_slice))
                .map_err(|source| StepError::Sum { segment, source })?;
            if join(update::GRADIENT, segment) != total {
                return Err(StepError::GradientSum { segment });
            }
            *after = SegmentState {
                w: encode(join(update::NEW_WEIGHTS, segment)),
                lo: encode(join(update::NEW_LOW, segment)),
                v: encode(join(update::NEW_MOMENTUM, segment)),
            };
        }
        let after = StateCommitments { segments: after };
        let points = after.points().map_err(|source| StepError::Sum { segment: 0, source })?;
        batch.add_canonical(&points, &bundle.canonical).map_err(|source| StepError::Canonical { source })?;
        Ok(after)
    }
}

fn count(what: &'static str, expected: usize, found: usize) -> Result<(), StepError> {
    if expected == found { Ok(()) } else { Err(StepError::Count { what, expected, found }) }
}

/// Adds the proofs of some instances, [`INSTANCES_PER_PROOF`] in each, to the batch; gives the ports of all instances.
fn proofs(
    batch: &mut Batch<'_>,
    part: &'static str,
    key: &VerifyingKey,
    proofs: &[Vec<u8>],
    publics: &[Vec<F>],
) -> Result<Ports, StepError> {
    count("proofs", publics.len().div_ceil(INSTANCES_PER_PROOF), proofs.len())?;
    let mut ports = vec![];
    for (index, (proof, publics)) in proofs.iter().zip(publics.chunks(INSTANCES_PER_PROOF)).enumerate() {
        let refused = |source| StepError::Proof { part, index, source };
        let columns = instances(key, proof, publics).map_err(refused)?;
        ports.extend(batch.add(key, publics.len(), proof, &columns).map_err(refused)?);
    }
    Ok(ports)
}

impl StepVerifier {
    /// Verifies one step alone: [`Self::check`] and the multi-scalar multiplication.
    pub fn verify(
        &self,
        params: &Params,
        at: (&Run, u64, &StateCommitments),
        bundle: &Bundle,
        sequences: Option<&[Vec<Vec<u8>>]>,
    ) -> Result<Verified, StepError> {
        let mut batch = Batch::new(params);
        let verified = self.check(params, &mut batch, at, bundle, sequences)?;
        batch.finish().map_err(|_| StepError::Proof { part: "some", index: 0, source: VerifyError::Invalid })?;
        Ok(verified)
    }
}
