use ndarray::{Array2, Axis, concatenate, s};
use proptest::prelude::*;
use translearn_core::{linalg::eigh, seed};

use super::*;

fn words(n: usize, d: usize, rng: &mut seed::Rng) -> Array2<f64> {
    Array2::from_shape_fn((n, d), |(_, column)| {
        // Counts, of which the first columns have more.
        let likely = if column < 3 { 0.7 } else { 0.4 };
        if rng.uniform() < likely {
            1.0 + rng.below(3) as f64
        } else {
            0.0
        }
    })
}

/// The features by the definition: those that occur in every domain, ordered by what they say about the domain.
fn independent(source: &Array2<f64>, target: &Array2<f64>, l: usize) -> Vec<usize> {
    let n = (source.nrows() + target.nrows()) as f64;
    let information = |column: usize| {
        let count = |x: &Array2<f64>| x.column(column).iter().filter(|&&v| v > 0.0).count() as f64;
        let total = count(source) + count(target);
        let mut sum = 0.0;
        for x in [source, target] {
            let size = x.nrows() as f64;
            for (joint, occurrence) in [(count(x), total), (size - count(x), n - total)] {
                if joint > 0.0 {
                    sum += joint / n * (joint * n / (occurrence * size)).ln();
                }
            }
        }
        sum
    };
    let mut columns: Vec<usize> = (0..source.ncols()).collect();
    columns.sort_by(|&a, &b| information(a).total_cmp(&information(b)).then(a.cmp(&b)));
    columns.truncate(l);
    columns.sort_unstable();
    columns
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// The whole graph written out: `L` over all features and its eigenvectors.
    #[test]
    fn clusters_are_eigenvectors_of_the_graph(d in 5usize..9, k in 1usize..3, sparse: bool, seed in 0u64..500) {
        let mut rng = seed::rng(seed);
        let (source, target) = (words(15, d, &mut rng), words(12, d, &mut rng));
        let occurs_everywhere = |x: &Array2<f64>| x.columns().into_iter().all(|c| c.iter().any(|&v| v > 0.0));
        prop_assume!(occurs_everywhere(&source) && occurs_everywhere(&target));
        let rows = |x: &Array2<f64>| {
            let rows = Features::from(x.clone());
            if sparse { Features::Sparse(rows.to_sparse().unwrap().into_owned()) } else { rows }
        };
        let params = Sfa::params().n_independent(2).min_count(1).n_components(k).gamma(0.8);
        let map = params.align(&rows(&source), &rows(&target)).unwrap();

        let chosen = independent(&source, &target, 2);
        let x = concatenate(Axis(0), &[source.view(), target.view()]).unwrap();
        let mut a = Array2::<f64>::zeros((d, d));
        for i in 0..d {
            for j in 0..d {
                if chosen.contains(&i) != chosen.contains(&j) {
                    let together = |row: &ndarray::ArrayView1<'_, f64>| row[i] > 0.0 && row[j] > 0.0;
                    a[[i, j]] = x.outer_iter().filter(together).count() as f64;
                }
            }
        }
        let degree = a.sum_axis(Axis(1));
        let l = Array2::from_shape_fn((d, d), |(i, j)| match a[[i, j]] {
            0.0 => 0.0,
            affinity => affinity / (degree[i] * degree[j]).sqrt(),
        });
        let (values, mut vectors) = eigh(&l).unwrap().largest(k + 1).unwrap();
        prop_assume!((0..k).all(|i| values[i] > values[i + 1] + 1e-3));
        chosen.iter().for_each(|&column| vectors.row_mut(column).fill(0.0));
        let expected = vectors.slice(s![.., ..k]).to_owned() * 0.8;
        for (ours, theirs) in map.clusters().columns().into_iter().zip(expected.columns()) {
            // Up to the sign.
            let off = |sign: f64| (&ours * sign - theirs).iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            prop_assert!(off(1.0).min(off(-1.0)) < 1e-8, "{ours} and {theirs}");
        }
        prop_assert_eq!(map.clusters().ncols(), k);

        // What is appended is the sum over the features that occur, with their counts.
        let mapped = map.map_target(&rows(&target)).unwrap();
        prop_assert_eq!(mapped.is_sparse(), sparse);
        let appended = mapped.dense().unwrap().slice(s![.., d..]).to_owned();
        for (row, of_row) in target.outer_iter().enumerate() {
            for column in 0..k {
                let sum: f64 = (0..d).map(|i| of_row[i] * map.clusters()[[i, column]]).sum();
                prop_assert!((sum - appended[[row, column]]).abs() < 1e-10);
            }
        }
    }
}

/// Without company there is nothing to align by; with fewer directions than asked for there are fewer columns.
#[test]
fn features_without_company_have_no_cluster() {
    let source = ndarray::array![
        [1.0, 1.0, 0.0],
        [1.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
        [0.0, 0.0, 1.0]
    ];
    let target = ndarray::array![[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]];
    let params = Sfa::params().n_independent(1).min_count(1);
    let map = params.align(&source.into(), &target.into()).unwrap();
    // The third feature is the source's alone; the first two say the same, so the first of them is independent.
    let expected = 0.6 * std::f64::consts::FRAC_1_SQRT_2;
    assert_eq!(map.clusters().dim(), (3, 1));
    assert!((map.clusters()[[1, 0]] - expected).abs() < 1e-12);
    assert_eq!(map.clusters()[[0, 0]], 0.0);
    assert_eq!(map.clusters()[[2, 0]], 0.0);
}
