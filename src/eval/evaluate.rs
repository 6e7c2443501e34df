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
use crate::model::{Finding, Level, Session, Status, SubjectRef, Tally, Verdict};
use crate::suite::{CheckDef, Program, Suite};

/// The verdicts of one session, and whether a check panicked.
pub struct Evaluated {
    /// One per check that had a subject, by position of the check.
    pub verdicts: Vec<Verdict>,
    /// A check panicked; its verdict is an error and the run ends with exit code 70.
    pub panicked: bool,
}

/// Applies the checks for which `active` holds to one session.
/// What a check asks for, `edge` answers.
pub fn evaluate(
    suite: &Suite,
    session: &Session<'_>,
    bound: &Bound<'_>,
    active: &dyn Fn(usize) -> bool,
    edge: &dyn Edge,
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
    with_scene(session, bound, |scene| each_check(checks, scene, edge))
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

fn each_check<'c>(
    checks: impl Iterator<Item = (usize, &'c CheckDef)>,
    scene: &Scene<'_>,
    edge: &dyn Edge,
) -> Evaluated {
    let mut out = Evaluated { verdicts: Vec::new(), panicked: false };
    for (index, check) in checks {
        let mut rolled = RollUp::default();
        let edge = &By { edge, check: index as u32 };
        let ran = catch_unwind(AssertUnwindSafe(|| apply(check, scene, edge, &mut rolled)));
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
fn apply(check: &CheckDef, scene: &Scene<'_>, edge: &dyn Edge, rolled: &mut RollUp) {
    let on = match check.on.resolve(|| scene.context().clone()) {
        Ok(on) => on,
        // Without a selector nobody can say what the subjects are, not even that there are none.
        Err(why) => return rolled.add(SubjectRef::Session, Finding::error(why)),
    };
    // Of a session that something was taken out of, not all is known.
    let flagged = !scene.session.redacted.is_empty();
    let selecting = if flagged { check.on.reads() } else { Parts::NONE };
    let unselected = |at| withheld::unknown(scene.session, at, selecting);
    let rendering = if flagged { check.program.reads() } else { Parts::NONE };
    let measured = |at, reads: &dyn Fn() -> Reads, finding| {
        let reads = || match reads() {
            reads if rendering == Parts::NONE => reads,
            reads => Reads::only(reads.parts | rendering),
        };
        withheld::measured(scene.session, at, reads, finding)
    };
    // What is outside is not asked about what nobody can know.
    let asked = |at, ask: &dyn Fn() -> Finding| match withheld::unknown(scene.session, at, Parts::ALL) {
        Some(why) => Finding::error(why),
        None => ask(),
    };
    match check.level {
        Level::Span => {
            for_each_span(scene, |subject| {
                let at = SubjectRef::Span(subject.ordinal as u32);
                if let Some(why) = unselected(at) {
                    rolled.add(at, Finding::error(why));
                } else if on.span(&subject) {
                    let finding = with_compiled(
                        check,
                        || span_context(scene, &subject),
                        |compiled| match compiled {
                            Compiled::Span(c) => measured(at, &|| c.reads(), c.check(&subject)),
                            Compiled::Asking(c) => asked(at, &|| settle(&**c, &Subject::Span(subject), edge)),
                            _ => wrong_level(),
                        },
                    );
                    rolled.add(at, finding);
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
                    let finding = with_compiled(
                        check,
                        || turn_context(scene, &subject),
                        |compiled| match compiled {
                            Compiled::Turn(c) => measured(at, &|| c.reads(), c.check(&subject)),
                            Compiled::Asking(c) => asked(at, &|| settle(&**c, &Subject::Turn(subject), edge)),
                            _ => wrong_level(),
                        },
                    );
                    rolled.add(at, finding);
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
            let subject = SessionSubject { scene };
            let at = SubjectRef::Session;
            if let Some(why) = unselected(at) {
                rolled.add(at, Finding::error(why));
            } else if on.session(scene) {
                let finding = with_compiled(
                    check,
                    || scene.context().clone(),
                    |compiled| match compiled {
                        Compiled::Session(c) => measured(at, &|| c.reads(), c.check(&subject)),
                        Compiled::Asking(c) => asked(at, &|| settle(&**c, &Subject::Session(subject), edge)),
                        _ => wrong_level(),
                    },
                );
                rolled.add(at, finding);
            }
        }
        Level::System => {}
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

fn wrong_level() -> Finding {
    Finding::error("a bug in seatrial: the check was compiled for another level")
}

fn span_context(scene: &Scene<'_>, subject: &SpanSubject<'_>) -> minijinja::Value {
    let turn = subject.turn.map(|i| context::turn_value(scene.session, i));
    minijinja::context! { turn, span => context::span_value(subject.span), ..scene.context().clone() }
}

fn turn_context(scene: &Scene<'_>, subject: &TurnSubject<'_>) -> minijinja::Value {
    minijinja::context! { turn => context::turn_value(scene.session, subject.index), ..scene.context().clone() }
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
mod tests {
    use super::*;
    use crate::checks::SessionCheck;
    use crate::checks::asking::Nobody;
    use crate::eval::{bind, testing};

    struct Panics;

    impl SessionCheck for Panics {
        fn check(&self, _: &SessionSubject<'_>) -> Finding {
            panic!("the mast broke")
        }
    }

    #[test]
    fn a_panic_in_a_check_is_that_verdicts_error_and_the_other_checks_go_on() {
        let check = |id: &str| format!("[[session]]\nid = \"{id}\"\ncheck = \"contains\"\nvalue = \"good\"\n");
        let mut suite = testing::suite(&format!("{}{}", check("first"), check("second")));
        suite.checks[0].program = Program::Fixed(Compiled::Session(Box::new(Panics)));
        let session: Session<'_> = serde_json::from_str(r#"{"id":"a","turns":[{"reply":"good"}]}"#).unwrap();
        let bound = bind::bind(&suite, &session).unwrap();
        keep_panics_quiet();
        let evaluated = evaluate(&suite, &session, &bound, &|_| true, &Nobody);
        let _ = std::panic::take_hook();
        assert!(evaluated.panicked);
        let statuses: Vec<Status> = evaluated.verdicts.iter().map(|v| v.status).collect();
        assert_eq!(statuses, [Status::Error, Status::Pass]);
        let reason = &evaluated.verdicts[0].findings[0].reason;
        assert!(reason.contains("the check panicked: the mast broke at src/"), "{reason}");
    }
}
