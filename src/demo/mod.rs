//! An agent to try things with: support for a small shop, without any model and without a network. It says the same to
//! the same words, does wrong on request, and tells what it does by OpenTelemetry, as agents of others do.
//!
//! - `shop`: orders, and the tools that read and change them. `mind`: what it does next, and what it says.
//! - `faults`: what it does wrong, when it is told to. `turn`: one turn, with the spans that it is told by.
//! - `chat`, `openai`: how it is spoken with. [`serve`]: where. [`telemetry`]: where its spans go.
//!
//! It uses nothing of seatrial, and seatrial knows nothing of it.

mod chat;
mod faults;
mod mind;
mod openai;
pub mod serve;
mod shop;
pub mod telemetry;
mod turn;

pub use faults::{Fault, Faults};
