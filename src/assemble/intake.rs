//! Takes telemetry in, element by element, on any number of threads: every record is encoded, and kept until all records
//! of its session are there.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::index::{Index, Key, Route};
use super::resource;
use super::run::{Run, Spot};
use super::session_id;
use super::settled::Settled;
use super::spill::SpillError;
use super::store::{Full, Store};
use crate::formats::RecordDecoder;
use crate::formats::telemetry::codec::{self, Place};
use crate::formats::telemetry::{Origin, Record, Sink};
use crate::model::{LeftOut, Problem};

/// How telemetry is put together.
#[derive(Debug, Clone)]
pub struct Options {
    /// The place of the session's id that the user named; it comes before all others.
    pub session_attribute: Option<String>,
    /// Largest session in bytes, as records are stored; larger ones are left out as `too_large`.
    pub max_session: usize,
    /// Where records wait that do not fit in memory.
    pub spill_dir: PathBuf,
    /// Bytes of records that are kept in memory as they are; beyond them, all are packed. As many bytes of packed ones
    /// are kept in memory, and what is beyond them on disk.
    pub budget: usize,
    /// Bytes of records that are brought back into memory at once, unless one session is larger.
    pub load: usize,
    /// Bytes of a batch of sessions, about.
    pub batch: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            session_attribute: None,
            max_session: 64 << 20,
            spill_dir: std::env::temp_dir(),
            budget: 128 << 20,
            load: 64 << 20,
            batch: 512 << 10,
        }
    }
}

/// Takes records in. Shared by all threads.
pub struct Intake {
    options: Options,
    state: Mutex<State>,
}

struct State {
    index: Index,
    store: Store,
    /// Log records that belong to nothing, by file.
    unassigned: BTreeMap<u32, u64>,
}

/// Most problems of one element that are told apart.
const MOST_PROBLEMS: usize = 100;

/// Records on their way from one thread to the intake; kept for its memory.
#[derive(Default)]
pub struct Draft {
    run: Run,
    /// Length of the run's bytes up to the last whole record.
    whole: usize,
    /// The current origin, encoded, and where the run has it, unless the next record must carry it.
    origin: Vec<u8>,
    written: Option<Range<usize>>,
    unassigned: BTreeMap<u32, u64>,
}

impl Intake {
    /// Nothing taken in.
    pub fn new(options: Options) -> Self {
        let index = Index::new(options.session_attribute.clone());
        let store = Store::new(options.spill_dir.clone(), options.budget);
        Self { options, state: Mutex::new(State { index, store, unassigned: BTreeMap::new() }) }
    }

    /// Decodes the records of an element into a draft. What could not be used is returned; the rest is taken.
    pub fn read(
        &self,
        draft: &mut Draft,
        decoder: &dyn RecordDecoder,
        element: &[u8],
        (file, index): (u32, u64),
    ) -> Vec<Problem> {
        let attribute = self.options.session_attribute.as_deref();
        let place = Place { file, element: index, position: 0 };
        pour(draft, attribute, place, |sink| decoder.records(element, sink)).problems
    }

    /// Takes a draft over, and empties it.
    pub fn take(&self, draft: &mut Draft) -> Result<(), SpillError> {
        draft.run.bytes.truncate(draft.whole);
        let full = {
            let mut state = self.lock();
            let State { index, store, unassigned } = &mut *state;
            draft.run.spots.iter().for_each(|spot| index.learn(&spot.route));
            for (file, n) in std::mem::take(&mut draft.unassigned) {
                *unassigned.entry(file).or_default() += n;
            }
            if draft.run.spots.is_empty() { Vec::new() } else { store.add(&draft.run, index) }
        };
        draft.clear();
        if full.is_empty() {
            return Ok(());
        }
        let ready = full.into_iter().map(Full::pack).collect();
        self.lock().store.put(ready)
    }

    /// Whether no record was taken.
    pub fn is_empty(&self) -> bool {
        self.lock().store.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All records are there: what comes out are sessions. `stopped` ends the work early, after which nothing that
    /// comes out may be used.
    pub fn settle(self, stopped: &dyn Fn() -> bool) -> Result<Settled, SpillError> {
        let State { mut index, store, unassigned } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let kept = store.settle(&mut index, stopped)?;
        let of_file = |(file, n): (u32, u64)| {
            let what = if n == 1 { "1 log record names" } else { &format!("{n} log records name") };
            (file, Problem::new(LeftOut::Unassigned, format!("{what} neither a trace nor a session")))
        };
        Settled::new(index, kept, unassigned.into_iter().map(of_file).collect(), &self.options)
    }
}

impl Draft {
    /// Most memory that is kept between batches.
    const KEPT: usize = 8 << 20;

    /// The records.
    pub(super) fn run(&self) -> &Run {
        &self.run
    }

    /// Log records that belong to nothing.
    pub(super) fn unassigned(&self) -> u64 {
        self.unassigned.values().sum()
    }

    pub(super) fn clear(&mut self) {
        self.run.clear();
        self.unassigned.clear();
        self.whole = 0;
        if self.run.bytes.capacity() > Self::KEPT {
            self.run = Run::default();
        }
    }
}

/// What of an element could not be used.
pub(super) struct Left {
    /// The first of them, told apart.
    pub(super) problems: Vec<Problem>,
    /// How many there are.
    pub(super) count: u64,
}

/// Fills a draft with what `decode` hands to the sink, the records of an element.
pub(super) fn pour<'a>(
    draft: &mut Draft,
    attribute: Option<&str>,
    place: Place,
    decode: impl FnOnce(&mut Pour<'_, 'a>) -> Result<(), Problem>,
) -> Left {
    // A decoder that panicked may have left half a record.
    draft.run.bytes.truncate(draft.whole);
    draft.written = None;
    let origin = Origin::default();
    let mut pour = Pour { draft, attribute, place, origin, cut: false, problems: Vec::new(), more: 0 };
    pour.origin(&Origin::default());
    if let Err(problem) = decode(&mut pour) {
        pour.problem(problem);
    }
    let Pour { mut problems, more, .. } = pour;
    let count = problems.len() as u64 + more;
    if let Some(last) = problems.last_mut().filter(|_| more > 0) {
        *last =
            Problem { message: format!("{}; and {more} more problems of this element", last.message), ..last.clone() };
    }
    Left { problems, count }
}

/// The sink of one element.
pub(super) struct Pour<'d, 'a> {
    draft: &'d mut Draft,
    attribute: Option<&'d str>,
    place: Place,
    origin: Origin<'a>,
    /// Whether it was said that a resource is cut: it may come again with every scope.
    cut: bool,
    problems: Vec<Problem>,
    /// How many problems are not listed.
    more: u64,
}

impl Pour<'_, '_> {
    /// How many records the draft has.
    pub(super) fn records(&self) -> usize {
        self.draft.run.spots.len()
    }
}

impl<'a> Sink<'a> for Pour<'_, 'a> {
    fn origin(&mut self, origin: &Origin<'a>) {
        let (bounded, lost) = resource::bounded(origin);
        if lost > 0 && !std::mem::replace(&mut self.cut, true) {
            let what = format!("{lost} attributes of a resource are left out: it has too many, or they are too large");
            self.problem(Problem::new(LeftOut::TooLarge, what));
        }
        self.origin = bounded;
        self.draft.origin.clear();
        codec::encode_origin(&self.origin, &mut self.draft.origin);
        self.draft.written = None;
    }

    fn record(&mut self, record: &Record<'a>) {
        let named = session_id::told(record.attributes(), &self.origin, self.attribute);
        let trace = match record {
            Record::Span(span) => Some(&span.trace),
            Record::Log(log) => log.trace.as_ref(),
        };
        let trace = trace.filter(|id| !id.is_empty());
        if trace.is_none() && named.is_none() {
            *self.draft.unassigned.entry(self.place.file).or_default() += 1;
            return;
        }
        let draft = &mut *self.draft;
        let origin = if draft.written.is_none() { &draft.origin[..] } else { &[] };
        let (origin, tail) = codec::encode(record, origin, self.place, &mut draft.run.bytes);
        let origin = draft.written.get_or_insert(origin).clone();
        let named = named.map(|(rank, id)| (rank, Key::session(&id)));
        let route = Route { place: self.place, trace: trace.map(|id| Key::trace(id)), named };
        draft.run.spots.push(Spot { route, origin, tail });
        draft.whole = draft.run.bytes.len();
        self.place.position = self.place.position.saturating_add(1);
    }

    fn problem(&mut self, problem: Problem) {
        if self.problems.len() < MOST_PROBLEMS { self.problems.push(problem) } else { self.more += 1 }
    }
}
