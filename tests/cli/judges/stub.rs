//! A server that answers as the models' endpoints do, byte for byte, and remembers what it was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Method and path.
    pub line: String,
    /// Headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Asked {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers beside the length.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The connection is cut in the middle of the body.
    pub cut: bool,
}

/// A success with a body.
pub fn ok(body: impl Into<Vec<u8>>) -> Response {
    let headers = vec![("content-type", "application/json".to_owned())];
    Response { status: 200, headers, body: body.into(), cut: false }
}

/// A refusal with a body.
pub fn refuse(status: u16, body: &str) -> Response {
    Response { status, ..ok(body) }
}

/// An answer of a judge.
pub fn verdict(score: f64) -> String {
    let word = if score >= 0.5 { "pass" } else { "fail" };
    json!({ "reason": "As the rubric says.", "quotes": [], "verdict": word, "score": score }).to_string()
}

/// A chat completion.
pub fn completion(text: &str) -> Response {
    let message = json!({ "role": "assistant", "content": text, "refusal": null });
    let usage = json!({ "prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100,
        "prompt_tokens_details": { "cached_tokens": 0 }, "completion_tokens_details": { "reasoning_tokens": 0 } });
    let choice = json!({ "index": 0, "message": message, "logprobs": null, "finish_reason": "stop" });
    ok(json!({ "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini-2024-07-18",
        "choices": [choice], "usage": usage })
    .to_string())
}

/// What the server does with a request.
type Handler = dyn Fn(&Asked) -> Response + Send + Sync;

/// A running server.
pub struct Stub {
    /// Its address, without a path.
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    most: Arc<AtomicUsize>,
}

impl Stub {
    /// Answers every request by `handler`.
    pub fn new(handler: impl Fn(&Asked) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (asked, most) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::<AtomicUsize>::default());
        let (handler, inside): (Arc<Handler>, _) = (Arc::new(handler), Arc::<AtomicUsize>::default());
        let stub = Self { url, asked: asked.clone(), most: most.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (asked, most, inside, handler) = (asked.clone(), most.clone(), inside.clone(), handler.clone());
                std::thread::spawn(move || serve(stream, &asked, (&inside, &most), &*handler));
            }
        });
        stub
    }

    /// A judge of chat completions that always says the same.
    pub fn says(text: &str) -> Self {
        let text = text.to_owned();
        Self::new(move |_| completion(&text))
    }

    /// What it was asked so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        self.asked().len()
    }

    /// The most requests at a time.
    pub fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

fn serve(
    stream: TcpStream,
    asked: &Mutex<Vec<Asked>>,
    (inside, most): (&AtomicUsize, &AtomicUsize),
    handler: &Handler,
) {
    let mut writer = stream.try_clone().expect("a socket");
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        asked.lock().expect("no panic").push(request.clone());
        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let response = handler(&request);
        inside.fetch_sub(1, Ordering::SeqCst);
        let mut head = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", response.status, response.body.len());
        for (name, value) in &response.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let body = if response.cut { &response.body[..response.body.len() / 2] } else { &response.body[..] };
        // Whoever hung up does not want it.
        if writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(body)).is_err() || response.cut {
            let _ = writer.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(n, _)| n == "content-length").and_then(|(_, v)| v.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    Some(Asked { line, headers, body: String::from_utf8(body).ok()? })
}

/// The body of a request.
pub fn body(asked: &Asked) -> Value {
    serde_json::from_str(&asked.body).expect("JSON")
}
