//! What a check says of a subject, and what a session's subjects add up to.

use serde::{Deserialize, Serialize};

use super::{Routed, Session, Why};

/// What a check is applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// One operation.
    Span,
    /// One user request up to the agent's reply.
    Turn,
    /// One conversation or task.
    Session,
    /// All sessions of a run.
    System,
}

impl Level {
    /// Every level, from the smallest subject to the largest.
    pub const ALL: [Level; 4] = [Level::Span, Level::Turn, Level::Session, Level::System];

    /// The level's name, which is also its table in a suite.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Span => "span",
            Level::Turn => "turn",
            Level::Session => "session",
            Level::System => "system",
        }
    }
}

/// What a failing check does to the gate.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Fails the gate by itself, whatever the pass rate allows.
    Critical,
    /// Makes its trial fail.
    #[default]
    Block,
    /// Is reported and never decides.
    Warn,
    /// Is reported and never decides.
    Info,
}

impl Severity {
    /// Whether the gate counts it.
    pub const fn blocks(self) -> bool {
        matches!(self, Severity::Critical | Severity::Block)
    }

    /// The name used in suites.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::Block => "block",
            Severity::Warn => "warn",
            Severity::Info => "info",
        }
    }
}

/// The verdict proper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The subject meets the check.
    Pass,
    /// It does not.
    Fail,
    /// It could not be measured. Never a pass, never a zero.
    Error,
    /// It waits for a person.
    Held,
    /// The suite says not to look, with a reason.
    Skip,
}

impl Status {
    /// The name used in records and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Fail => "fail",
            Status::Error => "error",
            Status::Held => "held",
            Status::Skip => "skip",
        }
    }
}

/// Which part of a subject a piece of evidence lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// A span's input.
    Input,
    /// A span's output.
    Output,
    /// A span's or turn's name, times, status as a whole.
    Whole,
    /// A turn's user message.
    User,
    /// A turn's reply.
    Reply,
    /// The session's final state.
    State,
    /// An attribute; the pointer names it.
    Attributes,
}

/// Where in the session the reason for a finding lies. All positions count from 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Ordinal of the span in [`super::Session::spans`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<u32>,
    /// Index of the turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// Which part of it.
    pub field: Field,
    /// JSON pointer into the part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Byte range in the part's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<(u32, u32)>,
}

impl Evidence {
    /// Points at a part of a span.
    pub fn span(ordinal: usize, field: Field) -> Self {
        Self { span: Some(ordinal as u32), turn: None, field, pointer: None, range: None }
    }

    /// Points at a part of a turn.
    pub fn turn(index: usize, field: Field) -> Self {
        Self { span: None, turn: Some(index as u32), field, pointer: None, range: None }
    }

    /// Points at a part of the session.
    pub fn session(field: Field) -> Self {
        Self { span: None, turn: None, field, pointer: None, range: None }
    }

    /// The text that it points into, where it is one.
    pub fn text_in<'s>(&self, session: &'s Session<'_>) -> Option<&'s str> {
        let span = || session.spans().nth(self.span? as usize);
        let turn = || session.turns.get(self.turn? as usize);
        match self.field {
            Field::Input => span()?.input.as_ref().map(|payload| payload.as_str()),
            Field::Output => span()?.output.as_ref().map(|payload| payload.as_str()),
            Field::User => turn()?.user.as_deref(),
            Field::Reply => turn()?.reply.as_deref(),
            Field::Whole | Field::State | Field::Attributes => None,
        }
    }

    /// Narrows it to a JSON pointer.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// Narrows it to a byte range.
    #[must_use]
    pub fn within(mut self, range: std::ops::Range<usize>) -> Self {
        self.range = Some((range.start as u32, range.end as u32));
        self
    }
}

/// What one check says of one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The verdict.
    pub status: Status,
    /// How much of the expectation is met, from 0 to 1. `None` when nothing was measured.
    pub score: Option<f64>,
    /// How sure the check is, from 0 to 1. Deterministic checks are sure.
    pub confidence: f64,
    /// Why, in plain words: expected, actual, first difference. Empty for a plain pass.
    pub reason: String,
    /// Where to look.
    pub evidence: Vec<Evidence>,
    /// What the check would have said, of one that waits for a person.
    pub proposal: Option<Status>,
    /// That it goes to a person, and why.
    pub routed: Option<Box<Routed>>,
    /// How the opinions behind it differ, in words; `None` where they do not, or there is only one.
    pub dissent: Option<Box<str>>,
    /// Whether the check applies to the subject at all. A finding that does not apply is no verdict: it is left out
    /// of the roll-up, and the check stays unexercised there.
    pub applies: bool,
}

impl Finding {
    fn new(status: Status, score: Option<f64>, reason: String) -> Self {
        Self {
            status,
            score,
            confidence: 1.0,
            reason,
            evidence: Vec::new(),
            proposal: None,
            routed: None,
            dissent: None,
            applies: true,
        }
    }

    /// A plain pass.
    pub fn pass() -> Self {
        Self::new(Status::Pass, Some(1.0), String::new())
    }

    /// A fail with score 0.
    pub fn fail(reason: impl Into<String>) -> Self {
        Self::new(Status::Fail, Some(0.0), reason.into())
    }

    /// Could not be measured. The reason says what is missing and what to do about it.
    pub fn error(reason: impl Into<String>) -> Self {
        Self::new(Status::Error, None, reason.into())
    }

    /// Nobody asked for it here. The reason says why not.
    pub fn skip(reason: impl Into<String>) -> Self {
        Self::new(Status::Skip, None, reason.into())
    }

    /// The check has nothing to say about the subject. Its status is an error, so that whoever forgets to ask
    /// [`Finding::applies`] never takes it for a pass.
    pub fn not_applicable(reason: impl Into<String>) -> Self {
        Self { applies: false, ..Self::error(reason) }
    }

    /// Pass or fail by `ok`; the reason is made only for a fail.
    pub fn of(ok: bool, reason: impl FnOnce() -> String) -> Self {
        if ok { Self::pass() } else { Self::fail(reason()) }
    }

    /// Whether something was measured that a person can decide over.
    pub fn is_measured(&self) -> bool {
        matches!(self.status, Status::Pass | Status::Fail)
    }

    /// Lets a person decide; what the check says becomes the proposal. Nothing that was not measured is held.
    pub fn hold(&mut self, why: Vec<Why>) {
        if self.is_measured() {
            self.proposal = Some(self.status);
            self.status = Status::Held;
            let why_words: Vec<String> = why.iter().map(ToString::to_string).collect();
            let said = std::mem::take(&mut self.reason);
            let gap = if said.is_empty() { "" } else { "; " };
            self.reason = format!("{}{gap}{said}", why_words.join(", "));
            self.routed = Some(Box::new(Routed::held(why)));
        } else if let Some(routed) = self.routed.as_mut().filter(|_| self.status == Status::Held) {
            // It waits already: these are further reasons.
            routed.why.extend(why);
        }
    }

    /// Lets a person look at it, too; it stands as it is.
    pub fn audit(&mut self, rate: f64) {
        if self.is_measured() {
            self.routed = Some(Box::new(Routed::audited(rate)));
        }
    }

    /// Sets the score.
    #[must_use]
    pub fn scored(mut self, score: f64) -> Self {
        self.score = Some(score);
        self
    }

    /// Adds a pointer.
    #[must_use]
    pub fn with(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }
}

/// Which subject within a session a finding is about. Counts from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectRef {
    /// The span with this ordinal.
    Span(u32),
    /// The turn with this index.
    Turn(u32),
    /// The session itself.
    Session,
}

/// A finding about one subject, as a verdict lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubjectFinding {
    /// The subject.
    pub subject: SubjectRef,
    /// Its verdict.
    pub status: Status,
    /// What the check would have said, where its verdict waits for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Status>,
    /// That it goes to a person, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routed: Option<Box<Routed>>,
    /// Its score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// How sure the check is of it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub confidence: f64,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Where to look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

/// How many subjects got which verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Passed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pass: u64,
    /// Failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fail: u64,
    /// Could not be measured.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub error: u64,
    /// Waits for a person.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub held: u64,
    /// Skipped by the suite.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip: u64,
}

/// Whether a count is none, and need not be written.
pub(crate) fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Tally {
    /// Counts one verdict.
    pub fn add(&mut self, status: Status) {
        match status {
            Status::Pass => self.pass += 1,
            Status::Fail => self.fail += 1,
            Status::Error => self.error += 1,
            Status::Held => self.held += 1,
            Status::Skip => self.skip += 1,
        }
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: &Tally) {
        self.pass += other.pass;
        self.fail += other.fail;
        self.error += other.error;
        self.held += other.held;
        self.skip += other.skip;
    }

    /// How many subjects there were, skipped ones included.
    pub fn total(&self) -> u64 {
        self.pass + self.fail + self.error + self.held + self.skip
    }

    /// pass / (pass + fail), or `None` when nothing was measured.
    pub fn rate(&self) -> Option<f64> {
        let measured = self.pass + self.fail;
        (measured > 0).then(|| self.pass as f64 / measured as f64)
    }
}

/// What one check says of one session: the roll-up over its subjects there, and every subject that did not pass.
/// A session without subjects for the check has no verdict of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Position of the check in the suite.
    pub check: u32,
    /// The roll-up.
    pub status: Status,
    /// The subjects behind it.
    pub subjects: Tally,
    /// Mean score of the subjects that were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Lowest confidence among them.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub confidence: f64,
    /// Why, for the roll-up as a whole (a share not reached). The subjects' own reasons are in `findings`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Subjects that did not plainly pass, in order: those that passed without certainty are among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<SubjectFinding>,
}

impl Verdict {
    /// Whether it passed and there is no more to be said of it.
    pub fn is_plain(&self) -> bool {
        self.status == Status::Pass && self.findings.is_empty() && self.reason.is_empty()
    }
}

fn one() -> f64 {
    1.0
}

fn is_one(x: &f64) -> bool {
    *x == 1.0
}
