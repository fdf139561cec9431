//! The kernel machine against libsvm as scikit-learn carries it (`fixtures/svm_reference.py`).

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

use ndarray::{Array1, Array2};
use serde::Deserialize;
use translearn_core::{Features, FitSample, Labels, Predictor, Sample, kernel::ResolvedKernel};
use translearn_learners::{ClassWeight, Svm, SvmKernel, SvmParams};

#[derive(Deserialize)]
struct Reference {
    gamma: f64,
    coef0: f64,
    x: Vec<Vec<f64>>,
    y: Vec<usize>,
    weight: Vec<f64>,
    x_test: Vec<Vec<f64>>,
    proper: Vec<Case>,
    x_asymmetric: Vec<Vec<f64>>,
    y_asymmetric: Vec<usize>,
    x_asymmetric_test: Vec<Vec<f64>>,
    map: Vec<Vec<f64>>,
    asymmetric: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    kernel: SvmKernel,
    #[serde(default)]
    class_weight: ClassWeight,
    #[serde(default)]
    weighted: bool,
    c: f64,
    tolerance: f64,
    machines: Vec<Expected>,
    predictions: Vec<usize>,
}

#[derive(Deserialize)]
struct Expected {
    rows: Vec<usize>,
    coefficients: Vec<f64>,
    rho: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("fixtures/svm_reference.json")).unwrap()
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
}

impl Case {
    fn params(&self, reference: &Reference) -> SvmParams {
        Svm::params()
            .kernel(self.kernel)
            .c(self.c)
            .class_weight(self.class_weight)
            .gamma(reference.gamma)
            .coef0(reference.coef0)
            .degree(2)
            .tolerance(self.tolerance)
    }

    fn assert_agrees(&self, model: &Svm, n_rows: usize, tolerance: f64) {
        assert_eq!(model.machines().len(), self.machines.len());
        for (machine, expected) in model.machines().iter().zip(&self.machines) {
            let dense = |rows: &mut dyn Iterator<Item = (usize, f64)>| {
                let mut all = Array1::<f64>::zeros(n_rows);
                rows.for_each(|(row, coefficient)| all[row] = coefficient);
                all
            };
            let support = machine.support().iter().map(|&at| model.support()[at]);
            let found = dense(&mut support.zip(machine.coefficients().iter().copied()));
            let wanted = dense(
                &mut expected
                    .rows
                    .iter()
                    .copied()
                    .zip(expected.coefficients.iter().copied()),
            );
            let worst = (&found - &wanted)
                .mapv(f64::abs)
                .fold(0.0, |a: f64, &b| a.max(b));
            assert!(
                worst <= tolerance * self.c,
                "coefficients off by {worst:e} at c = {}",
                self.c
            );
            let off = (machine.rho() - expected.rho).abs();
            assert!(
                off <= tolerance * expected.rho.abs().max(1.0),
                "rho off by {off:e} at c = {}",
                self.c
            );
        }
    }
}

fn predict(model: &Svm, features: &Features) -> Vec<usize> {
    model
        .predict(features)
        .unwrap()
        .labels
        .classes("svm")
        .unwrap()
        .to_vec()
}

#[test]
fn proper_kernels_give_libsvms_model() {
    let reference = reference();
    let labels = Labels::from(Array1::from(reference.y.clone()));
    let weights = Array1::from(reference.weight.clone());
    for case in &reference.proper {
        let dense = Features::from(matrix(&reference.x));
        let sparse = Features::Sparse(dense.to_sparse().unwrap().into_owned());
        for features in [dense, sparse] {
            let mut sample = Sample::new(&features, &labels, 3).unwrap();
            if case.weighted {
                sample = sample.with_weights(&weights).unwrap();
            }
            let model = case.params(&reference).fit_sample(&sample, 0).unwrap();
            // Far below the looser tolerance too: the same steps were taken, up to single precision of the kernel.
            case.assert_agrees(&model, labels.len(), 1e-6);
            assert!(
                model
                    .machines()
                    .iter()
                    .all(|machine| machine.violation() < case.tolerance)
            );
            assert_eq!(
                predict(&model, &Features::from(matrix(&reference.x_test))),
                case.predictions
            );
        }
    }
}

#[test]
fn asymmetric_kernels_give_libsvms_model() {
    let reference = reference();
    let (x, map) = (matrix(&reference.x_asymmetric), matrix(&reference.map));
    let labels = Labels::from(Array1::from(reference.y_asymmetric.clone()));
    let kernel = Features::from(x.dot(&map).dot(&x.t()));
    let test = Features::from(matrix(&reference.x_asymmetric_test).dot(&map).dot(&x.t()));
    let sample = Sample::new(&kernel, &labels, 3).unwrap();
    for case in &reference.asymmetric {
        let params = Svm::params().kernel(SvmKernel::Precomputed).c(case.c);
        let model = params.fit_sample(&sample, 0).unwrap();
        case.assert_agrees(&model, labels.len(), 1e-10);
        assert_eq!(predict(&model, &test), case.predictions);
        // The transposed matrix is another problem, so the comparison can tell rows from columns.
        if case.c < 0.01 {
            let transposed = Features::from(kernel.dense().unwrap().t().to_owned());
            let sample = Sample::new(&transposed, &labels, 3).unwrap();
            assert_ne!(
                params.fit_sample(&sample, 0).unwrap().machines(),
                model.machines()
            );
        }
    }
}

/// The optimality conditions from the kernel in double precision, in ten lines: with `g = Σ α y K - rho`, `y g ≥ 1`
/// where α is 0, `≤ 1` where it is at its cost, `= 1` between.
#[test]
fn the_optimality_conditions_hold() {
    let reference = reference();
    let labels = Labels::from(Array1::from(reference.y.clone()));
    let features = Features::from(matrix(&reference.x));
    let weights = Array1::from(reference.weight.clone());
    let sample = Sample::new(&features, &labels, 3)
        .unwrap()
        .with_weights(&weights)
        .unwrap();
    for tolerance in [1e-3, 1e-8] {
        let c = 10.0;
        let params = Svm::params().c(c).gamma(0.5).tolerance(tolerance);
        let model = params.fit_sample(&sample, 0).unwrap();
        let kernel = ResolvedKernel::Rbf { gamma: 0.5 }.gram(&features).unwrap();
        let decisions = model.decisions(&features).unwrap();
        let pairs = [(0, 1), (0, 2), (1, 2)];
        for (column, (machine, (first, second))) in model.machines().iter().zip(pairs).enumerate() {
            let mut signed_alpha = Array1::<f64>::zeros(labels.len());
            for (&at, &coefficient) in machine.support().iter().zip(machine.coefficients()) {
                signed_alpha[model.support()[at]] = coefficient;
            }
            assert!(signed_alpha.sum().abs() < 1e-9, "{}", signed_alpha.sum());
            let slope = kernel.dot(&signed_alpha) - machine.rho();
            let mut at_bounds = [0, 0, 0];
            for (row, &class) in reference.y.iter().enumerate() {
                assert!((slope[row] - decisions[[row, column]]).abs() < 1e-10);
                if reference.weight[row] == 0.0 || ![first, second].contains(&class) {
                    assert_eq!(signed_alpha[row], 0.0);
                    continue;
                }
                let sign = if class == first { 1.0 } else { -1.0 };
                let (alpha, cost) = (sign * signed_alpha[row], c * reference.weight[row]);
                let margin = sign * slope[row] - 1.0;
                // Single precision of the kernel over some hundred terms of size c.
                let slack = tolerance + 1e-4 * f64::from(u8::from(tolerance < 1e-4));
                assert!((0.0..=cost).contains(&alpha));
                let (zero, full) = (alpha == 0.0, alpha == cost);
                assert!(zero || margin <= slack, "{margin:e} with {alpha} of {cost}");
                assert!(
                    full || margin >= -slack,
                    "{margin:e} with {alpha} of {cost}"
                );
                at_bounds[if zero {
                    0
                } else if full {
                    1
                } else {
                    2
                }] += 1;
            }
            assert!(at_bounds.iter().all(|&count| count > 0), "{at_bounds:?}");
        }
    }
}
