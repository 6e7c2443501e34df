//! Tests of the tau2-bench format on small recordings made for them.

use super::*;
use crate::model::{LeftOut, SpanKind, SpanStatus, Usage};

const INFO: &str = r#"{"agent_info":{"implementation":"llm_agent","llm":"m-1"},"environment_info":{"domain_name":"phone","policy":"..."}}"#;
const TASKS: &str = r#"[{"id":"t1","ticket":"Fix it.","evaluation_criteria":{"actions":[
    {"name":"find","arguments":{"id":"L1","note":"x"},"compare_args":["id"],"requestor":"assistant"},
    {"name":"reboot","arguments":{},"requestor":"user"},
    {"name":"hand_over","arguments":{"why":"x"},"compare_args":[]},
    {"name":"refuel","arguments":{"gb":2},"compare_args":null}],
    "communicate_info":["2 GB"]}},
    {"id":"t2","evaluation_criteria":{"actions":null,"communicate_info":null}}]"#;
const SIMULATION: &str = r####"{"id":"s-1","task_id":"t1","timestamp":"x","start_time":"1970-01-01T00:00:00",
    "end_time":"1970-01-01T00:01:00+00:00","duration":60.0,"termination_reason":"user_stop","agent_cost":0.25,
    "user_cost":0.5,"reward_info":{"reward":1.0,"db_check":null},"trial":0,"seed":9,"messages":[
    {"role":"assistant","content":"Hi!","cost":0.0,"usage":null,"timestamp":"1970-01-01T00:00:01"},
    {"role":"user","content":"No data","cost":0.3,"usage":{"prompt_tokens":900,"completion_tokens":9},"timestamp":"1970-01-01T00:00:02"},
    {"role":"assistant","content":null,"tool_calls":[{"id":"c1","name":"find","arguments":{"id":"L1"},"requestor":"assistant"}],
     "cost":0.1,"usage":{"prompt_tokens":10,"completion_tokens":2},"timestamp":"1970-01-01T00:00:04","generation_time_seconds":1.5},
    {"role":"tool","id":"c1","content":"busy","requestor":"assistant","error":true,"timestamp":"1970-01-01T00:00:05"},
    {"role":"assistant","content":"Please reboot.","cost":0.15,"usage":{"prompt_tokens":20,"completion_tokens":3},"timestamp":"1970-01-01T00:00:06"},
    {"role":"user","content":null,"tool_calls":[{"id":"c1","name":"reboot","arguments":{},"requestor":"user"}],"timestamp":"1970-01-01T00:00:07"},
    {"role":"tool","id":"c1","content":"Error: no battery","requestor":"user","error":false,"timestamp":"1970-01-01T00:00:08"},
    {"role":"user","content":"###STOP###","tool_calls":null,"timestamp":"1970-01-01T00:00:09"}]}"####;

fn decoder(info: &str, tasks: &str) -> Decode {
    Tau2Bench.decoder(&[Some(info.as_bytes().to_vec()), Some(tasks.as_bytes().to_vec())]).unwrap()
}

fn decode(text: &str) -> Session<'_> {
    decoder(INFO, TASKS).decode(text.as_bytes(), 0, "f").unwrap()
}

#[test]
fn a_simulation_becomes_a_session() {
    let s = decode(SIMULATION);
    assert_eq!((s.id.as_str(), s.case.as_deref(), s.trial.as_deref()), ("s-1", Some("t1"), Some("0")));
    assert_eq!((s.agent.as_deref(), s.version.as_deref(), s.reward), (Some("llm_agent"), None, Some(1.0)));
    assert_eq!((s.start_ns, s.end_ns), (Some(0), Some(60_000_000_000)));
    assert_eq!(s.attributes.get("termination_reason").unwrap().as_str(), "user_stop");
    assert_eq!(s.attributes.get("user_cost").unwrap().json().unwrap(), 0.5);
    assert_eq!(s.attributes.get("domain").unwrap().as_str(), "phone");
    assert!(s.failure.is_none());
}

#[test]
fn the_greeting_is_before_the_first_turn_and_no_model_call() {
    let s = decode(SIMULATION);
    assert_eq!(s.spans.len(), 1);
    assert_eq!(s.spans[0].kind, SpanKind::Other);
    assert_eq!(s.spans[0].output.as_ref().unwrap().as_str(), "Hi!");
}

#[test]
fn the_users_calls_cost_and_tokens_are_not_the_agents() {
    let s = decode(SIMULATION);
    assert_eq!(s.tool_calls().map(|(_, c)| c.name.to_string()).collect::<Vec<_>>(), ["find"]);
    let own = s.spans().find(|s| s.name == "reboot").unwrap();
    assert_eq!((own.kind, own.status), (SpanKind::Other, SpanStatus::Error));
    assert_eq!(own.attributes.get("requestor").unwrap().as_str(), "user");
    assert_eq!(own.output.as_ref().unwrap().as_str(), "Error: no battery");
    let input: u64 = s.spans().filter_map(|s| s.usage?.input).sum();
    let cost: i64 = s.spans().filter_map(|s| s.cost_usd).map(|c| c.0).sum();
    assert_eq!((input, cost), (30, 250_000_000));
}

#[test]
fn a_message_of_only_the_users_calls_starts_no_turn_and_a_stop_does() {
    let s = decode(SIMULATION);
    let users: Vec<_> = s.turns.iter().map(|t| t.user.as_deref()).collect();
    assert_eq!(users, [Some("No data"), Some("###STOP###")]);
    assert_eq!(s.turns[0].reply.as_deref(), Some("Please reboot."));
    assert_eq!((s.turns[0].start_ns, s.turns[0].end_ns), (Some(2_000_000_000), Some(6_000_000_000)));
}

#[test]
fn messages_carry_times_usage_and_errors() {
    let s = decode(SIMULATION);
    let llm = &s.turns[0].spans[0];
    assert_eq!((llm.start_ns, llm.end_ns), (Some(2_500_000_000), Some(4_000_000_000)));
    assert_eq!(llm.usage, Some(Usage { input: Some(10), output: Some(2), ..Usage::default() }));
    assert_eq!(llm.model.as_deref(), Some("m-1"));
    let tool = &s.turns[0].spans[1];
    assert_eq!((tool.status, tool.status_message.as_deref()), (SpanStatus::Error, Some("busy")));
    assert_eq!(tool.duration_ns(), Some(1_000_000_000));
}

#[test]
fn the_reference_is_the_agents_part_and_respects_compare_args() {
    let s = decode(SIMULATION);
    let reference = s.reference.unwrap();
    let tools: Vec<_> = reference
        .tools
        .as_ref()
        .unwrap()
        .iter()
        .map(|c| (c.name.to_string(), c.args.as_ref().map(|a| a.as_str().to_owned())))
        .collect();
    assert_eq!(
        tools,
        [
            ("find".into(), Some(r#"{"id":"L1"}"#.into())),
            ("hand_over".into(), None),
            ("refuel".into(), Some(r#"{"gb":2}"#.into()))
        ]
    );
    assert_eq!(reference.facts.unwrap(), ["2 GB"]);
    let s = SIMULATION.replace("\"t1\"", "\"t2\"");
    let reference = decode(&s).reference.unwrap();
    assert!(reference.tools.is_none() && reference.facts.is_none());
    let s = SIMULATION.replace("\"t1\"", "\"t3\"");
    assert!(decode(&s).reference.is_none());
}

#[test]
fn an_infrastructure_error_is_a_failed_recording_and_an_agent_error_is_not() {
    for (reason, failed) in [("infrastructure_error", true), ("user_error", true), ("agent_error", false)] {
        let text = SIMULATION.replace("user_stop", reason).replace(r#"{"reward":1.0,"db_check":null}"#, "null");
        let s = decode(&text);
        assert_eq!(s.failure.map(|f| f.kind.to_string()), failed.then(|| reason.to_owned()));
        assert_eq!(s.reward, None);
    }
}

#[test]
fn a_solo_agent_works_on_the_ticket_in_one_turn() {
    let text = r####"{"id":"s","task_id":"t1","termination_reason":"agent_stop","messages":[
        {"role":"assistant","tool_calls":[{"id":"c","name":"find","arguments":{}}],"usage":{"prompt_tokens":1,"completion_tokens":1}},
        {"role":"tool","id":"c","content":"ok"},
        {"role":"assistant","content":"###STOP###","usage":{"prompt_tokens":1,"completion_tokens":1}}]}"####;
    let solo = decoder(&INFO.replace("llm_agent", "llm_agent_solo"), TASKS);
    let s = solo.decode(text.as_bytes(), 0, "f").unwrap();
    assert_eq!((s.spans.len(), s.turns.len()), (0, 1));
    assert_eq!(s.turns[0].user.as_deref(), Some("Fix it."));
    assert_eq!(s.turns[0].spans.len(), 3);
    assert_eq!(s.turns[0].reply.as_deref(), Some("###STOP###"));
}

#[test]
fn a_solo_agent_is_expected_to_take_the_users_actions_too() {
    let solo = decoder(&INFO.replace("llm_agent", "llm_agent_solo"), TASKS);
    let reference = solo.decode(SIMULATION.as_bytes(), 0, "f").unwrap().reference.unwrap();
    let names: Vec<_> = reference.tools.unwrap().iter().map(|c| c.name.to_string()).collect();
    assert_eq!(names, ["find", "reboot", "hand_over", "refuel"]);
}

#[test]
fn a_simulation_without_its_messages_cannot_be_evaluated_and_one_with_none_can() {
    for missing in [r#"{"id":"s","task_id":"t1"}"#, r#"{"id":"s","task_id":"t1","messages":null}"#] {
        assert_eq!(decode(missing).failure.unwrap().kind, "no_transcript");
    }
    assert!(decode(r#"{"id":"s","task_id":"t1","messages":[]}"#).failure.is_none());
}

#[test]
fn a_voice_simulation_without_messages_cannot_be_evaluated() {
    let text =
        r#"{"id":"s","task_id":"t1","termination_reason":"user_stop","mode":"full_duplex","ticks":[{"tick_id":0}]}"#;
    let s = decode(text);
    assert_eq!(s.failure.unwrap().kind, "no_transcript");
    assert!(s.turns.is_empty());
}

#[test]
fn damage_is_a_problem_of_its_kind() {
    let d = decoder(INFO, TASKS);
    assert_eq!(d.decode(&SIMULATION.as_bytes()[..400], 0, "f").unwrap_err().kind, LeftOut::Truncated);
    assert_eq!(d.decode(br#"{"id":"s"}"#, 0, "f").unwrap_err().kind, LeftOut::Malformed);
    assert!(Tau2Bench.decoder(&[None, Some(b"{}".to_vec())]).is_err());
    assert!(Tau2Bench.decoder(&[None, None]).is_ok());
}

#[test]
fn sniffs_envelopes_folders_and_headers_without_simulations() {
    let sniff =
        |bytes: &str, whole| Tau2Bench.sniff(&Head { path: Path::new("f.json"), bytes: bytes.as_bytes(), whole });
    let file = format!("{{\"timestamp\":\"x\",\"info\":{INFO},\"tasks\":{TASKS},\"simulations\":[{SIMULATION}]}}");
    assert_eq!(sniff(&file, true), Some(ENVELOPE));
    assert_eq!(sniff(&file[..300], false), Some(ENVELOPE));
    assert_eq!(sniff(&format!("{{\"info\":{INFO},\"tasks\":{TASKS}}}"), true), Some(ENVELOPE));
    assert_eq!(sniff(SIMULATION, true), Some(Layout::Values));
    assert_eq!(sniff(r#"{"info":{"title":"api"},"tasks":[]}"#, true), None);
    assert_eq!(sniff(r#"{"name":"pkg","version":"1.0.0"}"#, true), None);
}

#[test]
fn the_companion_of_a_simulation_is_beside_its_folder() {
    let companion = |p: &str| Tau2Bench.companion(Path::new(p));
    assert_eq!(companion("a/simulations/1.json"), Some(PathBuf::from("a/results.json")));
    assert_eq!(companion("simulations/1.json"), Some(PathBuf::from("results.json")));
    assert_eq!(companion("a/results.json"), None);
}
