//! Label shift: P(Y) differs between the domains, P(X | Y) does not. Each class has one weight, the ratio of its shares.
//!
//! # Does it explain the target?
//!
//! `bbse`, `rlls` and `mlls` leave `prior-shift-p-value` in the trace: how likely the target's predictions are to be so far
//! from every mixture of those of the source's classes, if P(X | Y) is the same in both domains. A small value says that
//! label shift alone does not explain the target, and its weights are not to be trusted; a large one, that the learner's
//! predictions do not show otherwise. It is
//!
//! $$P(\chi^2_{m - k + 1} > J), \qquad J = \min_{\sum_c q_c = 1} g_q^\top V_q^{-1} g_q, \qquad g_q = \bar h_T - \sum_c q_c\, \bar h_c$$
//!
//! with the `m = 2k − 1` means over the target and over each of the `k` classes of
//! `h(x) = (p_1, …, p_{k−1}, p_1², …, p_k²)`, `p_c` the share of class `c` in the prediction, and the covariance
//! `V_q = Cov_T h / n_T + Σ_c q_c² Cov_c h / n_c` of `g_q`; directions in which `h` does not vary do not count towards `m`.
//! Source rows are predicted by learners that have not seen them. The distribution is that for large samples. The value is
//! left out where a class has a single row or no statistic is to spare, as for a learner without scores.
//!
//! Hansen, *Large Sample Properties of Generalized Method of Moments Estimators*, Econometrica 50(4), 1982,
//! doi:10.2307/1912775; that label shift leaves such means mixtures is used as in Lipton, Wang, Smola, ICML 2018.

mod bbse;
mod calibration;
mod cross_fit;
mod mean_embedding;
mod mlls;
mod prior_shift;
#[cfg(test)]
mod reference_tests;
mod rlls;
#[cfg(test)]
mod tests;

pub use bbse::{Bbse, BbseParams};
use cross_fit::CrossFitted;
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

    /// [`Classes::weights`], and in the trace whether the shares of the classes alone explain the target.
    fn explained_weights(
        &self,
        weights: &Array1<f64>,
        n_classes: usize,
        fitted: &CrossFitted,
    ) -> Result<SourceWeights, TransferError> {
        let mut all = self.weights(weights, n_classes);
        let p_value = fitted.prior_shift_p_value(self, n_classes)?;
        let value = p_value.map(|p| ("prior-shift-p-value".to_owned(), vec![p]));
        all.trace.series.extend(value);
        Ok(all)
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
