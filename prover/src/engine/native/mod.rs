//! The native engine: proves a plan directly.
//!
//! Its proofs are those of `halo2_proofs` 0.4.1: the stock verifier accepts them unchanged, they have the same length, the
//! same transcript and the same zero knowledge: whatever is random in the stock prover is random here. It differs in
//! how it computes:
//!
//! | part | here |
//! |---|---|
//! | commitments | over bases whose multiples are known ([`backend::bases`]); phase 1 is committed to once |
//! | [`domain`] | transforms of 2^k values, on cosets without a multiplication of their own |
//! | [`expressions`] | gates as a program; equal parts are computed once |
//! | [`permutation`] | one inversion for each product column |
//! | [`quotient`] | one coset and one instance at a time; gates of low degree on fewer cosets |
//! | [`opening`] | bases are not folded |

pub mod domain;
pub mod expressions;
pub mod key;
pub mod opening;
pub mod permutation;
pub mod quotient;

pub use key::NativeKey;

use super::draws::Draws;
use super::watch::Tally;
use super::{Cancel, Engine, Proof, ProofInstance, Stage, Watch};
use crate::blinding::fresh;
use crate::error::ProveError;
use crate::key::ProverKey;
use backend::bases::{Bases, Room};
use backend::challenge;
use backend::curve::{F, Params, Point, ProofWriter};
use backend::ports::refuse_identity;
use domain::{inner_product, powers};
use ff::{Field, FromUniformBytes, WithSmallOrderMulGroup};
use group::{Curve, GroupEncoding};
use halo2_proofs::plonk;
use halo2_proofs::transcript::{EncodedChallenge, TranscriptWrite};
use opening::Opened;
use pasta_curves::arithmetic::{CurveAffine, VartimeField};
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// A field that circuits are proven over.
pub trait Scalar: plonkish::Field + WithSmallOrderMulGroup<3> + FromUniformBytes<64> + VartimeField + Ord {}

impl<F: plonkish::Field + WithSmallOrderMulGroup<3> + FromUniformBytes<64> + VartimeField + Ord> Scalar for F {}

/// The engine that proves plans directly.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

/// An instance's columns as polynomials, by their coefficients.
pub struct Polynomials<F> {
    /// The instance column.
    pub instance: Vec<F>,
    /// Advice columns.
    pub advice: Vec<Vec<F>>,
    /// Permutation products.
    pub products: Vec<Vec<F>>,
}

/// An instance's columns by their values, committed to.
struct Committed<C: CurveAffine> {
    /// The instance column.
    instance: Vec<C::ScalarExt>,
    /// Whole advice columns.
    advice: Vec<Vec<C::ScalarExt>>,
    blinds: Vec<C::ScalarExt>,
    points: Vec<C>,
}

impl Engine for Native {
    fn prove(
        &self,
        params: &Params,
        key: &ProverKey,
        instances: &mut [ProofInstance],
        watch: &mut Watch<'_>,
    ) -> Result<Proof, ProveError> {
        let (plan, shape) = (&key.plan, &key.verifying.shape);
        if params.k() != plan.k {
            return Err(ProveError::Mismatch { what: "the number of rows" });
        }
        let (count, bases, mut rng) = (instances.len(), params.bases(), fresh()?);
        let (mut committed, mut hiding) = (Vec::<Committed<Point>>::new(), vec![]);
        for (i, instance) in instances.iter_mut().enumerate() {
            if !instance.fits(key) {
                return Err(ProveError::Mismatch { what: "a witness" });
            }
            if let Some(source) = instance.witness.count_lookups(plan).into_iter().next() {
                return Err(ProveError::Witness { instance: i, source });
            }
            let Draws { rows, blinds } = Draws::new(plan, shape, &instance.ports, &mut rng)?;
            let mut columns = Committed { instance: vec![], advice: vec![], blinds, points: vec![] };
            columns.commit(&bases, &instance.witness.values[..shape.phase1], &rows, watch.cancel)?;
            refuse_identity(&columns.points).map_err(|source| ProveError::Port { instance: i, source })?;
            committed.push(columns);
            hiding.push(rows);
            (watch.progress)(Stage::Committed { done: i + 1, of: count });
        }

        let publics: Vec<Vec<F>> = instances.iter().map(|instance| instance.publics.clone()).collect();
        let head = |columns: &Committed<Point>| columns.points.iter().flat_map(GroupEncoding::to_bytes).collect();
        let heads: Vec<Vec<u8>> = committed.iter().map(head).collect();
        let heads: Vec<&[u8]> = heads.iter().map(Vec::as_slice).collect();
        let digest = challenge::digest(plan.k, &key.verifying.digest, &challenge::unset(&publics), &heads);
        let challenges = challenge::scalars(&digest);
        instances.par_iter_mut().for_each(|instance| instance.witness.fill_phase2(plan, &challenges));
        (watch.progress)(Stage::Filled);
        for (i, columns) in committed.iter_mut().enumerate() {
            let values = &instances[i].witness.values[shape.phase1..];
            columns.instance = challenge::instance(&challenges, &publics[i]);
            columns.commit(&bases, values, &hiding[i][shape.phase1..], watch.cancel)?;
        }

        let of_port = |c: &Committed<Point>| shape.ports.iter().map(|p| c.points[p.clone()].to_vec()).collect();
        let (ports, columns) =
            (committed.iter().map(of_port).collect(), committed.iter().map(|c| c.instance.clone()).collect());
        let (cancel, mut transcript) = (watch.cancel, ProofWriter::init(Tally::new(shape.proof_length(count), watch)));
        key.verifying.halo2().hash_into(&mut transcript).map_err(plonk::Error::from)?;
        let made = create_proof(&bases, key.native(), committed, &mut transcript, &mut rng, cancel);
        // A transcript that can no longer be written to is an error of its own.
        cancel.check()?;
        made?;
        Ok(Proof { bytes: transcript.finalize().bytes, challenges, ports, instances: columns })
    }
}

impl<C: CurveAffine> Committed<C>
where
    C::ScalarExt: Scalar,
{
    /// Adds columns, given by the values of their first rows, and what hides each of them; commits to them.
    fn commit(
        &mut self,
        bases: &Bases<C>,
        values: &[Vec<C::ScalarExt>],
        hiding: &[Vec<C::ScalarExt>],
        cancel: &Cancel,
    ) -> Result<(), ProveError> {
        let whole = |(values, hiding): (&Vec<C::ScalarExt>, &Vec<C::ScalarExt>)| {
            let mut column = Vec::with_capacity(bases.rows());
            column.extend_from_slice(values);
            column.resize(bases.rows() - hiding.len(), C::ScalarExt::ZERO);
            column.extend_from_slice(hiding);
            column
        };
        let first = self.advice.len();
        self.advice.extend(values.iter().zip(hiding).map(whole));
        let columns = self.advice[first..].iter().map(Vec::as_slice).zip(self.blinds[first..].iter().copied());
        self.points.extend(commit_columns(bases, &columns.collect::<Vec<_>>(), cancel)?);
        Ok(())
    }
}

/// Commits to columns and their blinds, on all threads.
fn commit_columns<C: CurveAffine>(
    bases: &Bases<C>,
    columns: &[(&[C::ScalarExt], C::ScalarExt)],
    cancel: &Cancel,
) -> Result<Vec<C>, ProveError> {
    let commit = |room: &mut Room<C>, (values, blind): &(&[C::ScalarExt], C::ScalarExt)| {
        cancel.check()?;
        Ok(bases.commit_column(values, blind, room))
    };
    // One at a time, as some take ten times as long as others.
    let points: Result<Vec<C::CurveExt>, ProveError> =
        columns.par_iter().with_max_len(1).map_init(Room::<C>::default, commit).collect();
    Ok(affine(&points?))
}

fn affine<C: CurveAffine>(points: &[C::CurveExt]) -> Vec<C> {
    let mut affine = vec![C::default(); points.len()];
    C::CurveExt::batch_normalize(points, &mut affine);
    affine
}

/// Writes a proof of instances to a transcript that knows the key.
fn create_proof<C: CurveAffine, E: EncodedChallenge<C>, T: TranscriptWrite<C, E>>(
    bases: &Bases<C>,
    key: &NativeKey<C::ScalarExt>,
    instances: Vec<Committed<C>>,
    transcript: &mut T,
    rng: &mut ChaCha20Rng,
    cancel: &Cancel,
) -> Result<(), ProveError>
where
    C::ScalarExt: Scalar,
{
    let rows = key.domain.rows();
    let one = C::ScalarExt::ONE;
    let of_instances: Vec<_> = instances.iter().map(|i| (&i.instance[..], one)).collect();
    for point in commit_columns(bases, &of_instances, cancel)? {
        transcript.common_point(point).map_err(plonk::Error::from)?;
    }
    for point in instances.iter().flat_map(|instance| &instance.points) {
        transcript.write_point(*point).map_err(plonk::Error::from)?;
    }
    // θ is that of lookups, of which there are none.
    let _theta = transcript.squeeze_challenge();
    let beta = *transcript.squeeze_challenge_scalar::<()>();
    let gamma = *transcript.squeeze_challenge_scalar::<()>();

    let mut polynomials = vec![];
    for instance in &instances {
        let mut column = instance.instance.clone();
        column.resize(rows, C::ScalarExt::ZERO);
        let of_advice = key.queries.permuted.iter().map(|&c| &instance.advice[c][..]);
        let columns: Vec<&[C::ScalarExt]> = std::iter::once(&column[..]).chain(of_advice).collect();
        let products = permutation::products(key, &columns, (beta, gamma), rng);
        polynomials.push(Polynomials { instance: column, advice: vec![], products });
    }
    let of_products = polynomials.iter().flat_map(|p| &p.products);
    let of_products: Vec<_> = of_products.map(|column| (&column[..], C::ScalarExt::random(&mut *rng))).collect();
    let product_points = commit_columns(bases, &of_products, cancel)?;
    let product_blinds: Vec<C::ScalarExt> = of_products.iter().map(|(_, blind)| *blind).collect();
    for point in product_points {
        transcript.write_point(point).map_err(plonk::Error::from)?;
    }
    let random: Vec<C::ScalarExt> = (0..rows).map(|_| C::ScalarExt::random(&mut *rng)).collect();
    let random_blind = C::ScalarExt::random(&mut *rng);
    write_point::<C, E, T>(transcript, bases.commit_polynomial(&random, &random_blind))?;
    let y = *transcript.squeeze_challenge_scalar::<()>();

    let mut blinds = vec![];
    for (polynomials, instance) in polynomials.iter_mut().zip(instances) {
        polynomials.advice = instance.advice;
        blinds.push(instance.blinds);
    }
    let values = polynomials
        .iter_mut()
        .flat_map(|p| std::iter::once(&mut p.instance).chain(&mut p.advice).chain(&mut p.products));
    values.collect::<Vec<_>>().into_par_iter().for_each(|values| key.domain.interpolate(values));
    let pieces = quotient::pieces(key, &polynomials, &quotient::Challenges { beta, gamma, y }, cancel)?;
    let piece_blinds: Vec<C::ScalarExt> = pieces.iter().map(|_| C::ScalarExt::random(&mut *rng)).collect();
    let piece_points: Vec<C::CurveExt> =
        pieces.iter().zip(&piece_blinds).map(|(piece, blind)| bases.commit_polynomial(piece, blind)).collect();
    for point in affine::<C>(&piece_points) {
        transcript.write_point(point).map_err(plonk::Error::from)?;
    }

    let x = *transcript.squeeze_challenge_scalar::<()>();
    let xn = x.pow_vartime([rows as u64]);
    let quotient = pieces.iter().rev().fold(vec![C::ScalarExt::ZERO; rows], |sum, piece| {
        sum.iter().zip(piece).map(|(sum, coefficient)| *sum * xn + coefficient).collect()
    });
    let quotient_blind = piece_blinds.iter().rev().fold(C::ScalarExt::ZERO, |sum, blind| sum * xn + blind);

    let opened = Openings { key, polynomials: &polynomials, random: &random };
    for value in opened.evaluate(x) {
        transcript.write_scalar(value).map_err(plonk::Error::from)?;
    }
    let blinds = Blinds { advice: &blinds, products: &product_blinds, random: random_blind, quotient: quotient_blind };
    opening::open((bases, &key.domain), &opened.all(&quotient, &blinds), x, transcript, rng, cancel)
}

/// The polynomials of a proof, as they are opened.
struct Openings<'p, F> {
    key: &'p NativeKey<F>,
    polynomials: &'p [Polynomials<F>],
    random: &'p [F],
}

/// Blinds of their commitments.
struct Blinds<'p, F> {
    advice: &'p [Vec<F>],
    products: &'p [F],
    random: F,
    quotient: F,
}

impl<'p, F: Scalar> Openings<'p, F> {
    /// Rotations at which a product is opened: all but the last one of an instance at the last row in use too.
    fn of_product(&self, product: usize) -> Vec<i32> {
        let end = -(self.key.blinding as i32 + 1);
        if product + 1 < self.key.products() { vec![0, 1, end] } else { vec![0, 1] }
    }

    /// The evaluations that a proof has, in order.
    fn evaluate(&self, x: F) -> Vec<F> {
        let (key, queries) = (self.key, &self.key.queries);
        let mut wanted: Vec<(&[F], i32)> = self.polynomials.iter().map(|p| (&p.instance[..], 0)).collect();
        for polynomials in self.polynomials {
            wanted.extend(queries.advice.iter().map(|&(column, rotation)| (&polynomials.advice[column][..], rotation)));
        }
        wanted.extend(queries.fixed.iter().map(|&column| (&key.fixed[column][..], 0)));
        wanted.push((self.random, 0));
        wanted.extend(key.sigma.iter().map(|sigma| (&sigma[..], 0)));
        for (number, product) in self.polynomials.iter().flat_map(|p| p.products.iter().enumerate()) {
            wanted.extend(self.of_product(number).into_iter().map(|rotation| (&product[..], rotation)));
        }
        let mut at: BTreeMap<i32, Vec<F>> = wanted.iter().map(|&(_, rotation)| (rotation, vec![])).collect();
        at.par_iter_mut()
            .for_each(|(rotation, at)| *at = powers(x * key.domain.rotation(*rotation), key.domain.rows()));
        wanted.into_par_iter().map(|(polynomial, rotation)| inner_product(polynomial, &at[&rotation])).collect()
    }

    /// All polynomials, in the order in which halo2 opens them first.
    fn all(&self, quotient: &'p [F], blinds: &Blinds<'_, F>) -> Vec<Opened<'p, F>> {
        let (key, queries) = (self.key, &self.key.queries);
        let opened = |coefficients: &'p [F], blind: F, rotations: Vec<i32>| Opened { coefficients, blind, rotations };
        let mut all = vec![];
        let mut advice: Vec<(usize, Vec<i32>)> = vec![];
        let mut place = HashMap::new();
        for &(column, rotation) in &queries.advice {
            let next = advice.len();
            let at = *place.entry(column).or_insert(next);
            if at == next {
                advice.push((column, vec![]));
            }
            advice[at].1.push(rotation);
        }
        for (number, polynomials) in self.polynomials.iter().enumerate() {
            all.push(opened(&polynomials.instance, F::ONE, vec![0]));
            let of_advice = advice.iter().map(|(column, rotations)| {
                opened(&polynomials.advice[*column], blinds.advice[number][*column], rotations.clone())
            });
            all.extend(of_advice);
            let products = polynomials.products.iter().enumerate().map(|(product, coefficients)| {
                let blind = blinds.products[number * key.products() + product];
                opened(coefficients, blind, self.of_product(product))
            });
            all.extend(products);
        }
        all.extend(queries.fixed.iter().map(|&column| opened(&key.fixed[column], F::ONE, vec![0])));
        all.extend(key.sigma.iter().map(|sigma| opened(sigma, F::ONE, vec![0])));
        all.push(opened(quotient, blinds.quotient, vec![0]));
        all.push(opened(self.random, blinds.random, vec![0]));
        all
    }
}

/// Writes a point.
fn write_point<C: CurveAffine, E: EncodedChallenge<C>, T: TranscriptWrite<C, E>>(
    transcript: &mut T,
    point: C::CurveExt,
) -> Result<(), ProveError> {
    transcript.write_point(point.to_affine()).map_err(plonk::Error::from)?;
    Ok(())
}
