//! `chain block`: one block.

use super::{Devnet, describe, hash};
use crate::answers;
use crate::error::CliError;
use crate::format::table;
use crate::ui::Output;
use ::chain::header::BlockId;
use ::chain::rpc::BlockRef;
use serde_json::json;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    devnet: Devnet,
    /// A height, an identity, or `tip`
    #[arg(value_name = "BLOCK", value_parser = block_ref)]
    which: BlockRef,
}

fn block_ref(text: &str) -> Result<BlockRef, String> {
    if text == "tip" {
        return Ok(BlockRef::Tip);
    }
    if text.len() == 64 {
        return hash(text, BlockId::from_bytes).map(BlockRef::Id);
    }
    let height = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    height.map(BlockRef::Height).ok_or_else(|| "give a height, an identity of 64 hexadecimal digits, or `tip`".into())
}

fn name(which: &BlockRef) -> String {
    match which {
        BlockRef::Tip => "tip".into(),
        BlockRef::Height(height) => format!("block of height {height}"),
        BlockRef::Id(id) => format!("block {id}"),
    }
}

/// Runs the command.
pub fn run(args: Args) -> Result<Output, CliError> {
    let link = args.devnet.link()?;
    let found = answers::block(&link, args.which)?.ok_or_else(|| CliError::NotFound(name(&args.which)))?;
    let mut rows = describe::record_rows(&found.record);
    let mut parts = vec![json!({ "ok": true, "on_chain": found.on_chain }), describe::record(&found.record)];
    if !found.on_chain {
        rows.push(("stands", "on a side branch".into()));
    }
    if let Some(block) = &found.block {
        rows.extend(describe::content_rows(link.spec(), block)?);
        parts.push(describe::content(Some(link.spec()), block)?);
    }
    Ok(Output { text: table(&rows), json: describe::joined(parts) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_named_by_height_identity_or_tip() {
        assert_eq!(block_ref("tip"), Ok(BlockRef::Tip));
        assert_eq!(block_ref("18446744073709551615"), Ok(BlockRef::Height(u64::MAX)));
        let id = format!("0f{}", "Ab".repeat(31));
        let bytes = [&[0x0f][..], &[0xab; 31]].concat();
        assert_eq!(block_ref(&id), Ok(BlockRef::Id(BlockId::from_bytes(bytes.try_into().unwrap()))));
        // All digits, and still an identity.
        assert_eq!(block_ref(&"11".repeat(32)), Ok(BlockRef::Id(BlockId::from_bytes([0x11; 32]))));
        let long = "1".repeat(63);
        let odd = format!("{}é", "a".repeat(62));
        let sign = format!("+{}", "1".repeat(63));
        for text in ["", "-1", "+1", "1.0", "Tip", "18446744073709551616", &long, &odd, &sign] {
            assert!(block_ref(text).is_err(), "{text}");
        }
    }
}
