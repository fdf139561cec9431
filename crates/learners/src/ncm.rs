//! Nearest class mean.

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, FitSample, HonorsSampleWeights, LearnerInfo, Outputs, ParamInfo, ParamRange,
    Prediction, Predictor, Sample, TransferError, check_prediction_rows, distance,
    images_were_refused, setters,
};

use crate::{
    classes::{ClassRows, PresentClasses},
    linfa_border::linfa_border,
};

/// How near a row is to a class mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NcmMetric {
    /// −‖x − μ_c‖².
    #[default]
    Euclidean,
    /// xᵀμ_c / (‖x‖ ‖μ_c‖), with μ_c the mean of rows of unit length.
    Cosine,
}

/// A nearest-class-mean model; see [`NcmParams`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ncm {
    metric: NcmMetric,
    present: PresentClasses,
    /// One row per class that occurs.
    means: Array2<f64>,
}

/// Assigns a row to the class whose weighted mean is nearest.
///
/// When to use: a baseline with nothing to tune that shifts between domains hurt little, few rows per class, and the
/// last step of few-shot methods.
///
/// ```text
/// μ_c = Σ_{yᵢ = c} wᵢ xᵢ / Σ_{yᵢ = c} wᵢ        ŷ(x) = argmax_c  −‖x − μ_c‖²     (euclidean)
///                                                             cos(x, μ_c)       (cosine)
/// ```
///
/// Under `cosine` every training row is first scaled to unit L2 length, so a long row does not count for more; a row of
/// zeros stays 0 and has similarity 0 to every class.
///
/// | parameter | default | range | |
/// |---|---|---|---|
/// | `metric` | `"euclidean"` | `"euclidean"`, `"cosine"` | what "nearest" means |
///
/// Scores are the decision values above. Classes that do not occur stand 1 below the least of the others. Ties go to the
/// lowest class. A row of weight 0 is absent, a row of weight 2 is that row twice. Dense or sparse rows, `n x d`; the
/// means are dense, `k x d`. Cost: O(n d) to fit, O(k d) per row to predict (O(k) per non-zero of a sparse row).
///
/// On Office-Caltech (SURF; rows divided by their sum, then z-scores per domain) without adaptation, `cosine` has an
/// average accuracy of 47.15 % over the twelve pairs, more than the published figures of several adaptation methods.
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, FitSample, Labels, Predictor, Sample};
/// use translearn_learners::{Ncm, NcmMetric};
///
/// let x = Features::from(array![[1.0, 0.0], [9.0, 0.0], [0.0, 1.0]]);
/// let y = Labels::from(array![0, 0, 1]);
/// let sample = Sample::new(&x, &y, 2)?;
/// let query = Features::from(array![[0.2, 0.1]]);
/// // The mean of class 0 is (5, 0): far away, but in the right direction.
/// let near = Ncm::params().fit_sample(&sample, 0)?;
/// assert_eq!(near.predict(&query)?.labels, Labels::from(array![1]));
/// let cosine = Ncm::params().metric(NcmMetric::Cosine).fit_sample(&sample, 0)?;
/// assert_eq!(cosine.predict(&query)?.labels, Labels::from(array![0]));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Errors
/// [`TransferError::Unsupported`] for real-valued labels.
///
/// Source: Tibshirani, Hastie, Narasimhan, Chu, "Diagnosis of multiple cancer types by shrunken centroids", 2002,
/// doi:10.1073/pnas.082099299, with no shrinkage (scikit-learn's `NearestCentroid`, which takes no weights).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NcmParams {
    metric: NcmMetric,
}

impl Ncm {
    /// Parameters of nearest class mean, at their defaults.
    pub fn params() -> NcmParams {
        NcmParams::default()
    }
}

setters!(NcmParams {
    /// What "nearest" means.
    metric: NcmMetric,
});

impl FitSample for NcmParams {
    type Model = Ncm;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "ncm",
        title: "Nearest class mean",
        honors_weights: true,
        sparse: true,
        images: false,
        outputs: Outputs::Classification,
        probabilities: false,
        parameters: &[ParamInfo {
            name: "metric",
            default: "\"euclidean\"",
            range: ParamRange::Choice(&["euclidean", "cosine"]),
            doc: "What \"nearest\" means; cosine takes the means of rows of unit length.",
        }],
        reference: "Tibshirani, Hastie, Narasimhan, Chu 2002, doi:10.1073/pnas.082099299",
    };

    fn fit_checked(&self, sample: &Sample<'_>, _seed: u64) -> Result<Ncm, TransferError> {
        let ClassRows {
            rows,
            classes,
            present,
        } = ClassRows::one_or_more(sample, Self::INFO.name)?;
        // Relative to the heaviest row of the class, so that weights of any size neither overflow nor vanish.
        let mut heaviest = vec![0.0_f64; present.len()];
        for (&class, &weight) in classes.iter().zip(&rows.weights) {
            heaviest[class] = heaviest[class].max(weight);
        }
        let mut means = Array2::<f64>::zeros((present.len(), rows.features.n_columns()));
        let mut totals = vec![0.0; present.len()];
        for (row, &class) in classes.iter().enumerate() {
            let weight = rows.weights[row] / heaviest[class];
            totals[class] += weight;
            let share = match self.metric {
                NcmMetric::Euclidean => weight,
                NcmMetric::Cosine => match length(&rows.features, row) {
                    0.0 => continue,
                    length => weight / length,
                },
            };
            for_each_value(&rows.features, row, |column, value| {
                means[[class, column]] += share * value;
            });
        }
        means
            .outer_iter_mut()
            .zip(totals)
            .for_each(|(mut mean, total)| mean /= total);
        Ok(Ncm {
            metric: self.metric,
            present,
            means,
        })
    }
}

impl HonorsSampleWeights for NcmParams {}

/// Euclidean length of a row, scaled by its largest entry so that squares stay in range.
fn length(features: &Features, row: usize) -> f64 {
    let mut largest = 0.0_f64;
    for_each_value(features, row, |_, value| largest = largest.max(value.abs()));
    let mut squares = 0.0;
    for_each_value(features, row, |_, value| {
        squares += (value / largest).powi(2);
    });
    if largest > 0.0 {
        largest * squares.sqrt()
    } else {
        0.0
    }
}

fn for_each_value(features: &Features, row: usize, mut see: impl FnMut(usize, f64)) {
    match features {
        Features::Dense(x) => x
            .row(row)
            .iter()
            .enumerate()
            .for_each(|(column, &value)| see(column, value)),
        Features::Sparse(x) => {
            if let Some(values) = x.outer_view(row) {
                values
                    .iter()
                    .for_each(|(column, &value)| see(column, value));
            }
        }
        Features::Images(_) => images_were_refused(),
    }
}

#[typetag::serde]
impl Predictor for Ncm {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        check_prediction_rows(features, self.means.ncols())?;
        let means = Features::Dense(self.means.clone());
        let decision = match self.metric {
            NcmMetric::Euclidean => -distance::squared_distances(features, &means)?,
            NcmMetric::Cosine => distance::cosine_similarities(features, &means)?,
        };
        Ok(Prediction::from_decision(
            self.present.widen_decision(&decision),
        ))
    }
}

linfa_border!(NcmParams => Ncm: usize);

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Axis, array};
    use translearn_core::{Labels, seed};

    fn table(n: usize) -> (Array2<f64>, Array1<usize>, Array1<f64>) {
        let mut rng = seed::rng(n as u64);
        let x = Array2::from_shape_simple_fn((n, 6), || {
            if rng.below(2) == 0 { 0.0 } else { rng.normal() }
        });
        let y = Array1::from_shape_simple_fn(n, || rng.below(3) + 1);
        let w = Array1::from_shape_simple_fn(n, || rng.below(3) as f64);
        (x, y, w)
    }

    fn fit(x: &Features, y: &Array1<usize>, w: &Array1<f64>, metric: NcmMetric) -> Ncm {
        let labels = Labels::from(y.clone());
        let sample = Sample::new(x, &labels, 5).unwrap().with_weights(w).unwrap();
        Ncm::params().metric(metric).fit_sample(&sample, 0).unwrap()
    }

    fn scores(model: &Ncm, x: &Features) -> Array2<f64> {
        model.predict(x).unwrap().scores.unwrap().matrix().clone()
    }

    #[test]
    fn weights_count_rows_and_sparse_rows_give_the_same() {
        let (x, y, w) = table(50);
        let repeated: Vec<usize> = (0..50).flat_map(|i| vec![i; w[i] as usize]).collect();
        let dense = Features::from(x.clone());
        let sparse = Features::Sparse(dense.to_sparse().unwrap().into_owned());
        for metric in [NcmMetric::Euclidean, NcmMetric::Cosine] {
            let weighted = scores(&fit(&dense, &y, &w, metric), &dense);
            let ones = Array1::ones(repeated.len());
            let twice = fit(
                &dense.select_rows(&repeated),
                &y.select(Axis(0), &repeated),
                &ones,
                metric,
            );
            let by_sparse = scores(&fit(&sparse, &y, &w, metric), &sparse);
            for other in [scores(&twice, &dense), by_sparse] {
                assert!((&weighted - &other).iter().all(|d| d.abs() < 1e-12));
            }
        }
    }

    #[test]
    fn scores_are_their_definition() {
        let (x, y, w) = table(30);
        let features = Features::from(x.clone());
        for metric in [NcmMetric::Euclidean, NcmMetric::Cosine] {
            let found = scores(&fit(&features, &y, &w, metric), &features);
            for class in 1..4 {
                let mut mean = Array1::<f64>::zeros(6);
                let mut total = 0.0;
                for i in (0..30).filter(|&i| y[i] == class) {
                    let norm = x.row(i).dot(&x.row(i)).sqrt();
                    let scale = if metric == NcmMetric::Cosine && norm > 0.0 {
                        w[i] / norm
                    } else {
                        w[i]
                    };
                    mean += &(&x.row(i) * scale);
                    total += w[i];
                }
                mean /= total;
                for i in 0..30 {
                    let difference = &x.row(i) - &mean;
                    let norms = (x.row(i).dot(&x.row(i)) * mean.dot(&mean)).sqrt();
                    let expected = match metric {
                        NcmMetric::Euclidean => -difference.dot(&difference),
                        NcmMetric::Cosine if norms > 0.0 => x.row(i).dot(&mean) / norms,
                        NcmMetric::Cosine => 0.0,
                    };
                    assert!((found[[i, class]] - expected).abs() < 1e-12);
                }
            }
            // Classes 0 and 4 do not occur and never win.
            assert!(
                found
                    .outer_iter()
                    .all(|row| row[0] < row[1].min(row[2]).min(row[3]) && row[4] == row[0])
            );
        }
    }

    #[test]
    fn one_class_is_predicted_everywhere_and_values_are_refused() {
        let x = Features::from(array![[0.0, 0.0], [1.0, 2.0]]);
        let model = fit(&x, &array![2, 2], &array![1.0, 1.0], NcmMetric::Cosine);
        assert_eq!(
            model.predict(&x).unwrap().labels,
            Labels::from(array![2, 2])
        );
        let values = Labels::from(array![0.5, 1.0]);
        let sample = Sample::new(&x, &values, 0).unwrap();
        assert!(matches!(
            Ncm::params().fit_sample(&sample, 0),
            Err(TransferError::Unsupported { .. })
        ));
    }

    #[test]
    fn a_saved_model_predicts_the_same() {
        let (x, y, w) = table(20);
        let features = Features::from(x);
        let model: Box<dyn Predictor> = Box::new(fit(&features, &y, &w, NcmMetric::Cosine));
        let back: Box<dyn Predictor> =
            serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
        assert_eq!(
            model.predict(&features).unwrap(),
            back.predict(&features).unwrap()
        );
    }
}
