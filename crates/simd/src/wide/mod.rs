//! Eight elements as vectors of limbs of 52 bits, for AVX-512's fused multiplication of such (IFMA).
//!
//! Element x stands as x·2^260 modulo p (Montgomery 1985), in five limbs below 2^52 each, itself below 2^255 + 2^210, a
//! little more than 2p. Of two such x and y the product (x·y + m·p)/2^260 is below 2p without a subtraction (Walter 1999), as
//! x·y is below 2^511 and m below 2^260. A sum or a difference is below that bound again once the multiple of p that its bits
//! from 2^254 on tell of is taken from it.

mod multiples;
mod pairs;
mod transpose;

pub use pairs::Pair;

use crate::modulus::{BITS, LIMBS, MASK, Modulus};
use crate::vector::{Kernel, Vector};
use multiples::Multiples;
use pulp::NullaryFnOnce;
use pulp::bytemuck::cast;
use std::arch::x86_64::__m512i;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Add, Mul, Sub};
use transpose::transposed;

pulp::simd_type! {
    /// Shows that the processor has AVX-512 IFMA: see [`Ifma::detect`].
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

impl Ifma {
    /// If the processor has it. Never in a build with `--cfg gradientcoin_noifma`, which does as one without it.
    pub fn detect() -> Option<Self> {
        if cfg!(gradientcoin_noifma) { None } else { Self::try_new() }
    }

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
mod tests;
