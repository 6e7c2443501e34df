//! `[defaults.NAME]`: parameters that every check of a rule has unless it gives its own.

use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::common::COMMON;
use super::own::{own_keys, type_check};
use super::problems::choice;
use super::raw::Sink;
use super::resolve::Layer;
use super::words;
use crate::checks::build::Rule;

/// One default: the rule it is for, its key and value, and the folder of the file it is written in.
pub(super) struct Default<'t> {
    rule: &'static str,
    pub key: &'t Spanned<DeString<'t>>,
    pub value: &'t Spanned<DeValue<'t>>,
    pub dir: PathBuf,
}

/// The defaults of a suite; those of the suite win over those of its fragments.
pub(super) struct Defaults<'t> {
    list: Vec<Default<'t>>,
}

impl<'t> Defaults<'t> {
    /// Reads `[defaults]` of every layer.
    pub fn read(layers: &'t [Layer<'t>], rules: &'static [Rule], sink: &mut Sink<'_>) -> Self {
        let mut out = Self { list: Vec::new() };
        for layer in layers {
            let Some(DeValue::Table(defaults)) = layer.table.get("defaults").map(|v| v.get_ref()) else { continue };
            for (name, value) in defaults {
                let rule_name = name.get_ref().as_ref();
                let Some(rule) = rules.iter().find(|r| r.name == rule_name) else {
                    unknown_rule(rule_name, &name.span(), rules, sink);
                    continue;
                };
                match value.get_ref() {
                    DeValue::Table(table) => out.read_rule(layer, rule, table, &value.span(), sink),
                    _ => sink.error(&value.span(), format!("`{rule_name}` is written [defaults.{rule_name}]"), None),
                }
            }
        }
        out
    }

    fn read_rule(
        &mut self,
        layer: &'t Layer<'t>,
        rule: &'static Rule,
        table: &'t DeTable<'t>,
        whole: &super::raw::Pos,
        sink: &mut Sink<'_>,
    ) {
        let own = own_keys(rule);
        let mut known = DeTable::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if COMMON.contains(&name) {
                let help = format!("`{}` takes {}", rule.name, own.join(", "));
                sink.error(&key.span(), format!("only a check's own parameters have defaults, not `{name}`"), help);
            } else if !own.iter().any(|k| k == name) {
                let help = words::help_for_key(name, &own);
                sink.error(&key.span(), format!("unknown key `{name}` in `{}`", rule.name), help);
            } else {
                self.list.retain(|d| d.rule != rule.name || d.key.get_ref() != key.get_ref());
                self.list.push(Default { rule: rule.name, key, value, dir: layer.source.dir() });
                known.insert(key.clone(), value.clone());
            }
        }
        type_check(rule, &known, whole, sink);
    }

    /// The defaults of a rule.
    pub fn of(&self, rule: &str) -> impl Iterator<Item = &Default<'t>> {
        self.list.iter().filter(move |d| d.rule == rule)
    }
}

/// Reports a check name that no rule has.
pub(super) fn unknown_rule(name: &str, pos: &super::raw::Pos, rules: &'static [Rule], sink: &mut Sink<'_>) {
    sink.error(pos, format!("unknown check `{name}`"), choice(name, rules.iter().map(|r| r.name)));
}
