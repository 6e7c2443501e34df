//! What agents really export with: OpenTelemetry's own SDK, and the distribution that AWS makes of it (ADOT), which agents
//! are started with and know nothing of. Both are installed from PyPI into a folder of the test; where that cannot be
//! reached, it says so and stops.

use std::path::Path;
use std::process::{Command, Stdio};

use super::process::{Watch, rows};
use crate::project::{Project, Said};
use crate::venv::Venv;

/// What is installed: the distribution brings the SDK and the exporters.
const PACKAGES: [&str; 3] = ["aws-opentelemetry-distro", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"];

/// How many sessions there are; every fourth fails.
const SESSIONS: usize = 20;

/// What has to be so of each session: what the agent says, and what it looks for.
const SUITE: &str = r#"
[[turn]]
id = "says"
check = "contains"
value = "ok"
[[span]]
id = "args"
on = { kind = "tool", name = "find_order" }
check = "schema"
of = "input"
schema = { type = "object", required = ["id"], properties.id.type = "integer" }
"#;

/// An agent of twenty sessions. With an address it sets the SDK up by itself; without one, whoever started it did. It prints
/// whose distribution that is.
const AGENT: &str = r#"
import json, sys
from opentelemetry import trace

if len(sys.argv) > 1:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=sys.argv[1])))
    trace.set_tracer_provider(provider)
tracer = trace.get_tracer("desk")

def said(role, text):
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])

for n in range(20):
    with tracer.start_as_current_span("invoke_agent desk") as agent:
        agent.set_attributes({
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "desk",
            "gen_ai.conversation.id": f"s{n:02}",
            "gen_ai.input.messages": said("user", f"Where is order {n}?"),
        })
        with tracer.start_as_current_span("execute_tool find_order") as tool:
            tool.set_attributes({
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "find_order",
                "gen_ai.tool.call.id": f"call_{n}",
                "gen_ai.tool.call.arguments": json.dumps({"id": n}),
                "gen_ai.tool.call.result": "lost" if n % 4 == 0 else "shipped",
            })
        agent.set_attribute("gen_ai.output.messages", said("assistant", "It is lost." if n % 4 == 0 else "It is ok."))

print(trace.get_tracer_provider().resource.attributes.get("telemetry.auto.version", "nobody's"))
"#;

/// Runs the agent to its end with nothing but these variables; whose distribution it ran under.
fn run(mut command: Command, python: &Path, vars: &[(&str, &str)]) -> String {
    let folders = [python.parent().expect("a folder").to_owned(), "/usr/bin".into(), "/bin".into()];
    command.env_clear().env("PATH", std::env::join_paths(folders).expect("a path"));
    command.envs(vars.iter().copied()).stdin(Stdio::null());
    Said::of(command).code(0).out.trim().to_owned()
}

/// Has sessions exported to a watcher, each of which is to be there once, judged by all of its spans.
fn each_is_judged_once(export: impl FnOnce(&Path, &str)) {
    let project = Project::with(SUITE, &["{}"]);
    let agent = project.file("agent.py", AGENT);
    let watch = Watch::start(&project, &["--idle", "1s"]);
    export(&agent, &format!("{}/v1/traces", watch.otlp));
    let failing = SESSIONS / 4;
    let verdicts = |check: &str, status: &str, n: usize| {
        watch.until(&format!("seatrial_watch_verdicts_total{{suite=\"s\",check=\"{check}\",status=\"{status}\"}} {n}"));
    };
    verdicts("says", "fail", failing);
    verdicts("says", "pass", SESSIONS - failing);
    verdicts("args", "pass", SESSIONS);
    watch.until("seatrial_watch_open_sessions 0");
    watch.until(&format!("seatrial_watch_sessions_total{{suite=\"s\",outcome=\"evaluated\"}} {SESSIONS}"));
    watch.kill();
    let mut found: Vec<_> = rows(&project, "s")
        .into_iter()
        .map(|(row, body)| (row.watched.session, row.version, body.worst().name(), body.groups["agent"].clone()))
        .collect();
    found.sort();
    let wanted: Vec<_> = (0..SESSIONS)
        .map(|n| {
            let status = if n.is_multiple_of(4) { "fail" } else { "pass" };
            (format!("s{n:02}"), 1, status, vec!["desk".to_owned()])
        })
        .collect();
    assert_eq!(found, wanted);
}

#[test]
fn sessions_that_the_sdk_and_the_distribution_of_aws_export_are_judged_once_each() {
    let Some(venv) = Venv::with(&PACKAGES) else { return };
    let python = venv.python();
    each_is_judged_once(|agent, endpoint| {
        let mut command = Command::new(python);
        command.arg(agent).arg(endpoint);
        assert_eq!(run(command, python, &[]), "nobody's");
    });
    each_is_judged_once(|agent, endpoint| {
        let mut command = Command::new(venv.program("opentelemetry-instrument"));
        command.arg(python).arg(agent);
        let vars = [
            ("OTEL_PYTHON_DISTRO", "aws_distro"),
            ("OTEL_PYTHON_CONFIGURATOR", "aws_configurator"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint),
            ("OTEL_AWS_APPLICATION_SIGNALS_ENABLED", "false"),
            ("OTEL_TRACES_SAMPLER", "always_on"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
        ];
        let whose = run(command, python, &vars);
        assert!(whose.ends_with("-aws"), "it ran under {whose}");
    });
}
