//! The figure of a task: a row per method, its level on the left, its gain on the right, with 95 % intervals.

mod curve;
mod dendrogram;
mod graph;
mod layout;
mod marks;
mod panel;

use panel::{Canvas, Mark, Panel, TextAt};

pub(super) use curve::{Curve, CurveFigure};
pub(super) use dendrogram::{DendrogramFigure, Leaf};
pub(super) use graph::{GraphFigure, Vertex, drawn_edges};
pub(super) use marks::Marks;

use super::format::{Format, clean};
use crate::summary::Verdict;

/// A point with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub(super) value: f64,
    pub(super) interval: Option<(f64, f64)>,
}

/// One method.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) is_baseline: bool,
    pub(super) level: Option<Estimate>,
    pub(super) gain: Option<(Estimate, Verdict)>,
    /// Said in place of a level: `failed`.
    pub(super) note: Option<String>,
}

/// A figure: what it shows, and how its axes are called.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    pub(super) rows: Vec<Row>,
    /// Levels that are drawn as lines through all rows: those of the baselines that decide the verdicts.
    pub(super) lines: Vec<f64>,
    pub(super) level_axis: String,
    pub(super) gain_axis: String,
    pub(super) level_format: Format,
    pub(super) gain_format: Format,
    /// What is read out in place of the figure.
    pub(super) alt: String,
}

/// All in pixels of the page.
const WIDTH: i32 = 700;
const MARGIN: i32 = 16;
const TOP: i32 = 6;
const BOTTOM: i32 = 44;
/// Between the two panels.
const GAP: i32 = 28;
const LINE: i32 = 15;
const FONT: f64 = 12.5;
/// Characters of a name on one line.
const WRAP: usize = 34;

impl Figure {
    /// The figure as SVG. It has no fonts, links or styles of its own to load.
    pub(super) fn svg(&self) -> String {
        let names: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| wrap(&clean(&row.name), WRAP))
            .collect();
        let heights: Vec<i32> = names
            .iter()
            .map(|lines| LINE * lines.len() as i32 + 8)
            .collect();
        let height = TOP + heights.iter().sum::<i32>() + BOTTOM;
        // Drawing into a string does not fail; if it did, the tables say all the same.
        Canvas::draw(WIDTH, height, &clean(&self.alt), |canvas| {
            self.draw(canvas, &names, &heights, height)
        })
        .unwrap_or_default()
    }

    fn draw(
        &self,
        canvas: &Canvas<'_>,
        names: &[Vec<String>],
        heights: &[i32],
        height: i32,
    ) -> Result<(), panel::DrawError> {
        let longest = names
            .iter()
            .flatten()
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0);
        let left = ((longest as f64 * 0.56 * FONT) as i32 + 14).clamp(80, 262);
        let has_gains = self.rows.iter().any(|row| row.gain.is_some());
        let right = WIDTH - MARGIN;
        let middle = if has_gains {
            left + (right - left - GAP) / 2
        } else {
            right
        };
        let vertical = (TOP, height - BOTTOM);

        let levels = self.rows.iter().filter_map(|row| row.level);
        let level = Panel::new((left, middle), vertical, levels, self.level_format, false);
        level.draw_axis(canvas, &self.level_axis)?;
        for &line in &self.lines {
            level.draw_line(canvas, line)?;
        }
        let gains = self.rows.iter().filter_map(|row| Some(row.gain?.0));
        let gain = has_gains.then(|| {
            Panel::new(
                (middle + GAP, right),
                vertical,
                gains,
                self.gain_format,
                true,
            )
        });
        if let Some(gain) = &gain {
            gain.draw_axis(canvas, &self.gain_axis)?;
        }

        let mut top = TOP;
        for ((row, lines), height) in self.rows.iter().zip(names).zip(heights) {
            let centre = top + height / 2;
            let first = centre - LINE * (lines.len() as i32 - 1) / 2;
            let ink = if row.is_baseline {
                panel::GREY
            } else {
                panel::INK
            };
            for (place, line) in lines.iter().enumerate() {
                canvas.text(
                    line,
                    (left - 8, first + LINE * place as i32),
                    TextAt::Right,
                    FONT,
                    ink,
                )?;
            }
            match (row.level, &row.note) {
                (Some(estimate), _) if row.is_baseline => {
                    level.draw(canvas, estimate, centre, panel::ORANGE, Mark::Diamond)?;
                }
                (Some(estimate), _) => {
                    level.draw(canvas, estimate, centre, panel::BLUE, Mark::Dot)?;
                }
                (None, Some(note)) => {
                    canvas.text(note, (left + 8, centre), TextAt::Left, 11.5, panel::GREY)?;
                }
                (None, None) => {}
            }
            if let (Some(panel), Some((estimate, verdict))) = (&gain, row.gain) {
                let (colour, mark) = match verdict {
                    Verdict::Positive => (panel::BLUE, Mark::Up),
                    Verdict::Negative => (panel::VERMILION, Mark::Down),
                    Verdict::Undecided => (panel::GREY, Mark::Ring),
                };
                panel.draw(canvas, estimate, centre, colour, mark)?;
            }
            top += height;
        }
        Ok(())
    }
}

/// Breaks a name into lines of at most `width` characters, at spaces and hyphens where there are any.
fn wrap(name: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in name.split_inclusive([' ', '-', '/', '_']) {
        let characters: Vec<char> = word.chars().collect();
        for piece in characters.chunks(width) {
            let last = lines.len() - 1;
            if lines[last].chars().count() + piece.len() > width && !lines[last].is_empty() {
                lines.push(piece.iter().collect());
            } else {
                lines[last].extend(piece);
            }
        }
    }
    lines.iter().map(|line| line.trim().to_owned()).collect()
}

/// All places that a drawing names: of circles, lines, polygons and texts.
#[cfg(test)]
fn test_places(svg: &str) -> Vec<(f64, f64)> {
    let number = |text: &str| -> f64 { text.parse().unwrap() };
    let attribute = |element: &str, key: &str| -> Option<String> {
        let (_, rest) = element.split_once(&format!(" {key}=\""))?;
        Some(rest.split('"').next().unwrap().to_owned())
    };
    let mut places = Vec::new();
    for element in svg.split('<').skip(2) {
        for (x, y) in [("cx", "cy"), ("x", "y"), ("x1", "y1"), ("x2", "y2")] {
            if let (Some(x), Some(y)) = (attribute(element, x), attribute(element, y)) {
                places.push((number(&x), number(&y)));
            }
        }
        for pair in attribute(element, "points")
            .iter()
            .flat_map(|all| all.split_whitespace())
        {
            let (x, y) = pair.split_once(',').unwrap();
            places.push((number(x), number(y)));
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_wrapped_in_full() {
        assert_eq!(wrap("coral", 10), ["coral"]);
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(
            wrap("source-only (logistic, c=1)", 12),
            ["source-only", "(logistic,", "c=1)"]
        );
        let long = "x".repeat(25);
        assert_eq!(wrap(&long, 10).concat(), long);
        assert!(
            wrap(&format!("ab {long} → c"), 10)
                .iter()
                .all(|line| line.chars().count() <= 10)
        );
    }

    #[test]
    fn marks_stand_where_the_axis_says() {
        let format = Format::of("accuracy", [].into_iter());
        let row = |value| Row {
            name: "a <b> & \"c\"".into(),
            is_baseline: false,
            level: Some(Estimate {
                value,
                interval: None,
            }),
            gain: None,
            note: None,
        };
        let figure = Figure {
            rows: vec![row(0.1), row(0.2), row(0.4)],
            lines: vec![0.2],
            level_axis: "Accuracy (%)".into(),
            gain_axis: String::new(),
            level_format: format,
            gain_format: format,
            alt: "<alt>".into(),
        };
        let svg = figure.svg();
        let places: Vec<f64> = svg
            .split("<circle cx=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(places.len(), 3, "{svg}");
        assert!(
            ((places[2] - places[1]) - 2.0 * (places[1] - places[0])).abs() < 3.0,
            "{places:?}"
        );
        assert!(
            svg.contains("aria-label=\"&lt;alt&gt;\"")
                && svg.contains("a &lt;b&gt; &amp; &quot;c&quot;")
        );
    }
}
