//! Who may serve and be served, by the command line.

use super::{Served, password, user};
use crate::project::Project;

#[test]
fn other_addresses_are_refused_without_people_to_tell_apart() {
    let project = Project::new();
    let said = project.seatrial(&["review", "serve", "--listen", "0.0.0.0:0", "--as", "ann"]).code(2);
    assert!(said.err.contains("nobody would have to say who they are"), "{}", said.err);
    assert!(said.err.contains("--auth users"), "{}", said.err);
    user(&project, "eve", "admin");
    let said = project.seatrial(&["review", "serve", "--listen", "0.0.0.0:0", "--auth", "users"]).code(2);
    assert!(said.err.contains("--url https://review.example.com"), "{}", said.err);
    let said = project.seatrial(&["review", "serve", "--auth", "proxy", "--listen", "0"]).code(2);
    assert!(said.err.contains("--proxy-from"), "{}", said.err);
}

#[test]
fn users_are_needed_where_people_are_told_apart() {
    let project = Project::new();
    let said = project.seatrial(&["review", "serve", "--auth", "users", "--listen", "0"]).code(2);
    assert!(said.err.contains("seatrial review user add NAME"), "{}", said.err);
}

#[test]
fn users_are_added_changed_listed_and_kept_out() {
    let project = Project::new();
    assert!(project.seatrial(&["review", "user", "list"]).err.contains("no users"));
    user(&project, "ann", "reviewer");
    project.seatrial(&["review", "user", "add", "bob", "--role", "adjudicator", "--no-password"]).code(0);
    let again = project.seatrial(&["review", "user", "add", "bob", "--no-password"]).code(2);
    assert!(again.err.contains("there is a user bob already"), "{}", again.err);
    project.seatrial(&["review", "user", "role", "ann", "admin"]).code(0);
    project.seatrial(&["review", "user", "disable", "bob"]).code(0);
    let listed = project.seatrial(&["review", "user", "list"]);
    assert_eq!(listed.out, "ann  admin\nbob  adjudicator  no password  disabled\n");
    let unknown = project.seatrial(&["review", "user", "disable", "eve"]).code(2);
    assert!(unknown.err.contains("eve"), "{}", unknown.err);
    let no_terminal = project.seatrial(&["review", "user", "add", "dan"]).code(2);
    assert!(no_terminal.err.contains("--password-stdin"), "{}", no_terminal.err);
    // A password is in no file as it was typed.
    let stored = std::fs::read(project.path(".seatrial/seatrial.db")).expect("the store");
    let log = std::fs::read(project.path(".seatrial/seatrial.db-wal")).unwrap_or_default();
    let secret = password("ann");
    for bytes in [stored, log] {
        assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()));
    }
}

#[cfg(unix)]
#[test]
fn a_server_that_is_asked_to_end_ends_well() {
    let project = Project::new();
    assert_eq!(Served::start(&project, &["--as", "ann"]).end(), 0);
}
