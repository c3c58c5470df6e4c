//! The READMEs of ops and gadgets name every constraint, with its degree.
#![cfg(feature = "proofs")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{head_segment, layer_segment, update_segment};
use std::collections::BTreeMap;

use circuits::{
    model::{Config, Spec, State, sequence_gradient},
    ops::{
        readmes::{Readme, readmes},
        sgd::Hyper,
    },
};

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

#[test]
fn every_constraint_is_documented() {
    let mut gates: BTreeMap<(String, String), usize> = BTreeMap::new();
    for config in [Config::NANO, Config::NANO.untied()] {
        let spec = Spec::new(config);
        let state = State::init(&spec.config, 7);
        let sequence: Vec<u8> = (0..=spec.config.context as u8).collect();
        let trace = sequence_gradient(&spec, &state.w, &sequence).unwrap();
        let hyper = Hyper { lambda: 1 << 28, mu: 1 << 35, omega: 1 };
        let segments = [
            layer_segment(&spec, 12, &state.w, &trace),
            head_segment(&spec, 12, &state.w, &trace),
            update_segment(12, &hyper, &std::array::from_fn(|_| vec![])),
        ];
        for gate in segments.iter().flat_map(|s| &s.plan.gates) {
            let (op, name) = gate.name.split_once(": ").expect("op and name");
            if op != "lookup" {
                let degree = gates.entry((op.to_owned(), plain(name))).or_default();
                *degree = (*degree).max(gate.poly.degree() + 1);
            }
        }
    }
    let mut missing = vec![];
    for ((op, name), degree) in &gates {
        // Divisions carry the name of what they divide before that of the constraint.
        let tail = name.split_once("i: ").map_or(name.as_str(), |(_, tail)| tail);
        let spelled = |text: &str| text.contains(&format!("`{name}`")) || text.contains(&format!("`{tail}`"));
        let found = readmes(op).iter().flat_map(rows).any(|(degrees, text)| spelled(text) && degrees.contains(degree));
        let segment = op == "residual" && name == "x out is the rounded sum";
        if !found && !segment {
            missing.push(format!("{op}: {name}, degree {degree}"));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
