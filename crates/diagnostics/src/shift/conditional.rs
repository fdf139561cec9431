//! Conditional shift, with a few labelled target rows.

use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;
use translearn_core::{
    BaseLearner, Features, Labels, Sample, Scores, TransferError, check_same_features, seed,
    setters,
};
use translearn_learners::Logistic;

use super::TestResult;
use super::held_out::LEAST_PROBABILITY;
use crate::check::check_count;

/// Whether the classes of target rows are drawn otherwise, given the features, than the source's model says: P(Y | X) differs.
///
/// *When.* Some target rows have labels, and the question is whether the source's model errs more on them than it should.
/// P(X) may differ. It is for few rows of the target and many of the source; it looks for harm, and a target that is easier
/// than the source says is no finding.
///
/// # Formula
///
/// $$T = -\frac1m \sum_j \ln \hat p(y'_j \mid x'_j)$$
///
/// over the `m` labelled target rows, with the probabilities `p̂` of a learner fitted on the source. The effect is
/// `1 − e^{−(T − T̄)}` with the mean `T̄` over the draws: the share of the likelihood of a label that the shift takes away;
/// below 0 it is taken for 0.
///
/// # Steps
///
/// 1. Each fifth of the source, drawn by the seed, is judged by a fit on the others, and the power `s` of their probabilities
///    is taken, from 1, 2^(−1/4), …, 1/64, for which `p̂ˢ / Σ p̂ˢ` has the least loss on the held-out rows. A fifth without
///    which a class is missing is left out. A fit that is too sure of itself has `s` below 1; one that is not sure enough is
///    left as it is.
/// 2. In each of `B` draws all labels, those of the source and those of the target, are drawn from `p̂ˢ / Σ p̂ˢ`; the learner is
///    fitted on those of the source, and `T_b` is its loss on those of the target. So what the fit does not know of P(Y | X)
///    is in `T_b` as it is in `T`. A draw that lacks a class of the source is drawn again.
/// 3. The p-value is `(1 + #{T_b ≥ T}) / (1 + B)`.
///
/// # Assumption
///
/// The level holds as far as the learner can learn the source's P(Y | X): no test holds it otherwise, for where the domains
/// hardly overlap any P(Y | X) of the target is the continuation of the source's for some learner. Logistic regression on
/// classes that a curve parts finds its own error wherever the target lies on the other side of the curve; give a learner that
/// can draw the curve.
///
/// Nor is the level exact where it can, for labels are drawn from an estimate. Findings at 5 % where there is no shift, in an
/// imitation in Python with 39 draws and 150 to 400 runs a line, so that they err by 1 to 2 points; columns are normal, and
/// logistic regression with slopes of length `L` is the true model:
///
/// | source rows × columns | target rows | `L` | `s = 1` | with `s` |
/// |---|---|---|---|---|
/// | 100 × 20 | 20 | 2 | 14.8 % | 3.8 % |
/// | 100 × 20 | 20, moved by 3 | 2 | 15.3 % | 5.0 % |
/// | 100 × 20 | 20 | 0.5 | 17.0 % | 8.7 % |
/// | 100 × 20 | 20 | 6 | 0.7 % | 0.0 % |
/// | 200 × 20 | 50 | 2 | 10.7 % | 2.3 % |
/// | 200 × 50 | 20 | 2 | 20.8 % | 4.0 % |
/// | 500 × 50 | 50 | 2 | 13.3 % | 2.7 % |
/// | 400 × 20 | 20 | 2 | 6.4 % | 5.6 % |
/// | 1000 × 20 | 20 | 2 | 3.3 % | 5.3 % |
/// | 150 × 2 | 20, moved by 1 | 2 | 4.5 % | 5.5 % |
///
/// So below about 20 source rows a column the level is held roughly: mostly with room, but not where the classes hardly depend
/// on the columns. The room costs power: where each label of the target is swapped with a chance of ½, 100 × 20 finds 65 %
/// of the shifts and would find 88 % with `s = 1`; 150 × 2 finds 96 % with both.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | logistic regression | a classifier with probabilities | the model of P(Y \| X) |
/// | `n_draws` | 199 | integer ≥ 1 | draws `B` |
///
/// # Shapes and cost
///
/// B + 1 fits on the source's rows, and five on four fifths of them.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::LengthMismatch`], [`TransferError::NotFinite`],
/// [`TransferError::NotVectors`], [`TransferError::TooFewRows`] without a target row, [`TransferError::TooFewClasses`] for a
/// source of one class, [`TransferError::Unsupported`] for a source whose classes are not all in any of a hundred draws, for a
/// target class that the source lacks, for labels of values and for a learner without probabilities,
/// [`TransferError::InvalidParameter`], and those of the learner.
///
/// # Example
///
/// ```
/// use ndarray::{Array2, ArrayView1};
/// use translearn_core::{Features, Labels, seed};
/// use translearn_diagnostics::shift::ConditionalShift;
///
/// let mut rng = seed::rng(1);
/// // Classes on either side of 0; the target's rows lie further right.
/// let mut sample = |n: usize, at: f64| Features::from(Array2::from_shape_simple_fn((n, 1), || at + rng.normal()));
/// let (source, target) = (sample(200, 0.0), sample(20, 0.5));
/// let labels = |x: &Features, right: usize| -> Result<Labels, translearn_core::TransferError> {
///     Ok(Labels::Classes(x.dense()?.column(0).mapv(|v| if v > 0.0 { right } else { 1 - right })))
/// };
/// let test = ConditionalShift::default();
/// let same = test.test((&source, &labels(&source, 1)?), (&target, &labels(&target, 1)?), 0)?;
/// let swapped = test.test((&source, &labels(&source, 1)?), (&target, &labels(&target, 0)?), 0)?;
/// assert!(same.p_value > 0.05 && swapped.p_value <= 0.005 && swapped.effect > 0.9);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// The bootstrap of a fitted model as a test of its fit: Efron, Tibshirani, *An introduction to the bootstrap*, 1993, §16; the
/// same draw of labels given the features, for a known P(Y | X), is the conditional randomisation of Candès, Fan, Janson, Lv,
/// *Panning for gold*, Journal of the Royal Statistical Society B 80(3), 2018, doi:10.1111/rssb.12265. That no test holds its
/// level without an assumption: Shah, Peters, *The hardness of conditional independence testing*, Annals of Statistics 48(3),
/// 2020, doi:10.1214/19-AOS1857. A power of the probabilities that is fitted on held-out rows: Guo, Pleiss, Sun, Weinberger,
/// *On calibration of modern neural networks*, ICML 2017.
#[derive(Debug, Clone)]
pub struct ConditionalShift {
    learner: BaseLearner,
    n_draws: usize,
}

impl Default for ConditionalShift {
    fn default() -> Self {
        Self {
            learner: Logistic::params().into(),
            n_draws: 199,
        }
    }
}

setters!(ConditionalShift {
    /// Sets the model of P(Y | X).
    learner: impl Into<BaseLearner>,
    /// Sets the number of draws.
    n_draws: usize,
});

/// Draws of a source before it is given up that has too few rows of a class.
const REDRAWS: usize = 100;

impl ConditionalShift {
    /// Tests labelled target rows against a labelled source; the seed draws labels, and is the learner's.
    ///
    /// # Errors
    /// See the type.
    pub fn test(
        &self,
        source: (&Features, &Labels),
        target: (&Features, &Labels),
        seed: u64,
    ) -> Result<TestResult, TransferError> {
        check_count("n_draws", self.n_draws, 1)?;
        check_same_features("the source", source.0, "the target", target.0)?;
        let (source, labels) = super::in_order("the source", source.0, source.1)?;
        let (target, target_labels) = super::in_order("the labelled target", target.0, target.1)?;
        let owner = "the test of conditional shift";
        let classes = target_labels.classes(owner)?;
        if classes.is_empty() {
            return Err(TransferError::TooFewRows {
                what: "the labelled target".to_owned(),
                rows: 0,
                needed: 1,
            });
        }
        let (labels, codes) = super::without_gaps(labels.classes(owner)?);
        let n_classes = codes.len();
        let place = |class: &usize| {
            (codes.binary_search(class)).map_err(|_| TransferError::Unsupported {
                method: owner.to_owned(),
                needs: "target classes that the source has too".to_owned(),
                has: format!("a target row of class number {class}, of which the source has none"),
            })
        };
        let classes: Vec<usize> = classes.iter().map(place).collect::<Result<_, _>>()?;
        let fit = |rows: &Features, labels: &Labels, seed: u64| -> Result<_, TransferError> {
            (self.learner).fit_boxed(&Sample::new(rows, labels, n_classes)?, seed)
        };
        let probabilities = |model: &dyn translearn_core::Predictor,
                             rows: &Features|
         -> Result<Array2<f64>, TransferError> {
            match model.predict(rows)?.scores {
                Some(Scores::Probabilities(probabilities)) => Ok(probabilities),
                _ => Err(TransferError::Unsupported {
                    method: owner.to_owned(),
                    needs: "a learner with probabilities".to_owned(),
                    has: format!("`{}`", self.learner.info().name),
                }),
            }
        };
        let model = fit(&source, &labels, seed)?;
        let (of_source, of_target) = (
            probabilities(&*model, &source)?,
            probabilities(&*model, &target)?,
        );
        let statistic = log_loss(&of_target, &classes);
        let mut judged = Vec::with_capacity(FOLDS);
        for (taught, held_out) in folds(source.n_rows(), seed) {
            let of_held_out = labels.select(&held_out).classes(owner)?.to_vec();
            let labels = labels.select(&taught);
            // A fit that lacks a class says nothing of how sure one with all classes is.
            if !held_out.is_empty() && all_occur(labels.classes(owner)?.iter(), n_classes) {
                let model = fit(&source.select_rows(&taught), &labels, seed)?;
                let of_rows = probabilities(&*model, &source.select_rows(&held_out))?;
                judged.push((of_rows, of_held_out));
            }
        }
        let power = best_power(&judged);
        let (of_source, of_target) = (flattened(&of_source, power), flattened(&of_target, power));
        let drawn: Vec<f64> = (0..self.n_draws)
            .into_par_iter()
            .map(|number| {
                let seed = seed::derive(seed, &["draw", &number.to_string()]);
                let mut rng = seed::rng(seed);
                let mut draws = (0..REDRAWS).map(|_| draw(&of_source, &mut rng));
                let complete = |drawn: &Vec<usize>| all_occur(drawn.iter(), n_classes);
                let Some(of_source) = draws.find(complete) else {
                    return Err(TransferError::Unsupported {
                        method: owner.to_owned(),
                        needs: "several source rows of each class".to_owned(),
                        has: format!(
                            "{n_classes} classes, not all of which are in any of {REDRAWS} redraws of {} source labels",
                            source.n_rows()
                        ),
                    });
                };
                let of_target = draw(&of_target, &mut rng);
                let model = fit(&source, &Labels::Classes(of_source.into()), seed)?;
                let judged = probabilities(&*model, &target)?;
                Ok(log_loss(&judged, &of_target))
            })
            .collect::<Result<_, _>>()?;
        let expected = drawn.iter().sum::<f64>() / drawn.len() as f64;
        Ok(TestResult {
            test: format!("conditional shift, {}", self.learner.info().name),
            statistic,
            p_value: super::relabel::p_value(statistic, &drawn, 1.0),
            effect: (1.0 - (expected - statistic).exp()).max(0.0),
            n_source: source.n_rows(),
            n_target: target.n_rows(),
        })
    }
}

/// Whether every class occurs.
fn all_occur<'a>(classes: impl Iterator<Item = &'a usize>, n_classes: usize) -> bool {
    let mut present = vec![false; n_classes];
    classes.for_each(|&class| present[class] = true);
    present.into_iter().all(|there| there)
}

/// Parts of the source of which each is judged by a fit on the others.
const FOLDS: usize = 5;

/// The rows that teach and those that are held out, for each part.
fn folds(n: usize, seed: u64) -> Vec<(Vec<usize>, Vec<usize>)> {
    let order = seed::rng(seed::derive(seed, &["folds"])).permutation(n);
    let rows = |fold: usize, inside: bool| -> Vec<usize> {
        let places = order.iter().enumerate();
        let chosen = places.filter(|(place, _)| (place % FOLDS == fold) == inside);
        chosen.map(|(_, &row)| row).collect()
    };
    (0..FOLDS)
        .map(|fold| (rows(fold, false), rows(fold, true)))
        .collect()
}

/// The power, at most 1, to which probabilities fit the classes of held-out rows best.
fn best_power(judged: &[(Array2<f64>, Vec<usize>)]) -> f64 {
    // 1, 2^(−1/4), …, 1/64.
    let powers = (0..=24_i32).map(|step| 0.5_f64.powf(f64::from(step) / 4.0));
    let loss = |power: f64| -> f64 {
        let of_fold = |(probabilities, classes): &(Array2<f64>, Vec<usize>)| {
            log_loss(&flattened(probabilities, power), classes) * classes.len() as f64
        };
        judged.iter().map(of_fold).sum()
    };
    let (power, _) = powers.fold((1.0, f64::INFINITY), |best, power| {
        let loss = loss(power);
        if loss < best.1 { (power, loss) } else { best }
    });
    power
}

/// Probabilities to a power, in proportion.
fn flattened(probabilities: &Array2<f64>, power: f64) -> Array2<f64> {
    let mut flat = probabilities.mapv(|p| p.max(LEAST_PROBABILITY).powf(power));
    for mut row in flat.outer_iter_mut() {
        let sum = row.sum();
        row /= sum;
    }
    flat
}

/// A class for each row by its probabilities.
fn draw(probabilities: &Array2<f64>, rng: &mut seed::Rng) -> Vec<usize> {
    // A learner's probabilities are finite and have a sum above 0.
    let of_row = |row: ArrayView1<'_, f64>| rng.weighted_index(&row.to_vec()).unwrap_or(0);
    probabilities.outer_iter().map(of_row).collect()
}

/// The mean of `−ln p` of the classes.
fn log_loss(probabilities: &Array2<f64>, classes: &[usize]) -> f64 {
    let losses = probabilities
        .outer_iter()
        .zip(classes)
        .map(|(row, &class)| -row[class].max(LEAST_PROBABILITY).ln());
    losses.sum::<f64>() / probabilities.nrows() as f64
}
