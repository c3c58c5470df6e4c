//! Consensus parameters: fixed in the genesis.

use crate::ledger;
use crate::work::CompactTarget;
use serde::{Deserialize, Serialize};

/// Consensus parameters of a chain. `docs/consensus.md` has the reason for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Most contributions of a block; with it the verifier's work is bounded.
    pub max_contributions: u32,
    /// Contributions that one contributor may make to a block: slots are below this.
    pub slots: u32,
    /// Most bytes of proofs in a block: what may be hashed before a proof is looked at.
    pub max_proof_bytes: u64,
    /// Leading zero bits that the stamp of a contribution must have.
    pub stamp_bits: u32,
    /// Seconds that should lie between blocks: several times the time of a reference prover.
    pub target_spacing: u64,
    /// Blocks between changes of the target.
    pub retarget_interval: u64,
    /// The easiest target.
    pub floor: CompactTarget,
    /// Seconds that a block's time may be ahead of the clock.
    pub max_future: u64,
    /// Most blocks that a reorganisation may take back.
    pub reorg_limit: u64,
    /// Rules of the ledger.
    pub ledger: ledger::Rules,
}

/// Rules that contradict themselves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// A number that is out of its range.
    #[error("`{rule}` is {found}; it must be between {least} and {most}")]
    Range {
        /// The rule.
        rule: &'static str,
        /// Its value.
        found: u64,
        /// Least value.
        least: u64,
        /// Greatest value.
        most: u64,
    },
    /// The ledger's rules are refused.
    #[error("ledger: {0}")]
    Ledger(#[from] ledger::RulesError),
}

impl Rules {
    /// Requires every number to be in its range.
    pub fn check(&self, balances: crate::amount::Amount) -> Result<(), RulesError> {
        let ranges = [
            ("max_contributions", u64::from(self.max_contributions), 1, 1 << 10),
            ("slots", u64::from(self.slots), 1, 1 << 10),
            ("max_proof_bytes", self.max_proof_bytes, 1, 1 << 28),
            ("stamp_bits", u64::from(self.stamp_bits), 0, 64),
            ("target_spacing", self.target_spacing, 1, 1 << 20),
            ("retarget_interval", self.retarget_interval, 1, 1 << 16),
            ("max_future", self.max_future, 1, 1 << 20),
            ("reorg_limit", self.reorg_limit, 1, 1 << 16),
        ];
        for (rule, found, least, most) in ranges {
            if !(least..=most).contains(&found) {
                return Err(RulesError::Range { rule, found, least, most });
            }
        }
        Ok(self.ledger.check(balances, self.max_contributions)?)
    }
}
