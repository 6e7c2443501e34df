//! Live runs: whether a suite's sessions are driven or read, and the driving, before anything is judged.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use super::{asking, folder};
use crate::cli::context::{Context, Failure};
use crate::cli::load;
use crate::cli::progress::Driving;
use crate::drive::fleet::{Came, Fleet, Stopped};
use crate::drive::listening::Listening;
use crate::drive::saved::{Judged, Saved};
use crate::drive::talk::FIRST_WAIT;
use crate::drive::user::Desks;
use crate::drive::wants;
use crate::eval::driven::Driven;
use crate::eval::exit;
use crate::eval::plan::Planned;
use crate::eval::shard::Shard;
use crate::evidence::question::{Kind, Name};
use crate::model::NanoUsd;
use crate::net::budget::{Amount, Budget, Limits};
use crate::net::client::{self, Http};
use crate::net::secret;
use crate::receive::{Counts, Nobody};
use crate::report::safe;
use crate::sources::RecordedFile;
use crate::store::driven;
use crate::suite::problems::{Problem, Problems, Severity};
use crate::suite::{Recorded, Suite};

/// Whether sessions are driven or read.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Drive the suites' live agents, and judge the sessions as they are saved.
    #[arg(long, conflicts_with_all = ["recorded", "sessions"])]
    live: bool,
    /// Judge recorded sessions: those of the suites' `[recorded]`; where there are none, those that the newest live run
    /// saved; or those of RUN.
    #[arg(long, num_args = 0..=1, require_equals = true, value_name = "RUN", conflicts_with = "sessions")]
    recorded: Option<Option<PathBuf>>,
}

/// Settles for every suite where its sessions come from: one that is driven keeps its agent, any other loses it.
pub fn choose(args: &Args, load: &load::Args, suites: &mut [Suite], context: &Context) -> Problems {
    let mut problems = Problems::default();
    for suite in suites {
        let recorded = !suite.recorded.paths.is_empty();
        let is_live = match (&args.recorded, &suite.live) {
            (None, None) if args.live => {
                let help = "give it an [agent] (`seatrial explain agent`), or leave it out of the run";
                problems.add(problem(suite, "--live, but it has no [agent]", help));
                false
            }
            (None, Some(_)) if args.live => true,
            (None, Some(_)) if recorded && load.sessions.is_empty() => {
                let help = "say --recorded to judge the recordings, or --live to drive the agent";
                problems.add(problem(suite, "it has both recordings and a live agent", help));
                false
            }
            (None, Some(_)) => load.sessions.is_empty(),
            (None, None) => false,
            (Some(run), _) => {
                if run.is_some() || !recorded {
                    take_saved(run.as_ref(), suite, context, &mut problems);
                }
                false
            }
        };
        if is_live {
            // What `[recorded]` says is about recordings that somebody else made.
            suite.recorded = Recorded { format: Some("seatrial"), ..Recorded::default() };
        } else {
            suite.live = None;
        }
    }
    problems
}

/// Makes a suite read what a live run saved of it.
fn take_saved(run: Option<&PathBuf>, suite: &mut Suite, context: &Context, problems: &mut Problems) {
    let file = driven::file_name(&suite.name);
    let out = context.cwd.join(&context.settings.out.value);
    let path = match run {
        Some(run) => Some(context.cwd.join(run).join(&file)),
        None => newest(&out, &file),
    };
    match path.filter(|path| path.is_file()) {
        Some(path) => {
            let paths = vec![path.to_string_lossy().into_owned()];
            suite.recorded = Recorded { paths, format: Some("seatrial"), ..Recorded::default() };
        }
        None => {
            let (what, help) = match run {
                Some(run) => (
                    format!("the run `{}` saved no sessions of it", safe::line(&run.display().to_string())),
                    "name the folder of a live run",
                ),
                None => (
                    "it has no [recorded] paths, and no live run saved sessions of it".to_owned(),
                    "run it with --live first, or name recordings with --sessions",
                ),
            };
            problems.add(problem(suite, &what, help));
        }
    }
}

/// The newest of the runs that saved this file. Names of runs begin with their time.
fn newest(out: &std::path::Path, file: &str) -> Option<PathBuf> {
    let folders = std::fs::read_dir(out).ok()?.filter_map(Result::ok);
    let runs = folders.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path());
    runs.filter(|run| run.join(file).is_file()).max().map(|run| run.join(file))
}

fn problem(suite: &Suite, what: &str, help: &str) -> Problem {
    Problem {
        file: suite.path.display().to_string(),
        span: None,
        message: format!("suite `{}`: {what}", suite.name),
        help: Some(help.to_owned()),
        severity: Severity::Error,
    }
}

/// What drives the suites of a run.
pub struct Driver<'d> {
    /// The context of the command.
    pub context: &'d Context,
    /// The folder of the run.
    pub run: PathBuf,
    /// The part of the run that is driven here.
    pub shard: Option<Shard>,
    /// What may be spent in the whole run.
    pub budget: Budget,
    /// Set from outside to end orderly.
    pub stop: &'static AtomicBool,
    runtime: tokio::runtime::Runtime,
    http: Http,
    users: Desks,
}

/// A suite that was driven.
pub struct Done {
    /// What is read.
    pub file: RecordedFile,
    /// Keeps it there.
    pub judged: Judged,
    /// For the record.
    pub driven: Driven,
    /// A panic was caught.
    pub panicked: bool,
    /// Why not all sessions are there.
    pub stopped: Option<String>,
}

impl<'d> Driver<'d> {
    /// Starts what conversations need, and opens the models that play users in these suites.
    pub fn start(
        context: &'d Context,
        run: PathBuf,
        shard: Option<Shard>,
        budget: Budget,
        stop: &'static AtomicBool,
        planned: &[Planned<'_>],
    ) -> Result<Self, Failure> {
        let failed =
            |why: &dyn std::fmt::Display| Failure::new(exit::BUG, format_args!("nothing can be driven: {why}"));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(context.settings.jobs.value.clamp(1, MOST_THREADS))
            .thread_name("seatrial-drive")
            .enable_all()
            .build()
            .map_err(|why| failed(&why))?;
        let http = client::client().map_err(|why| failed(&why))?;
        let mut wrong = Vec::new();
        let users = asking::open(&users(planned), &context.settings.models, context, &budget, &mut wrong);
        if !wrong.is_empty() {
            let lines: String = wrong.iter().map(|why| format!("seatrial: {}\n", safe::terminal(why))).collect();
            return Err(Failure { code: exit::USAGE, message: lines, told: false });
        }
        let users = users.into_iter().map(|(name, desk)| (name.name.to_string(), desk)).collect();
        Ok(Self { context, run, shard, budget, stop, runtime, http, users })
    }

    /// Drives what is missing of a suite; `dropped` is what sessions of it count for that were dropped before.
    pub fn drive(&self, planned: &Planned<'_>, dropped: Amount) -> Result<Option<Done>, Failure> {
        let suite = planned.suite;
        let Some(live) = &suite.live else { return Ok(None) };
        let wants = wants::of(planned);
        let name = driven::file_name(&suite.name);
        let cannot = |why: &std::io::Error| Failure::write(&format!("the sessions of `{}`", suite.name), why);
        let mut saved = Saved::open(suite, &wants, &self.run, self.shard.is_some()).map_err(|e| cannot(&e))?;
        let (before, redacted) = (saved.len() as u64, saved.redacted as u64);
        self.tell_before(suite, before, redacted);
        let case = |at: usize| suite.cases.as_ref().and_then(|c| c.list.get(wants[at].case)).map(|c| c.id.as_str());
        let mine = |at: &usize| self.shard.is_none_or(|shard| case(*at).is_some_and(|id| shard.holds(id)));
        let own = Limits { cost: live.load.max_cost_usd.and_then(NanoUsd::from_usd), tokens: live.load.max_tokens };
        // What an earlier part of the run spent is spent; of what nobody knows, no limit can be kept.
        let own = Budget::new(own);
        let spent = saved.before.counts().plus(dropped);
        own.already(spent);
        self.budget.already(spent);
        let unsaid = [&own, &self.budget].iter().find_map(|budget| saved.before.unsaid(budget.limits()));
        let listening = match &live.telemetry {
            None => None,
            Some(listen) => {
                let settings = &self.context.settings;
                let spill = settings.spill_dir.value.as_ref();
                let spill = spill.map_or_else(std::env::temp_dir, |dir| self.context.cwd.join(dir));
                let begun = self.runtime.block_on(Listening::begin(listen, settings.spill_after.value, spill));
                let listening = begun.map_err(|why| Failure::new(exit::INCOMPLETE, why))?;
                let (name, at) = (safe::line(&suite.name), listening.addresses());
                self.context
                    .note(&format!("seatrial: {name}: telemetry is received at {at} (OTLP over HTTP and gRPC)\n"));
                Some(listening)
            }
        };
        let progress = Driving::new(self.context, &suite.name);
        let fleet = Fleet {
            suite,
            live,
            here: (0..wants.len()).filter(mine).filter(|at| !saved.has(*at)).collect(),
            wants: &wants,
            http: &self.http,
            env: &secret::of_environment,
            users: &self.users,
            telemetry: listening.as_ref().map_or(&Nobody, Listening::telemetry),
            first_wait: FIRST_WAIT,
            budgets: &[self.budget.clone(), own],
            stop: self.stop,
            before: saved.before.most(),
            progress: &|reached| progress.tell(reached),
        };
        let came = if unsaid.is_some() || fleet.here.is_empty() {
            Came { stopped: unsaid.map(Stopped::Capped), ..Came::default() }
        } else {
            let came = self.runtime.block_on(fleet.drive(&mut saved));
            progress.done();
            came
        };
        let counts = listening.map(|listening| self.runtime.block_on(listening.end()));
        let judged = saved.finish().map_err(|e| cannot(&e))?;
        let told = counts.as_ref();
        let driven = Driven {
            sessions: came.sessions,
            before,
            redacted,
            failures: came.failures,
            turns: came.turns,
            retries: came.retries,
            busy: came.busy,
            peak: came.peak,
            cost_usd: came.spent.cost,
            tokens: came.spent.tokens,
            dropped_cost_usd: came.dropped.cost,
            dropped_tokens: came.dropped.tokens,
            user_asked: came.asked,
            user_cost_usd: came.users.cost,
            user_tokens: came.users.tokens,
            late: told.map_or(0, |counts| counts.late),
            foreign: told.map_or(0, |counts| counts.foreign),
            unreadable: told.map_or(0, |counts| counts.unreadable),
            refused: told.map_or(0, |counts| counts.refused),
            incomplete: came.late,
            undone: came.undone,
            warnings: came.warnings.clone(),
            seconds: came.took.as_secs_f64(),
        };
        self.tell_telemetry(suite, counts);
        self.tell_after(suite, &came, &driven);
        let stopped = came.stopped.map(|stopped| match stopped {
            Stopped::Interrupted => "interrupted".to_owned(),
            Stopped::Capped(why) => why,
            Stopped::Write(why) => format!("a session could not be saved: {why}"),
        });
        let file = RecordedFile { path: judged.path.clone(), name };
        Ok(Some(Done { file, judged, driven, panicked: came.panicked, stopped }))
    }

    fn tell_before(&self, suite: &Suite, before: u64, redacted: u64) {
        let name = safe::line(&suite.name);
        if before > 0 {
            self.context.note(&format!("seatrial: {name}: {before} sessions are saved and need not be driven again\n"));
        }
        if redacted > 0 {
            self.context.note(&format!(
                "seatrial: {name}: {redacted} saved sessions are driven again, because something was taken out of them\n"
            ));
        }
    }

    fn tell_telemetry(&self, suite: &Suite, counts: Option<Counts>) {
        let Some(counts) = counts else { return };
        let parts = [(counts.records, "records of telemetry received"), (counts.refused, "requests were refused")];
        let told = parts.iter().enumerate().filter(|(at, (n, _))| *at == 0 || *n > 0);
        let told: Vec<String> = told.map(|(_, (n, what))| format!("{n} {what}")).collect();
        self.context.note(&format!("seatrial: {}: {}\n", safe::line(&suite.name), told.join(", ")));
    }

    fn tell_after(&self, suite: &Suite, came: &Came, driven: &Driven) {
        for warning in &came.warnings {
            let warning = suite.redactor.pass(warning);
            self.context.note(&format!("seatrial: {}: {}\n", safe::line(&suite.name), safe::line(warning.get())));
        }
        if came.sessions == 0 {
            return;
        }
        let place = folder::display(&self.run.join(driven::file_name(&suite.name)), &self.context.cwd);
        let told = format!("seatrial: {}: {}; saved in {place}\n", suite.name, driven.told());
        self.context.note(&safe::terminal(&told));
    }
}

/// The models that play users in these suites.
fn users(planned: &[Planned<'_>]) -> BTreeSet<Name> {
    let wanted = planned.iter().flat_map(|planned| {
        let cases = planned.suite.cases.as_ref().map(|cases| &cases.list);
        let live = planned.suite.live.as_ref();
        let case = move |want: wants::Want| cases?.get(want.case);
        wants::of(planned).into_iter().filter_map(move |want| live?.user_of(case(want)?))
    });
    wanted.map(|user| Name { kind: Kind::Judge, name: user.judge.into() }).collect()
}

/// Conversations wait, they do not compute: more threads would only take turns.
const MOST_THREADS: usize = 4;
