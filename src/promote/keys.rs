//! Ed25519 keys in PEM: the secret one (PKCS#8) signs, public ones (SubjectPublicKeyInfo) are trusted by the settings.

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

/// What is wrong with a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(String);

/// A key that signs. Its secret part is shown nowhere.
pub struct Secret(SigningKey);

/// A key that signatures are verified by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Public(VerifyingKey);

impl Secret {
    /// A key of 32 random bytes.
    pub fn of_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads PEM: `-----BEGIN PRIVATE KEY-----`, as `openssl genpkey -algorithm ed25519` writes it, too.
    ///
    /// # Errors
    /// That it is none; nothing of it is repeated.
    pub fn of_pem(pem: &SecretString) -> Result<Self, KeyError> {
        SigningKey::from_pkcs8_pem(pem.expose_secret().trim()).map(Self).map_err(|_| {
            KeyError("this is no ed25519 secret key in PEM (PKCS#8, `-----BEGIN PRIVATE KEY-----`)".to_owned())
        })
    }

    /// The key in PEM, in the first version of PKCS#8, which every tool reads.
    ///
    /// # Errors
    /// That it could not be encoded.
    pub fn to_pem(&self) -> Result<SecretString, KeyError> {
        let bytes = ed25519_dalek::pkcs8::KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        let pem = bytes.to_pkcs8_pem(LineEnding::LF).map_err(|why| KeyError(why.to_string()))?;
        Ok(SecretString::from(pem.as_str()))
    }

    /// The key that its signatures are verified by.
    pub fn public(&self) -> Public {
        Public(self.0.verifying_key())
    }

    /// Signs a message: 64 bytes.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl Public {
    /// Reads PEM: `-----BEGIN PUBLIC KEY-----`.
    ///
    /// # Errors
    /// That it is none. A secret key is told apart: it does not belong where public keys are.
    pub fn of_pem(pem: &str) -> Result<Self, KeyError> {
        if pem.contains("PRIVATE KEY-----") {
            return Err(KeyError("this is a secret key; name the public one here (`.pub.pem`)".to_owned()));
        }
        VerifyingKey::from_public_key_pem(pem.trim())
            .map(Self)
            .map_err(|_| KeyError("this is no ed25519 public key in PEM (`-----BEGIN PUBLIC KEY-----`)".to_owned()))
    }

    /// The key in PEM.
    ///
    /// # Errors
    /// That it could not be encoded.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        self.0.to_public_key_pem(LineEnding::LF).map_err(|why| KeyError(why.to_string()))
    }

    /// What the key is called in signatures: the SHA-256 of its DER, in hexadecimal digits.
    pub fn id(&self) -> String {
        let der = self.0.to_public_key_der().map(|der| der.as_bytes().to_vec()).unwrap_or_default();
        Sha256::digest(&der).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether this key made a signature of a message. Weak keys make none.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_test_of_the_rfc_comes_out() {
        // RFC 8032, 7.1, TEST 1: the empty message.
        let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let key = Secret::of_seed(&seed.try_into().unwrap());
        let expected = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
                        d25bf5f0595bbe24655141438e7a100b";
        assert_eq!(key.sign(b"").to_vec(), hex(expected));
        assert!(key.public().verifies(b"", &hex(expected)));
        assert!(!key.public().verifies(b"x", &hex(expected)));
        assert!(!key.public().verifies(b"", &hex(expected)[..63]));
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn keys_survive_pem_and_are_not_mistaken_for_each_other() {
        let key = Secret::of_seed(&[7; 32]);
        let pem = key.to_pem().unwrap();
        assert!(pem.expose_secret().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        let read = Secret::of_pem(&pem).unwrap();
        assert_eq!(read.sign(b"m"), key.sign(b"m"));
        let public = key.public().to_pem().unwrap();
        assert_eq!(Public::of_pem(&public).unwrap(), key.public());
        assert_eq!(key.public().id().len(), 64);
        let wrong = Public::of_pem(pem.expose_secret()).unwrap_err();
        assert!(wrong.to_string().contains("secret key") && !wrong.to_string().contains("MC4C"), "{wrong}");
        let none = Secret::of_pem(&SecretString::from("s3cret")).err().unwrap();
        assert!(!none.to_string().contains("s3cret"));
    }
}
