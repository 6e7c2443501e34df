//! One session against one suite: every check on every subject it selects, rolled up.

use std::cell::{OnceCell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::bind::Bound;
use super::rollup::RollUp;
use crate::checks::asking::{Answer, Edge, Need, Subject, settle};
use crate::checks::select::Selector;
use crate::checks::subject::{Scene, SessionSubject, SpanSubject, TurnSubject};
use crate::checks::withheld::{self, Parts, Reads};
use crate::checks::{Compiled, context};
use crate::model::digest::{Builder, Digest};
use crate::model::{Finding, Level, Session, Status, SubjectRef, Tally, Verdict};
use crate::suite::review::Around;
use crate::suite::{CheckDef, Program, Suite};

/// The verdicts of one session, and whether a check panicked.
pub struct Evaluated {
    /// One per check that had a subject, by position of the check.
    pub verdicts: Vec<Verdict>,
    /// A check panicked; its verdict is an error and the run ends with exit code 70.
    pub panicked: bool,
}

/// Applies the checks for which `active` holds to one session.
/// What a check asks for, `edge` answers. `shown` is the session as models may see it, where that is not as it was;
/// `digest` is that of the session, by which its verdicts are known to the people who decide over them.
pub fn evaluate(
    suite: &Suite,
    session: &Session<'_>,
    bound: &Bound<'_>,
    active: &dyn Fn(usize) -> bool,
    edge: &dyn Edge,
    shown: Option<&Session<'_>>,
    digest: &Digest,
) -> Evaluated {
    let applies = |index: usize, check: &CheckDef| {
        check.level != Level::System && active(index) && check.case.is_none_or(|c| Some(c) == bound.case_index)
    };
    let checks = suite.checks.iter().enumerate().filter(|(i, c)| applies(*i, c));
    if let Some(reason) = &bound.error {
        return uniform(checks, Status::Error, reason);
    }
    if let Some(reason) = bound.case.and_then(|c| c.skip.as_ref()) {
        return uniform(checks, Status::Skip, reason);
    }
    let once = OnceCell::new();
    let case: &dyn Fn() -> Option<Digest> = &|| *once.get_or_init(|| bound.case_digest());
    match shown {
        None => with_scene(session, bound, |scene| {
            each_check(checks, &Views { suite, digest, case, scene, shown: None }, edge)
        }),
        Some(shown) => with_scene(shown, &bound.of(shown), |shown| {
            with_scene(session, bound, |scene| {
                each_check(checks, &Views { suite, digest, case, scene, shown: Some(shown) }, edge)
            })
        }),
    }
}

/// Whether the `on` of a system check selects a session. `Err` says why nobody can tell.
pub fn selects(check: &CheckDef, session: &Session<'_>, bound: &Bound<'_>) -> Result<bool, String> {
    if !session.redacted.is_empty()
        && let Some(why) = withheld::unknown(session, SubjectRef::Session, check.on.reads())
    {
        return Err(why);
    }
    with_scene(session, bound, |scene| Ok(check.on.resolve(|| scene.context().clone())?.session(scene)))
}

/// The session with its case, as subjects are drawn from it.
fn with_scene<T>(session: &Session<'_>, bound: &Bound<'_>, f: impl FnOnce(&Scene<'_>) -> T) -> T {
    let context = OnceCell::new();
    let make_context = || bound.context(session);
    f(&Scene {
        session,
        case_id: &bound.case_id,
        tags: &bound.tags,
        expected: &bound.expected,
        turn_expected: &bound.turn_expected,
        earlier: bound.earlier,
        context: &context,
        make_context: &make_context,
    })
}

/// The edge as one check asks it.
struct By<'e> {
    edge: &'e dyn Edge,
    check: u32,
}

impl Edge for By<'_> {
    fn answer(&self, need: &Need) -> Answer {
        self.edge.answer_for(need, self.check)
    }
}

/// A session as checks look at it.
struct Views<'v> {
    suite: &'v Suite,
    /// Of the session, before redaction.
    digest: &'v Digest,
    /// That of what the suite says of the case.
    case: &'v dyn Fn() -> Option<Digest>,
    scene: &'v Scene<'v>,
    /// As models may see it, where that is not as it was.
    shown: Option<&'v Scene<'v>>,
}

fn each_check<'c>(
    checks: impl Iterator<Item = (usize, &'c CheckDef)>,
    views: &Views<'_>,
    edge: &dyn Edge,
) -> Evaluated {
    let mut out = Evaluated { verdicts: Vec::new(), panicked: false };
    for (index, check) in checks {
        let mut rolled = RollUp::default();
        let edge = &By { edge, check: index as u32 };
        let ran = catch_unwind(AssertUnwindSafe(|| apply(check, views, edge, &mut rolled)));
        if ran.is_err() {
            out.panicked = true;
            rolled.add(
                SubjectRef::Session,
                Finding::error(format!("a bug in seatrial: the check panicked: {}", last_panic())),
            );
        }
        out.verdicts.extend(rolled.verdict(index as u32, check.require));
    }
    out
}

/// The same verdict of every check: the session as a whole could not be measured, or is skipped.
fn uniform<'c>(checks: impl Iterator<Item = (usize, &'c CheckDef)>, status: Status, reason: &str) -> Evaluated {
    let verdict = |index: usize| {
        let mut subjects = Tally::default();
        subjects.add(status);
        Verdict {
            check: index as u32,
            status,
            subjects,
            score: None,
            confidence: 1.0,
            reason: reason.to_owned(),
            findings: Vec::new(),
        }
    };
    Evaluated { verdicts: checks.map(|(i, _)| verdict(i)).collect(), panicked: false }
}

/// Applies one check to every subject it selects.
fn apply(check: &CheckDef, views: &Views<'_>, edge: &dyn Edge, rolled: &mut RollUp) {
    let scene = views.scene;
    let on = match check.on.resolve(|| scene.context().clone()) {
        Ok(on) => on,
        Err(_) if unasked(check, views, None).is_some() => {
            return rolled.add(SubjectRef::Session, Finding::skip(unasked(check, views, None).unwrap_or_default()));
        }
        // Without a selector nobody can say what the subjects are, not even that there are none.
        Err(why) => return rolled.add(SubjectRef::Session, Finding::error(why)),
    };
    // Of a session that something was taken out of, not all is known.
    let flagged = !scene.session.redacted.is_empty();
    let selecting = if flagged { check.on.reads() } else { Parts::NONE };
    let unselected = |at| withheld::unknown(scene.session, at, selecting);
    let judge = |at, subject: Subject<'_>| {
        if let Some(why) = unasked(check, views, Some(&subject)) {
            return Finding::skip(why);
        }
        let mut finding = judged(check, at, subject, views.shown, edge);
        if let Some(review) = &check.review {
            review.of(
                &mut finding,
                &Around {
                    suite: &views.suite.name,
                    check: &check.digest,
                    severity: check.severity,
                    session: views.digest,
                    tags: scene.tags,
                    at,
                    subject: &subject,
                },
            );
        }
        if let Some(routed) = &mut finding.routed {
            routed.case_digest = told((views.case)(), beside(check, &subject));
        }
        finding
    };
    match check.level {
        Level::Span => {
            for_each_span(scene, |subject| {
                let at = SubjectRef::Span(subject.ordinal as u32);
                if let Some(why) = unselected(at) {
                    rolled.add(at, Finding::error(why));
                } else if on.span(&subject) {
                    rolled.add(at, judge(at, Subject::Span(subject)));
                }
            });
            if let Some(finding) = unseen(check, &on, scene) {
                rolled.add(SubjectRef::Session, finding);
            }
        }
        Level::Turn => {
            for (index, turn) in scene.session.answerable_turns() {
                let subject = TurnSubject { scene, turn, index };
                let at = SubjectRef::Turn(index as u32);
                if let Some(why) = unselected(at) {
                    rolled.add(at, Finding::error(why));
                } else if on.turn(&subject) {
                    rolled.add(at, judge(at, Subject::Turn(subject)));
                }
            }
            // A turn that the case declares and the session does not have is not measured, and never dropped in silence.
            for index in scene.session.turns.len()..scene.turn_expected.len() {
                if on.missing_turn(scene, index) {
                    let declared = scene.turn_expected.len();
                    let reason =
                        format!("turn {} of the {declared} declared by the case is not in the session", index + 1);
                    rolled.add(SubjectRef::Turn(index as u32), Finding::error(reason));
                }
            }
        }
        Level::Session => {
            let at = SubjectRef::Session;
            if let Some(why) = unselected(at) {
                rolled.add(at, Finding::error(why));
            } else if on.session(scene) {
                rolled.add(at, judge(at, Subject::Session(SessionSubject { scene })));
            }
        }
        Level::System => {}
    }
}

/// Why a check is not asked about a subject of production (`None`: of a session, before its subjects are known): it cannot
/// do without a reference, and there nobody expects anything. What is expected of a case is never skipped.
fn unasked(check: &CheckDef, views: &Views<'_>, subject: Option<&Subject<'_>>) -> Option<String> {
    let wanted = check.wants.filter(|_| views.suite.watched)?;
    let scene = views.scene;
    let turn = match subject {
        Some(Subject::Turn(turn)) => Some(turn.index),
        Some(Subject::Span(span)) => span.turn,
        Some(Subject::Session(_)) | None => None,
    };
    let expected = turn.and_then(|index| scene.turn_expected.get(index)).and_then(Option::as_ref);
    let there = wanted.is_in(scene.expected) || expected.is_some_and(|expected| wanted.is_in(expected));
    (!there).then(|| format!("it needs `{}`, and nothing is expected of this session", wanted.name()))
}

/// What a check is told of a subject beside its session and its case.
fn beside(check: &CheckDef, subject: &Subject<'_>) -> Option<String> {
    let told = |compiled: &Compiled| match compiled {
        Compiled::Asking(asking) => asking.beside(subject),
        Compiled::Span(_) | Compiled::Turn(_) | Compiled::Session(_) | Compiled::System(_) => None,
    };
    match &check.program {
        Program::Fixed(compiled) => told(compiled),
        Program::Templated(templated) => told(&*templated.resolve(&context_of(subject)).ok()?),
    }
}

/// The digest of all that a check was told beside the recording: that of the case, and with what an earlier run replied
/// one over both.
fn told(case: Option<Digest>, beside: Option<String>) -> Option<Digest> {
    let Some(beside) = beside else { return case };
    let mut digest = Builder::new("seatrial case 1 and an earlier reply");
    digest.part("case", case.map(|case| case.to_string()).unwrap_or_default().as_bytes());
    digest.part("reply", beside.as_bytes());
    Some(digest.finish())
}

/// What a check says of one subject. A check that asks models judges it as it is shown to them.
fn judged(
    check: &CheckDef,
    at: SubjectRef,
    subject: Subject<'_>,
    shown: Option<&Scene<'_>>,
    edge: &dyn Edge,
) -> Finding {
    let session = subject.scene().session;
    let Some(shown) = shown.filter(|_| !check.asks.is_empty()) else {
        return with_compiled(check, || context_of(&subject), |c| said(check, (session, at), c, &subject, edge));
    };
    let Some(seen) = subject.within(shown) else {
        return Finding::error("a bug in seatrial: the subject is not in the session as it may be shown");
    };
    let mut finding = with_compiled(check, || context_of(&seen), |c| said(check, (session, at), c, &seen, edge));
    // What was taken out moves what stands behind it.
    for place in finding.evidence.iter_mut().filter(|e| e.range.is_some()) {
        if place.text_in(session) != place.text_in(shown.session) {
            place.range = None;
        }
    }
    finding
}

/// What a compiled check says of a subject of its level. `session` is as it was read, with what is not known of it.
fn said(
    check: &CheckDef,
    (session, at): (&Session<'_>, SubjectRef),
    compiled: &Compiled,
    subject: &Subject<'_>,
    edge: &dyn Edge,
) -> Finding {
    let measured = |reads: &dyn Fn() -> Reads, finding| {
        let rendering = if session.redacted.is_empty() { Parts::NONE } else { check.program.reads() };
        let reads = || match reads() {
            reads if rendering == Parts::NONE => reads,
            reads => Reads::only(reads.parts | rendering),
        };
        withheld::measured(session, at, reads, finding)
    };
    match (compiled, subject) {
        (Compiled::Span(c), Subject::Span(subject)) => measured(&|| c.reads(), c.check(subject)),
        (Compiled::Turn(c), Subject::Turn(subject)) => measured(&|| c.reads(), c.check(subject)),
        (Compiled::Session(c), Subject::Session(subject)) => measured(&|| c.reads(), c.check(subject)),
        // What is outside is not asked about what nobody can know.
        (Compiled::Asking(c), subject) => match withheld::unknown(session, at, Parts::ALL) {
            Some(why) => Finding::error(why),
            None => settle(&**c, subject, edge),
        },
        _ => Finding::error("a bug in seatrial: the check was compiled for another level"),
    }
}

/// What a check of spans says of a session whose recording may hide some of its subjects.
fn unseen(check: &CheckDef, on: &Selector, scene: &Scene<'_>) -> Option<Finding> {
    let subject = SessionSubject { scene };
    if !on.unseen_call(scene) || subject.scope().hidden_calls().is_none() {
        return None;
    }
    let said = |compiled: &Compiled| match compiled {
        Compiled::Span(c) => c.unseen(&subject),
        _ => None,
    };
    match &check.program {
        Program::Fixed(compiled) => said(compiled),
        // What is of a span is not there to be rendered: then the rule is not known to want a word.
        Program::Templated(templated) => said(&*templated.resolve(scene.context()).ok()?),
    }
}

fn for_each_span(scene: &Scene<'_>, mut f: impl FnMut(SpanSubject<'_>)) {
    let session = scene.session;
    for (ordinal, span) in session.spans.iter().enumerate() {
        f(SpanSubject { scene, span, ordinal, turn: None });
    }
    let mut ordinal = session.spans.len();
    for (index, turn) in session.turns.iter().enumerate() {
        for span in &turn.spans {
            f(SpanSubject { scene, span, ordinal, turn: Some(index) });
            ordinal += 1;
        }
    }
}

/// Runs a check with its parameters, rendered for the subject where they are templates.
fn with_compiled(
    check: &CheckDef,
    context: impl FnOnce() -> minijinja::Value,
    run: impl FnOnce(&Compiled) -> Finding,
) -> Finding {
    let resolved: Arc<Compiled>;
    let compiled = match &check.program {
        Program::Fixed(compiled) => compiled,
        Program::Templated(templated) => match templated.resolve(&context()) {
            Ok(compiled) => {
                resolved = compiled;
                &resolved
            }
            Err(why) => return Finding::error(why),
        },
    };
    run(compiled)
}

/// What templates see of a subject.
fn context_of(subject: &Subject<'_>) -> minijinja::Value {
    let scene = subject.scene();
    let case = scene.context().clone();
    let turn = |index| context::turn_value(scene.session, index);
    match subject {
        Subject::Span(subject) => minijinja::context! {
            turn => subject.turn.map(turn), span => context::span_value(subject.span), ..case
        },
        Subject::Turn(subject) => minijinja::context! { turn => turn(subject.index), ..case },
        Subject::Session(_) => case,
    }
}

thread_local! {
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Installs a panic hook that keeps the message for the verdict instead of printing it: panics of checks are reported
/// as verdicts. Call once, at the start of the process.
pub fn keep_panics_quiet() {
    std::panic::set_hook(Box::new(|info| {
        let said = info.payload_as_str().unwrap_or("(no message)");
        let place = info.location().map(|l| format!(" at {}:{}", l.file(), l.line())).unwrap_or_default();
        LAST_PANIC.with(|last| *last.borrow_mut() = format!("{said}{place}"));
    }));
}

/// The message of this thread's last panic.
pub fn last_panic() -> String {
    LAST_PANIC.with(|last| last.borrow().clone())
}

#[cfg(test)]
#[path = "evaluate_tests.rs"]
mod tests;
