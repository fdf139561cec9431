//! What an entropic solver is given, and the potentials it looks for.

use ndarray::{ArrayView2, CowArray, Ix2};

/// Rows that share a sum over columns: sums are taken block by block, so their order depends on the shape alone.
pub(super) const BLOCK: usize = 64;

/// Costs and masses, checked.
pub(super) struct Problem<'a> {
    cost: CowArray<'a, f64, Ix2>,
    pub(super) a: Vec<f64>,
    pub(super) b: Vec<f64>,
    log_a: Vec<f64>,
    log_b: Vec<f64>,
    row_relaxation: Option<f64>,
    column_relaxation: Option<f64>,
}

/// `f` of the rows and `g` of the columns.
#[derive(Debug, Clone)]
pub(super) struct Potentials {
    pub(super) f: Vec<f64>,
    pub(super) g: Vec<f64>,
}

impl<'a> Problem<'a> {
    /// `cost` in standard layout.
    pub(super) fn new(
        cost: CowArray<'a, f64, Ix2>,
        a: Vec<f64>,
        b: Vec<f64>,
        row_relaxation: Option<f64>,
        column_relaxation: Option<f64>,
    ) -> Self {
        let logs = |masses: &[f64]| masses.iter().map(|mass| mass.ln()).collect();
        Self {
            cost,
            log_a: logs(&a),
            log_b: logs(&b),
            a,
            b,
            row_relaxation,
            column_relaxation,
        }
    }

    pub(super) fn cost(&self) -> ArrayView2<'_, f64> {
        self.cost.view()
    }

    pub(super) fn row(&self, i: usize) -> &[f64] {
        let m = self.b.len();
        &self.cost.as_slice().unwrap_or_default()[i * m..(i + 1) * m]
    }

    /// What the rows weigh together.
    pub(super) fn mass(&self) -> f64 {
        self.a.iter().sum()
    }

    pub(super) fn log_a(&self) -> &[f64] {
        &self.log_a
    }

    pub(super) fn log_b(&self) -> &[f64] {
        &self.log_b
    }

    /// `ρ / (ρ + ε)`; 1 where the masses of the rows are met exactly.
    pub(super) fn row_damping(&self, epsilon: f64) -> f64 {
        damping(self.row_relaxation, epsilon)
    }

    pub(super) fn column_damping(&self, epsilon: f64) -> f64 {
        damping(self.column_relaxation, epsilon)
    }

    /// Potentials with `f_i + g_j ≤ C_ij` and equality somewhere in each row and each column: nothing overflows, and
    /// nothing is lost altogether, for any regularisation.
    pub(super) fn first_potentials(&self) -> Potentials {
        let rows = self.cost.rows();
        let f: Vec<f64> = rows
            .into_iter()
            .map(|row| row.fold(f64::INFINITY, |least, &cost| least.min(cost)))
            .collect();
        let mut g = vec![f64::INFINITY; self.b.len()];
        for (row, f) in self.cost.rows().into_iter().zip(&f) {
            for (g, cost) in g.iter_mut().zip(row) {
                *g = g.min(cost - f);
            }
        }
        Potentials { f, g }
    }

    /// From the least to the largest cost.
    pub(super) fn range(&self) -> f64 {
        let (least, largest) = self.cost.fold(
            (f64::INFINITY, f64::NEG_INFINITY),
            |(least, largest), &c| (least.min(c), largest.max(c)),
        );
        largest - least
    }
}

fn damping(relaxation: Option<f64>, epsilon: f64) -> f64 {
    relaxation.map_or(1.0, |rho| rho / (rho + epsilon))
}
