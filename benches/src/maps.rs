//! Feature transfer: the map and both domains mapped.

use anyhow::{Context, Result};
use ndarray::{Array2, Axis};
use translearn_classical::feature::{
    ComponentKernel, CoralParams, JdaParams, MedaParams, SubspaceAlignmentParams, TcaParams,
};
use translearn_core::{
    Domain, DomainMap, Features, FitAlign, LabelSpace, Labels, Task, TransferMethod,
    TransferProblem,
};

use crate::{Case, Inputs, Run, Settings, timed};

/// Rows of two domains without labels.
#[derive(Debug)]
pub(crate) struct Domains {
    source: Features,
    target: Features,
}

impl Domains {
    pub(crate) fn new(inputs: &Inputs) -> Result<Self> {
        Ok(Self {
            source: inputs.features("xs")?,
            target: inputs.features("xt")?,
        })
    }

    /// Both domains, for one run to take.
    pub(crate) fn copy(&self) -> (Features, Features) {
        (self.source.clone(), self.target.clone())
    }
}

/// The problem of two domains; the labels of the source are of no account.
pub(crate) fn problem(source: Features, target: Features) -> Result<TransferProblem> {
    let labels = Labels::Classes(ndarray::Array1::zeros(source.n_rows()));
    labelled_problem(source, labels, target)
}

fn labelled_problem(source: Features, labels: Labels, target: Features) -> Result<TransferProblem> {
    let space = LabelSpace::numbered(labels.n_codes());
    let domain = |name: &str, features| Domain {
        name: name.to_owned(),
        features,
    };
    Ok(TransferProblem::from_parts(
        vec![(
            domain("source", source),
            Task::labelled(space.clone(), labels),
        )],
        (domain("target", target), Task::unlabelled(space)),
    )?)
}

type Mapped = (Box<dyn DomainMap>, Features, Features);

fn fit_and_map(align: &dyn FitAlign, (source, target): (Features, Features)) -> Result<Mapped> {
    let problem = problem(source, target)?;
    let map = align.fit_align(&problem, 0)?.map;
    let source = map.map_source(&problem.source()?.features)?;
    let target = map.map_target(problem.target_features())?;
    Ok((map, source, target))
}

fn dense(features: &Features) -> Result<Array2<f64>> {
    Ok(features.dense()?.into_owned())
}

#[derive(Debug)]
pub(crate) struct Coral(pub(crate) Domains);

impl Case for Coral {
    fn run(&self, _: Settings) -> Result<Run> {
        let domains = self.0.copy();
        // The ridge is so small that covariances with and without it agree to rounding, as one peer takes none.
        let align = CoralParams::default().lambda(1e-12);
        let (elapsed, (_, source, target)) = timed(|| fit_and_map(&align, domains))?;
        Ok(Run {
            elapsed,
            export: Box::new(move || {
                Ok(vec![
                    ("source", dense(&source)?),
                    ("target", dense(&target)?),
                ])
            }),
        })
    }
}

#[derive(Debug)]
pub(crate) struct SubspaceAlignment(pub(crate) Domains);

impl Case for SubspaceAlignment {
    fn run(&self, _: Settings) -> Result<Run> {
        let (source, target) = self.0.copy();
        let (elapsed, (map, _, _)) = timed(|| {
            let align = SubspaceAlignmentParams::default().n_components(50);
            let map = align.align(&*source.dense()?, &*target.dense()?)?;
            let mapped = (map.map_source(&source)?, map.map_target(&target)?);
            Ok((map, mapped.0, mapped.1))
        })?;
        Ok(Run {
            elapsed,
            export: Box::new(move || {
                Ok(vec![
                    ("source_map", map.source_map().clone()),
                    ("target_map", map.target_map().clone()),
                ])
            }),
        })
    }
}

/// 30 components of the Gaussian kernel, or of a map of 300 columns that stands for it.
#[derive(Debug)]
pub(crate) struct Tca {
    pub(crate) domains: Domains,
    pub(crate) kernel: ComponentKernel,
}

impl Case for Tca {
    fn run(&self, _: Settings) -> Result<Run> {
        let domains = self.domains.copy();
        // The peers' `I + μ K e eᵀ K` at their default μ = 0.1, in our scale: λ I + K e eᵀ K / ‖e‖².
        let length = 1.0 / domains.0.n_rows() as f64 + 1.0 / domains.1.n_rows() as f64;
        let align = TcaParams::default()
            .kernel(self.kernel)
            .gamma(1.0 / domains.0.n_columns() as f64)
            .n_components(30)
            .lambda(1.0 / (0.1 * length))
            .normalize(false);
        let exact = self.kernel == ComponentKernel::Rbf;
        let (elapsed, (map, source, target)) = timed(|| fit_and_map(&align, domains))?;
        Ok(Run {
            elapsed,
            export: Box::new(move || {
                if exact {
                    return Ok(vec![("coefficients", coefficients(&*map)?)]);
                }
                Ok(vec![
                    ("source", dense(&source)?),
                    ("target", dense(&target)?),
                ])
            }),
        })
    }
}

/// A method as a whole: the classes of the target rows that it ends at.
#[derive(Debug)]
pub(crate) struct Adapted {
    domains: Domains,
    labels: Labels,
    method: Box<dyn TransferMethod>,
}

impl Adapted {
    /// Joint distribution adaptation as the tables on images have it: ten rounds, 100 components.
    pub(crate) fn jda(inputs: &Inputs) -> Result<Self> {
        let domains = Domains::new(inputs)?;
        // As many components as there are columns at the small sizes.
        let n_components = 100.min(domains.source.n_columns());
        let method = JdaParams::default()
            .kernel(ComponentKernel::Primal)
            .n_components(n_components);
        Self::new(domains, inputs, Box::new(method))
    }

    /// Manifold embedded distribution alignment with the parameters of its paper.
    pub(crate) fn meda(inputs: &Inputs) -> Result<Self> {
        let domains = Domains::new(inputs)?;
        Self::new(domains, inputs, Box::new(MedaParams::default()))
    }

    fn new(domains: Domains, inputs: &Inputs, method: Box<dyn TransferMethod>) -> Result<Self> {
        Ok(Self {
            domains,
            labels: inputs.classes("ys")?,
            method,
        })
    }
}

impl Case for Adapted {
    fn run(&self, _: Settings) -> Result<Run> {
        let ((source, target), labels) = (self.domains.copy(), self.labels.clone());
        let (elapsed, predicted) = timed(|| {
            let problem = labelled_problem(source, labels, target)?;
            let fitted = self.method.fit(&problem, 0)?;
            Ok(fitted.model.predict(problem.target_features())?.labels)
        })?;
        Ok(Run {
            elapsed,
            export: Box::new(move || {
                let classes = predicted
                    .classes("the classes of the target")?
                    .mapv(|class| class as f64);
                Ok(vec![("predicted", classes.insert_axis(Axis(1)))])
            }),
        })
    }
}

/// The coefficients of the components, which only the saved form of the map shows.
fn coefficients(map: &dyn DomainMap) -> Result<Array2<f64>> {
    fn find(value: &serde_json::Value) -> Option<&serde_json::Value> {
        let object = value.as_object()?;
        object
            .get("coefficients")
            .or_else(|| object.values().find_map(find))
    }
    let saved = serde_json::to_value(map)?;
    let found = find(&saved).context("the saved map has no coefficients")?;
    Ok(serde_json::from_value(found.clone())?)
}
