use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;
use translearn_core::{DomainMap, Features, TransferError, linalg::covariance, seed};

use super::{Coral, LinearTransport};
use crate::fixture::Fixture;

/// Rows with a mean and a covariance of their own.
pub(super) fn sample(n: usize, d: usize, seed: u64) -> Array2<f64> {
    let mut rng = seed::rng(seed);
    // Far from singular, so that the ridge stays small beside every variance.
    let mix =
        Array2::from_shape_simple_fn((d, d), || 0.3 * rng.normal()) + 2.0 * Array2::<f64>::eye(d);
    let x = Array2::from_shape_simple_fn((n, d), || rng.normal());
    let mean = Array1::from_shape_simple_fn(d, || rng.normal());
    x.dot(&mix) + mean
}

pub(super) fn moments(x: &Array2<f64>) -> (Array1<f64>, Array2<f64>) {
    let n = x.nrows() as f64;
    (
        x.mean_axis(Axis(0)).unwrap(),
        covariance(x).unwrap() * ((n - 1.0) / n),
    )
}

pub(super) fn largest(m: &Array2<f64>) -> f64 {
    m.fold(0.0, |most: f64, v| most.max(v.abs()))
}

pub(super) fn mapped(features: Result<Features, TransferError>) -> Array2<f64> {
    features.unwrap().dense().unwrap().into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The image has mean and covariance of the target; the recolouring of CORAL between the same covariances has, too, and
    /// moves rows further.
    #[test]
    fn linear_transport_is_the_cheapest_map_onto_the_moments(d in 1usize..6, seed in 0u64..500) {
        let (source, target) = (sample(20, d, seed), sample(20, d, seed + 1));
        let ridge = 1e-8;
        let map = LinearTransport::params().lambda(ridge).map(&source.clone().into(), &target.clone().into()).unwrap();
        let image = mapped(map.map_source(&source.clone().into()));
        let ((mean, spread), (mean_to, spread_to)) = (moments(&image), moments(&target));
        prop_assert!((mean - mean_to).iter().all(|v| v.abs() < 1e-9));
        prop_assert!(largest(&(spread - &spread_to)) < 1e-5 * largest(&spread_to));
        // Symmetric with no eigenvalue below 0, and A Σ_S A = Σ_T: no other matrix is.
        let a = map.matrix();
        prop_assert!(largest(&(a - &a.t())) < 1e-12);
        prop_assert!(translearn_core::linalg::sqrtm_spd(a).is_ok());
        let eye = Array2::<f64>::eye(d);
        let from = moments(&source).1 + &eye * ridge;
        prop_assert!(largest(&(a.dot(&from).dot(a) - (&spread_to + &eye * ridge))) < 1e-7 * largest(&spread_to));
        // Covariances of CORAL have n - 1 below: with as many rows on both sides that is a common factor.
        let coral = Coral::params().lambda(ridge * 20.0 / 19.0).recolouring(&source, &target).unwrap();
        let moves = |a: &Array2<f64>| (a - &eye).t().dot(&from).dot(&(a - &eye)).diag().sum();
        prop_assert!(moves(a) <= moves(&coral) + 1e-9, "{} {}", moves(a), moves(&coral));
    }
}

#[test]
fn the_map_is_that_of_pot() {
    let reference = Fixture::transport();
    let (x, target, fresh) = (
        reference.matrix("x"),
        reference.matrix("target"),
        reference.matrix("fresh"),
    );
    let map = LinearTransport::params()
        .map(&x.clone().into(), &target.clone().into())
        .unwrap();
    let moved = mapped(map.map_source(&fresh.into()));
    assert!(largest(&(moved - &reference.matrix("linear"))) < 1e-9);
}

#[test]
fn a_ridge_that_is_lost_is_named() {
    // A constant column has no variance but the ridge, and 1e-8 is nothing beside 1e20.
    let x = sample(10, 1, 1);
    let x = ndarray::concatenate![Axis(1), &x * 1e10, &x * 0.0];
    let error = LinearTransport::params().map(&x.clone().into(), &x.into());
    assert!(matches!(error, Err(TransferError::InvalidParameter { name, .. }) if name == "lambda"));
}
