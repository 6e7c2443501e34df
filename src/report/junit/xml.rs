//! Texts in XML: what an agent said ends no attribute, and holds nothing that XML forbids.

/// Adds a text as the value of an attribute or the content of an element: escaped, and without what XML forbids or what
/// could disguise a message (bidirectional overrides), which U+FFFD replaces.
pub fn escaped(out: &mut String, text: &str) {
    let mut rest = text;
    loop {
        // Runs of harmless characters are copied whole.
        let plain = rest.bytes().position(|b| !PLAIN[usize::from(b)]).unwrap_or(rest.len());
        let (run, odd) = rest.split_at(plain);
        out.push_str(run);
        let mut odd = odd.chars();
        let Some(c) = odd.next() else { return };
        rest = odd.as_str();
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // A reader turns these into spaces unless they are references.
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if allowed(c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
}

/// The bytes that an attribute holds as they are.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut b = b' ';
    while b <= b'~' {
        plain[b as usize] = !matches!(b, b'<' | b'>' | b'&' | b'"' | b'\'');
        b += 1;
    }
    plain
};

fn allowed(c: char) -> bool {
    matches!(c, ' '..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
