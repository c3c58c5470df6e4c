//! Keys, balances with proof, transactions.

use super::devnet::{Devnet, coins, honest, run};
use chain::address::SecretKey;
use chain::rpc::{Answer, Query};
use chain::transaction::{Action, Transaction};
use serde_json::json;
use std::fs;
use std::sync::mpsc::{Receiver, channel};

const KEY: &str = "devnet/keys/key-0.key";

/// A node that takes every transaction.
fn accepting(devnet: &Devnet) -> Receiver<Transaction> {
    let (taken, transactions) = channel();
    devnet.node(move |store, query| match query {
        Query::Submit(transaction) => {
            taken.send(transaction).unwrap();
            Answer::Submitted(transaction.id().unwrap())
        }
        query => honest(store, &query),
    });
    transactions
}

#[test]
fn keys_are_made_once_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let made = run(dir, "wallet keygen --out key", "open sesame").ok();
    let address = made["address"].as_str().unwrap();
    assert!(address.starts_with("grad1") && address.parse::<chain::address::Address>().is_ok());
    assert_eq!(run(dir, "wallet address key", "").ok()["address"], address);
    let content = fs::read(dir.join("key")).unwrap();
    run(dir, "wallet keygen --out key", "open sesame").refused_as("usage", "key already exists");
    assert_eq!(fs::read(dir.join("key")).unwrap(), content);
    let other = run(dir, "wallet keygen --out other", "open sesame").ok();
    assert_ne!(other["address"], address);
    fs::write(dir.join("empty"), "\n").unwrap();
    run(dir, "wallet keygen --out third --passphrase-file empty", "x").refused_as("failed", "the passphrase is empty");
    run(dir, "wallet keygen --out none/key", "x").refused_as("io", "none/key");
    fs::write(dir.join("key"), &content[..50]).unwrap();
    run(dir, "wallet address key", "").refused_as("file", "the key file is malformed");
    run(dir, "wallet", "").refused(2, "");
}

#[test]
fn balances_are_proven() {
    let devnet = Devnet::new();
    let made = devnet.made;
    let balance = |whose: &str| devnet.run(&format!("wallet balance {whose}")).ok();
    let wallet = balance(KEY);
    assert_eq!(wallet, balance(&made.wallet.to_string()));
    assert_eq!((&wallet["balance"], &wallet["grains"]), (&json!("10"), &json!(1_000_000_000u64)));
    assert_eq!((&wallet["exists"], &wallet["nonce"], &wallet["bond"]), (&json!(true), &json!(0), &json!("0")));
    assert_eq!((&wallet["block"], &wallet["height"]), (&json!(made.ids[3].to_string()), &json!(3)));
    // Sent 5 for a fee of 0.1, and locked 2.
    let rich = balance(&made.rich.to_string());
    assert_eq!((&rich["balance"], &rich["bond"], &rich["nonce"]), (&json!("992.9"), &json!("2"), &json!(2)));
    assert_eq!((&rich["registered"], &rich["matured"]), (&json!(2), &json!(false)));
    let shown = devnet.shown(&format!("wallet balance {}", made.rich));
    assert!(shown.contains("at height 2; contributes from height 7 on"), "{shown}");
    assert!(shown.contains("not checked  that this block is the chain's last"), "{shown}");
    assert_eq!(balance(&made.poor.to_string())["balance"], "5");
    let nobody = SecretKey::from_seed(&[9; 32]).address().to_string();
    let absent = balance(&nobody);
    assert_eq!((&absent["balance"], &absent["exists"]), (&json!("0"), &json!(false)));

    let mut typo = nobody.clone();
    let last = typo.pop();
    typo.push(if last == Some('q') { 'p' } else { 'q' });
    devnet.run(&format!("wallet balance {typo}")).refused_as("usage", "the address's checksum is wrong");
    devnet.run("wallet balance none.key").refused_as("io", "none.key");
    devnet.run("wallet balance devnet/genesis.bin").refused_as("file", "genesis.bin");
}

#[test]
fn transactions_are_signed_and_sent() {
    let devnet = Devnet::new();
    let made = devnet.made;
    let to = SecretKey::from_seed(&[9; 32]).address();
    let send = format!("wallet send --key {KEY} --to {to} --amount 1.5 --fee 0.01");
    devnet.run(&send).refused_as("node", "no node is running in devnet");
    let taken = accepting(&devnet);
    let sent = devnet.run(&send).ok();
    let transaction = taken.try_recv().unwrap();
    let body = &transaction.body;
    assert_eq!(transaction.check(made.spec.id()), Ok(()));
    assert_eq!((body.sender, body.nonce, body.fee), (made.wallet, 0, coins("0.01")));
    assert_eq!(body.action, Action::Transfer { to, amount: coins("1.5") });
    assert_eq!(sent["id"], transaction.id().unwrap().to_string());
    assert!(devnet.shown(&send).contains(&transaction.id().unwrap().to_string()));
    assert_eq!(taken.try_recv().unwrap(), transaction);
    devnet.run(&format!("{send} --nonce 0")).ok();
    assert_eq!(taken.try_recv().unwrap().body.nonce, 0);
    for (command, action) in [("register", Action::Register), ("retire", Action::Retire)] {
        assert_eq!(devnet.run(&format!("wallet {command} --key {KEY}")).ok()["action"], command);
        let transaction = taken.try_recv().unwrap();
        assert_eq!((transaction.body.action, transaction.body.sender), (action, made.wallet));
        assert_eq!(transaction.check(made.spec.id()), Ok(()));
    }

    let refused = "the passphrase is wrong, or the key file is damaged";
    run(devnet.root(), &send, "wrong").refused_as("file", refused);
    devnet.run(&send.replace("1.5", "0")).refused_as("usage", "the transaction moves nothing");
    devnet.run(&send.replace("1.5", "21000000")).refused_as("usage", "coins exceed the maximum supply");
    devnet.run(&send.replace("1.5", "0.000000001")).refused(2, "more than 8 digits");
    devnet.run(&send.replace("1.5", "-1")).refused(2, "");
    devnet.run(&send.replace(&to.to_string(), "grad1qq")).refused(2, "");
    assert!(taken.try_recv().is_err());
    // The address in the file is authenticated: another one cannot be put there.
    let path = devnet.root().join(KEY);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(32).position(|w| w == made.wallet.0).unwrap();
    bytes[at..at + 32].copy_from_slice(&made.rich.0);
    fs::write(&path, bytes).unwrap();
    devnet.run(&send).refused_as("file", refused);
    assert!(taken.try_recv().is_err());
}
