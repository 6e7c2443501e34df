//! What a session is, whatever order and form its records have.

use super::testing::{Given, agent, built, log, model, records, short, span, tool, try_built};
use crate::formats::telemetry::{LogRecord, Record, Value};
use crate::model::SpanStatus::{Error, Ok as Well};

fn ids(spans: &[Given]) -> Vec<String> {
    let session = built(spans);
    session.spans().filter_map(|s| Some(s.id.as_ref()?.to_string())).collect()
}

#[test]
fn a_turn_has_its_words_calls_and_tokens() {
    let session = built(&[
        agent("t/a", "helper", 10, 100),
        model("t/m1<a", "Where is it?", r#"!c1=track{"n":1}"#, 11, 20).used(10, 2),
        tool("t/f<a", "track", 21, 30).call("c1", r#"{"n":1}"#, "on its way"),
        model("t/m2<a", "Where is it?", "On its way.", 31, 40).used(14, 5),
    ]);
    insta::assert_snapshot!(short(&session), @r#"
    turn "Where is it?" -> "On its way."
      Agent invoke_agent
      Llm chat 10/2
      Tool track #c1 "{\"n\":1}" -> "on its way" Ok
      Llm chat 14/5
    "#);
    assert_eq!(session.agent.as_deref(), Some("helper"));
    assert_eq!((session.start_ns, session.end_ns, session.incomplete), (Some(10), Some(100), false));
    assert_eq!(session.turns[0].end_ns, Some(100));
    assert!(session.notes.is_empty());
}

#[test]
fn the_last_write_of_a_span_wins_and_is_counted() {
    let mut all = [
        model("t/m", "Hi", "first", 1, 2).used(1, 1),
        span("t/x", "", 1, 1),
        model("t/m", "Hi", "second", 1, 2).used(7, 7),
    ];
    let session = built(&all);
    assert_eq!(session.turns[0].reply.as_deref(), Some("second"));
    assert_eq!(session.turns[0].spans.iter().filter_map(|s| s.usage?.input).sum::<u64>(), 7);
    assert_eq!(session.notes, ["1 records that arrived again"]);
    all.reverse();
    assert_eq!(built(&all).turns[0].reply.as_deref(), Some("first"));
}

#[test]
fn spans_come_in_the_order_of_their_starts_whenever_they_arrive() {
    let all = [tool("t/c<a", "f", 30, 31), tool("t/b<a", "f", 20, 25), agent("t/a", "x", 10, 100)];
    assert_eq!(ids(&all), ["a", "b", "c"]);
    // One that starts before its parent (another clock) is still below it.
    let skewed = [agent("t/a", "x", 10, 100), model("t/b<a", "", "said", 5, 20)];
    let session = built(&skewed);
    assert_eq!(session.turns.len(), 1);
    assert_eq!(session.turns[0].start_ns, Some(10));
}

#[test]
fn a_parent_that_never_arrived_or_goes_in_a_circle_takes_no_span_away() {
    assert_eq!(ids(&[model("t/a<gone", "", "x", 1, 2), model("t/b<gone", "", "y", 3, 4)]), ["a", "b"]);
    let own = built(&[agent("t/a<a", "x", 1, 9), model("t/b<a", "", "hello", 2, 3)]);
    assert_eq!(own.turns[0].reply.as_deref(), Some("hello"));
    assert_eq!(own.notes, ["1 spans that were their own ancestors"]);
    let circle = [agent("t/a<c", "x", 1, 9), span("t/b<a", "", 2, 8), model("t/c<b", "", "hello", 3, 4)];
    assert_eq!(built(&circle).spans().count(), 3);
    assert_eq!(built(&circle).notes, ["1 spans that were their own ancestors"]);
}

#[test]
fn turns_are_traces_and_an_embedding_alone_belongs_to_the_turn_before() {
    let embedding = |path: &str, at| span(path, "embeddings", at, at + 1).with("session.id", "s");
    let session = built(&[
        model("t2/m", "Second?", "Two.", 30, 40).with("session.id", "s"),
        embedding("e0/x", 1),
        model("t1/m", "First?", "One.", 10, 20).with("session.id", "s"),
        embedding("e1/x", 25),
    ]);
    let replies: Vec<_> = session.turns.iter().map(|t| (t.reply.as_deref().unwrap(), t.spans.len())).collect();
    assert_eq!(replies, [("One.", 2), ("Two.", 1)]);
    assert_eq!((session.id.as_str(), session.spans.len()), ("s", 1));
}

#[test]
fn one_trace_has_a_turn_for_every_agent_at_its_top_below_what_only_carries_requests() {
    let session = built(&[
        span("t/server", "", 1, 100).named("POST /chat"),
        agent("t/a<server", "x", 2, 10),
        model("t/m1<a", "One?", "1", 3, 4),
        span("t/http<server", "", 11, 12).named("send"),
        agent("t/b<server", "x", 20, 30),
        model("t/m2<b", "Two?", "2", 21, 22),
        agent("t/sub<b", "y", 23, 24),
    ]);
    insta::assert_snapshot!(short(&session), @r#"
    turn "One?" -> "1"
      Agent invoke_agent
      Llm chat
    turn "Two?" -> "2"
      Agent invoke_agent
      Llm chat
      Agent invoke_agent
    "#);
    assert_eq!(session.spans.len(), 2, "the server's spans are no part of one turn");
}

#[test]
fn agents_that_work_at_the_same_time_work_on_one_request() {
    let session = built(&[
        agent("t/gateway", "gateway", 1, 100),
        // What called it is not in the recording.
        agent("t/desk<gone", "desk", 5, 90),
        model("t/m1<desk", "One?", "1", 6, 10),
        agent("t/helper<lost", "helper", 20, 30),
    ]);
    assert_eq!(session.turns.len(), 1);
    let turn = &session.turns[0];
    assert_eq!((turn.user.as_deref(), turn.reply.as_deref()), (Some("One?"), Some("1")));
    assert_eq!((turn.start_ns, turn.end_ns, turn.spans.len()), (Some(1), Some(100), 4));
    assert_eq!(session.agent.as_deref(), Some("gateway"));
    let after = built(&[
        agent("t/a", "x", 1, 10),
        agent("t/b<gone", "y", 5, 9),
        agent("t/c", "x", 10, 20),
        model("t/m<c", "Two?", "2", 11, 12),
    ]);
    let turns: Vec<_> = after.turns.iter().map(|t| (t.spans.len(), t.reply.as_deref())).collect();
    assert_eq!(turns, [(2, None), (2, Some("2"))], "what begins when all before have ended is a turn of its own");
    let endless = built(&[agent("t/a", "x", 1, 0), agent("t/b", "x", 5, 9)]);
    assert_eq!(endless.turns.len(), 2, "nobody knows that they worked at the same time");
}

#[test]
fn messages_whose_span_went_elsewhere_are_a_models() {
    let message = |span: &str, name: &'static str, time, text: &'static str| {
        let (origin, record) = log("t", span, name, time);
        let Record::Log(log) = record else { panic!("a log record") };
        let content = Value::Map(vec![("content".into(), Value::Text(text.into()))]);
        let is_choice = name == "gen_ai.choice";
        let body = if is_choice { Value::Map(vec![("message".into(), content)]) } else { content };
        (origin, Record::Log(LogRecord { body: Some(body), ..log }))
    };
    let session = try_built(&[
        message("m", "gen_ai.user.message", 5, "Hi"),
        message("m", "gen_ai.choice", 9, "Hello"),
        message("other", "app.started", 1, "up"),
    ])
    .unwrap();
    assert_eq!(short(&session), "turn \"Hi\" -> \"Hello\"\n  Llm gen_ai.user.message\n");
    let turn = &session.turns[0];
    assert_eq!((turn.end_ns, turn.spans[0].usage), (None, None), "when it ended and what it used nobody knows");
}

#[test]
fn history_is_replayed_and_never_put_together() {
    let history = [("user", "One?"), ("assistant", "1"), ("user", "Two?")];
    let session = built(&[
        model("t1/m", "One?", "1", 1, 2).with("session.id", "s"),
        span("t2/m", "chat", 3, 4).asked(&history).says("2").with("session.id", "s"),
    ]);
    let words: Vec<_> = session.turns.iter().map(|t| (t.user.as_deref(), t.reply.as_deref())).collect();
    assert_eq!(words, [(Some("One?"), Some("1")), (Some("Two?"), Some("2"))]);
}

#[test]
fn instructions_are_no_words_of_the_user() {
    let asked = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Yes?"), ("user", "Bye")];
    let session = built(&[span("t/m", "chat", 1, 2).asked(&asked).says("Bye.")]);
    assert_eq!(session.instructions.as_deref(), Some("Be brief."));
    assert_eq!(session.turns[0].user.as_deref(), Some("Bye"));
}

#[test]
fn the_user_is_found_around_a_model_that_does_not_say_what_it_was_asked() {
    let outer = span("t/o<a", "chat", 2, 9).asked(&[("user", "Hi")]);
    let session = built(&[agent("t/a", "x", 1, 10), outer, model("t/i<o", "", "Hello", 3, 8)]);
    assert_eq!(session.turns[0].user.as_deref(), Some("Hi"));
    assert_eq!(session.turns[0].reply.as_deref(), Some("Hello"));
}

#[test]
fn an_agent_that_is_called_as_a_tool_does_not_answer_the_user() {
    let session = built(&[
        agent("t/a", "main", 1, 100),
        model("t/m1<a", "Hi", "!c1=ask{}", 2, 3),
        tool("t/f<a", "ask", 4, 50).call("c1", "{}", "sub said"),
        agent("t/sub<f", "sub", 5, 49),
        model("t/m3<sub", "do it", "sub said", 6, 48),
    ]);
    assert_eq!(session.turns[0].reply, None, "the agent never answered");
    assert_eq!(session.turns[0].user.as_deref(), Some("Hi"));
    let of: Vec<_> = session.spans().map(|s| s.agent.as_deref().unwrap_or("-")).collect();
    assert_eq!(of, ["main", "main", "main", "sub", "sub"]);
}

#[test]
fn what_a_model_does_after_the_answer_is_not_the_answer() {
    let session = built(&[
        agent("t/a", "x", 1, 100).says("It is 7.\n"),
        model("t/m1<a", "How many?", "It is 7.", 2, 3),
        model("t/m2<a", "Find a title.", "About seven", 4, 5),
    ]);
    assert_eq!(session.turns[0].reply.as_deref(), Some("It is 7."));
}

#[test]
fn a_reply_that_was_withheld_is_not_that_of_another_model() {
    let session = built(&[model("t/m1", "Hi", "earlier", 1, 2), model("t/m2", "Hi", "", 3, 4)]);
    assert_eq!(session.turns[0].reply, None);
    let agent_says = [agent("t/a", "x", 1, 9).says("from the agent"), model("t/m<a", "Hi", "", 3, 4)];
    assert_eq!(built(&agent_says).turns[0].reply.as_deref(), Some("from the agent"));
    let failed = [agent("t/a", "x", 1, 9).says("partial").status(Error, "boom"), model("t/m<a", "Hi", "", 3, 4)];
    assert_eq!(built(&failed).turns[0].reply, None);
}

#[test]
fn a_session_stops_early_only_where_a_top_span_has_no_end() {
    let inner = built(&[agent("t/a", "x", 1, 9), model("t/m<a", "Hi", "Yes", 2, 0)]);
    assert!(!inner.incomplete);
    assert_eq!(inner.notes, ["1 spans without an end"]);
    let top = built(&[agent("t/a", "x", 1, 0), model("t/m<a", "Hi", "Yes", 2, 8)]);
    assert!(top.incomplete);
    assert_eq!((top.turns[0].end_ns, top.end_ns), (None, None), "no duration is made up");
    let backwards = built(&[agent("t/a", "x", 9, 3), model("t/m<a", "Hi", "Yes", 9, 10)]);
    assert_eq!(backwards.notes, ["1 spans that end before they start"]);
    let aside = built(&[agent("t/a", "x", 1, 9), span("u/e", "embeddings", 4, 0).with("session.id", "t")]);
    assert!(!aside.incomplete);
}

#[test]
fn a_dialect_that_is_unknown_yields_names_times_and_statuses_and_says_so() {
    let strange = span("t/a", "", 1, 5).named("think").of("odd.sdk").status(Error, "no").with("odd.text", "Hi");
    let session =
        built(&[strange.clone(), span("t/b<a", "", 2, 3).with("langfuse.observation.type", "TOOL").of("odd.sdk")]);
    let first = session.spans().next().unwrap();
    assert_eq!((first.name.as_str(), first.start_ns, first.end_ns, first.status), ("think", Some(1), Some(5), Error));
    assert_eq!(first.attributes.get("odd.text").unwrap().as_str(), "Hi");
    let said: Vec<_> = session.notes.iter().map(|n| n.to_string()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("`odd.sdk`") && said[1].contains("2 spans, none of them of a known dialect"));
    assert_eq!(built(&[strange]).notes.len(), 1);
}

#[test]
fn log_records_whose_span_never_arrived_make_one_that_has_no_duration() {
    let session = try_built(&[log("t", "a", "x", 7), log("t", "a", "y", 5), log("t", "b", "z", 6)]).unwrap();
    let times: Vec<_> = session.spans().map(|s| (s.start_ns, s.end_ns, s.duration_ns())).collect();
    assert_eq!(times, [(Some(5), None, None), (Some(6), None, None)]);
    assert!(!session.incomplete);
    assert!(session.notes.contains(&"2 spans that only log records tell of".into()), "{:?}", session.notes);
    assert!(try_built(&[log("t", "", "x", 7)]).is_err());
}

#[test]
fn log_records_of_a_trace_are_events_and_those_that_repeat_are_one() {
    let mut all = records(&[model("t/a", "Hi", "Yes", 1, 2)]);
    all.extend([log("t", "", "feedback", 3), log("t", "a", "x", 1), log("t", "a", "x", 1)]);
    let session = try_built(&all).unwrap();
    assert_eq!(session.events.len(), 1);
    assert_eq!(session.spans().next().unwrap().events.len(), 1);
    assert_eq!(session.notes, ["1 records that arrived again"]);
}

#[test]
fn the_most_reliable_place_names_the_session() {
    let a = model("t/a", "Hi", "Yes", 1, 2).with("gen_ai.conversation.id", "c");
    let b = span("t/b<a", "", 2, 3).with("session.id", "s").with("thread", "mine");
    assert_eq!(built(&[a.clone(), b.clone()]).id, "s");
    assert_eq!(built(&[model("t/a", "Hi", "Yes", 1, 2)]).id, "t");
    use crate::formats::Decoder;
    let named = super::Builder { session_attribute: Some("thread".into()) };
    let bytes = super::testing::stored(&records(&[a, b]));
    assert_eq!(named.decode(&bytes, 0, "test").unwrap().id, "mine");
}

#[test]
fn ten_thousand_spans_without_a_root_are_one_session() {
    let rootless: Vec<Given> =
        (0..10_000u64).map(|i| tool(&format!("t/{i}<gone{i}"), "f", i + 1, i + 2).status(Well, "")).collect();
    let session = built(&rootless);
    assert_eq!(session.tool_calls().count(), 10_000);
    assert_eq!(session.turns.len(), 1);
}

const AGENTS: &str = "openinference.instrumentation.openai_agents";

/// A span of OpenAI Agents by OpenInference.
fn of_agents(path: &str, name: &'static str, kind: &str, start: u64, end: u64) -> Given {
    let given = span(path, "", start, end).named(name).of(AGENTS).with("openinference.span.kind", kind);
    if kind == "AGENT" && path.contains('<') { given.with("agent.name", name) } else { given }
}

/// A model of OpenAI Agents that is asked and answers.
fn answers(path: &str, user: &str, said: &str, start: u64, end: u64) -> Given {
    of_agents(path, "response", "LLM", start, end).with("input.value", user).with("output.value", said)
}

#[test]
fn several_runs_within_one_trace_of_openai_agents_are_turns() {
    // A run has a span of its own in later versions, and none in earlier ones.
    let later = built(&[
        of_agents("t/root", "Support chat", "AGENT", 1, 100),
        of_agents("t/run1<root", "Support chat", "CHAIN", 2, 20),
        of_agents("t/a1<run1", "desk", "AGENT", 3, 20),
        answers("t/m1<a1", "one?", "One.", 4, 10),
        of_agents("t/note<root", "custom", "CHAIN", 21, 22),
        of_agents("t/run2<root", "Support chat", "CHAIN", 30, 50),
        of_agents("t/a2<run2", "desk", "AGENT", 31, 50),
        answers("t/m2<a2", "two?", "Two.", 32, 40),
    ]);
    let earlier = built(&[
        of_agents("t/root", "Support chat", "AGENT", 1, 100),
        of_agents("t/a1<root", "desk", "AGENT", 3, 20),
        answers("t/m1<a1", "one?", "One.", 4, 10),
        of_agents("t/a2<root", "desk", "AGENT", 31, 50),
        answers("t/m2<a2", "two?", "Two.", 32, 40),
    ]);
    for session in [&later, &earlier] {
        let words = session.turns.iter().map(|t| (t.user.as_deref(), t.reply.as_deref(), t.end_ns));
        let expected = [(Some("one?"), Some("One.")), (Some("two?"), Some("Two."))];
        assert_eq!(words.clone().map(|(u, r, _)| (u, r)).collect::<Vec<_>>(), expected);
        assert_eq!(words.map(|(.., end)| end).collect::<Vec<_>>()[1], Some(50));
        assert_eq!((session.agent.as_deref(), session.end_ns), (Some("desk"), Some(100)));
    }
    assert_eq!(later.spans.iter().filter_map(|s| s.id.as_deref()).collect::<Vec<_>>(), ["root"]);
    let of_first: Vec<_> = later.turns[0].spans.iter().filter_map(|s| s.id.as_deref()).collect();
    assert_eq!(of_first, ["run1", "a1", "m1", "note"]);
}

#[test]
fn a_handover_goes_on_with_the_run_and_a_single_run_is_what_is_drawn_around_it() {
    let handover = [
        of_agents("t/root", "Support chat", "AGENT", 1, 100),
        of_agents("t/a1<root", "triage", "AGENT", 3, 20),
        answers("t/m1<a1", "one?", "", 4, 10),
        of_agents("t/h<a1", "handoff to refunds", "TOOL", 11, 12),
        of_agents("t/a2<root", "refunds", "AGENT", 31, 50),
        answers("t/m2<a2", "one?", "Done.", 32, 40),
    ];
    let session = built(&handover);
    assert_eq!(session.turns.len(), 1);
    assert_eq!((session.turns[0].reply.as_deref(), session.turns[0].end_ns), (Some("Done."), Some(100)));
    let mut more = handover.to_vec();
    more.extend([of_agents("t/a3<root", "refunds", "AGENT", 60, 70), answers("t/m3<a3", "two?", "Two.", 61, 69)]);
    let session = built(&more);
    let ends: Vec<_> = session.turns.iter().map(|t| (t.reply.as_deref(), t.end_ns)).collect();
    assert_eq!(ends, [(Some("Done."), Some(50)), (Some("Two."), Some(70))]);
}
