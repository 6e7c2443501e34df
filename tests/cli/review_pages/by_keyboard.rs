//! A reviewer's work in a real browser, by the keyboard alone.

use seatrial::ledger::{Act, Answer, SkipReason};

use super::{Served, enqueue, item, no_complaints, password, text, user, with_store};
use crate::browser::Browser;
use crate::project::Project;

#[test]
fn an_item_is_taken_read_answered_undone_and_answered_again_by_keys_alone() {
    let project = Project::new();
    let ids = enqueue(&project, vec![item(1), item(2)]);
    let server = Served::start(&project, &["--as", "ann"]);
    let Some(mut browser) = Browser::start() else { return };
    browser.go_to(&server.entry);
    assert_eq!(browser.eval("location.pathname + location.search"), "/", "the token does not stay in the address");
    assert!(text(&mut browser, ".take").contains("2 items wait"));
    // The keys that a page has are told, in hints and in the help.
    assert!(text(&mut browser, "#next button").contains('n'));
    browser.key("?");
    assert_eq!(browser.eval("document.getElementById('keys').open"), true);
    assert!(text(&mut browser, "#keys").contains("take the next item"));
    browser.press("Escape", 27);
    browser.wait("!document.getElementById('keys').open");

    browser.key("n");
    browser.wait("location.pathname.startsWith('/item/')");
    browser.ready();
    let first = browser.eval("location.pathname.split('/')[2]");
    assert_eq!(first, ids[0].as_str(), "the most urgent comes first");
    // Everything on one screen: the question, the conversation, calls and results, times, the difference, the baseline.
    assert!(text(&mut browser, "#ask").contains("Does the agent say only what it really did?"));
    assert!(text(&mut browser, "#candidate").contains("change_booking"));
    assert!(text(&mut browser, "#candidate").contains("fare class does not allow changes"));
    assert!(browser.eval("document.querySelectorAll('#candidate .waterfall .op').length").as_u64() >= Some(6));
    assert!(text(&mut browser, "#differences").contains("- escalate_to_human"));
    assert!(text(&mut browser, "#before").contains("That fare cannot be changed"));
    // Where the judge looked is marked, and what it said is not in the page at all.
    assert_eq!(
        browser.eval("document.querySelector('#candidate mark').textContent"),
        "Your booking PLX-7714 is moved to Friday "
    );
    let page = browser.eval("document.documentElement.innerHTML").as_str().expect("the page").to_owned();
    assert!(!page.contains("call that would have moved it failed") && !page.contains("0.62"), "blind first");
    browser.key("e");
    assert_eq!(browser.eval("document.querySelector('.pointedat').dataset.place"), "turn:1");

    // A comment, and a letter in it is a letter.
    browser.key("c");
    assert_eq!(browser.eval("document.activeElement.id"), "comment");
    browser.write("fp?");
    browser.wait("document.getElementById('kept').textContent === 'draft saved'");
    browser.press("Escape", 27);
    assert_eq!(browser.eval("document.querySelector('input[name=answer]:checked')"), serde_json::Value::Null);
    browser.key("p");
    assert_eq!(browser.eval("document.querySelector('input[name=answer]:checked').value"), "pass");
    browser.key("f");
    browser.press("Enter", 13);
    browser.wait("document.getElementById('said').textContent.includes('saved')");
    browser.ready();
    // Now the judge's verdict is there.
    assert!(text(&mut browser, "#ask").contains("nova-pro said fail: you agree"), "{}", text(&mut browser, "#ask"));
    assert!(text(&mut browser, "#ask").contains("confidence 0.62"));

    browser.key("u");
    browser.wait("document.getElementById('said').textContent.includes('taken back')");
    browser.ready();
    assert_eq!(
        browser.eval("document.getElementById('comment').value"),
        "fp?",
        "what was said is the draft of what will be"
    );
    assert!(text(&mut browser, ".choices").contains("not blind"));
    // A skip wants a reason, which is chosen by its number.
    browser.key("s");
    assert_eq!(browser.eval("document.querySelector('.why-skip').hidden"), false);
    browser.key("2");
    assert_eq!(browser.eval("document.getElementById('reason').value"), "missing_context");
    browser.press("Enter", 13);
    browser.wait("document.getElementById('said').textContent.includes('Skipped')");
    browser.ready();
    browser.key("n");
    browser.wait(&format!("location.pathname === '/item/{}'", ids[1].as_str()));
    browser.ready();
    browser.key("p");
    browser.press("Enter", 13);
    browser.wait("document.getElementById('said').textContent.includes('saved')");
    browser.ready();
    browser.key("n");
    browser.wait("location.pathname === '/'");
    browser.ready();
    assert!(text(&mut browser, ".empty").contains("Nothing is left for you"), "{}", text(&mut browser, ".empty"));
    no_complaints(&mut browser, &server, &[]);

    let labels = with_store(&project, async |store| store.labels(&ids).await.expect("read"));
    let mut acts: Vec<Act> = labels.iter().filter(|l| l.item == ids[0]).map(|l| l.act.clone()).collect();
    let undone =
        labels.iter().find(|l| l.item == ids[0] && l.act == Act::Label(Answer::Fail)).expect("the first answer");
    assert_eq!(acts.remove(1), Act::Undo { label: undone.id.clone() });
    let skip = Answer::Skip { reason: SkipReason::MissingContext };
    assert_eq!(acts, [Act::Label(Answer::Fail), Act::Label(skip)]);
    assert!(labels.iter().all(|l| l.reviewer == "ann"));
}

#[test]
fn people_sign_in_see_what_their_role_allows_and_sign_out() {
    let project = Project::new();
    user(&project, "ann", "reviewer");
    user(&project, "eve", "admin");
    let ids = enqueue(&project, vec![item(1)]);
    let server = Served::start(&project, &["--auth", "users"]);
    let Some(mut browser) = Browser::start() else { return };
    browser.go_to(&server.at(&format!("/item/{}", ids[0])));
    assert_eq!(browser.eval("location.pathname"), "/login");
    let sign_in = |browser: &mut Browser, name: &str, password: &str| {
        browser.eval("document.getElementById('name').select(); document.getElementById('name').focus()");
        browser.write(name);
        browser.press("Tab", 9);
        browser.write(password);
        browser.eval("delete document.documentElement.dataset.ready");
        browser.press("Enter", 13);
        browser.ready();
    };
    sign_in(&mut browser, "ann", "not this one");
    assert!(text(&mut browser, "#trouble").contains("not their password"));
    sign_in(&mut browser, "ann", &password("ann"));
    assert_eq!(browser.eval("location.pathname"), format!("/item/{}", ids[0]), "where one wanted to go");
    assert_eq!(browser.eval("document.cookie"), "", "no program of a page reads the session");
    browser.go_to(&server.at("/trail"));
    assert!(text(&mut browser, "main").contains("this is for admins"));
    browser.go_to(&server.at("/"));
    assert!(!text(&mut browser, "#top nav").contains("Trail"));
    browser.eval("[...document.querySelectorAll('.tools button')].find((b) => b.textContent === 'Sign out').click()");
    browser.wait("location.pathname === '/login'");
    browser.ready();
    sign_in(&mut browser, "eve", &password("eve"));
    browser.go_to(&server.at("/trail"));
    let trail = text(&mut browser, "main");
    for what in ["read", "login refused", "ann", "eve"] {
        assert!(trail.contains(what), "{what}: {trail}");
    }
    no_complaints(&mut browser, &server, &[401, 403]);
}

#[test]
fn hostile_content_is_text_and_nothing_else() {
    let project = Project::new();
    let mut hostile = item(1);
    let script = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>";
    hostile.asked.question = script.to_owned();
    hostile.asked.case = script.to_owned();
    hostile.asked.rubric = Some(script.to_owned());
    hostile.asked.tags = vec![script.to_owned()];
    let mut session = super::session(1, &format!("{script} a\u{202e}b\u{200b}c"));
    session["turns"][0]["user"] = "x".repeat(3_000_000).into();
    session["turns"][1]["spans"][0]["name"] = script.into();
    hostile.content = Some(seatrial::ledger::Content::pack(session.to_string().as_bytes()).expect("packed"));
    enqueue(&project, vec![hostile]);
    let server = Served::start(&project, &["--as", "ann"]);
    let Some(mut browser) = Browser::start() else { return };
    browser.go_to(&server.entry);
    browser.key("n");
    browser.wait("location.pathname.startsWith('/item/')");
    browser.ready();
    assert_eq!(browser.eval("window.hacked === undefined && document.querySelectorAll('img').length === 0"), true);
    assert!(text(&mut browser, "#candidate").contains("a\\u{202e}b\\u{200b}c"));
    assert!(
        browser.eval("document.documentElement.scrollWidth - innerWidth").as_i64() <= Some(0),
        "nothing is pushed aside"
    );
    assert!(text(&mut browser, "#candidate").contains("more characters"));
    no_complaints(&mut browser, &server, &[]);
}
