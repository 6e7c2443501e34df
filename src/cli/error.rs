//! Why a command that only reads and prints could not do it, and the exit code that says so.

use std::io;
use std::path::PathBuf;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line asks for something that is not there.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// A result could not be written.
    #[error("{}: {source}", .path.as_ref().map_or("standard output".into(), |p| p.to_string_lossy()))]
    Write {
        /// Where to; `None` is standard output.
        path: Option<PathBuf>,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    /// A usage error.
    pub fn usage(message: impl Into<String>, help: impl Into<Option<String>>) -> Self {
        Self::Usage { message: message.into(), help: help.into() }
    }

    /// The exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Error::Usage { .. } => 2,
            Error::Write { .. } => 5,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        match self {
            Error::Usage { help, .. } => help.as_deref(),
            Error::Write { .. } => None,
        }
    }
}

/// The exit code of a command that wrote its result to standard output. A reader that closed the pipe has seen
/// enough: that is no error, but it does not change `code` either.
pub(crate) fn written(result: io::Result<()>, code: u8) -> Result<u8, Error> {
    match result {
        Ok(()) => Ok(code),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(code),
        Err(source) => Err(Error::Write { path: None, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_ends_quietly_and_keeps_the_code() {
        let closed = || Err(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(written(closed(), 0).unwrap(), 0);
        assert_eq!(written(closed(), 4).unwrap(), 4);
        assert_eq!(written(Err(io::Error::from(io::ErrorKind::StorageFull)), 0).unwrap_err().code(), 5);
    }
}
