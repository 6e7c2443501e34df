//! What the settings hide, ready to be put together with what suites hide.

use std::borrow::Cow;

use super::rules::{RedactPlan, RedactTable, Rules};
use super::{Redacted, Redactor};
use crate::checks::detect::Detectors;

/// The rules of the settings, and what it takes to apply those of a suite beside them. The default knows no rules: it
/// hides what was filled in from the environment, and applies what suites ask for with the detectors that are built in.
#[derive(Debug, Clone, Default)]
pub struct Redactors {
    rules: RedactTable,
    detectors: Detectors,
    key: Option<String>,
}

/// Why rules cannot be applied here: what they hide is not known, so that nothing may be written as if nothing were hidden.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rules of redaction cannot be applied here: {0}")]
pub struct Unknown(String);

impl Redactors {
    /// With the rules of the settings, the detectors that rules may name, and the key of pseudonyms, where one is given.
    pub fn new(rules: RedactTable, detectors: Detectors, key: Option<String>) -> Self {
        Self { rules, detectors, key }
    }

    /// The rules of the settings, and those of some suites with them.
    ///
    /// # Errors
    /// A suite's rules name what the settings here do not declare.
    pub fn with<'p>(&self, suites: impl IntoIterator<Item = &'p RedactPlan>) -> Result<Redactor, Unknown> {
        let rules = suites.into_iter().fold(self.rules.clone(), |rules, suite| rules.union(&suite.rules));
        let compiled = Rules::compile(&rules, &self.detectors, self.key.as_deref());
        compiled.map(Redactor::new).map_err(|problems| {
            let told = |p: super::RuleProblem| p.help.map_or(p.message.clone(), |h| format!("{} ({h})", p.message));
            Unknown(problems.into_iter().map(told).collect::<Vec<_>>().join("; "))
        })
    }

    /// Words that somebody wrote about something, as they may be written where `suites` is what its suites hide.
    ///
    /// # Errors
    /// As [`Redactors::with`]; never of no words.
    pub fn words<'p>(
        &self,
        text: &str,
        suites: impl IntoIterator<Item = &'p RedactPlan>,
    ) -> Result<Redacted<String>, Unknown> {
        if text.is_empty() {
            return Ok(Redacted::of(String::new()));
        }
        Ok(self.with(suites)?.pass(&text.to_owned()).map(Cow::into_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(detector: &str) -> RedactPlan {
        RedactPlan {
            rules: RedactTable { detectors: vec![detector.to_owned()], ..RedactTable::default() },
            key: String::new(),
        }
    }

    #[test]
    fn words_go_through_the_rules_of_the_settings_and_of_the_suite() {
        let settings = RedactTable { detectors: vec!["iban".into()], ..RedactTable::default() };
        let redactors = Redactors::new(settings, Detectors::builtin(), None);
        let text = "ask ann@example.com of DE89370400440532013000";
        let said = |plan: Option<&RedactPlan>| redactors.words(text, plan).unwrap().into_inner();
        assert_eq!(said(None), "ask ann@example.com of [redacted:iban]");
        assert_eq!(said(Some(&plan("email"))), "ask [redacted:email] of [redacted:iban]");
    }

    #[test]
    fn where_a_rule_is_not_known_nothing_passes() {
        let why = Redactors::default().words("x", Some(&plan("custom.order"))).unwrap_err().to_string();
        assert!(why.contains("`custom.order`") && why.contains("seatrial.toml"), "{why}");
        assert_eq!(Redactors::default().words("", Some(&plan("custom.order"))).unwrap().get(), "");
    }
}
