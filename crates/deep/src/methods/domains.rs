//! Two domains in one training: what domain-adversarial training and correlation alignment share.

use tch::Tensor;
use translearn_core::{ImageRows, TransferError, TransferProblem};

use super::recipe::{Fit, Labelled, Recipe, images};
use crate::train::{Examples, Group, ImageExamples, Step};
use crate::{DeepError, Network};

/// Labelled source rows, all target rows, and the labelled ones among them.
pub(super) struct Domains {
    pub(super) source: Labelled,
    pub(super) target: ImageRows,
    pub(super) target_labelled: Option<Labelled>,
}

impl Domains {
    pub(super) fn of(problem: &TransferProblem, owner: &str) -> Result<Self, TransferError> {
        let source = problem.source()?;
        let labelled = problem.target_labelled();
        Ok(Self {
            source: Labelled::new(&source.features, &source.labels, None, owner)?,
            target: images(problem.target_features(), owner)?.clone(),
            target_labelled: labelled
                .map(|rows| Labelled::new(&rows.features, &rows.labels, None, owner))
                .transpose()?,
        })
    }
}

impl Domains {
    /// The labelled target rows as examples, where there are such.
    pub(super) fn target_examples(
        &self,
        recipe: &Recipe,
    ) -> Result<Option<ImageExamples>, DeepError> {
        let labelled = self.target_labelled.as_ref();
        labelled.map(|rows| recipe.examples(rows)).transpose()
    }
}

/// Features of both domains in a step, flattened to `[n, width]`.
pub(super) struct Both<'a> {
    pub(super) source: &'a Tensor,
    pub(super) target: &'a Tensor,
    pub(super) step: &'a Step,
}

/// How a method compares the domains: what is added to the loss of the task.
pub(super) struct Comparison<'a, F> {
    /// The layer at which the domains are compared.
    pub(super) layer: &'a str,
    /// What is added; `None`: the target is not looked at.
    pub(super) loss: Option<F>,
    /// What learns beside the network.
    pub(super) groups: Vec<Group>,
    /// Weight of the loss on labelled target rows.
    pub(super) target_weight: f64,
}

/// Minimises the source's loss, that of labelled target rows and the comparison of the domains.
///
/// Source and target go through the network one after the other, each normalised by its own statistics; the statistics
/// that are kept are those of both in turn.
pub(super) fn train<F>(
    recipe: &Recipe,
    network: &Network,
    domains: &Domains,
    comparison: Comparison<'_, F>,
) -> Result<(), DeepError>
where
    F: Fn(Both<'_>) -> Result<(String, f64, Tensor), DeepError>,
{
    let Comparison {
        layer,
        loss,
        mut groups,
        target_weight,
    } = comparison;
    network.check_layer(layer)?;
    groups.insert(0, recipe.group("network", network, |_| true, 1.0)?);
    let target = recipe.unlabelled(&domains.target)?;
    let labelled = domains.target_examples(recipe)?;
    // After the source: all target rows where they are looked at, then the labelled ones.
    let mut others: Vec<(&str, &dyn Examples)> = Vec::new();
    if loss.is_some() {
        others.push(("target", &target));
    }
    let mut known = None;
    if let Some(labelled) = &labelled {
        others.push(("target labelled", labelled));
        known = Some((others.len(), target_weight));
    }
    let fit = Fit {
        name: "network",
        epochs: recipe.params.epochs,
        groups,
        source: &domains.source,
        others,
    };
    recipe.train(network, fit, |step| {
        let mut pass = step.pass("source").tap([layer]);
        let (losses, _) = recipe.task(network, step, &mut pass, known)?;
        let Some(loss) = &loss else {
            return Ok(losses);
        };
        let source = features(pass.taken(layer), layer)?;
        let mut pass = step.pass("target").tap([layer]);
        let _outputs = network.forward(&step.batch(1)?.x, &mut pass)?;
        let target = features(pass.taken(layer), layer)?;
        let (name, weight, loss) = loss(Both {
            source: &source,
            target: &target,
            step,
        })?;
        Ok(losses.with(name, weight, loss))
    })
}

/// The output of a layer that a pass kept, flattened to `[n, width]`.
pub(super) fn features(taken: Option<Tensor>, layer: &str) -> Result<Tensor, DeepError> {
    let taken = taken.ok_or_else(|| DeepError::unknown("output of layer", layer, []))?;
    Ok(taken.f_flatten(1, -1)?)
}
