//! The weights of least discrepancy, by Newton steps along the central path of a barrier.

use ndarray::{Array1, Array2, Axis, concatenate};
use translearn_core::{
    TransferError,
    linalg::{Eigh, LinalgError, eigh, gram, svd_thin},
};

/// Shares of the source rows and the proof that none are better by much.
#[derive(Debug, Clone)]
pub(super) struct LeastDiscrepancy {
    /// `q`, above 0 with sum 1.
    pub(super) shares: Array1<f64>,
    /// `‖M(q)‖₂`.
    pub(super) discrepancy: f64,
    /// `‖M‖₂` of equal shares.
    pub(super) unweighted: f64,
    /// What no shares can go below.
    pub(super) lower_bound: f64,
    /// `discrepancy − lower_bound`, in multiples of `‖C_S‖₂ + ‖C_T‖₂` of equal shares.
    pub(super) gap: f64,
}

/// Much less than this rounding cannot tell from 0 for many rows.
const GAP: f64 = 1e-6;
const ROUNDS: usize = 40;
const STEPS: usize = 100;
/// The barrier weighs this much less from round to round. With larger steps the way back to the path is longer than what
/// they gain where the source has to be stretched far: with ten, more than [`STEPS`] did not suffice.
const SHARPER: f64 = 2.0;
/// A step whose relative changes are within this is the last of its round; what is left is about its square.
const SMALL_STEP: f64 = 1e-5;

/// `min ‖X_TᵀX_T / n_T − X_Sᵀ diag(q) X_S‖₂` over `q ≥ 0`, `Σq = 1`, to a gap of at most [`GAP`].
///
/// For several `q` as good it comes to the one that is best spread, so that rows that are the same have the same share.
///
/// # Errors
/// [`TransferError::NotConverged`] with the gap that was left.
pub(super) fn least_discrepancy(
    source: &Array2<f64>,
    target: &Array2<f64>,
) -> Result<LeastDiscrepancy, TransferError> {
    let n = source.nrows();
    let largest = |x: &Array2<f64>| x.fold(0.0_f64, |a, &b| a.max(b.abs()));
    let unit = largest(source).max(largest(target)).max(f64::MIN_POSITIVE);
    let (source, target) = in_their_span(&(source / unit), &(target / unit))?;
    let goal = gram(&target) / target.nrows() as f64;
    let scale = spectral_norm(&goal)? + spectral_norm(&(gram(&source) / n as f64))?;
    let equal = Array1::from_elem(n, 1.0 / n as f64);
    if scale == 0.0 {
        return Ok(LeastDiscrepancy {
            shares: equal,
            discrepancy: 0.0,
            unweighted: 0.0,
            lower_bound: 0.0,
            gap: 0.0,
        });
    }
    let program = Program {
        rows: source / scale.sqrt(),
        goal: goal / scale,
    };
    let unit = unit * unit * scale;
    let unweighted = spectral_norm(&program.difference(&equal))?;
    // Both norms are at most 1 together, so 1 is above that of their difference.
    let mut at = Point {
        bound: 1.0,
        shares: equal,
    };
    let mut sharpness = (2 * program.goal.nrows() + n + 1) as f64;
    let mut gap = f64::INFINITY;
    for _ in 0..ROUNDS {
        at = program.centred(at, sharpness)?;
        let discrepancy = spectral_norm(&program.difference(&at.shares))?;
        let lower = program.lower_bound(&at)?;
        gap = discrepancy - lower;
        if gap <= GAP {
            return Ok(LeastDiscrepancy {
                shares: at.shares,
                discrepancy: unit * discrepancy,
                unweighted: unit * unweighted,
                lower_bound: unit * lower,
                gap,
            });
        }
        sharpness *= SHARPER;
    }
    Err(TransferError::NotConverged {
        what: "the least linear discrepancy".to_owned(),
        iterations: ROUNDS,
        residual: gap,
        tolerance: GAP,
    })
}

/// The rows in coordinates of the space that they span together, where that has fewer dimensions than columns.
fn in_their_span(
    source: &Array2<f64>,
    target: &Array2<f64>,
) -> Result<(Array2<f64>, Array2<f64>), LinalgError> {
    let (n, d) = source.dim();
    if d <= n + target.nrows() {
        return Ok((source.clone(), target.clone()));
    }
    #[expect(clippy::expect_used, reason = "both domains have as many columns")]
    let rows = concatenate(Axis(0), &[source.view(), target.view()]).expect("as many columns");
    let svd = svd_thin(&rows)?;
    let (upper, lower) = svd.u.view().split_at(Axis(0), n);
    Ok((&upper * &svd.values, &lower * &svd.values))
}

fn spectral_norm(symmetric: &Array2<f64>) -> Result<f64, LinalgError> {
    let values = eigh(symmetric)?.values;
    Ok(values.fold(0.0_f64, |a, &b| a.max(b.abs())))
}

fn transposed_mean(a: Array2<f64>) -> Array2<f64> {
    (&a + &a.t()) * 0.5
}

/// `min t` over `−tI ⪯ M(q) ⪯ tI`, `q ≥ 0`, `Σq = 1`.
struct Program {
    rows: Array2<f64>,
    goal: Array2<f64>,
}

/// How far the eigenvalues of `M(q)` are from `t` and from `−t`.
struct Slacks {
    vectors: Array2<f64>,
    sides: [Array1<f64>; 2],
}

/// Strictly within the bounds of the program.
#[derive(Debug, Clone)]
struct Point {
    bound: f64,
    shares: Array1<f64>,
}

impl Point {
    /// The point after relative changes, that of the bound first; shares keep their sum.
    fn moved(&self, change: &Array1<f64>, length: f64) -> Option<Self> {
        let factor = change.mapv(|v| 1.0 + length * v);
        if factor.iter().any(|&v| v.is_nan() || v <= 0.0) {
            return None;
        }
        let shares = &self.shares * &factor.slice(ndarray::s![1..]);
        Some(Self {
            bound: self.bound * factor[0],
            shares: &shares / shares.sum(),
        })
    }
}

impl Program {
    /// `M(q)`.
    fn difference(&self, shares: &Array1<f64>) -> Array2<f64> {
        let weighted = &self.rows * &shares.view().insert_axis(Axis(1));
        transposed_mean(&self.goal - &weighted.t().dot(&self.rows))
    }

    /// The eigenvalues and eigenvectors of `M(q)`, with `tI − M(q)` and `tI + M(q)` on them; `None` outside of the bounds.
    fn slacks(&self, at: &Point) -> Result<Option<Slacks>, LinalgError> {
        let Eigh { values, vectors } = eigh(&self.difference(&at.shares))?;
        let sides = [-1.0, 1.0].map(|sign| values.mapv(|v| at.bound + sign * v));
        let within = sides.iter().flatten().all(|&slack| slack > 0.0);
        Ok(within.then_some(Slacks { vectors, sides }))
    }

    /// `τt − ln det(tI − M) − ln det(tI + M) − ln t − Σ ln q_i`; infinite outside of the bounds.
    fn potential(&self, at: &Point, sharpness: f64) -> Result<f64, LinalgError> {
        let Some(Slacks { sides, .. }) = self.slacks(at)? else {
            return Ok(f64::INFINITY);
        };
        let logarithms = |of: &Array1<f64>| of.mapv(f64::ln).sum();
        let slacks: f64 = sides.iter().map(logarithms).sum();
        Ok(sharpness * at.bound - at.bound.ln() - logarithms(&at.shares) - slacks)
    }

    /// The point of least potential.
    fn centred(&self, start: Point, sharpness: f64) -> Result<Point, TransferError> {
        let mut at = start;
        for _ in 0..STEPS {
            let Some((change, decrement)) = self.newton_step(&at, sharpness)? else {
                break;
            };
            // The potential is self-concordant: near its bottom full steps converge, farther off this length surely stays
            // within the bounds and goes down, and a longer one is worth a try.
            let sure = 1.0 / (1.0 + decrement);
            let mut length = 1.0;
            if decrement > 0.25 {
                let from = self.potential(&at, sharpness)?;
                let goes_down = |length: f64| {
                    let to = match at.moved(&change, length) {
                        Some(to) => self.potential(&to, sharpness)?,
                        None => f64::INFINITY,
                    };
                    Ok::<_, LinalgError>(to <= from - 0.1 * length * decrement.powi(2))
                };
                while length > sure && !goes_down(length)? {
                    length *= 0.5;
                }
                length = length.max(sure);
            }
            match at.moved(&change, length) {
                Some(next) if self.slacks(&next)?.is_some() => at = next,
                _ => break,
            }
            if decrement <= SMALL_STEP {
                break;
            }
        }
        Ok(at)
    }

    /// The Newton step for the potential, as relative changes of `t` and of each `q_i`, and its length in the metric of
    /// the Hessian; `None` outside of the bounds.
    ///
    /// In relative changes the Hessian is `I + Y Yᵀ`, a row of `Y` for each change: the changes of the slacks, in units of
    /// the slacks. Near the optimum `Y Yᵀ` is so large that `I` would be lost in the sum, hence the singular values of `Y`.
    fn newton_step(
        &self,
        at: &Point,
        sharpness: f64,
    ) -> Result<Option<(Array1<f64>, f64)>, LinalgError> {
        let Some(Slacks { vectors, sides }) = self.slacks(at)? else {
            return Ok(None);
        };
        let (n, d) = self.rows.dim();
        let rows = self.rows.dot(&vectors);
        let pairs = d * (d + 1) / 2;
        let mut gradient = Array1::from_elem(n + 1, -1.0);
        gradient[0] += sharpness * at.bound;
        let mut relative = Array2::zeros((n + 1, 2 * pairs));
        for (side, (slack, sign)) in sides.iter().zip([1.0, -1.0]).enumerate() {
            // Slacks change by I with t and by ± x_i x_iᵀ with q_i.
            let units = slack.mapv(f64::sqrt);
            let mut column = side * pairs;
            for a in 0..d {
                gradient[0] -= at.bound / slack[a];
                relative[[0, column]] = at.bound / slack[a];
                for b in a..d {
                    let twice = if a == b {
                        1.0
                    } else {
                        std::f64::consts::SQRT_2
                    };
                    for i in 0..n {
                        let product = rows[[i, a]] / units[a] * (rows[[i, b]] / units[b]);
                        relative[[i + 1, column]] = sign * twice * at.shares[i] * product;
                    }
                    column += 1;
                }
            }
            for i in 0..n {
                let length: f64 = (0..d).map(|a| rows[[i, a]].powi(2) / slack[a]).sum();
                gradient[i + 1] -= sign * at.shares[i] * length;
            }
        }
        // Within the space of changes that keep the sum of the shares.
        let mut normal = Array1::zeros(n + 1);
        normal.slice_mut(ndarray::s![1..]).assign(&at.shares);
        normal /= at.shares.dot(&at.shares).sqrt();
        let without = |v: Array1<f64>| &v - &(&normal * normal.dot(&v));
        let along = normal.dot(&relative);
        for (mut row, part) in relative.outer_iter_mut().zip(&normal) {
            row.scaled_add(-part, &along);
        }
        let svd = svd_thin(&relative)?;
        let downhill = without(-&gradient);
        let mut inside = svd.u.t().dot(&downhill);
        let mut outside = downhill - svd.u.dot(&inside);
        // Once more: what rounding leaves here of stiff directions would outweigh their own part.
        let again = svd.u.t().dot(&outside);
        outside -= &svd.u.dot(&again);
        inside = (inside + again) / svd.values.mapv(|v| 1.0 + v * v);
        let change = without(outside + svd.u.dot(&inside));
        let decrement = (-gradient.dot(&change)).max(0.0).sqrt();
        Ok(Some((change, decrement)))
    }

    /// `⟨W, C⟩ − max_i x_iᵀ W x_i`, below the norm of `M(q)` for every `q` since the eigenvalues of `W` have absolute
    /// values of sum 1 at most; on the central path `W` comes close to the best such matrix.
    fn lower_bound(&self, at: &Point) -> Result<f64, LinalgError> {
        let Some(Slacks { vectors, sides }) = self.slacks(at)? else {
            return Ok(f64::NEG_INFINITY);
        };
        let [below, above] = sides.map(|slack| slack.mapv(f64::recip));
        let witness = (&below - &above) / (below.sum() + above.sum());
        let rows = self.rows.dot(&vectors).mapv(|v| v * v);
        let most = rows.dot(&witness).fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        let goal = self.goal.dot(&vectors) * &vectors;
        Ok(goal.sum_axis(Axis(0)).dot(&witness) - most)
    }
}
