//! A run is kept, with its suites, checks, sessions and verdicts, or not at all.

use sqlx::Row;

use super::{CheckRow, NewRun, SessionRow, SuiteRow, VerdictRow};
use crate::ledger::Millis;
use crate::redact::Redacted;
use crate::store::db::sql::{Arg, Sql, strange, to_json};
use crate::store::db::{Store, StoreError};

impl Store {
    /// Keeps a run. One that is kept already is kept anew: after a review its decision may be another. The first digest of its
    /// record stays: whatever comes later is not what the run left.
    ///
    /// # Errors
    /// The store cannot be written; then nothing of it was.
    pub async fn add_run(&self, run: &Redacted<NewRun>, now: Millis) -> Result<(), StoreError> {
        let NewRun { run, suites } = run.get();
        let dialect = self.0.dialect;
        let mut tx = self.begin().await?;
        let mut sql = Sql::new(
            "INSERT INTO runs (id, agent, version, started, finished, exit_code, partial, seatrial, record, \
             record_digest, added) VALUES ",
        );
        sql.list([
            Arg::from(&run.id),
            run.agent.as_ref().into(),
            run.version.as_ref().into(),
            run.started.into(),
            run.finished.into(),
            run.exit_code.map(i64::from).into(),
            run.partial.as_ref().into(),
            (&run.seatrial).into(),
            (&run.record).into(),
            run.record_digest.map(|d| d.to_string()).into(),
            now.into(),
        ]);
        sql.add(
            " ON CONFLICT (id) DO UPDATE SET agent = excluded.agent, version = excluded.version, \
             started = excluded.started, finished = excluded.finished, exit_code = excluded.exit_code, \
             partial = excluded.partial, seatrial = excluded.seatrial, record = excluded.record, \
             record_digest = COALESCE(runs.record_digest, excluded.record_digest) RETURNING n",
        );
        let n = tx.one(&sql, |row| row.try_get::<i64, _>("n")).await?;
        let n = n.ok_or_else(|| self.told(strange("a run has no number")))?;
        for table in ["run_suites", "run_checks", "run_sessions", "verdicts"] {
            let mut sql = Sql::new("DELETE FROM ");
            sql.add(table).add(" WHERE run = ").arg(n);
            tx.run(&sql).await?;
        }
        let mut statements = Sql::inserts(
            dialect,
            "run_suites (run, at, name, digest, decision, reasons, summary)",
            suites.iter().zip(0i64..).map(|(suite, at)| suite_row(n, at, suite)),
            "",
        );
        for (suite, at) in suites.iter().zip(0i64..) {
            statements.extend(Sql::inserts(
                dialect,
                "run_checks (run, suite, at, id, digest, level, severity)",
                suite.checks.iter().zip(0i64..).map(|(check, i)| check_row(n, at, i, check)),
                "",
            ));
            statements.extend(Sql::inserts(
                dialect,
                "run_sessions (run, suite, at, digest, session_id, case_id, trial)",
                suite.sessions.iter().zip(0i64..).map(|(session, i)| session_row(n, at, i, session)),
                "",
            ));
        }
        for sql in statements {
            tx.run(&sql).await?;
        }
        for (suite, at) in suites.iter().zip(0i64..) {
            // A part at a time, so that the statements of a large run are not all in memory.
            for (sessions, part) in suite.sessions.chunks(2_000).zip(0i64..) {
                let rows = sessions.iter().zip(2_000 * part..).flat_map(|(session, i)| {
                    session.verdicts.iter().map(move |verdict| verdict_row(n, at, i, verdict))
                });
                for sql in Sql::inserts(dialect, VERDICTS, rows, "") {
                    tx.run(&sql).await?;
                }
            }
        }
        tx.commit().await
    }
}

const VERDICTS: &str = "verdicts (run, suite, session, check_at, status, score, confidence, reason)";

fn suite_row(n: i64, at: i64, suite: &SuiteRow) -> Vec<Arg> {
    vec![
        n.into(),
        at.into(),
        (&suite.name).into(),
        suite.digest.to_string().into(),
        (&suite.decision).into(),
        to_json(&suite.reasons).into(),
        suite.summary.as_ref().into(),
    ]
}

fn check_row(n: i64, suite: i64, at: i64, check: &CheckRow) -> Vec<Arg> {
    vec![
        n.into(),
        suite.into(),
        at.into(),
        (&check.id).into(),
        check.digest.to_string().into(),
        check.level.name().into(),
        check.severity.name().into(),
    ]
}

fn session_row(n: i64, suite: i64, at: i64, session: &SessionRow) -> Vec<Arg> {
    vec![
        n.into(),
        suite.into(),
        at.into(),
        session.digest.to_string().into(),
        (&session.session_id).into(),
        (&session.case).into(),
        session.trial.as_ref().into(),
    ]
}

fn verdict_row(n: i64, suite: i64, session: i64, verdict: &VerdictRow) -> Vec<Arg> {
    vec![
        n.into(),
        suite.into(),
        session.into(),
        verdict.check.into(),
        verdict.status.name().into(),
        verdict.score.into(),
        verdict.confidence.into(),
        (&verdict.reason).into(),
    ]
}
