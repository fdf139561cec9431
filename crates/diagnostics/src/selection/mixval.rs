//! Whether answers hold between two rows.

use ndarray::Axis;
use serde::{Deserialize, Serialize};
use translearn_core::selection::{Candidate, ScorerInfo, ScorerNeeds, TargetScorer};
use translearn_core::{Features, Outputs, TransferError, seed, setters};

use super::check_pairs;

/// MixVal: target rows are mixed in pairs, and the mixture should be what its larger part is.
///
/// *When.* Any classifier on vectors, with or without probabilities. Pairs of one class ask whether classes are closed,
/// pairs of two whether borders run in between them rather than through them.
///
/// # Formula
///
/// $$\tfrac12 \sum_{g} \frac{1}{|P_g|} \sum_{(i, j) \in P_g} \bigl[\hat y(\alpha x_i + (1 - \alpha) x_j) = \hat y(x_i)\bigr]$$
///
/// with the pairs `P_g` of one class and those of two, by the model's own answers. Where there are none of a kind, the
/// other kind alone is the score. Between 0 and 1.
///
/// # Steps
///
/// 1. The rows, in an order that depends on their values alone, are shuffled by the seed into a ring; each is mixed with the
///    one after it.
/// 2. The model predicts the mixtures.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `alpha` | 0.55 | (0.5, 1] | share of the row whose class is asked for |
///
/// # Shapes and cost
///
/// One prediction of n rows. Sparse rows are made dense.
///
/// # Errors
///
/// [`TransferError::Unsupported`] for values, [`TransferError::NotVectors`] for images, [`TransferError::TooFewRows`]
/// for a single row, [`TransferError::InvalidParameter`], and those of the prediction.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::SourceOnly;
/// use translearn_core::{TransferMethod, TransferProblem};
/// use translearn_core::selection::{Candidate, TargetScore, TargetScorer};
/// use translearn_diagnostics::selection::MixVal;
///
/// let source = DatasetBase::new(array![[-1.0], [1.0]], array![0, 1]);
/// // Two classes at equal distances from the border: what is nearer to one is called so.
/// let target = DatasetBase::from(array![[-2.0], [2.0]]);
/// let problem = TransferProblem::new(&source, &target)?;
/// let model = SourceOnly::params().fit(&problem, 0)?.model;
/// let score = MixVal::default().score(&Candidate::new(&*model, &problem)?, 0)?;
/// assert_eq!(score, TargetScore::Value(1.0));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Hu, Liang, Liew, Xue, Bai, Wang, *Mixed samples as probes for unsupervised model selection in domain adaptation*,
/// NeurIPS 2023.
///
/// *Where we differ.* The paper ranks all candidates by either kind of pair and takes the mean rank; a score that is a
/// function of one candidate takes the mean of the two shares. Its code pairs the rows of a batch from both ends; here
/// no row meets itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixVal {
    alpha: f64,
}

impl Default for MixVal {
    fn default() -> Self {
        Self { alpha: 0.55 }
    }
}

setters!(MixVal {
    /// Sets the share of the row whose class is asked for.
    alpha: f64,
});

static INFO: ScorerInfo = ScorerInfo {
    name: "mixval",
    title: "Mixed samples as probes",
    needs: ScorerNeeds {
        outputs: Outputs::Classification,
        probabilities: false,
        held_out: false,
        method: false,
    },
    reference: "Hu, Liang, Liew, Xue, Bai, Wang. Mixed samples as probes for unsupervised model selection in domain adaptation. NeurIPS 2023",
};

impl TargetScorer for MixVal {
    fn info(&self) -> &'static ScorerInfo {
        &INFO
    }

    fn score_checked(&self, candidate: &Candidate<'_>, seed: u64) -> Result<f64, TransferError> {
        if !(self.alpha > 0.5 && self.alpha <= 1.0) {
            return Err(TransferError::InvalidParameter {
                name: "alpha".to_owned(),
                value: self.alpha.to_string(),
                range: "(0.5, 1]".to_owned(),
            });
        }
        check_pairs(candidate, INFO.name)?;
        let mut ring = candidate.target().rows_by_value();
        seed::rng(seed::derive(seed, &[INFO.name])).shuffle(&mut ring);
        let mut partners = ring.clone();
        partners.rotate_left(1);

        let rows = candidate.target().dense()?;
        let mixed = self.alpha * rows.select(Axis(0), &ring)
            + (1.0 - self.alpha) * rows.select(Axis(0), &partners);
        let answers = candidate.model().predict(&Features::from(mixed))?.labels;
        let answers = answers.classes(INFO.name)?;
        let classes = candidate.target_prediction().labels.classes(INFO.name)?;
        let share = |same: bool| {
            let places = 0..ring.len();
            let pairs = places.filter(|&at| (classes[ring[at]] == classes[partners[at]]) == same);
            let (mut kept, mut all) = (0.0, 0.0);
            for at in pairs {
                all += 1.0;
                kept += f64::from(u8::from(answers[at] == classes[ring[at]]));
            }
            (all > 0.0).then(|| kept / all)
        };
        Ok(match (share(true), share(false)) {
            (Some(within), Some(between)) => f64::midpoint(within, between),
            (one, other) => one.or(other).unwrap_or(0.0),
        })
    }
}
