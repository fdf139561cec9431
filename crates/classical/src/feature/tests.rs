use ndarray::{Array1, Array2, Axis, concatenate};
use proptest::prelude::*;
use translearn_core::{
    Domain, DomainMap, Features, FitAlign, LabelSpace, Labels, Task, TransferProblem,
    kernel::Kernel,
    linalg::{Moments, covariance, covariance_ledoit_wolf, eigh_generalized, gram, svd_thin},
    seed,
};

use super::{
    BdaParams, ComponentKernel, Coral, Gfk, JdaParams, SubspaceAlignment, TcaParams,
    components::{ComponentProblem, DesignParams},
    discrepancy::{Discrepancy, of_mean},
    principal::principal_components,
};

pub(super) fn gaussian(n: usize, d: usize, shift: f64, scale: f64, seed: u64) -> Array2<f64> {
    let mut rng = seed::rng(seed);
    let mix = Array2::from_shape_simple_fn((d, d), || rng.normal());
    let x = Array2::from_shape_simple_fn((n, d), || rng.normal());
    x.dot(&mix) * scale + shift
}

pub(super) fn problem(
    source: Array2<f64>,
    labels: Vec<usize>,
    target: Array2<f64>,
) -> TransferProblem {
    let space = LabelSpace::numbered(3);
    let domain = |name: &str, x: Array2<f64>| Domain {
        name: name.into(),
        features: x.into(),
    };
    TransferProblem::from_parts(
        vec![(
            domain("source", source),
            Task::labelled(space.clone(), Labels::Classes(labels.into())),
        )],
        (domain("target", target), Task::unlabelled(space)),
    )
    .unwrap()
}

pub(super) fn largest(x: &Array2<f64>) -> f64 {
    x.fold(0.0, |a: f64, b| a.max(b.abs()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn coral_gives_the_source_the_covariance_of_the_target(d in 1usize..6, seed in 0u64..500) {
        let (source, target) = (gaussian(40, d, 0.0, 1.0, seed), gaussian(30, d, 1.0, 2.0, seed + 1));
        let a = Coral::params().lambda(0.5).recolouring(&source, &target).unwrap();
        let ridged = |x: &Array2<f64>| covariance(x).unwrap() + Array2::<f64>::eye(d) * 0.5;
        let residual = a.t().dot(&ridged(&source)).dot(&a) - ridged(&target);
        prop_assert!(largest(&residual) < 1e-9 * largest(&ridged(&target)), "{residual:?}");

        let moments = |x: &Array2<f64>| {
            let mut moments = Moments::new(d);
            x.axis_chunks_iter(Axis(0), 7).for_each(|block| moments.add(&block).unwrap());
            moments
        };
        let in_blocks = Coral::params().lambda(0.5).fit_moments(&moments(&source), &moments(&target)).unwrap();
        prop_assert!(largest(&(in_blocks.matrix() - &a)) < 1e-9 * largest(&a));
    }

    /// More columns than rows: without shrinkage there would be nothing to invert.
    #[test]
    fn coral_gives_the_source_the_shrunk_covariance_of_the_target(d in 2usize..12, seed in 0u64..500) {
        let (source, target) = (gaussian(8, d, 0.0, 1.0, seed), gaussian(9, d, 1.0, 2.0, seed + 1));
        let a = Coral::params().ledoit_wolf().recolouring(&source, &target).unwrap();
        let shrunk = |x: &Array2<f64>| covariance_ledoit_wolf(x).unwrap().0;
        let residual = a.t().dot(&shrunk(&source)).dot(&a) - shrunk(&target);
        prop_assert!(largest(&residual) < 1e-7 * largest(&shrunk(&target)), "{residual:?}");
    }

    #[test]
    fn coral_between_equal_samples_is_the_identity(d in 1usize..6, seed in 0u64..500) {
        let x = gaussian(30, d, 0.3, 1.5, seed);
        let a = Coral::params().recolouring(&x, &x).unwrap();
        prop_assert!(largest(&(a - Array2::<f64>::eye(d))) < 1e-8);
    }

    #[test]
    fn subspace_alignment_is_the_best_rotation(d in 2usize..6, seed in 0u64..500) {
        let k = d - 1;
        let (source, target) = (gaussian(25, d, 0.0, 1.0, seed), gaussian(35, d, 1.0, 1.0, seed + 7));
        let map = SubspaceAlignment::params().n_components(k).align(&source, &target).unwrap();
        let from = principal_components(&source, k, "source").unwrap().directions;
        prop_assert!(largest(&(gram(&from) - Array2::<f64>::eye(k))) < 1e-9);
        let misfit = |m: &Array2<f64>| {
            (from.dot(m) - map.target_map()).iter().map(|v| v * v).sum::<f64>()
        };
        // P_S M = source_map, so M = P_Sᵀ source_map; no other M fits better.
        let m = from.t().dot(map.source_map());
        let mut rng = seed::rng(seed);
        for _ in 0..10 {
            let other = &m + &Array2::from_shape_simple_fn((k, k), || 0.1 * rng.normal());
            prop_assert!(misfit(&m) <= misfit(&other));
        }
    }

    #[test]
    fn the_flow_kernel_is_the_integral_along_the_path(
        d in 2usize..8, share in 1usize..4, seed in 0u64..500, alike in 0.0f64..1.0,
    ) {
        // From subspaces far apart to almost the same one, where the angles are small.
        let k = (d / share).max(1);
        let source = gaussian(30, d, 0.0, 1.0, seed);
        let target = &source.slice(ndarray::s![..25, ..]) * alike.sqrt() * 1e3
            + gaussian(25, d, 0.0, 1.0, seed + 9) * (1.0 - alike.sqrt());
        let kernel = Gfk::params().n_components(k).flow(&source, &target).unwrap();
        let from = principal_components(&source, k, "source").unwrap().directions;
        let to = principal_components(&target, k, "target").unwrap().directions;
        let difference = kernel.matrix().dot(&kernel.matrix().t()) - integrated(&from, &to);
        prop_assert!(largest(&difference) < 1e-7, "{difference:?}");
    }

    #[test]
    fn the_flow_between_equal_subspaces_projects_on_them(d in 1usize..7, seed in 0u64..500) {
        let k = d.div_ceil(2);
        let x = gaussian(30, d, 0.5, 1.0, seed);
        let kernel = Gfk::params().n_components(k).flow(&x, &x).unwrap();
        let p = principal_components(&x, k, "x").unwrap().directions;
        let difference = kernel.matrix().dot(&kernel.matrix().t()) - p.dot(&p.t());
        prop_assert!(largest(&difference) < 1e-12);
        prop_assert!(kernel.angles().iter().all(|angle| angle.abs() < 1e-7));
    }

    #[test]
    fn components_solve_the_pencil_of_the_paper(
        d in 2usize..7, n_source in 5usize..12, n_target in 5usize..12, seed in 0u64..500,
        form in 0usize..3, lambda in 0.05f64..5.0,
    ) {
        let (source, target) = (gaussian(n_source, d, 0.0, 1.0, seed), gaussian(n_target, d, 1.0, 1.0, seed + 3));
        let kernel = [ComponentKernel::Linear, ComponentKernel::Primal, ComponentKernel::Rbf][form];
        let x = concatenate(Axis(0), &[source.view(), target.view()]).unwrap();
        let n = n_source + n_target;
        // K as the papers have it: n x n for a kernel, the rows themselves for the primal form.
        let k = match kernel {
            ComponentKernel::Primal => x.t().to_owned(),
            ComponentKernel::Linear => x.dot(&x.t()),
            _ => {
                Kernel::Rbf { gamma: Some(0.2) }.resolve(&[]).unwrap().gram(&x.clone().into()).unwrap()
            }
        };
        let centring = Array2::<f64>::eye(n) - 1.0 / n as f64;
        let e = Discrepancy::marginal(n_source, n_target, 1.0).indicators();
        let m = e.dot(&e.t());
        let scatter = k.dot(&centring).dot(&k.t());
        let penalised = k.dot(&m).dot(&k.t()) + Array2::<f64>::eye(k.nrows()) * lambda;
        let oracle = eigh_generalized(&scatter, &penalised).unwrap().largest(2).unwrap();

        let components = {
            let wanted = DesignParams { kernel, gamma: Some(0.2), n_features: 1, normalize: false };
            ComponentProblem::new(&source.into(), &target.into(), wanted, 0).unwrap()
        };
        let map = components.solve(&e, lambda, 2).unwrap();
        let z = components.transform(&map).unwrap();
        // The certificate: z = Kᵀ α with ‖α‖ = 1, and the Rayleigh quotient of each is the largest the pencil has.
        for column in 0..2 {
            let z = z.column(column);
            let mean = z.mean().unwrap();
            let variance = z.mapv(|v| (v - mean).powi(2)).sum();
            let discrepancy = z.dot(&m.dot(&z));
            let quotient = variance / (discrepancy + lambda);
            let optimum = oracle.0[column];
            prop_assert!((quotient - optimum).abs() <= 1e-7 * oracle.0[0], "{quotient} against {optimum}");
        }
        // New rows need no new fit.
        let again = map.map_target(&Features::from(x)).unwrap();
        prop_assert!(largest(&(&*again.dense().unwrap() - &z)) < 1e-8 * largest(&z));
    }
}

/// `∫ Φ(t) Φ(t)ᵀ dt` by Simpson's rule on the path as the paper has it: `Φ(t) = P_S U cos(tΘ) - R_S W sin(tΘ)`, with
/// `-R_S W` the part of `P_T V` beside `P_S U`, divided by its length.
fn integrated(from: &Array2<f64>, to: &Array2<f64>) -> Array2<f64> {
    let svd = svd_thin(&from.t().dot(to)).unwrap();
    let (u, v) = (from.dot(&svd.u), to.dot(&svd.v));
    let mut path: Vec<(Array1<f64>, Array1<f64>, f64)> = Vec::new();
    for i in 0..u.ncols() {
        let (u, v) = (u.column(i), v.column(i));
        let beside = &v - &(&u * u.dot(&v));
        let sine = beside.dot(&beside).sqrt();
        let angle = sine.atan2(u.dot(&v));
        path.push((u.to_owned(), beside / sine.max(1e-300), angle));
    }
    let steps = 200;
    let mut g = Array2::zeros((from.nrows(), from.nrows()));
    for step in 0..=steps {
        let weight = match step {
            0 => 1.0,
            last if last == steps => 1.0,
            odd if odd % 2 == 1 => 4.0,
            _ => 2.0,
        } / (3.0 * steps as f64);
        let t = step as f64 / steps as f64;
        for (u, w, angle) in &path {
            let phi = u * (t * angle).cos() + w * (t * angle).sin();
            let column = phi.insert_axis(Axis(1));
            g = g + column.dot(&column.t()) * weight;
        }
    }
    g
}

/// The peers' unsymmetric matrix in a symmetric eigensolver leaves a mean gap above 0.8 here; the pencil closes it.
#[test]
fn a_small_penalty_closes_the_gap_between_the_means() {
    let (source, target) = (
        gaussian(250, 20, 0.0, 1.0, 1),
        gaussian(250, 20, 2.0, 1.0, 1),
    );
    let (n_source, n_target) = (source.nrows(), target.nrows());
    let wanted = DesignParams {
        kernel: ComponentKernel::Linear,
        gamma: None,
        n_features: 1,
        normalize: false,
    };
    let components = ComponentProblem::new(&source.into(), &target.into(), wanted, 0).unwrap();
    let indicators = Discrepancy::marginal(n_source, n_target, 1.0).indicators();
    let map = components.solve(&indicators, 1e-4, 5).unwrap();
    let z = components.transform(&map).unwrap();
    let mean =
        |rows: std::ops::Range<usize>| z.slice(ndarray::s![rows, ..]).mean_axis(Axis(0)).unwrap();
    let gap = mean(0..n_source) - mean(n_source..n_source + n_target);
    let variance = z.var_axis(Axis(0), 0.0).sum();
    let relative = gap.dot(&gap) / variance;
    assert!(relative < 1e-4, "gap² / variance = {relative}");
}

#[test]
fn more_components_than_the_rank_are_refused_with_both_numbers() {
    let problem = problem(
        gaussian(6, 3, 0.0, 1.0, 1),
        vec![0, 1, 2, 0, 1, 2],
        gaussian(5, 3, 0.0, 1.0, 2),
    );
    let error = TcaParams::default()
        .n_components(4)
        .fit_align(&problem, 0)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`n_components` = 4 is outside integer in [1, 3] (the rank of the data)"
    );
    let error = SubspaceAlignment::params()
        .n_components(9)
        .fit_align(&problem, 0)
        .unwrap_err();
    assert!(error.to_string().contains("`n_components` = 9"), "{error}");
}

#[test]
fn a_flow_needs_directions_with_variance() {
    let mut source = gaussian(9, 4, 0.0, 1.0, 1);
    source.column_mut(2).fill(1.0);
    let target = gaussian(8, 4, 0.0, 1.0, 2);
    let error = Gfk::params()
        .n_components(4)
        .flow(&source, &target)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`n_components` = 4 is outside integer in [1, 3] (the rank of both domains)"
    );
    // Where none is asked for, as many as both have.
    let kernel = Gfk::params().flow(&source, &target).unwrap();
    assert_eq!(kernel.angles().len(), 3);
}

/// Half and half is JDA, all on the domains is TCA.
#[test]
fn bda_lies_between_tca_and_jda() {
    let (source, target) = (gaussian(30, 4, 0.0, 1.0, 11), gaussian(24, 4, 0.7, 1.0, 12));
    let labels: Vec<usize> = (0..30).map(|row| row % 3).collect();
    let problem = problem(source, labels, target.clone());
    let mapped = |method: &dyn FitAlign| {
        let map = method.fit_align(&problem, 0).unwrap().map;
        let z = map.map_target(&target.clone().into()).unwrap();
        z.dense().unwrap().into_owned()
    };
    let bda = |mu: f64| mapped(&BdaParams::default().n_components(3).mu(mu));
    let jda = mapped(&JdaParams::default().n_components(3));
    let tca = mapped(&TcaParams::default().n_components(3));
    assert!(largest(&(bda(0.5) - &jda)) < 1e-10);
    assert!(largest(&(bda(0.0) - &tca)) < 1e-10);
    assert!(largest(&(bda(1.0) - &jda)) > 1e-3);
    assert!(largest(&(&tca - &jda)) > 1e-3);
}

/// The rounds of the paper with every matrix written out.
#[test]
fn jda_follows_the_steps_of_the_paper() {
    let mut rng = seed::rng(5);
    let labels: Vec<usize> = (0..24).map(|i| i % 3).collect();
    let blob = |class: usize, shift: f64, rng: &mut seed::Rng| {
        let centre = [[2.0, 0.0, 0.3], [0.0, 2.0, -0.4], [-1.5, -1.5, 0.8]][class];
        Array1::from_iter(centre.map(|c| c + shift + 0.6 * rng.normal()))
    };
    let stack = |shift: f64, rng: &mut seed::Rng| {
        let rows: Vec<Array1<f64>> = labels.iter().map(|&c| blob(c, shift, rng)).collect();
        ndarray::stack(Axis(0), &rows.iter().map(Array1::view).collect::<Vec<_>>()).unwrap()
    };
    let (source, target) = (stack(0.0, &mut rng), stack(0.8, &mut rng));
    let params = JdaParams::default()
        .n_components(2)
        .lambda(0.5)
        .normalize(false)
        .kernel(ComponentKernel::Primal)
        .n_iterations(4);
    let map = params
        .fit_align(&problem(source.clone(), labels.clone(), target.clone()), 0)
        .unwrap()
        .map;
    let z_source = map
        .map_source(&source.clone().into())
        .unwrap()
        .dense()
        .unwrap()
        .into_owned();
    let z_target = map
        .map_target(&target.clone().into())
        .unwrap()
        .dense()
        .unwrap()
        .into_owned();

    let x = concatenate(Axis(0), &[source.view(), target.view()]).unwrap();
    let centring = Array2::<f64>::eye(48) - 1.0 / 48.0;
    let mut pseudo: Option<Array1<usize>> = None;
    let mut z = Array2::zeros((0, 0));
    for _ in 0..4 {
        let mut m = Discrepancy::marginal(24, 24, 3.0);
        if let Some(pseudo) = &pseudo {
            m.add_classes(&labels.clone().into(), pseudo, 3, of_mean);
        }
        let e = m.indicators();
        let right = x.t().dot(&e).dot(&e.t()).dot(&x) + Array2::<f64>::eye(3) * 0.5;
        let mut a = eigh_generalized(&x.t().dot(&centring).dot(&x), &right)
            .unwrap()
            .largest(2)
            .unwrap()
            .1;
        for mut column in a.columns_mut() {
            let length = column.dot(&column).sqrt();
            column /= length;
        }
        z = x.dot(&a);
        let nearest = |row: usize| {
            let distance = |other: usize| (&z.row(row) - &z.row(other)).mapv(|v| v * v).sum();
            (0..24)
                .min_by(|&i, &j| distance(i).total_cmp(&distance(j)))
                .unwrap()
        };
        pseudo = Some((24..48).map(|row| labels[nearest(row)]).collect());
    }
    let ours = concatenate(Axis(0), &[z_source.view(), z_target.view()]).unwrap();
    // Eigenvectors are defined up to their sign.
    for (ours, theirs) in ours.columns().into_iter().zip(z.columns()) {
        let same = (&ours - &theirs)
            .mapv(f64::abs)
            .sum()
            .min((&ours + &theirs).mapv(f64::abs).sum());
        assert!(same < 1e-8, "{same}");
    }
}
