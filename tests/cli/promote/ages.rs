//! Time passes: evidence grows old before it is submitted and before it is approved, and approvals end.

use std::thread::sleep;
use std::time::Duration;

use super::{VERSION, next_version, promote, promoting, run, submit, verify};

/// What is a second old, is old; nothing depends on how much older it is.
fn wait(seconds: u64) {
    sleep(Duration::from_millis(seconds * 1000 + 100));
}

#[test]
fn evidence_that_is_too_old_is_not_submitted_where_another_target_takes_it() {
    let project = promoting("max_age = \"24h\"\n[promote.fresh]\nmax_age = \"1s\"\n");
    wait(1);
    let fresh = promote(&project, &[VERSION, "--to", "fresh"]);
    assert_ne!(fresh.code, 0);
    fresh.says("DRAFT").says("evidence may be 1s old (`max_age`)");
    submit(&project, &[]).code(3).says("PENDING");
}

#[test]
fn evidence_that_grows_old_while_it_waits_is_not_approved_any_more() {
    const AGE: u64 = 5;
    let project = promoting(&format!("max_age = \"{AGE}s\"\n"));
    // However slow the machine is: until a run was submitted that is young enough.
    let submitted = (0..20).any(|_| {
        run(&project, VERSION).code(0);
        submit(&project, &[]).code == 3
    });
    assert!(submitted);
    let listed = promote(&project, &["list", "--pending", "--json"]).code(0).out;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let id = listed["promotions"][0]["promotion"].as_str().expect("one that waits").to_owned();
    wait(AGE);
    let approved = promote(&project, &["approve", &id, "--by", "jan"]);
    assert_ne!(approved.code, 0);
    approved.complains("the evidence does not do any more").complains("`max_age`");
    promote(&project, &["list"]).code(0).says("pending");
}

#[test]
fn an_approval_that_ended_is_verified_by_nobody_and_nothing_goes_back_to_it() {
    let project = promoting("expires = \"1s\"\n");
    submit(&project, &[]).code(3);
    promote(&project, &["approve", "p1", "--by", "jan"]).code(0).says("expires");
    wait(1);
    verify(&project, &[]).code(1).says("it is expired since");
    let ended = "is approved for any target no more: its approval for `prod` (p1) ended at";
    promote(&project, &["alias", "champion", VERSION]).code(1).complains(ended).complains("submit it again");
    promote(&project, &["alias", "champion", "airline@9"]).code(1).complains("nobody has submitted it");
    // A longer one takes its place, and is taken back: there is no way back to what has ended.
    project.file("seatrial.toml", "[promote.prod]\nexpires = \"24h\"\nrollback_on = [\"burn\"]\n");
    next_version(&project, "1.5");
    promote(&project, &["airline@1.5", "--to", "prod"]).code(3);
    promote(&project, &["approve", "p3", "--by", "jan"]).code(0);
    promote(&project, &["verify", "airline@1.5", "--to", "prod"]).code(0).says("VERIFIED");
    let back = ["rollback", "airline", "--at", "prod", "--reason", "it burns", "--alert", "burn"];
    promote(&project, &back).code(1).complains("no version was live at `prod` before airline@1.5");
    promote(&project, &["verify", "airline@1.5", "--to", "prod"]).code(0).says("VERIFIED");
    // With one behind it that still holds, it goes back.
    next_version(&project, "1.6");
    promote(&project, &["airline@1.6", "--to", "prod"]).code(3);
    promote(&project, &["approve", "p5", "--by", "jan"]).code(0);
    promote(&project, &back).code(0).says("airline@1.5 is live at prod again");
    promote(&project, &["verify", "airline@1.6", "--to", "prod"]).code(1).says("it is rolled back");
    promote(&project, &["list"]).code(0).says("1.5 (p3)");
}
