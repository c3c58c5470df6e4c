//! Verifying a training step: every proof, the wires between segments, the sum of the gradients, the state's chain.
//!
//! | part | |
//! |---|---|
//! | `genesis` | that a first state is in range |
//! | `private` | what a private step shows of its wires |
//! | `sequences` | which sequences a step is on |
//! | `wires` | that the ends of wires are equal |
//!
//! A verifier holds no weights and no gradients: it compares commitments. [`StepVerifier::check`] does all of it but the
//! final multi-scalar multiplication, which many steps share.

mod genesis;
mod private;
mod sequences;
mod wires;

pub use genesis::genesis_parts;

use crate::batch::Batch;
use crate::error::{BatchError, Part, StepError, VerifyError};
use crate::keys::{KeysDigest, VerifyingKeys};
use crate::oracle::Oracle;
use crate::proof::{Ports, instances};
use crate::span::Pairs;
use backend::curve::{F, Params, Point, PointSum};
use backend::ports::{commit_canonical, sum};
use circuits::model::{Config, Hyper, Spec, SquareSum, Token};
use circuits::segments::{Circuits, Privacy, SegmentKind, UpdatePort, Variant, head, update};
use circuits::statements::domain::{Domain, Place};
use circuits::statements::squares::{shown, sums_of};
use circuits::statements::ties;
use circuits::statements::{Bundle, Contribution, Encoding, Layouts, Run, StateCommitments, check_instances};
use group::{Curve, CurveAffine, Group};
use plonkish::field;
use sequences::{matches_assigned, matches_leaves, shows_assigned};
use std::collections::BTreeMap;
use wires::{decode, encode_ports, equal, paired};

/// Verifies steps of a model, with the keys of its three circuits.
pub struct StepVerifier {
    spec_config: Config,
    variant: Variant,
    layouts: Layouts,
    /// Commitment of a zero column: what a blind of 1 adds.
    blind: Point,
    keys: VerifyingKeys,
    digest: KeysDigest,
    /// halo2's verifiers, if they are asked.
    oracles: BTreeMap<SegmentKind, Oracle>,
}

/// What a checked step leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// State after the step.
    pub after: StateCommitments,
    /// Sum of the losses over all predictions of the step, frac 24; of a private step, if it discloses that.
    pub loss: Option<u128>,
    /// Of a private step.
    pub losses: Option<LossSums>,
}

/// Commitments of sums of losses of a private step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossSums {
    /// Of its own.
    pub own: PointSum,
    /// Of those before it in the disclosed sum, as the bundle claims it: the steps before show whether it is.
    pub before: Option<Point>,
    /// The sum that is disclosed, frac 24, if one is: of the steps before and of this one.
    pub said: Option<u128>,
}

/// What a contribution is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Claimed<'a> {
    /// Its domain.
    pub domain: &'a Domain,
    /// Its number, for errors.
    pub index: u32,
    /// State that its gradient is taken at.
    pub before: &'a StateCommitments,
    /// B: its sequences.
    pub sequences: usize,
    /// Most instances in one proof.
    pub instances_per_proof: u32,
}

/// What an update is checked against.
#[derive(Clone, Copy, Debug)]
pub struct ClaimedUpdate<'a> {
    /// Its domain.
    pub domain: &'a Domain,
    /// The run's integers at this step, by these squares.
    pub hyper: &'a Hyper,
    /// Sums of the squares of the gradient, where it is clipped: of each instance, or of a private step in all.
    pub squares: &'a [SquareSum],
    /// State that it moves on.
    pub before: &'a StateCommitments,
    /// Most instances in one proof.
    pub instances_per_proof: u32,
}

/// What a checked contribution leaves. It means nothing before the batch is finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedContribution {
    /// Commitments of its gradient, the sum over its sequences, by segment. Canonical once [`StepVerifier::outputs`] has
    /// shown it.
    pub gradients: Vec<Vec<Point>>,
    /// Commitments of its sequences.
    pub batches: Vec<Point>,
    /// Sum of the losses over its predictions, frac 24; 0 of a private contribution.
    pub loss: u128,
    /// Of a private contribution, the commitments of each sequence's loss.
    pub losses: Vec<Point>,
    /// Of a private contribution, ends of wires: they are equal once [`Batch::add_span`] has shown it.
    pub pairs: Pairs,
}

impl StepVerifier {
    /// Makes the keys of a configuration's public circuits with SGD.
    pub fn new(params: &Params, config: &Config) -> Result<Self, StepError> {
        Self::of(params, Variant::default(), config)
    }

    /// The same of a variant of the circuits.
    pub fn of(params: &Params, variant: impl Into<Variant>, config: &Config) -> Result<Self, StepError> {
        let circuits = Circuits::of(&Spec::new(config.clone()), variant.into());
        let keys = VerifyingKeys::make(params, &circuits, config, &mut |_, _| {}).map_err(StepError::Key)?;
        Self::with_keys(params, config, keys)
    }

    /// The same from keys of the configuration.
    pub fn with_keys(params: &Params, config: &Config, keys: VerifyingKeys) -> Result<Self, StepError> {
        let variant = keys.variant(config).ok_or(StepError::Keys)?;
        for kind in SegmentKind::ALL {
            keys.of(kind).check_consistent().map_err(StepError::Key)?;
        }
        let blind = commit_canonical(params, &[]).map_err(StepError::Commitments)?;
        let (layouts, digest) = (Layouts::new(config), keys.digest()?);
        Ok(StepVerifier {
            spec_config: config.clone(),
            variant,
            layouts,
            blind,
            keys,
            digest,
            oracles: BTreeMap::new(),
        })
    }

    /// The same, which also asks halo2's verifier of each proof: it accepts what both accept.
    pub fn with_oracles(mut self, params: &Params, circuits: &Circuits) -> Result<Self, StepError> {
        let oracle = |kind| Ok((kind, Oracle::new(params, circuits.plan(kind))?));
        self.oracles = SegmentKind::ALL.into_iter().map(oracle).collect::<Result<_, _>>().map_err(StepError::Key)?;
        Ok(self)
    }

    /// The keys.
    pub fn keys(&self) -> &VerifyingKeys {
        &self.keys
    }

    /// The keys' digest.
    pub fn digest(&self) -> &KeysDigest {
        &self.digest
    }

    /// The circuits that the keys are of.
    pub fn variant(&self) -> Variant {
        self.variant
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
        sequences: Option<&[Vec<Vec<Token>>]>,
    ) -> Result<Verified, StepError> {
        if run.check()? != self.spec_config || run.variant() != self.variant {
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
        bundle.before.check(&self.spec_config, self.variant.update.optimizer())?;
        count("contributions", run.accumulate as usize, bundle.contributions.len())?;
        if let Some(assigned) = sequences {
            count("assigned batches", run.accumulate as usize, assigned.len())?;
            for batch in assigned {
                count("assigned sequences", run.batch as usize, batch.len())?;
            }
        }
        shows_assigned(run, number, &bundle.leaves)?;
        let (id, digest) = (run.id()?, before.digest());
        let mut leaves = bundle.leaves.chunks(run.batch.max(1) as usize);
        let mut checked = vec![];
        for (index, contribution) in (0..).zip(&bundle.contributions) {
            let domain = Run::contribution_domain(&id, number, &digest, index);
            let claimed = Claimed {
                domain: &domain,
                index,
                before,
                sequences: run.batch as usize,
                instances_per_proof: run.instances_per_proof,
            };
            let mut of_contribution = self.contribution_and_pairs(batch, claimed, contribution)?;
            if let Some(leaves) = leaves.next() {
                of_contribution.pairs.extend(matches_leaves(
                    self.variant.privacy,
                    index,
                    &of_contribution.batches,
                    leaves,
                )?);
            }
            if let Some(assigned) = sequences.and_then(|s| s.get(index as usize)) {
                matches_assigned(params, index, &of_contribution.batches, assigned)?;
            }
            checked.push(of_contribution);
        }
        let squares = &bundle.squares[..];
        let hyper = run.hyper(&self.spec_config, number, SquareSum::total(squares))?;
        let domain = Run::update_domain(&id, number, &digest);
        let instances_per_proof = run.instances_per_proof;
        let claimed = ClaimedUpdate { domain: &domain, hyper: &hyper, squares, before, instances_per_proof };
        let (after, of_update) = self.update_and_pairs(batch, claimed, &checked, &bundle.updates)?;
        match (self.variant.privacy, &bundle.private) {
            (Privacy::Public, None) => {
                self.outputs(batch, &checked, &after, &bundle.canonical)?;
                let loss = Some(checked.iter().map(|c| c.loss).sum());
                Ok(Verified { after, loss, losses: None })
            }
            (Privacy::Private, Some(private)) if bundle.canonical.is_empty() => {
                let losses = self.private(batch, (bundle, private), &checked, of_update)?;
                // A sum of several steps is only what the bundle says until those before are verified.
                Ok(Verified { after, loss: losses.said.filter(|_| losses.before.is_none()), losses: Some(losses) })
            }
            _ => Err(StepError::Kind),
        }
    }

    /// Checks all of a public contribution but the claims that it adds to `batch`, that its sequences are those assigned, and
    /// that its gradient's commitments are canonical.
    pub fn contribution(
        &self,
        batch: &mut Batch<'_>,
        claimed: Claimed<'_>,
        contribution: &Contribution,
    ) -> Result<CheckedContribution, StepError> {
        if self.variant.privacy == Privacy::Private {
            return Err(StepError::Keys);
        }
        self.contribution_and_pairs(batch, claimed, contribution)
    }

    /// The same of either kind; of a private one with the pairs that are still to be shown.
    fn contribution_and_pairs(
        &self,
        batch: &mut Batch<'_>,
        claimed: Claimed<'_>,
        contribution: &Contribution,
    ) -> Result<CheckedContribution, StepError> {
        let Claimed { domain, index, before, sequences, instances_per_proof } = claimed;
        let layers = self.spec_config.layers;
        let public = self.variant.privacy == Privacy::Public;
        count("losses", if public { sequences } else { 0 }, contribution.losses.len())?;
        let of_layer = |i: usize| {
            let (sequence, layer) = ((i / layers) as u32, (i % layers) as u32);
            vec![domain.context(Place::Layer { sequence, layer })]
        };
        let of_head = |i: usize| {
            let loss = contribution.losses.get(i).map(|&loss| F::from(loss));
            loss.into_iter().chain([domain.context(Place::Head { sequence: i as u32 })]).collect()
        };
        let all = sequences.saturating_mul(layers);
        let (of_layers, of_heads) = ((all, instances_per_proof), (sequences, instances_per_proof));
        let layer_ports =
            self.proofs(batch, ("layer", SegmentKind::Layer), &contribution.layers, of_layers, &of_layer)?;
        let head_ports = self.proofs(batch, ("head", SegmentKind::Head), &contribution.heads, of_heads, &of_head)?;

        let pairs = if public {
            let [of_layers, of_heads] = [&layer_ports, &head_ports].map(encode_ports);
            let weights: Vec<Vec<Encoding>> = before.segments.iter().map(|segment| segment.w.clone()).collect();
            equal(index, &ties::of_contribution(&weights, layers, (&of_layers, &of_heads)))?
        } else {
            let weights = before.segments.iter().map(|segment| decode(&segment.w)).collect::<Result<Vec<_>, _>>()?;
            paired(index, &ties::of_contribution(&weights, layers, (&layer_ports, &head_ports)))?
        };
        let gradients = ties::gradients(layers, (&layer_ports, &head_ports));
        let gradients = (0..).zip(&gradients).map(|(segment, summands)| self.one_blind(segment, summands));
        Ok(CheckedContribution {
            gradients: gradients.collect::<Result<_, _>>()?,
            batches: head_ports.iter().flat_map(|ports| ports[head::BATCH].iter().copied()).collect(),
            loss: contribution.losses.iter().map(|&l| u128::from(l)).sum(),
            losses: if public { vec![] } else { head_ports.iter().map(|ports| ports[head::LOSS][0]).collect() },
            pairs,
        })
    }

    /// Adds up the ports of canonical commitments, and takes away all blinds but one.
    fn one_blind(&self, segment: usize, summands: &[&[Point]]) -> Result<Vec<Point>, StepError> {
        let total = sum(summands.iter().copied()).map_err(|source| StepError::Sum { segment, source })?;
        let surplus = self.blind * F::from(summands.len() as u64 - 1);
        Ok(total.into_iter().map(|point| (point.to_curve() - surplus).to_affine()).collect())
    }

    /// Checks all of a public update of the state `before` by the sum of the contributions' gradients but the claims that it
    /// adds to `batch`, and that the new commitments, which it gives, are canonical.
    pub fn update(
        &self,
        batch: &mut Batch<'_>,
        claimed: ClaimedUpdate<'_>,
        contributions: &[CheckedContribution],
        updates: &[Vec<u8>],
    ) -> Result<StateCommitments, StepError> {
        if self.variant.privacy == Privacy::Private {
            return Err(StepError::Keys);
        }
        Ok(self.update_and_pairs(batch, claimed, contributions, updates)?.0)
    }

    /// The same of either kind; of a private one with the pairs that are still to be shown.
    fn update_and_pairs(
        &self,
        batch: &mut Batch<'_>,
        claimed: ClaimedUpdate<'_>,
        contributions: &[CheckedContribution],
        updates: &[Vec<u8>],
    ) -> Result<(StateCommitments, Pairs), StepError> {
        let ClaimedUpdate { domain, hyper, squares, before, instances_per_proof } = claimed;
        let Variant { update: kind, privacy } = self.variant;
        if hyper.kind() != kind {
            return Err(StepError::Keys);
        }
        let places = self.update_places();
        count("sums of squares", sums_of(kind, privacy, places.len()), squares.len())?;
        let of_instances = if privacy == Privacy::Public { squares } else { &[] };
        let statement = (domain, instances_per_proof);
        let ports = self.update_ports(batch, "update", statement, (&places, updates), (hyper, of_instances))?;
        let before = before.decode(kind.optimizer()).map_err(StepError::Commitments)?;
        let mut expected = vec![];
        for segment in 0..self.layouts.segments() {
            let state = before.get(segment).ok_or(StepError::Entering { segment, port: update::entering(kind)[0] })?;
            let summands = contributions.iter().map(|c| c.gradients.get(segment).map_or(&[][..], Vec::as_slice));
            let total = sum(summands).map_err(|source| StepError::Sum { segment, source })?;
            let summed = (&total[..], contributions.len());
            expected.push(state.entering(hyper, summed, &self.blind).map_err(StepError::Commitments)?);
        }
        let found = ties::entering(&self.layouts, kind, &ports);
        let ties = ties::of_update(kind, &found, &expected);
        let mut pairs = if privacy == Privacy::Public { equal(0, &ties)? } else { paired(0, &ties)? };
        if let Some(port) = update::port(kind, UpdatePort::Squares).filter(|_| privacy == Privacy::Private) {
            let sum = ports.iter().flat_map(|ports| &ports[port]).fold(PointSum::identity(), |sum, point| sum + point);
            let one = batch.params().generators().lagrange[update::squares_row(batch.params().k())];
            let said = one * shown(hyper, SquareSum::total(squares));
            pairs.push((sum.to_affine(), said.to_affine()));
        }
        let after = self.layouts.state_after(kind, &before, &ports, &self.blind).map_err(StepError::Commitments)?;
        Ok((after, pairs))
    }

    /// Adds update proofs in a domain, with these integers and sums of squares of each instance, if they are public, to the batch; gives
    /// the ports of all `places`.
    fn update_ports(
        &self,
        batch: &mut Batch<'_>,
        part: &'static str,
        (domain, instances_per_proof): (&Domain, u32),
        (places, updates): (&[Place], &[Vec<u8>]),
        (hyper, squares): (&Hyper, &[SquareSum]),
    ) -> Result<Ports, StepError> {
        let integers: Vec<F> = hyper.publics().into_iter().map(field).collect();
        let of_update = |i: usize| {
            let squares = squares.get(i).map(|&squares| shown(hyper, squares));
            integers.iter().copied().chain(squares).chain([domain.context(places[i])]).collect()
        };
        let of_all = (places.len(), instances_per_proof);
        self.proofs(batch, (part, SegmentKind::Update), updates, of_all, &of_update)
    }

    /// Adds proofs of so many instances, so many of these in each, to the batch. `publics` gives an instance's public values,
    /// contexts among them, which take time: they are made for proofs of the right length alone, so that work is in
    /// proportion to what was read.
    fn proofs(
        &self,
        batch: &mut Batch<'_>,
        (part, kind): (&'static str, SegmentKind),
        proofs: &[Vec<u8>],
        (all, instances_per_proof): (usize, u32),
        publics: &dyn Fn(usize) -> Vec<F>,
    ) -> Result<Ports, StepError> {
        check_instances(instances_per_proof)?;
        let (per_proof, key) = (instances_per_proof as usize, self.keys.of(kind));
        count("proofs", all.div_ceil(per_proof), proofs.len())?;
        let mut ports = vec![];
        for (index, proof) in proofs.iter().enumerate() {
            let refused = |source| StepError::Proof { part, index, source };
            let of_proof = index * per_proof..((index + 1) * per_proof).min(all);
            let (expected, found) = (key.shape.proof_length(of_proof.len()), proof.len());
            if expected != found {
                return Err(refused(VerifyError::ProofLength { expected, found }));
            }
            let publics: Vec<Vec<F>> = of_proof.map(publics).collect();
            let columns = instances(key, proof, &publics).map_err(refused)?;
            ports.extend(batch.add(key, publics.len(), proof, &columns).map_err(refused)?);
            if let Some(oracle) = self.oracles.get(&kind) {
                let verdict = oracle.check(batch.params(), key, publics.len(), proof, &columns);
                verdict.map_err(refused)?;
            }
        }
        Ok(ports)
    }

    /// Places of an update's instances, in order.
    fn update_places(&self) -> Vec<Place> {
        let place = |(segment, group): (usize, usize)| Place::Update { segment: segment as u32, group: group as u32 };
        self.layouts.updates().into_iter().map(place).collect()
    }

    /// Checks all but the claim of the opening which shows that the commitments of gradients and of the state after are
    /// canonical.
    pub fn outputs(
        &self,
        batch: &mut Batch<'_>,
        contributions: &[CheckedContribution],
        after: &StateCommitments,
        opening: &[u8],
    ) -> Result<(), StepError> {
        let refused = |source| StepError::Canonical { source };
        let after = after.points().map_err(StepError::Commitments)?;
        let gradients = contributions.iter().flat_map(|c| &c.gradients).flatten();
        let outputs: Vec<Point> = gradients.copied().chain(after).collect();
        batch.add_canonical(&outputs, opening).map_err(refused)
    }
}

fn count(what: &'static str, expected: usize, found: usize) -> Result<(), StepError> {
    if expected == found { Ok(()) } else { Err(StepError::Count { what, expected, found }) }
}

impl StepVerifier {
    /// Verifies one step alone: [`Self::check`] and the multi-scalar multiplication.
    pub fn verify(
        &self,
        params: &Params,
        at: (&Run, u64, &StateCommitments),
        bundle: &Bundle,
        sequences: Option<&[Vec<Vec<Token>>]>,
    ) -> Result<Verified, StepError> {
        let mut batch = Batch::new(params);
        let verified = self.check(params, &mut batch, at, bundle, sequences)?;
        batch.finish().map_err(|error| named(error, &parts(at.0, &self.spec_config)))?;
        Ok(verified)
    }
}

fn named(error: BatchError, parts: &[Part]) -> StepError {
    let BatchError::Invalid(indices) = error else { return StepError::Invalid(vec![]) };
    StepError::Invalid(indices.into_iter().filter_map(|index| parts.get(index).copied()).collect())
}

/// Places of a step's claims, in the order in which they are checked.
pub fn parts(run: &Run, config: &Config) -> Vec<Part> {
    let per_proof = run.instances_per_proof.max(1) as usize;
    let proofs = |instances: usize| 0..instances.div_ceil(per_proof);
    let batch = run.batch as usize;
    let mut parts = vec![];
    for contribution in 0..run.accumulate {
        parts.extend(proofs(batch * config.layers).map(|index| Part::Layers { contribution, index }));
        parts.extend(proofs(batch).map(|index| Part::Heads { contribution, index }));
    }
    let updates = proofs(Layouts::new(config).updates().len());
    parts.extend(updates.map(|index| Part::Update { index }));
    parts.push(match run.disclosure.privacy() {
        Privacy::Public => Part::Canonical,
        Privacy::Private => Part::Span,
    });
    parts
}
