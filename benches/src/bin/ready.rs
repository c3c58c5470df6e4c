//! How long it takes until a process can prove, and until it can verify, with everything cached and without.
//!
//! `cargo run --release -p benches --bin ready`; `GRADIENTCOIN_BENCH_PRESETS` names the presets, `nano` without it.

use backend::parameters;
use benches::ready::{to_prove, to_verify};
use benches::setup::{presets, spec};
use benches::timing::{repeat, time};
use std::error::Error;
use std::fs;
use std::time::Duration;

/// Runs of which the median counts.
const RUNS: usize = 7;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    println!(
        "| preset | parameters | to verify: cached | without keys | to prove: cached | without keys and bases | key bytes | cache |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for preset in presets() {
        let spec = spec(&preset);
        let dir = tempfile::tempdir()?;
        // Parameters take seconds to make, once for all models.
        parameters::load(Some(dir.path()), spec.config.k())?;
        let of_params = typical(|| parameters::load(Some(dir.path()), spec.config.k()).map(drop).map_err(Into::into))?;
        let without = once(|| to_verify(dir.path(), &spec).map(drop))?;
        let verifying = typical(|| to_verify(dir.path(), &spec).map(drop))?;
        fs::read_dir(dir.path())?.try_for_each(|file| -> Result<()> {
            let file = file?.path();
            let params = file == parameters::path(dir.path(), spec.config.k());
            if params { Ok(()) } else { Ok(fs::remove_file(file)?) }
        })?;
        let anew = once(|| to_prove(dir.path(), &spec).map(drop))?;
        let proving = typical(|| to_prove(dir.path(), &spec).map(drop))?;
        let size = |name: &str| -> Result<u64> {
            let mut size = 0;
            for file in fs::read_dir(dir.path())? {
                let file = file?;
                let named = file.file_name().to_string_lossy().starts_with(name);
                size += if named { file.metadata()?.len() } else { 0 };
            }
            Ok(size)
        };
        println!(
            "| `{preset}` | {:.1} ms | {:.1} ms | {:.0} ms | {:.0} ms | {:.0} ms | {} | {} |",
            ms(of_params),
            ms(verifying),
            ms(without),
            ms(proving),
            ms(anew),
            size("keys")?,
            size("")?
        );
    }
    Ok(())
}

fn ms(time: Duration) -> f64 {
    1e3 * time.as_secs_f64()
}

fn once(f: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let (taken, done) = time(f);
    done.map(|()| taken)
}

fn typical(mut f: impl FnMut() -> Result<()>) -> Result<Duration> {
    let mut failed = None;
    let time = repeat(RUNS, || failed = f().err().or(failed.take()));
    failed.map_or(Ok(time), Err)
}
