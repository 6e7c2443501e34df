//! Sessions of high risk: they go to review, adjudicators alone read them until they release them, and the owner is told at
//! once.

use std::time::Duration;

use seatrial::ledger::ItemId;
use seatrial::store::db::{Page, RELEASED, TrailFilter};
use serde_json::{Value, json};

use super::outside::backend;
use super::process::Watch;
use crate::project::{Project, Said, replies};
use crate::receive::recorder::run;
use crate::review::review;
use crate::review_pages::{Served, with_store};

const SUITE: &str = "[[turn]]\nid = \"no-pii\"\ncheck = \"not_contains\"\ndetect = [\"email\"]\n\
                     [watch.quarantine]\nchecks = [\"no-pii\"]\nto = [\"kill-switch\"]\n";

#[test]
fn a_session_of_high_risk_is_reviewed_restricted_and_told_to_whoever_can_stop_the_agent() {
    let project = Project::with(SUITE, &["{}"]);
    let (url, told) = backend(1);
    project.file("seatrial.toml", format!("[notify.kill-switch]\nkind = \"slack\"\nurl = \"{url}/stop\"\n"));
    let watch = Watch::start(&project, &["--idle", "200ms"]);
    assert_eq!(watch.send(&super::turn("harmless", 1, "it is ok")), 200);
    assert_eq!(watch.send(&super::turn("risky", 1, "Write to ann@example.com.")), 200);
    watch.until("seatrial_watch_quarantined_sessions_total{suite=\"s\",check=\"no-pii\"} 1");
    watch.until("seatrial_watch_sessions_total{suite=\"s\",outcome=\"evaluated\"} 2");
    // The first attempt failed.
    let notice = told.recv_timeout(Duration::from_secs(60)).expect("a notice").to_string();
    assert!(notice.contains("quarantine") && notice.contains("risky") && notice.contains("no-pii"), "{notice}");
    assert!(!notice.contains("ann@example.com") && !notice.contains("harmless"), "{notice}");
    watch.kill();

    for (name, role) in [("ann", "reviewer"), ("eve", "adjudicator")] {
        project.seatrial(&["review", "user", "add", name, "--role", role, "--no-password"]).code(0);
    }
    let listed = project.seatrial(&["review", "list", "--json"]).code(0).out;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let items = listed["items"].as_array().expect("items");
    assert_eq!(items.len(), 1, "{listed}");
    let item = items[0]["item"].as_str().expect("a name");
    let shown = |who: &str| {
        let mut command = project.command(&["review", "show", item]);
        command.env("SEATRIAL_REVIEWER", who);
        Said::of(command).code(0).out
    };
    let (ann, eve) = (shown("ann"), shown("eve"));
    assert!(ann.contains("under quarantine") && !ann.contains("ann@example.com"), "{ann}");
    assert!(eve.contains("ann@example.com"), "{eve}");
    let exported = project.seatrial(&["review", "export"]).code(0).out;
    assert!(!exported.contains("Write to"), "{exported}");
}

/// The suite without anybody who is told.
fn told_to_nobody() -> String {
    SUITE.replace("[\"kill-switch\"]", "[]")
}

/// A project with a session of high risk that was watched, and people who review.
fn risky() -> Project {
    let project = Project::with(&told_to_nobody(), &["{}"]);
    for (name, role) in [("ann", "reviewer"), ("eve", "adjudicator"), ("ada", "admin")] {
        project.seatrial(&["review", "user", "add", name, "--role", role, "--no-password"]).code(0);
    }
    drained(&project, "1", "Write to ann@example.com.");
    project
}

/// More of the session arrives, and is watched.
fn drained(project: &Project, file: &str, reply: &str) {
    project.file(&format!("there/{file}.jsonl"), replies("risky", reply) + "\n");
    let args = ["watch", "suite.toml", "--listen", "off", "--grpc", "off", "--from", "there", "--drain"];
    project.seatrial(&args).code(0);
}

/// The items that wait, by name.
fn items(project: &Project) -> Vec<String> {
    let listed = project.seatrial(&["review", "list", "--json"]).code(0).out;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let items = listed["items"].as_array().expect("items");
    items.iter().map(|item| item["item"].as_str().expect("a name").to_owned()).collect()
}

/// What an item shows to ann, who is a reviewer.
fn shown(project: &Project, item: &str) -> String {
    review(project, "ann", &["show", item]).code(0).out
}

#[test]
fn an_adjudicator_releases_a_session_and_reviewers_read_it_until_more_of_it_is_of_high_risk() {
    let project = risky();
    let release =
        |who: &str, what: &str, reason: &str| review(&project, who, &["release", what, "--reason", reason, "--json"]);
    let first = items(&project).remove(0);
    assert!(shown(&project, &first).contains("under quarantine"), "{}", shown(&project, &first));
    release("ann", "risky", "I want to read it").code(2).complains("adjudicator");
    release("eve", "risky", " ").code(2).complains("--reason");
    release("eve", "harmless", "why not").code(2).complains("nobody is asked about a session `harmless`");
    assert!(!shown(&project, &first).contains("ann@example.com"));

    let said = release("eve", "risky", "the address is ann's own, who agreed").code(0);
    let said: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!((&said["session"], &said["items"]), (&json!("risky"), &json!([first])));
    assert!(shown(&project, &first).contains("ann@example.com"), "{}", shown(&project, &first));
    let exported = project.seatrial(&["review", "export", "--content", "--as", "ann"]).code(0).out;
    assert!(exported.contains("Write to"), "{exported}");
    let revealed = review(&project, "ann", &["show", &first, "--reveal"]).code(0).out;
    assert!(revealed.contains("eve  released from quarantine: the address is ann's own"), "{revealed}");
    release("ada", "risky", "once more").code(2).complains("not under quarantine: eve released it");

    // In the trail: who, when and why.
    let trail = with_store(&project, async |store| {
        let of = TrailFilter { what: Some(RELEASED.to_owned()), ..TrailFilter::default() };
        store.trail(&of, Page::ALL).await.expect("rows")
    });
    assert_eq!(trail.len(), 1);
    let (seen, why) = (&trail[0], trail[0].why.as_deref());
    assert_eq!((seen.who.as_str(), why), ("eve", Some("the address is ann's own, who agreed")));
    assert_eq!(seen.item.as_ref().map(ItemId::as_str), Some(first.as_str()));

    // What is evaluated later is another version, and nobody has released that.
    drained(&project, "2", "Write to bob@example.com.");
    let others: Vec<String> = items(&project).into_iter().filter(|item| *item != first).collect();
    let [second] = &others[..] else { panic!("one more: {others:?}") };
    assert!(shown(&project, &first).contains("ann@example.com"));
    let later = shown(&project, second);
    assert!(later.contains("under quarantine") && !later.contains("bob@example.com"), "{later}");
    release("ada", second, "made up").code(0);
    assert!(shown(&project, second).contains("bob@example.com"));
}

#[test]
fn the_page_of_an_item_releases_its_session_for_those_who_may() {
    let project = risky();
    let item = items(&project).remove(0);
    let (path, form) = (format!("/item/{item}"), format!("/item/{item}/quarantine"));
    let (ann, eve) = (Visit::of(&project, "ann"), Visit::of(&project, "eve"));
    let (_, page) = ann.get(&path);
    assert!(page.contains("Under quarantine") && !page.contains("ann@example.com"), "{page}");
    assert!(!page.contains("Release the session"), "{page}");
    let csrf = |page: &str| {
        page.split("name=\"csrf\" value=\"").nth(1).expect("a form")[..].split('"').next().map(str::to_owned)
    };
    let of_ann = csrf(&page).expect("a value");
    assert_eq!(ann.post(&form, &[("csrf", &of_ann), ("why", "I may")]), 403);
    let (_, page) = eve.get(&path);
    assert!(page.contains("ann@example.com") && page.contains("Release the session"), "{page}");
    let of_eve = csrf(&page).expect("a value");
    assert_eq!(eve.post(&form, &[("why", "without the form's own value")]), 403);
    assert_eq!(eve.post(&form, &[("csrf", &of_eve), ("why", " ")]), 422);
    assert!(!ann.get(&path).1.contains("ann@example.com"));
    assert_eq!(eve.post(&form, &[("csrf", &of_eve), ("why", "nobody <b>knows</b> her")]), 303);
    assert_eq!(eve.post(&form, &[("csrf", &of_eve), ("why", "once more")]), 409);
    let (_, page) = ann.get(&path);
    assert!(page.contains("ann@example.com") && page.contains("eve released the session"), "{page}");
    // Why it was released may say what to answer.
    assert!(!page.contains("knows"), "{page}");
    let (_, trail) = Visit::of(&project, "ada").get("/trail");
    assert!(trail.contains("nobody &lt;b&gt;knows&lt;/b&gt; her"), "{trail}");
}

/// Somebody for whom the pages are served.
struct Visit {
    server: Served,
    token: String,
}

impl Visit {
    fn of(project: &Project, who: &str) -> Self {
        let server = Served::start(project, &["--as", who]);
        let token = server.entry.split("token=").nth(1).expect("a token").to_owned();
        Self { server, token }
    }

    fn get(&self, path: &str) -> (u16, String) {
        run(async {
            let asked = client().get(self.server.at(path)).bearer_auth(&self.token).send().await.expect("an answer");
            (asked.status().as_u16(), asked.text().await.expect("text"))
        })
    }

    /// Sends a form as the page would; the status.
    fn post(&self, path: &str, fields: &[(&str, &str)]) -> u16 {
        let origin = self.server.at("");
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        run(async {
            let request = client().post(self.server.at(path)).bearer_auth(&self.token).header("origin", origin);
            let request = request.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"));
            request.send().await.expect("an answer").status().as_u16()
        })
    }
}

fn client() -> seatrial::net::client::Http {
    seatrial::net::client::client().expect("a client")
}

/// A value of a form.
fn encoded(value: &str) -> String {
    value
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

#[test]
fn what_could_never_be_put_there_is_refused() {
    let project = Project::with(&SUITE.replace("checks = [\"no-pii\"]", "checks = [\"no-pi\"]"), &["{}"]);
    let said = project.seatrial(&["check", "suite.toml"]).code(2);
    for part in [
        "no check of this suite that is watched is called `no-pi`",
        "did you mean `no-pii`?",
        "nobody is called `kill-switch`",
    ] {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
}

#[cfg(unix)]
#[test]
fn whoever_is_named_when_settings_are_read_again_is_told_from_then_on() {
    let project = Project::with(super::SUITE, &["{}"]);
    let watch = Watch::start(&project, &["--idle", "200ms"]);
    let (url, told) = backend(0);
    project.file("seatrial.toml", format!("[notify.kill-switch]\nkind = \"slack\"\nurl = \"{url}/stop\"\n"));
    let head = "[suite]\nname = \"s\"\n[recorded]\npaths = [\"sessions.jsonl\"]\n";
    project.file("suite.toml", format!("{head}{SUITE}"));
    watch.signal("-HUP");
    watch.until("seatrial_watch_reloads_total{result=\"taken\"} 1");
    assert_eq!(watch.send(&super::turn("risky", 1, "Write to ann@example.com.")), 200);
    let notice = told.recv_timeout(Duration::from_secs(60)).expect("a notice").to_string();
    assert!(notice.contains("risky"), "{notice}");
    watch.until("seatrial_watch_notices_total{result=\"sent\"} 1");
}
