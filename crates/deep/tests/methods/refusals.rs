//! What cannot be served says why.

use super::*;

#[test]
fn what_cannot_be_served_says_why() {
    let message = |method: &str, params: Value, learner: Value| {
        fit_with(method, params, learner, 0, 0)
            .unwrap_err()
            .to_string()
    };
    let error = message("dann", json!({}), json!({"backbone": "smal-cnn"}));
    assert!(error.contains("did you mean `small-cnn`"), "{error}");
    for (method, params) in [
        ("dann", json!({"layer": "relu9"})),
        (
            "delta",
            json!({"weights": "random", "layers": "relu1 relu9"}),
        ),
    ] {
        let error = message(method, params, learner());
        assert!(
            error.contains("relu9") && error.contains("did you mean"),
            "{error}"
        );
    }
    for (method, _) in REGULARISERS.into_iter().chain([("fine-tune", "")]) {
        let error = message(method, json!({"weights": "no-such-file"}), learner());
        assert!(error.contains("no-such-file"), "{error}");
        let error = message(method, json!({}), learner());
        assert!(
            error.contains("no published ones of `small-cnn`"),
            "{error}"
        );
    }
    let blank = json!({"weights": "random", "layers": " "});
    let error = message("delta", blank, learner());
    assert!(error.contains("`layers` is blank"), "{error}");
    let none = json!({"backbone": "squeezenet1-1", "epochs": 1, "image_size": 64});
    let error = message("stoch-norm", json!({"weights": "random"}), none);
    assert!(
        error.contains("batch normalisation") && error.contains("none in squeezenet1-1"),
        "{error}"
    );
    let (_folder, path, _) = pretrained();
    let error = message("pretrained", json!({"weights": path}), learner());
    assert!(
        error.contains("fc2.weight: expected 3x128, found 10x128"),
        "{error}"
    );
    let (problem, _, _) = problem(0);
    let few = problem.with_source_rows(&[0, 1, 2]).unwrap();
    let mut stopping = map(learner());
    stopping.insert("patience".to_owned(), json!(1));
    let stopping = registry()
        .learner("network")
        .unwrap()
        .build(stopping)
        .unwrap();
    let method = registry()
        .method("dann")
        .unwrap()
        .build(Map::new(), Some(stopping))
        .unwrap();
    let error = method.fit(&few, 0).unwrap_err().to_string();
    assert!(
        error.contains("keeps a fifth aside") && error.contains('3'),
        "{error}"
    );
    // Images that are predicted by a model of images alone.
    let fitted = fit("deep-coral", json!({}), 0);
    let vectors = Features::from(ndarray::Array2::zeros((2, 3)));
    assert!(fitted.model.predict(&vectors).is_err());
}

#[test]
fn layer_transfer_says_what_it_lacks() {
    let message = |params: Value, labelled| {
        let error = fit_with("layer-transfer", params, learner(), labelled, 0);
        error.unwrap_err().to_string()
    };
    let error = message(json!({}), 0);
    assert!(
        error.contains("layer-transfer") && error.contains("label"),
        "{error}"
    );
    let error = message(json!({"layers": 4}), 12);
    assert!(
        error.contains("`layers` is 4") && error.contains("below 4"),
        "{error}"
    );
}
