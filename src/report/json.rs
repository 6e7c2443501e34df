//! `summary.json`, and the one machine-readable line of `--json`: the same facts.

use std::io::{self, Write};

use super::RunSummary;
use crate::redact::Redacted;

/// The summary for a file: indented, one trailing newline.
pub fn pretty(summary: &Redacted<&RunSummary>, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, summary)?;
    out.write_all(b"\n")
}

/// The summary as one line.
pub fn line(summary: &Redacted<&RunSummary>, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, summary)?;
    out.write_all(b"\n")
}
