//! Who may log in, and who looked at what.

use crate::ledger::Refused;
use crate::store::db::testing::on_both;
use crate::store::db::{Failed, Login, Page, Role, Seen, TrailFilter};

fn login(name: &str, until: i64) -> Login {
    Login { token_hash: format!("hash-{name}"), name: name.into(), csrf: "c".into(), created: 0, until }
}

on_both! {
    async fn users_come_once_and_change(on) {
        on.store.add_user("ann", "phc", Role::Reviewer, 1).await.unwrap().unwrap();
        assert!(matches!(on.store.add_user("ann", "x", Role::Admin, 2).await.unwrap(), Err(Refused::Forbidden { .. })));
        on.store.set_role("ann", Role::Adjudicator).await.unwrap().unwrap();
        on.store.set_password("ann", "phc2").await.unwrap().unwrap();
        let ann = on.store.user("ann").await.unwrap().unwrap();
        assert_eq!((ann.role, ann.hash.as_str(), ann.disabled, ann.created), (Role::Adjudicator, "phc2", false, 1));
        assert!(matches!(on.store.set_role("bob", Role::Admin).await.unwrap(), Err(Refused::Unknown { .. })));
        assert_eq!(on.store.user("bob").await.unwrap(), None);
        assert_eq!(on.store.users().await.unwrap(), [ann]);
        assert!(Role::Admin > Role::Adjudicator && Role::Adjudicator > Role::Reviewer);
    }

    async fn a_login_ends_with_its_time_and_with_its_user(on) {
        on.store.add_user("ann", "phc", Role::Reviewer, 0).await.unwrap().unwrap();
        on.store.add_login(&login("ann", 100)).await.unwrap();
        let (found, user) = on.store.login("hash-ann", 99).await.unwrap().unwrap();
        assert_eq!((found, user.name.as_str()), (login("ann", 100), "ann"));
        assert_eq!(on.store.login("hash-ann", 100).await.unwrap(), None);
        assert_eq!(on.store.login("other", 0).await.unwrap(), None);
        on.store.extend_login("hash-ann", 200).await.unwrap();
        assert!(on.store.login("hash-ann", 150).await.unwrap().is_some());
        on.store.set_disabled("ann", true).await.unwrap().unwrap();
        assert_eq!(on.store.login("hash-ann", 150).await.unwrap(), None);
        on.store.set_disabled("ann", false).await.unwrap().unwrap();
        // Enabled again, the person logs in again.
        assert_eq!(on.store.login("hash-ann", 150).await.unwrap(), None);
    }

    async fn failures_are_counted_by_name_and_by_place(on) {
        for (name, origin, at) in [("ann", "10.0.0.1", 5), ("ann", "10.0.0.2", 15), ("bob", "10.0.0.2", 16)] {
            on.store.failed_login(name, origin, at).await.unwrap();
        }
        let failed = async |origin: &str, since| {
            let Failed { named, from, both } = on.store.failed_logins("ann", origin, since).await.unwrap();
            (named, from, both)
        };
        assert_eq!(failed("10.0.0.2", 0).await, (2, 2, 1));
        assert_eq!(failed("10.0.0.1", 10).await, (1, 0, 0));
        on.store.sweep_logins(0, 16).await.unwrap();
        assert_eq!(failed("10.0.0.2", 0).await, (0, 1, 0));
    }

    async fn the_trail_says_who_looked_at_what(on) {
        let seen = |at, who: &str, session: Option<&str>| Seen {
            at, who: who.into(), what: "read".into(), item: None, session: session.map(Into::into), origin: "::1".into(),
            why: None,
        };
        for row in [seen(1, "ann", Some("s1")), seen(2, "bob", Some("s1")), seen(3, "ann", None)] {
            on.store.seen(&row).await.unwrap();
        }
        let all = on.store.trail(&TrailFilter::default(), Page::default()).await.unwrap();
        assert_eq!(all.iter().map(|row| row.at).collect::<Vec<_>>(), [3, 2, 1]);
        assert_eq!(all[2], seen(1, "ann", Some("s1")));
        let of = TrailFilter { session: Some("s1".into()), since: Some(2), ..TrailFilter::default() };
        assert_eq!(on.store.trail(&of, Page::default()).await.unwrap(), [seen(2, "bob", Some("s1"))]);
    }
}
