//! The ratio of two normal densities.

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, MethodInfo, Outputs, ParamInfo, ParamRange, SourceWeighter,
    SourceWeights, TransferError, TransferProblem, What, fit_reweighted,
    linalg::{cholesky, covariance, covariance_ledoit_wolf},
    setters, transfer_method,
};

use super::ratio::{RATIO_PARAMETERS, ratio_builders};
use super::scale::CommonScale;
use super::{logistic, weighted_learner, weighting_needs};

/// Parameters of the ratio of two normal densities: each domain is taken for a normal distribution, and a source row weighs
/// as much as the target's is denser there.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit with weight 1).
/// *When.* P(X) differs, P(Y | X) does not, and both domains are one cloud each. Where a domain has several modes,
/// [`KernelDensityRatio`](super::KernelDensityRatio) sees them; in many columns [`Kliep`](super::Kliep) and
/// [`Ulsif`](super::Ulsif) are less far off than any ratio of two estimates.
///
/// # Formula
///
/// $$w(x) = \frac{\hat p_T(x)}{\hat p_S(x)}, \qquad
///   \ln \hat p_D(x) = -\tfrac12 (x - \mu_D)^\top C_D^{-1} (x - \mu_D) - \tfrac12 \ln \det C_D - \tfrac d2 \ln 2\pi$$
///
/// over rows in which each column is divided by its standard deviation over both domains together; columns that are
/// constant over both are left out. `μ_D` is the mean of domain `D`, `C_D` its covariance after Ledoit and Wolf
/// ([`covariance_ledoit_wolf`]), or with divisor `n_D − 1` and `lambda` added to the diagonal.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `lambda` | `null` | (0, ∞) or `null` | ridge added to both covariances; `null`: the shrinkage of Ledoit and Wolf |
/// | `flatten` | 1 | [0, 1] | exponent of the weights |
/// | `clip` | `null` | (0, ∞) or `null` | largest weight, in multiples of the mean weight |
///
/// # Shapes and cost
///
/// One weight per source row. O((n_s + n_t) d² + d³).
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::DenseTooLarge`], [`TransferError::Unsupported`] where no two rows
/// differ or where a covariance is singular, [`TransferError::TooFewRows`] for one row in a domain.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::GaussianRatio;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[-2.0], [-1.0], [0.0], [1.0]], array![0, 1, 0, 1]);
/// let target = DatasetBase::from(array![[0.0], [1.0], [0.9]]);
/// let model = GaussianRatio::params().fit_transfer(&source, &target)?;
/// let weights = model.trace().source_weights.clone().unwrap_or_default();
/// assert!(weights[3] > 1.5 && weights[0] < 0.1);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Shimodaira, *Improving predictive inference under covariate shift by weighting the log-likelihood function*, Journal of
/// Statistical Planning and Inference 90(2), 2000, doi:10.1016/S0378-3758(00)00115-4, whose example weighs by the ratio of
/// two normal densities.
///
/// *Where we differ.* The covariances are shrunk, so that a ratio exists with more columns than rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianRatioParams {
    lambda: Option<f64>,
    flatten: f64,
    clip: Option<f64>,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for GaussianRatioParams {
    fn default() -> Self {
        Self {
            lambda: None,
            flatten: 1.0,
            clip: None,
            learner: logistic(),
        }
    }
}

setters!(GaussianRatioParams {
    /// Sets the ridge added to both covariances, in place of the shrinkage of Ledoit and Wolf.
    lambda: Some(f64),
});
ratio_builders!(GaussianRatioParams);
weighted_learner!(GaussianRatioParams);

impl GaussianRatioParams {
    /// `ln p(x)` of the normal distribution of `domain` at each of `rows`, but for the term that no distribution changes.
    fn log_density(
        &self,
        domain: &Array2<f64>,
        name: &str,
        rows: &Array2<f64>,
    ) -> Result<Array1<f64>, TransferError> {
        if domain.nrows() < 2 {
            return Err(TransferError::TooFewRows {
                what: format!("{name}, for a covariance,"),
                rows: domain.nrows(),
                needed: 2,
            });
        }
        let covariance = match self.lambda {
            None => covariance_ledoit_wolf(domain)?.0,
            Some(lambda) => covariance(domain)? + lambda * Array2::<f64>::eye(domain.ncols()),
        };
        let factor = cholesky(&covariance).map_err(|_| TransferError::Unsupported {
            method: INFO.name.to_owned(),
            needs: "covariances with an inverse (`lambda` gives them one)".to_owned(),
            has: format!(
                "a singular one: {name} has {} rows in {} columns",
                domain.nrows(),
                domain.ncols()
            ),
        })?;
        let mean = domain.sum_axis(Axis(0)) / domain.nrows() as f64;
        let centred = rows - &mean;
        let solved = factor.solve(&centred.t())?;
        let squares = (&centred * &solved.t()).sum_axis(Axis(1));
        Ok((squares + factor.log_determinant()) * -0.5)
    }
}

impl SourceWeighter for GaussianRatioParams {
    fn source_weights(
        &self,
        problem: &TransferProblem,
        _seed: u64,
    ) -> Result<SourceWeights, TransferError> {
        let scale = CommonScale::new(problem, INFO.name)?;
        let of_target = self.log_density(&scale.target, "the target", &scale.source)?;
        let of_source = self.log_density(&scale.source, "the source", &scale.source)?;
        let ratio = scale.relative_exponentials(&(of_target - of_source));
        Ok(SourceWeights {
            weights: self.tempered(ratio),
            trace: Default::default(),
        })
    }
}

crate::method_name!(GaussianRatio => GaussianRatioParams, "Ratio of normal densities");

transfer_method!(GaussianRatioParams, INFO, |method, problem, seed| {
    fit_reweighted(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for GaussianRatioParams {}

static INFO: MethodInfo = MethodInfo {
    name: "gaussian-ratio",
    title: "Ratio of normal densities",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Both, false),
    parameters: &[
        ParamInfo {
            name: "lambda",
            default: "null",
            range: ParamRange::PositiveOrAuto,
            doc: "Ridge added to both covariances; null: the shrinkage of Ledoit and Wolf.",
        },
        RATIO_PARAMETERS[0],
        RATIO_PARAMETERS[1],
    ],
    exemptions: &[],
    reference: "Shimodaira. Improving predictive inference under covariate shift by weighting the log-likelihood function. Journal of Statistical Planning and Inference 90(2), 2000. doi:10.1016/S0378-3758(00)00115-4",
};

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use proptest::prelude::*;
    use translearn_core::{linalg::solve, mean_one};

    use super::*;
    use crate::instance::ratio_tests::problem;

    /// The normal density at a row, by the formula; the determinant by its expansion along the first row.
    fn density(x: &Array1<f64>, mean: &Array1<f64>, covariance: &Array2<f64>) -> f64 {
        fn determinant(a: &Array2<f64>) -> f64 {
            let n = a.nrows();
            let minor = |column: usize| {
                let rows: Vec<usize> = (1..n).collect();
                let columns: Vec<usize> = (0..n).filter(|&c| c != column).collect();
                a.select(Axis(0), &rows).select(Axis(1), &columns)
            };
            match n {
                0 => 1.0,
                _ => (0..n)
                    .map(|c| (-1.0_f64).powi(c as i32) * a[[0, c]] * determinant(&minor(c)))
                    .sum(),
            }
        }
        let centred = x - mean;
        let solved = solve(covariance, &centred.view().insert_axis(Axis(1))).unwrap();
        let square = centred.dot(&solved.column(0));
        (-0.5 * square).exp() / (TAU.powi(x.len() as i32) * determinant(covariance)).sqrt()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn weights_are_ratios_of_normal_densities(n in 6usize..30, d in 1usize..4, lambda in 0.01f64..1.0, seed in 0u64..1000) {
            let problem = problem(n, n + 3, d, seed);
            let source = problem.source().unwrap().features.dense().unwrap().into_owned();
            let target = problem.target_features().dense().unwrap().into_owned();
            // Densities of rows that are not scaled: what a scale takes from one density it takes from the other.
            let both = ndarray::concatenate![Axis(0), source, target];
            let variances = both.var_axis(Axis(0), 0.0);
            let moments = |x: &Array2<f64>| {
                let mean = x.mean_axis(Axis(0)).unwrap();
                let centred = x - &mean;
                let ridge = Array2::from_diag(&(lambda * &variances));
                (mean, centred.t().dot(&centred) / (x.nrows() as f64 - 1.0) + ridge)
            };
            let ((source_mean, source_covariance), (target_mean, target_covariance)) = (moments(&source), moments(&target));
            let naive = source.map_axis(Axis(1), |x| {
                let x = x.to_owned();
                density(&x, &target_mean, &target_covariance) / density(&x, &source_mean, &source_covariance)
            });
            let fitted = GaussianRatioParams::default().lambda(lambda).source_weights(&problem, 0).unwrap();
            let difference = mean_one(&fitted.weights).unwrap() - mean_one(&naive).unwrap();
            prop_assert!(difference.iter().all(|v| v.abs() < 1e-8), "{difference}");
        }

        #[test]
        fn shrinkage_needs_no_more_rows_than_columns(seed in 0u64..1000) {
            let problem = problem(5, 6, 9, seed);
            let fitted = GaussianRatioParams::default().source_weights(&problem, 0).unwrap();
            prop_assert!(fitted.weights.iter().all(|w| w.is_finite()));
        }
    }

    /// Shimodaira's regression: the source is N(0.5, 0.5²), the target N(0, 0.3²).
    #[test]
    fn the_papers_ratio_is_met_by_many_rows() {
        let mut rng = translearn_core::seed::rng(3);
        let mut sample = |n: usize, mean: f64, deviation: f64| {
            Array2::from_shape_simple_fn((n, 1), || mean + deviation * rng.normal())
        };
        let (source, target) = (sample(20_000, 0.5, 0.5), sample(20_000, 0.0, 0.3));
        let problem = crate::instance::ratio_tests::problem_of(source.clone(), target);
        let fitted = GaussianRatioParams::default()
            .source_weights(&problem, 0)
            .unwrap();
        let exact = source.column(0).mapv(|x| {
            let square = |mean: f64, deviation: f64| ((x - mean) / deviation).powi(2);
            (0.5 * (square(0.5, 0.5) - square(0.0, 0.3))).exp()
        });
        let difference = mean_one(&fitted.weights).unwrap() - mean_one(&exact).unwrap();
        assert!(difference.iter().all(|v| v.abs() < 0.1), "{difference}");
    }
}
