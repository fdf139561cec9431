//! What methods share that weigh source rows by an estimate of the density ratio: how far the ratio is trusted.
//!
//! `flatten` is the exponent of Shimodaira (Journal of Statistical Planning and Inference 90(2), 2000,
//! doi:10.1016/S0378-3758(00)00115-4), `clip` the truncation of Ionides (Journal of Computational and Graphical Statistics
//! 17(2), 2008, doi:10.1198/106186008X320456): both trade a bias for less variance.

use ndarray::Array1;
use translearn_core::{ParamInfo, ParamRange};

/// The parameters that all methods over a density ratio share.
pub(super) const RATIO_PARAMETERS: [ParamInfo; 2] = [
    ParamInfo {
        name: "flatten",
        default: "1.0",
        range: ParamRange::Real {
            low: 0.0,
            high: 1.0,
        },
        doc: "Exponent of the weights: 1 leaves them as they are, 0 makes them equal.",
    },
    ParamInfo {
        name: "clip",
        default: "null",
        range: ParamRange::PositiveOrAuto,
        doc: "Largest weight, in multiples of the mean weight; null: none is cut.",
    },
];

/// `w^flatten`, cut at `clip` times its mean.
pub(super) fn tempered(weights: Array1<f64>, flatten: f64, clip: Option<f64>) -> Array1<f64> {
    let flat = match flatten {
        1.0 => weights,
        _ => weights.mapv(|w| w.powf(flatten)),
    };
    match (clip, flat.mean()) {
        (Some(clip), Some(mean)) => flat.mapv(|w| w.min(clip * mean)),
        _ => flat,
    }
}

/// The builders of [`RATIO_PARAMETERS`], and what applies them.
macro_rules! ratio_builders {
    ($params:ty) => {
        translearn_core::setters!($params {
            /// Sets the exponent of the weights.
            flatten: f64,
            /// Sets the largest weight, in multiples of the mean weight.
            clip: Some(f64),
        });

        impl $params {
            /// Weights from a ratio.
            fn tempered(&self, ratio: ndarray::Array1<f64>) -> ndarray::Array1<f64> {
                $crate::instance::ratio::tempered(ratio, self.flatten, self.clip)
            }
        }
    };
}
pub(super) use ratio_builders;

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;
    use translearn_core::mean_one;

    use super::*;

    proptest! {
        #[test]
        fn weights_are_flattened_then_cut(w in prop::collection::vec(0.0f64..50.0, 2..20), flatten in 0.0f64..1.0, clip in 0.5f64..3.0) {
            let w = Array1::from(w) + 1e-3;
            let ours = tempered(w.clone(), flatten, Some(clip));
            // In multiples of the mean of w^flatten, whatever the scale of w.
            let naive = |scale: f64| {
                let powers: Vec<f64> = w.iter().map(|w| (flatten * (scale * w).ln()).exp()).collect();
                let mean = powers.iter().sum::<f64>() / powers.len() as f64;
                mean_one(&powers.into_iter().map(|p| if p / mean > clip { clip } else { p / mean }).collect()).unwrap()
            };
            for scale in [1.0, 17.0] {
                let difference = (mean_one(&ours).unwrap() - naive(scale)).fold(0.0_f64, |a, &b| a.max(b.abs()));
                prop_assert!(difference < 1e-9, "{difference}");
            }
        }
    }

    #[test]
    fn the_ends_are_the_ratio_and_no_weights() {
        let w = array![0.0, 0.3, 7.0];
        assert_eq!(tempered(w.clone(), 1.0, None), w);
        assert_eq!(tempered(w, 0.0, None), array![1.0, 1.0, 1.0]);
    }
}
