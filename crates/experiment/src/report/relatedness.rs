//! The page and the table of `cargo xtask relate`.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use minijinja::value::Serde;
use serde::Serialize;
use translearn_core::TransferError;

use super::figure::{DendrogramFigure, GraphFigure, Leaf, Vertex, drawn_edges};
use super::format::{Format, clean, count, points};
use super::terminal::align;
use super::{STYLE, environment, put};
use crate::relate::{
    Comparison, Measure, Metric, RelateError, RelatedTask, Relatedness, Score, Start,
    shared_rows_warning,
};

/// Beyond so many tasks the gains of all pairs are no table to read.
const MOST_GAINS: usize = 24;

/// What the template shows.
#[derive(Debug, Serialize)]
struct View {
    set: String,
    facts: String,
    warning: Option<String>,
    measures: Vec<MeasureView>,
    finding: String,
    graph: String,
    graph_caption: String,
    tree: String,
    tree_caption: String,
    names: Vec<String>,
    /// Empty for many tasks. The colour behind a gain, and the gain.
    gains: Vec<(String, Vec<(String, String)>)>,
    splits: usize,
    held_out: String,
    reliability: String,
}

/// What transfer is worth by one metric.
#[derive(Debug, Serialize)]
struct MeasureView {
    title: &'static str,
    unit: &'static str,
    scores: Vec<[String; 3]>,
    /// What, mean, interval, verdict.
    comparisons: Vec<[String; 4]>,
}

/// Writes `relatedness.json` and `relatedness.html` into a folder; where the page is.
pub(crate) fn write_relatedness(
    folder: &Path,
    found: &Relatedness,
) -> Result<PathBuf, RelateError> {
    let page = folder.join("relatedness.html");
    let view = View::new(found)?;
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let json = serde_json::to_string_pretty(found)?;
        put(folder, "relatedness.json", &format!("{json}\n"))?;
        let environment = environment().map_err(io::Error::other)?;
        let template = environment.get_template("relatedness.html");
        let html = template
            .and_then(|template| {
                template.render(minijinja::context! { page => Serde(&view), style => STYLE })
            })
            .map_err(io::Error::other)?;
        put(folder, "relatedness.html", &html)
    };
    write().map_err(|source| RelateError::Write {
        path: folder.to_owned(),
        source,
    })?;
    Ok(page)
}

/// What the command says at its end.
///
/// ```text
/// fsdd (6 tasks, 26 columns)   Accuracy (%)   std
/// nothing                             90.12  0.41
/// ```
pub(crate) fn relatedness_table(found: &Relatedness, page: &Path) -> String {
    let mut text = String::new();
    let mut name = format!("{} ({})", clean(&found.set), shape(found));
    for measure in &found.measures {
        let view = MeasureView::new(measure);
        let head = [name, view.title.to_owned(), "std".to_owned()];
        let mut rows = vec![head.to_vec()];
        rows.extend(view.scores.iter().map(|score| score.to_vec()));
        text.push_str(&align(&rows));
        text.push('\n');
        let head = ["difference", "gain", "95 % interval", "verdict"].map(str::to_owned);
        let mut rows = vec![head.to_vec()];
        rows.extend(
            view.comparisons
                .iter()
                .map(|comparison| comparison.to_vec()),
        );
        text.push_str(&align(&rows));
        text.push('\n');
        name = "start".to_owned();
    }
    let _ = writeln!(text, "{}", graph_facts(found));
    if found.measures.len() > 1 {
        text.push_str(
            "the edges are of gains in squared error, as the Brier skill is and accuracy is not\n",
        );
    }
    if let Some(reliability) = found.reliability {
        let _ = writeln!(
            text,
            "gains measured on two halves of the rows agree by {} (1: exactly, 0: noise)",
            correlation(reliability)
        );
    }
    let _ = writeln!(text, "{}", page.display());
    text
}

impl View {
    fn new(found: &Relatedness) -> Result<Self, TransferError> {
        let graph = found.graph()?;
        let weights = graph.weights();
        let edges = drawn_edges(weights);
        let mean_gain = |a: usize, b: usize| 0.5 * (found.gains[a][b] + found.gains[b][a]);
        let largest = edges.last().map_or(0.0, |&(a, b, _)| mean_gain(a, b));
        let isolated = graph.isolated();
        let graph_caption = if edges.len() < found.edges {
            format!(
                "Drawn are the {} of {} edges that are among the three strongest of either end.",
                count(edges.len()),
                count(found.edges)
            )
        } else {
            "All edges are drawn.".to_owned()
        };
        let names: Vec<String> = found.tasks.iter().map(|task| clean(&task.name)).collect();
        let vertex = |task: &RelatedTask| Vertex {
            name: task.name.clone(),
            group: task.group,
        };
        // Those that nothing helps share no colour.
        let leaf = |task: &RelatedTask| Leaf {
            name: task.name.clone(),
            group: task.group.filter(|_| !task.isolated),
        };
        let set = clean(&found.set);
        let graph_figure = GraphFigure {
            vertices: found.tasks.iter().map(vertex).collect(),
            edges,
            largest: percent(largest),
            order: found.tree.leaves(),
            isolated,
            alt: format!("Graph of the tasks of {set}: {}.", graph_facts(found)),
        };
        let tree_figure = DendrogramFigure {
            leaves: found.tasks.iter().map(leaf).collect(),
            tree: found.tree.clone(),
            groups: found.n_groups(),
            axis: "Distance: 1 − gain of both directions, the largest of which is 1".to_owned(),
            alt: format!("Tree of the tasks of {set}, the nearest joined first."),
        };
        let gains = if names.len() <= MOST_GAINS {
            let row = |(from, gains): (usize, &Vec<f64>)| {
                let cell = |(to, &gain): (usize, &f64)| {
                    if from == to {
                        ("#f6f6f6".to_owned(), String::new())
                    } else {
                        (shade(gain), points(gain))
                    }
                };
                let cells = gains.iter().enumerate().map(cell).collect();
                (names[from].clone(), cells)
            };
            found.gains.iter().enumerate().map(row).collect()
        } else {
            Vec::new()
        };
        Ok(Self {
            facts: format!(
                "{} · λ and folds at their defaults · {}",
                shape(found),
                found
                    .versions
                    .iter()
                    .map(|(name, version)| format!("{name} {version}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            warning: found.shared_rows.as_deref().map(|shared| {
                let warning = shared_rows_warning(&clean(shared));
                format!("Note: {warning}.")
            }),
            measures: found.measures.iter().map(MeasureView::new).collect(),
            finding: finding(found),
            graph: graph_figure.svg(),
            graph_caption,
            tree: tree_figure.svg(),
            tree_caption: match (found.n_groups(), found.silhouette) {
                (Some(groups), Some(silhouette)) => format!(
                    "The cut into {groups} groups has the largest mean silhouette, {silhouette:.2} (1: far apart, 0: no groups)."
                ),
                _ => "No groups: they are looked for among three tasks or more, with an edge."
                    .to_owned(),
            },
            names,
            gains,
            splits: found.splits.len(),
            held_out: percent(found.held_out),
            reliability: found.reliability.map(correlation).unwrap_or_default(),
            set,
        })
    }
}

fn shape(found: &Relatedness) -> String {
    let rows: usize = found.tasks.iter().map(|task| task.used).sum();
    format!(
        "{} tasks, {} rows, {} columns",
        found.tasks.len(),
        count(rows),
        count(found.n_features)
    )
}

fn graph_facts(found: &Relatedness) -> String {
    let n = found.tasks.len();
    let isolated = found.tasks.iter().filter(|task| task.isolated).count();
    let groups = match (found.n_groups(), found.silhouette) {
        (Some(groups), Some(silhouette)) => {
            format!("{groups} groups (silhouette {silhouette:.2})")
        }
        _ => "no groups".to_owned(),
    };
    format!(
        "{} of {} pairs of tasks help each other, {isolated} tasks are isolated, {groups}",
        count(found.edges),
        count(n * (n - 1) / 2)
    )
}

/// Scores of all kinds are shares.
fn format() -> Format {
    Format::of("accuracy", std::iter::empty())
}

impl MeasureView {
    fn new(measure: &Measure) -> Self {
        let (title, unit) = match measure.metric {
            Metric::R2 => ("Explained variance (%)", "points of explained variance"),
            Metric::BrierSkill => ("Brier skill (%)", "points of Brier skill"),
            Metric::Accuracy => ("Accuracy (%)", "points of accuracy"),
        };
        let score = |score: &Score| {
            let (mean, std) = (format().value(score.mean), format().value(score.std));
            [name(score.start).to_owned(), mean, std]
        };
        let comparison = |comparison: &Comparison| {
            let (low, high) = (Some(comparison.low), Some(comparison.high));
            [
                format!("{} − {}", name(comparison.of), name(comparison.against)),
                format().signed(comparison.mean),
                format().interval(low, high, true).unwrap_or_default(),
                verdict(comparison).to_owned(),
            ]
        };
        Self {
            title,
            unit,
            scores: measure.scores.iter().map(score).collect(),
            comparisons: measure.comparisons.iter().map(comparison).collect(),
        }
    }
}

fn name(start: Start) -> &'static str {
    match start {
        Start::Nothing => "nothing",
        Start::Along => "along the edges",
        Start::Across => "across the edges",
        Start::All => "all others",
    }
}

fn verdict(comparison: &Comparison) -> &'static str {
    if comparison.low > 0.0 {
        "positive"
    } else if comparison.high < 0.0 {
        "negative"
    } else {
        "undecided"
    }
}

/// Whether to believe the edges, in sentences: once where all measures say the same.
fn finding(found: &Relatedness) -> String {
    let of = |measure: &Measure| {
        let by = match measure.metric {
            Metric::R2 | Metric::BrierSkill => "By squared errors, which the gains are of",
            Metric::Accuracy => "By accuracy",
        };
        (by, edges_and_all(measure))
    };
    let all: Vec<(&str, String)> = found.measures.iter().map(of).collect();
    match &all[..] {
        [(_, first), rest @ ..] if rest.iter().all(|(_, other)| other == first) => first.clone(),
        all => {
            let said = all.iter().map(|(by, said)| format!("{by}: {said}"));
            said.collect::<Vec<_>>().join(" ")
        }
    }
}

fn edges_and_all(measure: &Measure) -> String {
    let of = |of: Start, against: Start| {
        let mut all = measure.comparisons.iter();
        let one = all.find(|one| (one.of, one.against) == (of, against));
        one.map_or("undecided", verdict)
    };
    let edges = match of(Start::Along, Start::Across) {
        "positive" => "The edges say from where: transfer along them is worth more than across.",
        "negative" => {
            "The edges say nothing to go by: transfer across them is worth more than along."
        }
        _ => "Whether the edges say from where is undecided.",
    };
    let all = match of(Start::All, Start::Nothing) {
        "positive" => "Transfer from all other tasks helps.",
        "negative" => "Transfer from all other tasks harms.",
        _ => "Whether transfer from all other tasks helps is undecided.",
    };
    format!("{edges} {all}")
}

fn correlation(of: f64) -> String {
    format!("{of:.2}").replace('-', "−")
}

fn percent(share: f64) -> String {
    format!(
        "{:.*} %",
        if share.abs() < 0.1 { 1 } else { 0 },
        100.0 * share
    )
    .replace('-', "−")
}

/// From orange over white to blue; full at ± 50 %.
fn shade(gain: f64) -> String {
    let full = if gain > 0.0 {
        [86.0, 180.0, 233.0]
    } else {
        [230.0, 159.0, 0.0]
    };
    let share = (2.0 * gain.abs()).min(1.0);
    let mixed = full.map(|full: f64| (255.0 + share * (full - 255.0)).round() as u8);
    format!("rgb({}, {}, {})", mixed[0], mixed[1], mixed[2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relate::tests::{kinds, kinds_in_classes};

    #[test]
    fn the_page_is_whole_and_shows_names_as_they_are() {
        let found = Relatedness::of(&kinds(), 3, || ()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let page = write_relatedness(folder.path(), &found).unwrap();
        let html = fs::read_to_string(&page).unwrap();
        assert!(html.ends_with("</html>\n") && html.matches("<svg").count() == 2);
        assert!(!html.contains("kinds <of>") && html.contains("kinds &lt;of&gt; tasks"));
        assert!(html.contains("The edges say from where"), "{html}");
        assert!(html.contains("9 rows &lt;are&gt; in two tasks: what is held out"));
        for outside in ["src=", "href=\"http", "@import", "<script"] {
            assert!(!html.contains(outside), "{outside}");
        }
        // Every gain but those of tasks from themselves.
        assert_eq!(html.matches("background: rgb(").count(), 6 * 5);
        let text = fs::read_to_string(folder.path().join("relatedness.json")).unwrap();
        assert_eq!(serde_json::from_str::<Relatedness>(&text).unwrap(), found);

        let table = relatedness_table(&found, &page);
        assert!(table.contains("along the edges − across the edges") && table.contains("positive"));
        assert!(table.contains("6 of 15 pairs of tasks help each other, 0 tasks are isolated"));
    }

    #[test]
    fn the_scores_of_classes_are_of_what_the_gains_are_and_of_accuracy() {
        let mut found = Relatedness::of(&kinds_in_classes(), 3, || ()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let page = write_relatedness(folder.path(), &found).unwrap();
        let html = fs::read_to_string(&page).unwrap();
        let table = relatedness_table(&found, &page);
        for text in [&html, &table] {
            assert!(text.contains("Brier skill (%)") && text.contains("Accuracy (%)"));
        }
        assert!(table.contains("the edges are of gains in squared error"));
        // Said once where both agree.
        for measure in &mut found.measures {
            for comparison in &mut measure.comparisons {
                (comparison.low, comparison.high) = (0.1, 0.2);
            }
        }
        assert!(
            !finding(&found).contains("By accuracy"),
            "{}",
            finding(&found)
        );
        for comparison in &mut found.measures[1].comparisons {
            (comparison.low, comparison.high) = (-0.1, 0.1);
        }
        let said = finding(&found);
        assert!(
            said.contains("the gains are of: The edges say from where"),
            "{said}"
        );
        assert!(said.contains("By accuracy: Whether the edges say from where is undecided"));
    }

    #[test]
    fn gains_are_coloured_by_their_sign_and_size() {
        assert_eq!(shade(0.0), "rgb(255, 255, 255)");
        assert_eq!([shade(0.5), shade(9.0)], ["rgb(86, 180, 233)"; 2]);
        assert_eq!(shade(-0.25), "rgb(243, 207, 128)");
    }
}
