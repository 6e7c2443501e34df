//! System checks of a recorded run, made again from the suites' files: `merge` asks them of all shards together, `gate
//! --baseline` of another baseline. What a check is must not have changed since; its digest says so.

use std::path::PathBuf;

use super::context::{Context, Failure};
use crate::eval::event::{Plan, SuitePlan};
use crate::eval::exit;
use crate::eval::plan::Planned;
use crate::model::Level;
use crate::report::safe;
use crate::suite::filter::Filter;
use crate::suite::load::{self, Env};
use crate::suite::{Suite, problems::Problems};

/// The suites of which `wanted` holds, from their files; `where_` says where those lie.
pub fn suites(
    plan: &Plan,
    wanted: &dyn Fn(&SuitePlan) -> bool,
    where_: &str,
    context: &Context,
) -> Result<Vec<Suite>, Failure> {
    let mut suites = Vec::new();
    let mut problems = Problems::default();
    let vars = |name: &str| std::env::var(name).ok();
    for suite in plan.suites.iter().filter(|s| wanted(s)) {
        let path = PathBuf::from(&suite.path);
        if !context.cwd.join(&path).is_file() {
            return Err(Failure::usage(format_args!(
                "suite `{}` has system checks and is not at `{}` any more\nhelp: {where_}, with the suites in place",
                safe::line(&suite.name),
                safe::line(&suite.path)
            )));
        }
        let subject = suite.subject.clone();
        let env = Env {
            kit: &context.kit,
            vars: &vars,
            subject,
            redact: &context.redact,
            sessions: None,
            place: crate::suite::RunsIn::Gate,
            every: None,
        };
        match load::load(&[path], &env) {
            Ok(loaded) => suites.extend(loaded.suites.into_iter().filter(|s| s.name == suite.name)),
            Err(found) => problems.append(found),
        }
    }
    if problems.is_empty() {
        return Ok(suites);
    }
    Err(Failure { code: exit::USAGE, message: problems.render(context.color_errors()), told: false })
}

/// Every suite of the plan with its system checks; `None` where it is not wanted. What the checks are must not have
/// changed since they were those `of` something.
pub fn planned<'s>(
    plan: &Plan,
    suites: &'s [Suite],
    filter: Option<&'s Filter>,
    wanted: &dyn Fn(&SuitePlan) -> bool,
    of: &str,
) -> Result<Vec<Option<Planned<'s>>>, Failure> {
    let mut all = Vec::new();
    for suite in &plan.suites {
        if !wanted(suite) {
            all.push(None);
            continue;
        }
        let found = suites.iter().find(|s| s.name == suite.name).and_then(|s| Planned::new(s, filter));
        let asked = |p: &SuitePlan| -> Vec<_> {
            let system = p.checks.iter().enumerate().filter(|(_, c)| c.level == Level::System);
            system.map(|(i, c)| (i, c.id.clone(), c.digest, c.inactive)).collect()
        };
        match found {
            // The columns, too: a row has its cells in their order.
            Some(found) if asked(&found.plan) == asked(suite) && found.plan.columns == suite.columns => {
                all.push(Some(found))
            }
            _ => {
                return Err(Failure::usage(format_args!(
                    "the system checks of suite `{}` are not those of {of} any more (`{}` was changed)",
                    safe::line(&suite.name),
                    safe::line(&suite.path)
                )));
            }
        }
    }
    Ok(all)
}
