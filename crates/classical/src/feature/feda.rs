//! Feature augmentation.

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, CarriesLabels, Csr, DomainMap, Family, Features,
    FitAlign, MethodInfo, Needs, Outputs, TransferError, TransferProblem, What,
    check_prediction_rows, fit_aligned, setters, transfer_method,
};

use super::{
    logistic, map_needs,
    sources::{check_only_source, check_source},
};

/// Parameters of feature augmentation (FEDA, EasyAdapt): every feature three times, once for all domains, once for the
/// source alone, once for the target alone; then any learner on all labelled rows decides what is shared.
///
/// *Setting.* Labels in the source and for some target rows; any number of sources. *When.* The domains agree about most
/// features and disagree about some, and there are enough target labels to tell which.
///
/// # Formula
///
/// With `m` sources, a row of `d` features becomes one of `(m + 2) d`: a block for all, one for each source, one for the
/// target,
///
/// $$x_{S_i} \mapsto (x, 0, \dots, x, \dots, 0, 0), \qquad x_T \mapsto (x, 0, \dots, 0, x)$$
///
/// so that for a linear learner the weights of a domain are `w + v_S` and `w + v_T`, each part with its own penalty: what
/// the domains agree on is cheapest in `w`. The inner products are
///
/// $$\breve K(x, z) = \bigl(1 + [x \text{ and } z \text{ of one domain}]\bigr)\, \langle x, z \rangle$$
///
/// so a learner that sees inner products alone, such as a kernel machine with a linear kernel, works with twice the
/// kernel within a domain. Over the augmented rows other kernels are other functions of these.
///
/// # Parameters
///
/// None: what is shared is left to the learner.
///
/// # Shapes and cost
///
/// `n x d` becomes `n x (m + 2) d`. Dense: O(n m d); sparse rows stay sparse, with twice the entries.
///
/// # Errors
///
/// [`TransferError::Unsupported`] without target labels; for a learner whose penalty is lost beside features of extreme size,
/// since the blocks are linearly dependent; and for [`TransferModel::predict_source`] with several sources, of which the
/// rows could be any: [`DomainMap::map_source_at`] says which.
///
/// [`TransferModel::predict_source`]: translearn_core::TransferModel::predict_source
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
/// Daumé III, *Frustratingly Easy Domain Adaptation*, ACL 2007, arXiv:0907.1815.
///
/// *Where we differ.* Target rows without a label are left out; the co-regularisation of Daumé, Kumar and Saha (2010) takes
/// them in with a loss of its own, which an arbitrary learner does not have. Cross-validation on the source takes
/// several sources for one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FedaParams {
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for FedaParams {
    fn default() -> Self {
        Self {
            learner: logistic(),
        }
    }
}

setters!(FedaParams {
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl FitAlign for FedaParams {
    fn fit_align(&self, problem: &TransferProblem, _seed: u64) -> Result<Alignment, TransferError> {
        Ok(Feda {
            n_sources: problem.sources().len(),
            width: problem.target_features().n_columns(),
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
    title: "Feature augmentation (FEDA)",
    family: Family::Feature,
    what: What::Features,
    needs: Needs {
        target_labels: true,
        sparse: true,
        ..map_needs(Outputs::Both)
    },
    parameters: &[],
    exemptions: &[],
    reference: "Daumé III. Frustratingly Easy Domain Adaptation. ACL 2007. arXiv:0907.1815",
};

/// The blocks of features: the first for all domains, then one for each source, the last for the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feda {
    n_sources: usize,
    width: usize,
}

impl Feda {
    /// Default parameters.
    pub fn params() -> FedaParams {
        FedaParams::default()
    }

    /// The rows in the block for all domains and in their own, zeros in the others.
    fn blocks(&self, rows: &Features, own: usize) -> Result<Features, TransferError> {
        check_prediction_rows(rows, self.width)?;
        let shape = (rows.n_rows(), self.width);
        let zeros: Features = match rows.is_sparse() {
            true => Csr::zero(shape).into(),
            false => Array2::zeros(shape).into(),
        };
        let block = |block: usize| {
            if block == 0 || block == own {
                rows
            } else {
                &zeros
            }
        };
        let blocks: Vec<&Features> = (0..self.n_sources + 2).map(block).collect();
        Features::beside(&blocks)
    }
}

#[typetag::serde(name = "feda")]
impl DomainMap for Feda {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        check_only_source(INFO.name, self.n_sources)?;
        self.map_source_at(0, source)
    }

    fn map_source_at(&self, index: usize, source: &Features) -> Result<Features, TransferError> {
        check_source(index, self.n_sources)?;
        self.blocks(source, 1 + index)
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        self.blocks(target, 1 + self.n_sources)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Axis, concatenate, s};
    use proptest::prelude::*;
    use translearn_core::{
        Domain, LabelSpace, Labels, Task, TransferMethod,
        linalg::{matmul, solve},
        seed,
    };
    use translearn_learners::Ridge;

    use super::*;

    fn sample(n: usize, d: usize, rng: &mut seed::Rng) -> Array2<f64> {
        Array2::from_shape_simple_fn((n, d), || rng.normal())
    }

    /// The rows of all domains on top of each other, and the domain of each.
    fn stacked(parts: &[Array2<f64>]) -> (Array2<f64>, Vec<usize>) {
        let views: Vec<_> = parts.iter().map(Array2::view).collect();
        let domains = parts.iter().enumerate();
        let domains = domains.flat_map(|(domain, part)| vec![domain; part.nrows()]);
        (concatenate(Axis(0), &views).unwrap(), domains.collect())
    }

    /// `(1 + [same domain]) x·z`, entry by entry.
    fn kernel(x: &Array2<f64>, of_x: &[usize], z: &Array2<f64>, of_z: &[usize]) -> Array2<f64> {
        Array2::from_shape_fn((x.nrows(), z.nrows()), |(i, j)| {
            let same = f64::from(u8::from(of_x[i] == of_z[j]));
            (1.0 + same) * x.row(i).dot(&z.row(j))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn inner_products_are_doubled_within_a_domain(
            n_sources in 1usize..4, n in 1usize..6, d in 1usize..4, sparse: bool, seed in 0u64..500,
        ) {
            let mut rng = seed::rng(seed);
            let parts: Vec<Array2<f64>> = (0..=n_sources).map(|_| sample(n, d, &mut rng)).collect();
            let map = Feda { n_sources, width: d };
            let mapped: Vec<Array2<f64>> = parts.iter().enumerate().map(|(domain, part)| {
                let mut rows = Features::from(part.clone());
                if sparse {
                    rows = Features::Sparse(rows.to_sparse().unwrap().into_owned());
                }
                let mapped = match domain {
                    target if target == n_sources => map.map_target(&rows),
                    source => map.map_source_at(source, &rows),
                }.unwrap();
                assert_eq!(mapped.is_sparse(), sparse);
                assert_eq!(mapped.n_columns(), (n_sources + 2) * d);
                mapped.dense().unwrap().into_owned()
            }).collect();
            let (x, domains) = stacked(&parts);
            let (mapped, _) = stacked(&mapped);
            let difference = mapped.dot(&mapped.t()) - kernel(&x, &domains, &x, &domains);
            prop_assert!(difference.iter().all(|v| v.abs() < 1e-12));
        }

        /// The whole method with ridge regression is kernel ridge regression under that kernel: the dual problem with its
        /// intercept, solved as one linear system. Two sources are told apart.
        #[test]
        fn with_ridge_regression_it_is_the_kernel_machine(d in 1usize..4, seed in 0u64..500) {
            let mut rng = seed::rng(seed);
            let parts: Vec<Array2<f64>> = [7, 5, 6].map(|n| sample(n, d, &mut rng)).into();
            let (x, domains) = stacked(&parts);
            let y = Array1::from_shape_simple_fn(18, || rng.normal());
            let domain = |index: usize| Domain {
                name: format!("domain {index}"),
                features: parts[index].clone().into(),
            };
            let task = |rows: std::ops::Range<usize>| {
                Task::labelled(LabelSpace::Real, Labels::Values(y.slice(s![rows]).to_owned()))
            };
            let problem = TransferProblem::from_parts(
                vec![(domain(0), task(0..7)), (domain(1), task(7..12))],
                (domain(2), task(12..18)),
            ).unwrap();
            let lambda = 0.7;
            let learner = Ridge::params().lambda(lambda);
            let fitted = Feda::params().learner(learner).fit(&problem, 0).unwrap();
            let new = sample(4, d, &mut rng);
            let predicted = fitted.model.predict(&new.clone().into()).unwrap().labels;

            let mut system = Array2::zeros((19, 19));
            let k = kernel(&x, &domains, &x, &domains) + Array2::<f64>::eye(18) * lambda;
            system.slice_mut(s![..18, ..18]).assign(&k);
            system.slice_mut(s![18, ..18]).fill(1.0);
            system.slice_mut(s![..18, 18]).fill(1.0);
            let mut right = Array2::zeros((19, 1));
            right.slice_mut(s![..18, 0]).assign(&y);
            let dual = solve(&system, &right).unwrap();
            let expected = matmul(&kernel(&new, &[2; 4], &x, &domains), &dual.slice(s![..18, ..])).unwrap()
                + dual[[18, 0]];
            let difference = predicted.values("the test").unwrap() - &expected.column(0);
            prop_assert!(difference.iter().all(|v| v.abs() < 1e-8), "{difference}");

            let unknown = fitted.model.predict_source(&new.into()).unwrap_err();
            prop_assert!(unknown.to_string().contains("2 sources"), "{unknown}");
        }
    }

    #[test]
    fn a_source_that_was_not_fitted_is_refused() {
        let map = Feda {
            n_sources: 2,
            width: 1,
        };
        let error = map
            .map_source_at(2, &Array2::zeros((1, 1)).into())
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`index` = 2 is outside the 2 sources of the fit, from 0"
        );
    }
}
