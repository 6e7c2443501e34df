//! The sessions of an item, taken from the store to be read; whoever reads them is written down.

use super::opened::Opened;
use crate::cli::context::Failure;
use crate::ledger::line::rfc3339;
use crate::ledger::{Act, Item, Label, Millis};
use crate::model::Session;
use crate::report::safe;
use crate::store::db::{Role, Seen};

/// Lines of the sessions of an item.
pub struct Reading {
    session: Result<Vec<u8>, String>,
    baseline: Option<Vec<u8>>,
}

impl Reading {
    /// Takes them from the store, and writes down that `who` reads them.
    pub fn of(opened: &Opened, item: &Item, who: &str, now: Millis) -> Result<Self, Failure> {
        let content = |digest: &Option<String>| match digest {
            Some(digest) => opened.wait(opened.store.content(digest)),
            None => Ok(None),
        };
        if item.content.is_some() || item.baseline.is_some() {
            opened.wait(opened.store.seen(&Seen::at_terminal(item, who, "read", now)))?;
        }
        if opened.wait(opened.store.quarantined(&item.key.session))? && opened.may(who, Role::Adjudicator).is_err() {
            let why = format!(
                "the session {} is under quarantine: adjudicators and admins may read it, and release it",
                item.session_id
            );
            return Ok(Self { session: Err(why), baseline: None });
        }
        let session = content(&item.content)?.ok_or_else(|| {
            let why = if item.content.is_some() { "is kept no longer" } else { "was not kept with the run (`keep`)" };
            format!("the session {} {why}", item.session_id)
        });
        Ok(Self { session, baseline: content(&item.baseline)? })
    }

    /// The session; `Err` is why there is none.
    pub fn session(&self) -> Result<Session<'_>, String> {
        let line = self.session.as_ref().map_err(Clone::clone)?;
        serde_json::from_slice(line).map_err(|why| format!("the session cannot be read: {why}"))
    }

    /// The session's line, as it is kept.
    pub fn line(&self) -> Option<&[u8]> {
        self.session.as_deref().ok()
    }

    /// The session of the baseline, where there is one that can be read.
    pub fn baseline(&self) -> Option<Session<'_>> {
        self.baseline.as_ref().and_then(|line| serde_json::from_slice(line).ok())
    }

    /// The session as JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        self.session.as_ref().ok().and_then(|line| serde_json::from_slice(line).ok())
    }
}

/// A session, or why there is none, by reference.
pub fn as_shown<'s, 'a>(session: &'s Result<Session<'a>, String>) -> Result<&'s Session<'a>, &'s str> {
    session.as_ref().map_err(String::as_str)
}

/// A row of the book on a line.
pub fn said(label: &Label) -> String {
    let what = match &label.act {
        Act::Label(answer) => answer.name().to_owned(),
        Act::Adjudicate(answer) => format!("{} (decides)", answer.name()),
        Act::Overrule(answer) => format!("{} (decides over the reviewers)", answer.name()),
        Act::Undo { label } => format!("takes back {label}"),
    };
    let reason = label.act.answer().and_then(|a| a.skip_reason());
    let reason = reason.map(|reason| format!(", {}", reason.words())).unwrap_or_default();
    let comment = if label.comment.is_empty() { String::new() } else { format!(": {}", label.comment) };
    let seen = match label.shown_proposal {
        _ if label.act.answer().is_none() => "",
        Some(false) => "",
        Some(true) => ", not blind",
        None => ", not known to be blind",
    };
    let line = format!("{}  {}  {what}{reason}{seen}{comment}  ({})", rfc3339(label.at), label.reviewer, label.id);
    safe::line(&line).into_owned()
}

/// On a line who released a session from quarantine, when and why.
pub fn released(seen: &Seen) -> String {
    let why = seen.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    safe::line(&format!("{}  {}  released from quarantine{why}", rfc3339(seen.at), seen.who)).into_owned()
}
