//! Floor 1: the rules a suite can name, one file each, and the registry that lists them.
//!
//! A rule's file carries its parameters (a struct whose doc comments are its documentation and its JSON Schema), its
//! examples, its implementation and its tests; it is then one line in [`RULES`]. Checks are pure and synchronous:
//! they see their subject and nothing else, and answer with a [`Finding`].
//!
//! - [`asking`]: checks that ask outside before they decide; [`askable`]: whom they may ask.
//! - [`judge`]: what models are asked, and what is made of their opinions.
//! - [`build`]: how parameters become a compiled check, and how problems with them are reported.
//! - [`subject`]: what a check at each level is given.
//! - [`expect`]: the reference that holds for a session, and [`matcher`], [`path`], [`select`]: the small languages
//!   that checks share.
//! - [`context`]: sessions as templates and expressions see them, [`jinja`]: strings with templates in them, and
//!   [`strict`]: what is not there is an error.
//! - [`prices`]: what tokens cost; `light`: JSON that is only looked at once.
//! - [`detect`]: detectors of card numbers, secrets and the like; [`withheld`]: what is not known of a session that they
//!   were taken out of.

pub mod askable;
pub mod asking;
pub mod build;
pub mod command;
pub mod conform;
pub mod context;
pub mod detect;
pub mod expect;
pub mod expr;
pub mod jinja;
pub mod judge;
mod light;
pub mod matcher;
pub mod memory;
pub mod nearest;
pub mod path;
pub mod prices;
#[cfg(test)]
pub(crate) mod probe;
pub mod select;
pub mod session;
pub mod span;
pub mod strict;
pub mod subject;
pub mod system;
pub mod text;
pub mod turn;
pub mod withheld;

use crate::model::{Finding, Level, Status};
use asking::AskingCheck;
use build::{Rule, rule as entry};
use subject::{Scope, SessionSubject, SpanSubject, TurnSubject};
use system::{Column, SystemFinding, Window};
use withheld::Reads;

/// Every rule, in the order of the reference. A check that is not here cannot be named.
pub static RULES: &[Rule] = &[
    entry::<text::contains::Contains>(),
    entry::<text::not_contains::NotContains>(),
    entry::<text::equals::Equals>(),
    entry::<text::matches::Matches>(),
    entry::<text::not_matches::NotMatches>(),
    entry::<text::similar::Similar>(),
    entry::<text::semantic::Semantic>(),
    entry::<text::length::Length>(),
    entry::<text::json::Json>(),
    entry::<span::schema::SchemaCheck>(),
    entry::<span::value::ValueCheck>(),
    entry::<span::status::StatusCheck>(),
    entry::<span::duration::Duration>(),
    entry::<span::tokens::Tokens>(),
    entry::<span::cost::Cost>(),
    entry::<span::cedar::Cedar>(),
    entry::<span::recovers::Recovers>(),
    entry::<turn::ttft::Ttft>(),
    entry::<judge::Judge>(),
    entry::<judge::grounded::Grounded>(),
    entry::<expr::Expr>(),
    entry::<command::Command>(),
    entry::<session::trajectory::Trajectory>(),
    entry::<session::calls::Calls>(),
    entry::<session::order::Order>(),
    entry::<session::repeat::Loop>(),
    entry::<session::turns::Turns>(),
    entry::<session::reward::Reward>(),
    entry::<session::facts::Facts>(),
    entry::<session::state::State>(),
    entry::<session::escalated::Escalated>(),
    entry::<session::rating::Rating>(),
    entry::<session::memory::Memory>(),
    entry::<system::metric::Metric>(),
    entry::<system::pass_rate::PassRate>(),
    entry::<system::reliability::Reliability>(),
    entry::<system::drift::Drift>(),
    entry::<system::budget::Budget>(),
    entry::<system::top_failures::TopFailures>(),
];

/// The rule called `name`.
pub fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|r| r.name == name)
}

/// A check of one operation.
pub trait SpanCheck: Send + Sync {
    /// Judges one span.
    fn check(&self, subject: &SpanSubject<'_>) -> Finding;
    /// What it reads, for sessions that something was taken out of.
    fn reads(&self) -> Reads {
        Reads::all()
    }
    /// What it says of a session besides, of whose spans the recording may not show all that are its subjects.
    fn unseen(&self, _: &SessionSubject<'_>) -> Option<Finding> {
        None
    }
}

/// A check of one user request up to the reply.
pub trait TurnCheck: Send + Sync {
    /// Judges one turn.
    fn check(&self, subject: &TurnSubject<'_>) -> Finding;
    /// What it reads, for sessions that something was taken out of.
    fn reads(&self) -> Reads {
        Reads::all()
    }
}

/// A check of a whole session.
pub trait SessionCheck: Send + Sync {
    /// Judges one session.
    fn check(&self, subject: &SessionSubject<'_>) -> Finding;
    /// What it reads, for sessions that something was taken out of.
    fn reads(&self) -> Reads {
        Reads::all()
    }
}

/// A check that means the same over a turn and over a session.
pub trait ScopeCheck: Send + Sync {
    /// Judges the calls, times and tokens of a turn or session.
    fn check(&self, scope: &Scope<'_>) -> Finding;
    /// What it reads, for sessions that something was taken out of.
    fn reads(&self) -> Reads {
        Reads::all()
    }
}

/// A check of a text, wherever the text comes from.
pub trait TextCheck: Send + Sync {
    /// Judges one text. Evidence ranges are relative to the text; the caller says which field it was.
    fn check(&self, text: &str) -> Finding;
    /// The detectors that it applies, and the verdict that is certain once one of them finds something.
    fn detects(&self) -> Option<(Vec<String>, Status)> {
        None
    }
    /// The verdict that is certain once it is given over JSON as it reads with some of its escapes resolved, whatever it is
    /// over JSON as it was written. `None` looks at JSON only as it was written.
    fn settles(&self) -> Option<Status> {
        None
    }
}

/// A check of all sessions of a window. It never sees sessions, only the columns it declares.
pub trait SystemCheck: Send + Sync {
    /// What rows must carry for it.
    fn columns(&self) -> Vec<Column>;
    /// Whether only all sessions together tell it, as a total or the largest of all: a sample does not.
    fn needs_everybody(&self) -> bool {
        false
    }
    /// The earlier run that it compares the window with.
    fn against(&self) -> Option<&system::past::Against> {
        None
    }
    /// Judges the window. `window.columns` are in the order of [`SystemCheck::columns`].
    fn decide(&self, window: &Window<'_>) -> SystemFinding;
}

/// A check with all its parameters compiled, at one level.
pub enum Compiled {
    /// Judges spans.
    Span(Box<dyn SpanCheck>),
    /// Judges turns.
    Turn(Box<dyn TurnCheck>),
    /// Judges sessions.
    Session(Box<dyn SessionCheck>),
    /// Judges spans, turns or sessions by answers from outside.
    Asking(Box<dyn AskingCheck>),
    /// Judges the whole window.
    System(Box<dyn SystemCheck>),
}

impl Compiled {
    /// A check over a turn or a session, by the level it was declared at.
    pub fn scope(level: Level, check: impl ScopeCheck + 'static) -> Self {
        if level == Level::Turn {
            Self::Turn(Box::new(OnScope(check)))
        } else {
            Self::Session(Box::new(OnScope(check)))
        }
    }
}

struct OnScope<T>(T);

impl<T: ScopeCheck> TurnCheck for OnScope<T> {
    fn check(&self, subject: &TurnSubject<'_>) -> Finding {
        self.0.check(&subject.scope())
    }

    fn reads(&self) -> Reads {
        self.0.reads()
    }
}

impl<T: ScopeCheck> SessionCheck for OnScope<T> {
    fn check(&self, subject: &SessionSubject<'_>) -> Finding {
        self.0.check(&subject.scope())
    }

    fn reads(&self) -> Reads {
        self.0.reads()
    }
}
