//! The way there and back.

use translearn_core::selection::{Candidate, ScorerInfo, ScorerNeeds, TargetScorer};
use translearn_core::{Outputs, TransferError};

use crate::row_losses::row_losses;

/// Reverse validation, or circular validation: the method is fitted again from the target, with the model's answers as
/// labels, to the source, whose labels then tell how much came back.
///
/// *When.* Any method that needs no target labels, classes or values. It costs a second fit. Errors that cancel on the
/// way back are not seen: two classes that change places come back as they were.
///
/// # Formula
///
/// $$-\frac{1}{n_S} \sum_i \ell\bigl(y_i, g(x_i)\bigr), \qquad g = A\bigl(\{(x_j, f(x_j))\}_{j \in T}, \{x_i\}_{i \in S}\bigr)$$
///
/// with the model `f`, the method `A` that fitted it, and as loss `ℓ` whether the class is wrong, or the squared error.
///
/// # Shapes and cost
///
/// One fit with the domains exchanged, on all labelled source rows and all target rows without a label; several sources
/// come back as one. The seed is that of the first fit.
///
/// # Errors
///
/// [`TransferError::Unsupported`] for a candidate that does not know its method, and for a method that needs target
/// labels; those of the fit.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::SourceOnly;
/// use translearn_core::{TransferMethod, TransferProblem};
/// use translearn_core::selection::{Candidate, TargetScore, TargetScorer};
/// use translearn_diagnostics::selection::ReverseValidation;
///
/// let source = DatasetBase::new(array![[-2.0], [-1.0], [1.0], [2.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[-1.0], [2.0]]);
/// let problem = TransferProblem::new(&source, &target)?;
/// let method = SourceOnly::params();
/// let model = method.fit(&problem, 0)?.model;
/// let candidate = Candidate::new(&*model, &problem)?.with_method(&method, 0);
/// // The border of the way back, at 0.5, is right of no row of the second class.
/// assert_eq!(ReverseValidation.score(&candidate, 0)?, TargetScore::Value(0.0));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Zhong, Fan, Yang, Verscheure, Ren, *Cross validation framework to choose amongst models and datasets for transfer
/// learning*, ECML PKDD 2010, doi:10.1007/978-3-642-15939-8_35; Bruzzone, Marconcini, *Domain adaptation problems: a
/// DASVM classification technique and a circular validation strategy*, IEEE TPAMI 32(5), 2010,
/// doi:10.1109/TPAMI.2009.57; Ganin et al., *Domain-adversarial training of neural networks*, JMLR 17, 2016.
///
/// *Where we differ.* Zhong et al. and Ganin et al. validate in folds of the source; here the first model has seen all
/// source labels that the way back is scored by, as in Bruzzone and Marconcini.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReverseValidation;

static INFO: ScorerInfo = ScorerInfo {
    name: "reverse",
    title: "Reverse validation",
    needs: ScorerNeeds {
        outputs: Outputs::Both,
        probabilities: false,
        held_out: false,
        method: true,
    },
    reference: "Zhong, Fan, Yang, Verscheure, Ren. Cross validation framework to choose amongst models and datasets for transfer learning. ECML PKDD 2010. doi:10.1007/978-3-642-15939-8_35",
};

impl TargetScorer for ReverseValidation {
    fn info(&self) -> &'static ScorerInfo {
        &INFO
    }

    fn score_checked(&self, candidate: &Candidate<'_>, _seed: u64) -> Result<f64, TransferError> {
        let (method, seed) = candidate.method(INFO.name)?;
        let answers = candidate.target_prediction().labels.clone();
        let source = candidate.source();
        let back = candidate.problem(candidate.target(), answers, &source.features)?;
        let prediction = method.fit(&back, seed)?.model.predict(&source.features)?;
        let losses = row_losses(&source.labels, &prediction.labels, INFO.name)?;
        Ok(-losses.sum() / losses.len() as f64)
    }
}
