//! The flags that override settings, shared by the commands that run or validate suites.

/// Flags that override `seatrial.toml` and `SEATRIAL_*` variables. `--config`, `--profile` and `--color` belong to every
/// command.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Worker threads.
    #[arg(long, short, value_name = "N", help_heading = "Settings")]
    jobs: Option<String>,
    /// The folder in which runs are written.
    #[arg(long, value_name = "DIR", help_heading = "Settings")]
    out: Option<String>,
    /// Which sessions are kept with the run record.
    #[arg(long, value_name = "WHICH", value_parser = ["failed", "all", "none"], help_heading = "Settings")]
    keep: Option<String>,
    /// How many sessions are kept at most.
    #[arg(long, value_name = "N", help_heading = "Settings")]
    keep_limit: Option<String>,
    /// How many sessions that passed are kept, too, as a sample.
    #[arg(long, value_name = "N", help_heading = "Settings")]
    keep_sample: Option<String>,
    /// Stop when the gate can no longer pass.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL",
        value_parser = ["true", "false"], help_heading = "Settings")]
    fail_fast: Option<String>,
    /// Put a copy of the JUnit report here.
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    junit: Option<String>,
    /// Put a copy of the HTML report here.
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    html: Option<String>,
    /// Whether to show progress on standard error.
    #[arg(long, value_name = "WHEN", value_parser = ["auto", "always", "never"], help_heading = "Settings")]
    progress: Option<String>,
    /// Leave out sessions larger than this, such as 64MiB.
    #[arg(long, value_name = "SIZE", help_heading = "Settings")]
    max_session_bytes: Option<String>,
    /// Leave out sessions nested deeper than this.
    #[arg(long, value_name = "N", help_heading = "Settings")]
    max_depth: Option<String>,
    /// The folder in which telemetry waits that does not fit in memory.
    #[arg(long, value_name = "DIR", help_heading = "Settings")]
    spill_dir: Option<String>,
    /// How much telemetry waits in memory, such as 128MiB; more waits in that folder.
    #[arg(long, value_name = "SIZE", help_heading = "Settings")]
    spill_after: Option<String>,
    /// How many times its size a compressed file may unfold.
    #[arg(long, value_name = "N", help_heading = "Settings")]
    max_expansion: Option<String>,
    /// Where answers of models are kept for later runs; `off` keeps none.
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    cache: Option<String>,
    /// Where runs, and what people say of them, are stored: a file, `postgres://...` or `off`.
    #[arg(long, value_name = "WHERE", help_heading = "Settings")]
    store: Option<String>,
    /// How long sessions are kept there to read, such as 90d, or `forever`.
    #[arg(long, value_name = "DURATION", help_heading = "Settings")]
    keep_content: Option<String>,
    /// The most that the models of a run may cost, in US dollars.
    #[arg(long, value_name = "USD", help_heading = "Settings")]
    max_cost_usd: Option<String>,
    /// The most tokens that the models of a run may take.
    #[arg(long, value_name = "N", help_heading = "Settings")]
    max_tokens: Option<String>,
}

impl Args {
    /// The settings among the flags, each as its key and its value.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("jobs", self.jobs.as_deref()),
            ("out", self.out.as_deref()),
            ("keep", self.keep.as_deref()),
            ("keep_limit", self.keep_limit.as_deref()),
            ("keep_sample", self.keep_sample.as_deref()),
            ("fail_fast", self.fail_fast.as_deref()),
            ("junit", self.junit.as_deref()),
            ("html", self.html.as_deref()),
            ("progress", self.progress.as_deref()),
            ("max_session_bytes", self.max_session_bytes.as_deref()),
            ("max_depth", self.max_depth.as_deref()),
            ("spill_dir", self.spill_dir.as_deref()),
            ("spill_after", self.spill_after.as_deref()),
            ("max_expansion", self.max_expansion.as_deref()),
            ("cache", self.cache.as_deref()),
            ("store", self.store.as_deref()),
            ("keep_content", self.keep_content.as_deref()),
            ("max_cost_usd", self.max_cost_usd.as_deref()),
            ("max_tokens", self.max_tokens.as_deref()),
        ];
        given.into_iter().filter_map(|(key, value)| Some((key, value?.to_owned()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::suite::settings::KEYS;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        settings: Args,
    }

    #[test]
    fn every_setting_has_its_flag_and_every_flag_reaches_its_setting() {
        Command::command().debug_assert();
        // `--color` is a flag of every command, `--reviewer` one of `review`.
        for key in KEYS.iter().filter(|k| !["color", "reviewer"].contains(&k.name)) {
            let value = match key.name {
                "keep" => "all",
                "progress" => "never",
                "fail_fast" => "true",
                _ => "7",
            };
            let parsed = Command::try_parse_from(["x".to_owned(), format!("{}={value}", key.flag())]).expect(key.name);
            assert_eq!(parsed.settings.settings(), [(key.name, value.to_owned())]);
        }
        let bare = Command::try_parse_from(["x", "--fail-fast"]).unwrap();
        assert_eq!(bare.settings.settings(), [("fail_fast", "true".to_owned())]);
    }
}
