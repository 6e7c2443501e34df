//! Eval sets of Google's Agent Development Kit as cases: as they are written now, and the two older lists.
//!
//! What an eval set expects is plain data: a `$matches` in it is a key, never a matcher.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{CaseFile, FileCase, Kind};
use crate::checks::matcher::Matcher;
use crate::suite::cases::{CaseTable, TurnTable};
use crate::suite::reference::{CallTable, ReferenceTable, StateTable};
use crate::suite::words::in_plain_words;

pub(super) const KIND: Kind = Kind { endings: &[".json"], doc: DOC, read };

pub(super) const DOC: &str = "\
Eval sets of Google's ADK: `NAME.evalset.json` and `NAME.test.json`, snake_case or camelCase, and the older lists of
{ query, expected_tool_use, reference }. One case per eval case, with a reference for each turn.

  id             eval_id, or the old name; a list of turns alone is one case with the file's NAME
  turn           user_content, or query
  tools          of a turn: the calls in intermediate_data (tool_uses, or those of its invocation_events). ADK leaves an
                 empty list out, so intermediate_data without calls expects none; without intermediate_data nothing is
                 expected. Of the session: those of all turns, where every turn says
  answer         of a turn: the text of final_response, or the old reference, unless it is empty; of the session: the
                 last turn's
  state          final_session_state, unless it is empty
  variables      session_input (with its state), rubrics, turn_rubrics, conversation_scenario, eval_set_id, as written

Not read: what tools and sub-agents are to say in between. A conversation_scenario is no fixed conversation, so such a
case has no turns.
";

/// The cases of an eval set in any of its forms.
fn read(name: &str, text: &str) -> Result<CaseFile, String> {
    let what = |e: serde_json::Error| format!("not an eval set of ADK: {}", in_plain_words(&e.to_string()));
    let mut file = CaseFile::default();
    if !text.trim_start().starts_with('[') {
        let set: EvalSet<'_> = serde_json::from_str(text).map_err(what)?;
        for raw in set.eval_cases {
            let case = parse::<EvalCase>(raw).and_then(|case| case.into_table(set.eval_set_id.as_deref()));
            file.cases.push(FileCase { place: place(text, raw), case });
        }
        return Ok(file);
    }
    let items: Vec<&RawValue> = serde_json::from_str(text).map_err(what)?;
    let named = items.first().is_some_and(|first| parse::<OldKeys>(first).is_ok_and(|k| k.data.is_some()));
    if named {
        let cases = items
            .into_iter()
            .map(|raw| FileCase { place: place(text, raw), case: parse::<OldCase>(raw).map(OldCase::into_table) });
        file.cases = cases.collect();
    } else if !items.is_empty() {
        file.cases = vec![old_test(name, text, &items)];
    }
    Ok(file)
}

/// A list of turns alone is one case. What is wrong with a turn stands at the turn.
fn old_test(name: &str, text: &str, items: &[&RawValue]) -> FileCase {
    let whole = items.first().zip(items.last()).map(|(a, b)| place(text, a).start..place(text, b).end);
    let mut turns = Vec::new();
    for raw in items {
        match parse::<OldTurn>(raw) {
            Ok(turn) => turns.push(turn.into_turn()),
            Err(why) => return FileCase { place: place(text, raw), case: Err(why) },
        }
    }
    let stem = [".test", ".evalset"].iter().find_map(|e| super::without(name, e)).unwrap_or(name);
    let case = table(stem.to_owned(), turns, ReferenceTable::default(), Map::new());
    FileCase { place: whole.unwrap_or(0..text.len()), case: Ok(case) }
}

/// Where a value that borrows from `text` stands in it.
fn place(text: &str, raw: &RawValue) -> Range<usize> {
    let start = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + raw.get().len()
}

fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, String> {
    // The message's own line and column would count from the start of the case, beside the place that is shown.
    serde_json::from_str(raw.get()).map_err(|e| {
        let full = e.to_string();
        let at = format!(" at line {} column {}", e.line(), e.column());
        in_plain_words(full.strip_suffix(&at).unwrap_or(&full))
    })
}

/// A case from its turns; the session's reference is put together from theirs.
fn table(id: String, turns: Vec<TurnTable>, mut reference: ReferenceTable, vars: Map<String, Value>) -> CaseTable {
    let tools = |turn: &TurnTable| turn.reference.as_ref()?.tools.clone();
    if !turns.is_empty() {
        let all: Option<Vec<Vec<CallTable>>> = turns.iter().map(tools).collect();
        reference.tools = all.map(|all| all.into_iter().flatten().collect());
    }
    reference.answer = turns.last().and_then(|turn| turn.reference.as_ref()?.answer.clone());
    let turn = (!turns.is_empty()).then_some(turns);
    CaseTable { id, turn, reference: Some(reference), vars, ..CaseTable::default() }
}

/// A turn; without anything expected it has no reference.
fn turn(user: Option<String>, tools: Option<Vec<CallTable>>, answer: Option<String>) -> TurnTable {
    // An empty answer would be found in every reply.
    let answer = answer.filter(|text| !text.trim().is_empty());
    let some = tools.is_some() || answer.is_some();
    TurnTable {
        user,
        call: None,
        reference: some.then(|| ReferenceTable { tools, answer, ..ReferenceTable::default() }),
    }
}

#[derive(Deserialize)]
struct EvalSet<'a> {
    #[serde(default, alias = "evalSetId")]
    eval_set_id: Option<String>,
    #[serde(borrow, alias = "evalCases")]
    eval_cases: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct EvalCase {
    #[serde(alias = "evalId", alias = "case_id", alias = "caseId")]
    eval_id: String,
    #[serde(default)]
    conversation: Option<Vec<Invocation>>,
    #[serde(default, alias = "conversationScenario")]
    conversation_scenario: Option<Value>,
    #[serde(default, alias = "sessionInput")]
    session_input: Option<Value>,
    #[serde(default)]
    rubrics: Option<Value>,
    #[serde(default, alias = "finalSessionState")]
    final_session_state: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Invocation {
    #[serde(alias = "userContent")]
    user_content: Content,
    #[serde(default, alias = "finalResponse", alias = "agent_content", alias = "agentContent")]
    final_response: Option<Content>,
    #[serde(default, alias = "intermediateData")]
    intermediate_data: Option<IntermediateData>,
    #[serde(default)]
    rubrics: Option<Value>,
}

#[derive(Deserialize)]
struct IntermediateData {
    #[serde(default, alias = "toolUses")]
    tool_uses: Option<Vec<FunctionCall>>,
    #[serde(default, alias = "invocationEvents")]
    invocation_events: Option<Vec<InvocationEvent>>,
    /// Some write one content here.
    #[serde(default)]
    parts: Option<Vec<Part>>,
}

#[derive(Deserialize)]
struct InvocationEvent {
    #[serde(default)]
    content: Option<Content>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    parts: Option<Vec<Part>>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    thought: Option<bool>,
    #[serde(default, alias = "functionCall")]
    function_call: Option<FunctionCall>,
}

#[derive(Deserialize)]
struct FunctionCall {
    name: String,
    #[serde(default)]
    args: Option<Value>,
}

impl EvalCase {
    fn into_table(self, set: Option<&str>) -> Result<CaseTable, String> {
        if self.conversation.is_some() == self.conversation_scenario.is_some() {
            return Err("an eval case has either `conversation` or `conversation_scenario`".to_owned());
        }
        let mut vars = Map::new();
        let invocations = self.conversation.unwrap_or_default();
        let turn_rubrics: Vec<Value> = invocations.iter().map(|i| i.rubrics.clone().unwrap_or(Value::Null)).collect();
        let some = turn_rubrics.iter().any(|r| !r.is_null());
        let values = [
            ("eval_set_id", set.map(Value::from)),
            ("conversation_scenario", self.conversation_scenario),
            ("session_input", self.session_input),
            ("rubrics", self.rubrics),
            ("turn_rubrics", some.then(|| turn_rubrics.into())),
        ];
        for (name, value) in values {
            if let Some(value) = value {
                vars.insert(name.to_owned(), value);
            }
        }
        let state = self.final_session_state.filter(|state| !state.is_empty()).map(|state| {
            StateTable(state.into_iter().map(|(key, value)| (path(&key), Matcher::Equals(value))).collect())
        });
        let reference = ReferenceTable { state, ..ReferenceTable::default() };
        let turns = invocations.into_iter().map(Invocation::into_turn).collect();
        Ok(table(self.eval_id, turns, reference, vars))
    }
}

/// The path to a key of the state, which may look like more than a key.
fn path(key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b':'));
    if plain { key.to_owned() } else { format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\"")) }
}

impl Invocation {
    fn into_turn(self) -> TurnTable {
        let answer = self.final_response.as_ref().and_then(Content::text);
        let tools = match (self.intermediate_data, self.final_response) {
            (Some(data), _) => Some(data.calls()),
            // Nothing in between is said; a call in the response is one.
            (None, Some(response)) => Some(calls(response)).filter(|calls| !calls.is_empty()),
            (None, None) => None,
        };
        turn(self.user_content.text(), tools, answer)
    }
}

impl IntermediateData {
    /// The calls in the first of the forms that is there; the forms exclude each other.
    fn calls(self) -> Vec<CallTable> {
        if let Some(events) = self.invocation_events {
            return events.into_iter().filter_map(|e| e.content).flat_map(calls).collect();
        }
        match self.tool_uses {
            Some(uses) => uses.into_iter().map(FunctionCall::into_call).collect(),
            None => calls(Content { parts: self.parts }),
        }
    }
}

fn calls(content: Content) -> Vec<CallTable> {
    let parts = content.parts.unwrap_or_default();
    parts.into_iter().filter_map(|p| p.function_call).map(FunctionCall::into_call).collect()
}

impl FunctionCall {
    fn into_call(self) -> CallTable {
        CallTable { name: self.name, args: self.args.map(Matcher::Equals) }
    }
}

impl Content {
    /// The text, parts joined by a line break as in a session; `None` when there is none.
    fn text(&self) -> Option<String> {
        let parts = self.parts.iter().flatten().filter(|p| p.thought != Some(true));
        let texts: Vec<&str> = parts.filter_map(|p| p.text.as_deref()).collect();
        (!texts.is_empty()).then(|| texts.join("\n"))
    }
}

/// A case of the older eval sets.
#[derive(Deserialize)]
struct OldCase {
    name: String,
    data: Vec<OldTurn>,
    #[serde(default)]
    initial_session: Option<Map<String, Value>>,
}

/// What tells the two older lists apart.
#[derive(Deserialize)]
struct OldKeys {
    #[serde(default)]
    data: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct OldTurn {
    query: String,
    #[serde(default)]
    expected_tool_use: Option<Vec<OldCall>>,
    #[serde(default)]
    reference: Option<String>,
}

#[derive(Deserialize)]
struct OldCall {
    tool_name: String,
    #[serde(default)]
    tool_input: Option<Value>,
}

impl OldCase {
    fn into_table(self) -> CaseTable {
        let input = self.initial_session.filter(|input| !input.is_empty());
        let vars = input.map(|input| ("session_input".to_owned(), Value::Object(input)));
        let turns = self.data.into_iter().map(OldTurn::into_turn).collect();
        table(self.name, turns, ReferenceTable::default(), vars.into_iter().collect())
    }
}

impl OldTurn {
    fn into_turn(self) -> TurnTable {
        let call = |c: OldCall| CallTable { name: c.tool_name, args: c.tool_input.map(Matcher::Equals) };
        let tools = self.expected_tool_use.map(|calls| calls.into_iter().map(call).collect());
        turn(Some(self.query), tools, self.reference)
    }
}

#[cfg(test)]
#[path = "adk_tests.rs"]
mod tests;
