use std::borrow::Cow;

use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;
use translearn_core::linalg::solve;
use translearn_core::{Labelled, Labels, seed};

use super::*;

pub(super) fn task(rows: Array2<f64>, labels: Labels) -> Labelled<'static> {
    Labelled {
        features: Cow::Owned(rows.into()),
        labels: Cow::Owned(labels),
    }
}

pub(super) fn normal(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut rng = seed::rng(seed);
    Array2::from_shape_simple_fn((rows, columns), || rng.normal())
}

/// Tasks whose weights are those of their group, nearly: even tasks are one group, odd ones the other, with the other
/// sign.
pub(super) fn tasks(n: usize, rows: usize, d: usize, seed: u64) -> Vec<Labelled<'static>> {
    let of_group = normal(1, d, seed).remove_axis(Axis(0));
    (0..n)
        .map(|number| {
            let own = seed::derive(seed, &[&number.to_string()]);
            let (x, noise) = (
                normal(rows, d, own),
                normal(rows, 1, !own).remove_axis(Axis(1)),
            );
            let sign = if number % 2 == 0 { 1.0 } else { -1.0 };
            let weights = sign * &of_group + 0.1 * normal(1, d, own ^ 1).remove_axis(Axis(0));
            let y = x.dot(&weights) + 3.0 + 0.5 * noise;
            task(x, Labels::Values(y))
        })
        .collect()
}

/// The same rows in three classes, of which the first task may lack some.
pub(super) fn in_classes(task: Labelled<'static>) -> Labelled<'static> {
    let values = task.labels.values("test").unwrap();
    let mut classes = values.mapv(|y| usize::from(y > 2.5) + usize::from(y > 3.5));
    // Some task has the last class.
    classes[0] = 2;
    Labelled {
        features: task.features,
        labels: Cow::Owned(Labels::Classes(classes)),
    }
}

/// Values, or 0 and 1 for each of three classes.
fn columns(labels: &Labels) -> Vec<Array1<f64>> {
    match labels {
        Labels::Values(values) => vec![values.clone()],
        Labels::Classes(classes) => (0..3)
            .map(|class| classes.mapv(|code| f64::from(u8::from(code == class))))
            .collect(),
    }
}

/// Ridge regression with a free intercept, towards given weights, by one system with a column of ones.
fn ridge(x: &Array2<f64>, y: &Array1<f64>, start: &Array1<f64>, lambda: f64) -> (Array1<f64>, f64) {
    let (n, d) = x.dim();
    let mut wide = Array2::ones((n, d + 1));
    wide.slice_mut(ndarray::s![.., ..d]).assign(x);
    let mut system = wide.t().dot(&wide);
    let mut right = wide.t().dot(y);
    for column in 0..d {
        system[[column, column]] += lambda;
        right[column] += lambda * start[column];
    }
    let solved = solve(&system, &right.insert_axis(Axis(1)))
        .unwrap()
        .remove_axis(Axis(1));
    (solved.slice(ndarray::s![..d]).to_owned(), solved[d])
}

/// Gains of all pairs, more of them below 0 than above.
fn gains(n: usize, seed: u64) -> Array2<f64> {
    normal(n, n, seed) - 0.3
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Of values and of classes, with more rows than columns and with fewer.
    #[test]
    fn gains_are_their_formula(n in 2_usize..5, rows in 3_usize..12, d in 1_usize..9, seed: u64, lambda in 0.1_f64..20.0, n_folds in 2_usize..6, classes: bool) {
        let tasks: Vec<Labelled<'_>> = tasks(n, rows, d, seed).into_iter().map(|task| if classes { in_classes(task) } else { task }).collect();
        let scorer = TransferMeasurement::default().lambda(lambda).n_folds(n_folds);
        let measured = scorer.measure(&tasks, 4).unwrap();
        let outputs = if classes { 3 } else { 1 };
        let parts: Vec<(Array2<f64>, Vec<Array1<f64>>)> = tasks.iter()
            .map(|task| (task.features.dense().unwrap().into_owned(), columns(&task.labels)))
            .collect();
        let zero = Array1::zeros(d);
        let own = |(x, y): &(Array2<f64>, Vec<Array1<f64>>)| -> Vec<Array1<f64>> { y.iter().map(|y| ridge(x, y, &zero, lambda).0).collect() };
        for (j, (x, y)) in parts.iter().enumerate() {
            for (output, weights) in own(&parts[j]).iter().enumerate() {
                for (column, weight) in weights.iter().enumerate() {
                    prop_assert!((weight - measured.parameters[[j, column * outputs + output]]).abs() < 1e-7);
                }
            }
            // The folds of the documentation.
            let mut order = crate::row_order::by_value_and_label(&tasks[j].features, &tasks[j].labels);
            seed::rng(seed::derive(4, &[&j.to_string()])).shuffle(&mut order);
            let folds = n_folds.min(rows);
            let error = |starts: &[Array1<f64>]| -> f64 {
                (0..folds).map(|fold| {
                    let of = |held: bool| (0..rows).filter(|at| (at % folds == fold) == held).map(|at| order[at]).collect::<Vec<_>>();
                    let (rest, held) = (of(false), of(true));
                    y.iter().zip(starts).map(|(y, start)| {
                        let (w, b) = ridge(&x.select(Axis(0), &rest), &y.select(Axis(0), &rest), start, lambda);
                        (x.select(Axis(0), &held).dot(&w) + b - y.select(Axis(0), &held)).mapv(|v| v * v).sum()
                    }).sum::<f64>()
                }).sum()
            };
            let squares: f64 = y.iter().map(|y| y.dot(y)).sum();
            for (i, part) in parts.iter().enumerate() {
                let without = error(&vec![zero.clone(); outputs]);
                let expected = if i == j || without <= 1e-24 * squares { 0.0 } else { 1.0 - error(&own(part)) / without };
                let ours = measured.gains[[i, j]];
                prop_assert!((ours - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{ours} {expected}");
            }
        }
        let fitted = scorer.fit(&tasks[0], measured.parameters.row(1)).unwrap();
        let (x, y) = &parts[0];
        let mut said = Array2::zeros((rows, outputs));
        for (output, start) in own(&parts[1]).iter().enumerate() {
            let (w, b) = ridge(x, &y[output], start, lambda);
            prop_assert!((&fitted.weights.column(output) - &w).mapv(f64::abs).sum() + (fitted.intercepts[output] - b).abs() < 1e-7);
            said.column_mut(output).assign(&(x.dot(&w) + b));
        }
        match fitted.predict(&tasks[0].features).unwrap() {
            Labels::Values(values) => prop_assert!((values - said.column(0)).mapv(f64::abs).sum() < 1e-6),
            Labels::Classes(classes) => for (row, &class) in said.outer_iter().zip(&classes) {
                prop_assert!(row.iter().all(|&output| output <= row[class] + 1e-9));
            },
        }
    }

    /// Rows that change places change no gain, but for the rounding of sums.
    #[test]
    fn the_order_of_rows_changes_no_gain(seed: u64) {
        let first = tasks(3, 11, 2, seed);
        let moved: Vec<Labelled<'_>> = first.iter().map(|task| {
            let order = seed::rng(seed).permutation(11);
            Labelled {
                features: Cow::Owned(task.features.select_rows(&order)),
                labels: Cow::Owned(task.labels.select(&order)),
            }
        }).collect();
        let measure = |tasks: &[Labelled<'_>]| TransferMeasurement::default().measure(tasks, 0).unwrap().gains;
        prop_assert!((measure(&first) - measure(&moved)).mapv(f64::abs).sum() < 1e-9);
    }

    #[test]
    fn coordinates_solve_their_problem(n in 3_usize..10, seed: u64) {
        let given = gains(n, seed);
        let graph = TransferGraph::new(&given).unwrap();
        let w = graph.weights();
        let degrees = w.sum_axis(Axis(1));
        for i in 0..n {
            prop_assert_eq!(w[[i, i]], 0.0);
            for j in 0..n {
                prop_assert_eq!(w[[i, j]], w[[j, i]]);
                prop_assert_eq!(i != j && given[[i, j]] + given[[j, i]] > 0.0, w[[i, j]] > 0.0);
            }
        }
        let isolated: Vec<usize> = (0..n).filter(|&i| degrees[i] == 0.0).collect();
        prop_assert_eq!(graph.isolated(), isolated.clone());
        let m = (n - isolated.len()).saturating_sub(1);
        prop_assert!(graph.coordinates(m + 1).is_err());
        let (values, u) = graph.coordinates(m).unwrap();
        let laplacian = Array2::from_diag(&degrees) - w;
        for k in 0..m {
            let column = u.column(k);
            let left = laplacian.dot(&column) - values[k] * &degrees * column;
            prop_assert!(left.mapv(f64::abs).sum() < 1e-8);
            prop_assert!((-1e-9..=2.0 + 1e-9).contains(&values[k]));
            for l in 0..m {
                let product = (&degrees * &column).dot(&u.column(l));
                prop_assert!((product - f64::from(u8::from(k == l))).abs() < 1e-8);
            }
        }
    }

    /// With all coordinates the function is the minimum of the sum it stands for, and the new task the mean of its
    /// neighbours.
    #[test]
    fn the_transfer_function_is_the_minimum_of_its_sum(n in 2_usize..8, seed: u64, lambda in 0.01_f64..1.0, gamma in 0.01_f64..1.0) {
        let graph = TransferGraph::new(&gains(n, seed)).unwrap();
        let parameters = normal(n, 2, !seed);
        let mut rng = seed::rng(seed ^ 5);
        let mut new: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        new[0] = new[0].abs() + 0.1;
        let largest = new.iter().copied().fold(0.0, f64::max);
        let list: Vec<(usize, f64)> = new.iter().copied().enumerate().collect();
        let function = TransferFunction::default().lambda(lambda).gamma(gamma);
        let prior = function.prior(&graph, &parameters, &list).unwrap().unwrap();

        let mut w = Array2::zeros((n + 1, n + 1));
        w.slice_mut(ndarray::s![..n, ..n]).assign(graph.weights());
        for i in 0..n {
            (w[[i, n]], w[[n, i]]) = (new[i].max(0.0) / largest, new[i].max(0.0) / largest);
        }
        let degrees = w.sum_axis(Axis(1));
        // (J + λ D + γ (D − W)) f = J θ; an isolated task keeps its own parameters.
        let mut system = (lambda + gamma) * Array2::from_diag(&degrees) - gamma * &w;
        let mut right = Array2::zeros((n + 1, 2));
        for i in 0..n {
            system[[i, i]] += 1.0;
            right.row_mut(i).assign(&parameters.row(i));
        }
        let f = solve(&system, &right).unwrap();
        prop_assert!((&prior - &f.row(n)).mapv(f64::abs).sum() < 1e-7, "{prior} {}", f.row(n));
        let mean = w.row(n).dot(&f) / degrees[n] * (gamma / (gamma + lambda));
        prop_assert!((&prior - &mean).mapv(f64::abs).sum() < 1e-7);
        // Renaming the tasks, the gains in another unit: no other parameters.
        let order = rng.permutation(n);
        let renamed = TransferGraph::new(&gains(n, seed).select(Axis(0), &order).select(Axis(1), &order)).unwrap();
        let list: Vec<(usize, f64)> = order.iter().enumerate().map(|(to, &from)| (to, 7.0 * new[from])).collect();
        let other = function.prior(&renamed, &parameters.select(Axis(0), &order), &list).unwrap().unwrap();
        prop_assert!((&prior - &other).mapv(f64::abs).sum() < 1e-7);
    }

    /// Each merge is that of the two groups of the least mean distance.
    #[test]
    fn merges_are_those_of_the_definition(n in 2_usize..9, seed: u64) {
        let half = normal(n, n, seed).mapv(f64::abs);
        let distances = &half + &half.t();
        let tree = Dendrogram::average_linkage(&distances).unwrap();
        let mut groups: Vec<(usize, Vec<usize>)> = (0..n).map(|task| (task, vec![task])).collect();
        let mean = |a: &[usize], b: &[usize]| {
            a.iter().map(|&i| b.iter().map(|&j| distances[[i, j]]).sum::<f64>()).sum::<f64>() / (a.len() * b.len()) as f64
        };
        let mut height = 0.0;
        for (step, merge) in tree.merges().iter().enumerate() {
            let find = |number: usize| groups.iter().position(|group| group.0 == number).unwrap();
            let (a, b) = (find(merge.left), find(merge.right));
            let own = mean(&groups[a].1, &groups[b].1);
            prop_assert!((own - merge.height).abs() < 1e-9 && merge.height >= height - 1e-12);
            for i in 0..groups.len() {
                for j in 0..i {
                    prop_assert!(mean(&groups[i].1, &groups[j].1) >= own - 1e-9);
                }
            }
            let joined = [groups[a].1.clone(), groups[b].1.clone()].concat();
            prop_assert_eq!(joined.len(), merge.size);
            groups.retain(|group| group.0 != merge.left && group.0 != merge.right);
            groups.push((n + step, joined));
            height = merge.height;
        }
        let mut leaves = tree.leaves();
        leaves.sort_unstable();
        prop_assert_eq!(leaves, (0..n).collect::<Vec<_>>());
        prop_assert_eq!(tree.cut(n).unwrap(), (0..n).collect::<Array1<usize>>());
        prop_assert_eq!(tree.cut(1).unwrap(), Array1::<usize>::zeros(n));
    }

    /// The gradients by finite differences of the losses.
    #[test]
    fn affinities_are_cosines_of_finite_differences(seed: u64, classes: bool) {
        let (n, d) = (3, 3);
        let given: Vec<(Array2<f64>, Array1<f64>)> = (0..n).map(|task| {
            let own = seed::derive(seed, &[&task.to_string()]);
            let y = normal(7, 1, !own).remove_axis(Axis(1));
            (normal(7, d, own), if classes { y.mapv(|v| f64::from(u8::from(v > 0.0))) } else { y })
        }).collect();
        let point = normal(1, d, seed ^ 9).remove_axis(Axis(0));
        let loss = |(x, y): &(Array2<f64>, Array1<f64>), w: &Array1<f64>| {
            let z = x.dot(w);
            z.iter().zip(y).map(|(&z, &y)| if classes { z.exp().ln_1p() - y * z } else { 0.5 * (z - y).powi(2) }).sum::<f64>() / 7.0
        };
        let gradients: Vec<Array1<f64>> = given.iter().map(|task| (0..d).map(|column| {
            let step = |by: f64| { let mut w = point.clone(); w[column] += by; loss(task, &w) };
            (step(1e-5) - step(-1e-5)) / 2e-5
        }).collect()).collect();
        let tasks: Vec<Labelled<'_>> = given.iter().map(|(x, y)| {
            let labels = if classes { Labels::Classes(y.mapv(|v| v as usize)) } else { Labels::Values(y.clone()) };
            task(x.clone(), labels)
        }).collect();
        let affinity = gradient_affinity(&tasks, point.view()).unwrap();
        for i in 0..n {
            for j in 0..n {
                let (a, b) = (&gradients[i], &gradients[j]);
                let cosine = a.dot(b) / (a.dot(a) * b.dot(b)).sqrt();
                prop_assert!((affinity[[i, j]] - cosine).abs() < 1e-4, "{} {cosine}", affinity[[i, j]]);
            }
        }
    }
}

#[test]
fn trees_are_those_of_scipy() {
    let fixture: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/fixtures/linkage_reference.json")).unwrap();
    let rows =
        |name: &str| -> Vec<Vec<f64>> { serde_json::from_value(fixture[name].clone()).unwrap() };
    let distances = rows("distances");
    let n = distances.len();
    let distances = Array2::from_shape_fn((n, n), |(i, j)| distances[i][j]);
    let tree = Dendrogram::average_linkage(&distances).unwrap();
    for (ours, theirs) in tree.merges().iter().zip(rows("merges")) {
        assert_eq!(
            [ours.left, ours.right, ours.size],
            [theirs[0], theirs[1], theirs[3]].map(|v| v as usize)
        );
        assert!((ours.height - theirs[2]).abs() < 1e-9);
    }
    let leaves: Vec<usize> = serde_json::from_value(fixture["leaves"].clone()).unwrap();
    assert_eq!(tree.leaves(), leaves);
    let silhouettes: Vec<f64> = serde_json::from_value(fixture["silhouettes"].clone()).unwrap();
    let mut best = f64::NEG_INFINITY;
    for (theirs, (cut, silhouette)) in rows("cuts").iter().zip((2..n).zip(&silhouettes)) {
        let ours = tree.cut(cut).unwrap();
        for i in 0..n {
            for j in 0..n {
                assert_eq!(ours[i] == ours[j], theirs[i] == theirs[j], "{cut}");
            }
        }
        let own = crate::silhouette::of_distances(&distances, &ours).unwrap();
        assert!((own - silhouette).abs() < 1e-9);
        best = best.max(*silhouette);
    }
    assert!((tree.best_cut(&distances).unwrap().1 - best).abs() < 1e-9);
}

/// Two kinds of tasks that harm each other: the graph, the cut and the prior of a new task all see them.
#[test]
fn kinds_of_tasks_are_found() {
    let measured = TransferMeasurement::default()
        .measure(&tasks(9, 12, 4, 1), 0)
        .unwrap();
    let graph = TransferGraph::new(&measured.gains).unwrap();
    let tree = Dendrogram::average_linkage(&graph.distances()).unwrap();
    let (groups, silhouette) = tree.best_cut(&graph.distances()).unwrap();
    assert_eq!(
        groups,
        (0..9).map(|task| task % 2).collect::<Array1<usize>>()
    );
    assert!(silhouette > 0.3, "{silhouette}");
    let prior =
        TransferFunction::default().prior(&graph, &measured.parameters, &[(1, 0.2), (2, -0.4)]);
    let prior = prior.unwrap().unwrap();
    let like = |task: usize| prior.dot(&measured.parameters.row(task));
    assert!(like(3) > 0.0 && like(4) < 0.0);
    // Fewer coordinates, a smoother function, the same kind.
    let smooth = TransferFunction::default().n_components(2);
    let prior = smooth
        .prior(&graph, &measured.parameters, &[(1, 0.2)])
        .unwrap()
        .unwrap();
    assert!(prior.dot(&measured.parameters.row(3)) > 0.0);
}

/// A new task of six rows starts from where the graph puts it, from nothing, or from the tasks across: on rows that
/// took no part in any of it.
#[test]
fn a_new_task_gains_along_the_edges_and_loses_across() {
    let known = tasks(9, 12, 4, 1);
    let new = tasks(10, 206, 4, 1).swap_remove(9);
    let part = |rows: Vec<usize>| Labelled {
        features: Cow::Owned(new.features.select_rows(&rows)),
        labels: Cow::Owned(new.labels.select(&rows)),
    };
    let (train, test) = (part((0..6).collect()), part((6..206).collect()));
    let measurement = TransferMeasurement::default();
    let measured = measurement.measure(&known, 0).unwrap();
    let graph = TransferGraph::new(&measured.gains).unwrap();
    // Two even tasks and two odd ones are asked.
    let asked: Vec<Labelled<'_>> = known[..4].iter().chain([&train]).cloned().collect();
    let gains = measurement.measure(&asked, 0).unwrap().gains;
    let gains: Vec<(usize, f64)> = (0..4).map(|task| (task, gains[[task, 4]])).collect();
    let prior = TransferFunction::default().prior(&graph, &measured.parameters, &gains);
    let error = |start: &Array1<f64>| {
        let model = measurement.fit(&train, start.view()).unwrap();
        let said = model.predict(&test.features).unwrap();
        let wrong = said.values("test").unwrap() - test.labels.values("test").unwrap();
        wrong.dot(&wrong) / 200.0
    };
    let across = measured.parameters.row(0).to_owned();
    let (along, none, across) = (
        error(&prior.unwrap().unwrap()),
        error(&Array1::zeros(4)),
        error(&across),
    );
    println!(
        "mean squared error along the edges {along:.3}, from nothing {none:.3}, across {across:.3}"
    );
    assert!(along < none && none < across);
}

#[test]
fn tasks_that_no_other_helps_stand_alone() {
    let none = TransferGraph::new(&array![[0.0, -1.0], [0.5, 0.0]]).unwrap();
    assert_eq!(none.isolated(), [0, 1]);
    assert_eq!(none.coordinates(0).unwrap().1.dim(), (2, 0));
    assert_eq!(none.distances(), array![[0.0, 1.0], [1.0, 0.0]]);
    let prior = |gain| {
        TransferFunction::default()
            .prior(&none, &array![[1.0], [3.0]], &[(1, gain)])
            .unwrap()
    };
    assert_eq!(prior(0.0), None);
    assert!((prior(0.5).unwrap()[0] - 3.0).abs() < 0.05);
}

#[test]
fn what_does_not_fit_is_refused() {
    let message = |error: TransferError| error.to_string();
    let square = TransferGraph::new(&Array2::zeros((2, 3))).unwrap_err();
    assert_eq!(
        message(square),
        "the gains, down, has 2 rows but the gains, across, has 3; give one entry per row"
    );
    assert!(matches!(
        TransferGraph::new(&array![[0.0, f64::NAN], [0.0, 0.0]]),
        Err(TransferError::NotFinite { .. })
    ));
    assert!(matches!(
        Dendrogram::average_linkage(&Array2::zeros((1, 1))),
        Err(TransferError::TooFewRows { .. })
    ));
    let graph = TransferGraph::new(&array![[0.0, 1.0], [1.0, 0.0]]).unwrap();
    let prior = |function: TransferFunction, parameters: Array2<f64>, gains: &[(usize, f64)]| {
        message(function.prior(&graph, &parameters, gains).unwrap_err())
    };
    let of = TransferFunction::default;
    let two = Array2::zeros((2, 1));
    assert_eq!(
        prior(of(), two.clone(), &[(2, 1.0)]),
        "`gains` = task 2 is outside tasks below 2, each once"
    );
    assert_eq!(
        prior(of(), two.clone(), &[(0, 1.0), (0, 1.0)]),
        "`gains` = task 0 is outside tasks below 2, each once"
    );
    assert_eq!(
        prior(of().lambda(0.0), two.clone(), &[]),
        "`lambda` = 0 is outside (0, ∞)"
    );
    assert_eq!(
        prior(of().n_components(0), two, &[]),
        "`n_components` = 0 is outside integer ≥ 1"
    );
    assert!(
        prior(of(), Array2::zeros((3, 1)), &[])
            .starts_with("the graph has 2 rows but the parameters has 3")
    );
    let tree = Dendrogram::average_linkage(&array![[0.0, 1.0], [1.0, 0.0]]).unwrap();
    assert_eq!(
        message(tree.cut(3).unwrap_err()),
        "`n_groups` = 3 is outside integer in [1, 2]"
    );

    let good = || task(array![[0.0], [1.0]], Labels::Values(array![0.0, 1.0]));
    let measure = |tasks: &[Labelled<'_>]| {
        TransferMeasurement::default()
            .measure(tasks, 0)
            .unwrap_err()
    };
    assert!(matches!(
        measure(&[good()]),
        TransferError::TooFewRows {
            rows: 1,
            needed: 2,
            ..
        }
    ));
    let one = task(array![[0.0]], Labels::Values(array![0.0]));
    assert!(matches!(
        measure(&[good(), one]),
        TransferError::TooFewRows {
            rows: 1,
            needed: 2,
            ..
        }
    ));
    let wide = task(Array2::zeros((2, 2)), Labels::Values(array![0.0, 1.0]));
    assert!(matches!(
        measure(&[good(), wide]),
        TransferError::FeatureMismatch { .. }
    ));
    let classes = || task(array![[0.0], [1.0]], Labels::Classes(array![0, 1]));
    for mixed in [[good(), classes()], [classes(), good()]] {
        assert!(matches!(measure(&mixed), TransferError::Unsupported { .. }));
    }
    let one_class = || task(array![[0.0], [1.0]], Labels::Classes(array![0, 0]));
    assert!(matches!(
        measure(&[one_class(), one_class()]),
        TransferError::TooFewClasses { classes: 1, .. }
    ));
    let short = TransferMeasurement::default().fit(&classes(), array![0.0].view());
    assert!(matches!(
        short,
        Err(TransferError::FeatureMismatch {
            left_features: 1,
            right_features: 2,
            ..
        })
    ));
    let split = |tasks: &[Labelled<'_>], share| SplitTasks::draw(tasks, share, 0).unwrap_err();
    assert!(matches!(split(&[], 0.5), TransferError::Empty { .. }));
    assert!(matches!(
        split(&[good()], 0.5),
        TransferError::TooFewRows {
            rows: 2,
            needed: 3,
            ..
        }
    ));
    assert!(matches!(
        split(&[good()], 1.0),
        TransferError::InvalidParameter { .. }
    ));
    let several = tasks(3, 8, 2, 0);
    let drawn = SplitTasks::draw(&several, 0.5, 0).unwrap();
    let of_two = TransferMeasurement::default()
        .measure(&drawn.taught[..2], 0)
        .unwrap();
    let worth = TransferMeasurement::default().worth_of_edges(&drawn, &of_two);
    assert!(matches!(
        worth,
        Err(TransferError::LengthMismatch {
            left_len: 2,
            right_len: 3,
            ..
        })
    ));
    let third = task(array![[0.0], [1.0]], Labels::Classes(array![0, 2]));
    assert!(matches!(
        gradient_affinity(&[third], array![0.0].view()),
        Err(TransferError::UnknownClass { class: 2, .. })
    ));
    assert!(matches!(
        gradient_affinity(&[], array![0.0].view()),
        Err(TransferError::Empty { .. })
    ));
    assert!(matches!(
        gradient_affinity(&[good()], array![0.0, 1.0].view()),
        Err(TransferError::FeatureMismatch { .. })
    ));
}
