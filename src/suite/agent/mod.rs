//! `[agent]`: the live agent that a suite's cases can be driven against. The keys that every kind of agent has are read
//! here, those of its kind by [`crate::agents`].

mod hooks;
mod keys;
mod script;
mod user;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

pub use hooks::{Each, Hook, Hooks, What};
pub use keys::{AgentTable, common_keys};
pub use script::Line;
pub use user::{AtLimit, Said, User, UserTable};

use super::Case;
use super::files::FilesAt;
use super::nearest::nearest;
use super::own::keys_of_schema;
use super::problems::choice;
use super::raw::{Missing, Pos, collect_rest, key_pos, read_rest, span_at, table_json};
use super::resolve::{Layer, Resolver};
use super::words;
use crate::agents::kind::Setup;
use crate::agents::{self, Agent, KINDS, Kind};
use crate::checks::jinja::Template;
use crate::net::secret;

/// A live agent, and how a suite's cases are driven against it.
#[derive(Clone)]
pub struct Live {
    /// The kind of agent.
    pub kind: &'static str,
    /// The agent.
    pub agent: Arc<dyn Agent>,
    /// How much at once, and for how long.
    pub load: Load,
    /// What is done around sessions.
    pub hooks: Hooks,
    /// What the simulated users of all cases have in common.
    pub user: Option<UserTable>,
    /// Where its telemetry is received; `None` where nobody listens.
    pub telemetry: Option<Listen>,
    /// The table as it is written, for the digest and to be shown.
    pub written: serde_json::Value,
    /// The folder of the suite's file: commands are started there.
    pub dir: PathBuf,
}

/// Where telemetry is received, and how long it is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Addresses.
    pub addresses: Vec<SocketAddr>,
    /// How long nothing must have arrived of a session that is complete.
    pub quiet: Duration,
    /// How long is waited at most.
    pub deadline: Duration,
}

/// How much is asked of an agent at once, and for how long it is waited for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Sessions in flight at most.
    pub concurrency: usize,
    /// How many turns may begin a minute, over all sessions.
    pub rate: Option<NonZeroU32>,
    /// How long one turn may take.
    pub turn_timeout: Duration,
    /// How long a session may take.
    pub session_timeout: Duration,
    /// How often a turn is tried again after a failure on the way to the agent.
    pub retries: u32,
    /// What all sessions of the suite together may cost, USD.
    pub max_cost_usd: Option<f64>,
    /// Tokens that all sessions of the suite together may use.
    pub max_tokens: Option<u64>,
}

impl Live {
    /// How long the telemetry of a session is waited for.
    pub fn telemetry_deadline(&self) -> Duration {
        self.telemetry.as_ref().map(|listen| listen.deadline).unwrap_or_default()
    }

    /// The simulated user of a case; `None` where the case says what is said, or there is no goal.
    pub fn user_of(&self, case: &Case) -> Option<User> {
        match &case.simulated {
            Some(own) => own.over(self.user.as_ref()),
            None if case.script.is_empty() => self.user.as_ref()?.over(None),
            None => None,
        }
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("kind", &self.kind).field("load", &self.load).finish_non_exhaustive()
    }
}

impl Resolver<'_, '_, '_> {
    /// The live agent of the suite; `None` without `[agent]`, or after problems were reported.
    pub(super) fn agent(&mut self, own: &Layer<'_>) -> Option<Live> {
        let value = own.table.get("agent")?;
        let whole = value.span();
        let DeValue::Table(table) = value.get_ref() else { return None };
        let mut secrets = Vec::new();
        secrets_in(table, false, &mut secrets);
        secrets.iter().for_each(|pos| self.sink.hide(pos));
        let kind = self.kind_of(table, &whole);
        let (common, rest) = self.split_agent(table, kind);
        let read = read_rest::<AgentTable>(&common, &whole, Missing::Reported, self.sink);
        let load = read.as_ref().and_then(|read| {
            let found = read.load();
            for (key, message) in found.as_ref().err().into_iter().flatten() {
                self.sink.error(&span_at(table, &whole, &[(*key).to_owned()]), message.clone(), None);
            }
            found.ok()
        });
        let hooks = read.as_ref().and_then(|read| {
            let found = read.hooks();
            for (path, message, help) in found.as_ref().err().into_iter().flatten() {
                self.sink.error(&span_at(table, &whole, path), message.clone(), help.clone());
            }
            found.ok()
        });
        for name in hooks.iter().flat_map(Hooks::secrets_written_out) {
            let (message, help) = secret::written_out(name);
            self.sink.warn(&whole, message, help);
        }
        let mut telemetry = None;
        if let Some(told) = read.as_ref().and_then(|read| read.telemetry.as_ref()) {
            match told.resolve() {
                Ok(listen) => telemetry = Some(listen),
                Err(wrong) => {
                    for (key, message) in wrong {
                        let path = ["telemetry".to_owned(), key.to_owned()];
                        self.sink.error(&span_at(table, &whole, &path), message, None);
                    }
                }
            }
        }
        let user = read.and_then(|read| read.user);
        if let Some((key, message)) = user.as_ref().and_then(UserTable::fault) {
            self.sink.error(&span_at(table, &whole, &["user".to_owned(), key.to_owned()]), message, None);
        }
        let kind = kind?;
        let agent = self.adapter(own, kind, &rest, &whole);
        Some(Live {
            kind: kind.name,
            agent: agent?,
            load: load?,
            hooks: hooks?,
            user,
            telemetry,
            written: table_json(table),
            dir: own.source.dir(),
        })
    }

    fn kind_of(&mut self, table: &DeTable<'_>, whole: &Pos) -> Option<&'static Kind> {
        // Its absence is reported with the other keys.
        let name = table.get("kind")?;
        let text = name.get_ref().as_str()?;
        let kind = agents::kind(text);
        if kind.is_none() {
            let help = choice(text, KINDS.iter().map(|k| k.name));
            self.sink.error(&span_at(table, whole, &["kind".to_owned()]), format!("unknown kind `{text}`"), help);
        }
        kind
    }

    /// The keys that every kind has, and those of this one; others are reported.
    fn split_agent<'t>(&mut self, table: &DeTable<'t>, kind: Option<&'static Kind>) -> (DeTable<'t>, DeTable<'t>) {
        let common = common_keys();
        let own = kind.map(|kind| keys_of_schema(&(kind.schema)(&mut schemars::SchemaGenerator::default())));
        let (mut every, mut rest) = (DeTable::new(), DeTable::new());
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if common.iter().any(|k| k == name) {
                every.insert(key.clone(), value.clone());
            } else if own.as_ref().is_some_and(|own| own.iter().any(|k| k == name)) {
                rest.insert(key.clone(), value.clone());
            } else if let Some((own, kind)) = own.as_ref().zip(kind) {
                let known: Vec<&str> = own.iter().chain(&common).map(String::as_str).collect();
                let others = KINDS.iter().filter(|k| {
                    keys_of_schema(&(k.schema)(&mut schemars::SchemaGenerator::default())).iter().any(|k| k == name)
                });
                let others: Vec<&str> = others.map(|k| k.name).collect();
                let help = match (nearest(name, known.iter().copied()), words::home_of(name)) {
                    (Some(near), _) => format!("did you mean `{near}`?"),
                    (None, _) if !others.is_empty() => format!("it is a key of the kind {}", others.join(", ")),
                    (None, Some(home)) if home != "[agent]" => format!("`{name}` belongs in {home}"),
                    _ => format!("`{}` takes {}", kind.name, own.join(", ")),
                };
                self.sink.error(&key.span(), format!("unknown key `{name}` in [agent] of kind `{}`", kind.name), help);
            }
        }
        (every, rest)
    }

    fn adapter(
        &mut self,
        own: &Layer<'_>,
        kind: &'static Kind,
        table: &DeTable<'_>,
        whole: &Pos,
    ) -> Option<Arc<dyn Agent>> {
        let dir = own.source.dir();
        let files: FilesAt = self.files.at(&dir);
        let mut setup = Setup { dir: &dir, files: &files, problems: Vec::new() };
        let read = collect_rest(table, whole, Missing::Reported, self.sink, |part| {
            // Each attempt begins anew: only what the last one has to say counts.
            setup.problems.clear();
            (kind.from_toml)(part, &mut setup)
        });
        let wrong = setup.problems.iter().any(|p| !p.warning);
        for problem in setup.problems {
            let pos = match problem.path.first() {
                Some(key) if !table.contains_key(key.as_str()) => key_pos(table, key, whole),
                _ => span_at(table, whole, &problem.path),
            };
            if problem.warning {
                self.sink.warn(&pos, problem.message, problem.help);
            } else {
                self.sink.error(&pos, problem.message, problem.help);
            }
        }
        let (made, dropped) = read?;
        made.filter(|_| dropped.is_empty() && !wrong)
    }
}

/// Where values are written out in a table that may be secrets: those of headers that hold one as a rule, and of variables
/// of the environment. No excerpt shows them.
fn secrets_in(table: &DeTable<'_>, named: bool, out: &mut Vec<Pos>) {
    for (key, value) in table {
        match value.get_ref() {
            DeValue::Table(inner) => {
                let key = key.get_ref().as_ref();
                secrets_in(inner, key == "headers" || key == "env", out);
            }
            DeValue::Array(items) => {
                let tables = items.iter().filter_map(|item| item.get_ref().as_table());
                tables.for_each(|inner| secrets_in(inner, false, out));
            }
            DeValue::String(text) if named && !Template::is_in(text) => out.push(value.span()),
            _ => {}
        }
    }
}
