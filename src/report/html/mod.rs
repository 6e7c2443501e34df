//! `index.html`: one file that opens offline and asks nobody. The decision on top, then what failed; for each session
//! that was kept its transcript and waterfall with every verdict beside what it points at.
//!
//! [`page`] is what is compiled in, [`parts`] what of it other pages use too, [`embed`] how data gets into it, [`rows`] the list, [`difference`] expected against
//! actual; the files in `page/` are the program that a browser runs. A drawing holds a few hundred sessions: a page of more
//! leaves room for what stands above them, the decision ([`super::above`]).

pub mod difference;
pub mod embed;
mod page;
pub mod pages;
pub mod parts;
mod rows;

use std::io::{self, Write};

use serde::Serialize;

use super::above::Above;
use super::late::Late;
use super::{Drawn, Kept, Line, Sink};
use crate::eval::calibration;
use crate::eval::event::{BaselineEvent, LeftOutEvent, Plan, SuiteEnd};
use crate::eval::facts::Facts;
use crate::model::json;
use crate::store::against::Against;
use crate::store::record;
use difference::Difference;
use embed::Page;
pub use embed::escape;
use rows::Rows;

/// Most bytes of details and comparisons that a chunk gathers before it is written.
const CHUNK_BYTES: usize = 1 << 20;
/// Bytes that a long page leaves for the decision with its reasons, and for what the run set out to do.
const ROOM: usize = 96 << 10;
/// Most of what was left out that is listed, by suite.
const MAX_LEFT_OUT: usize = 1000;
/// Most transcripts that are embedded: of sessions that did not pass, and of those that did.
const MAX_TRANSCRIPTS: [u64; 2] = [500, 100];
/// Most bytes of packed transcripts: of sessions that did not pass, and of those that did.
const MAX_TRANSCRIPT_BYTES: [u64; 2] = [12 << 20, 4 << 20];

/// Draws a run as a page.
pub struct Html {
    page: Page<Above>,
    /// The suite that is drawn.
    suite: usize,
    /// Its sessions so far, and chunks.
    sessions: usize,
    chunks: usize,
    rows: Rows,
    details: Vec<u8>,
    /// Expected against actual, by position in the chunk, of those whose transcript is embedded: each packed by itself
    /// would take longer than all of them.
    against: Vec<u8>,
    left_out: LeftOut,
    /// By suite: they stand before all sessions.
    baselines: Vec<usize>,
    embedded: [Count; 2],
    suites: Vec<SuiteTail>,
}

/// How many transcripts are embedded.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Count {
    /// Kept beside the record.
    kept: u64,
    /// Embedded in the page.
    embedded: u64,
    /// Their packed bytes.
    #[serde(skip)]
    bytes: u64,
}

/// What was left out of a suite; as much as is listed.
#[derive(Debug, Default, Serialize)]
struct LeftOut {
    listed: Vec<LeftOutEvent>,
    more: u64,
}

/// What is known of a suite when its sessions are over.
#[derive(Debug, Serialize)]
struct SuiteTail {
    sessions: usize,
    chunks: usize,
    left_out: LeftOut,
    /// Earlier runs that it is compared with.
    baselines: usize,
}

/// The same with what its end says.
#[derive(Debug, Serialize)]
struct SuiteClosed<'e> {
    #[serde(flatten)]
    tail: &'e SuiteTail,
    /// The files; ordinals refer to them.
    files: &'e [String],
    /// Sessions were put together, and the file of an ordinal may not be all that they lie in.
    put_together: bool,
}

/// What the page knows before its sessions.
#[derive(Serialize)]
struct Head<'d> {
    plan: &'d Plan,
    summary: &'d super::RunSummary,
    facts: [&'static str; 6],
}

/// What the page knows after them.
#[derive(Serialize)]
struct Tail<'t> {
    suites: Vec<SuiteClosed<'t>>,
    /// Transcripts: of sessions that did not pass, and of those that did.
    transcripts: [Count; 2],
}

impl Html {
    /// A page of a run with so many suites, to be written to `out`.
    pub fn new(suites: usize, out: Late) -> io::Result<Self> {
        Ok(Self {
            page: Page::new(Above::new(out, ROOM)),
            suite: 0,
            sessions: 0,
            chunks: 0,
            rows: Rows::default(),
            details: Vec::new(),
            against: Vec::new(),
            left_out: LeftOut::default(),
            baselines: vec![0; suites],
            embedded: [Count::default(); 2],
            suites: Vec::new(),
        })
    }

    /// Writes the rows gathered so far.
    fn flush(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let (suite, chunk) = (self.suite, self.chunks);
        self.chunks += 1;
        self.page.packed(format!("rows-{suite}-{chunk}"), json::to_vec(&std::mem::take(&mut self.rows))?)?;
        self.details.push(b']');
        // The next chunk is about as long.
        let next = Vec::with_capacity(self.details.len() + self.details.len() / 8);
        self.page.packed(format!("details-{suite}-{chunk}"), std::mem::replace(&mut self.details, next))?;
        if self.against.is_empty() {
            return Ok(());
        }
        self.against.push(b'}');
        self.page.packed(format!("against-{suite}-{chunk}"), std::mem::take(&mut self.against))
    }

    /// Embeds a session's transcript where it was kept and there is room; whether it was.
    fn transcript(&mut self, kept: Option<&mut Kept<'_>>) -> io::Result<bool> {
        let Some(kept) = kept else { return Ok(false) };
        let which = usize::from(kept.passed);
        let count = &mut self.embedded[which];
        count.kept += 1;
        if count.embedded >= MAX_TRANSCRIPTS[which] || count.bytes + kept.bytes > MAX_TRANSCRIPT_BYTES[which] {
            return Ok(false);
        }
        count.embedded += 1;
        count.bytes += kept.bytes;
        let name = format!("{}-{}", self.suite, self.sessions);
        self.page.gzip(format!("session-{name}"), (kept.packed)()?)?;
        self.against(kept.against)?;
        Ok(true)
    }

    fn against(&mut self, against: &[Against]) -> io::Result<()> {
        if against.is_empty() {
            return Ok(());
        }
        let drawn: Vec<_> = against.iter().map(Difference::of).collect();
        let open = if self.against.is_empty() { '{' } else { ',' };
        write!(self.against, "{open}\"{}\":", self.rows.len())?;
        Ok(json::write(&drawn, &mut self.against)?)
    }

    fn close_suite(&mut self) -> io::Result<()> {
        self.flush()?;
        self.suites.push(SuiteTail {
            sessions: std::mem::take(&mut self.sessions),
            chunks: std::mem::take(&mut self.chunks),
            left_out: std::mem::take(&mut self.left_out),
            baselines: self.baselines.get(self.suite).copied().unwrap_or_default(),
        });
        Ok(())
    }
}

impl Sink for Html {
    fn suite(&mut self, index: usize) -> io::Result<()> {
        if index > 0 {
            self.close_suite()?;
        }
        self.suite = index;
        Ok(())
    }

    fn session(&mut self, line: &Line<'_>, kept: Option<&mut Kept<'_>>) -> io::Result<()> {
        let embedded = self.transcript(kept)?;
        self.rows.push(line.event, embedded);
        self.details.push(if self.details.is_empty() { b'[' } else { b',' });
        match line.details {
            Some(details) => self.details.extend_from_slice(details),
            None => self.details.extend_from_slice(&record::details(line.event)?),
        }
        self.sessions += 1;
        let bytes = self.details.len() + self.against.len();
        if self.rows.len() >= rows::CHUNK || bytes > CHUNK_BYTES { self.flush() } else { Ok(()) }
    }

    fn left_out(&mut self, event: &LeftOutEvent) -> io::Result<()> {
        if self.left_out.listed.len() < MAX_LEFT_OUT {
            self.left_out.listed.push(event.clone());
        } else {
            self.left_out.more += 1;
        }
        Ok(())
    }

    fn baseline(&mut self, event: &BaselineEvent) -> io::Result<()> {
        // The rule says in words what labels there are; the page compares runs.
        if event.name == calibration::NAME {
            return Ok(());
        }
        let Some(count) = self.baselines.get_mut(event.suite as usize) else { return Ok(()) };
        let id = format!("baseline-{}-{count}", event.suite);
        *count += 1;
        self.page.packed(id, json::to_vec(event)?)
    }

    fn end(&mut self, drawn: Drawn<'_>, ends: &[Option<&SuiteEnd>]) -> io::Result<()> {
        if !drawn.plan.suites.is_empty() {
            self.close_suite()?;
        }
        let mut sessions = self.page.end()?;
        let mut above = page::head(drawn).into_bytes();
        let head = Head { plan: drawn.plan, summary: drawn.summary, facts: Facts::NAMES };
        embed::plain("run", &json::to_vec(&head)?, &mut above)?;
        sessions.begin(above)?;
        let out = sessions.file();
        let closed = self.suites.iter().enumerate().map(|(index, tail)| {
            let end = ends.get(index).copied().flatten();
            SuiteClosed {
                tail,
                files: end.map_or(&[], |e| &e.files),
                put_together: end.is_some_and(|e| e.put_together),
            }
        });
        let tail = Tail { suites: closed.collect(), transcripts: self.embedded };
        embed::plain("tail", &json::to_vec(&tail)?, out)?;
        out.write_all(page::tail().as_bytes())?;
        out.end()
    }
}
