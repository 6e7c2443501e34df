//! Sending a message: signed, bounded, and again where that may help.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::sign::{self, Key};
use crate::net::client::{self, Http};
use crate::net::pace::backoff;
use crate::net::secret::{Secretive, Vars};
use crate::net::{Cause, Trouble, body};

/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of a refusal that are read, for the message.
const SAID: usize = 300;

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The address, which may hold a secret.
    pub url: Secretive,
    /// What they are signed with.
    pub secret: Secretive,
}

/// A message.
#[derive(Debug, Clone, Copy)]
pub struct Message<'m> {
    /// What tells it from others; the same whenever it is sent again, so that a receiver can drop what it has.
    pub id: &'m str,
    /// JSON.
    pub body: &'m [u8],
}

/// Sends messages. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sender {
    http: Http,
}

impl Sender {
    /// A sender; the error is one of the system's TLS.
    pub fn new() -> Result<Self, Trouble> {
        Ok(Self { http: client::client()? })
    }

    /// Sends a message once. `seconds` is now, since the epoch, which receivers compare with their clocks; `vars` holds
    /// the secrets. Any status of success is one; what is replied is not read.
    pub async fn send(
        &self,
        target: &Target,
        message: Message<'_>,
        seconds: i64,
        vars: Vars<'_>,
    ) -> Result<(), Trouble> {
        let misconfigured = |why: String| Trouble::new(Cause::Misconfigured, why);
        let url = target.url.fill(vars).map_err(misconfigured)?;
        let secret = target.secret.fill(vars).map_err(misconfigured)?;
        let key = Key::parse(secret.expose_secret()).map_err(misconfigured)?;
        let request = self
            .http
            .post(url.expose_secret())
            .timeout(TIMEOUT)
            .header(sign::ID, message.id)
            .header(sign::TIMESTAMP, seconds)
            .header(sign::SIGNATURE, key.sign(message.id, seconds, message.body));
        accepted(request, message.body).await
    }

    /// Sends a message once to an address that takes no signature; its id goes in a header all the same.
    pub async fn send_unsigned(&self, url: &Secretive, message: Message<'_>, vars: Vars<'_>) -> Result<(), Trouble> {
        let url = url.fill(vars).map_err(|why| Trouble::new(Cause::Misconfigured, why))?;
        let request = self.http.post(url.expose_secret()).timeout(TIMEOUT).header(sign::ID, message.id);
        accepted(request, message.body).await
    }

    /// Sends a message up to `tries` times while trying again may help, `first` and then longer apart. `seconds` tells the
    /// time of each attempt.
    pub async fn insist(
        &self,
        target: &Target,
        message: Message<'_>,
        (tries, first): (u32, Duration),
        seconds: &(dyn Fn() -> i64 + Send + Sync),
        vars: Vars<'_>,
    ) -> Result<(), Trouble> {
        let mut attempt = 1;
        loop {
            match self.send(target, message, seconds(), vars).await {
                Err(trouble) if trouble.cause.is_transient() && attempt < tries => {
                    tokio::time::sleep(backoff(attempt, first, trouble.retry_after)).await;
                    attempt += 1;
                }
                ended => return ended,
            }
        }
    }
}

/// Sends a request with JSON; any status of success is one.
async fn accepted(request: reqwest::RequestBuilder, json: &[u8]) -> Result<(), Trouble> {
    let request = request.header(reqwest::header::CONTENT_TYPE, "application/json").body(json.to_vec());
    let reply = request.send().await?;
    let status = reply.status();
    if status.is_success() {
        return Ok(());
    }
    let headers = reply.headers().clone();
    let said = body::beginning(reply, SAID).await;
    Err(client::refusal(status, &headers, &said))
}

/// How long after an attempt the next one may be made, for messages that wait in the store: after 5 s, then minutes,
/// then hours, for about three days in all. `None` when `tries` attempts were enough.
pub fn pause_after(tries: u32) -> Option<Duration> {
    const SECONDS: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    let index = usize::try_from(tries).ok()?.checked_sub(1)?;
    SECONDS.get(index).copied().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// What came in: the head in lower case, and the body.
    type Heard = (String, Vec<u8>);

    /// An address that answers the requests of as many connections with these statuses.
    fn stub(statuses: &'static [u16]) -> (String, mpsc::Receiver<Heard>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?token=s3cret", listener.local_addr().unwrap());
        let (tell, heard) = mpsc::channel();
        let elsewhere = url.clone();
        std::thread::spawn(move || {
            for status in statuses {
                let (stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream);
                let (mut head, mut line) = (String::new(), String::new());
                while reader.read_line(&mut line).unwrap() > 2 {
                    head.push_str(&line.to_ascii_lowercase());
                    line.clear();
                }
                let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                tell.send((head, body)).unwrap();
                let head = format!("HTTP/1.1 {status} X\r\nlocation: {elsewhere}\r\nconnection: close");
                let reply = format!("{head}\r\ncontent-length: 3\r\n\r\nno!");
                reader.get_mut().write_all(reply.as_bytes()).unwrap();
            }
        });
        (url, heard)
    }

    fn target(url: &str) -> Target {
        Target { url: Secretive::parse(url).unwrap(), secret: Secretive::parse("{{ env.HOOK }}").unwrap() }
    }

    fn vars(name: &str) -> Option<String> {
        (name == "HOOK").then(|| SECRET.to_owned())
    }

    fn header<'h>(head: &'h str, name: &str) -> &'h str {
        let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {name} in {head}"))
    }

    const MESSAGE: Message<'_> = Message { id: "new.x", body: br#"{"type":"review.new"}"# };

    #[tokio::test]
    async fn a_message_is_signed_and_its_receiver_can_tell() {
        let (url, heard) = stub(&[204]);
        Sender::new().unwrap().send(&target(&url), MESSAGE, 1_700_000_000, &vars).await.unwrap();
        let (head, body) = heard.recv().unwrap();
        assert_eq!((header(&head, "webhook-id"), header(&head, "webhook-timestamp")), ("new.x", "1700000000"));
        let expected = Key::parse(SECRET).unwrap().sign("new.x", 1_700_000_000, &body).to_ascii_lowercase();
        assert_eq!(header(&head, "webhook-signature"), expected);
        assert_eq!(body, MESSAGE.body);
    }

    #[tokio::test]
    async fn what_may_go_better_is_tried_again_under_the_same_id_and_nothing_else_is() {
        let (url, heard) = stub(&[503, 500, 200]);
        let sender = Sender::new().unwrap();
        let patience = (5, Duration::from_millis(1));
        sender.insist(&target(&url), MESSAGE, patience, &|| 7, &vars).await.unwrap();
        let ids: Vec<String> = heard.iter().map(|(head, _)| header(&head, "webhook-id").to_owned()).collect();
        assert_eq!(ids, ["new.x"; 3]);

        let (url, heard) = stub(&[404]);
        let why = sender.insist(&target(&url), MESSAGE, patience, &|| 7, &vars).await.unwrap_err();
        assert_eq!((why.cause, heard.iter().count()), (Cause::Refused, 1));
        assert!(why.message.contains("404") && why.message.contains("no!"), "{why}");
    }

    #[tokio::test]
    async fn a_redirect_is_a_refusal_and_is_not_followed() {
        let (url, _heard) = stub(&[302, 200]);
        let why = Sender::new().unwrap().send(&target(&url), MESSAGE, 7, &vars).await.unwrap_err();
        assert_eq!(why.cause, Cause::Refused);
    }

    #[tokio::test]
    async fn what_cannot_be_sent_says_why_without_its_secrets() {
        let sender = Sender::new().unwrap();
        let why = sender.send(&target("http://127.0.0.1:1/?token=s3cret"), MESSAGE, 7, &vars).await.unwrap_err();
        assert_eq!(why.cause, Cause::Unreachable);
        assert!(!why.message.contains("s3cret"), "{why}");
        let why = sender.send(&target("http://127.0.0.1:1/"), MESSAGE, 7, &|_: &str| None).await.unwrap_err();
        assert_eq!(why.cause, Cause::Misconfigured);
        assert!(why.message.contains("`HOOK` is not set"), "{why}");
        let short = |_: &str| Some("short".to_owned());
        let why = sender.send(&target("http://127.0.0.1:1/"), MESSAGE, 7, &short).await.unwrap_err();
        assert_eq!(why.cause, Cause::Misconfigured);
    }

    #[test]
    fn attempts_are_further_apart_each_time_and_end() {
        let pauses: Vec<Duration> = (1..).map_while(pause_after).collect();
        assert!(pauses.is_sorted() && pauses.len() == 9, "{pauses:?}");
        assert_eq!(pause_after(0), None);
    }
}
