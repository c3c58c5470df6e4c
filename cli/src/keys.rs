//! Keys: read from the cache, made, or made anew by halo2.

use crate::error::CliError;
use crate::ui::Ui;
use backend::cache::{Cache, Fault, Origin};
use backend::curve::Params;
use backend::parameters;
use circuits::model::{Config, Spec};
use circuits::segments::{Circuits, Variant};
use prover::step::StepKeys;
use std::cell::LazyCell;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use verifier::keys::{Expected, Loaded, Wanted, file_name};
use verifier::{KeysDigest, StepVerifier};

/// How verifying keys are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Which circuits.
    pub variant: Variant,
    /// Digest that a chain's genesis names.
    pub named: Option<KeysDigest>,
    /// Where they are to be from.
    pub source: Source,
    /// Each proof is also given to halo2's verifier.
    pub oracle: bool,
}

/// Where verifying keys are to be from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The cache, where possible.
    #[default]
    Cache,
    /// The circuits: they are made.
    Circuits,
    /// halo2, which makes them from the circuits; they are compared with those in the cache.
    Halo2,
}

/// What vouches for the keys that something was verified under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vouched {
    /// Their digest is pinned in this program.
    Pinned,
    /// Their digest stands in the chain's genesis.
    Named,
    /// This program made them from the circuits.
    Made,
    /// halo2 made them from the circuits.
    Fresh {
        /// Those in the cache are the same.
        cached: bool,
    },
    /// The directory that they were read from.
    Cache,
}

impl Vouched {
    fn of(loaded: &Loaded) -> Self {
        match (loaded.expected, &loaded.origin) {
            (Some(Expected::Pinned), _) => Vouched::Pinned,
            (Some(Expected::Named), _) => Vouched::Named,
            (None, Origin::Cache) => Vouched::Cache,
            (None, _) => Vouched::Made,
        }
    }

    /// For machines.
    pub fn name(self) -> &'static str {
        match self {
            Vouched::Pinned => "pinned",
            Vouched::Named => "genesis",
            Vouched::Made => "made",
            Vouched::Fresh { .. } => "fresh",
            Vouched::Cache => "cache",
        }
    }
}

/// Verifying keys, ready, and what vouches for them.
pub struct Keys {
    /// The verifier.
    pub verifier: StepVerifier,
    /// What vouches for its keys.
    pub vouched: Vouched,
}

impl Ui {
    /// Keys to verify a model's steps with.
    pub fn verifier_keys(&self, params: &Params, config: &Config, how: How) -> Result<Keys, CliError> {
        let circuits = LazyCell::new(|| Circuits::of(&Spec::new(config.clone()), how.variant));
        let (loaded, vouched) = self.load_keys(params, config, how, &circuits)?;
        let mut verifier = StepVerifier::with_keys(params, config, loaded.keys)?;
        if how.oracle {
            let _spinner = self.spinner("halo2's verifying keys");
            verifier = verifier.with_oracles(params, &circuits)?;
        }
        Ok(Keys { verifier, vouched })
    }

    /// Keys to prove a model's steps with.
    pub fn prover_keys(&self, params: &Params, spec: &Spec, how: How) -> Result<StepKeys, CliError> {
        let (dir, spinner) = (self.cache_dir(), self.spinner("prepared bases"));
        let ((origin, not_written), circuits) =
            rayon::join(|| parameters::prepare(dir.as_deref(), params), || Circuits::of(spec, how.variant));
        drop(spinner);
        let file = dir.map_or_else(PathBuf::new, |dir| parameters::bases_path(&dir, params.k()));
        self.tell_of_cache("prepared bases", &file, &origin, not_written);
        let (loaded, _) = self.load_keys(params, &spec.config, how, &&circuits)?;
        let spinner = self.spinner("proving keys");
        Ok(StepKeys::new(params, spec, circuits, loaded.keys, &mut |done, of| spinner.done(done, of))?)
    }

    fn load_keys(
        &self,
        params: &Params,
        config: &Config,
        how: How,
        circuits: &dyn Deref<Target = Circuits>,
    ) -> Result<(Loaded, Vouched), CliError> {
        let cache = self.cache_dir().map(Cache::new);
        let wanted = Wanted { params, variant: how.variant, config, named: how.named };
        let spinner = self.spinner("verifying keys");
        let told = &mut |done, of| spinner.done(done, of);
        let mut loaded = match how.source {
            Source::Cache => wanted.load(cache.as_ref(), circuits, told)?,
            Source::Circuits => wanted.load(None, circuits, told)?,
            Source::Halo2 => wanted.fresh(cache.as_ref(), circuits, told)?,
        };
        drop(spinner);
        let file = cache.map_or_else(PathBuf::new, |cache| cache.path(&file_name(how.variant, config)));
        self.tell_of_cache("verifying keys", &file, &loaded.origin, loaded.not_written.take());
        let vouched = match how.source {
            Source::Halo2 => Vouched::Fresh { cached: loaded.origin == Origin::Cache },
            Source::Cache | Source::Circuits => Vouched::of(&loaded),
        };
        Ok((loaded, vouched))
    }

    /// Warns of a file in the cache that was of no use, and of one that could not be written.
    pub fn tell_of_cache(&self, what: &str, file: &Path, origin: &Origin, not_written: Option<std::io::Error>) {
        let file = file.display();
        match origin {
            Origin::Replaced(fault @ Fault::Public(_)) => {
                self.warn(&format!("{what} were regenerated, as {file} is not to be trusted: {fault}"));
            }
            Origin::Replaced(fault) => self.warn(&format!("{what} were regenerated: {file}: {fault}")),
            Origin::Cache | Origin::Made => {}
        }
        if let Some(error) = not_written {
            self.warn(&format!("{what} could not be cached: {file}: {error}"));
        }
    }
}
