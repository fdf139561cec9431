//! What is believed of a gain before and after it was measured.

use serde::{Deserialize, Serialize};
use translearn_core::TransferError;

use crate::interval::Interval;

/// A gain that is not known for sure: a normal distribution.
///
/// Before a measurement it is what transfer is worth elsewhere. A measured gain `g` with the standard error `s` turns
/// `N(m, t²)` into
///
/// $$N\left( \frac{m / t^2 + g / s^2}{1 / t^2 + 1 / s^2}, \frac{1}{1 / t^2 + 1 / s^2} \right)$$
///
/// so that few rows move it little.
///
/// ```
/// use translearn_diagnostics::negative::Belief;
///
/// let before = Belief { gain: 0.0, deviation: 0.1 };
/// let after = before.after(0.2, 0.1);
/// assert!((after.gain - 0.1).abs() < 1e-12 && (after.deviation - 0.1 / 2.0_f64.sqrt()).abs() < 1e-12);
/// assert!((after.chance_of_less(0.1) - 0.5).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Belief {
    /// Its mean.
    pub gain: f64,
    /// Its standard deviation.
    pub deviation: f64,
}

impl Belief {
    /// The belief after a measurement.
    #[must_use]
    pub fn after(self, gain: f64, standard_error: f64) -> Self {
        if standard_error.is_infinite() || self.deviation == 0.0 {
            return self;
        }
        let (prior, measured) = (self.deviation.powi(-2), standard_error.powi(-2));
        if measured.is_infinite() {
            return Self {
                gain,
                deviation: 0.0,
            };
        }
        Self {
            gain: (self.gain * prior + gain * measured) / (prior + measured),
            deviation: (prior + measured).powf(-0.5),
        }
    }

    /// The chance that the gain is below a number.
    pub fn chance_of_less(self, gain: f64) -> f64 {
        if self.deviation == 0.0 {
            return f64::from(u8::from(self.gain < gain));
        }
        0.5 * libm::erfc((self.gain - gain) / (self.deviation * std::f64::consts::SQRT_2))
    }

    /// The middle of the belief with a chance of 95 %.
    pub fn interval(self) -> Interval {
        // The 0.975 quantile of the normal distribution.
        let half = 1.959_963_984_540_054 * self.deviation;
        Interval {
            low: self.gain - half,
            high: self.gain + half,
        }
    }

    /// The same for a gain that is measured in another unit.
    pub(super) fn scaled(self, factor: f64) -> Self {
        Self {
            gain: factor * self.gain,
            deviation: factor * self.deviation,
        }
    }

    pub(super) fn check(self) -> Result<(), TransferError> {
        if self.gain.is_finite() && self.deviation > 0.0 && self.deviation.is_finite() {
            return Ok(());
        }
        Err(TransferError::InvalidParameter {
            name: "prior".to_owned(),
            value: format!("{} ± {}", self.gain, self.deviation),
            range: "a finite gain with a finite deviation above 0".to_owned(),
        })
    }
}
