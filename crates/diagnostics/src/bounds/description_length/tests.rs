use ndarray::{Array1, Array2, ArrayView1, array};
use proptest::prelude::*;
use translearn_core::{FitSample, seed};

use super::coded::Coded;
use super::*;

fn tree(rows: &Array2<f64>, classes: &Array1<usize>, n_classes: usize) -> Tree {
    let (rows, labels) = (
        Features::from(rows.clone()),
        Labels::Classes(classes.clone()),
    );
    let sample = Sample::new(&rows, &labels, n_classes).unwrap();
    Tree::params().max_depth(3).fit_sample(&sample, 0).unwrap()
}

fn describe(source: &Tree, rows: &Array2<f64>, classes: &Array1<usize>) -> TreeDescription {
    let (rows, labels) = (
        Features::from(rows.clone()),
        Labels::Classes(classes.clone()),
    );
    DescriptionLength::default()
        .of(source, &rows, &labels)
        .unwrap()
}

/// The class is the quadrant's, counted along the first two of four columns, but for one row in `noise`.
fn quadrants(n: usize, noise: usize, rng: &mut seed::Rng) -> (Array2<f64>, Array1<usize>) {
    let rows = Array2::from_shape_simple_fn((n, 4), || rng.normal());
    let of = |row: ArrayView1<'_, f64>| usize::from(row[0] > 0.3 && row[1] > -0.4);
    let mut classes: Array1<usize> = rows.outer_iter().map(of).collect();
    classes
        .iter_mut()
        .filter(|_| rng.below(noise) == 0)
        .for_each(|class| *class = 1 - *class);
    (rows, classes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// Kraft's inequality over all labels of few rows: no code for which more is promised than there is room for.
    #[test]
    fn all_labels_together_have_room(n in 2_usize..8, n_classes in 2_usize..4, weight in 0.0_f64..30.0, seed: u64) {
        let mut rng = seed::rng(seed);
        let rows = Array2::from_shape_simple_fn((n, 2), || rng.below(5) as f64);
        let of_source = Array1::from_shape_simple_fn(n, || rng.below(n_classes));
        let source = tree(&rows.mapv(|v| v + 0.3), &of_source, n_classes);
        let length = DescriptionLength::default().source_weight(weight);
        let (mut alone, mut given) = (0.0, 0.0);
        for number in 0..n_classes.pow(n as u32) {
            let classes = Array1::from_shape_fn(n, |row| number / n_classes.pow(row as u32) % n_classes);
            let found = length.of(&source, &rows.clone().into(), &classes.into()).unwrap();
            alone += (-found.alone.total()).exp2();
            given += (-found.given_source.total()).exp2();
            prop_assert!(found.gain() >= -1.0 - 1e-9, "{found:?}");
            prop_assert!(found.given_source.prior() <= 1.0);
        }
        prop_assert!(alone <= 1.0 + 1e-9 && alone > 0.2, "{alone}");
        prop_assert!(given <= 1.0 + 1e-9 && given > 0.2, "{given}");
    }

    /// The code of labels by the Γ functions of the documentation, which for α = 1 counts: n + K − 1 over K − 1 counts, and
    /// the orders of each.
    #[test]
    fn labels_take_what_the_formula_says(counts in prop::collection::vec(0_usize..6, 2..4), weight in 0_u32..5) {
        let classes: Vec<usize> = counts.iter().enumerate().flat_map(|(class, &n)| vec![class; n]).collect();
        let n_classes = counts.len();
        let rows = Array2::from_shape_fn((1, 1), |_| 0.0);
        let source = tree(&array![[0.0], [1.0]], &array![0, n_classes - 1], n_classes);
        let coded = Coded {
            rows, classes: classes.clone(), n_classes, source: &source, source_weight: f64::from(weight), grows: Tree::params(),
        };
        let all: Vec<usize> = (0..classes.len()).collect();
        // Shares of which the weight makes whole numbers, so that Γ is a factorial.
        let mut shares = Array1::zeros(n_classes);
        shares[0] = 1.0;
        let log_factorial = |n: usize| (1..=n).map(|i| (i as f64).log2()).sum::<f64>();
        let bits = |alphas: Vec<usize>| {
            let all: usize = alphas.iter().sum();
            let of_classes: f64 = alphas.iter().zip(&counts).map(|(alpha, n)| log_factorial(alpha + n - 1) - log_factorial(alpha - 1)).sum();
            log_factorial(all + classes.len() - 1) - log_factorial(all - 1) - of_classes
        };
        let mut alphas = vec![1; n_classes];
        prop_assert!((coded.labels(&all, None).label_bits - bits(alphas.clone())).abs() < 1e-9);
        alphas[0] += weight as usize;
        prop_assert!((coded.labels(&all, Some(shares.view())).label_bits - bits(alphas)).abs() < 1e-9);
    }
}

#[test]
fn of_few_rows_a_leaf_is_shorter_than_a_split() {
    let line = |n: usize| Array2::from_shape_fn((n, 1), |(row, _)| row as f64);
    let halves = |n: usize| Array1::from_shape_fn(n, |row| 2 * row / n);
    let source = tree(&line(2), &halves(2), 2);
    // 8 rows: 1 + log₂(9 · 70) for a leaf, 3 + log₂ 7 + 2 log₂ 5 for the split.
    let found = describe(&source, &line(8), &halves(8));
    assert!(
        (found.alone.total() - (1.0 + 630_f64.log2())).abs() < 1e-9,
        "{found:?}"
    );
    assert!((found.alone.prior() - 0.5).abs() < 1e-12);
    let found = describe(&source, &line(20), &halves(20));
    assert!(
        (found.alone.tree_bits - (3.0 + 19_f64.log2())).abs() < 1e-9,
        "{found:?}"
    );
    // The source's cut at 1/2 parts these rows wrongly.
    assert!((found.gain() + 1.0).abs() < 1e-9, "{found:?}");
}

/// The same rule, the rule with the classes exchanged, and rules of columns that do not matter: with 30 labels.
#[test]
fn a_source_with_the_same_rules_is_worth_bits_and_others_are_not() {
    let mut rng = seed::rng(51);
    let (mut related, mut unrelated, mut gains) = (0, 0, [0.0; 3]);
    for _ in 0..200 {
        let (rows, classes) = quadrants(400, 20, &mut rng);
        let same = tree(&rows, &classes, 2);
        let exchanged = tree(&rows, &classes.mapv(|class| 1 - class), 2);
        let mut turned = rows.clone();
        turned.invert_axis(ndarray::Axis(1));
        let others = tree(&turned, &classes, 2);
        let (rows, classes) = quadrants(30, 20, &mut rng);
        let of = |source: &Tree| describe(source, &rows, &classes).gain();
        let found = [of(&same), of(&exchanged), of(&others)];
        related += usize::from(found[0] > 0.0);
        unrelated += usize::from(found[2] > 0.0);
        gains
            .iter_mut()
            .zip(found)
            .for_each(|(sum, gain)| *sum += gain / 200.0);
    }
    println!(
        "gain above 0: {related} of 200 with the same rules, {unrelated} with others; mean gains {gains:.2?}"
    );
    assert!(related >= 170, "{related}");
    assert!(unrelated <= 10, "{unrelated}");
    assert!(gains[0] > 5.0, "{gains:?}");
}

#[test]
fn neither_order_of_rows_nor_names_of_classes_change_more_than_rounding() {
    let mut rng = seed::rng(52);
    let (rows, classes) = quadrants(60, 10, &mut rng);
    let renamed = |classes: &Array1<usize>| classes.mapv(|class| 1 - class);
    let plain = describe(&tree(&rows, &classes, 2), &rows, &classes);
    let other = describe(
        &tree(&rows, &renamed(&classes), 2),
        &rows,
        &renamed(&classes),
    );
    let order = rng.permutation(60);
    let (shuffled, of_them) = (
        rows.select(ndarray::Axis(0), &order),
        classes.select(ndarray::Axis(0), &order),
    );
    let moved = describe(&tree(&rows, &classes, 2), &shuffled, &of_them);
    for found in [other, moved] {
        assert!(
            (found.alone.total() - plain.alone.total()).abs() < 1e-9,
            "{found:?} {plain:?}"
        );
        assert!(
            (found.gain() - plain.gain()).abs() < 1e-9,
            "{found:?} {plain:?}"
        );
    }
    assert!(plain.gain() > 0.0);
}

#[test]
fn what_has_no_code_says_why() {
    let (rows, classes) = (array![[0.0], [1.0]], array![0, 1]);
    let source = tree(&rows, &classes, 2);
    let values = {
        let (rows, labels) = (
            Features::from(rows.clone()),
            Labels::Values(array![0.0, 1.0]),
        );
        Tree::params()
            .fit_sample(&Sample::new(&rows, &labels, 0).unwrap(), 0)
            .unwrap()
    };
    let default = DescriptionLength::default();
    let message = |of: DescriptionLength, source: &Tree, rows: Array2<f64>, labels: Labels| {
        of.of(source, &rows.into(), &labels)
            .unwrap_err()
            .to_string()
    };
    let labels = || Labels::Classes(classes.clone());
    for (message, why) in [
        (
            message(default, &values, rows.clone(), labels()),
            "real values",
        ),
        (
            message(default, &source, array![[0.0, 1.0], [2.0, 3.0]], labels()),
            "features",
        ),
        (
            message(
                default,
                &source,
                rows.clone(),
                Labels::Classes(array![0, 2]),
            ),
            "2 classes",
        ),
        (
            message(default, &source, rows.clone(), Labels::Classes(array![0])),
            "rows",
        ),
        (
            message(
                default,
                &source,
                rows.clone(),
                Labels::Values(array![0.0, 1.0]),
            ),
            "class",
        ),
        (
            message(default.source_weight(-1.0), &source, rows.clone(), labels()),
            "source_weight",
        ),
        (
            message(default.max_depth(0), &source, rows.clone(), labels()),
            "max_depth",
        ),
    ] {
        assert!(message.contains(why), "{message}");
    }
}
