//! The reports of a run, drawn from its record.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::eval::event::SuiteEnd;
use crate::redact::Redacted;
use crate::report::gathered::Gathered;
use crate::report::html::Html;
use crate::report::junit::JUnit;
use crate::report::{Drawn, RunSummary, Sink, json, markdown, replay};
use crate::store::kept;

/// Where copies of reports are put.
#[derive(Debug, Default)]
pub struct Copies {
    /// Of `junit.xml`.
    pub junit: Option<PathBuf>,
    /// Of `index.html`.
    pub html: Option<PathBuf>,
}

/// Draws `junit.xml`, `index.html`, `summary.json` and `summary.md` into the run's folder, and copies where a CI wants
/// them. What the short reports show is left in `gathered`.
pub fn write(
    dir: &Path,
    copies: &Copies,
    drawn: Drawn<'_>,
    ends: Vec<Option<&SuiteEnd>>,
    gathered: &mut Gathered,
) -> Result<(), replay::DrawError> {
    let junit = dir.join("junit.xml");
    let mut out = JUnit::new(drawn, BufWriter::with_capacity(1 << 18, File::create(&junit)?))?;
    let html = dir.join("index.html");
    let page = BufWriter::with_capacity(1 << 18, File::create(&html)?);
    let mut page = Html::new(drawn, ends, kept::Reader::open(dir)?, page)?;
    let sinks: &mut [&mut dyn Sink] = &mut [&mut out, &mut page, gathered];
    replay::draw(&dir.join("run.jsonl"), drawn, sinks)?;
    write_summary(dir, drawn.summary)?;
    let mut file = BufWriter::new(File::create(dir.join("summary.md"))?);
    markdown::write(drawn, gathered, &mut file)?;
    file.flush()?;
    for (report, copy) in [(&junit, &copies.junit), (&html, &copies.html)] {
        let Some(copy) = copy else { continue };
        if let Some(parent) = copy.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(report, copy)?;
    }
    Ok(())
}

/// Writes `summary.json`.
pub fn write_summary(dir: &Path, summary: &RunSummary) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(dir.join("summary.json"))?);
    json::pretty(&Redacted::drawn(summary), &mut file)?;
    file.flush()
}
