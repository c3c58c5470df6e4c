//! Asking a node: over the socket of a running devnet, or the store of a stopped one.
//!
//! A connection is made when the first question is asked, and again after a break: nodes hang up on the silent. A question
//! that a new connection leaves without an answer is asked once more; asking twice does no harm, not even handing over a
//! transaction.

#[cfg(unix)]
mod frame;
#[cfg(unix)]
mod server;

#[cfg(unix)]
pub use server::{ServerHandle, serve};

use crate::error::CliError;
pub use crate::error::node::{DEFAULT_DIR, NodeError, SOCKET, dir_option};
use crate::files;
use chain::genesis::{ChainSpec, Genesis};
use chain::rpc::{self, Answer, Query};
use chain::store::Store;
use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The genesis in a devnet's directory.
pub const GENESIS: &str = "genesis.bin";
/// The store of the node that answers.
const STORE: &str = "node-0.redb";

/// Largest answer, in bytes: the state of a large model.
#[cfg(unix)]
const MAX_ANSWER: usize = 64 << 20;
/// How long a node may take from a question to the whole answer.
#[cfg(unix)]
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait for a store that is in use: a devnet that starts has its store before its socket, and another
/// question to a stopped one is answered soon.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// A way to a node of one chain.
pub struct NodeLink {
    dir: PathBuf,
    spec: ChainSpec,
    /// Whether a stopped node's store will not do.
    needs_running: Cell<bool>,
    /// None before the first question and after a break.
    way: RefCell<Option<Way>>,
}

enum Way {
    #[cfg(unix)]
    Socket(std::os::unix::net::UnixStream),
    Store(Box<Store>),
}

impl NodeLink {
    /// The chain of a devnet's directory, which the genesis there names; nobody is asked yet. `option` is the one that named
    /// the directory, for errors.
    pub fn open(dir: &Path, option: &'static str) -> Result<Self, CliError> {
        let file = dir.join(GENESIS);
        if !file.exists() {
            return Err(NodeError::NoDevnet { dir: dir.to_owned(), option }.into());
        }
        let genesis: Genesis = files::decode(&file, files::MAX_SMALL)?;
        let spec = ChainSpec::new(genesis).map_err(CliError::file(&file))?;
        Ok(NodeLink { dir: dir.to_owned(), spec, needs_running: Cell::new(false), way: RefCell::new(None) })
    }

    /// The command line that asks the same node, for people.
    pub fn command(&self, arguments: &str) -> String {
        format!("gradientcoin {arguments}{}", dir_option(&self.dir))
    }

    /// The chain.
    pub fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// Whether a node is running.
    pub fn is_running(&self) -> Result<bool, CliError> {
        Ok(self.by(|way| Ok(!matches!(way, Way::Store(_))))?)
    }

    /// Requires a running node, now and at every question to come: a store takes no transactions.
    pub fn require_running(&self) -> Result<(), CliError> {
        self.needs_running.set(true);
        if self.is_running()? { Ok(()) } else { Err(NodeError::NotRunning(self.dir.clone()).into()) }
    }

    /// A stopped node's store will do again.
    pub fn allow_stopped(&self) {
        self.needs_running.set(false);
    }

    /// Asks. What the answer says is not checked yet; see [`crate::answers`].
    pub fn ask(&self, query: &Query) -> Result<Answer, CliError> {
        // An old connection may have been hung up on long ago; a new one that breaks is made once more.
        let tries = if self.way.borrow().is_some() { 3 } else { 2 };
        let mut answer = self.by(|way| self.asked(way, query));
        for _ in 1..tries {
            match &answer {
                Err(error) if error.is_break() => answer = self.by(|way| self.asked(way, query)),
                _ => break,
            }
        }
        match answer? {
            Answer::Refused(reason) => Err(NodeError::Refused(harmless(&reason)).into()),
            answer => Ok(answer),
        }
    }

    /// Goes the way, found first if there is none; one that fails is not gone again.
    fn by<T>(&self, go: impl FnOnce(&Way) -> Result<T, NodeError>) -> Result<T, NodeError> {
        let mut kept = self.way.borrow_mut();
        let way = match kept.take() {
            Some(way) => way,
            None => self.find()?,
        };
        let outcome = go(&way)?;
        *kept = Some(way);
        Ok(outcome)
    }

    fn find(&self) -> Result<Way, NodeError> {
        let deadline = Instant::now() + STORE_PATIENCE;
        loop {
            match way(&self.dir) {
                Err(NodeError::InUse(_)) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Ok(Way::Store(_)) if self.needs_running.get() => return Err(NodeError::NotRunning(self.dir.clone())),
                way => return way,
            }
        }
    }

    fn asked(&self, way: &Way, query: &Query) -> Result<Answer, NodeError> {
        match way {
            #[cfg(unix)]
            Way::Socket(stream) => over_socket(stream, query, &self.dir.join(SOCKET)),
            Way::Store(store) => {
                rpc::answer(store, query).map_err(|source| NodeError::Store { path: self.dir.join(STORE), source })
            }
        }
    }
}

/// What a stranger says, on one line of the terminal.
fn harmless(text: &str) -> String {
    text.chars().take(400).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn way(dir: &Path) -> Result<Way, NodeError> {
    #[cfg(unix)]
    if let Some(stream) = connect(&dir.join(SOCKET))? {
        return Ok(Way::Socket(stream));
    }
    let path = dir.join(STORE);
    // Opening would make it.
    if !path.exists() {
        return Err(NodeError::NoStore(path));
    }
    match Store::open(&path) {
        Ok(store) => Ok(Way::Store(Box::new(store))),
        Err(error) if error.is_in_use() => Err(NodeError::InUse(path)),
        Err(source) => Err(NodeError::Store { path, source }),
    }
}

/// A connection, if anybody listens: a node that was killed leaves its socket's file.
#[cfg(unix)]
fn connect(path: &Path) -> Result<Option<std::os::unix::net::UnixStream>, NodeError> {
    use std::io::ErrorKind;
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(stream) => Ok(Some(stream)),
        // The last: a path that is too long for a socket, where none can be.
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::InvalidInput) => {
            Ok(None)
        }
        Err(source) => Err(NodeError::Connection { path: path.to_owned(), source }),
    }
}

#[cfg(unix)]
fn over_socket(stream: &std::os::unix::net::UnixStream, query: &Query, path: &Path) -> Result<Answer, NodeError> {
    use circuits::statements::codec;
    let query = codec::encode(query)?;
    let deadline = Instant::now() + PATIENCE;
    let answered = frame::write(stream, &query, deadline).and_then(|()| frame::read(stream, MAX_ANSWER, deadline));
    let answer = answered.map_err(|source| NodeError::Connection { path: path.to_owned(), source })?;
    Ok(codec::decode(&answer)?)
}
