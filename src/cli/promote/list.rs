//! `seatrial promote list`: promotions, and where names point.

use serde_json::{Value, json};

use super::super::context::{Context, Failure};
use super::desk::Desk;
use super::{desk, words};
use crate::eval::exit;
use crate::promote::state::standing;

/// Arguments of `seatrial promote list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only of this agent.
    #[arg(value_name = "AGENT")]
    agent: Option<String>,
    /// Only to this target.
    #[arg(long, value_name = "TARGET")]
    to: Option<String>,
    /// Only what waits for people.
    #[arg(long)]
    pending: bool,
    /// Print one machine-readable line instead.
    #[arg(long)]
    pub(super) json: bool,
}

/// Lists.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let book = Desk::open(context)?.read()?;
    let now = desk::now();
    let agent = |name: &str| args.agent.as_ref().is_none_or(|wanted| wanted == name);
    let target = |name: &str| args.to.as_ref().is_none_or(|wanted| wanted == name);
    let found: Vec<_> = book
        .state
        .promotions
        .iter()
        .filter(|p| agent(&p.submission.version.agent) && target(&p.submission.target))
        .filter(|p| !args.pending || standing(p, now) == "pending")
        .collect();
    let names: Vec<_> = book.state.names().into_iter().filter(|(of, ..)| agent(of)).collect();
    if args.json {
        let more = json!({
            "promotions": found.iter().map(|p| words::value(p, now)).collect::<Vec<Value>>(),
            "names": names.iter().map(|(agent, name, p)| json!({
                "agent": agent, "name": name, "version": p.submission.version.version,
                "promotion": p.submission.promotion, "holds": p.holds(now),
            })).collect::<Vec<Value>>(),
            "head": crate::promote::log::head(&book.log),
        });
        return context.print(words::line(exit::PASSED, None, &more).as_bytes(), exit::PASSED);
    }
    let mut out = String::new();
    if found.is_empty() {
        out.push_str("no promotion\n");
    }
    for promotion in &found {
        let s = &promotion.submission;
        let missing = match promotion.missing() {
            n if standing(promotion, now) == "pending" => format!("  {n} of {} approvals missing", promotion.wanted()),
            _ => String::new(),
        };
        let text = format!(
            "{:<11}  {} to {}  {} by {}{missing}",
            standing(promotion, now),
            s.version,
            s.target,
            promotion.at,
            promotion.by
        );
        words::row(&mut out, &s.promotion.0, &text);
    }
    if !args.pending && !names.is_empty() {
        out.push('\n');
        for (agent, name, promotion) in names {
            let holds = if promotion.holds(now) { String::new() } else { format!(", {}", standing(promotion, now)) };
            let s = &promotion.submission;
            words::row(
                &mut out,
                &format!("{agent}@{name}"),
                &format!("{} ({}{holds})", s.version.version, s.promotion),
            );
        }
    }
    context.print(out.as_bytes(), exit::PASSED)
}
