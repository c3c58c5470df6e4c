//! What the figures were measured on.

use std::{fs, process::Command, time::Duration};

/// The processor and the threads in use.
pub fn description() -> String {
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let (model, threads) = (model.unwrap_or_else(|| std::env::consts::ARCH.into()), rayon::current_num_threads());
    format!("{model}, {threads} {}", if threads == 1 { "thread" } else { "threads" })
}

/// The commit of the working tree, marked if it was changed since; `None` without git.
pub fn commit() -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok().filter(|o| o.status.success())?;
        String::from_utf8(output.stdout).ok()
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(&["status", "--porcelain"]).is_some_and(|status| !status.is_empty());
    Some(format!("{}{}", commit.trim(), if changed { " with changes" } else { "" }))
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

/// Processor time of all threads that this process has, where the system tells: unlike the clock's, it does not count
/// what other processes take.
pub fn processor_time() -> Option<Duration> {
    let of = |task: fs::DirEntry| -> Option<u64> {
        fs::read_to_string(task.path().join("schedstat")).ok()?.split_whitespace().next()?.parse().ok()
    };
    let nanos: Option<u64> = fs::read_dir("/proc/self/task").ok()?.map(|task| of(task.ok()?)).sum();
    nanos.map(Duration::from_nanos)
}
