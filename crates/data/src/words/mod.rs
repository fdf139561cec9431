//! Word vectors: text files of word2vec, fastText (`.vec`) and GloVe, and word2vec's binary files.
//!
//! | file | header | record |
//! |---|---|---|
//! | word2vec and fastText text | `words dimension` | word and numbers, separated by spaces |
//! | GloVe text | none | the same |
//! | word2vec binary | `words dimension` | word, space, little-endian `f32`s, with or without a line end after them |
//!
//! A file that ends in `.gz` is unpacked on the way. A word that is not valid UTF-8 has its bad bytes replaced by `U+FFFD`;
//! of a word that comes twice the first vector counts. fastText's own `.bin` models are not word vectors but a network with
//! subword buckets, and are refused by name.
//!
//! Source: Mikolov et al., *Efficient estimation of word representations in vector space*, 2013, arXiv:1301.3781.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::{DataError, Position};

#[cfg(test)]
mod tests;

/// The first four bytes of a fastText model.
const FASTTEXT_MAGIC: [u8; 4] = 793_712_314_i32.to_le_bytes();

/// Longest word and longest header line, in bytes.
const WORD_LIMIT: u64 = 1 << 16;

/// Words and their vectors.
///
/// ```
/// use translearn_data::words::WordVectors;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("tiny.vec");
/// std::fs::write(&path, "2 3\ncat 1 0 0.5\ndog 1 0 -0.5\n")?;
/// let vectors = WordVectors::read_text(&path)?;
/// assert_eq!((vectors.len(), vectors.dimension()), (2, 3));
/// assert_eq!(vectors.get("dog").unwrap()[2], -0.5);
/// assert!(vectors.get("cow").is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct WordVectors {
    words: Vec<String>,
    vectors: Array2<f32>,
    rows: HashMap<String, usize>,
}

impl WordVectors {
    /// Reads a text file, with or without header.
    ///
    /// # Errors
    /// [`DataError::Io`]; [`DataError::Malformed`] with the line for a row of another length or a number that is none or
    /// not finite, and when the header promises another number of words than the file holds; [`DataError::Empty`].
    pub fn read_text(path: &Path) -> Result<Self, DataError> {
        let mut reader = open(path)?;
        let mut builder = Builder::new(path, "word vectors (text)");
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            line.clear();
            if reader
                .read_until(b'\n', &mut line)
                .map_err(DataError::io("read", path))?
                == 0
            {
                return builder.finish();
            }
            number += 1;
            let text = String::from_utf8_lossy(&line);
            // The space that word2vec writes after the last number; a word may itself hold other white space.
            let text = text.trim_end_matches(['\n', '\r', ' ', '\t']);
            if number == 1
                && let Some((words, dimension)) = header(text)
            {
                builder.promise(words, dimension);
            } else if !text.is_empty() {
                builder.text_row(number, text)?;
            }
        }
    }

    /// Reads a word2vec binary file, in either dialect.
    ///
    /// # Errors
    /// [`DataError::Io`]; [`DataError::Malformed`] with the byte for a header that is none, a number that is not finite, a
    /// word without end and bytes after the last vector, and when the header promises more words than the file holds;
    /// [`DataError::Unsupported`] for a fastText model; [`DataError::Empty`].
    pub fn read_word2vec(path: &Path) -> Result<Self, DataError> {
        let mut reader = Counted {
            inner: open(path)?,
            at: 0,
        };
        let mut builder = Builder::new(path, "word2vec binary");
        let io = |error| DataError::io("read", path)(error);

        let first = reader.until(b'\n').map_err(io)?;
        if first.starts_with(&FASTTEXT_MAGIC) {
            return Err(DataError::Unsupported {
                path: path.to_owned(),
                found: "a fastText model".to_owned(),
                advice: "read the `.vec` file that fastText writes beside it".to_owned(),
            });
        }
        let text = String::from_utf8_lossy(&first);
        let (words, dimension) = header(text.trim_end()).ok_or_else(|| {
            let found = text.chars().take(40).collect::<String>();
            builder.malformed(
                Position::Byte(0),
                "`words dimension` in the first line",
                format!("{found:?}"),
            )
        })?;
        builder.promise(words, dimension);
        let vector_bytes = (dimension as u64).saturating_mul(4);
        let mut vector = Vec::new();
        for _ in 0..words {
            let at = reader.at;
            let word = reader.until(b' ').map_err(io)?;
            // The line end of the record before, in the one dialect.
            let word = word.strip_prefix(b"\n").unwrap_or(&word);
            let Some(word) = word.strip_suffix(b" ") else {
                if word.len() as u64 >= WORD_LIMIT {
                    let expected = format!("a word of fewer than {WORD_LIMIT} bytes");
                    return Err(builder.malformed(Position::Byte(at), expected, "a longer one"));
                }
                return builder.finish();
            };
            vector.clear();
            let start = reader.at;
            (&mut reader)
                .take(vector_bytes)
                .read_to_end(&mut vector)
                .map_err(io)?;
            if (vector.len() as u64) < vector_bytes {
                return builder.finish();
            }
            let numbers = vector
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            builder.row(
                Position::Byte(start),
                &String::from_utf8_lossy(word),
                numbers,
            )?;
        }
        let at = reader.at;
        let mut rest = Vec::new();
        (&mut reader).take(2).read_to_end(&mut rest).map_err(io)?;
        if !matches!(rest.as_slice(), [] | [b'\n']) {
            return Err(builder.malformed(
                Position::Byte(at),
                format!("the end of the file after {words} words, as its header says"),
                "more bytes",
            ));
        }
        builder.finish()
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there is no word; never for vectors that were read.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Length of every vector.
    pub fn dimension(&self) -> usize {
        self.vectors.ncols()
    }

    /// The words, in file order: by falling frequency in most files.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The vectors, one row per word.
    pub fn vectors(&self) -> ArrayView2<'_, f32> {
        self.vectors.view()
    }

    /// The vector of a word.
    pub fn get(&self, word: &str) -> Option<ArrayView1<'_, f32>> {
        self.rows.get(word).map(|&row| self.vectors.row(row))
    }
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, DataError> {
    let file = BufReader::new(File::open(path).map_err(DataError::io("open", path))?);
    Ok(
        if path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
        {
            Box::new(BufReader::new(MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        },
    )
}

/// `words dimension`, and nothing else in the line; the dimension is not 0.
fn header(line: &str) -> Option<(usize, usize)> {
    let (words, dimension) = line.split_once(' ')?;
    let (words, dimension) = (words.parse().ok()?, dimension.parse().ok()?);
    (dimension > 0).then_some((words, dimension))
}

/// A reader that knows how far it has come.
struct Counted {
    inner: Box<dyn BufRead>,
    at: u64,
}

impl Counted {
    /// Bytes up to and including `end`, or [`WORD_LIMIT`] of them, or the rest.
    fn until(&mut self, end: u8) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.at += (&mut self.inner)
            .take(WORD_LIMIT)
            .read_until(end, &mut bytes)? as u64;
        Ok(bytes)
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Rows as they come. Nothing is reserved for what a header promises.
struct Builder<'a> {
    path: &'a Path,
    format: &'static str,
    promised: Option<usize>,
    dimension: Option<usize>,
    read: usize,
    words: Vec<String>,
    values: Vec<f32>,
    rows: HashMap<String, usize>,
}

impl<'a> Builder<'a> {
    fn new(path: &'a Path, format: &'static str) -> Self {
        Self {
            path,
            format,
            promised: None,
            dimension: None,
            read: 0,
            words: Vec::new(),
            values: Vec::new(),
            rows: HashMap::new(),
        }
    }

    fn malformed(
        &self,
        at: Position,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> DataError {
        DataError::malformed(self.path, self.format, at, expected, found)
    }

    fn promise(&mut self, words: usize, dimension: usize) {
        self.promised = Some(words);
        self.dimension = Some(dimension);
    }

    fn text_row(&mut self, line: u64, text: &str) -> Result<(), DataError> {
        let dimension = match self.dimension {
            Some(dimension) => dimension,
            None => *self.dimension.insert(text.split(' ').count() - 1),
        };
        // From the right, because a word may hold spaces.
        let mut fields: Vec<&str> = text.rsplitn(dimension.saturating_add(1), ' ').collect();
        let at = Position::Line(line);
        let wrong = |found: String| {
            self.malformed(at.clone(), format!("a word and {dimension} numbers"), found)
        };
        let complete = dimension > 0 && fields.len() == dimension + 1;
        let word = fields.pop().filter(|_| complete);
        let word = word.ok_or_else(|| wrong(format!("{} fields", text.split(' ').count())))?;
        fields.reverse();
        let numbers = fields
            .iter()
            .map(|field| {
                field
                    .parse::<f32>()
                    .map_err(|_| wrong(format!("`{field}`")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        self.row(at, word, numbers)
    }

    fn row(
        &mut self,
        at: Position,
        word: &str,
        numbers: impl IntoIterator<Item = f32>,
    ) -> Result<(), DataError> {
        self.read += 1;
        let start = self.values.len();
        self.values.extend(numbers);
        if let Some(value) = self.values[start..].iter().find(|value| !value.is_finite()) {
            return Err(self.malformed(
                at,
                "finite numbers",
                format!("{value} in the vector of `{word}`"),
            ));
        }
        if self.rows.contains_key(word) {
            self.values.truncate(start);
        } else {
            self.rows.insert(word.to_owned(), self.words.len());
            self.words.push(word.to_owned());
        }
        Ok(())
    }

    fn finish(self) -> Result<WordVectors, DataError> {
        if let Some(promised) = self.promised.filter(|&promised| promised != self.read) {
            return Err(self.malformed(
                Position::File,
                format!("{promised} words, as its first line says"),
                format!(
                    "{} whole ones; the file was cut off, fetch it again",
                    self.read
                ),
            ));
        }
        if self.words.is_empty() {
            return Err(DataError::Empty {
                path: self.path.to_owned(),
                what: "words".to_owned(),
                advice: "give a file of word vectors".to_owned(),
            });
        }
        let shape = (self.words.len(), self.dimension.unwrap_or(0));
        let vectors = Array2::from_shape_vec(shape, self.values).map_err(|error| {
            DataError::malformed(
                self.path,
                self.format,
                Position::File,
                format!("{shape:?}"),
                error.to_string(),
            )
        })?;
        Ok(WordVectors {
            words: self.words,
            vectors,
            rows: self.rows,
        })
    }
}
