//! `alertmanager`: the API v2 of Prometheus' Alertmanager.

use serde_json::{Map, Value, json};

use super::{ChannelKind, Given, Letter, What, moment};
use crate::alerts::{Notice, Turn};

pub(super) const CHANNEL: ChannelKind = ChannelKind {
    name: "alertmanager",
    doc: "Posts alerts to Alertmanager (`/api/v2/alerts`), labelled `alertname`, `suite`, `severity` and `group`. One that \
          fires is said to last a week, unless its end is told before: Alertmanager itself would take it for over after \
          five minutes of silence.",
    example: "[notify.am]\nkind = \"alertmanager\"\nurl = \"http://alertmanager:9093/api/v2/alerts\"\n",
    needs: &["url"],
    takes: &[],
    url: None,
    letters,
};

/// How long an alert is said to last, in milliseconds.
const LASTS: i64 = 7 * 24 * 3_600_000;

fn letters(notice: &Notice, _: &Given<'_>) -> Vec<Letter> {
    let alert = |change: &crate::alerts::Change| {
        let mut labels = Map::new();
        for (name, value) in [("alertname", &notice.alert), ("suite", &notice.suite), ("group", &change.group)] {
            // An empty label is none.
            if !value.is_empty() {
                labels.insert(name.to_owned(), value.clone().into());
            }
        }
        labels.insert("severity".to_owned(), notice.severity.name().into());
        let end = if change.turn == Turn::Resolves { notice.at } else { notice.at.saturating_add(LASTS) };
        let mut alert = json!({
            "labels": labels,
            "annotations": { "summary": change.text, "description": notice.description },
            "startsAt": moment(change.since),
            "endsAt": moment(end),
        });
        if !notice.link.is_empty() {
            alert["generatorURL"] = notice.link.clone().into();
        }
        alert
    };
    let alerts: Vec<Value> = notice.changes.iter().map(alert).collect();
    vec![Letter { id: notice.key.clone(), what: What::Json(alerts.into()) }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::channels::testing::notice;

    #[test]
    fn one_that_fires_ends_later_and_one_that_is_over_ends_now() {
        let [letter] = &letters(&notice(), &Given::default())[..] else { panic!("one letter") };
        let What::Json(alerts) = &letter.what else { panic!("json") };
        assert_eq!(alerts[0]["labels"]["alertname"], "slow");
        assert_eq!(alerts[0]["endsAt"], "2026-12-04T12:00:00Z");
        assert_eq!(alerts[1]["endsAt"], "2026-11-27T12:00:00Z");
        assert_eq!(alerts[1]["labels"]["group"], "c");
    }
}
