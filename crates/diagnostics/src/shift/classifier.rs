//! The classifier two-sample test.

use translearn_core::{BaseLearner, Features, Scores, TransferError, setters};
use translearn_learners::Logistic;

use super::held_out::HeldOut;
use super::relabel::{Pair, area_test};
use super::{N_PERMUTATIONS, TestResult};

/// The classifier two-sample test: a learner is taught to tell the domains apart on one half of the rows, and the test is
/// whether it can on the other half.
///
/// *When.* Many columns, where kernels and distances drown in noise; and where the question is whether a given kind of model
/// sees a difference. It needs more rows than the others, as half of them only teach.
///
/// # Formula
///
/// $$\mathrm{AUC} = \frac{1}{m' n'} \sum_{ij} \bigl[f(t_j) > f(s_i)\bigr] + \tfrac12 \bigl[f(t_j) = f(s_i)\bigr]$$
///
/// over the `m'` source and `n'` target rows that were held out, with the learner's score `f` for the target. The effect is
/// `2 AUC − 1`, 0 where it is below.
///
/// # Steps
///
/// 1. Half of each domain, drawn by the seed, fits the learner; dense columns are standardised by that half.
/// 2. The scores of the other half are relabelled; the learner is fitted once.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | logistic regression | a classifier | what tells the domains apart |
/// | `n_permutations` | 1000 | integer ≥ 1 | relabellings `B` |
///
/// # Shapes and cost
///
/// One fit, and O(N B) for N rows.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::TooFewRows`] below four rows a domain, [`TransferError::InvalidParameter`], and those of the learner.
///
/// # Example
///
/// ```
/// use ndarray::Array2;
/// use translearn_core::{Features, seed};
/// use translearn_diagnostics::shift::ClassifierTest;
///
/// let mut rng = seed::rng(1);
/// let mut sample = |shift: f64| Features::from(Array2::from_shape_simple_fn((80, 3), || shift + rng.normal()));
/// let (source, target) = (sample(0.0), sample(1.5));
/// let found = ClassifierTest::default().test(&source, &target, 0)?;
/// assert!(found.statistic > 0.95 && found.p_value < 0.002);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Lopez-Paz, Oquab, *Revisiting classifier two-sample tests*, ICLR 2017.
///
/// *Where we differ.* The paper tests the accuracy against a normal distribution, and balanced samples; the area under the
/// curve needs no threshold, and relabelling the scores no normal distribution.
#[derive(Debug, Clone)]
pub struct ClassifierTest {
    learner: BaseLearner,
    n_permutations: usize,
}

impl Default for ClassifierTest {
    fn default() -> Self {
        Self {
            learner: Logistic::params().into(),
            n_permutations: N_PERMUTATIONS,
        }
    }
}

setters!(ClassifierTest {
    /// Sets what tells the domains apart.
    learner: impl Into<BaseLearner>,
    /// Sets the number of relabellings.
    n_permutations: usize,
});

impl ClassifierTest {
    /// Tests whether the learner can tell two samples apart; the seed draws the halves and the relabellings, and is the
    /// learner's.
    ///
    /// # Errors
    /// See the type.
    pub fn test(
        &self,
        source: &Features,
        target: &Features,
        seed: u64,
    ) -> Result<TestResult, TransferError> {
        super::check_permutations(self.n_permutations)?;
        let learner = self.learner.info();
        let pair = Pair::new(source, target)?;
        let HeldOut {
            sizes, prediction, ..
        } = HeldOut::new(&self.learner, &pair, seed)?;
        let scores = match &prediction.scores {
            Some(Scores::Probabilities(scores) | Scores::Decision(scores)) => {
                &scores.column(1) - &scores.column(0)
            }
            None => (prediction.labels)
                .classes("the learner")?
                .mapv(|class| class as f64),
        };
        let (statistic, p_value) = area_test(&scores.to_vec(), sizes, self.n_permutations, seed);
        Ok(TestResult {
            test: format!("classifier two-sample test, {}", learner.name),
            statistic,
            p_value,
            effect: (2.0 * statistic - 1.0).max(0.0),
            n_source: pair.source.n_rows(),
            n_target: pair.target.n_rows(),
        })
    }
}
