//! Seeds derived by hashing, and the one random generator of the library.
//!
//! Nothing in translearn draws from a global or thread-local generator. A seed is a `u64`; parts of a computation get
//! their own seed through [`derive()`], so that neither the order in which they run nor the number of threads can change
//! a number. [`Rng`] does all its arithmetic in 64 bits, so that the draws do not depend on the width of `usize`
//! ([`Rng::normal`] alone uses `ln`, whose last bit belongs to the platform's mathematics library).
//!
//! ```
//! use translearn_core::seed;
//!
//! let fold = seed::derive(7, &["amazon-to-webcam", "fold", "3"]);
//! let mut rng = seed::rng(fold);
//! assert_eq!(rng.permutation(3).len(), 3);
//! assert_eq!(seed::rng(fold).next_u64(), seed::rng(fold).next_u64());
//! ```

use rand::RngCore;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// A seed for the part of a computation that `path` names.
///
/// The first eight bytes, little endian, of SHA-256 over the seed and the parts, each part preceded by its length: so
/// `["ab", "c"]` and `["a", "bc"]` differ, and so do `["a", "b"]` and `["b", "a"]`.
///
/// ```
/// use translearn_core::seed::derive;
///
/// assert_ne!(derive(0, &["ab", "c"]), derive(0, &["a", "bc"]));
/// assert_ne!(derive(0, &["a"]), derive(1, &["a"]));
/// ```
#[must_use]
pub fn derive(seed: u64, path: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    for part in path {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first)
}

/// A generator that starts at `seed`.
#[must_use]
pub fn rng(seed: u64) -> Rng {
    Rng(ChaCha8Rng::seed_from_u64(seed))
}

/// A seeded random generator (ChaCha with 8 rounds).
///
/// It implements the `RngCore` of rand 0.8, the version linfa draws from, so it can be handed to linfa; the methods
/// here are preferred, because their draws do not depend on the width of `usize`.
///
/// ```
/// use translearn_core::seed::rng;
///
/// let mut order: Vec<usize> = (0..5).collect();
/// rng(3).shuffle(&mut order);
/// let mut sorted = order.clone();
/// sorted.sort_unstable();
/// assert_eq!(sorted, [0, 1, 2, 3, 4]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `[0, 1)`, a multiple of 2⁻⁵³.
    pub fn uniform(&mut self) -> f64 {
        const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.0.next_u64() >> 11) as f64 * SCALE
    }

    /// An index in `0..n`, each equally likely; 0 when `n` is 0.
    ///
    /// Lemire's multiplication with rejection (ACM TOMACS 29(1), 2019, doi:10.1145/3230636), so without bias.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        if n < 2 {
            return 0;
        }
        let rejected = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(n);
            if product as u64 >= rejected {
                return (product >> 64) as usize;
            }
        }
    }

    /// A draw from the standard normal distribution.
    ///
    /// Marsaglia's polar method with the second value dropped, so that a draw leaves no state behind but the stream.
    pub fn normal(&mut self) -> f64 {
        loop {
            let u = 2.0 * self.uniform() - 1.0;
            let v = 2.0 * self.uniform() - 1.0;
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                return u * (-2.0 * s.ln() / s).sqrt();
            }
        }
    }

    /// Puts `items` in random order (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// The indices `0..n` in random order.
    #[must_use]
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }

    /// `k` different indices of `0..n` in random order; all `n` of them when `k` is larger.
    #[must_use]
    pub fn choose(&mut self, n: usize, k: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        let k = k.min(n);
        for i in 0..k {
            let j = i + self.below(n - i);
            order.swap(i, j);
        }
        order.truncate(k);
        order
    }

    /// An index drawn with probability `weights[i] / Σ weights`, or `None` when a weight is negative or not finite, or
    /// their sum is 0 or not finite.
    ///
    /// One draw costs O(n); for many draws from the same weights use [`Rng::weighted_indices`].
    pub fn weighted_index(&mut self, weights: &[f64]) -> Option<usize> {
        self.weighted_indices(weights, 1)?.first().copied()
    }

    /// `count` indices drawn with replacement, each with probability `weights[i] / Σ weights`; `None` as in
    /// [`Rng::weighted_index`]. Costs O(n + count · log n).
    pub fn weighted_indices(&mut self, weights: &[f64], count: usize) -> Option<Vec<usize>> {
        let mut cumulative = Vec::with_capacity(weights.len());
        let mut total = 0.0;
        for &weight in weights {
            if !(weight >= 0.0 && weight.is_finite()) {
                return None;
            }
            total += weight;
            cumulative.push(total);
        }
        if !(total > 0.0 && total.is_finite()) {
            return None;
        }
        let last = weights.iter().rposition(|&weight| weight > 0.0)?;
        let draw = |_| {
            let at = self.uniform() * total;
            // The first entry above `at` has a weight above 0; `last` guards against `at` rounding up to the total.
            cumulative.partition_point(|&sum| sum <= at).min(last)
        };
        Some((0..count).map(draw).collect())
    }
}

impl RngCore for Rng {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill_bytes(dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand::Error> {
        self.0.try_fill_bytes(dest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn derived_seeds_do_not_collide() {
        let parts = ["", "a", "b", "ab", "ba", "a\0", "1", "11"];
        let mut seen = HashSet::new();
        for seed in 0..4 {
            assert!(seen.insert(derive(seed, &[])));
            for a in parts {
                assert!(seen.insert(derive(seed, &[a])));
                for b in parts {
                    assert!(seen.insert(derive(seed, &[a, b])), "{seed} {a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn the_stream_is_fixed() {
        // Values written down once: a change of generator or hash would change every published number.
        assert_eq!(derive(0, &[]), 8_794_265_229_978_523_055);
        assert_eq!(
            derive(7, &["amazon-to-webcam", "fold", "3"]),
            12_896_375_821_472_036_219
        );
        let mut rng = rng(0);
        assert_eq!(rng.next_u64(), 13_080_132_717_333_068_652);
        assert_eq!(rng.permutation(6), [4, 1, 5, 0, 3, 2]);
        assert_eq!(rng.uniform(), 0.828_984_476_023_999_3);
        assert!((rng.normal() - 1.556_167_672_490_878_2).abs() < 1e-15);
    }

    #[test]
    fn below_is_uniform() {
        let mut rng = rng(1);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[rng.below(7)] += 1;
        }
        // Chi-square with 6 degrees of freedom; 22.46 is its 0.999 quantile.
        let chi: f64 = counts
            .iter()
            .map(|&c| (f64::from(c) - 1e4).powi(2) / 1e4)
            .sum();
        assert!(chi < 22.46, "{counts:?}");
        assert_eq!((rng.below(0), rng.below(1)), (0, 0));
    }

    #[test]
    fn below_rejects_what_would_be_counted_twice() {
        // Without rejection, multiples of 3 below 3 · 2⁶² come up half of the time.
        let mut rng = rng(5);
        let multiples = (0..9_000)
            .filter(|_| rng.below(3 << 62).is_multiple_of(3))
            .count() as f64;
        assert!(
            (multiples - 3_000.0).abs() < 4.0 * f64::sqrt(2_000.0),
            "{multiples}"
        );
    }

    #[test]
    fn normal_has_the_moments_of_the_normal() {
        let mut rng = rng(2);
        let n = 200_000;
        let draws: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        let moment = |k| draws.iter().map(|x: &f64| x.powi(k)).sum::<f64>() / f64::from(n);
        for (k, expected, deviation) in
            [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)]
        {
            let error = (moment(k) - expected).abs();
            let limit = 4.0 * f64::sqrt(deviation / f64::from(n));
            assert!(error < limit, "moment {k}: {error} against {limit}");
        }
    }

    #[test]
    fn choose_takes_every_subset_equally_often() {
        let mut rng = rng(3);
        let mut counts = std::collections::HashMap::new();
        for _ in 0..12_000 {
            *counts.entry(rng.choose(4, 2)).or_insert(0_u32) += 1;
        }
        assert_eq!(counts.len(), 12);
        let chi: f64 = counts
            .values()
            .map(|&c| (f64::from(c) - 1e3).powi(2) / 1e3)
            .sum();
        assert!(chi < 31.26, "{counts:?}"); // 0.999 quantile, 11 degrees of freedom
        assert_eq!(rng.choose(3, 9).len(), 3);
        assert!(rng.choose(0, 2).is_empty());
    }

    #[test]
    fn weights_are_honoured() {
        let mut rng = rng(4);
        let weights = [0.0, 1.0, 0.0, 3.0, 0.0];
        let drawn = rng.weighted_indices(&weights, 40_000).unwrap();
        assert!(drawn.iter().all(|&i| i == 1 || i == 3));
        let ones = drawn.iter().filter(|&&i| i == 1).count() as f64;
        assert!(
            (ones - 1e4).abs() < 4.0 * f64::sqrt(40_000.0 * 0.25 * 0.75),
            "{ones}"
        );
        for bad in [
            &[][..],
            &[0.0],
            &[-1.0, 2.0],
            &[f64::NAN],
            &[f64::INFINITY],
            &[f64::MAX, f64::MAX],
        ] {
            assert_eq!(rng.weighted_index(bad), None, "{bad:?}");
        }
    }
}
