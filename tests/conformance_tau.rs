//! What seatrial reads from real tau-bench and tau2-bench files, against figures that independent programs counted in
//! the same files. The files are not part of the project: the folder that holds them is named by `SEATRIAL_SHARED`,
//! and without it the test says that it was skipped.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test, outside of its functions too, may panic")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use seatrial::formats::{FORMATS, Format, Head, Layout, format};
use seatrial::model::{Session, Span, SpanKind, SpanStatus, digest};
use seatrial::sources::reader::Reader;
use seatrial::sources::{ReadOptions, RecordedFile};
use serde_json::Value;
use serde_json::value::RawValue;

/// What is compared, by name.
type Facts = BTreeMap<String, Value>;

#[test]
fn sessions_read_from_tau_bench_files_agree_with_independent_counts() {
    let Some(shared) = std::env::var_os("SEATRIAL_SHARED").map(PathBuf::from) else {
        println!("skipped: SEATRIAL_SHARED does not name the folder with the recorded files");
        return;
    };
    let (mut table, mut wrong, mut compared) = (String::new(), 0, 0);
    for folder in ["tau-bench", "tau2-bench"] {
        let folder = shared.join("data").join(folder);
        let truth: Value = serde_json::from_slice(&std::fs::read(folder.join("truth.json")).unwrap()).unwrap();
        for (file, truth) in truth.as_object().unwrap().iter().filter(|(name, _)| !name.starts_with('_')) {
            let (format, facts) = read(&folder.join(file));
            let expected = expected(format, truth);
            assert_eq!(facts.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{file}");
            for (name, ours) in &facts {
                let theirs = &expected[name];
                let same = agree(ours, theirs);
                compared += 1;
                wrong += usize::from(!same);
                let mark = if same { "" } else { "   <-- differs" };
                writeln!(table, "{file} | {name} | {ours} | {theirs}{mark}").unwrap();
            }
        }
    }
    println!("file | fact | seatrial | truth\n{table}{compared} compared, {wrong} differ");
    assert!(compared > 50, "only {compared} figures were compared");
    assert_eq!(wrong, 0, "{table}");
}

#[test]
fn the_folder_form_yields_one_session_a_file() {
    let Some(shared) = std::env::var_os("SEATRIAL_SHARED").map(PathBuf::from) else {
        println!("skipped: SEATRIAL_SHARED does not name the folder with the recorded files");
        return;
    };
    let experiment = shared.join("data/tau2-bench/voice/experiment");
    let mut ids = Vec::new();
    for entry in std::fs::read_dir(experiment.join("simulations")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let (format, layout) = sniff(&path, &bytes);
        assert_eq!((format.name(), layout), ("tau2-bench", Layout::Values));
        let companion = format.companion(&path).unwrap();
        assert_eq!(companion, experiment.join("results.json"));
        let results = std::fs::read(&companion).unwrap();
        let (_, envelope) = sniff(&companion, &results);
        let (headers, elements) = split(&results, envelope);
        assert!(elements.is_empty());
        let session = format.decoder(&headers).unwrap().decode(&bytes, 0, "x").unwrap();
        assert_eq!(session.failure.unwrap().kind, "no_transcript", "speech without its text cannot be evaluated");
        assert_eq!(path.file_stem().unwrap().to_string_lossy(), session.id.as_str());
        ids.push(session.id.to_string());
    }
    assert_eq!(ids.len(), 3);
}

#[test]
fn the_reader_gets_every_session_out_of_the_files() {
    let Some(shared) = std::env::var_os("SEATRIAL_SHARED").map(PathBuf::from) else {
        println!("skipped: SEATRIAL_SHARED does not name the folder with the recorded files");
        return;
    };
    let data = shared.join("data");
    let voice = data.join("tau2-bench/voice/experiment");
    let mut paths = vec![
        data.join("tau-bench/gpt-4o-airline.even-tasks.json"),
        data.join("tau2-bench/qwen2.5-7b_airline_1trial.json"),
        voice.join("results.json"),
    ];
    paths.extend(std::fs::read_dir(voice.join("simulations")).unwrap().map(|e| e.unwrap().path()));
    let files = paths.into_iter().map(|path| RecordedFile { name: path.to_string_lossy().into(), path }).collect();
    let mut reader = Reader::new(files, ReadOptions::default());
    let mut sessions = BTreeMap::new();
    while let Some(batch) = reader.next(Vec::new()) {
        let decoder = batch.decoder.expect("every file is of a known format");
        for element in batch.elements {
            let bytes = &batch.buffer[element.content.unwrap()];
            let session = decoder.decode(bytes, element.index, &batch.stem).unwrap();
            assert!(!session.id.is_empty() && session.case.is_some());
            *sessions.entry(batch.file).or_insert(0) += 1;
        }
    }
    assert_eq!(sessions.into_iter().collect::<Vec<_>>(), [(0, 100), (1, 50), (3, 1), (4, 1), (5, 1)]);
}

/// Numbers agree within rounding; everything else exactly.
fn agree(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * b.abs().max(1.0),
        _ => a == b,
    }
}

/// The format that claims a file; exactly one must.
fn sniff(path: &Path, bytes: &[u8]) -> (&'static dyn Format, Layout) {
    let head = Head { path, bytes: &bytes[..bytes.len().min(64 << 10)], whole: bytes.len() <= 64 << 10 };
    let claims: Vec<_> = FORMATS.iter().filter_map(|f| Some((*f, f.sniff(&head)?))).collect();
    assert_eq!(
        claims.len(),
        1,
        "{}: claimed by {:?}",
        path.display(),
        claims.iter().map(|c| c.0.name()).collect::<Vec<_>>()
    );
    claims[0]
}

/// Headers and elements of a file.
fn split(bytes: &[u8], layout: Layout) -> (Vec<Option<Vec<u8>>>, Vec<&[u8]>) {
    match layout {
        Layout::Array => {
            let all: Vec<&RawValue> = serde_json::from_slice(bytes).unwrap();
            (Vec::new(), all.into_iter().map(|r| r.get().as_bytes()).collect())
        }
        Layout::Envelope { stream, headers } => {
            let all: BTreeMap<String, &RawValue> = serde_json::from_slice(bytes).unwrap();
            let header = |key: &&str| all.get(*key).map(|r| r.get().as_bytes().to_vec());
            let stream = all.get(stream).map(|r| serde_json::from_str::<Vec<&RawValue>>(r.get()).unwrap());
            let elements = stream.into_iter().flatten().map(|r| r.get().as_bytes()).collect();
            (headers.iter().map(header).collect(), elements)
        }
        other => panic!("unexpected layout {other:?}"),
    }
}

/// Counts a file's sessions as seatrial sees them.
fn read(path: &Path) -> (&'static str, Facts) {
    let bytes = std::fs::read(path).unwrap();
    let (format, layout) = sniff(path, &bytes);
    let (headers, elements) = split(&bytes, layout);
    let decoder = format.decoder(&headers).unwrap();
    let sessions: Vec<Session<'_>> =
        elements.iter().zip(0..).map(|(e, i)| decoder.decode(e, i, "file").unwrap()).collect();
    sessions.iter().for_each(survives_import);
    let tau2 = format.name() == "tau2-bench";
    (format.name(), count(&sessions, tau2))
}

/// A session written in seatrial's own format and read back is the same session.
fn survives_import(session: &Session<'_>) {
    let mut line = Vec::new();
    seatrial::formats::seatrial::write(session, &mut line).unwrap();
    assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
    let decoder = format("seatrial").unwrap().decoder(&[]).unwrap();
    let again = decoder.decode(&line, 0, "file").unwrap();
    assert_eq!(digest::session(session), digest::session(&again));
}

fn add(facts: &mut Facts, name: impl Into<String>, n: u64) {
    let value = facts.entry(name.into()).or_insert_with(|| 0.into());
    *value = (value.as_u64().unwrap() + n).into();
}

fn count(sessions: &[Session<'_>], tau2: bool) -> Facts {
    let mut facts = Facts::new();
    add(&mut facts, "sessions", sessions.len() as u64);
    for name in ["users", "assistants", "calls", "errors", "sessions with error", "calls.user"] {
        add(&mut facts, name, 0);
    }
    let mut agent_cost = 0i64;
    let mut recorded_cost = 0.0;
    for s in sessions {
        add(&mut facts, format!("reward {:?}", s.reward.unwrap()), 1);
        add(&mut facts, format!("case {}", s.case.as_ref().unwrap()), 1);
        add(&mut facts, format!("trial {}", s.trial.as_ref().unwrap()), 1);
        assert!(s.failure.is_none());
        let users = |s: &&Span<'_>| s.attributes.get("requestor").is_some();
        // A user message of nothing but calls is no turn; what it holds are the user's calls.
        add(&mut facts, "users", s.turns.iter().filter(|t| t.user.is_some()).count() as u64);
        let model = |s: &&Span<'_>| s.kind == SpanKind::Llm || s.name == "greeting";
        add(&mut facts, "assistants", s.spans().filter(model).count() as u64);
        for (_, call) in s.tool_calls() {
            add(&mut facts, "calls", 1);
            add(&mut facts, format!("call {}", call.name), 1);
            assert_ne!(call.status, SpanStatus::Unset, "every call of these files has a result");
        }
        for call in s.spans().filter(users) {
            add(&mut facts, "calls.user", 1);
            add(&mut facts, format!("user call {}", call.name), 1);
        }
        let errors = s.spans().filter(|s| s.status == SpanStatus::Error).count() as u64;
        add(&mut facts, "errors", errors);
        add(&mut facts, "sessions with error", u64::from(errors > 0));
        for span in s.spans() {
            let usage = span.usage.unwrap_or_default();
            if tau2 {
                add(&mut facts, "tokens in", usage.input.unwrap_or(0));
                add(&mut facts, "tokens out", usage.output.unwrap_or(0));
            }
            agent_cost += span.cost_usd.map_or(0, |c| c.0);
        }
        if tau2 {
            recorded_cost += s.attributes.get("agent_cost").unwrap().json().unwrap().as_f64().unwrap();
            add(&mut facts, format!("end {}", s.attributes.get("termination_reason").unwrap().as_str()), 1);
        }
    }
    if tau2 {
        facts.insert("agent cost of messages".into(), (agent_cost as f64 / 1e9).into());
        facts.insert("agent cost of sessions".into(), recorded_cost.into());
    }
    facts
}

/// The same facts from a file's truth.
fn expected(name: &str, truth: &Value) -> Facts {
    let tau2 = name == "tau2-bench";
    let mut facts = Facts::new();
    let mut put = |name: String, value: &Value| {
        assert!(!value.is_null(), "truth without {name}");
        facts.insert(name, value.clone());
    };
    let zero = Value::from(0);
    let each = |v: &Value| v.as_object().unwrap().clone().into_iter().collect::<Vec<_>>();
    put("sessions".into(), &truth["sessions"]);
    for (reward, n) in each(&truth["reward_histogram"]) {
        put(format!("reward {reward}"), &n);
    }
    let per_case = each(&truth["sessions_per_task"]);
    assert_eq!(per_case.len(), 1, "every task of these files has equally many trials");
    for (case, _) in each(&truth["success_count_per_task"]) {
        put(format!("case {case}"), &per_case[0].0.parse::<u64>().unwrap().into());
    }
    put("assistants".into(), &truth["messages_by_role"]["assistant"]);
    if tau2 {
        for (trial, n) in each(&truth["trial_values"]) {
            put(format!("trial {trial}"), &n);
        }
        for (end, n) in each(&truth["termination_reasons"]) {
            put(format!("end {end}"), &n);
        }
        let user_messages = truth["messages_by_role"].get("user").unwrap_or(&zero).as_u64().unwrap();
        let without_text = truth["traps"]["content_types"].get("user:NoneType").unwrap_or(&zero).as_u64().unwrap();
        // The agent that works alone gets its ticket as the one turn of each session.
        let tickets = if user_messages == 0 { truth["sessions"].as_u64().unwrap() } else { 0 };
        put("users".into(), &(user_messages - without_text + tickets).into());
        put("calls".into(), &truth["tool_calls_by_requestor"]["assistant"]);
        put("calls.user".into(), &truth["tool_calls_by_requestor"]["user"]);
        for (name, n) in each(&truth["tool_calls_by_name"]["assistant"]) {
            put(format!("call {name}"), &n);
        }
        for (name, n) in each(&truth["tool_calls_by_name"]["user"]) {
            put(format!("user call {name}"), &n);
        }
        put("errors".into(), &truth["tool_results_error_flag"]);
        put("sessions with error".into(), &truth["sessions_with_error_flag"]);
        put("tokens in".into(), &truth["token_usage"]["assistant.prompt_tokens"]);
        put("tokens out".into(), &truth["token_usage"]["assistant.completion_tokens"]);
        put("agent cost of messages".into(), &truth["agent_cost"]["total"]);
        put("agent cost of sessions".into(), &truth["agent_cost"]["total"]);
    } else {
        for (trial, of_trial) in each(&truth["per_trial"]) {
            put(format!("trial {trial}"), &of_trial["sessions"]);
        }
        put("users".into(), &truth["messages_by_role"]["user"]);
        put("calls".into(), &truth["tool_calls_total"]);
        put("calls.user".into(), &zero);
        for (name, n) in each(&truth["tool_calls_by_name"]) {
            put(format!("call {name}"), &n);
        }
        put("errors".into(), &truth["error_results_total"]);
        put("sessions with error".into(), &truth["sessions_with_error_result"]);
    }
    facts
}
