//! The optimal transport dataset distance.

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;
use translearn_core::{
    Features, Labels, TransferError, check_dense_memory, check_same_features,
    distance::squared_distances, linalg::gram,
};
use translearn_transport::{Gaussian, emd};

use super::{Classified, without_gaps};

/// A data set: rows with their classes.
pub type Dataset<'a> = (&'a Features, &'a Labels);

/// The optimal transport dataset distance (OTDD): how far one has to move the rows of one data set, and with them what their
/// classes mean, to get the other.
///
/// *When.* To say how near tasks are, whose classes may have other names or another number; no model is needed. Columns in
/// different units should be standardised first, both sets alike.
///
/// # Formula
///
/// $$\mathrm{OTDD}^2 = \min_{P \ge 0} \sum_{ij} P_{ij} \bigl(\lVert x_i - x'_j \rVert^2 +
///   W_2^2(\mathcal N_{y_i}, \mathcal N_{y'_j})\bigr) \quad\text{s.t.}\quad P \mathbf 1 = \tfrac1n \mathbf 1,\;
///   P^\top \mathbf 1 = \tfrac1m \mathbf 1$$
///
/// with the normal distribution of each class's rows (covariance with divisor `n_c`) and the Wasserstein distance between
/// two of them, `‖μ − μ'‖² + tr(C + C' − 2 (C^{1/2} C' C^{1/2})^{1/2})`. It is 0 for a set and itself in any order, symmetric, and
/// no detour is shorter.
///
/// # Shapes and cost
///
/// 16 n m bytes. O(K K' d³) for the classes and O(n m d) for the rows, then exact transport, which grows about as
/// `(n + m)^{2.5}`: seconds for two thousand rows. Draw as many from larger sets.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::LengthMismatch`], [`TransferError::NotFinite`],
/// [`TransferError::NotVectors`], [`TransferError::Empty`], [`TransferError::DenseTooLarge`].
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, Labels};
/// use translearn_diagnostics::transferability::otdd;
///
/// let features = Features::from(array![[0.0], [2.0], [10.0], [12.0]]);
/// let labels = Labels::Classes(array![0, 0, 1, 1]);
/// let renamed = Labels::Classes(array![5, 5, 3, 3]);
/// assert_eq!(otdd((&features, &labels), (&features, &renamed))?, 0.0);
/// // Each class moved by one, row by row and as a distribution: 1² + 1².
/// let moved = Features::from(array![[1.0], [3.0], [11.0], [13.0]]);
/// assert!((otdd((&features, &labels), (&moved, &labels))? - 2.0_f64.sqrt()).abs() < 1e-9);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Alvarez-Melis, Fusi, *Geometric dataset distances via optimal transport*, NeurIPS 2020.
///
/// *Where we differ.* The authors' code transports with an entropy, after which a set is not at 0 from itself; here the
/// plan is exact.
pub fn otdd(source: Dataset<'_>, target: Dataset<'_>) -> Result<f64, TransferError> {
    check_same_features("the source", source.0, "the target", target.0)?;
    let (source, target) = (
        Meanings::new(source, "the source")?,
        Meanings::new(target, "the target")?,
    );
    let (n, m) = (source.classes.len(), target.classes.len());
    check_dense_memory("the costs between all rows", n, m, 2)?;
    let pairs: Vec<(&Gaussian, &Gaussian)> = (source.gaussians.iter())
        .flat_map(|from| target.gaussians.iter().map(move |to| (from, to)))
        .collect();
    let squared: Vec<f64> = pairs
        .into_par_iter()
        .map(|(from, to)| match from == to {
            // What rounding would leave of nothing.
            true => Ok(0.0),
            false => Ok(from.distance(to)?.powi(2)),
        })
        .collect::<Result<_, TransferError>>()?;
    let mut cost = squared_distances(&source.rows, &target.rows)?;
    for ((i, j), cost) in cost.indexed_iter_mut() {
        *cost += squared[source.classes[i] * target.gaussians.len() + target.classes[j]];
    }
    let equal = |n: usize| Array1::from_elem(n, 1.0 / n as f64);
    Ok(emd(&cost, &equal(n), &equal(m))?.cost.max(0.0).sqrt())
}

/// Rows in the order of their values, and what their classes mean.
struct Meanings {
    rows: Features,
    classes: Vec<usize>,
    gaussians: Vec<Gaussian>,
}

impl Meanings {
    fn new((features, labels): Dataset<'_>, name: &str) -> Result<Self, TransferError> {
        features.check_vectors(name)?;
        features.check_finite(name)?;
        super::check_lengths(name, features.n_rows(), labels)?;
        if features.n_rows() == 0 {
            return Err(TransferError::Empty {
                what: name.to_owned(),
                needed: 1,
            });
        }
        // In one order, the sums of equal sets are equal to the last bit.
        let order = features.rows_by_value();
        let (classes, n_classes) = without_gaps(&labels.select(&order))?;
        let rows = features.dense()?.select(Axis(0), &order);
        let target = Classified {
            rows,
            classes,
            n_classes,
        };
        let gaussian = |members: &Vec<usize>| {
            let rows: Array2<f64> = target.of(members);
            let n = rows.nrows() as f64;
            let mean = rows.sum_axis(Axis(0)) / n;
            let covariance = gram(&(&rows - &mean)) / n;
            Gaussian { mean, covariance }
        };
        let gaussians = target.members().iter().map(gaussian).collect();
        Ok(Self {
            rows: target.rows.into(),
            classes: target.classes,
            gaussians,
        })
    }
}
