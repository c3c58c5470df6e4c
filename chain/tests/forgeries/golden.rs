//! The pinned chain is valid, by every rule.

use crate::common::golden::GOLDEN;
use crate::common::{NANO, PARAMS};
use chain::contribution::encode_points;
use chain::header::StateDigest;
use circuits::arithmetic::fixed::Saturations;
use circuits::model::{Gradients, SquareSum, State};
use circuits::statements::codec::encode;

#[test]
fn the_pinned_chain_is_accepted() {
    let (golden, config) = (&*GOLDEN, &NANO.model.config);
    let layouts = golden.spec.layouts();
    let mut state = State::init(config, golden.chain.genesis.seed);
    assert_eq!(layouts.commit_state(&PARAMS, &state).unwrap(), golden.chain.genesis.state);
    assert_eq!(golden.chain.genesis, NANO.genesis(&state, crate::common::nano_proof()));
    assert_eq!(golden.chain.genesis.dataset, NANO.dataset.root());

    for (height, (block, tensors)) in (1..).zip(golden.chain.blocks.iter().zip(&golden.chain.tensors)) {
        let tip = golden.before(height);
        assert_eq!(block.summary.height, height as u64);
        let executed = tip.check(&NANO, &golden.spec, block).unwrap_or_else(|e| panic!("block {height}: {e}"));
        assert_eq!(executed.root, block.summary.ledger);

        // What a full node does with the tensors.
        assert_eq!(tensors.len(), block.contributions.len());
        let gradients: Vec<Gradients> = tensors.iter().map(|t| t.open(config).unwrap()).collect();
        let mut sum = Gradients::zeros(config);
        for (gradient, c) in gradients.iter().zip(&block.contributions) {
            assert_eq!(encode_points(&layouts.commit_gradients(&PARAMS, gradient).unwrap()), c.gradient);
            sum.add(gradient);
        }
        if let Some(update) = &block.update {
            let hyper = golden.spec.hyper(tip.record.summary.step, gradients.len() as u32, SquareSum::ZERO).unwrap();
            state.update(&hyper, &sum, &mut Saturations::default()).unwrap();
            assert_eq!(layouts.commit_state(&PARAMS, &state).unwrap(), update.after);
        }
        let after = layouts.commit_state(&PARAMS, &state).unwrap();
        assert_eq!((StateDigest::of(&after), &after), (block.summary.state, &golden.tips[height].record.state));
    }
    let shape: Vec<_> = golden.chain.blocks.iter().map(|b| (b.contributions.len(), b.transactions.len())).collect();
    assert_eq!(shape, [(2, 0), (0, 2), (1, 0)]);
    assert_eq!(golden.tips[3].record.summary.step, 2);
}

#[test]
fn a_block_of_two_contributions_is_small() {
    let bytes = encode(&GOLDEN.block(1)).unwrap().len();
    println!("block 1: {bytes} bytes");
    assert!(bytes <= 80_000, "{bytes}");
}
