//! Who had seen what before they answered: the store says so, and not whoever answers; and when an adjudicator may decide.

use crate::ledger::{Act, Answer, ItemStatus, Label, Refused, Source, Submission};
use crate::model::Status;
use crate::store::db::testing::{id, items, on_both, said};
use crate::store::db::{ANSWERS, Brought, Keep, REVEALED, Role, Seen, Store, Taken};

/// Says that somebody was shown something of item 1.
async fn shown(store: &Store, who: &str, what: &str, at: i64) {
    let (who, what, origin) = (who.into(), what.into(), "terminal".into());
    let seen = Seen { at, who, what, item: Some(id(1)), session: None, origin, why: None };
    store.seen(&seen).await.unwrap();
}

/// Takes item 1 and answers it, claiming to have seen nothing; what the store makes of that.
async fn answer(store: &Store, who: &str, name: &str, at: i64) -> Option<bool> {
    let (_, lease) = store.claim_item(&id(1), who, at, 100).await.unwrap().unwrap();
    let (label, _) = store.submit(&lease, &said(name, Answer::Pass), at).await.unwrap().unwrap();
    label.shown_proposal
}

fn brought(name: &str, who: &str, act: Act, named: bool) -> Brought {
    let row = Label {
        id: name.into(),
        seq: 0,
        item: id(1),
        reviewer: who.into(),
        act,
        comment: String::new(),
        at: 50,
        seconds: None,
        source: Source::Import,
        shown_proposal: None,
    };
    Brought { row, named }
}

on_both! {
    async fn who_was_shown_what_the_check_says_does_not_answer_blind_whatever_they_say(on) {
        on.store.enqueue(&items(1, |_, new| new.asked.reviewers = 4), 0).await.unwrap();
        shown(&on.store, "ann", REVEALED, 5).await;
        shown(&on.store, "bob", "read", 5).await;
        shown(&on.store, "cat", ANSWERS, 5).await;
        assert_eq!(answer(&on.store, "ann", "1", 6).await, Some(true));
        assert_eq!(answer(&on.store, "bob", "2", 6).await, Some(false));
        // To know what others answered is not to answer by oneself either.
        assert_eq!(answer(&on.store, "cat", "3", 6).await, Some(true));
        assert_eq!(answer(&on.store, "dan", "4", 6).await, Some(false));
        assert!(on.store.saw(&id(1), "cat").await.unwrap() && !on.store.saw(&id(1), "bob").await.unwrap());
    }

    async fn who_has_answered_was_told_also_when_the_answer_is_taken_back(on) {
        on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
        assert_eq!(answer(&on.store, "ann", "1", 1).await, Some(false));
        on.store.undo("1", "ann", false, &said("u", Answer::Pass), 2).await.unwrap().unwrap();
        assert_eq!(answer(&on.store, "ann", "2", 3).await, Some(true));
    }

    async fn who_says_that_they_had_seen_it_is_believed(on) {
        on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
        let (_, lease) = on.store.claim_item(&id(1), "ann", 0, 100).await.unwrap().unwrap();
        let told = Submission { shown_proposal: Some(true), ..said("1", Answer::Pass) };
        let (label, _) = on.store.submit(&lease, &told, 1).await.unwrap().unwrap();
        assert_eq!(label.shown_proposal, Some(true));
    }

    async fn of_a_label_from_elsewhere_it_may_be_not_known(on) {
        on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
        shown(&on.store, "bob", REVEALED, 10).await;
        let import = async |who: &str, at: i64, shown_proposal: Option<bool>| {
            let said = Submission { source: Source::Import, shown_proposal, ..said(&format!("{who}{at}"), Answer::Pass) };
            on.store.import(&id(1), who, &said, at).await.unwrap().unwrap().0.shown_proposal
        };
        assert_eq!(import("ann", 5, None).await, None);
        assert_eq!(import("cat", 5, Some(false)).await, Some(false));
        assert_eq!(import("dan", 5, Some(true)).await, Some(true));
        // It was answered elsewhere before it was shown here.
        assert_eq!(import("bob", 9, Some(false)).await, Some(false));
        on.store.undo("bob9", "bob", false, &said("u", Answer::Pass), 11).await.unwrap().unwrap();
        assert_eq!(import("bob", 12, Some(false)).await, Some(true));
    }

    async fn an_adjudicator_is_to_know_the_answers_and_not_what_the_check_says(on) {
        on.store.enqueue(&items(1, |_, new| new.asked.reviewers = 2), 0).await.unwrap();
        for (who, answer) in [("ann", Answer::Pass), ("bob", Answer::Fail)] {
            on.store.import(&id(1), who, &said(who, answer), 1).await.unwrap().unwrap();
        }
        shown(&on.store, "eve", ANSWERS, 2).await;
        let (label, _) = on.store.adjudicate(&id(1), "eve", false, &said("e", Answer::Pass), 3).await.unwrap().unwrap();
        assert_eq!(label.shown_proposal, Some(false));
        on.store.undo("e", "eve", false, &said("u", Answer::Pass), 4).await.unwrap().unwrap();
        shown(&on.store, "cat", REVEALED, 5).await;
        let (label, _) = on.store.adjudicate(&id(1), "cat", false, &said("c", Answer::Pass), 6).await.unwrap().unwrap();
        assert_eq!(label.shown_proposal, Some(true));
    }

    async fn nobody_decides_alone_where_nobody_disagrees_unless_they_say_so(on) {
        on.store.enqueue(&items(1, |_, new| new.asked.reviewers = 2), 0).await.unwrap();
        let refused = on.store.adjudicate(&id(1), "eve", false, &said("e", Answer::Pass), 1).await.unwrap();
        assert_eq!(refused.unwrap_err(), Refused::Undisputed { status: ItemStatus::Pending });
        on.store.import(&id(1), "ann", &said("a", Answer::Fail), 1).await.unwrap().unwrap();
        let refused = on.store.adjudicate(&id(1), "eve", false, &said("e", Answer::Pass), 1).await.unwrap();
        assert_eq!(refused.unwrap_err(), Refused::Undisputed { status: ItemStatus::NeedsMore });
        on.store.import(&id(1), "bob", &said("b", Answer::Fail), 1).await.unwrap().unwrap();
        let refused = on.store.adjudicate(&id(1), "eve", false, &said("e", Answer::Pass), 1).await.unwrap();
        assert_eq!(refused.unwrap_err(), Refused::Undisputed { status: ItemStatus::Resolved });
        assert_eq!(on.store.labels(&[id(1)]).await.unwrap().len(), 2);
        // Whoever wants to all the same says so, and it stays said.
        let (label, standing) =
            on.store.adjudicate(&id(1), "eve", true, &said("e", Answer::Pass), 2).await.unwrap().unwrap();
        assert_eq!((label.act, standing.decision), (Act::Overrule(Answer::Pass), Some(Status::Pass)));
        let decided = on.store.decisions(&[crate::ledger::testing::key(1)]).await.unwrap().remove(&id(1)).unwrap();
        assert!(decided.by.overrules());
        assert_eq!(on.store.labels(&[id(1)]).await.unwrap()[2].act, Act::Overrule(Answer::Pass));
    }

    async fn where_answers_differ_there_is_nobody_to_overrule(on) {
        on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
        for (who, answer) in [("ann", Answer::Pass), ("bob", Answer::Fail)] {
            on.store.import(&id(1), who, &said(who, answer), 1).await.unwrap().unwrap();
        }
        let (label, _) = on.store.adjudicate(&id(1), "eve", true, &said("e", Answer::Pass), 2).await.unwrap().unwrap();
        assert_eq!(label.act, Act::Adjudicate(Answer::Pass));
    }

    async fn roles_are_asked_for_as_soon_as_there_are_users(on) {
        let permits = async |name: &str, role| on.store.permits(name, role).await.unwrap();
        assert_eq!(permits("anybody", Role::Admin).await, Ok(()));
        assert_eq!(on.store.role("anybody").await.unwrap(), Ok(Role::Admin));
        on.store.add_user("ann", "", Role::Reviewer, 0).await.unwrap().unwrap();
        on.store.add_user("eve", "", Role::Adjudicator, 0).await.unwrap().unwrap();
        assert_eq!((permits("ann", Role::Reviewer).await, permits("eve", Role::Adjudicator).await), (Ok(()), Ok(())));
        assert_eq!(on.store.role("eve").await.unwrap(), Ok(Role::Adjudicator));
        on.store.set_disabled("eve", true).await.unwrap().unwrap();
        for (name, role, why) in [
            ("ann", Role::Adjudicator, "ann is a reviewer"),
            ("eve", Role::Reviewer, "eve is kept out"),
            ("anybody", Role::Reviewer, "anybody is none of them"),
        ] {
            assert!(permits(name, role).await.unwrap_err().to_string().contains(why), "{name}");
        }
    }

    async fn rows_from_elsewhere_come_in_whole_or_not_at_all(on) {
        on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
        let (pass, fail) = (Act::Label(Answer::Pass), Act::Label(Answer::Fail));
        let rows = [
            brought("a", "ann", pass.clone(), true),
            brought("b", "ann", fail, true),
            brought("u", "ann", Act::Undo { label: "a".into() }, true),
            brought("c", "ann", pass, true),
        ];
        let expected = |found: &[Result<Taken, Refused>]| {
            assert_eq!(found[0], Ok(Taken::New(ItemStatus::Resolved)));
            assert!(matches!(&found[1], Err(Refused::Answered { label, .. }) if label == "a"), "{found:?}");
            assert_eq!(found[2..], [Ok(Taken::New(ItemStatus::Pending)), Ok(Taken::New(ItemStatus::Resolved))]);
        };
        for keep in [Keep::Whole, Keep::Nothing] {
            expected(&on.store.bring_in(&rows, keep, false).await.unwrap());
            assert_eq!(on.store.labels(&[id(1)]).await.unwrap(), [], "{keep:?}");
            assert_eq!(on.store.item(&id(1), 60).await.unwrap().unwrap().status, ItemStatus::Pending);
        }
        expected(&on.store.bring_in(&rows, Keep::Right, false).await.unwrap());
        assert_eq!(on.store.labels(&[id(1)]).await.unwrap().len(), 3);
        // What was there is there, in whatever way it is brought again.
        let again = on.store.bring_in(&[rows[0].clone(), rows[3].clone()], Keep::Whole, false).await.unwrap();
        assert_eq!(again, [Ok(Taken::Known), Ok(Taken::Known)]);
    }

    async fn an_answer_that_was_taken_back_is_not_taken_for_the_one_that_is_brought_again(on) {
        on.store.enqueue(&items(1, |_, _| ()), 0).await.unwrap();
        let nameless = brought("made up", "ann", Act::Label(Answer::Pass), false);
        let bring = async |one: &Brought| on.store.bring_in(std::slice::from_ref(one), Keep::Whole, false).await.unwrap().remove(0);
        assert_eq!(bring(&nameless).await, Ok(Taken::New(ItemStatus::Resolved)));
        assert_eq!(bring(&nameless).await, Ok(Taken::Known));
        on.store.undo("made up", "ann", false, &said("u", Answer::Pass), 60).await.unwrap().unwrap();
        let why = bring(&nameless).await.unwrap_err().to_string();
        assert!(why.contains("was taken back") && why.contains("`id`"), "{why}");
        // With a name of its own it is another answer, or the same row as ever.
        assert_eq!(bring(&brought("again", "ann", Act::Label(Answer::Pass), true)).await, Ok(Taken::New(ItemStatus::Resolved)));
        assert_eq!(bring(&Brought { named: true, ..nameless }).await, Ok(Taken::Known));
        let other = brought("again", "ann", Act::Label(Answer::Fail), true);
        assert!(bring(&other).await.unwrap_err().to_string().contains("another label again"));
    }
}
