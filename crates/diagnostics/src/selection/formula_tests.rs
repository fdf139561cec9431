//! Every formula of the documentation, evaluated one row at a time.

use std::sync::Arc;

use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;
use translearn_core::{
    Labels, Prediction, SourceWeighter, SourceWeights, TransferModel, TransferProblem, seed,
};

use super::tests::{Told, problem, problem_of, softmax, value};
use super::*;

/// Weights by the first column.
#[derive(Debug)]
struct Exponential;

impl SourceWeighter for Exponential {
    fn source_weights(
        &self,
        problem: &TransferProblem,
        _: u64,
    ) -> Result<SourceWeights, TransferError> {
        Ok(problem
            .source()?
            .features
            .dense()?
            .column(0)
            .mapv(f64::exp)
            .into())
    }
}

fn entropy_of(p: &[f64]) -> f64 {
    p.iter()
        .map(|p| if *p > 0.0 { -p * p.ln() } else { 0.0 })
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn scores_of_probabilities_are_their_formulas(n in 4_usize..20, k in 2_usize..5, seed: u64, temperature in 0.02_f64..2.0, exponent in 1.0_f64..6.0) {
        let problem = problem(n, k, seed);
        let model = softmax(k, seed);
        let candidate = Candidate::new(&model, &problem).unwrap();
        let p = candidate.probabilities("test").unwrap().clone();
        let rows: Vec<Vec<f64>> = p.outer_iter().map(|row| row.to_vec()).collect();
        let mean_entropy = rows.iter().map(|row| entropy_of(row)).sum::<f64>() / n as f64;
        prop_assert!((value(&PredictionEntropy, &candidate) + mean_entropy).abs() < 1e-12);
        let shares: Vec<f64> = (0..k).map(|class| rows.iter().map(|row| row[class]).sum::<f64>() / n as f64).collect();
        let information = value(&InformationMaximization, &candidate);
        prop_assert!((information - entropy_of(&shares) + mean_entropy).abs() < 1e-12);
        prop_assert!(information > -1e-12);

        let cosine = |i: usize, j: usize| {
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            dot(&rows[i], &rows[j]) / (dot(&rows[i], &rows[i]) * dot(&rows[j], &rows[j])).sqrt()
        };
        let density = (0..n).map(|i| {
            let others: Vec<f64> = (0..n).filter(|&j| j != i).map(|j| (cosine(i, j) / temperature).exp()).collect();
            let total: f64 = others.iter().sum();
            entropy_of(&others.iter().map(|v| v / total).collect::<Vec<f64>>())
        }).sum::<f64>() / n as f64;
        let scorer = SoftNeighbourhoodDensity::default().temperature(temperature);
        prop_assert!((value(&scorer, &candidate) - density).abs() < 1e-9);
        prop_assert!(density <= ((n - 1) as f64).ln() + 1e-9);

        // Both ways to normalise: of models that are never sure enough, and of those that always are.
        let sure = -rows.iter().flatten().map(|p| p.ln()).sum::<f64>() / (n * k) as f64;
        for (eta, softmax) in [(sure * 0.9, true), (sure * 1.1, false)] {
            let normalised: Vec<f64> = rows.iter().flat_map(|row| {
                let mean = row.iter().map(|p| p.ln()).sum::<f64>() / k as f64;
                let v: Vec<f64> = row.iter().map(|p| {
                    let q = p.ln() - mean;
                    if softmax { q.exp() } else { 1.0 + q + q * q / 2.0 }
                }).collect();
                let sum: f64 = v.iter().sum();
                v.into_iter().map(move |v| v / sum)
            }).collect();
            let norm = normalised.iter().map(|v| v.powf(exponent)).sum::<f64>() / (n * k) as f64;
            let ours = value(&MaNo::default().p(exponent).eta(eta), &candidate);
            prop_assert!((ours - norm.powf(1.0 / exponent)).abs() < 1e-9);
        }
    }

    #[test]
    fn the_silhouette_is_its_formula(n in 4_usize..20, k in 2_usize..4, seed: u64) {
        let mut rng = seed::rng(seed);
        let rows = Array2::from_shape_simple_fn((n, 2), || rng.normal());
        // The class k is skipped.
        let classes: Vec<usize> = (0..n).map(|row| if row < 2 { row } else { rng.below(k) }).map(|c| 2 * c).collect();
        let distance = |i: usize, j: usize| (&rows.row(i) - &rows.row(j)).mapv(|v| v * v).sum().sqrt();
        let mean = |i: usize, class: usize| {
            let there: Vec<f64> = (0..n).filter(|&j| j != i && classes[j] == class).map(|j| distance(i, j)).collect();
            there.iter().sum::<f64>() / there.len() as f64
        };
        let expected = (0..n).map(|i| {
            let a = mean(i, classes[i]);
            let b = classes.iter().filter(|&&c| c != classes[i]).map(|&c| mean(i, c)).fold(f64::INFINITY, f64::min);
            if a.is_nan() { 0.0 } else { (b - a) / a.max(b) }
        }).sum::<f64>() / n as f64;
        let ours = crate::silhouette::of_features(&rows.clone().into(), &classes.clone().into()).unwrap();
        prop_assert!((ours - expected).abs() < 1e-7, "{ours} {expected}");
        prop_assert!((-1.0..=1.0).contains(&ours));
    }

    #[test]
    fn mixtures_are_what_their_larger_part_is(n in 2_usize..20, k in 2_usize..4, seed: u64, alpha in 0.51_f64..1.0) {
        let problem = problem(n, k, seed);
        let model = softmax(k, seed);
        let candidate = Candidate::new(&model, &problem).unwrap();
        let ours = value(&MixVal::default().alpha(alpha), &candidate);
        // The ring of the documentation, and one row at a time.
        let x = problem.target_features().dense().unwrap().into_owned();
        let mut ring = problem.target_features().rows_by_value();
        seed::rng(seed::derive(7, &["mixval"])).shuffle(&mut ring);
        let class = |row: Array1<f64>| {
            let answer = model.predict(&row.insert_axis(Axis(0)).into()).unwrap();
            answer.labels.classes("test").unwrap()[0]
        };
        let mut kinds = [Vec::new(), Vec::new()];
        for at in 0..n {
            let (i, j) = (ring[at], ring[(at + 1) % n]);
            let (own, other) = (class(x.row(i).to_owned()), class(x.row(j).to_owned()));
            let mixed = class(alpha * &x.row(i) + (1.0 - alpha) * &x.row(j));
            kinds[usize::from(own == other)].push(f64::from(u8::from(mixed == own)));
        }
        let shares: Vec<f64> = kinds.iter().filter(|kind| !kind.is_empty())
            .map(|kind| kind.iter().sum::<f64>() / kind.len() as f64).collect();
        prop_assert!((ours - shares.iter().sum::<f64>() / shares.len() as f64).abs() < 1e-12);
        // Classes of a linear model are convex: two rows of one class never leave it.
        prop_assert!(kinds[1].iter().all(|&kept| kept == 1.0));
    }

    #[test]
    fn weighted_risks_are_their_formulas(n in 3_usize..30, seed: u64, classification: bool) {
        let mut rng = seed::rng(seed);
        let mut column = || Array1::from_shape_simple_fn(n, || rng.normal());
        let (x, y, told) = (column(), column(), column());
        let (labels, answers, loss) = if classification {
            let class = |v: &Array1<f64>| v.mapv(|v| usize::from(v > 0.0));
            let loss: Vec<f64> = y.iter().zip(&told).map(|(a, b)| f64::from(u8::from((*a > 0.0) != (*b > 0.0)))).collect();
            (Labels::Classes(class(&y)), Labels::Classes(class(&told)), loss)
        } else {
            let loss = y.iter().zip(&told).map(|(a, b)| (a - b).powi(2)).collect();
            (Labels::Values(y.clone()), Labels::Values(told.clone()), loss)
        };
        let rows = x.clone().insert_axis(Axis(1));
        let problem = problem_of(rows.clone(), labels, rows, 2);
        let model = Told { source: answers.clone(), target: Prediction { labels: answers, scores: None } };
        let candidate = Candidate::new(&model, &problem).unwrap();
        let w: Vec<f64> = x.iter().map(|x| x.exp()).collect();
        let sum = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>();
        let expected = -sum(&|i| w[i] * loss[i]) / sum(&|i| w[i]);
        let ours = value(&ImportanceWeighted::default().weighter(Arc::new(Exponential)), &candidate);
        prop_assert!((ours - expected).abs() < 1e-10);

        let n = n as f64;
        let (mean_wl, mean_w) = (sum(&|i| w[i] * loss[i]) / n, sum(&|i| w[i]) / n);
        let covariance = sum(&|i| (w[i] * loss[i] - mean_wl) * (w[i] - mean_w)) / (n - 1.0);
        let variance = sum(&|i| (w[i] - mean_w).powi(2)) / (n - 1.0);
        let of_losses = sum(&|i| (w[i] * loss[i] - mean_wl).powi(2)) / (n - 1.0);
        let eta = -covariance / variance;
        let risk = Dev::default().weighter(Arc::new(Exponential)).risk(&candidate, 0).unwrap();
        prop_assert!((risk.risk - (mean_wl + eta * mean_w - eta)).abs() < 1e-9 * (1.0 + risk.risk.abs()));
        let left = (of_losses - covariance * covariance / variance).max(0.0) * (n - 1.0) / (n - 2.0) / n;
        prop_assert!((risk.standard_error.powi(2) - left).abs() < 1e-9 * (1.0 + of_losses));
    }
}
