//! One file for each command.

mod audit;
mod chain;
mod completions;
mod dataset;
mod demo;
mod devnet;
mod estimate;
mod eval;
mod export;
mod generate;
mod import;
mod init;
mod inspect;
mod light;
mod logits;
mod man;
mod plot;
mod reveal;
mod train;
mod train_tokenizer;
mod verify;
mod wallet;

use crate::error::CliError;
use crate::ui::{Output, Ui};
use clap::Subcommand;

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Prove three steps of a tiny model, verify them as a third party would, and see forgeries rejected
    Demo(demo::Args),
    /// Run a whole network on this machine: contributors, a producer and followers
    Devnet(devnet::Args),
    /// Create a model with random weights
    Init(init::Args),
    /// Commit to a corpus, sequence by sequence
    Dataset(dataset::Args),
    /// Train a model, optionally proving every step
    Train(train::Args),
    /// Train a tokenizer on a text: a byte-level BPE, for models whose tokens are more than bytes
    TrainTokenizer(train_tokenizer::Args),
    /// Draw the losses that runs have recorded, as SVG
    Plot(plot::Args),
    /// Say what proving a step will take on this machine: time, memory, bytes
    Estimate(estimate::Args),
    /// Continue a text with a model
    Generate(generate::Args),
    /// Measure a model on a corpus: loss, perplexity, bits a byte, beside the entropies of the corpus
    Eval(eval::Args),
    /// Show the logits of the next token after a text, as exact numbers
    Logits(logits::Args),
    /// Verify a run's directory or one step's bundle, without weights
    Verify(verify::Args),
    /// Show the last model of a private run, or a sequence of its data set, with what ties it to the run
    Reveal(reveal::Args),
    /// Import a model from a Hugging Face directory: config.json and safetensors, one file or several, of a LlamaForCausalLM or Qwen2ForCausalLM
    Import(import::Args),
    /// Write a model as a Hugging Face directory, which the transformers library loads
    Export(export::Args),
    /// Show the contents of a devnet's chain: blocks, transactions
    Chain(chain::Args),
    /// Manage keys, balances and transactions
    Wallet(wallet::Args),
    /// Show what the circuits consist of, and search them for unconstrained cells
    Audit(audit::Args),
    /// Follow a chain using only headers, commitments and proofs, and verify all of them
    Light(light::Args),
    /// Show the contents of a file or directory
    Inspect(inspect::Args),
    /// Print a script that completes commands and options in a shell
    Completions(completions::Args),
    /// Write manual pages
    Man(man::Args),
}

impl Command {
    /// Does it; `program` is the command line as a whole, as `clap` knows it.
    pub fn run(self, ui: &Ui, program: clap::Command) -> Result<Output, CliError> {
        match self {
            Command::Demo(args) => demo::run(args, ui),
            Command::Devnet(args) => devnet::run(args, ui),
            Command::Init(args) => init::run(args, ui),
            Command::Dataset(args) => dataset::run(args, ui),
            Command::Train(args) => train::run(args, ui),
            Command::TrainTokenizer(args) => train_tokenizer::run(args, ui),
            Command::Plot(args) => plot::run(args, ui),
            Command::Estimate(args) => estimate::run(args, ui),
            Command::Generate(args) => generate::run(args, ui),
            Command::Eval(args) => eval::run(args, ui),
            Command::Logits(args) => logits::run(args, ui),
            Command::Verify(args) => verify::run(args, ui),
            Command::Reveal(args) => reveal::run(args, ui),
            Command::Import(args) => import::run(args, ui),
            Command::Export(args) => export::run(args, ui),
            Command::Chain(args) => chain::run(args, ui),
            Command::Wallet(args) => wallet::run(args, ui),
            Command::Audit(args) => audit::run(args, ui),
            Command::Light(args) => light::run(args, ui),
            Command::Inspect(args) => inspect::run(args, ui),
            Command::Completions(args) => completions::run(args, program),
            Command::Man(args) => man::run(args, program),
        }
    }
}
