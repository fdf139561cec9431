use ndarray::{Array2, Axis, array};
use proptest::prelude::*;

use super::*;

const ALL: [(&str, Step); 11] = [
    ("l1-rows", Step::L1Rows),
    ("l2-rows", Step::L2Rows),
    ("zscore", Step::Zscore),
    ("zscore-per-domain", Step::ZscorePerDomain),
    ("zscore-pooled", Step::ZscorePooled),
    ("minmax", Step::Minmax),
    ("binarize", Step::Binarize),
    ("log1p", Step::Log1p),
    ("sublinear", Step::Sublinear),
    ("tfidf", Step::Tfidf),
    ("tfidf-pooled", Step::TfidfPooled),
];

fn table(rows: usize) -> impl Strategy<Value = Array2<f64>> {
    let value = prop_oneof![Just(0.0), 0.0..9.0_f64, (0..5_u8).prop_map(f64::from)];
    prop::collection::vec(value, rows * 3)
        .prop_map(move |v| Array2::from_shape_vec((rows, 3), v).unwrap())
}

fn fit(step: Step, source: &Array2<f64>, target: &Array2<f64>) -> FitTransformed {
    let (source, target) = (
        Features::from(source.clone()),
        Features::from(target.clone()),
    );
    Pipeline::from(vec![step])
        .fit_transform(&[&source], &target)
        .unwrap()
}

fn dense(x: &Features) -> Array2<f64> {
    x.dense().unwrap().into_owned()
}

fn close(a: &Array2<f64>, b: &Array2<f64>) -> bool {
    a.dim() == b.dim() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9)
}

#[test]
fn every_step_has_the_name_of_the_contract() {
    for (name, step) in ALL {
        assert_eq!(serde_json::to_string(&step).unwrap(), format!("{name:?}"));
        assert_eq!(
            serde_json::from_str::<Step>(&format!("{name:?}")).unwrap(),
            step
        );
    }
    assert!(serde_json::from_str::<Step>("\"z-score\"").is_err());
}

#[test]
fn zscore_by_hand() {
    let source = array![[1.0, 5.0, 0.1], [3.0, 5.0, 0.1], [5.0, 5.0, 0.1]];
    let target = array![[3.0, 6.0, 0.2], [7.0, 8.0, 0.1]];
    let unit = (3.0_f64 / 2.0).sqrt();
    let (_, xs, xt) = fit(Step::Zscore, &source, &target);
    assert!(close(
        &dense(&xs[0]),
        &array![[-unit, 0.0, 0.0], [0.0, 0.0, 0.0], [unit, 0.0, 0.0]]
    ));
    // The source's constant columns become 0 in the target too.
    assert!(close(
        &dense(&xt),
        &array![[0.0, 0.0, 0.0], [2.0 * unit, 0.0, 0.0]]
    ));
    let (_, _, xt) = fit(Step::ZscorePerDomain, &source, &target);
    assert!(close(
        &dense(&xt),
        &array![[-1.0, -1.0, 1.0], [1.0, 1.0, -1.0]]
    ));
}

#[test]
fn a_test_part_uses_the_targets_statistics_and_cannot_change_them() {
    let (source, target) = (array![[0.0], [1.0]], array![[10.0], [30.0]]);
    let (fitted, _, _) = fit(Step::ZscorePerDomain, &source, &target);
    let test = Features::from(array![[40.0], [1000.0]]);
    assert_eq!(
        dense(&fitted.transform_target(&test).unwrap()),
        array![[2.0], [98.0]]
    );
}

#[test]
fn steps_are_fitted_on_what_came_before_them() {
    let source = Features::from(array![[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]);
    let target = Features::from(array![[5.0, 5.0], [1.0, 9.0]]);
    let both = Pipeline::from(vec![Step::L1Rows, Step::Zscore]);
    let (fitted, xs, xt) = both.fit_transform(&[&source], &target).unwrap();
    let first = |x| {
        dense(
            &Pipeline::from(vec![Step::L1Rows])
                .fit(&[&source], &target)
                .unwrap()
                .transform_target(x)
                .unwrap(),
        )
    };
    let (_, by_hand_s, by_hand_t) = fit(Step::Zscore, &first(&source), &first(&target));
    assert_eq!((&xs[0], &xt), (&by_hand_s[0], &by_hand_t));
    assert_eq!(fitted.transform_source(0, &source).unwrap(), xs[0]);
    assert_eq!(fitted.transform_target(&target).unwrap(), xt);
    let again: FittedPipeline =
        serde_json::from_str(&serde_json::to_string(&fitted).unwrap()).unwrap();
    assert_eq!(again.transform_target(&target).unwrap(), xt);
}

#[test]
fn bad_tables_get_typed_errors() {
    let good = Features::from(array![[1.0, 2.0], [3.0, 4.0]]);
    let zscore = Pipeline::from(vec![Step::Zscore]);
    let transfer = |error: DataError| match error {
        DataError::Transfer(error) => error,
        other => panic!("{other}"),
    };
    let none = Features::from(Array2::zeros((0, 2)));
    assert!(matches!(
        transfer(zscore.fit(&[&none], &good).unwrap_err()),
        TransferError::Empty { .. }
    ));
    assert!(matches!(
        transfer(zscore.fit(&[], &good).unwrap_err()),
        TransferError::Empty { .. }
    ));
    let nan = Features::from(array![[1.0, f64::NAN]]);
    assert!(matches!(
        transfer(zscore.fit(&[&good], &nan).unwrap_err()),
        TransferError::NotFinite { .. }
    ));
    let wide = Features::from(array![[1.0, 2.0, 3.0]]);
    for step in [
        Step::Zscore,
        Step::ZscorePooled,
        Step::Minmax,
        Step::Tfidf,
        Step::TfidfPooled,
    ] {
        let error = Pipeline::from(vec![step]).fit(&[&good], &wide).unwrap_err();
        assert!(
            matches!(transfer(error), TransferError::FeatureMismatch { .. }),
            "{step:?}"
        );
    }
    // Domains in different feature spaces may still be preprocessed one by one.
    let fitted = Pipeline::from(vec![Step::L2Rows, Step::ZscorePerDomain])
        .fit(&[&good], &wide)
        .unwrap();
    assert!(fitted.transform_target(&good).is_err());
    assert!(fitted.transform_source(1, &good).is_err());
    let negative = Features::from(array![[-1.0, 0.0]]);
    for step in [Step::Log1p, Step::Sublinear] {
        let error = Pipeline::from(vec![step])
            .fit(&[&good], &negative)
            .unwrap_err();
        assert!(
            error.to_string().contains("-1 in row 0, column 0"),
            "{error}"
        );
    }
    let huge = Features::Sparse(translearn_core::Csr::zero((20_000, 20_000)));
    let error = zscore.fit(&[&huge], &huge).unwrap_err();
    assert!(matches!(
        transfer(error),
        TransferError::DenseTooLarge { .. }
    ));
}

proptest! {
    #[test]
    fn zscore_has_mean_zero_and_variance_one(source in table(6), target in table(5)) {
        let (_, own_source, own_target) = fit(Step::ZscorePerDomain, &source, &target);
        let (_, shared, _) = fit(Step::Zscore, &source, &target);
        let (_, pooled_source, pooled_target) = fit(Step::ZscorePooled, &source, &target);
        let pooled = dense(&pooled_source[0].stack(&pooled_target).unwrap());
        let stacked = ndarray::concatenate(Axis(0), &[source.view(), target.view()]).unwrap();
        for (given, x) in [
            (&source, dense(&own_source[0])), (&target, dense(&own_target)),
            (&source, dense(&shared[0])), (&stacked, pooled),
        ] {
            for (given, column) in given.columns().into_iter().zip(x.columns()) {
                let constant = given.iter().all(|v| v == &given[0]);
                let mean = column.sum() / column.len() as f64;
                let variance = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / column.len() as f64;
                prop_assert!(mean.abs() < 1e-9);
                prop_assert!((variance - f64::from(u8::from(!constant))).abs() < 1e-9, "{variance} from {given}");
            }
        }
    }

    #[test]
    fn minmax_fills_the_unit_interval(source in table(6), target in table(5)) {
        let (_, x, _) = fit(Step::Minmax, &source, &target);
        for column in dense(&x[0]).columns() {
            let (low, high) = column.iter().fold((9.0_f64, -9.0_f64), |(l, h), &v| (l.min(v), h.max(v)));
            prop_assert!(low == 0.0 && (high == 1.0 || high == 0.0));
        }
    }

    #[test]
    fn every_step_is_the_same_for_sparse_and_for_permuted_rows(source in table(6), target in table(5)) {
        let order = [3, 1, 5, 0, 4, 2];
        for (name, step) in ALL {
            let (_, xs, xt) = fit(step, &source, &target);
            let pipeline = Pipeline::from(vec![step]);
            let sparse = |x: &Array2<f64>| Features::Sparse(Features::from(x.clone()).to_sparse().unwrap().into_owned());
            let (_, zs, zt) = pipeline.fit_transform(&[&sparse(&source)], &sparse(&target)).unwrap();
            prop_assert!(close(&dense(&xs[0]), &dense(&zs[0])) && close(&dense(&xt), &dense(&zt)), "{}", name);
            prop_assert_eq!(zt.is_sparse(), !(name.starts_with("zscore") || name == "minmax"));
            let (_, ps, pt) = fit(step, &source.select(Axis(0), &order), &target);
            prop_assert!(close(&dense(&ps[0]), &dense(&xs[0].select_rows(&order))), "{}", name);
            prop_assert!(close(&dense(&pt), &dense(&xt)), "{}", name);
        }
    }

    #[test]
    fn two_sources_are_one_when_stacked(a in table(4), b in table(3), target in table(5)) {
        let (a, b, target) = (Features::from(a), Features::from(b), Features::from(target));
        let stacked = a.stack(&b).unwrap();
        for step in [Step::Zscore, Step::ZscorePooled, Step::Minmax, Step::Tfidf, Step::TfidfPooled] {
            let pipeline = Pipeline::from(vec![step]);
            let (_, two, target_of_two) = pipeline.fit_transform(&[&a, &b], &target).unwrap();
            let (_, one, target_of_one) = pipeline.fit_transform(&[&stacked], &target).unwrap();
            prop_assert!(close(&dense(&two[0].stack(&two[1]).unwrap()), &dense(&one[0])));
            prop_assert!(close(&dense(&target_of_two), &dense(&target_of_one)));
        }
    }
}

#[test]
fn no_step_takes_images_and_without_steps_they_pass() {
    let image = translearn_core::Image::new(1, 1, 1, vec![7]).unwrap();
    let images = Features::Images([image.clone(), image].into_iter().collect());
    for (name, step) in ALL {
        let error = Pipeline::from(vec![step])
            .fit(&[&images], &images)
            .unwrap_err();
        assert!(
            matches!(
                error,
                crate::DataError::Transfer(TransferError::NotVectors { .. })
            ),
            "{name}: {error}"
        );
    }
    let (fitted, sources, target) = Pipeline::default()
        .fit_transform(&[&images], &images)
        .unwrap();
    assert_eq!((&sources[0], &target), (&images, &images));
    assert_eq!(fitted.transform_target(&images).unwrap(), images);
}
