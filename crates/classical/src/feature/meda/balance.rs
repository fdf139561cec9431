//! How much the classes differ between the domains, against the domains as a whole.

use ndarray::Array1;
use rayon::prelude::*;
use translearn_core::{
    Features, FitSample, Labels, Predictor, Sample, TransferError, seed::derive,
};
use translearn_learners::LinearSvm;

/// The rows of both domains, and how well they are told apart.
#[derive(Debug)]
pub(super) struct Balance<'a> {
    source: &'a Features,
    target: &'a Features,
    marginal: f64,
    seed: u64,
}

impl<'a> Balance<'a> {
    pub(super) fn new(
        source: &'a Features,
        target: &'a Features,
        seed: u64,
    ) -> Result<Self, TransferError> {
        Ok(Self {
            source,
            target,
            marginal: distance(source, target, derive(seed, &["domains"]))?,
            seed,
        })
    }

    /// `μ = d_C / (d_C + d_M)` with the distance `d_M` of the domains and the mean `d_C` of the distances of the
    /// classes that occur in both; one half where nothing differs.
    pub(super) fn mu(
        &self,
        source: &Array1<usize>,
        target: &Array1<usize>,
        n_classes: usize,
    ) -> Result<f64, TransferError> {
        let rows = |labels: &Array1<usize>, class: usize| -> Vec<usize> {
            (0..labels.len())
                .filter(|&row| labels[row] == class)
                .collect()
        };
        let of_classes: Vec<f64> = (0..n_classes)
            .into_par_iter()
            .map(|class| (class, rows(source, class), rows(target, class)))
            .filter(|(_, source, target)| !source.is_empty() && !target.is_empty())
            .map(|(class, source, target)| {
                distance(
                    &self.source.select_rows(&source),
                    &self.target.select_rows(&target),
                    derive(self.seed, &["class", &class.to_string()]),
                )
            })
            .collect::<Result<_, _>>()?;
        let conditional = of_classes.iter().sum::<f64>() / of_classes.len().max(1) as f64;
        let both = conditional + self.marginal;
        Ok(if both > 0.0 { conditional / both } else { 0.5 })
    }
}

/// The proxy A-distance `2 (1 - 2ε)`, `ε` the share of rows that a linear support vector machine, fitted to tell the
/// two apart, puts on the wrong side; 0 where it does no better than a guess.
fn distance(source: &Features, target: &Features, seed: u64) -> Result<f64, TransferError> {
    let rows = source.stack(target)?;
    let side = Array1::from_shape_fn(rows.n_rows(), |row| usize::from(row >= source.n_rows()));
    let labels = Labels::Classes(side.clone());
    let sample = Sample::new(&rows, &labels, 2)?;
    let predicted = LinearSvm::params()
        .fit_sample(&sample, seed)?
        .predict(&rows)?;
    let predicted = predicted.labels.classes("meda")?;
    let wrong = predicted.iter().zip(&side).filter(|(a, b)| a != b).count();
    Ok((2.0 - 4.0 * wrong as f64 / rows.n_rows() as f64).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn rows(n: usize, at: impl Fn(usize) -> [f64; 2]) -> Features {
        Array2::from_shape_fn((n, 2), |(row, column)| at(row)[column]).into()
    }

    #[test]
    fn what_is_told_apart_is_far_and_what_is_not_is_near() {
        let spread = |row: usize| (row % 5) as f64 * 0.1;
        let here = rows(20, |row| [spread(row), 0.0]);
        let there = rows(30, |row| [spread(row), 5.0]);
        assert_eq!(distance(&here, &there, 0).unwrap(), 2.0);
        // Twenty against twenty at the same places: half are wrong, whatever the boundary.
        assert!(distance(&here, &here, 0).unwrap() < 1e-12);
    }

    #[test]
    fn the_balance_follows_the_classes() {
        // The domains as a whole lie at the same places, the classes have changed theirs.
        let source = rows(20, |row| {
            [f64::from(row < 10) * 4.0, (row % 5) as f64 * 0.1]
        });
        let balance = Balance::new(&source, &source, 0).unwrap();
        let classes = Array1::from_shape_fn(20, |row| usize::from(row < 10));
        let changed = classes.mapv(|class| 1 - class);
        assert_eq!(balance.mu(&classes, &changed, 2).unwrap(), 1.0);
        assert_eq!(balance.mu(&classes, &classes, 2).unwrap(), 0.5);
        // No class in common: nothing but the domains to go by.
        let far = rows(20, |row| [9.0, (row % 5) as f64 * 0.1]);
        let balance = Balance::new(&source, &far, 0).unwrap();
        assert_eq!(
            balance.mu(&classes, &Array1::from_elem(20, 2), 3).unwrap(),
            0.0
        );
        assert_eq!(
            balance
                .mu(&Array1::zeros(20), &Array1::zeros(20), 1)
                .unwrap(),
            0.5
        );
    }
}
