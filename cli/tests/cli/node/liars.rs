//! Nodes that lie, and nodes that talk nonsense: refused with exit code 1, each for its reason.

use super::devnet::{Devnet, honest, read_frame, write_frame};
use chain::address::SecretKey;
use chain::block::Block;
use chain::header::{BlockId, ChainId, LedgerRoot, StateDigest};
use chain::rpc::{Answer, AtTip, Found, Proved, Query};
use chain::transaction::TransactionId;
use chain::work::{CompactTarget, meets};
use circuits::model::Slot;
use std::io::Write;
use std::net::Shutdown;

/// Each lie, on a devnet of its own.
#[track_caller]
fn refused(command: &str, text: &str, lie: impl Fn(&mut Answer) + Send + 'static) {
    let devnet = Devnet::new();
    devnet.liar(lie);
    devnet.run(command).refused_as("rejected", text);
}

fn proved(lie: impl Fn(&mut Proved)) -> impl Fn(&mut Answer) {
    move |answer| {
        if let Answer::Account(proved) = answer {
            lie(proved);
        }
    }
}

fn found(lie: impl Fn(&mut Found)) -> impl Fn(&mut Answer) {
    move |answer| {
        if let Answer::Block(Some(found)) = answer {
            lie(found);
        }
    }
}

fn block(lie: impl Fn(&mut Block)) -> impl Fn(&mut Answer) {
    found(move |found| lie(found.block.as_mut().unwrap()))
}

fn model(lie: impl Fn(&mut AtTip)) -> impl Fn(&mut Answer) {
    move |answer| {
        if let Answer::Model(at_tip) = answer {
            lie(at_tip);
        }
    }
}

#[test]
fn about_balances() {
    let command = format!("wallet balance {}", Devnet::new().made.wallet);
    let command = command.as_str();
    let more = "1000000".parse().unwrap();
    refused(command, "not the one that its proof is for", proved(move |p| p.account.balance = more));
    refused(command, "not the one that its proof is for", proved(|p| p.account.nonce = 7));
    refused(
        command,
        "the balance proof is invalid",
        proved(move |p| {
            p.account.balance = more;
            p.proof.account = Some(p.account);
        }),
    );
    let absent = |p: &mut Proved| (p.account, p.proof.account) = (Default::default(), None);
    refused(command, "the balance proof is invalid", proved(absent));
    refused(command, "another block", proved(|p| p.height += 1));
    refused(command, "another block", proved(|p| p.block = BlockId::from_bytes([0; 32])));
    refused(
        command,
        "the block's summary is not the one",
        found(|f| f.record.summary.ledger = LedgerRoot::from_bytes([0; 32])),
    );
    refused(command, "it is for another block", found(|f| f.record.header.nonce += 1));
    refused(command, "it is for another block", found(|f| f.on_chain = false));

    // The proof of a richer account.
    let devnet = Devnet::new();
    let rich = devnet.made.rich;
    devnet.node(move |store, query| match query {
        Query::Account(_) => honest(store, &Query::Account(rich)),
        query => honest(store, &query),
    });
    devnet.run(command).refused_as("rejected", "the balance proof is invalid");
}

/// A tip of the node's own making, without the work.
#[test]
fn about_work() {
    let command = format!("wallet balance {}", Devnet::new().made.wallet);
    for easier in [false, true] {
        let devnet = Devnet::new();
        devnet.node(move |store, query| {
            let forged = |answer: Answer| {
                let Answer::Block(Some(mut found)) = answer else { panic!("{answer:?}") };
                let header = &mut found.record.header;
                if easier {
                    header.target = CompactTarget::from_bits(0x2100_ffff).unwrap();
                }
                let worked = |header: &chain::header::Header| meets(header.id().as_bytes(), header.target.target());
                while worked(header) != easier {
                    header.nonce += 1;
                }
                found.block.as_mut().unwrap().header = *header;
                found
            };
            let tip = honest(store, &Query::Block(chain::rpc::BlockRef::Tip));
            match honest(store, &query) {
                Answer::Account(mut proved) => {
                    proved.block = forged(tip).record.header.id();
                    Answer::Account(proved)
                }
                // What is asked for has an identity that the store does not know.
                Answer::Block(None) => Answer::Block(Some(forged(tip))),
                answer => answer,
            }
        });
        devnet.run(&command).refused_as("rejected", "does not meet its target");
    }
}

#[test]
fn about_the_chain() {
    let status = |lie: fn(&mut chain::rpc::Status)| {
        move |answer: &mut Answer| {
            if let Answer::Status(status) = answer {
                lie(status);
            }
        }
    };
    refused("chain status", "for another chain", status(|s| s.chain = ChainId::from_bytes([0; 32])));
    refused("chain status", "the block's summary is not the one", status(|s| s.tip.summary.step = 9));
    refused("chain status", "the commitments of the model state", status(|s| s.tip.state.segments[0].w[0] = [0; 32]));
    refused("chain status", "it answers another question", |answer| *answer = Answer::Blocks(vec![]));
    refused("chain block tip", "it answers another question", |answer| {
        *answer = Answer::Submitted(TransactionId::from_bytes([0; 32]))
    });
    // The genesis that is asked for, or lies about it.
    refused(
        "chain block 0",
        "not the genesis block",
        found(|f| f.record.summary.ledger = LedgerRoot::from_bytes([0; 32])),
    );
    refused("chain block 0", "not the genesis block", found(|f| f.record.header.time += 1));
    refused("chain block 0", "it is for another block", found(|f| f.record.summary.height = 1));

    // Another genesis in the directory.
    let devnet = Devnet::new();
    let mut genesis = devnet.made.spec.genesis().clone();
    genesis.name.push('!');
    std::fs::write(devnet.dir().join("genesis.bin"), circuits::statements::codec::encode(&genesis).unwrap()).unwrap();
    devnet.run("chain status").refused_as("rejected", "it is for another chain");
}

#[test]
fn about_blocks_and_transactions() {
    refused("chain block 1", "the block's transactions are not those", block(|b| b.transactions.clear()));
    refused("chain block 1", "it is for another block", block(|b| b.summary.step += 1));
    refused("chain block 1", "it is for another block", found(|f| f.block = None));
    refused("chain block 1", "it is for another block", found(|f| f.on_chain = false));
    refused("chain block tip", "it is for another block", found(|f| f.on_chain = false));
    refused("chain block 2", "it answers another question", |answer| *answer = Answer::Transaction(None));
    let devnet = Devnet::new();
    devnet.node(|store, _| honest(store, &Query::Block(chain::rpc::BlockRef::Height(2))));
    devnet.run("chain block 1").refused_as("rejected", "it is for another block");
    let side = devnet.made.side;
    devnet.run(&format!("chain block {side}")).refused_as("rejected", "it is for another block");

    let command = format!("chain tx {}", devnet.made.transfer);
    let included = |lie: fn(&mut chain::rpc::Included)| {
        move |answer: &mut Answer| {
            if let Answer::Transaction(Some(included)) = answer {
                lie(included);
            }
        }
    };
    let nowhere = "the transaction is not in the stated block";
    refused(&command, nowhere, included(|i| i.transaction.body.nonce = 4));
    refused(&command, nowhere, included(|i| i.transaction.signature.0[0] ^= 1));
    refused(&command, nowhere, included(|i| i.index = 1));
    refused(&command, nowhere, included(|i| i.height = 2));
    refused(&command, "it is for another block", included(|i| i.block = BlockId::from_bytes([0; 32])));
}

#[test]
fn about_the_model() {
    let command = "generate --chain devnet --tokens 1";
    refused(command, "the model's weights are not those", model(|m| m.state.w[0][0] ^= 1));
    refused(
        command,
        "the model's weights are not those",
        model(|m| m.state.slots.get_mut(&Slot::Momentum).unwrap()[1][0] ^= 1),
    );
    refused(command, "the commitments of the model state", model(|m| m.record.state.segments[0].w[0] = [0; 32]));
    refused(command, "another step than the block", model(|m| m.state.step = 1));
    refused(command, "another chain than the block", model(|m| m.state.run = None));
    refused(command, "another configuration", model(|m| m.state.config.push(' ')));
    refused(command, "the model: ", model(|m| m.state.w[0].push(0)));
    refused(
        command,
        "the block's summary is not the one",
        model(|m| m.record.summary.state = StateDigest::from_bytes([0; 32])),
    );
}

#[test]
fn about_what_was_submitted() {
    let devnet = Devnet::new();
    devnet.node(|store, query| match query {
        Query::Submit(_) => Answer::Submitted(TransactionId::from_bytes([0; 32])),
        query => honest(store, &query),
    });
    let to = SecretKey::from_seed(&[9; 32]).address();
    let send = format!("wallet send --key devnet/keys/key-0.key --to {to} --amount 1");
    devnet.run(&send).refused_as("rejected", "the node mistook the transaction for another one");
    // The nonce is not taken on trust.
    refused(&send, "not the one that its proof is for", proved(|p| p.account.nonce = 3));
}

#[test]
fn nonsense() {
    let query_of = |stream: &mut _| read_frame(stream).unwrap();
    let says = |text: &str, speak: fn(&mut std::os::unix::net::UnixStream)| {
        let devnet = Devnet::new();
        devnet.raw_node(move |mut stream| {
            query_of(&mut stream);
            speak(&mut stream);
            let _ = stream.shutdown(Shutdown::Both);
        });
        devnet.run("chain status").refused_as("node", text);
    };
    says("the other side closed the connection", |_| {});
    says("the other side closed the connection", |stream| drop(stream.write_all(&[9, 0, 0])));
    says("the other side closed the connection", |stream| drop(stream.write_all(&[9, 0, 0, 0, 1])));
    says("a frame has 4294967295 bytes; the maximum is", |stream| drop(stream.write_all(&[0xff; 8])));
    says("this is not a valid answer", |stream| write_frame(stream, b""));
    says("this is not a valid answer", |stream| write_frame(stream, b"GRADQURY----"));
    says("the answer is malformed", |stream| write_frame(stream, b"GRADANSW\x04\0\0\0\xfa"));
    // What a node says is shown harmlessly.
    let devnet = Devnet::new();
    devnet.node(|_, _| Answer::Refused("no\x1b[2J\nway".repeat(1000)));
    let answer = devnet.run("chain status");
    assert!(!answer.stderr.contains('\x1b') && answer.stderr.len() < 2000 && answer.stderr.lines().count() == 1);
    answer.refused_as("node", "the node refused: no\u{fffd}[2J\u{fffd}way");
}
