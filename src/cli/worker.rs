//! `seatrial worker`: judges sessions that others read.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::context::{Context, Failure, eprint};
use super::signals::Interrupt;
use crate::eval::exit;
use crate::fleet::address::Address;
use crate::fleet::bundle::{Own, VERSION};
use crate::fleet::queue::{Queue, QueueError};
use crate::fleet::status::Server;
use crate::fleet::worker::Worker;
use crate::redact::KEY_VARIABLE;
use crate::report::safe;

/// Arguments of `seatrial worker`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  seatrial worker nats://queue:4222                  as many hands as there are cores
  seatrial worker nats://queue:4222/nightly -j 2     two hands, for the fleet called `nightly`
  seatrial run suites/ --on nats://queue:4222        has its sessions judged by them

A worker keeps nothing, and any number of them may work side by side: what they are asked, and the suites, come through the \
queue (NATS JetStream). One that is killed has its work done by another. Work that ends every worker that takes it becomes a \
dead letter after some tries, and an error of its verdicts. A worker of another version, or whose suite would not be the very \
same, refuses the work.

/metrics at --status tells how much waits (seatrial_worker_queue_waiting): scale workers by it.

Exit codes: 0 on an orderly stop (an interrupt, or SIGTERM), when what it has in hand is done; 2 when it cannot begin.")]
pub struct Args {
    /// The NATS server, `nats://HOST[:PORT][/NAME]`.
    #[arg(value_name = "URL")]
    queue: Address,
    /// Portions of sessions that are judged at a time; as many as there are cores without it.
    #[arg(long, short, value_name = "N")]
    jobs: Option<usize>,
    /// Where it can be looked at: an address or a port of this machine, 0 for any free one, or `off`.
    #[arg(long, value_name = "ADDR", default_value = "off", value_parser = status)]
    status: Status,
}

/// Where to listen; nowhere where it is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Status(Option<SocketAddr>);

fn status(text: &str) -> Result<Status, String> {
    if text == "off" {
        return Ok(Status(None));
    }
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let port = text.parse::<u16>().map(|port| SocketAddr::new(here, port));
    let address = port.or_else(|_| text.parse());
    address
        .map(|address| Status(Some(address)))
        .map_err(|_| "an address such as 127.0.0.1:9465, a port such as 9465, 0 for any free port, or `off`".to_owned())
}

/// How long is waited for a server that is not there yet.
const AGAIN: Duration = Duration::from_secs(1);

/// Works until it is told to end.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let jobs = args.jobs.unwrap_or(context.settings.jobs.value).max(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(8 << 20)
        .thread_name("worker")
        .enable_all()
        .build()
        .map_err(|why| Failure::new(exit::BUG, format_args!("no thread could be started: {why}")))?;
    let ended = runtime.block_on(work(args, context, jobs));
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended.map(|()| exit::PASSED)
}

async fn work(args: &Args, context: &Context, jobs: usize) -> Result<(), Failure> {
    let mut interrupt = Interrupt::new().map_err(|why| Failure::new(exit::BUG, why))?;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut told = false;
    let queue = loop {
        match connect(args).await {
            Ok(queue) => break queue,
            Err(why @ QueueError::Unreachable { .. }) => {
                if !told {
                    eprint(&format!("seatrial: {}; it is tried again\n", safe::line(&why.to_string())));
                }
                told = true;
            }
            Err(why) => return Err(Failure::usage(why)),
        }
        tokio::select! {
            () = interrupt.wait() => return Ok(()),
            () = tokio::time::sleep(AGAIN) => {}
        }
    };
    let own = Own { key: std::env::var(KEY_VARIABLE).ok().filter(|key| !key.is_empty()) };
    let tell = Arc::new(|said: &str| eprint(&format!("seatrial: {}\n", safe::line(said))));
    let worker = Worker::new(queue, own, tell).await.map_err(Failure::usage)?;
    let metrics = worker.metrics.clone();
    let mut said = String::new();
    if let Some(address) = args.status.0 {
        let server = Server::listen(address, metrics.clone()).await.map_err(|why| {
            Failure::usage(format_args!("{address} cannot be listened at: {why} (`--status` chooses another)"))
        })?;
        said.push_str(&format!("to be looked at: http://{}/metrics\n", server.address()));
        tokio::spawn(server.serve());
    }
    said.push_str(&format!("working for {} with {jobs} hands, as seatrial {VERSION}\n", args.queue));
    // Not a note: who starts it must learn the port, and that it works.
    eprint(&said);
    tokio::spawn(async move {
        interrupt.wait().await;
        let _ = stop.send(true);
        // A second one ends it at once.
        interrupt.wait().await;
        std::process::exit(i32::from(exit::INCOMPLETE));
    });
    worker.work(jobs, stopped).await;
    context.note(&format!(
        "{} sessions judged in {} portions; {} given up, {} refused\n",
        metrics.sessions.get(),
        metrics.portions("done"),
        metrics.portions("dead"),
        metrics.portions("refused"),
    ));
    Ok(())
}

async fn connect(args: &Args) -> Result<Queue, QueueError> {
    let tell = Arc::new(|said: &str| eprint(&format!("seatrial: {}\n", safe::line(said))));
    Queue::connect(&args.queue, tell).await
}
