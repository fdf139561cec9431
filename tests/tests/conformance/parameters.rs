//! What methods and learners declare about themselves, against what they do.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use translearn_core::{
    BaseLearner, Family, Features, FitSample, LearnerInfo, LearnerNeed, Outputs, ParamInfo,
    ParamRange, Prediction, Predictor, Sample, TransferError,
};

use crate::registry;

/// Builds from the parameters given and returns all of them.
type Build<'a> = dyn Fn(Map<String, Value>) -> Result<Map<String, Value>, TransferError> + 'a;

/// Something with parameters: its name, their table, and how it is built from a map of them.
struct Declared<'a> {
    name: &'static str,
    parameters: &'static [ParamInfo],
    build: Box<Build<'a>>,
}

fn for_each_declared(check: impl Fn(&Declared<'_>)) {
    let registry = registry();
    for entry in registry.methods() {
        let build = Box::new(|params| Ok(entry.build(params, None)?.params()));
        check(&Declared {
            name: entry.info.name,
            parameters: entry.info.parameters,
            build,
        });
    }
    for entry in registry.learners() {
        let build = Box::new(|params| Ok(entry.build(params)?.params()));
        check(&Declared {
            name: entry.info.name,
            parameters: entry.info.parameters,
            build,
        });
    }
}

fn one(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}

#[test]
fn defaults_are_those_of_the_table() {
    for_each_declared(|declared| {
        let defaults = (declared.build)(Map::new()).unwrap();
        let of_table: Vec<(&str, Value)> = declared
            .parameters
            .iter()
            .map(|info| (info.name, serde_json::from_str(info.default).unwrap()))
            .collect();
        let of_build: Vec<(&str, Value)> = defaults
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        assert_eq!(of_build, of_table, "{}", declared.name);
    });
}

#[test]
fn every_parameter_says_what_it_does() {
    for_each_declared(|declared| {
        let names: BTreeSet<&str> = declared.parameters.iter().map(|info| info.name).collect();
        assert_eq!(names.len(), declared.parameters.len(), "{}", declared.name);
        for info in declared.parameters {
            assert!(
                info.doc.len() > 10 && info.doc.ends_with('.'),
                "{}: {}",
                declared.name,
                info.name
            );
            assert!(
                info.name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
                "{}: {}",
                declared.name,
                info.name
            );
        }
    });
}

/// Values within the range, and values outside of it.
fn samples(range: ParamRange) -> (Vec<Value>, Vec<Value>) {
    let never = [json!([1]), json!({ "a": 1 })];
    let word = (!matches!(range, ParamRange::Text | ParamRange::TextOrAuto)
        && !range.names_weights())
    .then(|| json!("no such word"));
    let (good, mut bad) = match range {
        ParamRange::Real { low, high } => {
            let ends = [low, high].into_iter().filter(|end| end.is_finite());
            let outside = [low - 1.0, high + 1.0]
                .into_iter()
                .filter(|end| end.is_finite());
            (
                ends.map(|end| json!(end)).collect(),
                outside.map(|end| json!(end)).collect(),
            )
        }
        ParamRange::Positive => (
            vec![json!(0.25), json!(3)],
            vec![json!(0.0), json!(-1.0), Value::Null],
        ),
        ParamRange::PositiveOrAuto => (vec![json!(0.25), Value::Null], vec![json!(0), json!(-0.5)]),
        ParamRange::Integer { low, high } => {
            let mut bad = vec![json!(-1), json!(low as f64 + 0.5), Value::Null];
            bad.extend(low.checked_sub(1).map(|v| json!(v)));
            bad.extend(high.checked_add(1).map(|v| json!(v)));
            (vec![json!(low), json!(low + 1)], bad)
        }
        ParamRange::IntegerOrAuto { low, high } => {
            let mut bad = vec![json!(-1), json!(low as f64 + 0.5)];
            bad.extend(low.checked_sub(1).map(|v| json!(v)));
            bad.extend(high.checked_add(1).map(|v| json!(v)));
            (vec![json!(low), Value::Null], bad)
        }
        ParamRange::Choice(words) => (
            words.iter().map(|word| json!(word)).collect(),
            vec![json!(1), Value::Null],
        ),
        ParamRange::Text | ParamRange::Weights => (
            vec![json!("a name")],
            vec![json!(""), json!(1), Value::Null],
        ),
        ParamRange::TextOrAuto | ParamRange::WeightsOrAuto => (
            vec![json!("a name"), Value::Null],
            vec![json!(""), json!(true)],
        ),
        ParamRange::Flag => (vec![json!(true), json!(false)], vec![json!(0), Value::Null]),
    };
    bad.extend(word.into_iter().chain(never));
    (good, bad)
}

#[test]
fn values_within_the_range_are_kept_and_others_refused() {
    for_each_declared(|declared| {
        for info in declared.parameters {
            let (good, bad) = samples(info.range);
            for value in good {
                let built =
                    (declared.build)(one(info.name, value.clone())).unwrap_or_else(|error| {
                        panic!("{}: {} = {value}: {error}", declared.name, info.name)
                    });
                // 3 and 3.0 are one number.
                let same = built[info.name] == value || built[info.name].as_f64() == value.as_f64();
                assert!(
                    same,
                    "{}: {} = {value} became {}",
                    declared.name, info.name, built[info.name]
                );
            }
            for value in bad {
                match (declared.build)(one(info.name, value.clone())) {
                    Err(TransferError::InvalidParameter {
                        name,
                        value: given,
                        range,
                    }) => {
                        assert_eq!((name.as_str(), given), (info.name, value.to_string()));
                        assert_eq!(range, info.range.to_string());
                    }
                    other => panic!("{}: {} = {value}: {other:?}", declared.name, info.name),
                }
            }
        }
    });
}

#[test]
fn an_unknown_parameter_is_refused_with_the_nearest_name() {
    for_each_declared(|declared| {
        for info in declared.parameters {
            let slip = format!("{}x", info.name);
            match (declared.build)(one(&slip, json!(1))) {
                Err(TransferError::UnknownParameter {
                    owner,
                    name,
                    nearest,
                    known,
                }) => {
                    assert_eq!(
                        (owner.as_str(), name, nearest.as_deref()),
                        (declared.name, slip, Some(info.name))
                    );
                    assert_eq!(known.len(), declared.parameters.len());
                }
                other => panic!("{}: {slip}: {other:?}", declared.name),
            }
        }
        let error = (declared.build)(one("learner", json!("knn")))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(declared.name) && error.contains("`learner`"),
            "{error}"
        );
    });
}

#[test]
fn names_are_unique_and_sources_are_named() {
    let registry = registry();
    let methods: Vec<&str> = registry
        .methods()
        .iter()
        .map(|entry| entry.info.name)
        .collect();
    let learners: Vec<&str> = registry
        .learners()
        .iter()
        .map(|entry| entry.info.name)
        .collect();
    for names in [&methods, &learners] {
        assert_eq!(
            names.iter().collect::<BTreeSet<_>>().len(),
            names.len(),
            "{names:?}"
        );
        for name in names {
            assert!(
                name.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{name}"
            );
        }
    }
    let is_source = |reference: &str| {
        let has_year = reference
            .split(|c: char| !c.is_ascii_digit())
            .any(|number| number.len() == 4 && (1900..2100).contains(&number.parse().unwrap_or(0)));
        (has_year || reference.contains("doi:10.")) && reference.len() > 20
    };
    for entry in registry.methods() {
        let info = entry.info;
        assert!(
            info.family == Family::Baseline || is_source(info.reference),
            "{}: {:?}",
            info.name,
            info.reference
        );
        assert!(!info.title.is_empty());
    }
    for entry in registry.learners() {
        assert!(
            is_source(entry.info.reference),
            "{}: {:?}",
            entry.info.name,
            entry.info.reference
        );
    }
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest() {
    let registry = registry();
    for entry in registry.methods() {
        let error = registry
            .method(&format!("{}-", entry.info.name))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("did you mean `{}`?", entry.info.name)),
            "{error}"
        );
    }
    for entry in registry.learners() {
        let error = registry
            .learner(&format!("{}-", entry.info.name))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("did you mean `{}`?", entry.info.name)),
            "{error}"
        );
    }
}

/// A learner that ignores weights, and says so.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
struct Majority {}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct MajorityModel;

impl FitSample for Majority {
    type Model = MajorityModel;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "majority",
        title: "Majority",
        honors_weights: false,
        sparse: true,
        images: false,
        outputs: Outputs::Both,
        probabilities: false,
        parameters: &[],
        reference: "",
    };

    fn fit_checked(&self, _: &Sample<'_>, _: u64) -> Result<MajorityModel, TransferError> {
        Ok(MajorityModel)
    }
}

#[typetag::serde]
impl Predictor for MajorityModel {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        Ok(Prediction::from_values(ndarray::Array1::zeros(
            features.n_rows(),
        )))
    }
}

#[test]
fn a_learner_that_ignores_weights_is_refused_where_weights_count() {
    let registry = registry().with_learner::<Majority>();
    let mut weighted = 0;
    for entry in registry.methods() {
        let majority: BaseLearner = registry
            .learner("majority")
            .unwrap()
            .build(Map::new())
            .unwrap();
        let built = entry.build(Map::new(), Some(majority));
        match (entry.info.needs.learner, built) {
            (LearnerNeed::Weighted, Err(TransferError::Unsupported { method, has, .. })) => {
                assert_eq!(method, entry.info.name);
                assert!(has.contains("`majority`"), "{has}");
                weighted += 1;
            }
            (LearnerNeed::Any, Ok(_))
            | (LearnerNeed::None, Err(TransferError::Unsupported { .. })) => {}
            (need, built) => panic!("{}: {need:?}: {built:?}", entry.info.name),
        }
    }
    assert!(weighted >= 5, "{weighted}");
}
