//! What may be done to an image, and the drawing of what is done: parameters and random numbers in, an [`Edit`] out. No
//! pixel is touched here.

use serde::{Deserialize, Serialize};
use translearn_core::seed::Rng;

use super::edit::{Adjustment, Edit, Window};
use crate::DeepError;

/// Attempts at a rectangle of the drawn area and ratio that fits into the image; torchvision's number.
const ATTEMPTS: usize = 10;

/// A random change of an image, under torchvision's name and with its defaults.
///
/// In a specification the name stands in `use`: `{ use = "random-crop", size = 32, padding = 4 }`. A parameter without
/// a default below has to be given.
///
/// Source: torchvision 0.26, `transforms.v2`, on tensors. Where we differ: hue is not jittered; the value of erased
/// pixels is 0 *before* normalisation, which is black and not the mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "use", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Augment {
    /// Cuts out a rectangle of random area and aspect ratio and scales it to `size x size`, bilinear with antialiasing
    /// (Szegedy and others 2015, doi:10.1109/CVPR.2015.7298594).
    ///
    /// The share `s` of the area is uniform in `scale`, the logarithm of width over height uniform in that of `ratio`.
    /// A rectangle that does not fit is drawn again; after 10 attempts the largest one in the middle that keeps to
    /// `ratio` is taken.
    RandomResizedCrop {
        /// Height and width afterwards, from 1 to 8192.
        size: i64,
        /// Least and largest share of the area, in `[0, 1]`; `(0.08, 1)` by default.
        #[serde(default = "crop_scale")]
        scale: (f64, f64),
        /// Least and largest width over height, above 0; `(3/4, 4/3)` by default.
        #[serde(default = "crop_ratio")]
        ratio: (f64, f64),
    },
    /// Adds `padding` zeros at each side and cuts out `size x size`, each place equally likely.
    RandomCrop {
        /// Height and width afterwards, from 1 to 8192.
        size: i64,
        /// Zeros at each side, from 0 to 8192; 0 by default.
        #[serde(default)]
        padding: i64,
    },
    /// Exchanges left and right.
    HorizontalFlip {
        /// How often, in `[0, 1]`; 0.5 by default.
        #[serde(default = "half")]
        p: f64,
    },
    /// Changes brightness, contrast and saturation, in random order, each by a factor uniform in
    /// `[max(0, 1 - x), 1 + x]`, where `x` is the number here; 0, the default, leaves it as it is.
    ///
    /// With factor `f`, and the result cut to `[0, 1]`: brightness `f x`; contrast `f x + (1 - f) m` with the mean
    /// brightness `m` of the image; saturation `f x + (1 - f) y` with the brightness `y` of the pixel,
    /// 0.2989 R + 0.587 G + 0.114 B.
    ColorJitter {
        /// Of the brightness, at least 0.
        #[serde(default)]
        brightness: f64,
        /// Of the contrast, at least 0.
        #[serde(default)]
        contrast: f64,
        /// Of the saturation, at least 0; a grey image has none.
        #[serde(default)]
        saturation: f64,
    },
    /// Turns around the middle by an angle uniform in `[-degrees, degrees]`; the nearest pixel is taken, and zeros
    /// where there is none.
    Rotation {
        /// Largest angle, in `[0, 180]`.
        degrees: f64,
    },
    /// Sets a rectangle of random area and aspect ratio to zero (Zhong and others 2020, doi:10.1609/aaai.v34i07.7000).
    ///
    /// Share and ratio are drawn as for the crop, but it is height over width here, and the rectangle has to be smaller
    /// than the image; after 10 attempts the image stays as it is.
    RandomErasing {
        /// How often, in `[0, 1]`; 0.5 by default.
        #[serde(default = "half")]
        p: f64,
        /// Least and largest share of the area, in `[0, 1]`; `(0.02, 0.33)` by default.
        #[serde(default = "erase_scale")]
        scale: (f64, f64),
        /// Least and largest height over width, above 0; `(0.3, 3.3)` by default.
        #[serde(default = "erase_ratio")]
        ratio: (f64, f64),
    },
    /// Takes the colour away; the channels stay as many.
    GrayScale {
        /// How often, in `[0, 1]`; 0.1 by default.
        #[serde(default = "tenth")]
        p: f64,
    },
}

fn half() -> f64 {
    0.5
}

fn tenth() -> f64 {
    0.1
}

fn crop_scale() -> (f64, f64) {
    (0.08, 1.0)
}

fn crop_ratio() -> (f64, f64) {
    (3.0 / 4.0, 4.0 / 3.0)
}

fn erase_scale() -> (f64, f64) {
    (0.02, 0.33)
}

fn erase_ratio() -> (f64, f64) {
    (0.3, 3.3)
}

impl Augment {
    /// A random crop scaled to this size, the rest as by default.
    pub fn random_resized_crop(size: i64) -> Self {
        Self::RandomResizedCrop {
            size,
            scale: crop_scale(),
            ratio: crop_ratio(),
        }
    }

    /// Left and right exchanged in one of two images.
    pub fn horizontal_flip() -> Self {
        Self::HorizontalFlip { p: half() }
    }

    /// A rectangle erased in one of two images, the rest as by default.
    pub fn random_erasing() -> Self {
        Self::RandomErasing {
            p: half(),
            scale: erase_scale(),
            ratio: erase_ratio(),
        }
    }

    /// One image in ten without colour.
    pub fn gray_scale() -> Self {
        Self::GrayScale { p: tenth() }
    }

    pub(super) fn check(&self) -> Result<(), DeepError> {
        match *self {
            Self::RandomResizedCrop { size, scale, ratio } => {
                pixels("size", size, 1)?;
                range("scale", scale, "in [0, 1]", |x| (0.0..=1.0).contains(&x))?;
                range("ratio", ratio, "above 0", |x| x > 0.0)
            }
            Self::RandomCrop { size, padding } => {
                pixels("size", size, 1)?;
                pixels("padding", padding, 0)
            }
            Self::HorizontalFlip { p } | Self::GrayScale { p } => probability(p),
            Self::ColorJitter {
                brightness,
                contrast,
                saturation,
            } => {
                let all = [
                    ("brightness", brightness),
                    ("contrast", contrast),
                    ("saturation", saturation),
                ];
                all.into_iter()
                    .try_for_each(|(name, x)| number(name, x, "in [0, ∞)", |x| x >= 0.0))
            }
            Self::Rotation { degrees } => number("degrees", degrees, "in [0, 180]", |x| {
                (0.0..=180.0).contains(&x)
            }),
            Self::RandomErasing { p, scale, ratio } => {
                probability(p)?;
                range("scale", scale, "in [0, 1]", |x| (0.0..=1.0).contains(&x))?;
                range("ratio", ratio, "above 0", |x| x > 0.0)
            }
        }
    }

    /// What is done to an image of this height and width. Parameters have passed [`check`](Self::check).
    pub(super) fn draw(&self, size: [i64; 2], rng: &mut Rng) -> Result<Edit, DeepError> {
        Ok(match *self {
            Self::RandomResizedCrop {
                size: to,
                scale,
                ratio,
            } => Edit::ResizedCrop {
                window: resized_crop(size, scale, ratio, rng),
                size: to,
            },
            Self::RandomCrop { size: to, padding } => {
                let [free_height, free_width] = size.map(|n| n + 2 * padding - to);
                if free_height < 0 || free_width < 0 {
                    return Err(DeepError::InvalidParameter {
                        name: "size",
                        value: to.to_string(),
                        range: format!(
                            "at most the image with its padding, {}x{} pixels",
                            size[0] + 2 * padding,
                            size[1] + 2 * padding
                        ),
                    });
                }
                Edit::PaddedCrop {
                    padding,
                    window: Window {
                        top: offset(free_height, rng),
                        left: offset(free_width, rng),
                        height: to,
                        width: to,
                    },
                }
            }
            Self::HorizontalFlip { p } if rng.uniform() < p => Edit::Flip,
            Self::GrayScale { p } if rng.uniform() < p => Edit::Gray,
            Self::ColorJitter {
                brightness,
                contrast,
                saturation,
            } => {
                let mut all = [
                    (Adjustment::Brightness, brightness),
                    (Adjustment::Contrast, contrast),
                    (Adjustment::Saturation, saturation),
                ];
                rng.shuffle(&mut all);
                let changed = all.into_iter().filter(|&(_, x)| x > 0.0);
                Edit::Adjust(
                    changed
                        .map(|(what, x)| (what, between(((1.0 - x).max(0.0), 1.0 + x), rng)))
                        .collect(),
                )
            }
            Self::Rotation { degrees } => Edit::Rotate {
                degrees: between((-degrees, degrees), rng),
            },
            Self::RandomErasing { p, scale, ratio } if rng.uniform() < p => {
                erased(size, scale, ratio, rng).map_or(Edit::Keep, Edit::Erase)
            }
            Self::HorizontalFlip { .. } | Self::GrayScale { .. } | Self::RandomErasing { .. } => {
                Edit::Keep
            }
        })
    }
}

/// A window within the image, or the largest one in the middle that keeps to the ratio, width over height.
fn resized_crop(
    [height, width]: [i64; 2],
    scale: (f64, f64),
    ratio: (f64, f64),
    rng: &mut Rng,
) -> Window {
    for _ in 0..ATTEMPTS {
        let (w, h) = sides([height, width], scale, ratio, rng);
        if (1..=width).contains(&w) && (1..=height).contains(&h) {
            return Window {
                top: offset(height - h, rng),
                left: offset(width - w, rng),
                height: h,
                width: w,
            };
        }
    }
    let found = width as f64 / height as f64;
    let round = |x: f64| (x.round_ties_even() as i64).max(1);
    let (h, w) = if found < ratio.0 {
        (round(width as f64 / ratio.0), width)
    } else if found > ratio.1 {
        (height, round(height as f64 * ratio.1))
    } else {
        (height, width)
    };
    Window {
        top: (height - h) / 2,
        left: (width - w) / 2,
        height: h,
        width: w,
    }
}

/// A window smaller than the image, with ratio height over width, or none that fits.
fn erased(
    [height, width]: [i64; 2],
    scale: (f64, f64),
    ratio: (f64, f64),
    rng: &mut Rng,
) -> Option<Window> {
    for _ in 0..ATTEMPTS {
        let (h, w) = sides([height, width], scale, ratio, rng);
        if h < height && w < width {
            return Some(Window {
                top: offset(height - h, rng),
                left: offset(width - w, rng),
                height: h,
                width: w,
            });
        }
    }
    None
}

/// Two sides whose product is a share of the area, uniform in `scale`, and the logarithm of whose ratio is uniform.
fn sides(
    [height, width]: [i64; 2],
    scale: (f64, f64),
    ratio: (f64, f64),
    rng: &mut Rng,
) -> (i64, i64) {
    let area = (height * width) as f64 * between(scale, rng);
    let ratio = between((ratio.0.ln(), ratio.1.ln()), rng).exp();
    let whole = |x: f64| x.sqrt().round_ties_even() as i64;
    (whole(area * ratio), whole(area / ratio))
}

fn between((low, high): (f64, f64), rng: &mut Rng) -> f64 {
    low + (high - low) * rng.uniform()
}

/// One of `0..=free`.
fn offset(free: i64, rng: &mut Rng) -> i64 {
    rng.below(free as usize + 1) as i64
}

fn number(
    name: &'static str,
    value: f64,
    range: &str,
    sound: impl Fn(f64) -> bool,
) -> Result<(), DeepError> {
    if value.is_finite() && sound(value) {
        return Ok(());
    }
    refuse(name, value.to_string(), range)
}

fn probability(p: f64) -> Result<(), DeepError> {
    number("p", p, "in [0, 1]", |x| (0.0..=1.0).contains(&x))
}

fn range(
    name: &'static str,
    (low, high): (f64, f64),
    range: &str,
    sound: impl Fn(f64) -> bool,
) -> Result<(), DeepError> {
    if low.is_finite() && high.is_finite() && low <= high && sound(low) && sound(high) {
        return Ok(());
    }
    let range = format!("two numbers {range}, the smaller one first");
    refuse(name, format!("({low}, {high})"), &range)
}

fn pixels(name: &'static str, value: i64, least: i64) -> Result<(), DeepError> {
    if (least..=8192).contains(&value) {
        return Ok(());
    }
    refuse(
        name,
        value.to_string(),
        &format!("from {least} to 8192 pixels"),
    )
}

fn refuse(name: &'static str, value: String, range: &str) -> Result<(), DeepError> {
    Err(DeepError::InvalidParameter {
        name,
        value,
        range: range.to_owned(),
    })
}

#[cfg(test)]
mod tests;
