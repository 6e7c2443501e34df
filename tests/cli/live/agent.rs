//! An agent behind HTTP for tests: what it says to a message is a function.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// What it answers with.
pub enum Answer {
    /// JSON, with 200.
    Json(Value),
    /// A status, headers and a body.
    Status(u16, &'static [(&'static str, &'static str)], String),
    /// Nothing, ever.
    Hang,
    /// Writes what it likes, head and all, and hangs up.
    Writes(fn(&mut TcpStream)),
    /// The connection ends.
    Reset,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Method and path.
    pub line: String,
    /// Headers, in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, as JSON; null where it is none.
    pub body: Value,
}

impl Asked {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// What the user says.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

/// An agent that listens until the test is over.
pub struct Agent {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Agent {
    /// One that answers so; `nth` is how many requests came before.
    pub fn new(says: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (says, told) = (Arc::new(says), asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (says, told) = (says.clone(), told.clone());
                thread::spawn(move || serve(stream, &*says, &told));
            }
        });
        Self { port, asked }
    }

    /// One that replies with the message.
    pub fn echo() -> Self {
        Self::new(|asked, _| reply(asked.message()))
    }

    /// Where it is.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// `[agent]` that speaks with it.
    pub fn table(&self) -> String {
        let url = self.url("/chat");
        format!(
            "[agent]\nkind = \"http\"\nurl = \"{url}\"\nreply = \"reply\"\ncalls = {{ at = \"calls\", name = \"name\", input = \"args\" }}\nusage = \"usage\"\n"
        )
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("a lock").clone()
    }
}

/// A reply that reports no call of a tool.
pub fn reply(text: &str) -> Answer {
    Answer::Json(json!({ "reply": text, "calls": [], "usage": { "input_tokens": 10, "output_tokens": 5 } }))
}

fn serve(stream: TcpStream, says: &(dyn Fn(&Asked, usize) -> Answer + Send + Sync), told: &Mutex<Vec<Asked>>) {
    let Ok(mut out) = stream.try_clone() else { return };
    let mut input = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            if input.read_line(&mut header).unwrap_or(0) == 0 {
                return;
            }
            match header.trim().split_once(':') {
                Some((name, value)) => headers.push((name.to_lowercase(), value.trim().to_owned())),
                None => break,
            }
        }
        let length = headers.iter().find(|(n, _)| n == "content-length").and_then(|(_, v)| v.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        if input.read_exact(&mut body).is_err() {
            return;
        }
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let asked = Asked { line: line.trim().to_owned(), headers, body };
        let nth = {
            let mut told = told.lock().expect("a lock");
            told.push(asked.clone());
            told.len() - 1
        };
        let (status, extra, body): (u16, &[(&str, &str)], String) = match says(&asked, nth) {
            Answer::Json(value) => (200, &[("content-type", "application/json")], value.to_string()),
            Answer::Status(status, headers, body) => (status, headers, body),
            Answer::Writes(write) => {
                write(&mut out);
                return;
            }
            Answer::Hang => loop {
                thread::park();
            },
            Answer::Reset => return,
        };
        let extra: String = extra.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n{extra}\r\n", body.len());
        if out.write_all(head.as_bytes()).and_then(|()| out.write_all(body.as_bytes())).is_err() {
            return;
        }
    }
}
