//! Times as medians.

use std::time::{Duration, Instant};

/// How long `f` takes.
pub fn time<T>(f: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let value = f();
    (start.elapsed(), value)
}

/// The middle one of some times; the mean of the middle two if their number is even.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    match times.len() {
        0 => Duration::ZERO,
        n if n % 2 == 1 => times[n / 2],
        n => (times[n / 2 - 1] + times[n / 2]) / 2,
    }
}

/// The median of `runs` runs of `f`, after one that warms up.
pub fn repeat<T>(runs: usize, mut f: impl FnMut() -> T) -> Duration {
    f();
    median((0..runs).map(|_| time(&mut f).0).collect())
}

/// Medians of `runs` runs of things that are compared: they take turns, so that a change of the machine's load meets
/// all of them.
pub fn compare<const N: usize>(runs: usize, mut things: [&mut dyn FnMut(); N]) -> [Duration; N] {
    things.iter_mut().for_each(|thing| thing());
    let mut times = [const { vec![] }; N];
    for _ in 0..runs {
        for (thing, times) in things.iter_mut().zip(&mut times) {
            times.push(time(thing).0);
        }
    }
    times.map(median)
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
