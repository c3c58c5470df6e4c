//! `wallet address`: whose key a file holds.

use crate::default_key;
use crate::error::CliError;
use crate::ui::Output;
use serde_json::json;
use std::path::PathBuf;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// The key file; its address is checked against its key only when it is opened [default: the default key]
    file: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args) -> Result<Output, CliError> {
    let (path, file) = default_key::read(args.file.as_deref())?;
    let address = file.address().to_string();
    let json = json!({ "ok": true, "file": path.display().to_string(), "address": address });
    Ok(Output { text: address, json })
}
