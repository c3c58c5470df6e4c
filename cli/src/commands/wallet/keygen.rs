//! `wallet keygen`: a new key.

use crate::default_key;
use crate::error::CliError;
use crate::files;
use crate::format::table;
use crate::key_file::{Cost, KeyFile};
use crate::passphrase::{PassphraseArgs, Purpose};
use crate::ui::{Output, Ui};
use ::chain::address::SecretKey;
use serde_json::json;
use std::path::PathBuf;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// File to create; an existing one is never replaced [default: the default key, $GRADIENTCOIN_KEY or a file in the
    /// platform's data directory]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let (path, default) = match args.out {
        Some(path) => (path, false),
        None => (default_key::path()?, true),
    };
    // Before anything is asked for; the file is created only if it is not there then either.
    if path.exists() {
        let hint = if default { "; --out creates a key in another file" } else { "" };
        return Err(CliError::Usage(format!("{} already exists{hint}", path.display())));
    }
    let passphrase = args.passphrase.get(Purpose::Create)?;
    let key = SecretKey::generate()?;
    let file = {
        let _spinner = ui.spinner("passphrase");
        KeyFile::of(&key, &passphrase, Cost::default()).map_err(CliError::file(&path))?
    };
    if let Some(dir) = path.parent().filter(|dir| default && !dir.as_os_str().is_empty()) {
        files::create_dir(dir)?;
    }
    file.create(&path)?;
    let (address, path) = (key.address().to_string(), path.display().to_string());
    let json = json!({ "ok": true, "file": path, "address": address });
    Ok(Output { text: table(&[("address", address), ("key file", path)]), json })
}
