//! The graph of tasks: who helps whom.

use plotters::style::RGBColor;

use super::layout::{self, Edge};
use super::panel::{self, Canvas, DrawError, Mark, SCALE, TextAt, style};
use super::{MARGIN, WIDTH};
use crate::report::format::clean;

/// A task.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Vertex {
    pub(in crate::report) name: String,
    pub(in crate::report) group: Option<usize>,
}

/// What it shows.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct GraphFigure {
    pub(in crate::report) vertices: Vec<Vertex>,
    /// The edges that are drawn: their ends, and their weight, of which the largest is 1.
    pub(in crate::report) edges: Vec<Edge>,
    /// What an edge of weight 1 stands for, as it is printed.
    pub(in crate::report) largest: String,
    /// An order in which tasks that help each other stand together.
    pub(in crate::report) order: Vec<usize>,
    /// Tasks without any edge, drawn or not.
    pub(in crate::report) isolated: Vec<usize>,
    /// What is read out in place of the figure.
    pub(in crate::report) alt: String,
}

/// All in pixels of the page: for few tasks, and for many.
const HEIGHTS: (i32, i32) = (300, 560);
/// Around the places of vertices, for their marks and names.
const FRAME: i32 = 26;
/// A line of isolated tasks, and one of the legend.
const LINE: i32 = 22;
/// Beyond so many tasks names are small and no more than each one's strongest edges are drawn.
const FEW: usize = 12;
const STRONGEST: usize = 3;

/// All edges of a graph of few tasks; of many those that are among the strongest of either end. The strongest come last, so
/// that they are on top.
pub(in crate::report) fn drawn_edges(weights: &ndarray::Array2<f64>) -> Vec<Edge> {
    let n = weights.nrows();
    let most = if n <= FEW { n } else { STRONGEST };
    let mut edges: Vec<Edge> = Vec::new();
    for a in 0..n {
        let mut others: Vec<usize> = (0..n).filter(|&b| weights[[a, b]] > 0.0).collect();
        others.sort_by(|&b, &c| weights[[a, c]].total_cmp(&weights[[a, b]]));
        for b in others.into_iter().take(most) {
            edges.push((a.min(b), a.max(b), weights[[a, b]]));
        }
    }
    let ends = |edge: &Edge| (edge.0, edge.1);
    edges.sort_by(|one, other| {
        let by_weight = one.2.total_cmp(&other.2);
        by_weight.then_with(|| ends(one).cmp(&ends(other)))
    });
    edges.dedup();
    edges
}

impl GraphFigure {
    /// The figure as SVG.
    pub(in crate::report) fn svg(&self) -> String {
        let isolated_lines = isolated_lines(&self.names_of_isolated());
        let height = self.bottom() + LINE * (1 + isolated_lines.len() as i32) + 8;
        // Drawing into a string does not fail; if it did, the tables say all the same.
        Canvas::draw(WIDTH, height, &clean(&self.alt), |canvas| {
            self.draw(canvas, &isolated_lines)
        })
        .unwrap_or_default()
    }

    /// Below the places of vertices.
    fn bottom(&self) -> i32 {
        if self.vertices.len() <= FEW {
            HEIGHTS.0
        } else {
            HEIGHTS.1
        }
    }

    /// Of an edge, in thirds of a pixel; thin where there are many.
    fn width(&self, weight: f64) -> u32 {
        let most = if self.vertices.len() <= FEW {
            12.0
        } else {
            5.0
        };
        (2.0 + most * weight.clamp(0.0, 1.0)).round() as u32
    }

    fn names_of_isolated(&self) -> Vec<String> {
        let name = |&task: &usize| clean(&self.vertices[task].name);
        self.isolated.iter().map(name).collect()
    }

    fn draw(&self, canvas: &Canvas<'_>, isolated: &[String]) -> Result<(), DrawError> {
        // Numbered anew, without the isolated ones.
        let connected: Vec<usize> = (self.order.iter().copied())
            .filter(|task| !self.isolated.contains(task))
            .collect();
        let mut number = vec![None; self.vertices.len()];
        for (new, &task) in connected.iter().enumerate() {
            number[task] = Some(new);
        }
        let edges: Vec<Edge> = (self.edges.iter())
            .filter_map(|&(a, b, weight)| Some((number[a]?, number[b]?, weight)))
            .collect();
        let order: Vec<usize> = (0..connected.len()).collect();
        let few = self.vertices.len() <= FEW;
        // Names of few tasks need room to either side.
        let side = if few { 70 } else { FRAME };
        let frame = (
            f64::from(WIDTH - 2 * MARGIN - 2 * side),
            f64::from(self.bottom() - 2 * FRAME),
        );
        let apart = if few { 60.0 } else { 26.0 };
        let places: Vec<(i32, i32)> = layout::places(&order, &edges, frame, apart)
            .into_iter()
            .map(|(x, y)| {
                let scaled =
                    |at: f64, from: i32| ((f64::from(from) + at) * f64::from(SCALE)).round();
                (scaled(x, MARGIN + side) as i32, scaled(y, FRAME) as i32)
            })
            .collect();
        for &(a, b, weight) in &edges {
            canvas.line([places[a], places[b]], shade(weight), self.width(weight))?;
        }
        let size = if few { 12.5 } else { 9.5 };
        for (&task, &(x, y)) in connected.iter().zip(&places) {
            let vertex = &self.vertices[task];
            let (colour, mark) = vertex.group.map_or((panel::GREY, Mark::Dot), style);
            canvas.mark((x, y), mark, colour)?;
            let above = if few { 14 } else { 11 };
            let place = (x / SCALE, y / SCALE - above);
            let name = clean(&vertex.name);
            canvas.text(&name, place, TextAt::Middle, size, panel::INK)?;
        }
        self.draw_legend(canvas)?;
        for (line, names) in isolated.iter().enumerate() {
            let y = self.bottom() + LINE * (1 + line as i32) + LINE / 2;
            if line == 0 {
                canvas.mark((SCALE * (MARGIN + 8), SCALE * y), Mark::Ring, panel::GREY)?;
            }
            canvas.text(names, (MARGIN + 22, y), TextAt::Left, 11.5, panel::GREY)?;
        }
        Ok(())
    }

    /// What a strong and a weak line stand for.
    fn draw_legend(&self, canvas: &Canvas<'_>) -> Result<(), DrawError> {
        let y = self.bottom() + LINE / 2;
        let mut left = MARGIN;
        let strongest = format!("the strongest edge, {}", self.largest);
        for (weight, label) in [
            (1.0, strongest.as_str()),
            (0.5, "half of it"),
            (0.1, "a tenth"),
        ] {
            let ends = [(left * SCALE, y * SCALE), ((left + 30) * SCALE, y * SCALE)];
            canvas.line(ends, shade(weight), self.width(weight))?;
            canvas.text(label, (left + 38, y), TextAt::Left, 11.5, panel::INK)?;
            left += 38 + (label.chars().count() as f64 * 6.2) as i32 + 28;
        }
        Ok(())
    }
}

/// `no other task helps: 3, 17, …`, in lines.
fn isolated_lines(names: &[String]) -> Vec<String> {
    if names.is_empty() {
        return Vec::new();
    }
    let text = format!("isolated, do not transfer: {}", names.join(", "));
    super::wrap(&text, 100)
}

/// From pale to blue.
fn shade(weight: f64) -> RGBColor {
    let (pale, strong) = (RGBColor(205, 220, 232), panel::BLUE);
    let mix = |from: u8, to: u8| {
        (f64::from(from) + weight.clamp(0.0, 1.0) * (f64::from(to) - f64::from(from))).round() as u8
    };
    RGBColor(
        mix(pale.0, strong.0),
        mix(pale.1, strong.1),
        mix(pale.2, strong.2),
    )
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::report::figure::test_places;

    fn figure(n: usize, weights: &ndarray::Array2<f64>, isolated: Vec<usize>) -> GraphFigure {
        let vertex = |number: usize| Vertex {
            name: format!("<task {number}>"),
            group: number.is_multiple_of(2).then_some(number),
        };
        GraphFigure {
            vertices: (0..n).map(vertex).collect(),
            edges: drawn_edges(weights),
            largest: "12 %".to_owned(),
            order: (0..n).rev().collect(),
            isolated,
            alt: "a & b".to_owned(),
        }
    }

    #[test]
    fn every_task_and_edge_is_drawn_within_the_frame() {
        let weights = array![
            [0.0, 1.0, 0.2, 0.0],
            [1.0, 0.0, 0.0, 0.0],
            [0.2, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 0.0]
        ];
        let svg = figure(4, &weights, vec![3]).svg();
        // Two edges, and three lines of the legend.
        assert_eq!(svg.matches("<polyline").count(), 5, "{svg}");
        for name in 0..3 {
            assert!(svg.contains(&format!("&lt;task {name}&gt;")), "{svg}");
        }
        assert!(svg.contains("isolated, do not transfer: &lt;task 3&gt;"));
        let height = f64::from(SCALE * (HEIGHTS.0 + 2 * LINE + 8));
        let places = test_places(&svg);
        assert!(places.len() >= 10 && !svg.contains("NaN"), "{svg}");
        for (x, y) in places {
            assert!((0.0..=f64::from(SCALE * WIDTH)).contains(&x), "{x}");
            assert!((0.0..=height).contains(&y), "{y}");
        }
        assert_eq!(svg, figure(4, &weights, vec![3]).svg());
    }

    #[test]
    fn of_many_tasks_the_strongest_edges_are_drawn() {
        let n = 20;
        // The nearer in number the stronger, but for the first, which has no edge.
        let weights = ndarray::Array2::from_shape_fn((n, n), |(a, b)| {
            if a == b || a == 0 || b == 0 {
                0.0
            } else {
                1.0 / a.abs_diff(b) as f64
            }
        });
        let edges = drawn_edges(&weights);
        for a in 1..n {
            let of_a = edges.iter().filter(|edge| edge.0 == a || edge.1 == a);
            assert!(of_a.count() >= STRONGEST, "{a}");
        }
        assert!(
            edges
                .iter()
                .all(|&(a, b, weight)| a > 0 && weight == weights[[a, b]])
        );
        assert!(
            edges
                .windows(2)
                .all(|two| two[0].2 <= two[1].2 && two[0] != two[1])
        );
        // Each neighbour of each is there, and none further than three.
        assert!((2..n).all(|b| edges.contains(&(b - 1, b, 1.0))));
        assert!(edges.iter().all(|&(a, b, _)| b - a <= 3));
    }

    #[test]
    fn a_graph_without_edges_is_drawn_without_harm() {
        let svg = figure(2, &ndarray::Array2::zeros((2, 2)), vec![0, 1]).svg();
        assert!(svg.contains("&lt;task 0&gt;, &lt;task 1&gt;") && svg.contains("</svg>"));
    }
}
