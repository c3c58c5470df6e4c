//! The READMEs of ops and gadgets, and which of them say what holds of an op's cells.

use backend::curve::F;
use plonkish::{Plan, Role};
use std::collections::BTreeMap;

/// A README.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readme {
    /// From the root of the repository.
    pub path: &'static str,
    /// Markdown.
    pub text: &'static str,
}

macro_rules! readme {
    ($folder:literal) => {
        Readme {
            path: concat!("circuits/src/", $folder, "/README.md"),
            text: include_str!(concat!("../", $folder, "/README.md")),
        }
    };
}

const ADAMW: Readme = readme!("ops/adamw");
const ATTENTION: Readme = readme!("ops/attention");
const CROSS_ENTROPY: Readme = readme!("ops/cross_entropy");
const EMBEDDING: Readme = readme!("ops/embedding");
const LINEAR: Readme = readme!("ops/linear");
const RELU: Readme = readme!("ops/relu");
const RMSNORM: Readme = readme!("ops/rmsnorm");
const ROPE: Readme = readme!("ops/rope");
const SGD: Readme = readme!("ops/sgd");
const SOFTMAX: Readme = readme!("ops/softmax");
const SQUARES: Readme = readme!("ops/squares");
const SQUARED_ERROR: Readme = readme!("ops/squared_error");
const SWIGLU: Readme = readme!("ops/swiglu");
const GADGETS: Readme = readme!("arithmetic/gadgets");

/// What the lookup argument is for, without text: it is no README.
pub const PROTOCOL: Readme = Readme { path: "docs/protocol.md", text: "" };

/// The READMEs that name the constraints of an op's blocks: its own, those of ops that it extends, those of gadgets.
pub fn readmes(op: &str) -> &'static [Readme] {
    match op.split('/').next().unwrap_or(op) {
        "adamw" => &[ADAMW, SQUARES, GADGETS],
        "attention" => &[ATTENTION, SOFTMAX, GADGETS],
        "cross_entropy" => &[CROSS_ENTROPY, SOFTMAX, EMBEDDING, GADGETS],
        "embedding" => &[EMBEDDING, GADGETS],
        "linear" => &[LINEAR, GADGETS],
        "relu" => &[RELU, GADGETS],
        "rmsnorm" => &[RMSNORM, GADGETS],
        "rope" => &[ROPE, GADGETS],
        "sgd" => &[SGD, SQUARES, GADGETS],
        "squared_error" => &[SQUARED_ERROR, GADGETS],
        "swiglu" => &[SWIGLU, GADGETS],
        "lookup" => &[PROTOCOL],
        // What stands in `edge`, `residual` and `projection` are gadgets.
        _ => &[GADGETS],
    }
}

/// Names of a plan's constraints, beside those of lookups, and their degrees: of a gate with a selector's, of a limb that no cell holds its
/// form's.
pub fn constraints(plan: &Plan<F>) -> Vec<(String, usize)> {
    let gates = plan.gates.iter().filter(|gate| gate.role != Role::Lookup);
    let gates = gates.map(|gate| (gate.name.clone(), gate.poly.degree() + 1));
    gates.chain(plan.implied.iter().map(|limb| (limb.name.clone(), limb.form.degree()))).collect()
}

/// Constraints that no table of their op's READMEs has with their degree.
pub fn undocumented<R: AsRef<[Readme]>>(constraints: &[(String, usize)], readmes: impl Fn(&str) -> R) -> Vec<String> {
    let mut degrees: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for (name, degree) in constraints {
        let (op, name) = name.split_once(": ").unwrap_or(("", name));
        let highest = degrees.entry((op, plain(name))).or_default();
        *highest = (*highest).max(*degree);
    }
    let mut missing = vec![];
    for ((op, name), degree) in degrees {
        // Divisions carry the name of what they divide before that of the constraint.
        let tail = name.split_once("i: ").map_or(name.as_str(), |(_, tail)| tail);
        let spelled = |text: &str| text.contains(&format!("`{name}`")) || text.contains(&format!("`{tail}`"));
        let readmes = readmes(op);
        let mut rows = readmes.as_ref().iter().flat_map(rows);
        if !rows.any(|(degrees, text)| spelled(text) && degrees.contains(&degree)) {
            missing.push(format!("{op}: {name}, degree {degree}"));
        }
    }
    missing
}

/// The table rows of a README: degrees and text.
fn rows(readme: &Readme) -> impl Iterator<Item = (Vec<usize>, &'static str)> {
    let row = |line: &'static str| {
        let (degree, rest) = line.strip_prefix("| ")?.split_once(" |")?;
        let degrees = degree.split(|c: char| !c.is_ascii_digit()).filter_map(|d| d.parse().ok()).collect();
        Some((degrees, rest))
    };
    readme.text.lines().filter_map(row)
}

/// A gate's name without its op, its lane and what a gadget's user adds to it.
fn plain(name: &str) -> String {
    let name = name.split(" (lane ").next().unwrap_or(name);
    let dotted = |from: &str, to: &str, name: &str| match (name.find(from), name.rfind(to)) {
        (Some(a), Some(b)) if a + from.len() <= b => format!("{}…{}", &name[..a + from.len()], &name[b..]),
        _ => name.to_owned(),
    };
    let name = dotted("top limb has ", " bits", name);
    let name = ["begins a run", "along a run", "begins", "adds a run"].iter().fold(name, |name, end| {
        if name.ends_with(end) { dotted("projection over ", &format!(" {end}"), &name) } else { name }
    });
    let name = dotted("horner: next = acc·", " + value", &name);
    let name = dotted("sum: begins with ", "·value", &name);
    let name = dotted("sum: next = acc + ", "·value", &name);
    // `w'0: …` of the update is written `w'i: …`.
    match name.split_once(": ") {
        Some((lane, rest)) if lane.ends_with(|c: char| c.is_ascii_digit()) => {
            format!("{}i: {rest}", lane.trim_end_matches(|c: char| c.is_ascii_digit()))
        }
        _ => name,
    }
}
