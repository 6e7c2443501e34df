//! International bank account numbers: length by country, and the mod 97 checksum.

use std::ops::Range;

use super::scan::{is_separator, starts_apart};

/// Country code and length, from the IBAN registry.
const LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];

/// IBANs, in capitals or small letters, in one piece or in groups with a space or dash between them.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut i = 0;
    while i + 4 <= bytes.len() {
        let head = &bytes[i..i + 4];
        let candidate = head[0].is_ascii_alphabetic()
            && head[1].is_ascii_alphabetic()
            && head[2].is_ascii_digit()
            && head[3].is_ascii_digit();
        match candidate.then(|| iban_at(text, i)).flatten() {
            Some(end) => {
                found.push(i..end);
                i = end;
            }
            None => i += 1,
        }
    }
    found
}

/// The end of the IBAN that starts at `start`.
fn iban_at(text: &str, start: usize) -> Option<usize> {
    if !starts_apart(text, start) {
        return None;
    }
    let country = text.get(start..start + 2)?.to_ascii_uppercase();
    let length = LENGTHS.iter().find(|(c, _)| *c == country)?.1;
    let mut symbols = Vec::with_capacity(length);
    let mut after_separator = false;
    for (offset, c) in text[start..].char_indices() {
        if c.is_ascii_alphanumeric() {
            symbols.push(c.to_ascii_uppercase() as u8);
            after_separator = false;
            if symbols.len() == length {
                let end = start + offset + 1;
                let apart = !text[end..].starts_with(|c: char| c.is_alphanumeric());
                return (apart && valid(&symbols)).then_some(end);
            }
        } else if is_separator(c) && !after_separator {
            after_separator = true;
        } else {
            return None;
        }
    }
    None
}

/// Whether the number formed by the symbols, the first four moved to the end, is 1 modulo 97.
fn valid(symbols: &[u8]) -> bool {
    let rest = symbols[4..].iter().chain(&symbols[..4]).fold(0u32, |rest, symbol| match symbol {
        b'0'..=b'9' => (rest * 10 + u32::from(symbol - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter - b'A') + 10) % 97,
    });
    rest == 1
}

#[cfg(test)]
mod tests {
    use super::super::hits;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_ibans() {
        for iban in [
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "de89 3704 0044 0532 0130 00",
            "GB29 NWBK 6016 1331 9268 19",
            "GB29-NWBK-6016-1331-9268-19",
            "FR1420041010050500013M02606",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
        ] {
            assert_eq!(hits(find, &format!("IBAN: {iban}, thanks")), [iban]);
        }
    }

    #[test]
    fn leaves_other_codes_alone() {
        for text in [
            "DE89370400440532013001",  // checksum
            "DE8937040044053201300",   // too short
            "DE893704004405320130000", // too long
            "XX89370400440532013000",  // no such country
            "XDE89370400440532013000", // part of a word
            "DE89  3704 0044 0532 0130 00",
            "DE12",
        ] {
            assert_eq!(hits(find, text), [""; 0], "{text}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_digit_is_never_an_iban(at in 4usize..22, by in 1u8..10) {
            let mut digits = b"DE89370400440532013000".to_vec();
            digits[at] = b'0' + (digits[at] - b'0' + by) % 10;
            let text = String::from_utf8(digits).unwrap();
            prop_assert!(find(&text).is_empty(), "{}", text);
        }
    }
}
