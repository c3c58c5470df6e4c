//! The native engine: proves a plan directly.
//!
//! Its proofs are those of `halo2_proofs` 0.4.1: the stock verifier accepts them unchanged, they have the same length, the
//! same transcript and the same zero knowledge: whatever is random in the stock prover is random here. It differs in
//! how it computes:
//!
//! | part | here |
//! |---|---|
//! | commitments | over bases whose multiples are known ([`backend::bases`]); phase 1 is committed to once |
//! | columns | as vectors of elements ([`simd`]), whichever the processor has: proofs are the same. The opening's own polynomials are not |
//! | `domain` | transforms of 2^k values, on cosets without a multiplication of their own |
//! | `expressions` | gates as a program; equal parts are computed once |
//! | `permutation` | one inversion for each product column |
//! | `quotient` | one coset and one instance at a time; gates of low degree on fewer cosets |
//! | `runs` | selectors are not transformed |
//! | `opening` | bases are folded once |

mod columns;
mod domain;
mod expressions;
mod key;
mod opening;
mod permutation;
mod proof;
mod quotient;
mod runs;

pub use columns::Columns;
pub use key::NativeKey;
pub use opening::open_at;
pub use proof::create_proof;

use super::draws::Draws;
use super::phases::{by_port, challenges, check_rows, ready};
use super::watch::Tally;
use super::{Engine, Proof, ProofInstance, Stage, Watch};
use crate::engine::randomness;
use crate::error::ProveError;
use crate::key::ProverKey;
use backend::challenge;
use backend::curve::{Params, Point, ProofWriter};
use backend::ports::refuse_identity;
use ff::WithSmallOrderMulGroup;
use halo2_proofs::plonk;
use halo2_proofs::transcript::Transcript;
use pasta_curves::arithmetic::VartimeField;
use rayon::prelude::*;
use simd::Modulus;

/// A field that circuits are proven over.
pub trait Scalar: plonkish::Field + WithSmallOrderMulGroup<3> + Modulus + VartimeField + Ord {}

impl<F: plonkish::Field + WithSmallOrderMulGroup<3> + Modulus + VartimeField + Ord> Scalar for F {}

/// The engine that proves plans directly.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

impl Engine for Native {
    fn prove(
        &self,
        params: &Params,
        key: &ProverKey,
        instances: &mut [ProofInstance],
        watch: &mut Watch<'_>,
    ) -> Result<Proof, ProveError> {
        check_rows(params, key)?;
        let (plan, shape) = (&key.plan, &key.verifying.shape);
        let (count, bases, mut rng) = (instances.len(), params.bases(), randomness(instances)?);
        let (mut committed, mut hiding) = (Vec::<Columns<Point>>::new(), vec![]);
        for (i, instance) in instances.iter_mut().enumerate() {
            watch.cancel.check()?;
            let Draws { rows, blinds } = ready(i, instance, key, &mut rng)?;
            let mut columns = Columns::new(blinds);
            columns.commit(&bases, &instance.witness.values[..shape.phase1], &rows[..shape.phase1], watch.cancel)?;
            refuse_identity(&columns.points).map_err(|source| ProveError::Port { instance: i, source })?;
            committed.push(columns);
            hiding.push(rows);
            (watch.progress)(Stage::Committed { done: i + 1, of: count });
        }

        let challenges = challenges(key, instances, committed.iter().map(|columns| &columns.points[..]));
        let cancel = watch.cancel;
        instances.par_iter_mut().try_for_each(|instance| {
            cancel.check()?;
            instance.witness.fill_phase2(plan, &challenges);
            cancel.check()
        })?;
        (watch.progress)(Stage::Filled);
        for (i, columns) in committed.iter_mut().enumerate() {
            let values = &instances[i].witness.values[shape.phase1..];
            columns.instance = challenge::instance(&challenges, &instances[i].publics);
            columns.uniform = plan.uniform_values(&columns.instance);
            columns.commit(&bases, values, &hiding[i][shape.phase1..], watch.cancel)?;
        }

        let ports = committed.iter().map(|columns| by_port(key, &columns.points)).collect();
        let columns = committed.iter().map(|columns| columns.instance.clone()).collect();
        let (cancel, mut transcript) = (watch.cancel, ProofWriter::init(Tally::new(shape.proof_length(count), watch)));
        transcript.common_scalar(key.verifying.transcript).map_err(plonk::Error::from)?;
        let made = create_proof(&bases, key.native(), committed, &mut transcript, &mut rng, cancel);
        // A transcript that can no longer be written to is an error of its own.
        cancel.check()?;
        made?;
        Ok(Proof { bytes: transcript.finalize().bytes, challenges, ports, instances: columns })
    }
}

#[cfg(test)]
mod tests;
