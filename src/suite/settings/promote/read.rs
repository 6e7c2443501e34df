//! Reading `[promote.TARGET]`: every key with its type, and everything that is wrong with it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{HOOK_KEYS, Hook, KEYS, Rules, TIMEOUT, Target, What};
use crate::model::duration;
use crate::net::secret::Secretive;
use crate::net::webhook::send as webhook;
use crate::suite::nearest::nearest;
use crate::suite::settings::did_you_mean;
use crate::suite::settings::file::{Reader, found};

/// A name of a target, an alias, a person or an alert, which appears in commands and lists.
fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= 100 && !text.chars().any(char::is_control)
}

/// The table of one target while it is read.
struct Keys<'k, 'r, 't, 'i> {
    reader: &'k mut Reader<'r>,
    table: &'t DeTable<'i>,
}

impl Keys<'_, '_, '_, '_> {
    /// The value of a key, read; a problem where it cannot be.
    fn read<T>(&mut self, name: &str, read: impl FnOnce(&DeValue<'_>) -> Option<T>) -> Option<T> {
        let value = self.table.get(name)?;
        let read = read(value.get_ref());
        if read.is_none() {
            let takes = KEYS.iter().find(|k| k.name == name).map_or("something else", |k| k.takes);
            let found = found(value);
            self.reader.problem(value.span(), format!("`{name}` is {takes}, not {found}"), None);
        }
        read
    }

    fn flag(&mut self, name: &str) -> bool {
        self.read(name, |v| v.as_bool()).unwrap_or(false)
    }

    fn texts(&mut self, name: &str) -> Vec<String> {
        self.read(name, texts).unwrap_or_default()
    }

    fn names(&mut self, name: &str) -> Vec<String> {
        let names = self.texts(name);
        if let Some(wrong) = names.iter().find(|text| !is_name(text)) {
            let span = self.span(name);
            self.reader.problem(span, format!("`{}` is no name", wrong.escape_debug()), None);
        }
        names
    }

    fn span(&self, name: &str) -> Range<usize> {
        self.table.get(name).map_or(0..0, Spanned::span)
    }

    fn duration(&mut self, table: &DeTable<'_>, name: &str) -> Option<Duration> {
        let value = table.get(name)?;
        let parsed = value.get_ref().as_str().ok_or_else(|| format!("it is a text, not {}", found(value)));
        match parsed.and_then(duration::parse) {
            Ok(some) if some >= Duration::from_secs(1) => Some(some),
            Ok(_) => {
                self.reader.problem(value.span(), format!("`{name}` is a second or more"), None);
                None
            }
            Err(why) => {
                let help = Some(format!("such as `{name} = \"24h\"`"));
                self.reader.problem(value.span(), format!("`{name}`: {why}"), help);
                None
            }
        }
    }

    fn secretive(&mut self, value: &Spanned<DeValue<'_>>, name: &str, is_secret: bool) -> Option<Secretive> {
        let Some(text) = value.get_ref().as_str() else {
            let found = found(value);
            self.reader.problem(value.span(), format!("`{name}` is a text, not {found}"), None);
            return None;
        };
        match Secretive::parse(text) {
            Ok(read) if is_secret && !read.has_variables() => {
                let message = format!("`{name}` is written out: a secret comes from the environment");
                let help = format!("such as `{name} = \"{{{{ env.DEPLOY_SECRET }}}}\"`");
                self.reader.secret(value.span(), (message, help), true);
                None
            }
            Ok(read) => Some(read),
            Err(why) => {
                self.reader.problem(value.span(), format!("`{name}`: {why}"), None);
                None
            }
        }
    }

    fn hook(&mut self, name: &str) -> Option<Hook> {
        let value = self.table.get(name)?;
        let Some(table) = value.get_ref().as_table() else {
            self.read(name, |_| None::<()>);
            return None;
        };
        for (key, _) in table {
            let key_name = key.get_ref().as_ref();
            if !HOOK_KEYS.contains(&key_name) {
                let help = nearest(key_name, HOOK_KEYS).map(did_you_mean);
                let help = help.unwrap_or_else(|| format!("a hook has {}", HOOK_KEYS.join(", ")));
                self.reader.problem(key.span(), format!("unknown key `{key_name}` in `{name}`"), Some(help));
            }
        }
        let timeout = self.duration(table, "timeout").unwrap_or(TIMEOUT);
        let what = match (table.get("run"), table.get("url")) {
            (Some(run), None) => {
                match texts(run.get_ref()).filter(|args| args.first().is_some_and(|a| !a.is_empty())) {
                    Some(args) => Some(What::Run(args)),
                    None => {
                        let help = Some("such as `run = [\"./deploy.sh\"]`".to_owned());
                        self.reader.problem(run.span(), "`run` is a list: a program and its arguments", help);
                        None
                    }
                }
            }
            (None, Some(url)) => {
                let address = self.secretive(url, "url", false);
                if address.as_ref().is_some_and(|url| !crate::endpoints::opened::is_address(url)) {
                    self.reader.problem(url.span(), "`url` begins with http:// or https://", None);
                }
                let secret = table.get("secret");
                if secret.is_none() {
                    let help = Some("such as `secret = \"{{ env.DEPLOY_SECRET }}\"`".to_owned());
                    self.reader.problem(value.span(), format!("`{name}` has no `secret` to be signed with"), help);
                }
                let secret = secret.and_then(|secret| self.secretive(secret, "secret", true));
                address.zip(secret).map(|(url, secret)| What::Url(webhook::Target { url, secret }))
            }
            _ => {
                let help = Some("`{ run = [\"./deploy.sh\"] }` or `{ url = \"https://...\" }`".to_owned());
                self.reader.problem(value.span(), format!("`{name}` has one of `run` and `url`"), help);
                None
            }
        };
        what.map(|what| Hook { what, timeout })
    }

    fn rules(&mut self) -> Rules {
        let mut rules = Rules {
            suites: self.names("suites"),
            max_age_s: self.duration(self.table, "max_age").map(|d| d.as_secs()),
            approvers: self.names("approvers"),
            approvals: 1,
            self_approval: self.flag("self_approval"),
            artifact: self.flag("artifact"),
            overrides: self.flag("override"),
            expires_s: self.duration(self.table, "expires").map(|d| d.as_secs()),
            canary: self.read("canary", |v| number(v).filter(|share| (0.0..=1.0).contains(share))),
            rollback_on: self.names("rollback_on"),
            aliases: self.names("aliases"),
        };
        let whole = |v: &DeValue<'_>| match v {
            DeValue::Integer(i) => u32::from_str_radix(i.as_str(), i.radix()).ok().filter(|n| *n <= 100),
            _ => None,
        };
        if let Some(approvals) = self.read("approvals", whole) {
            rules.approvals = approvals;
        }
        let who = u32::try_from(rules.approvers.len()).unwrap_or(u32::MAX);
        if who > 0 && rules.approvals > who {
            let message = format!("`approvals` is {}, and there are {who} approvers", rules.approvals);
            let span = self.span("approvals");
            self.reader.problem(span, message, None);
        }
        rules
    }
}

fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(items) => items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(f) => f.as_str().parse().ok(),
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(|i| i as f64),
        _ => None,
    }
}

impl Reader<'_> {
    /// Reads the targets.
    pub(in crate::suite::settings) fn targets(&mut self, value: &Spanned<DeValue<'_>>) {
        let mut targets = BTreeMap::new();
        for (name, value) in self.table("promote", value).into_iter().flatten() {
            let text = name.get_ref().as_ref();
            let origin = self.origin(&name.span(), None);
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            if text.is_empty() || !text.chars().all(plain) {
                let help = Some("use letters, digits, `_`, `-` and `.`".to_owned());
                self.problem(name.span(), format!("`{text}` is not a name for a target"), help);
            }
            let Some(table) = self.table(&format!("promote.{text}"), value) else { continue };
            for (key, _) in table {
                let key_name = key.get_ref().as_ref();
                if !KEYS.iter().any(|k| k.name == key_name) {
                    let names = || KEYS.iter().map(|k| k.name);
                    let help = nearest(key_name, names()).map(did_you_mean);
                    let help =
                        help.unwrap_or_else(|| format!("a target has {}", names().collect::<Vec<_>>().join(", ")));
                    self.problem(key.span(), format!("unknown key `{key_name}` in [promote.{text}]"), Some(help));
                }
            }
            let dir = self.dir();
            let mut keys = Keys { reader: self, table };
            let rules = keys.rules();
            let path = |text: String| dir.join(text);
            let target = Target {
                rules,
                key: keys.read("key", |v| v.as_str().filter(|s| !s.is_empty()).map(str::to_owned)).map(path),
                trusted_keys: keys.texts("trusted_keys").into_iter().map(path).collect(),
                on_approve: keys.hook("on_approve"),
                on_rollback: keys.hook("on_rollback"),
                dir: dir.clone(),
                origin,
            };
            targets.insert(text.to_owned(), target);
        }
        self.file.targets = targets;
    }
}
