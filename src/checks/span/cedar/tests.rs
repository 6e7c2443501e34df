//! Calls against policies: who may do what, and what nobody can decide.

use super::*;
use crate::checks::build::{Kit, rule};
use crate::checks::probe::{Fixed, examples, findings};
use crate::checks::select::Selector;
use crate::model::Status::{self, Error, Fail, Pass};

const FILES: Fixed = Fixed(&[
    (
        "p.cedar",
        r#"permit(principal == Agent::"refunds", action, resource);

// Large refunds need a person.
@id("no-large-refunds")
forbid(principal, action == Action::"refund", resource)
when { context.input.amount > 100 };
"#,
    ),
    (
        "vip.cedar",
        r#"permit(principal in Role::"agent", action == Action::"cancel", resource)
when { resource.owner == context.user && context.session.tier == "gold" };"#,
    ),
    (
        "entities.json",
        r#"[{"uid":{"type":"Agent","id":"a"},"attrs":{},"parents":[{"type":"Role","id":"agent"}]},
            {"uid":{"type":"Order","id":"O-1"},"attrs":{"owner":"u1"},"parents":[]}]"#,
    ),
    (
        "schema.cedarschema",
        "entity Agent; entity Tool;\naction refund, cancel appliesTo { principal: Agent, resource: Tool,\n  context: { input: { amount: Long, note?: String }, session: {}, agent?: String, user?: String, turn?: Long } };",
    ),
    ("typed.cedar", "permit(principal, action == Action::\"refund\", resource) when { context.input.amount < 5 };"),
    (
        "wrong.cedar",
        "permit(principal, action, resource);\n\npermit(principal, action == Action::\"refnd\", resource);",
    ),
    ("syntax.cedar", "permit(principal, action, resource);\npermit(principal,\n  action resource);"),
    ("slot.cedar", "permit(principal == ?principal, action, resource);"),
    ("empty.cedar", "// nothing\n"),
    ("broken.json", "[{]"),
    ("extra.json", r#"[{"uid":{"type":"Ship","id":"a"},"attrs":{},"parents":[]}]"#),
    ("broken.cedarschema", "entity Agent\nentity Tool;"),
    ("any.cedar", "permit(principal, action, resource);"),
    ("order.cedar", r#"permit(principal, action, resource == Order::"O-1");"#),
    ("pickers.cedar", r#"permit(principal, action, resource) when { context.input has note };"#),
    ("tags.cedar", r#"permit(principal, action, resource) when { context.input.tags.contains("x") };"#),
    ("decimal.cedar", r#"permit(principal, action, resource) when { context.input.rate.lessThan(decimal("0.5")) };"#),
    ("turn.cedar", r#"permit(principal, action, resource) when { context.turn == 1 && context.agent == "a" };"#),
]);

fn compile(toml: &str) -> Result<Compiled, Vec<String>> {
    compile_with(&FILES, toml)
}

fn compile_with(files: &Fixed, toml: &str) -> Result<Compiled, Vec<String>> {
    let mut build = Build { level: Level::Span, files, kit: &Kit::default(), problems: Vec::new() };
    let table = toml::de::Deserializer::parse(toml).unwrap();
    let built = (rule::<Cedar>().from_toml)(table, &mut build).unwrap();
    let problems = build.problems.iter().map(|p| format!("{}: {}", p.path.join("."), p.message));
    built.map(|(compiled, _)| compiled).ok_or_else(|| problems.collect())
}

fn call(toml: &str, session: &str) -> Finding {
    let compiled = compile(toml).unwrap();
    let mut all = findings(&compiled, &Selector::default(), session);
    assert_eq!(all.len(), 1, "{session}");
    all.remove(0)
}

/// A call of `refund` by an agent with these arguments.
fn refund(toml: &str, agent: &str, input: &str) -> Finding {
    let session = format!(
        r#"{{"id":"s","agent":"{agent}","turns":[{{"spans":[{{"kind":"tool","name":"refund","input":{input}}}]}}]}}"#
    );
    call(toml, &session)
}

fn status(toml: &str, input: &str) -> Status {
    refund(toml, "a", input).status
}

#[test]
fn the_examples_hold() {
    examples::<Cedar>();
}

#[test]
fn a_denied_call_names_the_policy_that_forbids_it() {
    let check = "policies = 'p.cedar'";
    assert_eq!(refund(check, "refunds", r#"{"amount":100}"#).status, Pass);
    let finding = refund(check, "refunds", r#"{"amount":101}"#);
    assert_eq!(finding.status, Fail);
    assert_eq!(
        finding.reason,
        "denied: `no-large-refunds` (p.cedar:4) forbids Agent::\"refunds\" to do Action::\"refund\" on Tool::\"refund\""
    );
    assert_eq!(finding.evidence, [Evidence::span(0, Field::Input)]);
}

#[test]
fn a_call_that_nothing_permits_says_so() {
    let finding = refund("policies = 'p.cedar'", "triage", r#"{"amount":1}"#);
    assert_eq!(finding.status, Fail);
    assert!(finding.reason.starts_with("denied: no policy permits Agent::\"triage\""), "{}", finding.reason);
}

#[test]
fn a_policy_that_cannot_be_evaluated_is_an_error_also_when_another_permits() {
    for input in [r#"{"sum":1}"#, r#"{"amount":"many"}"#] {
        let finding = refund("policies = 'p.cedar'", "refunds", input);
        assert_eq!(finding.status, Error, "{input}");
        assert!(finding.reason.contains("`no-large-refunds` (p.cedar:4)"), "{}", finding.reason);
    }
}

#[test]
fn arguments_that_are_not_there_or_are_no_json_are_errors() {
    let span = |input: &str| format!(r#"{{"id":"s","agent":"a","spans":[{{"kind":"tool","name":"refund"{input}}}]}}"#);
    for (input, expected) in
        [("", Error), (r#","input":"A1001""#, Error), (r#","input":"{\"amount\":1}""#, Pass), (r#","input":{}"#, Pass)]
    {
        assert_eq!(call("policies = 'any.cedar'", &span(input)).status, expected, "{input}");
    }
}

#[test]
fn the_agent_of_the_span_acts_before_that_of_the_session_and_an_unknown_one_is_an_error() {
    let by = |agents: (&str, &str)| {
        let session = format!(
            r#"{{"id":"s"{},"spans":[{{"kind":"tool","name":"refund","input":{{"amount":1}}{}}}]}}"#,
            agents.0, agents.1
        );
        call("policies = 'p.cedar'", &session)
    };
    let (refunds, triage) = (r#","agent":"refunds""#, r#","agent":"triage""#);
    assert_eq!(by((refunds, "")).status, Pass);
    assert_eq!(by((triage, refunds)).status, Pass);
    assert_eq!(by((refunds, triage)).status, Fail);
    let finding = by(("", ""));
    assert_eq!(
        (finding.status, finding.reason.as_str()),
        (Error, "the recording does not say by which agent `refund` was called")
    );
    let user = r#"{"id":"s","agent":"a","spans":[{"kind":"tool","name":"f","input":{}}]}"#;
    assert_eq!(call("policies = 'any.cedar'\nprincipal = 'user'", user).status, Error);
    assert_eq!(call("policies = 'any.cedar'", user).status, Pass);
}

#[test]
fn other_kinds_of_spans_are_no_subjects() {
    let finding = call("policies = 'any.cedar'", r#"{"id":"s","agent":"a","spans":[{"kind":"llm","name":"chat"}]}"#);
    assert!(!finding.applies);
}

#[test]
fn entities_and_the_session_decide_with_the_arguments() {
    let check = "policies = ['p.cedar', 'vip.cedar']\nentities = 'entities.json'\nresource = 'Order::\"{{ span.input.order }}\"'";
    let session = |user: &str, tier: &str, order: &str| {
        format!(
            r#"{{"id":"s","agent":"a","user":"{user}","attributes":{{"tier":"{tier}"}},"turns":[{{"spans":[
            {{"kind":"tool","name":"cancel","input":{{"order":"{order}"}}}}]}}]}}"#
        )
    };
    assert_eq!(call(check, &session("u1", "gold", "O-1")).status, Pass);
    assert_eq!(call(check, &session("u2", "gold", "O-1")).status, Fail);
    assert_eq!(call(check, &session("u1", "none", "O-1")).status, Fail);
    // An entity that nobody described has no owner.
    assert_eq!(call(check, &session("u1", "gold", "O-9")).status, Error);
}

#[test]
fn the_id_of_a_resource_is_the_argument_as_it_is() {
    let check = "policies = 'order.cedar'\nresource = 'Order::\"{{ span.input.order }}\"'";
    assert_eq!(status(check, r#"{"order":"O-1"}"#), Pass);
    for input in [r#"{"order":"\\u{4f}-1"}"#, r#"{"order":"O-1\" "}"#, r#"{"order":"x\", Order::\"O-1"}"#] {
        assert_eq!(status(check, input), Fail, "{input}");
    }
    for input in ["{}", r#"{"order":null}"#, r#"{"order":["O-1"]}"#, r#"{"order":""}"#] {
        assert_eq!(status(check, input), Error, "{input}");
    }
}

#[test]
fn arguments_never_become_entities_or_extension_values() {
    let check = "policies = 'pickers.cedar'";
    assert_eq!(status(check, r#"{"note":{"__entity":{"type":"Agent","id":"root"}}}"#), Pass);
    assert_eq!(status(check, r#"{"__extn":{"fn":"ip","arg":"x"},"note":1}"#), Pass);
}

#[test]
fn what_cedar_cannot_hold_is_an_error_where_a_policy_looks() {
    let tags = "policies = 'tags.cedar'";
    for (input, expected) in [
        (r#"{"tags":["x","y","x"]}"#, Pass),
        (r#"{"tags":[]}"#, Fail),
        (r#"{"tags":["x",null]}"#, Error),
        (r#"{"tags":["x",0.12345]}"#, Error),
        (r#"{"tags":null}"#, Error),
        (r#"{"tags":["x"],"other":null,"big":18446744073709551615,"deep":{"f":[0.123456]}}"#, Pass),
    ] {
        assert_eq!(status(tags, input), expected, "{input}");
    }
    let rate = "policies = 'decimal.cedar'";
    for (input, expected) in [
        (r#"{"rate":0.25}"#, Pass),
        (r#"{"rate":-3.0}"#, Pass),
        (r#"{"rate":0.5}"#, Fail),
        (r#"{"rate":922337203685477.5}"#, Fail),
        (r#"{"rate":1e300}"#, Error),
        (r#"{"rate":922337203685478.5}"#, Error),
        (r#"{"rate":0.00001}"#, Error),
        (r#"{"rate":1}"#, Error),
    ] {
        assert_eq!(status(rate, input), expected, "{input}");
    }
}

#[test]
fn a_null_is_absent_only_when_the_suite_says_so() {
    assert_eq!(status("policies = 'pickers.cedar'", r#"{"note":null}"#), Error);
    assert_eq!(status("policies = 'pickers.cedar'\nnulls = 'absent'", r#"{"note":null}"#), Fail);
    assert_eq!(status("policies = 'tags.cedar'\nnulls = 'absent'", r#"{"tags":["x",null]}"#), Error);
}

#[test]
fn the_turn_and_the_agent_are_in_the_context() {
    assert_eq!(status("policies = 'turn.cedar'", "{}"), Pass);
    let outside = r#"{"id":"s","agent":"a","spans":[{"kind":"tool","name":"refund","input":{}}]}"#;
    assert_eq!(call("policies = 'turn.cedar'", outside).status, Error);
}

#[test]
fn with_a_schema_a_call_that_does_not_conform_is_an_error() {
    let check = "policies = 'typed.cedar'\nschema = 'schema.cedarschema'";
    assert_eq!(status(check, r#"{"amount":4}"#), Pass);
    assert_eq!(status(check, r#"{"amount":4,"note":"x"}"#), Pass);
    for input in [r#"{"amount":"4"}"#, r#"{"amount":4,"more":1}"#, "{}"] {
        assert_eq!(status(check, input), Error, "{input}");
    }
    let other = r#"{"id":"s","agent":"a","turns":[{"spans":[{"kind":"tool","name":"fly","input":{"amount":4}}]}]}"#;
    assert_eq!(call(check, other).status, Error);
}

#[test]
fn what_is_wrong_with_files_is_found_when_they_are_loaded_with_its_line() {
    let problems = |toml: &str| compile(toml).err().unwrap().join("\n");
    for (toml, expected) in [
        ("policies = 'syntax.cedar'", "policies: syntax.cedar:3: "),
        ("policies = ['any.cedar', 'syntax.cedar']", "policies.1: syntax.cedar:3: "),
        ("policies = 'gone.cedar'", "policies: cannot read `gone.cedar`"),
        ("policies = 'slot.cedar'", "policies: slot.cedar: `policy0` has a slot that nothing fills"),
        ("policies = 'empty.cedar'", "policies: there is no policy in `empty.cedar`"),
        ("policies = 'wrong.cedar'\nschema = 'schema.cedarschema'", "policies: wrong.cedar:3: unrecognized action"),
        ("policies = 'any.cedar'\nschema = 'broken.cedarschema'", "schema: broken.cedarschema:2: "),
        ("policies = 'any.cedar'\nentities = 'broken.json'", "entities: broken.json: "),
        ("policies = 'any.cedar'\nschema = 'schema.cedarschema'\nentities = 'extra.json'", "entities: extra.json: "),
    ] {
        let found = problems(toml);
        assert!(found.contains(expected), "{toml}\n{found}");
    }
}

/// What is wrong when the only policy, the schema or the entities are this text.
fn problems_of(name: &'static str, text: String) -> Vec<String> {
    let files: &'static [(&str, &str)] =
        Box::leak(Box::new([("any.cedar", "permit(principal, action, resource);"), (name, String::leak(text))]));
    let key = match name.rsplit_once('.') {
        Some((_, "cedarschema")) => format!("policies = 'any.cedar'\nschema = '{name}'"),
        Some((_, "json")) => format!("policies = 'any.cedar'\n{} = '{name}'", name.trim_end_matches(".json")),
        _ => format!("policies = '{name}'"),
    };
    compile_with(&Fixed(files), &key).err().unwrap_or_default()
}

#[test]
fn nesting_that_no_stack_holds_is_a_located_problem() {
    const MANY: usize = 100_000;
    for step in ["(", "[", "{", "!", "-", "if ", "if a then b else ", "true && ", "true || ", "1 + ", "a.", "{a: [("] {
        let text = format!("permit(principal, action, resource)\nwhen {{\n{} }};", step.repeat(MANY));
        let problems = problems_of("deep.cedar", text);
        assert_eq!(problems, ["policies: deep.cedar:3: it is nested more than 100 deep"], "{step}");
    }
    let whens = format!("permit(principal, action, resource){};", "when { true }\n".repeat(MANY));
    assert!(problems_of("deep.cedar", whens)[0].contains("is nested more than"));
    let types = format!("entity A;\ntype T = {}Long{};", "Set<".repeat(MANY), ">".repeat(MANY));
    assert_eq!(problems_of("deep.cedarschema", types), ["schema: deep.cedarschema:2: it is nested more than 100 deep"]);
    // The JSON forms are bounded by their parser.
    for (name, begin, step) in [
        ("schema.json", r#"{"":{"commonTypes":{"T":"#, r#"{"type":"Set","element":"#),
        ("entities.json", r#"[{"uid":{"type":"A","id":"a"},"parents":[],"attrs":{"x":"#, "["),
        ("entities.json", r#"[{"uid":{"type":"A","id":"a"},"parents":[],"attrs":{"x":"#, "{\"a\":"),
    ] {
        let problems = problems_of(name, format!("{begin}{}", step.repeat(MANY)));
        assert!(problems[0].contains(name) && problems[0].contains("recursion limit exceeded"), "{problems:?}");
    }
}

#[test]
fn names_that_become_more_than_fits_are_a_located_problem() {
    const MANY: usize = 10_000;
    let each = |n: usize, line: &dyn Fn(usize) -> String| (1..n).map(line).collect::<String>();
    // A chain of types as deep as it is long, and types that double with each line.
    let chain = format!("type T0 = Long;\n{}", each(MANY, &|i| format!("type T{i} = {{ a: T{} }};\n", i - 1)));
    assert_eq!(
        problems_of("s.cedarschema", chain),
        ["schema: s.cedarschema:102: `T101`: it is nested more than 100 deep, with the types that it names"]
    );
    let doubling =
        format!("type T0 = Long;\n{}", each(60, &|i| format!("type T{i} = {{ a: T{0}, b: T{0} }};\n", i - 1)));
    let problems = problems_of("s.cedarschema", doubling);
    assert!(
        problems[0].starts_with("schema: s.cedarschema:1") && problems[0].contains("more than 100000 types"),
        "{problems:?}"
    );
    // Names of names are no deeper.
    let aliases = format!("type T0 = Long;\n{}", each(MANY / 10, &|i| format!("type T{i} = T{};\n", i - 1)));
    assert_eq!(problems_of("s.cedarschema", aliases), Vec::<String>::new());
    // Members of members: of entity types, of actions, of entities.
    let types = format!("entity E0;\n{}", each(MANY / 5, &|i| format!("entity E{i} in [E{}];\n", i - 1)));
    let actions = format!("action a0;\n{}", each(MANY / 5, &|i| format!("action a{i} in [a{}];\n", i - 1)));
    let uid = |i: usize| format!(r#"{{"type":"G","id":"g{i}"}}"#);
    let entity = |i: usize| format!(",\n{{\"uid\":{},\"attrs\":{{}},\"parents\":[{}]}}", uid(i), uid(i - 1));
    let entities = format!(r#"[{{"uid":{},"attrs":{{}},"parents":[]}}{}]"#, uid(0), each(MANY, &entity));
    for (name, text) in [("s.cedarschema", types), ("s.cedarschema", actions), ("entities.json", entities)] {
        let problems = problems_of(name, text);
        assert!(problems[0].contains(&format!("{name}:")) && problems[0].contains("1000000 pairs"), "{problems:?}");
    }
    // A hierarchy as there may be.
    let flat = format!("entity E0;\n{}", each(MANY / 10, &|i| format!("entity E{i} in [E0];\n")));
    assert_eq!(problems_of("s.cedarschema", flat), Vec::<String>::new());
}

#[test]
fn what_is_nested_as_deep_as_it_may_be_is_parsed_and_decided() {
    // The stack of the threads that load and evaluate.
    std::thread::Builder::new().stack_size(8 << 20).spawn(deepest_is_decided).unwrap().join().unwrap();
}

fn deepest_is_decided() {
    let deepest = |open: &str, inner: &str, close: &str, by: usize| {
        let (open, close) = (open.repeat(by), close.repeat(by));
        format!("permit(principal, action, resource) when {{ {open}{inner}{close} }};")
    };
    for (open, inner, close, each) in [
        ("(", "true", ")", 1),
        ("[", "true", "]", 1),
        ("{a: ", "true", "}", 1),
        ("", "true", " && true", 1),
        ("", "true", " || true", 1),
        ("", "context", ".a", 1),
        ("if true then true else ", "true", "", 1),
        ("if (", "true", ") then true else true", 2),
    ] {
        let text = deepest(open, inner, close, (super::depth::MAX - 2) / each);
        let files: &'static [(&str, &str)] = Box::leak(Box::new([("deep.cedar", &*String::leak(text))]));
        // Whatever is decided, it is decided.
        let compiled = compile_with(&Fixed(files), "policies = 'deep.cedar'").unwrap();
        let session = r#"{"id":"s","agent":"a","turns":[{"spans":[{"kind":"tool","name":"f","input":{}}]}]}"#;
        assert_eq!(findings(&compiled, &Selector::default(), session).len(), 1, "{open}{close}");
    }
}

#[test]
fn entities_that_cannot_be_meant_are_refused() {
    for (key, text) in [
        ("principal", "agents"),
        ("resource", "Order"),
        ("resource", "Order::{{ span.name }}"),
        ("resource", "Or der::\"{{ span.name }}\""),
        ("resource", "Order::\"{{ spam.name }}\""),
        ("action", "Action::\"{{ span. }}\""),
    ] {
        let problems = compile(&format!("policies = 'any.cedar'\n{key} = '{text}'")).err().unwrap();
        assert!(problems.iter().any(|p| p.starts_with(key)), "{text}: {problems:?}");
    }
}

#[test]
fn every_part_of_a_call_may_be_named() {
    let check = "policies = 'order.cedar'\nprincipal = 'App::Agent::\"{{ span.agent|default(session.agent) }}\"'\naction = 'App::Action::\"call\"'\nresource = 'Order::\"O-1\"'";
    assert_eq!(status(check, "{}"), Pass);
}
