use ndarray::{Array1, Array2, Axis, concatenate, s};
use proptest::prelude::*;
use translearn_core::{
    DomainMap, Features,
    linalg::{eigh_generalized, gram, matmul, orthonormalize, svd_thin},
    seed::{self, derive},
};

use super::design::{BLOCK, Design};
use super::{ComponentKernel, ComponentProblem, DesignParams};
use crate::feature::discrepancy::{Discrepancy, of_mean};

/// Two clouds of five columns, the second moved.
fn domains(n_source: usize, n_target: usize, seed: u64) -> (Array2<f64>, Array2<f64>) {
    let mut rng = seed::rng(seed);
    let mut draw = |n: usize, shift: f64| {
        Array2::from_shape_fn((n, 5), |(_, column)| {
            shift + rng.normal() / (1.0 + column as f64)
        })
    };
    (draw(n_source, 0.0), draw(n_target, 0.4))
}

fn asked(kernel: ComponentKernel, n_features: usize) -> DesignParams {
    DesignParams {
        kernel,
        gamma: Some(0.3),
        n_features,
        normalize: false,
    }
}

/// TCA of the two domains: the map and the rows of the fit on it.
fn components(
    (source, target): &(Array2<f64>, Array2<f64>),
    wanted: DesignParams,
    k: usize,
) -> (super::Components, Array2<f64>) {
    let (x, y) = (source.clone().into(), target.clone().into());
    let problem = ComponentProblem::new(&x, &y, wanted, 7).unwrap();
    let e = Discrepancy::marginal(source.nrows(), target.nrows(), 1.0).indicators();
    let map = problem.solve(&e, 0.5, k).unwrap();
    let z = problem.transform(&map).unwrap();
    (map, z)
}

fn largest(x: &Array2<f64>) -> f64 {
    x.fold(0.0, |most, v| v.abs().max(most))
}

/// The largest angle between the column spaces, in degrees.
fn angle(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let (a, b) = (orthonormalize(a).unwrap(), orthonormalize(b).unwrap());
    let beside = &b - &a.dot(&a.t().dot(&b));
    svd_thin(&beside).unwrap().values[0]
        .min(1.0)
        .asin()
        .to_degrees()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn nystroem_of_all_rows_is_the_gaussian_kernel(n_source in 5_usize..20, n_target in 5_usize..20, seed in 0_u64..500) {
        let domains = domains(n_source, n_target, seed);
        let (exact, z) = components(&domains, asked(ComponentKernel::Rbf, 1), 2);
        let (of_sample, near) = components(&domains, asked(ComponentKernel::Nystroem, 100), 2);
        let new = Features::from(self::domains(1, 9, seed + 1).1);
        let mapped = |map: &super::Components| map.map_target(&new).unwrap().dense().unwrap().into_owned();
        for (exact, near) in [(z, near), (mapped(&exact), mapped(&of_sample))] {
            for (exact, near) in exact.columns().into_iter().zip(near.columns()) {
                let sign = exact.dot(&near).signum();
                let difference = (&exact - &(&near * sign)).fold(0.0, |most: f64, v| v.abs().max(most));
                prop_assert!(difference < 1e-6, "{difference}");
            }
        }
    }

    /// The pencil with `K = φ(X) φ(X)ᵀ` written out, `n x n`.
    #[test]
    fn a_finite_map_solves_the_dual_problem_of_its_kernel(
        n_source in 5_usize..20, n_target in 5_usize..20, m in 3_usize..8, form in 0_usize..2, seed in 0_u64..500,
    ) {
        let kernel = [ComponentKernel::Nystroem, ComponentKernel::Fourier][form];
        let domains = domains(n_source, n_target, seed);
        let x = concatenate(Axis(0), &[domains.0.view(), domains.1.view()]).unwrap();
        let n = n_source + n_target;
        let map = asked(kernel, m).map(&x.clone().into(), derive(7, &["design"])).unwrap();
        let phi = map.map(&x.into()).unwrap();
        let k = phi.dot(&phi.t());
        let centring = Array2::<f64>::eye(n) - 1.0 / n as f64;
        let e = Discrepancy::marginal(n_source, n_target, 1.0).indicators();
        let m = e.dot(&e.t());
        let right = k.dot(&m).dot(&k) + Array2::<f64>::eye(n) * 0.5;
        let optimum = eigh_generalized(&k.dot(&centring).dot(&k), &right).unwrap().largest(2).unwrap().0;
        let (_, z) = components(&domains, asked(kernel, map.n_features()), 2);
        for (z, optimum) in z.columns().into_iter().zip(&optimum) {
            let mean = z.mean().unwrap();
            let variance = z.mapv(|v| (v - mean).powi(2)).sum();
            let quotient = variance / (z.dot(&m.dot(&z)) + 0.5);
            prop_assert!((quotient - optimum).abs() < 1e-8 * (1.0 + optimum), "{quotient} against {optimum}");
        }
    }
}

/// What the sample loses of the leading subspace where the whole matrix can be decomposed.
#[test]
fn the_leading_subspace_is_within_a_degree_of_the_exact_one() {
    let domains = domains(260, 240, 3);
    let (_, exact) = components(&domains, asked(ComponentKernel::Rbf, 1), 5);
    let (_, near) = components(&domains, asked(ComponentKernel::Nystroem, 100), 5);
    let sampled = angle(&exact, &near);
    assert!(sampled < 1.0, "{sampled}°");
    // Ten rows do not say as much.
    let (_, far) = components(&domains, asked(ComponentKernel::Nystroem, 10), 5);
    assert!(angle(&exact, &far) > sampled);
    // The error of frequencies falls as 1/√m.
    let fourier = |m| {
        angle(
            &exact,
            &components(&domains, asked(ComponentKernel::Fourier, m), 5).1,
        )
    };
    let (few, many) = (fourier(100), fourier(3000));
    assert!(many < 10.0 && many < 0.5 * few, "{few}°, {many}°");
}

#[test]
fn blocks_of_rows_add_up() {
    let (x, _) = domains(BLOCK + 5, 1, 1);
    let wanted = asked(ComponentKernel::Nystroem, 6);
    let (design, f) = Design::of(x.clone(), wanted, 2).unwrap();
    let Design::Mapped { map, right } = design else {
        panic!("not a finite map: {design:?}");
    };
    let phi = map.map(&x.clone().into()).unwrap();
    assert!(largest(&(matmul(&phi, &right).unwrap() - &f)) < 1e-9 * largest(&f));
    // F = φ V S with (φ V)ᵀ (φ V) = S².
    let squared = gram(&right);
    assert!(largest(&(gram(&f) - squared.dot(&squared))) < 1e-9 * largest(&gram(&f)));
    let (source, target) = (
        x.slice(s![..9, ..]).to_owned(),
        x.slice(s![9.., ..]).to_owned(),
    );
    let problem = ComponentProblem::new(&source.into(), &target.into(), wanted, 2).unwrap();
    let whole = gram(&super::centred(&problem.f));
    assert!(largest(&(problem.scatter() - &whole)) < 1e-9 * largest(&whole));
}

#[test]
fn the_sample_is_that_of_the_seed_on_any_number_of_threads() {
    let (source, target) = domains(40, 30, 5);
    let saved = |kernel, seed, threads| {
        let (x, y) = (source.clone().into(), target.clone().into());
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let problem = ComponentProblem::new(&x, &y, asked(kernel, 12), seed).unwrap();
            let e = Discrepancy::marginal(40, 30, 1.0).indicators();
            serde_json::to_string(&problem.solve(&e, 1.0, 3).unwrap()).unwrap()
        })
    };
    for kernel in [ComponentKernel::Nystroem, ComponentKernel::Fourier] {
        assert_eq!(saved(kernel, 1, 1), saved(kernel, 1, 3));
        assert_ne!(saved(kernel, 1, 1), saved(kernel, 2, 1));
        let text = saved(kernel, 1, 1);
        let map: super::Components = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&map).unwrap(), text);
        let (x, y) = (source.clone().into(), target.clone().into());
        let problem = ComponentProblem::new(&x, &y, asked(kernel, 12), 1).unwrap();
        let e = Discrepancy::marginal(40, 30, 1.0).indicators();
        let fitted = problem.solve(&e, 1.0, 3).unwrap();
        assert_eq!(map.map_target(&y).unwrap(), fitted.map_target(&y).unwrap());
    }
}

#[test]
fn more_components_than_the_map_has_columns_are_refused() {
    let (source, target) = domains(20, 20, 1);
    let wanted = asked(ComponentKernel::Nystroem, 6);
    let problem = ComponentProblem::new(&source.into(), &target.into(), wanted, 0).unwrap();
    let e = Discrepancy::marginal(20, 20, 1.0).indicators();
    assert_eq!(
        problem.solve(&e, 1.0, 7).unwrap_err().to_string(),
        "`n_components` = 7 is outside integer in [1, 6] (the rank of the data or of the map of `n_features`)"
    );
}

/// More columns than rows and fewer, a class that the target lacks: the problem made smaller has the solutions of the whole
/// one, on any number of threads.
#[test]
fn a_smaller_problem_gives_the_components_of_the_whole() {
    let d = 120;
    for (n_source, n_target) in [(50, 30), (160, 140)] {
        let mut rng = seed::rng(n_source as u64);
        let mut draw = |n: usize, shift: f64| {
            Array2::from_shape_fn((n, d), |(_, column)| {
                (shift + rng.normal()) / (1.0 + column as f64)
            })
        };
        let (source, target) = (draw(n_source, 0.0), draw(n_target, 0.4));
        let classes = |n: usize, c: usize| Array1::from_shape_fn(n, |row| row % c);
        let mut joint = Discrepancy::marginal(n_source, n_target, 3.0);
        joint.add_classes(&classes(n_source, 3), &classes(n_target, 2), 3, of_mean);
        let (e, lambda, k) = (joint.indicators(), 0.01, 4);
        let wanted = asked(ComponentKernel::Primal, 1);
        let (x, y) = (source.clone().into(), target.clone().into());
        let problem = ComponentProblem::new(&x, &y, wanted, 0).unwrap();
        let pulls = problem.f.t().dot(&e);
        let smaller = problem
            .spectrum()
            .unwrap()
            .largest(&pulls, lambda, k)
            .unwrap();
        assert!(smaller.is_some(), "{n_source} and {n_target} rows");

        let x = concatenate(Axis(0), &[source.view(), target.view()]).unwrap();
        let centred = &x - &x.mean_axis(Axis(0)).unwrap();
        let penalised = pulls.dot(&pulls.t()) + Array2::<f64>::eye(d) * lambda;
        let whole = eigh_generalized(&centred.t().dot(&centred), &penalised).unwrap();
        let whole = whole.largest(k).unwrap().1;
        let found = problem.solve(&e, lambda, k).unwrap().coefficients;
        for (found, whole) in found.columns().into_iter().zip(whole.columns()) {
            let cosine = found.dot(&whole) / whole.dot(&whole).sqrt();
            assert!((cosine.abs() - 1.0).abs() < 1e-10, "{cosine}");
        }

        let on_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let (x, y) = (source.clone().into(), target.clone().into());
                let problem = ComponentProblem::new(&x, &y, wanted, 0).unwrap();
                problem.solve(&e, lambda, k).unwrap().coefficients
            })
        };
        assert_eq!(on_threads(1), on_threads(3));
    }
}
