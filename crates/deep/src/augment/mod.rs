//! Augmentation: training images are changed at random in ways that do not change what they show.

mod draw;
mod edit;
mod mixup;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};
use translearn_core::seed::Rng;

use crate::DeepError;
pub use draw::Augment;
pub use mixup::mixup;

/// Random changes of an image, one after the other.
///
/// *When*: training on few images. The changes have to leave the label as it is: a mirrored digit is another sign, a
/// mirrored cat is a cat. Only training images are augmented.
///
/// It takes one image at a time, [`Transform::pixels`](crate::Transform::pixels), before it is normalised. In a
/// specification it is a list of [`Augment`]s; [`preset`](Self::preset) has the usual lists by name.
///
/// ```
/// use translearn_core::{Image, seed};
/// use translearn_deep::{Augmentation, Transform};
///
/// let (transform, image) = (Transform::imagenet(), Image::new(300, 400, 3, vec![200; 300 * 400 * 3])?);
/// let augmentation = Augmentation::preset("imagenet", 224)?;
/// let mut pixels = transform.pixels(&image)?;
/// if !augmentation.takes_any_size() {
///     pixels = transform.resize_crop(&pixels)?;
/// }
/// let input = transform.normalise(&augmentation.apply(&pixels, &mut seed::rng(7))?)?;
/// assert_eq!(input.size(), [3, 224, 224]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Augmentation(Vec<Augment>);

impl Augmentation {
    /// The names that [`preset`](Self::preset) knows.
    pub const PRESETS: [&'static str; 5] = ["none", "flip", "imagenet", "cifar", "digits"];

    /// These changes in this order.
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`].
    pub fn new(steps: Vec<Augment>) -> Result<Self, DeepError> {
        let augmentation = Self(steps);
        augmentation.check()?;
        Ok(augmentation)
    }

    /// A usual list by name, for a network that takes `size x size` pixels:
    ///
    /// | name | changes |
    /// |---|---|
    /// | `none` | none |
    /// | `flip` | horizontal flip |
    /// | `imagenet` | random resized crop to `size`, horizontal flip; takes images of any size |
    /// | `cifar` | random crop after padding by 4, horizontal flip |
    /// | `digits` | rotation up to 10°, random crop after padding by 2 |
    ///
    /// # Errors
    /// [`DeepError::Unknown`] for another name, [`DeepError::InvalidParameter`] for a size outside of 1 to 8192.
    pub fn preset(name: &str, size: i64) -> Result<Self, DeepError> {
        let crop = |padding| Augment::RandomCrop { size, padding };
        let flip = Augment::horizontal_flip();
        Self::new(match name {
            "none" => vec![],
            "flip" => vec![flip],
            "imagenet" => vec![Augment::random_resized_crop(size), flip],
            "cifar" => vec![crop(4), flip],
            "digits" => vec![Augment::Rotation { degrees: 10.0 }, crop(2)],
            _ => return Err(DeepError::unknown("augmentation", name, Self::PRESETS)),
        })
    }

    /// The changes in their order.
    pub fn steps(&self) -> &[Augment] {
        &self.0
    }

    /// Whether it brings images of any size to its own, so that they should come as they are and not resized and
    /// cropped.
    pub fn takes_any_size(&self) -> bool {
        matches!(self.0.first(), Some(Augment::RandomResizedCrop { .. }))
    }

    /// Whether every parameter is in its range, which a specification that was only read does not say.
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`].
    pub fn check(&self) -> Result<(), DeepError> {
        self.0.iter().try_for_each(Augment::check)
    }

    /// The changed image. The same state of the generator gives the same bits, and further changes at the end of the
    /// list leave the earlier ones as they were.
    ///
    /// `pixels` are floats `[channels, height, width]` in `[0, 1]`; they stay as they are, but may share their memory
    /// with the result.
    ///
    /// # Errors
    /// [`DeepError::InputShape`] for another shape, or colours changed in an image of neither 1 nor 3 channels;
    /// [`DeepError::InputKind`]; [`DeepError::InvalidParameter`], also for a crop larger than the image with its
    /// padding.
    pub fn apply(&self, pixels: &Tensor, rng: &mut Rng) -> Result<Tensor, DeepError> {
        self.check()?;
        let shape = pixels.size();
        if shape.len() != 3 || shape.contains(&0) {
            return Err(DeepError::InputShape {
                network: "an augmentation".to_owned(),
                expected: "pixels [channels, h, w]".to_owned(),
                found: shape,
            });
        }
        if pixels.kind() != Kind::Float {
            return Err(DeepError::InputKind {
                network: "an augmentation".to_owned(),
                expected: Kind::Float,
                found: pixels.kind(),
            });
        }
        let mut x = pixels.shallow_clone();
        for step in &self.0 {
            let size = [x.size()[1], x.size()[2]];
            x = step.draw(size, rng)?.apply(&x)?;
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests;
