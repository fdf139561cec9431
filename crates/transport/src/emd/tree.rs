//! A spanning tree of rows, columns and a root, with the flow on each arc.

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// A node and its arc to its parent.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) parent: u32,
    first_child: u32,
    next_sibling: u32,
    previous_sibling: u32,
    pub(super) depth: u32,
    /// What flows on the arc to the parent, whichever way the arc points.
    pub(super) flow: i64,
    /// What a unit costs there.
    pub(super) cost: f64,
}

/// Nodes are the `n` rows, then the `m` columns, then the root.
///
/// Arcs point from rows to columns. Those at the root are no pairs: they point to it and only hold the pieces of the
/// tree together. As no arc leaves the root, nothing ever flows on them.
///
/// **Invariant.** The tree is strongly feasible: where an arc points away from the root, its flow is above 0.
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) n_rows: usize,
    /// `u`, then `v`: on each arc of the tree `u_i + v_j = C_ij`.
    pub(super) potentials: Vec<f64>,
}

impl Tree {
    /// All nodes apart from each other.
    pub(super) fn new(n_rows: usize, n_columns: usize) -> Self {
        let apart = Node {
            parent: NONE,
            first_child: NONE,
            next_sibling: NONE,
            previous_sibling: NONE,
            depth: 0,
            flow: 0,
            cost: 0.0,
        };
        Self {
            nodes: vec![apart; n_rows + n_columns + 1],
            n_rows,
            potentials: vec![0.0; n_rows + n_columns],
        }
    }

    pub(super) fn root(&self) -> u32 {
        self.nodes.len() as u32 - 1
    }

    /// Whether the arc of a node points to its parent.
    pub(super) fn points_up(&self, node: u32) -> bool {
        (node as usize) < self.n_rows || self.nodes[node as usize].parent == self.root()
    }

    /// Puts a node below a parent.
    pub(super) fn attach(&mut self, node: u32, parent: u32, flow: i64, cost: f64) {
        let next = self.nodes[parent as usize].first_child;
        if next != NONE {
            self.nodes[next as usize].previous_sibling = node;
        }
        self.nodes[parent as usize].first_child = node;
        let this = &mut self.nodes[node as usize];
        (this.parent, this.flow, this.cost) = (parent, flow, cost);
        (this.next_sibling, this.previous_sibling) = (next, NONE);
    }

    fn detach(&mut self, node: u32) {
        let Node {
            parent,
            next_sibling,
            previous_sibling,
            ..
        } = self.nodes[node as usize];
        if next_sibling != NONE {
            self.nodes[next_sibling as usize].previous_sibling = previous_sibling;
        }
        if previous_sibling == NONE {
            self.nodes[parent as usize].first_child = next_sibling;
        } else {
            self.nodes[previous_sibling as usize].next_sibling = next_sibling;
        }
    }

    /// Cuts the arc above `cut` and hangs what was below it under `parent`, by its node `top`.
    pub(super) fn rehang(&mut self, cut: u32, top: u32, parent: u32, flow: i64, cost: f64) {
        let (mut node, mut above) = (top, (parent, flow, cost));
        loop {
            let this = &self.nodes[node as usize];
            let before = (this.parent, this.flow, this.cost);
            self.detach(node);
            self.attach(node, above.0, above.1, above.2);
            if node == cut {
                break;
            }
            // The parent becomes the child: the arc between them is now the parent's.
            above = (node, before.1, before.2);
            node = before.0;
        }
        self.refresh(top);
    }

    /// Depths and potentials of a node and all below it, from its parent's. Potentials are not adjusted but computed
    /// anew from the costs, so that errors do not add up over the pivots.
    pub(super) fn refresh(&mut self, top: u32) {
        let root = self.root();
        let mut node = top;
        loop {
            let this = &self.nodes[node as usize];
            let (parent, first_child, cost) = (this.parent, this.first_child, this.cost);
            let above = if parent == root {
                0.0
            } else {
                self.potentials[parent as usize]
            };
            self.potentials[node as usize] = cost - above;
            self.nodes[node as usize].depth = self.nodes[parent as usize].depth + 1;
            if first_child != NONE {
                node = first_child;
                continue;
            }
            while node != top && self.nodes[node as usize].next_sibling == NONE {
                node = self.nodes[node as usize].parent;
            }
            if node == top {
                return;
            }
            node = self.nodes[node as usize].next_sibling;
        }
    }
}
