//! What a recording does not say is an error of the checks that ask for it, never a pass.

use super::testing::{Given, agent, built, log, model, records, span, tool, try_built};
use crate::checks::build::Params;
use crate::checks::probe;
use crate::checks::session::calls::Calls;
use crate::checks::span::duration::Duration;
use crate::checks::span::tokens::Tokens;
use crate::checks::text::not_contains::NotContains;
use crate::model::Level::{Session as Whole, Turn};
use crate::model::Status::{Error, Fail, Pass};
use crate::model::{Level, Session, SpanStatus, Status};

fn over<P: Params>(level: Level, toml: &str, session: &Session<'_>) -> Status {
    probe::status::<P>(level, toml, &serde_json::to_string(session).unwrap())
}

fn of<P: Params>(level: Level, toml: &str, spans: &[Given]) -> Status {
    over::<P>(level, toml, &built(spans))
}

const NO_SECRET: &str = "values = [\"secret\"]";
const NEVER_DELETES: &str = "tool = \"delete\"\nmax = 0";

#[test]
fn a_reply_that_was_withheld_cannot_be_said_to_lack_a_word() {
    let said = |text| [model("t/m", "Hi", text, 1, 2)];
    assert_eq!(of::<NotContains>(Turn, NO_SECRET, &said("Hello")), Pass);
    assert_eq!(of::<NotContains>(Turn, NO_SECRET, &said("a secret")), Fail);
    assert_eq!(of::<NotContains>(Turn, NO_SECRET, &said("__REDACTED__")), Error);
    let cut = [span("t/m", "chat", 1, 2).with("gen_ai.output.messages", r#"[{"role":"assistant","parts":[{"ty"#)];
    assert_eq!(of::<NotContains>(Turn, NO_SECRET, &cut), Error);
    assert_eq!(of::<NotContains>(Turn, NO_SECRET, &[model("t/m", "Hi", "", 1, 2)]), Error);
}

#[test]
fn that_no_tool_was_called_is_said_only_where_calls_would_show() {
    assert_eq!(of::<Calls>(Whole, NEVER_DELETES, &[model("t/m", "Hi", "Hello", 1, 2)]), Pass);
    assert_eq!(of::<Calls>(Whole, NEVER_DELETES, &[model("t/m", "Hi", "!c=delete", 1, 2)]), Fail);
    assert_eq!(of::<Calls>(Whole, NEVER_DELETES, &[model("t/m", "Hi", "", 1, 2)]), Error);
    assert_eq!(of::<Calls>(Whole, NEVER_DELETES, &[agent("t/a", "x", 1, 3), model("t/m<a", "", "", 1, 2)]), Error);
    assert_eq!(of::<Calls>(Whole, NEVER_DELETES, &[span("t/a", "", 1, 2).of("unknown")]), Error);
    let shows = [model("t/m", "Hi", "", 1, 2), tool("t/f", "look_up", 3, 4)];
    assert_eq!(of::<Calls>(Whole, NEVER_DELETES, &shows), Pass);
}

#[test]
fn tokens_that_one_model_does_not_tell_are_no_sum() {
    let two = |second: Given| [model("t/m1", "Hi", "a", 1, 2).used(10, 1), second];
    assert_eq!(of::<Tokens>(Whole, "max = 100", &two(model("t/m2", "Hi", "b", 3, 4).used(10, 1))), Pass);
    assert_eq!(of::<Tokens>(Whole, "max = 100", &two(model("t/m2", "Hi", "b", 3, 4))), Error);
    let total = [agent("t/a", "x", 1, 9).used(10, 1), model("t/m<a", "Hi", "b", 3, 4)];
    assert_eq!(of::<Tokens>(Whole, "max = 100", &total), Error, "an agent's own sum is no model's");
}

#[test]
fn what_never_ended_or_whose_span_is_not_there_took_no_known_time() {
    let max = "max_ms = 1000";
    assert_eq!(of::<Duration>(Turn, max, &[agent("t/a", "x", 1, 9)]), Pass);
    assert_eq!(of::<Duration>(Turn, max, &[agent("t/a", "x", 1, 0), model("t/m<a", "Hi", "b", 3, 4)]), Error);
    assert_eq!(of::<Duration>(Turn, max, &[agent("t/a", "x", 9, 3)]), Error);
    let mut logs = records(&[model("t/m", "Hi", "b", 3, 4)]);
    logs.push(log("t", "gone", "x", 5));
    assert_eq!(
        over::<Duration>(Whole, max, &try_built(&logs).unwrap()),
        Pass,
        "what logs tell of is no part of a turn"
    );
    let only = try_built(&[log("t", "gone", "x", 5)]).unwrap();
    assert_eq!(over::<Duration>(Whole, max, &only), Error);
}

#[test]
fn a_call_of_which_nothing_came_back_did_not_end_well() {
    let session = built(&[model("t/m", "Hi", "!c=f", 1, 2)]);
    assert_eq!(session.tool_calls().next().unwrap().1.status, SpanStatus::Unset);
}
