//! Label shift: P(Y) differs between the domains, P(X | Y) does not. Each class has one weight, the ratio of its shares.

mod bbse;
mod calibration;
mod cross_fit;
mod mean_embedding;
mod mlls;
mod rlls;
#[cfg(test)]
mod tests;

pub use bbse::{Bbse, BbseParams};
pub use mean_embedding::{MmdTargetShift, MmdTargetShiftParams};
pub use mlls::{Mlls, MllsParams};
pub use rlls::{Rlls, RllsParams};

use ndarray::{Array1, Axis};
use translearn_core::{
    ParamInfo, ParamRange, SourceWeights, Trace, TransferError, TransferProblem,
};

/// Parts of the cross-fitting, as all methods that ask the learner have them.
const N_FOLDS: ParamInfo = ParamInfo {
    name: "n_folds",
    default: "5",
    range: ParamRange::Integer {
        low: 2,
        high: u64::MAX,
    },
    doc: "Parts of the source; no part is predicted by a learner that was fitted on it.",
};

/// The classes of the source.
#[derive(Debug)]
struct Classes {
    /// Those that occur, ascending; of the others nothing can be learned.
    present: Vec<usize>,
    /// The share of each of them.
    prior: Array1<f64>,
    /// The class of each source row, as a place in `present`.
    of_row: Vec<usize>,
}

impl Classes {
    fn of(problem: &TransferProblem, method: &str) -> Result<Self, TransferError> {
        let source = problem.source()?;
        let codes = source.labels.classes(method)?;
        let mut count = vec![0_usize; problem.n_classes()];
        codes.iter().for_each(|&code| count[code] += 1);
        let present: Vec<usize> = (0..count.len()).filter(|&class| count[class] > 0).collect();
        let mut place = vec![0; count.len()];
        present
            .iter()
            .enumerate()
            .for_each(|(at, &class)| place[class] = at);
        Ok(Self {
            prior: present
                .iter()
                .map(|&class| count[class] as f64 / codes.len() as f64)
                .collect(),
            of_row: codes.iter().map(|&code| place[code]).collect(),
            present,
        })
    }

    /// The place of a class among those present.
    fn place(&self, class: usize) -> Option<usize> {
        self.present.binary_search(&class).ok()
    }

    /// A weight for each source row from one for each class present. The trace tells the weight of every class and its
    /// share of the target that follows, 0 for those the source lacks.
    fn weights(&self, weights: &Array1<f64>, n_classes: usize) -> SourceWeights {
        let shares = weights * &self.prior;
        let total = shares.sum();
        let spread = |values: &dyn Fn(usize) -> f64| {
            let mut all = vec![0.0; n_classes];
            for (at, &class) in self.present.iter().enumerate() {
                all[class] = values(at);
            }
            all
        };
        let series = [
            ("class-weight".to_owned(), spread(&|at| weights[at])),
            ("target-prior".to_owned(), spread(&|at| shares[at] / total)),
        ];
        SourceWeights {
            weights: weights.select(Axis(0), &self.of_row),
            trace: Trace {
                series: series.into(),
                ..Trace::default()
            },
        }
    }
}
