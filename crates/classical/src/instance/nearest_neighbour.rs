//! Nearest-neighbour weighting.

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, MethodInfo, Outputs, ParamInfo, ParamRange, SourceWeighter,
    SourceWeights, TransferError, TransferProblem, What, distance::nearest, fit_reweighted,
    setters, transfer_method,
};

use super::ratio::{RATIO_PARAMETERS, ratio_builders};
use super::{logistic, weighted_learner, weighting_needs};

/// Parameters of nearest-neighbour weighting: every target row votes for the source rows nearest to it; a source row
/// weighs as many votes as it gets.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit with weight 1).
/// *When.* P(X) differs, P(Y | X) does not, and the dimension is low enough for neighbours to mean something.
///
/// # Formula
///
/// $$w_i = s + \lvert\{ j : x_i \text{ is among the } k \text{ source rows nearest to } x_j \}\rvert$$
///
/// With `k = 1` the votes count the target rows in the Voronoi cell of each source row.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_neighbours` | 1 | integer ≥ 1 | neighbours `k` each target row votes for |
/// | `smoothing` | 1 | [0, ∞) | votes `s` every source row has from the start (Laplace smoothing) |
/// | `flatten` | 1 | [0, 1] | exponent of the weights |
/// | `clip` | `null` | (0, ∞) or `null` | largest weight, in multiples of the mean weight |
///
/// # Cost
///
/// O(n_s n_t d).
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`]; [`TransferError::InvalidParameter`] when `n_neighbours` exceeds the number of
/// source rows.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::NearestNeighbour;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[0.0], [1.0], [5.0]], array![0, 1, 0]);
/// let target = DatasetBase::from(array![[0.9], [1.2], [0.1]]);
/// let model = NearestNeighbour::params().smoothing(0.0).fit_transfer(&source, &target)?;
/// assert_eq!(model.trace().source_weights, Some(array![1.0, 2.0, 0.0]));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Loog, *Nearest Neighbor-Based Importance Weighting*, MLSP 2012, doi:10.1109/MLSP.2012.6349714.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NearestNeighbourParams {
    n_neighbours: usize,
    smoothing: f64,
    flatten: f64,
    clip: Option<f64>,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for NearestNeighbourParams {
    fn default() -> Self {
        Self {
            n_neighbours: 1,
            smoothing: 1.0,
            flatten: 1.0,
            clip: None,
            learner: logistic(),
        }
    }
}

setters!(NearestNeighbourParams {
    /// Sets the neighbours each target row votes for.
    n_neighbours: usize,
    /// Sets the votes every source row has from the start.
    smoothing: f64,
});

ratio_builders!(NearestNeighbourParams);
weighted_learner!(NearestNeighbourParams);

impl SourceWeighter for NearestNeighbourParams {
    fn source_weights(
        &self,
        problem: &TransferProblem,
        _seed: u64,
    ) -> Result<SourceWeights, TransferError> {
        let source = problem.source()?;
        let n_source = source.features.n_rows();
        if self.n_neighbours > n_source {
            return Err(TransferError::InvalidParameter {
                name: "n_neighbours".to_owned(),
                value: self.n_neighbours.to_string(),
                range: format!("integer in [1, {n_source}] (the source has {n_source} rows)"),
            });
        }
        let neighbours = nearest(
            problem.target_features(),
            &source.features,
            self.n_neighbours,
        )?;
        let mut weights = Array1::from_elem(n_source, self.smoothing);
        for &row in &neighbours.indices {
            weights[row] += 1.0;
        }
        Ok(self.tempered(weights).into())
    }
}

crate::method_name!(NearestNeighbour => NearestNeighbourParams, "Nearest-neighbour weighting");

transfer_method!(NearestNeighbourParams, INFO, |method, problem, seed| {
    fit_reweighted(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for NearestNeighbourParams {}

static INFO: MethodInfo = MethodInfo {
    name: "nearest-neighbour",
    title: "Nearest-neighbour weighting",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Both, true),
    parameters: &[
        ParamInfo {
            name: "n_neighbours",
            default: "1",
            range: ParamRange::Integer {
                low: 1,
                high: u64::MAX,
            },
            doc: "Source rows each target row votes for.",
        },
        ParamInfo {
            name: "smoothing",
            default: "1.0",
            range: ParamRange::Real {
                low: 0.0,
                high: f64::INFINITY,
            },
            doc: "Votes every source row has from the start.",
        },
        RATIO_PARAMETERS[0],
        RATIO_PARAMETERS[1],
    ],
    exemptions: &[],
    reference: "Loog. Nearest Neighbor-Based Importance Weighting. MLSP 2012. doi:10.1109/MLSP.2012.6349714",
};
