//! Losses whose targets are probabilities, and the targets themselves.
//!
//! Logits are `[n, k]`, of `n` rows and `k` classes, before the softmax. Sums are taken in single precision or better,
//! whatever the precision of the logits. Gradients flow to the logits.

use tch::{Kind, Tensor};

use crate::DeepError;

/// The targets `(1 - ε) 1[c = yᵢ] + ε / k` of labels `yᵢ`: `[n]` whole numbers in `0..n_classes` in, `[n, n_classes]`
/// floats out, on the device of the labels.
///
/// *When*: for [`soft_cross_entropy`] and [`mixup`](crate::mixup). `smoothing` is `ε` in `[0, 1]`; 0 gives the plain
/// targets,
/// 0.1 is usual. Smoothed targets keep a network from growing its logits without end on rows it knows by heart.
///
/// # Errors
/// [`DeepError::InvalidParameter`] for a label that is no class, for no classes, and `smoothing` outside of its range;
/// [`DeepError::InputShape`], [`DeepError::InputKind`].
///
/// ```
/// use tch::Tensor;
/// use translearn_deep::one_hot;
///
/// let targets = one_hot(&Tensor::from_slice(&[2i64]), 4, 0.2)?;
/// let expected = Tensor::from_slice(&[0.05f32, 0.05, 0.85, 0.05]).view([1, 4]);
/// assert!(targets.allclose(&expected, 1e-6, 1e-6, false));
/// # Ok::<(), translearn_deep::DeepError>(())
/// ```
///
/// Source: Szegedy and others 2016, section 7, doi:10.1109/CVPR.2016.308.
pub fn one_hot(labels: &Tensor, n_classes: i64, smoothing: f64) -> Result<Tensor, DeepError> {
    let refuse = |name, value: String, range: String| {
        Err(DeepError::InvalidParameter { name, value, range })
    };
    if n_classes < 1 {
        return refuse("n_classes", n_classes.to_string(), "at least 1".to_owned());
    }
    if !(0.0..=1.0).contains(&smoothing) {
        return refuse("smoothing", smoothing.to_string(), "in [0, 1]".to_owned());
    }
    if labels.dim() != 1 {
        return Err(shape_error("one_hot", "labels [n]".to_owned(), labels));
    }
    if labels.kind() != Kind::Int64 {
        return Err(DeepError::InputKind {
            network: "one_hot".to_owned(),
            expected: Kind::Int64,
            found: labels.kind(),
        });
    }
    if labels.numel() > 0 {
        let (least, most) = (
            labels.f_min()?.f_int64_value(&[])?,
            labels.f_max()?.f_int64_value(&[])?,
        );
        if let Some(wrong) = [least, most].iter().find(|y| !(0..n_classes).contains(y)) {
            return refuse("labels", wrong.to_string(), format!("in 0..{n_classes}"));
        }
    }
    Ok(labels
        .f_one_hot(n_classes)?
        .f_to_kind(Kind::Float)?
        .f_mul_scalar(1.0 - smoothing)?
        .f_add_scalar(smoothing / n_classes as f64)?)
}

/// The cross-entropy between targets `t` that are probabilities and the softmax of the logits, as a mean over the rows:
/// `Σᵢ wᵢ ℓᵢ / Σᵢ wᵢ` with `ℓᵢ = -Σ_c tᵢ_c log softmax(zᵢ)_c`.
///
/// *When*: classification with smoothed or mixed targets, or with rows that count differently. With targets from
/// [`one_hot`] and no weights it is PyTorch's `cross_entropy` with `label_smoothing`.
///
/// `logits` and `targets` are `[n, k]`, `weights` is `[n]`, at least 0 each; without them every row counts 1. Weight 2
/// is the row twice, weight 0 no row; rows that all have weight 0 give the loss 0 and no gradient. (PyTorch's `weight`
/// is another thing: one number a class.)
///
/// # Errors
/// [`DeepError::InputShape`] naming both shapes.
///
/// ```
/// use tch::Tensor;
/// use translearn_deep::{one_hot, soft_cross_entropy};
///
/// let logits = Tensor::from_slice(&[0f32, 0.0, 5.0, 0.0]).view([2, 2]);
/// let targets = one_hot(&Tensor::from_slice(&[1i64, 1]), 2, 0.0)?;
/// let only_first = Tensor::from_slice(&[1f32, 0.0]);
/// let loss = soft_cross_entropy(&logits, &targets, Some(&only_first))?;
/// assert!((loss.double_value(&[]) - 2f64.ln()).abs() < 1e-6);
/// # Ok::<(), translearn_deep::DeepError>(())
/// ```
pub fn soft_cross_entropy(
    logits: &Tensor,
    targets: &Tensor,
    weights: Option<&Tensor>,
) -> Result<Tensor, DeepError> {
    check_pair("soft_cross_entropy", "targets", logits, targets)?;
    let log_probabilities = logits.f_log_softmax(1, precision(logits))?;
    let losses = log_probabilities
        .f_mul(targets)?
        .f_sum_dim_intlist([1i64].as_slice(), false, precision(logits))?
        .f_neg()?;
    let Some(weights) = weights else {
        return Ok(losses.f_mean(None)?);
    };
    let rows = logits.size()[0];
    if weights.size() != [rows] {
        let expected = format!("weights [{rows}] for {rows} rows");
        return Err(shape_error("soft_cross_entropy", expected, weights));
    }
    let weights = weights.f_to_kind(losses.kind())?;
    // Kept above 0 without asking the device, which would have to finish its work first.
    let total = weights
        .f_sum(losses.kind())?
        .f_clamp_min(f64::from(f32::MIN_POSITIVE))?;
    Ok(losses
        .f_mul(&weights)?
        .f_sum(losses.kind())?
        .f_div(&total)?)
}

/// How far a student is from a teacher on softened classes: `T² / n Σᵢ KL(softmax(tᵢ / T) ‖ softmax(sᵢ / T))`, with the
/// logits `t` of the teacher and `s` of the student.
///
/// *When*: a small network learns what a large one says, on rows with or without labels; with labels, beside
/// [`soft_cross_entropy`]. A higher `temperature` `T` above 0, usually 2 to 10, gives the unlikely classes more say;
/// the factor `T²` keeps the size of the gradient.
///
/// Both logits are `[n, k]`. No gradient flows to the teacher.
///
/// # Errors
/// [`DeepError::InvalidParameter`] for a temperature that is not above 0, [`DeepError::InputShape`].
///
/// Source: Hinton, Vinyals and Dean, *Distilling the knowledge in a neural network*, 2015, arXiv:1503.02531. There the
/// cross-entropy is minimised, which differs by the entropy of the teacher, a constant; this one is 0 where both agree.
pub fn knowledge_distillation(
    student_logits: &Tensor,
    teacher_logits: &Tensor,
    temperature: f64,
) -> Result<Tensor, DeepError> {
    if !(temperature > 0.0 && temperature.is_finite()) {
        return Err(DeepError::InvalidParameter {
            name: "temperature",
            value: temperature.to_string(),
            range: "in (0, ∞)".to_owned(),
        });
    }
    check_pair(
        "knowledge_distillation",
        "logits of the teacher",
        student_logits,
        teacher_logits,
    )?;
    let kind = precision(student_logits);
    let soften = |logits: &Tensor| {
        logits
            .f_to_kind(kind)?
            .f_div_scalar(temperature)?
            .f_log_softmax(1, kind)
    };
    let student = soften(student_logits)?;
    let teacher = soften(&teacher_logits.f_detach()?)?;
    let divergence = teacher.f_exp()?.f_mul(&teacher.f_sub(&student)?)?;
    let rows = student_logits.size()[0] as f64;
    Ok(divergence
        .f_sum(kind)?
        .f_mul_scalar(temperature * temperature / rows)?)
}

/// Single precision, or double where the logits are.
fn precision(logits: &Tensor) -> Kind {
    match logits.kind() {
        Kind::Double => Kind::Double,
        _ => Kind::Float,
    }
}

/// Refuses logits that are not `[n, k]` with rows, and another shape beside them.
fn check_pair(who: &str, what: &str, logits: &Tensor, other: &Tensor) -> Result<(), DeepError> {
    let shape = logits.size();
    if shape.len() != 2 || shape.contains(&0) {
        let expected = "logits [n, k] of a row or more".to_owned();
        return Err(shape_error(who, expected, logits));
    }
    if other.size() != shape {
        let expected = format!("{what} {shape:?} as the logits");
        return Err(shape_error(who, expected, other));
    }
    Ok(())
}

fn shape_error(who: &str, expected: String, found: &Tensor) -> DeepError {
    DeepError::InputShape {
        network: who.to_owned(),
        expected,
        found: found.size(),
    }
}

/// The mean cross-entropy `−1/n Σ ln softmax(z)_c` of logits `[n, k]` against classes `[n]` (`Int64`).
///
/// ```
/// use tch::Tensor;
///
/// let logits = Tensor::from_slice2(&[[0.0, 0.0]]);
/// let loss = translearn_deep::cross_entropy(&logits, &Tensor::from_slice(&[1_i64]))?;
/// assert!((loss.double_value(&[]) - 2_f64.ln()).abs() < 1e-12);
/// # Ok::<(), translearn_deep::DeepError>(())
/// ```
///
/// # Errors
/// [`DeepError::Torch`] for shapes or kinds that do not fit.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor, DeepError> {
    // libtorch's own: no class weights, no class left out, no smoothing.
    let (reduction, ignored) = (tch::Reduction::Mean, -100);
    Ok(logits.f_cross_entropy_loss(labels, None::<&Tensor>, reduction, ignored, 0.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use tch::Device;
    use translearn_core::seed;

    fn draw(seed: u64, rows: usize, columns: usize) -> Vec<Vec<f64>> {
        let mut rng = seed::rng(seed);
        (0..rows)
            .map(|_| (0..columns).map(|_| 4.0 * rng.normal()).collect())
            .collect()
    }

    fn tensor(rows: &[Vec<f64>]) -> Tensor {
        Tensor::from_slice(&rows.concat()).view([rows.len() as i64, -1])
    }

    fn softmax(row: &[f64]) -> Vec<f64> {
        let total: f64 = row.iter().map(|x| x.exp()).sum();
        row.iter().map(|x| x.exp() / total).collect()
    }

    fn close(found: &Tensor, expected: f64) {
        let found = found.double_value(&[]);
        let allowed = 1e-12 * expected.abs().max(1.0);
        assert!((found - expected).abs() < allowed, "{found} for {expected}");
    }

    fn entropies(logits: &[Vec<f64>], targets: &[Vec<f64>]) -> Vec<f64> {
        let of = |z: &Vec<f64>, t: &Vec<f64>| -> f64 {
            let p = softmax(z);
            (0..p.len()).map(|c| -t[c] * p[c].ln()).sum()
        };
        logits.iter().zip(targets).map(|(z, t)| of(z, t)).collect()
    }

    #[test]
    fn targets_are_those_of_the_formula() {
        for smoothing in [0.0, 0.1, 1.0] {
            let targets = one_hot(&Tensor::from_slice(&[2i64, 0]), 3, smoothing).unwrap();
            assert_eq!((targets.kind(), targets.size()), (Kind::Float, vec![2, 3]));
            for (i, label) in [2, 0].into_iter().enumerate() {
                for c in 0..3 {
                    let expected =
                        (1.0 - smoothing) * f64::from(u8::from(c == label)) + smoothing / 3.0;
                    let found = targets.double_value(&[i as i64, c]);
                    assert!((found - expected).abs() < 1e-7, "{found} for {expected}");
                }
            }
        }
        let none = Tensor::from_slice::<i64>(&[]);
        assert_eq!(one_hot(&none, 3, 0.1).unwrap().size(), [0, 3]);
    }

    #[test]
    fn cross_entropies_are_weighted_means() {
        let logits = draw(1, 7, 5);
        let targets: Vec<Vec<f64>> = draw(2, 7, 5).iter().map(|row| softmax(row)).collect();
        let losses = entropies(&logits, &targets);
        let (z, t) = (tensor(&logits), tensor(&targets));
        let plain = soft_cross_entropy(&z, &t, None).unwrap();
        close(&plain, losses.iter().sum::<f64>() / 7.0);

        let weights = [0.5, 0.0, 2.0, 1.0, 3.5, 0.0, 1e-3];
        let sum: f64 = weights.iter().zip(&losses).map(|(w, l)| w * l).sum();
        let weighted =
            |w: &[f64]| soft_cross_entropy(&z, &t, Some(&Tensor::from_slice(w))).unwrap();
        close(&weighted(&weights), sum / weights.iter().sum::<f64>());
        // Twice the weights are the same mean; weight 2 is the row twice.
        close(
            &weighted(&weights.map(|w| 2.0 * w)),
            sum / weights.iter().sum::<f64>(),
        );
        let twice = Tensor::from_slice(&[0i64, 1, 2, 3, 4, 5, 6, 6]);
        let repeated =
            soft_cross_entropy(&z.index_select(0, &twice), &t.index_select(0, &twice), None)
                .unwrap();
        close(
            &weighted(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0]),
            repeated.double_value(&[]),
        );
    }

    #[test]
    fn rows_of_no_weight_have_neither_loss_nor_gradient() {
        let logits = tensor(&draw(3, 3, 2))
            .to_kind(Kind::Float)
            .set_requires_grad(true);
        let targets = one_hot(&Tensor::from_slice(&[0i64, 1, 1]), 2, 0.0).unwrap();
        let zeros = Tensor::zeros([3], (Kind::Float, Device::Cpu));
        let loss = soft_cross_entropy(&logits, &targets, Some(&zeros)).unwrap();
        loss.backward();
        assert_eq!(loss.double_value(&[]), 0.0);
        assert_eq!(
            logits.grad(),
            Tensor::zeros([3, 2], (Kind::Float, Device::Cpu))
        );
    }

    #[test]
    fn distillation_is_the_divergence_from_the_teacher() {
        let (student, teacher) = (draw(4, 6, 5), draw(5, 6, 5));
        for temperature in [0.5, 1.0, 4.0] {
            let cooled =
                |row: &Vec<f64>| softmax(&row.iter().map(|z| z / temperature).collect::<Vec<_>>());
            let mut divergence = 0.0;
            let mut gradient = Vec::new();
            for (s, t) in student.iter().zip(&teacher) {
                let (s, t) = (cooled(s), cooled(t));
                divergence += (0..5).map(|c| t[c] * (t[c] / s[c]).ln()).sum::<f64>();
                // The paper's equation 2, times T².
                gradient.extend((0..5).map(|c| temperature * (s[c] - t[c]) / 6.0));
            }
            let s = tensor(&student).set_requires_grad(true);
            let t = tensor(&teacher).set_requires_grad(true);
            let loss = knowledge_distillation(&s, &t, temperature).unwrap();
            close(&loss, temperature * temperature * divergence / 6.0);
            loss.backward();
            let gradient = Tensor::from_slice(&gradient).view([6, 5]);
            assert!(s.grad().allclose(&gradient, 1e-10, 1e-12, false));
            assert!(!t.grad().defined());
        }
        let z = tensor(&student);
        close(&knowledge_distillation(&z, &z, 3.0).unwrap(), 0.0);
    }

    #[test]
    fn losses_and_gradients_are_those_of_pytorch() {
        let records: Value =
            serde_json::from_str(include_str!("../tests/fixtures/losses_torch.json")).unwrap();
        let numbers =
            |value: &Value| -> Vec<f64> { serde_json::from_value(value.clone()).unwrap() };
        let matrix = |name: &str| Tensor::from_slice(&numbers(&records[name])).view([6, 4]);
        let labels: Vec<i64> = serde_json::from_value(records["labels"].clone()).unwrap();
        let labels = Tensor::from_slice(&labels);
        let soft = matrix("soft");
        let teacher = matrix("teacher");
        type Loss<'a> = Box<dyn Fn(&Tensor) -> Tensor + 'a>;
        let smoothed = |smoothing: f64| -> Loss<'_> {
            let targets = one_hot(&labels, 4, smoothing).unwrap();
            Box::new(move |z| soft_cross_entropy(z, &targets, None).unwrap())
        };
        let distilled = |temperature: f64| -> Loss<'_> {
            let teacher = &teacher;
            Box::new(move |z| knowledge_distillation(z, teacher, temperature).unwrap())
        };
        let losses: [(&str, Loss<'_>); 6] = [
            ("smoothing 0.0", smoothed(0.0)),
            ("smoothing 0.1", smoothed(0.1)),
            ("smoothing 0.5", smoothed(0.5)),
            (
                "soft targets",
                Box::new(|z| soft_cross_entropy(z, &soft, None).unwrap()),
            ),
            ("temperature 1.0", distilled(1.0)),
            ("temperature 4.0", distilled(4.0)),
        ];
        assert_eq!(records.as_object().unwrap().len(), 4 + losses.len());
        for (name, loss) in losses {
            let logits = matrix("logits").set_requires_grad(true);
            let value = loss(&logits);
            value.backward();
            let expected = records[name]["loss"].as_f64().unwrap();
            // Targets of `one_hot` are in single precision, all else in double.
            assert!((value.double_value(&[]) - expected).abs() < 1e-6, "{name}");
            let gradient = Tensor::from_slice(&numbers(&records[name]["gradient"])).view([6, 4]);
            let apart = (logits.grad() - gradient).abs().max().double_value(&[]);
            assert!(apart < 1e-7, "{name}: {apart}");
        }
    }

    #[test]
    fn half_precision_is_summed_in_single() {
        let logits = tensor(&draw(6, 4, 3)).to_kind(Kind::BFloat16);
        let targets = one_hot(&Tensor::from_slice(&[0i64, 1, 2, 0]), 3, 0.1).unwrap();
        let weights = Tensor::from_slice(&[1f32, 2.0, 3.0, 4.0]);
        let single = logits.to_kind(Kind::Float);
        let loss = |z| soft_cross_entropy(z, &targets, Some(&weights)).unwrap();
        assert_eq!(loss(&logits), loss(&single));
        let distilled = |z: &Tensor| knowledge_distillation(z, &z.flip([0]), 2.0).unwrap();
        assert_eq!(distilled(&logits), distilled(&single));
    }

    #[test]
    fn nonsense_is_refused_with_both_sides() {
        let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Float, Device::Cpu));
        let labels = Tensor::from_slice(&[0i64, 3]);
        let says = |result: Result<Tensor, DeepError>, words: [&str; 2]| {
            let text = result.unwrap_err().to_string();
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        };
        says(one_hot(&labels, 3, 0.0), ["`labels` is 3", "0..3"]);
        says(one_hot(&labels.neg(), 4, 0.0), ["`labels` is -3", "0..4"]);
        says(one_hot(&labels, 4, 1.5), ["`smoothing` is 1.5", "[0, 1]"]);
        says(
            one_hot(&labels, 4, f64::NAN),
            ["`smoothing` is NaN", "[0, 1]"],
        );
        says(one_hot(&labels, 0, 0.0), ["`n_classes` is 0", "at least 1"]);
        says(one_hot(&zeros(&[2]), 4, 0.0), ["Int64", "Float"]);
        says(one_hot(&labels.view([2, 1]), 4, 0.0), ["[n]", "[2, 1]"]);
        let (z, t) = (zeros(&[2, 3]), zeros(&[2, 4]));
        says(soft_cross_entropy(&z, &t, None), ["[2, 3]", "[2, 4]"]);
        says(
            soft_cross_entropy(&z, &z, Some(&zeros(&[3]))),
            ["[2]", "[3]"],
        );
        says(
            soft_cross_entropy(&zeros(&[0, 3]), &zeros(&[0, 3]), None),
            ["[n, k]", "[0, 3]"],
        );
        says(
            knowledge_distillation(&z, &t, 2.0),
            ["teacher [2, 3]", "[2, 4]"],
        );
        says(
            knowledge_distillation(&z, &z, 0.0),
            ["`temperature` is 0", "(0, ∞)"],
        );
        says(
            knowledge_distillation(&z, &z, f64::NAN),
            ["`temperature` is NaN", "(0, ∞)"],
        );
    }
}
