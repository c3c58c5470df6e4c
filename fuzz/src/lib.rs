//! Decoders of bytes from outside, and what is asked of each of them. The fuzzer's targets call these functions, and so does
//! `chain/tests/decoders.rs`, over `corpus/` and what becomes of it by mutation.
//!
//! A target must not panic, whatever the input is. It returns whether the input is not only read but accepted by all the
//! rules that it tries.

use backend::curve::{DEFAULT_K, F, Params, Point};
use backend::keys::VerifyingKey;
use backend::ports::commit_port;
use backend::span::{Hiding, SpanStatement, commit_hidden};
use backend::testing::{TOY_K, TOY_PUBLICS, toy};
use chain::address::Address;
use chain::amount::Amount;
use chain::block::Block;
use chain::consensus::contextual::Record;
use chain::consensus::semantic::{self, Checker};
use chain::consensus::structural;
use chain::contribution::Contribution;
use chain::genesis::{ChainSpec, Genesis, keys_digest};
use chain::header::{BLOCK_VERSION, StateDigest};
use chain::ledger::{self, BalanceProof, MemoryNodes};
use chain::light::{Checkpoint, Disk, FileError, Keep, LightClient, LightFile, Opened, Proofs};
use chain::message::{FullBlock, Message};
use chain::rpc::{Answer, Query};
use chain::tensors::GradientTensors;
use chain::transaction::{MAX_BYTES, Transaction};
use circuits::arithmetic::decimal::Decimal;
use circuits::model::file::ModelState;
use circuits::model::{Config, OptimizerKind, SquareSum};
use circuits::statements::codec::{CHECKSUM_BYTES, Encoded, checksum, decode, encode};
use circuits::statements::dataset::{DatasetRoot, MerkleProof, RevealedLeaf};
use circuits::statements::hidden::Opening;
use circuits::statements::{Bundle, GenesisProof, Layouts, Run, SegmentState, StateCommitments};
use group::GroupEncoding;
use std::fmt::{Debug, Display};
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::str::FromStr;
use std::sync::LazyLock;
use verifier::{StepVerifier, proof, verify_canonical, verify_span};

/// The chain that blocks and their parts are held against.
pub static SPEC: LazyLock<ChainSpec> = LazyLock::new(|| {
    let genesis = decode(include_bytes!("../corpus/genesis/golden")).expect("the golden genesis is encoded");
    ChainSpec::new(genesis).expect("the golden genesis is sound")
});

/// Parameters of the small circuits.
pub static TOY_PARAMS: LazyLock<Params> = LazyLock::new(|| Params::new(TOY_K));

static TOY_KEY: LazyLock<VerifyingKey> = LazyLock::new(|| {
    VerifyingKey::with_publics(&TOY_PARAMS, &toy(0).plan, TOY_PUBLICS).expect("the small circuit has a key")
});

/// Public values of the small circuit, by instance.
static PUBLICS: LazyLock<Vec<Vec<F>>> = LazyLock::new(|| (0..3).map(|seed| toy(seed).publics).collect());

/// The chain of a light client: of so small a model that its keys are made soon, and of no one's weights.
pub static LIGHT: LazyLock<(ChainSpec, Params, StepVerifier)> = LazyLock::new(|| {
    let mut config = Config::NANO;
    (config.vocab, config.hidden, config.mlp) = (8, 8, 8);
    (config.layers, config.heads, config.context) = (1, 2, 4);
    let params = Params::new(DEFAULT_K);
    let keys = StepVerifier::new(&params, &config).expect("the model has keys");
    let layouts = Layouts::new(&config);
    // Zeros encode the point at infinity.
    let port = |segment| vec![[0; 32]; layouts.of(segment).columns()];
    let segment = |segment| SegmentState {
        w: port(segment),
        slots: OptimizerKind::Sgd.slots().iter().map(|&slot| (slot, port(segment))).collect(),
    };
    let genesis = Genesis {
        keys: keys_digest(&keys),
        config: config.to_json(),
        state: StateCommitments { segments: (0..layouts.segments()).map(segment).collect() },
        proof: GenesisProof::default(),
        ..SPEC.genesis().clone()
    };
    (ChainSpec::new(genesis).expect("the genesis is sound"), params, keys)
});

/// Decodes, and requires the value to encode to the same bytes.
fn canonical<T: Encoded>(bytes: &[u8]) -> Option<T> {
    let value: T = decode(bytes).ok()?;
    assert_eq!(encode(&value).as_deref(), Ok(bytes), "a {} has two encodings", T::NAME);
    Some(value)
}

/// [`Genesis`], and what follows from a sound one.
pub fn genesis(bytes: &[u8]) -> bool {
    let Some(genesis) = canonical::<Genesis>(bytes) else { return false };
    sound(genesis)
}

fn sound(genesis: Genesis) -> bool {
    let Ok(spec) = ChainSpec::new(genesis) else { return false };
    let Ok(checkpoint) = Checkpoint::genesis(&spec) else { return false };
    for step in [0, 1, u64::MAX] {
        for contributions in [1, spec.rules().max_contributions] {
            for squares in [SquareSum::ZERO, SquareSum::of([i128::MAX; 9])] {
                spec.hyper(step, contributions, squares).expect("no step of a sound genesis is without a rate");
            }
        }
    }
    checkpoint.check(&spec).is_ok()
}

/// [`GenesisProof`].
pub fn genesis_proof(bytes: &[u8]) -> bool {
    canonical::<GenesisProof>(bytes).is_some()
}

/// [`Block`] by itself, as it is and with all digests made right.
pub fn block(bytes: &[u8]) -> bool {
    canonical::<Block>(bytes).is_some_and(stands)
}

fn stands(mut block: Block) -> bool {
    let accepted = structural::block(&SPEC, &block).is_ok();
    let (_, _, _) = (block.id(), block.loss(), block.header.target.work());
    for (index, c) in block.contributions.iter().enumerate() {
        sealed(index, c);
    }
    let digests = block.digests(SPEC.id()).expect("what was decoded is encoded");
    let summary = &mut block.summary;
    summary.version = BLOCK_VERSION;
    (summary.contributions, summary.transactions, summary.proofs) =
        (digests.contributions, digests.transactions, digests.proofs);
    if let Some(update) = &block.update {
        summary.state = StateDigest::of(&update.after);
        points(&update.after);
    }
    block.header.body = summary.digest().expect("what was decoded is encoded");
    let mended = structural::content(&SPEC, &block).is_ok();
    assert!(mended || !accepted, "a block is worse for right digests");
    accepted
}

fn points(state: &StateCommitments) -> bool {
    let shaped = state.check(SPEC.config(), OptimizerKind::Sgd).is_ok();
    state.points().is_ok() && shaped
}

/// [`Contribution`] by itself, its seal and the paths of its leaves.
pub fn contribution(bytes: &[u8]) -> bool {
    canonical::<Contribution>(bytes).is_some_and(|c| sealed(0, &c))
}

fn sealed(index: usize, c: &Contribution) -> bool {
    let shaped = structural::contribution(&SPEC, index, c).is_ok();
    for leaf in &c.leaves {
        let _ = SPEC.genesis().dataset.verify(u64::from(c.seat.slot), c.tensors.as_bytes(), leaf);
    }
    let _ = c.loss();
    semantic::seal(&SPEC, index, c).is_ok() && shaped
}

/// [`GradientTensors`], opened under a configuration.
pub fn tensors(bytes: &[u8]) -> bool {
    canonical::<GradientTensors>(bytes).is_some_and(|tensors| opens(&tensors))
}

fn opens(tensors: &GradientTensors) -> bool {
    let Ok(gradients) = tensors.open(SPEC.config()) else { return false };
    assert_eq!(GradientTensors::new(&gradients), *tensors);
    true
}

/// [`Message`], and what a node does first with what is in it.
pub fn message(bytes: &[u8]) -> bool {
    match canonical(bytes) {
        None => false,
        Some(Message::Tip { .. } | Message::GetBlocks { .. }) => true,
        Some(Message::Blocks(blocks)) => blocks.into_iter().all(|FullBlock { block, tensors }| {
            let opened = tensors.iter().all(opens);
            stands(block) && opened
        }),
        Some(Message::Contribution(full)) => {
            let opened = opens(&full.tensors);
            sealed(0, &full.contribution) && opened
        }
        Some(Message::Transaction(transaction)) => transaction.check(SPEC.id()).is_ok(),
    }
}

/// [`Query`].
pub fn query(bytes: &[u8]) -> bool {
    match canonical(bytes) {
        None => false,
        Some(Query::Submit(transaction) | Query::Replace(transaction)) => transaction.check(SPEC.id()).is_ok(),
        Some(_) => true,
    }
}

/// [`Answer`], and what an asker does with it.
pub fn answer(bytes: &[u8]) -> bool {
    match canonical(bytes) {
        None => false,
        Some(Answer::Genesis(genesis)) => sound(*genesis),
        Some(Answer::Block(Some(found))) => {
            let kept = recorded(&found.record);
            found.block.is_none_or(stands) && kept
        }
        Some(Answer::Blocks(blocks)) => blocks.into_iter().all(stands),
        Some(Answer::Account(proved)) => shows(&proved.proof),
        Some(Answer::Model(at)) => {
            let kept = recorded(&at.record);
            at.state.open().is_ok() && kept
        }
        Some(Answer::Status(status)) => recorded(&status.tip),
        Some(Answer::Transaction(Some(included))) => included.transaction.check(SPEC.id()).is_ok(),
        Some(Answer::Waiting(waiting)) => waiting.iter().all(|transaction| transaction.check(SPEC.id()).is_ok()),
        Some(Answer::History(history)) => history.iter().all(|found| found.transaction.check(SPEC.id()).is_ok()),
        Some(Answer::Block(None) | Answer::Transaction(None) | Answer::Submitted(_) | Answer::Refused(_)) => true,
    }
}

/// [`Transaction`].
pub fn transaction(bytes: &[u8]) -> bool {
    let Some(transaction) = canonical::<Transaction>(bytes) else { return false };
    assert!(bytes.len() <= MAX_BYTES);
    transaction.check(SPEC.id()).is_ok()
}

/// [`Record`], with header and summary.
pub fn record(bytes: &[u8]) -> bool {
    canonical::<Record>(bytes).is_some_and(|record| recorded(&record))
}

fn recorded(record: &Record) -> bool {
    let (_, _) = (record.parent(), record.header.target.work());
    let named = record.summary.digest().expect("what was decoded is encoded") == record.header.body;
    points(&record.state) && (named || record.summary.height == 0)
}

/// [`BalanceProof`] under the golden ledger's first root: nothing but the truth can be shown.
pub fn balance_proof(bytes: &[u8]) -> bool {
    let Ok(proof) = BalanceProof::decode(bytes) else { return false };
    assert_eq!(encode(&proof).as_deref(), Ok(bytes), "a balance proof has two encodings");
    shows(&proof)
}

fn shows(proof: &BalanceProof) -> bool {
    let accounts = SPEC.genesis().accounts();
    let (root, _) = ledger::update(&MemoryNodes::default(), 0, &accounts).expect("there is a first ledger");
    let absent = [Address([0; 32]), Address([0xff; 32])];
    let mut shown = false;
    for address in accounts.keys().chain(&absent) {
        if let Ok(found) = proof.verify(&root, address) {
            assert_eq!(found.as_ref(), accounts.get(address), "a lie about {address} is shown");
            shown = true;
        }
    }
    shown
}

/// A data set's root, its number of leaves, an index, a leaf, and the rest is [`MerkleProof`].
pub fn merkle_proof(bytes: &[u8]) -> bool {
    let Some((head, path)) = bytes.split_first_chunk::<80>() else { return false };
    let (mut root, mut leaf) = ([0; 32], [0; 32]);
    root.copy_from_slice(&head[..32]);
    leaf.copy_from_slice(&head[48..]);
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |n, &byte| (n << 8) | u64::from(byte));
    let (leaves, index) = (number(&head[32..40]), number(&head[40..48]));
    let proof = MerkleProof(path.to_vec());
    // The golden root has few leaves that anybody can name; the stated one leads further.
    let _ = SPEC.genesis().dataset.verify(index, &leaf, &proof);
    DatasetRoot::new(root, leaves).is_ok_and(|root| root.verify(index, &leaf, &proof).is_ok())
}

/// [`Checkpoint`] of the golden chain.
pub fn checkpoint(bytes: &[u8]) -> bool {
    let Some(checkpoint) = canonical::<Checkpoint>(bytes) else { return false };
    recorded(&checkpoint.record);
    checkpoint.digest().expect("what was decoded is encoded");
    checkpoint.check(&SPEC).is_ok()
}

/// A light client's file: the input as a whole file, as what follows the first record, and as a record's content.
pub fn light_file(bytes: &[u8]) -> bool {
    let whole = reopens(bytes.to_vec());
    let mut file = Cursor::new(vec![]);
    open(&mut file).expect("a new file is opened");
    let tail = reopens([file.get_ref(), bytes].concat());
    let (mut opened, _) = open(&mut file).expect("a file without blocks is opened");
    opened.replace(0, &[bytes]).expect("any content is written");
    drop(opened);
    let content = reopens(file.into_inner());
    whole || tail || content
}

fn open(file: &mut Cursor<Vec<u8>>) -> Result<(LightFile<Memory<'_>>, Opened), FileError> {
    let (spec, params, keys) = &*LIGHT;
    let checker = Checker::unproven(spec, params, keys).expect("the keys are those of the genesis");
    let mut client = LightClient::from_genesis(checker, spec.id()).expect("the genesis is trusted");
    LightFile::open_on(Memory(file), &mut client, Proofs::Trusted)
}

/// Opens a file; what was dropped from it stays dropped, and what was read is read again.
fn reopens(file: Vec<u8>) -> bool {
    let mut file = Cursor::new(file);
    let Ok((_, first)) = open(&mut file) else { return false };
    let (_, second) = open(&mut file).expect("what was opened is opened again");
    assert_eq!((first.report.clone(), None), (second.report, second.dropped));
    first.report.taken > 0
}

/// A file in memory.
struct Memory<'a>(&'a mut Cursor<Vec<u8>>);

impl Read for Memory<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Memory<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Memory<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl Disk for Memory<'_> {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.get_mut().truncate(length as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// [`Run`].
pub fn run(bytes: &[u8]) -> bool {
    canonical::<Run>(bytes).is_some_and(|run| runs(&run))
}

fn runs(run: &Run) -> bool {
    run.id().expect("what was decoded is encoded");
    run.check().is_ok_and(|config| (0..3).all(|step| run.hyper(&config, step, SquareSum::ZERO).is_ok()))
}

/// [`Bundle`] without its proofs.
pub fn bundle(bytes: &[u8]) -> bool {
    let Some(bundle) = canonical::<Bundle>(bytes) else { return false };
    let _ = bundle.proof_bytes();
    points(&bundle.before);
    runs(&bundle.run)
}

/// [`ModelState`].
pub fn model_state(bytes: &[u8]) -> bool {
    mended(bytes, model_of)
}

fn model_of(bytes: &[u8]) -> bool {
    let Some(file) = canonical::<ModelState>(bytes) else { return false };
    let Ok((config, state)) = file.clone().open() else { return false };
    assert_eq!(ModelState::new(&config, &state, file.run, file.step), file);
    true
}

/// Number of instances, then a proof of the small circuit.
pub fn small_proof(bytes: &[u8]) -> bool {
    let Some((&instances, proof)) = bytes.split_first() else { return false };
    let expected = usize::from(instances % 4);
    let encodings = proof::port_encodings(&TOY_KEY, expected, proof);
    let Ok(columns) = proof::instances(&TOY_KEY, proof, &PUBLICS[..expected]) else { return false };
    let Ok(ports) = proof::verify(&TOY_PARAMS, &TOY_KEY, expected, proof, &columns) else { return false };
    let encode = |port: &Vec<Point>| port.iter().map(GroupEncoding::to_bytes).collect();
    let found = ports.iter().map(|instance| instance.iter().map(encode).collect()).collect();
    assert_eq!(encodings.ok(), Some(found));
    true
}

/// Columns of [`opening`].
pub fn opened_columns() -> Vec<Vec<F>> {
    (1..=3).map(|seed| (0..200).map(|i| F::from(seed * i)).collect()).collect()
}

/// Number of commitments, then an opening that is to show their blinds.
pub fn opening(bytes: &[u8]) -> bool {
    static COMMITMENTS: LazyLock<Vec<Point>> =
        LazyLock::new(|| commit_port(&TOY_PARAMS, &opened_columns()).expect("no commitment is the point at infinity"));
    let Some((&commitments, proof)) = bytes.split_first() else { return false };
    verify_canonical(&TOY_PARAMS, &COMMITMENTS[..usize::from(commitments % 4)], proof).is_ok()
}

/// Pairs of [`span`]: two commitments each of one column, and what hides them.
pub fn hidden_pairs() -> Vec<(Hiding, Hiding)> {
    let hiding = |seed: u64| Hiding(std::array::from_fn(|i| F::from(seed * 1000 + i as u64)));
    (0..3).map(|i| (hiding(2 * i + 1), hiding(2 * i + 2))).collect()
}

/// The statement of [`span`].
pub fn span_statement() -> SpanStatement {
    SpanStatement::new(b"fuzzed")
}

/// Number of pairs, then a proof that the differences of their commitments lie in the span of what hides them.
pub fn span(bytes: &[u8]) -> bool {
    static PAIRS: LazyLock<Vec<(Point, Point)>> = LazyLock::new(|| {
        let commit = |(column, hiding): (&Vec<F>, &Hiding)| {
            commit_hidden(&TOY_PARAMS, &column[..20], hiding).expect("no commitment is the point at infinity")
        };
        let pair = |(column, (a, b)): (&Vec<F>, &(Hiding, Hiding))| (commit((column, a)), commit((column, b)));
        opened_columns().iter().zip(&hidden_pairs()).map(pair).collect()
    });
    let Some((&pairs, proof)) = bytes.split_first() else { return false };
    verify_span(&TOY_PARAMS, &span_statement(), &PAIRS[..usize::from(pairs % 4)], proof).is_ok()
}

/// With its checksum made right too: a fuzzer finds no other.
fn mended(bytes: &[u8], accepts: impl Fn(&[u8]) -> bool) -> bool {
    let content = &bytes[..bytes.len().saturating_sub(CHECKSUM_BYTES)];
    let mended = [content, &checksum(content)].concat();
    let accepted = accepts(bytes);
    if mended != bytes {
        accepts(&mended);
    }
    accepted
}

/// [`RevealedLeaf`].
pub fn revealed_leaf(bytes: &[u8]) -> bool {
    mended(bytes, |bytes| canonical::<RevealedLeaf>(bytes).is_some_and(|leaf| leaf.verify(&TOY_PARAMS, 4).is_ok()))
}

/// [`Opening`] of a private state.
pub fn state_opening(bytes: &[u8]) -> bool {
    mended(bytes, |bytes| canonical::<Opening>(bytes).is_some_and(|opening| !opening.hidden.is_empty()))
}

/// Text: configurations, addresses, amounts, decimals and roots of data sets, each of which has one form.
pub fn text(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let config = Config::from_json(text).map(|config| {
        assert_eq!(Config::from_json(&config.to_json()).as_ref(), Ok(&config));
    });
    config.is_ok()
        || parsed::<Address>(text)
        || parsed::<Amount>(text)
        || parsed::<Decimal>(text)
        || parsed::<DatasetRoot>(text)
}

fn parsed<T: FromStr + Display + Debug + PartialEq>(text: &str) -> bool {
    let Ok(value) = text.parse::<T>() else { return false };
    assert_eq!(value.to_string().parse::<T>().ok().as_ref(), Some(&value));
    true
}
