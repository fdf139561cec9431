//! Easy transfer learning.

mod assignment;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Family, Features, Fitted, LearnerNeed, MethodInfo, Needs, Outputs, ParamInfo,
    ParamRange, Prediction, Trace, TransferError, TransferModel, TransferProblem, What,
    check_prediction_rows, distance::squared_distances, linalg::matmul, setters, transfer_method,
};
use translearn_learners::PresentClasses;

use super::{Coral, map_needs};
use assignment::{Assignment, assign};

/// Parameters of easy transfer learning (EasyTL): gives each target row to the class whose mean in the source is
/// nearest, all target rows at once and under the condition that no class stays empty; no parameter needs to be tuned.
///
/// *Setting.* Classes in the source; none needed in the target (labelled target rows join the class means). *When.* A
/// quick answer is wanted without choosing anything, every class of the source occurs in the target, and rows of a
/// class lie round its mean.
///
/// # Formula
///
/// With the means `h_c` of the `C` classes that occur, `D_jc = ‖x_j - h_c‖` for the `n_t` target rows,
///
/// $$\min_{M \ge 0} \sum_{j,c} D_{jc} M_{jc} \quad\text{with}\quad \sum_c M_{jc} = 1,\quad \sum_j M_{jc} \ge 1$$
///
/// which is a problem of transport and has a solution of zeros and ones. Its dual has a price `p_c ≥ 0` per class, and
/// row `j` is in the class of least `D_jc - p_c`: that is the rule for new rows, and for those of the fit it gives the
/// solution back. A class has a price only where it would be empty without. Of the optimal prices, which are an
/// interval, the model takes the middle, halfway between the row that is bought and the next; where several classes
/// pay, the mean of the extreme solutions.
///
/// `align = "coral"` maps the source by [`Coral`] with `lambda = 1` first.
///
/// # Steps
///
/// 1. Align, take the class means, give each row to its nearest.
/// 2. For each empty class, find the cheapest chain of moves (a row to the empty class, a row to where that came from, …)
///    that begins in a class of two rows or more, and make it. The assignment stays optimal throughout.
/// 3. Read the prices from the cheapest chains between the classes.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `align` | `coral` | `coral`, `none` | what is done to the source first |
///
/// # Shapes and cost
///
/// Source `n_s x d`, target `n_t x d`. O((n_s + n_t C) d + C³) and O(n_t C + C³) for each class that would be empty;
/// with `coral` O((n_s + n_t) d² + d³) beside.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::TooFewRows`] for a target of fewer rows than classes, and, with
/// `coral`, for a domain of one row; [`TransferError::Unsupported`] for real-valued labels.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::{EasyTl, EasyTlAlign};
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[0.0], [1.0], [8.0], [9.0]], array![0, 0, 1, 1]);
/// // All are nearer to the mean of class 0 (0.5) than to that of class 1 (8.5): the last is given to class 1 all the same.
/// let target = DatasetBase::from(array![[-1.0], [0.0], [1.5], [3.5]]);
/// let model = EasyTl::params().align(EasyTlAlign::None).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(target.records())?, array![0, 0, 0, 1]);
/// // Class 1 pays 2 for the row at 3.5 and would have to pay 6 for that at 1.5: at 4 the boundary lies at 2.5.
/// assert_eq!(model.predict(&array![[2.4], [2.6]])?, array![0, 1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Wang, Chen, Yu, Huang, Yang, *Easy Transfer Learning By Exploiting Intra-domain Structures*, ICME 2019,
/// arXiv:1904.01376. Paper and code label the rows of the fit only; the prices for new rows are ours. The code
/// hands the programme to a general solver.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EasyTlParams {
    align: EasyTlAlign,
}

/// What EasyTL does to the source before it takes class means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EasyTlAlign {
    /// [`Coral`] with `lambda = 1`.
    #[default]
    Coral,
    /// Nothing.
    None,
}

setters!(EasyTlParams {
    /// Sets what is done to the source first.
    align: EasyTlAlign,
});

impl EasyTlParams {
    fn fit_model(&self, problem: &TransferProblem) -> Result<EasyTl, TransferError> {
        let source = problem.source()?;
        let target = problem.target_features().dense()?;
        let mut rows = source.features.dense()?;
        let recolouring = match self.align {
            EasyTlAlign::None => None,
            EasyTlAlign::Coral => Some(Coral::params().lambda(1.0).recolouring(&rows, &target)?),
        };
        if let Some(a) = &recolouring {
            rows = std::borrow::Cow::Owned(matmul(&*rows, a)?);
        }
        let mut rows = Features::Dense(rows.into_owned());
        let mut labels = source.labels.into_owned();
        if let Some(known) = problem.target_labelled() {
            rows = rows.stack(&known.features)?;
            labels = labels.join(&known.labels)?;
        }
        let codes = labels.classes(INFO.name)?;
        let (present, positions) = PresentClasses::of(codes.iter().copied(), problem.n_classes());
        if target.nrows() < present.len() {
            return Err(TransferError::TooFewRows {
                what: "the target, which must have a row for every class,".to_owned(),
                rows: target.nrows(),
                needed: present.len(),
            });
        }
        let means = Features::Dense(class_means(&*rows.dense()?, &positions, present.len()));
        let costs = distances(problem.target_features(), &means)?;
        let Assignment { prices, .. } = assign(&costs);
        Ok(EasyTl {
            recolouring,
            present,
            means,
            prices,
        })
    }
}

fn class_means(rows: &Array2<f64>, classes: &[usize], n_classes: usize) -> Array2<f64> {
    let mut means = Array2::zeros((n_classes, rows.ncols()));
    let mut counts = vec![0.0; n_classes];
    for (row, &class) in rows.outer_iter().zip(classes) {
        means.row_mut(class).scaled_add(1.0, &row);
        counts[class] += 1.0;
    }
    means
        .outer_iter_mut()
        .zip(counts)
        .for_each(|(mut mean, count)| mean /= count);
    means
}

fn distances(rows: &Features, means: &Features) -> Result<Array2<f64>, TransferError> {
    Ok(squared_distances(rows, means)?.mapv_into(f64::sqrt))
}

transfer_method!(
    EasyTlParams,
    INFO,
    without learner,
    |method, problem, _seed| {
        Ok(Fitted {
            model: Box::new(method.fit_model(problem)?),
            trace: Trace::default(),
        })
    }
);

impl<TT> AcceptsTarget<TT> for EasyTlParams {}

static INFO: MethodInfo = MethodInfo {
    name: "easytl",
    title: "Easy transfer learning",
    family: Family::Feature,
    what: What::Features,
    needs: Needs {
        learner: LearnerNeed::None,
        ..map_needs(Outputs::Classification)
    },
    parameters: &[ParamInfo {
        name: "align",
        default: "\"coral\"",
        range: ParamRange::Choice(&["coral", "none"]),
        doc: "What is done to the source first.",
    }],
    exemptions: &[],
    reference: "Wang, Chen, Yu, Huang, Yang. Easy Transfer Learning By Exploiting Intra-domain Structures. ICME 2019. arXiv:1904.01376",
};

/// Class means with a price each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EasyTl {
    /// The matrix of CORAL for rows of the source, where it is used.
    recolouring: Option<Array2<f64>>,
    present: PresentClasses,
    means: Features,
    prices: Vec<f64>,
}

impl EasyTl {
    /// Default parameters.
    pub fn params() -> EasyTlParams {
        EasyTlParams::default()
    }

    /// What each class that occurs pays for a row, in the order of the classes; 0 where it has rows enough.
    pub fn prices(&self) -> &[f64] {
        &self.prices
    }
}

#[typetag::serde(name = "easytl")]
impl TransferModel for EasyTl {
    fn predict(&self, target: &Features) -> Result<Prediction, TransferError> {
        check_prediction_rows(target, self.means.n_columns())?;
        let mut decision = -distances(target, &self.means)?;
        for mut row in decision.outer_iter_mut() {
            row.zip_mut_with(&ndarray::aview1(&self.prices), |value, price| {
                *value += price;
            });
        }
        Ok(Prediction::from_decision(
            self.present.widen_decision(&decision),
        ))
    }

    fn predict_source(&self, source: &Features) -> Result<Prediction, TransferError> {
        match &self.recolouring {
            None => self.predict(source),
            Some(a) => self.predict(&super::times(source, a)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Axis};
    use translearn_core::{Domain, LabelSpace, Labels, Task, TransferMethod, seed};

    /// Three classes in the source; a target that lies round the mean of one.
    fn problem(n_target: usize) -> TransferProblem {
        let mut rng = seed::rng(3);
        let labels = Array1::from_shape_fn(30, |row| row % 3);
        let source = Array2::from_shape_fn((30, 2), |(row, column)| {
            let centre = [[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]][row % 3][column];
            centre + rng.normal()
        });
        let target = Array2::from_shape_simple_fn((n_target, 2), || 0.3 * rng.normal());
        let space = LabelSpace::numbered(3);
        let domain = |name: &str, x: Array2<f64>| Domain {
            name: name.into(),
            features: x.into(),
        };
        TransferProblem::from_parts(
            vec![(
                domain("source", source),
                Task::labelled(space.clone(), Labels::Classes(labels)),
            )],
            (domain("target", target), Task::unlabelled(space)),
        )
        .unwrap()
    }

    #[test]
    fn new_rows_are_treated_as_those_of_the_fit() {
        let problem = problem(20);
        for align in [EasyTlAlign::None, EasyTlAlign::Coral] {
            let model = EasyTl::params().align(align).fit_model(&problem).unwrap();
            let costs = distances(problem.target_features(), &model.means).unwrap();
            let expected = assign(&costs).classes;
            let predicted = model.predict(problem.target_features()).unwrap();
            assert_eq!(predicted.labels, Labels::Classes(expected.into()));
            // No class is empty, though all rows are nearest to the same mean.
            let codes = predicted.labels.classes("test").unwrap();
            for class in 0..3 {
                assert!(codes.iter().any(|&code| code == class), "{codes}");
            }
        }
    }

    #[test]
    fn class_means_are_means() {
        let problem = problem(20);
        let source = problem.source().unwrap();
        let rows = source.features.dense().unwrap();
        let model = EasyTl::params()
            .align(EasyTlAlign::None)
            .fit_model(&problem)
            .unwrap();
        for class in 0..3 {
            let of_class: Vec<usize> = (0..30).filter(|row| row % 3 == class).collect();
            let mean = rows.select(Axis(0), &of_class).mean_axis(Axis(0)).unwrap();
            let ours = model.means.dense().unwrap().row(class).to_owned();
            assert!((mean - ours).iter().all(|v| v.abs() < 1e-14));
        }
    }

    #[test]
    fn a_target_of_fewer_rows_than_classes_is_refused_with_both_numbers() {
        let error = EasyTl::params().fit(&problem(2), 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the target, which must have a row for every class, has 2 rows but 3 are needed"
        );
    }
}
