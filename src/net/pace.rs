//! How many at once, and how fast: as many as are allowed, fewer where the other side asks for it.
//!
//! Where somebody says that it is busy, the number is halved and nobody starts before it said to come back; each success
//! raises it again, by one for as many successes as there are places (additive increase, multiplicative decrease).

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The longest that one is told to stay away and obeys.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// How soon a second complaint still belongs to the first.
const SAME_COMPLAINT: Duration = Duration::from_secs(1);

/// Lets in as many at once as are allowed. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Pace(Arc<Shared>);

struct Shared {
    most: usize,
    rate: Option<DefaultDirectRateLimiter>,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    /// How many may be inside.
    limit: f64,
    inside: usize,
    /// The most that were inside at a time.
    peak: usize,
    not_before: Option<Instant>,
    complained: Option<Instant>,
}

impl Pace {
    /// At most `most` at once, and at most `rate` new ones a minute where that is given.
    pub fn new(most: usize, rate: Option<NonZeroU32>) -> Self {
        // One at a time, evenly: a burst is what limits of rate are there to prevent.
        let rate = rate.map(|n| RateLimiter::direct(Quota::per_minute(n).allow_burst(NonZeroU32::MIN)));
        let limit = most.max(1) as f64;
        let state = State { limit, inside: 0, peak: 0, not_before: None, complained: None };
        Self(Arc::new(Shared { most: most.max(1), rate, state: Mutex::new(state), changed: Notify::new() }))
    }

    /// Waits until one more may start.
    pub async fn enter(&self) -> Inside {
        let inside = loop {
            let changed = self.0.changed.notified();
            let wait = {
                let mut state = self.lock();
                let until = state.not_before.filter(|until| *until > Instant::now());
                if until.is_none() && (state.inside as f64) < state.limit.max(1.0).floor() {
                    state.inside += 1;
                    state.peak = state.peak.max(state.inside);
                    break Inside(self.clone());
                }
                until
            };
            match wait {
                Some(until) => sleep_until(until).await,
                None => changed.await,
            }
        };
        if let Some(rate) = &self.0.rate {
            rate.until_ready().await;
        }
        inside
    }

    /// How many may be inside now.
    pub fn limit(&self) -> usize {
        self.lock().limit.max(1.0) as usize
    }

    /// The most that were inside at a time.
    pub fn peak(&self) -> usize {
        self.lock().peak
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is inside; leaves when it is dropped.
pub struct Inside(Pace);

impl Inside {
    /// It went well.
    pub fn well(&self) {
        let shared = &self.0.0;
        let mut state = self.0.lock();
        state.limit = (state.limit + 1.0 / state.limit).min(shared.most as f64);
    }

    /// The other side is busy; nobody starts before `pause` is over.
    pub fn busy(&self, pause: Duration) {
        let now = Instant::now();
        let mut state = self.0.lock();
        let until = now + pause.min(LONGEST_PAUSE);
        state.not_before = Some(state.not_before.map_or(until, |before| before.max(until)));
        // All who were inside at the time are told the same.
        if state.complained.is_none_or(|before| now.duration_since(before) > SAME_COMPLAINT) {
            state.limit = (state.limit / 2.0).max(1.0);
            state.complained = Some(now);
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.lock().inside -= 1;
        // All of them: the limit may have risen, too.
        self.0.0.changed.notify_waiters();
    }
}

/// How long to wait before the try `attempt` (from 1): what the other side said, else twice as long each time from
/// `first` on, with as much at random (full jitter would make some not wait at all).
pub fn backoff(attempt: u32, first: Duration, said: Option<Duration>) -> Duration {
    let doubled = first.saturating_mul(1 << attempt.saturating_sub(1).min(10));
    let jitter = doubled.mul_f64(fastrand::f64());
    match said {
        Some(said) => said.min(LONGEST_PAUSE).saturating_add(first.mul_f64(fastrand::f64())),
        None => (doubled / 2).saturating_add(jitter).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn no_more_than_allowed_are_inside() {
        let pace = Pace::new(2, None);
        let (first, _second) = (pace.enter().await, pace.enter().await);
        assert!(pace.enter().now_or_never().is_none());
        drop(first);
        let _third = pace.enter().await;
        assert_eq!(pace.peak(), 2);
    }

    #[tokio::test]
    async fn no_more_start_in_a_minute_than_allowed_however_many_places_there_are() {
        let pace = Pace::new(8, NonZeroU32::new(1));
        let _first = pace.enter().await;
        assert!(pace.enter().now_or_never().is_none(), "there are places, and the minute is not over");
        let free = Pace::new(8, None);
        let (_first, second) = (free.enter().await, free.enter().now_or_never());
        assert!(second.is_some());
    }

    #[tokio::test]
    async fn a_complaint_halves_once_and_nobody_starts_before_it_is_over() {
        let pace = Pace::new(8, None);
        let (one, other) = (pace.enter().await, pace.enter().await);
        one.busy(Duration::from_secs(60));
        other.busy(Duration::from_secs(30));
        assert_eq!(pace.limit(), 4);
        assert!(pace.enter().now_or_never().is_none());
        for _ in 0..40 {
            one.well();
        }
        assert_eq!(pace.limit(), 8);
    }

    #[test]
    fn what_the_other_side_said_is_kept_to_within_bounds() {
        let (first, said) = (Duration::from_millis(100), Duration::from_secs(7));
        assert!((said..said + first).contains(&backoff(1, first, Some(said))));
        assert!(backoff(1, first, Some(Duration::from_secs(86_400))) < LONGEST_PAUSE + first);
        for attempt in 1..40 {
            let wait = backoff(attempt, first, None);
            assert!(wait >= first / 2 && wait <= LONGEST_PAUSE, "{attempt}: {wait:?}");
        }
    }
}
