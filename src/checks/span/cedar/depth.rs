//! How deep the expressions of a Cedar text are nested, counted before Cedar parses it.
//!
//! Cedar's parser, its syntax tree and all that walks it call themselves once for each step down, and do not look how
//! much of the stack is left: a text that is nested deep enough would end the process instead of being a problem of
//! the suite. A chain (`a && b && c`, `a.b.c`) is as deep a tree as brackets are, so that both count.

/// The deepest that a text may be. Written policies stay far below; the stack of a thread holds several times as much.
pub(super) const MAX: usize = 100;

/// What the text is: `<` is a bracket of types in a schema, and compares in a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    Policies,
    Schema,
}

/// What is between two brackets, as far as it is read.
#[derive(Default)]
struct Group {
    /// Operators, members and brackets since the last comma: each may be one step down.
    chain: usize,
    /// The deepest group within them.
    below: usize,
    /// The deepest of what is before the last comma.
    deepest: usize,
}

impl Group {
    fn depth(&self) -> usize {
        self.deepest.max(self.chain + self.below)
    }

    /// Begins the next element, which is beside the one before.
    fn next(&mut self) {
        *self = Self { deepest: self.depth(), ..Self::default() };
    }
}

/// Where a text becomes deeper than [`MAX`]: the offset of the byte, or `None` when it does not. Comments and strings do
/// not count; brackets need not match.
pub(super) fn too_deep(text: &str, kind: Text) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut open, mut group, mut at) = (Vec::new(), Group::default(), 0);
    // The sum of the chains around the group.
    let mut around = 0;
    while at < bytes.len() {
        let start = at;
        at += 1;
        match bytes[start] {
            b'/' if bytes.get(at) == Some(&b'/') => {
                at += bytes[at..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len() - at);
            }
            b'"' => at = string_end(bytes, start) + 1,
            b'(' | b'[' | b'{' => down(&mut open, &mut group, &mut around),
            b'<' if kind == Text::Schema => down(&mut open, &mut group, &mut around),
            b')' | b']' | b'}' => up(&mut open, &mut group, &mut around),
            b'>' if kind == Text::Schema => up(&mut open, &mut group, &mut around),
            // A policy or a declaration ends, whatever is still open in it.
            b';' if open.is_empty() => group = Group::default(),
            b',' | b';' => group.next(),
            b'&' | b'|' => {
                group.chain += 1;
                at += usize::from(bytes.get(at) == Some(&bytes[start]));
            }
            b'.' | b'+' | b'-' | b'*' | b'!' | b'<' | b'>' | b'=' => group.chain += 1,
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                at += bytes[at..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
                let word = &bytes[start..at];
                group.chain += usize::from([&b"if"[..], b"has", b"in", b"is", b"like"].contains(&word));
            }
            _ => {}
        }
        if around + group.depth() > MAX {
            return Some(start);
        }
    }
    None
}

fn down(open: &mut Vec<Group>, group: &mut Group, around: &mut usize) {
    group.chain += 1;
    *around += group.chain;
    open.push(std::mem::take(group));
}

fn up(open: &mut Vec<Group>, group: &mut Group, around: &mut usize) {
    // A bracket that nothing opened is Cedar's to refuse.
    if let Some(mut outer) = open.pop() {
        *around -= outer.chain;
        outer.below = outer.below.max(group.depth());
        *group = outer;
    }
}

/// The closing quote of the string that opens at `at`.
pub(super) fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deep(text: &str) -> bool {
        too_deep(text, Text::Policies).is_some()
    }

    #[test]
    fn brackets_and_chains_count_wherever_they_are() {
        for step in
            ["(", "[", "{", "!", "-", "if a then b else ", "a && ", "a || ", "a + ", "a.", "[{x: (", "f().", "in "]
        {
            assert!(!deep(&step.repeat(MAX / 4)), "{step}");
            assert!(deep(&step.repeat(MAX + 1)), "{step}");
        }
        // Neither half is too deep, but one is in the other.
        let half = MAX * 2 / 3;
        assert!(deep(&format!("{}{}", "a && ".repeat(half), "(".repeat(half))));
        assert!(deep(&format!("{}x{}{}", "(".repeat(half), ")".repeat(half), " && a".repeat(half))));
    }

    #[test]
    fn what_stands_beside_is_not_deeper() {
        assert!(!deep(&"[(a.b), {c: -1}], ".repeat(1000)));
        assert!(!deep(&"permit(principal, action, resource) when { a && b };\n".repeat(1000)));
        assert!(!deep(&"// ((((( && \n".repeat(1000)));
        assert!(!deep(&format!("\"{}\\\"((\"", "(".repeat(1000))));
    }

    #[test]
    fn types_of_a_schema_are_nested_too_and_its_declarations_are_not() {
        let types = format!("type T = {}Long{};", "Set<".repeat(MAX), ">".repeat(MAX));
        assert!(too_deep(&types, Text::Schema).is_some());
        let flat = "entity A in [B] { x: Set<Set<Long>>, y?: { z: Long } };\n".repeat(1000);
        assert_eq!(too_deep(&flat, Text::Schema), None);
    }

    #[test]
    fn the_place_is_that_of_the_step_that_is_too_much() {
        assert_eq!(too_deep(&format!("\n{}", "(".repeat(MAX + 5)), Text::Policies), Some(1 + MAX));
    }
}
