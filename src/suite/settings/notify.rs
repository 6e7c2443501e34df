//! `[notify.NAME]` in `seatrial.toml`: where the alerts of the watch go.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{Reader, found};
use super::{Origin, did_you_mean};
use crate::alerts::channels::{CHANNELS, ChannelKind, named};
use crate::model::duration;
use crate::net::secret::Secretive;
use crate::suite::nearest::nearest;

/// Somewhere alerts go.
#[derive(Debug, Clone)]
pub struct Channel {
    /// What it is.
    pub kind: &'static ChannelKind,
    /// The address.
    pub url: Option<Secretive>,
    /// What messages are signed with.
    pub secret: Option<Secretive>,
    /// The key of PagerDuty's integration.
    pub routing_key: Option<Secretive>,
    /// A program and its arguments.
    pub run: Vec<String>,
    /// The agent that is taken back.
    pub agent: String,
    /// The target at which it is.
    pub target: String,
    /// How long a program may take.
    pub timeout: Duration,
    /// The folder of the settings: programs start there.
    pub dir: PathBuf,
    /// Where it is written.
    pub origin: Origin,
}

impl Channel {
    /// In words, without secrets.
    pub fn written(&self) -> String {
        let mut out = self.kind.name.to_owned();
        if let Some(url) = &self.url {
            let _ = write!(out, " {}", url.written());
        }
        if !self.run.is_empty() {
            let _ = write!(out, " {}", self.run.join(" "));
        }
        if !self.agent.is_empty() {
            let _ = write!(out, " {} at {}", self.agent, self.target);
        }
        out
    }
}

/// How long a program may take unless it is said.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What the reference says of `[notify.NAME]`; `wrap` breaks a text into lines that begin with four blanks.
pub fn doc(wrap: &dyn Fn(&str) -> String) -> String {
    let mut out = String::from(
        "[notify.NAME] says where alerts of the watch go (`to` of [[alert]] names some; without it, all are told). A notice\n\
         waits in the store until it was taken, is sent again for a day where nobody is there, and has the same id each\n\
         time. Secrets come from the environment: `{{ env.NAME }}`. The kinds:\n",
    );
    for kind in CHANNELS {
        let keys: Vec<&str> = kind.needs.iter().chain(kind.takes).copied().collect();
        let _ = write!(out, "\n  {} ({})\n{}\n\n", kind.name, keys.join(", "), wrap(kind.doc));
        for line in kind.example.lines() {
            let _ = writeln!(out, "    {line}");
        }
    }
    out
}

impl Reader<'_> {
    /// Reads the tables.
    pub(super) fn notify(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(tables) = self.table("notify", value) else { return };
        for (key, value) in tables {
            let name = key.get_ref().to_string();
            let Some(table) = self.table(&format!("notify.{name}"), value) else { continue };
            if let Some(channel) = self.channel(&name, table, value.span()) {
                self.file.channels.insert(name, channel);
            }
        }
    }

    fn channel(&mut self, name: &str, table: &DeTable<'_>, at: Range<usize>) -> Option<Channel> {
        let before = self.problems_so_far();
        let names = || CHANNELS.iter().map(|kind| kind.name);
        let written = table.get("kind");
        let kind = written.and_then(|kind| kind.get_ref().as_str()).and_then(named);
        let Some(kind) = kind else {
            let near = written.and_then(|kind| kind.get_ref().as_str()).and_then(|text| nearest(text, names()));
            let help = near.map_or_else(|| format!("one of {}", names().collect::<Vec<_>>().join(", ")), did_you_mean);
            let span = written.map_or(at, Spanned::span);
            self.problem(span, format!("[notify.{name}] needs a `kind` that there is"), Some(help));
            return None;
        };
        let known: Vec<&str> = ["kind"].iter().chain(kind.needs).chain(kind.takes).copied().collect();
        for (key, _) in table {
            let key_name = key.get_ref().as_ref();
            if !known.contains(&key_name) {
                let help = nearest(key_name, known.iter().copied()).map(did_you_mean);
                let help = help.unwrap_or_else(|| format!("`{}` has {}", kind.name, known.join(", ")));
                self.problem(key.span(), format!("unknown key `{key_name}` in [notify.{name}]"), Some(help));
            }
        }
        for key in kind.needs.iter().filter(|key| !table.contains_key(**key)) {
            let help = Some(format!("see `seatrial explain watch`: `{}` needs {}", kind.name, kind.needs.join(", ")));
            self.problem(at.clone(), format!("[notify.{name}] needs `{key}`"), help);
        }
        let url = self.text(table, "url").and_then(|(text, span)| self.address(&text, &span));
        let default = || kind.url.and_then(|url| Secretive::parse(url).ok());
        let secret = self.text(table, "secret").and_then(|(text, span)| self.of_environment("secret", &text, &span));
        let routing_key =
            self.text(table, "routing_key").and_then(|(text, span)| self.of_environment("routing_key", &text, &span));
        let run = table.get("run").map(|value| (self.strings("run", value), value.span()));
        if let Some((words, span)) = &run
            && words.first().is_none_or(|(program, _)| program.trim().is_empty())
        {
            let help = Some("such as `run = [\"./page.sh\"]`".to_owned());
            self.problem(span.clone(), "`run` is a list: a program and its arguments", help);
        }
        let timeout = self.text(table, "timeout").and_then(|(text, span)| match duration::parse(&text) {
            Ok(time) if !time.is_zero() => Some(time),
            _ => {
                self.problem(span, format!("`{text}` is no time that something may take"), None);
                None
            }
        });
        let agent = self.text(table, "agent").map(|(text, _)| text).unwrap_or_default();
        let target = self.text(table, "target").map(|(text, _)| text).unwrap_or_default();
        let sound = self.problems_so_far() == before;
        sound.then(|| Channel {
            kind,
            url: url.or_else(default),
            secret,
            routing_key,
            run: run.map(|(words, _)| words.into_iter().map(|(word, _)| word).collect()).unwrap_or_default(),
            agent,
            target,
            timeout: timeout.unwrap_or(TIMEOUT),
            dir: self.dir(),
            origin: self.origin(&at, None),
        })
    }

    fn text(&mut self, table: &DeTable<'_>, key: &str) -> Option<(String, Range<usize>)> {
        let value = table.get(key)?;
        let text = value.get_ref().as_str().filter(|text| !text.trim().is_empty());
        if text.is_none() {
            let found = found(value);
            self.problem(value.span(), format!("`{key}` is a string that is not empty, not {found}"), None);
        }
        text.map(|text| (text.to_owned(), value.span()))
    }

    fn address(&mut self, text: &str, span: &Range<usize>) -> Option<Secretive> {
        let url = match Secretive::parse(text) {
            Ok(url) => url,
            Err(why) => {
                self.problem(span.clone(), format!("`url`: {why}"), None);
                return None;
            }
        };
        if !(text.starts_with("https://") || text.starts_with("http://") || text.trim_start().starts_with("{{")) {
            self.problem(span.clone(), "`url` is an address that begins with https:// or http://", None);
        }
        Some(url)
    }

    fn of_environment(&mut self, key: &str, text: &str, span: &Range<usize>) -> Option<Secretive> {
        match Secretive::parse(text) {
            Ok(secret) if secret.has_variables() => Some(secret),
            Ok(_) => {
                let help = format!("write `{key} = \"{{{{ env.NAME }}}}\"` and set the variable, or `NAME_FILE`");
                let message = format!("`{key}` is written out: a secret comes from the environment");
                self.secret(span.clone(), (message, help), true);
                None
            }
            Err(why) => {
                self.problem(span.clone(), format!("`{key}`: {why}"), None);
                None
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::super::file::parse;
    use super::Channel;

    /// The channels of a settings file in a folder, which must be sound.
    pub(crate) fn channels(text: &str, dir: &Path) -> BTreeMap<String, Channel> {
        let mut problems = Vec::new();
        let file = parse(text, &dir.join("seatrial.toml"), dir, &mut problems);
        let problems: Vec<String> = problems.into_iter().map(|p| p.message).collect();
        assert_eq!(problems, Vec::<String>::new());
        file.channels
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
    fn the_example_of_every_kind_is_read() {
        for kind in CHANNELS {
            let (file, problems) = read(kind.example);
            assert_eq!(problems, Vec::<String>::new(), "{}", kind.name);
            let channel = file.channels.values().next().unwrap();
            assert_eq!(channel.kind.name, kind.name);
            assert!(channel.written().starts_with(kind.name));
        }
    }

    #[test]
    fn pagerduty_has_an_address_of_its_own() {
        let (file, _) = read("[notify.a]\nkind = \"pagerduty\"\nrouting_key = \"{{ env.K }}\"\n");
        assert!(file.channels["a"].url.as_ref().unwrap().written().contains("pagerduty.com"));
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let (file, problems) = read(
            "[notify.a]\nkind = \"slak\"\n[notify.b]\nkind = \"webhook\"\nurl = \"ftp://x\"\nsecret = \"written out\"\nurk = 1\n\
             [notify.c]\nkind = \"command\"\nrun = []\ntimeout = \"soon\"\n[notify.d]\nkind = \"pagerduty\"\n[notify]\ne = 1\n",
        );
        assert!(file.channels.is_empty());
        for part in [
            "[notify.a] needs a `kind`",
            "https:// or http://",
            "`secret` is written out",
            "unknown key `urk`",
            "`run` is a list",
            "`soon` is no time",
            "[notify.d] needs `routing_key`",
        ] {
            assert!(problems.iter().any(|p| p.contains(part)), "{part}: {problems:#?}");
        }
    }
}
