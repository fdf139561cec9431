//! Delimited text: whatever the bytes, a table whose columns agree in length, or a typed error.

use std::path::Path;

use translearn_data::Cells;
use translearn_data::read::{ReadOptions, delimited};

/// The first byte chooses the options, so that one corpus reaches all of them.
pub(crate) fn run(bytes: &[u8]) {
    let Some((&choice, text)) = bytes.split_first() else {
        return;
    };
    let options = ReadOptions {
        header: [None, Some(true), Some(false)][usize::from(choice % 3)],
        delimiter: [None, Some(','), Some(';'), Some('\t'), Some('x')][usize::from(choice / 3 % 5)],
        ..ReadOptions::default()
    };
    match delimited::parse(Path::new("fuzz.csv"), text, &options) {
        Ok(table) => {
            let lengths = table.columns.iter().map(|column| match &column.cells {
                Cells::Numbers(numbers) => numbers.len(),
                Cells::Categories(cells) => cells.len(),
            });
            let lengths: Vec<usize> = lengths.collect();
            assert!(
                lengths[0] > 0 && lengths.iter().all(|&length| length == lengths[0]),
                "{lengths:?}"
            );
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
