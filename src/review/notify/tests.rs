//! From the outbox to stubs that check signatures.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicI64, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::deliver::{Notifier, Told};
use crate::ledger::{Answer, Event};
use crate::net::secret::Secretive;
use crate::net::webhook::send::{Sender, Target};
use crate::net::webhook::sign::Key;
use crate::store::db::testing::{id, items, said, sqlite};
use crate::suite::settings::{Origin, Webhook};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const START: i64 = 1_700_000_000_000;

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
                    head.push_str(&line);
                    line.clear();
                }
                let header = |name: &str| {
                    let find = |l: &str| {
                        l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned())
                    };
                    head.lines().find_map(find).unwrap_or_default()
                };
                let mut body = vec![0; header("content-length").parse().unwrap()];
                reader.read_exact(&mut body).unwrap();
                let (id, seconds) = (header("webhook-id"), header("webhook-timestamp").parse().unwrap());
                let signature = Key::parse(SECRET).unwrap().sign(&id, seconds, &body);
                assert_eq!(header("webhook-signature"), signature);
                heard.lock().unwrap().push((id, serde_json::from_slice(&body).unwrap()));
                let status = status.load(Ordering::SeqCst);
                let reply = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
                reader.get_mut().write_all(reply.as_bytes()).unwrap();
            }
        });
        stub
    }

    fn webhook(&self, events: &[Event], content: bool) -> Webhook {
        let target =
            Target { url: Secretive::parse(&self.url).unwrap(), secret: Secretive::parse("{{ env.S }}").unwrap() };
        Webhook { target, events: events.to_vec(), content, origin: Origin::Default }
    }

    fn heard(&self) -> Vec<(String, Value)> {
        self.heard.lock().unwrap().clone()
    }

    fn types(&self) -> Vec<String> {
        self.heard().iter().map(|(_, body)| body["type"].as_str().unwrap().to_owned()).collect()
    }
}

fn vars(name: &str) -> Option<String> {
    (name == "S").then(|| SECRET.to_owned())
}

#[tokio::test]
async fn each_address_is_told_once_what_it_wants_to_know() {
    let testing = sqlite().await;
    let store = testing.store.posting();
    let (all, new) = (Stub::new(200), Stub::new(204));
    let webhooks = [all.webhook(&Event::ALL, true), new.webhook(&[Event::New], false)];
    let (sender, time) = (Sender::new().unwrap(), AtomicI64::new(START));
    let clock = || time.load(Ordering::SeqCst);
    let notifier = Notifier { store: &store, webhooks: &webhooks, sender: &sender, vars: &vars, clock: &clock };
    store.enqueue(&items(1, |_, item| item.asked.due = Some(START + 1000)), START).await.unwrap();
    assert_eq!(notifier.find_overdue().await.unwrap(), 0);
    assert_eq!(notifier.send_all().await.unwrap(), Told { sent: 2, ..Told::default() });

    time.store(START + 2000, Ordering::SeqCst);
    assert_eq!(notifier.find_overdue().await.unwrap(), 1);
    assert_eq!(notifier.find_overdue().await.unwrap(), 0, "once");
    time.store(START + 3000, Ordering::SeqCst);
    store.import(&id(1), "ann", &said("a", Answer::Fail), START + 3000).await.unwrap().unwrap();
    assert_eq!(notifier.send_all().await.unwrap(), Told { sent: 2, ..Told::default() });
    assert_eq!(notifier.send_all().await.unwrap(), Told::default());

    assert_eq!(new.types(), ["review.new"]);
    let mut types = all.types();
    types.sort();
    assert_eq!(types, ["review.new", "review.overdue", "review.resolved"]);
    let told = new.heard();
    assert_eq!(told[0].0, format!("review_new_{}", id(1)));
    let data = &told[0].1["data"];
    assert_eq!((&data["item"], &data["suite"]), (&id(1).0.into(), &"support".into()));
    let text = data.to_string();
    assert!(!text.contains("proposal") && !text.contains("two of three") && !text.contains("goal reached"), "{text}");
    let more = all.heard();
    assert!(more.iter().all(|(_, body)| body["data"]["question"] == "Was the goal reached?"), "{more:?}");
}

#[tokio::test]
async fn an_address_that_is_down_is_told_later_and_keeps_nobody_from_being_told() {
    let testing = sqlite().await;
    let store = testing.store.posting();
    let (up, down) = (Stub::new(200), Stub::new(503));
    let webhooks = [up.webhook(&Event::ALL, false), down.webhook(&Event::ALL, false)];
    let (sender, time) = (Sender::new().unwrap(), AtomicI64::new(START));
    let clock = || time.load(Ordering::SeqCst);
    let notifier = Notifier { store: &store, webhooks: &webhooks, sender: &sender, vars: &vars, clock: &clock };
    store.enqueue(&items(1, |_, _| ()), START).await.unwrap();
    let told = notifier.send_all().await.unwrap();
    assert_eq!((told.sent, told.again, told.given_up), (1, 1, 0));
    assert!(told.troubles[0].contains("503"), "{:?}", told.troubles);
    assert_eq!(notifier.send_all().await.unwrap(), Told::default(), "not before it is due");
    time.fetch_add(6_000, Ordering::SeqCst);
    down.status.store(200, Ordering::SeqCst);
    assert_eq!(notifier.send_all().await.unwrap(), Told { sent: 1, ..Told::default() });
    let ids: Vec<String> = down.heard().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [format!("review_new_{}", id(1)), format!("review_new_{}", id(1))]);
    assert_eq!(up.heard().len(), 1, "and whoever was told is not told again");
}

#[tokio::test]
async fn in_the_end_it_is_given_up() {
    let testing = sqlite().await;
    let store = testing.store.posting();
    let down = Stub::new(500);
    let webhooks = [down.webhook(&[Event::New], false)];
    let (sender, time) = (Sender::new().unwrap(), AtomicI64::new(START));
    let clock = || time.load(Ordering::SeqCst);
    let notifier = Notifier { store: &store, webhooks: &webhooks, sender: &sender, vars: &vars, clock: &clock };
    store.enqueue(&items(1, |_, _| ()), START).await.unwrap();
    let mut all = Told::default();
    for _ in 0..30 {
        let told = notifier.send_all().await.unwrap();
        all.again += told.again;
        all.given_up += told.given_up;
        time.fetch_add(86_400_000, Ordering::SeqCst);
    }
    assert_eq!((all.again, all.given_up, down.heard().len()), (9, 1, 10));
}
