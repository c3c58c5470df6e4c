//! `man`: a manual page for the program and for each command.

use crate::error::CliError;
use crate::files;
use crate::format::plural;
use crate::ui::Output;
use clap_mangen::Man;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Directory to write the pages to, for example `man1` in a directory of MANPATH
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command; `command` is the whole program's.
pub fn run(args: Args, mut command: clap::Command) -> Result<Output, CliError> {
    files::create_dir(&args.out)?;
    command.build();
    let mut pages = vec![];
    let name = command.get_name().to_owned();
    write(&command, &name, &args.out, &mut pages)?;
    let text = format!("{}: {}", args.out.display(), plural(pages.len() as u64, "manual page"));
    Ok(Output { text, json: json!({ "ok": true, "pages": pages }) })
}

/// The page of a command, and those of the commands below it.
fn write(command: &clap::Command, name: &str, dir: &Path, pages: &mut Vec<String>) -> Result<(), CliError> {
    let path = dir.join(format!("{name}.1"));
    let mut page = vec![];
    let man = Man::new(command.clone()).title(name.to_uppercase());
    man.render(&mut page).map_err(CliError::io("write", &path))?;
    files::write(&path, &page, false)?;
    pages.push(path.display().to_string());
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        write(below, &format!("{name}-{}", below.get_name()), dir, pages)?;
    }
    Ok(())
}
