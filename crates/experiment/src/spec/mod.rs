//! What an experiment is: tasks, methods, seeds and metrics, read from TOML.
//!
//! ```toml
//! schema = 1
//! name = "wine"
//! seeds = 3                                 # 0, 1, 2; or a list
//! metrics = ["accuracy", "macro_f1"]
//! preprocess = ["zscore"]                   # a task may override
//!
//! [[task]]
//! name = "low→high alcohol"
//! source = { set = "wine-quality-embedded", domain = "low-alcohol" }
//! target = { set = "wine-quality-embedded", domain = "high-alcohol" }
//! labelled = { per_class = 10 }
//!
//! [[method]]
//! use = "coral"
//! learner = { use = "logistic", c = [0.1, 1.0] }   # a list is a grid
//! lambda = 1.0
//! ```
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `schema` | 1 | required |
//! | `name` | name of the experiment and of its folder | required |
//! | `seeds` | a number n for the seeds 0 to n − 1, or a list | 1 |
//! | `metrics` | names of [`Metric`]; each task gets those of its kind | `accuracy macro_f1 rmse r2` |
//! | `preprocess` | [`Step`]s in order | none |
//! | `features` | [`FeaturesSpec`] of the tasks of images that have none of their own | none |
//! | `baselines` | whether the baselines are added to every task | true |
//! | `curve` | [`CurveSpec`]: what the report draws curves over, and which of them it compares | none |
//! | `timeout_seconds`, `memory_limit` | limits of one trial; memory in bytes or as `"4 GiB"` | none |
//! | `[[task]]` | see [`TaskSpec`] | at least one |
//! | `[[method]]` | see [`MethodSpec`] | at least one |
//!
//! Everything is checked against the registry and the catalogue of data before anything runs. An error names the file,
//! the line, what is wrong and the nearest name that is known.

mod curve;
mod error;
mod method;
mod parse;
mod parse_method;
mod parse_part;
mod parse_task;
mod section;
mod side;
mod task;
mod weights;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use translearn_core::Registry;
use translearn_core::metrics::Metric;

pub use curve::{CurvePoint, CurveSpec};
pub use error::{SpecError, SpecProblem};
pub use method::{GridPoint, LearnerSpec, MethodSpec, SelectBy};
pub use task::{Corruption, Draw, FeaturesSpec, Kind, Origin, Output, Part, Side, TaskSpec};
pub use translearn_data::preprocess::Step;

/// An experiment as it was understood: defaults filled in, names checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// Name of the experiment.
    pub name: String,
    /// Every trial is run with each of them.
    pub seeds: Vec<u64>,
    /// What is measured; each task gets those of its kind.
    pub metrics: Vec<Metric>,
    /// Whether the baselines are added to every task.
    pub baselines: bool,
    /// Seconds one trial may take.
    pub timeout_seconds: Option<f64>,
    /// Bytes one trial may take.
    pub memory_limit: Option<u64>,
    /// What curves are drawn over.
    #[serde(default, skip_serializing_if = "is_none_or_default")]
    pub curve: CurveSpec,
    /// The tasks, in the order of the file.
    #[serde(rename = "task")]
    pub tasks: Vec<TaskSpec>,
    /// The methods, in the order of the file.
    #[serde(rename = "method")]
    pub methods: Vec<MethodSpec>,
    /// Where it was read from; the files it names lie relative to its folder.
    #[serde(skip)]
    pub file: PathBuf,
}

impl Spec {
    /// Reads a specification.
    ///
    /// # Errors
    /// [`SpecError`] with file, line and reason.
    pub fn read(path: &Path, registry: &Registry) -> Result<Self, SpecError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| SpecProblem::Unreadable(error).at(path, None))?;
        Self::parse(&text, path, registry)
    }

    /// Reads the text of a specification; `file` names it in errors and is where its own data files are looked for.
    ///
    /// ```
    /// use std::path::Path;
    /// use translearn_core::Registry;
    /// use translearn_experiment::spec::Spec;
    ///
    /// let error = Spec::parse("schema = 1\nnme = 'wine'", Path::new("wine.toml"), &Registry::default()).unwrap_err();
    /// assert_eq!(error.line, Some(2));
    /// assert!(error.to_string().contains("unknown key `nme` in the specification; did you mean `name`?"));
    /// ```
    ///
    /// # Errors
    /// [`SpecError`] with file, line and reason.
    pub fn parse(text: &str, file: &Path, registry: &Registry) -> Result<Self, SpecError> {
        parse::parse(text, file, registry)
    }

    /// The folder that the files of the specification are relative to.
    pub fn base(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    /// The metrics of a task whose kind of output is known.
    pub fn metrics_for(&self, output: Output) -> Vec<Metric> {
        self.metrics
            .iter()
            .copied()
            .filter(|&metric| output.admits(metric))
            .collect()
    }
}

/// Whether a flag that is off by default is off, for serde.
pub(crate) fn is_none_or_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
