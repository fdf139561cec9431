use ndarray::{Array2, Axis, s};
use proptest::prelude::*;
use translearn_core::{
    Domain, DomainMap, Features, LabelSpace, Labels, Task, TransferError, TransferProblem,
};
use translearn_transport::GaussianBarycentre;

use super::{
    LinearTransport, MultiLinearTransport,
    linear_transport_tests::{largest, mapped, moments, sample},
};
use crate::fixture::Fixture;

/// The last part is the target.
fn problem(parts: &[Array2<f64>]) -> TransferProblem {
    let domain = |rows: &Array2<f64>| Domain {
        name: "rows".to_owned(),
        features: rows.clone().into(),
    };
    let [sources @ .., target] = parts else {
        unreachable!("a target")
    };
    let labelled = |rows: &Array2<f64>| {
        let labels = Labels::Values(rows.column(0).to_owned());
        (domain(rows), Task::labelled(LabelSpace::Real, labels))
    };
    TransferProblem::from_parts(
        sources.iter().map(labelled).collect(),
        (domain(target), Task::unlabelled(LabelSpace::Real)),
    )
    .unwrap()
}

/// The images of all parts.
fn images(map: &MultiLinearTransport, parts: &[Array2<f64>]) -> Vec<Array2<f64>> {
    let image = |(index, rows): (usize, &Array2<f64>)| {
        let rows = Features::from(rows.clone());
        match index + 1 == parts.len() {
            true => mapped(map.map_target(&rows)),
            false => mapped(map.map_source_at(index, &rows)),
        }
    };
    parts.iter().enumerate().map(image).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Every domain comes to have the moments of the barycentre, by a symmetric positive matrix.
    #[test]
    fn all_domains_come_to_have_the_moments_of_the_barycentre(
        d in 1usize..5, n_sources in 1usize..4, seed in 0u64..500,
    ) {
        let parts: Vec<Array2<f64>> = (0..=n_sources).map(|i| sample(15 + i, d, seed + i as u64)).collect();
        let params = MultiLinearTransport::params().lambda(1e-10);
        let map = params.map(&problem(&parts)).unwrap();
        let gaussians: Vec<_> = parts[..n_sources]
            .iter()
            .map(|rows| super::linear_transport::gaussian(&rows.clone().into(), 0.0).unwrap())
            .collect();
        let weights = ndarray::Array1::ones(n_sources);
        let between = GaussianBarycentre::new().solve(&gaussians, &weights).unwrap().gaussian;
        for image in images(&map, &parts) {
            let (mean, spread) = moments(&image);
            prop_assert!((mean - &between.mean).iter().all(|v| v.abs() < 1e-9));
            prop_assert!(largest(&(spread - &between.covariance)) < 1e-5 * largest(&between.covariance));
        }
        for matrix in map.sources().iter().chain([map.target()]).map(LinearTransport::matrix) {
            prop_assert!(largest(&(matrix - &matrix.t())) < 1e-12);
            prop_assert!(translearn_core::linalg::sqrtm_spd(matrix).is_ok());
        }
    }

    #[test]
    fn one_source_stays_and_the_target_moves_onto_it(d in 1usize..5, seed in 0u64..500) {
        let parts = [sample(20, d, seed), sample(16, d, seed + 1)];
        let map = MultiLinearTransport::params().lambda(1e-10).map(&problem(&parts)).unwrap();
        let [source, target] = &images(&map, &parts)[..] else { unreachable!("two parts") };
        prop_assert!(largest(&(source - &parts[0])) < 1e-9);
        let back = LinearTransport::params().lambda(1e-10).map(&parts[1].clone().into(), &parts[0].clone().into()).unwrap();
        prop_assert!(largest(&(target - &mapped(back.apply(&parts[1].clone().into())))) < 1e-7);
    }
}

#[test]
fn the_maps_are_those_of_skada() {
    let reference = Fixture::multi_linear_transport();
    let (rows, theirs) = (reference.matrix("rows"), reference.matrix("mapped"));
    let ends = reference.vector("sizes").into_iter().scan(0, |end, size| {
        let start = *end;
        *end += size as usize;
        Some((start, *end))
    });
    let ends: Vec<(usize, usize)> = ends.collect();
    let part = |&(start, end): &(usize, usize)| rows.slice(s![start..end, ..]).to_owned();
    let parts: Vec<Array2<f64>> = ends.iter().map(part).collect();
    // A ridge that is nothing: skada has none.
    let map = MultiLinearTransport::params()
        .lambda(1e-13)
        .map(&problem(&parts))
        .unwrap();
    let ours = images(&map, &parts);
    let views: Vec<_> = ours.iter().map(Array2::view).collect();
    let ours = ndarray::concatenate(Axis(0), &views).unwrap();
    let worst = largest(&(ours - theirs));
    assert!(worst < 1e-9, "{worst:e}");
}

/// A column that is constant in some domains, and one that two domains share but for 1e-7.
#[test]
fn nearly_singular_covariances_are_mapped() {
    let mut parts: Vec<Array2<f64>> = (0..4).map(|i| sample(20, 3, i)).collect();
    parts[0].column_mut(1).fill(2.0);
    parts[3].column_mut(1).fill(-1.0);
    let copy = &parts[1].column(0) + &(&parts[1].column(2) * 1e-7);
    parts[1].column_mut(1).assign(&copy);
    let map = MultiLinearTransport::params()
        .lambda(1e-6)
        .map(&problem(&parts))
        .unwrap();
    let images = images(&map, &parts);
    let (common, _) = moments(&images[0]);
    for image in &images {
        let (mean, spread) = moments(image);
        assert!((mean - &common).iter().all(|v| v.abs() < 1e-9));
        assert!(largest(&spread) < 100.0, "{spread}");
    }
}

/// A share of each feature's own variance, which makes the map one that does not depend on the units; features that vary
/// nowhere stay as they are.
#[test]
fn the_ridge_is_a_share_of_the_variances() {
    let mut parts: Vec<Array2<f64>> = (0..3).map(|i| sample(12, 3, i)).collect();
    for part in &mut parts {
        part.column_mut(2).fill(7.0);
    }
    let params = MultiLinearTransport::params().lambda(0.5);
    let plain = params.map(&problem(&parts)).unwrap();
    let a = plain.target().matrix();
    assert!(
        largest(
            &(&a.row(2) - &ndarray::array![0.0, 0.0, 1.0])
                .insert_axis(Axis(0))
                .to_owned()
        ) < 1e-9,
        "{a}"
    );
    let scaled: Vec<Array2<f64>> = parts.iter().map(|part| part * 1e3).collect();
    let scaled = params.map(&problem(&scaled)).unwrap();
    assert!(largest(&(scaled.target().matrix() - a)) < 1e-9);
    // One feature alone: deviations with the ridge, source over target.
    let one: Vec<Array2<f64>> = parts[1..]
        .iter()
        .map(|part| part.slice(s![.., ..1]).to_owned())
        .collect();
    let variance = |part: &Array2<f64>| moments(part).1[[0, 0]];
    let (of_source, of_target) = (variance(&one[0]), variance(&one[1]));
    let ridge = 0.5 * 0.5 * (of_source + of_target);
    let expected = ((of_source + ridge) / (of_target + ridge)).sqrt();
    let found = params.map(&problem(&one)).unwrap().target().matrix()[[0, 0]];
    assert!((found - expected).abs() < 1e-12, "{found} {expected}");
}

#[test]
fn a_source_has_to_be_named_among_several() {
    let parts: Vec<Array2<f64>> = (0..3).map(|i| sample(9, 2, i)).collect();
    let map = MultiLinearTransport::params()
        .map(&problem(&parts))
        .unwrap();
    let rows = Features::from(parts[0].clone());
    let error = map.map_source(&rows).unwrap_err();
    assert!(
        matches!(error, TransferError::Unsupported { .. }),
        "{error}"
    );
    let error = map.map_source_at(2, &rows).unwrap_err().to_string();
    assert_eq!(
        error,
        "`index` = 2 is outside the 2 sources of the fit, from 0"
    );
}

#[test]
fn domains_of_other_features_are_refused() {
    let parts = [sample(9, 2, 0), sample(9, 3, 1), sample(9, 2, 2)];
    let error = MultiLinearTransport::params().map(&problem(&parts));
    assert!(matches!(error, Err(TransferError::FeatureMismatch { .. })));
}
