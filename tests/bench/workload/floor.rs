//! The floors under a run: the same bytes through the same reader on as many threads, and nothing but decoded.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use seatrial::formats::Decode;
use seatrial::model::Text;
use seatrial::model::json::Texts;
use seatrial::sources::reader::Reader;
use seatrial::sources::{Batch, Element, ReadOptions, RecordedFile};
use serde::Deserialize;
use serde_json::Value;

/// What is done with each session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Floor {
    /// serde_json into typed structs that borrow what they can: what the workload is measured against.
    Typed,
    /// seatrial's own decoder, up to sessions of turns of spans; it leaves JSON within the recording as it is.
    Sessions,
}

impl Floor {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Typed, Self::Sessions];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Typed => "typed",
            Self::Sessions => "sessions",
        }
    }

    /// Reads a file on `jobs` threads; how many sessions it holds.
    pub fn run(self, path: &Path, jobs: usize) -> io::Result<u64> {
        let file = RecordedFile { path: path.to_owned(), name: path.display().to_string() };
        let source = Mutex::new((Reader::new(vec![file], ReadOptions::default()), Vec::<Vec<u8>>::new()));
        let sessions = AtomicU64::new(0);
        let work = || -> io::Result<()> {
            let mut texts = Texts::default();
            loop {
                let batch = {
                    let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
                    let buffer = source.1.pop().unwrap_or_default();
                    let Some(batch) = source.0.next(buffer) else { return Ok(()) };
                    batch
                };
                for element in &batch.elements {
                    texts.clear();
                    self.decode(&batch, element, &texts)?;
                }
                sessions.fetch_add(batch.elements.len() as u64, Ordering::Relaxed);
                source.lock().unwrap_or_else(PoisonError::into_inner).1.push(batch.buffer);
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        Ok(sessions.into_inner())
    }

    fn decode(self, batch: &Batch, element: &Element, texts: &Texts) -> io::Result<()> {
        let range = element.content.clone().map_err(|problem| io::Error::other(problem.message))?;
        let bytes = &batch.buffer[range];
        match (self, &batch.decoder) {
            (Self::Typed, _) => {
                std::hint::black_box(serde_json::from_slice::<Trial<'_>>(bytes)?);
            }
            (Self::Sessions, Some(Decode::Sessions(decoder))) => {
                let session = decoder.decode_in(bytes, texts, element.index, &batch.stem);
                std::hint::black_box(session.map_err(|problem| io::Error::other(problem.message))?);
            }
            (Self::Sessions, _) => return Err(io::Error::other("no format of sessions")),
        }
        Ok(())
    }
}

/// A trial of tau-bench, as serde derives it.
#[derive(Deserialize)]
#[expect(dead_code, reason = "it is parsed, and nothing else")]
struct Trial<'a> {
    task_id: u64,
    trial: u64,
    reward: f64,
    #[serde(borrow)]
    info: Info<'a>,
    #[serde(borrow)]
    traj: Vec<Message<'a>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "it is parsed, and nothing else")]
struct Info<'a> {
    #[serde(borrow)]
    task: Task<'a>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "it is parsed, and nothing else")]
struct Task<'a> {
    #[serde(borrow)]
    user_id: Text<'a>,
    #[serde(borrow)]
    actions: Vec<Action<'a>>,
    #[serde(borrow)]
    instruction: Text<'a>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "it is parsed, and nothing else")]
struct Action<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    kwargs: Value,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "it is parsed, and nothing else")]
struct Message<'a> {
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<Call<'a>>>,
    #[serde(borrow, default)]
    tool_call_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "it is parsed, and nothing else")]
struct Call<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    function: Function<'a>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "it is parsed, and nothing else")]
struct Function<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    arguments: Text<'a>,
}
