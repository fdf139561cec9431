//! Every kind of specification that cannot be run: the message names file, line, what is wrong and what to write.

use std::path::Path;

use crate::case::{SPEC, parse};
use translearn_experiment::spec::{Spec, SpecError};

/// The error after `from` was replaced by `to`.
fn broken(from: &str, to: &str) -> SpecError {
    assert_eq!(SPEC.matches(from).count(), 1, "`{from}` must stand once");
    parse(&SPEC.replace(from, to)).expect_err(to)
}

#[track_caller]
pub(crate) fn check(from: &str, to: &str, line: usize, words: &[&str]) {
    let error = broken(from, to);
    let message = error.to_string();
    assert_eq!(error.line, Some(line), "{message}");
    assert!(
        message.starts_with(&format!("`wine.toml` line {line}: ")),
        "{message}"
    );
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

#[test]
fn an_unknown_key_is_answered_with_its_neighbour() {
    check(
        "seeds = 2",
        "seed = 2",
        3,
        &[
            "unknown key `seed` in the specification",
            "did you mean `seeds`?",
        ],
    );
    check(
        "labelled = {",
        "labeled = {",
        13,
        &[
            "unknown key `labeled` in task `low→high`",
            "did you mean `labelled`?",
        ],
    );
    check(
        "domain = \"low-alcohol\"",
        "domian = \"low-alcohol\"",
        11,
        &[
            "`domian`",
            "the source of task `low→high`",
            "did you mean `domain`?",
        ],
    );
    check(
        "drop = [\"id\"]",
        "dorp = [\"id\"]",
        17,
        &["`dorp`", "the source of task `own`", "did you mean `drop`?"],
    );
    check(
        "per_class = 3",
        "per_clas = 3",
        13,
        &["`per_clas`", "did you mean `per_class`?"],
    );
    check(
        "lambda = 1",
        "lamda = 1",
        24,
        &[
            "unknown key `lamda` in method `coral`",
            "did you mean `lambda`?",
        ],
    );
    check(
        "tasks = [\"own\"]",
        "task = [\"own\"]",
        29,
        &[
            "unknown key `task` in method `tca`",
            "did you mean `tasks`?",
        ],
    );
    check(
        "c = [0.1, 1]",
        "C = [0.1, 1]",
        23,
        &["`C`", "the learner of method `coral`", "did you mean `c`?"],
    );
    check(
        "lambda = 1",
        "zebra = 1",
        24,
        &["unknown key `zebra`", "known: use", "lambda"],
    );
    check(
        "drop = [\"id\"]",
        "table = 1",
        17,
        &["unknown key `table`", "in the source of task `own`"],
    );
    check(
        "preprocess = [\"l2-rows\"]",
        "table = { missing = \"mean\" }",
        19,
        &[
            "unknown key `missing` in `table` of task `own`",
            "missing_numbers",
        ],
    );
}

#[test]
fn unknown_names_are_answered_with_their_neighbours() {
    check(
        "use = \"coral\"",
        "use = \"corral\"",
        22,
        &["there is no method `corral`; did you mean `coral`?"],
    );
    check(
        "use = \"logistic\"",
        "use = \"logistics\"",
        23,
        &["there is no learner `logistics`; did you mean `logistic`?"],
    );
    check(
        "set = \"wine-quality-embedded\", domain = \"low",
        "set = \"wine-quality-embeded\", domain = \"low",
        11,
        &["no set `wine-quality-embeded`; did you mean `wine-quality-embedded`?"],
    );
    check(
        "high-alcohol",
        "high-alcool",
        12,
        &["no domain `high-alcool`; did you mean `high-alcohol`?"],
    );
    check(
        "\"rmse\"",
        "\"rmsd\"",
        4,
        &["there is no metric `rmsd`; did you mean `rmse`?"],
    );
    check(
        "\"zscore\"",
        "\"zcore\"",
        5,
        &[
            "`preprocess` in the specification",
            "zcore",
            "zscore-per-domain",
        ],
    );
    check(
        "tasks = [\"own\"]",
        "tasks = [\"owm\"]",
        29,
        &["there is no task `owm`; did you mean `own`?"],
    );
    check(
        "name = \"own\"",
        "name = \"own\"\nkind = \"texts\"",
        17,
        &["there is no kind \"texts\"; did you mean \"text\"?"],
    );
    check(
        "name = \"own\"",
        "name = \"own\"\nkind = \"audio\"",
        17,
        &["not yet `audio`"],
    );
    check(
        "name = \"own\"",
        "name = \"own\"\nkind = \"images\"\nimage_side = 15",
        18,
        &["`image_side` in task `own`", "at least 16, found 15"],
    );
    check(
        "name = \"own\"",
        "name = \"own\"\nimage_side = 64",
        17,
        &[
            "`image_side` in task `own`",
            "goes with `kind = \"images\"`",
        ],
    );
    check(
        "name = \"own\"",
        "name = \"own\"\nfeatures = { backbone = \"resnet18\", weights = \"random\" }",
        17,
        &["`features` in task `own`", "goes with `kind = \"images\"`"],
    );
    check(
        "name = \"own\"",
        "name = \"own\"\nkind = \"images\"\nfeatures = { backbone = \"resnet18\", weight = \"random\" }",
        18,
        &["`weight`", "did you mean `weights`?"],
    );
    check(
        "lambda = 1",
        "select = \"souce-cv\"",
        24,
        &["`select` in method `coral`", "souce-cv", "source-cv"],
    );
    check(
        "lambda = 1",
        "select = \"entropie\"",
        24,
        &["`mixval`", "found `entropie`; did you mean `entropy`?"],
    );
    check(
        "lambda = 1",
        "select = \"entropy\"\nfolds = 3",
        25,
        &["`entropy` needs none"],
    );
}

#[test]
fn missing_keys_are_named() {
    check(
        "schema = 1\n",
        "\n",
        1,
        &["the specification needs the key `schema`"],
    );
    check(
        "name = \"wine\"\n",
        "\n",
        1,
        &["the specification needs the key `name`"],
    );
    check(
        "name = \"own\"\n",
        "\n",
        15,
        &["task 2 needs the key `name`"],
    );
    check(
        "source = { file = \"old.csv\", label = \"y\", drop = [\"id\"] }\n",
        "\n",
        15,
        &["task `own` needs the key `source`"],
    );
    check(
        "use = \"tca\"\n",
        "\n",
        26,
        &["method 2 needs the key `use`"],
    );
    check(
        "use = \"logistic\", ",
        "",
        23,
        &["the learner of method `coral` needs the key `use`"],
    );
    check(
        "set = \"wine-quality-embedded\", domain = \"low-alcohol\"",
        "",
        11,
        &["needs the key `set`, `file` or `generate`"],
    );
    let error = parse("schema = 1\nname = 'x'\n").unwrap_err().to_string();
    assert!(error.contains("needs the key `task`"), "{error}");
    let task = "[[task]]\nname = 't'\nsource = { file = 'a.csv' }\ntarget = { file = 'b.csv' }\n";
    let error = parse(&format!("schema = 1\nname = 'x'\n{task}"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("needs the key `method`"), "{error}");
}

#[test]
fn values_of_the_wrong_type_or_size_are_named() {
    check(
        "schema = 1",
        "schema = 2",
        1,
        &["`schema`", "expected 1, found 2"],
    );
    check(
        "schema = 1",
        "schema = \"1\"",
        1,
        &["`schema`", "invalid type: string \"1\""],
    );
    check(
        "name = \"wine\"",
        "name = \"../wine\"",
        2,
        &["`name`", "../wine"],
    );
    check(
        "seeds = 2",
        "seeds = -1",
        3,
        &["`seeds`", "expected a number of seeds or a list of seeds"],
    );
    check("seeds = 2", "seeds = 0", 3, &["expected at least one seed"]);
    check(
        "seeds = 2",
        "seeds = [1, 2, 1]",
        3,
        &["a seed stands twice"],
    );
    check(
        "[\"accuracy\", \"rmse\"]",
        "[]",
        4,
        &["expected at least one metric"],
    );
    check(
        "[\"accuracy\", \"rmse\"]",
        "[\"accuracy\", \"accuracy\"]",
        4,
        &["`accuracy` stands twice"],
    );
    check(
        "[\"accuracy\", \"rmse\"]",
        "[\"mae\", \"rmse\"]",
        4,
        &["none of them measures `low→high`"],
    );
    check(
        "timeout_seconds = 60",
        "timeout_seconds = -1",
        6,
        &["expected seconds greater than 0, found -1"],
    );
    check(
        "timeout_seconds = 60",
        "timeout_seconds = nan",
        6,
        &["found NaN"],
    );
    check(
        "\"4 GiB\"",
        "\"4 gigs\"",
        7,
        &["`memory_limit`", "found \"4 gigs\""],
    );
    check(
        "per_class = 3",
        "per_class = 0",
        13,
        &["`labelled`", "expected at least 1"],
    );
    check(
        "per_class = 3",
        "fraction = 1.5",
        13,
        &["(0, 1], found 1.5"],
    );
    check(
        "per_class = 3",
        "per_class = 3, count = 4",
        13,
        &["expected one of `per_class`, `fraction` and `count`"],
    );
    check(
        "labelled = { per_class = 3 }",
        "labelled = 3",
        13,
        &["expected a table, found an integer"],
    );
    check(
        "lambda = 1",
        "lambda = -1",
        24,
        &["method `coral`", "`lambda` = -1 is outside"],
    );
    check(
        "lambda = 1",
        "lambda = [1, \"x\"]",
        24,
        &["`lambda` = \"x\" is outside"],
    );
    check(
        "lambda = 1",
        "lambda = []",
        24,
        &["a grid needs at least one value"],
    );
    check("lambda = 1", "lambda = [[1]]", 24, &["list of lists"]);
    check(
        "lambda = 1",
        "lambda = nan",
        24,
        &["expected a finite number, found nan"],
    );
    check(
        "lambda = 1",
        "lambda = { a = 1 }",
        24,
        &["found another table"],
    );
    check("c = [0.1, 1]", "c = [0.1, 0]", 23, &["`c` = 0 is outside"]);
    check(
        "n_components = 2",
        "n_components = 0",
        30,
        &["`n_components` = 0 is outside"],
    );
    check(
        "lambda = 1",
        "lambda = 99999999999999999999",
        24,
        &["too large"],
    );
    check(
        "drop = [\"id\"]",
        "drop = \"id\"",
        17,
        &["the source of task `own`", "expected a sequence"],
    );
    check(
        "name = \"TCA\"",
        "name = \"\"",
        28,
        &["expected a name in one line"],
    );
}

#[test]
fn two_of_one_name_are_refused() {
    check(
        "name = \"own\"",
        "name = \"low→high\"",
        15,
        &["two tasks are named `low→high`", "line 9"],
    );
    check(
        "name = \"TCA\"",
        "name = \"coral\"",
        26,
        &["two methods are named `coral`", "line 21"],
    );
    let twin =
        "use = \"coral\"\nname = \"twin\"\nlearner = { use = \"logistic\", c = [0.1, 1.0] }\n";
    check(
        "use = \"tca\"\nname = \"TCA\"\ntasks = [\"own\"]\nn_components = 2\n",
        twin,
        26,
        &["`coral` and `twin` are the same method"],
    );
    // Different tasks, one name: a row of the same table.
    let coral = "use = \"coral\"\nlearner = { use = \"logistic\", c = [0.1, 1] }\nlambda = 1";
    let elsewhere = format!("{coral}\ntasks = [\"low→high\"]");
    assert!(
        parse(
            &SPEC
                .replace(coral, &elsewhere)
                .replace("name = \"TCA\"", "name = \"coral\"")
        )
        .is_ok()
    );
}

#[test]
fn an_unknown_learner_is_refused_for_every_method() {
    let registry = translearn_classical::registry();
    for entry in registry.methods() {
        let text = SPEC.replace(
            "use = \"tca\"\nname = \"TCA\"\ntasks = [\"own\"]\nn_components = 2\n",
            &format!(
                "use = \"{}\"\nname = \"x\"\nlearner = {{ use = \"nothing\" }}\n",
                entry.info.name
            ),
        );
        let error = parse(&text).unwrap_err();
        assert_eq!(error.line, Some(29), "{error}");
    }
}

#[test]
fn text_that_is_no_toml_has_its_line() {
    let error = parse("schema = 1\nname = \n").unwrap_err();
    assert_eq!(error.line, Some(2), "{error}");
    assert!(error.to_string().contains("not valid TOML"), "{error}");
    let error = parse("schema = 1\nschema = 1\n").unwrap_err();
    assert_eq!(error.line, Some(2), "{error}");
    let error =
        Spec::read(Path::new("no/such.toml"), &translearn_classical::registry()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("`no/such.toml`: cannot be read"),
        "{error}"
    );
}
