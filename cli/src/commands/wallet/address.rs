//! `wallet address`: whose key a file holds.

use crate::error::CliError;
use crate::key_file::KeyFile;
use crate::ui::Output;
use serde_json::json;
use std::path::PathBuf;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// The key file; that its address is its key's is seen only when it is opened
    file: PathBuf,
}

/// Runs the command.
pub fn run(args: Args) -> Result<Output, CliError> {
    let address = KeyFile::read(&args.file)?.address().to_string();
    let json = json!({ "ok": true, "file": args.file.display().to_string(), "address": address });
    Ok(Output { text: address, json })
}
