//! What a node says is checked as far as headers, digests and commitments go. That its tip ends the chain of most work, and
//! that the proofs before it hold, is what full nodes and light clients check.

use crate::error::{AnswerError, CliError, Rejection};
use crate::node_link::NodeLink;
use backend::curve::Params;
use chain::address::Address;
use chain::block::Block;
use chain::consensus::contextual::Record;
use chain::genesis::ChainSpec;
use chain::header::{BlockId, StateDigest};
use chain::ledger::{self, Account, MemoryNodes};
use chain::rpc::{Answer, AtTip, BlockRef, Found, Included, MAX_TRANSACTIONS, MAX_WAITING, Query, Status};
use chain::transaction::{Location, Transaction, TransactionId};
use chain::work::{Work, meets};
use circuits::model::{Config, State};

impl From<AnswerError> for CliError {
    fn from(error: AnswerError) -> Self {
        Rejection::Answer(Box::new(error)).into()
    }
}

/// An account that was proven.
pub struct ProvenAccount {
    /// The account; an address that was never named has the default.
    pub account: Account,
    /// Whether the ledger holds it: proven either way.
    pub exists: bool,
    /// The block whose ledger it is in.
    pub record: Record,
}

/// A model whose weights are those that a block commits to.
pub struct ProvenModel {
    /// Configuration.
    pub config: Config,
    /// State.
    pub state: State,
    /// The block.
    pub record: Record,
}

/// Requires a record to hang together: header, summary and state commitments, and work; or to be the genesis.
fn check_record(spec: &ChainSpec, record: &Record) -> Result<(), AnswerError> {
    let Record { header, summary, state, .. } = record;
    if summary.height == 0 {
        // Nobody worked on it, and its header is of the genesis itself.
        let (ledger, _) = ledger::update(&MemoryNodes::default(), 0, &spec.genesis().accounts())?;
        let (header, summary, state) = (spec.header()?, spec.summary(ledger)?, spec.genesis().state.clone());
        let genesis = Record { header, summary, work: Work::ZERO, state };
        return if *record == genesis { Ok(()) } else { Err(AnswerError::Genesis) };
    }
    if summary.digest()? != header.body {
        return Err(AnswerError::Body);
    }
    let target = header.target.target();
    if target > spec.rules().floor.target() || !meets(header.id().as_bytes(), target) {
        return Err(AnswerError::Work);
    }
    let is_states =
        state.check(spec.config(), spec.genesis().optimizer.kind()).is_ok() && StateDigest::of(state) == summary.state;
    if is_states { Ok(()) } else { Err(AnswerError::State) }
}

/// Requires a block to be that of its record.
fn check_block(spec: &ChainSpec, record: &Record, block: &Block) -> Result<(), AnswerError> {
    if block.header != record.header || block.summary != record.summary {
        return Err(AnswerError::Block);
    }
    match block.digests(spec.id())?.missing_from(&block.summary) {
        Some(what) => Err(AnswerError::Content(what)),
        None => Ok(()),
    }
}

fn check_found(spec: &ChainSpec, which: &BlockRef, found: &Found) -> Result<(), AnswerError> {
    let record = &found.record;
    let asked = match which {
        BlockRef::Tip => found.on_chain,
        BlockRef::Height(height) => record.summary.height == *height && found.on_chain,
        BlockRef::Id(id) => record.header.id() == *id,
    };
    if !asked {
        return Err(AnswerError::Block);
    }
    check_record(spec, record)?;
    match &found.block {
        Some(block) => check_block(spec, record, block),
        // The genesis is no block.
        None if record.summary.height == 0 => Ok(()),
        None => Err(AnswerError::Block),
    }
}

/// How far the chain is.
pub fn status(link: &NodeLink) -> Result<Status, CliError> {
    let Answer::Status(status) = link.ask(&Query::Status)? else { return Err(AnswerError::Other.into()) };
    if status.chain != *link.spec().id() {
        return Err(AnswerError::Chain.into());
    }
    check_record(link.spec(), &status.tip)?;
    Ok(*status)
}

/// A block, if there is one.
pub fn block(link: &NodeLink, which: BlockRef) -> Result<Option<Found>, CliError> {
    let Answer::Block(found) = link.ask(&Query::Block(which))? else { return Err(AnswerError::Other.into()) };
    let Some(found) = found else { return Ok(None) };
    check_found(link.spec(), &which, &found)?;
    Ok(Some(*found))
}

/// A block that the node itself spoke of.
fn named(link: &NodeLink, id: BlockId) -> Result<Found, CliError> {
    Ok(block(link, BlockRef::Id(id))?.ok_or(AnswerError::Block)?)
}

/// A transaction of the chain, with its block, if there is one.
pub fn transaction(link: &NodeLink, id: TransactionId) -> Result<Option<(Included, Record)>, CliError> {
    let Answer::Transaction(included) = link.ask(&Query::Transaction(id))? else {
        return Err(AnswerError::Other.into());
    };
    let Some(included) = included else { return Ok(None) };
    if included.transaction.id().map_err(AnswerError::from)? != id {
        return Err(AnswerError::NotIncluded.into());
    }
    let found = named(link, included.block)?;
    check_included(link, &included, &found)?;
    Ok(Some((*included, found.record)))
}

/// Requires a transaction to be signed, and to stand where it is said to be.
fn check_included(link: &NodeLink, included: &Included, found: &Found) -> Result<(), AnswerError> {
    let listed = found.block.as_ref().and_then(|block| block.transactions.get(included.index as usize));
    if listed != Some(&included.transaction) || found.record.summary.height != included.height || !found.on_chain {
        return Err(AnswerError::NotIncluded);
    }
    Ok(included.transaction.check(link.spec().id())?)
}

fn concerns(transaction: &Transaction, address: &Address) -> bool {
    transaction.body.parties().any(|party| party == *address)
}

/// The transactions that wait and concern an address: what it sends, by nonce, then what it receives. Each is signed by its
/// sender; whether there are more is the node's word.
pub fn waiting(link: &NodeLink, address: &Address) -> Result<Vec<Transaction>, CliError> {
    let Answer::Waiting(waiting) = link.ask(&Query::Waiting(*address))? else { return Err(AnswerError::Other.into()) };
    if waiting.len() > MAX_WAITING {
        return Err(AnswerError::List.into());
    }
    let (sent, received) = waiting.split_at(waiting.iter().take_while(|t| t.body.sender == *address).count());
    let ordered = sent.windows(2).all(|pair| pair[0].body.nonce.checked_add(1) == Some(pair[1].body.nonce));
    if !ordered || received.iter().any(|transaction| transaction.body.sender == *address) {
        return Err(AnswerError::List.into());
    }
    for transaction in &waiting {
        if !concerns(transaction, address) {
            return Err(AnswerError::Party.into());
        }
        transaction.check(link.spec().id()).map_err(AnswerError::from)?;
    }
    Ok(waiting)
}

/// At most `limit` transactions of the chain that concern an address, the last first, with the records of their blocks.
/// Each stands where it is said to be; whether there are more is the node's word.
pub fn history(link: &NodeLink, address: &Address, limit: usize) -> Result<Vec<(Included, Record)>, CliError> {
    let mut history: Vec<(Included, Record)> = vec![];
    let mut block: Option<Found> = None;
    while history.len() < limit {
        let before = history.last().map(|(last, _)| Location { height: last.height, index: last.index });
        let most = (limit - history.len()).min(MAX_TRANSACTIONS as usize);
        let query = Query::History { address: *address, before, limit: most as u32 };
        let Answer::History(page) = link.ask(&query)? else { return Err(AnswerError::Other.into()) };
        if page.is_empty() {
            break;
        }
        if page.len() > most {
            return Err(AnswerError::List.into());
        }
        for included in page {
            let place = (included.height, included.index);
            if history.last().is_some_and(|(last, _)| place >= (last.height, last.index)) {
                return Err(AnswerError::List.into());
            }
            if !concerns(&included.transaction, address) {
                return Err(AnswerError::Party.into());
            }
            // Several may be in one block.
            let found = match block.take().filter(|found| found.record.header.id() == included.block) {
                Some(found) => found,
                None => named(link, included.block)?,
            };
            check_included(link, &included, &found)?;
            history.push((included, found.record.clone()));
            block = Some(found);
        }
    }
    Ok(history)
}

/// An account at the tip.
pub fn account(link: &NodeLink, address: &Address) -> Result<ProvenAccount, CliError> {
    let Answer::Account(proved) = link.ask(&Query::Account(*address))? else { return Err(AnswerError::Other.into()) };
    // Asked for by identity: the tip may move in between.
    let Found { record, on_chain, .. } = named(link, proved.block)?;
    if record.summary.height != proved.height || !on_chain {
        return Err(AnswerError::Block.into());
    }
    let proven = proved.proof.verify(&record.summary.ledger, address).map_err(AnswerError::from)?;
    if proven.unwrap_or_default() != proved.account {
        return Err(AnswerError::Account.into());
    }
    Ok(ProvenAccount { account: proved.account, exists: proven.is_some(), record })
}

/// The model at the tip, its commitments recomputed.
pub fn model(link: &NodeLink, params: &Params) -> Result<ProvenModel, CliError> {
    let Answer::Model(at_tip) = link.ask(&Query::Model)? else { return Err(AnswerError::Other.into()) };
    Ok(check_model(link.spec(), params, *at_tip)?)
}

fn check_model(spec: &ChainSpec, params: &Params, at_tip: AtTip) -> Result<ProvenModel, AnswerError> {
    let AtTip { record, state: file } = at_tip;
    check_record(spec, &record)?;
    for (what, same) in [
        ("chain", file.run == Some(*spec.id().as_bytes())),
        ("step", file.step == record.summary.step),
        ("configuration", file.config == spec.genesis().config),
    ] {
        if !same {
            return Err(AnswerError::Foreign(what));
        }
    }
    let (config, state) = file.open()?;
    if spec.layouts().commit_state(params, &state)? != record.state {
        return Err(AnswerError::Weights);
    }
    Ok(ProvenModel { config, state, record })
}

/// Hands a transaction over, to take the place of a waiting one if it `replaces`.
pub fn submit(link: &NodeLink, transaction: &Transaction, replaces: bool) -> Result<TransactionId, CliError> {
    let id = transaction.id().map_err(AnswerError::from)?;
    let query = if replaces { Query::Replace(*transaction) } else { Query::Submit(*transaction) };
    match link.ask(&query)? {
        Answer::Submitted(taken) if taken == id => Ok(id),
        Answer::Submitted(_) => Err(AnswerError::Submitted.into()),
        _ => Err(AnswerError::Other.into()),
    }
}
