//! Gaussian naive Bayes.

use std::f64::consts::TAU;

use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, FitSample, HonorsSampleWeights, LearnerInfo, Outputs, ParamInfo, ParamRange,
    Prediction, Predictor, Sample, TransferError, check_prediction_rows, setters,
};

use crate::{
    classes::{ClassRows, PresentClasses},
    linfa_border::linfa_border,
    rows::map_rows,
};

/// A Gaussian naive Bayes model; see [`GaussianNbParams`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GaussianNb {
    present: PresentClasses,
    priors: Array1<f64>,
    /// One row per class that occurs, here and below.
    means: Array2<f64>,
    variances: Array2<f64>,
}

/// Bayes' rule with independent Gaussian features per class.
///
/// When to use: a fast generative baseline with probabilities, when features are roughly bell-shaped within a class.
///
/// ```text
/// p(c | x) ∝ π_c Π_j N(x_j; μ_cj, σ²_cj + ε)        ε = var_smoothing · max_j Var(x_j)
/// ```
///
/// with π, μ, σ² the weighted class shares, means and (population) variances.
///
/// | parameter | default | range | |
/// |---|---|---|---|
/// | `var_smoothing` | 1e-9 | (0, ∞) | share of the largest feature variance added to every variance |
///
/// When no feature varies at all, ε is `var_smoothing` itself. Classes that do not occur get probability 0; a single
/// class is predicted everywhere. A row of weight 0 is absent, a row of weight 2 is that row twice, and only ratios of
/// weights matter. Sparse features are made dense for the fit; prediction takes sparse rows as they are. Cost: O(n d) to
/// fit, O(k d) per row to predict.
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, FitSample, Labels, Predictor, Sample};
/// use translearn_learners::GaussianNb;
///
/// let x = Features::from(array![[-1.0], [1.0], [3.0], [5.0]]);
/// let y = Labels::from(array![0, 0, 1, 1]);
/// let weights = array![1.0, 1.0, 3.0, 3.0];
/// let sample = Sample::new(&x, &y, 2)?.with_weights(&weights)?;
/// let model = GaussianNb::params().fit_sample(&sample, 0)?;
/// // Means 0 and 4, variance 1 each: at the midpoint only the priors 1/4 and 3/4 are left.
/// let predicted = model.predict(&Features::from(array![[2.0]]))?;
/// let p = predicted.scores.unwrap().matrix()[[0, 1]];
/// assert!((p - 0.75).abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Errors
/// [`TransferError::Unsupported`] for real-valued labels, [`TransferError::InvalidParameter`],
/// [`TransferError::DenseTooLarge`].
///
/// Source: Hastie, Tibshirani, Friedman, *The Elements of Statistical Learning*, 2009, §6.6.3,
/// doi:10.1007/978-0-387-84858-7. Where we differ from scikit-learn: ε comes from the weighted variances, so that a row of
/// weight 0 really is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianNbParams {
    var_smoothing: f64,
}

impl Default for GaussianNbParams {
    fn default() -> Self {
        Self {
            var_smoothing: 1e-9,
        }
    }
}

impl GaussianNb {
    /// Parameters of Gaussian naive Bayes, at their defaults.
    pub fn params() -> GaussianNbParams {
        GaussianNbParams::default()
    }
}

setters!(GaussianNbParams {
    /// Share of the largest feature variance added to every variance.
    var_smoothing: f64,
});

impl FitSample for GaussianNbParams {
    type Model = GaussianNb;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "gaussian-nb",
        title: "Gaussian naive Bayes",
        honors_weights: true,
        sparse: false,
        images: false,
        outputs: Outputs::Classification,
        probabilities: true,
        parameters: &[ParamInfo {
            name: "var_smoothing",
            default: "1e-9",
            range: ParamRange::Positive,
            doc: "Share of the largest feature variance added to every variance.",
        }],
        reference: "Hastie, Tibshirani, Friedman 2009, §6.6.3, doi:10.1007/978-0-387-84858-7",
    };

    fn fit_checked(&self, sample: &Sample<'_>, _seed: u64) -> Result<GaussianNb, TransferError> {
        let ClassRows {
            rows,
            classes,
            present,
        } = ClassRows::one_or_more(sample, Self::INFO.name)?;
        let x = rows.features.dense()?;
        let heaviest = rows.weights.iter().copied().fold(0.0, f64::max);
        let weights = rows.weights.mapv(|weight| weight / heaviest);
        let n_classes = present.len();
        let all: Vec<usize> = (0..x.nrows()).collect();
        let mut priors = Array1::zeros(n_classes);
        let (mut means, mut variances) = (
            Array2::zeros((n_classes, x.ncols())),
            Array2::zeros((n_classes, x.ncols())),
        );
        for class in 0..n_classes {
            let members: Vec<usize> = all
                .iter()
                .copied()
                .filter(|&row| classes[row] == class)
                .collect();
            priors[class] = members.iter().map(|&row| weights[row]).sum::<f64>();
            // Relative to the heaviest row of the class: a class of vanishing weight still has a shape.
            let (mean, variance) = moments(x.view(), &members, &rows.weights);
            means.row_mut(class).assign(&mean);
            variances.row_mut(class).assign(&variance);
        }
        priors /= priors.sum();
        let (_, overall) = moments(x.view(), &all, &rows.weights);
        let largest = overall.iter().copied().fold(0.0, f64::max);
        variances += self.var_smoothing * if largest > 0.0 { largest } else { 1.0 };
        Ok(GaussianNb {
            present,
            priors,
            means,
            variances,
        })
    }
}

/// Weighted mean and population variance of each column over some rows, in two passes.
fn moments(
    x: ArrayView2<'_, f64>,
    rows: &[usize],
    weights: &Array1<f64>,
) -> (Array1<f64>, Array1<f64>) {
    let heaviest = rows.iter().map(|&row| weights[row]).fold(0.0, f64::max);
    let total: f64 = rows.iter().map(|&row| weights[row] / heaviest).sum();
    let mut mean = Array1::<f64>::zeros(x.ncols());
    for &row in rows {
        mean.scaled_add(weights[row] / heaviest / total, &x.row(row));
    }
    let mut variance = Array1::<f64>::zeros(x.ncols());
    for &row in rows {
        let share = weights[row] / heaviest / total;
        ndarray::Zip::from(&mut variance)
            .and(&x.row(row))
            .and(&mean)
            .for_each(|variance, &value, &mean| {
                *variance += share * (value - mean).powi(2);
            });
    }
    (mean, variance)
}

impl HonorsSampleWeights for GaussianNbParams {}

#[typetag::serde]
impl Predictor for GaussianNb {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        check_prediction_rows(features, self.means.ncols())?;
        let constants: Array1<f64> = self
            .variances
            .mapv(|variance| (TAU * variance).ln())
            .sum_axis(Axis(1))
            .iter()
            .zip(&self.priors)
            .map(|(logs, prior)| prior.ln() - 0.5 * logs)
            .collect();
        let probabilities = map_rows(features, self.present.len(), |row, out| {
            for (class, out) in out.iter_mut().enumerate() {
                let terms = row
                    .iter()
                    .zip(self.means.row(class))
                    .zip(self.variances.row(class));
                let squares: f64 = terms
                    .map(|((x, mean), variance)| (x - mean).powi(2) / variance)
                    .sum();
                *out = constants[class] - 0.5 * squares;
            }
            self.normalise(out);
        });
        Ok(Prediction::from_probabilities(
            self.present.widen_probabilities(&probabilities),
        ))
    }
}

impl GaussianNb {
    /// Joint log-likelihoods into probabilities; the priors where a row is so far off that every likelihood is 0.
    fn normalise(&self, logs: &mut [f64]) {
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if !largest.is_finite() {
            logs.iter_mut()
                .zip(&self.priors)
                .for_each(|(log, &prior)| *log = prior);
            return;
        }
        logs.iter_mut()
            .for_each(|log| *log = (*log - largest).exp());
        let total: f64 = logs.iter().sum();
        logs.iter_mut().for_each(|p| *p /= total);
    }
}

linfa_border!(GaussianNbParams => GaussianNb: usize);

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use translearn_core::{Labels, seed};

    fn table(n: usize) -> (Features, Array1<usize>, Array1<f64>) {
        let mut rng = seed::rng(n as u64);
        let x = Array2::from_shape_simple_fn((n, 4), || {
            if rng.below(3) == 0 {
                0.0
            } else {
                rng.normal() + 2.0
            }
        });
        let y = Array1::from_shape_simple_fn(n, || 2 * rng.below(3));
        let w = Array1::from_shape_simple_fn(n, || rng.below(3) as f64);
        (x.into(), y, w)
    }

    fn probabilities(
        x: &Features,
        y: &Array1<usize>,
        w: &Array1<f64>,
        query: &Features,
    ) -> Array2<f64> {
        let labels = Labels::from(y.clone());
        let sample = Sample::new(x, &labels, 6).unwrap().with_weights(w).unwrap();
        let model = GaussianNb::params().fit_sample(&sample, 0).unwrap();
        model
            .predict(query)
            .unwrap()
            .scores
            .unwrap()
            .matrix()
            .clone()
    }

    fn assert_close(a: &Array2<f64>, b: &Array2<f64>) {
        assert!((a - b).iter().all(|d| d.abs() < 1e-10), "{a} {b}");
    }

    #[test]
    fn weights_count_rows_and_sparse_rows_give_the_same() {
        let (x, y, w) = table(60);
        let weighted = probabilities(&x, &y, &w, &x);
        let repeated: Vec<usize> = (0..60).flat_map(|i| vec![i; w[i] as usize]).collect();
        let ones = Array1::ones(repeated.len());
        assert_close(
            &weighted,
            &probabilities(
                &x.select_rows(&repeated),
                &y.select(Axis(0), &repeated),
                &ones,
                &x,
            ),
        );
        let sparse = Features::Sparse(x.to_sparse().unwrap().into_owned());
        assert_close(&weighted, &probabilities(&sparse, &y, &w, &sparse));
        assert_close(&weighted, &probabilities(&x, &y, &(&w * 1e-300), &x));
        assert!(weighted.column(1).iter().all(|&p| p == 0.0));
    }

    #[test]
    fn probabilities_are_bayes_rule() {
        let (x, y, w) = table(40);
        let found = probabilities(&x, &y, &w, &x);
        let x = x.dense().unwrap();
        let mean_of = |rows: &[usize], f: &dyn Fn(usize) -> f64| {
            rows.iter().map(|&i| w[i] * f(i)).sum::<f64>() / rows.iter().map(|&i| w[i]).sum::<f64>()
        };
        let everyone: Vec<usize> = (0..40).collect();
        let variance = |rows: &[usize], j: usize| {
            let mean = mean_of(rows, &|i| x[[i, j]]);
            mean_of(rows, &|i| (x[[i, j]] - mean).powi(2))
        };
        let smoothing = 1e-9 * (0..4).map(|j| variance(&everyone, j)).fold(0.0, f64::max);
        for i in 0..40 {
            let joint = |class: usize| -> f64 {
                let rows: Vec<usize> = (0..40).filter(|&i| y[i] == class).collect();
                let prior = rows.iter().map(|&i| w[i]).sum::<f64>() / w.sum();
                (0..4).fold(prior, |product, j| {
                    let (mean, variance) = (
                        mean_of(&rows, &|i| x[[i, j]]),
                        variance(&rows, j) + smoothing,
                    );
                    product * (-(x[[i, j]] - mean).powi(2) / (2.0 * variance)).exp()
                        / (TAU * variance).sqrt()
                })
            };
            let total = joint(0) + joint(2) + joint(4);
            for class in [0, 2, 4] {
                assert!((found[[i, class]] - joint(class) / total).abs() < 1e-10);
            }
        }
    }

    #[test]
    fn nothing_degenerate_gives_nan() {
        let ones = Array1::ones(3);
        let constant = Features::from(array![[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]);
        let p = probabilities(&constant, &array![0, 0, 1], &ones, &constant);
        assert!((p[[0, 0]] - 2.0 / 3.0).abs() < 1e-12);
        let single = probabilities(&constant, &array![3, 3, 3], &ones, &constant);
        assert_eq!(single.column(3), array![1.0, 1.0, 1.0]);
        let spread = Features::from(array![[0.0, 1.0], [1.0, 2.0], [1.0, 2.5]]);
        let far = probabilities(
            &spread,
            &array![0, 0, 1],
            &ones,
            &Features::from(array![[1e200, -1e200]]),
        );
        assert!((far.row(0).sum() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_saved_model_predicts_the_same() {
        let (x, y, w) = table(25);
        let labels = Labels::from(y);
        let sample = Sample::new(&x, &labels, 5)
            .unwrap()
            .with_weights(&w)
            .unwrap();
        let model: Box<dyn Predictor> =
            Box::new(GaussianNb::params().fit_sample(&sample, 0).unwrap());
        let back: Box<dyn Predictor> =
            serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
        assert_eq!(model.predict(&x).unwrap(), back.predict(&x).unwrap());
        let wrong = GaussianNb::params()
            .var_smoothing(0.0)
            .fit_sample(&sample, 0);
        assert!(matches!(wrong, Err(TransferError::InvalidParameter { .. })));
    }
}
