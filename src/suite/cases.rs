//! Cases as they are written, and laid over each other; what is expected of them is in `reference`.
//!
//! A case may stand both in a cases file and in the suite: per key, and within `reference` per key, the suite wins.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::agent::{Line, Said};
use super::reference::ReferenceTable;
use super::{Case, Cases, ExpectedFail};

/// What the context of a case holds besides its variables.
const RESERVED: &[&str] = &["id", "tags", "user", "turns", "reference"];

/// `[[case]]` as it is written (its checks apart).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseTable {
    /// Its id; unique in the suite.
    pub id: String,
    /// Its tags.
    pub tags: Option<Vec<String>>,
    /// What the user says, turn by turn; short for `[[case.turn]]` with `user`. Or who it is, where a model plays it.
    pub user: Option<Said>,
    /// The turns, where more than the user's words is to be said about them.
    pub turn: Option<Vec<TurnTable>>,
    /// What is expected of the session.
    pub reference: Option<ReferenceTable>,
    /// Why it is not looked at.
    pub skip: Option<String>,
    /// Sessions wanted of it; as many as `trials` in `[suite]` says unless given.
    pub trials: Option<u32>,
    /// It is known to fail, until a date.
    pub expected_fail: Option<ExpectedFail>,
    /// How much it counts in the pass rate; 1 unless given.
    pub weight: Option<f64>,
    /// Values for templates: `n = 3` is `{{ case.n }}`.
    #[serde(default)]
    pub vars: Map<String, Value>,
}

/// `[[case.turn]]` as it is written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnTable {
    /// What the user says.
    pub user: Option<String>,
    /// The tool that is called, where the agent is a set of tools (`kind = "mcp"`).
    pub call: Option<SaidCall>,
    /// What is expected of the turn.
    pub reference: Option<ReferenceTable>,
}

/// A tool that is called in a turn.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SaidCall {
    /// The tool's name.
    pub name: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Map<String, Value>,
}

/// Something wrong with a case, at a path within its table.
pub(super) type Fault = (Vec<String>, String, Option<String>);

impl CaseTable {
    /// Lays this case over one of the same id from a cases file.
    pub(super) fn over(self, under: Self) -> Self {
        let replaces_turns = self.user.is_some() || self.turn.is_some();
        let (user, turn) = if replaces_turns { (self.user, self.turn) } else { (under.user, under.turn) };
        let mut vars = under.vars;
        vars.extend(self.vars);
        Self {
            id: self.id,
            tags: self.tags.or(under.tags),
            user,
            turn,
            reference: match (self.reference, under.reference) {
                (Some(over), Some(under)) => Some(over.over(under)),
                (over, under) => over.or(under),
            },
            skip: self.skip.or(under.skip),
            trials: self.trials.or(under.trials),
            expected_fail: self.expected_fail.or(under.expected_fail),
            weight: self.weight.or(under.weight),
            vars,
        }
    }

    /// What is wrong beyond the types of values.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut out: Vec<Fault> = Vec::new();
        let mut fault = |path: &[&str], message: String, help: Option<&str>| {
            out.push((path.iter().map(|s| (*s).to_owned()).collect(), message, help.map(str::to_owned)));
        };
        if let Some(why) = super::load::bad_id(&self.id) {
            fault(&["id"], why, None);
        }
        if self.user.is_some() && self.turn.is_some() {
            fault(
                &["user"],
                "a case has `user` or `turn`, not both".into(),
                Some("put `user` into each [[case.turn]]"),
            );
        }
        if self.skip.as_ref().is_some_and(|why| why.trim().is_empty()) {
            fault(&["skip"], "`skip` needs a reason".into(), None);
        }
        if self.trials == Some(0) {
            fault(&["trials"], "`trials` is at least 1".into(), Some("to leave a case out, write `skip = \"reason\"`"));
        }
        if let Some(expected) = &self.expected_fail {
            if !is_date(&expected.until) {
                let message = format!("`{}` is not a date", expected.until);
                fault(&["expected_fail", "until"], message, Some("write it as `2027-01-31`"));
            }
            if expected.reason.trim().is_empty() {
                fault(&["expected_fail", "reason"], "`expected_fail` needs a reason".into(), None);
            }
        }
        if self.weight.is_some_and(|w| !w.is_finite() || w <= 0.0) {
            fault(
                &["weight"],
                "`weight` is a number above 0".into(),
                Some("to leave a case out, write `skip = \"reason\"`"),
            );
        }
        if let Some(Said::Simulated(user)) = &self.user
            && let Some((key, message)) = user.fault()
        {
            fault(&["user", key], message, None);
        }
        for name in RESERVED.iter().filter(|name| self.vars.contains_key(**name)) {
            fault(&["vars", name], format!("`case.{name}` already means something"), Some("choose another name"));
        }
        out
    }

    /// What is expected, and what templates read, by the keys of `[[case]]`, as it is written.
    pub(super) fn expected(&self) -> Map<String, Value> {
        let mut out = Map::new();
        if let Some(turns) = &self.turn {
            out.insert("turn".into(), turns.iter().map(turn_json).collect());
        }
        if let Some(reference) = &self.reference {
            out.insert("reference".into(), reference.json());
        }
        if !self.vars.is_empty() {
            out.insert("vars".into(), Value::Object(self.vars.clone()));
        }
        out
    }

    /// The turns: what the user says and what is expected.
    fn turns(&self) -> Vec<TurnTable> {
        match (&self.turn, &self.user) {
            (Some(turns), _) => turns.clone(),
            (None, Some(Said::Lines(user))) => {
                user.iter().map(|u| TurnTable { user: Some(u.clone()), call: None, reference: None }).collect()
            }
            (None, Some(Said::Simulated(_)) | None) => Vec::new(),
        }
    }

    /// The case, resolved.
    pub(super) fn resolve(self) -> Case {
        let turns = self.turns();
        let tags = self.tags.unwrap_or_default();
        let mut vars = self.vars;
        vars.insert("id".into(), self.id.as_str().into());
        vars.insert("tags".into(), tags.iter().map(String::as_str).collect());
        vars.insert("user".into(), turns.iter().filter_map(|t| t.user.as_deref()).collect());
        vars.insert("turns".into(), turns.iter().map(turn_json).collect());
        let reference = self.reference.unwrap_or_default();
        vars.insert("reference".into(), reference.json());
        let expects = |t: &TurnTable| t.reference.as_ref().map(ReferenceTable::expected);
        // A turn without a reference of its own is declared all the same: a session that lacks it is not measured.
        let turn_expected: Vec<_> = turns.iter().map(expects).collect();
        let line = |t: &TurnTable| Line {
            user: t.user.clone(),
            call: t.call.as_ref().map(|call| (call.name.clone(), call.args.clone())),
        };
        let simulated = match self.user {
            Some(Said::Simulated(user)) => Some(*user),
            _ => None,
        };
        Case {
            id: self.id,
            tags,
            script: turns.iter().map(line).collect(),
            simulated,
            trials: self.trials,
            expected: Arc::new(reference.expected()),
            turn_expected,
            skip: self.skip,
            expected_fail: self.expected_fail,
            weight: self.weight.unwrap_or(1.0),
            vars: Value::Object(vars),
        }
    }
}

fn turn_json(turn: &TurnTable) -> Value {
    let mut out = Map::new();
    if let Some(user) = &turn.user {
        out.insert("user".into(), user.as_str().into());
    }
    if let Some(call) = &turn.call {
        out.insert("call".into(), json!({ "name": call.name, "args": call.args }));
    }
    if let Some(reference) = &turn.reference {
        out.insert("reference".into(), reference.json());
    }
    Value::Object(out)
}

fn is_date(text: &str) -> bool {
    let shape = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    shape && text.parse::<jiff::civil::Date>().is_ok()
}

impl Cases {
    /// Cases in order; ids are unique by then.
    pub(super) fn new(list: Vec<Case>) -> Self {
        let by_id = list.iter().enumerate().map(|(i, c)| (c.id.clone(), i)).collect();
        Self { list, by_id }
    }
}
