//! How two texts differ, in words short enough for a reason.

use similar::TextDiff;

use super::quote;

/// Texts with more lines or bytes than this are not diffed by line.
const MAX_LINES: usize = 1000;
const MAX_BYTES: usize = 100_000;
/// A diff is cut after this many characters.
const MAX_SHOWN: usize = 2000;

/// Expected, actual and the first difference; for texts of several lines a unified diff as well.
pub fn explain(expected: &str, actual: &str) -> String {
    let mut reason = format!("expected {}, got {}", quote(expected), quote(actual));
    if let Some(place) = first_difference(expected, actual) {
        reason.push_str("; ");
        reason.push_str(&place);
    }
    if let Some(diff) = unified(expected, actual) {
        reason.push('\n');
        reason.push_str(&diff);
    }
    reason
}

/// Where two texts begin to differ; `None` when they are equal.
pub fn first_difference(expected: &str, actual: &str) -> Option<String> {
    let mut line = 1;
    let mut column = 1;
    let (mut left, mut right) = (expected.chars(), actual.chars());
    loop {
        let (a, b) = (left.next(), right.next());
        match (a, b) {
            (Some(a), Some(b)) if a == b => {
                (line, column) = if a == '\n' { (line + 1, 1) } else { (line, column + 1) };
            }
            (None, None) => return None,
            _ => {
                let show = |c: Option<char>| c.map_or("the end".to_owned(), |c| format!("{c:?}"));
                return Some(format!(
                    "first difference at line {line}, character {column}: expected {}, got {}",
                    show(a),
                    show(b)
                ));
            }
        }
    }
}

/// A unified diff of two texts, when one of them has several lines and both are of bearable length.
pub fn unified(expected: &str, actual: &str) -> Option<String> {
    let lines = |t: &str| t.lines().count();
    let most = lines(expected).max(lines(actual));
    if !(2..=MAX_LINES).contains(&most) || expected.len().max(actual.len()) > MAX_BYTES {
        return None;
    }
    let diff = TextDiff::from_lines(expected, actual);
    let text =
        diff.unified_diff().context_radius(2).missing_newline_hint(false).header("expected", "actual").to_string();
    Some(match text.char_indices().nth(MAX_SHOWN) {
        Some((cut, _)) => format!("{}…\n(the diff goes on)", &text[..cut]),
        None => text,
    })
    .filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_shown_whole() {
        insta::assert_snapshot!(explain("abc", "abd"), @r#"expected "abc", got "abd"; first difference at line 1, character 3: expected 'c', got 'd'"#);
        insta::assert_snapshot!(explain("abc", "ab"), @r#"expected "abc", got "ab"; first difference at line 1, character 3: expected 'c', got the end"#);
    }

    #[test]
    fn several_lines_are_diffed() {
        insta::assert_snapshot!(explain("a\nb\nc\n", "a\nx\nc\n"), @r#"
        expected "a\nb\nc\n", got "a\nx\nc\n"; first difference at line 2, character 1: expected 'b', got 'x'
        --- expected
        +++ actual
        @@ -1,3 +1,3 @@
         a
        -b
        +x
         c
        "#);
    }

    #[test]
    fn long_texts_stay_short() {
        let (a, b) = ("a\n".repeat(900), "b\n".repeat(900));
        assert!(explain(&a, &b).len() < 3 * MAX_SHOWN);
        let (a, b) = ("a".repeat(1_000_000), "b".repeat(1_000_000));
        assert!(explain(&a, &b).len() < 3 * MAX_SHOWN);
    }
}
