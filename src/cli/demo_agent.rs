//! `seatrial demo-agent`: an agent to try things with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::context::{Context, Failure, eprint};
use super::signals::Interrupt;
use crate::demo::serve::{self, Options};
use crate::demo::telemetry::{Telemetry, Wire};
use crate::demo::{Fault, Faults};
use crate::eval::exit;
use crate::model::duration;

/// Arguments of `seatrial demo-agent`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  seatrial demo-agent &                              at http://127.0.0.1:8080/chat
  curl -d '{\"message\":\"Where is A100?\"}' -H 'content-type: application/json' http://127.0.0.1:8080/chat
  seatrial demo-agent --fault loop                   looks the same order up again and again

A small support agent without any model: it looks up, cancels and refunds orders A100, B200 and C300, says the same to \
the same words, and sends spans by OTLP. It speaks `POST /chat` (JSON, or server-sent events with `\"stream\": true`) and \
OpenAI's `POST /v1/chat/completions`; `GET /state?session_id=..` is the world after a session, `POST /reset` makes it anew. \
What goes wrong is chosen by --fault, by the header `x-demo-fault`, or by words such as `[demo:pii]` in a message.")]
pub struct Args {
    /// Where it listens: an address or a port of this machine, 0 for any free one.
    #[arg(long, value_name = "ADDR", default_value = "8080", value_parser = address)]
    listen: SocketAddr,
    /// Where its spans go; `off` for nowhere. For gRPC the usual port is 4317.
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT", default_value = "http://127.0.0.1:4318")]
    otlp: String,
    /// How they are sent.
    #[arg(long, value_name = "HOW", env = "OTEL_EXPORTER_OTLP_PROTOCOL", default_value = "http/protobuf",
        value_parser = ["http/protobuf", "http/json", "grpc"])]
    protocol: String,
    /// Something that goes wrong in every turn: wrong-tool, loop, slow, tool-error, pii, crash, hang, 500, reset, busy.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Fault>,
    /// How long each thought and each call of a tool takes.
    #[arg(long, value_name = "TIME", default_value = "2ms", value_parser = duration::parse)]
    pace: Duration,
    /// How long the first word takes under `--fault slow`.
    #[arg(long, value_name = "TIME", default_value = "1500ms", value_parser = duration::parse)]
    slow: Duration,
    /// The version that it says it is.
    #[arg(long = "agent-version", value_name = "VERSION", default_value = "1.0.0")]
    version: String,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let port = text.parse::<u16>().map(|port| SocketAddr::new(here, port));
    port.or_else(|_| text.parse()).map_err(|_| "an address such as 127.0.0.1:8080, or a port".to_owned())
}

/// Serves until it is interrupted.
pub fn run(args: &Args, _: &Context) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|why| Failure::new(exit::INCOMPLETE, format_args!("threads could not be started: {why}")))?;
    runtime.block_on(async {
        let endpoint = Some(args.otlp.as_str()).filter(|otlp| *otlp != "off");
        let wire = match args.protocol.as_str() {
            "http/json" => Wire::Json,
            "grpc" => Wire::Grpc,
            _ => Wire::Protobuf,
        };
        let telemetry = Telemetry::new(endpoint, wire, &args.version)
            .map_err(|why| Failure::usage(format_args!("spans cannot be sent to `{}`: {why}", args.otlp)))?;
        let failed = |why| Failure::usage(format_args!("{} cannot be listened at: {why}", args.listen));
        let listener = tokio::net::TcpListener::bind(args.listen).await.map_err(failed)?;
        let at = listener.local_addr().map_err(failed)?;
        let options = Options {
            faults: Faults::new(args.fault.clone()),
            pace: args.pace,
            slow: args.slow,
            version: args.version.clone(),
        };
        let mut interrupt = Interrupt::new().map_err(|why| Failure::new(exit::BUG, why))?;
        eprint(&format!("demo agent at http://{at}/chat; interrupt it to end\n"));
        tokio::select! {
            served = serve::serve(listener, options, telemetry) => served.map_err(|why| Failure::new(exit::INCOMPLETE, why))?,
            () = interrupt.wait() => {}
        }
        Ok(exit::PASSED)
    })
}
