//! The keys: their names, types, defaults and meaning.

/// The documentation of one key.
#[derive(Debug, Clone, Copy)]
pub struct KeyDoc {
    /// The key in `seatrial.toml`. The variable is `SEATRIAL_` and the name in capitals, the flag `--` and the name
    /// with `-`.
    pub name: &'static str,
    /// What values it takes, with an article.
    pub takes: &'static str,
    /// The default, in words.
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
}

impl KeyDoc {
    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("SEATRIAL_{}", self.name.to_uppercase())
    }

    /// The flag.
    pub fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }
}

pub(super) const fn key(name: &'static str, takes: &'static str, default: &'static str, doc: &'static str) -> KeyDoc {
    KeyDoc { name, takes, default, doc }
}

/// Every key, in the order in which they are printed.
pub static KEYS: &[KeyDoc] = &[
    key("jobs", "a number from 1 to 4096", "the number of cores", "Worker threads."),
    key("out", "a path", "\"reports\"", "The folder in which runs are written."),
    key("keep", "`failed`, `all` or `none`", "\"failed\"", "Which sessions are kept with the run record."),
    key("keep_limit", "a number", "500", "How many sessions are kept at most."),
    key("keep_sample", "a number", "50", "How many sessions that passed are kept, too, with `failed`: the first ones."),
    key("fail_fast", "true or false", "false", "Stop when the gate can no longer pass."),
    key(
        "reports",
        "`all`, `junit`, `html` or `none`",
        "\"all\"",
        "Which reports are drawn beside summary.json and summary.md, junit.xml and index.html; `seatrial report` draws all of \
         them later. One of which a copy is wanted is always drawn.",
    ),
    key("junit", "a path", "none", "Where a copy of the JUnit report is put."),
    key("html", "a path", "none", "Where a copy of the HTML report is put."),
    key("progress", "`auto`, `always` or `never`", "\"auto\"", "Whether progress is shown on standard error."),
    key("color", "`auto`, `always` or `never`", "\"auto\"", "Whether colours are used. `auto` respects NO_COLOR."),
    key("max_session_bytes", "a size such as 1048576 or `64MiB`", "\"64MiB\"", "Larger sessions are left out."),
    key("max_depth", "a number from 1 to 120", "100", "More deeply nested sessions are left out."),
    key("max_expansion", "a number of at least 1", "1000", "How many times its size a compressed file may unfold."),
    key("spill_dir", "a path", "the system's temporary folder", "Where telemetry waits that does not fit in memory."),
    key(
        "spill_after",
        "a size such as 1048576 or `64MiB`",
        "\"128MiB\"",
        "How much telemetry waits in memory for the rest of its session.",
    ),
    key(
        "cache",
        "a path or `off`",
        "`.seatrial/cache.db` beside seatrial.toml",
        "Where answers of models are kept, so that a run that changes nothing asks nothing.",
    ),
    key(
        "store",
        "a path, `postgres://...` or `off`",
        "`.seatrial/seatrial.db` beside seatrial.toml",
        "Where runs, and what people say of them, are stored: a SQLite file, or a PostgreSQL database for a team. Its \
         password is `{{ env.NAME }}`.",
    ),
    key(
        "keep_content",
        "a duration such as `90d`, or `forever`",
        "\"forever\"",
        "How long sessions are kept in the store for people to read. When a run ends, and while pages are served, older ones \
         are taken out, except what somebody has yet to read; verdicts, labels and digests stay.",
    ),
    key(
        "max_cost_usd",
        "an amount of at least 0",
        "no limit",
        "The most that the models of a run may cost; it stops before more is spent, and ends with exit code 5.",
    ),
    key("max_tokens", "a number", "no limit", "The same for tokens, read and written."),
    key(
        "reviewer",
        "a name",
        "git's `user.name`",
        "The name under which `seatrial review` gives answers and `seatrial promote` decides.",
    ),
];

/// The variables that are read.
pub(super) fn variables() -> impl Iterator<Item = String> {
    KEYS.iter().map(KeyDoc::variable).chain(["SEATRIAL_CONFIG".to_owned(), "SEATRIAL_PROFILE".to_owned()])
}
