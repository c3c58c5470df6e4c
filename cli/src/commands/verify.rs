//! `verify`: a run's directory or one bundle, without weights.
//!
//! Proofs mean something only if the state before them is in range. What shows that is demanded of a run; of a lone bundle,
//! the verdict is conditional without it.

use crate::dataset_root;
use crate::error::{CliError, Rejection};
use crate::files::{self, MAX_CORPUS, MAX_SMALL};
use crate::format::plural;
use crate::held_out::{HeldOut, Split, Text};
use crate::keys::{How, Keys, Source, Vouched};
use crate::model_dir::{self, Model};
use crate::run_dir::RunDir;
use crate::tokenizer_file;
use crate::ui::{Output, Ui};
use backend::curve::Params;
use circuits::model::Config;
use circuits::statements::codec::Encoded;
use circuits::statements::dataset::RevealedLeaf;
use circuits::statements::hidden::Opening;
use circuits::statements::{Bundle, Corpus, Disclosure, GenesisProof, Run, RunData, StateCommitments};
use report::Asked;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tokenizer::Tokenizer;
use verifier::{RunRefused, RunVerifier, StepVerifier, VerifiedRun};

mod report;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// A run's directory, or one step's bundle
    path: PathBuf,
    /// The corpus of a public run: each batch must be the one that the seed assigns. Of a run on a data set, it must have the run's root
    #[arg(long, value_name = "FILE")]
    corpus: Option<PathBuf>,
    /// The end of the corpus that the run holds out (`train --held-out`), as a share below 1 or a number of bytes: no batch may be from it
    #[arg(long, value_name = "SHARE|BYTES", requires = "corpus")]
    held_out: Option<HeldOut>,
    /// The tokenizer.json that makes tokens of the corpus [default: the one in the run's directory, if there is one]
    #[arg(long, value_name = "FILE", requires = "corpus")]
    tokenizer: Option<PathBuf>,
    /// A data set's root, or a file that holds it: the run must be on it
    #[arg(long, value_name = "ROOT")]
    dataset: Option<String>,
    /// A model: the run, a public one, must begin with it
    #[arg(long, value_name = "MODEL")]
    genesis: Option<PathBuf>,
    /// Proof that the run's first state is in range [default: genesis.proof in the run's directory, or next to the
    /// bundle]
    #[arg(long, value_name = "FILE")]
    genesis_proof: Option<PathBuf>,
    /// For a single bundle: the bundle of the previous step, whose update must lead to it; given twice, that before it as well, in
    /// order. Two steps show the state that they lead to, or one from the run's first state, if that is shown
    #[arg(long, value_name = "BUNDLE")]
    after: Vec<PathBuf>,
    /// For a single bundle of a public run: the model before its step
    #[arg(long, value_name = "MODEL")]
    before: Option<PathBuf>,
    /// A model: the last step of a public run must lead to it
    #[arg(long, value_name = "MODEL")]
    end: Option<PathBuf>,
    /// Of a private run, a model that its owner revealed (`reveal RUN --out DIR`): the last step must lead to it
    #[arg(long, value_name = "DIR")]
    revealed: Option<PathBuf>,
    /// Of a private run, a sequence that its owner revealed (`reveal RUN --leaf I --out FILE`): it must be one of its data set
    #[arg(long, value_name = "FILE")]
    includes: Option<PathBuf>,
    /// Proven steps that the run must have
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Which verifier
    #[arg(long, value_enum, default_value_t)]
    engine: VerifierKind,
    /// Make the verifying keys anew, by halo2, and compare them with those in the cache
    #[arg(long)]
    fresh_keys: bool,
}

/// What verifies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum VerifierKind {
    /// The verifier that reads keys as data
    #[default]
    Native,
    /// The same, and the verifier of halo2_proofs, several times slower: both must accept each proof
    Halo2,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<Output, CliError> {
    let read = |file: &PathBuf| files::read_shown(file, MAX_CORPUS, "reading the corpus", ui);
    let corpus = args.corpus.as_ref().map(read).transpose()?;
    if args.path.is_dir() { verify_run(&args, corpus, ui) } else { verify_bundle(&args, corpus, ui) }
}

/// The tokenizer that was named, or the one in the run's directory. Only a corpus needs it.
fn tokenizer(args: &Args, config: &Config) -> Result<Tokenizer, CliError> {
    match (&args.tokenizer, &args.corpus) {
        (Some(_), _) => tokenizer_file::given(args.tokenizer.as_deref(), config),
        (None, Some(_)) => tokenizer_file::of_model(&args.path, config),
        (None, None) => Ok(Tokenizer::bytes()),
    }
}

/// What batches may be from.
fn training_part(
    args: &Args,
    corpus: Option<Vec<u8>>,
    (config, tokenizer): (&Config, &Tokenizer),
) -> Result<Option<Corpus>, CliError> {
    let (Some(file), Some(corpus)) = (&args.corpus, corpus) else { return Ok(None) };
    if args.held_out.is_some() {
        let split = Split::of((config, tokenizer), (file, corpus), args.held_out)?;
        return Ok(Some(split.training.corpus(tokenizer)));
    }
    let text = Text::of(corpus, tokenizer).map_err(CliError::file(file))?;
    Ok(Some(text.corpus(tokenizer)))
}

/// Reads what is to be verified: what is malformed is rejected.
fn read<T: Encoded>(path: &Path) -> Result<T, CliError> {
    files::decode(path, MAX_SMALL).map_err(|error| match error {
        CliError::File { path, source } => Rejection::File { path, source }.into(),
        other => other,
    })
}

fn keys(args: &Args, run: &Run, ui: &Ui) -> Result<(Config, Params, Keys), CliError> {
    let config = run.check().map_err(|e| Rejection::Run(e.into()))?;
    on_dataset(args, run)?;
    fits_kind(args, run)?;
    let params = ui.params(&config)?;
    let source = if args.fresh_keys { Source::Halo2 } else { Source::Cache };
    let variant = run.variant();
    let how = How { variant, source, oracle: args.engine == VerifierKind::Halo2, named: None };
    let keys = ui.verifier_keys(&params, &config, how)?;
    Ok((config, params, keys))
}

/// A private run is compared with nothing that would have to be committed to canonically, and a public one reveals nothing.
fn fits_kind(args: &Args, run: &Run) -> Result<(), CliError> {
    let (public, private) = (run.disclosure == Disclosure::Public, "is for a private run, and this one is public");
    let canonical =
        "compares canonical commitments, which a private run has none of (--revealed compares a revealed model)";
    let canonical_corpus = "compares a corpus with canonical commitments, which a private run has none of";
    let given = [
        ("--genesis", args.genesis.is_some(), !public, canonical),
        ("--before", args.before.is_some(), !public, canonical),
        ("--end", args.end.is_some(), !public, canonical),
        ("--corpus", args.corpus.is_some(), !public, canonical_corpus),
        ("--revealed", args.revealed.is_some(), public, private),
        ("--includes", args.includes.is_some(), public, private),
    ];
    match given.into_iter().find(|&(_, given, unfit, _)| given && unfit) {
        Some((name, _, _, why)) => Err(CliError::Usage(format!("{name} {why}"))),
        None => Ok(()),
    }
}

/// Compares what the owner of a private run revealed with the run: the model that its last step leads to, a sequence.
fn compare_revealed(
    args: &Args,
    (params, config): (&Params, &Config),
    (run, steps, after): (&Run, u64, &StateCommitments),
) -> Result<(), CliError> {
    if let Some(dir) = &args.revealed {
        let what = "end at";
        let refused = |reason: String| CliError::from(Rejection::Model { what, path: dir.clone(), reason });
        let opening: Opening = read(&dir.join(model_dir::OPENING))?;
        let model = offered(dir, config, what)?;
        if opening.run != run.id().map_err(|e| Rejection::Run(e.into()))? {
            return Err(refused("it was revealed of another run".into()));
        }
        if opening.step != steps {
            let (of, these) = (plural(opening.step, "step"), plural(steps, "step"));
            return Err(refused(format!("it was revealed after {of}, and these are {these}")));
        }
        if opening.opens(params, config, (&model.state, after)) != Ok(true) {
            return Err(refused("its state, or what is said to hide it, is different".into()));
        }
    }
    if let Some(file) = &args.includes {
        let leaf: RevealedLeaf = read(file)?;
        let refused = |reason: String| Rejection::Sequence { path: file.clone(), reason };
        if run.data != RunData::Dataset(leaf.root) {
            return Err(refused("it is of another data set".into()).into());
        }
        leaf.verify(params, config.context).map_err(|e| refused(e.to_string()))?;
    }
    Ok(())
}

/// Requires the run to be on the data set that was named.
fn on_dataset(args: &Args, run: &Run) -> Result<(), CliError> {
    let Some(given) = &args.dataset else { return Ok(()) };
    let expected = dataset_root::given(given)?;
    let found = match &run.data {
        RunData::Dataset(root) if *root == expected => return Ok(()),
        RunData::Dataset(root) => root.to_string(),
        RunData::Corpus(_) => "it names a corpus's digest".into(),
    };
    Err(Rejection::Dataset { expected, found }.into())
}

fn rejected(error: RunRefused) -> CliError {
    Rejection::from(error).into()
}

/// The genesis proof that was named, or the one in the directory of the run.
fn genesis_proof(args: &Args, dir: &RunDir) -> Result<Option<GenesisProof>, CliError> {
    let own = dir.genesis_proof_file();
    match &args.genesis_proof {
        Some(path) => read(path).map(Some),
        None if own.exists() => read(&own).map(Some),
        None => Ok(None),
    }
}

/// The same for a lone bundle, which may lie beside the files of another run: those say nothing of it.
fn genesis_proof_of(args: &Args, bundle: &Bundle) -> Result<Option<GenesisProof>, CliError> {
    let dir = RunDir::new(args.path.parent().unwrap_or(Path::new("")));
    let its_own = dir.run().is_ok_and(|run| run == bundle.run);
    if args.genesis_proof.is_some() || its_own { genesis_proof(args, &dir) } else { Ok(None) }
}

/// A model that is offered for a state of the run: of its configuration, at least.
fn offered(path: &Path, config: &Config, what: &'static str) -> Result<Model, CliError> {
    let model = model_dir::load(path)?;
    let differences = model_dir::differences(&model.config, config);
    if differences.is_empty() {
        return Ok(model);
    }
    let reason = differences.join("; ");
    Err(Rejection::Model { what, path: path.to_owned(), reason }.into())
}

fn other_state(what: &'static str, path: &Path) -> CliError {
    Rejection::Model { what, path: path.to_owned(), reason: "its state is different".into() }.into()
}

/// The model as a run begins with it: without moments, where they are of another optimizer, or it left them (`--fresh-optimizer`).
fn begun(params: &Params, model: Model, (run, commitments): (&Run, &StateCommitments)) -> Result<Model, CliError> {
    if run.taken > 0 || model_dir::commit(params, &model)? == *commitments {
        return Ok(model);
    }
    Ok(Model { state: model.state.at_rest_of(run.optimizer.kind()), ..model })
}

/// Gives the verifier what shows the range of the state before its first step.
fn tensors<'a>(
    verifier: RunVerifier<'a>,
    (params, config): (&Params, &Config),
    of: (&Run, &StateCommitments),
    (path, what): (&Path, &'static str),
) -> Result<RunVerifier<'a>, CliError> {
    let model = begun(params, offered(path, config, what)?, of)?;
    verifier.tensors(&model.state).map_err(|error| match error {
        RunRefused::OtherState { .. } => other_state(what, path),
        other => rejected(other),
    })
}

/// Requires commitments to be those of a model of the run's configuration.
fn compare(
    params: &Params,
    config: &Config,
    commitments: &StateCommitments,
    (path, what): (Option<&Path>, &'static str),
) -> Result<(), CliError> {
    let Some(path) = path else { return Ok(()) };
    require(params, &offered(path, config, what)?, commitments, (path, what))
}

fn require(
    params: &Params,
    model: &Model,
    commitments: &StateCommitments,
    (path, what): (&Path, &'static str),
) -> Result<(), CliError> {
    if model_dir::commit(params, model)? == *commitments { Ok(()) } else { Err(other_state(what, path)) }
}

fn verify_run(args: &Args, corpus: Option<Vec<u8>>, ui: &Ui) -> Result<Output, CliError> {
    for (name, given) in [("--after", !args.after.is_empty()), ("--before", args.before.is_some())] {
        if given {
            return Err(CliError::Usage(format!(
                "{name} is for a single bundle; {} is a directory",
                args.path.display()
            )));
        }
    }
    let dir = RunDir::new(&args.path);
    if let Some(other) = dir.occupied() {
        return Err(CliError::Usage(format!("{} contains {other}, not a run", args.path.display())));
    }
    let run: Run = read(&dir.run_file())?;
    let files = dir.bundles()?;
    if files.is_empty() {
        return Err(rejected(RunRefused::Empty));
    }
    let proof = genesis_proof(args, &dir)?;
    if proof.is_none() && args.genesis.is_none() {
        return Err(Rejection::FirstState {
            path: dir.genesis_proof_file(),
            private: run.disclosure != Disclosure::Public,
        }
        .into());
    }
    let (config, params, Keys { verifier: keys, vouched }) = keys(args, &run, ui)?;
    let tokenizer = tokenizer(args, &config)?;
    let corpus = training_part(args, corpus, (&config, &tokenizer))?;
    let start = Instant::now();
    let mut verifier = RunVerifier::new(&params, &keys, &run, corpus.as_ref()).map_err(rejected)?;
    if let Some(proof) = &proof {
        verifier = verifier.genesis_proof(proof).map_err(rejected)?;
    }
    if let Some(path) = &args.genesis {
        verifier = tensors(verifier, (&params, &config), (&run, &run.genesis), (path, "begin with"))?;
    }
    let bar = ui.bar(files.len() as u64, 0, "{wide_bar} step {pos}/{len}, {eta} left");
    for (_, file) in &files {
        verifier = verifier.step(&read::<Bundle>(file)?).map_err(rejected)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let verified = evaluate(verifier, ui)?;
    let elapsed = start.elapsed();
    let found = verified.steps.len() as u64;
    if let Some(expected) = args.steps.filter(|&expected| expected != found) {
        return Err(Rejection::Steps { expected, found }.into());
    }
    compare(&params, &config, &verified.after, (args.end.as_deref(), "end at"))?;
    compare_revealed(args, (&params, &config), (&run, found, &verified.after))?;
    report::report(&verified, (&run, &config), &asked(args, true, (vouched, &keys), &tokenizer), elapsed)
}

fn verify_bundle(args: &Args, corpus: Option<Vec<u8>>, ui: &Ui) -> Result<Output, CliError> {
    if args.steps.is_some() {
        return Err(CliError::Usage("--steps is for a run's directory".into()));
    }
    let bundle: Bundle = read(&args.path)?;
    if bundle.step == 0 && !args.after.is_empty() {
        return Err(CliError::Usage(
            "--after: no step precedes step 0; --genesis-proof or --genesis shows its range".into(),
        ));
    }
    let previous: Vec<Bundle> = args.after.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    let first = previous.first().unwrap_or(&bundle);
    if first.step > 0 && args.genesis_proof.is_some() {
        let step = bundle.step;
        let message = format!("--genesis-proof is for step 0; --after or --before shows the state before step {step}");
        return Err(CliError::Usage(message));
    }
    let (config, params, Keys { verifier: keys, vouched }) = keys(args, &bundle.run, ui)?;
    let tokenizer = tokenizer(args, &config)?;
    let corpus = training_part(args, corpus, (&config, &tokenizer))?;
    let start = Instant::now();
    let at = (&first.run, first.step, &first.before);
    let mut verifier = RunVerifier::starting_at(&params, &keys, at, corpus.as_ref()).map_err(rejected)?;
    if first.step == 0 {
        if let Some(proof) = genesis_proof_of(args, first)? {
            verifier = verifier.genesis_proof(&proof).map_err(rejected)?;
        }
        if let Some(path) = &args.genesis {
            let of = (&first.run, &first.before);
            verifier = tensors(verifier, (&params, &config), of, (path, "begin with"))?;
        }
    } else if let Some(path) = &args.genesis {
        let of = (&bundle.run, &bundle.run.genesis);
        let model = begun(&params, offered(path, &config, "begin with")?, of)?;
        require(&params, &model, of.1, (path, "begin with"))?;
    }
    if !previous.is_empty() {
        verifier = previous.iter().try_fold(verifier, RunVerifier::step).map_err(rejected)?.from_here();
    }
    if let Some(path) = &args.before {
        let of = (&bundle.run, &bundle.before);
        verifier = tensors(verifier, (&params, &config), of, (path, "begin its step with"))?;
    }
    let verified = evaluate(verifier.step(&bundle).map_err(rejected)?, ui)?;
    let elapsed = start.elapsed();
    compare(&params, &config, &verified.after, (args.end.as_deref(), "end at"))?;
    compare_revealed(args, (&params, &config), (&bundle.run, bundle.step + 1, &verified.after))?;
    report::report(&verified, (&bundle.run, &config), &asked(args, false, (vouched, &keys), &tokenizer), elapsed)
}

fn evaluate(verifier: RunVerifier<'_>, ui: &Ui) -> Result<VerifiedRun, CliError> {
    let _spinner = ui.spinner("multi-scalar multiplication");
    verifier.finish().map_err(rejected)
}

fn asked(args: &Args, whole: bool, (vouched, keys): (Vouched, &StepVerifier), tokenizer: &Tokenizer) -> Asked {
    let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    Asked {
        whole,
        genesis: shown(&args.genesis),
        before: shown(&args.before),
        after: args.after.last().map(|path| path.display().to_string()),
        end: shown(&args.end),
        steps: args.steps,
        revealed: shown(&args.revealed),
        includes: shown(&args.includes),
        dataset: args.dataset.is_some(),
        held_out: args.held_out,
        tokenizer: tokenizer_file::digest(tokenizer),
        own_tokenizer: args.tokenizer.is_some(),
        vouched,
        keys_digest: *keys.digest(),
        halo2: args.engine == VerifierKind::Halo2,
    }
}
