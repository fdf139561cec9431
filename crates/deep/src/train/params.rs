//! What a training is told, and what it tells at its end.

use serde::{Deserialize, Serialize};

use super::Epoch;
use crate::DeepError;

/// How long a training goes on, and what is done beside the steps.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `epochs` | 10 | integer ≥ 1 | rounds of the first stream |
/// | `accumulate` | 1 | integer ≥ 1 | batches whose gradients make one step |
/// | `clip_norm` | none | > 0 | longest gradient, in the 2-norm over all groups; a longer one is scaled |
/// | `ema` | none | [0, 1) | averages over the steps with this decay are validated and returned in place of the last values |
/// | `patience` | none | integer ≥ 1 | ends after so many epochs without a better validation, and returns the best |
/// | `seed` | 0 | any | order, dropout and augmentation |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainParams {
    /// Rounds of the first stream.
    pub epochs: u64,
    /// Batches whose gradients make one step.
    pub accumulate: u64,
    /// Longest gradient.
    pub clip_norm: Option<f64>,
    /// Decay of the averages.
    pub ema: Option<f64>,
    /// Epochs without a better validation before it ends.
    pub patience: Option<u64>,
    /// What is random is derived from this.
    pub seed: u64,
}

impl Default for TrainParams {
    fn default() -> Self {
        Self {
            epochs: 10,
            accumulate: 1,
            clip_norm: None,
            ema: None,
            patience: None,
            seed: 0,
        }
    }
}

impl TrainParams {
    pub(super) fn check(&self) -> Result<(), DeepError> {
        let refuse = |name, value: String, range: &str| {
            Err(DeepError::InvalidParameter {
                name,
                value,
                range: range.to_owned(),
            })
        };
        for (name, value) in [
            ("epochs", self.epochs),
            ("accumulate", self.accumulate),
            ("patience", self.patience.unwrap_or(1)),
        ] {
            if value == 0 {
                return refuse(name, "0".to_owned(), "at least 1");
            }
        }
        match self.clip_norm {
            Some(norm) if !(norm > 0.0 && norm.is_finite()) => {
                refuse("clip_norm", norm.to_string(), "in (0, ∞)")
            }
            _ => Ok(()),
        }
    }
}

/// How good the models are on rows that are not trained on. Never rows that score a method.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    /// What early stopping looks at; the larger the better.
    pub score: f64,
    /// What is reported.
    pub metrics: Vec<(String, f64)>,
}

/// How a training ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Steps taken, those before an interruption included.
    pub steps: u64,
    /// Whether it came to its end; else it was asked to stop, and goes on from its checkpoint.
    pub finished: bool,
    /// Its epochs.
    pub epochs: Vec<Epoch>,
    /// Score and number of the epoch whose values the models have, where early stopping chose one.
    pub best: Option<(f64, u64)>,
}
