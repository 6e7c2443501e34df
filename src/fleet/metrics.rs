//! What a worker counts, and how Prometheus is told of it. Names follow its conventions.

use std::sync::atomic::{AtomicBool, Ordering};

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The name and value of each label.
type Labels = Vec<(&'static str, String)>;

/// What every name begins with.
const PREFIX: &str = "seatrial_worker";

/// What is counted since the process began.
pub struct Metrics {
    registry: Registry,
    portions: Family<Labels, Counter>,
    /// Sessions that were judged.
    pub sessions: Counter,
    /// Portions that had been handed out before.
    pub redelivered: Counter,
    /// Whether checks or decoders panicked.
    pub panics: Counter,
    /// Portions in hand.
    pub in_hand: Gauge,
    /// Portions that wait for any worker of this version.
    pub waiting: Gauge,
    /// Portions in the hands of all workers of this version.
    pub in_hands: Gauge,
    /// How often the queue could not be had.
    pub queue_errors: Counter,
    /// Whether the queue can be had.
    pub ready: AtomicBool,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let portions = Family::<Labels, Counter>::default();
        registry.register("portions", "Portions of sessions, by what became of them", portions.clone());
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let sessions = counter("sessions", "Sessions that were judged");
        let redelivered = counter("redelivered", "Portions that had been handed out before");
        let panics = counter("panics", "Portions of which a check or a decoder panicked");
        let queue_errors = counter("queue_errors", "How often the queue could not be had");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let in_hand = gauge("in_hand", "Portions that this worker has in hand");
        let waiting = gauge("queue_waiting", "Portions that wait for any worker of this version");
        let in_hands = gauge("queue_in_hands", "Portions in the hands of all workers of this version");
        let ready = AtomicBool::new(false);
        Self { registry, portions, sessions, redelivered, panics, in_hand, waiting, in_hands, queue_errors, ready }
    }
}

impl Metrics {
    /// Counts a portion.
    pub fn portion(&self, outcome: &'static str) {
        self.portions.get_or_create(&vec![("outcome", outcome.to_owned())]).inc();
    }

    /// How many portions came to that.
    pub fn portions(&self, outcome: &'static str) -> u64 {
        self.portions.get_or_create(&vec![("outcome", outcome.to_owned())]).get()
    }

    /// In the text format of OpenMetrics.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to memory does not fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }

    /// Whether work can be had.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }
}
