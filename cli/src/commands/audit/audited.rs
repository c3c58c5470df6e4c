//! What an audit says of one circuit: what a page shows, and what a machine is told.

use audit::{Findings, Report};
use circuits::ops::readmes::readmes;
use circuits::segments::Wire;
use plonkish::{Margins, Roles};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What an audit says of one circuit, to machines and on its page.
#[derive(Serialize)]
pub struct Audited {
    /// Its name.
    pub circuit: &'static str,
    /// What the configuration was called.
    pub model: String,
    /// Version of the circuits.
    pub circuit_version: u32,
    /// Of public or of private runs.
    pub kind: String,
    /// What it is made of.
    pub report: Report,
    /// Rows of blinding factors.
    pub blinding_rows: usize,
    /// Length of a proof of one instance.
    pub proof_bytes: usize,
    /// Of the verifying key.
    pub key_digest: String,
    /// How far constraints stay from the field's size.
    pub margins: Margins,
    /// Public values of an instance, after the challenges.
    pub publics: usize,
    /// What enters, what is claimed, what is free.
    pub roles: Roles,
    /// What its ports are wired to.
    pub wires: Vec<Wire>,
    /// What documents its ops.
    pub readmes: Vec<ReadmeOf>,
    /// What a search found, if there was one.
    #[serde(rename = "forge", skip_serializing_if = "Option::is_none")]
    pub findings: Option<Findings>,
    /// How the search's cells were drawn; none if it tried all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
}

/// What says which constraints ops have, and why they suffice.
#[derive(Serialize)]
pub struct ReadmeOf {
    /// From the root of the repository.
    pub path: &'static str,
    /// The ops.
    pub ops: Vec<String>,
    /// Markdown; empty for what is no README.
    pub text: &'static str,
}

impl ReadmeOf {
    /// Those of the ops of a circuit, by path.
    pub fn all(report: &Report) -> Vec<ReadmeOf> {
        let ops: BTreeSet<&String> = report.gates.iter().map(|gate| &gate.op).chain(report.ops.keys()).collect();
        let mut found: BTreeMap<&str, ReadmeOf> = BTreeMap::new();
        for op in ops {
            for readme in readmes(op) {
                let of = || ReadmeOf { path: readme.path, ops: vec![], text: readme.text };
                found.entry(readme.path).or_insert_with(of).ops.push(op.clone());
            }
        }
        found.into_values().collect()
    }
}

/// A sample of cells.
#[derive(Serialize)]
pub struct Sample {
    /// How many.
    pub cells: usize,
    /// What they were drawn with.
    pub seed: u64,
}
