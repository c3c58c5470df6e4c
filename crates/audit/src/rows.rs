//! Rows of a column, written down shortly.

use serde::Serialize;
use std::fmt;

/// `count` rows at distances of `step`, and that `times` times at distances of `every`. Steps are 1, and distances 0, where there
/// is one row, or one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Run {
    /// First row.
    pub first: usize,
    /// Rows of one time.
    pub count: usize,
    /// From one row to the next.
    pub step: usize,
    /// How often.
    pub times: usize,
    /// From one time to the next.
    pub every: usize,
}

impl Run {
    /// The row after the last.
    pub fn end(&self) -> usize {
        self.first + self.count.saturating_sub(1) * self.step + self.times.saturating_sub(1) * self.every + 1
    }

    /// All rows.
    pub fn rows(self) -> impl Iterator<Item = usize> {
        (0..self.times)
            .flat_map(move |time| (0..self.count).map(move |i| self.first + time * self.every + i * self.step))
    }
}

/// Ascending rows as runs.
pub fn runs(rows: &[usize]) -> Vec<Run> {
    let mut progressions: Vec<Run> = vec![];
    let mut rest = rows;
    while let Some(&first) = rest.first() {
        let step = rest.get(1).map_or(1, |next| next - first);
        let count = rest.iter().enumerate().take_while(|&(i, &row)| row == first + i * step).count();
        // Of two rows that are far apart, the second may begin a run of its own.
        let joins_next = count == 2 && step > 1 && rest.get(2).is_some_and(|third| third - rest[1] < step);
        let (count, step) = if count == 1 || joins_next { (1, 1) } else { (count, step) };
        progressions.push(Run { first, count, step, times: 1, every: 0 });
        rest = &rest[count..];
    }
    let mut repeated = vec![];
    let mut rest = &progressions[..];
    while let Some(&run) = rest.first() {
        let every = rest.get(1).map_or(0, |next| next.first - run.first);
        let is_next = |(i, other): (usize, &Run)| {
            (other.count, other.step) == (run.count, run.step) && other.first == run.first + i * every
        };
        let times = rest.iter().enumerate().take_while(|&(i, other)| is_next((i, other))).count();
        repeated.push(if times == 1 { run } else { Run { times, every, ..run } });
        rest = &rest[times..];
    }
    repeated
}

/// `0–7`, `0–14 by 2`, `1–7 (255 times, every 8)`.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run { first, count, step, times, every } = *self;
        write!(f, "{first}")?;
        if count > 1 {
            write!(f, "–{}", first + (count - 1) * step)?;
        }
        if step > 1 {
            write!(f, " by {step}")?;
        }
        if times > 1 {
            write!(f, " ({times} times, every {every})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn shown(rows: impl IntoIterator<Item = usize>) -> String {
        let runs = runs(&rows.into_iter().collect::<Vec<_>>());
        runs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn rows_are_written_shortly() {
        assert_eq!(shown([]), "");
        assert_eq!(shown([5]), "5");
        assert_eq!(shown(3..4080), "3–4079");
        assert_eq!(shown((1..40).step_by(4)), "1–37 by 4");
        assert_eq!(shown((0..64).filter(|row| row % 8 != 0)), "1–7 (8 times, every 8)");
        assert_eq!(shown((0..64).filter(|row| row % 8 > 1 && row % 2 == 0)), "2–6 by 2 (8 times, every 8)");
        // A stretch that is continued elsewhere, and a lone row before one.
        assert_eq!(shown((0..6).chain(100..104)), "0–5, 100–103");
        assert_eq!(shown([0, 50, 51, 52]), "0, 50–52");
    }

    proptest! {
        #[test]
        fn runs_are_the_rows(rows in prop::collection::btree_set(0usize..60, 0..40), step in 1usize..4) {
            let rows: BTreeSet<usize> = rows.into_iter().map(|row| row * step).collect();
            let rows: Vec<usize> = rows.into_iter().collect();
            let runs = runs(&rows);
            prop_assert_eq!(runs.iter().flat_map(|run| run.rows()).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>(), rows.clone());
            prop_assert_eq!(runs.iter().map(|run| run.count * run.times).sum::<usize>(), rows.len());
            let lasts = runs.iter().all(|run| run.rows().max() == Some(run.end() - 1));
            prop_assert!(lasts);
        }
    }
}
