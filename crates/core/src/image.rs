//! Images as those who decode them hand them to those who compute with them.

use crate::TransferError;

/// An image of 8-bit pixels: row by row from the top, the channels of a pixel side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    height: usize,
    width: usize,
    channels: usize,
    pixels: Vec<u8>,
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
