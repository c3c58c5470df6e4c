//! What rows hold that is no type of its own elsewhere.

use crate::consensus::contextual::Record;
use crate::ledger::Reward;
use crate::tensors::GradientTensors;
use circuits::statements::codec::Encoded;
use serde::{Deserialize, Serialize};

impl Encoded for Record {
    const MAGIC: [u8; 8] = *b"GRADRECD";
    // 2: named slots.
    const VERSION: u32 = 2;
    const NAME: &'static str = "block record";
}

/// Tensors of a block's contributions, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockTensors(pub Vec<GradientTensors>);

impl Encoded for BlockTensors {
    const MAGIC: [u8; 8] = *b"GRADTNSB";
    const VERSION: u32 = 1;
    const NAME: &'static str = "set of a block's gradients";
}

/// What a block pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewards(pub Vec<Reward>);

impl Encoded for Rewards {
    const MAGIC: [u8; 8] = *b"GRADRWRD";
    const VERSION: u32 = 1;
    const NAME: &'static str = "list of rewards";
}

/// Keys of rows of the ledger's tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleKeys(pub Vec<Vec<u8>>);

impl Encoded for StaleKeys {
    const MAGIC: [u8; 8] = *b"GRADSTAL";
    const VERSION: u32 = 1;
    const NAME: &'static str = "list of stale rows";
}
