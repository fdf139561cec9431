//! Weighted base learners.

use anyhow::Result;
use ndarray::{Array1, Axis};
use translearn_core::{Features, FitSample, Labels, Predictor, Sample};
use translearn_learners::{Logistic as Model, Tree as TreeModel};

use crate::{Case, Inputs, Run, Settings, timed};

/// Labelled rows with a weight each.
#[derive(Debug)]
pub(crate) struct Weighted {
    features: Features,
    labels: Labels,
    weights: Array1<f64>,
}

impl Weighted {
    pub(crate) fn new(inputs: &Inputs) -> Result<Self> {
        Ok(Self {
            features: inputs.features("xs")?,
            labels: inputs.classes("ys")?,
            weights: inputs.column("w")?,
        })
    }

    fn fit<P: FitSample>(&self, params: &P) -> Result<P::Model> {
        let sample = Sample::new(&self.features, &self.labels, self.labels.n_codes())?
            .with_weights(&self.weights)?;
        Ok(params.fit_sample(&sample, 0)?)
    }
}

#[derive(Debug)]
pub(crate) struct Logistic(pub(crate) Weighted);

impl Case for Logistic {
    fn run(&self, settings: Settings) -> Result<Run> {
        let mut params = Model::params();
        if let Some(tolerance) = settings.tolerance {
            params = params.tolerance(tolerance);
        }
        let (elapsed, model) = timed(|| self.0.fit(&params))?;
        Ok(Run {
            elapsed,
            export: Box::new(move || {
                Ok(vec![
                    ("coefficients", model.coefficients().clone()),
                    (
                        "intercepts",
                        model.intercepts().clone().insert_axis(Axis(1)),
                    ),
                ])
            }),
        })
    }
}

#[derive(Debug)]
pub(crate) struct Tree(pub(crate) Weighted);

impl Case for Tree {
    fn run(&self, _: Settings) -> Result<Run> {
        let params = TreeModel::params().max_depth(8);
        let (elapsed, model) = timed(|| self.0.fit(&params))?;
        let features = self.0.features.clone();
        Ok(Run {
            elapsed,
            export: Box::new(move || {
                let scores = model.predict(&features)?.scores;
                let shares = scores.map(|scores| scores.matrix().clone());
                Ok(vec![("shares", shares.unwrap_or_default())])
            }),
        })
    }
}
