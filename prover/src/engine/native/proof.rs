//! A proof from columns that are committed to (halo2 book, "Proof generation").

use super::Scalar;
use super::columns::{Columns, commit_columns};
use super::key::{Key, NativeKey};
use super::opening::{self, Opened};
use super::permutation;
use super::quotient;
use crate::engine::Cancel;
use crate::error::ProveError;
use backend::bases::Bases;
use backend::curve::PastaCurve;
use backend::curve::affine;
use ff::Field;
use group::Curve;
use halo2_proofs::plonk;
use halo2_proofs::transcript::{EncodedChallenge, TranscriptWrite};
use plonkish::RESERVED_ROWS;
use rand_core::Rng;
use rayon::prelude::*;
use simd::{Vector, elements, inner_product, scale_add, scaled, vectors};
use std::collections::BTreeMap;

/// An instance's columns as polynomials, by their coefficients.
pub struct Polynomials<F, V: Vector<F>> {
    /// Instance columns: the instance's values, then those that are the same on every usable row.
    pub instance: Vec<Vec<V::Packed>>,
    /// The latter.
    pub uniform: Vec<F>,
    /// Advice columns.
    pub advice: Vec<Vec<V::Packed>>,
    /// Permutation products.
    pub products: Vec<Vec<V::Packed>>,
}

/// Writes a proof of instances to a transcript that knows the key. What is random is drawn in halo2's order, so that
/// from the same randomness both make the same proof.
pub fn create_proof<C: PastaCurve, E: EncodedChallenge<C>, T: TranscriptWrite<C, E>>(
    bases: &Bases<C>,
    key: &NativeKey<C::ScalarExt>,
    instances: Vec<Columns<C>>,
    transcript: &mut T,
    rng: &mut impl Rng,
    cancel: &Cancel,
) -> Result<(), ProveError>
where
    C::ScalarExt: Scalar,
{
    match key {
        NativeKey::One(key) => create(bases, key, instances, transcript, rng, cancel),
        #[cfg(target_arch = "x86_64")]
        NativeKey::Wide(key) => create(bases, key, instances, transcript, rng, cancel),
    }
}

fn create<C: PastaCurve, E: EncodedChallenge<C>, T: TranscriptWrite<C, E>, V: Vector<C::ScalarExt>>(
    bases: &Bases<C>,
    key: &Key<C::ScalarExt, V>,
    instances: Vec<Columns<C>>,
    transcript: &mut T,
    rng: &mut impl Rng,
    cancel: &Cancel,
) -> Result<(), ProveError>
where
    C::ScalarExt: Scalar,
{
    let (rows, machine) = (key.domain.rows(), key.domain.machine);
    let one = C::ScalarExt::ONE;
    let usable = rows - RESERVED_ROWS;
    let of_uniform: Vec<Vec<Vec<_>>> =
        instances.iter().map(|i| i.uniform.iter().map(|value| vec![*value; usable]).collect()).collect();
    let of_instances = instances.iter().zip(&of_uniform);
    let of_instances = of_instances.flat_map(|(i, uniform)| std::iter::once(&i.instance).chain(uniform));
    let of_instances: Vec<_> = of_instances.map(|column| (&column[..], one)).collect();
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

    let (mut polynomials, mut blinds) = (vec![], vec![]);
    let (mut products, mut product_blinds) = (vec![], vec![]);
    for instance in instances {
        cancel.check()?;
        let mut column = instance.instance.clone();
        column.resize(rows, C::ScalarExt::ZERO);
        let publics = vectors::<C::ScalarExt, V>(machine, &column);
        let columns = instance.advice().collect::<Vec<_>>();
        let advice: Vec<Vec<V::Packed>> =
            columns.into_par_iter().map(|column| vectors::<C::ScalarExt, V>(machine, column)).collect();
        let of_advice = key.queries.permuted.iter().map(|&c| &advice[c][..]);
        let of_publics = key.queries.copies_publics().then_some(&publics[..]);
        let permuted: Vec<&[V::Packed]> = of_publics.into_iter().chain(of_advice).collect();
        let (of_instance, their_blinds): (Vec<_>, Vec<_>) =
            permutation::products(key, &permuted, (beta, gamma), rng).into_iter().unzip();
        products.push(of_instance);
        product_blinds.extend(their_blinds);
        blinds.push(instance.blinds);
        let uniform = instance.uniform;
        polynomials.push(Polynomials { instance: vec![publics], uniform, advice, products: vec![] });
    }
    let of_products = products.iter().flatten().zip(&product_blinds);
    let of_products: Vec<_> = of_products.map(|(column, blind)| (&column[..], *blind)).collect();
    let product_points = commit_columns(bases, &of_products, cancel)?;
    for point in product_points {
        transcript.write_point(point).map_err(plonk::Error::from)?;
    }
    let random: Vec<C::ScalarExt> = (0..rows).map(|_| C::ScalarExt::random(&mut *rng)).collect();
    let random_blind = C::ScalarExt::random(&mut *rng);
    write_point::<C, E, T>(transcript, bases.commit_polynomial(&random, &random_blind))?;
    let y = *transcript.squeeze_challenge_scalar::<()>();

    for (polynomials, products) in polynomials.iter_mut().zip(products) {
        polynomials.products = products.par_iter().map(|column| vectors::<C::ScalarExt, V>(machine, column)).collect();
    }
    let values = polynomials.iter_mut().flat_map(|p| p.instance.iter_mut().chain(&mut p.advice).chain(&mut p.products));
    values
        .collect::<Vec<_>>()
        .into_par_iter()
        .map_init(Vec::new, |work, values| {
            cancel.check()?;
            key.domain.interpolate(values, work);
            Ok(())
        })
        .collect::<Result<(), ProveError>>()?;
    for polynomials in &mut polynomials {
        for value in &polynomials.uniform {
            let mut column = key.usable.clone();
            scaled::<C::ScalarExt, V>(machine, &mut column, V::splat(machine, value), &key.usable);
            polynomials.instance.push(column);
        }
    }
    let pieces = quotient::pieces(key, &polynomials, &quotient::Challenges { beta, gamma, y }, cancel)?;
    let of_pieces: Vec<Vec<C::ScalarExt>> = pieces.par_iter().map(|piece| elements::<_, V>(machine, piece)).collect();
    let piece_blinds: Vec<C::ScalarExt> = pieces.iter().map(|_| C::ScalarExt::random(&mut *rng)).collect();
    let piece_points = bases.commit_polynomials(&of_pieces, &piece_blinds);
    for point in affine(&piece_points) {
        transcript.write_point(point).map_err(plonk::Error::from)?;
    }

    let x = *transcript.squeeze_challenge_scalar::<()>();
    let xn = x.pow_vartime([rows as u64]);
    let mut quotient = vec![V::splat(machine, &C::ScalarExt::ZERO).pack(); key.domain.vectors()];
    for piece in pieces.iter().rev() {
        scale_add::<C::ScalarExt, V>(machine, &mut quotient, V::splat(machine, &xn), piece);
    }
    let quotient_blind = piece_blinds.iter().rev().fold(C::ScalarExt::ZERO, |sum, blind| sum * xn + blind);

    let random = vectors::<C::ScalarExt, V>(machine, &random);
    let opened = Openings { key, polynomials: &polynomials, random: &random };
    for value in opened.evaluate(x) {
        transcript.write_scalar(value).map_err(plonk::Error::from)?;
    }
    let blinds = Blinds { advice: &blinds, products: &product_blinds, random: random_blind, quotient: quotient_blind };
    opening::open::<C, E, T, V>((bases, &key.domain), &opened.all(&quotient, &blinds), x, transcript, rng, cancel)
}

/// The polynomials of a proof, as they are opened.
struct Openings<'p, F, V: Vector<F>> {
    key: &'p Key<F, V>,
    polynomials: &'p [Polynomials<F, V>],
    random: &'p [V::Packed],
}

/// Blinds of their commitments.
struct Blinds<'p, F> {
    advice: &'p [Vec<F>],
    products: &'p [F],
    random: F,
    quotient: F,
}

impl<'p, F: Scalar, V: Vector<F>> Openings<'p, F, V> {
    /// Rotations at which a product is opened: all but the last one of an instance at the last row in use too.
    fn of_product(&self, product: usize) -> Vec<i32> {
        let end = -(self.key.blinding as i32 + 1);
        if product + 1 < self.key.products() { vec![0, 1, end] } else { vec![0, 1] }
    }

    /// The evaluations that a proof has, in order.
    fn evaluate(&self, x: F) -> Vec<F> {
        let (key, queries) = (self.key, &self.key.queries);
        let mut wanted: Vec<(&[V::Packed], i32)> = vec![];
        for polynomials in self.polynomials {
            wanted.extend(queries.instance.iter().map(|&column| (&polynomials.instance[column][..], 0)));
        }
        for polynomials in self.polynomials {
            wanted.extend(queries.advice.iter().map(|&(column, rotation)| (&polynomials.advice[column][..], rotation)));
        }
        wanted.extend(queries.fixed.iter().map(|&column| (&key.fixed[column][..], 0)));
        wanted.push((self.random, 0));
        wanted.extend(key.sigma.iter().map(|sigma| (&sigma[..], 0)));
        for (number, product) in self.polynomials.iter().flat_map(|p| p.products.iter().enumerate()) {
            wanted.extend(self.of_product(number).into_iter().map(|rotation| (&product[..], rotation)));
        }
        let (domain, machine) = (&self.key.domain, self.key.domain.machine);
        let mut at: BTreeMap<i32, Vec<V::Packed>> = wanted.iter().map(|&(_, rotation)| (rotation, vec![])).collect();
        at.par_iter_mut().for_each(|(rotation, at)| {
            *at = simd::powers::<F, V>(machine, x * domain.rotation(*rotation), domain.vectors());
        });
        let evaluate =
            |(polynomial, rotation): (&[V::Packed], i32)| inner_product::<F, V>(machine, polynomial, &at[&rotation]);
        wanted.into_par_iter().map(evaluate).collect()
    }

    /// All polynomials, in the order in which halo2 opens them first.
    fn all(&self, quotient: &'p [V::Packed], blinds: &Blinds<'_, F>) -> Vec<Opened<'p, F, V::Packed>> {
        let (key, queries) = (self.key, &self.key.queries);
        let opened =
            |coefficients: &'p [V::Packed], blind: F, rotations: Vec<i32>| Opened { coefficients, blind, rotations };
        let mut all = vec![];
        let advice = queries.rotations();
        for (number, polynomials) in self.polynomials.iter().enumerate() {
            let of_instance = queries.instance.iter().map(|&column| &polynomials.instance[column]);
            all.extend(of_instance.map(|column| opened(column, F::ONE, vec![0])));
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
pub(super) fn write_point<C: PastaCurve, E: EncodedChallenge<C>, T: TranscriptWrite<C, E>>(
    transcript: &mut T,
    point: C::CurveExt,
) -> Result<(), ProveError> {
    transcript.write_point(point.to_affine()).map_err(plonk::Error::from)?;
    Ok(())
}
