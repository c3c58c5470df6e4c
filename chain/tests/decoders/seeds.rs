//! Where the corpus comes from: the golden chain, and what is wrong in ways that mutation seldom finds.

use crate::common::golden::{GOLDEN, transaction};
use crate::common::tip::Tip;
use crate::common::{BEGIN, address, grains};
use crate::targets::{LIGHT, TOY_PARAMS, hidden_pairs, opened_columns, span_statement};
use crate::{corpus, read};
use backend::curve::F;
use backend::keys::VerifyingKey;
use backend::ports::commit_port;
use backend::span::Hiding;
use backend::testing::{TOY_PUBLICS, toy};
use chain::address::Address;
use chain::block::Block;
use chain::ledger::{self, MemoryNodes};
use chain::light::Checkpoint;
use chain::message::{FullBlock, FullContribution, Message};
use chain::rpc::{Answer, AtTip, BlockRef, Found, Included, Proved, Query, Status};
use chain::tensors::GradientTensors;
use chain::transaction::{Action, Location, TransactionId};
use chain::unmined::{Parts, UnminedBlock};
use chain::work::Work;
use circuits::model::file::ModelState;
use circuits::model::{Config, MAX_LAYERS, State, tokens_of_bytes};
use circuits::statements::Bundle;
use circuits::statements::codec::{decode, encode};
use circuits::statements::dataset::{Dataset, DatasetRoot, LeafSecret, RevealedLeaf};
use circuits::statements::hidden::Opening;
use prover::blinding::{PortBlinding, derive_wire};
use prover::canonical::prove_canonical;
use prover::engine::{ProofInstance, prove};
use prover::key::ProverKey;
use prover::private::prove_span;
use std::fs;

/// Files of a target's corpus that follow from the golden chain.
pub fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    let good = good(target);
    let encoded = !matches!(target, "merkle_proof" | "light_file" | "small_proof" | "opening" | "span" | "text");
    let bad = match good.first() {
        Some((_, bytes)) if encoded => bad(bytes),
        _ => vec![("bad-empty", vec![])],
    };
    good.into_iter().chain(bad).chain(odd(target)).map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

/// Writes all; proofs, which are not the same each time, only where they are missing or hold no more.
pub fn write() {
    for target in &super::TARGETS {
        fs::create_dir_all(corpus(target.name)).unwrap();
        for (name, bytes) in of(target.name) {
            fs::write(corpus(target.name).join(name), bytes).unwrap();
        }
        let holds =
            read(target.name).iter().filter(|(name, _)| name.starts_with("proof-")).all(|(_, b)| (target.run)(b));
        let missing = !read(target.name).iter().any(|(name, _)| name.starts_with("proof-"));
        if missing || !holds {
            for (name, bytes) in proofs(target.name) {
                fs::write(corpus(target.name).join(name), bytes).unwrap();
            }
        }
    }
}

type Files = Vec<(&'static str, Vec<u8>)>;

fn good(target: &str) -> Files {
    let (spec, genesis) = (&GOLDEN.spec, &GOLDEN.chain.genesis);
    let (idle, third) = (GOLDEN.block(2), GOLDEN.block(3));
    let pay = idle.transactions[0];
    let record = || GOLDEN.tips[2].record.clone();
    let included = || Included { transaction: pay, block: idle.id(), height: 2, index: 0 };
    let history = |before| Query::History { address: address(1), before, limit: 64 };
    let bundle = || -> Bundle { decode(include_bytes!("../../../fixtures/golden/nano-step.bundle")).unwrap() };
    let private = || -> Bundle { decode(include_bytes!("../../../fixtures/golden/nano-private-step.bundle")).unwrap() };
    match target {
        "genesis" => vec![("golden", encode(genesis).unwrap())],
        "genesis_proof" => vec![("golden", encode(&genesis.proof).unwrap())],
        "block" => vec![("idle", encode(&idle).unwrap()), ("training", encode(&third).unwrap())],
        "contribution" => vec![("golden", encode(&third.contributions[0]).unwrap())],
        "tensors" => vec![("golden", encode(&GOLDEN.chain.tensors[2][0]).unwrap())],
        "message" => [
            ("transaction", Message::Transaction(pay)),
            (
                "tip",
                Message::Tip { id: third.id(), height: 3, work: Work::ZERO.saturating_add(idle.header.target.work()) },
            ),
            ("get-blocks", Message::GetBlocks { locator: vec![third.id(), spec.id().genesis()], limit: 64 }),
            ("blocks", Message::Blocks(vec![FullBlock { block: idle, tensors: vec![] }])),
        ]
        .map(|(name, message)| (name, encode(&message).unwrap()))
        .into(),
        "query" => [
            ("submit", Query::Submit(pay)),
            ("genesis", Query::Genesis),
            ("status", Query::Status),
            ("tip", Query::Block(BlockRef::Tip)),
            ("height", Query::Block(BlockRef::Height(u64::MAX))),
            ("block", Query::Block(BlockRef::Id(third.id()))),
            ("blocks", Query::BlocksAfter { locator: vec![third.id(), spec.id().genesis()], limit: 64 }),
            ("transaction", Query::Transaction(TransactionId::from_bytes(*third.id().as_bytes()))),
            ("account", Query::Account(address(1))),
            ("model", Query::Model),
            ("waiting", Query::Waiting(address(1))),
            ("replace", Query::Replace(pay)),
            ("history", history(None)),
            ("history-before", history(Some(Location { height: u64::MAX, index: u32::MAX }))),
        ]
        .map(|(name, query)| (name, encode(&query).unwrap()))
        .into(),
        "answer" => [
            ("genesis", Answer::Genesis(Box::new(genesis.clone()))),
            ("status", Answer::Status(Box::new(Status { chain: *spec.id(), tip: record(), waiting: Some(1) }))),
            (
                "block",
                Answer::Block(Some(Box::new(Found { record: record(), block: Some(idle.clone()), on_chain: true }))),
            ),
            ("no-block", Answer::Block(None)),
            ("blocks", Answer::Blocks(vec![idle.clone()])),
            ("transaction", Answer::Transaction(Some(Box::new(included())))),
            ("account", Answer::Account(Box::new(proved(&address(1))))),
            ("model", Answer::Model(Box::new(AtTip { record: record(), state: tiny_state() }))),
            ("submitted", Answer::Submitted(pay.id().unwrap())),
            ("refused", Answer::Refused("no".into())),
            ("waiting", Answer::Waiting(vec![pay, transaction(spec, 5, 0, 20, Action::Register)])),
            ("history", Answer::History(vec![included()])),
        ]
        .map(|(name, answer)| (name, encode(&answer).unwrap()))
        .into(),
        "transaction" => {
            let register = transaction(spec, 5, 0, 20, Action::Register);
            let retire = transaction(spec, 5, u64::MAX, 0, Action::Retire);
            vec![("transfer", pay), ("register", register), ("retire", retire)]
                .into_iter()
                .map(|(name, transaction)| (name, encode(&transaction).unwrap()))
                .collect()
        }
        "record" => vec![("golden", encode(&record()).unwrap())],
        "balance_proof" => [("contributor", address(1)), ("account", address(4)), ("none", Address([0xff; 32]))]
            .map(|(name, address)| (name, encode(&proved(&address).proof).unwrap()))
            .into(),
        "merkle_proof" => {
            // One leaf is the root; its hash is that of a zero byte and the leaf.
            let leaf = [7; 32];
            let tree = |leaves: u64, index: u64, root: [u8; 32], path: &[u8]| {
                [&root[..], &leaves.to_le_bytes(), &index.to_le_bytes(), &leaf, path].concat()
            };
            let node = |tag: u8, parts: &[&[u8]]| -> [u8; 32] {
                use blake2::Digest;
                let mut hash = blake2::Blake2b256::new_with_prefix([tag]);
                parts.iter().for_each(|part| hash.update(part));
                hash.finalize().into()
            };
            let (own, beside) = (node(0, &[&leaf]), [9; 32]);
            let two = node(1, &[&own, &beside]);
            vec![("one", tree(1, 0, own, &[])), ("two", tree(2, 0, two, &beside))]
        }
        "checkpoint" => {
            let first = Checkpoint::genesis(spec).unwrap();
            let tip = &GOLDEN.tips[3];
            let mut later = Checkpoint { record: tip.record.clone(), ancestors: vec![] };
            let mut at = later.record.header.parent;
            for _ in 0..3 {
                let header = tip.headers[&at];
                later.ancestors.push(header);
                at = header.parent;
            }
            vec![("genesis", encode(&first).unwrap()), ("tip", encode(&later).unwrap())]
        }
        "light_file" => vec![("block", encode(&first()).unwrap())],
        "run" => [("golden", bundle()), ("private", private())]
            .map(|(name, bundle)| (name, encode(&bundle.run).unwrap()))
            .into(),
        "bundle" => {
            // Proofs are but bytes here.
            let short = |mut bundle: Bundle| {
                let shorten = |proof: &mut Vec<u8>| proof.truncate(40);
                for c in &mut bundle.contributions {
                    c.layers.iter_mut().chain(&mut c.heads).for_each(shorten);
                }
                bundle.updates.iter_mut().for_each(shorten);
                encode(&bundle).unwrap()
            };
            vec![("golden", short(bundle())), ("private", short(private()))]
        }
        "revealed_leaf" => {
            let of = |secret| {
                let data = Dataset::new_told(
                    &TOY_PARAMS,
                    4,
                    &tokens_of_bytes(b"some words of a text"),
                    secret,
                    &mut |_, _| {},
                )
                .unwrap();
                encode(&RevealedLeaf::of(&data, 2).unwrap()).unwrap()
            };
            vec![("private", of(Some(LeafSecret::new([1; 32])))), ("public", of(None))]
        }
        "state_opening" => {
            let column = |seed: u64| vec![Hiding(std::array::from_fn(|i| F::from(seed + i as u64))); 2];
            let hidden = vec![[column(1), column(2)]; 2];
            vec![("two", encode(&Opening { run: [7; 32], step: 3, hidden }).unwrap())]
        }
        "model_state" => vec![("tiny", encode(&tiny_state()).unwrap())],
        "text" => vec![
            ("config", Config::NANO.untied().to_json().into_bytes()),
            ("address", address(1).to_string().into_bytes()),
            ("amount", grains(123_456_789).to_string().into_bytes()),
            ("decimal", b"12.5e-3".to_vec()),
            ("root", DatasetRoot::new([7; 32], 12).unwrap().to_string().into_bytes()),
        ],
        _ => vec![],
    }
}

/// What is wrong in the same ways with all encodings.
fn bad(good: &[u8]) -> Files {
    let (header, body) = good.split_at(12);
    let with = |body: &[u8]| [header, body].concat();
    let mut bad = vec![
        ("bad-empty", vec![]),
        ("bad-header-alone", header.to_vec()),
        ("bad-length-256-mib", with(&[0xfc, 0, 0, 0, 0x10])),
        ("bad-length-2-64", with(&[[0xfd; 1].as_slice(), &[0xff; 8]].concat())),
        ("bad-length-128-bits", with(&[[0xfe; 1].as_slice(), &[0xff; 16]].concat())),
        ("bad-marks", with(&[0xff; 64])),
        ("bad-zeros", with(&[0; 600])),
        ("bad-ones", with(&[1; 600])),
    ];
    // The large ones are altered by mutation alone.
    if good.len() < 20_000 {
        let mut version = good.to_vec();
        version[8] ^= 1;
        bad.extend([
            ("bad-version", version),
            ("bad-last-byte-missing", good[..good.len() - 1].to_vec()),
            ("bad-trailing", with(&[body, &[0]].concat())),
            ("bad-long-varint", with(&[&[0xfb, body[0], 0][..], &body[1..]].concat())),
        ]);
    }
    bad
}

/// What is wrong with some.
fn odd(target: &str) -> Files {
    let third = GOLDEN.block(3);
    match target {
        // Within every limit by itself, and far larger than its text.
        "genesis" => {
            let mut genesis = GOLDEN.chain.genesis.clone();
            let mut config = Config::MINI;
            config.layers = MAX_LAYERS;
            config.check().unwrap();
            genesis.config = config.to_json();
            let layers = encode(&genesis).unwrap();
            genesis.config = "[".repeat(5_000);
            vec![("bad-many-layers", layers), ("bad-nested-config", encode(&genesis).unwrap())]
        }
        // One byte each of what is 24 in memory.
        "tensors" => {
            vec![
                ("bad-empty-tensors", encode(&GradientTensors(vec![vec![]; 5_000])).unwrap()),
                ("bad-large", encode(&GradientTensors(vec![vec![i128::MIN, i128::MAX]; 20])).unwrap()),
            ]
        }
        "message" => {
            let mut contribution = third.contributions[0].clone();
            let proofs = &mut contribution.proofs;
            proofs.layers.iter_mut().chain(&mut proofs.heads).for_each(|proof| proof.truncate(40));
            let full = FullContribution { contribution, tensors: GradientTensors(vec![vec![-1, 0, 1]; 3]) };
            let nested = FullBlock { block: GOLDEN.block(2), tensors: vec![GradientTensors(vec![]); 300] };
            vec![
                ("bad-contribution", encode(&Message::Contribution(Box::new(full))).unwrap()),
                ("bad-many-tensors", encode(&Message::Blocks(vec![nested])).unwrap()),
            ]
        }
        "block" => {
            let mut empty = GOLDEN.block(2);
            empty.transactions.clear();
            let mut proofless = third;
            if let Some(update) = &mut proofless.update {
                update.proofs = vec![vec![]; 3_000];
            }
            vec![("bad-digest", encode(&empty).unwrap()), ("bad-proofs", encode(&proofless).unwrap())]
        }
        "merkle_proof" => {
            let tree = |leaves: u64, index: u64, path: usize| {
                [&[1; 32][..], &leaves.to_le_bytes(), &index.to_le_bytes(), &vec![2; 32 + 32 * path]].concat()
            };
            vec![
                ("bad-no-leaves", tree(0, 0, 0)),
                ("bad-last-of-most", tree(1 << 32, (1 << 32) - 1, 32)),
                ("bad-too-many", tree(u64::MAX, u64::MAX - 1, 64)),
                ("bad-long-path", tree(3, 2, 300)),
            ]
        }
        "light_file" => vec![
            ("bad-record-of-4-gib", [0xff; 40].to_vec()),
            ("bad-record-of-64-mib", [&[0, 0, 0, 4][..], &[0; 36]].concat()),
            ("bad-torn", [0; 35].to_vec()),
            ("bad-parent", encode(&GOLDEN.block(2)).unwrap()),
        ],
        "revealed_leaf" => {
            let data = Dataset::new(&TOY_PARAMS, 4, &tokens_of_bytes(b"some words of a text")).unwrap();
            let alter = |alter: &dyn Fn(&mut RevealedLeaf)| {
                let mut leaf = RevealedLeaf::of(&data, 2).unwrap();
                alter(&mut leaf);
                encode(&leaf).unwrap()
            };
            vec![
                ("bad-tokens", alter(&|leaf| leaf.tokens[1] ^= 1)),
                ("bad-fewer-tokens", alter(&|leaf| leaf.tokens.truncate(4))),
                ("bad-many-tokens", alter(&|leaf| leaf.tokens = vec![1; 5_000])),
                ("bad-index", alter(&|leaf| leaf.index = u64::MAX)),
            ]
        }
        "text" => vec![
            ("bad-root", format!("{}:0", "7".repeat(64)).into_bytes()),
            ("bad-nested", "[".repeat(5_000).into_bytes()),
            ("bad-nested-keys", "{\"a\":".repeat(5_000).into_bytes()),
            ("bad-sizes", br#"{"hidden_size":18446744073709551615,"num_attention_heads":0}"#.to_vec()),
            ("bad-exponent", b"1e-2147483648".to_vec()),
            ("bad-utf8", vec![0xff, 0xfe, 0xc0]),
        ],
        _ => vec![],
    }
}

/// Proofs of one and of two instances, and openings of one and of three commitments.
fn proofs(target: &str) -> Files {
    let numbered = |number: u8, proof: &[u8]| [&[number], proof].concat();
    match target {
        "span" => {
            let of = |number: u8| {
                let pairs = hidden_pairs();
                let pairs = &pairs[..usize::from(number)];
                numbered(number, &prove_span(&TOY_PARAMS, &[1; 32], &span_statement(), pairs).unwrap())
            };
            vec![("proof-one", of(1)), ("proof-three", of(3))]
        }
        "small_proof" => {
            let plan = toy(0).plan;
            let key = VerifyingKey::with_publics(&TOY_PARAMS, &plan, TOY_PUBLICS).unwrap();
            let key = ProverKey::new(&TOY_PARAMS, &plan, key).unwrap();
            let of = |instances: u8| {
                let instance = |seed: u64| {
                    let (toy, wire) = (toy(seed), derive_wire(&[42; 32], b"statement", &seed.to_le_bytes(), 4));
                    let ports = vec![PortBlinding::CANONICAL, wire];
                    ProofInstance { witness: toy.witness, publics: toy.publics, ports }
                };
                let instances_of = (0..u64::from(instances)).map(instance).collect();
                numbered(instances, &prove(&TOY_PARAMS, &key, instances_of, &mut |_| {}).unwrap().bytes)
            };
            vec![("proof-one", of(1)), ("proof-two", of(2))]
        }
        "opening" => {
            let of = |columns: u8| {
                let opened = &opened_columns()[..columns.into()];
                let commitments = commit_port(&TOY_PARAMS, opened).unwrap();
                numbered(columns, &prove_canonical(&TOY_PARAMS, opened, &commitments).unwrap())
            };
            vec![("proof-one", of(1)), ("proof-three", of(3))]
        }
        _ => vec![],
    }
}

/// What the genesis says of an account.
fn proved(address: &Address) -> Proved {
    let accounts = GOLDEN.spec.genesis().accounts();
    let mut nodes = MemoryNodes::default();
    let (_, batch) = ledger::update(&nodes, 0, &accounts).unwrap();
    nodes.insert(batch);
    let proof = ledger::prove(&nodes, 0, address).unwrap();
    let account = accounts.get(address).cloned().unwrap_or_default();
    Proved { account, proof, block: GOLDEN.spec.id().genesis(), height: 0 }
}

/// A block without contributions on the genesis of the light client.
fn first() -> Block {
    let spec = &LIGHT.0;
    let tip = Tip::genesis(spec);
    let ledger = tip.execute(spec, &[], &[], &address(9)).unwrap().root;
    let (contributions, transactions, producer) = (vec![], vec![], address(9));
    let parts = Parts { contributions, transactions, update: None, ledger, producer, now: BEGIN + 50 };
    UnminedBlock::new(spec, &tip.record, &tip.ancestry(spec), parts).unwrap().mine(u64::MAX).unwrap()
}

/// A state of few numbers.
fn tiny_state() -> ModelState {
    let mut config = Config::NANO;
    (config.vocab, config.hidden, config.mlp) = (8, 8, 8);
    (config.layers, config.heads, config.context) = (1, 2, 4);
    ModelState::new(&config, &State::init(&config, 1), Some([3; 32]), 9)
}
