//! Numbers and digests for people.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Seconds with a sensible number of figures.
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        s => format!("{:.1} min", s / 60.0),
    }
}

/// How long what is left takes at the pace of what was done; nothing is known before anything was.
pub fn time_left(done: u64, left: u64, elapsed: Duration) -> Option<Duration> {
    (done > 0).then(|| elapsed.mul_f64(left as f64 / done as f64))
}

/// Bytes in binary units.
pub fn bytes(count: u64) -> String {
    match count {
        c if c < 10 << 10 => format!("{c} bytes"),
        c if c < 10 << 20 => format!("{:.1} KiB", c as f64 / 1024.0),
        c => format!("{:.1} MiB", c as f64 / f64::from(1 << 20)),
    }
}

/// Seconds since 1970 as date and time of day, UTC; far beyond all calendars, the seconds.
pub fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    if days > 3_000_000 {
        return format!("{seconds} seconds after 1970");
    }
    // Years begin in March here, so that the day that some have more is their last.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Lines of names and values, the values aligned.
pub fn table(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = rows.iter().map(|(name, value)| format!("{name:width$}  {value}")).collect();
    lines.join("\n")
}

/// `1 step`, `2 steps`.
pub fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Most memory that this process has held, in KiB, where the system says.
pub fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// A path as it stands in a command line, for a shell.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./+,@=:".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_known_seconds() {
        for (seconds, date) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (951_868_800, "2000-03-01 00:00:00 UTC"),
            (1_767_225_599, "2025-12-31 23:59:59 UTC"),
            (1_767_225_600, "2026-01-01 00:00:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (u64::MAX, "18446744073709551615 seconds after 1970"),
        ] {
            assert_eq!(utc(seconds), date);
        }
    }

    /// 7.22: after the first tenth as good as the pace is even, and exact if it is.
    #[test]
    fn the_time_left_follows_the_pace() {
        let minute = Duration::from_secs(60);
        assert_eq!(time_left(0, 20, minute), None);
        assert_eq!(time_left(2, 18, minute), Some(Duration::from_secs(540)));
        assert_eq!(time_left(20, 0, minute), Some(Duration::ZERO));
    }

    #[test]
    fn values_are_aligned() {
        assert_eq!(table(&[("a", "1".into()), ("long", "2".into())]), "a     1\nlong  2");
    }

    #[test]
    fn paths_can_be_pasted() {
        for (path, text) in [
            ("devnet", "devnet"),
            ("/a/b-c_1.2", "/a/b-c_1.2"),
            ("my net", "'my net'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(Path::new(path)), text);
        }
    }
}
