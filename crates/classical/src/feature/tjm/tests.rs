use ndarray::{Array1, Array2, Axis, concatenate, s};
use proptest::prelude::*;
use translearn_core::{
    Domain, Features, FitAlign, LabelSpace, Labels, Task, TransferProblem, kernel::ResolvedKernel,
    linalg::eigh_generalized, seed,
};

use super::{ComponentKernel, Discrepancy, DualRows, Matching, TjmParams};
use crate::feature::{TcaParams, components::DesignParams};

fn domains(n_source: usize, n_target: usize, seed: u64) -> (Array2<f64>, Array2<f64>) {
    let mut rng = seed::rng(seed);
    let mut draw = |n, shift| Array2::from_shape_simple_fn((n, 4), || shift + rng.normal());
    (draw(n_source, 0.0), draw(n_target, 0.7))
}

fn asked(kernel: ComponentKernel) -> DesignParams {
    DesignParams {
        kernel,
        gamma: Some(0.2),
        n_features: 7,
        normalize: false,
    }
}

/// The matching of two domains, and `K` and `M` written out.
fn matching(
    (source, target): &(Array2<f64>, Array2<f64>),
    kernel: ComponentKernel,
    lambda: f64,
) -> (Matching, Array2<f64>, Array2<f64>) {
    let (x, y) = (source.clone().into(), target.clone().into());
    let rows = DualRows::of(&x, &y, asked(kernel), 3).unwrap();
    let e = Discrepancy::marginal(source.nrows(), target.nrows(), 1.0).indicators();
    let matching = Matching::new(rows.phi(), &e, source.nrows(), lambda).unwrap();
    let k = match kernel {
        ComponentKernel::Rbf => {
            let both = concatenate(Axis(0), &[source.view(), target.view()]).unwrap();
            ResolvedKernel::Rbf { gamma: 0.2 }
                .gram(&both.into())
                .unwrap()
        }
        _ => rows.phi().dot(&rows.phi().t()),
    };
    (matching, k, e.dot(&e.t()))
}

fn largest(x: &Array2<f64>) -> f64 {
    x.fold(0.0, |most, v| v.abs().max(most))
}

const KERNELS: [ComponentKernel; 4] = [
    ComponentKernel::Linear,
    ComponentKernel::Rbf,
    ComponentKernel::Nystroem,
    ComponentKernel::Fourier,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// With every matrix written out, for penalties as rounds may have them.
    #[test]
    fn a_round_solves_the_pencil(
        n_source in 6_usize..14, n_target in 6_usize..14, form in 0_usize..4, lambda in 0.05_f64..5.0, seed in 0_u64..500,
    ) {
        let (matching, k, m) = matching(&domains(n_source, n_target, seed), KERNELS[form], lambda);
        let n = n_source + n_target;
        let mut rng = seed::rng(seed + 1);
        let inverse = Array1::from_shape_simple_fn(n, || 0.1 + rng.uniform());
        let a = matching.components(&inverse, 2).unwrap().unwrap();

        let centring = Array2::<f64>::eye(n) - 1.0 / n as f64;
        let scatter = k.dot(&centring).dot(&k);
        let penalised = k.dot(&m).dot(&k) + Array2::from_diag(&(lambda / &inverse));
        let (optimum, _) = eigh_generalized(&scatter, &penalised).unwrap().largest(2).unwrap();
        let scale = largest(&scatter) * largest(&a);
        // The residual of S a = μ B a, the constraint, and the largest μ.
        let residual = scatter.dot(&a) - penalised.dot(&a) * &optimum;
        prop_assert!(largest(&residual) < 1e-8 * scale, "{residual}");
        let constraint = a.t().dot(&scatter).dot(&a) - Array2::<f64>::eye(2);
        prop_assert!(largest(&constraint) < 1e-8, "{constraint}");
    }

    /// The objective as the documentation has it, and never larger than the round before.
    #[test]
    fn no_round_makes_the_objective_larger(form in 0_usize..4, lambda in 0.01_f64..3.0, seed in 0_u64..500) {
        let (matching, k, m) = matching(&domains(17, 14, seed), KERNELS[form], lambda);
        let mut a = matching.components(&Array1::ones(31), 3).unwrap().unwrap();
        let mut before = f64::INFINITY;
        let mut first = None;
        for _ in 0..8 {
            let objective = matching.objective(&a).unwrap();
            let length = |row: usize| a.row(row).dot(&a.row(row)).sqrt();
            let rows = (0..17).map(length).sum::<f64>() + (17..31).map(|row| length(row).powi(2)).sum::<f64>();
            let naive = a.t().dot(&k).dot(&m).dot(&k).dot(&a).diag().sum() + lambda * rows;
            prop_assert!((objective - naive).abs() < 1e-9 * naive, "{objective} for {naive}");
            prop_assert!(objective <= before * (1.0 + 1e-10), "{objective} after {before}");
            first.get_or_insert(objective);
            before = objective;
            let Some(next) = matching.components(&matching.inverse_penalties(&a), 3).unwrap() else { break };
            a = next;
        }
        prop_assert!(before < first.unwrap());
    }
}

fn problem((source, target): &(Array2<f64>, Array2<f64>)) -> TransferProblem {
    let space = LabelSpace::numbered(2);
    let labels = Labels::Classes((0..source.nrows()).map(|row| row % 2).collect());
    let domain = |name: &str, x: &Array2<f64>| Domain {
        name: name.into(),
        features: x.clone().into(),
    };
    TransferProblem::from_parts(
        vec![(
            domain("source", source),
            Task::labelled(space.clone(), labels),
        )],
        (domain("target", target), Task::unlabelled(space)),
    )
    .unwrap()
}

#[test]
fn one_round_is_transfer_component_analysis() {
    let domains = domains(18, 15, 4);
    let problem = problem(&domains);
    let new = Features::from(self::domains(1, 9, 5).1);
    for kernel in [
        ComponentKernel::Linear,
        ComponentKernel::Rbf,
        ComponentKernel::Nystroem,
    ] {
        let tjm = TjmParams::default()
            .n_iterations(1)
            .kernel(kernel)
            .n_components(3)
            .normalize(false);
        let tca = TcaParams::default()
            .kernel(kernel)
            .n_components(3)
            .normalize(false);
        let of = |method: &dyn FitAlign| {
            let map = method.fit_align(&problem, 2).unwrap().map;
            map.map_target(&new).unwrap().dense().unwrap().into_owned()
        };
        let (tjm, tca) = (of(&tjm), of(&tca));
        for (ours, theirs) in tjm.columns().into_iter().zip(tca.columns()) {
            let sign = ours.dot(&theirs).signum();
            let difference =
                (&ours - &(&theirs * sign)).fold(0.0, |most: f64, v| v.abs().max(most));
            assert!(difference < 1e-7, "{kernel:?}: {difference}");
        }
    }
}

#[test]
fn rows_that_are_not_needed_go_and_stay_gone() {
    let (matching, ..) = matching(&domains(40, 30, 8), ComponentKernel::Linear, 1.0);
    let spread = |a: &Array2<f64>| {
        let lengths = a
            .slice(s![..40, ..])
            .map_axis(Axis(1), |row| row.dot(&row).sqrt());
        let most = lengths.fold(0.0_f64, |most, v| v.max(most));
        lengths
            .iter()
            .filter(|&&length| length < 0.01 * most)
            .count()
    };
    let mut a = matching.components(&Array1::ones(70), 2).unwrap().unwrap();
    assert_eq!(spread(&a), 0);
    for _ in 0..20 {
        a = matching
            .components(&matching.inverse_penalties(&a), 2)
            .unwrap()
            .unwrap();
    }
    let gone = spread(&a);
    assert!(gone >= 20, "{gone} of 40 rows");
    let mut inverse = matching.inverse_penalties(&a);
    inverse[3] = 0.0;
    a = matching.components(&inverse, 2).unwrap().unwrap();
    assert!(a.row(3).iter().all(|&v| v == 0.0));
    // Without any row there is no component.
    assert!(
        matching
            .components(&Array1::zeros(70), 2)
            .unwrap()
            .is_none()
    );
}

#[test]
fn what_cannot_be_matched_says_why() {
    let problem = problem(&domains(8, 7, 1));
    let refused = |params: TjmParams| params.fit_align(&problem, 0).unwrap_err().to_string();
    assert_eq!(
        refused(TjmParams::default().normalize(false).n_components(5)),
        "`n_components` = 5 is outside integer in [1, 4] (the rank of the centred data)"
    );
    let primal = refused(TjmParams::default().kernel(ComponentKernel::Primal));
    assert!(
        primal.starts_with("`kernel` = primal is outside"),
        "{primal}"
    );
}
