//! From documents to a sparse matrix of terms.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use translearn_core::{Csr, Features};

use super::params::{TextParams, Weighting};
use super::tfidf::TfidfTransform;
use crate::DataError;
use crate::encode::FitOn;

/// Runs of two or more letters, digits and underscores: the same words as Python's `(?u)\b\w\w+\b`. Python's `\w` knows
/// no combining marks, which the `\w` of the regex crate includes, so the classes are spelled out.
#[expect(
    clippy::expect_used,
    reason = "a constant pattern, compiled by every test of the module"
)]
static TOKEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[\p{L}\p{N}_]{2,}").expect("a valid pattern"));

/// A fitted vocabulary that turns documents into rows.
///
/// Steps: lower case; tokens of two or more word characters; stop words out; n-grams joined by a space; terms whose
/// document frequency lies outside `min_df`..`max_df` out; the rest in the order of their code points. Then
/// [`Weighting`]. Values, columns and order equal those of scikit-learn's `TfidfVectorizer` and `CountVectorizer` with
/// the same parameters. Fitting and transforming each read the documents once; memory is that of the vocabulary.
///
/// ```
/// use translearn_data::text::{TextParams, Vectorizer};
///
/// let params = TextParams { stop_words: Some(translearn_data::text::StopWords::English), ..TextParams::default() };
/// let documents = ["The engine is loud.", "A loud, LOUD crowd"];
/// let vectorizer = Vectorizer::fit(documents, &params)?;
/// assert_eq!(vectorizer.vocabulary(), ["crowd", "engine", "loud"]);
/// let x = vectorizer.transform(documents)?;
/// let row = x.dense()?.row(1).to_owned();
/// assert!((row[2] / row[0] - 2.0 / (1.0 + 1.5_f64.ln())).abs() < 1e-12);
/// # Ok::<(), translearn_data::DataError>(())
/// ```
///
/// Where it differs: Python and Rust may know different versions of Unicode, and then disagree about the newest letters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Fitted", into = "Fitted")]
pub struct Vectorizer {
    params: TextParams,
    vocabulary: Vec<String>,
    index: HashMap<String, usize>,
    tfidf: Option<TfidfTransform>,
}

/// What is written to a file: the index follows from the vocabulary.
#[derive(Clone, Serialize, Deserialize)]
struct Fitted {
    params: TextParams,
    vocabulary: Vec<String>,
    tfidf: Option<TfidfTransform>,
}

impl From<Fitted> for Vectorizer {
    fn from(fitted: Fitted) -> Self {
        let Fitted {
            params,
            vocabulary,
            tfidf,
        } = fitted;
        let index = vocabulary
            .iter()
            .enumerate()
            .map(|(i, term)| (term.clone(), i))
            .collect();
        Self {
            params,
            vocabulary,
            index,
            tfidf,
        }
    }
}

impl From<Vectorizer> for Fitted {
    fn from(vectorizer: Vectorizer) -> Self {
        let Vectorizer {
            params,
            vocabulary,
            tfidf,
            ..
        } = vectorizer;
        Self {
            params,
            vocabulary,
            tfidf,
        }
    }
}

impl Vectorizer {
    /// Learns vocabulary and document frequencies from `texts`. [`TextParams::fit_on`] plays no part here; see
    /// [`Vectorizer::fit_domains`].
    ///
    /// # Errors
    /// [`DataError::InvalidOption`] for parameters outside their range or limits that exclude each other,
    /// [`DataError::Empty`] when no term is left.
    pub fn fit<'a>(
        texts: impl IntoIterator<Item = &'a str>,
        params: &TextParams,
    ) -> Result<Self, DataError> {
        params.check()?;
        let mut frequencies: HashMap<String, Frequency> = HashMap::new();
        let mut n_documents = 0;
        for text in texts {
            n_documents += 1;
            for_each_term(text, params, |term| match frequencies.get_mut(term) {
                Some(frequency) => frequency.see(n_documents),
                None => {
                    frequencies.insert(
                        term.to_owned(),
                        Frequency {
                            df: 1,
                            last: n_documents,
                        },
                    );
                }
            });
        }
        if frequencies.is_empty() {
            return Err(DataError::empty(
                "terms",
                "the documents hold only stop words, or no word at all",
            ));
        }
        let low = params.min_df.documents(n_documents);
        let high = params.max_df.documents(n_documents);
        if high < low {
            return Err(DataError::InvalidOption {
                name: "max_df".to_owned(),
                value: format!("{high} documents"),
                expected: format!("at least `min_df`, {low} of the {n_documents} documents"),
            });
        }
        let mut kept: Vec<(String, u32)> = frequencies
            .into_iter()
            .map(|(term, frequency)| (term, frequency.df))
            .filter(|&(_, df)| (low..=high).contains(&f64::from(df)))
            .collect();
        if kept.is_empty() {
            return Err(DataError::empty(
                "terms",
                "lower `min_df` or raise `max_df`",
            ));
        }
        kept.sort_unstable();
        let (vocabulary, df): (Vec<String>, Vec<u32>) = kept.into_iter().unzip();
        let tfidf = (params.weighting == Weighting::TfIdf)
            .then(|| TfidfTransform::from_frequencies(&df, n_documents, params.sublinear));
        Ok(Fitted {
            params: params.clone(),
            vocabulary,
            tfidf,
        }
        .into())
    }

    /// Fits on the source's documents, or on the target's as well, as [`TextParams::fit_on`] says.
    ///
    /// # Errors
    /// Those of [`Vectorizer::fit`].
    pub fn fit_domains<'a>(
        source: impl IntoIterator<Item = &'a str>,
        target: impl IntoIterator<Item = &'a str>,
        params: &TextParams,
    ) -> Result<Self, DataError> {
        match params.fit_on {
            FitOn::Source => Self::fit(source, params),
            FitOn::Both => Self::fit(source.into_iter().chain(target), params),
        }
    }

    /// The terms, one per column.
    pub fn vocabulary(&self) -> &[String] {
        &self.vocabulary
    }

    /// One sparse row per document. Terms outside the vocabulary are left out; a document without any known term is a
    /// row of zeros.
    ///
    /// # Errors
    /// None for a fitted vectoriser; the signature leaves room for weightings that refuse a document.
    pub fn transform<'a>(
        &self,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<Features, DataError> {
        let mut starts = vec![0];
        let mut columns = Vec::new();
        let mut values = Vec::new();
        let mut row: Vec<usize> = Vec::new();
        for text in texts {
            row.clear();
            for_each_term(text, &self.params, |term| row.extend(self.index.get(term)));
            row.sort_unstable();
            for same in row.chunk_by(|a, b| a == b) {
                columns.push(same[0]);
                values.push(match self.params.weighting {
                    Weighting::Binary => 1.0,
                    Weighting::Counts | Weighting::TfIdf => same.len() as f64,
                });
            }
            starts.push(columns.len());
        }
        let shape = (starts.len() - 1, self.vocabulary.len());
        let counts = Features::Sparse(Csr::new(shape, starts, columns, values));
        match &self.tfidf {
            None => Ok(counts),
            Some(tfidf) => tfidf.transform(&counts),
        }
    }
}

/// In how many documents a term was seen, and in which last.
struct Frequency {
    df: u32,
    last: usize,
}

impl Frequency {
    fn see(&mut self, document: usize) {
        if self.last != document {
            self.last = document;
            self.df += 1;
        }
    }
}

fn for_each_term(text: &str, params: &TextParams, mut each: impl FnMut(&str)) {
    let text = text.to_lowercase();
    let tokens = TOKEN
        .find_iter(&text)
        .map(|token| token.as_str())
        .filter(|token| params.stop_words.is_none_or(|list| !list.contains(token)));
    if params.ngrams == (1, 1) {
        tokens.for_each(each);
        return;
    }
    let tokens: Vec<&str> = tokens.collect();
    let (shortest, longest) = params.ngrams;
    let mut term = String::new();
    for start in 0..tokens.len() {
        term.clear();
        for (length, token) in (1..=longest).zip(&tokens[start..]) {
            if length > 1 {
                term.push(' ');
            }
            term.push_str(token);
            if length >= shortest {
                each(&term);
            }
        }
    }
}
