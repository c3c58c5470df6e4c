//! Encodings that were cut, lengthened or altered: a typed error, or another object; never a panic.

use crate::common::golden::GOLDEN;
use crate::common::{NANO, PARAMS, assert_unsealed, mine_content, mine_summary, resign};
use chain::block::Block;
use chain::contribution::Contribution;
use chain::genesis::{ChainSpec, Genesis};
use chain::header::{BodyDigest, Summary};
use chain::tensors::{self, Complete, GradientTensors, TensorError};
use circuits::statements::codec::{self, CodecError, Encoded, decode, encode};
use std::fmt::Debug;

/// Offsets to try: all of the first, then a sample.
fn offsets(length: usize) -> impl Iterator<Item = usize> {
    let step = (length / 300).max(1);
    (0..length).filter(move |i| *i < 200 || i % step == 0 || length - i < 40)
}

/// Cuts, lengthens and alters an encoding; `id` is what a node takes for the identity of what it read.
fn mistreat<T: Encoded + PartialEq + Debug>(value: &T, id: impl Fn(&T) -> [u8; 32]) {
    let bytes = encode(value).unwrap();
    assert_eq!(&decode::<T>(&bytes).unwrap(), value);
    for length in offsets(bytes.len()) {
        let error = decode::<T>(&bytes[..length]).unwrap_err();
        if length < 12 {
            assert_eq!(error, CodecError::Magic(T::NAME));
        } else {
            assert!(matches!(error, CodecError::Malformed { .. }), "{length}: {error:?}");
        }
    }
    for extra in [1, 7, 32] {
        let longer = [&bytes[..], &vec![0; extra]].concat();
        assert_eq!(decode::<T>(&longer), Err(CodecError::Trailing { name: T::NAME, extra }));
    }
    let own = id(value);
    for at in offsets(bytes.len()) {
        for mask in [1, 0x80, 0xff] {
            let mut altered = bytes.clone();
            altered[at] ^= mask;
            match decode::<T>(&altered) {
                Ok(read) => {
                    assert_ne!(&read, value, "{at}");
                    assert_eq!(encode(&read).unwrap(), altered, "{at}");
                    assert_ne!(id(&read), own, "{at}");
                }
                Err(CodecError::Magic(_)) => assert!(at < 8),
                Err(CodecError::Version { .. }) => assert!((8..12).contains(&at)),
                Err(_) => assert!(at >= 12),
            }
        }
    }
}

fn whole<T: Encoded>(value: &T) -> [u8; 32] {
    codec::digest(b"test", &encode(value).unwrap())
}

#[test]
fn encodings_are_mistreated() {
    for height in 1..=3 {
        let block = GOLDEN.block(height);
        // A block that was read is named by its header once the digests were compared.
        mistreat(&block, |read: &Block| {
            let mut named = read.clone();
            let Ok(digests) = named.digests(GOLDEN.spec.id()) else { panic!("no digest") };
            let summary = Summary {
                contributions: digests.contributions,
                transactions: digests.transactions,
                proofs: digests.proofs,
                ..named.summary
            };
            // What the block says of itself counts as well as what it is made of.
            let said = whole(&read.summary);
            let parts = [summary.digest().unwrap(), named.header.body].map(|digest| *digest.as_bytes());
            named.header.body = BodyDigest::from_bytes(codec::digest(b"test", &[parts[0], said, parts[1]].concat()));
            *named.id().as_bytes()
        });
        for contribution in &block.contributions {
            mistreat(contribution, whole::<Contribution>);
        }
        mistreat(&block.summary, |summary: &Summary| *summary.digest().unwrap().as_bytes());
    }
    mistreat(&GOLDEN.chain.tensors[0][0], whole::<GradientTensors>);
    // Of a genesis that is accepted, the chain's identity is another.
    mistreat(&GOLDEN.chain.genesis, |genesis: &Genesis| match ChainSpec::new(genesis.clone()) {
        Ok(spec) => *spec.id().as_bytes(),
        Err(_) => whole(genesis),
    });
}

#[test]
fn an_identity_is_of_all_that_is_stated() {
    let (spec, block) = (&GOLDEN.spec, GOLDEN.block(1));
    let c = &block.contributions[0];
    let id = c.id(spec.id());
    // Proofs, paths, stamps and signatures can be made anew: they are in the block's digest only.
    let mut again = c.clone();
    again.proofs.layers[0][0] ^= 1;
    again.leaves[0].0[0] ^= 1;
    again.stamp += 1;
    again.signature.0[0] ^= 1;
    assert_eq!(again.id(spec.id()), id);
    let mut other = block.clone();
    other.contributions[0] = again;
    let (honest, altered) = (block.digests(spec.id()).unwrap(), other.digests(spec.id()).unwrap());
    assert_eq!(honest.contributions, altered.contributions);
    assert_ne!(honest.proofs, altered.proofs);
    other.summary.proofs = altered.proofs;
    mine_summary(&mut other);
    assert_ne!(other.id(), block.id());
}

#[test]
fn sizes_in_encodings_allocate_nothing() {
    // A vector that claims 2^64 - 1 entries, at every place of a block where a length may stand.
    let bytes = encode(&GOLDEN.block(1)).unwrap();
    for at in offsets(bytes.len()).filter(|at| *at >= 12) {
        let claims = [&bytes[..at], &[0xfd][..], &[0xff; 8], &bytes[at..]].concat();
        match decode::<Block>(&claims) {
            Ok(read) => assert_eq!(encode(&read).unwrap(), claims),
            Err(error) => assert!(!matches!(error, CodecError::Magic(_)), "{error:?}"),
        }
    }
}

#[test]
fn tensors_of_other_shapes() {
    let config = GOLDEN.spec.config();
    let honest = &GOLDEN.chain.tensors[0][0];
    honest.open(config).unwrap();
    let alterations: [fn(&mut GradientTensors); 7] = [
        |t| drop(t.0.pop()),
        |t| t.0.push(vec![]),
        |t| t.0[3].truncate(1),
        |t| t.0[3].push(0),
        |t| t.0.swap(0, 1),
        |t| t.0[2][5] = 1 << 100,
        |t| t.0[2][5] = i128::MIN,
    ];
    for (i, alter) in alterations.into_iter().enumerate() {
        let mut altered = honest.clone();
        alter(&mut altered);
        assert_eq!(altered.open(config), Err(TensorError::Shape), "{i}");
    }
    let mut largest = honest.clone();
    largest.0[2][5] = (1 << 100) - 1;
    largest.open(config).unwrap();
}

/// Tensors that are off by one are not those of the contribution's commitments.
#[test]
fn tensors_off_by_one() {
    let (spec, c) = (&GOLDEN.spec, &GOLDEN.block(1).contributions[0]);
    let commitments = |tensors: &GradientTensors| {
        let gradients = tensors.open(spec.config()).unwrap();
        chain::contribution::encode_points(&spec.layouts().commit_gradients(&PARAMS, &gradients).unwrap())
    };
    let honest = &GOLDEN.chain.tensors[0][0];
    assert_eq!(commitments(honest), c.gradient);
    for tensor in [0, 1, 5, honest.0.len() - 1] {
        for by in [1, -1] {
            let mut altered = honest.clone();
            altered.0[tensor][1] += by;
            assert_ne!(commitments(&altered), c.gradient, "{tensor} {by}");
        }
    }
    assert_ne!(commitments(&GOLDEN.chain.tensors[0][1]), c.gradient);
}

/// What a full node requires of a block's tensors: there are some for each contribution, they are the signed ones, they have
/// the shapes of the configuration, and they have the proven commitments.
#[test]
fn tensors_that_are_passed_on_or_signed() {
    let (spec, parent) = (&GOLDEN.spec, GOLDEN.before(1).parent());
    let honest = &GOLDEN.chain.tensors[0];
    let complete = |block: &Block, tensors: Vec<GradientTensors>| {
        let proven = NANO.checker(spec).verify(&parent, &block.clone().into()).unwrap();
        Complete::new(&PARAMS, spec, proven, tensors).map(|_| ())
    };
    let block = GOLDEN.block(1);
    assert_eq!(complete(&block, honest.clone()), Ok(()));
    for tensors in [vec![], vec![honest[0].clone()], [&honest[..], &honest[..1]].concat()] {
        let found = tensors.len();
        assert_eq!(complete(&block, tensors), Err(TensorError::Count { expected: 2, found }));
    }

    let mut off_by_one = honest[1].clone();
    off_by_one.0[0][1] += 1;
    let mut short = honest[1].clone();
    short.0.pop();
    let mut misshapen = honest[1].clone();
    misshapen.0.swap(0, 1);
    let mut huge = honest[1].clone();
    huge.0[2][5] = 1 << 100;
    let commitments = TensorError::Commitments { index: 1 };
    for (other, once_signed) in [
        (off_by_one, commitments.clone()),
        // Those of the other contribution, of the same shapes.
        (honest[0].clone(), commitments),
        (short, TensorError::Shape),
        (misshapen, TensorError::Shape),
        (huge, TensorError::Shape),
    ] {
        let tensors = vec![honest[0].clone(), other.clone()];
        // Passed on with the honest block: the digest tells, before a shape or a commitment is looked at.
        assert_eq!(complete(&block, tensors.clone()), Err(TensorError::Digest { index: 1 }));
        let error = tensors::check(&PARAMS, spec, 7, &block.contributions[1], &other).map(|_| ()).unwrap_err();
        assert_eq!(error, TensorError::Digest { index: 7 });

        // The digest is signed: nobody makes it the one of other tensors, but the contributor. Then all proofs hold.
        let mut signed = block.clone();
        signed.contributions[1].tensors = other.digest().unwrap();
        assert_unsealed(spec, &signed.contributions[1]);
        resign(spec, &mut signed.contributions[1]);
        mine_content(spec, &mut signed);
        assert_eq!(complete(&signed, tensors), Err(once_signed));
        // The honest tensors are no longer the signed ones.
        assert_eq!(complete(&signed, honest.clone()), Err(TensorError::Digest { index: 1 }));
    }
    // Each contribution has its own.
    let swapped = vec![honest[1].clone(), honest[0].clone()];
    assert_eq!(complete(&block, swapped), Err(TensorError::Digest { index: 0 }));
}
