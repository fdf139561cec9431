//! Images as those who decode them hand them to those who compute with them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::TransferError;

/// An image of 8-bit pixels: row by row from the top, the channels of a pixel side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct Image {
    height: usize,
    width: usize,
    channels: usize,
    pixels: Vec<u8>,
}

/// An image as it stands in a file, before its bytes are counted.
#[derive(Deserialize)]
#[serde(rename = "Image")]
struct Parts {
    height: usize,
    width: usize,
    channels: usize,
    pixels: Vec<u8>,
}

impl TryFrom<Parts> for Image {
    type Error = TransferError;

    fn try_from(parts: Parts) -> Result<Self, TransferError> {
        Self::new(parts.height, parts.width, parts.channels, parts.pixels)
    }
}

impl Image {
    /// An image from `height * width * channels` bytes.
    ///
    /// # Errors
    /// [`TransferError::Empty`] for an image without pixels, [`TransferError::LengthMismatch`] when the bytes are not as
    /// many as the shape says.
    ///
    /// ```
    /// use translearn_core::Image;
    ///
    /// assert_eq!(Image::new(1, 2, 3, vec![0; 6])?.shape(), (1, 2, 3));
    /// assert!(Image::new(1, 2, 3, vec![0; 5]).is_err());
    /// # Ok::<(), translearn_core::TransferError>(())
    /// ```
    pub fn new(
        height: usize,
        width: usize,
        channels: usize,
        pixels: Vec<u8>,
    ) -> Result<Self, TransferError> {
        let needed = height
            .checked_mul(width)
            .and_then(|area| area.checked_mul(channels))
            .unwrap_or(usize::MAX);
        if needed == 0 {
            return Err(TransferError::Empty {
                what: "an image".to_owned(),
                needed: 1,
            });
        }
        if needed != pixels.len() {
            return Err(TransferError::LengthMismatch {
                left: format!("an image of {height}x{width} pixels of {channels} channels"),
                left_len: needed,
                right: "its bytes".to_owned(),
                right_len: pixels.len(),
            });
        }
        Ok(Self {
            height,
            width,
            channels,
            pixels,
        })
    }

    /// Height, width and channels.
    pub fn shape(&self) -> (usize, usize, usize) {
        (self.height, self.width, self.channels)
    }

    /// The bytes.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}

/// Images as the rows of a sample: [`Features::Images`](crate::Features::Images).
///
/// The images may differ in size. Copies and selections share them, so a row costs a pointer and not its pixels.
///
/// ```
/// use translearn_core::{Features, Image, ImageRows};
///
/// let dark = Image::new(1, 2, 1, vec![0, 10])?;
/// let bright = Image::new(2, 2, 1, vec![250; 4])?;
/// let rows: ImageRows = [dark, bright.clone()].into_iter().collect();
/// assert_eq!(rows.select_rows(&[1, 1]).get(0), Some(&bright));
/// assert_eq!(Features::from(rows).n_columns(), 1);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Image>", into = "Vec<Image>")]
pub struct ImageRows(Arc<[Arc<Image>]>);

impl ImageRows {
    /// Number of images.
    pub fn n_rows(&self) -> usize {
        self.0.len()
    }

    /// One image; `None` beyond the last.
    pub fn get(&self, row: usize) -> Option<&Image> {
        self.0.get(row).map(AsRef::as_ref)
    }

    /// The images in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Image> + Clone {
        self.0.iter().map(AsRef::as_ref)
    }

    /// The images at `indices`, in that order; an index may stand more than once.
    ///
    /// # Panics
    /// When an index is not below [`ImageRows::n_rows`], like all indexing.
    #[must_use]
    pub fn select_rows(&self, indices: &[usize]) -> Self {
        let images = indices.iter().map(|&row| Arc::clone(&self.0[row]));
        Self(images.collect())
    }

    /// `self` on top of `below`.
    #[must_use]
    pub fn stack(&self, below: &Self) -> Self {
        Self(self.0.iter().chain(below.0.iter()).cloned().collect())
    }
}

impl FromIterator<Image> for ImageRows {
    fn from_iter<I: IntoIterator<Item = Image>>(images: I) -> Self {
        images.into_iter().map(Arc::new).collect()
    }
}

/// Images that are shared with whoever else holds them.
impl FromIterator<Arc<Image>> for ImageRows {
    fn from_iter<I: IntoIterator<Item = Arc<Image>>>(images: I) -> Self {
        Self(images.into_iter().collect())
    }
}

impl From<Vec<Image>> for ImageRows {
    fn from(images: Vec<Image>) -> Self {
        images.into_iter().collect()
    }
}

impl From<ImageRows> for Vec<Image> {
    fn from(rows: ImageRows) -> Self {
        rows.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(value: u8) -> Image {
        Image::new(1, 1, 1, vec![value]).unwrap()
    }

    #[test]
    fn selections_share_their_images() {
        let rows: ImageRows = (0..3).map(image).collect();
        let chosen = rows.select_rows(&[2, 0, 2]);
        let values: Vec<u8> = chosen.iter().map(|image| image.pixels()[0]).collect();
        assert_eq!(values, [2, 0, 2]);
        assert!(Arc::ptr_eq(&chosen.0[0], &rows.0[2]));
        let stacked = rows.stack(&chosen);
        assert_eq!((stacked.n_rows(), stacked.get(6)), (6, None));
        assert!(Arc::ptr_eq(&stacked.0[5], &rows.0[2]));
    }

    #[test]
    fn what_was_saved_is_read_and_its_bytes_are_counted() {
        let rows: ImageRows = (0..3).map(image).collect();
        let text = serde_json::to_string(&rows).unwrap();
        assert_eq!(serde_json::from_str::<ImageRows>(&text).unwrap(), rows);
        let short = r#"{"height":1,"width":2,"channels":1,"pixels":[0]}"#;
        let error = serde_json::from_str::<Image>(short)
            .unwrap_err()
            .to_string();
        assert!(error.contains("1x2 pixels"), "{error}");
    }
}
