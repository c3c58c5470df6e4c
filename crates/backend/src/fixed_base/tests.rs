use super::*;
use ff::{Field, PrimeField};
use group::{Curve, CurveAffine as _};
use halo2_proofs::arithmetic::best_multiexp;
use pasta_curves::arithmetic::CurveExt;
use pasta_curves::{EpAffine, Eq, EqAffine, Fp};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use simd::One;

fn bases<C: PastaCurve>(n: usize) -> Vec<C> {
    let hasher = C::CurveExt::hash_to_curve("bases of a test");
    (0..n).map(|i| hasher(&i.to_le_bytes()).to_affine()).collect()
}

/// The same by points in every form that this processor adds up.
fn product<C: PastaCurve>(bases: &[C], c: u32, scalars: &[C::ScalarExt]) -> C::CurveExt {
    let product = product_of::<C, Affine<C::Base>>(One, bases, c, scalars);
    #[cfg(target_arch = "x86_64")]
    if let Some(machine) = simd::Ifma::detect() {
        assert_eq!(product_of::<C, Packed<C::Base>>(machine, bases, c, scalars), product);
    }
    product
}

fn product_of<C: PastaCurve, P: Form<C>>(
    machine: P::Machine,
    bases: &[C],
    c: u32,
    scalars: &[C::ScalarExt],
) -> C::CurveExt {
    let fixed = FixedBases::<C, P>::new(machine, bases, c);
    let terms: Vec<(usize, C::ScalarExt)> = scalars.iter().copied().enumerate().collect();
    let all = fixed.multiply_in_parts(&terms, 3);
    assert_eq!(fixed.multiply(scalars.iter().enumerate(), &mut Scratch::default()), all);
    all
}

fn agrees<C: PastaCurve>(bases: &[C], c: u32, scalars: &[C::ScalarExt]) {
    assert_eq!(product(bases, c, scalars), best_multiexp(scalars, bases), "window {c}");
}

/// Scalars at the edges of windows, of the field and of its halves, and any.
fn scalars(n: usize) -> impl Strategy<Value = Vec<Fp>> {
    let edge = (0..255u64).prop_map(|e| Fp::from(2).pow_vartime([e]));
    let scalar = prop_oneof![
        Just(Fp::ZERO),
        Just(Fp::ONE),
        Just(-Fp::ONE),
        Just(Fp::TWO_INV),
        Just(-Fp::TWO_INV),
        edge.clone(),
        edge.clone().prop_map(|x| -x),
        edge.prop_map(|x| x - Fp::ONE),
        any::<u16>().prop_map(|x| Fp::from(u64::from(x))),
        any::<[u64; 4]>().prop_map(|w| w.iter().fold(Fp::ZERO, |x, &w| x.square() + Fp::from(w))),
    ];
    prop::collection::vec(scalar, n)
}

proptest! {
    #[test]
    fn products_are_those_of_halo2(scalars in scalars(40), c in 2..=16u32) {
        agrees(&bases::<EqAffine>(40), c, &scalars);
    }

    /// Equal and opposite points meet in one bucket, in every round of its sum.
    #[test]
    fn equal_and_opposite_points_meet(scalars in scalars(24), signs in prop::collection::vec(any::<bool>(), 24)) {
        let few = bases::<EqAffine>(2);
        let bases: Vec<EqAffine> =
            signs.iter().enumerate().map(|(i, &sign)| if sign { few[i % 2] } else { -few[i % 2] }).collect();
        agrees(&bases, 5, &scalars);
        agrees(&bases, 5, &[scalars[0]; 24]);
    }
}

#[test]
fn sums_vanish() {
    let bases = bases::<EqAffine>(3);
    let opposite = [bases[0], -bases[0], bases[1], -bases[1]];
    for scalar in [Fp::ONE, Fp::from(4095), -Fp::from(77), Fp::TWO_INV, Fp::ROOT_OF_UNITY] {
        assert!(bool::from(product(&opposite, 13, &[scalar; 4]).is_identity()));
        assert!(bool::from(product(&bases[..1], 13, &[Fp::ZERO]).is_identity()));
        // 2 · scalar + (−2 · scalar): the doubled point vanishes in the second round.
        agrees(&[bases[2], bases[2], -bases[2], -bases[2]], 6, &[scalar; 4]);
        agrees(&[bases[2], bases[2], -bases[2]], 6, &[scalar; 3]);
    }
    assert!(bool::from(product::<EqAffine>(&[], 6, &[]).is_identity()));
}

#[test]
fn many_terms_fill_blocks_and_both_curves_serve() {
    fn check<C: PastaCurve>() {
        let (mut rng, bases) = (ChaCha20Rng::seed_from_u64(3), bases::<C>(700));
        let scalars: Vec<C::ScalarExt> = (0..700).map(|_| C::ScalarExt::random(&mut rng)).collect();
        for c in [6, 13] {
            agrees(&bases, c, &scalars);
            // All in one bucket, and in one of each window.
            agrees(&bases, c, &[C::ScalarExt::ONE; 700]);
            agrees(&bases, c, &[scalars[0]; 700]);
        }
    }
    check::<EqAffine>();
    check::<EpAffine>();
}

#[test]
#[should_panic(expected = "no base 2")]
fn there_is_no_such_base() {
    let fixed = FixedBases::<EqAffine, Affine<_>>::new(One, &bases::<EqAffine>(2), 8);
    fixed.multiply([(2, &Fp::ONE)], &mut Scratch::default());
}

#[test]
#[should_panic(expected = "no base is the point at infinity")]
fn a_base_at_infinity_is_refused() {
    FixedBases::<EqAffine, Affine<_>>::new(One, &[EqAffine::identity()], 8);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn folded_bases_are_sums(factors in prop::sample::select(vec![1, 2, 4, 8]).prop_flat_map(scalars), c in 2..=14u32) {
        // Equal and opposite ones among them, and one more that is not folded.
        let few = bases::<EqAffine>(7);
        let bases: Vec<EqAffine> = (0..41).map(|i| if i % 3 == 0 { -few[i % 7] } else { few[i % 7] }).collect();
        let len = 40 / factors.len();
        let folded = FixedBases::<EqAffine, Affine<_>>::new(One, &bases, c).fold(40, &factors);
        #[cfg(target_arch = "x86_64")]
        if let Some(machine) = simd::Ifma::detect() {
            let wide = FixedBases::<EqAffine, Packed<_>>::new(machine, &bases, c).fold(40, &factors);
            prop_assert_eq!(&wide, &folded);
        }
        prop_assert_eq!(folded.len(), len);
        for (i, folded) in folded.iter().enumerate() {
            let of_base: Vec<EqAffine> = (0..factors.len()).map(|t| bases[i + t * len]).collect();
            let expected = of_base.iter().zip(&factors).fold(Eq::identity(), |sum, (base, factor)| sum + *base * *factor);
            prop_assert_eq!(folded.to_curve(), expected);
        }
    }
}

/// Points are the same after they have been in another form, and so are their negatives.
#[test]
#[cfg(target_arch = "x86_64")]
fn points_are_packed_and_unpacked() {
    fn check<C: PastaCurve>() {
        let Some(machine) = simd::Ifma::detect() else {
            eprintln!("not tested: this processor has no AVX-512 IFMA");
            return;
        };
        for count in [1, 7, 8, 21] {
            let points = bases::<C>(count);
            let packed = <Packed<C::Base> as Form<C>>::load(machine, &points);
            let unpacked = |of: &[Packed<C::Base>]| -> Vec<C> { Packed::points(machine, of) };
            assert_eq!(unpacked(&packed), points);
            let negated: Vec<Packed<C::Base>> = packed.iter().map(|point| Form::<C>::signed(point, true)).collect();
            let opposite: Vec<C> = points.iter().map(|point| -*point).collect();
            assert_eq!(unpacked(&negated), opposite);
        }
    }
    check::<EqAffine>();
    check::<EpAffine>();
}
