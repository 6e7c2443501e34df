//! E-mail addresses: a local part, an `@`, and a domain with a top level of letters.

use std::ops::Range;

/// Longest local part and domain that RFC 5321 allows.
const MAX_LOCAL: usize = 64;
const MAX_DOMAIN: usize = 255;

/// E-mail addresses. Letters of any script are allowed. Quoted local parts, the rarer signs that a local part may hold
/// (they stand around an address far more often than in it) and address literals are not looked for.
/// `user@localhost` is none, nor are package versions (`pkg@1.2.3`) and image scales (`icon@2x.png`).
pub fn find(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for at in memchr::memchr_iter(b'@', text.as_bytes()) {
        let from = found.last().map_or(0, |r| r.end);
        if from > at {
            continue;
        }
        if let (Some(start), Some(end)) = (local(text, from, at), domain(text, at + 1)) {
            found.push(start..end);
        }
    }
    found
}

/// The start of the local part that ends at `at`.
fn local(text: &str, from: usize, at: usize) -> Option<usize> {
    let allowed = |c: char| c.is_alphanumeric() || "._%+-&'".contains(c);
    let mut start = at;
    for (i, c) in text[from..at].char_indices().rev() {
        if !allowed(c) || at - (from + i) > MAX_LOCAL {
            break;
        }
        start = from + i;
    }
    let local = &text[start..at];
    // Leading punctuation belongs to the sentence around it.
    start += local.len() - local.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != '+').len();
    let local = &text[start..at];
    (!local.is_empty() && !local.ends_with('.') && !local.contains("..")).then_some(start)
}

/// The end of the domain that starts at `start`.
fn domain(text: &str, start: usize) -> Option<usize> {
    let length: usize = text[start..]
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '.' | '-'))
        .map(char::len_utf8)
        .scan(0, |sum, n| {
            *sum += n;
            (*sum <= MAX_DOMAIN).then_some(n)
        })
        .sum();
    let domain = text[start..start + length].trim_end_matches(['.', '-']);
    let labels: Vec<&str> = domain.split('.').collect();
    let (top, rest) = labels.split_last()?;
    let label_ok = |l: &&str| !l.is_empty() && !l.starts_with('-') && !l.ends_with('-');
    let top_ok = top.starts_with("xn--") || (top.chars().count() >= 2 && top.chars().all(char::is_alphabetic));
    let scale =
        matches!(rest, [one] if one.len() == 2 && one.ends_with('x') && one.starts_with(|c: char| c.is_ascii_digit()));
    (top_ok && !rest.is_empty() && labels.iter().all(label_ok) && !scale).then_some(start + domain.len())
}

#[cfg(test)]
mod tests {
    use super::super::hits;
    use super::*;

    #[test]
    fn finds_addresses() {
        for address in ["a@b.co", "first.last+tag@mail.example.com", "müller@bücher.de", "x_y-z@xn--bcher-kva.xn--p1ai"]
        {
            assert_eq!(hits(find, &format!("Write to <{address}>.")), [address]);
            assert_eq!(hits(find, &format!("Write to {address}.")), [address]);
            assert_eq!(hits(find, &format!("mailto:{address}")), [address]);
        }
        assert_eq!(hits(find, "a@b.co,c@d.org"), ["a@b.co", "c@d.org"]);
        assert_eq!(hits(find, "?to=o'brien@b.ie&x='a@b.co'"), ["o'brien@b.ie", "a@b.co"]);
    }

    #[test]
    fn leaves_other_signs_alone() {
        for text in [
            "@handle",
            "${TOKEN}@github.com",
            "user@localhost",
            "lodash@4.17.21",
            "icon@2x.png",
            "a@b..c",
            "5 @ 3.50",
            "a.@b.co",
            "@@",
        ] {
            assert_eq!(hits(find, text), [""; 0], "{text}");
        }
    }

    #[test]
    fn many_signs_are_no_trouble() {
        assert!(find(&"a@".repeat(100_000)).is_empty());
        assert!(find(&"@".repeat(100_000)).is_empty());
    }
}
