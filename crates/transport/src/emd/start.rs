//! The first tree: a cheap plan, row by row.

use ndarray::ArrayView2;

use super::masses::WholeMasses;
use super::pricing::{position, row_minimum};
use super::tree::Tree;

/// A pair of the first plan with what flows on it.
struct Pair {
    row: usize,
    column: usize,
    flow: i64,
}

/// A strongly feasible tree whose flow meets all masses.
pub(super) fn first_tree(cost: ArrayView2<'_, f64>, masses: &WholeMasses) -> Tree {
    let (n_rows, n_columns) = cost.dim();
    let v = column_minima(cost);
    let pairs = cheapest_with_room(cost, &v, masses);
    let mut tree = Tree::new(n_rows, n_columns);
    hang(&mut tree, cost, &v, &pairs);
    tree
}

fn column_minima(cost: ArrayView2<'_, f64>) -> Vec<f64> {
    let mut minima = vec![f64::INFINITY; cost.ncols()];
    for row in cost.rows() {
        for (least, &cost) in minima.iter_mut().zip(row) {
            *least = if cost < *least { cost } else { *least };
        }
    }
    minima
}

/// Each row in turn goes to the columns of least `C_ij - v_j` that have room left.
///
/// The pairs make no cycle: a row fills all of its columns but at most the last, so what hangs together has at most one
/// column with room, and only by that one it joins anything else.
fn cheapest_with_room(cost: ArrayView2<'_, f64>, v: &[f64], masses: &WholeMasses) -> Vec<Pair> {
    let mut room = masses.columns.clone();
    // Columns without room are so dear that they are never the minimum.
    let mut v_of_open = v.to_vec();
    for (v, &room) in v_of_open.iter_mut().zip(&room) {
        if room == 0 {
            *v = f64::NEG_INFINITY;
        }
    }
    let mut pairs = Vec::with_capacity(cost.nrows() + cost.ncols());
    for (row, (costs, &mass)) in cost.rows().into_iter().zip(&masses.rows).enumerate() {
        let costs = costs.to_slice().unwrap_or_default();
        let mut left = mass;
        while left > 0 {
            let minimum = row_minimum(costs, &v_of_open);
            let Some(column) = position(costs, &v_of_open, minimum) else {
                break;
            };
            let flow = left.min(room[column]);
            left -= flow;
            room[column] -= flow;
            if room[column] == 0 {
                v_of_open[column] = f64::NEG_INFINITY;
            }
            pairs.push(Pair { row, column, flow });
        }
    }
    pairs
}

/// Hangs what the pairs hold together below the root, each piece by its first row: then arcs that point away from the
/// root are pairs, whose flow is above 0. A column that takes nothing hangs from the root by itself.
fn hang(tree: &mut Tree, cost: ArrayView2<'_, f64>, v: &[f64], pairs: &[Pair]) {
    let (n_rows, n_columns) = cost.dim();
    let n_nodes = n_rows + n_columns;
    let mut neighbours: Vec<Vec<usize>> = vec![Vec::new(); n_nodes];
    for (at, pair) in pairs.iter().enumerate() {
        neighbours[pair.row].push(at);
        neighbours[n_rows + pair.column].push(at);
    }
    let root = tree.root();
    let mut placed = vec![false; n_nodes];
    let mut open = Vec::new();
    for first in 0..n_nodes {
        if placed[first] {
            continue;
        }
        // The arc at the root carries nothing whatever it costs; its cost is the first guess of the potential.
        let potential = if first < n_rows {
            row_minimum(cost.row(first).to_slice().unwrap_or_default(), v)
        } else {
            v[first - n_rows]
        };
        tree.attach(first as u32, root, 0, potential);
        placed[first] = true;
        open.push(first);
        while let Some(node) = open.pop() {
            for &at in &neighbours[node] {
                let Pair { row, column, flow } = pairs[at];
                let other = if node == row { n_rows + column } else { row };
                if !placed[other] {
                    tree.attach(other as u32, node as u32, flow, cost[[row, column]]);
                    placed[other] = true;
                    open.push(other);
                }
            }
        }
        tree.refresh(first as u32);
    }
}
