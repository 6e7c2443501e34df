//! `seatrial promote approve` and `reject`: a person decides over what is pending.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::context::{Context, Failure};
use super::at_hand::Here;
use super::desk::Desk;
use super::{desk, evidence, hooks, words};
use crate::eval::exit;
use crate::promote::event::{Event, Id};
use crate::promote::gate::{self, Gate, Run};
use crate::promote::moment::Moment;
use crate::promote::state::{Promotion, Status};
use crate::promote::verify::{self, Found, Looked, Now};
use crate::suite::settings::promote::Target;

/// Arguments of `seatrial promote approve`.
#[derive(Debug, clap::Args)]
pub struct Approve {
    /// The promotion, such as `p3` (`seatrial promote list`).
    #[arg(value_name = "PROMOTION")]
    id: String,
    /// Who approves, which nothing authenticates; else `reviewer` of the settings (SEATRIAL_REVIEWER), or git's `user.name`.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Print one machine-readable line instead.
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `seatrial promote reject`.
#[derive(Debug, clap::Args)]
pub struct Reject {
    /// The promotion, such as `p3` (`seatrial promote list`).
    #[arg(value_name = "PROMOTION")]
    id: String,
    /// Who rejects, which nothing authenticates; else `reviewer` of the settings (SEATRIAL_REVIEWER), or git's `user.name`.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Print one machine-readable line instead.
    #[arg(long)]
    pub(super) json: bool,
}

/// Approves.
pub fn approve(args: &Approve, context: &Context) -> Result<u8, Failure> {
    let by = desk::decider(args.by.as_deref(), context)?;
    let desk = Desk::open(context)?;
    let before = desk.read()?;
    let promotion = desk::promotion(&before.state, &args.id)?;
    let target = desk::target(&promotion.submission.target, context)?;
    let keys = desk::Keys::of(target)?;
    if promotion.status == Status::Pending {
        stands(promotion, target, &keys, &desk)?;
    }
    let said = desk.words(&args.reason, &promotion.submission)?;
    let id = promotion.submission.promotion.clone();
    let book = desk.write(keys.secret.as_ref(), &BTreeMap::new(), &|book, now| {
        let (granted, expires) = book.state.grant(&id, now);
        let (promotion, reason) = (id.clone(), said.clone());
        Ok(vec![(by.clone(), Event::Approved { promotion, reason, automatic: false, granted, expires })])
    })?;
    let ran = hooks::run_due(&desk, &by, Some(&id), &book)?;
    tell(&desk, args.json, &id, &ran)
}

/// Rejects.
pub fn reject(args: &Reject, context: &Context) -> Result<u8, Failure> {
    let by = desk::decider(args.by.as_deref(), context)?;
    let desk = Desk::open(context)?;
    let before = desk.read()?;
    let promotion = desk::promotion(&before.state, &args.id)?;
    // What belongs to no target any more can still be rejected.
    let target = context.settings.targets.get(&promotion.submission.target);
    let key = target.map(desk::Keys::of).transpose()?.and_then(|keys| keys.secret);
    let said = desk.words(&args.reason, &promotion.submission)?;
    let id = promotion.submission.promotion.clone();
    desk.write(key.as_ref(), &BTreeMap::new(), &|_, _| {
        Ok(vec![(by.clone(), Event::Rejected { promotion: id.clone(), reason: said.clone() })])
    })?;
    tell(&desk, args.json, &id, &[])
}

/// That what is to be approved is still what was submitted, and still good enough.
fn stands(promotion: &Promotion, target: &Target, keys: &desk::Keys, desk: &Desk<'_>) -> Result<(), Failure> {
    let submission = &promotion.submission;
    let gate = desk.evidence(&submission.gate)?;
    let envelope = desk.evidence(&submission.statement)?;
    let here = Here { context: desk.context, store: true };
    // Whoever approves need not have what is deployed at hand; what has to be the same is held against it by `verify`.
    let artifact = submission.artifact;
    let now = Now { rules: Some(&target.rules), trusted: keys.trusted.as_deref(), artifact, at_hand: &here };
    let looked = verify::evidence(submission, gate.as_deref(), envelope.as_deref(), &now);
    let void = |l: &Looked| match &l.found {
        Found::Void(why) => Some(format!("{}: {why}", l.what)),
        Found::Same | Found::Absent(_) => None,
    };
    let void: Vec<String> = looked.iter().filter_map(void).collect();
    if !void.is_empty() {
        return Err(Failure::new(
            exit::FAILED,
            format_args!(
                "refused: what was submitted is not what is there now; submit it again\n  {}",
                void.join("\n  ")
            ),
        ));
    }
    let absent: Vec<&str> =
        looked.iter().filter(|l| matches!(l.found, Found::Absent(_))).map(|l| l.what.as_str()).collect();
    if !absent.is_empty() {
        desk.context.note(&format!("seatrial: not at hand, and not looked at: {}\n", absent.join(", ")));
    }
    let Some(gate) = gate.and_then(|text| serde_json::from_str::<Gate>(&text).ok()) else { return Ok(()) };
    let (version, rules) = (&submission.version, &submission.rules);
    let mut refusals = Run::weigh(&gate.runs, version, rules, submission.artifact.as_ref(), desk::now());
    refusals.extend(evidence::later(&gate.runs, version, rules, desk)?);
    // An override is for what was said against it then, and for evidence that has become older since.
    if refusals.is_empty() || submission.overrides.is_some() {
        return Ok(());
    }
    let reasons: Vec<&str> = refusals.iter().map(|r| r.reason.as_str()).collect();
    Err(Failure::new(
        gate::code(&refusals),
        format_args!("refused: the evidence does not do any more; submit it again\n  {}", reasons.join("\n  ")),
    ))
}

/// Says how a promotion stands.
fn tell(desk: &Desk<'_>, json: bool, id: &Id, ran: &[hooks::Ran]) -> Result<u8, Failure> {
    let book = desk.read()?;
    let promotion = desk::promotion(&book.state, &id.0)?;
    let now: Moment = desk::now();
    let code = match promotion.status {
        _ if ran.iter().any(hooks::Ran::failed) => exit::INCOMPLETE,
        Status::Pending => exit::HELD,
        // Also when it was rejected: that is what was asked for.
        _ => exit::PASSED,
    };
    let mut out = String::new();
    words::promotion(promotion, now, &mut out);
    ran.iter().for_each(|ran| words::row(&mut out, ran.occasion.name(), &ran.words()));
    words::head(&book.log, &mut out);
    if json {
        let more = json!({ "hooks": hooks::values(ran), "head": crate::promote::log::head(&book.log) });
        out = words::line(code, Some((promotion, now)), &more);
    }
    desk.context.print(out.as_bytes(), code)
}
