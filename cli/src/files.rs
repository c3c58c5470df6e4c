//! Files: bounded reading, atomic writing.

use crate::error::{CliError, FileError};
use crate::ui::Ui;
use circuits::statements::codec::{self, Encoded};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use tempfile::NamedTempFile;

/// Largest corpus.
pub const MAX_CORPUS: u64 = 1 << 30;
/// Largest text of a configuration.
pub const MAX_TEXT: u64 = 1 << 20;
/// Largest file of a run, bundle or set of commitments: a decoded one takes some times as much memory.
pub const MAX_SMALL: u64 = 64 << 20;
/// Largest file of a state.
pub const MAX_STATE: u64 = codec::LIMIT as u64 + 12;

/// Names of unfinished files begin with this.
pub const TEMPORARY: &str = ".unfinished-";

/// Reads a file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, CliError> {
    read_told(path, limit, &mut |_| {})
}

/// Bytes that are read at a time.
const CHUNK: u64 = 1 << 22;

/// The same, telling how many bytes are read so far.
fn read_told(path: &Path, limit: u64, told: &mut dyn FnMut(u64)) -> Result<Vec<u8>, CliError> {
    let failed = |source| CliError::Io { action: "read", path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let too_large = || CliError::File { path: path.to_owned(), source: FileError::TooLarge(limit) };
    if metadata.len() > limit {
        return Err(too_large());
    }
    // What is no regular file may give more than it says.
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    loop {
        let left = (limit + 1).saturating_sub(bytes.len() as u64);
        let read = Read::take(&mut file, left.min(CHUNK)).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > limit {
            return Err(too_large());
        }
        if read == 0 {
            return Ok(bytes);
        }
        told(bytes.len() as u64);
    }
}

/// Reads a file that may be large, and shows how fast.
pub fn read_shown(path: &Path, limit: u64, what: &str, ui: &Ui) -> Result<Vec<u8>, CliError> {
    let bar = ui.bar(0, 0, "{spinner} {msg}: {binary_bytes}, {binary_bytes_per_sec}");
    bar.set_message(what.to_owned());
    let bytes = read_told(path, limit, &mut |read| bar.set_position(read));
    bar.finish_and_clear();
    bytes
}

/// Reads a text.
pub fn read_text(path: &Path) -> Result<String, CliError> {
    String::from_utf8(read(path, MAX_TEXT)?).map_err(|_| CliError::file(path)(FileError::Text))
}

/// Reads and decodes a file.
pub fn decode<T: Encoded>(path: &Path, limit: u64) -> Result<T, CliError> {
    codec::decode(&read(path, limit)?).map_err(CliError::file(path))
}

/// Encodes into a file; see [`write()`].
pub fn encode<T: Encoded>(path: &Path, value: &T, sync: bool) -> Result<(), CliError> {
    write(path, &codec::encode(value).map_err(CliError::file(path))?, sync)
}

/// Replaces a file: whoever reads it sees the old content or the new one, also after this process is killed. With
/// `sync` also after the machine stops.
pub fn write(path: &Path, bytes: &[u8], sync: bool) -> Result<(), CliError> {
    write_for(Readers::Umask, path, bytes, sync)
}

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Whom the umask lets, as of any other file.
    Umask,
    /// Its owner alone.
    Owner,
}

impl Readers {
    fn mode(self) -> u32 {
        match self {
            Readers::Umask => 0o666,
            Readers::Owner => 0o600,
        }
    }

    /// How a file is opened that is made if it is not there.
    pub fn options(self) -> OpenOptions {
        let mut options = File::options();
        options.create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, self.mode());
        options
    }
}

/// As [`write()`], for some readers.
pub fn write_for(readers: Readers, path: &Path, bytes: &[u8], sync: bool) -> Result<(), CliError> {
    let file = unfinished(path, bytes, sync, readers.mode());
    let written = file.and_then(|file| finish(path, sync, || Ok(file.persist(path)?)));
    written.map_err(CliError::io("write", path))
}

/// Whether nobody but its owner may read or write a file.
#[cfg(unix)]
pub fn is_secret(path: &Path) -> bool {
    check_secret(path).is_ok()
}

/// Permissions are of another kind.
#[cfg(not(unix))]
pub fn is_secret(_: &Path) -> bool {
    false
}

/// Refuses a file of secrets that others than its owner may read or write.
#[cfg(unix)]
pub fn check_secret(path: &Path) -> Result<(), CliError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_err(CliError::io("read", path))?.permissions().mode();
    if mode & 0o077 == 0 { Ok(()) } else { Err(CliError::file(path)(FileError::Readable { mode: mode & 0o777 })) }
}

/// Permissions are of another kind.
#[cfg(not(unix))]
pub fn check_secret(_: &Path) -> Result<(), CliError> {
    Ok(())
}

/// Makes a directory that only its owner may look into.
pub fn create_private_dir(path: &Path) -> Result<(), CliError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(CliError::io("create", path))
}

/// As [`write()`], and keeps the old content under another name. Whenever this process is killed, `path` is there.
pub fn write_keeping(readers: Readers, path: &Path, kept: &Path, bytes: &[u8], sync: bool) -> Result<(), CliError> {
    let written = unfinished(path, bytes, sync, readers.mode()).and_then(|file| {
        keep(path, kept)?;
        finish(path, sync, || Ok(file.persist(path)?))
    });
    written.map_err(CliError::io("write", path))
}

/// Gives a file's content another name as well. Not every file system has links.
fn keep(path: &Path, kept: &Path) -> io::Result<()> {
    let beside = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(parent(path))?.into_temp_path();
    // A link is made under a name that nobody has.
    fs::remove_file(&beside)?;
    match fs::hard_link(path, &beside).or_else(|_| fs::copy(path, &beside).map(|_| ())) {
        Ok(()) => {
            let name = beside.to_path_buf();
            beside.persist(kept)?;
            // Where a killed process left both names to one file, renaming does nothing (POSIX), and succeeds.
            match fs::remove_file(name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes a new file that only its owner may read, safe from the machine's stop; refuses to replace any file.
pub fn create_private(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let written =
        unfinished(path, bytes, true, 0o600).and_then(|file| finish(path, true, || Ok(file.persist_noclobber(path)?)));
    written.map_err(CliError::io("create", path))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The content in a file of another name, beside `path`.
fn unfinished(path: &Path, bytes: &[u8], sync: bool, mode: u32) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = builder.tempfile_in(parent(path))?;
    file.write_all(bytes)?;
    if sync {
        file.as_file().sync_all()?;
    }
    Ok(file)
}

/// Makes what was renamed in a directory safe from the machine's stop.
pub fn sync_dir(path: &Path) -> Result<(), CliError> {
    if cfg!(unix) {
        File::open(path).and_then(|dir| dir.sync_all()).map_err(CliError::io("write", path))?;
    }
    Ok(())
}

/// Gives the file its name.
fn finish(path: &Path, sync: bool, rename: impl FnOnce() -> io::Result<File>) -> io::Result<()> {
    rename()?;
    if sync && cfg!(unix) {
        File::open(parent(path))?.sync_all()?;
    }
    Ok(())
}

/// Makes a directory and its parents.
pub fn create_dir(path: &Path) -> Result<(), CliError> {
    fs::create_dir_all(path).map_err(CliError::io("create", path))
}

/// Removes a file.
pub fn remove(path: &Path) -> Result<(), CliError> {
    fs::remove_file(path).map_err(CliError::io("remove", path))
}
