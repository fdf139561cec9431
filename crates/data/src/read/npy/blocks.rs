//! A matrix that does not fit into memory, block by block.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::super::array::{Layout, NumericArray, Storage, count};
use super::{Kind, head};
use crate::{DataError, Position};

/// Headers of matrices take some dozens of bytes; what is longer is none.
const HEADER_BYTES: u64 = 1 << 16;

/// Opens a matrix of numbers to be read `rows` rows at a time, in memory for one block, whatever the size of the file.
///
/// Statistics that need the rows once take a file of any size so:
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::Moments;
/// use translearn_data::read::npy;
///
/// let path = std::env::temp_dir().join("translearn-blocks-example.npy");
/// ndarray_npy::write_npy(&path, &array![[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]])?;
/// let blocks = npy::blocks(&path, 2)?;
/// assert_eq!(blocks.shape(), (3, 2));
/// let mut moments = Moments::new(blocks.shape().1);
/// for block in blocks {
///     moments.add(&block?)?;
/// }
/// assert_eq!(moments.means(), array![3.0, 5.0]);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`DataError::Io`], [`DataError::Malformed`] as [`parse`](super::parse), [`DataError::InvalidOption`] for 0 rows, and
/// [`DataError::Unsupported`] for an array of strings, objects or other than two axes, or in Fortran's order, of which no
/// row lies in one place.
pub fn blocks(path: &Path, rows: usize) -> Result<Blocks, DataError> {
    if rows == 0 {
        return Err(DataError::InvalidOption {
            name: "rows".to_owned(),
            value: "0".to_owned(),
            expected: "at least 1".to_owned(),
        });
    }
    let file = File::open(path).map_err(DataError::io("open", path))?;
    let read = || DataError::io("read", path);
    let file_bytes = file.metadata().map_err(read())?.len();
    let mut file = BufReader::new(file);
    let mut start = Vec::new();
    file.by_ref()
        .take(HEADER_BYTES)
        .read_to_end(&mut start)
        .map_err(read())?;
    let (header, end) = head(path, "array", &start)?;
    let refuse = |found: &str, advice: &str| DataError::Unsupported {
        path: path.to_owned(),
        found: found.to_owned(),
        advice: advice.to_owned(),
    };
    let descr = header
        .descr
        .as_ref()
        .map(|descr| (descr.kind(), descr.order));
    let Some((Kind::Number(element), order)) = descr else {
        return Err(refuse(
            "an array of other than numbers",
            "store a matrix of numbers",
        ));
    };
    let [n_rows, columns] = header.shape[..] else {
        return Err(refuse(
            &format!("an array of {} axes", header.shape.len()),
            "store a matrix: a row per example, a column per feature",
        ));
    };
    if header.layout == Layout::ColumnMajor && n_rows > 1 && columns > 1 {
        return Err(refuse(
            "a matrix in Fortran's order, whose rows are scattered over the file,",
            "store it in C order: `np.save(path, np.ascontiguousarray(x))`",
        ));
    }
    let needs = count(&header.shape)
        .and_then(|n| n.checked_mul(element.size()))
        .map(|bytes| bytes as u64);
    let found = file_bytes - end as u64;
    if needs != Some(found) {
        return Err(DataError::malformed(
            path,
            "npy",
            Position::Byte(end as u64),
            format!("{n_rows} x {columns} numbers of {} bytes", element.size()),
            format!("{found} bytes"),
        ));
    }
    file.seek(SeekFrom::Start(end as u64)).map_err(read())?;
    Ok(Blocks {
        path: path.to_owned(),
        file,
        storage: Storage {
            element,
            order,
            layout: Layout::RowMajor,
        },
        shape: (n_rows, columns),
        rows,
        left: n_rows,
    })
}

/// The blocks of a matrix in a file, see [`blocks`]; the last one has the rows that are left.
#[derive(Debug)]
pub struct Blocks {
    path: PathBuf,
    file: BufReader<File>,
    storage: Storage,
    shape: (usize, usize),
    rows: usize,
    left: usize,
}

impl Blocks {
    /// Rows and columns of the whole matrix.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn block(&mut self, rows: usize) -> Result<Array2<f64>, DataError> {
        let columns = self.shape.1;
        // The product was checked when the file was opened.
        let mut bytes = vec![0; rows * columns * self.storage.element.size()];
        self.file
            .read_exact(&mut bytes)
            .map_err(DataError::io("read", &self.path))?;
        NumericArray::new(
            &self.path,
            "array",
            vec![rows, columns],
            self.storage,
            bytes,
        )?
        .dense(&self.path, "array")
    }
}

impl Iterator for Blocks {
    type Item = Result<Array2<f64>, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.rows.min(self.left);
        if rows == 0 {
            return None;
        }
        self.left -= rows;
        let block = self.block(rows);
        if block.is_err() {
            // Where the next one would begin is not known.
            self.left = 0;
        }
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, Axis, ShapeBuilder, concatenate};
    use ndarray_npy::write_npy;

    use super::*;

    struct Saved(PathBuf);

    impl Saved {
        fn new(name: &str) -> Self {
            let file = format!("translearn-blocks-{}-{name}.npy", std::process::id());
            Self(std::env::temp_dir().join(file))
        }
    }

    impl Drop for Saved {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).ok();
        }
    }

    #[test]
    fn blocks_of_any_size_are_the_matrix() {
        let saved = Saved::new("sizes");
        let x = Array2::from_shape_fn((7, 3), |(row, column)| (10 * row + column) as f32 - 4.5);
        write_npy(&saved.0, &x).unwrap();
        for rows in [1, 2, 3, 7, 100] {
            let read = blocks(&saved.0, rows).unwrap();
            assert_eq!(read.shape(), (7, 3));
            let parts: Vec<Array2<f64>> = read.collect::<Result<_, _>>().unwrap();
            assert!(parts.iter().all(|part| part.nrows() <= rows));
            let views: Vec<_> = parts.iter().map(Array2::view).collect();
            assert_eq!(concatenate(Axis(0), &views).unwrap(), x.mapv(f64::from));
        }
    }

    #[test]
    fn what_cannot_be_read_by_rows_is_refused_with_advice() {
        let saved = Saved::new("refused");
        write_npy(&saved.0, &Array2::<f64>::zeros((2, 3).f())).unwrap();
        let message = || blocks(&saved.0, 1).unwrap_err().to_string();
        assert!(message().contains("ascontiguousarray"), "{}", message());
        write_npy(&saved.0, &ArrayD::<f64>::zeros(vec![2, 3, 4])).unwrap();
        assert!(message().contains("3 axes"), "{}", message());
        assert!(blocks(&saved.0, 0).is_err());
    }

    #[test]
    fn a_file_that_holds_less_than_it_promises_is_malformed() {
        let saved = Saved::new("short");
        write_npy(&saved.0, &Array2::<f64>::zeros((4, 2))).unwrap();
        let bytes = std::fs::read(&saved.0).unwrap();
        std::fs::write(&saved.0, &bytes[..bytes.len() - 8]).unwrap();
        let message = blocks(&saved.0, 1).unwrap_err().to_string();
        assert!(
            message.contains("4 x 2") && message.contains("56 bytes"),
            "{message}"
        );
    }
}
