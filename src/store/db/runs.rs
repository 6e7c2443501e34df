//! Runs: what was judged, what was decided, and every verdict behind it.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::any::AnyRow;

use super::sql::{Arg, Sql, json, named, small, strange, to_json};
use super::{Page, Store, StoreError};
use crate::ledger::Millis;
use crate::model::digest::Digest;
use crate::model::{Level, Severity, Status};
use crate::redact::Redacted;

/// A run, but for its suites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub id: String,
    /// The agent that was judged, where the suites name one.
    pub agent: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// When it began.
    pub started: Millis,
    /// When it ended.
    pub finished: Option<Millis>,
    /// How it ended.
    pub exit_code: Option<u8>,
    /// What part of the suites it is, in words; `None` when it is all of them.
    pub partial: Option<String>,
    /// The seatrial that ran it.
    pub seatrial: String,
    /// Where its record is, as it was named.
    pub record: String,
    /// Digest of the record as the run left it; `None` where nobody saw it end.
    pub record_digest: Option<Digest>,
}

/// What was decided of a suite.
#[derive(Debug, Clone, PartialEq)]
pub struct SuiteRow {
    /// Its name.
    pub name: String,
    /// Digest of the resolved suite.
    pub digest: Digest,
    /// The decision, as in `summary.json`.
    pub decision: String,
    /// Why.
    pub reasons: Vec<String>,
    /// Its part of `summary.json`.
    pub summary: Option<String>,
    /// Its checks, in order; verdicts name them by position.
    pub checks: Vec<CheckRow>,
    /// The sessions that were evaluated, with their verdicts.
    pub sessions: Vec<SessionRow>,
}

/// A check of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRow {
    /// Its id.
    pub id: String,
    /// Its digest.
    pub digest: Digest,
    /// Its level.
    pub level: Level,
    /// Its severity.
    pub severity: Severity,
}

/// A session that was evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionRow {
    /// Its digest.
    pub digest: Digest,
    /// Its id, as it may be written.
    pub session_id: String,
    /// Its case.
    pub case: String,
    /// Its trial.
    pub trial: Option<String>,
    /// What the checks said.
    pub verdicts: Vec<VerdictRow>,
}

/// What a check said of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct VerdictRow {
    /// Position of the check in the suite.
    pub check: u32,
    /// The verdict.
    pub status: Status,
    /// Its score; `None` where nothing was measured.
    pub score: Option<f64>,
    /// How sure the check is.
    pub confidence: f64,
    /// Why; may be empty.
    pub reason: String,
}

/// A run with everything that is kept of it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// The run.
    pub run: RunRow,
    /// Its suites, in order.
    pub suites: Vec<SuiteRow>,
}

/// A run as it is listed: its suites without checks and sessions.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The run.
    pub run: RunRow,
    /// Its suites, in order; `checks` and `sessions` are empty.
    pub suites: Vec<SuiteRow>,
}

/// Which runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this suite.
    pub suite: Option<String>,
    /// Of this agent.
    pub agent: Option<String>,
    /// Of this version.
    pub version: Option<String>,
    /// That began then or later.
    pub since: Option<Millis>,
}

const RUN: &str = "SELECT r.n, r.id, r.agent, r.version, r.started, r.finished, r.exit_code, r.partial, r.seatrial, \
                   r.record, r.record_digest FROM runs r WHERE 1 = 1";

fn digest(row: &AnyRow, column: &str) -> Result<Digest, sqlx::Error> {
    named(row, column, |text| serde_json::from_value::<Digest>(text.into()).ok())
}

fn run_of(row: &AnyRow) -> Result<(i64, RunRow), sqlx::Error> {
    let exit_code: Option<i64> = row.try_get("exit_code")?;
    let exit_code = exit_code.map(|code| u8::try_from(code).map_err(|_| strange(format!("`exit_code` is {code}"))));
    let has_digest = row.try_get::<Option<String>, _>("record_digest")?.is_some();
    let run = RunRow {
        id: row.try_get("id")?,
        agent: row.try_get("agent")?,
        version: row.try_get("version")?,
        started: row.try_get("started")?,
        finished: row.try_get("finished")?,
        exit_code: exit_code.transpose()?,
        partial: row.try_get("partial")?,
        seatrial: row.try_get("seatrial")?,
        record: row.try_get("record")?,
        record_digest: has_digest.then(|| digest(row, "record_digest")).transpose()?,
    };
    Ok((row.try_get("n")?, run))
}

fn suite_of(row: &AnyRow) -> Result<(i64, SuiteRow), sqlx::Error> {
    let suite = SuiteRow {
        name: row.try_get("name")?,
        digest: digest(row, "digest")?,
        decision: row.try_get("decision")?,
        reasons: json(row, "reasons")?,
        summary: row.try_get("summary")?,
        checks: Vec::new(),
        sessions: Vec::new(),
    };
    Ok((row.try_get("run")?, suite))
}

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

    /// A run, by its id.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn kept_run(&self, id: &str) -> Result<Option<Run>, StoreError> {
        let mut sql = Sql::new(RUN);
        sql.add(" AND r.id = ").arg(id);
        Ok(self.listed(&sql).await?.pop())
    }

    /// Runs, the newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn runs(&self, filter: &RunFilter, page: Page) -> Result<Vec<Run>, StoreError> {
        let mut sql = Sql::new(RUN);
        if let Some(suite) = &filter.suite {
            sql.add(" AND EXISTS (SELECT 1 FROM run_suites s WHERE s.run = r.n AND s.name = ").arg(suite).add(")");
        }
        for (column, value) in [("agent", &filter.agent), ("version", &filter.version)] {
            if let Some(value) = value {
                sql.add(" AND r.").add(column).add(" = ").arg(value);
            }
        }
        if let Some(since) = filter.since {
            sql.add(" AND r.started >= ").arg(since);
        }
        sql.add(" ORDER BY r.started DESC, r.n DESC LIMIT ").arg(page.limit).add(" OFFSET ").arg(page.offset);
        self.listed(&sql).await
    }

    async fn listed(&self, sql: &Sql) -> Result<Vec<Run>, StoreError> {
        let runs = self.all(sql, run_of).await?;
        let mut suites: BTreeMap<i64, Vec<SuiteRow>> = BTreeMap::new();
        for some in runs.chunks(10_000) {
            let mut sql =
                Sql::new("SELECT run, name, digest, decision, reasons, summary FROM run_suites WHERE run IN ");
            sql.list(some.iter().map(|(n, _)| *n)).add(" ORDER BY run, at");
            for (n, suite) in self.all(&sql, suite_of).await? {
                suites.entry(n).or_default().push(suite);
            }
        }
        Ok(runs.into_iter().map(|(n, run)| Run { run, suites: suites.remove(&n).unwrap_or_default() }).collect())
    }

    /// A run with everything that is kept of it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn whole_run(&self, id: &str) -> Result<Option<NewRun>, StoreError> {
        let mut sql = Sql::new(RUN);
        sql.add(" AND r.id = ").arg(id);
        let Some((n, run)) = self.one(&sql, run_of).await? else { return Ok(None) };
        let mut suites = self.listed(&sql).await?.pop().map(|run| run.suites).unwrap_or_default();
        let of = |text: &str| Sql::of(text, [n.into()]);
        let checks = of("SELECT suite, id, digest, level, severity FROM run_checks WHERE run = $1 ORDER BY suite, at");
        for (suite, check) in self.all(&checks, check_of).await? {
            place(&mut suites, suite).map_err(|e| self.told(e))?.checks.push(check);
        }
        let sessions = of("SELECT suite, digest, session_id, case_id, trial FROM run_sessions WHERE run = $1 \
                           ORDER BY suite, at");
        for (suite, session) in self.all(&sessions, session_of).await? {
            place(&mut suites, suite).map_err(|e| self.told(e))?.sessions.push(session);
        }
        let verdicts = of("SELECT suite, session, check_at, status, score, confidence, reason FROM verdicts \
                           WHERE run = $1 ORDER BY suite, session, check_at");
        for (suite, session, verdict) in self.all(&verdicts, verdict_of).await? {
            let suite = place(&mut suites, suite).map_err(|e| self.told(e))?;
            place(&mut suite.sessions, session).map_err(|e| self.told(e))?.verdicts.push(verdict);
        }
        Ok(Some(NewRun { run, suites }))
    }
}

fn place<T>(all: &mut [T], at: u32) -> Result<&mut T, sqlx::Error> {
    all.get_mut(at as usize).ok_or_else(|| strange(format!("a run has a part without its whole ({at})")))
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

fn check_of(row: &AnyRow) -> Result<(u32, CheckRow), sqlx::Error> {
    let severities = [Severity::Critical, Severity::Block, Severity::Warn, Severity::Info];
    let check = CheckRow {
        id: row.try_get("id")?,
        digest: digest(row, "digest")?,
        level: named(row, "level", |name| Level::ALL.into_iter().find(|level| level.name() == name))?,
        severity: named(row, "severity", |name| severities.into_iter().find(|severity| severity.name() == name))?,
    };
    Ok((small(row, "suite")?, check))
}

fn session_of(row: &AnyRow) -> Result<(u32, SessionRow), sqlx::Error> {
    let session = SessionRow {
        digest: digest(row, "digest")?,
        session_id: row.try_get("session_id")?,
        case: row.try_get("case_id")?,
        trial: row.try_get("trial")?,
        verdicts: Vec::new(),
    };
    Ok((small(row, "suite")?, session))
}

fn verdict_of(row: &AnyRow) -> Result<(u32, u32, VerdictRow), sqlx::Error> {
    let statuses = [Status::Pass, Status::Fail, Status::Error, Status::Held, Status::Skip];
    let verdict = VerdictRow {
        check: small(row, "check_at")?,
        status: named(row, "status", |name| statuses.into_iter().find(|status| status.name() == name))?,
        score: row.try_get("score")?,
        confidence: row.try_get("confidence")?,
        reason: row.try_get("reason")?,
    };
    Ok((small(row, "suite")?, small(row, "session")?, verdict))
}
