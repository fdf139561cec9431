//! From a `source` or `target` to a [`Part`].

use std::path::{Path, PathBuf};

use translearn_data::catalog::{self, Select};
use translearn_data::encode::Grouping;
use translearn_data::generate::Generator;
use translearn_data::{DataError, RawLabels, embedded};

use super::section::Section;
use super::{Kind, Origin, Output, Part, Side, SpecError, SpecProblem};

/// What is known of a part before it is read.
#[derive(Clone, Copy, Default)]
pub(super) struct Facts {
    pub(super) texts: Option<bool>,
    pub(super) images: bool,
    pub(super) output: Option<Output>,
}

pub(super) fn parse_classes(section: &mut Section<'_>) -> Result<Option<Grouping>, SpecError> {
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

/// A part, its test part where it has one, and what is known of it.
pub(super) fn parse_part(
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
    let generate = section.optional_at::<Generator>("generate")?;
    let draw = section.optional_at::<u64>("draw")?;
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
    if let (None, Some((_, line))) = (&generate, &draw) {
        return Err(section.invalid("draw", *line, "goes with `generate`"));
    }
    if let Some((generator, line)) = generate {
        let others = [
            set.is_some(),
            file.is_some(),
            test.is_some(),
            test_split.is_some(),
        ];
        if others.contains(&true) || domain.is_some() || split.is_some() {
            let reason = "rows that are drawn have no set, file, domain, split or test part";
            return Err(section.invalid("generate", line, reason));
        }
        section.finish()?;
        if kind != Kind::Vectors {
            let reason = "vectors are drawn: the task is not of another kind";
            return Err(section.invalid("generate", line, reason));
        }
        let draw = draw.map_or(0, |(draw, _)| draw);
        let drawn = generator
            .generate(draw)
            .map_err(|error| section.error_at(line, SpecProblem::data(&section.place, error)))?;
        let output = Output::of(&drawn.space);
        let from = Origin::Generated {
            generator,
            side,
            draw,
        };
        let facts = Facts {
            texts: Some(false),
            images: false,
            output: Some(if classes.is_some() {
                Output::Classification
            } else {
                output
            }),
        };
        return Ok((part(from), None, facts));
    }
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
            Err(section.missing("set`, `file` or `generate"))
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
