//! `POST /v1/chat/completions`, as OpenAI has it: the agent behind the name of a model.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::chat;
use super::serve::Demo;
use super::turn::{Done, MODEL};

/// A request, as far as it is read.
#[derive(Debug, Deserialize)]
pub struct Request {
    messages: Vec<Said>,
    #[serde(default)]
    stream: bool,
    user: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Said {
    role: String,
    content: Option<Value>,
}

impl Said {
    /// Its text, which may be in parts.
    fn text(&self) -> String {
        match &self.content {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(parts)) => parts.iter().filter_map(|p| p["text"].as_str()).collect(),
            _ => String::new(),
        }
    }
}

pub async fn completions(
    State(demo): State<Arc<Demo>>,
    headers: HeaderMap,
    Json(request): Json<Request>,
) -> Response<Body> {
    let words = request.messages.iter().rev().find(|m| m.role == "user").map(Said::text).unwrap_or_default();
    let heard = demo.hear(&headers, request.user, &words, "POST /v1/chat/completions");
    if let Some(refused) = demo.refuse(&heard).await {
        return refused;
    }
    let id = format!("chatcmpl-{}", heard.session);
    if request.stream || demo.resets(&heard) {
        let (first, last) = (id.clone(), id);
        let piece = move |text: &str| chunk(&first, json!({ "content": text }), Value::Null, None).to_string();
        return chat::stream(demo, heard, piece, move |done| {
            let end = chunk(&last, json!({}), "stop".into(), Some(usage(done)));
            vec![end.to_string(), "[DONE]".to_owned()]
        });
    }
    let done = demo.turn(heard, None).await;
    let message = json!({ "role": "assistant", "content": done.reply });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    let whole = json!({
        "id": id, "object": "chat.completion", "created": 0, "model": MODEL, "choices": [choice], "usage": usage(&done),
    });
    Json(whole).into_response()
}

fn chunk(id: &str, delta: Value, reason: Value, usage: Option<Value>) -> Value {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": reason });
    json!({
        "id": id, "object": "chat.completion.chunk", "created": 0, "model": MODEL, "choices": [choice], "usage": usage,
    })
}

fn usage(done: &Done) -> Value {
    let total = done.input_tokens + done.output_tokens;
    json!({ "prompt_tokens": done.input_tokens, "completion_tokens": done.output_tokens, "total_tokens": total })
}
