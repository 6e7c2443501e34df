//! Where production comes from: one file a source, behind one trait.
//!
//! What a source hands over is telemetry, which goes to the inbox and is on disk there before the source goes on, or whole
//! sessions, which are entered into the store together with how far the source has come: killed in between, it hands the
//! same over again, and that is known for what it is.

pub mod folder;
mod message;
pub mod nats;
pub mod otlp;
pub mod table;

use std::sync::Arc;

use crate::formats::Decode;
use crate::model::Problem;
use crate::receive::homes::Untaken;
use crate::receive::inbox::Inbox;
use crate::store::db::Place;

pub use folder::Folder;
pub use nats::Nats;
pub use otlp::Otlp;
pub use table::Table;

/// A session that a source hands over whole.
pub struct Whole {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Decodes them.
    pub decoder: Decode,
    /// Its position in its file, for sessions that carry no id.
    pub index: u64,
    /// Its file's name, for the same purpose.
    pub stem: Arc<str>,
}

/// What sources hand over.
pub struct Intake<'i> {
    inbox: &'i Inbox,
    /// Sessions.
    pub sessions: Vec<Whole>,
    /// How far sources have come, once these sessions are entered.
    pub places: Vec<Place>,
    /// What could not be used.
    pub left_out: Vec<Problem>,
    /// Bytes that may still be handed over now.
    pub room: usize,
}

impl<'i> Intake<'i> {
    /// Takes about `room` bytes.
    pub fn new(inbox: &'i Inbox, room: usize) -> Self {
        Self { inbox, sessions: Vec::new(), places: Vec::new(), left_out: Vec::new(), room }
    }

    /// Takes a request of telemetry. It is on disk when this returns.
    ///
    /// # Errors
    /// See [`Untaken`].
    pub fn request(&mut self, request: &[u8]) -> Result<(), Untaken> {
        self.inbox.put(request)
    }
}

/// Something that sessions of production come from.
pub trait Source: Send {
    /// What it is called in messages and metrics.
    fn name(&self) -> &str;

    /// Hands over what is new, as far as there is room; whether there is more right now.
    ///
    /// # Errors
    /// Why nothing can be had from it now, in words; it is asked again later.
    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<bool, String>;
}
