//! The driving of live agents, before anything is judged. A suite that was driven stays open until all are: what its
//! agent's telemetry tells late is put into its sessions until they are judged, and counted from then on.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{asking, folder};
use crate::cli::context::{Context, Failure};
use crate::cli::progress::Driving;
use crate::drive::fleet::{Came, Fleet, Stopped};
use crate::drive::late::Late;
use crate::drive::listening::Listening;
use crate::drive::saved::{Judged, Saved};
use crate::drive::tab::Tabs;
use crate::drive::talk::FIRST_WAIT;
use crate::drive::user::Desks;
use crate::drive::wants;
use crate::eval::driven::Driven;
use crate::eval::exit;
use crate::eval::plan::Planned;
use crate::eval::shard::Shard;
use crate::evidence::desk::Desk;
use crate::evidence::question::{Kind, Name};
use crate::model::NanoUsd;
use crate::net::budget::{Budget, Limits};
use crate::net::client::{self, Http};
use crate::net::secret;
use crate::process::{self, TooFew};
use crate::receive::{Counts, Nobody, Telemetry};
use crate::report::safe;
use crate::run::past::Known;
use crate::sources::RecordedFile;
use crate::store::driven;
use crate::suite::Suite;
use crate::suite::agent::Live;

/// What drives the suites of a run.
pub struct Driver<'d> {
    context: &'d Context,
    /// The folder of the run.
    run: PathBuf,
    /// The part of the run that is driven here.
    shard: Option<Shard>,
    /// What may be spent in the whole run.
    budget: Budget,
    /// How many questions may be put at once to the models that judge: their connections are made when the agents' may
    /// still be open.
    questions: usize,
    /// Set from outside to end orderly.
    stop: &'static AtomicBool,
    http: Http,
    users: Desks,
    listening: Vec<Rc<Listening>>,
    runtime: tokio::runtime::Runtime,
}

/// A suite that was driven, whose sessions may still be put together again.
pub struct Open<'s> {
    suite: &'s Suite,
    live: &'s Live,
    saved: Saved<'s>,
    late: Late,
    listening: Option<Rc<Listening>>,
    /// What the receiver had counted when it was begun with, and when it ended.
    counts: Counts,
    ended: Instant,
    came: Came,
    before: (u64, u64),
}

/// A suite whose sessions are in order, to be judged.
pub struct Done {
    /// What is read.
    pub file: RecordedFile,
    /// For the record.
    pub driven: Driven,
    /// A panic was caught.
    pub panicked: bool,
    /// Why not all sessions are there.
    pub stopped: Option<String>,
    /// What is of it while it is judged.
    pub after: After,
}

/// A suite whose sessions are being judged. Keeps them there.
pub struct After {
    late: Late,
    listening: Option<Rc<Listening>>,
    told: u64,
    _judged: Judged,
}

impl After {
    /// How many records of telemetry arrived since it was asked last, too late for its sessions.
    pub fn late(&mut self) -> u64 {
        let Some(listening) = &self.listening else { return 0 };
        let all = self.late.left(listening.telemetry());
        all - std::mem::replace(&mut self.told, all).min(all)
    }
}

impl Open<'_> {
    /// Whether it ended before all sessions were driven.
    pub fn is_stopped(&self) -> bool {
        self.came.stopped.is_some()
    }

    /// How long more of its telemetry may have to be waited for.
    fn grace(&self) -> Duration {
        let quiet = self.live.telemetry.as_ref().filter(|_| self.came.sessions > 0).map(|listen| listen.quiet);
        quiet.unwrap_or_default().saturating_sub(self.ended.elapsed())
    }
}

impl<'d> Driver<'d> {
    /// Starts what conversations need, and opens the models that play users in these suites.
    pub fn start(
        context: &'d Context,
        run: PathBuf,
        shard: Option<Shard>,
        budget: Budget,
        questions: usize,
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
        Ok(Self { context, run, shard, budget, questions, stop, http, users, listening: Vec::new(), runtime })
    }

    /// Drives what is missing of the suite at a position in the run; `known` is what an earlier part of the run recorded.
    pub fn drive<'s>(
        &mut self,
        index: usize,
        planned: &Planned<'s>,
        known: Option<&mut Known>,
    ) -> Result<Option<Open<'s>>, Failure> {
        let suite = planned.suite;
        let Some(live) = &suite.live else { return Ok(None) };
        let wants = wants::of(planned);
        let recorded = |at: usize| {
            let (id, was) = known.as_ref()?.driven_at(index, at as u64)?;
            Some((id.to_owned(), was))
        };
        let saved = Saved::open(suite, &wants, &self.run, self.shard.is_some(), &recorded);
        let saved = saved.map_err(|e| cannot(suite, &e))?;
        if let Some(known) = known {
            saved.judged.iter().for_each(|(now, was)| known.was(now, *was));
        }
        // And what of it was in flight when that part ended.
        let tabs = Tabs::open(&self.run, &suite.name).map_err(|e| cannot(suite, &e))?;
        let before = (saved.len() as u64, saved.redacted as u64);
        self.tell_before(suite, before);
        let case = |at: usize| suite.cases.as_ref().and_then(|c| c.list.get(wants[at].case)).map(|c| c.id.as_str());
        let shard = self.shard;
        let mine = |at: &usize| shard.is_none_or(|shard| case(*at).is_some_and(|id| shard.holds(id)));
        let own = Limits { cost: live.load.max_cost_usd.and_then(NanoUsd::from_usd), tokens: live.load.max_tokens };
        // What an earlier part of the run spent is spent; of what nobody knows, no limit can be kept.
        let own = Budget::new(own);
        let spent = saved.before.counts().plus(tabs.lost(saved.before.most()));
        own.already(spent);
        self.budget.already(spent);
        let unsaid = [&own, &self.budget].iter().find_map(|budget| saved.before.unsaid(budget.limits()));
        let here = (0..wants.len()).filter(|at| mine(at) && !saved.has(*at)).collect::<Vec<_>>();
        self.room(suite, live, live.load.concurrency.min(here.len()))?;
        let listening = self.listen(suite, live)?;
        let counts = listening.as_ref().map(|listening| listening.telemetry().counts()).unwrap_or_default();
        let (mut saved, mut late) = (saved, Late::new(&self.spill_dir()));
        let progress = Driving::new(self.context, &suite.name);
        let fleet = Fleet {
            suite,
            live,
            here,
            wants: &wants,
            http: &self.http,
            env: &secret::of_environment,
            users: &self.users,
            telemetry: telemetry(&listening),
            first_wait: FIRST_WAIT,
            budgets: &[self.budget.clone(), own],
            stop: self.stop,
            before: saved.before.most(),
            tabs: &tabs,
            progress: &|reached| progress.tell(reached),
        };
        let came = if unsaid.is_some() || fleet.here.is_empty() {
            Came { stopped: unsaid.map(Stopped::Capped), ..Came::default() }
        } else {
            let came = self.runtime.block_on(fleet.drive(&mut saved, &mut late));
            progress.done();
            came
        };
        tabs.close();
        Ok(Some(Open { suite, live, saved, late, listening, counts, ended: Instant::now(), came, before }))
    }

    /// Makes sure that so many sessions can be in flight, with what is asked of models beside them.
    fn room(&self, suite: &Suite, live: &Live, sessions: usize) -> Result<(), Failure> {
        let questions = self.questions + self.users.values().map(Desk::concurrency).sum::<usize>();
        let wanted = files_of_a_session(live).saturating_mul(sessions as u64).saturating_add(questions as u64);
        process::open_files(wanted).map_err(|TooFew { wanted, allowed }| {
            let asked = if questions > 0 { format!(" and {questions} questions to models") } else { String::new() };
            Failure::usage(format_args!(
                "suite `{}`: {sessions} sessions{asked} at once may need {wanted} open files, and the system allows \
                 {allowed}\nhelp: raise the limit (`ulimit -n`), or set a lower `concurrency` in [agent]",
                safe::line(&suite.name)
            ))
        })
    }

    fn spill_dir(&self) -> PathBuf {
        let dir = self.context.settings.spill_dir.value.as_ref();
        dir.map_or_else(std::env::temp_dir, |dir| self.context.cwd.join(dir))
    }

    /// The receiver for a suite, if it has any: that of an earlier one, where it names the same addresses.
    fn listen(&mut self, suite: &Suite, live: &Live) -> Result<Option<Rc<Listening>>, Failure> {
        let Some(listen) = &live.telemetry else { return Ok(None) };
        if let Some(same) = Listening::among(&self.listening, &listen.addresses) {
            return Ok(Some(same.clone()));
        }
        // One that has only some of the addresses makes room.
        for other in self.listening.iter().filter(|other| other.is_at(&listen.addresses)) {
            self.runtime.block_on(other.close());
        }
        let memory = self.context.settings.spill_after.value;
        let begun = self.runtime.block_on(Listening::begin(&listen.addresses, memory, self.spill_dir()));
        let listening = Rc::new(begun.map_err(|why| Failure::new(exit::INCOMPLETE, why))?);
        let (name, at) = (safe::line(&suite.name), listening.addresses());
        self.context.note(&format!("seatrial: {name}: telemetry is received at {at} (OTLP over HTTP and gRPC)\n"));
        self.listening.push(listening.clone());
        Ok(Some(listening))
    }

    /// Whether telemetry can still arrive.
    pub fn listens(&self) -> bool {
        !self.listening.is_empty()
    }

    /// Waits as long as more of the telemetry of these suites may have to be waited for, unless the run is interrupted.
    pub fn grace(&self, open: &[&Open<'_>]) {
        let until = Instant::now() + open.iter().map(|open| open.grace()).max().unwrap_or_default();
        while Instant::now() < until && !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep((until - Instant::now()).min(Duration::from_millis(20)));
        }
    }

    /// Puts the last of what came late into the sessions of a suite, and the sessions in order. From here on they are
    /// judged, and what arrives of them is only counted.
    pub fn close(&self, open: Open<'_>) -> Result<Done, Failure> {
        let Open { suite, live: _, mut saved, mut late, listening, counts, ended: _, mut came, before } = open;
        let telemetry = telemetry(&listening);
        let settled = late.join(telemetry, Duration::ZERO, suite, &mut saved);
        came.count_late(settled.map_err(|e| cannot(suite, &e))?);
        let (incomplete, why) = late.mark(telemetry, &mut saved).map_err(|e| cannot(suite, &e))?;
        came.warnings.extend(why);
        let told = late.left(telemetry);
        let counts = telemetry.counts().since(&counts);
        let judged = saved.finish().map_err(|e| cannot(suite, &e))?;
        let driven = Driven {
            sessions: came.sessions,
            before: before.0,
            redacted: before.1,
            failures: came.failures,
            turns: came.turns,
            retries: came.retries,
            busy: came.busy,
            peak: came.peak,
            cost_usd: came.spent.cost,
            tokens: came.spent.tokens,
            user_asked: came.asked,
            user_cost_usd: came.users.cost,
            user_tokens: came.users.tokens,
            late: told,
            joined: came.joined,
            foreign: counts.foreign,
            unreadable: counts.unreadable,
            refused: counts.refused,
            incomplete,
            undone: came.undone,
            warnings: came.warnings.clone(),
            seconds: came.took.as_secs_f64(),
        };
        if listening.is_some() {
            self.tell_telemetry(suite, &counts);
        }
        self.tell_after(suite, &came, &driven);
        let stopped = came.stopped.map(|stopped| match stopped {
            Stopped::Interrupted => "interrupted".to_owned(),
            Stopped::Capped(why) => why,
            Stopped::Write(why) => format!("a session could not be saved: {why}"),
        });
        let file = RecordedFile { path: judged.path.clone(), name: driven::file_name(&suite.name) };
        let after = After { late, listening, told, _judged: judged };
        Ok(Done { file, driven, panicked: came.panicked, stopped, after })
    }

    fn tell_before(&self, suite: &Suite, (before, redacted): (u64, u64)) {
        let name = safe::line(&suite.name);
        match before {
            0 => {}
            1 => self.context.note(&format!("seatrial: {name}: 1 session is saved and need not be driven again\n")),
            n => self.context.note(&format!("seatrial: {name}: {n} sessions are saved and need not be driven again\n")),
        }
        let because = "because something was taken out of";
        match redacted {
            0 => {}
            1 => self.context.note(&format!("seatrial: {name}: 1 saved session is driven again, {because} it\n")),
            n => self.context.note(&format!("seatrial: {name}: {n} saved sessions are driven again, {because} them\n")),
        }
    }

    fn tell_telemetry(&self, suite: &Suite, counts: &Counts) {
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

fn telemetry(listening: &Option<Rc<Listening>>) -> &dyn Telemetry {
    listening.as_ref().map_or(&Nobody, |listening| listening.telemetry())
}

/// How many files and connections a session may have open at a time: to its agent, or the pipes of its program, what the
/// agent's exporter opens here, and the pipes of a program that does something around it.
fn files_of_a_session(live: &Live) -> u64 {
    let agent = if matches!(live.kind, "command" | "mcp") { 3 } else { 1 };
    let hooks = &live.hooks;
    let around = !hooks.setup.is_empty() || !hooks.teardown.is_empty() || hooks.state.is_some();
    agent + u64::from(live.telemetry.is_some()) + if around { 2 } else { 0 }
}

fn cannot(suite: &Suite, why: &std::io::Error) -> Failure {
    Failure::write(&format!("the sessions of `{}`", suite.name), why)
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
