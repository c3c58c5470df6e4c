//! Blocks and transactions in words and in JSON.

use crate::format::{bytes, plural, utc};
use ::chain::block::Block;
use ::chain::consensus::contextual::Record;
use ::chain::genesis::ChainSpec;
use ::chain::header::{Header, Summary};
use ::chain::rpc::Included;
use ::chain::transaction::{Action, Transaction};
use circuits::statements::codec::{self, CodecError};
use serde_json::{Value, json};

/// Nats a prediction, for display; none where there is no prediction.
pub fn mean_loss(sum: u128, predictions: u64) -> Option<f64> {
    (predictions > 0).then(|| sum as f64 / f64::from(1 << 24) / predictions as f64)
}

/// A block's header and summary.
pub fn header(header: &Header, summary: &Summary) -> Value {
    json!({
        "height": summary.height,
        "id": header.id().to_string(),
        "parent": header.parent.to_string(),
        "time": header.time,
        "target": format!("{:#010x}", header.target.bits()),
        "work": header.target.work().value().to_string(),
        "step": summary.step,
        "producer": summary.producer.to_string(),
        "state": summary.state.to_string(),
        "ledger": summary.ledger.to_string(),
    })
}

/// A record. The chain's work is what the node says.
pub fn record(record: &Record) -> Value {
    joined([header(&record.header, &record.summary), json!({ "chain_work": record.work.value().to_string() })])
}

/// The same as lines.
pub fn record_rows(record: &Record) -> Vec<(&'static str, String)> {
    let (header, summary) = (&record.header, &record.summary);
    let mut rows = vec![("height", summary.height.to_string()), ("id", header.id().to_string())];
    if summary.height > 0 {
        rows.push(("parent", header.parent.to_string()));
    }
    rows.push(("time", utc(header.time)));
    rows.push(("target", format!("{:#010x}: {} hashes", header.target.bits(), header.target.work().value())));
    rows.push(("chain's work", format!("{} tries", record.work.value())));
    rows.push(("step", summary.step.to_string()));
    if summary.height > 0 {
        rows.push(("producer", summary.producer.to_string()));
    }
    rows.push(("model state", summary.state.to_string()));
    rows.push(("ledger root", summary.ledger.to_string()));
    rows
}

/// Bytes of all that is proof in a block.
fn proof_bytes(block: &Block) -> u64 {
    let gradients = block.contributions.iter().flat_map(|c| c.proofs.layers.iter().chain(&c.proofs.heads));
    let update = block.update.iter().flat_map(|update| update.proofs.iter().chain([&update.canonical]));
    gradients.chain(update).map(|proof| proof.len() as u64).sum()
}

/// A block's content. Losses are means only where the chain, and with it the number of predictions, is known.
pub fn content(spec: Option<&ChainSpec>, block: &Block) -> Result<Value, CodecError> {
    let predictions = |contributions: u32| spec.map_or(0, |spec| spec.predictions(contributions));
    let contributions = block.contributions.iter().map(|c| {
        json!({
            "contributor": c.seat.contributor.to_string(),
            "slot": c.seat.slot,
            "loss": mean_loss(c.loss(), predictions(1)),
        })
    });
    Ok(json!({
        "loss": mean_loss(block.loss(), predictions(block.contributions.len() as u32)),
        "contributions": contributions.collect::<Vec<_>>(),
        "transactions": block.transactions.iter().map(transaction).collect::<Result<Vec<_>, _>>()?,
        "bytes": codec::encode(block)?.len(),
        "proof_bytes": proof_bytes(block),
    }))
}

/// The same as lines.
pub fn content_rows(spec: &ChainSpec, block: &Block) -> Result<Vec<(&'static str, String)>, CodecError> {
    let (contributions, transactions) = (&block.contributions, &block.transactions);
    let predictions = spec.predictions(contributions.len() as u32);
    let mut rows = vec![];
    if let Some(loss) = mean_loss(block.loss(), predictions) {
        rows.push(("loss", format!("{loss:.4} nats, mean over {}", plural(predictions, "prediction"))));
    }
    rows.push(("contributions", contributions.len().to_string()));
    for c in contributions {
        let loss = mean_loss(c.loss(), spec.predictions(1)).unwrap_or_default();
        rows.push(("", format!("{} slot {}: {loss:.4} nats", c.seat.contributor, c.seat.slot)));
    }
    rows.push(("transactions", transactions.len().to_string()));
    for t in transactions {
        rows.push(("", format!("{}: {}", t.id()?, sentence(t))));
    }
    let size = codec::encode(block)?.len() as u64;
    rows.push(("size", format!("{}, {} of them proofs", bytes(size), bytes(proof_bytes(block)))));
    Ok(rows)
}

/// Where a transaction of the chain is.
pub fn place(included: &Included, record: &Record) -> Value {
    json!({
        "block": included.block.to_string(),
        "height": included.height,
        "index": included.index,
        "time": record.header.time,
    })
}

/// The same as lines.
pub fn place_rows(included: &Included, record: &Record) -> Vec<(&'static str, String)> {
    let Included { block, height, index, .. } = included;
    vec![("block", format!("{block} at height {height}, number {index}")), ("time", utc(record.header.time))]
}

/// What a transaction does.
pub fn sentence(transaction: &Transaction) -> String {
    let sender = transaction.body.sender;
    match transaction.body.action {
        Action::Transfer { to, amount } => format!("{sender} sends {amount} coins to {to}"),
        Action::Register => format!("{sender} registers as a contributor"),
        Action::Retire => format!("{sender} retires as a contributor"),
    }
}

/// A transaction.
pub fn transaction(transaction: &Transaction) -> Result<Value, CodecError> {
    let body = &transaction.body;
    let mut json = json!({
        "id": transaction.id()?.to_string(),
        "sender": body.sender.to_string(),
        "nonce": body.nonce,
        "fee": body.fee.to_string(),
        "action": match body.action {
            Action::Transfer { .. } => "transfer",
            Action::Register => "register",
            Action::Retire => "retire",
        },
    });
    if let Action::Transfer { to, amount } = body.action {
        json["to"] = to.to_string().into();
        json["amount"] = amount.to_string().into();
    }
    Ok(json)
}

/// The same as lines.
pub fn transaction_rows(transaction: &Transaction) -> Result<Vec<(&'static str, String)>, CodecError> {
    let body = &transaction.body;
    Ok(vec![
        ("transaction", transaction.id()?.to_string()),
        ("what", sentence(transaction)),
        ("fee", format!("{} coins", body.fee)),
        ("nonce", body.nonce.to_string()),
    ])
}

/// Joins the members of objects.
pub fn joined(objects: impl IntoIterator<Item = Value>) -> Value {
    let maps = objects.into_iter().filter_map(|object| match object {
        Value::Object(map) => Some(map),
        _ => None,
    });
    Value::Object(maps.flatten().collect())
}
