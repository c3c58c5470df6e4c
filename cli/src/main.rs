//! GradientCoin's command line.

mod answers;
mod commands;
mod dataset_root;
mod default_key;
mod entropy;
mod error;
mod evaluation;
mod events;
mod files;
mod format;
mod held_out;
mod interchange;
mod interrupt;
mod key_file;
mod keys;
mod loss_curve;
mod model_choice;
mod model_dir;
mod node_link;
mod output;
mod passphrase;
mod progress;
mod run_dir;
mod stray;
mod tokenizer_file;
mod training_args;
mod ui;
mod utf8;
mod whose;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use commands::Command;
use error::CliError;
use std::path::PathBuf;
use std::process::ExitCode;
use ui::Ui;

/// What the exit codes mean, below every help text.
const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  rejected: what was to be verified is invalid, or an audit found a hole
  2  wrong usage
  3  failed: a file that cannot be read, the disk, a connection, a node that refuses, or the machine
  4  verified conditionally; the message names the condition
130  interrupted by Ctrl-C";

/// Trains small transformers and proves every step.
#[derive(Parser)]
#[command(name = "gradientcoin", version, max_term_width = 110, after_help = EXIT_CODES)]
struct Cli {
    /// Write one JSON document to stdout; warnings go to stderr, progress is hidden
    #[arg(long, global = true)]
    json: bool,
    /// Directory of cached parameters and keys [default: $GRADIENTCOIN_CACHE, or the platform's cache directory]
    #[arg(long, global = true, value_name = "DIR")]
    cache: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let ui = Ui::new(cli.json, cli.cache);
    let told = ui.clone();
    // For commands that have no more to say.
    interrupt::on_interrupt(move || interrupt::end(&told, "interrupted".into()));
    match cli.command.run(&ui, Cli::command()) {
        Ok(output) => {
            ui.print(&output);
            ExitCode::SUCCESS
        }
        Err(error) => {
            match &error {
                CliError::Conditional(output) => ui.print(output),
                failure => ui.fail(failure),
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// Says what is wrong with the arguments, also to a machine that asked for JSON; or shows the help that was asked for.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let _ = error.print();
    // What was parsed is lost: the arguments themselves tell.
    let json = std::env::args_os().skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json");
    if json {
        ui::print_failure("usage", &message(error), None);
    }
    ExitCode::from(2)
}

/// The error itself, on one line, without the hints that follow it.
fn message(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing".into();
    }
    let text = error.render().to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let line = lines.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_of_all_commands_fit_together() {
        super::Cli::command().debug_assert();
    }
}
