//! Proofs in two passes: commit to phase 1, draw the challenges, fill phase 2, prove.

use crate::error::ProveError;
use crate::rng::{Draws, PortBlinding, ScriptedRng, fresh};
use backend::challenge::{self, Challenges};
use backend::curve::{ENCODED, F, Params, Point, PointSum, ProofReader, ProofWriter, columns_domain};
use backend::halo2::{PlanCircuit, with_plan};
use backend::keys::VerifyingKey;
use backend::ports::refuse_identity;
use backend::{Plan, Witness};
use ff::Field;
use group::{Curve, CurveAffine, GroupEncoding};
use halo2_proofs::plonk::{self, ProvingKey, SingleVerifier};
use halo2_proofs::poly::commitment::Blind;
use plonkish::check_witness;
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;
use std::io::{self, Write};
use std::sync::Arc;

/// What proofs of one plan are made with.
pub struct ProverKey {
    /// The circuit.
    pub plan: Arc<Plan>,
    /// The key that verifiers hold.
    pub verifying: VerifyingKey,
    pk: ProvingKey<Point>,
}

impl ProverKey {
    /// Makes the proving key beside a verifying key of the same plan.
    pub fn new(params: &Params, plan: &Arc<Plan>, verifying: VerifyingKey) -> Result<Self, ProveError> {
        if params.k() != plan.k || verifying.shape.k != plan.k {
            return Err(ProveError::Mismatch { what: "the number of rows" });
        }
        let circuit = PlanCircuit { plan: plan.clone(), witness: None };
        let pk = with_plan(plan, || plonk::keygen_pk(params, verifying.halo2().clone(), &circuit))?;
        Ok(ProverKey { plan: plan.clone(), verifying, pk })
    }

    /// Makes both keys of a plan whose instances hold exactly the public values that it reads.
    pub fn generate(params: &Params, plan: &Arc<Plan>) -> Result<Self, ProveError> {
        Self::new(params, plan, VerifyingKey::new(params, plan)?)
    }

    /// halo2's own key.
    pub fn halo2(&self) -> &ProvingKey<Point> {
        &self.pk
    }
}

/// One instance of the circuit.
#[derive(Clone, Debug)]
pub struct ProofInstance {
    /// Values; phase 1 is filled, but for multiplicities.
    pub witness: Witness,
    /// Public values, without the challenges.
    pub publics: Vec<F>,
    /// Blinding of each port.
    pub ports: Vec<PortBlinding>,
}

/// A proof of some instances of one circuit.
#[derive(Clone, Debug)]
pub struct Proof {
    /// What a verifier reads.
    pub bytes: Vec<u8>,
    /// The challenges, which a verifier draws again.
    pub challenges: Challenges,
    /// Whole instance columns: challenges, then public values.
    pub instances: Vec<Vec<F>>,
    /// Commitments: `ports[instance][port][column]`.
    pub ports: Vec<Vec<Vec<Point>>>,
}

/// How far a proof has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Phase 1 of so many instances, of all, is committed to.
    Committed {
        /// Instances done.
        done: usize,
        /// All instances.
        of: usize,
    },
    /// Phase 2 of all instances is filled.
    Filled,
    /// So many bytes of the proof, of all, are written. Most time passes after the last commitment of the quotient's
    /// predecessors is written, not evenly.
    Proving {
        /// Bytes written.
        written: usize,
        /// All bytes.
        of: usize,
    },
    /// The proof is checked.
    Checked,
}

/// Commitments to phase 1, and all that the rest of the proof needs.
pub struct FirstPass {
    witnesses: Vec<Witness>,
    publics: Vec<Vec<F>>,
    draws: Vec<Draws>,
    /// For each instance, the commitments of its phase-1 columns.
    points: Vec<Vec<Point>>,
    challenges: Challenges,
    rng: ChaCha20Rng,
}

/// Proves instances of one circuit.
pub fn prove(
    params: &Params,
    key: &ProverKey,
    instances: Vec<ProofInstance>,
    progress: &mut dyn FnMut(Stage),
) -> Result<Proof, ProveError> {
    FirstPass::commit(params, key, instances, progress)?.finish(params, key, progress)
}

impl FirstPass {
    /// Commits to phase 1 and draws the challenges.
    pub fn commit(
        params: &Params,
        key: &ProverKey,
        instances: Vec<ProofInstance>,
        progress: &mut dyn FnMut(Stage),
    ) -> Result<Self, ProveError> {
        let (plan, shape) = (&key.plan, &key.verifying.shape);
        if params.k() != plan.k {
            return Err(ProveError::Mismatch { what: "the number of rows" });
        }
        if instances.is_empty() {
            return Err(ProveError::NoInstances);
        }
        let count = instances.len();
        let mut pass = FirstPass {
            witnesses: vec![],
            publics: vec![],
            draws: vec![],
            points: vec![],
            challenges: Challenges::new(),
            rng: fresh()?,
        };
        for (i, mut instance) in instances.into_iter().enumerate() {
            if instance.publics.len() != shape.publics {
                return Err(ProveError::Publics {
                    instance: i,
                    expected: shape.publics,
                    found: instance.publics.len(),
                });
            }
            let values = &instance.witness.values;
            if values.len() != shape.advice || values.iter().any(|v| v.len() != plan.usable) {
                return Err(ProveError::Mismatch { what: "a witness" });
            }
            if let Some(source) = instance.witness.count_lookups(plan).into_iter().next() {
                return Err(ProveError::Witness { instance: i, source });
            }
            let draws = Draws::new(plan, shape, &instance.ports, &mut pass.rng)?;
            let points = commit_columns(params, &instance.witness, &draws, shape.phase1);
            refuse_identity(&points).map_err(|source| ProveError::Port { instance: i, source })?;
            pass.witnesses.push(instance.witness);
            pass.publics.push(instance.publics);
            pass.draws.push(draws);
            pass.points.push(points);
            progress(Stage::Committed { done: i + 1, of: count });
        }
        let unset: Vec<Vec<F>> =
            pass.publics.iter().map(|publics| [&[F::ZERO; challenge::SLOTS][..], publics].concat()).collect();
        let encoded: Vec<Vec<u8>> =
            pass.points.iter().map(|points| points.iter().flat_map(GroupEncoding::to_bytes).collect()).collect();
        let encoded: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
        let digest = challenge::digest(plan.k, &key.verifying.digest, &unset, &encoded);
        pass.challenges = challenge::scalars(&digest);
        Ok(pass)
    }

    /// The challenges.
    pub fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// Fills phase 2 and proves.
    pub fn finish(
        self,
        params: &Params,
        key: &ProverKey,
        progress: &mut dyn FnMut(Stage),
    ) -> Result<Proof, ProveError> {
        let FirstPass { mut witnesses, publics, draws, points, challenges, rng } = self;
        let (plan, shape) = (&key.plan, &key.verifying.shape);
        witnesses.par_iter_mut().for_each(|witness| witness.fill_phase2(plan, &challenges));
        progress(Stage::Filled);

        let instances: Vec<Vec<F>> = publics.iter().map(|publics| challenge::instance(&challenges, publics)).collect();
        let circuits: Vec<PlanCircuit> =
            witnesses.into_iter().map(|w| PlanCircuit { plan: plan.clone(), witness: Some(Arc::new(w)) }).collect();
        let length = shape.proof_length(instances.len());
        let mut rng = ScriptedRng::new(&draws, rng);
        let bytes = {
            let mut transcript = ProofWriter::init(Tally { bytes: Vec::with_capacity(length), of: length, progress });
            with_columns(&instances, |columns| {
                with_plan(plan, || plonk::create_proof(params, &key.pk, &circuits, columns, &mut rng, &mut transcript))
            })?;
            transcript.finalize().bytes
        };

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
        self_check(params, key, &circuits, &instances, &bytes)?;
        progress(Stage::Checked);

        let of_port = |points: &Vec<Point>| shape.ports.iter().map(|p| points[p.clone()].to_vec()).collect();
        Ok(Proof { bytes, challenges, ports: points.iter().map(of_port).collect(), instances })
    }
}

/// Commitments of the first `columns` advice columns, blinded as halo2 will blind them.
fn commit_columns(params: &Params, witness: &Witness, draws: &Draws, columns: usize) -> Vec<Point> {
    let domain = columns_domain(params.k());
    let sums: Vec<PointSum> = (0..columns)
        .into_par_iter()
        .map(|c| {
            let blinding = &draws.rows[c];
            let mut column = Vec::with_capacity(1 << params.k());
            column.extend_from_slice(&witness.values[c]);
            column.resize((1 << params.k()) - blinding.len(), F::ZERO);
            column.extend_from_slice(blinding);
            params.commit_lagrange(&domain.lagrange_from_vec(column), Blind(draws.blinds[c]))
        })
        .collect();
    let mut points = vec![Point::identity(); sums.len()];
    PointSum::batch_normalize(&sums, &mut points);
    points
}

/// halo2 makes a proof of any witness; only a verified proof leaves. On failure the broken constraint is looked for.
fn self_check(
    params: &Params,
    key: &ProverKey,
    circuits: &[PlanCircuit],
    instances: &[Vec<F>],
    bytes: &[u8],
) -> Result<(), ProveError> {
    let mut transcript = ProofReader::init(bytes);
    let verified = with_columns(instances, |columns| {
        plonk::verify_proof(params, key.verifying.halo2(), SingleVerifier::new(params), columns, &mut transcript)
    });
    if verified.is_ok() {
        return Ok(());
    }
    for (i, (circuit, column)) in circuits.iter().zip(instances).enumerate() {
        let witness = circuit.witness.as_ref().expect("set above");
        if let Some(violation) = check_witness(&key.plan, witness, column).into_iter().next() {
            return Err(ProveError::Unsatisfied { instance: i, violation });
        }
    }
    Err(ProveError::SelfCheck)
}

/// halo2 takes instances as slices of slices of columns.
fn with_columns<T>(instances: &[Vec<F>], f: impl FnOnce(&[&[&[F]]]) -> T) -> T {
    let columns: Vec<[&[F]; 1]> = instances.iter().map(|i| [i.as_slice()]).collect();
    let columns: Vec<&[&[F]]> = columns.iter().map(|c| &c[..]).collect();
    f(&columns)
}

/// Collects the proof and tells how much of it there is.
struct Tally<'a> {
    bytes: Vec<u8>,
    of: usize,
    progress: &'a mut dyn FnMut(Stage),
}

impl Write for Tally<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(data);
        (self.progress)(Stage::Proving { written: self.bytes.len(), of: self.of });
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
