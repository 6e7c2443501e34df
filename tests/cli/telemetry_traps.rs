//! What real SDKs do and an importer gets wrong at first, end to end: each trap here is one that was seen in a
//! recording.

use serde_json::{Value, json};

use crate::project::Project;

/// An attribute with a text.
fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// A span of a trace by its number, below another if that is not 0, for a second from `start`.
fn span(trace: u32, id: u32, parent: u32, start: u32, name: &str, attributes: &[Value]) -> Value {
    let parent = if parent == 0 { String::new() } else { format!("{parent:016x}") };
    json!({
        "traceId": format!("{trace:032x}"), "spanId": format!("{id:016x}"), "parentSpanId": parent, "name": name,
        "startTimeUnixNano": format!("{}000000000", 1_700_000_000 + start),
        "endTimeUnixNano": format!("{}000000000", 1_700_000_001 + start), "attributes": attributes,
    })
}

fn request(scope: &str, spans: &[Value]) -> String {
    json!({ "resourceSpans": [{ "scopeSpans": [{ "scope": { "name": scope }, "spans": spans }] }] }).to_string()
}

/// The sessions of some requests, one a file.
fn sessions(requests: &[String]) -> Vec<Value> {
    let project = Project::new();
    let names: Vec<String> = (0..requests.len()).map(|i| format!("{i}.json")).collect();
    names.iter().zip(requests).for_each(|(name, request)| drop(project.file(name, request)));
    let args: Vec<&str> = ["import"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let said = project.seatrial(&args).code(0);
    said.out.lines().map(|line| serde_json::from_str(line).expect("a session")).collect()
}

fn messages(role: &str, part: &Value) -> String {
    json!([{ "role": role, "parts": [part] }]).to_string()
}

#[test]
fn one_span_that_names_the_session_names_it_for_its_whole_trace_in_whichever_file_it_is() {
    let server = span(1, 1, 99, 0, "POST /chat", &[]);
    let agent =
        span(1, 2, 1, 1, "invoke_agent", &[text("gen_ai.operation.name", "invoke_agent"), text("session.id", "s")]);
    let tool = span(1, 3, 2, 2, "execute_tool f", &[text("gen_ai.operation.name", "execute_tool")]);
    for order in [[0, 1, 2], [2, 0, 1], [2, 1, 0]] {
        let all = [&server, &agent, &tool];
        let requests: Vec<String> = order.iter().map(|i| request("s", std::slice::from_ref(all[*i]))).collect();
        let found = sessions(&requests);
        assert_eq!((found.len(), &found[0]["id"]), (1, &json!("s")), "{order:?}");
        assert_eq!(found[0]["turns"][0]["spans"].as_array().map(Vec::len), Some(3), "{order:?}");
    }
}

#[test]
fn arguments_that_are_no_json_are_kept_as_they_are_and_match_nothing() {
    let call = |arguments: &str| {
        span(
            1,
            1,
            0,
            0,
            "execute_tool f",
            &[
                text("gen_ai.operation.name", "execute_tool"),
                text("gen_ai.tool.name", "f"),
                text("gen_ai.tool.call.arguments", arguments),
            ],
        )
    };
    let input =
        |arguments: &str| sessions(&[request("s", &[call(arguments)])])[0]["turns"][0]["spans"][0]["input"].clone();
    assert_eq!(input("{'city': 'X'}"), "{'city': 'X'}", "Python's way of writing it");
    assert_eq!(input(r#""{\"city\": \"X\"}""#), r#"{"city": "X"}"#, "encoded twice");
    let check = "[[session]]\nid = \"t\"\ncheck = \"calls\"\ntool = \"f\"\nargs = { city = \"X\" }\n";
    let project = Project::with(&format!("[recorded]\npaths = [\"t.json\"]\n{check}"), &[]);
    project.file("t.json", request("s", &[call("{'city': 'X'}")]));
    project.run().code(1).says("not valid JSON");
    project.file("t.json", request("s", &[call(r#""{\"city\": \"X\"}""#)]));
    project.run().code(0);
}

#[test]
fn arguments_whose_names_the_tools_span_lost_are_those_that_the_model_said() {
    let asked = messages(
        "assistant",
        &json!({ "type": "tool_call", "id": "c1", "name": "lookup", "arguments": { "order_id": "A1001" } }),
    );
    let model =
        span(1, 2, 1, 1, "chat", &[text("gen_ai.operation.name", "chat"), text("gen_ai.output.messages", &asked)]);
    let agent = span(1, 1, 0, 0, "invoke_agent", &[text("gen_ai.operation.name", "invoke_agent")]);
    let tool = span(
        1,
        3,
        1,
        2,
        "lookup",
        &[
            text("openinference.span.kind", "TOOL"),
            text("tool.name", "lookup"),
            text("input.value", "A1001"),
            text("output.value", "found"),
        ],
    );
    let found = sessions(&[request("s", &[agent, model, tool])]);
    let spans = found[0]["turns"][0]["spans"].as_array().expect("spans").clone();
    let tools: Vec<&Value> = spans.iter().filter(|s| s["kind"] == "tool").collect();
    assert_eq!(tools.len(), 1, "{found:?}");
    assert_eq!((&tools[0]["input"], &tools[0]["output"]), (&json!({ "order_id": "A1001" }), &json!("found")));
}

#[test]
fn the_first_token_is_in_the_unit_of_its_attribute_and_never_guessed() {
    let first_token = |scope: &str, attribute: Value| {
        let chat = span(1, 1, 0, 0, "chat", &[text("gen_ai.operation.name", "chat"), attribute]);
        sessions(&[request(scope, &[chat])])[0]["turns"][0]["spans"][0]["ttft_ns"].clone()
    };
    let number = |key: &str, value: f64| json!({ "key": key, "value": { "doubleValue": value } });
    // Half a second, and half of a millisecond's thousandfold.
    assert_eq!(first_token("s", number("gen_ai.response.time_to_first_chunk", 0.5)), 500_000_000);
    assert_eq!(
        first_token("strands.telemetry.tracer", number("gen_ai.server.time_to_first_token", 500.0)),
        500_000_000
    );
}

#[test]
fn line_separators_and_escaped_pairs_are_text() {
    let said = r#"[{"role":"assistant","parts":[{"type":"text","content":"a\u2028b \ud83d\ude00"}]}]"#;
    let chat = |said: &str| {
        span(1, 1, 0, 0, "chat", &[text("gen_ai.operation.name", "chat"), text("gen_ai.output.messages", said)])
    };
    let raw = said.replace("\\u2028", "\u{2028}");
    for said in [said, &raw] {
        assert_eq!(sessions(&[request("s", &[chat(said)])])[0]["turns"][0]["reply"], "a\u{2028}b 😀");
    }
}

#[test]
fn a_batch_that_is_delivered_twice_and_a_trace_whose_parent_comes_last_change_nothing() {
    let agent = span(1, 1, 0, 0, "invoke_agent", &[text("gen_ai.operation.name", "invoke_agent")]);
    let said = messages("assistant", &json!({ "type": "text", "content": "Done." }));
    let usage = json!({ "key": "gen_ai.usage.input_tokens", "value": { "intValue": "5" } });
    let model = span(
        1,
        2,
        1,
        1,
        "chat",
        &[text("gen_ai.operation.name", "chat"), text("gen_ai.output.messages", &said), usage],
    );
    let once = sessions(&[request("s", &[agent.clone(), model.clone()])]);
    let late = sessions(&[request("s", std::slice::from_ref(&model)), request("s", &[agent]), request("s", &[model])]);
    assert_eq!((once.len(), late.len()), (1, 1));
    assert_eq!(once[0]["turns"], late[0]["turns"]);
    assert_eq!(late[0]["notes"], json!(["1 records that arrived again"]));
}
