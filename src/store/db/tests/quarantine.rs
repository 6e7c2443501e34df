//! Sessions under quarantine, and their release.

use crate::ledger::Why;
use crate::model::SubjectRef;
use crate::model::digest::Digest;
use crate::store::db::testing::{items, on_both};
use crate::store::db::{Page, RELEASED, Released, TrailFilter};

on_both! {
    async fn a_release_is_of_the_versions_that_it_names_and_of_no_later_one(on) {
        let version = |n: u32| Digest::of(&n.to_le_bytes());
        // Two items about the first version, one about the second, and one that nobody restricts.
        on.store.enqueue(&items(4, |n, new| {
            new.asked.session_id = "chat".into();
            new.asked.key.session = version(if n < 3 { 1 } else { n });
            new.asked.key.subject = SubjectRef::Turn(n);
            if n < 4 {
                new.asked.routed.why.push(Why::Quarantine);
            }
        }), 0).await.unwrap();
        assert_eq!(on.store.versions("chat").await.unwrap().len(), 3);
        let held = async || {
            let mut held = Vec::new();
            for n in [1, 3, 4] {
                held.push(on.store.quarantined(&version(n)).await.unwrap());
            }
            held
        };
        assert_eq!(held().await, [true, true, false]);
        let release = async |versions: &[Digest], at| {
            let released = on.store.release_quarantine(versions, ("eve", "made up"), "terminal", at).await;
            released.unwrap().unwrap()
        };
        let first = release(&[version(1), version(4)], 5).await;
        assert_eq!(first.len(), 1);
        let Released { session, items } = &first[0];
        assert_eq!((*session, items.len()), (version(1), 2));
        assert_eq!(held().await, [false, true, false]);
        // What is released is not released again, and each item about it says who did it.
        assert!(release(&[version(1)], 6).await.is_empty());
        let of = TrailFilter { what: Some(RELEASED.into()), ..TrailFilter::default() };
        let trail = on.store.trail(&of, Page::default()).await.unwrap();
        assert_eq!(trail.len(), 2);
        assert!(trail.iter().all(|seen| (seen.at, seen.who.as_str(), seen.why.as_deref()) == (5, "eve", Some("made up"))));
        let by = on.store.release_of(&[version(1), version(3)]).await.unwrap();
        assert_eq!(by.map(|seen| seen.at), Some(5));
        assert!(on.store.release_of(&[version(3)]).await.unwrap().is_none());
    }
}
