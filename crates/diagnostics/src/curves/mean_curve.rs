//! What is read off two curves of means, the larger the better, with straight lines between their points.

/// Scores at growing numbers of labelled rows.
pub(super) struct MeanCurve<'a> {
    pub(super) sizes: &'a [f64],
    pub(super) scores: Vec<f64>,
}

impl MeanCurve<'_> {
    /// From how many rows on the score has first been reached; infinite where it never is.
    pub(super) fn reaches(&self, score: f64) -> f64 {
        let Some(at) = self.scores.iter().position(|&of| of >= score) else {
            return f64::INFINITY;
        };
        if at == 0 {
            return self.sizes[0];
        }
        let (from, to) = (self.scores[at - 1], self.scores[at]);
        let share = (score - from) / (to - from);
        self.sizes[at - 1] + share * (self.sizes[at] - self.sizes[at - 1])
    }

    /// What another curve over the same sizes is where this one has come to some size.
    pub(super) fn read(&self, values: &[f64], size: f64) -> f64 {
        let above = self.sizes.partition_point(|&other| other < size);
        if above == 0 || self.sizes.get(above) == Some(&size) {
            return values[above];
        }
        let (from, to) = (self.sizes[above - 1], self.sizes[above]);
        let share = (size - from) / (to - from);
        values[above - 1] + share * (values[above] - values[above - 1])
    }

    /// The area under the curve.
    pub(super) fn area(&self) -> f64 {
        let sizes = self.sizes.windows(2);
        let parts = sizes.zip(self.scores.windows(2));
        parts
            .map(|(n, y)| 0.5 * (n[1] - n[0]) * (y[0] + y[1]))
            .sum()
    }

    /// The least squares slope over the doublings of the labels; none below two sizes of at least one row.
    pub(super) fn slope(&self) -> Option<f64> {
        let points = || (self.sizes.iter().zip(&self.scores)).filter(|(size, _)| **size > 0.0);
        let n = points().count();
        if n < 2 {
            return None;
        }
        let mean = |of: &dyn Fn((&f64, &f64)) -> f64| points().map(of).sum::<f64>() / n as f64;
        let (doublings, score) = (mean(&|(size, _)| size.log2()), mean(&|(_, score)| *score));
        let products = mean(&|(size, y)| (size.log2() - doublings) * (y - score));
        let squares = mean(&|(size, _)| (size.log2() - doublings).powi(2));
        Some(products / squares)
    }

    /// The labels that the start of this curve is worth on another one over the same sizes: by how many that one has to go on to
    /// get there. Below 0, by how many this one has to, to where the other starts. Infinite where that is not within the sizes.
    pub(super) fn worth(&self, other: &Self) -> f64 {
        let (own, others) = (self.scores[0], other.scores[0]);
        if own >= others {
            other.reaches(own) - self.sizes[0]
        } else {
            self.sizes[0] - self.reaches(others)
        }
    }

    /// Where the curve that is below at the start gets above for the first time; infinite where it never does.
    pub(super) fn crosses(&self, other: &Self) -> f64 {
        let gaps: Vec<f64> = self
            .scores
            .iter()
            .zip(&other.scores)
            .map(|(a, b)| a - b)
            .collect();
        // The first size at which they are apart says who is ahead.
        let Some(start) = gaps.iter().position(|&gap| gap != 0.0) else {
            return f64::INFINITY;
        };
        let Some(after) = (start..gaps.len()).find(|&at| gaps[at] * gaps[start] < 0.0) else {
            return f64::INFINITY;
        };
        let share = gaps[after - 1] / (gaps[after - 1] - gaps[after]);
        self.sizes[after - 1] + share * (self.sizes[after] - self.sizes[after - 1])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZES: [f64; 4] = [2.0, 4.0, 8.0, 16.0];

    fn curve(scores: [f64; 4]) -> MeanCurve<'static> {
        MeanCurve {
            sizes: &SIZES,
            scores: scores.to_vec(),
        }
    }

    #[test]
    fn what_is_read_by_hand() {
        let (transfer, baseline) = (curve([0.6, 0.7, 0.8, 0.8]), curve([0.4, 0.6, 0.7, 0.9]));
        assert_eq!(baseline.reaches(0.6), 4.0);
        assert_eq!(baseline.reaches(0.3), 2.0);
        assert!((baseline.reaches(0.8) - 12.0).abs() < 1e-12);
        assert_eq!(transfer.reaches(0.85), f64::INFINITY);
        assert!((transfer.worth(&baseline) - 2.0).abs() < 1e-12);
        assert!((baseline.worth(&transfer) + 2.0).abs() < 1e-12);
        assert!((transfer.crosses(&baseline) - 12.0).abs() < 1e-12);
        assert!((baseline.crosses(&transfer) - 12.0).abs() < 1e-12);
        assert_eq!(transfer.crosses(&transfer), f64::INFINITY);
        assert_eq!(curve([0.5; 4]).worth(&curve([0.4; 4])), f64::INFINITY);
        assert_eq!(curve([0.4; 4]).worth(&curve([0.5; 4])), f64::NEG_INFINITY);
        // 2 (1.3 / 2) + 4 (1.5 / 2) + 8 (1.6 / 2)
        assert!((transfer.area() - 10.7).abs() < 1e-12);
        // Doublings 1, 2, 3, 4 and scores that rise by 1/10 with each.
        assert!((curve([0.1, 0.2, 0.3, 0.4]).slope().unwrap() - 0.1).abs() < 1e-12);
        assert!((transfer.read(&[1.0, 3.0, 5.0, 5.0], 6.0) - 4.0).abs() < 1e-12);
        assert_eq!(transfer.read(&[1.0, 3.0, 5.0, 5.0], 16.0), 5.0);
    }

    proptest! {
        /// A fine walk along both curves finds the same places.
        #[test]
        fn places_are_those_of_a_walk(a in prop::array::uniform4(0.0_f64..1.0), b in prop::array::uniform4(0.0_f64..1.0), score in 0.0_f64..1.0) {
            let (one, two) = (curve(a), curve(b));
            let step = 1e-3;
            let walk: Vec<f64> = (0..=14_000).map(|i| 2.0 + step * f64::from(i)).collect();
            let first = |holds: &dyn Fn(f64) -> bool| walk.iter().copied().find(|&n| holds(n)).unwrap_or(f64::INFINITY);
            let near = |found: f64, walked: f64| found == walked || (found - walked).abs() <= 2.0 * step;
            prop_assert!(near(one.reaches(score), first(&|n| one.read(&a, n) >= score)));
            let ahead = (a[0] - b[0]).signum();
            prop_assert!(near(one.crosses(&two), first(&|n| (one.read(&a, n) - two.read(&b, n)) * ahead < 0.0)));
            let area: f64 = walk.windows(2).map(|n| 0.5 * step * (one.read(&a, n[0]) + one.read(&a, n[1]))).sum();
            prop_assert!((one.area() - area).abs() < 1e-6);
            let worth = one.worth(&two);
            prop_assert_eq!(worth, -two.worth(&one));
        }
    }
}
