//! Watching a training: what is told of it, and to whom.

mod bar;
mod json_lines;
mod tensorboard;

pub use bar::Bar;
pub use json_lines::JsonLines;
pub use tensorboard::TensorBoard;

use crate::DeepError;

/// Someone who is told how a training goes.
///
/// A training calls [`begin`](Self::begin) once, then [`step`](Self::step) after every step of the optimiser and
/// [`epoch`](Self::epoch) after every pass over the data. Each does nothing unless it is written. An error ends the
/// training: whoever only wants to look swallows what goes wrong while looking.
///
/// [`Bar`] shows it, [`JsonLines`] and [`TensorBoard`] keep it. Several watch as `Vec<Box<dyn Observer>>`, in their
/// order, up to the first that fails; nobody watches as `()`.
///
/// # Example
/// An observer of one's own, that keeps the losses:
///
/// ```
/// use translearn_deep::DeepError;
/// use translearn_deep::train::{Observer, StepReport};
///
/// #[derive(Default)]
/// struct Losses(Vec<f64>);
///
/// impl Observer for Losses {
///     fn step(&mut self, report: &StepReport<'_>) -> Result<(), DeepError> {
///         self.0.push(report.loss);
///         Ok(())
///     }
/// }
///
/// let mut losses = Losses::default();
/// for (step, loss) in (1..).zip([0.9, 0.4]) {
///     let report = StepReport { step, loss, losses: &[], rates: &[], gradient_norm: None, n_rows: 32, seconds: 0.1 };
///     losses.step(&report)?;
/// }
/// assert_eq!(losses.0, [0.9, 0.4]);
/// # Ok::<(), DeepError>(())
/// ```
pub trait Observer {
    /// A training begins, or goes on after [`Begin::step`] steps: what was said of later ones is taken back.
    ///
    /// # Errors
    /// What the observer cannot do, mostly [`DeepError::Io`].
    fn begin(&mut self, _: &Begin<'_>) -> Result<(), DeepError> {
        Ok(())
    }

    /// A step is done.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    fn step(&mut self, _: &StepReport<'_>) -> Result<(), DeepError> {
        Ok(())
    }

    /// An epoch is done, and what was validated after it.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    fn epoch(&mut self, _: &EpochReport<'_>) -> Result<(), DeepError> {
        Ok(())
    }
}

/// Where a training begins, and how far it means to go.
#[derive(Debug, Clone, Copy)]
pub struct Begin<'a> {
    /// What the training is called.
    pub name: &'a str,
    /// Steps done before; 0 for a new training.
    pub step: u64,
    /// Steps there will be in all.
    pub n_steps: u64,
    /// Epochs finished and reported before; 0 for a new training.
    pub epoch: u64,
    /// Epochs there will be in all.
    pub n_epochs: u64,
}

/// One step of the optimiser.
#[derive(Debug, Clone, Copy)]
pub struct StepReport<'a> {
    /// Which one, from 1.
    pub step: u64,
    /// The loss that was minimised.
    pub loss: f64,
    /// Its parts by name.
    pub losses: &'a [(String, f64)],
    /// Learning rates by group of parameters.
    pub rates: &'a [(String, f64)],
    /// Norm of the gradient over all parameters, where it was taken.
    pub gradient_norm: Option<f64>,
    /// Rows of the batch.
    pub n_rows: usize,
    /// How long the step took.
    pub seconds: f64,
}

/// One pass over the data.
#[derive(Debug, Clone, Copy)]
pub struct EpochReport<'a> {
    /// Which one, from 1.
    pub epoch: u64,
    /// Steps done at its end.
    pub step: u64,
    /// Mean loss over its steps.
    pub loss: f64,
    /// Mean of each part of the loss over its steps.
    pub losses: &'a [(String, f64)],
    /// What was measured on validation data, the metric that decides first; may be empty.
    pub metrics: &'a [(String, f64)],
    /// Whether no epoch before was better.
    pub is_best: bool,
    /// Rows a second over its steps.
    pub rows_per_second: f64,
    /// How long the epoch took.
    pub seconds: f64,
}

/// Nobody watches.
impl Observer for () {}

/// Each is told in its order, up to the first that fails.
impl Observer for Vec<Box<dyn Observer>> {
    fn begin(&mut self, begin: &Begin<'_>) -> Result<(), DeepError> {
        self.iter_mut().try_for_each(|each| each.begin(begin))
    }

    fn step(&mut self, report: &StepReport<'_>) -> Result<(), DeepError> {
        self.iter_mut().try_for_each(|each| each.step(report))
    }

    fn epoch(&mut self, report: &EpochReport<'_>) -> Result<(), DeepError> {
        self.iter_mut().try_for_each(|each| each.epoch(report))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// Steps of an epoch of [`play`].
    pub(crate) const EPOCH: u64 = 3;

    /// Tells of the steps after `from`, up to `to`, of a training of three epochs whose numbers depend on the step, and
    /// whose times depend on `pace`.
    pub(crate) fn play(observer: &mut dyn Observer, from: u64, to: u64, pace: f64) {
        let begin = Begin {
            name: "digits",
            step: from,
            n_steps: 3 * EPOCH,
            epoch: from / EPOCH,
            n_epochs: 3,
        };
        observer.begin(&begin).unwrap();
        for step in from + 1..=to {
            let part = |by: f64| by / step as f64;
            observer
                .step(&StepReport {
                    step,
                    loss: part(1.5),
                    losses: &[("task".into(), part(1.0)), ("mmd".into(), part(0.5))],
                    rates: &[("backbone".into(), 1e-3), ("head".into(), 1e-2)],
                    gradient_norm: (step % 2 == 0).then_some(part(4.0)),
                    n_rows: 32,
                    seconds: pace * part(0.1),
                })
                .unwrap();
            if step % EPOCH == 0 {
                observer
                    .epoch(&EpochReport {
                        epoch: step / EPOCH,
                        step,
                        loss: part(2.0),
                        losses: &[("task".into(), part(1.25)), ("mmd".into(), part(0.75))],
                        metrics: &[("accuracy".into(), 1.0 - part(1.0))],
                        is_best: step == EPOCH,
                        rows_per_second: 320.0 / pace,
                        seconds: pace,
                    })
                    .unwrap();
            }
        }
    }

    /// Writes down what it is told, and fails at one step.
    struct Notes {
        who: char,
        fails_at: u64,
        notes: Rc<RefCell<Vec<String>>>,
    }

    impl Observer for Notes {
        fn begin(&mut self, begin: &Begin<'_>) -> Result<(), DeepError> {
            self.notes
                .borrow_mut()
                .push(format!("{} begin {}", self.who, begin.step));
            Ok(())
        }

        fn step(&mut self, report: &StepReport<'_>) -> Result<(), DeepError> {
            if report.step == self.fails_at {
                return Err(DeepError::torch("full"));
            }
            self.notes
                .borrow_mut()
                .push(format!("{} step {}", self.who, report.step));
            Ok(())
        }

        fn epoch(&mut self, report: &EpochReport<'_>) -> Result<(), DeepError> {
            self.notes
                .borrow_mut()
                .push(format!("{} epoch {}", self.who, report.epoch));
            Ok(())
        }
    }

    #[test]
    fn several_are_told_in_order_up_to_the_first_that_fails() {
        let notes = Rc::new(RefCell::new(Vec::new()));
        let note = |who, fails_at| -> Box<dyn Observer> {
            Box::new(Notes {
                who,
                fails_at,
                notes: Rc::clone(&notes),
            })
        };
        let mut both = vec![note('a', 9), note('b', 7)];
        play(&mut both, 2, 3, 1.0);
        let told = [
            "a begin 2",
            "b begin 2",
            "a step 3",
            "b step 3",
            "a epoch 1",
            "b epoch 1",
        ];
        assert_eq!(*notes.borrow(), told);
        let report = |step| StepReport {
            step,
            loss: 1.0,
            losses: &[],
            rates: &[],
            gradient_norm: None,
            n_rows: 1,
            seconds: 0.0,
        };
        let failed = both.step(&report(7));
        assert!(matches!(failed, Err(DeepError::Torch(text)) if text == "full"));
        assert_eq!(notes.borrow().last().unwrap(), "a step 7");
        let failed = both.step(&report(9));
        assert!(failed.is_err());
        assert_eq!(
            notes.borrow().last().unwrap(),
            "a step 7",
            "b is not told what a failed at"
        );
        play(&mut (), 0, 9, 1.0);
    }
}
