use ndarray::Axis;

use super::*;

const ROWS: usize = 20_000;

fn all() -> Vec<Generator> {
    vec![
        Generator::CovariateShift(CovariateShift {
            n_source: ROWS,
            n_target: ROWS,
            ..Default::default()
        }),
        Generator::CovariateShiftRegression(CovariateShiftRegression {
            n_source: ROWS,
            n_target: ROWS,
            n_features: 3,
            ..Default::default()
        }),
        Generator::LabelShift(LabelShift {
            n_source: ROWS,
            n_target: ROWS,
            ..Default::default()
        }),
        Generator::LabelShift(LabelShift {
            n_source: ROWS,
            n_target: ROWS,
            n_features: 4,
            source_shares: vec![2.0, 3.0, 5.0],
            target_shares: vec![6.0, 0.0, 4.0],
            separation: 1.0,
        }),
        Generator::ConceptShift(ConceptShift {
            n_source: ROWS,
            n_target: ROWS,
            ..Default::default()
        }),
        Generator::SubspaceShift(SubspaceShift {
            n_source: ROWS,
            n_target: ROWS,
            separation: 2.0,
            ..Default::default()
        }),
        Generator::RotatedGaussians(RotatedGaussians {
            n_source: ROWS,
            n_target: ROWS,
            n_classes: 2,
            radius: 1.0,
            angle: 20.0,
        }),
        Generator::RotatedGaussians(RotatedGaussians {
            n_source: ROWS,
            n_target: ROWS,
            n_classes: 5,
            radius: 2.0,
            angle: 20.0,
        }),
        Generator::TwoMoons(TwoMoons {
            n_source: 400,
            n_target: 400,
            ..Default::default()
        }),
    ]
}

fn dense(x: &Features) -> Array2<f64> {
    x.dense().unwrap().into_owned()
}

/// Four standard deviations of a share of `n` rows.
fn four_sigma(share: f64, n: usize) -> f64 {
    4.0 * (share * (1.0 - share) / n as f64).sqrt()
}

#[test]
fn the_optimal_rule_scores_what_is_stated() {
    for generator in all() {
        let drawn = generator.generate(11).unwrap();
        let Some(stated) = drawn.target_score else {
            continue;
        };
        match (&drawn.target_optimum, &drawn.target.1) {
            (Labels::Classes(rule), Labels::Classes(truth)) => {
                let right =
                    rule.iter().zip(truth).filter(|(a, b)| a == b).count() as f64 / ROWS as f64;
                assert!(
                    (right - stated).abs() < four_sigma(stated, ROWS),
                    "{generator:?}: {right} for {stated}"
                );
            }
            (Labels::Values(rule), Labels::Values(truth)) => {
                let error = (rule - truth).mapv(|e| e * e).mean().unwrap();
                let sigma = stated * (2.0 / ROWS as f64).sqrt();
                assert!(
                    (error - stated).abs() < 4.0 * sigma,
                    "{generator:?}: {error} for {stated}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn weighted_source_moments_are_the_targets() {
    let mut weighted = 0;
    for generator in all() {
        let drawn = generator.generate(12).unwrap();
        let Some(weights) = &drawn.source_weights else {
            continue;
        };
        weighted += 1;
        let joint = |(x, y): &(Features, Labels)| -> Vec<Vec<f64>> {
            let y: Vec<f64> = match y {
                Labels::Classes(codes) => codes.iter().map(|&code| code as f64).collect(),
                Labels::Values(values) => values.to_vec(),
            };
            let x = dense(x);
            // 1, x₁, x₁², y and x₁y: the joint distribution, not the marginal alone.
            let moments = |(x1, y): (f64, f64)| [1.0, x1, x1 * x1, y, x1 * y];
            let rows: Vec<[f64; 5]> = x.column(0).iter().copied().zip(y).map(moments).collect();
            (0..5)
                .map(|m| rows.iter().map(|row| row[m]).collect())
                .collect()
        };
        for (m, (source, target)) in joint(&drawn.source)
            .iter()
            .zip(joint(&drawn.target))
            .enumerate()
        {
            let n = ROWS as f64;
            let reweighted: Vec<f64> = source.iter().zip(weights).map(|(v, w)| v * w).collect();
            let mean = |v: &[f64]| v.iter().sum::<f64>() / n;
            let variance = |v: &[f64]| {
                let mean = mean(v);
                v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n
            };
            let limit = 4.5 * ((variance(&reweighted) + variance(&target)) / n).sqrt();
            let gap = (mean(&reweighted) - mean(&target)).abs();
            assert!(
                gap <= limit,
                "{generator:?}: moment {m} differs by {gap}, limit {limit}"
            );
        }
    }
    assert_eq!(weighted, 5);
}

/// Density of N(mean, deviation²).
fn gaussian(x: f64, mean: f64, deviation: f64) -> f64 {
    normal::density((x - mean) / deviation) / deviation
}

#[test]
fn density_ratios_are_the_quotient_of_the_densities() {
    let drawn = CovariateShift {
        shift: 0.7,
        ..Default::default()
    }
    .generate(1)
    .unwrap();
    for (x, w) in dense(&drawn.source.0)
        .column(0)
        .iter()
        .zip(drawn.source_weights.unwrap())
    {
        let expected = gaussian(*x, 0.7, 1.0) / gaussian(*x, 0.0, 1.0);
        assert!((w / expected - 1.0).abs() < 1e-12);
    }
    let drawn = CovariateShiftRegression::default().generate(1).unwrap();
    for (x, w) in dense(&drawn.source.0)
        .column(0)
        .iter()
        .zip(drawn.source_weights.unwrap())
    {
        let expected = gaussian(*x, 2.0, 0.25) / gaussian(*x, 1.0, 0.5);
        assert!(
            (w - expected).abs() <= 1e-10 * expected,
            "{x}: {w} for {expected}"
        );
    }
}

#[test]
fn the_sources_rule_loses_what_concept_shift_states() {
    let shift = ConceptShift {
        n_target: ROWS,
        angle: 75.0,
        flip: 0.1,
        ..Default::default()
    };
    let drawn = shift.generate(3).unwrap();
    let truth = drawn.target.1.classes("test").unwrap();
    let first = dense(&drawn.target.0);
    let right = first
        .column(0)
        .iter()
        .zip(truth)
        .filter(|&(&x, &y)| usize::from(x > 0.0) == y)
        .count();
    let stated = shift.source_rule_accuracy();
    assert!(
        (right as f64 / ROWS as f64 - stated).abs() < four_sigma(stated, ROWS),
        "{right} for {stated}"
    );
}

#[test]
fn the_bases_are_orthonormal_and_turned_by_the_angle() {
    let shift = SubspaceShift {
        angle: 35.0,
        noise: 0.0,
        ..Default::default()
    };
    let (source, target) = shift.bases(5).unwrap();
    let identity = Array2::<f64>::eye(3);
    let near = |a: &Array2<f64>, b: &Array2<f64>| (a - b).iter().all(|d| d.abs() < 1e-13);
    assert!(near(&source.t().dot(&source), &identity) && near(&target.t().dot(&target), &identity));
    assert!(near(
        &source.t().dot(&target),
        &(identity * 35.0_f64.to_radians().cos())
    ));
    // Without noise a row lies in its subspace: projecting it changes nothing.
    let drawn = shift.generate(5).unwrap();
    for (x, basis) in [(&drawn.source.0, source), (&drawn.target.0, target)] {
        let x = dense(x);
        assert!(
            (&x.dot(&basis).dot(&basis.t()) - &x)
                .iter()
                .all(|d| d.abs() < 1e-12)
        );
    }
}

#[test]
fn the_target_is_the_source_turned() {
    let gaussians = RotatedGaussians {
        n_source: ROWS,
        n_target: ROWS,
        angle: 90.0,
        ..Default::default()
    };
    let drawn = gaussians.generate(8).unwrap();
    for class in 0..3 {
        let mean = |(x, y): &(Features, Labels)| {
            let rows: Vec<usize> = y
                .classes("test")
                .unwrap()
                .iter()
                .enumerate()
                .filter(|(_, c)| **c == class)
                .map(|(i, _)| i)
                .collect();
            dense(&x.select_rows(&rows)).mean_axis(Axis(0)).unwrap()
        };
        let (source, target) = (mean(&drawn.source), mean(&drawn.target));
        assert!(
            (source[0] - target[1]).abs() < 0.1 && (source[1] + target[0]).abs() < 0.1,
            "{source} {target}"
        );
    }
    let moons = TwoMoons {
        noise: 0.0,
        angle: 0.0,
        ..Default::default()
    }
    .generate(8)
    .unwrap();
    for (row, &class) in dense(&moons.target.0)
        .rows()
        .into_iter()
        .zip(moons.target.1.classes("test").unwrap())
    {
        let (x, y) = (row[0] + 0.5, row[1] + 0.25);
        let radius = if class == 0 {
            x.hypot(y)
        } else {
            (x - 1.0).hypot(y - 0.5)
        };
        assert!((radius - 1.0).abs() < 1e-12);
    }
}

#[test]
fn noisy_moons_are_told_apart_by_their_densities() {
    // At this noise the arcs overlap, and the nearest arc point is not the best rule.
    let moons = TwoMoons {
        n_target: 1000,
        noise: 0.6,
        angle: 0.0,
        ..Default::default()
    };
    let drawn = moons.generate(2).unwrap();
    let truth = drawn.target.1.classes("test").unwrap();
    let right = |rule: &[usize]| rule.iter().zip(truth).filter(|(a, b)| a == b).count();
    let optimum = drawn.target_optimum.classes("test").unwrap().to_vec();
    let distance = |row: ndarray::ArrayView1<'_, f64>, class: usize| {
        (0..200)
            .map(|i| std::f64::consts::PI * f64::from(i) / 199.0)
            .map(|t| match class {
                0 => (row[0] + 0.5 - t.cos()).hypot(row[1] + 0.25 - t.sin()),
                _ => (row[0] - 0.5 + t.cos()).hypot(row[1] - 0.25 + t.sin()),
            })
            .fold(f64::INFINITY, f64::min)
    };
    let nearest: Vec<usize> = dense(&drawn.target.0)
        .rows()
        .into_iter()
        .map(|row| usize::from(distance(row, 1) < distance(row, 0)))
        .collect();
    assert!(
        right(&optimum) > right(&nearest),
        "{} {}",
        right(&optimum),
        right(&nearest)
    );
}

#[test]
fn the_seed_decides_everything_and_the_streams_are_apart() {
    for generator in all() {
        assert_eq!(
            generator.generate(4).unwrap(),
            generator.generate(4).unwrap()
        );
        assert_ne!(
            generator.generate(4).unwrap().source,
            generator.generate(5).unwrap().source
        );
        let text = toml::to_string(&generator).unwrap();
        assert_eq!(toml::from_str::<Generator>(&text).unwrap(), generator);
    }
    let few = LabelShift {
        n_source: 10,
        ..Default::default()
    }
    .generate(4)
    .unwrap();
    let many = LabelShift {
        n_source: 20,
        ..Default::default()
    }
    .generate(4)
    .unwrap();
    assert_eq!(few.target, many.target);
    assert_eq!(
        few.source.0,
        many.source.0.select_rows(&(0..10).collect::<Vec<_>>())
    );
}

#[test]
fn parameters_outside_their_range_are_named() {
    let refused = |result: Result<Generated, DataError>| match result {
        Err(DataError::InvalidOption { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    let covariate = CovariateShift::default;
    assert_eq!(
        refused(
            CovariateShift {
                n_source: 0,
                ..covariate()
            }
            .generate(0)
        ),
        "n_source"
    );
    assert_eq!(
        refused(
            CovariateShift {
                n_features: 1,
                ..covariate()
            }
            .generate(0)
        ),
        "n_features"
    );
    assert_eq!(
        refused(
            CovariateShift {
                shift: f64::NAN,
                ..covariate()
            }
            .generate(0)
        ),
        "shift"
    );
    assert_eq!(
        refused(
            CovariateShift {
                flip: 0.5,
                ..covariate()
            }
            .generate(0)
        ),
        "flip"
    );
    let regression = CovariateShiftRegression {
        noise: -1.0,
        ..Default::default()
    };
    assert_eq!(refused(regression.generate(0)), "noise");
    let label = LabelShift::default;
    assert_eq!(
        refused(
            LabelShift {
                source_shares: vec![1.0, 0.0],
                ..label()
            }
            .generate(0)
        ),
        "source_shares"
    );
    assert_eq!(
        refused(
            LabelShift {
                target_shares: vec![1.0],
                ..label()
            }
            .generate(0)
        ),
        "target_shares"
    );
    assert_eq!(
        refused(
            LabelShift {
                n_features: 1,
                ..label()
            }
            .generate(0)
        ),
        "n_features"
    );
    assert_eq!(
        refused(
            ConceptShift {
                angle: 181.0,
                ..Default::default()
            }
            .generate(0)
        ),
        "angle"
    );
    let subspace = SubspaceShift {
        n_features: 5,
        ..Default::default()
    };
    assert_eq!(refused(subspace.generate(0)), "n_features");
    assert!(subspace.bases(0).is_err());
    assert_eq!(
        refused(
            RotatedGaussians {
                n_classes: 1,
                ..Default::default()
            }
            .generate(0)
        ),
        "n_classes"
    );
    assert_eq!(
        refused(
            TwoMoons {
                noise: f64::INFINITY,
                ..Default::default()
            }
            .generate(0)
        ),
        "noise"
    );
}
