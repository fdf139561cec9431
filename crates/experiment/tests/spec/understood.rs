//! What a specification means once it is read.

use crate::case::{SPEC, parse};
use translearn_experiment::spec::{Draw, Output, SelectBy, Spec, Step};

#[test]
fn a_good_specification_is_understood() {
    let spec = parse(SPEC).unwrap();
    assert_eq!(
        (spec.schema, spec.name.as_str(), spec.seeds.as_slice()),
        (1, "wine", &[0, 1][..])
    );
    assert_eq!(spec.memory_limit, Some(4 << 30));
    assert!(spec.baselines);
    let [wine, own] = &spec.tasks[..] else {
        panic!("two tasks")
    };
    assert_eq!(
        (wine.output, wine.labelled),
        (Some(Output::Classification), Some(Draw::PerClass(3)))
    );
    assert_eq!(
        (&wine.preprocess[..], &own.preprocess[..]),
        (&[Step::Zscore][..], &[Step::L2Rows][..])
    );
    assert_eq!(
        (own.output, own.test.as_ref().map(|part| part.from.name())),
        (None, Some("heldout.csv".to_owned()))
    );
    let [coral, tca] = &spec.methods[..] else {
        panic!("two methods")
    };
    assert_eq!(
        (coral.name.as_str(), coral.select, coral.folds),
        ("coral", Some(SelectBy::SourceCv), 5)
    );
    // Integers are understood as the parameter's own kind, and defaults are filled in.
    assert_eq!(coral.params["lambda"].to_string(), "1.0");
    assert_eq!(coral.params["form"], "map");
    assert_eq!(
        coral.learner.as_ref().unwrap().params["c"].to_string(),
        "[0.1,1.0]"
    );
    assert_eq!((tca.name.as_str(), tca.select), ("TCA", None));
    assert!(tca.serves("own") && !tca.serves("low→high"));
}

#[test]
fn an_oracle_says_so_in_its_name() {
    let name = |lines: &str| {
        parse(&SPEC.replace("lambda = 1", lines)).unwrap().methods[0]
            .name
            .clone()
    };
    assert_eq!(name("select = \"oracle\""), "coral (oracle)");
    assert_eq!(
        name("select = \"oracle\"\nname = \"CORAL, C by Oracle\""),
        "CORAL, C by Oracle"
    );
    assert_eq!(name("select = \"importance-weighted\""), "coral");
}

#[test]
fn auto_is_null_where_the_data_may_choose() {
    let tca = |line: &str| {
        parse(&SPEC.replace("n_components = 2", line))
            .map(|spec| spec.methods[1].params["gamma"].clone())
    };
    assert_eq!(tca("gamma = \"auto\"").unwrap(), serde_json::Value::Null);
    assert_eq!(
        tca("gamma = [\"auto\", 1]").unwrap().to_string(),
        "[null,1.0]"
    );
    assert!(tca("gamma = \"median\"").is_err());
}

#[cfg(feature = "deep")]
#[test]
fn auto_is_null_where_a_method_of_networks_may_choose() {
    let registry = translearn_deep::registry();
    let method = "[[method]]\nuse = \"fine-tune\"\nweights = \"auto\"\nfreeze_before = [\"auto\", \"fc2\"]\n";
    let text = format!("{}{method}", &SPEC[..SPEC.find("[[method]]").unwrap()]);
    let spec = Spec::parse(&text, "wine.toml".as_ref(), &registry).unwrap();
    let params = &spec.methods[0].params;
    assert_eq!(params["weights"], serde_json::Value::Null);
    assert_eq!(params["freeze_before"].to_string(), "[null,\"fc2\"]");

    // A backbone that is misspelt is found before anything runs.
    let text = text.replace(
        "weights = \"auto\"",
        "learner = { use = \"network\", backbone = \"resnet81\" }",
    );
    let error = Spec::parse(&text, "wine.toml".as_ref(), &registry).unwrap_err();
    assert_eq!(error.line, Some(23), "{error}");
    assert!(
        error.to_string().contains("did you mean `resnet18`?"),
        "{error}"
    );
}

#[test]
fn a_set_with_splits_gives_the_fit_the_other_one() {
    let target = r#"{ set = "amazon-reviews", domain = "dvd", test_split = "test" }"#;
    let source = r#"{ set = "amazon-reviews", domain = "books", split = "train" }"#;
    let text = SPEC
        .replace(
            r#"{ set = "wine-quality-embedded", domain = "high-alcohol" }"#,
            target,
        )
        .replace(
            r#"{ set = "wine-quality-embedded", domain = "low-alcohol" }"#,
            source,
        );
    let task = parse(&text).unwrap().tasks.remove(0);
    let json = serde_json::to_value(&task).unwrap();
    assert_eq!(json["target"]["from"]["set"]["split"], "train");
    assert_eq!(json["test"]["from"]["set"]["split"], "test");
    assert_eq!(json["source"][0]["from"]["set"]["split"], "train");
}

#[test]
fn several_sources_and_classes_for_both_sides() {
    let source = r#"[{ file = "a.csv", label = "y" }, { file = "b.csv", label = "y" }]"#;
    let text = SPEC
        .replace(
            r#"{ file = "old.csv", label = "y", drop = ["id"] }"#,
            source,
        )
        .replace(
            "name = \"own\"",
            "name = \"own\"\nclasses = { low = [\"1\", \"2\"], high = [\"3\"] }",
        );
    let task = parse(&text).unwrap().tasks.remove(1);
    assert_eq!(task.source.len(), 2);
    assert!(task.parts().all(|part| part.classes.is_some()));
    assert_eq!(task.output, Some(Output::Classification));
    let error =
        parse(&text.replace("{ file = \"b.csv\", label", "{ file = \"b.csv\", lable")).unwrap_err();
    assert!(
        error.to_string().contains("the source of task `own` 2"),
        "{error}"
    );
}

#[test]
fn what_was_understood_survives_json() {
    let spec = parse(SPEC).unwrap();
    let text = serde_json::to_string(&spec).unwrap();
    let again: Spec = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
}

#[cfg(feature = "deep")]
#[test]
fn images_are_not_shrunk_below_what_a_network_takes() {
    let registry = translearn_deep::registry();
    let parse = |task: &str, learner: &str| {
        let text = format!(
            "schema = 1\nname = \"images\"\nmetrics = [\"accuracy\"]\n[[task]]\nname = \"a\"\nkind = \"images\"\n\
             source = {{ file = \"old\" }}\ntarget = {{ file = \"new\" }}\n{task}\n[[method]]\nuse = \"dann\"\n\
             learner = {{ use = \"network\", {learner} }}\n"
        );
        Spec::parse(&text, "images.toml".as_ref(), &registry).map_err(|error| error.to_string())
    };
    for (learner, side) in [
        ("backbone = \"xception\"", 341),
        ("backbone = [\"small-cnn\", \"inception-v3\"]", 341),
        ("backbone = \"resnet18\", image_size = [224, 384]", 438),
    ] {
        let error = parse("", learner).unwrap_err();
        let advice = format!("method `dann` takes {side}; say `image_side = {side}` in the task");
        assert!(error.starts_with("`images.toml` line 4"), "{error}");
        assert!(error.contains(&advice), "{error}");
        assert!(parse(&format!("image_side = {side}"), learner).is_ok());
    }
    assert!(parse("", "backbone = \"resnet18\"").is_ok());
    let small = "backbone = \"xception\", image_size = 224";
    assert!(parse("", small).is_ok());
    assert!(parse("image_side = 128", "backbone = \"resnet18\"").is_err());
}
