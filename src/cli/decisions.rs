//! What people decided, for the commands that decide or draw a run again: from the store, or from an export of it.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::context::{Context, Failure};
use super::stored::Opened;
use crate::eval::event::{Plan, SuitePlan};
use crate::eval::overlay::Ruling;
use crate::ledger::ItemKey;
use crate::model::digest::Digest;
use crate::report::replay::{self, Instead, Replayed};
use crate::report::safe;
use crate::review::rulings::{self, Decisions};
use crate::run::system;
use crate::store::db::StoreUrl;
use crate::store::record;

/// Where decisions of people come from.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Take what people decided from this export (`seatrial review export`) in the place of the store.
    #[arg(long, value_name = "FILE", conflicts_with = "no_labels")]
    pub labels: Option<PathBuf>,
    /// As the run left it, whatever people have decided since.
    #[arg(long)]
    no_labels: bool,
}

/// What people may have decided of a run.
pub struct Labels<'l> {
    context: &'l Context,
    /// The verdicts that went to them.
    keys: Vec<ItemKey>,
    source: Source,
    plan: &'l Plan,
}

enum Source {
    Nowhere,
    File(PathBuf),
    Store(Opened),
}

impl Args {
    /// What people may have decided of the run with this record. Where there is no store, nobody has decided anything.
    pub fn open<'l>(&self, path: &Path, plan: &'l Plan, context: &'l Context) -> Result<Labels<'l>, Failure> {
        let nowhere = |keys| Labels { context, keys, source: Source::Nowhere, plan };
        if self.no_labels {
            return Ok(nowhere(Vec::new()));
        }
        let keys = rulings::keys(path, plan).map_err(Failure::usage)?;
        let source = match &self.labels {
            _ if keys.is_empty() => Source::Nowhere,
            Some(file) => Source::File(context.cwd.join(file)),
            None => existing(context)?.map_or(Source::Nowhere, Source::Store),
        };
        Ok(Labels { source, ..nowhere(keys) })
    }
}

/// The store that the settings name, where there is one: to look into it makes none.
fn existing(context: &Context) -> Result<Option<Opened>, Failure> {
    match context.store_url()? {
        Some(StoreUrl::File(path)) if !path.exists() => Ok(None),
        None => Ok(None),
        Some(_) => context.store(),
    }
}

impl Labels<'_> {
    /// Whether they may change while somebody waits.
    pub fn may_change(&self) -> bool {
        matches!(self.source, Source::Store(_))
    }

    /// What was decided by now.
    pub fn decisions(&self) -> Result<Decisions, Failure> {
        let found = match &self.source {
            Source::Nowhere => return Ok(Decisions::default()),
            Source::File(file) => Decisions::read(file).map_err(Failure::usage)?,
            Source::Store(opened) => opened.wait(Decisions::fetch(opened.store(), &self.keys))?,
        };
        // What people wrote is written out with the rest: it goes through the rules of the run's suites.
        let redactor = self.context.redactor(self.plan.suites.iter().filter_map(|s| s.redact.as_ref()));
        Ok(found.with_comments(|comment| redactor.pass(&comment).map(std::borrow::Cow::into_owned).into_inner()))
    }

    /// Says what was not applied because the check behind it is another by now.
    pub fn note_outdated(&self, decisions: &Decisions) {
        let n = decisions.outdated(&self.keys);
        if n > 0 {
            let were = if n == 1 { "decision was" } else { "decisions were" };
            self.context.note(&safe::terminal(&format!(
                "seatrial: {n} {were} made over another version of a check or of its case and are not applied\n"
            )));
        }
    }
}

/// How many decisions were laid over a suite, and the digest over them, whatever their order.
pub type Applied = (u64, Digest);

/// A run, decided again.
pub struct Decided {
    /// With what people decided.
    pub replayed: Replayed,
    /// By suite, what was laid over; `None` where nothing was.
    pub applied: Vec<Option<Applied>>,
}

/// A run, decided again with what people have decided by now; `None` where they decided nothing.
pub fn decided(path: &Path, context: &Context) -> Result<Option<Decided>, Failure> {
    let plan = record::plan(path).map_err(Failure::usage)?;
    let labels = Args::default().open(path, &plan, context)?;
    let decisions = labels.decisions()?;
    if decisions.is_empty() {
        return Ok(None);
    }
    let of = |key: &ItemKey| decisions.of(key);
    let instead = Instead { rulings: Some(&of), revise: &system::decide_again, ..Instead::nothing(plan.clone()) };
    let replayed = replay::fold_instead(path, instead).map_err(Failure::usage)?;
    let applied = plan.suites.iter().map(|suite| over(&suite.name, &labels.keys, &decisions)).collect();
    Ok(Some(Decided { replayed, applied }))
}

/// What people decided of a suite's verdicts; `None` where they decided nothing.
fn over(suite: &str, keys: &[ItemKey], decisions: &Decisions) -> Option<Applied> {
    let line = |key: &ItemKey| {
        let ruling = decisions.of(key)?;
        Some(format!("{} {} {}\n", key.id(), ruling.status.name(), ruling.by.join(",")))
    };
    let mut lines: Vec<String> = keys.iter().filter(|key| key.suite == suite).filter_map(line).collect();
    lines.sort();
    (!lines.is_empty()).then(|| (lines.len() as u64, Digest::of(lines.concat().as_bytes())))
}

/// What people have decided of a run's verdicts by now, by suite; `None` where verdicts went to them and there is no store
/// to ask, or `ask` says that it is not asked.
pub fn applied(path: &Path, ask: bool, context: &Context) -> Result<Option<BTreeMap<String, Applied>>, Failure> {
    let plan = record::plan(path).map_err(Failure::usage)?;
    let labels = match ask {
        true => Args::default().open(path, &plan, context)?,
        false => Labels {
            context,
            keys: rulings::keys(path, &plan).map_err(Failure::usage)?,
            source: Source::Nowhere,
            plan: &plan,
        },
    };
    if !labels.keys.is_empty() && !labels.may_change() {
        return Ok(None);
    }
    let decisions = labels.decisions()?;
    let of = |suite: &SuitePlan| Some((suite.name.clone(), over(&suite.name, &labels.keys, &decisions)?));
    Ok(Some(plan.suites.iter().filter_map(of).collect()))
}

/// What people decided over runs that are only looked into, such as a baseline: the store is asked verdict by verdict, and
/// not opened where none went to a person.
pub struct Late<'l> {
    context: &'l Context,
    opened: OnceCell<Option<Opened>>,
}

impl<'l> Late<'l> {
    /// Nothing asked yet.
    pub fn new(context: &'l Context) -> Self {
        Self { context, opened: OnceCell::new() }
    }

    /// What was decided over a verdict. Where the store cannot be asked it stays as it was, which is said.
    pub fn of(&self, key: &ItemKey) -> Option<Ruling> {
        let told = |why: Failure| self.context.note(&format!("{}\n", why.message.trim_end()));
        let open = || existing(self.context).map_err(told).ok().flatten();
        let opened = self.opened.get_or_init(open).as_ref()?;
        let found = opened.wait(Decisions::fetch(opened.store(), std::slice::from_ref(key))).map_err(told).ok()?;
        let redactor = self.context.redactor(std::iter::empty());
        let pass = |comment: String| redactor.pass(&comment).map(std::borrow::Cow::into_owned).into_inner();
        found.with_comments(pass).of(key)
    }
}
