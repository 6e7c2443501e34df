//! The reports of a run, drawn from its record.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::eval::event::SuiteEnd;
use crate::eval::overlay::Rulings;
use crate::redact::Redacted;
use crate::report::gathered::Gathered;
use crate::report::html::Html;
use crate::report::junit::JUnit;
use crate::report::late::Late;
use crate::report::live::{self, Done, Live};
use crate::report::{Drawn, RunSummary, Sink, json, markdown, replay};
use crate::store::kept;
use crate::suite::settings::Reports;

/// Where copies of reports are put.
#[derive(Debug, Default)]
pub struct Copies {
    /// Of `junit.xml`.
    pub junit: Option<PathBuf>,
    /// Of `index.html`.
    pub html: Option<PathBuf>,
}

/// Draws `junit.xml`, `index.html` (those of them that are wanted), `summary.json` and `summary.md` into the run's folder,
/// and copies where a CI wants them: from what was drawn while it ran, else from its record, with what people decided laid
/// over it. What the short reports show is returned.
pub fn write(
    dir: &Path,
    reports: Reports,
    copies: &Copies,
    drawn: Drawn<'_>,
    ends: &[Option<&SuiteEnd>],
    live: Option<Live>,
    rulings: Option<Rulings<'_>>,
) -> Result<Gathered, replay::DrawError> {
    let [junit, html] = live::files(dir);
    let record = dir.join("run.jsonl");
    let from_record = |kept, sinks: &mut [&mut dyn Sink]| replay::draw(&record, kept, drawn, ends, rulings, sinks);
    let mut again = JUnit::new(drawn.plan, Some(drawn.summary), Late::new(junit.clone()));
    let mut gathered = match live.map(|live| live.end(drawn.summary, ends)).transpose()?.flatten() {
        Some(Done { gathered, forgiven }) => {
            if forgiven {
                from_record(None, &mut [&mut again])?;
            }
            gathered
        }
        None => {
            let mut page = Html::new(drawn.plan.suites.len(), Late::new(html.clone()))?;
            let mut gathered = Gathered::default();
            let mut sinks: Vec<&mut dyn Sink> = vec![&mut gathered];
            if reports.junit {
                sinks.push(&mut again);
            }
            if reports.html {
                sinks.push(&mut page);
            }
            from_record(if reports.html { kept::Reader::open(dir)? } else { None }, &mut sinks)?;
            gathered
        }
    };
    gathered.reports = reports;
    for (path, wanted) in [(&junit, reports.junit), (&html, reports.html)] {
        // One that was drawn when a run that is continued ended before says something else.
        if !wanted && path.exists() {
            fs::remove_file(path)?;
        }
    }
    write_summary(dir, drawn.summary)?;
    let mut file = BufWriter::new(File::create(dir.join("summary.md"))?);
    markdown::write(drawn, &gathered, &mut file)?;
    file.flush()?;
    for (report, copy) in [(&junit, &copies.junit), (&html, &copies.html)] {
        let Some(copy) = copy else { continue };
        if let Some(parent) = copy.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(report, copy)?;
    }
    Ok(gathered)
}

/// Writes `summary.json`.
pub fn write_summary(dir: &Path, summary: &RunSummary) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(dir.join("summary.json"))?);
    json::pretty(&Redacted::drawn(summary), &mut file)?;
    file.flush()
}
