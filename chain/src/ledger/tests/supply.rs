//! Blocks at random: no coin comes from nowhere or goes anywhere, and a block is undone without a trace.

use super::*;
use crate::address::SignatureError;
use crate::address::testing::key;
use crate::header::{ChainId, LedgerRoot};
use crate::ledger::testing::rules;
use crate::ledger::{Accounts, Execution, LedgerError, Reward, execute, subsidy};
use crate::transaction::{Action, Body, Transaction, TransactionError};
use std::convert::Infallible;

const CHAIN: ChainId = ChainId::from_bytes([9; 32]);
const KEYS: u8 = 5;
const GENESIS: u64 = 100_000;

/// What a transaction should do; those that cannot be afforded are left out.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Pay { from: u8, to: u8, percent: u64, fee: u64 },
    Register(u8),
    Retire(u8),
}

/// What is wrong with a block.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Replay(prop::sample::Index),
    DoubleSpend,
    Overspend,
    NonceAhead(u64),
    OtherChain,
    Forged,
}

#[derive(Clone, Debug)]
struct Plan {
    wishes: Vec<Wish>,
    fault: Option<Fault>,
    contributors: Vec<u8>,
    producer: u8,
}

fn plan() -> impl Strategy<Value = Plan> {
    let who = || 0..KEYS;
    let wish = prop_oneof![
        4 => (who(), who(), 0u64..=100, 0u64..20)
            .prop_map(|(from, to, percent, fee)| Wish::Pay { from, to, percent, fee }),
        1 => who().prop_map(Wish::Register),
        1 => who().prop_map(Wish::Retire),
    ];
    let fault = prop_oneof![
        any::<prop::sample::Index>().prop_map(Fault::Replay),
        Just(Fault::DoubleSpend),
        Just(Fault::Overspend),
        (1u64..5).prop_map(Fault::NonceAhead),
        Just(Fault::OtherChain),
        Just(Fault::Forged),
    ];
    use prop::collection::vec;
    (vec(wish, 0..3), prop::option::of(fault), vec(who(), 0..3), who())
        .prop_map(|(wishes, fault, contributors, producer)| Plan { wishes, fault, contributors, producer })
}

/// A chain of ledger parts only.
#[derive(Clone, Debug, PartialEq)]
struct Ledger {
    accounts: Map,
    nodes: MemoryNodes,
    roots: Vec<LedgerRoot>,
    /// By height, the genesis included.
    executions: Vec<Execution>,
}

impl Ledger {
    fn genesis() -> Self {
        let share = grains(GENESIS / 2);
        let rich = |index| (key(index).address(), Account { balance: share, ..Account::default() });
        let accounts = Map::from([rich(0), rich(1)]);
        let mut nodes = MemoryNodes::default();
        let roots = vec![push(&mut nodes, 0, &accounts)];
        Ledger { accounts, nodes, roots, executions: vec![Execution::default()] }
    }

    fn height(&self) -> u64 {
        self.roots.len() as u64 - 1
    }

    fn run(&self, transactions: &[Transaction], plan: &Plan) -> Result<Execution, LedgerError<Infallible>> {
        let height = self.height() + 1;
        let matured = height.checked_sub(rules().coinbase_maturity).map(|h| &self.executions[h as usize].rewards[..]);
        let contributors: Vec<Address> = plan.contributors.iter().map(|&index| key(index).address()).collect();
        let producer = key(plan.producer).address();
        let matured = matured.unwrap_or_default();
        execute(&self.accounts, &rules(), &CHAIN, height, matured, transactions, &contributors, &producer)
    }

    fn push(&mut self, execution: Execution) {
        set(&mut self.accounts, &execution.changed);
        let version = self.height() + 1;
        self.roots.push(push(&mut self.nodes, version, &execution.changed));
        self.executions.push(execution);
    }

    fn undo(&mut self) {
        let execution = self.executions.pop().unwrap();
        set(&mut self.accounts, &execution.previous);
        self.roots.pop();
        let height = self.height();
        self.nodes.forget_above(height);
    }

    /// Coins that are somewhere.
    fn coins(&self) -> u64 {
        let held: u64 = self.accounts.values().map(|a| a.balance.grains() + a.bond.grains()).sum();
        let first = (self.height() + 1).saturating_sub(rules().coinbase_maturity) as usize;
        let owed: &[Execution] = &self.executions[first..];
        held + owed.iter().flat_map(|e| &e.rewards).map(|r: &Reward| r.amount.grains()).sum::<u64>()
    }
}

fn signed(from: u8, nonce: u64, fee: u64, action: Action) -> Transaction {
    let body = Body { chain: CHAIN, sender: key(from).address(), nonce, fee: grains(fee), action };
    Transaction::sign(body, &key(from)).unwrap()
}

fn pay(from: u8, nonce: u64, to: u8, amount: u64) -> Transaction {
    signed(from, nonce, 0, Action::Transfer { to: key(to).address(), amount: grains(amount) })
}

/// The wishes that can be granted, and the accounts after them.
fn grant(ledger: &Ledger, plan: &Plan) -> Result<(Vec<Transaction>, Map), TestCaseError> {
    let mut transactions = vec![];
    let after = |transactions: &[Transaction]| {
        ledger.run(transactions, plan).map(|execution| {
            let mut map = ledger.accounts.clone();
            set(&mut map, &execution.changed);
            map
        })
    };
    let mut accounts = after(&[]).unwrap();
    for &wish in &plan.wishes {
        let of = |index: u8| accounts.account(&key(index).address()).unwrap();
        let wished = match wish {
            Wish::Pay { from, to, percent, fee } => {
                let amount = grains((of(from).balance.grains() * percent / 100).max(1));
                signed(from, of(from).nonce, fee, Action::Transfer { to: key(to).address(), amount })
            }
            Wish::Register(from) => signed(from, of(from).nonce, 1, Action::Register),
            Wish::Retire(from) => signed(from, of(from).nonce, 1, Action::Retire),
        };
        prop_assert_eq!(wished.check(&CHAIN), Ok(()));
        transactions.push(wished);
        match after(&transactions) {
            Ok(map) => accounts = map,
            Err(e) => {
                let index = transactions.len() - 1;
                prop_assert!(
                    matches!(e, LedgerError::Overspend { index: i, .. } | LedgerError::Registered { index: i }
                        | LedgerError::NotRegistered { index: i } if i == index),
                    "{}",
                    e
                );
                transactions.pop();
            }
        }
    }
    Ok((transactions, accounts))
}

/// Adds what is wrong to a block's transactions, and requires that they are refused for it.
fn refuse(
    ledger: &Ledger,
    plan: &Plan,
    fault: Fault,
    (good, accounts): (&[Transaction], &Map),
    executed: &[Transaction],
) -> Result<(), TestCaseError> {
    let (from, index) = (0, good.len());
    let sender = accounts.account(&key(from).address()).unwrap();
    let (balance, nonce) = (sender.balance.grains(), sender.nonce);
    let refused = |added: &[Transaction]| ledger.run(&[good, added].concat(), plan).unwrap_err();
    match fault {
        Fault::Replay(which) if !executed.is_empty() => {
            let earlier = *which.get(executed);
            let expected = accounts.account(&earlier.body.sender).unwrap().nonce;
            let error = LedgerError::WrongNonce { index, expected, found: earlier.body.nonce };
            prop_assert_eq!(refused(&[earlier]), error);
        }
        Fault::Replay(_) => {}
        Fault::DoubleSpend if balance > 0 => {
            let spends = [pay(from, nonce, 1, balance), pay(from, nonce, 2, balance)];
            let error = LedgerError::WrongNonce { index: index + 1, expected: nonce + 1, found: nonce };
            prop_assert_eq!(refused(&spends), error);
            // With a nonce of its own the second is an overspend, unless the coins come back.
            let spends = [spends[0], pay(from, nonce + 1, 2, balance)];
            let error = LedgerError::Overspend { index: index + 1, balance: Amount::ZERO, spent: grains(balance) };
            prop_assert_eq!(refused(&spends), error);
        }
        Fault::DoubleSpend => {}
        Fault::Overspend => {
            let error = LedgerError::Overspend { index, balance: grains(balance), spent: grains(balance + 1) };
            prop_assert_eq!(refused(&[pay(from, nonce, 1, balance + 1)]), error);
        }
        Fault::NonceAhead(by) => {
            let error = LedgerError::WrongNonce { index, expected: nonce, found: nonce + by };
            prop_assert_eq!(refused(&[pay(from, nonce + by, 1, 1)]), error);
        }
        Fault::OtherChain => {
            let body = Body { chain: ChainId::from_bytes([8; 32]), ..pay(from, nonce, 1, 1).body };
            let other = Transaction::sign(body, &key(from)).unwrap();
            prop_assert_eq!(other.check(&CHAIN), Err(TransactionError::OtherChain));
            prop_assert_eq!(refused(&[other]), LedgerError::OtherChain { index });
        }
        Fault::Forged => {
            let forged = Transaction::sign(pay(from, nonce, 1, 1).body, &key(1)).unwrap();
            let error = TransactionError::Signature(SignatureError::Invalid);
            prop_assert_eq!(forged.check(&CHAIN), Err(error));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn coins_are_conserved_and_blocks_undone(plans in prop::collection::vec(plan(), 1..24), back in 0usize..24) {
        let mut ledger = Ledger::genesis();
        let (mut issued, mut executed, mut past) = (GENESIS, vec![], vec![ledger.clone()]);
        prop_assert_eq!(ledger.coins(), issued);
        for plan in &plans {
            let (transactions, accounts) = grant(&ledger, plan)?;
            if let Some(fault) = plan.fault {
                let all = [&executed[..], &transactions].concat();
                refuse(&ledger, plan, fault, (&transactions, &accounts), &all)?;
            }
            let execution = ledger.run(&transactions, plan).unwrap();
            prop_assert!(execution.changed.keys().eq(execution.previous.keys()));
            ledger.push(execution);
            executed.extend(transactions);

            let contributions = plan.contributors.len() as u32;
            issued += subsidy(&rules(), ledger.height(), contributions).unwrap().grains();
            prop_assert_eq!(ledger.coins(), issued);
            prop_assert_eq!(ledger.roots.last(), Some(&push(&mut MemoryNodes::default(), 0, &ledger.accounts)));
            past.push(ledger.clone());
        }
        // Back, and the same way again.
        let last = ledger.clone();
        let fork = plans.len().saturating_sub(back);
        while ledger.height() > fork as u64 {
            ledger.undo();
            prop_assert_eq!(&ledger, &past[ledger.height() as usize]);
        }
        for execution in &last.executions[fork + 1..] {
            ledger.push(execution.clone());
        }
        prop_assert_eq!(ledger, last);
    }
}
