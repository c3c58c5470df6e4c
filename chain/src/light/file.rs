//! The chain's verified blocks, in one file that is only ever appended to, but for changes of branches.
//!
//! A file is a run of records: `[length u32 LE] [BLAKE2b-256 of length and content] [content]`. The first holds the genesis,
//! the chain's identity and the checkpoint, if there is one; each other one is a block, in order of height.
//!
//! * **Writing.** The blocks of a window are written, then synced, before the client counts them. On a change of branches
//!   the file is cut at the fork and synced before anything is written, so that blocks of two branches never mix. If
//!   writing fails, the file is cut back to what it held; if the branch had changed or that fails too, it takes nothing more
//!   until it is opened again, whereupon it holds a shorter chain.
//! * **Opening.** Blocks are checked as strangers' are, but for their proofs, which were verified before they were
//!   written, and for times ahead of the clock; [`Proofs::Verified`] verifies the proofs too. Bytes that are not what was
//!   written are dropped, with all that follows them, and reported with their position: the tail that a crash tore, or a
//!   record that was damaged. The blocks can be had again from any source. A damaged first record is an error, as are
//!   whole records that are no valid chain: nothing is dropped then. A file that holds nothing but a part of the first
//!   record, or nothing at all, is what a full disk or a crash leaves when it is made: it counts as none.
//! * **Two processes** never write to one file: it is locked.

use super::client::{Keep, Proofs, Report, WINDOW};
use super::frame::{self, BEFORE, Fault};
use super::{Checkpoint, LightClient, LightError};
use crate::block::Block;
use crate::genesis::Genesis;
use crate::header::ChainId;
use circuits::statements::codec::{self, CodecError, Encoded};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

/// Bytes of blocks that opening reads before it checks them.
const READ_AHEAD: usize = 64 << 20;

/// A file, or what stands for one.
pub trait Disk: Read + Write + Seek {
    /// Cuts it to so many bytes.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Waits until everything, the length included, would survive a loss of power.
    fn sync(&mut self) -> io::Result<()>;
}

/// What a file begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beginning {
    /// Identity of the chain.
    pub chain: ChainId,
    /// The genesis.
    pub genesis: Genesis,
    /// What the client started from, if not from the genesis.
    pub checkpoint: Option<Checkpoint>,
}

impl Encoded for Beginning {
    const MAGIC: [u8; 8] = *b"GRADLGHT";
    // 2: the genesis has a proof; 3: named slots.
    const VERSION: u32 = 3;
    const NAME: &'static str = "light client file";
}

/// Why blocks cannot be kept in a file, or read from it.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system fails.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Another process has it open.
    #[error("another process has the file open")]
    Locked,
    /// Its first record is damaged, or of another kind of file.
    #[error("this is not a light client file, or its beginning is damaged: {0}")]
    Beginning(Fault),
    /// It holds another chain.
    #[error("the file belongs to another chain")]
    OtherChain {
        /// That chain's identity.
        found: ChainId,
    },
    /// It begins at another checkpoint.
    #[error("the file starts at another block than the one that is given")]
    OtherCheckpoint,
    /// A record is whole, but holds no block.
    #[error("at byte {offset}: {source}")]
    NoBlock {
        /// Where the record begins.
        offset: u64,
        /// Why.
        source: CodecError,
    },
    /// A record is whole, but its block is not valid after those before it.
    #[error("among the records from byte {offset} on: {source}")]
    Refused {
        /// Where the first record begins that was checked together with it.
        offset: u64,
        /// Why.
        source: Box<LightError>,
    },
    /// The client that is to take the file's blocks knows some already.
    #[error("the client already has blocks")]
    NotNew,
    /// Something failed before, and what the file holds is not certain.
    #[error("an earlier write to the file failed; open it again")]
    Broken,
    /// Blocks are put where there is nothing before them.
    #[error("blocks above height {above} do not follow the file's last, {last}")]
    Gap {
        /// The height that they are to be put above.
        above: u64,
        /// Height of the file's last block.
        last: u64,
    },
    /// A block is longer than any record.
    #[error("the block has {found} bytes; a record has at most {most}", most = frame::MAX_RECORD)]
    TooLong {
        /// Bytes of the block.
        found: usize,
    },
    /// The first record is of another kind or version, or cannot be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// Bytes that opening dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Where the record begins that is none.
    pub offset: u64,
    /// Bytes from there on.
    pub bytes: u64,
    /// The height that its block would have.
    pub height: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What opening found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// What the client did with the blocks.
    pub report: Report,
    /// What was dropped, if anything.
    pub dropped: Option<Dropped>,
}

/// A file of blocks.
#[derive(Debug)]
pub struct LightFile<D = File> {
    disk: D,
    /// Height of the checkpoint.
    base: u64,
    /// Where the records end, the first one's first.
    ends: Vec<u64>,
    broken: bool,
}

/// Reads the first record.
pub(super) fn first(reader: &mut impl Read, length: u64) -> Result<Beginning, FileError> {
    let content = frame::read(reader, length)?.map_err(FileError::Beginning)?;
    Ok(codec::decode(&content)?)
}

/// Whether a whole file is what is left of its first record: the beginning of it, then zeros where the file had grown
/// and the power failed before the bytes were there.
fn is_torn_beginning(file: &[u8], record: &[u8]) -> bool {
    let kept = file.iter().zip(record).take_while(|(a, b)| a == b).count();
    file.len() <= record.len() && kept < record.len() && file[kept..].iter().all(|&byte| byte == 0)
}

impl<D: Disk> LightFile<D> {
    /// Opens or makes it on anything that is like a file, and gives its blocks to a new client.
    pub fn open_on(mut disk: D, client: &mut LightClient<'_>, proofs: Proofs) -> Result<(Self, Opened), FileError> {
        if client.tip().id != client.first().id {
            return Err(FileError::NotNew);
        }
        let spec = client.checker().spec;
        let ours =
            Beginning { chain: *spec.id(), genesis: spec.genesis().clone(), checkpoint: client.checkpoint().cloned() };
        let content = codec::encode(&ours)?;
        let written = frame::record(&content).ok_or(FileError::TooLong { found: content.len() })?;
        let length = disk.seek(SeekFrom::End(0))?;
        disk.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::new(&mut disk);
        let mut prefix = vec![];
        reader.by_ref().take(written.len() as u64).read_to_end(&mut prefix)?;
        let new = length <= written.len() as u64 && is_torn_beginning(&prefix, &written);
        if !new && prefix != written {
            reader.seek(SeekFrom::Start(0))?;
            let found = first(&mut reader, length)?;
            return Err(match found.chain == ours.chain {
                true => FileError::OtherCheckpoint,
                false => FileError::OtherChain { found: found.chain },
            });
        }
        let base = client.first().height();
        let mut file = LightFile { disk, base, ends: vec![written.len() as u64], broken: false };
        if new {
            // Also what a crash or a full disk left of a file's first record.
            file.disk.cut(0)?;
            file.disk.seek(SeekFrom::Start(0))?;
            file.disk.write_all(&written)?;
            file.disk.sync()?;
            return Ok((file, Opened { report: Report::default(), dropped: None }));
        }
        let opened = file.load(length, client, proofs)?;
        Ok((file, opened))
    }

    /// Gives all blocks to the client, and drops what is no record.
    fn load(&mut self, length: u64, client: &mut LightClient<'_>, proofs: Proofs) -> Result<Opened, FileError> {
        let mut opened = Opened { report: Report::default(), dropped: None };
        let mut offset = self.end();
        self.disk.seek(SeekFrom::Start(offset))?;
        let mut reader = BufReader::new(&mut self.disk);
        let (mut blocks, mut bytes, mut from) = (vec![], 0, offset);
        while offset < length && opened.dropped.is_none() {
            match frame::read(&mut reader, length - offset)? {
                Ok(content) => {
                    let block: Block =
                        codec::decode(&content).map_err(|source| FileError::NoBlock { offset, source })?;
                    offset += (BEFORE + content.len()) as u64;
                    bytes += content.len();
                    blocks.push(block);
                    self.ends.push(offset);
                }
                Err(fault) => {
                    let height = self.base + self.ends.len() as u64;
                    opened.dropped = Some(Dropped { offset, bytes: length - offset, height, fault });
                }
            }
            if blocks.len() >= WINDOW || bytes >= READ_AHEAD || offset >= length || opened.dropped.is_some() {
                give(client, std::mem::take(&mut blocks), from, proofs, &mut opened.report)?;
                (bytes, from) = (0, offset);
            }
        }
        if opened.dropped.is_some() {
            self.disk.cut(offset)?;
            self.disk.sync()?;
        }
        Ok(opened)
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.end()
    }

    /// Blocks in the file.
    pub fn blocks(&self) -> u64 {
        (self.ends.len() as u64).saturating_sub(1)
    }

    /// The block of a height, if the file has it.
    pub fn block(&mut self, height: u64) -> Result<Option<Block>, FileError> {
        let index = height.checked_sub(self.base).and_then(|above| usize::try_from(above).ok()).filter(|&i| i > 0);
        let range = index.and_then(|i| Some((*self.ends.get(i.checked_sub(1)?)?, *self.ends.get(i)?)));
        let Some((offset, end)) = range else { return Ok(None) };
        self.disk.seek(SeekFrom::Start(offset))?;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("the record at byte {offset} has changed"));
        let content = frame::read(&mut self.disk, end - offset)?.map_err(|_| damaged())?;
        codec::decode(&content).map(Some).map_err(|source| FileError::NoBlock { offset, source })
    }

    fn end(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    fn write(&mut self, from: u64, records: &[Vec<u8>]) -> io::Result<()> {
        self.disk.seek(SeekFrom::Start(from))?;
        for record in records {
            self.disk.write_all(record)?;
        }
        self.disk.flush()?;
        self.disk.sync()
    }
}

fn give(
    client: &mut LightClient<'_>,
    blocks: Vec<Block>,
    offset: u64,
    proofs: Proofs,
    report: &mut Report,
) -> Result<(), FileError> {
    // Their times were not ahead of the clock when they were written; the clock may have been put back since.
    let given = client.extend_with(blocks, u64::MAX, &mut super::Nowhere, proofs);
    let given = given.map_err(|source| FileError::Refused { offset, source: Box::new(source) })?;
    report.taken += given.taken;
    report.known += given.known;
    report.bytes += given.bytes;
    report.batches += given.batches;
    report.proofs += given.proofs;
    Ok(())
}

impl<D: Disk> Keep for LightFile<D> {
    fn replace(&mut self, above: u64, blocks: &[&[u8]]) -> Result<(), FileError> {
        if self.broken {
            return Err(FileError::Broken);
        }
        let gap = FileError::Gap { above, last: self.base + self.blocks() };
        let kept = above.checked_sub(self.base).and_then(|above| usize::try_from(above).ok());
        let Some((kept, from)) = kept.and_then(|kept| Some((kept + 1, *self.ends.get(kept)?))) else {
            return Err(gap);
        };
        let mut records = vec![];
        for &block in blocks {
            records.push(frame::record(block).ok_or(FileError::TooLong { found: block.len() })?);
        }
        let switches = kept < self.ends.len();
        if switches {
            // From here on the file holds less than the client knows, until all is written.
            self.broken = true;
            self.disk.cut(from)?;
            self.disk.sync()?;
            self.ends.truncate(kept);
        }
        if let Err(error) = self.write(from, &records) {
            let mended = self.disk.cut(from).and_then(|()| self.disk.sync());
            self.broken = switches || mended.is_err();
            return Err(error.into());
        }
        let mut end = from;
        for record in &records {
            end += record.len() as u64;
            self.ends.push(end);
        }
        self.broken = false;
        Ok(())
    }
}
