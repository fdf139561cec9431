//! Sounds: wav files in class folders or archives, as waveforms or as a matrix of summaries.
//!
//! PCM of 8 to 32 bits and 32-bit float are read; channels are averaged to one; samples lie in [−1, 1].

mod mfcc;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use translearn_core::DENSE_LIMIT_BYTES;

pub use mfcc::mfcc_frames;

use crate::folder::{Folder, FolderParams};
use crate::{DataError, RawFeatures, RawLabels, RawSample};

/// Rates above this, in samples a second, are taken for a broken header: no sound card samples as fast.
const RATE_LIMIT: u32 = 1_000_000;

/// How recordings become labelled rows.
///
/// | field | meaning | default |
/// |---|---|---|
/// | `label_field` | which part of the file name, split at `_`, is the label (from 0) | the class folder |
/// | `domain_field` | which part names the domain | none |
/// | `domain` | only the recordings of this domain | all |
/// | `features` | `"mfcc"`: mean and standard deviation over time of cepstral coefficients; `"waveform"`: the samples | `"mfcc"` |
/// | `n_mfcc` | number of coefficients, 1 to 40; there are twice as many columns | 13 |
/// | `n_samples` | length of a waveform: longer ones are cut, shorter ones end in zeros | 8000 |
///
/// For names like `7_jackson_32.wav`, `label_field = 0` and `domain_field = 1` give the digit and the speaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AudioParams {
    /// Which part of the file name is the label.
    pub label_field: Option<usize>,
    /// Which part of the file name is the domain.
    pub domain_field: Option<usize>,
    /// Only the recordings of this domain.
    pub domain: Option<String>,
    /// What stands in a row.
    pub features: AudioFeatures,
    /// Number of cepstral coefficients.
    pub n_mfcc: usize,
    /// Length of a waveform.
    pub n_samples: usize,
}

impl Default for AudioParams {
    fn default() -> Self {
        Self {
            label_field: None,
            domain_field: None,
            domain: None,
            features: AudioFeatures::Mfcc,
            n_mfcc: 13,
            n_samples: 8000,
        }
    }
}

/// What stands in a row of a matrix of sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AudioFeatures {
    /// Mean, then standard deviation, over the frames of [`mfcc_frames`].
    Mfcc,
    /// The samples.
    Waveform,
}

/// A decoded recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Waveform {
    /// Samples in [−1, 1], one channel.
    pub samples: Vec<f32>,
    /// Samples per second.
    pub sample_rate: u32,
}

/// Recordings that can be decoded one by one, in the order of their names.
#[derive(Debug, Clone)]
pub struct Recordings {
    folder: Folder,
}

impl Recordings {
    /// Lists the files that end in `.wav`.
    ///
    /// # Errors
    /// Those of [`Folder::open`].
    pub fn open(path: &Path, params: &FolderParams) -> Result<Self, DataError> {
        Ok(Self {
            folder: Folder::open(path, &params.or_extensions(&["wav"]))?,
        })
    }

    /// Number of recordings.
    pub fn len(&self) -> usize {
        self.folder.len()
    }

    /// Whether there is no recording; never for a folder that was opened.
    pub fn is_empty(&self) -> bool {
        self.folder.is_empty()
    }

    /// A part of a file's name without folders and ending, split at `_`.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when the name has too few parts.
    ///
    /// # Panics
    /// When `index` is out of range, like all indexing.
    pub fn field(&self, index: usize, field: usize) -> Result<&str, DataError> {
        let name = self.folder.name(index);
        let stem = name.rsplit('/').next().unwrap_or(name);
        let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
        stem.split('_')
            .nth(field)
            .ok_or_else(|| DataError::Mismatch {
                path: self.folder.place(index),
                left: format!("part {field} of the file's name is asked for"),
                right: format!("`{stem}` has {} parts", stem.split('_').count()),
                advice: "parts are split at `_` and counted from 0".to_owned(),
            })
    }

    /// Decodes the recording at `index`.
    ///
    /// # Errors
    /// [`DataError::Decode`] for a file that is no whole wav file, [`DataError::Io`].
    ///
    /// # Panics
    /// When `index` is out of range, like all indexing.
    pub fn get(&self, index: usize) -> Result<Waveform, DataError> {
        decode(&self.folder.bytes(index)?, &self.folder.place(index))
    }

    /// The rows that `params` asks for.
    ///
    /// # Errors
    /// Those of [`Recordings::get`] and [`Recordings::field`]; [`DataError::InvalidOption`] for parameters outside their
    /// range; [`DataError::Missing`] for a domain that no recording has; [`DataError::Mismatch`] when the sample rates
    /// differ; [`DataError::TooLarge`] above [`DENSE_LIMIT_BYTES`].
    pub fn read(&self, params: &AudioParams) -> Result<RawSample, DataError> {
        let rows = self.rows(params)?;
        let width = match params.features {
            AudioFeatures::Mfcc => 2 * params.n_mfcc,
            AudioFeatures::Waveform => params.n_samples,
        };
        let needs = (rows.len() as u64)
            .saturating_mul(width as u64)
            .saturating_mul(8);
        if needs > DENSE_LIMIT_BYTES {
            return Err(DataError::TooLarge {
                path: self.folder.place(rows[0]),
                what: format!("a matrix of {} recordings", rows.len()),
                needs,
                limit: DENSE_LIMIT_BYTES,
                advice: "lower `n_samples`, or take summaries",
            });
        }
        let mut x = Array2::zeros((rows.len(), width));
        let mut rate: Option<(PathBuf, u32)> = None;
        for (&index, mut row) in rows.iter().zip(x.rows_mut()) {
            let waveform = self.get(index)?;
            let (first, expected) =
                rate.get_or_insert_with(|| (self.folder.place(index), waveform.sample_rate));
            if waveform.sample_rate != *expected {
                return Err(DataError::Mismatch {
                    path: first.clone(),
                    left: format!("it has {expected} samples a second"),
                    right: format!(
                        "`{}` has {}",
                        self.folder.place(index).display(),
                        waveform.sample_rate
                    ),
                    advice: "bring all recordings to one rate".to_owned(),
                });
            }
            match params.features {
                AudioFeatures::Waveform => {
                    row.iter_mut()
                        .zip(&waveform.samples)
                        .for_each(|(value, &sample)| *value = f64::from(sample));
                }
                AudioFeatures::Mfcc => {
                    let frames = mfcc_frames(&waveform, params.n_mfcc);
                    let n = frames.nrows() as f64;
                    for (j, column) in frames.columns().into_iter().enumerate() {
                        let mean = column.sum() / n;
                        row[j] = mean;
                        row[params.n_mfcc + j] =
                            (column.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n)
                                .sqrt();
                    }
                }
            }
        }
        let labels = match params.label_field {
            None => self.folder.classes()?.map(|_| {
                let classes = rows.iter().filter_map(|&row| self.folder.class(row));
                RawLabels::Names(classes.map(str::to_owned).collect())
            }),
            Some(field) => Some(RawLabels::Names(
                rows.iter()
                    .map(|&row| Ok(self.field(row, field)?.to_owned()))
                    .collect::<Result<_, DataError>>()?,
            )),
        };
        Ok(RawSample {
            features: RawFeatures::Matrix(x.into()),
            labels,
        })
    }

    /// The recordings of the domain; at least one.
    fn rows(&self, params: &AudioParams) -> Result<Vec<usize>, DataError> {
        let invalid = |name: &str, value: String, expected: &str| DataError::InvalidOption {
            name: name.to_owned(),
            value,
            expected: expected.to_owned(),
        };
        if !(1..=mfcc::N_MELS).contains(&params.n_mfcc) {
            return Err(invalid("n_mfcc", params.n_mfcc.to_string(), "1 to 40"));
        }
        if params.n_samples == 0 {
            return Err(invalid("n_samples", "0".to_owned(), "at least 1"));
        }
        match (&params.domain, params.domain_field) {
            (None, _) => Ok((0..self.len()).collect()),
            (Some(domain), None) => Err(invalid(
                "domain",
                domain.clone(),
                "`domain_field` beside it",
            )),
            (Some(domain), Some(field)) => {
                let names = (0..self.len())
                    .map(|i| self.field(i, field))
                    .collect::<Result<Vec<_>, _>>()?;
                let rows: Vec<usize> = (0..self.len()).filter(|&i| names[i] == domain).collect();
                if rows.is_empty() {
                    let known: std::collections::BTreeSet<&str> = names.into_iter().collect();
                    return Err(DataError::missing(Path::new(""), "domain", domain, known));
                }
                Ok(rows)
            }
        }
    }
}

/// The recordings of a folder or archive as a matrix: [`Recordings::open`] and [`Recordings::read`].
///
/// # Errors
/// Those of [`Recordings::open`] and [`Recordings::read`].
pub fn read(
    path: &Path,
    folder: &FolderParams,
    params: &AudioParams,
) -> Result<RawSample, DataError> {
    Recordings::open(path, folder)?.read(params)
}

fn decode(bytes: &[u8], path: &Path) -> Result<Waveform, DataError> {
    let refuse = |reason: String| DataError::Decode {
        path: path.to_owned(),
        format: "wav",
        reason,
    };
    let failed = |error: hound::Error| refuse(error.to_string());
    let mut reader = hound::WavReader::new(Cursor::new(bytes)).map_err(failed)?;
    let spec = reader.spec();
    if !(1..=RATE_LIMIT).contains(&spec.sample_rate) {
        let found = format!(
            "{} samples a second where 1 to {RATE_LIMIT} are allowed",
            spec.sample_rate
        );
        return Err(refuse(found));
    }
    let interleaved: Vec<f32> = match spec.sample_format {
        hound::SampleFormat::Float => reader.samples().collect::<Result<_, _>>().map_err(failed)?,
        hound::SampleFormat::Int => {
            let bits = i32::from(spec.bits_per_sample);
            if !(1..=32).contains(&bits) {
                return Err(refuse(format!("{bits} bits a sample")));
            }
            let scale = 0.5_f64.powi(bits - 1);
            let scaled = |sample: i32| (f64::from(sample) * scale) as f32;
            reader
                .samples::<i32>()
                .map(|sample| sample.map(scaled))
                .collect::<Result<_, _>>()
                .map_err(failed)?
        }
    };
    if let Some(at) = interleaved.iter().position(|sample| !sample.is_finite()) {
        return Err(refuse(format!("sample {at} is {}", interleaved[at])));
    }
    let channels = usize::from(spec.channels.max(1));
    let samples: Vec<f32> = interleaved
        .chunks_exact(channels)
        .map(|frame| frame.iter().sum::<f32>() / channels as f32)
        .collect();
    if samples.is_empty() {
        return Err(refuse("it holds no sample".to_owned()));
    }
    Ok(Waveform {
        samples,
        sample_rate: spec.sample_rate,
    })
}
