//! What the figures were measured on.

use serde::{Deserialize, Serialize};
use std::process::Command;
use std::time::Duration;
use std::{fmt, fs};

/// A machine and what the program was built with, as far as the system tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Model name of the processor.
    pub processor: String,
    /// Its architecture.
    pub arch: String,
    /// Threads in use.
    pub threads: usize,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Operating system.
    pub os: String,
    /// Compiler.
    pub rustc: Option<String>,
    /// Whether the field's arithmetic is in assembly.
    pub asm: bool,
    /// Whether proofs are made with vectors of AVX-512 IFMA; documents from before there were such do not say.
    #[serde(default)]
    pub ifma: bool,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        let found = |file: &str, key: &str, separator: char| {
            let text = fs::read_to_string(file).ok()?;
            let line = text.lines().find(|line| line.starts_with(key))?;
            Some(line.split_once(separator)?.1.trim().trim_matches('"').to_owned())
        };
        let os = match (found("/etc/os-release", "PRETTY_NAME", '='), said("uname", &["-sr"])) {
            (Some(name), Some(kernel)) => format!("{name}, {kernel}"),
            (name, kernel) => name.or(kernel).unwrap_or_else(|| std::env::consts::OS.into()),
        };
        let memory = found("/proc/meminfo", "MemTotal", ':');
        Machine {
            processor: found("/proc/cpuinfo", "model name", ':').unwrap_or_else(|| "unknown processor".into()),
            arch: std::env::consts::ARCH.into(),
            threads: rayon::current_num_threads(),
            memory: memory.and_then(|m| m.strip_suffix("kB")?.trim().parse::<u64>().ok()).map(|kib| kib * 1024),
            os,
            rustc: said("rustc", &["--version"]),
            asm: cfg!(feature = "asm"),
            ifma: has_ifma(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (threads, asm) =
            (if self.threads == 1 { "thread" } else { "threads" }, if self.asm { ", `asm`" } else { "" });
        let ifma = if self.ifma { ", AVX-512 IFMA" } else { "" };
        write!(f, "{}, {} {threads}, {}{asm}{ifma}", self.processor, self.threads, self.arch)
    }
}

fn has_ifma() -> bool {
    #[cfg(target_arch = "x86_64")]
    let has = simd::Ifma::detect().is_some();
    #[cfg(not(target_arch = "x86_64"))]
    let has = false;
    has
}

/// Machine and commit, in a line.
pub fn heading() -> String {
    format!("{}, commit {}", Machine::this(), commit().map_or("unknown".into(), |commit| commit.to_string()))
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The commit, abbreviated.
    pub id: String,
    /// Whether the working tree was changed since; results in it are no change.
    pub dirty: bool,
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.id, if self.dirty { " with changes" } else { "" })
    }
}

/// The commit of the working tree; `None` without git.
pub fn commit() -> Option<Commit> {
    let id = said("git", &["rev-parse", "--short=12", "HEAD"])?;
    let changes = said("git", &["status", "--porcelain", "--", ":(top)", ":(top,exclude)benches/results"]);
    Some(Commit { id, dirty: changes.is_none_or(|changes| !changes.is_empty()) })
}

/// The date in UTC, as `2000-12-31 23:59:59`.
pub fn date() -> Option<String> {
    said("date", &["-u", "+%Y-%m-%d %H:%M:%S"])
}

/// What a program that succeeds writes to stdout.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|o| o.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Forgets the peak of the resident memory so far, where the system can.
pub fn reset_peak_memory() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The peak of the resident memory in bytes, where the system tells.
pub fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Processor time of all threads that this process has had, where the system tells: unlike the clock's, it does not count
/// what other processes take.
pub fn processor_time() -> Option<Duration> {
    #[cfg(unix)]
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime).try_into().ok();
    #[cfg(not(unix))]
    let time = None;
    time
}
