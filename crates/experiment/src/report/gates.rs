//! How often gates were right, as tables.

use serde::Serialize;

use super::format::{clean, none, points};
use crate::summary::GateSummary;

/// One group of tasks. Gains are in points.
#[derive(Debug, Serialize)]
pub(super) struct GateView {
    group: String,
    decisions: usize,
    problems: usize,
    losses: usize,
    called: usize,
    precision: String,
    lenient_precision: String,
    recall: String,
    undecided: usize,
    let_through: usize,
    gain: String,
    gated_gain: String,
    advised_gain: String,
    best_method: String,
    oracle_gain: String,
    advised_losses: String,
    regret: String,
    regret_of_best: String,
    bias: String,
    error: String,
    covered: String,
}

pub(super) fn view(summary: &GateSummary) -> GateView {
    let audit = &summary.audit;
    let calibrated = |of: fn(&translearn_diagnostics::negative::Calibration) -> String| {
        audit.calibration.as_ref().map(of).unwrap_or_else(none)
    };
    GateView {
        group: clean(summary.group.as_deref().unwrap_or("tasks")),
        decisions: audit.n_decisions,
        problems: audit.n_problems,
        losses: audit.n_losses,
        called: audit.n_called,
        precision: share(audit.precision()),
        lenient_precision: share(audit.lenient_precision()),
        recall: share(audit.recall()),
        undecided: audit.n_undecided,
        let_through: audit.n_let_through,
        gain: points(audit.gain),
        gated_gain: points(audit.gated_gain),
        advised_gain: points(audit.advised_gain),
        best_method: match &summary.best_method {
            Some(method) => format!("{} ({})", points(audit.best_gain), clean(method)),
            None => points(0.0),
        },
        oracle_gain: points(audit.oracle_gain),
        advised_losses: share(audit.n_advised_losses as f64 / audit.n_problems as f64),
        regret: points(audit.regret()),
        regret_of_best: points(audit.regret_of_best_method()),
        bias: calibrated(|calibration| points(calibration.bias)),
        error: calibrated(|calibration| format!("{:.1}", 100.0 * calibration.error)),
        covered: calibrated(|calibration| share(calibration.covered)),
    }
}

fn share(share: f64) -> String {
    if share.is_finite() {
        format!("{:.1} %", 100.0 * share)
    } else {
        none()
    }
}
