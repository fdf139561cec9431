//! Two domains in one training: what domain-adversarial training and correlation alignment share.

use tch::Tensor;
use translearn_core::{ImageRows, TransferError, TransferProblem};

use super::recipe::{Labelled, Recipe, images};
use crate::train::{Examples, Group, Losses, Step};
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
        let labelled = problem
            .target_labelled()
            .filter(|rows| rows.labels.len() > 1);
        Ok(Self {
            source: Labelled::new(&source.features, &source.labels, None, owner)?,
            target: images(problem.target_features(), owner)?.clone(),
            target_labelled: labelled
                .map(|rows| Labelled::new(&rows.features, &rows.labels, None, owner))
                .transpose()?,
        })
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
    /// Its name, for the training.
    pub(super) name: &'a str,
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
    recipe: &Recipe<'_>,
    network: &Network,
    domains: &Domains,
    comparison: Comparison<'_, F>,
) -> Result<(), DeepError>
where
    F: Fn(Both<'_>) -> Result<(String, f64, Tensor), DeepError>,
{
    let Comparison {
        name,
        layer,
        loss,
        mut groups,
        target_weight,
    } = comparison;
    network.check_layer(layer)?;
    groups.insert(0, recipe.group("network", network, |_| true, 1.0)?);
    let target = recipe.unlabelled(&domains.target)?;
    let labelled = domains
        .target_labelled
        .as_ref()
        .map(|rows| recipe.examples(rows))
        .transpose()?;
    let mut others: Vec<(&str, &dyn Examples)> = vec![("target", &target)];
    if let Some(labelled) = &labelled {
        others.push(("target labelled", labelled));
    }
    let epochs = recipe.params.epochs;
    recipe.train(
        name,
        epochs,
        network,
        groups,
        &domains.source,
        &others,
        |step, network| {
            let mut pass = step.pass("source").tap([layer]);
            let task = recipe.supervised(network, step.batch(0)?, step, &mut pass)?;
            let mut losses = Losses::new().with("task", 1.0, task);
            if labelled.is_some() {
                let mut pass = step.pass("target labelled");
                let task = recipe.supervised(network, step.batch(2)?, step, &mut pass)?;
                losses = losses.with("target task", target_weight, task);
            }
            if let Some(loss) = &loss {
                let source = features(pass.taken(layer), layer)?;
                let mut pass = step.pass("target").tap([layer]);
                let _outputs = network.forward(&step.batch(1)?.x, &mut pass)?;
                let target = features(pass.taken(layer), layer)?;
                let (name, weight, loss) = loss(Both {
                    source: &source,
                    target: &target,
                    step,
                })?;
                losses = losses.with(name, weight, loss);
            }
            Ok(losses)
        },
    )
}

fn features(taken: Option<Tensor>, layer: &str) -> Result<Tensor, DeepError> {
    let taken = taken.ok_or_else(|| DeepError::unknown("output of layer", layer, []))?;
    Ok(taken.f_flatten(1, -1)?)
}
