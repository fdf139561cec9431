//! Intervals that say how far a number can be trusted.

use serde::{Deserialize, Serialize};

/// From where to where a number may lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether a number lies within, the ends included.
    pub fn contains(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The middle of resampled numbers, interpolated between neighbours; NaN without any.
pub(crate) fn percentile(mut resampled: Vec<f64>, confidence: f64) -> Interval {
    resampled.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        let place = share * resampled.len().saturating_sub(1) as f64;
        let at = |place: f64| resampled.get(place as usize).copied().unwrap_or(f64::NAN);
        let (below, above) = (at(place.floor()), at(place.ceil()));
        below + (above - below) * place.fract()
    };
    let missed = 0.5 * (1.0 - confidence);
    Interval {
        low: quantile(missed),
        high: quantile(1.0 - missed),
    }
}

pub(crate) fn check_confidence(confidence: f64) -> Result<(), translearn_core::TransferError> {
    if confidence > 0.0 && confidence < 1.0 {
        return Ok(());
    }
    Err(translearn_core::TransferError::InvalidParameter {
        name: "confidence".to_owned(),
        value: confidence.to_string(),
        range: "(0, 1)".to_owned(),
    })
}
