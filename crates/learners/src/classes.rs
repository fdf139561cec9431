//! The rows and classes a classifier really learns from.

use std::borrow::Cow;

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use translearn_core::{Features, Sample, TransferError};

/// The rows of positive weight, so that weight 0 is no row.
pub(crate) struct Rows<'a> {
    pub(crate) features: Cow<'a, Features>,
    pub(crate) weights: Array1<f64>,
    /// Where each row stands in the sample.
    pub(crate) indices: Vec<usize>,
}

impl<'a> Rows<'a> {
    pub(crate) fn of(sample: &Sample<'a>) -> Self {
        let indices: Vec<usize> = (0..sample.n_rows())
            .filter(|&row| sample.weight(row) > 0.0)
            .collect();
        let features = if indices.len() == sample.n_rows() {
            Cow::Borrowed(sample.features())
        } else {
            Cow::Owned(sample.features().select_rows(&indices))
        };
        let weights = indices.iter().map(|&row| sample.weight(row)).collect();
        Self {
            features,
            weights,
            indices,
        }
    }
}

/// The rows of positive weight with their classes renumbered `0..k` in ascending order of code.
pub(crate) struct ClassRows<'a> {
    pub(crate) rows: Rows<'a>,
    /// Per row, the position of its class in `present`.
    pub(crate) classes: Vec<usize>,
    pub(crate) present: PresentClasses,
}

impl<'a> ClassRows<'a> {
    /// # Errors
    /// [`TransferError::TooFewClasses`] when fewer than two classes occur; [`TransferError::Unsupported`] for real labels.
    pub(crate) fn of(sample: &Sample<'a>, learner: &str) -> Result<Self, TransferError> {
        let rows = Self::one_or_more(sample, learner)?;
        if rows.present.len() < 2 {
            return Err(TransferError::TooFewClasses {
                what: "the training labels of positive weight".to_owned(),
                classes: rows.present.len(),
            });
        }
        Ok(rows)
    }

    /// For learners that a single class serves.
    ///
    /// # Errors
    /// [`TransferError::Unsupported`] for real labels.
    pub(crate) fn one_or_more(sample: &Sample<'a>, learner: &str) -> Result<Self, TransferError> {
        let codes = sample.labels().classes(learner)?;
        let rows = Rows::of(sample);
        let (present, classes) = PresentClasses::of(
            rows.indices.iter().map(|&row| codes[row]),
            sample.n_classes(),
        );
        Ok(Self {
            rows,
            classes,
            present,
        })
    }
}

/// The classes a model has seen, out of a label space that may hold more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PresentClasses {
    n_classes: usize,
    codes: Vec<usize>,
}

impl PresentClasses {
    /// The classes that occur among `codes`, each below `n_classes`, in ascending order; and for each of `codes` the
    /// position of its class among them.
    pub fn of(codes: impl Iterator<Item = usize> + Clone, n_classes: usize) -> (Self, Vec<usize>) {
        let mut occurs = vec![false; n_classes];
        codes.clone().for_each(|code| occurs[code] = true);
        let present: Vec<usize> = (0..n_classes).filter(|&code| occurs[code]).collect();
        let mut position = vec![0; n_classes];
        for (at, &code) in present.iter().enumerate() {
            position[code] = at;
        }
        let positions = codes.map(|code| position[code]).collect();
        let present = Self {
            n_classes,
            codes: present,
        };
        (present, positions)
    }

    /// How many there are.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a model has seen a class, so there is always one"
    )]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// The code of the class at a position.
    pub fn code(&self, position: usize) -> usize {
        self.codes[position]
    }

    /// How many outputs a one-against-rest model has: two classes need one.
    pub(crate) fn n_outputs(&self) -> usize {
        if self.len() == 2 { 1 } else { self.len() }
    }

    /// Probabilities over all classes; those never seen have probability 0.
    pub(crate) fn widen_probabilities(&self, present: &Array2<f64>) -> Array2<f64> {
        let mut all = Array2::zeros((present.nrows(), self.n_classes));
        for (at, &code) in self.codes.iter().enumerate() {
            all.column_mut(code).assign(&present.column(at));
        }
        all
    }

    /// Decision values over all classes; those never seen stand 1 below the least of the others.
    pub fn widen_decision(&self, present: &Array2<f64>) -> Array2<f64> {
        let mut all = Array2::zeros((present.nrows(), self.n_classes));
        for (values, mut row) in present.outer_iter().zip(all.outer_iter_mut()) {
            row.fill(values.fold(f64::INFINITY, |least, &value| least.min(value)) - 1.0);
            self.codes
                .iter()
                .zip(values)
                .for_each(|(&code, &value)| row[code] = value);
        }
        all
    }

    /// Decision values over all classes from one-against-rest outputs: `n x k`, or `n x 1` for two classes, where the
    /// second class has the output and the first its negative.
    pub fn widen_outputs(&self, outputs: &Array2<f64>) -> Array2<f64> {
        if self.n_outputs() > 1 {
            return self.widen_decision(outputs);
        }
        let both = Array2::from_shape_fn((outputs.nrows(), 2), |(row, class)| match class {
            0 => -outputs[[row, 0]],
            _ => outputs[[row, 0]],
        });
        self.widen_decision(&both)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use translearn_core::Labels;

    #[test]
    fn rows_of_weight_zero_and_classes_never_seen_are_left_out() {
        let features = Features::from(array![[0.0], [1.0], [2.0], [3.0]]);
        let labels = Labels::from(array![4, 2, 0, 2]);
        let weights = array![1.0, 0.5, 0.0, 2.0];
        let sample = Sample::new(&features, &labels, 6)
            .unwrap()
            .with_weights(&weights)
            .unwrap();
        let found = ClassRows::of(&sample, "test").unwrap();
        assert_eq!(found.rows.indices, [0, 1, 3]);
        assert_eq!(found.rows.weights, array![1.0, 0.5, 2.0]);
        assert_eq!(found.classes, [1, 0, 0]);
        assert_eq!((found.present.code(0), found.present.code(1)), (2, 4));
        let probabilities = found.present.widen_probabilities(&array![[0.25, 0.75]]);
        assert_eq!(probabilities, array![[0.0, 0.0, 0.25, 0.0, 0.75, 0.0]]);
        let decision = found.present.widen_outputs(&array![[-3.0]]);
        assert_eq!(decision, array![[-4.0, -4.0, 3.0, -4.0, -3.0, -4.0]]);
    }

    #[test]
    fn one_class_is_too_few() {
        let features = Features::from(array![[0.0], [1.0]]);
        let labels = Labels::from(array![1, 0]);
        let weights = array![1.0, 0.0];
        let sample = Sample::new(&features, &labels, 2)
            .unwrap()
            .with_weights(&weights)
            .unwrap();
        let error = ClassRows::of(&sample, "test").err().unwrap();
        assert!(
            matches!(error, TransferError::TooFewClasses { classes: 1, .. }),
            "{error}"
        );
    }
}
