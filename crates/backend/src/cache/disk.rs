//! Reading and writing the files.

use super::{Cache, Fault};
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

impl Cache {
    /// Reads a file of at most `most` bytes, if there is one. Anyone may have written it.
    pub fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, Fault> {
        read(&self.path(name), most)
    }

    /// The same if none but the owner, who must be this user or the system's, may have put it there: permissions say so, its
    /// own, the directory's, and those of the directories above by which that could be replaced.
    pub fn read_private(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, Fault> {
        // What is checked is what is read: where nobody else may write, nobody else puts a link meanwhile.
        let dir = match fs::canonicalize(&self.dir) {
            Ok(dir) => dir,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) => return Err(Fault::Unreadable),
        };
        let path = dir.join(name);
        if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(None);
        }
        for (level, place) in path.ancestors().enumerate() {
            // Where the sticky bit is set, files can be added by anyone, but not replaced.
            let sticky_will_do = level > 1;
            if !private(place, sticky_will_do).map_err(|_| Fault::Unreadable)? {
                return Err(Fault::Public(place.to_owned()));
            }
        }
        read(&path, most)
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
}

fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Fault> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) => return Err(Fault::Unreadable),
    };
    // To open what is no file might wait for ever. The size is seen before anything is read into memory.
    if !metadata.is_file() {
        return Err(Fault::Unreadable);
    }
    if metadata.len() > most {
        return Err(Fault::Size);
    }
    let file = fs::File::open(path).map_err(|_| Fault::Unreadable)?;
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    file.take(most + 1).read_to_end(&mut bytes).map_err(|_| Fault::Unreadable)?;
    if bytes.len() as u64 > most { Err(Fault::Size) } else { Ok(Some(bytes)) }
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
fn private(path: &Path, sticky_will_do: bool) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (metadata, own) = (fs::symlink_metadata(path)?, rustix::process::geteuid().as_raw());
    let (others, sticky) = (metadata.mode() & 0o022 != 0, metadata.mode() & 0o1000 != 0);
    Ok(!metadata.is_symlink() && [0, own].contains(&metadata.uid()) && (!others || (sticky && sticky_will_do)))
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
    fn what_others_may_write_is_told() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let cache = Cache::new(root.join("above/cache"));
        let read = || cache.read_private("a", 9).map(|bytes| bytes.is_some());
        assert_eq!(read(), Ok(false));
        cache.write("a", &[b"x"]).unwrap();
        let set = |path: &str, mode: u32| {
            fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
            read()
        };
        assert_eq!(read(), Ok(true));
        let public = |path: &str| Err(Fault::Public(root.join(path)));
        for mode in [0o720, 0o702, 0o1777] {
            assert_eq!(set("above/cache", mode), public("above/cache"), "{mode:o}");
        }
        assert_eq!(set("above/cache", 0o755), Ok(true));
        assert_eq!(set("above", 0o777), public("above"));
        assert_eq!(set("above", 0o1777), Ok(true));
        assert_eq!(set("above/cache/a", 0o666), public("above/cache/a"));
        assert_eq!(set("above/cache/a", 0o644), Ok(true));
        assert_eq!(cache.read_private("b", 9), Ok(None));
        // By a link that others may exchange: what it leads to now is looked at, and nothing else is read.
        fs::create_dir(root.join("public")).unwrap();
        symlink(root.join("above/cache"), root.join("public/cache")).unwrap();
        set("public", 0o777).unwrap();
        let linked = Cache::new(root.join("public/cache"));
        assert_eq!(linked.read_private("a", 9), Ok(Some(b"x".to_vec())));
        // A link in place of the file is none of ours.
        symlink(root.join("public/x"), root.join("above/cache/c")).unwrap();
        assert_eq!(cache.read_private("c", 9), Err(Fault::Public(root.join("above/cache/c"))));
    }

    /// To open a pipe would wait for ever.
    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo").arg(dir.path().join("a")).status();
        assert!(made.unwrap().success());
        assert_eq!(Cache::new(dir.path()).read("a", 9), Err(Fault::Unreadable));
    }
}
