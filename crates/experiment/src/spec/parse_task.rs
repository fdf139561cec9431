//! From a `[[task]]` to a [`TaskSpec`].

use std::path::{Path, PathBuf};

use translearn_core::metrics::Metric;
use translearn_data::catalog::{self, Select};
use translearn_data::encode::{Grouping, TableParams};
use translearn_data::text::TextParams;
use translearn_data::{DataError, RawLabels, embedded};

use super::curve;
use super::section::Section;
use super::{
    Draw, FeaturesSpec, Kind, Origin, Output, Part, SpecError, SpecProblem, Step, TaskSpec,
};

/// The kinds of the contract, and whether tasks of that kind can be run.
const KINDS: [(&str, Option<Kind>); 8] = [
    ("vectors", Some(Kind::Vectors)),
    ("text", Some(Kind::Text)),
    ("images", Some(Kind::Images)),
    ("audio", None),
    ("graph", None),
    ("multitask", None),
    ("episodes", None),
    ("zero-shot", None),
];

/// Smaller images than this show nothing.
const SMALLEST_SIDE: u32 = 16;

/// What is known of a part before it is read.
#[derive(Clone, Copy, Default)]
struct Facts {
    texts: Option<bool>,
    images: bool,
    output: Option<Output>,
}

/// Which side of the task a part is on.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Source,
    Target,
}

impl TaskSpec {
    /// `preprocess`, `features` and `metrics` are those of the specification.
    pub(super) fn parse(
        mut section: Section<'_>,
        preprocess: &[Step],
        features: Option<&FeaturesSpec>,
        metrics: &[Metric],
    ) -> Result<Self, SpecError> {
        let name = section.optional_at::<String>("name")?;
        if let Some((name, _)) = &name {
            section.place = format!("task `{name}`");
        }
        let place = section.place.clone();
        let kind = parse_kind(&mut section)?;
        let output = section.optional_at::<Output>("output")?;
        let classes = parse_classes(&mut section)?;
        let sources = section.sections("source", &format!("the source of {place}"))?;
        let target = section.section("target", &format!("the target of {place}"))?;
        let labelled = parse_draw(&mut section, "labelled")?;
        let source_sample = parse_draw(&mut section, "source_sample")?;
        let target_sample = parse_draw(&mut section, "target_sample")?;
        let preprocess = section
            .optional::<Vec<Step>>("preprocess")?
            .unwrap_or_else(|| preprocess.to_vec());
        let text = section.optional_at::<TextParams>("text")?;
        let table = section.optional_at::<TableParams>("table")?;
        let own_features = section.optional_at::<FeaturesSpec>("features")?;
        let image_side = section.optional_at::<u32>("image_side")?;
        let at = section.optional_at::<f64>("at")?;
        section.finish()?;

        let (name, line) = name.ok_or_else(|| section.missing("name"))?;
        if name.trim().is_empty() || name.contains(char::is_control) {
            return Err(section.invalid("name", line, "expected a name in one line"));
        }
        for (key, line, goes_with) in [
            ("text", text.as_ref().map(|t| t.1), Kind::Text),
            ("table", table.as_ref().map(|t| t.1), Kind::Vectors),
            ("features", own_features.as_ref().map(|t| t.1), Kind::Images),
            ("image_side", image_side.map(|t| t.1), Kind::Images),
        ] {
            if let Some(line) = line.filter(|_| kind != goes_with) {
                let reason = format!("goes with `kind = \"{}\"`", goes_with.name());
                return Err(section.invalid(key, line, reason));
            }
        }
        let features = match kind {
            Kind::Images => own_features.map(|(own, _)| own).or(features.cloned()),
            Kind::Vectors | Kind::Text => None,
        };
        if let Some((side, line)) = image_side.filter(|&(side, _)| side < SMALLEST_SIDE) {
            let reason = format!("expected at least {SMALLEST_SIDE}, found {side}");
            return Err(section.invalid("image_side", line, reason));
        }
        if let Some((params, line)) = &text {
            params
                .check()
                .map_err(|error| section.error_at(*line, SpecProblem::data(&place, error)))?;
        }

        let mut facts = Vec::new();
        let mut read = |section, side| {
            let (part, test, known) = parse_part(section, kind, side, classes.as_ref())?;
            facts.push(known);
            Ok((part, test))
        };
        let sources = sources
            .filter(|sources| !sources.is_empty())
            .ok_or_else(|| section.missing("source"))?;
        let source = sources
            .into_iter()
            .map(|part| Ok(read(part, Side::Source)?.0))
            .collect::<Result<Vec<_>, SpecError>>()?;
        let (target, test) = read(
            target.ok_or_else(|| section.missing("target"))?,
            Side::Target,
        )?;

        let output = match output {
            Some((output, _)) => Some(output),
            None => infer_output(&facts, metrics)
                .map_err(|reason| section.invalid("output", section.line, reason))?,
        };
        if let Some((Draw::PerClass(_), line)) = target_sample {
            let reason =
                "the target is drawn without a look at its labels: use `count` or `fraction`";
            return Err(section.invalid("target_sample", line, reason));
        }
        if output == Some(Output::Regression) {
            for (key, draw) in [("labelled", &labelled), ("source_sample", &source_sample)] {
                if let Some((Draw::PerClass(_), line)) = draw {
                    let reason =
                        "regression has no classes; use `count` or `fraction`, not `per_class`";
                    return Err(section.invalid(key, *line, reason));
                }
            }
        }
        Ok(Self {
            name,
            kind,
            output,
            source,
            target,
            test,
            labelled: labelled.map(|(draw, _)| draw),
            source_sample: source_sample.map(|(draw, _)| draw),
            target_sample: target_sample.map(|(draw, _)| draw),
            preprocess,
            text: match kind {
                Kind::Text => Some(text.map_or_else(TextParams::default, |(params, _)| params)),
                Kind::Vectors | Kind::Images => None,
            },
            features,
            image_side: image_side.map_or(Self::IMAGE_SIDE, |(side, _)| side),
            table: table.map_or_else(TableParams::default, |(params, _)| params),
            at: at
                .map(|(at, line)| curve::finite(&section, "at", line, at))
                .transpose()?,
            line: section.line,
        })
    }
}

fn parse_kind(section: &mut Section<'_>) -> Result<Kind, SpecError> {
    let Some((name, line)) = section.optional_at::<String>("kind")? else {
        return Ok(Kind::Vectors);
    };
    match KINDS.iter().find(|(known, _)| *known == name) {
        Some((_, Some(kind))) => Ok(*kind),
        Some((_, None)) => {
            let reason =
                format!("this version runs `vectors`, `text` and `images`, not yet `{name}`");
            Err(section.invalid("kind", line, reason))
        }
        None => {
            let nearest = translearn_core::nearest_name(&name, KINDS.map(|(known, _)| known));
            let hint = nearest.map_or_else(String::new, |nearest| {
                format!("; did you mean \"{nearest}\"?")
            });
            Err(section.invalid("kind", line, format!("there is no kind \"{name}\"{hint}")))
        }
    }
}

/// One output for the task, from what the data say and, where they say nothing, from the metrics.
fn infer_output(facts: &[Facts], metrics: &[Metric]) -> Result<Option<Output>, &'static str> {
    let mut said = facts.iter().filter_map(|facts| facts.output);
    if let Some(first) = said.next() {
        return if said.all(|other| other == first) {
            Ok(Some(first))
        } else {
            Err(
                "some parts have classes and others numbers; say \"classification\" or \"regression\"",
            )
        };
    }
    let one = |output: Output| {
        metrics
            .iter()
            .all(|&metric| output.admits(metric))
            .then_some(output)
    };
    Ok(one(Output::Classification).or_else(|| one(Output::Regression)))
}

fn parse_classes(section: &mut Section<'_>) -> Result<Option<Grouping>, SpecError> {
    let Some((grouping, line)) = section.optional_at::<Grouping>("classes")? else {
        return Ok(None);
    };
    // Overlapping groups and the like show on labels that no file has, too.
    match grouping.apply(&RawLabels::Names(Vec::new())) {
        Err(error @ DataError::InvalidOption { .. }) => {
            Err(section.error_at(line, SpecProblem::data(&section.place, error)))
        }
        _ => Ok(Some(grouping)),
    }
}

fn parse_draw(
    section: &mut Section<'_>,
    key: &'static str,
) -> Result<Option<(Draw, usize)>, SpecError> {
    let Some(mut draw) = section.section(key, &format!("`{key}` of {}", section.place))? else {
        return Ok(None);
    };
    let per_class = draw.optional::<usize>("per_class")?.map(Draw::PerClass);
    let fraction = draw.optional::<f64>("fraction")?.map(Draw::Fraction);
    let count = draw.optional::<usize>("count")?.map(Draw::Count);
    draw.finish()?;
    let given: Vec<Draw> = [per_class, fraction, count].into_iter().flatten().collect();
    let refuse = |reason: &str| Err(section.invalid(key, draw.line, reason));
    match given[..] {
        [Draw::PerClass(0) | Draw::Count(0)] => refuse("expected at least 1"),
        [Draw::Fraction(fraction)] if !(fraction > 0.0 && fraction <= 1.0) => {
            refuse(&format!("expected a fraction in (0, 1], found {fraction}"))
        }
        [draw_] => Ok(Some((draw_, draw.line))),
        _ => refuse("expected one of `per_class`, `fraction` and `count`"),
    }
}

/// A part, its test part where it has one, and what is known of it.
fn parse_part(
    mut section: Section<'_>,
    kind: Kind,
    side: Side,
    classes: Option<&Grouping>,
) -> Result<(Part, Option<Part>, Facts), SpecError> {
    let set = section.optional_at::<String>("set")?;
    let domain = section.optional::<String>("domain")?;
    let split = section.optional::<String>("split")?;
    let test_split = section.optional_at::<String>("test_split")?;
    let file = section.optional_at::<PathBuf>("file")?;
    let test = section.optional_at::<PathBuf>("test")?;
    let classes = parse_classes(&mut section)?.or_else(|| classes.cloned());
    if let (Side::Source, Some(line)) = (
        side,
        test_split
            .as_ref()
            .map(|t| t.1)
            .or(test.as_ref().map(|t| t.1)),
    ) {
        return Err(section.invalid(
            "test",
            line,
            "only a target has a part that is kept for scoring",
        ));
    }
    let part = |from| Part {
        from,
        classes: classes.clone(),
    };
    match (set, file) {
        (Some((name, line)), None) => {
            section.finish()?;
            if let Some((_, line)) = test {
                return Err(section.invalid(
                    "test",
                    line,
                    "goes with `file`; a set has `test_split`",
                ));
            }
            let facts = set_facts(&name, domain.as_deref(), split.as_deref()).map_err(|error| {
                section.error_at(line, SpecProblem::data(&section.place, error))
            })?;
            check_texts(&section, kind, &name, facts)?;
            let origin = |split| Origin::Set {
                name: name.clone(),
                domain: domain.clone(),
                split,
            };
            let (split, test) = match test_split {
                None => (split, None),
                Some((held_out, line)) => {
                    let refuse = |problem| section.error_at(line, problem);
                    set_facts(&name, domain.as_deref(), Some(&held_out))
                        .map_err(|error| refuse(SpecProblem::data(&section.place, error)))?;
                    let split = other_split(&name, split, &held_out)
                        .map_err(|reason| section.invalid("test_split", line, reason))?;
                    (Some(split), Some(part(origin(Some(held_out)))))
                }
            };
            let output = if classes.is_some() {
                Some(Output::Classification)
            } else {
                facts.output
            };
            Ok((part(origin(split)), test, Facts { output, ..facts }))
        }
        (None, Some((path, line))) => {
            if let Some((_, line)) = test_split {
                return Err(section.invalid(
                    "test_split",
                    line,
                    "goes with `set`; a file has `test`",
                ));
            }
            if domain.is_some() || split.is_some() {
                return Err(section.invalid("file", line, "`domain` and `split` go with `set`"));
            }
            check_path(&path).map_err(|reason| section.invalid("file", line, reason))?;
            let origin: Box<dyn Fn(PathBuf) -> Origin> = match kind {
                Kind::Text => {
                    let folder = section.rest_as()?;
                    Box::new(move |path| Origin::Texts {
                        path,
                        folder: Clone::clone(&folder),
                    })
                }
                Kind::Images => {
                    let folder = section.rest_as()?;
                    Box::new(move |path| Origin::Images {
                        path,
                        folder: Clone::clone(&folder),
                    })
                }
                Kind::Vectors => {
                    let options = section.rest_as()?;
                    Box::new(move |path| Origin::File {
                        path,
                        options: Clone::clone(&options),
                    })
                }
            };
            let test = test.map(|(path, _)| part(origin(path)));
            let output =
                (classes.is_some() || kind == Kind::Images).then_some(Output::Classification);
            Ok((
                part(origin(path)),
                test,
                Facts {
                    output,
                    ..Facts::default()
                },
            ))
        }
        (Some(_), Some((_, line))) => {
            Err(section.invalid("file", line, "stands beside `set`; give one of them"))
        }
        (None, None) => {
            section.finish()?;
            Err(section.missing("set` or `file"))
        }
    }
}

fn check_path(path: &Path) -> Result<(), &'static str> {
    if path.as_os_str().is_empty() {
        Err("expected the path of a file")
    } else {
        Ok(())
    }
}

fn check_texts(
    section: &Section<'_>,
    kind: Kind,
    name: &str,
    facts: Facts,
) -> Result<(), SpecError> {
    let reason = match (kind, facts.texts) {
        (Kind::Vectors, Some(true)) => {
            format!("`{name}` holds texts; say `kind = \"text\"` in the task")
        }
        (Kind::Text, Some(false)) => {
            format!("`{name}` holds vectors, so the task is not of `kind = \"text\"`")
        }
        (Kind::Images, _) if !facts.images => {
            format!("`{name}` holds no images, so the task is not of `kind = \"images\"`")
        }
        _ => return Ok(()),
    };
    Err(section.invalid("set", section.line, reason))
}

/// Checks that a set has a domain and split; tells what it holds.
fn set_facts(name: &str, domain: Option<&str>, split: Option<&str>) -> Result<Facts, DataError> {
    if embedded::names().any(|known| known == name) {
        if let Some(split) = split {
            return Err(DataError::missing(name.as_ref(), "split", split, []));
        }
        let sample = embedded::load_domain(name, domain.unwrap_or("all"))?;
        let output = match sample.labels {
            Some(RawLabels::Names(_)) => Output::Classification,
            _ => Output::Regression,
        };
        return Ok(Facts {
            texts: Some(false),
            images: false,
            output: Some(output),
        });
    }
    let known = || {
        catalog::sets()
            .iter()
            .map(catalog::Set::name)
            .chain(embedded::names())
    };
    if !known().any(|known| known == name) {
        return Err(DataError::missing("".as_ref(), "set", name, known()));
    }
    let select = Select {
        domain: domain.map(str::to_owned),
        split: split.map(str::to_owned),
    };
    let parts = catalog::set(name)?.select(&select)?;
    let output = if parts.iter().all(|part| part.classes.is_some()) {
        Output::Classification
    } else {
        Output::Regression
    };
    Ok(Facts {
        texts: Some(parts.iter().all(|part| part.columns.is_none())),
        images: parts.iter().all(|part| part.holds_images()),
        output: Some(output),
    })
}

/// The split the fit sees when `held_out` is scored.
fn other_split(name: &str, split: Option<String>, held_out: &str) -> Result<String, String> {
    if let Some(split) = split {
        return if split == held_out {
            Err("is the split that the fit sees".to_owned())
        } else {
            Ok(split)
        };
    }
    let others: Vec<String> = catalog::set(name)
        .map(|set| {
            set.splits()
                .into_iter()
                .filter(|split| *split != held_out)
                .map(str::to_owned)
                .collect()
        })
        .unwrap_or_default();
    match &others[..] {
        [one] => Ok(one.clone()),
        [] => Err(format!(
            "`{name}` has no other split that the fit could see"
        )),
        _ => Err(format!(
            "`{name}` has several other splits; say which `split` the fit sees: {}",
            others.join(", ")
        )),
    }
}
