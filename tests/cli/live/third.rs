//! Somebody else's agent, instrumented by somebody else: pydantic-ai against a model of the test's own, its spans sent by
//! OpenTelemetry's own exporter; and somebody else's MCP server. They are installed from PyPI into a folder of the test.
//! Where that cannot be reached, the tests say so and stop.

#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::json;

use crate::project::Project;
use crate::venv::Venv;

/// What is installed.
const PACKAGES: [&str; 4] =
    ["pydantic-ai-slim[openai]", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "mcp-server-time"];

/// A python with the packages, for both tests.
fn venv() -> Option<&'static Venv> {
    static INSTALLED: OnceLock<Option<Venv>> = OnceLock::new();
    INSTALLED.get_or_init(|| Venv::with(&PACKAGES)).as_ref()
}

/// The agent, behind HTTP, and the model that it asks: that calls a tool for the first number that it reads.
const AGENT: &str = r#"
import asyncio, json, os, re, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

class Model(BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        last = body["messages"][-1]
        text = last["content"] if isinstance(last["content"], str) else "".join(p.get("text", "") for p in last["content"] or [])
        message, finish = {"role": "assistant", "content": "Which order?"}, "stop"
        if last["role"] == "tool":
            message["content"] = f"Order: {text}."
        elif found := re.findall(r"\d+", text):
            call = {"name": "find_order", "arguments": json.dumps({"id": int(found[0])})}
            message = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": call}]}
            finish = "tool_calls"
        out = json.dumps({"id": "c1", "object": "chat.completion", "created": 1, "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 50, "completion_tokens": 10, "total_tokens": 60}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

model = ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=model.serve_forever, daemon=True).start()

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
provider = TracerProvider()
exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{sys.argv[1]}/v1/traces")
provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=100))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("server")

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
Agent.instrument_all()
at = OpenAIProvider(base_url=f"http://127.0.0.1:{model.server_port}/v1", api_key="x")
agent = Agent(OpenAIChatModel("stub-model", provider=at), name="support", system_prompt="Help with orders.")
ORDERS = {17: "shipped", 18: "delivered"}

@agent.tool_plain
def find_order(id: int) -> str:
    """Finds an order."""
    return f"{id} is {ORDERS.get(id, 'unknown')}"

loop, histories = asyncio.new_event_loop(), {}

class Serve(BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with tracer.start_as_current_span("POST /chat", context=extract(dict(self.headers)), kind=trace.SpanKind.SERVER):
            said = loop.run_until_complete(agent.run(body["message"], message_history=histories.get(body["session"])))
        histories[body["session"]] = said.all_messages()
        out = json.dumps({"reply": said.output}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

server = HTTPServer(("127.0.0.1", 0), Serve)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// A process that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_spans_of_an_agent_that_somebody_else_wrote_and_instrumented_decide() {
    let Some(venv) = venv() else { return };
    let project = Project::new();
    let script = project.file("agent.py", AGENT);
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let mut child = Command::new(venv.python())
        .arg(script)
        .arg(port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("its port");
    let _agent = Ends(child);
    let at = line.trim();
    let suite = format!(
        r#"[suite]
name = "orders"
trials = 2
[agent]
kind = "http"
url  = "http://127.0.0.1:{at}/chat"
body = {{ message = "{{{{ message }}}}", session = "{{{{ session }}}}" }}
reply = "reply"
telemetry = {{ listen = ["{port}"] }}
[[case]]
id = "status"
user = ["Where is order 17?", "And order 18?"]
[case.reference]
tools = [{{ name = "find_order", args = {{ id = 17 }} }}, {{ name = "find_order", args = {{ id = 18 }} }}]
[[case]]
id = "asks-back"
user = ["Where is my order?"]
[case.reference]
tools = []
[[span]]
id = "args"
on = {{ kind = "tool", name = "find_order" }}
check = "schema"
of = "input"
schema = {{ type = "object", required = ["id"], properties.id.type = "integer" }}
[[span]]
id = "few-tokens"
on = {{ kind = "llm" }}
check = "tokens"
max = 100
[[session]]
id = "did"
check = "trajectory"
mode = "exact"
[[session]]
id = "says"
on = {{ case = "status" }}
check = "contains"
value = "18 is delivered"
"#
    );
    project.file("suite.toml", &suite);
    project.run().code(0);
    let passed = ["args", "few-tokens", "did", "says"].map(|id| project.check(id)["pass"].as_u64());
    // Two calls of the tool and five of the model in two trials each.
    assert_eq!(passed, [Some(4), Some(10), Some(4), Some(2)]);
    // What the spans say is what decides.
    project
        .file("suite.toml", suite.replace("args = { id = 18 }", "args = { id = 19 }").replace("max = 100", "max = 59"));
    project.run().code(1);
    assert_eq!((&project.check("did")["fail"], &project.check("few-tokens")["fail"]), (&json!(2), &json!(10)));
}

#[test]
fn the_tools_of_an_mcp_server_that_somebody_else_wrote_are_tested() {
    let Some(venv) = venv() else { return };
    let server = venv.program("mcp-server-time");
    let project = Project::new();
    let suite = format!(
        r#"[suite]
name = "time"
[agent]
kind = "mcp"
run = ["{}", "--local-timezone", "UTC"]
[[case]]
id = "converts"
[[case.turn]]
call = {{ name = "convert_time", args = {{ source_timezone = "UTC", time = "12:00", target_timezone = "Asia/Tokyo" }} }}
[[case]]
id = "bad-zone"
[[case.turn]]
call = {{ name = "get_current_time", args = {{ timezone = "Mars/Olympus" }} }}
[[span]]
id = "nine-hours"
on = {{ name = "convert_time" }}
check = "contains"
of = "output"
value = "+9.0h"
[[span]]
id = "says-error"
on = {{ kind = "tool", case = "bad-zone" }}
check = "status"
is = "error"
"#,
        server.display()
    );
    project.file("suite.toml", &suite);
    project.run().code(0);
    assert_eq!((&project.check("nine-hours")["pass"], &project.check("says-error")["pass"]), (&json!(1), &json!(1)));
    project.file("suite.toml", suite.replace("+9.0h", "+8.0h"));
    project.run().code(1);
}
