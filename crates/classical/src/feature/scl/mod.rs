//! Structural correspondence learning.

mod predictors;
#[cfg(test)]
mod tests;

use ndarray::{Array2, s};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, DomainMap, Family, Features, FitAlign, MethodInfo,
    Needs, Outputs, ParamInfo, ParamRange, TransferError, TransferProblem, What, fit_aligned,
    linalg::svd_thin, setters, transfer_method,
};

use self::predictors::Predictors;
use super::{
    logistic, map_needs,
    presence::{Presence, choose, for_each_present},
    times,
};

/// Parameters of structural correspondence learning (SCL): features that behave alike in both domains, the pivots, are
/// predicted from all others; the directions these predictions share are appended to the features.
///
/// *Setting.* Classes in the source; no label needed in the target (labelled target rows join the learner's fit). *When.*
/// Bags of words: words of one domain that are used beside the same pivots as words of the other come to the same place.
///
/// # Steps
///
/// A feature occurs in a row when it is above 0.
///
/// 1. Of the features that occur in at least `min_count` rows of either domain, the `m` pivots are those whose occurrence
///    has the most mutual information with the source's labels (`mutual-information`), or those that occur in most rows
///    of both domains together (`frequency`).
/// 2. For each pivot `j`, over the rows `x_i` of both domains with the features that are no pivots,
///
/// $$w_j = \arg\min_w \min_b \sum_i L\bigl(y_{ij}\,(w \cdot x_i + b)\bigr) + \lambda \lVert w \rVert^2, \qquad
/// L(m) = \begin{cases} 0 & m \ge 1 \\ (1 - m)^2 & -1 \le m < 1 \\ -4m & m < -1 \end{cases}$$
///
///    with `y_ij = ±1`, whether the pivot occurs in row `i`.
/// 3. `θ`: the `h` leading left singular vectors of `W = (w_1, …, w_m)`.
/// 4. `x ↦ (x, α s θᵀ x)` with the factor `s` that gives `θᵀ x` the mean Euclidean length of `x` over the rows of the fit.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_pivots` | `null` | integer ≥ 1 or `null` | number `m` of pivots; `null`: a tenth of the features, from 1 to 500 |
/// | `pivots` | `mutual-information` | `mutual-information`, `frequency` | how they are chosen |
/// | `min_count` | 5 | integer ≥ 1 | rows of either domain in which a pivot occurs at least |
/// | `n_components` | 50 | integer ≥ 1 | number `h` of directions, or the rank of `W` if that is less |
/// | `lambda` | 1 | (0, ∞) | penalty of the predictors |
/// | `scale` | 1 | (0, ∞) | length `α` of what is appended, by that of the features |
/// | `tolerance` | 1e-6 | (0, ∞) | largest entry of a predictor's gradient at which it is done |
/// | `max_iterations` | 1000 | integer ≥ 1 | iterations before [`TransferError::NotConverged`] |
///
/// # Shapes and cost
///
/// `n x d` becomes `n x (d + h)`, sparse when it was; a single feature stays alone. `m` fits of O(nnz) an iteration, and O(d m²) for the vectors.
///
/// # Errors
///
/// [`TransferError::Unsupported`] for real labels, [`TransferError::InvalidParameter`] when too few features can be pivots,
/// [`TransferError::NotConverged`].
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::Scl;
/// use translearn_core::FitTransfer;
/// use translearn_learners::Logistic;
///
/// // Words: excellent (the pivot), gripping (source), sturdy (target).
/// let source = DatasetBase::new(
///     array![[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
///     array![1, 1, 0, 0],
/// );
/// let target = DatasetBase::from(array![[1.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]);
/// let model = Scl::params()
///     .n_pivots(1)
///     .min_count(2)
///     .scale(3.0)
///     .learner(Logistic::params().c(100.0))
///     .fit_transfer(&source, &target)?;
/// // `sturdy` alone is good, though no label ever stood beside it.
/// assert_eq!(model.predict(&array![[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])?, array![1, 0]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Blitzer, McDonald, Pereira, *Domain Adaptation with Structural Correspondence Learning*, EMNLP 2006,
/// doi:10.3115/1610075.1610094; pivots by mutual information: Blitzer, Dredze, Pereira, *Biographies, Bollywood, Boom-boxes
/// and Blenders*, ACL 2007.
///
/// *Where we differ.* The predictors have an intercept, which is not penalised and not used: it takes how frequent a pivot
/// is out of its weights. They are fitted to the optimum, not by some passes of stochastic gradients. The papers balance
/// the two kinds of features by hand or on held-out labels; `scale` is 1 where both have one length. Negative weights
/// stay, as in 2007.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SclParams {
    n_pivots: Option<usize>,
    pivots: PivotChoice,
    min_count: usize,
    n_components: usize,
    lambda: f64,
    scale: f64,
    tolerance: f64,
    max_iterations: usize,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

/// How pivots are chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PivotChoice {
    /// By the mutual information of their occurrence and the source's labels.
    #[default]
    MutualInformation,
    /// By the number of rows they occur in.
    Frequency,
}

impl Default for SclParams {
    fn default() -> Self {
        Self {
            n_pivots: None,
            pivots: PivotChoice::MutualInformation,
            min_count: 5,
            n_components: 50,
            lambda: 1.0,
            scale: 1.0,
            tolerance: 1e-6,
            max_iterations: 1000,
            learner: logistic(),
        }
    }
}

setters!(SclParams {
    /// Sets the number of pivots.
    n_pivots: Some(usize),
    /// Sets how pivots are chosen.
    pivots: PivotChoice,
    /// Sets in how many rows of either domain a pivot occurs at least.
    min_count: usize,
    /// Sets the number of directions.
    n_components: usize,
    /// Sets the penalty of the predictors.
    lambda: f64,
    /// Sets the length of what is appended, by that of the features.
    scale: f64,
    /// Sets when a predictor is done.
    tolerance: f64,
    /// Sets after how many iterations a predictor fails.
    max_iterations: usize,
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl SclParams {
    /// The pivots of a problem, in ascending order.
    ///
    /// # Errors
    /// [`TransferError::InvalidParameter`] when too few features can be pivots.
    pub fn pivots_of(&self, problem: &TransferProblem) -> Result<Vec<usize>, TransferError> {
        let source = problem.source()?;
        let n_source = source.features.n_rows();
        let rows = source.features.stack(problem.target_features())?;
        let domains = Presence::of(&rows, 2, |row| usize::from(row >= n_source))?;
        let score = match self.pivots {
            PivotChoice::Frequency => domains.total(),
            PivotChoice::MutualInformation => {
                let codes = source.labels.classes("scl")?;
                Presence::of(&source.features, problem.n_classes(), |row| codes[row])?
                    .mutual_information()
            }
        };
        let candidates = domains.in_every_group(self.min_count);
        choose(
            "n_pivots",
            self.n_pivots,
            rows.n_columns(),
            &candidates,
            |column| score[column],
        )
    }
}

impl FitAlign for SclParams {
    fn fit_align(&self, problem: &TransferProblem, _seed: u64) -> Result<Alignment, TransferError> {
        let pivots = self.pivots_of(problem)?;
        let d = problem.target_features().n_columns();
        if pivots.is_empty() {
            let theta = Array2::zeros((d, 0));
            return Ok(Scl { theta }.into());
        }
        let rows = problem
            .source()?
            .features
            .stack(problem.target_features())?;
        let mut place = vec![None; d];
        for (index, &pivot) in pivots.iter().enumerate() {
            place[pivot] = Some(index);
        }
        let mut occurs = Array2::from_elem((rows.n_rows(), pivots.len()), false);
        for_each_present(&rows, |row, column| {
            if let Some(pivot) = place[column] {
                occurs[[row, pivot]] = true;
            }
        })?;
        let others: Vec<usize> = (0..d).filter(|&column| place[column].is_none()).collect();
        let predictors = Predictors {
            lambda: self.lambda,
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
        };
        let weights = predictors.weights(&*rows.select_columns(&others)?.to_sparse()?, &occurs)?;
        let svd = svd_thin(&weights)?;
        let h = self.n_components.min(svd.rank());
        // Rows of zeros for the pivots, so that `θ` can be applied to rows as they are.
        let mut theta = Array2::zeros((d, h));
        for (row, &column) in others.iter().enumerate() {
            theta.row_mut(column).assign(&svd.u.slice(s![row, ..h]));
        }
        let appended = mean_length(&times(&rows, &theta)?)?;
        if appended > 0.0 {
            theta *= self.scale * mean_length(&rows)? / appended;
        }
        Ok(Scl { theta }.into())
    }
}

/// The mean Euclidean length of rows.
fn mean_length(rows: &Features) -> Result<f64, TransferError> {
    let mut squares = vec![0.0; rows.n_rows()];
    if let Features::Sparse(sparse) = rows {
        sparse
            .iter()
            .for_each(|(v, (row, _))| squares[row] += v * v);
    } else {
        let dense = rows.dense()?;
        dense
            .indexed_iter()
            .for_each(|((row, _), v)| squares[row] += v * v);
    }
    Ok(squares.iter().map(|v| v.sqrt()).sum::<f64>() / squares.len() as f64)
}

transfer_method!(SclParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for SclParams {}

const COUNT: ParamRange = ParamRange::Integer {
    low: 1,
    high: u64::MAX,
};

static INFO: MethodInfo = MethodInfo {
    name: "scl",
    title: "Structural correspondence learning",
    family: Family::Feature,
    what: What::Features,
    needs: Needs {
        sparse: true,
        ..map_needs(Outputs::Classification)
    },
    parameters: &[
        ParamInfo {
            name: "n_pivots",
            default: "null",
            range: ParamRange::IntegerOrAuto {
                low: 1,
                high: u64::MAX,
            },
            doc: "Number of pivots; null: a tenth of the features, from 1 to 500.",
        },
        ParamInfo {
            name: "pivots",
            default: "\"mutual-information\"",
            range: ParamRange::Choice(&["mutual-information", "frequency"]),
            doc: "How pivots are chosen: by what they say about the source's labels, or by how often they occur.",
        },
        ParamInfo {
            name: "min_count",
            default: "5",
            range: COUNT,
            doc: "Rows of either domain in which a pivot occurs at least.",
        },
        ParamInfo {
            name: "n_components",
            default: "50",
            range: COUNT,
            doc: "Number of directions appended, or the rank of the predictors if that is less.",
        },
        ParamInfo {
            name: "lambda",
            default: "1.0",
            range: ParamRange::Positive,
            doc: "Penalty of the predictors.",
        },
        ParamInfo {
            name: "scale",
            default: "1.0",
            range: ParamRange::Positive,
            doc: "Length of what is appended, by that of the features.",
        },
        ParamInfo {
            name: "tolerance",
            default: "1e-6",
            range: ParamRange::Positive,
            doc: "Largest entry of a predictor's gradient at which it is done.",
        },
        ParamInfo {
            name: "max_iterations",
            default: "1000",
            range: COUNT,
            doc: "Iterations after which a predictor fails.",
        },
    ],
    exemptions: &[],
    reference: "Blitzer, McDonald, Pereira. Domain Adaptation with Structural Correspondence Learning. EMNLP 2006. doi:10.3115/1610075.1610094",
};

/// A fitted projection, which is appended to the features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scl {
    theta: Array2<f64>,
}

impl Scl {
    /// Default parameters.
    pub fn params() -> SclParams {
        SclParams::default()
    }

    /// The scaled directions (`d x h`), zero on the pivots.
    pub fn directions(&self) -> &Array2<f64> {
        &self.theta
    }

    fn extend(&self, rows: &Features) -> Result<Features, TransferError> {
        Features::beside(&[rows, &times(rows, &self.theta)?])
    }
}

#[typetag::serde(name = "scl")]
impl DomainMap for Scl {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        self.extend(source)
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        self.extend(target)
    }
}
