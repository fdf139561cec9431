//! From a `[[task]]` to a [`TaskSpec`].

use toml::de::DeValue;
use translearn_core::metrics::Metric;
use translearn_data::encode::TableParams;
use translearn_data::text::TextParams;

use super::curve;
use super::parse_part::{Facts, parse_classes, parse_part};
use super::section::Section;
use super::{
    Corruption, Draw, FeaturesSpec, Kind, Output, Side, SpecError, SpecProblem, Step, TaskSpec,
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
        let corrupt_source = section.optional_at::<Corruption>("corrupt_source")?;
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
        let groups = parse_groups(&mut section)?;
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
        if let Some((Corruption { labels }, line)) = corrupt_source
            && !(0.0..=1.0).contains(&labels)
        {
            let reason = format!("expected a share of labels in [0, 1], found {labels}");
            return Err(section.invalid("corrupt_source", line, reason));
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
            corrupt_source: corrupt_source.map(|(corruption, _)| corruption),
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
            groups,
            at: at
                .map(|(at, line)| curve::finite(&section, "at", line, at))
                .transpose()?,
            line: section.line,
        })
    }
}

/// A name or a list of names.
fn parse_groups(section: &mut Section<'_>) -> Result<Vec<String>, SpecError> {
    let Some(entry) = section.take("group") else {
        return Ok(Vec::new());
    };
    match entry.value.get_ref() {
        DeValue::Array(_) => section.read(entry),
        _ => Ok(vec![section.read(entry)?]),
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
