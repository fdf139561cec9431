//! The report of a small result set: the whole Markdown, and what the HTML must and must not hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ndarray::Array1;
use serde_json::json;
use translearn_core::Labels;
use translearn_experiment::plan::{PlanFile, expand};
use translearn_experiment::spec::Spec;
use translearn_experiment::summary::{Outcomes, Summary, summarise};
use translearn_experiment::{SCHEMA, Selected, Status, TrialRecord, report};

const HOSTILE: &str = "</title><script>alert('x')</script> | \"q\" & http://evil.example/x.js";

fn plan(tasks: &[&str], methods: &[&str]) -> PlanFile {
    let mut text =
        "schema = 1\nname = \"demo\"\nseeds = 2\nmetrics = [\"accuracy\", \"macro_f1\"]\n"
            .to_owned();
    for task in tasks {
        text += &format!(
            "[[task]]\nname = {}\nsource = {{ set = \"wine-quality-embedded\", domain = \"low-alcohol\" }}\n\
             target = {{ set = \"wine-quality-embedded\", domain = \"high-alcohol\" }}\n",
            toml::Value::from(*task)
        );
    }
    for (lambda, method) in methods.iter().enumerate() {
        text += &format!(
            "[[method]]\nuse = \"coral\"\nname = {}\nlearner = {{ use = \"ncm\" }}\nlambda = {lambda}.5\n",
            toml::Value::from(*method)
        );
    }
    let registry = translearn_classical::registry();
    let spec = Spec::parse(&text, Path::new("demo.toml"), &registry).unwrap();
    let data = BTreeMap::from([("wine-quality-embedded".to_owned(), "5ha".to_owned())]);
    let versions = BTreeMap::from([("translearn".to_owned(), "0.0.0".to_owned())]);
    expand(&spec, &registry, &data, &versions).file
}

/// The first `right` of 40 rows are called rightly.
fn record(task: &str, method: &str, seed: u64, right: usize) -> TrialRecord {
    let predicted: Array1<usize> = (0..40).map(|row| usize::from(row < right)).collect();
    let rows: Vec<usize> = (0..40).collect();
    let is_baseline = method.starts_with("source-only");
    let record = json!({
        "schema": SCHEMA, "trial": format!("{task}{method}{seed}"), "experiment": "demo", "task": task,
        "method": method, "use": if is_baseline { "source-only" } else { "coral" },
        "family": if is_baseline { "baseline" } else { "feature" }, "learner": "ncm", "params": {}, "seed": seed,
        "status": "ok", "error": null, "metrics": { "accuracy": right as f64 / 40.0, "macro_f1": 0.5 },
        "fit_seconds": 0.25, "predict_seconds": 0.001, "peak_rss_bytes": 50_000_000, "n_source": 40, "n_target": 40,
        "n_labelled": 0, "n_test": 40, "n_features": 3, "ess": null, "selected": null, "device": "cpu", "versions": {},
    });
    TrialRecord {
        outcomes: Outcomes::of(
            &rows,
            &Labels::Classes(Array1::ones(40)),
            &Labels::Classes(predicted),
        ),
        ..serde_json::from_value(record).unwrap()
    }
}

fn failed(task: &str, method: &str, seed: u64, error: &str) -> TrialRecord {
    TrialRecord {
        status: Status::Failed,
        error: Some(error.into()),
        metrics: BTreeMap::new(),
        outcomes: None,
        ..record(task, method, seed, 0)
    }
}

fn write(plan: &PlanFile, records: &[TrialRecord]) -> (tempfile::TempDir, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let summary = summarise(plan, records);
    report::write(folder.path(), plan, &summary, records).unwrap();
    (folder, summary)
}

fn small() -> (PlanFile, Vec<TrialRecord>) {
    let plan = plan(&["a→b"], &["coral", "c_2"]);
    let mut records = Vec::new();
    for seed in 0..2 {
        records.push(record("a→b", "source-only (ncm)", seed, 18));
        let selected = json!({"by": "source-cv", "params": {"lambda": 0.5}, "scores": []});
        let selected: Option<Selected> = serde_json::from_value(selected).unwrap();
        records.push(TrialRecord {
            ess: Some(12.34),
            selected,
            ..record("a→b", "coral", seed, 30 + seed as usize)
        });
        records.push(failed("a→b", "c_2", seed, "no | bars"));
    }
    (plan, records)
}

#[test]
fn the_markdown_is_the_committed_one() {
    let (plan, records) = small();
    let (folder, _) = write(&plan, &records);
    let markdown = fs::read_to_string(folder.path().join("report.md")).unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/report.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &markdown).unwrap();
    }
    assert_eq!(
        markdown,
        fs::read_to_string(&golden).unwrap(),
        "UPDATE_GOLDEN=1 writes {}",
        golden.display()
    );
}

#[test]
fn the_summary_is_read_back_and_the_same_twice() {
    let (plan, records) = small();
    let (folder, summary) = write(&plan, &records);
    let text = fs::read_to_string(folder.path().join("summary.json")).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
    let slower: Vec<TrialRecord> = records
        .iter()
        .map(|record| TrialRecord {
            fit_seconds: Some(9.0),
            ..record.clone()
        })
        .collect();
    let (again, _) = write(&plan, &slower);
    assert_eq!(
        text,
        fs::read_to_string(again.path().join("summary.json")).unwrap()
    );
}

#[test]
fn plots_of_an_earlier_report_are_removed() {
    let (plan, records) = small();
    let (folder, summary) = write(&plan, &records);
    fs::write(folder.path().join("plots/task-9.svg"), "old").unwrap();
    report::write(folder.path(), &plan, &summary, &records).unwrap();
    let names: Vec<_> = fs::read_dir(folder.path().join("plots"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names, ["task-1.svg"]);
}

#[test]
fn hostile_names_stay_text() {
    let error = format!("{HOSTILE}\u{1b}[31m\n# heading");
    let plan = plan(&[HOSTILE, "b"], &[HOSTILE, "c"]);
    let mut records = Vec::new();
    for task in [HOSTILE, "b"] {
        records.push(record(task, "source-only (ncm)", 0, 20));
        records.push(record(task, HOSTILE, 0, 30));
        records.push(failed(task, "c", 0, &error));
    }
    let (folder, summary) = write(&plan, &records);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let (html, markdown) = (read("report.html"), read("report.md"));
    for text in [
        &html,
        &markdown,
        &report::terminal_table(&summary, folder.path()),
    ] {
        assert!(!text.contains('\u{1b}'));
    }
    assert!(!html.contains("<script") && !markdown.contains("<script"));
    assert!(!markdown.contains("http:") || !markdown.contains("http://evil"));
    assert!(html.contains("&lt;script&gt;"));
    well_formed(&html);
    well_formed(&read("plots/task-1.svg"));
    // A bar in a name makes no cell: all rows of a table have as many as its head.
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    for table in markdown
        .split("\n\n")
        .filter(|block| block.starts_with('|'))
    {
        let expected = bars(table.lines().next().unwrap());
        assert!(table.lines().all(|line| bars(line) == expected), "{table}");
    }
}

/// A curve over two tasks, with names that try to leave their places.
fn curves() -> (PlanFile, Vec<TrialRecord>) {
    let mut plan = plan(&["few", "many"], &["m", HOSTILE]);
    plan.spec.curve.x = Some(HOSTILE.to_owned());
    plan.spec.tasks[0].at = Some(10.0);
    plan.spec.tasks[1].at = Some(2000.0);
    let mut records = Vec::new();
    for (task, right) in [("few", 20), ("many", 30)] {
        for seed in 0..2 {
            records.push(record(task, "m", seed, right + seed as usize));
            records.push(record(task, HOSTILE, seed, right + 5));
        }
    }
    (plan, records)
}

#[test]
fn curves_are_drawn_and_told() {
    let (plan, records) = curves();
    let (folder, summary) = write(&plan, &records);
    assert_eq!(summary.curves.len(), 1);
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    well_formed(&html);
    assert!(!html.contains("<script") && html.contains("id=\"curve-1\""));
    assert!(folder.path().join("plots/curve-1.svg").is_file());
    let markdown = fs::read_to_string(folder.path().join("report.md")).unwrap();
    // 20.5 and 30.5 of 40, and the time of a fit that stands in the records.
    assert!(
        markdown.contains("| 10 | 51.25 [") && markdown.contains("| 2000 | 76.25 ["),
        "{markdown}"
    );
    assert!(markdown.contains("], 250 ms |"), "{markdown}");
}

#[test]
fn the_html_stands_alone() {
    let (plan, records) = small();
    let (folder, _) = write(&plan, &records);
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    well_formed(&html);
    for attribute in ["src=", "@import", "url(", "<link", "<script"] {
        assert!(!html.contains(attribute), "{attribute}");
    }
    for link in html.split("href=\"").skip(1) {
        assert!(link.starts_with('#'), "{}", &link[..20]);
    }
    assert!(html.contains("▲ positive") && html.contains("failed") && html.contains("no | bars"));
    assert!(html.contains("aria-label=\"a→b: Accuracy of each method"));
}

#[test]
fn the_terminal_shows_the_verdict_and_the_way_to_the_report() {
    let (plan, records) = small();
    let summary = summarise(&plan, &records);
    let text = report::terminal_table(&summary, Path::new("out"));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("a→b ") && lines[0].ends_with("verdict"));
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("coral ") && line.ends_with("positive")),
        "{text}"
    );
    assert!(text.contains("failed 2×: c_2: no | bars"));
    assert_eq!(
        lines.last(),
        Some(&Path::new("out").join("report.html").to_str().unwrap())
    );
}

#[test]
fn a_folder_without_trials_has_a_report() {
    let (folder, summary) = write(&plan(&["a"], &["m"]), &[]);
    assert!(summary.results.is_empty());
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(
        html.contains("0 of 4 trials finished") && html.contains("Not all trials are finished")
    );
    well_formed(&html);
}

/// Every tag is closed in order; elements that have no end are the ones HTML knows.
fn well_formed(text: &str) {
    const EMPTY: [&str; 3] = ["!DOCTYPE", "meta", "br"];
    let mut open: Vec<&str> = Vec::new();
    for (place, rest) in text
        .match_indices('<')
        .map(|(place, _)| (place, &text[place + 1..]))
    {
        let tag = &rest[..rest
            .find('>')
            .unwrap_or_else(|| panic!("no end of a tag at {place}"))];
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/', '\n'])
            .next()
            .unwrap();
        assert!(
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!'),
            "`<{tag}` at {place}"
        );
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "at {place}");
        } else if !tag.ends_with('/') && !EMPTY.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
}
