//! A fitted model and what may be looked at to score it.

use std::borrow::Cow;

use ndarray::Array2;

use crate::{
    Domain, Features, LabelSpace, Labelled, Labels, Prediction, Scores, Task, TransferError,
    TransferMethod, TransferModel, TransferProblem,
};

/// A fitted model with the rows it is judged by: labelled source rows, and target rows without labels. It holds no
/// label of the target, so no scorer can see one.
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_core::{Labels, Prediction, TransferError, TransferModel, TransferProblem, selection::Candidate};
/// # use translearn_core::Features;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Serialize, Deserialize)]
/// # struct Sign;
/// # #[typetag::serde(name = "doc-sign")]
/// # impl TransferModel for Sign {
/// #     fn predict(&self, x: &Features) -> Result<Prediction, TransferError> {
/// #         Ok(Prediction { labels: Labels::Classes(x.dense()?.column(0).mapv(|v| usize::from(v > 0.0))), scores: None })
/// #     }
/// # }
///
/// let source = DatasetBase::new(array![[-1.0], [1.0]], array![0, 1]);
/// let target = DatasetBase::new(array![[3.0], [-2.0]], array![Some(1), None]);
/// let problem = TransferProblem::new(&source, &target)?;
/// let candidate = Candidate::new(&Sign, &problem)?;
/// assert_eq!(candidate.target().n_rows(), 1); // that without a label
/// assert_eq!(candidate.target_prediction().labels, Labels::Classes(array![0]));
/// # Ok::<(), TransferError>(())
/// ```
#[derive(Debug)]
pub struct Candidate<'a> {
    model: &'a dyn TransferModel,
    space: &'a LabelSpace,
    source: Labelled<'a>,
    target: Cow<'a, Features>,
    source_prediction: Prediction,
    target_prediction: Prediction,
    representation: Option<[Features; 2]>,
    method: Option<(&'a dyn TransferMethod, u64)>,
}

impl<'a> Candidate<'a> {
    /// A model with the labelled source rows of a problem and its target rows without a label, both predicted by the
    /// model.
    ///
    /// Source rows that the model was fitted on say less than they seem to; [`Candidate::with_source_prediction`] puts
    /// what cross-validation says of them in place.
    ///
    /// # Errors
    /// [`TransferError::Empty`] where no target row is without a label; [`TransferError`] of the prediction, and for
    /// one that does not go with the rows or the label space.
    pub fn new(
        model: &'a dyn TransferModel,
        problem: &'a TransferProblem,
    ) -> Result<Self, TransferError> {
        let source = problem.source()?;
        let target = problem.target_unlabelled();
        if target.n_rows() == 0 {
            return Err(TransferError::Empty {
                what: "the target, for rows without a label,".to_owned(),
                needed: 1,
            });
        }
        let space = problem.label_space();
        let source_prediction = model.predict_source(&source.features)?;
        let target_prediction = model.predict(&target)?;
        check(&source_prediction, source.labels.len(), space, "source")?;
        check(&target_prediction, target.n_rows(), space, "target")?;
        Ok(Self {
            model,
            space,
            source,
            target,
            source_prediction,
            target_prediction,
            representation: None,
            method: None,
        })
    }

    /// The same with another prediction of the source rows: by models that have not seen the row they predict.
    ///
    /// # Errors
    /// [`TransferError`] for a prediction that does not go with the rows or the label space.
    pub fn with_source_prediction(mut self, prediction: Prediction) -> Result<Self, TransferError> {
        check(&prediction, self.source.labels.len(), self.space, "source")?;
        self.source_prediction = prediction;
        Ok(self)
    }

    /// The same with the features that the model makes of the rows, as a network has them.
    ///
    /// # Errors
    /// [`TransferError::LengthMismatch`], [`TransferError::FeatureMismatch`] or [`TransferError::NotFinite`].
    pub fn with_representation(
        mut self,
        source: Array2<f64>,
        target: Array2<f64>,
    ) -> Result<Self, TransferError> {
        let (source, target) = (Features::from(source), Features::from(target));
        let rows = [self.source.labels.len(), self.target.n_rows()];
        for (features, (rows, name)) in [&source, &target]
            .into_iter()
            .zip(rows.into_iter().zip(["source", "target"]))
        {
            let what = format!("the representation of the {name} rows");
            check_length(&what, features.n_rows(), name, rows)?;
            features.check_finite(&what)?;
        }
        crate::check_same_features("source", &source, "target", &target)?;
        self.representation = Some([source, target]);
        Ok(self)
    }

    /// The same with the method that fitted the model and the seed of the fit, for a scorer that fits again.
    #[must_use]
    pub fn with_method(mut self, method: &'a dyn TransferMethod, seed: u64) -> Self {
        self.method = Some((method, seed));
        self
    }

    /// The model.
    pub fn model(&self) -> &'a dyn TransferModel {
        self.model
    }

    /// The label space.
    pub fn label_space(&self) -> &'a LabelSpace {
        self.space
    }

    /// The labelled source rows.
    pub fn source(&self) -> &Labelled<'a> {
        &self.source
    }

    /// The target rows.
    pub fn target(&self) -> &Features {
        &self.target
    }

    /// What the model says of the source rows.
    pub fn source_prediction(&self) -> &Prediction {
        &self.source_prediction
    }

    /// What the model says of the target rows.
    pub fn target_prediction(&self) -> &Prediction {
        &self.target_prediction
    }

    /// The features that the model makes of source and target rows; the rows themselves where it makes none.
    pub fn represented(&self) -> [&Features; 2] {
        match &self.representation {
            Some([source, target]) => [source, target],
            None => [&self.source.features, &self.target],
        }
    }

    /// The probabilities of the classes of target rows.
    ///
    /// # Errors
    /// [`TransferError::Unsupported`] in the name of `scorer` for a model that has none.
    pub fn probabilities(&self, scorer: &str) -> Result<&Array2<f64>, TransferError> {
        let has = match &self.target_prediction.scores {
            Some(Scores::Probabilities(probabilities)) => return Ok(probabilities),
            Some(Scores::Decision(_)) => "a model with decision values",
            None => "a model without scores",
        };
        Err(TransferError::Unsupported {
            method: scorer.to_owned(),
            needs: "probabilities of classes (as `logistic` gives them)".to_owned(),
            has: has.to_owned(),
        })
    }

    /// The method that fitted the model, and the seed of the fit.
    ///
    /// # Errors
    /// [`TransferError::Unsupported`] in the name of `scorer` where the method is not known.
    pub fn method(&self, scorer: &str) -> Result<(&'a dyn TransferMethod, u64), TransferError> {
        self.method.ok_or_else(|| TransferError::Unsupported {
            method: scorer.to_owned(),
            needs: "the method that fitted the model (`Candidate::with_method`)".to_owned(),
            has: "a model alone".to_owned(),
        })
    }

    /// Two domains as a problem with one source and no label in the target, over the label space of the candidate.
    ///
    /// # Errors
    /// As [`TransferProblem::from_parts`].
    pub fn problem(
        &self,
        labelled: &Features,
        labels: Labels,
        unlabelled: &Features,
    ) -> Result<TransferProblem, TransferError> {
        let domain = |name: &str, features: &Features| Domain {
            name: name.to_owned(),
            features: features.clone(),
        };
        TransferProblem::from_parts(
            vec![(
                domain("source", labelled),
                Task::labelled(self.space.clone(), labels),
            )],
            (
                domain("target", unlabelled),
                Task::unlabelled(self.space.clone()),
            ),
        )
    }
}

fn check_length(what: &str, has: usize, rows: &str, needs: usize) -> Result<(), TransferError> {
    if has == needs {
        return Ok(());
    }
    Err(TransferError::LengthMismatch {
        left: what.to_owned(),
        left_len: has,
        right: format!("the {rows}"),
        right_len: needs,
    })
}

/// Refuses a prediction that does not go with the rows, or has other classes.
fn check(
    prediction: &Prediction,
    rows: usize,
    space: &LabelSpace,
    name: &str,
) -> Result<(), TransferError> {
    let what = format!("the prediction of the {name} rows");
    check_length(&what, prediction.labels.len(), name, rows)?;
    prediction.labels.check(space, &what)?;
    let Some(scores) = prediction.scores.as_ref().map(Scores::matrix) else {
        return Ok(());
    };
    check_length(&what, scores.nrows(), name, rows)?;
    if scores.ncols() != space.n_classes() {
        return Err(TransferError::FeatureMismatch {
            left: what,
            left_features: scores.ncols(),
            right: "the label space".to_owned(),
            right_features: space.n_classes(),
        });
    }
    match scores.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((row, column), value)) => Err(TransferError::NotFinite {
            what,
            row,
            column,
            value: value.to_string(),
        }),
    }
}
