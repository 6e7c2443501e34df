//! What eval sets become, and where what is wrong with them stands.

use serde_json::json;

use crate::suite::case_files::read_file;
use crate::suite::{Case, cases::CaseTable};

fn tables(name: &str, text: &str) -> Vec<CaseTable> {
    let file = read_file(name, text).unwrap();
    assert!(file.warnings.is_empty());
    file.cases.into_iter().map(|c| c.case.unwrap()).collect()
}

fn cases(name: &str, text: &str) -> Vec<Case> {
    tables(name, text).into_iter().map(CaseTable::resolve).collect()
}

fn wrong(text: &str) -> Vec<(String, String)> {
    let faults = read_file("x.evalset.json", text).unwrap().cases.into_iter();
    faults.filter_map(|c| Some((text[c.place.clone()].to_owned(), c.case.err()?))).collect()
}

const SET: &str = r#"{"eval_set_id": "harbour", "name": "Harbour", "eval_cases": [
    {"eval_id": "berth", "conversation": [
        {"invocation_id": "1", "user_content": {"parts": [{"text": "Is berth 4 free?", "function_call": null}], "role": "user"},
         "final_response": {"parts": [{"thought": true, "text": "hm"}, {"text": "It is"}, {"text": "free."}]},
         "intermediate_data": {"tool_uses": [{"id": null, "name": "berth", "args": {"n": {"$matches": "4"}}}],
            "intermediate_responses": [["desk", [{"text": "looking"}]]]}, "rubrics": [{"rubric_id": "kind"}]},
        {"invocation_id": "2", "user_content": {"parts": [{"text": "Book it"}]},
         "final_response": {"parts": [{"text": "Booked."}]},
         "intermediate_data": {"invocation_events": [{"author": "desk", "content": {"parts": [
            {"text": "on it"}, {"function_call": {"name": "book", "args": {"n": 4}}}]}}, {"author": "desk"}]}},
        {"invocation_id": "3", "user_content": {"parts": [{"text": "Thanks"}]},
         "final_response": {"parts": [{"text": "Bye."}]}, "intermediate_data": {}}],
     "session_input": {"app_name": "harbour", "user_id": "u", "state": {"berths": 5}},
     "rubrics": [{"rubric_id": "short"}], "final_session_state": {"app:booked": 4, "a.b": {"c": 1}}},
    {"eval_id": "open", "conversation_scenario": {"starting_prompt": "Hi", "conversation_plan": "Book."},
     "final_session_state": {}}]}"#;

#[test]
fn an_eval_case_is_a_case_with_a_reference_for_each_turn() {
    let all = cases("harbour.evalset.json", SET);
    assert_eq!(all.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ["berth", "open"]);
    let berth = &all[0];
    let literal = json!({"n": {"$matches": "4"}});
    assert_eq!(
        berth.vars["turns"],
        json!([
            {"user": "Is berth 4 free?", "reference": {"tools": [{"name": "berth", "args": literal}], "answer": "It is\nfree."}},
            {"user": "Book it", "reference": {"tools": [{"name": "book", "args": {"n": 4}}], "answer": "Booked."}},
            {"user": "Thanks", "reference": {"tools": [], "answer": "Bye."}},
        ])
    );
    assert_eq!(
        berth.vars["reference"],
        json!({
            "tools": [{"name": "berth", "args": literal}, {"name": "book", "args": {"n": 4}}],
            "answer": "Bye.",
            "state": {"app:booked": 4, "\"a.b\"": {"c": 1}},
        })
    );
    assert_eq!(berth.vars["session_input"]["state"]["berths"], 5);
    assert_eq!(berth.vars["rubrics"][0]["rubric_id"], "short");
    assert_eq!(berth.vars["turn_rubrics"], json!([[{"rubric_id": "kind"}], null, null]));
    assert_eq!(berth.vars["eval_set_id"], "harbour");
    let tools = berth.expected.tools.as_ref().unwrap();
    assert!(tools[0].args.as_ref().unwrap().matches(Some(&literal)), "what looks like a matcher is data");
}

#[test]
fn a_scenario_is_a_case_without_turns_that_expects_nothing() {
    let open = &cases("harbour.evalset.json", SET)[1];
    assert!(open.turn_expected.is_empty() && open.expected.is_empty());
    assert_eq!(open.vars["conversation_scenario"]["starting_prompt"], "Hi");
    assert_eq!(open.vars["user"], json!([]));
}

#[test]
fn paths_to_odd_keys_of_the_state_name_those_keys() {
    use crate::checks::path::Path;
    for key in ["plain", "app:x", "a.b", "$", "*", "a\"b\\", "[0]", "", " "] {
        let state = json!({ key: 7 });
        let path = Path::parse(&super::path(key)).unwrap();
        assert_eq!(path.select(&state), [&json!(7)], "{key}");
    }
}

#[test]
fn camel_case_is_the_same_set() {
    let camel = [
        ("eval_set_id", "evalSetId"),
        ("eval_cases", "evalCases"),
        ("eval_id", "evalId"),
        ("user_content", "userContent"),
        ("final_response", "finalResponse"),
        ("intermediate_data", "intermediateData"),
        ("tool_uses", "toolUses"),
        ("invocation_events", "invocationEvents"),
        ("function_call", "functionCall"),
        ("session_input", "sessionInput"),
        ("final_session_state", "finalSessionState"),
        ("conversation_scenario", "conversationScenario"),
    ]
    .iter()
    .fold(SET.to_owned(), |text, (snake, camel)| text.replace(&format!("\"{snake}\""), &format!("\"{camel}\"")));
    let vars = |text: &str| cases("x.json", text).into_iter().map(|c| c.vars).collect::<Vec<_>>();
    assert_eq!(vars(&camel), vars(SET));
}

#[test]
fn what_is_not_said_is_not_expected() {
    let text = r#"{"eval_cases": [{"case_id": "a", "conversation": [
        {"user_content": {"parts": [{"text": "q"}]}},
        {"user_content": {"parts": [{"text": "r"}]}, "final_response": {"parts": [{"text": " "}]}, "intermediate_data": {"tool_uses": []}},
        {"user_content": {"parts": null}, "agent_content": {"parts": [{"function_call": {"name": "f"}}]}},
        {"user_content": {"parts": [{"text": "s"}]}, "intermediate_data": {"role": "model", "parts": [{"function_call": {"name": "f"}}]},
         "agent_content": {"parts": [{"function_call": {"name": "f"}}]}}]}]}"#;
    let case = &cases("x.json", text)[0];
    assert_eq!(
        case.vars["turns"],
        json!([{"user": "q"}, {"user": "r", "reference": {"tools": []}},
        {"reference": {"tools": [{"name": "f"}]}}, {"user": "s", "reference": {"tools": [{"name": "f"}]}}])
    );
    assert_eq!(case.vars["reference"], json!({}), "the first turn does not say which calls, the last not which answer");
    assert_eq!(case.turn_expected.len(), 4);
}

#[test]
fn the_older_lists_are_read() {
    let old = r#"[{"query": "q", "expected_tool_use": [{"tool_name": "f", "tool_input": {"a": 1}}], "reference": "x"},
        {"query": "r", "expected_tool_use": [], "reference": ""}]"#;
    let case = &cases("evals/berth.test.json", old)[0];
    assert_eq!(case.id, "berth");
    assert_eq!(case.vars["user"], json!(["q", "r"]));
    assert_eq!(case.vars["reference"], json!({"tools": [{"name": "f", "args": {"a": 1}}]}));
    let named = format!(
        r#"[{{"name": "n", "data": {old}, "initial_session": {{"state": {{"a": 1}}}}}}, {{"name": "m", "data": []}}]"#
    );
    let all = cases("set.evalset.json", &named);
    assert_eq!((all[0].id.as_str(), all[1].id.as_str(), all[0].turn_expected.len()), ("n", "m", 2));
    assert_eq!(all[0].vars["session_input"]["state"]["a"], 1);
    assert_eq!(all[1].vars["reference"], json!({}));
}

#[test]
fn what_is_wrong_stands_at_its_case_or_turn() {
    let text = r#"{"eval_cases": [{"eval_id": "a"}, {"eval_id": "b", "conversation": [], "conversation_scenario": {}},
        {"conversation": []}, {"eval_id": "c", "conversation": [{"invocation_id": "1"}]}, 7]}"#;
    let faults = wrong(text);
    let places: Vec<_> = faults.iter().map(|f| f.0.as_str()).collect();
    assert_eq!(places[0], r#"{"eval_id": "a"}"#);
    assert_eq!((places.len(), places[4]), (5, "7"));
    assert!(faults[0].1.contains("either `conversation` or") && faults[1].1.contains("either"), "{faults:?}");
    assert!(faults[2].1.contains("eval_id") && faults[3].1.contains("user_content"), "{faults:?}");
    let old = wrong(r#"[{"query": "q"}, {"reference": "x"}]"#);
    assert_eq!(old[0].0, r#"{"reference": "x"}"#);
    for other in ["{\"criteria\": {}}", "nonsense", "[1", "7"] {
        assert!(read_file("x.json", other).err().is_some_and(|why| why.contains("eval set")), "{other}");
    }
    assert!(read_file("x.json", "[]").unwrap().cases.is_empty());
    let deep = format!(
        "{{\"eval_cases\":[{{\"eval_id\":\"a\",\"rubrics\":{}1{}}}]}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let refused = read_file("x.json", &deep).map(|f| f.cases.iter().all(|c| c.case.is_err()));
    assert!(refused.is_err() || refused.is_ok_and(|all| all));
}
