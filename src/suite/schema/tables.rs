//! The part of the schema that does not come from rules: `[suite]`, `[recorded]`, `[[case]]`, `[gate]` and the keys
//! that every check has. Each function can be replaced by a derived schema without touching the others.

use serde_json::{Map, Value, json};

use super::{agent, watch};
use crate::formats::FORMATS;
use crate::model::Level;

/// What a level's checks look at, in words.
pub(super) const fn subject(level: Level) -> &'static str {
    match level {
        Level::Span => "single operation",
        Level::Turn => "user request up to the reply",
        Level::Session => "whole session",
        Level::System => "whole run",
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn table(description: &str, properties: Value, required: &[&str]) -> Value {
    json!({
        "type": "object", "description": description, "properties": properties, "required": required,
        "additionalProperties": false,
    })
}

fn strings(description: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "description": description })
}

fn reference(name: &str, description: &str) -> Value {
    json!({ "allOf": [{ "$ref": format!("#/definitions/{name}") }], "description": description })
}

/// The keys that every check has. `table` is the level whose table it stands in, `None` in `[[case.check]]`.
pub(super) fn common(table: Option<Level>, levels: &[Level]) -> Map<String, Value> {
    let mut keys = object(json!({
        "id": { "type": "string", "minLength": 1, "description": "Unique in the suite. Never a template." },
        "on": reference("selector", "Which subjects it is applied to; all of its level without it."),
        "severity": {
            "enum": ["critical", "block", "warn", "info"], "default": "block",
            "description": "`critical` fails the gate by itself, `block` fails its trial, `warn` and `info` only report.",
        },
        "optional": {
            "type": "boolean", "default": false,
            "description": "Excuses that nothing in the run was a subject of it. Never excuses an error.",
        },
        "tags": strings("For --filter and reports."),
        "description": { "type": "string", "description": "What it is for." },
        "owner": { "type": "string", "description": "Who owns it." },
        "link": { "type": "string", "description": "Where to read more." },
        "runs_in": {
            "type": "array", "items": { "enum": ["gate", "watch"] },
            "description": "Where it runs: when a candidate is gated, when production is watched. Both without it.",
        },
        "override": { "type": "boolean", "description": "Replaces a check of the same id from a fragment." },
    }));
    if table != Some(Level::System) {
        keys.insert(
            "review".to_owned(),
            reference("review", "Which of its verdicts go to a person, and wait (`held`)."),
        );
    }
    let many = |level: &Level| matches!(level, Level::Span | Level::Turn);
    if table.as_ref().map_or(levels.iter().any(many), many) {
        keys.insert("require".to_owned(), reference("require", "How many of a session's subjects must pass."));
    }
    if table.is_none() {
        let names: Vec<&str> = levels.iter().filter(|l| **l != Level::System).map(|l| l.name()).collect();
        keys.insert("level".to_owned(), json!({ "enum": names, "description": "The level of the check." }));
        keys.remove("override");
    }
    keys
}

/// The tables at the top of a file, without the checks.
pub(super) fn top() -> Map<String, Value> {
    object(json!({
        "suite": suite(),
        "fragment": table(
            "Marks the file as a fragment, brought in by `extends`.",
            json!({
                "description": { "type": "string", "description": "What it holds." },
                "extends": strings("Further fragments, relative to this file."),
            }),
            &[],
        ),
        "subject": table(
            "What is being judged. A session of another or of no version is then an error.",
            json!({
                "agent": { "type": "string", "description": "The agent's name." },
                "version": { "type": "string", "description": "Its version." },
            }),
            &["agent"],
        ),
        "recorded": recorded(),
        "defaults": {
            "type": "object", "description": "Default parameters, by check name.",
            "additionalProperties": { "type": "object" },
        },
        "case": { "type": "array", "description": "The cases.", "items": { "$ref": "#/definitions/case" } },
        "gate": gate(),
        "redact": redact(),
        "watch": watch::watch(),
        "review": review(
            "What `review` of every check that asks somebody (a judge, a program, embeddings) is where the check itself does \
             not say: key by key.",
        ),
    }))
}

/// Which verdicts go to a person.
fn review(description: &str) -> Value {
    let flag = |description: &str| json!({ "type": "boolean", "description": description });
    table(
        description,
        json!({
            "below": {
                "type": "number", "exclusiveMinimum": 0, "maximum": 1,
                "description": "Those with less confidence wait: 3 votes of judges reach 0.8 at most.",
            },
            "always": flag("All of them wait."),
            "tags": strings("Those on cases or sessions with one of these tags wait."),
            "severities": {
                "type": "array", "items": { "enum": ["critical", "block", "warn", "info"] },
                "description": "Those of checks with one of these severities wait; for [review].",
            },
            "disagreement": flag("Those wait whose votes, or the judges of a panel, differ."),
            "detect": strings(
                "Those wait where one of these detectors finds something in what the check saw: input and output of a span, \
                 all texts of a turn or session.",
            ),
            "audit": {
                "type": "number", "exclusiveMinimum": 0, "maximum": 1,
                "description": "The share, drawn at random, of those that nothing else sends: a person looks at them, too, \
                                and nothing waits. Without such a sample no threshold can be tuned. The same verdict is \
                                drawn on every machine and in every run; a larger share holds a smaller one.",
            },
            "reviewers": {
                "type": "integer", "minimum": 1, "maximum": 15, "default": 1,
                "description": "How many people have to agree on each.",
            },
            "due": { "type": "string", "description": "How long a person has, such as `\"2d\"`; items are overdue after that." },
            "expire": flag("What is not decided when it is due is closed. It stays held."),
        }),
        &[],
    )
}

fn redact() -> Value {
    table(
        "What is taken out of everything that is written: records, kept sessions, reports, what is printed. Checks see \
         sessions as they were. Rules of fragments and of seatrial.toml are added. `seatrial explain redaction` says more.",
        json!({
            "detectors": strings("What these detectors find becomes `[redacted:<detector>]`: those of `detect`, custom ones among them."),
            "keys": strings("Globs over keys of JSON and names of attributes, whatever their case: the values become `[redacted:key]`."),
            "paths": strings("Paths into a session in seatrial's own format: the texts and values there become `[redacted:path]`."),
            "judge": {
                "type": "boolean", "default": false,
                "description": "Judges and embeddings are shown no more of a session than may be written.",
            },
            "pseudonyms": {
                "type": "array", "items": { "enum": ["session", "user"] },
                "description": "Ids that become stable pseudonyms, by the key in SEATRIAL_REDACT_KEY.",
            },
        }),
        &[],
    )
}

fn suite() -> Value {
    table(
        "What the suite is.",
        json!({
            "name": { "type": "string", "minLength": 1, "description": "Unique in a run." },
            "description": { "type": "string", "description": "What it is for." },
            "tags": strings("For --filter and reports."),
            "extends": strings("Fragments brought in, relative to this file."),
            "tools": strings("Names of tools that exist, whether or not a session calls them."),
            "cases": { "type": "string", "description": "A file of cases (JSONL, CSV, or an eval set of ADK), relative to this file." },
            "trials": { "type": "integer", "minimum": 1, "description": "Sessions wanted per case." },
        }),
        &["name"],
    )
}

fn recorded() -> Value {
    let mut formats: Vec<&str> = FORMATS.iter().map(|f| f.name()).collect();
    formats.insert(0, "auto");
    table(
        "Where recorded sessions come from.",
        json!({
            "paths": strings("Files, globs and folders, relative to this file. Each must match a file."),
            "format": { "enum": formats, "default": "auto", "description": "The trace format." },
            "session": { "type": "string", "description": "The span attribute that names the session, before the usual ones." },
            "case": { "type": "string", "description": "The attribute of the session, or of its spans, that names the case." },
            "trial": { "type": "string", "description": "The attribute of the session, or of its spans, that names the trial." },
            "max_age": {
                "type": "string", "pattern": "^\\s*[0-9]", "description": "Older sessions are left out, such as \"24h\".",
            },
        }),
        &[],
    )
}

fn pass_rate() -> Value {
    table(
        "The share of cases that must pass.",
        json!({
            "min": share("At least this share."),
            "confidence": confidence(),
            "correct": {
                "enum": ["ppi", "rogan_gladen"],
                "description": "Corrects the share for the errors of the one judge behind it, by what people said of its verdicts; \
                                `confidence` is 0.95 then unless given.",
            },
        }),
        &["min"],
    )
}

fn reliability() -> Value {
    table(
        "pass^k over the trials of each case.",
        json!({
            "k": { "type": "integer", "minimum": 1, "description": "How many trials must all pass." },
            "min": share("At least this mean over the cases; without it the number is only reported."),
            "confidence": confidence(),
        }),
        &["k"],
    )
}

fn confidence() -> Value {
    json!({
        "type": "number", "minimum": 0.5, "exclusiveMaximum": 1,
        "description": "How sure: the one-sided lower bound at this confidence must reach `min`; too few cases to say \
                        make the suite inconclusive.",
    })
}

fn baseline() -> Value {
    table(
        "The run that this one must not be worse than.",
        json!({
            "run": { "type": "string", "minLength": 1, "description": "The run: its folder or its run.jsonl, relative to this file. `--baseline` overrides it." },
            "margin": {
                "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.05,
                "description": "How much lower the share of passing cases may be: the lower bound of the paired difference must lie above it.",
            },
            "alpha": {
                "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5, "default": 0.05,
                "description": "The chance of taking a run that is worse by the margin for one that is not.",
            },
            "if_missing": {
                "enum": ["unmeasured", "skip"], "default": "unmeasured",
                "description": "What a missing or unreadable baseline makes of the suite; `skip` leaves the comparison out and says so.",
            },
            "max_unpaired": reference("limit", "Cases of the baseline that are absent now, or could not be measured in either run; 0 without it."),
            "means": { "type": "array", "items": mean(), "description": "Metrics whose mean must not become worse." },
        }),
        &["run"],
    )
}

/// A metric whose mean is compared with that of the baseline.
fn mean() -> Value {
    let amount = |description: &str| {
        json!({
            "anyOf": [
                { "type": "number", "exclusiveMinimum": 0 },
                { "type": "string", "pattern": "^ *[0-9.]+ *%$", "description": "A share, such as \"10%\"." },
            ],
            "description": description,
        })
    };
    let mut mean = table(
        "A metric whose mean over the cases must not be worse than in the baseline, pair by pair.",
        json!({
            "metric": { "type": "string", "minLength": 1, "description": "One with a value per turn or session, `attr:NAME` included; ratios are compared by the check `metric` with `max_ratio`." },
            "max_rise": amount("Where less is better: the mean may rise by less, in its unit or as a share of the earlier mean (`\"10%\"`)."),
            "max_fall": amount("Where more is better: the mean may fall by less, in its unit or as a share of the earlier mean (`\"10%\"`)."),
        }),
        &["metric"],
    );
    mean["oneOf"] = json!([{ "required": ["max_rise"] }, { "required": ["max_fall"] }]);
    mean
}

fn share(description: &str) -> Value {
    json!({ "type": "number", "minimum": 0, "maximum": 1, "description": description })
}

fn gate() -> Value {
    let limit = |description: &str| reference("limit", description);
    let group = table(
        "A stricter bar for the cases with a tag.",
        json!({
            "tag": { "type": "string", "description": "A tag that no case has makes the suite unmeasured." },
            "pass_rate": pass_rate(),
            "reliability": reliability(),
            "margin": {
                "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1,
                "description": "With a baseline: how much lower the share of its passing cases may be.",
            },
        }),
        &["tag"],
    );
    table(
        "What decides.",
        json!({
            "pass_rate": pass_rate(),
            "reliability": reliability(),
            "max_left_out": limit("Files and sessions that could not be used; 0 without it."),
            "max_missing_cases": limit("Cases without a session, or with too few trials; 0 without it."),
            "max_error_rate": limit("Cases that could not be measured; 0 without it."),
            "max_skip_rate": limit("Cases that the suite skips; 0 without it."),
            "group": { "type": "array", "description": "Stricter bars for tags.", "items": group },
            "baseline": baseline(),
            "labels": { "type": "string", "minLength": 1, "description": "The export with the labels for `correct`, relative to this file; without it they are read from the store." },
        }),
        &[],
    )
}

/// The definitions that the tables share.
pub(super) fn definitions(case_checks: Value) -> Map<String, Value> {
    object(json!({
        "template": {
            "type": "string", "pattern": "\\{\\{",
            "description": "A template over the case and the subject, such as \"{{ case.n }}\".",
        },
        "limit": {
            "anyOf": [{ "type": "integer", "minimum": 0 }, share("")],
            "description": "A whole number is a count, a number with a point a share.",
        },
        "require": {
            "anyOf": [
                { "enum": ["all", "any"] },
                table("", json!({ "at_least": { "type": "number", "exclusiveMinimum": 0 } }), &["at_least"]),
            ],
            "description": "`all`, `any`, or `{ at_least = N }`: a whole number is a count, a number with a point a share.",
        },
        "review": review(
            "Any reason is enough. What could not be measured is an error all the same. A key that is left out is that of \
             [review], on a check that asks somebody.",
        ),
        "selector": selector(),
        "reference": case_reference(),
        "case": case(case_checks),
    }))
}

/// What is said of every key of a selector.
pub(super) const GLOB: &str = " A string is a glob; argument matchers work too.";

fn selector() -> Value {
    let pattern = |what: &str| json!({ "description": format!("{what}{GLOB}") });
    table(
        "Which subjects a check is applied to: all keys must match.",
        json!({
            "kind": pattern("agent, llm, tool, retrieval, memory, guardrail or other."),
            "name": pattern("The tool's or operation's name."),
            "agent": pattern("The agent's name."),
            "model": pattern("The model."),
            "status": pattern("ok, error or unset."),
            "attributes": { "type": "object", "description": "Attributes by name." },
            "case": pattern("The case's id."),
            "tags": pattern("Tags of the case or session."),
            "user": pattern("The user or user group."),
            "index": pattern("Of turns: from 1, or from the end, -1 being the last."),
        }),
        &[],
    )
}

fn case_reference() -> Value {
    let matcher = json!({ "$ref": "#/definitions/Matcher" });
    let call = table(
        "One expected tool call.",
        json!({
            "name": { "type": "string", "description": "The tool's name." },
            "args": reference("Matcher", "Its arguments; without them nothing is said about them."),
        }),
        &["name"],
    );
    table(
        "What is expected. Absent is not empty: `tools = []` is an expectation, no `tools` is none.",
        json!({
            "tools": { "type": "array", "items": call, "description": "The tool calls, in order." },
            "answer": { "type": "string", "description": "The answer." },
            "facts": {
                "type": "array",
                "description": "Facts that the answers must state: a text, a matcher, or a list of alternatives.",
                "items": matcher,
            },
            "state": {
                "type": "object", "additionalProperties": matcher,
                "description": "Paths into the final state, and what is expected there.",
            },
        }),
        &[],
    )
}

fn case(checks: Value) -> Value {
    let turn = table(
        "One turn of the case.",
        json!({
            "user": { "type": "string", "description": "What the user says; with a live agent, a template over `case`, `trial` and the earlier `turns` (`turns[0].reply`)." },
            "call": table(
                "The tool that is called, where the agent is a set of tools (kind = \"mcp\").",
                json!({
                    "name": { "type": "string", "description": "The tool's name." },
                    "args": { "type": "object", "description": "Its arguments." },
                }),
                &["name"],
            ),
            "reference": reference("reference", "What is expected of the turn."),
        }),
        &[],
    );
    table(
        "A thing the agent is asked to do.",
        json!({
            "id": { "type": "string", "minLength": 1, "description": "Unique in the suite." },
            "tags": strings("For --filter, selectors and gate groups."),
            "user": {
                "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }, agent::user()],
                "description": "What the user says, turn by turn; short for [[case.turn]]. With a live agent also who it is, where a model plays it: { goal, persona, facts, stop, max_turns, judge }.",
            },
            "turn": { "type": "array", "items": turn, "description": "The turns." },
            "reference": reference("reference", "What is expected of the session."),
            "check": checks,
            "skip": { "type": "string", "minLength": 1, "description": "Why it is not looked at." },
            "trials": { "type": "integer", "minimum": 1, "description": "Sessions wanted of it, where that differs from [suite]." },
            "expected_fail": table(
                "It is known to fail, until a date.",
                json!({
                    "until": { "type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}$", "description": "The last day on which a failure is excused." },
                    "reason": { "type": "string", "description": "Why." },
                }),
                &["until", "reason"],
            ),
            "weight": { "type": "number", "exclusiveMinimum": 0, "default": 1.0, "description": "How much it counts in the pass rate." },
            "vars": { "type": "object", "description": "Further values for templates, as `case.NAME`." },
        }),
        &["id"],
    )
}
