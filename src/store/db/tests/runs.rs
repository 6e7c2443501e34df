//! Runs and their verdicts.

use crate::model::digest::Digest;
use crate::model::{Level, Severity, Status};
use crate::redact::Redacted;
use crate::store::db::testing::on_both;
use crate::store::db::{CheckRow, NewRun, Page, RunFilter, RunRow, SessionRow, SuiteRow, VerdictRow};

/// A run of some sessions with six checks each.
pub fn run(id: &str, sessions: u32) -> NewRun {
    let check = |n: u32| CheckRow {
        id: format!("check-{n}"),
        digest: Digest::of(&n.to_le_bytes()),
        level: Level::Session,
        severity: Severity::Block,
    };
    let verdict = |check| VerdictRow {
        check,
        status: if check == 5 { Status::Error } else { Status::Pass },
        score: (check != 5).then_some(0.5),
        confidence: 1.0,
        reason: if check == 5 { "no timing".into() } else { String::new() },
    };
    let session = |n: u32| SessionRow {
        digest: Digest::of(&n.to_be_bytes()),
        session_id: format!("s{n}"),
        case: format!("c{}", n / 2),
        trial: (n % 2 == 1).then(|| "1".to_owned()),
        verdicts: (0..6).map(verdict).collect(),
    };
    NewRun {
        run: RunRow {
            id: id.into(),
            agent: Some("support".into()),
            version: Some("1.2".into()),
            started: 1_000,
            finished: Some(2_000),
            exit_code: Some(3),
            partial: None,
            seatrial: "0.1.0".into(),
            record: format!("reports/{id}"),
            record_digest: Some(Digest::of(b"record")),
        },
        suites: vec![SuiteRow {
            name: "airline".into(),
            digest: Digest::of(b"suite"),
            decision: "held".into(),
            reasons: vec!["8 verdicts wait".into()],
            summary: Some("{}".into()),
            checks: (0..6).map(check).collect(),
            sessions: (0..sessions).map(session).collect(),
        }],
    }
}

on_both! {
    async fn a_run_comes_back_as_it_was_kept(on) {
        let kept = run("r1", 5);
        on.store.add_run(&Redacted::drawn(kept.clone()), 3_000).await.unwrap();
        assert_eq!(on.store.whole_run("r1").await.unwrap(), Some(kept));
        assert_eq!(on.store.whole_run("r2").await.unwrap(), None);
    }

    async fn a_run_that_is_decided_again_is_kept_once_with_its_new_decision(on) {
        on.store.add_run(&Redacted::drawn(run("r1", 3)), 1).await.unwrap();
        let mut again = run("r1", 3);
        again.run.exit_code = Some(0);
        again.suites[0].decision = "passed".into();
        on.store.add_run(&Redacted::drawn(again.clone()), 2).await.unwrap();
        assert_eq!(on.store.whole_run("r1").await.unwrap(), Some(again));
        assert_eq!(on.store.info().await.unwrap().rows[1], ("verdicts", 18));
    }

    async fn the_first_digest_of_a_record_stays(on) {
        let with = |digest: Option<&[u8]>| {
            let mut run = run("r1", 1);
            run.run.record_digest = digest.map(Digest::of);
            Redacted::drawn(run)
        };
        for (kept, is) in [(None, None), (Some(&b"left"[..]), Some(&b"left"[..])), (Some(b"edited"), Some(b"left")), (None, Some(b"left"))] {
            on.store.add_run(&with(kept), 1).await.unwrap();
            assert_eq!(on.store.kept_run("r1").await.unwrap().unwrap().run.record_digest, is.map(Digest::of));
        }
    }

    async fn a_large_run_is_kept_whole(on) {
        let kept = Redacted::drawn(run("large", 10_000));
        let since = std::time::Instant::now();
        on.store.add_run(&kept, 1).await.unwrap();
        super::super::killed::figures(&format!("{:?}: 60,000 verdicts kept in {:.2?}", on.store.dialect(), since.elapsed()));
        assert_eq!(on.store.info().await.unwrap().rows[1], ("verdicts", 60_000));
    }

    async fn runs_are_found_by_agent_suite_and_time(on) {
        for (id, version, started) in [("old", "1", 10), ("new", "2", 20)] {
            let mut run = run(id, 1);
            run.run.version = Some(version.into());
            run.run.started = started;
            on.store.add_run(&Redacted::drawn(run), 1).await.unwrap();
        }
        let found = async |filter: RunFilter| -> Vec<String> {
            on.store.runs(&filter, Page::ALL).await.unwrap().into_iter().map(|run| run.run.id).collect()
        };
        assert_eq!(found(RunFilter::default()).await, ["new", "old"]);
        assert_eq!(found(RunFilter { version: Some("1".into()), ..RunFilter::default() }).await, ["old"]);
        assert_eq!(found(RunFilter { since: Some(15), ..RunFilter::default() }).await, ["new"]);
        assert_eq!(found(RunFilter { suite: Some("airline".into()), agent: Some("support".into()), ..RunFilter::default() }).await.len(), 2);
        assert!(found(RunFilter { suite: Some("other".into()), ..RunFilter::default() }).await.is_empty());
        let kept = on.store.kept_run("old").await.unwrap().unwrap();
        assert_eq!((kept.suites[0].decision.as_str(), kept.suites[0].sessions.len()), ("held", 0));
    }
}
