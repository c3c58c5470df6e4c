//! Catching up: many steps verified one after the other in batches that fold.
//!
//! One proven step stands for all: it is verified anew each time, as claims of its own. Only its points would be the same
//! every time, so that the final multiplication would be too small; with each step therefore comes a claim over as many
//! points that no other step has ([`Fresh`]).

use backend::curve::{ENCODED, F, Msm, Params, Point, PointSum};
use backend::keys::{Item, VerifyingKey};
use circuits::statements::Bundle;
use ff::Field;
use group::{Curve, GroupEncoding};
use prover::blinding::fresh;
use rayon::prelude::*;
use verifier::batch::SETTLE_AT;
use verifier::{Batch, StepVerifier};

/// A step with the keys that verify it.
pub struct Proven<'p> {
    params: &'p Params,
    verifier: StepVerifier,
    bundle: Bundle,
}

impl<'p> Proven<'p> {
    /// Makes the keys of a step's configuration.
    pub fn new(params: &'p Params, bundle: Bundle) -> Self {
        let config = bundle.run.check().expect("the bundle is one of a run");
        Proven { params, verifier: StepVerifier::new(params, &config).expect("the model has keys"), bundle }
    }

    /// The step.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Checks all but the multi-scalar multiplication.
    pub fn check(&self, batch: &mut Batch<'p>) {
        let at = (&self.bundle.run, self.bundle.step, &self.bundle.before);
        self.verifier.check(self.params, batch, at, &self.bundle, None).expect("an honest step is accepted");
    }

    /// Checks everything.
    pub fn verify(&self) {
        let mut batch = Batch::folding(self.params);
        self.check(&mut batch);
        batch.finish().expect("an honest step is accepted");
    }

    /// Verifies the step `steps` times: each thread fills a batch of its own, which settles when it is full; what is left
    /// of all is merged.
    pub fn verify_many(&self, steps: usize, fresh: &Fresh<'p>) {
        let threads = rayon::current_num_threads();
        let of_thread = |thread: usize| {
            let mut batch = Batch::folding(self.params);
            for step in (thread..steps).step_by(threads) {
                self.check(&mut batch);
                if let Some((bytes, msm)) = fresh.0.get(step % fresh.0.len()) {
                    batch.add_claim(bytes, msm.clone());
                }
            }
            batch
        };
        let batches: Vec<Batch> = (0..threads).into_par_iter().map(of_thread).collect();
        let mut all = Batch::folding(self.params);
        batches.into_iter().for_each(|batch| all.merge(batch));
        all.finish().expect("honest steps are accepted");
    }

    /// The proofs with their keys and numbers of instances; the opening is none of them.
    pub fn proofs(&self) -> Vec<(&VerifyingKey, usize, &[u8])> {
        let (keys, mut proofs) = (&self.verifier, vec![]);
        let contributions = self.bundle.contributions.iter();
        let gradients = contributions.flat_map(|c| [(&keys.keys().layer, &c.layers), (&keys.keys().head, &c.heads)]);
        for (key, list) in gradients.chain([(&keys.keys().update, &self.bundle.updates)]) {
            for proof in list {
                let n = (1..).find(|&n| key.shape.proof_length(n) >= proof.len()).unwrap_or(1);
                proofs.push((key, n, proof.as_slice()));
            }
        }
        proofs
    }

    /// Every encoded point of the proofs and of the opening, in order.
    pub fn points(&self) -> Vec<[u8; ENCODED]> {
        let mut points = vec![];
        for (key, n, proof) in self.proofs() {
            let mut items = proof.as_chunks::<ENCODED>().0.iter();
            for (kind, count) in key.shape.items(n) {
                let run = items.by_ref().take(count);
                if kind == Item::Point { points.extend(run) } else { run.for_each(|_| ()) }
            }
        }
        // The value comes first, and two scalars last.
        let opening = self.bundle.canonical.as_chunks::<ENCODED>().0;
        points.extend(&opening[1..opening.len() - 2]);
        points
    }
}

/// The first multiples of a generator of the parameters.
pub fn multiples(params: &Params, count: usize) -> Vec<Point> {
    let (generator, mut sum) = (params.generators().coefficients[0], PointSum::default());
    let mut next = || {
        sum += generator;
        sum
    };
    let sums: Vec<PointSum> = (0..count).map(|_| next()).collect();
    let mut points = vec![Point::default(); count];
    PointSum::batch_normalize(&sums, &mut points);
    points
}

/// Claims over points that differ from each other's: `Σ aᵢ·mᵢQ = (Σ aᵢ·mᵢ)·Q` for fresh multiples `mᵢ` of a point.
pub struct Fresh<'p>(Vec<([u8; ENCODED], Msm<'p>)>);

impl<'p> Fresh<'p> {
    /// As many claims of `points` points as a batch takes before it settles; then their points may come again.
    pub fn new(params: &'p Params, points: usize) -> Self {
        let claims = rayon::current_num_threads() * (SETTLE_AT.div_ceil(points) + 1);
        let multiples = multiples(params, claims * points);
        let mut rng = fresh().expect("the system has randomness");
        let mut first = 0;
        let of_claim = |own: &[Point]| {
            let mut msm = Msm::new(params);
            let mut total = F::ZERO;
            for point in own {
                let scalar = F::random(&mut rng);
                first += 1;
                total += scalar * F::from(first);
                msm.append_term(scalar, *point);
            }
            msm.append_term(-total, multiples[0]);
            // The batch counts 32 bytes as a point; those of this claim stand in for the step's, which it counts already.
            (own[0].to_bytes(), msm)
        };
        Fresh(multiples.chunks(points).map(of_claim).collect())
    }
}

/// The work of a claim on its 2^k scalars: they are made by doubling, scaled, and added to those of the batch.
pub fn vectors(total: &mut [F], round: F, scalar: F) {
    let mut own = vec![F::ONE; total.len()];
    let mut length = 1;
    while length < own.len() {
        let (left, right) = own.split_at_mut(length);
        right.iter_mut().zip(left).for_each(|(r, l)| *r = *l * round);
        length *= 2;
    }
    own.iter_mut().for_each(|own| *own *= scalar);
    total.iter_mut().zip(&own).for_each(|(total, own)| *total += own);
}
