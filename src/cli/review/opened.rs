//! What the subcommands share: the store, who is speaking, and the item that is meant.

use std::future::Future;
use std::process::{Command, Stdio};

use tokio::runtime::Runtime;

use super::told;
use crate::cli::context::{Context, Failure};
use crate::cli::stored;
use crate::eval::exit;
use crate::ledger::{Answer, Item, ItemId, ItemStatus, Millis, Refused, Source, Submission, Token};
use crate::report::safe;
use crate::store::db::{REVEALED, Role, Seen, Store, StoreError};

/// How long an item is ours while a command answers it, in milliseconds.
pub const BRIEFLY: Millis = 60_000;

/// The store, and what is waited with.
pub struct Opened {
    opened: stored::Opened,
    /// The store.
    pub store: Store,
}

impl Opened {
    /// Opens the store that the settings name.
    pub fn new(context: &Context) -> Result<Self, Failure> {
        let opened = context.needed_store()?;
        Ok(Self { store: opened.store().clone(), opened })
    }

    /// Opens it for somebody who says something: who that is, where they may, and the comment can be taken.
    pub fn to_say(comment: &str, role: Role, context: &Context) -> Result<(Self, String), Failure> {
        let who = reviewer(context)?;
        told::check_comment(comment)?;
        let opened = Self::new(context)?;
        opened.may(&who, role)?;
        Ok((opened, who))
    }

    /// Waits for something of the store.
    pub fn wait<T>(&self, what: impl Future<Output = Result<T, StoreError>>) -> Result<T, Failure> {
        self.opened.wait(what)
    }

    /// What is waited with.
    pub fn runtime(&self) -> &Runtime {
        self.opened.runtime()
    }

    /// Refuses what takes a role that somebody does not have. Names are not proven here: whoever can write the store can say
    /// that they are anybody.
    pub fn may(&self, who: &str, role: Role) -> Result<(), Failure> {
        self.wait(self.store.permits(who, role))?.map_err(Failure::usage)
    }

    /// Writes down that somebody is shown what the check and others say of items: whoever answers them afterwards does not
    /// answer blind.
    pub fn revealed<'i>(&self, items: impl Iterator<Item = &'i Item>, who: &str) -> Result<(), Failure> {
        let at = now();
        let all: Vec<Seen> = items.map(|item| Seen::at_terminal(item, who, REVEALED, at)).collect();
        self.wait(self.store.seen_all(&all))
    }

    /// The item that somebody means: by its name, or by the beginning of it where that is enough.
    pub fn item(&self, named: &str) -> Result<Item, Failure> {
        self.find(named)?.ok_or_else(|| {
            let named = safe::line(named);
            Failure::usage(format_args!(
                "there is no item `{named}`\nhelp: `seatrial review list --status all` lists them"
            ))
        })
    }

    /// The same; `None` where there is none.
    pub fn find(&self, named: &str) -> Result<Option<Item>, Failure> {
        let now = now();
        let text = named.trim().to_ascii_lowercase();
        let is_name = text.len() >= 4 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let found = if is_name { self.wait(self.store.named(&text, 2))? } else { Vec::new() };
        match &found[..] {
            [one] => self.wait(self.store.item(one, now)),
            [] => Ok(None),
            _ => Err(Failure::usage(format!("several items begin with `{text}`\nhelp: write more of it"))),
        }
    }
}

/// That something was refused: nothing was done.
pub fn refused(item: &ItemId, why: &Refused) -> Failure {
    let help = match why {
        Refused::Answered { label, .. } => format!("\nhelp: `seatrial review undo {label}` takes that answer back"),
        Refused::Closed { status: ItemStatus::Disputed | ItemStatus::Skipped | ItemStatus::Expired } => {
            "\nhelp: `seatrial review adjudicate` decides it".to_owned()
        }
        Refused::Closed { status: ItemStatus::Resolved } | Refused::Undisputed { .. } => {
            "\nhelp: `seatrial review adjudicate --overrule` decides it all the same, and reports say so".to_owned()
        }
        Refused::Purged { .. } => format!(
            "\nhelp: `seatrial review skip {item} missing-context`; where its run is kept, `seatrial review add RUN` \
             brings the session back"
        ),
        Refused::Taken { .. } => "\nhelp: wait until they are done, or take another".to_owned(),
        Refused::Closed { .. } | Refused::Stale { .. } | Refused::Unknown { .. } | Refused::Forbidden { .. } => {
            String::new()
        }
    };
    Failure::usage(format_args!("{item}: {why}{help}"))
}

/// What time it is.
pub fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}

/// A name that nobody else has.
pub fn token() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| Failure::new(exit::BUG, format_args!("no random bytes: {e}")))?;
    Ok(Token::random(bytes).into())
}

/// An answer that is given here.
pub fn submission(answer: Answer, comment: &str) -> Result<Submission, Failure> {
    Ok(Submission {
        id: token()?,
        answer,
        comment: comment.to_owned(),
        seconds: None,
        source: Source::Terminal,
        // The store knows better what was seen before.
        shown_proposal: None,
    })
}

/// Who is looking: to look one need not say who one is, and is written down all the same.
pub fn looker(context: &Context) -> String {
    reviewer(context).unwrap_or_else(|_| "somebody".to_owned())
}

/// Who is speaking: as the settings say, else as git knows the person, as of commits.
pub fn reviewer(context: &Context) -> Result<String, Failure> {
    if let Some(name) = &context.settings.reviewer.value {
        return Ok(name.clone());
    }
    let asked =
        Command::new("git").args(["config", "user.name"]).current_dir(&context.cwd).stdin(Stdio::null()).output();
    let name = asked.ok().filter(|o| o.status.success()).and_then(|o| String::from_utf8(o.stdout).ok());
    let name = name.map(|n| n.trim().to_owned()).filter(|n| !n.is_empty() && !n.contains(char::is_control));
    name.ok_or_else(|| {
        Failure::usage(
            "who are you? An answer is given by somebody\nhelp: --as NAME, SEATRIAL_REVIEWER, or git's `user.name`",
        )
    })
}
