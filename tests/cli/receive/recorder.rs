//! A `seatrial record` that runs, and what exporters would send to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, Stdio};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::Value;

use crate::project::Project;

/// A recorder that runs, and ends with the test.
pub struct Recorder {
    child: Child,
    err: BufReader<ChildStderr>,
    pub http: String,
    pub grpc: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    pub body: Vec<u8>,
}

impl Recorder {
    /// Starts one that writes `sessions.jsonl`, on free ports.
    pub fn start(project: &Project, more: &[&str]) -> Self {
        let mut args = vec!["record", "-o", "sessions.jsonl", "--http", "0", "--grpc", "0"];
        args.extend(more);
        let mut child = project.command(&args).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        let mut err = BufReader::new(child.stderr.take().expect("a pipe"));
        let (mut http, mut grpc, mut all) = (String::new(), String::new(), String::new());
        while !all.contains("sessions go to") {
            let mut line = String::new();
            assert!(err.read_line(&mut line).expect("text") > 0, "it ended: {all}");
            let address =
                |name: &str| line.trim().strip_prefix(&format!("receiving OTLP/{name} at ")).map(str::to_owned);
            http = address("HTTP").unwrap_or(http);
            grpc = address("gRPC").unwrap_or(grpc);
            all.push_str(&line);
        }
        Self { child, err, http, grpc }
    }

    /// Sends a request over HTTP.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        run(async {
            let mut request = client().post(format!("{}{path}", self.http)).body(body.to_vec());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let reply = request.send().await.expect("an answer");
            let retry_after = reply.headers().get("retry-after").map(|v| v.to_str().expect("text").to_owned());
            let status = reply.status().as_u16();
            Answer { status, retry_after, body: reply.bytes().await.expect("a body").to_vec() }
        })
    }

    /// Sends spans in protobuf.
    pub fn protobuf(&self, request: &ExportTraceServiceRequest) -> Answer {
        self.post("/v1/traces", &[("content-type", "application/x-protobuf")], &request.encode_to_vec())
    }

    /// Sends spans over gRPC, packed or not.
    pub fn grpc(&self, request: ExportTraceServiceRequest, packed: bool) -> Result<(), tonic::Status> {
        run(async {
            let client = TraceServiceClient::connect(self.grpc.clone()).await.expect("a connection");
            let mut client =
                if packed { client.send_compressed(tonic::codec::CompressionEncoding::Gzip) } else { client };
            client.export(request).await.map(drop)
        })
    }

    /// The most memory that it held so far, in MiB.
    #[cfg(target_os = "linux")]
    pub fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
        line.trim().strip_suffix(" kB").and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
    }

    /// Interrupts it; its exit code and what else it said.
    #[cfg(unix)]
    pub fn interrupt(self) -> (Option<i32>, String) {
        let status = std::process::Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(status.expect("kill").success());
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.err.read_to_string(&mut said).expect("text");
        (self.child.wait().expect("an end").code(), said)
    }

    /// Ends it at once.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("an end");
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a future.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn client() -> reqwest::Client {
    seatrial::net::client::client().expect("a client")
}

/// Packed by gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

fn pair(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(Any::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

/// A turn of session `session`: an agent that calls a tool, in trace `trace`.
pub fn turn(session: &str, trace: u64) -> ExportTraceServiceRequest {
    let span = |id: u8, parent: u8, operation: &str, more: Vec<KeyValue>| {
        let mut attributes = vec![pair("gen_ai.operation.name", operation), pair("session.id", session)];
        attributes.extend(more);
        Span {
            trace_id: [&[7; 8][..], &trace.to_be_bytes()].concat(),
            span_id: vec![id; 8],
            parent_span_id: if parent > 0 { vec![parent; 8] } else { Vec::new() },
            name: operation.to_owned(),
            start_time_unix_nano: 1_000 + u64::from(id),
            end_time_unix_nano: 2_000,
            attributes,
            ..Span::default()
        }
    };
    request(vec![
        span(2, 1, "execute_tool", vec![pair("gen_ai.tool.name", "look_up")]),
        span(1, 0, "invoke_agent", vec![pair("gen_ai.agent.name", "ann"), pair("note", "to ann@example.com")]),
    ])
}

/// A request with spans.
pub fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope = ScopeSpans { spans, ..ScopeSpans::default() };
    let resource = Resource { attributes: vec![pair("service.name", "x")], ..Resource::default() };
    let spans = ResourceSpans { resource: Some(resource), scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![spans] }
}

/// The sessions that were written.
pub fn sessions(project: &Project) -> Vec<Value> {
    let text = std::fs::read_to_string(project.path("sessions.jsonl")).expect("a file of sessions");
    text.lines().map(|line| serde_json::from_str(line).expect("a session a line")).collect()
}

/// Their ids, sorted.
pub fn ids(project: &Project) -> Vec<String> {
    let mut ids: Vec<String> = sessions(project).iter().map(|s| s["id"].as_str().expect("an id").to_owned()).collect();
    ids.sort();
    ids
}
