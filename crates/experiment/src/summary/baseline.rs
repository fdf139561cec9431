//! Which trials a method is compared with.

use crate::plan::PlanFile;
use crate::spec::{MethodSpec, SelectBy, TaskSpec};

/// What a method is compared with, in the order of tables.
pub(crate) const BASELINES: [&str; 3] = ["source-only", "target-only", "pooled"];

/// Whether it is one of [`BASELINES`]; behind a gate none is.
pub(super) fn is_baseline(use_: &str, gated: bool) -> bool {
    !gated && BASELINES.contains(&use_)
}

/// Where a method stands in tables: baselines first.
pub(super) fn place(method: &MethodSpec) -> usize {
    let is = |use_: &&str| *use_ == method.use_ && !method.gate;
    BASELINES.iter().position(is).unwrap_or(BASELINES.len())
}

/// The baseline that decides the verdict on a task.
pub(super) fn of_verdict(task: &TaskSpec) -> &'static str {
    if task.labelled.is_some() {
        "target-only"
    } else {
        "source-only"
    }
}

/// The baseline `use_` for a method on a task: the one around the same learner with the same parameters, chosen in the
/// same way, else the nearest to that. A method without a learner meets the first.
pub(super) fn for_method<'a>(
    plan: &'a PlanFile,
    task: &TaskSpec,
    method: &MethodSpec,
    use_: &str,
) -> Option<&'a MethodSpec> {
    let mut best: Option<(u8, &MethodSpec)> = None;
    for baseline in plan
        .spec
        .methods
        .iter()
        .filter(|other| !other.gate && other.use_ == use_ && other.serves(&task.name))
    {
        let rank = closeness(method, baseline);
        if rank > best.map_or(0, |(rank, _)| rank) {
            best = Some((rank, baseline));
        }
    }
    best.map(|(_, baseline)| baseline)
        .filter(|baseline| baseline.name != method.name)
}

/// 0 for a baseline that says nothing about the method: one around another learner.
fn closeness(method: &MethodSpec, baseline: &MethodSpec) -> u8 {
    let (Some(learner), Some(other)) = (&method.learner, &baseline.learner) else {
        return u8::from(method.learner.is_none());
    };
    // Baselines are never chosen with the labels that score them.
    let select = match method.select {
        Some(SelectBy::Oracle) => Some(SelectBy::SourceCv),
        select => select,
    };
    match (learner.use_ == other.use_, learner == other) {
        (false, _) => 0,
        (true, false) => 1,
        (true, true) => {
            2 + u8::from(select == baseline.select) + u8::from(method.folds == baseline.folds)
        }
    }
}
