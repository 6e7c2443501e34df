//! `[redact]` in `seatrial.toml`: what is taken out of everything that is written, whatever the suite.

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{Reader, found};
use super::{Setting, did_you_mean};
use crate::checks::detect::Detectors;
use crate::redact::{Pseudonym, RedactTable, Rules};
use crate::suite::nearest::nearest;

/// The keys of the table.
const KEYS: &[&str] = &["detectors", "judge", "keys", "paths", "pseudonyms"];

impl Reader<'_> {
    /// Reads the table; its detectors may be those of the same file, which were read before.
    pub(super) fn redact(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(table) = self.table("redact", value) else { return };
        let mut rules = RedactTable::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let list = match name {
                "detectors" => &mut rules.detectors,
                "keys" => &mut rules.keys,
                "paths" => &mut rules.paths,
                "judge" => {
                    match value.get_ref().as_bool() {
                        Some(judge) => rules.judge = judge,
                        None => {
                            let found = found(value);
                            self.problem(value.span(), format!("`judge` is true or false, not {found}"), None);
                        }
                    }
                    continue;
                }
                "pseudonyms" => {
                    rules.pseudonyms = self.pseudonyms(value);
                    continue;
                }
                _ => {
                    let help = nearest(name, KEYS.iter().copied()).map(did_you_mean);
                    let help = help.or_else(|| Some(format!("[redact] has {}", KEYS.join(", "))));
                    self.problem(key.span(), format!("unknown key `{name}` in [redact]"), help);
                    continue;
                }
            };
            *list = self.strings(name, value).into_iter().map(|(text, _)| text).collect();
        }
        let mut detectors = Detectors::builtin();
        for own in self.file.detectors.values() {
            detectors = detectors.with_custom(&own.name, own.pattern.clone());
        }
        if let Err(problems) = Rules::compile(&rules, &detectors, None) {
            for problem in problems {
                let span = at(table, &problem.path).unwrap_or_else(|| value.span());
                self.problem(span, problem.message, problem.help);
            }
        }
        let origin = self.origin(&value.span(), None);
        self.file.redact = Some(Setting { value: rules, origin });
    }

    /// A list of strings, each with where it stands.
    pub(super) fn strings(
        &mut self,
        name: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Vec<(String, std::ops::Range<usize>)> {
        let DeValue::Array(items) = value.get_ref() else {
            let found = found(value);
            self.problem(value.span(), format!("`{name}` is a list of strings, not {found}"), None);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items.iter() {
            match item.get_ref().as_str() {
                Some(text) => texts.push((text.to_owned(), item.span())),
                None => {
                    let found = found(item);
                    self.problem(item.span(), format!("`{name}` is a list of strings; this is {found}"), None);
                }
            }
        }
        texts
    }

    fn pseudonyms(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Pseudonym> {
        let mut kinds = Vec::new();
        for (text, span) in self.strings("pseudonyms", value) {
            let read: Result<_, serde::de::value::Error> =
                Pseudonym::deserialize(serde::de::IntoDeserializer::into_deserializer(text.as_str()));
            match read {
                Ok(kind) => kinds.push(kind),
                Err(_) => {
                    let help = "there are pseudonyms of `session` and of `user`".to_owned();
                    self.problem(span, format!("no id is called `{text}`"), Some(help));
                }
            }
        }
        kinds
    }
}

/// Where an entry of a list stands.
fn at(table: &DeTable<'_>, path: &[String]) -> Option<std::ops::Range<usize>> {
    let [list, index] = path else { return None };
    let DeValue::Array(items) = table.get(list.as_str())?.get_ref() else { return None };
    Some(items.get(index.parse::<usize>().ok()?)?.span())
}
