//! `beside_pytorch NETWORK TASK LAYOUT FOLDER`: our side of `cargo xtask bench deep`.
//!
//! Reads `images.npy`, `labels.npy` and `weights.safetensors` in FOLDER, then answers one request a line: `{"run": {}}`
//! extracts features or makes one step of fine-tuning and answers `{"seconds": …}`; `{"save": "PREFIX"}` writes the
//! features of the last run or the losses of all runs to `PREFIX<name>.npy`. A request that fails is answered
//! `{"error": …}`.
#![expect(clippy::print_stdout, reason = "the answers are the output")]

use std::error::Error;
use std::io::stdin;
use std::path::Path;
use std::time::Instant;

use ndarray::{Array1, Array2, Array4};
use serde_json::{Value, json};
use tch::{Device, Kind, Reduction, Tensor};
use translearn_deep::{
    Network, Optimizer, OptimizerState, Pass, Role, backbones, channels_last, keep_memory,
};
use translearn_weights::StateDict;

type Fallible<T> = Result<T, Box<dyn Error>>;

const USAGE: &str =
    "usage: beside_pytorch NETWORK extract|finetune contiguous|channels-last FOLDER";
const RATE: f64 = 0.01;

fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [network, task, layout, folder] = arguments.as_slice() else {
        return Err(USAGE.into());
    };
    keep_memory()?;
    let mut case = Case::read(network, task, layout, Path::new(folder))?;
    println!("{}", json!({ "ready": env!("CARGO_PKG_VERSION") }));
    for line in stdin().lines() {
        let answer =
            serve(&mut case, &line?).unwrap_or_else(|error| json!({ "error": error.to_string() }));
        println!("{answer}");
    }
    Ok(())
}

fn serve(case: &mut Case, line: &str) -> Fallible<Value> {
    let request: Value = serde_json::from_str(line)?;
    if let Some(prefix) = request["save"].as_str() {
        let (name, outputs) = case.outputs()?;
        ndarray_npy::write_npy(format!("{prefix}{name}.npy"), &outputs)?;
        return Ok(json!({ "saved": prefix }));
    }
    Ok(json!({ "seconds": case.run()? }))
}

struct Case {
    network: Network,
    images: Tensor,
    labels: Tensor,
    task: Task,
}

enum Task {
    Extract {
        layer: &'static str,
        features: Option<Tensor>,
    },
    FineTune {
        optimizer: OptimizerState,
        losses: Vec<f64>,
    },
}

impl Case {
    fn read(name: &str, task: &str, layout: &str, folder: &Path) -> Fallible<Self> {
        let images: Array4<f32> = ndarray_npy::read_npy(folder.join("images.npy"))?;
        let labels: Array1<i64> = ndarray_npy::read_npy(folder.join("labels.npy"))?;
        let weights = StateDict::read(folder.join("weights.safetensors"))?;
        let backbone = backbones::find(name)?;
        let n_classes = labels.iter().max().map_or(1, |&last| last + 1);
        let mut network = backbone.build(n_classes, Device::Cpu, 0)?;
        network.load_whole(&weights)?;
        let shape = images.shape().iter().map(|&n| i64::try_from(n));
        let shape = shape.collect::<Result<Vec<_>, _>>()?;
        let images =
            Tensor::f_from_slice(&images.into_raw_vec_and_offset().0)?.f_view(&shape[..])?;
        let images = match layout {
            "contiguous" => images,
            "channels-last" => channels_last(&images)?,
            _ => return Err(USAGE.into()),
        };
        let task = match task {
            "extract" => Task::Extract {
                layer: backbone.feature_layer,
                features: None,
            },
            "finetune" => Task::FineTune {
                optimizer: OptimizerState::new(Optimizer::sgd(), learned(&network))?,
                losses: Vec::new(),
            },
            _ => return Err(USAGE.into()),
        };
        Ok(Self {
            network,
            images,
            labels: Tensor::f_from_slice(&labels.to_vec())?,
            task,
        })
    }

    /// Seconds of one run.
    fn run(&mut self) -> Fallible<f64> {
        match &mut self.task {
            Task::Extract { layer, features } => {
                // What the run before gave is freed outside the measured time.
                *features = None;
                let start = Instant::now();
                let mut outputs = self.network.outputs_of(&self.images, &[layer])?;
                let seconds = start.elapsed().as_secs_f64();
                *features = outputs.pop();
                Ok(seconds)
            }
            Task::FineTune { optimizer, losses } => {
                let mut pass = Pass::train(losses.len() as u64);
                let start = Instant::now();
                optimizer.clear_gradients()?;
                let logits = self.network.forward(&self.images, &mut pass)?;
                let loss = logits.f_cross_entropy_loss(
                    &self.labels,
                    None::<&Tensor>,
                    Reduction::Mean,
                    -100,
                    0.0,
                )?;
                loss.f_backward()?;
                optimizer.step(RATE)?;
                let seconds = start.elapsed().as_secs_f64();
                losses.push(loss.f_double_value(&[])?);
                Ok(seconds)
            }
        }
    }

    /// What came out, as a matrix to be compared.
    fn outputs(&self) -> Fallible<(&'static str, Array2<f64>)> {
        match &self.task {
            Task::Extract { features, .. } => {
                let features = features.as_ref().ok_or("nothing was run")?;
                let rows = features.size()[0] as usize;
                let flat = features.f_to_kind(Kind::Double)?.f_flatten(0, -1)?;
                let values = Vec::<f64>::try_from(flat)?;
                let width = values.len() / rows;
                Ok(("features", Array2::from_shape_vec((rows, width), values)?))
            }
            Task::FineTune { losses, .. } => Ok((
                "losses",
                Array2::from_shape_vec((losses.len(), 1), losses.clone())?,
            )),
        }
    }
}

fn learned(network: &Network) -> Vec<Tensor> {
    let weights = network.parameters().values();
    weights
        .filter(|parameter| parameter.role == Role::Weight)
        .map(|parameter| parameter.tensor.shallow_clone())
        .collect()
}
