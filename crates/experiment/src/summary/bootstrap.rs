//! Percentile intervals by resampling (Efron & Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13).
//!
//! The draws depend on nothing but the number of units and of the resample, so a result is the same on any number of
//! threads, and two methods of a task meet the same draws: that is what makes their comparison a paired one.

use rayon::prelude::*;
use translearn_core::seed;
use translearn_diagnostics::interval::{Interval, over_splits, percentile};

use super::outcomes::Outcomes;

/// How often is resampled.
pub(super) const RESAMPLES: usize = 2000;

/// Of all intervals.
const CONFIDENCE: f64 = 0.95;

/// The score of each of several trials of one task, `[resample][trial]`, over resampled test rows.
///
/// What is drawn are rows of the file. A row that several trials scored (another method, another seed with another draw
/// of labelled rows) is drawn for all of them at once, so that more seeds do not pass for more data.
pub(super) fn resampled_scores(trials: &[&Outcomes]) -> Vec<Vec<f64>> {
    let mut rows: Vec<usize> = trials
        .iter()
        .flat_map(|trial| trial.rows())
        .copied()
        .collect();
    rows.sort_unstable();
    rows.dedup();
    let series: Vec<(Vec<usize>, Vec<f64>)> = trials
        .iter()
        .map(|trial| {
            (
                trial
                    .rows()
                    .iter()
                    .map(|row| rows.partition_point(|r| r < row))
                    .collect(),
                trial.values(),
            )
        })
        .collect();
    (0..RESAMPLES)
        .into_par_iter()
        .map(|resample| {
            let counts = draw(rows.len(), resample);
            let mean = |(places, values): &(Vec<usize>, Vec<f64>)| {
                let (mut sum, mut n) = (0.0, 0.0);
                for (&place, value) in places.iter().zip(values) {
                    sum += counts[place] * value;
                    n += counts[place];
                }
                sum / n
            };
            trials
                .iter()
                .zip(&series)
                .map(|(trial, series)| trial.score().of_mean(mean(series)))
                .collect()
        })
        .collect()
}

/// Below this many (task, seed) pairs, equal signs of all of them are no evidence at 5 %.
const FEWEST_PAIRS: usize = 6;

/// The 95 % interval of the mean of what was found with each (task, seed) pair; `None` for few pairs.
pub(super) fn interval_over_pairs(values: &[f64]) -> Option<Interval> {
    (values.len() >= FEWEST_PAIRS)
        .then(|| interval(resampled_means(values)))
        .flatten()
}

/// The mean of `values` over resamples of them.
fn resampled_means(values: &[f64]) -> Vec<f64> {
    let mean = |counts: Vec<f64>| {
        counts.iter().zip(values).map(|(n, x)| n * x).sum::<f64>() / values.len() as f64
    };
    (0..RESAMPLES)
        .map(|resample| mean(draw(values.len(), resample)))
        .collect()
}

/// How often each of `n` units is drawn in `n` draws with replacement.
fn draw(n: usize, resample: usize) -> Vec<f64> {
    let mut rng = seed::rng(seed::derive(resample as u64, &["bootstrap"]));
    let mut counts = vec![0.0; n];
    for _ in 0..n {
        counts[rng.below(n)] += 1.0;
    }
    counts
}

/// The middle 95 % of resampled values; `None` when there are none. A resample without a value (it drew no row of a
/// trial) is left out.
pub(super) fn interval(mut resampled: Vec<f64>) -> Option<Interval> {
    resampled.retain(|value| value.is_finite());
    percentile(resampled, CONFIDENCE).ok()
}

/// The 95 % interval of a mean by Student's t, for few values; `None` below two, and where the values do not vary.
pub(super) fn student_interval(values: &[f64]) -> Option<Interval> {
    if values.windows(2).all(|pair| pair[0] == pair[1]) {
        return None;
    }
    over_splits(values, 0.0, CONFIDENCE).ok()
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;
    use translearn_core::Labels;

    use super::*;

    fn outcomes(rows: &[usize], correct: &[u8]) -> Outcomes {
        let predicted: Array1<usize> = correct.iter().map(|&c| usize::from(c)).collect();
        Outcomes::of(
            rows,
            &Labels::Classes(Array1::ones(rows.len())),
            &Labels::Classes(predicted),
        )
        .unwrap()
    }

    /// All nⁿ resamples of three rows: the bootstrap distribution itself.
    #[test]
    fn the_resamples_follow_the_bootstrap_distribution() {
        let values = [0.0, 1.0, 5.0];
        let mut exact = std::collections::BTreeMap::new();
        for i in 0..27 {
            let sum = values[i % 3] + values[i / 3 % 3] + values[i / 9];
            *exact.entry(sum as i64).or_insert(0.0) += 1.0 / 27.0;
        }
        let mut seen = std::collections::BTreeMap::new();
        for mean in resampled_means(&values) {
            *seen.entry((3.0 * mean).round() as i64).or_insert(0.0) += 1.0 / RESAMPLES as f64;
        }
        assert_eq!(
            seen.keys().collect::<Vec<_>>(),
            exact.keys().collect::<Vec<_>>()
        );
        for (sum, share) in exact {
            let deviation = f64::sqrt(share * (1.0 - share) / RESAMPLES as f64);
            assert!(
                (seen[&sum] - share).abs() < 4.0 * deviation,
                "{sum}: {} against {share}",
                seen[&sum]
            );
        }
    }

    #[test]
    fn scores_are_those_of_the_rows_drawn_one_by_one() {
        // The second trial scored other rows of the same file, in another order.
        let a = outcomes(&[2, 3, 5, 9], &[1, 0, 1, 1]);
        let b = outcomes(&[9, 4, 2], &[0, 1, 1]);
        let universe = [2, 3, 4, 5, 9];
        let scores = resampled_scores(&[&a, &b]);
        for resample in [0, 1, 2, 1999] {
            let mut rng = seed::rng(seed::derive(resample as u64, &["bootstrap"]));
            let mut drawn = [Vec::new(), Vec::new()];
            for _ in 0..universe.len() {
                let row = universe[rng.below(universe.len())];
                for (trial, drawn) in [&a, &b].into_iter().zip(&mut drawn) {
                    let place = trial.rows().iter().position(|&r| r == row);
                    drawn.extend(place.map(|place| trial.values()[place]));
                }
            }
            for (trial, drawn) in drawn.iter().enumerate() {
                let naive = drawn.iter().sum::<f64>() / drawn.len() as f64;
                assert!(
                    scores[resample][trial] == naive
                        || naive.is_nan() && scores[resample][trial].is_nan()
                );
            }
        }
    }

    #[test]
    fn the_interval_of_a_mean_is_the_normal_one_for_many_values() {
        let mut rng = seed::rng(3);
        let values: Vec<f64> = (0..400).map(|_| 2.0 + rng.normal()).collect();
        let mean = values.iter().sum::<f64>() / 400.0;
        let deviation = f64::sqrt(values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 400.0);
        let interval = interval(resampled_means(&values)).unwrap();
        // The ends are quantiles of 2000 draws: their own standard error is 6 % of the half width.
        let half = 1.96 * deviation / 20.0;
        assert!(
            (interval.low - (mean - half)).abs() < 0.2 * half,
            "{interval:?}"
        );
        assert!(
            (interval.high - (mean + half)).abs() < 0.2 * half,
            "{interval:?}"
        );
    }

    #[test]
    fn the_interval_covers_the_truth_about_as_often_as_it_says() {
        let experiments = 150;
        let covered = (0..experiments)
            .filter(|&experiment| {
                let mut rng = seed::rng(seed::derive(experiment, &["coverage"]));
                let draws: Vec<f64> = (0..60).map(|_| rng.normal()).collect();
                interval(resampled_means(&draws)).is_some_and(|i| i.low <= 0.0 && 0.0 <= i.high)
            })
            .count();
        // 95 % of 150 is 142.5, with a standard deviation of 2.7; percentile intervals cover a little less.
        assert!((133..=150).contains(&covered), "{covered}");
    }

    #[test]
    fn resamples_without_a_value_are_left_out() {
        let of = |values: &[f64]| interval(values.to_vec());
        assert_eq!(of(&[f64::NAN, 1.0, 3.0]), of(&[1.0, 3.0]));
        assert!(of(&[1.0, 3.0]).is_some_and(|i| i.low < 1.1 && i.high > 2.9));
        assert_eq!((of(&[f64::NAN]), of(&[])), (None, None));
    }

    #[test]
    fn few_values_have_the_interval_of_students_t() {
        // scipy.stats.t.interval(0.95, 3, 5, scipy.stats.sem([3, 4, 6, 7]))
        let interval = student_interval(&[3.0, 4.0, 6.0, 7.0]).unwrap();
        assert!((interval.high - 7.905163).abs() < 1e-6 && (interval.low - 2.094837).abs() < 1e-6);
        assert_eq!(
            (student_interval(&[5.0]), student_interval(&[0.1; 3])),
            (None, None)
        );
    }
}
