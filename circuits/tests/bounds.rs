//! 7.6: constraints that hold in the field are equations of integers, or the circuit becomes no key.
#![cfg(feature = "proofs")]
#![allow(clippy::unwrap_used)]

mod common;

use backend::{
    Builder, Expr, Plan,
    curve::Params,
    keys::{KeyError, VerifyingKey},
    testing::{TOY_K, toy},
};
use circuits::model::UpdateKind;
use circuits::{
    arithmetic::tensor::Tensor,
    model::{Config, Spec, Token, Weights, sequence_gradient, tokens_of_bytes},
    segments::{Circuits, Privacy, Variant},
};
use common::{
    Case, Segment, Values, adamw_cases, biased, cases, grouped, head_segment, layer_segment, small, update_case, wide,
};
use plonkish::{Blinding, BoundError, Challenge, Col, Declared, Fault, Interval, Kind, out_of_range};
use std::{fs, path::PathBuf, sync::Arc};

const ROWS: usize = 8;

/// The error with which a plan becomes no key.
fn refusal(b: Builder) -> KeyError {
    let (plan, _) = b.compile_filled();
    VerifyingKey::new(&Params::new(TOY_K), &Arc::new(plan)).expect_err("a faulty circuit")
}

fn bound_error(b: Builder) -> BoundError {
    match refusal(b) {
        KeyError::Bounds(error) => *error,
        other => panic!("{other}"),
    }
}

fn fault(b: Builder) -> Fault {
    match refusal(b) {
        KeyError::Fault(fault) => *fault,
        other => panic!("{other}"),
    }
}

fn outside(bits: u32) -> Declared {
    Declared::outside(Interval::unsigned(bits), "the test")
}

/// A block with a limb.
fn limb_block() -> (Builder, usize, Col) {
    let mut b = Builder::new(TOY_K);
    let block = b.block("op", ROWS);
    let limb = b.column(block, Kind::Limb, "limb");
    (b, block, limb)
}

/// A block with a limb and an unchecked column, named `hint`.
fn block() -> (Builder, usize, Col, Col) {
    let (mut b, block, limb) = limb_block();
    let hint = b.column(block, Kind::Unchecked, "hint");
    (b, block, limb, hint)
}

/// `x^n`.
fn power(x: Col, n: usize) -> Expr<Col> {
    (1..n).fold(x.cur(), |product, _| product * x.cur())
}

#[test]
fn a_product_too_many_is_refused() {
    // p/2 is a little more than 2^253.
    for (bits, fits) in [(84, true), (85, false)] {
        let (mut b, block, limb, hint) = block();
        b.declare(block, hint, outside(bits));
        b.gate(block, "product", power(hint, 3) - limb.cur(), 0..ROWS);
        let (plan, _) = b.compile_filled();
        match (fits, VerifyingKey::new(&Params::new(TOY_K), &Arc::new(plan))) {
            (true, Ok(_)) => {}
            (false, Err(KeyError::Bounds(error))) => {
                assert_eq!(*error, BoundError::Gate { gate: "op: product".into(), row: 0 });
            }
            (_, other) => panic!("{bits} bits: {other:?}"),
        }
    }
}

#[test]
fn a_cell_without_a_range_is_refused() {
    let (mut b, block, limb, hint) = block();
    b.gate(block, "equal", hint.cur() - limb.cur(), 0..ROWS);
    let error = bound_error(b);
    assert!(matches!(&error, BoundError::Unknown { cell, row: 0 } if cell == "`op: hint`"), "{error}");
    assert_eq!(error.to_string(), "the range of `op: hint`, row 0, is unknown");

    // A definition of some rows says nothing of the others.
    let (mut b, block, limb, hint) = self::block();
    b.define(block, "begins", hint, limb.cur(), 0..3);
    b.gate(block, "small", (hint.cur() - limb.cur()) * limb.cur(), 0..4);
    assert!(matches!(bound_error(b), BoundError::Unknown { cell, row: 3 } if cell == "`op: hint`"));

    // Nor is a port known that nobody speaks for.
    let mut b = Builder::new(TOY_K);
    let port = b.port("in", 2, Blinding::Canonical);
    let block = b.block_at("op", 0, ROWS);
    let lanes = b.port_lanes(block, port, 0, "x");
    b.set(block, lanes[0], 0, 1);
    b.gate(block, "zero", lanes[0].cur() * lanes[1].cur(), 0..ROWS);
    assert!(matches!(bound_error(b), BoundError::Unknown { row: 0, .. }));
}

/// A sum along rows is as large as its rows are many; any other recursion must be declared.
#[test]
fn a_running_sum_grows_with_its_rows() {
    for (bits, fits) in [(249, true), (250, false)] {
        let (mut b, block, limb, hint) = block();
        let term = limb.cur().times_pow2(bits - 12);
        b.define(block, "begins", hint, term.clone(), 0..1);
        b.define(block, "adds up", hint, hint.at(-1) + term, 1..ROWS);
        let (plan, _) = b.compile_filled();
        // 8 terms, and the gate subtracts as many: 2^249·16 = 2^253.
        match (fits, plan.check_bounds()) {
            (true, Ok(margins)) => assert_eq!(margins.constraint.bits, 253),
            (false, Err(BoundError::Gate { gate, .. })) => assert_eq!(gate, "op: adds up"),
            (_, other) => panic!("{bits} bits: {other:?}"),
        }
    }
    let (mut b, block, _, hint) = block();
    b.define(block, "begins", hint, Expr::int(1), 0..1);
    b.define(block, "doubles", hint, hint.at(-1).times(2), 1..ROWS);
    assert!(matches!(bound_error(b), BoundError::Unknown { row: 1, .. }));
}

#[test]
fn a_declared_range_that_a_gate_does_not_show_is_refused() {
    let (mut b, block, limb, hint) = block();
    b.declare(block, hint, Declared::shown(Interval::unsigned(11), "a limb"));
    b.determine(block, "a limb", &hint.cur(), hint.cur() - limb.cur(), 0..ROWS);
    let found = fault(b);
    assert_eq!(found.to_string(), "`op: hint` is declared to lie within 2^11, but `a limb` shows 2^12");
    assert!(matches!(found, Fault::Range { .. }));

    // A copy is said to lie where its source does: the gate on the copy must show it.
    let (mut b, block, limb) = limb_block();
    let [from, to] = ["from", "to"].map(|name| b.column(block, Kind::Copyable, name));
    b.declare(block, from, Declared::shown(Interval::unsigned(11), "a limb"));
    for row in 0..ROWS {
        let (from, to) = (b.cell(block, from, row), b.cell(block, to, row));
        b.copy(from, to);
    }
    b.determine(block, "a limb", &to.cur(), to.cur() - limb.cur(), 0..ROWS);
    assert!(matches!(fault(b), Fault::Range { cell, .. } if cell == "op: to"));

    // A gate in which the cell is not linear with coefficient 1 determines nothing.
    for poly in [|x: Col| x.cur() * x.cur(), |x: Col| x.cur().times(2)] {
        let (mut b, block, limb, hint) = self::block();
        b.determine(block, "no", &hint.cur(), poly(hint) - limb.cur(), 0..ROWS);
        assert!(matches!(fault(b), Fault::NotDetermined { gate, column, .. } if gate == "no" && column == "hint"));
    }
}

/// Nothing is shown from itself.
#[test]
fn circular_reasons_are_refused() {
    let (mut b, block, _, hint) = block();
    let other = b.column(block, Kind::Unchecked, "other");
    b.declare(block, hint, Declared::shown(Interval::unsigned(11), "the same"));
    b.define(block, "the same", other, hint.cur(), 0..ROWS);
    b.determine(block, "the same", &hint.cur(), hint.cur() - other.cur(), 0..ROWS);
    assert!(matches!(fault(b), Fault::Range { shown, .. } if shown == "nothing"));

    let (mut b, block, _, hint) = self::block();
    let other = b.column(block, Kind::Unchecked, "other");
    b.declare(block, hint, Declared::equation(1 << 11));
    b.define(block, "the same", other, hint.cur(), 0..ROWS);
    let projected = ["hint", "other"].map(|name| b.column(block, Kind::Acc, name));
    let cells = [hint, other].into_iter().zip(projected).map(|(column, acc)| {
        b.define(block, "projection", acc, column.cur() * Challenge::Rows.power(1), 0..1);
        b.cell(block, acc, 0)
    });
    let cells: Vec<_> = cells.collect();
    b.equal(cells[0], cells[1]);
    assert!(matches!(bound_error(b), BoundError::Mixed { .. }));
}

/// A vector of hints, each bound to lie within `declared`, and its projection equal to that of the products `a·b`.
fn equation(declared: Declared, tamper: impl FnOnce(&mut Builder, usize, Col)) -> Builder {
    let (mut b, block, a, hint) = block();
    b.declare(block, hint, declared);
    let product = b.column(block, Kind::Acc, "of the products");
    let result = b.column(block, Kind::Acc, "of the hints");
    let c = Challenge::Rows.power(1);
    let terms = [(product, a.cur() * a.cur()), (result, hint.cur())];
    let mut cells = vec![];
    for (acc, term) in terms {
        b.define(block, "begins", acc, term.clone(), 0..1);
        b.define(block, "goes on", acc, acc.at(-1) * c.clone() + term, 1..ROWS);
        cells.push(b.cell(block, acc, ROWS - 1));
    }
    b.equal(cells[0], cells[1]);
    tamper(&mut b, block, hint);
    b
}

#[test]
fn an_equation_determines_open_cells() {
    let open = Declared::equation(1 << 24);
    let read = |b: &mut Builder, block: usize, hint: Col| b.gate(block, "reads", hint.cur() * hint.cur(), 0..ROWS);

    // 24 bits for the product of two limbs; a gate may then read the hint.
    let (plan, _) = equation(open, read).compile_filled();
    let margins = plan.check_bounds().unwrap();
    assert_eq!((margins.equations, margins.degree, margins.coefficient.bits), (1, ROWS as u64 - 1, 25));

    let error = bound_error(equation(Declared::equation(1 << 23), |_, _, _| {}));
    assert!(matches!(error, BoundError::Declared { shown: 24, declared: 23, .. }), "{error}");

    // A gate that reads a cell which no equation determines.
    let error = bound_error(equation(open, |b, block, _| {
        let other = b.column(block, Kind::Unchecked, "other");
        b.declare(block, other, open);
        b.gate(block, "reads", other.cur() * other.cur(), 2..ROWS);
    }));
    assert!(matches!(&error, BoundError::Undetermined { cell, .. } if cell == "`op: other`"), "{error}");
}

/// The circuits that read a port rely on its declared range, even where no gate of this one reads it.
#[test]
fn data_of_a_port_must_be_determined_or_known() {
    let with = |declared: Option<Declared>| {
        let (mut b, block, limb) = limb_block();
        b.gate(block, "reads", limb.cur() * limb.cur(), 0..ROWS);
        let port = b.port("out", plonkish::LANES, Blinding::Canonical);
        let over = b.block_at("over", 0, ROWS);
        for lane in b.port_lanes(over, port, 0, "x") {
            b.set(over, lane, 3, 1);
            declared.into_iter().for_each(|declared| b.declare(over, lane, declared));
        }
        b.compile_filled().0.check_bounds()
    };
    let name = "`over: x0`".to_owned();
    assert_eq!(with(None), Err(BoundError::Unknown { cell: name.clone(), row: 3 }));
    assert_eq!(with(Some(Declared::equation(5))), Err(BoundError::Undetermined { cell: name, row: 3 }));
    assert!(with(Some(outside(5))).is_ok());
}

#[test]
fn an_equation_with_open_cells_on_both_sides_or_twice_in_a_coefficient_is_refused() {
    let (mut b, block, limb, hint) = block();
    b.declare(block, hint, Declared::equation(1 << 30));
    let acc = b.column(block, Kind::Acc, "acc");
    let other = b.column(block, Kind::Acc, "other");
    // Both hints of two rows in one coefficient: their sum is determined, they are not.
    b.define(block, "sum", acc, hint.cur() + hint.at(1), 0..1);
    b.define(block, "limb", other, limb.cur() * Challenge::Rows.power(1), 0..1);
    let (left, right) = (b.cell(block, acc, 0), b.cell(block, other, 0));
    b.equal(left, right);
    assert!(matches!(bound_error(b), BoundError::Mixed { .. }));

    let (mut b, block, _, hint) = self::block();
    b.declare(block, hint, Declared::equation(1 << 30));
    let acc = b.column(block, Kind::Acc, "acc");
    b.define(block, "projection", acc, hint.cur() * Challenge::Rows.power(1), 0..2);
    let (left, right) = (b.cell(block, acc, 0), b.cell(block, acc, 1));
    b.equal(left, right);
    assert!(matches!(bound_error(b), BoundError::Mixed { .. }));
}

#[test]
fn sides_that_can_differ_by_half_the_field_are_refused() {
    // p/2 is a little more than 2^253.
    let wide = |bits: u32| {
        let (mut b, block, limb) = limb_block();
        let [x, y] = ["x", "y"].map(|name| b.column(block, Kind::Acc, name));
        for acc in [x, y] {
            let c = Challenge::Rows.power(1);
            b.define(block, "projection", acc, limb.cur().times_pow2(bits - 12) * c, 0..1);
        }
        let (x, y) = (b.cell(block, x, 0), b.cell(block, y, 0));
        b.equal(x, y);
        b.compile_filled().0
    };
    assert_eq!(wide(252).check_bounds().unwrap().coefficient.bits, 253);
    assert!(matches!(wide(253).check_bounds(), Err(BoundError::Equation { .. })));
    let error = wide(254).check_bounds().unwrap_err();
    assert!(matches!(&error, BoundError::Projection { cell, row: 0 } if cell == "`op: x`"), "{error}");
}

#[test]
fn a_gate_over_phase_2_that_defines_nothing_is_refused() {
    let (mut b, block, limb) = limb_block();
    let acc = b.column(block, Kind::Acc, "acc");
    b.define(block, "projection", acc, limb.cur() * Challenge::Rows.power(1), 0..ROWS);
    b.gate(block, "equal", acc.cur() - limb.cur(), 0..ROWS);
    assert!(matches!(bound_error(b), BoundError::Phase2 { gate } if gate == "op: equal"));
}

#[test]
fn degrees_that_add_up_to_too_much_are_refused() {
    let plan = toy(1).plan;
    assert!(plan.check_bounds().unwrap().degree > 0);
    let mut many = (*plan).clone();
    // The toy's only equation is the last of its copies between projections.
    let equation = *many.copies.iter().rfind(|c| c.0.0.min(c.1.0) >= plan.phase1).expect("an equation");
    many.copies.extend(std::iter::repeat_n(equation, 1 << 20));
    assert!(matches!(many.check_bounds(), Err(BoundError::Degree { max: plonkish::MAX_DEGREE, .. })));
}

/// Tables are declared once, or alike, and are functions.
/// Of a column something may be known on other rows alone: a copy of the rest would pass for one of that.
#[test]
fn what_a_copy_takes_is_known_on_its_row() {
    let (mut b, block, limb) = limb_block();
    let [from, to] = ["from", "to"].map(|name| b.column(block, Kind::Copyable, name));
    b.define(block, "a limb", from, limb.cur(), 0..4);
    let (source, target) = (b.cell(block, from, 5), b.cell(block, to, 5));
    b.copy(source, target);
    // Half of 3 would do: an even limb.
    b.gate(block, "odd", limb.cur() - to.cur().times(2) - Expr::int(1), 5..6);
    assert!(matches!(fault(b), Fault::Unknown { gate, column, .. } if gate == "a copy" && column == "from"));
}

/// Of two columns that determine each other, each would be as narrow as the other was at first.
#[test]
fn a_range_does_not_change_after_it_was_read() {
    let (mut b, block, _) = limb_block();
    let [x, y] = ["x", "y"].map(|name| b.column(block, Kind::Unchecked, name));
    b.define(block, "begins", y, Expr::int(1), 0..1);
    (1..ROWS).for_each(|row| b.set(block, y, row, 0));
    b.determine(block, "shifted", &x.cur(), x.cur() - y.at(-1).times_pow2(60), 1..ROWS);
    b.determine(block, "back", &y.cur(), y.cur() - x.cur(), 1..ROWS);
    assert!(matches!(fault(b), Fault::Unknown { gate, column, .. } if gate == "shifted" && column == "y"));

    // Known where it is read, wider later on.
    let (mut b, block, limb, hint) = self::block();
    let other = b.column(block, Kind::Unchecked, "other");
    b.define(block, "narrow", hint, limb.cur(), 0..4);
    b.define(block, "reads", other, hint.cur(), 0..4);
    b.define(block, "wide", hint, limb.cur().times_pow2(60), 4..ROWS);
    assert!(matches!(fault(b), Fault::Changed { gate, column, .. } if gate == "reads" && column == "hint"));

    // A constant that is set too late.
    let (mut b, block, limb, hint) = self::block();
    let fixed = b.column(block, Kind::Fixed, "fixed");
    b.define(block, "product", hint, limb.cur() * fixed.cur(), 0..ROWS);
    (0..ROWS).for_each(|row| b.set(block, fixed, row, 1 << 120));
    assert!(matches!(fault(b), Fault::Changed { gate, column, .. } if gate == "product" && column == "fixed"));
}

/// The equation of two values of a projection would be checked nowhere.
#[test]
fn a_projection_is_computed_once() {
    for copied in [false, true] {
        let (mut b, block, limb) = limb_block();
        let c = Challenge::Rows.power(1);
        let [x, y, z] = ["x", "y", "z"].map(|name| b.column(block, Kind::Acc, name));
        let wide = |row: i32| limb.at(row).times_pow2(241) * c.clone();
        b.define(block, "x", x, wide(0), 0..1);
        if copied {
            b.define(block, "y", y, wide(1), 0..1);
            let [x, y, z] = [x, y, z].map(|acc| b.cell(block, acc, 0));
            b.copy(x, z);
            b.copy(y, z);
        } else {
            b.define(block, "x again", x, wide(1), 0..1);
        }
        let twice = if copied { "z" } else { "x" };
        assert_eq!(fault(b), Fault::TwoValues { op: "op".into(), column: twice.into() });
    }
}

#[test]
fn tables_of_one_tag_have_equal_rows() {
    let with = |second: Vec<(i128, i128)>| {
        let (mut b, block, limb) = limb_block();
        b.table(3, vec![(0, 0), (1, 5)]);
        b.table(3, second);
        let pair = b.lookup(block, 3, "pair", 0..ROWS);
        b.gate(block, "read", pair.x.cur() * limb.cur() - pair.y.cur(), 0..ROWS);
        b
    };
    assert!(with(vec![(0, 0), (1, 5)]).compile_filled().0.faults.is_empty());
    assert_eq!(fault(with(vec![(0, 0), (1, 6)])), Fault::Tables { tag: 3 });
    assert_eq!(fault(with(vec![(0, 0)])), Fault::Tables { tag: 3 });
    let mut b = Builder::new(TOY_K);
    b.table(4, vec![(7, 1), (8, 1), (7, 2)]);
    assert_eq!(fault(b), Fault::NoFunction { tag: 4, x: 7 });
}

fn assert_within(name: &str, segment: &Segment) {
    segment.plan.check_bounds().unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(segment.plan.faults, [], "{name}");
    assert_eq!(out_of_range(&segment.plan, &segment.witness), [], "{name}");
}

/// Layer and head of one sequence.
fn segments(spec: &Spec, w: &Weights, sequence: &[Token]) -> [Segment; 2] {
    let trace = sequence_gradient(spec, w, sequence).unwrap();
    [layer_segment(spec, 12, w, &trace), head_segment(spec, 12, w, &trace)]
}

/// Updates of every kind.
fn update_cases() -> Vec<Case> {
    let of_sgd = [UpdateKind::Sgd, UpdateKind::ClippedSgd].map(|kind| update_case(Variant::public(kind), 5));
    of_sgd.into_iter().chain(adamw_cases(Privacy::Public, 5)).collect()
}

#[test]
fn honest_witnesses_stay_within_what_is_known_of_them() {
    for case in update_cases() {
        assert_within(&case.name, &case.segment);
    }
    for values in [Values::Usual, Values::Extreme, Values::Flat, Values::Tiny] {
        let shapes = [small(12, 3), small(8, 2).untied(), grouped(), biased(), wide()].map(|config| (config, 10));
        for (config, k) in shapes.into_iter().chain([(Config::NANO.untied(), 12)]) {
            for case in cases(config, k, values) {
                assert_within(&case.name, &case.segment);
            }
        }
    }
    for seed in 0..3 {
        let spec = Spec::new(Config::NANO);
        let state = circuits::model::State::init(&spec.config, seed);
        let token = |i: usize| ((i as u64 * (37 + seed) + seed) % 256) as Token;
        let sequence: Vec<Token> = (0..=spec.config.context).map(token).collect();
        for segment in segments(&spec, &state.w, &sequence) {
            assert_within(&format!("seed {seed}"), &segment);
        }
    }
}

fn fixture(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(path);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn a_trained_model_stays_within_what_is_known_of_it() {
    let corpus = fixture("corpus/stories.txt");
    for (config, file) in [(Config::NANO, "nano_trained.i32"), (Config::MICRO, "micro_trained.i32")] {
        let spec = Spec::new(config);
        let bytes = fixture(&format!("oracle/{file}"));
        let mut words = bytes.chunks_exact(4).map(|b| i64::from(i32::from_le_bytes(b.try_into().unwrap())));
        let weights = Weights::build(&spec.config, |s| {
            Tensor::new(s.rows, s.cols, words.by_ref().take(s.rows * s.cols).collect()).unwrap()
        });
        for segment in segments(&spec, &weights, &tokens_of_bytes(&corpus[1000..=1000 + spec.config.context])) {
            assert_within(file, &segment);
        }
    }
}

/// The comparison above is no sham: each declared range, made a little smaller than its values, is noticed, by it or by
/// the equation that determines the cells.
#[test]
fn a_declared_range_that_is_too_small_is_noticed() {
    let mut tried = 0;
    let mut all = cases(small(12, 3), 10, Values::Extreme);
    all.extend(cases(biased(), 10, Values::Extreme));
    all.extend(update_cases());
    for case in all {
        let Segment { plan, witness } = &case.segment;
        for column in 0..plan.phase1 {
            for s in 0..plan.spans[column].len() {
                let span = plan.spans[column][s];
                let magnitudes: Option<Vec<u128>> = span
                    .all_rows()
                    .map(|row| witness.values[column][row])
                    .map(|x| [x, -x].into_iter().filter_map(small_integer).min())
                    .collect();
                // Sums of squares alone have more than 128 bits; what they are added up of has a range.
                let Some(magnitudes) = magnitudes else {
                    assert!(plan.owners[column].iter().any(|owner| owner.column == "squares"), "{}", case.name);
                    continue;
                };
                let largest = magnitudes.into_iter().max().expect("a span has rows");
                // Limbs and bits aside: their tables and gates show their range.
                if largest < 1 << 12 {
                    continue;
                }
                let mut narrow = Plan::clone(plan);
                narrow.spans[column][s].interval = Interval::within(largest - 1);
                let outside = out_of_range(&narrow, witness);
                assert!(!outside.is_empty() && outside.iter().all(|o| o.0 == outside[0].0), "{}", case.name);
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried} spans");
}

/// The element as an integer below 2^127.
fn small_integer(x: backend::curve::F) -> Option<u128> {
    use ff::PrimeField;
    let bytes = x.to_repr();
    let low = u128::from_le_bytes(bytes[..16].try_into().unwrap());
    (bytes[16..].iter().all(|&b| b == 0) && low < 1 << 127).then_some(low)
}

fn check(config: Config) -> [(u32, u32, u64); 2] {
    config.check().unwrap();
    let circuits = Circuits::of(&Spec::new(config), Variant::default());
    [&circuits.layer.plan, &circuits.head.plan].map(|plan: &Arc<Plan>| {
        assert_eq!(plan.faults, []);
        let margins = plan.check_bounds().unwrap();
        (margins.constraint.bits, margins.coefficient.bits, plan.lookup_terms())
    })
}

#[test]
fn the_presets_are_bounded() {
    for config in [Config::NANO, Config::NANO.untied(), Config::MICRO, Config::MINI] {
        for (constraint, coefficient, terms) in check(config) {
            assert!(constraint < 180 && coefficient < 80 && terms <= backend::challenge::MAX_TERMS);
        }
    }
}

/// Corners of what a configuration may be. Takes a minute and three gigabytes.
#[test]
#[ignore = "large: run it by name"]
fn the_largest_configurations_are_bounded() {
    for (hidden, mlp, heads, context) in
        [(512, 2040, 1, 4), (28, 28, 7, 256), (396, 4, 1, 256), (512, 4, 128, 40), (4, 520, 1, 256)]
    {
        let mut config = Config::NANO.untied();
        (config.hidden, config.mlp, config.heads, config.context) = (hidden, mlp, heads, context);
        let found = check(config);
        println!("{hidden} {mlp} {heads} {context}: {found:?}");
        for (constraint, coefficient, terms) in found {
            assert!(constraint < 180 && coefficient < 80 && terms <= backend::challenge::MAX_TERMS);
        }
    }
    // The widest heads; the largest group.
    for (hidden, heads, kv_heads, head_dim, context) in [(512, 2, 2, 512, 4), (4, 96, 1, 4, 64), (512, 256, 1, 4, 4)] {
        let mut config = Config::NANO.untied();
        (config.hidden, config.mlp, config.heads, config.context) = (hidden, 4, heads, context);
        (config.kv_heads, config.head_dim, config.biased) = (Some(kv_heads), Some(head_dim), true);
        let found = check(config);
        println!("{hidden} {heads}/{kv_heads}·{head_dim} {context}: {found:?}");
        for (constraint, coefficient, terms) in found {
            assert!(constraint < 180 && coefficient < 80 && terms <= backend::challenge::MAX_TERMS);
        }
    }
}

/// What is known of a block is not taken for known of the next one: here both have one constraint, and one column of the grid.
#[test]
fn a_block_of_several_rows_says_nothing_of_the_next() {
    let mut b = Builder::new(12);
    let first = b.block("op", 510);
    let bits: Vec<Col> = (0..3).map(|i| b.column(first, Kind::Unchecked, &format!("c{i}"))).collect();
    for &bit in &bits {
        b.gate(first, "bit", bit.cur() * (Expr::int(1) - bit.cur()), 0..510);
    }
    let x = b.column(first, Kind::Unchecked, "x");
    b.declare(first, x, outside(1));
    let fourth = |x: Col| x.at(-1).square().square() - x.at(-1);
    b.gate(first, "fourth", fourth(x), 1..510);
    let second = b.block("op", 2040);
    let y = b.column(second, Kind::Unchecked, "x");
    b.declare(second, y, Declared::equation(1 << 126));
    b.gate(second, "fourth", fourth(y), 1..4);
    let (plan, _) = b.compile_filled();
    let merged = plan.gates.iter().filter(|gate| gate.name == "op: fourth").count();
    assert_eq!(merged, 1, "both blocks stand so that their constraints are one");
    assert!(plan.check_bounds().is_err());
}
