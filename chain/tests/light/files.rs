//! The file: what comes back, what is dropped, what is refused.

use crate::common::*;
use chain::genesis::ChainSpec;
use chain::light::disk::beginning;
use chain::light::{Disk, Fault, FileError, Keep, LightClient, LightError, LightFile, Opened, Proofs, Report};
use proptest::prelude::*;
use std::cell::RefCell;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::rc::Rc;

/// Bytes that outlive the file on them, and may run out of room.
#[derive(Clone, Debug, Default)]
struct Memory {
    bytes: Rc<RefCell<Cursor<Vec<u8>>>>,
    /// Most bytes.
    room: Rc<RefCell<Option<usize>>>,
    /// Whether cutting fails.
    stuck: Rc<RefCell<bool>>,
}

impl Memory {
    fn of(bytes: Vec<u8>) -> Self {
        let memory = Memory::default();
        *memory.bytes.borrow_mut() = Cursor::new(bytes);
        memory
    }

    fn held(&self) -> Vec<u8> {
        self.bytes.borrow().get_ref().clone()
    }
}

impl Read for Memory {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.bytes.borrow_mut().read(into)
    }
}

impl Seek for Memory {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.borrow_mut().seek(to)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.bytes.borrow_mut();
        let left = self.room.borrow().map_or(usize::MAX, |room| room.saturating_sub(inner.position() as usize));
        if left == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        inner.write(&bytes[..bytes.len().min(left)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Memory {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        if *self.stuck.borrow() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.borrow_mut().get_mut().resize(length as usize, 0);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn open<'p>(
    spec: &'p ChainSpec,
    memory: &Memory,
    proofs: Proofs,
) -> Result<(LightClient<'p>, LightFile<Memory>, Opened), FileError> {
    let mut client = client(spec);
    let (file, opened) = LightFile::open_on(memory.clone(), &mut client, proofs)?;
    Ok((client, file, opened))
}

/// A file of a branch, and where its records end.
fn written(branch: &Branch<'_>) -> (Vec<u8>, Vec<usize>) {
    let memory = Memory::default();
    let (mut client, mut file, _) = open(branch.spec, &memory, Proofs::Trusted).unwrap();
    let mut ends = vec![memory.held().len()];
    for block in &branch.blocks {
        client.extend(vec![block.clone()], NOW, &mut file).unwrap();
        ends.push(memory.held().len());
    }
    (memory.held(), ends)
}

fn report(blocks: u64) -> impl Fn(&Report) -> bool {
    move |report| report.taken == blocks && report.switch.is_none()
}

#[test]
fn what_was_written_comes_back() {
    let branch = Branch::new(&SPEC).grow(70, 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blocks");
    let open = |path: &Path, proofs| {
        let mut client = client(&SPEC);
        LightFile::open(path, &mut client, proofs).map(|(file, opened)| (client, file, opened))
    };
    let (mut of_path, mut file, opened) = open(&path, Proofs::Trusted).unwrap();
    assert!(report(0)(&opened.report) && opened.dropped.is_none());
    // One process at a time.
    assert!(matches!(open(&path, Proofs::Trusted), Err(FileError::Locked)));
    of_path.extend(branch.blocks.clone(), NOW, &mut file).unwrap();
    assert_eq!((file.blocks(), file.bytes()), (70, std::fs::metadata(&path).unwrap().len()));
    assert_eq!(file.block(0).unwrap(), None);
    assert_eq!(file.block(33).unwrap().as_ref(), Some(&branch.blocks[32]));
    assert_eq!(file.block(71).unwrap(), None);
    drop(file);
    for proofs in [Proofs::Trusted, Proofs::Verified] {
        let (again, file, opened) = open(&path, proofs).unwrap();
        assert!(report(70)(&opened.report) && opened.dropped.is_none());
        assert_eq!(ids(&again), ids(&of_path));
        assert_eq!(again.tip(), of_path.tip());
        assert_eq!(file.blocks(), 70);
    }
    let found = beginning(&path).unwrap().unwrap();
    assert_eq!((&found.chain, &found.genesis), (SPEC.id(), SPEC.genesis()));
    assert_eq!(found.checkpoint, None);

    // Blocks go to a new client only.
    assert!(matches!(LightFile::open(&path, &mut of_path, Proofs::Trusted), Err(FileError::NotNew)));
    // And of this chain.
    let other = spec(|genesis| genesis.name = "other".into());
    let refused = LightFile::open(&path, &mut client(&other), Proofs::Trusted).map(|_| ());
    assert!(matches!(refused, Err(FileError::OtherChain { found }) if found == *SPEC.id()));
    let checkpoint = branch.checkpoint(20);
    let digest = checkpoint.digest().unwrap();
    let mut later = LightClient::from_checkpoint(checker(&SPEC), checkpoint, &digest).unwrap();
    let refused = LightFile::open(&path, &mut later, Proofs::Trusted).map(|_| ());
    assert!(matches!(refused, Err(FileError::OtherCheckpoint)));
}

#[test]
fn from_a_checkpoint_on() {
    let branch = Branch::new(&SPEC).grow(30, 1);
    let checkpoint = branch.checkpoint(20);
    let digest = checkpoint.digest().unwrap();
    let start = || LightClient::from_checkpoint(checker(&SPEC), checkpoint.clone(), &digest).unwrap();
    let memory = Memory::default();
    let mut later = start();
    let (mut file, _) = LightFile::open_on(memory.clone(), &mut later, Proofs::Trusted).unwrap();
    later.extend(branch.above(20), NOW, &mut file).unwrap();
    let mut again = start();
    let (mut file, opened) = LightFile::open_on(memory.clone(), &mut again, Proofs::Trusted).unwrap();
    assert!(report(10)(&opened.report));
    assert_eq!((again.tip().id, file.block(21).unwrap().unwrap().id()), (branch.id(), branch.blocks[20].id()));
    assert!(matches!(open(&SPEC, &memory, Proofs::Trusted), Err(FileError::OtherCheckpoint)));
}

#[test]
fn a_torn_tail_is_cut_off_at_every_byte() {
    let branch = Branch::new(&SPEC).grow(3, 1);
    let (bytes, ends) = written(&branch);
    for length in ends[2]..=ends[3] {
        let memory = Memory::of(bytes[..length].to_vec());
        let (mut client, mut file, opened) = open(&SPEC, &memory, Proofs::Trusted).unwrap();
        let whole = if length == ends[3] { 3 } else { 2 };
        assert!(report(whole)(&opened.report));
        match opened.dropped {
            None => assert!(length == ends[2] || length == ends[3]),
            Some(dropped) => {
                assert_eq!((dropped.offset, dropped.bytes), (ends[2] as u64, (length - ends[2]) as u64));
                assert_eq!((dropped.height, dropped.fault), (3, Fault::Torn));
            }
        }
        // It goes on as if nothing had been.
        client.extend(branch.blocks.clone(), NOW, &mut file).unwrap();
        assert_eq!(memory.held(), bytes);
    }
}

/// 7.9: a full disk, or a crash, while the file was made.
#[test]
fn a_torn_first_record_counts_as_none_at_every_byte() {
    let branch = Branch::new(&SPEC).grow(1, 1);
    let (bytes, ends) = written(&branch);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blocks");
    for length in 0..ends[0] {
        // As long as it was to be, or shorter, with zeros where nothing had arrived.
        for zeros in [0, 1, 100, ends[0] - length] {
            let torn = [&bytes[..length], &vec![0; zeros.min(ends[0] - length)]].concat();
            let memory = Memory::of(torn.clone());
            let (mut client, mut file, opened) = open(&SPEC, &memory, Proofs::Trusted).unwrap();
            assert!(file.blocks() == 0 && opened.dropped.is_none());
            assert_eq!(memory.held(), bytes[..ends[0]], "{length} bytes, {zeros} zeros");
            client.extend(branch.blocks.clone(), NOW, &mut file).unwrap();
            assert_eq!(memory.held(), bytes);
            std::fs::write(&path, &torn).unwrap();
            // The record ends with a zero.
            assert_eq!(beginning(&path).unwrap().is_some(), torn == bytes[..ends[0]]);
        }
    }
    // Zeros that are longer than the first record stand for blocks: they are not thrown away.
    let long = Memory::of(vec![0; ends[0] + 1]);
    let error = open(&SPEC, &long, Proofs::Trusted).map(|_| ()).unwrap_err();
    assert!(matches!(error, FileError::Beginning(Fault::Damaged)), "{error}");
    assert_eq!(long.held(), vec![0; ends[0] + 1]);
    // 7.18: said in words.
    let short = open(&SPEC, &Memory::of(b"a short text".to_vec()), Proofs::Trusted).map(|_| ()).unwrap_err();
    let text = "this is not a light client file, or its beginning is damaged: it ends in the middle of a record";
    assert_eq!(short.to_string(), text);
}

#[test]
fn a_flipped_byte_anywhere_is_found() {
    let branch = Branch::new(&SPEC).grow(3, 1);
    let (bytes, ends) = written(&branch);
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        let memory = Memory::of(flipped.clone());
        let opened = open(&SPEC, &memory, Proofs::Trusted);
        let Some(record) = ends.iter().rposition(|&end| end <= at) else {
            // Nothing is dropped, as it may be another file altogether.
            assert!(matches!(opened, Err(FileError::Beginning(_))), "byte {at}");
            assert_eq!(memory.held(), flipped);
            continue;
        };
        let (mut client, mut file, opened) = opened.unwrap();
        assert!(report(record as u64)(&opened.report), "byte {at}");
        let dropped = opened.dropped.unwrap();
        assert_eq!((dropped.offset, dropped.height), (ends[record] as u64, record as u64 + 1));
        assert_eq!(dropped.bytes as usize, bytes.len() - ends[record]);
        // The length of a record cannot be told from a torn one if it points beyond the end.
        let of_length = at - ends[record] < 4;
        assert!(of_length || (dropped.fault == Fault::Torn) == (record == 2), "byte {at}");
        client.extend(branch.blocks.clone(), NOW, &mut file).unwrap();
        assert_eq!(memory.held(), bytes);
    }
}

#[test]
fn whole_records_that_are_no_chain_are_left_alone() {
    let branch = Branch::new(&SPEC).grow(5, 1);
    let (bytes, ends) = written(&branch);
    // One record is missing.
    let gap = [&bytes[..ends[2]], &bytes[ends[3]..]].concat();
    let memory = Memory::of(gap.clone());
    let error = open(&SPEC, &memory, Proofs::Trusted).map(|_| ()).unwrap_err();
    let FileError::Refused { offset, source } = error else { panic!("{error}") };
    assert_eq!(offset, ends[0] as u64);
    assert!(matches!(*source, LightError::Block { height: 4, .. }), "{source}");
    assert_eq!(memory.held(), gap);
    // A record of something else: the first one once more.
    let stranger = [&bytes[..], &bytes[..ends[0]]].concat();
    let memory = Memory::of(stranger.clone());
    let error = open(&SPEC, &memory, Proofs::Trusted).map(|_| ()).unwrap_err();
    assert!(matches!(error, FileError::NoBlock { offset, .. } if offset == ends[5] as u64), "{error}");
    assert_eq!(memory.held(), stranger);
}

#[test]
fn a_switch_is_cut_and_appended() {
    let trunk = Branch::new(&SPEC).grow(4, 1);
    let (ours, theirs) = (trunk.clone().grow(3, 1), trunk.clone().grow(4, 2));
    let memory = Memory::default();
    let (mut client, mut file, _) = open(&SPEC, &memory, Proofs::Trusted).unwrap();
    client.extend(ours.blocks.clone(), NOW, &mut file).unwrap();
    client.extend(theirs.up_to(6).above(4), NOW, &mut file).unwrap();
    assert_eq!(memory.held(), written(&ours).0);
    client.extend(theirs.above(6), NOW, &mut file).unwrap();
    assert_eq!(memory.held(), written(&theirs).0);
    let (again, _, opened) = open(&SPEC, &memory, Proofs::Trusted).unwrap();
    assert!(report(8)(&opened.report) && opened.dropped.is_none());
    assert_eq!(ids(&again), ids(&client));
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let trunk = Branch::new(&SPEC).grow(6, 1);
    let (bytes, ends) = written(&trunk);
    // At every byte of what is to be written.
    for room in (ends[3]..bytes.len()).step_by(7) {
        let memory = Memory::default();
        let (mut client, mut file, _) = open(&SPEC, &memory, Proofs::Trusted).unwrap();
        client.extend(trunk.up_to(3).blocks, NOW, &mut file).unwrap();
        *memory.room.borrow_mut() = Some(room);
        let error = client.extend(trunk.above(3), NOW, &mut file).unwrap_err();
        let LightError::Keep(FileError::Io(error)) = error else { panic!("{error}") };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!((client.tip().height(), file.blocks()), (3, 3));
        assert_eq!(memory.held(), bytes[..ends[3]]);
        // There is room again.
        *memory.room.borrow_mut() = None;
        client.extend(trunk.above(3), NOW, &mut file).unwrap();
        assert_eq!(memory.held(), bytes);
    }

    // It cannot even be cut back: nothing more is written until it is opened anew.
    let memory = Memory::default();
    let (mut client, mut file, _) = open(&SPEC, &memory, Proofs::Trusted).unwrap();
    client.extend(trunk.up_to(3).blocks, NOW, &mut file).unwrap();
    *memory.room.borrow_mut() = Some(ends[4] + 5);
    *memory.stuck.borrow_mut() = true;
    assert!(matches!(client.extend(trunk.above(3), NOW, &mut file), Err(LightError::Keep(FileError::Io(_)))));
    *memory.room.borrow_mut() = None;
    *memory.stuck.borrow_mut() = false;
    assert!(matches!(client.extend(trunk.above(3), NOW, &mut file), Err(LightError::Keep(FileError::Broken))));
    let (_, _, opened) = open(&SPEC, &memory, Proofs::Trusted).unwrap();
    assert!(report(4)(&opened.report));
    assert_eq!(opened.dropped.map(|dropped| (dropped.bytes, dropped.fault)), Some((5, Fault::Torn)));

    // In the midst of a change of branches: a shorter chain is left, and the client keeps its own until then.
    let theirs = trunk.up_to(2).grow(5, 2);
    let memory = Memory::default();
    let (mut client, mut file, _) = open(&SPEC, &memory, Proofs::Trusted).unwrap();
    client.extend(trunk.blocks.clone(), NOW, &mut file).unwrap();
    *memory.room.borrow_mut() = Some(ends[4]);
    assert!(matches!(client.extend(theirs.above(2), NOW, &mut file), Err(LightError::Keep(FileError::Io(_)))));
    assert_eq!(client.tip().id, trunk.id());
    *memory.room.borrow_mut() = None;
    assert!(matches!(client.extend(theirs.above(2), NOW, &mut file), Err(LightError::Keep(FileError::Broken))));
    let (mut client, mut file, opened) = open(&SPEC, &memory, Proofs::Trusted).unwrap();
    assert!(report(2)(&opened.report) && opened.dropped.is_none());
    client.extend(theirs.above(2), NOW, &mut file).unwrap();
    assert_eq!(memory.held(), written(&theirs).0);
}

#[test]
fn blocks_follow_on_what_is_there() {
    let memory = Memory::default();
    let (_, mut file, _) = open(&SPEC, &memory, Proofs::Trusted).unwrap();
    assert!(matches!(file.replace(1, &[b"x"]), Err(FileError::Gap { above: 1, last: 0 })));
    let long = vec![0; chain::light::MAX_RECORD + 1];
    assert!(matches!(file.replace(0, &[&long]), Err(FileError::TooLong { found }) if found == long.len()));
    assert_eq!(file.blocks(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_it_panic(tail in proptest::collection::vec(any::<u8>(), 0..300), keep in 0usize..3) {
        let branch = Branch::new(&SPEC).grow(2, 1);
        let (bytes, ends) = written(&branch);
        let memory = Memory::of([&bytes[..ends[keep]], &tail].concat());
        let (_, file, opened) = open(&SPEC, &memory, Proofs::Trusted).unwrap();
        prop_assert_eq!(file.blocks(), keep as u64);
        prop_assert_eq!(opened.dropped.map(|dropped| dropped.bytes), (!tail.is_empty()).then_some(tail.len() as u64));
        prop_assert_eq!(memory.held(), &bytes[..ends[keep]]);
        let alone = Memory::of(tail.clone());
        let refused = open(&SPEC, &alone, Proofs::Trusted).map(|_| ());
        // A few zeros are what is left of a file that was being made; so is its first byte.
        let torn = tail.iter().skip(1).all(|&byte| byte == 0) && (tail.is_empty() || [0, bytes[0]].contains(&tail[0]));
        prop_assert!(torn || matches!(refused, Err(FileError::Beginning(_))));
    }
}
