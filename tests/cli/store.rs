//! `seatrial store`: what is in it, copies, retention, and what goes wrong.

use std::process::Command;

use seatrial::model::digest::Digest;
use seatrial::redact::Redacted;
use seatrial::store::db::{NewRun, RunRow, Store, StoreUrl};

use crate::postgres;
use crate::project::{Project, Said};

const FILE: &str = ".seatrial/seatrial.db";

/// Puts some runs into the project's store.
fn fill(project: &Project, runs: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let at = StoreUrl::File(project.path(FILE));
    runtime.block_on(async {
        let store = Store::open(&at).await.expect("a store");
        for n in 0..runs {
            let run = RunRow {
                id: format!("run-{n}"),
                agent: Some("support".into()),
                version: Some("x".repeat(2_000)),
                started: 1,
                finished: None,
                exit_code: Some(0),
                partial: None,
                seatrial: "0.1.0".into(),
                record: "reports/x".into(),
                record_digest: Some(Digest::of(b"record")),
            };
            let run = NewRun { run, suites: Vec::new() };
            store.add_run(&Redacted::drawn(run), 1).await.expect("a run");
        }
        store.close().await;
    });
}

fn runs(project: &Project, more: &[&str]) -> u64 {
    let mut args = vec!["store", "info", "--json"];
    args.extend(more);
    let said = project.seatrial(&args).code(0);
    let line: serde_json::Value = serde_json::from_str(&said.out).expect("one line of JSON");
    line["rows"]["runs"].as_u64().expect("a number")
}

#[test]
fn a_new_store_is_made_beside_the_settings_and_says_what_is_in_it() {
    let project = Project::new();
    project.file("seatrial.toml", "");
    project.file("deep/x", "");
    let mut command = project.command(&["store", "info", "--check"]);
    command.current_dir(project.path("deep"));
    let said = Said::of(command).code(0);
    assert!(said.out.contains("runs      0") && said.out.contains("damage    none"), "{}", said.out);
    assert!(project.path(FILE).is_file());
    // Of an orderly end there is nothing but the file, and what keeps it out of the repository.
    let files = std::fs::read_dir(project.path(".seatrial")).expect("a folder").flatten();
    let mut names: Vec<String> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, [".gitignore", "seatrial.db"]);
}

#[test]
fn a_backup_is_a_store_and_a_file_that_is_there_is_left_alone() {
    let project = Project::new();
    fill(&project, 3);
    project.seatrial(&["store", "backup", "copy.db"]).code(0);
    assert_eq!(runs(&project, &["--store", "copy.db"]), 3);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(project.path("copy.db")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    project.file("precious.txt", "mine");
    project.seatrial(&["store", "backup", "precious.txt"]).code(2).complains("is there already");
    assert_eq!(std::fs::read_to_string(project.path("precious.txt")).expect("a file"), "mine");
    project.seatrial(&["store", "vacuum"]).code(0);
    assert_eq!(runs(&project, &[]), 3);
}

#[test]
fn what_is_exported_can_be_taken_in_elsewhere() {
    let project = Project::new();
    fill(&project, 3);
    project.seatrial(&["store", "export", "all.jsonl"]).code(0);
    let printed = project.seatrial(&["store", "export"]).code(0).out;
    assert!(printed.lines().count() > 4, "{printed}");
    project.seatrial(&["store", "import", "all.jsonl", "--store", "other.db"]).code(0);
    assert_eq!(runs(&project, &["--store", "other.db"]), 3);
    project
        .seatrial(&["store", "import", "all.jsonl", "--store", "other.db"])
        .code(2)
        .complains("has something in it already");
    let cut = &printed[..printed.len() / 2];
    project.file("cut.jsonl", cut);
    project
        .seatrial(&["store", "import", "cut.jsonl", "--store", "third.db"])
        .code(2)
        .complains("nothing of it was taken in");
    assert_eq!(runs(&project, &["--store", "third.db"]), 0);
    let Some(address) = postgres::database() else { return };
    project.seatrial(&["store", "import", "all.jsonl", "--store", &address]).code(0);
    assert_eq!(runs(&project, &["--store", &address]), 3);
    assert_eq!(postgres::sql(&address, "SELECT count(*) FROM seatrial.runs"), "3");
    project.seatrial(&["store", "backup", "x.db", "--store", &address]).code(2).complains("pg_dump");
}

#[test]
fn what_is_no_store_is_refused_with_what_to_do() {
    let project = Project::new();
    project.file("notes.txt", "not a database, but long enough to be looked at as if it were one".repeat(40));
    project
        .seatrial(&["store", "info", "--store", "notes.txt"])
        .code(2)
        .complains("is not a store")
        .complains("--store");
    project.seatrial(&["store", "info", "--store", "off"]).code(2).complains("there is no store").complains("--store");
    project
        .seatrial(&["store", "info", "--store", "mysql://h/d"])
        .code(2)
        .complains("a path, `postgres://...` or `off`");
    let away = project.seatrial(&["store", "info", "--store", "postgres://me:s3cret-word@127.0.0.1:1/db"]).code(5);
    assert!(away.err.contains("cannot be reached") && !away.err.contains("s3cret-word"), "{}", away.err);
    project.file("seatrial.toml", "store = \"postgres://me:s3cret-word@h/db\"\n");
    let written = project.seatrial(&["store", "info"]).code(2).complains("a secret comes from the environment");
    assert!(!written.err.contains("s3cret-word"), "{}", written.err);
    project.file("seatrial.toml", "store = \"postgres://me:{{ env.NOT_SET }}@h/db\"\n");
    project.seatrial(&["store", "info"]).code(2).complains("`NOT_SET` is not set");
}

#[test]
fn retention_needs_to_know_how_old() {
    let project = Project::new();
    fill(&project, 1);
    project.seatrial(&["store", "purge"]).code(2).complains("--older-than 90d");
    project.seatrial(&["store", "purge", "--older-than", "soon"]).code(2).complains("not a duration");
    project
        .seatrial(&["store", "purge", "--older-than", "0s", "--dry-run"])
        .code(0)
        .says("0 sessions would be taken out");
    project.file("seatrial.toml", "keep_content = \"90d\"\n");
    project.seatrial(&["store", "purge"]).code(0).says("0 sessions were taken out");
    assert_eq!(runs(&project, &[]), 1);
}

#[cfg(unix)]
#[test]
fn a_store_that_may_not_grow_is_full_and_keeps_what_it_has() {
    let project = Project::new();
    fill(&project, 200);
    project.seatrial(&["store", "export", "all.jsonl"]).code(0);
    // The limit counts 512 bytes or a thousand, as the shell likes; the export is more than either.
    let script = "trap '' XFSZ; ulimit -f 300; exec \"$0\" \"$@\"";
    let mut limited = Command::new("sh");
    limited.args(["-c", script, env!("CARGO_BIN_EXE_seatrial"), "store", "import", "all.jsonl", "--store", "small.db"]);
    limited.current_dir(project.path(".")).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    Said::of(limited).code(5).complains("is full").complains("make room");
    assert_eq!(runs(&project, &["--store", "small.db"]), 0);
    project.seatrial(&["store", "import", "all.jsonl", "--store", "small.db"]).code(0);
    assert_eq!(runs(&project, &["--store", "small.db"]), 200);
}
