//! `[promote.TARGET]` in `seatrial.toml`: what has to be shown before a version may go to a target, who approves it, and
//! what is done then.

mod read;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Origin;
use super::keys::{KeyDoc, key};
use crate::net::webhook::send as webhook;

/// What decides over a promotion. Recorded with it: an approval is bound to the rules that it was given under.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// Suites, by name, that must have passed; without any, every suite of the runs.
    pub suites: Vec<String>,
    /// How old the evidence may be, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<u64>,
    /// Who may approve; without any, everybody.
    pub approvers: Vec<String>,
    /// How many people have to; 0 is an approval by rule.
    pub approvals: u32,
    /// Whether who submitted it may be one of them.
    pub self_approval: bool,
    /// Whether the digest of what is deployed has to be given.
    pub artifact: bool,
    /// Whether the rules may be overridden, with a reason and an end.
    #[serde(rename = "override")]
    pub overrides: bool,
    /// How long an approval lasts, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_s: Option<u64>,
    /// The share of traffic that the version gets first; handed to hooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<f64>,
    /// Alerts of the watch that take the version back.
    pub rollback_on: Vec<String>,
    /// Names that point to the version once it is approved.
    pub aliases: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            suites: Vec::new(),
            max_age_s: None,
            approvers: Vec::new(),
            approvals: 1,
            self_approval: false,
            artifact: false,
            overrides: false,
            expires_s: None,
            canary: None,
            rollback_on: Vec::new(),
            aliases: Vec::new(),
        }
    }
}

/// A target of promotions.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// What decides.
    pub rules: Rules,
    /// The file of the secret key that evidence and entries of the log are signed by; the variable
    /// [`SIGNING_KEY`] comes first.
    pub key: Option<PathBuf>,
    /// Files of the public keys that are trusted. Where there is none, nothing has to be signed.
    pub trusted_keys: Vec<PathBuf>,
    /// What is done once a version is approved.
    pub on_approve: Option<Hook>,
    /// What is done once it is taken back.
    pub on_rollback: Option<Hook>,
    /// The folder of the settings: programs start there.
    pub dir: PathBuf,
    /// Where it is written.
    pub origin: Origin,
}

/// The variable that holds the secret key in PEM.
pub const SIGNING_KEY: &str = "SEATRIAL_SIGNING_KEY";

/// The variable that names the file of the secret key, where the key itself is in no variable.
pub const SIGNING_KEY_FILE: &str = "SEATRIAL_SIGNING_KEY_FILE";

/// What is done on an occasion.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// What.
    pub what: What,
    /// How long it may take.
    pub timeout: Duration,
}

/// A program or a webhook.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A program and its arguments.
    Run(Vec<String>),
    /// A webhook.
    Url(webhook::Target),
}

/// How long a hook may take unless it is said.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The keys of a target.
static KEYS: &[KeyDoc] = &[
    key("suites", "a list of names", "every suite of the runs", "The suites that must have passed."),
    key("max_age", "a duration such as `\"24h\"`", "no limit", "How long ago the evidence may have been run."),
    key("approvers", "a list of names", "everybody", "Who may approve and reject."),
    key(
        "approvals",
        "a number from 0 to 100",
        "1",
        "How many people have to approve; with 0 the rules alone decide, which is recorded as that.",
    ),
    key("self_approval", "true or false", "false", "Whether who submitted it may approve it, too."),
    key("artifact", "true or false", "false", "Whether the digest of what is deployed must be given (`--artifact`)."),
    key(
        "override",
        "true or false",
        "false",
        "Whether the rules may be overridden, with a reason and an end (`--override`, `--until`); a person then has to approve all the same.",
    ),
    key("expires", "a duration such as `\"90d\"`", "never", "How long an approval lasts."),
    key(
        "canary",
        "a number from 0 to 1",
        "none",
        "The share of traffic that the version gets first; recorded, and handed to hooks.",
    ),
    key(
        "rollback_on",
        "a list of names",
        "none",
        "Alerts of the watch that may roll back (`promote rollback --alert`).",
    ),
    key(
        "aliases",
        "a list of names",
        "none",
        "Names such as `champion` that point to the version once it is approved.",
    ),
    key(
        "key",
        "a path",
        "none",
        "The file of the secret key (ed25519, PEM) that evidence and log are signed by. SEATRIAL_SIGNING_KEY, or the file that SEATRIAL_SIGNING_KEY_FILE names, comes first.",
    ),
    key(
        "trusted_keys",
        "a list of paths",
        "none",
        "Files of public keys (PEM). Evidence and entries of the log that none of them signed are refused; without any, nothing has to be signed.",
    ),
    key("on_approve", "a table with `run` or `url`", "none", "What is done once a version is approved."),
    key("on_rollback", "a table with `run` or `url`", "none", "What is done once a version is taken back."),
];

/// The keys of a hook.
const HOOK_KEYS: [&str; 4] = ["run", "url", "secret", "timeout"];

/// What the reference says of targets; `wrap` breaks a text into lines that begin with four blanks.
pub fn doc(wrap: &dyn Fn(&str) -> String) -> String {
    let mut out = String::from(
        r#"[promote.TARGET] says what has to be shown before a version of an agent may go to TARGET (`seatrial explain promote`):

  [promote.prod]
  suites        = ["airline", "safety"]
  max_age       = "24h"
  approvers     = ["maria", "jan"]
  expires       = "90d"
  trusted_keys  = ["keys/ci.pub.pem"]
  on_approve    = { run = ["./deploy.sh"], timeout = "5m" }
  on_rollback   = { url = "https://deploy.example/hook", secret = "{{ env.DEPLOY_SECRET }}" }

The keys:
"#,
    );
    for key in KEYS {
        let text = format!("{} It is {}; default {}.", key.doc, key.takes, key.default);
        let _ = write!(out, "\n  {}\n{}\n", key.name, wrap(&text));
    }
    out
}

impl Target {
    /// In words, for the table of settings.
    pub(super) fn written(&self) -> String {
        let rules = &self.rules;
        let suites = if rules.suites.is_empty() { "every suite".to_owned() } else { rules.suites.join(", ") };
        let who =
            if rules.approvers.is_empty() { String::new() } else { format!(" of {}", rules.approvers.join(", ")) };
        format!("{suites}; approvals {}{who}", rules.approvals)
    }

    /// The hook of an occasion, by its key.
    pub fn hook(&self, occasion: &str) -> Option<&Hook> {
        match occasion {
            "on_approve" => self.on_approve.as_ref(),
            _ => self.on_rollback.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{folder, resolve};
    use super::super::{Flags, Settings};
    use super::*;

    fn targets(text: &str) -> Result<Settings, Vec<String>> {
        let dir = folder(text);
        let said = |found: Vec<super::super::SettingsProblem>| found.into_iter().map(|p| p.message).collect();
        resolve(dir.path(), &Flags::default(), &[]).map_err(said)
    }

    #[test]
    fn a_target_has_rules_keys_and_hooks() {
        let settings = targets(
            "[promote.prod]\nsuites = [\"a\"]\nmax_age = \"24h\"\napprovers = [\"maria\", \"jan\"]\napprovals = 2\n\
             expires = \"90d\"\ncanary = 0.1\nrollback_on = [\"burn\"]\naliases = [\"champion\"]\nkey = \"k.pem\"\n\
             trusted_keys = [\"k.pub.pem\"]\non_approve = { run = [\"./deploy.sh\", \"x\"], timeout = \"5m\" }\n\
             on_rollback = { url = \"https://h.example/\", secret = \"{{ env.S }}\" }\n[promote.staging]\napprovals = 0\n",
        )
        .unwrap();
        let prod = &settings.targets["prod"];
        assert_eq!(
            (prod.rules.max_age_s, prod.rules.expires_s, prod.rules.canary),
            (Some(86_400), Some(7_776_000), Some(0.1))
        );
        assert_eq!((prod.rules.approvals, prod.rules.self_approval, prod.rules.overrides), (2, false, false));
        assert!(prod.trusted_keys[0].ends_with("k.pub.pem") && prod.trusted_keys[0].is_absolute());
        let Some(Hook { what: What::Run(args), timeout }) = &prod.on_approve else { panic!("a program") };
        assert_eq!((args.len(), *timeout), (2, Duration::from_secs(300)));
        assert!(matches!(prod.hook("on_rollback").map(|h| &h.what), Some(What::Url(_))));
        let staging = &settings.targets["staging"].rules;
        assert_eq!(*staging, Rules { approvals: 0, ..Rules::default() });
        assert!(
            settings
                .rows()
                .iter()
                .any(|(name, value, _)| name == "promote.prod" && value.contains("approvals 2 of maria, jan"))
        );
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let Err(found) = targets(
            "[promote.prod]\nsuite = [\"a\"]\nmax_age = \"soon\"\napprovers = [\"maria\"]\napprovals = 2\ncanary = 2\n\
             override = \"yes\"\non_approve = { run = [], extra = 1 }\n\
             on_rollback = { url = \"https://h.example/\", secret = \"s3cret\" }\n[promote.\"a b\"]\n",
        ) else {
            panic!("problems")
        };
        for part in [
            "unknown key `suite`",
            "`max_age`: `soon` is not a duration",
            "`approvals` is 2, and there are 1 approvers",
            "`canary` is a number from 0 to 1",
            "`override` is true or false",
            "unknown key `extra` in `on_approve`",
            "`run` is a list",
            "`secret` is written out",
            "`a b` is not a name for a target",
        ] {
            assert!(found.iter().any(|message| message.contains(part)), "no {part:?} in {found:#?}");
        }
        assert!(found.iter().all(|message| !message.contains("s3cret")));
    }

    #[test]
    fn rules_survive_the_log() {
        let rules = Rules { canary: Some(0.1), max_age_s: Some(60), ..Rules::default() };
        let text = serde_json::to_string(&rules).unwrap();
        assert_eq!(serde_json::from_str::<Rules>(&text).unwrap(), rules);
        assert!(text.contains("\"override\":false"));
    }
}
