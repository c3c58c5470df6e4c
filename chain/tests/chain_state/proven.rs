//! Blocks whose contributions are proven, from the worker to the store.

use crate::support::*;
use chain::block::Block;
use chain::chain_state::Inserted;
use chain::consensus::SemanticError;
use chain::consensus::semantic::{Checker, Proven};
use chain::genesis::{ChainSpec, keys_digest};
use chain::header::{BlockId, ChainId, StateDigest};
use chain::tensors::Complete;
use chain::transaction::TransactionError;
use chain::worker::Worker;
use circuits::model::{Spec, State, Token};
use circuits::statements::dataset::Dataset;
use prover::step::{StepKeys, StepProver};
use std::sync::Arc;
use verifier::StepVerifier;

/// Contributors and producer of a block.
type Hands<'a> = (&'a [u8], u8);

/// Proves a block on a parent.
fn train(tree: &mut Tree, worker: &Worker<'_>, on: &BlockId, (contributors, producer): Hands<'_>) -> BlockId {
    let (parent, mut state) = (tree.blocks[on].record.parent(), tree.blocks[on].state.clone());
    let contribute = |&who: &u8| worker.contribute(&parent, &state, 1, &key(who), &mut |_| {}).unwrap();
    let mut proven: Vec<_> = contributors.iter().map(contribute).collect();
    proven.sort_by_key(|p| p.contribution.seat);
    let update = worker.update(&parent, &mut state, &proven, &address(producer), &mut |_| {}).unwrap();
    let tensors = proven.iter().map(|p| p.tensors()).collect();
    let contributions = proven.into_iter().map(|p| p.contribution).collect();
    let plan = Plan { producer, ..Plan::default() };
    tree.finish(on, plan, (contributions, Some(update)), tensors, state)
}

#[test]
fn proven_blocks_move_the_chain_and_are_taken_back() {
    let (params, config) = (PARAMS.clone(), tiny());
    let (model, keys) = (Spec::new(config.clone()), StepVerifier::new(&params, &config).unwrap());
    let corpus: Vec<Token> = (0..200u32).map(|i| (i * i % 7) as Token).collect();
    let dataset = Dataset::new(&params, config.context, &corpus).unwrap();
    let state = State::init(&config, 1);
    let mut genesis = genesis(&config, &params, &state);
    (genesis.keys, genesis.dataset) = (keys_digest(&keys), dataset.root());
    let proving = StepKeys::generate(&params, &model).unwrap();
    let prover = StepProver::new(&params, &proving, &model);
    (genesis.proof, _) = prover.genesis(&state, &mut |_| {}).unwrap();
    let mut tree = Tree::of(ChainSpec::new(genesis).unwrap(), params.clone(), state);
    let spec = tree.spec.clone();
    let worker = Worker { spec: &spec, params: &params, keys: &proving, model: &model, dataset: &dataset };

    let root = tree.genesis();
    let a = train(&mut tree, &worker, &root, (&[1], 10));
    let b = tree.grow(&root, 1, 11)[0];
    let b_on = train(&mut tree, &worker, &b, (&[2], 11));

    let checker = Checker::new(&spec, &params, &keys).unwrap();
    let mut node = tree.node();
    // The way that a node goes: admitted, verified, completed, inserted.
    let mut take = |tree: &Tree, id: &BlockId| {
        let (block, tensors) = (tree.complete(id).proven().block().clone(), tree.complete(id).tensors().to_vec());
        let parent = node.admit(&block, NOW).unwrap();
        let proven = checker.verify(&parent, &block).unwrap();
        let inserted = node.insert(&Complete::new(&params, &spec, proven, tensors).unwrap(), NOW).unwrap();
        let commitments = spec.layouts().commit_state(&params, node.state()).unwrap();
        assert_eq!(node.tip().summary.state, StateDigest::of(&commitments));
        inserted
    };
    assert!(matches!(take(&tree, &a), Inserted::Moved(_)));
    assert_eq!(take(&tree, &b), Inserted::Side);
    assert!(matches!(take(&tree, &b_on), Inserted::Moved(switch) if switch.disconnected == [a]));
    same_as_undisturbed(&tree, &node);
}

#[test]
fn blocks_without_contributions_take_no_keys() {
    let mut tree = Tree::new(|_| ());
    let genesis = tree.genesis();
    let payment = tree.pay(&genesis, 3, 4, 5);
    let idle = tree.add(&genesis, Plan { transactions: vec![payment], ..Plan::default() });
    let trained = tree.add(&genesis, Plan { gradients: vec![(1, 1)], ..Plan::default() });
    let block = |id: &BlockId| tree.complete(id).proven().block().clone();
    let (parent, other) = (tree.blocks[&genesis].record.parent(), tree.blocks[&idle].record.parent());
    let of = |parent, block: &Arc<Block>| Proven::idle(&tree.spec, parent, block);

    let proven = of(&parent, &block(&idle)).unwrap().unwrap();
    assert_eq!((proven.block(), proven.after(), proven.gradients().len()), (&block(&idle), &parent.state, 0));
    assert!(of(&parent, &block(&trained)).unwrap().is_none());
    assert!(matches!(of(&other, &block(&idle)), Err(SemanticError::Parent)));

    let mut foreign = payment;
    foreign.body.chain = ChainId::from_bytes([8; 32]);
    let changed = Arc::new(Block { transactions: vec![payment, foreign], ..Block::clone(&block(&idle)) });
    let refused = of(&parent, &changed).unwrap_err();
    assert!(matches!(refused, SemanticError::Transaction { index: 1, source: TransactionError::OtherChain }));
    let mut forged = payment;
    forged.body.fee = grains(2);
    let changed = Arc::new(Block { transactions: vec![forged], ..Block::clone(&block(&idle)) });
    let refused = of(&parent, &changed).unwrap_err();
    assert!(matches!(refused, SemanticError::Transaction { index: 0, source: TransactionError::Signature(_) }));
}
