//! Verdicts as events in the backend of the user: log records named `gen_ai.evaluation.result`, as the conventions of
//! OpenTelemetry have them, each parented to the span that was evaluated.
//!
//! They are made from rows, and how far they were told is kept in the store: at least once, whoever was killed, and in order.

use std::time::Duration;

use serde_json::{Value, json};

use super::row::Body;
use crate::ledger::Millis;
use crate::model::Status;
use crate::redact::Redacted;
use crate::store::db::{Place, Store, StoreError, WatchedRow};

/// Rows that are told at a time.
const PORTION: u32 = 200;

/// How long the backend has to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tells a backend of verdicts.
pub struct Exporter {
    client: reqwest::Client,
    url: String,
    store: Store,
    /// The number of the last row that was told.
    told: i64,
}

/// Why verdicts were not told.
#[derive(Debug, thiserror::Error)]
pub enum Untold {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backend did not take them; they are told again.
    #[error("`{url}` did not take verdicts: {why}")]
    Backend {
        /// Where it is.
        url: String,
        /// Why.
        why: String,
    },
}

impl Exporter {
    /// Tells the backend at `endpoint`, such as `http://localhost:4318`, of what comes from now on, or from where an earlier
    /// process had come to.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open(client: reqwest::Client, endpoint: &str, store: Store) -> Result<Self, StoreError> {
        let trimmed = endpoint.trim_end_matches('/');
        let url = if trimmed.ends_with("/v1/logs") { trimmed.to_owned() } else { format!("{trimmed}/v1/logs") };
        let known = store.places(&source(&url)).await?.first().map(|place| place.place);
        let told = match known {
            Some(told) => told,
            None => store.last_watched().await?,
        };
        Ok(Self { client, url, store, told })
    }

    /// Where the backend is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Tells of what is new; how many verdicts, 0 where there is nothing.
    ///
    /// # Errors
    /// The store cannot be read, or the backend did not take them: they are told again.
    pub async fn tell(&mut self, now: Millis) -> Result<u64, Untold> {
        let rows = self.store.watched_behind(self.told, PORTION).await?;
        let Some(last) = rows.last().map(|row| row.n) else { return Ok(0) };
        let events: Vec<Value> = rows.iter().flat_map(events).collect();
        let count = events.len() as u64;
        if count > 0 {
            self.send(&request(events)).await.map_err(|why| Untold::Backend { url: self.url.clone(), why })?;
        }
        let place = Place { source: source(&self.url), file: String::new(), place: last };
        self.store.enter_watched(&Redacted::drawn(Vec::new()), &[place], now).await?;
        self.told = last;
        Ok(count)
    }

    async fn send(&self, request: &Value) -> Result<(), String> {
        let sent = self.client.post(&self.url).timeout(PATIENCE).json(request).send().await;
        let answer = sent.map_err(|why| why.without_url().to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(format!("it answered {}", answer.status())) }
    }
}

fn source(url: &str) -> String {
    format!("export:{url}")
}

/// A request of OTLP in JSON.
fn request(events: Vec<Value>) -> Value {
    let resource = json!({ "attributes": [text("service.name", "seatrial")] });
    let scope = json!({ "name": "seatrial", "version": env!("CARGO_PKG_VERSION") });
    json!({ "resourceLogs": [{ "resource": resource, "scopeLogs": [{ "scope": scope, "logRecords": events }] }] })
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// The verdicts of a session, one event each. A session that was not evaluated has none.
fn events(row: &WatchedRow) -> Vec<Value> {
    let Ok(body) = serde_json::from_str::<Body>(&row.watched.body) else { return Vec::new() };
    if row.watched.reason.is_some() {
        return Vec::new();
    }
    let event = |(check, said): (&String, &super::row::Said)| {
        let mut attributes = vec![
            text("gen_ai.evaluation.name", check),
            text("gen_ai.evaluation.score.label", said.status.name()),
            text("gen_ai.conversation.id", &row.watched.session),
            text("seatrial.suite", &row.watched.suite),
            json!({ "key": "seatrial.session.version", "value": { "intValue": row.version.to_string() } }),
            json!({ "key": "seatrial.inclusion", "value": { "doubleValue": row.watched.inclusion } }),
        ];
        let score = said.score.or(match said.status {
            Status::Pass => Some(1.0),
            Status::Fail => Some(0.0),
            // What was not measured has no score.
            Status::Error | Status::Held | Status::Skip => None,
        });
        if let Some(score) = score {
            attributes.push(json!({ "key": "gen_ai.evaluation.score.value", "value": { "doubleValue": score } }));
        }
        if !said.reason.is_empty() {
            attributes.push(text("gen_ai.evaluation.explanation", &said.reason));
        }
        if said.status == Status::Error {
            attributes.push(text("error.type", "unmeasured"));
        }
        let mut event = json!({
            "timeUnixNano": (i128::from(row.seen) * 1_000_000).to_string(),
            "eventName": "gen_ai.evaluation.result",
            "severityNumber": 9,
            "attributes": attributes,
        });
        if let Some((trace, span)) =
            said.place.as_ref().or(body.place.as_ref()).filter(|(t, s)| is_id(t, 32) && is_id(s, 16))
        {
            event["traceId"] = json!(trace);
            event["spanId"] = json!(span);
        }
        event
    };
    body.checks.iter().map(event).collect()
}

/// Whether a text is an id of so many hexadecimal digits.
fn is_id(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::db::Watched;
    use crate::watch::row::Said;

    fn row(body: &Body, reason: Option<&str>) -> WatchedRow {
        let watched = Watched {
            suite: "s".to_owned(),
            session: "a".to_owned(),
            replaces: Vec::new(),
            at: 5,
            digest: "d".to_owned(),
            reason: reason.map(str::to_owned),
            inclusion: 0.5,
            body: serde_json::to_string(body).unwrap(),
        };
        WatchedRow { n: 1, version: 2, seen: 7, watched }
    }

    #[test]
    fn a_verdict_is_an_event_below_the_span_that_was_evaluated() {
        let said = |status, place| Said { status, score: None, reason: "why".to_owned(), place };
        let (trace, span) = ("a".repeat(32), "b".repeat(16));
        let body = Body {
            checks: [
                ("one".to_owned(), said(Status::Fail, Some((trace.clone(), span.clone())))),
                ("two".to_owned(), said(Status::Error, None)),
            ]
            .into(),
            place: Some((trace.clone(), "c".repeat(16))),
            ..Body::default()
        };
        let told = events(&row(&body, None));
        assert_eq!((told[0]["traceId"].as_str(), told[0]["spanId"].as_str()), (Some(&*trace), Some(&*span)));
        assert_eq!(told[1]["spanId"], "c".repeat(16));
        assert_eq!(told[0]["eventName"], "gen_ai.evaluation.result");
        let has = |event: &Value, key: &str| event["attributes"].as_array().unwrap().iter().any(|a| a["key"] == key);
        assert!(has(&told[0], "gen_ai.evaluation.score.value"));
        assert!(!has(&told[1], "gen_ai.evaluation.score.value"), "what was not measured has no score");
        assert!(events(&row(&body, Some("sampled_out"))).is_empty());
    }

    #[test]
    fn what_is_no_id_is_no_parent() {
        let said = Said { status: Status::Pass, score: None, reason: String::new(), place: None };
        let body = Body {
            checks: [("one".to_owned(), said)].into(),
            place: Some(("trace".to_owned(), "1".to_owned())),
            ..Body::default()
        };
        assert!(events(&row(&body, None))[0].get("traceId").is_none());
    }
}
