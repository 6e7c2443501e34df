//! The stored records of a session read back: each span with its log records, its dialect, and what that says of it.

use std::cell::OnceCell;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::forest::{Forest, Link};
use crate::formats::telemetry::codec::{self, Place};
use crate::formats::telemetry::dialect::{At, Dialect, Message, Reading, by_attributes, dialect};
use crate::formats::telemetry::{LogRecord, Origin, Record, SpanRecord};
use crate::model::Text;

/// A span and everything that is known of it alone.
pub(super) struct Node<'a> {
    pub(super) span: SpanRecord<'a>,
    pub(super) origin: Rc<Origin<'a>>,
    pub(super) logs: Vec<LogRecord<'a>>,
    pub(super) dialect: Option<&'static dyn Dialect>,
    pub(super) reading: Reading<'a>,
    /// The messages that came out, once somebody asked for them.
    said: OnceCell<Option<Vec<Message<'a>>>>,
    /// Where it stood in the input.
    pub(super) place: Place,
    /// Only log records that name it arrived.
    pub(super) is_missing: bool,
}

/// A session's spans in order of their start, as trees.
pub(super) struct Loaded<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) forest: Forest,
    /// Log records that no span can take: they name a trace and no span.
    pub(super) loose: Vec<LogRecord<'a>>,
    /// Records that arrived again.
    pub(super) repeated: usize,
}

/// The trace and span id of a record.
type Key<'a> = (&'a str, &'a str);

/// A log record, what made it, and where it stood.
type Logged<'a> = (LogRecord<'a>, Rc<Origin<'a>>, Place);

impl<'a> Node<'a> {
    /// The span as its dialect sees it.
    pub(super) fn at<'s>(&'s self) -> At<'s, 'a> {
        At { span: &self.span, origin: &self.origin, logs: &self.logs }
    }

    /// The messages that went in.
    pub(super) fn asked(&self) -> Option<Vec<Message<'a>>> {
        self.dialect?.asked(&self.at())
    }

    /// The messages that came out.
    pub(super) fn said(&self) -> Option<&[Message<'a>]> {
        self.said.get_or_init(|| self.dialect?.said(&self.at())).as_deref()
    }

    /// The messages that came out, which are not asked for again.
    pub(super) fn take_said(&mut self) -> Option<Vec<Message<'a>>> {
        self.said();
        self.said.take().flatten()
    }
}

/// Reads the records, ties logs to their spans and spans to their parents, and lets the dialects read.
pub(super) fn load<'a>(bytes: &'a [u8]) -> Loaded<'a> {
    let mut origins: HashMap<&'a [u8], Rc<Origin<'a>>> = HashMap::new();
    // Spans are large: room for all of them is made once.
    let count = codec::count(bytes);
    let mut spans: Vec<(Key<'a>, SpanRecord<'a>, Rc<Origin<'a>>, Place)> = Vec::with_capacity(count);
    let mut last: HashMap<Key<'a>, usize> = HashMap::with_capacity(count);
    let mut logs: HashMap<Key<'a>, Vec<Logged<'a>>> = HashMap::new();
    let (mut seen, mut loose, mut repeated) = (HashSet::new(), Vec::new(), 0);
    let mut before: Option<(&'a [u8], Rc<Origin<'a>>)> = None;
    for (stored, _) in codec::stored(bytes) {
        // Most records are of the origin of the one before, and its bytes are the very same.
        let origin = match &before {
            Some((bytes, origin)) if std::ptr::eq(*bytes, stored.origin) => origin.clone(),
            _ => {
                let decoded = || Rc::new(codec::decode_origin(stored.origin).unwrap_or_default());
                let origin = origins.entry(stored.origin).or_insert_with(decoded).clone();
                before = Some((stored.origin, origin.clone()));
                origin
            }
        };
        let key = (stored.trace, stored.span);
        match stored.decode() {
            Some(Record::Span(span)) => match last.entry(key) {
                // The last write wins.
                Entry::Occupied(at) => {
                    spans[*at.get()] = (key, span, origin, stored.place);
                    repeated += 1;
                }
                Entry::Vacant(entry) => {
                    entry.insert(spans.len());
                    spans.push((key, span, origin, stored.place));
                }
            },
            Some(Record::Log(_)) if !seen.insert((stored.trace, stored.span, stored.content())) => repeated += 1,
            Some(Record::Log(log)) if stored.span.is_empty() => loose.push(log),
            Some(Record::Log(log)) => {
                logs.entry((stored.trace, stored.span)).or_default().push((log, origin, stored.place));
            }
            None => {}
        }
    }
    // In order of time, those without one first; what arrived first comes first among equals.
    loose.sort_by_key(|log| log.time_ns);
    let mut nodes: Vec<Node<'a>> = Vec::with_capacity(spans.len() + logs.len());
    for (key, span, origin, place) in spans {
        let mine = if logs.is_empty() { Vec::new() } else { in_order(logs.remove(&key).unwrap_or_default()) };
        nodes.push(Node::new(span, origin, mine.into_iter().map(|(log, ..)| log).collect(), place));
    }
    // What is left names spans that are not in the recording: only their content arrived.
    let mut orphans: Vec<_> = logs.into_values().map(in_order).collect();
    orphans.sort_by_key(|logs| logs.first().map(|(.., place)| *place));
    for logs in orphans {
        nodes.extend(alone(logs));
    }
    // A span without a start comes where it arrived, before those with one.
    nodes.sort_by_key(|n| (n.span.start_ns, n.place));
    let links: Vec<Link<'_>> = nodes.iter().map(|n| link(&n.span)).collect();
    let forest = Forest::new(&links);
    Loaded { nodes, forest, loose, repeated }
}

/// Log records of a span as they happened: batches of them may arrive in any order.
fn in_order(mut logs: Vec<Logged<'_>>) -> Vec<Logged<'_>> {
    logs.sort_by_key(|(log, ..)| log.time_ns);
    logs
}

impl<'a> Node<'a> {
    fn new(span: SpanRecord<'a>, origin: Rc<Origin<'a>>, logs: Vec<LogRecord<'a>>, place: Place) -> Self {
        let at = At { span: &span, origin: &origin, logs: &logs };
        let dialect = dialect(&at);
        let mut reading = match dialect {
            Some(dialect) => dialect.read(&at),
            None => Reading { kind: by_attributes(&span.attributes), ..Reading::default() },
        };
        let said = reading.said.take().map_or_else(OnceCell::new, |said| OnceCell::from(Some(said)));
        Self { span, origin, logs, dialect, reading, said, place, is_missing: false }
    }
}

/// A span for log records whose own span is not there. When it ended nobody knows.
fn alone(logs: Vec<Logged<'_>>) -> Option<Node<'_>> {
    let (first, origin, place) = logs.first()?;
    let span = SpanRecord {
        trace: first.trace.clone().unwrap_or_default(),
        id: first.span.clone().unwrap_or_default(),
        name: if first.name.is_empty() { Text::borrowed("log") } else { first.name.clone() },
        start_ns: logs.iter().find_map(|(log, ..)| log.time_ns),
        ..SpanRecord::default()
    };
    let (origin, place) = (origin.clone(), *place);
    let node = Node::new(span, origin, logs.into_iter().map(|(log, ..)| log).collect(), place);
    Some(Node { is_missing: true, ..node })
}

fn link<'s>(span: &'s SpanRecord<'_>) -> Link<'s> {
    Link { trace: &span.trace, id: &span.id, parent: span.parent.as_deref() }
}
