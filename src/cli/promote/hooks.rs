//! `seatrial promote hooks`, and running hooks after an approval or a rollback.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::context::{Context, Failure};
use super::desk::Desk;
use super::{desk, words};
use crate::eval::exit;
use crate::net::secret;
use crate::promote::book::Book;
use crate::promote::event::{Event, Id, Occasion};
use crate::promote::hooks::{self, Edge, Told};
use crate::promote::state::Due;

/// Arguments of `seatrial promote hooks`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run them, where they did not run or failed.
    #[arg(long)]
    retry: bool,
    /// Only those of this promotion.
    #[arg(value_name = "PROMOTION")]
    id: Option<String>,
    /// Who runs them; else `reviewer` of the settings, git's `user.name`, or whom the CI or the system names.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Print a script to begin with, for `on_approve` and `on_rollback` alike.
    #[arg(long, value_name = "WHICH", value_enum, conflicts_with_all = ["retry", "id", "by"])]
    example: Option<Example>,
}

/// An example of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Example {
    /// Moves an endpoint of Amazon Bedrock AgentCore Runtime.
    Agentcore,
    /// Moves a tag in Amazon ECR.
    Ecr,
    /// Sets the image of a Kubernetes deployment.
    Kubernetes,
}

/// The examples with their scripts.
pub const EXAMPLES: &[(Example, &str, &str)] = &[
    (Example::Agentcore, "agentcore", include_str!("examples/agentcore.sh")),
    (Example::Ecr, "ecr", include_str!("examples/ecr.sh")),
    (Example::Kubernetes, "kubernetes", include_str!("examples/kubernetes.sh")),
];

/// Lists or runs what is due.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    if let Some(wanted) = args.example {
        let script = EXAMPLES.iter().find(|(example, ..)| *example == wanted).map_or("", |(.., script)| *script);
        return context.print(script.as_bytes(), exit::PASSED);
    }
    let desk = Desk::open(context)?;
    let book = desk.read()?;
    let id = args.id.as_deref().map(|id| desk::promotion(&book.state, id)).transpose()?;
    let id = id.map(|promotion| promotion.submission.promotion.clone());
    let mut out = String::new();
    if args.retry {
        let by = desk::submitter(args.by.as_deref(), context)?;
        let ran = run_due(&desk, &by, id.as_ref(), &book)?;
        if ran.is_empty() {
            out.push_str("no hook is due\n");
        }
        for ran in &ran {
            words::row(&mut out, ran.occasion.name(), &format!("{}: {}", ran.promotion, ran.words()));
        }
        let code = if ran.iter().any(Ran::failed) { exit::INCOMPLETE } else { exit::PASSED };
        return context.print(out.as_bytes(), code);
    }
    let due = due(context, id.as_ref(), &book);
    if due.is_empty() {
        out.push_str("no hook is due\n");
    }
    for due in &due {
        let how = match due.failed {
            0 => "did not run".to_owned(),
            n => format!("failed {n} times"),
        };
        words::row(&mut out, due.occasion.name(), &format!("{}: {how}", due.promotion));
    }
    if !due.is_empty() {
        let _ = writeln!(out, "\n`seatrial promote hooks --retry` runs them again");
    }
    context.print(out.as_bytes(), if due.is_empty() { exit::PASSED } else { exit::INCOMPLETE })
}

/// What became of a hook.
pub struct Ran {
    /// For which promotion.
    pub promotion: Id,
    /// On which occasion.
    pub occasion: Occasion,
    told: Result<String, String>,
}

impl Ran {
    /// Whether it did not do what it should.
    pub fn failed(&self) -> bool {
        self.told.is_err()
    }

    /// In words.
    pub fn words(&self) -> String {
        match &self.told {
            Ok(said) if said.is_empty() => "done".to_owned(),
            Ok(said) => format!("done: {said}"),
            Err(why) => format!("FAILED: {why} (`seatrial promote hooks --retry`)"),
        }
    }
}

/// As JSON.
pub fn values(ran: &[Ran]) -> Vec<Value> {
    let value = |ran: &Ran| {
        let told = ran.told.as_ref().unwrap_or_else(|why| why);
        json!({ "promotion": ran.promotion, "occasion": ran.occasion, "done": !ran.failed(), "told": told })
    };
    ran.iter().map(value).collect()
}

/// Hooks that are due and are set.
fn due(context: &Context, only: Option<&Id>, book: &Book) -> Vec<Due> {
    let is_set = |due: &&Due| {
        let target = book.state.promotion(&due.promotion).map(|p| p.submission.target.as_str());
        let target = target.and_then(|name| context.settings.targets.get(name));
        target.is_some_and(|target| target.hook(due.occasion.name()).is_some())
    };
    let is_wanted = |due: &&Due| only.is_none_or(|id| *id == due.promotion);
    book.state.due().filter(is_set).filter(is_wanted).cloned().collect()
}

/// Runs the hooks that are due, and writes to the log what became of them.
pub fn run_due(desk: &Desk<'_>, by: &str, only: Option<&Id>, book: &Book) -> Result<Vec<Ran>, Failure> {
    let context = desk.context;
    let mut all = Vec::new();
    for due in due(context, only, book) {
        let Some(promotion) = book.state.promotion(&due.promotion) else { continue };
        let target = desk::target(&promotion.submission.target, context)?;
        let (Some(hook), Some(told)) = (target.hook(due.occasion.name()), Told::of(&book.state, &due)) else {
            continue;
        };
        let seconds = || jiff::Timestamp::now().as_second();
        let env = |name: &str| secret::of_environment(name);
        let edge = Edge { seconds: &seconds, env: &env };
        let said = desk.wait(hooks::run(target, hook, &due, &told, &edge));
        let words = |text: String| desk.words_if_known(&text, &promotion.submission);
        let said = said.map(words).map_err(words);
        let key = desk::secret_key(Some(target))?;
        let written = desk.write(key.as_ref(), &BTreeMap::new(), &|_, _| {
            let event = Event::Hooked {
                promotion: due.promotion.clone(),
                occasion: due.occasion,
                of: due.of,
                done: said.is_ok(),
                told: said.clone().unwrap_or_else(|why| why),
            };
            Ok(vec![(by.to_owned(), event)])
        });
        if let Err(why) = written {
            // It ran all the same. That another promotion came meanwhile is no failure of this one.
            context.note(&why.message);
        }
        all.push(Ran { promotion: due.promotion.clone(), occasion: due.occasion, told: said });
    }
    Ok(all)
}
