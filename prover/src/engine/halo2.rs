//! The stock engine: commit to phase 1, draw the challenges, fill phase 2, prove.

use super::draws::{Draws, hidden};
use super::phases::{by_port, challenges, check_rows, ready};
use super::script::ScriptedRng;
use super::watch::Tally;
use super::{Engine, Proof, ProofInstance, Stage, Watch};
use crate::engine::randomness;
use crate::error::ProveError;
use crate::key::ProverKey;
use backend::challenge::{self, Challenges};
use backend::curve::{ENCODED, F, Params, Point, ProofWriter, affine, columns_domain};
use backend::halo2::{PlanCircuit, with_columns, with_plan};
use backend::ports::refuse_identity;
use backend::{Plan, Witness};
use group::GroupEncoding;
use halo2_proofs::plonk;
use halo2_proofs::poly::commitment::Blind;
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;
use std::sync::Arc;

/// The stock prover, `halo2_proofs::plonk::create_proof`, in two passes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Halo2;

impl Engine for Halo2 {
    fn prove(
        &self,
        params: &Params,
        key: &ProverKey,
        instances: &mut [ProofInstance],
        watch: &mut Watch<'_>,
    ) -> Result<Proof, ProveError> {
        FirstPass::commit(params, key, instances, watch)?.finish(params, key, instances, watch)
    }
}

/// Commitments to phase 1, and what the rest of the proof needs beside the witnesses.
struct FirstPass {
    draws: Vec<Draws>,
    /// For each instance, the commitments of its phase-1 columns.
    points: Vec<Vec<Point>>,
    challenges: Challenges,
    rng: ChaCha20Rng,
}

impl FirstPass {
    /// Commits to phase 1 and draws the challenges.
    fn commit(
        params: &Params,
        key: &ProverKey,
        instances: &mut [ProofInstance],
        watch: &mut Watch<'_>,
    ) -> Result<Self, ProveError> {
        check_rows(params, key)?;
        let shape = &key.verifying.shape;
        let count = instances.len();
        let (mut rng, mut all_draws, mut all_points) = (randomness(instances)?, vec![], vec![]);
        for (i, instance) in instances.iter_mut().enumerate() {
            watch.cancel.check()?;
            let draws = ready(i, instance, key, &mut rng)?;
            let points = commit_columns(params, &instance.witness, &draws, shape.phase1);
            refuse_identity(&points).map_err(|source| ProveError::Port { instance: i, source })?;
            all_draws.push(draws);
            all_points.push(points);
            (watch.progress)(Stage::Committed { done: i + 1, of: count });
        }
        let challenges = challenges(key, instances, all_points.iter().map(Vec::as_slice));
        Ok(FirstPass { draws: all_draws, points: all_points, challenges, rng })
    }

    /// Fills phase 2 and proves.
    fn finish(
        self,
        params: &Params,
        key: &ProverKey,
        instances: &mut [ProofInstance],
        watch: &mut Watch<'_>,
    ) -> Result<Proof, ProveError> {
        let FirstPass { draws, points, challenges, rng } = self;
        let (plan, shape) = (&key.plan, &key.verifying.shape);
        instances.par_iter_mut().for_each(|instance| instance.witness.fill_phase2(plan, &challenges));
        watch.cancel.check()?;
        (watch.progress)(Stage::Filled);

        let columns: Vec<Vec<F>> = instances.iter().map(|i| challenge::instance(&challenges, &i.publics)).collect();
        let length = shape.proof_length(instances.len());
        let mut rng = ScriptedRng::new(&draws, rng);
        let (cancel, key_of_halo2) = (watch.cancel, key.halo2(params)?);
        let mut transcript = ProofWriter::init(Tally::new(length, watch));
        let made = lent(plan, instances, |circuits| {
            with_columns((&plan.uniform, plan.k), &columns, |columns| {
                with_plan(plan, || {
                    plonk::create_proof(params.halo2(), key_of_halo2, circuits, columns, &mut rng, &mut transcript)
                })
            })
        });
        // A proof that was stopped ends where halo2 writes next.
        cancel.check()?;
        made?;
        let bytes = transcript.finalize().bytes;

        // What this module leans on in the pinned halo2: the length, the order of draws, the order of commitments.
        if bytes.len() != length || !rng.exhausted() {
            return Err(ProveError::UnexpectedHalo2);
        }
        for (instance, points) in points.iter().enumerate() {
            let head = bytes[instance * shape.advice * ENCODED..].chunks(ENCODED);
            if let Some(column) = points.iter().zip(head).position(|(p, b)| p.to_bytes() != b) {
                return Err(ProveError::Commitment { instance, column });
            }
        }
        let ports = points.iter().map(|points| by_port(key, points)).collect();
        Ok(Proof { bytes, challenges, ports, instances: columns })
    }
}

/// Runs `f` on the instances as circuits, which own their witnesses, and gives the witnesses back.
fn lent<T>(plan: &Arc<Plan>, instances: &mut [ProofInstance], f: impl FnOnce(&[PlanCircuit<F>]) -> T) -> T {
    let circuit = |instance: &mut ProofInstance| {
        let witness = Some(Arc::new(std::mem::take(&mut instance.witness)));
        PlanCircuit { plan: plan.clone(), witness }
    };
    let circuits: Vec<PlanCircuit<F>> = instances.iter_mut().map(circuit).collect();
    let out = f(&circuits);
    for (instance, circuit) in instances.iter_mut().zip(circuits) {
        instance.witness = circuit.witness.map(Arc::unwrap_or_clone).unwrap_or_default();
    }
    out
}

/// Commitments of the first `columns` advice columns, blinded as halo2 will blind them.
fn commit_columns(params: &Params, witness: &Witness, draws: &Draws, columns: usize) -> Vec<Point> {
    let domain = columns_domain(params.k());
    let commit = |c: usize| {
        let column = domain.lagrange_from_vec(hidden(&witness.values[c], &draws.rows[c], 1 << params.k()));
        params.halo2().commit_lagrange(&column, Blind(draws.blinds[c]))
    };
    affine(&(0..columns).into_par_iter().map(commit).collect::<Vec<_>>())
}
