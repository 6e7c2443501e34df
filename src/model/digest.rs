//! Digests: what was evaluated is what is claimed.
//!
//! Of files and of what is declared here; of sessions in `canon`.

mod canon;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use self::canon::session;
use super::Text;

/// How a digest is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256: of files and of what is declared, so that other tools can check them. Sessions were digested by it up to
    /// the form `seatrial session 2`.
    Sha256,
    /// BLAKE3: of sessions, which are most of the bytes.
    Blake3,
}

impl Algorithm {
    const ALL: [Self; 2] = [Self::Sha256, Self::Blake3];

    /// What a digest in text begins with.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256:",
            Self::Blake3 => "blake3:",
        }
    }
}

/// A digest of 256 bits, written as `sha256:<hex>` or `blake3:<hex>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    /// How it was computed.
    pub algorithm: Algorithm,
    /// The digest itself.
    pub bytes: [u8; 32],
}

impl Digest {
    /// The SHA-256 digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { algorithm: Algorithm::Sha256, bytes: Sha256::digest(bytes).into() }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut out = *b"sha256:0000000000000000000000000000000000000000000000000000000000000000";
        out[..7].copy_from_slice(self.algorithm.prefix().as_bytes());
        for (i, byte) in self.bytes.iter().enumerate() {
            out[7 + 2 * i] = HEX[usize::from(byte >> 4)];
            out[8 + 2 * i] = HEX[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&out).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(d)?;
        let known = Algorithm::ALL.into_iter().find_map(|a| Some((a, text.strip_prefix(a.prefix())?)));
        let known = known.filter(|(_, hex)| hex.len() == 64 && hex.is_ascii());
        let (algorithm, hex) = known.ok_or_else(|| serde::de::Error::custom("not a sha256 or blake3 digest"))?;
        let mut bytes = [0u8; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).map_err(serde::de::Error::custom)?;
        }
        Ok(Self { algorithm, bytes })
    }
}

/// Builds a digest from named parts; names and lengths are part of it, so that parts cannot run into each other.
pub struct Builder(Sha256);

impl Builder {
    /// Starts a digest of a kind, such as `suite`.
    pub fn new(kind: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(kind.as_bytes());
        Self(hash)
    }

    /// Adds a named part.
    pub fn part(&mut self, name: &str, bytes: &[u8]) -> &mut Self {
        put(&mut self.0, name.as_bytes());
        put(&mut self.0, bytes);
        self
    }

    /// The digest of the parts so far.
    pub fn finish(self) -> Digest {
        Digest { algorithm: Algorithm::Sha256, bytes: self.0.finalize().into() }
    }
}

fn put(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_its_text_form() {
        let d = Digest::of(b"abc");
        assert_eq!(d.to_string(), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(serde_json::from_str::<Digest>(&serde_json::to_string(&d).unwrap()).unwrap(), d);
    }

    #[test]
    fn a_session_is_digested_by_blake3_and_older_digests_are_still_read() {
        let new = session(&crate::model::Session::default());
        assert!(new.to_string().starts_with("blake3:"), "{new}");
        let read: Digest = serde_json::from_str(&serde_json::to_string(&new).unwrap()).unwrap();
        assert_eq!(read, new);
        let same_bytes = Digest { algorithm: Algorithm::Sha256, ..new };
        assert_ne!(same_bytes, new);
        for none in ["md5:00", "blake3:00", "blake3:zz"] {
            assert!(serde_json::from_str::<Digest>(&format!("{none:?}")).is_err());
        }
    }
}
