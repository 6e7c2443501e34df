//! What is said when watching ends.

use serde_json::{Value, json};

use crate::cli::context::{Context, Failure};
use crate::eval::exit;
use crate::watch::watcher::{Shared, lock};

/// Says what was watched.
pub fn tell(shared: &Shared, json: bool, context: &Context) -> Result<u8, Failure> {
    let plan = lock(&shared.plan).clone();
    let standing = shared.inbox.standing(plan.all());
    let of = |suite: &str, outcome: &str| shared.metrics.sessions_of(suite, outcome);
    let mut suites = Vec::new();
    for watching in &plan.suites {
        let name = watching.suite.name.as_str();
        let (evaluated, known, superseded) = (of(name, "evaluated"), of(name, "known"), of(name, "superseded"));
        let checks = watching.suite.checks.iter().map(|check| {
            let [pass, fail, error, held, skip] = shared.metrics.verdicts_of(name, &check.id);
            json!({ "id": check.id, "pass": pass, "fail": fail, "error": error, "held": held, "skip": skip })
        });
        suites.push(json!({
            "name": name,
            "sessions": { "evaluated": evaluated, "known": known, "superseded": superseded },
            "checks": checks.collect::<Vec<Value>>(),
        }));
        let more = if superseded > 0 { format!(", {superseded} superseded by later versions") } else { String::new() };
        context.note(&format!("{name}: {evaluated} sessions evaluated{more}\n"));
    }
    if standing.open > 0 {
        context.note(&format!("{} sessions that are going on wait on disk for the next time\n", standing.open));
    }
    if !json {
        return Ok(exit::PASSED);
    }
    let line = json!({ "schema": 1, "exit_code": exit::PASSED, "open": standing.open, "suites": suites });
    context.print(format!("{line}\n").as_bytes(), exit::PASSED)
}
