//! Measuring a learning curve.

use std::time::Instant;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, Labels, Task, TransferError, TransferMethod, TransferProblem, metrics::Metric, seed,
    setters,
};

use super::{CurvePoint, LearningCurve, check_growing};
use crate::check::check_count;

/// At which numbers of labelled target rows a learning curve is measured, and how often.
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `sizes` | 0, s, 2 s, 4 s, …, all | integers, growing, at most the labelled target rows | numbers of labelled rows; empty for the default |
/// | `n_repetitions` | 10 | integer ≥ 1 | draws of labelled rows |
/// | `metric` | accuracy | any [`Metric`] | what scores |
///
/// The default leaves out 0 for methods that need target labels. Its s is the first number of rows among which every class of
/// the labels is, whichever rows are drawn: the number of classes where they are equally frequent, else with n_c labels of
/// class c, and n of the rarest, the sum over c of `(n_c + n) / 2n`, each rounded down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CurvePlan {
    sizes: Vec<usize>,
    n_repetitions: usize,
    metric: Metric,
}

impl Default for CurvePlan {
    fn default() -> Self {
        Self {
            sizes: Vec::new(),
            n_repetitions: 10,
            metric: Metric::Accuracy,
        }
    }
}

setters!(CurvePlan {
    /// Sets the numbers of labelled target rows.
    sizes: Vec<usize>,
    /// Sets the number of draws of labelled rows.
    n_repetitions: usize,
    /// Sets what scores.
    metric: Metric,
});

impl LearningCurve {
    /// Fits a method with growing numbers of the problem's labelled target rows, and scores it on rows that were held out.
    ///
    /// In each repetition the labelled rows get an order of their own, in which every class comes up as evenly as its share
    /// allows, and the first n of them keep their labels: the rows of a smaller number are among those of a larger one. The
    /// others stay in the problem without a label. Which rows these are depends on the seed and on the labels alone, not on the
    /// method: curves measured with one seed are paired by repetition.
    ///
    /// All repetitions draw from one pool, the problem's labelled target rows, and score on the same held-out rows: how far they
    /// differ says nothing of other pools and other held-out rows. With all labels they differ only by the chance of the fit.
    ///
    /// Fits run side by side, with the same scores for any number of threads. Their wall times are then those of a busy machine:
    /// measure in a pool of one thread where seconds matter.
    ///
    /// # Errors
    /// [`TransferError::Unsupported`] without labelled target rows, [`TransferError::InvalidParameter`] for sizes that do not
    /// grow or exceed them and for no repetition, [`TransferError::LengthMismatch`] for held-out rows and labels, those of the
    /// metric, and those of the fits: a size at which some draw has a single class is too small for a classifier that learns
    /// from these rows alone.
    ///
    /// ```
    /// use linfa::DatasetBase;
    /// use ndarray::{Array1, Array2};
    /// use translearn_classical::TargetOnly;
    /// use translearn_core::{Features, Labels, TransferProblem};
    /// use translearn_diagnostics::curves::{CurvePlan, LearningCurve};
    ///
    /// let rows = |n: usize| Array2::from_shape_fn((n, 1), |(row, _)| (row % 2) as f64 + 0.01 * row as f64);
    /// let classes = |n: usize| Array1::from_shape_fn(n, |row| row % 2);
    /// let problem = TransferProblem::new(
    ///     &DatasetBase::new(rows(10), classes(10)), &DatasetBase::new(rows(20), classes(20).mapv(Some)))?;
    /// let plan = CurvePlan::default().sizes(vec![2, 8, 20]).n_repetitions(3);
    /// let held_out = (Features::from(rows(30)), Labels::Classes(classes(30)));
    /// let curve = LearningCurve::measure(&TargetOnly::params(), &problem, &held_out.0, &held_out.1, &plan, 0)?;
    /// assert_eq!(curve.points()[2].scores, [1.0; 3]);
    /// # Ok::<(), translearn_core::TransferError>(())
    /// ```
    pub fn measure(
        method: &dyn TransferMethod,
        problem: &TransferProblem,
        held_out: &Features,
        held_out_labels: &Labels,
        plan: &CurvePlan,
        seed: u64,
    ) -> Result<Self, TransferError> {
        check_count("n_repetitions", plan.n_repetitions, 1)?;
        if held_out.n_rows() != held_out_labels.len() {
            return Err(TransferError::LengthMismatch {
                left: "the held-out rows".to_owned(),
                left_len: held_out.n_rows(),
                right: "their labels".to_owned(),
                right_len: held_out_labels.len(),
            });
        }
        let sizes = plan.sizes_for(method, problem)?;
        let repetition = |number: usize| seed::derive(seed, &["repetition", &number.to_string()]);
        let orders: Vec<Vec<usize>> = (0..plan.n_repetitions)
            .map(|number| stratified(&problem.target_task().labels, repetition(number)))
            .collect();
        let fit = |(size, number): (usize, usize)| -> Result<(f64, f64), TransferError> {
            let some = with_labels(problem, &orders[number][..size])?;
            let start = Instant::now();
            let fitted = method.fit(&some, seed::derive(repetition(number), &["fit"]))?;
            let seconds = start.elapsed().as_secs_f64();
            let prediction = fitted.model.predict(held_out)?;
            let score = plan.metric.evaluate(held_out_labels, &prediction, None);
            let score = score.map_err(|error| TransferError::Unsupported {
                method: "a learning curve".to_owned(),
                needs: format!(
                    "predictions and held-out labels that `{}` can score",
                    plan.metric
                ),
                has: error.to_string(),
            })?;
            Ok((score, seconds))
        };
        let fits: Vec<(usize, usize)> = (sizes.iter())
            .flat_map(|&size| (0..plan.n_repetitions).map(move |number| (size, number)))
            .collect();
        let fitted: Vec<(f64, f64)> = fits.into_par_iter().map(fit).collect::<Result<_, _>>()?;
        let point = |(&n_labelled, fits): (&usize, &[(f64, f64)])| CurvePoint {
            n_labelled,
            scores: fits.iter().map(|fit| fit.0).collect(),
            seconds: fits.iter().map(|fit| fit.1).collect(),
        };
        let points = sizes
            .iter()
            .zip(fitted.chunks(plan.n_repetitions))
            .map(point);
        Self::new(plan.metric, points.collect())
    }
}

impl CurvePlan {
    fn sizes_for(
        &self,
        method: &dyn TransferMethod,
        problem: &TransferProblem,
    ) -> Result<Vec<usize>, TransferError> {
        let all = problem.target_task().rows.len();
        if all == 0 {
            return Err(TransferError::Unsupported {
                method: "a learning curve".to_owned(),
                needs: "labelled target rows".to_owned(),
                has: "none".to_owned(),
            });
        }
        if let Some(&size) = self.sizes.iter().find(|&&size| size > all) {
            return Err(TransferError::InvalidParameter {
                name: "sizes".to_owned(),
                value: size.to_string(),
                range: format!("at most {all}, the number of labelled target rows"),
            });
        }
        check_growing("sizes", &self.sizes)?;
        if !self.sizes.is_empty() {
            return Ok(self.sizes.clone());
        }
        let mut sizes = Vec::new();
        if !method.info().needs.target_labels {
            sizes.push(0);
        }
        let first = meets_all(&problem.target_task().labels);
        let doubled = std::iter::successors(Some(first), |size| size.checked_mul(2));
        sizes.extend(doubled.take_while(|&size| size < all));
        sizes.push(all);
        Ok(sizes)
    }
}

/// How many places of any [`stratified`] order it takes to meet every class; of real values, one.
fn meets_all(labels: &Labels) -> usize {
    let Labels::Classes(codes) = labels else {
        return 1;
    };
    let mut of_class = std::collections::BTreeMap::<usize, usize>::new();
    codes
        .iter()
        .for_each(|&code| *of_class.entry(code).or_default() += 1);
    let Some(&rarest) = of_class.values().min() else {
        return 1;
    };
    // Of a class of n rows, those due no later than the first of the rarest: (k + 1/2) / n ≤ 1 / (2 rarest).
    of_class.values().map(|n| (n + rarest) / (2 * rarest)).sum()
}

/// Places in an order in which each class comes up as evenly as its share allows; of real values, any order.
fn stratified(labels: &Labels, seed: u64) -> Vec<usize> {
    let mut order = seed::rng(seed::derive(seed, &["order"])).permutation(labels.len());
    let Labels::Classes(codes) = labels else {
        return order;
    };
    let mut of_class = std::collections::BTreeMap::<usize, usize>::new();
    codes
        .iter()
        .for_each(|&code| *of_class.entry(code).or_default() += 1);
    let mut met = std::collections::BTreeMap::<usize, usize>::new();
    let mut due = vec![0.0; labels.len()];
    for &place in &order {
        let met = met.entry(codes[place]).or_default();
        // In the middle of its part of the order, were it alone.
        due[place] = (*met as f64 + 0.5) / of_class[&codes[place]] as f64;
        *met += 1;
    }
    // Stable: of places that are due together, the order that was drawn.
    order.sort_by(|&a, &b| due[a].total_cmp(&due[b]));
    order
}

/// The problem with the labels of some of its labelled target rows, by their places.
fn with_labels(
    problem: &TransferProblem,
    places: &[usize],
) -> Result<TransferProblem, TransferError> {
    let task = problem.target_task();
    let mut places = places.to_vec();
    places.sort_unstable();
    let rows = places.iter().map(|&place| task.rows[place]).collect();
    let labels = task.labels.select(&places);
    let some = Task::partly_labelled(task.space.clone(), rows, labels);
    TransferProblem::from_parts(
        problem.sources().to_vec(),
        (problem.target_domain().clone(), some),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Each class has its share of every beginning, to one row, and each row comes once.
        #[test]
        fn every_beginning_has_the_shares_of_all(codes in prop::collection::vec(0_usize..4, 1..60), seed: u64) {
            let labels = Labels::Classes(codes.clone().into());
            let order = stratified(&labels, seed);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..codes.len()).collect::<Vec<_>>());
            let start = meets_all(&labels);
            prop_assert!(codes.iter().all(|code| order[..start].iter().any(|&place| codes[place] == *code)), "{start}");
            for n in 0..=codes.len() {
                for class in 0..4 {
                    let count = |places: &[usize]| places.iter().filter(|&&place| codes[place] == class).count() as f64;
                    let share = count(&order) * n as f64 / codes.len() as f64;
                    prop_assert!((count(&order[..n]) - share).abs() < 2.0, "{class} in {n}");
                }
            }
        }
    }

    #[test]
    fn a_rare_class_is_met_late() {
        let labels = |counts: [usize; 3]| {
            let of = |(code, &n): (usize, &usize)| vec![code; n];
            Labels::Classes(counts.iter().enumerate().flat_map(of).collect())
        };
        assert_eq!(meets_all(&labels([7, 7, 7])), 3);
        assert_eq!(meets_all(&labels([2, 5, 0])), 2);
        // At 3 : 1 the second row of the one is due with the first of the other.
        assert_eq!(meets_all(&labels([3, 9, 0])), 3);
        assert_eq!(meets_all(&labels([36, 4, 0])), 6);
        assert_eq!(meets_all(&labels([5, 0, 0])), 1);
        assert_eq!(meets_all(&Labels::Values(ndarray::Array1::zeros(5))), 1);
    }

    #[test]
    fn another_seed_is_another_order() {
        let labels = Labels::Classes((0..20).map(|row| row % 2).collect());
        assert_ne!(stratified(&labels, 1), stratified(&labels, 2));
        assert_eq!(stratified(&labels, 1), stratified(&labels, 1));
        assert_eq!(
            stratified(&Labels::Values(ndarray::Array1::zeros(5)), 1).len(),
            5
        );
    }
}
