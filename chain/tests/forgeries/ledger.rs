//! Transactions that a block must not have.

use crate::common::golden::{GOLDEN, transaction};
use crate::common::tip::{Executed, Refused};
use crate::common::{NANO, address, flipped, grains, key, mine_content};
use chain::address::SignatureError;
use chain::block::Block;
use chain::consensus::{ContextualError, SemanticError};
use chain::ledger::LedgerError;
use chain::transaction::{Action, Body, Transaction, TransactionError};
use std::convert::Infallible;

fn pay(from: u8, nonce: u64, amount: u64, fee: u64) -> Transaction {
    transaction(&GOLDEN.spec, from, nonce, fee, Action::Transfer { to: address(6), amount: grains(amount) })
}

/// A block of this height with other transactions, worked on.
fn with(height: usize, transactions: Vec<Transaction>) -> Block {
    let mut block = GOLDEN.block(height);
    block.transactions = transactions;
    mine_content(&GOLDEN.spec, &mut block);
    block
}

fn ledger_error(height: usize, transactions: Vec<Transaction>) -> LedgerError<Infallible> {
    let block = with(height, transactions);
    match GOLDEN.before(height).check(&NANO, &GOLDEN.spec, &block).map(|_| ()) {
        Err(Refused::Ledger(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn transactions_that_the_ledger_refuses() {
    // Account 4 has 100 000 grains before block 2, and 79 990 after it.
    let overspend = LedgerError::Overspend { index: 0, balance: grains(100_000), spent: grains(100_001) };
    assert_eq!(ledger_error(2, vec![pay(4, 0, 100_000, 1)]), overspend);
    // The same coins twice.
    let twice = vec![pay(4, 0, 60_000, 0), pay(4, 1, 60_000, 0)];
    let overspend = LedgerError::Overspend { index: 1, balance: grains(40_000), spent: grains(60_000) };
    assert_eq!(ledger_error(2, twice), overspend);
    // The same transaction twice; and in a later block.
    let once = pay(4, 0, 10, 1);
    assert_eq!(ledger_error(2, vec![once, once]), LedgerError::WrongNonce { index: 1, expected: 1, found: 0 });
    let executed = GOLDEN.block(2).transactions;
    assert_eq!(ledger_error(3, vec![executed[0]]), LedgerError::WrongNonce { index: 0, expected: 1, found: 0 });
    assert_eq!(ledger_error(3, vec![executed[1]]), LedgerError::WrongNonce { index: 0, expected: 1, found: 0 });
    // A nonce ahead of its time.
    assert_eq!(ledger_error(2, vec![pay(4, 1, 10, 1)]), LedgerError::WrongNonce { index: 0, expected: 0, found: 1 });
    assert_eq!(
        ledger_error(2, vec![pay(4, u64::MAX, 10, 1)]),
        LedgerError::WrongNonce { index: 0, expected: 0, found: u64::MAX }
    );
    // In another order, the coins for the bond are not there yet.
    let reversed = executed.iter().rev().copied().collect();
    let overspend = LedgerError::Overspend { index: 0, balance: grains(500), spent: grains(10_020) };
    assert_eq!(ledger_error(2, reversed), overspend);
    // Registered in the genesis; not registered; registered in block 2.
    let action = |from, nonce, action| transaction(&GOLDEN.spec, from, nonce, 1, action);
    assert_eq!(ledger_error(2, vec![action(1, 0, Action::Register)]), LedgerError::Registered { index: 0 });
    assert_eq!(ledger_error(2, vec![action(4, 0, Action::Retire)]), LedgerError::NotRegistered { index: 0 });
    assert_eq!(ledger_error(3, vec![action(5, 1, Action::Register)]), LedgerError::Registered { index: 0 });
    // Rewards of block 1, 1000 grains each, are credited with block 3, and not before: account 2 has no other coins.
    assert_eq!(
        ledger_error(2, vec![pay(2, 0, 1, 0)]),
        LedgerError::Overspend { index: 0, balance: grains(0), spent: grains(1) }
    );
    assert_eq!(
        ledger_error(3, vec![pay(2, 0, 1_000, 1)]),
        LedgerError::Overspend { index: 0, balance: grains(1_000), spent: grains(1_001) }
    );
    // Of another chain.
    let body = Body { chain: flipped(*GOLDEN.spec.id()), ..pay(4, 0, 10, 1).body };
    let foreign = Transaction::sign(body, &key(4)).unwrap();
    assert_eq!(ledger_error(2, vec![foreign]), LedgerError::OtherChain { index: 0 });
}

#[test]
fn transactions_that_are_refused_by_themselves() {
    let refused = |transactions: Vec<Transaction>| {
        let block = with(2, transactions);
        let parent = GOLDEN.before(2).parent();
        let error = NANO.checker(&GOLDEN.spec).verify(&parent, &block.into()).map(|_| ()).unwrap_err();
        let SemanticError::Transaction { index, source } = error else { panic!("{error:?}") };
        (index, source)
    };
    let good = pay(4, 0, 10, 1);
    let signed = |body, i| Transaction::sign(body, &key(i)).unwrap();
    let invalid = TransactionError::Signature(SignatureError::Invalid);
    // By another key; another amount, receiver or fee under the old signature; a signature of the transaction before.
    assert_eq!(refused(vec![good, signed(good.body, 5)]), (1, invalid.clone()));
    let Action::Transfer { to, amount } = good.body.action else { panic!("a transfer") };
    for body in [
        Body { action: Action::Transfer { to, amount: grains(11) }, ..good.body },
        Body { action: Action::Transfer { to: address(7), amount }, ..good.body },
        Body { action: Action::Register, ..good.body },
        Body { fee: grains(2), ..good.body },
        Body { nonce: 1, ..good.body },
        Body { sender: address(5), ..good.body },
    ] {
        assert_eq!(refused(vec![Transaction { body, ..good }]), (0, invalid.clone()));
    }
    let chain = flipped(*GOLDEN.spec.id());
    assert_eq!(refused(vec![good, signed(Body { chain, ..good.body }, 4)]), (1, TransactionError::OtherChain));
    assert_eq!(refused(vec![pay(4, 0, 0, 1)]), (0, TransactionError::Nothing));
}

#[test]
fn the_root_is_that_of_the_executed_ledger() {
    let (tip, spec) = (GOLDEN.before(2), &GOLDEN.spec);
    // Transactions added, left out or exchanged under the old root.
    let golden = GOLDEN.block(2).transactions;
    for transactions in [vec![], vec![golden[0]], vec![golden[0], golden[1], pay(4, 1, 5, 0)], vec![pay(4, 0, 9, 9)]] {
        let block = with(2, transactions);
        let Err(Refused::Contextual(error)) = tip.check(&NANO, spec, &block).map(|_| ()) else { panic!("accepted") };
        let Executed { root, .. } = tip.execute(spec, &block.transactions, &[], &block.summary.producer).unwrap();
        assert_eq!(error, ContextualError::LedgerRoot { expected: root, found: GOLDEN.block(2).summary.ledger });
        // Under its own root, the block is good.
        let mut honest = block;
        honest.summary.ledger = root;
        mine_content(spec, &mut honest);
        tip.check(&NANO, spec, &honest).unwrap();
    }
}
