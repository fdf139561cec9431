//! Labels: class codes or real values, and the label space they live in.

use ndarray::{Array1, Axis};
use serde::{Deserialize, Serialize};

use crate::TransferError;

/// The label space 𝒴 of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LabelSpace {
    /// A finite set of classes; the code of a class is its position.
    Classes(Vec<String>),
    /// The real line.
    Real,
}

impl LabelSpace {
    /// Classes named `0`, `1`, ….
    pub fn numbered(n_classes: usize) -> Self {
        Self::Classes((0..n_classes).map(|class| class.to_string()).collect())
    }

    /// Number of classes; 0 for the real line.
    pub fn n_classes(&self) -> usize {
        match self {
            Self::Classes(names) => names.len(),
            Self::Real => 0,
        }
    }
}

/// One label per row: class codes for classification, values for regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Labels {
    /// Codes into the label space's classes.
    Classes(Array1<usize>),
    /// Real values.
    Values(Array1<f64>),
}

impl Labels {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(codes) => codes.len(),
            Self::Values(values) => values.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class codes.
    ///
    /// # Errors
    /// [`TransferError::Unsupported`] for real values, in the name of `owner`.
    pub fn classes(&self, owner: &str) -> Result<&Array1<usize>, TransferError> {
        match self {
            Self::Classes(codes) => Ok(codes),
            Self::Values(_) => Err(TransferError::Unsupported {
                method: owner.to_owned(),
                needs: "class labels".to_owned(),
                has: "real-valued labels".to_owned(),
            }),
        }
    }

    /// The real values.
    ///
    /// # Errors
    /// [`TransferError::Unsupported`] for classes, in the name of `owner`.
    pub fn values(&self, owner: &str) -> Result<&Array1<f64>, TransferError> {
        match self {
            Self::Values(values) => Ok(values),
            Self::Classes(_) => Err(TransferError::Unsupported {
                method: owner.to_owned(),
                needs: "real-valued labels".to_owned(),
                has: "class labels".to_owned(),
            }),
        }
    }

    /// The labels at `indices`, in that order.
    ///
    /// # Panics
    /// When an index is out of range, like all indexing.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        match self {
            Self::Classes(codes) => Self::Classes(codes.select(Axis(0), indices)),
            Self::Values(values) => Self::Values(values.select(Axis(0), indices)),
        }
    }

    /// `self` followed by `after`.
    ///
    /// # Errors
    /// [`TransferError::Unsupported`] when one holds classes and the other values.
    pub fn join(&self, after: &Self) -> Result<Self, TransferError> {
        match (self, after) {
            (Self::Classes(a), Self::Classes(b)) => {
                Ok(Self::Classes(a.iter().chain(b).copied().collect()))
            }
            (Self::Values(a), Self::Values(b)) => {
                Ok(Self::Values(a.iter().chain(b).copied().collect()))
            }
            _ => Err(TransferError::Unsupported {
                method: "joining labels".to_owned(),
                needs: "labels of one kind".to_owned(),
                has: "classes on one side and real values on the other".to_owned(),
            }),
        }
    }

    /// One more than the largest class code; 0 for values or no rows.
    pub fn n_codes(&self) -> usize {
        match self {
            Self::Classes(codes) => codes.iter().max().map_or(0, |&code| code + 1),
            Self::Values(_) => 0,
        }
    }

    /// Refuses codes outside `space`, values that are not finite, and labels of the wrong kind.
    ///
    /// # Errors
    /// [`TransferError::UnknownClass`], [`TransferError::NotFinite`] or [`TransferError::Unsupported`].
    pub fn check(&self, space: &LabelSpace, what: &str) -> Result<(), TransferError> {
        match (self, space) {
            (Self::Classes(codes), LabelSpace::Classes(names)) => {
                match codes.iter().position(|&code| code >= names.len()) {
                    None => Ok(()),
                    Some(row) => Err(TransferError::UnknownClass {
                        what: what.to_owned(),
                        row,
                        class: codes[row],
                        n_classes: names.len(),
                    }),
                }
            }
            (Self::Values(values), LabelSpace::Real) => {
                match values.iter().position(|value| !value.is_finite()) {
                    None => Ok(()),
                    Some(row) => Err(TransferError::NotFinite {
                        what: what.to_owned(),
                        row,
                        column: 0,
                        value: values[row].to_string(),
                    }),
                }
            }
            (Self::Classes(_), LabelSpace::Real) => Err(self.mismatch(what, "the real line")),
            (Self::Values(_), LabelSpace::Classes(_)) => {
                Err(self.mismatch(what, "a set of classes"))
            }
        }
    }

    fn mismatch(&self, what: &str, space: &str) -> TransferError {
        TransferError::Unsupported {
            method: format!("a task over {space}"),
            needs: format!("labels from {space}"),
            has: match self {
                Self::Classes(_) => format!("class codes in {what}"),
                Self::Values(_) => format!("real values in {what}"),
            },
        }
    }
}

impl From<Array1<usize>> for Labels {
    fn from(codes: Array1<usize>) -> Self {
        Self::Classes(codes)
    }
}

impl From<Array1<f64>> for Labels {
    fn from(values: Array1<f64>) -> Self {
        Self::Values(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn joining_and_selecting_keep_the_order() {
        let a = Labels::from(array![0, 2]);
        let joined = a.join(&Labels::from(array![1])).unwrap();
        assert_eq!(joined, Labels::from(array![0, 2, 1]));
        assert_eq!(joined.select(&[2, 0]), Labels::from(array![1, 0]));
        assert_eq!(joined.n_codes(), 3);
        assert!(a.join(&Labels::from(array![1.0])).is_err());
    }

    #[test]
    fn a_code_outside_the_label_space_is_named() {
        let error = Labels::from(array![0, 3])
            .check(&LabelSpace::numbered(2), "target")
            .unwrap_err();
        assert_eq!(
            error,
            TransferError::UnknownClass {
                what: "target".into(),
                row: 1,
                class: 3,
                n_classes: 2
            }
        );
    }
}
