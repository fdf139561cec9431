use super::{loss::logistic, *};
use ndarray::{Axis, array};
use translearn_core::seed;

fn table(n: usize, n_classes: usize) -> (Features, Array1<usize>, Array1<f64>) {
    let mut rng = seed::rng(n as u64);
    let x = Array2::from_shape_simple_fn((n, 4), || rng.normal());
    let y = Array1::from_shape_fn(n, |i| {
        let score = x[[i, 0]] + x[[i, 1]] * x[[i, 2]] + 0.3 * rng.normal();
        1 + ((score + 2.0).max(0.0) / 4.0 * n_classes as f64).min(n_classes as f64 - 1.0) as usize
    });
    let w = Array1::from_shape_simple_fn(n, || rng.below(3) as f64);
    (x.into(), y, w)
}

fn outputs(model: &Boosting, x: &Features) -> Array2<f64> {
    let prediction = model.predict(x).unwrap();
    match prediction.scores {
        Some(scores) => scores.matrix().clone(),
        None => prediction
            .labels
            .values("test")
            .unwrap()
            .clone()
            .insert_axis(Axis(1)),
    }
}

#[test]
fn every_round_lowers_the_weighted_loss() {
    for n_classes in [2, 3] {
        let (x, y, w) = table(120, n_classes);
        let labels = Labels::from(y.clone());
        let sample = Sample::new(&x, &labels, 5)
            .unwrap()
            .with_weights(&w)
            .unwrap();
        let mut last = f64::INFINITY;
        for n_rounds in [1, 2, 5, 20, 60] {
            let model = Boosting::params()
                .n_rounds(n_rounds)
                .fit_sample(&sample, 0)
                .unwrap();
            let p = outputs(&model, &x);
            assert!(
                p.outer_iter()
                    .all(|row| (row.sum() - 1.0).abs() < 1e-12 && row[0] == 0.0 && row[4] == 0.0)
            );
            let loss: f64 = (0..120).map(|i| -w[i] * p[[i, y[i]]].ln()).sum();
            assert!(loss < last, "{n_rounds} rounds: {loss} after {last}");
            last = loss;
        }
        assert!(last < 15.0, "{last}");
    }
}

#[test]
fn a_leaf_of_the_first_round_is_the_newton_step() {
    // One split at 1.5; prior p = 3/6 of class 1. Left: Σ w r = 0.5 − 2·0.5, Σ w h = 3/4; right: 2·0.5 − 0.5.
    let x = Features::from(array![[1.0], [1.0], [2.0], [2.0]]);
    let labels = Labels::from(array![1, 0, 1, 0]);
    let w = array![1.0, 2.0, 2.0, 1.0];
    let sample = Sample::new(&x, &labels, 2)
        .unwrap()
        .with_weights(&w)
        .unwrap();
    let model = Boosting::params()
        .n_rounds(1)
        .learning_rate(1.0)
        .fit_sample(&sample, 0)
        .unwrap();
    let p = outputs(&model, &x);
    assert!((p[[0, 1]] - logistic(-2.0 / 3.0)).abs() < 1e-12);
    assert!((p[[2, 1]] - logistic(2.0 / 3.0)).abs() < 1e-12);
}

#[test]
fn weights_count_rows_and_scale_and_threads_change_nothing() {
    let (x, y, w) = table(80, 3);
    let repeated: Vec<usize> = (0..80).flat_map(|i| vec![i; w[i] as usize]).collect();
    let params = Boosting::params().n_rounds(10);
    for (labels, n_classes) in [
        (Labels::from(y.clone()), 4),
        (Labels::from(y.mapv(|c| c as f64 + 0.1)), 0),
    ] {
        let fit = |x: &Features, labels: &Labels, w: &Array1<f64>| {
            params
                .fit_sample(
                    &Sample::new(x, labels, n_classes)
                        .unwrap()
                        .with_weights(w)
                        .unwrap(),
                    0,
                )
                .unwrap()
        };
        let weighted = outputs(&fit(&x, &labels, &w), &x);
        let twice = fit(
            &x.select_rows(&repeated),
            &labels.select(&repeated),
            &Array1::ones(repeated.len()),
        );
        let scaled = fit(&x, &labels, &(&w * 1e-280));
        for other in [outputs(&twice, &x), outputs(&scaled, &x)] {
            assert!((&weighted - &other).iter().all(|d| d.abs() < 1e-9));
        }
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| fit(&x, &labels, &w))
        };
        assert_eq!(on(1), on(3));
        let sparse = Features::Sparse(x.to_sparse().unwrap().into_owned());
        assert_eq!(outputs(&fit(&sparse, &labels, &w), &sparse), weighted);
    }
}

#[test]
fn one_class_saving_and_wrong_parameters() {
    let (x, y, _) = table(40, 3);
    let same = Labels::from(Array1::from_elem(40, 1));
    let constant = Boosting::params()
        .fit_sample(&Sample::new(&x, &same, 3).unwrap(), 0)
        .unwrap();
    assert_eq!(constant.predict(&x).unwrap().labels, same);
    let labels = Labels::from(y);
    let sample = Sample::new(&x, &labels, 4).unwrap();
    let model: Box<dyn Predictor> = Box::new(
        Boosting::params()
            .n_rounds(5)
            .fit_sample(&sample, 0)
            .unwrap(),
    );
    let back: Box<dyn Predictor> =
        serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
    assert_eq!(model.predict(&x).unwrap(), back.predict(&x).unwrap());
    let wrong = Boosting::params()
        .learning_rate(-1.0)
        .fit_sample(&sample, 0);
    assert!(
        matches!(wrong, Err(TransferError::InvalidParameter { name, .. }) if name == "learning_rate")
    );
}
