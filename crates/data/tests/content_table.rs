//! Tables to matrices: fills, categories, columns that do not fit.

use ndarray::{Array2, array};
use proptest::prelude::*;
use translearn_data::encode::{
    Categories, FitOn, MissingCategories, MissingNumbers, TableEncoder, TableParams,
};
use translearn_data::{Cells, Column, DataError, Table};

fn numbers(name: &str, cells: &[f64]) -> Column {
    Column {
        name: name.to_owned(),
        cells: Cells::Numbers(cells.to_vec()),
    }
}

/// A dash stands for a missing category.
fn words(name: &str, cells: &str) -> Column {
    let cells = cells
        .split(' ')
        .map(|cell| (cell != "-").then(|| cell.to_owned()))
        .collect();
    Column {
        name: name.to_owned(),
        cells: Cells::Categories(cells),
    }
}

fn table(columns: impl Into<Vec<Column>>) -> Table {
    Table {
        columns: columns.into(),
    }
}

fn encode(source: &Table, target: &Table, params: TableParams) -> Result<Array2<f64>, DataError> {
    let encoder = TableEncoder::fit_domains(&[source], target, &params)?;
    Ok(encoder.transform(target)?.dense()?.into_owned())
}

#[test]
fn missing_numbers_are_filled_from_the_source() {
    let source = table([numbers("a", &[1.0, 2.0, 6.0, f64::NAN, 10.0])]);
    let target = table([numbers("a", &[f64::NAN, 100.0])]);
    let fill = |missing_numbers| TableParams {
        missing_numbers,
        ..TableParams::default()
    };
    assert_eq!(
        encode(&source, &target, fill(MissingNumbers::Mean)).unwrap(),
        array![[4.75], [100.0]]
    );
    assert_eq!(
        encode(&source, &target, fill(MissingNumbers::Median)).unwrap(),
        array![[4.0], [100.0]]
    );
    let both = TableParams {
        fit_on: FitOn::Both,
        ..fill(MissingNumbers::Median)
    };
    assert_eq!(
        encode(&source, &target, both).unwrap(),
        array![[6.0], [100.0]]
    );
    let error = encode(&source, &target, fill(MissingNumbers::Refuse)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("missing number in row 3 of column `a`"),
        "{error}"
    );
    let whole = table([numbers("a", &[1.0])]);
    let error = encode(&whole, &target, fill(MissingNumbers::Refuse)).unwrap_err();
    assert!(error.to_string().contains("row 0 of column `a`"), "{error}");
}

#[test]
fn categories_unseen_in_the_source() {
    let source = table([words("c", "b a b"), numbers("n", &[1.0, 2.0, 3.0])]);
    let target = table([numbers("n", &[4.0, 5.0, 6.0]), words("c", "a z -")]);
    let one_hot = encode(&source, &target, TableParams::default()).unwrap();
    assert_eq!(
        one_hot,
        array![[1.0, 0.0, 4.0], [0.0, 0.0, 5.0], [0.0, 0.0, 6.0]]
    );
    let ordinal = TableParams {
        categories: Categories::Ordinal,
        ..TableParams::default()
    };
    let error = encode(&source, &target, ordinal).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("category `z` in row 1 of column `c`"),
        "{error}"
    );
    let both = TableParams {
        fit_on: FitOn::Both,
        ..ordinal
    };
    assert_eq!(
        encode(&source, &target, both).unwrap(),
        array![[0.0, 4.0], [2.0, 5.0], [3.0, 6.0]]
    );
}

#[test]
fn missing_categories_have_their_place() {
    let source = table([words("c", "10 9 - 9 10 x")]);
    let encoder = TableEncoder::fit(&[&source], &TableParams::default()).unwrap();
    assert_eq!(
        encoder.feature_names(),
        ["c=10", "c=9", "c=x", "c is missing"]
    );
    let x = encoder.transform(&source).unwrap();
    assert_eq!(x.dense().unwrap().row(2), array![0.0, 0.0, 0.0, 1.0]);
    // 9 and 10 are equally frequent: the first in order wins.
    let frequent = TableParams {
        missing_categories: MissingCategories::MostFrequent,
        categories: Categories::Ordinal,
        ..TableParams::default()
    };
    let x = encode(&source, &source, frequent).unwrap();
    assert_eq!(x.column(0), array![0.0, 1.0, 0.0, 1.0, 0.0, 2.0]);
}

#[test]
fn a_column_of_two_kinds() {
    // Read by itself, one file's column looks numeric and the other's does not.
    let source = table([numbers("c", &[1.0, 2.0])]);
    let target = table([words("c", "1 x -")]);
    let error = encode(&source, &target, TableParams::default()).unwrap_err();
    assert!(error.to_string().contains("row 0 has `1`"), "{error}");
    let both = TableParams {
        fit_on: FitOn::Both,
        ..TableParams::default()
    };
    let encoder = TableEncoder::fit_domains(&[&source], &target, &both).unwrap();
    assert_eq!(
        encoder.feature_names(),
        ["c=1", "c=2", "c=x", "c is missing"]
    );
    assert_eq!(
        *encoder.transform(&source).unwrap().dense().unwrap(),
        array![[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    );
}

#[test]
fn tables_that_do_not_fit_are_refused() {
    let source = table([numbers("age", &[1.0]), words("sex", "f")]);
    let encoder = TableEncoder::fit(&[&source], &TableParams::default()).unwrap();
    let refuse = |columns: Vec<Column>| encoder.transform(&table(columns)).unwrap_err().to_string();
    let error = refuse(vec![numbers("agee", &[1.0]), words("sex", "f")]);
    assert!(
        error.contains("no column `age`; did you mean `agee`?"),
        "{error}"
    );
    let error = refuse(vec![
        numbers("age", &[1.0]),
        words("sex", "f"),
        numbers("id", &[1.0]),
    ]);
    assert!(error.contains("a column `id`"), "{error}");
    let error = refuse(vec![numbers("age", &[1.0, 2.0]), words("sex", "f")]);
    assert!(
        error.contains("`age` has 2 rows but column `sex` has 1"),
        "{error}"
    );
    assert!(refuse(vec![numbers("age", &[f64::INFINITY]), words("sex", "f")]).contains("inf"));
    let fit = |columns: Vec<Column>| {
        TableEncoder::fit(&[&table(columns)], &TableParams::default()).unwrap_err()
    };
    assert!(
        fit(vec![numbers("a", &[1.0, f64::NEG_INFINITY])])
            .to_string()
            .contains("-inf")
    );
    for columns in [
        vec![],
        vec![numbers("a", &[])],
        vec![numbers("a", &[f64::NAN])],
        vec![words("c", "- -")],
    ] {
        assert!(matches!(fit(columns), DataError::Empty { .. }));
    }
}

#[test]
fn a_written_encoder_reads_back_as_it_was() {
    let source = table([words("c", "b - a"), numbers("n", &[1.0, f64::NAN, 0.1])]);
    let encoder = TableEncoder::fit(&[&source], &TableParams::default()).unwrap();
    let again: TableEncoder =
        serde_json::from_str(&serde_json::to_string(&encoder).unwrap()).unwrap();
    assert_eq!(again, encoder);
    let params: TableParams =
        toml::from_str("categories = 'ordinal'\nmissing_categories = 'most-frequent'").unwrap();
    assert_eq!(params.categories, Categories::Ordinal);
    assert!(toml::from_str::<TableParams>("category = 'ordinal'").is_err());
}

proptest! {
    #[test]
    fn one_hot_rows_name_their_category(cells in prop::collection::vec("[a-e-]", 1..30)) {
        prop_assume!(cells.iter().any(|cell| cell != "-"));
        let source = table([words("c", &cells.join(" "))]);
        let encoder = TableEncoder::fit(&[&source], &TableParams::default()).unwrap();
        let x = encoder.transform(&source).unwrap();
        for (row, cell) in x.dense().unwrap().rows().into_iter().zip(&cells) {
            let hot: Vec<&String> =
                row.iter().zip(encoder.feature_names()).filter(|(v, _)| **v == 1.0).map(|(_, n)| n).collect();
            let expected = if cell == "-" { "c is missing".to_owned() } else { format!("c={cell}") };
            prop_assert_eq!(hot, vec![&expected]);
            prop_assert_eq!(row.sum(), 1.0);
        }
    }
}
