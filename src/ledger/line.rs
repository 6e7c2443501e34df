//! An item with its labels as one line of JSON: what is exported, brought in elsewhere, and read by calibration.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Act, Answer, DecidedBy, Item, ItemId, ItemStatus, Label, Millis, SkipReason, Source, Why, standing};
use crate::model::digest::Digest;
use crate::model::{Level, Severity, Status, SubjectRef};

/// The version of the line; keys are only ever added.
pub const SCHEMA: u32 = 1;

/// An item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemLine {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The item's name.
    pub item: ItemId,
    /// The suite.
    pub suite: String,
    /// The check's id.
    pub check: String,
    /// The check's digest.
    pub check_digest: Digest,
    /// The session's digest.
    pub session: Digest,
    /// Digest of what the suite says of the case; `None` where no case is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_digest: Option<Digest>,
    /// The session's id, as it may be written.
    pub session_id: String,
    /// The case.
    pub case: String,
    /// The trial, where the case has several.
    pub trial: Option<String>,
    /// The subject within the session.
    pub subject: SubjectRef,
    /// The check's level.
    pub level: Level,
    /// The check's severity.
    pub severity: Severity,
    /// Tags of the case and the check.
    pub tags: Vec<String>,
    /// The run that sent it first.
    pub run: String,
    /// Why it was sent to people.
    pub why: Vec<Why>,
    /// With which probability such a verdict is sent.
    pub inclusion: f64,
    /// Whether a gate waits for it.
    pub holds: bool,
    /// What the check says.
    pub proposal: Status,
    /// Its score.
    pub score: Option<f64>,
    /// How sure it is.
    pub confidence: f64,
    /// Who judged.
    pub judge: Option<String>,
    /// The judge's configuration.
    pub judge_version: Option<String>,
    /// How many answers are wanted.
    pub reviewers: u32,
    /// When it was sent.
    #[serde(with = "time")]
    pub created: Millis,
    /// Until when it should be decided.
    #[serde(default, with = "maybe_time")]
    pub due: Option<Millis>,
    /// Where it stands.
    pub status: ItemStatus,
    /// What was decided.
    pub decision: Option<Status>,
    /// By whom.
    pub decided_by: Option<DecidedBy>,
    /// When.
    #[serde(default, with = "maybe_time")]
    pub resolved: Option<Millis>,
    /// What people said, in order.
    pub labels: Vec<LabelLine>,
    /// What people are asked and shown, where it is exported too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
}

/// What people are asked and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// What the check asks.
    pub question: String,
    /// The rubric.
    pub rubric: Option<String>,
    /// Expected against actual.
    pub against: Option<Value>,
    /// The redacted session; `None` where it was not kept, or is kept no longer.
    pub session: Option<Value>,
}

/// One row of the book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelLine {
    /// Its name.
    pub id: String,
    /// Who said it.
    pub reviewer: String,
    /// `label`, `adjudicate`, `overrule` or `undo`.
    pub act: String,
    /// `pass`, `fail` or `skip`; `None` of an undo.
    pub answer: Option<String>,
    /// Why it is a skip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<SkipReason>,
    /// The row that an undo takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// What else was said.
    #[serde(default)]
    pub comment: String,
    /// When.
    #[serde(with = "time")]
    pub at: Millis,
    /// How long it took, in seconds.
    #[serde(default)]
    pub seconds: Option<u32>,
    /// Where it was said.
    pub source: Source,
    /// Whether what the check says was seen before; `None` where that is not known.
    #[serde(default)]
    pub shown_proposal: Option<bool>,
}

impl ItemLine {
    /// The line of an item with its rows.
    pub fn of(item: &Item, labels: &[Label]) -> Self {
        let (asked, key) = (&item.asked, &item.asked.key);
        Self {
            schema: SCHEMA,
            item: item.id.clone(),
            suite: key.suite.clone(),
            check: key.check.clone(),
            check_digest: key.check_digest,
            session: key.session,
            case_digest: key.case_digest,
            session_id: asked.session_id.clone(),
            case: asked.case.clone(),
            trial: asked.trial.clone(),
            subject: key.subject,
            level: asked.level,
            severity: asked.severity,
            tags: asked.tags.clone(),
            run: asked.run.clone(),
            why: asked.routed.why.clone(),
            inclusion: asked.routed.inclusion,
            holds: asked.routed.holds,
            proposal: asked.proposal,
            score: asked.score,
            confidence: asked.confidence,
            judge: asked.judge.clone(),
            judge_version: asked.judge_version.clone(),
            reviewers: asked.reviewers,
            created: item.created,
            due: asked.due,
            status: item.status,
            decision: item.decision,
            decided_by: item.decided.clone(),
            resolved: item.resolved,
            labels: labels.iter().map(LabelLine::of).collect(),
            shown: None,
        }
    }

    /// The line for somebody who is still to answer: without what the check says, how sure it is, and what others say.
    pub fn blind(&self) -> Value {
        let mut line = serde_json::json!(self);
        if let Some(line) = line.as_object_mut() {
            for told in [
                "proposal",
                "score",
                "confidence",
                "inclusion",
                "holds",
                "decision",
                "decided_by",
                "resolved",
                "labels",
            ] {
                line.remove(told);
            }
            // Some of the reasons say how sure it is.
            let tells = |why: &&Why| matches!(why, Why::Below { .. } | Why::Disagreement { .. } | Why::Audit { .. });
            let why: Vec<&Why> = self.why.iter().filter(|why| !tells(why)).collect();
            line.insert("why".to_owned(), serde_json::json!(why));
        }
        line
    }

    /// The rows of the book, if what was decided follows from them.
    ///
    /// # Errors
    /// A row whose parts do not go together, or another decision than theirs.
    pub fn rows(&self) -> Result<Vec<Label>, String> {
        let rows = rows(&self.item, &self.labels)?;
        follows(Some(self.status), (self.decision, self.decided_by.as_ref()), self.reviewers, &rows)?;
        Ok(rows)
    }
}

/// The rows of the book, of lines that are about an item; `Err` says which of them is none.
///
/// # Errors
/// A row whose parts do not go together.
pub fn rows(item: &ItemId, lines: &[LabelLine]) -> Result<Vec<Label>, String> {
    let row = |(row, seq): (&LabelLine, i64)| {
        row.row(item, seq).ok_or_else(|| format!("its label {} is none: {} with such an answer", row.id, row.act))
    };
    lines.iter().zip(1..).map(row).collect()
}

/// That a decision is what rows of the book add up to: a line may have been edited, and decides nothing by itself. With it
/// goes who decided, where the line says so. What is cancelled is not decided, whatever was said of it.
///
/// # Errors
/// What is said, and what follows from the rows.
pub fn follows(
    status: Option<ItemStatus>,
    (decision, by): (Option<Status>, Option<&DecidedBy>),
    reviewers: u32,
    rows: &[Label],
) -> Result<(), String> {
    let name = |decision: Option<Status>| decision.map_or("not decided", Status::name);
    if status == Some(ItemStatus::Cancelled) {
        return match decision {
            None => Ok(()),
            some => Err(format!("it says {}, and it is cancelled, which nobody decides", name(some))),
        };
    }
    let is = standing(reviewers, rows);
    if decision != is.decision {
        return Err(format!("it says {}, and by its labels it is {}", name(decision), name(is.decision)));
    }
    match (by, is.by) {
        (Some(by), Some(is)) if *by != is => {
            let (by, is) = (by.names().join(" and "), is.names().join(" and "));
            Err(format!("it says that {by} decided, and by its labels {is} did, or in another way"))
        }
        _ => Ok(()),
    }
}

impl LabelLine {
    /// The line of a row.
    pub fn of(label: &Label) -> Self {
        let answer = label.act.answer();
        let undoes = match &label.act {
            Act::Undo { label } => Some(label.clone()),
            Act::Label(_) | Act::Adjudicate(_) | Act::Overrule(_) => None,
        };
        Self {
            id: label.id.clone(),
            reviewer: label.reviewer.clone(),
            act: label.act.name().to_owned(),
            answer: answer.map(|a| a.name().to_owned()),
            skip_reason: answer.and_then(|a| a.skip_reason()),
            undoes,
            comment: label.comment.clone(),
            at: label.at,
            seconds: label.seconds,
            source: label.source,
            shown_proposal: label.shown_proposal,
        }
    }

    /// The row of a line; `None` where its parts do not go together.
    fn row(&self, item: &ItemId, seq: i64) -> Option<Label> {
        let answer = match self.answer.as_deref() {
            Some(name) => Some(Answer::named(name, self.skip_reason)?),
            None => None,
        };
        Some(Label {
            id: self.id.clone(),
            seq,
            item: item.clone(),
            reviewer: self.reviewer.clone(),
            act: Act::named(&self.act, answer, self.undoes.clone())?,
            comment: self.comment.clone(),
            at: self.at,
            seconds: self.seconds,
            source: self.source,
            shown_proposal: self.shown_proposal,
        })
    }
}

/// A time as RFC 3339 in UTC, with its milliseconds.
pub fn rfc3339(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |t| format!("{t:.3}"))
}

/// The time of an RFC 3339 text; `None` where it is none.
pub fn millis(text: &str) -> Option<Millis> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

mod time {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::{Millis, millis, rfc3339};

    pub fn serialize<S: Serializer>(at: &Millis, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&rfc3339(*at))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Millis, D::Error> {
        let text = String::deserialize(d)?;
        millis(&text).ok_or_else(|| D::Error::custom("a time is written as 2026-11-27T05:40:00Z"))
    }
}

mod maybe_time {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::{Millis, millis, rfc3339};

    pub fn serialize<S: Serializer>(at: &Option<Millis>, s: S) -> Result<S::Ok, S::Error> {
        at.map(rfc3339).serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Millis>, D::Error> {
        let Some(text) = Option::<String>::deserialize(d)? else { return Ok(None) };
        millis(&text).map(Some).ok_or_else(|| D::Error::custom("a time is written as 2026-11-27T05:40:00Z"))
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
