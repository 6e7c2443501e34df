//! `seatrial record`: the OTLP receiver alone, which writes the sessions of whatever agents send to it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::context::{Context, Failure, eprint};
use super::signals::Interrupt;
use crate::eval::exit;
use crate::model::duration;
use crate::receive::Counts;
use crate::receive::inbox::{Limits, Recovered};
use crate::receive::listen::Receiver;
use crate::receive::record::{Patience, RecordError, Recorder, Written};
use crate::report::safe;
use crate::suite::settings;

/// Arguments of `seatrial record`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  seatrial record -o sessions.jsonl              on the standard ports of OTLP, until it is interrupted
  seatrial record -o sessions.jsonl --http 0     on any free port
  seatrial record -o runs/ --until-sessions 10   ten sessions, then the end
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 python agent.py

What was received is in `FILE.spool` before it is acknowledged, and until its session is written; when the process is \
killed, the next one at the same place goes on from there. What [redact] of seatrial.toml hides by detectors and keys is \
not in it either; what only its `paths` and `pseudonyms` hide is, until the session is written.

Exit codes: 0; 2 when it cannot listen; 5 when sessions could not be written (they stay in the spool).")]
pub struct Args {
    /// The file that sessions are added to, one a line, in seatrial's own format; in a folder, `sessions.jsonl`.
    #[arg(long, short, value_name = "FILE", default_value = "sessions.jsonl")]
    out: PathBuf,
    /// Where OTLP is received over HTTP: an address or a port of this machine, 0 for any free one, or `off`.
    #[arg(long, value_name = "ADDR", default_value = "4318", value_parser = listen)]
    http: Listen,
    /// Where OTLP is received over gRPC.
    #[arg(long, value_name = "ADDR", default_value = "4317", value_parser = listen)]
    grpc: Listen,
    /// A session whose traces have all ended is complete when nothing of it has arrived for so long.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::parse)]
    idle: Duration,
    /// Any session is written when nothing of it has arrived for so long.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration::parse)]
    give_up: Duration,
    /// Stop when so many sessions are written.
    #[arg(long, value_name = "N")]
    until_sessions: Option<u64>,
    /// The attribute of spans that names their session, before the usual ones.
    #[arg(long, value_name = "NAME")]
    session_attribute: Option<String>,
    /// The folder of what was received and is not yet written; `FILE.spool` without it.
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,
    /// How large that folder may become, such as 4GiB. Beyond it, agents are told to come again.
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = bytes)]
    max_spool: usize,
    /// Largest request that is taken, unpacked.
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = bytes)]
    max_request: usize,
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

/// How often it is looked whether sessions are complete.
const TICK: Duration = Duration::from_millis(100);

/// Records until it is interrupted, or has written as many sessions as are wanted.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let addresses: Vec<(&str, SocketAddr)> =
        [("HTTP", args.http), ("gRPC", args.grpc)].into_iter().filter_map(|(n, l)| Some((n, l.0?))).collect();
    if addresses.is_empty() {
        return Err(Failure::usage("nothing is received: both `--http` and `--grpc` are off"));
    }
    let out = file(&context.cwd.join(&args.out)).map_err(|why| Failure::write(&args.out.to_string_lossy(), &why))?;
    let spool = args.spool.as_ref().map_or_else(|| beside(&out), |dir| context.cwd.join(dir));
    let settings = &context.settings;
    let spill_dir = settings.spill_dir.value.as_ref();
    let limits = Limits {
        request: args.max_request,
        at_once: args.max_request.saturating_mul(2).max(64 << 20),
        spool: args.max_spool as u64,
        memory: settings.spill_after.value,
        spill_dir: spill_dir.map_or_else(std::env::temp_dir, |dir| context.cwd.join(dir)),
        session_attribute: args.session_attribute.clone(),
        ..Limits::default()
    };
    let patience = Patience { idle: args.idle, open: args.give_up.max(args.idle) };
    let (mut recorder, recovered) =
        Recorder::open(&out, &spool, limits, patience, context.redactor([])?).map_err(failure)?;
    context.note(&told_of(recovered));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|why| Failure::new(exit::INCOMPLETE, format_args!("threads could not be started: {why}")))?;
    let counts = runtime.block_on(serve(args, &addresses, &out, &mut recorder))?;
    // What still works for connections lets the inbox go.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let waiting = recorder.waiting();
    let written = recorder.close().map_err(failure)?;
    context.note(&summary(written, counts, waiting));
    Ok(exit::PASSED)
}

async fn serve(
    args: &Args,
    addresses: &[(&str, SocketAddr)],
    out: &Path,
    recorder: &mut Recorder,
) -> Result<Counts, Failure> {
    let inbox = recorder.inbox();
    let at: Vec<SocketAddr> = addresses.iter().map(|(_, address)| *address).collect();
    let receiver = Receiver::listen(&at, inbox.clone()).await.map_err(|(address, why)| {
        Failure::usage(format_args!("{address} cannot be listened at: {why} (`--http` and `--grpc` choose others)"))
    })?;
    let mut said = String::new();
    for ((name, _), address) in addresses.iter().zip(receiver.addresses()) {
        said.push_str(&format!("receiving OTLP/{name} at http://{address}\n"));
    }
    said.push_str(&format!("sessions go to {}; interrupt it to end\n", safe::line(&out.to_string_lossy())));
    let mut interrupt = Interrupt::new().map_err(|why| Failure::new(exit::BUG, why))?;
    // Not a note: who starts it must learn the port.
    eprint(&said);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let ended = loop {
        tokio::select! {
            () = interrupt.wait() => break Ok(()),
            _ = tick.tick() => {}
        }
        let left = args.until_sessions.map_or(u64::MAX, |n| n.saturating_sub(recorder.written().sessions));
        let swept = tokio::task::block_in_place(|| recorder.sweep(Instant::now(), left));
        if swept.is_err() || args.until_sessions.is_some_and(|n| recorder.written().sessions >= n) {
            break swept;
        }
    };
    receiver.close().await;
    ended.map_err(failure)?;
    if args.until_sessions.is_none() {
        tokio::task::block_in_place(|| recorder.finish()).map_err(failure)?;
    }
    Ok(inbox.counts())
}

/// The file of sessions, in a folder that exists.
fn file(out: &Path) -> io::Result<PathBuf> {
    let is_folder = out.is_dir() || out.to_string_lossy().ends_with(std::path::is_separator);
    let out = if is_folder { out.join("sessions.jsonl") } else { out.to_owned() };
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(out)
}

fn beside(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".spool");
    out.with_file_name(name)
}

fn failure(error: RecordError) -> Failure {
    let code = if matches!(error, RecordError::Busy(_)) { exit::USAGE } else { exit::INCOMPLETE };
    Failure::new(code, error)
}

fn told_of(recovered: Recovered) -> String {
    let torn = if recovered.torn > 0 { ", and one that was being received when it ended was cut off" } else { "" };
    match recovered.requests {
        0 => String::new(),
        1 => format!("1 request that an earlier process had received is taken up{torn}\n"),
        n => format!("{n} requests that an earlier process had received are taken up{torn}\n"),
    }
}

fn summary(written: Written, counts: Counts, waiting: u64) -> String {
    let mut parts = vec![format!("{} sessions written", written.sessions)];
    let mut add = |n: u64, what: &str| {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    };
    add(written.open, "of them with a trace whose root span did not arrive");
    add(written.continued, "of them go on a session that had been written");
    add(written.left_out, "left out: log records without any span");
    add(waiting, "records wait in the spool for the next time");
    add(counts.unreadable, "records that could not be read");
    add(counts.refused, "requests refused");
    add(counts.metrics, "requests of metrics, which are not kept");
    format!("{}\n", parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_port_or_an_address_or_off() {
        let at = |text: &str| listen(text).unwrap().0.map(|a| a.to_string());
        assert_eq!(at("4318").as_deref(), Some("127.0.0.1:4318"));
        assert_eq!(at("0.0.0.0:1").as_deref(), Some("0.0.0.0:1"));
        assert_eq!(at("[::1]:9").as_deref(), Some("[::1]:9"));
        assert_eq!(at("off"), None);
        assert!(listen("localhost").is_err() && listen("70000").is_err());
    }

    #[test]
    fn the_spool_is_beside_the_file() {
        assert_eq!(beside(Path::new("a/b.jsonl")), Path::new("a/b.jsonl.spool"));
    }
}
