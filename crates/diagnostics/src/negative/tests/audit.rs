use proptest::prelude::*;

use crate::negative::{Audited, Belief, GateRule, Verdict, audit};

fn decisions() -> impl Strategy<Value = Vec<Audited>> {
    let one = (
        0_usize..4,
        0_usize..3,
        0_usize..3,
        -5_i8..6,
        -3_i8..4,
        any::<bool>(),
    );
    prop::collection::vec(one, 1..30).prop_map(|all| {
        all.into_iter()
            .map(
                |(problem, method, verdict, gain, expected, measured)| Audited {
                    problem,
                    method,
                    verdict: [
                        Verdict::Transfer,
                        Verdict::DoNotTransfer,
                        Verdict::Undecided,
                    ][verdict],
                    belief: Belief {
                        gain: f64::from(expected) / 20.0,
                        deviation: 0.05,
                    },
                    measured,
                    gain: f64::from(gain) / 20.0,
                },
            )
            .collect()
    })
}

proptest! {
    /// Each number by a loop of its own.
    #[test]
    fn decisions_are_counted(all in decisions()) {
        let found = audit(&all, 0.06);
        let (mut losses, mut called, mut both, mut even, mut through) = (0, 0, 0, 0, 0);
        let (mut free, mut gated) = (0.0, 0.0);
        for one in &all {
            let loses = one.gain < -0.06;
            losses += usize::from(loses);
            if one.verdict == Verdict::DoNotTransfer {
                called += 1;
                both += usize::from(loses);
                even += usize::from((-0.06..=0.06).contains(&one.gain));
            }
            if one.verdict == Verdict::Transfer {
                through += usize::from(loses);
                gated += one.gain;
            }
            free += one.gain;
        }
        let n = all.len() as f64;
        prop_assert_eq!(
            (found.n_losses, found.n_called, found.n_called_losses, found.n_called_even, found.n_let_through),
            (losses, called, both, even, through)
        );
        prop_assert!((found.gain - free / n).abs() < 1e-12 && (found.gated_gain - gated / n).abs() < 1e-12);
        let (mut oracle, mut advised, mut problems) = (0.0, 0.0, 0);
        for problem in 0..4 {
            let of: Vec<&Audited> = all.iter().filter(|one| one.problem == problem).collect();
            if of.is_empty() {
                continue;
            }
            problems += 1;
            let mut most = 0.0_f64;
            let mut chosen: Option<&Audited> = None;
            for one in of {
                most = most.max(one.gain);
                let better = chosen.is_none_or(|before| one.belief.gain > before.belief.gain);
                if one.verdict == Verdict::Transfer && better {
                    chosen = Some(one);
                }
            }
            oracle += most;
            advised += chosen.map_or(0.0, |one| one.gain);
        }
        let problems = f64::from(problems);
        prop_assert!((found.oracle_gain - oracle / problems).abs() < 1e-12);
        prop_assert!((found.advised_gain - advised / problems).abs() < 1e-12);
        prop_assert!(found.n_advised_losses <= problems as usize);
        prop_assert!((found.regret() - (oracle - advised) / problems).abs() < 1e-12);
        let totals = (0..3).map(|method| {
            let of = all.iter().filter(|one| one.method == method);
            of.map(|one| one.gain).sum::<f64>() / problems
        });
        let best = totals.fold(0.0, f64::max);
        prop_assert!((found.best_gain - best).abs() < 1e-12);
        prop_assert!(found.best.is_some() == (best > 0.0));
        // One decision for each problem and method: then nothing beats the best of each problem.
        if all.iter().enumerate().all(|(at, one)| {
            all[..at].iter().all(|other| (other.problem, other.method) != (one.problem, one.method))
        }) {
            prop_assert!(found.regret_of_best_method() >= -1e-12);
        }
    }
}

#[test]
fn a_belief_that_is_right_is_covered() {
    let mut rng = translearn_core::seed::rng(2);
    let all: Vec<Audited> = (0..4000)
        .map(|problem| {
            let belief = Belief {
                gain: 0.1 * rng.normal(),
                deviation: 0.04,
            };
            Audited {
                problem,
                method: 0,
                verdict: GateRule::default().caution(0.8).verdict(belief),
                belief,
                measured: true,
                gain: belief.gain + 0.04 * rng.normal(),
            }
        })
        .collect();
    let found = audit(&all, 0.0);
    let calibration = found.calibration.unwrap();
    assert!(
        (calibration.covered - 0.95).abs() < 0.015,
        "{calibration:?}"
    );
    assert!(
        calibration.bias.abs() < 0.003 && calibration.error < 0.04,
        "{calibration:?}"
    );
    // What is called at four to one is right more often than that.
    assert!(found.precision() > 0.8 && found.gated_gain > found.gain.max(0.0));
    assert!(found.advised_gain <= found.oracle_gain);
}

#[test]
fn nothing_has_no_shares() {
    let found = audit(&[], 0.01);
    assert_eq!(
        (found.n_decisions, found.n_problems, found.best),
        (0, 0, None)
    );
    assert!(found.precision().is_nan() && found.gain.is_nan() && found.calibration.is_none());
}
