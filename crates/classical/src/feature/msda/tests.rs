use ndarray::{Array2, Axis, array, concatenate, s};
use proptest::prelude::*;
use translearn_core::{
    Features,
    linalg::{matmul, solve},
    seed,
};

use super::*;

fn words(n: usize, d: usize, seed: u64) -> Array2<f64> {
    let mut rng = seed::rng(seed);
    Array2::from_shape_simple_fn((n, d), || {
        if rng.uniform() < 0.5 {
            0.0
        } else {
            1.0 + 0.2 * rng.normal()
        }
    })
}

/// `Wᵀ` by writing out every way in which noise can strike out features: `E[x̃ x̃ᵀ]` and `E[x̃ zᵀ]` as weighted sums.
fn enumerated(x: &Array2<f64>, outputs: &Array2<f64>, noise: f64, lambda: f64) -> Array2<f64> {
    let d = x.ncols();
    let mut q = Array2::<f64>::eye(d + 1) * lambda;
    q[[d, d]] = 0.0;
    let mut p = Array2::<f64>::zeros((d + 1, outputs.ncols()));
    for mask in 0..1usize << d {
        let struck = mask.count_ones() as i32;
        let probability = noise.powi(struck) * (1.0 - noise).powi(d as i32 - struck);
        for (row, output) in x.outer_iter().zip(outputs.outer_iter()) {
            let mut copy = vec![1.0; d + 1];
            for j in 0..d {
                copy[j] = if mask >> j & 1 == 1 { 0.0 } else { row[j] };
            }
            for i in 0..=d {
                for j in 0..=d {
                    q[[i, j]] += probability * copy[i] * copy[j];
                }
                for j in 0..outputs.ncols() {
                    p[[i, j]] += probability * copy[i] * output[j];
                }
            }
        }
    }
    solve(&q, &p).unwrap()
}

fn reconstruct(x: &Array2<f64>, weights: &Array2<f64>) -> Array2<f64> {
    let ones = Array2::ones((x.nrows(), 1));
    let x = concatenate(Axis(1), &[x.view(), ones.view()]).unwrap();
    matmul(&x, weights).unwrap()
}

fn near(ours: &Array2<f64>, theirs: &Array2<f64>, tolerance: f64) -> bool {
    ours.dim() == theirs.dim()
        && ours
            .iter()
            .zip(theirs)
            .all(|(a, b)| (a - b).abs() <= tolerance)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn layers_are_the_mean_over_every_corruption(
        d in 1usize..5, n in 2usize..8, noise in 0.1f64..0.9, lambda in 1e-3f64..1.0, seed in 0u64..500,
    ) {
        let x = words(n, d, seed);
        let map = Msda::params().noise(noise).lambda(lambda).n_layers(2).stack(&x.clone().into(), 0).unwrap();
        let first = reconstruct(&x, &enumerated(&x, &x, noise, lambda)).mapv(f64::tanh);
        let second = reconstruct(&first, &enumerated(&first, &first, noise, lambda)).mapv(f64::tanh);
        // What is appended, for rows of the fit and for new ones.
        let all = concatenate(Axis(1), &[x.view(), first.view(), second.view()]).unwrap();
        let ours = map.map_target(&x.clone().into()).unwrap();
        prop_assert!(near(&ours.dense().unwrap(), &all, 1e-8));
        prop_assert_eq!(&map.map_source(&x.clone().into()).unwrap(), &ours);
        let sparse = Features::Sparse(Features::from(x).to_sparse().unwrap().into_owned());
        prop_assert_eq!(map.map_target(&sparse).unwrap(), ours);
    }

    /// Of `n_frequent` features each group of columns makes its own picture; the first layer is `tanh` of their mean.
    #[test]
    fn frequent_features_are_reconstructed_by_each_group(
        d in 2usize..7, r in 1usize..4, noise in 0.1f64..0.9, seed in 0u64..500,
    ) {
        prop_assume!(r < d);
        let x = words(9, d, seed);
        let map = Msda::params().noise(noise).lambda(0.1).n_layers(2).n_frequent(r).stack(&x.clone().into(), seed).unwrap();
        let counts: Vec<usize> = x.columns().into_iter().map(|c| c.iter().filter(|&&v| v != 0.0).count()).collect();
        let before = |j: usize| (0..d).filter(|&i| (counts[i], d - i) > (counts[j], d - j)).count();
        let frequent: Vec<usize> = (0..d).filter(|&j| before(j) < r).collect();
        let outputs = x.select(Axis(1), &frequent);

        let groups: Vec<Vec<usize>> = {
            let layer = serde_json::to_value(&map).unwrap()["layers"][0]["groups"].clone();
            let columns = layer.as_array().unwrap().iter().map(|group| group["columns"].clone());
            columns.map(|columns| serde_json::from_value(columns).unwrap()).collect()
        };
        let mut together = groups.concat();
        together.sort_unstable();
        prop_assert_eq!(together, (0..d).collect::<Vec<_>>(), "a partition");
        prop_assert_eq!(groups.len(), d.div_ceil(r));
        prop_assert!(groups.iter().all(|group| group.len() <= r));

        let mut mean = Array2::<f64>::zeros((9, r));
        for columns in &groups {
            let part = x.select(Axis(1), columns);
            mean = mean + reconstruct(&part, &enumerated(&part, &outputs, noise, 0.1)) / groups.len() as f64;
        }
        let first = mean.mapv(f64::tanh);
        let second = reconstruct(&first, &enumerated(&first, &first, noise, 0.1)).mapv(f64::tanh);
        let all = concatenate(Axis(1), &[x.view(), first.view(), second.view()]).unwrap();
        let ours = map.map_target(&x.into()).unwrap();
        prop_assert!(near(&ours.dense().unwrap(), &all, 1e-8));
    }
}

/// Values of another implementation, see the script beside the fixture.
#[test]
fn layers_are_those_of_the_reference() {
    let text = include_str!("../../../tests/fixtures/msda_reference.json");
    let fixture: serde_json::Value = serde_json::from_str(text).unwrap();
    let matrix = |name: &str| -> Array2<f64> {
        let rows: Vec<Vec<f64>> = serde_json::from_value(fixture[name].clone()).unwrap();
        Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
    };
    let (x, new) = (matrix("x"), matrix("new"));
    let map = Msda::params()
        .noise(0.3)
        .n_layers(3)
        .stack(&x.clone().into(), 0)
        .unwrap();
    for (rows, name) in [(x, "hidden"), (new, "new_hidden")] {
        let ours = map.map_target(&rows.into()).unwrap();
        // Two ways to solve one well-conditioned system.
        assert!(near(&ours.dense().unwrap(), &matrix(name), 1e-9), "{name}");
    }
}

/// Features of very different sizes, and one that is always 0, are no trouble to the system.
#[test]
fn sizes_of_features_do_not_matter_to_the_solution() {
    let mut x = words(12, 4, 3);
    x.column_mut(1).fill(0.0);
    let plain = Msda::params()
        .n_layers(1)
        .stack(&x.clone().into(), 0)
        .unwrap();
    let scale = array![1e-3, 1.0, 1.0, 1e3];
    let scaled = Msda::params()
        .n_layers(1)
        .lambda(1e-18)
        .stack(&(&x * &scale).into(), 0)
        .unwrap();
    let weights = |map: &Msda, rows: &Array2<f64>| {
        let mapped = map.map_target(&rows.clone().into()).unwrap();
        mapped.dense().unwrap().slice(s![.., 4..]).mapv(f64::atanh)
    };
    // The second column is 0 and stays so; the third has the same size in both.
    let (a, b) = (weights(&plain, &x), weights(&scaled, &(&x * &scale)));
    assert!(a.column(1).iter().chain(b.column(1)).all(|&v| v == 0.0));
    for (a, b) in a.column(2).iter().zip(b.column(2)) {
        assert!((a - b).abs() < 1e-4, "{a} and {b}");
    }
}
