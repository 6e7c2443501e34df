//! `seatrial schema`: the JSON Schema of suites, for editors.

use std::path::{Path, PathBuf};

use super::context::{Context, Failure};
use crate::eval::exit;
use crate::suite::schema::suite_schema;

/// Arguments of `seatrial schema`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  seatrial schema --out .seatrial/suite.schema.json

Then begin a suite with a line such as `#:schema ../.seatrial/suite.schema.json`; taplo and Even Better TOML read it.")]
pub struct Args {
    /// Write it to a file, whose folder is made if need be, instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Prints or writes it.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let text = format!("{:#}\n", suite_schema());
    match &args.out {
        None => context.print(text.as_bytes(), exit::PASSED),
        Some(path) => write(&context.cwd.join(path), &text).map(|()| exit::PASSED),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(path, text)).map_err(|why| Failure::write(&path.to_string_lossy(), &why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_with_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b.json");
        write(&path, "{}").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_never_exit_0() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(write(dir.path(), "{}").unwrap_err().code, exit::INCOMPLETE);
    }
}
