//! Telemetry in a run: sessions scattered over files are put together, the same for any number of threads.

use super::*;
use crate::eval::testing;
use crate::formats::telemetry::{Origin, Record, Sink as RecordSink, SpanRecord, Value};
use crate::formats::{Decode, Format, Head, Layout, RecordDecoder};
use crate::model::LeftOut;
use crate::sources::ReadOptions;

/// Lines of `trace span session`, `log`, `bad` or `panic`.
struct Words;
static WORDS: &[&dyn Format] = &[&Words];

impl Format for Words {
    fn name(&self) -> &'static str {
        "words"
    }
    fn doc(&self) -> &'static str {
        "For tests."
    }
    fn sniff(&self, _: &Head<'_>) -> Option<Layout> {
        Some(Layout::Lines)
    }
    fn layout(&self, _: &Head<'_>) -> Layout {
        Layout::Lines
    }
    fn decoder(&self, _: &[Option<Vec<u8>>]) -> Result<Decode, Problem> {
        Ok(Decode::records(Words))
    }
}

impl RecordDecoder for Words {
    fn records<'a>(&self, element: &'a [u8], sink: &mut dyn RecordSink<'a>) -> Result<(), Problem> {
        let text = std::str::from_utf8(element).map_err(|e| Problem::new(LeftOut::Malformed, e.to_string()))?;
        let words: Vec<&'a str> = text.split_whitespace().collect();
        match words[..] {
            [trace, id, ref session @ ..] => {
                let session = session.iter().map(|s| ("session.id".into(), Value::Text((*s).into())));
                let (start_ns, end_ns) = (Some(1), Some(2));
                let attributes = session.collect();
                let (trace, id) = (trace.into(), id.into());
                sink.record(&Record::Span(SpanRecord {
                    trace,
                    id,
                    attributes,
                    start_ns,
                    end_ns,
                    ..Default::default()
                }));
                Ok(())
            }
            ["log"] => {
                sink.origin(&Origin::default());
                sink.record(&Record::Log(Default::default()));
                Ok(())
            }
            ["panic"] => panic!("a test of a decoder that panics"),
            _ => Err(Problem::new(LeftOut::Malformed, "bad")),
        }
    }
}

/// Runs over files with these texts; the record's lines, each with what matters of it.
fn run_over(texts: &[String], jobs: usize, options: &Options, stop: bool) -> (Outcome, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<RecordedFile> = (0..texts.len())
        .map(|i| RecordedFile { path: dir.path().join(format!("{i}.words")), name: format!("{i}.words") })
        .collect();
    for (file, text) in files.iter().zip(texts) {
        std::fs::write(&file.path, text).unwrap();
    }
    let suite = testing::suite("[[session]]\nid = \"a\"\ncheck = \"turns\"\nmax = 100\n");
    let planned = Planned::new(&suite, None).unwrap();
    let (redactor, stop, mut record) = (Redactor::default(), AtomicBool::new(stop), Vec::new());
    let job = Job {
        planned: &planned,
        index: 0,
        files: &files,
        ignored: Vec::new(),
        problems: Vec::new(),
        now_ns: 0,
        jobs,
        fail_fast: false,
        keep: Keep { failed: false, passed: 0, limit: 0 },
        shard: None,
        known: None,
        stop: &stop,
        progress: &|_| (),
        redactor: &redactor,
        assemble: options,
        live: false,
        edge: &crate::checks::asking::Nobody,
        collecting: false,
        crew: None,
        given_up: None,
    };
    let mut fold = SuiteFold::new(&planned.plan, 0);
    let read = ReadOptions { batch: 200, ..ReadOptions::default() };
    let reader = Reader::with_formats(files.clone(), read, WORDS);
    let outcome =
        run(&job, reader, &mut fold, Sinks { record: &mut record, kept: &mut io::sink(), past: None, live: None });
    let lines = String::from_utf8(record).unwrap().lines().map(str::to_owned).collect();
    (outcome, lines)
}

/// The ordinal, kind and id or message of each session and each thing left out.
fn told(lines: &[String]) -> Vec<String> {
    let tell = |line: &String| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let what = event.get("message").or(event.get("id"))?.as_str()?.to_owned();
        Some(format!("{} {} {what}", event["event"].as_str()?, event["at"]))
    };
    lines.iter().filter_map(tell).collect()
}

fn scattered() -> Vec<String> {
    // Three files over which every session is scattered; only one span of each trace names it.
    let line = |file: usize, i: usize| {
        let (trace, session) = (i % 40, i % 20);
        let named = if file == 2 { format!("s{session}") } else { String::new() };
        format!("t{trace} {file}.{i} {named}\n")
    };
    (0..3).map(|file| (0..80).map(|i| line(file, i)).collect()).collect()
}

#[test]
fn sessions_scattered_over_files_are_whole_for_any_number_of_threads_in_memory_and_on_disk() {
    let texts = scattered();
    for budget in [usize::MAX, 0] {
        let options = Options { budget, batch: 1000, ..Options::default() };
        let (outcome, lines) = run_over(&texts, 1, &options, false);
        assert!(outcome.stopped.is_none() && !outcome.panicked);
        let mut sessions = told(&lines);
        if budget > 0 {
            assert_eq!(sessions[..2], ["session [0,80] s0", "session [0,81] s1"]);
        }
        sessions.sort();
        let ids: std::collections::BTreeSet<&str> = sessions.iter().filter_map(|s| s.split(' ').nth(2)).collect();
        assert_eq!((sessions.len(), ids.len()), (20, 20));
        for jobs in [2, 3] {
            assert_eq!(run_over(&texts, jobs, &options, false).1, lines, "jobs {jobs}, budget {budget}");
        }
    }
}

#[test]
fn what_cannot_be_used_is_said_and_has_an_ordinal_of_its_own() {
    let text = "t1 1 s\nbad\nlog\nt2 2\npanic\nlog\nt1 3\n".to_owned();
    let (outcome, lines) = run_over(&[text], 2, &Options::default(), false);
    assert!(outcome.panicked && outcome.stopped.is_none());
    // What a panic says is noted by the program's hook alone, which another test may have installed.
    let told = told(&lines).iter().map(|line| line.split(" panicked: ").next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(
        told,
        [
            "left_out [0,1] bad",
            "left_out [0,4] a bug in seatrial: reading it",
            "left_out [0,7] 2 log records name neither a trace nor a session",
            "session [0,8] s",
            "session [0,9] t2",
        ]
    );
}

#[test]
fn a_run_that_cannot_keep_its_records_or_is_interrupted_stops() {
    let nowhere = Options { budget: 0, spill_dir: "no/such/folder".into(), ..Options::default() };
    let (outcome, lines) = run_over(&scattered(), 2, &nowhere, false);
    assert!(matches!(outcome.stopped, Some(Early::Spill(_))));
    assert!(told(&lines).is_empty());
    let (outcome, _) = run_over(&scattered(), 2, &Options::default(), true);
    assert!(matches!(outcome.stopped, Some(Early::Interrupted)));
}
