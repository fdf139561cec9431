use ndarray::{Array1, Array2, array};
use proptest::prelude::*;
use translearn_core::{Learner, seed};

use super::*;

/// The slow version: try every threshold of every feature, score it by its definition, recurse.
fn slow(
    x: &Array2<f64>,
    y: &[f64],
    w: &[f64],
    rows: &[usize],
    depth: usize,
    classes: usize,
    query: &[f64],
) -> Vec<f64> {
    let weight = |rows: &[usize]| rows.iter().map(|&i| w[i]).sum::<f64>();
    let value = |rows: &[usize]| -> Vec<f64> {
        if classes == 0 {
            return vec![rows.iter().map(|&i| w[i] * y[i]).sum::<f64>() / weight(rows)];
        }
        (0..classes)
            .map(|k| {
                rows.iter()
                    .filter(|&&i| y[i] == k as f64)
                    .map(|&i| w[i])
                    .sum::<f64>()
                    / weight(rows)
            })
            .collect()
    };
    let impurity = |rows: &[usize]| -> f64 {
        let v = value(rows);
        if classes == 0 {
            return rows
                .iter()
                .map(|&i| w[i] * (y[i] - v[0]).powi(2))
                .sum::<f64>()
                / weight(rows);
        }
        1.0 - v.iter().map(|p| p * p).sum::<f64>()
    };
    let mut best: Option<(f64, usize, f64)> = None;
    for feature in 0..x.ncols() {
        let mut values: Vec<f64> = rows.iter().map(|&i| x[[i, feature]]).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        for pair in values.windows(2) {
            let threshold = (pair[0] + pair[1]) / 2.0;
            let (l, r): (Vec<usize>, Vec<usize>) =
                rows.iter().partition(|&&i| x[[i, feature]] <= threshold);
            let share = weight(&l) / weight(rows);
            let gain = impurity(rows) - share * impurity(&l) - (1.0 - share) * impurity(&r);
            if best.is_none_or(|b| gain > b.0 + 1e-10 * impurity(rows)) {
                best = Some((gain, feature, threshold));
            }
        }
    }
    match best {
        Some((_, feature, threshold)) if depth > 0 && rows.iter().any(|&i| y[i] != y[rows[0]]) => {
            let (l, r): (Vec<usize>, Vec<usize>) =
                rows.iter().partition(|&&i| x[[i, feature]] <= threshold);
            slow(
                x,
                y,
                w,
                if query[feature] <= threshold { &l } else { &r },
                depth - 1,
                classes,
                query,
            )
        }
        _ => value(rows),
    }
}

/// Small integers, so that values, labels and gains tie often.
fn table(
    seed: u64,
    n: usize,
    d: usize,
    classes: usize,
) -> (Array2<f64>, Array1<usize>, Array1<f64>) {
    let mut rng = seed::rng(seed);
    let x = Array2::from_shape_simple_fn((n, d), || rng.below(5) as f64);
    let y = Array1::from_shape_simple_fn(n, || rng.below(classes));
    let w = Array1::from_shape_simple_fn(n, || rng.uniform() + 0.1);
    (x, y, w)
}

fn outputs(tree: &Tree, x: &Array2<f64>) -> Array2<f64> {
    let prediction = tree.predict(&Features::from(x.clone())).unwrap();
    match (prediction.scores, prediction.labels) {
        (Some(scores), _) => scores.matrix().clone(),
        (None, Labels::Values(values)) => values.insert_axis(ndarray::Axis(1)),
        (None, Labels::Classes(_)) => panic!("a classification tree without probabilities"),
    }
}

fn assert_close(a: &Array2<f64>, b: &Array2<f64>) {
    assert_eq!(a.dim(), b.dim());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_tree_is_the_slow_one(seed in 0_u64..10_000, n in 1_usize..24, d in 1_usize..4, depth in 1_usize..5, classes in 1_usize..4) {
        let (x, y, w) = table(seed, n, d, classes);
        let features = Features::from(x.clone());
        let params = Tree::params().max_depth(depth);
        let values: Vec<f64> = y.iter().map(|&c| c as f64).collect();
        let rows: Vec<usize> = (0..n).collect();
        for (labels, n_classes) in [(Labels::from(y.clone()), classes), (Labels::from(Array1::from(values.clone())), 0)] {
            let sample = Sample::new(&features, &labels, n_classes).unwrap().with_weights(&w).unwrap();
            let tree = params.fit_sample(&sample, 0).unwrap();
            prop_assert!(tree.depth() <= depth);
            let width = n_classes.max(1);
            let expected = Array2::from_shape_fn((n, width), |(i, k)| {
                slow(&x, &values, w.as_slice().unwrap(), &rows, depth, n_classes, x.row(i).as_slice().unwrap())[k]
            });
            assert_close(&outputs(&tree, &x), &expected);
        }
    }

    #[test]
    fn weight_two_is_the_row_twice_and_weight_zero_no_row(seed in 0_u64..10_000) {
        let (x, y, _) = table(seed, 20, 3, 3);
        let mut rng = seed::rng(seed ^ 1);
        let counts: Vec<usize> = (0..20).map(|_| rng.below(3)).collect();
        prop_assume!(counts.iter().sum::<usize>() > 0);
        let w = counts.iter().map(|&c| c as f64).collect::<Array1<f64>>();
        let repeated: Vec<usize> = (0..20).flat_map(|i| vec![i; counts[i]]).collect();
        let features = Features::from(x.clone());
        let codes = Labels::from(y.clone());
        let values = Labels::from(y.mapv(|c| c as f64 * 0.3 + 0.1));
        for criterion in [Criterion::Gini, Criterion::Entropy] {
            for (labels, n_classes) in [(&codes, 3), (&values, 0)] {
                let params = Tree::params().criterion(criterion);
                let weighted = Sample::new(&features, labels, n_classes).unwrap().with_weights(&w).unwrap();
                let (rows, chosen) = (features.select_rows(&repeated), labels.select(&repeated));
                let twice = Sample::new(&rows, &chosen, n_classes).unwrap();
                let (a, b) = (params.fit_sample(&weighted, 0).unwrap(), params.fit_sample(&twice, 0).unwrap());
                assert_close(&outputs(&a, &x), &outputs(&b, &x));
            }
        }
    }

    #[test]
    fn the_order_of_rows_and_the_scale_of_weights_change_nothing(seed in 0_u64..10_000) {
        let (x, y, w) = table(seed, 30, 3, 3);
        let order = seed::rng(seed).permutation(30);
        let features = Features::from(x.clone());
        let labels = Labels::from(y);
        let fit = |features: &Features, labels: &Labels, w: &Array1<f64>| {
            let sample = Sample::new(features, labels, 3).unwrap().with_weights(w).unwrap();
            outputs(&Tree::params().fit_sample(&sample, 0).unwrap(), &x)
        };
        let plain = fit(&features, &labels, &w);
        let shuffled = fit(&features.select_rows(&order), &labels.select(&order), &w.select(ndarray::Axis(0), &order));
        assert_close(&plain, &shuffled);
        assert_close(&plain, &fit(&features, &labels, &(&w * 1e-250)));
        assert_close(&plain, &fit(&features, &labels, &(&w * 1e250)));
    }
}

#[test]
fn rows_of_vanishing_weight_still_part_their_own_node() {
    // TrAdaBoost leaves source rows with such weights beside target rows of weight 1.
    let x = Features::from(array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let y = Labels::from(array![0, 0, 0, 1]);
    let w = array![1.0, 1.0, 1e-200, 1e-200];
    let sample = Sample::new(&x, &y, 2).unwrap().with_weights(&w).unwrap();
    let tree = Tree::params().fit_sample(&sample, 0).unwrap();
    assert_eq!(tree.predict(&x).unwrap().labels, y);
}

#[test]
fn a_node_that_no_single_split_improves_is_split_all_the_same() {
    let x = Features::from(array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let y = Labels::from(array![0, 1, 1, 0]);
    let tree = Tree::params()
        .fit_sample(&Sample::new(&x, &y, 2).unwrap(), 0)
        .unwrap();
    assert_eq!(tree.predict(&x).unwrap().labels, y);
    assert_eq!((tree.depth(), tree.n_leaves()), (2, 4));
}

#[test]
fn leaves_hold_at_least_the_rows_asked_for() {
    let (x, y, w) = table(3, 200, 4, 3);
    let features = Features::from(x.clone());
    let labels = Labels::from(y);
    for least in [1, 7, 60, 101] {
        let sample = Sample::new(&features, &labels, 3)
            .unwrap()
            .with_weights(&w)
            .unwrap();
        let tree = Tree::params()
            .min_samples_leaf(least)
            .fit_sample(&sample, 0)
            .unwrap();
        let mut rows_of: std::collections::HashMap<Vec<u64>, usize> =
            std::collections::HashMap::new();
        for row in outputs(&tree, &x).outer_iter() {
            *rows_of
                .entry(row.iter().map(|p| p.to_bits()).collect())
                .or_default() += 1;
        }
        assert!(
            rows_of.values().all(|&n| n >= least),
            "{least}: {rows_of:?}"
        );
        assert_eq!(tree.n_leaves() == 1, least > 100);
    }
}

#[test]
fn sorting_on_demand_finds_the_same_splits() {
    // Of two features one is constant, so drawing one of the two always ends at the other.
    let (x, y, w) = table(4, 150, 1, 3);
    let mut wide = Array2::ones((150, 2));
    wide.column_mut(1).assign(&x.column(0));
    let labels = Labels::from(y);
    let (narrow, wide_features) = (Features::from(x.clone()), Features::from(wide.clone()));
    let all = Sample::new(&narrow, &labels, 3)
        .unwrap()
        .with_weights(&w)
        .unwrap();
    let some = Sample::new(&wide_features, &labels, 3)
        .unwrap()
        .with_weights(&w)
        .unwrap();
    let kept = Tree::params().fit_sample(&all, 0).unwrap();
    let drawn = Tree::params().max_features(1).fit_sample(&some, 9).unwrap();
    assert_eq!(outputs(&kept, &x), outputs(&drawn, &wide));
}

#[test]
fn drawn_features_depend_on_the_seed_alone() {
    let (x, y, _) = table(5, 120, 6, 2);
    let (features, labels) = (Features::from(x), Labels::from(y));
    let sample = Sample::new(&features, &labels, 2).unwrap();
    let fit = |seed| {
        Tree::params()
            .max_features(2)
            .fit_sample(&sample, seed)
            .unwrap()
    };
    assert_eq!(fit(1), fit(1));
    assert_ne!(fit(1), fit(2));
}

#[test]
fn sorted_features_and_threads_change_no_bit() {
    let mut rng = seed::rng(6);
    let x = Array2::from_shape_simple_fn((3000, 12), || rng.normal());
    let y = Array1::from_shape_fn(3000, |i| {
        usize::from(x[[i, 0]] * x[[i, 1]] > 0.1) + usize::from(x[[i, 2]] > 1.0)
    });
    let w = Array1::from_shape_simple_fn(3000, || rng.uniform());
    let (features, labels) = (Features::from(x), Labels::from(y));
    let sample = Sample::new(&features, &labels, 3)
        .unwrap()
        .with_weights(&w)
        .unwrap();
    let params = Tree::params().max_depth(6);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| params.fit_sample(&sample, 0).unwrap())
    };
    let one = on(1);
    assert_eq!(one, on(4));
}

#[test]
fn a_refit_is_the_fit_under_its_weights() {
    let (x, y, w) = table(11, 200, 4, 3);
    let (features, labels) = (Features::from(x), Labels::from(y));
    let sample = Sample::new(&features, &labels, 3).unwrap();
    let saved = |model: &dyn Predictor| serde_json::to_string(model).unwrap();
    let learners: [Box<dyn Learner>; 3] = [
        Box::new(Tree::params().max_depth(4)),
        Box::new(Tree::params().max_features(2)),
        Box::new(Stump::params()),
    ];
    for learner in &learners {
        let refit = learner.refit(&sample).unwrap();
        for power in [0, 1, 3] {
            let weights = w.mapv(|w| w.powi(power));
            let weighted = sample.with_weights(&weights).unwrap();
            assert_eq!(
                saved(&*refit.fit_weighted(&weights, 5).unwrap()),
                saved(&*learner.fit_boxed(&weighted, 5).unwrap())
            );
        }
        assert!(matches!(
            refit.fit_weighted(&Array1::ones(3), 0),
            Err(TransferError::LengthMismatch { .. })
        ));
    }
}

#[test]
fn saved_trees_predict_the_same_and_broken_ones_are_refused() {
    let (x, y, w) = table(7, 60, 3, 3);
    let (features, labels) = (Features::from(x), Labels::from(y));
    let sample = Sample::new(&features, &labels, 3)
        .unwrap()
        .with_weights(&w)
        .unwrap();
    let tree: Box<dyn Predictor> = Box::new(Tree::params().fit_sample(&sample, 0).unwrap());
    let text = serde_json::to_string(&tree).unwrap();
    let back: Box<dyn Predictor> = serde_json::from_str(&text).unwrap();
    assert_eq!(
        tree.predict(&features).unwrap(),
        back.predict(&features).unwrap()
    );
    for (good, bad) in [
        ("\"left\":1}", "\"left\":0}"),
        ("\"left\":1}", "\"left\":4000000}"),
        ("\"value\":0", "\"value\":99"),
    ] {
        assert!(text.contains(good));
        let broken = text.replacen(good, bad, 1);
        assert!(
            serde_json::from_str::<Box<dyn Predictor>>(&broken).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn sparse_rows_give_the_dense_tree() {
    let (x, y, _) = table(8, 40, 4, 2);
    let dense = Features::from(x.clone());
    let sparse = Features::Sparse(dense.to_sparse().unwrap().into_owned());
    let labels = Labels::from(y);
    let fit = |features| {
        Tree::params()
            .fit_sample(&Sample::new(features, &labels, 2).unwrap(), 0)
            .unwrap()
    };
    assert_eq!(fit(&dense), fit(&sparse));
    assert_eq!(
        fit(&dense).predict(&dense).unwrap(),
        fit(&dense).predict(&sparse).unwrap()
    );
}

#[test]
fn what_cannot_be_served_is_named() {
    let (features, labels) = (
        Features::from(array![[1.0], [2.0]]),
        Labels::from(array![0, 0]),
    );
    let sample = Sample::new(&features, &labels, 3).unwrap();
    assert!(matches!(
        Tree::params().max_depth(0).fit_sample(&sample, 0),
        Err(TransferError::InvalidParameter { name, .. }) if name == "max_depth"
    ));
    let tree = Tree::params().fit_sample(&sample, 0).unwrap();
    let scores = tree.predict(&features).unwrap().scores.unwrap();
    assert_eq!(scores.matrix(), array![[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]);
    let wide = tree
        .predict(&Features::from(array![[1.0, 2.0]]))
        .unwrap_err();
    assert!(matches!(
        wide,
        TransferError::FeatureMismatch {
            left_features: 1,
            right_features: 2,
            ..
        }
    ));
    assert!(tree.predict(&Features::from(array![[f64::NAN]])).is_err());
    assert!(SortedFeatures::new(&Features::from(array![[f64::NAN]])).is_err());
}

#[test]
fn a_stump_is_the_tree_of_depth_one() {
    let (x, y, w) = table(9, 80, 3, 3);
    let (features, labels) = (Features::from(x), Labels::from(y));
    let sample = Sample::new(&features, &labels, 3)
        .unwrap()
        .with_weights(&w)
        .unwrap();
    let stump = Stump::params().fit_sample(&sample, 0).unwrap();
    let tree = Tree::params().max_depth(1).fit_sample(&sample, 0).unwrap();
    assert_eq!(
        stump.predict(&features).unwrap(),
        tree.predict(&features).unwrap()
    );
    assert_eq!(stump.0.depth(), 1);
    let saved = serde_json::to_string(&stump).unwrap();
    assert_eq!(serde_json::from_str::<Stump>(&saved).unwrap(), stump);
}

/// Every row comes to the leaf that predicts it by the nodes that are shown.
#[test]
fn the_nodes_that_are_shown_are_the_tree() {
    let mut rng = seed::rng(17);
    let x = Array2::from_shape_simple_fn((40, 3), || rng.normal());
    let codes = Array1::from_shape_simple_fn(40, || rng.below(3));
    let (features, labels) = (Features::from(x.clone()), Labels::from(codes));
    let sample = Sample::new(&features, &labels, 3).unwrap();
    let tree = Tree::params()
        .min_samples_leaf(4)
        .fit_sample(&sample, 0)
        .unwrap();
    let scores = tree.predict(&features).unwrap().scores.unwrap();
    for (row, scores) in x.outer_iter().zip(scores.matrix().outer_iter()) {
        let mut number = 0;
        let leaf = loop {
            match tree.node(number).unwrap() {
                TreeNode::Leaf(shares) => break shares,
                TreeNode::Split {
                    feature,
                    threshold,
                    left,
                    right,
                } => {
                    number = if row[feature] <= threshold {
                        left
                    } else {
                        right
                    };
                }
            }
        };
        assert_eq!(leaf, scores);
    }
    assert_eq!(
        (tree.n_columns(), tree.node(2 * tree.n_leaves() - 1)),
        (3, None)
    );
}
