use ndarray::{Array1, Array2, Axis, concatenate};
use proptest::prelude::*;
use translearn_core::{
    Domain, DomainMap, FitAlign, LabelSpace, Labels, Task, TransferProblem,
    kernel::{Kernel, ResolvedKernel},
    linalg::eigh_generalized,
    seed,
};

use super::{ComponentKernel, SstcaParams, dependence::dependence};
use crate::feature::{TcaParams, discrepancy::Discrepancy};

fn draw(n: usize, shift: f64, rng: &mut seed::Rng) -> Array2<f64> {
    Array2::from_shape_fn((n, 4), |_| shift + rng.normal())
}

/// A source with labels and a target of which the first three rows have some, too.
fn problem(
    source: &Array2<f64>,
    target: &Array2<f64>,
    of_values: bool,
) -> (TransferProblem, Vec<f64>) {
    let label = |row: usize| match of_values {
        true => source[[row % source.nrows(), 2]] + 0.1 * row as f64,
        false => (row % 3) as f64,
    };
    let all: Vec<f64> = (0..source.nrows() + 3).map(label).collect();
    let labels = |values: &[f64]| match of_values {
        true => Labels::Values(values.to_vec().into()),
        false => Labels::Classes(values.iter().map(|v| *v as usize).collect()),
    };
    let space = match of_values {
        true => LabelSpace::Real,
        false => LabelSpace::numbered(3),
    };
    let domain = |name: &str, x: &Array2<f64>| Domain {
        name: name.into(),
        features: x.clone().into(),
    };
    let (of_source, of_target) = all.split_at(source.nrows());
    let known = Task::partly_labelled(space.clone(), vec![0, 1, 2], labels(of_target));
    let problem = TransferProblem::from_parts(
        vec![(
            domain("source", source),
            Task::labelled(space, labels(of_source)),
        )],
        (domain("target", target), known),
    )
    .unwrap();
    (problem, all)
}

fn largest(x: &Array2<f64>) -> f64 {
    x.fold(0.0, |most, v| v.abs().max(most))
}

/// `K_yy`, entry by entry, for `n` rows of which the first are labelled.
fn label_kernel(labels: &[f64], n: usize, of_values: bool) -> Array2<f64> {
    let column = Array1::from(labels.to_vec()).insert_axis(Axis(1));
    let kernel = Kernel::Rbf { gamma: None }.resolve(&[&column.into()]);
    let gamma = kernel.unwrap().gamma().unwrap();
    Array2::from_shape_fn((n, n), |(i, j)| match (labels.get(i), labels.get(j)) {
        (Some(a), Some(b)) if of_values => (-gamma * (a - b).powi(2)).exp(),
        (Some(a), Some(b)) => f64::from(a == b),
        _ => 0.0,
    })
}

/// `D - W` over its norm, from all distances.
fn graph(x: &Array2<f64>, k: usize, gamma: f64) -> Array2<f64> {
    let n = x.nrows();
    let squared = |i: usize, j: usize| (&x.row(i) - &x.row(j)).mapv(|v| v * v).sum();
    let is_near = |i: usize, j: usize| {
        i != j
            && (0..n)
                .filter(|&l| l != i && squared(i, l) < squared(i, j))
                .count()
                < k
    };
    let w = Array2::from_shape_fn((n, n), |(i, j)| match is_near(i, j) || is_near(j, i) {
        true => (-gamma * squared(i, j)).exp(),
        false => 0.0,
    });
    let laplacian = Array2::from_diag(&w.sum_axis(Axis(1))) - w;
    let norm = laplacian.iter().map(|v| v * v).sum::<f64>().sqrt();
    laplacian / norm
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The pencil of the documentation with every matrix written out, labelled target rows put first.
    #[test]
    fn components_solve_the_pencil(
        n_source in 6_usize..14, n_target in 6_usize..14, primal: bool, of_values: bool,
        share in 0.05_f64..0.95, rho in 0.0_f64..3.0, lambda in 0.05_f64..3.0, seed in 0_u64..500,
    ) {
        let mut rng = seed::rng(seed);
        let (source, target) = (draw(n_source, 0.0, &mut rng), draw(n_target, 0.6, &mut rng));
        let (problem, labels) = problem(&source, &target, of_values);
        let kernel = if primal { ComponentKernel::Primal } else { ComponentKernel::Rbf };
        let params = SstcaParams::default()
            .kernel(kernel).gamma(0.3).normalize(false).n_components(2).n_neighbours(3)
            .dependence(share).rho(rho).lambda(lambda);
        let map = params.fit_align(&problem, 0).unwrap().map;

        let n = n_source + n_target;
        let x = concatenate(Axis(0), &[source.view(), target.view()]).unwrap();
        let f = match primal {
            true => x.clone(),
            false => ResolvedKernel::Rbf { gamma: 0.3 }.gram(&x.clone().into()).unwrap(),
        };
        let centring = Array2::<f64>::eye(n) - 1.0 / n as f64;
        // The labelled rows are the first: the source's, and three of the target.
        let of_labels = label_kernel(&labels, n, of_values) * share + Array2::<f64>::eye(n) * (1.0 - share);
        let left = f.t().dot(&centring).dot(&of_labels).dot(&centring).dot(&f);
        let e = Discrepancy::marginal(n_source, n_target, 1.0).indicators();
        let penalty = e.dot(&e.t()) + graph(&x, 3, 0.3) * rho;
        let right = f.t().dot(&penalty).dot(&f) + Array2::<f64>::eye(f.ncols()) * lambda;
        let mut a = eigh_generalized(&left, &right).unwrap().largest(2).unwrap();
        for mut column in a.1.columns_mut() {
            let length = column.dot(&column).sqrt();
            column /= length;
        }
        // Where two directions are as good as each other, either may be found.
        prop_assume!(a.0[0] - a.0[1] > 1e-3 * a.0[0]);
        let expected = f.dot(&a.1);
        let found = concatenate(Axis(0), &[
            map.map_source(&source.into()).unwrap().dense().unwrap().view(),
            map.map_target(&target.into()).unwrap().dense().unwrap().view(),
        ]).unwrap();
        let (found, expected) = (found.column(0), expected.column(0));
        let sign = found.dot(&expected).signum();
        let difference = (&found - &(&expected * sign)).insert_axis(Axis(1));
        prop_assert!(largest(&difference) < 1e-6 * (1.0 + largest(&expected.insert_axis(Axis(1)).to_owned())), "{difference}");
    }
}

#[test]
fn without_labels_and_graph_it_is_transfer_component_analysis() {
    let mut rng = seed::rng(3);
    let (source, target) = (draw(20, 0.0, &mut rng), draw(17, 0.5, &mut rng));
    let (problem, _) = problem(&source, &target, false);
    let new = draw(5, 0.5, &mut rng).into();
    let of = |method: &dyn FitAlign| {
        let map: Box<dyn DomainMap> = method.fit_align(&problem, 0).unwrap().map;
        map.map_target(&new).unwrap().dense().unwrap().into_owned()
    };
    let sstca = of(&SstcaParams::default()
        .n_components(3)
        .dependence(0.0)
        .rho(0.0));
    let tca = of(&TcaParams::default().n_components(3));
    // Columns are defined up to their sign.
    assert!(largest(&(sstca.mapv(f64::abs) - tca.mapv(f64::abs))) < 1e-8);
    for changed in [
        SstcaParams::default().n_components(3).dependence(0.0),
        SstcaParams::default().n_components(3).rho(0.0),
    ] {
        assert!(largest(&(of(&changed).mapv(f64::abs) - tca.mapv(f64::abs))) > 1e-3);
    }
}

/// Two columns of equal variance, of which one tells the classes apart: the labels decide which comes first.
#[test]
fn labels_choose_the_direction() {
    let mut rng = seed::rng(9);
    let mut rows = |n: usize| {
        Array2::from_shape_fn((n, 2), |(row, column)| match column {
            0 => 1.3 * rng.normal(),
            _ => (row % 3) as f64 - 1.0 + 0.2 * rng.normal(),
        })
    };
    let (source, target) = (rows(60), rows(60));
    let (problem, _) = problem(&source, &target, false);
    let share_of_second = |method: &dyn FitAlign| {
        let map = method.fit_align(&problem, 0).unwrap().map;
        let z = map.map_target(&Array2::<f64>::eye(2).into()).unwrap();
        let z = z.dense().unwrap().into_owned();
        z[[1, 0]].abs() / (z[[0, 0]].abs() + z[[1, 0]].abs())
    };
    let primal = ComponentKernel::Primal;
    let tca = TcaParams::default()
        .kernel(primal)
        .n_components(1)
        .normalize(false);
    assert!(share_of_second(&tca) < 0.2);
    let sstca = SstcaParams::default()
        .kernel(primal)
        .n_components(1)
        .normalize(false);
    assert!(share_of_second(&sstca) > 0.8);
}

/// More labelled values than a block, and rows without a label among them.
#[test]
fn blocks_of_values_add_up() {
    let mut rng = seed::rng(1);
    let n = 2 * 256 + 9;
    let f = draw(n, 0.3, &mut rng);
    let labelled: Vec<usize> = (0..n).filter(|row| row % 40 != 7).collect();
    let values = Array1::from_shape_simple_fn(labelled.len(), || rng.normal());
    let found = dependence(&f, &labelled, &Labels::Values(values.clone()), 0).unwrap();
    let centred = f.select(Axis(0), &labelled) - &f.mean_axis(Axis(0)).unwrap();
    let kernel = label_kernel(&values.to_vec(), values.len(), true);
    let expected = centred.t().dot(&kernel).dot(&centred);
    assert!(largest(&(found - &expected)) < 1e-9 * largest(&expected));
    // One value alone says nothing of widths.
    let alike = Labels::Values(Array1::ones(labelled.len()));
    let sums = centred.sum_axis(Axis(0)).insert_axis(Axis(1));
    let expected = sums.dot(&sums.t());
    let found = dependence(&f, &labelled, &alike, 0).unwrap();
    assert!(largest(&(found - &expected)) < 1e-9 * largest(&expected));
}
