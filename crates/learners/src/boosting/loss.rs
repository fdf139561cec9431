//! The losses boosting lowers: gradients and Newton steps.

/// Curvatures below this give a leaf of value 0.
const LEAST_CURVATURE: f64 = 1e-150;

/// What the rounds lower, with the labels they lower it for.
pub(super) enum Loss<'a> {
    Squared {
        values: Vec<f64>,
    },
    /// One score: the log-odds of class 1 against class 0.
    Binomial {
        classes: &'a [usize],
    },
    /// A score per class.
    Multinomial {
        classes: &'a [usize],
        n_classes: usize,
    },
}

impl Loss<'_> {
    /// Negative gradients, one vector per score.
    pub(super) fn residuals(&self, scores: &[Vec<f64>]) -> Vec<Vec<f64>> {
        match self {
            Self::Squared { values } => {
                vec![
                    values
                        .iter()
                        .zip(&scores[0])
                        .map(|(value, score)| value - score)
                        .collect(),
                ]
            }
            Self::Binomial { classes } => {
                let residual = |(&class, &score): (&usize, &f64)| class as f64 - logistic(score);
                vec![classes.iter().zip(&scores[0]).map(residual).collect()]
            }
            Self::Multinomial { classes, n_classes } => {
                let mut residuals = vec![vec![0.0; classes.len()]; *n_classes];
                let mut row = vec![0.0; *n_classes];
                for (i, &class) in classes.iter().enumerate() {
                    row.iter_mut()
                        .zip(scores)
                        .for_each(|(entry, scores)| *entry = scores[i]);
                    softmax(&mut row);
                    for (k, &probability) in row.iter().enumerate() {
                        residuals[k][i] = f64::from(u8::from(k == class)) - probability;
                    }
                }
                residuals
            }
        }
    }

    /// Replaces the mean residual of each leaf by a Newton step; for squared error they are the same.
    pub(super) fn newton_leaves(
        &self,
        residuals: &[f64],
        weights: &[f64],
        leaf_of_row: &[u32],
        leaves: &mut [Vec<f64>],
    ) {
        let shrink = match self {
            Self::Squared { .. } => return,
            Self::Binomial { .. } => 1.0,
            Self::Multinomial { n_classes, .. } => (*n_classes - 1) as f64 / *n_classes as f64,
        };
        let mut gradients = vec![0.0; leaves.len()];
        let mut curvatures = vec![0.0; leaves.len()];
        for ((&residual, &weight), &leaf) in residuals.iter().zip(weights).zip(leaf_of_row) {
            // A residual is 1 − p for the row's own class and −p for another, so p (1 − p) = |r| (1 − |r|).
            gradients[leaf as usize] += weight * residual;
            curvatures[leaf as usize] += weight * residual.abs() * (1.0 - residual.abs());
        }
        for ((leaf, gradient), curvature) in leaves.iter_mut().zip(gradients).zip(curvatures) {
            leaf[0] = if curvature < LEAST_CURVATURE {
                0.0
            } else {
                shrink * gradient / curvature
            };
        }
    }
}

pub(super) fn logistic(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

/// Scores into probabilities.
pub(super) fn softmax(scores: &mut [f64]) {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores
        .iter_mut()
        .for_each(|score| *score = (*score - largest).exp());
    let total: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= total);
}
