//! A `seatrial watch` that runs, and what it knows.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

use seatrial::store::db::{Store, StoreUrl, WatchedRow};
use seatrial::watch::row::Body;

use crate::project::Project;
use crate::receive::recorder::run;

/// A watcher that runs, and ends with the test.
pub struct Watch {
    child: Child,
    err: BufReader<ChildStderr>,
    /// What it said until it served.
    pub said: String,
    pub otlp: String,
    pub status: String,
}

impl Watch {
    /// Starts one over `suite.toml`, on free ports where `--listen` does not say another.
    pub fn start(project: &Project, more: &[&str]) -> Self {
        let mut args = vec!["watch", "suite.toml", "--grpc", "off", "--status", "0"];
        if !more.contains(&"--listen") {
            args.extend(["--listen", "0"]);
        }
        args.extend(more);
        let mut child = project.command(&args).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        let mut err = BufReader::new(child.stderr.take().expect("a pipe"));
        let (mut otlp, mut status, mut said) = (String::new(), String::new(), String::new());
        while !said.contains("verdicts go to") {
            let mut line = String::new();
            assert!(err.read_line(&mut line).expect("text") > 0, "it ended: {said}");
            let after = |what: &str| line.trim().strip_prefix(what).map(str::to_owned);
            otlp = after("receiving OTLP/HTTP at ").unwrap_or(otlp);
            status = after("to be looked at: ").unwrap_or(status);
            said.push_str(&line);
        }
        Self { child, err, said, otlp, status }
    }

    /// Sends spans in JSON; the status, 0 where nobody answered.
    pub fn send(&self, request: &[u8]) -> u16 {
        run(async {
            let client = seatrial::net::client::client().expect("a client");
            let request = client.post(format!("{}/v1/traces", self.otlp)).body(request.to_vec());
            let sent = request.header("content-type", "application/json").send().await;
            sent.map_or(0, |answer| answer.status().as_u16())
        })
    }

    /// Sends it until it is taken, as exporters do that are told to come again.
    pub fn deliver(&self, request: &[u8]) {
        loop {
            match self.send(request) {
                200 => return,
                429 | 503 => std::thread::sleep(Duration::from_millis(50)),
                other => panic!("answered with {other}"),
            }
        }
    }

    /// What is at a path of the status pages: status, policy and text.
    pub fn look(&self, path: &str) -> (u16, String, String) {
        self.look_as(path, None)
    }

    /// The same for somebody who calls the server by another name.
    pub fn look_as(&self, path: &str, host: Option<&str>) -> (u16, String, String) {
        run(async {
            let client = seatrial::net::client::client().expect("a client");
            let mut request = client.get(format!("{}{path}", self.status.trim_end_matches('/')));
            if let Some(host) = host {
                request = request.header("host", host);
            }
            let answer = request.send().await.expect("an answer");
            let policy = answer.headers().get("content-security-policy").map(|v| v.to_str().expect("text").to_owned());
            (answer.status().as_u16(), policy.unwrap_or_default(), answer.text().await.expect("text"))
        })
    }

    /// Waits until the metrics hold a line.
    pub fn until(&self, line: &str) {
        let began = Instant::now();
        loop {
            let (_, _, metrics) = self.look("/metrics");
            if metrics.lines().any(|l| l == line) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "no `{line}`: {metrics}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends it a signal.
    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let status = std::process::Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill").success());
    }

    /// The next line that it says.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.err.read_line(&mut line).expect("text");
        line
    }

    /// Asks it to end; its exit code and what else it said.
    #[cfg(unix)]
    pub fn terminate(mut self) -> (Option<i32>, String) {
        self.signal("-TERM");
        let mut said = String::new();
        self.err.read_to_string(&mut said).expect("text");
        (self.child.wait().expect("an end").code(), said)
    }

    /// Ends it at once.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("an end");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rows of a suite that count, with what is kept of each session.
pub fn rows(project: &Project, suite: &str) -> Vec<(WatchedRow, Body)> {
    let at = StoreUrl::File(project.path(".seatrial/seatrial.db"));
    let rows = run(async {
        let store = Store::open(&at).await.expect("the store");
        let rows = store.watched_between(suite, (0, i64::MAX), (i64::MIN, 0), 100_000).await.expect("rows");
        store.close().await;
        rows
    });
    let body = |row: WatchedRow| {
        let body = serde_json::from_str(&row.watched.body).expect("a body");
        (row, body)
    };
    rows.into_iter().map(body).collect()
}
