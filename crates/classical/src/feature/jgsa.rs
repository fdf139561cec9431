//! Joint geometrical and statistical alignment.

use ndarray::{Array1, Array2, Axis, s};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, DomainMap, Family, Features, FitAlign, Law, MethodInfo,
    Outputs, ParamInfo, ParamRange, TransferError, TransferProblem, What, fit_aligned,
    linalg::{LinalgError, gram, inv_sqrtm_spd, matmul, unit_columns},
    seed::derive,
    setters, transfer_method,
};

use super::{
    components::{InverseRoot, centred, normalized},
    discrepancy::{Discrepancy, of_mean},
    map_needs,
    projection::{Projection, SpanKernel, above_rounding, check_components, kernel_parameter},
    rounds::{N_ITERATIONS, predict_target, rounds},
    scatter::{LabelScatter, penalty_lost},
};

/// Parameters of joint geometrical and statistical alignment (JGSA): one projection for each domain, the two near each
/// other, under which the domains and each of their classes have the same means, the source's classes are far apart and
/// the target keeps its variance.
///
/// *Setting.* Classes in the source; none needed in the target (known target labels are used as they are). *When.* The
/// domains differ by more than one common projection can mend: the same class lies in other directions.
///
/// # Formula
///
/// With the projections `A` of the source and `B` of the target,
///
/// $$\max_{A, B} \frac{\operatorname{tr}(\beta A^\top S_b A + \mu B^\top S_t B)}
///   {\operatorname{tr}(\beta A^\top S_w A) + \|E_s^\top X_s A + E_t^\top X_t B\|^2 + \lambda \|A - B\|^2 + \mu \|B\|^2}$$
///
/// with the scatter `S_w` of the source within its classes and `S_b` between them, that of the target about its mean
/// `S_t`, and `E`, whose columns are the differences of the domain means and of the class means, those of
/// [JDA](super::JdaParams). For `rbf` all this stands in the kernel's feature space.
///
/// # Steps
///
/// 1. Fit the learner on the source as it is and predict the target.
/// 2. Make `E` of the predicted classes as JDA does.
/// 3. The columns of `A` over those of `B` are the `k` solutions `w` of largest `φ` in `N w = φ D w`, `N` and `D` being
///    the matrices of numerator and denominator; each `w` to unit length.
/// 4. Fit the learner on the projected source, predict the projected target, go on with 2.
///
/// Solutions of `φ = 0`, up to rounding, are left out. The rounds end early when the predictions repeat, because
/// nothing would change from there on.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_components` | 30 | integer ≥ 1 | number `k` of components, at most the rank of the data |
/// | `lambda` | 1 | (0, ∞) | weight of the distance between the two projections |
/// | `mu` | 1 | (0, ∞) | weight of the target's variance, and of the penalty on its projection |
/// | `beta` | 0.1 | \[0, ∞) | weight of the source's classes: far apart, and each close together |
/// | `kernel` | `linear` | `linear`, `rbf` | the inner product |
/// | `gamma` | `null` | (0, ∞) or `null` | width of `rbf`; `null`: the median heuristic |
/// | `normalize` | `true` | | rows to unit length before the fit |
/// | `n_iterations` | 10 | integer ≥ 1 | rounds |
///
/// # Shapes and cost
///
/// Source `n_s x d`, target `n_t x d`, mapped rows have `k` columns. The solutions lie in the span of all rows, so the
/// matrices have `2r` rows with `r ≤ min(d, n_s + n_t)` (`n_s + n_t` for `rbf`): O(r³) once, and O(r² k) a round for
/// large `r` and few components, else O(r³).
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::InvalidParameter`] when `n_components` exceeds the rank of the
/// data, [`TransferError::Unsupported`] for real-valued labels, and where rows are so large that the penalties are lost
/// in rounding.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::Jgsa;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[0.0, 1.0], [0.2, 1.1], [1.0, 0.1], [1.1, 0.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[0.1, 1.6], [0.2, 1.4], [1.4, 0.2], [1.2, 0.3]]);
/// let model = Jgsa::params().n_components(2).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(target.records())?, array![0, 0, 1, 1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Zhang, Li, Ogunbona, *Joint Geometrical and Statistical Alignment for Visual Domain Adaptation*, CVPR 2017,
/// doi:10.1109/CVPR.2017.547. `E` is scaled as in the authors' code: the domain means count as often as there are
/// classes, and `E Eᵀ` has Frobenius norm 1. The `1e-9` which that code adds to the diagonal is not needed here, and
/// for a kernel it takes the target's scatter about 0, here about the mean as without one. On Office-Caltech SURF with
/// the parameters of the paper, which are the defaults, the average over the twelve pairs is 49.4 where the paper has
/// 50.0; the largest difference is that of Amazon to Webcam, 40.3 against 45.8.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JgsaParams {
    n_components: usize,
    lambda: f64,
    mu: f64,
    beta: f64,
    kernel: SpanKernel,
    gamma: Option<f64>,
    normalize: bool,
    n_iterations: usize,
    #[serde(skip, default = "super::nearest")]
    learner: BaseLearner,
}

impl Default for JgsaParams {
    fn default() -> Self {
        Self {
            n_components: 30,
            lambda: 1.0,
            mu: 1.0,
            beta: 0.1,
            kernel: SpanKernel::Linear,
            gamma: None,
            normalize: true,
            n_iterations: 10,
            learner: super::nearest(),
        }
    }
}

setters!(JgsaParams {
    /// Sets the number of components.
    n_components: usize,
    /// Sets the weight of the distance between the two projections.
    lambda: f64,
    /// Sets the weight of the target's variance, and of the penalty on its projection.
    mu: f64,
    /// Sets the weight of the source's classes.
    beta: f64,
    /// Sets the inner product.
    kernel: SpanKernel,
    /// Sets the width of the Gaussian kernel.
    gamma: Some(f64),
    /// Sets whether rows are brought to unit length before the fit.
    normalize: bool,
    /// Sets the number of rounds.
    n_iterations: usize,
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

/// What stays the same in all rounds: rows and scatters, with the part of the denominator that does not know the
/// target's classes divided out.
struct Scatters {
    source: Array2<f64>,
    target: Array2<f64>,
    /// `D₀^{-1/2}` with `D₀` the denominator without `E` (`2r x 2r`).
    root: Array2<f64>,
    /// `D₀^{-1/2} N D₀^{-1/2}`.
    whitened: Array2<f64>,
}

impl JgsaParams {
    fn scatters(
        &self,
        source: Array2<f64>,
        target: Array2<f64>,
        classes: &Array1<usize>,
        n_classes: usize,
    ) -> Result<Scatters, TransferError> {
        let r = source.ncols();
        let of_source = LabelScatter::of_classes(&source, classes, n_classes);
        let mut numerator = Array2::zeros((2 * r, 2 * r));
        numerator
            .slice_mut(s![..r, ..r])
            .assign(&(of_source.between * self.beta));
        numerator
            .slice_mut(s![r.., r..])
            .assign(&(gram(&centred(&target)) * self.mu));
        let mut denominator = Array2::from_diag_elem(2 * r, self.lambda);
        for i in 0..r {
            denominator[[r + i, r + i]] += self.mu;
            denominator[[i, r + i]] = -self.lambda;
            denominator[[r + i, i]] = -self.lambda;
        }
        let mut of_classes = denominator.slice_mut(s![..r, ..r]);
        of_classes.scaled_add(self.beta, &of_source.within);
        let root = inv_sqrtm_spd(&denominator).map_err(|error| penalty_lost(INFO.name, error))?;
        let whitened = matmul(&matmul(&root, &numerator)?, &root)?;
        Ok(Scatters {
            source,
            target,
            whitened: (&whitened + &whitened.t()) * 0.5,
            root,
        })
    }
}

impl Scatters {
    /// `A` over `B` for the indicators `E` of what has to agree.
    fn solve(&self, indicators: &Array2<f64>, k: usize) -> Result<Array2<f64>, LinalgError> {
        let n_source = self.source.nrows();
        let of_source = matmul(&self.source.t(), &indicators.slice(s![..n_source, ..]))?;
        let of_target = matmul(&self.target.t(), &indicators.slice(s![n_source.., ..]))?;
        let r = of_source.nrows();
        let discrepancy = matmul(&self.root.slice(s![.., ..r]), &of_source)?
            + matmul(&self.root.slice(s![.., r..]), &of_target)?;
        let penalty = InverseRoot::new(&discrepancy, 1.0)?;
        // As an operator first: multiplying the matrix out costs more than the few pairs that are wanted.
        let leading = match penalty.largest_of(2 * r, k, |v| matmul(&self.whitened, v))? {
            Some(leading) => leading,
            None => penalty.largest_in(&self.whitened, k)?,
        };
        // Solutions of `φ = 0` are no directions: any mixture of them is one, too.
        let values = (&leading * &matmul(&self.whitened, &leading)?).sum_axis(Axis(0));
        let leading = leading.slice(s![.., ..above_rounding(&values)]);
        let mut directions = matmul(&self.root, &leading)?;
        unit_columns(&mut directions);
        Ok(directions)
    }
}

impl FitAlign for JgsaParams {
    fn fit_align(&self, problem: &TransferProblem, seed: u64) -> Result<Alignment, TransferError> {
        let source = problem.source()?;
        let classes = source.labels.classes(INFO.name)?;
        let (target, n_classes) = (problem.target_features(), problem.n_classes());
        let n_source = classes.len();
        let predict = |round: usize, source: Features, target: Features| {
            let seed = derive(seed, &["round", &round.to_string()]);
            predict_target(INFO.name, &self.learner, problem, &source, &target, seed)
        };
        let unit = |rows| Ok::<_, TransferError>(normalized(rows, self.normalize)?.into_owned());
        let first = predict(0, unit(&source.features)?.into(), unit(target)?.into())?;

        let rows = source.features.stack(target)?;
        let (span, x) = Projection::onto_span(&rows, self.kernel, self.gamma, self.normalize)?;
        let r = x.ncols();
        check_components(self.n_components, r, "the rank of the data")?;
        let scatters = self.scatters(
            x.slice(s![..n_source, ..]).to_owned(),
            x.slice(s![n_source.., ..]).to_owned(),
            classes,
            n_classes,
        )?;
        let marginal = Discrepancy::marginal(n_source, target.n_rows(), n_classes as f64);
        let (directions, trace) = rounds(
            self.n_iterations,
            |predicted| {
                let mut joint = marginal.clone();
                joint.add_classes(classes, predicted.unwrap_or(&first), n_classes, of_mean);
                Ok(scatters.solve(&joint.indicators(), self.n_components)?)
            },
            |round, directions| {
                let z_source = matmul(&scatters.source, &directions.slice(s![..r, ..]))?;
                let z_target = matmul(&scatters.target, &directions.slice(s![r.., ..]))?;
                predict(round, z_source.into(), z_target.into())
            },
        )?;
        let map = Jgsa {
            source: span.clone().onto(&directions.slice(s![..r, ..]))?,
            target: span.onto(&directions.slice(s![r.., ..]))?,
        };
        Ok(Alignment {
            map: Box::new(map),
            trace,
        })
    }
}

transfer_method!(JgsaParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for JgsaParams {}

static INFO: MethodInfo = MethodInfo {
    name: "jgsa",
    title: "Joint geometrical and statistical alignment",
    family: Family::Feature,
    what: What::Features,
    needs: map_needs(Outputs::Classification),
    parameters: &[
        super::N_COMPONENTS,
        ParamInfo {
            name: "lambda",
            default: "1.0",
            range: ParamRange::Positive,
            doc: "Weight of the distance between the two projections.",
        },
        ParamInfo {
            name: "mu",
            default: "1.0",
            range: ParamRange::Positive,
            doc: "Weight of the target's variance, and of the penalty on its projection.",
        },
        ParamInfo {
            name: "beta",
            default: "0.1",
            range: ParamRange::Real {
                low: 0.0,
                high: f64::INFINITY,
            },
            doc: "Weight of the source's classes: far apart, and each close together.",
        },
        kernel_parameter("\"linear\""),
        super::GAMMA,
        ParamInfo {
            name: "normalize",
            default: "true",
            range: ParamRange::Flag,
            doc: "Rows to unit length before the fit.",
        },
        N_ITERATIONS,
    ],
    exemptions: &[(
        Law::IdenticalDomains,
        "the source is projected for its classes and the target for its variance: one sample gives two projections",
    )],
    reference: "Zhang, Li, Ogunbona. Joint Geometrical and Statistical Alignment for Visual Domain Adaptation. CVPR 2017. doi:10.1109/CVPR.2017.547",
};

/// A fitted pair of projections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Jgsa {
    source: Projection,
    target: Projection,
}

impl Jgsa {
    /// Default parameters.
    pub fn params() -> JgsaParams {
        JgsaParams::default()
    }
}

#[typetag::serde(name = "jgsa")]
impl DomainMap for Jgsa {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        Ok(self.source.project(source)?.into())
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        Ok(self.target.project(target)?.into())
    }
}
