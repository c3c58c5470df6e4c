//! Constraints as equations that can be read: cells by the names that their op gives them, integers for field elements, the limbs of
//! an integer as one.

use ethnum::U256;
use plonkish::{Expr, Field, Global, LIMB_BITS, integer};
use serde::{Serialize, Serializer};
use std::fmt;

/// A cell of an equation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What its op calls its column; of limbs, what they have in common.
    pub name: String,
    /// How many rows of its op below the current one.
    pub below: i32,
    /// The integer that limbs from the first to the second number make, the first one the least significant.
    pub limbs: Option<(usize, usize)>,
}

/// A part of an equation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// Numbers and signs.
    Text(String),
    /// A cell.
    Cell(Cell),
}

/// An equation, to be written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equation(pub Vec<Token>);

/// A product of a number and factors.
#[derive(Clone, Debug, PartialEq)]
struct Term<F> {
    coefficient: F,
    factors: Vec<Factor<F>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Factor<F> {
    Cell(Cell),
    Sum(Vec<Term<F>>),
}

impl Equation {
    /// `poly = 0`, with the name of a cell's column and how many rows of its op the cell is below, by its place.
    pub fn of<F: Field>(poly: &Expr<F, Global>, cell: &impl Fn(Global, i32) -> (String, i32)) -> Self {
        let [left, right] = sides(poly, cell);
        let mut writer = Writer(vec![]);
        writer.sum(&left);
        writer.text(" = ");
        writer.sum(&right);
        Equation(writer.0)
    }

    /// That a form is a limb.
    pub fn of_limb<F: Field>(form: &Expr<F, Global>, cell: &impl Fn(Global, i32) -> (String, i32)) -> Self {
        let mut writer = Writer(vec![]);
        writer.sum(&joined(terms(form, F::ONE, cell)));
        writer.text(" is a limb");
        Equation(writer.0)
    }
}

/// The two sides of an equation. What is written as the definition of a cell stays one; of any other, terms that are taken away
/// stand on the right.
fn sides<F: Field>(poly: &Expr<F, Global>, cell: &impl Fn(Global, i32) -> (String, i32)) -> [Vec<Term<F>>; 2] {
    let all = joined(terms(poly, F::ONE, cell));
    let is_definition = matches!(poly, Expr::Add(a, b)
        if matches!(**a, Expr::Cell(..)) && matches!(**b, Expr::Scale(_, c) if c == -F::ONE));
    let (left, mut right): (Vec<_>, Vec<_>) = match all.split_first() {
        Some((first, rest)) if is_definition => (vec![first.clone()], rest.to_vec()),
        _ => all.into_iter().partition(|term| integer(term.coefficient) > 0),
    };
    right.iter_mut().for_each(|term| term.coefficient = -term.coefficient);
    if left.is_empty() { [right, left] } else { [left, right] }
}

/// `poly·scale` as a sum.
fn terms<F: Field>(poly: &Expr<F, Global>, scale: F, cell: &impl Fn(Global, i32) -> (String, i32)) -> Vec<Term<F>> {
    let terms = match poly {
        Expr::Const(c) => vec![Term { coefficient: *c * scale, factors: vec![] }],
        Expr::Cell(column, rotation) => {
            let (name, below) = cell(*column, *rotation);
            let factor = Factor::Cell(Cell { name, below, limbs: None });
            vec![Term { coefficient: scale, factors: vec![factor] }]
        }
        Expr::Add(a, b) => [terms(a, scale, cell), terms(b, scale, cell)].concat(),
        Expr::Mul(a, b) => {
            let (a, b) = (product(a, cell), product(b, cell));
            vec![Term { coefficient: a.coefficient * b.coefficient * scale, factors: [a.factors, b.factors].concat() }]
        }
        Expr::Within(a, _) => terms(a, scale, cell),
        // A multiple of a sum stays one, unless only signs change.
        Expr::Scale(a, c) if *c == -F::ONE => terms(a, -scale, cell),
        Expr::Scale(a, c) => {
            let product = product(a, cell);
            vec![Term { coefficient: product.coefficient * c * scale, factors: product.factors }]
        }
    };
    terms.into_iter().filter(|term| term.coefficient != F::ZERO).collect()
}

/// The same as one term.
fn product<F: Field>(poly: &Expr<F, Global>, cell: &impl Fn(Global, i32) -> (String, i32)) -> Term<F> {
    let mut sum = joined(terms(poly, F::ONE, cell));
    match (sum.pop(), sum.is_empty()) {
        (Some(term), true) => term,
        (None, _) => Term { coefficient: F::ZERO, factors: vec![] },
        (Some(last), false) => {
            sum.push(last);
            Term { coefficient: F::ONE, factors: vec![Factor::Sum(sum)] }
        }
    }
}

/// Limbs that follow one another as one integer.
fn joined<F: Field>(terms: Vec<Term<F>>) -> Vec<Term<F>> {
    let limb = |term: &Term<F>| match &term.factors[..] {
        [Factor::Cell(cell @ Cell { limbs: None, .. })] => {
            let (name, number) = cell.name.rsplit_once('.')?;
            Some((name.to_owned(), cell.below, number.parse::<usize>().ok()?))
        }
        _ => None,
    };
    let base = F::from(1 << LIMB_BITS);
    let (mut found, mut rest) = (vec![], &terms[..]);
    while let Some(first) = rest.first() {
        let mut count = 1;
        if let Some((name, below, number)) = limb(first) {
            let mut coefficient = first.coefficient;
            let is_next = |term: &Term<F>, coefficient: F, i: usize| {
                term.coefficient == coefficient && limb(term) == Some((name.clone(), below, number + i))
            };
            while rest.get(count).is_some_and(|term| is_next(term, coefficient * base, count)) {
                coefficient *= base;
                count += 1;
            }
            if count > 1 {
                let cell = Cell { name, below, limbs: Some((number, number + count - 1)) };
                found.push(Term { coefficient: first.coefficient, factors: vec![Factor::Cell(cell)] });
            }
        }
        if count == 1 {
            found.push(first.clone());
        }
        rest = &rest[count..];
    }
    found
}

struct Writer(Vec<Token>);

impl Writer {
    fn text(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Token::Text(before)) => before.push_str(text),
            _ => self.0.push(Token::Text(text.to_owned())),
        }
    }

    fn sum<F: Field>(&mut self, terms: &[Term<F>]) {
        if terms.is_empty() {
            self.text("0");
        }
        for (i, term) in terms.iter().enumerate() {
            // Half of an odd number is one of many digits in the field.
            let is_half = integer(term.coefficient).unsigned_abs() > LONG
                && integer(term.coefficient.double()).unsigned_abs() <= LONG;
            let value = integer(if is_half { term.coefficient.double() } else { term.coefficient });
            self.text(match (i, value < 0) {
                (0, false) => "",
                (0, true) => "−",
                (_, false) => " + ",
                (_, true) => " − ",
            });
            self.term(value.unsigned_abs(), &term.factors);
            if is_half {
                self.text("/2");
            }
        }
    }

    fn term<F: Field>(&mut self, coefficient: U256, factors: &[Factor<F>]) {
        if factors.is_empty() {
            return self.text(&number(coefficient));
        }
        if coefficient != 1 {
            let number = number(coefficient);
            let is_sum = number.contains([' ']);
            self.text(&if is_sum { format!("({number})·") } else { format!("{number}·") });
        }
        let mut rest = factors;
        while let Some(factor) = rest.first() {
            let power = rest.iter().take_while(|other| *other == factor).count();
            match factor {
                Factor::Cell(cell) => self.0.push(Token::Cell(cell.clone())),
                Factor::Sum(terms) => {
                    self.text("(");
                    self.sum(terms);
                    self.text(")");
                }
            }
            match power {
                1 => {}
                2 => self.text("²"),
                3 => self.text("³"),
                power => self.text(&format!("^{power}")),
            }
            rest = &rest[power..];
            if !rest.is_empty() {
                self.text("·");
            }
        }
    }
}

/// Twice a number up to this is still far from half of the field's size.
const LONG: U256 = U256::from_words(1 << 72, 0);

/// Numbers of at most so many digits are written in decimal.
const SHORT: U256 = U256::new(99_999);

/// A number in decimal if it is short, else by powers of two where that is shorter.
fn number(x: U256) -> String {
    let power = |x: U256| (x.count_ones() == 1).then(|| x.trailing_zeros());
    if x <= SHORT && power(x).is_none_or(|e| e < 12) {
        return x.to_string();
    }
    let shift = x.trailing_zeros();
    let odd = x >> shift;
    if odd == 1 {
        return format!("2^{shift}");
    }
    if let Some(e) = power(x + 1) {
        return format!("2^{e} − 1");
    }
    // The highest power of two within, and what is left; or the next one, and what is missing.
    let high = 255 - x.leading_zeros();
    let top = U256::ONE << high;
    if let Some(low) = power(x - top) {
        return format!("2^{high} + {}", number(U256::ONE << low));
    }
    if let Some(low) = power((top << 1) - x).filter(|_| high < 255) {
        return format!("2^{} − {}", high + 1, number(U256::ONE << low));
    }
    if odd <= SHORT && shift >= 12 { format!("{odd}·2^{shift}") } else { x.to_string() }
}

/// `name`, in brackets if it could be mistaken for an expression; `next(…)`, `prev(…)` or `at(n, …)` on other rows.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| c.is_alphanumeric() || "_.'".contains(c);
        let name = if self.name.chars().all(is_plain) { self.name.clone() } else { format!("[{}]", self.name) };
        let name = match self.limbs {
            Some((first, last)) => format!("{name}.[{first}..{last}]"),
            None => name,
        };
        match self.below {
            0 => f.write_str(&name),
            1 => write!(f, "next({name})"),
            -1 => write!(f, "prev({name})"),
            below => write!(f, "at({below}, {name})"),
        }
    }
}

impl fmt::Display for Equation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| match token {
            Token::Text(text) => f.write_str(text),
            Token::Cell(cell) => write!(f, "{cell}"),
        })
    }
}

impl Serialize for Equation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pasta_curves::Fp as F;
    use proptest::prelude::*;

    type Poly = Expr<F, Global>;

    const NAMES: [&str; 7] = ["x", "y", "n0.0", "n0.1", "n0.2", "n0.4", "target − inv²"];

    fn cell(column: usize, rotation: i32) -> Poly {
        Expr::Cell(Global::Advice(column), rotation)
    }

    fn named(column: Global, rotation: i32) -> (String, i32) {
        match column {
            Global::Advice(column) => (NAMES[column].to_owned(), rotation),
            Global::Fixed(_) | Global::Uniform(_) => unreachable!("no other column is named"),
        }
    }

    fn shown(poly: &Poly) -> String {
        Equation::of(poly, &named).to_string()
    }

    #[test]
    fn equations_are_written_as_one_writes_them() {
        let (x, y) = (|| cell(0, 0), || cell(1, 0));
        let limbs = || cell(2, 0) + cell(3, 0).times_pow2(12) + cell(4, 0).times_pow2(24);
        for (poly, equation) in [
            (x() * (Expr::int(1) - x()), "x·(1 − x) = 0"),
            (x() - x().square() * y(), "x = x²·y"),
            // A definition stays one; of other equations, what is taken away stands on the right.
            (y() - (cell(1, -1) - x().times(3)), "y = prev(y) − 3·x"),
            (x() + y() - cell(0, 1) - Expr::int(7), "x + y = next(x) + 7"),
            (-x() - y(), "x + y = 0"),
            (cell(0, -8) - cell(6, 0), "at(-8, x) = [target − inv²]"),
            // The limbs of an integer are one, if none is missing.
            (limbs() - Expr::pow2(23) - x() * y(), "n0.[0..2] = 2^23 + x·y"),
            (x() - limbs().times_pow2(36), "x = 2^36·n0.[0..2]"),
            (x() - cell(4, 0) - cell(5, 0).times_pow2(12), "x = n0.2 + 2^12·n0.4"),
            (x() * (limbs() - Expr::int(1)), "x·(n0.[0..2] − 1) = 0"),
            (y() - x() * Expr::int(0), "y = 0"),
            (
                y() - (x() * (x() + Expr::int(1)) * (Expr::pow2(24) - Expr::int(1))).halved(),
                "y = x·(x + 1)·(2^24 − 1)/2",
            ),
            (y() - Expr::Within(Box::new(x()), plonkish::Interval::unsigned(12)), "y = x"),
            (y() - (x() + y()).times(4096) * (Expr::pow2(36) - Expr::int(1)), "y = 2^12·(x + y)·(2^36 − 1)"),
        ] {
            assert_eq!(shown(&poly), equation);
        }
    }

    #[test]
    fn numbers_are_short() {
        let two = U256::new(2);
        for (x, text) in [
            (U256::new(0), "0"),
            (U256::new(4095), "4095"),
            (U256::new(4096), "2^12"),
            (U256::new(16_777_215), "2^24 − 1"),
            (two.pow(59) + two.pow(23), "2^59 + 2^23"),
            (two.pow(59) - two.pow(12), "2^59 − 2^12"),
            (U256::new(15) << 72, "2^76 − 2^72"),
            (U256::new(11) << 72, "11·2^72"),
            (U256::new(123_457), "123457"),
            (two.pow(60) + 128, "2^60 + 128"),
        ] {
            assert_eq!(number(x), text);
        }
    }

    /// The sum's value, if limbs are cells.
    fn value(terms: &[Term<F>], of: &dyn Fn(&str, i32) -> F) -> F {
        let factor = |factor: &Factor<F>| match factor {
            Factor::Sum(terms) => value(terms, of),
            Factor::Cell(Cell { name, below, limbs: None }) => of(name, *below),
            Factor::Cell(Cell { name, below, limbs: Some((first, last)) }) => (*first..=*last)
                .rev()
                .fold(F::from(0), |high, i| high * F::from(4096) + of(&format!("{name}.{i}"), *below)),
        };
        terms.iter().map(|term| term.factors.iter().map(factor).fold(term.coefficient, |a, b| a * b)).sum()
    }

    fn polys() -> impl Strategy<Value = Poly> {
        let leaf = prop_oneof![
            (0..NAMES.len(), -1i32..2).prop_map(|(column, rotation)| cell(column, rotation)),
            (-5000i128..5000).prop_map(Poly::int),
            (0u32..250).prop_map(Poly::pow2),
            (1u32..5).prop_map(|first| cell(2, 0).times_pow2(first) + cell(3, 0).times_pow2(first + 12)),
        ];
        leaf.prop_recursive(5, 24, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(a, b)| a + b),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| a - b),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| a * b),
                (inner, -4096i128..4097).prop_map(|(a, by)| a.times(by)),
            ]
        })
    }

    proptest! {
        /// What is written is the constraint, or its negative.
        #[test]
        fn the_sides_differ_by_the_polynomial(poly in polys(), seed in 1u64..1000) {
            let at = |name: &str, below: i32| {
                let column = NAMES.iter().position(|other| *other == name).unwrap() as u64;
                F::from(seed * 7919 + column * 31 + (below + 1) as u64).square()
            };
            let expected = poly.eval(&|column, rotation| at(&named(column, rotation).0, rotation));
            let [left, right] = sides(&poly, &named);
            let found = value(&left, &at) - value(&right, &at);
            prop_assert!(found == expected || found == -expected, "{}", shown(&poly));
        }
    }
}
