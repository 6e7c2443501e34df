//! From notices to stubs and programs, by the outbox.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::deliver::Courier;
use super::pause_after;
use crate::alerts::channels::testing::notice;
use crate::net::webhook::send::Sender;
use crate::store::db::testing::{Testing, sqlite};
use crate::suite::settings::notify::Channel;
use crate::suite::settings::notify::testing::channels;

const START: i64 = 1_795_780_800_000;

/// An address that remembers what it was told under which id, and answers with a status that can be changed.
struct Stub {
    url: String,
    heard: Arc<Mutex<Vec<(String, Value)>>>,
    status: Arc<AtomicU16>,
}

impl Stub {
    fn new(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (heard, status) = (Arc::<Mutex<Vec<_>>>::default(), Arc::new(AtomicU16::new(status)));
        let stub = Self { url, heard: heard.clone(), status: status.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let (mut head, mut line) = (String::new(), String::new());
                while reader.read_line(&mut line).unwrap() > 2 {
                    head.push_str(&line.to_ascii_lowercase());
                    line.clear();
                }
                let header = |name: &str| {
                    head.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default().to_owned()
                };
                let mut body = vec![0; header("content-length").parse().unwrap()];
                reader.read_exact(&mut body).unwrap();
                heard.lock().unwrap().push((header("webhook-id"), serde_json::from_slice(&body).unwrap()));
                let status = status.load(Ordering::SeqCst);
                let reply = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
                reader.get_mut().write_all(reply.as_bytes()).unwrap();
            }
        });
        stub
    }

    fn ids(&self) -> Vec<String> {
        self.heard.lock().unwrap().iter().map(|(id, _)| id.clone()).collect()
    }
}

struct Bench {
    on: Testing,
    channels: BTreeMap<String, Channel>,
    now: Arc<AtomicI64>,
    sender: Sender,
}

impl Bench {
    async fn new(settings: &str) -> Self {
        let channels = channels(settings, Path::new("/"));
        Self { on: sqlite().await, channels, now: Arc::new(AtomicI64::new(START)), sender: Sender::new().unwrap() }
    }

    async fn deliver(&self, put: bool) -> super::Delivered {
        let now = self.now.clone();
        let clock = move || now.load(Ordering::SeqCst);
        let vars = |name: &str| (name == "S").then(|| "a secret of twenty-four bytes and more".to_owned());
        let courier = Courier {
            store: &self.on.store,
            channels: &self.channels,
            sender: &self.sender,
            vars: &vars,
            clock: &clock,
            program: "seatrial",
        };
        if put {
            super::put(&self.on.store, &notice(), START).await.unwrap();
        }
        courier.send_all().await.unwrap()
    }

    fn later(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

fn slack(name: &str, stub: &Stub) -> String {
    format!("[notify.{name}]\nkind = \"slack\"\nurl = \"{}\"\n", stub.url)
}

#[tokio::test]
async fn every_channel_is_told_once_however_often_the_notice_is_put() {
    let (chat, hook, pager) = (Stub::new(200), Stub::new(204), Stub::new(202));
    let bench = Bench::new(&format!(
        "{}[notify.hook]\nkind = \"webhook\"\nurl = \"{}\"\nsecret = \"{{{{ env.S }}}}\"\n\
         [notify.pager]\nkind = \"pagerduty\"\nurl = \"{}\"\nrouting_key = \"{{{{ env.S }}}}\"\n",
        slack("chat", &chat),
        hook.url,
        pager.url
    ))
    .await;
    assert_eq!(bench.deliver(true).await.sent, 3);
    bench.later(3600);
    assert_eq!(bench.deliver(true).await, super::Delivered::default());
    assert_eq!((chat.ids(), hook.ids()), (vec!["k1".to_owned()], vec!["alert.k1".to_owned()]));
    assert_eq!(pager.ids(), ["i1.k1", "i2.k1"], "an incident for each group");
}

#[tokio::test]
async fn a_channel_that_is_down_for_an_hour_is_told_when_it_is_back_and_others_are_not_told_twice() {
    let (down, up) = (Stub::new(503), Stub::new(200));
    let bench = Bench::new(&format!("{}{}", slack("down", &down), slack("up", &up))).await;
    let first = bench.deliver(true).await;
    assert_eq!((first.sent, first.again), (1, 1));
    assert!(first.troubles["down"].contains("503"), "{first:?}");
    for _ in 0..12 {
        bench.later(300);
        assert_eq!(bench.deliver(false).await.sent, 0);
    }
    down.status.store(200, Ordering::SeqCst);
    bench.later(300);
    assert_eq!(bench.deliver(false).await.sent, 1);
    assert_eq!(up.ids().len(), 1);
    assert!(down.ids().iter().all(|id| id == "k1"), "the same id each time");
}

#[tokio::test]
async fn only_those_are_told_that_are_named_and_what_is_gone_is_given_up() {
    let (a, b) = (Stub::new(200), Stub::new(503));
    let mut bench = Bench::new(&format!("{}{}", slack("a", &a), slack("b", &b))).await;
    bench.deliver(true).await;
    bench.channels.remove("b");
    bench.later(10);
    let gone = bench.deliver(false).await;
    assert_eq!(gone.given_up, 1);
    assert!(gone.troubles["b"].contains("not in the settings"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_has_the_notice_in_its_environment_and_its_failure_is_one() {
    let script = "printf '%s %s' \"$SEATRIAL_ALERT_NAME\" \"$SEATRIAL_ALERT_SEVERITY\" > \"$0\"; exit 0";
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("told");
    let bench = Bench::new(&format!(
        "[notify.p]\nkind = \"command\"\nrun = [\"sh\", \"-c\", {script:?}, {:?}]\n\
         [notify.q]\nkind = \"command\"\nrun = [\"sh\", \"-c\", \"exit 3\"]\n",
        out.display().to_string()
    ))
    .await;
    let delivered = bench.deliver(true).await;
    assert_eq!((delivered.sent, delivered.again), (1, 1));
    assert_eq!(std::fs::read_to_string(out).unwrap(), "slow critical");
}

#[test]
fn what_is_sent_again_is_sent_soon_and_for_a_day() {
    let seconds: Vec<u64> = (1..6).map(|tries| pause_after(tries, 0).unwrap().as_secs()).collect();
    assert_eq!(seconds, [5, 15, 60, 300, 300]);
    assert_eq!(pause_after(300, 25 * 3_600_000), None);
}
