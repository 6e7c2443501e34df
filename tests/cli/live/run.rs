//! A suite against a live agent: driven, judged, scored again, resumed.

use serde_json::json;

use super::agent::{Agent, Answer, reply};
use crate::project::Project;

const CHECK: &str = "[[session]]\nid = \"polite\"\ncheck = \"contains\"\nvalue = \"hello\"\n";

fn suite(agent: &Agent, more: &str) -> String {
    format!("[suite]\nname = \"s\"\ntrials = 2\n{}{CHECK}{more}", agent.table())
}

const CASES: &str = "[[case]]\nid = \"a\"\nuser = [\"hello\", \"you said {{ turns[0].reply }}\"]\n\
    [[case]]\nid = \"b\"\nuser = \"hello\"\ntrials = 1\n";

fn project(agent: &Agent, more: &str) -> Project {
    let project = Project::new();
    project.file("suite.toml", suite(agent, more));
    project
}

fn saved(project: &Project) -> Vec<serde_json::Value> {
    let text = project.report("sessions/s.jsonl");
    text.lines().map(|line| serde_json::from_str(line).expect("a session")).collect()
}

#[test]
fn every_trial_of_every_case_is_driven_saved_and_judged() {
    let agent = Agent::echo();
    let project = project(&agent, CASES);
    project.run().code(0).says("passed");
    let sessions = saved(&project);
    let names: Vec<_> = sessions.iter().map(|s| (s["case"].as_str().unwrap(), s["trial"].as_str().unwrap())).collect();
    assert_eq!(names, [("a", "1"), ("a", "2"), ("b", "1")]);
    assert_eq!(sessions[0]["turns"][1]["reply"], "you said hello");
    let suite = project.suite();
    assert_eq!((&suite["sessions"]["evaluated"], &suite["cases"]["passed"]), (&json!(3), &json!(2)));
    // Each turn has a trace of its own, and its session's id in the baggage.
    let asked = agent.asked();
    assert_eq!(asked.len(), 5);
    let traces: std::collections::BTreeSet<&str> = asked.iter().map(|a| a.header("traceparent").unwrap()).collect();
    assert_eq!(traces.len(), 5);
    assert!(asked.iter().all(|a| a.header("baggage").is_some_and(|b| b.starts_with("session.id="))));
}

#[test]
fn what_was_driven_is_scored_again_without_the_agent() {
    let agent = Agent::echo();
    let project = project(&agent, CASES);
    project.run().code(0);
    let first = project.events();
    let asked = agent.asked().len();
    project.run_with(&["--recorded"]).code(0);
    assert_eq!(agent.asked().len(), asked);
    let verdicts =
        |events: &str| events.lines().filter(|l| l.contains("\"verdicts\"")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(verdicts(&first), verdicts(&project.events()));
    // The same file, named.
    let run = std::fs::read_dir(project.path("reports")).unwrap().flatten().map(|e| e.path());
    let run = run.filter(|p| p.join("sessions/s.jsonl").is_file() && !p.is_symlink()).min().unwrap();
    project.run_with(&[&format!("--recorded={}", run.display())]).code(0);
    project.run_with(&["--sessions", &run.join("sessions/s.jsonl").display().to_string()]).code(0);
    project.run_with(&["--recorded=nowhere"]).code(2).complains("there is no run at `nowhere`");
    let refused = project.run_with(&["--recorded=."]).code(2);
    refused.complains("the run `.` saved no sessions of it").complains("`--recorded` alone takes the newest");
    // As it does, though the newest run by now saved none.
    project.run_with(&["--recorded"]).code(0);
    assert_eq!(agent.asked().len(), asked);
}

#[test]
fn with_recordings_and_an_agent_a_run_says_which() {
    let agent = Agent::echo();
    let recorded = "[recorded]\npaths = [\"old.jsonl\"]\n";
    let project = project(&agent, &format!("{CASES}{recorded}"));
    let session = r#"{"id":"x","case":"a","turns":[{"user":"hello","reply":"hello"},{"user":"u","reply":"hello"}]}"#;
    project.file("old.jsonl", format!("{session}\n"));
    project.run().code(2).complains("both recordings and a live agent").complains("--live");
    project.run_with(&["--live"]).code(0);
    assert_eq!(agent.asked().len(), 5);
    // One trial of three.
    project.run_with(&["--recorded"]).code(4);
    assert_eq!(agent.asked().len(), 5);
}

#[test]
fn live_without_an_agent_and_recorded_without_recordings_are_refused() {
    let project = Project::with(CHECK, &[r#"{"id":"x","turns":[{"reply":"hello"}]}"#]);
    project.run_with(&["--live"]).code(2).complains("it has no [agent]");
    let agent = Agent::echo();
    project.file("suite.toml", suite(&agent, CASES));
    project.run_with(&["--recorded"]).code(2).complains("no live run saved sessions");
    assert!(agent.asked().is_empty());
}

#[test]
fn a_check_shows_what_would_be_driven() {
    let agent = Agent::echo();
    let project = project(&agent, CASES);
    project.seatrial(&["check", "suite.toml"]).code(0).says("http, 3 sessions to drive, 3 at once");
    assert!(agent.asked().is_empty());
}

#[test]
fn a_capped_run_ends_incomplete_and_its_continuation_drives_only_what_is_missing() {
    let agent = Agent::echo();
    let cases: String = (0..6).map(|i| format!("[[case]]\nid = \"c{i}\"\nuser = \"hello\"\n")).collect();
    let project = Project::new();
    project.file("suite.toml", format!("[suite]\nname = \"s\"\n{}{CHECK}{cases}", agent.table()));
    project.run_with(&["--max-tokens=50"]).code(5).says("`max_tokens` is 50");
    // Each takes 15 tokens: a fourth might exceed 50.
    assert_eq!(agent.asked().len(), 3);
    assert_eq!(saved(&project).len(), 3);
    // What they spent is spent, also for the continuation.
    project.run_with(&["--resume", "--max-tokens=50"]).code(5).says("`max_tokens` is 50");
    assert_eq!(agent.asked().len(), 3);
    let said = project.run_with(&["--resume", "--max-tokens=100"]).code(0);
    assert!(said.err.contains("3 sessions are saved and need not be driven again"), "{}", said.err);
    assert_eq!((agent.asked().len(), saved(&project).len()), (6, 6));
    assert_eq!(project.suite()["cases"]["passed"], 6);
}

#[test]
fn what_saved_sessions_do_not_say_they_spent_is_not_nothing_for_a_continuation() {
    // The second says nothing of tokens.
    let agent = Agent::new(|_, nth| match nth {
        1 => Answer::Json(json!({ "reply": "hello" })),
        _ => reply("hello"),
    });
    let cases: String = (0..6).map(|i| format!("[[case]]\nid = \"c{i}\"\nuser = \"hello\"\n")).collect();
    let project = Project::new();
    project.file("suite.toml", format!("[suite]\nname = \"s\"\n{}concurrency = 1\n{CHECK}{cases}", agent.table()));
    project.run_with(&["--max-tokens=500"]).code(5).says("the agent does not say how many tokens it uses");
    assert_eq!(agent.asked().len(), 2);
    project.run_with(&["--resume", "--max-tokens=500"]).code(5).says("the agent does not say how many tokens it uses");
    assert_eq!(agent.asked().len(), 2);
    project.run_with(&["--resume"]).code(0);
    assert_eq!(agent.asked().len(), 6);
}

#[test]
fn what_must_not_be_written_is_seen_by_checks_and_in_no_file() {
    let agent = Agent::new(|asked, _| reply(&format!("{} a.person@example.com", asked.message())));
    let leak = "[[turn]]\nid = \"no-mail\"\ncheck = \"not_contains\"\ndetect = [\"email\"]\n[redact]\ndetectors = [\"email\"]\n";
    let project = project(&agent, &format!("{CASES}{leak}"));
    project.run().code(1);
    assert_eq!(project.check("no-mail")["fail"], 5);
    for entry in walkdir(&project.path("reports")) {
        let bytes = std::fs::read(&entry).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("a.person@"), "{}", entry.display());
    }
    assert_eq!(saved(&project)[0]["turns"][0]["reply"], "hello [redacted:email]");
    project.run_with(&["--recorded"]).code(1);
}

fn walkdir(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            files.extend(walkdir(&path));
        } else if path.is_file() {
            files.push(path);
        }
    }
    files
}

#[test]
fn an_agent_that_reports_no_calls_passes_no_check_of_what_was_not_called() {
    let agent = Agent::new(|_, _| Answer::Json(json!({ "reply": "hello" })));
    let table = format!("[agent]\nkind = \"http\"\nurl = \"{}\"\nreply = \"reply\"\n", agent.url("/"));
    let never = "[[session]]\nid = \"never\"\ncheck = \"calls\"\ntool = \"refund\"\nmax = 0\n";
    let project = Project::new();
    let case = "[[case]]\nid = \"a\"\nuser = \"x\"\n";
    project.file("suite.toml", format!("[suite]\nname = \"s\"\ntools = [\"refund\"]\n{table}{CHECK}{never}{case}"));
    project.run().code(4).says("let it export OpenTelemetry spans");
    assert_eq!(project.check("never")["error"], 1);
}

#[test]
fn a_run_of_some_cases_drives_only_those() {
    let agent = Agent::echo();
    let project = project(&agent, CASES);
    project.run_with(&["--filter", "case(b)"]).code(0).says("partial");
    assert_eq!(agent.asked().len(), 1);
}

#[test]
fn shards_of_a_live_run_merge_into_the_whole() {
    let agent = Agent::echo();
    let project = project(&agent, CASES);
    for shard in ["1/2", "2/2"] {
        project.run_with(&["--shard", shard, "--out", &format!("shards/{}", &shard[..1])]).code(0);
    }
    assert_eq!(agent.asked().len(), 5);
    project.seatrial(&["merge", "shards/1/latest", "shards/2/latest"]).code(0);
    assert_eq!(project.suite()["cases"]["passed"], 2);
    let driven = &project.suite()["driven"];
    assert_eq!((&driven["sessions"], &driven["turns"], &driven["tokens"]), (&json!(3), &json!(5), &json!(75)));
}

#[test]
fn a_live_run_that_was_interrupted_while_it_was_judged_goes_on_though_something_was_taken_out() {
    let agent = Agent::new(|asked, _| reply(&format!("{} a.person@example.com", asked.message())));
    let leak = "[[turn]]\nid = \"no-mail\"\ncheck = \"not_contains\"\ndetect = [\"email\"]\n[redact]\ndetectors = [\"email\"]\n";
    let cases: String = (0..5).map(|i| format!("[[case]]\nid = \"c{i}\"\nuser = \"hello\"\n")).collect();
    let project = Project::new();
    project.file("suite.toml", format!("[suite]\nname = \"s\"\n{}{CHECK}{leak}{cases}", agent.table()));
    project.run().code(1);
    assert_eq!((agent.asked().len(), &project.check("no-mail")["fail"]), (5, &json!(5)));
    // Killed after the second was judged.
    let record = project.report("run.jsonl");
    let mut judged = 0;
    let begun = record.lines().take_while(|line| {
        judged += usize::from(line.contains("\"verdicts\""));
        judged <= 2
    });
    let begun: String = begun.map(|line| format!("{line}\n")).collect();
    assert!(judged == 3 && begun.contains("\"driven\""));
    project.file("reports/latest/run.jsonl", begun);
    project.run_with(&["--resume"]).code(1);
    // Those that were judged need not be driven again, and their verdicts stand.
    assert_eq!((agent.asked().len(), &project.check("no-mail")["fail"]), (5 + 3, &json!(5)));
    assert_eq!(project.suite()["sessions"]["evaluated"], 5);
}
