//! Lines over time as inline SVG: made here, so that a plot needs no script, and with its figures as a table beside it.
//!
//! Pure; it must not know what is drawn. Lines differ by their dashes too, not by colour alone.

use maud::{Markup, html};

/// Size of the drawing, in its own units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 200.0;
/// Room for the figures at the left and the times below.
const LEFT: f64 = 48.0;
const BELOW: f64 = 22.0;
/// Room above and at the right.
const EDGE: f64 = 10.0;

/// One line: what it is and its values, one for each moment.
pub(super) struct Series {
    /// What it is.
    pub name: String,
    /// Values in the order of time.
    pub values: Vec<f64>,
}

/// Draws lines over the same moments; `times` are the words at the left and right end.
pub(super) fn lines(title: &str, told: &str, times: (&str, &str), all: &[Series]) -> Markup {
    let top = nice(all.iter().flat_map(|series| series.values.iter().copied()).fold(1.0, f64::max));
    html! {
        figure {
            figcaption { (title) }
            svg.grafik viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(told) {
                @for part in 0..=4 {
                    @let value = top * f64::from(part) / 4.0;
                    line.poros x1=(LEFT) x2=(WIDTH - EDGE) y1=(height_of(value, top)) y2=(height_of(value, top)) {}
                    text x=(LEFT - 6.0) y=(height_of(value, top) + 4.0) text-anchor="end" { (figure(value)) }
                }
                text x=(LEFT) y=(HEIGHT - 4.0) { (times.0) }
                text x=(WIDTH - EDGE) y=(HEIGHT - 4.0) text-anchor="end" { (times.1) }
                @for (at, series) in all.iter().enumerate() {
                    polyline class=(class(at)) points=(points(&series.values, top)) {}
                }
            }
            ul.kunci {
                @for (at, series) in all.iter().enumerate() {
                    li {
                        svg.contoh viewBox="0 0 36 10" aria-hidden="true" { line class=(class(at)) x1="0" x2="36" y1="5" y2="5" {} }
                        " " (series.name)
                        @if let Some(last) = series.values.last() { ": " (figure(*last)) }
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

fn points(values: &[f64], top: f64) -> String {
    let step = (WIDTH - LEFT - EDGE) / values.len().saturating_sub(1).max(1) as f64;
    let point = |(at, value): (usize, &f64)| format!("{:.1},{:.1}", LEFT + step * at as f64, height_of(*value, top));
    values.iter().enumerate().map(point).collect::<Vec<_>>().join(" ")
}

/// The next round figure above: 1, 2 or 5 times a power of ten.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}

fn figure(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
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
            let drawn = points(&values, 10.0);
            for number in drawn.split([' ', ',']).filter(|text| !text.is_empty() && *text != "NaN") {
                assert!((0.0..=WIDTH).contains(&number.parse::<f64>().unwrap_or(-1.0)), "{drawn}");
            }
        }
    }
}
