//! What is asked of a worker, and what it answers: a portion of sessions under a suite, both by their digests.

use serde::{Deserialize, Serialize};

use super::frame::{self, Frame, Unreadable};
use crate::model::Problem;
use crate::model::digest::Digest;
use crate::run::apart::{Answer, Portion, Room, Said};
use crate::sources::recipe::Recipe;
use crate::store::against::Against;
use crate::store::kept;

/// What is asked, beside the sessions themselves.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// Who asks: a run, or who watches.
    pub run: String,
    /// Which of its portions this is; with the run, the name of the answer.
    pub key: String,
    /// The version of seatrial that asks.
    pub version: String,
    /// The bundle of the suite.
    pub suite: Digest,
    /// Position of the suite in the run.
    pub index: u32,
    /// See [`Portion`].
    pub now_ns: u64,
    /// Which sessions are kept whole.
    pub keep: crate::eval::keep::Keep,
    /// How often it is handed out before it is given up.
    pub tries: u32,
    /// Where the answer goes.
    pub reply: String,
    /// How its elements are decoded.
    pub recipe: Digest,
    /// See [`Portion`].
    pub stem: String,
    /// See [`Portion`].
    pub file: u32,
    /// See [`Portion`].
    pub room: Room,
    /// See [`Portion`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<String>,
    /// The position of each element in its file.
    pub elements: Vec<u64>,
}

impl Task {
    /// The task as a message.
    ///
    /// # Errors
    /// It is larger than a message may be.
    pub fn pack(&self, portion: &Portion<'_>) -> Result<Vec<u8>, Unreadable> {
        let parts: Vec<&[u8]> = portion.elements.iter().map(|(_, bytes)| *bytes).collect();
        frame::pack(self, &parts)
    }

    /// The portion that a message asks for.
    ///
    /// # Errors
    /// It holds another number of elements than it says.
    pub fn portion<'p>(&self, frame: &'p Frame, recipe: &'p Recipe, stem: &'p str) -> Result<Portion<'p>, Unreadable> {
        let each = self.elements.iter().enumerate();
        let elements = each.map(|(i, index)| Ok((*index, frame.part(i)?))).collect::<Result<_, Unreadable>>()?;
        let (file, now_ns, room, given_up) = (self.file, self.now_ns, self.room, self.given_up.clone());
        Ok(Portion { recipe, stem, file, now_ns, room, elements, given_up })
    }
}

/// What became of a task.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Head {
    /// It was done.
    Done {
        /// Of each element.
        said: Vec<Of>,
        tools: Vec<String>,
        panicked: bool,
    },
    /// It was handed out as often as it may be, and nobody answered.
    Dead { why: String },
    /// It cannot be done by this worker, and must not be done otherwise.
    Refused { why: String },
}

/// What is said of an element. Lines and kept sessions are parts of the message.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Of {
    Session { kept: Option<Kept> },
    LeftOut { id: Option<String>, problem: Problem },
}

/// A kept session but for its bytes.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    passed: bool,
    review: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    against: Vec<Against>,
}

/// What became of a task.
pub enum Became {
    /// It was done.
    Done(Answer),
    /// It was handed out as often as it may be, and nobody answered.
    Dead(String),
    /// A worker refuses it.
    Refused(String),
}

impl Became {
    /// As a message.
    ///
    /// # Errors
    /// It is larger than a message may be.
    pub fn pack(self) -> Result<Vec<u8>, Unreadable> {
        let answer = match self {
            Self::Dead(why) => return frame::pack(&Head::Dead { why }, &[]),
            Self::Refused(why) => return frame::pack(&Head::Refused { why }, &[]),
            Self::Done(answer) => answer,
        };
        let (mut said, mut parts) = (Vec::new(), Vec::new());
        for each in answer.said {
            said.push(match each {
                Said::LeftOut { id, problem } => Of::LeftOut { id, problem },
                Said::Session { line, kept } => {
                    parts.push(line);
                    let kept = kept.map(|kept::Entry { packed, passed, review, against }| {
                        parts.push(packed);
                        Kept { passed, review, against }
                    });
                    Of::Session { kept }
                }
            });
        }
        let head = Head::Done { said, tools: answer.tools, panicked: answer.panicked };
        frame::pack(&head, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// Reads a message.
    ///
    /// # Errors
    /// It is none.
    pub fn unpack(message: &[u8]) -> Result<Self, Unreadable> {
        let frame = Frame::unpack(message)?;
        let (all, tools, panicked) = match frame.head()? {
            Head::Dead { why } => return Ok(Self::Dead(why)),
            Head::Refused { why } => return Ok(Self::Refused(why)),
            Head::Done { said, tools, panicked } => (said, tools, panicked),
        };
        let (mut said, mut at) = (Vec::with_capacity(all.len()), 0..);
        let mut part = || frame.part(at.next().unwrap_or(usize::MAX)).map(<[u8]>::to_vec);
        for each in all {
            said.push(match each {
                Of::LeftOut { id, problem } => Said::LeftOut { id, problem },
                Of::Session { kept } => {
                    let line = part()?;
                    let kept = match kept {
                        None => None,
                        Some(Kept { passed, review, against }) => {
                            Some(kept::Entry { packed: part()?, passed, review, against })
                        }
                    };
                    Said::Session { line, kept }
                }
            });
        }
        Ok(Self::Done(Answer { said, tools, panicked }))
    }
}

/// A recipe as a message, which is kept under its digest: files share it, and it may be large.
///
/// # Errors
/// It is larger than a message may be.
pub fn pack_recipe(recipe: &Recipe) -> Result<Vec<u8>, Unreadable> {
    match recipe {
        Recipe::Assembled { session_attribute } => {
            let head = How::Assembled { session_attribute: session_attribute.clone() };
            frame::pack(&head, &[])
        }
        Recipe::Format { name, headers } => {
            let there = headers.iter().map(Option::is_some).collect();
            let parts: Vec<&[u8]> = headers.iter().flatten().map(Vec::as_slice).collect();
            frame::pack(&How::Format { name: name.clone(), headers: there }, &parts)
        }
    }
}

/// Reads a recipe.
///
/// # Errors
/// It is none.
pub fn unpack_recipe(message: &[u8]) -> Result<Recipe, Unreadable> {
    let frame = Frame::unpack(message)?;
    match frame.head()? {
        How::Assembled { session_attribute } => Ok(Recipe::Assembled { session_attribute }),
        How::Format { name, headers } => {
            let mut at = 0..;
            let mut part = || frame.part(at.next().unwrap_or(usize::MAX)).map(<[u8]>::to_vec);
            let headers = headers.into_iter().map(|there| there.then(&mut part).transpose());
            Ok(Recipe::Format { name, headers: headers.collect::<Result<_, _>>()? })
        }
    }
}

/// A recipe but for its headers, of which it says which are there.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum How {
    Format { name: String, headers: Vec<bool> },
    Assembled { session_attribute: Option<String> },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LeftOut;

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let kept = kept::Entry { packed: b"zipped".to_vec(), passed: true, review: false, against: Vec::new() };
        let said = vec![
            Said::Session { line: b"{}\n".to_vec(), kept: None },
            Said::LeftOut { id: Some("b".to_owned()), problem: Problem::new(LeftOut::Stale, "old").at(7) },
            Said::Session { line: b"{ }\n".to_vec(), kept: Some(kept) },
        ];
        let answer = Answer { said, tools: vec!["t".to_owned()], panicked: true };
        let Became::Done(again) = Became::unpack(&Became::Done(answer).pack().unwrap()).unwrap() else { panic!() };
        assert_eq!((again.tools, again.panicked, again.said.len()), (vec!["t".to_owned()], true, 3));
        let Said::Session { line, kept: Some(kept) } = &again.said[2] else { panic!() };
        assert_eq!((line.as_slice(), kept.packed.as_slice(), kept.passed), (&b"{ }\n"[..], &b"zipped"[..], true));
        let Said::LeftOut { id, problem } = &again.said[1] else { panic!() };
        assert_eq!((id.as_deref(), problem.offset), (Some("b"), Some(7)));
    }

    #[test]
    fn a_recipe_is_read_as_it_was_written() {
        let headers = vec![Some(b"[1]".to_vec()), None, Some(b"{\xff}".to_vec())];
        for recipe in [
            Recipe::Format { name: "tau2-bench".to_owned(), headers },
            Recipe::Assembled { session_attribute: Some("x".to_owned()) },
        ] {
            assert_eq!(unpack_recipe(&pack_recipe(&recipe).unwrap()).unwrap(), recipe);
        }
    }
}
