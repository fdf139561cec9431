//! Networks: nodes with features, edges and classes.

use std::path::Path;

use ndarray::Array2;
use translearn_assets::Cache;
use translearn_core::Csr;

use super::load::{Part, Reader};
use super::read::variables;
use super::set::{Select, Set};
use crate::read::{Value, Variables};
use crate::{DataError, RawLabels};

/// A network of `n` nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// Features of the nodes, `n x d`.
    pub features: Csr,
    /// Edges, `n x n`: weight of the edge from row to column.
    pub edges: Csr,
    /// Which classes each node has, `n x classes`: any number of them, also none.
    pub classes: Array2<bool>,
}

impl Graph {
    /// One class code per node, unless some node has several or none.
    ///
    /// ```
    /// use ndarray::array;
    /// use translearn_core::Csr;
    /// use translearn_data::RawLabels;
    /// use translearn_data::catalog::Graph;
    ///
    /// let mut graph = Graph {
    ///     features: Csr::zero((2, 5)),
    ///     edges: Csr::eye(2),
    ///     classes: array![[false, true], [true, false]],
    /// };
    /// assert_eq!(graph.labels(), Some(RawLabels::Numbers(vec![1.0, 0.0])));
    /// graph.classes[[0, 0]] = true;
    /// assert_eq!(graph.labels(), None);
    /// ```
    pub fn labels(&self) -> Option<RawLabels> {
        let code = |row: ndarray::ArrayView1<'_, bool>| {
            let mut codes = (0..row.len()).filter(|&class| row[class]);
            codes
                .next()
                .filter(|_| codes.next().is_none())
                .map(|class| class as f64)
        };
        self.classes
            .rows()
            .into_iter()
            .map(code)
            .collect::<Option<Vec<f64>>>()
            .map(RawLabels::Numbers)
    }
}

impl Set {
    /// The network of a domain.
    ///
    /// # Errors
    /// Those of [`Set::select`], [`Set::fetch`] and the reader; [`DataError::Unsupported`] for a set without networks;
    /// [`DataError::Mismatch`] when features, edges and classes differ in the number of nodes.
    pub fn graph(&self, select: &Select, cache: &Cache) -> Result<Graph, DataError> {
        match self.select(select)?.as_slice() {
            [part] => self.read_graph(part, cache),
            _ => Err(self.unsupported("several networks", "choose one")),
        }
    }

    pub(super) fn read_graph(&self, part: &Part, cache: &Cache) -> Result<Graph, DataError> {
        let (
            Reader::Graph {
                file,
                features,
                edges,
                labels,
            },
            Some(classes),
        ) = (&part.read, part.classes)
        else {
            return Err(self.unsupported("no network", "use `load`"));
        };
        let path = self.fetch(cache, file)?;
        graph(&variables(&path)?, &path, features, edges, labels, classes)
    }
}

fn graph(
    variables: &Variables,
    path: &Path,
    features: &str,
    edges: &str,
    labels: &str,
    n_classes: usize,
) -> Result<Graph, DataError> {
    let sparse = |name: &str| match variables.get(name)? {
        Value::Numeric(array) => array.sparse(path, name),
        Value::Sparse(matrix) => Ok(matrix.to_csr()),
        other => Err(DataError::Unsupported {
            path: path.to_owned(),
            found: format!("`{name}` ({})", other.describe()),
            advice: "a matrix is needed".to_owned(),
        }),
    };
    let (features_csr, edges_csr) = (sparse(features)?, sparse(edges)?);
    let n = features_csr.rows();
    let mismatch = |left: String, right: String| DataError::Mismatch {
        path: path.to_owned(),
        left,
        right,
        advice: "the file does not describe one network".to_owned(),
    };
    if edges_csr.shape() != (n, n) {
        let (rows, columns) = edges_csr.shape();
        return Err(mismatch(
            format!("`{features}` has {n} nodes"),
            format!("`{edges}` is {rows} x {columns}"),
        ));
    }
    let indicator = sparse(labels)?;
    let mut classes = Array2::from_elem((n, n_classes), false);
    let wrong = |found: String| {
        mismatch(
            format!("{n} nodes and {n_classes} classes"),
            format!("`{labels}` {found}"),
        )
    };
    match indicator.shape() {
        (rows, columns) if (rows, columns) == (n, n_classes) && columns != 1 => {
            for (&value, cell) in indicator.iter() {
                classes[cell] = value != 0.0;
            }
        }
        (rows, 1) if rows == n => {
            for row in 0..n {
                let code = indicator.get(row, 0).copied().unwrap_or(0.0);
                if !(code >= 0.0 && code.fract() == 0.0 && code < n_classes as f64) {
                    return Err(wrong(format!("holds class {code}")));
                }
                classes[[row, code as usize]] = true;
            }
        }
        (rows, columns) => return Err(wrong(format!("is {rows} x {columns}"))),
    }
    Ok(Graph {
        features: features_csr,
        edges: edges_csr,
        classes,
    })
}
