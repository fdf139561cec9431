//! Label shift, by what a learner says of rows.

use ndarray::{Array1, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{
    BaseLearner, Features, Labels, Sample, TransferError, linalg::lstsq, metrics::confusion_matrix,
    setters,
};
use translearn_learners::Logistic;

use super::held_out::Halves;
use super::marginals::chi_squared;
use super::relabel::{Pair, Sizes};
use super::{N_PERMUTATIONS, TestResult};

/// Whether the shares of the classes differ in a target without labels, and what they are.
///
/// *When.* P(Y) may differ and P(X | Y) does not, as where a disease becomes rarer. It tests whether a learner's answers are
/// spread over the classes otherwise than in the source, which anything may cause; whether other shares of the classes
/// are all there is, is told by `prior-shift-p-value` in the trace of translearn-classical's `bbse`, `rlls` and `mlls`.
///
/// # Formula
///
/// $$\hat q = \arg\min_w \lVert C w - \mu \rVert_2, \qquad C_{ij} = P_S(\hat y = i \mid y = j), \qquad
///   \mu_i = P_T(\hat y = i)$$
///
/// the shortest such `w`, what is below 0 taken for 0, scaled to the sum 1. The statistic is `χ²` of the answers for source
/// rows against those for target rows; the effect is the total variation of the shares, `½ Σ |q̂_c − p_c|`.
///
/// # Steps
///
/// 1. A learner is fitted on half of the source, drawn by the seed.
/// 2. Its answers for the other half and for the target are relabelled: where no row's distribution differs, neither does
///    that of the answers of a learner that has seen none of them.
/// 3. The other half gives `C`.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | logistic regression | a classifier | whose answers are compared |
/// | `n_permutations` | 1000 | integer ≥ 1 | relabellings `B` |
///
/// # Shapes and cost
///
/// One fit, O(N B) for N rows and O(k³) for k classes.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::LengthMismatch`], [`TransferError::NotFinite`],
/// [`TransferError::NotVectors`], [`TransferError::TooFewRows`] below four source or two target rows,
/// [`TransferError::Unsupported`] for labels of values, for class codes of a million and more, as shares go by code, and where
/// no answer for a target row occurs among those for the other half, so that nothing is known of the target's shares;
/// [`TransferError::InvalidParameter`], and those of the learner, such as a single class.
///
/// # Example
///
/// ```
/// use ndarray::Array2;
/// use translearn_core::{Features, Labels, seed};
/// use translearn_diagnostics::shift::LabelShift;
///
/// let mut rng = seed::rng(1);
/// // Class 1 at 4, class 0 at 0; a half of the source and four fifths of the target are of class 1.
/// let mut sample = |n: usize, share: f64| {
///     let labels: Vec<usize> = (0..n).map(|row| usize::from((row as f64) < share * n as f64)).collect();
///     let rows = Array2::from_shape_fn((n, 1), |(row, _)| 4.0 * labels[row] as f64 + rng.normal());
///     (Features::from(rows), Labels::Classes(labels.into()))
/// };
/// let (source, labels) = sample(200, 0.5);
/// let (target, _) = sample(100, 0.8);
/// let found = LabelShift::default().test(&source, &labels, &target, 0)?;
/// assert!((found.target_shares[1] - 0.8).abs() < 0.05 && found.test.p_value < 0.002);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Lipton, Wang, Smola, *Detecting and correcting for label shift with black box predictors*, ICML 2018; compared with other
/// tests in Rabanser, Günnemann, Lipton, *Failing loudly*, NeurIPS 2019.
///
/// *Where we differ.* The papers solve `C w = μ` and test by the asymptotic `χ²`; least squares also answers where the learner
/// confuses classes entirely, and relabelling holds for any number of rows.
#[derive(Debug, Clone)]
pub struct LabelShift {
    learner: BaseLearner,
    n_permutations: usize,
}

impl Default for LabelShift {
    fn default() -> Self {
        Self {
            learner: Logistic::params().into(),
            n_permutations: N_PERMUTATIONS,
        }
    }
}

setters!(LabelShift {
    /// Sets whose answers are compared.
    learner: impl Into<BaseLearner>,
    /// Sets the number of relabellings.
    n_permutations: usize,
});

/// What was found about the shares of the classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelShiftResult {
    /// Whether a learner's answers shift.
    pub test: TestResult,
    /// The share of each class in the source, by its code.
    pub source_shares: Vec<f64>,
    /// The share of each class in the target, as estimated.
    pub target_shares: Vec<f64>,
}

impl LabelShift {
    /// Tests whether the shares of the classes differ; the seed draws the halves and the relabellings, and is the learner's.
    ///
    /// # Errors
    /// See the type.
    pub fn test(
        &self,
        source: &Features,
        labels: &Labels,
        target: &Features,
        seed: u64,
    ) -> Result<LabelShiftResult, TransferError> {
        super::check_permutations(self.n_permutations)?;
        let (source, labels) = super::in_order("the source", source, labels)?;
        let pair = Pair::new(&source, target)?;
        let owner = "the test of label shift";
        let (labels, codes) = super::without_gaps(labels.classes(owner)?);
        let n_classes = codes.len();
        if let Some(code) = codes.iter().find(|&&code| code >= MOST_CODES) {
            return Err(TransferError::Unsupported {
                method: owner.to_owned(),
                needs: format!("class codes below {MOST_CODES}, as shares go by code"),
                has: format!("a source row of class {code}"),
            });
        }
        let halves = Halves::new(&pair.source, "the source", seed)?;
        let (taught, held_out) = (
            labels.select(&halves.train_rows),
            labels.select(&halves.held_out_rows),
        );
        let sample = Sample::new(&halves.train, &taught, n_classes)?;
        let model = self.learner.fit_boxed(&sample, seed)?;
        let answers = |rows: &Features| -> Result<Array1<usize>, TransferError> {
            Ok(model.predict(rows)?.labels.classes(owner)?.clone())
        };
        let (of_source, of_target) = (answers(&halves.held_out)?, answers(&pair.target)?);
        let values = |answers: &Array1<usize>| answers.mapv(|class| class as f64);
        let (source_values, target_values) = (values(&of_source), values(&of_target));
        let sizes = Sizes {
            source: of_source.len(),
            target: of_target.len(),
        };
        let (statistic, p_value) = chi_squared(
            (source_values.view(), target_values.view()),
            sizes,
            self.n_permutations,
            seed,
        );
        let confusion = confusion_matrix(
            held_out.classes(owner)?.view(),
            of_source.view(),
            n_classes,
            None,
        )
        .map_err(|error| TransferError::Unsupported {
            method: owner.to_owned(),
            needs: "a learner that answers with the source's classes".to_owned(),
            has: error.to_string(),
        })?;
        let source_shares = shares(labels.classes(owner)?, n_classes);
        let target_shares = {
            let mu = shares(&of_target, n_classes);
            let met = confusion.sum_axis(Axis(0)).dot(&mu);
            // A row for each true class; a class that was not held out has no answers.
            let counts = confusion.sum_axis(Axis(1)).mapv(|n| n.max(1.0));
            let given = confusion / &counts.insert_axis(Axis(1));
            let mu = mu.insert_axis(Axis(1));
            let solved = lstsq(&given.t(), &mu)?.column(0).mapv(|w| w.max(0.0));
            // `C` and `μ` have no entry below 0, so that some class is above 0 unless no answer for a target row is one for a
            // held-out source row: then the shortest `w` is 0.
            let sum = solved.sum();
            if !(met > 0.0 && sum > 0.0) {
                return Err(TransferError::Unsupported {
                    method: owner.to_owned(),
                    needs: "held-out source rows with an answer that some target row gets too"
                        .to_owned(),
                    has: "none; give more source rows of each class".to_owned(),
                });
            }
            &solved / sum
        };
        let apart = (&source_shares - &target_shares).mapv(f64::abs).sum() / 2.0;
        Ok(LabelShiftResult {
            test: TestResult {
                test: format!("label shift, {}", self.learner.info().name),
                statistic,
                p_value,
                effect: apart,
                n_source: source.n_rows(),
                n_target: sizes.target,
            },
            source_shares: by_code(&source_shares, &codes),
            target_shares: by_code(&target_shares, &codes),
        })
    }
}

/// Class codes end below this: shares go by code.
const MOST_CODES: usize = 1_000_000;

/// Shares of the classes with these codes, in ascending order, as shares of all codes up to the last.
fn by_code(shares: &Array1<f64>, codes: &[usize]) -> Vec<f64> {
    let mut all = vec![0.0; codes.last().map_or(0, |&last| last + 1)];
    for (&code, &share) in codes.iter().zip(shares) {
        all[code] = share;
    }
    all
}

fn shares(classes: &Array1<usize>, n_classes: usize) -> Array1<f64> {
    let mut shares = Array1::zeros(n_classes);
    for &class in classes {
        shares[class] += 1.0 / classes.len() as f64;
    }
    shares
}
