//! Ridge regression, and classification by ridge regression on ±1.

pub(crate) mod solve;

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, FitSample, HonorsSampleWeights, Labels, LearnerInfo, Outputs, ParamInfo, ParamRange,
    Prediction, Predictor, Sample, TransferError, setters,
};

use crate::{
    classes::{ClassRows, PresentClasses, Rows},
    linear::Linear,
    linfa_border::linfa_border,
};

/// Ridge regression: least squares with an L2 penalty, in closed form.
///
/// Use it for real-valued labels, for ordinary least squares (`lambda` 0), and as the fastest linear classifier: class
/// labels are regressed one against the rest on ±1, and the largest output wins.
///
/// # Formula
/// With weights `aᵢ`, `min Σᵢ aᵢ (yᵢ - xᵢ·β - b)² + λ‖β‖²`. The intercept is not penalised. The optimum over centred
/// columns is `β = (X'AX + λI)⁻¹ X'A y = X'A^½ (A^½ X X' A^½ + λI)⁻¹ A^½ y`.
///
/// # Steps
/// Dense rows: a Cholesky decomposition of whichever of the two matrices is smaller; with `lambda` 0, the least-squares
/// solution of minimum norm. Sparse rows: conjugate gradients with the columns centred in the formulas alone, so that
/// nothing is made dense (`lambda` 0 makes them dense, within the library's limit).
///
/// # Parameters
/// | name | default | range | |
/// |---|---|---|---|
/// | `lambda` | 1 | [0, ∞) | the penalty |
/// | `fit_intercept` | true | flag | whether there is an intercept |
///
/// # Cost
/// Dense: `O(n d min(n, d))`, once for all classes. Sparse: `O(nnz)` an iteration and class.
///
/// # Errors
/// [`TransferError::TooFewClasses`] below two classes of positive weight; [`TransferError::Linalg`] when `lambda` is so
/// small that the matrix is singular in floating point (raise it, or set it to 0); [`TransferError::DenseTooLarge`];
/// [`TransferError::NotConverged`] for sparse rows of extreme scale.
///
/// # Example
/// ```
/// use linfa::{Dataset, traits::{Fit, Predict}};
/// use ndarray::{Array1, array};
/// use translearn_learners::Ridge;
///
/// // y = 3x + 1, shrunk: β = Σ (x - x̄)(y - ȳ) / (Σ (x - x̄)² + λ) = 6 / (2 + 1).
/// let train = Dataset::new(array![[0.0], [1.0], [2.0]], array![1.0, 4.0, 7.0]);
/// let model = Ridge::params().lambda(1.0).fit(&train)?;
/// assert!((model.coefficients()[[0, 0]] - 2.0).abs() < 1e-12);
/// let predicted: Array1<f64> = model.predict(&array![[1.0]]);
/// assert!((predicted[0] - 4.0).abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
/// Hoerl and Kennard, Technometrics 12(1), 1970, doi:10.1080/00401706.1970.10488634. The optima are those of
/// scikit-learn's `Ridge` and `RidgeClassifier` with `alpha = lambda`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ridge {
    linear: Linear,
    /// `None` for regression.
    classes: Option<PresentClasses>,
}

/// Parameters of [`Ridge`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RidgeParams {
    lambda: f64,
    fit_intercept: bool,
}

impl Default for RidgeParams {
    fn default() -> Self {
        Self {
            lambda: 1.0,
            fit_intercept: true,
        }
    }
}

setters!(RidgeParams {
    /// The penalty λ (default 1; 0 is ordinary least squares).
    lambda: f64,
    /// Whether there is an intercept (default true).
    fit_intercept: bool,
});

impl FitSample for RidgeParams {
    type Model = Ridge;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "ridge",
        title: "Ridge regression",
        honors_weights: true,
        sparse: true,
        images: false,
        outputs: Outputs::Both,
        probabilities: false,
        parameters: &[
            ParamInfo {
                name: "lambda",
                default: "1.0",
                range: ParamRange::Real {
                    low: 0.0,
                    high: f64::INFINITY,
                },
                doc: "Penalty on the squared norm of the coefficients.",
            },
            ParamInfo {
                name: "fit_intercept",
                default: "true",
                range: ParamRange::Flag,
                doc: "Whether there is an unpenalised intercept.",
            },
        ],
        reference: "Hoerl, Kennard: Ridge regression, Technometrics 12(1), 1970, doi:10.1080/00401706.1970.10488634",
    };

    fn fit_checked(&self, sample: &Sample<'_>, _seed: u64) -> Result<Ridge, TransferError> {
        match sample.labels() {
            Labels::Values(values) => {
                let rows = Rows::of(sample);
                let targets = values.select(Axis(0), &rows.indices).insert_axis(Axis(1));
                Ok(Ridge {
                    linear: self.solve(&rows, targets)?,
                    classes: None,
                })
            }
            Labels::Classes(_) => {
                let ClassRows {
                    rows,
                    classes,
                    present,
                } = ClassRows::of(sample, Self::INFO.name)?;
                // Two classes have one output, positive for the second.
                let positive = |output: usize| if present.n_outputs() == 1 { 1 } else { output };
                let targets =
                    Array2::from_shape_fn((classes.len(), present.n_outputs()), |(row, output)| {
                        if classes[row] == positive(output) {
                            1.0
                        } else {
                            -1.0
                        }
                    });
                Ok(Ridge {
                    linear: self.solve(&rows, targets)?,
                    classes: Some(present),
                })
            }
        }
    }
}

impl RidgeParams {
    fn solve(&self, rows: &Rows<'_>, targets: Array2<f64>) -> Result<Linear, TransferError> {
        match &*rows.features {
            Features::Sparse(x) if self.lambda > 0.0 => {
                solve::sparse(x, targets, &rows.weights, self.lambda, self.fit_intercept)
            }
            features => solve::dense(
                features.dense()?.into_owned(),
                targets,
                &rows.weights,
                self.lambda,
                self.fit_intercept,
            ),
        }
    }
}

impl Ridge {
    /// The default parameters.
    pub fn params() -> RidgeParams {
        RidgeParams::default()
    }

    /// `β`: one row for regression and for two classes (that of the second class), else one row per class that occurs.
    pub fn coefficients(&self) -> &Array2<f64> {
        &self.linear.coefficients
    }

    /// `b`: one intercept per row of [`Ridge::coefficients`].
    pub fn intercepts(&self) -> &Array1<f64> {
        &self.linear.intercepts
    }
}

#[typetag::serde(name = "ridge")]
impl Predictor for Ridge {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        let outputs = self.linear.outputs(features)?;
        Ok(match &self.classes {
            None => Prediction::from_values(outputs.column(0).to_owned()),
            Some(classes) => Prediction::from_decision(classes.widen_outputs(&outputs)),
        })
    }
}

impl HonorsSampleWeights for RidgeParams {}

linfa_border!(RidgeParams => Ridge: usize, f64);
