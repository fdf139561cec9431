use ndarray::{Array1, Array2, s};
use proptest::prelude::*;
use translearn_core::{Domain, LabelSpace, Labels, Task, TransferMethod, TransferProblem, seed};
use translearn_transport::{CostScale, GroundCost, Sinkhorn, cost_matrix};

use super::{JcpotParams, LabelPropagationParams};
use crate::fixture::Fixture;

/// Sources of these rows and classes, the target without labels.
fn several(sources: Vec<(Array2<f64>, Array1<usize>)>, target: &Array2<f64>) -> TransferProblem {
    let domain = |name: &str, x: &Array2<f64>| Domain {
        name: name.into(),
        features: x.clone().into(),
    };
    let space = || LabelSpace::numbered(2);
    let sources = sources.into_iter().map(|(x, codes)| {
        let task = Task::labelled(space(), Labels::Classes(codes));
        (domain("source", &x), task)
    });
    let target = (domain("target", target), Task::unlabelled(space()));
    TransferProblem::from_parts(sources.collect(), target).unwrap()
}

/// Two classes far apart, the first rows of class 0.
fn drawn(of_class_0: usize, of_class_1: usize, seed: u64) -> (Array2<f64>, Array1<usize>) {
    let mut rng = seed::rng(seed);
    let n = of_class_0 + of_class_1;
    let codes = Array1::from_shape_fn(n, |row| usize::from(row >= of_class_0));
    let x = Array2::from_shape_fn((n, 2), |(row, _)| 3.0 * codes[row] as f64 + rng.normal());
    (x, codes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// The shares of a target are found from sources of other shares, where carrying labels with all rows alike gets some
    /// wrong; what arrives is the mean over the sources, entry by entry.
    #[test]
    fn shares_of_the_target_are_found(seed in 0u64..1000, of_class_0 in 6usize..30) {
        let (target, truth) = drawn(of_class_0, 36 - of_class_0, seed);
        let sources = vec![drawn(24, 10, seed + 1), drawn(8, 20, seed + 2)];
        let problem = several(sources.clone(), &target);
        let method = JcpotParams::default();
        let solved = method.transport(&problem).unwrap();
        let share = of_class_0 as f64 / 36.0;
        // The entropy draws the shares towards each other.
        prop_assert!((solved.proportions[0] - share).abs() < 0.15, "{} {share}", solved.proportions[0]);
        let found = JcpotParams::propagate(&problem, &solved.plans).unwrap();
        for j in 0..36 {
            let mut of_class_1 = 0.0;
            for (plan, (_, codes)) in solved.plans.iter().zip(&sources) {
                let rows = (0..codes.len()).filter(|&i| codes[i] == 1);
                of_class_1 += 36.0 * rows.map(|i| plan[[i, j]]).sum::<f64>() / 2.0;
            }
            prop_assert!((found[[j, 1]] - of_class_1).abs() < 1e-9);
        }
        let right = |found: &Array2<f64>| (0..36).filter(|&j| usize::from(found[[j, 1]] > 0.5) == truth[j]).count();
        // 32 of 62 rows of the sources are of class 0: with all rows alike, what the target has less of goes astray.
        if (share - 32.0 / 62.0).abs() > 0.25 {
            let alike = LabelPropagationParams::default().propagate(&problem).unwrap();
            prop_assert!(right(&found) > right(&alike), "{} {}", right(&found), right(&alike));
        }
        prop_assert!(right(&found) >= 30, "{}", right(&found));
    }
}

/// POT ends near the minimum of the problem, and above it.
#[test]
fn proportions_are_better_than_those_of_pot() {
    let reference = Fixture::transport();
    let (x, target, codes) = (
        reference.matrix("x"),
        reference.matrix("target"),
        reference.classes("classes"),
    );
    let first = reference.number("first_part") as usize;
    let part = |rows: std::ops::Range<usize>| {
        (
            x.slice(s![rows.clone(), ..]).to_owned(),
            codes.slice(s![rows]).to_owned(),
        )
    };
    let sources = vec![part(0..first), part(first..x.nrows())];
    let epsilon = 0.2;
    let method = JcpotParams::default()
        .regularization(epsilon)
        .tolerance(1e-11);
    let found = method
        .transport(&several(sources.clone(), &target))
        .unwrap();
    let theirs = reference.vector("proportions");
    assert!(
        (found.proportions[0] - theirs[0]).abs() < 0.1,
        "{} {}",
        found.proportions,
        theirs
    );

    let all = cost_matrix(
        &x.clone().into(),
        &target.clone().into(),
        GroundCost::SquaredEuclidean,
        CostScale::Median,
    )
    .unwrap();
    let costs = [
        all.slice(s![..first, ..]).to_owned(),
        all.slice(s![first.., ..]).to_owned(),
    ];
    let objective = |h: &Array1<f64>| -> f64 {
        let of = |(cost, (_, codes)): (&Array2<f64>, &(Array2<f64>, Array1<usize>))| {
            let count = |class: usize| codes.iter().filter(|&&of| of == class).count() as f64;
            let a: Array1<f64> = codes.iter().map(|&class| h[class] / count(class)).collect();
            let b = Array1::from_elem(cost.ncols(), a.sum() / cost.ncols() as f64);
            let plan = Sinkhorn::new(epsilon)
                .tolerance(1e-12)
                .max_iterations(100_000)
                .solve(cost, &a, &b)
                .unwrap()
                .plan;
            (&plan * cost).sum() + epsilon * plan.mapv(|p| p * (p.ln() - 1.0)).sum()
        };
        costs.iter().zip(&sources).map(of).sum()
    };
    let (ours, theirs) = (objective(&found.proportions), objective(&theirs));
    assert!(ours < theirs, "{ours} {theirs}");
}

#[test]
fn sources_of_different_classes_are_refused() {
    let (target, _) = drawn(5, 5, 1);
    let problem = several(vec![drawn(8, 8, 2), drawn(8, 0, 3)], &target);
    let error = JcpotParams::default()
        .fit(&problem, 0)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("class 1 in sample 0 but not in sample 1"),
        "{error}"
    );
}

#[test]
fn the_trace_tells_the_shares() {
    let (target, _) = drawn(9, 3, 1);
    let problem = several(vec![drawn(8, 8, 2)], &target);
    let method = JcpotParams::default();
    let fitted = method.fit(&problem, 0).unwrap();
    let shares = method.transport(&problem).unwrap().proportions;
    assert_eq!(fitted.trace.series["target-prior"], shares.to_vec());
    assert!(shares[0] > 0.6, "{shares}");
}
