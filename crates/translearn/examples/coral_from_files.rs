//! Correlation alignment of two `npy` files that need not fit into memory:
//!
//! ```sh
//! cargo run --release --example coral_from_files --features data -- source.npy target.npy
//! ```
//!
//! Each file is read once, 4096 rows at a time. What is shown is how far the covariances are apart before and after.
#![expect(clippy::print_stdout, reason = "what it finds is its output")]

use std::error::Error;
use std::path::Path;

use translearn::classical::feature::Coral;
use translearn::core::linalg::{Moments, matmul};
use translearn::data::read::npy;

fn moments(path: &str) -> Result<Moments, Box<dyn Error>> {
    let blocks = npy::blocks(Path::new(path), 4096)?;
    let mut moments = Moments::new(blocks.shape().1);
    for block in blocks {
        moments.add(&block?)?;
    }
    Ok(moments)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, target] = &arguments[..] else {
        return Err("usage: coral_from_files SOURCE.npy TARGET.npy".into());
    };
    let (source, target) = (moments(source)?, moments(target)?);
    let coral = Coral::params().fit_moments(&source, &target)?;

    let (from, to) = (source.covariance()?, target.covariance()?);
    let a = coral.matrix();
    let mapped = matmul(&matmul(&a.t(), &from)?, a)?;
    let apart = |c: &ndarray::Array2<f64>| (c - &to).mapv(|v| v * v).sum().sqrt();
    println!(
        "{} and {} rows of {} columns: ‖C_s − C_t‖ = {:.4e}, ‖AᵀC_s A − C_t‖ = {:.4e}",
        source.n_rows(),
        target.n_rows(),
        a.nrows(),
        apart(&from),
        apart(&mapped),
    );
    Ok(())
}
