//! Percent-encoding: what stands in an address as it is, and what does not.

/// The bytes with all but letters, digits, `-`, `.`, `_`, `~` and what is in `also` percent-encoded.
pub fn encode(bytes: &[u8], also: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(*byte)),
            plain if also.contains(plain) && plain.is_ascii() => out.push(char::from(*plain)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_as_part_of_an_address_is_encoded() {
        assert_eq!(encode("p@ss/w:ö~1".as_bytes(), b""), "p%40ss%2Fw%3A%C3%B6~1");
        assert_eq!(encode(b"/a b", b"/"), "/a%20b");
    }
}
