//! The matrix `M` of the mean discrepancy between domains, kept as its few indicator columns.

use ndarray::{Array1, Array2, Axis};
use translearn_core::linalg::gram;

/// `M = E Eᵀ` of unit Frobenius norm, as `E` (`n x q`, source rows first). The `n x n` matrix is never formed: its rank
/// is at most one more than the number of classes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Discrepancy {
    columns: Vec<Array1<f64>>,
}

impl Discrepancy {
    /// The difference of the domain means: `e_i = 1/n_s` in the source, `-1/n_t` in the target, times `√scale`.
    pub(crate) fn marginal(n_source: usize, n_target: usize, scale: f64) -> Self {
        let weight = scale.sqrt();
        let mut e = Array1::from_elem(n_source + n_target, -weight / n_target as f64);
        e.slice_mut(ndarray::s![..n_source])
            .fill(weight / n_source as f64);
        Self { columns: vec![e] }
    }

    /// Adds, for every class that occurs in both domains, a difference of the class means: `e_i = entry(n, n_c)` on the
    /// `n_c` rows of the class among the `n` of the source, and the negative of it likewise in the target. A class that
    /// occurs on one side only has no difference and adds nothing.
    pub(crate) fn add_classes(
        &mut self,
        source: &Array1<usize>,
        target: &Array1<usize>,
        n_classes: usize,
        entry: impl Fn(usize, usize) -> f64,
    ) {
        let count = |labels: &Array1<usize>, class| labels.iter().filter(|&&l| l == class).count();
        for class in 0..n_classes {
            let (in_source, in_target) = (count(source, class), count(target, class));
            if in_source == 0 || in_target == 0 {
                continue;
            }
            let of_class = |label: &usize, value: f64| if *label == class { value } else { 0.0 };
            let (plus, minus) = (
                entry(source.len(), in_source),
                -entry(target.len(), in_target),
            );
            self.columns.push(
                source
                    .iter()
                    .map(|label| of_class(label, plus))
                    .chain(target.iter().map(|label| of_class(label, minus)))
                    .collect(),
            );
        }
    }

    /// `(1 - μ) s` times the difference of the domain means and `μ` times the differences of the class means. Weighted,
    /// these stand for the shares of their classes, `√p(c) / n_c` on each row; `s` is the number of classes, or 1, so
    /// that both sides weigh the same at `μ = 1/2`.
    pub(crate) fn balanced(
        source: &Array1<usize>,
        target: &Array1<usize>,
        n_classes: usize,
        mu: f64,
        weighted: bool,
    ) -> Self {
        let scale = if weighted { 1.0 } else { n_classes as f64 };
        let mut joint = Self::marginal(source.len(), target.len(), (1.0 - mu) * scale);
        joint.add_classes(source, target, n_classes, |rows, of_class| {
            let share = if weighted {
                of_class as f64 / rows as f64
            } else {
                1.0
            };
            (mu * share).sqrt() * of_mean(rows, of_class)
        });
        joint
    }

    /// `E`, scaled so that `‖E Eᵀ‖_F = ‖Eᵀ E‖_F = 1`, or zero where nothing differs.
    pub(crate) fn indicators(&self) -> Array2<f64> {
        let n = self.columns.first().map_or(0, Array1::len);
        let mut e = Array2::zeros((n, self.columns.len()));
        for (mut to, from) in e.axis_iter_mut(Axis(1)).zip(&self.columns) {
            to.assign(from);
        }
        let norm = gram(&e).iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm > 0.0 { e / norm.sqrt() } else { e }
    }
}

/// The entry of a class mean: what [`Discrepancy::add_classes`] takes for the plain difference of the means.
pub(crate) fn of_mean(_rows: usize, of_class: usize) -> f64 {
    1.0 / of_class as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// The matrices as the papers write them, entry by entry.
    fn naive(source: &[usize], target: &[usize], n_classes: usize) -> Array2<f64> {
        let (ns, nt) = (source.len(), target.len());
        let labels: Vec<usize> = source.iter().chain(target).copied().collect();
        let side = |i: usize| i < ns;
        let count = |class: Option<usize>, from_source: bool| {
            (0..ns + nt)
                .filter(|&i| side(i) == from_source && class.is_none_or(|c| labels[i] == c))
                .count() as f64
        };
        let mut m = Array2::zeros((ns + nt, ns + nt));
        for class in std::iter::once(None).chain((0..n_classes).map(Some)) {
            if count(class, true) == 0.0 || count(class, false) == 0.0 {
                continue;
            }
            let scale = if class.is_none() {
                n_classes as f64
            } else {
                1.0
            };
            for i in 0..ns + nt {
                for j in 0..ns + nt {
                    let member = |k: usize| class.is_none_or(|c| labels[k] == c);
                    if member(i) && member(j) {
                        let sign = if side(i) == side(j) { 1.0 } else { -1.0 };
                        m[[i, j]] += scale * sign / (count(class, side(i)) * count(class, side(j)));
                    }
                }
            }
        }
        let norm = m.iter().map(|v: &f64| v * v).sum::<f64>().sqrt();
        m / norm
    }

    #[test]
    fn the_columns_give_the_matrix_of_the_paper() {
        // Class 2 is missing from the target, class 3 from the source.
        let (source, target) = (array![0, 1, 1, 2, 0], array![1, 0, 3, 1]);
        let mut m = Discrepancy::marginal(5, 4, 4.0);
        m.add_classes(&source, &target, 4, of_mean);
        let e = m.indicators();
        let difference = e.dot(&e.t()) - naive(&source.to_vec(), &target.to_vec(), 4);
        assert!(difference.iter().all(|v| v.abs() < 1e-14), "{difference:?}");
    }

    /// The balance entry by entry, with the weights of the table in [`BdaParams`](crate::feature::BdaParams).
    #[test]
    fn the_balance_is_that_of_the_documentation() {
        let (source, target) = (array![0, 1, 1, 2, 0, 1], array![1, 0, 3, 1]);
        for (mu, weighted) in [(0.3, false), (0.3, true), (0.0, true), (1.0, false)] {
            let e = Discrepancy::balanced(&source, &target, 4, mu, weighted).indicators();
            let n = source.len() + target.len();
            let indicator = |class: Option<usize>| -> Array1<f64> {
                let of = |labels: &Array1<usize>, sign: f64| -> Vec<f64> {
                    let all = labels.len() as f64;
                    let count = |c: usize| labels.iter().filter(|&&l| l == c).count() as f64;
                    let entry = |&label: &usize| match class {
                        None => sign / all,
                        Some(c) if c != label => 0.0,
                        Some(c) if weighted => sign * (count(c) / all).sqrt() / count(c),
                        Some(c) => sign / count(c),
                    };
                    labels.iter().map(entry).collect()
                };
                [of(&source, 1.0), of(&target, -1.0)].concat().into()
            };
            let mut m = Array2::<f64>::zeros((n, n));
            let scale = if weighted { 1.0 } else { 4.0 };
            // Classes 2 and 3 occur on one side only.
            let terms = [(None, (1.0 - mu) * scale), (Some(0), mu), (Some(1), mu)];
            for (class, weight) in terms {
                let e = indicator(class).insert_axis(Axis(1));
                m = m + e.dot(&e.t()) * weight;
            }
            let norm = m.iter().map(|v| v * v).sum::<f64>().sqrt();
            let difference = e.dot(&e.t()) - m / norm;
            assert!(
                difference.iter().all(|v| v.abs() < 1e-14),
                "{mu}, {weighted}"
            );
        }
    }

    #[test]
    fn nothing_in_common_leaves_nothing() {
        let e = Discrepancy::balanced(&array![0, 0], &array![1], 2, 1.0, false).indicators();
        assert!(e.iter().all(|&v| v == 0.0), "{e}");
    }
}
