//! Measures what a proven step costs, prints the README's table, and keeps the figures with machine, commit and date.
//!
//! `cargo run --release -p benches --bin results`

use backend::curve::CIRCUIT_VERSION;
use benches::flame;
use benches::machine::{Machine, commit, date};
use benches::ready::to_prove;
use benches::results::measure::{Wanted, measure, prove_only};
use benches::results::{FORMAT, Measured, Peers, Results, plot, ratios, table};
use benches::setup::spec;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use std::error::Error;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// Measures what a proven step costs. Prints Markdown; writes JSON and a plot into a directory.
#[derive(Parser)]
struct Options {
    /// Preset to measure; may be repeated, or several separated by commas
    #[arg(long, value_delimiter = ',', default_value = "nano,micro,mini", value_parser = ["nano", "micro", "mini"])]
    preset: Vec<String>,
    /// Runs of proving [default: 3, of `mini` 1]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    runs: Option<u16>,
    /// Directory for the results
    #[arg(long, default_value = "benches/results")]
    out: PathBuf,
    /// Earlier results, to print the ratios to them
    #[arg(long)]
    against: Option<PathBuf>,
    /// Measures nothing: draws the plot of these results anew, with what the newest file beside them has of other proof systems
    #[arg(long, conflicts_with_all = ["against", "flamegraph"])]
    plot: Option<PathBuf>,
    /// Also a flame graph of proving each preset's step, if `perf` is there
    #[arg(long)]
    flamegraph: bool,
    /// Measures, in a process of its own, with keys and bases from this directory
    #[arg(long, hide = true)]
    child: Option<PathBuf>,
    /// Proves a step there and does nothing else
    #[arg(long, hide = true, requires = "child")]
    prove_only: bool,
}

impl Options {
    fn wanted<'a>(&self, preset: &'a str) -> Wanted<'a> {
        // Minutes each: once, and without its genesis proof.
        let large = preset == "mini";
        let runs = self.runs.map_or(if large { 1 } else { 3 }, usize::from);
        Wanted { preset, runs, genesis: !large }
    }
}

/// Tells on stderr what is going on: in place on a terminal, line by line elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    preset: String,
}

impl Progress {
    fn new(preset: &str) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {prefix}: {msg} ({elapsed})");
            let bar = ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(preset.to_owned());
            bar
        });
        // Seldom: what is measured shares the processor with it.
        bar.iter().for_each(|bar| bar.enable_steady_tick(Duration::from_secs(1)));
        Progress { bar, preset: preset.into() }
    }

    fn say(&self, what: String) {
        match &self.bar {
            Some(bar) => bar.set_message(what),
            None => eprintln!("{}: {what}", self.preset),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match (&options.child, &options.plot) {
        (Some(cache), _) => child(&options, cache),
        (None, Some(file)) => plot_again(file),
        (None, None) => parent(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn child(options: &Options, cache: &Path) -> Result<(), Box<dyn Error>> {
    for preset in &options.preset {
        if options.prove_only {
            prove_only(preset, cache)?;
            continue;
        }
        let progress = Progress::new(preset);
        let measured = measure(options.wanted(preset), cache, &mut |what| progress.say(what))?;
        println!("{}", serde_json::to_string(&measured)?);
    }
    Ok(())
}

fn plot_again(file: &Path) -> Result<(), Box<dyn Error>> {
    let (results, peers) = (Results::read(file)?, Peers::newest(file.parent().unwrap_or(Path::new(".")))?);
    let drawn = file.with_extension("svg");
    std::fs::write(&drawn, plot(&results, peers.as_ref())?)?;
    eprintln!("{}", drawn.display());
    Ok(())
}

fn parent(options: &Options) -> Result<(), Box<dyn Error>> {
    // Whatever can be amiss is found before anything is measured.
    let earlier = options.against.as_deref().map(Results::read).transpose()?;
    if options.flamegraph {
        flame::available()?;
    }
    std::fs::create_dir_all(&options.out)?;
    let date = date().ok_or("the program `date` does not say what day it is")?;
    let mut results = Results {
        format: FORMAT,
        date,
        commit: commit(),
        circuit_version: CIRCUIT_VERSION,
        machine: Machine::this(),
        command: std::env::args().collect(),
        setting: "Second step of a run, batch 1, momentum, keys loaded".into(),
        presets: vec![],
    };
    let cache = tempfile::tempdir()?;
    for preset in &options.preset {
        let progress = Progress::new(preset);
        progress.say("making keys".into());
        to_prove(cache.path(), &spec(preset))?;
        drop(progress);
        results.presets.push(measured(options, preset, cache.path())?);
    }
    print!("{}", table(&results));
    if let Some(earlier) = earlier {
        print!("\n{}", ratios(&results, &earlier));
    }
    let files = results.write(&options.out)?;
    for file in &files {
        eprintln!("{}", file.display());
    }
    if options.flamegraph {
        flame_graphs(&results, &files[0], cache.path())?;
    }
    Ok(())
}

/// Proves each preset's step once more, sampled, and draws what it does, beside the results.
fn flame_graphs(results: &Results, beside: &Path, cache: &Path) -> Result<(), Box<dyn Error>> {
    for of in &results.presets {
        let progress = Progress::new(&of.preset);
        progress.say("proving a step under `perf`".into());
        let arguments = ["--prove-only".into(), "--preset".into(), (&of.preset).into(), "--child".into(), cache.into()];
        let sampled = flame::sample(&std::env::current_exe()?, &arguments, cache)?;
        drop(progress);
        let file = beside.with_extension(format!("{}.flame.svg", of.preset));
        let commit = results.commit.as_ref().map_or("unknown".into(), ToString::to_string);
        let title = format!("Proving a step of {}; {}; commit {commit}", of.preset, results.machine).replace('`', "");
        std::fs::write(&file, flame::svg(&sampled, &title))?;
        eprintln!("{}", file.display());
    }
    Ok(())
}

/// What a process of its own measures.
fn measured(options: &Options, preset: &str, cache: &Path) -> Result<Measured, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--child").arg(cache).args(["--preset", preset]);
    command.args(options.runs.map(|runs| format!("--runs={runs}")));
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("`{preset}` could not be measured: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
