//! The one file that names the field, the curve, the parameters and the transcript.
//!
//! A later circuit version that verifies proofs inside proofs changes this file and [`CIRCUIT_VERSION`].

use crate::bases::Bases;
use group::{Curve, CurveAffine};
use halo2_proofs::poly::{EvaluationDomain, commitment};
use halo2_proofs::transcript::{Blake2bRead, Blake2bWrite, Challenge255};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The field of every cell.
pub type F = pasta_curves::Fp;

/// A commitment. Vesta, whose scalar field is [`F`].
pub type Point = pasta_curves::EqAffine;

/// Sums of commitments.
pub type PointSum = pasta_curves::Eq;

/// Commitments that take longer than to prepare the bases and commit with them.
const WORTH_PREPARING: usize = 100;

/// The commitment scheme's parameters.
#[derive(Debug)]
pub struct Params {
    halo2: commitment::Params<Point>,
    bases: Mutex<Option<Arc<Bases<Point>>>>,
}

impl Params {
    /// Makes the parameters of `2^k` rows.
    pub fn new(k: u32) -> Self {
        commitment::Params::new(k).into()
    }

    /// Log2 of the rows.
    pub fn k(&self) -> u32 {
        self.halo2.k()
    }

    /// halo2's own.
    pub fn halo2(&self) -> &commitment::Params<Point> {
        &self.halo2
    }

    /// The bases prepared for many commitments, which takes some tenths of a second when they are asked for first. Ask
    /// before many threads do: each would prepare them.
    pub fn bases(&self) -> Arc<Bases<Point>> {
        // Nothing is locked while they are prepared: a thread of the pool that waited here might be the one that is to help.
        let kept = self.kept().clone();
        kept.unwrap_or_else(|| {
            let bases = Arc::new(Bases::new(&self.halo2));
            self.kept().get_or_insert(bases).clone()
        })
    }

    /// The same if they are prepared, or if it is worth it for so many commitments.
    pub fn bases_for(&self, commitments: usize) -> Option<Arc<Bases<Point>>> {
        let kept = self.kept().clone();
        kept.or_else(|| (commitments >= WORTH_PREPARING).then(|| self.bases()))
    }

    fn kept(&self) -> MutexGuard<'_, Option<Arc<Bases<Point>>>> {
        self.bases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Params {
    fn clone(&self) -> Self {
        Params { halo2: self.halo2.clone(), bases: Mutex::new(self.kept().clone()) }
    }
}

impl From<commitment::Params<Point>> for Params {
    fn from(halo2: commitment::Params<Point>) -> Self {
        Params { halo2, bases: Mutex::new(None) }
    }
}

/// The claim, still to be evaluated, that a proof leaves behind.
pub type Msm<'params> = commitment::MSM<'params, Point>;

/// A challenge of the transcript.
pub type TranscriptChallenge = Challenge255<Point>;

/// The transcript that a proof is written to.
pub type ProofWriter<W> = Blake2bWrite<W, Point, TranscriptChallenge>;

/// The transcript that a proof is read from.
pub type ProofReader<R> = Blake2bRead<R, Point, TranscriptChallenge>;

/// Names the curve in hashes and file names.
pub const CURVE: &str = "vesta";

/// Bytes of an encoded point, and of an encoded scalar.
pub const ENCODED: usize = 32;

/// Version of everything that a proof's meaning depends on and that its key does not show: the transcript, the
/// derivation of challenges, the layout of instances.
pub const CIRCUIT_VERSION: u32 = 2;

/// Log2 of the rows of a circuit, unless a plan says otherwise.
pub const DEFAULT_K: u32 = 12;

/// Points by their coordinates, with one inversion for all.
pub fn affine<G: Curve>(points: &[G]) -> Vec<G::Affine> {
    let mut affine = vec![G::Affine::identity(); points.len()];
    G::batch_normalize(points, &mut affine);
    affine
}

/// The evaluation domain of `2^k` rows; it serves to make columns, not quotients.
pub fn columns_domain(k: u32) -> EvaluationDomain<F> {
    EvaluationDomain::new(1, k)
}
