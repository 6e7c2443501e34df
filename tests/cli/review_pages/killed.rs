//! The server is killed again and again while people answer: what it confirmed is there.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{Served, enqueue, item, with_store};
use crate::project::Project;

/// Rounds, in each of which a server is killed.
const ROUNDS: u32 = 8;
/// Items in all; more than are answered.
const ITEMS: u32 = 600;
/// Who answers at once.
const PEOPLE: [&str; 3] = ["ann", "bob", "cat"];

/// One request over a connection of its own; `None` where there was no whole answer.
fn ask(server: &str, method: &str, path: &str, who: &str, body: &str) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(server).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {server}\r\nx-forwarded-user: {who}\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.to_owned(), body.to_owned()))
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|l| l.strip_prefix(&format!("{name}: ")))
}

fn field(page: &str, name: &str) -> Option<String> {
    let at = page.find(&format!("name=\"{name}\" value=\""))?;
    page[at..].split('"').nth(3).map(str::to_owned)
}

/// Takes and answers items until the server is gone; the submissions that were confirmed.
fn work(server: &str, who: &str) -> Vec<String> {
    let mut confirmed = Vec::new();
    let one = || -> Option<String> {
        let csrf = field(&ask(server, "GET", "/", who, "")?.1, "csrf")?;
        let (head, _) = ask(server, "POST", "/next", who, &format!("csrf={csrf}"))?;
        let place = header(&head, "location")?.to_owned();
        let page = ask(server, "GET", &place, who, "")?.1;
        let (submission, fence) = (field(&page, "submission")?, field(&page, "fence")?);
        let body = format!("csrf={csrf}&submission={submission}&fence={fence}&answer=pass&comment=kept");
        let path = format!("{}/answer", place.split('?').next()?);
        let (head, _) = ask(server, "POST", &path, who, &body)?;
        header(&head, "location")?.contains("said=answered").then_some(submission)
    };
    while let Some(submission) = one() {
        confirmed.push(submission);
    }
    confirmed
}

#[test]
fn no_answer_that_was_confirmed_is_lost_when_the_server_is_killed() {
    let project = Project::new();
    let ids = enqueue(&project, (0..ITEMS).map(item).collect());
    for name in PEOPLE {
        project.seatrial(&["review", "user", "add", name, "--no-password"]).code(0);
    }
    let mut confirmed = BTreeSet::new();
    for round in 0..ROUNDS {
        let server = Served::start(&project, &["--auth", "proxy", "--proxy-from", "127.0.0.1", "--lease", "5s"]);
        let address = server.at("").trim_start_matches("http://").to_owned();
        let worker = |who: &'static str| {
            let address = address.clone();
            std::thread::spawn(move || work(&address, who))
        };
        let workers = PEOPLE.map(worker);
        // At another point of the work each time.
        std::thread::sleep(Duration::from_millis(400 + u64::from(round) * 137));
        server.kill();
        for worker in workers {
            confirmed.extend(worker.join().expect("a worker"));
        }
    }
    let labels = with_store(&project, async |store| store.labels(&ids).await.expect("read"));
    let kept: BTreeSet<String> = labels.iter().map(|l| l.id.clone()).collect();
    assert!(!confirmed.is_empty(), "something was answered");
    let lost: Vec<&String> = confirmed.difference(&kept).collect();
    assert!(lost.is_empty(), "{} of {} confirmed answers are lost", lost.len(), confirmed.len());
    // And none was given twice.
    let items: BTreeSet<&str> = labels.iter().map(|l| l.item.as_str()).collect();
    assert_eq!(items.len(), labels.len());
    let told = format!("killed {ROUNDS} times: {} answers confirmed, {} kept, 0 lost\n", confirmed.len(), kept.len());
    let _ = std::io::stderr().write_all(told.as_bytes());
}
