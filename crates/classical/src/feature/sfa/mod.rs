//! Spectral feature alignment.

#[cfg(test)]
mod tests;

use ndarray::{Array1, Array2, Axis, s};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, DomainMap, Family, Features, FitAlign, MethodInfo,
    Needs, Outputs, ParamInfo, ParamRange, TransferError, TransferProblem, What, fit_aligned,
    linalg::svd_thin, setters, transfer_method,
};

use super::{
    logistic, map_needs,
    presence::{Presence, choose, for_each_present},
    times,
};

/// Parameters of spectral feature alignment (SFA): words of either domain are clustered by the words that both use alike,
/// and the clusters are appended to the features.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit). *When.* Bags
/// of words whose domains share a vocabulary and have another one each.
///
/// # Formula
///
/// A feature occurs in a row when it is above 0. `l` features are *domain-independent*, all others *specific*. With
/// `M` (`(d - l) x l`), in how many rows of both domains a specific and an independent feature occur together, the bipartite
/// graph of features has the affinities, degrees and normalised affinities
///
/// $$A = \begin{pmatrix} 0 & M \\ M^\top & 0 \end{pmatrix}, \qquad D = \operatorname{diag}(A \mathbf 1), \qquad
/// L = D^{-1/2} A\, D^{-1/2}$$
///
/// and the `k` eigenvectors of `L` of largest eigenvalue, as rows `φ_i` of the specific features, give
///
/// $$x \mapsto \Bigl(x,\ \gamma \sum_{i \text{ specific}} x_i\, \varphi_i\Bigr)$$
///
/// # Steps
///
/// 1. Of the features that occur in at least `min_count` rows of either domain, the independent ones are the `l` whose
///    occurrence has the least mutual information with the domain of a row.
/// 2. The eigenvectors of `L` are `(u, v) / √2` with the singular pairs `u, v` of `D_1^{-1/2} M D_2^{-1/2}`, its corner; no
///    matrix over all features is formed. A feature without company has `φ_i = 0`.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_independent` | `null` | integer ≥ 1 or `null` | features `l` that count as independent; `null`: a tenth of all, from 1 to 500 |
/// | `min_count` | 5 | integer ≥ 1 | rows of either domain in which such a feature occurs at least |
/// | `n_components` | 100 | integer ≥ 1 | eigenvectors `k`, or the rank of `M` if that is less |
/// | `gamma` | 0.6 | (0, ∞) | weight `γ` of the clusters |
///
/// # Shapes and cost
///
/// `n x d` becomes `n x (d + k)`, sparse when it was; a single feature stays alone. O(d l²) for the vectors, and for `M` the
/// number of pairs of features in a row, summed over the rows.
///
/// # Errors
///
/// [`TransferError::InvalidParameter`] when too few features can be independent.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::Sfa;
/// use translearn_core::FitTransfer;
/// use translearn_learners::Logistic;
///
/// // Words: excellent, awful; gripping, dull (source alone); sturdy, flimsy (target alone).
/// let source = DatasetBase::new(
///     array![
///         [1.0, 0.0, 1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0, 0.0, 0.0],
///         [0.0, 1.0, 0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 1.0, 0.0, 0.0],
///     ],
///     array![1, 1, 0, 0],
/// );
/// let target = DatasetBase::from(array![
///     [1.0, 0.0, 0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
///     [0.0, 1.0, 0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
/// ]);
/// let model = Sfa::params()
///     .n_independent(2)
///     .min_count(2)
///     .learner(Logistic::params())
///     .fit_transfer(&source, &target)?;
/// // No label ever stood beside `sturdy` or `flimsy`.
/// let new = array![[0.0, 0.0, 0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]];
/// assert_eq!(model.predict(&new)?, array![1, 0]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Pan, Ni, Sun, Yang, Chen, *Cross-Domain Sentiment Classification via Spectral Feature Alignment*, WWW 2010,
/// doi:10.1145/1772690.1772767.
///
/// *Where we differ.* The number of independent features is given, not a threshold on the mutual information.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SfaParams {
    n_independent: Option<usize>,
    min_count: usize,
    n_components: usize,
    gamma: f64,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for SfaParams {
    fn default() -> Self {
        Self {
            n_independent: None,
            min_count: 5,
            n_components: 100,
            gamma: 0.6,
            learner: logistic(),
        }
    }
}

setters!(SfaParams {
    /// Sets how many features count as independent of the domain.
    n_independent: Some(usize),
    /// Sets in how many rows of either domain such a feature occurs at least.
    min_count: usize,
    /// Sets the number of eigenvectors.
    n_components: usize,
    /// Sets the weight of the clusters.
    gamma: f64,
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl SfaParams {
    /// The clusters for two samples.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`], [`TransferError::InvalidParameter`] and [`TransferError::Linalg`].
    pub fn align(&self, source: &Features, target: &Features) -> Result<Sfa, TransferError> {
        let n_source = source.n_rows();
        let rows = source.stack(target)?;
        let d = rows.n_columns();
        let domains = Presence::of(&rows, 2, |row| usize::from(row >= n_source))?;
        let information = domains.mutual_information();
        let candidates = domains.in_every_group(self.min_count);
        let independent = choose(
            "n_independent",
            self.n_independent,
            d,
            &candidates,
            |column| -information[column],
        )?;
        if independent.is_empty() {
            let clusters = Array2::zeros((d, 0));
            return Ok(Sfa { clusters });
        }
        let sides = Sides::of(d, &independent);
        let m = sides.cooccurrences(&rows)?;
        let root = |degrees: Array1<f64>| {
            degrees.mapv(|degree| {
                if degree > 0.0 {
                    degree.sqrt().recip()
                } else {
                    0.0
                }
            })
        };
        let left = root(m.sum_axis(Axis(1))).insert_axis(Axis(1));
        let right = root(m.sum_axis(Axis(0)));
        let svd = svd_thin(&(&m * &left * &right))?;
        let k = self.n_components.min(svd.rank());
        // The unit eigenvector of the whole graph has half of its square on either side.
        let scale = self.gamma * std::f64::consts::FRAC_1_SQRT_2;
        let mut clusters = Array2::zeros((d, k));
        for (row, &column) in sides.specific.iter().enumerate() {
            clusters
                .row_mut(column)
                .assign(&(&svd.u.slice(s![row, ..k]) * scale));
        }
        Ok(Sfa { clusters })
    }
}

/// Which features are specific to a domain, and where each feature stands on its side.
struct Sides {
    specific: Vec<usize>,
    n_independent: usize,
    /// Whether a feature is specific, and its place among those of its side.
    place: Vec<(bool, usize)>,
}

impl Sides {
    fn of(d: usize, independent: &[usize]) -> Self {
        let mut place = vec![(true, 0); d];
        for (index, &column) in independent.iter().enumerate() {
            place[column] = (false, index);
        }
        let specific: Vec<usize> = (0..d).filter(|&column| place[column].0).collect();
        for (index, &column) in specific.iter().enumerate() {
            place[column].1 = index;
        }
        Self {
            specific,
            n_independent: independent.len(),
            place,
        }
    }

    /// In how many rows a specific and an independent feature occur together.
    fn cooccurrences(&self, rows: &Features) -> Result<Array2<f64>, TransferError> {
        let mut of_row: Vec<(Vec<usize>, Vec<usize>)> = vec![Default::default(); rows.n_rows()];
        for_each_present(rows, |row, column| match self.place[column] {
            (true, index) => of_row[row].0.push(index),
            (false, index) => of_row[row].1.push(index),
        })?;
        let mut m = Array2::zeros((self.specific.len(), self.n_independent));
        for (specific, independent) in of_row {
            for &i in &specific {
                for &j in &independent {
                    m[[i, j]] += 1.0;
                }
            }
        }
        Ok(m)
    }
}

impl FitAlign for SfaParams {
    fn fit_align(&self, problem: &TransferProblem, _seed: u64) -> Result<Alignment, TransferError> {
        let source = problem.source()?;
        Ok(self
            .align(&source.features, problem.target_features())?
            .into())
    }
}

transfer_method!(SfaParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for SfaParams {}

static INFO: MethodInfo = MethodInfo {
    name: "sfa",
    title: "Spectral feature alignment",
    family: Family::Feature,
    what: What::Features,
    needs: Needs {
        sparse: true,
        ..map_needs(Outputs::Both)
    },
    parameters: &[
        ParamInfo {
            name: "n_independent",
            default: "null",
            range: ParamRange::IntegerOrAuto {
                low: 1,
                high: u64::MAX,
            },
            doc: "Features that count as independent of the domain; null: a tenth of all, from 1 to 500.",
        },
        ParamInfo {
            name: "min_count",
            default: "5",
            range: ParamRange::Integer {
                low: 1,
                high: u64::MAX,
            },
            doc: "Rows of either domain in which such a feature occurs at least.",
        },
        ParamInfo {
            name: "n_components",
            default: "100",
            range: ParamRange::Integer {
                low: 1,
                high: u64::MAX,
            },
            doc: "Eigenvectors, or the rank of the co-occurrences if that is less.",
        },
        ParamInfo {
            name: "gamma",
            default: "0.6",
            range: ParamRange::Positive,
            doc: "Weight of the clusters.",
        },
    ],
    exemptions: &[],
    reference: "Pan, Ni, Sun, Yang, Chen. Cross-Domain Sentiment Classification via Spectral Feature Alignment. WWW 2010. doi:10.1145/1772690.1772767",
};

/// Fitted clusters of features, which are appended to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sfa {
    clusters: Array2<f64>,
}

impl Sfa {
    /// Default parameters.
    pub fn params() -> SfaParams {
        SfaParams::default()
    }

    /// `γ φ_i` for each feature (`d x k`), zero for those that are independent of the domain.
    pub fn clusters(&self) -> &Array2<f64> {
        &self.clusters
    }

    fn extend(&self, rows: &Features) -> Result<Features, TransferError> {
        Features::beside(&[rows, &times(rows, &self.clusters)?])
    }
}

#[typetag::serde(name = "sfa")]
impl DomainMap for Sfa {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        self.extend(source)
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        self.extend(target)
    }
}
