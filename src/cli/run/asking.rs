//! The models that a run may ask: which its checks name, opened with their secrets before anything is run, and what is
//! known of their answers already.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tempfile::TempPath;
use tokio::runtime::{Builder, Runtime};

use crate::checks::askable::Asked;
use crate::cli::context::{Context, Failure};
use crate::endpoints::{Endpoint, Opened};
use crate::eval::exit;
use crate::eval::plan::Planned;
use crate::evidence::asker::{Asker, Sources, at_once};
use crate::evidence::cache::Cache;
use crate::evidence::desk::{self, Desk};
use crate::evidence::past::Past;
use crate::evidence::question::{Kind, Name};
use crate::evidence::{journal, lasting};
use crate::net::budget::{Budget, Limits};
use crate::net::{client, secret};
use crate::process::{self, TooFew};
use crate::report::safe;
use crate::sources::RecordedFile;
use crate::suite::settings::{Behind, OwnModels, Settings};

/// What the command line says of asking.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Take the answers of models from the evidence of an earlier run and ask nobody: what is not there is an error.
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    evidence: Option<PathBuf>,
    /// Whoever asks has no end: nothing is looked up in a cache, or kept in one.
    #[arg(skip)]
    lasting: bool,
}

impl Args {
    /// Those of whoever has no end.
    pub fn lasting() -> Self {
        Self { lasting: true, ..Self::default() }
    }
}

/// What the settings let a run spend.
pub fn budget(settings: &Settings) -> Budget {
    Budget::new(Limits { cost: settings.max_cost_usd.value, tokens: settings.max_tokens.value })
}

/// Everything that asking stands on, but for the folder of the run.
pub struct Prepared {
    runtime: Runtime,
    desks: HashMap<Name, Desk>,
    identities: HashMap<Name, String>,
    evidence: Option<Past>,
    cache: Option<Cache>,
    budget: Budget,
    stop: &'static AtomicBool,
}

/// Looks which models the checks of a run name and gets ready to ask them; `None` where there are none.
///
/// # Errors
/// A secret is not set, the cache or the evidence cannot be used, or a limit cannot be kept to: all that is wrong.
pub fn prepare(
    planned: &[Planned<'_>],
    args: &Args,
    context: &Context,
    budget: Budget,
    stop: &'static AtomicBool,
) -> Result<Option<Prepared>, Failure> {
    let models = &context.settings.models;
    let needed = needed(planned, models);
    if needed.is_empty() {
        return Ok(None);
    }
    let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("asking").enable_all().build();
    let runtime = runtime.map_err(|e| Failure::new(exit::BUG, format_args!("no thread could be started: {e}")))?;
    let mut wrong: Vec<String> = Vec::new();
    let evidence = args.evidence.as_ref().map(|run| Past::open(&context.cwd.join(run)));
    let evidence = evidence.transpose().unwrap_or_else(|why| {
        wrong.push(format!("--evidence: {why}"));
        None
    });
    let mut desks = HashMap::new();
    let mut cache = None;
    if args.evidence.is_none() {
        desks = open(&needed, models, context, &budget, &mut wrong);
        let questions = at_once(&desks);
        if let Err(TooFew { wanted, allowed }) = process::open_files(questions as u64) {
            wrong.push(format!(
                "{questions} questions to models at once may need {wanted} open files, and the system allows {allowed}: \
                 raise the limit (`ulimit -n`), or set a lower `concurrency` for the models"
            ));
        }
        let cached = context.settings.cache.value.as_ref().filter(|_| !args.lasting);
        let path = cached.map(|path| context.cwd.join(path));
        match path.map(|path| runtime.block_on(Cache::open(&path))).transpose() {
            Ok(opened) => cache = opened,
            Err(why) => wrong.push(format!("{why}; delete the file, or run with `--cache off`")),
        }
    }
    if !wrong.is_empty() {
        let lines: String = wrong.iter().map(|why| format!("seatrial: {}\n", safe::terminal(why))).collect();
        return Err(Failure { code: exit::USAGE, message: lines, told: false });
    }
    let identities = identities(models);
    Ok(Some(Prepared { runtime, desks, identities, evidence, cache, budget, stop }))
}

impl Prepared {
    /// Begins to ask, for a run in this folder; a run that is continued has its own evidence.
    pub fn begin(self, dir: &Path, resumed: bool) -> Result<Asker, Failure> {
        let Self { runtime, desks, identities, evidence, cache, budget, stop } = self;
        let offline = evidence.is_some();
        let continued = resumed && dir.join(journal::FILE_NAME).exists();
        let evidence = match evidence {
            None if continued => {
                let mut past = Past::open(dir).map_err(Failure::usage)?;
                budget.already(past.spent(budget.limits()).map_err(Failure::usage)?);
                Some(past)
            }
            evidence => evidence,
        };
        let sources = Sources { desks, identities, evidence, offline, continued, cache, budget, stop };
        let asker = Asker::new(sources, runtime);
        asker.write_to(dir).map_err(|e| Failure::write(journal::FILE_NAME, &e))?;
        Ok(asker)
    }
}

impl Prepared {
    /// Begins to ask for whoever has no end: nothing is kept for later runs, evidence has a limited size, and an endpoint
    /// that failed is tried again.
    pub fn begin_lasting(self, dir: &Path) -> Result<Asker, Failure> {
        let Self { runtime, desks, identities, evidence: _, cache: _, budget, stop } = self;
        let desks = desks.into_iter().map(|(name, desk)| (name, desk.resting(lasting::REST))).collect();
        let sources =
            Sources { desks, identities, evidence: None, offline: false, continued: false, cache: None, budget, stop };
        let asker = Asker::new(sources, runtime);
        asker.write_on(dir).map_err(|e| Failure::write(journal::FILE_NAME, &e))?;
        Ok(asker)
    }
}

/// The models that the active checks name.
fn needed(planned: &[Planned<'_>], models: &OwnModels) -> BTreeSet<Name> {
    let mut needed = BTreeSet::new();
    for planned in planned {
        let active = planned.suite.checks.iter().zip(&planned.plan.checks).filter(|(_, plan)| !plan.inactive);
        for asked in active.flat_map(|(check, _)| &check.asks) {
            let (kind, named, tables) = match asked {
                Asked::Judge(name) => (Kind::Judge, name, &models.judges),
                Asked::Embedding(name) => (Kind::Embedding, name, &models.embeddings),
                Asked::Earlier => continue,
            };
            // A template may name any of them.
            let any = named.contains("{{") || named.contains("{%");
            for (name, own) in tables.iter().filter(|(name, _)| any || *name == named) {
                let names: Vec<&str> = match &own.behind {
                    Behind::Endpoint(_) => vec![name],
                    Behind::Panel(members) => members.iter().map(String::as_str).collect(),
                };
                needed.extend(names.into_iter().map(|name| Name { kind, name: name.into() }));
            }
        }
    }
    needed
}

fn endpoint<'m>(name: &Name, models: &'m OwnModels) -> Option<&'m Arc<Endpoint>> {
    match name.kind {
        Kind::Judge => models.judge(&name.name),
        Kind::Embedding => models.embedding(&name.name),
    }
}

/// Opens endpoints; what is wrong is added.
pub(super) fn open(
    needed: &BTreeSet<Name>,
    models: &OwnModels,
    context: &Context,
    budget: &Budget,
    wrong: &mut Vec<String>,
) -> HashMap<Name, Desk> {
    let http = match client::client() {
        Ok(http) => http,
        Err(why) => {
            wrong.push(format!("no request can be made: {why}"));
            return HashMap::new();
        }
    };
    let mut desks = HashMap::new();
    for name in needed {
        let Some(endpoint) = endpoint(name, models) else { continue };
        if budget.limits().cost.is_some() && context.kit.prices.find(&endpoint.model).is_none() {
            wrong.push(format!("[{name}]: {}", desk::unpriced(&endpoint.model)));
        }
        match Opened::new(endpoint.clone(), http.clone(), &secret::of_environment) {
            Ok(opened) => {
                desks.insert(name.clone(), Desk::new(opened, context.kit.prices.clone()));
            }
            Err(why) => wrong.push(format!("[{name}] cannot be asked: {why}")),
        }
    }
    desks
}

/// What is part of the keys of each model's questions.
fn identities(models: &OwnModels) -> HashMap<Name, String> {
    let judges = models.judges.keys().map(|name| Name { kind: Kind::Judge, name: name.as_str().into() });
    let embeddings = models.embeddings.keys().map(|name| Name { kind: Kind::Embedding, name: name.as_str().into() });
    let identity = |name: Name| {
        let identity = endpoint(&name, models)?.identity().to_string();
        Some((name, identity))
    };
    judges.chain(embeddings).filter_map(identity).collect()
}

/// Standard input among the files, put into a file: it is read more than once. The file is gone when this is dropped.
pub fn spooled(files: &mut [RecordedFile], folder: &Path) -> io::Result<Option<TempPath>> {
    let Some(piped) = files.iter_mut().find(|f| f.path.as_os_str() == "-") else { return Ok(None) };
    let mut spool = tempfile::NamedTempFile::new_in(folder)?;
    io::copy(&mut io::stdin().lock(), &mut spool)?;
    piped.path = spool.path().to_owned();
    Ok(Some(spool.into_temp_path()))
}
