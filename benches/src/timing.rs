//! Times as medians.

use std::time::{Duration, Instant};

/// How long `f` takes.
pub fn time<T>(f: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let value = f();
    (start.elapsed(), value)
}

/// In seconds, as near as can be to whole nanoseconds: what is written to a file is read again.
pub fn seconds(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e9
}

/// The middle one of sorted values; of the middle two if their number is even, what `mean` makes of them.
pub fn middle<T: Copy>(sorted: &[T], mean: impl Fn(T, T) -> T) -> Option<T> {
    let n = sorted.len();
    let upper = *sorted.get(n / 2)?;
    Some(if n % 2 == 1 { upper } else { mean(sorted[n / 2 - 1], upper) })
}

/// The median of some times; zero of none.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    middle(&times, |a, b| (a + b) / 2).unwrap_or_default()
}

/// The median of `runs` runs of `f`, after one that warms up.
pub fn repeat<T>(runs: usize, mut f: impl FnMut() -> T) -> Duration {
    let [times] = turns(runs, [&mut || drop(f())]);
    median(times)
}

/// Medians of `runs` runs of things that are compared.
pub fn compare<const N: usize>(runs: usize, things: [&mut dyn FnMut(); N]) -> [Duration; N] {
    turns(runs, things).map(median)
}

/// The times of `runs` runs of each, after one that warms up: they take turns, so that a change of the machine's load
/// meets all of them.
pub fn turns<const N: usize>(runs: usize, mut things: [&mut dyn FnMut(); N]) -> [Vec<Duration>; N] {
    things.iter_mut().for_each(|thing| thing());
    let mut times = [const { vec![] }; N];
    for _ in 0..runs {
        for (thing, times) in things.iter_mut().zip(&mut times) {
            times.push(time(thing).0);
        }
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let seconds = |s: &[u64]| s.iter().map(|&s| Duration::from_secs(s)).collect::<Vec<_>>();
        assert_eq!(median(seconds(&[9, 1, 2])), Duration::from_secs(2));
        assert_eq!(median(seconds(&[4, 9, 2, 1])), Duration::from_secs(3));
        assert_eq!(median(vec![]), Duration::ZERO);
    }
}
