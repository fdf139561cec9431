//! Advice in sentences.

use translearn_core::Finding;

use super::{Advice, ShiftKind};
use crate::negative::{GateRule, Verdict};

/// Why, from what the problem is to what to do.
pub(super) fn of(advice: &Advice, rule: &GateRule, level: f64) -> Vec<String> {
    let mut reasons: Vec<String> = scenario(advice, level).into_iter().collect();
    reasons.extend(shift(advice, level));
    reasons.extend(labels(advice));
    reasons.extend(methods(advice, rule));
    reasons.push(choice(advice));
    reasons
}

fn scenario(advice: &Advice, level: f64) -> Option<String> {
    let scenario = &advice.scenario;
    let rejects = |kinds: &[ShiftKind]| {
        let mut findings = advice.shifts.iter();
        findings.any(|finding| kinds.contains(&finding.kind) && finding.rejects(level))
    };
    // One of the tests of shift may see what the scenario's does not.
    let is_seen = |name: &str| match name {
        "P(X)" => rejects(&[ShiftKind::Features, ShiftKind::Separable]),
        "P(Y | X)" => rejects(&[ShiftKind::Conditional]),
        _ => false,
    };
    let differences = [
        ("the features", &scenario.feature_space),
        ("P(X)", &scenario.marginal),
        ("the classes", &scenario.label_space),
        ("P(Y | X)", &scenario.conditional),
    ];
    let sentence = |finding: Finding, words: &str| {
        let found = differences.iter();
        let found = found.filter(|(name, difference)| {
            difference.finding == finding && !(finding == Finding::NotShown && is_seen(name))
        });
        let names: Vec<&str> = found.map(|(name, _)| *name).collect();
        (!names.is_empty()).then(|| format!("{words} {}.", list(&names)))
    };
    let sentences: Vec<String> = [
        sentence(Finding::Differs, "Source and target differ in"),
        sentence(Finding::NotShown, "No difference was shown in"),
        sentence(Finding::Undecidable, "Nothing at hand can tell of"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let is_shifted = advice.shifts.iter().any(|finding| finding.rejects(level));
    match (sentences.is_empty(), is_shifted) {
        (false, _) => Some(sentences.join(" ")),
        (true, true) => None,
        (true, false) => {
            Some("Source and target do not differ in any way that was looked at.".to_owned())
        }
    }
}

fn shift(advice: &Advice, level: f64) -> Option<String> {
    let found: Vec<String> = (advice.shifts.iter())
        .filter(|finding| {
            let is_said = finding.kind == ShiftKind::Features
                && advice.scenario.marginal.finding == Finding::Differs;
            finding.rejects(level) && !is_said
        })
        .filter_map(|finding| {
            let result = finding.result.as_ref()?;
            let title = finding.kind.title();
            Some(format!(
                "{title} (effect {:.2}, p = {:.3})",
                result.effect, result.p_value
            ))
        })
        .collect();
    if found.is_empty() {
        return None;
    }
    let mut sentence = format!("{}.", capital(&found.join("; ")));
    if let Some(first) = advice.drivers.first() {
        let n = advice.drivers.len();
        let columns = if n == 1 {
            "One column shifts"
        } else {
            &format!("{n} columns shift")
        };
        sentence.push_str(&format!(
            " {columns}, most of all `{}` (effect {:.2}).",
            first.name, first.shift.effect
        ));
    }
    Some(sentence)
}

fn labels(advice: &Advice) -> Option<String> {
    (advice.facts.n_labelled == 0).then(|| {
        "No target row has a label, so that a change of P(Y | X) cannot be seen and no method can be judged: a few labels would tell more than any test.".to_owned()
    })
}

fn methods(advice: &Advice, rule: &GateRule) -> Vec<String> {
    let of = |verdict: Verdict| {
        let judged = advice.methods.iter();
        let judged = judged.filter_map(|method| Some((method, method.decision.as_ref()?)));
        judged
            .filter(move |(_, decision)| decision.evidence.is_some() && decision.verdict == verdict)
            .map(|(method, decision)| {
                format!("{} ({})", method.name, gain(advice, decision.belief.gain))
            })
            .collect::<Vec<String>>()
    };
    let mut sentences: Vec<String> = [
        (
            Verdict::Transfer,
            "Judging by the labelled target rows, these gain",
        ),
        (Verdict::Undecided, "The labels at hand do not decide about"),
        (Verdict::DoNotTransfer, "With these a loss is too likely"),
    ]
    .into_iter()
    .map(|(verdict, words)| (words, of(verdict)))
    .filter(|(_, names)| !names.is_empty())
    .map(|(words, names)| format!("{words}: {}.", list(&names)))
    .collect();
    if !sentences.is_empty() {
        sentences.insert(0, rule.in_words());
    }
    if advice.facts.n_labelled > 0 {
        let mut obstacles: Vec<&str> = Vec::new();
        for method in &advice.methods {
            let decision = method.decision.as_ref();
            let obstacle = decision.and_then(|decision| decision.obstacle.as_deref());
            obstacles.extend(obstacle.filter(|obstacle| !obstacles.contains(obstacle)));
        }
        let said = obstacles.into_iter();
        sentences.extend(said.map(|obstacle| format!("No gain could be measured: {obstacle}.")));
    }
    let refused = advice.methods.iter().filter_map(|method| {
        Some(format!(
            "`{}` was not judged: {}.",
            method.name,
            method.obstacle.as_ref()?
        ))
    });
    sentences.extend(refused);
    sentences
}

fn choice(advice: &Advice) -> String {
    match advice.expected_gain {
        Some(belief) => {
            let interval = belief.interval();
            format!(
                "Use `{}`: a gain of {} over `{}` is expected (95 % between {} and {}).",
                advice.choice,
                gain(advice, belief.gain),
                advice.baseline,
                gain(advice, interval.low),
                gain(advice, interval.high)
            )
        }
        None if advice.verdict == Verdict::DoNotTransfer => {
            format!("Do not transfer: use `{}`.", advice.choice)
        }
        None => format!(
            "Nothing speaks for transfer clearly enough: use `{}` until more target rows have labels.",
            advice.choice
        ),
    }
}

/// A gain in points of accuracy, or in hundredths of the larger error.
fn gain(advice: &Advice, gain: f64) -> String {
    let unit = if advice.facts.n_classes.is_some() {
        "points"
    } else {
        "% of the error"
    };
    format!("{:+.1} {unit}", 100.0 * gain)
}

fn list<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
