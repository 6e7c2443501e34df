//! The log of promotions: added to at its end alone, with its evidence or not at all.

use crate::model::digest::Digest;
use crate::store::db::LogRow;
use crate::store::db::testing::on_both;

pub fn row(seq: i64, text: &str) -> LogRow {
    let body = format!("{{\"text\":\"{text}\"}}");
    LogRow {
        seq,
        hash: Digest::of(body.as_bytes()),
        body,
        signatures: serde_json::json!([{ "keyid": "k", "sig": "s" }]),
    }
}

on_both! {
    async fn what_is_added_comes_back_with_its_evidence(on) {
        let gate = "{\n  \"gate\": \"\u{e9}\\u0000\"\n}\n";
        let digest = Digest::of(gate.as_bytes());
        let rows = [row(1, "a"), row(2, "b")];
        assert!(on.store.add_promotions(&rows, &[(digest, gate)]).await.unwrap());
        assert_eq!(on.store.promotion_log().await.unwrap(), rows);
        assert_eq!(on.store.promotion_evidence(&digest).await.unwrap().as_deref(), Some(gate));
        assert_eq!(on.store.promotion_evidence(&Digest::of(b"other")).await.unwrap(), None);
        // The same evidence again is the same.
        assert!(on.store.add_promotions(&[row(3, "c")], &[(digest, gate)]).await.unwrap());
        assert!(on.store.add_promotions(&[], &[]).await.unwrap());
    }

    async fn what_does_not_follow_the_end_is_not_added_and_nor_is_its_evidence(on) {
        let digest = Digest::of(b"x");
        assert!(on.store.add_promotions(&[row(1, "a")], &[]).await.unwrap());
        for seq in [1, 3, 0] {
            assert!(!on.store.add_promotions(&[row(seq, "b")], &[(digest, "x")]).await.unwrap(), "{seq}");
        }
        assert_eq!(on.store.promotion_log().await.unwrap(), [row(1, "a")]);
        assert_eq!(on.store.promotion_evidence(&digest).await.unwrap(), None);
    }

    async fn of_many_who_add_at_once_one_does(on) {
        let tasks: Vec<_> = (0..20).map(|n| {
            let store = on.store.clone();
            tokio::spawn(async move { store.add_promotions(&[row(1, &n.to_string())], &[]).await.unwrap() })
        }).collect();
        let mut added = 0;
        for task in tasks {
            added += u32::from(task.await.unwrap());
        }
        assert_eq!((added, on.store.promotion_log().await.unwrap().len()), (1, 1));
    }
}
