//! Keys and tokens: those of well-known services by their prefix and shape, private keys, passwords in URLs, and
//! otherwise tokens of high entropy.

use std::ops::Range;

/// What may follow a prefix.
#[derive(Clone, Copy)]
enum Body {
    /// Capital letters and digits.
    Upper,
    /// Letters and digits.
    Alnum,
    /// Letters, digits and `_`.
    Word,
    /// Letters, digits, `_` and `-`.
    Url,
    /// Letters, digits, `_`, `-` and `.`.
    Dotted,
    /// Hexadecimal digits.
    Hex,
}

impl Body {
    fn has(self, b: u8) -> bool {
        match self {
            Body::Upper => b.is_ascii_uppercase() || b.is_ascii_digit(),
            Body::Alnum => b.is_ascii_alphanumeric(),
            Body::Word => b.is_ascii_alphanumeric() || b == b'_',
            Body::Url => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'),
            Body::Dotted => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'),
            Body::Hex => b.is_ascii_hexdigit(),
        }
    }
}

/// A service's prefix, what follows it, and how much of that at least and at most.
const PREFIXES: &[(&str, Body, usize, usize)] = &[
    ("AKIA", Body::Upper, 16, 16),  // AWS access key
    ("ASIA", Body::Upper, 16, 16),  // AWS temporary access key
    ("ABIA", Body::Upper, 16, 16),  // AWS bearer token
    ("ghp_", Body::Alnum, 36, 255), // GitHub
    ("gho_", Body::Alnum, 36, 255),
    ("ghu_", Body::Alnum, 36, 255),
    ("ghs_", Body::Alnum, 36, 255),
    ("ghr_", Body::Alnum, 36, 255),
    ("github_pat_", Body::Word, 22, 255),
    ("glpat-", Body::Url, 20, 255), // GitLab
    ("xoxb-", Body::Url, 10, 255),  // Slack
    ("xoxa-", Body::Url, 10, 255),
    ("xoxp-", Body::Url, 10, 255),
    ("xoxr-", Body::Url, 10, 255),
    ("xoxs-", Body::Url, 10, 255),
    ("xoxe.", Body::Dotted, 20, 511),
    ("xapp-", Body::Url, 10, 255),
    ("sk-ant-", Body::Url, 20, 255),    // Anthropic
    ("sk-", Body::Url, 20, 255),        // OpenAI (sk-proj-, sk-svcacct- too), OpenRouter, DeepSeek
    ("AIza", Body::Url, 35, 35),        // Google API key
    ("GOCSPX-", Body::Url, 28, 28),     // Google client secret
    ("ya29.", Body::Dotted, 20, 2047),  // Google access token
    ("sk_live_", Body::Alnum, 16, 255), // Stripe
    ("sk_test_", Body::Alnum, 16, 255),
    ("rk_live_", Body::Alnum, 16, 255),
    ("rk_test_", Body::Alnum, 16, 255),
    ("whsec_", Body::Alnum, 24, 255),
    ("SK", Body::Hex, 32, 32),     // Twilio
    ("SG.", Body::Dotted, 60, 80), // SendGrid
    ("npm_", Body::Alnum, 36, 36),
    ("pypi-AgE", Body::Url, 50, 1023),
    ("hf_", Body::Alnum, 30, 64),   // Hugging Face
    ("gsk_", Body::Alnum, 40, 80),  // Groq
    ("xai-", Body::Alnum, 60, 120), // xAI
    ("r8_", Body::Alnum, 37, 37),   // Replicate
    ("pplx-", Body::Alnum, 40, 80), // Perplexity
    ("dop_v1_", Body::Hex, 64, 64), // DigitalOcean
    ("shpat_", Body::Hex, 32, 32),  // Shopify
    ("shpss_", Body::Hex, 32, 32),
    ("glsa_", Body::Word, 32, 64),     // Grafana
    ("dckr_pat_", Body::Url, 20, 64),  // Docker
    ("sq0csp-", Body::Url, 43, 43),    // Square
    ("lin_api_", Body::Alnum, 32, 64), // Linear
    ("ATATT3", Body::Url, 60, 255),    // Atlassian
    ("PMAK-", Body::Url, 59, 64),      // Postman
    ("hvs.", Body::Url, 24, 255),      // HashiCorp Vault
    ("AGE-SECRET-KEY-1", Body::Upper, 58, 58),
];

/// What stands before identifiers that look random and are no secret.
const HARMLESS: &[&str] = &[
    "call_",
    "toolu_",
    "tooluse_",
    "chatcmpl-",
    "msg_",
    "resp_",
    "req_",
    "run_",
    "thread_",
    "asst_",
    "fc_",
    "rs_",
    "file-",
];

/// Words that announce a secret when its value follows them.
const ANNOUNCE: &[&str] =
    &["key", "token", "secret", "password", "passwd", "pwd", "bearer", "credential", "authorization"];

/// Keys and tokens. The entropy rule looks at tokens of 20 to 512 letters and digits that mix capitals, small letters
/// and digits as random ones do (3.9 bits a character and as many changes between them); hexadecimal ones (digests,
/// ids) count only right after a word such as `key` or `token`. Ids of model APIs (`call_...`) never count.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = private_keys(text);
    found.extend(url_passwords(text));
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let boundary = i == 0 || !(bytes[i - 1].is_ascii_alphanumeric() || bytes[i - 1] == b'_');
        let end = if boundary && bytes[i].is_ascii_alphanumeric() { token(text, i) } else { None };
        match end {
            Some(end) => {
                found.push(i..end);
                i = end;
            }
            None => i += 1,
        }
    }
    found.sort_by_key(|range| (range.start, usize::MAX - range.end));
    found.dedup_by(|later, kept| later.start < kept.end);
    found
}

/// The end of the secret that starts at a word boundary.
fn token(text: &str, start: usize) -> Option<usize> {
    let bytes = &text.as_bytes()[start..];
    prefixed(bytes).or_else(|| web_token(bytes)).map(|length| start + length).or_else(|| random(text, start))
}

fn prefixed(bytes: &[u8]) -> Option<usize> {
    PREFIXES.iter().find_map(|(prefix, body, min, max)| {
        let rest = bytes.strip_prefix(prefix.as_bytes())?;
        let mut length = rest.iter().take(max + 1).take_while(|b| body.has(**b)).count();
        while length > 0 && matches!(rest[length - 1], b'.' | b'-') {
            length -= 1;
        }
        let fits = (*min..=*max).contains(&length) && !rest.get(length).is_some_and(u8::is_ascii_alphanumeric);
        // `sk-` also starts words with dashes in them; a key has digits.
        let digits = *min == 16 || rest[..length].iter().any(u8::is_ascii_digit);
        (fits && digits).then_some(prefix.len() + length)
    })
}

/// The longest part of a web token and the longest private key that are looked for: no input makes the scan quadratic.
const MAX_PART: usize = 16 << 10;

/// A JSON web token: three base64url parts, the first two of which start with `{"`.
fn web_token(bytes: &[u8]) -> Option<usize> {
    if !bytes.starts_with(b"eyJ") {
        return None;
    }
    let part = |from: usize| bytes[from..].iter().take(MAX_PART).take_while(|b| Body::Url.has(**b)).count();
    let header = part(0);
    let claims_at = header + 1;
    if bytes.get(header) != Some(&b'.') || !bytes[claims_at..].starts_with(b"eyJ") {
        return None;
    }
    let signature_at = claims_at + part(claims_at) + 1;
    if bytes.get(signature_at - 1) != Some(&b'.') {
        return None;
    }
    let signature = part(signature_at);
    (header >= 10 && signature >= 10).then_some(signature_at + signature)
}

/// A token that looks random.
fn random(text: &str, start: usize) -> Option<usize> {
    let bytes = &text.as_bytes()[start..];
    let length =
        bytes.iter().take(513).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+')).count();
    let token = text[start..start + length].trim_end_matches(['-', '+']);
    if !(20..=512).contains(&token.len()) || HARMLESS.iter().any(|p| token.starts_with(p)) {
        return None;
    }
    let hex = token.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let secret = if hex {
        token.len() >= 32 && announced(&text[..start]) && token.bytes().any(|b| b.is_ascii_digit())
    } else {
        mixed(token.as_bytes()) && entropy(token.as_bytes()) >= 3.9
    };
    secret.then_some(start + token.len())
}

/// Whether capitals, small letters and digits alternate as in a random token rather than as in words.
fn mixed(token: &[u8]) -> bool {
    let class = |b: u8| match b {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let mut counts = [0usize; 4];
    token.iter().for_each(|b| counts[class(*b)] += 1);
    let changes = token.windows(2).filter(|w| class(w[0]) != class(w[1])).count();
    counts[..3].iter().all(|n| *n >= 2) && changes * 100 >= (token.len() - 1) * 42
}

/// Shannon entropy in bits a character.
fn entropy(token: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    token.iter().for_each(|b| counts[usize::from(*b)] += 1);
    let total = token.len() as f64;
    counts.iter().filter(|n| **n > 0).map(|n| f64::from(*n) / total).map(|p| -p * p.log2()).sum()
}

/// Whether the text just before names a secret: `api_key = "`, `Bearer `.
fn announced(before: &str) -> bool {
    let words = before.trim_end_matches(|c: char| !c.is_alphanumeric());
    let gap = before.len() - words.len();
    gap <= 6
        && ANNOUNCE.iter().any(|word| {
            let tail = words.len().checked_sub(word.len()).and_then(|at| words.get(at..));
            tail.is_some_and(|t| t.eq_ignore_ascii_case(word))
        })
}

/// PEM blocks of private keys, to their end where it is there.
fn private_keys(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find("-----BEGIN ").map(|i| from + i) {
        let label = start + "-----BEGIN ".len();
        from = label;
        let Some(label_end) = text[label..].find("-----").map(|i| label + i) else { break };
        if label_end - label > 40 || !text[label..label_end].trim_end_matches(" BLOCK").ends_with("PRIVATE KEY") {
            continue;
        }
        let end_line = format!("-----END {}-----", &text[label..label_end]);
        let body = label_end + 5;
        let limit = text.len().min(body + MAX_PART);
        let end = memchr::memmem::find(&text.as_bytes()[body..limit], end_line.as_bytes())
            .map_or(body, |i| body + i + end_line.len());
        found.push(start..end);
        from = end;
    }
    found
}

/// Passwords in URLs: `scheme://user:password@host`.
fn url_passwords(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let authority = at + 3;
        let length = text[authority..]
            .bytes()
            .take(512)
            .take_while(|b| !b.is_ascii_whitespace() && !matches!(b, b'/' | b'"' | b'\'' | b'<' | b'>' | b'`'))
            .count();
        let Some(part) = text.get(authority..authority + length) else { continue };
        let Some((user, _)) = part.rsplit_once('@') else { continue };
        let Some((name, password)) = user.split_once(':') else { continue };
        let placeholder =
            password.starts_with(['$', '{', '<', '[']) || password.bytes().all(|b| matches!(b, b'*' | b'x' | b'.'));
        if password.len() >= 3 && !placeholder {
            let start = authority + name.len() + 1;
            found.push(start..start + password.len());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::hits;
    use super::*;

    /// Joined here, so that no scanner takes the test for a leak.
    fn join(parts: &[&str]) -> String {
        parts.concat()
    }

    #[test]
    fn finds_keys_of_known_services() {
        let body = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5hI7k";
        for key in [
            join(&["AKIA", "IOSFODNN7EXAMPLE"]),
            join(&["ghp_", &body[..36]]),
            join(&["github_pat_", "11ABCDEFG0aBcDeFgHiJkL_", body]),
            join(&["xoxb-", "123456789012-", &body[..24]]),
            join(&["sk-", "proj-", body]),
            join(&["sk-", "ant-api03-", body]),
            join(&["AIza", &body[..35]]),
            join(&["sk_live_", &body[..24]]),
            join(&["npm_", &body[..36]]),
            join(&["hf_", &body[..34]]),
            join(&["eyJhbGciOiJIUzI1NiJ9", ".eyJzdWIiOiIxMjM0NTY3ODkwIn0", ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"]),
        ] {
            assert_eq!(hits(find, &format!("use {key}.")), [key.as_str()]);
            assert_eq!(hits(find, &format!("\"key\": \"{key}\"")), [key.as_str()]);
        }
    }

    #[test]
    fn finds_private_keys_and_passwords_in_urls() {
        let pem = join(&["-----BEGIN RSA ", "PRIVATE KEY-----\nMIIE\n-----END RSA ", "PRIVATE KEY-----"]);
        assert_eq!(hits(find, &format!("x {pem} y")), [pem.as_str()]);
        assert_eq!(hits(find, &join(&["-----BEGIN ", "PRIVATE KEY-----\nMIIE"])).len(), 1);
        assert_eq!(hits(find, "postgres://app:s3cr3t@db.example/x"), ["s3cr3t"]);
    }

    #[test]
    fn finds_random_tokens() {
        let token = join(&["wJalrXUtnFEMIK7MD", "ENGbPxRfiCYzq8Kp2"]);
        assert_eq!(hits(find, &format!("secret {token}")), [token.as_str()]);
        let hex = "9f86d081884c7d659a2feaa0c55ad015";
        assert_eq!(hits(find, &format!("api_key = \"{hex}\"")), [hex]);
    }

    #[test]
    fn leaves_harmless_text_alone() {
        for text in [
            "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
            "id 123e4567-e89b-12d3-a456-426614174000",
            "getReservationDetailsForUser2AndFlight3",
            "call_ZQn1eXw3Rk7VbT5yLmP9sD2f",
            "the sk-learn-like-library-of-many-words",
            "SKU 12345, AKIA is a prefix",
            "https://example.com/some/long/path/with/words?and=query",
            "http://user:<password>@host/ http://user:${PASSWORD}@host/",
            "a-long-dashed-identifier-2024-with-Words",
            "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
            "SUPERCALIFRAGILISTICEXPIALIDOCIOUS1234567890",
            "eyJhbGciOiJIUzI1NiJ9",
        ] {
            assert_eq!(hits(find, text), [""; 0], "{text}");
        }
    }

    #[test]
    fn long_hostile_text_is_no_trouble() {
        for unit in ["://", "-----BEGIN ", "eyJ.", "a://b:", "sk-", "aA1"] {
            find(&unit.repeat(50_000));
        }
    }
}
