//! Ten thousand mutated proofs and files: each is refused or decodes to what it encodes, and nothing panics.
#![allow(clippy::unwrap_used)]

mod common;

use backend::curve::CIRCUIT_VERSION;
use circuits::model::{Config, Optimizer, OptimizerKind, Schedule, SquareSum};
use circuits::statements::codec::{Encoded, decode, encode};
use circuits::statements::{
    Bundle, Contribution, Disclosure, Layouts, MAX_INSTANCES_PER_PROOF, Run, RunData, SegmentState, StateCommitments,
};
use common::{KEY, ONE, PARAMS};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use verifier::verify;

const PROOFS: u64 = 4_000;
const FILES: u64 = 6_000;

/// One of the ways in which bytes go wrong.
fn mutate(bytes: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let place = |rng: &mut ChaCha20Rng, n: usize| (rng.next_u64() % n as u64) as usize;
    match rng.next_u32() % 7 {
        0 => out.truncate(place(rng, bytes.len())),
        1 => out.extend((0..=rng.next_u32() % 64).map(|i| i as u8)),
        2 => {
            let at = place(rng, bytes.len());
            out[at] ^= 1 << (rng.next_u32() % 8);
        }
        3 => {
            let at = place(rng, bytes.len());
            out[at] = rng.next_u32() as u8;
        }
        4 => {
            // A length or a number at its end.
            let at = place(rng, bytes.len());
            let end = (at + 9).min(out.len());
            out[at..end].fill(0xff);
        }
        5 => {
            let at = place(rng, bytes.len());
            let end = (at + 32).min(out.len());
            out[at..end].fill(0);
        }
        _ => {
            let (a, b) = (place(rng, bytes.len()), place(rng, bytes.len()));
            let n = 32.min(bytes.len() - a.max(b));
            out[a..a + n].copy_from_slice(&bytes[b..b + n]);
        }
    }
    out
}

#[test]
fn mutated_proofs() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let accepted = |proof: &[u8]| verify(&PARAMS, &KEY.verifying, 1, proof, &ONE.instances).is_ok();
    assert!(accepted(&ONE.bytes));
    for i in 0..PROOFS {
        let mutated = mutate(&ONE.bytes, &mut rng);
        assert!(mutated == ONE.bytes || !accepted(&mutated), "mutation {i} is accepted");
    }
}

fn bundle() -> Bundle {
    let config = Config::NANO;
    let layouts = Layouts::new(&config);
    let port = |n: usize| (0..n).map(|i| [i as u8; 32]).collect::<Vec<_>>();
    let segments = (0..layouts.segments())
        .map(|s| layouts.of(s).columns())
        .map(|n| SegmentState {
            w: port(n),
            slots: OptimizerKind::Sgd.slots().iter().map(|&slot| (slot, port(n))).collect(),
        })
        .collect();
    let state = StateCommitments { segments };
    let run = Run {
        circuits: CIRCUIT_VERSION,
        config: config.to_json(),
        genesis: state.clone(),
        taken: 0,
        disclosure: Disclosure::Public,
        data: RunData::Corpus([7; 32]),
        seed: 1,
        batch: 1,
        accumulate: 1,
        schedule: Schedule::cosine(&"0.1".parse().unwrap(), 100, 10, &"0.1".parse().unwrap()).unwrap(),
        optimizer: Optimizer::Sgd {
            momentum: "0.9".parse().unwrap(),
            weight_decay: "0.01".parse().unwrap(),
            clip: None,
        },
        instances_per_proof: MAX_INSTANCES_PER_PROOF,
    };
    let contribution = Contribution { losses: vec![5], layers: vec![vec![1; 900]], heads: vec![vec![2; 700]] };
    Bundle {
        run,
        step: 3,
        before: state,
        contributions: vec![contribution],
        leaves: vec![],
        squares: vec![],
        updates: vec![vec![3; 500]],
        canonical: vec![4; 100],
        private: None,
    }
}

/// What decodes must encode to the same bytes; whatever it says, the checks that need no proof must come to an end.
fn examine<T: Encoded>(bytes: &[u8]) -> Option<T> {
    let value: T = decode(bytes).ok()?;
    assert_eq!(encode(&value).unwrap(), bytes);
    Some(value)
}

#[test]
fn mutated_files() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let honest = bundle();
    honest.run.check().unwrap();
    let files = [encode(&honest).unwrap(), encode(&honest.run).unwrap()];
    let mut decoded = 0;
    for i in 0..FILES {
        let bytes = mutate(&files[(i % 2) as usize], &mut rng);
        let run = if i % 2 == 0 {
            examine::<Bundle>(&bytes).map(|b| {
                let _ = b.before.check(&Config::NANO, OptimizerKind::Sgd);
                b.before.digest();
                b.run
            })
        } else {
            examine::<Run>(&bytes)
        };
        if let Some(run) = run {
            decoded += 1;
            if let Ok(config) = run.check() {
                for step in [0, 1, 99, u64::MAX] {
                    let _ = run.hyper(&config, step, SquareSum::ZERO);
                }
            }
        }
    }
    assert!(decoded > 100, "only {decoded} mutations reach the checks behind the decoder");
}
