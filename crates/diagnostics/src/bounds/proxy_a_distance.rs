//! The proxy A-distance.

use ndarray::ArrayView1;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, FitSample, Labels, Predictor, Sample, TransferError, seed, setters,
};
use translearn_learners::{ClassWeight, LinearSvm};

use crate::interval::{Interval, check_confidence, clopper_pearson};
use crate::shift::Pair;
use crate::standardise::standardise;

/// The proxy A-distance: how well a linear support vector machine tells the domains apart on rows that neither fitted it nor
/// chose its `C`.
///
/// *When.* As the usual figure for how far apart two domains are to linear models: 0 where these cannot tell them apart, 2
/// where they always can. It has no p-value; [`ClassifierTest`](crate::shift::ClassifierTest) has.
///
/// # Formula
///
/// $$\hat d_A = 2 \, \lvert 1 - 2 \varepsilon \rvert, \qquad
///   \varepsilon = \tfrac12 \bigl( P_S[f(x) = \text{target}] + P_T[f(x) = \text{source}] \bigr)$$
///
/// so that a classifier that errs more often than not is turned round, as its opposite is linear, too. `ε` is the mean of the
/// errors on the two domains: their numbers of rows do not matter, and `½ d̂_A = |P_S[f] − P_T[f]|` is the difference of what
/// they have in one region.
///
/// # Steps
///
/// 1. Half of each domain, drawn by the seed, is put aside to report the error. Of the others, one half fits a machine for
///    each of `costs`, with the domains weighing the same, and the other half chooses: the least error, of equal ones the
///    smallest `C`.
/// 2. Both together fit the machine with that `C`, and the half that was put aside tells its error. Dense columns are
///    standardised by the rows of each fit.
/// 3. The errors on the two domains have intervals of Clopper and Pearson at `1 − (1 − confidence)/2` each; their mean is
///    in the mean of the intervals, and is carried over to the distance.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `costs` | 10⁻⁵, 10⁻⁴, …, 10⁴ | numbers above 0 | the `C` to choose from |
/// | `confidence` | 0.95 | (0, 1) | of the intervals |
///
/// # Shapes and cost
///
/// A fit of a linear support vector machine for each `C`, and one more.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::TooFewRows`] below four rows a domain, [`TransferError::InvalidParameter`], and those of
/// [`LinearSvm`].
///
/// # Example
///
/// ```
/// use ndarray::Array2;
/// use translearn_core::{Features, seed};
/// use translearn_diagnostics::bounds::ProxyADistance;
///
/// let mut rng = seed::rng(1);
/// let mut sample = |shift: f64| Features::from(Array2::from_shape_simple_fn((80, 2), || shift + rng.normal()));
/// let (source, near, far) = (sample(0.0), sample(0.0), sample(9.0));
/// assert_eq!(ProxyADistance::default().between(&source, &far, 0)?.distance, 2.0);
/// assert_eq!(ProxyADistance::default().between(&source, &near, 0)?.distance_interval.low, 0.0);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Ben-David, Blitzer, Crammer, Pereira, *Analysis of representations for domain adaptation*, NIPS 2006; the choice of `C`:
/// Ganin et al., *Domain-adversarial training of neural networks*, JMLR 17(59), 2016.
///
/// *Where we differ.* The published code takes the least error over `C` on the very rows that it reports, which is too small
/// even where nothing is to be told apart, and counts rows without regard to the domains' sizes. What is here errs the other
/// way: no classifier of the class can be better than the best, so that the lower end of the interval is a lower limit of the
/// distance that the best linear classifier would show, while the upper end speaks of this one classifier only. As `|1 − 2ε|`
/// is never below 0, the distance of equal domains is above it by about `1.6 / √rows` of noise: look at the interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyADistance {
    costs: Vec<f64>,
    confidence: f64,
}

/// What [`ProxyADistance`] found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProxyADistanceResult {
    /// The distance, from 0 to 2.
    pub distance: f64,
    /// Where the distance that this classifier shows may lie; the lower end is a lower limit for the best linear one, too.
    pub distance_interval: Interval,
    /// The mean error on the two domains, on rows that were put aside.
    pub error: f64,
    /// Where it may lie.
    pub error_interval: Interval,
    /// The chosen `C`.
    pub c: f64,
    /// Source rows that were put aside.
    pub n_source: usize,
    /// Target rows that were put aside.
    pub n_target: usize,
}

impl Default for ProxyADistance {
    fn default() -> Self {
        Self {
            costs: (-5..=4).map(|exponent| 10.0_f64.powi(exponent)).collect(),
            confidence: 0.95,
        }
    }
}

setters!(ProxyADistance {
    /// Sets the `C` to choose from.
    costs: Vec<f64>,
    /// Sets the confidence of the intervals.
    confidence: f64,
});

impl ProxyADistance {
    /// The distance between two samples; the seed draws which rows fit, choose and report.
    ///
    /// # Errors
    /// See the type.
    pub fn between(
        &self,
        source: &Features,
        target: &Features,
        seed: u64,
    ) -> Result<ProxyADistanceResult, TransferError> {
        check_confidence(self.confidence)?;
        let pair = Pair::new(source, target)?;
        let of_source = Parts::new(&pair.source, "the source", seed)?;
        let of_target = Parts::new(&pair.target, "the target", seed)?;
        let fits = (of_source.fits, of_target.fits);
        let chooses = (of_source.chooses, of_target.chooses);
        let reports = (of_source.reports, of_target.reports);
        let both = (fits.0.stack(&chooses.0)?, fits.1.stack(&chooses.1)?);
        let errors = (self.costs.par_iter())
            .map(|&c| Ok(wrong(&fits, &chooses, c, seed)?.error()))
            .collect::<Result<Vec<f64>, TransferError>>()?;
        let mut choices: Vec<(f64, f64)> =
            errors.into_iter().zip(self.costs.iter().copied()).collect();
        choices.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let Some(&(_, c)) = choices.first() else {
            return Err(TransferError::InvalidParameter {
                name: "costs".to_owned(),
                value: "an empty list".to_owned(),
                range: "at least one number above 0".to_owned(),
            });
        };
        wrong(&both, &reports, c, seed)?.result(c, self.confidence)
    }
}

/// Rows of a domain by what they are for.
struct Parts {
    fits: Features,
    chooses: Features,
    reports: Features,
}

impl Parts {
    fn new(sample: &Features, name: &str, seed: u64) -> Result<Self, TransferError> {
        let n = sample.n_rows();
        if n < 4 {
            return Err(TransferError::TooFewRows {
                what: format!(
                    "{name}, of which a quarter fits, a quarter chooses and half reports,"
                ),
                rows: n,
                needed: 4,
            });
        }
        let order = seed::rng(seed::derive(seed, &[name])).permutation(n);
        Ok(Self {
            fits: sample.select_rows(&order[..n / 4]),
            chooses: sample.select_rows(&order[n / 4..n / 2]),
            reports: sample.select_rows(&order[n / 2..]),
        })
    }
}

/// Rows of each domain, and how many of them are taken for the other domain's.
struct Wrong {
    source: (usize, usize),
    target: (usize, usize),
}

/// Fits on rows of both domains, and counts errors on others.
fn wrong(
    fits: &(Features, Features),
    tests: &(Features, Features),
    c: f64,
    seed: u64,
) -> Result<Wrong, TransferError> {
    let mut train = fits.0.stack(&fits.1)?;
    let mut held_out = tests.0.stack(&tests.1)?;
    standardise(&mut train, &mut held_out);
    let is_target = |row: usize| usize::from(row >= fits.0.n_rows());
    let domains = Labels::Classes((0..train.n_rows()).map(is_target).collect());
    let machine = LinearSvm::params()
        .c(c)
        .class_weight(ClassWeight::Balanced)
        .fit_sample(&Sample::new(&train, &domains, 2)?, seed)?;
    let prediction = machine.predict(&held_out)?;
    let called = prediction
        .labels
        .classes("the linear support vector machine")?;
    let n_source = tests.0.n_rows();
    let (source, target) = called.view().split_at(ndarray::Axis(0), n_source);
    let count = |called: ArrayView1<'_, usize>, other: usize| {
        let wrong = called.iter().filter(|&&domain| domain == other).count();
        (called.len(), wrong)
    };
    Ok(Wrong {
        source: count(source, 1),
        target: count(target, 0),
    })
}

impl Wrong {
    fn error(&self) -> f64 {
        let share = |(rows, wrong): (usize, usize)| wrong as f64 / rows as f64;
        0.5 * (share(self.source) + share(self.target))
    }

    fn result(&self, c: f64, confidence: f64) -> Result<ProxyADistanceResult, TransferError> {
        // Each domain's interval fails with half of the chance that both together may.
        let of =
            |(rows, wrong): (usize, usize)| clopper_pearson(wrong, rows, 0.5 * (1.0 + confidence));
        let (source, target) = (of(self.source)?, of(self.target)?);
        let error_interval = Interval {
            low: 0.5 * (source.low + target.low),
            high: 0.5 * (source.high + target.high),
        };
        let distance = |error: f64| 2.0 * (1.0 - 2.0 * error).abs();
        let (low, high) = (distance(error_interval.low), distance(error_interval.high));
        Ok(ProxyADistanceResult {
            distance: distance(self.error()),
            distance_interval: Interval {
                low: if error_interval.contains(0.5) {
                    0.0
                } else {
                    low.min(high)
                },
                high: low.max(high),
            },
            error: self.error(),
            error_interval,
            c,
            n_source: self.source.0,
            n_target: self.target.0,
        })
    }
}
