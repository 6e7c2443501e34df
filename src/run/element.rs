//! One element of a recording: decoded, bound to its case, evaluated, and made a line of the record.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

use super::engine::Job;
use crate::assemble::SpillError;
use crate::assemble::intake::{Draft, Intake};
use crate::checks::system::{Cell, columns};
use crate::eval::bind::{self, Bound};
use crate::eval::event::{LeftOutEvent, Ordinal, SessionEvent, SuitePlan};
use crate::eval::facts::Facts;
use crate::eval::keep::{Keep, KeptFor};
use crate::eval::plan::{Planned, PlannedColumn};
use crate::eval::row::Row;
use crate::eval::shard::Shard;
use crate::eval::{evaluate, rollup};
use crate::formats::{self, RecordDecoder};
use crate::model::json::Texts;
use crate::model::{LeftOut, Level, Problem, Session, Status, Text, Verdict, digest, listed_tools};
use crate::redact::{Redacted, Seen};
use crate::report::live;
use crate::sources::{Batch, Element};
use crate::store::{against, kept, record};

/// One element of a batch, done.
pub(super) enum Item {
    Session {
        row: Box<Row>,
        line: Range<usize>,
        kept: Option<Kept>,
        /// What the line says, where reports are drawn from it at once.
        event: Option<Written>,
    },
    LeftOut {
        kind: LeftOut,
        line: Range<usize>,
    },
    /// Another shard records it.
    Elsewhere,
    /// It was recorded before this run was continued; without verdicts.
    Known {
        row: Box<Row>,
        kept: Option<Kept>,
    },
}

/// A session to be kept, as it may be written.
pub(super) type Kept = Box<Redacted<kept::Entry>>;

/// What the line of a session says.
pub(super) type Written = Box<Redacted<live::Written>>;

/// A batch, done.
#[derive(Default)]
pub(super) struct Done {
    pub(super) items: Vec<Item>,
    pub(super) lines: Vec<u8>,
    pub(super) tools: Vec<String>,
    pub(super) panicked: bool,
    pub(super) file: u32,
    /// Bytes of the recording behind it.
    pub(super) bytes: u64,
}

/// The event of something that is left out.
pub(super) fn left_out(suite: u32, at: Ordinal, file: String, id: Option<String>, problem: Problem) -> LeftOutEvent {
    LeftOutEvent {
        suite,
        at,
        file,
        id,
        kind: problem.kind,
        message: problem.message,
        offset: problem.offset,
        line: problem.line,
    }
}

/// What a thread keeps from one batch to the next.
#[derive(Default)]
pub(super) struct Hands {
    /// Tools that it has told of.
    tools: BTreeSet<String>,
    /// Room for texts.
    texts: Texts,
}

/// Decodes and evaluates the elements of a batch.
pub(super) fn process(job: &Job<'_>, batch: &Batch, hands: &mut Hands, room: Room) -> Done {
    // Verdicts take about an eighth of what they judge; growing in steps would copy them over and over.
    let lines = Vec::with_capacity(batch.buffer.len().min(1 << 20) / 4);
    let items = Vec::with_capacity(batch.elements.len());
    let mut done = Done { items, lines, file: batch.file, bytes: batch.read, ..Done::default() };
    let Hands { tools, texts } = hands;
    for element in &batch.elements {
        let start = done.lines.len();
        let at = (batch.file, element.index);
        // What belongs to no case belongs to the first shard.
        let mut mine = job.shard.is_none_or(Shard::holds_the_rest);
        texts.clear();
        let result =
            catch_unwind(AssertUnwindSafe(|| one(job, batch, element, at, texts, tools, room, &mut mine, &mut done)));
        let result = result.unwrap_or_else(|_| {
            done.panicked = true;
            Err((None, panicked()))
        });
        if let Err(left) = result {
            done.lines.truncate(start);
            if !mine {
                done.items.push(Item::Elsewhere);
                continue;
            }
            leave_out(job, batch.file, element, left, &mut done);
        }
    }
    done
}

/// Takes in the records of a batch of telemetry, and says what could not be used.
pub(super) fn take_in(
    job: &Job<'_>,
    batch: &Batch,
    decoder: &dyn RecordDecoder,
    intake: &Intake,
    draft: &mut Draft,
) -> Result<Done, SpillError> {
    let mut done = Done { file: batch.file, bytes: batch.read, ..Done::default() };
    for element in &batch.elements {
        let at = (batch.file, element.index);
        let problems = match &element.content {
            Err(problem) => vec![problem.clone()],
            Ok(range) => {
                let bytes = &batch.buffer[range.clone()];
                let read = catch_unwind(AssertUnwindSafe(|| intake.read(draft, decoder, bytes, at)));
                read.unwrap_or_else(|_| {
                    done.panicked = true;
                    vec![panicked()]
                })
            }
        };
        for problem in problems {
            if !job.shard.is_none_or(Shard::holds_the_rest) {
                done.items.push(Item::Elsewhere);
                continue;
            }
            leave_out(job, batch.file, element, (None, problem), &mut done);
        }
    }
    intake.take(draft)?;
    Ok(done)
}

pub(super) fn panicked() -> Problem {
    let said = evaluate::last_panic();
    Problem::new(LeftOut::Malformed, format!("a bug in seatrial: reading it panicked: {said}"))
}

/// Writes that something of an element is left out.
pub(super) fn leave_out(job: &Job<'_>, file: u32, element: &Element, (id, mut problem): Left, done: &mut Done) {
    problem.offset = problem.offset.or(element.offset);
    problem.line = problem.line.or(element.line);
    let (kind, start) = (problem.kind, done.lines.len());
    let name = job.files.get(file as usize).map(|f| f.name.clone()).unwrap_or_default();
    let event = left_out(job.index, (file, element.index), name, id, problem);
    // Writing to memory fails only when a value cannot be JSON, which plain strings and numbers always can.
    let _ = record::event(&mut done.lines, "left_out", &job.redactor.pass(&event));
    done.items.push(Item::LeftOut { kind, line: start..done.lines.len() });
}

pub(super) type Left = (Option<String>, Problem);

/// Decodes and evaluates one element. `Err` says why it is left out; `mine` says whether that is recorded here.
#[expect(clippy::too_many_arguments, reason = "what one element needs of its batch and of its thread")]
fn one(
    job: &Job<'_>,
    batch: &Batch,
    element: &Element,
    at: Ordinal,
    texts: &Texts,
    tools: &mut BTreeSet<String>,
    room: Room,
    mine: &mut bool,
    done: &mut Done,
) -> Result<(), Left> {
    let range = element.content.clone().map_err(|p| (None, p))?;
    let Some(decoder) = &batch.decoder else {
        return Err((None, Problem::new(LeftOut::Malformed, "the file could not be used")));
    };
    let bytes = &batch.buffer[range];
    let session = decoder.decode_in(bytes, texts, element.index, &batch.stem).map_err(|p| (None, p))?;
    whole(job, &session, at, tools, room, mine, done)
}

/// Evaluates one session.
pub(super) fn whole(
    job: &Job<'_>,
    session: &Session<'_>,
    at: Ordinal,
    tools: &mut BTreeSet<String>,
    room: Room,
    mine: &mut bool,
    done: &mut Done,
) -> Result<(), Left> {
    let planned = job.planned;
    // What is written from here on is written of what may be; checks see the session as it was.
    let seen = job.redactor.session(session);
    let written = |name: &str| job.redactor.name_of(name, seen.as_ref()).into_owned();
    let named = |kind, message: String| {
        let message = job.redactor.pass_of(&message, seen.as_ref()).into_inner().into_owned();
        (Some(written(&session.id)), Problem::new(kind, message))
    };
    // Those of sessions that are left out, too: they show that a tool of that name exists.
    for (_, call) in seen.as_ref().map_or(session, |seen| seen.session.get()).tool_calls() {
        if !tools.contains(call.name.as_str()) {
            tools.insert(call.name.to_string());
            done.tools.push(call.name.to_string());
        }
    }
    for name in listed_tools(seen.as_ref().map_or(session, |seen| seen.session.get())) {
        if !tools.contains(&name) {
            tools.insert(name.clone());
            done.tools.push(name);
        }
    }
    let bound = bind::bind(planned.suite, session);
    if let Some(shard) = job.shard {
        *mine = shard.holds(bound.as_ref().map_or(&session.id, |b| &b.case_id));
        if !*mine {
            done.items.push(Item::Elsewhere);
            return Ok(());
        }
    }
    let mut bound = bound.map_err(|(kind, why)| named(kind, why))?;
    if let Some(why) = job.given_up {
        bound.error = Some(why.to_owned());
    }
    if let Some(earlier) = &planned.earlier {
        bound.earlier = earlier.of(&bound.case_id, bound.trial.as_deref());
    }
    // A declared case is named as in the plan, whatever the session calls it.
    let seen_case = seen.as_ref().filter(|_| bound.case.is_none());
    let case = Text(job.redactor.name_of(&bound.case_id, seen_case));
    if !planned.looks_at(&bound.case_id, &case, &bound.tags, bound.case_index) {
        return Err(named(LeftOut::Filtered, format!("taken out by {}", planned.taken_out_by(&case))));
    }
    stale(job, session).map_err(|why| named(LeftOut::Stale, why))?;
    let digest = digest::session(session);
    // A driven session of a run that is continued may be there only as it was written.
    let digest = job.known.map_or(digest, |known| known.original(digest));
    if let Some(keep) = job.known.and_then(|k| k.session(job.index, &digest)) {
        let row = Row {
            at,
            id: written(&session.id).into(),
            case: case.as_str().into(),
            trial: bound.trial.as_ref().map(|t| written(t).into()),
            tags: match bound.case {
                Some(_) => Vec::new(),
                None => bound.tags.iter().map(|tag| written(tag)).collect(),
            },
            digest,
            error: false,
            verdicts: Vec::new(),
            said: Vec::new(),
            cells: Vec::new(),
        };
        let kept = keep.map(|why| entry(job, (session, seen.as_ref()), &bound, why, room));
        done.items.push(Item::Known { row: Box::new(row), kept });
        return Ok(());
    }
    let active = |check: usize| {
        let asks = || !planned.suite.checks.get(check).is_none_or(|c| c.asks.is_empty());
        planned.applies(check, &bound.case_id, &bound.tags) && (!job.collecting || asks())
    };
    let shown = seen.as_ref().filter(|_| job.redactor.hides_from_models()).map(|seen| seen.session.get());
    let evaluated = evaluate::evaluate(planned.suite, session, &bound, &active, job.edge, shown, &digest);
    if job.collecting {
        done.items.push(Item::Elsewhere);
        return Ok(());
    }
    done.panicked |= evaluated.panicked;
    let row = cells(planned, session, &bound, &evaluated.verdicts);
    let event = SessionEvent {
        suite: job.index,
        at,
        id: session.id.clone(),
        case,
        trial: bound.trial.clone(),
        tags: if bound.case.is_some() { Vec::new() } else { bound.tags.to_vec() },
        digest,
        error: bound.error.take(),
        facts: Facts::of(session, &planned.suite.prices),
        row,
        verdicts: evaluated.verdicts,
    };
    let start = done.lines.len();
    let event = job.redactor.take_of(event, seen.as_ref());
    let recorded = record::session(&mut done.lines, &event);
    let details =
        recorded.map_err(|why| named(LeftOut::Malformed, format!("its verdicts cannot be written as JSON: {why}")))?;
    let kept = is_kept(job.keep, &planned.plan, event.get())
        .map(|why| entry(job, (session, seen.as_ref()), &bound, why, room));
    let row = Box::new(Row::of(event.get()));
    let event = job.live.then(|| Box::new(event.map(|event| live::Written { event: event.into_owned(), details })));
    done.items.push(Item::Session { row, line: start..done.lines.len(), kept, event });
    Ok(())
}

/// What the session contributes to the columns of system checks. One that could not be measured as a whole contributes
/// nothing: counted, a broken recording would be a session of no calls and no turns.
fn cells(planned: &Planned<'_>, session: &Session<'_>, bound: &Bound<'_>, verdicts: &[Verdict]) -> Vec<Cell> {
    if let Some(reason) = &bound.error {
        return vec![Cell::Missing(rollup::bounded(reason.clone())); planned.columns.len()];
    }
    let tally = |id: &str| {
        let index = planned.plan.checks.iter().position(|c| c.id == id)?;
        verdicts.iter().find(|v| v.check as usize == index).map(|v| v.subjects)
    };
    let cell = |PlannedColumn { column, on }: &PlannedColumn| {
        let selected = on.map_or(Ok(true), |check| evaluate::selects(&planned.suite.checks[check], session, bound));
        match selected {
            Ok(true) => columns::project(column, session, &bound.tags, &planned.suite.prices, &tally),
            Ok(false) => Cell::Unselected,
            Err(why) => Cell::Missing(rollup::bounded(why)),
        }
    };
    planned.columns.iter().map(cell).collect()
}

/// Whether a session is one to keep whole; if so, why.
pub(super) fn is_kept(keep: Keep, plan: &SuitePlan, event: &SessionEvent<'_>) -> Option<KeptFor> {
    let decides = |v: &&Verdict| {
        plan.checks.get(v.check as usize).is_some_and(|c| c.severity.blocks() && c.level != Level::System)
    };
    let passed = event.error.is_none()
        && event.verdicts.iter().filter(decides).all(|v| matches!(v.status, Status::Pass | Status::Skip));
    if event.verdicts.iter().flat_map(|v| &v.findings).any(|f| f.routed.is_some()) {
        return Some(KeptFor::Review { passed });
    }
    match passed {
        true => (keep.passed > 0).then_some(KeptFor::Sample),
        false => keep.failed.then_some(KeptFor::Failed),
    }
}

/// How many more sessions may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// In all.
    pub all: u64,
    /// As a sample of those that passed.
    pub passed: u64,
}

/// The session with what was expected of it; empty when there is no room for it.
fn entry(
    job: &Job<'_>,
    (session, seen): (&Session<'_>, Option<&Seen<'_>>),
    bound: &Bound<'_>,
    why: KeptFor,
    room: Room,
) -> Kept {
    let mut entry = Redacted::<kept::Entry>::default();
    let (passed, review) = (why.passed(), matches!(why, KeptFor::Review { .. }));
    if review || room.all > 0 && (!passed || room.passed > 0) {
        let mut line = Vec::new();
        if formats::seatrial::write(seen.map_or(session, |seen| seen.session.get()), &mut line).is_ok() {
            let packed = kept::pack(&line).unwrap_or_default();
            let against = job.redactor.pass_of(&against::of(session, bound), seen).map(Cow::into_owned);
            entry = against.map(|against| kept::Entry { packed, against, passed, review });
        }
    }
    Box::new(entry.map(|entry| kept::Entry { passed, review, ..entry }))
}

/// How far a recording's clock may be ahead of ours.
const CLOCKS_DIFFER_NS: u64 = 3_600_000_000_000;

/// Why a session is too old for `max_age`, or of an age that cannot be told, if so.
fn stale(job: &Job<'_>, session: &Session<'_>) -> Result<(), String> {
    let Some(max_age) = job.planned.suite.recorded.max_age else { return Ok(()) };
    let recorded = session.end_ns.or(session.start_ns).or_else(|| session.spans().filter_map(|s| s.end_ns).max());
    let Some(recorded) = recorded else {
        return Err("the session says no time, and `max_age` asks for one".into());
    };
    let hours = |ns: u64| ns / 3_600_000_000_000;
    let ahead = recorded.saturating_sub(job.now_ns);
    if ahead > CLOCKS_DIFFER_NS {
        return Err(format!(
            "the session ends {} hours from now, so its age, which `max_age` asks for, cannot be told: the clock that \
             recorded it is ahead, or the one of this machine is behind",
            hours(ahead)
        ));
    }
    let age = job.now_ns.saturating_sub(recorded);
    if u128::from(age) > max_age.as_nanos() {
        let allowed = max_age.as_secs() / 3600;
        return Err(format!("the session is {} hours old, `max_age` allows {allowed}", hours(age)));
    }
    Ok(())
}
