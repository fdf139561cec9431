//! Images as examples.

use tch::{Device, Tensor};
use translearn_core::{ImageRows, seed};

use super::{Batch, Examples, Pick};
use crate::{Augmentation, DeepError, Transform};

/// Images, their classes and weights, and how they come to a network: augmented where the pick says from what, then
/// transformed.
///
/// An augmentation that takes images of any size sees the whole image and cuts it itself; any other sees what the transform
/// has resized and cut.
#[derive(Debug)]
pub struct ImageExamples {
    images: ImageRows,
    transform: Transform,
    augmentation: Augmentation,
    labels: Option<Vec<i64>>,
    weights: Option<Vec<f32>>,
    device: Device,
}

impl ImageExamples {
    /// Images without labels, not augmented.
    pub fn new(images: ImageRows, transform: Transform, device: Device) -> Self {
        Self {
            images,
            transform,
            augmentation: Augmentation::default(),
            labels: None,
            weights: None,
            device,
        }
    }

    /// With augmentation.
    #[must_use]
    pub fn augmented(mut self, augmentation: Augmentation) -> Self {
        self.augmentation = augmentation;
        self
    }

    /// With a class for each image.
    ///
    /// # Errors
    /// [`DeepError::Lengths`].
    pub fn labelled(mut self, labels: &[usize]) -> Result<Self, DeepError> {
        self.check("their labels", labels.len())?;
        self.labels = Some(labels.iter().map(|&label| label as i64).collect());
        Ok(self)
    }

    /// With a weight for each image.
    ///
    /// # Errors
    /// [`DeepError::Lengths`].
    pub fn weighted(mut self, weights: &[f64]) -> Result<Self, DeepError> {
        self.check("their weights", weights.len())?;
        self.weights = Some(weights.iter().map(|&weight| weight as f32).collect());
        Ok(self)
    }

    fn check(&self, right: &'static str, right_len: usize) -> Result<(), DeepError> {
        if right_len == self.images.n_rows() {
            return Ok(());
        }
        Err(DeepError::Lengths {
            left: "the images",
            left_len: self.images.n_rows() as i64,
            right,
            right_len: right_len as i64,
        })
    }

    fn image(&self, pick: Pick) -> Result<Tensor, DeepError> {
        let Some(image) = self.images.get(pick.row) else {
            return Err(DeepError::unknown("image", &pick.row.to_string(), []));
        };
        let Some(drawn) = pick.seed.filter(|_| !self.augmentation.steps().is_empty()) else {
            return self.transform.apply(image);
        };
        let mut pixels = self.transform.pixels(image)?;
        if !self.augmentation.takes_any_size() {
            pixels = self.transform.resize_crop(&pixels)?;
        }
        let pixels = self.augmentation.apply(&pixels, &mut seed::rng(drawn))?;
        self.transform.normalise(&pixels)
    }
}

impl Examples for ImageExamples {
    fn len(&self) -> usize {
        self.images.n_rows()
    }

    fn batch(&self, picks: &[Pick]) -> Result<Batch, DeepError> {
        let images = picks
            .iter()
            .map(|&pick| self.image(pick))
            .collect::<Result<Vec<_>, _>>()?;
        let on_device = |x: Tensor| x.f_to_device(self.device);
        let labels = self.labels.as_ref().map(|labels| {
            let picked: Vec<i64> = picks.iter().map(|pick| labels[pick.row]).collect();
            Tensor::f_from_slice(&picked).and_then(on_device)
        });
        let weights = self.weights.as_ref().map(|weights| {
            let picked: Vec<f32> = picks.iter().map(|pick| weights[pick.row]).collect();
            Tensor::f_from_slice(&picked).and_then(on_device)
        });
        Ok(Batch {
            x: Tensor::f_stack(&images, 0).and_then(on_device)?,
            labels: labels.transpose()?,
            weights: weights.transpose()?,
        })
    }
}
