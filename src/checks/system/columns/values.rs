//! The value of each metric in one session, or why the recording does not say.

use super::grouping::Grouping;
use super::{Column, Sample, Samples};
use crate::checks::memory::{self, Access};
use crate::checks::prices::Prices;
use crate::checks::span::cost::own as own_cost;
use crate::model::{Attributes, Session, Span, SpanKind, SpanStatus, Tally, Turn, hidden_calls};

/// The value of a column's metric, by group.
pub(super) fn samples(
    column: &Column,
    session: &Session<'_>,
    by: &Grouping<'_>,
    prices: &Prices,
    verdict: &dyn Fn(&str) -> Option<Tally>,
) -> Samples {
    match column.metric.as_str() {
        "ttft_ms" => per_turn(session, by, "time to first token", |t| t.first_token_ns().map(millis)),
        "turn_ms" => {
            per_turn(session, by, "duration", |t| elapsed(t.start_ns, t.end_ns, &mut t.spans.iter()).map(millis))
        }
        "session_ms" => {
            let elapsed = elapsed(session.start_ns, session.end_ns, &mut session.spans());
            by.whole(vec![millis(elapsed.ok_or("the session has no start and end")?)])
        }
        "tokens_in" => tokens(session, by, |s| s.usage?.input),
        "tokens_out" => tokens(session, by, |s| s.usage?.output),
        "tokens" => tokens(session, by, |s| s.usage?.input?.checked_add(s.usage?.output?)),
        "cost_usd" => cost(session, by, prices),
        "tool_calls" => by.split(tool_calls(session)?, "tool", |_| Ok(1), |n| vec![n as f64]),
        "tool_errors" => by.split(tool_calls(session)?, "tool", failed, |n| vec![n as f64]),
        "tool_error_rate" => tool_error_rate(session, by),
        "turns" => by.whole(vec![session.answerable_turns().count() as f64]),
        "memory_reads" => by.whole(vec![accesses(session, Access::Read)?]),
        "memory_writes" => by.whole(vec![accesses(session, Access::Write)?]),
        "csat" => by.whole(vec![session.rating.ok_or("the session has no rating")?]),
        "escalation_rate" => {
            let escalated =
                session.escalated.ok_or("the recording does not say whether the session was handed over")?;
            by.whole(vec![f64::from(u8::from(escalated)), 1.0])
        }
        "first_contact_resolution" => by.whole(vec![flag(&session.attributes, "first_contact_resolution")?, 1.0]),
        "detection_rate" => detections(column, by, verdict),
        other => match other.strip_prefix("attr:") {
            Some(name) => by.whole(vec![number(&session.attributes, name)?]),
            None => Err(format!("unknown metric `{other}`")),
        },
    }
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

/// From start to end as recorded, else from the first start to the last end of the spans.
fn elapsed<'s>(start: Option<u64>, end: Option<u64>, spans: &mut dyn Iterator<Item = &'s Span<'s>>) -> Option<u64> {
    if let (Some(start), Some(end)) = (start, end) {
        return end.checked_sub(start);
    }
    let (mut first, mut last) = (start, end);
    for span in spans {
        if start.is_none() {
            first = first.into_iter().chain(span.start_ns).min();
        }
        if end.is_none() {
            // What never ended has no duration.
            if span.id.is_some() && span.start_ns.is_some() && span.end_ns.is_none() {
                return None;
            }
            last = last.max(span.end_ns);
        }
    }
    last?.checked_sub(first?)
}

fn per_turn(session: &Session<'_>, by: &Grouping<'_>, what: &str, value: impl Fn(&Turn<'_>) -> Option<f64>) -> Samples {
    let mut out = Vec::new();
    for (i, turn) in session.answerable_turns() {
        let value = value(turn).ok_or_else(|| format!("turn {} has no {what}", i + 1))?;
        out.extend(by.samples(&mut turn.spans.iter(), vec![value])?);
    }
    Ok(out)
}

/// A sum over the model calls. A recording without any cannot say.
fn tokens(session: &Session<'_>, by: &Grouping<'_>, of: impl Fn(&Span<'_>) -> Option<u64>) -> Samples {
    let each = |s: &Span<'_>| {
        let n = of(s).ok_or_else(|| format!("the model call `{}` has no token counts", short(&s.name)))?;
        i64::try_from(n).map_err(|_| "a token count is out of range".to_owned())
    };
    by.split(model_calls(session)?, "model", each, |n| vec![n as f64])
}

/// The session's own word for the whole, else the sum over the model calls. By model only the calls can be split.
fn cost(session: &Session<'_>, by: &Grouping<'_>, prices: &Prices) -> Samples {
    let dollars = |nanos: i128| vec![nanos as f64 / 1e9];
    match own_cost(session).filter(|_| !by.by.iter().any(|by| by == "model")) {
        Some(own) => by.whole(dollars(i128::from(own?.0))),
        None => by.split(model_calls(session)?, "model", |s| prices.cost(s).map(|(cost, _)| cost.0), dollars),
    }
}

fn model_calls<'s>(session: &'s Session<'_>) -> Result<impl Iterator<Item = &'s Span<'s>>, String> {
    let calls = crate::model::model_calls(session.spans().enumerate());
    if calls.is_empty() { Err("no model call is recorded".to_owned()) } else { Ok(calls.into_iter().map(|(_, s)| s)) }
}

/// The calls of tools; not those of a recording that may hide some.
fn tool_calls<'s>(session: &'s Session<'_>) -> Result<impl Iterator<Item = &'s Span<'s>>, String> {
    match hidden_calls(session, session.spans().enumerate()) {
        Some((_, why)) => Err(why),
        None => Ok(session.spans().filter(|s| s.kind == SpanKind::Tool)),
    }
}

/// 1 for a call that ended in an error, 0 for one that did not.
fn failed(span: &Span<'_>) -> Result<i64, String> {
    match span.status {
        SpanStatus::Error => Ok(1),
        SpanStatus::Ok => Ok(0),
        SpanStatus::Unset => Err(format!("the recording does not say how the call of `{}` ended", short(&span.name))),
    }
}

fn tool_error_rate(session: &Session<'_>, by: &Grouping<'_>) -> Samples {
    let calls: Vec<_> = tool_calls(session)?.collect();
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    let errors = by.split(calls.iter().copied(), "tool", failed, |n| vec![n as f64])?;
    let all = by.split(calls.iter().copied(), "tool", |_| Ok(1), |n| vec![n as f64])?;
    // Both are split alike, so the groups stand in the same order.
    let pairs = errors.into_iter().zip(all);
    Ok(pairs.map(|(e, a)| Sample { group: e.group, values: [e.values, a.values].concat() }).collect())
}

/// How many operations read or write the memory. One that may be either makes both unknown.
fn accesses(session: &Session<'_>, wanted: Access) -> Result<f64, String> {
    let mut count = 0.0;
    for operation in memory::operations(session.spans().enumerate())? {
        let access = operation.access.ok_or_else(|| {
            let name = short(&operation.span.name);
            format!("the recording does not say whether the memory operation `{name}` reads or writes")
        })?;
        if access == wanted {
            count += 1.0;
        }
    }
    Ok(count)
}

/// What the value waits for: the verdict of a check, over whose subjects people decide.
pub(super) fn waiting<'c>(column: &'c Column, verdict: &dyn Fn(&str) -> Option<Tally>) -> Option<(&'c str, Tally)> {
    let of = column.of.as_deref().filter(|_| column.metric == "detection_rate")?;
    let tally = verdict(of).filter(|tally| tally.held > 0 && tally.error == 0)?;
    Some((of, tally))
}

fn detections(column: &Column, by: &Grouping<'_>, verdict: &dyn Fn(&str) -> Option<Tally>) -> Samples {
    let of = column.of.as_deref().ok_or("`detection_rate` needs `of`")?;
    let Some(tally) = verdict(of) else { return Ok(Vec::new()) };
    detected(of, &tally)?.map_or(Ok(Vec::new()), |values| by.whole(values))
}

/// How many subjects of a check failed, of how many; `None` where there is none.
pub(super) fn detected(of: &str, tally: &Tally) -> Result<Option<Vec<f64>>, String> {
    if tally.error > 0 {
        return Err(format!("`{of}` could not be measured on {} of its subjects", tally.error));
    }
    let measured = tally.pass + tally.fail;
    Ok((measured > 0).then(|| vec![tally.fail as f64, measured as f64]))
}

fn flag(attributes: &Attributes<'_>, name: &str) -> Result<f64, String> {
    let value = attributes.get(name).ok_or_else(|| format!("the session has no attribute `{name}`"))?;
    let truth = value.json().and_then(serde_json::Value::as_bool);
    truth.map(|b| f64::from(u8::from(b))).ok_or_else(|| format!("the attribute `{name}` is neither true nor false"))
}

fn number(attributes: &Attributes<'_>, name: &str) -> Result<f64, String> {
    let value = attributes.get(name).ok_or_else(|| format!("the session has no attribute `{name}`"))?;
    let number = value.json().filter(|_| value.is_json()).and_then(serde_json::Value::as_f64);
    number.filter(|n| n.is_finite()).ok_or_else(|| format!("the attribute `{name}` is not a number"))
}

/// A name for a message.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}
