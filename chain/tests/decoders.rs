//! Decoders of bytes from outside, on the fuzzer's corpus and on what becomes of it by mutation: no panic, no memory that
//! the input does not pay for, no second encoding.
//!
//! `GRADIENTCOIN_REGENERATE_CORPUS=1 cargo test -p chain --test decoders` writes the corpus anew, after the golden chain was.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "decoders/mutations.rs"]
mod mutations;
#[path = "decoders/seeds.rs"]
mod seeds;
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use circuits::statements::codec::{Encoded, decode};
use peak_alloc::PeakAlloc;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::{env, fs};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The allocator's counts are of all threads.
static ALONE: Mutex<()> = Mutex::new(());

/// Bytes of memory for each of the input: an empty vector is one byte of input and 24 of memory, and grows by doubling.
const PER_BYTE: usize = 128;

/// Bytes of memory beside it. Whatever length a vector claims, serde makes room for 1 MiB at once, and vectors nest.
const BESIDE: usize = 6 << 20;

struct Target {
    name: &'static str,
    run: fn(&[u8]) -> bool,
    /// Mutations to try.
    mutations: usize,
}

macro_rules! targets {
    ($($name:ident $mutations:literal),*) => {
        [$(Target { name: stringify!($name), run: targets::$name, mutations: $mutations }),*]
    };
}

const TARGETS: [Target; 23] = targets![
    genesis 300, genesis_proof 300, block 200, contribution 200, tensors 150, message 300, query 1000, answer 200, transaction 1000,
    record 300, balance_proof 300, merkle_proof 1000, checkpoint 300, light_file 100, run 300, bundle 300,
    model_state 150, small_proof 100, opening 150, span 150, revealed_leaf 150, state_opening 150, text 1000
];

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

/// Names and contents, in order of names.
fn read(target: &str) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(corpus(target)).unwrap().map(|file| file.unwrap());
    let mut files: Vec<_> =
        files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect();
    files.sort();
    files
}

impl Target {
    /// Runs it, and looks at the memory that it took.
    fn run(&self, what: &str, input: &[u8]) -> bool {
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        let result = catch_unwind(AssertUnwindSafe(|| (self.run)(input)));
        let taken = MEMORY.peak_usage().saturating_sub(before);
        let most = PER_BYTE * input.len() + BESIDE;
        match result {
            Ok(accepted) if taken <= most => accepted,
            result => {
                let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-input", self.name));
                fs::write(&path, input).unwrap();
                let panicked = if result.is_err() { "a panic and " } else { "" };
                panic!("{}, {what}: {panicked}{taken} bytes, at most {most}; {}", self.name, path.display());
            }
        }
    }
}

#[test]
fn the_corpus_is_of_the_golden_chain_and_judged_as_named() {
    let _alone = ALONE.lock();
    if env::var_os("GRADIENTCOIN_REGENERATE_CORPUS").is_some() {
        seeds::write();
    }
    let mut misjudged = vec![];
    for target in &TARGETS {
        let files = read(target.name);
        let expected = seeds::of(target.name);
        for (name, bytes) in &expected {
            let found = files.iter().find(|(file, _)| file == name);
            assert!(found.is_some_and(|(_, found)| found == bytes), "{}/{name} is of another chain", target.name);
        }
        // The first run also makes what all runs have in common.
        let _ = (target.run)(&files[0].1);
        for (name, bytes) in &files {
            (target.run)(bytes);
            if target.run(name, bytes) == name.starts_with("bad-") {
                misjudged.push(format!("{}/{name}", target.name));
            }
        }
        assert!(files.iter().any(|(name, _)| !name.starts_with("bad-")), "{}", target.name);
    }
    assert_eq!(misjudged, Vec::<String>::new());
}

/// An owned string is what bincode makes room for, unlooked; the allocator's counts show it.
#[test]
fn room_is_noticed() {
    #[derive(Serialize, Deserialize)]
    struct Owned(String);

    impl Encoded for Owned {
        const MAGIC: [u8; 8] = *b"GRADTEST";
        const VERSION: u32 = 1;
        const NAME: &'static str = "owned string";
    }
    let _alone = ALONE.lock();
    MEMORY.reset_peak_usage();
    let claim = [&Owned::MAGIC[..], &[1, 0, 0, 0, 0xfc, 0, 0, 0, 0x10]].concat();
    assert!(decode::<Owned>(&claim).is_err());
    assert!(MEMORY.peak_usage() >= 256 << 20);
}

/// 256 MiB, and 2^64 - 1 of anything, wherever a length may stand.
#[test]
fn lengths_make_no_room() {
    let _alone = ALONE.lock();
    for target in &TARGETS {
        for (name, bytes) in read(target.name).iter().filter(|(name, _)| !name.starts_with("bad-")) {
            (target.run)(bytes);
            for at in mutations::offsets(bytes.len()) {
                for claim in [&[0xfc, 0, 0, 0, 0x10][..], &[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] {
                    let input = [&bytes[..at], claim, &bytes[at..]].concat();
                    target.run(&format!("{name} with a length at {at}"), &input);
                }
            }
        }
    }
}

#[test]
fn mutations_are_withstood() {
    let _alone = ALONE.lock();
    for target in &TARGETS {
        let files: Vec<Vec<u8>> = read(target.name).into_iter().map(|(_, bytes)| bytes).collect();
        files.iter().for_each(|bytes| _ = (target.run)(bytes));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for i in 0..target.mutations {
            let input = mutations::mutated(&mut rng, &files);
            target.run(&format!("mutation {i}"), &input);
        }
    }
}
