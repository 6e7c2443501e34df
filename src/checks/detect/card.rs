//! Payment card numbers: issuer prefixes with their lengths, and the Luhn checksum.

use std::ops::Range;

use super::scan::{ends_apart, is_separator, runs, starts_apart};

/// First digits (as an inclusive range of numbers with that many digits) and the lengths that go with them.
const ISSUERS: &[(u32, u32, u32, &[usize])] = &[
    (1, 4, 4, &[13, 16, 19]),                           // Visa
    (2, 51, 55, &[16]),                                 // Mastercard
    (4, 2221, 2720, &[16]),                             // Mastercard
    (2, 34, 34, &[15]),                                 // American Express
    (2, 37, 37, &[15]),                                 // American Express
    (4, 6011, 6011, &[16, 17, 18, 19]),                 // Discover
    (3, 644, 649, &[16, 17, 18, 19]),                   // Discover
    (2, 65, 65, &[16, 17, 18, 19]),                     // Discover, RuPay
    (3, 300, 305, &[14, 16, 17, 18, 19]),               // Diners Club
    (4, 3095, 3095, &[14, 16, 17, 18, 19]),             // Diners Club
    (2, 36, 36, &[14, 15, 16, 17, 18, 19]),             // Diners Club
    (2, 38, 39, &[14, 16, 17, 18, 19]),                 // Diners Club
    (4, 3528, 3589, &[16, 17, 18, 19]),                 // JCB
    (2, 62, 62, &[16, 17, 18, 19]),                     // UnionPay
    (2, 81, 82, &[16, 17, 18, 19]),                     // UnionPay, RuPay
    (4, 2200, 2204, &[16, 17, 18, 19]),                 // Mir
    (3, 508, 508, &[16]),                               // RuPay
    (4, 5018, 5018, &[12, 13, 14, 15, 16, 17, 18, 19]), // Maestro
    (4, 5020, 5020, &[12, 13, 14, 15, 16, 17, 18, 19]), // Maestro
    (4, 5038, 5038, &[12, 13, 14, 15, 16, 17, 18, 19]), // Maestro
    (4, 5893, 5893, &[12, 13, 14, 15, 16, 17, 18, 19]), // Maestro
    (4, 6304, 6304, &[12, 13, 14, 15, 16, 17, 18, 19]), // Maestro
    (4, 6759, 6763, &[12, 13, 14, 15, 16, 17, 18, 19]), // Maestro
];

/// The longest card number.
const MAX: usize = 19;

/// Card numbers, written as one group of digits or as groups of at least two with a space or dash between them. A
/// card number may stand beside other groups (an expiry date, a check value).
pub fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for run in runs(text, is_separator) {
        let groups = &run.groups;
        let mut first = 0;
        while first < groups.len() {
            match card_from(text, groups, first) {
                Some(last) => {
                    found.push(groups[first].start..groups[last].end);
                    first = last + 1;
                }
                None => first += 1,
            }
        }
    }
    found
}

/// The last group of the longest card number that starts with group `first`.
fn card_from(text: &str, groups: &[Range<usize>], first: usize) -> Option<usize> {
    if first == 0 && !starts_apart(text, groups[first].start) {
        return None;
    }
    let mut digits = Vec::with_capacity(MAX);
    let mut best = None;
    for (last, group) in groups.iter().enumerate().skip(first) {
        if digits.len() + group.len() > MAX || group.len() < 2 {
            break;
        }
        digits.extend(text.as_bytes()[group.clone()].iter().map(|b| b - b'0'));
        let ends = last + 1 < groups.len() || ends_apart(text, group.end);
        if ends && issued(&digits) && luhn(&digits) {
            best = Some(last);
        }
    }
    best
}

fn issued(digits: &[u8]) -> bool {
    ISSUERS.iter().any(|(count, from, to, lengths)| {
        let prefix = digits.iter().take(*count as usize).fold(0, |n, d| n * 10 + u32::from(*d));
        (*from..=*to).contains(&prefix) && lengths.contains(&digits.len())
    })
}

/// Whether the last digit is the Luhn check digit of the others.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| match (i % 2, u32::from(*d) * 2) {
            (0, _) => u32::from(*d),
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::super::hits;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_card_numbers_of_every_issuer() {
        for number in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111\u{2011}1111\u{2011}1111\u{2011}1111",
            "4222222222222",
            "5555555555554444",
            "2223003122003222",
            "3782 822463 10005",
            "6011111111111117",
            "3056 9309 0259 04",
            "3530111333300000",
            "6200000000000005",
            "6759649826438453",
        ] {
            assert_eq!(hits(find, &format!("card: {number}.")), [number]);
        }
    }

    #[test]
    fn a_card_beside_other_groups_is_found() {
        assert_eq!(hits(find, "4111 1111 1111 1111 123"), ["4111 1111 1111 1111"]);
        assert_eq!(hits(find, "12 4111 1111 1111 1111"), ["4111 1111 1111 1111"]);
        assert_eq!(hits(find, "4111111111111111,5555555555554444"), ["4111111111111111", "5555555555554444"]);
    }

    #[test]
    fn leaves_other_numbers_alone() {
        for text in [
            "4111111111111112", // Luhn
            "1234567812345670", // no issuer, though valid by Luhn
            "0000000000000000",
            "41111111111111110000",    // too long
            "order A4111111111111111", // part of a word
            "4111111111111111x",
            "0.4111111111111111", // a fraction
            "2024-11-24 10 30 15 2024",
            "call 555-123-4567",
            "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        ] {
            assert_eq!(hits(find, text), [""; 0], "{text}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_digit_is_never_a_card(at in 1usize..16, by in 1u8..10) {
            let mut digits = b"4111111111111111".to_vec();
            digits[at] = b'0' + (digits[at] - b'0' + by) % 10;
            let text = String::from_utf8(digits).unwrap();
            prop_assert!(find(&text).is_empty(), "{}", text);
        }
    }
}
