//! What nobody may guess: tokens, and passwords as they are stored.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::ledger::Token;

/// Fewest characters of a password. Length is what counts (NIST SP 800-63B); rules of composition are not made.
pub const SHORTEST_PASSWORD: usize = 12;
/// Most bytes of a password that are looked at: hashing takes time.
pub const LONGEST_PASSWORD: usize = 1024;

/// A name that nobody can guess, of the system's randomness.
///
/// # Errors
/// Where the system gives none.
pub fn token() -> Result<Token, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(Token::random(bytes))
}

/// What is stored of a token, so that who reads the store cannot use it.
pub fn digest(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}

/// Whether two texts are the same, in a time that does not tell how much of them is.
pub fn same(a: &str, b: &str) -> bool {
    // The comparison of two digests of BLAKE3 takes the same time always.
    blake3::hash(a.as_bytes()) == blake3::hash(b.as_bytes())
}

/// A value that belongs to `name`, and that only who has `key` can make.
pub fn bound(key: &[u8; 32], name: &str) -> String {
    URL_SAFE_NO_PAD.encode(blake3::keyed_hash(key, name.as_bytes()).as_bytes())
}

/// A password as it is stored: a PHC string of Argon2id with the crate's defaults (19 MiB, two passes, RFC 9106's
/// second recommendation as OWASP has it).
///
/// # Errors
/// Why it cannot be a password, in words.
pub fn hash(password: &str) -> Result<String, String> {
    if password.chars().count() < SHORTEST_PASSWORD {
        return Err(format!("a password has at least {SHORTEST_PASSWORD} characters"));
    }
    if password.len() > LONGEST_PASSWORD {
        return Err(format!("a password has at most {LONGEST_PASSWORD} bytes"));
    }
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes()).map_err(|why| why.to_string())?;
    Ok(hash.to_string())
}

/// Whether a password is the one that was stored. Without a stored one it is compared with none, and takes as long: the
/// time does not tell which users there are.
pub fn verify(password: &str, stored: Option<&str>) -> bool {
    /// Of a password that nobody has: what is compared with it is never used.
    const NOBODY: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$c2VhdHJpYWwtbm9ib2R5$XtQv6bD2f8hMaJw0x2tmjc5W7bJ1cWkDG7pXjGWoPZ0";
    let password = if password.len() > LONGEST_PASSWORD { "" } else { password };
    let matches = Argon2::default().verify_password(password.as_bytes(), stored.unwrap_or(NOBODY)).is_ok();
    matches && stored.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_no_other_is() {
        let stored = hash("correct horse battery").unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify("correct horse battery", Some(&stored)));
        assert!(!verify("correct horse batterz", Some(&stored)));
        assert_ne!(stored, hash("correct horse battery").unwrap(), "each has a salt of its own");
    }

    #[test]
    fn nobody_enters_by_an_absent_or_broken_password() {
        for stored in [None, Some(""), Some("x"), Some("$argon2id$v=19$m=19456,t=2,p=1$AAAA$")] {
            assert!(!verify("", stored), "{stored:?}");
            assert!(!verify("correct horse battery", stored), "{stored:?}");
        }
        let long = "x".repeat(LONGEST_PASSWORD + 1);
        assert!(hash(&long).is_err());
        assert!(!verify(&long, Some(&hash("correct horse battery").unwrap())));
    }

    #[test]
    fn the_password_of_nobody_can_be_read_so_that_it_takes_as_long() {
        // What cannot be read is refused before it is hashed, and told apart by the time.
        let error = Argon2::default().verify_password(
            b"x",
            "$argon2id$v=19$m=19456,t=2,p=1$c2VhdHJpYWwtbm9ib2R5$XtQv6bD2f8hMaJw0x2tmjc5W7bJ1cWkDG7pXjGWoPZ0",
        );
        assert_eq!(error, Err(argon2::password_hash::Error::PasswordInvalid));
    }

    #[test]
    fn short_passwords_are_refused() {
        assert_eq!(hash("short").unwrap_err(), "a password has at least 12 characters");
    }

    #[test]
    fn tokens_differ_and_only_their_digests_are_stored() {
        let (a, b) = (token().unwrap(), token().unwrap());
        let (a, b) = (a.as_str(), b.as_str());
        assert_ne!(digest(a), a);
        assert!(same(a, a) && !same(a, b));
        assert_ne!(bound(&[1; 32], "ann"), bound(&[1; 32], "bob"));
        assert_ne!(bound(&[1; 32], "ann"), bound(&[2; 32], "ann"));
    }
}
