//! `chain status`: how far the chain is.

use super::{Devnet, describe};
use crate::answers;
use crate::error::CliError;
use crate::format::{plural, table};
use crate::ui::Output;
use ::chain::rpc::{BlockRef, Found};
use serde_json::json;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    devnet: Devnet,
}

/// Runs the command.
pub fn run(args: Args) -> Result<Output, CliError> {
    let link = args.devnet.link()?;
    let spec = link.spec();
    let status = answers::status(&link)?;
    // By identity: the tip may have moved since.
    let tip = answers::block(&link, BlockRef::Id(status.tip.header.id()))?;
    let block = tip.and_then(|Found { block, .. }| block);

    let running = link.is_running()?;
    let node = match status.waiting {
        Some(waiting) => format!("running, {} pending", plural(waiting, "transaction")),
        None if running => "running".to_owned(),
        None => "not running; read from its store".to_owned(),
    };
    let mut rows = vec![
        ("chain", format!("{}, {}", spec.genesis().name, spec.id())),
        ("parameters", spec.config().parameters().to_string()),
        ("node", node),
    ];
    rows.extend(describe::record_rows(&status.tip));
    let mut parts = vec![describe::record(&status.tip)];
    if let Some(block) = &block {
        rows.extend(describe::content_rows(spec, block)?);
        parts.push(describe::content(Some(spec), block)?);
    }
    let json = json!({
        "ok": true,
        "chain": spec.id().to_string(),
        "name": spec.genesis().name,
        "parameters": spec.config().parameters(),
        "running": running,
        "waiting": status.waiting,
        "tip": describe::joined(parts),
    });
    Ok(Output { text: table(&rows), json })
}
