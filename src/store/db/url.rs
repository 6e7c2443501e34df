//! Which database to open, with everything that it takes.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use crate::suite::settings::store_shown;

/// Which database to open. Shown, it is a path, or an address without its password.
#[derive(Debug, Clone)]
pub enum StoreUrl {
    /// The SQLite database in this file.
    File(PathBuf),
    /// The PostgreSQL database at this address.
    Postgres(SecretString),
}

impl StoreUrl {
    /// The PostgreSQL database at an address.
    pub fn postgres(address: &str) -> Self {
        Self::Postgres(address.to_owned().into())
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Postgres(address) => f.write_str(&store_shown(address.expose_secret())),
        }
    }
}
