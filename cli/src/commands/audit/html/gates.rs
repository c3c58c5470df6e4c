//! The gates of a circuit, op by op.

use super::{Legend, equation};
use crate::commands::audit::audited::Audited;
use crate::format::plural;
use audit::gates::{EquationReport, GateReport, Line};
use maud::{Markup, html};
use plonkish::Role;
use std::collections::BTreeMap;

/// All of them, and what must be equal.
pub fn all(audited: &Audited, legend: &Legend) -> Markup {
    let mut ops: BTreeMap<&str, Vec<&GateReport>> = BTreeMap::new();
    for gate in &audited.report.gates {
        ops.entry(&gate.op).or_default().push(gate);
    }
    // Ops without gates of their own are checked by equal projections.
    for op in audited.report.ops.keys() {
        ops.entry(op).or_default();
    }
    html! {
        p.note {
            "An equation holds on each of the rows named, which are rows of the grid. Cells have the names that their op gives them: "
            i { "x" } sub { "next" } " and " i { "x" } sub { "prev" } " stand a row of the op below and above, "
            i { "x" } sub { "−8" } " eight above; " i { "x.[0..3]" } " is the integer of limbs 0 to 3, " i { "x.0" } " + 2^12·" i { "x.1" }
            " + 2^24·" i { "x.2" } " + 2^36·" i { "x.3" } ". Numbers are integers modulo the field's size. The degree counts the selector, \
             which has a higher one where selectors share a column. Where there are several polynomials, they say the same of other columns of \
             the grid."
        }
        @for (op, gates) in &ops {
            section.op-gates {
                h3 { (legend.mark(op)) " " (op) }
                p.note {
                    @if let Some(cells) = audited.report.ops.get(*op) { (plural(*cells as u64, "advice cell")) ". " }
                    @for readme in audited.readmes.iter().filter(|readme| readme.ops.iter().any(|of| of == op)) {
                        a href=(readme.path) { (readme.path) } " "
                    }
                }
                @if gates.is_empty() { p { "No gates: its cells are constrained by others, and by equal projections." } }
                @else { (table(gates, audited)) }
            }
        }
        (equal(audited))
    }
}

fn table(gates: &[&GateReport], audited: &Audited) -> Markup {
    let findings = audited.findings.as_ref();
    html! {
        table {
            thead {
                tr {
                    th { "constraint" } th { "equation" } th.n { "degree" } th { "rows" } th { "stated in" }
                    @if findings.is_some() { th.n { "noticed" } }
                }
            }
            tbody {
                @for gate in gates {
                    @for (i, equation) in gate.equations.iter().enumerate() {
                        tr {
                            td {
                                @if i == 0 {
                                    (gate.name.strip_prefix(&format!("{}: ", gate.op)).unwrap_or(&gate.name))
                                    @if let Some(role) = role(gate.role) { " (" (role) ")" }
                                }
                            }
                            (cells(equation))
                            @if let Some(findings) = findings {
                                td.n { @if i == 0 { (findings.caught.get(&gate.name).copied().unwrap_or_default()) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cells(of: &EquationReport) -> Markup {
    html! {
        td { (equation(&of.equation)) }
        td.n { (of.degree) }
        td { (rows(of)) }
        td.line { @for (i, line) in of.stated.iter().enumerate() { @if i > 0 { ", " } (link(line)) } }
    }
}

/// How many, and which.
fn rows(of: &EquationReport) -> String {
    let of_each = |rows: &audit::gates::RowsReport| {
        let runs: Vec<String> = rows.runs.iter().map(ToString::to_string).collect();
        let times = if rows.polynomials > 1 { format!(" × {} polynomials", rows.polynomials) } else { String::new() };
        let count: usize = rows.runs.iter().map(|run| run.count * run.times).sum();
        format!("{count}: {}{times}", runs.join(", "))
    };
    of.rows.iter().map(of_each).collect::<Vec<_>>().join("; ")
}

fn link(line: &Line) -> Markup {
    html! {
        a href={ (line.file) "#L" (line.line) } {
            // Where a long path may be broken.
            @for (i, part) in line.file.split('/').enumerate() { @if i > 0 { "/" wbr; } (part) }
            ":" (line.line)
        }
    }
}

/// What a gate is for, if it is not an equation of integers.
fn role(role: Role) -> Option<&'static str> {
    match role {
        Role::Phase1 => None,
        Role::Projection => Some("phase 2"),
        Role::Lookup => Some("lookup"),
    }
}

fn equal(audited: &Audited) -> Markup {
    html! {
        h3 { "Equal cells" }
        table {
            thead { tr { th { "cell" } th { "equals" } th.n { "pairs" } } }
            tbody {
                @for copy in &audited.report.equal {
                    tr { td { (copy.left) } td { (copy.right) } td.n { (copy.pairs) } }
                }
            }
        }
    }
}
