//! Arguments of `seatrial watch`, and what they may be.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::run::fleet;
use crate::model::duration;
use crate::suite::{settings, watch};

/// Arguments of `seatrial watch`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  seatrial watch suites/                                 what agents export, on the standard ports of OTLP
  seatrial watch suites/ --from /var/log/agents          a folder that grows, too: rotated, packed, read on
  seatrial watch suites/ --from nats://queue/SESSIONS    a session a message
  seatrial watch suites/ --on nats://queue               judged by any number of `seatrial worker`
  seatrial watch suites/ --idle 30s --window 1m          for a look at the demo agent
  seatrial watch suites/ --listen off --from old --drain what is there, and then the end
  kill -HUP PID                                          reads suites and settings again; bad ones are refused

A session is over when a record says so (--end), when nothing of it has arrived for --idle, when it began --max-age ago or has \
become too large. More of it may come for --late: then it is evaluated anew, and what was said of it before no longer counts. \
What was received is on disk in --state before it is acknowledged; verdicts and windows are in the store. A process that was \
killed is followed by another one at the same place, and nothing is lost or counted twice.

With --drain all sessions are over, and every window whose end lies in the past is settled without waiting for what is late: \
system checks and alerts see it, and whoever is told of alerts is told before the process ends, or by the next one.

At --status is a page for people; /metrics is for Prometheus, /healthz and /readyz for whoever looks after the process.

Exit codes: 0 on an orderly stop (an interrupt, or SIGTERM): what is going on stays on disk; 2 when it cannot begin.")]
pub struct Args {
    /// Suites: files, or folders in which every suite is taken.
    #[arg(required = true, value_name = "SUITE")]
    pub(super) suites: Vec<PathBuf>,
    /// Where OTLP is received over HTTP: an address or a port of this machine, 0 for any free one, or `off`.
    #[arg(long, value_name = "ADDR", default_value = "4318", value_parser = listen)]
    pub(super) listen: Listen,
    /// Where OTLP is received over gRPC.
    #[arg(long, value_name = "ADDR", default_value = "4317", value_parser = listen)]
    pub(super) grpc: Listen,
    /// A folder that grows, a stream of NATS (nats://HOST/STREAM) or a table of PostgreSQL
    /// (postgres://HOST/DATABASE?table=NAME&id=..&time=..&session=..). May be given again.
    #[arg(long, value_name = "WHERE")]
    pub(super) from: Vec<PathBuf>,
    /// The folder of what was received and is not over yet.
    #[arg(long, value_name = "DIR", default_value = "watch")]
    pub(super) state: PathBuf,
    /// Where it can be looked at: an address or a port of this machine, 0 for any free one, or `off`.
    #[arg(long, value_name = "ADDR", default_value = "9464", value_parser = listen)]
    pub(super) status: Listen,
    /// The name under which people reach the page at --status, beside addresses and `localhost`.
    #[arg(long, value_name = "NAME")]
    pub(super) status_host: Option<String>,
    /// Tell the backend at this address (OTLP over HTTP) of every verdict, as events `gen_ai.evaluation.result`.
    #[arg(long, value_name = "URL")]
    pub(super) export: Option<String>,
    /// A session is over when nothing of it has arrived for so long.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(super) idle: Option<Duration>,
    /// A session is cut off when it began so long ago.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(super) max_age: Option<Duration>,
    /// An attribute (of any value but false) or event by which a record says that its session has ended. May be given again.
    #[arg(long = "end", value_name = "NAME")]
    pub(super) ends: Vec<String>,
    /// For how long more of a session may come after it was over.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration::parse)]
    pub(super) late: Duration,
    /// How long windows are, whatever the suites say; so many make a day.
    #[arg(long, value_name = "TIME", value_parser = window)]
    pub(super) window: Option<Duration>,
    /// For how long what is known of sessions is kept.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration::parse)]
    pub(super) keep: Duration,
    /// The attribute of spans that names their session, before the usual ones.
    #[arg(long, value_name = "NAME")]
    pub(super) session_attribute: Option<String>,
    /// How large the folder of what was received may become. Beyond it, agents are told to come again.
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = bytes)]
    pub(super) max_spool: usize,
    /// Largest request that is taken, unpacked.
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = bytes)]
    pub(super) max_request: usize,
    #[command(flatten)]
    pub(super) fleet: fleet::Args,
    /// Take everything that is there, judge it whether it is over or not, settle the windows that have ended, and end.
    #[arg(long)]
    pub(super) drain: bool,
    /// Print one machine-readable line at the end.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Where to listen; nowhere where it is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(pub(super) Option<SocketAddr>);

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

fn window(text: &str) -> Result<Duration, String> {
    let window = duration::parse(text)?;
    match watch::divides_a_day(window) {
        true => Ok(window),
        false => Err("a time of at least a second that divides a day: so many windows make one, such as 5m".to_owned()),
    }
}

fn bytes(text: &str) -> Result<usize, String> {
    settings::bytes(text).ok_or_else(|| "a size such as 64MiB".to_owned())
}
