//! A training as a line that moves, or as lines now and then.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::{Begin, EpochReport, Observer, StepReport};
use crate::DeepError;

/// Shows on standard error how far a training has come:
///
/// ```text
/// digits ━━━━━━━━━━━━━━────── 140/200 steps, epoch 7/10, loss 0.2107, accuracy 0.9312, 1620.4 rows/s, 4 seconds left
/// ```
///
/// The loss and the rows a second are means over the steps of the epoch so far, the metric is the first that the last
/// validation gave. The time left supposes that the rest goes as what was done since the training began or went on,
/// validation included; a training that stops early takes less. What the bar showed last stays on the terminal.
///
/// Where standard error is no terminal, plain lines take its place: one at the end of every n-th epoch, n so that there
/// are at most 20, and of the last; in between, one when 10 seconds have gone by without.
///
/// # Example
/// ```
/// use translearn_deep::train::{Bar, Begin, Observer, StepReport};
///
/// let mut bar = Bar::new();
/// bar.begin(&Begin { name: "digits", step: 0, n_steps: 200, epoch: 0, n_epochs: 10 })?;
/// bar.step(&StepReport {
///     step: 1, loss: 2.3, losses: &[], rates: &[], gradient_norm: None, n_rows: 32, seconds: 0.02,
/// })?;
/// # Ok::<(), translearn_deep::DeepError>(())
/// ```
#[derive(Debug)]
pub struct Bar {
    seen: Seen,
    /// When the training began or went on.
    start: Instant,
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines { last: Instant },
}

/// Longest time without a line.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most lines at ends of epochs.
const EPOCH_LINES: u64 = 20;

impl Bar {
    /// A bar where standard error is a terminal, lines where it is not. Nothing is shown before a training begins.
    pub fn new() -> Self {
        let start = Instant::now();
        let shown = if std::io::stderr().is_terminal() {
            Shown::Bar(ProgressBar::hidden())
        } else {
            Shown::Lines { last: start }
        };
        Self {
            seen: Seen::default(),
            start,
            shown,
        }
    }

    /// Shows what was seen; a line only when it is due.
    fn show(&mut self, now: Instant, is_due: bool) {
        let elapsed = now.duration_since(self.start);
        match &mut self.shown {
            Shown::Bar(bar) => {
                bar.set_position(self.seen.step);
                bar.set_message(self.seen.text(elapsed));
            }
            Shown::Lines { last } if is_due || now.duration_since(*last) >= PATIENCE => {
                *last = now;
                print(&self.seen.line(elapsed));
            }
            Shown::Lines { .. } => {}
        }
    }
}

impl Default for Bar {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Bar {
    fn begin(&mut self, begin: &Begin<'_>) -> Result<(), DeepError> {
        self.seen = Seen::begin(begin);
        self.start = Instant::now();
        match &mut self.shown {
            Shown::Bar(old) => {
                old.abandon();
                *old = bar(begin);
            }
            Shown::Lines { last } => *last = self.start,
        }
        Ok(())
    }

    fn step(&mut self, report: &StepReport<'_>) -> Result<(), DeepError> {
        self.seen.step(report);
        self.show(Instant::now(), false);
        Ok(())
    }

    fn epoch(&mut self, report: &EpochReport<'_>) -> Result<(), DeepError> {
        self.seen.epoch(report);
        self.show(Instant::now(), self.seen.epoch_is_told());
        Ok(())
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.abandon();
        }
    }
}

fn bar(begin: &Begin<'_>) -> ProgressBar {
    let bar = ProgressBar::new(begin.n_steps).with_position(begin.step);
    // The template is a constant; should indicatif ever refuse it, its own look serves.
    if let Ok(style) =
        ProgressStyle::with_template("{prefix} {bar:20} {pos}/{len} steps, {wide_msg}")
    {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar.set_prefix(begin.name.to_owned());
    bar
}

#[expect(
    clippy::print_stderr,
    reason = "plain lines where there is no terminal for a bar"
)]
fn print(line: &str) {
    eprintln!("{line}");
}

/// What was told of a training, as far as it is shown.
#[derive(Debug, Default)]
struct Seen {
    name: String,
    n_steps: u64,
    n_epochs: u64,
    /// Steps done before it began here.
    before: u64,
    step: u64,
    /// Epochs that are finished.
    finished: u64,
    /// The epoch that is shown, from 1.
    epoch: u64,
    /// Sums over the steps of this epoch.
    n: u64,
    loss_sum: f64,
    rows: f64,
    seconds: f64,
    loss: Option<f64>,
    rate: Option<f64>,
    metric: Option<(String, f64)>,
}

impl Seen {
    fn begin(begin: &Begin<'_>) -> Self {
        Self {
            name: begin.name.to_owned(),
            n_steps: begin.n_steps,
            n_epochs: begin.n_epochs,
            before: begin.step,
            step: begin.step,
            finished: begin.epoch,
            epoch: begin.epoch + 1,
            ..Self::default()
        }
    }

    fn step(&mut self, report: &StepReport<'_>) {
        self.step = report.step;
        self.epoch = self.finished + 1;
        self.n += 1;
        self.loss_sum += report.loss;
        self.rows += report.n_rows as f64;
        self.seconds += report.seconds;
        self.loss = Some(self.loss_sum / self.n as f64);
        self.rate = (self.seconds > 0.0).then_some(self.rows / self.seconds);
    }

    fn epoch(&mut self, report: &EpochReport<'_>) {
        self.step = report.step;
        self.finished = report.epoch;
        self.epoch = report.epoch;
        (self.n, self.loss_sum, self.rows, self.seconds) = (0, 0.0, 0.0, 0.0);
        self.loss = Some(report.loss);
        self.rate = Some(report.rows_per_second);
        if let Some(metric) = report.metrics.first() {
            self.metric = Some(metric.clone());
        }
    }

    /// Whether the end of this epoch is worth a line.
    fn epoch_is_told(&self) -> bool {
        let every = self.n_epochs.div_ceil(EPOCH_LINES).max(1);
        self.epoch.is_multiple_of(every) || self.epoch >= self.n_epochs
    }

    /// What stands beside the bar, so long after the training began or went on.
    fn text(&self, elapsed: Duration) -> String {
        let mut parts = vec![format!("epoch {}/{}", self.epoch, self.n_epochs)];
        if let Some(loss) = self.loss {
            parts.push(format!("loss {}", number(loss)));
        }
        if let Some((name, value)) = &self.metric {
            parts.push(format!("{name} {}", number(*value)));
        }
        if let Some(rate) = self.rate {
            parts.push(format!("{rate:.1} rows/s"));
        }
        let (done, left) = (
            self.step.saturating_sub(self.before),
            self.n_steps.saturating_sub(self.step),
        );
        if done > 0 && left > 0 {
            let left = elapsed.as_secs_f64() / done as f64 * left as f64;
            let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
            parts.push(format!("{} left", HumanDuration(left)));
        }
        parts.join(", ")
    }

    /// A line where there is no bar.
    fn line(&self, elapsed: Duration) -> String {
        let text = self.text(elapsed);
        format!("{}: step {}/{}, {text}", self.name, self.step, self.n_steps)
    }
}

/// Four places, or powers of ten where they would show too little or too much.
fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() || (1e-3..1e5).contains(&value.abs()) {
        format!("{value:.4}")
    } else {
        format!("{value:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::play;
    use super::*;

    /// Tells [`Seen`] what an observer is told, and keeps the text after each step and epoch. A step takes two seconds.
    #[derive(Default)]
    struct Texts {
        seen: Seen,
        texts: Vec<String>,
    }

    impl Texts {
        fn keep(&mut self) {
            let elapsed = Duration::from_secs(2 * (self.seen.step - self.seen.before));
            self.texts.push(self.seen.text(elapsed));
        }
    }

    impl Observer for Texts {
        fn begin(&mut self, begin: &Begin<'_>) -> Result<(), DeepError> {
            self.seen = Seen::begin(begin);
            self.keep();
            Ok(())
        }

        fn step(&mut self, report: &StepReport<'_>) -> Result<(), DeepError> {
            self.seen.step(report);
            self.keep();
            Ok(())
        }

        fn epoch(&mut self, report: &EpochReport<'_>) -> Result<(), DeepError> {
            self.seen.epoch(report);
            self.keep();
            Ok(())
        }
    }

    #[test]
    fn the_text_tells_means_of_the_epoch_and_the_time_left() {
        let mut texts = Texts::default();
        play(&mut texts, 0, 4, 1.0);
        // Losses 1.5, 0.75, 0.5; seconds 0.1, 0.05, 0.0333 for 32 rows each; then what the epoch says, then 0.375.
        assert_eq!(
            texts.texts,
            [
                "epoch 1/3",
                "epoch 1/3, loss 1.5000, 320.0 rows/s, 16 seconds left",
                "epoch 1/3, loss 1.1250, 426.7 rows/s, 14 seconds left",
                "epoch 1/3, loss 0.9167, 523.6 rows/s, 12 seconds left",
                "epoch 1/3, loss 0.6667, accuracy 0.6667, 320.0 rows/s, 12 seconds left",
                "epoch 2/3, loss 0.3750, accuracy 0.6667, 1280.0 rows/s, 10 seconds left",
            ]
        );
        assert_eq!(
            texts.seen.line(Duration::from_secs(60 * 12)),
            "digits: step 4/9, epoch 2/3, loss 0.3750, accuracy 0.6667, 1280.0 rows/s, 15 minutes left"
        );
    }

    #[test]
    fn the_time_left_counts_only_what_was_done_here() {
        let mut texts = Texts::default();
        play(&mut texts, 7, 9, 1.0);
        assert_eq!(
            texts.texts,
            [
                "epoch 3/3",
                "epoch 3/3, loss 0.1875, 2560.0 rows/s, 2 seconds left",
                "epoch 3/3, loss 0.1771, 2710.6 rows/s",
                "epoch 3/3, loss 0.2222, accuracy 0.8889, 320.0 rows/s",
            ]
        );
    }

    #[test]
    fn numbers_show_their_digits() {
        let shown = [0.0, 0.25, -3.0, 1e-3, 99_999.0].map(number);
        assert_eq!(
            shown,
            ["0.0000", "0.2500", "-3.0000", "0.0010", "99999.0000"]
        );
        let shown = [1.26e-4, -2e7, f64::NAN, f64::INFINITY].map(number);
        assert_eq!(shown, ["1.26e-4", "-2.00e7", "NaN", "inf"]);
    }

    #[test]
    fn the_ends_of_some_epochs_and_of_the_last_are_told() {
        let told = |n_epochs: u64| -> Vec<u64> {
            (1..=n_epochs)
                .filter(|&epoch| {
                    let seen = Seen {
                        epoch,
                        n_epochs,
                        ..Seen::default()
                    };
                    seen.epoch_is_told()
                })
                .collect()
        };
        assert_eq!(told(3), [1, 2, 3]);
        assert_eq!(told(20).len(), 20);
        assert_eq!(
            told(45),
            [3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42, 45]
        );
        assert_eq!(told(200).len(), 20);
        assert_eq!(told(22).last(), Some(&22));
        assert_eq!(told(23), [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 23]);
    }

    #[test]
    fn lines_come_when_they_are_due_or_were_long_missing() {
        let start = Instant::now();
        let mut bar = Bar {
            seen: Seen::default(),
            start,
            shown: Shown::Lines { last: start },
        };
        let mut told = |seconds: u64, is_due: bool| {
            let now = start + Duration::from_secs(seconds);
            bar.show(now, is_due);
            matches!(bar.shown, Shown::Lines { last } if last == now)
        };
        let told = [
            told(1, false),
            told(9, false),
            told(10, false),
            told(15, true),
            told(20, false),
            told(24, false),
            told(25, false),
        ];
        assert_eq!(told, [false, false, true, true, false, false, true]);
    }

    #[test]
    fn a_bar_stands_where_the_training_stands() {
        let mut shown = Bar {
            seen: Seen::default(),
            start: Instant::now(),
            shown: Shown::Bar(ProgressBar::hidden()),
        };
        play(&mut shown, 2, 7, 1.0);
        let Shown::Bar(bar) = &shown.shown else {
            panic!("a bar stays one")
        };
        assert_eq!((bar.position(), bar.length()), (7, Some(9)));
        assert_eq!(bar.prefix(), "digits");
        assert!(
            bar.message()
                .starts_with("epoch 3/3, loss 0.2143, accuracy 0.8333"),
            "{}",
            bar.message()
        );
    }
}
