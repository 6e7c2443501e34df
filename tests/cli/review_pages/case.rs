//! An item becomes a regression case of its suite: one key in the pages, the files that `seatrial review case` writes.

use std::fs;

use super::{Served, enqueue, item, text};
use crate::browser::Browser;
use crate::project::Project;

const SUITE: &str = "# Ours.\n[suite]\nname = \"travel-support\"\n\n[recorded]\npaths = [\"all.jsonl\"]\n\n\
                     [[case]]\nid = \"change-booking-1\"\n";

/// Takes the next item and fails it, by keys.
fn fail_the_next(browser: &mut Browser) {
    browser.key("n");
    browser.wait("location.pathname.startsWith('/item/')");
    browser.ready();
    // Before the answer there is nothing to be written of it.
    assert_eq!(browser.eval("document.getElementById('case')"), serde_json::Value::Null);
    browser.key("f");
    browser.press("Enter", 13);
    browser.wait("document.getElementById('said').textContent.includes('saved')");
    browser.ready();
}

/// Presses `r`, and waits for the page that answers.
fn make_it_a_case(browser: &mut Browser) {
    browser.eval("delete document.documentElement.dataset.ready");
    browser.key("r");
    browser.ready();
}

/// The suite and the one recording beside it.
fn written(project: &Project, folder: &str) -> (String, String, String) {
    let suite = fs::read_to_string(project.path(folder).join("travel.toml")).expect("the suite");
    let recordings = fs::read_dir(project.path(folder).join("regressions")).expect("recordings");
    let paths: Vec<_> = recordings.map(|entry| entry.expect("an entry").path()).collect();
    let [path] = &paths[..] else { panic!("one recording, not {paths:?}") };
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    (suite, name, fs::read_to_string(path).expect("a recording"))
}

#[test]
fn one_key_writes_what_the_command_writes_and_shows_where() {
    let project = Project::new();
    let ids = enqueue(&project, vec![item(1)]);
    project.file("suites/deep/travel.toml", SUITE);
    project.file("copy/travel.toml", SUITE);
    let server = Served::start(&project, &["--as", "ann", "--suites", "suites"]);
    let Some(mut browser) = Browser::start() else { return };
    browser.go_to(&server.entry);
    fail_the_next(&mut browser);
    assert!(text(&mut browser, "#case").contains('r'), "the key is shown");
    make_it_a_case(&mut browser);
    let made = text(&mut browser, "#made");
    let (suite, name, recording) = written(&project, "suites/deep");
    assert!(made.contains("suites/deep/travel.toml"), "{made}");
    assert!(made.contains(&format!("suites/deep/regressions/{name}")), "{made}");
    assert!(suite.contains(": fail by ann, check `goal`"), "{suite}");

    project.seatrial(&["review", "case", ids[0].as_str(), "--suite", "copy/travel.toml"]).code(0);
    assert_eq!((suite.clone(), name, recording), written(&project, "copy"));

    // Once more is refused, and changes nothing.
    browser.go_to(&server.at(&format!("/item/{}", ids[0])));
    make_it_a_case(&mut browser);
    let trouble = text(&mut browser, "#trouble");
    assert!(trouble.contains("No case was made") && trouble.contains("already"), "{trouble}");
    assert_eq!(suite, written(&project, "suites/deep").0);

    // Whoever wrote session content to a file stands in the trail.
    browser.go_to(&server.at("/trail"));
    assert!(text(&mut browser, "main").contains("case"));
}

#[test]
fn an_item_of_a_suite_that_is_not_there_is_refused_by_name() {
    let project = Project::new();
    enqueue(&project, vec![item(1)]);
    project.file("suites/other.toml", "[suite]\nname = \"other\"\n");
    let server = Served::start(&project, &["--as", "ann", "--suites", "suites"]);
    let Some(mut browser) = Browser::start() else { return };
    browser.go_to(&server.entry);
    fail_the_next(&mut browser);
    make_it_a_case(&mut browser);
    let trouble = text(&mut browser, "#trouble");
    assert!(trouble.contains("no suite in suites is called `travel-support`"), "{trouble}");
    assert!(!project.path("suites/regressions").exists());
}

#[test]
fn without_a_folder_of_suites_the_page_says_how_else() {
    let project = Project::new();
    enqueue(&project, vec![item(1)]);
    let server = Served::start(&project, &["--as", "ann"]);
    let Some(mut browser) = Browser::start() else { return };
    browser.go_to(&server.entry);
    fail_the_next(&mut browser);
    let said = text(&mut browser, "#ask");
    assert!(said.contains("seatrial review case") && said.contains("--suites DIR"), "{said}");
    assert_eq!(browser.eval("document.getElementById('case')"), serde_json::Value::Null);
}

#[test]
fn a_folder_of_suites_that_is_none_is_refused_at_the_start() {
    let project = Project::new();
    let said = project.seatrial(&["review", "serve", "--as", "ann", "--listen", "0", "--suites", "absent"]).code(2);
    assert!(said.err.contains("`--suites absent`: there is no such folder"), "{}", said.err);
}
