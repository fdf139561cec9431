//! Images in class folders or archives: one at a time, or all as a matrix.
//!
//! PNG and JPEG are read. Pixels are 8-bit grey or RGB; deeper images are reduced to 8 bits and transparency is dropped.
//! Grey from colour is the luma of Rec. 709 (0.2126 R + 0.7152 G + 0.0722 B), where Pillow uses Rec. 601.

use std::io::Cursor;
use std::path::Path;

use ::image::imageops::FilterType;
use ::image::{DynamicImage, ImageFormat, ImageReader};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use translearn_core::DENSE_LIMIT_BYTES;

use crate::folder::{Folder, FolderParams};
use crate::{DataError, RawFeatures, RawLabels, RawSample};

/// Endings of the files taken where none are named.
pub const EXTENSIONS: &[&str] = &["png", "jpg", "jpeg"];

/// Images are not scaled up beyond this many pixels a side.
const SIDE_LIMIT: u32 = 8192;

/// How images are decoded.
///
/// | field | meaning | default |
/// |---|---|---|
/// | `color` | `"grey"` (1 channel) or `"rgb"` (3) | `"rgb"` |
/// | `size` | width and height every image is brought to, each side by itself, with a triangle filter | as they are |
/// | `shorter_side` | an image whose shorter side is longer is shrunk to this, its shape kept, with the same filter; not beside `size` | as they are |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageParams {
    /// Grey or RGB.
    pub color: Color,
    /// Width and height every image is brought to.
    pub size: Option<(u32, u32)>,
    /// What the shorter side is shrunk to where it is longer.
    pub shorter_side: Option<u32>,
}

/// The channels of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Color {
    /// One channel of brightness.
    Grey,
    /// Red, green and blue.
    #[default]
    Rgb,
}

impl Color {
    /// Number of channels.
    pub fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

/// A decoded image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageItem {
    /// Name of the file, class folders included.
    pub name: String,
    /// Its class folder, where it lies in one.
    pub label: Option<String>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// 1 for grey, 3 for RGB.
    pub channels: usize,
    /// `height * width * channels` bytes: row by row from the top, channels of a pixel side by side.
    pub pixels: Vec<u8>,
}

impl TryFrom<ImageItem> for translearn_core::Image {
    type Error = translearn_core::TransferError;

    fn try_from(item: ImageItem) -> Result<Self, Self::Error> {
        let (height, width) = (item.height as usize, item.width as usize);
        Self::new(height, width, item.channels, item.pixels)
    }
}

/// Images that can be decoded one by one, in the order of their names.
///
/// Only the files as they stand (compressed) are held in memory, and only those of an archive.
///
/// ```
/// use translearn_data::folder::FolderParams;
/// use translearn_data::image::{ImageParams, Images};
///
/// # let root = tempfile::tempdir()?;
/// # std::fs::create_dir(root.path().join("ants"))?;
/// # image::RgbImage::from_pixel(4, 2, image::Rgb([255, 0, 51])).save(root.path().join("ants/1.png"))?;
/// let images = Images::open(root.path(), &FolderParams::default())?;
/// for item in images.iter(&ImageParams::default()) {
///     let item = item?;
///     assert_eq!((item.label.as_deref(), item.width, item.height), (Some("ants"), 4, 2));
///     assert_eq!(item.pixels[..3], [255, 0, 51]);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Images {
    folder: Folder,
}

impl Images {
    /// Lists the files that end in `.png`, `.jpg` or `.jpeg`, or in the endings that `params` names.
    ///
    /// # Errors
    /// Those of [`Folder::open`].
    pub fn open(path: &Path, params: &FolderParams) -> Result<Self, DataError> {
        let params = params.or_extensions(EXTENSIONS);
        Ok(Self {
            folder: Folder::open(path, &params)?,
        })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.folder.len()
    }

    /// Whether there is no image; never for a folder that was opened.
    pub fn is_empty(&self) -> bool {
        self.folder.is_empty()
    }

    /// The file of an image as it stands, which identifies it.
    ///
    /// # Errors
    /// [`DataError::Io`].
    ///
    /// # Panics
    /// When `index` is out of range, like all indexing.
    pub fn bytes(&self, index: usize) -> Result<std::borrow::Cow<'_, [u8]>, DataError> {
        self.folder.bytes(index)
    }

    /// The class folder of each image, or `None` when they lie in none.
    ///
    /// # Errors
    /// Those of [`Folder::classes`].
    pub fn labels(&self) -> Result<Option<RawLabels>, DataError> {
        self.folder.classes()
    }

    /// Decodes the image at `index`.
    ///
    /// # Errors
    /// [`DataError::Decode`] for a file that is no whole image, [`DataError::InvalidOption`] for a size or side of 0 or
    /// for both, [`DataError::Io`].
    ///
    /// # Panics
    /// When `index` is out of range, like all indexing.
    pub fn get(&self, index: usize, params: &ImageParams) -> Result<ImageItem, DataError> {
        if let Some((width, height)) = params.size {
            let sides = 1..=SIDE_LIMIT;
            if !(sides.contains(&width) && sides.contains(&height)) {
                return Err(DataError::InvalidOption {
                    name: "size".to_owned(),
                    value: format!("[{width}, {height}]"),
                    expected: format!("a width and a height from 1 to {SIDE_LIMIT}"),
                });
            }
        }
        if let Some(side) = params.shorter_side
            && (side == 0 || params.size.is_some())
        {
            return Err(DataError::InvalidOption {
                name: "shorter_side".to_owned(),
                value: side.to_string(),
                expected: "at least 1, and no `size` beside it".to_owned(),
            });
        }
        let image = decode(&self.folder.bytes(index)?, &self.folder.place(index))?;
        let mut image = match params.color {
            Color::Grey => DynamicImage::ImageLuma8(image.into_luma8()),
            Color::Rgb => DynamicImage::ImageRgb8(image.into_rgb8()),
        };
        if let Some((width, height)) = params.size
            && (width, height) != (image.width(), image.height())
        {
            image = image.resize_exact(width, height, FilterType::Triangle);
        }
        if let Some((width, height)) = params.shorter_side.and_then(|side| shrunk(&image, side)) {
            image = image.resize_exact(width, height, FilterType::Triangle);
        }
        Ok(ImageItem {
            name: self.folder.name(index).to_owned(),
            label: self.folder.class(index).map(str::to_owned),
            width: image.width(),
            height: image.height(),
            channels: params.color.channels(),
            pixels: image.into_bytes(),
        })
    }

    /// Whether the image at `index` looks whole: it begins like an image, has a size, and has an end. Its file is read and
    /// not decoded, which is far cheaper, and most files that are broken are found.
    ///
    /// # Errors
    /// [`DataError::Decode`] and [`DataError::Io`].
    ///
    /// # Panics
    /// When `index` is out of range, like all indexing.
    pub fn check(&self, index: usize) -> Result<(), DataError> {
        let (bytes, path) = (self.folder.bytes(index)?, self.folder.place(index));
        let (reader, format) = open(&bytes, &path)?;
        reader
            .into_dimensions()
            .map_err(|error| refuse(&path, format, error.to_string()))?;
        Ok(())
    }

    /// The images one by one; an image that cannot be decoded is an error in its place.
    pub fn iter(
        &self,
        params: &ImageParams,
    ) -> impl Iterator<Item = Result<ImageItem, DataError>> + '_ {
        let params = *params;
        (0..self.len()).map(move |index| self.get(index, &params))
    }

    /// All images as rows of a matrix: pixels / 255 in the order of [`ImageItem::pixels`], labels from the folders.
    ///
    /// # Errors
    /// Those of [`Images::get`] and [`Images::labels`]; [`DataError::Mismatch`] when the images differ in size and
    /// `params` names none; [`DataError::TooLarge`] above [`DENSE_LIMIT_BYTES`].
    pub fn read(&self, params: &ImageParams) -> Result<RawSample, DataError> {
        let mut x = Array2::zeros((0, 0));
        let mut first: Option<(String, u32, u32)> = None;
        for (row, item) in self.iter(params).enumerate() {
            let item = item?;
            match &first {
                None => {
                    let needs = 8 * item.pixels.len() as u64 * self.len() as u64;
                    if needs > DENSE_LIMIT_BYTES {
                        return Err(DataError::TooLarge {
                            path: self.folder.place(0),
                            what: format!("a matrix of {} such images", self.len()),
                            needs,
                            limit: DENSE_LIMIT_BYTES,
                            advice: "name a smaller `size`, or take the images one by one",
                        });
                    }
                    x = Array2::zeros((self.len(), item.pixels.len()));
                    first = Some((item.name.clone(), item.width, item.height));
                }
                Some((name, width, height)) => {
                    if (*width, *height) != (item.width, item.height) {
                        return Err(DataError::Mismatch {
                            path: self.folder.place(0),
                            left: format!("`{name}` is {width} x {height}"),
                            right: format!("`{}` is {} x {}", item.name, item.width, item.height),
                            advice: "name a `size` for all".to_owned(),
                        });
                    }
                }
            }
            for (value, &pixel) in x.row_mut(row).iter_mut().zip(&item.pixels) {
                *value = f64::from(pixel) / 255.0;
            }
        }
        Ok(RawSample {
            features: RawFeatures::Matrix(x.into()),
            labels: self.labels()?,
        })
    }
}

/// All images of a folder or archive as a matrix: [`Images::open`] and [`Images::read`].
///
/// # Errors
/// Those of [`Images::open`] and [`Images::read`].
pub fn read(
    path: &Path,
    folder: &FolderParams,
    params: &ImageParams,
) -> Result<RawSample, DataError> {
    Images::open(path, folder)?.read(params)
}

/// Width and height of an image whose shorter side is longer than `side`, shrunk to it; `None` for a smaller one.
fn shrunk(image: &DynamicImage, side: u32) -> Option<(u32, u32)> {
    let (width, height) = (image.width(), image.height());
    let shorter = width.min(height);
    let scaled = |length: u32| (f64::from(length) * f64::from(side) / f64::from(shorter)).round();
    (shorter > side).then(|| (scaled(width) as u32, scaled(height) as u32))
}

fn refuse(path: &Path, format: &'static str, reason: String) -> DataError {
    DataError::Decode {
        path: path.to_owned(),
        format,
        reason,
    }
}

fn decode(bytes: &[u8], path: &Path) -> Result<DynamicImage, DataError> {
    let (reader, format) = open(bytes, path)?;
    reader
        .decode()
        .map_err(|error| refuse(path, format, error.to_string()))
}

/// A reader and the name of its format.
type Opened<'b> = (ImageReader<Cursor<&'b [u8]>>, &'static str);

/// A reader of a file that begins like an image and has an end.
fn open<'b>(bytes: &'b [u8], path: &Path) -> Result<Opened<'b>, DataError> {
    // The content decides, not the ending: files named .jpg that hold PNG are common.
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| refuse(path, "image", error.to_string()))?;
    let format = match reader.format() {
        Some(ImageFormat::Png) if !bytes.windows(4).rev().any(|end| end == b"IEND") => {
            return Err(refuse(
                path,
                "PNG",
                "it ends before its last chunk".to_owned(),
            ));
        }
        Some(ImageFormat::Png) => "PNG",
        Some(ImageFormat::Jpeg) if is_cut_off(bytes) => {
            return Err(refuse(
                path,
                "JPEG",
                "it ends before its last scan does".to_owned(),
            ));
        }
        Some(ImageFormat::Jpeg) => "JPEG",
        _ => {
            return Err(refuse(
                path,
                "PNG or JPEG",
                "it starts like neither".to_owned(),
            ));
        }
    };
    Ok((reader, format))
}

/// Whether no end marker follows the last scan of a JPEG: the decoder would fill what is missing with grey. Inside a scan a
/// byte FF is always escaped, so both markers are what they look like.
fn is_cut_off(jpeg: &[u8]) -> bool {
    let last_scan = jpeg.windows(2).rposition(|pair| pair == [0xff, 0xda]);
    let rest = &jpeg[last_scan.unwrap_or_default()..];
    !rest.windows(2).any(|pair| pair == [0xff, 0xd9])
}
