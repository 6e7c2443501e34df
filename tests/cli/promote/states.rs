//! draft -> pending -> approved | rejected, and the names that point to what is approved.

use crate::project::Said;

use super::{VERSION, head, line, next_version, promote, promoting, run, session, submit, verify};

#[test]
fn a_version_is_submitted_approved_by_somebody_else_and_verified() {
    let project = promoting("suites = [\"s\"]\nmax_age = \"24h\"\nexpires = \"90d\"\naliases = [\"champion\"]\n");
    let artifact = project.file("image.tar", "the image").display().to_string();
    submit(&project, &["--artifact", &artifact]).code(3).says("PENDING  p1").says("suite s passed").says("0 of 1");
    verify(&project, &["--artifact", &artifact]).code(1).says("it is pending");
    promote(&project, &["approve", "p1"]).code(1).complains("maria submitted it and may not approve it");
    promote(&project, &["approve", "p1", "--by", "jan", "--reason", "looked at it"])
        .code(0)
        .says("APPROVED  p1")
        .says("by jan: looked at it")
        .says("names are as they were given: nothing shows who it was")
        .says("expires");
    let head = head(&project);
    let said = verify(&project, &["--artifact", &artifact, "--head", &head]).code(0);
    for what in [
        "approval p1",
        "log of 2 entries",
        "gate.json",
        "statement",
        "rules of `prod`",
        "artifact",
        "record reports/",
        "recording sessions.jsonl",
    ] {
        assert!(said.out.contains(&format!("same          {what}")), "{what}: {}", said.out);
    }
    assert!(said.out.contains("VERIFIED") && !said.out.contains("VOID"), "{}", said.out);
    promote(&project, &["list"]).code(0).says("approved").says("airline@champion").says("airline@prod");
    promote(&project, &["show", "p1"]).code(0).says("entry 1").says("submitted by maria").says("approved by jan");
    promote(&project, &["log"]).code(0).says("2 entries, head sha256:");
}

#[test]
fn without_a_person_the_rules_approve_and_that_is_said() {
    let project = promoting("[promote.staging]\napprovals = 0\n");
    let said = promote(&project, &[VERSION, "--to", "staging", "--json"]).code(0);
    let said = line(&said);
    assert_eq!((said["status"].as_str(), said["result"].as_str()), (Some("approved"), Some("PASSED")));
    assert_eq!(said["approvals"][0]["by"], "rule");
    // The same again asks for nothing.
    let again = line(&promote(&project, &[VERSION, "--to", "staging", "--json"]).code(0));
    assert_eq!(again["head"], said["head"]);
}

#[test]
fn what_the_rules_refuse_is_a_draft_until_better_evidence_comes() {
    let project = promoting("");
    project.file("sessions.jsonl", session("a", "1.4", "bad") + "\n");
    run(&project, VERSION).code(1);
    submit(&project, &[]).code(1).says("DRAFT  p1").says("suite `s` is failed");
    promote(&project, &["approve", "p1", "--by", "jan"]).code(1).complains("draft, not pending");
    project.file("sessions.jsonl", session("a", "1.4", "good") + "\n");
    run(&project, VERSION).code(0);
    let said = line(&submit(&project, &["--json"]).code(3));
    assert_eq!((said["promotion"].as_str(), said["status"].as_str()), (Some("p1"), Some("pending")));
}

#[test]
fn a_draft_on_request_asks_nobody() {
    let project = promoting("");
    submit(&project, &["--draft"]).code(0).says("DRAFT  p1");
    promote(&project, &["list", "--pending"]).code(0).says("no promotion");
    submit(&project, &[]).code(3).says("PENDING  p1");
    // The same evidence again is not submitted twice.
    let before = head(&project);
    submit(&project, &[]).code(3).says("PENDING  p1");
    assert_eq!(head(&project), before);
}

#[test]
fn what_is_approved_stays_live_while_another_is_pending_and_a_rollback_brings_it_back() {
    let project = promoting("rollback_on = [\"burn\"]\n");
    submit(&project, &[]).code(3);
    promote(&project, &["approve", "p1", "--by", "jan"]).code(0);
    next_version(&project, "1.5");
    promote(&project, &["airline@1.5", "--to", "prod"]).code(3).says("PENDING  p3");
    let live = |version: &str| {
        let said = line(&promote(&project, &["list", "--json"]).code(0));
        assert_eq!(
            (said["names"][0]["name"].as_str(), said["names"][0]["version"].as_str()),
            (Some("prod"), Some(version))
        );
    };
    live("1.4");
    promote(&project, &["approve", "p3", "--by", "jan"]).code(0);
    live("1.5");
    let back = ["rollback", "airline", "--at", "prod", "--reason", "error rate"];
    promote(&project, &[&back[..], &["--alert", "other"]].concat()).code(1).complains("`rollback_on`: burn");
    promote(&project, &[&back[..], &["--alert", "burn"]].concat()).code(0).says("airline@1.4 is live at prod again");
    live("1.4");
    promote(&project, &back).code(1).complains("no version was live at `prod` before airline@1.4");
    promote(&project, &["verify", "airline@1.5", "--to", "prod"]).code(1).says("it is rolled back");
}

#[test]
fn a_name_points_to_what_is_approved_only() {
    let project = promoting("");
    submit(&project, &[]).code(3);
    promote(&project, &["alias", "champion", VERSION]).code(1).complains("airline@1.4 is not approved");
    promote(&project, &["alias", "prod", VERSION]).code(2).complains("is a target");
    promote(&project, &["approve", "p1", "--by", "jan"]).code(0);
    promote(&project, &["alias", "champion", VERSION]).code(0);
    promote(&project, &["alias", "champion", "airline@9"]).code(1);
    promote(&project, &["list"]).code(0).says("airline@champion").says("1.4 (p1)");
}

#[test]
fn a_rejection_is_recorded_with_its_reason() {
    let project = promoting("approvers = [\"jan\"]\n");
    submit(&project, &[]).code(3);
    promote(&project, &["reject", "p1", "--by", "eve", "--reason", "no"]).code(1).complains("not one of the approvers");
    promote(&project, &["reject", "p1", "--by", "jan", "--reason", "too slow"])
        .code(0)
        .says("REJECTED")
        .says("too slow");
    promote(&project, &["approve", "p1", "--by", "jan"]).code(1).complains("rejected, not pending");
    promote(&project, &["approve", "p9", "--by", "jan"]).code(2).complains("there is no promotion `p9`");
}

#[test]
fn an_override_needs_leave_and_a_person_and_says_so_for_ever() {
    let project = promoting("approvals = 0\noverride = true\n[promote.strict]\n");
    project.file("sessions.jsonl", session("a", "1.4", "bad") + "\n");
    run(&project, VERSION).code(1);
    let overriding = ["--override", "outage of the old one", "--until", "24h"];
    submit(&project, &["--override", "why"]).code(2).complains("--until");
    let strict = [&[VERSION, "--to", "strict"][..], &overriding].concat();
    promote(&project, &strict).code(1).complains("allow no override");
    submit(&project, &overriding).code(3).says("outage of the old one").says("suite `s` is failed").says("0 of 1");
    promote(&project, &["approve", "p1", "--by", "jan"]).code(0).says("expires");
    promote(&project, &["show", "p1"]).code(0).says("result        FAILED").says("overridden");
}

#[test]
fn who_does_it_has_a_name() {
    let project = promoting("");
    submit(&project, &[]).code(3);
    project.seatrial(&["promote", "approve", "p1"]).code(2).complains("who does this?").complains("--by");
    project.seatrial(&["promote", VERSION, "--to", "nowhere"]).code(2).complains("the targets are prod");
    project.seatrial(&["promote", "airline", "--to", "prod"]).code(2).complains("an agent and its version");
    project.seatrial(&["promote"]).code(2).complains("AGENT@VERSION");
}

#[test]
fn many_who_approve_at_once_are_all_heard_and_nobody_twice() {
    let project = promoting("approvals = 8\n");
    submit(&project, &[]).code(3);
    let people: Vec<String> = (0..8).map(|i| format!("person-{i}")).collect();
    let all: Vec<_> = people
        .iter()
        .map(|by| {
            let mut command = project.command(&["promote", "approve", "p1", "--by", by]);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            command.spawn().expect("the binary starts")
        })
        .collect();
    let codes: Vec<_> = all.into_iter().map(|child| child.wait_with_output().expect("it ends")).collect();
    for said in &codes {
        let code = said.status.code();
        assert!(code == Some(3) || code == Some(0), "{code:?}: {}", String::from_utf8_lossy(&said.stderr));
    }
    let said = line(&promote(&project, &["show", "p1", "--json"]).code(0));
    let mut by: Vec<_> = said["approvals"].as_array().expect("approvals").iter().map(|a| a["by"].clone()).collect();
    by.sort_by_key(ToString::to_string);
    assert_eq!((by, said["status"].as_str()), (people.into_iter().map(Into::into).collect(), Some("approved")));
    assert_eq!(said["history"].as_array().map(Vec::len), Some(9));
}

#[test]
fn a_team_promotes_in_postgres_as_one_does_in_a_file() {
    let Some(database) = crate::postgres::database() else {
        eprintln!("there is no PostgreSQL here; nothing was tested");
        return;
    };
    let project = promoting("");
    let mut judged = project.command(&["run", "suite.toml", "--subject", VERSION]);
    judged.env("SEATRIAL_STORE", &database);
    Said::of(judged).code(0);
    let promote = |args: &[&str]| {
        let mut command = project.command(&["promote"]);
        command.args(args).env("SEATRIAL_REVIEWER", "maria").env("SEATRIAL_STORE", &database);
        Said::of(command)
    };
    promote(&[VERSION, "--to", "prod"]).code(3).says("PENDING  p1");
    promote(&["approve", "p1"]).code(1).complains("may not approve");
    promote(&["approve", "p1", "--by", "jan"]).code(0);
    promote(&["verify", VERSION, "--to", "prod"]).code(0).says("VERIFIED");
    promote(&["list"]).code(0).says("airline@prod");
    // Nothing of it is in the file.
    super::promote(&project, &["list"]).code(0).says("no promotion");
}
