//! What must not be written, in what people and hooks say of a promotion: the log would keep it for ever.

use std::collections::BTreeMap;

use super::{VERSION, next_version, promote, run, session};
use crate::project::{GOOD, Project};
use crate::redact::plant::{found, leavings};

/// Hidden by the suite, and by the settings.
const SECRETS: [&str; 2] = ["eve@example.com", "DE89370400440532013000"];
const REASON: &str = "Ask eve@example.com, who has DE89370400440532013000.";

/// A project whose suite and settings hide something, if they do, and whose first version needs an override.
fn project(hides: bool) -> Project {
    let rules =
        |detector: &str| if hides { format!("[redact]\ndetectors = [\"{detector}\"]\n") } else { String::new() };
    let suite = rules("email") + GOOD;
    let project = Project::with(&suite, &[&session("a", "1.4", "bad"), &session("b", "1.4", "good")]);
    let target = "[promote.prod]\noverride = true\non_approve = { run = [\"./hook.sh\"] }\n";
    project.file("seatrial.toml", rules("iban") + target);
    // Put together there, so that it stands in no file of the project.
    project.file("hook.sh", "#!/bin/sh\necho Ask eve@\"\"example.com.\n");
    #[cfg(unix)]
    std::fs::set_permissions(project.path("hook.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("executable");
    run(&project, VERSION).code(1);
    project
}

/// Reasons on every way in, and everything that is left and printed after it.
fn everything(hides: bool) -> Vec<(String, Vec<u8>)> {
    let project = project(hides);
    let mut left: Vec<(String, Vec<u8>)> = Vec::new();
    let mut said = |args: &[&str], code: i32| {
        let said = promote(&project, args).code(code);
        left.push((format!("what {args:?} says"), format!("{}{}", said.out, said.err).into_bytes()));
    };
    said(&[VERSION, "--to", "prod", "--override", REASON, "--until", "24h"], 3);
    said(&["approve", "p1", "--by", "jan", "--reason", REASON], 0);
    said(&["alias", "champion", VERSION, "--reason", REASON], 0);
    next_version(&project, "1.5");
    said(&["airline@1.5", "--to", "prod"], 3);
    said(&["list", "--json"], 0);
    let listed = promote(&project, &["list", "--json", "--pending"]).code(0);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).expect("JSON");
    let pending = listed["promotions"][0]["promotion"].as_str().expect("a promotion").to_owned();
    said(&["approve", &pending, "--by", "jan"], 0);
    said(&["rollback", "airline", "--at", "prod", "--reason", REASON], 0);
    next_version(&project, "1.6");
    said(&["airline@1.6", "--to", "prod"], 3);
    let listed = promote(&project, &["list", "--json", "--pending"]).code(0);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).expect("JSON");
    let pending = listed["promotions"][0]["promotion"].as_str().expect("a promotion").to_owned();
    said(&["reject", &pending, "--by", "jan", "--reason", REASON], 0);
    said(&["show", "p1"], 0);
    said(&["log"], 0);
    said(&["log", "--export", "exported"], 0);
    leavings(&project.path(""), &[], &mut left);
    left
}

#[cfg(unix)]
#[test]
fn what_must_not_be_written_is_found_nowhere_when_it_comes_in_a_reason_or_from_a_hook() {
    let secrets: BTreeMap<String, String> = SECRETS.map(|secret| (secret.to_owned(), secret.to_owned())).into();
    let carried = found(&secrets, &everything(false));
    assert_eq!(carried.len(), SECRETS.len(), "without rules it goes through: {carried:?}");
    assert_eq!(found(&secrets, &everything(true)), BTreeMap::new());
}
