//! What is declared of a circuit, and what a search for free cells covered.

use crate::commands::audit::audited::Audited;
use audit::Findings;
use maud::{Markup, html};

/// Declared ranges, and what is free by design.
pub fn declared(audited: &Audited) -> Markup {
    html! {
        p.note {
            "Ranges that an op declares because no table and no gate alone shows them, with the reason. Those shown by a gate or by an equation \
             between projections are checked when a key is made; those from outside are shown by whoever wrote the port or computes the value."
        }
        table {
            thead { tr { th { "op" } th { "column" } th { "range" } th { "because" } } }
            tbody {
                @for range in &audited.report.declared {
                    tr { td { (range.op) } td { (range.column) } td { (range.range) } td { (range.because) } }
                }
            }
        }
        h3 { "Free by design" }
        @if audited.roles.free.is_empty() { p { "Nothing: the ports and public values given determine every cell." } }
        @else {
            table {
                thead { tr { th { "ops" } th { "column" } th { "changes along" } th { "because" } } }
                tbody {
                    @for free in audited.roles.free {
                        tr {
                            td { (free.ops.join(", ")) }
                            td { (free.column) }
                            td { (free.along.join(", ")) }
                            td { (free.reason) }
                        }
                    }
                }
            }
        }
    }
}

/// What the search covered and found, or that there was none.
pub fn search(audited: &Audited) -> Markup {
    let Some(findings) = &audited.findings else {
        return html! { p { "Not run: " code { "audit --forge --html" } " puts here what a search covered and found." } };
    };
    html! {
        p.note {
            "Each cell tried is changed in several ways, what breaks is mended where a solver finds a way, phase 2 is computed anew, and some \
             constraint must notice."
        }
        table.facts {
            tr { th { "verdict" } td { (verdict(findings)) } }
            tr {
                th { "cells" }
                td {
                    (findings.tried) " tried of " (findings.cells)
                    @if let Some(sample) = &audited.sample { ": " (sample.cells) " wanted, drawn with seed " (sample.seed) }
                }
            }
            tr { th { "changes" } td { (findings.changes) ", and " (findings.moves) " moves to mend them" } }
            tr { th { "unnoticed, but declared free" } td { (findings.declared) } }
            tr { th { "idle cells, not tried" } td { (findings.idle) } }
            tr { th { "port cells that must be zero" } td { (findings.zero) } }
        }
        (holes(findings))
        table {
            thead { tr { th { "op" } th.n { "cells" } th.n { "tried" } } }
            tbody {
                @for (op, covered) in &findings.ops {
                    tr { td { (op) } td.n { (covered.cells) } td.n { (covered.tried) } }
                }
            }
        }
        table {
            thead { tr { th { "constraint" } th.n { "changes noticed" } } }
            tbody {
                @for (name, count) in &findings.caught { tr { td { (name) } td.n { (count) } } }
            }
        }
        @if !findings.inert.is_empty() {
            table {
                thead { tr { th { "given cells that decide nothing in this witness" } th.n { "cells" } } }
                tbody {
                    @for (name, count) in &findings.inert { tr { td { (name) } td.n { (count) } } }
                }
            }
        }
    }
}

fn verdict(findings: &Findings) -> Markup {
    match findings.holes() {
        0 => html! { "no unconstrained cell found" },
        holes => html! { span.hole { "NOT CLEAN: " (holes) " found" } },
    }
}

fn holes(findings: &Findings) -> Markup {
    html! {
        @for unnoticed in &findings.unnoticed {
            p.hole {
                "Unnoticed: " (unnoticed.cell) ", row " (unnoticed.row) ", " (unnoticed.change) "; with " (unnoticed.with.join("; "))
                @if let Some(downstream) = &unnoticed.downstream { "; an adversary computes on from " (downstream) }
            }
        }
        @for cell in &findings.undetermined { p.hole { "Undetermined in phase 2: " (cell) } }
        @for row in &findings.unread_publics { p.hole { "Instance row " (row) " is read by no cell" } }
        @if !findings.lookups_hold { p.hole { "A value outside every table passes" } }
    }
}
