//! A devnet's directory: whose it is, and who works in it.

use crate::error::CliError;
use crate::files;
use crate::model_dir;
use crate::node_link::GENESIS;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

/// Locked by the devnet that runs; the first file of a new one, so that it marks the directory as a devnet's.
const LOCK: &str = "devnet.lock";

/// Names that a refusal lists at most.
const NAMES: usize = 4;

/// A directory that no other devnet works in, until dropped or killed.
#[derive(Debug)]
pub struct Locked {
    /// Whether there is a genesis.
    pub found: bool,
    _lock: File,
}

/// Whether there is a genesis in a directory, which must be a devnet's, empty or not there. Nothing is written.
pub fn look(dir: &Path) -> Result<bool, CliError> {
    let names = names(dir)?;
    let has = |name: &str| names.iter().any(|found| found == name);
    if !names.is_empty() && !has(GENESIS) && !has(LOCK) {
        return Err(CliError::Usage(format!("{} is not a devnet directory: {}", dir.display(), told(&names))));
    }
    Ok(has(GENESIS))
}

/// Takes such a directory, and makes it if it is not there.
pub fn take(dir: &Path) -> Result<Locked, CliError> {
    look(dir)?;
    files::create_dir(dir)?;
    let lock = lock(&dir.join(LOCK))?;
    // Looked for again, now that nobody else makes it.
    Ok(Locked { found: dir.join(GENESIS).exists(), _lock: lock })
}

/// What is in a directory, in order; nothing if it is not there.
fn names(dir: &Path) -> Result<Vec<String>, CliError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.map_err(CliError::io("list", dir))?,
    };
    let mut names = vec![];
    for entry in entries {
        names.push(entry.map_err(CliError::io("list", dir))?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn told(names: &[String]) -> String {
    let has = |name: &str| names.iter().any(|found| found == name);
    let kind = match () {
        () if has("run.bin") => "it contains a run",
        () if has(model_dir::STATE) => "it contains a model",
        () if has("model.safetensors") => "it contains a model for `import`",
        () => "it contains other files",
    };
    let more = names.len().saturating_sub(NAMES);
    let mut list = names.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 {
        list += &format!(" and {more} more");
    }
    format!("{kind} ({list}); specify an empty or new one with --dir")
}

fn lock(path: &Path) -> Result<File, CliError> {
    let open = || File::options().read(true).write(true).create(true).truncate(false).open(path);
    let mut file = open().map_err(CliError::io("open", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(CliError::Locked { path: path.to_owned(), holder: holder(path) }),
        Err(TryLockError::Error(source)) => {
            return Err(CliError::Io { action: "lock", path: path.to_owned(), source });
        }
    }
    // For whoever finds it locked.
    let written = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
    written.map_err(CliError::io("write", path))?;
    Ok(file)
}

/// Who has the lock, as far as the file says.
fn holder(path: &Path) -> String {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(20).read_to_string(&mut text));
    match text.parse::<u32>() {
        Ok(process) if read.is_ok() => format!("another devnet, process {process},"),
        _ => "another devnet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(dir: &Path) -> String {
        match take(dir) {
            Err(CliError::Usage(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    /// 7.15: a model's directory, or anybody's, is no place for a devnet, and stays as it is.
    #[test]
    fn nothing_is_written_where_no_devnet_is() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("d");
        for (files, kind) in [
            (&["config.json", "state.bin"][..], "it contains a model (config.json, state.bin)"),
            (&["run.bin", "state.bin"], "it contains a run (run.bin, state.bin)"),
            (&["config.json", "model.safetensors"], "it contains a model for `import`"),
            (&["corpus.bin"], "it contains other files (corpus.bin); specify an empty or new one with --dir"),
            (&["1", "2", "3", "4", "5", "6"], "it contains other files (1, 2, 3, 4 and 2 more)"),
        ] {
            fs::create_dir(&dir).unwrap();
            files.iter().for_each(|file| fs::write(dir.join(file), file).unwrap());
            let message = refused(&dir);
            assert!(message.contains("is not a devnet directory: ") && message.contains(kind), "{message}");
            assert_eq!(names(&dir).unwrap(), files);
            fs::remove_dir_all(&dir).unwrap();
        }
        fs::write(&dir, "a file").unwrap();
        assert!(matches!(take(&dir), Err(CliError::Io { action: "list", .. })));
    }

    /// 7.18: who has the directory is said.
    #[test]
    fn one_devnet_works_in_a_directory() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("made/on/demand");
        let first = take(&dir).unwrap();
        assert!(!first.found);
        let error = take(&dir).unwrap_err();
        let own = std::process::id();
        let text = format!("another devnet, process {own}, is using {}: it has locked ", dir.display());
        assert!(error.to_string().starts_with(&text), "{error}");
        assert!(error.to_string().ends_with("made/on/demand/devnet.lock"), "{error}");
        assert_eq!(error.exit_code(), 3);
        drop(first);
        // Interrupted before there was a genesis: it is a devnet's all the same.
        fs::write(dir.join("corpus.bin"), "half").unwrap();
        assert!(!take(&dir).unwrap().found);
        fs::write(dir.join(GENESIS), "").unwrap();
        assert!(take(&dir).unwrap().found);
        // Of a devnet that knew no lock.
        fs::remove_file(dir.join(LOCK)).unwrap();
        assert!(take(&dir).unwrap().found);
    }
}
