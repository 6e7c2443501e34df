//! `seatrial watch`: the suites that gate a deployment, applied to production.

mod args;
mod beside;
mod reload;
mod running;
mod sources;
mod standing;
mod summary;

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use args::Args;

use self::running::Running;
use super::context::{Context, Failure, eprint};
use super::load;
use super::stored::Opened;
use crate::eval::exit;
use crate::report::safe;
use crate::watch::clock::{Clock, System};
use crate::watch::sources::{Otlp, Source};
use crate::watch::status::Server;
use crate::watch::watcher::{Keeping, Setup, WatchError, Watcher};

/// Set when it is to end: what waits for models ends, too.
static STOP: AtomicBool = AtomicBool::new(false);

/// What comes from outside while it runs.
enum Heard {
    Stop,
    Reload,
}

/// Watches until it is told to end.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    if args.listen.0.is_none() && args.grpc.0.is_none() && args.from.is_empty() {
        return Err(Failure::usage("nothing is watched: `--listen` and `--grpc` are off, and there is no `--from`"));
    }
    let plan = reload::plan(args, context)?;
    let state = context.cwd.join(&args.state);
    std::fs::create_dir_all(&state).map_err(|why| Failure::write(&args.state.to_string_lossy(), &why))?;
    let opened = context.needed_store()?;
    let clock: Arc<dyn Clock> = Arc::new(System);
    let (inbox, recovered) = standing::inbox(args, context, &plan, &state)?;
    context.note(&standing::told_of(recovered));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("watch").enable_all().build();
    let runtime = runtime.map_err(|why| Failure::new(exit::BUG, format_args!("no thread could be started: {why}")))?;
    let mut from: Vec<Box<dyn Source>> = Vec::new();
    for named in &args.from {
        from.push(sources::source(args, context, &opened, named)?);
    }
    let (sender, heard) = channel();
    beside::hear(&runtime, sender)?;
    let otlp = runtime.block_on(Otlp::listen(&addresses(args), inbox.clone())).map_err(|(address, why)| {
        Failure::usage(format_args!("{address} cannot be listened at: {why} (`--listen` and `--grpc` choose others)"))
    })?;
    let outside = reload::outside(&plan, context, &state)?;
    let joined = args.fleet.join(&[], &STOP)?;
    let away = joined.as_ref().map(|joined| joined.away(&plan, context)).transpose()?;
    let setup = Setup {
        inbox: inbox.clone(),
        store: opened.store().clone(),
        handle: opened.runtime().handle().clone(),
        clock: clock.clone(),
        sources: from,
        outside,
        away,
        admitting: Box::new(reload::sampling(&plan, &state)?),
        alerting: standing::alerting(&state)?,
        systems: standing::systems(&state)?,
        jobs: context.settings.jobs.value,
        keeping: Keeping { late: args.late, rows: args.keep, ..Keeping::default() },
        stop: &STOP,
        plan,
    };
    let watcher = Watcher::open(setup).map_err(failure)?;
    let status = beside::status(args, &runtime, &watcher.shared())?;
    let channels: beside::Told = Arc::new(Mutex::new(Arc::new(context.settings.channels.clone())));
    let delivery = beside::deliver(&opened, channels.clone(), &watcher.shared())?;
    if let Some(endpoint) = &args.export {
        beside::export(&opened, endpoint, &watcher.shared(), clock)?;
    }
    // Not a note: who starts it must learn the ports.
    eprint(&where_it_is(args, &otlp, status.as_ref().map(Server::address), &opened));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    if let Some(status) = status {
        runtime.spawn(status.serve(async move { drop(stopped.await) }));
    }
    let running = Running { args, context, state: &state, heard: &heard, channels, joined: joined.as_ref() };
    let ended = running.run(watcher, otlp, &runtime);
    drop(stop);
    if let Some(joined) = joined {
        joined.leave(context);
    }
    runtime.shutdown_timeout(Duration::from_secs(3));
    let shared = ended?;
    if args.drain
        && let Some(untold) = delivery.finish(&opened, &shared)
    {
        eprint(&safe::terminal(&untold));
    }
    if let Ok(inbox) = Arc::try_unwrap(inbox) {
        // What is on disk is taken up by the next who watches.
        let _ = inbox.close();
    }
    summary::tell(&shared, args.json, context)
}

fn addresses(args: &Args) -> Vec<SocketAddr> {
    if args.drain { Vec::new() } else { [args.listen, args.grpc].into_iter().filter_map(|listen| listen.0).collect() }
}

fn where_it_is(args: &Args, otlp: &Otlp, status: Option<SocketAddr>, opened: &Opened) -> String {
    let mut said = String::new();
    let names = [("HTTP", args.listen), ("gRPC", args.grpc)].into_iter().filter(|(_, listen)| listen.0.is_some());
    for ((name, _), address) in names.zip(otlp.addresses()) {
        said.push_str(&format!("receiving OTLP/{name} at http://{address}\n"));
    }
    for from in &args.from {
        said.push_str(&format!("{}\n", safe::line(&sources::shown(from))));
    }
    if let Some(status) = status {
        said.push_str(&format!("to be looked at: http://{status}/\n"));
    }
    said.push_str(&format!("verdicts go to {}\n", safe::line(opened.store().shown())));
    said
}

fn failure(error: WatchError) -> Failure {
    match error {
        WatchError::Store(why) => Failure::store(&why),
        other => Failure::new(exit::INCOMPLETE, other),
    }
}
