//! Sessions that are judged elsewhere than where they are read: what is sent there, what is done with it, and what the
//! answer becomes. The record is the same as if they had been judged here.
//!
//! What is sent are the bytes of whole elements with the recipe of their decoder; what comes back is, for each, its line
//! of the record, or why it is left out. Whoever reads says where things stood and commits in the order of the run.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use super::element::Room;
use super::element::{self, Done, Item};
use super::engine::{Early, Job};
use crate::eval::event::SessionEvent;
use crate::eval::row::Row;
use crate::formats::Decode;
use crate::model::Problem;
use crate::model::json::Texts;
use crate::redact::Redacted;
use crate::sources::Batch;
use crate::sources::recipe::Recipe;
use crate::store::{kept, record};

/// Elements of one file that are judged elsewhere.
#[derive(Debug, Clone)]
pub struct Portion<'p> {
    /// How they are decoded.
    pub recipe: &'p Recipe,
    /// The file's name without folders and extensions, for sessions without an id.
    pub stem: &'p str,
    /// The file's position in the run.
    pub file: u32,
    /// When the run began, in nanoseconds since the Unix epoch.
    pub now_ns: u64,
    /// How many more sessions may be kept.
    pub room: Room,
    /// The position of each in its file, and its bytes.
    pub elements: Vec<(u64, &'p [u8])>,
    /// Why nobody judges them any more: every verdict is then an error that says so.
    pub given_up: Option<String>,
}

/// What is said of an element.
pub enum Said {
    /// It was judged.
    Session {
        /// Its line of the record.
        line: Vec<u8>,
        /// The session as it is kept, where it is one to keep.
        kept: Option<kept::Entry>,
    },
    /// It is left out.
    LeftOut {
        /// The session's id, where it could be read.
        id: Option<String>,
        /// Why.
        problem: Problem,
    },
}

/// What is said of a portion.
#[derive(Default)]
pub struct Answer {
    /// Of each element, in their order.
    pub said: Vec<Said>,
    /// The tools that its sessions name.
    pub tools: Vec<String>,
    /// A check or a decoder panicked.
    pub panicked: bool,
}

/// Those who judge elsewhere.
pub trait Crew: Sync {
    /// Has a portion judged; waits until it is.
    ///
    /// # Errors
    /// Why the run ends here.
    fn judge(&self, portion: &Portion<'_>) -> Result<Answer, Early>;
}

/// Judges a portion, where it was sent. The job has no files.
pub fn answer(job: &Job<'_>, portion: &Portion<'_>, decoder: &Decode) -> Answer {
    let (mut answer, mut tools, mut texts) = (Answer::default(), BTreeSet::new(), Texts::default());
    for (index, bytes) in &portion.elements {
        let mut done = Done::default();
        texts.clear();
        let judged = catch_unwind(AssertUnwindSafe(|| {
            let decoded = decoder.decode_in(bytes, &texts, *index, portion.stem);
            let session = decoded.map_err(|problem| (None, problem))?;
            element::whole(job, &session, (portion.file, *index), &mut tools, portion.room, &mut true, &mut done)
        }));
        answer.panicked |= done.panicked | judged.is_err();
        answer.tools.append(&mut done.tools);
        answer.said.push(match (judged, done.items.pop()) {
            (Ok(Ok(())), Some(Item::Session { line, kept, .. })) => {
                Said::Session { line: done.lines[line].to_vec(), kept: kept.map(|kept| kept.into_inner()) }
            }
            (Ok(Err((id, problem))), _) => Said::LeftOut { id, problem },
            _ => Said::LeftOut { id: None, problem: element::panicked() },
        });
    }
    answer
}

/// Has the elements of a batch judged elsewhere.
pub(super) fn process(job: &Job<'_>, batch: &Batch, crew: &dyn Crew, room: Room) -> Result<Done, Early> {
    let mut done = Done { file: batch.file, bytes: batch.read, ..Done::default() };
    let elements: Vec<(u64, &[u8])> = batch
        .elements
        .iter()
        .filter_map(|element| Some((element.index, &batch.buffer[element.content.clone().ok()?])))
        .collect();
    let mut said = Vec::new().into_iter();
    if !elements.is_empty() {
        let recipe = batch.recipe.as_deref();
        let recipe = recipe.ok_or_else(|| bug("a batch came without the recipe of its decoder"))?;
        let (wanted, stem, file, now_ns) = (elements.len(), &*batch.stem, batch.file, job.now_ns);
        let answer = crew.judge(&Portion { recipe, stem, file, now_ns, room, elements, given_up: None })?;
        if answer.said.len() != wanted {
            return Err(bug("a worker answered for another number of sessions than it was sent"));
        }
        done.tools = answer.tools;
        done.panicked = answer.panicked;
        said = answer.said.into_iter();
    }
    for element in &batch.elements {
        let left = match &element.content {
            Err(problem) => (None, problem.clone()),
            Ok(_) => match said.next() {
                Some(Said::Session { line, kept }) => {
                    take(job, (batch.file, element.index), &line, kept, &mut done)?;
                    continue;
                }
                Some(Said::LeftOut { id, problem }) => (id, problem),
                None => return Err(bug("a worker did not answer for every session")),
            },
        };
        element::leave_out(job, batch.file, element, left, &mut done);
    }
    Ok(done)
}

/// Takes over the line of a session.
fn take(job: &Job<'_>, at: (u32, u64), line: &[u8], kept: Option<kept::Entry>, done: &mut Done) -> Result<(), Early> {
    let event: SessionEvent<'_> = serde_json::from_slice(line)
        .map_err(|why| bug(&format!("a worker answered with a line that is none: {why}")))?;
    let is_line = line.starts_with(b"{\"event\":\"session\",") && memchr::memchr(b'\n', line) == Some(line.len() - 1);
    if event.suite != job.index || event.at != at || !is_line {
        return Err(bug("a worker answered with the line of another session"));
    }
    let row = Box::new(Row::of(&event));
    let start = done.lines.len();
    done.lines.extend_from_slice(line);
    let kept = kept.map(|entry| Box::new(Redacted::drawn(entry)));
    let event = match job.live {
        true => {
            let details = record::details(&event).map_err(Early::Write)?;
            // It went through the rules where it was made.
            Some(Box::new(Redacted::drawn(crate::report::live::Written { event: event.into_owned(), details })))
        }
        false => None,
    };
    done.items.push(Item::Session { row, line: start..done.lines.len(), kept, event });
    Ok(())
}

fn bug(what: &str) -> Early {
    Early::Crew(format!("a bug in seatrial: {what}"))
}
