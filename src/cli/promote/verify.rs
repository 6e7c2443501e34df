//! `seatrial promote verify`: whether an approval still holds, by what is there now. Nothing is asked of any network but the
//! store, and not even that with what was exported.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::context::{Context, Failure};
use super::at_hand::Here;
use super::desk::Desk;
use super::{desk, words};
use crate::eval::exit;
use crate::model::digest::Digest;
use crate::promote::book::{BookError, Exported, Shelf};
use crate::promote::event::{Id, Version};
use crate::promote::keys::Public;
use crate::promote::log::Sealed;
use crate::promote::state::{Promotion, State};
use crate::promote::verify::{self, Found, Looked, Now};
use crate::report::safe;

/// Arguments of `seatrial promote verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial promote verify airline@1.4 --to prod --artifact image.tar    before it is deployed
  seatrial promote verify --head sha256:...                             the log alone
  seatrial promote verify airline@1.4 --to prod --from evidence/ --trusted-key ci.pub.pem

Ends with 0 when everything is as it was approved, 1 when anything is not (the approval is void), and 4 when something is \
not at hand and could not be looked at.")]
pub struct Args {
    /// The version; without it, only the log is looked at.
    #[arg(value_name = "AGENT@VERSION", value_parser = Version::parse, requires = "to")]
    version: Option<Version>,
    /// The target.
    #[arg(long, value_name = "TARGET", requires = "version")]
    to: Option<String>,
    /// What is deployed: its digest as `sha256:<hex>`, or a file.
    #[arg(long, value_name = "DIGEST|FILE", requires = "version")]
    artifact: Option<String>,
    /// A head of the log that was kept elsewhere; without one, a log whose end was cut off looks like a shorter one.
    #[arg(long, value_name = "DIGEST")]
    head: Option<String>,
    /// Read what `promote log --export` wrote, in the place of the store: its folder, or its log.jsonl.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// A file of a public key that is trusted, in the place of those that the settings name; may be repeated.
    #[arg(long = "trusted-key", value_name = "FILE")]
    trusted: Vec<PathBuf>,
    /// End with 0 although something is not at hand: it is listed.
    #[arg(long)]
    allow_absent: bool,
    /// Print one machine-readable line instead.
    #[arg(long)]
    pub(super) json: bool,
}

/// Verifies.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let artifact = args.artifact.as_deref().map(|given| desk::artifact(given, context)).transpose()?;
    let head = args.head.as_deref().map(|text| {
        let digest = serde_json::from_value::<Digest>(text.into());
        digest.map_err(|_| Failure::usage(format_args!("`{}` is no head: `sha256:` and 64 digits", safe::line(text))))
    });
    let head = head.transpose()?;
    let given: Vec<Public> =
        args.trusted.iter().map(|path| desk::public_key(&context.cwd.join(path))).collect::<Result<_, _>>()?;
    let source = match &args.from {
        Some(dir) => Source::Exported(Exported::at(&context.cwd.join(dir))),
        None => Source::Store(Desk::open(context)?),
    };
    let log = source.log()?;
    let (mut looked, state) = match log {
        Ok(log) => {
            let (looked, state) = verify::whole(&log, head.as_ref());
            (looked, state.map(|state| (state, log)))
        }
        // A line of an exported log that is none.
        Err(why) => (vec![Looked { what: "log".to_owned(), found: Found::Void(why) }], None),
    };
    if let Some((state, log)) = &state {
        match (&args.version, &args.to) {
            (Some(version), Some(to)) => {
                of_version(args, (version, to), artifact, &given, &source, (state, log), context, &mut looked)?;
            }
            _ => signatures(&given, (state, log), context, &mut looked)?,
        }
    }
    tell(args, context, &looked, state.as_ref().map(|(_, log)| log.as_slice()))
}

/// Where the log is read.
enum Source<'c> {
    Store(Desk<'c>),
    Exported(Exported),
}

impl Source<'_> {
    /// The log; or why it is none.
    fn log(&self) -> Result<Result<Vec<Sealed>, String>, Failure> {
        let read = match self {
            Self::Store(desk) => desk.wait(Shelf::log(desk.store())),
            Self::Exported(exported) => wait()?.block_on(exported.log()),
        };
        match read {
            Ok(log) => Ok(Ok(log)),
            Err(BookError::Broken(why)) => Ok(Err(why.to_string())),
            Err(why) => Err(desk::failure(why)),
        }
    }

    fn evidence(&self, digest: &Digest) -> Result<Option<String>, Failure> {
        match self {
            Self::Store(desk) => desk.evidence(digest),
            Self::Exported(exported) => wait()?.block_on(exported.evidence(digest)).map_err(desk::failure),
        }
    }
}

fn wait() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_current_thread().build();
    built.map_err(|why| Failure::new(exit::BUG, format_args!("no runtime: {why}")))
}

/// The keys that are trusted for a target: those given, else those of the settings; `None` where nothing has to be signed.
fn trusted(given: &[Public], target: &str, context: &Context) -> Result<Option<Vec<Public>>, Failure> {
    if !given.is_empty() {
        return Ok(Some(given.to_vec()));
    }
    context.settings.targets.get(target).map_or(Ok(None), desk::trusted)
}

/// Everything about one version at a target.
#[expect(clippy::too_many_arguments, reason = "what is looked at, and by what")]
fn of_version(
    args: &Args,
    (version, to): (&Version, &str),
    artifact: Option<Digest>,
    given: &[Public],
    source: &Source<'_>,
    (state, log): (&State, &[Sealed]),
    context: &Context,
    looked: &mut Vec<Looked>,
) -> Result<(), Failure> {
    let Some(promotion) = verify::which(state, version, to) else {
        let what = format!("approval of {version} to `{to}`");
        looked.push(Looked { what, found: Found::Void("nobody ever submitted it".to_owned()) });
        return Ok(());
    };
    let trusted = trusted(given, to, context)?;
    looked.push(verify::approval(promotion, desk::now()));
    if let Some(trusted) = &trusted {
        let of = |id: &Id| *id == promotion.submission.promotion;
        looked.extend(verify::signatures(log, &of, trusted));
    }
    let submission = &promotion.submission;
    let (gate, envelope) = (source.evidence(&submission.gate)?, source.evidence(&submission.statement)?);
    let target = context.settings.targets.get(to);
    let here = Here { context, store: matches!(source, Source::Store(_)) };
    let now = Now { rules: target.map(|target| &target.rules), trusted: trusted.as_deref(), artifact, at_hand: &here };
    looked.extend(verify::evidence(submission, gate.as_deref(), envelope.as_deref(), &now));
    if !args.json {
        live(promotion, state, context);
    }
    Ok(())
}

/// Notes when another version is live.
fn live(promotion: &Promotion, state: &State, context: &Context) {
    let submission = &promotion.submission;
    match state.live(&submission.version.agent, &submission.target) {
        Some(live) if live.submission.promotion != submission.promotion => {
            let live = &live.submission;
            context.note(&safe::terminal(&format!("seatrial: {} is live at {} now\n", live.version, live.target)));
        }
        _ => {}
    }
}

/// The signatures of all entries, of targets for which keys are trusted.
fn signatures(
    given: &[Public],
    (state, log): (&State, &[Sealed]),
    context: &Context,
    looked: &mut Vec<Looked>,
) -> Result<(), Failure> {
    let mut targets: Vec<&str> = state.promotions.iter().map(|p| p.submission.target.as_str()).collect();
    targets.sort_unstable();
    targets.dedup();
    for target in targets {
        let of = |id: &Id| state.promotion(id).is_some_and(|p| p.submission.target == target);
        if let Some(trusted) = trusted(given, target, context)? {
            looked.extend(verify::signatures(log, &of, &trusted));
        }
    }
    Ok(())
}

/// Says what was found.
fn tell(args: &Args, context: &Context, looked: &[Looked], log: Option<&[Sealed]>) -> Result<u8, Failure> {
    let any = |of: fn(&Found) -> bool| looked.iter().any(|looked| of(&looked.found));
    let code = if any(|found| matches!(found, Found::Void(_))) {
        exit::FAILED
    } else if any(|found| matches!(found, Found::Absent(_))) && !args.allow_absent {
        exit::NOT_SHOWN
    } else {
        exit::PASSED
    };
    if args.json {
        let values: Vec<Value> = looked
            .iter()
            .map(|looked| match &looked.found {
                Found::Same => json!({ "what": looked.what, "found": "same" }),
                Found::Void(why) => json!({ "what": looked.what, "found": "void", "why": why }),
                Found::Absent(why) => json!({ "what": looked.what, "found": "absent", "why": why }),
            })
            .collect();
        let more = json!({ "looked": values, "head": log.map(crate::promote::log::head) });
        return context.print(words::line(code, None, &more).as_bytes(), code);
    }
    let mut out = String::new();
    // What is wrong comes first.
    let rank = |found: &Found| match found {
        Found::Void(_) => 0,
        Found::Absent(_) => 1,
        Found::Same => 2,
    };
    let mut sorted: Vec<&Looked> = looked.iter().collect();
    sorted.sort_by_key(|looked| rank(&looked.found));
    for looked in sorted {
        match &looked.found {
            Found::Same => words::row(&mut out, "same", &looked.what),
            Found::Void(why) => words::row(&mut out, "VOID", &format!("{}: {why}", looked.what)),
            Found::Absent(why) => words::row(&mut out, "not there", &format!("{}: {why}", looked.what)),
        }
    }
    let verdict = match code {
        exit::PASSED => "VERIFIED",
        exit::FAILED => "NOT VERIFIED",
        _ => "NOT SHOWN: something is not at hand (`--allow-absent` lets it pass)",
    };
    let _ = writeln!(out, "\n{verdict}");
    if args.head.is_none() && log.is_some() {
        out.push_str("a log whose end was cut off shows only by a head that was kept elsewhere (`--head`)\n");
    }
    context.print(out.as_bytes(), code)
}
