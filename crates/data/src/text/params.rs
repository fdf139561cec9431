//! Parameters of the vectoriser, as a specification spells them.

use serde::{Deserialize, Serialize};

use crate::DataError;
use crate::encode::FitOn;

/// How texts become vectors.
///
/// | field | meaning | default | range |
/// |---|---|---|---|
/// | `stop_words` | words left out before n-grams are formed | none | `"english"` |
/// | `min_df` | terms in fewer documents are left out | 1 | a count ≥ 1, or a fraction in [0, 1] |
/// | `max_df` | terms in more documents are left out | 1.0 | a count ≥ 1, or a fraction in [0, 1] |
/// | `ngrams` | shortest and longest run of tokens | (1, 1) | 1 ≤ first ≤ second |
/// | `sublinear` | counts become 1 + ln(count) | no | with tf-idf only |
/// | `weighting` | what stands in a cell | tf-idf | `"tf-idf"`, `"counts"`, `"binary"` |
/// | `fit_on` | which documents give vocabulary and document frequencies | source | `"source"`, `"both"` |
///
/// An integer is a count and a number with a decimal point a fraction of the documents, as in scikit-learn: `min_df = 1`
/// keeps every term, `min_df = 1.0` only those that stand in all documents.
///
/// ```
/// use translearn_data::text::{DocumentFrequency, TextParams};
///
/// let params: TextParams = toml::from_str("stop_words = 'english'\nmin_df = 5\nmax_df = 0.1\nngrams = [1, 2]")?;
/// assert_eq!(params.max_df, DocumentFrequency::Fraction(0.1));
/// assert!(toml::from_str::<TextParams>("mindf = 5").is_err());
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextParams {
    /// Words left out before n-grams are formed.
    pub stop_words: Option<StopWords>,
    /// Terms in fewer documents are left out.
    pub min_df: DocumentFrequency,
    /// Terms in more documents are left out.
    pub max_df: DocumentFrequency,
    /// Shortest and longest run of tokens.
    pub ngrams: (usize, usize),
    /// Counts become 1 + ln(count).
    pub sublinear: bool,
    /// What stands in a cell.
    pub weighting: Weighting,
    /// Which documents give vocabulary and document frequencies.
    pub fit_on: FitOn,
}

impl Default for TextParams {
    fn default() -> Self {
        Self {
            stop_words: None,
            min_df: DocumentFrequency::Count(1),
            max_df: DocumentFrequency::Fraction(1.0),
            ngrams: (1, 1),
            sublinear: false,
            weighting: Weighting::TfIdf,
            fit_on: FitOn::Source,
        }
    }
}

impl TextParams {
    /// Refuses parameters outside their range.
    ///
    /// # Errors
    /// [`DataError::InvalidOption`].
    pub fn check(&self) -> Result<(), DataError> {
        let invalid = |name: &str, value: String, expected: &str| {
            Err(DataError::InvalidOption {
                name: name.to_owned(),
                value,
                expected: expected.to_owned(),
            })
        };
        let (shortest, longest) = self.ngrams;
        if shortest == 0 || shortest > longest {
            return invalid(
                "ngrams",
                format!("[{shortest}, {longest}]"),
                "1 <= shortest <= longest",
            );
        }
        for (name, limit) in [("min_df", self.min_df), ("max_df", self.max_df)] {
            let (value, fits) = match limit {
                DocumentFrequency::Count(count) => (count.to_string(), count > 0),
                DocumentFrequency::Fraction(part) => {
                    (part.to_string(), (0.0..=1.0).contains(&part))
                }
            };
            if !fits {
                let expected = "a count of at least 1, or a fraction in [0, 1] with decimal point";
                return invalid(name, value, expected);
            }
        }
        if self.sublinear && self.weighting != Weighting::TfIdf {
            return invalid(
                "sublinear",
                "true".to_owned(),
                "`weighting = \"tf-idf\"` beside it",
            );
        }
        Ok(())
    }
}

/// A list of words that carry little meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopWords {
    /// The 318 words of the Glasgow information retrieval group, which scikit-learn uses too.
    English,
}

impl StopWords {
    /// Whether `word` (in lower case) is on the list.
    ///
    /// ```
    /// use translearn_data::text::StopWords;
    ///
    /// assert!(StopWords::English.contains("whereupon") && !StopWords::English.contains("engine"));
    /// ```
    pub fn contains(self, word: &str) -> bool {
        self.words().binary_search(&word).is_ok()
    }

    /// The list in order.
    pub fn words(self) -> &'static [&'static str] {
        use std::sync::LazyLock;
        static ENGLISH: LazyLock<Vec<&'static str>> =
            LazyLock::new(|| include_str!("english.txt").lines().collect());
        match self {
            Self::English => &ENGLISH,
        }
    }
}

/// A number of documents, or a fraction of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DocumentFrequency {
    /// A number of documents.
    Count(u32),
    /// A fraction of all documents.
    Fraction(f64),
}

impl DocumentFrequency {
    /// The limit in documents, not rounded.
    pub(crate) fn documents(self, n_documents: usize) -> f64 {
        match self {
            Self::Count(count) => f64::from(count),
            Self::Fraction(fraction) => fraction * n_documents as f64,
        }
    }
}

/// What stands in a cell of the vectoriser's matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weighting {
    /// Count times smooth inverse document frequency, rows of unit Euclidean length; see
    /// [`TfidfTransform`](super::TfidfTransform).
    TfIdf,
    /// How often the term stands in the document.
    Counts,
    /// 1 when the term stands in the document.
    Binary,
}
