//! Floor 3: telemetry that agents send: the OTLP receiver, and which session what arrives belongs to.
//!
//! [`Telemetry`] is what a live run sees of it: it says which turns it takes, and is given what the agent's
//! instrumentation told of them. [`Nobody`] is there where no agent sends any.
//!
//! A request comes in by [`listen`] (`http`, `grpc`; `unpack`), is decoded and written to the [`spool`] by the [`inbox`],
//! which puts its records where they belong ([`crate::assemble::live`]); then it is acknowledged (`answer`). What goes to the
//! spool is `cleaned` before. From there
//! they go to the turns of a live run (`correlate`, `join`), into a file of sessions ([`record`]),
//! or are looked at while more of them may come ([`homes`]).

mod answer;
mod cleaned;
mod correlate;
mod grpc;
pub mod homes;
mod http;
pub mod inbox;
mod join;
pub mod listen;
pub mod record;
pub mod spool;
mod telemetry;
mod unpack;

pub use correlate::Correlation;
pub use join::{join, source};
pub use telemetry::{Begun, Collected, Counts, Nobody, Telemetry, TurnTelemetry};
