use super::*;
use pasta_curves::{Fp, Fq};
use proptest::prelude::*;

/// What a processor without IFMA cannot test is said, and tested on others.
fn machine() -> Option<Ifma> {
    let machine = Ifma::detect();
    if machine.is_none() {
        eprintln!("not tested: this processor has no AVX-512 IFMA");
    }
    machine
}

fn element<F: Modulus>() -> impl Strategy<Value = F> {
    let edge = (0..256u64).prop_map(|e| F::from(2).pow_vartime([e]));
    prop_oneof![
        Just(F::ZERO),
        Just(F::ONE),
        Just(-F::ONE),
        Just(-F::from_u128(F::LOW)),
        edge.clone(),
        edge.prop_map(|x| -x),
        any::<[u64; 8]>().prop_map(|w| F::from_uniform_bytes(&std::array::from_fn(|i| w[i / 8].to_le_bytes()[i % 8]))),
    ]
}

fn stored<F: Modulus>(vector: Wide<F>) -> [F; 8] {
    let mut elements = [F::ZERO; 8];
    vector.store(&mut elements);
    for lane in 0..8 {
        let limbs = vector.limbs.map(|limb| cast::<__m512i, [u64; 8]>(limb)[lane]);
        assert!(limbs[..4].iter().all(|limb| *limb <= MASK), "a limb of {limbs:?}");
        assert!(limbs[4] <= 1 << (TOP + 1), "an element of {limbs:?}");
    }
    elements
}

/// Chains of operations, so that what is not quite reduced goes on.
fn check<F: Modulus>(elements: [[F; 8]; 3], operations: &[(u8, u8, u8)]) {
    let Some(machine) = machine() else { return };
    let mut vectors = elements.map(|elements| Wide::load(machine, &elements)).to_vec();
    let mut expected = elements.to_vec();
    for (a, b, operation) in operations {
        let (a, b) = (*a as usize % vectors.len(), *b as usize % vectors.len());
        let (vector, f): (_, fn(F, F) -> F) = match operation % 4 {
            0 => (vectors[a] + vectors[b], |a, b| a + b),
            1 => (vectors[a] - vectors[b], |a, b| a - b),
            _ => (vectors[a] * vectors[b], |a, b| a * b),
        };
        let elements = std::array::from_fn(|lane| f(expected[a][lane], expected[b][lane]));
        assert_eq!(stored(vector), elements);
        vectors.push(vector);
        expected.push(elements);
    }
}

proptest! {
    #[test]
    fn operations_are_those_of_the_field(
        p in prop::array::uniform3(prop::array::uniform8(element::<Fp>())),
        q in prop::array::uniform3(prop::array::uniform8(element::<Fq>())),
        operations in prop::collection::vec(any::<(u8, u8, u8)>(), 1..40),
    ) {
        check(p, &operations);
        check(q, &operations);
    }
}

proptest! {
    #[test]
    fn pairs_are_packed_and_unpacked(
        p in prop::array::uniform3(prop::array::uniform8(element::<Fp>())),
    ) {
        let Some(machine) = machine() else { return Ok(()) };
        let [a, b, c] = p.map(|elements| Wide::load(machine, &elements));
        for (x, y) in [(a, b), (a + b, b - c), (a - a, c - b - c), (a + a + a, a * b)] {
            let pairs = x.pack_pairs(y);
            let [first, second] = Wide::<Fp>::unpack_pairs(machine, &pairs);
            prop_assert_eq!((stored(first), stored(second)), (stored(x), stored(y)));
            // Of one element one pair.
            prop_assert_eq!((x + y - y).pack_pairs(y - x + x), pairs);
            for vector in [x, y] {
                prop_assert_eq!(stored(Wide::<Fp>::unpack(machine, &vector.pack())), stored(vector));
            }
            let (left, right) = (stored(x), stored(y));
            prop_assert_eq!(first.any_equal(second), left.iter().zip(&right).any(|(a, b)| a == b));
        }
    }
}

#[test]
fn elements_change_places() {
    let Some(machine) = machine() else { return };
    let matrix: [[Fp; 8]; 8] = std::array::from_fn(|i| std::array::from_fn(|j| Fp::from((8 * i + j) as u64)));
    let mut rows = matrix.map(|row| Wide::load(machine, &row));
    for by in 0..=8 {
        let expected = std::array::from_fn(|lane| Fp::from((lane + by) as u64));
        assert_eq!(stored(rows[0].shifted(rows[1], by)), expected);
    }
    for (lane, element) in matrix[2].into_iter().enumerate() {
        assert_eq!(stored(rows[2].broadcast(lane)), [element; 8]);
    }
    Wide::transpose(&mut rows);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(stored(*row), matrix.map(|row| row[i]));
    }
    assert_eq!(stored(Wide::load(machine, &matrix[1][..3]))[2..4], [matrix[1][2], Fp::from(0)]);
    assert_eq!(stored(Wide::splat(machine, &-Fp::from(7))), [-Fp::from(7); 8]);
}
