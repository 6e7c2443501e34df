//! What a run leaves behind: its folder, the record from the first line to the last, the reports, and what it prints.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use super::resume::Resumed;
use super::{folder, reports};
use crate::cli::context::{Context, Failure};
use crate::cli::left;
use crate::eval::event::{BaselineEvent, Finished, Header, Plan, SCHEMA, Started, SuiteEnd};
use crate::eval::exit;
use crate::eval::gate::SuiteSummary;
use crate::redact::{Redact, Redacted, Redactor, With};
use crate::report::gathered::Gathered;
use crate::report::live::Live;
use crate::report::terminal::Terminal;
use crate::report::{Drawn, RunSummary, github, json};
use crate::run::past::{Known, Past};
use crate::store::record;
use crate::store::writer::Writer;

/// The folder of a run in progress, and its record.
pub struct Output {
    /// The run's id, which names its folder.
    pub id: String,
    /// Its folder.
    pub dir: PathBuf,
    /// The record, open at its end.
    pub record: Writer,
    /// What the run set out to do.
    pub plan: Plan,
    /// The rules that everything written goes through.
    pub redactor: Redactor,
    /// Reports that are drawn while the run goes on.
    pub live: Option<Live>,
    began: Instant,
}

/// What is printed of a run.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// One machine-readable line instead of the report.
    pub json: bool,
    /// Checks that passed, too.
    pub verbose: bool,
    /// Annotations of a workflow of GitHub after the report.
    pub github: bool,
}

/// How a run ended.
pub struct Ended {
    /// What was decided of each suite.
    pub suites: Vec<SuiteSummary>,
    /// The end of each suite's sessions; `None` where the run stopped before it.
    pub ends: Vec<Option<SuiteEnd>>,
    /// Why the run ended before its end.
    pub stopped: Option<String>,
    /// A panic was caught.
    pub bug: bool,
}

impl Output {
    /// Makes the run's folder and writes the head of its record. The runs that it is compared with stand before the plan: a
    /// record that has its plan has them all, too.
    pub fn begin(
        context: &Context,
        plan: Plan,
        redactor: Redactor,
        baselines: &[Redacted<BaselineEvent>],
        now: jiff::Timestamp,
    ) -> Result<Self, Failure> {
        let began = Instant::now();
        let out = context.cwd.join(&context.settings.out.value);
        let (id, dir) = folder::make(&out, now).map_err(|e| Failure::write(&out.display().to_string(), &e))?;
        let path = dir.join("run.jsonl");
        let cannot = |e: io::Error| Failure::write(&path.display().to_string(), &e);
        let mut record = Writer::create(&path).map_err(cannot)?;
        let header = Header { schema: SCHEMA, min_reader: SCHEMA, seatrial: env!("CARGO_PKG_VERSION").to_owned() };
        let started = Started {
            run: id.clone(),
            at: now.to_string(),
            args: std::env::args().collect(),
            jobs: context.settings.jobs.value,
        };
        let plan = redactor.pass(&plan).map(Cow::into_owned);
        let mut head = Vec::new();
        record::event(&mut head, "record", &redactor.pass(&header))
            .and_then(|()| record::volatile(&mut head, "started", &redactor.pass(&started)))
            .and_then(|()| baselines.iter().try_for_each(|b| record::event(&mut head, "baseline", b)))
            .and_then(|()| record::event(&mut head, "plan", &plan))
            .and_then(|()| record.write_all(&head))
            .map_err(cannot)?;
        Ok(Self { id, dir, record, plan: plan.into_inner(), redactor, live: None, began })
    }

    /// Continues a run: what is recorded stays as it is.
    pub fn resume(context: &Context, resumed: Resumed, redactor: Redactor) -> Result<(Self, Past, Known), Failure> {
        #[derive(Clone, serde::Serialize)]
        struct Again {
            at: String,
            args: Vec<String>,
            jobs: usize,
            sessions: usize,
        }
        impl Redact for Again {
            fn redact(&mut self, with: &With<'_>) {
                self.args.redact(with);
            }
        }
        let Resumed { dir, started, plan, mut record, past, known, .. } = resumed;
        let again = Again {
            at: jiff::Timestamp::now().to_string(),
            args: std::env::args().collect(),
            jobs: context.settings.jobs.value,
            sessions: known.sessions(),
        };
        let mut line = Vec::new();
        record::volatile(&mut line, "resumed", &redactor.pass(&again))
            .map_err(|e| Failure::write(&dir.display().to_string(), &e))?;
        record.after(known.whole, line);
        let output = Self { id: started.run, dir, record, plan, redactor, live: None, began: Instant::now() };
        Ok((output, past, known))
    }

    /// Ends the record, draws the reports and says the exit code.
    pub fn close(mut self, context: &Context, shown: Shown, ended: Ended) -> Result<u8, Failure> {
        let Ended { suites, ends, mut stopped, bug } = ended;
        let decide = |stopped: &Option<String>| {
            let incomplete = stopped.as_deref().is_some_and(|why| why != exit::FAIL_FAST);
            exit::code(suites.iter().map(|s| s.decision), incomplete, bug)
        };
        let mut code = decide(&stopped);
        if let Err(why) = self.finished(code, stopped.clone()) {
            stopped = Some(format!("the record could not be written: {why}"));
            code = decide(&stopped);
        }
        let mut summary = RunSummary {
            schema: 1,
            run: self.id.clone(),
            seatrial: env!("CARGO_PKG_VERSION").to_owned(),
            exit_code: code,
            partial: self.plan.is_partial(),
            stopped,
            labels: None,
            suites,
        };
        self.reports(context, shown, &mut summary, &ends)
    }

    /// Writes the last line of the record; a later one replaces an earlier.
    fn finished(&mut self, exit_code: u8, stopped: Option<String>) -> io::Result<()> {
        let finished = Finished {
            at: jiff::Timestamp::now().to_string(),
            seconds: self.began.elapsed().as_secs_f64(),
            exit_code,
            stopped,
        };
        let mut last = Vec::new();
        record::volatile(&mut last, "finished", &self.redactor.pass(&finished))?;
        self.record.write_all(&last)
    }

    /// Leaves the run in the store, where it is to be. When that fails nothing else is lost: the record and the reports are
    /// there, and `seatrial review add` does it again.
    fn store(&self, context: &Context, summary: &mut RunSummary) {
        let why = match left::leave(&self.dir, &self.plan, summary, context) {
            Ok(told) => return told.into_iter().for_each(|told| context.note(&format!("seatrial: {told}\n"))),
            Err(failure) => failure.message.trim().trim_start_matches("seatrial: ").to_owned(),
        };
        let place = folder::display(&self.dir, &context.cwd);
        let code = if summary.exit_code == exit::BUG { exit::BUG } else { exit::INCOMPLETE };
        summary.exit_code = code;
        summary.stopped =
            Some(format!("the run is not in the store: {why}; `seatrial review add {place}` does that again"));
        // The record is whole, and says so.
        let _ = reports::write_summary(&self.dir, summary);
    }

    fn reports(
        &mut self,
        context: &Context,
        shown: Shown,
        summary: &mut RunSummary,
        ends: &[Option<SuiteEnd>],
    ) -> Result<u8, Failure> {
        let copy = |path: &Option<PathBuf>| path.as_ref().map(|p| context.cwd.join(p));
        let settings = &context.settings;
        let copies = reports::Copies { junit: copy(&settings.junit.value), html: copy(&settings.html.value) };
        let ends: Vec<_> = ends.iter().map(Option::as_ref).collect();
        let drawn = Drawn { plan: &self.plan, summary: &*summary };
        // Of a run that did not come to its end, the record says how far it came.
        let live = self.live.take().filter(|_| summary.stopped.as_deref().is_none_or(|why| why == exit::FAIL_FAST));
        let drawing = reports::write(&self.dir, settings.drawn(), &copies, drawn, &ends, live, None);
        let (gathered, written) = match drawing {
            Ok(gathered) => (gathered, Ok(())),
            Err(why) => (Gathered::default(), Err(why)),
        };
        let place = folder::display(&self.dir, &context.cwd);
        let ended = summary.stopped.as_deref().is_none_or(|why| why == exit::FAIL_FAST);
        if written.is_ok() && ended {
            self.store(context, summary);
        }
        let drawn = Drawn { plan: &self.plan, summary };
        let mut text = Vec::new();
        // Writing into memory does not fail.
        let _ = Terminal::new(drawn, ends, &gathered, shown.verbose).of_folder(place.clone()).write(&mut text);
        if shown.github {
            let _ = github::write(drawn, &gathered, &folder::below_root(&context.cwd), &mut text);
        }
        if let Err(why) = &written {
            // A report that could not be written is never exit 0, and what is printed says the same.
            let code = if summary.exit_code == exit::BUG { exit::BUG } else { exit::INCOMPLETE };
            summary.exit_code = code;
            summary.stopped = Some(format!("reports could not be written: {why}"));
            text = format!("reports could not be written to {place}: {why}; exit code {code}\n").into_bytes();
            // What the run leaves behind should say so too, as far as it can be written at all.
            let _ = self.finished(code, summary.stopped.clone());
            let _ = reports::write_summary(&self.dir, summary);
        } else {
            folder::point_latest(&self.dir).unwrap_or_else(|why| {
                context.note(&format!("seatrial: `latest` could not be pointed at the run: {why}\n"));
            });
        }
        if shown.json {
            text.clear();
            let _ = json::line(&Redacted::drawn(&*summary), &mut text);
        }
        context.print(&text, summary.exit_code)
    }
}
