//! The classifier two-sample test.

use ndarray::{Array2, Axis};
use translearn_core::{BaseLearner, Features, Labels, Sample, Scores, TransferError, setters};
use translearn_learners::Logistic;

use super::relabel::{Pair, Sizes, p_value};
use super::{N_PERMUTATIONS, TestResult};
use crate::transferability::middle_ranks;

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
        let (of_source, of_target) = (
            Halves::new(&pair.source, "the source", seed)?,
            Halves::new(&pair.target, "the target", seed)?,
        );
        let sizes = Sizes {
            source: of_source.held_out.n_rows(),
            target: of_target.held_out.n_rows(),
        };
        let mut train = of_source.train.stack(&of_target.train)?;
        let mut held_out = of_source.held_out.stack(&of_target.held_out)?;
        standardise(&mut train, &mut held_out);
        let domains = (0..train.n_rows()).map(|row| usize::from(row >= of_source.train.n_rows()));
        let domains = Labels::Classes(domains.collect());
        let model = (self.learner).fit_boxed(&Sample::new(&train, &domains, 2)?, seed)?;
        let prediction = model.predict(&held_out)?;
        let scores = match &prediction.scores {
            Some(Scores::Probabilities(scores) | Scores::Decision(scores)) => {
                &scores.column(1) - &scores.column(0)
            }
            None => (prediction.labels)
                .classes("the learner")?
                .mapv(|class| class as f64),
        };
        let ranks = middle_ranks(&scores.to_vec());
        let auc = |source: &mut dyn Iterator<Item = usize>| {
            let (m, n) = (sizes.source as f64, sizes.target as f64);
            // Of the sum of all ranks, what the source leaves to the target.
            let total = (m + n) * (m + n + 1.0) / 2.0;
            let of_target = total - source.map(|row| ranks[row]).sum::<f64>();
            (of_target - n * (n + 1.0) / 2.0) / (m * n)
        };
        let statistic = auc(&mut (0..sizes.source));
        let relabelled: Vec<f64> = (0..self.n_permutations)
            .map(|number| auc(&mut sizes.relabelled(seed, number).into_iter()))
            .collect();
        Ok(TestResult {
            test: format!("classifier two-sample test, {}", learner.name),
            statistic,
            p_value: p_value(statistic, &relabelled, 1.0),
            effect: (2.0 * statistic - 1.0).max(0.0),
            n_source: pair.source.n_rows(),
            n_target: pair.target.n_rows(),
        })
    }
}

/// The rows of a domain that teach, and those that test.
struct Halves {
    train: Features,
    held_out: Features,
}

impl Halves {
    fn new(sample: &Features, name: &str, seed: u64) -> Result<Self, TransferError> {
        let n = sample.n_rows();
        if n < 4 {
            return Err(TransferError::TooFewRows {
                what: format!("{name}, of which one half teaches and one half tests,"),
                rows: n,
                needed: 4,
            });
        }
        let mut rng = translearn_core::seed::rng(translearn_core::seed::derive(seed, &[name]));
        let order = rng.permutation(n);
        let (train, held_out) = order.split_at(n / 2);
        Ok(Self {
            train: sample.select_rows(train),
            held_out: sample.select_rows(held_out),
        })
    }
}

/// Means and deviations of the training rows taken from both; a column that is constant there is left as it is.
pub(crate) fn standardise(train: &mut Features, held_out: &mut Features) {
    let (Features::Dense(train), Features::Dense(held_out)) = (train, held_out) else {
        return;
    };
    let deviations = (train.std_axis(Axis(0), 0.0)).mapv(|v| if v > 0.0 { v } else { 1.0 });
    let means = train.sum_axis(Axis(0)) / train.nrows() as f64;
    let scaled = |x: &Array2<f64>| (x - &means) / &deviations;
    (*train, *held_out) = (scaled(train), scaled(held_out));
}
