//! Support vector machine with kernels.

mod model;
mod params;
mod smo;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use ndarray::{Array2, Axis};
use rayon::prelude::*;
use translearn_core::{
    Features, FitSample, HonorsSampleWeights, LearnerInfo, Outputs, Sample, TransferError,
    check_dense_memory, images_were_refused,
};

use crate::{classes::ClassRows, linfa_border::linfa_border};
use model::Support;
pub use model::{Machine, Svm};
pub use params::{SvmKernel, SvmParams};
use smo::Smo;

impl FitSample for SvmParams {
    type Model = Svm;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "svm",
        title: "Support vector machine",
        honors_weights: true,
        sparse: true,
        images: false,
        outputs: Outputs::Classification,
        probabilities: false,
        parameters: Self::TABLE,
        reference: "Chang, Lin: LIBSVM: a library for support vector machines, ACM TIST 2(3), 2011, doi:10.1145/1961189.1961199",
    };

    fn fit_checked(&self, sample: &Sample<'_>, _seed: u64) -> Result<Svm, TransferError> {
        let found = ClassRows::of(sample, Self::INFO.name)?;
        let rows = &found.rows.indices;
        check_size(rows.len())?;
        let (kernel, function) = match self.function() {
            Some(kernel) => {
                let function = kernel.resolve(&[&distinct_rows(&found.rows.features)])?;
                (
                    Cow::Owned(function.gram(&found.rows.features)?),
                    Some(function),
                )
            }
            None => (precomputed(sample.features(), rows)?, None),
        };
        let machines = self.machines(&kernel, &found)?;
        // The rows with a coefficient in some machine; machines count in these.
        let mut position = vec![None; rows.len()];
        for machine in &machines {
            machine
                .support
                .iter()
                .for_each(|&row| position[row] = Some(0));
        }
        let support: Vec<usize> = (0..rows.len())
            .filter(|&row| position[row].is_some())
            .collect();
        support
            .iter()
            .enumerate()
            .for_each(|(at, &row)| position[row] = Some(at));
        let in_support = |row: &usize| position[*row].unwrap_or_default();
        let machines = machines
            .into_iter()
            .map(|machine| Machine {
                support: machine.support.iter().map(in_support).collect(),
                ..machine
            })
            .collect();
        Ok(Svm {
            machines,
            classes: found.present,
            support: support.iter().map(|&row| rows[row]).collect(),
            kernel: match function {
                Some(function) => Support::Rows {
                    function,
                    rows: found.rows.features.select_rows(&support),
                },
                None => Support::Columns {
                    n_columns: sample.n_rows(),
                },
            },
        })
    }
}

impl SvmParams {
    /// One machine for each pair of classes, in lexical order; their support counts in rows of the kernel matrix.
    fn machines(
        &self,
        kernel: &Array2<f64>,
        found: &ClassRows<'_>,
    ) -> Result<Vec<Machine>, TransferError> {
        let factors = self.class_weight.factors(found);
        let n_classes = found.present.len();
        let rows_of =
            |class: usize| (0..found.classes.len()).filter(move |&row| found.classes[row] == class);
        let pairs: Vec<(usize, usize)> = (0..n_classes)
            .flat_map(|first| (first + 1..n_classes).map(move |second| (first, second)))
            .collect();
        let solve = |&(first, second): &(usize, usize)| {
            let rows: Vec<usize> = rows_of(first).chain(rows_of(second)).collect();
            let sign = |row: usize| {
                if found.classes[row] == first {
                    1.0
                } else {
                    -1.0
                }
            };
            let cost = |row: usize| self.c * found.rows.weights[row] * factors[found.classes[row]];
            let signs: Vec<f64> = rows.iter().map(|&row| sign(row)).collect();
            let costs = rows.iter().map(|&row| cost(row)).collect();
            let solved = Smo::new(
                kernel.view(),
                rows.clone(),
                signs.clone(),
                costs,
                self.tolerance,
            )
            .solve()?;
            let (support, coefficients) = (rows.iter().zip(signs).zip(&solved.alpha))
                .filter(|&(_, &alpha)| alpha > 0.0)
                .map(|((&row, sign), &alpha)| (row, sign * alpha))
                .unzip();
            Ok(Machine {
                first,
                second,
                support,
                coefficients,
                rho: solved.rho,
                violation: solved.violation,
            })
        };
        pairs.par_iter().map(solve).collect()
    }
}

/// The kernel matrix among the training rows is held whole.
fn check_size(n: usize) -> Result<(), TransferError> {
    check_dense_memory("the kernel matrix of the SVM", n, n, 1)
}

/// The part of a given kernel matrix that belongs to `rows`.
fn precomputed<'a>(
    features: &'a Features,
    rows: &[usize],
) -> Result<Cow<'a, Array2<f64>>, TransferError> {
    let (n, columns) = (features.n_rows(), features.n_columns());
    if n != columns {
        return Err(TransferError::Unsupported {
            method: "svm with a precomputed kernel".to_owned(),
            needs: "a square matrix, a row and a column per training row,".to_owned(),
            has: format!("{n} rows of {columns} columns"),
        });
    }
    let kernel = features.dense()?;
    if rows.len() == n {
        return Ok(kernel);
    }
    Ok(Cow::Owned(
        kernel.select(Axis(0), rows).select(Axis(1), rows),
    ))
}

/// The different rows in an order of their own, so that γ chosen from the data depends neither on the order of the rows
/// nor on how often one occurs: twice a row is the row with weight 2.
fn distinct_rows(features: &Features) -> Features {
    let key = |row: usize| -> Vec<(usize, u64)> {
        let bits =
            |(column, &value): (usize, &f64)| (value != 0.0).then_some((column, value.to_bits()));
        match features {
            Features::Dense(x) => x.row(row).iter().enumerate().filter_map(bits).collect(),
            Features::Sparse(x) => x
                .outer_view(row)
                .iter()
                .flat_map(|row| row.iter())
                .filter_map(bits)
                .collect(),
            Features::Images(_) => images_were_refused(),
        }
    };
    let mut keyed: Vec<_> = (0..features.n_rows()).map(|row| (key(row), row)).collect();
    keyed.sort_unstable();
    keyed.dedup_by(|a, b| a.0 == b.0);
    let rows: Vec<usize> = keyed.into_iter().map(|(_, row)| row).collect();
    features.select_rows(&rows)
}

impl HonorsSampleWeights for SvmParams {}

linfa_border!(SvmParams => Svm: usize);
