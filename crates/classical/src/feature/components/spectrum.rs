//! The scatter decomposed once, so that the components of another discrepancy are those of a smaller problem.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, concatenate, s};
use translearn_core::linalg::{LinalgError, eigh, matmul, orthonormalize, svd_thin};

use super::InverseRoot;

/// Coordinates whose value is above this share of the least one wanted are kept as they are: the functions that stand for
/// the others get many where a pole comes near.
const NEAR: f64 = 0.95;
/// Values at which the functions are sampled, by equal steps of the logarithm of their distance to the nearest pole.
const SAMPLES: usize = 40;
/// Products of a function and a direction of the discrepancy that weigh less than this beside the first are left out. What
/// that leaves of a residual is a hundredth of it, the values below those wanted being the smaller ones.
const WEIGHT: f64 = 1e-11;
/// About how many functions there are, to see beforehand whether they can pay.
const USUAL_FUNCTIONS: usize = 12;
/// Above this share of the size of the whole problem, the smaller one does not pay.
const LARGEST_SHARE: f64 = 0.6;
/// Largest residual of the whitened problem, relative to the pair's own value; to it comes the rounding of a decomposition.
const TOLERANCE: f64 = 1e-11;

/// `S = V diag(s) Vᵀ` of a positive semi-definite `S`, `s` descending.
#[derive(Debug)]
pub(super) struct Spectrum {
    values: Array1<f64>,
    vectors: Array2<f64>,
}

/// Whether a problem of size `m` with `k` pairs wanted and a discrepancy of `q` columns may become much smaller.
pub(super) fn may_pay(m: usize, k: usize, q: usize) -> bool {
    pays(m, k + q + USUAL_FUNCTIONS * q)
}

fn pays(m: usize, size: usize) -> bool {
    size as f64 <= LARGEST_SHARE * m as f64
}

impl Spectrum {
    pub(super) fn of(scatter: &Array2<f64>) -> Result<Self, LinalgError> {
        let (values, vectors) = eigh(scatter)?.largest(scatter.nrows())?;
        Ok(Self {
            // Below 0 by rounding alone.
            values: values.mapv(|value| value.max(0.0)),
            vectors,
        })
    }

    /// The `k` solutions of largest `μ` in `S a = μ (λ I + Q Qᵀ) a`, or `None` where a smaller problem does not pay or does
    /// not give them to rounding.
    ///
    /// With `a = V b` and `G = Vᵀ Q` it is `(diag(s) - z I) b = (z/λ) G (Gᵀ b)` with `z = λ μ`: away from the poles,
    /// `b_i` is a mixture of the columns of `G` at `i` times `1 / (z - s_i)`. The wanted `z` lie between `s_{k+q}` and
    /// `s_1`, because `Q Qᵀ` of rank `q` moves no value past more than `q` others. Below, away from poles, the functions
    /// `1 / (z - s)` of `s` are, for all these `z` alike, mixtures of a few to within rounding. So the wanted `b` lie in the
    /// span of the first coordinates and of the products of these functions with the columns of `G`; the Rayleigh-Ritz
    /// values in that span are theirs.
    pub(super) fn largest(
        &self,
        q: &Array2<f64>,
        lambda: f64,
        k: usize,
    ) -> Result<Option<Array2<f64>>, LinalgError> {
        let m = self.values.len();
        let Some(first) = self.first_apart(k + q.ncols()) else {
            return Ok(None);
        };
        let g = matmul(&self.vectors.t(), q)?;
        let Some(tail) = self.span_of_tail(first, k + q.ncols(), g.slice(s![first.., ..]))? else {
            return Ok(None);
        };
        let size = first + tail.ncols();
        if !pays(m, size) {
            return Ok(None);
        }
        // The problem in the basis diag(I, W).
        let reduced_g = stacked(
            g.slice(s![..first, ..]),
            matmul(&tail.t(), &g.slice(s![first.., ..]))?.view(),
        );
        let mut scatter = Array2::zeros((size, size));
        scatter
            .slice_mut(s![..first, ..first])
            .diag_mut()
            .assign(&self.values.slice(s![..first]));
        let scaled = &tail * &column(self.values.slice(s![first..]));
        scatter
            .slice_mut(s![first.., first..])
            .assign(&matmul(&tail.t(), &scaled)?);
        let whiten = InverseRoot::new(&reduced_g, lambda)?;
        let (values, leading) = whiten.leading(&scatter, k)?;
        let leading = whiten.apply(&leading)?;
        let b = stacked(
            leading.slice(s![..first, ..]),
            matmul(&tail, &leading.slice(s![first.., ..]))?.view(),
        );
        if !self.is_solved(&g, lambda, &values, &b)? {
            return Ok(None);
        }
        matmul(&self.vectors, &b).map(Some)
    }

    /// The first coordinate whose value is below all the wanted ones, and not near them; `None` where rounding hides it.
    fn first_apart(&self, least: usize) -> Option<usize> {
        let (&largest, &least) = (self.values.first()?, self.values.get(least - 1)?);
        let rounding = self.values.len() as f64 * f64::EPSILON * largest;
        let first = self.values.iter().take_while(|&&s| s > NEAR * least);
        (least > rounding).then(|| first.count())
    }

    /// An orthonormal basis of what the wanted vectors can be from the coordinate `first` on, where `g` is `G`; `None` where
    /// the smaller problem would not pay, or where the basis is not to be told apart from a smaller one.
    fn span_of_tail(
        &self,
        first: usize,
        least: usize,
        g: ArrayView2<'_, f64>,
    ) -> Result<Option<Array2<f64>>, LinalgError> {
        let poles = self.values.slice(s![first..]);
        let Some(&pole) = poles.first() else {
            return Ok(None);
        };
        let (low, high) = (
            (self.values[least - 1] - pole).ln(),
            (self.values[0] - pole).ln(),
        );
        let steps = Array1::linspace(low, high, SAMPLES).mapv(f64::exp);
        // (z - s_first) / (z - s): 1 at the nearest pole for every z.
        let functions = Array2::from_shape_fn((poles.len(), SAMPLES), |(i, j)| {
            steps[j] / (steps[j] + (pole - poles[i]))
        });
        let (functions, columns) = (svd_thin(&functions)?, svd_thin(&g)?);
        let weight = |weights: &Array1<f64>, at: usize| weights[at] / weights[0];
        let pairs: Vec<(usize, usize)> = (0..functions.values.len())
            .flat_map(|l| (0..columns.values.len()).map(move |c| (l, c)))
            .filter(|&(l, c)| weight(&functions.values, l) * weight(&columns.values, c) > WEIGHT)
            .collect();
        if !pays(self.values.len(), first + pairs.len()) {
            return Ok(None);
        }
        if pairs.is_empty() {
            // Nothing pulls there, so nothing turns.
            return Ok(Some(Array2::zeros((poles.len(), 0))));
        }
        let products = Array2::from_shape_fn((poles.len(), pairs.len()), |(i, at)| {
            let (l, c) = pairs[at];
            functions.u[[i, l]] * columns.u[[i, c]]
        });
        match orthonormalize(&products) {
            Err(LinalgError::RankDeficient { .. }) => Ok(None),
            basis => basis.map(Some),
        }
    }

    /// Whether the columns solve the problem to rounding: the residual `W w - μ w` of its symmetric form, `W = R diag(s) R`
    /// with `R = (λ I + G Gᵀ)^{-1/2}` and `w = R⁻¹ b`.
    fn is_solved(
        &self,
        g: &Array2<f64>,
        lambda: f64,
        values: &Array1<f64>,
        b: &Array2<f64>,
    ) -> Result<bool, LinalgError> {
        let whiten = InverseRoot::new(g, lambda)?;
        let penalised = b * lambda + matmul(g, &matmul(&g.t(), b)?)?;
        let w = whiten.apply(&penalised)?;
        let residual = whiten.apply(&(b * &column(self.values.view())))? - &w * values;
        let rounding = self.values.len() as f64 * f64::EPSILON * self.values[0] / lambda;
        let mut pairs = residual.columns().into_iter().zip(w.columns()).zip(values);
        Ok(pairs.all(|((residual, w), value)| {
            let limit = TOLERANCE * value + rounding;
            residual.dot(&residual).sqrt() <= limit * w.dot(&w).sqrt()
        }))
    }
}

fn column(values: ArrayView1<'_, f64>) -> ArrayView2<'_, f64> {
    values.insert_axis(Axis(1))
}

#[expect(
    clippy::expect_used,
    reason = "both have a column for each pair, or for each of the discrepancy"
)]
fn stacked<'a>(above: ArrayView2<'a, f64>, below: ArrayView2<'a, f64>) -> Array2<f64> {
    concatenate(Axis(0), &[above, below]).expect("equal columns")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use translearn_core::{linalg::eigh_generalized, seed};

    /// A matrix with the eigenvalues given.
    fn with_spectrum(values: &Array1<f64>, rng: &mut seed::Rng) -> Array2<f64> {
        let m = values.len();
        let v = orthonormalize(&Array2::from_shape_simple_fn((m, m), || rng.normal())).unwrap();
        let s = (&v * values).dot(&v.t());
        (&s + &s.t()) * 0.5
    }

    /// Whether the smaller problem answered; what it answered is held against the whole pencil.
    fn answers(s: &Array2<f64>, q: &Array2<f64>, lambda: f64, k: usize) -> bool {
        let Some(found) = Spectrum::of(s).unwrap().largest(q, lambda, k).unwrap() else {
            return false;
        };
        let m = s.nrows();
        let penalised = q.dot(&q.t()) + Array2::<f64>::eye(m) * lambda;
        let whole = eigh_generalized(s, &penalised).unwrap();
        let best = whole.largest(k).unwrap().0;
        assert_eq!(found.dim(), (m, k));
        let inner = found.t().dot(&penalised.dot(&found));
        for (place, a) in found.columns().into_iter().enumerate() {
            let length = inner[[place, place]];
            let quotient = a.dot(&s.dot(&a)) / length;
            let off = (quotient - best[place]).abs();
            assert!(off <= 1e-10 * best[0], "{quotient} for {}", best[place]);
            // Orthogonal in the penalty: none of them stands for another.
            for other in 0..place {
                let cosine = inner[[place, other]] / (length * inner[[other, other]]).sqrt();
                assert!(cosine.abs() < 1e-9, "{place} and {other}: {cosine}");
            }
        }
        true
    }

    /// Falling as a power, in steps of twenty, or with zeros from some place on.
    fn spectrum(kind: usize, m: usize) -> Array1<f64> {
        Array1::from_shape_fn(m, |i| match kind {
            0 => 70.0 / (1.0 + i as f64),
            1 => 5.0 * 0.6_f64.powi((i / 20) as i32),
            2 if i >= m / 2 => 0.0,
            _ => 3.0 - 2.0 * i as f64 / m as f64,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn an_answer_is_that_of_the_whole_pencil(
            m in 2_usize..120, k in 1_usize..8, q in 1_usize..4, kind in 0_usize..4,
            digits in -6.0_f64..3.0, alike: bool, seed in 0_u64..1000,
        ) {
            let k = k.min(m);
            let mut rng = seed::rng(seed);
            let s = with_spectrum(&spectrum(kind, m), &mut rng);
            let mut pulls = Array2::from_shape_simple_fn((m, q), || 0.1 * rng.normal());
            if alike {
                // Two classes that differ alike, or one that is missing.
                let first = pulls.column(0).to_owned();
                pulls.column_mut(q - 1).assign(&(first * f64::from(u8::from(seed % 2 == 0))));
            }
            answers(&s, &pulls, 10.0_f64.powf(digits), k);
        }
    }

    #[test]
    fn it_answers_where_a_smaller_problem_exists() {
        for kind in [0, 1, 2] {
            let mut rng = seed::rng(3);
            let s = with_spectrum(&spectrum(kind, 200), &mut rng);
            let pulls = Array2::from_shape_simple_fn((200, 3), || 0.1 * rng.normal());
            for lambda in [1e-2, 1.0, 1e3] {
                assert!(answers(&s, &pulls, lambda, 15), "{kind}, {lambda}");
                assert!(answers(&s, &(&pulls * 0.0), lambda, 15), "{kind}, {lambda}");
            }
        }
    }

    #[test]
    fn it_does_not_where_none_exists() {
        let mut rng = seed::rng(4);
        let pulls = Array2::from_shape_simple_fn((200, 3), || rng.normal());
        // All values alike, more pairs than the rank, most of the pairs.
        let alike = with_spectrum(&Array1::ones(200), &mut rng);
        assert!(!answers(&alike, &pulls, 1.0, 15));
        let short = with_spectrum(
            &Array1::from_shape_fn(200, |i| f64::from(u8::from(i < 10))),
            &mut rng,
        );
        assert!(!answers(&short, &pulls, 1.0, 15));
        let falling = with_spectrum(&spectrum(0, 200), &mut rng);
        assert!(!answers(&falling, &pulls, 1.0, 110));
    }

    /// What the certificate is for: a vector that is none, and a value that is not its own.
    #[test]
    fn what_is_not_solved_is_seen() {
        let spectrum = Spectrum {
            values: Array1::from(vec![3.0, 2.0, 1.0]),
            vectors: Array2::eye(3),
        };
        let g = Array2::zeros((3, 1));
        let first = |b: [f64; 3], value: f64| {
            let b = Array2::from_shape_fn((3, 1), |(i, _)| b[i]);
            spectrum
                .is_solved(&g, 2.0, &Array1::from(vec![value]), &b)
                .unwrap()
        };
        assert!(first([1.0, 0.0, 0.0], 1.5));
        assert!(!first([1.0, 1e-6, 0.0], 1.5));
        assert!(!first([1.0, 0.0, 0.0], 1.5 + 1e-6));
    }
}
