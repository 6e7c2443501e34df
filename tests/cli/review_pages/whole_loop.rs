//! The whole way of a version, as its people go it: a run that waits for them, their answers in the browser and from
//! elsewhere, the gate, the threshold that their answers bear out, the promotion, and what voids it.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::Served;
use crate::browser::Browser;
use crate::model::Model;
use crate::project::{Project, Said, replies};

const VERSION: &str = "airline@1.4";

/// Five votes: 5 of 5 are a confidence of 6/7, 4 of 5 of 5/7, 3 of 5 of 4/7. Whatever is surer than 0.85 is looked at, too.
const SUITE: &str = "[[session]]\nid = \"polite\"\ncheck = \"judge\"\nrubric = \"The agent is polite.\"\nvotes = 5\n\
                     review = { below = 0.85, audit = 1.0 }\n[gate]\npass_rate = { min = 0.8 }\n";

/// How many sessions there are.
const TICKETS: usize = 164;

/// How many of the five votes over a ticket are against it: the judge is the less sure the later it is.
fn dissent(ticket: usize) -> usize {
    usize::from(ticket >= 64) + usize::from(ticket >= 124)
}

/// What people say of it: where the judge wavers most, it is wrong every other time.
fn answer(ticket: usize) -> &'static str {
    if dissent(ticket) == 2 && ticket.is_multiple_of(2) { "fail" } else { "pass" }
}

/// The number of the ticket that a text is about.
fn ticket(text: &str) -> usize {
    let (_, rest) = text.split_once("ticket ").unwrap_or_else(|| panic!("no ticket in {text}"));
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
}

fn judge() -> Model {
    let asked = Mutex::new(BTreeMap::<usize, usize>::new());
    Model::new(move |prompt| {
        let ticket = ticket(prompt);
        let mut asked = asked.lock().expect("nobody panicked");
        let times = asked.entry(ticket).or_default();
        *times += 1;
        let score = if *times <= dissent(ticket) { 0.1 } else { 0.9 };
        let verdict = if score < 0.5 { "fail" } else { "pass" };
        json!({ "reason": "As the rubric says.", "quotes": [], "verdict": verdict, "score": score }).to_string()
    })
}

/// `seatrial promote`, by Maria.
fn promote(project: &Project, args: &[&str]) -> Said {
    let mut command = project.command(&["promote"]);
    command.args(args).env("SEATRIAL_REVIEWER", "maria");
    Said::of(command)
}

/// Answers the first items of the queue, by keys alone; the tickets.
fn answer_in_the_browser(browser: &mut Browser, server: &Served, items: usize) -> Vec<usize> {
    browser.go_to(&server.entry);
    let mut answered = Vec::new();
    for _ in 0..items {
        browser.key("n");
        browser.wait("location.pathname.startsWith('/item/') && !document.getElementById('said')?.textContent");
        browser.ready();
        let shown = browser.eval("document.getElementById('candidate').innerText");
        let ticket = ticket(shown.as_str().expect("text"));
        browser.key(&answer(ticket)[..1]);
        browser.press("Enter", 13);
        browser.wait("document.getElementById('said')?.textContent.includes('saved')");
        browser.ready();
        answered.push(ticket);
    }
    answered
}

#[test]
fn from_a_run_that_waits_to_a_promotion_that_is_verified() {
    let Some(mut browser) = Browser::start() else { return };
    let model = judge();
    let sessions: Vec<String> = (0..TICKETS)
        .map(|i| {
            let mut session: Value =
                serde_json::from_str(&replies(&format!("s{i}"), &format!("Please wait for ticket {i}.")))
                    .expect("a session");
            (session["agent"], session["version"]) = ("airline".into(), "1.4".into());
            session.to_string()
        })
        .collect();
    let project = Project::with(SUITE, &sessions.iter().map(String::as_str).collect::<Vec<_>>());
    project.file("seatrial.toml", model.settings() + "[promote.prod]\nsuites = [\"s\"]\nexpires = \"30d\"\n");
    let run = || project.run_with(&["--subject", VERSION]);
    let gate = || project.seatrial(&["gate", "reports/latest"]);

    // The judge is sure of 64; of 100 it is not, and people could turn what comes of them.
    run().code(3).says("held").complains("164 new in the queue");

    // Some are answered in the browser, which is not enough.
    let server = Served::start(&project, &["--as", "ann"]);
    let answered = answer_in_the_browser(&mut browser, &server, 3);
    assert_eq!(browser.complaints(), Vec::<Value>::new());
    #[cfg(unix)]
    assert_eq!(server.end(), 0);
    gate().code(3);

    // The others were answered elsewhere.
    let queue = project.seatrial(&["review", "export", "--blind"]).code(0).out;
    let mut brought = String::new();
    for line in queue.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")) {
        let ticket = line["session_id"].as_str().expect("a session")[1..].parse().expect("a number");
        if !answered.contains(&ticket) {
            let label =
                json!({ "item": line["item"], "reviewer": "bob", "answer": answer(ticket), "shown_proposal": false });
            brought.push_str(&format!("{label}\n"));
        }
    }
    project.file("elsewhere.jsonl", brought);
    project.seatrial(&["review", "import", "elsewhere.jsonl"]).code(0);

    // The gate is decided from the record: nobody is asked again.
    let asked = model.asked();
    assert_eq!(asked, TICKETS * 5);
    gate().code(0).says("164 verdicts decided by people (ann 3, bob 161)").says("0.8780 (144 of 164 cases)");
    assert_eq!(model.asked(), asked);

    // What people said bears out a lower threshold, as a patch.
    let calibrated = project.seatrial(&["calibrate", "suite.toml"]).code(0);
    assert!(calibrated.err.contains("review.below = 0.71 instead of 0.85"), "{}", calibrated.err);
    project.file("threshold.patch", &calibrated.out);
    let applied = Command::new("git").args(["apply", "threshold.patch"]).current_dir(project.path("")).status();
    assert!(applied.expect("git").success(), "{}", calibrated.out);
    assert!(std::fs::read_to_string(project.path("suite.toml")).expect("the suite").contains("below = 0.71,"));

    // By the new threshold the run asks people of fewer, and what they said holds.
    run().code(3).says("40 held");
    assert_eq!(model.asked(), asked, "answers of the judge are kept");
    gate().code(0).says("144 of 164 cases");

    // Maria submits, and somebody else approves.
    promote(&project, &[VERSION, "--to", "prod"]).code(3).says("PENDING  p1");
    promote(&project, &["approve", "p1"]).code(1).complains("maria submitted it");
    promote(&project, &["approve", "p1", "--by", "jan"]).code(0).says("APPROVED  p1");
    let verify = || promote(&project, &["verify", VERSION, "--to", "prod"]);
    verify().code(0).says("VERIFIED");

    // One byte of what it rests on, and it is none any more.
    let record = project.path("reports/latest/run.jsonl").canonicalize().expect("the record");
    let mut bytes = std::fs::read(&record).expect("bytes");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&record, &bytes).expect("written");
    verify().code(1).says("VOID");
    bytes[middle] ^= 1;
    std::fs::write(&record, &bytes).expect("written");
    verify().code(0);
    // So does a person's answer that is taken back.
    let item = queue.lines().next().and_then(|line| serde_json::from_str::<Value>(line).ok()).expect("an item");
    let item = item["item"].as_str().expect("a name");
    let undone = |who: &str| project.seatrial(&["review", "undo", item, "--as", who]).code;
    assert!(undone("bob") == 0 || undone("ann") == 0);
    verify().code(1).says("VOID");
}
