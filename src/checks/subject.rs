//! What a check is given. What it cannot see here, it cannot depend on.

use std::cell::OnceCell;

use super::expect::Expected;
use crate::model::{Evidence, Field, Finding, Session, Span, Turn, hidden_calls, last_end, tool_calls};

/// A session bound to its case: what every subject of it shares.
pub struct Scene<'s> {
    /// The session.
    pub session: &'s Session<'s>,
    /// The case's id.
    pub case_id: &'s str,
    /// The case's tags together with the session's.
    pub tags: &'s [String],
    /// What is expected of the session as a whole.
    pub expected: &'s Expected<'s>,
    /// What is expected of each turn; `None` where nothing is.
    pub turn_expected: &'s [Option<Expected<'s>>],
    /// What an earlier run's session of the same case and trial replied, turn by turn; or why that is not known.
    pub earlier: Result<&'s [EarlierReply], &'s str>,
    /// `case` and `session` as templates and expressions see them; made when first asked for.
    pub context: &'s OnceCell<minijinja::Value>,
    /// Makes `context`.
    pub make_context: &'s dyn Fn() -> minijinja::Value,
}

/// What was replied in a turn of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EarlierReply {
    /// This.
    Said(String),
    /// Nothing.
    Nothing,
    /// It was taken out when it was written.
    Hidden,
}

/// Why nothing is known of an earlier run, where none is named.
pub const NO_EARLIER: &str = "no run to compare with is named: `--baseline RUN`, or `baseline` in [gate]";

impl Scene<'_> {
    /// The template context: `case` and `session`. A subject adds `turn` or `span` to it.
    pub fn context(&self) -> &minijinja::Value {
        self.context.get_or_init(|| (self.make_context)())
    }
}

/// One span within its turn.
#[derive(Clone, Copy)]
pub struct SpanSubject<'s> {
    /// The session it is part of.
    pub scene: &'s Scene<'s>,
    /// The span.
    pub span: &'s Span<'s>,
    /// Its ordinal in the session.
    pub ordinal: usize,
    /// The index of its turn; `None` before the first.
    pub turn: Option<usize>,
}

/// One turn.
#[derive(Clone, Copy)]
pub struct TurnSubject<'s> {
    /// The session it is part of.
    pub scene: &'s Scene<'s>,
    /// The turn.
    pub turn: &'s Turn<'s>,
    /// Its index, from 0.
    pub index: usize,
}

/// One session.
#[derive(Clone, Copy)]
pub struct SessionSubject<'s> {
    /// The session and its case.
    pub scene: &'s Scene<'s>,
}

impl<'s> TurnSubject<'s> {
    /// The turn as a stretch of operations.
    pub fn scope(&self) -> Scope<'s> {
        Scope { scene: self.scene, turn: Some(self.index) }
    }
}

impl<'s> SessionSubject<'s> {
    /// The session as a stretch of operations.
    pub fn scope(&self) -> Scope<'s> {
        Scope { scene: self.scene, turn: None }
    }
}

/// A turn or a whole session, for checks that mean the same over both.
#[derive(Clone, Copy)]
pub struct Scope<'s> {
    /// The session it is part of.
    pub scene: &'s Scene<'s>,
    /// The turn's index; `None` for the whole session.
    pub turn: Option<usize>,
}

impl<'s> Scope<'s> {
    /// What is expected here: of the turn, or of the session as a whole.
    pub fn expected(&self) -> Option<&'s Expected<'s>> {
        match self.turn {
            Some(i) => self.scene.turn_expected.get(i).and_then(Option::as_ref),
            None => Some(self.scene.expected),
        }
    }

    /// The spans here with their ordinals in the session, as recorded.
    pub fn spans(&self) -> Box<dyn Iterator<Item = (usize, &'s Span<'s>)> + 's> {
        let session = self.scene.session;
        match self.turn {
            Some(i) => {
                let first = session.first_span_of_turn(i);
                let spans = session.turns.get(i).map_or(&[][..], |t| &t.spans);
                Box::new(spans.iter().enumerate().map(move |(k, s)| (first + k, s)))
            }
            None => Box::new(session.spans().enumerate()),
        }
    }

    /// The agent's tool calls here with their span ordinals, in start order (recorded order where there are no times).
    pub fn calls(&self) -> impl Iterator<Item = (usize, &'s Span<'s>)> {
        tool_calls(self.spans())
    }

    /// The error of a check that needs to know all calls here, where the recording does not show them all.
    pub fn hidden_calls(&self) -> Option<Finding> {
        let (ordinal, why) = hidden_calls(self.scene.session, self.spans())?;
        Some(ordinal.into_iter().fold(Finding::error(why), |f, i| f.with(Evidence::span(i, Field::Output))))
    }

    /// Start and end in nanoseconds: as recorded, else from the first start and last end of the spans here.
    pub fn times(&self) -> (Option<u64>, Option<u64>) {
        let (start, end) = match self.turn {
            Some(i) => self.scene.session.turns.get(i).map_or((None, None), |t| (t.start_ns, t.end_ns)),
            None => (self.scene.session.start_ns, self.scene.session.end_ns),
        };
        let start = start.or_else(|| self.spans().filter_map(|(_, s)| s.start_ns).min());
        let end = end.or_else(|| last_end(self.spans().map(|(_, s)| s)));
        (start, end)
    }

    /// "turn 2" or "the session".
    pub fn name(&self) -> String {
        self.turn.map_or_else(|| "the session".to_owned(), |i| format!("turn {}", i + 1))
    }
}
