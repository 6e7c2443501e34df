//! Where notices go, and what they are there: one file per kind, from a notice to the letters that are sent. Pure: who
//! sends them, and again where that failed, is [`crate::notify`].

mod alertmanager;
mod command;
mod pagerduty;
mod promote;
mod slack;
mod webhook;

use serde_json::Value;

use super::Notice;

/// A kind of channel: an entry of the registry.
#[derive(Debug)]
pub struct ChannelKind {
    /// The name in `kind = "..."`.
    pub name: &'static str,
    /// What it is, for the reference.
    pub doc: &'static str,
    /// A table of `seatrial.toml`.
    pub example: &'static str,
    /// Keys that it needs beside `kind`.
    pub needs: &'static [&'static str],
    /// Keys that it may have.
    pub takes: &'static [&'static str],
    /// Where it goes, where `url` need not be given.
    pub url: Option<&'static str>,
    /// What is sent, or started, for a notice.
    pub letters: fn(&Notice, &Given<'_>) -> Vec<Letter>,
}

/// What a channel is given beside the notice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'g> {
    /// `routing_key`, with its variables in place.
    pub routing_key: &'g str,
    /// `run`.
    pub run: &'g [String],
    /// `agent` and `target` of a promotion.
    pub promotion: (&'g str, &'g str),
    /// This program.
    pub program: &'g str,
}

/// What is sent once, or started once.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// What tells it from others, however often it is sent.
    pub id: String,
    /// What it says.
    pub what: What,
}

/// What a letter says.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// JSON, posted.
    Json(Value),
    /// A program with its arguments and variables.
    Run(Vec<String>, Vec<(&'static str, String)>),
}

/// Every kind of channel, by name.
pub static CHANNELS: &[ChannelKind] =
    &[alertmanager::CHANNEL, command::CHANNEL, pagerduty::CHANNEL, promote::CHANNEL, slack::CHANNEL, webhook::CHANNEL];

/// The kind with this name.
pub fn named(name: &str) -> Option<&'static ChannelKind> {
    CHANNELS.iter().find(|kind| kind.name == name)
}

/// A moment as RFC 3339.
fn moment(at: crate::ledger::Millis) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |at| at.to_string())
}

/// What a notice says in one line: the alert, and what is new of its groups.
fn summary(notice: &Notice) -> String {
    let one = |change: &super::Change| {
        let group = if change.group.is_empty() { String::new() } else { format!(" [{}]", change.group) };
        format!("{}{group}: {}", change.turn.name(), change.text)
    };
    let told: Vec<String> = notice.changes.iter().take(MOST).map(one).collect();
    let more = notice.changes.len().saturating_sub(MOST);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}/{} {}{more}", notice.suite, notice.alert, told.join("; "))
}

/// Groups that are told one by one in a text.
const MOST: usize = 20;

#[cfg(test)]
pub(crate) mod testing {
    use super::super::{Change, Notice, Turn, Urgency};

    /// A notice of two groups, one of which has an end; a group's name is hostile.
    pub(crate) fn notice() -> Notice {
        let change = |group: &str, turn, incident: &str| Change {
            group: group.to_owned(),
            turn,
            since: 1_795_780_500_000,
            text: "p95 of ttft_ms was 700 over 5m, above 500".to_owned(),
            incident: incident.to_owned(),
        };
        Notice {
            key: "k1".to_owned(),
            suite: "airline".to_owned(),
            alert: "slow".to_owned(),
            kind: "threshold".to_owned(),
            severity: Urgency::Critical,
            description: "Look at the model's status page.".to_owned(),
            link: "https://wiki.example/slow".to_owned(),
            to: None,
            at: 1_795_780_800_000,
            changes: vec![change("a<!channel>&\"b\"", Turn::Fires, "i1"), change("c", Turn::Resolves, "i2")],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_names_its_letters_alike_however_often_they_are_made_and_shows_an_example() {
        let given = Given { routing_key: "r", run: &["x".to_owned()], promotion: ("a", "prod"), program: "seatrial" };
        for kind in CHANNELS {
            let (once, again) =
                ((kind.letters)(&testing::notice(), &given), (kind.letters)(&testing::notice(), &given));
            assert!(!once.is_empty(), "{}", kind.name);
            assert_eq!(once, again, "{}", kind.name);
            let mut ids: Vec<&str> = once.iter().map(|letter| letter.id.as_str()).collect();
            ids.dedup();
            assert_eq!(ids.len(), once.len(), "{}", kind.name);
            let table: toml::Table = toml::from_str(kind.example).unwrap();
            let (_, table) = table["notify"].as_table().unwrap().iter().next().unwrap();
            assert_eq!(table["kind"].as_str(), Some(kind.name));
            assert!(kind.needs.iter().all(|key| table.get(key).is_some()), "{}", kind.name);
        }
    }
}
