//! Feature augmentation.

mod agreement;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, CarriesLabels, Csr, DomainMap, Family, Features,
    FitAlign, MethodInfo, Needs, Outputs, ParamInfo, ParamRange, TransferError, TransferProblem,
    What, check_prediction_rows, fit_aligned, images_were_refused, setters, transfer_method,
};

use super::{logistic, map_needs, sources::check_source};
use agreement::Agreement;

/// Parameters of feature augmentation (FEDA, EasyAdapt): every feature three times, once for all domains, once for the
/// source alone, once for the target alone; then any learner on all labelled rows decides what is shared.
///
/// *Setting.* Labels in the source and for some target rows; any number of sources. *When.* The domains agree about
/// most features and disagree about some, and there are enough target labels to tell which.
///
/// # Formula
///
/// With `m` sources, a row of `d` features becomes one of `(m + 2) d`: a block for all, one for each source, one for
/// the target,
///
/// $$x_{S_i} \mapsto (x, 0, \dots, x, \dots, 0, 0), \qquad x_T \mapsto (x, 0, \dots, 0, x)$$
///
/// so that for a linear learner the weights of a domain are `w + v_S` and `w + v_T`, each part with its own penalty:
/// what the domains agree on is cheapest in `w`. The inner products are
///
/// $$\breve K(x, z) = \bigl(1 + [x \text{ and } z \text{ of one domain}]\bigr)\, \langle x, z \rangle$$
///
/// so a learner that sees inner products alone, such as a kernel machine with a linear kernel, works with twice the
/// kernel within a domain. Over the augmented rows other kernels are other functions of these.
///
/// With `agreement` above 0 the target rows `u` without a label take part (EA++): about them the part of each source
/// should say what the target's says,
///
/// $$\min \sum_{\text{labelled}} \ell\bigl(y, \theta \cdot \phi(x) + b\bigr) + \tfrac12 \lVert \theta \rVert^2 + \tfrac{\lambda}{2} \sum_u \sum_{i} \bigl( (v_{S_i} - v_T) \cdot u \bigr)^2, \qquad \theta = (w, v_{S_1}, \dots, v_T)$$
///
/// for a linear learner with that loss and that penalty. The two penalties are `½ θᵀAθ` with `A = I + λ L ⊗ S`, where
/// `S` is the sum of `u uᵀ` and `L` the Laplacian of a star, the target tied to each source. So the learner is given
/// the rows `A^{-1/2} φ(x)` of what is labelled, and its loss and its intercept are its own.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `agreement` | 0 | [0, ∞) | weight `λ` of the differences between the domains' parts, against the learner's penalty; 0 leaves rows without a label out |
///
/// # Shapes and cost
///
/// `n x d` becomes `n x (m + 2) d`. Dense: O(n m d); sparse rows stay sparse, with twice the entries. With `agreement`
/// also the singular value decomposition of the `n_u` rows without a label, O(n_u d min(n_u, d)), and rows become
/// dense.
///
/// # Several sources
///
/// [`TransferModel::predict_source`] does not say which source its rows are from. With several sources they are mapped
/// to the mean of their images, each source with its share of the labelled rows: a linear learner then answers with
/// that mean of the sources' decision values. [`DomainMap::map_source_at`] maps rows of a source that is known.
///
/// [`TransferModel::predict_source`]: translearn_core::TransferModel::predict_source
///
/// # Errors
///
/// [`TransferError::Unsupported`] without target labels, and for a learner whose penalty is lost beside features of
/// extreme size, since the blocks are linearly dependent; [`TransferError::DenseTooLarge`] for sparse rows with
/// `agreement`.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::Feda;
/// use translearn_core::FitTransfer;
/// use translearn_learners::Logistic;
///
/// // The first feature means the same to both domains, the second the opposite.
/// let source = DatasetBase::new(array![[1.0, 1.0], [-1.0, -1.0], [0.0, 2.0], [0.0, -2.0]], array![1, 0, 1, 0]);
/// let target = DatasetBase::new(array![[1.0, -1.0], [-1.0, 1.0], [0.0, -2.0], [0.0, 2.0]], array![1, 0, 1, 0]);
/// let model = Feda::params().learner(Logistic::params()).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(&array![[0.0, 1.0], [0.0, -1.0], [3.0, 1.0]])?, array![0, 1, 1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Daumé III, *Frustratingly Easy Domain Adaptation*, ACL 2007, arXiv:0907.1815; `agreement` from Daumé III, Kumar,
/// Saha, *Frustratingly Easy Semi-Supervised Domain Adaptation*, DANLP 2010, and Kumar, Saha, Daumé III,
/// *Co-regularization Based Semi-supervised Domain Adaptation*, NIPS 2010.
///
/// *Where we differ.* The paper of 2010 gives the learner the rows `(0, u, -u)`: for values once with label 0, which
/// for squared losses is the formula above, and for classes once with each label. The second has the learner's loss
/// where the formula has squares, and both need a learner with weights and without an intercept. It has one source;
/// here each is tied to the target.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FedaParams {
    agreement: f64,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for FedaParams {
    fn default() -> Self {
        Self {
            agreement: 0.0,
            learner: logistic(),
        }
    }
}

setters!(FedaParams {
    /// Sets the weight of the differences between the domains' parts about target rows without a label.
    agreement: f64,
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl FitAlign for FedaParams {
    fn fit_align(&self, problem: &TransferProblem, _seed: u64) -> Result<Alignment, TransferError> {
        let labelled = problem
            .sources()
            .iter()
            .map(|(_, task)| task.rows.len() as f64);
        let of_target = 0.0;
        let counts: Array1<f64> = labelled.chain([of_target]).collect();
        Ok(Feda {
            shares: &counts / counts.sum().max(1.0),
            width: problem.target_features().n_columns(),
            agreement: Agreement::of(&problem.target_unlabelled(), self.agreement)?,
        }
        .into())
    }
}

transfer_method!(FedaParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed).map_err(|error| match error {
        // The blocks depend on each other: only its penalty gives a linear learner a single optimum.
        TransferError::Linalg(error) => TransferError::Unsupported {
            method: "feda".to_owned(),
            needs: "a penalty that counts beside the size of the features".to_owned(),
            has: format!("features for which it does not: {error}"),
        },
        other => other,
    })
});

impl<TT: CarriesLabels> AcceptsTarget<TT> for FedaParams {}

static INFO: MethodInfo = MethodInfo {
    name: "feda",
    title: "Feature augmentation (FEDA, EA++)",
    family: Family::Feature,
    what: What::Features,
    needs: Needs {
        target_labels: true,
        sparse: true,
        ..map_needs(Outputs::Both)
    },
    parameters: &[ParamInfo {
        name: "agreement",
        default: "0.0",
        range: ParamRange::Real {
            low: 0.0,
            high: f64::INFINITY,
        },
        doc: "Weight of the differences between the domains' parts about target rows without a label.",
    }],
    exemptions: &[],
    reference: "Daumé III. Frustratingly Easy Domain Adaptation. ACL 2007. arXiv:0907.1815",
};

/// The blocks of features: the first for all domains, then one for each source, the last for the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feda {
    /// The share of each source in the labelled rows, and 0 for the target.
    shares: Array1<f64>,
    width: usize,
    agreement: Option<Agreement>,
}

impl Feda {
    /// Default parameters.
    pub fn params() -> FedaParams {
        FedaParams::default()
    }

    fn n_sources(&self) -> usize {
        self.shares.len() - 1
    }

    /// Rows of one domain.
    fn rows_of(&self, domain: usize, rows: &Features) -> Result<Features, TransferError> {
        let of = |at| if at == domain { 1.0 } else { 0.0 };
        self.blocks(rows, &Array1::from_shape_fn(self.shares.len(), of))
    }

    /// The rows in the block for all domains, and in the others by their share in each domain.
    fn blocks(&self, rows: &Features, shares: &Array1<f64>) -> Result<Features, TransferError> {
        check_prediction_rows(rows, self.width)?;
        let own: Vec<Cow<'_, Features>> = shares.iter().map(|&share| scaled(rows, share)).collect();
        let Some(agreement) = &self.agreement else {
            let all: Vec<&Features> = [rows]
                .into_iter()
                .chain(own.iter().map(|own| &**own))
                .collect();
            return Features::beside(&all);
        };
        let mut all = vec![Features::from(rows.dense()?.into_owned())];
        for (own, correction) in own.iter().zip(agreement.correction(rows, shares)?) {
            all.push((&*own.dense()? + &correction).into());
        }
        Features::beside(&all.iter().collect::<Vec<_>>())
    }
}

fn scaled(rows: &Features, factor: f64) -> Cow<'_, Features> {
    if factor == 1.0 {
        return Cow::Borrowed(rows);
    }
    let shape = (rows.n_rows(), rows.n_columns());
    Cow::Owned(match rows {
        Features::Dense(x) => (x * factor).into(),
        Features::Sparse(_) if factor == 0.0 => Csr::zero(shape).into(),
        Features::Sparse(x) => x.map(|value| value * factor).into(),
        Features::Images(_) => images_were_refused(),
    })
}

#[typetag::serde(name = "feda")]
impl DomainMap for Feda {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        self.blocks(source, &self.shares)
    }

    fn map_source_at(&self, index: usize, source: &Features) -> Result<Features, TransferError> {
        check_source(index, self.n_sources())?;
        self.rows_of(index, source)
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        self.rows_of(self.n_sources(), target)
    }
}
