//! What goes to people: put in once, found again, its content kept and taken.

use crate::ledger::{Answer, Content, ItemStatus, Lease, Routed, Source, Why};
use crate::model::digest::Digest;
use crate::model::{Evidence, Field, Severity, Status, SubjectRef};
use crate::redact::Redacted;
use crate::store::db::testing::{id, items, on_both, said};
use crate::store::db::{About, Claimed, ItemFilter, Outcome, Page, Store};

const LINE: &[u8] = b"{\"seatrial\":1,\"id\":\"s1\",\"turns\":[]}\n";

async fn lease(store: &Store, n: u32, who: &str, now: i64) -> Lease {
    store.claim_item(&id(n), who, now, 1_000).await.unwrap().unwrap().1
}

async fn found(store: &Store, filter: ItemFilter, now: i64) -> Vec<String> {
    store.items(&filter, Page::ALL, now).await.unwrap().into_iter().map(|item| item.asked.session_id).collect()
}

on_both! {
    async fn an_item_comes_back_as_it_was_sent(on) {
        let sent = items(1, |_, new| {
            new.asked.trial = Some("2".into());
            new.asked.tags = vec!["pii".into(), "it's".into()];
            new.asked.routed = Routed {
                why: vec![Why::Tag { tag: "pii".into() }, Why::Audit { rate: 0.05 }], inclusion: 0.25, holds: false,
                case_digest: Some(Digest::of(b"case")),
            };
            new.asked.severity = Severity::Critical;
            new.asked.score = None;
            new.asked.evidence = vec![Evidence::turn(1, Field::Reply).within(3..9)];
            new.asked.key.subject = SubjectRef::Span(7);
            new.asked.key.case_digest = new.asked.routed.case_digest;
            new.asked.rubric = Some("Ä\u{202e} \u{1f600} \n<script>".into());
            new.asked.due = Some(5_000);
            new.asked.reviewers = 2;
            new.content = Some(Content::pack(LINE).unwrap());
        });
        let key = sent.get()[0].key.clone();
        on.store.enqueue(&sent, 1_000).await.unwrap();
        let item = on.store.item(&key.id(), 2_000).await.unwrap().unwrap();
        assert_eq!(item.asked, sent.get()[0].asked);
        assert_eq!((item.status, item.open, item.created), (ItemStatus::Pending, 2, 1_000));
        assert_eq!((item.decision, item.decided, item.resolved, item.baseline), (None, None, None, None));
        let content = on.store.content(&item.content.unwrap()).await.unwrap();
        assert_eq!(content.as_deref(), Some(LINE));
        assert_eq!(on.store.content("blake3:00").await.unwrap(), None);
    }

    async fn what_is_sent_again_is_the_same_item(on) {
        let first = on.store.enqueue(&items(3, |_, _| ()), 1).await.unwrap();
        assert_eq!((first.new.len(), first.known), (3, 0));
        let again = items(4, |n, new| {
            new.asked.run = "run-2".into();
            new.asked.proposal = Status::Fail;
            new.asked.routed.holds = true;
            if n == 1 {
                new.content = Some(Content::pack(LINE).unwrap());
            }
        });
        let again = on.store.enqueue(&again, 9).await.unwrap();
        assert_eq!((again.new, again.known), (vec![id(4)], 3));
        let item = on.store.item(&id(1), 9).await.unwrap().unwrap();
        assert_eq!((item.proposal, item.created, item.run.as_str()), (Status::Pass, 1, "run-1"));
        // It is found by either run, and what there is to read now is there.
        let of = |run: &str| ItemFilter { run: Some(run.into()), ..ItemFilter::default() };
        let mut first = found(&on.store, of("run-1"), 9).await;
        first.sort();
        assert_eq!(first, ["s1", "s2", "s3"]);
        assert_eq!(found(&on.store, of("run-2"), 9).await.len(), 4);
        assert!(item.content.is_some());
    }

    async fn an_audit_sample_that_a_gate_comes_to_wait_for_holds_it(on) {
        let audit = items(2, |n, new| new.asked.routed = Routed { why: vec![Why::Audit { rate: 0.1 }], inclusion: 0.1, holds: n == 2, case_digest: None });
        on.store.enqueue(&audit, 1).await.unwrap();
        on.store.enqueue(&items(2, |n, new| new.asked.routed.holds = n == 1), 2).await.unwrap();
        for n in [1, 2] {
            let item = on.store.item(&id(n), 2).await.unwrap().unwrap();
            assert!(item.routed.holds, "{n}");
            assert_eq!(item.routed.inclusion, 0.1);
        }
    }

    async fn items_are_found_by_every_filter(on) {
        let sent = items(4, |n, new| {
            new.asked.key.suite = if n < 3 { "a".into() } else { "b".into() };
            new.asked.key.check = format!("check-{}", n % 2);
            new.asked.tags = vec![format!("t{n}")];
            new.asked.routed.holds = n != 4;
            new.asked.due = (n == 2).then_some(100);
            new.asked.priority = 1.0 - f64::from(n) / 10.0;
        });
        let ids: Vec<_> = sent.get().iter().map(|new| new.key.id()).collect();
        on.store.enqueue(&sent, 0).await.unwrap();
        let any = ItemFilter::default;
        let cases = [
            (any(), vec!["s1", "s2", "s3", "s4"]),
            (ItemFilter { suite: Some("b".into()), ..any() }, vec!["s3", "s4"]),
            (ItemFilter { check: Some("check-1".into()), ..any() }, vec!["s1", "s3"]),
            (ItemFilter { tag: Some("t3".into()), ..any() }, vec!["s3"]),
            (ItemFilter { tag: Some("' OR 1=1 --".into()), ..any() }, vec![]),
            (ItemFilter { holds: Some(false), ..any() }, vec!["s4"]),
            (ItemFilter { overdue: true, ..any() }, vec!["s2"]),
            (ItemFilter { ids: vec![ids[0].clone(), ids[2].clone()], ..any() }, vec!["s1", "s3"]),
            (ItemFilter { not: vec![ids[0].clone()], ..any() }, vec!["s2", "s3", "s4"]),
            (ItemFilter { case: Some("case-2".into()), ..any() }, vec!["s2"]),
            (ItemFilter { session: Some(sent.get()[3].key.session.to_string()), ..any() }, vec!["s4"]),
            (ItemFilter { status: vec![ItemStatus::Resolved], ..any() }, vec![]),
            (ItemFilter { status: vec![ItemStatus::Pending, ItemStatus::Disputed], ..any() }, vec!["s1", "s2", "s3", "s4"]),
            (ItemFilter { reviewer: Some("ann".into()), ..any() }, vec![]),
        ];
        for (filter, expected) in cases {
            assert_eq!(found(&on.store, filter.clone(), 100).await, expected, "{filter:?}");
        }
        let (_, lease) = on.store.claim_item(&ids[0], "ann", 0, 10).await.unwrap().unwrap();
        on.store.submit(&lease, &said("x", Answer::Pass), 1).await.unwrap().unwrap();
        let done = ItemFilter { status: vec![ItemStatus::Resolved], reviewer: Some("ann".into()), ..any() };
        assert_eq!(found(&on.store, done, 100).await, ["s1"]);
        let page = on.store.items(&any(), Page { offset: 1, limit: 2 }, 0).await.unwrap();
        assert_eq!(page.iter().map(|item| item.session_id.as_str()).collect::<Vec<_>>(), ["s2", "s3"]);
    }

    async fn counts_agree_with_the_items(on) {
        let sent = items(5, |n, new| {
            new.asked.due = (n < 3).then_some(50);
            new.asked.expires = n == 1;
        });
        on.store.enqueue(&sent, 0).await.unwrap();
        let three = lease(&on.store, 3, "ann", 0).await;
        on.store.submit(&three, &said("a", Answer::Fail), 1).await.unwrap().unwrap();
        lease(&on.store, 4, "bob", 0).await;
        on.store.cancel(&[id(5)]).await.unwrap();
        let counts = on.store.counts(&ItemFilter::default(), 60).await.unwrap();
        for (status, item) in [
            (ItemStatus::Expired, 1),
            (ItemStatus::Pending, 2),
            (ItemStatus::Resolved, 3),
            (ItemStatus::Leased, 4),
            (ItemStatus::Cancelled, 5),
        ] {
            assert_eq!(counts.of(status), 1, "{status:?}");
            assert_eq!(on.store.item(&id(item), 60).await.unwrap().unwrap().status, status);
        }
        assert_eq!((counts.total(), counts.overdue, counts.done()), (5, 2, 2));
        assert_eq!(counts.leased, [("bob".to_owned(), 1_000)]);
    }

    async fn nobody_is_given_what_is_cancelled_until_a_run_sends_it_again(on) {
        on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
        assert_eq!(on.store.cancel(&[id(1)]).await.unwrap(), 1);
        let claimed = on.store.claim("ann", &ItemFilter::default(), 0, 10).await.unwrap();
        assert!(matches!(claimed, Claimed::Nothing(counts) if counts.of(ItemStatus::Cancelled) == 1));
        on.store.enqueue(&items(1, |_, _| ()), 5).await.unwrap();
        let claimed = on.store.claim("ann", &ItemFilter::default(), 5, 10).await.unwrap();
        assert!(matches!(claimed, Claimed::Item(..)));
        assert_eq!(on.store.cancel(&[id(1)]).await.unwrap(), 1);
    }

    async fn what_is_sent_again_after_it_was_cancelled_stands_as_its_rows_say(on) {
        on.store.enqueue(&items(1, |_, new| new.asked.reviewers = 2), 0).await.unwrap();
        let one = lease(&on.store, 1, "ann", 0).await;
        on.store.submit(&one, &said("a", Answer::Pass), 1).await.unwrap().unwrap();
        assert_eq!(on.store.cancel(&[id(1)]).await.unwrap(), 1);
        on.store.enqueue(&items(1, |_, new| new.asked.reviewers = 2), 5).await.unwrap();
        let item = on.store.item(&id(1), 5).await.unwrap().unwrap();
        assert_eq!((item.status, item.open), (ItemStatus::NeedsMore, 1));
    }

    async fn a_run_that_wants_more_answers_opens_what_fewer_decided_and_one_that_wants_fewer_does_not(on) {
        on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
        let one = lease(&on.store, 1, "ann", 0).await;
        on.store.submit(&one, &said("a", Answer::Pass), 1).await.unwrap().unwrap();
        on.store.enqueue(&items(1, |_, new| new.asked.reviewers = 2), 5).await.unwrap();
        let item = on.store.item(&id(1), 5).await.unwrap().unwrap();
        assert_eq!((item.status, item.decision, item.resolved), (ItemStatus::NeedsMore, None, None));
        assert_eq!((item.reviewers, item.open), (2, 1));
        on.store.enqueue(&items(1, |_, _| ()), 6).await.unwrap();
        assert_eq!(on.store.item(&id(1), 6).await.unwrap().unwrap().reviewers, 2);
        let two = lease(&on.store, 1, "bob", 7).await;
        on.store.submit(&two, &said("b", Answer::Pass), 8).await.unwrap().unwrap();
        assert_eq!(on.store.item(&id(1), 9).await.unwrap().unwrap().status, ItemStatus::Resolved);
    }

    async fn a_fail_that_stands_is_told_while_it_is_not_decided(on) {
        on.store.enqueue(&items(3, |_, new| new.asked.reviewers = 2), 0).await.unwrap();
        let keys: Vec<_> = (1..=3).map(crate::ledger::testing::key).collect();
        for (n, who, answer) in [(1, "ann", Answer::Fail), (2, "ann", Answer::Pass), (3, "ann", Answer::Fail), (3, "bob", Answer::Fail)] {
            let it = lease(&on.store, n, who, 0).await;
            on.store.submit(&it, &said(&format!("{n}{who}"), answer), 1).await.unwrap().unwrap();
        }
        let contested = on.store.contested(&keys).await.unwrap();
        assert_eq!(contested.into_iter().collect::<Vec<_>>(), [(id(1), vec!["ann".to_owned()])]);
        let skip = Answer::Skip { reason: crate::ledger::SkipReason::Ambiguous };
        on.store.undo("1ann", "ann", false, &said("u", skip), 7).await.unwrap().unwrap();
        assert!(on.store.contested(&keys).await.unwrap().is_empty());
    }

    async fn retention_takes_what_is_old_and_nobody_has_to_read_any_more(on) {
        let sent = items(3, |n, new| {
            let line = format!("{{\"seatrial\":1,\"id\":\"s{n}\",\"turns\":[]}}\n");
            new.content = Some(Content::pack(line.as_bytes()).unwrap());
        });
        let digest = |n: usize| sent.get()[n - 1].content.as_ref().unwrap().digest.clone();
        on.store.enqueue(&Redacted::drawn(sent.get()[..2].to_vec()), 100).await.unwrap();
        on.store.enqueue(&Redacted::drawn(sent.get()[2..].to_vec()), 200).await.unwrap();
        let lease = lease(&on.store, 1, "ann", 200).await;
        on.store.submit(&lease, &said("a", Answer::Pass), 201).await.unwrap().unwrap();
        let dry = on.store.purge(150, false, true, 300).await.unwrap();
        assert!(on.store.content(&digest(1)).await.unwrap().is_some());
        let purged = on.store.purge(150, false, false, 300).await.unwrap();
        assert_eq!((purged.sessions, purged.spared), (1, 1));
        assert_eq!(dry, purged);
        assert_eq!(on.store.content(&digest(1)).await.unwrap(), None);
        assert!(on.store.content(&digest(2)).await.unwrap().is_some());
        // What was decided stays, and says what it was about.
        let item = on.store.item(&id(1), 300).await.unwrap().unwrap();
        assert_eq!((item.decision, item.content.as_deref()), (Some(Status::Pass), Some(digest(1).as_str())));
        assert_eq!(on.store.labels(&[id(1)]).await.unwrap().len(), 1);
        let all = on.store.purge(i64::MAX, true, false, 301).await.unwrap();
        assert_eq!((all.sessions, all.spared), (2, 0));
        let info = on.store.info().await.unwrap();
        assert_eq!((info.sessions, info.purged), ((0, 0), 3));
        assert!(info.bytes > 0);
        // A run that has it brings it back.
        on.store.enqueue(&sent, 400).await.unwrap();
        assert!(on.store.content(&digest(1)).await.unwrap().is_some());
        on.store.vacuum().await.unwrap();
    }

    async fn what_happens_is_put_into_the_outbox_where_somebody_listens(on) {
        on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
        assert!(on.store.due_posts(About::Items, 10, 10, 5).await.unwrap().is_empty());
        let telling = on.store.posting();
        telling.enqueue(&items(2, |_, _| ()), 10).await.unwrap();
        let lease = lease(&telling, 2, "ann", 10).await;
        telling.submit(&lease, &said("a", Answer::Fail), 11).await.unwrap().unwrap();
        assert!(telling.post("overdue:x", "item.overdue", &serde_json::json!({}), 12).await.unwrap());
        assert!(!telling.post("overdue:x", "item.overdue", &serde_json::json!({}), 13).await.unwrap());
        let posts = telling.due_posts(About::Items, 20, 10, 5).await.unwrap();
        let events: Vec<&str> = posts.iter().map(|post| post.event.as_str()).collect();
        assert_eq!(events, ["item.new", "item.resolved", "item.overdue"]);
        let body: serde_json::Value = serde_json::from_str(&posts[1].body).unwrap();
        assert_eq!((body["item"].as_str(), body["decided"]["decision"].as_str()), (Some(id(2).as_str()), Some("fail")));
        // Nobody else gets them while they are being told.
        assert!(telling.due_posts(About::Items, 24, 10, 5).await.unwrap().is_empty());
        // Whoever sends alerts gets alerts, and nobody else does.
        assert!(telling.post("alert:x", "alert.notice", &serde_json::json!({}), 12).await.unwrap());
        let alerts = telling.due_posts(About::Alerts, 24, 10, 5).await.unwrap();
        assert_eq!(alerts.iter().map(|post| post.name.as_str()).collect::<Vec<_>>(), ["alert:x"]);
        telling.posted(alerts[0].n, &Outcome::Done).await.unwrap();
        telling.posted(posts[0].n, &Outcome::Done).await.unwrap();
        telling.posted(posts[1].n, &Outcome::Again { at: 100, why: "503".into() }).await.unwrap();
        telling.posted(posts[2].n, &Outcome::GivenUp { why: "410".into() }).await.unwrap();
        assert!(telling.due_posts(About::Items, 99, 10, 5).await.unwrap().is_empty());
        let again = telling.due_posts(About::Items, 100, 10, 5).await.unwrap();
        assert_eq!((again.len(), again[0].tries), (1, 1));
    }

    async fn what_no_database_takes_is_stored_all_the_same(on) {
        let long = "t".repeat(10_000);
        let sent = items(1, |_, new| {
            new.asked.reason = "a\0b".into();
            new.asked.tags = vec![long.clone()];
        });
        on.store.enqueue(&sent, 0).await.unwrap();
        let of = ItemFilter { tag: Some(long.clone()), ..ItemFilter::default() };
        let item = on.store.items(&of, Page::ALL, 1).await.unwrap().remove(0);
        assert_eq!((item.reason.as_str(), &item.tags), ("a\u{fffd}b", &vec![long.clone()]));
        let lease = lease(&on.store, 1, "ann", 0).await;
        let comment = crate::ledger::Submission { comment: "x".repeat(70_000), ..said("1", Answer::Pass) };
        for too_long in [comment, said(&long, Answer::Pass)] {
            let refused = on.store.submit(&lease, &too_long, 1).await.unwrap();
            assert!(matches!(refused, Err(crate::ledger::Refused::Forbidden { .. })));
        }
    }

    async fn a_submission_says_where_it_came_from(on) {
        on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
        let told = crate::ledger::Submission {
            source: Source::Import, shown_proposal: Some(true), seconds: None, comment: "über".into(), ..said("i", Answer::Pass)
        };
        on.store.import(&id(1), "ann", &told, 7).await.unwrap().unwrap();
        let label = on.store.labels(&[id(1)]).await.unwrap().remove(0);
        assert_eq!((label.source, label.shown_proposal, label.seconds, label.at), (Source::Import, Some(true), None, 7));
        assert_eq!((label.comment.as_str(), label.seq, label.item), ("über", 1, id(1)));
    }
}
