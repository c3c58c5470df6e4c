//! The page of a circuit: what an auditor reads, on a screen or on paper. It needs no script and nothing from elsewhere; links are
//! relative to the root of the repository.

mod gates;
mod grid;
mod ports;
mod readme;
mod search;

use super::audited::Audited;
use crate::format::{bytes, plural};
use audit::equation::{Equation, Token};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use plonkish::Margin;
use std::collections::BTreeMap;

const STYLE: &str = include_str!("html/style.css");

/// The page.
pub fn page(audited: &Audited) -> String {
    let Audited { circuit, model, report, .. } = audited;
    let legend = Legend::of(audited);
    let title = format!("{circuit} circuit, {model}");
    let sections = [
        ("grid", "Grid", html! { (legend.markup()) (grid::bands(report, &legend)) }),
        ("columns", "Columns", grid::columns(report, &legend)),
        ("gates", "Gates", gates::all(audited, &legend)),
        ("ports", "Ports, wires, instance", ports::ports(audited)),
        ("lookups", "Lookups", ports::lookups(report)),
        ("declared", "Declared and free", search::declared(audited)),
        ("search", "Search for free cells", search::search(audited)),
        ("readmes", "READMEs", readme::all(&audited.readmes)),
    ];
    let contents = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "GradientCoin: " (title) }
                style { (PreEscaped(STYLE)) (legend.style()) }
            }
            body {
                h1 { "GradientCoin: " (title) }
                nav {
                    @for (id, name, _) in &sections {
                        a href={ "#" (id) } { (name) } " "
                    }
                }
                (summary(audited))
                @for (id, name, content) in sections {
                    section id=(id) { h2 { (name) } (content) }
                }
            }
        }
    };
    contents.into_string() + "\n"
}

fn summary(audited: &Audited) -> Markup {
    let Audited { report, margins, .. } = audited;
    let margin = |margin: &Margin| format!("{} bits ({})", margin.bits, margin.place);
    let rows = [
        ("circuit version", audited.circuit_version.to_string()),
        ("of runs that are", audited.kind.clone()),
        ("key", audited.key_digest.clone()),
        (
            "rows",
            format!(
                "2^{}; {} usable, {} reserved, {} of them for blinding",
                report.k, report.usable_rows, report.reserved_rows, audited.blinding_rows
            ),
        ),
        (
            "columns",
            format!(
                "{} advice (phase 1: {}, phase 2: {}), {} fixed; {} copied",
                report.phase1_columns + report.phase2_columns,
                report.phase1_columns,
                report.phase2_columns,
                report.fixed_columns,
                report.copied_columns
            ),
        ),
        (
            "gates",
            format!(
                "{} names, {} polynomials, degree at most {}",
                report.gates.len(),
                report.gates.iter().map(|gate| gate.polynomials).sum::<usize>(),
                report.degree
            ),
        ),
        ("copies", plural(report.copies as u64, "pair") + " of equal cells"),
        ("public values", plural(audited.publics as u64, "value") + " after the challenges, the context last"),
        ("proof of one instance", bytes(audited.proof_bytes as u64)),
        ("largest value of a constraint", margin(&margins.constraint)),
        (
            "largest coefficient",
            format!("{}, of {} equations between projections", margin(&margins.coefficient), margins.equations),
        ),
    ];
    html! {
        table.facts {
            @for (name, value) in rows {
                tr { th { (name) } td { (value) } }
            }
        }
    }
}

/// An equation, cells in italics; the row of a cell stands below it, if it is another.
fn equation(equation: &Equation) -> Markup {
    html! {
        span.equation {
            @for token in &equation.0 {
                @match token {
                    Token::Text(text) => (powers(text)),
                    Token::Cell(cell) => {
                        i {
                            (cell.name)
                            @if let Some((first, last)) = cell.limbs { ".[" (first) ".." (last) "]" }
                        }
                        @match cell.below {
                            0 => {}
                            1 => sub { "next" }
                            -1 => sub { "prev" }
                            below => sub { (format!("{below:+}").replace('-', "−")) }
                        }
                    }
                }
            }
        }
    }
}

/// Numbers and signs, what follows a `^` above the line.
fn powers(text: &str) -> Markup {
    let mut parts = text.split('^');
    html! {
        (parts.next().unwrap_or_default())
        @for part in parts {
            @let (exponent, rest) = part.split_at(part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len()));
            sup { (exponent) } (rest)
        }
    }
}

/// The ops of a circuit, each with a number and a colour.
struct Legend(BTreeMap<String, usize>);

impl Legend {
    fn of(audited: &Audited) -> Self {
        let report = &audited.report;
        let owned = report.columns.iter().chain(&report.fixed).flat_map(|column| &column.owned);
        let mut ops: BTreeMap<String, usize> = owned
            .map(|owned| &owned.op)
            .chain(report.gates.iter().map(|gate| &gate.op))
            .map(|op| (op.clone(), 0))
            .collect();
        (1..).zip(ops.values_mut()).for_each(|(i, number)| *number = i);
        Legend(ops)
    }

    fn number(&self, op: &str) -> usize {
        self.0.get(op).copied().unwrap_or_default()
    }

    /// All differ in hue; neighbours also in lightness, which is what paper may show.
    fn style(&self) -> String {
        self.0.values().fold(String::new(), |style, i| {
            let (hue, lightness) = (i * 360 / self.0.len(), [64, 82, 73][i % 3]);
            style + &format!(".o{i}{{fill:hsl({hue},65%,{lightness}%);background:hsl({hue},65%,{lightness}%)}}")
        })
    }

    /// The number of an op on its colour.
    fn mark(&self, op: &str) -> Markup {
        let number = self.number(op);
        html! { span class={ "op o" (number) } { (number) } }
    }

    fn markup(&self) -> Markup {
        html! {
            p.legend {
                @for op in self.0.keys() {
                    span.entry { (self.mark(op)) " " (op) } " "
                }
            }
        }
    }
}

/// A share of a whole, in percent.
fn percent(part: usize, whole: usize) -> String {
    format!("{:.1}", 100.0 * part as f64 / whole.max(1) as f64)
}

#[cfg(test)]
mod tests;
