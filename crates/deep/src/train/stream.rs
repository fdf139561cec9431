//! Where batches come from.

use std::fmt::Debug;

use tch::{Kind, Tensor};
use translearn_core::seed;

use crate::DeepError;

/// A row that is wanted, and what is random about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// The row.
    pub row: usize,
    /// What augmentation is drawn from; `None`: the row as it is.
    pub seed: Option<u64>,
}

impl Pick {
    /// Rows as they are.
    pub fn plain(rows: impl IntoIterator<Item = usize>) -> Vec<Self> {
        rows.into_iter()
            .map(|row| Self { row, seed: None })
            .collect()
    }
}

/// Rows of examples that are computed together.
#[derive(Debug)]
pub struct Batch {
    /// The input of a network, one row each.
    pub x: Tensor,
    /// The class of each row, `Int64`, where there are labels.
    pub labels: Option<Tensor>,
    /// The weight of each row, where there are weights.
    pub weights: Option<Tensor>,
}

impl Batch {
    /// The labels.
    ///
    /// # Errors
    /// [`DeepError::NoLabels`].
    pub fn labels(&self) -> Result<&Tensor, DeepError> {
        self.labels.as_ref().ok_or(DeepError::NoLabels)
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.x
            .size()
            .first()
            .map_or(0, |&n| usize::try_from(n).unwrap_or(0))
    }
}

/// Examples that batches are made of.
pub trait Examples: Debug {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows picked, in this order. The same picks give the same bits.
    ///
    /// # Errors
    /// [`DeepError`].
    fn batch(&self, picks: &[Pick]) -> Result<Batch, DeepError>;
}

/// Examples that are in memory as one tensor.
#[derive(Debug)]
pub struct TensorExamples {
    x: Tensor,
    labels: Option<Tensor>,
    weights: Option<Tensor>,
}

impl TensorExamples {
    /// Rows of `x` along its first axis, with a class (`Int64`) each or none.
    ///
    /// # Errors
    /// [`DeepError::Lengths`] when rows and labels differ in number.
    pub fn new(x: Tensor, labels: Option<Tensor>) -> Result<Self, DeepError> {
        let n = |x: &Tensor| x.size().first().copied().unwrap_or(0);
        if let Some(labels) = labels.as_ref().filter(|labels| n(labels) != n(&x)) {
            return Err(DeepError::Lengths {
                left: "the examples",
                left_len: n(&x),
                right: "their labels",
                right_len: n(labels),
            });
        }
        Ok(Self {
            x,
            labels,
            weights: None,
        })
    }

    /// With a weight for each row.
    ///
    /// # Errors
    /// [`DeepError::Lengths`] when rows and weights differ in number.
    pub fn with_weights(self, weights: &[f64]) -> Result<Self, DeepError> {
        if weights.len() != self.len() {
            return Err(DeepError::Lengths {
                left: "the examples",
                left_len: self.len() as i64,
                right: "their weights",
                right_len: weights.len() as i64,
            });
        }
        let weights = Tensor::f_from_slice(weights)?
            .f_to_kind(Kind::Float)?
            .f_to_device(self.x.device())?;
        Ok(Self {
            weights: Some(weights),
            ..self
        })
    }
}

impl Examples for TensorExamples {
    fn len(&self) -> usize {
        self.x
            .size()
            .first()
            .map_or(0, |&n| usize::try_from(n).unwrap_or(0))
    }

    fn batch(&self, picks: &[Pick]) -> Result<Batch, DeepError> {
        let rows: Vec<i64> = picks.iter().map(|pick| pick.row as i64).collect();
        let rows = Tensor::f_from_slice(&rows)?.f_to_device(self.x.device())?;
        let of = |x: &Tensor| x.f_index_select(0, &rows);
        Ok(Batch {
            x: of(&self.x)?,
            labels: self.labels.as_ref().map(of).transpose()?,
            weights: self.weights.as_ref().map(of).transpose()?,
        })
    }
}

/// Endless batches of examples in random order.
///
/// Every row comes once before any comes again; a batch may reach over from one round to the next, so that all batches are
/// of one size. Batch `k` depends on the seed, the stream's name and `k` alone: a training that goes on after an
/// interruption asks for the batches that are left and gets them.
#[derive(Debug)]
pub struct Stream<'a> {
    name: String,
    examples: &'a dyn Examples,
    batch_size: usize,
    /// The order of the round that was asked for last.
    round: Option<(u64, u64, Vec<usize>)>,
}

impl<'a> Stream<'a> {
    /// Batches of `batch_size` rows, or of all where there are fewer.
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`] for no example and for batches of none.
    pub fn new(
        name: impl Into<String>,
        examples: &'a dyn Examples,
        batch_size: usize,
    ) -> Result<Self, DeepError> {
        let name = name.into();
        if examples.is_empty() || batch_size == 0 {
            let (value, range) = if batch_size == 0 {
                ("0".to_owned(), "at least 1")
            } else {
                (
                    format!("{batch_size} of the stream `{name}`, which has no example"),
                    "drawn from examples",
                )
            };
            return Err(DeepError::InvalidParameter {
                name: "batch_size",
                value,
                range: range.to_owned(),
            });
        }
        let batch_size = batch_size.min(examples.len());
        Ok(Self {
            name,
            examples,
            batch_size,
            round: None,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of examples.
    pub fn n_examples(&self) -> usize {
        self.examples.len()
    }

    /// Rows of a batch.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Batch `k`, counted from 0.
    pub(super) fn batch(&mut self, seed: u64, k: u64) -> Result<Batch, DeepError> {
        let picks = self.picks(seed, k);
        self.examples.batch(&picks)
    }

    fn picks(&mut self, seed: u64, k: u64) -> Vec<Pick> {
        let (n, size) = (self.examples.len() as u64, self.batch_size as u64);
        let picks = k * size..(k + 1) * size;
        picks
            .map(|position| Pick {
                row: self.order(seed, position / n)[(position % n) as usize],
                seed: Some(seed::derive(
                    seed,
                    &["row", &self.name, &position.to_string()],
                )),
            })
            .collect()
    }

    fn order(&mut self, seed: u64, round: u64) -> &[usize] {
        if self
            .round
            .as_ref()
            .is_none_or(|kept| (kept.0, kept.1) != (seed, round))
        {
            let drawn = seed::derive(seed, &["order", &self.name, &round.to_string()]);
            self.round = Some((
                seed,
                round,
                seed::rng(drawn).permutation(self.examples.len()),
            ));
        }
        self.round.as_ref().map_or(&[], |kept| &kept.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples(n: i64) -> TensorExamples {
        let x = Tensor::arange(n, (Kind::Float, tch::Device::Cpu)).unsqueeze(1);
        let labels = Tensor::arange(n, (Kind::Int64, tch::Device::Cpu));
        TensorExamples::new(x, Some(labels)).unwrap()
    }

    #[test]
    fn every_row_comes_once_a_round_and_any_batch_can_be_asked_for() {
        let all = examples(7);
        let mut stream = Stream::new("source", &all, 3).unwrap();
        let rows = |stream: &mut Stream<'_>, k| -> Vec<usize> {
            stream.picks(5, k).iter().map(|pick| pick.row).collect()
        };
        let sequence: Vec<usize> = (0..7).flat_map(|k| rows(&mut stream, k)).collect();
        for round in sequence.chunks(7) {
            let mut sorted = round.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4, 5, 6]);
        }
        assert_ne!(sequence[..7], sequence[7..14]);
        let mut later = Stream::new("source", &all, 3).unwrap();
        assert_eq!(rows(&mut later, 4), sequence[12..15]);
        let mut other = Stream::new("target", &all, 3).unwrap();
        assert_ne!(
            (0..7).flat_map(|k| rows(&mut other, k)).collect::<Vec<_>>(),
            sequence
        );
        let seeds: std::collections::BTreeSet<_> = (0..7)
            .flat_map(|k| later.picks(5, k))
            .map(|pick| pick.seed)
            .collect();
        assert_eq!(seeds.len(), 21, "no two rows are augmented alike");
    }

    #[test]
    fn rows_keep_their_labels_and_weights() {
        let all = examples(4).with_weights(&[0.0, 0.5, 1.0, 1.5]).unwrap();
        let batch = all.batch(&Pick::plain([3, 1])).unwrap();
        assert_eq!(
            Vec::<f32>::try_from(batch.x.flatten(0, -1)).unwrap(),
            [3.0, 1.0]
        );
        assert_eq!(
            Vec::<i64>::try_from(batch.labels().unwrap()).unwrap(),
            [3, 1]
        );
        assert_eq!(
            Vec::<f32>::try_from(batch.weights.unwrap()).unwrap(),
            [1.5, 0.5]
        );
        assert_eq!(Stream::new("small", &all, 100).unwrap().batch_size(), 4);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let x = Tensor::zeros([3, 1], (Kind::Float, tch::Device::Cpu));
        let error = TensorExamples::new(x, Some(Tensor::from_slice(&[0_i64, 1]))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the examples are 3, but their labels are 2"
        );
        assert!(examples(3).with_weights(&[1.0]).is_err());
        assert!(Stream::new("none", &examples(0), 2).is_err());
        assert!(Stream::new("none", &examples(2), 0).is_err());
    }
}
