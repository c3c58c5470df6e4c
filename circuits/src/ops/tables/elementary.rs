//! Elementary functions in fixed point with 60 frac bits, on `i128`.

/// Frac bits of this module.
const Q: u32 = 60;
/// 1.
pub(super) const ONE: i128 = 1 << Q;

/// `a·b` for `|a|, |b| < 8`.
pub(super) fn mul(a: i128, b: i128) -> i128 {
    (a * b) >> Q
}

/// `round(x·scale)`, `scale ≤ 2^24`.
pub(super) fn round_scaled(x: i128, scale: i64) -> i64 {
    ((x * i128::from(scale) + (ONE >> 1)) >> Q) as i64
}

/// `2·atanh(z)` for `0 ≤ z ≤ 1/3`.
fn two_atanh(z: i128) -> i128 {
    let square = mul(z, z);
    let (mut power, mut sum, mut k) = (z, 0, 1);
    while power > 0 {
        sum += power / k;
        power = mul(power, square);
        k += 2;
    }
    2 * sum
}

/// `ln(a/b)` for `b ≤ a ≤ 2b < 2^62`.
pub(super) fn ln_ratio(a: i128, b: i128) -> i128 {
    two_atanh(((a - b) << Q) / (a + b))
}

/// `ln 2`.
pub(super) fn ln2() -> i128 {
    ln_ratio(2, 1)
}

/// `ln x` for `1 ≤ x < 2^60`.
pub(super) fn ln(x: u64) -> i128 {
    let b = x.ilog2();
    i128::from(b) * ln2() + ln_ratio(x.into(), 1 << b)
}

/// `exp(−x)` for `x ≥ 0`.
pub(super) fn exp_neg(x: i128) -> i128 {
    let halvings = x / ln2();
    if halvings > i128::from(Q) {
        return 0;
    }
    let r = x - halvings * ln2();
    let (mut term, mut sum, mut k) = (ONE, 0, 0);
    while term > 0 {
        sum += if k % 2 == 0 { term } else { -term };
        k += 1;
        term = mul(term, r) / k;
    }
    sum >> halvings
}

/// `x/d` for `0 ≤ x ≤ 1 ≤ d < 2^40`.
pub(super) fn divided(x: i128, d: u128) -> i128 {
    (x << Q).checked_div(d as i128).unwrap_or(0)
}

/// `a/b` for `0 < a < b < 2^100`.
pub(super) fn quotient(a: u128, b: u128) -> i128 {
    // The quotient of the upper 66 bits is as good as 60 frac bits of it need.
    let spare = (b.ilog2() + 1).saturating_sub(66);
    (((a >> spare) << Q) / (b >> spare)) as i128
}

/// `n·x/(2π)` for `0 ≤ x ≤ 1` and `n ≤ 2^24`: the turns that a frequency makes over n positions.
pub(super) fn turns(x: i128, n: u64) -> u128 {
    let (angle, turn) = (x as u128 * u128::from(n), 4 * quarter_turn() as u128);
    ((angle / turn) << Q) + ((angle % turn) << Q) / turn
}

/// `atan(1/n)`.
fn atan_inverse(n: i128) -> i128 {
    let (mut power, mut sum, mut k) = (ONE / n, 0, 1);
    while power > 0 {
        sum += if k % 4 == 1 { power / k } else { -(power / k) };
        power /= n * n;
        k += 2;
    }
    sum
}

/// `π/2`, after Machin: `8·atan(1/5) − 2·atan(1/239)`.
pub(super) fn quarter_turn() -> i128 {
    8 * atan_inverse(5) - 2 * atan_inverse(239)
}

/// `(cos x, sin x)` for `0 ≤ x < 2^20`.
pub(super) fn cos_sin(x: i128) -> (i128, i128) {
    let quarter = quarter_turn();
    let turns = (x + quarter / 2) / quarter;
    let r = x - turns * quarter;
    // exp(i·r) term by term, on |r| ≤ π/4; the sign of r is the sign of the sine.
    let (mut term, mut parts, mut k) = (ONE, [0i128; 2], 0usize);
    while term > 0 {
        parts[k % 2] += if k % 4 < 2 { term } else { -term };
        k += 1;
        term = mul(term, r.abs()) / k as i128;
    }
    let (cos, sin) = (parts[0], if r < 0 { -parts[1] } else { parts[1] });
    match turns % 4 {
        0 => (cos, sin),
        1 => (-sin, cos),
        2 => (-cos, -sin),
        _ => (sin, -cos),
    }
}
