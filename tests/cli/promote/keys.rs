//! Keys: what they sign, what is refused without them, and that another tool comes to the same.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{VERSION, head, promote, promoting, submit, verify};
use crate::project::{Project, Said};

/// A project whose target trusts a key of its own.
fn trusting() -> Project {
    let project = promoting("key = \"ci.pem\"\ntrusted_keys = [\"ci.pub.pem\"]\n");
    promote(&project, &["keygen", "ci"]).code(0).says("ci.pub.pem");
    project
}

#[test]
fn a_target_that_trusts_keys_takes_nothing_that_they_did_not_sign() {
    let project = promoting("trusted_keys = [\"ci.pub.pem\"]\n");
    submit(&project, &[]).code(2).complains("ci.pub.pem");
    promote(&project, &["keygen", "ci"]).code(0);
    promote(&project, &["keygen", "other"]).code(0);
    submit(&project, &[]).code(2).complains("there is none to sign with");
    let with = |key: &str, args: &[&str]| {
        let mut command = project.command(&["promote"]);
        Said::of({
            command.args(args).env("SEATRIAL_REVIEWER", "maria").env("SEATRIAL_SIGNING_KEY_FILE", project.path(key));
            command
        })
    };
    with("other.pem", &[VERSION, "--to", "prod"]).code(1).complains("does not trust the key");
    with("nowhere.pem", &[VERSION, "--to", "prod"]).code(2).complains("SEATRIAL_SIGNING_KEY_FILE");
    with("ci.pub.pem", &[VERSION, "--to", "prod"]).code(2).complains("no ed25519 secret key");
    with("ci.pem", &[VERSION, "--to", "prod"]).code(3);
    with("ci.pem", &["approve", "p1", "--by", "jan"]).code(0);
    // Verifying needs no secret.
    verify(&project, &[]).code(0).says("signed statement").says("signatures of 2 entries");
    verify(&project, &["--trusted-key", "other.pub.pem"]).code(1).says("no trusted key made a signature");
}

#[test]
fn the_secret_key_is_written_nowhere_else() {
    let project = trusting();
    submit(&project, &[]).code(3);
    let secret = std::fs::read_to_string(project.path("ci.pem")).expect("a key");
    let secret = secret.lines().nth(1).expect("base64").to_owned();
    let out = project.path("evidence").display().to_string();
    promote(&project, &["log", "--export", &out]).code(0);
    let mut folders = vec![project.path("")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "ci.pem") {
                let bytes = std::fs::read(&path).unwrap_or_default();
                assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{}", path.display());
            }
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(project.path("ci.pem")).expect("a key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    promote(&project, &["keygen", "ci"]).code(5).complains("ci.pem");
}

#[test]
fn openssl_verifies_the_statement_by_the_specification_alone() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("openssl is not installed; nothing was verified");
        return;
    }
    let project = trusting();
    submit(&project, &[]).code(3);
    let envelope: Value =
        serde_json::from_str(&promote(&project, &["show", "p1", "--statement"]).code(0).out).expect("an envelope");
    let payload = STANDARD.decode(envelope["payload"].as_str().expect("a payload")).expect("base64");
    let signature = STANDARD.decode(envelope["signatures"][0]["sig"].as_str().expect("a signature")).expect("base64");
    let kind = envelope["payloadType"].as_str().expect("a type");
    assert_eq!(kind, "application/vnd.in-toto+json");
    let mut signed = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    signed.extend(&payload);
    project.file("signed", &signed);
    project.file("signature", signature);
    let openssl = |file: &str| {
        let mut command = Command::new("openssl");
        command.args([
            "pkeyutl",
            "-verify",
            "-pubin",
            "-inkey",
            "ci.pub.pem",
            "-rawin",
            "-sigfile",
            "signature",
            "-in",
            file,
        ]);
        command.current_dir(project.path("")).output().expect("openssl").status.success()
    };
    assert!(openssl("signed"));
    signed[40] ^= 1;
    project.file("forged", &signed);
    assert!(!openssl("forged"));
    // And a key that openssl made signs here.
    let made = Command::new("openssl")
        .args(["genpkey", "-algorithm", "ed25519", "-out", "theirs.pem"])
        .current_dir(project.path(""))
        .status();
    assert!(made.expect("openssl").success());
    let made = Command::new("openssl")
        .args(["pkey", "-in", "theirs.pem", "-pubout", "-out", "theirs.pub.pem"])
        .current_dir(project.path(""))
        .status();
    assert!(made.expect("openssl").success());
    let theirs = "[promote.theirs]\nkey = \"theirs.pem\"\ntrusted_keys = [\"theirs.pub.pem\"]\n";
    project.file("seatrial.toml", theirs);
    promote(&project, &[VERSION, "--to", "theirs"]).code(3);
    // And what was made here, openssl reads.
    let read = Command::new("openssl")
        .args(["pkey", "-in", "ci.pem", "-noout", "-text"])
        .current_dir(project.path(""))
        .output();
    assert!(read.expect("openssl").status.success());
}

#[test]
fn evidence_that_was_edited_and_an_entry_that_was_forged_are_void() {
    let project = trusting();
    submit(&project, &[]).code(3);
    promote(&project, &["approve", "p1", "--by", "jan"]).code(0);
    let kept = head(&project);
    promote(&project, &["log", "--export", "evidence"]).code(0);
    let from = ["--from", "evidence", "--head", &kept];
    verify(&project, &from).code(0);
    let gate = line_of(&project, "gate");
    let path = project.path(&format!("evidence/{}.json", gate.replace(':', "-")));
    let text = std::fs::read_to_string(&path).expect("gate.json");
    std::fs::write(&path, text.replacen("\"passed\"", "\"failed\"", 1)).expect("written");
    verify(&project, &from).code(1).says("gate.json: it was edited").says("signed statement");
    std::fs::write(&path, text).expect("written");
    // An approval without the signature of a trusted key.
    let log = std::fs::read_to_string(project.path("evidence/log.jsonl")).expect("a log");
    let lines: Vec<String> = log.lines().map(str::to_owned).collect();
    let mut unsigned: Value = serde_json::from_str(&lines[1]).expect("an entry");
    unsigned["signatures"] = serde_json::json!([]);
    project.file("evidence/log.jsonl", format!("{}\n{unsigned}\n", lines[0]));
    verify(&project, &from).code(1).says("entry 2 (approved, by jan): it is not signed");
}

/// A key of what `show` says.
fn line_of(project: &Project, key: &str) -> String {
    super::line(&promote(project, &["show", "p1", "--json"]).code(0))[key].as_str().expect("a text").to_owned()
}
