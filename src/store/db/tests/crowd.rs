//! Many at once: nobody gets what somebody else has, and nothing is lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use crate::ledger::{Answer, ItemId, ItemStatus};
use crate::redact::Redacted;
use crate::store::db::testing::{Testing, items, on_both, said};
use crate::store::db::{Claimed, ItemFilter, Store};

const CLAIMERS: u32 = 50;
const ITEMS: u32 = 200;

/// Fifty people work at once until nothing is left. Every lease that is given is written down from when to when; what
/// is given while as many as are wanted have it, or have answered, is an error.
async fn work(on: &Testing, reviewers: u32) {
    on.store.enqueue(&items(ITEMS, |_, new| new.asked.reviewers = reviewers), 0).await.unwrap();
    let clock = Arc::new(AtomicI64::new(1));
    // Who has an item now, and who has answered it: updated by those who claim, before they let go.
    let given: Arc<Mutex<BTreeMap<ItemId, Vec<u32>>>> = Arc::default();
    let mut people = Vec::new();
    for person in 0..CLAIMERS {
        // Half of them over connections of their own, as other processes have them.
        let store = if person % 10 == 0 { Store::open(&on.at).await.unwrap() } else { on.store.clone() };
        let (clock, given) = (clock.clone(), given.clone());
        people.push(tokio::spawn(async move {
            let name = format!("r{person}");
            let mut answered = 0;
            loop {
                let now = clock.fetch_add(1, Ordering::Relaxed);
                let Claimed::Item(item, lease) =
                    store.claim(&name, &ItemFilter::default(), now, 1_000_000_000).await.unwrap()
                else {
                    return answered;
                };
                {
                    let mut given = given.lock().unwrap();
                    let holders = given.entry(item.id.clone()).or_default();
                    assert!(!holders.contains(&person), "{name} got {} twice", item.id);
                    holders.push(person);
                    assert!(holders.len() <= reviewers as usize, "{} was given to {holders:?}", item.id);
                }
                let id = format!("{name}-{answered}");
                store.submit(&lease, &said(&id, Answer::Pass), now).await.unwrap().unwrap();
                answered += 1;
            }
        }));
    }
    let since = std::time::Instant::now();
    let mut total = 0;
    for person in people {
        total += person.await.unwrap();
    }
    assert_eq!(total, ITEMS * reviewers);
    super::killed::figures(&format!(
        "{:?}: {CLAIMERS} tasks, {ITEMS} items {reviewers} times each: {:.0} claims and answers a second",
        on.store.dialect(),
        f64::from(total) / since.elapsed().as_secs_f64()
    ));
    let counts = on.store.counts(&ItemFilter::default(), i64::MAX - 1).await.unwrap();
    assert_eq!(counts.of(ItemStatus::Resolved), u64::from(ITEMS));
}

on_both! {
    async fn fifty_who_claim_at_once_never_get_the_same_item(on) {
        work(&on, 1).await;
    }

    async fn fifty_who_claim_at_once_get_an_item_as_often_as_it_is_to_be_answered(on) {
        work(&on, 3).await;
    }

    async fn runs_that_write_at_once_do_not_harm_each_other(on) {
        let mut runs = Vec::new();
        for n in 0..4 {
            let store = Store::open(&on.at).await.unwrap();
            runs.push(tokio::spawn(async move {
                let id = format!("run-{n}");
                store.add_run(&Redacted::drawn(crate::store::db::tests::runs::run(&id, 300)), 1).await.unwrap();
                // The same items from all of them, in different order.
                let sent = items(100, |_, new| new.asked.run = id.clone());
                let mut sent = sent.into_inner();
                sent.rotate_left(25 * n);
                store.enqueue(&Redacted::drawn(sent), 1).await.unwrap().new.len()
            }));
        }
        let mut new = 0;
        for run in runs {
            new += run.await.unwrap();
        }
        // Whoever was first; in PostgreSQL two may each believe to have been, and the item is there once all the same.
        assert!(new >= 100);
        let info = on.store.info().await.unwrap();
        assert_eq!(info.rows[..3], [("runs", 4), ("verdicts", 4 * 300 * 6), ("items", 100)]);
        for n in 0..4 {
            let of = ItemFilter { run: Some(format!("run-{n}")), ..ItemFilter::default() };
            assert_eq!(on.store.counts(&of, 1).await.unwrap().total(), 100);
        }
    }
}
