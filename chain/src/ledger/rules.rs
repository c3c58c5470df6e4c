//! The numbers of a chain's ledger, and what they let its blocks issue.

use crate::amount::{Amount, AmountError, Coins, MAX_SUPPLY};
use serde::{Deserialize, Serialize};

/// Numbers that every block's ledger part obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Issued for each contribution before the first halving.
    pub contribution_reward: Amount,
    /// Issued to the producer of each block before the first halving.
    pub producer_reward: Amount,
    /// Blocks from halving to halving, at least 1.
    pub halving_interval: u64,
    /// Blocks after which rewards are credited, at least 1.
    pub coinbase_maturity: u64,
    /// Locked while an account is registered.
    pub registration_bond: Amount,
    /// Blocks after which a registered account may contribute, at least 1.
    pub registration_maturity: u64,
    /// Most transactions of a block, at least 1.
    pub max_transactions: u32,
}

/// Rules that make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// A number that must be at least 1.
    #[error("the {0} is zero")]
    Zero(&'static str),
    /// Genesis balances and all rewards together.
    #[error("{} coins could be issued, more than the maximum supply of {MAX_SUPPLY}", Coins(*.0))]
    Supply(u128),
}

impl Rules {
    /// Requires sense: in particular, that blocks of at most `max_contributions` never issue more than the supply leaves
    /// beside the genesis balances.
    pub fn check(&self, genesis: Amount, max_contributions: u32) -> Result<(), RulesError> {
        for (what, number) in [
            ("halving interval", self.halving_interval),
            ("coinbase maturity", self.coinbase_maturity),
            ("registration maturity", self.registration_maturity),
            ("number of transactions", self.max_transactions.into()),
        ] {
            if number == 0 {
                return Err(RulesError::Zero(what));
            }
        }
        // After 64 halvings nothing is left.
        let issued = (0..64).map(|halvings| {
            let grains = |reward: Amount| u128::from(reward.halved(halvings).grains());
            let block = grains(self.contribution_reward) * u128::from(max_contributions) + grains(self.producer_reward);
            block.saturating_mul(self.halving_interval.into())
        });
        let total = issued.fold(u128::from(genesis.grains()), u128::saturating_add);
        if total > u128::from(MAX_SUPPLY.grains()) { Err(RulesError::Supply(total)) } else { Ok(()) }
    }

    /// Halvings before a block.
    fn halvings(&self, height: u64) -> u64 {
        // No halving where the interval makes no sense.
        height.checked_div(self.halving_interval).unwrap_or(0)
    }

    /// Issued for a contribution in a block of this height.
    pub fn contribution_reward_at(&self, height: u64) -> Amount {
        self.contribution_reward.halved(self.halvings(height))
    }

    /// Issued to the producer of a block of this height, fees apart.
    pub fn producer_reward_at(&self, height: u64) -> Amount {
        self.producer_reward.halved(self.halvings(height))
    }
}

/// What a block of this height with so many contributions issues.
pub fn subsidy(rules: &Rules, height: u64, contributions: u32) -> Result<Amount, AmountError> {
    let each = rules.contribution_reward_at(height).grains();
    let grains = u128::from(each) * u128::from(contributions);
    let all = u64::try_from(grains).map_or(Err(AmountError::AboveSupply(grains)), Amount::from_grains)?;
    all.checked_add(rules.producer_reward_at(height))
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// Rules of a few blocks, with small numbers.
    pub fn rules() -> Rules {
        let grains = |grains| Amount::from_grains(grains).unwrap();
        Rules {
            contribution_reward: grains(1_000),
            producer_reward: grains(500),
            halving_interval: 5,
            coinbase_maturity: 3,
            registration_bond: grains(10_000),
            registration_maturity: 2,
            max_transactions: 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::rules, *};

    fn grains(grains: u64) -> Amount {
        Amount::from_grains(grains).unwrap()
    }

    #[test]
    fn each_rule() {
        assert_eq!(rules().check(Amount::ZERO, 4), Ok(()));
        let zero = |change: fn(&mut Rules)| {
            let mut rules = rules();
            change(&mut rules);
            rules.check(Amount::ZERO, 4)
        };
        assert_eq!(zero(|r| r.halving_interval = 0), Err(RulesError::Zero("halving interval")));
        assert_eq!(zero(|r| r.coinbase_maturity = 0), Err(RulesError::Zero("coinbase maturity")));
        assert_eq!(zero(|r| r.registration_maturity = 0), Err(RulesError::Zero("registration maturity")));
        assert_eq!(zero(|r| r.max_transactions = 0), Err(RulesError::Zero("number of transactions")));
        assert_eq!(zero(|r| r.halving_interval = u64::MAX), Err(RulesError::Supply(8_970 * u128::from(u64::MAX))));
    }

    #[test]
    fn the_bound_on_the_supply_is_what_all_blocks_issue() {
        let rules = rules();
        let issued: u64 = (0..500).map(|height| subsidy(&rules, height, 4).unwrap().grains()).sum();
        let rest = MAX_SUPPLY.checked_sub(grains(issued)).unwrap();
        assert_eq!(rules.check(rest, 4), Ok(()));
        let above = rest.checked_add(grains(1)).unwrap();
        assert_eq!(rules.check(above, 4), Err(RulesError::Supply(u128::from(MAX_SUPPLY.grains()) + 1)));
    }

    #[test]
    fn halves_at_the_interval() {
        let subsidies = [0, 4, 5, 9, 10, 1 << 40].map(|height| subsidy(&rules(), height, 2).unwrap().grains());
        assert_eq!(subsidies, [2_500, 2_500, 1_250, 1_250, 625, 0]);
        assert_eq!(
            subsidy(&Rules { contribution_reward: MAX_SUPPLY, ..rules() }, 0, 2),
            Err(AmountError::AboveSupply(2 * u128::from(MAX_SUPPLY.grains())))
        );
    }
}
