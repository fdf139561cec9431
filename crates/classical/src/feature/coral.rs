//! Correlation alignment.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, DomainMap, Family, Features, FitAlign, MethodInfo,
    Outputs, ParamInfo, ParamRange, TransferError, TransferProblem, What, fit_aligned,
    linalg::{
        LinalgError, Moments, covariance, covariance_ledoit_wolf, inv_sqrtm_spd, matmul, sqrtm_spd,
    },
    setters, transfer_method,
};

use super::{logistic, map_needs, times};

/// Parameters of correlation alignment (CORAL): recolours the source so that its covariance is the target's, then fits
/// any learner on it. The target stays as it is.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit). *When.* The
/// features of the two domains differ in scale and correlation; the means should agree already, so standardise each
/// domain first.
///
/// # Formula
///
/// $$A = (C_S + \lambda I)^{-1/2}\,(C_T + \lambda I)^{1/2}, \qquad x_S \mapsto x_S A,\quad x_T \mapsto x_T$$
///
/// with `C_S` and `C_T` the covariances (divisor `n - 1`). `A` solves `min ‖Aᵀ (C_S + λI) A − (C_T + λI)‖` exactly. Without
/// `λ` (`null`), the covariances of Ledoit and Wolf take the place of `C + λI`: each is shrunk towards a multiple of the
/// identity by as much as its own noise asks for, see [`covariance_ledoit_wolf`].
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `lambda` | 1 | (0, ∞) or `null` | ridge added to both covariances; `null`: the shrinkage of Ledoit and Wolf |
/// | `form` | `map` | `map`, `asymmetric-kernel` | what the learner is given, see below |
///
/// `form = "asymmetric-kernel"` gives the learner `X_S A X_Sᵀ` in place of source features and `(X_S A X_Tᵀ)ᵀ` in place of
/// target features, which is what the paper's code fed to libsvm as a precomputed kernel: not symmetric, no inner product,
/// yet the published figures need it. Use it with `svm` and `kernel = "precomputed"` and for comparison with those figures
/// only: where columns outnumber rows, a linear learner on it may answer every row the other way round.
///
/// # Shapes and cost
///
/// Source `n_s x d`, target `n_t x d`; `A` is `d x d`. O((n_s + n_t) d² + d³). Domains that do not fit into memory are
/// read once, block by block, into [`Moments`], from which [`fit_moments`](Self::fit_moments) makes the map.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::TooFewRows`] for a domain of one row,
/// [`TransferError::InvalidParameter`].
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::Coral;
/// use translearn_core::FitTransfer;
/// use translearn_learners::Logistic;
///
/// // The second feature is ten times as large in the target.
/// let source = DatasetBase::new(
///     array![[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]],
///     array![0, 1, 0, 1],
/// );
/// let target = DatasetBase::from(array![[-1.0, -10.0], [-1.0, 10.0], [1.0, -10.0], [1.0, 10.0]]);
/// let model = Coral::params().lambda(1e-6).learner(Logistic::params()).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(target.records())?, array![0, 1, 0, 1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Sun, Feng, Saenko, *Return of Frustratingly Easy Domain Adaptation*, AAAI 2016, doi:10.1609/aaai.v30i1.10306. The
/// paper truncates the singular values of the covariances; its code adds λ = 1 as here. skada shrinks as Ledoit and Wolf do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoralParams {
    lambda: Option<f64>,
    form: CoralForm,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

/// What CORAL gives its learner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CoralForm {
    /// The mapped rows `X A` of the source and the target rows as they are.
    #[default]
    Map,
    /// The matrices `X_S A X_Sᵀ` and `(X_S A X_Tᵀ)ᵀ`, as the paper's code.
    AsymmetricKernel,
}

impl Default for CoralParams {
    fn default() -> Self {
        Self {
            lambda: Some(1.0),
            form: CoralForm::Map,
            learner: logistic(),
        }
    }
}

setters!(CoralParams {
    /// Sets the ridge added to both covariances.
    lambda: Some(f64),
    /// Sets what the learner is given.
    form: CoralForm,
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl CoralParams {
    /// Shrinks the covariances as Ledoit and Wolf do, in place of a ridge.
    #[must_use]
    pub fn ledoit_wolf(mut self) -> Self {
        self.lambda = None;
        self
    }

    /// The matrix `A` (`d x d`) for two samples.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`], [`TransferError::TooFewRows`] and [`TransferError::Linalg`].
    pub fn recolouring(
        &self,
        source: &Array2<f64>,
        target: &Array2<f64>,
    ) -> Result<Array2<f64>, TransferError> {
        let regular = |x: &Array2<f64>, what: &str| -> Result<Array2<f64>, TransferError> {
            check_rows(what, x.nrows())?;
            match self.lambda {
                None => Ok(covariance_ledoit_wolf(x)?.0),
                Some(lambda) => Ok(ridged(covariance(x)?, lambda)),
            }
        };
        recolour(|| regular(source, "source"), || regular(target, "target"))
    }

    /// The recolouring of two domains of which only the moments are at hand, because their rows do not fit into memory.
    ///
    /// ```
    /// use ndarray::array;
    /// use translearn_classical::feature::Coral;
    /// use translearn_core::linalg::Moments;
    ///
    /// let (mut source, mut target) = (Moments::new(1), Moments::new(1));
    /// for block in [array![[0.0], [2.0]], array![[4.0]]] {
    ///     source.add(&block)?;
    ///     target.add(&(2.0 * block))?;
    /// }
    /// let coral = Coral::params().lambda(1e-9).fit_moments(&source, &target)?;
    /// assert!((coral.matrix()[[0, 0]] - 2.0).abs() < 1e-6);
    /// # Ok::<(), translearn_core::TransferError>(())
    /// ```
    ///
    /// # Errors
    /// [`TransferError::Unsupported`] when `lambda` is `null`, because the shrinkage needs the rows; otherwise as
    /// [`recolouring`](Self::recolouring).
    pub fn fit_moments(&self, source: &Moments, target: &Moments) -> Result<Coral, TransferError> {
        let lambda = self.lambda.ok_or_else(|| TransferError::Unsupported {
            method: "coral with lambda = null (the shrinkage of Ledoit and Wolf)".to_owned(),
            needs: "all rows, or a lambda of your own".to_owned(),
            has: "moments".to_owned(),
        })?;
        let widths = (source.means().len(), target.means().len());
        if widths.0 != widths.1 {
            return Err(TransferError::FeatureMismatch {
                left: "source".to_owned(),
                left_features: widths.0,
                right: "target".to_owned(),
                right_features: widths.1,
            });
        }
        let regular = |moments: &Moments, what: &str| -> Result<Array2<f64>, TransferError> {
            check_rows(what, moments.n_rows())?;
            Ok(ridged(moments.covariance()?, lambda))
        };
        let a = recolour(|| regular(source, "source"), || regular(target, "target"))?;
        Ok(Coral { a })
    }
}

fn check_rows(what: &str, rows: usize) -> Result<(), TransferError> {
    if rows < 2 {
        return Err(TransferError::TooFewRows {
            what: what.to_owned(),
            rows,
            needed: 2,
        });
    }
    Ok(())
}

fn ridged(mut covariance: Array2<f64>, lambda: f64) -> Array2<f64> {
    covariance.diag_mut().mapv_inplace(|v| v + lambda);
    covariance
}

/// `C_S^{-1/2} C_T^{1/2}`.
fn recolour(
    source: impl FnOnce() -> Result<Array2<f64>, TransferError> + Send,
    target: impl FnOnce() -> Result<Array2<f64>, TransferError> + Send,
) -> Result<Array2<f64>, TransferError> {
    let (whiten, colour): (Result<_, TransferError>, Result<_, TransferError>) = rayon::join(
        || Ok(inv_sqrtm_spd(&source()?)?),
        || Ok(sqrtm_spd(&target()?)?),
    );
    Ok(matmul(&whiten?, &colour?)?)
}

impl FitAlign for CoralParams {
    fn fit_align(&self, problem: &TransferProblem, _seed: u64) -> Result<Alignment, TransferError> {
        let source = problem.source()?;
        let source = source.features.dense()?;
        let target = problem.target_features().dense()?;
        let a = self.recolouring(&source, &target)?;
        Ok(match self.form {
            CoralForm::Map => Coral { a }.into(),
            CoralForm::AsymmetricKernel if problem.target_labelled().is_some() => {
                return Err(TransferError::Unsupported {
                    method: "coral with form = \"asymmetric-kernel\"".to_owned(),
                    needs: "no target labels".to_owned(),
                    has: "labelled target rows".to_owned(),
                });
            }
            CoralForm::AsymmetricKernel => CoralKernel {
                source_right: matmul(&a, &source.t())?,
                target_right: matmul(&a.t(), &source.t())?,
            }
            .into(),
        })
    }
}

transfer_method!(CoralParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for CoralParams {}

static INFO: MethodInfo = MethodInfo {
    name: "coral",
    title: "Correlation alignment",
    family: Family::Feature,
    what: What::Features,
    needs: map_needs(Outputs::Both),
    parameters: &[
        ParamInfo {
            name: "lambda",
            default: "1.0",
            range: ParamRange::PositiveOrAuto,
            doc: "Ridge added to both covariances; null: the shrinkage of Ledoit and Wolf.",
        },
        ParamInfo {
            name: "form",
            default: "\"map\"",
            range: ParamRange::Choice(&["map", "asymmetric-kernel"]),
            doc: "Mapped rows, or the asymmetric matrix the paper's code fed to libsvm.",
        },
    ],
    exemptions: &[],
    reference: "Sun, Feng, Saenko. Return of Frustratingly Easy Domain Adaptation. AAAI 2016. doi:10.1609/aaai.v30i1.10306",
};

/// A fitted recolouring of the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Coral {
    a: Array2<f64>,
}

impl Coral {
    /// Default parameters.
    pub fn params() -> CoralParams {
        CoralParams::default()
    }

    /// The matrix `A` (`d x d`).
    pub fn matrix(&self) -> &Array2<f64> {
        &self.a
    }

    /// The weights `A w` that a linear model `w`, fitted on mapped source rows, has on source rows as they are.
    ///
    /// # Errors
    /// [`LinalgError`] when `w` has another length than `d`.
    pub fn pull_back(&self, w: &Array1<f64>) -> Result<Array1<f64>, LinalgError> {
        let column = w.view().insert_axis(ndarray::Axis(1));
        Ok(matmul(&self.a, &column)?.column(0).to_owned())
    }
}

#[typetag::serde(name = "coral")]
impl DomainMap for Coral {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        times(source, &self.a)
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        Ok(target.clone())
    }
}

/// What the paper's code feeds to its SVM: `X_S A X_Sᵀ` for the fit, the transpose of `X_S A X_Tᵀ` for target rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct CoralKernel {
    /// `A X_Sᵀ`, `d x n_s`.
    source_right: Array2<f64>,
    /// `Aᵀ X_Sᵀ`, `d x n_s`.
    target_right: Array2<f64>,
}

#[typetag::serde(name = "coral-kernel")]
impl DomainMap for CoralKernel {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        times(source, &self.source_right)
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        times(target, &self.target_right)
    }
}
