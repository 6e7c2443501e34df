//! What people decided, for the commands that decide or draw a run again: from the store, or from an export of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::context::{Context, Failure};
use super::run::display;
use super::stored::Opened;
use crate::checks::system::words;
use crate::eval::event::{Plan, SuitePlan};
use crate::ledger::ItemKey;
use crate::model::digest::Digest;
use crate::report::replay::{self, Instead, Replayed};
use crate::report::safe;
use crate::review::rulings::{self, Decisions};
use crate::run::system;
use crate::store::db::StoreUrl;
use crate::store::record;
use crate::suite::settings::Origin;

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
        let source = self.source(&keys, context)?;
        Ok(Labels { source, ..nowhere(keys) })
    }

    fn source(&self, keys: &[ItemKey], context: &Context) -> Result<Source, Failure> {
        match &self.labels {
            Some(file) => Ok(Source::File(context.cwd.join(file))),
            None => of_store(keys, context),
        }
    }

    /// What people decided over a run that is only looked into, such as a baseline. Nothing is asked where none of its
    /// verdicts could go to a person. Of a record that cannot be read nothing is known here: whoever reads it says why.
    ///
    /// # Errors
    /// What was decided cannot be read: that is not the same as that nothing was.
    pub fn earlier(&self, path: &Path, context: &Context) -> Result<Decisions, Failure> {
        let path = record::locate(path);
        let Ok(plan) = record::plan(&path) else { return Ok(Decisions::default()) };
        let reviewed = plan.suites.iter().flat_map(|suite| &suite.checks).any(|check| check.review.is_some());
        if self.no_labels || !reviewed {
            return Ok(Decisions::default());
        }
        let Ok(keys) = rulings::keys(&path, &plan) else { return Ok(Decisions::default()) };
        let source = self.source(&keys, context)?;
        Labels { context, keys, source, plan: &plan }.decisions()
    }
}

/// The store that the settings name, where something may have been decided; to look for one makes none.
fn of_store(keys: &[ItemKey], context: &Context) -> Result<Source, Failure> {
    if keys.is_empty() {
        return Ok(Source::Nowhere);
    }
    if let Some(StoreUrl::File(path)) = context.store_url()?
        && matches!(path.try_exists(), Ok(false))
    {
        return missing(&path, keys.len(), context);
    }
    Ok(context.store()?.map_or(Source::Nowhere, Source::Store))
}

/// There is no such store. One that somebody named holds what was decided, wherever it is by now; the usual one is made by
/// the first run that sends something, so that without it nobody has decided anything here.
fn missing(path: &Path, keys: usize, context: &Context) -> Result<Source, Failure> {
    let origin = &context.settings.store.origin;
    let (path, verdicts) = (display(path, &context.cwd), words::counted(keys as u64, "verdict"));
    if *origin == Origin::Default {
        let note = format!(
            "seatrial: there is no store at `{path}`: nothing that people decided over {verdicts} is known here\n"
        );
        context.note(&safe::terminal(&note));
        return Ok(Source::Nowhere);
    }
    Err(Failure::usage(safe::terminal(&format!(
        "there is no store at `{path}` ({origin}), and {verdicts} went to people: what they decided is not known\nhelp: put \
         the store there; `seatrial gate` and `report` take an export by --labels, and --no-labels decides without people"
    ))))
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
        let redactor = self.context.redactor(self.plan.suites.iter().filter_map(|s| s.redact.as_ref()))?;
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

/// A run, decided again.
pub struct Decided {
    /// With what people decided.
    pub replayed: Replayed,
    /// By suite, the digest over what people have said that decides or contests, whatever its order; `None` where nothing was.
    pub said: Vec<Option<Digest>>,
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
    let said = plan.suites.iter().map(|suite| over(&suite.name, &labels.keys, &decisions)).collect();
    Ok(Some(Decided { replayed, said }))
}

/// The digest over what people decided of a suite's verdicts, and over whose fail stands where it is not decided; `None` of
/// neither.
fn over(suite: &str, keys: &[ItemKey], decisions: &Decisions) -> Option<Digest> {
    let line = |key: &ItemKey| {
        let ruling = decisions.of(key)?;
        Some(format!("{} {} {}\n", key.id(), ruling.status.name(), ruling.by.join(",")))
    };
    let mut lines: Vec<String> = keys.iter().filter(|key| key.suite == suite).filter_map(line).collect();
    lines.sort();
    (!lines.is_empty()).then(|| Digest::of(lines.concat().as_bytes()))
}

/// What people have decided of a run's verdicts by now, by suite; `None` where verdicts went to them and there is no store
/// to ask, or `ask` says that it is not asked.
pub fn applied(path: &Path, ask: bool, context: &Context) -> Result<Option<BTreeMap<String, Digest>>, Failure> {
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
