//! Where transfer shows in a learning curve: a higher start, a higher slope, a higher asymptote.

use super::curve::{Axis, Line, aside};
use super::panel::{self, Canvas, DrawError, SCALE, TextAt, style};

/// What is marked of one curve beside another; only what is beyond doubt.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Marks {
    /// The curve with transfer, by its number among the curves.
    pub(in crate::report) transfer: usize,
    /// The one without.
    pub(in crate::report) baseline: usize,
    /// Whether it starts higher.
    pub(in crate::report) start: bool,
    /// Whether it rises faster.
    pub(in crate::report) slope: bool,
    /// Where both end, transfer first, where it ends higher.
    pub(in crate::report) asymptotes: Option<(f64, f64)>,
}

const FONT: f64 = 11.5;
/// Between a mark and what it says, in pixels of the page.
const ABOVE: i32 = 14;

impl Marks {
    /// Levels that the axis has to hold.
    pub(super) fn levels(&self) -> impl Iterator<Item = f64> {
        let both = self.asymptotes.map(|(one, other)| [one, other]);
        both.into_iter().flatten()
    }

    pub(super) fn draw(
        &self,
        canvas: &Canvas<'_>,
        (x, y): (&Axis, &Axis),
        lines: &[Line],
    ) -> Result<(), DrawError> {
        let places = |index: usize| -> Vec<(i32, i32)> {
            let line = lines.get(index).into_iter().flatten();
            let place = |(at, estimate): &(Option<f64>, super::Estimate)| {
                let across = x.place((*at)?) + aside(index, lines.len());
                Some((across, y.place(estimate.value)))
            };
            line.filter_map(place).collect()
        };
        let (transfer, baseline) = (places(self.transfer), places(self.baseline));
        let (Some(&first), Some(&without)) = (transfer.first(), baseline.first()) else {
            return Ok(());
        };
        if self.start {
            let left = x.ends.0 * SCALE + 8 * SCALE;
            bracket(canvas, left, first.1, without.1)?;
            let at = (left / SCALE - 4, first.1.min(without.1) / SCALE - ABOVE);
            canvas.text("higher start", at, TextAt::Left, FONT, panel::INK)?;
        }
        if self.slope {
            // Along the line, in the middle of what it rises.
            let middle = transfer[transfer.len() / 2];
            let at = (middle.0 / SCALE, middle.1 / SCALE - ABOVE);
            canvas.text("higher slope", at, TextAt::Middle, FONT, panel::INK)?;
        }
        if let Some((with, without)) = self.asymptotes {
            let right = x.ends.1 * SCALE;
            let (with, without) = (y.place(with), y.place(without));
            for (level, index) in [(with, self.transfer), (without, self.baseline)] {
                let from = right - 42 * SCALE;
                canvas.line([(from, level), (right, level)], style(index).0, 4)?;
            }
            bracket(canvas, right - 6 * SCALE, with, without)?;
            let at = (right / SCALE, with.min(without) / SCALE - ABOVE + 2);
            canvas.text("higher asymptote", at, TextAt::Right, FONT, panel::INK)?;
        }
        Ok(())
    }
}

/// An upright line with its ends marked, in places of the drawing itself.
fn bracket(canvas: &Canvas<'_>, x: i32, top: i32, bottom: i32) -> Result<(), DrawError> {
    canvas.line([(x, top), (x, bottom)], panel::INK, 4)?;
    for end in [top, bottom] {
        canvas.line([(x - 9, end), (x + 9, end)], panel::INK, 4)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::report::figure::{Curve, CurveFigure, Estimate, Marks, test_places};
    use crate::report::format::Format;

    fn svg(marks: Option<Marks>) -> String {
        let curve = |name: &str, values: [f64; 3]| {
            let point = |(at, value)| {
                let interval = None;
                (Some(at), Estimate { value, interval })
            };
            Curve {
                name: name.to_owned(),
                points: [10.0, 40.0, 160.0]
                    .into_iter()
                    .zip(values)
                    .map(point)
                    .collect(),
                seconds: Vec::new(),
            }
        };
        let figure = CurveFigure {
            curves: vec![
                curve("without", [0.3, 0.5, 0.6]),
                curve("with", [0.5, 0.7, 0.8]),
            ],
            x_axis: "labelled rows".to_owned(),
            y_axis: "Accuracy (%)".to_owned(),
            format: Format::of("accuracy", std::iter::empty()),
            marks,
            alt: "a curve".to_owned(),
        };
        figure.svg()
    }

    fn marks() -> Marks {
        Marks {
            transfer: 1,
            baseline: 0,
            start: true,
            slope: true,
            asymptotes: Some((0.95, 0.7)),
        }
    }

    #[test]
    fn what_is_found_is_marked_and_nothing_else() {
        let all = ["higher start", "higher slope", "higher asymptote"];
        let plain = svg(None);
        assert!(all.iter().all(|mark| !plain.contains(mark)));
        let marked = svg(Some(marks()));
        assert!(all.iter().all(|mark| marked.contains(mark)), "{marked}");
        let start_alone = svg(Some(Marks {
            slope: false,
            asymptotes: None,
            ..marks()
        }));
        assert!(start_alone.contains(all[0]));
        assert!(!start_alone.contains(all[1]) && !start_alone.contains(all[2]));
        // A bracket is three lines, an asymptote one for each curve.
        let lines = |svg: &str| svg.matches("<polyline").count();
        assert_eq!(lines(&start_alone), lines(&plain) + 3);
    }

    /// The bracket of the start reaches from one curve's first point to the other's.
    #[test]
    fn the_start_is_between_the_first_points() {
        let marked = svg(Some(marks()));
        let is_bracket = |element: &&str| {
            element.starts_with("polyline") && element.contains("stroke=\"#1E1E1E\"")
        };
        let lines: Vec<(f64, f64)> = (marked.split('<'))
            .filter(is_bracket)
            .flat_map(|element| test_places(&format!("<svg><{element}")))
            .collect();
        let points: Vec<(f64, f64)> = (marked.split('<'))
            .filter(|element| element.starts_with("circle") || element.starts_with("polygon"))
            .flat_map(|element| test_places(&format!("<svg><{element}")))
            .collect();
        // The first point without transfer is a circle, the first upright line the bracket.
        assert!(
            (lines[1].1 - points[0].1).abs() < 2.0,
            "{lines:?} {points:?}"
        );
        assert!(lines[0].1 < lines[1].1 && lines[0].0 == lines[1].0);
        for (x, y) in test_places(&marked) {
            assert!(x >= 0.0 && y >= 0.0 && x <= 2100.0, "{x} {y}");
        }
    }
}
