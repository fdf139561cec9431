//! Scores of features by their covariances.

use ndarray::{Array1, Array2, Axis, s};
use translearn_core::{
    Features, Labels, TransferError,
    linalg::{cholesky, covariance, covariance_ledoit_wolf, eigh, gram, lost_in_rounding, matmul},
};

use super::Classified;
use crate::check::check_above_zero;

/// The H-score: how far apart the means of the classes are, in units of the spread of the features.
///
/// $$H = \operatorname{tr}\bigl(\operatorname{cov}(f)^{+}\, \operatorname{cov}(\mathbb E[f \mid y])\bigr)$$
///
/// with each row's class mean in place of its features in the second covariance. It lies between 0 and the number of
/// classes less one, and no linear map of the features that has an inverse changes it. With few rows for many columns it
/// is near its bound whatever the features are; [`regularized_h_score`] is for those.
///
/// O(n d² + d³).
///
/// # Errors
/// [`TransferError::LengthMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::TooFewRows`] below two rows, [`TransferError::TooFewClasses`] for a single class.
///
/// # Source
/// Bao, Li, Huang, Zhang, Zheng, Zamir, Guibas, *An information-theoretic approach to transferability in task transfer
/// learning*, ICIP 2019, doi:10.1109/ICIP.2019.8803726.
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, Labels};
/// use translearn_diagnostics::transferability::h_score;
///
/// let features = Features::from(array![[-1.0], [-3.0], [1.0], [3.0]]);
/// // Means at −2 and 2 make a variance of 16/3, of 20/3 in all.
/// let score = h_score(&features, &Labels::Classes(array![0, 0, 1, 1]))?;
/// assert!((score - 0.8).abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn h_score(features: &Features, labels: &Labels) -> Result<f64, TransferError> {
    let target = Classified::new(features, labels)?;
    let eigen = eigh(&covariance(&target.rows)?)?;
    let first = lost_in_rounding(&eigen.values, target.rows.nrows().max(target.rows.ncols()));
    let vectors = eigen.vectors.slice(s![.., first..]);
    let between = between(&target)?;
    let turned = matmul(&matmul(&vectors.t(), &between)?, &vectors)?;
    Ok((&turned.diag() / &eigen.values.slice(s![first..])).sum())
}

/// The H-score with the covariance of Ledoit and Wolf, `(1 − δ) S + δ μ I`:
///
/// $$H_\delta = (1 - \delta) \operatorname{tr}\bigl(S_\delta^{-1}\, \operatorname{cov}(\mathbb E[f \mid y])\bigr)$$
///
/// O(n d² + d³).
///
/// # Errors
/// As [`h_score`], and [`TransferError::Linalg`] where even the shrunk covariance is singular: for columns that are all
/// constant.
///
/// # Source
/// Ibrahim, Ponomareva, Mazumder, *Newer is not always better: rethinking transferability metrics, their peculiarities,
/// stability and performance*, ECML PKDD 2022, doi:10.1007/978-3-031-26387-3_42.
pub fn regularized_h_score(features: &Features, labels: &Labels) -> Result<f64, TransferError> {
    let target = Classified::new(features, labels)?;
    let (shrunk, shrinkage) = covariance_ledoit_wolf(&target.rows)?;
    let solved = cholesky(&shrunk)?.solve(&between(&target)?)?;
    Ok((1.0 - shrinkage) * solved.diag().sum())
}

/// The covariance of the rows with their class means in their place.
fn between(target: &Classified) -> Result<Array2<f64>, TransferError> {
    let mut means = Array2::zeros(target.rows.dim());
    for members in target.members() {
        let mean: Array1<f64> = target.of(&members).sum_axis(Axis(0)) / members.len() as f64;
        for row in members {
            means.row_mut(row).assign(&mean);
        }
    }
    Ok(covariance(&means)?)
}

/// TransRate: how many nats the classes take from the rate at which the features can be told to an accuracy.
///
/// $$\mathrm{TrR} = R(Z) - \sum_c \frac{n_c}{n} R(Z_c), \qquad
///   R(Z) = \tfrac12 \ln \det\Bigl(I + \frac{1}{n \varepsilon} Z^\top Z\Bigr)$$
///
/// with the rows `Z` less their mean, `Z_c` those of class `c` (with `n_c` for `n`) and `ε = epsilon` in units of the squared
/// features. It is not below 0 by more than rounding. Features of different scales can be compared once divided by theirs.
///
/// O(n d min(n, d)) for all, and as much for each class.
///
/// # Errors
/// As [`h_score`], and [`TransferError::InvalidParameter`] for an `epsilon` that is not above 0.
///
/// # Source
/// Huang, Huang, Rong, Yang, Wei, *Frustratingly easy transferability estimation*, ICML 2022.
///
/// *Where we differ.* The authors' code takes the plain mean over classes where the paper weighs them by their rows; this
/// is the paper's.
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, Labels};
/// use translearn_diagnostics::transferability::trans_rate;
///
/// let labels = Labels::Classes(array![0, 0, 1, 1]);
/// // Classes in directions of their own: ln(1 + 1/2ε) in all, of which the classes keep half.
/// let across = Features::from(array![[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]]);
/// let score = trans_rate(&across, &labels, 1e-4)?;
/// assert!((score - (5001.0_f64.ln() - 0.5 * 10001.0_f64.ln())).abs() < 1e-9);
/// // On one line through the mean, classes are not told apart.
/// let opposite = Features::from(array![[-1.0], [-1.0], [1.0], [1.0]]);
/// assert!(trans_rate(&opposite, &labels, 1e-4)?.abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn trans_rate(
    features: &Features,
    labels: &Labels,
    epsilon: f64,
) -> Result<f64, TransferError> {
    check_above_zero("epsilon", epsilon)?;
    let target = Classified::new(features, labels)?;
    let n = target.rows.nrows() as f64;
    let mean = target.rows.sum_axis(Axis(0)) / n;
    let centred = &target.rows - &mean;
    let rate = |rows: &Array2<f64>| -> Result<f64, TransferError> {
        // det(I + ZᵀZ / c) = det(I + ZZᵀ / c): the smaller of the two.
        let product = if rows.nrows() < rows.ncols() {
            gram(&rows.t())
        } else {
            gram(rows)
        };
        let scaled = product / (rows.nrows() as f64 * epsilon);
        let size = scaled.nrows();
        Ok(0.5 * cholesky(&(scaled + Array2::<f64>::eye(size)))?.log_determinant())
    };
    let mut score = rate(&centred)?;
    for members in target.members() {
        score -= members.len() as f64 / n * rate(&centred.select(Axis(0), &members))?;
    }
    Ok(score)
}
