//! Keys that do not go together.

use crate::errors::check;

#[test]
fn keys_that_do_not_go_together_are_refused() {
    check(
        "labelled = { per_class = 3 }",
        "corrupt_source = { labels = 1.5 }",
        13,
        &["`corrupt_source`", "a share of labels in [0, 1], found 1.5"],
    );
    let drawn = "generate = { kind = \"two-moons\", angle = 30 }";
    check(
        "set = \"wine-quality-embedded\", domain = \"low-alcohol\"",
        &format!("{drawn}, domain = \"a\""),
        11,
        &["rows that are drawn have no set, file, domain"],
    );
    check(
        "set = \"wine-quality-embedded\", domain = \"low-alcohol\"",
        "generate = { kind = \"two-moon\" }",
        11,
        &["two-moons"],
    );
    check(
        "set = \"wine-quality-embedded\", domain = \"low-alcohol\"",
        "generate = { kind = \"two-moons\", n_source = 9000000000000000000 }",
        11,
        &["`n_source`", "at most 100 000 000 numbers"],
    );
    check(
        "set = \"wine-quality-embedded\", domain = \"low-alcohol\"",
        "generate = { kind = \"two-moons\", noise = -1.0 }",
        11,
        &["`noise`"],
    );
    check(
        "domain = \"high-alcohol\"",
        "domain = \"high-alcohol\", draw = 2",
        12,
        &["goes with `generate`"],
    );
    check(
        "domain = \"low-alcohol\"",
        "file = \"a.csv\"",
        11,
        &["stands beside `set`"],
    );
    check(
        "drop = [\"id\"]",
        "domain = \"x\"",
        17,
        &["`domain` and `split` go with `set`"],
    );
    check(
        "drop = [\"id\"]",
        "test = \"z.csv\"",
        17,
        &["only a target has a part that is kept for scoring"],
    );
    check(
        "domain = \"high-alcohol\"",
        "domain = \"high-alcohol\", test = \"a.csv\"",
        12,
        &["goes with `file`"],
    );
    check(
        "test = \"heldout.csv\"",
        "test_split = \"test\"",
        18,
        &["goes with `set`"],
    );
    check(
        "preprocess = [\"l2-rows\"]",
        "text = { min_df = 2 }",
        19,
        &["goes with `kind = \"text\"`"],
    );
    check(
        "name = \"TCA\"",
        "select = \"source-cv\"",
        28,
        &["`select`", "no parameter has a list"],
    );
    check(
        "name = \"TCA\"",
        "folds = 3",
        28,
        &["`folds`", "no parameter has a list"],
    );
    check(
        "lambda = 1",
        "folds = 1",
        24,
        &["expected at least 2, found 1"],
    );
    check(
        "lambda = 1",
        "select = \"oracle\"\nfolds = 3",
        25,
        &["`oracle` needs none"],
    );
    let books =
        r#"{ set = "amazon-reviews", domain = "books", split = "test", test_split = "test" }"#;
    let high = r#"{ set = "wine-quality-embedded", domain = "high-alcohol" }"#;
    check(
        high,
        books,
        12,
        &["`test_split`", "is the split that the fit sees"],
    );
    let news = r#"{ set = "20news-bydate", split = "test" }"#;
    check(high, news, 12, &["holds texts; say `kind = \"text\"`"]);
    let classes = r#"{ file = "new.csv", label = "y", classes = { a = ["1"], b = ["1"] } }"#;
    check(
        r#"{ file = "new.csv", label = "y", test = "heldout.csv" }"#,
        classes,
        18,
        &["`1` in `a` and in `b`"],
    );
}
