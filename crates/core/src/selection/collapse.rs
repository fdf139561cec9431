//! Models that must not be chosen: scores that look at certainty and clusters are best where all rows are one class.

use std::fmt;

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use super::Candidate;
use crate::Labels;

/// Why a model must not be chosen, whatever a score says of it.
///
/// | | a model has collapsed when |
/// |---|---|
/// | [`Collapse::FewClasses`] | $e^{H(\hat p_T)} - 1 < \tfrac15 \bigl(e^{H(p_S)} - 1\bigr)$ for the entropies `H` of the shares of classes among the target's predictions, `p̂_T`, and the source's labels, `p_S` |
/// | [`Collapse::OneValue`] | the values predicted for target rows have less than 10⁻⁶ of the deviation of the source's labels |
/// | [`Collapse::Uninformed`] | its predictions of source rows agree with their labels no better than relabelled rows do, at a level of 5 % |
///
/// `e^H` is the effective number of classes: two in equal shares count 2. Between two classes a share of 4.5 % is
/// enough. A target that truly holds one class more rarely than that, and a model that is meant to know nothing of the
/// source, are refused too; [`TargetScorer::score_checked`](super::TargetScorer::score_checked) scores them.
///
/// Agreement is the number of rows with the right class, or the covariance with the right value; its mean and variance
/// over all orders of the labels are exact, and the level is that of a normal distribution; it holds for predictions of rows that
/// were held out, while a model that has seen them agrees with labels by chance, too, and passes. Where so few rows are there that
/// even right answers would not pass, nothing is refused: of `n` target rows at most `n` classes are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Collapse {
    /// Target rows are given fewer classes than the source makes likely.
    FewClasses {
        /// Effective number of classes among the target's predictions.
        effective: f64,
        /// Effective number of classes among the source's labels.
        of_source: f64,
    },
    /// All target rows are given one value.
    OneValue {
        /// Deviation of the values predicted for target rows.
        deviation: f64,
        /// Deviation of the source's labels.
        of_source: f64,
    },
    /// Predictions of source rows have nothing to do with their labels.
    Uninformed {
        /// How far agreement lies above its mean over all orders of the labels, in standard deviations.
        z: f64,
    },
}

/// The part of the source's diversity that predictions of the target have to keep.
const LEAST_DIVERSITY: f64 = 0.2;
/// The part of the source's deviation that predicted values have to keep: more than rounding.
const LEAST_DEVIATION: f64 = 1e-6;
/// The normal distribution's quantile at 95 %.
const QUANTILE: f64 = 1.644_853_626_951_472_2;

impl Collapse {
    /// Whether a model has collapsed, and how.
    pub fn of(candidate: &Candidate<'_>) -> Option<Self> {
        let labels = &candidate.source().labels;
        let of_target = &candidate.target_prediction().labels;
        let narrow = match (&**labels, of_target) {
            (Labels::Classes(labels), Labels::Classes(of_target)) => {
                let n = candidate.label_space().n_classes();
                let (effective, of_source) = (
                    effective_classes(of_target, n),
                    effective_classes(labels, n),
                );
                // So few rows cannot show more.
                let attainable = of_source.min(of_target.len() as f64);
                // Of one class in the source there is nothing to fall from; the bound is 0 but for rounding.
                (attainable > 1.0 + 1e-9 && effective - 1.0 < LEAST_DIVERSITY * (attainable - 1.0))
                    .then_some(Self::FewClasses {
                        effective,
                        of_source,
                    })
            }
            (Labels::Values(labels), Labels::Values(of_target)) => {
                let (deviation, of_source) = (of_target.std(0.0), labels.std(0.0));
                let some = of_target.len() > 1;
                (some && deviation < LEAST_DEVIATION * of_source).then_some(Self::OneValue {
                    deviation,
                    of_source,
                })
            }
            // A candidate has labels of one space.
            _ => None,
        };
        narrow.or_else(|| {
            let right = agreement(labels, labels)?;
            let z = agreement(labels, &candidate.source_prediction().labels)?;
            (right > QUANTILE && z <= QUANTILE).then_some(Self::Uninformed { z })
        })
    }
}

impl fmt::Display for Collapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FewClasses {
                effective,
                of_source,
            } => write!(
                f,
                "the model gives target rows {effective:.2} effective classes where the source has {of_source:.2}"
            ),
            Self::OneValue {
                deviation,
                of_source,
            } => write!(
                f,
                "the model gives target rows one value (deviation {deviation:.2e} where the source has {of_source:.2e})"
            ),
            Self::Uninformed { z } => write!(
                f,
                "the model's answers to source rows agree with their labels no better than by chance (z = {z:.2})"
            ),
        }
    }
}

/// The exponential of the entropy of the shares of classes.
fn effective_classes(classes: &Array1<usize>, n_classes: usize) -> f64 {
    let counts = counts(classes, n_classes);
    let terms = counts
        .into_iter()
        .filter(|&count| count > 0.0)
        .map(|count| {
            let share = count / classes.len() as f64;
            -share * share.ln()
        });
    terms.sum::<f64>().exp()
}

fn counts(classes: &Array1<usize>, n_classes: usize) -> Vec<f64> {
    let mut counts = vec![0.0; n_classes];
    classes.iter().for_each(|&class| counts[class] += 1.0);
    counts
}

/// How far agreement lies above its mean over all orders of the labels, in its standard deviations there; 0 where all
/// orders agree as much, `None` for labels that are all alike.
fn agreement(labels: &Labels, predicted: &Labels) -> Option<f64> {
    let n = labels.len() as f64;
    match (labels, predicted) {
        (Labels::Classes(labels), Labels::Classes(predicted)) => {
            let n_classes = 1 + labels.iter().chain(predicted).copied().max()?;
            let (a, b) = (counts(labels, n_classes), counts(predicted, n_classes));
            let agree = labels.iter().zip(predicted).filter(|(a, b)| a == b).count() as f64;
            let products: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a * b).collect();
            let total: f64 = products.iter().sum();
            // The variances of the hypergeometric counts, and their covariances, which are products of products.
            let margins = products.iter().zip(a.iter().zip(&b));
            let own: f64 = margins.map(|(ab, (a, b))| ab * (n - a - b)).sum();
            let variance = (n * own + total * total) / (n * n * (n - 1.0));
            match (a.contains(&n), variance > 0.0) {
                (true, _) => None,
                (false, false) => Some(0.0),
                (false, true) => Some((agree - total / n) / variance.sqrt()),
            }
        }
        (Labels::Values(labels), Labels::Values(predicted)) => {
            let centred = |values: &Array1<f64>| values - values.sum() / n;
            let (a, b) = (centred(labels), centred(predicted));
            let (of_labels, of_predicted) = (a.dot(&a), b.dot(&b));
            match (of_labels > 0.0, of_predicted > 0.0) {
                (false, _) => None,
                (true, false) => Some(0.0),
                (true, true) => {
                    Some(a.dot(&b) / (of_labels * of_predicted).sqrt() * (n - 1.0).sqrt())
                }
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every order of `values`.
    fn orders<T: Copy>(values: &[T]) -> Vec<Vec<T>> {
        if values.is_empty() {
            return vec![Vec::new()];
        }
        let rest = |first: usize| [&values[..first], &values[first + 1..]].concat();
        let begun = |first: usize| {
            let all = orders(&rest(first)).into_iter();
            all.map(move |order| [vec![values[first]], order].concat())
        };
        (0..values.len()).flat_map(begun).collect()
    }

    /// How many deviations the first of some numbers lies above their mean; 0 where all are alike.
    fn standardised(first: f64, all: &[f64]) -> f64 {
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / all.len() as f64;
        if variance > 1e-12 {
            (first - mean) / variance.sqrt()
        } else {
            0.0
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn agreement_is_that_over_all_orders_of_the_labels(
            labels in prop::collection::vec(0_usize..3, 2..7),
            predicted in prop::collection::vec(0_usize..3, 7),
        ) {
            let predicted = &predicted[..labels.len()];
            let agree = |labels: &[usize]| labels.iter().zip(predicted).filter(|(a, b)| a == b).count() as f64;
            let all: Vec<f64> = orders(&labels).iter().map(|order| agree(order)).collect();
            let z = agreement(
                &Labels::Classes(labels.clone().into()),
                &Labels::Classes(predicted.to_vec().into()),
            );
            if labels.iter().all(|&label| label == labels[0]) {
                prop_assert_eq!(z, None);
            } else {
                prop_assert!((z.unwrap() - standardised(agree(&labels), &all)).abs() < 1e-9);
            }
        }

        #[test]
        fn so_is_that_of_values(values in prop::collection::vec((-2.0_f64..2.0, -2.0_f64..2.0), 2..7)) {
            let (labels, predicted): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
            let product = |labels: &[f64]| labels.iter().zip(&predicted).map(|(a, b)| a * b).sum::<f64>();
            let all: Vec<f64> = orders(&labels).iter().map(|order| product(order)).collect();
            let z = agreement(&Labels::Values(labels.clone().into()), &Labels::Values(predicted.clone().into()));
            prop_assert!((z.unwrap() - standardised(product(&labels), &all)).abs() < 1e-6);
        }
    }

    #[test]
    fn effective_classes_are_counted() {
        let effective = |classes: Vec<usize>| effective_classes(&classes.into(), 4);
        assert_eq!(effective(vec![3, 3, 3]), 1.0);
        assert!((effective(vec![0, 3, 0, 3]) - 2.0).abs() < 1e-12);
        // Shares of 1/4 and 3/4: 4^(1/4) (4/3)^(3/4).
        let expected = 4.0_f64.powf(0.25) * (4.0_f64 / 3.0).powf(0.75);
        assert!((effective(vec![1, 2, 2, 2]) - expected).abs() < 1e-12);
    }
}
