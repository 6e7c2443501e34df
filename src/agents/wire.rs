//! What every agent that is spoken with over HTTP shares: where requests go and with which headers, and replies that are
//! taken for nothing but what they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

use minijinja::Value as Jinja;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Request, Response, Url};
use serde_json::Value;

use super::kind::Setup;
use super::template::{Env, Text};
use super::{Heard, Say, Start};
use crate::checks::jinja::Template;
use crate::net::client::{Http, refusal};
use crate::net::secret::{is_secret_header, written_out};
use crate::net::{Cause, Trouble, body};

/// Longest reply that is read, in bytes.
pub const MOST: usize = 8 << 20;
/// How much of a reply that is no use is shown, in bytes.
const SHOWN: usize = 400;
/// How long is waited for that.
const SHOWN_WAIT: Duration = Duration::from_secs(2);

/// Where requests go, and with which headers.
pub struct Wire {
    method: Method,
    url: Text,
    headers: Vec<(HeaderName, Text)>,
    variables: BTreeSet<String>,
    reads: BTreeSet<String>,
    ready: OnceLock<Result<Ready, Trouble>>,
}

/// What is the same for every request.
pub struct Ready {
    /// The environment variables that templates use.
    pub env: Env,
    url: Option<Url>,
    headers: HeaderMap,
}

impl Wire {
    /// Reads the keys `url` and `headers`; problems are reported.
    pub fn new(method: Method, url: &str, headers: &BTreeMap<String, String>, setup: &mut Setup<'_>) -> Option<Self> {
        let before = setup.problems.len();
        let url = Text::parse(url).map_err(|why| setup.problem(&["url"], why, None)).ok();
        if let Some(plain) = url.as_ref().filter(|url| !url.written().contains("{{") && !url.written().contains("{%"))
            && let Err(why) = parse_url(plain.written())
        {
            setup.problem(&["url"], why, "such as \"http://127.0.0.1:8080/chat\"".to_owned());
        }
        let mut read = Vec::new();
        for (name, value) in headers {
            let path = ["headers", name.as_str()];
            let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
                setup.problem(&path, format!("`{name}` is no name of a header"), None);
                continue;
            };
            match Text::parse(value) {
                Ok(text) => {
                    if is_secret_header(name) && !Template::is_in(value) {
                        let (message, help) = written_out(name);
                        setup.warn(&path, message, help);
                    }
                    read.push((parsed, text));
                }
                Err(why) => setup.problem(&path, why, None),
            }
        }
        if setup.problems.iter().skip(before).any(|problem| !problem.warning) {
            return None;
        }
        let url = url?;
        let texts = || std::iter::once(&url).chain(read.iter().map(|(_, text)| text));
        let (variables, reads) = (texts().flat_map(Text::variables).collect(), texts().flat_map(Text::reads).collect());
        Some(Self { method, url, headers: read, variables, reads, ready: OnceLock::new() })
    }

    /// Adds what other texts of the request (its body) read.
    pub fn also(&mut self, reads: BTreeSet<String>, variables: BTreeSet<String>) {
        self.reads.extend(reads);
        self.variables.extend(variables);
    }

    /// The names that the request's templates start from.
    pub fn reads(&self) -> &BTreeSet<String> {
        &self.reads
    }

    /// What is the same for every request; made when it is wanted first.
    pub fn ready(&self, start: &Start<'_>) -> Result<&Ready, Trouble> {
        self.ready.get_or_init(|| self.prepare(start)).as_ref().map_err(Clone::clone)
    }

    /// The same, in a conversation that was opened.
    pub fn made(&self) -> Result<&Ready, Trouble> {
        let unopened = || Err(Trouble::new(Cause::Misconfigured, "the conversation was not opened"));
        self.ready.get().map_or_else(unopened, |ready| ready.as_ref().map_err(Clone::clone))
    }

    fn prepare(&self, start: &Start<'_>) -> Result<Ready, Trouble> {
        let env = Env::new(&self.variables, start.env)?;
        let context = super::template::Known::new(&BTreeSet::from(["env".to_owned()]), start, &env).fixed();
        let url = match self.url.is_fixed() {
            true => Some(self.address(&context, &env)?),
            false => None,
        };
        let mut headers = HeaderMap::new();
        for (name, text) in self.headers.iter().filter(|(_, text)| text.is_fixed()) {
            headers.insert(name, value(name, &text.render(&context)?)?);
        }
        Ok(Ready { env, url, headers })
    }

    fn address(&self, context: &Jinja, env: &Env) -> Result<Url, Trouble> {
        let wrong = |why: String| Trouble::new(Cause::Misconfigured, env.scrub(&format!("`url`: {why}")));
        parse_url(&self.url.render(context)?).map_err(wrong)
    }

    /// Where a connection goes that is kept, and its headers, as known when it is opened.
    pub fn opening(&self, ready: &Ready, context: &Jinja) -> Result<(Url, HeaderMap), Trouble> {
        let url = match &ready.url {
            Some(url) => url.clone(),
            None => self.address(context, &ready.env)?,
        };
        let mut headers = ready.headers.clone();
        for (name, text) in self.headers.iter().filter(|(_, text)| !text.is_fixed()) {
            headers.insert(name, value(name, &text.render(context)?)?);
        }
        Ok((url, headers))
    }

    /// A request with a body. `defaults` are headers that the suite may set otherwise.
    pub fn request(
        &self,
        ready: &Ready,
        context: &Jinja,
        say: &Say<'_>,
        defaults: &[(HeaderName, &'static str)],
        body: Option<Vec<u8>>,
    ) -> Result<Request, Trouble> {
        let (url, mut headers) = self.opening(ready, context)?;
        for (name, default) in defaults {
            headers.entry(name).or_insert(HeaderValue::from_static(default));
        }
        for (name, told) in [("traceparent", say.traceparent), ("baggage", say.baggage)] {
            if !told.is_empty() {
                headers.insert(name, value(name, told)?);
            }
        }
        let mut request = Request::new(self.method.clone(), url);
        *request.headers_mut() = headers;
        *request.body_mut() = body.map(Into::into);
        Ok(request)
    }
}

/// Sends a request; a reply that is no success is a trouble.
pub async fn send(http: &Http, request: Request, env: &Env) -> Result<Response, Trouble> {
    let reply = http.execute(request).await?;
    if reply.status().is_success() {
        return Ok(reply);
    }
    let (status, headers) = (reply.status(), reply.headers().clone());
    // That it failed is known; why is good to know, and no more.
    let said = tokio::time::timeout(SHOWN_WAIT, body::beginning(reply, SHOWN)).await.unwrap_or_default();
    Err(env.scrubbed(refusal(status, &headers, &said)))
}

/// What kind of content a reply says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// JSON, in any of its names.
    Json,
    /// Server-sent events.
    Events,
    /// JSON lines, in any of their names.
    Lines,
    /// Text that nothing is known of, or nothing said at all.
    Plain,
    /// Anything else.
    Other,
}

/// What kind of content a reply says that it is, and in which words.
pub fn content(reply: &Response) -> (Content, String) {
    let said = reply.headers().get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let said = said.unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let content = match essence.as_str() {
        "text/event-stream" => Content::Events,
        "application/x-ndjson"
        | "application/jsonl"
        | "application/x-jsonlines"
        | "application/json-lines"
        | "application/jsonlines"
        | "application/ndjson"
        | "application/json-seq" => Content::Lines,
        "application/json" | "text/json" => Content::Json,
        json if json.ends_with("+json") => Content::Json,
        "" | "text/plain" | "application/octet-stream" | "binary/octet-stream" | "text/markdown" => Content::Plain,
        _ => Content::Other,
    };
    (content, said)
}

/// A trouble with the content of a reply, which shows how it begins.
pub async fn unexpected(reply: Response, wanted: &str, said: &str, env: &Env) -> Trouble {
    let beginning = tokio::time::timeout(SHOWN_WAIT, body::beginning(reply, SHOWN)).await.unwrap_or_default();
    let said = if said.is_empty() { "of no stated type" } else { said };
    let message = format!("the reply is {}, and no {wanted}{}", clipped(said), begins(&beginning));
    Trouble::new(Cause::Malformed, env.scrub(&message))
}

/// A reply as JSON.
pub async fn json(reply: Response, env: &Env) -> Result<Value, Trouble> {
    let (content, said) = content(&reply);
    if !matches!(content, Content::Json | Content::Plain) {
        return Err(unexpected(reply, "JSON", &said, env).await);
    }
    let bytes = body::whole(reply, MOST).await?;
    parse(&bytes, "the reply", env)
}

/// JSON, or a trouble that shows how it begins.
pub fn parse(bytes: &[u8], what: &str, env: &Env) -> Result<Value, Trouble> {
    serde_json::from_slice(bytes).map_err(|why| {
        let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
        let message = format!("{what} is no JSON: {why}{}", begins(&beginning));
        Trouble::new(Cause::Malformed, env.scrub(&message))
    })
}

/// A text of somebody else for a message: one line, not longer than is useful.
pub fn clipped(text: &str) -> String {
    let mut line: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() < text.len() {
        line.push_str(" ...");
    }
    line
}

fn begins(beginning: &str) -> String {
    match clipped(beginning.trim()) {
        text if text.is_empty() => "; it is empty".to_owned(),
        text => format!("; it begins `{text}`"),
    }
}

fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|why| format!("not an address: {why}"))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        other => Err(format!("not an address of HTTP: it begins with `{other}:`")),
    }
}

/// A header's value; `Err` names the header and not what it holds.
fn value(name: impl std::fmt::Display, text: &str) -> Result<HeaderValue, Trouble> {
    let wrong =
        |_| Trouble::new(Cause::Misconfigured, format!("the header `{name}` has characters that none may have"));
    HeaderValue::from_str(text).map_err(wrong)
}

/// Headers for JSON in both directions.
pub const JSON: &[(HeaderName, &str)] = &[(CONTENT_TYPE, "application/json"), (ACCEPT, "application/json")];
/// Headers for JSON that is answered with a stream of events.
pub const EVENTS: &[(HeaderName, &str)] =
    &[(CONTENT_TYPE, "application/json"), (ACCEPT, "text/event-stream, application/json")];

/// A trouble where a tool is to be called of an agent that has none to be called.
pub fn no_tools(say: &Say<'_>, kind: &str) -> Result<(), Trouble> {
    match say.call {
        None => Ok(()),
        Some(_) => {
            let message = format!("a turn with `call` is for agents of kind `mcp`; this one is `{kind}`");
            Err(Trouble::new(Cause::Misconfigured, message))
        }
    }
}

/// Appends a piece of the reply; the first that says anything is timed.
pub fn piece(heard: &mut Heard, text: &str, since: std::time::Instant) {
    if text.is_empty() {
        return;
    }
    heard.first.get_or_insert_with(|| since.elapsed());
    heard.reply.get_or_insert_default().push_str(text);
}
