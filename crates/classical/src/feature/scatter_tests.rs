//! The methods over scatter matrices against the matrices of their papers, written out.

use ndarray::{Array1, Array2, Axis, concatenate, s};
use proptest::prelude::*;
use translearn_core::{
    Domain, DomainMap, Features, FitAlign, LabelSpace, Labels, Task, TransferProblem,
    kernel::Kernel,
    linalg::{covariance, eigh_generalized, solve},
};

use super::{
    JgsaParams, ScaParams, SpanKernel,
    discrepancy::{Discrepancy, of_mean},
    scatter::LabelScatter,
    tests::{gaussian, largest, problem},
};

/// `Σ w (x_i - x_j)(x_i - x_j)ᵀ` over all pairs, which needs no mean.
fn pairwise(x: &Array2<f64>, weight: impl Fn(usize, usize) -> f64) -> Array2<f64> {
    let mut sum = Array2::zeros((x.ncols(), x.ncols()));
    for i in 0..x.nrows() {
        for j in 0..x.nrows() {
            let apart = (&x.row(i) - &x.row(j)).insert_axis(Axis(1));
            sum = sum + apart.dot(&apart.t()) * weight(i, j);
        }
    }
    sum
}

/// `S_w` and `S_b`: within a class every pair weighs `1/2n_c`, and what is left of all pairs at `1/2n` is between.
fn naive_scatter(x: &Array2<f64>, classes: &[usize]) -> (Array2<f64>, Array2<f64>) {
    let size = |class| classes.iter().filter(|&&c| c == class).count() as f64;
    let within = pairwise(x, |i, j| match classes[i] == classes[j] {
        true => 0.5 / size(classes[i]),
        false => 0.0,
    });
    let total = pairwise(x, |_, _| 0.5 / x.nrows() as f64);
    let between = total - &within;
    (within, between)
}

/// Rows of the domain at `place` of `places`, whose first columns take turns on a grid, so that a Gram matrix can be
/// inverted.
fn apart(n: usize, d: usize, (place, places): (usize, usize), seed: u64) -> Array2<f64> {
    let mut x = gaussian(n, d, place as f64, 1.0, seed + place as u64);
    x.column_mut(0).assign(&Array1::from_shape_fn(n, |row| {
        0.7 * (row * places + place) as f64
    }));
    x
}

/// The class of the nearest row; `None` where that of another class is as near but for rounding.
fn nearest(rows: &Array2<f64>, classes: &[usize], to: &Array2<f64>) -> Option<Vec<usize>> {
    let class = |row: ndarray::ArrayView1<'_, f64>| {
        let distances: Vec<f64> = (0..rows.nrows())
            .map(|other| (&row - &rows.row(other)).mapv(|v| v * v).sum())
            .collect();
        let closest = |of: &dyn Fn(usize) -> bool| {
            let candidates = (0..distances.len()).filter(|&row| of(classes[row]));
            candidates.min_by(|&i, &j| distances[i].total_cmp(&distances[j]))
        };
        let first = closest(&|_| true)?;
        let scale = distances.iter().copied().fold(0.0, f64::max);
        let told = closest(&|class| class != classes[first])
            .is_none_or(|other| distances[other] - distances[first] > 1e-9 * scale);
        told.then_some(classes[first])
    };
    to.rows().into_iter().map(class).collect()
}

/// Rows and the inner products of unknowns: `X` and `I`, or `K` and `K`.
fn rows_and_penalty(x: &Array2<f64>, rbf: bool) -> (Array2<f64>, Array2<f64>) {
    if !rbf {
        return (x.clone(), Array2::eye(x.ncols()));
    }
    let kernel = Kernel::Rbf { gamma: Some(2.0) }.resolve(&[]).unwrap();
    let k = kernel.gram(&x.clone().into()).unwrap();
    (k.clone(), k)
}

/// Quotients of a numerator and a denominator, column by column.
fn quotients(numerator: &Array2<f64>, denominator: &Array2<f64>, w: &Array2<f64>) -> Array1<f64> {
    let of = |matrix: &Array2<f64>| w.t().dot(matrix).dot(w).diag().to_owned();
    of(numerator) / of(denominator)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn scatters_are_those_of_pairs(n in 1usize..14, d in 1usize..5, seed in 0u64..500) {
        let x = gaussian(n, d, 0.5, 1.0, seed);
        let classes: Vec<usize> = (0..n).map(|row| [0, 2, 2, 0, 3][row % 5]).collect();
        let (within, between) = naive_scatter(&x, &classes);
        let ours = LabelScatter::of_classes(&x, &classes.into(), 4);
        let scale = 1.0 + largest(&between) + largest(&within);
        prop_assert!(largest(&(ours.within - within)) < 1e-12 * scale);
        prop_assert!(largest(&(ours.between - between)) < 1e-12 * scale);
    }

    /// The matrices of the paper in all `2d` unknowns, or `2n` for a kernel; more columns than rows included.
    #[test]
    fn jgsa_solves_the_pencil_of_the_paper(
        d in 2usize..25, n_source in 6usize..12, n_target in 4usize..10, seed in 0u64..500, rbf: bool,
        lambda in 0.1f64..3.0, mu in 0.1f64..3.0, beta in 0.0f64..2.0, rounds in 1usize..4,
    ) {
        let (source, target) = (apart(n_source, d, (0, 2), seed), apart(n_target, d, (1, 2), seed));
        let classes: Vec<usize> = (0..n_source).map(|row| row % 3).collect();
        let n = n_source + n_target;
        let x = concatenate(Axis(0), &[source.view(), target.view()]).unwrap();
        let kernel = if rbf { SpanKernel::Rbf } else { SpanKernel::Linear };
        let params = JgsaParams::default()
            .n_components(2)
            .lambda(lambda)
            .mu(mu)
            .beta(beta)
            .kernel(kernel)
            .gamma(2.0)
            .normalize(false);
        let problem = problem(source.clone(), classes.clone(), target.clone());
        let after = |rounds| params.clone().n_iterations(rounds).fit_align(&problem, 0).unwrap().map;
        let map = after(rounds);
        let mapped = |map: &dyn DomainMap, x: &Array2<f64>, of_source: bool| {
            let x = Features::from(x.clone());
            let z = if of_source { map.map_source(&x) } else { map.map_target(&x) };
            z.unwrap().dense().unwrap().into_owned()
        };

        let (rows, penalty) = rows_and_penalty(&x, rbf);
        let (of_source, of_target) = (rows.slice(s![..n_source, ..]).to_owned(), rows.slice(s![n_source.., ..]).to_owned());
        let m = rows.ncols();
        let (within, between) = naive_scatter(&of_source, &classes);
        let variance = covariance(&of_target).unwrap() * (n_target - 1) as f64;
        let mut numerator = Array2::zeros((2 * m, 2 * m));
        numerator.slice_mut(s![..m, ..m]).assign(&(between * beta));
        numerator.slice_mut(s![m.., m..]).assign(&(variance * mu));
        // Classes as the round before leaves them, at first by the rows themselves.
        let predicted = match rounds {
            1 => nearest(&source, &classes, &target),
            _ => {
                let map = after(rounds - 1);
                nearest(&mapped(&*map, &source, true), &classes, &mapped(&*map, &target, false))
            }
        };
        // Rows that all but coincide once mapped have no nearest one.
        prop_assume!(predicted.is_some());
        let predicted = predicted.unwrap();
        let mut joint = Discrepancy::marginal(n_source, n_target, 3.0);
        joint.add_classes(&classes.into(), &predicted.into(), 3, of_mean);
        let e = joint.indicators();
        let shift = concatenate(
            Axis(0),
            &[of_source.t().dot(&e.slice(s![..n_source, ..])).view(), of_target.t().dot(&e.slice(s![n_source.., ..])).view()],
        )
        .unwrap();
        let mut denominator = shift.dot(&shift.t());
        let mut add = |i: usize, j: usize, matrix: Array2<f64>| {
            let mut block = denominator.slice_mut(s![i * m..(i + 1) * m, j * m..(j + 1) * m]);
            block += &matrix;
        };
        add(0, 0, &within * beta + &penalty * lambda);
        add(0, 1, &penalty * -lambda);
        add(1, 0, &penalty * -lambda);
        add(1, 1, &penalty * (lambda + mu));
        let optimum = eigh_generalized(&numerator, &denominator).unwrap().largest(2).unwrap().0;

        // The unknowns of ours, from what they make of rows: `A` of unit rows, or of `K` by its inverse.
        let unknowns = match rbf {
            false => {
                let unit = Array2::eye(d);
                concatenate(Axis(0), &[mapped(&*map, &unit, true).view(), mapped(&*map, &unit, false).view()]).unwrap()
            }
            true => {
                let coefficients = |z: Array2<f64>| solve(&rows, &z).unwrap();
                concatenate(Axis(0), &[coefficients(mapped(&*map, &x, true)).view(), coefficients(mapped(&*map, &x, false)).view()]).unwrap()
            }
        };
        let ours = quotients(&numerator, &denominator, &unknowns);
        prop_assert_eq!(unknowns.nrows(), if rbf { 2 * n } else { 2 * d });
        for (ours, optimum) in ours.iter().zip(&optimum) {
            prop_assert!((ours - optimum).abs() <= 1e-6 * (1.0 + optimum), "{ours} against {optimum}");
        }
    }

    /// The matrices of the documentation with every scatter as a sum over pairs, for several sources and some labelled
    /// target rows.
    #[test]
    fn sca_solves_the_pencil_of_the_paper(
        d in 2usize..20, n_sources in 1usize..4, n_known in 0usize..4, seed in 0u64..500, rbf: bool,
        beta in 0.0f64..1.0, delta in 0.0f64..20.0,
    ) {
        let mut x: Vec<Array2<f64>> = (0..n_sources)
            .map(|place| apart(4 + place, d, (place, n_sources + 1), seed))
            .collect();
        let classes: Vec<Vec<usize>> = x.iter().map(|x| (0..x.nrows()).map(|row| row % 3).collect()).collect();
        x.push(apart(6, d, (n_sources, n_sources + 1), seed));
        let known: Vec<usize> = (0..n_known).map(|row| (row + 1) % 3).collect();
        let kernel = if rbf { SpanKernel::Rbf } else { SpanKernel::Linear };
        let params = ScaParams::default()
            .n_components(2)
            .beta(beta)
            .delta(delta)
            .kernel(kernel)
            .gamma(2.0)
            .normalize(false);
        let map = params.fit_align(&of_several(&x, &classes, &known), 0).unwrap().map;
        let mapped = |x: &Array2<f64>| map.map_target(&x.clone().into()).unwrap().dense().unwrap().into_owned();

        let sizes: Vec<usize> = x.iter().map(Array2::nrows).collect();
        let views: Vec<_> = x.iter().map(Array2::view).collect();
        let x = concatenate(Axis(0), &views).unwrap();
        let (rows, penalty) = rows_and_penalty(&x, rbf);
        let n = rows.nrows();
        let labelled = n - sizes[n_sources] + n_known;
        let classes: Vec<usize> = classes.into_iter().flatten().chain(known).collect();
        let (within, between) = naive_scatter(&rows.slice(s![..labelled, ..]).to_owned(), &classes);
        let ends = sizes.iter().scan(0, |end, size| {
            *end += size;
            Some(*end)
        });
        let means: Vec<Array1<f64>> = ends
            .zip(&sizes)
            .map(|(end, size)| rows.slice(s![end - size..end, ..]).mean_axis(Axis(0)).unwrap())
            .collect();
        let means = ndarray::stack(Axis(0), &means.iter().map(Array1::view).collect::<Vec<_>>()).unwrap();
        let m = sizes.len() as f64;
        let numerator = pairwise(&rows, |_, _| 0.5 / (n * n) as f64) * (1.0 - beta) + between * beta;
        let denominator = pairwise(&means, |_, _| 0.5 / (m * m)) * delta + within + &penalty;
        let optimum = eigh_generalized(&numerator, &denominator).unwrap().largest(2).unwrap().0;

        let w = match rbf {
            false => mapped(&Array2::eye(d)),
            true => solve(&rows, &mapped(&x)).unwrap(),
        };
        let lengths = w.t().dot(&denominator).dot(&w);
        prop_assert!(largest(&(lengths - Array2::<f64>::eye(2))) < 1e-6);
        for (ours, optimum) in quotients(&numerator, &denominator, &w).iter().zip(&optimum) {
            prop_assert!((ours - optimum).abs() <= 1e-6 * (1.0 + optimum), "{ours} against {optimum}");
        }
    }
}

/// Sources with all their labels and a target, the last, with those of its first rows.
fn of_several(x: &[Array2<f64>], classes: &[Vec<usize>], known: &[usize]) -> TransferProblem {
    let domain = |x: &Array2<f64>| Domain {
        name: "rows".into(),
        features: x.clone().into(),
    };
    let labels = |classes: &[usize]| Labels::Classes(classes.to_vec().into());
    let space = LabelSpace::numbered(3);
    let sources = x.iter().zip(classes);
    let sources = sources
        .map(|(x, of_x)| (domain(x), Task::labelled(space.clone(), labels(of_x))))
        .collect();
    let rows = (0..known.len()).collect();
    let target = Task::partly_labelled(space.clone(), rows, labels(known));
    TransferProblem::from_parts(sources, (domain(&x[x.len() - 1]), target)).unwrap()
}
