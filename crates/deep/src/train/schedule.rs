//! How learning rates and the weights of losses change while a training goes on.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::DeepError;

/// A factor of the learning rate over the course `p` of a training, from 0 at its start to 1 at its end.
///
/// | `use` | factor at `p` |
/// |---|---|
/// | `constant` | 1 |
/// | `step` | `gammaᵏ` with `k` the number of `milestones ≤ p` |
/// | `cosine` | `floor + (1 − floor) (1 + cos πp) / 2` (Loshchilov and Hutter 2017) |
/// | `one-cycle` | up from `1/start` to 1 at `peak`, then down to `1/(start·end)`, both along half a cosine (Smith and Topin 2019) |
/// | `dann` | `(1 + alpha p)^−beta` (Ganin and others 2016) |
///
/// ```
/// use translearn_deep::train::Schedule;
///
/// let cosine = Schedule::Cosine { floor: 0.0 };
/// assert_eq!((cosine.factor(0.0), cosine.factor(0.5), cosine.factor(1.0)), (1.0, 0.5, 0.0));
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "use", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// It stays.
    #[default]
    Constant,
    /// It falls at once, several times.
    Step {
        /// Where it falls, ascending in `(0, 1)`.
        milestones: Vec<f64>,
        /// By what factor, in `(0, 1]`.
        gamma: f64,
    },
    /// Half a cosine.
    Cosine {
        /// The factor at the end, in `[0, 1]`.
        floor: f64,
    },
    /// Up and down again.
    OneCycle {
        /// Where it is highest, in `(0, 1)`; 0.3 in PyTorch.
        peak: f64,
        /// By what it is divided at the start, at least 1; 25 in PyTorch.
        start: f64,
        /// By what that is divided at the end, at least 1; 10⁴ in PyTorch.
        end: f64,
    },
    /// The decay of domain-adversarial training.
    Dann {
        /// How soon it falls, at least 0; 10 in the paper.
        alpha: f64,
        /// How far it falls, at least 0; 0.75 in the paper.
        beta: f64,
    },
}

impl Schedule {
    /// The decay of domain-adversarial training at the paper's constants.
    pub fn dann() -> Self {
        Self::Dann {
            alpha: 10.0,
            beta: 0.75,
        }
    }

    /// The factor at `p`, which is taken into `[0, 1]`.
    pub fn factor(&self, p: f64) -> f64 {
        let p = p.clamp(0.0, 1.0);
        // From 1 at 0 to 0 at 1.
        let fall = |p: f64| 0.5 * (1.0 + (PI * p).cos());
        match self {
            Self::Constant => 1.0,
            Self::Step { milestones, gamma } => {
                let passed = milestones.iter().filter(|&&at| at <= p).count();
                gamma.powi(passed as i32)
            }
            Self::Cosine { floor } => floor + (1.0 - floor) * fall(p),
            Self::OneCycle { peak, start, .. } if p < *peak => {
                let low = 1.0 / start;
                low + (1.0 - low) * (1.0 - fall(p / peak))
            }
            Self::OneCycle { peak, start, end } => {
                let low = 1.0 / (start * end);
                low + (1.0 - low) * fall((p - peak) / (1.0 - peak))
            }
            Self::Dann { alpha, beta } => (1.0 + alpha * p).powf(-beta),
        }
    }

    /// Refuses constants outside their ranges.
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`].
    pub fn check(&self) -> Result<(), DeepError> {
        let refuse = |name, value: String, range: &str| {
            Err(DeepError::InvalidParameter {
                name,
                value,
                range: range.to_owned(),
            })
        };
        let inside = |value: f64| value > 0.0 && value < 1.0;
        let least = |value: f64, low: f64| value >= low && value.is_finite();
        match self {
            Self::Step { milestones, gamma } => {
                let ascending = milestones.is_sorted_by(|a, b| a < b);
                if !ascending || !milestones.iter().all(|&at| inside(at)) {
                    return refuse(
                        "milestones",
                        format!("{milestones:?}"),
                        "ascending in (0, 1)",
                    );
                }
                if !(*gamma > 0.0 && *gamma <= 1.0) {
                    return refuse("gamma", gamma.to_string(), "in (0, 1]");
                }
            }
            Self::Cosine { floor } if !(0.0..=1.0).contains(floor) => {
                return refuse("floor", floor.to_string(), "in [0, 1]");
            }
            Self::OneCycle { peak, .. } if !inside(*peak) => {
                return refuse("peak", peak.to_string(), "in (0, 1)");
            }
            Self::OneCycle { start, end, .. } if !least(*start, 1.0) || !least(*end, 1.0) => {
                return refuse("start, end", format!("{start}, {end}"), "at least 1");
            }
            Self::Dann { alpha, beta } if !least(*alpha, 0.0) || !least(*beta, 0.0) => {
                return refuse("alpha, beta", format!("{alpha}, {beta}"), "at least 0");
            }
            _ => {}
        }
        Ok(())
    }
}

/// The weight of an adversarial loss at `p` in `[0, 1]`: `2 / (1 + e^(−gamma p)) − 1`, from 0 towards 1, so that a network
/// that has learned nothing yet is not confused at once.
///
/// Ganin and others, *Domain-Adversarial Training of Neural Networks*, JMLR 17(59), 2016; `gamma` is 10 there.
///
/// ```
/// use translearn_deep::train::ramp;
///
/// assert_eq!(ramp(0.0, 10.0), 0.0);
/// assert!((ramp(1.0, 10.0) - 0.9999092).abs() < 1e-7);
/// ```
pub fn ramp(p: f64, gamma: f64) -> f64 {
    2.0 / (1.0 + (-gamma * p).exp()) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} for {b}");
    }

    #[test]
    fn factors_are_those_of_the_formulas() {
        let step = Schedule::Step {
            milestones: vec![0.5, 0.75],
            gamma: 0.1,
        };
        for (p, factor) in [
            (0.0, 1.0),
            (0.49, 1.0),
            (0.5, 0.1),
            (0.74, 0.1),
            (0.75, 0.01),
            (1.0, 0.01),
        ] {
            close(step.factor(p), factor);
        }
        let cosine = Schedule::Cosine { floor: 0.1 };
        close(cosine.factor(1.0 / 3.0), 0.1 + 0.9 * 0.75);
        close(Schedule::dann().factor(0.2), 3f64.powf(-0.75));
        // Values of torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=11, pct_start=0.3) lie on this curve.
        let cycle = Schedule::OneCycle {
            peak: 0.3,
            start: 25.0,
            end: 1e4,
        };
        close(cycle.factor(0.0), 0.04);
        close(cycle.factor(0.15), 0.52);
        close(cycle.factor(0.3), 1.0);
        close(cycle.factor(0.65), 0.5 * (1.0 + 4e-6));
        close(cycle.factor(1.0), 4e-6);
        close(cycle.factor(7.0), 4e-6);
    }

    #[test]
    fn constants_outside_their_ranges_are_refused() {
        let wrong = [
            Schedule::Step {
                milestones: vec![0.7, 0.5],
                gamma: 0.1,
            },
            Schedule::Step {
                milestones: vec![0.5],
                gamma: 0.0,
            },
            Schedule::Cosine { floor: f64::NAN },
            Schedule::OneCycle {
                peak: 1.0,
                start: 25.0,
                end: 1e4,
            },
            Schedule::OneCycle {
                peak: 0.3,
                start: 0.5,
                end: 1e4,
            },
            Schedule::Dann {
                alpha: -1.0,
                beta: 0.75,
            },
        ];
        for schedule in wrong {
            assert!(schedule.check().is_err(), "{schedule:?}");
        }
        assert!(Schedule::dann().check().is_ok());
    }
}
