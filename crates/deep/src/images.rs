//! From images to the tensors a network takes.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};
use translearn_core::Image;

use crate::DeepError;

/// How an image becomes the input of a network: scaled, cut out in the middle, its channels shifted and scaled.
///
/// In this order, as torchvision's `Resize`, `CenterCrop`, `ToTensor` and `Normalize` on tensors:
///
/// 1. `resize`: bilinear with antialiasing, so that the shorter side has this many pixels.
/// 2. `crop`: a square of this side from the middle; an image that is smaller is filled up with zeros.
/// 3. Pixels / 255, minus `mean`, over `std`, for each channel.
///
/// A grey image given to a network of three channels is repeated; a coloured one given to a network of one channel becomes
/// its brightness, 0.299 R + 0.587 G + 0.114 B.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    /// Pixels of the shorter side; `None`: as it is.
    pub resize: Option<i64>,
    /// Side of the square cut out of the middle; `None`: the whole.
    pub crop: Option<i64>,
    /// Mean of each channel; as many as the network has channels.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel.
    pub std: Vec<f64>,
}

impl Transform {
    /// ImageNet's usual: shorter side 256, 224 from the middle, the channels' means and deviations over ImageNet.
    pub fn imagenet() -> Self {
        Self {
            resize: Some(256),
            crop: Some(224),
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
        }
    }

    /// The same for another size: what is cut out has `side` pixels, from an image that is larger in the same proportion as
    /// before.
    #[must_use]
    pub fn of_size(&self, side: i64) -> Self {
        let scaled = |resize: i64| match self.crop {
            Some(crop) if crop > 0 => resize * side / crop,
            _ => side,
        };
        Self {
            resize: self.resize.map(scaled),
            crop: Some(side),
            ..self.clone()
        }
    }

    /// The `[channels, height, width]` tensor of an image, on the CPU: [`pixels`](Self::pixels),
    /// [`resize_crop`](Self::resize_crop) and [`normalise`](Self::normalise) one after the other.
    ///
    /// It computes in bytes and divides once, at the end, so it agrees with the three steps to rounding only (1e-6).
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`] for sizes below 1, a `std` of 0 or lists of different lengths;
    /// [`DeepError::Channels`] for an image of neither 1 nor 3 channels.
    pub fn apply(&self, image: &Image) -> Result<Tensor, DeepError> {
        self.check()?;
        let x = self.cut(&self.scaled(&self.bytes(image)?)?)?;
        self.standardised(&x, 255.0)
    }

    /// The pixels of an image in `[0, 1]`, `[channels, height, width]` on the CPU: with the channels of the network, of
    /// the image's own size. What [augmentations](crate::Augmentation) take.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn pixels(&self, image: &Image) -> Result<Tensor, DeepError> {
        self.check()?;
        Ok(self.bytes(image)?.f_div_scalar(255.0)?)
    }

    /// Steps 1 and 2 for a tensor of pixels `[channels, height, width]`.
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`] as [`apply`](Self::apply), [`DeepError::InputShape`].
    pub fn resize_crop(&self, pixels: &Tensor) -> Result<Tensor, DeepError> {
        self.check()?;
        self.check_shape(pixels, "resizing", &[3])?;
        self.cut(&self.scaled(pixels)?)
    }

    /// Pixels in `[0, 1]`, `[channels, height, width]` or a batch of such, minus the mean and over the deviation of
    /// each channel.
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`] as [`apply`](Self::apply), [`DeepError::InputShape`].
    pub fn normalise(&self, pixels: &Tensor) -> Result<Tensor, DeepError> {
        self.check()?;
        self.check_shape(pixels, "normalisation", &[3, 4])?;
        self.standardised(pixels, 1.0)
    }

    fn check_shape(&self, x: &Tensor, who: &str, axes: &[usize]) -> Result<(), DeepError> {
        let (shape, channels) = (x.size(), self.mean.len());
        let fits = axes.contains(&shape.len())
            && shape.iter().all(|&n| n > 0)
            && shape[shape.len() - 3] == channels as i64;
        if fits {
            return Ok(());
        }
        Err(DeepError::InputShape {
            network: who.to_owned(),
            expected: format!("pixels [{channels}, h, w]"),
            found: shape,
        })
    }

    /// Floats from 0 to 255, `[channels, height, width]`.
    fn bytes(&self, image: &Image) -> Result<Tensor, DeepError> {
        let (height, width, channels) = image.shape();
        let size = [height, width, channels].map(|n| n as i64);
        let x = Tensor::f_from_slice(image.pixels())?
            .f_view(size)?
            .f_permute([2, 0, 1])?
            .f_to_kind(Kind::Float)?;
        self.with_channels(&x, channels)
    }

    /// Step 3 for pixels of which `white` is the largest.
    fn standardised(&self, x: &Tensor, white: f64) -> Result<Tensor, DeepError> {
        let column = |values: &[f64]| -> Result<Tensor, DeepError> {
            let values: Vec<f32> = values.iter().map(|&v| (white * v) as f32).collect();
            Ok(Tensor::f_from_slice(&values)?
                .f_view([-1, 1, 1])?
                .f_to_device(x.device())?)
        };
        Ok(x.f_sub(&column(&self.mean)?)?.f_div(&column(&self.std)?)?)
    }

    fn check(&self) -> Result<(), DeepError> {
        let refuse = |name, value: String, range: &str| {
            Err(DeepError::InvalidParameter {
                name,
                value,
                range: range.to_owned(),
            })
        };
        for (name, side) in [("resize", self.resize), ("crop", self.crop)] {
            if let Some(side) = side.filter(|side| !(1..=8192).contains(side)) {
                return refuse(name, side.to_string(), "from 1 to 8192 pixels");
            }
        }
        if self.mean.is_empty() || self.mean.len() != self.std.len() {
            let value = format!("{:?} beside a mean of {:?}", self.std, self.mean);
            return refuse("std", value, "as many numbers as the mean, one per channel");
        }
        let sound = |&value: &f64| value.is_finite() && value > 0.0;
        if !self.std.iter().all(sound) || !self.mean.iter().all(|m| m.is_finite()) {
            return refuse("std", format!("{:?}", self.std), "above 0");
        }
        Ok(())
    }

    fn with_channels(&self, x: &Tensor, found: usize) -> Result<Tensor, DeepError> {
        match (found, self.mean.len()) {
            (a, b) if a == b => Ok(x.shallow_clone()),
            (1, n) => Ok(x.f_expand([n as i64, -1, -1], false)?),
            (3, 1) => {
                let share = Tensor::f_from_slice(&[0.299f32, 0.587, 0.114])?.f_view([3, 1, 1])?;
                let grey = x.f_mul(&share)?;
                Ok(grey.f_sum_dim_intlist([0i64].as_slice(), true, Kind::Float)?)
            }
            (found, expected) => Err(DeepError::Channels { expected, found }),
        }
    }

    fn scaled(&self, x: &Tensor) -> Result<Tensor, DeepError> {
        let Some(short) = self.resize else {
            return Ok(x.shallow_clone());
        };
        let (h, w) = (x.size()[1], x.size()[2]);
        // torchvision cuts the longer side off to whole pixels.
        let side = |n: i64| (n * short) / h.min(w);
        resized(x, [side(h).max(1), side(w).max(1)])
    }

    fn cut(&self, x: &Tensor) -> Result<Tensor, DeepError> {
        let Some(side) = self.crop else {
            return Ok(x.shallow_clone());
        };
        let (h, w) = (x.size()[1], x.size()[2]);
        // Halves are rounded as torchvision does, to even.
        let from = |n: i64| ((n - side) as f64 / 2.0).round_ties_even() as i64;
        let missing = |n: i64| (side - n).max(0);
        let [left, top] = [w, h].map(|n| missing(n) / 2);
        let padding = [left, missing(w) - left, top, missing(h) - top];
        let x = if padding.iter().any(|&n| n > 0) {
            x.f_constant_pad_nd(padding)?
        } else {
            x.shallow_clone()
        };
        let (h, w) = (x.size()[1], x.size()[2]);
        Ok(x.f_narrow(1, from(h), side)?
            .f_narrow(2, from(w), side)?
            .f_contiguous()?)
    }
}

/// An image `[channels, height, width]` brought to this height and width, bilinear with antialiasing.
pub(crate) fn resized(x: &Tensor, to: [i64; 2]) -> Result<Tensor, DeepError> {
    if x.size()[1..] == to {
        return Ok(x.shallow_clone());
    }
    let x = x.f_unsqueeze(0)?.f_contiguous()?;
    let scaled = x.f_internal_upsample_bilinear2d_aa(to, false, None::<f64>, None::<f64>)?;
    Ok(scaled.f_squeeze_dim(0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(channels: usize) -> Transform {
        Transform {
            resize: None,
            crop: None,
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
        }
    }

    fn ramp(height: usize, width: usize, channels: usize) -> Image {
        let pixels = (0..height * width * channels)
            .map(|i| (i * 7 % 256) as u8)
            .collect();
        Image::new(height, width, channels, pixels).unwrap()
    }

    fn at(x: &Tensor, index: [i64; 3]) -> f64 {
        x.double_value(&index)
    }

    #[test]
    fn pixels_become_channels_first_and_are_standardised() {
        let image = ramp(2, 3, 3);
        let transform = Transform {
            mean: vec![0.1, 0.2, 0.3],
            std: vec![0.5, 0.25, 2.0],
            ..plain(3)
        };
        let x = transform.apply(&image).unwrap();
        assert_eq!(x.size(), [3, 2, 3]);
        for (c, (mean, std)) in [(0.1, 0.5), (0.2, 0.25), (0.3, 2.0)]
            .into_iter()
            .enumerate()
        {
            let pixel = f64::from(image.pixels()[(3 + 2) * 3 + c]) / 255.0;
            let found = at(&x, [c as i64, 1, 2]);
            assert!((found - (pixel - mean) / std).abs() < 1e-6);
        }
    }

    #[test]
    fn the_middle_is_cut_out_and_small_images_are_filled_up() {
        let image = ramp(5, 7, 1);
        let cut = |side| {
            Transform {
                crop: Some(side),
                ..plain(1)
            }
            .apply(&image)
            .unwrap()
        };
        let whole = plain(1).apply(&image).unwrap();
        assert_eq!(cut(3), whole.narrow(1, 1, 3).narrow(2, 2, 3));
        let large = cut(9);
        assert_eq!(large.size(), [1, 9, 9]);
        assert_eq!(large.narrow(1, 2, 5).narrow(2, 1, 7), whole);
        assert_eq!(at(&large, [0, 0, 0]), 0.0);
    }

    #[test]
    fn scaling_down_averages_and_keeps_the_ratio() {
        // Antialiasing: at a third of the size every pixel of a striped image is near the mean.
        let pixels = (0..60 * 90)
            .map(|i| if i % 2 == 0 { 0 } else { 255 })
            .collect();
        let image = Image::new(60, 90, 1, pixels).unwrap();
        let transform = Transform {
            resize: Some(20),
            ..plain(1)
        };
        let x = transform.apply(&image).unwrap();
        assert_eq!(x.size(), [1, 20, 30]);
        let middle = x.narrow(1, 5, 10).narrow(2, 5, 20);
        assert!((middle - 0.5).abs().max().double_value(&[]) < 0.1);
    }

    #[test]
    fn channels_are_repeated_or_mixed_and_others_refused() {
        let grey = plain(3).apply(&ramp(2, 2, 1)).unwrap();
        assert_eq!(grey.select(0, 0), grey.select(0, 2));
        let colour = Image::new(1, 1, 3, vec![100, 200, 50]).unwrap();
        let luma = plain(1).apply(&colour).unwrap();
        let expected = (29.9 + 117.4 + 5.7) / 255.0;
        assert!((at(&luma, [0, 0, 0]) - expected).abs() < 1e-6);
        let error = plain(3).apply(&ramp(2, 2, 4)).unwrap_err().to_string();
        assert!(
            error.contains("3 channels") && error.contains('4'),
            "{error}"
        );
        for wrong in [
            Transform {
                crop: Some(0),
                ..plain(3)
            },
            Transform {
                std: vec![1.0],
                ..plain(3)
            },
            Transform {
                std: vec![0.0; 3],
                ..plain(3)
            },
        ] {
            let error = wrong.apply(&colour).unwrap_err();
            assert!(
                matches!(error, DeepError::InvalidParameter { .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn the_steps_one_by_one_give_the_whole() {
        let transform = Transform {
            resize: Some(9),
            crop: Some(8),
            mean: vec![0.4, 0.5, 0.6],
            std: vec![0.2, 0.3, 0.25],
        };
        for image in [ramp(13, 21, 3), ramp(21, 13, 1)] {
            let (height, width, _) = image.shape();
            let pixels = transform.pixels(&image).unwrap();
            assert_eq!(pixels.size(), [3, height as i64, width as i64]);
            assert!(
                (at(&pixels, [0, 0, 1]) - f64::from(image.pixels()[image.shape().2]) / 255.0).abs()
                    < 1e-7
            );
            let cut = transform.resize_crop(&pixels).unwrap();
            let steps = transform.normalise(&cut).unwrap();
            let whole = transform.apply(&image).unwrap();
            assert_eq!(whole.size(), [3, 8, 8]);
            let apart = (&steps - &whole).abs().max().double_value(&[]);
            assert!(apart < 1e-5, "{apart}");
            let batch = Tensor::stack(&[&cut, &cut], 0);
            assert_eq!(transform.normalise(&batch).unwrap().select(0, 1), steps);
        }
        let other = Tensor::zeros([1, 4, 4], (Kind::Float, tch::Device::Cpu));
        for error in [transform.resize_crop(&other), transform.normalise(&other)] {
            let error = error.unwrap_err().to_string();
            assert!(
                error.contains("[3, h, w]") && error.contains("[1, 4, 4]"),
                "{error}"
            );
        }
    }
}
