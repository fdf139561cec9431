//! The energy distance.

use serde::{Deserialize, Serialize};
use translearn_core::{Features, TransferError, distance::squared_distances_within, setters};

use super::relabel::{Pair, Split};
use super::{N_PERMUTATIONS, TestResult};

/// The energy distance between two samples, with a permutation test.
///
/// *When.* As [`Mmd`](super::Mmd), of which it is the case of the kernel `−‖x − y‖`, where no width is to be chosen. Columns in
/// different units should be standardised first.
///
/// # Formula
///
/// $$E = \frac{2}{mn} \sum_{ij} \lVert s_i - t_j \rVert - \frac{1}{m(m-1)} \sum_{i \ne i'} \lVert s_i - s_{i'} \rVert
///   - \frac{1}{n(n-1)} \sum_{j \ne j'} \lVert t_j - t_{j'} \rVert$$
///
/// The effect is `(m n / N²) E / D` with the mean distance `D` between any two rows: the share of the dispersion that lies
/// between the domains.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_permutations` | 1000 | integer ≥ 1 | relabellings `B` |
///
/// # Shapes and cost
///
/// O(N² (d + B)) for N rows in all and d columns; 8 N² bytes.
///
/// # Errors
///
/// As [`Mmd`](super::Mmd).
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_core::Features;
/// use translearn_diagnostics::shift::Energy;
///
/// let source = Features::from(array![[0.0], [1.0]]);
/// let target = Features::from(array![[4.0], [5.0]]);
/// // 2 · 4 − 1 − 1; of the six splits into two and two, two are as far apart.
/// let found = Energy::default().n_permutations(9999).test(&source, &target, 0)?;
/// assert_eq!(found.statistic, 6.0);
/// assert!((found.p_value - 1.0 / 3.0).abs() < 0.02);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Székely, Rizzo, *Energy statistics: a class of statistics based on distances*, Journal of Statistical Planning and
/// Inference 143(8), 2013, doi:10.1016/j.jspi.2013.03.018; the share of the dispersion: Rizzo, Székely, *DISCO analysis*,
/// Annals of Applied Statistics 4(2), 2010, doi:10.1214/09-AOAS245.
///
/// *Where we differ.* The papers divide by m² and n², which leaves a bias that grows as samples shrink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Energy {
    n_permutations: usize,
}

impl Default for Energy {
    fn default() -> Self {
        Self {
            n_permutations: N_PERMUTATIONS,
        }
    }
}

setters!(Energy {
    /// Sets the number of relabellings.
    n_permutations: usize,
});

impl Energy {
    /// Tests whether two samples are from one distribution; the seed draws the relabellings.
    ///
    /// # Errors
    /// See the type.
    pub fn test(
        &self,
        source: &Features,
        target: &Features,
        seed: u64,
    ) -> Result<TestResult, TransferError> {
        super::check_permutations(self.n_permutations)?;
        let pair = Pair::new(source, target)?;
        let sizes = pair.sizes();
        sizes.check_memory("the distances between all rows")?;
        let mut kernel = squared_distances_within(&pair.pooled()?)?;
        kernel.par_mapv_inplace(|squared| -squared.sqrt());
        let split = Split::new(kernel, sizes, self.n_permutations, seed)?;
        Ok(TestResult {
            test: "energy distance".to_owned(),
            statistic: split.observed,
            p_value: split.p_value(),
            effect: split.share_between(sizes),
            n_source: sizes.source,
            n_target: sizes.target,
        })
    }
}
