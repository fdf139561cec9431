//! Advice as a page and as text.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use minijinja::value::Serde;
use serde::Serialize;
use translearn_diagnostics::advice::{Advice, MethodAdvice};
use translearn_diagnostics::negative::Verdict;

use super::figure::{Estimate, Figure, Row as FigureRow};
use super::format::{Format, clean, none, p_value, points};
use super::terminal::align;
use super::{STYLE, put};
use crate::summary;

/// Columns that are shown of those that shift.
const MOST_COLUMNS: usize = 12;

/// Writes `advice.json` and `advice.html` into a folder, which is made where it is not there.
///
/// # Errors
/// What the file system says.
pub(crate) fn write_advice(folder: &Path, title: &str, advice: &Advice) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let json = serde_json::to_string_pretty(advice)?;
    let environment = super::environment().map_err(io::Error::other)?;
    let page = environment
        .get_template("advice.html")
        .and_then(|template| {
            let view = View::new(title, advice);
            template.render(minijinja::context! { advice => Serde(&view), style => STYLE })
        })
        .map_err(io::Error::other)?;
    put(folder, "advice.json", &format!("{json}\n"))?;
    put(folder, "advice.html", &page)
}

/// Advice for a terminal: the tests, the methods, and the reasons.
pub(crate) fn advice_text(title: &str, advice: &Advice) -> String {
    let view = View::new(title, advice);
    let mut text = format!("{}\n{}\n\n", view.title, view.facts);
    let table = |head: &[&str]| vec![head.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>()];
    let mut shifts = table(&["Shift", "Effect", "p", "p (Holm)"]);
    shifts.extend(view.shifts.iter().map(|shift| {
        let effect = match shift.obstacle {
            // The reasons below say why.
            Some(_) => "not tested".to_owned(),
            None => shift.effect.clone(),
        };
        let p_values = [shift.p_value.clone(), shift.p_holm.clone()];
        [&[shift.title.clone(), effect][..], &p_values].concat()
    }));
    text.push_str(&align(&shifts));
    text.push('\n');
    let gain = format!("Gain ({})", view.gain);
    let mut methods = table(&[
        "Method",
        "verdict",
        &view.score,
        &gain,
        "95 % interval",
        "At stake",
        "Neighbours",
    ]);
    methods.extend(view.methods.iter().map(|method| {
        let cells = [
            &method.name,
            &method.word,
            &method.score,
            &method.gain,
            &method.interval,
            &method.at_stake,
            &method.vote,
        ];
        cells.map(Clone::clone).to_vec()
    }));
    text.push_str(&align(&methods));
    text.push('\n');
    for reason in &view.reasons {
        let _ = writeln!(text, "{}", reason.join("`"));
    }
    text
}

/// What the page shows.
#[derive(Debug, Serialize)]
struct View {
    title: String,
    facts: String,
    verdict: Word,
    /// Each cut at its backticks, so that every second piece is a name.
    reasons: Vec<Vec<String>>,
    gain: &'static str,
    shifts: Vec<ShiftView>,
    columns: Option<FigureSvg>,
    hidden_columns: usize,
    score: String,
    methods: Vec<MethodView>,
    gains: Option<FigureSvg>,
    n_rows: Option<usize>,
}

/// A verdict in a word and its colour.
#[derive(Debug, Clone, Copy, Serialize)]
struct Word {
    class: &'static str,
    word: &'static str,
}

#[derive(Debug, Serialize)]
struct FigureSvg {
    svg: String,
}

#[derive(Debug, Serialize)]
struct ShiftView {
    title: String,
    test: String,
    effect: String,
    p_value: String,
    p_holm: String,
    obstacle: Option<String>,
}

#[derive(Debug, Serialize)]
struct MethodView {
    name: String,
    title: String,
    is_baseline: bool,
    verdict: Option<Word>,
    word: String,
    score: String,
    gain: String,
    interval: String,
    at_stake: String,
    vote: String,
}

impl View {
    fn new(title: &str, advice: &Advice) -> Self {
        let facts = &advice.facts;
        let kind = match facts.n_classes {
            Some(n) => format!("{n} classes"),
            None => "real values".to_owned(),
        };
        let scale = Scale::of(advice);
        let shown = advice.drivers.len().min(MOST_COLUMNS);
        let judged = || {
            advice
                .methods
                .iter()
                .filter_map(|method| method.decision.as_ref())
        };
        Self {
            title: clean(title),
            facts: format!(
                "{} source rows, {} target rows, {} of them with a label; {} features; {kind}",
                facts.n_source, facts.n_target, facts.n_labelled, facts.n_features
            ),
            verdict: word(advice.verdict),
            reasons: advice
                .reasons
                .iter()
                .map(|reason| clean(reason).split('`').map(str::to_owned).collect())
                .collect(),
            gain: scale.gain,
            shifts: advice.shifts.iter().map(shift).collect(),
            columns: (shown > 0).then(|| columns(advice, shown)),
            hidden_columns: advice.drivers.len() - shown,
            score: scale.title.to_owned(),
            methods: methods(advice, &scale),
            gains: judged()
                .any(|decision| decision.evidence.is_some())
                .then(|| gains(advice, &scale)),
            n_rows: judged().find_map(|decision| Some(decision.evidence.as_ref()?.n_rows)),
        }
    }
}

/// How scores are written.
struct Scale {
    title: &'static str,
    gain: &'static str,
    metric: &'static str,
    format: Format,
}

impl Scale {
    fn of(advice: &Advice) -> Self {
        let metric = if advice.facts.n_classes.is_some() {
            "accuracy"
        } else {
            "rmse"
        };
        let scores = advice
            .methods
            .iter()
            .filter_map(|method| Some(method.decision.as_ref()?.evidence.as_ref()?.method_score));
        Self {
            title: if metric == "accuracy" {
                "Accuracy (%)"
            } else {
                "RMSE"
            },
            gain: if metric == "accuracy" {
                "points"
            } else {
                "% of the error"
            },
            metric,
            format: Format::of(metric, scores),
        }
    }
}

fn word(verdict: Verdict) -> Word {
    let (class, word) = match verdict {
        Verdict::Transfer => ("positive", "transfer"),
        Verdict::DoNotTransfer => ("negative", "do not transfer"),
        Verdict::Undecided => ("undecided", "undecided"),
    };
    Word { class, word }
}

fn shift(finding: &translearn_diagnostics::advice::ShiftFinding) -> ShiftView {
    let result = finding.result.as_ref();
    ShiftView {
        title: finding.kind.title().to_owned(),
        test: result.map_or_else(String::new, |result| clean(&result.test)),
        effect: result.map_or_else(String::new, |result| format!("{:.2}", result.effect)),
        p_value: result.map_or_else(String::new, |result| p_value(result.p_value)),
        p_holm: finding.p_holm.map_or_else(String::new, p_value),
        obstacle: finding.obstacle.as_deref().map(clean),
    }
}

/// The baseline, then every method.
fn methods(advice: &Advice, scale: &Scale) -> Vec<MethodView> {
    let baseline_score = advice
        .methods
        .iter()
        .find_map(|method| Some(method.decision.as_ref()?.evidence.as_ref()?.baseline_score));
    let baseline = MethodView {
        name: advice.baseline.clone(),
        title: "without transfer".to_owned(),
        is_baseline: true,
        verdict: None,
        word: "baseline".to_owned(),
        score: baseline_score.map_or_else(none, |score| scale.format.value(score)),
        gain: String::new(),
        interval: String::new(),
        at_stake: String::new(),
        vote: String::new(),
    };
    let method = |method: &MethodAdvice| {
        let decision = method.decision.as_ref();
        let evidence = decision.and_then(|decision| decision.evidence.as_ref());
        let believed = decision
            .filter(|_| evidence.is_some())
            .map(|one| one.belief);
        MethodView {
            name: method.name.clone(),
            title: method.title.clone(),
            is_baseline: false,
            verdict: decision.map(|decision| word(decision.verdict)),
            word: decision
                .map_or("not judged", |decision| word(decision.verdict).word)
                .to_owned(),
            score: evidence.map_or_else(none, |one| scale.format.value(one.method_score)),
            gain: believed.map_or_else(none, |belief| points(belief.gain)),
            interval: believed.map_or_else(none, |belief| {
                let interval = belief.interval();
                format!("[{}, {}]", points(interval.low), points(interval.high))
            }),
            at_stake: decision
                .and_then(|one| one.at_stake)
                .map_or_else(none, |share| format!("{:.0} %", 100.0 * share)),
            vote: decision.and_then(|one| one.vote).map_or_else(none, points),
        }
    };
    std::iter::once(baseline)
        .chain(advice.methods.iter().map(method))
        .collect()
}

/// Scores and believed gains.
fn gains(advice: &Advice, scale: &Scale) -> FigureSvg {
    let of = |value: f64| Estimate {
        value,
        interval: None,
    };
    let mut baseline = None;
    let mut rows: Vec<FigureRow> = Vec::new();
    for method in &advice.methods {
        let Some(decision) = &method.decision else {
            continue;
        };
        let Some(evidence) = &decision.evidence else {
            continue;
        };
        baseline.get_or_insert(evidence.baseline_score);
        let interval = decision.belief.interval();
        let verdict = match decision.verdict {
            Verdict::Transfer => summary::Verdict::Positive,
            Verdict::DoNotTransfer => summary::Verdict::Negative,
            Verdict::Undecided => summary::Verdict::Undecided,
        };
        rows.push(FigureRow {
            name: method.name.clone(),
            is_baseline: false,
            level: Some(of(evidence.method_score)),
            gain: Some((
                Estimate {
                    value: decision.belief.gain,
                    interval: Some((interval.low, interval.high)),
                },
                verdict,
            )),
            note: None,
        });
    }
    rows.insert(
        0,
        FigureRow {
            name: advice.baseline.clone(),
            is_baseline: true,
            level: baseline.map(of),
            gain: None,
            note: None,
        },
    );
    let figure = Figure {
        rows,
        lines: baseline.into_iter().collect(),
        level_axis: format!("{} by cross-validation", scale.format.label(scale.metric)),
        gain_axis: format!("gain that is believed ({})", scale.gain),
        level_format: scale.format,
        gain_format: Format::of("accuracy", std::iter::empty()),
        alt: "Score of each method by cross-validation on the labelled target rows, and the gain that is believed with its 95 % interval; the numbers are in the table.".to_owned(),
    };
    FigureSvg { svg: figure.svg() }
}

/// The effects of the columns that shift most.
fn columns(advice: &Advice, shown: usize) -> FigureSvg {
    let shown_drivers = || advice.drivers.iter().take(shown);
    let format = Format::of("effect", shown_drivers().map(|driver| driver.shift.effect));
    let rows = shown_drivers().map(|driver| FigureRow {
        name: driver.name.clone(),
        is_baseline: false,
        level: Some(Estimate {
            value: driver.shift.effect,
            interval: None,
        }),
        gain: None,
        note: None,
    });
    let figure = Figure {
        rows: rows.collect(),
        lines: Vec::new(),
        level_axis: "largest difference of the distribution functions (0 to 1)".to_owned(),
        gain_axis: String::new(),
        level_format: format,
        gain_format: format,
        alt: "How far each column shifts, the largest first.".to_owned(),
    };
    FigureSvg { svg: figure.svg() }
}
