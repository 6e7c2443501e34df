//! The life of an item: leases, answers, disputes, undo.

use crate::ledger::{Answer, DecidedBy, ItemKey, ItemStatus, Lease, Refused, SkipReason};
use crate::model::Status;
use crate::model::digest::Digest;
use crate::store::db::testing::{id, items, on_both, said};
use crate::store::db::{Claimed, ItemFilter, Store};

const SKIP: Answer = Answer::Skip { reason: SkipReason::MissingContext };

async fn claim(store: &Store, who: &str, now: i64) -> Option<(String, Lease)> {
    match store.claim(who, &ItemFilter::default(), now, 100).await.unwrap() {
        Claimed::Item(item, lease) => Some((item.asked.session_id.clone(), lease)),
        Claimed::Nothing(_) => None,
    }
}

async fn status(store: &Store, n: u32, now: i64) -> (ItemStatus, Option<Status>) {
    let item = store.item(&id(n), now).await.unwrap().unwrap();
    (item.status, item.decision)
}

on_both! {
    async fn the_most_urgent_comes_first_then_what_waits_longest_and_what_is_overdue_before_both(on) {
        let sent = |n: u32| items(5, move |m, new| {
            // Only the number asked for is new each time.
            if m != n { new.asked.key.check = format!("other-{n}-{m}"); }
            new.asked.priority = [0.0, 0.2, 0.9, 0.2, 0.0, 0.1][m as usize];
            new.asked.due = (m == 5).then_some(50);
        });
        let day = 86_400_000;
        // Numbers 2 to 5 are sent a day after number 1.
        let only = |n: u32| crate::redact::Redacted::drawn(vec![sent(n).get()[n as usize - 1].clone()]);
        on.store.enqueue(&only(1), 0).await.unwrap();
        for n in 2..=5 {
            on.store.enqueue(&only(n), day + i64::from(n)).await.unwrap();
        }
        let mut order = Vec::new();
        for who in ["a", "b", "c", "d", "e", "f"] {
            order.extend(claim(&on.store, who, 2 * day).await.map(|(session, _)| session));
        }
        assert_eq!(order, ["s5", "s2", "s1", "s3", "s4"]);
    }

    async fn an_item_is_given_to_no_more_people_than_are_to_answer_it(on) {
        on.store.enqueue(&items(1, |_, new| new.asked.reviewers = 2), 0).await.unwrap();
        let (_, first) = claim(&on.store, "ann", 0).await.unwrap();
        let (_, second) = claim(&on.store, "bob", 0).await.unwrap();
        assert!(second.fence > first.fence);
        assert!(claim(&on.store, "cat", 99).await.is_none());
        let refused = on.store.claim_item(&id(1), "cat", 99, 10).await.unwrap();
        let holders = vec![("ann".to_owned(), 100), ("bob".to_owned(), 100)];
        assert_eq!(refused.err(), Some(Refused::Taken { holders: holders.clone() }));
        assert_eq!(on.store.holders(&id(1), 99).await.unwrap(), holders);
        assert_eq!(status(&on.store, 1, 99).await.0, ItemStatus::Leased);
        // A lease that ran out makes room, and one that was given back does.
        let (_, third) = claim(&on.store, "cat", 100).await.unwrap();
        on.store.release(&third).await.unwrap();
        assert!(claim(&on.store, "dan", 101).await.is_some());
        assert!(claim(&on.store, "eve", 101).await.is_some());
        assert!(claim(&on.store, "fay", 101).await.is_none());
    }

    async fn who_has_an_item_gets_it_again_and_not_another(on) {
        on.store.enqueue(&items(3, |_, _| ()), 0).await.unwrap();
        let (session, lease) = claim(&on.store, "ann", 0).await.unwrap();
        let (again, longer) = claim(&on.store, "ann", 50).await.unwrap();
        assert_eq!((again.as_str(), longer.fence, longer.until), (session.as_str(), lease.fence, 150));
        // Unless the person wants another one.
        let other = ItemFilter { not: vec![lease.item.clone()], ..ItemFilter::default() };
        let Claimed::Item(other, _) = on.store.claim("ann", &other, 60, 100).await.unwrap() else { panic!("none") };
        assert_ne!(other.id, lease.item);
    }

    async fn nobody_is_asked_again_for_what_they_answered_or_skipped(on) {
        on.store.enqueue(&items(1, |_, new| new.asked.reviewers = 2), 0).await.unwrap();
        let (_, lease) = claim(&on.store, "ann", 0).await.unwrap();
        on.store.submit(&lease, &said("1", SKIP), 1).await.unwrap().unwrap();
        let (_, lease) = claim(&on.store, "bob", 0).await.unwrap();
        let (label, standing) = on.store.submit(&lease, &said("2", Answer::Pass), 1).await.unwrap().unwrap();
        assert_eq!((label.seq, standing.status, standing.open), (2, ItemStatus::NeedsMore, 1));
        for who in ["ann", "bob"] {
            let Claimed::Nothing(counts) = on.store.claim(who, &ItemFilter::default(), 5, 10).await.unwrap() else {
                panic!("{who} is asked again")
            };
            assert_eq!((counts.answered, counts.of(ItemStatus::NeedsMore)), (1, 1));
            assert!(matches!(on.store.claim_item(&id(1), who, 5, 10).await.unwrap(), Err(Refused::Answered { .. })));
        }
        assert!(claim(&on.store, "cat", 5).await.is_some());
    }

    async fn a_lease_that_ran_out_submits_nothing_and_the_draft_stays(on) {
        on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
        let (_, lease) = claim(&on.store, "ann", 0).await.unwrap();
        on.store.save_draft(&id(1), "ann", "half", 50).await.unwrap();
        on.store.save_draft(&id(1), "ann", "half a thought", 60).await.unwrap();
        let late = on.store.submit(&lease, &said("1", Answer::Pass), 100).await.unwrap();
        assert_eq!(late.err(), Some(Refused::Stale { status: ItemStatus::Pending, holders: vec![] }));
        let (_, other) = claim(&on.store, "bob", 100).await.unwrap();
        let late = on.store.submit(&lease, &said("1", Answer::Pass), 101).await.unwrap();
        let now = vec![("bob".to_owned(), 200)];
        assert_eq!(late.err(), Some(Refused::Stale { status: ItemStatus::Leased, holders: now }));
        assert!(on.store.renew(&lease, 101, 10).await.unwrap().is_err());
        assert_eq!(on.store.draft(&id(1), "ann").await.unwrap().as_deref(), Some("half a thought"));
        assert!(on.store.labels(&[id(1)]).await.unwrap().is_empty());
        on.store.submit(&other, &said("2", Answer::Pass), 150).await.unwrap().unwrap();
        let late = on.store.submit(&lease, &said("1", Answer::Fail), 151).await.unwrap();
        assert_eq!(late.err(), Some(Refused::Stale { status: ItemStatus::Resolved, holders: vec![] }));
        on.store.drop_draft(&id(1), "ann").await.unwrap();
        assert_eq!(on.store.draft(&id(1), "ann").await.unwrap(), None);
    }

    async fn a_lease_of_before_is_told_from_a_new_one_of_the_same_person(on) {
        on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
        let (_, old) = claim(&on.store, "ann", 0).await.unwrap();
        let (_, new) = claim(&on.store, "ann", 200).await.unwrap();
        assert!(new.fence > old.fence);
        assert!(matches!(on.store.submit(&old, &said("1", Answer::Pass), 201).await.unwrap(), Err(Refused::Stale { .. })));
        on.store.release(&old).await.unwrap();
        let longer = on.store.renew(&new, 250, 100).await.unwrap().unwrap();
        assert_eq!(longer.until, 350);
        on.store.submit(&longer, &said("2", Answer::Pass), 349).await.unwrap().unwrap();
    }

    async fn an_answer_that_is_sent_twice_is_taken_once(on) {
        on.store.enqueue(&items(2, |_, _| ()), 0).await.unwrap();
        let (_, lease) = claim(&on.store, "ann", 0).await.unwrap();
        let once = on.store.submit(&lease, &said("same", Answer::Fail), 1).await.unwrap().unwrap();
        // Also when the lease has run out by then.
        let twice = on.store.submit(&lease, &said("same", Answer::Fail), 1_000).await.unwrap().unwrap();
        assert_eq!(once, twice);
        assert_eq!(on.store.labels(std::slice::from_ref(&lease.item)).await.unwrap().len(), 1);
        // The name of somebody else's is not taken over.
        let (_, other) = claim(&on.store, "bob", 1_000).await.unwrap();
        let refused = on.store.submit(&other, &said("same", Answer::Pass), 1_001).await.unwrap();
        assert!(matches!(refused, Err(Refused::Forbidden { .. })));
        // And who has answered answers no more.
        let refused = on.store.submit(&lease, &said("another", Answer::Pass), 1_001).await.unwrap();
        assert!(matches!(refused, Err(Refused::Answered { label, .. }) if label == "same"));
    }

    async fn answers_that_differ_go_to_an_adjudicator(on) {
        on.store.enqueue(&items(1, |_, new| new.asked.reviewers = 2), 0).await.unwrap();
        for (who, answer) in [("ann", Answer::Pass), ("bob", Answer::Fail)] {
            let (_, lease) = claim(&on.store, who, 0).await.unwrap();
            on.store.submit(&lease, &said(who, answer), 1).await.unwrap().unwrap();
        }
        assert_eq!(status(&on.store, 1, 1).await, (ItemStatus::Disputed, None));
        assert!(claim(&on.store, "cat", 1).await.is_none());
        let key = crate::ledger::testing::key(1);
        assert!(on.store.decisions(std::slice::from_ref(&key)).await.unwrap().is_empty());
        let (label, _) = on.store.adjudicate(&id(1), "cat", false, &said("a", Answer::Fail), 5).await.unwrap().unwrap();
        assert_eq!(status(&on.store, 1, 5).await, (ItemStatus::Resolved, Some(Status::Fail)));
        let again = on.store.adjudicate(&id(1), "dan", false, &said("b", Answer::Pass), 6).await.unwrap();
        assert!(matches!(again, Err(Refused::Answered { who, .. }) if who == "cat"));
        let changed = ItemKey { check_digest: Digest::of(b"changed"), ..key.clone() };
        let other = ItemKey { check: "other".into(), ..changed.clone() };
        let otherwise = on.store.decided_otherwise(&[&key, &other]).await.unwrap();
        assert!(otherwise.is_empty(), "{otherwise:?}");
        let otherwise = on.store.decided_otherwise(&[&changed]).await.unwrap();
        assert_eq!(otherwise.iter().collect::<Vec<_>>(), [&key]);
        let decided = on.store.decisions(&[key]).await.unwrap().remove(&id(1)).unwrap();
        assert_eq!((decided.status, decided.at, decided.labels), (Status::Fail, 5, 3));
        assert_eq!(decided.by, DecidedBy::Adjudicator { who: "cat".into(), overrules: false });
        on.store.undo(&label.id, "cat", false, &said("u", SKIP), 7).await.unwrap().unwrap();
        assert_eq!(status(&on.store, 1, 7).await, (ItemStatus::Disputed, None));
    }

    async fn an_undo_is_a_row_and_gives_the_item_back(on) {
        on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
        let (_, lease) = claim(&on.store, "ann", 0).await.unwrap();
        on.store.submit(&lease, &said("1", Answer::Pass), 1).await.unwrap().unwrap();
        let refused = on.store.undo("1", "bob", false, &said("u1", SKIP), 2).await.unwrap();
        assert!(matches!(refused, Err(Refused::Forbidden { .. })));
        assert!(matches!(on.store.undo("no", "ann", false, &said("u2", SKIP), 2).await.unwrap(), Err(Refused::Unknown { .. })));
        let (_, standing) = on.store.undo("1", "ann", false, &said("u3", SKIP), 3).await.unwrap().unwrap();
        assert_eq!((standing.status, standing.open), (ItemStatus::Pending, 1));
        assert!(matches!(on.store.undo("1", "ann", true, &said("u4", SKIP), 3).await.unwrap(), Err(Refused::Answered { .. })));
        assert!(matches!(on.store.undo("u3", "ann", true, &said("u5", SKIP), 3).await.unwrap(), Err(Refused::Forbidden { .. })));
        let (_, lease) = claim(&on.store, "ann", 4).await.unwrap();
        on.store.submit(&lease, &said("2", Answer::Fail), 5).await.unwrap().unwrap();
        assert_eq!(status(&on.store, 1, 5).await, (ItemStatus::Resolved, Some(Status::Fail)));
        let rows = on.store.labels(&[id(1)]).await.unwrap();
        let acts: Vec<_> = rows.iter().map(|row| (row.seq, row.act.name())).collect();
        assert_eq!(acts, [(1, "label"), (2, "undo"), (3, "label")]);
    }

    async fn two_skips_let_an_item_rest_until_an_adjudicator_decides(on) {
        on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
        for who in ["ann", "bob"] {
            let (_, lease) = claim(&on.store, who, 0).await.unwrap();
            on.store.submit(&lease, &said(who, SKIP), 1).await.unwrap().unwrap();
        }
        assert_eq!(status(&on.store, 1, 1).await, (ItemStatus::Skipped, None));
        assert!(claim(&on.store, "cat", 1).await.is_none());
        on.store.adjudicate(&id(1), "cat", false, &said("a", Answer::Pass), 2).await.unwrap().unwrap();
        assert_eq!(status(&on.store, 1, 2).await, (ItemStatus::Resolved, Some(Status::Pass)));
    }

    async fn what_expired_is_given_to_nobody_and_stays_undecided(on) {
        on.store.enqueue(&items(1, |_, new| { new.asked.due = Some(50); new.asked.expires = true; }), 0).await.unwrap();
        let (_, lease) = claim(&on.store, "ann", 0).await.unwrap();
        let late = on.store.submit(&lease, &said("1", Answer::Pass), 50).await.unwrap();
        assert_eq!(late.err(), Some(Refused::Closed { status: ItemStatus::Expired }));
        assert!(claim(&on.store, "bob", 60).await.is_none());
        assert_eq!(status(&on.store, 1, 60).await, (ItemStatus::Expired, None));
        on.store.adjudicate(&id(1), "cat", false, &said("a", Answer::Fail), 61).await.unwrap().unwrap();
        assert_eq!(status(&on.store, 1, 61).await, (ItemStatus::Resolved, Some(Status::Fail)));
    }

    async fn labels_made_elsewhere_come_in_without_a_lease_and_not_for_unknown_items(on) {
        on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
        let unknown = on.store.import(&id(9), "ann", &said("1", Answer::Pass), 1).await.unwrap();
        assert!(matches!(unknown, Err(Refused::Unknown { .. })));
        on.store.import(&id(1), "ann", &said("1", Answer::Pass), 1).await.unwrap().unwrap();
        assert!(matches!(on.store.import(&id(1), "ann", &said("2", Answer::Fail), 1).await.unwrap(), Err(Refused::Answered { .. })));
        assert_eq!(status(&on.store, 1, 1).await, (ItemStatus::Resolved, Some(Status::Pass)));
        // Somebody sees it otherwise, and it is open again.
        on.store.import(&id(1), "bob", &said("3", Answer::Fail), 2).await.unwrap().unwrap();
        assert_eq!(status(&on.store, 1, 2).await, (ItemStatus::Disputed, None));
    }
}
