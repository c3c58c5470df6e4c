use super::*;
use crate::commands::audit::tests::audited;
use audit::Report;
use audit::columns::{ColumnReport, OwnedReport};
use audit::rows::Run;
use backend::curve::F;
use plonkish::{Builder, Kind};

#[test]
fn names_bring_no_markup() {
    let mut b = Builder::<F>::new(8);
    let block = b.block("<script>", 4);
    let x = b.column(block, Kind::Limb, "x & <i>y");
    b.gate(block, "\"a\" < b", x.cur() * x.at(1), 0..3);
    let (plan, _) = b.compile_filled();
    let page = page(&audited(Report::of(&plan), None));
    assert!(!page.contains("<script") && !page.contains("<i>y"));
    for text in [
        "&lt;script&gt;",
        "&quot;a&quot; &lt; b",
        "<i>x &amp; &lt;i&gt;y</i>·<i>x &amp; &lt;i&gt;y</i><sub>next</sub> = 0",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn what_stands_above_the_line_ends_with_the_number() {
    assert_eq!(powers("2^36 + 11·2^4·").into_string(), "2<sup>36</sup> + 11·2<sup>4</sup>·");
    assert_eq!(powers(" = 7").into_string(), " = 7");
}

fn owned(op: &str, block: Option<usize>, (first, count, step): (usize, usize, usize)) -> OwnedReport {
    let rows = Run { first, count, step, times: 1, every: 0 };
    OwnedReport { op: op.into(), column: "x".into(), block, rows, ranges: vec![] }
}

/// Columns of a block that take turns are one area; so are those of neighbours, but not across a column without them.
#[test]
fn areas_are_as_large_as_blocks() {
    let column = |owned| ColumnReport { name: "limb 0".into(), kind: "limb".into(), copied: false, cells: 0, owned };
    let (first, second) = (owned("a", Some(3), (0, 10, 2)), owned("a", Some(3), (1, 10, 2)));
    let below = owned("b", None, (50, 4, 1));
    let both = column(vec![first.clone(), second.clone(), below.clone()]);
    let columns = [both.clone(), column(vec![first, second]), column(vec![below]), both];
    let found = grid::areas(&columns.iter().collect::<Vec<_>>());
    let found: Vec<_> = found.into_iter().map(|area| (area.op, area.rows, area.columns)).collect();
    let expected = [("a", (0, 20), (0, 2)), ("a", (0, 20), (3, 4)), ("b", (50, 54), (0, 1)), ("b", (50, 54), (2, 4))];
    assert_eq!(found, expected.map(|(op, rows, columns)| (op.to_owned(), rows, columns)));
}
