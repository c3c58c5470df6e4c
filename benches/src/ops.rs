//! What each op of a step has of its cells, and of the time in which its columns are committed to.
//!
//! Each column of an instance of each circuit is committed to as a proof does, on one thread. Its time is shared among
//! the ops on it in proportion to their cells there: cells that no op owns hold zeros, and cost next to nothing. A column
//! without an owner is the lookup argument's.

use crate::setup::filled;
use crate::timing::{self, time};
use audit::Cost;
use backend::bases::Room;
use backend::challenge;
use backend::curve::{F, Params, Point};
use circuits::model::Spec;
use circuits::segments::SegmentKind;
use circuits::statements::StepSize;
use prover::blinding::fresh;
use prover::engine::ProofInstance;
use prover::engine::draws::{Draws, hidden};
use prover::key::ProverKey;
use prover::step::StepKeys;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

/// Name under which the columns stand that no op owns.
pub const LOOKUP: &str = "lookup argument";

/// An op's part of a step of batch 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Op {
    /// Cells that it owns, of all instances.
    pub cells: usize,
    /// Seconds on one thread in which these are committed to, by run.
    pub commit_seconds: Vec<f64>,
}

/// Each op's part of a step, by as many runs as are asked for.
pub fn of_step(params: &Params, keys: &StepKeys, spec: &Spec, size: &StepSize, runs: usize) -> BTreeMap<String, Op> {
    let mut ops: BTreeMap<String, Op> = BTreeMap::new();
    for (kind, instances) in SegmentKind::ALL.into_iter().zip(size.instances) {
        let key = keys.of(kind);
        for (op, cells) in cells(key) {
            ops.entry(op).or_insert_with(|| Op { cells: 0, commit_seconds: vec![0.0; runs] }).cells +=
                instances * cells;
        }
        let instance = filled(params, keys, spec, kind, 1).remove(0);
        let columns = committed_columns(key, instance);
        for run in 0..runs {
            for (op, seconds) in shares(key, &times(params, &columns)) {
                let of_op = ops.get_mut(&op).expect("who has a column has cells");
                of_op.commit_seconds[run] += instances as f64 * seconds;
            }
        }
    }
    for seconds in ops.values_mut().flat_map(|op| &mut op.commit_seconds) {
        *seconds = timing::seconds(Duration::from_secs_f64(*seconds));
    }
    ops
}

/// Cells that each op owns in an instance, and those of the lookup argument's columns.
fn cells(key: &ProverKey) -> BTreeMap<String, usize> {
    let ops = Cost::of(&key.plan).ops.into_iter().map(|(op, pools)| (op, pools.values().sum()));
    let lookup = key.plan.owners.iter().filter(|owners| owners.is_empty()).count() * key.plan.usable;
    ops.chain([(LOOKUP.to_owned(), lookup)]).filter(|(_, cells)| *cells > 0).collect()
}

/// Whole columns and their blinds, as a proof commits to them.
fn committed_columns(key: &ProverKey, mut instance: ProofInstance) -> Vec<(Vec<F>, F)> {
    let (plan, shape) = (&key.plan, &key.verifying.shape);
    let refused = instance.witness.count_lookups(plan);
    assert!(refused.is_empty(), "an honest witness looks up what there is");
    let mut rng = fresh().expect("the system has randomness");
    let Draws { rows, blinds } = Draws::new(plan, shape, &instance.ports, &mut rng).expect("its ports have blinding");
    // Any challenges do: what they determine is as large as any element of the field.
    instance
        .witness
        .fill_phase2(plan, &challenge::scalars(&challenge::digest(plan.k, &key.verifying.digest, &[], &[])));
    let columns = instance.witness.values.iter().zip(&rows).zip(blinds);
    columns.map(|((values, hiding), blind)| (hidden(values, hiding, 1 << plan.k), blind)).collect()
}

/// How long the commitment to each column takes.
fn times(params: &Params, columns: &[(Vec<F>, F)]) -> Vec<Duration> {
    let (bases, mut room) = (params.bases(), Room::<Point>::default());
    columns.iter().map(|(values, blind)| time(|| black_box(bases.commit_column(values, blind, &mut room))).0).collect()
}

/// Seconds of the columns' times that each op owes.
fn shares(key: &ProverKey, times: &[Duration]) -> BTreeMap<String, f64> {
    let mut ops = BTreeMap::new();
    for (owners, time) in key.plan.owners.iter().zip(times) {
        let (seconds, owned) = (time.as_secs_f64(), owners.iter().map(|owner| owner.rows).sum::<usize>());
        if owners.is_empty() {
            *ops.entry(LOOKUP.to_owned()).or_insert(0.0) += seconds;
        }
        for owner in owners {
            *ops.entry(owner.op.clone()).or_insert(0.0) += seconds * owner.rows as f64 / owned as f64;
        }
    }
    ops
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::spec;

    #[test]
    fn shares_of_all_ops_add_up_to_the_columns() {
        let spec = spec("nano");
        let params = Params::new(spec.config.k());
        let keys = StepKeys::generate(&params, &spec).unwrap();
        let size = StepSize::of(&spec.config, &keys.circuits, circuits::statements::Extent::default()).unwrap();
        for kind in SegmentKind::ALL {
            let key = keys.of(kind);
            let times: Vec<Duration> = (1..=key.plan.advice.len() as u64).map(Duration::from_secs).collect();
            let (sum, shared) = (times.iter().sum::<Duration>().as_secs_f64(), shares(key, &times));
            assert!((shared.values().sum::<f64>() / sum - 1.0).abs() < 1e-9, "{}", kind.name());
            assert!(shared.keys().eq(cells(key).keys()), "{}", kind.name());
            // What no op owns is the lookup argument's.
            let argument = ["multiplicity", "helper", "table", "lookup running"];
            for (column, owners) in key.plan.advice.iter().zip(&key.plan.owners) {
                let of_lookup = argument.iter().any(|name| column.name.starts_with(name));
                assert_eq!(owners.is_empty(), of_lookup, "{}", column.name);
            }
        }
        let ops = of_step(&params, &keys, &spec, &size, 2);
        let owned: usize = ops.iter().filter(|(op, _)| *op != LOOKUP).map(|(_, op)| op.cells).sum();
        assert_eq!(owned, size.assigned);
        assert!(ops.values().all(|op| op.commit_seconds.len() == 2 && op.commit_seconds.iter().all(|s| *s > 0.0)));
    }
}
