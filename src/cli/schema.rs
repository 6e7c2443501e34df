//! `seatrial schema`: the JSON Schema of suites, for editors.

use std::io::{self, Write};
use std::path::PathBuf;

use super::error::{Error, written};
use crate::suite::schema::suite_schema;

/// Print the JSON Schema of suites, for completion and validation in editors.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  seatrial schema --out .seatrial/suite.schema.json

Then begin a suite with a line such as `#:schema ../.seatrial/suite.schema.json`; taplo and Even Better TOML read it.")]
pub struct SchemaArgs {
    /// Write it to a file, whose folder is made if need be, instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &SchemaArgs, out: &mut dyn Write) -> Result<u8, Error> {
    let text = format!("{:#}\n", suite_schema());
    let Some(path) = &args.out else {
        return written(out.write_all(text.as_bytes()).and_then(|()| out.flush()), 0);
    };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    let result: io::Result<()> = made.and_then(|()| std::fs::write(path, &text));
    result.map(|()| 0).map_err(|source| Error::Write { path: Some(path.clone()), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_schema_or_writes_it_to_a_file() {
        let mut printed = Vec::new();
        assert_eq!(run(&SchemaArgs { out: None }, &mut printed).unwrap(), 0);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b.json");
        assert_eq!(run(&SchemaArgs { out: Some(path.clone()) }, &mut io::sink()).unwrap(), 0);
        assert_eq!(std::fs::read(&path).unwrap(), printed);
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&printed).unwrap(), suite_schema());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_exit_5() {
        let dir = tempfile::tempdir().unwrap();
        let args = SchemaArgs { out: Some(dir.path().to_owned()) };
        assert_eq!(run(&args, &mut io::sink()).unwrap_err().code(), 5);
    }
}
