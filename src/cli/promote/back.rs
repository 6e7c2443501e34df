//! `seatrial promote rollback` and `alias`: what names point to is moved.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::context::{Context, Failure};
use super::desk::Desk;
use super::{desk, hooks, words};
use crate::eval::exit;
use crate::promote::book::BookError;
use crate::promote::event::{Event, Id, Version};
use crate::promote::state::{Promotion, Refused, State, Status};
use crate::report::safe;

/// Arguments of `seatrial promote rollback`.
#[derive(Debug, clap::Args)]
pub struct Rollback {
    /// The agent.
    #[arg(value_name = "AGENT")]
    agent: String,
    /// The target at which it is live.
    #[arg(long, value_name = "TARGET")]
    at: String,
    /// Back to this version, which was live there; without it, to the one before.
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The alert that does it; it must be one of the target's `rollback_on`.
    #[arg(long, value_name = "NAME")]
    alert: Option<String>,
    /// Who does it; else `reviewer` of the settings (SEATRIAL_REVIEWER), or git's `user.name`.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Print one machine-readable line instead.
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `seatrial promote alias`.
#[derive(Debug, clap::Args)]
pub struct Alias {
    /// The name, such as `champion`.
    #[arg(value_name = "NAME")]
    name: String,
    /// The version that it points to from now on; it must be approved.
    #[arg(value_name = "AGENT@VERSION", value_parser = Version::parse)]
    version: Version,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Who does it; else `reviewer` of the settings (SEATRIAL_REVIEWER), or git's `user.name`.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Print one machine-readable line instead.
    #[arg(long)]
    pub(super) json: bool,
}

/// Takes back what is live.
pub fn rollback(args: &Rollback, context: &Context) -> Result<u8, Failure> {
    let by = match &args.alert {
        // Nobody need be there at night.
        Some(_) => desk::submitter(args.by.as_deref(), context)?,
        None => desk::decider(args.by.as_deref(), context)?,
    };
    let target = context.settings.targets.get(&args.at);
    let desk = Desk::open(context)?;
    let before = desk.read()?;
    if target.is_none() && before.state.live(&args.agent, &args.at).is_none() {
        desk::target(&args.at, context)?;
    }
    let key = target.map(desk::Keys::of).transpose()?.and_then(|keys| keys.secret);
    let none = || format!("{} is not live at `{}`", args.agent, args.at);
    let live = before.state.live(&args.agent, &args.at).ok_or_else(|| desk::failure(BookError::Refused(none())))?;
    let said = desk.words_if_known(&args.reason, &live.submission);
    let book = desk.write(key.as_ref(), &BTreeMap::new(), &|book, now| {
        let state = &book.state;
        let from = state.live(&args.agent, &args.at).ok_or_else(none)?;
        same(&live.submission.promotion, &from.submission.promotion)?;
        let to = match &args.version {
            None => state.before(&args.agent, &args.at, now),
            Some(version) => state.promotions.iter().rev().find(|p| {
                let s = &p.submission;
                s.version.agent == args.agent && s.version.version == *version && s.target == args.at && p.holds(now)
            }),
        };
        let to = to.ok_or_else(|| match &args.version {
            None => format!(
                "no version was live at `{}` before {} that is still approved",
                args.at, from.submission.version
            ),
            Some(version) => {
                let version = Version { agent: args.agent.clone(), version: version.clone() };
                unapproved(state, &version, Some(&args.at))
            }
        })?;
        let (promotion, to) = (from.submission.promotion.clone(), to.submission.promotion.clone());
        let (reason, alert) = (said.clone(), args.alert.clone());
        Ok(vec![(by.clone(), Event::RolledBack { promotion, to, reason, alert })])
    })?;
    let rolled = book.log.last().map(|last| last.seq);
    let id = book.state.due().find(|due| Some(due.of) == rolled).map(|due| due.promotion.clone());
    let ran = match &id {
        Some(id) => hooks::run_due(&desk, &by, Some(id), &book)?,
        None => Vec::new(),
    };
    let code = if ran.iter().any(hooks::Ran::failed) { exit::INCOMPLETE } else { exit::PASSED };
    let live = book.state.live(&args.agent, &args.at).map(|p| p.submission.version.clone());
    let mut out = String::new();
    let words = live.as_ref().map_or_else(none, ToString::to_string);
    words::row(&mut out, "ROLLED BACK", &format!("{} is live at {} again", words, args.at));
    ran.iter().for_each(|ran| words::row(&mut out, ran.occasion.name(), &ran.words()));
    let log = if ran.is_empty() { book } else { desk.read()? };
    words::head(&log.log, &mut out);
    if args.json {
        let more = json!({
            "agent": args.agent, "target": args.at, "live": live.map(|v| v.version), "promotion": id,
            "hooks": hooks::values(&ran), "head": crate::promote::log::head(&log.log),
        });
        out = words::line(code, None, &more);
    }
    context.print(out.as_bytes(), code)
}

/// Moves a name.
pub fn alias(args: &Alias, context: &Context) -> Result<u8, Failure> {
    let by = desk::decider(args.by.as_deref(), context)?;
    let desk = Desk::open(context)?;
    let before = desk.read()?;
    if is_target(&args.name, &before.state, context) {
        return Err(Failure::usage(format_args!(
            "`{0}` is a target: `seatrial promote {1} --to {0}` goes there",
            safe::line(&args.name),
            args.version
        )));
    }
    if args.name.trim().is_empty()
        || args.name.len() > 100
        || args.name.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        return Err(Failure::usage("a name has no white space, and is no longer than 100 bytes"));
    }
    let newest = before.state.approved(&args.version, None, desk::now());
    let none = |state: &State| unapproved(state, &args.version, None);
    let newest = newest.ok_or_else(|| desk::failure(BookError::Refused(none(&before.state))))?;
    let newest = &newest.submission;
    let target = context.settings.targets.get(&newest.target);
    let said = desk.words(&args.reason, newest)?;
    let key = target.map(desk::Keys::of).transpose()?.and_then(|keys| keys.secret);
    let book = desk.write(key.as_ref(), &BTreeMap::new(), &|book, now| {
        let approved = book.state.approved(&args.version, None, now);
        let approved = approved.ok_or_else(|| none(&book.state))?;
        let promotion = approved.submission.promotion.clone();
        same(&newest.promotion, &promotion)?;
        let (alias, reason) = (args.name.clone(), said.clone());
        Ok(vec![(by.clone(), Event::Aliased { alias, promotion, reason })])
    })?;
    let mut out = String::new();
    words::row(&mut out, &args.name, &format!("is {}", args.version));
    words::head(&book.log, &mut out);
    if args.json {
        let version = &args.version;
        let more = json!({
            "alias": args.name, "agent": version.agent, "version": version.version,
            "head": crate::promote::log::head(&book.log),
        });
        out = words::line(exit::PASSED, None, &more);
    }
    context.print(out.as_bytes(), exit::PASSED)
}

/// That it is still about the promotion whose suites said what must not be written of the reason.
fn same(before: &Id, now: &Id) -> Result<(), Refused> {
    if before == now { Ok(()) } else { Err(format!("it was {before} that counted, and is {now} by now: try again")) }
}

/// Why a version counts as approved nowhere, or not for one target: how its newest promotion stands, and since when.
fn unapproved(state: &State, version: &Version, target: Option<&str>) -> String {
    let of = |p: &&Promotion| p.submission.version == *version && target.is_none_or(|t| p.submission.target == t);
    let place = target.map_or("any target".to_owned(), |target| format!("`{target}`"));
    let Some(newest) = state.promotions.iter().rev().find(of) else {
        return format!("{version} is not approved for {place}: nobody has submitted it");
    };
    let submission = &newest.submission;
    let id = &submission.promotion;
    match (newest.status, newest.expires) {
        (Status::Approved, Some(end)) => format!(
            "{version} is approved for {place} no more: its approval for `{}` ({id}) ended at {end}; submit it again",
            submission.target
        ),
        (status, _) => {
            format!("{version} is not approved for {place}: {id} to `{}` is {}", submission.target, status.name())
        }
    }
}

fn is_target(name: &str, state: &State, context: &Context) -> bool {
    context.settings.targets.contains_key(name) || state.promotions.iter().any(|p| p.submission.target == name)
}
