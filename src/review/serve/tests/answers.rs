//! What becomes of an answer: blind or not, given once, late, undone, disputed, by somebody else.

use super::*;

#[tokio::test]
async fn an_item_is_shown_blind_and_answered_once() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let place = site.take(&cookie).await;
    assert!(place.starts_with(&format!("/item/{id}?fence=")), "{place}");
    let page = site.get(&place, &cookie).await;
    assert!(!page.body.contains("MACHINE REASON"), "what the check said is hidden");
    for hostile in ["<script>alert", "<img src=x", "\u{202e}right"] {
        assert!(!page.body.contains(hostile), "{hostile}");
    }
    assert!(page.body.contains("\\u{202e}right"), "what reorders text is shown as a mark");
    // The same form twice: one answer.
    let fields = [("answer", "fail"), ("comment", "wrong <b>tool</b>"), ("seconds", "12")];
    let said = site.answer(&cookie, &place, &fields).await;
    assert_eq!((said.status, said.header("location")), (303, Some(&*format!("/item/{id}?said=answered"))));
    let labels = site.store.labels(std::slice::from_ref(&id)).await.expect("read");
    assert_eq!(labels.len(), 1);
    assert_eq!(
        (labels[0].reviewer.as_str(), labels[0].seconds, labels[0].shown_proposal),
        ("ann", Some(12), Some(false))
    );
    assert_eq!(labels[0].comment, "wrong <b>tool</b>");
    let page = site.get(&format!("/item/{id}"), &cookie).await;
    assert!(page.body.contains("MACHINE REASON") && page.body.contains("you disagree"), "{}", page.body);
    assert!(page.body.contains("wrong &lt;b&gt;tool&lt;/b&gt;"));
}

#[tokio::test]
async fn what_must_not_be_written_is_neither_in_a_draft_nor_in_an_answer() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let mut item = hostile(1);
    let rules = serde_json::json!({ "detectors": ["email"], "key": "" });
    item.asked.redact = Some(serde_json::from_value(rules).expect("rules"));
    let id = site.add(vec![item]).await.remove(0);
    let place = site.take(&cookie).await;
    let (csrf, fields) =
        (site.get(&place, &cookie).await.field("csrf"), [("answer", "fail"), ("comment", "ask eve@example.com")]);
    let draft = [&[("csrf", csrf.as_str())][..], &fields].concat();
    assert_eq!(site.post(&format!("/item/{id}/draft"), &cookie, &draft).await.status, 204);
    let kept = site.store.draft(&id, "ann").await.expect("read").expect("a draft");
    assert!(kept.contains("ask [redacted:email]") && kept.contains("fail"), "{kept}");
    assert!(site.get(&place, &cookie).await.body.contains("ask [redacted:email]</textarea>"));
    assert_eq!(site.answer(&cookie, &place, &fields).await.status, 303);
    let labels = site.store.labels(std::slice::from_ref(&id)).await.expect("read");
    assert_eq!(labels[0].comment, "ask [redacted:email]");
    let page = site.get(&format!("/item/{id}"), &cookie).await;
    assert!(page.body.contains("[redacted:email]") && !page.body.contains("eve@example.com"));
}

#[tokio::test]
async fn what_was_purged_can_only_be_skipped() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let place = site.take(&cookie).await;
    let now = site.clock.load(Ordering::Relaxed);
    site.store.purge(Millis::MAX, true, false, now).await.expect("purged");
    let page = site.get(&place, &cookie).await;
    assert!(page.body.contains("it can only be skipped"), "{}", page.body);
    assert_eq!(page.body.matches(" disabled>").count(), 2, "{}", page.body);
    let said = site.answer(&cookie, &place, &[("answer", "pass"), ("comment", "my words")]).await;
    assert_eq!(said.status, 409);
    assert!(said.body.contains("can only be skipped") && said.body.contains("Your draft is kept"), "{}", said.body);
    assert!(site.store.labels(std::slice::from_ref(&id)).await.expect("read").is_empty());
    assert_eq!(site.answer(&cookie, &place, &[("answer", "skip"), ("reason", "missing_context")]).await.status, 303);
}

#[tokio::test]
async fn the_same_form_sent_twice_is_one_answer() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let place = site.take(&cookie).await;
    let page = site.get(&place, &cookie).await;
    let (csrf, submission, fence) = (page.field("csrf"), page.field("submission"), fence_of(&place));
    let fields = [("csrf", csrf.as_str()), ("fence", &fence), ("submission", &submission), ("answer", "pass")];
    for _ in 0..2 {
        assert_eq!(site.post(&format!("/item/{id}/answer"), &cookie, &fields).await.status, 303);
    }
    assert_eq!(site.store.labels(&[id]).await.expect("read").len(), 1);
}

#[tokio::test]
async fn an_answer_after_the_lease_is_refused_and_its_draft_is_kept() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let place = site.take(&cookie).await;
    let page = site.get(&place, &cookie).await;
    site.later(2 * LEASE);
    // Somebody else takes it.
    let taken = site.store.claim_item(&id, "bob", START + 2 * LEASE, LEASE).await.expect("stored");
    assert!(taken.is_ok());
    let (csrf, submission, fence) = (page.field("csrf"), page.field("submission"), fence_of(&place));
    let fields = [
        ("csrf", csrf.as_str()),
        ("fence", &fence),
        ("submission", &submission),
        ("answer", "fail"),
        ("comment", "my words"),
    ];
    let said = site.post(&format!("/item/{id}/answer"), &cookie, &fields).await;
    assert_eq!(said.status, 409);
    assert!(said.body.contains("bob has it now") && said.body.contains("Your draft is kept"), "{}", said.body);
    assert!(said.body.contains("my words"));
    assert!(site.store.labels(std::slice::from_ref(&id)).await.expect("read").is_empty());
    let kept = site.store.draft(&id, "ann").await.expect("read").expect("a draft");
    assert!(kept.contains("my words") && kept.contains("fail"), "{kept}");
    // And it is there when the item can be taken again.
    site.later(2 * LEASE);
    let csrf = site.get("/", &cookie).await.field("csrf");
    let said = site.post(&format!("/item/{id}/take"), &cookie, &[("csrf", &csrf)]).await;
    let page = site.get(said.header("location").expect("a place"), &cookie).await;
    assert!(page.body.contains("my words</textarea>"), "{}", page.body);
}

#[tokio::test]
async fn a_page_that_is_open_keeps_its_lease() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let place = site.take(&cookie).await;
    let csrf = site.get("/", &cookie).await.field("csrf");
    let fields = [("csrf", csrf.as_str()), ("fence", &fence_of(&place))];
    for _ in 0..3 {
        site.later(LEASE * 2 / 3);
        assert_eq!(site.post(&format!("/item/{id}/renew"), &cookie, &fields).await.status, 200);
    }
    site.later(LEASE + 1);
    site.store.claim_item(&id, "bob", START + 4 * LEASE, LEASE).await.expect("stored").expect("free");
    let said = site.post(&format!("/item/{id}/renew"), &cookie, &fields).await;
    assert_eq!(said.status, 409);
    assert!(said.body.contains("\"why\""), "{}", said.body);
}

#[tokio::test]
async fn an_undone_answer_can_be_given_anew_and_is_not_blind() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let place = site.take(&cookie).await;
    site.answer(&cookie, &place, &[("answer", "pass"), ("comment", "at first")]).await;
    let page = site.get(&format!("/item/{id}"), &cookie).await;
    let said = site
        .post(&format!("/item/{id}/undo"), &cookie, &[("csrf", &page.field("csrf")), ("label", &page.field("label"))])
        .await;
    assert_eq!(said.status, 303, "{}", said.body);
    let place = said.header("location").expect("a place").to_owned();
    let page = site.get(&place, &cookie).await;
    assert!(page.body.contains("at first</textarea>") && !page.body.contains("MACHINE REASON"));
    site.answer(&cookie, &place, &[("answer", "fail")]).await;
    let labels = site.store.labels(&[id]).await.expect("read");
    assert_eq!(labels.len(), 3, "an undo is a row, and nothing is changed");
    assert_eq!(labels.iter().map(|l| l.shown_proposal).collect::<Vec<_>>(), [Some(false), Some(true), Some(true)]);
}

#[tokio::test]
async fn what_is_not_complete_is_told_and_kept() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let place = site.take(&cookie).await;
    for (fields, told) in [
        (vec![("comment", "words")], "Choose an answer"),
        (vec![("answer", "skip"), ("comment", "words")], "Say why you skip it"),
        (vec![("answer", "maybe"), ("comment", "words")], "Choose an answer"),
    ] {
        let said = site.answer(&cookie, &place, &fields).await;
        assert_eq!(said.status, 422);
        assert!(said.body.contains(told) && said.body.contains("words</textarea>"), "{}", said.body);
    }
    assert!(site.store.labels(&[id]).await.expect("read").is_empty());
    let long = "x".repeat(who::MAX_FORM + 1);
    assert_eq!(site.answer(&cookie, &place, &[("answer", "pass"), ("comment", &long)]).await.status, 413);
}

#[tokio::test]
async fn differing_answers_are_decided_by_an_adjudicator_alone() {
    let site = site(Access::Users).await;
    let (ann, bob) = (site.user("ann", Role::Reviewer).await, site.user("bob", Role::Reviewer).await);
    let eve = site.user("eve", Role::Adjudicator).await;
    let mut item = hostile(1);
    item.asked.reviewers = 2;
    let id = site.add(vec![item]).await.remove(0);
    for (who, answer) in [(&ann, "pass"), (&bob, "fail")] {
        let place = site.take(who).await;
        site.answer(who, &place, &[("answer", answer), ("comment", "because")]).await;
    }
    let path = format!("/item/{id}");
    let csrf = site.get(&path, &ann).await.field("csrf");
    let submission = secret::token().expect("random");
    let decision = [("csrf", csrf.as_str()), ("submission", submission.as_str()), ("answer", "pass")];
    assert_eq!(site.post(&format!("{path}/decide"), &ann, &decision).await.status, 403);
    let page = site.get(&path, &eve).await;
    assert!(page.body.contains("ann: ") && page.body.contains("bob: "), "{}", page.body);
    assert!(!page.body.contains("MACHINE REASON"), "the check's verdict does not sway the decision");
    let fields = [("csrf", &*page.field("csrf")), ("submission", &page.field("submission")), ("answer", "fail")];
    assert_eq!(site.post(&format!("{path}/decide"), &eve, &fields).await.status, 303);
    let page = site.get(&path, &ann).await;
    assert!(page.body.contains("adjudicated") && page.body.contains("by eve"), "{}", page.body);
}

#[tokio::test]
async fn who_opens_what_is_decided_does_not_answer_blind_when_it_is_open_again() {
    let site = site(named()).await;
    for name in ["ann", "bob", "cat"] {
        site.store.add_user(name, "", Role::Reviewer, START).await.expect("stored").expect("new");
    }
    let (ann, bob, cat) = (as_user("ann"), as_user("bob"), as_user("cat"));
    let mut item = hostile(1);
    item.asked.routed.why = Vec::new();
    let id = site.add(vec![item]).await.remove(0);
    let path = format!("/item/{id}");
    let place = site.take(&ann).await;
    site.answer(&ann, &place, &[("answer", "fail")]).await;
    // In the queue nobody else is told what was decided; on its page it is.
    assert!(site.get("/", &ann).await.body.contains(">fail</span>"));
    assert!(!site.get("/", &cat).await.body.contains(">fail</span>"));
    assert!(site.get(&path, &bob).await.body.contains("MACHINE REASON"));
    let undo = async |who: &str| {
        let page = site.get(&path, who).await;
        let fields = [("csrf", &*page.field("csrf")), ("label", &page.field("label"))];
        assert_eq!(site.post(&format!("{path}/undo"), who, &fields).await.status, 303);
        let csrf = site.get("/", who).await.field("csrf");
        let fence = (0..9).map(|n| n.to_string());
        for fence in fence {
            site.post(&format!("{path}/release"), who, &[("csrf", &csrf), ("fence", &fence)]).await;
        }
    };
    undo(&ann).await;
    let place = site.take(&bob).await;
    assert!(site.get(&place, &bob).await.body.contains(">not blind</span>"), "it is told before the answer");
    site.answer(&bob, &place, &[("answer", "fail")]).await;
    undo(&bob).await;
    let place = site.take(&cat).await;
    site.answer(&cat, &place, &[("answer", "fail")]).await;
    let labels = site.store.labels(&[id]).await.expect("read");
    let given = labels.iter().filter(|l| l.act.answer().is_some());
    let given: Vec<_> = given.map(|l| (l.reviewer.as_str(), l.shown_proposal)).collect();
    assert_eq!(given, [("ann", Some(false)), ("bob", Some(true)), ("cat", Some(false))]);
}

#[tokio::test]
async fn an_adjudicator_decides_nothing_that_nobody_disputes() {
    let site = site(Access::Users).await;
    let (ann, eve) = (site.user("ann", Role::Reviewer).await, site.user("eve", Role::Adjudicator).await);
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let decide = async || {
        let csrf = site.get("/", &eve).await.field("csrf");
        let submission = secret::token().expect("random");
        let fields = [("csrf", csrf.as_str()), ("submission", submission.as_str()), ("answer", "fail")];
        site.post(&format!("/item/{id}/decide"), &eve, &fields).await
    };
    assert_eq!(decide().await.status, 409);
    let place = site.take(&ann).await;
    site.answer(&ann, &place, &[("answer", "pass")]).await;
    let refused = decide().await;
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("decides where answers differ"), "{}", refused.body);
    assert_eq!(site.store.labels(std::slice::from_ref(&id)).await.expect("read").len(), 1);
}

#[tokio::test]
async fn two_servers_of_one_file_give_no_item_to_two_people_and_lose_no_answer() {
    let one = site(named()).await;
    let other = site_in(one.folder.clone(), named(), one.clock.clone()).await;
    let people = ["ann", "bob", "cat", "dan"];
    for name in people {
        one.store.add_user(name, "", Role::Reviewer, START).await.expect("stored").expect("new");
    }
    one.add((1..=24).map(made_up).collect()).await;
    let work = async |site: &Site, name: &str| {
        let (who, mut answered) = (as_user(name), Vec::new());
        loop {
            let place = site.take(&who).await;
            if place.contains("nothing=1") {
                return answered;
            }
            assert_eq!(site.answer(&who, &place, &[("answer", "pass")]).await.status, 303);
            answered.push(place.split('?').next().expect("a path").to_owned());
        }
    };
    let (a, b, c, d) =
        tokio::join!(work(&one, people[0]), work(&other, people[1]), work(&one, people[2]), work(&other, people[3]));
    let mut all = [a, b, c, d].concat();
    all.sort();
    all.dedup();
    let counts = other.store.counts(&ItemFilter::default(), START).await.expect("read");
    assert_eq!((all.len(), counts.of(crate::ledger::ItemStatus::Resolved)), (24, 24));
}

#[tokio::test]
async fn answers_of_others_elsewhere_count_here() {
    let site = site(local()).await;
    let cookie = site.enter().await;
    let id = site.add(vec![hostile(1)]).await.remove(0);
    let place = site.take(&cookie).await;
    let said = Submission {
        id: secret::token().expect("random").into(),
        answer: Answer::Pass,
        comment: String::new(),
        seconds: None,
        source: Source::Import,
        shown_proposal: Some(false),
    };
    site.store.import(&id, "bob", &said, START).await.expect("stored").expect("taken");
    let refused = site.answer(&cookie, &place, &[("answer", "fail"), ("comment", "late")]).await;
    assert_eq!(refused.status, 409);
    assert!(site.store.draft(&id, "ann").await.expect("read").is_some_and(|d| d.contains("late")));
}
