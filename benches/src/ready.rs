//! A process becomes ready to prove or to verify, by what is cached in a directory; what is not is made and cached.

use backend::cache::Cache;
use backend::curve::Params;
use backend::parameters;
use circuits::model::Spec;
use circuits::segments::{Circuits, Variant};
use prover::step::StepKeys;
use std::cell::LazyCell;
use std::error::Error;
use std::path::Path;
use verifier::StepVerifier;
use verifier::keys::{Loaded, Wanted};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn keys(params: &Params, dir: &Path, spec: &Spec) -> Result<Loaded> {
    let wanted = Wanted { params, variant: Variant::default(), config: &spec.config, named: None };
    let circuits = LazyCell::new(|| Circuits::new(spec));
    let loaded = wanted.load(Some(&Cache::new(dir)), &circuits, &mut |_, _| {})?;
    loaded.not_written.map_or(Ok(()), Err)?;
    Ok(Loaded { not_written: None, ..loaded })
}

/// From nothing in memory to a verifier.
pub fn to_verify(dir: &Path, spec: &Spec) -> Result<StepVerifier> {
    let params = parameters::load(Some(dir), spec.config.k())?.params;
    Ok(StepVerifier::with_keys(&params, &spec.config, keys(&params, dir, spec)?.keys)?)
}

/// From nothing in memory to a prover.
pub fn to_prove(dir: &Path, spec: &Spec) -> Result<(Params, StepKeys)> {
    let params = parameters::load(Some(dir), spec.config.k())?.params;
    let (_, circuits) = rayon::join(|| parameters::prepare(Some(dir), &params), || Circuits::new(spec));
    let loaded = keys(&params, dir, spec)?;
    let keys = StepKeys::new(&params, spec, circuits, loaded.keys, &mut |_, _| {})?;
    Ok((params, keys))
}
