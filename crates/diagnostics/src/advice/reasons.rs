//! Advice in sentences.

use translearn_core::{Finding, Scenario};

use super::{Advice, MethodAdvice, ShiftKind};
use crate::negative::{Decision, Verdict};

/// Why, from what the problem is to what to do.
pub(super) fn of(advice: &Advice, level: f64) -> Vec<String> {
    let mut reasons = vec![scenario(&advice.scenario)];
    reasons.extend(shift(advice, level));
    reasons.extend(labels(advice));
    reasons.extend(methods(advice));
    reasons.push(choice(advice));
    reasons
}

fn scenario(scenario: &Scenario) -> String {
    let differences = [
        ("the features", &scenario.feature_space),
        ("P(X)", &scenario.marginal),
        ("the classes", &scenario.label_space),
        ("P(Y | X)", &scenario.conditional),
    ];
    let of = |finding: Finding| -> Vec<&str> {
        let found = differences.iter();
        let found = found.filter(|(_, difference)| difference.finding == finding);
        found.map(|(name, _)| *name).collect()
    };
    let sentence = |finding, words: &str| {
        let names = of(finding);
        (!names.is_empty()).then(|| format!("{}: {words}.", list(&names)))
    };
    let sentences = [
        sentence(Finding::Differs, "differ between source and target"),
        sentence(Finding::NotShown, "no difference was shown"),
        sentence(Finding::Undecidable, "nothing at hand can tell"),
    ];
    let sentences: Vec<String> = sentences.into_iter().flatten().collect();
    if sentences.is_empty() {
        "Source and target do not differ in any way that was looked at.".to_owned()
    } else {
        capital(&sentences.join(" "))
    }
}

fn shift(advice: &Advice, level: f64) -> Option<String> {
    let found: Vec<String> = (advice.shifts.iter())
        .filter(|finding| finding.rejects(level) && finding.kind != ShiftKind::Features)
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

fn methods(advice: &Advice) -> Vec<String> {
    let of = |verdict: Verdict| -> Vec<(&MethodAdvice, &Decision)> {
        let judged = advice.methods.iter();
        let judged = judged.filter_map(|method| Some((method, method.decision.as_ref()?)));
        judged
            .filter(|(_, decision)| decision.verdict == verdict)
            .collect()
    };
    let named = |methods: &[(&MethodAdvice, &Decision)]| {
        let names: Vec<String> = methods
            .iter()
            .map(|(method, decision)| format!("{} ({})", method.name, points(decision.belief.gain)))
            .collect();
        list(&names)
    };
    let mut sentences = Vec::new();
    for (verdict, words) in [
        (
            Verdict::Transfer,
            "Judging by the labelled target rows, these gain",
        ),
        (Verdict::Undecided, "The labels at hand do not decide about"),
        (Verdict::DoNotTransfer, "These would rather lose"),
    ] {
        let methods = of(verdict);
        let measured = methods
            .iter()
            .any(|(_, decision)| decision.evidence.is_some());
        if measured {
            sentences.push(format!("{words}: {}.", named(&methods)));
        }
    }
    sentences
}

fn choice(advice: &Advice) -> String {
    match advice.expected_gain {
        Some(belief) => {
            let interval = belief.interval();
            format!(
                "Use `{}`: a gain of {} over `{}` is expected (95 % between {} and {}).",
                advice.choice,
                points(belief.gain),
                advice.baseline,
                points(interval.low),
                points(interval.high)
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

/// A gain in points: hundredths of an accuracy, or of the larger error.
fn points(gain: f64) -> String {
    format!("{:+.1} points", 100.0 * gain)
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
