//! `junit.xml`: one `<testsuite>` a suite, one `<testcase>` per check and trial, and one per gate rule, so that a tool
//! which reads only JUnit agrees with the exit code.
//!
//! GitLab's own parser knows `classname`, `name`, `time` and `file` of a test case and shows the text of what did not pass;
//! Jenkins and others show `message`. So both are written: `message` is the beginning, the text is the whole. GitLab
//! refuses a file of more than 30 MB, and a `type` that it takes for one of XML's conversions: none is ever written.
//!
//! The totals stand in front of the test cases, and are known after them. So room is left for those of the first suite
//! ([`super::above`]), and the test cases of others wait in a temporary file: a report of a million cases is never in memory,
//! and most are written once. Drawn while the run goes on, it takes for granted that the gate will forgive nothing; where it does
//! ([`JUnit::is_forgiven`]), the report has to be drawn again. quick-junit, which knows the format, would hold it in memory
//! and takes every string through a parser of terminal escapes (half of a whole run, measured); it is what the tests read
//! these reports with.

mod xml;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use super::above::Above;
use super::late::Late;
use super::reasons::message;
use super::{Drawn, Kept, Line, RunSummary, Sink};
use crate::eval::event::{CheckPlan, LeftOutEvent, Plan, SessionEvent, SuiteEnd, SuitePlan};
use crate::eval::gate::{CheckSummary, Decision, SuiteSummary};
use crate::eval::keys::{Keys, key};
use crate::eval::scratch;
use crate::model::{Level, Status, Verdict};
use crate::suite::ExpectedFail;
use xml::escaped;

/// Longest text of a failure or an error, in characters.
const MAX_TEXT: usize = 1000;
/// Longest `message`, in characters: the title over that text.
const MAX_MESSAGE: usize = 200;
/// Bytes of the test cases of other suites that are written at once.
const WRITTEN: usize = 1 << 18;

/// Draws a run as JUnit.
pub struct JUnit<'d> {
    plan: &'d Plan,
    /// What was decided, where the run is over.
    decided: Option<&'d RunSummary>,
    /// The test cases of the first suite; what stands above them is known after them.
    first: Above,
    /// The test cases of other suites, once there is one.
    others: Option<BufWriter<File>>,
    line: Vec<u8>,
    suites: Vec<Totals>,
    /// By check of the suite, how the line of a test case begins: up to the case in its name.
    heads: Vec<Vec<u8>>,
    /// The names of the current suite.
    names: Keys,
    /// How often one was wanted that was wanted before.
    again: HashMap<u128, u64>,
    /// The cases of the suite that are expected to fail.
    expected: HashMap<&'d str, &'d ExpectedFail>,
}

/// How a test case ended.
enum Outcome {
    Passed,
    /// The tag of an unhappy end, and its message.
    Not(&'static str, String),
}

const FAILURE: &str = "failure";
const ERROR: &str = "error";
const SKIPPED: &str = "skipped";

/// Counts of one suite and where its test cases lie in the temporary file.
#[derive(Default, Clone, Copy)]
struct Totals {
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
    bytes: u64,
    /// Some of the failures, of the errors, of what was left out might have been forgiven.
    forgivable: [bool; 3],
}

impl Totals {
    /// Ends the line of a test case, and counts it.
    fn close(&mut self, line: &mut Vec<u8>, outcome: Outcome) {
        self.tests += 1;
        match outcome {
            Outcome::Passed => line.extend_from_slice(b"\"/>\n"),
            Outcome::Not(tag, message) => {
                match tag {
                    FAILURE => self.failures += 1,
                    ERROR => self.errors += 1,
                    _ => self.skipped += 1,
                }
                line.extend_from_slice(b"\">");
                unhappy(line, tag, &message);
                line.extend_from_slice(b"</testcase>\n");
            }
        }
    }

    /// The test cases that are about a suite as a whole: checks applied to nothing, missing cases, system checks,
    /// gate rules.
    fn whole(&mut self, plan: &SuitePlan, summary: &SuiteSummary) -> Vec<u8> {
        let mut lines = Vec::new();
        let mut case = |level: &str, name: &str, outcome: Outcome| {
            head(&mut lines, &plan.name, level, name);
            self.close(&mut lines, outcome);
        };
        // What one shard says of a check is not what the run says of it.
        let decided = summary.decision != Decision::Deferred;
        for (check, seen) in plan.checks.iter().zip(&summary.checks).filter(|(c, _)| decided && !c.inactive) {
            let level = check.level.name();
            // An error of the check itself is neither a verdict nor excused by `optional`.
            if let Some(why) = &seen.invalid {
                case(level, &check.id, non_success(check, ERROR, why));
            } else if check.level == Level::System {
                let status = if !seen.exercised {
                    unexercised(check, seen)
                } else if seen.held > 0 {
                    skipped("held for review")
                } else if seen.error > 0 && seen.only_reports() {
                    tolerated(&seen.reason)
                } else if seen.error > 0 {
                    non_success(check, ERROR, &seen.reason)
                } else if seen.fail > 0 {
                    non_success(check, FAILURE, &seen.reason)
                } else {
                    Outcome::Passed
                };
                case(level, &check.id, status);
            } else if !seen.exercised {
                case(level, &check.id, unexercised(check, seen));
            }
        }
        for id in &summary.missing {
            let allowed = rule_passed(summary, "missing_cases");
            let why = "no recorded session, or fewer trials than wanted";
            let status = if allowed { tolerated(why) } else { failed(ERROR, why) };
            case("session", &format!("recorded [{id}]"), status);
        }
        for id in &summary.flaky {
            case("session", &format!("flaky [{id}]"), skipped("flaky: its trials disagree"));
        }
        for rule in &summary.rules {
            let status = match rule.decision {
                Decision::Passed => Outcome::Passed,
                Decision::Deferred => skipped(rule.reason.as_str()),
                Decision::Failed => failed(FAILURE, rule.reason.as_str()),
                Decision::Held | Decision::Inconclusive | Decision::Unmeasured => failed(ERROR, rule.reason.as_str()),
            };
            case("gate", &rule.rule, status);
        }
        lines
    }
}

impl<'d> JUnit<'d> {
    /// A report to be written to `out`; `decided` where the run is over.
    pub fn new(plan: &'d Plan, decided: Option<&'d RunSummary>, out: Late) -> Self {
        let (names, again, expected) = (Keys::default(), HashMap::new(), HashMap::new());
        let (line, suites, heads) = (Vec::new(), Vec::new(), Vec::new());
        let first = Above::new(out, room(plan));
        Self { plan, decided, first, others: None, line, suites, heads, names, again, expected }
    }

    /// Whether the gate forgives something that was drawn as a failure or an error: then this report must not be ended, but
    /// be drawn again with what was decided.
    pub fn is_forgiven(&self, summary: &RunSummary) -> bool {
        let forgiven = |(totals, suite): (&Totals, &SuiteSummary)| {
            let excuse = excuse(suite, None);
            let forgives = [excuse.failures.is_some(), excuse.errors, rule_passed(suite, "left_out")];
            totals.forgivable.iter().zip(forgives).any(|(any, forgives)| *any && forgives)
        };
        self.decided.is_none() && self.suites.iter().zip(&summary.suites).any(forgiven)
    }

    /// The suite that is drawn, and what was decided of it.
    fn suite_at_hand(&self) -> Option<(&'d SuitePlan, Option<&'d SuiteSummary>)> {
        let index = self.suites.len().checked_sub(1)?;
        Some((self.plan.suites.get(index)?, self.decided.and_then(|d| d.suites.get(index))))
    }

    /// Writes the test case whose line was begun.
    fn write(&mut self, outcome: Outcome) -> io::Result<()> {
        let Some(totals) = self.suites.last_mut() else { return Ok(()) };
        totals.close(&mut self.line, outcome);
        totals.bytes += self.line.len() as u64;
        let line = &self.line[..];
        if self.suites.len() > 1 {
            let others = match &mut self.others {
                Some(others) => others,
                none => none.insert(BufWriter::with_capacity(WRITTEN, scratch::file()?)),
            };
            return others.write_all(line);
        }
        self.first.write_all(line)
    }

    /// A name for the session's trial, unique within the suite together with the case.
    fn trial(&mut self, event: &SessionEvent<'_>) -> io::Result<String> {
        let label = event.trial.as_ref().map_or_else(|| event.id.to_string(), ToString::to_string);
        self.unique(&event.case, label)
    }

    /// A label that nothing else of this kind has in the suite: readers such as GitLab keep only one of several test
    /// cases with the same name.
    fn unique(&mut self, kind: &str, label: String) -> io::Result<String> {
        let wanted = key(&(kind, &label));
        if self.names.insert(wanted)? {
            return Ok(label);
        }
        // Numbered from where the last of the same label ended: many sessions may have the same id.
        let n = self.again.entry(wanted).or_insert(1);
        loop {
            *n += 1;
            let unique = format!("{label} ({n})");
            if self.names.insert(key(&(kind, &unique)))? {
                return Ok(unique);
            }
        }
    }
}

impl Sink for JUnit<'_> {
    fn suite(&mut self, _index: usize) -> io::Result<()> {
        self.names.clear();
        self.again.clear();
        self.suites.push(Totals::default());
        let Some((plan, _)) = self.suite_at_hand() else { return Ok(()) };
        let begun = |check: &CheckPlan| {
            let mut line = Vec::new();
            head(&mut line, &plan.name, check.level.name(), &format!("{} [", check.id));
            line
        };
        self.heads = plan.checks.iter().map(begun).collect();
        let cases = plan.cases.as_deref().unwrap_or_default();
        self.expected = cases.iter().filter_map(|c| Some((c.id.as_str(), c.expected_fail.as_ref()?))).collect();
        Ok(())
    }

    fn session(&mut self, line: &Line<'_>, _: Option<&mut Kept<'_>>) -> io::Result<()> {
        let event = line.event;
        let Some((plan, summary)) = self.suite_at_hand() else { return Ok(()) };
        let trial = self.trial(event)?;
        let excuse = summary.map(|s| excuse(s, self.expected.get(event.case.as_str()).copied())).unwrap_or_default();
        let mut whose = Vec::with_capacity(event.case.len() + trial.len() + 16);
        escaped(&mut whose, &event.case);
        whose.extend_from_slice(b" #");
        escaped(&mut whose, &trial);
        whose.push(b']');
        for verdict in &event.verdicts {
            let index = verdict.check as usize;
            let (Some(check), Some(head)) = (plan.checks.get(index), self.heads.get(index)) else { continue };
            self.line.clear();
            self.line.extend_from_slice(head);
            self.line.extend_from_slice(&whose);
            let outcome = status(check, verdict, &excuse);
            if let (Outcome::Not(tag, _), Some(totals)) = (&outcome, self.suites.last_mut()) {
                totals.forgivable[0] |= *tag == FAILURE;
                totals.forgivable[1] |= *tag == ERROR;
            }
            self.write(outcome)?;
        }
        Ok(())
    }

    fn left_out(&mut self, event: &LeftOutEvent) -> io::Result<()> {
        let Some((plan, summary)) = self.suite_at_hand() else { return Ok(()) };
        use crate::model::LeftOut::{Duplicate, Filtered};
        let what = event.id.clone().unwrap_or_else(|| format!("element {}", event.at.1));
        let label = self.unique("", format!("{} {what} #{}", event.file, event.at.1))?;
        let name = format!("read [{label}]");
        let message = format!("{}: {}", event.kind.name(), event.message);
        let status = match event.kind {
            Filtered => return Ok(()),
            Duplicate => skipped(message),
            _ if summary.is_some_and(|s| rule_passed(s, "left_out")) => tolerated(&message),
            _ => {
                if let Some(totals) = self.suites.last_mut() {
                    totals.forgivable[2] = true;
                }
                failed(ERROR, message)
            }
        };
        self.line.clear();
        head(&mut self.line, &plan.name, "recording", &name);
        self.write(status)
    }

    fn end(&mut self, drawn: Drawn<'_>, _: &[Option<&SuiteEnd>]) -> io::Result<()> {
        let closed = self.suites.iter_mut().zip(drawn.plan.suites.iter().zip(&drawn.summary.suites));
        let whole: Vec<Vec<u8>> = closed.map(|(totals, (plan, summary))| totals.whole(plan, summary)).collect();
        let run = run_as_a_whole(drawn.summary);
        let sum = |f: fn(&Totals) -> u64| self.suites.iter().map(f).sum::<u64>();
        let own = u64::from(run.is_some());
        let all = Totals {
            tests: sum(|t| t.tests) + own,
            failures: sum(|t| t.failures),
            errors: sum(|t| t.errors) + own,
            ..Totals::default()
        };
        let mut others = self.others.take().map(BufWriter::into_inner).transpose()?;
        if let Some(others) = &mut others {
            others.seek(SeekFrom::Start(0))?;
        }
        let mut above = opening(&all);
        let suites: Vec<Totals> = self.suites.clone();
        for ((suite, totals), whole) in drawn.plan.suites.iter().zip(suites).zip(&whole) {
            let begin = begin(&suite.name, &totals);
            match std::mem::take(&mut above) {
                above if !above.is_empty() => self.first.begin([above, begin].concat())?,
                _ => {
                    self.first.write_all(&begin)?;
                    if let Some(others) = &mut others {
                        self.first.file().append(&mut others.take(totals.bytes))?;
                    }
                }
            }
            self.first.write_all(whole)?;
            self.first.write_all(b"    </testsuite>\n")?;
        }
        if !above.is_empty() {
            self.first.begin(above)?;
        }
        if let Some(why) = run {
            let mut suite = begin("seatrial run", &Totals { tests: 1, errors: 1, ..Totals::default() });
            suite.extend_from_slice(b"        <testcase classname=\"seatrial.run\" name=\"complete\">");
            unhappy(&mut suite, ERROR, &why);
            suite.extend_from_slice(b"</testcase>\n    </testsuite>\n");
            self.first.write_all(&suite)?;
        }
        writeln!(self.first, "</testsuites>")?;
        self.first.file().end()
    }
}

/// The room of the longest that may stand above the test cases of the first suite.
fn room(plan: &Plan) -> usize {
    let most = Totals { tests: u64::MAX, failures: u64::MAX, errors: u64::MAX, skipped: u64::MAX, ..Totals::default() };
    let suite = plan.suites.first().map(|suite| begin(&suite.name, &most));
    opening(&most).len() + suite.unwrap_or_default().len()
}

/// What stands above all suites. Jenkins' schema knows no `skipped` there.
fn opening(all: &Totals) -> Vec<u8> {
    let Totals { tests, failures, errors, .. } = all;
    let total = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"seatrial\" {total}>\n").into_bytes()
}

/// Begins a suite.
fn begin(name: &str, totals: &Totals) -> Vec<u8> {
    let Totals { tests, failures, errors, skipped, .. } = totals;
    let mut text = b"    <testsuite name=\"".to_vec();
    escaped(&mut text, name);
    let counts = format!("\" tests=\"{tests}\" skipped=\"{skipped}\" failures=\"{failures}\" errors=\"{errors}\">\n");
    text.extend_from_slice(counts.as_bytes());
    text
}

/// Begins the line of a test case, up to the end of its name.
fn head(line: &mut Vec<u8>, suite: &str, level: &str, name: &str) {
    line.extend_from_slice(b"        <testcase classname=\"");
    escaped(line, suite);
    line.push(b'.');
    escaped(line, level);
    line.extend_from_slice(b"\" name=\"");
    escaped(line, name);
}

/// Why the run did not end with 0 although every gate passed, or there was none: a tool which reads only JUnit must
/// not take it for a success.
fn run_as_a_whole(summary: &RunSummary) -> Option<String> {
    let said = summary.suites.iter().any(|s| !matches!(s.decision, Decision::Passed | Decision::Deferred));
    (summary.exit_code != 0 && !said).then(|| {
        let why = match &summary.stopped {
            Some(why) => why.as_str(),
            None if summary.suites.is_empty() => "nothing was run",
            None => "a bug in seatrial was met",
        };
        format!("{why} (exit code {})", summary.exit_code)
    })
}

/// What the gate forgives in a session: `None` for a status means it does not.
#[derive(Default)]
struct Excuse {
    failures: Option<String>,
    errors: bool,
}

fn excuse(summary: &SuiteSummary, expected: Option<&ExpectedFail>) -> Excuse {
    // What the gate allowed is no failure of the run: JUnit must say what the exit code says.
    if summary.decision == Decision::Deferred {
        return Excuse { failures: Some("`seatrial merge` decides".to_owned()), errors: true };
    }
    let passed = summary.decision == Decision::Passed;
    let failures = match expected {
        Some(expected) if passed => Some(format!("expected to fail until {}: {}", expected.until, expected.reason)),
        _ => passed.then(|| "the gate allows it".to_owned()),
    };
    Excuse { failures, errors: rule_passed(summary, "error_rate") }
}

fn rule_passed(summary: &SuiteSummary, name: &str) -> bool {
    summary.rules.iter().any(|r| r.rule == name && r.decision == Decision::Passed)
}

fn status(check: &CheckPlan, verdict: &Verdict, excuse: &Excuse) -> Outcome {
    let message = || message(verdict);
    match verdict.status {
        Status::Pass => Outcome::Passed,
        Status::Held => skipped("held for review"),
        Status::Skip => skipped(message()),
        Status::Fail | Status::Error if !check.severity.blocks() => tolerated(&message()),
        Status::Fail => match &excuse.failures {
            Some(why) => tolerated(&format!("{why}: {}", message())),
            None => failed(FAILURE, message()),
        },
        Status::Error if excuse.errors => tolerated(&message()),
        Status::Error => failed(ERROR, message()),
    }
}

fn unexercised(check: &CheckPlan, seen: &CheckSummary) -> Outcome {
    const NOTHING: &str = "unexercised: it was applied to nothing in the whole run";
    match check.optional {
        true => skipped("unexercised (optional)"),
        false if seen.only_reports() => tolerated(NOTHING),
        false => non_success(check, ERROR, NOTHING),
    }
}

fn non_success(check: &CheckPlan, kind: &'static str, message: &str) -> Outcome {
    if check.severity.blocks() { failed(kind, message) } else { tolerated(message) }
}

fn failed(kind: &'static str, message: impl Into<String>) -> Outcome {
    Outcome::Not(kind, message.into())
}

fn tolerated(message: &str) -> Outcome {
    Outcome::Not(SKIPPED, format!("tolerated: {message}"))
}

fn skipped(message: impl Into<String>) -> Outcome {
    Outcome::Not(SKIPPED, message.into())
}

/// Adds the element of an unhappy end. Of what was skipped the message is all there is to say.
fn unhappy(line: &mut Vec<u8>, tag: &str, message: &str) {
    line.push(b'<');
    line.extend_from_slice(tag.as_bytes());
    line.extend_from_slice(b" message=\"");
    let text = cut(message, MAX_TEXT);
    if tag == SKIPPED {
        escaped(line, text);
        line.extend_from_slice(b"\"/>");
        return;
    }
    let beginning = cut(text, MAX_MESSAGE);
    let start = line.len();
    escaped(line, beginning);
    let end = line.len();
    line.extend_from_slice(b"\">");
    // The text begins as the message does.
    line.extend_from_within(start..end);
    escaped(line, &text[beginning.len()..]);
    line.extend_from_slice(b"</");
    line.extend_from_slice(tag.as_bytes());
    line.push(b'>');
}

/// The first part of a message, cut at a character.
fn cut(message: &str, most: usize) -> &str {
    // Nearly always these are bytes, too.
    match message.as_bytes().get(..most) {
        None => return message,
        Some(first) if first.is_ascii() => return &message[..most],
        Some(_) => {}
    }
    message.char_indices().nth(most).map_or(message, |(end, _)| &message[..end])
}
