//! What the methods here have in common: the parameters of the learner turned into parts of a training.

use std::path::Path;

use ndarray::Array1;
use tch::{Device, Kind, Tensor};
use translearn_core::{
    Features, Fitted, ImageRows, Labels, Sample, Trace, TransferError, TransferProblem, seed,
};

use super::learner::{Decay, Moves, NetworkParams};
use super::model::{NetworkModel, logits};
use crate::train::{
    Batch, Examples, Group, ImageExamples, Losses, Schedule, Step, Stream, TrainParams, Training,
    Validation,
};
use crate::{
    Augmentation, DeepError, Network, Optimizer, Pass, Pretrained, Transform, mixup, one_hot,
    soft_cross_entropy,
};

/// The share of the labelled rows that early stopping looks at.
const VALIDATED: usize = 5;

/// Labelled images with weights of mean 1.
#[derive(Debug, Clone)]
pub(super) struct Labelled {
    pub(super) images: ImageRows,
    pub(super) labels: Vec<usize>,
    pub(super) weights: Option<Vec<f64>>,
}

impl Labelled {
    /// The rows of a sample that have weight.
    pub(super) fn of(sample: &Sample<'_>, owner: &str) -> Result<Self, TransferError> {
        let weights = sample.weights().map(|weights| weights.to_owned());
        Self::new(sample.features(), sample.labels(), weights, owner)
    }

    pub(super) fn new(
        features: &Features,
        labels: &Labels,
        weights: Option<Array1<f64>>,
        owner: &str,
    ) -> Result<Self, TransferError> {
        let images = images(features, owner)?;
        let labels = labels.classes(owner)?;
        let kept: Vec<usize> = (0..images.n_rows())
            .filter(|&row| weights.as_ref().is_none_or(|weights| weights[row] > 0.0))
            .collect();
        let weights = weights.map(|weights| {
            let mean = kept.iter().map(|&row| weights[row]).sum::<f64>() / kept.len() as f64;
            kept.iter().map(|&row| weights[row] / mean).collect()
        });
        Ok(Self {
            images: images.select_rows(&kept),
            labels: kept.iter().map(|&row| labels[row]).collect(),
            weights,
        })
    }

    fn select(&self, rows: &[usize]) -> Self {
        Self {
            images: self.images.select_rows(rows),
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
            weights: self
                .weights
                .as_ref()
                .map(|weights| rows.iter().map(|&row| weights[row]).collect()),
        }
    }

    /// A fifth of the rows, over the classes as they are, and the others.
    fn split(&self, seed: u64) -> Result<(Self, Self), TransferError> {
        if self.labels.len() < VALIDATED {
            return Err(TransferError::TooFewRows {
                what: "the labelled images, of which early stopping keeps a fifth aside".to_owned(),
                rows: self.labels.len(),
                needed: VALIDATED,
            });
        }
        let mut order = seed::rng(seed).permutation(self.labels.len());
        order.sort_by_key(|&row| self.labels[row]);
        let is_held_out = |place: &usize| place % VALIDATED == VALIDATED - 1;
        let pick = |wanted: bool| -> Vec<usize> {
            let places = (0..order.len()).filter(|place| is_held_out(place) == wanted);
            let mut rows: Vec<usize> = places.map(|place| order[place]).collect();
            rows.sort_unstable();
            rows
        };
        Ok((self.select(&pick(true)), self.select(&pick(false))))
    }
}

/// Images, where a sample has them.
pub(super) fn images<'f>(
    features: &'f Features,
    owner: &str,
) -> Result<&'f ImageRows, TransferError> {
    features.images().ok_or_else(|| TransferError::Unsupported {
        method: owner.to_owned(),
        needs: "images".to_owned(),
        has: "vectors".to_owned(),
    })
}

/// The parameters of a learner, the weights a method starts from, and a seed.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) params: NetworkParams,
    pretrained: Pretrained,
    transform: Transform,
    n_classes: i64,
    device: Device,
    seed: u64,
}

/// A training of a network: what it is called, how long it goes on, what learns, and from which rows.
pub(super) struct Fit<'a> {
    pub(super) name: &'a str,
    pub(super) epochs: u64,
    pub(super) groups: Vec<Group>,
    pub(super) source: &'a Labelled,
    /// Streams after that of the source.
    pub(super) others: Vec<(&'a str, &'a dyn Examples)>,
}

/// A labelled batch as a network saw it, and what it gave beside the classes of the task.
pub(super) struct Seen {
    /// Augmented, transformed and mixed.
    pub(super) images: Tensor,
    /// Shares of the classes, `[n, k]`.
    pub(super) targets: Tensor,
    /// Logits of other classes, where the pass had a wider head.
    beside: Option<Tensor>,
}

impl Seen {
    /// The logits of the other classes of a wider head.
    pub(super) fn beside(&self) -> Result<&Tensor, DeepError> {
        let none = || DeepError::unknown("logits of", "other classes", []);
        self.beside.as_ref().ok_or_else(none)
    }
}

impl Recipe {
    /// # Errors
    /// For a backbone, weights or a device that are not there.
    pub(super) fn new(
        params: NetworkParams,
        weights: &str,
        n_classes: usize,
        seed: u64,
    ) -> Result<Self, DeepError> {
        tch::set_num_threads(params.threads);
        let pretrained = Pretrained::find(&params.backbone, weights, Path::new(""))?;
        let transform = params.sized(pretrained.transform());
        Ok(Self {
            params,
            pretrained,
            transform,
            n_classes: i64::try_from(n_classes).unwrap_or(i64::MAX),
            device: crate::default_device()?,
            seed,
        })
    }

    /// With the seed of a baseline's learner, so that method and baseline begin with the same network and see the same
    /// batches.
    ///
    /// # Errors
    /// As [`Recipe::new`].
    pub(super) fn beside_baseline(
        params: NetworkParams,
        weights: &str,
        problem: &TransferProblem,
        seed: u64,
    ) -> Result<Self, DeepError> {
        let seed = seed::derive(seed, &["learner"]);
        Self::new(params, weights, problem.n_classes(), seed)
    }

    /// The network for the classes of the task, its new head drawn from the seed.
    pub(super) fn network(&self) -> Result<Network, DeepError> {
        self.pretrained
            .build_for(self.n_classes, self.device, self.seed(&["network"]))
    }

    /// The network as it was published, with the head and the classes that its weights came with.
    pub(super) fn original(&self) -> Result<Network, DeepError> {
        self.pretrained.build_original(self.device)
    }

    /// The network with the head that the weights came with, for the classes of the task.
    pub(super) fn whole_network(&self) -> Result<Network, DeepError> {
        self.pretrained.build_whole(self.n_classes, self.device)
    }

    /// An image of zeros, of the size that images come in.
    pub(super) fn blank(&self, network: &Network) -> Result<Tensor, DeepError> {
        let mut shape = network.input().batch(1);
        if let (Some(size), [_, _, height, width]) = (self.transform.crop, shape.as_mut_slice()) {
            (*height, *width) = (size, size);
        }
        Ok(Tensor::f_zeros(&shape, (Kind::Float, self.device))?)
    }

    /// The width of a layer's output for an image, flattened.
    pub(super) fn width_of(&self, network: &Network, layer: &str) -> Result<i64, DeepError> {
        let blank = self.blank(network)?;
        let outputs = network.outputs_of(&blank, &[layer])?;
        Ok(outputs.first().map_or(0, |output| output.numel() as i64))
    }

    /// The layer by this name, or the backbone's features.
    pub(super) fn layer<'a>(&'a self, name: Option<&'a str>) -> &'a str {
        self.pretrained.layer(name)
    }

    pub(super) fn device(&self) -> Device {
        self.device
    }

    pub(super) fn seed(&self, path: &[&str]) -> u64 {
        seed::derive(self.seed, path)
    }

    /// Tensors that learn at `factor` times the rate, with the weight decay of the parameters.
    pub(super) fn group(
        &self,
        name: impl Into<String>,
        network: &Network,
        keep: impl Fn(&str) -> bool,
        factor: f64,
    ) -> Result<Group, DeepError> {
        self.group_with(name, network, keep, factor, self.params.weight_decay)
    }

    /// Tensors that learn at `factor` times the rate, with another weight decay.
    pub(super) fn group_with(
        &self,
        name: impl Into<String>,
        network: &Network,
        keep: impl Fn(&str) -> bool,
        factor: f64,
        decay: f64,
    ) -> Result<Group, DeepError> {
        let learned = network.learned().filter(|weight| keep(weight.name()));
        let tensors = learned.map(|weight| weight.tensor().shallow_clone());
        self.group_of(name, tensors, factor, decay)
    }

    /// Tensors of no network that learn at `factor` times the rate, with a weight decay.
    pub(super) fn group_of(
        &self,
        name: impl Into<String>,
        tensors: impl IntoIterator<Item = Tensor>,
        factor: f64,
        decay: f64,
    ) -> Result<Group, DeepError> {
        let optimizer = match self.params.optimizer {
            Moves::Sgd => Optimizer::Sgd {
                momentum: 0.9,
                weight_decay: decay,
                nesterov: false,
            },
            Moves::Adam => Optimizer::Adam {
                betas: (0.9, 0.999),
                weight_decay: decay,
                epsilon: 1e-8,
            },
            Moves::AdamW => Optimizer::AdamW {
                betas: (0.9, 0.999),
                weight_decay: decay,
                epsilon: 1e-8,
            },
        };
        let schedule = match self.params.schedule {
            Decay::Constant => Schedule::Constant,
            Decay::Cosine => Schedule::Cosine { floor: 0.0 },
            Decay::OneCycle => Schedule::OneCycle {
                peak: 0.3,
                start: 25.0,
                end: 1e4,
            },
            Decay::Dann => Schedule::dann(),
        };
        Group::new(name, tensors, optimizer, factor * self.params.rate)?
            .schedule(schedule)?
            .warm_up(self.params.warm_up)
    }

    /// Images as they are predicted; with labels and augmentation where they are trained on.
    pub(super) fn examples(&self, rows: &Labelled) -> Result<ImageExamples, DeepError> {
        let examples = self.unlabelled(&rows.images)?.labelled(&rows.labels)?;
        match &rows.weights {
            None => Ok(examples),
            Some(weights) => examples.weighted(weights),
        }
    }

    pub(super) fn unlabelled(&self, images: &ImageRows) -> Result<ImageExamples, DeepError> {
        let size = self.transform.crop.unwrap_or_default();
        let augmentation = Augmentation::preset(&self.params.augment, size)?;
        let examples = ImageExamples::new(images.clone(), self.transform.clone(), self.device);
        Ok(examples.augmented(augmentation))
    }

    /// The weighted mean cross-entropy of a labelled batch, with the smoothing and mixing of the parameters, and the batch as
    /// the network saw it.
    fn supervised(
        &self,
        network: &Network,
        batch: &Batch,
        step: &Step,
        pass: &mut Pass,
    ) -> Result<(Tensor, Seen), DeepError> {
        let labels = batch.labels()?;
        let targets = one_hot(labels, self.n_classes, self.params.label_smoothing)?;
        let (images, targets) = if self.params.mixup > 0.0 {
            let mut rng = seed::rng(step.seed(&["mixup"]));
            mixup(&batch.x, &targets, self.params.mixup, &mut rng)?
        } else {
            (batch.x.shallow_clone(), targets)
        };
        let logits = network.forward(&images, pass)?;
        let (logits, beside) = self.own_classes(logits)?;
        let loss = soft_cross_entropy(&logits, &targets, batch.weights.as_ref())?;
        let loss = match &batch.weights {
            None => loss,
            // The mean over the batch of weights whose mean over all rows is 1, and not that of a batch's own.
            Some(weights) => loss.f_mul(&weights.f_mean(Kind::Float)?)?,
        };
        let seen = Seen {
            images,
            targets,
            beside,
        };
        Ok((loss, seen))
    }

    /// Logits of the classes of the task, and those of others that a wider head gave beside them.
    fn own_classes(&self, logits: Tensor) -> Result<(Tensor, Option<Tensor>), DeepError> {
        let others = logits.size()[1] - self.n_classes;
        if others <= 0 {
            return Ok((logits, None));
        }
        let beside = logits.f_narrow(1, self.n_classes, others)?;
        Ok((logits.f_narrow(1, 0, self.n_classes)?, Some(beside)))
    }

    /// The losses of the labelled batches of a step: that of the source, and that of the labelled target rows, with their
    /// stream and weight, where there are such. The pass, and what was seen, are those of the source.
    pub(super) fn task(
        &self,
        network: &Network,
        step: &Step,
        pass: &mut Pass,
        target: Option<(usize, f64)>,
    ) -> Result<(Losses, Seen), DeepError> {
        let (task, seen) = self.supervised(network, step.batch(0)?, step, pass)?;
        let losses = Losses::new().with("task", 1.0, task);
        let Some((stream, weight)) = target else {
            return Ok((losses, seen));
        };
        let mut pass = step.pass("target labelled");
        let (task, _) = self.supervised(network, step.batch(stream)?, step, &mut pass)?;
        Ok((losses.with("target task", weight, task), seen))
    }

    /// Trains a network. With `patience`, a fifth of the source's rows is kept aside.
    pub(super) fn train(
        &self,
        network: &Network,
        fit: Fit<'_>,
        objective: impl FnMut(&Step) -> Result<Losses, DeepError>,
    ) -> Result<(), DeepError> {
        let params = TrainParams {
            epochs: fit.epochs,
            accumulate: 1,
            clip_norm: self.params.clip_norm,
            ema: Some(self.params.ema).filter(|&decay| decay > 0.0),
            patience: self.params.patience,
            seed: self.seed(&["train", fit.name]),
        };
        let batch_size = self.params.batch_size;
        let split = match self.params.patience {
            None => None,
            Some(_) => Some(fit.source.split(self.seed(&["validation"]))?),
        };
        let (held_out, rows) = match &split {
            None => (None, fit.source),
            Some((held_out, rest)) => (Some(held_out), rest),
        };
        let examples = self.examples(rows)?;
        let mut training = Training::new(fit.name, params)
            .model("network", network)
            .stream(Stream::new("source", &examples, batch_size)?);
        for (name, examples) in fit.others {
            training = training.stream(Stream::new(name, examples, batch_size)?);
        }
        for group in fit.groups {
            training = training.group(group);
        }
        if let Some(held_out) = held_out {
            let plain = self.examples(held_out)?;
            training =
                training.validate(move || validate(network, &plain, &held_out.labels, batch_size));
        }
        training.run(objective)?;
        Ok(())
    }

    /// Trains what learns of a network on labelled rows and nothing else.
    pub(super) fn train_on(&self, network: &Network, rows: &Labelled) -> Result<(), DeepError> {
        let fit = Fit {
            name: "network",
            epochs: self.params.epochs,
            groups: vec![self.group("all", network, |_| true, 1.0)?],
            source: rows,
            others: Vec::new(),
        };
        self.train(network, fit, |step| {
            let (losses, _) = self.task(network, step, &mut step.pass("source"), None)?;
            Ok(losses)
        })
    }

    /// What a method returns.
    pub(super) fn fitted(&self, network: Network) -> Fitted {
        Fitted {
            model: Box::new(self.model(network)),
            trace: Trace::default(),
        }
    }

    /// The fitted model.
    pub(super) fn model(&self, network: Network) -> NetworkModel {
        NetworkModel::new(
            network,
            usize::try_from(self.n_classes).unwrap_or(0),
            self.transform.clone(),
            self.params.batch_size,
            self.params.threads,
        )
    }
}

/// Minus the mean cross-entropy, which tells more of few rows than accuracy, and the accuracy to be reported.
fn validate(
    network: &Network,
    examples: &ImageExamples,
    labels: &[usize],
    batch_size: usize,
) -> Result<Validation, DeepError> {
    let logits = logits(network, examples, batch_size)?;
    let labels: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    let labels = Tensor::f_from_slice(&labels)?.f_to_device(logits.device())?;
    let loss = soft_cross_entropy(&logits, &one_hot(&labels, logits.size()[1], 0.0)?, None)?
        .f_double_value(&[])?;
    let right = logits
        .f_argmax(-1, false)?
        .f_eq_tensor(&labels)?
        .f_to_kind(Kind::Double)?
        .f_mean(Kind::Double)?
        .f_double_value(&[])?;
    Ok(Validation {
        score: -loss,
        metrics: vec![("loss".to_owned(), loss), ("accuracy".to_owned(), right)],
    })
}
