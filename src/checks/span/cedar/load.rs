//! Policies, schema and entities from files, checked when the suite is loaded: what is wrong is reported at the key
//! that names the file, with the line in it.

use std::collections::BTreeMap;
use std::str::FromStr;

use cedar_policy::{
    AuthorizationError, Entities, Policy, PolicyId, PolicySet, Schema, SchemaFragment, ValidationMode, Validator,
};
use miette::Diagnostic;

use super::depth::{MAX, Text, string_end, too_deep};
use super::expanded::{self, TooLarge};
use super::reads::Reads;
use crate::checks::build::Build;

/// Everything that decides, ready for use.
pub(super) struct Loaded {
    pub policies: PolicySet,
    pub entities: Entities,
    pub schema: Option<Schema>,
    /// What of the context the policies look at.
    pub reads: Reads,
    /// How each policy is called in reasons.
    names: BTreeMap<PolicyId, String>,
}

/// A file's text, the key that names it, and its name.
struct Source<'s> {
    path: Vec<String>,
    name: &'s str,
    text: String,
}

impl Loaded {
    /// Reads and checks all files; `None` when something is wrong, which is then reported.
    pub fn read(
        build: &mut Build<'_>,
        policies: &[String],
        schema: Option<&str>,
        entities: Option<&str>,
    ) -> Option<Self> {
        let schema = match schema {
            Some(name) => Some(read_schema(build, name)?),
            None => None,
        };
        let mut set = Set { all: PolicySet::new(), names: BTreeMap::new(), sources: Vec::new(), at: BTreeMap::new() };
        let mut sound = true;
        for (i, name) in policies.iter().enumerate() {
            let path = if policies.len() == 1 { vec![] } else { vec![i.to_string()] };
            let path = [vec!["policies".to_owned()], path].concat();
            sound &= Source::read(build, path, name).is_some_and(|source| set.add(build, source));
        }
        let entities = read_entities(build, entities, schema.as_ref())?;
        if !sound {
            return None;
        }
        if let Some(schema) = &schema {
            set.validate(build, schema);
        }
        let reads = Reads::of(&set.all);
        Some(Self { policies: set.all, entities, schema, reads, names: set.names })
    }

    /// What a policy is called: by its `@id` where it has one, and where it stands.
    pub fn name(&self, id: &PolicyId) -> String {
        self.names.get(id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// A policy that could not be evaluated, and why.
    pub fn explain(&self, error: &AuthorizationError) -> String {
        match error {
            AuthorizationError::PolicyEvaluationError(e) => format!("{}: {}", self.name(e.policy_id()), e.inner()),
        }
    }
}

impl<'s> Source<'s> {
    fn read(build: &mut Build<'_>, path: Vec<String>, name: &'s str) -> Option<Self> {
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        let bytes = match build.files.read(name.as_ref()) {
            Ok(bytes) => bytes,
            Err(why) => {
                build.problem(&keys, why, None);
                return None;
            }
        };
        match String::from_utf8(bytes.to_vec()) {
            Ok(text) => Some(Self { path, name, text }),
            Err(e) => {
                let line = 1 + bytes[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
                build.problem(&keys, format!("{name}:{line}: it is not UTF-8"), None);
                None
            }
        }
    }

    /// `file:line` of a byte in it.
    fn at(&self, offset: usize) -> String {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        format!("{}:{}", self.name, 1 + before.iter().filter(|b| **b == b'\n').count())
    }

    /// Whether Cedar may parse it: false when it is nested too deep, which is then reported.
    fn is_shallow(&self, build: &mut Build<'_>, kind: Text) -> bool {
        let Some(offset) = too_deep(&self.text, kind) else { return true };
        let keys: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let message = format!("{}: it is nested more than {MAX} deep", self.at(offset));
        let help = "brackets and chained operators count: split the policy, or write a set instead of a chain";
        build.problem(&keys, message, help.to_owned());
        false
    }

    /// Reports what would become too large of it, where its name first stands.
    fn refuse(&self, build: &mut Build<'_>, too_large: &TooLarge) {
        let keys: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let TooLarge { name, message } = too_large;
        let short = name.rsplit([':', ' ']).next().unwrap_or(name).trim_matches('"');
        let place = self.text.find(short).map_or_else(|| self.name.to_owned(), |offset| self.at(offset));
        let help = "the types and parents that it names count with those that they name";
        build.problem(&keys, format!("{place}: `{name}`: {message}"), help.to_owned());
    }

    /// Reports something that Cedar says of it, where Cedar says it is.
    fn report(&self, build: &mut Build<'_>, said: &dyn Diagnostic, warning: bool) {
        let place = match said.labels().and_then(|mut labels| labels.next()) {
            Some(label) => self.at(label.offset()),
            None => self.name.to_owned(),
        };
        let keys: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let (message, help) = (format!("{place}: {}", one_line(said)), said.help().map(|h| h.to_string()));
        if warning { build.warn(&keys, message, help) } else { build.problem(&keys, message, help) }
    }
}

/// A message with its causes.
fn one_line(said: &dyn Diagnostic) -> String {
    let mut out = said.to_string();
    let mut cause = said.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !out.contains(&text) {
            out.push_str(": ");
            out.push_str(&text);
        }
        cause = error.source();
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn read_schema(build: &mut Build<'_>, name: &str) -> Option<Schema> {
    let source = Source::read(build, vec!["schema".to_owned()], name)?;
    let fragment = read_fragment(build, &source)?;
    // Names are followed only when fragments become a schema.
    let becomes = fragment.clone().to_json_value().map_or(Ok(()), |json| expanded::schema(&json));
    if let Err(too_large) = becomes {
        source.refuse(build, &too_large);
        return None;
    }
    match Schema::from_schema_fragments([fragment]) {
        Ok(schema) => Some(schema),
        Err(e) => {
            source.report(build, &e, false);
            None
        }
    }
}

/// A schema as it is written, in either form.
fn read_fragment(build: &mut Build<'_>, source: &Source<'_>) -> Option<SchemaFragment> {
    if source.name.ends_with(".json") {
        return match SchemaFragment::from_json_str(&source.text) {
            Ok(fragment) => Some(fragment),
            Err(e) => {
                source.report(build, &e, false);
                None
            }
        };
    }
    if !source.is_shallow(build, Text::Schema) {
        return None;
    }
    match SchemaFragment::from_cedarschema_str(&source.text) {
        Ok((fragment, warnings)) => {
            warnings.for_each(|warning| source.report(build, &warning, true));
            Some(fragment)
        }
        Err(e) => {
            source.report(build, &e, false);
            None
        }
    }
}

/// The entities, those that the schema itself declares (actions and their groups) among them.
fn read_entities(build: &mut Build<'_>, name: Option<&str>, schema: Option<&Schema>) -> Option<Entities> {
    let source = match name {
        Some(name) => Source::read(build, vec!["entities".to_owned()], name)?,
        None => Source { path: vec!["schema".to_owned()], name: "", text: "[]".to_owned() },
    };
    // What is no JSON is Cedar's to refuse.
    let becomes = serde_json::from_str(&source.text).map_or(Ok(()), |json| expanded::entities(&json));
    if let Err(too_large) = becomes {
        source.refuse(build, &too_large);
        return None;
    }
    match Entities::from_json_str(&source.text, schema) {
        Ok(entities) => Some(entities),
        Err(e) => {
            source.report(build, &e, false);
            None
        }
    }
}

/// Policies as they are gathered from files.
struct Set<'s> {
    all: PolicySet,
    names: BTreeMap<PolicyId, String>,
    sources: Vec<Source<'s>>,
    /// Which source a policy is from.
    at: BTreeMap<PolicyId, usize>,
}

impl<'s> Set<'s> {
    /// Adds the policies of a file; false when something is wrong with them, which is then reported.
    fn add(&mut self, build: &mut Build<'_>, source: Source<'s>) -> bool {
        if !source.is_shallow(build, Text::Policies) {
            return false;
        }
        let found = match PolicySet::from_str(&source.text) {
            Ok(found) => found,
            Err(errors) => {
                errors.iter().for_each(|e| source.report(build, e, false));
                return false;
            }
        };
        let keys: Vec<&str> = source.path.iter().map(String::as_str).collect();
        if let Some(template) = found.templates().next() {
            let help = "write the principal or resource in its place".to_owned();
            let message = format!("{}: `{}` has a slot that nothing fills", source.name, template.id());
            build.problem(&keys, message, help);
            return false;
        }
        if found.is_empty() {
            build.problem(&keys, format!("there is no policy in `{}`: every call would be denied", source.name), None);
            return false;
        }
        let starts = statements(&source.text);
        for (i, policy) in found.policies().enumerate() {
            // Cedar numbers the policies of a text from 0.
            let number = policy.id().to_string().strip_prefix("policy").and_then(|n| n.parse().ok()).unwrap_or(i);
            let place = starts.get(number).map_or_else(|| source.name.to_owned(), |start| source.at(*start));
            self.insert(build, &keys, policy, place, number);
        }
        self.sources.push(source);
        true
    }

    fn insert(&mut self, build: &mut Build<'_>, keys: &[&str], policy: &Policy, place: String, number: usize) {
        let id = PolicyId::new(format!("{}/{number}", self.sources.len()));
        let name = match policy.annotation("id") {
            Some(given) => format!("`{given}` ({place})"),
            None => format!("the policy at {place}"),
        };
        self.names.insert(id.clone(), name);
        self.at.insert(id.clone(), self.sources.len());
        if let Err(e) = self.all.add(policy.new_id(id)) {
            build.problem(keys, format!("{place}: {e}"), None);
        }
    }

    /// Holds the policies against the schema, strictly.
    fn validate(&self, build: &mut Build<'_>, schema: &Schema) {
        let result = Validator::new(schema.clone()).validate(&self.all, ValidationMode::Strict);
        for error in result.validation_errors() {
            if let Some(source) = self.source(error.policy_id()) {
                source.report(build, &Renamed(error, self.names.get(error.policy_id())), false);
            }
        }
        for warning in result.validation_warnings() {
            if let Some(source) = self.source(warning.policy_id()) {
                source.report(build, &Renamed(warning, self.names.get(warning.policy_id())), true);
            }
        }
    }

    fn source(&self, id: &PolicyId) -> Option<&Source<'s>> {
        self.at.get(id).and_then(|i| self.sources.get(*i))
    }
}

/// What Cedar says of a policy, with the policy called as its author calls it.
#[derive(Debug)]
struct Renamed<'e, E>(&'e E, Option<&'e String>);

impl<E: Diagnostic> std::fmt::Display for Renamed<'_, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // "for policy `0/3`, unrecognized entity type `Foo`"
        let said = self.0.to_string();
        let rest = said.strip_prefix("for policy `").and_then(|rest| Some(rest.split_once("`, ")?.1));
        match (rest, self.1) {
            (Some(rest), Some(name)) if name.starts_with('`') => write!(f, "{rest}, in {name}"),
            (Some(rest), _) => f.write_str(rest),
            _ => f.write_str(&said),
        }
    }
}

impl<E: Diagnostic> std::error::Error for Renamed<'_, E> {}

impl<E: Diagnostic> Diagnostic for Renamed<'_, E> {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.0.help()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        self.0.labels()
    }
}

/// Where each policy of a text that Cedar could parse begins: after the `;` of the one before, comments left behind.
fn statements(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let (mut starts, mut begun, mut at) = (Vec::new(), false, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at += bytes[at..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len() - at);
                continue;
            }
            b';' => begun = false,
            byte if byte.is_ascii_whitespace() => {}
            byte => {
                if !begun {
                    starts.push(at);
                    begun = true;
                }
                if byte == b'"' {
                    at = string_end(bytes, at);
                }
            }
        }
        at += 1;
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn a_policy_begins_at_its_annotations_and_not_within_comments_or_strings() {
        let text = "// a; b\n@id(\"x;\\\"y\")\npermit(principal, action, resource);  // c;\n\nforbid(principal, action, resource) when { context.a == \"//;\" };\n// end";
        let lines: Vec<usize> = statements(text).iter().map(|at| 1 + text[..*at].matches('\n').count()).collect();
        assert_eq!(lines, [2, 5]);
    }
}
