//! What goes on beside the turns: notices are delivered, verdicts exported, the status pages served, signals heard.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Args, Heard, STOP};
use crate::cli::context::Failure;
use crate::cli::signals;
use crate::cli::stored::Opened;
use crate::eval::exit;
use crate::net::webhook::send::Sender as Sends;
use crate::net::{client, secret};
use crate::notify::Courier;
use crate::store::db::Store;
use crate::suite::settings::notify::Channel;
use crate::watch::clock::Clock;
use crate::watch::export::Exporter;
use crate::watch::status::Server;
use crate::watch::watcher::{Shared, lock};

/// Who is told of alerts, by name: the settings may be read again.
pub(super) type Told = Arc<Mutex<Arc<BTreeMap<String, Channel>>>>;

/// How often the backend of the user is told of what is new.
const TELL: Duration = Duration::from_secs(2);

/// How often it is looked whether a notice is due.
const DELIVER: Duration = Duration::from_secs(1);

/// How long what is due is waited for at the end of a drain.
const PARTING: Duration = Duration::from_secs(30);

/// How often it is looked meanwhile whether it is to end at once.
const LOOK: Duration = Duration::from_millis(100);

/// Notices on their way.
pub(super) struct Delivery {
    /// Set when nothing more will be put down.
    over: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Delivery {
    /// Sends what is due by now, and waits for that, but not for ever: what is not taken is kept for whoever comes next.
    /// What is to be said of it.
    pub(super) fn finish(self, opened: &Opened, shared: &Shared) -> Option<String> {
        let _ = self.over.send(true);
        let too_long = async {
            let began = Instant::now();
            while began.elapsed() < PARTING && !STOP.load(Ordering::Relaxed) {
                tokio::time::sleep(LOOK).await;
            }
        };
        let done = opened.runtime().block_on(async {
            tokio::select! {
                _ = self.task => true,
                () = too_long => false,
            }
        });
        let trouble = lock(&shared.troubles).get("notices").cloned();
        let why = trouble.or_else(|| (!done).then(|| "it was still under way".to_owned()))?;
        Some(format!("seatrial: not everybody was told of all alerts ({why}): the next process tells them\n"))
    }
}

/// Delivers notices of alerts for as long as it runs.
pub(super) fn deliver(opened: &Opened, channels: Told, shared: &Arc<Shared>) -> Result<Delivery, Failure> {
    let sender = Sends::new().map_err(|why| Failure::new(exit::INCOMPLETE, why))?;
    let program = std::env::current_exe().map_or_else(|_| "seatrial".to_owned(), |path| path.display().to_string());
    let (store, shared) = (opened.store().clone(), shared.clone());
    let (over, mut is_over) = watch::channel(false);
    let task = opened.runtime().spawn(async move {
        let now = || shared.clock.millis();
        loop {
            // Before it looks: what was put down until then is sent by this time at the latest.
            let last = *is_over.borrow_and_update();
            // Those of the settings that were read last.
            let channels = lock(&channels).clone();
            let courier = Courier {
                store: &store,
                channels: &channels,
                sender: &sender,
                vars: &secret::of_environment,
                clock: &now,
                program: &program,
            };
            match courier.send_all().await {
                Ok(delivered) => {
                    let counts =
                        [("sent", delivered.sent), ("again", delivered.again), ("given_up", delivered.given_up)];
                    counts.into_iter().for_each(|(result, n)| shared.metrics.notices(result, n));
                    let why = |(to, why): (&String, &String)| format!("{to}: {why}");
                    let troubles: Vec<String> = delivered.troubles.iter().map(why).collect();
                    if delivered.sent > 0 || !troubles.is_empty() {
                        shared.trouble("notices", (!troubles.is_empty()).then(|| troubles.join("; ")));
                    }
                }
                Err(why) => shared.trouble("notices", Some(why.to_string())),
            }
            if last {
                return;
            }
            // Nobody will say so where whoever would is gone.
            let said = async {
                if is_over.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = tokio::time::sleep(DELIVER) => {}
                () = said => {}
            }
        }
    });
    Ok(Delivery { over, task })
}

pub(super) fn export(
    opened: &Opened,
    endpoint: &str,
    shared: &Arc<Shared>,
    clock: Arc<dyn Clock>,
) -> Result<(), Failure> {
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

pub(super) fn status(args: &Args, runtime: &Runtime, shared: &Arc<Shared>) -> Result<Option<Server>, Failure> {
    let Some(address) = args.status.0.filter(|_| !args.drain) else { return Ok(None) };
    let server = runtime.block_on(Server::listen(address, args.status_host.clone(), shared.clone()));
    server.map(Some).map_err(|why| {
        Failure::usage(format_args!("{address} cannot be listened at: {why} (`--status` chooses another)"))
    })
}

pub(super) fn hear(runtime: &Runtime, sender: Sender<Heard>) -> Result<(), Failure> {
    let _entered = runtime.enter();
    let bug = |why: std::io::Error| Failure::new(exit::BUG, why);
    let mut interrupt = signals::Interrupt::new().map_err(bug)?;
    let mut again = signals::Again::new().map_err(bug)?;
    runtime.spawn(async move {
        loop {
            let told = tokio::select! {
                () = interrupt.wait() => Heard::Stop,
                () = again.wait() => Heard::Reload,
            };
            if matches!(told, Heard::Stop) {
                STOP.store(true, Ordering::Relaxed);
            }
            if sender.send(told).is_err() {
                return;
            }
        }
    });
    Ok(())
}
