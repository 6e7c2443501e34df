//! What an input may cost: time, which a watchdog looks after, and memory, which the allocator counts per thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Longest that one input may take.
const LONGEST: Duration = Duration::from_secs(20);

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, which counts what each thread holds.
pub struct Counted;

fn count(bytes: isize) {
    // A thread that is ending has no counters any more.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

#[allow(unsafe_code)] // It hands everything on as it is.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.cast_signed() - layout.size().cast_signed());
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Runs `f`; the most bytes that this thread held more than before.
pub fn memory<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = f();
    (result, usize::try_from(PEAK.get() - before).unwrap_or(0))
}

/// An input that is being worked on: target, number, since when.
type Begun = (&'static str, u64, Instant);

/// The inputs that are being worked on, one a thread.
pub struct Watch(Mutex<Vec<Option<Begun>>>);

impl Watch {
    /// One for so many threads.
    pub fn new(threads: usize) -> Self {
        Self(Mutex::new(vec![None; threads]))
    }

    /// A thread begins with an input, or has none.
    pub fn set(&self, thread: usize, input: Option<(&'static str, u64)>) {
        if let Ok(mut all) = self.0.lock() {
            all[thread] = input.map(|(target, number)| (target, number, Instant::now()));
        }
    }

    /// An input that takes too long.
    pub fn hung(&self) -> Option<(&'static str, u64)> {
        let all = self.0.lock().ok()?;
        all.iter().flatten().find(|(.., since)| since.elapsed() > LONGEST).map(|(target, number, _)| (*target, *number))
    }
}
