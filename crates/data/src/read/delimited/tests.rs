use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Table, DataError> {
    parse(Path::new("t.csv"), text.as_bytes(), &ReadOptions::default())
}

fn message(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

fn categories(cells: &[&str]) -> Cells {
    Cells::Categories(
        cells
            .iter()
            .map(|cell| (!cell.is_empty()).then(|| (*cell).to_owned()))
            .collect(),
    )
}

#[test]
fn quotes_delimiters_and_line_ends() {
    let table = read("\u{feff}\"a, b\";c\r\n\"say \"\"hi\"\"\n twice\";1\r\n\r\nx ; 2").unwrap();
    assert_eq!(table.columns[0].name, "a, b");
    assert_eq!(
        table.columns[0].cells,
        categories(&["say \"hi\"\n twice", "x"])
    );
    assert_eq!(table.columns[1].cells, Cells::Numbers(vec![1.0, 2.0]));
    for delimiter in [",", ";", "\t", "|"] {
        let table = read(&["a", "b\n1", "2\n3", "4\n"].join(delimiter)).unwrap();
        assert_eq!(
            table.columns[1].cells,
            Cells::Numbers(vec![2.0, 4.0]),
            "{delimiter:?}"
        );
    }
    let one = read("x\n1\n2\n").unwrap();
    assert_eq!(one.columns.len(), 1);
}

#[test]
fn a_column_is_numbers_or_categories_as_a_whole() {
    let table = read("a,b,c,d\n1,2,?,NA\nnan,x,-1e3,\n007,3,inf,null\n").unwrap();
    let Cells::Numbers(a) = &table.columns[0].cells else {
        panic!()
    };
    assert!(a[0] == 1.0 && a[1].is_nan() && a[2] == 7.0);
    assert_eq!(table.columns[1].cells, categories(&["2", "x", "3"]));
    let Cells::Numbers(c) = &table.columns[2].cells else {
        panic!()
    };
    assert!(c[0].is_nan() && c[1] == -1000.0 && c[2] == f64::INFINITY);
    assert!(
        matches!(&table.columns[3].cells, Cells::Numbers(d) if d.iter().all(|value| value.is_nan()))
    );
}

#[test]
fn missing_tokens_can_be_named() {
    let options = ReadOptions {
        missing: Some(vec!["-9".into()]),
        ..ReadOptions::default()
    };
    let table = parse(Path::new("t"), b"a,b\n-9,?\n2,x\n", &options).unwrap();
    let Cells::Numbers(a) = &table.columns[0].cells else {
        panic!()
    };
    assert!(a[0].is_nan());
    assert_eq!(table.columns[1].cells, categories(&["?", "x"]));
}

#[test]
fn headers() {
    let error = message("1,2\n3,4\n");
    assert!(
        error.contains("line 1: expected a header") && error.contains("`header = false`"),
        "{error}"
    );
    for (header, names) in [(true, ["1", "2"]), (false, ["column 1", "column 2"])] {
        let options = ReadOptions {
            header: Some(header),
            ..ReadOptions::default()
        };
        let table = parse(Path::new("t"), b"1,2\n3,4\n", &options).unwrap();
        assert_eq!(
            table
                .columns
                .iter()
                .map(|column| column.name.as_str())
                .collect::<Vec<_>>(),
            names
        );
    }
    assert!(message("a,b,a\n1,2,3\n").contains("columns 1 and 3 are both named `a`"));
    assert_eq!(read(",x\n0,1\n").unwrap().columns[0].name, "column 1");
}

#[test]
fn ragged_rows_name_line_and_both_widths() {
    let error = read("a,b\n1,2\n\n\n\"3\n\",4\n5,6,7\n").unwrap_err();
    assert!(
        matches!(
            error,
            DataError::Ragged {
                line: 7,
                expected: 2,
                found: 3,
                ..
            }
        ),
        "{error}"
    );
    let error = read("a,b\n1,2\n3\n").unwrap_err();
    assert!(
        matches!(
            error,
            DataError::Ragged {
                line: 3,
                expected: 2,
                found: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_quote_left_open_is_found() {
    for text in ["a,b\n1,2\n\"3,4\n5,6\n7,8\n", "a,b\n1,2\n3,\"4\n5,6\n"] {
        let error = message(text);
        assert!(
            error.contains("line 3: expected a closing quote"),
            "{error}"
        );
    }
    // A quote inside a bare cell is a letter like any other.
    assert_eq!(
        read("a,b\n5\" pipe,2\n").unwrap().columns[0].cells,
        categories(&["5\" pipe"])
    );
}

#[test]
fn what_is_no_text_names_its_line() {
    let error = parse(
        Path::new("t"),
        b"a,b\n1,x\n2,caf\xe9\n",
        &ReadOptions::default(),
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("line 3: expected UTF-8") && error.contains("0xe9"),
        "{error}"
    );
}

#[test]
fn nothing_is_no_table() {
    for text in ["", "\n\n", "a,b\n"] {
        assert!(
            matches!(read(text), Err(DataError::Empty { .. })),
            "{text:?}"
        );
    }
    let options = ReadOptions {
        delimiter: Some('ü'),
        ..ReadOptions::default()
    };
    assert!(matches!(
        parse(Path::new("t"), b"a\n1\n", &options),
        Err(DataError::InvalidOption { .. })
    ));
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-a-z ,;\"\n|äß]{0,6}".prop_map(|text| text.trim().to_owned()),
        (-1e6..1e6).prop_map(|number: f64| number.to_string()),
        Just("?".to_owned()),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        rows in (1_usize..5, 1_usize..8).prop_flat_map(|(columns, rows)| {
            proptest::collection::vec(proptest::collection::vec(cell(), columns), rows)
        }),
        delimiter in proptest::sample::select(vec![',', ';', '\t', '|']),
    ) {
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter as u8)
            .quote_style(csv::QuoteStyle::Always)
            .from_writer(Vec::new());
        let names: Vec<String> = (0..rows[0].len()).map(|column| format!("c{column}")).collect();
        writer.write_record(&names).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let options = ReadOptions { delimiter: Some(delimiter), ..ReadOptions::default() };
        let table = parse(Path::new("t"), &bytes, &options).unwrap();
        for (at, column) in table.columns.iter().enumerate() {
            let written = rows.iter().map(|row| row[at].as_str());
            let is_missing = |cell: &str| cell.is_empty() || cell == "?";
            match &column.cells {
                Cells::Numbers(numbers) => {
                    prop_assert_eq!(numbers.len(), rows.len());
                    for (cell, number) in written.zip(numbers) {
                        let agrees = if is_missing(cell) { number.is_nan() } else { cell.parse() == Ok(*number) };
                        prop_assert!(agrees, "{} became {}", cell, number);
                    }
                }
                Cells::Categories(cells) => {
                    let written: Vec<_> =
                        written.map(|cell| (!is_missing(cell)).then(|| cell.to_owned())).collect();
                    prop_assert_eq!(cells, &written);
                }
            }
        }
    }
}
