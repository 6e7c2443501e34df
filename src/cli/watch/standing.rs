//! What watching stands on, opened once: where telemetry waits, folders that grow, how alerts stood.

use std::path::Path;
use std::sync::Arc;

use super::Args;
use crate::cli::context::{Context, Failure};
use crate::cli::sessions;
use crate::cli::stored::Opened;
use crate::eval::exit;
use crate::receive::inbox::{Inbox, Limits, Recovered};
use crate::receive::spool::Left;
use crate::redact::Redactor;
use crate::watch::alerting::Alerting;
use crate::watch::plan::Plan;
use crate::watch::sources::Folder;
use crate::watch::system::Systems;

/// How alerts stand, as earlier processes kept it.
pub(super) fn alerting(state: &Path) -> Result<Alerting, Failure> {
    Alerting::open(state).map_err(|why| {
        let file = state.join("alerts.json");
        let message = format_args!("`{}`, which says what fires, cannot be read: {why}", file.display());
        Failure::new(exit::INCOMPLETE, message)
    })
}

/// What system checks said, as earlier processes put it down.
pub(super) fn systems(state: &Path) -> Result<Systems, Failure> {
    Systems::open(state).map_err(|why| {
        let message = format_args!("what system checks said (`{}`) cannot be read: {why}", state.display());
        Failure::new(exit::INCOMPLETE, message)
    })
}

/// What is taken out of what is spooled: all that the rules of any suite hide.
pub(super) fn hidden(context: &Context, plan: &Plan) -> Result<Redactor, Failure> {
    let plans: Vec<_> = plan.suites.iter().filter_map(|watching| watching.suite.redactor.plan()).collect();
    context.redactor(plans.iter())
}

pub(super) fn inbox(
    args: &Args,
    context: &Context,
    plan: &Plan,
    state: &Path,
) -> Result<(Arc<Inbox>, Recovered), Failure> {
    let settings = &context.settings;
    let spill_dir = settings.spill_dir.value.as_ref();
    let limits = Limits {
        request: args.max_request,
        at_once: args.max_request.saturating_mul(2).max(64 << 20),
        spool: args.max_spool as u64,
        memory: settings.spill_after.value,
        spill_dir: spill_dir.map_or_else(std::env::temp_dir, |dir| context.cwd.join(dir)),
        session_attribute: plan.session_attribute().cloned(),
        ends: plan.ends(),
        ..Limits::default()
    };
    let spool = state.join("spool");
    let left = Left::open(&spool).map_err(|why| match why.kind() {
        std::io::ErrorKind::WouldBlock => {
            Failure::usage(format_args!("another process watches with `{}` (`--state`)", args.state.display()))
        }
        _ => Failure::write(&spool.to_string_lossy(), &why),
    })?;
    let redactor = hidden(context, plan)?;
    let (inbox, recovered) =
        Inbox::open(left, 0, limits, redactor, |_, _| ()).map_err(|why| Failure::new(exit::INCOMPLETE, why))?;
    Ok((Arc::new(inbox), recovered))
}

pub(super) fn folder_source(args: &Args, context: &Context, opened: &Opened, folder: &Path) -> Result<Folder, Failure> {
    let root = context.cwd.join(folder);
    if !root.is_dir() {
        return Err(Failure::usage(format_args!("`{}` is no folder (`--from`)", folder.display())));
    }
    let options = sessions::read_options(&context.settings, None);
    let assemble = sessions::assemble_options(context, args.session_attribute.as_deref());
    let places = opened.wait(opened.store().places(&Folder::called(folder)))?;
    let mut source = Folder::new(root, Folder::called(folder), options, assemble, places);
    source.settled = args.drain;
    Ok(source)
}

pub(super) fn told_of(recovered: Recovered) -> String {
    let torn = if recovered.torn > 0 { ", and one that was being received when it ended was cut off" } else { "" };
    match recovered.requests {
        0 => String::new(),
        1 => format!("1 request that an earlier process had received is taken up{torn}\n"),
        n => format!("{n} requests that an earlier process had received are taken up{torn}\n"),
    }
}
