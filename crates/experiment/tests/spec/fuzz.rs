//! The parser of specifications meets arbitrary text, and the corpus that fuzzing has collected.

#[path = "../fuzz_corpus/spec.rs"]
mod body;

use std::path::Path;

use proptest::prelude::*;

#[test]
fn the_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/spec");
    let mut files: Vec<_> = std::fs::read_dir(&corpus)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(
        files.len() >= 10,
        "{} holds {} files",
        corpus.display(),
        files.len()
    );
    for file in files {
        body::run(&std::fs::read(&file).unwrap());
    }
}

/// Pieces of real specifications in any order reach further than random characters.
fn piece() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "schema = 1\n",
        "name = 'x'\n",
        "seeds = ",
        "metrics = ['accuracy']\n",
        "[[task]]\n",
        "[[method]]\n",
        "[task]\n",
        "source = ",
        "target = ",
        "{ set = 'iris-embedded' }\n",
        "{ file = 'a.csv' }\n",
        "use = 'coral'\n",
        "use = 'tca'\n",
        "lambda = ",
        "n_components = ",
        "learner = ",
        "{ use = 'knn', k = [1, 2] }\n",
        "labelled = ",
        "{ count = 3 }\n",
        "select = 'oracle'\n",
        "folds = 2\n",
        "tasks = ['x']\n",
        "{ sweep = [1, 2] }\n",
        "{ sweep = [1, 1] }\n",
        "[curve]\n",
        "contrasts = [['tca', 'coral']]\n",
        "x = 'rows'\n",
        "at = ",
        "kind = 'text'\n",
        "classes = { a = ['1'] }\n",
        "1\n",
        "-1\n",
        "[1, 2]\n",
        "'auto'\n",
        "nan\n",
        "[]\n",
        "{}\n",
        "memory_limit = '1 GiB'\n",
        "preprocess = ['zscore']\n",
        "\n",
    ]);
    prop_oneof![9 => words.prop_map(str::to_owned), 1 => any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_answered(text: String) {
        body::run(text.as_bytes());
    }

    #[test]
    fn any_order_of_pieces_is_answered(pieces in prop::collection::vec(piece(), 0..25)) {
        body::run(pieces.concat().as_bytes());
    }

    #[test]
    fn any_cut_of_a_specification_is_answered(cut in 0..2000_usize, inserted in "\\PC{0,8}") {
        let text = include_str!("../../../../xtask/experiments/quickstart.toml");
        let mut cut = cut.min(text.len());
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        body::run(&text.as_bytes()[..cut]);
        body::run(format!("{}{inserted}{}", &text[..cut], &text[cut..]).as_bytes());
    }
}
