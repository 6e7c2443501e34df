//! `[review]` in `seatrial.toml`: who is told what happens in the queue.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{Reader, found};
use super::{Origin, Setting, did_you_mean};
use crate::ledger::Event;
use crate::net::secret::Secretive;
use crate::net::webhook::send::Target;
use crate::suite::nearest::nearest;

/// The keys of the table.
const KEYS: &[&str] = &["webhooks"];
/// The keys of a webhook.
const OF_WEBHOOK: &[&str] = &["content", "events", "secret", "url"];

/// What the reference says of `[review]`.
pub const DOC: &str = r#"[review] says who is told what happens in the queue of reviews:

  [review]
  webhooks = [{ url = "https://example.org/hook", secret = "{{ env.HOOK_SECRET }}", events = ["new", "overdue"] }]

A message is a POST with JSON, signed as Standard Webhooks has it (`webhook-id`, `webhook-timestamp`,
`webhook-signature: v1,...`, HMAC-SHA256), so that its libraries check it; `webhook-id` is the same when a message comes
again. `secret` is at least 24 bytes, or base64 behind `whsec_`. `events` are `new`, `resolved` and `overdue`; without it,
all. With `content = true` a message says what the check asks and the comments of reviewers, too; the session itself and
what the check says are never sent. Messages wait in the store and are sent at the end of a run, by `seatrial review
serve`, and by `seatrial review notify`; where nobody is there they are sent again, later each time, for three days.
"#;

/// `[review]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReviewTable {
    /// Who is told, in the order in which they are written.
    pub webhooks: Vec<Webhook>,
}

/// An address that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where messages go, and how they are signed.
    pub target: Target,
    /// Of what it is told.
    pub events: Vec<Event>,
    /// Whether messages say what people ask and write.
    pub content: bool,
    /// Where it is written.
    pub origin: Origin,
}

impl Webhook {
    /// In words, without secrets.
    pub fn written(&self) -> String {
        let events: Vec<&str> = self.events.iter().map(|e| e.name()).collect();
        format!("{} ({})", self.target.url.written(), events.join(", "))
    }
}

impl Reader<'_> {
    /// Reads the table.
    pub(super) fn review(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(table) = self.table("review", value) else { return };
        let mut review = ReviewTable::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "webhooks" => review.webhooks = self.webhooks(value),
                name => {
                    let help = nearest(name, KEYS.iter().copied()).map(did_you_mean);
                    let help = help.or_else(|| Some(format!("[review] has {}", KEYS.join(", "))));
                    self.problem(key.span(), format!("unknown key `{name}` in [review]"), help);
                }
            }
        }
        let origin = self.origin(&value.span(), None);
        self.file.review = Some(Setting { value: review, origin });
    }

    fn webhooks(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Webhook> {
        let DeValue::Array(items) = value.get_ref() else {
            let found = found(value);
            let help = Some("`webhooks = [{ url = \"https://...\", secret = \"{{ env.HOOK_SECRET }}\" }]`".to_owned());
            self.problem(value.span(), format!("`webhooks` is a list of tables, not {found}"), help);
            return Vec::new();
        };
        let mut webhooks: Vec<Webhook> = Vec::new();
        for item in items.iter() {
            let Some(table) = self.table("webhooks", item) else { continue };
            let Some(webhook) = self.webhook(table, item.span()) else { continue };
            if webhooks.iter().any(|w| w.target.url == webhook.target.url) {
                let help = "list all its events in one entry".to_owned();
                self.problem(item.span(), "this address is here already", Some(help));
                continue;
            }
            webhooks.push(webhook);
        }
        webhooks
    }

    fn webhook(&mut self, table: &DeTable<'_>, at: Range<usize>) -> Option<Webhook> {
        let before = self.problems_so_far();
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if !OF_WEBHOOK.contains(&name) {
                let help = nearest(name, OF_WEBHOOK.iter().copied()).map(did_you_mean);
                let help = help.or_else(|| Some(format!("a webhook has {}", OF_WEBHOOK.join(", "))));
                self.problem(key.span(), format!("unknown key `{name}` in a webhook"), help);
            }
        }
        let url = self.secretive(table, "url", &at, "`url = \"https://...\"` says where messages go");
        let help = "`secret = \"{{ env.HOOK_SECRET }}\"`; `openssl rand -base64 32` makes one";
        let secret = self.secretive(table, "secret", &at, help);
        if let Some((url, span)) = &url
            && !(url.written().starts_with("https://") || url.written().starts_with("http://") || url.has_variables())
        {
            self.problem(span.clone(), "`url` is an address that begins with https:// or http://", None);
        }
        if let Some((secret, span)) = &secret
            && !secret.has_variables()
        {
            let help = "write `secret = \"{{ env.NAME }}\"` and set the variable, or `NAME_FILE`".to_owned();
            let message = "`secret` is written out: a secret comes from the environment".to_owned();
            self.secret(span.clone(), (message, help), true);
        }
        let events = table.get("events").map_or_else(|| Event::ALL.to_vec(), |value| self.events(value));
        let content = table.get("content").is_some_and(|value| {
            value.get_ref().as_bool().unwrap_or_else(|| {
                let found = found(value);
                self.problem(value.span(), format!("`content` is true or false, not {found}"), None);
                false
            })
        });
        let origin = self.origin(&at, None);
        let ((url, _), (secret, _)) = (url?, secret?);
        let sound = self.problems_so_far() == before;
        sound.then_some(Webhook { target: Target { url, secret }, events, content, origin })
    }

    fn secretive(
        &mut self,
        table: &DeTable<'_>,
        name: &str,
        at: &Range<usize>,
        help: &str,
    ) -> Option<(Secretive, Range<usize>)> {
        let Some(value) = table.get(name) else {
            self.problem(at.clone(), format!("a webhook needs `{name}`"), Some(help.to_owned()));
            return None;
        };
        let Some(text) = value.get_ref().as_str().filter(|text| !text.trim().is_empty()) else {
            let found = found(value);
            self.problem(value.span(), format!("`{name}` is a string that is not empty, not {found}"), None);
            return None;
        };
        match Secretive::parse(text) {
            Ok(read) => Some((read, value.span())),
            Err(why) => {
                self.problem(value.span(), format!("`{name}`: {why}"), None);
                None
            }
        }
    }

    fn events(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Event> {
        let names = || Event::ALL.iter().map(|e| e.name());
        let mut events = Vec::new();
        for (text, span) in self.strings("events", value) {
            match Event::named(&text) {
                Some(event) if events.contains(&event) => {}
                Some(event) => events.push(event),
                None => {
                    let help = nearest(&text, names()).map(did_you_mean);
                    let help =
                        help.or_else(|| Some(format!("the events are {}", names().collect::<Vec<_>>().join(", "))));
                    self.problem(span, format!("no event is called `{text}`"), help);
                }
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::file::{File, parse};
    use super::*;

    fn read(text: &str) -> (File, Vec<String>) {
        let mut problems = Vec::new();
        let file = parse(text, Path::new("seatrial.toml"), Path::new(""), &mut problems);
        (file, problems.into_iter().map(|p| p.message).collect())
    }

    #[test]
    fn a_webhook_has_an_address_a_secret_and_events() {
        let (file, problems) = read(
            "[review]\nwebhooks = [{ url = \"https://a/{{ env.T }}\", secret = \"{{ env.S }}\", events = [\"new\"] },\n\
             { url = \"http://b\", secret = \"{{ env.S }}\", content = true }]\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        let webhooks = file.review.unwrap().value.webhooks;
        assert_eq!(webhooks[0].written(), "https://a/{{ env.T }} (new)");
        assert_eq!((webhooks[0].content, webhooks[1].content), (false, true));
        assert_eq!(webhooks[1].events, Event::ALL);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let (file, problems) = read(
            "[review]\nwebhook = 1\nwebhooks = [{ url = \"ftp://a\", secret = \"written out here\", evnts = [] },\n\
             { secret = \"{{ env.S }}\", events = [\"nw\"], content = 1 }, 7,\n\
             { url = \"http://b\", secret = \"{{ env.S }}\" }, { url = \"http://b\", secret = \"{{ env.S }}\" }]\n",
        );
        assert_eq!(file.review.unwrap().value.webhooks.len(), 1);
        for part in [
            "unknown key `webhook` in [review]",
            "unknown key `evnts` in a webhook",
            "https:// or http://",
            "`secret` is written out",
            "a webhook needs `url`",
            "no event is called `nw`",
            "`content` is true or false",
            "`webhooks` is a table, not an integer",
            "this address is here already",
        ] {
            assert!(problems.iter().any(|p| p.contains(part)), "{part}: {problems:#?}");
        }
        assert_eq!(problems.len(), 9, "{problems:#?}");
    }
}
