//! What time it is: an instant that never goes back, for how long something has been quiet, and the time of day, for what
//! windows are called and recordings say. A clock that is set to another time moves the second only.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use crate::ledger::Millis;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// An instant; later ones are never earlier.
    fn instant(&self) -> Instant;
    /// Milliseconds since the Unix epoch.
    fn millis(&self) -> Millis;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn millis(&self) -> Millis {
        jiff::Timestamp::now().as_millisecond()
    }
}

/// A clock that stands still unless it is moved, so that days pass in an instant.
#[derive(Debug)]
pub struct Driven {
    began: Instant,
    /// Milliseconds since it began.
    passed: AtomicI64,
    /// The time of day when it began, and by how much it was set to another time since.
    day: AtomicI64,
}

impl Driven {
    /// A clock that stands at a time of day.
    pub fn at(millis: Millis) -> Self {
        Self { began: Instant::now(), passed: AtomicI64::new(0), day: AtomicI64::new(millis) }
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.passed.fetch_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Sets the time of day forward or back by so many milliseconds, as somebody does who sets a clock.
    pub fn set(&self, by: Millis) {
        self.day.fetch_add(by, Ordering::Relaxed);
    }
}

impl Clock for Driven {
    fn instant(&self) -> Instant {
        let passed = u64::try_from(self.passed.load(Ordering::Relaxed)).unwrap_or(0);
        self.began + Duration::from_millis(passed)
    }

    fn millis(&self) -> Millis {
        self.day.load(Ordering::Relaxed) + self.passed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_moves_the_time_of_day_and_no_instant() {
        let clock = Driven::at(1_000);
        let before = clock.instant();
        clock.set(-500);
        assert_eq!((clock.instant(), clock.millis()), (before, 500));
        clock.pass(Duration::from_secs(3));
        assert_eq!((clock.instant() - before, clock.millis()), (Duration::from_secs(3), 3_500));
    }
}
