//! What does not fit into rows and labels: tasks, attributes, networks, words; and rows that are images.

use std::collections::BTreeSet;
use std::path::PathBuf;

use translearn_core::{Features, Image};
use translearn_data::catalog::{self, PixelRows, Select, WordFormat};
use translearn_data::words::WordVectors;
use translearn_data::{DataError, RawFeatures};

use super::fingerprint::counts;
use super::{available, cache};

#[test]
fn the_schools_are_139_tasks() {
    let cache = cache();
    let Some(set) = available("school", &cache) else {
        return;
    };
    let tasks = set.tasks(&cache).unwrap();
    assert_eq!(tasks.tasks.len(), 139);
    let (x, y, task) = tasks.flatten();
    assert_eq!(
        (x.dim(), y.len(), task.len()),
        ((15_362, 28), 15_362, 15_362)
    );
    assert!(x.column(27).iter().all(|&value| value == 1.0));
    assert_eq!(
        (task[0], task[199], task[200], task[15_361]),
        (0, 0, 1, 138)
    );
    // Scores from 1 to 70, with a sum of 316 416.
    let range = y
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &y| {
            (a.min(y), b.max(y))
        });
    assert_eq!((range, y.sum()), ((1.0, 70.0), 316_416.0));
}

#[test]
fn the_animals_have_85_attributes_and_a_split_of_40_and_10() {
    let cache = cache();
    let Some(set) = available("awa1", &cache) else {
        return;
    };
    let attributes = set.attributes(&cache).unwrap();
    assert_eq!((attributes.classes.len(), attributes.names.len()), (50, 85));
    assert_eq!(
        (
            attributes.classes[0].as_str(),
            attributes.names[84].as_str()
        ),
        ("antelope", "domestic")
    );
    for matrix in [&attributes.continuous, &attributes.binary] {
        assert_eq!(matrix.dim(), (50, 85));
    }
    assert!(
        attributes
            .binary
            .iter()
            .all(|&value| value == 0.0 || value == 1.0)
    );
    assert!(attributes.continuous[[0, 0]].is_nan());
    assert_eq!(
        (attributes.continuous[[0, 4]], attributes.continuous[[1, 0]]),
        (12.34, 39.25)
    );
    let split: BTreeSet<usize> = attributes
        .seen
        .iter()
        .chain(&attributes.unseen)
        .copied()
        .collect();
    assert_eq!(
        (attributes.seen.len(), attributes.unseen.len(), split.len()),
        (40, 10, 50)
    );
    assert_eq!(attributes.classes[attributes.unseen[0]], "chimpanzee");
}

#[test]
fn papers_have_several_subjects_or_one() {
    let cache = cache();
    if let Some(set) = available("citation-domains", &cache) {
        let graph = set.graph(&Select::domain("acmv9"), &cache).unwrap();
        assert_eq!(
            (
                graph.features.shape(),
                graph.edges.shape(),
                graph.classes.dim()
            ),
            ((9360, 6775), (9360, 9360), (9360, 5))
        );
        let per_class: Vec<usize> = (graph.classes.columns().into_iter())
            .map(|column| column.iter().filter(|&&is| is).count())
            .collect();
        assert_eq!(per_class, [1916, 2872, 2550, 818, 1785]);
        assert_eq!((graph.edges.nnz(), graph.labels()), (31_158, None));
    }
    if let Some(set) = available("citation-npz", &cache) {
        let graph = set.graph(&Select::domain("cora"), &cache).unwrap();
        assert_eq!((graph.features.nnz(), graph.edges.nnz()), (49_216, 5429));
        assert_eq!(counts(&graph.labels().unwrap()).len(), 7);
    }
}

#[test]
fn word_vectors_are_read_in_every_format() {
    let cache = cache();
    let Some(set) = available("word-vectors", &cache) else {
        return;
    };
    let path = |file: &str| -> PathBuf { set.fetch(&cache, file).unwrap() };
    for file in set.words() {
        let read = match file.format {
            WordFormat::Text => WordVectors::read_text(&path(&file.file)),
            WordFormat::Word2vec => WordVectors::read_word2vec(&path(&file.file)),
        };
        let vectors = read.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            (vectors.len(), vectors.dimension()),
            (file.words, file.dimension),
            "{}",
            file.file
        );
    }
    // The same vectors in three formats.
    let text = WordVectors::read_text(&path("finalfusion/similarity.txt")).unwrap();
    assert_eq!(
        WordVectors::read_text(&path("finalfusion/similarity.nodims")).unwrap(),
        text
    );
    assert_eq!(
        WordVectors::read_word2vec(&path("finalfusion/similarity.bin"))
            .unwrap()
            .words(),
        text.words()
    );
    let binary = WordVectors::read_word2vec(&path("finalfusion/similarity.bin")).unwrap();
    let difference = (&binary.vectors() - &text.vectors()).fold(0.0_f32, |max, d| max.max(d.abs()));
    assert!(difference < 1e-5, "{difference}");

    // A header that promises 2 519 370 words over 99 of them.
    let error = WordVectors::read_text(&path("torchtext/wiki.en.vec")).unwrap_err();
    assert!(matches!(error, DataError::Malformed { .. }), "{error}");
    assert!(
        ["2519370 words", "99 whole ones"]
            .iter()
            .all(|part| error.to_string().contains(part)),
        "{error}"
    );
    // fastText models are no word vectors: two that say so and two from before they did.
    for file in ["finalfusion/fasttext.bin", "gensim/lee_fasttext_new.bin"] {
        let error = WordVectors::read_word2vec(&path(file)).unwrap_err();
        assert!(matches!(error, DataError::Unsupported { .. }), "{error}");
    }
    for file in ["gensim/lee_fasttext.bin", "gensim/non_ascii_fasttext.bin"] {
        let error = WordVectors::read_word2vec(&path(file)).unwrap_err();
        assert!(matches!(error, DataError::Malformed { .. }), "{error}");
    }
}

/// Sums that numpy computed from the same files, plain and by place, of the first and the last image.
#[test]
fn rows_of_pixels_are_images() {
    let cache = cache();
    let sum = |image: &Image| -> (u64, u64) {
        let pixels = image.pixels().iter().enumerate();
        pixels.fold((0, 0), |(sum, placed), (place, &value)| {
            let value = u64::from(value);
            (sum + value, placed + value * (place as u64 % 97))
        })
    };
    for (name, select, side, n, first, last) in [
        (
            "mnist-t10k",
            Select::all(),
            28,
            10_000,
            (18_454, 873_417),
            (41_833, 2_101_457),
        ),
        (
            "usps",
            Select::all().split("train"),
            16,
            7291,
            (22_261, 926_264),
            (18_032, 806_435),
        ),
        (
            "usps",
            Select::all().split("test"),
            16,
            2007,
            (17_768, 750_298),
            (12_334, 541_061),
        ),
        (
            "mnist-usps",
            Select::domain("mnist"),
            16,
            2000,
            (12_190, 619_123),
            (7394, 333_978),
        ),
        (
            "mnist-usps",
            Select::domain("usps"),
            16,
            1800,
            (21_899, 930_462),
            (16_708, 728_713),
        ),
    ] {
        let Some(set) = available(name, &cache) else {
            continue;
        };
        let pixels = set.pixels(&select).unwrap().unwrap();
        assert!(set.select(&select).unwrap()[0].holds_images());
        let RawFeatures::Matrix(rows) = set.load(&select, &cache).unwrap().features else {
            panic!("{name} is a matrix")
        };
        let images = pixels.images(&rows).unwrap();
        let (a, b) = (images.get(0).unwrap(), images.get(n - 1).unwrap());
        assert_eq!((a.shape(), images.n_rows()), ((side, side, 1), n), "{name}");
        assert_eq!((sum(a), sum(b)), (first, last), "{name}");
    }
}

#[test]
fn rows_that_are_no_pixels_are_refused() {
    let pixels = PixelRows {
        height: 1,
        width: 2,
        white: 1.0,
    };
    let refuse = |row: [f64; 2]| {
        let x = Features::from(ndarray::arr2(&[[0.0, 0.0], row]));
        pixels.images(&x).unwrap_err().to_string()
    };
    for value in [-0.1, 1.1, f64::NAN] {
        let error = refuse([0.5, value]);
        assert!(error.contains("row 1, column 1"), "{error}");
    }
    let wide = Features::from(ndarray::Array2::zeros((1, 3)));
    let error = pixels.images(&wide).unwrap_err().to_string();
    assert!(error.contains("1 x 2 pixels has 2"), "{error}");
    assert_eq!(
        catalog::set("awa1")
            .unwrap()
            .pixels(&Select::all())
            .ok()
            .flatten(),
        None
    );
}
