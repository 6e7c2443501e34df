//! A run that is killed while it sends verdicts to people is continued: every verdict is in the queue, and none twice.

use std::process::Stdio;

use seatrial::store::db::{ItemFilter, Page, Store, StoreUrl};
use serde_json::Value;

use crate::project::{Project, replies};

/// How often it is killed.
const KILLS: u64 = 6;
/// Sessions, each of which has one verdict that a person decides over.
const SESSIONS: usize = 700;

#[test]
fn every_verdict_is_in_the_queue_once_however_often_its_run_is_killed() {
    let check = "[[session]]\nid = \"asks\"\ncheck = \"contains\"\nvalue = \"please\"\nreview = { always = true }\n";
    let sessions: Vec<String> = (0..SESSIONS).map(|i| replies(&format!("s{i}"), "Wait, please.")).collect();
    let project = Project::with(check, &sessions.iter().map(String::as_str).collect::<Vec<_>>());
    project.seatrial(&["store", "info"]).code(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let at = StoreUrl::File(project.path(".seatrial/seatrial.db"));
    let store = runtime.block_on(Store::open(&at)).expect("the store");
    let items = || {
        let found = runtime.block_on(store.items(&ItemFilter::default(), Page::ALL, 1)).expect("items");
        found.len() as u64
    };
    let mut seen = Vec::new();
    for kill in 1..=KILLS {
        let resume = if kill == 1 { &[][..] } else { &["--resume"] };
        let mut command = project.command(&[&["run", "suite.toml"], resume].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
        let enough = SESSIONS as u64 * kill / (KILLS + 2);
        while items() < enough && child.try_wait().expect("its state").is_none() {}
        child.kill().expect("it is killed");
        child.wait().expect("its end");
        seen.push(items());
    }
    let cut_short = seen.iter().filter(|n| (1..SESSIONS as u64).contains(n)).count();
    assert!(cut_short > 0, "no kill came while verdicts were sent: {seen:?}");

    project.run_with(&["--resume"]).code(3).says(&format!("{SESSIONS} verdicts wait for a person"));
    assert_eq!(items(), SESSIONS as u64, "after {seen:?}");
    let verdicts = project.events().lines().filter(|line| line.contains("\"event\":\"session\"")).count();
    assert_eq!(verdicts, SESSIONS);
    // Each can be read, and its run is known.
    let exported = project.seatrial(&["review", "export"]).code(0).out;
    let mut asked: Vec<String> = exported
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("JSON")["session_id"].as_str().expect("an id").to_owned()
        })
        .collect();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), SESSIONS);
    runtime.block_on(store.close());
    println!(
        "killed {KILLS} times with {seen:?} verdicts in the queue, {cut_short} times while sending: none lost, none twice"
    );
}
