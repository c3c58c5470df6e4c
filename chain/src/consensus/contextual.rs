//! Rules that need the chain before the block.

use super::ContextualError;
use crate::address::Address;
use crate::block::Block;
use crate::header::{BlockId, Header, Summary};
use crate::ledger::Accounts;
use crate::rules::Rules;
use crate::work::{CompactTarget, MEDIAN_WINDOW, Work, median_time, retarget};
use circuits::statements::StateCommitments;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is kept of a block whose proofs hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Header.
    pub header: Header,
    /// Summary.
    pub summary: Summary,
    /// Work of the chain up to here.
    pub work: Work,
    /// Model state after the block.
    pub state: StateCommitments,
}

impl Record {
    /// The record as the parent of proofs.
    pub fn parent(&self) -> super::semantic::Parent {
        let Summary { height, step, state: digest, .. } = self.summary;
        // The summary has the state's digest: it need not be hashed again.
        super::semantic::Parent { id: self.header.id(), height, step, state: Arc::new(self.state.clone()), digest }
    }

    /// The record of a block on this one.
    pub fn child(&self, block: &Block, after: &StateCommitments) -> Record {
        let (header, summary) = (block.header, block.summary.clone());
        Record { header, summary, work: self.work.saturating_add(header.target.work()), state: after.clone() }
    }
}

/// The time that some intervals between blocks took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Seconds; 0 if the clock went back.
    pub seconds: u64,
    /// Intervals.
    pub intervals: u64,
}

/// What of the chain before a block its rules depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestry {
    /// Times of the last blocks, at most [`MEDIAN_WINDOW`], the parent's first.
    pub times: Vec<u64>,
    /// The period that the target is corrected by, if it is corrected here.
    pub period: Option<Period>,
}

impl Ancestry {
    /// Of the chain that ends with `parent`; `header` gives the header of an identity.
    pub fn of<E>(
        rules: &Rules,
        parent: &Record,
        mut header: impl FnMut(&BlockId) -> Result<Header, E>,
    ) -> Result<Self, E> {
        let height = parent.summary.height + 1;
        let intervals = rules.retarget_interval.min(height - 1);
        let corrected = height.is_multiple_of(rules.retarget_interval) && intervals > 0;
        // Whole intervals: from the block `intervals` before the parent to the parent.
        let back = if corrected { intervals } else { 0 };
        // As many blocks at both ends: near the genesis there are few.
        let window = (MEDIAN_WINDOW as u64).min(height - back);
        let mut at = parent.header;
        let mut times = vec![at.time];
        for _ in 1..(back + window).max((MEDIAN_WINDOW as u64).min(height)) {
            at = header(&at.parent)?;
            times.push(at.time);
        }
        // Medians: whoever makes a single block at an end cannot move them.
        let median = |from: u64| {
            let times: Vec<u64> = times.iter().skip(from as usize).take(window as usize).copied().collect();
            median_time(&times).unwrap_or(0)
        };
        let seconds = median(0).saturating_sub(median(back));
        times.truncate(MEDIAN_WINDOW);
        Ok(Ancestry { times, period: corrected.then_some(Period { seconds, intervals }) })
    }

    /// The target of a block on the parent.
    pub fn target(&self, rules: &Rules, parent: CompactTarget) -> CompactTarget {
        match self.period {
            Some(Period { seconds, intervals }) => {
                retarget(parent, seconds, intervals, rules.target_spacing, rules.floor)
            }
            None => parent,
        }
    }

    /// The time that a block on the parent must be after.
    pub fn median_time(&self) -> u64 {
        median_time(&self.times).unwrap_or(0)
    }
}

/// Checks a block against the chain before it, all but the ledger. `now` is the clock, in seconds since 1970.
pub fn header(
    rules: &Rules,
    parent: &Record,
    ancestry: &Ancestry,
    block: &Block,
    now: u64,
) -> Result<(), ContextualError> {
    let (header, summary) = (&block.header, &block.summary);
    if header.parent != parent.header.id() {
        return Err(ContextualError::Parent);
    }
    let (expected, found) = (parent.summary.height + 1, summary.height);
    if found != expected {
        return Err(ContextualError::Height { expected, found });
    }
    let (expected, found) = (ancestry.target(rules, parent.header.target), header.target);
    if found != expected {
        return Err(ContextualError::Target { expected, found });
    }
    let (median, found) = (ancestry.median_time(), header.time);
    if found <= median {
        return Err(ContextualError::TimeTooOld { median, found });
    }
    let trains = u64::from(!block.contributions.is_empty());
    let (expected, step) = (parent.summary.step + trains, summary.step);
    if step != expected {
        return Err(ContextualError::Step { expected, found: step });
    }
    if trains == 0 && summary.state != parent.summary.state {
        return Err(ContextualError::StateChanged);
    }
    if found > now.saturating_add(rules.max_future) {
        return Err(ContextualError::TimeTooNew { now, found });
    }
    Ok(())
}

/// Requires every contributor of a block of this height to be registered and matured in the ledger of the parent.
pub fn contributors<A: Accounts>(
    accounts: &A,
    rules: &Rules,
    block: &Block,
) -> Result<Result<(), ContextualError>, A::Error> {
    for (index, c) in block.contributions.iter().enumerate() {
        if let Err(error) = contributor(accounts, rules, block.summary.height, (index, &c.seat.contributor))? {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// Requires one contributor, by index and address, to be registered and matured for a block of this height.
pub fn contributor<A: Accounts>(
    accounts: &A,
    rules: &Rules,
    height: u64,
    (index, &contributor): (usize, &Address),
) -> Result<Result<(), ContextualError>, A::Error> {
    let account = accounts.account(&contributor)?;
    let Some(registered) = account.registered else {
        return Ok(Err(ContextualError::NotRegistered { index, contributor }));
    };
    if !account.matured(height, rules.ledger.registration_maturity) {
        return Ok(Err(ContextualError::Immature { index, contributor, registered }));
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::block::digests;
    use crate::genesis::testing;
    use crate::header::{LedgerRoot, StateDigest};
    use std::collections::HashMap;

    const INTERVAL: u64 = 16;

    /// The period that a block of height 32 sees, of a chain with these times.
    fn period(times: &[u64]) -> Period {
        let spec = testing::spec();
        let rules = Rules { retarget_interval: INTERVAL, ..spec.rules().clone() };
        let mut headers: HashMap<BlockId, Header> = HashMap::new();
        let mut last = spec.header().unwrap();
        for &time in times {
            headers.insert(last.id(), last);
            last = Header { parent: last.id(), time, ..last };
        }
        let nothing = digests(spec.id(), &[], &[], &None).unwrap();
        let zeros = (StateDigest::from_bytes([0; 32]), LedgerRoot::from_bytes([0; 32]));
        let summary = Summary::new((times.len() as u64, 0), zeros, Address([0; 32]), nothing);
        let state = spec.genesis().state.clone();
        let parent = Record { header: last, summary, work: Work::ZERO, state };
        let ancestry = Ancestry::of(&rules, &parent, |id| headers.get(id).copied().ok_or(())).unwrap();
        assert_eq!(ancestry.times.len(), MEDIAN_WINDOW);
        ancestry.period.unwrap()
    }

    /// Whoever makes the last block of an interval, or the last two, dates them ahead: the target follows all the same.
    #[test]
    fn a_date_ahead_at_the_end_of_an_interval_does_not_keep_the_target_from_following() {
        let begin = testing::spec().genesis().time;
        let honest: Vec<u64> = (1..2 * INTERVAL).map(|i| begin + 10 * i).collect();
        assert_eq!(period(&honest), Period { seconds: 10 * INTERVAL, intervals: INTERVAL });
        for forged in [1, 2] {
            let mut times = honest.clone();
            let end = times.len();
            times[end - forged..].iter_mut().for_each(|time| *time += 7200);
            assert_eq!(period(&times), period(&honest), "{forged}");
            // The end of the interval before.
            let mut times = honest.clone();
            times[INTERVAL as usize - 1] += 7200;
            assert_eq!(period(&times).seconds.abs_diff(10 * INTERVAL), 0);
        }
    }
}
