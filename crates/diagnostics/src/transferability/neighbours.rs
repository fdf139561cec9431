//! Whether rows that look alike have the same label.

use ndarray::{Array1, Array2};
use translearn_core::{
    Features, Labels, TransferError, check_dense_memory, distance::nearest_others, linalg::matmul,
    metrics,
};

use super::{Classified, check_rows, middle_ranks};
use crate::check::check_count;

/// The accuracy of the `k` nearest other rows: each row is called by the majority of them, ties by the nearest of the
/// classes that tie. For values, the R² of their mean.
///
/// The plainest of all scores, and hard to beat: among 24 scores compared over datasets and models, no other ranked better
/// (arXiv:2503.18528).
///
/// O(n² d).
///
/// # Errors
/// [`TransferError::LengthMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::TooFewRows`] below `k + 1` rows, [`TransferError::InvalidParameter`] for `k` of 0, and
/// [`TransferError::Unsupported`] for values that are all the same.
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, Labels};
/// use translearn_diagnostics::transferability::leave_one_out;
///
/// let features = Features::from(array![[0.0], [1.0], [10.0], [11.0], [12.5]]);
/// let score = leave_one_out(&features, &Labels::Classes(array![0, 0, 1, 1, 0]), 1)?;
/// assert_eq!(score, 0.8);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn leave_one_out(features: &Features, labels: &Labels, k: usize) -> Result<f64, TransferError> {
    check_count("k", k, 1)?;
    check_rows(features, labels)?;
    let near = nearest_others(features, k)?.indices;
    match labels {
        Labels::Classes(classes) => {
            let right = near.outer_iter().zip(classes).filter(|(near, class)| {
                let mut best = (0, 0);
                for row in near {
                    let votes = near
                        .iter()
                        .filter(|&&other| classes[other] == classes[*row]);
                    let votes = votes.count();
                    if votes > best.0 {
                        best = (votes, classes[*row]);
                    }
                }
                best.1 == **class
            });
            Ok(right.count() as f64 / classes.len() as f64)
        }
        Labels::Values(values) => {
            let means: Array1<f64> = near
                .outer_iter()
                .map(|near| near.iter().map(|&row| values[row]).sum::<f64>() / k as f64)
                .collect();
            metrics::r2(values.view(), means.view(), None).map_err(|error| {
                TransferError::Unsupported {
                    method: "the R² of the nearest rows".to_owned(),
                    needs: "values that differ".to_owned(),
                    has: error.to_string(),
                }
            })
        }
    }
}

/// PARC: Spearman's correlation, over all pairs of rows, between how unlike their features are and how unlike their labels.
///
/// Features are as unlike as one less their correlation (Pearson's, over the columns); classes are 0 for the same and 1 for
/// another (any two numbers give the same ranks). It lies between −1 and 1.
///
/// O(n² d + n² log n), 24 n² bytes.
///
/// # Errors
/// [`TransferError::LengthMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::TooFewRows`] below two rows, [`TransferError::TooFewClasses`] for a single class,
/// [`TransferError::DenseTooLarge`], and [`TransferError::Unsupported`] where all pairs are alike or all rows of
/// different classes.
///
/// # Source
/// Bolya, Mittapalli, Hoffman, *Scalable diverse model selection for accessible transfer learning*, NeurIPS 2021.
///
/// *Where we differ.* The paper's figure is a hundred times this one. A row that is constant over the columns, which has no
/// correlation, has 0 with every other.
pub fn parc(features: &Features, labels: &Labels) -> Result<f64, TransferError> {
    let target = Classified::new(features, labels)?;
    let n = target.rows.nrows();
    check_dense_memory("the correlations between all rows", n, n, 3)?;
    let mut rows = target.rows.clone();
    for mut row in rows.outer_iter_mut() {
        let mean = row.sum() / row.len() as f64;
        row -= mean;
        let length = row.dot(&row).sqrt();
        if length > 0.0 {
            row /= length;
        }
    }
    let alike: Array2<f64> = matmul(&rows, &rows.t())?;
    let pairs = || (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
    let of_features: Vec<f64> = pairs().map(|(i, j)| 1.0 - alike[[i, j]]).collect();
    let of_labels: Vec<f64> = pairs()
        .map(|(i, j)| f64::from(u8::from(target.classes[i] != target.classes[j])))
        .collect();
    let ranks = |values: &[f64]| {
        let ranks = Array1::from(middle_ranks(values));
        let mean = ranks.sum() / ranks.len() as f64;
        ranks - mean
    };
    let (a, b) = (ranks(&of_features), ranks(&of_labels));
    let lengths = (a.dot(&a) * b.dot(&b)).sqrt();
    if lengths == 0.0 {
        return Err(TransferError::Unsupported {
            method: "PARC".to_owned(),
            needs: "pairs of rows that differ in how alike their features and their labels are"
                .to_owned(),
            has: format!("{} pairs without a difference", of_labels.len()),
        });
    }
    Ok(a.dot(&b) / lengths)
}
