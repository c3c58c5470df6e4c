//! Which sequences of the genesis data set a contribution trains on.

use crate::address::Address;
use crate::header::BlockId;
use circuits::statements::codec::digest;
use circuits::statements::dataset::DatasetRoot;

/// The leaf that sequence `sequence` of a contribution is: a pseudo-random function of the parent block, the
/// contributor and the slot, so that nobody chooses what they train on. Always below `root.leaves()`.
///
/// 64 bits of BLAKE2b are brought into range by the high half of a product with the number of leaves: D. Lemire, "Fast
/// Random Integer Generation in an Interval", 2019, without the rejection, since each leaf's probability is off by less
/// than 2^-64.
pub fn assigned(root: &DatasetRoot, parent: &BlockId, contributor: &Address, slot: u32, sequence: u32) -> u64 {
    let mut message = Vec::with_capacity(112);
    message.extend_from_slice(root.hash());
    message.extend_from_slice(&root.leaves().to_le_bytes());
    message.extend_from_slice(parent.as_bytes());
    message.extend_from_slice(&contributor.0);
    message.extend_from_slice(&slot.to_le_bytes());
    message.extend_from_slice(&sequence.to_le_bytes());
    let drawn = digest(b"gradcoin-assign", &message);
    let bits = drawn.iter().take(8).rev().fold(0u64, |bits, &byte| (bits << 8) | u64::from(byte));
    // The high half of a product of two 64-bit numbers has 64 bits.
    ((u128::from(bits) * u128::from(root.leaves())) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use circuits::statements::dataset::MAX_LEAVES;
    use proptest::prelude::*;

    fn root(leaves: u64) -> DatasetRoot {
        DatasetRoot::new([1; 32], leaves).unwrap()
    }

    #[test]
    fn the_draw_is_pinned() {
        // By Python's hashlib, with person=b"gradcoin-assign".
        assert_eq!(assigned(&root(MAX_LEAVES), &BlockId::from_bytes([2; 32]), &Address([3; 32]), 4, 5), 1_340_160_686);
    }

    #[test]
    fn draws_are_roughly_uniform() {
        // 19 is prime: a bias of a few low bits would show.
        let (leaves, draws) = (19u64, 19_000u64);
        let root = root(leaves);
        let parent = BlockId::from_bytes([9; 32]);
        for contributor in [[0; 32], [255; 32]].map(Address) {
            let mut counts = vec![0u64; leaves as usize];
            for i in 0..draws as u32 {
                counts[assigned(&root, &parent, &contributor, i / 100, i % 100) as usize] += 1;
            }
            let expected = draws / leaves;
            let squares: u64 = counts.iter().map(|&n| n.abs_diff(expected).pow(2)).sum();
            // Chi-square of 18 degrees of freedom: 42 is exceeded once in a thousand times.
            assert!(squares < 42 * expected, "{counts:?}");
        }
    }

    proptest! {
        #[test]
        fn every_argument_matters(
            hash in any::<[u8; 32]>(), parent in any::<[u8; 32]>(), contributor in any::<[u8; 32]>(),
            slot in any::<u32>(), sequence in any::<u32>(), byte in 0usize..32, bit in 0u32..8,
        ) {
            // Among 2^32 leaves, an unlucky draw is not one that a test meets.
            let root = |hash, leaves| DatasetRoot::new(hash, leaves).unwrap();
            let flip = |mut bytes: [u8; 32]| { bytes[byte] ^= 1 << bit; bytes };
            let flipped = |n: u32| n ^ (1 << (byte as u32));
            let most = root(hash, MAX_LEAVES);
            let draw = |root: &DatasetRoot, parent, contributor, slot, sequence| {
                assigned(root, &BlockId::from_bytes(parent), &Address(contributor), slot, sequence)
            };
            let drawn = draw(&most, parent, contributor, slot, sequence);
            prop_assert_eq!(drawn, draw(&most, parent, contributor, slot, sequence));
            let others = [
                draw(&root(flip(hash), MAX_LEAVES), parent, contributor, slot, sequence),
                draw(&root(hash, MAX_LEAVES - 1), parent, contributor, slot, sequence),
                draw(&most, flip(parent), contributor, slot, sequence),
                draw(&most, parent, flip(contributor), slot, sequence),
                draw(&most, parent, contributor, flipped(slot), sequence),
                draw(&most, parent, contributor, slot, flipped(sequence)),
            ];
            for (argument, other) in others.into_iter().enumerate() {
                prop_assert_ne!(other, drawn, "argument {}", argument);
            }
        }

        #[test]
        fn draws_are_in_range(
            leaves in prop_oneof![1..=MAX_LEAVES, 1u64..20], parent in any::<[u8; 32]>(), slot in any::<u32>(),
        ) {
            let parent = BlockId::from_bytes(parent);
            prop_assert!(assigned(&root(leaves), &parent, &Address([0; 32]), slot, 0) < leaves);
        }
    }
}
