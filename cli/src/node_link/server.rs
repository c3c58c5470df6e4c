//! The node's side of the socket.

use super::{MAX_ANSWER, PATIENCE, frame};
use chain::rpc::{Answer, Query};
use circuits::statements::codec;
use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Largest question, in bytes.
const MAX_QUERY: usize = 64 << 10;
/// Most connections at a time; more are closed at once.
const MAX_CONNECTIONS: usize = 32;
/// How long a connection may be silent before a question is complete.
const IDLE: Duration = Duration::from_secs(10);
/// How often a new connection and the end are looked for.
const TICK: Duration = Duration::from_millis(10);

/// What a server allows.
#[derive(Clone, Copy)]
struct Limits {
    connections: usize,
    idle: Duration,
    answering: Duration,
}

/// A server; dropped, it takes its socket away, closes its connections, and no handler runs any more.
#[derive(Debug)]
pub struct ServerHandle {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        self.stop.store(true, Ordering::Release);
        if let Some(acceptor) = self.acceptor.take() {
            // A handler that panicked was heard of already.
            let _ = acceptor.join();
        }
    }
}

/// Answers questions at a Unix socket that only its owner may use, each connection in a thread of its own. A socket that
/// a killed process left is replaced.
pub fn serve(path: &Path, handler: impl Fn(Query) -> Answer + Send + Sync + 'static) -> io::Result<ServerHandle> {
    serve_within(path, Limits { connections: MAX_CONNECTIONS, idle: IDLE, answering: PATIENCE }, handler)
}

fn serve_within(
    path: &Path,
    limits: Limits,
    handler: impl Fn(Query) -> Answer + Send + Sync + 'static,
) -> io::Result<ServerHandle> {
    let listener = bind(path)?;
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    let acceptor = thread::Builder::new().name("socket".into()).spawn(move || {
        let connections = Connections::default();
        thread::scope(|scope| {
            let mut number = 0u64;
            while !told.load(Ordering::Acquire) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        number += 1;
                        let Some(open) = connections.enter(number, &stream, limits.connections) else { continue };
                        let handler = &handler;
                        // If there is no thread for it, the connection is closed.
                        let _ = thread::Builder::new()
                            .spawn_scoped(scope, move || converse(open, &stream, limits, handler));
                    }
                    // Nobody came; or there is no room for a descriptor, which passes.
                    Err(_) => thread::sleep(TICK),
                }
            }
            connections.close();
        });
    })?;
    Ok(ServerHandle { path: path.to_owned(), stop, acceptor: Some(acceptor) })
}

/// Binds under another name in a directory that only its owner may enter, so that there is no moment at which others may
/// connect.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(e),
        Ok(found) if !found.file_type().is_socket() => return Err(ErrorKind::AlreadyExists.into()),
        Ok(_) => match UnixStream::connect(path) {
            Err(e) if e.kind() == ErrorKind::ConnectionRefused => {}
            Err(e) => return Err(e),
            Ok(_) => return Err(ErrorKind::AddrInUse.into()),
        },
    }
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let private = tempfile::Builder::new().prefix(".s").rand_bytes(6).tempdir_in(parent)?;
    let name = private.path().join("s");
    let listener = UnixListener::bind(&name)?;
    fs::set_permissions(&name, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    fs::rename(&name, path)?;
    Ok(listener)
}

/// The connections that are open, to be counted and to be closed.
#[derive(Default)]
struct Connections(Mutex<HashMap<u64, UnixStream>>);

impl Connections {
    fn streams(&self) -> MutexGuard<'_, HashMap<u64, UnixStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, number: u64, stream: &UnixStream, limit: usize) -> Option<Open<'_>> {
        let mut streams = self.streams();
        if streams.len() >= limit {
            return None;
        }
        // Some systems let it inherit the listener's mode.
        stream.set_nonblocking(false).ok()?;
        streams.insert(number, stream.try_clone().ok()?);
        Some(Open { connections: self, number })
    }

    fn close(&self) {
        for stream in self.streams().values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Makes room when dropped, also if the handler panics.
struct Open<'c> {
    connections: &'c Connections,
    number: u64,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.connections.streams().remove(&self.number);
    }
}

/// Answers one question after the other; whoever breaks the form or the limits is hung up on.
fn converse(_open: Open<'_>, stream: &UnixStream, limits: Limits, handler: &impl Fn(Query) -> Answer) {
    while let Ok(query) = frame::read(stream, MAX_QUERY, Instant::now() + limits.idle) {
        let Ok(query) = codec::decode(&query) else { break };
        let answer = encoded(handler(query));
        if frame::write(stream, &answer, Instant::now() + limits.answering).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

fn encoded(answer: Answer) -> Vec<u8> {
    let refused = |why: &str| codec::encode(&Answer::Refused(why.into())).unwrap_or_default();
    match codec::encode(&answer) {
        Ok(bytes) if bytes.len() <= MAX_ANSWER => bytes,
        Ok(_) => refused("the answer is too long for the socket; request less"),
        Err(error) => refused(&error.to_string()),
    }
}

#[cfg(test)]
mod tests;
