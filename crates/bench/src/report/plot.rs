//! Latency and bandwidth by size, as SVG: logarithmic axes, one line per road, its name at its end.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::show;
use crate::machine::Machine;
use crate::model::{Results, Road, Test, Unit};

const WIDTH: u32 = 1000;
const HEIGHT: u32 = 520;
const HEADER: u32 = 40;
/// Room at the right for the roads' names.
const NAMES: u32 = 190;
const FONT: &str = "sans-serif";

/// Roads that are measured with one size only, beside a line that they would hide.
const SINGLE_SIZE: [Road; 3] = [Road::VmmcAsleep, Road::VmmcClient, Road::VmmcServer];

/// A road's points: size and value.
struct Line {
    road: Road,
    points: Vec<(f64, f64)>,
}

/// Both charts, one under the other; those without data are left out.
pub(crate) fn plot(machine: &Machine, results: &Results) -> Result<String> {
    let tests = [Test::PingPong, Test::Stream].map(|test| (test, lines(results, test)));
    let tests: Vec<_> = tests.into_iter().filter(|(_, lines)| !lines.is_empty()).collect();
    let mut svg = String::new();
    {
        let size = (WIDTH, HEADER + HEIGHT * tests.len() as u32);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE).map_err(refused)?;
        let (header, charts) = root.split_vertically(HEADER);
        let facts = format!(
            "{}, {} processors, Linux {}, {}",
            machine.processor, machine.processors, machine.kernel, machine.date
        );
        header.draw(&Text::new(facts, (20, 14), (FONT, 15).into_font().color(&GREY))).map_err(refused)?;
        for (area, (test, lines)) in charts.split_evenly((tests.len().max(1), 1)).iter().zip(&tests) {
            chart(area, *test, lines)?;
        }
        root.present().map_err(refused)?;
    }
    Ok(svg)
}

const GREY: RGBColor = RGBColor(90, 90, 90);

fn lines(results: &Results, test: Test) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for series in results.sorted() {
        let case = series.case;
        let drawn = case.test == test && !SINGLE_SIZE.contains(&case.road) && !case.road.under_wine();
        let (true, Some(median)) = (drawn, series.median) else { continue };
        let point = (case.size as f64, median);
        match lines.iter_mut().find(|line| line.road == case.road) {
            Some(line) => line.points.push(point),
            None => lines.push(Line { road: case.road, points: vec![point] }),
        }
    }
    lines
}

fn colour(road: Road) -> RGBColor {
    match road {
        Road::Kernel => RGBColor(200, 40, 40),
        Road::KernelBusy => RGBColor(230, 140, 30),
        Road::Unix => RGBColor(130, 80, 170),
        Road::Vmmc => RGBColor(20, 90, 200),
        Road::VmmcAsleep => RGBColor(90, 160, 230),
        Road::VmmcClient | Road::VmmcServer => RGBColor(150, 110, 80),
        Road::Raw => RGBColor(20, 140, 90),
        // Not drawn: one size alone.
        Road::Wine | Road::WineVmmc | Road::WineClient | Road::WineServer | Road::WineRaw => RGBColor(0, 0, 0),
        Road::CacheLine => RGBColor(60, 60, 60),
    }
}

fn chart(area: &DrawingArea<SVGBackend<'_>, Shift>, test: Test, lines: &[Line]) -> Result<()> {
    let (across, up) = (range(lines, |point| point.0), range(lines, |point| point.1));
    let unit = test.unit();
    let title = if unit == Unit::Nanoseconds { "Ping-pong: round trip, median" } else { "Stream: bandwidth, one way" };
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 20))
        .margin(12)
        .margin_right(NAMES)
        .x_label_area_size(48)
        .y_label_area_size(84)
        .build_cartesian_2d((across.0..across.1).log_scale().base(4.0), (up.0..up.1).log_scale())
        .map_err(refused)?;
    chart
        .configure_mesh()
        .x_desc("message size")
        .y_desc(if unit == Unit::Nanoseconds { "round trip (less is better)" } else { "bandwidth (more is better)" })
        .x_label_formatter(&|size| show::size(size.round() as usize))
        .y_label_formatter(&|value| show::value(*value, unit))
        .x_labels(11)
        .label_style((FONT, 14))
        .light_line_style(RGBColor(240, 240, 240))
        .bold_line_style(RGBColor(215, 215, 215))
        .draw()
        .map_err(refused)?;
    for line in lines {
        let colour = colour(line.road);
        let points = || line.points.iter().copied();
        chart.draw_series(LineSeries::new(points(), colour.stroke_width(2))).map_err(refused)?;
        chart.draw_series(points().map(|point| Circle::new(point, 3, colour.filled()))).map_err(refused)?;
    }
    let ends: Vec<(Road, (i32, i32))> =
        lines.iter().filter_map(|line| Some((line.road, chart.backend_coord(line.points.last()?)))).collect();
    names(area, ends)
}

/// Writes each road's name beside its last point, moved down where two would overlap.
fn names(area: &DrawingArea<SVGBackend<'_>, Shift>, mut ends: Vec<(Road, (i32, i32))>) -> Result<()> {
    const APART: i32 = 17;
    ends.sort_by_key(|(_, (_, down))| *down);
    let top = area.get_pixel_range().1.start;
    let mut free = i32::MIN;
    for (road, (right, down)) in ends {
        let down = down.max(free);
        free = down + APART;
        let style = (FONT, 14).into_font().color(&colour(road)).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(road.title(), (right + 10, down - top), style)).map_err(refused)?;
    }
    Ok(())
}

/// The range of one coordinate, with a little room on both sides.
fn range(lines: &[Line], coordinate: impl Fn(&(f64, f64)) -> f64) -> (f64, f64) {
    let values = || lines.iter().flat_map(|line| &line.points).map(&coordinate);
    let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN_POSITIVE, f64::max));
    (least / 1.5, most * 1.5)
}

fn refused(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Case, Sample};

    #[test]
    fn a_plot_names_its_roads_and_nothing_else() {
        let mut results = Results::default();
        for (size, value) in [(8, 13_000.0), (4096, 15_000.0), (1 << 20, 200_000.0)] {
            let case = Case { test: Test::PingPong, size, road: Road::Kernel };
            results.series(case).add(0, Sample { value, ..Sample::default() });
            results
                .series(Case { road: Road::Vmmc, ..case })
                .add(0, Sample { value: value / 50.0, ..Sample::default() });
        }
        let svg = plot(&Machine::look(), &results).expect("a plot");
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        for word in ["VMMC sockets", "kernel TCP", "Ping-pong", "1 MiB"] {
            assert!(svg.contains(word), "{word} is missing");
        }
        assert!(!svg.contains("AF_UNIX") && !svg.contains("Stream"));
    }

    #[test]
    fn nothing_measured_is_an_empty_plot() {
        assert!(plot(&Machine::look(), &Results::default()).is_ok());
    }
}
