//! A specification with one of everything.

use std::path::Path;

use translearn_experiment::spec::{Spec, SpecError};

pub(crate) const SPEC: &str = r#"schema = 1
name = "wine"
seeds = 2
metrics = ["accuracy", "rmse"]
preprocess = ["zscore"]
timeout_seconds = 60
memory_limit = "4 GiB"

[[task]]
name = "low→high"
source = { set = "wine-quality-embedded", domain = "low-alcohol" }
target = { set = "wine-quality-embedded", domain = "high-alcohol" }
labelled = { per_class = 3 }

[[task]]
name = "own"
source = { file = "old.csv", label = "y", drop = ["id"] }
target = { file = "new.csv", label = "y", test = "heldout.csv" }
preprocess = ["l2-rows"]

[[method]]
use = "coral"
learner = { use = "logistic", c = [0.1, 1] }
lambda = 1

[[method]]
use = "tca"
name = "TCA"
tasks = ["own"]
n_components = 2
"#;

pub(crate) fn parse(text: &str) -> Result<Spec, SpecError> {
    Spec::parse(
        text,
        Path::new("wine.toml"),
        &translearn_classical::registry(),
    )
}
