//! Deep features: the outputs of named layers as an `ndarray` matrix.

use ndarray::{Array2, s};
use tch::{Kind, Tensor};
use translearn_core::Image;

use crate::{DeepError, Network, Transform, channels_last};

/// What an image can fail with on its way here.
type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Turns images into features: the outputs of one or several layers of a network that does not learn.
///
/// *When.* A network that was trained on much data has learned layers that serve other tasks; any classical method can be
/// run on them. The features of a layer are its output for an image, flattened; those of several layers stand side by side.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `layers` | required | names in [`Network::layers`] | where features are taken |
/// | `batch_size` | 32 | integer ≥ 1 | images computed together: memory, not values |
///
/// # Cost
///
/// A forward pass per image; memory for a batch and for the features.
///
/// # Example
///
/// ```
/// use tch::Device;
/// use translearn_core::Image;
/// use translearn_deep::{Extractor, InputShape, Network, Sequence, Transform, layers::{ConvParams, Flatten, Pool}};
///
/// let input = InputShape::Image { channels: 1, size: 8, least: 3 };
/// let network = Network::build("tiny", input, Device::Cpu, 0, |scope| {
///     Ok(Sequence::new()
///         .then(scope.conv2d("conv", 1, 5, ConvParams::square(3))?)
///         .then(scope.enter("pool").layer(Pool::AdaptiveAverage { size: 1 }))
///         .then(scope.enter("flatten").layer(Flatten)))
/// })?;
/// let transform = Transform { resize: None, crop: None, mean: vec![0.5], std: vec![0.5] };
/// let images = (0..3).map(|i| Image::new(8, 8, 1, vec![40 * i; 64]));
/// let features = Extractor::new(&network, transform, ["flatten"])?.extract(images, |_| ())?;
/// assert_eq!(features.dim(), (3, 5));
/// # Ok::<(), translearn_deep::DeepError>(())
/// ```
///
/// # Source
///
/// Donahue and others, *DeCAF: A Deep Convolutional Activation Feature for Generic Visual Recognition*, ICML 2014.
#[derive(Debug)]
pub struct Extractor<'a> {
    network: &'a Network,
    transform: Transform,
    layers: Vec<String>,
    batch_size: usize,
}

impl<'a> Extractor<'a> {
    /// Takes features at these layers.
    ///
    /// # Errors
    /// [`DeepError::Unknown`] for a name that is no layer, with the nearest one; [`DeepError::InvalidParameter`] when no
    /// layer is named.
    pub fn new<S: Into<String>>(
        network: &'a Network,
        transform: Transform,
        layers: impl IntoIterator<Item = S>,
    ) -> Result<Self, DeepError> {
        let layers: Vec<String> = layers.into_iter().map(Into::into).collect();
        if layers.is_empty() {
            return Err(DeepError::InvalidParameter {
                name: "layers",
                value: "an empty list".to_owned(),
                range: "at least one layer".to_owned(),
            });
        }
        for layer in &layers {
            network.check_layer(layer)?;
        }
        Ok(Self {
            network,
            transform,
            layers,
            batch_size: 32,
        })
    }

    /// Sets how many images are computed together.
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`] for 0.
    pub fn batch_size(mut self, batch_size: usize) -> Result<Self, DeepError> {
        if batch_size == 0 {
            return Err(DeepError::InvalidParameter {
                name: "batch_size",
                value: "0".to_owned(),
                range: "at least 1".to_owned(),
            });
        }
        self.batch_size = batch_size;
        Ok(self)
    }

    /// The features of every image, one row each; `progress` is told how many are done.
    ///
    /// Images of different sizes need a transform that crops.
    ///
    /// # Errors
    /// [`DeepError::Image`] for an image that could not be had or does not fit its neighbours, [`DeepError::NotFinite`],
    /// [`DeepError::OutOfMemory`] with the size of the batch, and as [`Transform::apply`] and [`Network::forward`].
    pub fn extract<E: Into<AnyError>>(
        &self,
        images: impl IntoIterator<Item = Result<Image, E>>,
        mut progress: impl FnMut(usize),
    ) -> Result<Array2<f64>, DeepError> {
        let mut images = images.into_iter().enumerate();
        let mut blocks = Vec::new();
        let mut done = 0;
        loop {
            let mut batch = Vec::with_capacity(self.batch_size);
            for (index, image) in images.by_ref().take(self.batch_size) {
                let refuse = |source: AnyError| DeepError::Image { index, source };
                let image = image.map_err(|error| refuse(error.into()))?;
                let x = self.transform.apply(&image)?;
                let first: Option<&Tensor> = batch.first();
                if let Some(first) = first.filter(|first| first.size() != x.size()) {
                    return Err(refuse(
                        format!(
                            "it is {:?} after the transform, those before it {:?}; give the transform a `crop`",
                            x.size(),
                            first.size()
                        )
                        .into(),
                    ));
                }
                batch.push(x);
            }
            if batch.is_empty() {
                break;
            }
            blocks.push(self.features(&batch, done)?);
            done += batch.len();
            progress(done);
        }
        join(&blocks, done)
    }

    /// The features of a batch whose first image is the one at `start`.
    fn features(&self, batch: &[Tensor], start: usize) -> Result<Array2<f64>, DeepError> {
        // Convolutions need not reorder what has the channels of a pixel together.
        let x = Tensor::f_stack(batch, 0)
            .and_then(|x| x.f_to_device(self.network.device()))
            .map_err(DeepError::from)
            .and_then(|x| channels_last(&x))
            .map_err(|error| error.in_batch(batch.len()))?;
        let names: Vec<&str> = self.layers.iter().map(String::as_str).collect();
        let outputs = self.network.outputs_of(&x, &names)?;
        let mut columns = Vec::with_capacity(outputs.len());
        for (output, layer) in outputs.iter().zip(&self.layers) {
            let rows = matrix(output)?;
            if let Some(((row, _), _)) = rows.indexed_iter().find(|(_, v)| !v.is_finite()) {
                return Err(DeepError::NotFinite {
                    index: start + row,
                    layer: layer.clone(),
                });
            }
            columns.push(rows);
        }
        let width = columns.iter().map(Array2::ncols).sum();
        let mut joined = Array2::zeros((batch.len(), width));
        let mut from = 0;
        for rows in &columns {
            joined
                .slice_mut(s![.., from..from + rows.ncols()])
                .assign(rows);
            from += rows.ncols();
        }
        Ok(joined)
    }
}

/// Everything after the first axis made columns.
fn matrix(output: &Tensor) -> Result<Array2<f64>, DeepError> {
    let flat = output
        .f_reshape([output.size()[0], -1])?
        .f_to_kind(Kind::Double)?
        .f_to_device(tch::Device::Cpu)?;
    let shape = flat.size();
    let values = Vec::<f64>::try_from(flat.f_flatten(0, -1)?)?;
    let shape = (shape[0] as usize, shape[1] as usize);
    Array2::from_shape_vec(shape, values).map_err(|error| DeepError::torch(&error.to_string()))
}

fn join(blocks: &[Array2<f64>], rows: usize) -> Result<Array2<f64>, DeepError> {
    let width = blocks.first().map_or(0, Array2::ncols);
    let mut all = Array2::zeros((rows, width));
    let mut from = 0;
    for block in blocks {
        if block.ncols() != width {
            let source = format!(
                "its batch has {} features, those before it {width}; give the transform a `crop`",
                block.ncols()
            );
            return Err(DeepError::Image {
                index: from,
                source: source.into(),
            });
        }
        all.slice_mut(s![from..from + block.nrows(), ..])
            .assign(block);
        from += block.nrows();
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tch::Device;

    use super::*;
    use crate::layers::{Activation, ConvParams, Flatten, Pool};
    use crate::{InputShape, Sequence, best_device};

    fn network(device: Device) -> Network {
        let input = InputShape::Image {
            channels: 3,
            size: 12,
            least: 5,
        };
        Network::build("tiny", input, device, 3, |scope| {
            let body = scope.enter("body");
            let body = body.layer(
                Sequence::new()
                    .then(body.conv2d("conv", 3, 4, ConvParams::square(3).biased())?)
                    .then(body.batch_norm("bn", 4)?)
                    .then(body.enter("relu").layer(Activation::Relu)),
            );
            Ok(Sequence::new()
                .then(body)
                .then(scope.enter("pool").layer(Pool::AdaptiveAverage { size: 2 }))
                .then(scope.enter("flatten").layer(Flatten))
                .then(scope.linear("fc", 16, 2)?))
        })
        .unwrap()
    }

    fn transform() -> Transform {
        Transform {
            resize: None,
            crop: Some(12),
            mean: vec![0.4; 3],
            std: vec![0.3; 3],
        }
    }

    fn images(n: usize) -> Vec<Result<Image, Infallible>> {
        let image = |k: usize| {
            let pixels = (0..14 * 13 * 3).map(|i| ((i * (k + 3)) % 251) as u8);
            Ok(Image::new(14, 13, 3, pixels.collect()).unwrap())
        };
        (0..n).map(image).collect()
    }

    #[test]
    fn features_do_not_depend_on_batches_and_are_the_layers_outputs() {
        let network = network(best_device());
        let extractor = || Extractor::new(&network, transform(), ["flatten", "body.bn"]).unwrap();
        let mut seen = Vec::new();
        let all = extractor()
            .extract(images(5), |done| seen.push(done))
            .unwrap();
        assert_eq!((all.dim(), seen), ((5, 16 + 4 * 100), vec![5]));
        let mut seen = Vec::new();
        let small = extractor().batch_size(2).unwrap();
        let pieces = small.extract(images(5), |done| seen.push(done)).unwrap();
        assert_eq!(seen, [2, 4, 5]);
        let difference = (&all - &pieces).fold(0.0_f64, |m, v| m.max(v.abs()));
        assert!(difference < 1e-5, "{difference}");

        let image = images(4).pop().unwrap().unwrap();
        let x = transform().apply(&image).unwrap().unsqueeze(0);
        let x = x.to_device(network.device());
        let output = &network.outputs_of(&x, &["body.bn"]).unwrap()[0];
        assert_eq!(output.size(), [1, 4, 10, 10]);
        let value = output.double_value(&[0, 2, 3, 4]);
        assert!((all[[3, 16 + 2 * 100 + 3 * 10 + 4]] - value).abs() < 1e-5);
    }

    #[test]
    fn what_cannot_be_extracted_says_why() {
        let network = network(Device::Cpu);
        let message = |error: DeepError| error.to_string();
        let unknown = Extractor::new(&network, transform(), ["flaten"]).unwrap_err();
        assert!(message(unknown).contains("did you mean `flatten`"));
        assert!(Extractor::new(&network, transform(), [] as [&str; 0]).is_err());
        let extractor = Extractor::new(&network, transform(), ["fc"]).unwrap();
        assert_eq!(extractor.extract(images(0), |_| ()).unwrap().dim(), (0, 0));
        let broken = [Err("no such file".to_owned())];
        let error = message(extractor.extract(broken, |_| ()).unwrap_err());
        assert_eq!(error, "image 0: no such file");
        let loose = Transform {
            crop: None,
            ..transform()
        };
        let extractor = Extractor::new(&network, loose, ["fc"]).unwrap();
        let mixed = images(1)
            .into_iter()
            .chain([Ok(Image::new(9, 9, 3, vec![0; 243]).unwrap())]);
        let error = message(extractor.extract(mixed, |_| ()).unwrap_err());
        assert!(
            error.starts_with("image 1:") && error.contains("crop"),
            "{error}"
        );
        let tiny = [Ok::<_, Infallible>(
            Image::new(4, 4, 3, vec![0; 48]).unwrap(),
        )];
        let error = message(extractor.extract(tiny, |_| ()).unwrap_err());
        assert!(
            error.contains("h, w ≥ 5") && error.contains("[1, 3, 4, 4]"),
            "{error}"
        );
        tch::no_grad(|| {
            let _filled = network.parameters()["body.conv.bias"]
                .tensor
                .shallow_clone()
                .fill_(f64::NAN);
        });
        let error = message(extractor.extract(images(1), |_| ()).unwrap_err());
        assert!(error.contains("image 0 at `fc`"), "{error}");
    }
}
