//! One panel of a figure: an axis of numbers, and estimates on it.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Estimate, Format};

pub(super) type DrawError = DrawingAreaErrorKind<std::io::Error>;

/// Okabe & Ito's palette, told apart with any colour vision; every colour has its own mark besides.
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(super) const VERMILION: RGBColor = RGBColor(213, 94, 0);
pub(super) const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub(super) const GREY: RGBColor = RGBColor(95, 95, 95);
pub(super) const INK: RGBColor = RGBColor(30, 30, 30);
pub(super) const GRID: RGBColor = RGBColor(225, 225, 225);

/// The palette without its yellow: what tells several curves or groups apart.
const COLOURS: [RGBColor; 7] = [
    BLUE,
    VERMILION,
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    ORANGE,
    RGBColor(86, 180, 233),
    INK,
];
const MARKS: [Mark; 6] = [
    Mark::Dot,
    Mark::Up,
    Mark::Square,
    Mark::Diamond,
    Mark::Down,
    Mark::Ring,
];

/// Neither number divides the other, so that 42 of them look different.
pub(super) fn style(index: usize) -> (RGBColor, Mark) {
    (COLOURS[index % COLOURS.len()], MARKS[index % MARKS.len()])
}

/// plotters draws on whole pixels, so it draws at three times the size.
pub(super) const SCALE: i32 = 3;

/// What is drawn on, in pixels of the page.
pub(super) struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

/// The shape of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mark {
    Dot,
    Ring,
    Diamond,
    Square,
    Up,
    Down,
}

/// Which end of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TextAt {
    Left,
    Middle,
    Right,
}

impl Canvas<'_> {
    /// A drawing as SVG that scales with the page and is read out as `alt`.
    pub(super) fn draw(
        width: i32,
        height: i32,
        alt: &str,
        draw: impl FnOnce(&Canvas<'_>) -> Result<(), DrawError>,
    ) -> Result<String, DrawError> {
        let mut drawn = String::new();
        {
            let size = ((width * SCALE) as u32, (height * SCALE) as u32);
            let canvas = Canvas(SVGBackend::with_string(&mut drawn, size).into_drawing_area());
            canvas.0.fill(&WHITE)?;
            draw(&canvas)?;
            canvas.0.present()?;
        }
        let content = drawn.split_once('>').map_or("", |(_, content)| content);
        let alt = minijinja::HtmlEscape(alt);
        Ok(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" \
             role=\"img\" aria-label=\"{alt}\">{content}",
            width * SCALE,
            height * SCALE
        ))
    }

    pub(super) fn text(
        &self,
        text: &str,
        (x, y): (i32, i32),
        at: TextAt,
        size: f64,
        colour: RGBColor,
    ) -> Result<(), DrawError> {
        let horizontal = match at {
            TextAt::Left => HPos::Left,
            TextAt::Middle => HPos::Center,
            TextAt::Right => HPos::Right,
        };
        // The backend divides sizes by 1.24.
        let style = ("sans-serif", size * 1.24 * f64::from(SCALE))
            .into_font()
            .color(&colour)
            .pos(Pos::new(horizontal, VPos::Center));
        self.0
            .draw(&Text::new(text.to_owned(), (x * SCALE, y * SCALE), style))
    }

    /// A line between two places of the drawing itself.
    pub(super) fn line(
        &self,
        places: [(i32, i32); 2],
        colour: RGBColor,
        width: u32,
    ) -> Result<(), DrawError> {
        self.0
            .draw(&PathElement::new(places, colour.stroke_width(width)))
    }

    /// A point in a place of the drawing itself.
    pub(super) fn mark(
        &self,
        (x, y): (i32, i32),
        mark: Mark,
        colour: RGBColor,
    ) -> Result<(), DrawError> {
        let polygon = |corners: Vec<(i32, i32)>| {
            let corners: Vec<(i32, i32)> = corners
                .into_iter()
                .map(|(dx, dy)| (x + dx, y + dy))
                .collect();
            self.0.draw(&Polygon::new(corners, colour.filled()))
        };
        match mark {
            Mark::Dot => self.0.draw(&Circle::new((x, y), 14, colour.filled())),
            Mark::Ring => {
                self.0.draw(&Circle::new((x, y), 13, WHITE.filled()))?;
                self.0
                    .draw(&Circle::new((x, y), 13, colour.stroke_width(5)))
            }
            Mark::Diamond => polygon(vec![(0, -18), (18, 0), (0, 18), (-18, 0)]),
            Mark::Square => polygon(vec![(-13, -13), (13, -13), (13, 13), (-13, 13)]),
            Mark::Up => polygon(vec![(0, -17), (17, 13), (-17, 13)]),
            Mark::Down => polygon(vec![(0, 17), (17, -13), (-17, -13)]),
        }
    }
}

/// A horizontal axis over rows.
pub(super) struct Panel {
    /// Left and right end.
    x: (i32, i32),
    /// Top and bottom.
    y: (i32, i32),
    /// What stands at the ends, in the unit of the axis.
    range: (f64, f64),
    scale: f64,
    /// Whether 0 is marked.
    zero: bool,
}

impl Panel {
    /// An axis wide enough for the estimates, and for 0 where that is marked.
    pub(super) fn new(
        x: (i32, i32),
        y: (i32, i32),
        estimates: impl Iterator<Item = Estimate>,
        format: Format,
        zero: bool,
    ) -> Self {
        let ends = ends_of(estimates).chain(zero.then_some(0.0));
        Self {
            x,
            y,
            range: range(ends.map(|end| end * format.scale)),
            scale: format.scale,
            zero,
        }
    }

    pub(super) fn draw_axis(&self, canvas: &Canvas<'_>, title: &str) -> Result<(), DrawError> {
        let (top, bottom) = self.y;
        let (ticks, decimals) = ticks(self.range, (self.x.1 - self.x.0) / 42);
        for tick in ticks {
            let x = self.place(tick);
            canvas.line([(x, top * SCALE), (x, bottom * SCALE)], GRID, 2)?;
            let label =
                format!("{:.decimals$}", if tick == 0.0 { 0.0 } else { tick }).replace('-', "−");
            canvas.text(&label, (x / SCALE, bottom + 12), TextAt::Middle, 11.0, GREY)?;
        }
        if self.zero {
            let x = self.place(0.0);
            canvas.line([(x, top * SCALE), (x, bottom * SCALE)], INK, 3)?;
        }
        canvas.line(
            [
                (self.x.0 * SCALE, bottom * SCALE),
                (self.x.1 * SCALE, bottom * SCALE),
            ],
            GREY,
            3,
        )?;
        canvas.text(
            title,
            ((self.x.0 + self.x.1) / 2, bottom + 31),
            TextAt::Middle,
            11.5,
            INK,
        )
    }

    /// A level to compare all rows with.
    pub(super) fn draw_line(&self, canvas: &Canvas<'_>, level: f64) -> Result<(), DrawError> {
        let x = self.place(level * self.scale);
        canvas.line([(x, self.y.0 * SCALE), (x, self.y.1 * SCALE)], ORANGE, 3)
    }

    pub(super) fn draw(
        &self,
        canvas: &Canvas<'_>,
        estimate: Estimate,
        centre: i32,
        colour: RGBColor,
        mark: Mark,
    ) -> Result<(), DrawError> {
        let y = centre * SCALE;
        if let Some((low, high)) = estimate.interval {
            let (low, high) = (self.place(low * self.scale), self.place(high * self.scale));
            canvas.line([(low, y), (high, y)], colour, 6)?;
            for end in [low, high] {
                canvas.line([(end, y - 9), (end, y + 9)], colour, 4)?;
            }
        }
        let x = self.place(estimate.value * self.scale);
        canvas.mark((x, y), mark, colour)
    }

    fn place(&self, value: f64) -> i32 {
        let (low, high) = self.range;
        let (left, right) = (f64::from(self.x.0), f64::from(self.x.1));
        (f64::from(SCALE) * (left + (value - low) / (high - low) * (right - left))).round() as i32
    }
}

/// Values and the ends of their intervals.
pub(super) fn ends_of(estimates: impl Iterator<Item = Estimate>) -> impl Iterator<Item = f64> {
    estimates.flat_map(|estimate| {
        let (low, high) = estimate
            .interval
            .unwrap_or((estimate.value, estimate.value));
        [estimate.value, low, high]
    })
}

/// A range that shows all of the values that are finite, with room at both ends.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), end| {
        (low.min(end), high.max(end))
    });
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let room = if high - low > 1e-9 * high.abs().max(low.abs()) {
        0.07 * (high - low)
    } else {
        // One value alone, in the middle of something.
        if low == 0.0 { 1.0 } else { 0.1 * low.abs() }
    };
    (low - room, high + room)
}

/// At most `most` round numbers in a range, and the decimals they need.
pub(super) fn ticks((low, high): (f64, f64), most: i32) -> (Vec<f64>, usize) {
    let most = f64::from(most.max(2));
    let unit = 10.0_f64.powf(((high - low) / most).log10().floor());
    let ends = |step: f64| ((low / step).ceil(), (high / step).floor());
    let fits = |step: &f64| {
        let (first, last) = ends(*step);
        last - first < most
    };
    let steps = [1.0, 2.0, 5.0].map(|factor| factor * unit);
    let step = steps.into_iter().find(fits).unwrap_or(10.0 * unit);
    let (first, last) = ends(step);
    // A step of 0.5 has one decimal, and so has one that is 0.1 but for rounding.
    let decimals = -(step * 1.000_001).log10().floor();
    let count = (last - first) as usize;
    (
        (0..=count).map(|k| (first + k as f64) * step).collect(),
        decimals.clamp(0.0, 12.0) as usize,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(
            ticks((0.0, 10.0), 6),
            (vec![0.0, 2.0, 4.0, 6.0, 8.0, 10.0], 0)
        );
        assert_eq!(ticks((-3.2, 3.2), 4), (vec![-2.0, 0.0, 2.0], 0));
        assert_eq!(
            ticks((0.1, 0.4), 5),
            (vec![0.1, 0.2, 0.30000000000000004, 0.4], 1)
        );
        let (fine, decimals) = ticks((0.7111, 0.7199), 4);
        assert_eq!((fine.len(), decimals), (4, 3));
        assert!(ticks((1e-9, 3e-9), 4).0.len() >= 2 && ticks((1e9, 9e9), 4).1 == 0);
    }

    #[test]
    fn every_axis_has_width() {
        let format = Format::of("rmse", [].into_iter());
        for values in [
            vec![],
            vec![0.0],
            vec![-3.0, -3.0],
            vec![f64::NAN],
            vec![1e-300],
            vec![1.0, 2.0],
        ] {
            let estimates = values.iter().map(|&value| Estimate {
                value,
                interval: None,
            });
            let panel = Panel::new((0, 100), (0, 10), estimates, format, false);
            assert!(
                panel.range.0 < panel.range.1,
                "{values:?} {:?}",
                panel.range
            );
            for &value in values.iter().filter(|value| value.is_finite()) {
                assert!((0..=300).contains(&panel.place(value)));
            }
        }
    }
}
