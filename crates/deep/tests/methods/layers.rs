//! Layers of one network below those of another.

use super::*;

#[test]
fn layers_of_the_target_itself_are_those_of_target_only() {
    let (problem, ..) = problem(12);
    let labelled = problem.target_labelled().unwrap();
    let sample =
        translearn_core::Sample::new(&labelled.features, &labelled.labels, CLASSES).unwrap();
    let learner = registry().learner("network").unwrap().build(map(learner()));
    let seed = translearn_core::seed::derive(5, &["learner"]);
    let base = learner.unwrap().fit_boxed(&sample, seed).unwrap();
    let base = tensors_of(&serde_json::to_value(&base).unwrap());
    let transferred = |params: Value| {
        tensors(&fit_with("layer-transfer", params, self::learner(), 12, 5).unwrap())
    };
    let same =
        |a: &translearn_weights::StateDict, b: &translearn_weights::StateDict| -> Vec<String> {
            let equal = a
                .iter()
                .filter(|(name, tensor)| b.tensor(name).unwrap() == *tensor);
            equal.map(|(name, _)| name.to_owned()).collect()
        };
    let first_two = [
        "conv1.weight",
        "bn1.weight",
        "bn1.bias",
        "bn1.running_mean",
        "bn1.running_var",
    ];
    let frozen = transferred(json!({"layers": 1, "from": "target"}));
    let kept = same(&frozen, &base);
    assert!(
        first_two
            .iter()
            .all(|name| kept.iter().any(|kept| kept == name)),
        "{kept:?}"
    );
    assert!(
        kept.iter().all(|name| name.contains("conv1")
            || name.contains("bn1")
            || name.ends_with("num_batches_tracked")),
        "{kept:?}"
    );
    // The layers of the source are others, and so are those that went on learning.
    let other = transferred(json!({"layers": 1, "from": "source"}));
    assert!(
        !same(&other, &base)
            .iter()
            .any(|name| name == "conv1.weight")
    );
    let tuned = transferred(json!({"layers": 1, "from": "target", "frozen": false}));
    assert!(
        !same(&tuned, &base)
            .iter()
            .any(|name| name == "conv1.weight")
    );
    // Nothing copied: whose layers they would be does not matter.
    let none = |from: &str| {
        predict(
            &fit_with(
                "layer-transfer",
                json!({"layers": 0, "from": from}),
                self::learner(),
                12,
                5,
            )
            .unwrap(),
        )
    };
    assert_eq!(none("source"), none("target"));
}
