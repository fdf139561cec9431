//! Reads tables of a TOML document key by key, so that every error knows its line and every unknown key its neighbour.

use std::ops::Range;
use std::path::Path;

use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{SpecError, SpecProblem};

/// The text of a specification and the file it stands in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'d> {
    pub(super) file: &'d Path,
    text: &'d str,
}

impl<'d> Document<'d> {
    /// Parses the text; its top level is the one section.
    pub(super) fn parse(file: &'d Path, text: &'d str) -> Result<Section<'d>, SpecError> {
        let document = Self { file, text };
        match DeTable::parse(text) {
            Ok(table) => Ok(Section::new(
                document,
                "the specification".to_owned(),
                table,
            )),
            Err(error) => {
                let line = error.span().map(|span| document.line(&span));
                Err(SpecProblem::Syntax(error.message().to_owned()).at(file, line))
            }
        }
    }

    /// The line of a span, from 1.
    fn line(&self, span: &Range<usize>) -> usize {
        let end = span.start.min(self.text.len());
        1 + self.text.as_bytes()[..end]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count()
    }
}

/// A key with its value.
pub(super) struct Entry<'d> {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Spanned<DeValue<'d>>,
}

/// A table whose keys are taken one by one; what is left at the end is unknown.
pub(super) struct Section<'d> {
    document: Document<'d>,
    /// What the table is, for errors.
    pub(super) place: String,
    /// Where it starts.
    pub(super) line: usize,
    /// Keys not taken yet, in the order of the file.
    entries: Vec<Entry<'d>>,
    /// Keys that were asked for.
    known: Vec<&'static str>,
}

impl<'d> Section<'d> {
    fn new(document: Document<'d>, place: String, table: Spanned<DeTable<'d>>) -> Self {
        let line = document.line(&table.span());
        let mut keys: Vec<_> = table.into_inner().into_iter().collect();
        keys.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (Spanned<_>, _)| Entry {
            line: document.line(&key.span()),
            key: std::borrow::Cow::into_owned(key.into_inner()),
            value,
        };
        Self {
            document,
            place,
            line,
            entries: keys.into_iter().map(entry).collect(),
            known: Vec::new(),
        }
    }

    /// The folder that the files of the specification are relative to.
    pub(super) fn base(&self) -> &Path {
        self.document.file.parent().unwrap_or(Path::new(""))
    }

    /// An error about the section as a whole.
    pub(super) fn error(&self, problem: SpecProblem) -> SpecError {
        problem.at(self.document.file, Some(self.line))
    }

    /// An error at a line of the section.
    pub(super) fn error_at(&self, line: usize, problem: SpecProblem) -> SpecError {
        problem.at(self.document.file, Some(line))
    }

    /// A value that is out of place, with the line of its key.
    pub(super) fn invalid(
        &self,
        key: &str,
        line: usize,
        reason: impl std::fmt::Display,
    ) -> SpecError {
        self.error_at(line, SpecProblem::invalid(key, &self.place, reason))
    }

    /// Takes a key as it stands.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Entry<'d>> {
        self.known.push(key);
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }

    /// Takes a key and reads its value.
    pub(super) fn optional<T: DeserializeOwned>(
        &mut self,
        key: &'static str,
    ) -> Result<Option<T>, SpecError> {
        Ok(self.optional_at(key)?.map(|(value, _)| value))
    }

    /// Takes a key and reads its value; with its line.
    pub(super) fn optional_at<T: DeserializeOwned>(
        &mut self,
        key: &'static str,
    ) -> Result<Option<(T, usize)>, SpecError> {
        let Some(entry) = self.take(key) else {
            return Ok(None);
        };
        let line = entry.line;
        Ok(Some((self.read(entry)?, line)))
    }

    /// Takes a key that has to be there and reads its value; with its line.
    pub(super) fn required_at<T: DeserializeOwned>(
        &mut self,
        key: &'static str,
    ) -> Result<(T, usize), SpecError> {
        self.optional_at(key)?.ok_or_else(|| self.missing(key))
    }

    /// A key that has to be there is not.
    pub(super) fn missing(&self, key: &str) -> SpecError {
        self.error(SpecProblem::MissingKey {
            key: key.to_owned(),
            place: self.place.clone(),
        })
    }

    /// Reads the value of an entry of this section. A table for a struct has its keys checked first.
    pub(super) fn read<T: DeserializeOwned>(&self, entry: Entry<'d>) -> Result<T, SpecError> {
        let known = struct_fields::<T>();
        if let (DeValue::Table(table), false) = (entry.value.get_ref(), known.is_empty()) {
            let unknown = table
                .keys()
                .find(|key| !known.contains(&key.get_ref().as_ref()));
            if let Some(key) = unknown {
                let place = format!("`{}` of {}", entry.key, self.place);
                let problem =
                    SpecProblem::unknown_key(key.get_ref(), &place, known.iter().copied());
                return Err(self.error_at(self.document.line(&key.span()), problem));
            }
        }
        let Entry { key, line, value } = entry;
        T::deserialize(value.into_deserializer()).map_err(|error: toml::de::Error| {
            let line = error
                .span()
                .map_or(line, |span| self.document.line(&span).max(line));
            self.invalid(&key, line, error.message())
        })
    }

    /// Takes a key whose value is a table.
    pub(super) fn section(
        &mut self,
        key: &'static str,
        place: &str,
    ) -> Result<Option<Section<'d>>, SpecError> {
        let Some(entry) = self.take(key) else {
            return Ok(None);
        };
        self.section_of(entry, place).map(Some)
    }

    /// Takes a key whose value is a list of tables; a single table counts as a list of one.
    pub(super) fn sections(
        &mut self,
        key: &'static str,
        place: &str,
    ) -> Result<Option<Vec<Section<'d>>>, SpecError> {
        let Some(Entry { key, line, value }) = self.take(key) else {
            return Ok(None);
        };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(list) => list
                .into_iter()
                .enumerate()
                .map(|(index, value)| {
                    let line = self.document.line(&value.span());
                    self.section_of(
                        Entry {
                            key: key.clone(),
                            line,
                            value,
                        },
                        &format!("{place} {}", index + 1),
                    )
                })
                .collect::<Result<_, _>>()
                .map(Some),
            value => {
                let entry = Entry {
                    key,
                    line,
                    value: Spanned::new(span, value),
                };
                Ok(Some(vec![self.section_of(entry, place)?]))
            }
        }
    }

    fn section_of(&self, entry: Entry<'d>, place: &str) -> Result<Section<'d>, SpecError> {
        let span = entry.value.span();
        match entry.value.into_inner() {
            DeValue::Table(table) => {
                let section =
                    Section::new(self.document, place.to_owned(), Spanned::new(span, table));
                // The span of a header's table is the header itself, that of an inline table its first brace.
                Ok(Section {
                    line: section.line.max(entry.line),
                    ..section
                })
            }
            other => {
                let reason = format!("expected a table, found {}", describe(&other));
                Err(self.invalid(&entry.key, entry.line, reason))
            }
        }
    }

    /// What was not taken, in the order of the file.
    pub(super) fn rest(&mut self) -> Vec<Entry<'d>> {
        std::mem::take(&mut self.entries)
    }

    /// What was not taken, as a struct; with `own` keys and the struct's fields all unknown keys have their neighbours.
    pub(super) fn rest_as<T: DeserializeOwned>(&mut self) -> Result<T, SpecError> {
        let fields = struct_fields::<T>();
        self.known.extend(fields);
        self.refuse_unless(|key| fields.contains(&key))?;
        let table: DeTable<'d> = self
            .rest()
            .into_iter()
            .map(
                |Entry {
                     key,
                     line: _,
                     value,
                 }| (Spanned::new(value.span(), key.into()), value),
            )
            .collect();
        let value = Spanned::new(0..0, DeValue::Table(table));
        T::deserialize(value.into_deserializer()).map_err(|error: toml::de::Error| {
            let line = error
                .span()
                .map_or(self.line, |span| self.document.line(&span).max(self.line));
            self.error_at(
                line,
                SpecProblem::invalid("options", &self.place, error.message()),
            )
        })
    }

    /// Refuses keys that nothing asked for.
    pub(super) fn finish(&self) -> Result<(), SpecError> {
        self.refuse_unless(|_| false)
    }

    fn refuse_unless(&self, admit: impl Fn(&str) -> bool) -> Result<(), SpecError> {
        match self.entries.iter().find(|entry| !admit(&entry.key)) {
            None => Ok(()),
            Some(entry) => Err(self.unknown(entry, std::iter::empty())),
        }
    }

    /// An unknown key, beside the keys asked for and `more`.
    pub(super) fn unknown<'k>(
        &self,
        entry: &Entry<'_>,
        more: impl Iterator<Item = &'k str>,
    ) -> SpecError {
        let known = self.known.iter().copied().chain(more);
        self.error_at(
            entry.line,
            SpecProblem::unknown_key(&entry.key, &self.place, known),
        )
    }
}

/// The type of a value in words.
pub(super) fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The names of a struct's fields as serde spells them; empty for anything that is no struct.
///
/// `derive(Deserialize)` hands them to the deserialiser, and this one does nothing but keep them.
fn struct_fields<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Fields<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Fields<'_> {
        type Error = de::value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(de::Error::custom("no struct"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            Err(de::Error::custom("the fields are known"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut fields: &'static [&'static str] = &[];
    // Always an error: the deserialiser has nothing to give.
    let _ = T::deserialize(Fields(&mut fields));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use translearn_data::read::ReadOptions;

    #[test]
    fn the_fields_of_a_struct_are_found() {
        assert!(struct_fields::<ReadOptions>().contains(&"n_features"));
        assert!(struct_fields::<Vec<String>>().is_empty());
        assert!(struct_fields::<f64>().is_empty());
    }

    #[test]
    fn lines_are_those_of_keys() {
        let text = "a = 1\n\n[b]\nc = { d = 'x' }\n[[e]]\nf = 2\n";
        let mut top = Document::parse(Path::new("t.toml"), text).unwrap();
        assert_eq!(top.required_at::<u64>("a").unwrap(), (1, 1));
        let mut b = top.section("b", "b").unwrap().unwrap();
        assert_eq!(b.line, 3);
        let c = b.section("c", "c").unwrap().unwrap();
        assert_eq!(c.line, 4);
        let error = c.finish().unwrap_err();
        assert_eq!(error.line, Some(4));
        let mut e = top.sections("e", "e").unwrap().unwrap().remove(0);
        let error = e.optional::<String>("f").unwrap_err();
        assert_eq!(error.line, Some(6), "{error}");
    }
}
