//! Numbers and digests for people.

use std::fmt::Write;
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

/// Bytes in binary units.
pub fn bytes(count: u64) -> String {
    match count {
        c if c < 10 << 10 => format!("{c} bytes"),
        c if c < 10 << 20 => format!("{:.1} KiB", c as f64 / 1024.0),
        c => format!("{:.1} MiB", c as f64 / f64::from(1 << 20)),
    }
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
