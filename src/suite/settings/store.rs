//! Where the store is: a file, a PostgreSQL server, or nowhere.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::Url;

use crate::net::secret::{Secretive, Vars};

/// Where the store is, as the settings say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreAt {
    /// Nowhere: nothing is stored.
    Off,
    /// In a SQLite file.
    File(PathBuf),
    /// On a PostgreSQL server; its password is in the environment.
    Postgres(Secretive),
}

/// What stands for a variable where an address is looked at before it is filled in.
const VARIABLE: &str = "seatrial-variable";

/// What is wrong with what was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub message: &'static str,
    pub help: &'static str,
    /// It holds a secret, and is not to be shown.
    pub secret: bool,
}

impl StoreAt {
    /// Reads what was written. `path` says what a path is relative to; `in_file` that it is in a file, where a password has
    /// no place.
    pub(super) fn parse(text: &str, in_file: bool, path: impl Fn(&str) -> PathBuf) -> Result<Self, Wrong> {
        let wrong = |message, help, secret| Err(Wrong { message, help, secret });
        let text = text.trim();
        if text == "off" {
            return Ok(Self::Off);
        }
        let is_server = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        if !is_server && !text.starts_with("{{") {
            let file = ["sqlite://", "sqlite:"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
            if file.is_empty() || file.contains("://") {
                return wrong("`store` is a path, `postgres://...` or `off`", "such as `.seatrial/seatrial.db`", false);
            }
            return Ok(Self::File(path(file)));
        }
        const HELP: &str = "such as `postgres://user:{{ env.DB_PASSWORD }}@host/database`";
        let Ok(read) = Secretive::parse(text) else {
            return wrong("`store` has something else than `{{ env.NAME }}` in it", HELP, true);
        };
        let filled = read.fill_with(&|_| Some(VARIABLE.to_owned()), &|value| value.to_owned());
        match filled.ok().and_then(|filled| Url::parse(secrecy::ExposeSecret::expose_secret(&filled)).ok()) {
            None if is_server => wrong("`store` is no address of a database", HELP, true),
            Some(url) if in_file && url.password().is_some_and(|password| password != VARIABLE) => {
                wrong("the password of `store` is written out: a secret comes from the environment", HELP, true)
            }
            _ => Ok(Self::Postgres(read)),
        }
    }

    /// Its address with the variables in place; `None` of one that is a file or nowhere.
    ///
    /// # Errors
    /// Which variable is not set.
    pub fn address(&self, vars: Vars<'_>) -> Result<Option<secrecy::SecretString>, String> {
        let Self::Postgres(read) = self else { return Ok(None) };
        // A variable that is all of it is an address; one within it must not end its part of the address.
        let whole = read.written().trim_start().starts_with("{{");
        let encode = |value: &str| {
            if whole { value.to_owned() } else { crate::net::percent::encode(value.as_bytes(), b"") }
        };
        read.fill_with(vars, &encode).map(Some)
    }
}

/// As it is shown: never with a password.
impl fmt::Display for StoreAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Postgres(read) => f.write_str(&shown(read.written())),
        }
    }
}

/// An address without its password, whether it can be read or not.
pub fn shown(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return "{{ env }}".to_owned() };
    let (front, path) = rest.rsplit_once('@').map_or((None, rest), |(front, rest)| (Some(front), rest));
    let place = path.split_once('?').map_or(path, |(place, _)| place);
    let user = front.map(|front| front.split_once(':').map_or(front, |(user, _)| user));
    match user {
        Some(user) => format!("{scheme}://{user}@{place}"),
        None => format!("{scheme}://{place}"),
    }
}

/// The default: beside the settings.
pub(super) fn default(home: &Path, cwd: &Path) -> StoreAt {
    let file = home.join(".seatrial").join("seatrial.db");
    StoreAt::File(file.strip_prefix(cwd).map_or_else(|_| file.clone(), Path::to_owned))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn parse(text: &str) -> Result<StoreAt, Wrong> {
        StoreAt::parse(text, true, |path| Path::new("/base").join(path))
    }

    fn address(text: &str) -> String {
        let vars = |name: &str| match name {
            "PW" => Some("p@ss/w".to_owned()),
            "URL" => Some("postgres://u:p@h/d".to_owned()),
            _ => None,
        };
        parse(text).unwrap().address(&vars).unwrap().unwrap().expose_secret().to_owned()
    }

    #[test]
    fn it_is_a_path_an_address_or_nowhere() {
        assert_eq!(parse("off"), Ok(StoreAt::Off));
        assert_eq!(parse("a/b.db"), Ok(StoreAt::File("/base/a/b.db".into())));
        assert_eq!(parse("sqlite:a.db"), Ok(StoreAt::File("/base/a.db".into())));
        assert!(matches!(parse("postgres://h/d"), Ok(StoreAt::Postgres(_))));
        for bad in ["", "mysql://h/d", "postgres://u:{{ case.id }}@h/d", "postgres://:::"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_comes_from_the_environment_and_does_not_end_its_part_of_the_address() {
        assert_eq!(address("postgres://u:{{ env.PW }}@h/d"), "postgres://u:p%40ss%2Fw@h/d");
        assert_eq!(address("{{ env.URL }}"), "postgres://u:p@h/d");
        assert!(parse("postgres://u:written@h/d").is_err_and(|wrong| wrong.secret));
        assert!(StoreAt::parse("postgres://u:written@h/d", false, |_| PathBuf::new()).is_ok());
    }

    #[test]
    fn a_password_is_never_shown() {
        for (written, expected) in [
            ("postgres://u:s3cret@h:5433/d?sslmode=require", "postgres://u@h:5433/d"),
            ("postgres://u:s3c@ret@h/d", "postgres://u@h/d"),
            ("postgres:///d?host=/run&password=s3cret", "postgres:///d"),
            ("postgres://h/d", "postgres://h/d"),
        ] {
            assert_eq!(shown(written), expected);
        }
    }
}
