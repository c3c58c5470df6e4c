//! Eight elements as vectors of limbs of 52 bits, for AVX-512's fused multiplication of such (IFMA).
//!
//! Element x stands as x·2^260 modulo p (Montgomery 1985), in five limbs below 2^52 each, itself below [`BOUND`], a little more
//! than 2p: a product is below 2p again without a subtraction (Walter 1999), and a sum or a difference once the multiple of p
//! that its highest limb tells of is taken from it.

use crate::modulus::{BITS, LIMBS, MASK, Modulus, multiple, negated_inverse};
use crate::vector::{Kernel, Vector};
use pulp::NullaryFnOnce;
use pulp::bytemuck::cast;
use std::arch::x86_64::__m512i;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Add, Mul, Sub};

pulp::simd_type! {
    /// Shows that the processor has AVX-512 IFMA.
    pub struct Ifma {
        pub(crate) sse: "sse",
        pub(crate) avx: "avx",
        pub(crate) avx2: "avx2",
        pub(crate) f: "avx512f",
        pub(crate) dq: "avx512dq",
        pub(crate) ifma: "avx512ifma",
    }
}

/// Eight elements of a field.
#[derive(Clone, Copy)]
pub struct Wide<F> {
    limbs: [__m512i; LIMBS],
    machine: Ifma,
    field: PhantomData<F>,
}

const FIRST_LANES: [u64; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

/// Bits of the highest limb below 2^254.
const TOP: u32 = 254 - 4 * BITS;

/// What is taken from a sum or a difference, by its bits from 2^254 on.
struct Multiples<F>(PhantomData<F>);

impl<F: Modulus> Multiples<F> {
    /// For a sum: of x in [q·2^254, (q + 1)·2^254) nothing less than 0 remains if (q − 1)·p is taken.
    const OF_SUM: [[u64; 8]; LIMBS] = Self::multiples(0);
    /// For a difference, to which 3p is added.
    const OF_DIFFERENCE: [[u64; 8]; LIMBS] = Self::multiples(3);

    const P: [u64; LIMBS] = multiple(F::LOW, 1);
    const P3: [u64; LIMBS] = multiple(F::LOW, 3);
    const INVERSE: u64 = negated_inverse(F::LOW);

    /// (q − 1 − less)·p for q = 1, …, and what there is for 1 for 0.
    const fn multiples(less: u64) -> [[u64; 8]; LIMBS] {
        let mut all = [[0; 8]; LIMBS];
        let mut q = 0;
        while q < 8 {
            let factor = if q == 0 { 0 } else { q as u64 - 1 };
            let (plus, minus) = (multiple(F::LOW, factor), multiple(F::LOW, less));
            let mut limb = 0;
            while limb < LIMBS {
                all[limb][q] = plus[limb].wrapping_sub(minus[limb]);
                limb += 1;
            }
            q += 1;
        }
        all
    }

    /// 2^520 modulo p, by which an element is multiplied to stand as it does here; and 1, which undoes that.
    const SQUARE: [u64; LIMBS] = Self::power_of_two(520);

    /// 2^e modulo p, by doubling.
    const fn power_of_two(e: u32) -> [u64; LIMBS] {
        let mut x = [1, 0, 0, 0, 0];
        let mut i = 0;
        while i < e {
            let (mut doubled, mut carry, mut limb) = ([0; LIMBS], 0, 0);
            while limb < LIMBS {
                let sum = 2 * x[limb] + carry;
                (doubled[limb], carry) = (sum & MASK, sum >> BITS);
                limb += 1;
            }
            // x < p: 2x − p, if that is not negative.
            let (mut reduced, mut borrow, mut limb) = ([0; LIMBS], 0i64, 0);
            while limb < LIMBS {
                let difference = doubled[limb] as i64 - Self::P[limb] as i64 + borrow;
                (reduced[limb], borrow) = ((difference as u64) & MASK, difference >> BITS);
                limb += 1;
            }
            x = if borrow < 0 { doubled } else { reduced };
            i += 1;
        }
        x
    }
}

impl Ifma {
    /// Computes with vectors.
    #[inline(always)]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        self.vectorize(Call(kernel))
    }

    #[inline(always)]
    fn set(self, x: u64) -> __m512i {
        self.f._mm512_set1_epi64(x as i64)
    }

    #[inline(always)]
    fn set_all(self, limbs: &[u64; LIMBS]) -> [__m512i; LIMBS] {
        let mut all = [self.set(0); LIMBS];
        for (all, limb) in all.iter_mut().zip(limbs) {
            *all = self.set(*limb);
        }
        all
    }

    #[inline(always)]
    fn low(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        self.ifma._mm512_madd52lo_epu64(sum, a, b)
    }

    #[inline(always)]
    fn high(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        self.ifma._mm512_madd52hi_epu64(sum, a, b)
    }

    #[inline(always)]
    fn add(self, a: __m512i, b: __m512i) -> __m512i {
        self.f._mm512_add_epi64(a, b)
    }

    #[inline(always)]
    fn sub(self, a: __m512i, b: __m512i) -> __m512i {
        self.f._mm512_sub_epi64(a, b)
    }

    /// Carries what limbs, as signed numbers, have beyond 52 bits.
    #[inline(always)]
    fn carried(self, mut limbs: [__m512i; LIMBS]) -> [__m512i; LIMBS] {
        let mask = self.set(MASK);
        for i in 0..LIMBS - 1 {
            let carry = self.f._mm512_srai_epi64::<BITS>(limbs[i]);
            limbs[i] = self.f._mm512_and_si512(limbs[i], mask);
            limbs[i + 1] = self.add(limbs[i + 1], carry);
        }
        limbs
    }
}

impl<F: Modulus> Wide<F> {
    #[inline(always)]
    fn new(machine: Ifma, limbs: [__m512i; LIMBS]) -> Self {
        Wide { limbs, machine, field: PhantomData }
    }

    /// Takes a multiple of p, by the bits from 2^254 on, and carries. Carries that are still to come change the outcome by less
    /// than 2^210.
    #[inline(always)]
    fn reduced(machine: Ifma, limbs: [__m512i; LIMBS], table: &[[u64; 8]; LIMBS], top: __m512i) -> Self {
        let q = machine.f._mm512_srli_epi64::<TOP>(top);
        let mut reduced = limbs;
        for (limb, of_limb) in reduced.iter_mut().zip(table) {
            *limb = machine.sub(*limb, machine.f._mm512_permutexvar_epi64(q, cast(*of_limb)));
        }
        Self::new(machine, machine.carried(reduced))
    }

    /// a·b/2^260.
    #[inline(always)]
    fn product(machine: Ifma, a: &[__m512i; LIMBS], b: &[__m512i; LIMBS]) -> Self {
        let zero = machine.set(0);
        let p = machine.set_all(&Multiples::<F>::P);
        let inverse = machine.set(Multiples::<F>::INVERSE);
        let mut t = [zero; LIMBS];
        for b in b {
            for (t, a) in t.iter_mut().zip(a) {
                *t = machine.low(*t, *a, *b);
            }
            let m = machine.low(zero, t[0], inverse);
            // The fourth limb of p is zero.
            for i in [0, 1, 2, 4] {
                t[i] = machine.low(t[i], m, p[i]);
            }
            // The lowest limb's bits are zero by now: what it carries, and one limb down.
            let carry = machine.f._mm512_srli_epi64::<BITS>(t[0]);
            t = [machine.add(t[1], carry), t[2], t[3], t[4], zero];
            for (t, a) in t.iter_mut().zip(a) {
                *t = machine.high(*t, *a, *b);
            }
            for i in [0, 1, 2, 4] {
                t[i] = machine.high(t[i], m, p[i]);
            }
        }
        Self::new(machine, machine.carried(t))
    }
}

/// Pairs of elements, such as points by their coordinates, each in four words: of the first element the lower four. They are
/// elements as they stand here, below p.
pub type Pair = [u64; 8];

impl<F: Modulus> Wide<F> {
    /// The first and the second elements of eight pairs.
    #[inline(always)]
    pub fn unpack_pairs(machine: Ifma, pairs: &[Pair; 8]) -> [Self; 2] {
        let mut rows = [machine.set(0); 8];
        for (row, pair) in rows.iter_mut().zip(pairs) {
            *row = cast(*pair);
        }
        let columns = transposed(machine, &rows);
        [Self::from_words(machine, &columns[..4]), Self::from_words(machine, &columns[4..])]
    }

    /// Of elements in four words.
    #[inline(always)]
    fn from_words(machine: Ifma, words: &[__m512i]) -> Self {
        let (f, mask) = (machine.f, machine.set(MASK));
        let limbs = [
            words[0],
            f._mm512_or_si512(f._mm512_srli_epi64::<52>(words[0]), f._mm512_slli_epi64::<12>(words[1])),
            f._mm512_or_si512(f._mm512_srli_epi64::<40>(words[1]), f._mm512_slli_epi64::<24>(words[2])),
            f._mm512_or_si512(f._mm512_srli_epi64::<28>(words[2]), f._mm512_slli_epi64::<36>(words[3])),
            f._mm512_srli_epi64::<16>(words[3]),
        ];
        let mut masked = limbs;
        for limb in &mut masked {
            *limb = f._mm512_and_si512(*limb, mask);
        }
        Self::new(machine, masked)
    }

    /// Pairs of these elements, the first of each from `self`.
    #[inline(always)]
    pub fn pack_pairs(self, second: Self) -> [Pair; 8] {
        let machine = self.machine;
        let (a, b) = (self.canonical().words(), second.canonical().words());
        let columns = [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]];
        let mut pairs = [[0; 8]; 8];
        for (pair, row) in pairs.iter_mut().zip(transposed(machine, &columns)) {
            *pair = cast(row);
        }
        pairs
    }

    /// Whether any two elements at the same place, both unpacked, are equal.
    #[inline(always)]
    pub fn any_equal(self, other: Self) -> bool {
        let mut equal = u8::MAX;
        for (a, b) in self.limbs.iter().zip(other.limbs) {
            equal &= self.machine.f._mm512_cmpeq_epi64_mask(*a, b);
        }
        equal != 0
    }

    /// The same elements, below p.
    #[inline(always)]
    fn canonical(self) -> Self {
        let machine = self.machine;
        let mut less = self.limbs;
        // Below 2p and a little more: twice, as what is left after once is no more than that little above p.
        let mut limbs = self.limbs;
        for _ in 0..2 {
            for (less, p) in less.iter_mut().zip(machine.set_all(&Multiples::<F>::P)) {
                *less = machine.sub(*less, p);
            }
            less = machine.carried(less);
            let negative = machine.f._mm512_cmplt_epi64_mask(less[LIMBS - 1], machine.set(0));
            for (limb, less) in limbs.iter_mut().zip(&mut less) {
                *limb = machine.f._mm512_mask_blend_epi64(negative, *less, *limb);
                *less = *limb;
            }
        }
        Self::new(machine, limbs)
    }

    /// Elements below 2^256 in four words.
    #[inline(always)]
    fn words(self) -> [__m512i; 4] {
        let (f, [l0, l1, l2, l3, l4]) = (self.machine.f, self.limbs);
        [
            f._mm512_or_si512(l0, f._mm512_slli_epi64::<52>(l1)),
            f._mm512_or_si512(f._mm512_srli_epi64::<12>(l1), f._mm512_slli_epi64::<40>(l2)),
            f._mm512_or_si512(f._mm512_srli_epi64::<24>(l2), f._mm512_slli_epi64::<28>(l3)),
            f._mm512_or_si512(f._mm512_srli_epi64::<36>(l3), f._mm512_slli_epi64::<16>(l4)),
        ]
    }
}

impl<F: Modulus> Add for Wide<F> {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let machine = self.machine;
        let mut sum = self.limbs;
        for (sum, limb) in sum.iter_mut().zip(other.limbs) {
            *sum = machine.add(*sum, limb);
        }
        let [.., top] = sum;
        Self::reduced(machine, sum, &Multiples::<F>::OF_SUM, top)
    }
}

impl<F: Modulus> Sub for Wide<F> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        let machine = self.machine;
        let mut difference = self.limbs;
        for (difference, limb) in difference.iter_mut().zip(other.limbs) {
            *difference = machine.sub(*difference, limb);
        }
        let top = machine.add(difference[LIMBS - 1], machine.set(Multiples::<F>::P3[LIMBS - 1]));
        Self::reduced(machine, difference, &Multiples::<F>::OF_DIFFERENCE, top)
    }
}

impl<F: Modulus> Mul for Wide<F> {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self::product(self.machine, &self.limbs, &other.limbs)
    }
}

impl<F: Modulus> Vector<F> for Wide<F> {
    const LOG_LANES: u32 = 3;
    type Machine = Ifma;
    type Packed = [__m512i; 4];

    #[inline(always)]
    fn run<K: Kernel>(machine: Ifma, kernel: K) -> K::Output {
        machine.run(kernel)
    }

    #[inline(always)]
    fn splat(machine: Ifma, element: &F) -> Self {
        Self::load(machine, &[*element; 8])
    }

    #[inline(always)]
    fn load(machine: Ifma, elements: &[F]) -> Self {
        assert!(elements.len() <= Self::LANES, "a vector of {} elements", Self::LANES);
        let mut limbs = [[0; 8]; LIMBS];
        for (lane, element) in elements.iter().enumerate() {
            let words = words(&element.to_repr());
            let of_element = [
                words[0] & MASK,
                (words[0] >> 52 | words[1] << 12) & MASK,
                (words[1] >> 40 | words[2] << 24) & MASK,
                (words[2] >> 28 | words[3] << 36) & MASK,
                words[3] >> 16,
            ];
            for (limb, of_limb) in of_element.into_iter().zip(&mut limbs) {
                of_limb[lane] = limb;
            }
        }
        let mut loaded = [machine.set(0); LIMBS];
        for (loaded, limb) in loaded.iter_mut().zip(limbs) {
            *loaded = cast(limb);
        }
        Self::product(machine, &loaded, &machine.set_all(&Multiples::<F>::SQUARE))
    }

    #[inline(always)]
    fn store(self, elements: &mut [F]) {
        let one = self.machine.set_all(&[1, 0, 0, 0, 0]);
        // At most p, and that only for 0.
        let product = Self::product(self.machine, &self.limbs, &one);
        let mut all = [[0u64; 8]; LIMBS];
        for (all, limb) in all.iter_mut().zip(product.limbs) {
            *all = cast(limb);
        }
        for (lane, element) in elements.iter_mut().enumerate().take(Self::LANES) {
            let limbs = [all[0][lane], all[1][lane], all[2][lane], all[3][lane], all[4][lane]];
            let words = [
                limbs[0] | limbs[1] << 52,
                limbs[1] >> 12 | limbs[2] << 40,
                limbs[2] >> 24 | limbs[3] << 28,
                limbs[3] >> 36 | limbs[4] << 16,
            ];
            *element = F::from_repr(bytes(&words)).into_option().unwrap_or(F::ZERO);
        }
    }

    #[inline(always)]
    fn pack(self) -> [__m512i; 4] {
        self.words()
    }

    #[inline(always)]
    fn unpack(machine: Ifma, packed: &[__m512i; 4]) -> Self {
        Self::from_words(machine, packed)
    }

    #[inline(always)]
    fn broadcast(self, lane: usize) -> Self {
        let machine = self.machine;
        let (lane, mut limbs) = (machine.set(lane as u64), self.limbs);
        for limb in &mut limbs {
            *limb = machine.f._mm512_permutexvar_epi64(lane, *limb);
        }
        Self::new(machine, limbs)
    }

    #[inline(always)]
    fn shifted(self, next: Self, by: usize) -> Self {
        let machine = self.machine;
        let lanes = machine.add(cast(FIRST_LANES), machine.set(by as u64));
        let mut limbs = self.limbs;
        for (limb, next) in limbs.iter_mut().zip(next.limbs) {
            *limb = machine.f._mm512_permutex2var_epi64(*limb, lanes, next);
        }
        Self::new(machine, limbs)
    }

    #[inline(always)]
    fn transpose(rows: &mut [Self]) {
        let machine = rows[0].machine;
        for limb in 0..LIMBS {
            let mut square = [machine.set(0); 8];
            for (of_row, row) in square.iter_mut().zip(&*rows) {
                *of_row = row.limbs[limb];
            }
            for (row, of_row) in rows.iter_mut().zip(transposed(machine, &square)) {
                row.limbs[limb] = of_row;
            }
        }
    }
}

/// A kernel, as what it runs in calls it.
struct Call<K>(K);

impl<K: Kernel> NullaryFnOnce for Call<K> {
    type Output = K::Output;

    #[inline(always)]
    fn call(self) -> K::Output {
        self.0.run()
    }
}

/// Exchanges rows and columns: pairs, then pairs of pairs, then halves.
#[inline(always)]
fn transposed(machine: Ifma, rows: &[__m512i; 8]) -> [__m512i; 8] {
    let f = machine.f;
    let (first, second) = (cast([0u64, 1, 8, 9, 4, 5, 12, 13]), cast([2u64, 3, 10, 11, 6, 7, 14, 15]));
    let mut columns = [machine.set(0); 8];
    // Of four rows each: of their columns c and c + 4.
    let mut halves = [[machine.set(0); 4]; 2];
    for (half, rows) in halves.iter_mut().zip(rows.as_chunks::<4>().0) {
        let even = [f._mm512_unpacklo_epi64(rows[0], rows[1]), f._mm512_unpacklo_epi64(rows[2], rows[3])];
        let odd = [f._mm512_unpackhi_epi64(rows[0], rows[1]), f._mm512_unpackhi_epi64(rows[2], rows[3])];
        *half = [
            f._mm512_permutex2var_epi64(even[0], first, even[1]),
            f._mm512_permutex2var_epi64(odd[0], first, odd[1]),
            f._mm512_permutex2var_epi64(even[0], second, even[1]),
            f._mm512_permutex2var_epi64(odd[0], second, odd[1]),
        ];
    }
    for c in 0..4 {
        columns[c] = f._mm512_shuffle_i64x2::<0b01_00_01_00>(halves[0][c], halves[1][c]);
        columns[c + 4] = f._mm512_shuffle_i64x2::<0b11_10_11_10>(halves[0][c], halves[1][c]);
    }
    columns
}

#[inline(always)]
fn words(bytes: &[u8; 32]) -> [u64; 4] {
    let mut words = cast::<[u8; 32], [u64; 4]>(*bytes);
    for word in &mut words {
        *word = u64::from_le(*word);
    }
    words
}

#[inline(always)]
fn bytes(words: &[u64; 4]) -> [u8; 32] {
    let mut bytes = *words;
    for word in &mut bytes {
        *word = word.to_le();
    }
    cast(bytes)
}

impl<F: Modulus> fmt::Debug for Wide<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut elements = [F::ZERO; 8];
        self.store(&mut elements);
        f.debug_tuple("Wide").field(&elements).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pasta_curves::{Fp, Fq};
    use proptest::prelude::*;

    /// What a processor without IFMA cannot test is said, and tested on others.
    fn machine() -> Option<Ifma> {
        let machine = Ifma::try_new();
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
            any::<[u64; 8]>()
                .prop_map(|w| F::from_uniform_bytes(&std::array::from_fn(|i| w[i / 8].to_le_bytes()[i % 8]))),
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
        for lane in 0..8 {
            assert_eq!(stored(rows[2].broadcast(lane)), [matrix[2][lane]; 8]);
        }
        Wide::transpose(&mut rows);
        for (i, row) in rows.iter().enumerate() {
            assert_eq!(stored(*row), matrix.map(|row| row[i]));
        }
        assert_eq!(stored(Wide::load(machine, &matrix[1][..3]))[2..4], [matrix[1][2], Fp::from(0)]);
        assert_eq!(stored(Wide::splat(machine, &-Fp::from(7))), [-Fp::from(7); 8]);
    }
}
