//! What the elements of an envelope file share: the raw values of some keys of its top-level object, read in a pass of
//! their own, because they may stand behind the elements that need them.

use super::input::Input;
use super::scan::{Found, Limits, Scanner, Shape};
use crate::model::Problem;

/// Largest value of a header key, in bytes.
pub(super) const MAX_HEADER: u64 = 256 << 20;
const BLOCK: usize = 256 << 10;

/// The raw JSON of each key, `None` for one that is not there; of a key that stands twice, the first. Reads no further
/// than needed, and does not judge the rest of the file. An error is a value beyond the limits or a file that cannot be
/// read.
pub(super) fn headers(input: &mut Input, keys: &[&str], limits: Limits) -> Result<Vec<Option<Vec<u8>>>, Problem> {
    let mut values: Vec<Option<Vec<u8>>> = vec![None; keys.len()];
    let mut scanner = Scanner::new(Shape::Members, limits, input.start());
    // `buffer[..filled]` are the bytes of the stream from `base` on.
    let (mut buffer, mut filled, mut base) = (Vec::new(), 0, input.start());
    let mut end = None;
    while end.is_none() && !scanner.is_lost() && values.iter().any(Option::is_none) {
        if buffer.len() < filled + BLOCK {
            buffer.resize(filled + BLOCK.max(filled / 4), 0);
        }
        let read;
        (read, end) = input.fill(&mut buffer[filled..]);
        let (old, bytes) = (filled, &buffer[..filled + read]);
        let mut problem = None;
        scanner.feed(&bytes[old..], &mut |found| {
            let Found::Member { key, start, end, flaw } = found else { return };
            for (_, value) in keys.iter().zip(&mut values).filter(|(k, v)| **k == key && v.is_none()) {
                match &flaw {
                    None => *value = Some(bytes[(start - base) as usize..(end - base) as usize].to_vec()),
                    Some(flaw) => problem = Some(within(&key, flaw)),
                }
            }
        });
        if let Some(problem) = problem {
            return Err(problem);
        }
        filled += read;
        let position = base + filled as u64;
        let wanted = |key: String| keys.iter().zip(&values).any(|(k, v)| *k == key && v.is_none());
        let keep = scanner.pending().filter(|p| !p.doomed && scanner.pending_key().is_some_and(wanted));
        let from = keep.map_or(position, |p| p.start);
        buffer.copy_within((from - base) as usize..filled, 0);
        filled = (position - from) as usize;
        base = from;
    }
    match end {
        Some(Err(problem)) if values.iter().all(Option::is_none) => Err(problem),
        _ => Ok(values),
    }
}

fn within(key: &str, flaw: &Problem) -> Problem {
    Problem { message: format!("`{key}`: {}", flaw.message), ..flaw.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LeftOut;

    fn read(text: &str, keys: &[&str]) -> Result<Vec<Option<String>>, LeftOut> {
        let limits = Limits { max_element: 1 << 20, max_depth: 5 };
        let values = headers(&mut Input::from_bytes(text.as_bytes()), keys, limits).map_err(|p| p.kind)?;
        Ok(values.into_iter().map(|v| v.map(|v| String::from_utf8(v).unwrap())).collect())
    }

    #[test]
    fn values_are_found_wherever_they_stand() {
        let filler = "x".repeat(BLOCK);
        let long = format!("[\"{}\"]", "y".repeat(BLOCK));
        let text = format!(
            r#" {{ "info" : {{"a": "}}"}} , "rows":[{{"tasks":1}},"{filler}"], "t\u0061sks":{long}, "n" : 7 , "z":"\"" }}"#
        );
        assert_eq!(
            read(&text, &["tasks", "info", "n", "z", "absent"]),
            Ok(vec![Some(long), Some(r#"{"a": "}"}"#.into()), Some("7".into()), Some(r#""\"""#.into()), None])
        );
    }

    #[test]
    fn what_stands_before_damage_is_found() {
        assert_eq!(read(r#"{"a":1,"b":[2"#, &["a", "b"]), Ok(vec![Some("1".into()), None]));
        assert_eq!(read(r#"{"a":1,,"b":2}"#, &["a", "b"]), Ok(vec![Some("1".into()), None]));
        assert_eq!(read("[1]", &["a"]), Ok(vec![None]));
    }

    #[test]
    fn a_value_beyond_a_limit_is_an_error() {
        assert_eq!(read(r#"{"a":[[[[[[1]]]]]]}"#, &["a"]), Err(LeftOut::TooDeep));
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20));
        assert_eq!(read(&large, &["a"]), Err(LeftOut::TooLarge));
        assert_eq!(read(&large, &["b"]), Ok(vec![None]), "a value nobody asked for is none of our business");
    }
}
