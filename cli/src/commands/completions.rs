//! `completions`: what a shell needs to complete commands and options.

use crate::error::CliError;
use crate::ui::Output;
use clap_complete::Shell;
use serde_json::json;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Runs the command; `command` is the whole program's.
pub fn run(args: Args, mut command: clap::Command) -> Result<Output, CliError> {
    let mut script = vec![];
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    let text = String::from_utf8_lossy(&script).trim_end().to_owned();
    let json = json!({ "ok": true, "shell": args.shell.to_string(), "script": text });
    Ok(Output { text, json })
}
