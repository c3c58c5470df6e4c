//! Verifying a proof of one circuit.

use crate::error::VerifyError;
use circuits::challenge::{self, Challenges};
use circuits::curve::{ENCODED, F, Msm, Params, Point, ProofReader};
use circuits::keys::{Item, VerifyingKey};
use ff::PrimeField;
use group::GroupEncoding;
use halo2_proofs::plonk::{self, VerificationStrategy};
use halo2_proofs::poly::commitment::Guard;

/// Commitments of ports, as the proof holds them: `[instance][port][column]`.
pub type Ports = Vec<Vec<Vec<Point>>>;

/// A proof of which only the final multi-scalar multiplication is left to check.
#[derive(Debug)]
#[must_use = "nothing is proven before the claim is evaluated"]
pub struct Claim<'params> {
    pub(crate) msm: Msm<'params>,
    pub(crate) ports: Ports,
}

impl<'params> Claim<'params> {
    /// What is left to check (that it evaluates to zero), and the ports' commitments, which mean nothing before that.
    /// For a caller with a batch of its own, who must scale each claim.
    pub fn into_parts(self) -> (Msm<'params>, Ports) {
        (self.msm, self.ports)
    }

    /// Checks what is left, and gives the ports' commitments.
    pub fn evaluate(self) -> Result<Ports, VerifyError> {
        if self.msm.eval() { Ok(self.ports) } else { Err(VerifyError::Invalid) }
    }
}

/// Verifies a proof of `expected` instances. `instances` are whole instance columns: challenge slots, then public values.
pub fn verify(
    params: &Params,
    key: &VerifyingKey,
    expected: usize,
    proof: &[u8],
    instances: &[Vec<F>],
) -> Result<Ports, VerifyError> {
    check(params, key, expected, proof, instances)?.evaluate()
}

/// All of [`verify`] but the final multi-scalar multiplication.
pub fn check<'params>(
    params: &'params Params,
    key: &VerifyingKey,
    expected: usize,
    proof: &[u8],
    instances: &[Vec<F>],
) -> Result<Claim<'params>, VerifyError> {
    // Cheap rules first; none of them lets the work depend on anything but the statement's size.
    if params.k() != key.shape.k {
        return Err(VerifyError::Params { key: key.shape.k, params: params.k() });
    }
    well_formed(key, expected, proof, instances)?;

    // The two-pass challenge: see `circuits::challenge`.
    let drawn = challenges(key, proof, instances);
    for (i, instance) in instances.iter().enumerate() {
        if let Some(role) = challenge::wrong_slot(&drawn, instance) {
            return Err(VerifyError::Challenge { instance: i, role });
        }
    }

    let columns: Vec<[&[F]; 1]> = instances.iter().map(|i| [i.as_slice()]).collect();
    let columns: Vec<&[&[F]]> = columns.iter().map(|c| &c[..]).collect();
    let mut rest = proof;
    let mut transcript = ProofReader::init(&mut rest);
    let msm =
        plonk::verify_proof(params, key.halo2(), Collect(params), &columns, &mut transcript).map_err(|error| {
            match first_bad_point(key, expected, proof) {
                Some(item) => VerifyError::Point { item },
                None => VerifyError::Halo2(error),
            }
        })?;
    if !rest.is_empty() {
        return Err(VerifyError::Trailing);
    }
    Ok(Claim { msm, ports: ports(key, expected, proof)? })
}

/// The instance columns of a proof whose challenges were not sent along: they are drawn and put before the public
/// values.
pub fn instances(key: &VerifyingKey, proof: &[u8], publics: &[Vec<F>]) -> Result<Vec<Vec<F>>, VerifyError> {
    let unset: Vec<Vec<F>> =
        publics.iter().map(|publics| [&[F::from(0); challenge::SLOTS][..], publics].concat()).collect();
    well_formed(key, publics.len(), proof, &unset)?;
    let drawn = challenges(key, proof, &unset);
    Ok(publics.iter().map(|p| challenge::instance(&drawn, p)).collect())
}

/// Sizes, and encodings as far as they are cheap to check.
fn well_formed(key: &VerifyingKey, expected: usize, proof: &[u8], instances: &[Vec<F>]) -> Result<(), VerifyError> {
    if instances.is_empty() {
        return Err(VerifyError::NoInstances);
    }
    if instances.len() != expected {
        return Err(VerifyError::InstanceCount { expected, found: instances.len() });
    }
    let length = key.shape.instance_length();
    for (i, instance) in instances.iter().enumerate() {
        if instance.len() != length {
            return Err(VerifyError::InstanceLength { instance: i, expected: length, found: instance.len() });
        }
    }
    let length = key.shape.proof_length(expected);
    if proof.len() != length {
        return Err(VerifyError::ProofLength { expected: length, found: proof.len() });
    }
    for (item, (kind, bytes)) in items(key, expected, proof).enumerate() {
        match kind {
            Item::Point if *bytes == [0; ENCODED] => return Err(VerifyError::Identity { item }),
            Item::Scalar if bool::from(F::from_repr(*bytes).is_none()) => {
                return Err(VerifyError::Scalar { item });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Draws the challenges from the statement and from the phase-1 commitments at the head of a well-formed proof.
fn challenges(key: &VerifyingKey, proof: &[u8], instances: &[Vec<F>]) -> Challenges {
    let shape = &key.shape;
    // For each instance the proof holds all advice commitments, phase 1 first.
    let phase1: Vec<&[u8]> = proof
        .chunks(shape.advice * ENCODED)
        .take(instances.len())
        .map(|head| &head[..shape.phase1 * ENCODED])
        .collect();
    challenge::scalars(&challenge::digest(shape.k, &key.digest, instances, &phase1))
}

fn ports(key: &VerifyingKey, expected: usize, proof: &[u8]) -> Result<Ports, VerifyError> {
    let (points, _) = proof.as_chunks::<ENCODED>();
    let column = |item: usize| -> Result<Point, VerifyError> {
        let point = points.get(item).and_then(|bytes| Point::from_bytes(bytes).into_option());
        point.ok_or(VerifyError::Point { item })
    };
    let port = |first: usize, columns: &std::ops::Range<usize>| -> Result<Vec<Point>, VerifyError> {
        columns.clone().map(|c| column(first + c)).collect()
    };
    (0..expected).map(|i| key.shape.ports.iter().map(|p| port(i * key.shape.advice, p)).collect()).collect()
}

/// Names the item that the stock verifier could not read.
fn first_bad_point(key: &VerifyingKey, expected: usize, proof: &[u8]) -> Option<usize> {
    items(key, expected, proof)
        .position(|(kind, bytes)| kind == Item::Point && bool::from(Point::from_bytes(bytes).is_none()))
}

fn items<'a>(key: &VerifyingKey, expected: usize, proof: &'a [u8]) -> impl Iterator<Item = (Item, &'a [u8; ENCODED])> {
    let kinds = key.shape.items(expected).into_iter().flat_map(|(kind, n)| std::iter::repeat_n(kind, n));
    kinds.zip(proof.as_chunks::<ENCODED>().0)
}

/// Keeps the multi-scalar multiplication instead of evaluating it.
struct Collect<'params>(&'params Params);

impl<'params> VerificationStrategy<'params, Point> for Collect<'params> {
    type Output = Msm<'params>;

    fn process<E: halo2_proofs::transcript::EncodedChallenge<Point>>(
        self,
        f: impl FnOnce(Msm<'params>) -> Result<Guard<'params, Point, E>, plonk::Error>,
    ) -> Result<Msm<'params>, plonk::Error> {
        Ok(f(Msm::new(self.0))?.use_challenges())
    }
}
