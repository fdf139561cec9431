//! Density ratios by least squares: uLSIF, and RuLSIF for the ratio to a mixture of both domains.

use ndarray::Array1;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, MethodInfo, Outputs, ParamInfo, ParamRange, SourceWeighter,
    SourceWeights, Trace, TransferError, TransferProblem, What, fit_reweighted, setters,
    transfer_method,
};

use super::basis::{BASIS_PARAMETERS, Basis, Functions, basis_builders};
use super::ratio::{RATIO_PARAMETERS, ratio_builders};
use super::squared_loss::SquaredLoss;
use super::{logistic, weighted_learner, weighting_needs};

/// Parameters of unconstrained least-squares importance fitting (uLSIF): the density ratio as a sum of Gaussians around
/// target rows, with the least squared error, in closed form.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit with weight 1).
/// *When.* P(X) differs, P(Y | X) does not, and the source covers the target; where it hardly does, [`RulsifParams`].
///
/// # Formula
///
/// $$\min_\alpha\; \frac{1}{2 n_s} \sum_i r(x_i)^2 - \frac{1}{n_t} \sum_j r(x'_j) + \frac{\lambda}{2} \sum_{l \ge 1} \alpha_l^2,
///   \qquad r(x) = \alpha_0 + \sum_{l \ge 1} \alpha_l\, e^{-\gamma \lVert x - c_l \rVert^2}$$
///
/// with centres `c_l` at target rows. The weight of a source row is `max(0, r(x_i))`.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_centers` | 100 | integer ≥ 1 | Gaussians, at target rows drawn by the seed; all rows where there are no more |
/// | `gamma` | `null` | (0, ∞) or `null` | width of the Gaussians; `null`: by leave-one-out |
/// | `lambda` | `null` | (0, ∞) or `null` | penalty `λ`; `null`: by leave-one-out |
/// | `flatten` | 1 | [0, 1] | exponent of the weights |
/// | `clip` | `null` | (0, ∞) or `null` | largest weight, in multiples of the mean weight |
///
/// Left open, `gamma` is one of seven widths from 1/100 to 10 times the median heuristic and `lambda` one of five from
/// 0.001 to 10: those with the least error where each row is predicted by the fit without it, which has a closed form
/// as well.
///
/// # Shapes and cost
///
/// One weight per source row. O((n_s + n_t) k d) for the distances to k centres; O((n_s + n_t) k² + k³) for a fit, and
/// as much for each pair of the grid.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::DenseTooLarge`], [`TransferError::TooFewRows`] for a choice
/// with one row on a side, [`TransferError::Unsupported`] where no two rows differ and no width is given,
/// [`TransferError::InvalidWeight`] when the fit is 0 or less at all source rows.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::Ulsif;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[-2.0], [-1.0], [0.0], [1.0]], array![0, 1, 0, 1]);
/// let target = DatasetBase::from(array![[0.0], [1.0], [0.9]]);
/// let model = Ulsif::params().gamma(1.0).lambda(0.01).fit_transfer(&source, &target)?;
/// let weights = model.trace().source_weights.clone().unwrap_or_default();
/// assert!(weights[3] > 1.5 && weights[0] < 0.3);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Kanamori, Hido, Sugiyama, *A Least-squares Approach to Direct Importance Estimation*, JMLR 10, 2009.
///
/// *Where we differ.* The paper penalises all functions and so shrinks the ratio to 0; here the constant `α_0`, which
/// the paper lacks, is not penalised, so the ratio shrinks to 1 and its mean over the source is 1 before values below 0
/// are cut. The paper cuts coefficients below 0, which changes the ratio where it is above 0, too; here values of the
/// ratio are cut. The paper leaves out the first row of both samples, then the second, …, as many as the smaller sample
/// has, which hangs on their order; here each row of either sample is left out by itself. (The closed form of densratio
/// 0.4.0 and ADAPT 0.4.5 is not the paper's: a denominator is missing, and in ADAPT the samples change places, so that
/// neither agrees with refits.)
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UlsifParams {
    n_centers: usize,
    gamma: Option<f64>,
    lambda: Option<f64>,
    flatten: f64,
    clip: Option<f64>,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for UlsifParams {
    fn default() -> Self {
        Self {
            n_centers: 100,
            gamma: None,
            lambda: None,
            flatten: 1.0,
            clip: None,
            learner: logistic(),
        }
    }
}

/// Parameters of relative unconstrained least-squares importance fitting (RuLSIF): [`UlsifParams`] for the ratio of the
/// target to a mixture of both domains, which has a bound.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit with weight
/// 1). *When.* P(X) differs, P(Y | X) does not, and the source hardly covers the target: no weight is above `1/a` but
/// for the error of the fit.
///
/// # Formula
///
/// $$r_a(x) = \frac{p_T(x)}{a\, p_T(x) + (1 - a)\, p_S(x)} \le \frac{1}{a}$$
///
/// by the loss of [`UlsifParams`] in which `a/n_t Σ_j r(x'_j)² + (1−a)/n_s Σ_i r(x_i)²` stands for `1/n_s Σ_i r(x_i)²`.
/// With `alpha = 0` it is uLSIF, with 1 all weights are 1.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_centers` | 100 | integer ≥ 1 | Gaussians, at target rows drawn by the seed; all rows where there are no more |
/// | `gamma` | `null` | (0, ∞) or `null` | width of the Gaussians; `null`: by leave-one-out |
/// | `lambda` | `null` | (0, ∞) or `null` | penalty `λ`; `null`: by leave-one-out |
/// | `alpha` | 0.1 | [0, 1] | share `a` of the target in the denominator |
/// | `flatten` | 1 | [0, 1] | exponent of the weights |
/// | `clip` | `null` | (0, ∞) or `null` | largest weight, in multiples of the mean weight |
///
/// # Shapes, cost and errors
///
/// As [`UlsifParams`].
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::Rulsif;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[-2.0], [-1.0], [0.0], [1.0]], array![0, 1, 0, 1]);
/// let target = DatasetBase::from(array![[0.0], [1.0], [0.9]]);
/// let model = Rulsif::params().alpha(1.0).fit_transfer(&source, &target)?;
/// let weights = model.trace().source_weights.clone().unwrap_or_default();
/// assert!(weights.iter().all(|w| (w - 1.0).abs() < 1e-6));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Yamada, Suzuki, Kanamori, Hachiya, Sugiyama, *Relative Density-Ratio Estimation for Robust Distribution Comparison*,
/// Neural Computation 25(5), 2013, doi:10.1162/NECO_a_00442. We differ as in [`UlsifParams`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RulsifParams {
    n_centers: usize,
    gamma: Option<f64>,
    lambda: Option<f64>,
    alpha: f64,
    flatten: f64,
    clip: Option<f64>,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for RulsifParams {
    fn default() -> Self {
        Self {
            n_centers: 100,
            gamma: None,
            lambda: None,
            alpha: 0.1,
            flatten: 1.0,
            clip: None,
            learner: logistic(),
        }
    }
}

setters!(UlsifParams {
    /// Sets the penalty.
    lambda: Some(f64),
});

setters!(RulsifParams {
    /// Sets the penalty.
    lambda: Some(f64),
    /// Sets the share of the target in the denominator.
    alpha: f64,
});

/// The penalties to choose from.
const LAMBDAS: [f64; 5] = [1e-3, 1e-2, 1e-1, 1.0, 10.0];

/// The ratio at the source rows, before values below 0 are cut, and how it was chosen.
fn least_squares(
    problem: &TransferProblem,
    basis: &Basis,
    lambda: Option<f64>,
    alpha: f64,
) -> Result<(Array1<f64>, Trace), TransferError> {
    let lambdas = lambda.map_or_else(|| LAMBDAS.to_vec(), |lambda| vec![lambda]);
    let mut series = Vec::new();
    let (gamma, lambda) = match (&basis.gammas[..], &lambdas[..]) {
        (&[gamma], &[lambda]) => (gamma, lambda),
        (gammas, lambdas) => {
            check_rows(problem)?;
            let best = chosen(basis, gammas, lambdas, alpha)?;
            series.push(("leave-one-out", best.0));
            (best.1, best.2)
        }
    };
    let functions = basis.functions(gamma);
    let penalty = penalty(&functions, lambda);
    let loss = SquaredLoss::new(functions.source.clone(), functions.target, alpha);
    let ratio = functions.source.dot(&loss.coefficients(&penalty)?);
    series.extend([("gamma", gamma), ("lambda", lambda)]);
    let named = |(name, value): (&str, f64)| (name.to_owned(), vec![value]);
    let trace = Trace {
        series: series.into_iter().map(named).collect(),
        ..Trace::default()
    };
    Ok((ratio, trace))
}

/// Error, width and penalty where the error of leave-one-out is least; the widest and most penalised of equals.
fn chosen(
    basis: &Basis,
    gammas: &[f64],
    lambdas: &[f64],
    alpha: f64,
) -> Result<(f64, f64, f64), TransferError> {
    let errors = |&gamma: &f64| {
        let functions = basis.functions(gamma);
        let penalties: Vec<(f64, Array1<f64>)> = lambdas
            .iter()
            .rev()
            .map(|&lambda| (lambda, penalty(&functions, lambda)))
            .collect();
        let loss = SquaredLoss::new(functions.source, functions.target, alpha);
        penalties
            .into_iter()
            .map(|(lambda, penalty)| Ok((loss.leave_one_out(&penalty)?, gamma, lambda)))
            .collect::<Result<Vec<_>, TransferError>>()
    };
    let tried: Vec<Vec<(f64, f64, f64)>> =
        gammas.par_iter().map(errors).collect::<Result<_, _>>()?;
    let best = tried
        .into_iter()
        .flatten()
        .min_by(|a, b| a.0.total_cmp(&b.0));
    // There is a width and a penalty, so there is a best pair.
    Ok(best.unwrap_or((f64::NAN, gammas[0], lambdas[0])))
}

/// `λ` for each Gaussian, 0 for the constant, which stands last.
fn penalty(functions: &Functions, lambda: f64) -> Array1<f64> {
    let mut penalty = Array1::from_elem(functions.source.ncols(), lambda);
    if let Some(constant) = penalty.last_mut() {
        *constant = 0.0;
    }
    penalty
}

fn check_rows(problem: &TransferProblem) -> Result<(), TransferError> {
    let sides = [
        ("the source", problem.source()?.labels.len()),
        ("the target", problem.target_features().n_rows()),
    ];
    match sides.into_iter().find(|&(_, rows)| rows < 2) {
        Some((side, rows)) => Err(TransferError::TooFewRows {
            what: format!("{side}, without a `gamma` and a `lambda` of your own,"),
            rows,
            needed: 2,
        }),
        None => Ok(()),
    }
}

basis_builders!(UlsifParams);
basis_builders!(RulsifParams);
ratio_builders!(UlsifParams);
ratio_builders!(RulsifParams);
weighted_learner!(UlsifParams);
weighted_learner!(RulsifParams);

impl SourceWeighter for UlsifParams {
    fn source_weights(
        &self,
        problem: &TransferProblem,
        seed: u64,
    ) -> Result<SourceWeights, TransferError> {
        let basis = Basis::new(problem, self.n_centers, self.gamma, seed)?;
        let (ratio, trace) = least_squares(problem, &basis, self.lambda, 0.0)?;
        let weights = self.tempered(ratio.mapv(|r| r.max(0.0)));
        Ok(SourceWeights { weights, trace })
    }
}

impl SourceWeighter for RulsifParams {
    fn source_weights(
        &self,
        problem: &TransferProblem,
        seed: u64,
    ) -> Result<SourceWeights, TransferError> {
        let basis = Basis::new(problem, self.n_centers, self.gamma, seed)?;
        let (ratio, trace) = least_squares(problem, &basis, self.lambda, self.alpha)?;
        let weights = self.tempered(ratio.mapv(|r| r.max(0.0)));
        Ok(SourceWeights { weights, trace })
    }
}

crate::method_name!(Ulsif => UlsifParams, "Least-squares importance fitting (uLSIF)");
crate::method_name!(Rulsif => RulsifParams, "Relative least-squares importance fitting (RuLSIF)");

transfer_method!(UlsifParams, ULSIF, |method, problem, seed| {
    fit_reweighted(method, &method.learner, problem, seed)
});
transfer_method!(RulsifParams, RULSIF, |method, problem, seed| {
    fit_reweighted(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for UlsifParams {}
impl<TT> AcceptsTarget<TT> for RulsifParams {}

const LAMBDA: ParamInfo = ParamInfo {
    name: "lambda",
    default: "null",
    range: ParamRange::PositiveOrAuto,
    doc: "Penalty on the Gaussians; null: the least leave-one-out error.",
};

static ULSIF: MethodInfo = MethodInfo {
    name: "ulsif",
    title: "Least-squares importance fitting (uLSIF)",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Both, true),
    parameters: &[
        BASIS_PARAMETERS[0],
        BASIS_PARAMETERS[1],
        LAMBDA,
        RATIO_PARAMETERS[0],
        RATIO_PARAMETERS[1],
    ],
    exemptions: &[],
    reference: "Kanamori, Hido, Sugiyama. A Least-squares Approach to Direct Importance Estimation. JMLR 10, 2009",
};

static RULSIF: MethodInfo = MethodInfo {
    name: "rulsif",
    title: "Relative least-squares importance fitting (RuLSIF)",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Both, true),
    parameters: &[
        BASIS_PARAMETERS[0],
        BASIS_PARAMETERS[1],
        LAMBDA,
        ParamInfo {
            name: "alpha",
            default: "0.1",
            range: ParamRange::Real {
                low: 0.0,
                high: 1.0,
            },
            doc: "Share of the target in the denominator; 0: uLSIF.",
        },
        RATIO_PARAMETERS[0],
        RATIO_PARAMETERS[1],
    ],
    exemptions: &[],
    reference: "Yamada, Suzuki, Kanamori, Hachiya, Sugiyama. Relative Density-Ratio Estimation for Robust Distribution Comparison. Neural Computation 25(5), 2013. doi:10.1162/NECO_a_00442",
};
