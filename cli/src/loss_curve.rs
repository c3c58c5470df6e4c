//! Loss curves as SVG.

use crate::run_dir::{Evaluation, LogLine};
use plotters::prelude::*;

/// What is drawn of a run.
pub struct Curve {
    /// What it is called.
    pub name: String,
    /// Its steps.
    pub lines: Vec<LogLine>,
    /// Its held-out losses.
    pub evaluations: Vec<Evaluation>,
}

/// Width and height in pixels.
const SIZE: (u32, u32) = (960, 480);
/// On white, in light and dark surroundings and on paper.
const INK: RGBColor = RGBColor(0x1b, 0x1f, 0x24);
const FAINT: RGBColor = RGBColor(0xd8, 0xde, 0xe4);
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x09, 0x69, 0xda),
    RGBColor(0xbc, 0x4c, 0x00),
    RGBColor(0x1a, 0x7f, 0x37),
    RGBColor(0x82, 0x50, 0xdf),
    RGBColor(0xcf, 0x22, 0x2e),
    RGBColor(0x6e, 0x77, 0x81),
];
const FONT: &str = "Helvetica, Arial, sans-serif";
/// Most points of a line.
const POINTS: usize = 2000;

type Failed = Box<dyn std::error::Error>;

/// Training losses as they are and smoothed, each the mean of the last `smooth` steps, and held-out losses as points.
pub fn draw(curves: &[Curve], smooth: usize) -> Result<String, Failed> {
    let mut svg = String::new();
    draw_into(&mut svg, curves, smooth)?;
    Ok(svg)
}

fn draw_into(svg: &mut String, curves: &[Curve], smooth: usize) -> Result<(), Failed> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let text = |size: u32| (FONT, size).into_font().color(&INK);
    let training = |curve: &Curve| curve.lines.iter().map(|line| (line.step, line.loss)).collect::<Vec<_>>();
    let held_out = |curve: &Curve| curve.evaluations.iter().map(|line| (line.step, line.loss)).collect::<Vec<_>>();
    let all: Vec<(u64, f64)> = curves.iter().flat_map(|curve| [training(curve), held_out(curve)].concat()).collect();
    let last = all.iter().map(|(step, _)| *step).max().unwrap_or(0).max(1);
    let (low, high) = all.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), (_, y)| (a.min(*y), b.max(*y)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let margin = ((high - low) * 0.05).max(1e-3);
    let mut chart = ChartBuilder::on(&root)
        .margin(14)
        .margin_right(28)
        .x_label_area_size(46)
        .y_label_area_size(60)
        .build_cartesian_2d(0..last, (low - margin).max(0.0)..high + margin)?;
    chart
        .configure_mesh()
        .x_desc("steps taken")
        .y_desc("nats a token")
        .label_style(text(15))
        .axis_style(INK)
        .bold_line_style(FAINT)
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (curve, colour) in curves.iter().zip(COLOURS.into_iter().cycle()) {
        let raw = thinned(&training(curve));
        chart.draw_series(LineSeries::new(raw, colour.mix(0.3).stroke_width(1)))?;
        let label = format!("{}, training, mean of {smooth}", curve.name);
        chart
            .draw_series(LineSeries::new(thinned(&smoothed(&training(curve), smooth)), colour.stroke_width(2)))?
            .label(label)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        if !curve.evaluations.is_empty() {
            chart
                .draw_series(held_out(curve).into_iter().map(|at| Circle::new(at, 4, colour.filled())))?
                .label(format!("{}, held out", curve.name))
                .legend(move |(x, y)| Circle::new((x + 9, y), 4, colour.filled()));
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(FAINT)
        .label_font(text(15))
        .draw()?;
    root.present()?;
    drop(chart);
    Ok(())
}

/// The mean of the last `window` values at each.
fn smoothed(points: &[(u64, f64)], window: usize) -> Vec<(u64, f64)> {
    let window = window.max(1);
    let mut sum = 0.0;
    let mean = |(i, &(step, loss)): (usize, &(u64, f64))| {
        sum += loss;
        if i >= window {
            sum -= points[i - window].1;
        }
        (step, sum / (i + 1).min(window) as f64)
    };
    points.iter().enumerate().map(mean).collect()
}

/// At most as many points as a page shows: each the mean of as many in a row.
fn thinned(points: &[(u64, f64)]) -> Vec<(u64, f64)> {
    let each = points.len().div_ceil(POINTS).max(1);
    let mean = |chunk: &[(u64, f64)]| {
        let sum: f64 = chunk.iter().map(|(_, loss)| loss).sum();
        (chunk[chunk.len() / 2].0, sum / chunk.len() as f64)
    };
    points.chunks(each).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(name: &str, steps: u64, evaluated: &[u64]) -> Curve {
        let line = |step| LogLine {
            step,
            loss: 5.0 - step as f64 / steps as f64,
            loss_sum: 0,
            predictions: 1,
            rate: 0,
            saturated: 0,
            gradient_norm: None,
            seconds: 0.0,
            proving_seconds: None,
            proof_bytes: None,
        };
        let evaluation =
            |&step| Evaluation { step, loss: 4.5, loss_sum: 0, predictions: 1, saturated: 0, seconds: 0.0 };
        let evaluations = evaluated.iter().map(evaluation).collect();
        Curve { name: name.into(), lines: (0..steps).map(line).collect(), evaluations }
    }

    #[test]
    fn each_run_is_drawn_with_its_held_out_points() {
        let curves = [curve("one", 100, &[0, 50, 100]), curve("<two>", 9000, &[])];
        let svg = draw(&curves, 10).unwrap();
        // The three points, and one in the legend.
        assert_eq!(svg.matches("<circle").count(), 4);
        for name in ["one, training, mean of 10", "one, held out", "&lt;two&gt;, training, mean of 10"] {
            assert!(svg.contains(name), "{name}");
        }
        assert!(!svg.contains("&lt;two&gt;, held out") && svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert_eq!(svg, draw(&curves, 10).unwrap());
        // However many steps there are.
        assert!(svg.len() < 200_000, "{}", svg.len());
    }

    #[test]
    fn a_run_that_has_hardly_begun_is_drawn() {
        for (steps, evaluated) in [(0, &[][..]), (0, &[0][..]), (1, &[0, 1][..])] {
            assert!(draw(&[curve("r", steps, evaluated)], 1).unwrap().contains("steps taken"));
        }
    }

    #[test]
    fn means() {
        let points: Vec<(u64, f64)> =
            [4.0, 2.0, 6.0, 8.0].into_iter().enumerate().map(|(i, y)| (i as u64, y)).collect();
        assert_eq!(smoothed(&points, 2), [(0, 4.0), (1, 3.0), (2, 4.0), (3, 7.0)]);
        assert_eq!(smoothed(&points, 1), points);
        assert_eq!(smoothed(&points, 0), points);
        let long: Vec<(u64, f64)> = (0..5000).map(|i| (i, i as f64)).collect();
        let thin = thinned(&long);
        assert_eq!((thin.len(), thin[0], thinned(&points)), (1667, (1, 1.0), points));
    }
}
