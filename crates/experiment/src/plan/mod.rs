//! From a specification to the list of trials: a pure function of the specification, the registry, the data and the
//! version of this library.

mod baselines;
mod canonical;
mod data;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use translearn_core::metrics::Metric;
use translearn_core::{Registry, seed};

pub use canonical::canonical_json;
pub(crate) use canonical::hex;

use crate::SCHEMA;
use crate::spec::{MethodSpec, Spec, SpecError, TaskSpec};

/// One fit and its scores, self-contained: `experiment plan` prints it as one line of JSON, and a worker process is given
/// that line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// [`SCHEMA`].
    pub schema: u32,
    /// 16 hexadecimal digits of SHA-256 over everything that decides the numbers: the task as defined, `use`, learner,
    /// parameters, selection, seed, checksums of the data, version of the library, device.
    #[serde(rename = "trial")]
    pub id: String,
    /// Name of the experiment.
    pub experiment: String,
    /// The task; its place on a curve and its group are left out.
    pub task: TaskSpec,
    /// The method; its `tasks` and its place on a curve are left out.
    pub method: MethodSpec,
    /// The seed.
    pub seed: u64,
    /// What is measured, in the order of the specification; of these, the metrics of the task's kind apply.
    pub metrics: Vec<Metric>,
    /// SHA-256 of each set or file of the task, and of the weights that the method names.
    pub data: BTreeMap<String, String>,
    /// The kind of device that its network computes on, `cpu` or `cuda`; `cpu` for what trains none.
    pub device: String,
    /// Versions that decide the numbers.
    pub versions: BTreeMap<String, String>,
    /// Seconds it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// Bytes it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<u64>,
    /// The folder that the files of the task are relative to: part of the place, not of the trial.
    pub base: PathBuf,
}

impl Trial {
    /// The seed of one part of the trial. It depends on the task's data and the trial's seed only, so that all methods
    /// see the same draws and the same folds.
    pub fn seed_for(&self, part: &str) -> u64 {
        self.task.seed_for(self.seed, part)
    }

    fn hash(&self) -> String {
        // Neither its names (but the task's) nor limits nor metrics change what is fitted.
        let MethodSpec {
            use_,
            learner,
            params,
            select,
            folds,
            gate,
            ..
        } = &self.method;
        let mut decides = serde_json::json!({
            "task": self.task,
            "use": use_,
            "learner": learner,
            "params": params,
            "select": select,
            "folds": folds,
            "seed": self.seed,
            "data": self.data,
            "versions": self.versions,
            "device": self.device,
        });
        // Trials without a gate keep the identifiers they have always had.
        if *gate {
            decides["gate"] = true.into();
        }
        canonical::short_hash(&decides)
    }
}

impl TaskSpec {
    /// The seed of one part of a trial (`labelled`, `fit`, …) of this task.
    ///
    /// It depends on where the rows come from and on nothing else of the task, so that `{ per_class = 3 }` draws a
    /// subset of `{ per_class = 5 }`, and another preprocessing meets the same draw.
    pub fn seed_for(&self, trial_seed: u64, part: &str) -> u64 {
        let rows =
            serde_json::json!({ "source": self.source, "target": self.target, "test": self.test });
        seed::derive(trial_seed, &[part, &canonical_json(&rows)])
    }
}

/// What the file `plan.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanFile {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Name of the experiment.
    pub experiment: String,
    /// The specification as understood, with the baselines that were added at the end of its methods.
    pub spec: Spec,
    /// SHA-256 of each set or file, and of weights that are named.
    pub data: BTreeMap<String, String>,
    /// Versions that decide the numbers.
    pub versions: BTreeMap<String, String>,
    /// The kind of device that networks compute on; `cpu` where none is trained.
    #[serde(default = "cpu")]
    pub device: String,
    /// The trials' identifiers, in order.
    pub trials: Vec<String>,
}

/// The device of every plan until it is put [on another](Plan::on_device).
fn cpu() -> String {
    "cpu".to_owned()
}

/// The trials of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What `plan.json` holds.
    pub file: PlanFile,
    /// The trials: task by task, method by method, seed by seed.
    pub trials: Vec<Trial>,
}

impl Plan {
    /// The same trials with networks on another kind of device, `cuda` in place of `cpu`: other trials, for they give other
    /// bits. What trains no network computes on the CPU, and is the same trial on every device.
    #[must_use]
    pub fn on_device(mut self, kind: &str, registry: &Registry) -> Self {
        let trials = self.trials.iter_mut();
        for trial in trials.filter(|trial| trial.method.takes_images(registry)) {
            kind.clone_into(&mut trial.device);
            kind.clone_into(&mut self.file.device);
            trial.id = trial.hash();
        }
        self.file.trials = self.trials.iter().map(|trial| trial.id.clone()).collect();
        self
    }

    /// Name of the experiment.
    pub fn experiment(&self) -> &str {
        &self.file.experiment
    }
}

/// The trials of a specification: tasks × methods × seeds, with the baselines.
///
/// Reads the user's own files once, for their checksums; those of sets come from their manifests.
///
/// ```
/// use std::path::Path;
/// use translearn_experiment::{plan::plan, spec::Spec};
///
/// let text = r#"
/// schema = 1
/// name = "wine"
/// seeds = 2
/// [[task]]
/// name = "low→high"
/// source = { set = "wine-quality-embedded", domain = "low-alcohol" }
/// target = { set = "wine-quality-embedded", domain = "high-alcohol" }
/// [[method]]
/// use = "coral"
/// learner = { use = "logistic" }
/// "#;
/// let registry = translearn_classical::registry();
/// let spec = Spec::parse(text, Path::new("wine.toml"), &registry)?;
/// let plan = plan(&spec, &registry)?;
/// let trials: Vec<_> = plan.trials.iter().map(|trial| (trial.method.name.as_str(), trial.seed)).collect();
/// assert_eq!(trials, [("coral", 0), ("coral", 1), ("source-only (logistic)", 0), ("source-only (logistic)", 1)]);
/// # Ok::<(), translearn_experiment::spec::SpecError>(())
/// ```
///
/// # Errors
/// [`SpecError`] for a file that cannot be read.
pub fn plan(spec: &Spec, registry: &Registry) -> Result<Plan, SpecError> {
    let data = data::checksums(spec, registry)?;
    Ok(expand(spec, registry, &data, &versions()))
}

/// The versions that decide the numbers of this build.
pub fn versions() -> BTreeMap<String, String> {
    BTreeMap::from([(
        "translearn".to_owned(),
        env!("CARGO_PKG_VERSION").to_owned(),
    )])
}

/// [`plan`] with checksums and versions given: no file is looked at.
pub fn expand(
    spec: &Spec,
    registry: &Registry,
    data: &BTreeMap<String, String>,
    versions: &BTreeMap<String, String>,
) -> Plan {
    let mut spec = spec.clone();
    if spec.baselines {
        spec.methods.extend(baselines::missing(&spec, registry));
    }
    let base = absolute(spec.base());
    let mut trials = Vec::new();
    for task in &spec.tasks {
        let weights = task
            .features
            .as_ref()
            .map(|features| features.weights.clone());
        let files = task.parts().flat_map(|part| part.from.files());
        let of_task: BTreeSet<String> = files.chain(weights).collect();
        for method in spec
            .methods
            .iter()
            .filter(|method| method.serves(&task.name))
        {
            let of_method = method.weights(registry);
            let is_needed = |name: &String| of_task.contains(name) || of_method.contains(name);
            let needed = data.iter().filter(|(name, _)| is_needed(name));
            let checksums: BTreeMap<_, _> = needed.map(|(a, b)| (a.clone(), b.clone())).collect();
            for &seed in &spec.seeds {
                let mut trial = Trial {
                    schema: SCHEMA,
                    id: String::new(),
                    experiment: spec.name.clone(),
                    task: TaskSpec {
                        at: None,
                        groups: Vec::new(),
                        ..task.clone()
                    },
                    method: MethodSpec {
                        tasks: None,
                        curve: None,
                        ..method.clone()
                    },
                    seed,
                    metrics: spec.metrics.clone(),
                    data: checksums.clone(),
                    device: cpu(),
                    versions: versions.clone(),
                    timeout_seconds: spec.timeout_seconds,
                    memory_limit: spec.memory_limit,
                    base: base.clone(),
                };
                trial.id = trial.hash();
                trials.push(trial);
            }
        }
    }
    let file = PlanFile {
        schema: SCHEMA,
        experiment: spec.name.clone(),
        spec,
        data: data.clone(),
        versions: versions.clone(),
        device: cpu(),
        trials: trials.iter().map(|trial| trial.id.clone()).collect(),
    };
    Plan { file, trials }
}

/// A worker may have another working folder than the planner.
fn absolute(base: &Path) -> PathBuf {
    let base = if base.as_os_str().is_empty() {
        Path::new(".")
    } else {
        base
    };
    std::path::absolute(base).unwrap_or_else(|_| base.to_owned())
}
