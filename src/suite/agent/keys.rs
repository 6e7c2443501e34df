//! The keys of `[agent]` that every kind of agent has.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;

use super::hooks::{Fault, HookTable, Hooks, Several};
use super::{Listen, Load, UserTable};
use crate::model::duration;
use crate::suite::own::keys_of_schema;

/// Most sessions in flight.
const MOST: u32 = 10_000;

/// Most times that a turn is tried again.
const MOST_RETRIES: u32 = 20;

/// `[agent]` as it is written, without the keys of its kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentTable {
    /// How it is spoken with; each kind has keys of its own (`seatrial explain agent`).
    pub kind: String,
    /// Sessions in flight at once, at most. An agent that says that it is busy is asked less for a while.
    #[serde(default = "concurrency")]
    pub concurrency: u32,
    /// Turns that may begin in a time, over all sessions, such as `"20/s"` or `"300/m"`.
    pub rate_limit: Option<String>,
    /// How long a turn may take; then the session is an error.
    #[serde(default = "turn_timeout")]
    pub turn_timeout: String,
    /// How long a session may take; then it is an error.
    #[serde(default = "session_timeout")]
    pub session_timeout: String,
    /// How often a turn is tried again that failed on the way to the agent (no connection, told to come back later, a
    /// status of 500 and above), and of which nothing was heard. What the agent says is never tried again.
    #[serde(default = "retries")]
    pub retries: u32,
    /// What is done before: programs that are started, or HTTP requests (`[[agent.setup]]`). What fails makes the session
    /// an error.
    #[serde(default)]
    pub setup: Several,
    /// What is done after, also where the session failed.
    #[serde(default)]
    pub teardown: Several,
    /// What says, as JSON, what the world is like after a session, for the check `state`.
    pub state: Option<HookTable>,
    /// What the simulated users of the cases have in common (`user = { ... }` in a case); with a `goal` here, a case need not
    /// say anything of its user.
    pub user: Option<UserTable>,
    /// Where the spans that the agent exports by OTLP are received while it is driven (`seatrial explain agent`). Without
    /// it, it is judged by its replies and the calls that it reports.
    pub telemetry: Option<TelemetryTable>,
    /// What all sessions of the suite together may cost, in US dollars, before the run is stopped (exit 5).
    pub max_cost_usd: Option<f64>,
    /// Tokens that all sessions of the suite together may use before the run is stopped (exit 5).
    pub max_tokens: Option<u64>,
}

/// `[agent.telemetry]` as it is written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TelemetryTable {
    /// Where OTLP is received: addresses, or ports of this machine. HTTP (protobuf and JSON) and gRPC are understood at
    /// each. By default those of the standard, 4318 and 4317.
    #[serde(default = "standard")]
    pub listen: Vec<String>,
    /// A session is complete when the root spans of its turns have ended and nothing of it has arrived for so long.
    #[serde(default = "quiet")]
    pub quiet: String,
    /// How long after its last reply a session is waited for at most; what is there then is judged, and its turns that have
    /// not ended are an error.
    #[serde(default = "deadline")]
    pub deadline: String,
}

fn standard() -> Vec<String> {
    vec!["4318".to_owned(), "4317".to_owned()]
}

fn quiet() -> String {
    "500ms".to_owned()
}

fn deadline() -> String {
    "10s".to_owned()
}

impl TelemetryTable {
    /// Where and how long is listened, or what is wrong with it, by key.
    pub(super) fn resolve(&self) -> Result<Listen, Vec<(&'static str, String)>> {
        let mut wrong = Vec::new();
        let mut time = |key, text: &str| {
            duration::parse(text).unwrap_or_else(|why| {
                wrong.push((key, why));
                Duration::ZERO
            })
        };
        let (quiet, deadline) = (time("quiet", &self.quiet), time("deadline", &self.deadline));
        let mut addresses = Vec::new();
        for text in &self.listen {
            let here = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
            match text.parse::<u16>().map(here).or_else(|_| text.parse::<SocketAddr>()) {
                Ok(address) => addresses.push(address),
                Err(_) => wrong.push((
                    "listen",
                    format!("`{text}` is neither a port of this machine nor an address such as `127.0.0.1:4318`"),
                )),
            }
        }
        if self.listen.is_empty() {
            wrong.push(("listen", "`listen` names no address".to_owned()));
        }
        if wrong.is_empty() { Ok(Listen { addresses, quiet, deadline }) } else { Err(wrong) }
    }
}

fn concurrency() -> u32 {
    8
}

fn turn_timeout() -> String {
    "2m".to_owned()
}

fn session_timeout() -> String {
    "15m".to_owned()
}

fn retries() -> u32 {
    2
}

/// The names of these keys.
pub fn common_keys() -> Vec<String> {
    keys_of_schema(&AgentTable::json_schema(&mut SchemaGenerator::default()))
}

impl AgentTable {
    /// What is done around sessions, or what is wrong with it, at paths within `[agent]`.
    pub(super) fn hooks(&self) -> Result<Hooks, Vec<Fault>> {
        let mut wrong = Vec::new();
        let mut each = |key: &str, hooks: &Several| {
            let mut good = Vec::new();
            for (at, hook) in hooks.0.iter().enumerate() {
                match hook.resolve(false) {
                    Ok(hook) => good.push(hook),
                    Err(faults) => wrong.extend(faults.into_iter().map(|(path, message, help)| {
                        // One table that stands alone has no place in a list; the steps that there are lead as far.
                        let path = [key.to_owned(), at.to_string()].into_iter().chain(path).collect();
                        (path, message, help)
                    })),
                }
            }
            good
        };
        let (setup, teardown) = (each("setup", &self.setup), each("teardown", &self.teardown));
        let state = match self.state.as_ref().map(|state| state.resolve(true)).transpose() {
            Ok(state) => state,
            Err(faults) => {
                wrong.extend(faults.into_iter().map(|(path, message, help)| {
                    (std::iter::once("state".to_owned()).chain(path).collect(), message, help)
                }));
                None
            }
        };
        if wrong.is_empty() { Ok(Hooks { setup, teardown, state }) } else { Err(wrong) }
    }

    /// What the keys say of the load, or what is wrong with them, by key.
    pub(super) fn load(&self) -> Result<Load, Vec<(&'static str, String)>> {
        let mut wrong = Vec::new();
        let mut time = |key, text: &str| match duration::parse(text) {
            Ok(time) if time.is_zero() => {
                wrong.push((key, format!("`{key}` is more than no time")));
                time
            }
            Ok(time) => time,
            Err(why) => {
                wrong.push((key, why));
                Duration::ZERO
            }
        };
        let turn_timeout = time("turn_timeout", &self.turn_timeout);
        let session_timeout = time("session_timeout", &self.session_timeout);
        let rate = match self.rate_limit.as_deref().map(per_minute).transpose() {
            Ok(rate) => rate,
            Err(why) => {
                wrong.push(("rate_limit", why));
                None
            }
        };
        if !(1..=MOST).contains(&self.concurrency) {
            wrong.push(("concurrency", format!("`concurrency` is from 1 to {MOST}")));
        }
        if self.retries > MOST_RETRIES {
            wrong.push(("retries", format!("`retries` is at most {MOST_RETRIES}")));
        }
        if self.max_cost_usd.is_some_and(|most| !most.is_finite() || most <= 0.0) {
            wrong.push(("max_cost_usd", "`max_cost_usd` is an amount above 0".to_owned()));
        }
        if self.max_tokens == Some(0) {
            wrong.push(("max_tokens", "`max_tokens` is at least 1".to_owned()));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Load {
            concurrency: self.concurrency as usize,
            rate,
            turn_timeout,
            session_timeout,
            retries: self.retries,
            max_cost_usd: self.max_cost_usd,
            max_tokens: self.max_tokens,
        })
    }
}

/// How many a minute a rate such as `20/s` is.
fn per_minute(text: &str) -> Result<NonZeroU32, String> {
    let wrong = || format!("`{text}` is no rate; write it as \"20/s\" or \"300/m\"");
    let (count, per) = text.split_once('/').ok_or_else(wrong)?;
    let count: u32 = count.trim().parse().map_err(|_| wrong())?;
    let a_minute = match per.trim() {
        "s" => count.checked_mul(60),
        "m" => Some(count),
        _ => None,
    };
    a_minute.and_then(NonZeroU32::new).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_count_in_a_time() {
        for (text, expected) in [("20/s", 1200), ("300/m", 300), (" 1 / m ", 1)] {
            assert_eq!(per_minute(text).map(NonZeroU32::get), Ok(expected), "{text}");
        }
        for bad in ["20", "20/d", "/s", "0/s", "-1/s", "0.5/s", "99999999999/s", "4294967295/s"] {
            assert!(per_minute(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let table: AgentTable = toml::from_str(
            "kind = \"x\"\nconcurrency = 0\nrate_limit = \"x\"\nturn_timeout = \"0s\"\nsession_timeout = \"?\"\nretries = 99\n\
             max_cost_usd = -1.0\nmax_tokens = 0\n",
        )
        .unwrap();
        let wrong: Vec<&str> = table.load().unwrap_err().into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            wrong,
            ["turn_timeout", "session_timeout", "rate_limit", "concurrency", "retries", "max_cost_usd", "max_tokens"]
        );
        let plain: AgentTable = toml::from_str("kind = \"x\"").unwrap();
        assert_eq!(plain.load().map(|p| (p.concurrency, p.retries)), Ok((8, 2)));
    }
}
