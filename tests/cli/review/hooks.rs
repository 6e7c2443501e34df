//! `notify`: webhooks, as the settings say.

use super::{queue, review, waiting};
use crate::judges::stub::{Stub, ok, refuse};
use crate::project::{GOOD, Project, Said, again, replies};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn settings(url: &str) -> String {
    format!("[review]\nwebhooks = [{{ url = \"{url}/hook\", secret = \"{{{{ env.HOOK }}}}\" }}]\n")
}

#[test]
fn messages_that_are_due_are_sent_signed_and_once() {
    let stub = Stub::new(|_| ok(""));
    let (project, ids) = queue(vec![waiting(1)]);
    review(&project, "ann", &["notify"]).code(2).complains("no webhooks").complains("[review]");
    project.file("seatrial.toml", settings(&stub.url));
    let notify = || {
        let mut command = project.command(&["review", "notify"]);
        command.env("HOOK", SECRET);
        Said::of(command)
    };
    notify().code(0).says("sent 1 message");
    let mut label =
        project.command(&["review", "label", ids[0].as_str(), "fail", "--as", "ann", "--comment", "private"]);
    label.env("HOOK", SECRET);
    Said::of(label).code(0);
    notify().code(0).says("sent 1 message");
    notify().code(0).says("sent 0 messages");
    let asked = stub.asked();
    let bodies: Vec<serde_json::Value> = asked.iter().map(crate::judges::stub::body).collect();
    assert_eq!(
        bodies.iter().map(|b| b["type"].as_str().unwrap_or_default()).collect::<Vec<_>>(),
        ["review.new", "review.resolved"]
    );
    assert_eq!(bodies[1]["data"]["decided"]["decision"], "fail");
    assert!(bodies.iter().all(|b| !b.to_string().contains("private") && !b.to_string().contains("refunded")));
    assert_eq!(asked[0].header("webhook-id"), Some(format!("review_new_{}", ids[0]).as_str()));
    assert!(asked[0].header("webhook-signature").is_some_and(|s| s.starts_with("v1,")));
}

#[test]
fn a_run_tells_of_what_it_sends_to_people_and_its_exit_code_does_not_depend_on_that() {
    let stub = Stub::new(|_| ok(""));
    let check = format!("{GOOD}review = {{ always = true }}\n");
    let project = Project::with(&check, &[&replies("a", "good"), &replies("b", "good")]);
    project.file("seatrial.toml", settings(&stub.url));
    let run = |secret: &str| {
        let mut command = project.command(&["run", "suite.toml"]);
        command.env("HOOK", secret);
        Said::of(command)
    };
    run("too short").code(3).complains("a webhook was not told").complains("at least 24 are needed");
    assert_eq!(stub.count(), 0);
    run(SECRET).code(3);
    assert_eq!(stub.count(), 0, "it is not due yet");
    project.file("sessions.jsonl", again(&replies("c", "good")));
    run(SECRET).code(3);
    assert_eq!(stub.asked().iter().map(crate::judges::stub::body).filter(|b| b["type"] == "review.new").count(), 1);
}

#[test]
fn what_does_not_arrive_is_told_without_secrets_and_kept() {
    let stub = Stub::new(|asked| refuse(500, asked.header("webhook-signature").unwrap_or_default()));
    let (project, _) = queue(vec![waiting(1)]);
    project.file("seatrial.toml", settings(&stub.url));
    let mut command = project.command(&["review", "notify"]);
    command.env("HOOK", SECRET);
    let said = Said::of(command).code(5).says("1 to be sent again").complains("HTTP 500");
    assert!(!said.err.contains("MfKQ9r8"), "{}", said.err);
    // The variable is not set: it is told, too.
    let (project, _) = queue(vec![waiting(1)]);
    project.file("seatrial.toml", settings(&stub.url));
    project.seatrial(&["review", "notify"]).code(5).complains("`HOOK` is not set");
}
