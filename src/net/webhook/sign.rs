//! Signatures of webhooks, as Standard Webhooks has them (<https://www.standardwebhooks.com>), so that receivers need no
//! code of ours: HMAC-SHA256 over `id.timestamp.body`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

/// The header with the id of a message, which stays the same however often the message is sent.
pub const ID: &str = "webhook-id";
/// The header with the moment at which it is sent, in seconds since the epoch.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signature.
pub const SIGNATURE: &str = "webhook-signature";

/// What a secret begins with that is written in base64.
const PREFIX: &str = "whsec_";
/// The shortest key, in bytes, as the standard has it.
pub const SHORTEST: usize = 24;

/// The key that messages are signed with.
#[derive(Clone)]
pub struct Key(SecretSlice<u8>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// The key that a secret stands for: base64 behind `whsec_`, else the bytes of the secret. `Err` says what is wrong
    /// with it, without the secret.
    pub fn parse(secret: &str) -> Result<Self, String> {
        let secret = secret.trim();
        let bytes = match secret.strip_prefix(PREFIX) {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| format!("what is behind `{PREFIX}` is no base64"))?,
            None => secret.as_bytes().to_vec(),
        };
        if bytes.len() < SHORTEST {
            let length = bytes.len();
            return Err(format!(
                "the secret has {length} bytes, and at least {SHORTEST} are needed; `openssl rand -base64 32` makes one"
            ));
        }
        Ok(Self(bytes.into()))
    }

    /// The signature of a message as the header has it. `seconds` is the moment at which it is sent.
    pub fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        // A key of any length is one for HMAC.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()) else { return String::new() };
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_standard_says() {
        // The example of the standard's own libraries.
        let key = Key::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn every_part_of_a_message_is_signed() {
        let key = Key::parse("a secret of twenty-four bytes and more").unwrap();
        let one = key.sign("a", 1, b"x");
        assert_ne!(one, key.sign("b", 1, b"x"));
        assert_ne!(one, key.sign("a", 2, b"x"));
        assert_ne!(one, key.sign("a", 1, b"y"));
        assert_ne!(one, Key::parse("another secret of twenty-four bytes").unwrap().sign("a", 1, b"x"));
    }

    #[test]
    fn a_secret_that_is_none_is_refused_without_being_shown() {
        for bad in ["", "short", "whsec_not base64!", "whsec_c2hvcnQ="] {
            let why = Key::parse(bad).unwrap_err();
            assert!(bad.is_empty() || !why.contains(bad), "{why}");
        }
        assert!(!format!("{:?}", Key::parse("a secret of twenty-four bytes and more").unwrap()).contains("secret of"));
    }
}
