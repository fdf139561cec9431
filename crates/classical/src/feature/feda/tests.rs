use ndarray::{Array1, Array2, Axis, concatenate, s};
use proptest::prelude::*;
use translearn_core::{
    Domain, LabelSpace, Labels, Task, TransferMethod,
    linalg::{matmul, solve},
    seed,
};
use translearn_learners::Ridge;

use super::*;

fn sample(n: usize, d: usize, rng: &mut seed::Rng) -> Array2<f64> {
    Array2::from_shape_simple_fn((n, d), || rng.normal())
}

/// The rows of all domains on top of each other, and the domain of each.
fn stacked(parts: &[Array2<f64>]) -> (Array2<f64>, Vec<usize>) {
    let views: Vec<_> = parts.iter().map(Array2::view).collect();
    let domains = parts.iter().enumerate();
    let domains = domains.flat_map(|(domain, part)| vec![domain; part.nrows()]);
    (concatenate(Axis(0), &views).unwrap(), domains.collect())
}

/// A map without rows that lack a label, of sources with as many rows each.
fn plain(n_sources: usize, width: usize) -> Feda {
    let mut shares = Array1::from_elem(n_sources + 1, 1.0 / n_sources as f64);
    shares[n_sources] = 0.0;
    Feda {
        shares,
        width,
        agreement: None,
    }
}

/// `(1 + [same domain]) x·z`, entry by entry.
fn kernel(x: &Array2<f64>, of_x: &[usize], z: &Array2<f64>, of_z: &[usize]) -> Array2<f64> {
    Array2::from_shape_fn((x.nrows(), z.nrows()), |(i, j)| {
        let same = f64::from(u8::from(of_x[i] == of_z[j]));
        (1.0 + same) * x.row(i).dot(&z.row(j))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn inner_products_are_doubled_within_a_domain(
        n_sources in 1usize..4, n in 1usize..6, d in 1usize..4, sparse: bool, seed in 0u64..500,
    ) {
        let mut rng = seed::rng(seed);
        let parts: Vec<Array2<f64>> = (0..=n_sources).map(|_| sample(n, d, &mut rng)).collect();
        let map = plain(n_sources, d);
        let mapped: Vec<Array2<f64>> = parts.iter().enumerate().map(|(domain, part)| {
            let mut rows = Features::from(part.clone());
            if sparse {
                rows = Features::Sparse(rows.to_sparse().unwrap().into_owned());
            }
            let mapped = match domain {
                target if target == n_sources => map.map_target(&rows),
                source => map.map_source_at(source, &rows),
            }.unwrap();
            assert_eq!(mapped.is_sparse(), sparse);
            assert_eq!(mapped.n_columns(), (n_sources + 2) * d);
            mapped.dense().unwrap().into_owned()
        }).collect();
        let (x, domains) = stacked(&parts);
        let (mapped, _) = stacked(&mapped);
        let difference = mapped.dot(&mapped.t()) - kernel(&x, &domains, &x, &domains);
        prop_assert!(difference.iter().all(|v| v.abs() < 1e-12));
    }

    /// The whole method with ridge regression is kernel ridge regression under that kernel: the dual problem with its
    /// intercept, solved as one linear system. Two sources are told apart.
    #[test]
    fn with_ridge_regression_it_is_the_kernel_machine(d in 1usize..4, seed in 0u64..500) {
        let mut rng = seed::rng(seed);
        let parts: Vec<Array2<f64>> = [7, 5, 6].map(|n| sample(n, d, &mut rng)).into();
        let (x, domains) = stacked(&parts);
        let y = Array1::from_shape_simple_fn(18, || rng.normal());
        let domain = |index: usize| Domain {
            name: format!("domain {index}"),
            features: parts[index].clone().into(),
        };
        let task = |rows: std::ops::Range<usize>| {
            Task::labelled(LabelSpace::Real, Labels::Values(y.slice(s![rows]).to_owned()))
        };
        let problem = TransferProblem::from_parts(
            vec![(domain(0), task(0..7)), (domain(1), task(7..12))],
            (domain(2), task(12..18)),
        ).unwrap();
        let lambda = 0.7;
        let learner = Ridge::params().lambda(lambda);
        let fitted = Feda::params().learner(learner).fit(&problem, 0).unwrap();
        let new = sample(4, d, &mut rng);
        let predicted = fitted.model.predict(&new.clone().into()).unwrap().labels;

        let mut system = Array2::zeros((19, 19));
        let k = kernel(&x, &domains, &x, &domains) + Array2::<f64>::eye(18) * lambda;
        system.slice_mut(s![..18, ..18]).assign(&k);
        system.slice_mut(s![18, ..18]).fill(1.0);
        system.slice_mut(s![..18, 18]).fill(1.0);
        let mut right = Array2::zeros((19, 1));
        right.slice_mut(s![..18, 0]).assign(&y);
        let dual = solve(&system, &right).unwrap();
        let expected = matmul(&kernel(&new, &[2; 4], &x, &domains), &dual.slice(s![..18, ..])).unwrap()
            + dual[[18, 0]];
        let difference = predicted.values("the test").unwrap() - &expected.column(0);
        prop_assert!(difference.iter().all(|v| v.abs() < 1e-8), "{difference}");
    }
}

#[test]
fn a_source_that_was_not_fitted_is_refused() {
    let map = plain(2, 1);
    let error = map
        .map_source_at(2, &Array2::zeros((1, 1)).into())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`index` = 2 is outside the 2 sources of the fit, from 0"
    );
}

/// Ridge regression over the augmented rows with their intercept, and for each row without a label and each source the
/// row `(0, …, u, …, -u)` of label 0, without one: the normal equations as they stand.
struct Explicit(Array1<f64>);

impl Explicit {
    fn fit(
        parts: &[Array2<f64>],
        y: &Array1<f64>,
        free: &Array2<f64>,
        penalty: f64,
        lambda: f64,
    ) -> Self {
        let (n_domains, d) = (parts.len(), free.ncols());
        let width = (n_domains + 1) * d;
        let (x, domains) = stacked(parts);
        let n_pairs = free.nrows() * (n_domains - 1);
        let mut design = Array2::zeros((x.nrows() + n_pairs, width + 1));
        let block = |of: usize| (of + 1) * d..(of + 2) * d;
        for (row, &domain) in domains.iter().enumerate() {
            design.slice_mut(s![row, ..d]).assign(&x.row(row));
            design.slice_mut(s![row, block(domain)]).assign(&x.row(row));
            design[[row, width]] = 1.0;
        }
        for pair in 0..n_pairs {
            let (u, source) = (free.row(pair % free.nrows()), pair / free.nrows());
            let scaled = &u * (penalty * lambda).sqrt();
            let row = x.nrows() + pair;
            design.slice_mut(s![row, block(source)]).assign(&scaled);
            design
                .slice_mut(s![row, block(n_domains - 1)])
                .assign(&-scaled);
        }
        let mut system = design.t().dot(&design);
        system
            .diag_mut()
            .slice_mut(s![..width])
            .mapv_inplace(|v| v + penalty);
        let right = design
            .slice(s![..x.nrows(), ..])
            .t()
            .dot(y)
            .insert_axis(Axis(1));
        Self(solve(&system, &right).unwrap().remove_axis(Axis(1)))
    }

    /// For rows that are of each domain by these shares.
    fn predict(&self, rows: &Array2<f64>, shares: &[f64]) -> Array1<f64> {
        let d = rows.ncols();
        let mut w = self.0.slice(s![..d]).to_owned();
        for (domain, &share) in shares.iter().enumerate() {
            w.scaled_add(share, &self.0.slice(s![(domain + 1) * d..(domain + 2) * d]));
        }
        rows.dot(&w) + self.0[self.0.len() - 1]
    }
}

/// Sources of 7, 5, … rows and a target of 6 with real labels, then `free` target rows without.
fn with_free(
    parts: &[Array2<f64>],
    y: &Array1<f64>,
    free: &Array2<f64>,
    sparse: bool,
) -> TransferProblem {
    let mut first = 0;
    let mut task = |n: usize| {
        first += n;
        let labels = Labels::Values(y.slice(s![first - n..first]).to_owned());
        Task::partly_labelled(LabelSpace::Real, (0..n).collect(), labels)
    };
    let domain = |x: &Array2<f64>| {
        let x = Features::from(x.clone());
        let features = match sparse {
            true => Features::Sparse(x.to_sparse().unwrap().into_owned()),
            false => x,
        };
        Domain {
            name: "domain".to_owned(),
            features,
        }
    };
    let (target, sources) = parts.split_last().unwrap();
    let sources = sources
        .iter()
        .map(|part| (domain(part), task(part.nrows())))
        .collect();
    let all = concatenate(Axis(0), &[target.view(), free.view()]).unwrap();
    TransferProblem::from_parts(sources, (domain(&all), task(target.nrows()))).unwrap()
}

fn differ(left: &Labels, right: &Array1<f64>) -> f64 {
    let left = left.values("the test").unwrap();
    (left - right)
        .iter()
        .fold(0.0, |worst: f64, v| worst.max(v.abs()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn with_ridge_regression_agreement_is_rows_of_label_zero(
        n_sources in 1usize..4,
        d in 1usize..5,
        n_free in 1usize..8,
        lambda in 0.0f64..5.0,
        sparse: bool,
        seed in 0u64..500,
    ) {
        let mut rng = seed::rng(seed);
        let sizes = [7, 5, 3].into_iter().take(n_sources).chain([6]);
        let parts: Vec<Array2<f64>> = sizes.map(|n| sample(n, d, &mut rng)).collect();
        let n: usize = parts.iter().map(Array2::nrows).sum();
        let y = Array1::from_shape_simple_fn(n, || 10.0 + rng.normal());
        let free = sample(n_free, d, &mut rng);
        let penalty = 0.7;
        let method = Feda::params().agreement(lambda).learner(Ridge::params().lambda(penalty));
        let fitted = method.fit(&with_free(&parts, &y, &free, sparse), 0).unwrap();
        let explicit = Explicit::fit(&parts, &y, &free, penalty, lambda);
        let new = sample(4, d, &mut rng);
        let rows = Features::from(new.clone());
        let mut of_target = vec![0.0; n_sources + 1];
        of_target[n_sources] = 1.0;
        let predicted = fitted.model.predict(&rows).unwrap();
        prop_assert!(differ(&predicted.labels, &explicit.predict(&new, &of_target)) < 1e-8);
        // Rows of some source: the mean of what the sources say, each by its share of the rows.
        let mut of_sources: Vec<f64> = parts.iter().map(|part| part.nrows() as f64 / (n - 6) as f64).collect();
        of_sources[n_sources] = 0.0;
        let predicted = fitted.model.predict_source(&rows).unwrap();
        prop_assert!(differ(&predicted.labels, &explicit.predict(&new, &of_sources)) < 1e-8);
    }
}

/// Where no weight is left for differences, source and target say the same about what the rows without a label span.
#[test]
fn much_agreement_leaves_one_model() {
    let mut rng = seed::rng(2);
    let parts: Vec<Array2<f64>> = [9, 6].map(|n| sample(n, 3, &mut rng)).into();
    let y = Array1::from_shape_fn(15, |row| {
        if row < 9 {
            parts[0][[row, 0]]
        } else {
            -parts[1][[row - 9, 0]]
        }
    });
    let free = sample(8, 3, &mut rng);
    let gap = |lambda: f64| {
        let method = Feda::params().agreement(lambda).learner(Ridge::params());
        let model = method
            .fit(&with_free(&parts, &y, &free, false), 0)
            .unwrap()
            .model;
        let rows = Features::from(free.clone());
        let of_source = model.predict_source(&rows).unwrap().labels;
        differ(
            &model.predict(&rows).unwrap().labels,
            of_source.values("the test").unwrap(),
        )
    };
    assert!(
        gap(1e14) < 1e-6 && gap(0.0) > 0.5,
        "{}, {}",
        gap(1e14),
        gap(0.0)
    );
}
