//! Judges asked by the real binary, at a server that speaks the real wire formats.

mod spend;
pub mod stub;
mod trouble;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use seatrial::store::db::{ItemFilter, Page};

use crate::project::{Project, replies, trial};
use crate::review_pages::with_store;
use stub::{Stub, completion, verdict};

/// A check of every session by one judge.
const CHECK: &str = "[[session]]\nid = \"polite\"\ncheck = \"judge\"\nrubric = \"The agent is polite.\"\n";

/// A project of `n` sessions with a check and a judge at a server.
fn project(stub: &Stub, n: usize, check: &str, judge: &str) -> Project {
    let sessions: Vec<String> =
        (0..n).map(|i| replies(&format!("s{i}"), &format!("Please wait, customer {i}."))).collect();
    let sessions: Vec<&str> = sessions.iter().map(String::as_str).collect();
    let project = Project::with(check, &sessions);
    let url = &stub.url;
    let settings =
        format!("[judge.default]\nendpoint = \"openai\"\nmodel = \"gpt-4o-mini\"\nurl = \"{url}/v1\"\n{judge}");
    project.file("seatrial.toml", settings);
    project
}

fn counts(project: &Project) -> [u64; 3] {
    let check = project.check("polite");
    ["pass", "fail", "error"].map(|key| check[key].as_u64().expect(key))
}

#[test]
fn the_judge_decides_and_a_run_that_changes_nothing_asks_nothing() {
    let stub = Stub::new(|asked| {
        let impolite = asked.body.contains("customer 1.");
        completion(&verdict(if impolite { 0.1 } else { 0.9 }))
    });
    let project = project(&stub, 3, CHECK, "");
    project.run().code(1);
    assert_eq!((counts(&project), stub.count()), ([2, 1, 0], 3));
    let first = project.events();
    project.run().code(1);
    assert_eq!((counts(&project), stub.count()), ([2, 1, 0], 3));
    assert_eq!(project.events(), first);
    let evidence = project.report("evidence.jsonl");
    assert_eq!(evidence.matches("\"source\":\"cache\"").count(), 3, "{evidence}");
    // Another model is another question.
    let settings = std::fs::read_to_string(project.path("seatrial.toml")).expect("settings");
    project.file("seatrial.toml", settings.replace("gpt-4o-mini", "gpt-4o"));
    project.run().code(1);
    assert_eq!(stub.count(), 6);
}

#[test]
fn without_a_cache_every_run_asks() {
    let stub = Stub::says(&verdict(1.0));
    let project = project(&stub, 2, CHECK, "");
    for count in [2, 4] {
        project.run_with(&["--cache", "off"]).code(0);
        assert_eq!(stub.count(), count);
    }
    assert!(!project.path(".seatrial").exists());
}

#[test]
fn the_evidence_of_a_run_is_enough_to_score_it_again() {
    let stub = Stub::says(&verdict(1.0));
    let project = project(&stub, 2, CHECK, "api_key = \"{{ env.KEY }}\"\n");
    let mut command = project.command(&["run", "suite.toml", "--cache", "off"]);
    command.env("KEY", "secret-key-1");
    crate::project::Said::of(command).code(0);
    // No key is needed where nobody is asked.
    project.run_with(&["--evidence", "reports/latest"]).code(0);
    assert_eq!((counts(&project), stub.count()), ([2, 0, 0], 2));
    project.run_with(&["--evidence", "reports/latest"]).code(0);
    // What is not in it is not known.
    let sessions = [replies("s0", "Please wait, customer 0."), replies("new", "Go away.")].join("\n") + "\n";
    project.file("sessions.jsonl", sessions);
    project.run_with(&["--evidence", "reports/latest"]).code(4).says("the evidence holds no answer of `judge.default`");
    assert_eq!((counts(&project), stub.count()), ([1, 0, 1], 2));
    project.run_with(&["--evidence", "nowhere"]).code(2).complains("nowhere");
    for file in ["run.jsonl", "evidence.jsonl", "index.html"] {
        assert!(!project.report(file).contains("secret-key-1"), "{file}");
    }
}

#[test]
fn a_reply_is_compared_with_that_of_an_earlier_run() {
    // Prefers the reply that says when, wherever it stands.
    let stub = Stub::new(|asked| {
        let body = stub::body(asked)["messages"].to_string();
        let (first, second) = (body.find("# First reply").expect("one"), body.find("# Second reply").expect("another"));
        let when = body.rfind("at noon").expect("it is in one of them");
        let winner = if first < when && when < second { "first" } else { "second" };
        completion(&serde_json::json!({ "reason": "It says when.", "quotes": [], "winner": winner }).to_string())
    });
    let check = "[[session]]\nid = \"better\"\ncheck = \"judge\"\nrubric = \"It says more.\"\nagainst = \"baseline\"\n";
    let project = project(&stub, 0, check, "");
    let sessions = |a: &str, b: &str| [replies("a", a), replies("b", b)].join("\n") + "\n";
    project.file("sessions.jsonl", sessions("Please wait.", "Come at noon."));
    project.run_with(&["--keep", "all"]).code(4).says("no run to compare with is named");
    assert_eq!(stub.count(), 0);
    let run = std::fs::canonicalize(project.path("reports/latest")).expect("the run").display().to_string();
    project.file("sessions.jsonl", sessions("Come at noon.", "Please wait.") + &replies("c", "New here.") + "\n");
    project.run_with(&["--baseline", &run]).says("holds no session of the same case and trial");
    let check = project.check("better");
    let counts = ["pass", "fail", "error"].map(|key| check[key].as_u64());
    // Both pairs are the same two replies, in both orders: each order is asked once.
    assert_eq!((counts, stub.count()), ([Some(1), Some(1), Some(1)], 2));
}

#[test]
fn a_decision_over_a_comparison_holds_for_the_earlier_reply_that_it_was_made_over_alone() {
    let stub = Stub::new(|_| {
        completion(&serde_json::json!({ "reason": "So it is.", "quotes": [], "winner": "neither" }).to_string())
    });
    let check = "[[session]]\nid = \"better\"\ncheck = \"judge\"\nrubric = \"It says more.\"\nagainst = \"baseline\"\n\
                 review = { always = true }\n[[session]]\nid = \"says\"\ncheck = \"length\"\nmin = 1\n";
    let project = project(&stub, 0, check, "");
    for (run, reply) in [("one", "Come at noon."), ("two", "Come at one.")] {
        project.file("sessions.jsonl", replies("a", reply) + "\n");
        project.run_with(&["--keep", "all", "--out", run]).code(4);
    }
    project.file("sessions.jsonl", replies("a", "Come later.") + "\n");
    let against = |run: &str| project.run_with(&["--baseline", &format!("{run}/latest")]);
    against("one").complains("1 new in the queue");
    let listed = project.seatrial(&["review", "list", "--json"]).code(0).out;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let item = listed["items"][0]["item"].as_str().expect("an item");
    project.seatrial(&["review", "label", item, "pass", "--as", "ann"]).code(0);
    project.seatrial(&["gate", "reports/latest"]).says("1 verdict decided by people");
    against("two").complains("1 new in the queue");
    let gate =
        project.seatrial(&["gate", "reports/latest"]).complains("over another version of a check or of its case");
    assert!(!gate.out.contains("decided by people"), "{}", gate.out);
    against("one").complains("1 decided already");
    project.seatrial(&["gate", "reports/latest"]).says("1 verdict decided by people");
}

#[test]
fn whoever_decides_over_a_comparison_is_shown_the_earlier_reply_of_the_same_trial() {
    let stub = Stub::new(|_| {
        completion(&serde_json::json!({ "reason": "So it is.", "quotes": [], "winner": "neither" }).to_string())
    });
    let check = "[suite]\nname = \"s\"\ntrials = 2\n[[session]]\nid = \"better\"\ncheck = \"judge\"\nagainst = \"baseline\"\n\
                 rubric = \"It says more.\"\nreview = { always = true }\n";
    let project = project(&stub, 0, check, "");
    let sessions = |word: &str| [1, 2].map(|n| trial("a", n, &format!("{word} {n}."))).join("\n") + "\n";
    project.file("sessions.jsonl", sessions("Earlier"));
    project.run_with(&["--keep", "all"]).code(4);
    project.file("sessions.jsonl", sessions("Later"));
    // The link leads elsewhere by the time that it is put into the queue.
    project.run_with(&["--baseline", "reports/latest"]).complains("2 new in the queue");
    let shown = with_store(&project, async |store| {
        let mut shown = Vec::new();
        for item in store.items(&ItemFilter::default(), Page::ALL, 1).await.expect("items") {
            let digest = item.baseline.clone().expect("an earlier session");
            let line = store.content(&digest).await.expect("read").expect("kept");
            shown.push((item.trial.clone().expect("a trial"), String::from_utf8(line).expect("text")));
        }
        shown
    });
    assert_eq!(shown.len(), 2);
    for (trial, session) in shown {
        assert!(session.contains(&format!("Earlier {trial}.")), "{trial}: {session}");
    }
}

#[test]
fn a_secret_that_is_not_set_or_a_judge_that_is_not_defined_is_told_before_anything_is_run() {
    let stub = Stub::says(&verdict(1.0));
    let with_key = project(&stub, 1, CHECK, "api_key = \"{{ env.NOT_SET }}\"\n");
    with_key.run().code(2).complains("[judge.default] cannot be asked: the environment variable `NOT_SET` is not set");
    assert!(!with_key.path("reports").exists());
    let written = project(&stub, 1, CHECK, "headers = { x-api-key = \"sk-1\" }\n");
    let said = written.seatrial(&["check", "suite.toml"]).code(0).complains("`x-api-key` is written out here");
    assert!(!said.err.contains("sk-1") && said.err.contains("x-api-key = \"****\""), "{}", said.err);
    let refused = project(&stub, 1, CHECK, "api_key = \"sk-2\"\n").run().code(2).complains("`api_key` is written out");
    assert!(!refused.err.contains("sk-2"), "{}", refused.err);
    let other = CHECK.to_owned() + "judge = \"defualt\"\n";
    let misspelled = project(&stub, 1, &other, "");
    misspelled.seatrial(&["check", "suite.toml"]).code(2).complains("suite.toml:").complains("did you mean `default`?");
    assert_eq!(stub.count(), 0);
}

#[test]
fn many_questions_are_asked_at_once_and_no_more_than_allowed() {
    // Nobody is answered before 32 have asked.
    let all = std::sync::Barrier::new(32);
    let stub = Stub::new(move |_| {
        all.wait();
        completion(&verdict(1.0))
    });
    let project = project(&stub, 128, CHECK, "concurrency = 32\n");
    project.run().code(0);
    assert_eq!((counts(&project), stub.count(), stub.most()), ([128, 0, 0], 128, 32));
}

#[test]
fn of_several_rubrics_about_one_session_the_first_goes_ahead_to_an_endpoint_that_remembers() {
    let rubrics = ["polite", "brief", "honest", "helpful", "calm"];
    let check = |id: &&str| CHECK.replace("\"polite\"", &format!("\"{id}\"")).replace("is polite", &format!("is {id}"));
    let checks: String = rubrics.iter().map(check).collect();
    let (came, read) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let early = Arc::new(AtomicUsize::new(0));
    let (seen, premature) = (read.clone(), early.clone());
    let stub = Stub::new(move |_| {
        if came.fetch_add(1, Ordering::SeqCst) == 0 {
            std::thread::sleep(std::time::Duration::from_millis(200));
            seen.store(true, Ordering::SeqCst);
        } else if !seen.load(Ordering::SeqCst) {
            premature.fetch_add(1, Ordering::SeqCst);
        }
        completion(&verdict(1.0))
    });
    let project = project(&stub, 0, &checks, "");
    project.file("sessions.jsonl", replies("s0", &"Please wait. ".repeat(1000)) + "\n");
    project.run().code(0);
    assert_eq!((stub.count(), early.load(Ordering::SeqCst), read.load(Ordering::SeqCst)), (5, 0, true));
    // What is known is not waited for, and the next goes ahead.
    project
        .file("suite.toml", std::fs::read_to_string(project.path("suite.toml")).expect("it").replace("calm", "kind"));
    project.run().code(0);
    assert_eq!(stub.count(), 6);
}

#[test]
fn a_panel_is_asked_for_its_other_votes_only_where_the_first_fails() {
    let stub = Stub::new(|asked| completion(&verdict(if asked.body.contains("customer 1.") { 0.0 } else { 1.0 })));
    let check = format!("{CHECK}judge = [\"default\", \"second\"]\nvotes = 2\nconfirm = \"on_fail\"\n");
    let second = format!("[judge.second]\nendpoint = \"openai\"\nmodel = \"other\"\nurl = \"{}/v1\"\n", stub.url);
    let project = project(&stub, 2, &check, &second);
    project.run().code(1).says("confidence 0.83 by 4 of 4 votes of `default`, `second`");
    let asked = |model: &str, customer: &str| {
        let of = |asked: &&stub::Asked| stub::body(asked)["model"] == model && asked.body.contains(customer);
        stub.asked().iter().filter(of).count()
    };
    let counts = [("gpt-4o-mini", "customer 0."), ("other", "customer 0."), ("gpt-4o-mini", "customer 1.")];
    assert_eq!(counts.map(|(model, customer)| asked(model, customer)), [1, 0, 2]);
    assert_eq!(asked("other", "customer 1."), 2);
}

#[test]
fn two_runs_at_once_share_a_cache() {
    let stub = Stub::new(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        completion(&verdict(1.0))
    });
    let project = project(&stub, 40, CHECK, "");
    let runs: Vec<_> = (0..2)
        .map(|_| {
            let mut command = project.command(&["run", "suite.toml"]);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            command.spawn().expect("the binary runs")
        })
        .collect();
    for run in runs {
        let output = run.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let asked = stub.count();
    project.run().code(0);
    assert_eq!(stub.count(), asked, "all is known by now");
}

#[test]
fn an_answer_that_redaction_changes_is_kept_nowhere_and_cannot_be_used_again() {
    let said = r#"{"reason":"It names anna@example.org.","quotes":[],"verdict":"pass","score":1}"#;
    let stub = Stub::says(said);
    let check = format!("[redact]\ndetectors = [\"email\"]\n{CHECK}");
    let project = project(&stub, 1, &check, "");
    project.run().code(0);
    project.run().code(0);
    assert_eq!(stub.count(), 2);
    let evidence = project.report("evidence.jsonl");
    assert!(evidence.contains("[redacted:email]") && !evidence.contains("anna@example.org"), "{evidence}");
    for file in [".seatrial/cache.db", ".seatrial/cache.db-wal"] {
        let bytes = std::fs::read(project.path(file)).unwrap_or_default();
        assert!(!bytes.windows(4).any(|w| w == b"anna"), "{file}");
    }
    project.run_with(&["--evidence", "reports/latest"]).code(4).says("without what was redacted");
}

#[test]
fn a_run_stops_before_it_spends_more_than_it_may() {
    let stub = Stub::says(&verdict(1.0));
    let project = project(&stub, 50, CHECK, "max_tokens = 100\n");
    // An answer takes 1,100 tokens, and may take as many as its question has bytes and 100 more.
    let said = project.run_with(&["--max-tokens", "20000"]).code(5);
    said.says("`max_tokens` is 20000");
    let asked = stub.count();
    assert!((5..=18).contains(&asked), "{asked}");
    project.run_with(&["--resume", "--max-tokens", "20000"]).code(5);
    // What is answered stays answered.
    project.run_with(&["--resume"]).code(0);
    assert_eq!(stub.count(), 50);
}

#[test]
fn what_answers_do_not_say_they_took_is_not_nothing_for_a_continuation() {
    let stub = Stub::new(|_| {
        let whole: serde_json::Value = serde_json::from_slice(&completion(&verdict(1.0)).body).expect("JSON");
        let mut whole = whole.as_object().expect("an object").clone();
        whole.remove("usage");
        stub::ok(serde_json::to_vec(&whole).expect("JSON"))
    });
    let project = project(&stub, 50, CHECK, "max_tokens = 100\n");
    project.run_with(&["--max-tokens", "20000"]).code(5).says("`max_tokens` is 20000");
    let asked = stub.count();
    assert!((3..=20).contains(&asked), "{asked}");
    project.run_with(&["--resume", "--max-tokens", "20000"]).code(5).says("`max_tokens` is 20000");
    assert_eq!(stub.count(), asked);
    // Nothing was held by what was asked without a limit.
    let free = self::project(&stub, 3, CHECK, "");
    free.run().code(0);
    let record = std::fs::read_to_string(free.path("reports/latest/run.jsonl")).expect("the record");
    let cut: String =
        record.lines().filter(|line| !line.contains("finished")).map(|line| format!("{line}\n")).collect();
    std::fs::write(free.path("reports/latest/run.jsonl"), cut).expect("it is written");
    free.run_with(&["--resume", "--max-tokens", "20000"]).code(2).complains("3 of the answers that the run has so far");
}

#[test]
fn a_limit_of_cost_needs_a_price_and_is_kept_to() {
    let stub = Stub::says(&verdict(1.0));
    let project =
        project(&stub, 50, CHECK, "max_tokens = 100\n[prices]\n\"gpt-4o-mini\" = { input = 1, output = 10 }\n");
    project.run_with(&["--max-cost-usd", "0.05"]).code(5).says("`max_cost_usd` is 0.05");
    // 1,000 tokens in and 100 out are 0.002 USD.
    assert!(stub.count() as f64 * 0.002 <= 0.05, "{}", stub.count());
    let unpriced = self::project(&stub, 1, CHECK, "[judge.other]\nendpoint = \"openai\"\nmodel = \"x\"\n");
    let settings = std::fs::read_to_string(unpriced.path("seatrial.toml")).expect("settings");
    unpriced.file("seatrial.toml", settings.replace("gpt-4o-mini", "our-model"));
    unpriced.run_with(&["--max-cost-usd", "1"]).code(2).complains("no price is known of the model `our-model`");
}

#[test]
fn sessions_from_standard_input_are_asked_about_too() {
    let stub = Stub::says(&verdict(1.0));
    let project = project(&stub, 1, CHECK, "");
    let mut command = project.command(&["run", "suite.toml", "--sessions", "-"]);
    let sessions = std::fs::File::open(project.path("sessions.jsonl")).expect("sessions");
    command.stdin(sessions);
    crate::project::Said::of(command).code(0);
    assert_eq!((counts(&project), stub.count()), ([1, 0, 0], 1));
}
