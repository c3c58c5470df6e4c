//! Cost over parameters as SVG: one logarithmic panel each for time, memory and proof bytes of a step.

use super::document::{Measured, Results, ResultsError};
use super::figures::{Figure, memory, proof_bytes, proving};
use super::peers::{Peers, System};
use crate::machine::Commit;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// One panel: its title, what a tick's 1 is in the figure's unit, the ticks' unit, and the figure, of a preset and of a step that was
/// proven beside others.
struct Panel {
    title: &'static str,
    scale: f64,
    unit: &'static str,
    figure: fn(&Measured) -> Figure,
    of_system: fn(&System) -> Option<f64>,
}

const PANELS: [Panel; 3] = [
    Panel { title: "Proving a step", scale: 1.0, unit: "s", figure: proving, of_system: System::median_seconds },
    Panel {
        title: "Peak memory",
        scale: 1_073_741_824.0,
        unit: "GiB",
        figure: memory,
        of_system: |system| Some(system.peak_memory? as f64),
    },
    Panel {
        title: "Proofs of a step",
        scale: 1024.0,
        unit: "KiB",
        figure: proof_bytes,
        of_system: |system| Some(system.proof_bytes as f64),
    },
];

/// Points of one kind: parameters, figure, label.
struct Series {
    colour: RGBColor,
    /// Where figures, to the left, and labels, to the right of their points stand.
    sides: (VPos, VPos),
    points: Vec<(f64, f64, String)>,
}

impl Series {
    fn new(colour: RGBColor, sides: (VPos, VPos), points: impl Iterator<Item = (usize, Option<f64>, String)>) -> Self {
        let known = points.filter_map(|(x, y, label)| Some((x as f64, y?, label)));
        let mut points: Vec<_> = known.filter(|(x, y, _)| *x > 0.0 && *y > 0.0).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Series { colour, sides, points }
    }
}

/// Width and height in pixels.
const SIZE: (u32, u32) = (1080, 380);
/// Height of a second line below.
const NOTE: u32 = 22;
/// On white, in light and dark surroundings and on paper.
const INK: RGBColor = RGBColor(0x1b, 0x1f, 0x24);
const FAINT: RGBColor = RGBColor(0xd8, 0xde, 0xe4);
const LINE: RGBColor = RGBColor(0x09, 0x69, 0xda);
const MLP: RGBColor = RGBColor(0x1a, 0x7f, 0x37);
const EZKL: RGBColor = RGBColor(0xbc, 0x4c, 0x00);
const FONT: &str = "Helvetica, Arial, sans-serif";

/// The plot; with the MLP's step, here and with EZKL, if it was measured.
pub fn plot(results: &Results, peers: Option<&Peers>) -> Result<String, ResultsError> {
    let mut svg = String::new();
    draw(&mut svg, results, peers).map_err(|e| ResultsError::Plot(e.to_string()))?;
    Ok(svg)
}

fn draw(svg: &mut String, results: &Results, peers: Option<&Peers>) -> Result<(), Box<dyn std::error::Error>> {
    let root =
        SVGBackend::with_string(svg, (SIZE.0, SIZE.1 + if peers.is_some() { NOTE } else { 0 })).into_drawing_area();
    root.fill(&WHITE)?;
    let (above, below) = root.split_vertically(SIZE.1 as i32 - 30);
    let of_commit = |commit: &Option<Commit>| commit.as_ref().map_or("unknown".into(), ToString::to_string);
    let caption =
        format!("{}; {}; commit {}; {}", results.setting, results.machine, of_commit(&results.commit), results.date);
    let note = peers.map(|of| format!("{}; {}; commit {}; {}", of.setting, of.machine, of_commit(&of.commit), of.date));
    for (line, y) in [caption].into_iter().chain(note).zip([6, 6 + NOTE as i32]) {
        below.draw(&Text::new(line.replace('`', ""), (16, y), (FONT, 15).into_font().color(&INK)))?;
    }
    let steps = || peers.iter().flat_map(|peers| &peers.steps);
    for (panel, area) in PANELS.iter().zip(above.split_evenly((1, PANELS.len()))) {
        let presets = results.presets.iter().map(|of| (of.parameters, (panel.figure)(of).median(), of.preset.clone()));
        let ours = steps().map(|step| (step.parameters, (panel.of_system)(&step.ours), "MLP".to_owned()));
        let theirs = steps()
            .filter_map(|step| Some((step.parameters, (panel.of_system)(step.ezkl.as_ref()?), "MLP, EZKL".into())));
        // Where a line that rises leaves room; above and below where two points are near each other.
        let (above, below) = (VPos::Bottom, VPos::Top);
        let mut series = [
            Series::new(LINE, (above, below), presets),
            Series::new(MLP, (above, above), ours),
            Series::new(EZKL, (below, below), theirs),
        ];
        series.iter_mut().flat_map(|series| &mut series.points).for_each(|(_, y, _)| *y /= panel.scale);
        draw_panel(&area, panel, &series)?;
    }
    root.present()?;
    Ok(())
}

fn draw_panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    panel: &Panel,
    series: &[Series],
) -> Result<(), Box<dyn std::error::Error>> {
    let text = |size: u32| (FONT, size).into_font().color(&INK);
    let points = || series.iter().flat_map(|series| &series.points);
    let (xs, ys) = (decades(points().map(|p| p.0)), decades(points().map(|p| p.1)));
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{} ({})", panel.title, panel.unit), text(20))
        .margin(12)
        .margin_right(28)
        .x_label_area_size(48)
        .y_label_area_size(52)
        .build_cartesian_2d(xs.log_scale(), ys.log_scale())?;
    chart
        .configure_mesh()
        .x_desc("parameters")
        .x_labels(5)
        .y_labels(5)
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|y| short(*y))
        .label_style(text(15))
        .axis_style(INK)
        .bold_line_style(FAINT)
        .light_line_style(TRANSPARENT)
        .draw()?;
    let beside = |x: i32, side: VPos| (x, if matches!(side, VPos::Bottom) { -3 } else { 4 });
    for &Series { colour, sides: (of_value, of_label), ref points } in series {
        chart.draw_series(LineSeries::new(points.iter().map(|&(x, y, _)| (x, y)), colour.stroke_width(2)))?;
        let style = |h, v| text(15).pos(Pos::new(h, v));
        chart.draw_series(points.iter().map(|(x, y, label)| {
            EmptyElement::at((*x, *y))
                + Circle::new((0, 0), 4, colour.filled())
                + Text::new(value(*y), beside(-5, of_value), style(HPos::Right, of_value))
                + Text::new(label.clone(), beside(6, of_label), style(HPos::Left, of_label))
        }))?;
    }
    Ok(())
}

/// From a power of ten to another that has all values within, and their labels.
fn decades(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let logs: Vec<f64> = values.map(f64::log10).collect();
    let (least, most) = logs.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(*x), b.max(*x)));
    if least > most {
        return 1.0..10.0;
    }
    let power = |exponent: f64| 10f64.powi(exponent as i32);
    power((least - 0.2).floor())..power((most + 0.2).ceil())
}

/// A power of ten.
fn short(x: f64) -> String {
    match x {
        x if x >= 1e6 => format!("{} M", x / 1e6),
        x if x >= 1e4 => format!("{} k", x / 1e3),
        x => format!("{x}"),
    }
}

/// Three digits.
fn value(x: f64) -> String {
    let decimals = (2.0 - x.log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{x:.decimals$}")
}
