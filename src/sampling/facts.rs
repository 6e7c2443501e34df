//! What of a session decides whether it is looked at: its stratum, and whether it is kept whatever its share.

use std::cell::OnceCell;

use crate::checks::expect::Expected;
use crate::checks::select::Glob;
use crate::checks::subject::{NO_EARLIER, Scene};
use crate::checks::system::columns;
use crate::model::{Attributes, Session, Span, SpanKind, SpanStatus};
use crate::suite::watch::sample::Sample;
use crate::suite::watch::{Keep, Stratum};

/// Why a session is kept whatever its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// An operation ended in an error.
    Errors,
    /// It took longer.
    Slow,
    /// It cost more.
    Expensive,
    /// A guardrail or policy denied something.
    Denied,
    /// Somebody flagged it.
    Flagged,
}

impl Kept {
    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Slow => "slow",
            Self::Expensive => "expensive",
            Self::Denied => "denied",
            Self::Flagged => "flagged",
        }
    }
}

/// What of a session decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its stratum: the position in the suite, and behind all of them that of the rest.
    pub stratum: usize,
    /// Why it is kept: the first reason.
    pub kept: Option<Kept>,
}

impl Facts {
    /// What of a session decides. `tags` are the session's, `usd` what it cost, as far as that is known.
    pub fn of(session: &Session<'_>, tags: &[String], usd: Option<f64>, sample: &Sample) -> Self {
        let stratum = sample.strata.iter().position(|stratum| is_in(stratum, session, tags));
        Self { stratum: stratum.unwrap_or(sample.strata.len()), kept: kept(session, tags, usd, &sample.keep) }
    }
}

/// Whether a session is in a stratum.
fn is_in(stratum: &Stratum, session: &Session<'_>, tags: &[String]) -> bool {
    let fits = |glob: &Option<Glob>, text: Option<&str>| match glob {
        None => true,
        Some(glob) => text.is_some_and(|text| glob.is_match(text)),
    };
    fits(&stratum.version, session.version.as_deref())
        && (stratum.flow.is_none() || fits(&stratum.flow, columns::flow(session).as_deref()))
        && stratum.filters.iter().all(|filter| filter.holds(session))
        && (stratum.on.is_empty() || selected(stratum, session, tags))
}

fn selected(stratum: &Stratum, session: &Session<'_>, tags: &[String]) -> bool {
    let expected = Expected::default();
    stratum.on.session(&Scene {
        session,
        case_id: "",
        tags,
        expected: &expected,
        turn_expected: &[],
        earlier: Err(NO_EARLIER),
        context: &OnceCell::new(),
        make_context: &minijinja::Value::default,
    })
}

fn kept(session: &Session<'_>, tags: &[String], usd: Option<f64>, keep: &Keep) -> Option<Kept> {
    let failed = || session.failure.is_some() || session.spans().any(|span| span.status == SpanStatus::Error);
    if keep.errors && failed() {
        return Some(Kept::Errors);
    }
    if keep.slow_ms.is_some_and(|most| lasted_ms(session).is_some_and(|ms| ms > most)) {
        return Some(Kept::Slow);
    }
    if keep.expensive_usd.zip(usd).is_some_and(|(most, usd)| usd > most) {
        return Some(Kept::Expensive);
    }
    if keep.denied && session.spans().any(denied) {
        return Some(Kept::Denied);
    }
    let said = |name: &String| tags.contains(name) || is_said(&session.attributes, name);
    keep.flagged.iter().any(said).then_some(Kept::Flagged)
}

/// How long a session took, from the first to the last moment that it tells.
fn lasted_ms(session: &Session<'_>) -> Option<f64> {
    let start = session.start_ns.or_else(|| session.spans().filter_map(|span| span.start_ns).min())?;
    let end = session.end_ns.or_else(|| session.spans().filter_map(|span| span.end_ns).max())?;
    Some(end.checked_sub(start)? as f64 / 1e6)
}

/// Whether an attribute is there and not false.
fn is_said(attributes: &Attributes<'_>, name: &str) -> bool {
    attributes.get(name).is_some_and(|value| !matches!(value.as_str(), "false" | "" | "null"))
}

/// Endings of the names of attributes that say what a policy or guardrail decided.
const DECISIONS: [&str; 4] = ["policy.decision", "guardrail.action", "guardrail.decision", "authorization.decision"];
/// What says that it was no.
const NO: [&str; 8] = ["deny", "denied", "block", "blocked", "forbid", "refused", "intervened", "guardrail_intervened"];

/// Whether a guardrail or policy denied an operation.
fn denied(span: &Span<'_>) -> bool {
    let says = |name: &str, value: &str| {
        DECISIONS.iter().any(|end| name.ends_with(end)) && NO.contains(&value.to_ascii_lowercase().as_str())
    };
    span.kind == SpanKind::Guardrail && span.status == SpanStatus::Error
        || span.attributes.0.iter().any(|(name, value)| says(name, value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::sampler::testing::sample;

    fn facts(toml: &str, session: &str, usd: Option<f64>) -> (usize, Option<Kept>) {
        let session: Session<'_> = serde_json::from_str(session).unwrap();
        let tags: Vec<String> = session.tags.iter().map(ToString::to_string).collect();
        let facts = Facts::of(&session, &tags, usd, &sample(toml));
        (facts.stratum, facts.kept)
    }

    const ONE: &str = r#"{"id":"s","agent":"airline","version":"2.1","user":"vip-1","tags":["complaint"],"start_ns":0,
        "end_ns":5000000000,"attributes":{"tier":"gold","flag":true,"quiet":false},"turns":[{"spans":[
        {"kind":"tool","name":"search","status":"ok"},{"kind":"tool","name":"book","status":"error",
         "attributes":{"aws.bedrock.agentcore.policy.decision":"DENY"}}]}]}"#;

    #[test]
    fn the_first_stratum_that_a_session_is_in_counts() {
        let strata = "[[stratum]]\nname = \"a\"\nrate = 1.0\nversion = \"1.*\"\n\
                      [[stratum]]\nname = \"b\"\nrate = 1.0\nflow = \"search > book*\"\n\
                      [[stratum]]\nname = \"c\"\nrate = 1.0\non = { user = \"vip*\" }\n";
        assert_eq!(facts(strata, ONE, None).0, 1);
        let filters = "[[stratum]]\nname = \"a\"\nrate = 1.0\non = { agent = \"airline\", tags = \"complaint\" }\n\
                       filters = [{ key = \"tier\", operator = \"Equals\", value = \"silver\" }]\n";
        assert_eq!(facts(filters, ONE, None).0, 1, "the rest");
        assert_eq!(facts(&filters.replace("silver", "gold"), ONE, None).0, 0);
        assert_eq!(facts(strata, r#"{"id":"s","turns":[]}"#, None).0, 3, "what says nothing is in none");
    }

    #[test]
    fn every_rule_keeps_what_it_says() {
        let kept = |rule: &str| facts(&format!("keep = {{ {rule} }}\n"), ONE, Some(0.4)).1;
        assert_eq!(kept("errors = true"), Some(Kept::Errors));
        assert_eq!((kept("slow_ms = 4999"), kept("slow_ms = 5000")), (Some(Kept::Slow), None));
        assert_eq!((kept("expensive_usd = 0.3"), kept("expensive_usd = 0.4")), (Some(Kept::Expensive), None));
        assert_eq!(kept("denied = true"), Some(Kept::Denied));
        let flagged = Some(Kept::Flagged);
        assert_eq!((kept("flagged = [\"complaint\"]"), kept("flagged = [\"flag\"]")), (flagged, flagged));
        assert_eq!((kept("flagged = [\"quiet\"]"), kept("flagged = [\"other\"]")), (None, None));
    }

    #[test]
    fn what_is_not_known_keeps_nothing() {
        assert_eq!(facts("keep = { expensive_usd = 0.0 }\n", ONE, None).1, None);
        assert_eq!(facts("keep = { slow_ms = 0 }\n", r#"{"id":"s","turns":[]}"#, None).1, None);
    }
}
