//! Advice in sentences.

use translearn_core::{Difference, Evidence, Finding};

use super::{Advice, ShiftKind};
use crate::negative::{GateRule, Verdict};

/// Why, from what the problem is to what to do; `nearest_labels` is the adjusted p-value of the scenario's test of P(Y | X),
/// where it counts.
pub(super) fn of(
    advice: &Advice,
    nearest_labels: Option<f64>,
    rule: &GateRule,
    level: f64,
) -> Vec<String> {
    let mut reasons: Vec<String> = scenario(advice, nearest_labels, level)
        .into_iter()
        .collect();
    reasons.extend(shift(advice, nearest_labels, level));
    reasons.extend(untested(advice, nearest_labels));
    reasons.extend(classes(advice));
    reasons.extend(labels(advice));
    reasons.extend(methods(advice, rule));
    reasons.push(choice(advice));
    reasons
}

/// What the structure says of the differences, and which the tests do not show.
fn scenario(advice: &Advice, nearest_labels: Option<f64>, level: f64) -> Option<String> {
    let scenario = &advice.scenario;
    let p_values = |is_about: fn(ShiftKind) -> bool| {
        let findings = (advice.shifts.iter()).filter(move |finding| is_about(finding.kind));
        findings.filter_map(|finding| finding.p_holm)
    };
    let marginal = p_values(|kind| !matches!(kind, ShiftKind::Classes | ShiftKind::Conditional));
    let conditional = p_values(|kind| kind == ShiftKind::Conditional).chain(nearest_labels);
    let differences = [
        ("the features", Some(scenario.feature_space.finding)),
        ("P(X)", tested(&scenario.marginal, marginal, level)),
        ("the classes", Some(scenario.label_space.finding)),
        (
            "P(Y | X)",
            tested(&scenario.conditional, conditional, level),
        ),
    ];
    let sentence = |finding: Finding, words: &str| {
        let found = differences.iter();
        let found = found.filter(|(_, difference)| *difference == Some(finding));
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
    if differences
        .iter()
        .all(|(_, found)| *found == Some(Finding::Same))
    {
        return Some("Source and target do not differ in any way that was looked at.".to_owned());
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// What is known of a difference that only data can show; `None` where a test shows it, or where none could be made, both of
/// which are said by themselves.
fn tested(
    difference: &Difference,
    p_values: impl Iterator<Item = f64>,
    level: f64,
) -> Option<Finding> {
    let least = p_values.min_by(f64::total_cmp);
    match (least, &difference.evidence) {
        (Some(p_value), _) => (p_value > level).then_some(Finding::NotShown),
        (None, Evidence::Test { .. }) => None,
        (None, _) => Some(difference.finding),
    }
}

fn shift(advice: &Advice, nearest_labels: Option<f64>, level: f64) -> Option<String> {
    let findings = advice
        .shifts
        .iter()
        .filter(|finding| finding.rejects(level));
    let mut found: Vec<String> = findings
        .filter_map(|finding| {
            Some(format!(
                "{} (effect {:.2}, {})",
                finding.kind.title(),
                finding.result.as_ref()?.effect,
                p_value(finding.p_holm?)
            ))
        })
        .collect();
    let nearest_labels = nearest_labels.filter(|&p_value| p_value <= level);
    found.extend(nearest_labels.map(|p| {
        format!(
            "P(Y | X) differs, judging by the nearest source labels ({})",
            p_value(p)
        )
    }));
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

/// An adjusted p-value in words.
fn p_value(p_value: f64) -> String {
    if p_value < 0.001 {
        "p < 0.001".to_owned()
    } else {
        format!("p = {p_value:.3}")
    }
}

/// What could not be tested, said once for each reason: a test that was not made shows nothing.
fn untested(advice: &Advice, nearest_labels: Option<f64>) -> Vec<String> {
    let mut by_obstacle: Vec<(&str, Vec<String>)> = Vec::new();
    for finding in &advice.shifts {
        let Some(obstacle) = finding.obstacle.as_deref() else {
            continue;
        };
        // Of P(Y | X) another test may have been made.
        let by = match (finding.kind, nearest_labels) {
            (ShiftKind::Conditional, Some(_)) => ", judging by probabilities,",
            _ => "",
        };
        let question = format!("whether {}{by}", finding.kind.title());
        match by_obstacle.iter_mut().find(|(same, _)| *same == obstacle) {
            Some((_, questions)) => questions.push(question),
            None => by_obstacle.push((obstacle, vec![question])),
        }
    }
    let sentence = |(obstacle, questions): (&str, Vec<String>)| {
        format!(
            "{} could not be tested: {obstacle}.",
            capital(&list(&questions))
        )
    };
    by_obstacle.into_iter().map(sentence).collect()
}

/// Classes that the source cannot teach.
fn classes(advice: &Advice) -> Option<String> {
    /// Of many classes, so many are named.
    const MOST: usize = 10;
    let unknown = &advice.unknown_classes;
    if unknown.is_empty() {
        return None;
    }
    let mut names: Vec<String> = unknown
        .iter()
        .take(MOST)
        .map(|name| format!("`{name}`"))
        .collect();
    if unknown.len() > MOST {
        names.push(format!("{} more", unknown.len() - MOST));
    }
    let mut sentence = format!(
        "Labelled target rows have classes that no source row has: {}.",
        list(&names)
    );
    if advice.shared_classes.is_empty() {
        sentence.push_str(" Not one class is in both: if some should be, spell them alike.");
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
        let mut decisions = advice
            .methods
            .iter()
            .filter_map(|method| method.decision.as_ref());
        if decisions.any(|decision| decision.vote.is_some()) {
            let words = "Where a method and no transfer disagree, the rows around say which of both is likelier right.";
            sentences.insert(1, words.to_owned());
        }
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
    format!("{} {unit}", signed(100.0 * gain))
}

/// With one decimal and its sign, which 0 has none of.
fn signed(number: f64) -> String {
    match format!("{number:+.1}").as_str() {
        "+0.0" | "-0.0" => "0.0".to_owned(),
        text => text.replace('-', "−"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_sentences_read_as_on_pages() {
        assert_eq!(
            [4.27, -0.4, -0.01, 0.0].map(signed),
            ["+4.3", "−0.4", "0.0", "0.0"]
        );
        assert_eq!(p_value(0.0234), "p = 0.023");
        assert_eq!(p_value(1e-9), "p < 0.001");
    }
}
