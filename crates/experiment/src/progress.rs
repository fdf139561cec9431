//! What a run shows while it lasts: a bar on a terminal, plain lines elsewhere. Both go to standard error.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use crate::{Status, TrialRecord};

/// Shows how far a run has come.
pub(crate) struct Progress {
    shown: Shown,
    total: usize,
    before: usize,
    now: usize,
    start: Instant,
}

enum Shown {
    Nothing,
    Lines,
    Bar(ProgressBar),
}

impl Progress {
    /// Of `total` trials, `before` were finished by an earlier run.
    pub(crate) fn new(quiet: bool, total: usize, before: usize) -> Self {
        let shown = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Shown::Nothing,
            (false, true) => Shown::Bar(bar(total, before)),
            (false, false) => Shown::Lines,
        };
        Self {
            shown,
            total,
            before,
            now: 0,
            start: Instant::now(),
        }
    }

    /// One more trial is finished.
    #[expect(
        clippy::print_stderr,
        reason = "plain lines where there is no terminal for a bar"
    )]
    pub(crate) fn finished(&mut self, record: &TrialRecord) {
        self.now += 1;
        match &self.shown {
            Shown::Nothing => {}
            Shown::Lines => eprintln!("{}", self.line(record, self.start.elapsed())),
            Shown::Bar(bar) => {
                bar.inc(1);
                if matches!(record.status, Status::Failed | Status::Timeout) {
                    bar.println(describe(record));
                }
            }
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }

    fn line(&self, record: &TrialRecord, elapsed: Duration) -> String {
        let done = self.before + self.now;
        let rate = self.now as f64 / elapsed.as_secs_f64().max(1e-9);
        let left = (self.total - done) as f64 / rate;
        let left = HumanDuration(Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX));
        let counts = format!("[{done}/{}]", self.total);
        let describe = describe(record);
        if done < self.total {
            format!("{counts} {describe}; {rate:.1} trials/s, {left} left")
        } else {
            format!("{counts} {describe}; {rate:.1} trials/s")
        }
    }
}

/// Shows how many of a few long steps are done: a bar on a terminal, elsewhere a line at most every two seconds.
pub(crate) struct Steps {
    what: &'static str,
    total: usize,
    done: usize,
    bar: Option<ProgressBar>,
    start: Instant,
    last_line: Instant,
}

impl Steps {
    /// None is done yet.
    pub(crate) fn new(what: &'static str, total: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total as u64);
            let template = format!("{{bar:30}} {{pos}}/{{len}} {what}, {{eta}} left");
            // Should indicatif ever refuse it, its own look serves.
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self {
            what,
            total,
            done: 0,
            bar,
            start: Instant::now(),
            last_line: Instant::now(),
        }
    }

    /// One more is done.
    #[expect(
        clippy::print_stderr,
        reason = "plain lines where there is no terminal for a bar"
    )]
    pub(crate) fn done(&mut self) {
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
        } else if self.done < self.total && self.last_line.elapsed() >= Duration::from_secs(2) {
            self.last_line = Instant::now();
            eprintln!("{}", self.line(self.start.elapsed()));
        }
    }

    fn line(&self, elapsed: Duration) -> String {
        let each = elapsed.as_secs_f64() / self.done as f64;
        let left = each * (self.total - self.done) as f64;
        let left = HumanDuration(Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX));
        format!("[{}/{}] {}, {left} left", self.done, self.total, self.what)
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Shows how many images of a part have been turned into features.
#[cfg(feature = "deep")]
pub(crate) struct FeatureProgress(ProgressBar);

#[cfg(feature = "deep")]
impl FeatureProgress {
    /// On a terminal a bar, elsewhere one line now.
    #[expect(
        clippy::print_stderr,
        reason = "a plain line where there is no terminal for a bar"
    )]
    pub(crate) fn new(part: &str, images: usize) -> Self {
        if !std::io::stderr().is_terminal() {
            eprintln!(
                "{part}: computing features of {images} images; they are kept for later runs"
            );
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(images as u64);
        if let Ok(style) =
            ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} images, {per_sec}, {eta} left")
        {
            bar.set_style(style);
        }
        bar.set_message(part.to_owned());
        Self(bar)
    }

    /// So many are done.
    pub(crate) fn done(&self, images: usize) {
        self.0.set_position(images as u64);
    }
}

#[cfg(feature = "deep")]
impl Drop for FeatureProgress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn bar(total: usize, before: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64).with_position(before as u64);
    let rate = |state: &ProgressState, text: &mut dyn Write| {
        // A bar that cannot be written shows nothing.
        let _ = write!(text, "{:.1}", state.per_sec());
    };
    // The template is a constant; should indicatif ever refuse it, its own look serves.
    if let Ok(style) =
        ProgressStyle::with_template("{bar:30} {pos}/{len} trials, {rate} trials/s, {eta} left")
    {
        bar.set_style(style.with_key("rate", rate));
    }
    bar.reset_eta();
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// A trial in a line.
fn describe(record: &TrialRecord) -> String {
    let status = match record.status {
        Status::Ok => "ok",
        Status::Failed => "failed",
        Status::Unsupported => "unsupported",
        Status::Timeout => "timeout",
    };
    let what = format!(
        "{status}: {}, {}, seed {}",
        record.task, record.method, record.seed
    );
    match (&record.error, record.metrics.iter().next()) {
        (Some(error), _) => format!("{what}: {error}"),
        (None, Some((metric, value))) => format!("{what}: {metric} {value:.4}"),
        (None, None) => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_say_how_long_the_others_will_take() {
        let mut steps = Steps::new("splits", 10);
        steps.done();
        steps.done();
        let line = steps.line(Duration::from_secs(4));
        assert_eq!(line, "[2/10] splits, 16 seconds left");
    }

    #[test]
    fn a_line_tells_what_was_done_how_fast_and_what_is_left() {
        let record: TrialRecord = serde_json::from_value(serde_json::json!({
            "schema": 1, "trial": "t", "experiment": "e", "task": "a→b", "method": "coral", "use": "coral",
            "family": "feature", "learner": null, "params": {}, "seed": 2, "status": "ok", "error": null,
            "metrics": {"accuracy": 0.5}, "fit_seconds": 1.0, "predict_seconds": 0.0, "peak_rss_bytes": 1,
            "n_source": 1, "n_target": 1, "n_labelled": 0, "n_test": 1, "n_features": 1, "ess": null,
            "selected": null, "device": "cpu", "versions": {}
        }))
        .unwrap();
        let mut progress = Progress {
            shown: Shown::Nothing,
            total: 10,
            before: 4,
            now: 0,
            start: Instant::now(),
        };
        progress.finished(&record);
        progress.finished(&record);
        assert_eq!(
            progress.line(&record, Duration::from_secs(4)),
            "[6/10] ok: a→b, coral, seed 2: accuracy 0.5000; 0.5 trials/s, 8 seconds left"
        );
        let failed = TrialRecord {
            status: Status::Failed,
            error: Some("no".into()),
            ..record
        };
        progress.now = 6;
        assert_eq!(
            progress.line(&failed, Duration::from_secs(3)),
            "[10/10] failed: a→b, coral, seed 2: no; 2.0 trials/s"
        );
    }
}
