//! Values of other implementations, for tests.

use ndarray::{Array1, Array2};
use serde_json::Value;
use translearn_core::{Domain, LabelSpace, Labels, Task, TransferProblem};

pub(crate) struct Fixture(Value);

impl Fixture {
    /// The values in a file.
    pub(crate) fn new(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap())
    }

    /// What POT and skada give for plans of optimal transport.
    pub(crate) fn transport() -> Self {
        Self::new(include_str!("../tests/fixtures/transport_reference.json"))
    }

    /// The rows `source` and `target` with these labels; those of the target are for all of its rows, or for none.
    pub(crate) fn problem(
        &self,
        space: &LabelSpace,
        source: Labels,
        target: Option<Labels>,
    ) -> TransferProblem {
        let domain = |name: &str| Domain {
            name: name.into(),
            features: self.matrix(name).into(),
        };
        let task = |labels| Task::labelled(space.clone(), labels);
        let of_target = target.map_or_else(|| Task::unlabelled(space.clone()), task);
        let sources = vec![(domain("source"), task(source))];
        TransferProblem::from_parts(sources, (domain("target"), of_target)).unwrap()
    }

    /// What skada gives for several domains on their barycentre.
    pub(crate) fn multi_linear_transport() -> Self {
        let text = include_str!("../tests/fixtures/multi_linear_transport_reference.json");
        Self(serde_json::from_str(text).unwrap())
    }

    /// The part of a name.
    pub(crate) fn part(&self, name: &str) -> Self {
        Self(self.0[name].clone())
    }

    /// The parts of a list.
    pub(crate) fn parts(&self, name: &str) -> Vec<Self> {
        let parts = self.0[name].as_array().unwrap();
        parts.iter().map(|part| Self(part.clone())).collect()
    }

    pub(crate) fn number(&self, name: &str) -> f64 {
        self.0[name].as_f64().unwrap()
    }

    pub(crate) fn vector(&self, name: &str) -> Array1<f64> {
        let values = self.0[name].as_array().unwrap();
        values.iter().map(|value| value.as_f64().unwrap()).collect()
    }

    pub(crate) fn matrix(&self, name: &str) -> Array2<f64> {
        let rows = self.0[name].as_array().unwrap();
        let width = rows[0].as_array().unwrap().len();
        let values = rows.iter().flat_map(|row| row.as_array().unwrap());
        let values: Vec<f64> = values.map(|value| value.as_f64().unwrap()).collect();
        Array2::from_shape_vec((rows.len(), width), values).unwrap()
    }

    pub(crate) fn classes(&self, name: &str) -> Array1<usize> {
        self.vector(name).mapv(|class| class as usize)
    }
}
