//! `junit.xml`: one `<testsuite>` a suite, one `<testcase>` per check and trial, and one per gate rule, so that a tool
//! which reads only JUnit agrees with the exit code.
//!
//! quick-junit knows the format; it holds a report in memory, so test cases are handed to it in portions and what it
//! writes for a portion is copied out. The totals stand in front of the test cases, which therefore wait in a
//! temporary file.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Drawn, Sink};
use crate::eval::event::{CheckPlan, LeftOutEvent, SessionEvent, SuitePlan};
use crate::eval::gate::{Decision, SuiteSummary};
use crate::model::{Level, Status, SubjectFinding, SubjectRef, Verdict};

/// Test cases given to quick-junit at a time.
const PORTION: usize = 512;

/// Longest message, in characters.
const MAX_MESSAGE: usize = 1000;

/// Draws a run as JUnit.
pub struct JUnit<'d, W: Write> {
    drawn: Drawn<'d>,
    out: W,
    body: BufWriter<File>,
    suites: Vec<Totals>,
    portion: Vec<TestCase>,
    trials: HashSet<u64>,
}

/// Counts of one suite and where its test cases lie in the temporary file.
#[derive(Default, Clone, Copy)]
struct Totals {
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
    bytes: u64,
}

impl<'d, W: Write> JUnit<'d, W> {
    /// A report to be written to `out`.
    pub fn new(drawn: Drawn<'d>, out: W) -> io::Result<Self> {
        let body = BufWriter::with_capacity(1 << 18, tempfile::tempfile()?);
        Ok(Self { drawn, out, body, suites: Vec::new(), portion: Vec::new(), trials: HashSet::new() })
    }

    fn plan(&self) -> Option<(&'d SuitePlan, &'d SuiteSummary)> {
        let index = self.suites.len().checked_sub(1)?;
        Some((self.drawn.plan.suites.get(index)?, self.drawn.summary.suites.get(index)?))
    }

    fn case(&mut self, class: String, name: String, status: TestCaseStatus) -> io::Result<()> {
        if let Some(totals) = self.suites.last_mut() {
            totals.tests += 1;
            match &status {
                TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. } => totals.failures += 1,
                TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, .. } => totals.errors += 1,
                TestCaseStatus::Skipped { .. } => totals.skipped += 1,
                TestCaseStatus::Success { .. } => {}
            }
        }
        let mut case = TestCase::new(safe(&name), status);
        case.set_classname(safe(&class));
        self.portion.push(case);
        if self.portion.len() >= PORTION { self.flush() } else { Ok(()) }
    }

    /// Has the waiting test cases written and copies them to the temporary file.
    fn flush(&mut self) -> io::Result<()> {
        if self.portion.is_empty() {
            return Ok(());
        }
        let mut suite = TestSuite::new("");
        suite.add_test_cases(self.portion.drain(..));
        let mut report = Report::new("");
        report.add_test_suite(suite);
        let text = report.to_string().map_err(io::Error::other)?;
        // What stands between the suite's own tags. Content cannot hold these: in it, `<` is escaped.
        let start = text.find("<testcase").unwrap_or(text.len());
        let end = text.rfind("</testsuite>").unwrap_or(text.len());
        let inner = text.get(start..end).unwrap_or_default().trim_end();
        self.body.write_all(b"        ")?;
        self.body.write_all(inner.as_bytes())?;
        self.body.write_all(b"\n")?;
        if let Some(totals) = self.suites.last_mut() {
            totals.bytes += inner.len() as u64 + 9;
        }
        Ok(())
    }

    /// The test cases that are about a suite as a whole: checks applied to nothing, missing cases, system checks,
    /// gate rules.
    fn close_suite(&mut self) -> io::Result<()> {
        let Some((plan, summary)) = self.plan() else { return Ok(()) };
        for (check, seen) in plan.checks.iter().zip(&summary.checks).filter(|(c, _)| !c.inactive) {
            let class = format!("{}.{}", plan.name, check.level.name());
            if check.level == Level::System {
                let status = if !seen.exercised {
                    unexercised(check)
                } else if seen.error > 0 {
                    non_success(check, NonSuccessKind::Error, &seen.reason)
                } else if seen.fail > 0 {
                    non_success(check, NonSuccessKind::Failure, &seen.reason)
                } else {
                    TestCaseStatus::success()
                };
                self.case(class, check.id.clone(), status)?;
            } else if !seen.exercised {
                self.case(class, check.id.clone(), unexercised(check))?;
            } else if !seen.reason.is_empty() {
                self.case(class, check.id.clone(), non_success(check, NonSuccessKind::Error, &seen.reason))?;
            }
        }
        for case in &summary.missing {
            let allowed = rule_passed(summary, "missing_cases");
            let why = "no recorded session, or fewer trials than wanted";
            let status = if allowed { tolerated(why) } else { failed(NonSuccessKind::Error, why) };
            self.case(format!("{}.session", plan.name), format!("recorded [{case}]"), status)?;
        }
        for rule in &summary.rules {
            let status = match rule.decision {
                Decision::Passed => TestCaseStatus::success(),
                Decision::Failed => failed(NonSuccessKind::Failure, &rule.reason),
                Decision::Held | Decision::Inconclusive | Decision::Unmeasured => {
                    failed(NonSuccessKind::Error, &rule.reason)
                }
            };
            self.case(format!("{}.gate", plan.name), rule.rule.clone(), status)?;
        }
        self.flush()
    }

    /// A name for the session's trial, unique within the suite together with the case: readers such as GitLab keep
    /// only one of several test cases with the same name.
    fn trial(&mut self, event: &SessionEvent<'_>) -> String {
        let label = event.trial.as_ref().map_or_else(|| event.id.to_string(), ToString::to_string);
        let mut n = 1;
        loop {
            let label = if n == 1 { label.clone() } else { format!("{label} ({n})") };
            let mut hash = DefaultHasher::new();
            (event.case.as_str(), &label).hash(&mut hash);
            if self.trials.insert(hash.finish()) {
                return label;
            }
            n += 1;
        }
    }
}

impl<W: Write> Sink for JUnit<'_, W> {
    fn suite(&mut self, _index: usize) -> io::Result<()> {
        self.close_suite()?;
        self.trials.clear();
        self.suites.push(Totals::default());
        Ok(())
    }

    fn session(&mut self, event: &SessionEvent<'_>) -> io::Result<()> {
        let Some((plan, summary)) = self.plan() else { return Ok(()) };
        let trial = self.trial(event);
        let excuse = excuse(plan, summary, event);
        for verdict in &event.verdicts {
            let Some(check) = plan.checks.get(verdict.check as usize) else { continue };
            let name = format!("{} [{} #{trial}]", check.id, event.case);
            let status = status(check, verdict, &excuse);
            self.case(format!("{}.{}", plan.name, check.level.name()), name, status)?;
        }
        Ok(())
    }

    fn left_out(&mut self, event: &LeftOutEvent) -> io::Result<()> {
        let Some((plan, summary)) = self.plan() else { return Ok(()) };
        use crate::model::LeftOut::{Duplicate, Filtered};
        let what = event.id.clone().unwrap_or_else(|| format!("element {}", event.at.1));
        let name = format!("read [{} {what} #{}]", event.file, event.at.1);
        let message = format!("{}: {}", event.kind.name(), event.message);
        let status = match event.kind {
            Filtered => return Ok(()),
            Duplicate => skipped(&message),
            _ if rule_passed(summary, "left_out") => tolerated(&message),
            _ => failed(NonSuccessKind::Error, &message),
        };
        self.case(format!("{}.recording", plan.name), name, status)
    }

    fn end(&mut self) -> io::Result<()> {
        self.close_suite()?;
        self.body.flush()?;
        let body = self.body.get_mut();
        body.seek(SeekFrom::Start(0))?;
        let sum = |f: fn(&Totals) -> u64| self.suites.iter().map(f).sum::<u64>();
        let counts = |tests, failures, errors, skipped| {
            format!("tests=\"{tests}\" skipped=\"{skipped}\" failures=\"{failures}\" errors=\"{errors}\"")
        };
        let total = counts(sum(|t| t.tests), sum(|t| t.failures), sum(|t| t.errors), sum(|t| t.skipped));
        writeln!(self.out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"seatrial\" {total}>")?;
        for (suite, totals) in self.drawn.plan.suites.iter().zip(&self.suites) {
            let name = quick_xml::escape::escape(safe(&suite.name)).into_owned();
            let total = counts(totals.tests, totals.failures, totals.errors, totals.skipped);
            writeln!(self.out, "    <testsuite name=\"{name}\" {total}>")?;
            io::copy(&mut Read::by_ref(body).take(totals.bytes), &mut self.out)?;
            writeln!(self.out, "    </testsuite>")?;
        }
        writeln!(self.out, "</testsuites>")?;
        self.out.flush()
    }
}

/// What the gate forgives in a session: `None` for a status means it does not.
struct Excuse {
    failures: Option<String>,
    errors: bool,
}

fn excuse(plan: &SuitePlan, summary: &SuiteSummary, event: &SessionEvent<'_>) -> Excuse {
    let expected =
        plan.cases.iter().flatten().find(|c| c.id == event.case.as_str()).and_then(|c| c.expected_fail.as_ref());
    // What the gate allowed is no failure of the run: JUnit must say what the exit code says.
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

fn status(check: &CheckPlan, verdict: &Verdict, excuse: &Excuse) -> TestCaseStatus {
    let message = || message(verdict);
    match verdict.status {
        Status::Pass => TestCaseStatus::success(),
        Status::Held => skipped("held for review"),
        Status::Skip => skipped(&message()),
        Status::Fail | Status::Error if !check.severity.blocks() => tolerated(&message()),
        Status::Fail => match &excuse.failures {
            Some(why) => tolerated(&format!("{why}: {}", message())),
            None => failed(NonSuccessKind::Failure, &message()),
        },
        Status::Error if excuse.errors => tolerated(&message()),
        Status::Error => failed(NonSuccessKind::Error, &message()),
    }
}

/// The reasons of a verdict with the places they point at.
pub fn message(verdict: &Verdict) -> String {
    let mut parts = Vec::new();
    if !verdict.reason.is_empty() {
        parts.push(verdict.reason.clone());
    }
    parts.extend(verdict.findings.iter().take(5).map(finding_text));
    let unseen = verdict.findings.len().saturating_sub(5);
    if unseen > 0 {
        parts.push(format!("and {unseen} more"));
    }
    parts.join("; ")
}

fn finding_text(finding: &SubjectFinding) -> String {
    let place = match finding.subject {
        SubjectRef::Span(i) => format!("span {i}: "),
        SubjectRef::Turn(i) => format!("turn {}: ", i + 1),
        SubjectRef::Session => String::new(),
    };
    format!("{place}{}", finding.reason)
}

fn unexercised(check: &CheckPlan) -> TestCaseStatus {
    if check.optional {
        skipped("unexercised (optional)")
    } else {
        non_success(check, NonSuccessKind::Error, "unexercised: it was applied to nothing in the whole run")
    }
}

fn non_success(check: &CheckPlan, kind: NonSuccessKind, message: &str) -> TestCaseStatus {
    if check.severity.blocks() { failed(kind, message) } else { tolerated(message) }
}

fn failed(kind: NonSuccessKind, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(cut(message));
    status
}

fn tolerated(message: &str) -> TestCaseStatus {
    skipped(&format!("tolerated: {message}"))
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(cut(message));
    status
}

fn cut(message: &str) -> String {
    let safe = safe(message);
    match safe.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{} ...", &safe[..end]),
        None => safe,
    }
}

/// Replaces what XML forbids (and bidirectional overrides, which could disguise a message) by U+FFFD.
fn safe(text: &str) -> String {
    let allowed = |c: char| {
        matches!(c, '\n' | '\t' | ' '..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
            && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
    };
    text.chars().map(|c| if allowed(c) { c } else { '\u{fffd}' }).collect()
}
