//! What a devnet did, checked: one tip, and balances that add up to the schedule.

use super::setup::{KEYS, PASSPHRASE, Shared, key_name};
use crate::error::CliError;
use crate::node_link::dir_option;
use crate::ui::Output;
use chain::amount::Amount;
use chain::chain_state::ChainState;
use chain::ledger::subsidy;
use chain::store::StoreError;
use serde_json::json;
use std::path::Path;

/// Checks and reports; `go_on` is the command that goes on with the devnet.
pub fn report(shared: &Shared, chains: &[ChainState], dir: &Path, go_on: &str) -> Result<Output, CliError> {
    let Some(chain) = chains.first() else {
        return Err(CliError::Stopped { what: "every node".into(), why: "none returned its chain".into() });
    };
    let id = chain.tip().header.id();
    let agreeing = chains.iter().filter(|other| other.tip().header.id() == id).count();
    let supply = supply(shared, chain)?;
    let losses = losses(shared, chain)?;
    let (height, step) = (chain.tip().summary.height, chain.tip().summary.step);
    let mut text = format!("height {height}, training step {step}, tip {id}");
    text += &format!("\n{agreeing} of {} nodes have this tip", chains.len());
    if let (Some(first), Some(last)) = (losses.first(), losses.last()) {
        text += &format!("\nloss {first:.4} in the first block with gradients, {last:.4} in the last");
    }
    text += &format!(
        "\nsupply: {} in accounts and {} maturing = {} at genesis and {} issued by the schedule",
        supply.held, supply.maturing, supply.genesis, supply.issued
    );
    text += &format!("\nkeys in {}, passphrase `{PASSPHRASE}`:", dir.join(KEYS).display());
    let mut keys = vec![];
    for (i, key) in shared.accounts.iter().enumerate() {
        let (file, address, balance) = (key_name(i), key.address(), chain.account(&key.address())?.balance);
        text += &format!("\n  {file}  {address}  {balance} coins");
        let file = dir.join(KEYS).join(file).display().to_string();
        keys.push(json!({ "file": file, "address": address.to_string(), "balance": balance.to_string() }));
    }
    text += &format!("\nshow its status: gradientcoin chain status{}", dir_option(dir));
    text += &format!("\nresume it:       {go_on}");
    let json = json!({
        "ok": true,
        "chain": shared.spec.id().to_string(),
        "height": height,
        "step": step,
        "tip": id.to_string(),
        "nodes": chains.len(),
        "agreeing": agreeing,
        "losses": losses,
        "dir": dir.display().to_string(),
        "passphrase": PASSPHRASE,
        "keys": keys,
        "go_on": go_on,
        "supply_grains": {
            "held": supply.held.grains(),
            "maturing": supply.maturing.grains(),
            "genesis": supply.genesis.grains(),
            "issued": supply.issued.grains(),
        },
    });
    Ok(Output { text, json })
}

struct Supply {
    held: Amount,
    maturing: Amount,
    genesis: Amount,
    issued: Amount,
}

/// Coins that there are, and coins that there should be.
fn supply(shared: &Shared, chain: &ChainState) -> Result<Supply, CliError> {
    let view = chain.store().view()?;
    let height = view.height()?;
    let (rules, genesis) = (&shared.spec.rules().ledger, shared.spec.genesis());
    let mut issued = Amount::ZERO;
    let mut maturing = Amount::ZERO;
    let mut holders: std::collections::BTreeSet<_> = genesis.balances.iter().map(|(address, _)| *address).collect();
    holders.extend(genesis.contributors.iter().copied());
    for at in 1..=height {
        let id = view.at_height(at)?.ok_or(StoreError::Missing("a block of the chain"))?;
        let block = view.block(&id)?.ok_or(StoreError::Missing("a block of the chain"))?;
        issued = issued.checked_add(subsidy(rules, at, block.contributions.len() as u32)?)?;
        let rewards = view.rewards(at)?;
        holders.extend(rewards.iter().map(|reward| reward.to));
        for transaction in &block.transactions {
            holders.insert(transaction.body.sender);
            if let chain::transaction::Action::Transfer { to, .. } = &transaction.body.action {
                holders.insert(*to);
            }
        }
        if at + rules.coinbase_maturity > height {
            maturing = maturing.checked_add(Amount::checked_sum(rewards.iter().map(|reward| reward.amount))?)?;
        }
    }
    let mut held = Amount::ZERO;
    for holder in holders {
        let account = view.account(&holder, height)?;
        held = held.checked_add(account.balance)?.checked_add(account.bond)?;
    }
    let genesis = Amount::checked_sum(genesis.balances.iter().map(|(_, amount)| *amount))?;
    if held.checked_add(maturing)? != genesis.checked_add(issued)? {
        return Err(CliError::Supply { found: held.checked_add(maturing)?, expected: genesis.checked_add(issued)? });
    }
    Ok(Supply { held, maturing, genesis, issued })
}

/// Mean loss of each block with gradients, in nats, for display.
fn losses(shared: &Shared, chain: &ChainState) -> Result<Vec<f64>, CliError> {
    let view = chain.store().view()?;
    let mut losses = vec![];
    for height in 1..=view.height()? {
        let id = view.at_height(height)?.ok_or(StoreError::Missing("a block of the chain"))?;
        let block = view.block(&id)?.ok_or(StoreError::Missing("a block of the chain"))?;
        let predictions = shared.spec.predictions(block.contributions.len() as u32);
        if predictions > 0 {
            losses.push(block.loss() as f64 / f64::from(1 << 24) / predictions as f64);
        }
    }
    Ok(losses)
}
