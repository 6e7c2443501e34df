//! The seam between a live run and the receiver: which turns are taken, and what the agent's telemetry told of them.

use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, ready};

/// What a live run asks of whoever receives telemetry. Shared by all sessions.
pub trait Telemetry: Send + Sync {
    /// A turn begins, just before its request is sent; a trace that begins again is the same turn. From here on the spans of its trace belong to it; so do those of
    /// other traces that name its session while it is the last turn, or that link to its trace.
    fn begin(&self, turn: &Begun<'_>);

    /// Waits until the turns of a session are complete, and hands out what arrived for them: one entry a turn begun, in
    /// that order. A turn is complete when its root span has ended and nothing of the session has arrived for `quiet`.
    /// At `deadline` what is there is handed out as it is. To be called once a session, also for one that failed.
    fn collect<'a>(&'a self, session: &'a str, quiet: Duration, deadline: Instant) -> BoxFuture<'a, Collected>;

    /// Hands out what arrived of sessions after they had been handed out, for those that are `mine` and of which nothing
    /// more arrived for `quiet`: the records that are new, and of each turn whether it is complete with them.
    fn again(&self, mine: &dyn Fn(&str) -> bool, quiet: Duration) -> Vec<(String, Collected)>;

    /// How many records of a session arrived after it had been handed out, and were not handed out again.
    fn late(&self, session: &str) -> u64;

    /// What arrived so far, and what of it no session has.
    fn counts(&self) -> Counts;
}

/// A turn that begins.
#[derive(Debug, Clone, Copy)]
pub struct Begun<'a> {
    /// The session's id, as in `baggage: session.id=...`.
    pub session: &'a str,
    /// The trace id of its `traceparent`: 32 digits of lower-case hex.
    pub trace: &'a str,
    /// The span id of its `traceparent`: the parent of the agent's root span. 16 digits of lower-case hex.
    pub parent: &'a str,
}

/// What was heard of a session.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    /// Whether somebody listens at all. Where nobody does, that nothing arrived says nothing about the agent.
    pub listening: bool,
    /// One a turn, in the order in which they began.
    pub turns: Vec<TurnTelemetry>,
    /// How long it was waited for.
    pub waited: Duration,
}

/// What was heard of a turn.
#[derive(Debug, Clone, Default)]
pub struct TurnTelemetry {
    /// Its records ([`crate::formats::telemetry::codec`]); empty where none arrived.
    pub records: Vec<u8>,
    /// Whether its root span arrived, and has ended. Where it did not, spans may be missing.
    pub complete: bool,
    /// Whether records of it could not be read back from disk.
    pub lost: bool,
}

/// What arrived, and what of it no session has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that were taken.
    pub records: u64,
    /// Records that belong to no session of this run.
    pub foreign: u64,
    /// Records that arrived after their session was handed out, and were handed out again.
    pub joined: u64,
    /// Records, and requests, that could not be read.
    pub unreadable: u64,
    /// Requests of metrics, which nobody asked for.
    pub metrics: u64,
    /// Requests that were told to come again, or that nothing could be done with.
    pub refused: u64,
}

impl Counts {
    /// What was counted since.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            records: self.records.saturating_sub(before.records),
            foreign: self.foreign.saturating_sub(before.foreign),
            joined: self.joined.saturating_sub(before.joined),
            unreadable: self.unreadable.saturating_sub(before.unreadable),
            metrics: self.metrics.saturating_sub(before.metrics),
            refused: self.refused.saturating_sub(before.refused),
        }
    }
}

/// Receives nothing: the agent is known by its replies and by the calls that it reports.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Telemetry for Nobody {
    fn begin(&self, _: &Begun<'_>) {}

    fn collect<'a>(&'a self, _: &'a str, _: Duration, _: Instant) -> BoxFuture<'a, Collected> {
        Box::pin(ready(Collected::default()))
    }

    fn again(&self, _: &dyn Fn(&str) -> bool, _: Duration) -> Vec<(String, Collected)> {
        Vec::new()
    }

    fn late(&self, _: &str) -> u64 {
        0
    }

    fn counts(&self) -> Counts {
        Counts::default()
    }
}
