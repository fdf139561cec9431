//! MAT v5: whatever the bytes, variables that can be turned into samples, or typed errors.

use std::path::Path;

use translearn_data::RawFeatures;
use translearn_data::read::{ReadOptions, mat};

/// Parses the bytes as a file and makes a sample of every variable.
pub(crate) fn run(bytes: &[u8]) {
    match mat::parse(Path::new("fuzz.mat"), bytes) {
        Ok(file) => {
            for name in file.names() {
                let _ = file.labels(name);
                let options = ReadOptions {
                    features: Some(name.to_owned()),
                    ..ReadOptions::default()
                };
                let Ok(sample) = file.sample(&options) else {
                    continue;
                };
                assert!(sample.labels.is_none());
                if let RawFeatures::Matrix(matrix) = sample.features
                    && matrix.n_rows() > 0
                {
                    let last = matrix.select_rows(&[matrix.n_rows() - 1]);
                    assert_eq!(last.n_columns(), matrix.n_columns());
                }
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
