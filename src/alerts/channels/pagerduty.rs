//! `pagerduty`: Events API v2.

use serde_json::{Map, Value, json};

use super::{ChannelKind, Given, Letter, What, moment};
use crate::alerts::{Notice, Turn};

pub(super) const CHANNEL: ChannelKind = ChannelKind {
    name: "pagerduty",
    doc: "Triggers and resolves incidents by PagerDuty's Events API v2: one for each group of an alert.",
    example: "[notify.oncall]\nkind = \"pagerduty\"\nrouting_key = \"{{ env.PAGERDUTY_KEY }}\"\n",
    needs: &["routing_key"],
    takes: &["url"],
    url: Some("https://events.pagerduty.com/v2/enqueue"),
    letters,
};

/// The most characters of a summary.
const LONGEST: usize = 1_024;

fn letters(notice: &Notice, given: &Given<'_>) -> Vec<Letter> {
    let letter = |change: &crate::alerts::Change| {
        let resolves = change.turn == Turn::Resolves;
        let mut event = Map::new();
        event.insert("routing_key".to_owned(), given.routing_key.into());
        event.insert("event_action".to_owned(), if resolves { "resolve" } else { "trigger" }.into());
        event.insert("dedup_key".to_owned(), change.incident.clone().into());
        if !resolves {
            let group = if change.group.is_empty() { String::new() } else { format!(" [{}]", change.group) };
            let summary = format!("{}/{}{group}: {}", notice.suite, notice.alert, change.text);
            let payload = json!({
                "summary": summary.chars().take(LONGEST).collect::<String>(),
                "source": notice.suite,
                "severity": notice.severity.name(),
                "timestamp": moment(change.since),
                "component": notice.alert,
                "group": change.group,
                "class": notice.kind,
                "custom_details": { "description": notice.description },
            });
            event.insert("payload".to_owned(), payload);
            event.insert("client".to_owned(), "seatrial".into());
            if !notice.link.is_empty() {
                event.insert("links".to_owned(), json!([{ "href": notice.link, "text": "runbook" }]));
            }
        }
        let id = format!("{}.{}", change.incident, notice.key);
        Letter { id, what: What::Json(Value::Object(event)) }
    };
    notice.changes.iter().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::channels::testing::notice;

    #[test]
    fn every_group_has_an_incident_that_its_end_resolves() {
        let letters = letters(&notice(), &Given { routing_key: "R", ..Given::default() });
        let events: Vec<&Value> = letters
            .iter()
            .map(|letter| match &letter.what {
                What::Json(event) => event,
                What::Run(..) => panic!("json"),
            })
            .collect();
        assert_eq!(events[0]["event_action"], "trigger");
        assert_eq!(events[0]["dedup_key"], "i1");
        assert_eq!(events[0]["routing_key"], "R");
        assert_eq!(events[0]["payload"]["severity"], "critical");
        assert_eq!(events[0]["payload"]["timestamp"], "2026-11-27T11:55:00Z");
        assert_eq!(*events[1], json!({ "routing_key": "R", "event_action": "resolve", "dedup_key": "i2" }));
    }
}
