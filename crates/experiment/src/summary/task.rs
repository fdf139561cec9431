//! One task: its methods over seeds, and their gains over the baselines.

use std::collections::BTreeMap;

use translearn_diagnostics::interval::Interval;

use super::bootstrap::{interval, resampled_scores, student_interval};
use super::outcomes::Outcomes;
use super::types::{Choice, Gain, MethodSummary, MetricSummary, Verdict};
use super::{BASELINES, baseline, mean};
use crate::plan::PlanFile;
use crate::spec::{MethodSpec, SelectBy, TaskSpec};
use crate::{Status, TrialRecord};

/// The results of a task.
pub(super) struct TaskResults<'a> {
    /// The methods, baselines first.
    pub(super) methods: Vec<MethodSummary>,
    /// By method: its gain over the baseline of the verdict with each seed.
    pub(super) pairs: BTreeMap<String, Vec<Pair<'a>>>,
}

/// A method and its baseline with one seed.
pub(super) struct Pair<'a> {
    pub(super) seed: u64,
    pub(super) gain: f64,
    pub(super) outcomes: (&'a Outcomes, &'a Outcomes),
}

impl Pair<'_> {
    /// The gain as a share: of all rows, or of the larger error.
    pub(super) fn share(&self) -> f64 {
        let (method, baseline) = self.outcomes;
        let score = |outcomes: &Outcomes| {
            outcomes
                .score()
                .of_mean(mean(&outcomes.values()).unwrap_or(0.0))
        };
        method.score().share(score(method), score(baseline))
    }
}

impl<'a> TaskResults<'a> {
    pub(super) fn new(plan: &PlanFile, task: &TaskSpec, records: &'a [TrialRecord]) -> Self {
        let records: Vec<&TrialRecord> = records
            .iter()
            .filter(|record| record.task == task.name)
            .collect();
        let rows = Rows::new(&records);
        let main = plan.spec.metrics.iter().map(|metric| metric.name());
        let main = main.into_iter().find(|name| {
            records
                .iter()
                .any(|record| record.metrics.contains_key(*name))
        });
        let mut methods: Vec<&MethodSpec> = plan
            .spec
            .methods
            .iter()
            .filter(|method| method.serves(&task.name))
            .collect();
        methods.sort_by_key(|method| baseline::place(method));

        let mut results = Self {
            methods: Vec::new(),
            pairs: BTreeMap::new(),
        };
        for method in methods {
            let of_method: Vec<&TrialRecord> = records
                .iter()
                .copied()
                .filter(|record| record.method == method.name)
                .collect();
            let Some(first) = of_method.first() else {
                continue;
            };
            let (gains, pairs): (Vec<Gain>, Vec<Vec<Pair<'a>>>) = BASELINES
                .iter()
                .filter_map(|use_| {
                    rows.gain(method, baseline::for_method(plan, task, method, use_)?)
                })
                .unzip();
            let of_verdict = gains
                .iter()
                .position(|gain| gain.use_ == baseline::of_verdict(task));
            let verdict = of_verdict.map(|index| &gains[index]);
            let scored: Vec<&TrialRecord> = of_method
                .iter()
                .copied()
                .filter(|record| record.status == Status::Ok)
                .collect();
            results.methods.push(MethodSummary {
                task: task.name.clone(),
                method: method.name.clone(),
                use_: method.use_.clone(),
                family: first.family.clone(),
                learner: first.learner.clone(),
                oracle: method.select == Some(SelectBy::Oracle),
                gated: method.gate,
                n: scored.len(),
                metric: main.map(str::to_owned),
                metrics: metrics(&scored, &rows),
                gain_metric: rows.score_name(&method.name).map(str::to_owned),
                gain: verdict.map(|gain| gain.gain),
                gain_low: verdict.and_then(|gain| gain.gain_low),
                gain_high: verdict.and_then(|gain| gain.gain_high),
                baseline: verdict.map(|gain| gain.baseline.clone()),
                verdict: verdict.map(|gain| gain.verdict),
                ess: mean(
                    &scored
                        .iter()
                        .filter_map(|record| record.ess)
                        .collect::<Vec<_>>(),
                ),
                selected: selected(&scored),
                gains,
            });
            if let Some(index) = of_verdict {
                results.pairs.extend(
                    pairs
                        .into_iter()
                        .nth(index)
                        .map(|pairs| (method.name.clone(), pairs)),
                );
            }
        }
        results
    }
}

/// The trials that can be compared row by row, and their scores on the same resampled rows.
struct Rows<'a> {
    trials: Vec<(&'a TrialRecord, &'a Outcomes)>,
    /// `[resample][trial]`
    resampled: Vec<Vec<f64>>,
}

impl<'a> Rows<'a> {
    fn new(records: &[&'a TrialRecord]) -> Self {
        let comparable = |record: &&'a TrialRecord| Some((*record, record.outcomes.as_ref()?));
        let trials: Vec<_> = records.iter().filter_map(comparable).collect();
        let outcomes: Vec<&Outcomes> = trials.iter().map(|(_, outcomes)| *outcomes).collect();
        Self {
            resampled: resampled_scores(&outcomes),
            trials,
        }
    }

    fn of_method<'b>(&'b self, method: &'b str) -> impl Iterator<Item = usize> + 'b {
        (0..self.trials.len()).filter(move |&trial| self.trials[trial].0.method == method)
    }

    fn score_name(&self, method: &str) -> Option<&'static str> {
        Some(self.trials[self.of_method(method).next()?].1.score().name())
    }

    /// The 95 % interval of the score averaged over trials.
    fn interval(&self, trials: &[usize]) -> Option<Interval> {
        let score = |scores: &Vec<f64>| {
            mean(
                &trials
                    .iter()
                    .map(|&trial| scores[trial])
                    .collect::<Vec<_>>(),
            )
        };
        interval(self.resampled.iter().filter_map(score).collect())
    }

    /// The gain over a baseline, and that of each seed; `None` without a seed that both have scores for.
    fn gain(&self, method: &MethodSpec, baseline: &MethodSpec) -> Option<(Gain, Vec<Pair<'a>>)> {
        let pairs: Vec<(usize, usize)> = self
            .of_method(&method.name)
            .filter_map(|trial| {
                let (record, outcomes) = self.trials[trial];
                let same = |&other: &usize| {
                    let (other, compared) = self.trials[other];
                    // The rows are the same by construction; results that were edited by hand are not compared.
                    other.seed == record.seed
                        && compared.rows() == outcomes.rows()
                        && compared.score() == outcomes.score()
                };
                Some((trial, self.of_method(&baseline.name).find(same)?))
            })
            .collect();
        let by_seed: Vec<Pair<'a>> = pairs
            .iter()
            .map(|&(trial, other)| {
                let outcomes = (self.trials[trial].1, self.trials[other].1);
                let value = |outcomes: &Outcomes| {
                    outcomes
                        .score()
                        .of_mean(mean(&outcomes.values()).unwrap_or(0.0))
                };
                Pair {
                    seed: self.trials[trial].0.seed,
                    gain: outcomes
                        .0
                        .score()
                        .gain(value(outcomes.0), value(outcomes.1)),
                    outcomes,
                }
            })
            .collect();
        let gain = mean(&by_seed.iter().map(|pair| pair.gain).collect::<Vec<_>>())?;
        let resampled = self.resampled.iter().filter_map(|scores| {
            let gain =
                |&(a, b): &(usize, usize)| self.trials[a].1.score().gain(scores[a], scores[b]);
            mean(&pairs.iter().map(gain).collect::<Vec<_>>())
        });
        let interval = interval(resampled.collect());
        let (gain_low, gain_high) = (interval.map(|i| i.low), interval.map(|i| i.high));
        let gain = Gain {
            use_: baseline.use_.clone(),
            baseline: baseline.name.clone(),
            n: pairs.len(),
            gain,
            gain_low,
            gain_high,
            verdict: Verdict::of_interval(gain_low, gain_high),
        };
        Some((gain, by_seed))
    }
}

/// Each metric over the seeds.
fn metrics(scored: &[&TrialRecord], rows: &Rows<'_>) -> BTreeMap<String, MetricSummary> {
    let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (name, &value) in scored.iter().flat_map(|record| &record.metrics) {
        values.entry(name).or_default().push(value);
    }
    let Some(first) = scored.first() else {
        return BTreeMap::new();
    };
    let trials: Vec<usize> = rows.of_method(&first.method).collect();
    let by_rows = rows.score_name(&first.method);
    values
        .into_iter()
        .filter_map(|(name, values)| {
            let n = values.len();
            let mean = mean(&values)?;
            let std = (n > 1).then(|| {
                (values
                    .iter()
                    .map(|value| (value - mean).powi(2))
                    .sum::<f64>()
                    / (n - 1) as f64)
                    .sqrt()
            });
            // With one label per row, micro F1 is accuracy.
            let score = if name == "micro_f1" { "accuracy" } else { name };
            let (interval, over) = if by_rows == Some(score) && trials.len() == n {
                (rows.interval(&trials), "rows")
            } else {
                (student_interval(&values), "seeds")
            };
            let summary = MetricSummary {
                n,
                mean,
                std,
                ci_low: interval.map(|interval| interval.low),
                ci_high: interval.map(|interval| interval.high),
                ci_over: interval.map(|_| over.to_owned()),
            };
            Some((name.to_owned(), summary))
        })
        .collect()
}

/// The grid points that were chosen, the most frequent first.
fn selected(scored: &[&TrialRecord]) -> Vec<Choice> {
    let mut choices: Vec<Choice> = Vec::new();
    for selected in scored.iter().filter_map(|record| record.selected.as_ref()) {
        match choices
            .iter_mut()
            .find(|choice| choice.by == selected.by && choice.params == selected.params)
        {
            Some(choice) => choice.n += 1,
            None => choices.push(Choice {
                by: selected.by.clone(),
                params: selected.params.clone(),
                n: 1,
            }),
        }
    }
    choices.sort_by_key(|choice| std::cmp::Reverse(choice.n));
    choices
}
