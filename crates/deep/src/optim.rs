//! Optimisers whose state can be saved: stochastic gradient descent, Adam, AdamW.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::{DeepError, gaps};

/// How parameters follow their gradients.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "use", rename_all = "lowercase", deny_unknown_fields)]
pub enum Optimizer {
    /// Stochastic gradient descent, `v ← m v + (g + d θ)`, `θ ← θ − r v`; with `nesterov`, `θ ← θ − r (g + d θ + m v)`.
    Sgd {
        /// Momentum `m`, in `[0, 1)`.
        momentum: f64,
        /// Weight decay `d`, at least 0.
        weight_decay: f64,
        /// Whether the step looks ahead.
        nesterov: bool,
    },
    /// Adam (Kingma and Ba 2015): steps along `m̂ / (√v̂ + ε)`, with `g + d θ` in place of `g`.
    Adam {
        /// Memory of the mean and of the mean square of the gradient.
        betas: (f64, f64),
        /// Weight decay `d`.
        weight_decay: f64,
        /// `ε`.
        epsilon: f64,
    },
    /// AdamW (Loshchilov and Hutter 2019): Adam, with `θ ← θ − r d θ` apart from the gradient.
    AdamW {
        /// Memory of the mean and of the mean square of the gradient.
        betas: (f64, f64),
        /// Weight decay `d`.
        weight_decay: f64,
        /// `ε`.
        epsilon: f64,
    },
}

impl Optimizer {
    /// Gradient descent with momentum 0.9.
    pub fn sgd() -> Self {
        Self::Sgd {
            momentum: 0.9,
            weight_decay: 0.0,
            nesterov: false,
        }
    }

    /// Adam at the paper's constants.
    pub fn adam() -> Self {
        Self::Adam {
            betas: (0.9, 0.999),
            weight_decay: 0.0,
            epsilon: 1e-8,
        }
    }

    /// AdamW at PyTorch's constants.
    pub fn adamw() -> Self {
        Self::AdamW {
            betas: (0.9, 0.999),
            weight_decay: 0.01,
            epsilon: 1e-8,
        }
    }

    fn check(self) -> Result<(), DeepError> {
        let refuse = |name, value: f64, range: &str| {
            Err(DeepError::InvalidParameter {
                name,
                value: value.to_string(),
                range: range.to_owned(),
            })
        };
        let unit = |value: f64| (0.0..1.0).contains(&value);
        let (weight_decay, rest) = match self {
            Self::Sgd {
                momentum,
                weight_decay,
                ..
            } if unit(momentum) => (weight_decay, Ok(())),
            Self::Sgd { momentum, .. } => return refuse("momentum", momentum, "in [0, 1)"),
            Self::Adam {
                betas,
                weight_decay,
                epsilon,
            }
            | Self::AdamW {
                betas,
                weight_decay,
                epsilon,
            } => {
                let wrong = [betas.0, betas.1].into_iter().find(|&beta| !unit(beta));
                let rest = match wrong {
                    Some(beta) => refuse("betas", beta, "in [0, 1)"),
                    None if epsilon > 0.0 && epsilon.is_finite() => Ok(()),
                    None => refuse("epsilon", epsilon, "in (0, ∞)"),
                };
                (weight_decay, rest)
            }
        };
        if !(weight_decay >= 0.0 && weight_decay.is_finite()) {
            return refuse("weight_decay", weight_decay, "in [0, ∞)");
        }
        rest
    }
}

/// Parameters that are moved together, and what the optimiser remembers of them.
#[derive(Debug)]
pub struct OptimizerState {
    optimizer: Optimizer,
    parameters: Vec<Tensor>,
    /// One list per moment: momenta for gradient descent, both moments for Adam.
    moments: Vec<Vec<Tensor>>,
    /// Steps taken, for each parameter: one without a gradient takes none.
    steps: Vec<Tensor>,
}

impl OptimizerState {
    /// An optimiser that remembers nothing yet.
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`].
    pub fn new(
        optimizer: Optimizer,
        parameters: impl IntoIterator<Item = Tensor>,
    ) -> Result<Self, DeepError> {
        optimizer.check()?;
        let parameters: Vec<Tensor> = parameters.into_iter().collect();
        let n_moments = match optimizer {
            Optimizer::Sgd { .. } => 1,
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => 2,
        };
        let zeros = || {
            parameters
                .iter()
                .map(|p| p.detach().f_zeros_like())
                .collect::<Result<Vec<_>, _>>()
        };
        let moments = (0..n_moments)
            .map(|_| zeros())
            .collect::<Result<Vec<_>, _>>()?;
        let steps = parameters
            .iter()
            .map(|p| Tensor::f_zeros([] as [i64; 0], (Kind::Float, p.device())))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            optimizer,
            parameters,
            moments,
            steps,
        })
    }

    /// Moves every parameter that has a gradient by one step of learning rate `rate`.
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`] for a rate that is negative or not finite, [`DeepError::Torch`].
    pub fn step(&mut self, rate: f64) -> Result<(), DeepError> {
        if !(rate >= 0.0 && rate.is_finite()) {
            return Err(DeepError::InvalidParameter {
                name: "learning_rate",
                value: rate.to_string(),
                range: "in [0, ∞)".to_owned(),
            });
        }
        let moved: Vec<usize> = (0..self.parameters.len())
            .filter(|&index| self.parameters[index].grad().defined())
            .collect();
        if moved.is_empty() {
            return Ok(());
        }
        let pick = |tensors: &[Tensor]| -> Vec<Tensor> {
            moved
                .iter()
                .map(|&index| tensors[index].shallow_clone())
                .collect()
        };
        let parameters = pick(&self.parameters);
        let gradients: Vec<Tensor> = parameters.iter().map(Tensor::grad).collect();
        let steps = pick(&self.steps);
        for step in &steps {
            let _counted = tch::no_grad(|| step.shallow_clone().f_add_scalar_(1.0))?;
        }
        match self.optimizer {
            Optimizer::Sgd {
                momentum,
                weight_decay,
                nesterov,
            } => gaps::sgd(
                &parameters,
                &gradients,
                &pick(&self.moments[0]),
                gaps::SgdStep {
                    rate,
                    momentum,
                    weight_decay,
                    // Without momentum there is nothing to look ahead by, and libtorch refuses.
                    nesterov: nesterov && momentum > 0.0,
                    // Momenta begin at zero, which gives what libtorch's own first step gives.
                    first: false,
                },
            ),
            Optimizer::Adam {
                betas,
                weight_decay,
                epsilon,
            }
            | Optimizer::AdamW {
                betas,
                weight_decay,
                epsilon,
            } => gaps::adam(
                &parameters,
                &gradients,
                (&pick(&self.moments[0]), &pick(&self.moments[1])),
                &steps,
                gaps::AdamStep {
                    rate,
                    betas,
                    weight_decay,
                    epsilon,
                    decoupled: matches!(self.optimizer, Optimizer::AdamW { .. }),
                },
            ),
        }
    }

    /// Forgets the gradients. A parameter that no backward pass reaches before the next step has none then, and stays.
    pub fn zero_grad(&mut self) {
        for parameter in &mut self.parameters {
            // Zeros would be memory held through the forward pass, and gradients would be added to them.
            if gaps::forget_gradient(parameter).is_err() {
                parameter.zero_grad();
            }
        }
    }

    /// What it remembers, tensor by tensor: moments, then steps. They share their memory with the optimiser.
    pub fn memory(&self) -> impl Iterator<Item = &Tensor> {
        self.moments.iter().flatten().chain(&self.steps)
    }

    /// Takes over what another optimiser of the same kind and parameters remembered.
    ///
    /// # Errors
    /// [`DeepError::Torch`] when number or shapes differ; nothing is changed then.
    pub fn restore(&mut self, memory: &[Tensor]) -> Result<(), DeepError> {
        let ours: Vec<Tensor> = self.memory().map(Tensor::shallow_clone).collect();
        let same = ours.len() == memory.len()
            && ours.iter().zip(memory).all(|(a, b)| a.size() == b.size());
        if !same {
            return Err(DeepError::torch(
                "the saved optimiser does not belong to this network: numbers or shapes of its tensors differ",
            ));
        }
        tch::no_grad(|| {
            for (mut to, from) in ours.into_iter().zip(memory) {
                to.f_copy_(from)?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::best_device;

    /// The formulas as they stand in the documentation, in f64.
    fn naive(optimizer: Optimizer, gradients: &[Vec<f64>], start: &[f64], rate: f64) -> Vec<f64> {
        let n = start.len();
        let (mut theta, mut m, mut v) = (start.to_vec(), vec![0.0; n], vec![0.0; n]);
        for (t, gradient) in gradients.iter().enumerate() {
            for i in 0..n {
                let g = gradient[i];
                match optimizer {
                    Optimizer::Sgd {
                        momentum,
                        weight_decay,
                        nesterov,
                    } => {
                        let g = g + weight_decay * theta[i];
                        m[i] = momentum * m[i] + g;
                        theta[i] -= rate * if nesterov { g + momentum * m[i] } else { m[i] };
                    }
                    Optimizer::Adam {
                        betas: (b1, b2),
                        weight_decay,
                        epsilon,
                    }
                    | Optimizer::AdamW {
                        betas: (b1, b2),
                        weight_decay,
                        epsilon,
                    } => {
                        let apart = matches!(optimizer, Optimizer::AdamW { .. });
                        let g = if apart {
                            g
                        } else {
                            g + weight_decay * theta[i]
                        };
                        if apart {
                            theta[i] -= rate * weight_decay * theta[i];
                        }
                        m[i] = b1 * m[i] + (1.0 - b1) * g;
                        v[i] = b2 * v[i] + (1.0 - b2) * g * g;
                        let power = t as i32 + 1;
                        let (mh, vh) =
                            (m[i] / (1.0 - b1.powi(power)), v[i] / (1.0 - b2.powi(power)));
                        theta[i] -= rate * mh / (vh.sqrt() + epsilon);
                    }
                }
            }
        }
        theta
    }

    fn kinds() -> [Optimizer; 5] {
        [
            Optimizer::sgd(),
            Optimizer::Sgd {
                momentum: 0.0,
                weight_decay: 0.1,
                nesterov: true,
            },
            Optimizer::Sgd {
                momentum: 0.8,
                weight_decay: 0.1,
                nesterov: true,
            },
            Optimizer::Adam {
                betas: (0.8, 0.95),
                weight_decay: 0.1,
                epsilon: 1e-3,
            },
            Optimizer::AdamW {
                betas: (0.8, 0.95),
                weight_decay: 0.1,
                epsilon: 1e-3,
            },
        ]
    }

    const START: [f64; 3] = [1.0, -2.0, 0.5];

    fn parameter() -> Tensor {
        Tensor::from_slice(&START)
            .to_device(best_device())
            .set_requires_grad(true)
    }

    /// The gradient of `Σ θ⁴ / 4 · k` is `k θ³`.
    fn descend(state: &mut OptimizerState, theta: &Tensor, steps: std::ops::Range<i32>) {
        for k in steps {
            state.zero_grad();
            let loss = theta.pow_tensor_scalar(4).sum(Kind::Double) * (0.25 * f64::from(k));
            loss.backward();
            state.step(0.01).unwrap();
        }
    }

    #[test]
    fn steps_are_those_of_the_formulas() {
        for optimizer in kinds() {
            let theta = parameter();
            let mut state = OptimizerState::new(optimizer, [theta.shallow_clone()]).unwrap();
            let mut gradients = Vec::new();
            for k in 1..6 {
                state.zero_grad();
                let loss = theta.pow_tensor_scalar(4).sum(Kind::Double) * (0.25 * f64::from(k));
                loss.backward();
                gradients.push(Vec::<f64>::try_from(theta.grad()).unwrap());
                state.step(0.01).unwrap();
            }
            let found = Vec::<f64>::try_from(theta.detach()).unwrap();
            let expected = naive(optimizer, &gradients, &START, 0.01);
            for (a, b) in found.iter().zip(&expected) {
                assert!(
                    (a - b).abs() < 1e-6,
                    "{optimizer:?}: {found:?} for {expected:?}"
                );
            }
        }
    }

    #[test]
    fn a_restored_optimiser_goes_on_with_the_same_bits() {
        for optimizer in kinds() {
            let (whole, halved) = (parameter(), parameter());
            let mut one = OptimizerState::new(optimizer, [whole.shallow_clone()]).unwrap();
            descend(&mut one, &whole, 1..9);
            let mut first = OptimizerState::new(optimizer, [halved.shallow_clone()]).unwrap();
            descend(&mut first, &halved, 1..4);
            let saved: Vec<Tensor> = first.memory().map(Tensor::copy).collect();
            let mut second = OptimizerState::new(optimizer, [halved.shallow_clone()]).unwrap();
            second.restore(&saved).unwrap();
            descend(&mut second, &halved, 4..9);
            assert_eq!(whole, halved, "{optimizer:?}");
            assert!(second.restore(&saved[1..]).is_err());
        }
    }

    #[test]
    fn what_has_no_gradient_stays_and_nonsense_is_refused() {
        let (used, idle) = (parameter(), parameter());
        let both = [used.shallow_clone(), idle.shallow_clone()];
        let mut state = OptimizerState::new(Optimizer::adamw(), both).unwrap();
        descend(&mut state, &used, 1..3);
        assert_eq!(idle, parameter());
        assert_ne!(used, parameter());
        // Moments do not carry on what is reached no longer.
        let reached = used.copy();
        state.zero_grad();
        assert!(!used.grad().defined());
        state.step(0.01).unwrap();
        assert_eq!(used, reached);
        assert!(matches!(
            state.step(-1.0),
            Err(DeepError::InvalidParameter { .. })
        ));
        let wrong = Optimizer::Sgd {
            momentum: 1.5,
            weight_decay: 0.0,
            nesterov: false,
        };
        assert!(OptimizerState::new(wrong, []).is_err());
    }
}
