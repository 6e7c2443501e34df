//! What was recorded twice is counted once: models within models, tools within tools, calls in messages and in spans.

use super::testing::{Given, agent, built, model, short, span, tool};
use crate::model::SpanStatus::{Error, Ok as Well};
use crate::model::{Session, SpanKind, SpanStatus, model_calls};

/// Model calls, and the tokens that went in; `None` where one does not say.
fn counted(session: &Session<'_>) -> (usize, Option<u64>) {
    let calls = model_calls(session.spans().enumerate());
    let input = calls.iter().try_fold(0, |sum, (_, s)| Some(sum + s.usage?.input?));
    (calls.len(), input)
}

#[test]
fn a_wrapper_and_the_call_within_are_one_whichever_says_words_and_tokens() {
    let wrap = |outer_words, outer_tokens, inner_words, inner_tokens| {
        let part = |path, words, tokens, start, end| {
            let span = model(path, "Hi", if words { "Yes" } else { "" }, start, end);
            if tokens { span.used(10, 3) } else { span }
        };
        let outer = part("t/o<a", outer_words, outer_tokens, 2, 9);
        let inner = part("t/i<http", inner_words, inner_tokens, 4, 7);
        built(&[agent("t/a", "x", 1, 10).used(99, 99), outer, span("t/http<o", "", 3, 8), inner])
    };
    for words in [(true, true), (true, false), (false, true), (false, false)] {
        for tokens in [(true, true), (true, false), (false, true)] {
            let session = wrap(words.0, tokens.0, words.1, tokens.1);
            assert_eq!(counted(&session), (1, Some(10)), "{words:?} {tokens:?}");
            let reply = (words != (false, false)).then_some("Yes");
            assert_eq!(session.turns[0].reply.as_deref(), reply, "{words:?} {tokens:?}");
            assert!(session.turns[0].spans[0].usage.is_none(), "the agent's own sum");
        }
        let session = wrap(words.0, false, words.1, false);
        assert_eq!(counted(&session), (1, None), "what nobody says stays unknown");
    }
}

#[test]
fn a_first_token_that_only_the_wrapper_tells_is_that_of_the_call_within() {
    let wrapper =
        |start| model("t/o", "Hi", "Yes", start, 9_000_000).with("gen_ai.response.time_to_first_chunk", "0.005");
    let call = |path, start| model(path, "", "Yes", start, 8_000_000);
    let first = |spans: &[Given]| {
        let session = built(spans);
        let told = model_calls(session.spans().enumerate()).iter().map(|(_, s)| s.ttft_ns).collect::<Vec<_>>();
        (told, session.turns[0].first_token_ns())
    };
    // After 5 ms of its own, which are 3 of the call's, which began 2 later.
    assert_eq!(first(&[wrapper(1), call("t/i<o", 2_000_001)]), (vec![Some(3_000_000)], Some(5_000_000)));
    assert_eq!(first(&[wrapper(1), call("t/i<o", 7_000_000)]).0, [None], "clocks that disagree say nothing");
    let two = first(&[wrapper(1), call("t/i<o", 2), call("t/j<o", 3)]).0;
    assert_eq!(two, [None, None], "of several calls nobody knows whose it was");
}

#[test]
fn of_three_spans_around_each_other_one_counts() {
    for speaks in 0..3 {
        let part =
            |n: usize, path, start, end| model(path, "", if n == speaks { "Yes" } else { "" }, start, end).used(10, 3);
        let session = built(&[part(0, "t/a", 1, 9), part(1, "t/b<a", 2, 8), part(2, "t/c<b", 3, 7)]);
        assert_eq!(counted(&session), (1, Some(10)), "{speaks}");
        assert_eq!(session.turns[0].reply.as_deref(), Some("Yes"));
    }
}

#[test]
fn retries_within_a_wrapper_are_summed_when_all_say_what_they_used() {
    let retry = |path, start| model(path, "", "", start, start + 2);
    let outer = || model("t/o", "Hi", "Yes", 1, 20);
    let session = built(&[outer(), retry("t/r1<o", 2).used(10, 0), retry("t/r2<o", 6).used(10, 3)]);
    assert_eq!(counted(&session), (1, Some(20)));
    let session = built(&[outer(), retry("t/r1<o", 2).status(Error, "429"), retry("t/r2<o", 6).used(10, 3)]);
    assert_eq!(counted(&session), (1, None), "what the failed one used is not known");
    let session =
        built(&[outer().used(25, 3), retry("t/r1<o", 2).status(Error, "429"), retry("t/r2<o", 6).used(10, 3)]);
    assert_eq!(counted(&session), (1, Some(25)));
}

#[test]
fn the_first_token_of_the_call_within_is_timed_from_the_wrappers_start() {
    let inner = model("t/i<o", "", "", 500, 900).with("gen_ai.response.time_to_first_chunk", "0.0000001");
    let session = built(&[model("t/o", "Hi", "Yes", 100, 1000), inner]);
    assert_eq!(session.turns[0].spans[0].ttft_ns, Some(500));
}

#[test]
fn a_model_below_a_tool_or_agent_of_another_model_is_a_call_of_its_own() {
    let session = built(&[
        agent("t/a", "main", 1, 100),
        model("t/m1<a", "Hi", "!c1=ask{}", 2, 60).used(10, 1),
        tool("t/f<m1", "ask", 4, 50).call("c1", "{}", "sub said"),
        agent("t/sub<f", "sub", 5, 49),
        model("t/m3<sub", "do it", "sub said", 6, 48).used(20, 2),
        model("t/m4<a", "Hi", "Done.", 61, 70).used(30, 3),
    ]);
    insta::assert_snapshot!(short(&session), @r#"
    turn "Hi" -> "Done."
      Agent invoke_agent
      Llm chat 10/1
      Tool ask #c1 "{}" -> "sub said" Ok
      Agent invoke_agent
      Llm chat 20/2
      Llm chat 30/3
    "#);
    assert_eq!(counted(&session), (3, Some(60)));
}

#[test]
fn a_tool_within_the_same_tool_is_one_call_that_knows_what_either_says() {
    let session = built(&[
        tool("t/f", "search", 1, 20).call("c1", "", ""),
        tool("t/client<f", "search", 2, 19).with("mcp.method.name", "tools/call").call("", r#"{"q":"x"}"#, ""),
        tool("t/server<client", "search", 3, 18).with("mcp.method.name", "tools/call").call("", "", "found"),
    ]);
    insta::assert_snapshot!(short(&session), @r#"
    turn - -> -
      Tool search #c1 "{\"q\":\"x\"}" -> "found" Ok
    "#);
}

#[test]
fn an_error_within_a_tool_is_its_own_unless_it_tried_again_or_says_that_it_did_well() {
    let inner = |path, start| tool(path, "f", start, start + 1);
    let status = |spans: &[super::testing::Given]| built(spans).tool_calls().next().unwrap().1.status;
    let failed = inner("t/b<a", 2).status(Error, "refused");
    assert_eq!(status(&[tool("t/a", "f", 1, 9).call("", "", "Sorry"), failed.clone()]), Error);
    assert_eq!(status(&[tool("t/a", "f", 1, 9).status(Well, ""), failed.clone()]), Well);
    let again = inner("t/c<a", 4).call("", "", "found");
    assert_eq!(status(&[tool("t/a", "f", 1, 9), failed.clone(), again.clone()]), Well);
    let deep = [tool("t/a", "f", 1, 9), inner("t/b<a", 2).call("", "", "x").status(Error, "no"), inner("t/c<b", 3)];
    assert_eq!(status(&deep), Error);
}

#[test]
fn a_tool_of_another_name_or_below_an_agent_is_a_call_of_its_own() {
    let names = |spans: &[super::testing::Given]| built(spans).tool_calls().count();
    assert_eq!(names(&[tool("t/a", "f", 1, 9), tool("t/b<a", "g", 2, 3)]), 2);
    let recursive = [tool("t/a", "f", 1, 9), agent("t/b<a", "sub", 2, 8), tool("t/c<b", "f", 3, 4)];
    assert_eq!(names(&recursive), 2);
}

#[test]
fn calls_in_messages_meet_their_spans_by_id_arguments_and_name() {
    let session = built(&[
        model("t/m", "Hi", r#"!c1=f{"n":1} c2=f{"n":2} c3=g{"x":1}"#, 1, 5),
        tool("t/2", "f", 6, 7).call("", r#"{"n": 2}"#, "two"),
        tool("t/1", "f", 7, 8).call("c1", r#"{"n": 1}"#, "one"),
        tool("t/3", "g", 8, 9).call("", "", "three"),
    ]);
    insta::assert_snapshot!(short(&session), @r#"
    turn "Hi" -> -
      Llm chat
      Tool f #c2 "{\"n\": 2}" -> "two" Ok
      Tool f #c1 "{\"n\": 1}" -> "one" Ok
      Tool g #c3 {"x":1} -> "three" Ok
    "#);
}

#[test]
fn a_call_of_a_tool_that_does_not_exist_is_still_a_call_in_its_place() {
    let asked = [("user", "Hi"), ("tool", "c1=one"), ("tool", "c2=Error: no tool `h`"), ("tool", "c3=three")];
    let session = built(&[
        model("t/m", "Hi", "!c1=f c2=h c3=g", 1, 5),
        tool("t/1", "f", 6, 9).call("c1", "{}", "one"),
        tool("t/3", "g", 7, 8).call("c3", "{}", "three"),
        span("t/n", "chat", 10, 11).asked(&asked).says("Done."),
    ]);
    insta::assert_snapshot!(short(&session), @r#"
    turn "Hi" -> "Done."
      Llm chat
      Tool f #c1 "{}" -> "one" Ok
      Tool h (told) #c2 - -> "Error: no tool `h`" Error (Error: no tool `h`)
      Tool g #c3 "{}" -> "three" Ok
      Llm chat
    "#);
}

#[test]
fn calls_that_only_messages_tell_keep_their_order_where_nothing_has_a_time() {
    let session = built(&[
        model("t/a", "Hi", "!c1=f c2=g", 0, 0),
        span("t/b", "chat", 0, 0).asked(&[("tool", "c1=1"), ("tool", "c2=2")]).says("!c3=h"),
    ]);
    let calls: Vec<_> = session.spans().map(|s| s.name.to_string()).collect();
    assert_eq!(calls, ["chat", "f", "g", "chat", "h"]);
    assert!(session.turns[0].spans[4].output.is_none(), "nobody says what became of the last call");
}

#[test]
fn a_result_under_an_id_that_is_used_again_belongs_to_nobody() {
    let turn = |trace: &str, start, history: &[(&str, &str)]| {
        [
            model(&format!("{trace}/m"), "Hi", "!call_0=f", start, start + 1).with("session.id", "s"),
            span(&format!("{trace}/n"), "chat", start + 5, start + 6).asked(history).says("Ok").with("session.id", "s"),
        ]
    };
    let mut all = turn("t1", 1, &[("tool", "call_0=old")]).to_vec();
    all.push(model("t2/m", "Hi", "!call_0=f", 21, 22).asked(&[("tool", "call_0=old")]).with("session.id", "s"));
    let session = built(&all);
    assert!(session.tool_calls().all(|(_, s)| s.output.is_none() && s.status != Well));
    let once = built(&all[..2]);
    assert_eq!(once.tool_calls().next().unwrap().1.output.as_ref().unwrap().as_str(), "old");
}

#[test]
fn the_results_of_a_sub_agents_tools_are_those_that_its_own_models_were_told() {
    let session = built(&[
        agent("t/a", "main", 1, 100),
        model("t/m1<a", "Hi", "!c1=ask", 2, 3),
        agent("t/sub<a", "sub", 5, 49),
        model("t/m2<sub", "do it", "!d1=f", 6, 7),
        span("t/m3<sub", "chat", 8, 9).asked(&[("tool", "d1=inner")]).says("sub said"),
        span("t/m4<a", "chat", 61, 70).asked(&[("tool", "c1=sub said")]).says("Done."),
    ]);
    let outputs: Vec<_> = session.tool_calls().map(|(_, s)| s.output.as_ref().map(|o| o.as_str())).collect();
    assert_eq!(outputs, [Some("sub said"), Some("inner")]);
}

#[test]
fn a_result_that_says_it_is_an_error_is_none_that_went_well() {
    let ended =
        |result: &str| built(&[tool("t/f", "f", 1, 2).call("c", "{}", result)]).tool_calls().next().unwrap().1.status;
    assert_eq!(ended(r#"{"status": "error", "error_message": "no such order"}"#), Error);
    for well in [r#"{"status": "ok", "errors": 0}"#, r#"{"errors": []}"#, "an error is near", "[1]"] {
        assert_eq!(ended(well), Well, "{well}");
    }
    let untold = built(&[tool("t/f", "f", 1, 2).call("c", "{}", "")]);
    assert_eq!(untold.tool_calls().next().unwrap().1.status, crate::model::SpanStatus::Unset);
}

#[test]
fn thousands_of_calls_meet_thousands_of_spans_once_each() {
    let n = 3000u64;
    let mut all = vec![tool("t/stale", "f", 1, 2).call("other", "{}", "x")];
    for i in 0..n {
        let at = 10 + 10 * i;
        all.push(model(&format!("t/m{i}"), "", &format!(r#"!c{i}=f{{"n":{i}}}"#), at, at + 1));
        all.push(tool(&format!("t/f{i}"), "f", at + 2, at + 3).call("", &format!(r#"{{"n":{i}}}"#), "x"));
    }
    let session = built(&all);
    assert_eq!(session.spans().filter(|s| s.kind == SpanKind::Tool).count() as u64, n + 1);
    assert!(
        session.tool_calls().skip(1).all(|(_, s)| s
            .input
            .as_ref()
            .unwrap()
            .as_str()
            .contains(&s.call_id.as_ref().unwrap()[1..]))
    );
}

#[test]
fn a_call_that_nothing_ran_is_not_known_to_have_ended_well() {
    let models = [
        model("t/m1", "Cancel it", "!c1=cancel{}", 11, 20),
        model("t/m2", "", "I cannot.", 31, 40)
            .asked(&[("user", "Cancel it"), ("tool", "c1=Unknown tool name: 'cancel'")]),
    ];
    let status = |spans: &[Given]| built(spans).tool_calls().next().unwrap().1.status;
    assert_eq!(status(&models), Well, "a client's spans show no tools, and messages call nothing an error");
    let agent = agent("t/a", "helper", 10, 100);
    let [first, second] = models;
    assert_eq!(status(&[agent, first, second]), SpanStatus::Unset);
}
