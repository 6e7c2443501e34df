//! `seatrial merge`: put the shards of a run together, and decide as if it had never been split.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::{fs, io};

use super::context::{Context, Failure};
use super::run::{Ended, Format, Output, Shown};
use super::{again, baselines};
use crate::checks::system::SystemFinding;
use crate::eval::event::{BaselineEvent, Plan, SuitePlan};
use crate::eval::fold::SuiteFold;
use crate::eval::gate::{self, Stopped};
use crate::eval::plan::Planned;
use crate::eval::{exit, same};
use crate::model::Level;
use crate::redact::{Redacted, Redactor};
use crate::report::safe;
use crate::run::commit::Desk;
use crate::run::engine::{Early, Sinks};
use crate::run::merge::{self, MergeError, ShardRecord, Shards};
use crate::run::system;
use crate::sources::RecordedFile;
use crate::store::{kept, record};
use crate::suite::filter::Filter;

/// Arguments of `seatrial merge`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial merge shard-1/ shard-2/ shard-3/
  seatrial merge shards/* --out reports --junit junit.xml

Every shard of `seatrial run --shard I/N` is needed, each once, all of the same suites over the same recordings. Where \
suites have system checks, their files must lie where they lay for the shards.

Exit codes: as `seatrial run`; 2 when the shards are not those of one run (everything that differs is listed).")]
pub struct Args {
    /// The shards: folders of their runs, their run.jsonl, or folders in which such folders lie.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    #[command(flatten)]
    baseline: baselines::Args,
    /// The folder in which the run is written.
    #[arg(long, value_name = "DIR")]
    out: Option<String>,
    /// Put a copy of the JUnit report here.
    #[arg(long, value_name = "FILE")]
    junit: Option<String>,
    /// Print one machine-readable line instead of the report.
    #[arg(long)]
    pub(super) json: bool,
    /// List checks that passed, too.
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    format: Format,
}

impl Args {
    /// The settings among the flags.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let given = [("out", &self.out), ("junit", &self.junit)];
        given.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect()
    }
}

/// Puts shards together.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let mut problems = Vec::new();
    let records = open(args, context, &mut problems);
    if problems.is_empty() {
        complete(&records, &mut problems);
    }
    let Some(plan) = records.first().map(|first| whole(first, &records)).filter(|_| problems.is_empty()) else {
        return Err(listed("the shards are not those of one run", &problems));
    };
    let filter = plan.filter.as_deref().map(Filter::parse).transpose().map_err(Failure::usage)?;
    let suites = again::suites(&plan, &has_system_checks, "merge where the shards were run", context)?;
    let mut planned = again::planned(&plan, &suites, filter.as_ref(), &has_system_checks, "the shards")?;
    let mut shards = Shards::open(&records, &plan).map_err(refused)?;
    for _ in &plan.suites {
        shards.verify().map_err(refused)?;
    }
    note_unkept(&records, context);
    let mut plan = plan.clone();
    let suites = plan.suites.iter_mut().chain(planned.iter_mut().flatten().map(|p| &mut p.plan));
    suites.for_each(|suite| args.baseline.apply(suite, context));
    decide(args, context, &records, plan, &planned)
}

/// A failure that lists everything that is wrong.
fn listed(what: &str, problems: &[String]) -> Failure {
    let list: String = problems.iter().map(|p| format!("  {}\n", safe::terminal(p))).collect();
    Failure { code: exit::USAGE, message: format!("seatrial: {what}:\n{list}"), told: false }
}

fn refused(why: MergeError) -> Failure {
    Failure::usage(why)
}

/// The records that the arguments name.
fn open(args: &Args, context: &Context, problems: &mut Vec<String>) -> Vec<ShardRecord> {
    let mut paths = Vec::new();
    for run in &args.runs {
        let found = locate(&context.cwd.join(run));
        if found.is_empty() {
            problems.push(format!("there is no run at `{}`", run.display()));
        }
        paths.extend(found);
    }
    let mut records = Vec::new();
    for path in paths {
        let name = super::run::display(&path, &context.cwd);
        let plan = match record::plan(&path) {
            Ok(plan) => plan,
            Err(why) => {
                problems.push(why.to_string());
                continue;
            }
        };
        let Some(shard) = plan.shard.clone() else {
            problems.push(format!("{name} is a whole run, not a shard of one (`seatrial run --shard I/N`)"));
            continue;
        };
        match ShardRecord::open(Path::new(&name), plan, shard) {
            Ok(record) => records.push(record),
            Err(why) => problems.push(why.to_string()),
        }
    }
    records.sort_by_key(|r| r.shard.shard);
    records
}

/// The records that a path names: itself, that of the folder, or those of the folders in it.
fn locate(path: &Path) -> Vec<PathBuf> {
    let own = record::locate(path);
    if own.is_file() {
        return vec![own];
    }
    // `latest` is a link to one of the others.
    let folders = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    let folders = folders.filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
    let mut found: Vec<PathBuf> = folders.map(|e| e.path().join("run.jsonl")).filter(|p| p.is_file()).collect();
    found.sort();
    found
}

/// Whether the records are those of all shards of one run, each once, and all at their end.
fn complete(records: &[ShardRecord], problems: &mut Vec<String>) {
    let Some(first) = records.first() else { return };
    let mut by_index: BTreeMap<u32, Vec<&ShardRecord>> = BTreeMap::new();
    for record in records {
        let (shard, name) = (record.shard.shard, record.path.display());
        if shard.of != first.shard.shard.of {
            problems.push(format!("{name} is shard {shard}, {} is shard {}", first.path.display(), first.shard.shard));
        }
        if let Err(why) = &record.ended {
            problems.push(format!("shard {shard} ({name}) is not complete: {why}; end it with `--resume`"));
        }
        by_index.entry(shard.index).or_default().push(record);
    }
    for (index, same) in by_index.iter().filter(|(_, same)| same.len() > 1) {
        let names: Vec<String> = same.iter().map(|r| r.path.display().to_string()).collect();
        problems.push(format!("shard {index} is there {} times: {}", same.len(), names.join(", ")));
    }
    let missing: Vec<String> =
        (1..=first.shard.shard.of).filter(|i| !by_index.contains_key(i)).map(|i| i.to_string()).collect();
    if !missing.is_empty() {
        let (which, are) = if missing.len() == 1 { ("shard", "is") } else { ("shards", "are") };
        problems.push(format!("{which} {} of {} {are} missing", missing.join(", "), first.shard.shard.of));
    }
    let name = |r: &ShardRecord| format!("shard {}", r.shard.shard);
    for record in &records[1..] {
        problems.extend(same::differences(&first.plan, &record.plan, &name(first), &name(record)));
        if record.baselines != first.baselines {
            problems.push(format!("{} was compared with another baseline than {}", name(record), name(first)));
        }
        if record.shard.keep != first.shard.keep {
            problems.push(format!("{} keeps other sessions than {} (`--keep`)", name(record), name(first)));
        }
        for (suite, (a, b)) in first.plan.suites.iter().zip(first.ends.iter().zip(&record.ends)) {
            if let (Some(a), Some(b)) = (a, b)
                && (&a.files, &a.ignored, a.put_together) != (&b.files, &b.ignored, b.put_together)
            {
                let both = format!("{} and {}", name(first), name(record));
                problems.push(format!("suite `{}`: {both} have read different files", suite.name));
            }
        }
    }
}

/// The plan of the whole run.
fn whole(first: &ShardRecord, records: &[ShardRecord]) -> Plan {
    // Shards may begin on different days; the last one excuses least.
    let as_of = records.iter().filter_map(|r| r.plan.as_of.clone()).max();
    Plan { as_of, shard: None, ..first.plan.clone() }
}

/// Whether a suite has system checks to be asked.
fn has_system_checks(plan: &SuitePlan) -> bool {
    plan.checks.iter().any(|c| c.level == Level::System && !c.inactive)
}

/// Says that sessions which a shard kept are not there.
fn note_unkept(records: &[ShardRecord], context: &Context) {
    for record in records {
        let any = record.ends.iter().flatten().any(|end| end.kept.0 > 0);
        if any && !record.dir().join(kept::SESSIONS).is_file() {
            context.note(&format!(
                "seatrial: the kept sessions of shard {} ({}) are not there and are left out\n",
                record.shard.shard,
                kept::SESSIONS
            ));
        }
    }
}

/// What driving a suite and asking about it took in the shards is what it took in the whole.
fn take_over_spending(
    records: &[ShardRecord],
    index: usize,
    fold: &mut SuiteFold<'_>,
    record: &mut impl io::Write,
) -> io::Result<()> {
    let mut lines = Vec::new();
    for shard in records {
        for event in shard.driven.iter().filter(|event| event.suite as usize == index) {
            fold.drive(&event.driven);
            record::volatile(&mut lines, "driven", &Redacted::drawn(event))?;
        }
        for event in shard.spent.iter().filter(|event| event.suite as usize == index) {
            fold.spend(&event.checks);
            record::volatile(&mut lines, "spend", &Redacted::drawn(event))?;
        }
    }
    record.write_all(&lines)
}

/// Writes the record of the whole run, decides, and draws the reports.
fn decide(
    args: &Args,
    context: &Context,
    records: &[ShardRecord],
    plan: Plan,
    planned: &[Option<Planned<'_>>],
) -> Result<u8, Failure> {
    let recorded = records.first().map(|r| r.baselines.clone()).unwrap_or_default();
    let baselines = match args.baseline.is_given() {
        true => {
            let redactors = baselines::redactors(&plan.suites, context)?;
            baselines::read_again(&plan.suites, planned, &recorded, None, (context, &redactors))
        }
        false => recorded.into_iter().map(Redacted::drawn).collect(),
    };
    let redactor = context.redactor(plan.suites.iter().filter_map(|s| s.redact.as_ref()))?;
    let mut output = Output::begin(context, plan, redactor, &baselines, jiff::Timestamp::now())?;
    let baselines: Vec<BaselineEvent> = baselines.into_iter().map(Redacted::into_inner).collect();
    // What the shards have written has been through the rules.
    let written = Redactor::default();
    let plan = output.plan.clone();
    let mut kept = kept::Writer::new(&output.dir);
    let (never, mut stopped) = (AtomicBool::new(false), None);
    let mut bug = records.iter().any(|r| r.ended == Ok(exit::BUG));
    let (mut suites, mut ends) = (Vec::new(), Vec::new());
    let mut shards = Shards::open(records, &plan).map_err(refused)?;
    for (index, suite) in plan.suites.iter().enumerate() {
        let Some(end) = records.iter().find_map(|r| r.ends.get(index)?.as_ref()) else { continue };
        let files: Vec<RecordedFile> =
            end.files.iter().map(|name| RecordedFile { path: PathBuf::from(name), name: name.clone() }).collect();
        let system = planned.get(index).and_then(Option::as_ref);
        let mut fold = SuiteFold::new(suite, system.map_or(0, |p| p.columns.len()));
        let own = baselines.iter().filter(|b| b.suite as usize == index);
        fold.baselines = own.map(|b| (b.name.clone(), b.found.clone())).collect();
        take_over_spending(records, index, &mut fold, &mut output.record)
            .map_err(|e| Failure::write("the record", &e))?;
        let desk = Desk {
            index: index as u32,
            files: &files,
            ignored: &end.ignored,
            problems: &[],
            keep: records[0].shard.keep,
            shard: None,
            fail_fast: false,
            stop: &never,
            progress: &|_| (),
            redactor: &written,
        };
        let ask = |fold: &SuiteFold<'_>| -> (Vec<(u32, SystemFinding)>, bool) {
            system.map_or_else(|| (Vec::new(), false), |planned| system::decide(planned, fold))
        };
        let sinks = Sinks { record: &mut output.record, kept: &mut kept, past: None, live: None };
        let outcome = merge::suite(&mut shards, desk, &mut fold, sinks, &ask).map_err(refused)?;
        bug |= outcome.panicked;
        if let Some(Early::Write(why)) = &outcome.stopped {
            stopped.get_or_insert(format!("the record could not be written: {why}"));
        }
        let early = if outcome.stopped.is_some() { Stopped::Interrupted } else { Stopped::No };
        suites.push(gate::decide(&fold, &outcome.system, plan.as_of.as_deref(), early));
        ends.push(fold.end.take());
    }
    let shown = Shown { json: args.json, verbose: args.verbose, github: args.format.is_github() };
    output.close(context, shown, Ended { suites, ends, stopped, bug })
}
