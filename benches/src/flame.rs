//! A flame graph from what `perf` sampled: a frame is a rectangle above its caller, as wide as its share of the samples.
//! Frames of the standard library and of rayon, which pass work on, are left out.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// Samples in a second and thread.
const FREQUENCY: &str = "199";
/// Bytes of the stack that are kept with each sample: frames beyond them are not seen.
const STACK: &str = "dwarf,16384";
const WIDTH: f64 = 1200.0;
const HEIGHT: usize = 17;
/// Narrower frames are not drawn.
const NARROWEST: f64 = 0.6;

/// Why there is no flame graph.
#[derive(Debug, thiserror::Error)]
pub enum FlameError {
    /// There is no `perf`.
    #[error("a flame graph needs `perf`, which is not found: {0}")]
    NoPerf(io::Error),
    /// `perf` failed.
    #[error("`perf {0}` failed: it may not be allowed to sample (kernel.perf_event_paranoid)")]
    Failed(&'static str),
    /// There are no stacks in what it sampled.
    #[error("`perf` sampled no stack")]
    Nothing,
}

/// A function, called from a stack of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Samples in which it was on the stack.
    pub samples: u64,
    /// What it called.
    pub callees: BTreeMap<String, Frame>,
}

/// Whether there is `perf`.
pub fn available() -> Result<(), FlameError> {
    let version = Command::new("perf").arg("--version").stdout(Stdio::null()).status();
    if version.map_err(FlameError::NoPerf)?.success() { Ok(()) } else { Err(FlameError::Failed("--version")) }
}

/// Samples a program while it runs, with a file in `dir`.
pub fn sample(program: &Path, arguments: &[OsString], dir: &Path) -> Result<Frame, FlameError> {
    let data = dir.join("perf.data");
    let perf = |what: &'static str, arguments: &[&str]| {
        let mut command = Command::new("perf");
        command.arg(what).args(arguments).stdin(Stdio::null());
        command.arg(if what == "record" { "-o" } else { "-i" }).arg(&data);
        command
    };
    let mut record = perf("record", &["--quiet", "-F", FREQUENCY, "--call-graph", STACK]);
    let status = record.arg("--").arg(program).args(arguments).stdout(Stdio::null()).status();
    if !status.map_err(FlameError::NoPerf)?.success() {
        return Err(FlameError::Failed("record"));
    }
    // Inlined functions would have to be looked up one by one, which takes longer than the proof.
    let script = perf("script", &["--no-inline", "-F", "comm,ip,sym"]).stderr(Stdio::null()).output();
    let script = script.map_err(FlameError::NoPerf)?;
    if !script.status.success() {
        return Err(FlameError::Failed("script"));
    }
    let all = fold(&String::from_utf8_lossy(&script.stdout));
    if all.samples == 0 { Err(FlameError::Nothing) } else { Ok(all) }
}

/// The stacks that `perf script` writes, innermost frame first, an empty line after each.
pub fn fold(script: &str) -> Frame {
    let mut all = Frame::default();
    for sample in script.split("\n\n") {
        // The line that is not indented names the thread.
        let lines = sample.lines().filter(|line| line.starts_with(char::is_whitespace));
        let names: Vec<String> = lines.filter_map(function).collect();
        if sample.trim().is_empty() {
            continue;
        }
        all.samples += 1;
        let mut at = &mut all;
        for name in names.into_iter().rev() {
            at = at.callees.entry(name).or_default();
            at.samples += 1;
        }
    }
    all
}

/// The function of a line, unless it is one that passes work on.
fn function(line: &str) -> Option<String> {
    let symbol = line.trim().split_once(' ')?.1;
    let symbol = symbol.rsplit_once("+0x").map_or(symbol, |(symbol, _)| symbol);
    // The hash that tells instances apart.
    let name = match symbol.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => name,
        _ => symbol,
    };
    let passes_on = ["std::", "core::", "alloc::", "rayon", "_start", "__libc_start", "start_thread", "clone3"];
    let within = name.trim_start_matches(['<', '&']);
    let left_out =
        passes_on.iter().any(|start| within.starts_with(start)) || name.contains(" as rayon") || name == "[unknown]";
    (!left_out).then(|| name.to_owned())
}

/// The graph as SVG, for light and dark surroundings and for paper; the names of narrow frames show under the pointer.
pub fn svg(all: &Frame, title: &str) -> String {
    let height = (depth(all) + 3) * HEIGHT;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"Helvetica, Arial, sans-serif\" \
         font-size=\"11\" fill=\"#1b1f24\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"6\" y=\"14\" font-size=\"13\">{}; {} samples; std and rayon left out</text>\n",
        escaped(title),
        all.samples
    );
    draw(&mut svg, all, ("all", 0.0), height - HEIGHT, WIDTH / all.samples.max(1) as f64);
    svg + "</svg>\n"
}

fn depth(frame: &Frame) -> usize {
    1 + frame.callees.values().map(depth).max().unwrap_or(0)
}

fn draw(svg: &mut String, frame: &Frame, (name, x): (&str, f64), y: usize, sample: f64) {
    let width = frame.samples as f64 * sample;
    if width < NARROWEST {
        return;
    }
    // A crate has one colour.
    let of_crate = name.trim_start_matches(['<', '&']).split("::").next().unwrap_or_default();
    let hue = of_crate.bytes().fold(20u32, |hue, byte| (hue * 31 + u32::from(byte)) % 360);
    let share = 100.0 * width / WIDTH;
    let _ = write!(
        svg,
        "<g><title>{}: {} samples, {share:.1} %</title><rect x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" \
         fill=\"hsl({hue} 70% 82%)\" stroke=\"#ffffff\" stroke-width=\"0.5\"/>",
        escaped(name),
        frame.samples,
        HEIGHT - 1
    );
    let fits = (width / 7.0) as usize;
    if fits > 3 {
        // The end of a path says most.
        let count = name.chars().count();
        let shown: String = if count <= fits {
            name.into()
        } else {
            ['…'].into_iter().chain(name.chars().skip(count - fits + 1)).collect()
        };
        let _ = write!(svg, "<text x=\"{:.1}\" y=\"{}\">{}</text>", x + 3.0, y + 12, escaped(&shown));
    }
    svg.push_str("</g>\n");
    let mut x = x;
    for (name, callee) in &frame.callees {
        draw(svg, callee, (name, x), y.saturating_sub(HEIGHT), sample);
        x += callee.samples as f64 * sample;
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "results 
\t    55d0c0 backend::msm::sum::h0123456789abcdef+0x10
\t    55d0c1 <rayon::iter::Map<I> as rayon::Thing>::drive+0x2
\t    55d0c2 prover::engine::commit+0x1

results 
\t    55d0c3 <prover::A as plonkish::B<T>>::c+0x10
\t    55d0c2 prover::engine::commit+0x9
\t    55d0c4 core::ops::function::FnOnce::call_once+0x9

results 
\t    ffffff [unknown]

";

    #[test]
    fn samples_of_the_same_stack_add_up() {
        let all = fold(SCRIPT);
        assert_eq!(all.samples, 3);
        let commit = &all.callees["prover::engine::commit"];
        assert_eq!((commit.samples, all.callees.len()), (2, 1));
        assert!(commit.callees.keys().eq(["<prover::A as plonkish::B<T>>::c", "backend::msm::sum"]));
        assert_eq!(fold("\n\n"), Frame::default());
    }

    #[test]
    fn every_frame_is_drawn_once_and_escaped() {
        let graph = svg(&fold(SCRIPT), "a step");
        assert_eq!(graph, svg(&fold(SCRIPT), "a step"));
        assert_eq!(graph.matches("<g>").count(), 4);
        assert!(graph.contains("<title>prover::engine::commit: 2 samples, 66.7 %</title>"), "{graph}");
        assert!(graph.contains("&lt;prover::A as plonkish::B&lt;T&gt;&gt;::c") && !graph.contains("B<T>"));
    }
}
