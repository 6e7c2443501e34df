//! Telemetry as exporters write it: spans and log records, whatever carried them.
//!
//! A telemetry format (`otlp`, `agentcore`, `jaeger`) decodes its bytes into [`SpanRecord`]s and [`LogRecord`]s and
//! hands them to a [`Sink`]; `assemble/` groups them into sessions, and the [`dialect`]s say what an SDK meant by its
//! attributes. [`codec`] is the form in which records wait for the rest of their session.

pub mod codec;
pub mod dialect;
pub mod id;
mod value;

pub use value::{Pairs, Value, find};

use crate::model::{Problem, SpanStatus, Text};

/// What made a span or log record: the resource (process) and the instrumentation scope.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Origin<'a> {
    /// Attributes of the resource, such as `service.name`.
    pub resource: Pairs<'a>,
    /// The instrumentation scope's name, such as `strands.telemetry.tracer`.
    pub scope: Text<'a>,
    /// The instrumentation scope's version.
    pub version: Text<'a>,
}

/// A span as it was exported.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpanRecord<'a> {
    /// Trace id: lower-case hex, or as it was written where it is no such id.
    pub trace: Text<'a>,
    /// Span id, in the same form.
    pub id: Text<'a>,
    /// The parent's span id; `None` for a root.
    pub parent: Option<Text<'a>>,
    /// The span's name.
    pub name: Text<'a>,
    /// The other end of a remote call: `server`, `client`, `producer`, `consumer`; `internal` or unsaid otherwise.
    pub side: Side,
    /// Start, nanoseconds since the Unix epoch; `None` where it is absent or 0.
    pub start_ns: Option<u64>,
    /// End, nanoseconds since the Unix epoch; `None` where it is absent or 0.
    pub end_ns: Option<u64>,
    /// The status code.
    pub status: SpanStatus,
    /// The status message.
    pub status_message: Option<Text<'a>>,
    /// Attributes, in recorded order. A name may repeat; the last one counts.
    pub attributes: Pairs<'a>,
    /// Events of the span.
    pub events: Vec<EventRecord<'a>>,
    /// Spans that this one refers to: trace id and span id.
    pub links: Vec<(Text<'a>, Text<'a>)>,
    /// How many attributes, events and links the SDK says that it dropped.
    pub dropped: u32,
}

/// OpenTelemetry's span kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Side {
    /// Not said.
    #[default]
    Unspecified,
    /// Within the process.
    Internal,
    /// The answering side of a remote call.
    Server,
    /// The asking side of a remote call.
    Client,
    /// Sends to a queue.
    Producer,
    /// Takes from a queue.
    Consumer,
}

impl Side {
    /// All, by their number in OTLP.
    pub const ALL: [Self; 6] =
        [Self::Unspecified, Self::Internal, Self::Server, Self::Client, Self::Producer, Self::Consumer];

    /// The side with OTLP's number; unspecified for a number that is none.
    pub fn from_number(number: i64) -> Self {
        usize::try_from(number).ok().and_then(|n| Self::ALL.get(n)).copied().unwrap_or_default()
    }
}

/// An event of a span.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventRecord<'a> {
    /// The event's name.
    pub name: Text<'a>,
    /// When, nanoseconds since the Unix epoch.
    pub time_ns: Option<u64>,
    /// What it says.
    pub attributes: Pairs<'a>,
}

/// A log record as it was exported.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogRecord<'a> {
    /// The trace it belongs to.
    pub trace: Option<Text<'a>>,
    /// The span it belongs to.
    pub span: Option<Text<'a>>,
    /// When it happened, else when it was observed; nanoseconds since the Unix epoch.
    pub time_ns: Option<u64>,
    /// `eventName`, else the attribute `event.name`.
    pub name: Text<'a>,
    /// The body.
    pub body: Option<Value<'a>>,
    /// Attributes, in recorded order.
    pub attributes: Pairs<'a>,
}

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub enum Record<'a> {
    /// A span.
    Span(SpanRecord<'a>),
    /// A log record.
    Log(LogRecord<'a>),
}

impl<'a> Record<'a> {
    /// The attributes of the span or log record.
    pub fn attributes(&self) -> &Pairs<'a> {
        match self {
            Self::Span(span) => &span.attributes,
            Self::Log(log) => &log.attributes,
        }
    }
}

/// Takes records as they are decoded.
pub trait Sink<'a> {
    /// What follows was made by `origin`. Called before the first record and whenever it changes.
    fn origin(&mut self, origin: &Origin<'a>);
    /// A record.
    fn record(&mut self, record: &Record<'a>);
    /// Something of the element could not be used. The rest still is.
    fn problem(&mut self, problem: Problem);
}
