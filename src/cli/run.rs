//! `seatrial run`: evaluate suites and decide.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::context::{Context, Failure};
use super::{flags, load, progress::Progress, sessions};
use crate::eval::event::{Finished, Header, Plan, SCHEMA, Started, SuiteEnd};
use crate::eval::exit;
use crate::eval::fold::SuiteFold;
use crate::eval::gate::{self, Stopped, SuiteSummary};
use crate::eval::plan::Planned;
use crate::model::Redactor;
use crate::report::html::Html;
use crate::report::junit::JUnit;
use crate::report::terminal::Terminal;
use crate::report::{Drawn, RunSummary, Sink, json, replay};
use crate::run::engine::{self, Early, Job};
use crate::sources::RecordedFile;
use crate::sources::discover::Discovery;
use crate::sources::reader::Reader;
use crate::store::{kept, record};
use crate::suite::filter::Filter;
use crate::suite::settings::Keep;

/// Arguments of `seatrial run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial run suites/
  seatrial run suites/airline.toml --sessions recordings/*.jsonl --subject airline@1.4.2
  seatrial run suites/ --filter 'tag(refund) and not level(system)'
  seatrial run suites/ --json --junit junit.xml

Exit codes: 0 passed, 1 failed, 2 usage, 3 held, 4 not shown, 5 incomplete, 70 bug (seatrial explain exit-codes).")]
pub struct Args {
    #[command(flatten)]
    pub(super) load: load::Args,
    /// Print one machine-readable line instead of the report.
    #[arg(long)]
    pub(super) json: bool,
    /// List checks that passed, too.
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    settings: flags::Args,
}

impl Args {
    /// The settings among the flags.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        self.settings.settings()
    }
}

/// Runs suites.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let filter = args.load.filter()?;
    let suites = match args.load.suites(context) {
        Ok(suites) => suites,
        Err(problems) => return usage(args, context, &problems),
    };
    let planned: Vec<Planned<'_>> = suites.iter().filter_map(|s| Planned::new(s, filter.as_ref())).collect();
    let found: Vec<Discovery> = planned.iter().map(|p| args.load.recordings(p.suite, context)).collect();
    let unmatched = load::unmatched(&args.load, context, &planned, &found);
    if !unmatched.is_empty() {
        return usage(args, context, &unmatched);
    }
    let stop = stop_on_interrupt()?;
    Run::begin(args, context, filter.as_ref(), &planned)?.finish(found, stop)
}

/// Makes a folder for the run that no other run has: several may begin at once.
fn make_folder(out: &Path, now: jiff::Timestamp) -> io::Result<(String, PathBuf)> {
    fs::create_dir_all(out)?;
    let mut last = now.as_nanosecond() >> 8;
    loop {
        let id = format!("{}-{:04x}", now.strftime("%Y%m%dT%H%M%SZ"), last & 0xffff);
        let dir = out.join(&id);
        match fs::create_dir(&dir) {
            Ok(()) => return Ok((id, dir)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => last += 1,
            Err(e) => return Err(e),
        }
    }
}

fn usage(args: &Args, context: &Context, problems: &crate::suite::problems::Problems) -> Result<u8, Failure> {
    let message = problems.render(context.color_errors());
    if args.json {
        let line = serde_json::json!({ "schema": 1, "exit_code": exit::USAGE, "problems": problems.lines() });
        context.print(format!("{line}\n").as_bytes(), exit::USAGE)?;
    }
    Err(Failure { code: exit::USAGE, message, told: args.json })
}

/// Set when the run is to end orderly; a second interrupt ends it at once.
fn stop_on_interrupt() -> Result<&'static AtomicBool, Failure> {
    static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let stop = STOP.get_or_init(Arc::default);
    let flag = Arc::clone(stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(exit::INCOMPLETE));
        }
    })
    .map_err(|e| Failure::new(exit::BUG, format_args!("the interrupt handler could not be set: {e}")))?;
    Ok(stop)
}

/// A run in progress.
struct Run<'r> {
    args: &'r Args,
    context: &'r Context,
    planned: &'r [Planned<'r>],
    plan: Plan,
    id: String,
    dir: PathBuf,
    record: File,
    began: Instant,
    redactor: Redactor,
}

impl<'r> Run<'r> {
    /// Makes the run's folder and writes the head of its record.
    fn begin(
        args: &'r Args,
        context: &'r Context,
        filter: Option<&Filter>,
        planned: &'r [Planned<'r>],
    ) -> Result<Self, Failure> {
        let began = Instant::now();
        let now = jiff::Timestamp::now();
        let out = context.cwd.join(&context.settings.out.value);
        let (id, dir) = make_folder(&out, now).map_err(|e| Failure::write(&out.display().to_string(), &e))?;
        let path = dir.join("run.jsonl");
        let cannot = |e: io::Error| Failure::write(&path.display().to_string(), &e);
        let mut record = File::create(&path).map_err(cannot)?;
        let expects = |p: &Planned<'_>| p.plan.cases.iter().flatten().any(|c| c.expected_fail.is_some());
        let plan = Plan {
            as_of: planned.iter().any(expects).then(|| now.strftime("%Y-%m-%d").to_string()),
            filter: filter.map(ToString::to_string),
            suites: planned.iter().map(|p| p.plan.clone()).collect(),
        };
        let header = Header { schema: SCHEMA, min_reader: SCHEMA, seatrial: env!("CARGO_PKG_VERSION").to_owned() };
        let started = Started {
            run: id.clone(),
            at: now.to_string(),
            args: std::env::args().collect(),
            jobs: context.settings.jobs.value,
        };
        let redactor = Redactor::default();
        let mut head = Vec::new();
        record::event(&mut head, "record", &redactor.pass(&header))
            .and_then(|()| record::volatile(&mut head, "started", &redactor.pass(&started)))
            .and_then(|()| record::event(&mut head, "plan", &redactor.pass(&plan)))
            .and_then(|()| record.write_all(&head))
            .map_err(cannot)?;
        Ok(Self { args, context, planned, plan, id, dir, record, began, redactor })
    }

    /// Runs the suites one after another, decides, and draws the reports.
    fn finish(mut self, found: Vec<Discovery>, stop: &AtomicBool) -> Result<u8, Failure> {
        let mut summaries = Vec::new();
        let mut ends = Vec::new();
        let mut bug = false;
        let mut stopped: Option<String> = None;
        let mut kept = kept::Writer::new(&self.dir);
        let plan = self.plan.clone();
        for (index, discovery) in found.into_iter().enumerate() {
            let planned = &self.planned[index];
            let mut fold = SuiteFold::new(&plan.suites[index], planned.columns.len());
            let mut outcome = engine::Outcome { stopped: None, system: Vec::new(), panicked: false };
            if stopped.is_none() {
                outcome = self.suite(index, discovery, &mut fold, &mut kept, stop);
            }
            bug |= outcome.panicked;
            let early = match (&outcome.stopped, &stopped) {
                (Some(Early::FailFast), _) => Some(Stopped::FailFast),
                (Some(_), _) => Some(Stopped::Interrupted),
                (None, Some(why)) if why == exit::FAIL_FAST => Some(Stopped::FailFast),
                (None, Some(_)) => Some(Stopped::Interrupted),
                (None, None) => None,
            };
            if let Some(early) = outcome.stopped {
                stopped = Some(describe(&early));
            }
            let as_of = plan.as_of.as_deref();
            summaries.push(gate::decide(&fold, &outcome.system, as_of, early.unwrap_or(Stopped::No)));
            ends.push(fold.end.take());
        }
        self.close(summaries, &ends, stopped, bug)
    }

    fn suite(
        &mut self,
        index: usize,
        found: Discovery,
        fold: &mut SuiteFold<'_>,
        kept: &mut kept::Writer,
        stop: &AtomicBool,
    ) -> engine::Outcome {
        let settings = &self.context.settings;
        let planned = &self.planned[index];
        let recorded = &planned.suite.recorded;
        let options = sessions::read_options(settings, recorded.format.and_then(crate::formats::format));
        let attribute = self.args.load.session_attribute.as_ref().or(recorded.session.as_ref());
        let assemble = sessions::assemble_options(self.context, attribute.map(String::as_str));
        let files: Vec<RecordedFile> = found.files;
        let progress = Progress::new(self.context, &planned.suite.name, &files);
        let told = |sessions: u64, bytes: u64| progress.tell(sessions, bytes);
        let job = Job {
            planned,
            index: index as u32,
            files: &files,
            ignored: found.ignored,
            problems: found.problems,
            now_ns: u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(u64::MAX),
            jobs: settings.jobs.value,
            fail_fast: settings.fail_fast.value,
            keep: match settings.keep.value {
                Keep::Failed => {
                    engine::Keep { failed: true, passed: settings.keep_sample.value, limit: settings.keep_limit.value }
                }
                Keep::All => engine::Keep { failed: true, passed: u64::MAX, limit: u64::MAX },
                Keep::None => engine::Keep { failed: false, passed: 0, limit: 0 },
            },
            stop,
            progress: &told,
            redactor: &self.redactor,
            assemble: &assemble,
        };
        let reader = Reader::new(files.clone(), options);
        let outcome = engine::run(&job, reader, fold, engine::Sinks { record: &mut self.record, kept });
        progress.done(fold.read());
        outcome
    }

    /// Ends the record, draws the reports and says the exit code.
    fn close(
        mut self,
        suites: Vec<SuiteSummary>,
        ends: &[Option<SuiteEnd>],
        mut stopped: Option<String>,
        bug: bool,
    ) -> Result<u8, Failure> {
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
            partial: self.plan.filter.is_some(),
            stopped,
            suites,
        };
        self.reports(&mut summary, ends)
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

    fn reports(&mut self, summary: &mut RunSummary, ends: &[Option<SuiteEnd>]) -> Result<u8, Failure> {
        let copy = self.context.settings.junit.value.as_ref().map(|p| self.context.cwd.join(p));
        let drawn = Drawn { plan: &self.plan, summary };
        let html = self.context.settings.html.value.as_ref().map(|p| self.context.cwd.join(p));
        let ends: Vec<_> = ends.iter().map(Option::as_ref).collect();
        let mut terminal = Terminal::new(drawn, ends.clone(), self.args.verbose);
        let copies = Copies { junit: copy, html };
        let written = write_reports(&self.dir, &copies, drawn, ends, &self.redactor, &mut terminal);
        let place = display(&self.dir, &self.context.cwd);
        let mut text = Vec::new();
        // Writing into memory does not fail.
        let _ = terminal.write(Some(&place), &mut text);
        if let Err(why) = &written {
            // A report that could not be written is never exit 0, and what is printed says the same.
            let code = if summary.exit_code == exit::BUG { exit::BUG } else { exit::INCOMPLETE };
            summary.exit_code = code;
            summary.stopped = Some(format!("reports could not be written: {why}"));
            text = format!("reports could not be written to {place}: {why}; exit code {code}\n").into_bytes();
            // What the run leaves behind should say so too, as far as it can be written at all.
            let _ = self.finished(code, summary.stopped.clone());
            let _ = write_summary(&self.dir, summary, &self.redactor);
        } else {
            point_latest(&self.dir).unwrap_or_else(|why| {
                self.context.note(&format!("seatrial: `latest` could not be pointed at the run: {why}\n"));
            });
        }
        if self.args.json {
            text.clear();
            let _ = json::line(&self.redactor.pass(&*summary), &mut text);
        }
        self.context.print(&text, summary.exit_code)
    }
}

fn describe(early: &Early) -> String {
    match early {
        Early::Interrupted => "interrupted".to_owned(),
        Early::FailFast => exit::FAIL_FAST.to_owned(),
        Early::Write(why) => format!("the record could not be written: {why}"),
        Early::Spill(why) => why.to_string(),
    }
}

/// Where copies of reports are put.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// Of `junit.xml`.
    pub(super) junit: Option<PathBuf>,
    /// Of `index.html`.
    pub(super) html: Option<PathBuf>,
}

/// Draws `junit.xml`, `index.html` and `summary.json` into the run's folder, and copies where a CI wants them.
pub(super) fn write_reports(
    dir: &Path,
    copies: &Copies,
    drawn: Drawn<'_>,
    ends: Vec<Option<&SuiteEnd>>,
    redactor: &Redactor,
    terminal: &mut Terminal<'_>,
) -> Result<(), replay::DrawError> {
    let junit = dir.join("junit.xml");
    let mut out = JUnit::new(drawn, BufWriter::with_capacity(1 << 18, File::create(&junit)?))?;
    let html = dir.join("index.html");
    let page = BufWriter::with_capacity(1 << 18, File::create(&html)?);
    let mut page = Html::new(drawn, ends, kept::Reader::open(dir)?, page)?;
    let sinks: &mut [&mut dyn Sink] = &mut [&mut out, &mut page, terminal];
    replay::draw(&dir.join("run.jsonl"), drawn, sinks)?;
    write_summary(dir, drawn.summary, redactor)?;
    for (report, copy) in [(&junit, &copies.junit), (&html, &copies.html)] {
        let Some(copy) = copy else { continue };
        if let Some(parent) = copy.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(report, copy)?;
    }
    Ok(())
}

fn write_summary(dir: &Path, summary: &RunSummary, redactor: &Redactor) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(dir.join("summary.json"))?);
    json::pretty(&redactor.pass(summary), &mut file)?;
    file.flush()
}

/// Makes `latest` beside the run's folder name it.
fn point_latest(dir: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else { return Ok(()) };
    let latest = parent.join("latest");
    #[cfg(unix)]
    {
        // Made beside it and moved over it, so that a reader never finds none.
        let fresh = parent.join(format!(".latest-{}", std::process::id()));
        let _ = fs::remove_file(&fresh);
        std::os::unix::fs::symlink(name, &fresh)?;
        fs::rename(&fresh, &latest)
    }
    #[cfg(not(unix))]
    {
        fs::write(&latest, name.to_string_lossy().as_bytes())
    }
}

/// A path as a user would name it.
pub(super) fn display(path: &Path, cwd: &Path) -> String {
    path.strip_prefix(cwd).unwrap_or(path).display().to_string().replace('\\', "/")
}
