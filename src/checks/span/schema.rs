//! `schema`: an operation's arguments or result conform to a JSON Schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Side;
use crate::checks::build::{Build, Example, Params};
use crate::checks::conform::{Conform, Source, parse, read};
use crate::checks::subject::SpanSubject;
use crate::checks::withheld::{Parts, Reads};
use crate::checks::{Compiled, SpanCheck};
use crate::model::{Finding, Level};

/// What went into an operation (or came out of it) is valid JSON and conforms to a JSON Schema.
///
/// Exactly one of `schema`, `schema_file` and `schemas_file` is given. A schema stands alone: a `$ref` may point into
/// it, not elsewhere.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SchemaCheck {
    /// Which side of the operation is looked at.
    #[serde(default = "input")]
    of: Side,
    /// The JSON Schema, as a table.
    schema: Option<Value>,
    /// A file with the JSON Schema, relative to the suite.
    schema_file: Option<String>,
    /// A file with a JSON object from the operation's name (the tool) to its JSON Schema. An operation that is not in
    /// it is an error.
    schemas_file: Option<String>,
}

fn input() -> Side {
    Side::Input
}

impl Params for SchemaCheck {
    const NAME: &'static str = "schema";
    const LEVELS: &'static [Level] = &[Level::Span];
    const EXAMPLES: &'static [Example] = &[Example {
        check: r#"
[[span]]
id    = "well-formed-arguments"
on    = { kind = "tool", name = "cancel_reservation" }
check = "schema"

[span.schema]
type                 = "object"
required             = ["reservation_id"]
additionalProperties = false

[span.schema.properties.reservation_id]
type    = "string"
pattern = "^[A-Z0-9]{6}$"
"#,
        passes: r#"{"id":"a","turns":[{"spans":[{"kind":"tool","name":"cancel_reservation","input":{"reservation_id":"EHGLP3"}}]}]}"#,
        fails: r#"{"id":"b","turns":[{"spans":[{"kind":"tool","name":"cancel_reservation","input":{"reservation_id":3}}]}]}
{"id":"c","turns":[{"spans":[{"kind":"tool","name":"cancel_reservation","input":"{\"reservation_id\": "}]}]}"#,
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let Self { of, schema, schema_file, schemas_file } = self;
        let source = Source { schema, schema_file };
        let schemas = match schemas_file {
            None => Schemas::One(Box::new(source.compile(build)?)),
            Some(path) if source.is_empty() => by_name(build, path)?,
            Some(_) => {
                build.problem(&["schemas_file"], "`schemas_file` stands alone", "leave the other out".to_owned());
                return None;
            }
        };
        Some(Compiled::Span(Box::new(Ready { of, schemas })))
    }
}

enum Schemas {
    One(Box<Conform>),
    ByName { path: String, schemas: BTreeMap<String, Conform> },
}

fn by_name(build: &mut Build<'_>, path: String) -> Option<Schemas> {
    let Value::Object(map) = read(build, "schemas_file", &path)? else {
        build.problem(&["schemas_file"], format!("`{path}` is not a JSON object from tool names to schemas"), None);
        return None;
    };
    let before = build.problems.len();
    let mut schemas = BTreeMap::new();
    for (name, schema) in &map {
        match Conform::new(build, "schemas_file", schema) {
            Some(schema) => _ = schemas.insert(name.clone(), schema),
            None => build.problems.iter_mut().skip(before).for_each(|p| {
                if !p.message.starts_with("tool `") {
                    p.message = format!("tool `{name}`: {}", p.message);
                }
            }),
        }
    }
    (schemas.len() == map.len()).then_some(Schemas::ByName { path, schemas })
}

struct Ready {
    of: Side,
    schemas: Schemas,
}

impl SpanCheck for Ready {
    fn reads(&self) -> Reads {
        Reads::only(Parts::NAME | self.of.part())
    }

    fn check(&self, subject: &SpanSubject<'_>) -> Finding {
        let name = subject.span.name.as_str();
        let schema = match &self.schemas {
            Schemas::One(schema) => schema,
            Schemas::ByName { path, schemas } => match schemas.get(name) {
                Some(schema) => schema,
                None => return Finding::error(format!("`{path}` has no schema for `{name}`")),
            },
        };
        let (payload, place) = match self.of.of(subject) {
            Ok(found) => found,
            Err(missing) => return missing,
        };
        if payload.light().is_some_and(|value| schema.plainly(value)) {
            return Finding::pass();
        }
        match payload.json() {
            Some(value) => schema.check(value, &place),
            None => match parse(payload.as_str()) {
                Ok(value) => schema.check(&value, &place),
                Err(mut finding) => {
                    finding.reason = format!("the {} of `{name}` is {}", self.of.name(), finding.reason);
                    finding.with(place)
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{build, examples, finding, findings};
    use crate::checks::select::Selector;
    use crate::model::{Evidence, Field, Status};

    #[test]
    fn the_examples_hold() {
        examples::<SchemaCheck>();
    }

    fn span(name: &str, rest: &str) -> String {
        format!(r#"{{"id":"s","spans":[{{"kind":"tool","name":"{name}"{rest}}}]}}"#)
    }

    #[test]
    fn arguments_that_are_no_json_fail_and_the_reason_says_so() {
        let check = "schema = {}";
        let found = finding::<SchemaCheck>(Level::Span, check, &span("f", r#","input":"{\"a\": ""#));
        assert_eq!(found.status, Status::Fail);
        assert!(found.reason.starts_with("the input of `f` is not valid JSON"), "{}", found.reason);
        assert_eq!(finding::<SchemaCheck>(Level::Span, check, &span("f", r#","input":"{}""#)).status, Status::Pass);
        assert_eq!(finding::<SchemaCheck>(Level::Span, check, &span("f", "")).status, Status::Error);
    }

    #[test]
    fn the_first_errors_are_listed_with_pointers() {
        let check = "of = 'output'\nschema = { items = { type = 'integer' } }";
        let found = finding::<SchemaCheck>(Level::Span, check, &span("f", r#","output":[1,"a",2,"b"]"#));
        assert_eq!(found.reason, r#"/1: "a" is not of type "integer"; /3: "b" is not of type "integer""#);
        assert_eq!(found.evidence[1], Evidence::span(0, Field::Output).at("/3"));
        let many = format!(r#","output":[{}]"#, vec!["\"x\""; 20].join(","));
        let found = finding::<SchemaCheck>(Level::Span, check, &span("f", &many));
        assert!(found.reason.ends_with("; and 15 more"), "{}", found.reason);
    }

    #[test]
    fn a_tool_without_a_schema_is_an_error() {
        let check = build::<SchemaCheck>(Level::Span, "schemas_file = 'tools.json'").unwrap();
        let session = r#"{"id":"s","spans":[{"kind":"tool","name":"book","input":{"id":1}},
            {"kind":"tool","name":"book","input":{}},{"kind":"tool","name":"list","input":{}},
            {"kind":"tool","name":"bok","input":{"id":1}}]}"#;
        let all = findings(&check, &Selector::default(), session);
        use Status::{Error, Fail, Pass};
        assert_eq!(all.iter().map(|f| f.status).collect::<Vec<_>>(), [Pass, Fail, Pass, Error]);
        assert_eq!(all[3].reason, "`tools.json` has no schema for `bok`");
    }

    #[test]
    fn a_schema_that_refers_to_itself_for_ever_does_no_harm() {
        for schema in [
            "schema = { '$ref' = '#' }",
            "schema = { allOf = [{ '$ref' = '#' }] }",
            "schema = { '$ref' = '#/$defs/a', '$defs' = { a = { '$ref' = '#/$defs/b' }, b = { '$ref' = '#/$defs/a' } } }",
        ] {
            if let Ok(check) = build::<SchemaCheck>(Level::Span, schema) {
                findings(&check, &Selector::default(), &span("f", r#","input":{}"#));
            }
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (bad, why) in [
            ("", "there is no schema"),
            ("schema = {}\nschemas_file = 'tools.json'", "stands alone"),
            ("schemas_file = 'not-a-schema.json'", "tool `type`"),
            ("schemas_file = 'missing.json'", "cannot read"),
            ("schema = {}\nof = 'reply'", "unknown variant `reply`"),
        ] {
            let problem = build::<SchemaCheck>(Level::Span, bad).err().unwrap_or_default();
            assert!(problem.contains(why), "{bad}: {problem}");
        }
    }
}
