//! Each rule of admission, then pools at random.

use crate::address::testing::key;
use crate::address::{Address, SignatureError};
use crate::amount::Amount;
use crate::header::ChainId;
use crate::ledger::testing::rules;
use crate::ledger::{Account, Accounts, Rules, execute};
use crate::pool::mempool::{Inserted, Limits, Mempool, MempoolError, Obstacle};
use crate::transaction::{Action, Body, Transaction, TransactionError, TransactionId};
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

const CHAIN: ChainId = ChainId::from_bytes([9; 32]);
const KEYS: u8 = 4;
const BALANCE: u64 = 100_000;
const HEIGHT: u64 = 7;

type Map = BTreeMap<Address, Account>;

fn grains(grains: u64) -> Amount {
    Amount::from_grains(grains).unwrap()
}

fn limits() -> Limits {
    Limits { transactions: 5, per_sender: 3, min_fee: grains(2), refused: 2 }
}

fn pool(limits: Limits) -> Mempool {
    Mempool::new(CHAIN, Rules { max_transactions: 100, ..rules() }, limits)
}

fn accounts() -> Map {
    let account = Account { balance: grains(BALANCE), ..Account::default() };
    (0..KEYS).map(|index| (key(index).address(), account)).collect()
}

fn signed(from: u8, nonce: u64, fee: u64, action: Action) -> Transaction {
    let body = Body { chain: CHAIN, sender: key(from).address(), nonce, fee: grains(fee), action };
    Transaction::sign(body, &key(from)).unwrap()
}

fn pay(from: u8, nonce: u64, fee: u64, amount: u64) -> Transaction {
    signed(from, nonce, fee, Action::Transfer { to: key(KEYS).address(), amount: grains(amount) })
}

type Outcome = Result<Inserted, MempoolError<Infallible>>;

#[test]
fn what_needs_no_accounts() {
    let (mut pool, accounts) = (pool(limits()), accounts());
    assert_eq!(pool.insert(&accounts, pay(0, 0, 2, 1)), Ok(Inserted::Added));
    assert_eq!(pool.insert(&accounts, pay(0, 0, 2, 1)), Err(MempoolError::Known));
    let other =
        Transaction::sign(Body { chain: ChainId::from_bytes([8; 32]), ..pay(0, 1, 2, 1).body }, &key(0)).unwrap();
    assert_eq!(pool.insert(&accounts, other), Err(MempoolError::OtherChain));
    let cheap = MempoolError::Fee { least: grains(2), found: grains(1) };
    assert_eq!(pool.insert(&accounts, pay(0, 1, 1, 1)), Err(cheap));
    let nothing = pay(0, 1, 2, 0);
    assert_eq!(pool.insert(&accounts, nothing), Err(MempoolError::Invalid(TransactionError::Nothing)));
    assert_eq!(pool.insert(&accounts, nothing), Err(MempoolError::Refused));
}

#[test]
fn a_forgery_is_checked_once_and_does_not_keep_the_original_out() {
    let (mut pool, accounts) = (pool(limits()), accounts());
    let honest = pay(0, 0, 2, 1);
    let forged = |by: u8| Transaction::sign(honest.body, &key(by)).unwrap();
    let invalid = || -> Outcome { Err(MempoolError::Invalid(TransactionError::Signature(SignatureError::Invalid))) };
    assert_eq!(pool.insert(&accounts, forged(1)), invalid());
    assert_eq!(pool.insert(&accounts, forged(1)), Err(MempoolError::Refused));
    assert_eq!(pool.insert(&accounts, honest), Ok(Inserted::Added));
    assert_eq!(pool.insert(&accounts, forged(2)), Err(MempoolError::Known));
    assert_eq!(pool.get(&honest.id().unwrap()), Some(&honest));

    // Two are remembered.
    let next = pay(0, 1, 2, 1);
    for by in [1, 2] {
        assert_eq!(pool.insert(&accounts, Transaction::sign(next.body, &key(by)).unwrap()), invalid());
    }
    let again = Transaction::sign(Body { nonce: 1, ..forged(1).body }, &key(1)).unwrap();
    assert_eq!(pool.insert(&accounts, again), Err(MempoolError::Refused));
    assert_eq!(pool.insert(&accounts, Transaction::sign(next.body, &key(3)).unwrap()), invalid());
    assert_eq!(pool.insert(&accounts, again), invalid());
}

#[test]
fn nonces_follow_on_one_another() {
    let (mut pool, mut accounts) = (pool(limits()), accounts());
    accounts.get_mut(&key(0).address()).unwrap().nonce = 4;
    let used = MempoolError::NonceUsed { expected: 4, found: 3 };
    assert_eq!(pool.insert(&accounts, pay(0, 3, 2, 1)), Err(used));
    let gap = MempoolError::NonceGap { expected: 4, found: 5 };
    assert_eq!(pool.insert(&accounts, pay(0, 5, 2, 1)), Err(gap));
    for nonce in 4..7 {
        assert_eq!(pool.insert(&accounts, pay(0, nonce, 2, 1)), Ok(Inserted::Added));
    }
    assert_eq!(pool.insert(&accounts, pay(0, 7, 2, 1)), Err(MempoolError::SenderFull { limit: 3 }));
    let gap = MempoolError::NonceGap { expected: 7, found: u64::MAX };
    assert_eq!(pool.insert(&accounts, pay(0, u64::MAX, 2, 1)), Err(gap));
    accounts.get_mut(&key(1).address()).unwrap().nonce = u64::MAX;
    assert_eq!(pool.insert(&accounts, pay(1, u64::MAX, 2, 1)), Err(MempoolError::LastNonce));
    pool.audit();
}

#[test]
fn a_replacement_pays_a_tenth_more() {
    for (old, least) in [(2, 3), (10, 11), (11, 13), (200, 220), (201, 222)] {
        let (mut pool, accounts) = (pool(limits()), accounts());
        let held = pay(0, 0, old, 1);
        assert_eq!(pool.insert(&accounts, held), Ok(Inserted::Added));
        let refused = MempoolError::Replacement { least, found: least - 1 };
        assert_eq!(pool.insert(&accounts, pay(0, 0, least - 1, 2)), Err(refused));
        assert_eq!(pool.insert(&accounts, pay(0, 0, least, 2)), Ok(Inserted::Replaced(held)));
        assert_eq!(pool.iter().copied().collect::<Vec<_>>(), [pay(0, 0, least, 2)]);
        pool.audit();
    }
    // Also if nothing was paid.
    let mut pool = pool(Limits { min_fee: Amount::ZERO, ..limits() });
    assert_eq!(pool.insert(&accounts(), pay(0, 0, 0, 1)), Ok(Inserted::Added));
    let refused = MempoolError::Replacement { least: 1, found: 0 };
    assert_eq!(pool.insert(&accounts(), pay(0, 0, 0, 2)), Err(refused));
}

#[test]
fn a_sender_can_make_all_that_waits() {
    let (mut pool, mut accounts) = (pool(limits()), accounts());
    let balance = grains(BALANCE);
    let overspend = |nonce, spent| -> Outcome {
        Err(MempoolError::Obstacle { nonce, obstacle: Obstacle::Overspend { balance, spent } })
    };
    assert_eq!(pool.insert(&accounts, pay(0, 0, 2, BALANCE - 1)), overspend(0, u128::from(BALANCE) + 1));
    assert_eq!(pool.insert(&accounts, signed(0, 0, 10, Action::Register)), Ok(Inserted::Added));
    let bond = rules().registration_bond.grains();
    let rest = BALANCE - bond - 10;
    assert_eq!(pool.insert(&accounts, pay(0, 1, 10, rest - 9)), overspend(1, u128::from(BALANCE) + 1));
    assert_eq!(pool.insert(&accounts, pay(0, 1, 10, rest - 10)), Ok(Inserted::Added));
    // One more grain for the first leaves too little for the second.
    assert_eq!(pool.insert(&accounts, signed(0, 0, 11, Action::Register)), overspend(1, u128::from(BALANCE) + 1));

    let obstacle = |nonce, obstacle| -> Outcome { Err(MempoolError::Obstacle { nonce, obstacle }) };
    let retire = |nonce, fee| signed(1, nonce, fee, Action::Retire);
    assert_eq!(pool.insert(&accounts, retire(0, 2)), obstacle(0, Obstacle::NotRegistered));
    accounts.get_mut(&key(1).address()).unwrap().registered = Some(0);
    let register = signed(1, 0, 2, Action::Register);
    assert_eq!(pool.insert(&accounts, register), obstacle(0, Obstacle::Registered));
    assert_eq!(pool.insert(&accounts, retire(0, 2)), Ok(Inserted::Added));
    assert_eq!(pool.insert(&accounts, retire(1, 2)), obstacle(1, Obstacle::NotRegistered));
    assert_eq!(pool.insert(&accounts, signed(1, 1, 2, Action::Register)), Ok(Inserted::Added));
    // Without the retirement, the registration after it is none.
    assert_eq!(pool.insert(&accounts, pay(1, 0, 5, 1)), obstacle(1, Obstacle::Registered));
    pool.audit();
}

#[test]
fn the_worst_last_one_gives_way_to_a_better_one_of_another_sender() {
    let (mut pool, accounts) = (pool(limits()), accounts());
    for t in [pay(0, 0, 3, 1), pay(0, 1, 9, 1), pay(1, 0, 6, 1), pay(1, 1, 5, 1), pay(2, 0, 7, 1)] {
        assert_eq!(pool.insert(&accounts, t), Ok(Inserted::Added));
    }
    // Fee 3 is lower, but 9 comes after it.
    assert_eq!(pool.insert(&accounts, pay(3, 0, 5, 1)), Err(MempoolError::Full { least: Some(grains(5)) }));
    // Its own last one does not give way.
    assert_eq!(pool.insert(&accounts, pay(1, 2, 7, 1)), Err(MempoolError::Full { least: Some(grains(7)) }));
    assert_eq!(pool.insert(&accounts, pay(1, 2, 8, 1)), Ok(Inserted::Evicted(pay(2, 0, 7, 1))));
    assert_eq!(pool.insert(&accounts, pay(3, 0, 9, 1)), Ok(Inserted::Evicted(pay(1, 2, 8, 1))));
    // A forgery evicts nothing.
    let forged = Transaction::sign(pay(2, 0, 50, 1).body, &key(0)).unwrap();
    let invalid = MempoolError::Invalid(TransactionError::Signature(SignatureError::Invalid));
    assert_eq!(pool.insert(&accounts, forged), Err(invalid));
    // A replacement needs no room.
    assert_eq!(pool.insert(&accounts, pay(0, 0, 4, 1)), Ok(Inserted::Replaced(pay(0, 0, 3, 1))));
    assert_eq!(pool.len(), 5);
    pool.audit();
    let mut lonely = self::pool(Limits { transactions: 1, ..limits() });
    assert_eq!(lonely.insert(&accounts, pay(0, 0, 2, 1)), Ok(Inserted::Added));
    assert_eq!(lonely.insert(&accounts, pay(0, 1, 9, 1)), Err(MempoolError::Full { least: None }));
}

/// 7.18: coins in every sentence, not grains in some.
#[test]
fn messages_count_in_coins() {
    let mut pool = pool(Limits { min_fee: grains(1_000_000), ..limits() });
    let refused = |pool: &mut Mempool, transaction, text: &str| {
        assert_eq!(pool.insert(&accounts(), transaction).unwrap_err().to_string(), text);
    };
    let rich = Account { balance: grains(500_000_000), ..Account::default() };
    let rich = Map::from([(key(0).address(), rich)]);
    refused(&mut pool, pay(0, 0, 1, 1), "a fee of 0.00000001 coins is below the minimum of 0.01");
    assert_eq!(pool.insert(&rich, pay(0, 0, 10_000_000, 200_000_000)), Ok(Inserted::Added));
    let again = pool.insert(&rich, pay(0, 0, 10_000_001, 1)).unwrap_err();
    assert_eq!(
        again.to_string(),
        "a fee of 0.10000001 coins is too low to replace the pending transaction with the same nonce; 0.11 would suffice"
    );
    let more = pool.insert(&rich, pay(0, 1, 1_000_000, 300_000_000)).unwrap_err();
    assert_eq!(
        more.to_string(),
        "the sender's transaction 1: with those pending before it, it spends 5.11 coins; the account has 5"
    );
    let full = MempoolError::<Infallible>::Full { least: Some(grains(5)) };
    assert_eq!(full.to_string(), "the pool is full; a fee above 0.00000005 coins would suffice");
    assert_eq!(MempoolError::<Infallible>::Full { least: None }.to_string(), "the pool is full");
}

/// Accounts that cannot be read after so many readings.
struct Failing(Map, Cell<usize>);

#[derive(Debug, PartialEq)]
struct Unreadable;

impl Accounts for Failing {
    type Error = Unreadable;

    fn account(&self, address: &Address) -> Result<Account, Unreadable> {
        let left = self.1.get().checked_sub(1).ok_or(Unreadable)?;
        self.1.set(left);
        Ok(self.0.account(address).unwrap())
    }
}

#[test]
fn unreadable_accounts_are_told_and_change_nothing() {
    let (mut pool, accounts) = (pool(limits()), accounts());
    for from in 0..3 {
        assert_eq!(pool.insert(&accounts, pay(from, 0, 2, 1)), Ok(Inserted::Added));
    }
    let before: Vec<Transaction> = pool.iter().copied().collect();
    let failing = |readings| Failing(accounts.clone(), Cell::new(readings));
    assert_eq!(pool.insert(&failing(0), pay(3, 0, 2, 1)), Err(MempoolError::Accounts(Unreadable)));
    assert_eq!(pool.select(&failing(1), HEIGHT, 5), Err(Unreadable));
    assert_eq!(pool.apply(&failing(1)), Err(Unreadable));
    assert_eq!(pool.restore(&failing(2), &[]), Err(Unreadable));
    assert_eq!(pool.iter().copied().collect::<Vec<_>>(), before);
}

#[test]
fn a_selection_is_the_best_by_fee_that_nonces_allow() {
    let (mut pool, accounts) = (pool(limits()), accounts());
    for t in [pay(0, 0, 3, 1), pay(0, 1, 9, 1), pay(1, 0, 6, 1), pay(1, 1, 5, 1), pay(2, 0, 7, 1)] {
        assert_eq!(pool.insert(&accounts, t), Ok(Inserted::Added));
    }
    let fees = |limit| -> Vec<u64> {
        pool.select(&accounts, HEIGHT, limit).unwrap().iter().map(|t| t.body.fee.grains()).collect()
    };
    assert_eq!(fees(9), [7, 6, 5, 3, 9]);
    assert_eq!(fees(2), [7, 6]);
    let mut few = Mempool::new(CHAIN, Rules { max_transactions: 1, ..rules() }, limits());
    assert_eq!(few.insert(&accounts, pay(0, 0, 2, 1)), Ok(Inserted::Added));
    assert_eq!(few.insert(&accounts, pay(1, 0, 3, 1)), Ok(Inserted::Added));
    assert_eq!(few.select(&accounts, HEIGHT, 9), Ok(vec![pay(1, 0, 3, 1)]));
    // Accounts that the pool was not told of: what they cannot make is left out.
    let mut poorer = accounts.clone();
    poorer.get_mut(&key(1).address()).unwrap().balance = grains(8);
    let left: Vec<Transaction> = pool.select(&poorer, HEIGHT, 9).unwrap();
    assert_eq!(left, [pay(2, 0, 7, 1), pay(1, 0, 6, 1), pay(0, 0, 3, 1), pay(0, 1, 9, 1)]);
}

#[test]
fn a_branch_gives_back_what_the_other_does_not_have() {
    let (mut pool, before) = (pool(limits()), accounts());
    let (first, second, third) = (pay(0, 0, 2, 1), pay(0, 1, 2, 1), pay(0, 2, 2, 1));
    for t in [first, second, third] {
        assert_eq!(pool.insert(&before, t), Ok(Inserted::Added));
    }
    let mut after = before.clone();
    after.get_mut(&key(0).address()).unwrap().nonce = 2;
    assert_eq!(pool.apply(&after), Ok(()));
    assert_eq!(pool.iter().copied().collect::<Vec<_>>(), [third]);
    pool.restore(&before, &[first, second]).unwrap();
    assert_eq!(pool.iter().copied().collect::<Vec<_>>(), [first, second, third]);
    // The new branch has one of them, and emptied the account.
    let account = after.get_mut(&key(0).address()).unwrap();
    (account.nonce, account.balance) = (1, grains(5));
    pool.restore(&after, &[first]).unwrap();
    assert_eq!(pool.iter().copied().collect::<Vec<_>>(), [second]);
    pool.audit();
}

fn action() -> impl Strategy<Value = Action> {
    let transfer = (0..=KEYS, prop_oneof![3 => 1u64..100, 1 => 1u64..BALANCE]);
    let transfer = transfer.prop_map(|(to, amount)| Action::Transfer { to: key(to).address(), amount: grains(amount) });
    prop_oneof![6 => transfer, 2 => Just(Action::Register), 1 => Just(Action::Retire)]
}

#[derive(Clone, Debug)]
enum Step {
    Insert { from: u8, ahead: u64, fee: u64, action: Action },
    Block { limit: usize, paid: u8 },
    Back,
}

fn step() -> impl Strategy<Value = Step> {
    let insert = (0..KEYS, 0u64..4, 1u64..40, action());
    prop_oneof![
        12 => insert.prop_map(|(from, ahead, fee, action)| Step::Insert { from, ahead, fee, action }),
        1 => (0usize..5, 0..KEYS).prop_map(|(limit, paid)| Step::Block { limit, paid }),
        1 => Just(Step::Back),
    ]
}

/// What must hold of a pool at all times, after the block whose accounts are given; gives the selection's accounts.
fn holds(pool: &Mempool, accounts: &Map, limit: usize) -> (Vec<Transaction>, Map) {
    pool.audit();
    for index in 0..KEYS {
        let sender = key(index).address();
        let nonce = accounts.account(&sender).unwrap().nonce;
        let nonces = pool.of(&sender).map(|t| t.body.nonce);
        assert!(nonces.eq((nonce..).take(pool.of(&sender).count())));
    }
    let selected = pool.select(accounts, HEIGHT, limit).unwrap();
    assert_eq!(selected.len(), limit.min(pool.len()), "all that waits can be executed");
    let rules = Rules { max_transactions: 100, ..rules() };
    let execution = execute(accounts, &rules, &CHAIN, HEIGHT, &[], &selected, &[], &key(9).address()).unwrap();
    let mut after = accounts.clone();
    after.extend(execution.changed);
    (selected, after)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pools_at_random(steps in prop::collection::vec(step(), 1..80)) {
        let mut pool = pool(limits());
        let mut chain = vec![(accounts(), vec![])];
        for step in steps {
            let now = chain.last().unwrap().0.clone();
            match step {
                Step::Insert { from, ahead, fee, action } => {
                    let nonce = now[&key(from).address()].nonce + ahead;
                    let new = signed(from, nonce, fee, action);
                    let held: Vec<Transaction> = pool.iter().copied().collect();
                    let outcome = pool.insert(&now, new);
                    let lost: Vec<&Transaction> = held.iter().filter(|t| !pool.iter().any(|p| p == *t)).collect();
                    match outcome {
                        Ok(Inserted::Added) => prop_assert!(lost.is_empty()),
                        Ok(Inserted::Replaced(old)) => {
                            prop_assert_eq!(lost, [&old]);
                            prop_assert_eq!((old.body.sender, old.body.nonce), (new.body.sender, new.body.nonce));
                            prop_assert!(10 * old.body.fee.grains() + old.body.fee.grains() <= 10 * fee);
                            prop_assert!(old.body.fee < new.body.fee);
                        }
                        Ok(Inserted::Evicted(worse)) => {
                            prop_assert_eq!(lost, [&worse]);
                            prop_assert!(worse.body.fee < new.body.fee);
                        }
                        Err(_) => prop_assert!(lost.is_empty()),
                    }
                    prop_assert_eq!(pool.get(&new.id().unwrap()).is_some(), outcome.is_ok() || held.contains(&new));
                }
                Step::Block { limit, paid } => {
                    let (included, mut after) = holds(&pool, &now, limit);
                    // A producer's coins: whoever is paid has more than the pool thought.
                    let account = after.get_mut(&key(paid).address()).unwrap();
                    account.balance = account.balance.checked_add(grains(500)).unwrap();
                    pool.apply(&after).unwrap();
                    prop_assert!(!pool.iter().any(|t| included.contains(t)));
                    chain.push((after, included));
                }
                Step::Back if chain.len() > 1 => {
                    let (_, removed) = chain.pop().unwrap();
                    pool.restore(&chain.last().unwrap().0, &removed).unwrap();
                }
                Step::Back => {}
            }
            holds(&pool, &chain.last().unwrap().0, 100);
        }
    }

    #[test]
    fn the_order_among_senders_does_not_matter(
        wished in prop::collection::vec((0..KEYS, 2u64..40, 1u64..100), 0..12), at in any::<prop::sample::Index>(),
    ) {
        let mut nonces = [0; KEYS as usize];
        let all: Vec<Transaction> = wished.into_iter().map(|(from, fee, amount)| {
            let nonce = &mut nonces[usize::from(from)];
            *nonce += 1;
            pay(from, *nonce - 1, fee, amount)
        }).collect();
        let accounts = accounts();
        let roomy = Limits { transactions: 12, per_sender: 12, ..limits() };
        let filled = |all: &[Transaction]| {
            let mut pool = pool(roomy);
            all.iter().for_each(|t| assert_eq!(pool.insert(&accounts, *t), Ok(Inserted::Added)));
            pool
        };
        let (mut by_sender, mut turned) = (all.clone(), all.clone());
        by_sender.sort_by_key(|t| t.body.sender);
        turned.rotate_left(at.index(all.len() + 1).min(all.len()));
        turned.sort_by_key(|t| t.body.nonce);
        let pools = [all, by_sender, turned].map(|all| filled(&all));
        let select = |pool: &Mempool| pool.select(&accounts, HEIGHT, 5).unwrap();
        for other in &pools[1..] {
            prop_assert!(pools[0].iter().eq(other.iter()));
            prop_assert_eq!(select(&pools[0]), select(other));
        }
        let ids: BTreeSet<TransactionId> = pools[0].iter().map(|t| t.id().unwrap()).collect();
        prop_assert_eq!(ids.len(), pools[0].len());
    }
}
