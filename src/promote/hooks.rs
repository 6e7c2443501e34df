//! What is done once a version was approved or taken back: a program or a webhook of the user's own, which moves an
//! endpoint, a tag or a deployment. The log is written before; that a hook failed is written, too, and it can run again.
//!
//! On either occasion the hook is told which version is to be live now, so that one script serves both.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::event::{Id, Occasion, Version};
use super::moment::Moment;
use super::state::{Due, State};
use crate::evidence::programs::once;
use crate::model::digest::Digest;
use crate::net::scrub::Secrets;
use crate::net::secret::Vars;
use crate::net::webhook::send as webhook;
use crate::suite::settings::promote::{Hook, Target, What};

/// The longest that is kept of what a hook said, in characters.
const TOLD: usize = 500;

/// How often a webhook is tried while that may help, and how long apart at first.
const PATIENCE: (u32, Duration) = (3, Duration::from_secs(1));

/// What a hook is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// The promotion that was approved or taken back.
    pub promotion: Id,
    /// On which occasion.
    pub occasion: Occasion,
    /// The agent.
    pub agent: String,
    /// The version that is to be live now.
    pub version: String,
    /// The version that was live; none where there was none.
    pub from: Option<String>,
    /// The target.
    pub target: String,
    /// The digest of what is to be live, where it is known.
    pub artifact: Option<Digest>,
    /// The share of traffic that it gets first.
    pub canary: Option<f64>,
    /// Who approved it last or took it back.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Moment,
}

impl Told {
    /// What is told of a hook that is due; `None` where the log does not say.
    pub fn of(state: &State, due: &Due) -> Option<Self> {
        let promotion = state.promotion(&due.promotion)?;
        let Version { agent, version } = promotion.submission.version.clone();
        let target = promotion.submission.target.clone();
        let live = state.live(&agent, &target)?;
        let (said, from) = match due.occasion {
            Occasion::OnApprove => {
                let before = state.before_of(&due.promotion).map(|p| p.submission.version.version.clone());
                (promotion.approvals.last()?, before)
            }
            Occasion::OnRollback => (promotion.against.as_ref()?, Some(version)),
        };
        Some(Self {
            promotion: due.promotion.clone(),
            occasion: due.occasion,
            agent,
            version: live.submission.version.version.clone(),
            from,
            target,
            artifact: live.submission.artifact,
            canary: live.submission.rules.canary.filter(|_| due.occasion == Occasion::OnApprove),
            by: said.by.clone(),
            reason: said.reason.clone(),
            at: said.at,
        })
    }

    /// The variables of a program.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let digest = self.artifact.map(|digest| digest.to_string());
        vec![
            ("SEATRIAL_PROMOTE_PROMOTION", self.promotion.to_string()),
            ("SEATRIAL_PROMOTE_OCCASION", self.occasion.name().to_owned()),
            ("SEATRIAL_PROMOTE_AGENT", self.agent.clone()),
            ("SEATRIAL_PROMOTE_VERSION", self.version.clone()),
            ("SEATRIAL_PROMOTE_FROM", self.from.clone().unwrap_or_default()),
            ("SEATRIAL_PROMOTE_TARGET", self.target.clone()),
            ("SEATRIAL_PROMOTE_ARTIFACT", digest.unwrap_or_default()),
            ("SEATRIAL_PROMOTE_CANARY", self.canary.map(|share| share.to_string()).unwrap_or_default()),
            ("SEATRIAL_PROMOTE_BY", self.by.clone()),
            ("SEATRIAL_PROMOTE_REASON", self.reason.clone()),
            ("SEATRIAL_PROMOTE_AT", self.at.to_string()),
        ]
    }

    /// The type of a webhook's event.
    pub const fn kind(&self) -> &'static str {
        match self.occasion {
            Occasion::OnApprove => "promotion.approved",
            Occasion::OnRollback => "promotion.rolled_back",
        }
    }
}

/// Where time and secrets come from.
pub struct Edge<'e> {
    /// Seconds since the epoch, at each attempt.
    pub seconds: &'e (dyn Fn() -> i64 + Send + Sync),
    /// The environment.
    pub env: Vars<'e>,
}

/// Runs a hook that is due; what it said.
///
/// # Errors
/// What went wrong, in words.
pub async fn run(target: &Target, hook: &Hook, due: &Due, told: &Told, edge: &Edge<'_>) -> Result<String, String> {
    let done = match &hook.what {
        What::Run(args) => {
            let printed = once::run(args.clone(), target.dir.clone(), told.variables(), hook.timeout).await;
            printed.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        }
        What::Url(url) => match tokio::time::timeout(hook.timeout, post(url, due, told, edge)).await {
            Ok(posted) => posted.map(|()| String::new()),
            Err(_) => Err(format!("it did not answer within {:?} (`timeout`)", hook.timeout)),
        },
    };
    let short = |text: String| Secrets::of_process().scrub(text.trim()).chars().take(TOLD).collect::<String>();
    done.map(short).map_err(short)
}

/// Posts to a webhook. It is named by the entry that occasions it: a receiver drops what it has.
async fn post(url: &webhook::Target, due: &Due, told: &Told, edge: &Edge<'_>) -> Result<(), String> {
    let body = json!({ "type": told.kind(), "timestamp": told.at, "data": told }).to_string();
    let id = format!("{}.{}", due.promotion, due.of);
    let message = webhook::Message { id: &id, body: body.as_bytes() };
    let sender = webhook::Sender::new().map_err(|trouble| trouble.message)?;
    let sent = sender.insist(url, message, PATIENCE, edge.seconds, edge.env).await;
    sent.map_err(|trouble| trouble.message)
}

#[cfg(test)]
#[path = "hooks_tests.rs"]
mod tests;
