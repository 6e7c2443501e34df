//! What models answered in this run, by key. Memory is bounded: the first answers stay in it, of the others only where
//! they lie in the evidence of the run, from where they are read when they are wanted.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::journal::{Lines, Place};
use super::question::Key;
use crate::checks::asking::{Answer, Reply, Said};

/// Most bytes of answers that stay in memory although they can be read back.
const MOST_HELD: usize = 16 << 20;

/// The answers of a run.
#[derive(Default)]
pub struct Answers {
    known: Mutex<Known>,
    /// The evidence of the run.
    lines: OnceLock<Lines>,
}

#[derive(Default)]
struct Known {
    answers: HashMap<Key, State>,
    /// Bytes that are held.
    held: usize,
    /// What went wrong, each once: an endpoint that fails says the same a thousand times.
    failures: HashSet<Arc<str>>,
}

/// What is known of an answer.
#[derive(Clone)]
enum State {
    Awaited,
    Failed(Arc<str>),
    Held(Arc<Reply>),
    Written(Place),
}

/// What became of a question.
pub enum Asked {
    /// It is new.
    New,
    /// It is on its way.
    Awaited,
    /// It is answered.
    Answered(Answer),
}

impl Answers {
    /// Answers are read back from this file, the evidence of the run.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_from(&self, path: &Path) -> std::io::Result<()> {
        let lines = Lines::open(path)?;
        // A run has one.
        let _ = self.lines.set(lines);
        Ok(())
    }

    /// The answer to a question; one that is new is awaited from now on.
    pub fn ask(&self, key: &Key) -> Asked {
        let mut known = self.known();
        let Some(state) = known.answers.get(key).cloned() else {
            known.answers.insert(*key, State::Awaited);
            return Asked::New;
        };
        drop(known);
        self.read(key, state).map_or(Asked::Awaited, Asked::Answered)
    }

    /// The answer to a question; `None` where there is none.
    pub fn get(&self, key: &Key) -> Option<Answer> {
        let state = self.known().answers.get(key).cloned()?;
        self.read(key, state)
    }

    fn read(&self, key: &Key, state: State) -> Option<Answer> {
        match state {
            State::Awaited => None,
            State::Failed(why) => Some(Err(why.to_string())),
            State::Held(reply) => Some(Ok(Reply::clone(&reply))),
            State::Written(place) => {
                // What is written is written to a file that was opened.
                let lines = self.lines.get()?;
                Some(lines.read(key, place).map(|line| line.answered.reply))
            }
        }
    }

    /// Forgets all of them.
    pub fn forget(&self) {
        *self.known() = Known::default();
    }

    /// Keeps an answer, and where it was written as it is.
    pub fn put(&self, key: Key, answer: Result<(Reply, Option<Place>), String>) {
        self.put_within(key, answer, MOST_HELD);
    }

    fn put_within(&self, key: Key, answer: Result<(Reply, Option<Place>), String>, most: usize) {
        let mut known = self.known();
        let state = match answer {
            Err(why) => {
                let why: Arc<str> = why.into();
                let same = known.failures.get(&why).cloned();
                State::Failed(same.unwrap_or_else(|| {
                    known.failures.insert(why.clone());
                    why
                }))
            }
            Ok((reply, place)) => {
                let size = size(&reply);
                match place.filter(|_| self.lines.get().is_some() && known.held + size > most) {
                    Some(place) => State::Written(place),
                    None => {
                        known.held += size;
                        State::Held(reply.into())
                    }
                }
            }
        };
        known.answers.insert(key, state);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// About how many bytes of memory a reply takes.
fn size(reply: &Reply) -> usize {
    size_of::<Reply>()
        + match reply {
            Reply::Line(text) => text.len(),
            Reply::Said(Said { text, model, odds }) => text.len() + model.len() + 64 * odds.len(),
            Reply::Vector(vector) => size_of_val(&vector[..]),
        }
}

#[cfg(test)]
mod tests {
    use super::super::answered::{Answered, Source};
    use super::super::journal::{FILE_NAME, Journal};
    use super::*;
    use crate::redact::Redactor;

    fn reply(i: u8) -> Reply {
        Reply::Said(Said { text: format!("answer {i}"), odds: [("pass".to_owned(), 0.75)].into(), ..Said::default() })
    }

    #[test]
    fn what_does_not_stay_in_memory_is_read_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path()).unwrap();
        let answers = Answers::default();
        answers.read_from(&dir.path().join(FILE_NAME)).unwrap();
        let most = 3 * size(&reply(0));
        for i in 0..10 {
            let key = Key([i; 32]);
            assert!(matches!(answers.ask(&key), Asked::New) && matches!(answers.ask(&key), Asked::Awaited));
            let answered = Answered { reply: reply(i), usage: None, cost: None };
            let place =
                journal.put(&key, "j", Source::Asked, false, None, &Redactor::default().pass(&answered)).unwrap();
            answers.put_within(key, Ok((reply(i), Some(place))), most);
        }
        for i in 0..10 {
            assert_eq!(answers.get(&Key([i; 32])), Some(Ok(reply(i))), "{i}");
        }
        assert_eq!(answers.known().held, most);
        assert_eq!(answers.get(&Key([77; 32])), None);
        // What redaction hid is in no file, and stays.
        answers.put_within(Key([20; 32]), Ok((reply(20), None)), 0);
        std::fs::write(dir.path().join(FILE_NAME), "").unwrap();
        assert_eq!(answers.get(&Key([20; 32])), Some(Ok(reply(20))));
        assert_eq!(answers.get(&Key([0; 32])), Some(Ok(reply(0))));
        assert!(answers.get(&Key([9; 32])).unwrap().unwrap_err().contains("cannot be read back"));
    }

    #[test]
    fn the_same_failure_is_held_once() {
        let answers = Answers::default();
        for i in 0..9 {
            answers.put(Key([i; 32]), Err("HTTP 503".to_owned()));
        }
        assert_eq!(answers.known().failures.len(), 1);
        assert_eq!(answers.get(&Key([8; 32])), Some(Err("HTTP 503".to_owned())));
    }
}
