//! From the layout of Keras to that of torch.

use crate::{RawTensor, StateDict, WeightsError};

/// The same tensors with kernels in torch's layout. Names stay: they are Keras's, `layer.weight`.
///
/// | weight | axes in Keras | axes in torch |
/// |---|---|---|
/// | `kernel` of a convolution, `pointwise_kernel` | H W I O, of any number of spatial axes | O I H W |
/// | `kernel` of a transposed convolution | H W O I | I O H W |
/// | `depthwise_kernel` | H W C M | (C M) 1 H W |
/// | `kernel` of a dense layer, `recurrent_kernel` | I O | O I |
/// | everything else: `bias`, `gamma`, `beta`, `moving_mean`, `moving_variance`, `embeddings`, … | | as it is |
///
/// The pretrained MobileNet of [`crate::pretrained`] has been through this: `conv1.kernel`,
/// `conv_dw_1.depthwise_kernel`, `conv1_bn.moving_variance`. A file that Keras wrote gets the same names when it is read
/// and the same shapes here. (Keras 3 calls the weight of a depthwise convolution `kernel` too; it is read as
/// `depthwise_kernel` where the file describes its model, as `model.save` writes it. In a file of weights alone, rename it
/// with [`crate::Rules`] before converting.) Files of Keras 3's `.weights.h5` number the weights of a layer (`layers.dense.vars.0`); nothing
/// says which of them is a kernel, so they stay as they are.
///
/// ```
/// use translearn_weights::{RawTensor, StateDict, keras_to_torch};
///
/// let kernel = RawTensor::from_f32(vec![2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])?;
/// let keras = StateDict::from_tensors("dense.h5", [("dense.kernel".to_owned(), kernel)])?;
/// let torch = keras_to_torch(keras)?;
/// assert_eq!(torch.tensor("dense.kernel")?.shape(), [3, 2]);
/// assert_eq!(torch.tensor("dense.kernel")?.to_f32()?, [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
/// # Ok::<(), translearn_weights::WeightsError>(())
/// ```
///
/// # Errors
/// None of a file that was read; [`WeightsError::Length`] cannot come up.
pub fn keras_to_torch(weights: StateDict) -> Result<StateDict, WeightsError> {
    weights.map(|name, tensor| Ok((name.to_owned(), to_torch(name, tensor)?)))
}

fn to_torch(name: &str, tensor: RawTensor) -> Result<RawTensor, WeightsError> {
    let last = name.rsplit('.').next().unwrap_or(name);
    let shape = tensor.shape();
    let n = shape.len();
    // The last two axes in reverse order, then the spatial ones.
    let channels_last = |n: usize| {
        [n - 1, n - 2]
            .into_iter()
            .chain(0..n - 2)
            .collect::<Vec<usize>>()
    };
    match last {
        "kernel" | "pointwise_kernel" | "recurrent_kernel" if n >= 2 => {
            let axes = channels_last(n);
            let permuted = axes.iter().map(|&axis| shape[axis]).collect();
            tensor.permuted(&axes, permuted)
        }
        "depthwise_kernel" if n >= 3 => {
            let axes: Vec<usize> = [n - 2, n - 1].into_iter().chain(0..n - 2).collect();
            let mut joined = vec![shape[n - 2].saturating_mul(shape[n - 1]), 1];
            joined.extend(&shape[..n - 2]);
            tensor.permuted(&axes, joined)
        }
        _ => Ok(tensor),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbered(shape: &[usize]) -> RawTensor {
        let n: usize = shape.iter().product();
        let values: Vec<f32> = (0..n).map(|i| i as f32).collect();
        RawTensor::from_f32(shape.to_vec(), &values).unwrap()
    }

    proptest! {
        /// Against the number at each place, by the definition of both layouts.
        #[test]
        fn kernels_have_each_number_in_its_place(
            (h, w, i, o) in (1_usize..4, 1_usize..4, 1_usize..4, 1_usize..4),
        ) {
            let keras = numbered(&[h, w, i, o]);
            let values = keras.to_f32().unwrap();
            let at = |y: usize, x: usize, c: usize, k: usize| values[((y * w + x) * i + c) * o + k];

            let conv = to_torch("a.kernel", keras.clone()).unwrap();
            prop_assert_eq!(conv.shape(), [o, i, h, w]);
            let deep = to_torch("a.depthwise_kernel", keras).unwrap();
            prop_assert_eq!(deep.shape(), [i * o, 1, h, w]);
            let (conv, deep) = (conv.to_f32().unwrap(), deep.to_f32().unwrap());
            for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
                for (c, k) in (0..i).flat_map(|c| (0..o).map(move |k| (c, k))) {
                    prop_assert_eq!(conv[((k * i + c) * h + y) * w + x], at(y, x, c, k));
                    prop_assert_eq!(deep[((c * o + k) * h + y) * w + x], at(y, x, c, k));
                }
            }
        }
    }

    #[test]
    fn other_weights_and_odd_shapes_stay() {
        for (name, shape) in [
            ("a.bias", vec![3]),
            ("a.kernel", vec![3]),
            ("a.depthwise_kernel", vec![3, 2]),
            ("a.embeddings", vec![3, 2]),
            ("a.kernel_quantized", vec![3, 2]),
        ] {
            let tensor = numbered(&shape);
            assert_eq!(to_torch(name, tensor.clone()).unwrap(), tensor, "{name}");
        }
        assert_eq!(
            to_torch("a.kernel", numbered(&[4, 2, 3])).unwrap().shape(),
            [3, 2, 4]
        );
        assert_eq!(
            to_torch("a.kernel", numbered(&[0, 5])).unwrap().shape(),
            [5, 0]
        );
    }
}
