//! Who is killed while sessions are judged: workers, the server, and a worker again and again by one session.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::workers::Worker;
use crate::nats::Nats;
use crate::project::{GOOD, Project, json, replies};
use crate::shards;

/// A program that says that all is well, but for a session that ends whoever asks, and one that waits a little.
const PROGRAM: &str = r#"
while read -r line; do
  case $line in
    *poison*) kill -9 $PPID; sleep 5 ;;
    *) echo '{"status": "pass"}' ;;
  esac
done
"#;

fn program() -> String {
    format!("[[session]]\nid = \"own\"\ncheck = \"command\"\nrun = [\"sh\", \"-c\", '''{PROGRAM}''']\n")
}

#[test]
fn a_session_that_ends_every_worker_is_an_error_and_a_dead_letter_and_the_others_are_judged() {
    let Some(nats) = Nats::start() else { return };
    let sessions: Vec<String> =
        (0..40).map(|i| replies(&format!("s{i}"), if i == 17 { "good poison" } else { "good" })).collect();
    let texts: Vec<&str> = sessions.iter().map(String::as_str).collect();
    let project = Project::with(&format!("{GOOD}{}", program()), &texts);
    let url = nats.url("poison");
    let args = ["run", "suite.toml", "--on", &url, "--tries", "2", "--ack-wait", "500ms"];
    let mut run = project.command(&args).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let (mut worker, mut ended) = (Worker::start(&project, &url), 0);
    let began = Instant::now();
    while run.try_wait().expect("a state").is_none() {
        assert!(began.elapsed() < Duration::from_secs(120), "it does not end; {ended} workers ended");
        if !worker.runs() {
            ended += 1;
            worker = Worker::start(&project, &url);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = run.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(0), "an error is no pass: {said}");
    assert!(said.contains("1 session could not be judged by any worker"), "{said}");
    // Twice as one of a portion, twice alone.
    assert_eq!(ended, 4, "{said}");
    let suite = project.suite();
    assert_eq!(suite["sessions"]["evaluated"], 40, "{suite}");
    let events = project.events();
    let poison = events.lines().find(|line| line.contains("\"id\":\"s17\"")).expect("its line");
    let poison: serde_json::Value = serde_json::from_str(poison).expect("JSON");
    assert_eq!(poison["error"], "no worker could judge it: it was handed out 2 times, and nobody answered");
    for verdict in poison["verdicts"].as_array().expect("verdicts") {
        assert_eq!(verdict["status"], "error");
    }
    let failed =
        events.lines().filter(|line| line.contains("\"event\":\"session\"") && line.contains("\"error\"")).count();
    assert_eq!(failed, 1, "only that one");
}

/// Six thousand sessions in four files, and what comes of them on one machine, in `whole`.
pub fn many() -> Project {
    let project = Project::new();
    project.file("suite.toml", format!("[suite]\nname = \"s\"\n[recorded]\npaths = [\"*.jsonl\"]\n{GOOD}"));
    for file in 0..4 {
        let line = |i: usize| replies(&format!("{file}-{i}"), &format!("good {}", "x".repeat(i % 3000))) + "\n";
        project.file(&format!("{file}.jsonl"), (0..1500).map(line).collect::<String>());
    }
    project.seatrial(&["run", "suite.toml", "--out", "whole"]).code(0);
    project
}

#[test]
fn a_run_ends_with_the_same_record_whoever_is_killed_meanwhile() {
    let Some(mut nats) = Nats::start() else { return };
    let project = many();
    let url = nats.url("killed");
    let args = ["run", "suite.toml", "--out", "fleet", "--on", &url, "--tries", "100", "--ack-wait", "300ms"];
    let mut workers = [Worker::start(&project, &url), Worker::start(&project, &url)];
    let mut run = project.command(&args).stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("it starts");
    let began = Instant::now();
    let (mut random, mut killed) = (fastrand::Rng::new(), 0);
    // At least once each while it runs, then as it comes.
    while run.try_wait().expect("a state").is_none() {
        assert!(began.elapsed() < Duration::from_secs(180), "it does not end");
        std::thread::sleep(Duration::from_millis(random.u64(10..120)));
        match random.u32(0..3) {
            0 if killed < 12 => {
                nats.kill();
                nats.begin();
                killed += 1;
            }
            which if killed < 12 => {
                let worker = &mut workers[which as usize % 2];
                worker.kill();
                *worker = Worker::start(&project, &url);
                killed += 1;
            }
            _ => {}
        }
    }
    assert_eq!(run.wait().expect("an end").code(), Some(0));
    shards::same(&project, "fleet", "whole");
    assert!(killed > 0, "nobody was killed while it ran");
    assert_eq!(json(&project.path("fleet/latest/summary.json"))["suites"][0]["sessions"]["evaluated"], 6000);
}
