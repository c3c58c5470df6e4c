//! Each rule of a genesis.

use crate::common::golden::GOLDEN;
use crate::common::{NANO, PARAMS, flipped, grains};
use backend::curve::CIRCUIT_VERSION;
use backend::ports::PortError;
use chain::amount::{AmountError, MAX_SUPPLY};
use chain::consensus::SemanticError;
use chain::consensus::semantic::Checker;
use chain::genesis::{ChainSpec, Genesis, GenesisError, MAX_NAME};
use chain::header::ChainId;
use chain::ledger;
use chain::rules::RulesError;
use chain::work::CompactTarget;
use circuits::model::{Optimizer, Schedule, Slot};
use circuits::ops::hyper::HyperError;
use circuits::statements::codec::{CodecError, decode, encode};
use circuits::statements::dataset;
use circuits::statements::{GenesisProof, RunError};
use std::collections::HashSet;
use verifier::{Part, StepError};

fn refused(alter: impl FnOnce(&mut Genesis)) -> GenesisError {
    let mut genesis = GOLDEN.chain.genesis.clone();
    alter(&mut genesis);
    ChainSpec::new(genesis).map(|_| ()).unwrap_err()
}

#[test]
fn each_rule() {
    for name in ["", "two\nlines", "\u{7f}", &"x".repeat(MAX_NAME + 1)] {
        assert_eq!(refused(|g| g.name = name.into()), GenesisError::Name);
    }
    let version = CIRCUIT_VERSION + 1;
    assert_eq!(refused(|g| g.circuits = version), GenesisError::Circuits(version));
    let mut genesis = GOLDEN.chain.genesis.clone();
    genesis.keys = flipped(genesis.keys);
    assert_eq!(ChainSpec::new(genesis).unwrap().check_keys(&NANO.keys), Err(GenesisError::Keys));
    GOLDEN.spec.check_keys(&NANO.keys).unwrap();

    assert!(matches!(refused(|g| g.config = "{}".into()), GenesisError::Config(_)));
    assert!(matches!(refused(|g| g.config.clear()), GenesisError::Config(_)));
    assert_eq!(refused(|g| g.config.push(' ')), GenesisError::ConfigText);
    let shape =
        |what: &str, expected, found| GenesisError::State(RunError::Shape { what: what.into(), expected, found });
    assert_eq!(refused(|g| drop(g.state.segments.pop())), shape("the state", 2, 1));
    assert_eq!(
        refused(|g| g.state.segments[1].slots.get_mut(&Slot::Low).unwrap().push([0; 32])),
        shape("low parts of segment 1", 2, 3)
    );

    let slots = |found| shape("the slots of segment 0", 2, found);
    assert_eq!(refused(|g| drop(g.state.segments[0].slots.remove(&Slot::Momentum))), slots(1));
    let renamed = refused(|g| {
        let moved = g.state.segments[0].slots.remove(&Slot::Momentum).unwrap();
        g.state.segments[0].slots.get_mut(&Slot::Low).unwrap().extend(moved);
    });
    assert_eq!(renamed, slots(1), "though the digest is the same");

    // Of the right shape, and no point: columns are counted over all segments.
    let no_point = |column| GenesisError::Points(PortError::NoPoint { column });
    assert_eq!(refused(|g| g.state.segments[0].w[0] = [0xff; 32]), no_point(0));
    let columns = |g: &Genesis| g.state.segments.iter().map(|s| s.ports().map(Vec::len).sum::<usize>()).sum::<usize>();
    let last = columns(&GOLDEN.chain.genesis) - 1;
    assert_eq!(
        refused(|g| *g.state.segments[1].slots.get_mut(&Slot::Momentum).unwrap().last_mut().unwrap() = [0xff; 32]),
        no_point(last)
    );

    assert_eq!(refused(|g| g.batch = 0), GenesisError::Predictions(0));
    // 4 contributions of 129 sequences of 16 tokens.
    assert_eq!(refused(|g| g.batch = 262_144), GenesisError::Predictions(1 << 24));
    assert_eq!(refused(|g| g.batch = u32::MAX), GenesisError::Predictions(4 * 16 * u64::from(u32::MAX)));
    assert_eq!(refused(|g| g.schedule = Schedule::Constant { rate: 1 << 46 }), GenesisError::Schedule);
    let backwards = Schedule::Cosine { peak: 1, floor: 2, steps: 10, warmup: 0 };
    assert_eq!(refused(|g| g.schedule = backwards), GenesisError::Schedule);
    let sgd = |momentum: &str, weight_decay: &str| Optimizer::Sgd {
        momentum: momentum.parse().unwrap(),
        weight_decay: weight_decay.parse().unwrap(),
        clip: None,
    };
    assert!(matches!(refused(|g| g.optimizer = sgd("1", "0")), GenesisError::Hyper(HyperError::Momentum(_))));
    assert!(matches!(refused(|g| g.optimizer = sgd("0", "2")), GenesisError::Hyper(HyperError::Decay(_))));
    for count in [0, 9] {
        let error = refused(|g| g.instances_per_proof = count);
        assert_eq!(error, GenesisError::State(RunError::Instances(count)));
    }
    // Above 1, some gradient might have no update.
    let beyond = (1 << 36) + 1;
    assert_eq!(refused(|g| g.schedule = Schedule::Constant { rate: beyond }), GenesisError::Schedule);
    let peaked = Schedule::Cosine { peak: beyond, floor: 1, steps: 10, warmup: 0 };
    assert_eq!(refused(|g| g.schedule = peaked), GenesisError::Schedule);

    let range = |rule, found, least, most| GenesisError::Rules(RulesError::Range { rule, found, least, most });
    assert_eq!(refused(|g| g.rules.max_contributions = 0), range("max_contributions", 0, 1, 1 << 10));
    assert_eq!(refused(|g| g.rules.max_contributions = 1025), range("max_contributions", 1025, 1, 1 << 10));
    assert_eq!(refused(|g| g.rules.slots = 0), range("slots", 0, 1, 1 << 10));
    assert_eq!(refused(|g| g.rules.max_proof_bytes = 0), range("max_proof_bytes", 0, 1, 1 << 28));
    let bytes = (1 << 28) + 1;
    assert_eq!(refused(|g| g.rules.max_proof_bytes = bytes), range("max_proof_bytes", bytes, 1, 1 << 28));
    assert_eq!(refused(|g| g.rules.stamp_bits = 65), range("stamp_bits", 65, 0, 64));
    assert_eq!(refused(|g| g.rules.target_spacing = 0), range("target_spacing", 0, 1, 1 << 20));
    assert_eq!(refused(|g| g.rules.retarget_interval = 0), range("retarget_interval", 0, 1, 1 << 16));
    assert_eq!(refused(|g| g.rules.max_future = 0), range("max_future", 0, 1, 1 << 20));
    assert_eq!(refused(|g| g.rules.reorg_limit = 0), range("reorg_limit", 0, 1, 1 << 16));
    let zero = GenesisError::Rules(RulesError::Ledger(ledger::RulesError::Zero("coinbase maturity")));
    assert_eq!(refused(|g| g.rules.ledger.coinbase_maturity = 0), zero);
    let supply = refused(|g| g.balances[0].1 = MAX_SUPPLY.checked_sub(grains(120_500)).unwrap());
    assert!(matches!(supply, GenesisError::Rules(RulesError::Ledger(ledger::RulesError::Supply(_)))), "{supply:?}");
    let easier = CompactTarget::from_bits(0x1f40_0001).unwrap();
    assert_eq!(refused(|g| g.target = easier), GenesisError::Target);

    assert_eq!(refused(|g| g.balances.swap(0, 1)), GenesisError::Order("balances"));
    assert_eq!(refused(|g| g.balances[1].0 = g.balances[0].0), GenesisError::Order("balances"));
    assert_eq!(refused(|g| g.contributors.swap(1, 2)), GenesisError::Order("contributors"));
    assert_eq!(refused(|g| g.contributors.push(g.contributors[2])), GenesisError::Order("contributors"));
    let all = 2 * u128::from(MAX_SUPPLY.grains());
    let above = refused(|g| {
        g.balances[0].1 = MAX_SUPPLY;
        g.balances[1].1 = MAX_SUPPLY;
        g.balances.truncate(2);
    });
    assert_eq!(above, GenesisError::Balances(AmountError::AboveSupply(all)));
}

/// 7.1: nothing is verified on a chain whose first state is not shown to be in range.
#[test]
fn the_proof_is_of_the_first_state() {
    let refused = |alter: fn(&mut Genesis)| {
        let mut genesis = GOLDEN.chain.genesis.clone();
        alter(&mut genesis);
        let spec = ChainSpec::new(genesis).unwrap();
        match Checker::new(&spec, &PARAMS, &NANO.keys).map(|_| ()).unwrap_err() {
            SemanticError::Genesis(error) => *error,
            other => panic!("{other}"),
        }
    };
    let none = refused(|g| (g.proof.updates, g.proof.canonical) = Default::default());
    assert!(matches!(none, StepError::Count { what: "proofs", .. }));
    assert!(matches!(refused(|g| g.proof = GenesisProof::default()), StepError::Run(RunError::Instances(0))));
    assert!(matches!(
        refused(|g| g.state.segments[0].slots.get_mut(&Slot::Low).unwrap().swap(0, 1)),
        StepError::Genesis { .. }
    ));
    let flipped = refused(|g| *g.proof.updates[0].iter_mut().rev().nth(63).unwrap() ^= 1);
    assert!(matches!(&flipped, StepError::Invalid(parts) if *parts == [Part::Update { index: 0 }]), "{flipped}");
    let opening = refused(|g| *g.proof.canonical.iter_mut().rev().nth(40).unwrap() ^= 1);
    assert!(matches!(&opening, StepError::Invalid(parts) if *parts == [Part::Canonical]), "{opening}");
    Checker::new(&GOLDEN.spec, &PARAMS, &NANO.keys).unwrap();
}

/// Beyond the limit of the encoding a genesis has no identity: an error, not a panic.
#[test]
fn too_large_to_be_encoded() {
    let genesis = GOLDEN.chain.genesis.clone();
    let bytes = encode(&genesis).unwrap();
    // The number of leaves is bounded where it is read.
    let leaves = dataset::DatasetRoot::new(*genesis.dataset.hash(), dataset::MAX_LEAVES + 1).map(|_| ());
    assert_eq!(leaves, Err(dataset::DatasetError::Leaves { leaves: dataset::MAX_LEAVES + 1 }));
    let magic: CodecError = decode::<Genesis>(&bytes[1..]).unwrap_err();
    assert_eq!(GenesisError::from(magic.clone()), GenesisError::Codec(magic));
}

#[test]
fn every_field_is_in_the_identity() {
    let alterations: [fn(&mut Genesis); 21] = [
        |g| g.name.push('!'),
        |g| g.time += 1,
        |g| g.keys = flipped(g.keys),
        |g| g.seed += 1,
        |g| g.state.segments[0].w.swap(0, 1),
        |g| g.state.segments[1].slots.get_mut(&Slot::Momentum).unwrap()[0] = [1; 32],
        |g| g.proof.updates[0][77] ^= 1,
        |g| g.proof.canonical[77] ^= 1,
        |g| g.dataset = dataset::DatasetRoot::new(*g.dataset.hash(), 10).unwrap(),
        |g| g.dataset = dataset::DatasetRoot::new([1; 32], g.dataset.leaves()).unwrap(),
        |g| g.batch = 2,
        |g| g.schedule = Schedule::Constant { rate: 1 << 30 },
        |g| {
            let Optimizer::Sgd { momentum, .. } = &mut g.optimizer else { return };
            *momentum = "0.8".parse().unwrap();
        },
        |g| {
            let Optimizer::Sgd { weight_decay, .. } = &mut g.optimizer else { return };
            *weight_decay = "0.02".parse().unwrap();
        },
        |g| g.instances_per_proof = 1,
        |g| g.target = CompactTarget::from_bits(0x1f3f_ffff).unwrap(),
        |g| g.rules.stamp_bits = 9,
        |g| g.rules.max_proof_bytes -= 1,
        |g| g.rules.ledger.producer_reward = grains(501),
        |g| g.balances[0].1 = grains(1),
        |g| g.contributors.truncate(2),
    ];
    let mut ids: HashSet<ChainId> = HashSet::from([*GOLDEN.spec.id()]);
    for (i, alter) in alterations.into_iter().enumerate() {
        let mut genesis = GOLDEN.chain.genesis.clone();
        alter(&mut genesis);
        assert!(ids.insert(*ChainSpec::new(genesis).unwrap().id()), "{i}");
    }
}
