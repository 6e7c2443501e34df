//! What an agent said is hostile: it is shown in a terminal only after it has been made harmless here.

use std::borrow::Cow;
use std::fmt::Write;

/// A text with everything escaped that could move the cursor, reorder or hide text: C0 and C1 controls (ESC among
/// them) except newline and tab, bidirectional marks and overrides, line and paragraph separators, and characters
/// that are invisible by design (zero-width space, word joiner, soft hyphen, byte order mark, tags, supplementary
/// variation selectors). Zero-width joiner and non-joiner stay: emoji and several scripts are written with them, and
/// they neither reorder nor erase.
pub fn terminal(text: &str) -> Cow<'_, str> {
    escape(text, |c| c == '\n' || c == '\t')
}

/// As [`terminal`], for what must stay on one line, such as an id: newline and tab are escaped too.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// Lines of a report without anything that a CI would obey: GitHub takes a line that begins with `::`, whatever white space
/// is before it, for a command of the workflow, and older runners and Azure one that has `##[` or `##vso[` in it. What an
/// agent said may be a line.
pub fn commands(text: &str) -> Cow<'_, str> {
    let begins = |line: &str| line.trim_start().starts_with("::");
    let holds = |line: &str| line.contains("##[") || line.contains("##vso[");
    if !text.lines().any(|line| begins(line) || holds(line)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive('\n') {
        let (before, rest) = line.split_at(line.len() - line.trim_start().len());
        let (space, rest) = if begins(line) { (before, format!("\\{rest}")) } else { ("", line.to_owned()) };
        out.push_str(space);
        out.push_str(&rest.replace("##[", "##\\[").replace("##vso[", "##vso\\["));
    }
    Cow::Owned(out)
}

fn escape(text: &str, allowed: impl Fn(char) -> bool) -> Cow<'_, str> {
    let bad = |c: char| is_hostile(c) && !allowed(c);
    let Some(first) = text.find(bad) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        match c {
            c if !bad(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if u32::from(c) < 0x100 => drop(write!(out, "\\x{:02x}", u32::from(c))),
            c => drop(write!(out, "\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(out)
}

fn is_hostile(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        // Bidirectional controls.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        // Line and paragraph separators.
        | '\u{2028}' | '\u{2029}'
        // Invisible by design: they hide text or split words.
        | '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_is_not_copied() {
        let text = "Grüße,\n\t東京 👩\u{200d}👩\u{200d}👧 نمی\u{200c}خواهم";
        assert!(matches!(terminal(text), Cow::Borrowed(t) if t == text));
    }

    #[test]
    fn controls_are_shown_and_not_obeyed() {
        assert_eq!(terminal("\x1b[2J\x07\r\u{9b}31m\x7f\0"), r"\x1b[2J\x07\r\x9b31m\x7f\x00");
        assert_eq!(terminal("a\nb\tc"), "a\nb\tc");
        assert_eq!(line("a\nb\tc"), r"a\nb\tc");
    }

    #[test]
    fn nothing_is_a_command_of_a_ci() {
        let text = "ok\n  said: x::y\n";
        assert!(matches!(commands(text), Cow::Borrowed(t) if t == text));
        let said = "a\n::error::x\n  \t::add-mask::y\nb ##[group]z\n##vso[task]";
        assert_eq!(commands(said), "a\n\\::error::x\n  \t\\::add-mask::y\nb ##\\[group]z\n##vso\\[task]");
    }

    #[test]
    fn nothing_reorders_or_hides_text() {
        for c in
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{2028}\u{2029}\u{200b}\u{feff}\u{e0041}\u{e0100}"
                .chars()
        {
            assert_eq!(terminal(&format!("a{c}b")), format!("a\\u{{{:x}}}b", u32::from(c)));
        }
    }

    proptest! {
        #[test]
        fn no_hostile_character_survives(text in any::<String>()) {
            prop_assert!(!terminal(&text).contains(|c| is_hostile(c) && c != '\n' && c != '\t'));
            prop_assert!(!line(&text).contains(char::is_control));
        }
    }
}
