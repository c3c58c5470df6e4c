//! `wallet keygen`: a new key.

use crate::error::CliError;
use crate::key_file::{Cost, KeyFile};
use crate::passphrase::{PassphraseArgs, Purpose};
use crate::ui::{Output, Ui};
use ::chain::address::SecretKey;
use serde_json::json;
use std::path::PathBuf;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// File to make; an existing one is never replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    // Before anything is asked for; the file is created only if it is not there then either.
    if args.out.exists() {
        return Err(CliError::Usage(format!("{} exists already", args.out.display())));
    }
    let passphrase = args.passphrase.get(Purpose::Create)?;
    let key = SecretKey::generate()?;
    let file = {
        let _spinner = ui.spinner("passphrase");
        KeyFile::of(&key, &passphrase, Cost::default()).map_err(CliError::file(&args.out))?
    };
    file.create(&args.out)?;
    let address = key.address().to_string();
    let json = json!({ "ok": true, "file": args.out.display().to_string(), "address": address });
    Ok(Output { text: address, json })
}
