//! Runs are listed, and given back as they were kept.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::any::AnyRow;

use super::{CheckRow, NewRun, Run, RunFilter, RunRow, SessionRow, SuiteRow, VerdictRow};
use crate::model::digest::Digest;
use crate::model::{Level, Severity, Status};
use crate::store::db::sql::{Sql, json, named, small, strange};
use crate::store::db::{Page, Store, StoreError};

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

/// What reads a row of a table.
type Reader = fn(&AnyRow) -> Result<(), sqlx::Error>;

/// The tables of runs, each with what reads its rows.
pub(in crate::store::db) const READERS: [(&str, Reader); 5] = [
    ("runs", |row| run_of(row).map(drop)),
    ("run_suites", |row| suite_of(row).map(drop)),
    ("run_checks", |row| check_of(row).map(drop)),
    ("run_sessions", |row| session_of(row).map(drop)),
    ("verdicts", |row| verdict_of(row).map(drop)),
];

fn place<T>(all: &mut [T], at: u32) -> Result<&mut T, sqlx::Error> {
    all.get_mut(at as usize).ok_or_else(|| strange(format!("a run has a part without its whole ({at})")))
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
