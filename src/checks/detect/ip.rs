//! IP addresses, version 4 and 6.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// IP addresses of any scope. A version number of four parts that are all below 256 cannot be told from an address;
/// one that a `v` is written before is left alone. `::` alone is none.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let in_address = |b: u8| b.is_ascii_hexdigit() || matches!(b, b'.' | b':');
    let mut found = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        if !in_address(bytes[i]) {
            i += 1;
            continue;
        }
        let start = i;
        while i < bytes.len() && in_address(bytes[i]) {
            i += 1;
        }
        found.extend(address(text, start, i));
    }
    found
}

/// The address in a stretch of hexadecimal digits, dots and colons.
fn address(text: &str, start: usize, end: usize) -> Option<Range<usize>> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    if text[..start].ends_with(word) || text[end..].starts_with(word) {
        return None;
    }
    let stretch = &text[start..end];
    // Punctuation around an address: `(10.0.0.1).`, `host: ::1:`.
    let trimmed = stretch.trim_start_matches('.').trim_end_matches('.');
    let begin = start + (stretch.len() - stretch.trim_start_matches('.').len());
    let whole = |s: &str| begin..begin + s.len();
    if trimmed.parse::<Ipv6Addr>().is_ok() {
        return plausible_v6(trimmed).then(|| whole(trimmed));
    }
    if let Some(shorter) = trimmed.strip_suffix(':')
        && shorter.parse::<Ipv6Addr>().is_ok()
    {
        return plausible_v6(shorter).then(|| whole(shorter));
    }
    // An IPv4 address may be followed by a port.
    let (host, rest) = trimmed.split_once(':').unwrap_or((trimmed, ""));
    (rest.bytes().all(|b| b.is_ascii_digit()) && host.parse::<Ipv4Addr>().is_ok()).then(|| whole(host))
}

/// Not a mere `::`, a path of a programming language such as `a::b`, or a slice such as `1::4`.
fn plausible_v6(text: &str) -> bool {
    let mut groups = text.split(':').filter(|g| !g.is_empty());
    text == "::1"
        || groups.clone().count() >= 4
        || groups.any(|g| g.len() >= 3 && g.bytes().any(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::super::hits;
    use super::*;

    #[test]
    fn finds_addresses() {
        for ip in ["10.0.0.1", "192.168.100.255", "2001:db8::8a2e:370:7334", "::1", "fe80::1", "::ffff:10.0.0.1"] {
            assert_eq!(hits(find, ip), [ip]);
            assert_eq!(hits(find, &format!("from ({ip}).")), [ip]);
            assert_eq!(hits(find, &format!("[{ip}]")), [ip]);
        }
        assert_eq!(hits(find, "http://10.0.0.1:8080/x"), ["10.0.0.1"]);
        assert_eq!(hits(find, "10.0.0.1, 10.0.0.2"), ["10.0.0.1", "10.0.0.2"]);
    }

    #[test]
    fn leaves_other_numbers_alone() {
        for text in [
            "256.1.1.1",
            "1.2.3",
            "1.2.3.4.5",
            "v1.2.3.4",
            "12:30:45",
            "a::b",
            "x[1::4]",
            "::2",
            "dead::beef",
            "add::sub",
            "::",
            "std::vec",
            "01:23:45:67:89:ab",
            "3.14",
            "x10.0.0.1",
            "10.0.0.1b",
            "010.0.0.1",
        ] {
            assert_eq!(hits(find, text), [""; 0], "{text}");
        }
    }
}
