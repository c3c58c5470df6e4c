//! How fast a devnet mines: a new chain's first target fits the machine, so that its first blocks come at the spacing too.

use crate::ui::Ui;
use chain::header::{BlockId, BodyDigest, Header};
use chain::work::{CompactTarget, meets};
use std::time::{Duration, Instant};

/// How long the machine is measured.
const MEASURED: Duration = Duration::from_millis(300);

/// Tries between two looks at the clock.
const TRIES: u32 = 1 << 12;

/// The target at which mining alone takes the spacing, on a machine of this hash rate; never easier than the floor.
pub fn target(hashes_per_second: u64, spacing: u64, floor: CompactTarget) -> CompactTarget {
    CompactTarget::of_tries(hashes_per_second.saturating_mul(spacing), floor)
}

/// The first target of a new chain; the hash rate is measured unless it is given, and told.
pub fn first_target(given: Option<u64>, spacing: u64, floor: CompactTarget, ui: &Ui) -> CompactTarget {
    let (rate, how) = match given {
        Some(rate) => (rate, "as given"),
        None => (measure(floor), "measured"),
    };
    let target = target(rate, spacing, floor);
    let tries = target.work().value();
    ui.progress(&format!("{rate} hashes per second, {how}: initially {tries} hashes per block"));
    target
}

/// Hashes that one thread of this machine tries in a second, at least 1.
fn measure(floor: CompactTarget) -> u64 {
    // What the producer does, on a header of nothing.
    let mut header = Header {
        body: BodyDigest::from_bytes([0; 32]),
        parent: BlockId::from_bytes([0; 32]),
        time: 0,
        target: floor,
        nonce: 0,
    };
    let start = Instant::now();
    let mut met = 0u64;
    while start.elapsed() < MEASURED {
        for _ in 0..TRIES {
            met += u64::from(meets(header.id().as_bytes(), floor.target()));
            header.nonce = header.nonce.wrapping_add(1);
        }
    }
    std::hint::black_box(met);
    let rate = u128::from(header.nonce) * 1_000_000_000 / start.elapsed().as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 7.16: as many tries as the machine makes within the spacing.
    #[test]
    fn mining_alone_takes_the_spacing() {
        let floor = CompactTarget::from_bits(0x1f00_ffff).unwrap();
        for (rate, spacing) in [(2_000_000, 30), (500_000, 600), (10_000, 60)] {
            let work = target(rate, spacing, floor).work().value().as_u64();
            assert!((spacing..=spacing + spacing / 10_000).contains(&(work / rate)), "{work} tries at {rate}");
        }
        // A rate of 1 is the easiest target: no spacing that tests use takes as many tries.
        assert_eq!(target(1, 600, floor), floor);
        // However long, it is a target.
        assert!(target(u64::MAX, 86_400, floor).target() < floor.target());
    }
}
