//! The floor under telemetry: read and split a file of OTLP on all cores, and parse every request into the typed structs
//! of `opentelemetry-proto`, and nothing else. Or turn such a file of JSON into one of protobuf.
//!
//! `cargo bench --bench parse_otlp -- parse FILE [JOBS]`
//! `cargo bench --bench parse_otlp -- records FILE [JOBS]` (into seatrial's own records, which go nowhere)
//! `cargo bench --bench parse_otlp -- protobuf FILE OUT` (each request with its length before it)

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measuring program: it prints, and stops when it cannot measure"
)]

use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use seatrial::formats::Decode;
use seatrial::formats::telemetry::{Origin, Record, Sink};
use seatrial::model::Problem;
use seatrial::sources::reader::Reader;
use seatrial::sources::{ReadOptions, RecordedFile};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One request.
enum Request {
    Traces(ExportTraceServiceRequest),
    Logs(ExportLogsServiceRequest),
}

impl Request {
    /// Spans and log records look alike on the wire; the benchmark's files of protobuf hold spans only.
    fn parse(element: &[u8]) -> Self {
        if element.first() != Some(&b'{') {
            return Self::Traces(ExportTraceServiceRequest::decode(element).expect("a request"));
        }
        if element.starts_with(b"{\"resourceLogs\"") {
            Self::Logs(serde_json::from_slice(element).expect("a request of logs"))
        } else {
            Self::Traces(serde_json::from_slice(element).expect("a request of spans"))
        }
    }

    fn records(&self) -> usize {
        match self {
            Self::Traces(t) => t.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|s| s.spans.len()).sum(),
            Self::Logs(l) => l.resource_logs.iter().flat_map(|r| &r.scope_logs).map(|s| s.log_records.len()).sum(),
        }
    }
}

/// Counts records.
struct Count(usize);

impl<'a> Sink<'a> for Count {
    fn origin(&mut self, _: &Origin<'a>) {}
    fn record(&mut self, _: &Record<'a>) {
        self.0 += 1;
    }
    fn problem(&mut self, problem: Problem) {
        println!("{}", problem.message);
    }
}

fn main() {
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let (Some(mode), Some(path)) = (args.next(), args.next()) else { return };
    let last = args.next();
    let file = RecordedFile { path: PathBuf::from(&path), name: path };
    let reader = Reader::new(vec![file], ReadOptions::default());
    match mode.as_str() {
        "protobuf" => protobuf(reader, &last.expect("where to write")),
        _ => parse(reader, mode == "parse", last.and_then(|j| j.parse().ok()).unwrap_or(2)),
    }
}

fn parse(reader: Reader, typed: bool, jobs: usize) {
    let began = Instant::now();
    let source = Mutex::new((reader, Vec::<Vec<u8>>::new()));
    let records = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let batch = {
                        let mut source = source.lock().expect("no panic");
                        let buffer = source.1.pop().unwrap_or_default();
                        match source.0.next(buffer) {
                            Some(batch) => batch,
                            None => break,
                        }
                    };
                    for element in &batch.elements {
                        let bytes = &batch.buffer[element.content.clone().expect("a whole element")];
                        let n = match &batch.decoder {
                            _ if typed => Request::parse(bytes).records(),
                            Some(Decode::Records(decoder)) => {
                                let mut count = Count(0);
                                decoder.records(bytes, &mut count).expect("a request");
                                count.0
                            }
                            _ => 0,
                        };
                        records.fetch_add(n as u64, Ordering::Relaxed);
                    }
                    source.lock().expect("no panic").1.push(batch.buffer);
                }
            });
        }
    });
    println!("{} records in {:.3} s", records.into_inner(), began.elapsed().as_secs_f64());
}

fn protobuf(mut reader: Reader, out: &str) {
    let mut out = std::io::BufWriter::new(std::fs::File::create(out).expect("a file"));
    while let Some(batch) = reader.next(Vec::new()) {
        for element in &batch.elements {
            let bytes = &batch.buffer[element.content.clone().expect("a whole element")];
            if let Request::Traces(request) = Request::parse(bytes) {
                out.write_all(&request.encode_length_delimited_to_vec()).expect("room");
            }
        }
    }
    out.flush().expect("room");
}
