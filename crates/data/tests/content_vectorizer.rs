//! The vectoriser against scikit-learn's values, and against a slow version of itself.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ndarray::Array2;
use proptest::prelude::*;
use serde::Deserialize;
use translearn_core::{Csr, Features};
use translearn_data::text::{
    DocumentFrequency, StopWords, TextParams, TfidfTransform, Vectorizer, Weighting,
};
use translearn_data::{DataError, encode::FitOn};

#[derive(Deserialize)]
struct Fixture {
    documents: Vec<String>,
    fitted_on_first: usize,
    cases: Vec<Case>,
    counts: Vec<Vec<f64>>,
    counts_fitted_on_first: usize,
    transforms: Vec<Transform>,
}

#[derive(Deserialize)]
struct Case {
    params: TextParams,
    vocabulary: Vec<String>,
    matrix: Matrix,
}

#[derive(Deserialize)]
struct Matrix {
    indptr: Vec<usize>,
    indices: Vec<usize>,
    data: Vec<f64>,
}

#[derive(Deserialize)]
struct Transform {
    sublinear: bool,
    idf: Vec<f64>,
    result: Vec<Vec<f64>>,
}

fn fixture() -> Fixture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/content/vectorizer.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn csr(x: &Features) -> &Csr {
    match x {
        Features::Sparse(x) => x,
        _ => panic!("the vectoriser gives sparse rows"),
    }
}

fn table(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

#[test]
fn vocabulary_structure_and_values_are_scikit_learns() {
    let fixture = fixture();
    let documents = || fixture.documents.iter().map(String::as_str);
    for case in &fixture.cases {
        let vectorizer =
            Vectorizer::fit(documents().take(fixture.fitted_on_first), &case.params).unwrap();
        assert_eq!(
            vectorizer.vocabulary(),
            case.vocabulary,
            "{:?}",
            case.params
        );
        let x = vectorizer.transform(documents()).unwrap();
        assert_eq!(x.n_columns(), case.vocabulary.len());
        let x = csr(&x);
        assert_eq!(
            x.indptr().raw_storage(),
            case.matrix.indptr,
            "{:?}",
            case.params
        );
        assert_eq!(x.indices(), case.matrix.indices, "{:?}", case.params);
        for (ours, theirs) in x.data().iter().zip(&case.matrix.data) {
            assert!(
                (ours - theirs).abs() < 1e-12,
                "{ours} against {theirs} with {:?}",
                case.params
            );
        }
    }
    assert!(fixture.cases.len() > 10);
}

#[test]
fn tfidf_of_given_counts_is_scikit_learns() {
    let fixture = fixture();
    let counts = table(&fixture.counts);
    let fitted_on: Vec<usize> = (0..fixture.counts_fitted_on_first).collect();
    let dense = Features::from(counts);
    let sparse = Features::Sparse(dense.to_sparse().unwrap().into_owned());
    for transform in &fixture.transforms {
        for counts in [&dense, &sparse] {
            let tfidf =
                TfidfTransform::fit(&counts.select_rows(&fitted_on), transform.sublinear).unwrap();
            for (ours, theirs) in tfidf.idf().iter().zip(&transform.idf) {
                assert!((ours - theirs).abs() < 1e-12);
            }
            let result = tfidf.transform(counts).unwrap();
            assert_eq!(result.is_sparse(), counts.is_sparse());
            let difference = &*result.dense().unwrap() - &table(&transform.result);
            assert!(difference.iter().all(|d| d.abs() < 1e-12), "{difference}");
        }
    }
}

#[test]
fn the_stop_words_are_in_order_and_complete() {
    let words = StopWords::English.words();
    assert_eq!(words.len(), 318);
    assert!(words.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn a_written_vectorizer_reads_back_as_it_was() {
    let fixture = fixture();
    let documents = || fixture.documents.iter().map(String::as_str);
    for case in &fixture.cases {
        let vectorizer = Vectorizer::fit(documents(), &case.params).unwrap();
        let again: Vectorizer =
            serde_json::from_str(&serde_json::to_string(&vectorizer).unwrap()).unwrap();
        assert_eq!(again, vectorizer);
        assert_eq!(
            again.transform(documents()).unwrap(),
            vectorizer.transform(documents()).unwrap()
        );
    }
}

#[test]
fn fit_on_decides_whose_words_count() {
    let (source, target) = (["old engine"], ["new engine"]);
    let fit = |fit_on| {
        let params = TextParams {
            fit_on,
            ..TextParams::default()
        };
        Vectorizer::fit_domains(source, target, &params)
            .unwrap()
            .vocabulary()
            .to_vec()
    };
    assert_eq!(fit(FitOn::Source), ["engine", "old"]);
    assert_eq!(fit(FitOn::Both), ["engine", "new", "old"]);
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let fit = |params: &TextParams| Vectorizer::fit(["one two", "two three"], params).unwrap_err();
    let default = TextParams::default;
    let count = DocumentFrequency::Count;
    for (params, name) in [
        (
            TextParams {
                ngrams: (0, 1),
                ..default()
            },
            "ngrams",
        ),
        (
            TextParams {
                ngrams: (3, 2),
                ..default()
            },
            "ngrams",
        ),
        (
            TextParams {
                min_df: DocumentFrequency::Fraction(1.5),
                ..default()
            },
            "min_df",
        ),
        (
            TextParams {
                max_df: DocumentFrequency::Fraction(f64::NAN),
                ..default()
            },
            "max_df",
        ),
        (
            TextParams {
                max_df: count(0),
                ..default()
            },
            "max_df",
        ),
        (
            TextParams {
                min_df: count(2),
                max_df: count(1),
                ..default()
            },
            "max_df",
        ),
        (
            TextParams {
                sublinear: true,
                weighting: Weighting::Counts,
                ..default()
            },
            "sublinear",
        ),
    ] {
        match fit(&params) {
            DataError::InvalidOption { name: named, .. } => assert_eq!(named, name),
            other => panic!("{other}"),
        }
    }
    let twice = TextParams {
        min_df: count(2),
        ..default()
    };
    assert!(matches!(
        Vectorizer::fit(["one two", "three four"], &twice),
        Err(DataError::Empty { .. })
    ));
    let none: [&str; 0] = [];
    assert!(matches!(
        Vectorizer::fit(none, &default()),
        Err(DataError::Empty { .. })
    ));
}

/// The definition, word for word, without an index.
fn naive(documents: &[String], params: &TextParams) -> (Vec<String>, Array2<f64>) {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let terms: Vec<Vec<String>> = documents
        .iter()
        .map(|text| {
            let lower = text.to_lowercase();
            let tokens: Vec<&str> = lower.split(|c| !word(c)).filter(|t| t.len() > 1).collect();
            (params.ngrams.0..=params.ngrams.1)
                .flat_map(|n| tokens.windows(n).map(|w| w.join(" ")).collect::<Vec<_>>())
                .collect()
        })
        .collect();
    let df = |term: &str| terms.iter().filter(|t| t.iter().any(|x| x == term)).count() as f64;
    let all: BTreeSet<&String> = terms.iter().flatten().collect();
    let DocumentFrequency::Count(low) = params.min_df else {
        unreachable!()
    };
    let vocabulary: Vec<String> = all
        .into_iter()
        .filter(|t| df(t) >= f64::from(low))
        .cloned()
        .collect();
    let n = documents.len() as f64;
    let mut x = Array2::from_shape_fn((documents.len(), vocabulary.len()), |(i, j)| {
        let tf = terms[i].iter().filter(|t| **t == vocabulary[j]).count() as f64;
        let tf = if params.sublinear && tf > 0.0 {
            1.0 + tf.ln()
        } else {
            tf
        };
        tf * (((1.0 + n) / (1.0 + df(&vocabulary[j]))).ln() + 1.0)
    });
    for mut row in x.rows_mut() {
        let norm = row.dot(&row).sqrt();
        if norm > 0.0 {
            row /= norm;
        }
    }
    (vocabulary, x)
}

proptest! {
    #[test]
    fn the_fast_way_is_the_slow_way(
        documents in prop::collection::vec("([abAB_]{1,3}[ ,]){0,8}", 1..8),
        low in 1_u32..3, longest in 1_usize..4, sublinear: bool,
    ) {
        let params = TextParams {
            min_df: DocumentFrequency::Count(low), ngrams: (1, longest), sublinear, ..TextParams::default()
        };
        let (vocabulary, expected) = naive(&documents, &params);
        match Vectorizer::fit(documents.iter().map(String::as_str), &params) {
            Err(_) => prop_assert!(vocabulary.is_empty()),
            Ok(vectorizer) => {
                prop_assert_eq!(vectorizer.vocabulary(), vocabulary);
                let x = vectorizer.transform(documents.iter().map(String::as_str)).unwrap();
                let difference = &*x.dense().unwrap() - &expected;
                prop_assert!(difference.iter().all(|d| d.abs() < 1e-12));
            }
        }
    }

    #[test]
    fn the_order_of_documents_changes_nothing(documents in prop::collection::vec("([a-c]{2,3} ){1,6}", 2..8)) {
        let fit = |texts: &mut dyn Iterator<Item = &str>| {
            let all: Vec<&str> = texts.collect();
            Vectorizer::fit(all.iter().copied(), &TextParams::default()).unwrap()
        };
        let forward = fit(&mut documents.iter().map(String::as_str));
        let backward = fit(&mut documents.iter().rev().map(String::as_str));
        prop_assert_eq!(&forward, &backward);
        let text = documents[0].as_str();
        let alone = forward.transform([text]).unwrap();
        let batch = forward.transform(documents.iter().map(String::as_str)).unwrap();
        prop_assert_eq!(alone, batch.select_rows(&[0]));
    }
}

#[test]
fn real_newsgroups_match_scikit_learns_shape() {
    let Some(mirror) = std::env::var_os("TRANSLEARN_MIRROR") else {
        eprintln!("skipped: TRANSLEARN_MIRROR is not set, so 20news-bydate is not read");
        return;
    };
    use translearn_data::folder::FolderParams;
    use translearn_data::{RawFeatures, RawLabels};
    let archive = Path::new(&mirror).join("20news-bydate/20news-bydate.tar.gz");
    let read = |part: &str| {
        let mut params = FolderParams::under(&format!("data/20news-bydate-{part}"));
        params.skip = vec!["alt.atheism/54473-o".to_owned()];
        let sample = translearn_data::text::read(&archive, &params).unwrap();
        match (sample.features, sample.labels) {
            (RawFeatures::Texts(texts), Some(RawLabels::Names(names))) => (texts, names),
            other => panic!("{other:?}"),
        }
    };
    let (train, names) = read("train");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    names
        .iter()
        .for_each(|name| *counts.entry(name).or_default() += 1);
    assert_eq!(
        (
            train.len(),
            counts.len(),
            counts["alt.atheism"],
            counts["rec.autos"]
        ),
        (11_314, 20, 480, 594)
    );
    let (test, _) = read("test");
    assert_eq!(test.len(), 7532);
    // The protocol of the TrAdaBoost experiments; the numbers are scikit-learn 1.9.1's on the same bytes.
    let params: TextParams =
        toml::from_str("stop_words = 'english'\nmin_df = 5\nmax_df = 0.1").unwrap();
    let vectorizer = Vectorizer::fit(train.iter().map(String::as_str), &params).unwrap();
    let x = vectorizer
        .transform(train.iter().map(String::as_str))
        .unwrap();
    assert_eq!((x.n_columns(), csr(&x).nnz()), NEWSGROUPS_SHAPE);
    let sum: f64 = csr(&x).data().iter().sum();
    assert!((sum - NEWSGROUPS_SUM).abs() < 1e-6, "{sum}");
}

const NEWSGROUPS_SHAPE: (usize, usize) = (25_571, 977_716);
const NEWSGROUPS_SUM: f64 = 78_687.491_740_830_45;
