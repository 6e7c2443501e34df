//! What kind of operation a span is, by the attributes that name it.

use crate::formats::telemetry::Pairs;
use crate::model::SpanKind;

/// The kind that attributes name: the OpenTelemetry operation first, then OpenInference, OpenLLMetry, Langfuse, Confident AI and MCP,
/// since an operation that is none of ours (`unknown`, a workflow) may still be named by another. A span with a model
/// and no operation is a model's, one with a tool a tool's.
pub fn by_attributes(attributes: &Pairs<'_>) -> SpanKind {
    // The names in order of precedence, each with what it says; the last of a name counts.
    let mut told: [Option<SpanKind>; 7] = [None; 7];
    let (mut has_operation, mut asked, mut answered, mut has_tool) = (false, false, false, false);
    // Once over all: most spans have dozens of attributes.
    for (name, value) in attributes {
        let text = value.as_str();
        match name.as_str() {
            "gen_ai.operation.name" => (told[0], has_operation) = (text.map(operation), text.is_some()),
            "openinference.span.kind" => told[1] = text.map(openinference),
            "traceloop.span.kind" => told[2] = text.map(traceloop),
            "llm.request.type" => told[3] = text.map(request),
            "langfuse.observation.type" => told[4] = text.map(langfuse),
            "confident.span.type" => told[5] = text.map(confident),
            "mcp.method.name" => told[6] = text.map(mcp),
            "gen_ai.request.model" => asked = text.is_some(),
            "gen_ai.response.model" => answered = text.is_some(),
            "gen_ai.tool.name" => has_tool = text.is_some(),
            _ => {}
        }
    }
    match told.into_iter().flatten().find(|kind| *kind != SpanKind::Other) {
        Some(kind) => kind,
        None if has_operation => SpanKind::Other,
        None if asked || answered => SpanKind::Llm,
        None if has_tool => SpanKind::Tool,
        None => SpanKind::Other,
    }
}

fn operation(name: &str) -> SpanKind {
    match name {
        "invoke_agent" => SpanKind::Agent,
        "chat" | "generate_content" | "text_completion" => SpanKind::Llm,
        "execute_tool" => SpanKind::Tool,
        "retrieval" | "embeddings" => SpanKind::Retrieval,
        _ if name.ends_with("_memory") || name.ends_with("_memory_store") => SpanKind::Memory,
        _ => SpanKind::Other,
    }
}

fn openinference(name: &str) -> SpanKind {
    match name {
        "AGENT" => SpanKind::Agent,
        "LLM" => SpanKind::Llm,
        "TOOL" => SpanKind::Tool,
        "RETRIEVER" | "RERANKER" | "EMBEDDING" => SpanKind::Retrieval,
        "GUARDRAIL" => SpanKind::Guardrail,
        _ => SpanKind::Other,
    }
}

fn traceloop(name: &str) -> SpanKind {
    match name {
        "agent" => SpanKind::Agent,
        "tool" => SpanKind::Tool,
        _ => SpanKind::Other,
    }
}

fn request(name: &str) -> SpanKind {
    match name {
        "chat" | "completion" => SpanKind::Llm,
        "embedding" | "rerank" => SpanKind::Retrieval,
        _ => SpanKind::Other,
    }
}

fn langfuse(name: &str) -> SpanKind {
    match name.to_ascii_uppercase().as_str() {
        "AGENT" => SpanKind::Agent,
        "GENERATION" => SpanKind::Llm,
        "TOOL" => SpanKind::Tool,
        "RETRIEVER" | "EMBEDDING" => SpanKind::Retrieval,
        "GUARDRAIL" => SpanKind::Guardrail,
        _ => SpanKind::Other,
    }
}

fn confident(name: &str) -> SpanKind {
    match name {
        "agent" => SpanKind::Agent,
        "llm" => SpanKind::Llm,
        "tool" => SpanKind::Tool,
        "retriever" => SpanKind::Retrieval,
        _ => SpanKind::Other,
    }
}

fn mcp(method: &str) -> SpanKind {
    match method {
        "tools/call" => SpanKind::Tool,
        "resources/read" => SpanKind::Retrieval,
        _ => SpanKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::telemetry::Value;

    fn kind(pairs: &[(&'static str, &'static str)]) -> SpanKind {
        by_attributes(&pairs.iter().map(|(k, v)| ((*k).into(), Value::Text((*v).into()))).collect())
    }

    #[test]
    fn an_operation_that_says_nothing_leaves_the_word_to_another() {
        assert_eq!(kind(&[("gen_ai.operation.name", "chat")]), SpanKind::Llm);
        assert_eq!(kind(&[("gen_ai.operation.name", "unknown"), ("traceloop.span.kind", "tool")]), SpanKind::Tool);
        assert_eq!(kind(&[("gen_ai.operation.name", "search_memory")]), SpanKind::Memory);
        assert_eq!(kind(&[("openinference.span.kind", "GUARDRAIL")]), SpanKind::Guardrail);
        assert_eq!(kind(&[("langfuse.observation.type", "generation")]), SpanKind::Llm);
        assert_eq!(kind(&[("confident.span.type", "retriever")]), SpanKind::Retrieval);
        assert_eq!(kind(&[("mcp.method.name", "tools/call")]), SpanKind::Tool);
        assert_eq!(kind(&[("mcp.method.name", "tools/list")]), SpanKind::Other);
    }

    #[test]
    fn a_model_or_tool_without_an_operation_is_its_call() {
        assert_eq!(kind(&[("gen_ai.request.model", "m")]), SpanKind::Llm);
        assert_eq!(kind(&[("gen_ai.request.model", "m"), ("gen_ai.operation.name", "plan")]), SpanKind::Other);
        assert_eq!(kind(&[("gen_ai.tool.name", "f"), ("langfuse.observation.type", "SPAN")]), SpanKind::Tool);
        assert_eq!(kind(&[]), SpanKind::Other);
    }
}
