//! Takes requests of telemetry: decoded, written to the spool, and put where they belong, before anybody is told that
//! they arrived.
//!
//! Memory is bounded three ways: the bytes of requests that are being worked on, the bytes of records that wait (beyond a
//! budget they go to disk), and how many traces wait. What is beyond is refused with the advice to come again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::{Refusal, Taken};
use super::cleaned::cleaned;
use super::spool::{Encoding, Left, Past, Spool, SpoolError, Spot};
use super::telemetry::Counts;
use crate::assemble::SpillError;
use crate::assemble::live::{Draft, Key, Live};
use crate::formats::otlp::Request;
use crate::redact::Redactor;

/// How much is taken in.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest request, unpacked, in bytes.
    pub request: usize,
    /// Bytes of requests that are worked on at once.
    pub at_once: usize,
    /// Bytes of the spool.
    pub spool: u64,
    /// Bytes of records that wait in memory.
    pub memory: usize,
    /// Traces that wait.
    pub traces: usize,
    /// The folder for records that memory has no room for.
    pub spill_dir: PathBuf,
    /// The attribute that names the session, where it is none of the usual ones.
    pub session_attribute: Option<String>,
    /// Attributes and events by which a record says that its session has ended.
    pub ends: Arc<[String]>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: 128 << 20,
            at_once: 256 << 20,
            spool: 4 << 30,
            memory: 64 << 20,
            traces: 1_000_000,
            spill_dir: std::env::temp_dir(),
            session_attribute: None,
            ends: Arc::default(),
        }
    }
}

/// Is told of the home of each record, with everything that waits locked.
type Arrived = Box<dyn Fn(&mut Live, Key) + Send + Sync>;

/// Says what time it is.
type Clock = Box<dyn Fn() -> Instant + Send + Sync>;

/// Where requests go. Shared by all connections.
pub struct Inbox {
    limits: Limits,
    state: Mutex<State>,
    /// Room for requests, in KiB.
    room: Arc<Semaphore>,
    /// Number of the next request.
    next: AtomicU64,
    drafts: Mutex<Vec<Draft>>,
    counted: Counted,
    /// Whether there is a spool.
    spools: bool,
    /// What must not be written.
    redactor: RwLock<Redactor>,
    arrived: Arrived,
    /// What time it is.
    clock: Clock,
}

/// What waits, and what is on disk of it.
pub(super) struct State {
    pub(super) live: Live,
    /// None where what was received is of no use to a later process.
    pub(super) spool: Option<Spool>,
    /// Why records could not be put on disk, the last time they had to be.
    spill: Option<SpillError>,
}

/// What was counted.
#[derive(Default)]
struct Counted {
    requests: AtomicU64,
    records: AtomicU64,
    unreadable: AtomicU64,
    metrics: AtomicU64,
    refused: AtomicU64,
}

/// What is taken back from an earlier process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Requests.
    pub requests: u64,
    /// Frames that were torn, which nobody was told had arrived.
    pub torn: u32,
}

/// Room for a request in memory; given back when it is dropped.
#[derive(Debug, Default)]
pub struct Room(Vec<OwnedSemaphorePermit>);

impl Inbox {
    /// An inbox over a spool; what an earlier process left in it waits again. `written` is the length of the file of
    /// sessions; `arrived` is told the home of each record.
    pub fn open(
        left: Left,
        written: u64,
        limits: Limits,
        redactor: Redactor,
        arrived: impl Fn(&mut Live, Key) + Send + Sync + 'static,
    ) -> Result<(Self, Recovered), SpoolError> {
        let mut live = Live::new(limits.spill_dir.clone(), limits.memory);
        let (mut draft, mut last, mut recovered) = (Draft::ends(&limits.ends), 0, Recovered::default());
        recovered.torn = left.damaged;
        let (attribute, now) = (limits.session_attribute.clone(), Instant::now());
        let mut spill = None;
        left.replay(&mut |past| match past {
            Past::Request(_, number, bytes, segment) => {
                last = last.max(number);
                recovered.requests += 1;
                // What could not be read the first time cannot be read now, and was said then.
                let read = catch_unwind(AssertUnwindSafe(|| draft.read(&Request, bytes, number, attribute.as_deref())));
                if read.is_err() {
                    draft = Draft::ends(&limits.ends);
                }
                spill = live.take(&mut draft, now, segment, &mut |_| ()).err().or(spill.take());
                Ok::<(), std::io::Error>(())
            }
            Past::Written(home) => {
                live.remove(home);
                Ok(())
            }
        })
        .map_err(|why| SpoolError::Disk { dir: limits.spill_dir.clone(), why })?;
        let spool = left.resume(limits.spool, written)?;
        let state = State { live, spool: Some(spool), spill };
        Ok((Self::over(state, last + 1, limits, redactor, Box::new(arrived)), recovered))
    }

    /// An inbox without a spool: what waits in it ends with the process.
    pub fn without_spool(limits: Limits, arrived: impl Fn(&mut Live, Key) + Send + Sync + 'static) -> Self {
        let live = Live::new(limits.spill_dir.clone(), limits.memory);
        Self::over(State { live, spool: None, spill: None }, 1, limits, Redactor::default(), Box::new(arrived))
    }

    /// From now on hides what other rules say. What was received before is on disk as it is.
    pub fn hide(&self, redactor: Redactor) {
        *self.redactor.write().unwrap_or_else(PoisonError::into_inner) = redactor;
    }

    fn over(state: State, next: u64, limits: Limits, redactor: Redactor, arrived: Arrived) -> Self {
        Self {
            spools: state.spool.is_some(),
            state: Mutex::new(state),
            room: Arc::new(Semaphore::new(limits.at_once >> 10)),
            next: AtomicU64::new(next),
            drafts: Mutex::default(),
            counted: Counted::default(),
            redactor: RwLock::new(redactor),
            arrived,
            clock: Box::new(Instant::now),
            limits,
        }
    }

    /// The same by another clock.
    #[must_use]
    pub fn by(mut self, clock: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Largest request, unpacked, in bytes.
    pub(super) fn largest(&self) -> usize {
        self.limits.request
    }

    /// Bytes that the spool may have.
    pub(super) fn spool_limit(&self) -> u64 {
        self.limits.spool
    }

    /// Makes room for more bytes of a request.
    pub(super) fn make_room(&self, room: &mut Room, bytes: usize) -> Result<(), Refusal> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        match self.room.clone().try_acquire_many_owned(kib) {
            Ok(permit) => {
                room.0.push(permit);
                Ok(())
            }
            Err(_) => Err(Refusal::busy("more is being received than there is memory for", Duration::from_secs(1))),
        }
    }

    /// Takes a request. When this returns, what could be read of it is on disk, where there is a spool.
    pub(super) fn take(&self, encoding: Encoding, request: &[u8]) -> Result<Taken, Refusal> {
        self.counted.requests.fetch_add(1, Ordering::Relaxed);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut draft = self.lend();
        let attribute = self.limits.session_attribute.as_deref();
        let read = catch_unwind(AssertUnwindSafe(|| draft.read(&Request, request, number, attribute)));
        // A draft that was panicked over is not used again.
        let (problems, unread) = read.map_err(|_| {
            self.counted.unreadable.fetch_add(1, Ordering::Relaxed);
            Refusal::Malformed("it could not be read, which is a bug in seatrial".to_owned())
        })?;
        self.counted.unreadable.fetch_add(unread, Ordering::Relaxed);
        let records = draft.len() as u64;
        let taken = Taken { unread, why: problems.first().map(|p| p.message.clone()).unwrap_or_default() };
        if records == 0 {
            self.give_back(draft);
            return if unread > 0 { Err(Refusal::Malformed(taken.why)) } else { Ok(taken) };
        }
        let kept = self.keep(encoding, number, request, &mut draft);
        self.give_back(draft);
        kept?;
        self.counted.records.fetch_add(records, Ordering::Relaxed);
        Ok(taken)
    }

    /// Writes a request to the spool, if there is one, and puts its records where they belong.
    fn keep(&self, encoding: Encoding, number: u64, request: &[u8], draft: &mut Draft) -> Result<(), Refusal> {
        let spooled = match self.spools {
            true => cleaned(&self.redactor.read().unwrap_or_else(PoisonError::into_inner).clone(), encoding, request)?,
            false => request.into(),
        };
        let mut state = self.lock();
        let State { live, spool, spill } = &mut *state;
        if live.len() > self.limits.traces || live.bytes() > self.limits.memory.saturating_mul(2) {
            let why = spill.as_ref().map_or_else(|| "too many traces wait for their end".to_owned(), |s| s.to_string());
            return Err(Refusal::busy(why, Duration::from_secs(5)));
        }
        let appended = spool.as_mut().map(|spool| spool.append(encoding, number, &spooled)).transpose();
        let at = appended.map_err(|why| match why {
            SpoolError::Full { .. } => Refusal::busy(why.to_string(), Duration::from_secs(5)),
            SpoolError::Disk { .. } => Refusal::Disk(why.to_string(), Duration::from_secs(5)),
        })?;
        let mut homes = Vec::new();
        let mut touched = |home| {
            // Records of one home come together.
            if homes.last() != Some(&home) {
                homes.push(home);
            }
        };
        // What cannot be put on disk stays in memory; the next request is told.
        *spill = live.take(draft, (self.clock)(), at.map(Spot::segment).unwrap_or_default(), &mut touched).err();
        homes.into_iter().for_each(|home| (self.arrived)(live, home));
        Ok(())
    }

    /// Counts a request of metrics, which nobody asked for.
    pub(super) fn metrics(&self) {
        self.counted.metrics.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that was told to come again, or that nothing can be done with.
    pub(super) fn refused(&self) {
        self.counted.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// What waits.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What could not be used.
    pub fn counts(&self) -> Counts {
        let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let Counted { unreadable, metrics, refused, records, .. } = &self.counted;
        Counts {
            records: read(records),
            unreadable: read(unreadable),
            metrics: read(metrics),
            refused: read(refused),
            ..Counts::default()
        }
    }

    /// Ends it: what is on disk stays there unless nothing waits.
    pub fn close(self) -> Result<(), SpoolError> {
        let State { live, spool, .. } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match spool {
            Some(spool) if live.is_empty() => spool.remove(),
            _ => Ok(()),
        }
    }

    fn lend(&self) -> Draft {
        let free = self.drafts.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Draft::ends(&self.limits.ends))
    }

    fn give_back(&self, draft: Draft) {
        let mut drafts = self.drafts.lock().unwrap_or_else(PoisonError::into_inner);
        if drafts.len() < 4 {
            drafts.push(draft);
        }
    }
}
