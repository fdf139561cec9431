//! Linear support vector machine with the squared hinge loss.

mod dual;
mod newton;

use ndarray::{Array1, Array2, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::{
    Csr, Features, FitSample, HonorsSampleWeights, LearnerInfo, Outputs, ParamInfo, ParamRange,
    Prediction, Predictor, Sample, TransferError, images_were_refused, seed, setters,
};

use crate::{
    class_weight::ClassWeight,
    classes::{ClassRows, PresentClasses},
    linear::Linear,
    linfa_border::linfa_border,
};
use dual::{Binary, Solution};

/// Linear support vector machine: squared hinge loss, one class against the rest.
///
/// Use it for texts and other sparse rows of many columns, and wherever a linear classifier without probabilities will
/// do. Scale the columns first: the intercept is penalised like any coefficient.
///
/// # Formula
/// For each class against the rest (for two classes once), `yᵢ ∈ {-1, 1}`, weights `aᵢ` and `x̃ᵢ = (xᵢ, s)` with
/// `s = intercept_scaling`, `b = s w̃_{d+1}`:
///
/// `min  ½‖w̃‖² + c Σᵢ aᵢ kᵢ max(0, 1 - yᵢ w̃·x̃ᵢ)²`.
///
/// `kᵢ` is 1, or with `class_weight = "balanced"` the factor of the row's class. Against the rest, the rest keeps factor
/// 1, as in liblinear.
///
/// # Steps
/// Dual coordinate descent (Hsieh et al.) over the rows in random order with shrinking, classes side by side; it is soon
/// done with texts. Where 100 passes (1000 over sparse rows) do not do, because the columns are few, of different scales, or `c` is large,
/// Newton's method on the primal (Keerthi and DeCoste) goes on from there. Both stop when the projected gradient of the
/// dual, whose unit is that of the scores, is within `tolerance`, Newton's method also where it is below 1e-9 and rounding
/// lets it fall no more.
///
/// # Parameters
/// | name | default | range | |
/// |---|---|---|---|
/// | `c` | 1 | (0, ∞) | weight of the loss against the penalty |
/// | `class_weight` | `"none"` | `"none"`, `"balanced"` | factors per class |
/// | `fit_intercept` | true | flag | whether there is an intercept |
/// | `intercept_scaling` | 1 | (0, ∞) | the entry of the extra column: the larger, the less the intercept is penalised |
/// | `tolerance` | 1e-4 | (0, ∞) | projected gradient of the dual at which to stop |
///
/// # Cost
/// `O(nnz)` a pass and class; a Newton step is a ridge regression over the rows inside the margin, a dozen are usual.
///
/// # Errors
/// [`TransferError::TooFewClasses`] below two classes of positive weight, [`TransferError::NotConverged`].
///
/// # Example
/// ```
/// use linfa::{Dataset, traits::{Fit, Predict}};
/// use ndarray::array;
/// use translearn_learners::LinearSvm;
///
/// let train = Dataset::new(array![[-1.0], [1.0]], array![0_usize, 1]);
/// let model = LinearSvm::params().c(1.0).tolerance(1e-10).fit(&train)?;
/// // min ½w² + 2 (1 - w)² at w = 4/5; the intercept is 0 by symmetry.
/// assert!((model.coefficients()[[0, 0]] - 0.8).abs() < 1e-9);
/// assert_eq!(model.predict(&array![[-2.0], [3.0]]), array![0, 1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
/// Hsieh, Chang, Lin, Keerthi and Sundararajan, *A dual coordinate descent method for large-scale linear SVM*, ICML 2008,
/// doi:10.1145/1390156.1390208; Keerthi and DeCoste, JMLR 6, 2005, 341-361. The optimum is that of liblinear and of scikit-learn's `LinearSVC(dual=True)`; the
/// balanced factors count sample weights, as scikit-learn's do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearSvm {
    linear: Linear,
    classes: PresentClasses,
    duality_gap: f64,
}

/// Parameters of [`LinearSvm`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearSvmParams {
    c: f64,
    class_weight: ClassWeight,
    fit_intercept: bool,
    intercept_scaling: f64,
    tolerance: f64,
}

impl Default for LinearSvmParams {
    fn default() -> Self {
        Self {
            c: 1.0,
            class_weight: ClassWeight::None,
            fit_intercept: true,
            intercept_scaling: 1.0,
            tolerance: 1e-4,
        }
    }
}

setters!(LinearSvmParams {
    /// Weight of the summed losses against the penalty ½‖w‖² (default 1).
    c: f64,
    /// Factors on `c` per class (default none).
    class_weight: ClassWeight,
    /// Whether there is an intercept (default true).
    fit_intercept: bool,
    /// The entry of the extra column that carries the intercept (default 1).
    intercept_scaling: f64,
    /// Projected gradient of the dual at which to stop (default 1e-4).
    tolerance: f64,
});

impl FitSample for LinearSvmParams {
    type Model = LinearSvm;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "linear-svm",
        title: "Linear support vector machine",
        honors_weights: true,
        sparse: true,
        images: false,
        outputs: Outputs::Classification,
        probabilities: false,
        parameters: &[
            ParamInfo {
                name: "c",
                default: "1.0",
                range: ParamRange::Positive,
                doc: "Weight of the summed squared hinge losses against the penalty.",
            },
            ParamInfo {
                name: "class_weight",
                default: "\"none\"",
                range: ParamRange::Choice(ClassWeight::WORDS),
                doc: "Factors on c per class; balanced lets all classes weigh the same.",
            },
            ParamInfo {
                name: "fit_intercept",
                default: "true",
                range: ParamRange::Flag,
                doc: "Whether there is an intercept, penalised like the coefficients.",
            },
            ParamInfo {
                name: "intercept_scaling",
                default: "1.0",
                range: ParamRange::Positive,
                doc: "Entry of the extra column that carries the intercept.",
            },
            ParamInfo {
                name: "tolerance",
                default: "1e-4",
                range: ParamRange::Positive,
                doc: "Projected gradient of the dual at which to stop.",
            },
        ],
        reference: "Hsieh et al.: A dual coordinate descent method for large-scale linear SVM, ICML 2008, doi:10.1145/1390156.1390208",
    };

    fn fit_checked(&self, sample: &Sample<'_>, seed: u64) -> Result<LinearSvm, TransferError> {
        let found = ClassRows::of(sample, Self::INFO.name)?;
        let factors = self.class_weight.factors(&found);
        let features = self.with_intercept_column(&found.rows.features);
        let solve = |output: usize| {
            let two = found.present.n_outputs() == 1;
            let class = if two { 1 } else { output };
            let cost = |row: usize| {
                let own = found.classes[row];
                let factor = if two || own == class {
                    factors[own]
                } else {
                    1.0
                };
                self.c * found.rows.weights[row] * factor
            };
            let rows = found.classes.len();
            Binary {
                features: &features,
                signs: (0..rows)
                    .map(|row| {
                        if found.classes[row] == class {
                            1.0
                        } else {
                            -1.0
                        }
                    })
                    .collect(),
                costs: (0..rows).map(cost).collect(),
            }
            .solve(
                self.tolerance,
                seed::derive(seed, &["output", &output.to_string()]),
            )
        };
        let solutions: Vec<Solution> = (0..found.present.n_outputs())
            .into_par_iter()
            .map(solve)
            .collect::<Result<_, _>>()?;
        let n_columns = found.rows.features.n_columns();
        let intercept = |solution: &Solution| match self.fit_intercept {
            true => self.intercept_scaling * solution.coefficients[n_columns],
            false => 0.0,
        };
        Ok(LinearSvm {
            linear: Linear {
                coefficients: Array2::from_shape_fn(
                    (solutions.len(), n_columns),
                    |(output, column)| solutions[output].coefficients[column],
                ),
                intercepts: solutions.iter().map(intercept).collect(),
            },
            duality_gap: solutions
                .iter()
                .map(|solution| solution.relative_gap)
                .fold(0.0, f64::max),
            classes: found.present,
        })
    }
}

impl LinearSvmParams {
    /// The rows, row-major, with the column whose coefficient makes the intercept.
    fn with_intercept_column(&self, features: &Features) -> Features {
        let (n, d) = (features.n_rows(), features.n_columns());
        let extra = usize::from(self.fit_intercept);
        match features {
            Features::Dense(x) => {
                let mut wider = Array2::from_elem((n, d + extra), self.intercept_scaling);
                wider.slice_mut(s![.., ..d]).assign(x);
                Features::Dense(wider)
            }
            Features::Sparse(x) if extra == 1 => {
                let column = Csr::new(
                    (n, 1),
                    (0..=n).collect(),
                    vec![0; n],
                    vec![self.intercept_scaling; n],
                );
                Features::Sparse(sprs::hstack(&[x.view(), column.view()]).to_csr())
            }
            Features::Sparse(x) => Features::Sparse(x.clone()),
            Features::Images(_) => images_were_refused(),
        }
    }
}

impl LinearSvm {
    /// The default parameters.
    pub fn params() -> LinearSvmParams {
        LinearSvmParams::default()
    }

    /// `w`: one row of coefficients per class that occurs, in ascending order of code; for two classes one row, that
    /// of the second class.
    pub fn coefficients(&self) -> &Array2<f64> {
        &self.linear.coefficients
    }

    /// `b`: one intercept per row of [`LinearSvm::coefficients`].
    pub fn intercepts(&self) -> &Array1<f64> {
        &self.linear.intercepts
    }

    /// The certificate of optimality: by how much the primal objective can still sink at most, relative to its value;
    /// the largest over the outputs.
    pub fn duality_gap(&self) -> f64 {
        self.duality_gap
    }
}

#[typetag::serde(name = "linear-svm")]
impl Predictor for LinearSvm {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        Ok(Prediction::from_decision(
            self.classes.widen_outputs(&self.linear.outputs(features)?),
        ))
    }
}

impl HonorsSampleWeights for LinearSvmParams {}

linfa_border!(LinearSvmParams => LinearSvm: usize);
