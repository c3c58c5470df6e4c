//! Bounds on the coefficients of projections, as polynomials in the challenges.
//!
//! Phase 2 computes polynomials in the challenges whose coefficients are sums and products of phase-1 cells, hence
//! integers; an equation between two of them is an identity of polynomials but for a small probability (Schwartz 1980,
//! Zippel 1979; for matrix products Freivalds 1977). It says modulo p that the coefficients are equal. If no coefficient
//! of the difference exceeds p/2 in magnitude, they are equal as integers.

use super::cells::Challenge;
use super::interval::Interval;
use ethnum::U256;

const ROLES: usize = Challenge::ALL.len();

/// What a polynomial's coefficients are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// It is one product of challenges.
    Monomial,
    /// Cells whose ranges are firm (see [`Basis`](super::ranges::Basis)).
    Firm,
    /// Also cells whose ranges rest on what equations determine.
    Derived,
    /// Each coefficient is one *open* cell, up to sign: one that an equation must determine. All of them are declared to
    /// lie within the same bound. (Of twice a cell an equation shows nothing: half of an odd integer is large modulo p.)
    Open,
    /// Open cells and others, added or multiplied.
    Mixed,
}

impl Form {
    /// Of what is made of two.
    fn with(self, other: Form) -> Form {
        match (self, other) {
            (Form::Open | Form::Mixed, _) | (_, Form::Open | Form::Mixed) => Form::Mixed,
            (Form::Derived, _) | (_, Form::Derived) => Form::Derived,
            (Form::Firm | Form::Monomial, Form::Firm | Form::Monomial) => Form::Firm,
        }
    }
}

/// Bounds of a polynomial in the challenges with integer coefficients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Norm {
    /// No coefficient exceeds it in magnitude.
    pub coefficient: U256,
    /// Lowest and highest power of each challenge.
    powers: [[u16; 2]; ROLES],
    pub form: Form,
}

impl Norm {
    /// A cell of phase 1.
    pub fn cell(interval: Interval, form: Form) -> Self {
        Norm { coefficient: interval.magnitude(), powers: [[0; 2]; ROLES], form }
    }

    /// A power of a challenge.
    pub fn challenge(challenge: Challenge, power: u16) -> Self {
        let mut powers = [[0; 2]; ROLES];
        powers[challenge as usize] = [power; 2];
        Norm { coefficient: U256::ONE, powers, form: Form::Monomial }
    }

    /// The degree of this polynomial minus another, at most.
    pub fn degree(&self, other: &Norm) -> u64 {
        self.powers.iter().zip(&other.powers).map(|(a, b)| u64::from(a[1].max(b[1]))).sum()
    }

    /// Whether no monomial can stand in both.
    fn is_apart(&self, other: &Norm) -> bool {
        self.powers.iter().zip(&other.powers).any(|(a, b)| a[1] < b[0] || b[1] < a[0])
    }

    /// Whether no challenge stands in both.
    fn is_independent(&self, other: &Norm) -> bool {
        self.powers.iter().zip(&other.powers).all(|(a, b)| a[1] == 0 || b[1] == 0)
    }

    /// The most monomials that there can be.
    fn monomials(&self) -> U256 {
        self.powers.iter().fold(U256::ONE, |n, [low, high]| n.saturating_mul(U256::from(u32::from(high - low) + 1)))
    }

    /// Sum; none if a bound has more than 256 bits.
    pub fn plus(&self, other: &Norm) -> Option<Self> {
        let is_apart = self.is_apart(other);
        let coefficient = if is_apart {
            self.coefficient.max(other.coefficient)
        } else {
            self.coefficient.checked_add(other.coefficient)?
        };
        let mut powers = self.powers;
        for (mine, theirs) in powers.iter_mut().zip(&other.powers) {
            *mine = [mine[0].min(theirs[0]), mine[1].max(theirs[1])];
        }
        let form = match (self.form, other.form) {
            (Form::Open, Form::Open) if is_apart && self.coefficient == other.coefficient => Form::Open,
            (a, b) => a.with(b),
        };
        Some(Norm { coefficient, powers, form })
    }

    /// Product; none if a bound has more than 256 bits, or a power more than 16.
    pub fn times(&self, other: &Norm) -> Option<Self> {
        let is_shift = self.form == Form::Monomial || other.form == Form::Monomial;
        let coefficient = self.coefficient.checked_mul(other.coefficient)?;
        let coefficient = if is_shift || self.is_independent(other) {
            coefficient
        } else {
            // A monomial of the product is one of so many products of monomials.
            coefficient.checked_mul(self.monomials().min(other.monomials()))?
        };
        let mut powers = self.powers;
        for (mine, theirs) in powers.iter_mut().zip(&other.powers) {
            *mine = [mine[0].checked_add(theirs[0])?, mine[1].checked_add(theirs[1])?];
        }
        let form = match (self.form, other.form) {
            (Form::Monomial, form) | (form, Form::Monomial) => form,
            (a, b) => a.with(b),
        };
        Some(Norm { coefficient, powers, form })
    }

    /// Product with an integer; none if a bound has more than 256 bits.
    pub fn scale(&self, by: Interval) -> Option<Self> {
        let coefficient = self.coefficient.checked_mul(by.magnitude())?;
        let form = match self.form {
            Form::Open if by.magnitude() == U256::ONE => Form::Open,
            form => form.with(Form::Firm),
        };
        Some(Norm { coefficient, form, ..*self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(bound: u128) -> Norm {
        Norm::cell(Interval::within(bound), Form::Firm)
    }

    fn open(bound: u128) -> Norm {
        Norm::cell(Interval::within(bound), Form::Open)
    }

    #[test]
    fn coefficients_of_different_monomials_do_not_add_up() {
        let c = Norm::challenge(Challenge::Rows, 1);
        let mut run = open(7);
        for _ in 0..5 {
            run = run.times(&c).unwrap().plus(&open(7)).unwrap();
        }
        assert_eq!((run.coefficient, run.form, run.degree(&run)), (U256::from(7u8), Form::Open, 5));
        // The same monomial twice: two cells in one coefficient.
        let twice = run.plus(&open(7)).unwrap();
        assert_eq!((twice.coefficient, twice.form), (U256::from(14u8), Form::Mixed));
        assert_eq!(run.times(&c).unwrap().plus(&open(8)).unwrap().form, Form::Mixed);
        assert_eq!(run.plus(&cell(1)).unwrap().form, Form::Mixed);
        let scaled = [-1, 0, 2].map(|by| run.scale(Interval::new(by, by)).unwrap().form);
        assert_eq!(scaled, [Form::Open, Form::Mixed, Form::Mixed]);
    }

    #[test]
    fn products_over_one_challenge_add_up_within_a_coefficient() {
        let line = |role| {
            let c = Norm::challenge(role, 1);
            cell(3).times(&c).unwrap().plus(&cell(3)).unwrap()
        };
        let (a, b, c) = (line(Challenge::Rows), line(Challenge::Keys), line(Challenge::Rows));
        // (3u + 3)(3v + 3): four monomials; (3u + 3)²: 9u² + 18u + 9.
        assert_eq!(a.times(&b).unwrap().coefficient, U256::from(9u8));
        assert_eq!(a.times(&c).unwrap().coefficient, U256::from(18u8));
        assert_eq!(a.times(&open(2)).unwrap().form, Form::Mixed);
        assert_eq!(cell(1 << 127).times(&cell(1 << 127)).unwrap().times(&cell(4)), None);
    }
}
