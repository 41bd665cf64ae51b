//! Figures for people: tables, and a picture.

use std::fmt::{self, Write};
use std::fs;
use std::path::{Path, PathBuf};

/// A table that is as readable in Markdown as it is in a terminal.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with only its first line.
    pub fn new(head: Vec<String>) -> Table {
        Table { rows: vec![head] }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    /// A table of nothing is nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [head, rows @ ..] = &self.rows[..] else { return Ok(()) };
        if rows.is_empty() {
            return Ok(());
        }
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let line = |f: &mut fmt::Formatter<'_>, cells: &[String]| {
            for (column, (cell, &width)) in cells.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(f, "| {cell:width$} |")?,
                    _ => write!(f, " {cell:>width$} |")?,
                }
            }
            writeln!(f)
        };
        line(f, head)?;
        let rules = widths.iter().enumerate().map(|(column, width)| match column {
            0 => "-".repeat(*width),
            _ => "-".repeat(width - 1) + ":",
        });
        line(f, &rules.collect::<Vec<String>>())?;
        rows.iter().try_for_each(|row| line(f, row))
    }
}

/// How a cost grows with one number.
pub struct Chart {
    /// The meaning of the number, and the conditions that stay the same.
    pub what: &'static str,
    pub rest: &'static str,
    /// Where along the number something is written, and what.
    pub ticks: &'static [(usize, &'static str)],
    /// The name of each server, and what it costs in nanoseconds.
    pub lines: Vec<(&'static str, Vec<(f64, f64)>)>,
}

/// `--write` replaces the text between these.
const BEGIN: &str = "<!-- written by: cargo bench --bench chat -- --write -->";
const END: &str = "<!-- end of what is written -->";

/// The size of one chart, and of what is around it, in pixels.
const CHART: (f64, f64) = (225.0, 230.0);
const GAP: f64 = 34.0;
const MARGIN: (f64, f64) = (64.0, 54.0);
const AFTER: (f64, f64) = (84.0, 60.0);
/// Colours that can be read on white as well as on black.
const COLOURS: [&str; 2] = ["#2f81f7", "#d8692d"];
const STYLE: &str = "text { font: 12px system-ui, sans-serif; fill: #7d8590 }
.title { font-size: 14px; font-weight: 600 }
.axis { stroke: #7d8590; stroke-width: 1 }
.grid { stroke: #7d8590; stroke-width: 1; opacity: 0.22 }
.line { fill: none; stroke-width: 2; stroke-linejoin: round }
.name { font-weight: 600 }
.middle { text-anchor: middle }
.end { text-anchor: end }";

/// The charts side by side, with one scale for the cost; all scales are logarithmic.
pub fn picture(charts: &[Chart]) -> String {
    let costs = charts.iter().flat_map(|chart| &chart.lines).flat_map(|(_, points)| points);
    let costs: Vec<f64> = costs.map(|point| point.1.max(1.0)).collect();
    let low = costs.iter().copied().fold(f64::MAX, f64::min).log10().floor();
    let high = costs.iter().copied().fold(1.0, f64::max).log10().ceil().max(low + 1.0);
    let bottom = MARGIN.1 + CHART.1;
    let height_of = |cost: f64| bottom - (cost.max(1.0).log10() - low) / (high - low) * CHART.1;

    let width = MARGIN.0 + charts.len() as f64 * (CHART.0 + GAP) - GAP + AFTER.0;
    let height = bottom + AFTER.1;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>How the cost of a delivery \
         grows</title>\n<style>\n{STYLE}\n</style>\n"
    );
    text(&mut svg, (MARGIN.0, 24.0), "title", "CPU time of the server for each delivery");
    for (index, chart) in charts.iter().enumerate() {
        let left = MARGIN.0 + index as f64 * (CHART.0 + GAP);
        let [first, .., last] = chart.ticks else { continue };
        let points = chart.lines.iter().flat_map(|(_, points)| points);
        let end = points.map(|point| point.0).fold(last.0 as f64, f64::max);
        let start = (first.0 as f64).log10();
        let along = |number: f64| left + (number.log10() - start) / (end.log10() - start) * CHART.0;

        for decade in low as i32..=high as i32 {
            let height = height_of(10f64.powi(decade));
            let class = if decade == low as i32 { "axis" } else { "grid" };
            line(&mut svg, class, (left, height), (left + CHART.0, height));
            if index == 0 {
                let label = nanoseconds(10f64.powi(decade)).replace(".0", "");
                text(&mut svg, (left - 8.0, height + 4.0), "end", &label);
            }
        }
        for (number, label) in chart.ticks {
            let place = along(*number as f64);
            line(&mut svg, "grid", (place, MARGIN.1), (place, bottom));
            text(&mut svg, (place, bottom + 17.0), "middle", label);
        }
        let middle = left + CHART.0 / 2.0;
        text(&mut svg, (middle, bottom + 36.0), "middle name", chart.what);
        text(&mut svg, (middle, bottom + 52.0), "middle", chart.rest);
        for ((name, points), colour) in chart.lines.iter().zip(COLOURS) {
            let points: Vec<_> =
                points.iter().map(|point| (along(point.0), height_of(point.1))).collect();
            let Some((right, height)) = points.last().copied() else { continue };
            let path: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let path = path.join(" ");
            writeln!(svg, "<polyline class=\"line\" stroke=\"{colour}\" points=\"{path}\"/>").ok();
            for (x, y) in points {
                writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>")
                    .ok();
            }
            if index + 1 == charts.len() {
                let style = format!("name\" style=\"fill: {colour}");
                text(&mut svg, (right + 9.0, height + 4.0), &style, name);
            }
        }
    }
    svg + "</svg>\n"
}

fn text(svg: &mut String, (x, y): (f64, f64), class: &str, text: &str) {
    *svg += &format!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{text}</text>\n");
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    *svg += &format!(
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"
    );
}

/// Writes a file of this repository.
pub fn write(path: &str, text: &str) {
    fs::write(here(path), text).unwrap_or_else(|err| panic!("{path}: {err}"));
}

/// Writes what stands between the two marks in a file of this repository.
pub fn replace(path: &str, text: &str) {
    let old = fs::read_to_string(here(path)).unwrap_or_else(|err| panic!("{path}: {err}"));
    let parts =
        old.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.unwrap_or_else(|| panic!("{path} lacks {BEGIN} or {END}"));
    write(path, &format!("{before}{BEGIN}\n\n{text}\n{END}{after}"));
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A time in the unit that suits it.
pub fn nanoseconds(time: f64) -> String {
    match time {
        ..999.5 => format!("{time:.0} ns"),
        ..9_950.0 => format!("{:.1} µs", time / 1e3),
        ..999_500.0 => format!("{:.0} µs", time / 1e3),
        _ => format!("{:.1} ms", time / 1e6),
    }
}

/// How often a second, for figures of thousands and more.
pub fn rate(rate: f64) -> String {
    match rate {
        ..999_500.0 => format!("{:.0} thousand", rate / 1e3),
        _ => format!("{:.1} million", rate / 1e6),
    }
}

/// A number with a comma for each thousand.
pub fn grouped(number: usize) -> String {
    match number {
        ..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}
