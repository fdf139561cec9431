//! From what stands in the files to features: tables and texts become numbers, matrices stay.

use translearn_core::Features;
use translearn_data::encode::TableEncoder;
use translearn_data::text::Vectorizer;
use translearn_data::{DataError, RawFeatures, Table};

use super::PrepareError;
use crate::spec::TaskSpec;

/// The features of each part.
pub(super) struct Encoded {
    pub(super) sources: Vec<Features>,
    pub(super) target: Features,
    pub(super) test: Option<Features>,
}

/// Fits the encoding on the sources (and the target, where its parameters say so), never on the test part.
pub(super) fn encode(
    task: &TaskSpec,
    sources: &[&RawFeatures],
    target: &RawFeatures,
    test: Option<&RawFeatures>,
) -> Result<Encoded, PrepareError> {
    let all = || sources.iter().copied().chain([target]).chain(test);
    let encoded = if let Some(parts) = all().map(as_matrix).collect::<Option<Vec<_>>>() {
        parts.into_iter().cloned().map(Ok).collect()
    } else if let Some(tables) = all().map(as_table).collect::<Option<Vec<_>>>() {
        let encoder =
            TableEncoder::fit_domains(&tables[..sources.len()], tables[sources.len()], &task.table)
                .map_err(PrepareError::data("the tables"))?;
        tables
            .into_iter()
            .map(|table| encoder.transform(table))
            .collect::<Vec<_>>()
    } else if let Some(texts) = all().map(as_texts).collect::<Option<Vec<_>>>() {
        let params = task.text.clone().unwrap_or_default();
        let strs = |parts: &[&[String]]| parts.concat();
        let (source, target) = (strs(&texts[..sources.len()]), texts[sources.len()]);
        let vectorizer = Vectorizer::fit_domains(
            source.iter().map(String::as_str),
            target.iter().map(String::as_str),
            &params,
        )
        .map_err(PrepareError::data("the texts"))?;
        texts
            .into_iter()
            .map(|texts| vectorizer.transform(texts.iter().map(String::as_str)))
            .collect()
    } else {
        let kinds: Vec<&str> = all().map(kind).collect();
        return Err(PrepareError::data("the parts")(DataError::Mismatch {
            path: task
                .source
                .first()
                .map(|part| part.from.name())
                .unwrap_or_default()
                .into(),
            left: format!("the source is {}", kinds[0]),
            right: format!("the other parts are {}", kinds[1..].join(" and ")),
            advice: "bring all parts to one format, or say `kind = \"text\"` for texts".to_owned(),
        }));
    };
    let mut encoded: Vec<Features> = encoded
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(PrepareError::data("the parts"))?;
    let test = test.and_then(|_| encoded.pop());
    let target = encoded
        .pop()
        .unwrap_or_else(|| Features::from(ndarray::Array2::zeros((0, 0))));
    Ok(Encoded {
        sources: encoded,
        target,
        test,
    })
}

fn as_matrix(features: &RawFeatures) -> Option<&Features> {
    if let RawFeatures::Matrix(x) = features {
        Some(x)
    } else {
        None
    }
}

fn as_table(features: &RawFeatures) -> Option<&Table> {
    if let RawFeatures::Table(table) = features {
        Some(table)
    } else {
        None
    }
}

fn as_texts(features: &RawFeatures) -> Option<&[String]> {
    if let RawFeatures::Texts(texts) = features {
        Some(texts)
    } else {
        None
    }
}

/// What features are, in words.
pub(crate) fn kind(features: &RawFeatures) -> &'static str {
    match features {
        RawFeatures::Matrix(_) => "a matrix",
        RawFeatures::Table(_) => "a table",
        RawFeatures::Texts(_) => "texts",
    }
}
