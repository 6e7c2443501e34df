//! Names that nobody can guess, and names that follow from what they name: 26 letters and digits, 130 bits.

use std::fmt;

/// The letters of base 32, in lower case; no two look alike.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// How many of them a name has.
const LENGTH: usize = 26;

/// A name that nobody can guess: of a submission, a login, a form.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token of some random bytes; they come from the operating system, at the edge.
    pub fn random(bytes: [u8; 32]) -> Self {
        Self(letters(&bytes))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Token> for String {
    fn from(token: Token) -> Self {
        token.0
    }
}

/// Whoever sees a token may use it: it is not shown by accident.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The first 130 bits in letters and digits.
pub(super) fn letters(bytes: &[u8; 32]) -> String {
    let bit = |at: usize| (bytes[at / 8] >> (7 - at % 8)) & 1;
    let letter = |n: usize| (0..5).fold(0u8, |value, i| (value << 1) | bit(5 * n + i));
    (0..LENGTH).map(|n| char::from(LETTERS[usize::from(letter(n))])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letters_are_those_of_base_32() {
        assert_eq!(letters(&[0; 32]), "a".repeat(26));
        assert_eq!(letters(&[0xff; 32]), "7".repeat(26));
        // RFC 4648: "fooba" is MZXW6YTB.
        let mut bytes = [0; 32];
        bytes[..5].copy_from_slice(b"fooba");
        assert!(letters(&bytes).starts_with("mzxw6ytb"));
    }

    #[test]
    fn a_token_is_not_shown_by_accident() {
        let token = Token::random([7; 32]);
        assert!(!format!("{token:?}").contains(token.as_str()));
    }
}
