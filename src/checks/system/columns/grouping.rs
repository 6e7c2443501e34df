//! Where a value counts: the groups of a session, a turn or a call by what a column is grouped by.

use std::collections::{BTreeMap, BTreeSet};

use super::{NONE, Sample, Samples};
use crate::model::{Session, Span, SpanKind};

/// The most groups that one session, turn or call is counted in.
const MAX_GROUPS: usize = 1000;

/// The most tool names that are written out in a `flow`.
const FLOW: usize = 64;

/// The groups that a session, a turn or a call belongs to.
pub(super) struct Grouping<'g> {
    pub by: &'g [String],
    pub session: &'g Session<'g>,
    pub tags: &'g [String],
}

impl Grouping<'_> {
    /// One sample in each group of the session.
    pub fn whole(&self, values: Vec<f64>) -> Samples {
        self.samples(&mut self.session.spans(), values)
    }

    /// One sample in each group of some operations.
    pub fn samples<'s>(&self, spans: &mut dyn Iterator<Item = &'s Span<'s>>, values: Vec<f64>) -> Samples {
        if self.by.is_empty() {
            return Ok(vec![Sample { group: Vec::new(), values }]);
        }
        let spans: Vec<&Span<'_>> =
            if self.by.iter().any(|b| b == "model" || b == "tool") { spans.collect() } else { Vec::new() };
        let groups = self.groups(&spans)?;
        Ok(groups.into_iter().map(|group| Sample { group, values: values.clone() }).collect())
    }

    /// A sum over operations. Where it is grouped by what the operations themselves carry (`own`), it is split among
    /// those groups; otherwise the whole sum counts in each group of the session.
    pub fn split<'s>(
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
        let mut sums: BTreeMap<Vec<String>, i128> = BTreeMap::new();
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
            "version" => values.extend(session.version.as_ref().map(ToString::to_string)),
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
pub fn flow(session: &Session<'_>) -> Option<String> {
    let names: Vec<&str> = session.tool_calls().map(|(_, s)| s.name.as_str()).collect();
    let more = if names.len() > FLOW { format!(" > ... ({} calls)", names.len()) } else { String::new() };
    (!names.is_empty()).then(|| format!("{}{more}", names[..names.len().min(FLOW)].join(" > ")))
}
