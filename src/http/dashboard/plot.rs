//! Lines over time as inline SVG: made here, so that a plot needs no script, and with its figures as a table beside it.
//!
//! Pure; it must not know what is drawn. Lines differ by their dashes too, not by colour alone.

use maud::{Markup, html};

use super::say::Say;

/// Size of the drawing, in its own units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 200.0;
/// Room for the figures at the left and the times below.
const LEFT: f64 = 48.0;
const BELOW: f64 = 22.0;
/// Room above and at the right.
const EDGE: f64 = 10.0;

/// A value at its time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// How far it is from the left end to the right one, 0 to 1.
    pub place: f64,
    /// How high.
    pub value: f64,
}

/// One line: what it is and its points.
pub(super) struct Series {
    /// What it is.
    pub name: String,
    /// Points in the order of time; between two runs nothing is known.
    pub runs: Vec<Vec<Point>>,
}

impl Series {
    /// All points in the order of time.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.runs.iter().flatten()
    }
}

/// Draws lines over the same time; `times` are the words at the left and right end.
pub(super) fn lines(say: Say, title: &str, told: &str, times: (&str, &str), all: &[Series]) -> Markup {
    let top = nice(all.iter().flat_map(Series::points).map(|point| point.value).fold(1.0, f64::max));
    html! {
        figure {
            figcaption { (title) }
            svg.grafik viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(told) {
                @for part in 0..=4 {
                    @let value = top * f64::from(part) / 4.0;
                    line.poros x1=(LEFT) x2=(WIDTH - EDGE) y1=(height_of(value, top)) y2=(height_of(value, top)) {}
                    text x=(LEFT - 6.0) y=(height_of(value, top) + 4.0) text-anchor="end" { (say.value(value)) }
                }
                text x=(LEFT) y=(HEIGHT - 4.0) { (times.0) }
                text x=(WIDTH - EDGE) y=(HEIGHT - 4.0) text-anchor="end" { (times.1) }
                @for (at, series) in all.iter().enumerate() {
                    @for run in &series.runs { polyline class=(class(at)) points=(points(run, top)) {} }
                }
            }
            ul.kunci {
                @for (at, series) in all.iter().enumerate() {
                    li {
                        svg.contoh viewBox="0 0 36 10" aria-hidden="true" { line class=(class(at)) x1="0" x2="36" y1="5" y2="5" {} }
                        " " (series.name)
                        @if let Some(last) = series.points().last() { ": " (say.value(last.value)) }
                    }
                }
            }
        }
    }
}

fn class(at: usize) -> &'static str {
    ["g1", "g2", "g3"][at % 3]
}

fn height_of(value: f64, top: f64) -> f64 {
    let room = HEIGHT - BELOW - EDGE;
    ((HEIGHT - BELOW - room * (value / top).clamp(0.0, 1.0)) * 10.0).round() / 10.0
}

fn points(run: &[Point], top: f64) -> String {
    let room = WIDTH - LEFT - EDGE;
    let text = |point: &Point| {
        let across = LEFT + room * point.place.clamp(0.0, 1.0);
        format!("{across:.1},{:.1}", height_of(point.value, top))
    };
    let mut all: Vec<String> = run.iter().map(text).collect();
    if let [only] = run {
        // A line of one point is not drawn; this one is as long as it is thick.
        all.insert(0, text(&Point { place: only.place - 2.0 / room, ..*only }));
    }
    all.join(" ")
}

/// The next round figure above: 1, 2 or 5 times a power of ten.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_stays_in_its_frame_whatever_is_drawn() {
        for (value, top) in [(1.0, 1.0), (1.1, 2.0), (3.0, 5.0), (60.0, 100.0), (100.0, 100.0), (101.0, 200.0)] {
            assert!((nice(value) - top).abs() < 1e-9, "{value}");
        }
        for values in [vec![], vec![5.0], vec![0.0, 1e9, -3.0, f64::NAN]] {
            let at = |(index, value): (usize, &f64)| Point { place: index as f64 - 1.0, value: *value };
            let run: Vec<Point> = values.iter().enumerate().map(at).collect();
            let drawn = points(&run, 10.0);
            for number in drawn.split([' ', ',']).filter(|text| !text.is_empty() && *text != "NaN") {
                assert!((0.0..=WIDTH).contains(&number.parse::<f64>().unwrap_or(-1.0)), "{drawn}");
            }
        }
    }
}
