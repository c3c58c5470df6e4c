//! 7.12: transactions that wait: counted, replaced on purpose, waited for.

use super::devnet::Devnet;
use super::full_node::FullNode;
use crate::common::{Answer as Outcome, program};
use chain::address::SecretKey;
use chain::rpc::{Answer, Query};
use chain::transaction::Transaction;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

const KEY: &str = "--key devnet/keys/key-0.key";

fn send(amount: &str) -> String {
    let to = SecretKey::from_seed(&[9; 32]).address();
    format!("wallet send {KEY} --to {to} --amount {amount}")
}

/// What of the wallet waits in the node.
fn waiting(devnet: &Devnet, node: &FullNode) -> Vec<Transaction> {
    match node.answer(&Query::Waiting(devnet.made.wallet)) {
        Answer::Waiting(waiting) => waiting,
        other => panic!("{other:?}"),
    }
}

fn spawn(devnet: &Devnet, arguments: &str) -> Child {
    let mut command = program(devnet.root());
    command.env("GRADIENTCOIN_PASSPHRASE", "devnet").args(arguments.split_whitespace());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: Child) -> Outcome {
    Outcome::of(&child.wait_with_output().unwrap())
}

#[test]
fn two_sends_in_a_row_both_happen() {
    let devnet = Devnet::new();
    let node = devnet.full_node();
    let sent: Vec<Value> = ["1", "2"].map(|amount| devnet.run(&send(amount)).ok()).into();
    assert_eq!((&sent[0]["nonce"], &sent[1]["nonce"]), (&json!(0), &json!(1)));
    assert_eq!((&sent[0]["waiting"], node.waiting()), (&json!(true), 2));
    let height = node.mine(None);
    for transaction in &sent {
        let found = devnet.run(&format!("chain tx {}", transaction["id"].as_str().unwrap())).ok();
        assert_eq!((&found["height"], &found["amount"]), (&json!(height), &transaction["amount"]));
    }
    // Of the ten coins.
    assert_eq!(devnet.run("wallet balance devnet/keys/key-0.key").ok()["balance"], "7");
    assert_eq!(devnet.run(&send("3")).ok()["nonce"], 2);
    // More than is left, in coins.
    let more = "with those pending before it, it spends 7.1 coins; the account has 7";
    devnet.run(&send("4.1")).refused_as("node", more);
}

#[test]
fn a_nonce_that_waits_is_replaced_only_on_purpose() {
    let devnet = Devnet::new();
    let node = devnet.full_node();
    let first = devnet.run(&(send("1") + " --fee 0.5")).ok();
    let id = first["id"].as_str().unwrap();
    let taken = format!("transaction {id} with nonce 0 is already pending");
    devnet.run(&(send("2") + " --fee 1 --nonce 0")).refused_as("usage", &taken);
    devnet
        .run(&(send("2") + " --fee 1 --nonce 1 --replace"))
        .refused_as("usage", "no transaction with nonce 1 is pending");
    devnet.run(&(send("2") + " --nonce 2")).refused_as("usage", "nonce 2 leaves a gap: the account's next is 1");
    devnet.run(&(send("2") + " --replace")).refused(2, "--nonce");
    let fee =
        "a fee of 0.54 coins is too low to replace the pending transaction with the same nonce; 0.55 would suffice";
    devnet.run(&(send("2") + " --fee 0.54 --nonce 0 --replace")).refused_as("node", fee);
    assert_eq!(waiting(&devnet, &node).iter().map(|t| t.id().unwrap().to_string()).collect::<Vec<_>>(), [id]);

    let second = devnet.run(&(send("2") + " --fee 0.55 --nonce 0 --replace")).ok();
    let ids: Vec<String> = waiting(&devnet, &node).iter().map(|t| t.id().unwrap().to_string()).collect();
    assert_eq!(ids, [second["id"].as_str().unwrap()]);
    node.mine(None);
    let executed = "nonce 0 was already executed; the account's next is 1";
    devnet.run(&(send("2") + " --nonce 0")).refused_as("usage", executed);
    devnet.run(&(send("2") + " --nonce 0 --replace")).refused_as("usage", executed);
}

#[test]
fn waiting_ends_with_the_block() {
    let devnet = Devnet::new();
    let node = devnet.full_node();
    let child = spawn(&devnet, &(send("1") + " --wait"));
    node.until_waiting(1);
    let height = node.mine(None);
    let sent = ended(child).ok();
    assert_eq!((&sent["height"], &sent["index"], &sent["waiting"]), (&json!(height), &json!(0), &json!(false)));
    let block = devnet.run(&format!("chain block {height}")).ok();
    assert_eq!((&sent["block"], &sent["time"]), (&block["id"], &block["time"]));
    // The others wait as well.
    let child = spawn(&devnet, &format!("wallet register {KEY} --wait"));
    node.until_waiting(1);
    node.mine(None);
    assert_eq!(ended(child).ok()["height"], height + 1);
    let child = spawn(&devnet, &format!("wallet retire {KEY} --wait"));
    node.until_waiting(1);
    // Into a block, and the node is gone before it is asked again: its store tells.
    node.mine(None);
    node.stop();
    assert_eq!(ended(child).ok()["height"], height + 2);
}

#[test]
fn waiting_ends_where_it_would_be_in_vain() {
    let devnet = Devnet::new();
    let node = devnet.full_node();
    let child = spawn(&devnet, &(send("1") + " --wait"));
    node.until_waiting(1);
    let other = devnet.run(&(send("2") + " --nonce 0 --replace --fee 0.1")).ok();
    let replaced = format!("was replaced by transaction {}, which is pending", other["id"].as_str().unwrap());
    ended(child).refused_as("failed", &replaced);

    // Another one was executed in its place.
    devnet.run(&send("2.5")).ok();
    let [first, second] = waiting(&devnet, &node)[..] else { panic!() };
    assert_eq!((first.body.nonce, second.body.nonce), (0, 1));
    let child = spawn(&devnet, &(send("3") + " --wait --nonce 1 --replace --fee 0.1"));
    while waiting(&devnet, &node)[1] == second {
        thread::sleep(Duration::from_millis(20));
    }
    node.mine(Some(vec![first, second]));
    ended(child).refused_as("failed", "will not be in a block: another transaction with nonce 1 was executed");

    // Dropped.
    let child = spawn(&devnet, &(send("3") + " --wait"));
    node.until_waiting(1);
    node.forget();
    ended(child).refused_as("failed", "was dropped by the node and is in no block: it can be sent again");

    // The node goes away.
    let child = spawn(&devnet, &(send("3") + " --wait"));
    node.until_waiting(1);
    node.stop();
    ended(child).refused_as("node", "the node stopped, and transaction ");
    devnet.run(&send("3")).refused_as("node", "no node is running in devnet: `gradientcoin devnet` starts one");
}

#[test]
fn who_stops_waiting_loses_nothing() {
    let devnet = Devnet::new();
    let node = devnet.full_node();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradientcoin"));
    command.current_dir(devnet.root()).env("GRADIENTCOIN_PASSPHRASE", "devnet");
    command.args((send("1") + " --wait").split_whitespace()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(told.any(|line| line.contains("is pending; Ctrl-C only stops waiting for it")));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let id = waiting(&devnet, &node)[0].id().unwrap().to_string();
    let line = format!("transaction {id} is still pending; `gradientcoin chain tx {id}` will show its block");
    assert!(told.any(|told| told.contains(&line)));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    node.mine(None);
    assert_eq!(devnet.run(&format!("chain tx {id}")).ok()["nonce"], 0);
}
