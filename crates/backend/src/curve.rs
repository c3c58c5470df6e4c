//! The one file that names the field, the curve, the parameters and the transcript.
//!
//! A later circuit version that verifies proofs inside proofs changes this file and [`CIRCUIT_VERSION`].

use crate::bases::Bases;
use crate::generators::Generators;
use crate::multiexp::multiexp;
use ff::Field;
use group::{Curve, CurveAffine};
use halo2_proofs::poly::{EvaluationDomain, commitment};
use halo2_proofs::transcript::{Blake2bRead, Blake2bWrite, Challenge255};
use plonkish::RESERVED_ROWS;
use simd::Modulus;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// The field of every cell.
pub type F = pasta_curves::Fp;

/// A commitment. Vesta, whose scalar field is [`F`].
pub type Point = pasta_curves::EqAffine;

/// Sums of commitments.
pub type PointSum = pasta_curves::Eq;

/// A curve of the Pasta cycle.
pub trait PastaCurve: pasta_curves::arithmetic::CurveAffine<Base: Modulus, ScalarExt: Modulus> {}

impl<C: pasta_curves::arithmetic::CurveAffine<Base: Modulus, ScalarExt: Modulus>> PastaCurve for C {}

/// Commitments that take longer than to prepare the bases and commit with them.
const WORTH_PREPARING: usize = 100;

/// The commitment scheme's parameters.
#[derive(Debug)]
pub struct Params {
    generators: Generators<Point>,
    halo2: OnceLock<commitment::Params<Point>>,
    bases: Mutex<Option<Arc<Bases<Point>>>>,
}

impl Params {
    /// Makes the parameters of `2^k` rows.
    pub fn new(k: u32) -> Self {
        commitment::Params::new(k).into()
    }

    /// Log2 of the rows.
    pub fn k(&self) -> u32 {
        self.generators.k
    }

    /// The points.
    pub fn generators(&self) -> &Generators<Point> {
        &self.generators
    }

    /// halo2's own, made when they are asked for first: the stock prover and verifier alone need them.
    pub fn halo2(&self) -> &commitment::Params<Point> {
        self.halo2.get_or_init(|| self.generators.to_halo2().expect("they are points"))
    }

    /// What [`Params::bases`] gives, if it is prepared.
    pub fn prepared(&self) -> Option<Arc<Bases<Point>>> {
        self.kept().clone()
    }

    /// Takes prepared bases, made of these parameters, as those of [`Params::bases`].
    pub(crate) fn prepare(&self, bases: Bases<Point>) {
        self.kept().get_or_insert_with(|| Arc::new(bases));
    }

    /// The bases prepared for many commitments, which takes some tenths of a second when they are asked for first. Ask
    /// before many threads do: each would prepare them.
    pub fn bases(&self) -> Arc<Bases<Point>> {
        // Nothing is locked while they are prepared: a thread of the pool that waited here might be the one that is to help.
        self.prepared().unwrap_or_else(|| {
            let bases = Arc::new(Bases::new(&self.generators));
            self.kept().get_or_insert(bases).clone()
        })
    }

    /// The same if they are prepared, or if it is worth it for so many commitments.
    pub fn bases_for(&self, commitments: usize) -> Option<Arc<Bases<Point>>> {
        self.prepared().or_else(|| (commitments >= WORTH_PREPARING).then(|| self.bases()))
    }

    /// Commits to a column, given by its values on the first rows; all further ones are zero.
    ///
    /// # Panics
    /// If there are more values than rows.
    pub fn commit_column(&self, values: &[F], blind: F) -> PointSum {
        let generators = &self.generators;
        assert!(values.len() <= generators.lagrange.len(), "a column of 2^{} rows", generators.k);
        let of_values = values.iter().copied().zip(generators.lagrange.iter().copied());
        let terms: Vec<(F, Point)> = of_values.filter(|(value, _)| !value.is_zero_vartime()).collect();
        multiexp(&[&terms[..], &[(blind, generators.w)]].concat())
    }

    /// Commits, without a blind, to the column that is 1 on every usable row: to 1 everywhere, less what is not usable.
    pub fn commit_ones(&self) -> PointSum {
        let Generators { coefficients, lagrange, .. } = &self.generators;
        let idle = &lagrange[lagrange.len().saturating_sub(RESERVED_ROWS)..];
        idle.iter().fold(coefficients[0].to_curve(), |sum, base| sum - base)
    }

    fn kept(&self) -> MutexGuard<'_, Option<Arc<Bases<Point>>>> {
        self.bases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Params {
    fn clone(&self) -> Self {
        let bases = Mutex::new(self.prepared());
        Params { generators: self.generators.clone(), halo2: self.halo2.clone(), bases }
    }
}

impl From<Generators<Point>> for Params {
    fn from(generators: Generators<Point>) -> Self {
        Params { generators, halo2: OnceLock::new(), bases: Mutex::new(None) }
    }
}

impl From<commitment::Params<Point>> for Params {
    fn from(halo2: commitment::Params<Point>) -> Self {
        Params { generators: Generators::of(&halo2), halo2: halo2.into(), bases: Mutex::new(None) }
    }
}

/// The claim, still to be evaluated, that a proof leaves behind.
pub use crate::msm::Msm;

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
pub const CIRCUIT_VERSION: u32 = 3;

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
