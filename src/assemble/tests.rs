//! Records that arrive in any order and wait anywhere come out as the same sessions.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::intake::{Draft, Intake, Options};
use super::session_id::ATTRIBUTES;
use super::settled::Sessions;
use crate::formats::RecordDecoder;
use crate::formats::telemetry::codec::{Place, decode_origin, stored};
use crate::formats::telemetry::{LogRecord, Origin, Record, Sink, SpanRecord, Value};
use crate::model::{LeftOut, Problem};

/// A record in short: its trace (none is 0), and the session that it names and where.
#[derive(Debug, Clone, Copy)]
struct Short {
    span: bool,
    trace: u8,
    named: Option<(u8, u8)>,
    resource: u8,
}

/// Decodes elements of four bytes a record.
struct Shorts;

impl Shorts {
    fn write(records: &[Short]) -> Vec<u8> {
        let named = |r: &Short| r.named.map_or(0, |(place, session)| 1 + place * 16 + session);
        records.iter().flat_map(|r| [u8::from(r.span), r.trace, named(r), r.resource]).collect()
    }
}

impl RecordDecoder for Shorts {
    fn records<'a>(&self, element: &'a [u8], sink: &mut dyn Sink<'a>) -> Result<(), Problem> {
        let mut last = None;
        for (i, record) in element.chunks(4).enumerate() {
            let [span, trace, named, resource] = *record else {
                return Err(Problem::new(LeftOut::Truncated, "cut"));
            };
            if last.replace(resource) != Some(resource) {
                let name = Value::Text(format!("process {resource}").into());
                sink.origin(&Origin { resource: vec![("service.name".into(), name)], ..Origin::default() });
            }
            let mut attributes = vec![("content".into(), Value::Text("x".repeat(i % 50).into()))];
            if let Some(named) = named.checked_sub(1) {
                let id = Value::Text(format!("session {}", named % 16).into());
                attributes.push((ATTRIBUTES[usize::from(named / 16)].into(), id));
            }
            let trace = (trace > 0).then(|| format!("trace {trace}").into());
            match (span, trace) {
                (1, Some(trace)) => {
                    let id = format!("{i}").into();
                    sink.record(&Record::Span(SpanRecord { trace, id, attributes, ..SpanRecord::default() }));
                }
                (_, trace) => sink.record(&Record::Log(LogRecord { trace, attributes, ..LogRecord::default() })),
            }
        }
        Ok(())
    }
}

/// What came out: for each session the places of its records with their resource, and what could not be used.
#[derive(Debug, Default, PartialEq)]
struct Out {
    sessions: Vec<Vec<(Place, String)>>,
    problems: Vec<(u32, String)>,
    spilled: bool,
}

fn small(budget: usize, load: usize) -> Options {
    Options { budget, load, batch: 300, ..Options::default() }
}

/// Takes elements in, in the order that `order` says, and hands out the sessions.
fn run(files: &[Vec<Vec<u8>>], options: Options, order: impl FnOnce(&mut Vec<(u32, u64, Vec<u8>)>)) -> Out {
    let mut out = Out::default();
    let element = |(f, file): (usize, &Vec<Vec<u8>>)| {
        file.iter().cloned().enumerate().map(move |(e, bytes)| (f as u32, e as u64, bytes)).collect::<Vec<_>>()
    };
    let mut elements: Vec<_> = files.iter().enumerate().flat_map(element).collect();
    order(&mut elements);
    let (intake, mut draft) = (Intake::new(options), Draft::default());
    for (n, (file, index, bytes)) in elements.iter().enumerate() {
        let problems = intake.read(&mut draft, &Shorts, bytes, (*file, *index));
        out.problems.extend(problems.into_iter().map(|p| (*file, p.message)));
        if n % 3 == 2 {
            intake.take(&mut draft).unwrap();
        }
    }
    intake.take(&mut draft).unwrap();
    let mut settled = intake.settle(&|| false).unwrap();
    out.spilled = settled.split();
    let mut buffer = Vec::new();
    while let Some(portion) = settled.next_portion().unwrap() {
        let file = portion.file;
        let Sessions { buffer: bytes, items } = portion.bring_together(std::mem::take(&mut buffer));
        for item in items {
            match item {
                Ok(range) => {
                    let told = |origin| match &decode_origin(origin).unwrap().resource[..] {
                        [(_, Value::Text(name))] => name.to_string(),
                        other => format!("{other:?}"),
                    };
                    let records: Vec<_> = stored(&bytes[range]).map(|(s, _)| (s.place, told(s.origin))).collect();
                    assert_eq!(records[0].0.file, file);
                    out.sessions.push(records);
                }
                Err(problem) => out.problems.push((file, problem.message)),
            }
        }
        buffer = bytes;
    }
    out
}

/// The same by the plain rule, with everything in memory.
fn expected(files: &[Vec<Vec<Short>>]) -> (Vec<Vec<(Place, String)>>, u64) {
    let (mut records, mut unassigned) = (Vec::new(), 0);
    for (f, file) in files.iter().enumerate() {
        for (e, element) in file.iter().enumerate() {
            let kept = element.iter().filter(|r| r.trace > 0 || r.named.is_some());
            unassigned += element.len() as u64 - kept.clone().count() as u64;
            for (p, record) in kept.enumerate() {
                records.push((Place { file: f as u32, element: e as u64, position: p as u32 }, *record));
            }
        }
    }
    let mut best: BTreeMap<u8, (u8, Place, u8)> = BTreeMap::new();
    for (place, record) in records.iter().filter(|(_, r)| r.trace > 0) {
        if let Some((rank, session)) = record.named {
            let told = (rank, *place, session);
            best.entry(record.trace).and_modify(|b| *b = told.min(*b)).or_insert(told);
        }
    }
    let mut homes: BTreeMap<(bool, u8), Vec<(Place, String)>> = BTreeMap::new();
    for (place, record) in records {
        let session = if record.trace > 0 { best.get(&record.trace).map(|b| b.2) } else { record.named.map(|n| n.1) };
        let home = session.map_or((false, record.trace), |s| (true, s));
        homes.entry(home).or_default().push((place, format!("process {}", record.resource)));
    }
    let mut sessions: Vec<_> = homes.into_values().collect();
    sessions.sort();
    (sessions, unassigned)
}

fn records() -> impl Strategy<Value = Vec<Vec<Vec<Short>>>> {
    let named = proptest::option::weighted(0.3, (0u8..3, 0u8..5));
    let record = (proptest::bool::weighted(0.7), 0u8..12, named, 0u8..3)
        .prop_map(|(span, trace, named, resource)| Short { span: span && trace > 0, trace, named, resource });
    let element = proptest::collection::vec(record, 0..30);
    proptest::collection::vec(proptest::collection::vec(element, 0..6), 1..4)
}

fn sorted(out: &Out) -> Vec<Vec<(Place, String)>> {
    let mut sessions = out.sessions.clone();
    sessions.sort();
    sessions
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sessions_are_the_same_wherever_records_wait_and_whenever_they_arrive(files in records(), seed in any::<u64>()) {
        let bytes: Vec<Vec<Vec<u8>>> =
            files.iter().map(|f| f.iter().map(|e| Shorts::write(e)).collect()).collect();
        let shuffle = |elements: &mut Vec<(u32, u64, Vec<u8>)>| {
            elements.sort_by_key(|(f, e, _)| (u64::from(*f) * 7 + e + 1).wrapping_mul(seed | 1));
        };
        let (sessions, unassigned) = expected(&files);
        let memory = run(&bytes, small(usize::MAX, 1), shuffle);
        prop_assert!(!memory.spilled);
        prop_assert_eq!(&memory.sessions, &sessions, "from memory, in the order of their first records");
        let told: u64 = memory.problems.iter().map(|p| p.1.split(' ').next().unwrap().parse::<u64>().unwrap()).sum();
        prop_assert_eq!(told, unassigned);
        for load in [1 << 20, 1000, 1] {
            let shuffled = run(&bytes, small(0, load), shuffle);
            prop_assert_eq!(sorted(&shuffled), sessions.clone(), "load {}", load);
            prop_assert_eq!(&shuffled.problems, &memory.problems);
            let straight = run(&bytes, small(0, load), |_| ());
            prop_assert_eq!(shuffled, straight, "one order");
        }
        let late = run(&bytes, small(700, 1 << 20), |_| ());
        prop_assert_eq!(sorted(&late), sessions);
    }
}

fn span(trace: u8, named: Option<(u8, u8)>) -> Short {
    Short { span: true, trace, named, resource: 0 }
}

#[test]
fn a_session_that_is_too_large_is_named_and_the_others_are_whole() {
    let large: Vec<Short> = (0..400).map(|i| span(1, (i == 390).then_some((0, 7)))).collect();
    let other = [span(2, None), span(3, None)];
    let files = vec![vec![Shorts::write(&other[..1]), Shorts::write(&large), Shorts::write(&other)]];
    for (budget, load) in [(usize::MAX, 1), (0, 1 << 20), (0, 100)] {
        let options = Options { max_session: 2000, ..small(budget, load) };
        let out = run(&files, options, |_| ());
        assert_eq!(out.sessions.iter().map(Vec::len).sum::<usize>(), 3);
        assert_eq!(out.problems.len(), 1);
        assert!(out.problems[0].1.starts_with("the records of session `session 7` take "), "{out:?}");
    }
}

#[test]
fn what_stands_before_damage_is_used_and_a_panic_leaves_no_half_record() {
    struct Panics;
    impl RecordDecoder for Panics {
        fn records<'a>(&self, _: &'a [u8], sink: &mut dyn Sink<'a>) -> Result<(), Problem> {
            sink.record(&Record::Span(SpanRecord { trace: "t".into(), id: "1".into(), ..SpanRecord::default() }));
            panic!("a test of what a decoder's panic leaves behind");
        }
    }
    let (intake, mut draft) = (Intake::new(Options::default()), Draft::default());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        intake.read(&mut draft, &Panics, b"", (0, 0));
    }));
    assert!(panicked.is_err());
    let mut cut = Shorts::write(&[span(1, None), span(2, None)]);
    cut.pop();
    assert_eq!(intake.read(&mut draft, &Shorts, &cut, (0, 1))[0].kind, LeftOut::Truncated);
    intake.take(&mut draft).unwrap();
    let mut settled = intake.settle(&|| false).unwrap();
    let sessions = settled.next_portion().unwrap().unwrap();
    assert_eq!(sessions.len(), 2, "the one before the panic and the one before the damage");
    assert!(settled.next_portion().unwrap().is_none());
}

#[test]
fn problems_of_one_element_are_told_up_to_a_number_and_counted_beyond() {
    struct Bad;
    impl RecordDecoder for Bad {
        fn records<'a>(&self, _: &'a [u8], sink: &mut dyn Sink<'a>) -> Result<(), Problem> {
            (0..500).for_each(|_| sink.problem(Problem::new(LeftOut::Malformed, "bad")));
            Err(Problem::new(LeftOut::Malformed, "worse"))
        }
    }
    let problems = Intake::new(Options::default()).read(&mut Draft::default(), &Bad, b"", (0, 0));
    assert_eq!(problems.len(), 100);
    assert_eq!(problems[99].message, "bad; and 401 more problems of this element");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_an_error_not_a_loss() {
    let options = Options { spill_dir: "no/such/folder".into(), ..small(0, 1) };
    let (intake, mut draft) = (Intake::new(options), Draft::default());
    intake.read(&mut draft, &Shorts, &Shorts::write(&[span(1, None)]), (0, 0));
    assert!(intake.take(&mut draft).is_err());
}
