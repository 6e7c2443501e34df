//! How the elements of a file are decoded, in words that another process understands.

use crate::assemble::build::Builder;
use crate::formats::{self, Decode};
use crate::model::{LeftOut, Problem};

/// How the elements of a file are decoded. [`Recipe::decoder`] makes the same decoder of it anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipe {
    /// By a format, with the raw JSON of the headers that its elements share.
    Format {
        /// The format's name.
        name: String,
        /// The headers, in the order in which the format asks for them; `None` for one that is not there.
        headers: Vec<Option<Vec<u8>>>,
    },
    /// They are sessions that were put together from telemetry.
    Assembled {
        /// The attribute of spans that names their session, where it is none of the usual ones.
        session_attribute: Option<String>,
    },
}

impl Recipe {
    /// The decoder.
    ///
    /// # Errors
    /// There is no such format here, or the headers are not its own.
    pub fn decoder(&self) -> Result<Decode, Problem> {
        match self {
            Self::Format { name, headers } => match formats::format(name) {
                Some(format) => format.decoder(headers),
                None => Err(Problem::new(LeftOut::UnknownFormat, format!("there is no format `{name}`"))),
            },
            Self::Assembled { session_attribute } => {
                Ok(Decode::sessions(Builder { session_attribute: session_attribute.clone() }))
            }
        }
    }
}
