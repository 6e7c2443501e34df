//! A run in progress: its suites one after another, each given to the engine, and what becomes of them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::AtomicBool;

use super::Args;
use super::asking;
use super::driver::{After, Driver};
use super::fleet::{self, Joined};
use super::output::{Ended, Output, Shown};
use super::{folder, resume};
use crate::cli::context::{Context, Failure};
use crate::cli::progress::Progress;
use crate::cli::{baselines, sessions};
use crate::eval::driven::{Driven, DrivenEvent};
use crate::eval::event::{BaselineEvent, Plan, ShardPlan};
use crate::eval::exit;
use crate::eval::fold::SuiteFold;
use crate::eval::gate::{self, Stopped};
use crate::eval::plan::Planned;
use crate::eval::shard::Shard;
use crate::eval::spend::SpendEvent;
use crate::evidence::Outside;
use crate::evidence::asker::Asker;
use crate::fleet::bundle::Lent;
use crate::net::budget::Budget;
use crate::redact::Redacted;
use crate::report::live::Live;
use crate::report::safe;
use crate::run::apart::Crew;
use crate::run::engine::{self, Early, Job};
use crate::run::past::{Known, Past};
use crate::sources::discover::Discovery;
use crate::sources::reader::Reader;
use crate::sources::{ReadOptions, RecordedFile};
use crate::store::{kept, record};
use crate::suite::filter::Filter;
use crate::suite::settings::{Keep, Settings};

/// A run in progress.
pub struct Execution<'r> {
    args: &'r Args,
    context: &'r Context,
    planned: &'r [Planned<'r>],
    output: Output,
    /// The earlier runs that suites are compared with.
    baselines: Vec<BaselineEvent>,
    /// When it began, which is not when it was continued.
    began: jiff::Timestamp,
    past: Option<Past>,
    known: Option<Known>,
    /// Answers what checks ask for; what it started ends with the run.
    outside: Outside,
    /// What agents and models may cost together.
    budget: Budget,
    /// The workers who judge, where there are any.
    fleet: Option<Joined>,
    /// What drove the live agents. It receives what they tell late until the run ends.
    driver: Option<Driver<'r>>,
    /// The suites that were driven, while they are judged.
    after: Vec<(usize, After)>,
    /// What was driven of each suite.
    driven: Vec<DrivenEvent>,
    /// Why not all sessions could be driven.
    undriven: Option<String>,
    /// A panic was caught while sessions were driven.
    panicked: bool,
}

impl<'r> Execution<'r> {
    /// Plans the run and begins its record.
    pub fn begin(
        args: &'r Args,
        context: &'r Context,
        filter: Option<&Filter>,
        rerun: Option<String>,
        planned: &'r [Planned<'r>],
        stop: &'static AtomicBool,
    ) -> Result<Self, Failure> {
        // Before the run has a folder: nothing is begun without a queue.
        let mut fleet = args.fleet.join(planned, stop)?;
        let budget = asking::budget(&context.settings);
        let models = asking::prepare(planned, &args.asking, context, budget.clone(), stop)?;
        let now = jiff::Timestamp::now();
        let expects = |p: &Planned<'_>| p.plan.cases.iter().flatten().any(|c| c.expected_fail.is_some());
        let plan = Plan {
            as_of: planned.iter().any(expects).then(|| now.strftime("%Y-%m-%d").to_string()),
            filter: filter.map(ToString::to_string),
            rerun,
            shard: args.shard.map(|shard| ShardPlan { shard, keep: keep(&context.settings) }),
            settings: measuring(args, context),
            suites: planned.iter().map(|p| p.suite.redactor.pass(&p.plan).into_inner().into_owned()).collect(),
        };
        // What belongs to no suite goes through the rules of all.
        let redactor = context.redactor(planned.iter().filter_map(|p| p.plan.redact.as_ref()))?;
        let plan = redactor.pass(&plan).into_inner().into_owned();
        if let Some(shard) = args.shard {
            tell_what_a_shard_does(context, shard);
        }
        let mut run = |output, baselines| Self {
            args,
            context,
            planned,
            output,
            baselines,
            began: now,
            past: None,
            known: None,
            outside: Outside::default(),
            budget: budget.clone(),
            fleet: fleet.take(),
            driver: None,
            after: Vec::new(),
            driven: Vec::new(),
            undriven: None,
            panicked: false,
        };
        if let Some(which) = &args.resume {
            let out = context.cwd.join(&context.settings.out.value);
            if let Some(resumed) = resume::open(which.as_deref(), &out, &plan, keep(&context.settings), context)? {
                let began = resumed.started.at.parse().unwrap_or(now);
                // What was compared with stays what it was when the run began.
                let baselines = resumed.baselines.clone();
                let (output, past, known) = Output::resume(context, resumed, redactor)?;
                let (id, sessions) = (&output.id, known.sessions());
                context.note(&format!("seatrial: continuing {id}: {sessions} sessions need not be evaluated again\n"));
                let mut run = Self { began, past: Some(past), known: Some(known), ..run(output, baselines) };
                run.outside.asker = models.map(|models| models.begin(&run.output.dir, true)).transpose()?;
                return Ok(run);
            }
            context.note("seatrial: there is no run that has not ended; beginning a new one\n");
        }
        // Before the run has a folder: `latest` is still the one before.
        let baselines = baselines::read(planned, None, context);
        let output = Output::begin(context, plan, redactor, &baselines, now)?;
        let mut run = run(output, baselines.into_iter().map(Redacted::into_inner).collect());
        run.outside.asker = models.map(|models| models.begin(&run.output.dir, false)).transpose()?;
        Ok(run)
    }

    /// Drives the live agents of the suites that have any; `found` then names what they said.
    pub fn drive(&mut self, found: &mut [Discovery], stop: &'static AtomicBool) -> Result<(), Failure> {
        if self.planned.iter().all(|planned| planned.suite.live.is_none()) {
            return Ok(());
        }
        let dir = self.output.dir.clone();
        let questions = self.outside.asker.as_ref().map_or(0, Asker::questions_at_once);
        let budget = self.budget.clone();
        let mut driver = Driver::start(self.context, dir, self.args.shard, budget, questions, stop, self.planned)?;
        let mut open = Vec::new();
        for (index, planned) in self.planned.iter().enumerate() {
            let Some(driven) = driver.drive(index, planned, self.known.as_mut())? else { continue };
            open.push((index, driven));
            if open.last().is_some_and(|(_, driven)| driven.is_stopped()) {
                break;
            }
        }
        driver.grace(&open.iter().map(|(_, open)| open).collect::<Vec<_>>());
        for (index, open) in open {
            let done = driver.close(open)?;
            self.tell_driven(DrivenEvent { suite: index as u32, driven: done.driven })
                .map_err(|e| Failure::write("the record", &e))?;
            if let Some(found) = found.get_mut(index) {
                found.files = vec![done.file];
            }
            self.after.push((index, done.after));
            self.panicked |= done.panicked;
            self.undriven = self.undriven.take().or(done.stopped);
        }
        // Where nothing can arrive any more, its threads and connections only take memory that judging may need.
        self.driver = driver.listens().then_some(driver);
        Ok(())
    }

    /// Says in the record what driving a suite came to.
    fn tell_driven(&mut self, event: DrivenEvent) -> io::Result<()> {
        let mut line = Vec::new();
        record::volatile(&mut line, "driven", &self.output.redactor.pass(&event))?;
        self.output.record.write_all(&line)?;
        self.driven.push(event);
        Ok(())
    }

    /// Counts what telemetry came too late for the sessions of a suite, now that they are judged.
    fn count_late(&mut self, index: usize, fold: &mut SuiteFold<'_>) -> Result<(), Early> {
        let late = self.after.iter_mut().filter(|(of, _)| *of == index).map(|(_, after)| after.late()).sum();
        if late > 0 {
            let driven = Driven { late, ..Driven::default() };
            fold.drive(&driven);
            self.tell_driven(DrivenEvent { suite: index as u32, driven }).map_err(Early::Write)?;
            let name = safe::line(&self.planned[index].suite.name).into_owned();
            self.context.note(&format!(
                "seatrial: {name}: {late} records of telemetry came when their sessions were being judged, and are in none\n"
            ));
        }
        Ok(())
    }

    /// Runs the suites one after another, decides, and draws the reports.
    pub fn finish(mut self, found: Vec<Discovery>, stop: &'static AtomicBool) -> Result<u8, Failure> {
        let mut summaries = Vec::new();
        let mut ends = Vec::new();
        let mut bug = self.panicked;
        // What was driven of a suite is judged when all of it is there.
        let mut stopped: Option<String> = self.undriven.take();
        let dir = &self.output.dir;
        let mut kept = if self.past.is_some() { kept::Writer::resume(dir) } else { kept::Writer::new(dir) };
        let plan = self.output.plan.clone();
        // What a run that is continued has recorded before, and what a shard alone is worth, only the record tells.
        if self.past.is_none() && plan.shard().is_none() && self.fleet.is_none() {
            self.output.live = Some(Live::begin(dir, self.context.settings.drawn(), &plan, &self.baselines));
        }
        for (index, discovery) in found.into_iter().enumerate() {
            let planned = &self.planned[index];
            let mut fold = SuiteFold::new(&plan.suites[index], planned.columns.len());
            let own = self.baselines.iter().filter(|b| b.suite as usize == index);
            fold.baselines = own.map(|b| (b.name.clone(), b.found.clone())).collect();
            let before = self.known.iter().flat_map(|known| &known.driven);
            let driven = before.chain(&self.driven).filter(|event| event.suite as usize == index);
            driven.for_each(|event| fold.drive(&event.driven));
            let mut outcome = engine::Outcome { stopped: None, system: Vec::new(), panicked: false };
            if stopped.is_none() {
                outcome = self.suite(index, discovery, &mut fold, &mut kept, stop);
                if let Err(early) = self.count_late(index, &mut fold) {
                    outcome.stopped.get_or_insert(early);
                }
            }
            if let Some(Early::Differs(why)) = &outcome.stopped {
                let dir = folder::display(&self.output.dir, &self.context.cwd);
                return Err(Failure::usage(format_args!(
                    "{dir} cannot be resumed, the recordings are not the same: in suite `{}`, {}\nhelp: run without \
                     `--resume`",
                    safe::line(&plan.suites[index].name),
                    safe::line(why)
                )));
            }
            bug |= outcome.panicked || self.outside.asker.as_ref().is_some_and(Asker::panicked);
            let early = match (&outcome.stopped, &stopped) {
                (Some(Early::FailFast), _) => Some(Stopped::FailFast),
                (Some(_), _) => Some(Stopped::Interrupted),
                (None, Some(why)) if why == exit::FAIL_FAST => Some(Stopped::FailFast),
                (None, Some(_)) => Some(Stopped::Interrupted),
                (None, None) => None,
            };
            if let Some(early) = outcome.stopped {
                stopped = Some(early.to_string());
            }
            let as_of = plan.as_of.as_deref();
            let early = early.unwrap_or(Stopped::No);
            summaries.push(match plan.shard() {
                Some(shard) => gate::defer(&fold, shard, early),
                None => gate::decide(&fold, &outcome.system, as_of, early),
            });
            ends.push(fold.end.take());
        }
        if let Some(fleet) = self.fleet.take() {
            fleet.leave(self.context);
        }
        if let Err(why) = kept.close() {
            stopped.get_or_insert(format!("kept sessions could not be written: {why}"));
        }
        let shown = Shown { json: self.args.json, verbose: self.args.verbose, github: self.args.format.is_github() };
        self.output.close(self.context, shown, Ended { suites: summaries, ends, stopped, bug })
    }

    fn suite(
        &mut self,
        index: usize,
        found: Discovery,
        fold: &mut SuiteFold<'_>,
        kept: &mut kept::Writer,
        stop: &'static AtomicBool,
    ) -> engine::Outcome {
        let settings = &self.context.settings;
        let planned = &self.planned[index];
        let recorded = &planned.suite.recorded;
        let options = sessions::read_options(settings, recorded.format.and_then(crate::formats::format));
        let mut options = ReadOptions { stop: Some(stop), ..options };
        if self.fleet.is_some() {
            (options.recipes, options.batch) = (true, fleet::PORTION);
        }
        let attribute = self.args.load.session_attribute.as_ref().or(recorded.session.as_ref());
        let assemble = sessions::assemble_options(self.context, attribute.map(String::as_str));
        let mut files: Vec<RecordedFile> = found.files;
        let asker = self.outside.asker.as_ref().filter(|_| planned.suite.checks.iter().any(|c| !c.asks.is_empty()));
        let ends = |early| engine::Outcome { stopped: Some(early), system: Vec::new(), panicked: false };
        // Its sessions are read several times.
        let _spooled = match asker.map(|_| asking::spooled(&mut files, &assemble.spill_dir)).transpose() {
            Ok(spooled) => spooled,
            Err(why) => return ends(Early::Write(why)),
        };
        let progress = Progress::new(self.context, &planned.suite.name, &files);
        let told = |reached| progress.tell(reached);
        let keeps = keep(settings);
        let crew = self.fleet.as_ref().map(|joined| {
            let lent = Lent {
                subject: self.args.load.subject.clone(),
                filter: self.args.load.filter.clone(),
                ..fleet::lent(self.context)
            };
            joined.suite(planned, (index as u32, keeps), self.context, lent)
        });
        let crew = match crew.transpose() {
            Ok(crew) => crew,
            Err(early) => {
                progress.done(0);
                return ends(early);
            }
        };
        let job = Job {
            planned,
            index: index as u32,
            files: &files,
            ignored: found.ignored,
            problems: found.problems,
            now_ns: u64::try_from(self.began.as_nanosecond()).unwrap_or(u64::MAX),
            jobs: if crew.is_some() { fleet::AT_ONCE } else { settings.jobs.value },
            fail_fast: settings.fail_fast.value,
            keep: keeps,
            shard: self.args.shard,
            known: self.known.as_ref(),
            stop,
            progress: &told,
            redactor: &planned.suite.redactor,
            live: self.output.live.is_some(),
            assemble: &assemble,
            edge: &self.outside,
            collecting: false,
            crew: crew.as_ref().map(|crew| crew as &dyn Crew),
            given_up: None,
        };
        if let Some(asker) = asker {
            let reader = || Reader::new(files.clone(), options);
            let plan = &self.output.plan.suites[index];
            let empty = || SuiteFold::new(plan, planned.columns.len());
            let asked = crate::run::asking::ask(&job, &reader, &empty, asker, &|done, of| progress.asking(done, of));
            for before in self.known.iter().flat_map(|k| &k.spent).filter(|s| s.suite as usize == index) {
                fold.spend(&before.checks);
            }
            if let Some(why) = asker.unkept() {
                self.context.note(&format!("seatrial: answers are not kept for later runs: {}\n", safe::line(&why)));
            }
            if let Err(early) =
                told_spend(asker, index as u32, &mut self.output, fold).map_or(asked, |e| Err(Early::Write(e)))
            {
                progress.done(0);
                return ends(early);
            }
        }
        let reader = Reader::new(files.clone(), options);
        let outcome = engine::run(
            &job,
            reader,
            fold,
            engine::Sinks {
                record: &mut self.output.record,
                kept,
                past: self.past.as_mut(),
                live: self.output.live.as_mut(),
            },
        );
        progress.done(fold.read());
        outcome
    }
}

/// Says in the record what asking took; why it could not, if so.
fn told_spend(asker: &Asker, suite: u32, output: &mut Output, fold: &mut SuiteFold<'_>) -> Option<io::Error> {
    let event = SpendEvent { suite, checks: asker.spent(suite) };
    fold.spend(&event.checks);
    let mut line = Vec::new();
    let written = record::volatile(&mut line, "spend", &output.redactor.pass(&event));
    written.and_then(|()| output.record.write_all(&line)).err()
}

/// Which sessions are kept whole.
fn keep(settings: &Settings) -> engine::Keep {
    match settings.keep.value {
        Keep::Failed => {
            engine::Keep { failed: true, passed: settings.keep_sample.value, limit: settings.keep_limit.value }
        }
        Keep::All => engine::Keep { failed: true, passed: u64::MAX, limit: u64::MAX },
        Keep::None => engine::Keep { failed: false, passed: 0, limit: 0 },
    }
}

/// The settings other than the defaults that decide what is read and measured.
fn measuring(args: &Args, context: &Context) -> BTreeMap<String, String> {
    let settings = &context.settings;
    let usual = ReadOptions::default();
    let mut told = BTreeMap::new();
    let mut tell = |name: &str, value: Option<String>| told.extend(value.map(|v| (name.to_owned(), v)));
    let other = |value: u64, usual: u64| (value != usual).then(|| value.to_string());
    tell("max_session_bytes", other(settings.max_session_bytes.value as u64, usual.max_element as u64));
    tell("max_depth", other(settings.max_depth.value as u64, usual.max_depth as u64));
    tell("max_expansion", other(settings.max_expansion.value, usual.max_expansion));
    tell("--session-attribute", args.load.session_attribute.clone());
    for own in &settings.prices {
        tell(&format!("prices.{}", own.model.as_str()), Some(own.written.clone()));
    }
    for (name, detector) in &settings.detectors {
        tell(&format!("detectors.{name}"), Some(detector.pattern.as_str().to_owned()));
    }
    told
}

/// Says what is other than in a whole run, where that was asked for.
fn tell_what_a_shard_does(context: &Context, shard: Shard) {
    if let Some(copy) = &context.settings.junit.value {
        context.note(&format!(
            "seatrial: {} will hold shard {shard} only; `seatrial merge --junit` writes that of the whole run\n",
            safe::line(&copy.display().to_string())
        ));
    }
    if context.settings.fail_fast.value {
        context.note(
            "seatrial: fail_fast has no effect on a shard: whether the gate can still pass, `seatrial merge` knows\n",
        );
    }
}
