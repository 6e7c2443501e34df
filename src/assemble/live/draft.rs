//! The records of one request on their way into [`super::Live`], with what says of each whether its trace is over.

use std::sync::Arc;

use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

use crate::assemble::index::Key;
use crate::assemble::intake::{self, Left, Pour, pour};
use crate::formats::RecordDecoder;
use crate::formats::telemetry::codec::Place;
use crate::formats::telemetry::{Origin, Record, Side, Sink, Value, find};
use crate::model::Problem;

/// Records of a request; kept for its memory.
#[derive(Default)]
pub struct Draft {
    pub(super) inner: intake::Draft,
    /// One a record.
    pub(super) marks: Vec<Mark>,
    /// Attributes and events by which a record says that its session has ended.
    ends: Arc<[String]>,
}

/// What is known of a record beside where it wants to go.
#[derive(Debug, Clone, Default)]
pub(super) struct Mark {
    /// How the span ends its trace, where it is one that has ended.
    pub(super) root: Option<Root>,
    /// When the span started.
    pub(super) start_ns: Option<u64>,
    /// The traces that the span links to.
    pub(super) links: SmallVec<[Key; 1]>,
    /// It says that its session has ended.
    pub(super) said: bool,
}

/// A span that may be the root of its trace in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// It has no parent, or it answers a request that came from elsewhere.
    Entry,
    /// It has this parent, which may be another's.
    Below(SpanKey),
}

/// A span by the hash of its id.
pub(super) type SpanKey = u64;

/// The hash of a span's id.
pub(super) fn span_key(id: &str) -> SpanKey {
    xxh3_64(id.as_bytes())
}

impl Draft {
    /// A draft that knows by which attributes (of any value but false) and events a record says that its session has ended.
    pub fn ends(ends: &Arc<[String]>) -> Self {
        Self { ends: ends.clone(), ..Self::default() }
    }

    /// Decodes the records of a request. `number` is that of the request: what came later has a larger one. Says what
    /// could not be used, the first of them in words, and how much that is; the rest is taken.
    pub fn read(
        &mut self,
        decoder: &dyn RecordDecoder,
        request: &[u8],
        number: u64,
        attribute: Option<&str>,
    ) -> (Vec<Problem>, u64) {
        self.clear();
        let Self { inner, marks, ends } = self;
        let place = Place { file: 0, element: number, position: 0 };
        let Left { problems, count } =
            pour(inner, attribute, place, |pour| decoder.records(request, &mut Marking { pour, marks, ends }));
        let unassigned = inner.unassigned();
        (problems, count + unassigned)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.inner.clear();
        self.marks.clear();
    }
}

/// Marks every record that is taken.
struct Marking<'m, 'd, 'a> {
    pour: &'m mut Pour<'d, 'a>,
    marks: &'m mut Vec<Mark>,
    ends: &'m [String],
}

impl<'a> Sink<'a> for Marking<'_, '_, 'a> {
    fn origin(&mut self, origin: &Origin<'a>) {
        self.pour.origin(origin);
    }

    fn record(&mut self, record: &Record<'a>) {
        self.pour.record(record);
        if self.pour.records() > self.marks.len() {
            self.marks.push(Mark { said: says_end(record, self.ends), ..mark(record) });
        }
    }

    fn problem(&mut self, problem: Problem) {
        self.pour.problem(problem);
    }
}

fn mark(record: &Record<'_>) -> Mark {
    let Record::Span(span) = record else { return Mark::default() };
    let root = match &span.parent {
        _ if span.end_ns.is_none() => None,
        None => Some(Root::Entry),
        Some(_) if matches!(span.side, Side::Server | Side::Consumer) => Some(Root::Entry),
        Some(parent) => Some(Root::Below(span_key(parent))),
    };
    let links = span.links.iter().map(|(trace, _)| Key::trace(trace)).collect();
    Mark { root, start_ns: span.start_ns, links, said: false }
}

/// Whether a record says that its session has ended: by an attribute that is there and not false, or by an event.
fn says_end(record: &Record<'_>, ends: &[String]) -> bool {
    let has = |name: &String| match find(record.attributes(), name) {
        Some(Value::Bool(said)) => *said,
        found => found.is_some(),
    };
    let is_event = |name: &String| match record {
        Record::Span(span) => span.events.iter().any(|event| event.name.as_str() == name),
        Record::Log(log) => log.name.as_str() == name,
    };
    ends.iter().any(|name| has(name) || is_event(name))
}
