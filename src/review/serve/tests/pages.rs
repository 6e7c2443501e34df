//! What is shown where there is nothing to answer, or not all can be shown; and that looks are written down.

use super::*;

#[tokio::test]
async fn an_empty_queue_says_why() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    assert!(site.get("/", &cookie).await.body.contains("Nothing has been sent for review yet"));
    let ids = site.add(vec![hostile(1), hostile(2)]).await;
    assert!(site.get("/?suite=other", &cookie).await.body.contains("Nothing matches this filter"));
    site.store.claim_item(&ids[0], "bob", START, LEASE).await.expect("stored").expect("free");
    site.store.claim_item(&ids[1], "eve", START, LEASE).await.expect("stored").expect("free");
    let page = site.get("/", &cookie).await;
    assert!(page.body.contains("Everything that is left is with somebody"), "{}", page.body);
    assert!(page.body.contains("bob has one until") && page.body.contains("eve has one until"));
    site.later(2 * LEASE);
    for _ in 0..2 {
        let place = site.take(&cookie).await;
        site.answer(&cookie, &place, &[("answer", "pass")]).await;
    }
    assert!(site.get("/", &cookie).await.body.contains("All done"));
}

#[tokio::test]
async fn who_has_answered_is_told_that_the_rest_waits_for_others() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let mut item = hostile(1);
    item.asked.reviewers = 2;
    site.add(vec![item]).await;
    let place = site.take(&cookie).await;
    site.answer(&cookie, &place, &[("answer", "pass")]).await;
    let nothing = site.take(&cookie).await;
    assert!(nothing.contains("nothing=1"), "{nothing}");
    let page = site.get(&nothing, &cookie).await;
    assert!(page.body.contains("Nothing is left for you"), "{}", page.body);
}

#[tokio::test]
async fn a_session_that_is_too_large_for_a_page_is_said_and_can_be_saved() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let mut item = hostile(1);
    let line = serde_json::json!({ "id": "s", "turns": [{ "user": "u", "reply": "x".repeat(17 << 20) }] });
    item.content = Some(Content::pack(line.to_string().as_bytes()).expect("packed"));
    item.asked.case = "c".repeat(100_000);
    let id = site.add(vec![item]).await.remove(0);
    let page = site.get(&format!("/item/{id}"), &cookie).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("17 MiB long, more than a page can show") && page.body.len() < 1 << 20);
    let saved = site.get(&format!("/item/{id}/session.jsonl"), &cookie).await;
    assert_eq!((saved.status, saved.body.len() > 17 << 20), (200, true));
}

#[tokio::test]
async fn every_look_at_a_session_is_written_down() {
    let site = site(Access::Users).await;
    let (ann, eve) = (site.user("ann", Role::Reviewer).await, site.user("eve", Role::Admin).await);
    let id = site.add(vec![hostile(1)]).await.remove(0);
    site.get(&format!("/item/{id}"), &ann).await;
    let saved = site.get(&format!("/item/{id}/session.jsonl"), &ann).await;
    assert!(saved.header("content-disposition").is_some_and(|h| h.starts_with("attachment")));
    assert!(saved.body.contains("alert(1)"), "{}", saved.body);
    let page = site.get(&format!("/trail?item={id}"), &eve).await;
    for what in [">read</td>", ">save</td>", "ann", "127.0.0.1"] {
        assert!(page.body.contains(what), "{what}: {}", page.body);
    }
}

#[tokio::test]
async fn content_that_was_purged_or_never_kept_is_said_and_the_item_can_be_answered() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    site.add(vec![made_up(1)]).await;
    let place = site.take(&cookie).await;
    assert!(site.get(&place, &cookie).await.body.contains("did not keep this session"));
    assert_eq!(site.answer(&cookie, &place, &[("answer", "skip"), ("reason", "missing_context")]).await.status, 303);
}

#[tokio::test]
async fn agreement_is_shown_with_its_interval() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    site.add(vec![hostile(1), hostile(2)]).await;
    for answer in ["pass", "fail"] {
        let place = site.take(&cookie).await;
        site.answer(&cookie, &place, &[("answer", answer), ("seconds", "30")]).await;
    }
    let page = site.get("/effect", &cookie).await;
    assert!(page.body.contains("50.0%") && page.body.contains("1 of 2, 1.3% to 98.7%"), "{}", page.body);
    assert!(page.body.contains("1.0 minutes on 2 answers"), "{}", page.body);
}
