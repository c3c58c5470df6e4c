//! GradientCoin's command line.

mod answers;
mod commands;
mod error;
mod files;
mod format;
mod interchange;
mod key_file;
mod model_choice;
mod model_dir;
mod node_link;
mod passphrase;
mod run_dir;
mod ui;
mod utf8;

use clap::Parser;
use commands::Command;
use std::path::PathBuf;
use std::process::ExitCode;
use ui::Ui;

/// Trains small transformers and proves every step.
///
/// Exit code 0: success; 1: something was rejected or failed; 2: wrong usage.
#[derive(Parser)]
#[command(name = "gradientcoin", version, max_term_width = 110)]
struct Cli {
    /// Write one JSON document to stdout; warnings go to stderr, progress is hidden
    #[arg(long, global = true)]
    json: bool,
    /// Directory of the cached parameters [default: $GRADIENTCOIN_CACHE, or the platform's cache directory]
    #[arg(long, global = true, value_name = "DIR")]
    cache: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::new(cli.json, cli.cache);
    match cli.command.run(&ui) {
        Ok(output) => {
            ui.print(&output);
            ExitCode::SUCCESS
        }
        Err(error) => {
            ui.fail(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_of_all_commands_fit_together() {
        super::Cli::command().debug_assert();
    }
}
