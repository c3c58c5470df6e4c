//! Verifying a proof of one circuit.

use crate::error::VerifyError;
use crate::opening::{Commitment, Opened, verify_openings};
use crate::reader::{Items, Reader, absorbed};
use crate::vanishing::{Challenges, Instance, Shared, quotient};
use backend::challenge::{self, SLOTS};
use backend::curve::{ENCODED, F, Msm, Params, Point, PointSum, affine};
use backend::keys::{Item, Shape, VerifyingKey};
use backend::multiexp::multiexp;
use backend::permutation::powers;
use ff::{Field, PrimeField};
use halo2_proofs::transcript::Transcript;
use std::collections::HashMap;

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
    statement(params, key, expected, proof, instances)?;
    argument(params, key, expected, proof, instances)
}

/// halo2's argument, but for the final multi-scalar multiplication, of a proof that is well formed.
pub(crate) fn argument<'params>(
    params: &'params Params,
    key: &VerifyingKey,
    expected: usize,
    proof: &[u8],
    instances: &[Vec<F>],
) -> Result<Claim<'params>, VerifyError> {
    let kinds = items(key, expected, proof).map(|(kind, _)| kind);
    let items = Items::decode(kinds, proof)?;
    let msm = left_to_check(params, key, instances, &items)?;
    Ok(Claim { msm, ports: by_port(key, expected, &items.points)? })
}

/// The rules on a proof's form, on its instances and on their challenges.
pub(crate) fn statement(
    params: &Params,
    key: &VerifyingKey,
    expected: usize,
    proof: &[u8],
    instances: &[Vec<F>],
) -> Result<(), VerifyError> {
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
    Ok(())
}

/// The argument from the verifier's side (halo2 book, "Proof generation"), in the order of the transcript: the sum that it
/// leaves.
fn left_to_check<'params>(
    params: &'params Params,
    key: &VerifyingKey,
    instances: &[Vec<F>],
    items: &Items,
) -> Result<Msm<'params>, VerifyError> {
    let (shape, n) = (&key.shape, instances.len());
    let of_instances = commit_instances(params, shape, instances);
    let mut reader = Reader::new(items);
    reader.transcript().common_scalar(key.transcript).map_err(absorbed)?;
    let columns = 1 + shape.uniform.len();
    of_instances.iter().try_for_each(|point| reader.transcript().common_point(*point)).map_err(absorbed)?;
    let advice = reader.points(n * shape.advice)?;
    // θ is that of lookups, of which there are none.
    let _theta = reader.challenge();
    let (beta, gamma) = (reader.challenge(), reader.challenge());
    let products = reader.points(n * shape.permutation_products)?;
    let random = reader.point()?;
    let y = reader.challenge();
    let pieces = reader.points(shape.quotient_pieces)?;
    let x = reader.challenge();

    let instance_values = reader.scalars(n * shape.instance_queries)?;
    let advice_values = reader.scalars(n * shape.advice_queries)?;
    let fixed_values = reader.scalars(shape.fixed_queries)?;
    let random_value = reader.scalar()?;
    let sigma_values = reader.scalars(shape.permuted)?;
    let of_products = shape.product_queries();
    let product_values = reader.scalars(n * of_products)?;

    let of_instance = |i: usize| Instance {
        instance: &instance_values[i * shape.instance_queries..][..shape.instance_queries],
        advice: &advice_values[i * shape.advice_queries..][..shape.advice_queries],
        products: &product_values[i * of_products..][..of_products],
    };
    let opened_of: Vec<Instance<'_>> = (0..n).map(of_instance).collect();
    let xn = x.pow_vartime([1 << shape.k]);
    let challenges = Challenges { beta, gamma, y, x };
    let places = key.queries.advice_places();
    let shared = Shared { fixed: fixed_values, sigma: sigma_values, places: &places };
    let quotient = quotient(key, &challenges, xn, &shared, &opened_of)?;
    let pieces: Vec<(F, Point)> = powers(xn, pieces.len()).into_iter().zip(pieces.iter().copied()).collect();

    let mut opened = vec![];
    let at = |rotation: i32, value: &F| vec![(rotation, *value)];
    let advice_queries = key.queries.rotations();
    for (i, instance) in opened_of.iter().enumerate() {
        for (column, value) in key.queries.instance.iter().zip(instance.instance) {
            let commitment = Commitment::One(&of_instances[i * columns + column]);
            opened.push(Opened { commitment, values: at(0, value) });
        }
        for (column, rotations) in &advice_queries {
            let value = |&rotation: &i32| (rotation, instance.advice[places[&(*column, rotation)]]);
            let commitment = Commitment::One(&advice[i * shape.advice + column]);
            opened.push(Opened { commitment, values: rotations.iter().map(value).collect() });
        }
        let rotations = [0, 1, -(shape.blinding_rows as i32)];
        for (product, values) in instance.products.chunks(rotations.len()).enumerate() {
            let commitment = Commitment::One(&products[i * shape.permutation_products + product]);
            opened.push(Opened { commitment, values: rotations.into_iter().zip(values.iter().copied()).collect() });
        }
    }
    let fixed = key.queries.fixed.iter().map(|&column| &key.fixed[column]).zip(fixed_values);
    for (point, value) in fixed.chain(key.sigma.iter().zip(sigma_values)) {
        opened.push(Opened { commitment: Commitment::One(point), values: at(0, value) });
    }
    opened.push(Opened { commitment: Commitment::Sum(&pieces), values: at(0, &quotient) });
    opened.push(Opened { commitment: Commitment::One(&random), values: at(0, &random_value) });
    let mut msm = Msm::new(params);
    verify_openings(shape.k, &opened, x, &mut reader, &mut msm)?;
    reader.end()?;
    Ok(msm)
}

/// Commitments of instance columns: for each instance its values, then those that are the same on every usable row. What
/// several instances have in common, as with the same challenges they do, is computed once.
fn commit_instances(params: &Params, shape: &Shape, instances: &[Vec<F>]) -> Vec<Point> {
    let head = |instance: &[F]| params.commit_column(&instance[..SLOTS.min(instance.len())], F::ONE);
    let Some(first) = instances.first() else { return vec![] };
    let (of_first, ones) = (head(first), params.commit_ones());
    let mut known: HashMap<[u8; ENCODED], PointSum> = HashMap::new();
    let mut all = vec![];
    for instance in instances {
        let same = instance.get(..SLOTS) == first.get(..SLOTS);
        let shared = if same { of_first } else { head(instance) };
        let publics =
            instance.iter().enumerate().skip(SLOTS).map(|(row, value)| (*value, params.generators().lagrange[row]));
        all.push(shared + multiexp(&publics.collect::<Vec<_>>()));
        for value in shape.uniform.iter().map(|value| value.of(instance).unwrap_or(F::ZERO)) {
            let commit = || ones * value + params.generators().w;
            all.push(*known.entry(value.to_repr()).or_insert_with(commit));
        }
    }
    affine(&all)
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
pub(crate) fn well_formed(
    key: &VerifyingKey,
    expected: usize,
    proof: &[u8],
    instances: &[Vec<F>],
) -> Result<(), VerifyError> {
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
    let scalars = |(item, (kind, bytes)): (usize, (Item, &[u8; ENCODED]))| match kind {
        Item::Scalar if bool::from(F::from_repr(*bytes).is_none()) => Err(VerifyError::Scalar { item }),
        _ => Ok(()),
    };
    refuse_identities(items(key, expected, proof).map(|(kind, _)| kind), proof)?;
    items(key, expected, proof).enumerate().try_for_each(scalars)
}

/// Refuses a proof of these items if one is the encoding of the point at infinity.
pub(crate) fn refuse_identities(kinds: impl IntoIterator<Item = Item>, proof: &[u8]) -> Result<(), VerifyError> {
    let mut items = kinds.into_iter().zip(proof.as_chunks::<ENCODED>().0);
    match items.position(|(kind, bytes)| kind == Item::Point && *bytes == [0; ENCODED]) {
        Some(item) => Err(VerifyError::Identity { item }),
        None => Ok(()),
    }
}

/// As [`Shape::by_port`](backend::keys::Shape::by_port).
fn by_port<T: Copy>(key: &VerifyingKey, expected: usize, items: &[T]) -> Result<Vec<Vec<Vec<T>>>, VerifyError> {
    key.shape.by_port(expected, items).ok_or(VerifyError::Point { item: items.len() })
}

fn items<'a>(key: &VerifyingKey, expected: usize, proof: &'a [u8]) -> impl Iterator<Item = (Item, &'a [u8; ENCODED])> {
    let kinds = key.shape.items(expected).into_iter().flat_map(|(kind, n)| std::iter::repeat_n(kind, n));
    kinds.zip(proof.as_chunks::<ENCODED>().0)
}
