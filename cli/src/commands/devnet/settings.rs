//! What a devnet is to be: of a new chain what is asked for, of an existing one what it has. Options that would contradict
//! it are refused, not passed over.

use super::pace;
use crate::error::CliError;
use crate::files::{self, MAX_CORPUS};
use crate::format::{hex, plural};
use crate::node_link::{DEFAULT_DIR, dir_option};
use crate::training_args::{OptimizerArgs, plain};
use crate::ui::Ui;
use chain::address::Address;
use chain::genesis::ChainSpec;
use chain::work::CompactTarget;
use circuits::arithmetic::decimal::Decimal;
use circuits::model::{Config, Optimizer, OptimizerKind, Schedule, check_corpus, tokens_of_bytes};
use circuits::statements::{MAX_INSTANCES_PER_PROOF, MAX_PREDICTIONS, corpus_digest};
use std::path::{Path, PathBuf};

/// Models by name.
const PRESETS: [&str; 3] = ["nano", "micro", "mini"];

/// A corpus for those who have none at hand.
const STORIES: &[u8] = include_bytes!("../../../../fixtures/corpus/stories.txt");

/// Easiest target: about 2^16 tries, a fraction of a second.
const FLOOR: u32 = 0x1f00_ffff;

/// Arguments.
#[derive(clap::Args)]
pub struct Start {
    /// Directory of the devnet; an existing chain is resumed unchanged
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR)]
    pub dir: PathBuf,
    /// Nodes: the first produces, the next ones contribute, the others follow [default: 4, or as many as before]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub nodes: Option<u16>,
    /// Nodes that contribute [default: all but the first, or all that the chain has registered]
    #[arg(long, value_name = "N")]
    pub contributors: Option<u16>,
    /// Blocks to make before stopping [default: until interrupted]
    #[arg(long, value_name = "N")]
    pub blocks: Option<u64>,
    /// Seconds between the blocks of a new chain: sets the mining target and the longest wait for contributions
    /// [default: 60]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub seconds_per_block: Option<u64>,
    /// Hash rate of this machine, for a new chain's first target; 1 selects the easiest target [default: measured]
    #[arg(long, value_name = "HASHES_PER_SECOND", value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    pub hash_rate: Option<u64>,
    /// Model of a new chain [default: nano]
    #[arg(long, value_parser = PRESETS)]
    pub preset: Option<String>,
    /// Corpus of a new chain; its bytes are the tokens [default: a small corpus of stories]
    #[arg(long, value_name = "FILE")]
    pub corpus: Option<PathBuf>,
    /// Sequences per contribution in a new chain [default: 1]
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: Option<u32>,
    /// Learning rate of a new chain [default: 0.1 with sgd, 0.001 with adamw]
    #[arg(long)]
    pub lr: Option<Decimal>,
    #[command(flatten)]
    pub optimizer: OptimizerArgs,
    /// Most instances of a circuit that share a proof in a new chain [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_INSTANCES_PER_PROOF)))]
    pub instances_per_proof: Option<u32>,
    /// Seed of a new chain's first weights [default: 1]
    #[arg(long)]
    pub seed: Option<u64>,
}

/// What a new chain's genesis is made of, beside keys, corpus and model.
#[derive(Debug)]
pub struct Settings {
    /// Nodes.
    pub nodes: u16,
    /// Nodes that contribute.
    pub contributors: u16,
    /// Seconds between blocks.
    pub seconds_per_block: u64,
    /// Target of the first blocks.
    pub target: CompactTarget,
    /// The easiest target.
    pub floor: CompactTarget,
    /// Sequences of a contribution.
    pub batch: u32,
    /// Learning rate by step.
    pub schedule: Schedule,
    /// How the state moves.
    pub optimizer: Optimizer,
    /// Most instances in one proof.
    pub instances_per_proof: u32,
    /// Seed of the first weights.
    pub seed: u64,
}

/// Contributions that a block of a chain with so many contributors may have.
pub fn max_contributions(contributors: u16) -> u32 {
    u32::from(contributors).max(4)
}

/// The schedule of a new chain, if blocks of all sizes can be made with it, and rounding leaves its numbers their meaning.
fn schedule(
    config: &Config,
    (lr, optimizer): (&Decimal, &Optimizer),
    (batch, contributors): (u32, u16),
) -> Result<Schedule, CliError> {
    let usage = |e: &dyn std::fmt::Display| CliError::Usage(e.to_string());
    let schedule = Schedule::constant(lr).map_err(|e| usage(&e))?;
    let predictions = |contributions: u32| u64::from(batch) * u64::from(contributions) * config.context as u64;
    let (least, most) = (predictions(1), predictions(max_contributions(contributors)));
    if most > MAX_PREDICTIONS {
        let contributions = max_contributions(contributors);
        return Err(CliError::Usage(format!(
            "--batch {batch}: a block of {contributions} contributions would have {most} predictions; it can have at most \
             {MAX_PREDICTIONS}"
        )));
    }
    for predictions in [least, most] {
        optimizer.check_rounding((lr, &schedule), predictions).map_err(|e| usage(&e))?;
    }
    Ok(schedule)
}

impl Start {
    /// The command that goes on with the devnet, for so many more blocks.
    pub fn go_on(&self, blocks: Option<u64>) -> String {
        let mut command = format!("gradientcoin devnet{}", dir_option(&self.dir));
        for (option, value) in [("nodes", self.nodes), ("contributors", self.contributors)] {
            if let Some(value) = value {
                command += &format!(" --{option} {value}");
            }
        }
        if let Some(blocks) = blocks {
            command += &format!(" --blocks {blocks}");
        }
        command
    }

    /// The configuration of a new chain.
    pub fn config(&self) -> Result<Config, CliError> {
        Config::preset(self.preset.as_deref().unwrap_or("nano")).map_err(|e| CliError::Usage(e.to_string()))
    }

    /// The corpus of a new chain, every byte of which is looked at.
    pub fn new_corpus(&self, config: &Config, ui: &Ui) -> Result<Vec<u8>, CliError> {
        let Some(file) = &self.corpus else { return Ok(STORIES.to_vec()) };
        let corpus = files::read_shown(file, MAX_CORPUS, "reading the corpus", ui)?;
        check_corpus(&tokens_of_bytes(&corpus), config).map_err(CliError::file(file))?;
        Ok(corpus)
    }

    /// Settings of a new chain of this model; measures the machine unless told what it can.
    pub fn settings(&self, config: &Config, ui: &Ui) -> Result<Settings, CliError> {
        let nodes = self.nodes.unwrap_or(4);
        let most = nodes.saturating_sub(1).max(1);
        let contributors = self.contributors.unwrap_or(most);
        if contributors > most {
            let message =
                format!("{contributors} of {} cannot contribute; at most {most} can", plural(nodes.into(), "node"));
            return Err(CliError::Usage(message));
        }
        let decimal = |given: Option<Decimal>, default: &str| match given {
            Some(given) => Ok(given),
            None => default.parse().map_err(|_| CliError::Usage(format!("{default} is not a number"))),
        };
        let optimizer = self.optimizer.of("0.9")?;
        let usual = match optimizer.kind() {
            OptimizerKind::Sgd => "0.1",
            OptimizerKind::AdamW => "0.001",
        };
        let (lr, batch) = (decimal(self.lr, usual)?, self.batch.unwrap_or(1));
        let instances_per_proof = self.instances_per_proof.unwrap_or(MAX_INSTANCES_PER_PROOF);
        let schedule = schedule(config, (&lr, &optimizer), (batch, contributors))?;
        let seconds_per_block = self.seconds_per_block.unwrap_or(60);
        let floor = CompactTarget::from_bits(FLOOR)?;
        let target = pace::first_target(self.hash_rate, seconds_per_block, floor, ui);
        let seed = self.seed.unwrap_or(1);
        Ok(Settings {
            nodes,
            contributors,
            seconds_per_block,
            target,
            floor,
            batch,
            schedule,
            optimizer,
            instances_per_proof,
            seed,
        })
    }

    /// Requires the options of a new chain, as far as they are given, to be what the chain that is there has.
    pub fn agree(&self, spec: &ChainSpec, corpus: &Path) -> Result<(), CliError> {
        let (genesis, rules) = (spec.genesis(), spec.rules());
        let is_chains = |preset: &str| Config::preset(preset).is_ok_and(|config| config == *spec.config());
        if let Some(given) = self.preset.as_deref().filter(|given| !is_chains(given)) {
            let has = PRESETS.iter().find(|preset| is_chains(preset)).unwrap_or(&"another configuration");
            return Err(contradicts("preset", given, has));
        }
        let has_rate = |rate: &Decimal| Schedule::constant(rate).is_ok_and(|schedule| schedule == genesis.schedule);
        if let Some(given) = self.lr.filter(|given| !has_rate(given)) {
            return Err(contradicts("lr", &plain(&given), &rate(&genesis.schedule)));
        }
        if let Some((option, given, has)) = self.optimizer.contradicts(&genesis.optimizer) {
            return Err(contradicts(option, &given, &has));
        }
        let numbers = [
            ("batch", self.batch.map(u64::from), genesis.batch.into()),
            ("instances-per-proof", self.instances_per_proof.map(u64::from), genesis.instances_per_proof.into()),
            ("seed", self.seed, genesis.seed),
            ("seconds-per-block", self.seconds_per_block, rules.target_spacing),
        ];
        for (option, given, has) in numbers {
            if let Some(given) = given.filter(|given| *given != has) {
                return Err(contradicts(option, &given.to_string(), &has.to_string()));
            }
        }
        let fits = |rate: u64| pace::target(rate, rules.target_spacing, rules.floor) == genesis.target;
        if let Some(given) = self.hash_rate.filter(|given| !fits(*given)) {
            let has = format!("initially {} hashes per block", genesis.target.work().value());
            return Err(contradicts("hash-rate", &given.to_string(), &has));
        }
        match &self.corpus {
            Some(given) => same_corpus(given, corpus),
            None => Ok(()),
        }
    }

    /// Nodes to run of an existing chain, and those of them that contribute: their keys are registered in its genesis.
    pub fn nodes_of(&self, spec: &ChainSpec, accounts: &[Address]) -> Result<(u16, Vec<usize>), CliError> {
        // One account for each node, and one more.
        let nodes = self.nodes.unwrap_or((accounts.len() as u16).saturating_sub(1).clamp(1, 64));
        let is_registered =
            |node: &usize| accounts.get(*node).is_some_and(|address| spec.genesis().contributors.contains(address));
        let registered: Vec<usize> = (0..accounts.len()).filter(is_registered).collect();
        let mut contributing: Vec<usize> = registered.iter().copied().filter(|&node| node < nodes.into()).collect();
        if contributing.is_empty() && !registered.is_empty() && self.contributors != Some(0) {
            let needed = plural(registered[0] as u64 + 1, "node");
            let message =
                format!("--nodes {nodes}: none of them would contribute; the chain's contributors need {needed}");
            return Err(CliError::Usage(message));
        }
        if let Some(given) = self.contributors {
            let (given, most) = (usize::from(given), contributing.len());
            if given > most {
                let (all, nodes) = (registered.len(), plural(nodes.into(), "node"));
                let message =
                    format!("--contributors {given}: the chain has {all}, of which {most} are among its first {nodes}");
                return Err(CliError::Usage(message));
            }
            contributing.truncate(given);
        }
        Ok((nodes, contributing))
    }
}

/// An option that was given and is not what the chain has.
fn contradicts(option: &str, given: &str, has: &str) -> CliError {
    CliError::Usage(format!("--{option} {given}: the existing chain has {has}, and keeps it"))
}

/// The shortest decimal that gives a schedule's rate.
fn rate(schedule: &Schedule) -> String {
    let Schedule::Constant { rate } = *schedule else { return "a schedule that is not constant".into() };
    // For display.
    let value = rate as f64 / (1u64 << 36) as f64;
    let gives = |text: &String| {
        let decimal = text.parse::<Decimal>();
        decimal.is_ok_and(|decimal| Schedule::constant(&decimal).is_ok_and(|given| given == *schedule))
    };
    (0..=12).map(|places| format!("{value:.places$}")).find(gives).unwrap_or_else(|| value.to_string())
}

fn same_corpus(given: &Path, has: &Path) -> Result<(), CliError> {
    let (found, expected) = (files::read(given, MAX_CORPUS)?, files::read(has, MAX_CORPUS)?);
    if found == expected {
        return Ok(());
    }
    let told = |corpus: &[u8]| {
        let (length, digest) = (plural(corpus.len() as u64, "byte"), hex(&corpus_digest(corpus)));
        format!("{length} of digest {}", &digest[..16])
    };
    let given = format!("{} ({})", given.display(), told(&found));
    Err(contradicts("corpus", &given, &told(&expected)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_told_as_they_are_written() {
        for (text, told) in [("0.9", "0.9"), ("5e-1", "0.5"), ("12", "12"), ("1e3", "1000"), ("1.25e-4", "0.000125")] {
            assert_eq!(plain(&text.parse().unwrap()), told);
        }
        assert_eq!(plain(&Decimal::ZERO), "0");
        for text in ["0.1", "0.05", "1", "0.00025", "0.333"] {
            assert_eq!(rate(&Schedule::constant(&text.parse().unwrap()).unwrap()), text);
        }
    }

    #[test]
    fn the_line_that_goes_on_can_be_pasted() {
        let start = |dir: &str| Start {
            dir: dir.into(),
            nodes: Some(3),
            contributors: None,
            blocks: Some(9),
            seconds_per_block: None,
            hash_rate: None,
            preset: None,
            corpus: None,
            batch: None,
            lr: None,
            optimizer: OptimizerArgs::default(),
            instances_per_proof: None,
            seed: None,
        };
        assert_eq!(start("devnet").go_on(None), "gradientcoin devnet --nodes 3");
        assert_eq!(start("my net").go_on(Some(4)), "gradientcoin devnet --dir 'my net' --nodes 3 --blocks 4");
    }
}
