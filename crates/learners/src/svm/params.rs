//! Parameters of the kernel machine.

use serde::{Deserialize, Serialize};
use translearn_core::{ParamInfo, ParamRange, kernel::Kernel, setters};

use crate::class_weight::ClassWeight;

/// How two rows are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SvmKernel {
    /// `x·y`.
    Linear,
    /// `exp(-γ ‖x - y‖²)`.
    #[default]
    Rbf,
    /// `(γ x·y + coef0)^degree`.
    Polynomial,
    /// `exp(-γ Σ |x - y|)`.
    Laplacian,
    /// `x·y / (‖x‖ ‖y‖)`.
    Cosine,
    /// The features are the kernel: entry `(i, j)` compares row `i` with training row `j`.
    Precomputed,
}

/// Parameters of [`Svm`](super::Svm).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SvmParams {
    pub(super) kernel: SvmKernel,
    pub(super) c: f64,
    pub(super) gamma: Option<f64>,
    pub(super) degree: u32,
    pub(super) coef0: f64,
    pub(super) class_weight: ClassWeight,
    pub(super) tolerance: f64,
}

impl Default for SvmParams {
    fn default() -> Self {
        Self {
            kernel: SvmKernel::Rbf,
            c: 1.0,
            gamma: None,
            degree: 3,
            coef0: 1.0,
            class_weight: ClassWeight::None,
            tolerance: 1e-3,
        }
    }
}

setters!(SvmParams {
    /// How rows are compared (default rbf).
    kernel: SvmKernel,
    /// Weight of the summed losses against the penalty ½‖w‖² (default 1).
    c: f64,
    /// γ of the rbf, Laplacian and polynomial kernels (default: from the data).
    gamma: Some(f64),
    /// Degree of the polynomial kernel (default 3).
    degree: u32,
    /// Constant term of the polynomial kernel (default 1).
    coef0: f64,
    /// Factors on `c` per class (default none).
    class_weight: ClassWeight,
    /// Violation of the optimality conditions at which to stop (default 1e-3).
    tolerance: f64,
});

impl SvmParams {
    pub(super) const TABLE: &'static [ParamInfo] = &[
        ParamInfo {
            name: "kernel",
            default: "\"rbf\"",
            range: ParamRange::Choice(&[
                "linear",
                "rbf",
                "polynomial",
                "laplacian",
                "cosine",
                "precomputed",
            ]),
            doc: "How two rows are compared.",
        },
        ParamInfo {
            name: "c",
            default: "1.0",
            range: ParamRange::Positive,
            doc: "Weight of the summed hinge losses against the penalty.",
        },
        ParamInfo {
            name: "gamma",
            default: "null",
            range: ParamRange::PositiveOrAuto,
            doc: "Inverse width of rbf and laplacian (null: median heuristic), factor of polynomial (null: 1 / columns).",
        },
        ParamInfo {
            name: "degree",
            default: "3",
            range: ParamRange::Integer {
                low: 1,
                high: u32::MAX as u64,
            },
            doc: "Degree of the polynomial kernel.",
        },
        ParamInfo {
            name: "coef0",
            default: "1.0",
            range: ParamRange::Real {
                low: 0.0,
                high: f64::INFINITY,
            },
            doc: "Constant term of the polynomial kernel.",
        },
        ParamInfo {
            name: "class_weight",
            default: "\"none\"",
            range: ParamRange::Choice(ClassWeight::WORDS),
            doc: "Factors on c per class; balanced lets all classes weigh the same.",
        },
        ParamInfo {
            name: "tolerance",
            default: "1e-3",
            range: ParamRange::Positive,
            doc: "Violation of the optimality conditions at which to stop.",
        },
    ];

    /// The kernel function; `None` when it is precomputed.
    pub(super) fn function(&self) -> Option<Kernel> {
        let gamma = self.gamma;
        match self.kernel {
            SvmKernel::Linear => Some(Kernel::Linear),
            SvmKernel::Rbf => Some(Kernel::Rbf { gamma }),
            SvmKernel::Polynomial => Some(Kernel::Polynomial {
                degree: self.degree,
                gamma,
                coef0: self.coef0,
            }),
            SvmKernel::Laplacian => Some(Kernel::Laplacian { gamma }),
            SvmKernel::Cosine => Some(Kernel::Cosine),
            SvmKernel::Precomputed => None,
        }
    }
}
