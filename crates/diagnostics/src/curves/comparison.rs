//! Two learning curves beside each other.

use serde::{Deserialize, Serialize};
use translearn_core::{TransferError, setters};

use super::bootstrap::{Resamples, mean};
use super::mean_curve::MeanCurve;
use super::{CurvePoint, LearningCurve, PowerLaw};
use crate::interval::Interval;

/// What transfer changes of a learning curve, with an interval for each measure.
///
/// *When.* To say what a source is worth: whether transfer starts higher, rises faster or ends higher than learning from the
/// target alone, and how many labels it saves. Both curves have to be measured with one seed, so that repetition r of one is
/// paired with repetition r of the other.
///
/// # Formula
///
/// With the mean scores `T(n)` and `B(n)` of transfer and baseline at the sizes `n_0 < … < n_k` that both have, straight lines
/// between them, and a larger score being the better one (losses are turned round for all but what is reported as a score):
///
/// | measure | is |
/// |---|---|
/// | `jumpstart` | `T(n_0) − B(n_0)` |
/// | `slope_gain` | the least squares slope of `T` over `log₂ n` less that of `B`: per doubling of the labels |
/// | `labels_to_threshold` | the first `n` with a score of at least `threshold`, for each |
/// | `seconds_to_threshold` | the mean time of a fit there |
/// | `asymptote` | `a` of the power law `a − b n^{−c}`, for each ([`PowerLaw`]) |
/// | `asymptote_gain` | that of `T` less that of `B`, where both are told |
/// | `area_gain` | the area between the curves, `(∫T − ∫B) / (n_k − n_0)`: the mean gain |
/// | `area_ratio` | `(∫T − ∫B) / ∫B`, of losses `(∫B − ∫T) / ∫B` |
/// | `worth` | `B⁻¹(T(n_0)) − n_0`, the labels that the source replaces; where the baseline starts higher, `n_0 − T⁻¹(B(n_0))`, those that it costs |
/// | `crossing` | the first `n` from which the one that starts lower is ahead |
///
/// # Steps
///
/// 1. All measures are taken of the means over all repetitions, and of the means over resampled ones.
/// 2. An interval is between percentiles of the latter, which are further out for few repetitions: by Student's quantile times
///    `√(R / (R − 1))` for R of them, as percentiles of a resampled mean are too narrow. A resampled mean is never beyond all
///    repetitions, so that an interval holds what it is of with a chance of at most `1 − 2^{1−R}`: fewer repetitions than the
///    confidence needs, six at 0.95, are refused. At 0.95 over ten repetitions, of 400 generated runs, each measure of two
///    power laws was held by 92 % or more of its intervals, those of jumpstart, slope and area by no more than 391 of 400;
///    of six repetitions they hold a mean in 94 %.
///
/// *What an interval is of.* The repetitions draw labelled rows from one pool, and score on the same held-out rows. An interval
/// says how the measure changes with that draw, given this pool and these held-out rows; it leaves out how it would with
/// others, which is the more the fewer they are. With all labels of the pool every repetition has the same rows, and an
/// interval of a fit without chance has a width of 0.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `threshold` | the baseline's last mean | a number | the score that is to be reached |
/// | `n_resamples` | 1000 | integer ≥ 1 | resamples of the repetitions |
/// | `confidence` | 0.95 | (0, 1) | of each interval |
///
/// # Shapes and cost
///
/// For each resample a fit of two power laws, and O(points · repetitions).
///
/// # Errors
///
/// [`TransferError::Unsupported`] for curves of two metrics, [`TransferError::TooFewRows`] for fewer than two sizes that both
/// have, or fewer repetitions R than `1 − 2^{1−R} ≥ confidence` needs, [`TransferError::LengthMismatch`] for curves of
/// different numbers of repetitions, [`TransferError::InvalidParameter`].
///
/// # Example
///
/// ```
/// use translearn_core::metrics::Metric;
/// use translearn_diagnostics::curves::{Censored, CurveComparison, CurvePoint, LearningCurve};
///
/// let curve = |means: [f64; 4]| {
///     let point = |(size, mean): (usize, f64)| CurvePoint {
///         n_labelled: size, scores: [mean - 0.01, mean + 0.01].repeat(3), seconds: vec![0.1; 6],
///     };
///     LearningCurve::new(Metric::Accuracy, [2, 4, 8, 16].into_iter().zip(means).map(point).collect())
/// };
/// let (transfer, baseline) = (curve([0.6, 0.7, 0.8, 0.8])?, curve([0.4, 0.6, 0.7, 0.9])?);
/// let found = CurveComparison::default().threshold(0.85).compare(&transfer, &baseline, 0)?;
/// assert!((found.jumpstart.value - 0.2).abs() < 1e-12);                    // a higher start
/// assert_eq!(found.worth.value, Censored::At(2.0));                        // the source is worth two labels
/// assert_eq!(found.labels_to_threshold.0.value, Censored::Above(16.0));    // transfer never gets to 0.85
/// assert!(matches!(found.crossing.value, Censored::At(n) if (n - 12.0).abs() < 1e-9));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Taylor, Stone, *Transfer learning for reinforcement learning domains: a survey*, JMLR 10, 2009 (jumpstart, asymptotic
/// performance, total reward and transfer ratio, time to threshold); the power law: Viering, Loog, *The shape of learning
/// curves: a review*, IEEE TPAMI 45(6), 2023, doi:10.1109/TPAMI.2022.3220744; percentiles of few: Hesterberg, *What teachers
/// should know about the bootstrap*, The American Statistician 69(4), 2015, doi:10.1080/00031305.2015.1089789.
///
/// *Where we differ.* Of curves that end before a threshold is reached, or before they cross, the survey speaks as if they went
/// on; here such a measure is [`Censored`]. The time to a threshold is that of the one fit that reaches it, not of all before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CurveComparison {
    threshold: Option<f64>,
    n_resamples: usize,
    confidence: f64,
}

impl Default for CurveComparison {
    fn default() -> Self {
        Self {
            threshold: None,
            n_resamples: 1000,
            confidence: 0.95,
        }
    }
}

setters!(CurveComparison {
    /// Sets the score that is to be reached.
    threshold: Some(f64),
    /// Sets the number of resamples.
    n_resamples: usize,
    /// Sets the confidence of each interval.
    confidence: f64,
});

/// A number with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Of the means over all repetitions.
    pub value: f64,
    /// Over the repetitions, given the pool of labels and the held-out rows.
    pub interval: Interval,
}

/// A number that may lie beyond what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Censored {
    /// It is this.
    At(f64),
    /// It is not reached up to this: it is more, or never.
    Above(f64),
    /// It is not reached down to this: it is less, or never.
    Below(f64),
}

/// A number that may lie beyond what was measured, with the ends of its interval, which may lie there, too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CensoredEstimate {
    /// Of the means over all repetitions.
    pub value: Censored,
    /// The lower end of its interval over the repetitions.
    pub low: Censored,
    /// The upper end.
    pub high: Censored,
}

/// Where a curve ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Asymptote {
    /// What the power law of the means says; none where they do not tell.
    pub value: Option<f64>,
    /// Over those resamples that tell; none where these are fewer than nine in ten.
    pub interval: Option<Interval>,
    /// The share of resamples that tell.
    pub identified: f64,
}

/// What [`CurveComparison`] found. Pairs are of transfer and baseline, in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedCurves {
    /// The numbers of labelled rows that both curves have.
    pub sizes: Vec<usize>,
    /// How much better transfer is at the first of them.
    pub jumpstart: Estimate,
    /// How much more transfer gains with a doubling of the labels; none below two sizes of at least one row.
    pub slope_gain: Option<Estimate>,
    /// The score that is to be reached.
    pub threshold: f64,
    /// With how many labels each reaches it.
    pub labels_to_threshold: (CensoredEstimate, CensoredEstimate),
    /// How long a fit takes each there; none where it is not reached.
    pub seconds_to_threshold: (Option<f64>, Option<f64>),
    /// Where each ends.
    pub asymptote: (Asymptote, Asymptote),
    /// How much better transfer ends; none where the means or more than one in ten resamples do not tell both ends.
    #[serde(default)]
    pub asymptote_gain: Option<Estimate>,
    /// How much better transfer is on average over the sizes.
    pub area_gain: Estimate,
    /// The same as a share of the baseline's area; none where that is not above 0.
    pub area_ratio: Option<Estimate>,
    /// The labels that the source replaces.
    pub worth: CensoredEstimate,
    /// From how many labels on the one that starts lower is ahead.
    pub crossing: CensoredEstimate,
}

impl CurveComparison {
    /// Compares the curve of a method with that of a baseline; the seed draws resamples.
    ///
    /// # Errors
    /// See the type.
    pub fn compare(
        &self,
        transfer: &LearningCurve,
        baseline: &LearningCurve,
        seed: u64,
    ) -> Result<ComparedCurves, TransferError> {
        let pair = PairOfCurves::new(transfer, baseline)?;
        let resamples = Resamples::new(
            transfer.n_repetitions(),
            self.n_resamples,
            self.confidence,
            seed,
        )?;
        let all: Vec<usize> = (0..transfer.n_repetitions()).collect();
        let last_mean = mean(&pair.points[pair.points.len() - 1].1.scores, &all);
        let threshold = self.threshold.unwrap_or(last_mean);
        if !threshold.is_finite() {
            return Err(TransferError::InvalidParameter {
                name: "threshold".to_owned(),
                value: threshold.to_string(),
                range: "a finite score".to_owned(),
            });
        }
        let of_all = Measures::of(&pair, threshold, &all);
        let of_resamples = resamples.map(|drawn| Measures::of(&pair, threshold, drawn));
        let between =
            |of: fn(&Measures) -> f64| resamples.between(of_resamples.iter().map(of).collect());
        let estimate = |of: fn(&Measures) -> f64| Estimate {
            value: of(&of_all),
            interval: between(of),
        };
        let first = pair.sizes[0];
        let last = pair.sizes[pair.sizes.len() - 1];
        let censored = |of: fn(&Measures) -> f64, reach: f64| {
            let interval = between(of);
            CensoredEstimate {
                value: Censored::of(of(&of_all), reach),
                low: Censored::of(interval.low, reach),
                high: Censored::of(interval.high, reach),
            }
        };
        let asymptote = |of: fn(&Measures) -> Option<f64>| {
            let told: Vec<f64> = of_resamples.iter().filter_map(of).collect();
            let identified = told.len() as f64 / of_resamples.len() as f64;
            Asymptote {
                value: of(&of_all),
                interval: (identified >= 0.9).then(|| resamples.between(told)),
                identified,
            }
        };
        let told: Vec<f64> = (of_resamples.iter())
            .filter_map(|of| of.asymptote_gain(&pair))
            .collect();
        let is_told = told.len() as f64 >= 0.9 * of_resamples.len() as f64;
        let asymptote_gain = of_all.asymptote_gain(&pair).filter(|_| is_told);
        let has_slope = pair.sizes.iter().filter(|&&size| size > 0.0).count() > 1;
        let has_ratio =
            of_all.baseline_area > 0.0 && of_resamples.iter().all(|of| of.baseline_area > 0.0);
        Ok(ComparedCurves {
            sizes: pair
                .points
                .iter()
                .map(|(point, _)| point.n_labelled)
                .collect(),
            jumpstart: estimate(|of| of.jumpstart),
            slope_gain: has_slope.then(|| estimate(|of| of.slope_gain)),
            threshold,
            labels_to_threshold: (
                censored(|of| of.labels.0, last),
                censored(|of| of.labels.1, last),
            ),
            seconds_to_threshold: (
                pair.seconds(of_all.labels.0, |(transfer, _)| transfer),
                pair.seconds(of_all.labels.1, |(_, baseline)| baseline),
            ),
            asymptote: (
                asymptote(|of| of.asymptote.0),
                asymptote(|of| of.asymptote.1),
            ),
            asymptote_gain: asymptote_gain.map(|value| Estimate {
                value,
                interval: resamples.between(told),
            }),
            area_gain: estimate(|of| of.area_gain),
            area_ratio: has_ratio.then(|| estimate(|of| of.area_gain / of.baseline_area)),
            worth: censored(|of| of.worth, last - first),
            crossing: censored(|of| of.crossing, last),
        })
    }
}

impl Censored {
    /// A number, or an infinity beyond a reach.
    fn of(value: f64, reach: f64) -> Self {
        if value == f64::INFINITY {
            Self::Above(reach)
        } else if value == f64::NEG_INFINITY {
            Self::Below(-reach)
        } else {
            Self::At(value)
        }
    }

    /// The number, where it is within what was measured.
    pub fn value(self) -> Option<f64> {
        match self {
            Self::At(value) => Some(value),
            Self::Above(_) | Self::Below(_) => None,
        }
    }
}

type OfPair<'a> = (&'a CurvePoint, &'a CurvePoint);

/// Both curves at the sizes that both have.
struct PairOfCurves<'a> {
    sizes: Vec<f64>,
    points: Vec<OfPair<'a>>,
    /// 1, or −1 for losses.
    sign: f64,
}

impl<'a> PairOfCurves<'a> {
    fn new(
        transfer: &'a LearningCurve,
        baseline: &'a LearningCurve,
    ) -> Result<Self, TransferError> {
        if transfer.metric() != baseline.metric() {
            return Err(TransferError::Unsupported {
                method: "a comparison of learning curves".to_owned(),
                needs: "one metric".to_owned(),
                has: format!("{} and {}", transfer.metric(), baseline.metric()),
            });
        }
        if transfer.n_repetitions() != baseline.n_repetitions() {
            return Err(TransferError::LengthMismatch {
                left: "the repetitions of transfer".to_owned(),
                left_len: transfer.n_repetitions(),
                right: "those of the baseline".to_owned(),
                right_len: baseline.n_repetitions(),
            });
        }
        let of_baseline = |size: usize| {
            baseline
                .points()
                .iter()
                .find(|point| point.n_labelled == size)
        };
        let points: Vec<OfPair<'_>> = (transfer.points().iter())
            .filter_map(|point| Some((point, of_baseline(point.n_labelled)?)))
            .collect();
        if points.len() < 2 {
            return Err(TransferError::TooFewRows {
                what: "two learning curves, of numbers of labelled rows that both have,".to_owned(),
                rows: points.len(),
                needed: 2,
            });
        }
        Ok(Self {
            sizes: points
                .iter()
                .map(|(point, _)| point.n_labelled as f64)
                .collect(),
            points,
            sign: if transfer.metric().higher_is_better() {
                1.0
            } else {
                -1.0
            },
        })
    }

    fn means(
        &self,
        side: for<'b> fn(OfPair<'b>) -> &'b CurvePoint,
        drawn: &[usize],
    ) -> MeanCurve<'_> {
        let score = |&pair: &OfPair<'_>| self.sign * mean(&side(pair).scores, drawn);
        MeanCurve {
            sizes: &self.sizes,
            scores: self.points.iter().map(score).collect(),
        }
    }

    /// The mean time of a fit at some size within the sizes.
    fn seconds(&self, size: f64, side: for<'b> fn(OfPair<'b>) -> &'b CurvePoint) -> Option<f64> {
        let all: Vec<usize> = (0..self.points[0].0.scores.len()).collect();
        let seconds = |&pair: &OfPair<'_>| mean(&side(pair).seconds, &all);
        let seconds: Vec<f64> = self.points.iter().map(seconds).collect();
        size.is_finite()
            .then(|| self.means(side, &all).read(&seconds, size))
    }
}

/// All measures of one set of repetitions; infinite where something is not reached.
struct Measures {
    jumpstart: f64,
    slope_gain: f64,
    labels: (f64, f64),
    asymptote: (Option<f64>, Option<f64>),
    area_gain: f64,
    baseline_area: f64,
    worth: f64,
    crossing: f64,
}

impl Measures {
    fn of(pair: &PairOfCurves<'_>, threshold: f64, drawn: &[usize]) -> Self {
        let transfer = pair.means(|(transfer, _)| transfer, drawn);
        let baseline = pair.means(|(_, baseline)| baseline, drawn);
        let level = pair.sign * threshold;
        let sizes: Vec<usize> = pair
            .points
            .iter()
            .map(|(point, _)| point.n_labelled)
            .collect();
        let end = |curve: &MeanCurve<'_>| {
            PowerLaw::fit(&sizes, &curve.scores).map(|law| pair.sign * law.asymptote)
        };
        let width = pair.sizes[pair.sizes.len() - 1] - pair.sizes[0];
        let slopes = transfer.slope().zip(baseline.slope());
        Self {
            jumpstart: transfer.scores[0] - baseline.scores[0],
            slope_gain: slopes.map_or(0.0, |(transfer, baseline)| transfer - baseline),
            labels: (transfer.reaches(level), baseline.reaches(level)),
            asymptote: (end(&transfer), end(&baseline)),
            area_gain: (transfer.area() - baseline.area()) / width,
            baseline_area: pair.sign * baseline.area() / width,
            worth: transfer.worth(&baseline),
            crossing: transfer.crosses(&baseline),
        }
    }
    /// How much better transfer ends, where both ends are told.
    fn asymptote_gain(&self, pair: &PairOfCurves<'_>) -> Option<f64> {
        let (transfer, baseline) = self.asymptote;
        Some(pair.sign * (transfer? - baseline?))
    }
}
