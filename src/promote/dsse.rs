//! The envelope of a signed statement: DSSE 1.0, as in-toto and Sigstore read it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};

use super::keys::{Public, Secret};

/// A payload with its signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// The payload in base64.
    pub payload: String,
    /// Signatures of [`pae`].
    pub signatures: Vec<Signed>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// What the key is called ([`Public::id`]): a hint only, which is not signed.
    #[serde(default)]
    pub keyid: String,
    /// The signature in base64.
    pub sig: String,
}

/// Why an envelope is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The payload is no base64.
    #[error("its payload is no base64")]
    Payload,
    /// It holds something else.
    #[error("it holds `{0}`")]
    Type(String),
    /// Nobody signed it.
    #[error("it is not signed")]
    Unsigned,
    /// Somebody else signed it, or what was signed was changed.
    #[error(
        "no trusted key made a signature of it (signed by {by}; trusted: {trusted}): the key is not trusted, or it was changed"
    )]
    Untrusted {
        /// What the keys of the signatures are called.
        by: String,
        /// What the trusted keys are called.
        trusted: String,
    },
}

/// The pre-authentication encoding: the bytes that are signed.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// Signs a payload of a type.
pub fn sign(payload_type: &str, payload: &[u8], key: &Secret) -> Signed {
    Signed { keyid: key.public().id(), sig: STANDARD.encode(key.sign(&pae(payload_type, payload))) }
}

/// Whether one of the trusted keys made one of the signatures; which.
///
/// # Errors
/// That nobody signed it, or nobody who is trusted.
pub fn verify<'k>(
    payload_type: &str,
    payload: &[u8],
    signatures: &[Signed],
    trusted: &'k [Public],
) -> Result<&'k Public, EnvelopeError> {
    if signatures.is_empty() {
        return Err(EnvelopeError::Unsigned);
    }
    let message = pae(payload_type, payload);
    let bytes: Vec<Vec<u8>> = signatures.iter().filter_map(|signed| decode(&signed.sig)).collect();
    let found = trusted.iter().find(|key| bytes.iter().any(|signature| key.verifies(&message, signature)));
    found.ok_or_else(|| {
        let names = |ids: Vec<String>| if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
        EnvelopeError::Untrusted {
            by: names(signatures.iter().map(|s| short(&s.keyid)).collect()),
            trusted: names(trusted.iter().map(|key| short(&key.id())).collect()),
        }
    })
}

/// The beginning of a key's name, which is enough to tell keys apart.
pub fn short(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_graphic()).take(12).collect()
}

/// Base64 of either alphabet, as the specification asks of readers.
fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

impl Envelope {
    /// An envelope, signed where there is a key.
    pub fn new(payload_type: &str, payload: &[u8], key: Option<&Secret>) -> Self {
        Self {
            payload_type: payload_type.to_owned(),
            payload: STANDARD.encode(payload),
            signatures: key.map(|key| sign(payload_type, payload, key)).into_iter().collect(),
        }
    }

    /// The payload, which nobody has vouched for yet.
    ///
    /// # Errors
    /// That it is of another type or no base64.
    pub fn open(&self, payload_type: &str) -> Result<Vec<u8>, EnvelopeError> {
        if self.payload_type != payload_type {
            return Err(EnvelopeError::Type(self.payload_type.chars().take(100).collect()));
        }
        decode(&self.payload).ok_or(EnvelopeError::Payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "http://example.com/HelloWorld";

    #[test]
    fn what_is_signed_is_what_the_specification_says() {
        assert_eq!(pae(TYPE, b"hello world"), b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    }

    #[test]
    fn an_envelope_is_believed_only_as_a_trusted_key_signed_it() {
        let (key, other) = (Secret::of_seed(&[1; 32]), Secret::of_seed(&[2; 32]));
        let envelope = Envelope::new(TYPE, b"hello world", Some(&key));
        let read: Envelope = serde_json::from_str(&serde_json::to_string(&envelope).unwrap()).unwrap();
        assert_eq!(read, envelope);
        let payload = read.open(TYPE).unwrap();
        let trusted = [other.public(), key.public()];
        assert_eq!(verify(TYPE, &payload, &read.signatures, &trusted).unwrap(), &key.public());
        // The name of a key is a hint: a wrong one changes nothing, and claims nothing.
        let renamed = Signed { keyid: other.public().id(), ..read.signatures[0].clone() };
        assert!(verify(TYPE, &payload, std::slice::from_ref(&renamed), &[other.public()]).is_err());
        assert!(verify(TYPE, &payload, &[renamed], &trusted).is_ok());
        for (payload, kind) in [(&b"hello worle"[..], TYPE), (b"hello world", "http://example.com/HelloWorle")] {
            let refused = verify(kind, payload, &read.signatures, &trusted).unwrap_err();
            assert!(matches!(refused, EnvelopeError::Untrusted { .. }), "{refused}");
        }
        assert_eq!(verify(TYPE, &payload, &[], &trusted), Err(EnvelopeError::Unsigned));
        assert!(verify(TYPE, &payload, &read.signatures, &[]).unwrap_err().to_string().contains("trusted: none"));
        assert!(matches!(read.open("other"), Err(EnvelopeError::Type(_))));
    }
}
