//! What a genesis says.

use super::{Facts, config_facts, model_facts, optimizer, schedule_facts};
use crate::error::CliError;
use crate::files::{self, MAX_SMALL};
use crate::format::hex;
use ::chain::amount::Amount;
use ::chain::genesis::{ChainSpec, Genesis, GenesisError};
use serde_json::json;
use std::path::Path;

/// A genesis file, checked as a node checks it, but for the keys.
pub fn facts(path: &Path) -> Result<Facts, CliError> {
    let refused = |error: GenesisError| CliError::file(path)(error);
    let genesis: Genesis = files::decode(path, MAX_SMALL)?;
    let spec = ChainSpec::new(genesis).map_err(refused)?;
    let genesis = spec.genesis();
    let supply = Amount::checked_sum(genesis.balances.iter().map(|(_, amount)| *amount));
    let supply = supply.map_err(|error| refused(error.into()))?;
    let (rules, ledger) = (spec.rules(), spec.rules().ledger);
    Ok(super::facts(json!({
        "id": spec.id().to_string(),
        "name": genesis.name,
        "time": genesis.time,
        "circuits": genesis.circuits,
        "keys_digest": genesis.keys.to_string(),
        "config": config_facts(spec.config()),
        "seed": genesis.seed,
        "model": model_facts(spec.config(), &genesis.state),
        "genesis_proof_bytes": genesis.proof.proof_bytes(),
        "dataset": { "root": hex(genesis.dataset.hash()), "sequences": genesis.dataset.leaves() },
        "batch": genesis.batch,
        "schedule": schedule_facts(&genesis.schedule),
        "optimizer": optimizer(&genesis.optimizer),
        "instances_per_proof": genesis.instances_per_proof,
        "target": format!("{:#010x}", genesis.target.bits()),
        "accounts": genesis.accounts().len(),
        "supply": supply.to_string(),
        "contributors": genesis.contributors.len(),
        "rules": {
            "max_contributions": rules.max_contributions,
            "slots": rules.slots,
            "stamp_bits": rules.stamp_bits,
            "target_spacing": rules.target_spacing,
            "retarget_interval": rules.retarget_interval,
            "floor": format!("{:#010x}", rules.floor.bits()),
            "max_future": rules.max_future,
            "reorg_limit": rules.reorg_limit,
            "contribution_reward": ledger.contribution_reward.to_string(),
            "producer_reward": ledger.producer_reward.to_string(),
            "halving_interval": ledger.halving_interval,
            "coinbase_maturity": ledger.coinbase_maturity,
            "registration_bond": ledger.registration_bond.to_string(),
            "registration_maturity": ledger.registration_maturity,
            "max_transactions": ledger.max_transactions,
        },
    })))
}
