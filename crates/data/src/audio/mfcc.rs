//! Mel-frequency cepstral coefficients.

use std::f64::consts::PI;

use ndarray::Array2;

use super::Waveform;

/// Number of mel bands.
pub(super) const N_MELS: usize = 40;

/// Energies below this count as this, so that silence has a logarithm.
const FLOOR: f64 = 1e-10;

/// Cepstral coefficients of each frame, one row per frame.
///
/// Frames of 25 ms start every 10 ms as long as they fit (a recording shorter than a frame is padded with zeros to one).
/// Each is multiplied by a periodic Hann window and padded to the next power of two; its power spectrum |X|² is summed in
/// 40 triangles that are equally wide in mel(f) = 2595 log₁₀(1 + f/700) between 0 and half the sample rate and reach 1;
/// the natural logarithm of those sums (at least 1e-10) goes through an orthonormal DCT-II, of which the first `n_mfcc`
/// values are kept (at most 40).
///
/// Source: Davis & Mermelstein, *Comparison of parametric representations for monosyllabic word recognition*, IEEE TASSP
/// 28(4), 1980, doi:10.1109/TASSP.1980.1163420. librosa's defaults differ: it pads and centres the frames, uses Slaney's mel
/// scale with triangles of equal area, and takes decibels.
///
/// ```
/// use translearn_data::audio::{Waveform, mfcc_frames};
///
/// let silence = Waveform { samples: vec![0.0; 8000], sample_rate: 8000 };
/// let frames = mfcc_frames(&silence, 13);
/// assert_eq!(frames.dim(), (98, 13));
/// // All 40 bands at ln(1e-10): the first coefficient is √40 times that, the others vanish.
/// assert!((frames[[0, 0]] - 40.0_f64.sqrt() * 1e-10_f64.ln()).abs() < 1e-9);
/// assert!(frames[[0, 1]].abs() < 1e-9);
/// ```
pub fn mfcc_frames(waveform: &Waveform, n_mfcc: usize) -> Array2<f64> {
    let n_mfcc = n_mfcc.min(N_MELS);
    let rate = f64::from(waveform.sample_rate);
    let length = ((0.025 * rate).round() as usize).max(1);
    let hop = ((0.010 * rate).round() as usize).max(1);
    let n_fft = length.next_power_of_two();
    let n_frames = 1 + waveform.samples.len().saturating_sub(length) / hop;
    let window: Vec<f64> = (0..length)
        .map(|i| 0.5 - 0.5 * (2.0 * PI * i as f64 / length as f64).cos())
        .collect();
    let filters = mel_filters(rate, n_fft);
    let mut out = Array2::zeros((n_frames, n_mfcc));
    let (mut re, mut im) = (vec![0.0; n_fft], vec![0.0; n_fft]);
    for (frame, mut coefficients) in out.rows_mut().into_iter().enumerate() {
        re.fill(0.0);
        im.fill(0.0);
        let samples = waveform.samples[(frame * hop).min(waveform.samples.len())..].iter();
        for ((value, weight), &sample) in re.iter_mut().zip(&window).zip(samples) {
            *value = weight * f64::from(sample);
        }
        fft(&mut re, &mut im);
        let log_energy: Vec<f64> = filters
            .iter()
            .map(|filter| {
                let energy: f64 = filter
                    .iter()
                    .map(|&(k, weight)| weight * (re[k] * re[k] + im[k] * im[k]))
                    .sum();
                energy.max(FLOOR).ln()
            })
            .collect();
        for (k, coefficient) in coefficients.iter_mut().enumerate() {
            let n = N_MELS as f64;
            let scale = if k == 0 {
                (1.0 / n).sqrt()
            } else {
                (2.0 / n).sqrt()
            };
            let cosine = |m: usize| (PI * k as f64 * (m as f64 + 0.5) / n).cos();
            *coefficient = scale
                * log_energy
                    .iter()
                    .enumerate()
                    .map(|(m, e)| e * cosine(m))
                    .sum::<f64>();
        }
    }
    out
}

/// For each mel band, the bins of the spectrum it covers with their weights.
fn mel_filters(rate: f64, n_fft: usize) -> Vec<Vec<(usize, f64)>> {
    let top = 2595.0 * (1.0 + 0.5 * rate / 700.0).log10();
    let hertz = |point: usize| {
        let mel = top * point as f64 / (N_MELS + 1) as f64;
        700.0 * (10.0_f64.powf(mel / 2595.0) - 1.0)
    };
    (0..N_MELS)
        .map(|band| {
            let (low, middle, high) = (hertz(band), hertz(band + 1), hertz(band + 2));
            (0..=n_fft / 2)
                .map(|k| {
                    let f = k as f64 * rate / n_fft as f64;
                    (
                        k,
                        ((f - low) / (middle - low)).min((high - f) / (high - middle)),
                    )
                })
                .filter(|&(_, weight)| weight > 0.0)
                .collect()
        })
        .collect()
}

/// The discrete Fourier transform in place, for a power of two (Cooley & Tukey).
fn fft(re: &mut [f64], im: &mut [f64]) {
    let n = re.len();
    let shift = usize::BITS - n.trailing_zeros();
    for i in 1..n {
        let j = i.reverse_bits() >> shift;
        if i < j {
            re.swap(i, j);
            im.swap(i, j);
        }
    }
    let mut half = 1;
    while half < n {
        for k in 0..half {
            let (sin, cos) = (-PI * k as f64 / half as f64).sin_cos();
            for a in (k..n).step_by(2 * half) {
                let b = a + half;
                let (x, y) = (re[b] * cos - im[b] * sin, re[b] * sin + im[b] * cos);
                (re[b], im[b]) = (re[a] - x, im[a] - y);
                (re[a], im[a]) = (re[a] + x, im[a] + y);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_fast_transform_is_the_definition(power in 0_u32..8, seed: u64) {
            let n = 1_usize << power;
            let mut rng = translearn_core::seed::rng(seed);
            let signal: Vec<(f64, f64)> = (0..n).map(|_| (rng.normal(), rng.normal())).collect();
            let (mut re, mut im): (Vec<f64>, Vec<f64>) = signal.iter().copied().unzip();
            fft(&mut re, &mut im);
            for k in 0..n {
                let (mut x, mut y) = (0.0, 0.0);
                for (t, &(a, b)) in signal.iter().enumerate() {
                    let (sin, cos) = (-2.0 * PI * (k * t) as f64 / n as f64).sin_cos();
                    x += a * cos - b * sin;
                    y += a * sin + b * cos;
                }
                prop_assert!((re[k] - x).abs() < 1e-10 && (im[k] - y).abs() < 1e-10);
            }
        }
    }
}
