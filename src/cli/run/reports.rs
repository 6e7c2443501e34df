//! The reports of a run, drawn from its record.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::model::Redactor;
use crate::report::junit::JUnit;
use crate::report::terminal::Terminal;
use crate::report::{Drawn, RunSummary, Sink, json, replay};

/// Draws `junit.xml` and `summary.json` into the run's folder, and a copy of the JUnit where a CI wants it.
pub fn write(
    dir: &Path,
    junit_copy: Option<&Path>,
    drawn: Drawn<'_>,
    redactor: &Redactor,
    terminal: &mut Terminal<'_>,
) -> Result<(), replay::DrawError> {
    let junit = dir.join("junit.xml");
    let mut out = JUnit::new(drawn, BufWriter::with_capacity(1 << 18, File::create(&junit)?))?;
    let sinks: &mut [&mut dyn Sink] = &mut [&mut out, terminal];
    replay::draw(&dir.join("run.jsonl"), drawn, sinks)?;
    write_summary(dir, drawn.summary, redactor)?;
    if let Some(copy) = junit_copy {
        if let Some(parent) = copy.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(&junit, copy)?;
    }
    Ok(())
}

/// Writes `summary.json`.
pub fn write_summary(dir: &Path, summary: &RunSummary, redactor: &Redactor) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(dir.join("summary.json"))?);
    json::pretty(&redactor.pass(summary), &mut file)?;
    file.flush()
}
