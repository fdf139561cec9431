//! Sweeps and curves: what they mean, and what is refused.

use crate::case::{SPEC, parse};
use translearn_experiment::spec::SelectBy;

#[test]
fn a_sweep_is_a_method_for_each_number() {
    let spec =
        parse(&SPEC.replace("n_components = 2", "n_components = { sweep = [2, 5] }")).unwrap();
    let [_, two, five] = &spec.methods[..] else {
        panic!("three methods")
    };
    assert_eq!(
        (two.name.as_str(), five.name.as_str()),
        ("TCA (n_components = 2)", "TCA (n_components = 5)")
    );
    assert_eq!(five.params["n_components"], 5);
    assert_eq!(
        (five.select, five.tasks.as_deref()),
        (None, two.tasks.as_deref())
    );
    let point = five.curve.as_ref().unwrap();
    assert_eq!(
        (point.series.as_str(), point.parameter.as_str(), point.at),
        ("TCA", "n_components", 5.0)
    );
    // A parameter of the learner; beside it the grid of the other method is decided as ever.
    let spec = parse(&SPEC.replace("c = [0.1, 1] }", "c = { sweep = [0.1, 1] } }")).unwrap();
    assert_eq!(spec.methods[1].name, "coral (learner.c = 1.0)");
    assert_eq!(spec.methods[1].learner.as_ref().unwrap().params["c"], 1.0);
    assert_eq!(
        spec.methods[1].curve.as_ref().unwrap().parameter,
        "learner.c"
    );
    assert_eq!(spec.methods[1].select, None);
    let grid = SPEC.replace("lambda = 1", "lambda = { sweep = [1, 2] }");
    assert_eq!(
        parse(&grid).unwrap().methods[1].select,
        Some(SelectBy::SourceCv)
    );
}

#[test]
fn a_place_on_a_curve_changes_no_trial() {
    let ids = |text: &str| -> Vec<String> {
        let registry = translearn_classical::registry();
        let spec = parse(text).unwrap();
        let plan = translearn_experiment::plan::expand(
            &spec,
            &registry,
            &Default::default(),
            &Default::default(),
        );
        plan.file.trials
    };
    let placed = SPEC
        .replace("name = \"own\"", "name = \"own\"\nat = 3")
        .replace(
            "[[task]]\nname = \"low",
            "[curve]\nx = \"rows\"\n[[task]]\nname = \"low",
        );
    assert_eq!(ids(&placed), ids(SPEC));
    let (swept, alone) = (
        SPEC.replace("n_components = 2", "n_components = { sweep = [3, 2] }"),
        SPEC.replace("\"TCA\"", "\"other\""),
    );
    // One of the sweep is the method itself.
    assert!(ids(&alone).iter().all(|id| ids(&swept).contains(id)));
}

#[test]
fn a_sweep_is_over_numbers_and_stands_alone() {
    let components = "n_components = 2";
    for (to, word) in [
        ("n_components = { sweep = 2 }", "`{ sweep = [1, 2, 3] }`"),
        (
            "n_components = { swep = [1, 2] }",
            "`{ sweep = [1, 2, 3] }`",
        ),
        (
            "n_components = { sweep = [1, 2], by = 3 }",
            "`{ sweep = [1, 2, 3] }`",
        ),
        ("n_components = { sweep = [2] }", "two numbers or more"),
        (
            "n_components = { sweep = [1, \"2\"] }",
            "two numbers or more",
        ),
        ("n_components = { sweep = [1, 0] }", "n_components"),
        (
            "n_components = { sweep = [1, 1] }",
            "two methods are named `TCA (n_components = 1)`",
        ),
        (
            "n_components = { sweep = [1, 2] }\nlambda = { sweep = [1, 2] }",
            "`n_components` is swept already",
        ),
        (
            "n_components = { sweep = [1, 2] }\nselect = \"source-cv\"",
            "no parameter has a list",
        ),
    ] {
        let message = parse(&SPEC.replace(components, to))
            .expect_err(to)
            .to_string();
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

#[test]
fn curves_are_checked_against_what_is_there() {
    let swept = "n_components = { sweep = [1, 2] }";
    let curve = |method: &str, curve: &str, task: &str| {
        let text = SPEC
            .replace("n_components = 2", method)
            .replace("name = \"own\"", &format!("name = \"own\"\n{task}"));
        parse(&format!("{text}\n[curve]\n{curve}\n"))
    };
    assert!(curve(swept, "contrasts = [[\"TCA\", \"coral\"]]", "").is_ok());
    assert!(curve("n_components = 2", "x = \"rows\"", "at = 3").is_ok());
    for (method, section, task, word) in [
        (
            swept,
            "contrasts = [[\"TCS\", \"coral\"]]",
            "",
            "did you mean `TCA`",
        ),
        (
            swept,
            "contrasts = [[\"coral\", \"TCA\"]]",
            "",
            "curve `coral`",
        ),
        (
            swept,
            "contrasts = [[\"TCA\", \"corral\"]]",
            "",
            "did you mean `coral`",
        ),
        (swept, "contrast = []", "", "did you mean `contrasts`"),
        (swept, "x = \"rows\"", "", "no task has one"),
        (
            swept,
            "x = \"rows\"",
            "at = 3",
            "points of the curves already",
        ),
        (
            "n_components = 2",
            "contrasts = [[\"TCA\", \"coral\"]]",
            "",
            "no method has one",
        ),
        ("n_components = 2", "", "at = 3", "`x`"),
        ("n_components = 2", "x = \"rows\"", "at = nan", "finite"),
        ("n_components = 2", "x = \"rows\"", "at = \"3\"", "at"),
    ] {
        let message = curve(method, section, task).expect_err(section).to_string();
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
    let lonely = parse(&SPEC.replace("name = \"own\"", "name = \"own\"\nat = 1")).unwrap_err();
    assert!(lonely.to_string().contains("`[curve]`"), "{lonely}");
}
