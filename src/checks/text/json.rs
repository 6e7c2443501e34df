//! `json`: the text is JSON, and conforms to a schema where one is given.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{LEVELS, Of, compile};
use crate::checks::build::{Build, Example, Params};
use crate::checks::conform::{Conform, Source, parse};
use crate::checks::{Compiled, TextCheck};
use crate::model::json::Tape;
use crate::model::{Evidence, Field, Finding, Level};

/// The text is one valid JSON value and nothing else (a Markdown fence around it is no JSON), and conforms to a JSON
/// Schema where one is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Json {
    /// Which text is looked at.
    of: Option<Of>,
    /// The JSON Schema, as a table.
    schema: Option<Value>,
    /// A file with the JSON Schema, relative to the suite.
    schema_file: Option<String>,
}

impl Params for Json {
    const NAME: &'static str = "json";
    const LEVELS: &'static [Level] = LEVELS;
    const EXAMPLES: &'static [Example] = &[Example {
        check: r#"
[[session]]
id     = "answers-in-json"
check  = "json"
schema = { type = "object", required = ["total"], properties = { total = { type = "number" } } }
"#,
        passes: r#"{"id":"a","turns":[{"reply":"{\"total\": 12.5}"}]}"#,
        fails: r#"{"id":"b","turns":[{"reply":"{\"total\": \"12.5\"}"}]}
{"id":"c","turns":[{"reply":"The total is 12.5."}]}"#,
    }];

    fn build(self, build: &mut Build<'_>) -> Option<Compiled> {
        let Self { of, schema, schema_file } = self;
        let source = Source { schema, schema_file };
        let schema = if source.is_empty() { None } else { Some(source.compile(build)?) };
        compile(build, of, Ready(schema))
    }
}

struct Ready(Option<Conform>);

impl TextCheck for Ready {
    fn check(&self, text: &str) -> Finding {
        if let Some(schema) = &self.0
            && Tape::read(text).is_some_and(|tape| schema.plainly(tape.root(text)))
        {
            return Finding::pass();
        }
        match (parse(text), &self.0) {
            (Err(finding), _) => finding,
            (Ok(_), None) => Finding::pass(),
            (Ok(value), Some(schema)) => schema.check(&value, &Evidence::session(Field::Whole)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::{build, examples, finding, status};
    use crate::model::Status::{Error, Fail, Pass};

    fn reply(text: &str) -> String {
        serde_json::json!({"id": "s", "turns": [{"reply": text}]}).to_string()
    }

    #[test]
    fn the_examples_hold() {
        examples::<Json>();
    }

    #[test]
    fn without_a_schema_any_json_passes() {
        for (text, expected) in
            [("{}", Pass), (" [1] ", Pass), ("null", Pass), ("", Fail), ("{} {}", Fail), ("```json\n{}\n```", Fail)]
        {
            assert_eq!(status::<Json>(Level::Turn, "", &reply(text)), expected, "{text}");
        }
        assert_eq!(status::<Json>(Level::Turn, "", &reply(&"[".repeat(100_000))), Error);
    }

    #[test]
    fn a_schema_error_points_into_the_text() {
        let found = finding::<Json>(Level::Turn, "schema_file = 'order.schema.json'", &reply("{\"x\":1}"));
        assert_eq!(found.reason, "the whole value: \"id\" is a required property");
        assert_eq!(found.evidence, [Evidence::turn(0, Field::Reply).at("")]);
    }

    #[test]
    fn a_schema_that_cannot_be_used_is_a_problem() {
        for (bad, why) in [
            ("schema_file = 'missing.json'", "cannot read `missing.json`"),
            ("schema_file = 'broken.json'", "is not JSON"),
            ("schema_file = 'not-a-schema.json'", "not a JSON Schema at /type"),
            ("schema = { '$ref' = 'https://example.com/x.json' }", "stands alone"),
            ("schema = { '$ref' = 'file:///etc/passwd' }", "stands alone"),
            ("schema = {}\nschema_file = 'order.schema.json'", "exclude each other"),
        ] {
            let problem = build::<Json>(Level::Turn, bad).err().unwrap_or_default();
            assert!(problem.contains(why), "{bad}: {problem}");
        }
    }
}
