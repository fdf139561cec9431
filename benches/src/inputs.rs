//! Arrays by name: read from a folder of `.npy` files, or drawn.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use ndarray::{Array1, Array2, Axis};
use translearn_core::{Features, Labels, seed};

/// The arrays of a case; labels and weights are matrices of one column.
#[derive(Debug, Clone, Default)]
pub struct Inputs(BTreeMap<String, Array2<f64>>);

impl Inputs {
    /// All `.npy` files of a folder, each under its name: matrices of `f64` in C order.
    ///
    /// # Errors
    /// A folder or file that cannot be read.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut arrays = BTreeMap::new();
        let entries = folder
            .read_dir()
            .with_context(|| format!("`{}`", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if let (Some("npy"), Some(name)) = (
                path.extension().and_then(|e| e.to_str()),
                path.file_stem().and_then(|s| s.to_str()),
            ) {
                let array = ndarray_npy::read_npy(&path)
                    .with_context(|| format!("`{}`", path.display()))?;
                arrays.insert(name.to_owned(), array);
            }
        }
        Ok(Self(arrays))
    }

    /// Two domains of normal rows, the target shifted and scaled, with labels from a noisy linear rule; and a weight per
    /// source row. Values are rounded to 24 bits, as learners that compute in single precision would.
    pub fn draw(n_source: usize, n_target: usize, n_columns: usize, n_classes: usize) -> Self {
        let mut rng = seed::rng(7);
        let mut normal = |rows: usize, columns: usize| {
            Array2::from_shape_simple_fn((rows, columns), || f64::from(rng.normal() as f32))
        };
        let xs = normal(n_source, n_columns);
        let xt = normal(n_target, n_columns) * 0.75 + 0.25;
        let rule = normal(n_columns, n_classes);
        let label = |x: &Array2<f64>, noise: Array2<f64>| {
            let scores = x.dot(&rule) + noise;
            translearn_core::argmax_rows(&scores)
                .mapv(|class| class as f64)
                .insert_axis(Axis(1))
        };
        let ys = label(&xs, normal(n_source, n_classes));
        let yt = label(&xt, normal(n_target, n_classes));
        let w = normal(n_source, 1).mapv(|v| v.abs() + 0.1);
        let named = [("xs", xs), ("ys", ys), ("xt", xt), ("yt", yt), ("w", w)];
        Self(
            named
                .into_iter()
                .map(|(name, array)| (name.to_owned(), array))
                .collect(),
        )
    }

    /// A matrix.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn matrix(&self, name: &str) -> Result<&Array2<f64>> {
        self.0
            .get(name)
            .with_context(|| format!("there is no array `{name}`"))
    }

    pub(crate) fn column(&self, name: &str) -> Result<Array1<f64>> {
        Ok(self.matrix(name)?.column(0).to_owned())
    }

    pub(crate) fn features(&self, name: &str) -> Result<Features> {
        Ok(self.matrix(name)?.clone().into())
    }

    pub(crate) fn classes(&self, name: &str) -> Result<Labels> {
        Ok(Labels::Classes(self.column(name)?.mapv(|v| v as usize)))
    }
}
