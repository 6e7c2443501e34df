//! A model on this machine: what it is asked is text, and what it says is up to the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

/// A server that speaks chat completions and embeddings, until the test ends.
pub struct Model {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Model {
    /// One that answers to the text of a question (all messages, or what is embedded).
    pub fn new(says: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let asked = Arc::new(AtomicUsize::new(0));
        let (says, count) = (Arc::new(says), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (says, count) = (says.clone(), count.clone());
                std::thread::spawn(move || {
                    count.fetch_add(1, Ordering::SeqCst);
                    // A client that went away needs no answer.
                    let _ = answer(stream, &*says);
                });
            }
        });
        Self { url, asked }
    }

    /// Settings in which it is the judge `default` and the endpoint of embeddings `default`.
    pub fn settings(&self) -> String {
        let table =
            |name: &str| format!("[{name}.default]\nendpoint = \"openai\"\nmodel = \"m\"\nurl = \"{}\"\n", self.url);
        table("judge") + &table("embedding")
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: TcpStream, says: &dyn Fn(&str) -> String) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut length, mut line) = (0, String::new());
    reader.read_line(&mut line)?;
    let embeds = line.contains("/embeddings");
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? <= 2 {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body)?;
    let usage = json!({ "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15 });
    let reply = if embeds {
        let vector: Value = serde_json::from_str(&says(body["input"].as_str().unwrap_or_default()))?;
        json!({ "model": "m", "data": [{ "index": 0, "embedding": vector }], "usage": usage })
    } else {
        let mut texts = Vec::new();
        collect(&body["messages"], &mut texts);
        let message = json!({ "role": "assistant", "content": says(&texts.join("\n\n")) });
        json!({ "model": "m", "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }], "usage": usage })
    };
    let reply = reply.to_string();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{reply}",
        reply.len()
    )
}

/// What messages say, whether in one text or in parts.
fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(map) => {
            for key in ["content", "text"] {
                match map.get(key) {
                    Some(Value::String(text)) => texts.push(text.clone()),
                    Some(other) => collect(other, texts),
                    None => {}
                }
            }
        }
        _ => {}
    }
}
