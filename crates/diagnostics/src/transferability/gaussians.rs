//! Classes as normal distributions.

use ndarray::{Array1, Axis};
use translearn_core::{Features, Labels, TransferError};

use super::Classified;

/// The Gaussian Bhattacharyya coefficient: how much the classes overlap, each taken for a normal distribution whose columns are
/// independent; 0 for classes apart, less the more they overlap.
///
/// $$\mathrm{GBC} = -\sum_{c \ne c'} e^{-D_B(c, c')}, \qquad
///   D_B = \frac18 \sum_k \frac{(\mu_k - \mu'_k)^2}{s_k} + \frac12 \sum_k \ln \frac{s_k}{\sqrt{v_k v'_k}}, \quad
///   s_k = \frac{v_k + v'_k}{2}$$
///
/// with means `μ` and variances `v` (divisor `n_c`) of the columns in each class, and to each variance a millionth of the
/// column's variance over all rows added, so that a class that is constant in a column does not rule it out. The sum is over
/// ordered pairs. Many columns keep any classes apart: reduce them first, to 64 principal components as in the paper.
///
/// O(n d + C² d) for C classes.
///
/// # Errors
/// [`TransferError::LengthMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::TooFewRows`] below two rows, [`TransferError::TooFewClasses`] for a single class.
///
/// # Source
/// Pándy, Agostinelli, Uijlings, Ferrari, Mensink, *Transferability estimation using Bhattacharyya class separability*, CVPR
/// 2022, doi:10.1109/CVPR52688.2022.00896.
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, Labels};
/// use translearn_diagnostics::transferability::gbc;
///
/// let labels = Labels::Classes(array![0, 0, 1, 1]);
/// let same = Features::from(array![[-1.0], [1.0], [-1.0], [1.0]]);
/// assert!((gbc(&same, &labels)? + 2.0).abs() < 1e-12);
/// let apart = Features::from(array![[-1.0], [1.0], [99.0], [101.0]]);
/// assert!(gbc(&apart, &labels)? > -1e-9);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn gbc(features: &Features, labels: &Labels) -> Result<f64, TransferError> {
    let target = Classified::new(features, labels)?;
    // A column without any variance says nothing of the classes.
    let all = target.rows.var_axis(Axis(0), 0.0);
    let varied: Vec<usize> = (0..all.len()).filter(|&k| all[k] > 0.0).collect();
    let floor = 1e-6 * &all.select(Axis(0), &varied);
    let moments: Vec<(Array1<f64>, Array1<f64>)> = (target.members().iter())
        .map(|members| {
            let rows = target.of(members).select(Axis(1), &varied);
            let mean = rows.sum_axis(Axis(0)) / rows.nrows() as f64;
            (mean, rows.var_axis(Axis(0), 0.0) + &floor)
        })
        .collect();
    let mut overlap = 0.0;
    for (class, (mean, variance)) in moments.iter().enumerate() {
        for (other_mean, other_variance) in &moments[..class] {
            let mut distance = 0.0;
            for k in 0..varied.len() {
                let middle = 0.5 * (variance[k] + other_variance[k]);
                distance += 0.125 * (mean[k] - other_mean[k]).powi(2) / middle;
                distance += 0.5 * (middle / (variance[k] * other_variance[k]).sqrt()).ln();
            }
            overlap += 2.0 * (-distance).exp();
        }
    }
    Ok(-overlap)
}
