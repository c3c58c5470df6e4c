//! What a light client did.

use crate::format::{bytes, plural, table, time};
use crate::ui::Output;
use ::chain::address::Address;
use ::chain::ledger::Account;
use ::chain::light::{CheckpointDigest, LightClient, LightFile, Opened, SyncReport};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// What was done.
pub struct Done<'a> {
    /// The client's file.
    pub path: &'a Path,
    /// Whether the proofs in it were verified again.
    pub recheck: bool,
    /// Whether the user named the digest of the checkpoint that it starts from.
    pub pinned: bool,
    /// What opening it found.
    pub opened: Opened,
    /// How long that took.
    pub opening: Duration,
    /// What came from the node.
    pub synced: SyncReport,
    /// What was asked for.
    pub balances: Vec<Balance>,
    /// Height and digest of what was written.
    pub checkpoint: Option<(u64, CheckpointDigest)>,
}

/// What an address has, proven.
pub struct Balance {
    /// The address.
    pub address: Address,
    /// Its account.
    pub account: Account,
    /// Height of the block that says so.
    pub height: u64,
}

/// In words and in JSON.
pub fn report(client: &LightClient<'_>, file: &LightFile, done: &Done<'_>) -> Output {
    let (tip, synced, opened) = (client.tip(), &done.synced, &done.opened.report);
    let each = |seconds: f64| if synced.blocks == 0 { 0.0 } else { seconds * 1e3 / synced.blocks as f64 };
    let verifying = Duration::from_secs_f64(synced.verifying);
    let (blocks, proofs) = (|count| plural(count, "block"), |count| plural(count, "proof"));
    let start = client.checkpoint().map(|checkpoint| (checkpoint.record.summary.height, checkpoint.digest().ok()));
    let mut not_checked = vec!["execution of the ledger".to_owned(), "availability of tensors".into()];
    let starts = match &start {
        None => "the genesis; its proof shows that the first state is in range".to_owned(),
        Some((height, digest)) => {
            not_checked.insert(0, format!("all before height {height}, and that the state there is in range"));
            let digest = digest.map_or_else(String::new, |digest| format!(", digest {digest}"));
            let trusted = if done.pinned { "as --digest says" } else { "trusted as the file has it" };
            format!("a checkpoint at height {height}{digest}, {trusted}")
        }
    };
    let mut rows = vec![
        ("chain", client.checker().spec.id().to_string()),
        ("starts from", starts),
        ("height", tip.height().to_string()),
        ("tip", tip.id.to_string()),
        ("training step", tip.summary.step.to_string()),
        ("work", tip.work.value().to_string()),
        match done.recheck {
            true => {
                let (blocks, proofs) = (blocks(opened.taken), proofs(opened.proofs));
                ("rechecked", format!("{blocks} from the file with {proofs}, in {}", time(done.opening)))
            }
            false if opened.taken == 0 => ("from the file", blocks(0)),
            false => ("from the file", format!("{}, not rechecked (--recheck)", blocks(opened.taken))),
        },
        (
            "verified now",
            format!(
                "{} with {} in {}, {:.1} ms each",
                blocks(synced.blocks),
                proofs(synced.proofs),
                time(verifying),
                each(synced.verifying)
            ),
        ),
        (
            "batches",
            format!("{} of proofs, each ending in one multi-scalar multiplication", synced.batches + opened.batches),
        ),
        ("kept", format!("{} in {}, no tensors", bytes(file.bytes()), done.path.display())),
        (
            "the node's tip",
            if synced.agrees { "is this one".into() } else { "is another, with no more work".to_owned() },
        ),
    ];
    for Balance { address, account, height } in &done.balances {
        rows.push(("balance", format!("{address}: {} coins, proven at height {height}", account.balance)));
    }
    if let Some((height, digest)) = &done.checkpoint {
        rows.push(("checkpoint", format!("at height {height}, digest {digest}")));
    }
    rows.push(("not checked", not_checked.join(", ")));
    let rechecked = done.recheck.then(|| {
        json!({
            "blocks": opened.taken,
            "proofs": opened.proofs,
            "batches": opened.batches,
            "seconds": done.opening.as_secs_f64(),
        })
    });
    let json = json!({
        "ok": true,
        "chain": client.checker().spec.id().to_string(),
        "starts_from": start.map(|(height, digest)| json!({
            "height": height,
            "digest": digest.map(|digest| digest.to_string()),
            "pinned": done.pinned,
        })),
        "height": tip.height(),
        "tip": tip.id.to_string(),
        "step": tip.summary.step,
        "from_file": opened.taken,
        "rechecked": rechecked,
        "verified": synced.blocks,
        "proofs": synced.proofs,
        "verifying_seconds": synced.verifying,
        "fetching_seconds": synced.fetching,
        "milliseconds_per_block": each(synced.verifying),
        "batches": synced.batches,
        "file_bytes": file.bytes(),
        "file_blocks": file.blocks(),
        "agrees": synced.agrees,
        "balances": done.balances.iter().map(|balance| json!({
            "address": balance.address.to_string(),
            "grains": balance.account.balance.grains(),
            "height": balance.height,
        })).collect::<Vec<_>>(),
        "checkpoint": done.checkpoint.map(|(height, digest)| json!({ "height": height, "digest": digest.to_string() })),
        "not_checked": not_checked,
    });
    Output { text: table(&rows), json }
}
