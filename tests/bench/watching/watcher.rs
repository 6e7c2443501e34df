//! A watcher that is a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::agents::{END, SUITE};

/// A watcher.
pub struct Watcher {
    child: Child,
    _said: BufReader<ChildStderr>,
    /// Where it receives.
    pub otlp: String,
    /// Where it can be looked at.
    pub status: String,
}

impl Watcher {
    /// Starts one in a folder, over the suite of six checks and what is put behind it.
    pub fn start(dir: &Path, more: &str) -> Self {
        std::fs::write(dir.join("suite.toml"), format!("{SUITE}{more}")).expect("the suite");
        let program = std::env::var_os("SEATRIAL_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_seatrial").into());
        let mut child = Command::new(program)
            .args(["watch", "suite.toml", "--listen", "0", "--grpc", "off", "--status", "0", "--end", END])
            .current_dir(dir)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the watcher");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        let (mut otlp, mut status, mut line) = (String::new(), String::new(), String::new());
        while !line.starts_with("verdicts go to") {
            line.clear();
            assert!(said.read_line(&mut line).expect("text") > 0, "it ended");
            let after = |what: &str| line.trim().strip_prefix(what).map(str::to_owned);
            otlp = after("receiving OTLP/HTTP at ").map_or(otlp, |at| format!("{at}/v1/traces"));
            status = after("to be looked at: ").unwrap_or(status);
        }
        Self { child, _said: said, otlp, status }
    }

    /// The sum of the numbers of its metrics whose lines begin so.
    pub async fn sum(&self, client: &reqwest::Client, begin: &str) -> u64 {
        let answer = client.get(format!("{}metrics", self.status)).send().await.expect("an answer");
        let text = answer.text().await.expect("text");
        let lines = text.lines().filter(|line| line.starts_with(begin));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// A number of its metrics, of the line that begins so; `None` where there is none yet.
    pub async fn metric(&self, client: &reqwest::Client, line: &str) -> Option<u64> {
        let answer = client.get(format!("{}metrics", self.status)).send().await.expect("an answer");
        let text = answer.text().await.expect("text");
        text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok())
    }

    /// A number of the kernel's about it, in MB.
    pub fn memory(&self, key: &str) -> f64 {
        memory_of(&self.child.id().to_string(), key)
    }

    /// Seconds that it ran on a core.
    pub fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("its statistics");
        let after: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
        let ticks = |at: usize| after[at].parse::<f64>().expect("ticks");
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Ends it at once, as a failure of the machine would.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("an end");
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A number of the kernel's about the memory of a process, in MB.
pub fn memory_of(process: &str, key: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("the line");
    let kib = line.trim_start_matches(':').split_whitespace().next().and_then(|n| n.parse::<f64>().ok());
    kib.expect("a number") * 1024.0 / 1e6
}

/// Milliseconds since the Unix epoch.
pub fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).expect("a time after 1970")
}
