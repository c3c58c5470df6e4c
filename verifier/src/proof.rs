//! Verifying a proof of one circuit.

use crate::error::VerifyError;
use backend::challenge;
use backend::curve::{ENCODED, F, Msm, Params, Point, ProofReader, TranscriptChallenge};
use backend::halo2::with_columns;
use backend::keys::{Item, VerifyingKey};
use ff::PrimeField;
use halo2_proofs::plonk::{self, VerificationStrategy};
use halo2_proofs::poly::commitment::Guard;
use halo2_proofs::transcript::{Transcript, TranscriptRead};
use std::io;

/// Commitments of ports, as the proof holds them: `[instance][port][column]`.
pub type Ports = Vec<Vec<Vec<Point>>>;

/// The same as [`Ports`], as they are encoded. A point has one encoding, so two ports are equal where these are.
pub type PortEncodings = Vec<Vec<Vec<[u8; ENCODED]>>>;

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

    // The two-pass challenge: see `backend::challenge`.
    let drawn = key.challenges(proof, instances);
    for (i, instance) in instances.iter().enumerate() {
        if let Some(role) = challenge::wrong_slot(&drawn, instance) {
            return Err(VerifyError::Challenge { instance: i, role });
        }
    }

    let mut rest = proof;
    let mut transcript = Reader::new(&mut rest, expected * key.shape.advice);
    let msm = with_columns(instances, |columns| {
        plonk::verify_proof(params.halo2(), key.halo2(), Collect(params), columns, &mut transcript)
    })
    .map_err(|error| transcript.refusal(error))?;
    let points = transcript.points;
    if !rest.is_empty() {
        return Err(VerifyError::Trailing);
    }
    Ok(Claim { msm, ports: by_port(key, expected, &points)? })
}

/// The encodings of a proof's ports. Bytes are copied and nothing is checked but the proof's length: they mean nothing
/// before the proof is verified.
pub fn port_encodings(key: &VerifyingKey, expected: usize, proof: &[u8]) -> Result<PortEncodings, VerifyError> {
    let length = key.shape.proof_length(expected);
    if proof.len() != length {
        return Err(VerifyError::ProofLength { expected: length, found: proof.len() });
    }
    by_port(key, expected, proof.as_chunks::<ENCODED>().0)
}

/// The instance columns of a proof whose challenges were not sent along: they are drawn and put before the public
/// values.
pub fn instances(key: &VerifyingKey, proof: &[u8], publics: &[Vec<F>]) -> Result<Vec<Vec<F>>, VerifyError> {
    let unset = challenge::unset(publics);
    well_formed(key, publics.len(), proof, &unset)?;
    let drawn = key.challenges(proof, &unset);
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

/// As [`Shape::by_port`](backend::keys::Shape::by_port).
fn by_port<T: Copy>(key: &VerifyingKey, expected: usize, items: &[T]) -> Result<Vec<Vec<Vec<T>>>, VerifyError> {
    key.shape.by_port(expected, items).ok_or(VerifyError::Point { item: items.len() })
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
        Ok(f(Msm::new(self.0.halo2()))?.use_challenges())
    }
}

/// The stock transcript, which also keeps the points at the head of a proof, so that none is decoded twice, and knows
/// which item it could not read.
pub(crate) struct Reader<'a, 'p> {
    stock: ProofReader<&'a mut &'p [u8]>,
    /// The first points read, `keep` at most.
    pub(crate) points: Vec<Point>,
    keep: usize,
    items: usize,
    bad_point: Option<usize>,
}

impl<'a, 'p> Reader<'a, 'p> {
    pub(crate) fn new(rest: &'a mut &'p [u8], keep: usize) -> Self {
        let stock = ProofReader::init(rest);
        Reader { stock, points: Vec::with_capacity(keep), keep, items: 0, bad_point: None }
    }

    /// Why the stock verifier stopped: an item that is no point, or else its own reason.
    pub(crate) fn refusal(&self, error: plonk::Error) -> VerifyError {
        self.bad_point.map_or(VerifyError::Halo2(error), |item| VerifyError::Point { item })
    }
}

impl Transcript<Point, TranscriptChallenge> for Reader<'_, '_> {
    fn squeeze_challenge(&mut self) -> TranscriptChallenge {
        self.stock.squeeze_challenge()
    }

    fn common_point(&mut self, point: Point) -> io::Result<()> {
        self.stock.common_point(point)
    }

    fn common_scalar(&mut self, scalar: F) -> io::Result<()> {
        self.stock.common_scalar(scalar)
    }
}

impl TranscriptRead<Point, TranscriptChallenge> for Reader<'_, '_> {
    fn read_point(&mut self) -> io::Result<Point> {
        let point = self.stock.read_point().inspect_err(|_| self.bad_point = Some(self.items))?;
        self.items += 1;
        if self.points.len() < self.keep {
            self.points.push(point);
        }
        Ok(point)
    }

    fn read_scalar(&mut self) -> io::Result<F> {
        self.items += 1;
        self.stock.read_scalar()
    }
}
