//! Of several questions that begin alike the first goes ahead, where the endpoint remembers beginnings: when the others
//! follow, it has read what they have in common, and charges little for it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::work::Wanted;
use crate::checks::asking::Need;

/// The shortest common beginning that is worth a wait, in bytes: providers remember none of less than about 1,000 tokens.
const WORTH: usize = 4 << 10;
/// Most bytes of questions that wait for another; what comes then goes at once.
const MOST_WAITING: usize = 8 << 20;

/// A digest of what questions have in common.
pub type Beginning = u64;

/// The beginning of a question, up to where another about the same material may differ; `None` where it is too short to
/// wait for.
pub fn beginning(need: &Need) -> Option<Beginning> {
    let Need::Vote { judge, prompt, .. } = need else { return None };
    if prompt.system.len() + prompt.material.len() < WORTH {
        return None;
    }
    let mut hasher = blake3::Hasher::new();
    for part in [judge, &*prompt.system, prompt.shape.name, &prompt.material] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().as_bytes().first_chunk().copied().map(u64::from_le_bytes)
}

/// Who goes ahead.
#[derive(Default)]
pub struct Ahead(Mutex<Queues>);

#[derive(Default)]
struct Queues {
    /// By beginning: those that wait, in order; `None` once it was read.
    waiting: HashMap<Beginning, Option<Vec<Wanted>>>,
    bytes: usize,
}

/// What came of the question that went ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// The endpoint read it, or will read nothing: nobody has to wait any more.
    Over,
    /// It was not asked, since its answer was known: another has to go ahead.
    Known,
}

impl Ahead {
    /// The question, if it may go; otherwise it waits for the one that went ahead.
    pub fn go(&self, wanted: Wanted) -> Option<Wanted> {
        let Some(beginning) = wanted.beginning else { return Some(wanted) };
        let queues = &mut *self.queues();
        match queues.waiting.get_mut(&beginning) {
            None => {
                queues.waiting.insert(beginning, Some(Vec::new()));
                Some(wanted)
            }
            Some(Some(waiting)) if queues.bytes < MOST_WAITING => {
                queues.bytes += size(&wanted.need);
                waiting.push(wanted);
                None
            }
            Some(_) => Some(wanted),
        }
    }

    /// Those that may go, now that this came of one that did.
    pub fn came(&self, beginning: Option<Beginning>, came: Came) -> Vec<Wanted> {
        let Some(beginning) = beginning else { return Vec::new() };
        let queues = &mut *self.queues();
        let Some(place) = queues.waiting.get_mut(&beginning) else { return Vec::new() };
        let released = match (place.as_mut(), came) {
            (None, _) => Vec::new(),
            (Some(waiting), Came::Known) if !waiting.is_empty() => vec![waiting.remove(0)],
            (Some(_), Came::Known) => {
                queues.waiting.remove(&beginning);
                Vec::new()
            }
            (Some(_), Came::Over) => place.take().unwrap_or_default(),
        };
        queues.bytes -= released.iter().map(|wanted| size(&wanted.need)).sum::<usize>();
        released
    }

    /// Forgets who went ahead. Nobody may be waiting.
    pub fn forget(&self) {
        *self.queues() = Queues::default();
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(need: &Need) -> usize {
    match need {
        Need::Vote { prompt, .. } => prompt.material.len() + prompt.question.len(),
        Need::Line { .. } | Need::Embedding { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::question::{Key, Name};
    use super::*;
    use crate::checks::asking::{Prompt, Shape};
    use crate::redact::Redactor;

    static SHAPE: Shape = Shape { name: "s", schema: || serde_json::json!({}), label: None };

    fn wanted(material: &str, bytes: usize, rubric: u32) -> Wanted {
        let prompt = Prompt {
            system: "s".into(),
            material: material.repeat(bytes / material.len()),
            question: rubric.to_string(),
            shape: &SHAPE,
        };
        let need = Need::Vote { judge: "j".into(), prompt: Arc::new(prompt), vote: 0, wrong: None };
        let name = Name::of(&need).unwrap();
        let (key, beginning) = (Key([0; 32]), beginning(&need));
        Wanted { key, name, need, beginning, by: (0, rubric), redactor: Redactor::default() }
    }

    fn who(released: Vec<Wanted>) -> Vec<u32> {
        released.into_iter().map(|wanted| wanted.by.1).collect()
    }

    #[test]
    fn the_first_goes_ahead_and_the_others_follow_together() {
        let ahead = Ahead::default();
        let first = ahead.go(wanted("a", 9000, 0)).unwrap();
        assert!(ahead.go(wanted("a", 9000, 1)).is_none() && ahead.go(wanted("a", 9000, 2)).is_none());
        assert!(ahead.go(wanted("b", 9000, 9)).is_some(), "another material waits for nobody");
        assert_eq!(who(ahead.came(first.beginning, Came::Over)), [1, 2]);
        assert!(ahead.go(wanted("a", 9000, 3)).is_some(), "it was read");
        assert!(ahead.came(first.beginning, Came::Over).is_empty());
        assert_eq!(ahead.queues().bytes, 0);
    }

    #[test]
    fn one_whose_answer_was_known_hands_on() {
        let ahead = Ahead::default();
        let first = ahead.go(wanted("a", 9000, 0)).unwrap();
        assert!(ahead.go(wanted("a", 9000, 1)).is_none() && ahead.go(wanted("a", 9000, 2)).is_none());
        assert_eq!(who(ahead.came(first.beginning, Came::Known)), [1]);
        assert_eq!(who(ahead.came(first.beginning, Came::Known)), [2]);
        assert!(ahead.came(first.beginning, Came::Known).is_empty());
        assert!(ahead.go(wanted("a", 9000, 3)).is_some() && ahead.go(wanted("a", 9000, 4)).is_none());
        assert_eq!(who(ahead.came(first.beginning, Came::Over)), [4]);
        assert_eq!(ahead.queues().bytes, 0);
    }

    #[test]
    fn nobody_waits_for_little_and_not_too_many_wait() {
        let ahead = Ahead::default();
        assert!(ahead.go(wanted("a", 100, 0)).is_some() && ahead.go(wanted("a", 100, 1)).is_some());
        let whole = 1 << 20;
        let waiting = (0..20).filter(|i| ahead.go(wanted("a", whole, *i)).is_none()).count();
        assert_eq!(waiting, 8);
    }
}
