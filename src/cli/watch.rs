//! `seatrial watch`: the suites that gate a deployment, applied to production.

mod reload;
mod summary;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::context::{Context, Failure, eprint};
use super::load;
use super::sessions;
use super::stored::Opened;
use crate::eval::exit;
use crate::model::duration;
use crate::net::webhook::send::Sender as Sends;
use crate::net::{client, secret};
use crate::notify::Courier;
use crate::receive::inbox::{Inbox, Limits, Recovered};
use crate::receive::spool::Left;
use crate::report::safe;
use crate::store::db::Store;
use crate::suite::settings;
use crate::watch::alerting::Alerting;
use crate::watch::clock::{Clock, System};
use crate::watch::export::Exporter;
use crate::watch::plan::Plan;
use crate::watch::sources::{Folder, Otlp, Source};
use crate::watch::status::{Server, TURN};
use crate::watch::watcher::{Keeping, Setup, Shared, WatchError, Watcher};

/// Arguments of `seatrial watch`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  seatrial watch suites/                                 what agents export, on the standard ports of OTLP
  seatrial watch suites/ --from /var/log/agents          a folder that grows, too: rotated, packed, read on
  seatrial watch suites/ --idle 30s --window 1m          for a look at the demo agent
  seatrial watch suites/ --listen off --from old --drain what is there, and then the end
  kill -HUP PID                                          reads suites and settings again; bad ones are refused

A session is over when a record says so (--end), when nothing of it has arrived for --idle, when it began --max-age ago or has \
become too large. More of it may come for --late: then it is evaluated anew, and what was said of it before no longer counts. \
What was received is on disk in --state before it is acknowledged; verdicts and windows are in the store. A process that was \
killed is followed by another one at the same place, and nothing is lost or counted twice.

At --status is a page for people; /metrics is for Prometheus, /healthz and /readyz for whoever looks after the process.

Exit codes: 0 on an orderly stop (an interrupt, or SIGTERM): what is going on stays on disk; 2 when it cannot begin.")]
pub struct Args {
    /// Suites: files, or folders in which every suite is taken.
    #[arg(required = true, value_name = "SUITE")]
    suites: Vec<PathBuf>,
    /// Where OTLP is received over HTTP: an address or a port of this machine, 0 for any free one, or `off`.
    #[arg(long, value_name = "ADDR", default_value = "4318", value_parser = listen)]
    listen: Listen,
    /// Where OTLP is received over gRPC.
    #[arg(long, value_name = "ADDR", default_value = "4317", value_parser = listen)]
    grpc: Listen,
    /// A folder that grows. May be given again.
    #[arg(long, value_name = "DIR")]
    from: Vec<PathBuf>,
    /// The folder of what was received and is not over yet.
    #[arg(long, value_name = "DIR", default_value = "watch")]
    state: PathBuf,
    /// Where it can be looked at: an address or a port of this machine, 0 for any free one, or `off`.
    #[arg(long, value_name = "ADDR", default_value = "9464", value_parser = listen)]
    status: Listen,
    /// The name under which people reach the page at --status, beside addresses and `localhost`.
    #[arg(long, value_name = "NAME")]
    status_host: Option<String>,
    /// Tell the backend at this address (OTLP over HTTP) of every verdict, as events `gen_ai.evaluation.result`.
    #[arg(long, value_name = "URL")]
    export: Option<String>,
    /// A session is over when nothing of it has arrived for so long.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    idle: Option<Duration>,
    /// A session is cut off when it began so long ago.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    max_age: Option<Duration>,
    /// An attribute (of any value but false) or event by which a record says that its session has ended. May be given again.
    #[arg(long = "end", value_name = "NAME")]
    ends: Vec<String>,
    /// For how long more of a session may come after it was over.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration::parse)]
    late: Duration,
    /// How long windows are.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    window: Option<Duration>,
    /// For how long what is known of sessions is kept.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration::parse)]
    keep: Duration,
    /// The attribute of spans that names their session, before the usual ones.
    #[arg(long, value_name = "NAME")]
    session_attribute: Option<String>,
    /// How large the folder of what was received may become. Beyond it, agents are told to come again.
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = bytes)]
    max_spool: usize,
    /// Largest request that is taken, unpacked.
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = bytes)]
    max_request: usize,
    /// Take everything that is there, judge it whether it is over or not, and end.
    #[arg(long)]
    drain: bool,
    /// Print one machine-readable line at the end.
    #[arg(long)]
    pub(super) json: bool,
}

/// Where to listen; nowhere where it is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listen(Option<SocketAddr>);

fn listen(text: &str) -> Result<Listen, String> {
    if text == "off" {
        return Ok(Listen(None));
    }
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let port = text.parse::<u16>().map(|port| SocketAddr::new(here, port));
    let address = port.or_else(|_| text.parse()).map_err(|_| {
        "an address such as 127.0.0.1:4318, a port such as 4318, 0 for any free port, or `off`".to_owned()
    })?;
    Ok(Listen(Some(address)))
}

fn bytes(text: &str) -> Result<usize, String> {
    settings::bytes(text).ok_or_else(|| "a size such as 64MiB".to_owned())
}

/// Set when it is to end: what waits for models ends, too.
static STOP: AtomicBool = AtomicBool::new(false);

/// How often it is looked whether there is something to do.
const TICK: Duration = Duration::from_millis(200);

/// How long a turn that failed waits to be taken again.
const AGAIN: Duration = Duration::from_secs(2);

/// How often the backend of the user is told of what is new.
const TELL: Duration = Duration::from_secs(2);

/// What comes from outside while it runs.
enum Told {
    Stop,
    Reload,
}

/// Watches until it is told to end.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    if args.listen.0.is_none() && args.grpc.0.is_none() && args.from.is_empty() {
        return Err(Failure::usage("nothing is watched: `--listen` and `--grpc` are off, and there is no `--from`"));
    }
    if args.window.is_some_and(|window| window < Duration::from_secs(1)) {
        return Err(Failure::usage("`--window`: at least a second"));
    }
    let plan = reload::plan(args, context)?;
    let state = context.cwd.join(&args.state);
    std::fs::create_dir_all(&state).map_err(|why| Failure::write(&args.state.to_string_lossy(), &why))?;
    let opened = context.needed_store()?;
    let clock: Arc<dyn Clock> = Arc::new(System);
    let (inbox, recovered) = inbox(args, context, &plan, &state)?;
    context.note(&told_of(recovered));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("watch").enable_all().build();
    let runtime = runtime.map_err(|why| Failure::new(exit::BUG, format_args!("no thread could be started: {why}")))?;
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    for folder in &args.from {
        sources.push(Box::new(folder_source(args, context, &opened, folder)?));
    }
    let (sender, told) = channel();
    signals(&runtime, sender)?;
    let otlp = runtime.block_on(Otlp::listen(&addresses(args), inbox.clone())).map_err(|(address, why)| {
        Failure::usage(format_args!("{address} cannot be listened at: {why} (`--listen` and `--grpc` choose others)"))
    })?;
    let outside = reload::outside(&plan, context, &state)?;
    let setup = Setup {
        inbox: inbox.clone(),
        store: opened.store().clone(),
        handle: opened.runtime().handle().clone(),
        clock: clock.clone(),
        sources,
        outside,
        admitting: Box::new(reload::sampling(&plan, &state)?),
        alerting: alerting(&state)?,
        jobs: context.settings.jobs.value,
        keeping: Keeping { late: args.late, rows: args.keep, ..Keeping::default() },
        stop: &STOP,
        plan,
    };
    let watcher = Watcher::open(setup).map_err(failure)?;
    let status = status(args, &runtime, &watcher.shared())?;
    deliver(&opened, context, &watcher.shared())?;
    if let Some(endpoint) = &args.export {
        export(&opened, endpoint, &watcher.shared(), clock)?;
    }
    // Not a note: who starts it must learn the ports.
    eprint(&where_it_is(args, &otlp, status.as_ref().map(Server::address), &opened));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    if let Some(status) = status {
        runtime.spawn(status.serve(async move { drop(stopped.await) }));
    }
    let ended = Running { args, context, state: &state, told: &told }.run(watcher, otlp, &runtime);
    drop(stop);
    runtime.shutdown_timeout(Duration::from_secs(3));
    let shared = ended?;
    if let Ok(inbox) = Arc::try_unwrap(inbox) {
        // What is on disk is taken up by the next who watches.
        let _ = inbox.close();
    }
    summary::tell(&shared, args.json, context)
}

/// What is there while it runs.
struct Running<'r> {
    args: &'r Args,
    context: &'r Context,
    state: &'r std::path::Path,
    told: &'r Receiver<Told>,
}

impl Running<'_> {
    /// Takes turns until it is told to end.
    fn run(&self, mut watcher: Watcher, otlp: Otlp, runtime: &Runtime) -> Result<Arc<Shared>, Failure> {
        let shared = watcher.shared();
        if self.args.drain {
            runtime.block_on(otlp.close());
            watcher.drain().map_err(failure)?;
            return Ok(shared);
        }
        loop {
            let pause = match watcher.turn() {
                Ok(more) => {
                    shared.trouble(TURN, None);
                    if more { Duration::ZERO } else { TICK }
                }
                Err(why) => {
                    shared.metrics.turn_errors.inc();
                    let said = why.to_string();
                    if lock_trouble(&shared).as_deref() != Some(&said) {
                        eprint(&format!("seatrial: {}; it is tried again\n", safe::line(&said)));
                    }
                    shared.trouble(TURN, Some(said));
                    AGAIN
                }
            };
            match self.told.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Told::Reload) => self.reload(&mut watcher),
                Ok(Told::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        runtime.block_on(otlp.close());
        // What is over is judged; what is going on stays on disk.
        if let Err(why) = watcher.turn() {
            eprint(&format!("seatrial: {}; it stays on disk\n", safe::line(&why.to_string())));
        }
        Ok(shared)
    }

    /// Reads suites and settings again; what is wrong with them is told, and the old ones go on.
    fn reload(&self, watcher: &mut Watcher) {
        let shared = watcher.shared();
        let mut again = || -> Result<_, Failure> {
            let context = self.context.again().map_err(|code| Failure { code, message: String::new(), told: true })?;
            let plan = reload::plan(self.args, &context)?;
            reload::fits(&shared, &plan)?;
            let outside = reload::outside(&plan, &context, self.state)?;
            let sampling = reload::sampling(&plan, self.state)?;
            let suites = plan.suites.len();
            watcher.reload(plan, outside, Box::new(sampling)).map_err(failure)?;
            Ok(suites)
        };
        match again() {
            Ok(suites) => {
                shared.metrics.reloaded("taken");
                shared.trouble("reload", None);
                eprint(&format!("seatrial: {suites} suites are watched from now on\n"));
            }
            Err(why) => {
                shared.metrics.reloaded("refused");
                shared.trouble("reload", Some("suites or settings were refused; the old ones go on".to_owned()));
                eprint(&format!("{}seatrial: refused; the old suites and settings go on\n", why.message));
            }
        }
    }
}

/// How alerts stand, as earlier processes kept it.
fn alerting(state: &std::path::Path) -> Result<Alerting, Failure> {
    Alerting::open(state).map_err(|why| {
        let file = state.join("alerts.json");
        let message = format_args!("`{}`, which says what fires, cannot be read: {why}", file.display());
        Failure::new(exit::INCOMPLETE, message)
    })
}

/// Delivers notices of alerts for as long as it runs.
fn deliver(opened: &Opened, context: &Context, shared: &Arc<Shared>) -> Result<(), Failure> {
    let channels = context.settings.channels.clone();
    let sender = Sends::new().map_err(|why| Failure::new(exit::INCOMPLETE, why))?;
    let program = std::env::current_exe().map_or_else(|_| "seatrial".to_owned(), |path| path.display().to_string());
    let (store, shared) = (opened.store().clone(), shared.clone());
    opened.runtime().spawn(async move {
        let now = || shared.clock.millis();
        let courier = Courier {
            store: &store,
            channels: &channels,
            sender: &sender,
            vars: &secret::of_environment,
            clock: &now,
            program: &program,
        };
        loop {
            match courier.send_all().await {
                Ok(delivered) => {
                    let why = |(to, why): (&String, &String)| format!("{to}: {why}");
                    let troubles: Vec<String> = delivered.troubles.iter().map(why).collect();
                    if delivered.sent > 0 || !troubles.is_empty() {
                        shared.trouble("notices", (!troubles.is_empty()).then(|| troubles.join("; ")));
                    }
                }
                Err(why) => shared.trouble("notices", Some(why.to_string())),
            }
            tokio::time::sleep(DELIVER).await;
        }
    });
    Ok(())
}

/// How often it is looked whether a notice is due.
const DELIVER: Duration = Duration::from_secs(1);

fn lock_trouble(shared: &Shared) -> Option<String> {
    crate::watch::watcher::lock(&shared.troubles).get(TURN).cloned()
}

fn inbox(
    args: &Args,
    context: &Context,
    plan: &Plan,
    state: &std::path::Path,
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
    // What is spooled is written without what the rules of all suites hide.
    let plans: Vec<_> = plan.suites.iter().filter_map(|watching| watching.suite.redactor.plan()).collect();
    let redactor = context.redactor(plans.iter())?;
    let (inbox, recovered) =
        Inbox::open(left, 0, limits, redactor, |_, _| ()).map_err(|why| Failure::new(exit::INCOMPLETE, why))?;
    Ok((Arc::new(inbox), recovered))
}

fn folder_source(args: &Args, context: &Context, opened: &Opened, folder: &std::path::Path) -> Result<Folder, Failure> {
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

fn addresses(args: &Args) -> Vec<SocketAddr> {
    if args.drain { Vec::new() } else { [args.listen, args.grpc].into_iter().filter_map(|listen| listen.0).collect() }
}

fn signals(runtime: &Runtime, sender: Sender<Told>) -> Result<(), Failure> {
    let _entered = runtime.enter();
    let bug = |why: std::io::Error| Failure::new(exit::BUG, why);
    let mut interrupt = super::signals::Interrupt::new().map_err(bug)?;
    let mut again = super::signals::Again::new().map_err(bug)?;
    runtime.spawn(async move {
        loop {
            let told = tokio::select! {
                () = interrupt.wait() => Told::Stop,
                () = again.wait() => Told::Reload,
            };
            if matches!(told, Told::Stop) {
                STOP.store(true, Ordering::Relaxed);
            }
            if sender.send(told).is_err() {
                return;
            }
        }
    });
    Ok(())
}

fn status(args: &Args, runtime: &Runtime, shared: &Arc<Shared>) -> Result<Option<Server>, Failure> {
    let Some(address) = args.status.0.filter(|_| !args.drain) else { return Ok(None) };
    let server = runtime.block_on(Server::listen(address, args.status_host.clone(), shared.clone()));
    server.map(Some).map_err(|why| {
        Failure::usage(format_args!("{address} cannot be listened at: {why} (`--status` chooses another)"))
    })
}

fn export(opened: &Opened, endpoint: &str, shared: &Arc<Shared>, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let client = client::client().map_err(|why| Failure::usage(format_args!("no request can be made: {why}")))?;
    let store: Store = opened.store().clone();
    let mut exporter = opened.wait(Exporter::open(client, endpoint, store))?;
    let shared = shared.clone();
    opened.runtime().spawn(async move {
        loop {
            match exporter.tell(clock.millis()).await {
                Ok(0) => {
                    shared.trouble("export", None);
                    tokio::time::sleep(TELL).await;
                }
                Ok(n) => {
                    shared.metrics.exported("taken", n);
                    shared.trouble("export", None);
                }
                Err(why) => {
                    shared.metrics.exported("failed", 1);
                    shared.trouble("export", Some(why.to_string()));
                    tokio::time::sleep(10 * TELL).await;
                }
            }
        }
    });
    Ok(())
}

fn where_it_is(args: &Args, otlp: &Otlp, status: Option<SocketAddr>, opened: &Opened) -> String {
    let mut said = String::new();
    let names = [("HTTP", args.listen), ("gRPC", args.grpc)].into_iter().filter(|(_, listen)| listen.0.is_some());
    for ((name, _), address) in names.zip(otlp.addresses()) {
        said.push_str(&format!("receiving OTLP/{name} at http://{address}\n"));
    }
    for folder in &args.from {
        said.push_str(&format!("reading {} as it grows\n", safe::line(&folder.to_string_lossy())));
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

fn told_of(recovered: Recovered) -> String {
    let torn = if recovered.torn > 0 { ", and one that was being received when it ended was cut off" } else { "" };
    match recovered.requests {
        0 => String::new(),
        1 => format!("1 request that an earlier process had received is taken up{torn}\n"),
        n => format!("{n} requests that an earlier process had received are taken up{torn}\n"),
    }
}
