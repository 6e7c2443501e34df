//! What a session contributes to a column: the metrics that suites can name, and the groups they can be split by.
//!
//! A value that the recording does not hold makes the cell [`Cell::Missing`], never a zero.

use std::collections::BTreeSet;

use super::{Cell, Column, Sample};
use crate::checks::memory::{self, Access};
use crate::checks::nearest::nearest;
use crate::checks::prices::Prices;
use crate::checks::span::cost::own as own_cost;
use crate::model::{Attributes, Session, Span, SpanKind, SpanStatus, Tally, Turn, hidden_calls};

/// What a metric measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One value per turn.
    Turn,
    /// One value per session.
    Session,
    /// A ratio of two sums over all sessions.
    Ratio,
}

/// A metric that suites can name.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it has values for.
    pub shape: Shape,
    /// What it is, for the reference.
    pub doc: &'static str,
}

/// Every metric that has a name of its own. Numeric session attributes are `attr:NAME`.
pub static METRICS: &[Metric] = &[
    Metric { name: "ttft_ms", shape: Shape::Turn, doc: "time to the first token of a turn's reply, in milliseconds" },
    Metric { name: "turn_ms", shape: Shape::Turn, doc: "duration of a turn, in milliseconds" },
    Metric { name: "session_ms", shape: Shape::Session, doc: "duration of a session, in milliseconds" },
    Metric { name: "tokens_in", shape: Shape::Session, doc: "input tokens of all model calls" },
    Metric { name: "tokens_out", shape: Shape::Session, doc: "output tokens of all model calls" },
    Metric { name: "tokens", shape: Shape::Session, doc: "input and output tokens of all model calls" },
    Metric {
        name: "cost_usd",
        shape: Shape::Session,
        doc: "cost of all model calls, recorded or by price, in US dollars",
    },
    Metric { name: "tool_calls", shape: Shape::Session, doc: "tool calls" },
    Metric { name: "tool_errors", shape: Shape::Session, doc: "tool calls that ended in an error" },
    Metric { name: "turns", shape: Shape::Session, doc: "turns" },
    Metric { name: "memory_reads", shape: Shape::Session, doc: "memory operations that read, of a trace" },
    Metric { name: "memory_writes", shape: Shape::Session, doc: "memory operations that write, of a trace" },
    Metric { name: "csat", shape: Shape::Session, doc: "the user's rating" },
    Metric { name: "tool_error_rate", shape: Shape::Ratio, doc: "tool calls that ended in an error / tool calls" },
    Metric { name: "escalation_rate", shape: Shape::Ratio, doc: "sessions handed over to a person / sessions" },
    Metric {
        name: "first_contact_resolution",
        shape: Shape::Ratio,
        doc: "sessions whose attribute `first_contact_resolution` is true / sessions",
    },
    Metric { name: "detection_rate", shape: Shape::Ratio, doc: "subjects that fail the check `of` / those measured" },
];

/// What `by` can name, besides `attr:NAME`.
pub const GROUPS: &[&str] = &["agent", "model", "user", "tool", "flow", "tag", "day"];

/// The group of a session that has no value for a `by`.
pub const NONE: &str = "(none)";

/// The most groups that one session, turn or call is counted in.
const MAX_GROUPS: usize = 1000;

/// The most tool names that are written out in a `flow`.
const FLOW: usize = 64;

/// What the metric called `name` measures.
///
/// # Errors
/// What is wrong with the name, and what to do about it.
pub fn shape(name: &str) -> Result<Shape, (String, Option<String>)> {
    if let Some(attribute) = name.strip_prefix("attr:") {
        let empty = || ("`attr:` needs the name of an attribute".to_owned(), None);
        return if attribute.is_empty() { Err(empty()) } else { Ok(Shape::Session) };
    }
    if let Some(metric) = METRICS.iter().find(|m| m.name == name) {
        return Ok(metric.shape);
    }
    let near = nearest(name, METRICS.iter().map(|m| m.name)).map(|near| format!("did you mean `{near}`? "));
    let help = format!("{}a numeric session attribute is written `attr:{name}`", near.unwrap_or_default());
    Err((format!("unknown metric `{name}`"), Some(help)))
}

/// Checks what a `by` names.
///
/// # Errors
/// What is wrong with it, and what to do about it.
pub fn group(by: &str) -> Result<(), (String, Option<String>)> {
    if GROUPS.contains(&by) || by.strip_prefix("attr:").is_some_and(|name| !name.is_empty()) {
        return Ok(());
    }
    let near = nearest(by, GROUPS.iter().copied()).map(|near| format!("did you mean `{near}`? "));
    let list = GROUPS.join("`, `");
    Err((
        format!("cannot group by `{by}`"),
        Some(format!("{}`by` is `{list}` or `attr:NAME`", near.unwrap_or_default())),
    ))
}

/// What a session contributes to a column.
///
/// `tags` are the case's together with the session's; `verdict` gives the subjects behind the verdict of a check by
/// id, `None` where the check did not apply to the session.
pub fn project(
    column: &Column,
    session: &Session<'_>,
    tags: &[String],
    prices: &Prices,
    verdict: &dyn Fn(&str) -> Option<Tally>,
) -> Cell {
    let by = Grouping { by: &column.by, session, tags };
    match samples(column, session, &by, prices, verdict) {
        Ok(samples) => Cell::Samples(samples),
        Err(why) => Cell::Missing(why),
    }
}

type Samples = Result<Vec<Sample>, String>;

fn samples(
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

fn detections(column: &Column, by: &Grouping<'_>, verdict: &dyn Fn(&str) -> Option<Tally>) -> Samples {
    let of = column.of.as_deref().ok_or("`detection_rate` needs `of`")?;
    let Some(tally) = verdict(of) else { return Ok(Vec::new()) };
    if tally.error + tally.held > 0 {
        return Err(format!("`{of}` could not be measured on {} of its subjects", tally.error + tally.held));
    }
    let measured = tally.pass + tally.fail;
    if measured == 0 { Ok(Vec::new()) } else { by.whole(vec![tally.fail as f64, measured as f64]) }
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

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The groups that a session, a turn or a call belongs to.
struct Grouping<'g> {
    by: &'g [String],
    session: &'g Session<'g>,
    tags: &'g [String],
}

impl Grouping<'_> {
    /// One sample in each group of the session.
    fn whole(&self, values: Vec<f64>) -> Samples {
        self.samples(&mut self.session.spans(), values)
    }

    /// One sample in each group of some operations.
    fn samples<'s>(&self, spans: &mut dyn Iterator<Item = &'s Span<'s>>, values: Vec<f64>) -> Samples {
        let spans: Vec<&Span<'_>> =
            if self.by.iter().any(|b| b == "model" || b == "tool") { spans.collect() } else { Vec::new() };
        let groups = self.groups(&spans)?;
        Ok(groups.into_iter().map(|group| Sample { group, values: values.clone() }).collect())
    }

    /// A sum over operations. Where it is grouped by what the operations themselves carry (`own`), it is split among
    /// those groups; otherwise the whole sum counts in each group of the session.
    fn split<'s>(
        &self,
        spans: impl Iterator<Item = &'s Span<'s>>,
        own: &str,
        value: impl Fn(&Span<'_>) -> Result<i64, String>,
        out: impl Fn(i128) -> Vec<f64>,
    ) -> Samples {
        if !self.by.iter().any(|by| by == own) {
            let sum = spans.map(|s| value(s).map(i128::from)).sum::<Result<i128, String>>()?;
            return self.whole(out(sum));
        }
        let mut sums: std::collections::BTreeMap<Vec<String>, i128> = std::collections::BTreeMap::new();
        for span in spans {
            let value = i128::from(value(span)?);
            for group in self.groups(&[span])? {
                *sums.entry(group).or_default() += value;
            }
        }
        Ok(sums.into_iter().map(|(group, sum)| Sample { group, values: out(sum) }).collect())
    }

    /// Every combination of the values of `by`.
    fn groups(&self, spans: &[&Span<'_>]) -> Result<Vec<Vec<String>>, String> {
        let mut groups = vec![Vec::new()];
        for by in self.by {
            let values = self.values(by, spans);
            if groups.len().saturating_mul(values.len()) > MAX_GROUPS {
                return Err(format!("one session would count in more than {MAX_GROUPS} groups"));
            }
            groups =
                groups.iter().flat_map(|g| values.iter().map(|v| [&g[..], std::slice::from_ref(v)].concat())).collect();
        }
        Ok(groups)
    }

    /// The values of one `by`: several for tags, models and tools, each once.
    fn values(&self, by: &str, spans: &[&Span<'_>]) -> Vec<String> {
        let session = self.session;
        let mut values: BTreeSet<String> = BTreeSet::new();
        match by {
            "agent" => values.extend(session.agent.as_ref().map(ToString::to_string)),
            "user" => values.extend(session.user.as_ref().map(ToString::to_string)),
            "tag" => values.extend(self.tags.iter().cloned()),
            "model" => values.extend(spans.iter().filter_map(|s| s.model.as_ref()).map(ToString::to_string)),
            "tool" => values.extend(spans.iter().filter(|s| s.kind == SpanKind::Tool).map(|s| s.name.to_string())),
            "flow" => values.extend(flow(session)),
            "day" => values.extend(day(session)),
            other => {
                let attribute = other.strip_prefix("attr:").and_then(|name| session.attributes.get(name));
                values.extend(attribute.map(|value| value.as_str().to_owned()));
            }
        }
        if values.is_empty() {
            values.insert(NONE.to_owned());
        }
        values.into_iter().collect()
    }
}

/// The day on which the session starts, UTC: `2026-11-26`. As recorded, else by its earliest turn or span.
fn day(session: &Session<'_>) -> Option<String> {
    let spans = session.spans().filter_map(|s| s.start_ns);
    let start = session.start_ns.or_else(|| session.turns.iter().filter_map(|t| t.start_ns).chain(spans).min())?;
    let start = jiff::Timestamp::from_nanosecond(i128::from(start)).ok()?;
    Some(start.strftime("%Y-%m-%d").to_string())
}

/// The sequence of tool names: `search > book`.
fn flow(session: &Session<'_>) -> Option<String> {
    let names: Vec<&str> = session.tool_calls().map(|(_, s)| s.name.as_str()).collect();
    let more = if names.len() > FLOW { format!(" > ... ({} calls)", names.len()) } else { String::new() };
    (!names.is_empty()).then(|| format!("{}{more}", names[..names.len().min(FLOW)].join(" > ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cell(metric: &str, by: &[&str], session: serde_json::Value) -> Cell {
        let column =
            Column { metric: metric.into(), of: Some("c".into()), by: by.iter().map(|b| (*b).into()).collect() };
        let text = session.to_string();
        let session: Session<'_> = serde_json::from_str(&text).unwrap();
        let tags: Vec<String> = session.tags.iter().map(ToString::to_string).collect();
        project(&column, &session, &tags, &Prices::default(), &|id| {
            (id == "c").then_some(Tally { pass: 3, fail: 1, ..Tally::default() })
        })
    }

    /// The samples as `group,group=values`.
    fn samples(metric: &str, by: &[&str], session: serde_json::Value) -> Vec<String> {
        match cell(metric, by, session) {
            Cell::Samples(samples) => samples.iter().map(|s| format!("{}={:?}", s.group.join(","), s.values)).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn missing(metric: &str, session: serde_json::Value) -> String {
        match cell(metric, &[], session) {
            Cell::Missing(why) => why,
            other => panic!("{metric}: {other:?}"),
        }
    }

    fn full() -> serde_json::Value {
        json!({"id": "s", "agent": "a", "user": "u", "tags": ["x", "y"], "rating": 4, "escalated": true,
            "attributes": {"n": 2.5, "text": "3", "first_contact_resolution": false},
            "turns": [
                {"ttft_ns": 5_000_000, "start_ns": 0, "end_ns": 30_000_000, "spans": [
                    {"kind": "llm", "name": "chat", "model": "m1", "usage": {"input": 10, "output": 2}, "cost_usd": 0.1},
                    {"kind": "tool", "name": "f", "status": "ok"}, {"kind": "tool", "name": "f", "status": "error"}]},
                {"ttft_ns": 7_500_000, "start_ns": 40_000_000, "spans": [
                    {"kind": "llm", "name": "chat", "model": "m2", "usage": {"input": 20, "output": 3}, "cost_usd": 0.2, "end_ns": 60_000_000},
                    {"kind": "tool", "name": "g", "status": "ok"}]}]})
    }

    #[test]
    fn each_metric_is_taken_from_the_session() {
        let expected = [
            ("ttft_ms", vec!["=[5.0]", "=[7.5]"]),
            ("turn_ms", vec!["=[30.0]", "=[20.0]"]),
            ("session_ms", vec!["=[60.0]"]),
            ("tokens_in", vec!["=[30.0]"]),
            ("tokens_out", vec!["=[5.0]"]),
            ("tokens", vec!["=[35.0]"]),
            ("cost_usd", vec!["=[0.3]"]),
            ("tool_calls", vec!["=[3.0]"]),
            ("tool_errors", vec!["=[1.0]"]),
            ("turns", vec!["=[2.0]"]),
            ("memory_reads", vec!["=[1.0]"]),
            ("memory_writes", vec!["=[2.0]"]),
            ("csat", vec!["=[4.0]"]),
            ("tool_error_rate", vec!["=[1.0, 3.0]"]),
            ("escalation_rate", vec!["=[1.0, 1.0]"]),
            ("first_contact_resolution", vec!["=[0.0, 1.0]"]),
            ("detection_rate", vec!["=[1.0, 4.0]"]),
        ];
        assert_eq!(expected.len(), METRICS.len());
        let mut session = full();
        session["turns"][0]["spans"][0]["start_ns"] = json!(0);
        let memory = |name: &str| json!({"kind": "memory", "name": name});
        session["spans"] = json!([memory("search_memory"), memory("create_memory"), memory("delete_memory")]);
        for (metric, values) in expected {
            assert_eq!(samples(metric, &[], session.clone()), values, "{metric}");
        }
        assert_eq!(samples("attr:n", &[], full()), ["=[2.5]"]);
    }

    #[test]
    fn what_is_not_recorded_is_missing_and_never_zero() {
        let bare =
            json!({"id": "s", "turns": [{"spans": [{"kind": "llm", "name": "chat"}, {"kind": "tool", "name": "f"}]}]});
        for metric in METRICS.iter().map(|m| m.name).filter(|m| !["tool_calls", "turns", "detection_rate"].contains(m))
        {
            assert!(!missing(metric, bare.clone()).is_empty(), "{metric}");
        }
        assert_eq!(missing("tokens", json!({"id": "s", "turns": [{}]})), "no model call is recorded");
        assert_eq!(missing("attr:text", full()), "the attribute `text` is not a number");
        assert_eq!(missing("attr:gone", full()), "the session has no attribute `gone`");
    }

    #[test]
    fn one_value_that_is_not_recorded_makes_the_session_missing() {
        let mut session = full();
        session["turns"][1].as_object_mut().unwrap().remove("ttft_ns");
        assert_eq!(missing("ttft_ms", session), "turn 2 has no time to first token");
        let mut session = full();
        session["turns"][0]["spans"][0]["usage"] = json!({"input": 10});
        assert_eq!(missing("tokens", session), "the model call `chat` has no token counts");
    }

    #[test]
    fn memory_operations_are_counted_only_where_a_trace_tells_what_each_does() {
        let trace = |spans: serde_json::Value| json!({"id": "s", "spans": spans});
        let none = trace(json!([{"id": "1", "kind": "llm", "name": "chat"}]));
        assert_eq!(samples("memory_reads", &["tool"], none), ["(none)=[0.0]"]);
        let unknown = trace(json!([{"kind": "memory", "name": "get"}, {"kind": "memory", "name": "memory"}]));
        assert!(missing("memory_reads", unknown.clone()).contains("`memory` reads or writes"));
        assert!(missing("memory_writes", unknown).contains("`memory` reads or writes"));
        let transcript = trace(json!([{"kind": "llm", "name": "chat"}, {"kind": "tool", "name": "search_memory"}]));
        assert_eq!(missing("memory_writes", transcript), memory::UNSEEN);
    }

    #[test]
    fn times_that_run_backwards_are_missing() {
        assert!(!missing("session_ms", json!({"id": "s", "start_ns": 2, "end_ns": 1})).is_empty());
    }

    #[test]
    fn nothing_to_measure_is_no_sample() {
        let idle = json!({"id": "s"});
        for metric in ["ttft_ms", "turn_ms", "tool_error_rate"] {
            assert!(samples(metric, &[], idle.clone()).is_empty(), "{metric}");
        }
        assert_eq!(samples("tool_calls", &[], idle), ["=[0.0]"]);
    }

    #[test]
    fn sums_over_calls_are_split_by_what_the_calls_carry() {
        assert_eq!(samples("tokens", &["model"], full()), ["m1=[12.0]", "m2=[23.0]"]);
        assert_eq!(samples("tool_calls", &["tool"], full()), ["f=[2.0]", "g=[1.0]"]);
        assert_eq!(samples("tool_error_rate", &["tool"], full()), ["f=[1.0, 2.0]", "g=[0.0, 1.0]"]);
        assert_eq!(samples("tool_error_rate", &["agent", "tool"], full()), ["a,f=[1.0, 2.0]", "a,g=[0.0, 1.0]"]);
    }

    #[test]
    fn other_values_count_in_every_group_of_their_session_or_turn() {
        assert_eq!(samples("csat", &["agent"], full()), ["a=[4.0]"]);
        assert_eq!(samples("csat", &["user"], full()), ["u=[4.0]"]);
        assert_eq!(samples("csat", &["tag"], full()), ["x=[4.0]", "y=[4.0]"]);
        assert_eq!(samples("csat", &["flow"], full()), ["f > f > g=[4.0]"]);
        assert_eq!(samples("csat", &["day"], full()), ["1970-01-01=[4.0]"]);
        assert_eq!(samples("csat", &["attr:text"], full()), ["3=[4.0]"]);
        assert_eq!(samples("csat", &["tool", "tag"], full()).len(), 4);
        assert_eq!(samples("ttft_ms", &["model"], full()), ["m1=[5.0]", "m2=[7.5]"]);
    }

    #[test]
    fn a_missing_group_is_a_group_of_its_own() {
        let bare = json!({"id": "s", "rating": 1});
        for by in ["agent", "model", "user", "tool", "flow", "tag", "day", "attr:x"] {
            assert_eq!(samples("csat", &[by], bare.clone()), ["(none)=[1.0]"], "{by}");
        }
    }

    #[test]
    fn a_session_in_countless_groups_is_refused() {
        let tags: Vec<String> = (0..2000).map(|i| i.to_string()).collect();
        assert!(matches!(cell("csat", &["tag"], json!({"id": "s", "rating": 1, "tags": tags})), Cell::Missing(_)));
    }

    #[test]
    fn unknown_names_get_the_nearest_one() {
        let (message, help) = shape("tfft_ms").unwrap_err();
        assert_eq!(message, "unknown metric `tfft_ms`");
        assert!(help.unwrap().starts_with("did you mean `ttft_ms`?"));
        assert!(shape("attr:").is_err() && shape("attr:x").is_ok());
        assert!(group("agents").unwrap_err().1.unwrap().starts_with("did you mean `agent`?"));
        assert!(group("attr:").is_err() && group("attr:x").is_ok());
    }
}
