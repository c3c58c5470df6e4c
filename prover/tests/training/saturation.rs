//! Whatever clips is counted, and nothing else is.

use circuits::{
    arithmetic::fixed::{Class, LOW_BITS, STATE_FRAC, Saturations, shift_round},
    arithmetic::tensor::{Tensor, Wide},
    model::{
        Config, LayerBackward, LayerForward, Optimizer, OptimizerKind, Schedule, SequenceTrace, Spec, State, Token,
        Weights, sequence_gradient,
    },
    ops::sgd::Hyper,
};
use proptest::prelude::*;
use prover::trainer::{Recipe, Trainer, batch_gradient};

use crate::seed::Stream;

/// Elements of a wide value that do not fit a class once rounded.
fn clipped(wide: &Wide, class: Class) -> u64 {
    wide.data.iter().filter(|&&x| i64::try_from(shift_round(x, 12)).map_or(true, |y| !class.contains(y))).count() as u64
}

/// What clips where an exact value stands in the trace: all of the residual stream and the gate, part of the rest.
fn recount(trace: &SequenceTrace) -> Saturations {
    let mut count = Saturations::default();
    for LayerForward { zx_mid, zx_out, zg, zu, zv, attention, .. } in &trace.forward {
        count.add(Class::Residual, clipped(zx_mid, Class::Residual) + clipped(zx_out, Class::Residual));
        count.add(Class::Gate, clipped(zg, Class::Gate));
        for wide in [zu, zv, &attention.zo] {
            count.add(Class::Feature, clipped(wide, Class::Feature));
        }
    }
    for LayerBackward { zds, zdh2, zdo, zdh1, attention, .. } in &trace.backward {
        for wide in [zds, zdh2, zdo, zdh1, &attention.zdv] {
            count.add(Class::Gradient, clipped(wide, Class::Gradient));
        }
    }
    count.add(Class::Gradient, clipped(&trace.head.zdh, Class::Gradient));
    count
}

/// Weights of up to `bits` bits.
fn params(config: &Config, seed: u64, bits: u32) -> Weights {
    Weights::build(config, |spec| {
        let mut stream = Stream::new(seed, &spec.name);
        Tensor::from_fn(spec.rows, spec.cols, |_, _| (stream.word() as i64) >> (64 - bits))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_clipped_element_is_counted(seed in any::<u64>(), bits in 10u32..=17, tenths in 1u64..=10) {
        let config = Config::NANO;
        let spec = Spec::new(config.clone());
        let mut stream = Stream::new(seed, "tokens");
        let mut token = || (stream.word() % 256) as Token;
        let batch: Vec<Vec<Token>> = (0..2).map(|_| (0..=config.context).map(|_| token()).collect()).collect();
        let w = params(&config, seed, bits);

        let mut gradient = Saturations::default();
        for sequence in &batch {
            let trace = sequence_gradient(&spec, &w, sequence).unwrap();
            let expected = recount(&trace);
            for class in [Class::Residual, Class::Gate] {
                prop_assert_eq!(trace.saturations.of(class), expected.of(class), "{}", class.name());
            }
            for class in [Class::Feature, Class::Gradient] {
                prop_assert!(trace.saturations.of(class) >= expected.of(class), "{}", class.name());
            }
            gradient += trace.saturations;
        }
        let sum = batch_gradient(&spec, &w, &batch).unwrap();
        prop_assert_eq!(sum.saturations, gradient);

        // The update, from its definition.
        let schedule = Schedule::constant(&format!("{tenths}e-1").parse().unwrap()).unwrap();
        let state = State::resting(w.clone(), Weights::zeros(&config), &config, OptimizerKind::Sgd);
        let none = "0".parse().unwrap();
        let hyper = Hyper::new(schedule.rates_at(0), &none, &none, 2 * config.context as u64).unwrap();
        let mut trainer =
            Trainer::new(config, state, Recipe { schedule, optimizer: Optimizer::Sgd { momentum: none, weight_decay: none, clip: None } }).unwrap();
        let log = trainer.step(&batch).unwrap();
        let mut weights = 0;
        for (w, g) in w.iter().zip(sum.gradients.iter()) {
            for (&w, &g) in w.data.iter().zip(&g.data) {
                let whole = i128::from(w) << (LOW_BITS + STATE_FRAC);
                let moved = shift_round(whole - i128::from(hyper.lambda) * g, STATE_FRAC);
                weights += u64::from(!Class::Weight.contains((moved >> LOW_BITS) as i64));
            }
        }
        prop_assert_eq!(log.saturations.of(Class::Weight), weights);
        prop_assert_eq!(log.saturations.total(), gradient.total() + weights);
    }
}

/// The property above is not empty: full-width weights clip in every class but that of the momentum.
#[test]
fn large_weights_clip() {
    let config = Config::NANO;
    let spec = Spec::new(config.clone());
    let sequence: Vec<Token> = (0..=config.context as Token).collect();
    let trace = sequence_gradient(&spec, &params(&config, 1, 17), &sequence).unwrap();
    println!("{}", trace.saturations);
    for class in [Class::Feature, Class::Gate] {
        assert!(trace.saturations.of(class) > 0, "{}", class.name());
    }
}
