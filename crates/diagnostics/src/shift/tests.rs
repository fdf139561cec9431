use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;
use translearn_core::{
    Features, TransferError,
    kernel::{Kernel, ResolvedKernel},
    seed,
};
use translearn_learners::Stump;

use super::*;

type Test = Box<dyn Fn(&Features, &Features, u64) -> Result<(f64, f64, f64), TransferError>>;

/// Every test: statistic, p-value and effect.
fn tests(n_permutations: usize) -> Vec<(&'static str, Test)> {
    let parts = |found: TestResult| (found.statistic, found.p_value, found.effect);
    let mmd = |estimator| {
        let test = Mmd::default()
            .estimator(estimator)
            .n_permutations(n_permutations);
        Box::new(move |s: &_, t: &_, seed| test.test(s, t, seed).map(parts)) as Test
    };
    let moments = |kind| {
        let test = MomentDistance::default()
            .kind(kind)
            .n_directions(8)
            .n_permutations(n_permutations);
        Box::new(move |s: &_, t: &_, seed| test.test(s, t, seed).map(parts)) as Test
    };
    let energy = Energy::default().n_permutations(n_permutations);
    let classifier = ClassifierTest::default().n_permutations(n_permutations);
    let divergence = |kind| {
        let test = Divergence::default()
            .kind(kind)
            .n_permutations(n_permutations);
        Box::new(move |s: &_, t: &_, seed| test.test(s, t, seed).map(parts)) as Test
    };
    let marginals = |categorical: Vec<usize>| {
        let test = Marginals::default()
            .categorical(categorical)
            .n_permutations(n_permutations);
        Box::new(move |s: &Features, t: &_, seed| {
            // The domains of these tests have categories in column 1 or nowhere.
            let found = test.test(s, t, seed)?;
            let largest =
                |of: fn(&ColumnShift) -> f64| found.columns.iter().map(of).fold(0.0_f64, f64::max);
            Ok((
                largest(|c| c.statistic),
                found.p_value,
                largest(|c| c.effect),
            ))
        }) as Test
    };
    vec![
        ("mmd", mmd(MmdEstimator::Full)),
        ("mmd, blocks", mmd(MmdEstimator::Block)),
        ("mmd, linear", mmd(MmdEstimator::Linear)),
        (
            "energy",
            Box::new(move |s: &_, t: &_, seed| energy.test(s, t, seed).map(parts)),
        ),
        (
            "classifier",
            Box::new(move |s: &_, t: &_, seed| classifier.test(s, t, seed).map(parts)),
        ),
        ("divergence", divergence(DivergenceKind::JensenShannon)),
        ("relative divergence", divergence(DivergenceKind::Pearson)),
        ("marginals", marginals(Vec::new())),
        ("marginals, categories", marginals(vec![1])),
        ("coral", moments(MomentKind::Coral)),
        ("frechet", moments(MomentKind::Frechet)),
        ("sliced", moments(MomentKind::SlicedWasserstein)),
    ]
}

/// Two columns: heavy tails, and whole numbers with many ties. The target's first column is shifted, both are stretched.
fn sample(n: usize, shift: f64, stretch: f64, rng: &mut seed::Rng) -> Features {
    let row = |_| {
        let heavy = rng.normal() / (0.3 + rng.uniform());
        [
            shift + stretch * heavy,
            (stretch * (1.0 + rng.normal())).round(),
        ]
    };
    let rows: Vec<f64> = (0..n).flat_map(row).collect();
    Array2::from_shape_vec((n, 2), rows).unwrap().into()
}

/// A chance of 1/20 in 400 runs: 12 to 29 hits in 19 of 20 series.
#[test]
fn where_there_is_no_shift_one_in_twenty_is_found() {
    for (name, test) in tests(199) {
        let mut rng = seed::rng(11);
        let hits = (0..400)
            .filter(|&run| {
                let (source, target) = (
                    sample(24, 0.0, 1.0, &mut rng),
                    sample(31, 0.0, 1.0, &mut rng),
                );
                test(&source, &target, run).unwrap().1 <= 0.05
            })
            .count();
        println!("{name}: {hits} of 400 at 0.05");
        assert!((12..=29).contains(&hits), "{name}: {hits} of 400");
    }
}

#[test]
fn a_shift_is_found() {
    for (name, test) in tests(199) {
        let mut rng = seed::rng(12);
        let runs: Vec<(f64, f64)> = (0..40)
            .map(|run| {
                let (source, target) = (
                    sample(60, 0.0, 1.0, &mut rng),
                    sample(80, 2.0, 2.0, &mut rng),
                );
                let (_, p, effect) = test(&source, &target, run).unwrap();
                (p, effect)
            })
            .collect();
        let power = runs.iter().filter(|(p, _)| *p <= 0.05).count() as f64 / 40.0;
        let effect = runs.iter().map(|(_, effect)| effect).sum::<f64>() / 40.0;
        println!("{name}: power {power}, effect {effect:.3}");
        assert!(power >= 0.9, "{name}: power {power}");
        assert!(effect > 0.02 && effect <= 1.0, "{name}: effect {effect}");
    }
}

#[test]
fn the_order_of_the_rows_changes_no_bit() {
    let mut rng = seed::rng(3);
    let (source, target) = (
        sample(17, 0.0, 1.0, &mut rng),
        sample(22, 0.5, 1.0, &mut rng),
    );
    let shuffled = |x: &Features, rng: &mut seed::Rng| x.select_rows(&rng.permutation(x.n_rows()));
    for (name, test) in tests(99) {
        let moved = test(
            &shuffled(&source, &mut rng),
            &shuffled(&target, &mut rng),
            5,
        );
        assert_eq!(test(&source, &target, 5).unwrap(), moved.unwrap(), "{name}");
    }
}

/// What is drawn by the seed for each domain apart is not symmetric: blocks and halves.
#[test]
fn source_and_target_may_change_places() {
    let mut rng = seed::rng(4);
    let (source, target) = (
        sample(20, 0.0, 1.0, &mut rng),
        sample(20, 1.0, 1.0, &mut rng),
    );
    for (name, test) in tests(9) {
        if name.contains("divergence")
            || ["mmd, blocks", "mmd, linear", "classifier"].contains(&name)
        {
            continue;
        }
        let one = test(&source, &target, 5).unwrap();
        let other = test(&target, &source, 5).unwrap();
        let near = |a: f64, b: f64| (a - b).abs() < 1e-10 * (1.0 + a.abs());
        assert!(
            near(one.0, other.0)
                && (name == "coral"
                    || name == "frechet"
                    || name == "sliced"
                    || near(one.2, other.2)),
            "{name}: {one:?} {other:?}"
        );
    }
}

#[test]
fn equal_rows_show_nothing() {
    let constant = |n: usize| Features::from(Array2::from_elem((n, 2), 3.0));
    for (name, test) in tests(19) {
        let (_, p, effect) = test(&constant(6), &constant(9), 1).unwrap();
        assert_eq!((p, effect), (1.0, 0.0), "{name}");
    }
}

#[test]
fn what_cannot_be_tested_says_why() {
    let rows =
        |n: usize, d: usize| Features::from(Array2::from_shape_fn((n, d), |(i, j)| (i * j) as f64));
    let mut broken = Array2::zeros((5, 2));
    broken[[3, 1]] = f64::NAN;
    let broken = Features::from(broken);
    for (name, test) in tests(19) {
        let error = |s: &Features, t: &Features| test(s, t, 0).unwrap_err();
        let mismatch = matches!(
            error(&rows(5, 2), &rows(5, 3)),
            TransferError::FeatureMismatch { .. }
        );
        let nan = matches!(error(&rows(5, 2), &broken), TransferError::NotFinite { .. });
        let few = matches!(
            error(&rows(1, 2), &rows(5, 2)),
            TransferError::TooFewRows { .. }
        );
        assert!(mismatch && nan && few, "{name}");
        let (_, p, _) = test(&rows(4, 2), &rows(4, 2), 0).unwrap();
        assert!(p > 0.3, "{name}: {p} for the same rows twice");
    }
    for (name, test) in tests(0) {
        let error = test(&rows(5, 2), &rows(5, 2), 0).unwrap_err();
        assert!(
            error.to_string().contains("n_permutations"),
            "{name}: {error}"
        );
    }
    let categorical = Marginals::default().categorical(vec![2]);
    let error = categorical.test(&rows(5, 2), &rows(5, 2), 0).unwrap_err();
    assert!(error.to_string().contains("columns below 2"), "{error}");
}

/// The three sums of the formula, pair by pair.
fn naive(k: impl Fn(usize, usize) -> f64, source: &[usize], target: &[usize]) -> f64 {
    let mean = |left: &[usize], right: &[usize]| {
        let pairs = left
            .iter()
            .flat_map(|&i| right.iter().map(move |&j| (i, j)));
        let values: Vec<f64> = pairs
            .filter(|(i, j)| i != j)
            .map(|(i, j)| k(i, j))
            .collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    mean(source, source) + mean(target, target) - 2.0 * mean(source, target)
}

fn normal(n: usize, d: usize, rng: &mut seed::Rng) -> Array2<f64> {
    Array2::from_shape_simple_fn((n, d), || rng.normal())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn one_product_is_every_relabelling(m in 2_usize..9, n in 2_usize..9, seed: u64) {
        let mut rng = seed::rng(seed);
        let (source, target) = (Features::from(normal(m, 2, &mut rng)), Features::from(normal(n, 2, &mut rng)));
        let pair = relabel::Pair::new(&source, &target).unwrap();
        let rows = pair.pooled().unwrap();
        let gram = ResolvedKernel::Rbf { gamma: 0.4 }.gram(&rows).unwrap();
        let k = |i: usize, j: usize| gram[[i, j]];
        let all: Vec<usize> = (0..m + n).collect();
        let split = relabel::Split::new(gram.clone(), pair.sizes(), 150, seed).unwrap();
        prop_assert!((split.observed - naive(k, &all[..m], &all[m..])).abs() < 1e-12);
        for (number, &value) in split.relabelled.iter().enumerate() {
            let of_source = pair.sizes().relabelled(seed, number);
            let of_target: Vec<usize> = (0..m + n).filter(|row| !of_source.contains(row)).collect();
            prop_assert!((value - naive(k, &of_source, &of_target)).abs() < 1e-12);
        }
        // The variance in the kernel's space: half the mean squared distance of any two rows.
        let pairs = (0..m + n).flat_map(|i| (0..i).map(move |j| (i, j)));
        let halves: Vec<f64> = pairs.map(|(i, j)| 0.5 * (k(i, i) + k(j, j) - 2.0 * k(i, j))).collect();
        let variance = halves.iter().sum::<f64>() / halves.len() as f64;
        prop_assert!((split.variance - variance).abs() < 1e-12);
        let found = Mmd::default().kernel(Kernel::Rbf { gamma: Some(0.4) }).test(&source, &target, seed).unwrap();
        prop_assert_eq!(found.statistic, split.observed);
        let share = (m * n) as f64 / ((m + n) * (m + n)) as f64 * split.observed / variance;
        prop_assert!((found.effect - share.clamp(0.0, 1.0)).abs() < 1e-12);
    }

    #[test]
    fn the_energy_distance_is_its_formula(m in 2_usize..9, n in 2_usize..9, seed: u64) {
        let mut rng = seed::rng(seed);
        let (source, target) = (normal(m, 3, &mut rng), normal(n, 3, &mut rng));
        let rows = ndarray::concatenate![Axis(0), source, target];
        let distance = |i: usize, j: usize| (&rows.row(i) - &rows.row(j)).mapv(|v| v * v).sum().sqrt();
        let all: Vec<usize> = (0..m + n).collect();
        let expected = -naive(distance, &all[..m], &all[m..]);
        let found = Energy::default().test(&source.into(), &target.into(), seed).unwrap();
        prop_assert!((found.statistic - expected).abs() < 1e-11);
    }

    /// Every split of few rows, with ties.
    #[test]
    fn the_p_value_of_kolmogorov_and_smirnov_counts_all_splits(m in 2_usize..6, n in 2_usize..6, levels in 2_usize..12, seed: u64) {
        let mut rng = seed::rng(seed);
        let mut draw = |n: usize| Array2::from_shape_simple_fn((n, 1), || rng.below(levels) as f64);
        let (source, target) = (draw(m), draw(n));
        let values: Vec<f64> = source.iter().chain(&target).copied().collect();
        let apart = |split: usize| {
            let share = |x: f64, of_source: bool| {
                let of = (0..m + n).filter(|row| (split >> row & 1 == 1) == of_source);
                let (below, all) = of.fold((0, 0), |(below, all), row| (below + usize::from(values[row] <= x), all + 1));
                f64::from(below as u32) / f64::from(all as u32)
            };
            values.iter().map(|&x| (share(x, true) - share(x, false)).abs()).fold(0.0_f64, f64::max)
        };
        let observed = apart((1 << m) - 1);
        let splits = (0_usize..1 << (m + n)).filter(|split| split.count_ones() as usize == m);
        let (as_far, all) = splits.fold((0_usize, 0_u32), |(far, all), split| (far + usize::from(apart(split) >= observed - 1e-12), all + 1));
        let found = &Marginals::default().test(&source.into(), &target.into(), 0).unwrap().columns[0];
        prop_assert!((found.statistic - observed).abs() < 1e-12);
        prop_assert!((found.p_value - as_far as f64 / f64::from(all)).abs() < 1e-12, "{} {as_far}/{all}", found.p_value);
    }

    #[test]
    fn chi_squared_compares_counts_with_what_is_expected(m in 2_usize..20, n in 2_usize..20, seed: u64) {
        let mut rng = seed::rng(seed);
        let mut draw = |n: usize| Array2::from_shape_simple_fn((n, 1), || rng.below(3) as f64);
        let (source, target) = (draw(m), draw(n));
        let count = |x: &Array2<f64>, value: f64| x.iter().filter(|&&v| v == value).count() as f64;
        let mut expected = 0.0;
        for value in [0.0, 1.0, 2.0] {
            let total = count(&source, value) + count(&target, value);
            for (sample, rows) in [(&source, m), (&target, n)] {
                let e = total * rows as f64 / (m + n) as f64;
                expected += if e > 0.0 { (count(sample, value) - e).powi(2) / e } else { 0.0 };
            }
        }
        let test = Marginals::default().categorical(vec![0]);
        let found = &test.test(&source.into(), &target.into(), 0).unwrap().columns[0];
        prop_assert!((found.statistic - expected).abs() < 1e-10);
        prop_assert!((found.effect - (expected / (m + n) as f64).sqrt()).abs() < 1e-10);
    }
}

/// scipy 1.17: `ks_2samp(range(10), arange(5, 17) + 0.5, method="exact")`.
#[test]
fn kolmogorov_and_smirnov_agree_with_scipy() {
    let column = |values: Vec<f64>| Features::from(Array1::from(values).insert_axis(Axis(1)));
    let source = column((0..10).map(f64::from).collect());
    let target = column((5..17).map(|v| f64::from(v) + 0.5).collect());
    let found = Marginals::default().test(&source, &target, 0).unwrap();
    let found = &found.columns[0];
    assert!((found.statistic - SCIPY_KS.0).abs() < 1e-12, "{found:?}");
    assert!((found.p_value - SCIPY_KS.1).abs() < 1e-12, "{found:?}");
}
const SCIPY_KS: (f64, f64) = (0.6666666666666666, 0.006733204875619736);

/// With more rows than the recursion is for, the limit; on either side of the bound nearly the same.
#[test]
fn the_limit_continues_the_exact_p_values() {
    let mut rng = seed::rng(8);
    let mut draw = |n: usize, shift: f64| Features::from(normal(n, 1, &mut rng) + shift);
    let (source, target) = (draw(2000, 0.0), draw(2001, 0.04));
    let p = |rows: usize| {
        let target = target.select_rows(&(0..rows).collect::<Vec<_>>());
        Marginals::default()
            .test(&source, &target, 0)
            .unwrap()
            .p_value
    };
    let (exact, limit) = (p(2000), p(2001));
    assert!((exact / limit - 1.0).abs() < 0.1, "{exact} {limit}");
}

/// Blocks drawn anew compare other pairs: in the mean, all of them.
#[test]
fn blocks_are_the_whole_in_the_mean() {
    let mut rng = seed::rng(5);
    let source = Features::from(normal(12, 1, &mut rng));
    let target = Features::from(normal(12, 1, &mut rng) + 0.5);
    let kernel = Kernel::Rbf { gamma: Some(0.5) };
    let mmd = Mmd::default().kernel(kernel).n_permutations(1);
    let whole = mmd.test(&source, &target, 0).unwrap().statistic;
    for estimator in [MmdEstimator::Block, MmdEstimator::Linear] {
        let draws: Vec<f64> = (0..2000)
            .map(|seed| {
                mmd.clone()
                    .estimator(estimator)
                    .test(&source, &target, seed)
                    .unwrap()
                    .statistic
            })
            .collect();
        let mean = draws.iter().sum::<f64>() / 2000.0;
        let variance = draws.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 1999.0;
        let error = (variance / 2000.0).sqrt();
        assert!(
            (mean - whole).abs() < 4.0 * error,
            "{estimator:?}: {mean} {whole} ± {error}"
        );
    }
}

#[test]
fn the_area_under_the_curve_counts_pairs() {
    let source = Features::from(array![[0.0], [1.0], [2.0], [3.0], [9.0], [8.0]]);
    let target = Features::from(array![[5.0], [6.0], [7.0], [2.5], [9.0], [1.0]]);
    for learner in [
        translearn_learners::Logistic::params().into(),
        translearn_core::BaseLearner::from(Stump::params()),
    ] {
        for seed in 0..10 {
            let test = ClassifierTest::default().learner(learner.clone());
            let found = test.test(&source, &target, seed).unwrap();
            // Nine pairs of rows held out, each won, lost or a tie.
            let halves = found.statistic * 18.0;
            assert!((halves - halves.round()).abs() < 1e-9, "{halves}");
        }
    }
}

#[test]
fn parameters_survive_json() {
    let mmd = Mmd::default()
        .estimator(MmdEstimator::Linear)
        .n_permutations(7);
    let text = serde_json::to_string(&mmd).unwrap();
    assert_eq!(serde_json::from_str::<Mmd>(&text).unwrap(), mmd);
    let moments = MomentDistance::default().kind(MomentKind::SlicedWasserstein);
    let text = serde_json::to_string(&moments).unwrap();
    assert!(text.contains("sliced-wasserstein"));
    assert_eq!(
        serde_json::from_str::<MomentDistance>(&text).unwrap(),
        moments
    );
}
