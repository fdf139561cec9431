//! Plans and distances beside those of POT.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use ndarray::{Array1, Array2, Axis};
use serde_json::Value;
use translearn_transport::{
    Gaussian, GaussianBarycentre, GroundCost, GroupLasso, LpL1, Sinkhorn, barycentric_map,
    cost_matrix, emd, map_out_of_sample, partial_emd, sliced_wasserstein, transport_on_line,
};

struct Reference(Value);

impl Reference {
    fn read() -> Self {
        Self(serde_json::from_str(include_str!("fixtures/pot_reference.json")).unwrap())
    }

    fn of_barycentre() -> Self {
        Self(serde_json::from_str(include_str!("fixtures/barycentre_reference.json")).unwrap())
    }

    fn number(&self, name: &str) -> f64 {
        self.0[name].as_f64().unwrap()
    }

    fn vector(&self, name: &str) -> Array1<f64> {
        let values = self.0[name].as_array().unwrap();
        values.iter().map(|value| value.as_f64().unwrap()).collect()
    }

    fn matrix(&self, name: &str) -> Array2<f64> {
        let rows = self.0[name].as_array().unwrap();
        let width = rows[0].as_array().unwrap().len();
        let values = rows.iter().flat_map(|row| row.as_array().unwrap());
        let values: Vec<f64> = values.map(|value| value.as_f64().unwrap()).collect();
        Array2::from_shape_vec((rows.len(), width), values).unwrap()
    }

    fn classes(&self) -> Vec<usize> {
        let values = self.0["classes"].as_array().unwrap();
        values
            .iter()
            .map(|value| value.as_u64().unwrap() as usize)
            .collect()
    }

    fn masses(&self) -> (Array1<f64>, Array1<f64>) {
        (self.vector("a"), self.vector("b"))
    }
}

fn assert_close(ours: &Array2<f64>, theirs: &Array2<f64>, tolerance: f64) {
    assert_eq!(ours.dim(), theirs.dim());
    let worst = (ours - theirs).fold(0.0_f64, |worst, v| worst.max(v.abs()));
    assert!(worst <= tolerance, "{worst}");
}

#[test]
fn costs_and_exact_plans() {
    let reference = Reference::read();
    let (a, b) = reference.masses();
    let (x, y) = (reference.matrix("x").into(), reference.matrix("y").into());
    let cost = cost_matrix(&x, &y, GroundCost::SquaredEuclidean, Default::default()).unwrap();
    assert_close(&cost, &reference.matrix("cost"), 1e-12);
    // Costs of random rows have one best plan.
    let exact = emd(&cost, &a, &b).unwrap();
    assert_close(&exact.plan.dense(), &reference.matrix("exact"), 1e-14);
    let part = partial_emd(&cost, &a, &b, 0.6).unwrap();
    assert_close(&part.plan.dense(), &reference.matrix("partial"), 1e-14);
}

#[test]
fn entropic_plans() {
    let reference = Reference::read();
    let (a, b) = reference.masses();
    let cost = reference.matrix("cost");
    let solve = |sinkhorn: Sinkhorn, b: &Array1<f64>| {
        let sinkhorn = sinkhorn.tolerance(1e-13).max_iterations(1_000_000);
        let solved = sinkhorn.solve(&cost, &a, b).unwrap();
        solved.converged().unwrap().plan
    };
    assert_close(
        &solve(Sinkhorn::new(0.3), &b),
        &reference.matrix("sinkhorn"),
        1e-12,
    );
    // POT stops at 1e-13 of an error in the masses, which the condition of the problem makes larger in the plan.
    assert_close(
        &solve(Sinkhorn::new(0.02), &b),
        &reference.matrix("sinkhorn_small"),
        1e-9,
    );
    assert_close(
        &solve(Sinkhorn::new(0.3).relaxation(0.8), &(&b * 1.5)),
        &reference.matrix("unbalanced"),
        1e-12,
    );
}

#[test]
fn plans_that_know_classes() {
    let reference = Reference::read();
    let (a, b) = reference.masses();
    let (cost, classes) = (reference.matrix("cost"), reference.classes());
    let inner = Sinkhorn::new(0.5).tolerance(1e-13).max_iterations(100_000);
    let mixed = LpL1::new(inner.clone(), 0.4)
        .solve(&cost, &classes, &a, &b)
        .unwrap();
    assert_close(&mixed.plan, &reference.matrix("lp_l1"), 1e-11);
    let grouped = GroupLasso::new(inner, 0.4)
        .tolerance(1e-12)
        .max_iterations(5000)
        .solve(&cost, &classes, &a, &b)
        .unwrap();
    // POT's objective has the entropy of the plan alone.
    let of_masses = |masses: &Array1<f64>| masses.mapv(|mass| mass * mass.ln()).sum();
    let objective = grouped.objective + 0.5 * (of_masses(&a) + of_masses(&b));
    // POT stops 8e-5 above; the gap proves that nothing is below ours.
    let theirs = reference.number("group_lasso_objective");
    assert!(grouped.gap < 1e-9, "{}", grouped.gap);
    assert!(
        objective <= theirs && theirs - objective < 1e-4,
        "{objective} {theirs}"
    );
    assert_close(&grouped.plan, &reference.matrix("group_lasso"), 5e-3);
}

#[test]
fn distances_and_maps() {
    let reference = Reference::read();
    let (a, b) = reference.masses();
    let (x, y) = (reference.matrix("x"), reference.matrix("y"));
    let directions = reference.matrix("directions");
    for (name, p) in [("sliced", 2.0), ("sliced_1", 1.0)] {
        let sliced = sliced_wasserstein(&x, &a, &y, &b, &directions, p).unwrap();
        assert!((sliced - reference.number(name)).abs() < 1e-13, "{sliced}");
    }
    let (first, other) = (x.column(0).to_owned(), y.column(0).to_owned());
    let line = transport_on_line(&first, &a, &other, &b, 2.0).unwrap();
    assert!((line.cost - reference.number("line")).abs() < 1e-13);

    let (p, q) = (
        Gaussian::of(&x, &a, 1e-3).unwrap(),
        Gaussian::of(&y, &b, 1e-3).unwrap(),
    );
    let distance = p.distance(&q).unwrap();
    assert!((distance - reference.number("gaussian_distance")).abs() < 1e-12);
    let map = p.map_to(&q).unwrap();
    assert_close(&map.matrix, &reference.matrix("gaussian_matrix"), 1e-12);
    assert!(
        (map.offset - reference.vector("gaussian_offset"))
            .iter()
            .all(|v| v.abs() < 1e-12)
    );

    // POT's adaptation has equal masses.
    let (n, m) = (x.nrows(), y.nrows());
    let equal = |n: usize| Array1::from_elem(n, 1.0 / n as f64);
    let plan = emd(&reference.matrix("cost"), &equal(n), &equal(m))
        .unwrap()
        .plan
        .dense();
    let mapped = barycentric_map(&plan, &x, &y).unwrap();
    assert_close(&mapped, &reference.matrix("mapped"), 1e-13);
    let fresh = map_out_of_sample(&reference.matrix("fresh"), &x, &mapped).unwrap();
    assert_close(&fresh, &reference.matrix("mapped_fresh"), 1e-13);
}

#[test]
fn barycentres_of_gaussians() {
    let reference = Reference::of_barycentre();
    let (means, factors) = (reference.matrix("means"), reference.matrix("factors"));
    let of_each = factors.nrows() / means.nrows();
    let gaussians: Vec<Gaussian> = factors
        .axis_chunks_iter(Axis(0), of_each)
        .zip(means.rows())
        .map(|(factor, mean)| Gaussian {
            mean: mean.to_owned(),
            covariance: factor.t().dot(&factor) / of_each as f64,
        })
        .collect();
    let found = GaussianBarycentre::new()
        .tolerance(1e-13)
        .solve(&gaussians, &reference.vector("weights"))
        .unwrap();
    let mean = found.gaussian.mean - reference.vector("mean");
    assert!(mean.iter().all(|v| v.abs() < 1e-14));
    assert_close(
        &found.gaussian.covariance,
        &reference.matrix("covariance"),
        1e-12,
    );
}
