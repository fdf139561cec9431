//! The fitted machine.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, Labels, Prediction, Predictor, Scores, TransferError, check_prediction_rows,
    kernel::ResolvedKernel,
};

use super::SvmParams;
use crate::classes::PresentClasses;

/// Support vector machine: hinge loss, kernels, a machine for each pair of classes.
///
/// Use it where classes are not separated by a plane and there are at most some thousand rows, and with a kernel of
/// one's own (`kernel = "precomputed"`). For linear kernels on many rows take [`LinearSvm`](crate::LinearSvm).
///
/// # Formula
/// For each pair of classes, `yᵢ = 1` for the lower code and `-1` for the other, weights `aᵢ`, factors `kᵢ` of
/// `class_weight`:
///
/// `min_α ½ Σᵢⱼ αᵢ αⱼ yᵢ yⱼ K(xᵢ, xⱼ) - Σᵢ αᵢ`  subject to  `Σᵢ αᵢ yᵢ = 0`, `0 ≤ αᵢ ≤ c aᵢ kᵢ`.
///
/// The pair decides for the lower code where `Σᵢ αᵢ yᵢ K(x, xᵢ) > rho`. The class with most pairs wins, the lowest code on
/// ties.
///
/// # Steps
/// The kernel matrix among the training rows; then sequential minimal optimisation for each pair, side by side: working
/// sets by second-order information, shrinking, kernel values in single precision inside the iteration, all as in
/// libsvm.
///
/// # Asymmetric kernels
/// With `"precomputed"`, fitting takes the `n x n` matrix `K` whose entry `(i, j)` stands for `K(xᵢ, xⱼ)`, and predicting
/// the `m x n` matrix against all training rows. `K` may be asymmetric or indefinite (CORAL's published figures come
/// from one): rows and columns are then read where libsvm reads them, and the model is the one libsvm returns for the
/// same rows in the same order. libsvm orders classes by first appearance in the data, scikit-learn and we by code; where
/// the two orders differ, ties in votes and the model of an asymmetric `K` may differ.
///
/// # Parameters
/// | name | default | range | |
/// |---|---|---|---|
/// | `kernel` | `"rbf"` | `"linear"`, `"rbf"`, `"polynomial"`, `"laplacian"`, `"cosine"`, `"precomputed"` | see [`translearn_core::kernel`] |
/// | `c` | 1 | (0, ∞) | weight of the loss against the penalty |
/// | `gamma` | null | (0, ∞) or null | γ; null: the median heuristic over the different training rows (polynomial: 1 / columns) |
/// | `degree` | 3 | ≥ 1 | of the polynomial kernel |
/// | `coef0` | 1 | [0, ∞) | constant of the polynomial kernel |
/// | `class_weight` | `"none"` | `"none"`, `"balanced"` | factors per class; balanced counts sample weights |
/// | `tolerance` | 1e-3 | (0, ∞) | violation of the optimality conditions at which to stop; single precision may keep it above 1e-7 of the largest kernel value |
///
/// # Cost
/// `8 n²` bytes for the kernel matrix, refused above [`DENSE_LIMIT_BYTES`](translearn_core::DENSE_LIMIT_BYTES) (11 585
/// rows), up to `4 n²` for the largest pair; usually between `O(n²)` and `O(n³)` in time.
///
/// # Errors
/// [`TransferError::TooFewClasses`] below two classes of positive weight, [`TransferError::DenseTooLarge`],
/// [`TransferError::Unsupported`] for a precomputed matrix that is not square, [`TransferError::NotConverged`] after ten
/// million iterations.
///
/// # Example
/// ```
/// use linfa::{Dataset, traits::{Fit, Predict}};
/// use ndarray::array;
/// use translearn_learners::Svm;
///
/// // No line separates these.
/// let train = Dataset::new(array![[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]], array![0_usize, 0, 1, 1]);
/// let model = Svm::params().c(10.0).gamma(1.0).tolerance(1e-6).fit(&train)?;
/// assert_eq!(model.predict(&array![[0.1, 0.1], [0.9, 0.2]]), array![0, 1]);
/// // By symmetry all α are equal: 1 = α (1 - 1/e)².
/// let alpha = model.machines()[0].coefficients()[0];
/// assert!((alpha - (1.0 - (-1.0_f64).exp()).powi(-2)).abs() < 1e-5);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
/// Boser, Guyon and Vapnik, COLT 1992, doi:10.1145/130385.130401; Fan, Chen and Lin, *Working set selection using second
/// order information for training SVM*, JMLR 6, 2005, 1889-1918; Chang and Lin, *LIBSVM*, ACM TIST 2(3), 2011,
/// doi:10.1145/1961189.1961199. The models are libsvm's (and scikit-learn's `SVC`); `coef0` defaults to 1 instead of 0,
/// and `gamma` to the median heuristic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Svm {
    pub(super) machines: Vec<Machine>,
    pub(super) classes: PresentClasses,
    pub(super) support: Vec<usize>,
    pub(super) kernel: Support,
}

/// What new rows are compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Support {
    /// The support vectors, by a kernel function.
    Rows {
        function: ResolvedKernel,
        rows: Features,
    },
    /// The given values against all training rows.
    Columns { n_columns: usize },
}

/// The machine of one pair of classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Positions among the classes that occur.
    pub(super) first: usize,
    pub(super) second: usize,
    /// Positions among the support vectors of the model.
    pub(super) support: Vec<usize>,
    pub(super) coefficients: Vec<f64>,
    pub(super) rho: f64,
    pub(super) violation: f64,
}

impl Machine {
    /// `α y` of its support vectors, those of the lower class first.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// For each coefficient, the position in [`Svm::support`] of the row it belongs to.
    pub fn support(&self) -> &[usize] {
        &self.support
    }

    /// The threshold: the machine decides for the lower class where `Σ α y K > rho`.
    pub fn rho(&self) -> f64 {
        self.rho
    }

    /// The certificate of optimality: by how much the optimality conditions are violated at most.
    pub fn violation(&self) -> f64 {
        self.violation
    }
}

/// Rows predicted at a time, which bounds the kernel matrix held.
const BLOCK: usize = 1024;

impl Svm {
    /// The default parameters.
    pub fn params() -> SvmParams {
        SvmParams::default()
    }

    /// The machines of all pairs of classes that occur, in lexical order of the codes.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// The training rows that are support vectors of some machine, ascending.
    pub fn support(&self) -> &[usize] {
        &self.support
    }

    /// Decision values of all machines, `n x n_machines`.
    ///
    /// # Errors
    /// As [`Predictor::predict`].
    pub fn decisions(&self, features: &Features) -> Result<Array2<f64>, TransferError> {
        let n = features.n_rows();
        let mut decisions = Array2::zeros((n, self.machines.len()));
        for first in (0..n).step_by(BLOCK) {
            let block: Vec<usize> = (first..n.min(first + BLOCK)).collect();
            let part = decisions.slice_mut(s![first..first + block.len(), ..]);
            let features = if block.len() == n {
                features
            } else {
                &features.select_rows(&block)
            };
            match &self.kernel {
                Support::Rows { function, rows } => {
                    check_prediction_rows(features, rows.n_columns())?;
                    let all: Vec<usize> = (0..self.support.len()).collect();
                    self.decide(function.matrix(features, rows)?.view(), &all, part);
                }
                Support::Columns { n_columns } => {
                    check_prediction_rows(features, *n_columns)?;
                    self.decide(features.dense()?.view(), &self.support, part);
                }
            }
        }
        Ok(decisions)
    }

    /// From kernel values whose column for support vector `i` is `columns[i]`.
    fn decide(
        &self,
        kernel: ArrayView2<'_, f64>,
        columns: &[usize],
        mut out: ndarray::ArrayViewMut2<'_, f64>,
    ) {
        out.axis_iter_mut(Axis(0))
            .into_par_iter()
            .zip(kernel.axis_iter(Axis(0)))
            .for_each(|(mut row, kernel)| {
                for (value, machine) in row.iter_mut().zip(&self.machines) {
                    let terms = machine.support.iter().zip(&machine.coefficients);
                    *value = terms
                        .map(|(&at, coefficient)| coefficient * kernel[columns[at]])
                        .sum::<f64>()
                        - machine.rho;
                }
            });
    }

    /// Votes and scores over the classes that occur: votes plus, to order classes of equally many votes, the sum of a
    /// class's decision values squashed into (-1/3, 1/3).
    fn vote(&self, decisions: &Array2<f64>) -> (Vec<usize>, Array2<f64>) {
        let n_classes = self.classes.len();
        let mut scores = Array2::zeros((decisions.nrows(), n_classes));
        let mut winners = Vec::with_capacity(decisions.nrows());
        for (values, mut score) in decisions.outer_iter().zip(scores.outer_iter_mut()) {
            let mut votes = vec![0_u32; n_classes];
            let mut sums = vec![0.0; n_classes];
            for (machine, &value) in self.machines.iter().zip(values) {
                votes[if value > 0.0 {
                    machine.first
                } else {
                    machine.second
                }] += 1;
                sums[machine.first] += value;
                sums[machine.second] -= value;
            }
            let most = votes.iter().max().copied().unwrap_or_default();
            let winner = votes
                .iter()
                .position(|&vote| vote == most)
                .unwrap_or_default();
            winners.push(self.classes.code(winner));
            if n_classes == 2 {
                score.assign(&Array1::from(sums));
                continue;
            }
            for class in 0..n_classes {
                score[class] =
                    f64::from(votes[class]) + sums[class] / (3.0 * (sums[class].abs() + 1.0));
            }
            // The vote decides, also against a larger sum at equally many votes.
            score[winner] = score.fold(f64::NEG_INFINITY, |most, &score| most.max(score));
        }
        (winners, scores)
    }
}

#[typetag::serde(name = "svm")]
impl Predictor for Svm {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        let (winners, scores) = self.vote(&self.decisions(features)?);
        Ok(Prediction {
            labels: Labels::Classes(winners.into()),
            scores: Some(Scores::Decision(self.classes.widen_decision(&scores))),
        })
    }
}
