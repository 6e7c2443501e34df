//! `seatrial import`: from any trace format to seatrial's own, or to OTLP.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::context::{Context, Failure};
use super::sessions::{self, NextBatch, Unread, each, unwritten, written};
use crate::formats::{otlp, seatrial};
use crate::model::{LeftOut, Problem, Session};
use crate::sources::RecordedFile;

/// Arguments of `seatrial import`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  seatrial import results.json -o sessions.jsonl
  seatrial import --format tau-bench results/*.json | zstd > sessions.jsonl.zst
  seatrial import --as otlp results.json -o traces.jsonl

Exit codes: 0; 4 when something could not be read (what could be is written); 5 when it could not be written.")]
pub struct Args {
    /// Recordings; `-` is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The trace format, when it is not to be recognised by the content.
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// The attribute of spans that names their session, before the usual ones.
    #[arg(long, value_name = "NAME")]
    session_attribute: Option<String>,
    /// What is written: seatrial's own format, which holds everything, or OTLP/JSON lines, which other tools read and
    /// which have no place for what was expected of a session.
    #[arg(long = "as", value_name = "FORM", value_enum, default_value_t = Form::Seatrial)]
    form: Form,
    /// Write to a file instead of standard output. It appears only when it is complete.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What sessions are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// One session a line, in seatrial's own format.
    Seatrial,
    /// One session a line, as a request of OTLP/JSON.
    Otlp,
}

/// Writes one session.
type WriteSession<'w> = &'w mut dyn FnMut(&Session<'_>, &mut dyn Write) -> io::Result<()>;

/// Imports.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let mut err = io::stderr().lock();
    let mut found =
        sessions::open(&args.files, args.format.as_deref(), args.session_attribute.as_deref(), context, &mut err)?;
    let next = &mut |buffer| found.recorded.next(buffer);
    let form = args.form;
    let redactor = context.redactor([])?;
    if args.form == Form::Otlp && redactor.is_on() {
        context.note(
            "seatrial: OTLP has no place for what says which fields were redacted; sessions to be judged again are \
             imported as seatrial's own\n",
        );
    }
    let write = &mut |session: &Session<'_>, mut out: &mut dyn Write| {
        let session = redactor.written(session);
        match form {
            Form::Seatrial => seatrial::write(session.get(), &mut out),
            Form::Otlp => otlp::write(session.get(), out),
        }
    };
    // Not through a stream that takes out colours: what is written is data.
    let mut out = BufWriter::with_capacity(1 << 18, io::stdout().lock());
    let args = Args { out: args.out.as_ref().map(|path| context.cwd.join(path)), ..args.clone() };
    import(&args, &found.files, next, write, &mut found.unread, &mut out, &mut err)
}

/// Writes what `next` hands out with `write`.
fn import(
    args: &Args,
    files: &[RecordedFile],
    next: NextBatch<'_>,
    write: WriteSession<'_>,
    unread: &mut Unread,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<u8, Failure> {
    let mut sessions = 0u64;
    let result = match args.out.as_ref().filter(|path| path.as_os_str() != "-") {
        None => {
            let result = convert(files, next, write, out, err, unread, &mut sessions);
            written(result.and_then(|()| out.flush()), "standard output", unread.code())
        }
        Some(path) => to_file(path, &mut |out| convert(files, next, write, out, err, unread, &mut sessions))
            .map(|()| unread.code())
            .map_err(|why| unwritten(&path.to_string_lossy(), &why)),
    };
    let left_out = if unread.total() > 0 { format!("; left out: {}", unread.summary()) } else { String::new() };
    let _ = writeln!(err, "{sessions} sessions written{left_out}");
    result
}

fn convert(
    files: &[RecordedFile],
    next: NextBatch<'_>,
    write: WriteSession<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
    unread: &mut Unread,
    sessions: &mut u64,
) -> io::Result<()> {
    each(next, files, unread, err, &mut |session| match write(session, out) {
        Ok(()) => {
            *sessions += 1;
            Ok(Ok(()))
        }
        // The session cannot be written as JSON, which is not the file's fault.
        Err(e) if e.kind() == io::ErrorKind::InvalidData => Ok(Err(Problem::new(LeftOut::Malformed, e.to_string()))),
        Err(e) => Err(e),
    })
}

/// Writes a file beside its place and moves it there when it is complete, so that an input may be its own output and
/// a failure leaves what was there.
fn to_file(path: &Path, fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let place = match std::fs::metadata(path) {
        // A device or a pipe is written to, not replaced.
        Ok(meta) if !meta.is_file() => {
            let mut file = BufWriter::new(std::fs::OpenOptions::new().write(true).open(path)?);
            fill(&mut file)?;
            return file.flush();
        }
        // A link stays a link.
        Ok(_) => std::fs::canonicalize(path)?,
        Err(_) => path.to_owned(),
    };
    let folder = place.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = BufWriter::with_capacity(1 << 18, new_file(folder)?);
    fill(&mut file)?;
    file.flush()?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(&place).map(drop).map_err(|e| e.error)
}

/// A temporary file that will have the permissions of any new file, not those of a secret one.
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".seatrial-import-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::super::sessions::tests::{file, lines};
    use super::*;

    fn args(out: Option<PathBuf>) -> Args {
        Args { files: vec!["a.jsonl".into()], format: None, session_attribute: None, form: Form::Seatrial, out }
    }

    fn write(session: &Session<'_>, out: &mut dyn Write) -> io::Result<()> {
        if session.id == "bad" {
            return Err(io::ErrorKind::InvalidData.into());
        }
        writeln!(out, "{}", serde_json::to_string(session)?)
    }

    fn run(args: &Args, input: &[&str]) -> (Result<u8, Failure>, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = import(args, &file(), &mut lines(input), &mut write, &mut Unread::default(), &mut out, &mut err);
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn what_can_be_read_is_written_and_the_rest_counted() {
        let (code, out, err) = run(&args(None), &[r#"{"id":"a"}"#, "{", r#"{"id":"bad"}"#, r#"{"id":"b"}"#]);
        assert_eq!(code.unwrap(), 4);
        assert_eq!(out, "{\"id\":\"a\"}\n{\"id\":\"b\"}\n");
        assert!(err.ends_with("2 sessions written; left out: 2 malformed\n"), "{err}");
        assert_eq!(run(&args(None), &[r#"{"id":"a"}"#]).0.unwrap(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_a_device_a_device() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        std::fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        for out in [link.clone(), "/dev/null".into()] {
            assert_eq!(run(&args(Some(out)), &[r#"{"id":"a"}"#]).0.unwrap(), 0);
        }
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "{\"id\":\"a\"}\n");
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_file_appears_only_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/out.jsonl");
        assert_eq!(run(&args(Some(path.clone())), &[r#"{"id":"a"}"#]).0.unwrap(), 0);
        let mut fail = |_: &Session<'_>, _: &mut dyn Write| Err(io::ErrorKind::StorageFull.into());
        let mut input = lines(&[r#"{"id":"b"}"#]);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let failed = import(
            &args(Some(path.clone())),
            &file(),
            &mut input,
            &mut fail,
            &mut Unread::default(),
            &mut out,
            &mut err,
        );
        assert_eq!(failed.unwrap_err().code, 5);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"id\":\"a\"}\n");
        assert_eq!(std::fs::read_dir(dir.path().join("deep")).unwrap().count(), 1, "nothing is left behind");
    }
}
