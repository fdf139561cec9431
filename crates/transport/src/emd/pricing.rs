//! The search for pairs that would make the plan cheaper.

/// Partial minima, for the vector units.
const LANES: usize = 16;

/// `min_j (cost_j - v_j)` of a row.
pub(super) fn row_minimum(cost: &[f64], v: &[f64]) -> f64 {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || minimum(cost, v),
    )
}

#[inline(always)]
fn minimum(cost: &[f64], v: &[f64]) -> f64 {
    let mut lanes = [f64::INFINITY; LANES];
    let (costs, potentials) = (cost.chunks_exact(LANES), v.chunks_exact(LANES));
    let rest = costs.remainder().iter().zip(potentials.remainder());
    let rest = rest.fold(f64::INFINITY, |least, (c, v)| least.min(c - v));
    for (cost, v) in costs.zip(potentials) {
        for lane in 0..LANES {
            let reduced = cost[lane] - v[lane];
            lanes[lane] = if reduced < lanes[lane] {
                reduced
            } else {
                lanes[lane]
            };
        }
    }
    lanes.into_iter().fold(rest, f64::min)
}

/// The first column at the minimum of a row.
pub(super) fn position(cost: &[f64], v: &[f64], minimum: f64) -> Option<usize> {
    cost.iter().zip(v).position(|(c, v)| c - v <= minimum)
}
