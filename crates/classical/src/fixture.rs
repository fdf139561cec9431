//! Values of other implementations, for tests.

use ndarray::{Array1, Array2};
use serde_json::Value;

pub(crate) struct Fixture(Value);

impl Fixture {
    /// What POT and skada give for plans of optimal transport.
    pub(crate) fn transport() -> Self {
        let text = include_str!("../tests/fixtures/transport_reference.json");
        Self(serde_json::from_str(text).unwrap())
    }

    /// The part of a name.
    pub(crate) fn part(&self, name: &str) -> Self {
        Self(self.0[name].clone())
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
