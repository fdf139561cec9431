use std::cell::RefCell;
use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use super::*;
use crate::{DeepError, InputShape, Network, Optimizer, Sequence};

/// A linear layer from 2 to 1.
fn linear() -> Network {
    let input = InputShape::Rows { width: 2 };
    Network::build("linear", input, Device::Cpu, 3, |scope| {
        Ok(Sequence::new().then(scope.linear("fc", 2, 1)?))
    })
    .unwrap()
}

fn examples(n: i64) -> TensorExamples {
    let x = Tensor::arange(2 * n, (Kind::Float, Device::Cpu)).view([n, 2]) / (2 * n) as f64;
    TensorExamples::new(x, None).unwrap()
}

fn values(network: &Network) -> Vec<f64> {
    let flat = |name: &str| network.parameters()[name].tensor.detach().flatten(0, -1);
    let both = Tensor::cat(&[flat("fc.weight"), flat("fc.bias")], 0);
    Vec::<f64>::try_from(both.to_kind(Kind::Double)).unwrap()
}

/// The mean square of the outputs' distance from 1.
fn square(network: &Network, x: &Tensor) -> Result<Tensor, DeepError> {
    let y = network.forward(x, &mut crate::Pass::train(0))?;
    Ok(y.f_sub_scalar(1.0)?.f_square()?.f_mean(Kind::Float)?)
}

fn plain(rate: f64, network: &Network) -> Group {
    let optimizer = Optimizer::Sgd {
        momentum: 0.0,
        weight_decay: 0.0,
        nesterov: false,
    };
    Group::of("all", network, |_| true, optimizer, rate).unwrap()
}

fn fit(params: TrainParams, batch: usize, rate: f64) -> (Vec<f64>, Outcome) {
    let (network, all) = (linear(), examples(8));
    let mut training = Training::new("test", params)
        .model("network", &network)
        .group(plain(rate, &network))
        .stream(Stream::new("source", &all, batch).unwrap());
    let outcome = training.run(|step: &Step| {
        let loss = square(&network, &step.batch(0)?.x)?;
        Ok(Losses::new().with("square", 1.0, loss))
    });
    (values(&network), outcome.unwrap())
}

#[test]
fn a_step_is_that_of_the_formula() {
    let params = TrainParams {
        epochs: 3,
        ..TrainParams::default()
    };
    let (found, outcome) = fit(params, 8, 0.1);
    // θ ← θ − r ∇, by hand on all rows; the order of the rows changes rounding alone.
    let mut theta = values(&linear());
    let mut losses = Vec::new();
    for _ in 0..3 {
        let (mut gradient, mut loss) = ([0.0; 3], 0.0);
        for row in 0..8 {
            let x = [
                f64::from(2 * row) / 16.0,
                f64::from(2 * row + 1) / 16.0,
                1.0,
            ];
            let error = theta[0] * x[0] + theta[1] * x[1] + theta[2] - 1.0;
            loss += error * error / 8.0;
            gradient
                .iter_mut()
                .zip(x)
                .for_each(|(g, x)| *g += 2.0 * error * x / 8.0);
        }
        losses.push(loss);
        theta
            .iter_mut()
            .zip(gradient)
            .for_each(|(t, g)| *t -= 0.1 * g);
    }
    for (a, b) in found.iter().zip(&theta) {
        assert!((a - b).abs() < 1e-6, "{found:?} for {theta:?}");
    }
    for (epoch, loss) in outcome.epochs.iter().zip(losses) {
        assert!((epoch.loss - loss).abs() < 1e-6);
        assert_eq!(epoch.losses[0].0, "square");
    }
}

#[test]
fn accumulated_batches_are_one_large_batch() {
    let (whole, _) = fit(
        TrainParams {
            epochs: 4,
            ..TrainParams::default()
        },
        8,
        0.1,
    );
    let params = TrainParams {
        epochs: 4,
        accumulate: 4,
        ..TrainParams::default()
    };
    let (parts, outcome) = fit(params, 2, 0.1);
    assert_eq!(outcome.steps, 4);
    for (a, b) in whole.iter().zip(&parts) {
        assert!((a - b).abs() < 1e-6, "{whole:?} {parts:?}");
    }
}

#[test]
fn a_long_gradient_is_cut_to_length() {
    let start = values(&linear());
    let clipped = |norm| {
        let params = TrainParams {
            epochs: 1,
            clip_norm: Some(norm),
            ..TrainParams::default()
        };
        let (end, _) = fit(params, 8, 1.0);
        let square: f64 = end.iter().zip(&start).map(|(a, b)| (a - b).powi(2)).sum();
        square.sqrt()
    };
    assert!((clipped(0.01) - 0.01).abs() < 1e-6);
    let (long, longer) = (clipped(1e3), clipped(1e6));
    assert!(
        long > 0.02 && long == longer,
        "one that is not too long stays"
    );
}

#[test]
fn a_group_learns_from_its_epoch_on() {
    let (network, all) = (linear(), examples(8));
    let start = values(&network);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&seen);
    let is_bias = |name: &str| name.ends_with("bias");
    let optimizer = Optimizer::adamw();
    let early = Group::of("bias", &network, is_bias, optimizer, 0.1).unwrap();
    let late = Group::of("weight", &network, |name| !is_bias(name), optimizer, 0.1).unwrap();
    let mut training = Training::new(
        "late",
        TrainParams {
            epochs: 4,
            ..TrainParams::default()
        },
    )
    .model("network", &network)
    .group(early)
    .group(late.from_epoch(2))
    .stream(Stream::new("source", &all, 4).unwrap());
    training
        .run(|step: &Step| {
            log.borrow_mut().push((step.epoch(), values(&network)));
            let loss = square(&network, &step.batch(0)?.x)?;
            Ok(Losses::new().with("square", 1.0, loss))
        })
        .unwrap();
    let seen = seen.borrow();
    assert_eq!(seen.len(), 8);
    for (epoch, before) in seen.iter().take(5) {
        // What the first step of epoch 2 sees is what epoch 1 left.
        assert_eq!(before[..2], start[..2], "epoch {epoch}");
    }
    assert_ne!(seen[5].1[..2], start[..2]);
    assert_ne!(seen[1].1[2], start[2]);
}

/// A loss that is not a number from the fourth step on.
fn diverging(checkpoint: Option<&std::path::Path>) -> (DeepError, Vec<f64>, Vec<Vec<f64>>) {
    let (network, all) = (linear(), examples(8));
    let mut training = Training::new(
        "diverging",
        TrainParams {
            epochs: 9,
            ..TrainParams::default()
        },
    )
    .model("network", &network)
    .group(plain(0.1, &network))
    .stream(Stream::new("source", &all, 8).unwrap());
    if let Some(path) = checkpoint {
        training = training.checkpoint(path, 2);
    }
    let mut seen = Vec::new();
    let error = training.run(|step: &Step| {
        seen.push(values(&network));
        let loss = square(&network, &step.batch(0)?.x)?;
        let factor = if step.index() >= 3 { f64::NAN } else { 1.0 };
        Ok(Losses::new().with("square", 1.0, loss.f_mul_scalar(factor)?))
    });
    (error.unwrap_err(), values(&network), seen)
}

#[test]
fn what_is_not_a_number_ends_the_training_before_the_models_are_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    for checkpoint in [None, Some(path.as_path())] {
        let (error, end, seen) = diverging(checkpoint);
        assert_eq!(end, seen[3], "the model is as the third step left it");
        let message = error.to_string();
        assert!(message.contains("the square is NaN at step 4"), "{message}");
        match checkpoint {
            None => assert!(message.contains("nothing was saved"), "{message}"),
            Some(_) => assert!(message.contains("state`"), "{message}"),
        }
    }
    // What was saved is the state after step 2, and step 3 is taken from there again.
    let (_, again, seen) = diverging(Some(&path));
    assert_eq!(seen.len(), 2);
    assert_eq!(again, seen[1]);
}

#[test]
fn a_validation_that_is_not_a_number_ends_the_training() {
    let (network, all) = (linear(), examples(8));
    let params = TrainParams {
        epochs: 2,
        ..TrainParams::default()
    };
    let mut training = Training::new("blind", params)
        .model("network", &network)
        .group(plain(0.1, &network))
        .stream(Stream::new("source", &all, 4).unwrap())
        .validate(|| {
            Ok(Validation {
                score: f64::NAN,
                metrics: Vec::new(),
            })
        });
    let error = training.run(|step: &Step| {
        let loss = square(&network, &step.batch(0)?.x)?;
        Ok(Losses::new().with("square", 1.0, loss))
    });
    let message = error.unwrap_err().to_string();
    assert!(message.contains("validation is NaN at step 2"), "{message}");
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let (network, all) = (linear(), examples(8));
    let run = |params: TrainParams, batch: usize, group: bool| {
        let mut training = Training::new("a", params)
            .model("network", &network)
            .stream(Stream::new("source", &all, batch).unwrap())
            .checkpoint(&path, 1);
        if group {
            training = training.group(plain(0.1, &network));
        }
        training.run(|step: &Step| {
            let loss = square(&network, &step.batch(0)?.x)?;
            Ok(Losses::new().with("square", 1.0, loss))
        })
    };
    let params = || TrainParams {
        epochs: 1,
        ..TrainParams::default()
    };
    assert!(run(params(), 4, false).is_err(), "nothing learns");
    assert!(
        run(
            TrainParams {
                patience: Some(1),
                ..params()
            },
            4,
            true
        )
        .is_err()
    );
    assert!(
        run(
            TrainParams {
                epochs: 0,
                ..params()
            },
            4,
            true
        )
        .is_err()
    );
    assert!(
        run(
            TrainParams {
                clip_norm: Some(0.0),
                ..params()
            },
            4,
            true
        )
        .is_err()
    );
    run(params(), 4, true).unwrap();
    let error = run(params(), 2, true).unwrap_err().to_string();
    assert!(
        error.contains("source of 8 by 4") && error.contains("source of 8 by 2"),
        "{error}"
    );
    let mut empty = Training::new("none", params())
        .model("network", &network)
        .group(plain(0.1, &network))
        .stream(Stream::new("source", &all, 4).unwrap());
    assert!(empty.run(|_: &Step| Ok(Losses::new())).is_err(), "no loss");
}

#[test]
fn reversed_gradients_are_those_of_the_other_direction() {
    let x = Tensor::from_slice(&[0.3, -1.2, 2.0]).set_requires_grad(true);
    let loss = |x: &Tensor| (x.pow_tensor_scalar(3)).sum(Kind::Double);
    let mut gradients = Vec::new();
    for lambda in [None, Some(0.7), Some(0.0)] {
        crate::gaps::clear_gradients(&[x.shallow_clone()]).unwrap();
        let y = match lambda {
            None => x.shallow_clone(),
            Some(lambda) => crate::reverse_gradient(&x, lambda).unwrap(),
        };
        assert_eq!(y, x);
        loss(&y).backward();
        gradients.push(Vec::<f64>::try_from(x.grad()).unwrap());
    }
    for i in 0..3 {
        assert!((gradients[1][i] + 0.7 * gradients[0][i]).abs() < 1e-12);
        assert_eq!(gradients[2][i], 0.0);
    }
}
