//! The tables of the non-linear functions, made by integer arithmetic alone and hence the same on every platform.
//!
//! The elementary functions work in fixed point with 60 frac bits; an entry needs at most 24, so that an entry is
//! correctly rounded unless the true value lies within about 2^-20 of a tie. A test keeps every shipped entry away
//! from that.

mod elementary;

use elementary::{ONE, cos_sin, divided, exp_neg, ln, ln_ratio, ln2, quotient, round_scaled, turns};

use crate::arithmetic::decimal::Decimal;
use crate::model::rope_scaling::frac60;
use crate::model::{Config, RopeScaling};

/// Entries of `EXP_LO`.
pub const EXP_LO_ROWS: usize = 512;
/// `out_scale` of attention.
pub const ATTENTION_SCALE: i64 = (1 << 12) - 1;
/// `out_scale` of the head.
pub const HEAD_SCALE: i64 = (1 << 24) - 1;

/// Most elements of a row whose sum of exponentials stays below 2^35, and twice that within three limbs.
const SHORT_ROW: usize = 256;

/// The exponential of a softmax: `exp(−t / (2^12·√s)) ≈ hi[t >> 9] · lo[t & 511] / ((2^B − 1)·(2^L − 1))`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpTable {
    /// `EXP_LO`, 512 entries of L bits.
    pub lo: Vec<i64>,
    /// `EXP_HI`, a power of two of entries of B bits; the last is 0.
    pub hi: Vec<i64>,
    /// `L`, 9 to 12.
    pub low_bits: u32,
    /// `B`, 18 to 24.
    pub high_bits: u32,
    /// Sums of `live` exponentials stay below 2 to this: 35, or 47 in rows of more than 256 elements.
    pub sum_bits: u32,
    /// The probability that stands for 1.
    pub out_scale: i64,
}

impl ExpTable {
    /// `square` is s, the square of the temperature √s; `live` the most elements of a row, 1 to 2^16.
    pub fn new(square: usize, live: usize, out_scale: i64) -> Self {
        let row_bits = live.next_power_of_two().ilog2();
        let (sum_bits, high_bits, low_bits) = if live <= SHORT_ROW {
            (35, 18, (17 - row_bits).min(12))
        } else {
            // One limb more. What falls below EXP_HI is missing from the sum, up to 2^-(B+1) for each of many elements: B
            // goes first, up to the width of a probability, but for 9 bits of L.
            let bits = 47 - row_bits;
            let high_bits = (bits - 9).min(24);
            (47, high_bits, (bits - high_bits).min(12))
        };
        // 2^60 / √s.
        let inverse = ((1u128 << 120) / square as u128).isqrt() as i128;
        let lo =
            (0..EXP_LO_ROWS as i128).map(|i| round_scaled(exp_neg((i * inverse) >> 12), (1 << low_bits) - 1)).collect();
        let entry = |i: usize| round_scaled(exp_neg((i as i128 * inverse) >> 3), (1 << high_bits) - 1);
        let mut rows = 64;
        while entry(rows - 1) != 0 {
            rows *= 2;
        }
        let hi = (0..rows).map(entry).collect();
        Self { lo, hi, low_bits, high_bits, sum_bits, out_scale }
    }

    /// `t` of a distance `D ≥ 0` (frac 24) to the maximum.
    #[inline]
    pub fn index(&self, distance: i128) -> usize {
        let last = self.hi.len() * EXP_LO_ROWS - 1;
        (distance >> 12).min(last as i128) as usize
    }
}

/// What [`SigmoidTable::look_up`] finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sigmoid {
    /// Table row, 10 bits.
    pub idx: usize,
    /// Place within the row, 8 bits.
    pub f: i64,
    /// Interpolated value, frac 24.
    pub sigma: i64,
    /// The sigmoid, frac 12, at most 4095.
    pub sig: i64,
}

/// The sigmoid in 1024 chords over ±32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigmoidTable {
    /// `SIG0`, 1025 entries, frac 24.
    pub value: Vec<i64>,
    /// `SIG1`, 1024 entries: slope per unit of `f`, not negative.
    pub slope: Vec<i64>,
}

impl SigmoidTable {
    fn new() -> Self {
        let value: Vec<i64> = (0..=1024i128)
            .map(|i| {
                // x = (i·2^8 − 2^17) / 2^12 is a multiple of 1/16.
                let x = (i - 512) * (ONE >> 4);
                let e = exp_neg(x.abs());
                let sigma = if x < 0 { e } else { ONE } * ONE / (ONE + e);
                round_scaled(sigma, 1 << 24).min((4095 << 12) - 1)
            })
            .collect();
        let slope = value.windows(2).map(|w| (w[1] - w[0]) >> 8).collect();
        Self { value, slope }
    }

    /// The sigmoid of a gate `z` of 18 bits, frac 12.
    #[inline]
    pub fn look_up(&self, z: i64) -> Sigmoid {
        let place = z + (1 << 17);
        let (idx, f) = ((place >> 8) as usize, place & 255);
        let sigma = self.value[idx] + self.slope[idx] * f;
        Sigmoid { idx, f, sigma, sig: (sigma + (1 << 11)) >> 12 }
    }
}

/// The logarithm of the head's sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTable {
    /// `LN0[i] = 2^24·ln(1 + i/1024)`, 1024 entries.
    pub ln0: Vec<i64>,
    /// `LN1[i] = LN0[i+1] − LN0[i]`, 1024 entries.
    pub ln1: Vec<i64>,
    /// `LNPOW[b] = 2^24·(b·ln 2 − ln((2^B − 1)·(2^L − 1)))`, as many entries as a sum of the head has bits.
    pub lnpow: Vec<i64>,
}

impl LogTable {
    /// `exp` is the head's table: its value of 1 is taken off.
    fn new(exp: &ExpTable) -> Self {
        let all: Vec<i64> = (0..=1024).map(|i| round_scaled(ln_ratio(1024 + i, 1024), 1 << 24)).collect();
        let unit = ln((exp.hi[0] * exp.lo[0]) as u64);
        let lnpow = (0..i128::from(exp.sum_bits)).map(|b| round_scaled(b * ln2() - unit, 1 << 24)).collect();
        let ln1 = all.windows(2).map(|w| w[1] - w[0]).collect();
        Self { ln0: all[..1024].to_vec(), ln1, lnpow }
    }

    /// To what a sum is shifted up, its highest bit: 34, or 46.
    pub fn top(&self) -> u32 {
        self.lnpow.len() as u32 - 1
    }

    /// Bits of a mantissa below its upper 10, whole limbs.
    pub fn fraction_bits(&self) -> u32 {
        self.top() - 10
    }
}

/// `cos` and `sin` of `t·f_i`, frac 12, `f_i` being `theta^(−2i/hd)` or what [`RopeScaling`] makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RopeTable {
    /// Pairs of a head: `hd/2`.
    pub pairs: usize,
    /// `[T × pairs]`, row by row; at most 4096 in absolute value.
    pub cos: Vec<i64>,
    /// The same of the sine.
    pub sin: Vec<i64>,
}

impl RopeTable {
    /// `theta = digits·10^exponent ≥ 1`; `scaling` satisfies [`RopeScaling::check`].
    pub fn new(context: usize, head_dim: usize, theta: &Decimal, scaling: &RopeScaling) -> Self {
        let pairs = head_dim / 2;
        let ln_theta = ln(theta.digits()) + i128::from(theta.exponent()) * ln(10);
        let plain = (0..pairs as i128).map(|i| exp_neg(2 * i * ln_theta / head_dim as i128));
        let frequencies: Vec<i128> = plain.map(|frequency| scaled(frequency, scaling)).collect();
        let (mut cos, mut sin) = (Vec::new(), Vec::new());
        for t in 0..context as i128 {
            for &frequency in &frequencies {
                let (c, s) = cos_sin(t * frequency);
                cos.push(round_scaled(c, 1 << 12));
                sin.push(round_scaled(s, 1 << 12));
            }
        }
        Self { pairs, cos, sin }
    }

    /// `(cos, sin)` of pair `i` at position `t`.
    #[inline]
    pub fn at(&self, t: usize, i: usize) -> (i64, i64) {
        (self.cos[t * self.pairs + i], self.sin[t * self.pairs + i])
    }
}

/// A frequency of at most 1, frac 60, scaled. Either rule of `llama3` meets the interpolation where it begins, so that it
/// does not matter on which side of a bound a rounded frequency falls.
fn scaled(frequency: i128, scaling: &RopeScaling) -> i128 {
    match scaling {
        RopeScaling::None => frequency,
        RopeScaling::Linear { factor } => divided(frequency, frac60(factor)),
        RopeScaling::Llama3 { factor, low, high, original } => {
            let (low, high, turns) = (frac60(low), frac60(high), turns(frequency, *original));
            let slow = divided(frequency, frac60(factor));
            if turns <= low {
                slow
            } else if turns >= high {
                frequency
            } else {
                slow + elementary::mul(frequency - slow, quotient(turns - low, high - low))
            }
        }
    }
}

/// Every table of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    /// Attention's exponential.
    pub attention: ExpTable,
    /// The head's exponential.
    pub head: ExpTable,
    /// The gate's sigmoid.
    pub sigmoid: SigmoidTable,
    /// The loss's logarithm.
    pub log: LogTable,
    /// Rotary angles.
    pub rope: RopeTable,
    /// `κ = round(2^12/√hd)`.
    pub kappa: i64,
}

impl Tables {
    /// The tables of a model.
    pub fn new(config: &Config) -> Self {
        let head = ExpTable::new(1, config.vocab, HEAD_SCALE);
        Self {
            attention: ExpTable::new(config.head_dim(), config.context, ATTENTION_SCALE),
            log: LogTable::new(&head),
            head,
            sigmoid: SigmoidTable::new(),
            rope: RopeTable::new(config.context, config.head_dim(), &config.rope_theta, &config.rope_scaling),
            kappa: kappa(config.head_dim()),
        }
    }

    /// Blake2b of every entry, in the order of the fields.
    pub fn digest(&self) -> [u8; 32] {
        let mut state = blake2b_simd::Params::new().hash_length(32).personal(b"gradcoin-tables").to_state();
        let lists = [
            &self.attention.lo,
            &self.attention.hi,
            &self.head.lo,
            &self.head.hi,
            &self.sigmoid.value,
            &self.sigmoid.slope,
            &self.log.ln0,
            &self.log.ln1,
            &self.log.lnpow,
            &self.rope.cos,
            &self.rope.sin,
            &vec![self.kappa],
        ];
        for list in lists {
            state.update(&(list.len() as u64).to_le_bytes());
            for x in list {
                state.update(&x.to_le_bytes());
            }
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(state.finalize().as_bytes());
        digest
    }
}

/// `cos(π·step/steps)`, frac 24, for `step ≤ steps ≤ 2^32`, `steps > 0`.
pub fn half_turn_cosine(step: u64, steps: u64) -> i64 {
    let angle = i128::from(step) * 2 * elementary::quarter_turn() / i128::from(steps);
    round_scaled(cos_sin(angle).0, 1 << 24)
}

/// The nearest integer to `2^12/√hd`: the largest κ with `(2κ − 1)²·hd ≤ 2^26`.
fn kappa(head_dim: usize) -> i64 {
    ((1u64 << 26) / head_dim as u64).isqrt().div_ceil(2) as i64
}

#[cfg(test)]
mod tests;
