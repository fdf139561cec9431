use ndarray::{Array1, Array2};
use translearn_core::{
    Domain, Evidence, Finding, LabelSpace, Labels, Task, TransferError, TransferProblem, seed,
};
use translearn_learners::Knn;

use super::{Advice, Adviser, ShiftFinding, ShiftKind, advise, shift};
use crate::negative::{GateRule, TransferGate, Verdict};
use crate::shift::TestResult;

/// Rows with two classes that one column of three tells apart; `flip` turns the source's classes round, `shift` moves its
/// rows.
fn problem(n_labelled: usize, flip: bool, shift: f64, seed: u64) -> TransferProblem {
    of_columns(3, n_labelled, flip, shift, seed)
}

fn of_columns(
    n_columns: usize,
    n_labelled: usize,
    flip: bool,
    shift: f64,
    seed: u64,
) -> TransferProblem {
    let part = |name: &str, n: usize, flip: bool, shift: f64| {
        let mut rng = seed::rng(seed::derive(seed, &[name]));
        let mut x = Array2::from_shape_simple_fn((n, n_columns), || rng.normal());
        let y: Array1<usize> = x
            .column(0)
            .iter()
            .map(|&v| usize::from((v + 0.3 * rng.normal() > 0.0) != flip))
            .collect();
        x.column_mut(2).mapv_inplace(|v| v + shift);
        let domain = Domain {
            name: name.into(),
            features: x.into(),
        };
        (domain, Labels::Classes(y))
    };
    let (source, labels) = part("source", 150, flip, shift);
    let source = (source, Task::labelled(LabelSpace::numbered(2), labels));
    let (target, labels) = part("target", 120, false, 0.0);
    let rows: Vec<usize> = (0..n_labelled).collect();
    let known = labels.select(&rows);
    let task = Task::partly_labelled(LabelSpace::numbered(2), rows, known);
    TransferProblem::from_parts(vec![source], (target, task)).unwrap()
}

fn of(problem: &TransferProblem) -> Advice {
    advise(problem, &translearn_classical::registry()).unwrap()
}

fn p_value(advice: &Advice, kind: ShiftKind) -> f64 {
    let found = advice.shifts.iter().find(|finding| finding.kind == kind);
    found.unwrap().result.as_ref().unwrap().p_value
}

#[test]
fn a_good_source_is_used() {
    // Twenty labels tell little of thirty columns.
    let advice = of(&of_columns(30, 20, false, 0.0, 7));
    assert_eq!(advice.verdict, Verdict::Transfer, "{:#?}", advice.reasons);
    let first = &advice.methods[0];
    assert_eq!(advice.choice, first.name);
    let belief = advice.expected_gain.unwrap();
    assert_eq!(first.decision.as_ref().unwrap().belief, belief);
    assert!(belief.gain > 0.0);
    assert!(p_value(&advice, ShiftKind::Features) > 0.05);
    assert!(
        advice
            .reasons
            .iter()
            .any(|reason| reason.contains("at least 62 % likely"))
    );
    assert!(advice.reasons.last().unwrap().contains(&advice.choice));
}

#[test]
fn an_opposed_source_is_not() {
    let advice = of(&problem(40, true, 0.0, 2));
    assert_eq!(advice.choice, "target-only");
    assert!(advice.expected_gain.is_none());
    let alone = advice
        .methods
        .iter()
        .find(|method| method.name == "source-only")
        .unwrap();
    let decision = alone.decision.as_ref().unwrap();
    assert_eq!(decision.verdict, Verdict::DoNotTransfer);
    assert!(decision.belief.gain < -0.4, "{decision:?}");
    assert!(p_value(&advice, ShiftKind::Conditional) < 0.05);
    assert_eq!(advice.scenario.conditional.finding, Finding::Differs);
}

#[test]
fn without_labels_nothing_is_decided() {
    let advice = of(&problem(0, false, 3.0, 3));
    assert_eq!(
        (advice.verdict, advice.choice.as_str()),
        (Verdict::Undecided, "source-only")
    );
    assert!(
        advice
            .reasons
            .iter()
            .any(|reason| reason.contains("No target row has a label"))
    );
    // Methods that need labels say so; of the others it is known how much is at stake.
    let of = |name: &str| {
        advice
            .methods
            .iter()
            .find(|method| method.name == name)
            .unwrap()
    };
    assert!(of("pooled").obstacle.as_ref().unwrap().contains("label"));
    let coral = of("coral").decision.as_ref().unwrap();
    assert!(coral.at_stake.is_some() && coral.evidence.is_none());
    // The column that was moved drives the shift.
    assert_eq!(advice.drivers[0].shift.column, 2);
    assert!(
        advice
            .reasons
            .iter()
            .any(|reason| reason.contains("`column 3`"))
    );
    assert!(
        advice
            .shifts
            .iter()
            .all(|finding| finding.kind != ShiftKind::Conditional)
    );
}

#[test]
fn the_order_is_that_of_the_verdicts_and_gains() {
    for advice in [
        of(&problem(12, false, 1.0, 4)),
        of(&problem(30, true, 1.0, 4)),
    ] {
        let places: Vec<(u8, f64)> = advice
            .methods
            .iter()
            .map(|method| match &method.decision {
                None => (0, 0.0),
                Some(decision) => (
                    match decision.verdict {
                        Verdict::Transfer => 3,
                        Verdict::Undecided => 2,
                        Verdict::DoNotTransfer => 1,
                    },
                    decision.belief.gain,
                ),
            })
            .collect();
        assert!(places.is_sorted_by(|a, b| a >= b), "{places:?}");
        assert_eq!(advice.methods.len(), 10);
    }
}

/// One rule decides behind a gate and in an advice.
#[test]
fn the_gate_decides_alike() {
    let problem = problem(16, false, 0.5, 5);
    let registry = translearn_classical::registry();
    let rule = GateRule::default().confidence(0.6);
    let adviser = Adviser::default()
        .methods(["pooled".to_owned()])
        .rule(rule.clone());
    let advice = adviser.advise(&problem, &registry, 9).unwrap();
    let pooled = registry.build("pooled", Default::default(), None).unwrap();
    let decision = TransferGate::new(pooled)
        .rule(rule)
        .decide(&problem, 9)
        .unwrap();
    assert_eq!(advice.methods[0].decision.as_ref(), Some(&decision));
}

#[test]
fn the_same_seed_gives_the_same_advice_on_any_number_of_threads() {
    let problem = problem(20, false, 1.0, 6);
    let registry = translearn_classical::registry();
    let on = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            Adviser::default()
                .advise(&problem, &registry, seed)
                .unwrap()
        })
    };
    assert_eq!(on(1, 3), on(3, 3));
    assert_ne!(on(1, 3), on(1, 4));
}

#[test]
fn advice_survives_json() {
    let advice = of(&problem(10, false, 0.0, 7));
    let json = serde_json::to_string(&advice).unwrap();
    assert_eq!(serde_json::from_str::<Advice>(&json).unwrap(), advice);
}

#[test]
fn values_are_advised_on_too() {
    let mut rng = seed::rng(8);
    let mut part = |name: &str, n: usize| {
        let x = Array2::from_shape_simple_fn((n, 3), || rng.normal());
        let y =
            x.column(0).mapv(|v| 2.0 * v) + Array1::from_shape_simple_fn(n, || 0.1 * rng.normal());
        (
            Domain {
                name: name.into(),
                features: x.into(),
            },
            Labels::Values(y),
        )
    };
    let (source, labels) = part("source", 100);
    let source = (source, Task::labelled(LabelSpace::Real, labels));
    let (target, labels) = part("target", 60);
    let rows: Vec<usize> = (0..5).collect();
    let task = Task::partly_labelled(LabelSpace::Real, rows.clone(), labels.select(&rows));
    let problem = TransferProblem::from_parts(vec![source], (target, task)).unwrap();
    let advice = of(&problem);
    assert_eq!(advice.facts.n_classes, None);
    assert_eq!(advice.verdict, Verdict::Transfer, "{:#?}", advice.reasons);
    assert!(advice.reasons[0].contains("No difference was shown in P(X) and P(Y | X)"));
    assert!(
        advice
            .shifts
            .iter()
            .all(|finding| finding.kind != ShiftKind::Classes)
    );
}

/// Holm over what was tested, as his paper tells it, whatever could not be; the scenario's test of P(Y | X) counts where no
/// finding is about it.
#[test]
fn p_values_are_adjusted_for_their_number() {
    let rejects = |p_value: f64, kind: ShiftKind| ShiftFinding {
        kind,
        result: (p_value <= 1.0).then(|| TestResult {
            test: "a test".to_owned(),
            statistic: 1.0,
            p_value,
            effect: 0.5,
            n_source: 9,
            n_target: 9,
        }),
        obstacle: (p_value > 1.0).then(|| "too few rows".to_owned()),
        p_holm: None,
    };
    let mut scenario = of(&problem(20, false, 0.0, 11)).scenario;
    let Evidence::Test { p_value, .. } = &mut scenario.conditional.evidence else {
        panic!("{scenario}")
    };
    *p_value = 0.02;
    let kinds = [
        ShiftKind::Features,
        ShiftKind::Separable,
        ShiftKind::Columns,
        ShiftKind::Conditional,
    ];
    for (p_values, others) in [
        ([0.2, 9.0, 0.01, 0.04], None),
        ([0.5, 0.001, 0.03, 9.0], Some(0.02)),
    ] {
        let mut findings: Vec<ShiftFinding> = (p_values.into_iter().zip(kinds))
            .map(|(p_value, kind)| rejects(p_value, kind))
            .collect();
        let nearest_labels = shift::adjust(&mut findings, &scenario);
        assert_eq!(nearest_labels.is_some(), others.is_some());
        let all: Vec<f64> = p_values
            .into_iter()
            .filter(|&p| p <= 1.0)
            .chain(others)
            .collect();
        let mut ascending = all.clone();
        ascending.sort_by(f64::total_cmp);
        for level in [0.005, 0.03, 0.05, 0.07, 0.13, 0.3, 0.6] {
            // His steps: down, while the next is below its bound.
            let left = |place: usize| (all.len() - place) as f64;
            let steps = ascending
                .iter()
                .enumerate()
                .take_while(|&(place, &p)| p <= level / left(place));
            let called = steps.count();
            let is_called = |p: f64| ascending[..called].contains(&p);
            for (finding, p) in findings.iter().zip(p_values) {
                assert_eq!(finding.rejects(level), is_called(p), "{p} at {level}");
            }
            if let (Some(p_holm), Some(p)) = (nearest_labels, others) {
                assert_eq!(p_holm <= level, is_called(p), "{p} at {level}");
            }
        }
    }
}

/// What was not tested is no sign that nothing shifts.
#[test]
fn a_test_that_cannot_be_made_says_why() {
    let mut parts = problem(0, false, 0.0, 10).sources()[0].clone();
    parts.0.name = "source".to_owned();
    let one = Domain {
        name: "target".into(),
        features: Array2::from_elem((1, 3), 7.0).into(),
    };
    let task = Task::unlabelled(LabelSpace::numbered(2));
    let advice = of(&TransferProblem::from_parts(vec![parts], (one, task)).unwrap());
    let kinds: Vec<ShiftKind> = advice.shifts.iter().map(|finding| finding.kind).collect();
    assert!(kinds.contains(&ShiftKind::Columns) && advice.drivers.is_empty());
    for finding in &advice.shifts {
        assert_eq!(finding.result.is_none(), finding.obstacle.is_some());
    }
    let untested = (advice.reasons.iter()).find(|reason| reason.contains("could not be tested"));
    let untested = untested.unwrap();
    assert!(
        untested.contains("whether single columns differ") && untested.contains("1 row"),
        "{untested}"
    );
}

/// Classes that are spelt another way are other classes, which is said.
#[test]
fn classes_that_the_source_lacks_are_named() {
    let part = |name: &str, n: usize, classes: [usize; 2]| {
        let x = Array2::from_shape_fn((n, 2), |(row, column)| ((7 * row + 3 * column) % n) as f64);
        let y = Array1::from_shape_fn(n, |row| classes[usize::from(x[[row, 0]] > 20.0)]);
        let domain = Domain {
            name: name.into(),
            features: x.into(),
        };
        let names = ["no", "yes", "nein", "ja"].map(str::to_owned).to_vec();
        (
            domain,
            Task::labelled(LabelSpace::Classes(names), Labels::Classes(y)),
        )
    };
    let said = |of_target: [usize; 2]| {
        let problem = TransferProblem::from_parts(
            vec![part("source", 60, [0, 1])],
            part("target", 50, of_target),
        );
        let advice = Adviser::default()
            .methods([
                "pooled".to_owned(),
                "source-only".to_owned(),
                "pooled".to_owned(),
            ])
            .advise(&problem.unwrap(), &translearn_classical::registry(), 0)
            .unwrap();
        // Named twice is looked at once.
        assert_eq!(advice.methods.len(), 2);
        (
            advice.reasons.join("\n"),
            advice.shared_classes,
            advice.unknown_classes,
        )
    };
    let (reasons, shared, unknown) = said([2, 3]);
    assert!(
        reasons.contains("no source row has: `ja` and `nein`. Not one class is in both"),
        "{reasons}"
    );
    assert_eq!((shared.len(), unknown.len()), (0, 2));
    let (reasons, shared, unknown) = said([0, 3]);
    assert!(
        reasons.contains("no source row has: `ja`.") && !reasons.contains("Not one"),
        "{reasons}"
    );
    assert_eq!(
        (shared, unknown),
        (vec!["no".to_owned()], vec!["ja".to_owned()])
    );
    let (reasons, ..) = said([1, 0]);
    assert!(!reasons.contains("no source row"), "{reasons}");
}

#[test]
fn nonsense_is_refused() {
    let problem = problem(10, false, 0.0, 9);
    let registry = translearn_classical::registry();
    let unknown = Adviser::default().methods(["coral".to_owned(), "corall".to_owned()]);
    assert!(matches!(
        unknown.advise(&problem, &registry, 0),
        Err(TransferError::UnknownName { nearest: Some(near), .. }) if near == "coral"
    ));
    for wrong in [
        Adviser::default().level(0.0),
        Adviser::default().level(f64::NAN),
        Adviser::default().n_test_rows(1),
        Adviser::default().rule(GateRule::default().margin(2.0)),
    ] {
        let found = wrong.advise(&problem, &registry, 0);
        assert!(
            matches!(found, Err(TransferError::InvalidParameter { .. })),
            "{found:?}"
        );
    }
    // A learner without probabilities cannot be asked about P(Y | X), and says so in its place.
    let nearest = Adviser::default()
        .learner(Knn::params().k(1))
        .methods(["source-only".to_owned()]);
    let advice = nearest.advise(&problem, &registry, 0).unwrap();
    assert_eq!(advice.methods.len(), 1);
}
