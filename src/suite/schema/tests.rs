//! What the schema accepts and refuses, with rules made for the purpose.

use schemars::JsonSchema;
use serde::Deserialize;

use super::docs::rule_doc;
use super::*;
use crate::checks::Compiled;
use crate::checks::build::{Build, Example, Params, rule};

/// The reply has a length.
///
/// Counted in characters or words.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub(crate) struct SizeParams {
    /// At most this many.
    max: u32,
    /// At least this many.
    #[serde(default)]
    min: Option<u32>,
    /// What is
    /// counted.
    #[serde(default)]
    unit: Unit,
    /// Tools that do not count.
    #[serde(default)]
    except: Vec<String>,
    /// What else must hold.
    #[serde(default)]
    is: Option<Matcher>,
}

#[derive(Deserialize, JsonSchema, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    /// Unicode characters.
    #[default]
    Chars,
    /// What is between spaces.
    Words,
}

impl Params for SizeParams {
    const NAME: &'static str = "sized";
    const LEVELS: &'static [Level] = &[Level::Turn, Level::Session];
    const EXAMPLES: &'static [Example] = &[Example {
        check: "[[session]]\nid = \"short\"\ncheck = \"sized\"\nmax = 3\n",
        passes: r#"{"id":"s","turns":[{"reply":"ok"}]}"#,
        fails: r#"{"id":"s","turns":[{"reply":"too long"}]}"#,
    }];
    fn build(self, _: &mut Build<'_>) -> Option<Compiled> {
        None
    }
}

/// A rule that exists for tests of schema and documentation.
pub(crate) static SIZED: Rule = rule::<SizeParams>();

fn errors(toml: &str) -> Vec<String> {
    let value: Value = toml::from_str(toml).unwrap();
    let schema = schema_of([&SIZED]);
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.iter_errors(&value).map(|e| e.to_string()).collect()
}

const SUITE: &str = r#"
[suite]
name = "s"
tags = ["a"]
extends = ["common.toml"]
trials = 4
[subject]
agent = "airline"
[recorded]
paths = ["x/*.jsonl"]
max_age = "24h"
[defaults.sized]
max = 3
[[case]]
id = "c"
user = ["hello", "bye"]
weight = 2
expected_fail = { until = "2027-01-31", reason = "known" }
[case.reference]
tools = [{ name = "f", args = { a = { "$gte" = 1 } } }, { name = "g" }]
facts = ["a", ["b", "c"], { "$matches" = "d" }]
state = { "a.b" = 1 }
[[case.check]]
level = "turn"
id = "in-case"
check = "sized"
max = 3
require = "any"
[[turn]]
id = "t"
check = "sized"
max = "{{ case.n }}"
unit = "words"
is = { "$contains" = "x" }
on = { index = -1, tags = "refund" }
require = { at_least = 0.9 }
severity = "critical"
[[session]]
id = "u"
check = "sized"
max = 3
except = "{{ case.tools }}"
[gate]
pass_rate = { min = 0.9 }
max_left_out = 3
max_error_rate = 0.01
[[gate.group]]
tag = "refund"
reliability = { k = 4 }
"#;

#[test]
fn a_suite_of_the_documented_language_is_valid() {
    assert_eq!(errors(SUITE), Vec::<String>::new());
}

#[test]
fn a_fragment_is_valid_and_is_no_suite() {
    let fragment = "[fragment]\n[[turn]]\nid = \"t\"\ncheck = \"sized\"\nmax = 3\n";
    assert_eq!(errors(fragment), Vec::<String>::new());
    assert!(!errors(&format!("{fragment}[suite]\nname = \"s\"\n")).is_empty());
    assert!(!errors(&format!("{fragment}[recorded]\npaths = []\n")).is_empty());
    assert!(!errors("[[turn]]\nid = \"t\"\ncheck = \"sized\"\nmax = 3\n").is_empty());
}

#[test]
fn what_the_loader_refuses_is_invalid() {
    for (from, to) in [
        ("trials = 4", "trails = 4"),
        ("name = \"s\"", ""),
        ("max = \"{{ case.n }}\"", "max = \"three\""),
        ("max = \"{{ case.n }}\"", ""),
        ("unit = \"words\"", "unit = \"lines\""),
        ("unit = \"words\"", "units = \"words\""),
        ("severity = \"critical\"", "severity = \"fatal\""),
        ("check = \"sized\"\nmax = 3\nexcept", "check = \"seized\"\nmax = 3\nexcept"),
        ("[[session]]\nid = \"u\"", "[[session]]"),
        ("[[session]]", "[[span]]"),
        ("level = \"turn\"", "level = \"span\""),
        ("level = \"turn\"", ""),
        ("except = ", "require = \"any\"\nexcept = "),
        ("k = 4", "k = 0"),
        ("min = 0.9", "min = 1.5"),
        ("index = -1", "idx = -1"),
        ("at_least = 0.9", "at_least = 0"),
        ("[gate]", "[gates]"),
    ] {
        assert!(SUITE.contains(from), "{from}");
        assert!(!errors(&SUITE.replacen(from, to, 1)).is_empty(), "{from} -> {to} should be invalid");
    }
}

#[test]
fn the_schema_of_the_registry_is_a_schema_and_mentions_every_rule() {
    let schema = suite_schema();
    jsonschema::draft7::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap();
    let text = schema.to_string();
    for rule in RULES {
        assert!(text.contains(&format!("\"const\":\"{}\"", rule.name)), "{}", rule.name);
    }
    assert!(!text.contains("\"null\""), "TOML has no null");
}

#[test]
fn every_rule_and_every_parameter_is_documented() {
    for rule in RULES.iter().chain([&SIZED]) {
        let doc = rule_doc(rule);
        assert!(!doc.summary.is_empty(), "{} has no documentation", rule.name);
        for param in doc.params {
            assert!(!param.doc.is_empty(), "{}.{} has no documentation", rule.name, param.name);
        }
    }
}

#[test]
fn every_example_is_valid() {
    let schema = suite_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for rule in RULES {
        for example in rule.examples {
            let text = format!("[suite]\nname = \"example\"\n{}", example.check);
            let value: Value = toml::from_str(&text).unwrap();
            let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}\n{text}", rule.name);
        }
    }
}

#[test]
fn the_documentation_of_a_rule_is_read_from_its_parameters() {
    let doc = rule_doc(&SIZED);
    assert_eq!(doc.summary, "The reply has a length.");
    assert_eq!(doc.details, "Counted in characters or words.");
    let lines: Vec<String> = doc
        .params
        .iter()
        .map(|p| format!("{} | {} | {} | {:?} | {} {:?}", p.name, p.kind, p.required, p.default, p.doc, p.choices))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    max | integer | true | None | At most this many. []
    except | list of string | false | Some("[]") | Tools that do not count. []
    is | matcher | false | None | What else must hold. []
    min | integer | false | None | At least this many. []
    unit | "chars" or "words" | false | Some("\"chars\"") | What is counted. [("\"chars\"", "Unicode characters."), ("\"words\"", "What is between spaces.")]
    "#);
}

#[test]
fn every_suite_of_this_repository_is_valid() {
    let schema = suite_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("suites");
    let mut seen = 0;
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.unwrap();
        let path = entry.path();
        if path.extension().is_none_or(|e| e != "toml") || path.ends_with("seatrial.toml") {
            continue;
        }
        let value: Value = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|e| format!("{} {}", e.instance_path(), e.kind().keyword())).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
        seen += 1;
    }
    assert!(seen > 0, "there are suites");
}

/// The keys of a loader's struct, and those without which it is refused.
fn loader_keys<T: schemars::JsonSchema>() -> (Vec<String>, Vec<String>) {
    keys_of(schemars::SchemaGenerator::default().into_root_schema_for::<T>().as_value())
}

fn keys_of(table: &Value) -> (Vec<String>, Vec<String>) {
    let properties = table["properties"].as_object().unwrap();
    let mut keys: Vec<String> = properties.keys().cloned().collect();
    let required = table["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut required: Vec<String> = required.iter().map(|r| r.as_str().unwrap().to_owned()).collect();
    keys.sort_unstable();
    required.sort_unstable();
    (keys, required)
}

#[test]
fn the_tables_written_here_are_those_of_the_loader() {
    use crate::suite::{cases, gate, reference, resolve};
    let schema = suite_schema();
    let at = |pointer: &str| keys_of(schema.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")));
    let mut case = loader_keys::<cases::CaseTable>();
    // The checks of a case are read apart from it.
    case.0.push("check".to_owned());
    case.0.sort_unstable();
    for (pointer, there) in [
        ("/properties/suite", loader_keys::<resolve::SuiteTable>()),
        ("/properties/fragment", loader_keys::<resolve::FragmentTable>()),
        ("/properties/subject", loader_keys::<crate::suite::Subject>()),
        ("/properties/recorded", loader_keys::<resolve::RecordedTable>()),
        ("/properties/gate", loader_keys::<gate::GateTable>()),
        ("/properties/gate/properties/group/items", loader_keys::<gate::GroupTable>()),
        ("/properties/gate/properties/pass_rate", loader_keys::<crate::suite::PassRate>()),
        ("/properties/gate/properties/baseline", loader_keys::<crate::suite::baseline::BaselineTable>()),
        ("/properties/gate/properties/baseline/properties/means/items", loader_keys::<crate::suite::means::MeanBar>()),
        ("/properties/gate/properties/reliability", loader_keys::<crate::suite::Reliability>()),
        ("/definitions/case", case),
        ("/definitions/case/properties/turn/items", loader_keys::<cases::TurnTable>()),
        ("/definitions/case/properties/expected_fail", loader_keys::<crate::suite::ExpectedFail>()),
        ("/definitions/reference", loader_keys::<reference::ReferenceTable>()),
        ("/definitions/reference/properties/tools/items", loader_keys::<reference::CallTable>()),
        ("/definitions/selector", loader_keys::<crate::checks::select::Selector>()),
    ] {
        assert_eq!(at(pointer), there, "{pointer}");
    }
    let span = tables::common(Some(Level::Span), &[Level::Span]);
    let mut here: Vec<&str> = span.keys().map(String::as_str).chain(["check"]).collect();
    let mut common: Vec<String> = loader_keys::<crate::suite::common::CommonKeys>().0;
    common.push("on".to_owned());
    here.sort_unstable();
    common.sort_unstable();
    assert_eq!(here, common);
}

#[test]
fn a_list_whose_items_may_be_lists_is_not_read_as_two_lists() {
    let kind = |check: &str, name: &str| {
        let doc = rule_doc(crate::checks::rule(check).unwrap());
        doc.params.iter().find(|p| p.name == name).unwrap().kind.clone()
    };
    assert_eq!(kind("facts", "values"), "list of (matcher or list of matcher)");
    assert_eq!(kind("metric", "groups"), "list of (string or list of string)");
}
