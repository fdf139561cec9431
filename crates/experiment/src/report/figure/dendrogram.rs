//! The tree of tasks: a row for each, and where they are joined.

use plotters::style::RGBColor;
use translearn_diagnostics::relatedness::Dendrogram;

use super::panel::{self, Canvas, DrawError, SCALE, TextAt, style};
use super::{MARGIN, WIDTH};
use crate::report::format::clean;

/// A task.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Leaf {
    pub(in crate::report) name: String,
    pub(in crate::report) group: Option<usize>,
}

/// What it shows.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct DendrogramFigure {
    /// By task.
    pub(in crate::report) leaves: Vec<Leaf>,
    pub(in crate::report) tree: Dendrogram,
    /// How many groups the cut makes; none without a cut.
    pub(in crate::report) groups: Option<usize>,
    pub(in crate::report) axis: String,
    /// What is read out in place of the figure.
    pub(in crate::report) alt: String,
}

/// All in pixels of the page.
const TOP: i32 = 22;
const AXIS: i32 = 44;
/// Beyond so many tasks rows are low.
const FEW: usize = 40;

/// Where a group stands: across by its height, down in the middle of what it joins.
#[derive(Debug, Clone, Copy)]
struct Place {
    height: f64,
    y: i32,
    group: Option<usize>,
}

impl DendrogramFigure {
    fn row(&self) -> i32 {
        if self.leaves.len() > FEW { 11 } else { 18 }
    }

    fn bottom(&self) -> i32 {
        TOP + self.row() * self.leaves.len() as i32
    }

    /// The figure as SVG.
    pub(in crate::report) fn svg(&self) -> String {
        // Drawing into a string does not fail; if it did, the tables say all the same.
        let height = self.bottom() + AXIS;
        Canvas::draw(WIDTH, height, &clean(&self.alt), |canvas| self.draw(canvas))
            .unwrap_or_default()
    }

    /// Between the last merge within a group and the first of two groups; none where there are no groups.
    fn cut(&self) -> Option<f64> {
        let height = |merge: usize| self.tree.merges().get(merge).map(|merge| merge.height);
        let above = self
            .tree
            .merges()
            .len()
            .checked_sub(self.groups?.checked_sub(1)?)?;
        let below = above.checked_sub(1).and_then(height).unwrap_or(0.0);
        Some(0.5 * (below + height(above)?))
    }

    fn draw(&self, canvas: &Canvas<'_>) -> Result<(), DrawError> {
        let (row, bottom) = (self.row(), self.bottom());
        let size = if row < 12 { 9.5 } else { 12.5 };
        let longest = self.leaves.iter().map(|leaf| leaf.name.chars().count());
        let names = (longest.max().unwrap_or(0) as f64 * 0.56 * size) as i32 + 24;
        let (left, right) = (MARGIN + 8, WIDTH - MARGIN - names.min(WIDTH / 2));
        let highest = self.tree.merges().last().map_or(1.0, |merge| merge.height);
        let highest = if highest > 0.0 { highest } else { 1.0 };
        let across = |height: f64| {
            let share = (height / highest).clamp(0.0, 1.0);
            let at = f64::from(right) - share * f64::from(right - left);
            (f64::from(SCALE) * at).round() as i32
        };
        self.draw_axis(canvas, (left, right), highest, &across)?;
        if let Some(cut) = self.cut() {
            let x = across(cut);
            canvas.line([(x, TOP * SCALE), (x, bottom * SCALE)], panel::ORANGE, 4)?;
            let label = format!("cut: {} groups", self.groups.unwrap_or(0));
            let at = if x / SCALE < WIDTH / 2 {
                TextAt::Left
            } else {
                TextAt::Right
            };
            canvas.text(&label, (x / SCALE, TOP - 12), at, 11.5, panel::INK)?;
        }
        let mut places: Vec<Place> = (self.leaves.iter())
            .map(|leaf| Place {
                height: 0.0,
                y: 0,
                group: leaf.group,
            })
            .collect();
        for (position, &task) in self.tree.leaves().iter().enumerate() {
            places[task].y = SCALE * (TOP + row * position as i32) + SCALE * row / 2;
        }
        for merge in self.tree.merges() {
            let (one, other) = (places[merge.left], places[merge.right]);
            // Above the cut nothing is of one group.
            let group = one.group.filter(|_| one.group == other.group);
            let x = across(merge.height);
            let colour = group.map_or(panel::GREY, |group| style(group).0);
            canvas.line([(x, one.y), (x, other.y)], colour, 4)?;
            for end in [one, other] {
                canvas.line([(x, end.y), (across(end.height), end.y)], colour, 4)?;
            }
            places.push(Place {
                height: merge.height,
                y: (one.y + other.y) / 2,
                group,
            });
        }
        for (leaf, place) in self.leaves.iter().zip(&places) {
            let colour: RGBColor = leaf.group.map_or(panel::GREY, |group| style(group).0);
            if let Some(group) = leaf.group {
                canvas.mark(((right + 9) * SCALE, place.y), style(group).1, colour)?;
            }
            let at = (right + 18, place.y / SCALE);
            canvas.text(&clean(&leaf.name), at, TextAt::Left, size, panel::INK)?;
        }
        Ok(())
    }

    fn draw_axis(
        &self,
        canvas: &Canvas<'_>,
        (left, right): (i32, i32),
        highest: f64,
        across: &dyn Fn(f64) -> i32,
    ) -> Result<(), DrawError> {
        let bottom = self.bottom();
        let (ticks, decimals) = panel::ticks((0.0, highest), 8);
        for tick in ticks {
            let x = across(tick);
            canvas.line([(x, TOP * SCALE), (x, bottom * SCALE)], panel::GRID, 2)?;
            let label = format!("{tick:.decimals$}");
            canvas.text(
                &label,
                (x / SCALE, bottom + 12),
                TextAt::Middle,
                11.0,
                panel::GREY,
            )?;
        }
        let middle = ((left + right) / 2, bottom + 31);
        canvas.text(&self.axis, middle, TextAt::Middle, 11.5, panel::INK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::test_places;

    fn figure(groups: [Option<usize>; 4]) -> DendrogramFigure {
        // 0 and 2 are joined at 0.1, 1 and 3 at 0.3, both at 0.9.
        let distances = ndarray::array![
            [0.0, 0.9, 0.1, 0.9],
            [0.9, 0.0, 0.9, 0.3],
            [0.1, 0.9, 0.0, 0.9],
            [0.9, 0.3, 0.9, 0.0]
        ];
        let leaf = |(number, group)| Leaf {
            name: format!("<task {number}>"),
            group,
        };
        DendrogramFigure {
            groups: groups.iter().max().copied().flatten().map(|last| last + 1),
            leaves: groups.into_iter().enumerate().map(leaf).collect(),
            tree: Dendrogram::average_linkage(&distances).unwrap(),
            axis: "Distance".to_owned(),
            alt: "a tree".to_owned(),
        }
    }

    /// Ends of the lines of a drawing.
    fn lines(svg: &str) -> Vec<[(f64, f64); 2]> {
        let line = |element: &str| {
            let places = test_places(&format!("<<polyline {element}"));
            [places[0], places[1]]
        };
        svg.split("<polyline").skip(1).map(line).collect()
    }

    #[test]
    fn every_task_and_merge_is_drawn_where_it_stands() {
        let figure = figure([0, 1, 0, 1].map(Some));
        let svg = figure.svg();
        assert_eq!(figure.tree.leaves(), [0, 2, 1, 3]);
        assert!(!svg.contains("NaN") && svg.contains("cut: 2 groups"));
        for name in 0..4 {
            assert!(svg.contains(&format!("&lt;task {name}&gt;")), "{svg}");
        }
        let upright: Vec<f64> = lines(&svg)
            .iter()
            .filter(|[one, other]| one.0 == other.0)
            .map(|[one, _]| one.0)
            .collect();
        // Grid, cut, and a line for each merge, the higher the further to the left.
        let [.., low, middle, high] = upright[..] else {
            panic!("{svg}")
        };
        assert!(((low - middle) / (middle - high) - 0.2 / 0.6).abs() < 0.02);
        let cut = upright[upright.len() - 4];
        assert!((cut - 0.5 * (middle + high)).abs() < 2.0, "{upright:?}");
        for (x, y) in test_places(&svg) {
            assert!((0.0..=f64::from(SCALE * WIDTH)).contains(&x), "{x}");
            assert!((0.0..=f64::from(SCALE * (figure.bottom() + AXIS))).contains(&y));
        }
    }

    #[test]
    fn without_groups_there_is_no_cut() {
        let figure = figure([None; 4]);
        assert_eq!(figure.cut(), None);
        let svg = figure.svg();
        assert!(!svg.contains("cut:") && svg.contains("&lt;task 3&gt;"));
    }

    #[test]
    fn groups_of_one_are_cut_below_the_first_merge() {
        let figure = figure([0, 1, 2, 3].map(Some));
        assert!((figure.cut().unwrap() - 0.05).abs() < 1e-12);
    }
}
