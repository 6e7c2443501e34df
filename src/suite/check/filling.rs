//! What a check's table does not say itself: the defaults of its rule, and the environment in its paths.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::Maker;
use crate::checks::build::Rule;
use crate::checks::jinja::Template;
use crate::suite::files::relative;
use crate::suite::paths::{PathText, is_path_key};
use crate::suite::raw::{Pos, Sink};

impl<'t> Maker<'_, 't> {
    /// Adds the defaults of the rule for keys that the check lacks; the folders of those, by key.
    pub(super) fn add_defaults(&self, rule: &Rule, own: &mut DeTable<'t>) -> BTreeMap<String, PathBuf> {
        let mut dirs = BTreeMap::new();
        for default in self.defaults.of(rule.name) {
            let key = default.key.get_ref().as_ref();
            if !own.contains_key(key) {
                dirs.insert(key.to_owned(), default.dir.clone());
                own.insert(default.key.clone(), default.value.clone());
            }
        }
        dirs
    }

    /// Puts environment variables into parameters that name files, and makes those that come from a fragment's
    /// defaults relative to the check's own folder. False when one is wrong.
    pub(super) fn fill_paths(
        &self,
        rule: &Rule,
        own: &mut DeTable<'_>,
        dir: &Path,
        defaults: &BTreeMap<String, PathBuf>,
        sink: &mut Sink<'_>,
    ) -> bool {
        let mut ok = true;
        for (key, value) in own.iter_mut() {
            let key = key.get_ref().to_string();
            if !is_path_key(rule, &key) {
                continue;
            }
            for value in one_or_many(value) {
                let pos = value.span();
                let DeValue::String(text) = value.get_mut() else { continue };
                let from = defaults.get(&key).map_or(dir, PathBuf::as_path);
                ok &= self.fill_path(text, &pos, from, dir, sink);
            }
        }
        ok
    }

    /// Puts environment variables into one path that is written in the folder `from`, and makes it relative to `dir`.
    fn fill_path(&self, text: &mut DeString<'_>, pos: &Pos, from: &Path, dir: &Path, sink: &mut Sink<'_>) -> bool {
        let written = text.to_string();
        match PathText::new(&written).and_then(|p| p.fill(self.vars)) {
            Ok(path) => {
                let path = if from == dir { path } else { relative(&from.join(path), dir) };
                if Template::is_in(&written) {
                    self.files.name_as(dir.join(&path), &written);
                }
                *text = path.into();
                true
            }
            Err((message, help)) => {
                sink.error(pos, message, help);
                *text = String::new().into();
                false
            }
        }
    }
}

/// A value, or the values of a list.
fn one_or_many<'v, 'i>(value: &'v mut Spanned<DeValue<'i>>) -> Vec<&'v mut Spanned<DeValue<'i>>> {
    match value.get_ref() {
        DeValue::Array(_) => match value.get_mut() {
            DeValue::Array(items) => items.iter_mut().collect(),
            _ => Vec::new(),
        },
        _ => vec![value],
    }
}
