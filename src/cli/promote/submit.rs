//! `seatrial promote AGENT@VERSION --to TARGET`: takes the evidence, weighs it by the rules of the target, and records what
//! came of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use super::super::context::{Context, Failure};
use super::desk::Desk;
use super::evidence::{later, no_evidence, take_all};
use super::{desk, hooks, words};
use crate::eval::exit;
use crate::model::digest::Digest;
use crate::model::duration;
use crate::promote::book::{Book, Wanted};
use crate::promote::event::{BY_RULE, Event, Id, Override, Submission, Version};
use crate::promote::gate::{self, Gate, Outcome, Run};
use crate::promote::moment::Moment;
use crate::promote::state::{Refused, Status};
use crate::promote::statement::Statement;
use crate::report::safe;
use crate::suite::settings::promote::Target;

/// Arguments of a submission.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// What is promoted.
    #[arg(value_name = "AGENT@VERSION", value_parser = Version::parse, required = true)]
    version: Option<Version>,
    /// Where to: a target of the settings.
    #[arg(long, value_name = "TARGET", required = true)]
    to: Option<String>,
    /// The evidence: runs, their folders or their run.jsonl. Of several with one suite, the one that ended last counts.
    #[arg(long, value_name = "RUN", num_args = 1..)]
    run: Vec<PathBuf>,
    /// What is deployed: its digest as `sha256:<hex>` (of an image, say), or a file.
    #[arg(long, value_name = "DIGEST|FILE")]
    artifact: Option<String>,
    /// Who submits; else `reviewer` of the settings, git's `user.name`, or whom the CI or the system names.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Record the evidence, and do not ask for an approval yet.
    #[arg(long)]
    draft: bool,
    /// Why the rules are overridden, where the target allows it; a person has to approve all the same.
    #[arg(long = "override", value_name = "REASON", requires = "until")]
    overrides: Option<String>,
    /// When the override ends: a duration from now such as `24h`, or a time as RFC 3339 has it.
    #[arg(long, value_name = "WHEN", requires = "overrides")]
    until: Option<String>,
    /// Print one machine-readable line instead.
    #[arg(long)]
    pub(super) json: bool,
}

/// Submits.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    // Both are required without a subcommand.
    let (Some(version), Some(to)) = (&args.version, &args.to) else {
        return Err(Failure::usage("name AGENT@VERSION, and a target by --to"));
    };
    let target = desk::target(to, context)?;
    let by = desk::submitter(args.by.as_deref(), context)?;
    let keys = desk::Keys::of(target)?;
    let artifact = args.artifact.as_deref().map(|given| desk::artifact(given, context)).transpose()?;
    let now = desk::now();
    let until = args.until.as_deref().map(|text| until(text, now)).transpose()?;
    let desk = Desk::open(context)?;
    let runs = take_all(&args.run, &desk)?;
    let mut refusals = Run::weigh(&runs, version, &target.rules, artifact.as_ref(), now);
    refusals.extend(later(&runs, version, &target.rules, &desk)?);
    if refusals.iter().any(|refusal| !refusal.can_be_overridden) {
        return Err(no_evidence(&refusals));
    }
    if args.overrides.is_some() && refusals.is_empty() {
        return Err(Failure::usage("the rules are met: there is nothing to override"));
    }
    let gate = Gate {
        schema: gate::SCHEMA,
        seatrial: env!("CARGO_PKG_VERSION").to_owned(),
        version: version.clone(),
        target: to.clone(),
        artifact,
        result: Outcome::of(&runs, &refusals),
        rules: target.rules.clone(),
        refusals: refusals.clone(),
        runs,
    };
    let bug = |why: serde_json::Error| Failure::new(exit::BUG, format_args!("evidence cannot be written: {why}"));
    let text = gate.text().map_err(bug)?;
    let of = Digest::of(text.as_bytes());
    let statement = Statement::new(&gate, &of).seal(keys.secret.as_ref()).map_err(bug)?;
    let asked = Asked {
        gate: &gate,
        of,
        statement: Digest::of(statement.as_bytes()),
        overrides: args.overrides.as_deref().map(|said| desk.words_of(said, &gate)).transpose()?.zip(until),
        draft: args.draft,
        by,
    };
    let evidence = BTreeMap::from([(of, text), (asked.statement, statement)]);
    let book = desk.write(keys.secret.as_ref(), &evidence, &|book, at| asked.wanted(book, at))?;
    tell(args, &desk, target, &asked, &book, now)
}

/// What is asked for, whatever is in the log.
struct Asked<'a> {
    gate: &'a Gate,
    of: Digest,
    statement: Digest,
    overrides: Option<(String, Moment)>,
    draft: bool,
    by: String,
}

impl Asked<'_> {
    /// What is written, given the log: nothing where the same is there already.
    fn wanted(&self, book: &Book, now: Moment) -> Result<Wanted, Refused> {
        let refusals: Vec<String> = self.gate.refusals.iter().map(|refusal| refusal.reason.clone()).collect();
        let newest = book.state.newest(&self.gate.version, &self.gate.target);
        let is_same = |s: &Submission| {
            // What is overridden is asked for anew; a statement may be signed by another key.
            s.gate == self.of && s.overrides.is_none() && self.overrides.is_none()
        };
        let is_draft = self.draft || (!refusals.is_empty() && self.overrides.is_none());
        if newest.is_some_and(|p| {
            is_same(&p.submission)
                && match p.status {
                    Status::Pending => true,
                    Status::Approved => p.holds(now),
                    Status::Draft => is_draft,
                    Status::Rejected | Status::Superseded | Status::RolledBack => false,
                }
        }) {
            return Ok(Vec::new());
        }
        let draft = newest.filter(|p| p.status == Status::Draft).map(|p| p.submission.promotion.clone());
        let submission = Submission {
            promotion: draft.unwrap_or_else(|| Id::at(book.next())),
            version: self.gate.version.clone(),
            target: self.gate.target.clone(),
            artifact: self.gate.artifact,
            gate: self.of,
            statement: self.statement,
            rules: self.gate.rules.clone(),
            overrides: self.overrides.clone().filter(|_| !self.draft).map(|(reason, until)| Override {
                reason,
                until,
                refusals: refusals.clone(),
            }),
        };
        if is_draft {
            return Ok(vec![(self.by.clone(), Event::Drafted { submission, refusals })]);
        }
        let by_rule = submission.rules.approvals == 0 && submission.overrides.is_none();
        let promotion = submission.promotion.clone();
        let expires = submission.rules.expires_s.map(|s| now.plus(std::time::Duration::from_secs(s)));
        let mut wanted = vec![(self.by.clone(), Event::Submitted { submission })];
        if by_rule {
            let reason = "the rules ask for no person (`approvals = 0`)".to_owned();
            let event = Event::Approved { promotion, reason, automatic: true, granted: true, expires };
            wanted.push((BY_RULE.to_owned(), event));
        }
        Ok(wanted)
    }
}

/// Says what came of it, and runs the hooks of what was approved.
fn tell(
    args: &Args,
    desk: &Desk<'_>,
    target: &Target,
    asked: &Asked<'_>,
    book: &Book,
    now: Moment,
) -> Result<u8, Failure> {
    let promotion = book.state.newest(&asked.gate.version, &asked.gate.target);
    let promotion = promotion.ok_or_else(|| Failure::new(exit::BUG, "what was written is not there"))?;
    let mut code = match promotion.status {
        Status::Approved => exit::PASSED,
        Status::Pending => exit::HELD,
        _ => gate::code(&asked.gate.refusals),
    };
    let mut out = String::new();
    words::promotion(promotion, now, &mut out);
    words::evidence(asked.gate, &mut out);
    let ran = hooks::run_due(desk, &asked.by, Some(&promotion.submission.promotion), book)?;
    if ran.iter().any(|ran| ran.failed()) {
        code = exit::INCOMPLETE;
    }
    ran.iter().for_each(|ran| words::row(&mut out, ran.occasion.name(), &ran.words()));
    let log = if ran.is_empty() { book.clone() } else { desk.read()? };
    words::head(&log.log, &mut out);
    if target.trusted_keys.is_empty() {
        words::row(&mut out, "", "nothing has to be signed: the target names no `trusted_keys`");
    }
    if args.json {
        let more = json!({
            "result": asked.gate.result,
            "evidence": asked.gate.refusals,
            "hooks": hooks::values(&ran),
            "head": crate::promote::log::head(&log.log),
        });
        out = words::line(code, Some((promotion, now)), &more);
    }
    desk.context.print(out.as_bytes(), code)
}

/// When an override ends.
fn until(text: &str, now: Moment) -> Result<Moment, Failure> {
    let end = Moment::parse(text).or_else(|| duration::parse(text).ok().map(|d| now.plus(d)));
    end.filter(|end| *end > now).ok_or_else(|| {
        Failure::usage(format_args!(
            "`{}` is no time to come: write a duration such as `24h`, or RFC 3339",
            safe::line(text)
        ))
    })
}
