//! When a session is over: it says so, it was quiet for long enough, it has gone on for too long, or it has become too
//! large. Pure.

use std::time::{Duration, Instant};

use crate::assemble::live::Waiting;
use crate::suite::watch::Watch;

/// When a session is over, and for how long more of it may come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// Nothing arrived for so long.
    pub idle: Duration,
    /// It began so long ago.
    pub max_age: Duration,
    /// It has so many records (spans and log records).
    pub max_records: u64,
    /// It has so many bytes, as its records are stored.
    pub max_bytes: u64,
    /// Attributes (of any value but false) and events by which a record says that its session has ended.
    pub ends: Vec<String>,
}

impl Closing {
    /// As a suite says it.
    pub fn of(watch: &Watch) -> Self {
        Self {
            idle: watch.idle,
            max_age: watch.max_age,
            max_records: watch.max_spans,
            max_bytes: watch.max_bytes,
            ends: watch.ends.clone(),
        }
    }
}

impl Default for Closing {
    fn default() -> Self {
        Self::of(&Watch::default())
    }
}

/// How long a record that says that its session has ended waits for those that were sent with it.
const AFTER_ITS_END: Duration = Duration::from_secs(2);

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Over {
    /// A record said so.
    Said,
    /// It was quiet.
    Idle,
    /// It went on for too long; what comes of it later is not of it.
    Age,
    /// It has become too large; what comes of it later is not of it.
    Size,
}

impl Over {
    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Said => "said",
            Self::Idle => "idle",
            Self::Age => "age",
            Self::Size => "size",
        }
    }

    /// Whether the session is cut off here: nothing that comes later is put to it.
    pub const fn cuts(self) -> bool {
        matches!(self, Self::Age | Self::Size)
    }
}

impl Closing {
    /// Whether a session is over, and why.
    pub fn over(&self, home: &Waiting, now: Instant) -> Option<Over> {
        let quiet = now.saturating_duration_since(home.last);
        if home.records > self.max_records || home.bytes > self.max_bytes {
            return Some(Over::Size);
        }
        if home.said && quiet >= AFTER_ITS_END.min(self.idle) {
            return Some(Over::Said);
        }
        if quiet >= self.idle {
            return Some(Over::Idle);
        }
        (now.saturating_duration_since(home.first) >= self.max_age).then_some(Over::Age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assemble::live::Key;

    fn home(first: u64, last: u64, now: Instant) -> Waiting {
        let ago = |secs| now.checked_sub(Duration::from_secs(secs)).unwrap();
        Waiting {
            home: Key::session("s"),
            over: false,
            said: false,
            first: ago(first),
            last: ago(last),
            since: 0,
            records: 1,
            bytes: 100,
            closed: 0,
        }
    }

    #[test]
    fn a_session_is_over_when_it_says_so_is_quiet_too_old_or_too_large() {
        let now = Instant::now() + Duration::from_secs(200_000);
        let closing = Closing::default();
        let over = |home: Waiting| closing.over(&home, now);
        assert_eq!(over(home(10, 10, now)), None);
        assert_eq!(over(home(2_000, 900, now)), Some(Over::Idle));
        assert_eq!(over(home(2_000, 899, now)), None);
        assert_eq!(over(Waiting { said: true, ..home(10, 2, now) }), Some(Over::Said));
        assert_eq!(over(Waiting { said: true, ..home(10, 1, now) }), None, "what was sent with it may still come");
        assert_eq!(over(home(86_400, 1, now)), Some(Over::Age));
        assert_eq!(over(Waiting { records: 100_001, ..home(5, 1, now) }), Some(Over::Size));
        assert_eq!(over(Waiting { bytes: 64 << 20 | 1, ..home(5, 1, now) }), Some(Over::Size));
    }
}
