//! Runs that were killed and continued: the record is always readable, and the result is that of an undisturbed run.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::project::{GOOD, Project, replies, trial};
use crate::shards::{events, project, same};

#[test]
fn a_run_that_was_cut_anywhere_is_continued_to_what_it_would_have_been() {
    let project = project();
    project.seatrial(&["run", "suites", "--out", "whole"]).code(1);
    let latest = fs::canonicalize(project.path("whole/latest")).expect("a run");
    let record = fs::read(latest.join("run.jsonl")).expect("a record");
    let head = record.windows(19).position(|w| w == b"{\"event\":\"session\",").expect("a session");
    let cuts = (1..=16).map(|i| head + (record.len() - head) * i / 16).chain([head, record.len() - 1]);
    for (n, cut) in cuts.enumerate() {
        let (out, dir) = (format!("cut/{n}"), format!("cut/{n}/20260101T000000Z-0000"));
        project.file(&format!("{dir}/run.jsonl"), &record[..cut]);
        // What was kept is there, in part, or not at all.
        for name in ["sessions.jsonl.gz", "sessions.index.jsonl"].iter().filter(|_| n % 3 > 0) {
            let bytes = fs::read(latest.join(name)).expect("kept sessions");
            let part = if n % 3 == 1 { bytes.len() } else { bytes.len() * cut / record.len() };
            project.file(&format!("{dir}/{name}"), &bytes[..part]);
        }
        let said = project.seatrial(&["run", "suites", "--out", &out, &format!("--resume={dir}")]).code(1);
        assert!(said.err.contains("need not be evaluated again"), "{}", said.err);
        same(&project, &out, "whole");
        let again = fs::read_to_string(project.path(&dir).join("run.jsonl")).expect("a record");
        assert!(again.contains("{\"volatile\":\"resumed\""), "cut at {cut}");
    }
}

#[test]
fn shards_are_continued_too() {
    let project = project();
    project.seatrial(&["run", "suites", "--out", "whole"]).code(1);
    for shard in ["1/2", "2/2"] {
        let out = format!("shards/{}", &shard[..1]);
        project.seatrial(&["run", "suites", "--out", &out, "--shard", shard]).code(0);
        let path = fs::canonicalize(project.path(&out).join("latest/run.jsonl")).expect("a run");
        let record = fs::read(&path).expect("a record");
        fs::write(&path, &record[..record.len() * 2 / 3]).expect("cut");
        // Another shard is another run.
        project
            .seatrial(&["run", "suites", "--out", "none", "--shard", "1/3", &format!("--resume={}", path.display())])
            .code(2)
            .complains("the run records shard");
        project.seatrial(&["run", "suites", "--out", &out, "--shard", shard, "--resume"]).code(0);
    }
    project.seatrial(&["merge", "shards/1", "shards/2", "--out", "merged"]).code(1);
    same(&project, "merged", "whole");
}

/// A run that was cut after its first session, and its folder.
fn cut(project: &Project) -> String {
    project.run();
    let record = project.report("run.jsonl");
    let end = record.find("{\"event\":\"session\"").expect("a session");
    let end = end + record[end..].find('\n').expect("its end") + 9;
    project.file("cut/run.jsonl", &record[..end]);
    record[..end].to_owned()
}

#[test]
fn what_differs_from_the_run_is_listed_and_nothing_is_written() {
    let project = Project::with(GOOD, &[&replies("a", "good"), &replies("b", "good")]);
    let record = cut(&project);
    let suite = fs::read_to_string(project.path("suite.toml")).expect("a suite");
    let sessions = fs::read_to_string(project.path("sessions.jsonl")).expect("sessions");
    let refused = |why: &str| {
        let said = project.run_with(&["--resume=cut", "--json"]).code(2).complains(why);
        assert_eq!(serde_json::from_str::<Value>(&said.out).expect("JSON")["exit_code"], 2);
        assert_eq!(fs::read_to_string(project.path("cut/run.jsonl")).expect("a record"), record);
    };
    project.file("suite.toml", suite.replace("value = \"good\"", "value = \"better\""));
    refused("check good differ");
    project.file("suite.toml", &suite);
    project.file("seatrial.toml", "max_depth = 50\n");
    refused("the setting `max_depth`: none in the run, `50` in this one");
    fs::remove_file(project.path("seatrial.toml")).expect("removed");
    project.file("sessions.jsonl", sessions.replace("hello", "good day"));
    refused("the recordings are not the same: in suite `s`, where the record holds session `a` (file 1, element 0)");
    project.file("sessions.jsonl", "");
    refused("the recordings are not the same");
    project.file("sessions.jsonl", &sessions);
    let lock = fs::File::open(project.path("cut/run.jsonl")).expect("a record");
    lock.lock().expect("locked");
    refused("being written by another process");
    drop(lock);
    project.run_with(&["--resume=gone"]).code(2).complains("cannot be resumed");
    project.run_with(&["--resume=cut"]).code(0);
    project.run_with(&["--resume=cut"]).code(0).complains("2 sessions need not be evaluated again");
}

#[test]
fn every_recording_that_changed_is_named_and_no_more_than_a_few_of_each() {
    let project = Project::with("[recorded]\npaths = [\"r/*.jsonl\"]\n", &[]);
    let suite = fs::read_to_string(project.path("suite.toml")).expect("a suite");
    project.file("suite.toml", format!("{suite}{GOOD}"));
    let write = |file: usize, said: &dyn Fn(usize) -> &'static str| {
        let lines = (0..8).map(|i| replies(&format!("f{file}-{i}"), said(i)) + "\n");
        project.file(&format!("r/{file:02}.jsonl"), lines.collect::<String>());
    };
    (0..14).for_each(|file| write(file, &|_| "good"));
    project.run().code(0);
    let record = project.report("run.jsonl");
    // Of the last file but one half is recorded, nothing of the last.
    let end = record.find("\"id\":\"f12-4\"").expect("a session");
    project.file("cut/run.jsonl", &record[..end]);
    let refused = || project.run_with(&["--resume=cut"]).code(2).complains("the recordings are not the same").err;
    write(2, &|i| if i == 1 { "good, now" } else { "good" });
    let one = refused();
    assert!(one.contains("`f2-1`") && !one.contains("sessions changed"), "{one}");
    write(7, &|i| if i > 2 { "good, now" } else { "good" });
    write(12, &|i| if i > 5 { "what was not recorded may change" } else { "good" });
    let some = refused();
    let said = "6 sessions changed, are new or gone: 1 of r/02.jsonl (`f2-1`), 5 of r/07.jsonl (`f7-3`, `f7-4`, `f7-5` and 2 more)";
    assert!(some.contains(said), "{some}");
    (0..12).for_each(|file| write(file, &|_| "good, all of them"));
    let all = refused();
    assert!(all.contains("96 sessions changed") && all.contains("and those of 2 more files"), "{all}");
    assert_eq!(fs::read_to_string(project.path("cut/run.jsonl")).expect("a record"), record[..end]);
    // A session that is gone, which moves all others of its file by one.
    (0..14).for_each(|file| write(file, &|_| "good"));
    let file = fs::read_to_string(project.path("r/03.jsonl")).expect("sessions");
    project.file("r/03.jsonl", file.lines().skip(1).map(|l| format!("{l}\n")).collect::<String>());
    assert!(refused().contains("8 sessions changed, are new or gone: 8 of r/03.jsonl"));
    project.file("r/03.jsonl", file);
    project.run_with(&["--resume=cut"]).code(0);
}

#[test]
fn without_a_run_that_has_not_ended_resume_begins_one() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    project.run_with(&["--resume"]).code(0).complains("beginning a new one");
    project.run_with(&["--resume"]).code(0).complains("beginning a new one");
    assert_eq!(fs::read_dir(project.path("reports")).expect("runs").count(), 3, "two runs and `latest`");
}

/// Kills runs after ever longer times, continues each, and holds what comes out against an undisturbed run. Returns how
/// many had begun their record and had not ended when they were killed.
fn kill(kills: u32) -> u32 {
    let suite = format!(
        "trials = 4\n{GOOD}[[system]]\nid = \"m\"\ncheck = \"metric\"\nmetric = \"turns\"\nstat = \"mean\"\nmax = 9\n"
    );
    let project = Project::new();
    project.file(
        "suite.toml",
        format!(
            "[suite]\nname = \"s\"\n{}",
            suite.replacen(GOOD, &format!("[recorded]\npaths = [\"sessions.jsonl\"]\n{GOOD}"), 1)
        ),
    );
    let lines = (0..3000).map(|i| {
        trial(
            &format!("c{}", i / 4),
            i % 4,
            &if i % 7 == 0 { "bad".to_owned() } else { format!("good {}", "x".repeat(i as usize % 300)) },
        ) + "\n"
    });
    project.file("sessions.jsonl", lines.collect::<String>());
    let began = std::time::Instant::now();
    let code = project.run_with(&["--out", "whole"]).code;
    let whole = began.elapsed();
    let mut struck = 0;
    for n in 0..kills {
        let out = format!("killed/{n}");
        // Twice, so that a continued run is killed, too.
        for part in [n, kills - n] {
            let mut child = project
                .command(&["run", "suite.toml", "--out", &out, "--resume"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("runs");
            std::thread::sleep(Duration::from_micros(whole.as_micros() as u64 * u64::from(part) / u64::from(kills)));
            child.kill().expect("killed");
            let ended = child.wait().expect("ends").success();
            let runs = fs::read_dir(project.path(&out)).into_iter().flatten().filter_map(Result::ok);
            for run in runs.filter(|r| r.path().is_dir() && r.file_name() != "latest") {
                let record = fs::read(run.path().join("run.jsonl")).unwrap_or_default();
                // A run that was killed before it had read its suites has nothing to tell.
                if record.iter().filter(|b| **b == b'\n').count() < 3 {
                    continue;
                }
                struck += u32::from(!ended && !record.windows(22).any(|w| w == b"{\"volatile\":\"finished\""));
                let said = project.seatrial(&["report", &run.path().display().to_string(), "--json"]);
                assert!([code, 5].contains(&said.code), "{}", said.err);
            }
        }
        project.seatrial(&["run", "suite.toml", "--out", &out, "--resume"]).code(code);
        same(&project, &out, "whole");
        fs::remove_dir_all(project.path(&out)).expect("removed");
    }
    assert!(events(&project, "whole").lines().count() > 3000);
    struck
}

#[test]
fn a_run_that_is_killed_at_any_moment_is_continued_to_the_same_result() {
    kill(6);
}

#[test]
#[ignore = "takes minutes; SEATRIAL_KILLS=150 cargo test --test cli resume:: -- --include-ignored --nocapture"]
fn many_kills() {
    let kills = std::env::var("SEATRIAL_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(50);
    let struck = kill(kills);
    let said = format!(
        "{} kills, {struck} of them while the record was written; every record could be read, every result was the same\n",
        2 * kills
    );
    std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes()).expect("said");
    assert!(struck > 0);
}
