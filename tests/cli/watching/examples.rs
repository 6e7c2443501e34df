//! The files with which it is started and looked at elsewhere (`src/cli/watch/examples`): the commands in them are understood,
//! and every metric that they name is told, with the labels that they ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use regex::Regex;
use seatrial::fleet::queue::{Note, Queue};
use serde_json::{Value, json};

use super::process::Watch;
use crate::fleet::workers::Worker;
use crate::judges::stub::{Stub, completion, verdict};
use crate::nats::Nats;
use crate::project::{GOOD, Project, Said, replies};
use crate::receive::recorder::run;

/// The files, by name.
fn files() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/watch/examples");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).expect("text"))
    };
    std::fs::read_dir(folder).expect("a folder").map(read).collect()
}

/// The commands of a file: what follows the program's name, as a line or as a list.
fn commands(text: &str) -> Vec<Vec<String>> {
    let start =
        Regex::new(r#"(?m)(?:^|[\s"`/])seatrial["',]*[ \t]+["']?((?:watch|worker|run)\b.*)$"#).expect("a pattern");
    let words = |found: regex::Captures<'_>| {
        let tail = found[1].split(['`', ']']).next().unwrap_or_default().to_owned();
        let words = tail.split([' ', ',', '"', '\'']).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    start.captures_iter(text).map(words).collect()
}

#[test]
fn every_command_is_one_that_this_version_understands() {
    let project = Project::new();
    // Whoever asks for help after it is told what comes before it and is not understood.
    let understood = |words: &[&str]| project.seatrial(&[words, &["--help"]].concat()).code;
    assert_eq!(understood(&["watch", "suites", "--listen", "4318"]), 0);
    assert_eq!(understood(&["watch", "suites", "--listn", "4318"]), 2);
    assert_eq!(understood(&["watch", "suites", "--listen", "nowhere"]), 2);
    let help = ["watch", "worker"].map(|command| project.seatrial(&[command, "--help"]).code(0).out).concat();
    let quoted = Regex::new(r#""(--[a-z-]+)""#).expect("a pattern");
    for (name, text) in files() {
        for flag in quoted.captures_iter(&text) {
            let known = help.split_whitespace().any(|word| word == &flag[1]);
            assert!(known, "{name}: there is no {}", &flag[1]);
        }
        let commands = commands(&text);
        let starts = name.ends_with(".service") || name == "Containerfile" || name.starts_with(['k', 'w']);
        assert!(!starts || !commands.is_empty(), "{name} starts nothing");
        for command in commands {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            assert_eq!(understood(&words), 0, "{name}: {words:?}");
        }
    }
}

#[test]
fn workers_are_scaled_by_what_waits_for_those_of_this_version() {
    let files = files();
    let version = seatrial::fleet::queue::token(seatrial::fleet::bundle::VERSION);
    for line in ["stream: seatrial_WORK".to_owned(), format!("consumer: workers-{version}")] {
        assert!(files["workers.yaml"].contains(&line), "{line}");
    }
}

#[test]
fn the_panels_of_the_dashboard_are_told_apart_and_lie_beside_each_other() {
    let board: Value = serde_json::from_str(&files()["grafana.json"]).expect("JSON");
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in board["panels"].as_array().expect("panels") {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{panel}");
        let at = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
        assert!(at("x") + at("w") <= 24, "{panel}");
        for (x, y) in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
            assert!(taken.insert((x, y)), "it lies over another one: {panel}");
        }
        let mut names = BTreeSet::new();
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert!(names.insert(target["refId"].as_str().expect("a name")), "{panel}");
        }
    }
}

/// A series: its name and labels.
type Series = (String, BTreeMap<String, String>);

/// Series that are asked for: a name, and labels, some of them with the one value that is meant.
type Selector = (String, Vec<(String, Option<String>)>);

/// What is asked of metrics in one place: series, and labels that any of them has to have.
struct Asked {
    file: String,
    series: Vec<Selector>,
    labels: BTreeSet<String>,
}

impl Asked {
    fn of(file: &str, text: &str) -> Self {
        let pattern = |text: &str| Regex::new(text).expect("a pattern");
        let names = pattern(r"\b(seatrial_(?:watch|worker)_[a-z_]+)(?:\{([^}]*)\})?");
        let matcher = pattern(r#"([a-z_]+)\s*(=~|!=|!~|=)\s*"([^"]*)""#);
        let shown = pattern(r"\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}|\b(?:by|on) \(([a-z_, ]+)\)");
        let series = names.captures_iter(text).map(|found| {
            let inner = found.get(2).map_or("", |inner| inner.as_str());
            let one = |m: regex::Captures<'_>| (m[1].to_owned(), (&m[2] == "=").then(|| m[3].to_owned()));
            (found[1].to_owned(), matcher.captures_iter(inner).map(one).collect())
        });
        let labels = shown.captures_iter(text).flat_map(|found| {
            let found = found.get(1).or(found.get(2)).map_or("", |labels| labels.as_str());
            found.split(',').map(|label| label.trim().to_owned()).collect::<Vec<_>>()
        });
        Self { file: file.to_owned(), series: series.collect(), labels: labels.collect() }
    }

    /// What of it is not there.
    fn absent(&self, seen: &BTreeSet<Series>) -> Vec<String> {
        let fits = |(name, labels): &Selector| {
            seen.iter().any(|(known, has)| {
                let one = |(label, value): &(String, Option<String>)| {
                    has.get(label).is_some_and(|known| value.as_ref().is_none_or(|value| value == known))
                };
                known == name && labels.iter().all(one)
            })
        };
        let of_these = |(known, _): &&Series| self.series.iter().any(|(name, _)| name == known);
        let has = |label: &&String| seen.iter().filter(of_these).any(|(_, has)| has.contains_key(*label));
        let series = self.series.iter().filter(|series| !fits(series)).map(|series| format!("{series:?}"));
        let labels = self
            .labels
            .iter()
            .filter(|label| !has(label))
            .map(|label| format!("the label {label} of {:?}", self.series));
        series.chain(labels).map(|what| format!("{}: {what}", self.file)).collect()
    }
}

/// What is asked in all files: by each query of the dashboard, by each alert rule, and by the others as they stand.
fn asked() -> Vec<Asked> {
    let mut asked = Vec::new();
    for (name, text) in files() {
        if name == "grafana.json" {
            let board: Value = serde_json::from_str(&text).expect("JSON");
            let targets = board["panels"].as_array().expect("panels").iter().filter_map(|p| p["targets"].as_array());
            for target in targets.flatten() {
                let said = |key: &str| target[key].as_str().expect("text").to_owned();
                asked.push(Asked::of(&name, &format!("{} {}", said("expr"), said("legendFormat"))));
            }
            for variable in board["templating"]["list"].as_array().expect("variables") {
                asked.push(Asked::of(&name, variable["query"].as_str().expect("a query")));
            }
        } else {
            asked.extend(text.split("- alert:").map(|rule| Asked::of(&name, rule)));
        }
    }
    assert!(asked.iter().any(|a| a.file == "prometheus-rules.yaml" && !a.labels.is_empty()));
    asked
}

/// The series of what a process tells.
fn series(metrics: &str) -> Vec<Series> {
    let label = Regex::new(r#"([a-z_]+)="([^"]*)""#).expect("a pattern");
    let one = |line: &str| {
        let labels = label.captures_iter(line).map(|found| (found[1].to_owned(), found[2].to_owned()));
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        (name.to_owned(), labels.collect())
    };
    metrics.lines().filter(|line| !line.starts_with('#')).map(one).collect()
}

/// What a worker tells that has judged something, could not read something, and has refused something.
fn of_a_worker(nats: &Nats) -> Vec<Series> {
    let project = Project::with(&format!("[redact]\npseudonyms = [\"session\"]\n{GOOD}"), &[&replies("a", "good")]);
    let url = nats.url("examples");
    let worker = Worker::start(&project, &url);
    project.run_with(&["--on", &url]).code(0);
    let mut another = project.command(&["run", "suite.toml", "--on", &url]);
    another.env("SEATRIAL_REDACT_KEY", "a key that the worker does not have");
    Said::of(another).code(5).says("refuses the work");
    run(async {
        let address = url.parse().expect("an address");
        let queue = Queue::connect(&address, Arc::new(|_: &str| ())).await.expect("a queue");
        queue.put(&queue.work("r"), "none", b"no portion", Note::default(), &|| false).await.expect("put");
    });
    let began = Instant::now();
    loop {
        let told = worker.metrics();
        if told.contains("outcome=\"unreadable\"") {
            return series(&told);
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{told}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A suite of which everything that can be told is told soon.
const SUITE: &str = r#"
[[turn]]
id = "says"
check = "contains"
value = "ok"
[[turn]]
id = "no-pii"
check = "not_contains"
detect = ["email"]
[[session]]
id = "polite"
check = "judge"
rubric = "The agent is polite."
[[session]]
id = "quick"
check = "duration"
max_ms = 5000
[[system]]
id = "most-are-well"
check = "pass_rate"
of = "says"
min = 0.9
[watch]
late = "2s"
over = "1m"
every = "1s"
[watch.sample]
max_sessions_per_day = 100000
max_usd_per_day = 100
[[watch.sample.stratum]]
name = "unwatched"
rate = 0.0
on = { agent = "unwatched" }
[watch.quarantine]
checks = ["no-pii"]
to = ["owner"]
[[alert]]
name = "says-no"
kind = "threshold"
of = "says"
max = 0.5
min_count = 1
severity = "critical"
"#;

/// A session that has just ended and of which much is wrong, one that nobody looks at, one that does not tell how long it
/// took, and a line that is damaged.
fn sessions(round: usize) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).expect("a time");
    let now = u64::try_from(now.as_nanos()).expect("a time");
    let session = |agent: &str| {
        let usage = json!({ "input": 10, "output": 20 });
        json!({
            "seatrial": 1, "id": format!("{agent}-{round}"), "agent": agent, "start_ns": now - 1_000_000, "end_ns": now,
            "turns": [{ "user": "hello", "reply": "No. Write to ann@example.com.", "ttft_ns": 600_000_000_u64, "spans": [
                { "kind": "llm", "name": "chat", "model": "gpt-4o-mini", "usage": usage },
                { "kind": "tool", "name": "search", "status": "error" },
            ] }],
        })
    };
    let short = replies(&format!("short-{round}"), "ok");
    format!("{}\n{}\n{short}\n{{\"seatrial\":1,\"id\":\n", session("desk"), session("unwatched"))
}

#[test]
fn every_metric_that_is_named_is_told_with_the_labels_that_are_asked_for() {
    let mut asked = asked();
    let mut seen = BTreeSet::new();
    match Nats::start() {
        Some(nats) => seen.extend(of_a_worker(&nats)),
        // Which is told.
        None => asked.iter_mut().for_each(|a| a.series.retain(|(name, _)| !name.starts_with("seatrial_worker_"))),
    }
    asked.retain(|asked| !asked.series.is_empty());
    let stub = Stub::new(|_| completion(&verdict(0.9)));
    let project = Project::with(SUITE, &["{}"]);
    // Nobody listens where notices and verdicts go.
    let nowhere = "http://127.0.0.1:9";
    let judge = format!("[judge.default]\nendpoint = \"openai\"\nmodel = \"gpt-4o-mini\"\nurl = \"{}/v1\"\n", stub.url);
    let owner = format!("[notify.owner]\nkind = \"slack\"\nurl = \"{nowhere}/stop\"\n");
    let prices = "[prices]\n\"gpt-4o-mini\" = { input = 1, output = 100 }\n";
    project.file("seatrial.toml", format!("{prices}{judge}{owner}"));
    project.file("there/0.jsonl", sessions(0));
    let watch = Watch::start(&project, &["--idle", "200ms", "--from", "there", "--export", nowhere]);
    project.file("suite.toml", "nonsense");
    watch.signal("-HUP");
    let began = Instant::now();
    for round in 1.. {
        seen.extend(series(&watch.look("/metrics").2));
        let absent: Vec<String> = asked.iter().flat_map(|asked| asked.absent(&seen)).collect();
        if absent.is_empty() {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "not told:\n{}", absent.join("\n"));
        std::thread::sleep(Duration::from_millis(250));
        // What is told is of the last window alone.
        project.file(&format!("there/{round}.jsonl"), sessions(round));
    }
}
