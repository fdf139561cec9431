//! Images: served by what says so, refused with a typed error by everything else.

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use translearn_core::{
    BaseLearner, Domain, Evidence, Family, Features, Finding, FitSample, Fitted, Image, LabelSpace,
    Labels, LearnerInfo, LearnerNeed, MethodEntry, MethodInfo, Needs, Outputs, Prediction,
    Predictor, Sample, Scenario, Task, TransferError, TransferProblem, What, transfer_method,
};

use crate::{registry, wrapped};

/// Dark images of class 0 and bright ones of class 1, of many sizes.
fn images(n: usize) -> Features {
    let image = |row: usize| {
        let (height, width) = (1 + row % 3, 2 + row % 2);
        let value = if row.is_multiple_of(2) { 20 } else { 200 } + row as u8;
        Image::new(height, width, 1, vec![value; height * width]).unwrap()
    };
    Features::Images((0..n).map(image).collect())
}

fn labels(n: usize) -> Labels {
    Labels::from(Array1::from_shape_fn(n, |row| row % 2))
}

/// Ten labelled source rows and eight target rows, four of them labelled where `known`.
fn problem(source: Features, target: Features, known: bool) -> TransferProblem {
    let space = LabelSpace::numbered(2);
    let rows: Vec<usize> = if known { (0..4).collect() } else { Vec::new() };
    let domain = |name: &str, features| Domain {
        name: name.to_owned(),
        features,
    };
    let known = labels(rows.len());
    TransferProblem::from_parts(
        vec![(
            domain("old", source),
            Task::labelled(space.clone(), labels(10)),
        )],
        (
            domain("new", target),
            Task::partly_labelled(space, rows, known),
        ),
    )
    .unwrap()
}

/// The same rows with real labels.
fn with_values(problem: &TransferProblem) -> TransferProblem {
    let values = |(domain, task): (&Domain, &Task)| {
        let labels = Labels::from(Array1::linspace(0.0, 1.0, task.rows.len()));
        let task = Task::partly_labelled(LabelSpace::Real, task.rows.clone(), labels);
        (domain.clone(), task)
    };
    let sources = problem.sources().iter();
    let sources = sources.map(|(domain, task)| values((domain, task)));
    let target = values((problem.target_domain(), problem.target_task()));
    TransferProblem::from_parts(sources.collect(), target).unwrap()
}

/// One column, as many as images have.
fn vectors(n: usize) -> Features {
    columns(n, 1)
}

fn columns(n: usize, n_columns: usize) -> Features {
    Features::from(ndarray::Array2::from_shape_fn(
        (n, n_columns),
        |(row, _)| (row % 2) as f64 + 0.01 * row as f64,
    ))
}

fn learner(name: &str) -> BaseLearner {
    registry()
        .with_learner::<BrightnessParams>()
        .learner(name)
        .unwrap()
        .build(Map::new())
        .unwrap()
}

/// Nearest mean brightness, the simplest learner of images there is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct BrightnessParams {}

#[derive(Debug, Serialize, Deserialize)]
struct Brightness(Vec<f64>);

fn brightness(features: &Features) -> Result<Vec<f64>, TransferError> {
    let Some(images) = features.images() else {
        return Err(TransferError::Unsupported {
            method: "brightness".to_owned(),
            needs: "images".to_owned(),
            has: "vectors".to_owned(),
        });
    };
    let mean = |image: &Image| {
        let sum: f64 = image.pixels().iter().map(|&value| f64::from(value)).sum();
        sum / image.pixels().len() as f64
    };
    Ok(images.iter().map(mean).collect())
}

impl FitSample for BrightnessParams {
    type Model = Brightness;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "brightness",
        title: "Nearest mean brightness",
        honors_weights: true,
        sparse: false,
        images: true,
        outputs: Outputs::Classification,
        probabilities: false,
        parameters: &[],
        reference: "",
    };

    fn fit_checked(&self, sample: &Sample<'_>, _: u64) -> Result<Brightness, TransferError> {
        let classes = sample.labels().classes("brightness")?;
        let values = brightness(sample.features())?;
        let mean = |class: usize| {
            let of_class: Vec<f64> = (0..values.len())
                .filter(|&row| classes[row] == class)
                .map(|row| values[row])
                .collect();
            of_class.iter().sum::<f64>() / of_class.len() as f64
        };
        Ok(Brightness((0..sample.n_classes()).map(mean).collect()))
    }
}

#[typetag::serde(name = "brightness")]
impl Predictor for Brightness {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        let values = brightness(features)?;
        let decision =
            ndarray::Array2::from_shape_fn((values.len(), self.0.len()), |(row, class)| {
                -(values[row] - self.0[class]).abs()
            });
        Ok(Prediction::from_decision(decision))
    }
}

#[test]
fn methods_take_images_exactly_where_they_say_so() {
    let mut taken = Vec::new();
    for entry in registry().methods() {
        let name = entry.info.name;
        let problem = problem(images(10), images(8), true);
        let method = entry
            .build(Map::new(), wrapped(entry, learner("brightness")))
            .unwrap();
        match (entry.info.needs.images, method.fit(&problem, 0)) {
            (true, Ok(fitted)) => {
                let predicted = fitted.model.predict(&images(8)).unwrap();
                assert_eq!(predicted.labels, labels(8), "{name}");
                let text = serde_json::to_string(&fitted).unwrap();
                let loaded: Fitted = serde_json::from_str(&text).unwrap();
                assert_eq!(loaded.model.predict(&images(8)).unwrap(), predicted);
                taken.push(name);
            }
            (false, Err(TransferError::Unsupported { method, needs, has })) => {
                assert_eq!((method.as_str(), needs.as_str()), (name, "vectors"));
                assert!(has.starts_with("images"), "{has}");
            }
            (takes, other) => panic!("{name}, images: {takes}: {other:?}"),
        }
    }
    assert_eq!(taken, ["source-only", "target-only", "pooled"]);
}

#[test]
fn a_learner_of_vectors_is_named_where_its_method_would_take_images() {
    let source_only = registry();
    let source_only = source_only.method("source-only").unwrap();
    for entry in registry().learners() {
        let method = source_only
            .build(Map::new(), Some(entry.build(Map::new()).unwrap()))
            .unwrap();
        let error = method.fit(&problem(images(10), images(8), false), 0);
        match error {
            Err(TransferError::Unsupported { method, needs, .. }) => {
                // Regression learners are refused for the labels, before the rows are looked at.
                if entry.info.outputs != Outputs::Regression {
                    assert_eq!(
                        (method.as_str(), needs.as_str()),
                        (entry.info.name, "vectors")
                    );
                }
            }
            other => panic!("{}: {other:?}", entry.info.name),
        }
    }
}

#[test]
fn images_on_one_side_and_vectors_on_the_other_are_named() {
    for (source, target, expected) in [
        (images(10), vectors(8), ("old", "new")),
        (vectors(10), images(8), ("new", "old")),
    ] {
        let method = registry()
            .build("source-only", Map::new(), None)
            .unwrap()
            .fit(&problem(source, target, false), 0);
        match method {
            Err(TransferError::ImagesAndVectors { images, vectors }) => {
                assert_eq!((images.as_str(), vectors.as_str()), expected);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn models_of_vectors_predict_no_images() {
    let refused = |name: &str, outcome: Result<Prediction, TransferError>| {
        assert!(
            matches!(
                outcome,
                Err(TransferError::ImagesAndVectors { .. } | TransferError::NotVectors { .. })
            ),
            "{name}: {outcome:?}"
        );
    };
    let x = vectors(10);
    for entry in registry().learners() {
        let learner = entry.build(Map::new()).unwrap();
        let y = match entry.info.outputs {
            Outputs::Regression => Labels::from(Array1::linspace(0.0, 1.0, 10)),
            _ => labels(10),
        };
        let n_classes = if matches!(y, Labels::Classes(_)) {
            2
        } else {
            0
        };
        let sample = Sample::new(&x, &y, n_classes).unwrap();
        let model = learner.fit_boxed(&sample, 0).unwrap();
        refused(entry.info.name, model.predict(&images(3)));

        let pictures = images(10);
        let sample = Sample::new(&pictures, &y, n_classes).unwrap();
        let weights = Array1::ones(10);
        let again = learner
            .refit(&sample)
            .and_then(|refit| refit.fit_weighted(&weights, 0));
        assert!(again.is_err(), "{}: refitted on images", entry.info.name);
    }
    for entry in registry().methods() {
        let mut params = Map::new();
        if let Some(components) = (entry.info.parameters.iter()).find(|p| p.name == "n_components")
        {
            params.insert(components.name.to_owned(), 1.into());
        }
        let fit = |n_columns: usize| {
            let rows = problem(columns(10, n_columns), columns(8, n_columns), true);
            let (own, rows) = match entry.info.needs.outputs {
                Outputs::Regression => ("ridge", with_values(&rows)),
                _ => ("logistic", rows),
            };
            let method = entry.build(params.clone(), wrapped(entry, learner(own)));
            method.unwrap().fit(&rows, 0)
        };
        // Methods with views of the columns need two.
        let fitted = fit(1)
            .or_else(|_| fit(2))
            .unwrap_or_else(|error| panic!("{}: {error}", entry.info.name));
        refused(entry.info.name, fitted.model.predict(&images(3)));
        refused(entry.info.name, fitted.model.predict_source(&images(3)));
    }
}

#[test]
fn the_scenario_of_images_is_undecided_where_distances_would_decide() {
    let scenario = Scenario::of(&problem(images(10), images(8), true), 0).unwrap();
    assert_eq!(scenario.feature_space.finding, Finding::Same);
    assert_eq!(
        scenario.feature_space.evidence,
        Evidence::Structure("old has images, new has images".to_owned())
    );
    assert_eq!(scenario.marginal.finding, Finding::Undecidable);
    assert_eq!(scenario.conditional.finding, Finding::Undecidable);
    let mixed = Scenario::of(&problem(images(10), vectors(8), true), 0).unwrap();
    assert_eq!(mixed.feature_space.finding, Finding::Differs);
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
struct OverNetwork {
    #[serde(skip, default = "own")]
    learner: BaseLearner,
}

fn own() -> BaseLearner {
    learner("logistic")
}

impl Default for OverNetwork {
    fn default() -> Self {
        Self { learner: own() }
    }
}

static OVER_NETWORK: MethodInfo = MethodInfo {
    name: "over-network",
    title: "A method of a network",
    family: Family::Parameter,
    what: What::Parameters,
    needs: Needs {
        target_labels: false,
        same_features: true,
        outputs: Outputs::Both,
        sparse: false,
        images: true,
        learner: LearnerNeed::Network,
    },
    parameters: &[],
    exemptions: &[],
    reference: "",
};

transfer_method!(OverNetwork, OVER_NETWORK, |_method, _problem, _seed| {
    panic!("fitted with a learner that is no network")
});

#[test]
fn a_method_of_a_network_refuses_other_learners() {
    let entry = MethodEntry::of::<OverNetwork>();
    let built = entry.build(Map::new(), Some(learner("brightness")));
    let fitted = OverNetwork::default();
    let fitted =
        translearn_core::TransferMethod::fit(&fitted, &problem(images(10), images(8), false), 0);
    for (error, has) in [
        (built.err().unwrap(), "`brightness`"),
        (fitted.err().unwrap(), "`logistic`"),
    ] {
        match error {
            TransferError::Unsupported {
                method,
                needs,
                has: found,
            } => {
                assert_eq!((method.as_str(), found.as_str()), ("over-network", has));
                assert!(needs.contains("`network`"), "{needs}");
            }
            other => panic!("{other:?}"),
        }
    }
}
