//! Whom checks may ask by name, as the settings declare them: judges, panels of judges, and endpoints of embeddings.
//!
//! Names are all that a check knows of them. What stands behind a name is in its digest, which is part of the digest of
//! every check that names it: another model is another check.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::build::Build;
use super::nearest::nearest;
use crate::model::digest::Digest;

/// A judge that a check may name.
#[derive(Debug, Clone)]
pub struct Judge {
    /// Whose opinions it stands for: itself, or the members of a panel.
    pub members: Vec<Arc<str>>,
    /// Everything that an opinion depends on: endpoint, model, parameters, of every member.
    pub digest: Digest,
}

impl Judge {
    /// One that stands for itself.
    pub fn one(name: &str, digest: Digest) -> Self {
        Self { members: vec![name.into()], digest }
    }
}

/// A name that a check gives, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// `judge`.
    Judge(String),
    /// `endpoint`, of embeddings.
    Embedding(String),
    /// What an earlier run replied.
    Earlier,
}

/// Everybody who may be asked.
#[derive(Debug, Clone, Default)]
pub struct Askable {
    judges: BTreeMap<String, Judge>,
    embeddings: BTreeMap<String, Digest>,
}

impl Askable {
    /// Declares a judge, or a panel.
    pub fn add_judge(&mut self, name: &str, judge: Judge) {
        self.judges.insert(name.to_owned(), judge);
    }

    /// Declares an endpoint of embeddings.
    pub fn add_embedding(&mut self, name: &str, digest: Digest) {
        self.embeddings.insert(name.to_owned(), digest);
    }

    /// The judge of a name.
    ///
    /// # Errors
    /// There is none: what to do about it.
    pub fn judge(&self, name: &str) -> Result<&Judge, String> {
        self.judges.get(name).ok_or_else(|| help("judge", name, self.judges.keys()))
    }

    /// What stands behind a name, for the digest of the check that names it, with the table that declares it. Behind a
    /// template may stand everybody; behind a name that is not declared, which is a problem of its own, nobody.
    pub fn behind(&self, asked: &Asked) -> Vec<(String, Digest)> {
        let judges = || self.judges.iter().map(|(name, judge)| (name, judge.digest));
        let embeddings = || self.embeddings.iter().map(|(name, digest)| (name, *digest));
        let named = |name: &str, is: &str| name.contains("{{") || name.contains("{%") || name == is;
        match asked {
            Asked::Judge(name) => judges()
                .filter(|(is, _)| named(name, is))
                .map(|(is, digest)| (format!("[judge.{is}]"), digest))
                .collect(),
            Asked::Embedding(name) => embeddings()
                .filter(|(is, _)| named(name, is))
                .map(|(is, digest)| (format!("[embedding.{is}]"), digest))
                .collect(),
            // Which run that is the suite says elsewhere.
            Asked::Earlier => Vec::new(),
        }
    }
}

impl Build<'_> {
    /// The judge that the parameter at `key` names; a problem there when none is called so.
    pub fn judge(&mut self, key: &str, name: &str) -> Option<Judge> {
        let judges = &self.kit.askable.judges;
        let found = judges.get(name).cloned();
        if found.is_none() {
            let help = help("judge", name, judges.keys());
            self.problem(&[key], format!("no judge is called `{name}`"), help);
        }
        found
    }

    /// The endpoint of embeddings that the parameter at `key` names; a problem there when none is called so.
    pub fn embedding(&mut self, key: &str, name: &str) -> Option<Arc<str>> {
        let endpoints = &self.kit.askable.embeddings;
        let found = endpoints.contains_key(name);
        if !found {
            let help = help("embedding", name, endpoints.keys());
            self.problem(&[key], format!("no endpoint of embeddings is called `{name}`"), help);
        }
        found.then(|| name.into())
    }
}

/// The name that was meant, else those that there are, else how one is declared.
fn help<'n>(table: &str, name: &str, names: impl Iterator<Item = &'n String> + Clone) -> String {
    match nearest(name, names.clone().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let known: Vec<String> = names.map(|known| format!("`{known}`")).collect();
            match &known[..] {
                [] => format!("declare it in seatrial.toml: [{table}.{name}] (see seatrial explain {table})"),
                _ => format!("seatrial.toml declares {}; add [{table}.{name}] there", known.join(", ")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn askable() -> Askable {
        let mut askable = Askable::default();
        askable.add_judge("strict", Judge::one("strict", Digest::of(b"strict")));
        askable.add_judge("mild", Judge::one("mild", Digest::of(b"mild")));
        askable.add_embedding("mild", Digest::of(b"vectors"));
        askable
    }

    #[test]
    fn a_check_depends_on_whom_it_names_and_on_everybody_where_a_template_does() {
        let behind = |name: &str| {
            let named = askable().behind(&Asked::Judge(name.to_owned()));
            named.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(behind("strict"), ["[judge.strict]"]);
        assert_eq!(behind("{{ case.judge }}"), ["[judge.mild]", "[judge.strict]"]);
        assert_eq!(behind("stricter"), Vec::<String>::new());
        assert_eq!(
            askable().behind(&Asked::Embedding("mild".to_owned())),
            [("[embedding.mild]".to_owned(), Digest::of(b"vectors"))]
        );
    }

    #[test]
    fn a_name_that_nobody_has_is_told_what_was_meant() {
        let help = |name: &str| help("judge", name, askable().judges.keys());
        assert_eq!(help("strickt"), "did you mean `strict`?");
        assert_eq!(help("default"), "seatrial.toml declares `mild`, `strict`; add [judge.default] there");
        let none = super::help("judge", "default", [].iter());
        assert_eq!(none, "declare it in seatrial.toml: [judge.default] (see seatrial explain judge)");
    }
}
