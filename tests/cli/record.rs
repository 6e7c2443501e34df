//! The run record: deterministic, complete, and enough to draw every report again.

#[cfg(unix)]
use std::io::Write;
use std::process::Stdio;
#[cfg(unix)]
use std::sync::Arc;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};

use crate::project::{GOOD, Project, Said, json, replies, trial};

/// Enough sessions for many batches, of every outcome, with references, trials and tools.
fn many(project: &Project) {
    let mut lines = String::new();
    for i in 0..4000 {
        let reply = if i % 7 == 0 { "bad".to_owned() } else { format!("good {}", "x".repeat(i % 300)) };
        lines.push_str(&trial(&format!("c{}", i / 4), i as u32 % 4, &reply));
        lines.push('\n');
        if i % 500 == 0 {
            lines.push_str("{broken\n");
        }
    }
    project.file("sessions.jsonl", lines);
}

#[test]
fn the_deterministic_part_is_the_same_for_any_number_of_threads() {
    let suite =
        format!("{GOOD}[[system]]\nid = \"m\"\ncheck = \"metric\"\nmetric = \"turns\"\nstat = \"mean\"\nmax = 9\n");
    let project = Project::with(&suite, &[]);
    many(&project);
    let mut seen = Vec::new();
    for jobs in ["1", "2", "3", "8"] {
        project.run_with(&["--jobs", jobs]).code(1);
        let mut summary = project.summary();
        summary["run"] = serde_json::Value::Null;
        seen.push((project.events(), summary));
    }
    assert!(seen[0].0.lines().count() > 4000);
    assert!(seen.windows(2).all(|w| w[0] == w[1]), "the record depends on the number of threads");
}

#[test]
fn reports_drawn_again_from_the_record_are_the_same() {
    let project = Project::with(&format!("{GOOD}[gate]\nmax_left_out = 100\n"), &[]);
    many(&project);
    let said = project.run().code(1);
    let (junit, summary) = (project.report("junit.xml"), project.report("summary.json"));
    std::fs::remove_file(project.path("reports/latest/junit.xml")).expect("removed");
    let again = project.seatrial(&["report", "reports/latest"]).code(1);
    assert_eq!(project.report("junit.xml"), junit);
    assert_eq!(project.report("summary.json"), summary);
    let without_place =
        |s: &str| s.lines().filter(|l| !l.starts_with("reports in")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(without_place(&again.out), without_place(&said.out));
}

#[test]
fn a_record_of_every_released_version_is_still_read_and_decided_the_same() {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut seen = 0;
    for version in std::fs::read_dir(golden).expect("golden records") {
        let dir = version.expect("an entry").path();
        let project = Project::new();
        project.file("run/run.jsonl", std::fs::read(dir.join("run.jsonl")).expect("a record"));
        let expected = json(&dir.join("summary.json"));
        let said = project.seatrial(&["report", "run", "--json"]);
        assert_eq!(Some(i64::from(said.code)), expected["exit_code"].as_i64(), "{}", said.err);
        let line: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        contains(&line["suites"], &expected["suites"], "suites");
        seen += 1;
    }
    assert!(seen > 0);
}

/// Keys are only ever added: whatever the old summary says, the new one says too.
fn contains(new: &serde_json::Value, old: &serde_json::Value, place: &str) {
    match (new, old) {
        (serde_json::Value::Object(new), serde_json::Value::Object(old)) => {
            for (key, value) in old {
                let place = format!("{place}.{key}");
                contains(new.get(key).unwrap_or_else(|| panic!("{place} is gone")), value, &place);
            }
        }
        (serde_json::Value::Array(new), serde_json::Value::Array(old)) => {
            assert_eq!(new.len(), old.len(), "{place}");
            new.iter().zip(old).enumerate().for_each(|(i, (n, o))| contains(n, o, &format!("{place}[{i}]")));
        }
        _ => assert_eq!(new, old, "{place}"),
    }
}

#[test]
fn a_killed_run_can_still_be_read_and_is_incomplete() {
    let project = Project::with(GOOD, &[&replies("a", "good"), &replies("b", "good")]);
    project.run().code(0);
    let record = project.report("run.jsonl");
    let cut = record.find("\"id\":\"b\"").expect("the second session");
    project.file("killed/run.jsonl", &record[..cut]);
    let said = project.seatrial(&["report", "killed", "--json"]).code(5);
    let line: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(line["suites"][0]["sessions"]["evaluated"], 1);
    assert_ne!(line["suites"][0]["decision"], "passed");
}

#[test]
fn an_edited_record_is_refused_or_decided_by_what_it_holds() {
    let project = Project::with(GOOD, &[&replies("a", "bad")]);
    project.run().code(1);
    let record = project.report("run.jsonl");
    project.file("forged/run.jsonl", record.replace("\"exit_code\":1", "\"exit_code\":0"));
    project.seatrial(&["report", "forged"]).code(1).says("FAILED");
    project.file("stray/run.jsonl", record.replace("\"verdicts\":[{\"check\":0", "\"verdicts\":[{\"check\":77"));
    project.seatrial(&["report", "stray"]).code(2).complains("not in its plan");
    project.file("far/run.jsonl", record.replace("\"session\",\"suite\":0", "\"session\",\"suite\":4294967295"));
    project.seatrial(&["report", "far"]).code(2).complains("not in its plan");
}

#[test]
fn something_that_is_no_record_is_a_usage_error() {
    let project = Project::with(GOOD, &[]);
    project.seatrial(&["report", "sessions.jsonl"]).code(2).complains("not a run record");
    project.seatrial(&["report", "nowhere"]).code(2);
}

#[test]
fn failing_sessions_and_a_sample_of_others_are_kept_whole_and_can_be_run_again() {
    let project = Project::with(GOOD, &[&replies("a", "good"), &replies("b", "bad")]);
    project.run().code(1);
    let kept = "reports/latest/sessions.jsonl.gz";
    project.run_with(&["--sessions", kept, "--out", "again"]).code(1);
    let summary: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(project.path("again/latest/summary.json")).expect("summary"))
            .expect("JSON");
    assert_eq!(summary["suites"][0]["sessions"]["read"], 2);
    project.run_with(&["--keep-sample", "0"]).code(1);
    assert!(project.events().contains("\"kept\":[1,1]"));
    project.run_with(&["--keep", "all"]).code(1);
    assert!(project.events().contains("\"kept\":[2,2]"));
    project.run_with(&["--keep", "none"]).code(1);
    assert!(!project.path(kept).exists());
}

#[test]
fn latest_names_the_newest_run() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    project.run().code(0);
    let first = project.summary()["run"].clone();
    project.run().code(0);
    assert_ne!(project.summary()["run"], first);
    assert!(project.path("reports").join(first.as_str().expect("an id")).join("run.jsonl").exists());
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_run_orderly_with_exit_5() {
    let project = Project::with(GOOD, &[]);
    // A pipe that stays open keeps the run waiting for more sessions.
    let mut command = project.command(&["run", "suite.toml", "--sessions", "pipe", "--json"]);
    let made = std::process::Command::new("mkfifo").arg(project.path("pipe")).status().expect("mkfifo");
    assert!(made.success());
    let path = project.path("pipe");
    let line = replies("a", "good") + "\n";
    let (interrupted, wait) = std::sync::mpsc::channel::<()>();
    let over = Arc::<AtomicBool>::default();
    let told = over.clone();
    let feeder = std::thread::spawn(move || {
        // Opened for both, so that it opens also when the run is interrupted before it has come to the pipe.
        let mut pipe = std::fs::OpenOptions::new().read(true).write(true).open(path).expect("the pipe");
        let _ = pipe.write_all(line.as_bytes());
        let _ = wait.recv();
        // It looks whether it is interrupted whenever it has read enough, so it is given more until it has ended.
        let more = line.repeat(1000);
        while !told.load(Ordering::SeqCst) && pipe.write_all(more.as_bytes()).is_ok() {}
    });
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    let pid = child.id().to_string();
    // The run has begun when its folder is there.
    while !project.path("reports").exists() {
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    let killed = std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill");
    assert!(killed.success());
    interrupted.send(()).expect("the feeder waits");
    let output = child.wait_with_output().expect("ends");
    // Nobody reads any more: what is in the pipe is taken out of it, so that the feeder can look.
    let mut pipe = std::fs::File::open(project.path("pipe")).expect("the pipe");
    over.store(true, Ordering::SeqCst);
    std::io::copy(&mut pipe, &mut std::io::sink()).expect("read");
    feeder.join().expect("fed");
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(line["exit_code"], 5);
    assert_eq!(line["stopped"], "interrupted");
}

#[test]
fn standard_input_is_a_recording() {
    let project = Project::with(GOOD, &[]);
    let mut command = project.command(&["run", "suite.toml", "--sessions", "-"]);
    let input = project.file("in.jsonl", replies("a", "good") + "\n");
    command.stdin(std::fs::File::open(input).expect("input"));
    Said::of(command).code(0);
    assert_eq!(project.suite()["sessions"]["evaluated"], 1);
}
