//! Drift: a sequence of batches beside a reference.

use ndarray::{Array2, s};
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, TransferError, check_dense_memory, distance::squared_distances_within, seed,
};

use super::TestResult;
use crate::multiplicity::holm;

/// What was found about a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchShift {
    /// The batch beside the reference.
    pub test: TestResult,
    /// Its p-value after Holm: at most `α` finds a batch in a sequence without drift with a chance of at most `α`.
    pub p_holm: f64,
}

/// What was found about a sequence of batches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// The batches, in their order.
    pub batches: Vec<BatchShift>,
    /// The least `p_holm`: whether there is any drift.
    pub p_value: f64,
    /// The batch from which on the rows differ most from those before, should there be a single change.
    pub change: usize,
}

impl Drift {
    /// The batches whose `p_holm` is at most `level`, in their order.
    pub fn drifted(&self, level: f64) -> Vec<usize> {
        let batches = self.batches.iter().enumerate();
        let found = batches.filter(|(_, batch)| batch.p_holm <= level);
        found.map(|(number, _)| number).collect()
    }
}

/// Tests each of a sequence of batches against a reference, with their number accounted for, and says where the change is.
///
/// *When.* A model is in use, and rows come in batches. `test` is one of this module, such as `|s, t, seed|
/// Energy::default().test(s, t, seed)`; with `B` relabellings no more than `B / 20` batches can be told apart at 0.05.
///
/// # Formula
///
/// The p-values of the batches are adjusted after Holm, which holds although all are compared with one reference. The change is
/// at
///
/// $$\arg\max_k \frac{m_k n_k}{m_k + n_k}\, E(R \cup B_0 \cup \dots \cup B_{k-1},\; B_k \cup \dots \cup B_{K-1})$$
///
/// with the reference `R`, the batches `B`, the energy distance `E` with divisors `m²` and `n²` and the rows `m_k`, `n_k` of
/// both sides; the first of equals.
///
/// # Shapes and cost
///
/// A test for each batch, O(N² d) for N rows of reference and batches together, and 8 N² bytes.
///
/// # Errors
///
/// [`TransferError::Empty`] without a batch, [`TransferError::DenseTooLarge`], and those of the test.
///
/// # Example
///
/// ```
/// use ndarray::Array2;
/// use translearn_core::{Features, seed};
/// use translearn_diagnostics::shift::{Energy, drift};
///
/// let mut rng = seed::rng(1);
/// let mut sample = |n: usize, at: f64| Features::from(Array2::from_shape_simple_fn((n, 2), || at + rng.normal()));
/// let reference = sample(60, 0.0);
/// let batches: Vec<Features> = [0.0, 0.0, 1.5, 1.5].map(|at| sample(20, at)).into();
/// let found = drift(&reference, &batches, 0, |s, t, seed| Energy::default().test(s, t, seed))?;
/// assert_eq!((found.drifted(0.05), found.change), (vec![2, 3], 2));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// The place of the change: Matteson, James, *A nonparametric approach for multiple change point analysis of multivariate
/// data*, JASA 109, 2014, doi:10.1080/01621459.2013.849605.
pub fn drift(
    reference: &Features,
    batches: &[Features],
    seed: u64,
    test: impl Fn(&Features, &Features, u64) -> Result<TestResult, TransferError>,
) -> Result<Drift, TransferError> {
    if batches.is_empty() {
        return Err(TransferError::Empty {
            what: "the sequence of batches".to_owned(),
            needed: 1,
        });
    }
    let tests = (batches.iter().enumerate())
        .map(|(number, batch)| {
            let seed = seed::derive(seed, &["batch", &number.to_string()]);
            test(reference, batch, seed)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let p_values: Vec<f64> = tests.iter().map(|test| test.p_value).collect();
    let batch = |(test, p_holm)| BatchShift { test, p_holm };
    let found: Vec<BatchShift> = tests.into_iter().zip(holm(&p_values)).map(batch).collect();
    Ok(Drift {
        p_value: (found.iter()).fold(1.0, |least: f64, batch| least.min(batch.p_holm)),
        batches: found,
        change: change(reference, batches)?,
    })
}

/// The batch from which on the rows differ most from those before.
fn change(reference: &Features, batches: &[Features]) -> Result<usize, TransferError> {
    let parts: Vec<&Features> = [reference].into_iter().chain(batches).collect();
    // In one order within each part, so that no sum hangs on how its rows came.
    let mut all = reference.select_rows(&reference.rows_by_value());
    for batch in batches {
        all = all.stack(&batch.select_rows(&batch.rows_by_value()))?;
    }
    let n = all.n_rows();
    check_dense_memory("the distances between all rows", n, n, 1)?;
    let mut distances = squared_distances_within(&all)?;
    distances.par_mapv_inplace(f64::sqrt);
    let mut starts = vec![0];
    for part in &parts {
        starts.push(starts[starts.len() - 1] + part.n_rows());
    }
    // The sum of the distances between the rows of each two parts.
    let sums = Array2::from_shape_fn((parts.len(), parts.len()), |(a, b)| {
        let block = s![starts[a]..starts[a + 1], starts[b]..starts[b + 1]];
        distances.slice(block).sum()
    });
    let mut best = (f64::NEG_INFINITY, 0);
    for batch in 0..batches.len() {
        let cut = batch + 1;
        let (m, n) = (starts[cut] as f64, (n - starts[cut]) as f64);
        let across = sums.slice(s![..cut, cut..]).sum() / (m * n);
        let before = sums.slice(s![..cut, ..cut]).sum() / (m * m);
        let after = sums.slice(s![cut.., cut..]).sum() / (n * n);
        let apart = m * n / (m + n) * (2.0 * across - before - after);
        if apart > best.0 {
            best = (apart, batch);
        }
    }
    Ok(best.1)
}
