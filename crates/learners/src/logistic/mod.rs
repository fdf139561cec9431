//! Logistic regression with an L2 penalty.

mod objective;

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, FitSample, HonorsSampleWeights, LearnerInfo, Outputs, ParamInfo, ParamRange,
    Prediction, Predictor, Sample, TransferError, setters,
};

use crate::{
    classes::{ClassRows, PresentClasses},
    lbfgs::Lbfgs,
    linear::Linear,
    linfa_border::linfa_border,
};
use objective::Objective;

/// Logistic regression: class probabilities from linear scores.
///
/// Use it where probabilities are wanted, as the first linear classifier to try, and as the learner under reweighting:
/// its weights are exact. It needs at least two classes; classes of the label space that do not occur get probability 0.
///
/// # Formula
/// With weights `aᵢ`, two classes `yᵢ ∈ {-1, 1}` and one score `zᵢ = w·xᵢ + b`,
///
/// `min  c Σᵢ aᵢ log(1 + exp(-yᵢ zᵢ)) + ½‖w‖²`,
///
/// and with more classes a score per class, `zᵢ = W xᵢ + b`,
///
/// `min  c Σᵢ aᵢ (log Σₖ exp zᵢₖ - zᵢ,yᵢ) + ½‖W‖²`.
///
/// `c` multiplies the *sum* of the weighted losses; the intercepts are not penalised and sum to 0 over the classes.
///
/// # Steps
/// L-BFGS from 0 over centred columns, each scaled by the curvature of the loss along it, so that columns of any mean
/// and scale converge alike. Dense rows are taken block by block, so that one pass serves loss and gradient.
///
/// # Parameters
/// | name | default | range | |
/// |---|---|---|---|
/// | `c` | 1 | (0, ∞) | weight of the loss against the penalty |
/// | `fit_intercept` | true | flag | whether there is an intercept |
/// | `tolerance` | 1e-8 | (0, ∞) | stop at this [`Logistic::gradient_norm`] |
/// | `max_iterations` | 1000 | ≥ 1 | iterations before [`TransferError::NotConverged`] |
///
/// # Cost
/// `O(n d k)` an iteration (non-zeros instead of `n d` for sparse rows), some dozens of iterations.
///
/// # Errors
/// [`TransferError::TooFewClasses`] below two classes of positive weight, [`TransferError::NotConverged`].
///
/// # Example
/// ```
/// use linfa::{Dataset, traits::{Fit, Predict}};
/// use ndarray::array;
/// use translearn_learners::Logistic;
///
/// let train = Dataset::new(array![[-2.0], [-1.0], [1.0], [2.0]], array![0_usize, 0, 1, 1]);
/// let model = Logistic::params().c(10.0).fit(&train)?;
/// assert_eq!(model.predict(&array![[-3.0], [0.5]]), array![0, 1]);
/// // Where the gradient of the objective vanishes: w = 10 Σ |xᵢ| / (1 + exp(w |xᵢ|)) over four rows.
/// let w = model.coefficients()[[0, 0]];
/// let pull = |x: f64| 2.0 * x / (1.0 + (w * x).exp());
/// assert!((w - 10.0 * (pull(1.0) + pull(2.0))).abs() < 1e-6);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
/// Hastie, Tibshirani and Friedman, *The Elements of Statistical Learning*, 2nd ed., §4.4,
/// doi:10.1007/978-0-387-84858-7. The objective is scikit-learn's `LogisticRegression`, and so is the optimum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logistic {
    linear: Linear,
    classes: PresentClasses,
    gradient_norm: f64,
    iterations: usize,
}

/// Parameters of [`Logistic`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogisticParams {
    c: f64,
    fit_intercept: bool,
    tolerance: f64,
    max_iterations: usize,
}

impl Default for LogisticParams {
    fn default() -> Self {
        Self {
            c: 1.0,
            fit_intercept: true,
            tolerance: 1e-8,
            max_iterations: 1000,
        }
    }
}

setters!(LogisticParams {
    /// Weight of the summed losses against the penalty ½‖W‖² (default 1).
    c: f64,
    /// Whether there is an intercept (default true).
    fit_intercept: bool,
    /// The [`Logistic::gradient_norm`] at which to stop (default 1e-8).
    tolerance: f64,
    /// Iterations before giving up (default 1000).
    max_iterations: usize,
});

/// A gradient at which the arithmetic, not the iteration, has come to its end.
const ROUNDING_FLOOR: f64 = 1e-9;

impl FitSample for LogisticParams {
    type Model = Logistic;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "logistic",
        title: "Logistic regression",
        honors_weights: true,
        sparse: true,
        images: false,
        outputs: Outputs::Classification,
        probabilities: true,
        parameters: &[
            ParamInfo {
                name: "c",
                default: "1.0",
                range: ParamRange::Positive,
                doc: "Weight of the summed losses against the penalty.",
            },
            ParamInfo {
                name: "fit_intercept",
                default: "true",
                range: ParamRange::Flag,
                doc: "Whether there is an unpenalised intercept.",
            },
            ParamInfo {
                name: "tolerance",
                default: "1e-8",
                range: ParamRange::Positive,
                doc: "Largest entry of the scaled gradient of the mean loss at which to stop.",
            },
            ParamInfo {
                name: "max_iterations",
                default: "1000",
                range: ParamRange::Integer {
                    low: 1,
                    high: u64::MAX,
                },
                doc: "Iterations before giving up.",
            },
        ],
        reference: "Hastie, Tibshirani, Friedman: The Elements of Statistical Learning, §4.4, doi:10.1007/978-0-387-84858-7",
    };

    fn fit_checked(&self, sample: &Sample<'_>, _seed: u64) -> Result<Logistic, TransferError> {
        let found = ClassRows::of(sample, Self::INFO.name)?;
        let objective = Objective::new(&found, self.c, self.fit_intercept);
        let lbfgs = Lbfgs {
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
            ..Lbfgs::default()
        };
        let minimum = lbfgs.minimize(objective.start(), |point, gradient| {
            objective.evaluate(point, gradient)
        });
        let stalled =
            minimum.iterations < self.max_iterations && minimum.gradient_norm <= ROUNDING_FLOOR;
        if !(minimum.converged || stalled) {
            return Err(TransferError::NotConverged {
                what: "logistic regression".to_owned(),
                iterations: minimum.iterations,
                residual: minimum.gradient_norm,
                tolerance: self.tolerance,
            });
        }
        Ok(Logistic {
            linear: objective.linear(&minimum.point),
            classes: found.present,
            gradient_norm: minimum.gradient_norm,
            iterations: minimum.iterations,
        })
    }
}

impl Logistic {
    /// The default parameters.
    pub fn params() -> LogisticParams {
        LogisticParams::default()
    }

    /// `W`: one row of coefficients per class that occurs, in ascending order of code; for two classes one row, that
    /// of the second class.
    pub fn coefficients(&self) -> &Array2<f64> {
        &self.linear.coefficients
    }

    /// `b`: one intercept per row of [`Logistic::coefficients`].
    pub fn intercepts(&self) -> &Array1<f64> {
        &self.linear.intercepts
    }

    /// The certificate of optimality: the largest entry of the gradient of the objective divided by `c Σ aᵢ`, over
    /// centred columns each divided by the square root of the curvature along it (for columns of standard deviation 1
    /// that is the plain gradient of the mean loss within a factor of a few).
    pub fn gradient_norm(&self) -> f64 {
        self.gradient_norm
    }

    /// Iterations done.
    pub fn iterations(&self) -> usize {
        self.iterations
    }
}

#[typetag::serde(name = "logistic")]
impl Predictor for Logistic {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        let mut scores = self.linear.outputs(features)?;
        if self.classes.n_outputs() == 1 {
            scores = Array2::from_shape_fn((scores.nrows(), 2), |(row, class)| match class {
                0 => 0.0,
                _ => scores[[row, 0]],
            });
        }
        for mut row in scores.outer_iter_mut() {
            objective::softmax(row.as_slice_mut().unwrap_or_default());
        }
        Ok(Prediction::from_probabilities(
            self.classes.widen_probabilities(&scores),
        ))
    }
}

impl HonorsSampleWeights for LogisticParams {}

linfa_border!(LogisticParams => Logistic: usize);
