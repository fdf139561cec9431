//! From one tree to a cheaper one, until there is none.

use ndarray::{Array1, ArrayView2};
use translearn_core::TransferError;

use super::ExactPlan;
use super::masses::WholeMasses;
use super::pricing::{position, row_minimum};
use super::start::first_tree;
use super::tree::Tree;
use crate::plan::SparsePlan;

/// A pair enters when it makes the plan cheaper by more than this share of the largest cost: potentials are sums and
/// differences of costs along the tree, and this is above their rounding.
const TOLERANCE: f64 = 1e-13;
/// Far above what any problem was seen to need.
const PIVOTS_PER_NODE: usize = 10_000;

pub(super) struct Simplex<'a> {
    cost: ArrayView2<'a, f64>,
    tree: Tree,
    tolerance: f64,
    /// Rows searched for one pivot.
    block: usize,
    pivots: usize,
}

/// A pair outside of the tree.
struct Entering {
    row: usize,
    column: usize,
    /// `C_ij - u_i - v_j`, below 0.
    reduced_cost: f64,
}

/// The arc that leaves, by the node below it.
struct Leaving {
    node: u32,
    /// What can flow around the cycle.
    flow: i64,
    /// Whether it lies on the side of the entering row.
    on_row_side: bool,
}

impl<'a> Simplex<'a> {
    /// `cost` in standard layout.
    pub(super) fn new(cost: ArrayView2<'a, f64>, masses: &WholeMasses) -> Self {
        let (n_rows, n_columns) = cost.dim();
        let largest = cost.fold(0.0_f64, |largest, cost| largest.max(cost.abs()));
        // About √(n m) pairs a search.
        let block = ((n_rows as f64 / n_columns as f64).sqrt().ceil() as usize).clamp(1, n_rows);
        Self {
            cost,
            tree: first_tree(cost, masses),
            tolerance: TOLERANCE * largest,
            block,
            pivots: 0,
        }
    }

    /// Pivots until no pair is worth entering.
    pub(super) fn run(&mut self) -> Result<(), TransferError> {
        let n_rows = self.cost.nrows();
        let limit = PIVOTS_PER_NODE * self.tree.nodes.len();
        let (mut row, mut searched) = (0, 0);
        let mut best: Option<Entering> = None;
        while searched < n_rows {
            if let Some(found) = self.best_of_row(row)
                && best
                    .as_ref()
                    .is_none_or(|best| found.reduced_cost < best.reduced_cost)
            {
                best = Some(found);
            }
            row = (row + 1) % n_rows;
            searched += 1;
            let block_ends = searched.is_multiple_of(self.block) || searched >= n_rows;
            if block_ends && let Some(entering) = best.take() {
                if self.pivots == limit {
                    return Err(TransferError::NotConverged {
                        what: "the network simplex method".to_owned(),
                        iterations: limit,
                        residual: -entering.reduced_cost,
                        tolerance: self.tolerance,
                    });
                }
                self.pivot(&entering);
                searched = 0;
            }
        }
        Ok(())
    }

    fn best_of_row(&self, row: usize) -> Option<Entering> {
        let (u, v) = self.tree.potentials.split_at(self.cost.nrows());
        let costs = self.cost.row(row).to_slice()?;
        let minimum = row_minimum(costs, v);
        let reduced_cost = minimum - u[row];
        // False also for NaN, which costs that overflow lead to.
        if reduced_cost < -self.tolerance {
            return Some(Entering {
                row,
                column: position(costs, v, minimum)?,
                reduced_cost,
            });
        }
        None
    }

    /// Sends what can flow around the cycle that a pair closes, and takes the arc out that is used up.
    fn pivot(&mut self, entering: &Entering) {
        let (row, column) = (
            entering.row as u32,
            (self.cost.nrows() + entering.column) as u32,
        );
        let join = self.join(row, column);
        let leaving = self.leaving(row, column, join);
        if leaving.flow > 0 {
            // Around the cycle: down to the row, over the new pair, and up from the column.
            self.send(row, join, -leaving.flow);
            self.send(column, join, leaving.flow);
        }
        let (top, parent) = if leaving.on_row_side {
            (row, column)
        } else {
            (column, row)
        };
        let cost = self.cost[[entering.row, entering.column]];
        self.tree
            .rehang(leaving.node, top, parent, leaving.flow, cost);
        self.pivots += 1;
    }

    /// Where the ways to the root meet.
    fn join(&self, row: u32, column: u32) -> u32 {
        let nodes = &self.tree.nodes;
        let (mut a, mut b) = (row, column);
        while a != b {
            if nodes[a as usize].depth >= nodes[b as usize].depth {
                a = nodes[a as usize].parent;
            } else {
                b = nodes[b as usize].parent;
            }
        }
        a
    }

    /// Of the arcs whose flow is used up first, the last one around the cycle from the join on: so the tree stays
    /// strongly feasible (Cunningham 1976).
    fn leaving(&self, row: u32, column: u32, join: u32) -> Leaving {
        let nodes = &self.tree.nodes;
        let mut leaving = Leaving {
            node: row,
            flow: i64::MAX,
            on_row_side: true,
        };
        let mut node = row;
        while node != join {
            let flow = nodes[node as usize].flow;
            if flow < leaving.flow && self.tree.points_up(node) {
                (leaving.node, leaving.flow) = (node, flow);
            }
            node = nodes[node as usize].parent;
        }
        node = column;
        while node != join {
            let flow = nodes[node as usize].flow;
            if flow <= leaving.flow && !self.tree.points_up(node) {
                (leaving.node, leaving.flow) = (node, flow);
                leaving.on_row_side = false;
            }
            node = nodes[node as usize].parent;
        }
        leaving
    }

    /// Adds to the flow of arcs that point up, and takes from those that point down.
    fn send(&mut self, from: u32, join: u32, flow: i64) {
        let mut node = from;
        while node != join {
            let signed = if self.tree.points_up(node) {
                flow
            } else {
                -flow
            };
            let this = &mut self.tree.nodes[node as usize];
            this.flow += signed;
            node = this.parent;
        }
    }

    /// The plan and the potentials of the last tree.
    pub(super) fn finish(self, masses: &WholeMasses) -> Result<ExactPlan, TransferError> {
        let (n_rows, n_columns) = self.cost.dim();
        let overflow = self
            .tree
            .potentials
            .iter()
            .position(|potential| !potential.is_finite());
        if let Some(row) = overflow {
            return Err(TransferError::NotFinite {
                what: "the vector of potentials, sums of costs that are too large,".to_owned(),
                row,
                column: 0,
                value: self.tree.potentials[row].to_string(),
            });
        }
        let root = self.tree.root();
        let mut entries = Vec::with_capacity(n_rows + n_columns);
        let mut cost = 0.0;
        for (at, node) in self.tree.nodes.iter().enumerate() {
            if at as u32 == root || node.parent == root || node.flow <= masses.negligible {
                continue;
            }
            let other = node.parent as usize;
            let (row, column) = if at < n_rows {
                (at, other)
            } else {
                (other, at)
            };
            let mass = node.flow as f64 * masses.unit;
            cost += mass * node.cost;
            entries.push((row, column - n_rows, mass));
        }
        let (u, v) = self.tree.potentials.split_at(n_rows);
        Ok(ExactPlan {
            plan: SparsePlan::new((n_rows, n_columns), entries),
            row_potentials: Array1::from(u.to_vec()),
            column_potentials: Array1::from(v.to_vec()),
            cost,
            pivots: self.pivots,
        })
    }
}
