//! Factors on the cost of errors per class.

use serde::{Deserialize, Serialize};

use crate::classes::ClassRows;

/// How the costs of errors on the classes compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeight {
    /// Every class as it is.
    #[default]
    None,
    /// Class `k` of `K` times `Σ a / (K Σ_{i in k} aᵢ)`, for sample weights `a`: all classes weigh the same.
    Balanced,
}

impl ClassWeight {
    /// The words of a spec.
    pub(crate) const WORDS: &'static [&'static str] = &["none", "balanced"];

    /// The factor of each class that occurs.
    pub(crate) fn factors(self, found: &ClassRows<'_>) -> Vec<f64> {
        let n_classes = found.present.len();
        match self {
            Self::None => vec![1.0; n_classes],
            Self::Balanced => {
                let mut sums = vec![0.0; n_classes];
                found
                    .classes
                    .iter()
                    .zip(&found.rows.weights)
                    .for_each(|(&class, weight)| sums[class] += weight);
                let share = found.rows.weights.sum() / n_classes as f64;
                sums.into_iter().map(|sum| share / sum).collect()
            }
        }
    }
}
