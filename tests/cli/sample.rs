//! `reports/sample/`: what the suites of this repository leave behind, to be looked at without running anything.
//!
//! `SEATRIAL_UPDATE_SAMPLE=1 cargo test --test cli sample` makes it anew, and its picture where there is a browser.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::project::{self, Project};

/// What is needed to draw the others.
const RECORDED: [&str; 3] = ["run.jsonl", "sessions.jsonl.gz", "sessions.index.jsonl"];
const DRAWN: [&str; 4] = ["index.html", "junit.xml", "summary.json", "summary.md"];
/// What the picture shows: a case that is known to fail.
const PICTURED: &str = "#/support-telemetry/loop-same-call-1b6a6409";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sample() -> PathBuf {
    root().join("reports/sample")
}

/// The record as it would be on any machine at any time: what is volatile in it is set to something fixed.
fn settled(record: &str) -> String {
    let line = |line: &str| {
        let mut event: Value = serde_json::from_str(line).expect("a line of the record");
        match (event["event"].as_str(), event["volatile"].as_str()) {
            (_, Some("started")) => {
                event["run"] = "sample".into();
                event["at"] = "2026-01-01T00:00:00Z".into();
                event["args"] = json!(["seatrial", "run", "suites/"]);
                event["jobs"] = 1.into();
            }
            (_, Some("finished")) => {
                event["at"] = "2026-01-01T00:00:01Z".into();
                event["seconds"] = 1.0.into();
            }
            (Some("plan"), _) => event["as_of"] = "2026-01-01".into(),
            _ => return format!("{line}\n"),
        }
        format!("{event}\n")
    };
    record.lines().map(line).collect()
}

/// Makes the sample anew.
fn update() {
    let project = Project::new();
    let mut command = project.command(&["run", "suites/", "--keep-sample", "30", "--out"]);
    command.arg(project.path("out")).current_dir(root());
    project::Said::of(command).code(0);
    std::fs::create_dir_all(sample()).expect("the folder");
    for name in RECORDED {
        let bytes = std::fs::read(project.path("out/latest").join(name)).expect("a file of the run");
        let bytes =
            if name == "run.jsonl" { settled(&String::from_utf8(bytes).expect("text")).into_bytes() } else { bytes };
        std::fs::write(sample().join(name), bytes).expect("written");
    }
    project.seatrial(&["report", &sample().display().to_string()]).code(0);
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&sample().join("index.html"), PICTURED);
    browser.wait("document.querySelector('.waterfall') !== null");
    let taken = browser.call("Page.captureScreenshot", json!({ "format": "png" }));
    let picture =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, taken["data"].as_str().expect("a picture"));
    std::fs::write(sample().join("report.png"), picture.expect("base64")).expect("written");
}

/// What a script would read of a run: each suite with its decision and cases.
fn outcome(summary: &Path) -> Vec<(Value, Value, Value)> {
    let summary = project::json(summary);
    let suites = summary["suites"].as_array().expect("suites");
    suites.iter().map(|s| (s["name"].clone(), s["decision"].clone(), s["cases"]["passed"].clone())).collect()
}

#[test]
fn the_sample_report_is_drawn_again_from_what_lies_beside_it() {
    if std::env::var_os("SEATRIAL_UPDATE_SAMPLE").is_some() {
        update();
    }
    let project = Project::new();
    for name in RECORDED {
        project.file(name, std::fs::read(sample().join(name)).expect("a file of the sample"));
    }
    project.seatrial(&["report", "."]).code(0);
    for name in DRAWN {
        assert!(project.path(name).exists() && sample().join(name).exists(), "{name}");
    }
    assert_eq!(outcome(&project.path("summary.json")), outcome(&sample().join("summary.json")));
    let size = |name: &str| std::fs::metadata(sample().join(name)).map_or(0, |m| m.len());
    assert!(RECORDED.iter().chain(&DRAWN).map(|n| size(n)).sum::<u64>() < 2_000_000);
    assert!((1..300_000).contains(&size("report.png")));
    // Nothing in it tells of the machine that made it.
    let home = std::env::var("HOME").unwrap_or_default();
    for name in ["run.jsonl", "index.html", "junit.xml", "summary.json"] {
        let text = std::fs::read_to_string(sample().join(name)).expect("text");
        assert!(!text.contains(&root().display().to_string()) && (home.len() < 3 || !text.contains(&home)), "{name}");
    }
}
