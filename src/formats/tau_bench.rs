//! tau-bench result files: an array (or lines) of trials `{task_id, reward, info, traj, trial}`, where `traj` is an
//! OpenAI chat transcript and `info.task` says what was expected. This is the format that is read most; its elements
//! are decoded straight into borrowed structs.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::peek::{Shape, shape};
use super::transcript::{ToolResult, Transcript, says_error};
use super::wire::{self, Content};
use super::{Decode, Decoder, Format, Head, Layout, json_layout};
use crate::model::json::Texts;
use crate::model::{Failure, LeftOut, Payload, Problem, RefCall, Reference, Session, Span, SpanKind, Text};

/// The `tau-bench` format.
pub struct TauBench;

impl Format for TauBench {
    fn name(&self) -> &'static str {
        "tau-bench"
    }

    fn doc(&self) -> &'static str {
        "Result files of tau-bench, as a JSON array or as JSON lines. A session is one trial of one task, with the id \
         `task/trial`; the task's actions and outputs become the reference, the reward is kept, and a tool result that \
         begins with `Error` is a tool error. A trial that broke before it had a transcript is a failed recording \
         (`run_error`), never a failing agent."
    }

    fn sniff(&self, head: &Head<'_>) -> Option<Layout> {
        let shape = shape(head);
        looks_like_trial(shape.element()).then(|| json_layout(head))
    }

    fn layout(&self, head: &Head<'_>) -> Layout {
        json_layout(head)
    }

    fn decoder(&self, _headers: &[Option<Vec<u8>>]) -> Result<Decode, Problem> {
        Ok(Decode::sessions(TrialDecoder))
    }
}

fn looks_like_trial(shape: &Shape) -> bool {
    shape.has("task_id") && (shape.has_array("traj") || (shape.has("reward") && shape.has("info")))
}

#[derive(Deserialize)]
struct Trial<'a> {
    #[serde(borrow)]
    task_id: Payload<'a>,
    #[serde(borrow, default)]
    trial: Option<Payload<'a>>,
    #[serde(default)]
    reward: Option<f64>,
    #[serde(borrow, default)]
    info: Option<Info<'a>>,
    #[serde(borrow)]
    traj: Talk<'a>,
}

#[derive(Deserialize)]
struct Info<'a> {
    #[serde(borrow, default)]
    task: Option<Task<'a>>,
    #[serde(borrow, default)]
    source: Option<Payload<'a>>,
    #[serde(borrow, default)]
    user_cost: Option<Payload<'a>>,
    #[serde(borrow, default)]
    reward_info: Option<Payload<'a>>,
    #[serde(borrow, default)]
    error: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct Task<'a> {
    #[serde(borrow, default)]
    user_id: Option<Payload<'a>>,
    #[serde(borrow, default)]
    actions: Option<Vec<Action<'a>>>,
    #[serde(borrow, default)]
    outputs: Option<Vec<Payload<'a>>>,
    #[serde(borrow, default)]
    instruction: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Action<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow, default)]
    kwargs: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(borrow, default)]
    content: Content<'a>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<Call<'a>>>,
    #[serde(borrow, default)]
    tool_call_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    function: Function<'a>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow, default)]
    arguments: Option<Payload<'a>>,
}

/// The messages of a trial, put into turns as they are read: they are too large to be moved about.
#[derive(Default)]
struct Talk<'a> {
    transcript: Transcript<'a>,
    instructions: Option<Text<'a>>,
    messages: usize,
    /// What is wrong with the first message that has no meaning.
    problem: Option<Problem>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Talk<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Talk<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of messages")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut talk = Talk::default();
                while let Some(message) = seq.next_element()? {
                    talk.messages += 1;
                    if talk.problem.is_none() {
                        talk.problem = talk.add(message).err();
                    }
                }
                Ok(talk)
            }
        }
        d.deserialize_seq(V)
    }
}

struct TrialDecoder;

impl Decoder for TrialDecoder {
    fn decode<'a>(&self, element: &'a [u8], _index: u64, _source: &str) -> Result<Session<'a>, Problem> {
        wire::parse::<Trial<'a>>(element)?.session()
    }

    fn decode_in<'a>(
        &self,
        element: &'a [u8],
        texts: &'a Texts,
        _index: u64,
        _source: &str,
    ) -> Result<Session<'a>, Problem> {
        wire::parse_in::<Trial<'a>>(element, texts)?.session()
    }
}

impl<'a> Trial<'a> {
    fn session(self) -> Result<Session<'a>, Problem> {
        let trial = self;
        let mut session = Session { reward: trial.reward, ..Session::default() };
        identify(&mut session, trial.task_id, trial.trial)?;
        if let Some(info) = trial.info {
            describe(&mut session, info, trial.traj.messages == 0);
        }
        let Talk { mut transcript, instructions, problem, .. } = trial.traj;
        if let Some(problem) = problem {
            return Err(problem);
        }
        session.instructions = instructions;
        transcript.close();
        transcript.finish_whole(&mut session, None);
        Ok(session)
    }
}

/// Names the session after its task and trial.
fn identify<'a>(session: &mut Session<'a>, task: Payload<'a>, trial: Option<Payload<'a>>) -> Result<(), Problem> {
    let scalar = |p: &Payload<'_>| !p.is_json() || !p.as_str().starts_with(['[', '{']);
    if !scalar(&task) || !trial.as_ref().is_none_or(scalar) {
        return Err(Problem::new(LeftOut::Malformed, "`task_id` and `trial` must be numbers or strings"));
    }
    session.id = match &trial {
        Some(trial) => format!("{}/{}", task.as_str(), trial.as_str()).into(),
        None => task.clone().into_text(),
    };
    session.case = Some(task.clone().into_text());
    session.trial = trial.clone().map(Payload::into_text);
    session.attributes.push("task_id", task);
    if let Some(trial) = trial {
        session.attributes.push("trial", trial);
    }
    Ok(())
}

/// Adds the reference and what else the trial's `info` says.
fn describe<'a>(session: &mut Session<'a>, info: Info<'a>, no_transcript: bool) {
    if let Some(error) = info.error.filter(|_| no_transcript) {
        session.failure = Some(Failure { kind: "run_error".into(), message: Some(error.into_text()) });
    }
    let attributes = [("source", info.source), ("user_cost", info.user_cost), ("reward_info", info.reward_info)];
    session.attributes.push_some(attributes);
    if let Some(task) = info.task {
        let attributes = [("user_id", task.user_id), ("instruction", task.instruction.map(Payload::text))];
        session.attributes.push_some(attributes);
        let call = |a: Action<'a>| RefCall { name: a.name, args: a.kwargs };
        session.reference = Some(Reference {
            tools: task.actions.map(|actions| actions.into_iter().map(call).collect()),
            facts: task.outputs.map(|outputs| outputs.into_iter().map(Payload::into_text).collect()),
            ..Reference::default()
        });
    }
}

impl<'a> Talk<'a> {
    /// Puts a message where it belongs.
    fn add(&mut self, message: Message<'a>) -> Result<(), Problem> {
        let transcript = &mut self.transcript;
        match message.role.as_str() {
            "user" => {
                transcript.user(message.content.text());
            }
            "assistant" => {
                let calls = message.tool_calls.unwrap_or_default();
                let span = Span { kind: SpanKind::Llm, name: "chat".into(), ..Span::default() };
                transcript.assistant(span, message.content.text(), !calls.is_empty());
                for call in calls {
                    transcript.call(Span {
                        kind: SpanKind::Tool,
                        name: call.function.name,
                        call_id: call.id,
                        input: call.function.arguments,
                        ..Span::default()
                    });
                }
            }
            "tool" | "function" => {
                let output = message.content.text().map(Payload::text);
                transcript.result(ToolResult {
                    id: message.tool_call_id,
                    name: message.name,
                    kind: SpanKind::Tool,
                    error: says_error(output.as_ref()),
                    output,
                    end_ns: None,
                });
            }
            "system" | "developer" => {
                if self.instructions.is_none() {
                    self.instructions = message.content.text();
                }
            }
            other => return Err(wire::unknown_role(other)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::SpanStatus;

    const TRIAL: &str = r####"{"task_id": 7, "reward": 1.0, "info": {"task": {"user_id": "ann", "actions":
        [{"name": "cancel", "kwargs": {"id": "R1"}}], "instruction": "Cancel.", "outputs": ["42"]}, "source": "user",
        "user_cost": null, "reward_info": {"reward": 1.0}}, "traj": [
        {"role": "system", "content": "Policy"},
        {"role": "user", "content": "Cancel \"R1\""},
        {"role": "assistant", "content": null, "tool_calls": [
          {"id": "c", "type": "function", "function": {"name": "find", "arguments": "{\"id\":\"R1\"}"}}]},
        {"role": "tool", "tool_call_id": "c", "name": "find", "content": "{\"id\":\"R1\"}"},
        {"role": "assistant", "content": "", "tool_calls": [
          {"id": "c", "type": "function", "function": {"name": "cancel", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "c", "name": "cancel", "content": "Error: not allowed"},
        {"role": "assistant", "content": "I cannot."},
        {"role": "user", "content": "###STOP###"}], "trial": 2}"####;

    fn decode(text: &str) -> Result<Session<'_>, Problem> {
        TrialDecoder.decode(text.as_bytes(), 0, "f")
    }

    #[test]
    fn a_trial_becomes_a_session_with_its_reference() {
        let s = decode(TRIAL).unwrap();
        assert_eq!((s.id.as_str(), s.case.as_deref(), s.trial.as_deref()), ("7/2", Some("7"), Some("2")));
        assert_eq!(s.reward, Some(1.0));
        assert_eq!(s.instructions.as_deref(), Some("Policy"));
        let reference = s.reference.as_ref().unwrap();
        let tools = reference.tools.as_ref().unwrap();
        assert_eq!((tools[0].name.as_str(), tools[0].args.as_ref().unwrap().as_str()), ("cancel", r#"{"id": "R1"}"#));
        assert_eq!(reference.facts.as_ref().unwrap()[0], "42");
        assert_eq!(s.attributes.get("task_id").unwrap().json().unwrap(), 7);
        assert_eq!(s.attributes.get("user_id").unwrap().as_str(), "ann");
        assert!(s.attributes.get("user_cost").is_none());
    }

    #[test]
    fn repeated_call_ids_pair_with_the_earliest_open_call() {
        let s = decode(TRIAL).unwrap();
        let calls: Vec<_> = s.tool_calls().map(|(_, c)| c).collect();
        assert_eq!(calls[0].status, SpanStatus::Ok);
        assert_eq!(calls[0].output.as_ref().unwrap().as_str(), r#"{"id":"R1"}"#);
        assert_eq!(calls[1].status, SpanStatus::Error);
        assert_eq!(calls[1].status_message.as_deref(), Some("Error: not allowed"));
        assert_eq!(calls[1].input.as_ref().unwrap().as_str(), "");
        assert!(calls[1].input.as_ref().unwrap().json().is_none());
    }

    #[test]
    fn the_stop_message_is_a_turn_as_recorded() {
        let s = decode(TRIAL).unwrap();
        assert_eq!(s.turns.len(), 2);
        assert_eq!(s.turns[0].user.as_deref(), Some("Cancel \"R1\""));
        assert_eq!(s.turns[0].reply.as_deref(), Some("I cannot."));
        assert_eq!(s.turns[1].user.as_deref(), Some("###STOP###"));
        assert_eq!(s.turns[1].reply, None);
    }

    #[test]
    fn absent_expectations_are_not_empty_ones() {
        let s = decode(r#"{"task_id":"a","traj":[],"info":{"task":{"actions":[]}}}"#).unwrap();
        let reference = s.reference.unwrap();
        assert_eq!(reference.tools.unwrap().len(), 0);
        assert!(reference.facts.is_none());
        assert!(decode(r#"{"task_id":"a","traj":[],"info":{}}"#).unwrap().reference.is_none());
        assert_eq!(decode(r#"{"task_id":"a","traj":[]}"#).unwrap().reward, None);
    }

    #[test]
    fn a_trial_that_broke_is_a_failed_recording() {
        let s =
            decode(r#"{"task_id":1,"reward":0.0,"info":{"error":"rate limit","traceback":"..."},"traj":[],"trial":0}"#);
        let failure = s.unwrap().failure.unwrap();
        assert_eq!((failure.kind.as_str(), failure.message.as_deref()), ("run_error", Some("rate limit")));
    }

    #[test]
    fn damage_is_a_problem_of_its_kind() {
        assert_eq!(decode(&TRIAL[..300]).unwrap_err().kind, LeftOut::Truncated);
        assert_eq!(decode(r#"{"task_id":1}"#).unwrap_err().kind, LeftOut::Malformed);
        assert_eq!(decode(r#"{"task_id":[1],"traj":[]}"#).unwrap_err().kind, LeftOut::Malformed);
        assert_eq!(decode(r#"{"task_id":1,"traj":[{"role":"robot"}]}"#).unwrap_err().kind, LeftOut::Malformed);
    }

    #[test]
    fn sniffs_arrays_lines_and_cut_heads() {
        let sniff =
            |bytes: &str, whole| TauBench.sniff(&Head { path: Path::new("f.json"), bytes: bytes.as_bytes(), whole });
        assert_eq!(sniff(&format!("[{TRIAL}]"), true), Some(Layout::Array));
        assert_eq!(sniff(&TRIAL.replace('\n', " "), true), Some(Layout::Lines));
        assert_eq!(sniff(&format!("[{}", &TRIAL[..90]), false), Some(Layout::Array));
        assert_eq!(sniff(r#"{"task_id":"1","messages":[]}"#, true), None);
        assert_eq!(sniff("[]", true), None);
    }
}
