//! `[watch]` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::quarantine::QuarantineTable;
use super::sample::SampleTable;

/// How production is watched with this suite (`seatrial explain watch`). Cases and the gate do not
/// apply; a check that needs a reference is skipped in a session that has none.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchTable {
    /// A session is over when nothing came of it for so long: a duration such as `"15m"`, which is the default.
    pub idle: Option<String>,
    /// A session is over when it began so long ago; `"24h"` unless given.
    pub max_age: Option<String>,
    /// A session is over when it has so many spans and log records; 100000 unless given.
    pub max_spans: Option<u64>,
    /// A session is over when its records have so many bytes; 64 MiB unless given.
    pub max_bytes: Option<u64>,
    /// Names of events, and of attributes of any value but false, by which a record says that its session has ended.
    pub end: Option<Vec<String>>,
    /// Where days begin at midnight, such as `"Europe/Berlin"`; `"UTC"` unless given.
    pub timezone: Option<String>,
    /// The length of a window, which divides a day; `"5m"` unless given. Longer times are whole numbers of windows.
    pub every: Option<String>,
    /// Over how long a time before a window's end the system checks look at sessions, in whole windows; one window unless
    /// given. A longer time slides on with each window.
    pub over: Option<String>,
    /// How long after a window's end sessions of it are still expected: only then alerts look at it. What comes later
    /// corrects it. `"20m"` unless given.
    pub late: Option<String>,
    /// What sessions are divided by: `agent`, `version`, `model`, `user`, `tool`, `flow`, `tag`, `attr:NAME`. The first
    /// of these but `user` and `tag` unless given.
    pub by: Option<Vec<String>>,
    /// How many groups of each are told apart in a window; the others count as `(other)`. 50 unless given.
    pub max_groups: Option<u64>,
    /// Which sessions are looked at; all of them without it.
    pub sample: Option<SampleTable>,
    /// Sessions of high risk, of which the content is restricted and somebody is told at once.
    pub quarantine: Option<QuarantineTable>,
}
