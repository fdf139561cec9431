//! The normalised compression distance.

use std::{collections::BTreeMap, io::Write};

use lzma_rust2::{Lzma2Options, Lzma2Writer};
use serde::{Deserialize, Serialize};
use translearn_core::{Features, Labels, TransferError, check_same_features, setters};

/// The normalised compression distance: how much of one thing a compressor finds in another.
///
/// *When.* For a first look at whether tasks are related that asks for no model: sequences of labels, texts, columns of
/// categories. What is mostly noise does not compress: rows of real numbers are near 1 even where their distribution is
/// the same, and only comparisons of several sources at the same `n_levels` mean something.
///
/// # Formula
///
/// $$\mathrm{NCD}(x, y) = \frac{Z(xy) - \min(Z(x), Z(y))}{\max(Z(x), Z(y))}$$
///
/// with the bytes `Z` of what a compressor makes, less those that it makes of nothing, and `Z(xy)` the less of both orders. It is
/// exactly symmetric; 0 for what is the same and 1 for what has nothing in common, up to what the compressor lacks in
/// perfection: a few bytes, which are much of a short text. What is below 0 for that reason is 0.
///
/// # Steps
///
/// 1. Rows are cut into `n_levels` levels of the pooled values of each column, so that no growing map of a column changes
///    anything, a byte each, and sorted: the order of the rows does not matter.
/// 2. Of labels the order is kept: it is what two tasks on the same rows have in common. Classes are numbered as they come
///    up, so that their codes do not matter.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `compressor` | `xz` | `xz`, `zstd` | at preset 9 and level 19 |
/// | `n_levels` | 8 | integer, 2 to 256 | levels of a column |
///
/// # Shapes and cost
///
/// A byte for each entry, compressed four times. A compressor does not look back further than 64 MiB (`xz`) or 8 MiB (`zstd`):
/// more than this is compared in part only.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::DenseTooLarge`], [`TransferError::Empty`], [`TransferError::InvalidParameter`], and
/// [`TransferError::Unsupported`] for labels of more than 256 classes or with real values.
///
/// # Example
///
/// ```
/// use translearn_core::{Labels, seed};
/// use translearn_diagnostics::bounds::CompressionDistance;
///
/// let drawn = |of: u64| {
///     let mut rng = seed::rng(of);
///     (0..3000).map(move |_| rng.below(5))
/// };
/// let labels = |codes: &mut dyn Iterator<Item = usize>| Labels::Classes(codes.collect());
/// let one = labels(&mut drawn(1));
/// let renamed = labels(&mut drawn(1).map(|code| (code + 2) % 5));
/// let other = labels(&mut drawn(2));
/// let distance = CompressionDistance::default();
/// assert!(distance.between_labels(&one, &renamed)? < 0.05);
/// assert!(distance.between_labels(&one, &other)? > 0.8);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Cilibrasi, Vitányi, *Clustering by compression*, IEEE Transactions on Information Theory 51(4), 2005,
/// doi:10.1109/TIT.2005.844059; for tasks: Mahmud, *On universal transfer learning*, Theoretical Computer Science 410(19),
/// 2009, doi:10.1016/j.tcs.2009.01.013.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompressionDistance {
    compressor: Compressor,
    n_levels: usize,
}

/// What compresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compressor {
    /// LZMA2, the codec of xz files, without their frame: finds most.
    #[default]
    Xz,
    /// Zstandard: faster.
    Zstd,
}

impl Default for CompressionDistance {
    fn default() -> Self {
        Self {
            compressor: Compressor::Xz,
            n_levels: 8,
        }
    }
}

setters!(CompressionDistance {
    /// Sets what compresses.
    compressor: Compressor,
    /// Sets the number of levels of a column.
    n_levels: usize,
});

impl CompressionDistance {
    /// The distance between two samples.
    ///
    /// # Errors
    /// See the type.
    pub fn between_rows(&self, source: &Features, target: &Features) -> Result<f64, TransferError> {
        if !(2..=256).contains(&self.n_levels) {
            return Err(TransferError::InvalidParameter {
                name: "n_levels".to_owned(),
                value: self.n_levels.to_string(),
                range: "integer from 2 to 256".to_owned(),
            });
        }
        check_same_features("the source", source, "the target", target)?;
        for (sample, name) in [(source, "the source"), (target, "the target")] {
            sample.check_vectors(name)?;
            sample.check_finite(name)?;
            if sample.n_rows() == 0 {
                return Err(empty(name));
            }
        }
        let pooled = source.stack(target)?;
        let mut levels = vec![Vec::with_capacity(pooled.n_columns()); pooled.n_rows()];
        for column in pooled.dense()?.columns() {
            let mut sorted = column.to_vec();
            sorted.sort_by(f64::total_cmp);
            for (level, value) in levels.iter_mut().zip(column) {
                // Equal values have one level, that of the least of their ranks.
                let rank = sorted.partition_point(|other| other < value);
                level.push((rank * self.n_levels / sorted.len()) as u8);
            }
        }
        let of_target = levels.split_off(source.n_rows());
        let bytes = |mut rows: Vec<Vec<u8>>| {
            rows.sort_unstable();
            rows.concat()
        };
        self.between(&bytes(levels), &bytes(of_target))
    }

    /// The distance between the labels of two tasks, in the order of their rows.
    ///
    /// # Errors
    /// See the type.
    pub fn between_labels(&self, source: &Labels, target: &Labels) -> Result<f64, TransferError> {
        self.between(&as_they_come_up(source)?, &as_they_come_up(target)?)
    }

    /// The distance between any two sequences of bytes.
    ///
    /// # Errors
    /// [`TransferError::Empty`].
    pub fn between(&self, x: &[u8], y: &[u8]) -> Result<f64, TransferError> {
        if x.is_empty() || y.is_empty() {
            return Err(empty("one side of a compression distance"));
        }
        let nothing = self.compressor.bytes(&[])?;
        let bytes = |of: &[u8]| -> Result<f64, TransferError> {
            Ok(self.compressor.bytes(of)?.saturating_sub(nothing) as f64)
        };
        let (of_x, of_y) = (bytes(x)?, bytes(y)?);
        let both = bytes(&[x, y].concat())?.min(bytes(&[y, x].concat())?);
        // A compressor that finds more in both than in one alone is better than its own work on the one.
        Ok(((both - of_x.min(of_y)) / of_x.max(of_y)).max(0.0))
    }
}

impl Compressor {
    fn bytes(self, of: &[u8]) -> Result<usize, TransferError> {
        let compressed = match self {
            Self::Zstd => zstd::bulk::compress(of, 19),
            Self::Xz => {
                let mut options = Lzma2Options::with_preset(9);
                // The tables of the whole window would take a thousand times the memory of a short text.
                let window = of
                    .len()
                    .clamp(1 << 12, options.lzma_options.dict_size as usize);
                options.lzma_options.dict_size = window as u32;
                let mut writer = Lzma2Writer::new(Vec::new(), options);
                writer.write_all(of).and_then(|()| writer.finish())
            }
        };
        // Into memory: only for want of it can it fail.
        let failed = |error: std::io::Error| TransferError::OutOfMemory(error.to_string());
        Ok(compressed.map_err(failed)?.len())
    }
}

/// A byte for each class, by the first row that has it.
fn as_they_come_up(labels: &Labels) -> Result<Vec<u8>, TransferError> {
    const OWNER: &str = "the compression distance between labels";
    let codes = labels.classes(OWNER)?;
    let mut numbers = BTreeMap::new();
    let mut bytes = Vec::with_capacity(codes.len());
    for &code in codes {
        let next = numbers.len();
        let number = *numbers.entry(code).or_insert(next);
        let byte = u8::try_from(number).map_err(|_| TransferError::Unsupported {
            method: OWNER.to_owned(),
            needs: "at most 256 classes".to_owned(),
            has: "more".to_owned(),
        })?;
        bytes.push(byte);
    }
    Ok(bytes)
}

fn empty(what: &str) -> TransferError {
    TransferError::Empty {
        what: what.to_owned(),
        needed: 1,
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2};
    use proptest::prelude::*;
    use translearn_core::seed;

    use super::*;

    const BOTH: [Compressor; 2] = [Compressor::Xz, Compressor::Zstd];

    fn with(compressor: Compressor) -> CompressionDistance {
        CompressionDistance::default().compressor(compressor)
    }

    /// Words of a language of its own, drawn from few.
    fn text(language: u64, n: usize, seed: u64) -> Vec<u8> {
        let mut of_words = seed::rng(language);
        let words: Vec<Vec<u8>> = (0..40)
            .map(|_| {
                (0..3 + of_words.below(9))
                    .map(|_| of_words.below(256) as u8)
                    .collect()
            })
            .collect();
        let mut rng = seed::rng(seed);
        let mut text = Vec::new();
        while text.len() < n {
            text.extend(&words[rng.below(words.len())]);
        }
        text
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        /// Nothing to itself, the same both ways, hardly above 1, and the triangle up to the compressor's faults.
        #[test]
        fn it_is_nearly_a_distance(seed: u64, n in 1500_usize..4000) {
            for compressor in BOTH {
                let texts = [text(1, n, seed), text(1, 2000, seed ^ 1), text(2, n, seed ^ 2)];
                let between = |x: &[u8], y: &[u8]| with(compressor).between(x, y).unwrap();
                let d: Vec<Vec<f64>> = texts.iter().map(|x| texts.iter().map(|y| between(x, y)).collect()).collect();
                for i in 0..3 {
                    prop_assert!(d[i][i] < 0.06, "{compressor:?} {d:?}");
                    for j in 0..3 {
                        prop_assert_eq!(d[i][j], d[j][i]);
                        prop_assert!((0.0..1.1).contains(&d[i][j]), "{compressor:?} {d:?}");
                        for k in 0..3 {
                            prop_assert!(d[i][k] <= d[i][j] + d[j][k] + 0.06, "{compressor:?} {d:?}");
                        }
                    }
                }
                // Two texts of one language are nearer than two of two.
                prop_assert!(d[0][1] < 0.9 * d[0][2], "{compressor:?}: {d:?}");
            }
        }
    }

    #[test]
    fn what_is_random_has_nothing_in_common() {
        let mut rng = seed::rng(3);
        let mut noise = || -> Vec<u8> { (0..5000).map(|_| rng.below(256) as u8).collect() };
        let (x, y) = (noise(), noise());
        for compressor in BOTH {
            let d = with(compressor).between(&x, &y).unwrap();
            assert!((d - 1.0).abs() < 0.01, "{compressor:?}: {d}");
        }
    }

    /// The sum, written out with the sizes of the compressors themselves.
    #[test]
    fn it_is_its_formula() {
        let (x, y) = (text(1, 800, 4), text(2, 1500, 5));
        for compressor in BOTH {
            let z =
                |of: &[u8]| (compressor.bytes(of).unwrap() - compressor.bytes(&[]).unwrap()) as f64;
            let both = z(&[&x[..], &y[..]].concat()).min(z(&[&y[..], &x[..]].concat()));
            let expected = (both - z(&x).min(z(&y))) / z(&x).max(z(&y));
            assert_eq!(with(compressor).between(&x, &y).unwrap(), expected);
        }
    }

    /// Rows of few patterns, of which the target has the same or others.
    #[test]
    fn rows_of_one_kind_are_near() {
        let rows = |language: u64, seed: u64| {
            let mut of_patterns = seed::rng(language);
            let patterns = Array2::from_shape_simple_fn((60, 12), || of_patterns.normal());
            let mut rng = seed::rng(seed);
            let drawn: Vec<usize> = (0..150).map(|_| rng.below(60)).collect();
            patterns.select(ndarray::Axis(0), &drawn)
        };
        let (source, near, far) = (rows(1, 1), rows(1, 2), rows(2, 3));
        let features = |x: &Array2<f64>| Features::from(x.clone());
        for compressor in BOTH {
            let d = |x: &Array2<f64>, y: &Array2<f64>| {
                with(compressor)
                    .between_rows(&features(x), &features(y))
                    .unwrap()
            };
            let (near, far) = (d(&source, &near), d(&source, &far));
            println!("{compressor:?}: near {near:.3}, far {far:.3}");
            assert!(near < far - 0.15, "{compressor:?}: {near} {far}");
        }
        // Neither the order of the rows nor a growing map of a column changes a bit.
        let d = with(Compressor::Xz);
        let moved = features(&near).select_rows(&seed::rng(9).permutation(150));
        let plain = d
            .between_rows(&features(&source), &features(&near))
            .unwrap();
        assert_eq!(d.between_rows(&features(&source), &moved).unwrap(), plain);
        let bent = |x: &Array2<f64>| Features::from(x.mapv(|v| (2.0 * v).exp() - 5.0));
        assert_eq!(d.between_rows(&bent(&source), &bent(&near)).unwrap(), plain);
    }

    #[test]
    fn what_cannot_be_compared_says_why() {
        let d = CompressionDistance::default();
        let rows = |n: usize, width: usize| Features::from(Array2::<f64>::zeros((n, width)));
        let classes = Labels::Classes((0..300).collect());
        let few = Labels::Classes(Array1::zeros(3));
        let message = |found: Result<f64, TransferError>| found.unwrap_err().to_string();
        for (message, why) in [
            (
                message(d.between_rows(&rows(2, 2), &rows(2, 3))),
                "features",
            ),
            (message(d.between_rows(&rows(0, 2), &rows(2, 2))), "empty"),
            (
                message(d.n_levels(1).between_rows(&rows(2, 2), &rows(2, 2))),
                "n_levels",
            ),
            (message(d.between_labels(&classes, &few)), "256"),
            (
                message(d.between_labels(&Labels::Values(Array1::zeros(3)), &few)),
                "class labels",
            ),
            (message(d.between(&[], &[1])), "empty"),
        ] {
            assert!(message.contains(why), "{message}");
        }
    }
}
