//! Strategies of targets and work, spread over magnitudes.

use super::{CompactTarget, Target, Work};
use primitive_types::U256;
use proptest::prelude::*;

fn number() -> impl Strategy<Value = U256> {
    (any::<[u8; 32]>(), 0usize..256).prop_map(|(bytes, shift)| U256::from_big_endian(&bytes) >> shift)
}

/// Any target.
pub fn target() -> impl Strategy<Value = Target> {
    number().prop_map(|n| Target::new(n.max(U256::one())).expect("one or more"))
}

/// Any compact target.
pub fn compact_target() -> impl Strategy<Value = CompactTarget> {
    target().prop_map(CompactTarget::from_target)
}

/// Any work, zero included.
pub fn work() -> impl Strategy<Value = Work> {
    number().prop_map(|n| Work::from(n.to_big_endian()))
}
