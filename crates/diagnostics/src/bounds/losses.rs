//! What bounds by a distance between the domains have in common.

use translearn_core::{Features, TransferError};

use super::AdaptationBound;
use crate::interval::check_confidence;

/// The losses of a hypothesis on the source rows.
pub(super) struct Losses {
    mean: f64,
    rows: usize,
    /// The chance that one limit fails.
    missed: f64,
    joint_error: Option<f64>,
}

impl Losses {
    pub(super) fn new(
        source: &Features,
        losses: &[f64],
        joint_error: Option<f64>,
        confidence: f64,
    ) -> Result<Self, TransferError> {
        check_confidence(confidence)?;
        if losses.len() != source.n_rows() {
            return Err(TransferError::LengthMismatch {
                left: "the source".to_owned(),
                left_len: source.n_rows(),
                right: "the losses".to_owned(),
                right_len: losses.len(),
            });
        }
        if let Some(loss) = losses.iter().find(|loss| !(0.0..=1.0).contains(*loss)) {
            return Err(TransferError::InvalidParameter {
                name: "source_losses".to_owned(),
                value: loss.to_string(),
                range: "[0, 1] in every row".to_owned(),
            });
        }
        // A sum of two losses within [0, 1]; NaN is outside, too.
        if let Some(error) = joint_error.filter(|error| !(0.0..=2.0).contains(error)) {
            return Err(TransferError::InvalidParameter {
                name: "joint_error".to_owned(),
                value: error.to_string(),
                range: "[0, 2]".to_owned(),
            });
        }
        Ok(Self {
            mean: losses.iter().sum::<f64>() / losses.len() as f64,
            rows: losses.len(),
            missed: 0.5 * (1.0 - confidence),
            joint_error,
        })
    }

    /// With a distance that one row of a domain of `n` can change by `reach / n`, and that is on average no less for samples
    /// than for the domains.
    pub(super) fn bound(&self, distance: f64, reach: f64, n_target: usize) -> AdaptationBound {
        let (m, n) = (self.rows as f64, n_target as f64);
        let surprise = (1.0 / self.missed).ln();
        let limit = self.mean + (surprise / (2.0 * m)).sqrt();
        AdaptationBound {
            source_error: self.mean,
            source_error_limit: limit.min(1.0),
            divergence: distance,
            divergence_is_estimate: false,
            divergence_deviation: reach * (0.5 * (1.0 / m + 1.0 / n) * surprise).sqrt(),
            joint_error: self.joint_error,
            joint_error_limit: self.joint_error,
            // Of |h − y| with labels 0 and 1: the answer ½.
            trivial_error: 0.5,
        }
    }
}
