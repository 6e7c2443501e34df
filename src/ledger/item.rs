//! One verdict that goes to a person: what it is keyed by, why it was sent, and everything the person is told.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::{DecidedBy, Millis, token};
use crate::model::digest::Digest;
use crate::model::{Evidence, Level, Routed, Severity, Status, SubjectRef};
use crate::redact::RedactPlan;

/// What a person's decision is keyed by: one subject of one check of one session of one case. Whoever evaluates the same
/// session with the same check and the same expectations again finds the decision again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemKey {
    /// The suite, by name.
    pub suite: String,
    /// The check's id in the suite.
    pub check: String,
    /// The check's digest: its parameters, code version, files, and the configuration of its judge.
    pub check_digest: Digest,
    /// The session's digest, from before redaction.
    pub session: Digest,
    /// The subject within the session.
    pub subject: SubjectRef,
    /// Digest of what the check was told beside the recording: what the suite says of the case, expectations and variables
    /// included, and the earlier reply that a judge compares with. What a person decided holds as long as that is the same.
    /// `None` where there is none of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_digest: Option<Digest>,
}

impl ItemKey {
    /// The name that follows from the key, and from nothing else: to send the same verdict twice sends it once.
    pub fn id(&self) -> ItemId {
        let mut hash = blake3::Hasher::new_derive_key("seatrial review item 1");
        let (kind, at) = match self.subject {
            SubjectRef::Span(at) => (b"span".as_slice(), at),
            SubjectRef::Turn(at) => (b"turn".as_slice(), at),
            SubjectRef::Session => (b"session".as_slice(), 0),
        };
        let (check_digest, session) = (self.check_digest.to_string(), self.session.to_string());
        let case_digest = self.case_digest.map(|digest| digest.to_string());
        let parts: [&[u8]; 6] = [
            self.suite.as_bytes(),
            self.check.as_bytes(),
            check_digest.as_bytes(),
            session.as_bytes(),
            kind,
            &at.to_le_bytes(),
        ];
        // A part that came later: keys without it keep the name that they had.
        for part in parts.into_iter().chain(case_digest.as_deref().map(str::as_bytes)) {
            // With its length, so that parts cannot run into each other.
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        ItemId(token::letters(hash.finalize().as_bytes()))
    }
}

/// The name of an item: 26 lower-case letters and digits ([`ItemKey::id`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemId(pub String);

impl ItemId {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a person is asked, and all that is known of it when it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// What the decision is keyed by.
    pub key: ItemKey,
    /// The run that sent it first.
    pub run: String,
    /// The session's id, as it may be written.
    pub session_id: String,
    /// The case.
    pub case: String,
    /// The trial, where the case has several.
    pub trial: Option<String>,
    /// The check's level.
    pub level: Level,
    /// The check's severity.
    pub severity: Severity,
    /// Tags of the case and the check.
    pub tags: Vec<String>,
    /// Why it goes to a person.
    pub routed: Routed,
    /// What the check says: pass or fail.
    pub proposal: Status,
    /// Its score, from 0 to 1; `None` where it has none.
    pub score: Option<f64>,
    /// How sure the check is, from 0 to 1.
    pub confidence: f64,
    /// Why, in the check's words.
    pub reason: String,
    /// Where the check looked.
    pub evidence: Vec<Evidence>,
    /// Who judged, by name; `None` where no model did.
    pub judge: Option<String>,
    /// Digest of the judge's configuration, rubric included.
    pub judge_version: Option<String>,
    /// The rubric, as the person should read it.
    pub rubric: Option<String>,
    /// What the check asks, in words: its description, or its rule and parameters.
    pub question: String,
    /// Expected against actual, as JSON of [`crate::store::against::Against`]; `None` where nothing was expected.
    pub against: Option<String>,
    /// How many people must answer, independently of each other; at least 1.
    pub reviewers: u32,
    /// Until when it should be decided.
    pub due: Option<Millis>,
    /// Whether it rests as expired once it is due, as the suite says; else it is overdue, and waits on.
    pub expires: bool,
    /// Risk times uncertainty, from 0 to 1. How long it has waited is added when the next item is chosen.
    pub priority: f64,
    /// What the suite takes out of everything that is written, with what the settings did when it was sent: what people write
    /// of the item goes through the same rules. `None` where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redact: Option<RedactPlan>,
}

/// A session to read, in seatrial's own format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// What it is kept under: digest of the line. Sessions that several items show are kept once.
    pub digest: String,
    /// The line of the redacted session, packed with zstd.
    pub bytes: Vec<u8>,
}

impl Content {
    /// Packs a redacted session's line.
    ///
    /// # Errors
    /// Why it could not be packed.
    pub fn pack(line: &[u8]) -> std::io::Result<Self> {
        let digest =
            Digest { algorithm: crate::model::digest::Algorithm::Blake3, bytes: *blake3::hash(line).as_bytes() };
        Ok(Self { digest: digest.to_string(), bytes: zstd::bulk::compress(line, 3)? })
    }
}

/// A verdict on its way to a person.
#[derive(Debug, Clone, PartialEq)]
pub struct NewItem {
    /// What the person is asked.
    pub asked: Asked,
    /// The session to read; `None` where the run did not keep it.
    pub content: Option<Content>,
    /// The session of the baseline's run to read beside it.
    pub baseline: Option<Content>,
}

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    /// Waits for somebody to take it.
    Pending,
    /// As many people work on it as are wanted.
    Leased,
    /// Some have answered, and more answers are wanted.
    NeedsMore,
    /// The answers differ: an adjudicator decides.
    Disputed,
    /// Decided.
    Resolved,
    /// Two people could not answer it. It stays held.
    Skipped,
    /// Nobody decided in time, where the suite says so. It stays held.
    Expired,
    /// Nobody needs to know any more.
    Cancelled,
}

impl ItemStatus {
    /// Every status, in the order in which an item may go through them.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Leased,
        Self::NeedsMore,
        Self::Disputed,
        Self::Resolved,
        Self::Skipped,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The name in the database, exports and filters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Leased => "leased",
            Self::NeedsMore => "needs_more",
            Self::Disputed => "disputed",
            Self::Resolved => "resolved",
            Self::Skipped => "skipped",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// An item of the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its name.
    pub id: ItemId,
    /// What the person is asked; its fields can be read as the item's own.
    pub asked: Asked,
    /// Digest of the session to read; `None` where none was kept.
    pub content: Option<String>,
    /// Digest of the baseline's session.
    pub baseline: Option<String>,
    /// Where it stands, as of when it was read.
    pub status: ItemStatus,
    /// What was decided: pass or fail.
    pub decision: Option<Status>,
    /// By whom.
    pub decided: Option<DecidedBy>,
    /// How many answers are still wanted, whoever works on them now.
    pub open: u32,
    /// When it was sent.
    pub created: Millis,
    /// When it was decided.
    pub resolved: Option<Millis>,
}

impl Deref for Item {
    type Target = Asked;

    fn deref(&self) -> &Asked {
        &self.asked
    }
}

impl Deref for NewItem {
    type Target = Asked;

    fn deref(&self) -> &Asked {
        &self.asked
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::key;
    use super::*;
    use crate::model::Why;

    #[test]
    fn an_id_follows_from_every_part_of_the_key_and_from_nothing_else() {
        let base = key(1);
        assert_eq!(base.id(), key(1).id());
        assert_eq!(base.id().as_str().len(), 26);
        let others = [
            ItemKey { suite: "other".into(), ..base.clone() },
            ItemKey { check: "other".into(), ..base.clone() },
            ItemKey { check_digest: Digest::of(b"other"), ..base.clone() },
            ItemKey { session: Digest::of(b"other"), ..base.clone() },
            ItemKey { subject: SubjectRef::Turn(0), ..base.clone() },
            ItemKey { subject: SubjectRef::Span(0), ..base.clone() },
            ItemKey { subject: SubjectRef::Span(1), ..base.clone() },
            ItemKey { case_digest: Some(Digest::of(b"case")), ..base.clone() },
            ItemKey { case_digest: Some(Digest::of(b"other")), ..base.clone() },
        ];
        let mut ids: Vec<ItemId> = others.iter().map(ItemKey::id).chain([base.id()]).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 10);
    }

    #[test]
    fn an_id_stays_the_same_from_version_to_version() {
        // Decisions are found by it: were it to change, every label made so far would be lost to the gate.
        assert_eq!(key(1).id().as_str(), "sbgvszv7zwzsdyobthwf2rcnem");
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let (a, b) = (
            ItemKey { suite: "ab".into(), check: "c".into(), ..key(1) },
            ItemKey { suite: "a".into(), check: "bc".into(), ..key(1) },
        );
        assert_ne!(a.id(), b.id());
    }

    #[test]
    fn a_reason_is_written_with_its_name() {
        let why = serde_json::to_string(&[Why::Below { threshold: 0.5 }, Why::Always]).unwrap();
        assert_eq!(why, r#"[{"why":"below","threshold":0.5},{"why":"always"}]"#);
    }

    #[test]
    fn every_status_is_found_by_its_name_and_written_with_it() {
        for status in ItemStatus::ALL {
            assert_eq!(ItemStatus::named(status.name()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
    }
}
