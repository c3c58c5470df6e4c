//! stub
use crate::error::CliError;
use crate::ui::{Output, Ui};
/// Arguments.
#[derive(clap::Args)]
pub struct Args {}
/// Runs the command.
pub fn run(_: Args, _: &Ui) -> Result<Output, CliError> { Err(CliError::Accepted) }
