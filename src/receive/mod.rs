//! Floor 3: telemetry that agents send: the OTLP receiver, and which session what arrives belongs to.
//!
//! [`Telemetry`] is what a live run sees of it: it says which turns it takes, and is given what the agent's
//! instrumentation told of them. [`Nobody`] is there where no agent sends any.

mod telemetry;

pub use telemetry::{Begun, Collected, Counts, Nobody, Telemetry, TurnTelemetry};
