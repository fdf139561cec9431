//! Methods: which one, around which learner, with which parameters, and how a grid of them is decided.

use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use translearn_core::selection::ScorerNeeds;
use translearn_core::{Registry, TransferError, TransferMethod, nearest_name};
use translearn_diagnostics::selection::{scorer, scorers};

use super::{CurvePoint, is_none_or_default};

/// A method with its parameters. All parameters are there, defaults included; one that is a list is a grid.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `use` | its name in the registry | required |
/// | `name` | its name in results | `use` |
/// | `learner` | `{ use = …, … }`, a base learner with its parameters | the method's own |
/// | `select` | how a grid is decided: see [`SelectBy`] | `"source-cv"` |
/// | `folds` | folds of the cross-validation | 5 |
/// | `gate` | whether it stands behind a [gate](translearn_diagnostics::negative::TransferGate): fitted where the labelled target rows speak for it, else the baseline is | `false` |
/// | `tasks` | the tasks it is run on | all |
/// | anything else | a parameter of the method; a list of values is a grid, `"auto"` leaves the choice to the data or the method where that is allowed, `{ sweep = [1, 2, 3] }` makes a method of each number and a curve of them; files of weights are relative to the specification's folder | its default |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodSpec {
    /// Its name in results.
    pub name: String,
    /// Its name in the registry.
    #[serde(rename = "use")]
    pub use_: String,
    /// The base learner, where it wraps one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learner: Option<LearnerSpec>,
    /// Its parameters; a list is a grid.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// How the grid is decided; `None` without a grid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<SelectBy>,
    /// Folds of the cross-validation that decides; 0 where there is none.
    #[serde(default, skip_serializing_if = "is_none_or_default")]
    pub folds: usize,
    /// Whether it is fitted only where the labelled target rows speak for it.
    #[serde(default, skip_serializing_if = "is_none_or_default")]
    pub gate: bool,
    /// The tasks it is run on; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<String>>,
    /// Where it stands on a curve, for a method of a sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<CurvePoint>,
    /// Its line in the specification; 0 for a baseline that was added.
    #[serde(skip)]
    pub line: usize,
}

/// A base learner with its parameters. All are there, defaults included; one that is a list is a grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearnerSpec {
    /// Its name in the registry.
    #[serde(rename = "use")]
    pub use_: String,
    /// Its parameters; a list is a grid.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
}

/// How a grid is decided without looking at what is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectBy {
    /// Stratified cross-validation on the labelled source rows.
    SourceCv,
    /// The same, each held-out row weighted by the density ratio of target to source (Sugiyama et al., JMLR 8, 2007).
    ImportanceWeighted,
    /// The labels that are scored. Not a method but a bound: its name says `oracle`.
    Oracle,
    /// A scorer of [`translearn_diagnostics::selection`], by its name.
    Scorer(&'static str),
}

impl SelectBy {
    /// Its name in specifications and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::SourceCv => "source-cv",
            Self::ImportanceWeighted => "importance-weighted",
            Self::Oracle => "oracle",
            Self::Scorer(name) => name,
        }
    }

    /// All of them; a scorer that cross-validation does already is not among them.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::SourceCv, Self::ImportanceWeighted, Self::Oracle];
        let own: Vec<&str> = all.iter().map(|by| by.name()).collect();
        let scorers = scorers().into_iter().map(|scorer| scorer.info().name);
        all.extend(scorers.filter(|name| !own.contains(name)).map(Self::Scorer));
        all
    }

    /// Whether it looks at source rows that are predicted by a fit without them.
    pub fn uses_folds(self) -> bool {
        match self {
            Self::SourceCv | Self::ImportanceWeighted => true,
            Self::Oracle => false,
            Self::Scorer(_) => self.needs().is_some_and(|needs| needs.held_out),
        }
    }

    /// Whether it fits the method again, without labels of the target.
    pub fn fits_again(self) -> bool {
        self.needs().is_some_and(|needs| needs.method)
    }

    fn needs(self) -> Option<ScorerNeeds> {
        Some(scorer(self.name()).ok()?.info().needs)
    }
}

impl Serialize for SelectBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for SelectBy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = String::deserialize(deserializer)?;
        let all = Self::all();
        if let Some(&found) = all.iter().find(|by| by.name() == given) {
            return Ok(found);
        }
        let hint = nearest_name(&given, all.iter().map(|by| by.name()))
            .map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        let known: Vec<String> = all.iter().map(|by| format!("`{}`", by.name())).collect();
        let message = format!(
            "expected one of {}, found `{given}`{hint}",
            known.join(", ")
        );
        Err(serde::de::Error::custom(message))
    }
}

/// One choice of every parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct GridPoint {
    /// Parameters of the method.
    pub params: Map<String, Value>,
    /// The base learner and its parameters.
    pub learner: Option<LearnerSpec>,
    /// The parameters that the grid varies; the learner's as `learner.<name>`.
    pub varying: Map<String, Value>,
}

impl GridPoint {
    /// Builds the method; files of weights are relative to `base`.
    ///
    /// # Errors
    /// [`TransferError`] for what the registry refuses.
    pub fn build(
        &self,
        registry: &Registry,
        method: &str,
        base: &Path,
    ) -> Result<Box<dyn TransferMethod>, TransferError> {
        let Self {
            params, learner, ..
        } = self.with_paths(registry, method, base);
        let learner = learner
            .as_ref()
            .map(|learner| (learner.use_.as_str(), learner.params.clone()));
        registry.build(method, params, learner)
    }

    /// Its parameters, and those of its learner as `learner.<name>`.
    pub(crate) fn flat_params(&self) -> Map<String, Value> {
        let learner = self.learner.iter().flat_map(|learner| &learner.params);
        flatten(&self.params, learner)
    }
}

/// Prefix of a learner's parameters beside its method's.
pub(super) const LEARNER: &str = "learner.";

impl MethodSpec {
    /// Whether it is run on a task.
    pub fn serves(&self, task: &str) -> bool {
        self.tasks
            .as_ref()
            .is_none_or(|tasks| tasks.iter().any(|name| name == task))
    }

    /// Whether it takes images as they are, and so does its learner: what does trains networks, on the device that is asked
    /// for. All others compute on the CPU.
    pub fn takes_images(&self, registry: &Registry) -> bool {
        let learner = self.learner.as_ref().is_none_or(|learner| {
            let entry = registry.learner(&learner.use_);
            entry.is_ok_and(|entry| entry.info.images)
        });
        let method = registry.method(&self.use_);
        learner && method.is_ok_and(|entry| entry.info.needs.images)
    }

    /// The parameters of the method, and those of the learner as `learner.<name>`.
    pub fn flat_params(&self) -> Map<String, Value> {
        let learner = self.learner.iter().flat_map(|learner| &learner.params);
        flatten(&self.params, learner)
    }

    /// The first of [`MethodSpec::grid`], which is the only one where nothing varies.
    pub(crate) fn first_point(&self) -> GridPoint {
        let first = |(name, value): (String, Value)| match value {
            Value::Array(values) => Some((name, values.into_iter().next()?)),
            _ => None,
        };
        self.at(self.flat_params().into_iter().filter_map(first).collect())
    }

    /// Every choice of parameters: the first that varies varies slowest, the learner's come last.
    pub fn grid(&self) -> Vec<GridPoint> {
        let mut points = vec![Map::new()];
        for (name, value) in self.flat_params() {
            let Value::Array(values) = value else {
                continue;
            };
            points = points
                .iter()
                .flat_map(|point| {
                    values.iter().map(|value| {
                        let mut point = point.clone();
                        point.insert(name.clone(), value.clone());
                        point
                    })
                })
                .collect();
        }
        points.into_iter().map(|varying| self.at(varying)).collect()
    }

    fn at(&self, varying: Map<String, Value>) -> GridPoint {
        let fill = |params: &Map<String, Value>, prefix: &str| -> Map<String, Value> {
            let value = |(name, value): (&String, &Value)| {
                let chosen = varying.get(&format!("{prefix}{name}")).unwrap_or(value);
                (name.clone(), chosen.clone())
            };
            params.iter().map(value).collect()
        };
        let learner = self.learner.as_ref().map(|learner| LearnerSpec {
            use_: learner.use_.clone(),
            params: fill(&learner.params, LEARNER),
        });
        GridPoint {
            params: fill(&self.params, ""),
            learner,
            varying,
        }
    }
}

/// The parameters of a method, and those of its learner as `learner.<name>`.
fn flatten<'a>(
    params: &Map<String, Value>,
    learner: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> Map<String, Value> {
    let learner = learner
        .into_iter()
        .map(|(name, value)| (format!("{LEARNER}{name}"), value.clone()));
    params
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .chain(learner)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else {
            panic!("an object")
        };
        map
    }

    #[test]
    fn a_grid_is_the_product_of_its_lists() {
        let method = MethodSpec {
            name: "m".into(),
            use_: "m".into(),
            learner: Some(LearnerSpec {
                use_: "l".into(),
                params: map(json!({"c": [0.5, 2.0], "fit": true})),
            }),
            params: map(json!({"lambda": 1.0, "k": [1, 2]})),
            select: Some(SelectBy::SourceCv),
            folds: 5,
            gate: false,
            tasks: None,
            curve: None,
            line: 1,
        };
        let grid = method.grid();
        assert_eq!(method.first_point(), grid[0]);
        let varying: Vec<Value> = grid
            .iter()
            .map(|point| Value::Object(point.varying.clone()))
            .collect();
        assert_eq!(
            varying,
            [
                json!({"k": 1, "learner.c": 0.5}),
                json!({"k": 1, "learner.c": 2.0}),
                json!({"k": 2, "learner.c": 0.5}),
                json!({"k": 2, "learner.c": 2.0}),
            ]
        );
        assert_eq!(
            Value::Object(grid[2].params.clone()),
            json!({"lambda": 1.0, "k": 2})
        );
        assert_eq!(
            grid[1].learner.as_ref().unwrap().params,
            map(json!({"c": 2.0, "fit": true}))
        );
    }
}
