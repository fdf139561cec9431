//! Gates beside the methods that stand behind them: how often they were right.

use translearn_diagnostics::negative::{Audited, audit};

use super::task::TaskResults;
use super::types::GateSummary;
use crate::plan::PlanFile;
use crate::spec::{MethodSpec, TaskSpec};
use crate::{Status, TrialRecord};

/// Gains up to a point are none.
const MARGIN: f64 = 0.01;

/// One summary for each group of tasks, in the order of the plan, and one for all. Of a gated method the same without
/// a gate tells what the gate kept from it: only pairs of both count.
pub(super) fn summarise(
    plan: &PlanFile,
    tasks: &[TaskResults<'_>],
    records: &[TrialRecord],
) -> Vec<GateSummary> {
    let mut groups: Vec<(&str, Vec<Audited>)> = Vec::new();
    let mut all: Vec<Audited> = Vec::new();
    let mut methods: Vec<&str> = Vec::new();
    for (number, (task, results)) in plan.spec.tasks.iter().zip(tasks).enumerate() {
        let gated = plan.spec.methods.iter().filter(|method| {
            // A method without a learner meets other baselines here than before its gate.
            method.gate && method.learner.is_some() && method.serves(&task.name)
        });
        for gated in gated {
            let Some(free) = without_gate(plan, task, gated) else {
                continue;
            };
            let method = methods
                .iter()
                .position(|name| *name == free.name)
                .unwrap_or_else(|| {
                    methods.push(&free.name);
                    methods.len() - 1
                });
            let of_gate = records.iter().filter(|record| {
                record.task == task.name
                    && record.method == gated.name
                    && record.status == Status::Ok
            });
            for record in of_gate {
                let Some(decision) = &record.gate else {
                    continue;
                };
                let gains = results.pairs.get(&free.name).into_iter().flatten();
                let Some(pair) = gains.into_iter().find(|pair| pair.seed == record.seed) else {
                    continue;
                };
                // Seeds are other draws of labels: each is a problem of its own.
                let seed = plan.spec.seeds.iter().position(|seed| *seed == record.seed);
                let audited = Audited {
                    problem: number * plan.spec.seeds.len() + seed.unwrap_or(0),
                    method,
                    verdict: decision.verdict,
                    belief: decision.belief,
                    measured: decision.evidence.is_some(),
                    gain: pair.share(),
                };
                all.push(audited);
                for group in &task.groups {
                    let place = groups.iter().position(|(name, _)| name == group);
                    let place = place.unwrap_or_else(|| {
                        groups.push((group, Vec::new()));
                        groups.len() - 1
                    });
                    groups[place].1.push(audited);
                }
            }
        }
    }
    let of_group = |name: Option<&str>, decisions: &[Audited]| {
        let audit = audit(decisions, MARGIN);
        GateSummary {
            group: name.map(str::to_owned),
            best_method: audit.best.map(|method| methods[method].to_owned()),
            audit,
        }
    };
    let mut summaries: Vec<GateSummary> = groups
        .iter()
        .map(|(name, decisions)| of_group(Some(name), decisions))
        .collect();
    if !all.is_empty() {
        let name = (!groups.is_empty()).then_some("all");
        summaries.push(of_group(name, &all));
    }
    summaries
}

/// The same method in the open, on a task: methods of other tasks may have its name.
fn without_gate<'a>(
    plan: &'a PlanFile,
    task: &TaskSpec,
    gated: &MethodSpec,
) -> Option<&'a MethodSpec> {
    plan.spec.methods.iter().find(|other| {
        !other.gate
            && other.serves(&task.name)
            && other.use_ == gated.use_
            && other.learner == gated.learner
            && other.params == gated.params
            && other.select == gated.select
            && other.folds == gated.folds
    })
}
