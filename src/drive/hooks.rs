//! Doing what a suite wants done around sessions: a program that is started and ends, or an HTTP request.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::checks::context::json_value;
use crate::checks::jinja::Template;
use crate::evidence::programs::once;
use crate::model::Payload;
use crate::net::client::{self, Http};
use crate::net::scrub::Secrets;
use crate::net::secret::{self, Vars};
use crate::net::{Trouble, body};
use crate::suite::agent::{Hook, What};

/// Longest answer that is read, in bytes.
const LONGEST: usize = 16 << 20;

/// How much of what went wrong is told, in bytes.
const TOLD: usize = 500;

/// What it is done for.
#[derive(Clone, Copy)]
pub struct For<'f> {
    /// The case as templates see it; `null` where it is done for none in particular.
    pub case: &'f Value,
    /// The session's id.
    pub session: &'f str,
    /// The trial; 0 where there is none.
    pub trial: u32,
    /// The environment.
    pub env: Vars<'f>,
    /// Connections.
    pub http: &'f Http,
    /// The folder of the suite.
    pub dir: &'f Path,
}

/// Does it; what it answers.
///
/// # Errors
/// What went wrong, in words.
pub async fn run(hook: &Hook, what_for: For<'_>) -> Result<Vec<u8>, String> {
    let done = async {
        match &hook.what {
            What::Program(args) => {
                let args = args.iter().map(|arg| what_for.text(arg)).collect::<Result<Vec<_>, _>>()?;
                what_for.program(args, hook.timeout).await
            }
            What::Request { method, url, headers, body } => what_for.request(method, url, headers, body.as_ref()).await,
        }
    };
    match tokio::time::timeout(hook.timeout, done).await {
        Ok(done) => done.map_err(|why| Secrets::of_process().scrub(&why).into_owned()),
        Err(_) => Err(format!("it was not done within {:?} (`timeout`)", hook.timeout)),
    }
}

/// Asks what the world is like.
///
/// # Errors
/// What went wrong, in words.
pub async fn state(hook: &Hook, what_for: For<'_>) -> Result<Payload<'static>, String> {
    let bytes = run(hook, what_for).await?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|why| format!("it is not JSON: {why}"))?;
    let Some(path) = &hook.path else { return Ok(Payload::from_value(&value)) };
    let mut found = path.locate(&value).into_iter();
    match (found.next(), found.next()) {
        (Some((_, one)), None) => Ok(Payload::from_value(one)),
        (None, _) => Err(format!("there is nothing at `{path}`")),
        (Some(_), Some(_)) => Err(format!("`{path}` names more than one value")),
    }
}

impl For<'_> {
    /// A text with its templates rendered.
    fn text(&self, text: &str) -> Result<String, String> {
        match self.value(&Value::String(text.to_owned()))? {
            Value::String(text) => Ok(text),
            other => Ok(other.to_string()),
        }
    }

    fn value(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) if Template::is_in(text) => {
                let template = Template::parse(text).map_err(|e| e.message)?;
                let mut env = Map::new();
                for name in template.names(true).iter().filter_map(|name| name.strip_prefix("env.")) {
                    let value = (self.env)(name).ok_or_else(|| secret::unset(name, self.env))?;
                    env.insert(name.to_owned(), value.into());
                }
                let context = json!({ "case": self.case, "session": self.session, "trial": self.trial, "env": env });
                template.render(&json_value(&context))?
            }
            Value::Array(items) => Value::Array(items.iter().map(|i| self.value(i)).collect::<Result<_, _>>()?),
            Value::Object(map) => {
                let pairs = map.iter().map(|(key, value)| Ok((key.clone(), self.value(value)?)));
                Value::Object(pairs.collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        })
    }

    async fn request(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: Option<&Value>,
    ) -> Result<Vec<u8>, String> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(|why| why.to_string())?;
        let mut request = self.http.request(method, self.text(url)?);
        for (name, value) in headers {
            request = request.header(name, self.text(value)?);
        }
        if let Some(body) = body {
            request = request.json(&self.value(body)?);
        }
        let reply = request.send().await.map_err(|why| Trouble::from(why).message)?;
        let status = reply.status();
        if !status.is_success() {
            let headers = reply.headers().clone();
            return Err(client::refusal(status, &headers, &body::beginning(reply, TOLD).await).message);
        }
        body::whole(reply, LONGEST).await.map_err(|trouble| trouble.message)
    }

    async fn program(&self, args: Vec<String>, timeout: Duration) -> Result<Vec<u8>, String> {
        let case = self.case.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let told = vec![
            ("SEATRIAL_CASE", case),
            ("SEATRIAL_SESSION", self.session.to_owned()),
            ("SEATRIAL_TRIAL", self.trial.to_string()),
        ];
        once::run(args, self.dir.to_owned(), told, timeout).await
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::suite::agent::Each;

    fn hook(args: &[&str]) -> Hook {
        Hook {
            what: What::Program(args.iter().map(|a| (*a).to_owned()).collect()),
            timeout: Duration::from_secs(20),
            each: Each::Session,
            path: None,
            initial: false,
        }
    }

    fn done(hook: &Hook) -> Result<String, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let case = json!({ "id": "c", "n": 3 });
        let env = |name: &str| (name == "KEY").then(|| "s3cret".to_owned());
        let http = client::client().expect("a client");
        let what_for = For { case: &case, session: "s-1", trial: 2, env: &env, http: &http, dir: Path::new("") };
        runtime.block_on(state(hook, what_for)).map(|state| state.as_str().to_owned())
    }

    #[test]
    fn a_program_is_told_what_it_is_for_and_answers_with_the_state() {
        let args = [
            "sh",
            "-c",
            "echo \"{\\\"a\\\": [\\\"$SEATRIAL_CASE\\\", \\\"$SEATRIAL_TRIAL\\\", $1]}\"",
            "x",
            "{{ case.n }}",
        ];
        assert_eq!(done(&hook(&args)).as_deref(), Ok("{\"a\":[\"c\",\"2\",3]}"));
        let part = Hook { path: Some(crate::checks::path::Path::parse("a[2]").unwrap()), ..hook(&args) };
        assert_eq!(done(&part).as_deref(), Ok("3"));
    }

    #[test]
    fn what_goes_wrong_is_said() {
        assert!(done(&hook(&["sh", "-c", "echo no seat >&2; exit 3"])).unwrap_err().ends_with("no seat"));
        assert!(done(&hook(&["sh", "-c", "echo nope"])).unwrap_err().starts_with("it is not JSON"));
        assert!(done(&hook(&["./no-such-program"])).unwrap_err().contains("could not be started"));
        assert_eq!(done(&hook(&["sh", "{{ env.NOPE }}"])).unwrap_err(), "the environment variable `NOPE` is not set");
        let nowhere = Hook { path: Some(crate::checks::path::Path::parse("b").unwrap()), ..hook(&["echo", "{}"]) };
        assert_eq!(done(&nowhere).unwrap_err(), "there is nothing at `b`");
    }

    #[test]
    fn what_takes_too_long_ends_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", pid.display());
        // On a busy machine it may be ended before it has come to start anything: then it gets more time.
        let limits = [200, 3000, 20_000].map(Duration::from_millis);
        let sleeping = limits.into_iter().find_map(|timeout| {
            let slow = Hook { timeout, ..hook(&["sh", "-c", &script]) };
            assert!(done(&slow).unwrap_err().contains("`timeout`"));
            std::fs::read_to_string(&pid).ok().filter(|pid| pid.ends_with('\n'))
        });
        let sleeping = sleeping.expect("it started something");
        if std::path::Path::new("/proc/self/stat").exists() {
            let stat = || std::fs::read_to_string(format!("/proc/{}/stat", sleeping.trim()));
            // One that nobody waits for is still listed, as a zombie.
            while stat().is_ok_and(|stat| !stat.contains(") Z ")) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
