//! `mcp`: calls of tools over the Model Context Protocol, seen from the client and from the server.
//!
//! Both sides, and the agent's own `execute_tool` above them, are spans of the same call. A failed tool answers with a
//! successful response that says `isError`, recorded as `error.type = tool_error`. `mcp.session.id` names a connection,
//! never a session.

use super::facts::{self, Facts};
use super::genai;
use super::{At, Dialect, Message, Reading, by_attributes};
use crate::formats::telemetry::find;
use crate::model::{Payload, SpanKind};

/// Spans of the Model Context Protocol.
#[derive(Debug)]
pub(super) struct Mcp;

impl Dialect for Mcp {
    fn name(&self) -> &'static str {
        "mcp"
    }

    fn doc(&self) -> &'static str {
        "Model Context Protocol: tool calls and resources, from the client and from the server"
    }

    fn speaks(&self, at: &At<'_, '_>) -> bool {
        find(&at.span.attributes, "mcp.method.name").is_some()
    }

    fn read<'a>(&self, at: &At<'_, 'a>) -> Reading<'a> {
        let facts = Facts::of(at);
        let kind = by_attributes(&at.span.attributes);
        let mut reading = genai::read(at, &facts, kind);
        let text = |name| facts::text(find(&at.span.attributes, name));
        match kind {
            SpanKind::Tool if reading.name.is_none() => {
                let named = at.span.name.strip_prefix("tools/call ").filter(|n| !n.is_empty());
                reading.name = text("mcp.tool.name").or_else(|| named.map(|n| n.to_owned().into()));
            }
            SpanKind::Retrieval if reading.input.is_none() => {
                reading.input = text("mcp.resource.uri").map(Payload::text);
            }
            _ => {}
        }
        reading
    }

    fn asked<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        genai::asked(at, &Facts::of(at))
    }

    fn said<'a>(&self, at: &At<'_, 'a>) -> Option<Vec<Message<'a>>> {
        genai::said(at, &Facts::of(at))
    }

    fn tells(&self, attribute: &str) -> bool {
        facts::tells(attribute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::telemetry::dialect::tests::{read_all, span_of, text};

    #[test]
    fn a_tool_call_has_its_arguments_its_result_and_its_error() {
        let given = [
            ("mcp.method.name", text("tools/call")),
            ("gen_ai.operation.name", text("execute_tool")),
            ("gen_ai.tool.name", text("search")),
            ("mcp.session.id", text("connection")),
            ("gen_ai.tool.call.arguments", text(r#"{"q":"mug"}"#)),
            ("gen_ai.tool.call.result", text(r#"{"content":[{"type":"text","text":"no"}],"isError":true}"#)),
            ("error.type", text("tool_error")),
        ];
        insta::assert_snapshot!(read_all(&Mcp, &span_of("tools/call search", &given), &[]), @r#"
        Tool name=search failed="{\"content\":[{\"type\":\"text\",\"text\":\"no\"}],\"isError\":true}"
        input: "{\"q\":\"mug\"}"
        output: "{\"content\":[{\"type\":\"text\",\"text\":\"no\"}],\"isError\":true}"
        "#);
    }

    #[test]
    fn a_call_without_content_and_other_methods() {
        let method = |name, method| {
            let given = [("mcp.method.name", text(method)), ("mcp.resource.uri", text("file:///a"))];
            read_all(&Mcp, &span_of(name, &given), &[])
        };
        insta::assert_snapshot!(method("tools/call search", "tools/call"), @"Tool name=search");
        insta::assert_snapshot!(method("resources/read", "resources/read"), @r#"
        Retrieval
        input: "file:///a"
        "#);
        insta::assert_snapshot!(method("tools/list", "tools/list"), @"Other");
    }
}
