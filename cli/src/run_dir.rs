//! A run's directory.
//!
//! | file | what |
//! |---|---|
//! | `run.bin` | the run, with the genesis commitments |
//! | `train.json` | what the trainer needs to go on |
//! | `genesis.proof` | of a proven run: shows that the first state is in range |
//! | `step-000000.bundle`… | the proofs, one file for each step |
//! | `log.jsonl` | a line for each step |
//! | `held-out.jsonl` | a line for each time that the held-out loss was measured |
//! | `checkpoints/step-000100`… | models after so many steps |
//! | `tokenizer.json` | what made tokens of the corpus, if its bytes are not the tokens |
//! | `state.bin` | state after so many steps, with a checksum |
//! | `state.previous.bin` | the state before it |
//! | `.lock` | whose trainer works here |
//!
//! Of a private run, what may be handed over is in `public/` (run, genesis proof, bundles), all else in `secret/`, which only its
//! owner may read: the state there is with what hides it, `dataset.secret` is what blinds the data set's leaves.
//!
//! A step is written in this order: bundle, line, state. It is taken once the state is replaced; whatever else a killed
//! process left behind is of the step in hand, and goes away when the run is resumed. Nothing that was written before is
//! removed but what such a process left.

use crate::error::{CliError, FileError};
use crate::files::{self, MAX_SMALL, MAX_STATE, Readers, TEMPORARY};
use crate::model_dir::STATE;
use circuits::model::file::ModelState;
use circuits::statements::{Bundle, GenesisProof, Run, codec};
use prover::private::{PrivateState, Secrets};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

mod checkpoints;
mod log;

pub use log::{Evaluation, Log, LogLine, MAX_LOG};

/// What the trainer needs to go on, beside the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Steps to take in all.
    pub steps: u64,
    /// Whether steps are proven.
    pub prove: bool,
    /// Where the corpus is.
    pub corpus: PathBuf,
    /// Digest of the tokenizer that made tokens of the corpus; without, its bytes are the tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// What is measured and kept on the way.
    #[serde(default, skip_serializing_if = "Measured::is_nothing")]
    pub measured: Measured,
}

/// What is measured and kept while a run goes on; nothing of it changes the run, but for what is held out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The end of the corpus that is held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<HeldOutPart>,
    /// Steps between two measurements of its loss; without, it is measured after the last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<u64>,
    /// Most windows that are measured; without, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_windows: Option<usize>,
    /// Steps between two checkpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_every: Option<u64>,
}

impl Measured {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// The end of a corpus that a run holds out. The run itself names what is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldOutPart {
    /// How long it is.
    pub bytes: u64,
    /// Its digest.
    pub digest: String,
}

/// A state as its run keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// The state.
    pub model: ModelState,
    /// Of a private run, what hides it.
    pub secrets: Option<Secrets>,
}

/// What is handed over of a private run.
const PUBLIC: &str = "public";
/// What is kept.
const SECRET: &str = "secret";

/// A run's directory.
pub struct RunDir {
    path: PathBuf,
    /// Where what verifiers read is.
    public: PathBuf,
    /// Where the rest is.
    own: PathBuf,
    readers: Readers,
}

impl RunDir {
    /// Whether or not it exists: private, if it is laid out so.
    pub fn new(path: &Path) -> Self {
        let private = path.join(SECRET).is_dir() || path.join(PUBLIC).is_dir();
        if private { Self::private(path) } else { Self::public(path) }
    }

    /// Of a public run.
    pub fn public(path: &Path) -> Self {
        let path = path.to_owned();
        RunDir { public: path.clone(), own: path.clone(), path, readers: Readers::Umask }
    }

    /// Of a private run.
    pub fn private(path: &Path) -> Self {
        let (public, own) = (path.join(PUBLIC), path.join(SECRET));
        RunDir { path: path.to_owned(), public, own, readers: Readers::Owner }
    }

    /// Whether it is of a private run.
    pub fn is_private(&self) -> bool {
        self.readers == Readers::Owner
    }

    /// Of a private run, refuses a file of losses that would be handed over.
    pub fn check_outside_public(&self, path: &Path) -> Result<(), CliError> {
        if self.is_private() && resolved(path)?.starts_with(resolved(&self.public)?) {
            let message =
                format!("{}: what is in public is handed over, and this tells of what is hidden", path.display());
            return Err(CliError::Usage(message));
        }
        Ok(())
    }

    /// Who may read what tells of the run.
    pub fn readers(&self) -> Readers {
        self.readers
    }

    /// Of a private run, whether what must be kept is there.
    pub fn has_secrets(&self) -> bool {
        self.own.is_dir()
    }

    /// Makes the directory.
    pub fn create(&self) -> Result<(), CliError> {
        files::create_dir(&self.public)?;
        if self.is_private() { files::create_private_dir(&self.own) } else { Ok(()) }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where what only its owner needs is; of a public run, where all is.
    pub fn own(&self) -> &Path {
        &self.own
    }

    /// The run's file.
    pub fn run_file(&self) -> PathBuf {
        self.public.join("run.bin")
    }

    /// The state's file.
    pub fn state_file(&self) -> PathBuf {
        self.own.join(STATE)
    }

    /// The file of the state before the last one.
    pub fn previous_state_file(&self) -> PathBuf {
        self.own.join("state.previous.bin")
    }

    /// The file of the genesis proof.
    pub fn genesis_proof_file(&self) -> PathBuf {
        self.public.join("genesis.proof")
    }

    /// Of a private run, the file of what blinds its data set.
    pub fn dataset_secret_file(&self) -> PathBuf {
        self.own.join("dataset.secret")
    }

    /// Removes the genesis proof of a run that was here before.
    pub fn remove_genesis_proof(&self) -> Result<(), CliError> {
        let path = self.genesis_proof_file();
        if path.exists() { files::remove(&path) } else { Ok(()) }
    }

    /// Removes the held-out losses of a run that was here before.
    pub fn remove_evaluations(&self) -> Result<(), CliError> {
        let path = self.evaluations_file();
        if path.exists() { files::remove(&path) } else { Ok(()) }
    }

    /// Writes the genesis proof.
    pub fn write_genesis_proof(&self, proof: &GenesisProof) -> Result<(), CliError> {
        files::encode(&self.genesis_proof_file(), proof, true)
    }

    fn log_file(&self) -> PathBuf {
        self.own.join("log.jsonl")
    }

    fn evaluations_file(&self) -> PathBuf {
        self.own.join("held-out.jsonl")
    }

    /// The file of what the trainer needs.
    pub fn settings_file(&self) -> PathBuf {
        self.own.join("train.json")
    }

    /// The file of a step's bundle.
    pub fn bundle_file(&self, step: u64) -> PathBuf {
        self.public.join(format!("step-{step:06}.bundle"))
    }

    /// Whether training has begun here: a run's state is written last.
    pub fn begun(&self) -> bool {
        self.run_file().exists() && (self.state_file().exists() || self.previous_state_file().exists())
    }

    /// What makes the directory unfit for a new run, if anything does: it holds something else.
    pub fn occupied(&self) -> Option<&'static str> {
        let holds = |name: &str| self.path.join(name).exists();
        match () {
            () if self.run_file().exists() => None,
            () if holds(STATE) => Some("a model"),
            () if holds("genesis.bin") => Some("a devnet"),
            () if holds("model.safetensors") || holds("config.json") => Some("a Hugging Face model"),
            () => None,
        }
    }

    /// Keeps other trainers out, until dropped or killed.
    pub fn lock(&self) -> Result<File, CliError> {
        let path = self.own.join(".lock");
        let options = self.readers.options().read(true).write(true).truncate(false).open(&path);
        let mut file = options.map_err(CliError::io("create", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(CliError::io("lock", &path)(error)),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // What the other one wrote, if it can be read at all.
                let _ = Read::take(&mut file, 20).read_to_string(&mut holder);
                let holder = holder.trim().parse().ok();
                return Err(CliError::Held { path: self.path.clone(), what: "is training this run", holder });
            }
        }
        let named = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        named.map_err(CliError::io("write", &path))?;
        Ok(file)
    }

    /// Reads the run.
    pub fn run(&self) -> Result<Run, CliError> {
        files::decode(&self.run_file(), MAX_SMALL)
    }

    /// Writes the run.
    pub fn write_run(&self, run: &Run) -> Result<(), CliError> {
        files::encode(&self.run_file(), run, true)
    }

    /// Reads the state; of a private run, with what hides it.
    pub fn state(&self) -> Result<Kept, CliError> {
        self.read_state(&self.state_file())
    }

    /// Reads the state before the last one.
    pub fn previous_state(&self) -> Result<Kept, CliError> {
        self.read_state(&self.previous_state_file())
    }

    fn read_state(&self, path: &Path) -> Result<Kept, CliError> {
        if !self.is_private() {
            return Ok(Kept { model: files::decode(path, MAX_STATE)?, secrets: None });
        }
        files::check_secret(path)?;
        let PrivateState { model, secrets } = files::decode(path, MAX_STATE)?;
        Ok(Kept { model, secrets: Some(secrets) })
    }

    fn encode_state(&self, kept: Kept) -> Result<Vec<u8>, CliError> {
        let encoded = match kept.secrets {
            Some(secrets) if self.is_private() => codec::encode(&PrivateState { model: kept.model, secrets }),
            _ => codec::encode(&kept.model),
        };
        encoded.map_err(CliError::file(&self.state_file()))
    }

    /// Writes the state, and keeps the one before it.
    pub fn write_state(&self, state: Kept, sync: bool) -> Result<(), CliError> {
        let bytes = self.encode_state(state)?;
        files::write_keeping(self.readers, &self.state_file(), &self.previous_state_file(), &bytes, sync)
    }

    /// Writes the first state, or one in the place of a damaged one, which is not kept.
    pub fn replace_state(&self, state: Kept) -> Result<(), CliError> {
        let bytes = self.encode_state(state)?;
        files::write_for(self.readers, &self.state_file(), &bytes, true)
    }

    /// Reads the settings.
    pub fn settings(&self) -> Result<Settings, CliError> {
        let path = self.settings_file();
        serde_json::from_str(&files::read_text(&path)?)
            .map_err(|e| CliError::file(&path)(FileError::Json(e.to_string())))
    }

    /// Writes the settings.
    pub fn write_settings(&self, settings: &Settings) -> Result<(), CliError> {
        let path = self.settings_file();
        let text = serde_json::to_string_pretty(settings)
            .map_err(|e| CliError::file(&path)(FileError::Json(e.to_string())))?;
        files::write_for(self.readers, &path, (text + "\n").as_bytes(), true)
    }

    /// Reads a bundle.
    pub fn read_bundle(path: &Path) -> Result<Bundle, CliError> {
        files::decode(path, MAX_SMALL)
    }

    /// Writes a step's bundle; gives the bytes of the file.
    pub fn write_bundle(&self, bundle: &Bundle) -> Result<(), CliError> {
        files::encode(&self.bundle_file(bundle.step), bundle, true)
    }

    /// The bundles that are there: the number in the name, and the file, in order.
    pub fn bundles(&self) -> Result<Vec<(u64, PathBuf)>, CliError> {
        let failed = |source| CliError::Io { action: "list", path: self.public.clone(), source };
        let mut bundles = vec![];
        for entry in fs::read_dir(&self.public).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let number = name.strip_prefix("step-").and_then(|n| n.strip_suffix(".bundle"));
            if let Some(number) = number.and_then(|n| n.parse().ok()) {
                bundles.push((number, path));
            }
        }
        bundles.sort();
        Ok(bundles)
    }

    /// Removes what a killed process left of the step in hand: unfinished files, a bundle beyond the state. Bundles up to
    /// that of step `last` are such; later ones are of another history.
    pub fn clean(&self, step: u64, last: u64, warn: &mut dyn FnMut(String)) -> Result<(), CliError> {
        for dir in [&self.public, &self.own] {
            let failed = |source| CliError::Io { action: "list", path: dir.clone(), source };
            for entry in fs::read_dir(dir).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                    files::remove(&entry.path())?;
                }
            }
        }
        self.clean_checkpoints()?;
        let bundles = self.bundles()?;
        if let Some((_, path)) = bundles.iter().find(|(number, _)| *number > last) {
            let source = FileError::Foreign("this bundle is ahead of the state; the state has changed".into());
            return Err(CliError::File { path: path.clone(), source });
        }
        for (_, path) in bundles.iter().filter(|(number, _)| *number >= step) {
            warn(format!(
                "{} is of a step beyond the state that is resumed from: the step is repeated",
                path.display()
            ));
            files::remove(path)?;
        }
        Ok(())
    }

    /// Reads the bundle of a step.
    pub fn bundle(&self, step: u64) -> Result<Bundle, CliError> {
        Self::read_bundle(&self.bundle_file(step))
    }

    /// Whether there is a bundle for each of the steps before `step`.
    pub fn is_proven_up_to(&self, step: u64) -> Result<bool, CliError> {
        Ok(self.bundles()?.iter().map(|(number, _)| *number).eq(0..step))
    }

    /// The log's lines of the steps before `step`. What follows the last of them, lines beyond or one cut short, is removed
    /// from the file; a line that is damaged in between stays where it is.
    pub fn reconcile_log(&self, step: u64, warn: &mut dyn FnMut(String)) -> Result<Vec<LogLine>, CliError> {
        let path = self.log_file();
        let lines = log::reconcile(self.readers, &path, |line: &LogLine| line.step < step, warn)?;
        if lines.len() as u64 != step {
            warn(format!("{} has {} lines for {step} steps", path.display(), lines.len()));
        }
        Ok(lines)
    }

    /// The same of the held-out losses, measured after at most so many steps.
    pub fn reconcile_evaluations(&self, step: u64, warn: &mut dyn FnMut(String)) -> Result<Vec<Evaluation>, CliError> {
        log::reconcile(self.readers, &self.evaluations_file(), |line: &Evaluation| line.step <= step, warn)
    }

    /// Opens the log, to add lines.
    pub fn open_log(&self) -> Result<Log, CliError> {
        Log::open(self.readers, self.log_file())
    }

    /// Opens the log of held-out losses.
    pub fn open_evaluations(&self) -> Result<Log, CliError> {
        Log::open(self.readers, self.evaluations_file())
    }

    /// The lines of the log that can be read, for who only looks.
    pub fn log_lines(&self) -> Result<Vec<LogLine>, CliError> {
        log::lines(&self.log_file())
    }

    /// The held-out losses that can be read, for who only looks; none if none were measured.
    pub fn evaluations(&self) -> Result<Vec<Evaluation>, CliError> {
        let path = self.evaluations_file();
        if path.exists() { log::lines(&path) } else { Ok(vec![]) }
    }
}

/// A path without links, as far as it is there.
fn resolved(path: &Path) -> Result<PathBuf, CliError> {
    let path = std::path::absolute(path).map_err(CliError::io("find", path))?;
    let mut ancestors = path.ancestors();
    let there = ancestors.find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    Ok(match there {
        Some((ancestor, canonical)) => canonical.join(path.strip_prefix(ancestor).unwrap_or(&path)),
        None => path,
    })
}
