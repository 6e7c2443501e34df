//! Where a fleet meets: a NATS server and the name of the fleet on it, as `nats://[user:password@]host[:port][/NAME]`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_nats::ConnectOptions;
use reqwest::Url;

use crate::net::scrub::Secrets;

/// How often it is asked whether the server is still there. A connection that is gone without a word is made anew when a
/// few of these are not answered.
const PING: Duration = Duration::from_secs(10);

/// The name of a fleet that is given none.
const NAME: &str = "seatrial";

/// Where a fleet meets.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The server, with what it wants to know of whoever comes.
    url: String,
    /// The name of the fleet, which all its streams and subjects begin with.
    pub name: String,
    shown: String,
    /// The password, or the token: a user without a password.
    secret: Option<String>,
}

impl Address {
    /// The server, to be connected to. From then on its password is a secret of this process.
    pub fn url(&self) -> &str {
        if let Some(secret) = &self.secret {
            Secrets::of_process().add(secret);
        }
        &self.url
    }

    /// How it is connected to, as somebody of this name.
    pub fn options(&self, name: &str) -> ConnectOptions {
        ConnectOptions::new().name(name).ping_interval(PING)
    }
}

/// As it may be shown.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "an address such as nats://127.0.0.1:4222, or nats://host/NAME for a fleet of that name";
        let mut url = Url::parse(text).map_err(|why| format!("{FORM} ({why})"))?;
        if !matches!(url.scheme(), "nats" | "tls") || url.host_str().is_none_or(str::is_empty) {
            return Err(FORM.to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("{FORM}, and nothing behind it"));
        }
        let name = match url.path().trim_matches('/') {
            "" => NAME.to_owned(),
            name => name.to_owned(),
        };
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.len() > 64 || !name.chars().all(sound) {
            return Err(format!("`{name}` cannot be a name here: letters, digits, `-` and `_`, at most 64"));
        }
        url.set_path("");
        let secret = Some(url.password().unwrap_or(url.username())).filter(|secret| !secret.is_empty());
        let secret = secret.map(str::to_owned);
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let shown = format!("{}://{}{port}/{name}", url.scheme(), url.host_str().unwrap_or_default());
        Ok(Self { url: url.to_string(), name, shown, secret })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_server_and_a_fleet_and_is_shown_without_its_password() {
        let at = |text: &str| text.parse::<Address>().unwrap();
        assert_eq!(at("nats://127.0.0.1:4222").to_string(), "nats://127.0.0.1:4222/seatrial");
        assert_eq!(at("tls://u:pw-of-nats@h/eu-1").to_string(), "tls://h/eu-1");
        let (user, token) = (at("nats://u:pw-of-nats@h/eu-1"), at("nats://a-token@h"));
        assert_eq!(user.url.trim_end_matches('/'), "nats://u:pw-of-nats@h");
        assert_eq!((user.secret.as_deref(), token.secret.as_deref()), (Some("pw-of-nats"), Some("a-token")));
        assert_eq!(at("nats://h").secret, None);
        for wrong in ["", "127.0.0.1:4222", "http://h", "nats://", "nats://h/a/b", "nats://h/a.b", "nats://h?x=1"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
