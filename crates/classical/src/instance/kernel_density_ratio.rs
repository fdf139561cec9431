//! The ratio of two kernel density estimates.

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, Features, MethodInfo, Outputs, ParamInfo, ParamRange,
    SourceWeighter, SourceWeights, Trace, TransferError, TransferProblem, What, check_dense_memory,
    distance::{squared_distances, squared_distances_within},
    fit_reweighted, setters, transfer_method,
};

use super::ratio::{RATIO_PARAMETERS, ratio_builders};
use super::scale::CommonScale;
use super::{logistic, weighted_learner, weighting_needs};

/// Parameters of the ratio of two kernel density estimates: a Gaussian stands on every row of either domain, and a source
/// row weighs as much as the target's are denser around it.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit with weight 1).
/// *When.* P(X) differs, P(Y | X) does not, and there are few columns.
///
/// # Formula
///
/// $$w(x) = \frac{\hat p_T(x)}{\hat p_S(x)}, \qquad
///   \hat p(x) = \frac{1}{n\, (h \sqrt{2 \pi})^d} \sum_i e^{-\lVert x - x_i \rVert^2 / 2 h^2}$$
///
/// over rows in which each column is divided by its standard deviation over both domains together. Columns that are
/// constant over both are left out and not counted in `d`. Each domain has its own `h`:
///
/// | `bandwidth` | `h` |
/// |---|---|
/// | `scott` | `n^(−1/(d+4))` |
/// | `silverman` | `(n (d + 2) / 4)^(−1/(d+4))` |
/// | `leave-one-out` | of eleven, from 1/8 to 4 times Scott's, that under which each row is most likely given the others |
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `bandwidth` | `scott` | `scott`, `silverman`, `leave-one-out` | how `h` is chosen |
/// | `flatten` | 1 | [0, 1] | exponent of the weights |
/// | `clip` | `null` | (0, ∞) or `null` | largest weight, in multiples of the mean weight |
///
/// # Shapes and cost
///
/// One weight per source row. O(n_s (n_s + n_t) d), and O(n_t² d) for `leave-one-out`.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::DenseTooLarge`], [`TransferError::Unsupported`] where no two rows
/// differ, [`TransferError::TooFewRows`] for `leave-one-out` with one row in a domain.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::KernelDensityRatio;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[-2.0], [-1.0], [0.0], [1.0]], array![0, 1, 0, 1]);
/// let target = DatasetBase::from(array![[0.0], [1.0], [0.9]]);
/// let model = KernelDensityRatio::params().fit_transfer(&source, &target)?;
/// let weights = model.trace().source_weights.clone().unwrap_or_default();
/// assert!(weights[3] > 1.3 && weights[0] < 0.4);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Sugiyama, Müller, *Input-dependent estimation of generalization error under covariate shift*, Statistics & Decisions
/// 23(4), 2005, doi:10.1524/stnd.2005.23.4.249; the rules for `h` are those of Scott, *Multivariate Density
/// Estimation*, 1992, and Silverman, *Density Estimation for Statistics and Data Analysis*, 1986.
///
/// *Where we differ.* Both domains are scaled alike, so that neither ratio nor bandwidth hangs on the units of a
/// column, and the same sample on both sides gives weights of 1.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelDensityRatioParams {
    bandwidth: Bandwidth,
    flatten: f64,
    clip: Option<f64>,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

/// How wide the Gaussians of a density estimate are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bandwidth {
    /// `n^(−1/(d+4))`.
    #[default]
    Scott,
    /// `(n (d + 2) / 4)^(−1/(d+4))`.
    Silverman,
    /// The width under which each row is most likely given the others.
    LeaveOneOut,
}

impl Default for KernelDensityRatioParams {
    fn default() -> Self {
        Self {
            bandwidth: Bandwidth::Scott,
            flatten: 1.0,
            clip: None,
            learner: logistic(),
        }
    }
}

setters!(KernelDensityRatioParams {
    /// Sets how the width of the Gaussians is chosen.
    bandwidth: Bandwidth,
});

/// Bandwidths to choose from: Scott's times `2^(k/2)` for these `k`.
const HALF_OCTAVES: std::ops::RangeInclusive<i32> = -6..=4;

impl Bandwidth {
    /// The width for the rows of one domain, `name`.
    fn of(self, rows: &Array2<f64>, name: &str) -> Result<f64, TransferError> {
        let (n, d) = (rows.nrows() as f64, rows.ncols() as f64);
        let scott = n.powf(-1.0 / (d + 4.0));
        match self {
            Self::Scott => Ok(scott),
            Self::Silverman => Ok((n * (d + 2.0) / 4.0).powf(-1.0 / (d + 4.0))),
            Self::LeaveOneOut => {
                if rows.nrows() < 2 {
                    return Err(TransferError::TooFewRows {
                        what: format!("{name}, for the bandwidth `leave-one-out`,"),
                        rows: rows.nrows(),
                        needed: 2,
                    });
                }
                check_dense_memory("the kernel matrix", rows.nrows(), rows.nrows(), 1)?;
                let mut distances = squared_distances_within(&Features::Dense(rows.clone()))?;
                distances.diag_mut().fill(f64::INFINITY);
                let widths = HALF_OCTAVES.map(|k| scott * 2.0_f64.powf(f64::from(k) / 2.0));
                let likelihood = |h: f64| log_densities(&distances, h).sum() - n * d * h.ln();
                let tried = widths.map(|h| (h, likelihood(h)));
                let best = tried.max_by(|a, b| a.1.total_cmp(&b.1));
                Ok(best.map_or(scott, |(h, _)| h))
            }
        }
    }
}

/// `ln Σ_j exp(−d_ij / 2h²)` of each row of squared distances.
fn log_densities(distances: &Array2<f64>, h: f64) -> Array1<f64> {
    distances.map_axis(Axis(1), |row| {
        let nearest = row.fold(f64::INFINITY, |a, &b| a.min(b));
        if nearest == f64::INFINITY {
            return f64::NEG_INFINITY;
        }
        let scale = -0.5 / (h * h);
        let sum: f64 = row.iter().map(|d| (scale * (d - nearest)).exp()).sum();
        scale * nearest + sum.ln()
    })
}

ratio_builders!(KernelDensityRatioParams);
weighted_learner!(KernelDensityRatioParams);

impl SourceWeighter for KernelDensityRatioParams {
    fn source_weights(
        &self,
        problem: &TransferProblem,
        _seed: u64,
    ) -> Result<SourceWeights, TransferError> {
        let scale = CommonScale::new(problem, INFO.name)?;
        let (source, target) = (&scale.source, &scale.target);
        let columns = source.nrows().max(target.nrows());
        check_dense_memory("the kernel matrix", source.nrows(), columns, 1)?;
        let widths = (
            self.bandwidth.of(source, "the source")?,
            self.bandwidth.of(target, "the target")?,
        );
        let (source, target) = (
            Features::Dense(source.clone()),
            Features::Dense(target.clone()),
        );
        // Numbers of rows and powers of h are factors that all rows share.
        let of_source = log_densities(&squared_distances_within(&source)?, widths.0);
        let of_target = log_densities(&squared_distances(&source, &target)?, widths.1);
        let ratio = scale.relative_exponentials(&(of_target - of_source));
        let series = ("bandwidth".to_owned(), vec![widths.0, widths.1]);
        Ok(SourceWeights {
            weights: self.tempered(ratio),
            trace: Trace {
                series: [series].into(),
                ..Trace::default()
            },
        })
    }
}

crate::method_name!(KernelDensityRatio => KernelDensityRatioParams, "Ratio of kernel density estimates");

transfer_method!(KernelDensityRatioParams, INFO, |method, problem, seed| {
    fit_reweighted(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for KernelDensityRatioParams {}

static INFO: MethodInfo = MethodInfo {
    name: "kernel-density-ratio",
    title: "Ratio of kernel density estimates",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Both, false),
    parameters: &[
        ParamInfo {
            name: "bandwidth",
            default: "\"scott\"",
            range: ParamRange::Choice(&["scott", "silverman", "leave-one-out"]),
            doc: "How the width of the Gaussians is chosen.",
        },
        RATIO_PARAMETERS[0],
        RATIO_PARAMETERS[1],
    ],
    exemptions: &[],
    reference: "Sugiyama, Müller. Input-dependent estimation of generalization error under covariate shift. Statistics & Decisions 23(4), 2005. doi:10.1524/stnd.2005.23.4.249",
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use translearn_core::mean_one;

    use super::*;
    use crate::instance::ratio_tests::problem;

    /// The density at a row by the formula, one row of the sample left out or none.
    fn density(x: &[f64], rows: &Array2<f64>, h: f64, without: Option<usize>) -> f64 {
        let d = rows.ncols() as i32;
        let kept: Vec<usize> = (0..rows.nrows()).filter(|&i| Some(i) != without).collect();
        let height = (h * std::f64::consts::TAU.sqrt()).powi(d) * kept.len() as f64;
        let bump = |i: usize| {
            let squares: f64 = rows
                .row(i)
                .iter()
                .zip(x)
                .map(|(a, b)| (a - b) * (a - b))
                .sum();
            (-squares / (2.0 * h * h)).exp()
        };
        kept.into_iter().map(bump).sum::<f64>() / height
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn weights_are_ratios_of_densities(n in 4usize..30, d in 1usize..4, seed in 0u64..1000) {
            let problem = problem(n, n + 3, d, seed);
            let scale = CommonScale::new(&problem, "test").unwrap();
            let (source, target) = (&scale.source, &scale.target);
            for bandwidth in [Bandwidth::Scott, Bandwidth::Silverman, Bandwidth::LeaveOneOut] {
                let h = |rows: &Array2<f64>| {
                    let (n, d) = (rows.nrows() as f64, rows.ncols() as f64);
                    let scott = n.powf(-1.0 / (d + 4.0));
                    match bandwidth {
                        Bandwidth::Scott => scott,
                        Bandwidth::Silverman => scott * ((d + 2.0) / 4.0).powf(-1.0 / (d + 4.0)),
                        Bandwidth::LeaveOneOut => {
                            let likelihood = |h: f64| -> f64 {
                                rows.outer_iter().enumerate().map(|(i, x)| density(&x.to_vec(), rows, h, Some(i)).ln()).sum()
                            };
                            let widths = (-6..=4).map(|k| scott * 2.0_f64.powf(f64::from(k) / 2.0));
                            widths.max_by(|&a, &b| likelihood(a).total_cmp(&likelihood(b))).unwrap()
                        }
                    }
                };
                let fitted = KernelDensityRatioParams::default().bandwidth(bandwidth).source_weights(&problem, 0).unwrap();
                let naive = source.map_axis(Axis(1), |x| {
                    let x = x.to_vec();
                    density(&x, target, h(target), None) / density(&x, source, h(source), None)
                });
                let order = problem.source().unwrap().features.rows_by_value();
                let weights = fitted.weights.select(Axis(0), &order);
                let difference = mean_one(&weights).unwrap() - mean_one(&naive).unwrap();
                prop_assert!(difference.iter().all(|v| v.abs() < 1e-8), "{bandwidth:?}: {difference}");
            }
        }
    }
}
