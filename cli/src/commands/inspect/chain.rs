//! What a node's store and a light client's file say.

use super::{Facts, UNVERIFIED, facts};
use crate::commands::chain::describe::{self, joined};
use crate::error::CliError;
use crate::node_link::NodeError;
use ::chain::chain_state::ChainError;
use ::chain::light;
use ::chain::store::Store;
use serde_json::json;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What `redb` begins its files with.
const REDB: [u8; 4] = *b"redb";

/// Whether a file is a database as the stores of nodes are.
pub fn is_store(path: &Path) -> bool {
    let mut magic = [0; REDB.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == REDB
}

/// How far a store's chain is. A node that runs has its store to itself.
pub fn store_facts(path: &Path) -> Result<Facts, CliError> {
    let store = Store::open(path).map_err(|error| match error.is_in_use() {
        true => CliError::from(NodeError::Busy(path.to_owned())),
        false => NodeError::Store { path: path.to_owned(), source: error }.into(),
    })?;
    let view = store.view()?;
    let genesis = view.genesis()?.ok_or(ChainError::Empty)?;
    let chain = view.at_height(0)?.map(|id| id.to_string());
    let about = json!({ "chain": chain, "name": genesis.name });
    let note = json!({ "note": UNVERIFIED });
    Ok(facts(joined([about, describe::record(&view.tip()?), note])))
}

/// What a light client has kept.
pub fn light_facts(path: &Path) -> Result<Facts, CliError> {
    let survey = light::survey(path).map_err(|error| CliError::light(path, error))?;
    let first = survey.beginning.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.record.summary.height);
    Ok(facts(json!({
        "chain": survey.beginning.chain.to_string(),
        "name": survey.beginning.genesis.name,
        "from_height": first,
        "blocks": survey.blocks,
        "bytes": survey.bytes,
        "follows": survey.fault.map(|fault| fault.to_string()),
        "note": UNVERIFIED,
    })))
}
