//! What a circuit has to do with others: ports, wires, the instance, and the tables that it looks up in.

use crate::commands::audit::audited::Audited;
use audit::Report;
use maud::{Markup, html};

/// Ports with their wires, and the instance.
pub fn ports(audited: &Audited) -> Markup {
    let Audited { report, roles, wires, .. } = audited;
    let given = |port: usize| {
        let of_port = roles.inputs.iter().filter(|input| input.0 == port);
        let names: Vec<String> = of_port
            .map(|(_, prefix)| if prefix.is_empty() { "all".to_owned() } else { format!("columns {prefix}…") })
            .collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    html! {
        p.note {
            "A port is a number of whole columns, whose commitments a verifier compares with those at the other end of the wire "
            a href="docs/protocol.md#2-segments-and-wires" { "(docs/protocol.md, section 2)" }
            ". A canonical port has blinding rows 0 and blind 1, so that anyone can compute its commitments; a secret one is blinded. What is \
             given comes from outside; all other cells are to be determined by it."
        }
        table {
            thead {
                tr { th { "port" } th.n { "columns" } th.n { "cells of data" } th { "blinding" } th { "given" } th { "wired to" } }
            }
            tbody {
                @for (i, port) in report.ports.iter().enumerate() {
                    tr {
                        td { (port.name) }
                        td.n { (port.columns) }
                        td.n { (port.data) }
                        td { (port.blinding) }
                        td { (given(i)) }
                        td {
                            @for (i, wire) in wires.iter().filter(|wire| wire.port == i).enumerate() {
                                @if i > 0 { "; " }
                                @if let Some(of) = wire.of { "of " (of) ": " }
                                (wire.equals)
                            }
                        }
                    }
                }
            }
        }
        h3 { "Instance" }
        p.note {
            "The instance holds the challenges, drawn after phase 1, then public values, then the context, which binds a proof to its \
             place and which no cell reads. Values that gates read on every row have instance columns of their own, which the verifier makes."
        }
        table {
            thead { tr { th.n { "row" } th { "holds" } th { "cell" } th.n { "its row" } } }
            tbody {
                @for public in &report.instance {
                    tr {
                        td.n { (public.instance) }
                        td {
                            @if roles.results.contains(&public.instance) { "public value, a result" } @else { "public value, given" }
                        }
                        td { (public.cell) }
                        td.n { (public.row) }
                    }
                }
                @for uniform in &report.uniform {
                    tr {
                        td.n { (uniform.instance) }
                        td {
                            @match uniform.challenge {
                                Some(challenge) => { "challenge " (challenge) }
                                None => "public value, given"
                            }
                        }
                        td { (uniform.name) " (instance column " (uniform.column) ")" }
                        td.n { "all" }
                    }
                }
            }
        }
    }
}

/// Tables, who looks up in them, and the columns of the argument.
pub fn lookups(report: &Report) -> Markup {
    let lookups = &report.lookups;
    html! {
        p.note {
            (report.limb_lanes) " limbs (columns of them, and sums that no column holds) and " (report.pair_lanes) " of pairs are looked up on every usable row, "
            (report.lookup_terms) " terms in all. The running sum of helpers, less what the tables give, in " i { (lookups.running) }
            ", begins and ends at zero. Table 0 is the range of a limb; a pair on a row that names no table is (x, 0) in table 0."
        }
        table.long {
            thead { tr { th.n { "table" } th.n { "entries" } th { "cells that are looked up" } } }
            tbody {
                @for (tag, table) in &lookups.tables {
                    tr {
                        td.n { (tag) }
                        td.n { (table.entries) }
                        td {
                            @for (i, (name, cells)) in table.looked_up.iter().enumerate() {
                                @if i > 0 { "; " }
                                (name) " (" (cells) ")"
                            }
                        }
                    }
                }
            }
        }
        table {
            thead { tr { th { "table columns: tag, x, y" } th { "multiplicities" } th { "quotient" } } }
            tbody {
                @for part in &lookups.columns {
                    tr { td { (part.fixed.join(", ")) } td { (part.multiplicity) } td { (part.quotient.as_deref().unwrap_or("in the running sum")) } }
                }
            }
        }
        table {
            thead { tr { th { "helper" } th { "slots" } } }
            tbody {
                @for helper in &lookups.helpers {
                    tr {
                        td { (helper.column) }
                        td {
                            @for (i, slot) in helper.slots.iter().enumerate() {
                                @if i > 0 { "; " }
                                @match &slot[..] {
                                    [x] => (x)
                                    slot => { "(" (slot.join(", ")) ")" }
                                }
                            }
                            @for (i, limb) in helper.implied.iter().enumerate() {
                                @if i > 0 || !helper.slots.is_empty() { "; " }
                                (limb)
                            }
                        }
                    }
                }
            }
        }
    }
}
