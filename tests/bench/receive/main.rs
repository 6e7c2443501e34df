//! How many spans a second the receiver takes: OTLP/HTTP in protobuf, from some connections at once, each answered before
//! the next request is sent. The recorder is a process of its own; requests are made before the clock starts.
//!
//! `cargo bench --bench receive [-- SPANS [SPANS_A_REQUEST [CONNECTIONS]]]`

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measuring program: it prints, and stops when it cannot measure"
)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Spans of a trace.
const TRACE: u64 = 8;

fn pair(key: &str, value: String) -> KeyValue {
    let value = AnyValue { value: Some(Any::StringValue(value)) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn span(i: u64) -> Span {
    let (trace, id) = (i / TRACE + 1, i % TRACE + 1);
    let operation = ["invoke_agent", "chat", "execute_tool"][if id == 1 { 0 } else { 1 + (id % 2) as usize }];
    Span {
        trace_id: u128::from(trace).to_be_bytes().to_vec(),
        span_id: (i + 1).to_be_bytes().to_vec(),
        parent_span_id: if id == 1 { Vec::new() } else { (i + 2 - id).to_be_bytes().to_vec() },
        name: format!("{operation} support"),
        start_time_unix_nano: 1_700_000_000_000_000_000 + i,
        end_time_unix_nano: 1_700_000_000_000_900_000 + i,
        attributes: vec![
            pair("gen_ai.operation.name", operation.to_owned()),
            pair("session.id", format!("session-{}", trace / 3)),
            pair("gen_ai.request.model", "a-model".to_owned()),
            pair("gen_ai.tool.name", "look_up".to_owned()),
            pair("gen_ai.tool.call.arguments", format!("{{\"order_id\":\"A{i}\"}}")),
        ],
        ..Span::default()
    }
}

fn request(spans: std::ops::Range<u64>) -> Vec<u8> {
    let scope = ScopeSpans { spans: spans.map(span).collect(), ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|a| a.parse::<u64>().ok());
    let mut number = |usual| numbers.next().unwrap_or(usual);
    let (spans, each, connections) = (number(1_000_000), number(512), number(8));
    let dir = tempfile::tempdir().expect("a folder");
    let mut recorder =
        Command::new(std::env::var_os("SEATRIAL_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_seatrial").into()))
            .args(["record", "-o", "sessions.jsonl", "--http", "0", "--grpc", "off", "--idle", "2s"])
            .current_dir(dir.path())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the recorder");
    let mut said = BufReader::new(recorder.stderr.take().expect("a pipe"));
    let address = (&mut said).lines().map_while(Result::ok).find(|line| line.starts_with("receiving "));
    let url = format!("{}/v1/traces", address.expect("its address").rsplit(' ').next().expect("an address"));
    let requests: Vec<Vec<u8>> = (0..spans).step_by(each as usize).map(|i| request(i..(i + each).min(spans))).collect();
    let bytes: usize = requests.iter().map(Vec::len).sum();
    let (requests, next, refused) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let began = Instant::now();
    runtime.block_on(async {
        let client = seatrial::net::client::client().expect("a client");
        let mut senders = tokio::task::JoinSet::new();
        for _ in 0..connections {
            let (client, url, requests) = (client.clone(), url.clone(), requests.clone());
            let (next, refused) = (next.clone(), refused.clone());
            senders.spawn(async move {
                while let Some(body) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    loop {
                        let request = client.post(&url).header("content-type", "application/x-protobuf");
                        let reply = request.body(body.clone()).send().await.expect("an answer");
                        if reply.status().is_success() {
                            break;
                        }
                        refused.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    }
                }
            });
        }
        senders.join_all().await;
    });
    let took = began.elapsed().as_secs_f64();
    let memory = std::fs::read_to_string(format!("/proc/{}/status", recorder.id())).unwrap_or_default();
    let peak = memory.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("?").trim().to_owned();
    println!(
        "{spans} spans in {} requests, {:.0} MB: {took:.2} s, {:.0} spans/s; {} refused; peak {peak}",
        requests.len(),
        bytes as f64 / 1e6,
        spans as f64 / took,
        refused.load(Ordering::Relaxed),
    );
    recorder.kill().expect("killed");
    recorder.wait().expect("an end");
}
