//! Hooks run once the log is written; one that fails is told, recorded, and runs again.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::{VERSION, line, next_version, promote, promoting, submit};
use crate::project::{Project, Said};

#[cfg(unix)]
fn script(project: &Project, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = project.file(name, format!("#!/bin/sh\n{text}\n"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("executable");
}

#[cfg(unix)]
#[test]
fn a_program_moves_what_it_should_on_approval_and_on_rollback() {
    let rules = "approvals = 0\ncanary = 0.1\non_approve = { run = [\"./deploy.sh\"] }\non_rollback = { run = [\"./deploy.sh\"] }\n";
    let project = promoting(rules);
    let told = "echo \"$SEATRIAL_PROMOTE_OCCASION $SEATRIAL_PROMOTE_AGENT $SEATRIAL_PROMOTE_VERSION from \
                <$SEATRIAL_PROMOTE_FROM> $SEATRIAL_PROMOTE_TARGET canary <$SEATRIAL_PROMOTE_CANARY>\" >> told; echo moved";
    script(&project, "deploy.sh", told);
    submit(&project, &[]).code(0).says("on_approve").says("done: moved");
    next_version(&project, "1.5");
    promote(&project, &["airline@1.5", "--to", "prod"]).code(0);
    promote(&project, &["rollback", "airline", "--at", "prod", "--reason", "worse"]).code(0).says("on_rollback");
    let told = std::fs::read_to_string(project.path("told")).expect("what was told");
    let expected = "on_approve airline 1.4 from <> prod canary <0.1>\non_approve airline 1.5 from <1.4> prod canary <0.1>\n\
                    on_rollback airline 1.4 from <1.5> prod canary <>\n";
    assert_eq!(told, expected);
    promote(&project, &["hooks"]).code(0).says("no hook is due");
}

#[cfg(unix)]
#[test]
fn one_that_fails_is_exit_5_recorded_and_runs_again() {
    let project = promoting("on_approve = { run = [\"./deploy.sh\"] }\n");
    script(&project, "deploy.sh", "echo no such cluster >&2; exit 3");
    submit(&project, &[]).code(3);
    promote(&project, &["approve", "p1", "--by", "jan"])
        .code(5)
        .says("APPROVED")
        .says("FAILED")
        .says("no such cluster");
    promote(&project, &["hooks"]).code(5).says("p1: failed 1 times").says("--retry");
    promote(&project, &["hooks", "--retry"]).code(5).says("no such cluster");
    script(&project, "deploy.sh", "echo done");
    promote(&project, &["hooks", "--retry"]).code(0).says("p1: done");
    promote(&project, &["hooks", "--retry"]).code(0).says("no hook is due");
    let said = line(&promote(&project, &["show", "p1", "--json"]).code(0));
    let history = said["history"].as_array().expect("a history");
    let done: Vec<_> = history.iter().filter(|e| e["event"] == "hooked").map(|e| e["done"].clone()).collect();
    assert_eq!(done, [false, false, true]);
    assert_eq!(said["status"], "approved", "the decision stands");
}

#[cfg(unix)]
#[test]
fn one_that_takes_too_long_is_ended() {
    let project = promoting("approvals = 0\non_approve = { run = [\"sleep\", \"600\"], timeout = \"1s\" }\n");
    submit(&project, &[]).code(5).says("did not end within 1s");
}

/// A webhook that answers so many requests; what it heard: head and body.
fn webhook(answers: &'static [u16]) -> (String, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (tell, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for status in answers {
            let (stream, _) = listener.accept().expect("a connection");
            let mut reader = BufReader::new(stream);
            let (mut head, mut line) = (String::new(), String::new());
            while reader.read_line(&mut line).expect("a line") > 2 {
                head.push_str(&line);
                line.clear();
            }
            let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).expect("a body");
            let reply = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            reader.get_mut().write_all(reply.as_bytes()).expect("answered");
            tell.send((head, String::from_utf8(body).expect("text"))).expect("heard");
        }
    });
    (url, heard)
}

#[test]
fn a_webhook_is_told_the_same_and_can_tell_that_it_is_ours() {
    let (url, heard) = webhook(&[503, 204]);
    let project = promoting(&format!(
        "approvals = 0\non_approve = {{ url = \"{url}\", secret = \"{{{{ env.DEPLOY_SECRET }}}}\" }}\n"
    ));
    let secret = [7u8; 32];
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, secret);
    let mut command = project.command(&["promote", VERSION, "--to", "prod"]);
    command.env("SEATRIAL_REVIEWER", "maria").env("DEPLOY_SECRET", format!("whsec_{encoded}"));
    Said::of(command).code(0).says("on_approve");
    let (first, _) = heard.recv().expect("a request");
    let (head, body) = heard.recv().expect("another");
    let header = |head: &str, name: &str| {
        let found = head.lines().find_map(|l| l.strip_prefix(&format!("{name}: ")).map(str::to_owned));
        found.unwrap_or_else(|| panic!("no {name} in {head}"))
    };
    let (id, at) = (header(&head, "webhook-id"), header(&head, "webhook-timestamp"));
    assert_eq!(id, header(&first, "webhook-id"), "sent again under one id");
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret).expect("a key");
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    let expected = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, mac.finalize().into_bytes());
    assert_eq!(header(&head, "webhook-signature"), format!("v1,{expected}"));
    let told: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((told["type"].as_str(), told["data"]["version"].as_str()), (Some("promotion.approved"), Some("1.4")));
    assert!(!promote(&project, &["log"]).code(0).out.contains(&encoded));
}

#[test]
fn a_secret_that_is_not_there_is_a_hook_that_failed() {
    let project = promoting(
        "approvals = 0\non_approve = { url = \"http://127.0.0.1:1/\", secret = \"{{ env.DEPLOY_SECRET }}\" }\n",
    );
    submit(&project, &[]).code(5).says("APPROVED").says("`DEPLOY_SECRET` is not set");
}
