//! Where the agent's spans go: to an OTLP endpoint, by the exporters of OpenTelemetry's own crates.

use std::collections::HashMap;
use std::time::Duration;

use axum::http::HeaderMap;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span, SpanData, SpanExporter as _, SpanProcessor};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// The name of the agent.
pub const NAME: &str = "demo-support";

/// How spans are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// OTLP over HTTP, in protobuf.
    Protobuf,
    /// OTLP over HTTP, in JSON.
    Json,
    /// OTLP over gRPC.
    Grpc,
}

/// Makes spans.
#[derive(Debug, Clone)]
pub struct Telemetry {
    tracer: SdkTracer,
    // Spans are no longer taken once it is gone.
    _provider: SdkTracerProvider,
}

impl Telemetry {
    /// Spans go to `endpoint`, such as `http://127.0.0.1:4318`, as soon as they have ended; nowhere without one. To be
    /// called where tokio runs.
    pub fn new(endpoint: Option<&str>, wire: Wire, version: &str) -> Result<Self, String> {
        let resource = Resource::builder_empty()
            .with_service_name(NAME)
            .with_attribute(KeyValue::new("service.version", version.to_owned()))
            .build();
        let mut provider = SdkTracerProvider::builder().with_resource(resource.clone());
        if let Some(endpoint) = endpoint {
            let mut exporter = exporter(endpoint.trim_end_matches('/'), wire)?;
            exporter.set_resource(&resource);
            let (sender, mut ended) = unbounded_channel();
            tokio::spawn(async move {
                let mut batch = Vec::new();
                while ended.recv_many(&mut batch, 512).await > 0 {
                    // Nobody may be listening, which is no reason to stop working.
                    let _ = exporter.export(std::mem::take(&mut batch)).await;
                }
            });
            provider = provider.with_span_processor(Outbox(sender));
        }
        let provider = provider.build();
        Ok(Self { tracer: provider.tracer(NAME), _provider: provider })
    }

    /// What a request says of the trace and session that it is part of.
    pub fn context(headers: &HeaderMap) -> Context {
        let headers = Headers(headers);
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
        BaggagePropagator::new().extract_with_context(&context, &headers)
    }

    /// The session that the request names in its baggage.
    pub fn session(context: &Context) -> Option<String> {
        context.baggage().get("session.id").map(ToString::to_string)
    }

    /// Begins a span within `context`; what is within the span has the context that comes back.
    pub fn span(&self, context: &Context, name: String, kind: SpanKind, attributes: Vec<KeyValue>) -> Context {
        let builder = self.tracer.span_builder(name).with_kind(kind).with_attributes(attributes);
        context.with_span(self.tracer.build_with_context(builder, context))
    }
}

fn exporter(endpoint: &str, wire: Wire) -> Result<SpanExporter, String> {
    let within = Duration::from_secs(5);
    let http = |protocol| {
        let client = crate::net::client::client().map_err(|why| why.to_string())?;
        let exporter = SpanExporter::builder().with_http().with_http_client(client).with_protocol(protocol);
        let exporter = exporter.with_endpoint(format!("{endpoint}/v1/traces")).with_timeout(within);
        exporter.with_headers(HashMap::new()).build().map_err(|why| why.to_string())
    };
    match wire {
        Wire::Protobuf => http(Protocol::HttpBinary),
        Wire::Json => http(Protocol::HttpJson),
        Wire::Grpc => {
            let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(within);
            exporter.build().map_err(|why| why.to_string())
        }
    }
}

/// Takes spans as they end.
#[derive(Debug)]
struct Outbox(UnboundedSender<SpanData>);

impl SpanProcessor for Outbox {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let _ = self.0.send(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

struct Headers<'h>(&'h HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}
