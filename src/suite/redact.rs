//! `[redact]` of a suite and its fragments, together with that of the settings: what is taken out of everything that is
//! written of the suite's sessions.

use toml::de::DeValue;

use super::raw::{Missing, read_rest, span_at};
use super::resolve::Resolver;
use crate::redact::{RedactTable, Redactor, Rules};

/// What the settings say of redaction, which holds for every suite.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `[redact]` of `seatrial.toml`.
    pub rules: RedactTable,
    /// The key of pseudonyms, where one is given.
    pub key: Option<String>,
}

impl Resolver<'_, '_, '_> {
    /// The rules of the suite's files, as they are written, and those in force.
    pub(super) fn redact(&mut self) -> (RedactTable, Redactor) {
        let mut own = RedactTable::default();
        for layer in self.layers {
            let Some(value) = layer.table.get("redact") else { continue };
            let DeValue::Table(table) = value.get_ref() else { continue };
            let whole = value.span();
            let Some(read) = read_rest::<RedactTable>(table, &whole, Missing::Reported, self.sink) else { continue };
            if let Err(problems) = Rules::compile(&read, &self.env.kit.detectors, None) {
                for problem in problems {
                    self.sink.error(&span_at(table, &whole, &problem.path), problem.message, problem.help);
                }
            }
            own = own.union(&read);
        }
        let both = own.union(&self.env.redact.rules);
        // What is wrong with either was reported where it stands.
        let rules = Rules::compile(&both, &self.env.kit.detectors, self.env.redact.key.as_deref());
        (own, rules.map(Redactor::new).unwrap_or_default())
    }
}
