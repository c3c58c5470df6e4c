//! What every engine does around the challenges between the two phases.

use super::ProofInstance;
use super::draws::Draws;
use crate::error::ProveError;
use crate::key::ProverKey;
use backend::challenge::{self, Challenges};
use backend::curve::{F, Params, Point};
use group::GroupEncoding;
use rand_core::Rng;

/// Refuses parameters of another number of rows.
pub fn check_rows(params: &Params, key: &ProverKey) -> Result<(), ProveError> {
    if params.k() == key.plan.k { Ok(()) } else { Err(ProveError::Mismatch { what: "the number of rows" }) }
}

/// Makes an instance, of this number in its proof, ready for phase 1: counts what it looks up, and draws what hides it.
pub fn ready(
    number: usize,
    instance: &mut ProofInstance,
    key: &ProverKey,
    rng: &mut impl Rng,
) -> Result<Draws, ProveError> {
    if !instance.fits(key) {
        return Err(ProveError::Mismatch { what: "a witness" });
    }
    if let Some(source) = instance.witness.count_lookups(&key.plan).into_iter().next() {
        return Err(ProveError::Witness { instance: number, source });
    }
    Draws::new(&key.plan, &key.verifying.shape, &instance.ports, rng)
}

/// The challenges, from the statement and the phase-1 commitments of each instance.
pub fn challenges<'p>(
    key: &ProverKey,
    instances: &[ProofInstance],
    phase1: impl IntoIterator<Item = &'p [Point]>,
) -> Challenges {
    let publics: Vec<Vec<F>> = instances.iter().map(|instance| instance.publics.clone()).collect();
    let encode = |points: &[Point]| points.iter().flat_map(GroupEncoding::to_bytes).collect::<Vec<u8>>();
    let encoded: Vec<Vec<u8>> = phase1.into_iter().map(encode).collect();
    let encoded: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
    let digest = challenge::digest(key.plan.k, &key.verifying.digest, &challenge::unset(&publics), &encoded);
    challenge::scalars(&digest)
}

/// An instance's phase-1 commitments by port.
pub fn by_port(key: &ProverKey, points: &[Point]) -> Vec<Vec<Point>> {
    key.verifying.shape.ports.iter().map(|columns| points[columns.clone()].to_vec()).collect()
}
