//! The grid: whose cells are where, and how full each column is.

use super::{Legend, percent};
use audit::Report;
use audit::columns::{ColumnReport, OwnedReport};
use maud::{Markup, html};
use plonkish::Basis;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Columns side by side in a band: more do not fit a page.
const BAND: usize = 96;
/// Width of a column.
const WIDTH: usize = 11;
/// Height of all rows: each unit stands for several.
const HEIGHT: usize = 256;
/// Where the columns begin, the rows, and how high the bars of their fill are.
const LEFT: usize = 30;
const TOP: usize = 12;
const BAR: usize = 30;
/// Height of the percentages.
const PERCENT: usize = 24;

/// The columns of each kind, drawn.
pub fn bands(report: &Report, legend: &Legend) -> Markup {
    let rows = 1 << report.k;
    html! {
        p.note {
            "Columns stand side by side by kind, rows run downwards. A rectangle is where a block of the op of this number stands; columns of a \
             block that share a column of the grid, each on its own rows, are one. White is padding. Below each column is how much of its \
             usable rows is in use, in percent. Columns of the lookup argument are in use on all rows; of selectors, tags \
             and the like, what is not zero is."
        }
        @for (kind, columns) in kinds(report) {
            @for (i, band) in columns.chunks(BAND).enumerate() {
                @let first = i * BAND;
                figure {
                    figcaption {
                        (kind) " "
                        @if band.len() == columns.len() { "(" (band.len()) ")" }
                        @else { (first) "–" (first + band.len() - 1) " of " (columns.len()) }
                    }
                    (draw(band, first, (rows, report.usable_rows), legend))
                }
            }
        }
    }
}

/// Advice columns by kind, then fixed ones, each in their order.
fn kinds(report: &Report) -> Vec<(String, Vec<&ColumnReport>)> {
    let mut kinds: Vec<(String, Vec<&ColumnReport>)> = vec![];
    let advice = report.columns.iter().map(|column| (column.kind.clone(), column));
    let fixed = report.fixed.iter().map(|column| (format!("fixed: {}", column.kind), column));
    for (kind, column) in advice.chain(fixed) {
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, columns)) => columns.push(column),
            None => kinds.push((kind, vec![column])),
        }
    }
    kinds
}

/// A rectangle of cells of one op.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Area {
    pub op: String,
    pub block: Option<usize>,
    /// First row, and the one after the last.
    pub rows: (usize, usize),
    /// First column, and the one after the last.
    pub columns: (usize, usize),
}

/// What stands in neighbouring columns, as rectangles.
pub fn areas(columns: &[&ColumnReport]) -> Vec<Area> {
    let (mut done, mut open): (Vec<Area>, Vec<Area>) = (vec![], vec![]);
    for (i, column) in columns.iter().enumerate() {
        let mut here: Vec<Area> = vec![];
        for OwnedReport { op, block, rows, .. } in &column.owned {
            let of_block = |area: &&mut Area| area.block.is_some() && area.block == *block;
            match here.iter_mut().find(of_block) {
                Some(area) => area.rows = (area.rows.0.min(rows.first), area.rows.1.max(rows.end())),
                None => {
                    let rows = (rows.first, rows.end());
                    here.push(Area { op: op.clone(), block: *block, rows, columns: (i, i + 1) });
                }
            }
        }
        for area in &mut here {
            let is_same = |other: &Area| (&other.op, other.block, other.rows) == (&area.op, area.block, area.rows);
            if let Some(before) = open.iter().position(is_same) {
                area.columns.0 = open.swap_remove(before).columns.0;
            }
        }
        done.append(&mut open);
        open = here;
    }
    done.append(&mut open);
    done.sort();
    done
}

/// Columns from number `first` of their kind on.
fn draw(columns: &[&ColumnReport], first: usize, (rows, usable): (usize, usize), legend: &Legend) -> Markup {
    let (width, height) = (LEFT + columns.len() * WIDTH + 4, TOP + HEIGHT + 2 + BAR + PERCENT);
    let (at, scaled) = (|column: usize| LEFT + column * WIDTH, |row: usize| TOP + row * HEIGHT / rows);
    let bottom = TOP + HEIGHT + 2 + BAR;
    let mut paths: BTreeMap<&str, String> = BTreeMap::new();
    let mut numbers = vec![];
    let areas = areas(columns);
    for area in &areas {
        let (x, y) = (at(area.columns.0), scaled(area.rows.0));
        let w = (area.columns.1 - area.columns.0) * WIDTH;
        let h = (TOP + (area.rows.1 * HEIGHT).div_ceil(rows) - y).max(1);
        let _ = write!(paths.entry(&area.op).or_default(), "M{x} {y}h{w}v{h}h-{w}z");
        if h > 9 {
            numbers.push((x + w / 2, y + h / 2 + 3, legend.number(&area.op)));
        }
    }
    let mut bars = String::new();
    for (i, column) in columns.iter().enumerate() {
        let h = column.cells * BAR / usable.max(1);
        let _ = write!(bars, "M{} {bottom}h{}v-{h}h-{}z", at(i) + 2, WIDTH - 4, WIDTH - 4);
    }
    html! {
        svg viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height) role="img" {
            rect.frame x=(LEFT) y=(TOP) width=(columns.len() * WIDTH) height=(HEIGHT) {}
            @for (op, path) in &paths {
                path class={ "o" (legend.number(op)) } d=(path) { title { (op) } }
            }
            @for quarter in 0..=4 {
                @let y = TOP + quarter * HEIGHT / 4;
                text x=(LEFT - 3) y=(y + 3) text-anchor="end" { (quarter * rows / 4) }
                path.tick d={ "M" (LEFT) " " (y) "h" (columns.len() * WIDTH) } {}
            }
            @for (x, y, number) in numbers {
                text x=(x) y=(y) text-anchor="middle" { (number) }
            }
            path.fill d=(bars) {}
            @for (i, column) in columns.iter().enumerate() {
                @if (first + i).is_multiple_of(5) {
                    text x=(at(i) + WIDTH / 2) y=(TOP - 3) text-anchor="middle" { (first + i) }
                }
                text transform={ "translate(" (at(i) + 8) " " (bottom + 2) ")rotate(90)" } {
                    (percent(column.cells, usable))
                }
            }
        }
    }
}

/// What each column holds, in words.
pub fn columns(report: &Report, legend: &Legend) -> Markup {
    html! {
        p.note {
            "Names after an op's number are those that the op gives its columns; where several stand in one column of the grid, they take \
             turns. A range is that of the integers in the cells: limbs lie in [0, 2^12). A range in parentheses rests on more than tables, \
             the key and gates over such cells: on an equation that determines the cells (open), on gates over such cells (after open), or \
             on several constraints together (after shown)."
        }
        table {
            thead { tr { th { "column" } th { "copied" } th.n { "cells" } th.n { "fill" } th {} th { "holds" } } }
            tbody {
                @for column in report.columns.iter().chain(&report.fixed) {
                    (row(column, report.usable_rows, legend))
                }
            }
        }
    }
}

fn row(column: &ColumnReport, usable: usize, legend: &Legend) -> Markup {
    let fill = percent(column.cells, usable);
    html! {
        tr {
            td { (column.name) }
            td { @if column.copied { "yes" } }
            td.n { (column.cells) }
            td.n { (fill) " %" }
            td { span.bar { b style={ "width:" (fill) "%" } {} } }
            td {
                @for (i, owned) in of_blocks(&column.owned).into_iter().enumerate() {
                    @if i > 0 { "; " }
                    (legend.mark(&owned[0].op)) " " (names(&owned)) " " (rows(&owned))
                }
            }
        }
    }
}

/// Cells of one block together; without a block, those of one op.
fn of_blocks(owned: &[OwnedReport]) -> Vec<Vec<&OwnedReport>> {
    let mut together: Vec<Vec<&OwnedReport>> = vec![];
    for owned in owned {
        match together.iter_mut().find(|others| (others[0].block, &others[0].op) == (owned.block, &owned.op)) {
            Some(others) => others.push(owned),
            None => together.push(vec![owned]),
        }
    }
    together
}

/// The names of columns, with ranges where they say something.
fn names(owned: &[&OwnedReport]) -> String {
    let name = |owned: &&OwnedReport| {
        let range = |range: &audit::columns::RangeReport| match range.basis {
            Basis::Firm => range.range.clone(),
            Basis::Open => format!("({}, open)", range.range),
            Basis::AfterOpen => format!("({}, after open)", range.range),
            Basis::AfterShown => format!("({}, after shown)", range.range),
        };
        let ranges: Vec<String> = owned.ranges.iter().map(range).filter(|range| range != "2^12").collect();
        let column = if owned.block.is_some() { owned.column.as_str() } else { "" };
        if ranges.is_empty() { column.to_owned() } else { format!("{column} ∈ {}", ranges.join(" or ")) }
    };
    let mut names: Vec<String> = owned.iter().map(name).collect();
    names.dedup();
    names.join(", ")
}

/// Where they stand: of a block, from its first row to its last.
fn rows(owned: &[&OwnedReport]) -> String {
    match owned {
        [first, .., last] if first.block.is_some() => {
            let end = owned.iter().map(|owned| owned.rows.end()).max().unwrap_or(last.rows.end());
            format!("@ {}–{}", first.rows.first, end - 1)
        }
        _ => format!("@ {}", owned.iter().map(|owned| owned.rows.to_string()).collect::<Vec<_>>().join(", ")),
    }
}
