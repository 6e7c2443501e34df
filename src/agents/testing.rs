//! A server that replies as it is told, on a port of its own, and conversations with agents made from TOML.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::kind::Setup;
use super::{Agent, Conversation, Exchange, Heard, Say, Start, kind};
use crate::checks::build::{BuildProblem, Files};
use crate::net::{Trouble, client};

/// Runs a test, which takes a minute at most.
pub fn runs<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), future).await.unwrap() })
}

/// What a server does when it is asked.
#[derive(Clone)]
pub enum Do {
    /// Sends these bytes and ends the connection.
    Send(Vec<u8>),
    /// Sends these one after the other, this long apart, and ends the connection.
    Pieces(Duration, Vec<Vec<u8>>),
    /// Sends the first, then the second for ever.
    Endless(Vec<u8>, Vec<u8>),
    /// Sends these bytes and resets the connection.
    Reset(Vec<u8>),
    /// Says nothing.
    Hang,
}

/// A reply with a body that is there as a whole.
pub fn reply(status: &str, content: &str, body: &str) -> Do {
    let length = body.len();
    Do::Send(
        format!("HTTP/1.1 {status}\r\ncontent-type: {content}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
            .into_bytes(),
    )
}

/// A reply of JSON.
pub fn ok(body: &Value) -> Do {
    reply("200 OK", "application/json", &body.to_string())
}

/// The head of a reply whose body ends with the connection.
pub fn head(content: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {content}\r\nconnection: close\r\n\r\n").into_bytes()
}

/// A reply of events.
pub fn events(events: &[&str]) -> Do {
    let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    reply("200 OK", "text/event-stream", &body)
}

/// A server that does one thing after the other, the last of them again and again.
pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn new(script: Vec<Do>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let task = tokio::spawn(async move {
            let mut at = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let step = script[at.min(script.len() - 1)].clone();
                at += 1;
                tokio::spawn(answer(stream, step, seen.clone()));
            }
        });
        Self { url, requests, task }
    }

    /// The requests that came, as text.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The body of a request, as JSON.
    pub fn sent(&self, i: usize) -> Value {
        let requests = self.requests();
        serde_json::from_str(requests[i].split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream, step: Do, seen: Arc<Mutex<Vec<String>>>) {
    let Some(request) = request(&mut stream).await else { return };
    seen.lock().unwrap().push(request);
    match step {
        Do::Send(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Do::Pieces(apart, pieces) => {
            for (i, piece) in pieces.iter().enumerate() {
                if i > 0 {
                    tokio::time::sleep(apart).await;
                }
                let _ = stream.write_all(piece).await;
            }
            let _ = stream.shutdown().await;
        }
        Do::Endless(first, again) => {
            let _ = stream.write_all(&first).await;
            while stream.write_all(&again).await.is_ok() {}
        }
        Do::Reset(bytes) => {
            let _ = stream.write_all(&bytes).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            let _ = stream.set_zero_linger();
        }
        Do::Hang => std::future::pending().await,
    }
}

async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(n @ 1..) => bytes.extend_from_slice(&piece[..n]),
            _ => return None,
        }
    }
}

/// No files.
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &std::path::Path) -> Result<Arc<[u8]>, String> {
        Err(format!("{} is not there", path.display()))
    }
}

/// The agent that a table describes; warnings are no matter.
pub fn build(table: &str) -> Result<Arc<dyn Agent>, Vec<BuildProblem>> {
    let (made, problems) = made(table);
    made.filter(|_| problems.iter().all(|p| p.warning)).ok_or(problems)
}

fn made(table: &str) -> (kind::Made, Vec<BuildProblem>) {
    let mut table: toml::Table = toml::from_str(table).unwrap();
    let Some(toml::Value::String(name)) = table.remove("kind") else { panic!("no kind") };
    let text = toml::to_string(&table).unwrap();
    let mut setup = Setup { dir: std::path::Path::new(""), files: &NoFiles, problems: Vec::new() };
    let made = (kind(&name).unwrap().from_toml)(toml::de::Deserializer::parse(&text).unwrap(), &mut setup);
    match made {
        Ok(made) => (made, setup.problems),
        Err(error) => panic!("{error}"),
    }
}

/// The problems of a table, warnings too, as `path: message`.
pub fn problems(table: &str) -> Vec<String> {
    let problems = made(table).1;
    problems.iter().map(|p| format!("{}: {}", p.path.join("."), p.message)).collect()
}

/// Variables that tests may use.
pub fn env(name: &str) -> Option<String> {
    match name {
        "KEY" => Some("s3cret".to_owned()),
        "AWS_ACCESS_KEY_ID" => Some("AKIDEXAMPLE".to_owned()),
        _ => None,
    }
}

pub const SESSION: &str = "0b0c0d0e-0000-4000-8000-000000000001";

/// Opens a conversation.
pub async fn open(agent: &Arc<dyn Agent>) -> Result<Box<dyn Conversation>, Trouble> {
    let case = json!({"id": "c-1", "n": 7});
    let http = client::client().unwrap();
    let start = Start { session: SESSION, case: &case, trial: 1, http: &http, env: &env };
    agent.open(&start).await
}

/// Says something, as the `turn`th thing.
pub async fn say(talk: &mut dyn Conversation, text: &str, turn: usize, history: &[Exchange]) -> Result<Heard, Trouble> {
    let say = Say {
        text,
        call: None,
        turn,
        history,
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        baggage: "session.id=0b0c0d0e-0000-4000-8000-000000000001",
    };
    talk.say(&say).await
}

/// Makes an agent, opens a conversation, says `hello`.
pub async fn hello(table: &str) -> Result<Heard, Trouble> {
    let agent = build(table).unwrap_or_else(|problems| panic!("{problems:?}"));
    let mut talk = open(&agent).await?;
    say(&mut *talk, "hello", 0, &[]).await
}

/// Calls a tool.
pub async fn call(talk: &mut dyn Conversation, name: &str, arguments: &Value) -> Result<Heard, Trouble> {
    let empty = Map::new();
    let arguments = arguments.as_object().unwrap_or(&empty);
    let say = Say { text: "", call: Some((name, arguments)), turn: 0, history: &[], traceparent: "", baggage: "" };
    talk.say(&say).await
}
