//! Files of weights: whatever the bytes, tensors that are as large as they claim, or typed errors.

use std::io::{Cursor, Write};

use translearn_weights::{Match, StateDict, keras_to_torch};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Reads the bytes as a file. After a `p` they are the pickle of an archive, or after `ps` of one of TorchScript: no fuzzer
/// finds the checksums that an archive needs.
pub(crate) fn run(bytes: &[u8]) {
    match bytes {
        [b'p', b's', pickle @ ..] => read(&archive(pickle, true)),
        [b'p', pickle @ ..] => read(&archive(pickle, false)),
        file => read(file),
    }
}

fn archive(pickle: &[u8], torchscript: bool) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let numbers: Vec<u8> = (0..64).collect();
    let mut add = |name: &str, content: &[u8]| {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        archive.start_file(format!("x/{name}"), options).unwrap();
        archive.write_all(content).unwrap();
    };
    add("data.pkl", pickle);
    add("data/0", &numbers);
    add("data/1", &numbers[..8]);
    if torchscript {
        add("constants.pkl", b"\x80\x02).");
    }
    archive.finish().unwrap().into_inner()
}

/// Uses every tensor.
fn read(bytes: &[u8]) {
    match StateDict::from_bytes(bytes, "fuzz") {
        Ok(dict) => {
            assert!(!dict.is_empty());
            let mut expected = Vec::new();
            for (name, tensor) in dict.iter() {
                let shape = tensor.shape();
                let numbers = if shape.contains(&0) {
                    0
                } else {
                    shape.iter().product()
                };
                assert_eq!(tensor.len(), numbers);
                assert_eq!(tensor.data().len(), numbers * tensor.dtype().size());
                if let Ok(values) = tensor.to_f32() {
                    assert_eq!(values.len(), numbers);
                }
                expected.push((name.to_owned(), shape.to_vec()));
            }
            let found = Match::new(expected, &dict);
            assert!(
                found.is_complete() && found.unexpected.is_empty(),
                "{found}"
            );
            let (n, numbers) = (dict.len(), dict.numbers());
            let converted = keras_to_torch(dict);
            assert!(converted.is_ok_and(|dict| dict.len() == n && dict.numbers() == numbers));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
