//! Reading and writing the files.

use super::{Cache, Fault};
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

impl Cache {
    /// Reads a file of at most `most` bytes, if there is one.
    pub fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, Fault> {
        let file = match fs::File::open(self.path(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) => return Err(Fault::Unreadable),
        };
        let size = file.metadata().map_err(|_| Fault::Unreadable)?.len();
        // Seen before anything is read into memory.
        if size > most {
            return Err(Fault::Size);
        }
        let mut bytes = Vec::with_capacity(size as usize);
        file.take(most + 1).read_to_end(&mut bytes).map_err(|_| Fault::Unreadable)?;
        if bytes.len() as u64 > most { Err(Fault::Size) } else { Ok(Some(bytes)) }
    }

    /// Writes a file of some parts, in place of one that may be there.
    pub fn write(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        create_private(&self.dir)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        parts.iter().try_for_each(|part| file.write_all(part))?;
        file.as_file().sync_all()?;
        file.persist(self.path(name))?;
        Ok(())
    }

    /// Refuses the directory if anyone but its owner, who must be this user or the system's, may put files there: its own
    /// permissions say so, or those of a directory above it by which it could be replaced.
    pub fn check_private(&self) -> Result<(), Fault> {
        let Ok(dir) = fs::canonicalize(&self.dir) else { return Err(Fault::Unreadable) };
        for (level, dir) in dir.ancestors().enumerate() {
            let private = private(dir, level == 0).map_err(|_| Fault::Unreadable)?;
            if !private {
                return Err(Fault::Public(dir.to_owned()));
            }
        }
        Ok(())
    }
}

#[cfg(unix)]
fn create_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn create_private(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

#[cfg(unix)]
fn private(dir: &Path, innermost: bool) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (metadata, own) = (fs::metadata(dir)?, rustix::process::geteuid().as_raw());
    // Where the sticky bit is set, files can be added by anyone, but not replaced.
    let (others, sticky) = (metadata.mode() & 0o022 != 0, metadata.mode() & 0o1000 != 0);
    Ok([0, own].contains(&metadata.uid()) && (!others || (sticky && !innermost)))
}

/// Where permissions are of another kind, the user's directories are the user's.
#[cfg(not(unix))]
fn private(_: &Path, _: bool) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path().join("made on demand"));
        assert_eq!(cache.read("a", 10).unwrap(), None);
        cache.write("a", &[b"one", b"two"]).unwrap();
        assert_eq!(cache.read("a", 6).unwrap().unwrap(), b"onetwo");
        assert_eq!(cache.read("a", 5).unwrap_err(), Fault::Size);
        cache.write("a", &[b"three"]).unwrap();
        assert_eq!(cache.read("a", 6).unwrap().unwrap(), b"three");
        assert_eq!(fs::read_dir(dir.path().join("made on demand")).unwrap().count(), 1);
        fs::create_dir(cache.path("b")).unwrap();
        assert_eq!(cache.read("b", 1 << 20).unwrap_err(), Fault::Unreadable);
        let file = Cache::new(cache.path("a"));
        assert!(file.write("b", &[b"x"]).is_err());
        assert_eq!(file.read("b", 9).unwrap_err(), Fault::Unreadable);
    }

    /// Many at once: each reader sees one of the files that were written, whole.
    #[test]
    fn readers_see_whole_files() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path());
        cache.write("a", &[&[0; 5000]]).unwrap();
        std::thread::scope(|scope| {
            for byte in 1..4u8 {
                let cache = &cache;
                scope.spawn(move || (0..20).for_each(|_| cache.write("a", &[&[byte; 5000]]).unwrap()));
            }
            for _ in 0..200 {
                let bytes = cache.read("a", 5000).unwrap().unwrap();
                assert!(bytes.len() == 5000 && bytes.iter().all(|byte| *byte == bytes[0]));
            }
        });
    }

    #[cfg(unix)]
    #[test]
    fn directories_that_others_may_write_to_are_told() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let cache = Cache::new(root.join("above/cache"));
        assert_eq!(cache.check_private().unwrap_err(), Fault::Unreadable);
        cache.write("a", &[b"x"]).unwrap();
        let set = |dir: &str, mode: u32| {
            fs::set_permissions(root.join(dir), fs::Permissions::from_mode(mode)).unwrap();
            cache.check_private()
        };
        assert_eq!(cache.check_private(), Ok(()));
        for mode in [0o720, 0o702, 0o1777] {
            assert_eq!(set("above/cache", mode), Err(Fault::Public(root.join("above/cache"))), "{mode:o}");
        }
        assert_eq!(set("above/cache", 0o755), Ok(()));
        assert_eq!(set("above", 0o777), Err(Fault::Public(root.join("above"))));
        assert_eq!(set("above", 0o1777), Ok(()));
    }
}
