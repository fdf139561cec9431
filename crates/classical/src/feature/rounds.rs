//! Rounds of predicting the target's classes and adapting to them.

use ndarray::{Array1, s};
use translearn_core::{
    Alignment, BaseLearner, Features, Labels, ParamInfo, ParamRange, Sample, Trace, TransferError,
    TransferProblem, seed::derive,
};

use super::{components::ComponentProblem, discrepancy::Discrepancy};

/// The parameter that all methods with rounds share.
pub(super) const N_ITERATIONS: ParamInfo = ParamInfo {
    name: "n_iterations",
    default: "10",
    range: ParamRange::Integer {
        low: 1,
        high: u64::MAX,
    },
    doc: "Rounds of predicting the target's classes and adapting to them.",
};

/// Adapts without the target's classes, then `n_iterations - 1` times predicts them and adapts to them. The rounds end
/// early when the predictions repeat, because nothing would change from there on.
///
/// The trace holds how many predictions changed in each round, under `labels-changed`.
pub(super) fn rounds<M>(
    n_iterations: usize,
    mut adapt: impl FnMut(Option<&Array1<usize>>) -> Result<M, TransferError>,
    mut predict: impl FnMut(usize, &M) -> Result<Array1<usize>, TransferError>,
) -> Result<(M, Trace), TransferError> {
    let mut adapted = adapt(None)?;
    let mut predicted: Option<Array1<usize>> = None;
    let mut changed = Vec::new();
    for round in 1..n_iterations {
        let labels = predict(round, &adapted)?;
        let differ = predicted.as_ref().map_or(labels.len(), |before| {
            before.iter().zip(&labels).filter(|(a, b)| a != b).count()
        });
        changed.push(differ as f64);
        if differ == 0 {
            break;
        }
        adapted = adapt(Some(&labels))?;
        predicted = Some(labels);
    }
    let trace = Trace {
        series: [("labels-changed".to_owned(), changed)].into(),
        ..Trace::default()
    };
    Ok((adapted, trace))
}

/// Puts the known target labels in place of what was predicted for their rows.
pub(super) fn keep_known(problem: &TransferProblem, predicted: &mut Array1<usize>) {
    let known = problem.target_task();
    if let Labels::Classes(codes) = &known.labels {
        for (&row, &class) in known.rows.iter().zip(codes) {
            predicted[row] = class;
        }
    }
}

/// Transfer components in rounds: what JDA and its kin have in common.
pub(super) struct ComponentRounds<'a> {
    /// The name of the method, for errors.
    pub(super) owner: &'a str,
    pub(super) learner: &'a BaseLearner,
    pub(super) lambda: f64,
    pub(super) n_components: usize,
    pub(super) n_iterations: usize,
}

impl ComponentRounds<'_> {
    /// Components of the discrepancy that `discrepancy` makes of the target's classes, once these are predicted.
    pub(super) fn run(
        &self,
        problem: &TransferProblem,
        components: &ComponentProblem,
        discrepancy: impl Fn(Option<&Array1<usize>>) -> Discrepancy,
        seed: u64,
    ) -> Result<Alignment, TransferError> {
        let n_source = problem.source()?.labels.len();
        let (map, trace) = rounds(
            self.n_iterations,
            |classes| {
                let indicators = discrepancy(classes).indicators();
                components.solve(&indicators, self.lambda, self.n_components)
            },
            |round, map| {
                let z = components.transform(map)?;
                let source = Features::Dense(z.slice(s![..n_source, ..]).to_owned());
                let target = Features::Dense(z.slice(s![n_source.., ..]).to_owned());
                let seed = derive(seed, &["round", &round.to_string()]);
                predict_target(self.owner, self.learner, problem, &source, &target, seed)
            },
        )?;
        Ok(Alignment {
            map: Box::new(map),
            trace,
        })
    }
}

/// The classes of the target: known ones as they are, the others predicted by the learner on the mapped rows. `owner`
/// is the name of the method, for errors.
pub(super) fn predict_target(
    owner: &str,
    learner: &BaseLearner,
    problem: &TransferProblem,
    source: &Features,
    target: &Features,
    seed: u64,
) -> Result<Array1<usize>, TransferError> {
    let known = problem.target_task();
    let rows = source.stack(&target.select_rows(&known.rows))?;
    let labels = problem.source()?.labels.join(&known.labels)?;
    let sample = Sample::new(&rows, &labels, problem.n_classes())?;
    let prediction = learner.fit_boxed(&sample, seed)?.predict(target)?;
    let mut predicted = prediction.labels.classes(owner)?.clone();
    keep_known(problem, &mut predicted);
    Ok(predicted)
}
