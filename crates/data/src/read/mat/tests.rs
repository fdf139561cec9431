use std::io::Write;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::read::{ElementType, Layout, NumericArray, Storage, Value};

/// A writer of version 5 files that knows nothing of the parser.
#[derive(Clone, Copy)]
struct Writer {
    order: ByteOrder,
}

const ORDERS: [Writer; 2] = [
    Writer {
        order: ByteOrder::Little,
    },
    Writer {
        order: ByteOrder::Big,
    },
];

impl Writer {
    fn u32(self, value: u32) -> [u8; 4] {
        match self.order {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        }
    }

    fn f64s(self, values: &[f64]) -> Vec<u8> {
        let bytes = |value: &f64| match self.order {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        };
        values.iter().flat_map(bytes).collect()
    }

    fn element(self, code: u32, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        if (1..=4).contains(&data.len()) && code != 14 {
            out.extend(self.u32((data.len() as u32) << 16 | code));
            out.extend(data);
        } else {
            out.extend(self.u32(code));
            out.extend(self.u32(data.len() as u32));
            out.extend(data);
        }
        out.resize(out.len().next_multiple_of(8), 0);
        out
    }

    fn u32s(self, code: u32, values: &[u32]) -> Vec<u8> {
        self.element(
            code,
            &values
                .iter()
                .flat_map(|&value| self.u32(value))
                .collect::<Vec<_>>(),
        )
    }

    fn matrix(self, class: u32, shape: &[u32], name: &str, parts: &[Vec<u8>]) -> Vec<u8> {
        let mut data = self.u32s(6, &[class, 0]);
        data.extend(self.u32s(5, shape));
        data.extend(self.element(1, name.as_bytes()));
        data.extend(parts.concat());
        self.element(14, &data)
    }

    fn doubles(self, shape: &[u32], name: &str, values: &[f64]) -> Vec<u8> {
        self.matrix(6, shape, name, &[self.element(9, &self.f64s(values))])
    }

    fn sparse(
        self,
        shape: &[u32],
        name: &str,
        indices: &[u32],
        starts: &[u32],
        values: &[f64],
    ) -> Vec<u8> {
        let parts = [
            self.u32s(5, indices),
            self.u32s(5, starts),
            self.element(9, &self.f64s(values)),
        ];
        self.matrix(5, shape, name, &parts)
    }

    fn compressed(self, matrix: &[u8]) -> Vec<u8> {
        let mut encoder =
            flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(matrix).unwrap();
        let data = encoder.finish().unwrap();
        let mut out = self.u32(15).to_vec();
        out.extend(self.u32(data.len() as u32));
        out.extend(data);
        out
    }

    fn file(self, elements: &[Vec<u8>]) -> Vec<u8> {
        let mut out = vec![b' '; 116];
        out[..10].copy_from_slice(b"MATLAB 5.0");
        out.resize(124, 0);
        out.extend(match self.order {
            ByteOrder::Little => [0, 1, b'I', b'M'],
            ByteOrder::Big => [1, 0, b'M', b'I'],
        });
        out.extend(elements.concat());
        out
    }

    /// One of everything.
    fn everything(self) -> Vec<u8> {
        let cells = [
            self.doubles(&[1, 2], "", &[1.0, 2.0]),
            self.matrix(4, &[1, 2], "", &[self.element(16, b"hi")]),
        ];
        self.file(&[
            self.doubles(&[2, 2], "x", &[1.0, 2.0, 3.0, 4.0]),
            self.compressed(&self.sparse(
                &[3, 2],
                "s",
                &[2, 0, 1, 9, 9],
                &[0, 2, 3],
                &[5.0, 4.0, 6.0, 0.0, 0.0],
            )),
            self.matrix(1, &[1, 2], "c", &cells),
            self.compressed(&self.matrix(8, &[1, 3], "i", &[self.element(1, &[255, 0, 7])])),
            self.matrix(
                2,
                &[1, 1],
                "st",
                &[
                    self.u32s(5, &[4]),
                    self.element(1, b"a\0\0\0bc\0\0"),
                    cells[0].clone(),
                    cells[1].clone(),
                ],
            ),
        ])
    }
}

fn parse_bytes(bytes: &[u8]) -> Result<Variables, DataError> {
    parse(Path::new("t.mat"), bytes)
}

fn message(bytes: &[u8]) -> String {
    parse_bytes(bytes).unwrap_err().to_string()
}

fn numbers(value: &Value) -> (Vec<usize>, Vec<f64>) {
    match value {
        Value::Numeric(array) => (array.shape().to_vec(), array.values().collect()),
        other => panic!("{}", other.describe()),
    }
}

#[test]
fn both_byte_orders_hold_the_same() {
    for writer in ORDERS {
        let file = parse_bytes(&writer.everything()).unwrap();
        assert_eq!(file.names().collect::<Vec<_>>(), ["c", "i", "s", "st", "x"]);
        assert_eq!(
            numbers(file.get("x").unwrap()),
            (vec![2, 2], vec![1.0, 2.0, 3.0, 4.0])
        );
        assert_eq!(
            numbers(file.get("i").unwrap()),
            (vec![1, 3], vec![-1.0, 0.0, 7.0])
        );
        let Value::Sparse(sparse) = file.get("s").unwrap() else {
            panic!()
        };
        assert_eq!(
            sparse.to_dense(),
            ndarray::array![[4.0, 0.0], [0.0, 6.0], [5.0, 0.0]]
        );
        let Value::Cell { cells, .. } = file.get("c").unwrap() else {
            panic!()
        };
        assert_eq!(numbers(&cells[0]).1, [1.0, 2.0]);
        assert_eq!(cells[1], Value::Text(vec!["hi".into()]));
        let Value::Struct { fields, .. } = file.get("st").unwrap() else {
            panic!()
        };
        assert_eq!(
            fields
                .iter()
                .map(|(name, _)| name.as_str())
                .collect::<Vec<_>>(),
            ["a", "bc"]
        );
        assert_eq!(fields[1].1, [Value::Text(vec!["hi".into()])]);
    }
}

#[test]
fn every_truncation_is_an_error_or_a_shorter_list() {
    for writer in ORDERS {
        let whole = writer.everything();
        let all = parse_bytes(&whole).unwrap();
        for length in 0..whole.len() {
            // A cut between two variables leaves a valid file; anything read must be what stands there.
            if let Ok(some) = parse_bytes(&whole[..length]) {
                assert!(some.names().count() <= all.names().count());
                for name in some.names() {
                    assert_eq!(
                        some.get(name).unwrap(),
                        all.get(name).unwrap(),
                        "cut at {length}"
                    );
                }
            }
        }
        let error = message(&whole[..whole.len() - 40]);
        assert!(
            error.contains("byte ") && error.contains("expected"),
            "{error}"
        );
    }
}

#[test]
fn every_changed_byte_is_survived() {
    for writer in ORDERS {
        let whole = writer.everything();
        for at in 0..whole.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= change;
                let _ = parse_bytes(&bytes);
            }
        }
    }
}

#[test]
fn hostile_sizes_are_refused_before_memory_is_reserved() {
    for writer in ORDERS {
        let max = i32::MAX as u32;
        let numbers = writer.element(9, &writer.f64s(&[1.0]));
        for (file, why) in [
            (
                writer.file(&[writer.doubles(&[max, max], "x", &[1.0])]),
                "numbers for `x`",
            ),
            (
                writer.file(&[writer.matrix(1, &[max, max], "c", &[])]),
                "room for 0",
            ),
            (
                writer.file(&[writer.matrix(1, &[max, max, max, max], "c", &[])]),
                "counted",
            ),
            (
                writer.file(&[writer.sparse(&[max, 1], "s", &[0], &[0, max], &[1.0])]),
                "indices and values",
            ),
            (
                writer.file(&[writer.sparse(&[max, max], "s", &[0], &[0, 1], &[1.0])]),
                "starts",
            ),
            (
                writer.file(&[writer.matrix(6, &[u32::MAX, 1], "x", &[numbers])]),
                "below 2^31",
            ),
            (
                writer.file(&[[writer.u32(14), writer.u32(u32::MAX)].concat()]),
                "4294967295 bytes",
            ),
            (writer.file(&[writer.u32s(14, &[9])]), "tag of 8 bytes"),
        ] {
            let error = message(&file);
            assert!(error.contains(why), "{error} does not say {why}");
        }
        // Two billion empty rows are legal as stored; as rows they are refused.
        let file =
            parse_bytes(&writer.file(&[writer.sparse(&[max, 1], "s", &[], &[0, 0], &[])])).unwrap();
        let error = file
            .sample(&crate::read::ReadOptions::default())
            .unwrap_err();
        assert!(matches!(error, DataError::TooLarge { .. }), "{error}");
    }
}

#[test]
fn a_bomb_is_refused() {
    let writer = ORDERS[0];
    let zeros = vec![0_u8; 100 << 20];
    let matrix = writer.matrix(
        9,
        &[zeros.len() as u32, 1],
        "x",
        &[writer.element(2, &zeros)],
    );
    let file = writer.file(&[writer.compressed(&matrix)]);
    assert!(file.len() < 1 << 17);
    assert!(matches!(
        parse_bytes(&file),
        Err(DataError::TooLarge { .. })
    ));
    // Ten bytes of file a cell, a hundred bytes of memory: that is counted, too.
    let mut cells = Vec::new();
    for _ in 0..600_000 {
        cells.extend(writer.u32s(14, &[]));
    }
    let file = writer.file(&[writer.compressed(&writer.matrix(1, &[600_000, 1], "c", &[cells]))]);
    assert!(matches!(
        parse_bytes(&file),
        Err(DataError::TooLarge { .. })
    ));
}

#[test]
fn deep_nesting_is_refused() {
    let writer = ORDERS[0];
    let mut cell = writer.doubles(&[1, 1], "", &[1.0]);
    for _ in 0..20 {
        cell = writer.matrix(1, &[1, 1], "c", &[cell]);
    }
    assert!(parse_bytes(&writer.file(&[cell.clone()])).is_ok());
    for _ in 0..20 {
        cell = writer.matrix(1, &[1, 1], "c", &[cell]);
    }
    assert!(message(&writer.file(&[cell])).contains("32 deep"));
}

#[test]
fn wrong_tags_say_where() {
    let writer = ORDERS[0];
    let error = message(&writer.file(&[writer.element(9, &writer.f64s(&[1.0]))]));
    assert!(
        error.contains("byte 136: expected a matrix or compressed data"),
        "{error}"
    );
    let inner = writer.compressed(&writer.element(9, &writer.f64s(&[1.0])));
    let error = message(&writer.file(&[inner]));
    assert!(
        error.contains("byte 8 of what inflates from byte 136: expected a matrix"),
        "{error}"
    );
    assert!(message(b"MATLAB 5.0").contains("a file of 10 bytes"));
    assert!(message(&[0; 200]).contains("version 4"));
    let mut future = writer.everything();
    future[125] = 3;
    assert!(message(&future).contains("version 5 or 7.3"));
}

#[test]
fn complex_numbers_and_objects_are_named_not_read() {
    let writer = ORDERS[0];
    let parts = [
        writer.element(9, &writer.f64s(&[1.0])),
        writer.element(9, &writer.f64s(&[2.0])),
    ];
    let mut matrix = writer.matrix(6, &[1, 1], "z", &parts);
    matrix[8 + 9] |= 0x08;
    let object = writer.element(
        14,
        &[
            writer.u32s(6, &[17, 0]),
            writer.element(1, b"o"),
            vec![1; 8],
        ]
        .concat(),
    );
    let file = parse_bytes(&writer.file(&[matrix, object])).unwrap();
    assert_eq!(file.get("z").unwrap().describe(), "1 x 1 complex numbers");
    let error = file.labels("o").unwrap_err().to_string();
    assert!(
        error.contains("`o` (an object) is not supported"),
        "{error}"
    );
}

/// A value and how it is written.
fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        (1_usize..4, 1_usize..4).prop_flat_map(|(rows, columns)| {
            proptest::collection::vec(-1e9..1e9, rows * columns)
                .prop_map(move |values| Tree::Numbers(vec![rows, columns], values))
        }),
        "[a-zäß漢]{1,9}".prop_map(Tree::Text),
        (1_usize..6, 1_usize..6).prop_flat_map(|(rows, columns)| {
            proptest::collection::vec(prop_oneof![Just(0.0), 1.0..9.0], rows * columns)
                .prop_map(move |values| Tree::Sparse(rows, columns, values))
        }),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        proptest::collection::vec(inner, 0..4).prop_map(Tree::Cells)
    })
}

#[derive(Debug, Clone)]
enum Tree {
    Numbers(Vec<usize>, Vec<f64>),
    Text(String),
    Sparse(usize, usize, Vec<f64>),
    Cells(Vec<Tree>),
}

impl Tree {
    fn write(&self, writer: Writer, name: &str) -> Vec<u8> {
        match self {
            Self::Numbers(shape, values) => {
                writer.doubles(&[shape[0] as u32, shape[1] as u32], name, values)
            }
            Self::Text(text) => {
                let units: Vec<u16> = text.encode_utf16().collect();
                let bytes: Vec<u8> = (units.iter())
                    .flat_map(|unit| match writer.order {
                        ByteOrder::Little => unit.to_le_bytes(),
                        ByteOrder::Big => unit.to_be_bytes(),
                    })
                    .collect();
                writer.matrix(
                    4,
                    &[1, units.len() as u32],
                    name,
                    &[writer.element(17, &bytes)],
                )
            }
            Self::Sparse(rows, columns, values) => {
                let (mut indices, mut starts, mut kept) = (vec![], vec![0], vec![]);
                for column in 0..*columns {
                    for row in 0..*rows {
                        if values[column * rows + row] != 0.0 {
                            indices.push(row as u32);
                            kept.push(values[column * rows + row]);
                        }
                    }
                    starts.push(indices.len() as u32);
                }
                writer.sparse(
                    &[*rows as u32, *columns as u32],
                    name,
                    &indices,
                    &starts,
                    &kept,
                )
            }
            Self::Cells(cells) => {
                let parts: Vec<_> = cells.iter().map(|cell| cell.write(writer, "")).collect();
                writer.matrix(1, &[cells.len() as u32, 1], name, &parts)
            }
        }
    }

    fn agrees(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Numbers(shape, values), Value::Numeric(array)) => {
                array.shape() == shape && array.values().eq(values.iter().copied())
            }
            (Self::Text(text), Value::Text(rows)) => rows == std::slice::from_ref(text),
            (Self::Sparse(rows, columns, values), Value::Sparse(matrix)) => {
                let dense = matrix.to_dense();
                dense.dim() == (*rows, *columns) && dense.t().iter().eq(values.iter())
            }
            (Self::Cells(trees), Value::Cell { cells, .. }) => {
                trees.len() == cells.len()
                    && trees
                        .iter()
                        .zip(cells)
                        .all(|(tree, cell)| tree.agrees(cell))
            }
            _ => false,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(tree in tree(), big in any::<bool>(), compress in any::<bool>()) {
        let writer = ORDERS[usize::from(big)];
        let matrix = tree.write(writer, "v");
        let file = writer.file(&[if compress { writer.compressed(&matrix) } else { matrix }]);
        let read = parse_bytes(&file).unwrap();
        prop_assert!(tree.agrees(read.get("v").unwrap()), "{tree:?} became {:?}", read.get("v"));
    }
}

#[test]
fn labels_decide_which_axis_is_rows() {
    let writer = ORDERS[0];
    let wide = writer.doubles(&[2, 3], "x", &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    let labels = |n: u32| writer.doubles(&[1, n], "y", &vec![1.0; n as usize]);
    let options = |transpose| crate::read::ReadOptions {
        label: Some("y".into()),
        transpose,
        ..Default::default()
    };
    let read = |n: u32, transpose| {
        let file = parse_bytes(&writer.file(&[wide.clone(), labels(n)])).unwrap();
        file.sample(&options(transpose))
            .map(|sample| match sample.features {
                crate::RawFeatures::Matrix(features) => features.dense().unwrap().into_owned(),
                other => panic!("{other:?}"),
            })
    };
    let rows = ndarray::array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    assert_eq!(read(2, false).unwrap(), rows);
    assert_eq!(read(3, false).unwrap(), rows.t());
    let error = read(4, false).unwrap_err().to_string();
    assert!(
        error.contains("2 x 3") && error.contains("4 labels"),
        "{error}"
    );

    let square = writer.doubles(&[2, 2], "x", &[1.0, 3.0, 2.0, 4.0]);
    let file = parse_bytes(&writer.file(&[square, labels(2)])).unwrap();
    for (transpose, want) in [
        (false, ndarray::array![[1.0, 2.0], [3.0, 4.0]]),
        (true, ndarray::array![[1.0, 3.0], [2.0, 4.0]]),
    ] {
        let sample = file.sample(&options(transpose)).unwrap();
        assert_eq!(sample.features, crate::RawFeatures::Matrix(want.into()));
    }
}

#[test]
fn the_storage_is_the_files() {
    let storage = Storage {
        element: ElementType::U8,
        order: ByteOrder::Little,
        layout: Layout::ColumnMajor,
    };
    let want = NumericArray::new(Path::new("t"), "x", vec![2, 1], storage, vec![3, 4]).unwrap();
    let writer = ORDERS[0];
    // Doubles that are small integers are written as bytes.
    let file =
        parse_bytes(&writer.file(&[writer.matrix(6, &[2, 1], "x", &[writer.element(2, &[3, 4])])]))
            .unwrap();
    assert_eq!(file.get("x").unwrap(), &Value::Numeric(want));
}
