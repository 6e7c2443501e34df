//! What is tried, and what must hold of it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use seatrial::assemble::build::Builder;
use seatrial::assemble::intake::{Draft, Intake, Options};
use seatrial::checks::RULES;
use seatrial::checks::matcher::{ArgsMode, Matcher};
use seatrial::checks::path::Path as JsonPath;
use seatrial::checks::select::Selector;
use seatrial::eval::{bind, evaluate};
use seatrial::formats::{Decode, Decoder, FORMATS, RecordDecoder, otlp, seatrial as own};
use seatrial::model::{Session, digest};
use seatrial::report::transcript::{self, View};
use seatrial::sources::assembled::Recorded;
use seatrial::sources::reader::Reader;
use seatrial::sources::{ReadOptions, RecordedFile};
use seatrial::store::record;
use seatrial::suite::Suite;
use seatrial::suite::filter::{Filter, FilterSubject};
use seatrial::suite::load::{self, Env};

use seatrial::suite::settings::{Flags, Settings, SettingsProblem};
use serde_json::Value;

use super::tree::Syntax;
use super::{corpus, said, stored};

/// What is done with an input.
type Try = Box<dyn Fn(&[u8]) + Send + Sync>;

/// Something that is given inputs.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// How its inputs are written.
    pub syntax: Syntax,
    /// What its inputs begin as.
    pub seeds: Vec<Vec<u8>>,
    /// Tries one. A panic is a finding.
    pub run: Try,
}

/// Every target: a decoder for each format of the registry, and whatever else reads what people wrote.
pub fn all() -> Vec<Target> {
    let mut targets = decoders();
    targets.extend([
        target("file", Syntax::Lines, files(), file),
        target("suite", Syntax::Toml, suites(), suite),
        target("settings", Syntax::Toml, whole_settings(), settings),
        target("cases.jsonl", Syntax::Lines, strings(CASE_LINES), |t| cases("jsonl", t)),
        target("cases.csv", Syntax::Bytes, strings(CASE_TABLES), |t| cases("csv", t)),
        target("cases.adk", Syntax::Json, adk_cases(), |t| cases("evalset.json", t)),
        target("policies", Syntax::Bytes, policies(), with_policies),
        target("record", Syntax::Lines, records(), run_record),
        target("path", Syntax::Bytes, strings(PATHS), path),
        target("matcher", Syntax::Json, strings(MATCHERS), matcher),
        target("selector", Syntax::Json, strings(SELECTORS), selector),
        target("filter", Syntax::Bytes, strings(FILTERS), filter),
    ]);
    targets.extend(said::all());
    targets.extend(stored::all());
    targets
}

/// A target.
pub fn target(
    name: &'static str,
    syntax: Syntax,
    seeds: Vec<Vec<u8>>,
    run: impl Fn(&[u8]) + Send + Sync + 'static,
) -> Target {
    Target { name, syntax, seeds, run: Box::new(run) }
}

fn strings(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|t| t.as_bytes().to_vec()).collect()
}

thread_local! {
    static FOLDER: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
}

/// A file of this thread's own with the input in it.
pub fn written(name: &str, input: &[u8]) -> PathBuf {
    FOLDER.with_borrow_mut(|folder| {
        let path = folder.get_or_insert_with(|| tempfile::tempdir().unwrap()).path().join(name);
        std::fs::write(&path, input).unwrap();
        path
    })
}

/// Loads the suite in a file; the problems are drawn.
fn load(path: PathBuf) -> Vec<Suite> {
    let kit = Arc::default();
    let env = Env {
        kit: &kit,
        vars: &|_| None,
        subject: None,
        redact: &Default::default(),
        sessions: None,
        place: seatrial::suite::RunsIn::Gate,
        every: None,
    };
    match load::load(&[path], &env) {
        Ok(loaded) => {
            loaded.warnings.render(false);
            loaded.suites
        }
        Err(problems) => {
            assert!(!problems.is_empty() && !problems.render(false).is_empty(), "no suite, and nothing says why");
            Vec::new()
        }
    }
}

/// Judges a session by a suite.
fn judge(suite: &Suite, session: &Session<'_>) {
    if let Ok(bound) = bind::bind(suite, session) {
        let evaluated = evaluate::evaluate(
            suite,
            session,
            &bound,
            &|_| true,
            &seatrial::checks::asking::Nobody,
            None,
            &seatrial::model::digest::Digest::of(b"fuzz"),
        );
        assert!(!evaluated.panicked, "a check panicked: {}", evaluate::last_panic());
    }
}

fn decoders() -> Vec<Target> {
    let judging = load(corpus::here("tests/fuzz/every-check.toml"));
    assert!(!judging.is_empty(), "the suite of every check does not load");
    let judging: Arc<[Suite]> = judging.into();
    let mut corpus = corpus::elements();
    let of_format = |name: &'static str| {
        let at = corpus.iter().position(|e| e.format == name);
        let found = corpus.remove(at.unwrap_or_else(|| panic!("no element of {name} to begin with")));
        let judging = judging.clone();
        let binary = found.elements.iter().any(|e| e.first().is_some_and(|b| *b < b' '));
        let syntax = if binary { Syntax::Bytes } else { Syntax::Json };
        let run = move |input: &[u8]| match &found.decoder {
            Decode::Sessions(decoder) => one_session(&**decoder, input, &judging),
            Decode::Records(decoder) => all_records(&**decoder, input, &judging),
        };
        target(name, syntax, found.elements, run)
    };
    FORMATS.iter().map(|f| f.name()).map(of_format).collect()
}

fn one_session(decoder: &dyn Decoder, input: &[u8], judging: &[Suite]) {
    match decoder.decode(input, 0, "fuzz") {
        Ok(session) => look_at(&session, input, judging),
        Err(problem) => assert!(!problem.message.is_empty()),
    }
}

/// Takes the records in and puts them together.
fn all_records(decoder: &dyn RecordDecoder, input: &[u8], judging: &[Suite]) {
    let intake = Intake::new(Options::default());
    let mut draft = Draft::default();
    intake.read(&mut draft, decoder, input, (0, 0));
    intake.take(&mut draft).unwrap();
    let mut settled = intake.settle(&|| false).unwrap();
    let builder = Builder::default();
    while let Some(portion) = settled.next_portion().unwrap() {
        let sessions = portion.bring_together(Vec::new());
        for range in sessions.items.into_iter().flatten() {
            if let Ok(session) = builder.decode(&sessions.buffer[range], 0, "fuzz") {
                look_at(&session, input, judging);
            }
        }
    }
}

/// What is read can be written and read back as the same, drawn, sent on and judged.
fn look_at(session: &Session<'_>, input: &[u8], judging: &[Suite]) {
    let mut line = Vec::new();
    own::write(session, &mut line).expect("a session can be written");
    let again: Session<'_> = serde_json::from_slice(&line).expect("what was written can be read");
    if digest::session(&again) != digest::session(session) {
        panic!("what was written is another session: {again:?} for {session:?}");
    }
    // The rest costs more than reading does.
    if input.iter().fold(0u8, |sum, b| sum.wrapping_add(*b)) % 4 > 0 {
        return;
    }
    for full in [false, true] {
        let drawn = transcript::session(session, &View { full, ..View::new(60, full) });
        assert!(full || !drawn.chars().any(|c| c.is_control() && c != '\n'), "a control character is drawn");
    }
    otlp::write(session, &mut Vec::new()).expect("a session can be sent on");
    judging.iter().for_each(|suite| judge(suite, session));
}

/// A whole file: told apart, unpacked, split, decoded, put together.
fn file(input: &[u8]) {
    let path = written("input", input);
    let options = ReadOptions {
        max_element: 1 << 20,
        max_expansion: 100,
        free_expansion: 1 << 20,
        batch: 4000,
        ..ReadOptions::default()
    };
    let reader = Reader::new(vec![RecordedFile { path, name: "input".into() }], options);
    let mut recorded = Recorded::new(reader, Options::default());
    let mut buffer = Vec::new();
    while let Some(batch) = recorded.next(std::mem::take(&mut buffer)).unwrap() {
        for element in &batch.elements {
            if let (Ok(range), Some(decoder)) = (&element.content, &batch.decoder) {
                let _ = decoder.decode(&batch.buffer[range.clone()], element.index, &batch.stem);
            }
        }
        buffer = batch.buffer;
    }
}

/// Recordings plain and packed.
fn files() -> Vec<Vec<u8>> {
    let plain = corpus::recordings();
    let packed: Vec<Vec<u8>> = plain.iter().filter_map(|bytes| zstd::encode_all(&bytes[..], 1).ok()).collect();
    let gz = |bytes: &Vec<u8>| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut out, bytes).ok()?;
        out.finish().ok()
    };
    let gz: Vec<Vec<u8>> = plain.iter().filter_map(gz).collect();
    [plain, packed, gz].concat()
}

/// A suite: every problem is told, and what loads can judge.
fn suite(input: &[u8]) {
    for suite in load(written("suite.toml", input)) {
        for text in SESSIONS {
            judge(&suite, &serde_json::from_str(text).expect("a session"));
        }
    }
}

/// The project's suites, and the example of every rule.
fn suites() -> Vec<Vec<u8>> {
    let examples = RULES.iter().flat_map(|rule| rule.examples).map(|e| format!("[suite]\nname = \"s\"\n{}", e.check));
    let more = strings(SUITES);
    [corpus::texts(&["suites", "tests/fuzz"], "toml"), examples.map(String::into_bytes).collect(), more].concat()
}

fn settings(input: &[u8]) {
    match resolved(input) {
        Ok(settings) => settings.write_table(&mut Vec::new()).expect("settings can be drawn"),
        Err(problems) => assert!(!problems.is_empty(), "refused, and nothing says why"),
    }
}

fn resolved(input: &[u8]) -> Result<Settings, Vec<SettingsProblem>> {
    let path = written("seatrial.toml", input);
    let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
    Settings::resolve(&Flags { config: Some(path), ..Flags::default() }, &|_| None, &folder)
}

/// What the inputs begin as, which is taken: else no more of it would be read than what is wrong.
fn whole_settings() -> Vec<Vec<u8>> {
    let all = strings(SETTINGS);
    for text in &all {
        if let Err(problems) = resolved(text) {
            panic!("{problems:?}");
        }
    }
    all
}

fn cases(extension: &str, input: &[u8]) {
    written(&format!("cases.{extension}"), input);
    let text = format!("[suite]\nname = \"s\"\ncases = \"cases.{extension}\"\n{BY_REFERENCE}");
    for suite in load(written("of-cases.toml", text.as_bytes())) {
        for text in SESSIONS {
            judge(&suite, &serde_json::from_str(text).expect("a session"));
        }
    }
}

fn with_policies(input: &[u8]) {
    written("p.cedar", input);
    let check = "[[span]]\nid = \"gate\"\ncheck = \"cedar\"\npolicies = \"p.cedar\"\n";
    for suite in load(written("of-policies.toml", format!("[suite]\nname = \"s\"\n{check}").as_bytes())) {
        for text in SESSIONS {
            judge(&suite, &serde_json::from_str(text).expect("a session"));
        }
    }
}

fn run_record(input: &[u8]) {
    let path = written("run.jsonl", input);
    let _ = record::plan(&path);
    let _ = record::read(&path, |_| {});
}

fn path(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(path) = JsonPath::parse(text) else { return };
    let value: Value = serde_json::from_str(VALUE).expect("a value");
    let (selected, located) = (path.select(&value), path.locate(&value));
    assert_eq!(selected.len(), located.len(), "{text}");
    for (pointer, found) in located {
        assert_eq!(value.pointer(&pointer), Some(found), "{text}: {pointer}");
    }
}

/// A matcher says what it matches, and means the same when it is written out.
fn matcher(input: &[u8]) {
    let Ok(matcher) = serde_json::from_slice::<Matcher>(input) else { return };
    // A literal is written as it is, which is what templates see; it may look like a matcher then.
    let quoted = input.windows(4).any(|w| w == b"$eq\"");
    let again: Option<Matcher> = serde_json::from_value(matcher.to_value()).ok().filter(|_| !quoted);
    let values: Vec<Value> = MATCHERS.iter().filter_map(|v| serde_json::from_str(v).ok()).collect();
    for value in &values {
        let matches = matcher.matches(Some(value));
        if let Some(again) = &again {
            assert_eq!(again.matches(Some(value)), matches, "{} of {value}", matcher.to_value());
        }
        for mode in [ArgsMode::Exact, ArgsMode::Partial, ArgsMode::Superset, ArgsMode::Subset, ArgsMode::Ignore] {
            matcher.matches_args(value, mode);
        }
    }
}

/// A selector that is written out is read back as the same.
fn selector(input: &[u8]) {
    let Ok(selector) = serde_json::from_slice::<Selector>(input) else { return };
    let written = serde_json::to_value(&selector).expect("a selector can be written");
    let again: Selector = serde_json::from_value(written.clone()).expect("what was written can be read");
    assert_eq!(serde_json::to_value(again).expect("and written again"), written);
}

fn filter(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(filter) = Filter::parse(text) {
        let _ = filter.matches(&FilterSubject::suite("s", &[]));
    }
}

/// The record of a run of the project's own, in pieces.
fn records() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_seatrial"));
    let suites = ["suites/gateway.toml", "suites/ferry.toml", "suites/handover.toml"];
    command.arg("run").args(suites).arg("--quiet").arg("--out").arg(folder.path()).current_dir(corpus::here(""));
    let ran = command.output().expect("the binary runs");
    let text =
        std::fs::read_to_string(folder.path().join("latest/run.jsonl")).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    let lines: Vec<&str> = text.lines().collect();
    let (head, rest) = lines.split_at(lines.len().min(3));
    rest.chunks(4).map(|some| [head, some].concat().join("\n").into_bytes()).filter(|t| t.len() < 60_000).collect()
}

fn adk_cases() -> Vec<Vec<u8>> {
    vec![std::fs::read(corpus::here("tests/samples/adk.evalset.json")).expect("the sample")]
}

fn policies() -> Vec<Vec<u8>> {
    corpus::texts(&["suites"], "cedar")
}

const SUITES: &[&str] = &[
    "[suite]\nname = \"s\"\ntrials = 2\ntags = [\"t\"]\ntools = [\"f\"]\n[subject]\nagent = \"desk\"\n[recorded]\npaths = [\"x/*.jsonl\"]\ncase = \"n\"\nmax_age = \"24h\"\n\
     [defaults.contains]\nignore_case = true\n[[case]]\nid = \"c\"\nuser = [\"q\"]\nweight = 2\n[case.reference]\ntools = [{ name = \"f\", args = { x = { \"$gte\" = 1 } } }]\n\
     facts = [[\"one\", \"two\"]]\nstate = { \"a.b\" = 1 }\n[[case.check]]\nlevel = \"session\"\nid = \"k\"\ncheck = \"contains\"\nvalue = \"{{ case.id }}\"\n\
     [[case]]\nid = \"d\"\nskip = \"r\"\n[[case.turn]]\nuser = \"q\"\n[case.turn.reference]\nanswer = \"a\"\n[gate]\npass_rate = { min = 0.9, confidence = 0.95 }\n\
     reliability = { k = 2, min = 0.6 }\nmax_error_rate = 0.0\n[[gate.group]]\ntag = \"t\"\npass_rate = { min = 1.0 }\n",
];
const SETTINGS: &[&str] = &[
    "jobs = 2\nkeep = \"all\"\nmax_session_bytes = \"1MiB\"\nspill_after = \"2MiB\"\n[profile.ci]\nfail_fast = true\n\
     [detectors.badge]\npattern = \"B-[0-9]+\"\n[prices]\n\"m*\" = { input = 1.5, output = 2 }\n",
    "progress = \"never\"\ncolor = \"always\"\nout = \"x\"\njunit = \"j.xml\"\nmax_depth = 7\nmax_expansion = 9\n",
];
const CASE_LINES: &[&str] = &[
    "{\"id\":\"c\",\"user\":[\"q\"],\"tags\":[\"a\"],\"reference\":{\"tools\":[{\"name\":\"f\",\"args\":{\"x\":1}}],\"facts\":[[\"a\",\"b\"]],\"state\":{\"a.b\":1},\"answer\":\"a\"}}\n\
     {\"id\":\"d\",\"skip\":\"later\",\"n\":3}\n{\"id\":\"e\",\"expected_fail\":{\"until\":\"2027-01-31\",\"reason\":\"r\"},\"turn\":[{\"user\":\"q\",\"reference\":{\"answer\":\"a\"}}]}\n",
];
const CASE_TABLES: &[&str] =
    &["id,user,tags,reference.answer,n\nc,q,\"a;b\",\"one, two\",3\nd,\"a \"\"quote\"\"\",,,\n", "id;x\n1;2\n"];
const PATHS: &[&str] = &[
    "order.items[0].price",
    "$.order.items[*].price",
    "a",
    "",
    "$",
    "a[-1]",
    "$..price",
    "$.order.items[?@.price > 1].name",
    "a['b.c'].d",
    "order[\"items\"][1:2]",
    "$['a','b']",
    "$.order.items[?length(@.name) == 1]",
];
const VALUE: &str = r#"{"order":{"items":[{"price":1.5,"name":"x"},{"price":2,"name":"y"}]},"a":[1,[2,3],{"b.c":{"d":null}}],"":{"~/":1}}"#;
const MATCHERS: &[&str] = &[
    r#"{"a":1,"b":[1,{"$any":true}]}"#,
    r#"{"$matches":"^a+$"}"#,
    r#"{"$approx":12.5,"tol":0.01}"#,
    r#"{"$one_of":[1,"x",{"$gte":3}]}"#,
    r#"{"$not":{"$contains":"x"}}"#,
    r#"{"$partial":{"a":{"b":1}}}"#,
    r#"{"$absent":true}"#,
    r#"{"$eq":{"$x":1}}"#,
    r#"{"$lte":1e300}"#,
    "1",
    "1.0",
    "\"1\"",
    "true",
    "null",
    "[]",
    "[[1,2],[3]]",
    "18446744073709551615",
    "-9223372036854775808",
    "\"aaa\"",
];
const SELECTORS: &[&str] = &[
    r#"{"kind":"tool","name":"db*","status":["ok","error"]}"#,
    r#"{"name":["a",{"$not":"b*"}],"attributes":{"x":{"$gte":1},"y":"z?"}}"#,
    r#"{"case":"c","tags":["a","b*"],"user":{"$matches":"u[0-9]"},"index":[1,-1]}"#,
    r#"{"model":{"$one_of":["gpt-*",{"$eq":"a*"}]},"agent":"x"}"#,
];
const FILTERS: &[&str] = &[
    "suite(s) and not tag(slow)",
    "case(=c) or check(/re.*/)",
    "level(span) & (tag(a) | !tag(b))",
    "all()",
    "none()",
    "case(a*) - case(ab)",
];
const BY_REFERENCE: &str = "[[session]]\nid = \"a\"\ncheck = \"trajectory\"\nmode = \"in_order\"\n[[session]]\nid = \"b\"\n\
    check = \"facts\"\n[[session]]\nid = \"c\"\ncheck = \"state\"\n[[turn]]\nid = \"d\"\ncheck = \"contains\"\nvalue = \"{{ case.id }}\"\n";
const SESSIONS: &[&str] = &[
    r#"{"id":"s","case":"c","agent":"desk","user":"u","tags":["a"],"start_ns":1,"end_ns":900,"turns":[{"user":"q","reply":"one two","start_ns":1,"end_ns":800,"spans":[{"id":"1","kind":"llm","name":"chat","model":"gpt-4o","usage":{"input":3,"output":4},"start_ns":2,"end_ns":9,"output":"one two"},{"id":"2","kind":"tool","name":"f","input":{"x":1,"list":["a",2.5,null]},"output":"{\"ok\":true}","status":"ok"}]}],"state":{"a":{"b":1}},"initial_state":{"a":{}},"reward":1.0,"rating":4.5,"escalated":false,"attributes":{"n":1.5}}"#,
    r#"{"id":"d","turns":[{}]}"#,
    r#"{"id":"e","turns":[{"spans":[{"id":"1","kind":"llm","name":"chat"}]},{"user":"x","reply":"4111 1111 1111 1111 a@b.example"}]}"#,
];
