//! Curves: a metric on the left and the time of a fit on the right, over one number.

use super::marks::Marks;
use super::panel::{self, Canvas, DrawError, SCALE, TextAt, style};
use super::{Estimate, Format, MARGIN, WIDTH};
use crate::report::format::{clean, seconds};

/// A curve, or a level that is the same everywhere.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Curve {
    pub(in crate::report) name: String,
    /// Places with what was measured there; no place for a level.
    pub(in crate::report) points: Vec<(Option<f64>, Estimate)>,
    /// Seconds of a fit at those places.
    pub(in crate::report) seconds: Vec<(Option<f64>, f64)>,
}

/// What it shows, and how its axes are called.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct CurveFigure {
    pub(in crate::report) curves: Vec<Curve>,
    pub(in crate::report) x_axis: String,
    pub(in crate::report) y_axis: String,
    pub(in crate::report) format: Format,
    /// Where transfer shows, of one curve beside another.
    pub(in crate::report) marks: Option<Marks>,
    /// What is read out in place of the figure.
    pub(in crate::report) alt: String,
}

/// All in pixels of the page.
const HEIGHT: i32 = 250;
const TOP: i32 = 12;
const LEFT: i32 = 62;
/// Between the panels, for the numbers of the second.
const GAP: i32 = 84;
const AXIS: i32 = 44;
const LEGEND_LINE: i32 = 19;
const FONT: f64 = 12.0;

/// Where a curve's line and marks are, whatever the panel.
pub(super) type Line = Vec<(Option<f64>, Estimate)>;

impl CurveFigure {
    /// The figure as SVG.
    pub(in crate::report) fn svg(&self) -> String {
        let names: Vec<String> = self.curves.iter().map(|curve| clean(&curve.name)).collect();
        let places = legend(&names);
        let lines = places.iter().map(|(_, line)| line + 1).max().unwrap_or(0);
        let height = HEIGHT + AXIS + LEGEND_LINE * lines + 8;
        // Drawing into a string does not fail; if it did, the tables say all the same.
        Canvas::draw(WIDTH, height, &clean(&self.alt), |canvas| {
            self.draw(canvas, &names, &places)
        })
        .unwrap_or_default()
    }

    fn draw(
        &self,
        canvas: &Canvas<'_>,
        names: &[String],
        legend: &[(i32, i32)],
    ) -> Result<(), DrawError> {
        let half = (WIDTH - LEFT - GAP - MARGIN) / 2;
        let levels: Vec<Line> = self
            .curves
            .iter()
            .map(|curve| curve.points.clone())
            .collect();
        let times: Vec<Line> = self
            .curves
            .iter()
            .map(|curve| {
                let exact = |&(at, value): &(Option<f64>, f64)| {
                    let interval = None;
                    (at, Estimate { value, interval })
                };
                curve.seconds.iter().map(exact).collect()
            })
            .collect();
        let places = levels.iter().flatten().filter_map(|(at, _)| *at);
        let x = Axis::new((LEFT, LEFT + half), places.clone(), 1.0);
        let ends = self.marks.iter().flat_map(Marks::levels);
        let y = Axis::of_values((HEIGHT, TOP), &levels, ends, self.format.scale);
        y.draw_values(canvas, &x, &self.y_axis, None)?;
        x.draw_places(canvas, places.clone(), &self.x_axis)?;
        draw_lines(canvas, (&x, &y), &levels)?;
        if let Some(marks) = &self.marks {
            marks.draw(canvas, (&x, &y), &levels)?;
        }
        let left = LEFT + half + GAP;
        let x = Axis::new((left, left + half), places.clone(), 1.0);
        let y = Axis::of_times((HEIGHT, TOP), &times);
        y.draw_values(canvas, &x, "Time of a fit", Some(seconds))?;
        x.draw_places(canvas, places, &self.x_axis)?;
        draw_lines(canvas, (&x, &y), &times)?;
        for ((name, &(left, line)), index) in names.iter().zip(legend).zip(0..) {
            let (colour, mark) = style(index);
            let y = HEIGHT + AXIS + LEGEND_LINE * line + LEGEND_LINE / 2;
            let ends = [(left * SCALE, y * SCALE), ((left + 26) * SCALE, y * SCALE)];
            canvas.line(ends, colour, 5)?;
            canvas.mark(((left + 13) * SCALE, y * SCALE), mark, colour)?;
            canvas.text(name, (left + 34, y), TextAt::Left, FONT, panel::INK)?;
        }
        Ok(())
    }
}

/// Left end and line of each entry.
fn legend(names: &[String]) -> Vec<(i32, i32)> {
    let (mut left, mut line) = (LEFT, 0);
    let mut places = Vec::new();
    for name in names {
        let width = 34 + (name.chars().count() as f64 * 0.56 * FONT) as i32 + 22;
        if left + width > WIDTH - MARGIN && left > LEFT {
            (left, line) = (LEFT, line + 1);
        }
        places.push((left, line));
        left += width;
    }
    places
}

/// A little apart, so that intervals of equal places stand beside each other.
pub(super) fn aside(index: usize, lines: usize) -> i32 {
    3 * (2 * index as i32 + 1 - lines as i32)
}

fn draw_lines(
    canvas: &Canvas<'_>,
    (x, y): (&Axis, &Axis),
    lines: &[Line],
) -> Result<(), DrawError> {
    for (index, line) in lines.iter().enumerate() {
        let (colour, mark) = style(index);
        let aside = aside(index, lines.len());
        let mut last: Option<(i32, i32)> = None;
        for (at, estimate) in line
            .iter()
            .filter(|(_, estimate)| estimate.value.is_finite())
        {
            let height = y.place(estimate.value);
            let Some(at) = at else {
                let (left, right) = (x.ends.0 * SCALE, x.ends.1 * SCALE);
                canvas.line([(left, height), (right, height)], colour, 4)?;
                // Its mark stands at the end, where no curve has one.
                canvas.mark((right, height), mark, colour)?;
                continue;
            };
            let place = (x.place(*at) + aside, height);
            if let Some((low, high)) = estimate.interval {
                let ends = (y.place(low), y.place(high));
                canvas.line([(place.0, ends.0), (place.0, ends.1)], colour, 3)?;
                for end in [ends.0, ends.1] {
                    canvas.line([(place.0 - 7, end), (place.0 + 7, end)], colour, 3)?;
                }
            }
            if let Some(last) = last {
                canvas.line([last, place], colour, 5)?;
            }
            canvas.mark(place, mark, colour)?;
            last = Some(place);
        }
    }
    Ok(())
}

/// From numbers to pixels, along one direction.
pub(super) struct Axis {
    /// Pixels of the smallest and the largest number.
    pub(super) ends: (i32, i32),
    range: (f64, f64),
    scale: f64,
    is_log: bool,
}

impl Axis {
    /// Logarithmic where the numbers span more than a factor of ten.
    fn new(ends: (i32, i32), values: impl Iterator<Item = f64>, scale: f64) -> Self {
        let values: Vec<f64> = values.map(|value| value * scale).collect();
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let (low, high) = (
            finite().fold(f64::INFINITY, f64::min),
            finite().fold(0.0, f64::max),
        );
        let is_log = low > 0.0 && high > 10.0 * low;
        let range = if is_log {
            panel::range(finite().map(f64::log10))
        } else {
            panel::range(finite())
        };
        Self {
            ends,
            range,
            scale,
            is_log,
        }
    }

    /// Wide enough for all lines, and for other levels besides.
    fn of_values(
        ends: (i32, i32),
        lines: &[Line],
        levels: impl Iterator<Item = f64>,
        scale: f64,
    ) -> Self {
        let estimates = lines.iter().flatten().map(|(_, estimate)| *estimate);
        let values = panel::ends_of(estimates)
            .chain(levels)
            .map(|value| value * scale);
        Self {
            ends,
            range: panel::range(values),
            scale,
            is_log: false,
        }
    }

    fn of_times(ends: (i32, i32), lines: &[Line]) -> Self {
        let times = lines.iter().flatten().map(|(_, estimate)| estimate.value);
        let axis = Self::new(ends, times, 1.0);
        let is_log = axis.is_log;
        // Times that are alike are seen to be from 0.
        let low = if is_log { axis.range.0 } else { 0.0 };
        Self {
            range: (low, axis.range.1),
            ..axis
        }
    }

    pub(super) fn place(&self, value: f64) -> i32 {
        let value = value * self.scale;
        let value = if self.is_log { value.log10() } else { value };
        let (low, high) = self.range;
        let (start, end) = (f64::from(self.ends.0), f64::from(self.ends.1));
        (f64::from(SCALE) * (start + (value - low) / (high - low) * (end - start))).round() as i32
    }

    /// The vertical axis: lines across, their numbers, and what they are.
    fn draw_values(
        &self,
        canvas: &Canvas<'_>,
        x: &Self,
        title: &str,
        print: Option<fn(f64) -> String>,
    ) -> Result<(), DrawError> {
        let (ticks, decimals) = if self.is_log {
            (decades(self.range), 0)
        } else {
            panel::ticks(self.range, 6)
        };
        for tick in ticks {
            let y = self.place(tick / self.scale);
            canvas.line(
                [(x.ends.0 * SCALE, y), (x.ends.1 * SCALE, y)],
                panel::GRID,
                2,
            )?;
            let label = match print {
                Some(_) if tick == 0.0 => "0".to_owned(),
                Some(print) => print(tick),
                None => format!("{tick:.decimals$}").replace('-', "−"),
            };
            let place = (x.ends.0 - 6, y / SCALE);
            canvas.text(&label, place, TextAt::Right, 11.0, panel::GREY)?;
        }
        canvas.text(title, (x.ends.0, 5), TextAt::Left, 11.5, panel::INK)
    }

    /// The horizontal axis: a number below each place, as far as they do not overlap.
    fn draw_places(
        &self,
        canvas: &Canvas<'_>,
        places: impl Iterator<Item = f64>,
        title: &str,
    ) -> Result<(), DrawError> {
        let bottom = HEIGHT * SCALE;
        canvas.line(
            [(self.ends.0 * SCALE, bottom), (self.ends.1 * SCALE, bottom)],
            panel::GREY,
            3,
        )?;
        let mut places: Vec<f64> = places.collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let mut free = i32::MIN;
        for at in places {
            let (label, x) = (format!("{at}").replace('-', "−"), self.place(at) / SCALE);
            let half = (label.chars().count() as f64 * 0.3 * 11.0) as i32;
            if x - half > free {
                canvas.line(
                    [(x * SCALE, bottom), (x * SCALE, bottom + 4 * SCALE)],
                    panel::GREY,
                    3,
                )?;
                canvas.text(&label, (x, HEIGHT + 12), TextAt::Middle, 11.0, panel::GREY)?;
                free = x + half + 6;
            }
        }
        let middle = (self.ends.0 + self.ends.1) / 2;
        canvas.text(
            &clean(title),
            (middle, HEIGHT + 31),
            TextAt::Middle,
            11.5,
            panel::INK,
        )
    }
}

/// 1, 3, 10, 30 … within a range of decimal logarithms.
fn decades((low, high): (f64, f64)) -> Vec<f64> {
    let exponents = low.floor() as i32..=high.ceil() as i32;
    let numbers =
        exponents.flat_map(|exponent| [1.0, 3.0].map(|digit| digit * 10_f64.powi(exponent)));
    numbers
        .filter(|number| (low..=high).contains(&number.log10()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(name: &str, points: &[(Option<f64>, f64)]) -> Curve {
        let point = |&(at, value): &(Option<f64>, f64)| {
            let interval = Some((value - 0.1, value + 0.1));
            (at, Estimate { value, interval })
        };
        Curve {
            name: name.to_owned(),
            points: points.iter().map(point).collect(),
            seconds: points
                .iter()
                .map(|&(at, value)| (at, 10.0 * value))
                .collect(),
        }
    }

    fn svg(curves: Vec<Curve>) -> String {
        let figure = CurveFigure {
            curves,
            x_axis: "<n>".to_owned(),
            y_axis: "Accuracy (%)".to_owned(),
            format: Format::of("accuracy", [].into_iter()),
            marks: None,
            alt: "a \"curve\"".to_owned(),
        };
        figure.svg()
    }

    fn circles(svg: &str) -> Vec<(f64, f64)> {
        let number = |text: &str, key: &str| -> f64 {
            let (_, rest) = text.split_once(&format!("{key}=\"")).unwrap();
            rest.split('"').next().unwrap().parse().unwrap()
        };
        let of = |rest: &str| (number(rest, "cx"), number(rest, "cy"));
        svg.split("<circle ").skip(1).map(of).collect()
    }

    #[test]
    fn points_stand_where_the_axes_say() {
        let points = [(Some(1.0), 0.2), (Some(2.0), 0.4), (Some(4.0), 0.8)];
        let svg = svg(vec![curve("a", &points)]);
        // Three in each panel, and one in the legend.
        let places = circles(&svg);
        assert_eq!(places.len(), 7, "{svg}");
        let (x, y): (Vec<f64>, Vec<f64>) = places[..3].iter().copied().unzip();
        assert!(((x[2] - x[1]) - 2.0 * (x[1] - x[0])).abs() < 3.0, "{x:?}");
        assert!(((y[2] - y[1]) - 2.0 * (y[1] - y[0])).abs() < 3.0, "{y:?}");
        assert!(y[0] > y[2] && svg.contains("&lt;n&gt;") && svg.contains("a &quot;curve&quot;"));
    }

    #[test]
    fn places_far_apart_are_on_a_logarithmic_axis() {
        let places = circles(&svg(vec![curve(
            "a",
            &[(Some(1.0), 0.5), (Some(10.0), 0.6), (Some(100.0), 0.7)],
        )]));
        let x: Vec<f64> = places[..3].iter().map(|place| place.0).collect();
        assert!(((x[2] - x[1]) - (x[1] - x[0])).abs() < 3.0, "{x:?}");
    }

    #[test]
    fn nothing_and_what_is_not_finite_is_drawn_without_harm() {
        assert!(svg(Vec::new()).contains("</svg>"));
        let odd = curve(
            "odd",
            &[(Some(f64::NAN), 0.1), (Some(1.0), f64::NAN), (None, 0.3)],
        );
        assert!(svg(vec![odd]).contains("</svg>"));
        assert_eq!(
            decades((-1.0, 1.0)),
            [0.1, 0.30000000000000004, 1.0, 3.0, 10.0]
        );
    }

    #[test]
    fn a_long_legend_goes_on_below() {
        let names: Vec<String> = (0..9)
            .map(|index| format!("a name of some length {index}"))
            .collect();
        let places = legend(&names);
        assert!(places.iter().all(|(left, _)| *left < WIDTH - 180));
        assert!(places.last().unwrap().1 >= 2, "{places:?}");
    }
}
