//! What becomes of somebody's work when their item goes to somebody else.

use std::time::Duration;

use serde_json::Value;

use super::{Served, enqueue, item, lose_to_bob, no_complaints, now, text, with_store};
use crate::browser::Browser;
use crate::project::Project;

#[test]
fn a_lease_that_ends_while_the_page_is_open_keeps_what_was_written() {
    let project = Project::new();
    let ids = enqueue(&project, vec![item(1)]);
    let server = Served::start(&project, &["--as", "ann", "--lease", "2s"]);
    let Some(mut browser) = Browser::start() else { return };
    browser.go_to(&server.entry);
    browser.key("n");
    browser.wait("location.pathname.startsWith('/item/')");
    browser.ready();
    // While it is open the page keeps it.
    std::thread::sleep(Duration::from_secs(4));
    let holders = with_store(&project, async |store| store.holders(&ids[0], now()).await.expect("read"));
    assert_eq!(holders.len(), 1, "{holders:?}");
    browser.key("c");
    browser.write("half a thought");
    browser.press("Escape", 27);
    browser.key("f");
    lose_to_bob(&mut browser, &project, &ids[0]);
    browser.press("Enter", 13);
    browser.wait("document.getElementById('trouble') !== null");
    browser.ready();
    let trouble = text(&mut browser, "#trouble");
    assert!(trouble.contains("bob has it now") && trouble.contains("Your draft is kept"), "{trouble}");
    assert!(text(&mut browser, "#ask").contains("half a thought"));
    no_complaints(&mut browser, &server, &[409]);
    let labels = with_store(&project, async |store| store.labels(&ids).await.expect("read"));
    assert!(labels.is_empty());
}

#[test]
fn a_page_that_is_looked_at_again_says_that_its_item_went_to_somebody_else_and_goes_on_by_keys() {
    let project = Project::new();
    let ids = enqueue(&project, vec![item(1), item(2)]);
    let server = Served::start(&project, &["--as", "ann", "--lease", "3s"]);
    let Some(mut browser) = Browser::start() else { return };
    browser.go_to(&server.entry);
    browser.key("n");
    browser.wait(&format!("location.pathname === '/item/{}'", ids[0]));
    browser.ready();
    browser.key("c");
    browser.write("half a thought");
    browser.press("Escape", 27);
    browser.wait("document.getElementById('kept').textContent === 'draft saved'");
    lose_to_bob(&mut browser, &project, &ids[0]);
    // It is looked at again.
    browser.eval("dispatchEvent(new Event('visibilitychange'))");
    browser.wait("!document.getElementById('lost').hidden");
    let lost = text(&mut browser, "#lost");
    assert!(lost.contains("bob has it now") && lost.contains("Your draft is kept"), "{lost}");
    assert_eq!(browser.eval("document.getElementById('save').disabled"), true);
    browser.key("f");
    assert_eq!(browser.eval("document.querySelector('input[name=answer]:checked')"), Value::Null);
    // It can be asked for again, which bob's having it refuses; and there are others.
    browser.press("Enter", 13);
    browser.wait("document.getElementById('trouble') !== null");
    browser.ready();
    let trouble = text(&mut browser, "#trouble");
    assert!(trouble.contains("taken by bob"), "{trouble}");
    assert!(text(&mut browser, "#ask").contains("half a thought"));
    browser.key("n");
    browser.wait(&format!("location.pathname === '/item/{}'", ids[1]));
    browser.ready();
    no_complaints(&mut browser, &server, &[409]);
    let draft = with_store(&project, async |store| store.draft(&ids[0], "ann").await.expect("read"));
    assert!(draft.is_some_and(|draft| draft.contains("half a thought")));
}

#[test]
fn two_servers_of_one_store_give_each_item_to_one_person() {
    let project = Project::new();
    let ids = enqueue(&project, (1..=4).map(item).collect());
    let servers = ["ann", "bob"].map(|who| Served::start(&project, &["--as", who]));
    let (Some(ann), Some(bob)) = (Browser::start(), Browser::start()) else { return };
    let mut browsers = [ann, bob];
    for (browser, server) in browsers.iter_mut().zip(&servers) {
        browser.go_to(&server.entry);
    }
    for _ in 0..2 {
        // Both have one before either answers.
        let taken = browsers.each_mut().map(|browser| {
            browser.eval("delete document.documentElement.dataset.ready");
            browser.key("n");
            browser.wait("location.pathname.startsWith('/item/') && document.getElementById('answer') !== null");
            browser.ready();
            browser.eval("location.pathname")
        });
        assert_ne!(taken[0], taken[1]);
        for browser in &mut browsers {
            browser.key("p");
            browser.press("Enter", 13);
            browser.wait("document.getElementById('said')?.textContent.includes('saved')");
            browser.ready();
        }
    }
    for (browser, server) in browsers.iter_mut().zip(&servers) {
        browser.key("n");
        browser.wait("location.pathname === '/'");
        browser.ready();
        no_complaints(browser, server, &[]);
    }
    let mut labels = with_store(&project, async |store| store.labels(&ids).await.expect("read"));
    labels.sort_by(|a, b| (&a.reviewer, &a.item).cmp(&(&b.reviewer, &b.item)));
    let by: Vec<&str> = labels.iter().map(|label| label.reviewer.as_str()).collect();
    assert_eq!(by, ["ann", "ann", "bob", "bob"]);
    let mut items: Vec<_> = labels.iter().map(|label| &label.item).collect();
    items.sort();
    items.dedup();
    assert_eq!(items.len(), 4, "each was answered once");
}
