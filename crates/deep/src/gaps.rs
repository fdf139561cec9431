//! The border to the C++ in `native/gaps.cpp`.
#![expect(unsafe_code, reason = "C++ is called here and nowhere else")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;

use tch::{Device, Tensor};

use crate::DeepError;

type Message = *mut c_char;
type Raw = *const c_void;

unsafe extern "C" {
    fn tl_free(message: Message);
    fn tl_load(path: *const c_char) -> Message;
    fn tl_keep_memory() -> Message;
    fn tl_set_precision(tf32: bool) -> Message;
    fn tl_set_deterministic(deterministic: bool) -> Message;
    fn tl_set_autocast_bf16(cuda: bool, enabled: bool, before: *mut bool) -> Message;
    fn tl_clear_gradients(tensors: *const Raw, n: usize) -> Message;
    fn tl_reverse_gradient(x: Raw, lambda: f64, out: *mut *mut torch_sys::C_tensor) -> Message;
    fn tl_is_unshared(x: Raw, out: *mut bool) -> Message;
    fn tl_channels_last(x: Raw, out: *mut *mut torch_sys::C_tensor) -> Message;
    fn tl_sgd(
        parameters: *const Raw,
        gradients: *const Raw,
        momenta: *const Raw,
        n: usize,
        rate: f64,
        momentum: f64,
        weight_decay: f64,
        nesterov: bool,
        first: bool,
    ) -> Message;
    fn tl_adam(
        parameters: *const Raw,
        gradients: *const Raw,
        first: *const Raw,
        second: *const Raw,
        steps: *const Raw,
        n: usize,
        rate: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        epsilon: f64,
        decoupled: bool,
    ) -> Message;
}

fn check(message: Message) -> Result<(), DeepError> {
    if message.is_null() {
        return Ok(());
    }
    // SAFETY: not null, so it is a string that `gaps.cpp` ended with zero and left to us to free, once.
    let text = unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        tl_free(message);
        text
    };
    Err(DeepError::torch(&text))
}

fn pointers(tensors: &[Tensor]) -> Vec<Raw> {
    tensors.iter().map(|t| t.as_ptr().cast()).collect()
}

/// Loads a shared library for all that follows.
pub(crate) fn load(path: &Path) -> Result<(), DeepError> {
    let text = CString::new(path.to_string_lossy().as_bytes())
        .map_err(|_| DeepError::torch("the path of a library holds a zero byte"))?;
    // SAFETY: a string that lives through the call.
    check(unsafe { tl_load(text.as_ptr()) })
}

/// Lets the allocator keep what is freed.
pub(crate) fn keep_memory() -> Result<(), DeepError> {
    // SAFETY: no pointers.
    check(unsafe { tl_keep_memory() })
}

/// Whether CUDA products may round to TF32.
pub(crate) fn set_tf32(allowed: bool) -> Result<(), DeepError> {
    // SAFETY: no pointers.
    check(unsafe { tl_set_precision(allowed) })
}

/// Whether only algorithms may run that give the same bits every time.
pub(crate) fn set_deterministic(deterministic: bool) -> Result<(), DeepError> {
    // SAFETY: no pointers.
    check(unsafe { tl_set_deterministic(deterministic) })
}

/// Switches bf16 autocast and returns whether it was on.
pub(crate) fn set_autocast(device: Device, enabled: bool) -> Result<bool, DeepError> {
    let mut before = false;
    // SAFETY: `before` lives through the call.
    check(unsafe { tl_set_autocast_bf16(device.is_cuda(), enabled, &raw mut before) })?;
    Ok(before)
}

/// The same images with the channels of a pixel next to each other.
pub(crate) fn channels_last(x: &Tensor) -> Result<Tensor, DeepError> {
    let mut out = std::ptr::null_mut();
    // SAFETY: `x` and `out` live through the call; on success `out` is a new tensor that is ours.
    check(unsafe { tl_channels_last(x.as_ptr().cast(), &raw mut out) })?;
    Ok(unsafe { Tensor::from_ptr(out) })
}

/// Whether nothing but `x` holds its numbers: no other tensor, no view, nothing that autograd saved.
pub(crate) fn is_unshared(x: &Tensor) -> Result<bool, DeepError> {
    let mut unshared = false;
    // SAFETY: `x` and `unshared` live through the call.
    check(unsafe { tl_is_unshared(x.as_ptr().cast(), &raw mut unshared) })?;
    Ok(unshared)
}

/// Takes the gradients away: those that are not computed again are not there, and do not read as zero.
pub(crate) fn clear_gradients(tensors: &[Tensor]) -> Result<(), DeepError> {
    let raw = pointers(tensors);
    // SAFETY: a list of `n` live tensors.
    check(unsafe { tl_clear_gradients(raw.as_ptr(), raw.len()) })
}

/// The tensor itself, whose gradient comes back times `-lambda`: the layer of domain-adversarial training.
///
/// Ganin and Lempitsky, *Unsupervised Domain Adaptation by Backpropagation*, ICML 2015.
///
/// ```
/// use tch::{Kind, Tensor};
///
/// let x = Tensor::from_slice(&[1.0, 2.0]).set_requires_grad(true);
/// let y = translearn_deep::reverse_gradient(&x, 0.5)?;
/// assert_eq!(y, x);
/// y.sum(Kind::Double).backward();
/// assert_eq!(Vec::<f64>::try_from(x.grad()).unwrap(), [-0.5, -0.5]);
/// # Ok::<(), translearn_deep::DeepError>(())
/// ```
///
/// # Errors
/// [`DeepError::Torch`].
pub fn reverse_gradient(x: &Tensor, lambda: f64) -> Result<Tensor, DeepError> {
    let mut out = std::ptr::null_mut();
    // SAFETY: `x` and `out` live through the call; on success `out` is a new tensor that is ours.
    check(unsafe { tl_reverse_gradient(x.as_ptr().cast(), lambda, &raw mut out) })?;
    Ok(unsafe { Tensor::from_ptr(out) })
}

fn same_length(what: &str, lengths: &[usize]) -> Result<usize, DeepError> {
    let first = lengths.first().copied().unwrap_or(0);
    if lengths.iter().all(|&length| length == first) {
        return Ok(first);
    }
    Err(DeepError::torch(&format!(
        "{what} takes lists of one length, not {lengths:?}"
    )))
}

/// A step of stochastic gradient descent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SgdStep {
    pub(crate) rate: f64,
    pub(crate) momentum: f64,
    pub(crate) weight_decay: f64,
    pub(crate) nesterov: bool,
    /// Whether the momenta hold nothing yet.
    pub(crate) first: bool,
}

/// Moves the parameters, and the momenta where there is momentum.
pub(crate) fn sgd(
    parameters: &[Tensor],
    gradients: &[Tensor],
    momenta: &[Tensor],
    step: SgdStep,
) -> Result<(), DeepError> {
    let n = same_length("sgd", &[parameters.len(), gradients.len(), momenta.len()])?;
    let (p, g, m) = (pointers(parameters), pointers(gradients), pointers(momenta));
    // SAFETY: three lists of `n` live tensors.
    check(unsafe {
        tl_sgd(
            p.as_ptr(),
            g.as_ptr(),
            m.as_ptr(),
            n,
            step.rate,
            step.momentum,
            step.weight_decay,
            step.nesterov,
            step.first,
        )
    })
}

/// A step of Adam or, with decoupled decay, AdamW.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdamStep {
    pub(crate) rate: f64,
    pub(crate) betas: (f64, f64),
    pub(crate) weight_decay: f64,
    pub(crate) epsilon: f64,
    pub(crate) decoupled: bool,
}

/// Moves the parameters and both moments; `steps` counts from 1 in this step and is the caller's to raise.
pub(crate) fn adam(
    parameters: &[Tensor],
    gradients: &[Tensor],
    moments: (&[Tensor], &[Tensor]),
    steps: &[Tensor],
    step: AdamStep,
) -> Result<(), DeepError> {
    let lengths = [
        parameters.len(),
        gradients.len(),
        moments.0.len(),
        moments.1.len(),
        steps.len(),
    ];
    let n = same_length("adam", &lengths)?;
    let (p, g) = (pointers(parameters), pointers(gradients));
    let (m, v, s) = (pointers(moments.0), pointers(moments.1), pointers(steps));
    // SAFETY: five lists of `n` live tensors.
    check(unsafe {
        tl_adam(
            p.as_ptr(),
            g.as_ptr(),
            m.as_ptr(),
            v.as_ptr(),
            s.as_ptr(),
            n,
            step.rate,
            step.betas.0,
            step.betas.1,
            step.weight_decay,
            step.epsilon,
            step.decoupled,
        )
    })
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn whatever_holds_the_numbers_of_a_tensor_is_counted() {
        let fresh = || Tensor::ones([2, 3], (Kind::Float, Device::Cpu));
        let alone = |x: &Tensor| is_unshared(x).unwrap();
        let x = fresh();
        assert!(alone(&x));
        let other = x.shallow_clone();
        assert!(!alone(&x) && !alone(&other));
        drop(other);
        assert!(alone(&x));
        let view = x.view([6]);
        assert!(!alone(&x) && !alone(&view));
        drop(x);
        assert!(!alone(&view), "a view keeps what it looks at");

        // What a gradient will need: an input, an output, and neither.
        let leaf = fresh().set_requires_grad(true);
        let x = &leaf * 2.0;
        let squared = x.square();
        assert!(!alone(&x) && alone(&squared));
        let x = leaf.sigmoid();
        assert!(!alone(&x));
        let sum = &x + 1.0;
        assert!(alone(&sum));
    }

    #[test]
    fn a_forgotten_gradient_is_none() {
        let leaf = Tensor::ones([2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        leaf.square().sum(Kind::Float).backward();
        assert!(leaf.grad().defined());
        clear_gradients(&[leaf.shallow_clone()]).unwrap();
        assert!(!leaf.grad().defined());
        clear_gradients(&[leaf.shallow_clone()]).unwrap();
    }
}
