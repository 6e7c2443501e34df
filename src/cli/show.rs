//! `seatrial show`: a session as transcript and waterfall, or the list of a file's sessions.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use super::context::{Context, Failure};
use super::sessions::{self, NextBatch, Unread, each, written};
use crate::model::Session;
use crate::redact::Redactor;
use crate::report::safe;
use crate::report::transcript::{self, ROW_TITLES, Row, View};
use crate::sources::RecordedFile;
use crate::suite::nearest::nearest;

/// Arguments of `seatrial show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  seatrial show sessions.jsonl               the sessions of the file; the only one is drawn
  seatrial show sessions.jsonl cancel-17     one session by its id (each trial that has it)
  seatrial show sessions.jsonl '#3' --full   the third session, nothing elided

Exit codes: 0, 2 when there is no such session, 4 when something in the file could not be read.")]
pub struct Args {
    /// A recording; `-` is standard input.
    file: PathBuf,
    /// A session's id, or `#N` for the N-th session of the file.
    session: Option<String>,
    /// The trace format, when it is not to be recognised by the content.
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// The attribute of spans that names their session, before the usual ones.
    #[arg(long, value_name = "NAME")]
    session_attribute: Option<String>,
    /// Show long texts whole, and every operation.
    #[arg(long)]
    full: bool,
    /// Draw the waterfall: where there are times, always, never, or nothing but it.
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_value = "auto",
        default_missing_value = "only", value_parser = ["auto", "always", "never", "only"])]
    waterfall: String,
    /// Columns to wrap to, instead of those of the terminal.
    #[arg(long, value_name = "N")]
    width: Option<u16>,
}

/// What is drawn on.
#[derive(Debug, Clone)]
struct Screen {
    width: usize,
    color: bool,
    /// What is shown goes through it.
    redactor: Redactor,
}

/// Columns where there is no terminal.
const DEFAULT_WIDTH: usize = 100;
/// Widest that text is set in a terminal.
const MAX_WIDTH: usize = 160;

impl Screen {
    /// Standard output as it is. Colours are always drawn: the stream takes out those that are not wanted.
    fn stdout() -> Self {
        let columns = terminal_size::terminal_size().filter(|_| io::stdout().is_terminal());
        let width = columns.map_or(DEFAULT_WIDTH, |(terminal_size::Width(w), _)| usize::from(w).min(MAX_WIDTH));
        Self { width, color: true, redactor: Redactor::default() }
    }
}

impl Args {
    fn view(&self, screen: &Screen) -> View {
        View {
            width: self.width.map_or(screen.width, usize::from),
            color: screen.color,
            full: self.full,
            conversation: self.waterfall != "only",
            waterfall: match self.waterfall.as_str() {
                "always" | "only" => Some(true),
                "never" => Some(false),
                _ => None,
            },
            turns: None,
        }
    }
}

/// Shows.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let mut err = io::stderr().lock();
    let mut found = sessions::open(
        std::slice::from_ref(&args.file),
        args.format.as_deref(),
        args.session_attribute.as_deref(),
        context,
        &mut err,
    )?;
    let mut out = context.stdout();
    let next = &mut |buffer| found.recorded.next(buffer);
    let screen = Screen { redactor: context.redactor([])?, ..Screen::stdout() };
    show(args, &screen, &found.files, next, &mut found.unread, &mut out, &mut err)
}

/// Draws what `next` hands out.
fn show(
    args: &Args,
    screen: &Screen,
    files: &[RecordedFile],
    next: NextBatch<'_>,
    unread: &mut Unread,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<u8, Failure> {
    let view = args.view(screen);
    let (result, missing) = match &args.session {
        Some(wanted) => {
            let mut search = Search::new(wanted);
            let result = each(next, files, unread, err, &mut |s| {
                let written = screen.redactor.written(s);
                search.visit(&s.id, written.get(), &view, out).map(Ok)
            });
            (result, (search.found == 0).then(|| search.missing(unread)))
        }
        None => {
            let mut list = List::default();
            let result = each(next, files, unread, err, &mut |s| {
                list.visit(screen.redactor.written(s).get(), &view, out).map(Ok)
            });
            (result.and_then(|()| list.finish(out)), None)
        }
    };
    if let (Ok(()), Some(missing)) = (&result, missing) {
        return Err(missing);
    }
    if unread.total() > 0 {
        let _ = writeln!(err, "not shown: {}", unread.summary());
    }
    written(result.and_then(|()| out.flush()), "standard output", unread.code())
}

/// Draws the sessions with an id, or the one at a position.
struct Search<'w> {
    wanted: &'w str,
    position: Option<u64>,
    seen: u64,
    found: u64,
    /// Ids to suggest from; not all of a large file.
    ids: Vec<String>,
}

impl<'w> Search<'w> {
    const MOST_IDS: usize = 10_000;

    fn new(wanted: &'w str) -> Self {
        let position = wanted.strip_prefix('#').and_then(|n| n.parse().ok());
        Self { wanted, position, seen: 0, found: 0, ids: Vec::new() }
    }

    /// Draws the session, as it may be shown, when it is one that is looked for, by its own id or by the one shown.
    fn visit(&mut self, id: &str, session: &Session<'_>, view: &View, out: &mut dyn Write) -> io::Result<()> {
        self.seen += 1;
        if id == self.wanted || session.id == self.wanted || self.position == Some(self.seen) {
            if self.found > 0 {
                writeln!(out)?;
            }
            self.found += 1;
            return out.write_all(transcript::session(session, view).as_bytes());
        }
        if self.found == 0 && self.ids.len() < Self::MOST_IDS {
            self.ids.push(session.id.chars().take(200).collect());
        }
        Ok(())
    }

    fn missing(&self, unread: &Unread) -> Failure {
        let near = nearest(self.wanted, self.ids.iter().map(String::as_str));
        let help = match near {
            Some(near) => format!("did you mean `{}`?", safe::line(near)),
            None if unread.total() > 0 => format!("what could not be read: {}", unread.summary()),
            None => format!("the file has {} sessions; without a session they are listed", self.seen),
        };
        Failure::usage(format_args!("no session is called `{}`\nhelp: {help}", safe::line(self.wanted)))
    }
}

/// Lists sessions; a file's only one is drawn instead.
#[derive(Default)]
struct List {
    /// The first session, drawn, until there is a second.
    only: Option<String>,
    rows: Vec<Row>,
    widths: Option<[usize; 9]>,
}

impl List {
    /// Rows that are looked at to find the widths of columns.
    const SAMPLE: usize = 500;

    fn visit(&mut self, session: &Session<'_>, view: &View, out: &mut dyn Write) -> io::Result<()> {
        self.only = (self.rows.is_empty() && self.widths.is_none()).then(|| transcript::session(session, view));
        self.rows.push(transcript::row(session));
        if self.rows.len() >= Self::SAMPLE { self.print(out, false) } else { Ok(()) }
    }

    /// Prints the rows so far. In the first ones, when they are `all`, a column in which no row has anything is left
    /// out.
    fn print(&mut self, out: &mut dyn Write, all: bool) -> io::Result<()> {
        let first = self.widths.is_none();
        let rows = std::mem::take(&mut self.rows);
        let widths = *self.widths.get_or_insert_with(|| {
            std::array::from_fn(|i| {
                if all && rows.iter().all(|r| r.cells[i] == "-") {
                    return 0;
                }
                rows.iter().map(|r| columns(&r.cells[i])).max().unwrap_or(0).max(columns(ROW_TITLES[i]))
            })
        });
        if first {
            print_row(out, &ROW_TITLES, &widths)?;
        }
        rows.iter().try_for_each(|row| print_row(out, &row.cells.each_ref().map(String::as_str), &widths))
    }

    fn finish(mut self, out: &mut dyn Write) -> io::Result<()> {
        match self.only.take() {
            Some(only) => out.write_all(only.as_bytes()),
            None if self.rows.is_empty() && self.widths.is_none() => writeln!(out, "no sessions"),
            None => self.print(out, true),
        }
    }
}

fn columns(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// Names to the left, numbers to the right; a column of no width is left out.
fn print_row(out: &mut dyn Write, cells: &[&str; 9], widths: &[usize; 9]) -> io::Result<()> {
    let mut line = String::new();
    for (i, (cell, width)) in cells.iter().zip(widths).enumerate().filter(|(_, (_, width))| **width > 0) {
        let fill = " ".repeat(width.saturating_sub(columns(cell)));
        let text = if i < 3 { format!("{cell}{fill}  ") } else { format!("{fill}{cell}  ") };
        line.push_str(&text);
    }
    writeln!(out, "{}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::super::sessions::tests::{file, lines};
    use super::*;

    const A: &str = r#"{"id":"a","case":"c","reward":1.0,"turns":[{"user":"hi","spans":[{"kind":"tool","name":"f","status":"error"}]}]}"#;
    const B: &str = r#"{"id":"b\u001b[2J","trial":"2"}"#;

    fn args(session: Option<&str>) -> Args {
        Args {
            file: "a.jsonl".into(),
            session: session.map(str::to_owned),
            format: None,
            session_attribute: None,
            full: false,
            waterfall: "auto".into(),
            width: None,
        }
    }

    fn run(session: Option<&str>, input: &[&str]) -> (Result<u8, Failure>, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let screen = Screen { width: 80, color: false, redactor: Redactor::default() };
        let code =
            show(&args(session), &screen, &file(), &mut lines(input), &mut Unread::default(), &mut out, &mut err);
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn lists_the_sessions_of_a_file() {
        let (code, out, _) = run(None, &[A, B]);
        assert_eq!(code.unwrap(), 0);
        insta::assert_snapshot!(out, @r"
        session   case  trial  turns  calls  errors  reward
        a         c     -          1      1       1       1
        b\x1b[2J  -     2          0      0       0       -
        ");
    }

    #[test]
    fn draws_the_only_session() {
        let (code, out, _) = run(None, &[A]);
        assert_eq!(code.unwrap(), 0);
        assert!(out.starts_with("a\n") && out.contains("user   hi"), "{out}");
        assert!(run(None, &[]).1.contains("no sessions"));
    }

    #[test]
    fn draws_every_session_with_the_id_or_the_one_at_a_position() {
        assert_eq!(run(Some("a"), &[A, B, A]).1.matches("case      c").count(), 2);
        assert!(run(Some("#2"), &[A, B]).1.starts_with(r"b\x1b[2J"));
    }

    #[test]
    fn an_unknown_session_is_a_usage_error_that_names_the_nearest() {
        let error = run(Some("cancel-71"), &[r#"{"id":"cancel-17"}"#]).0.unwrap_err();
        assert_eq!(error.code, 2);
        assert!(error.message.contains("help: did you mean `cancel-17`?"), "{}", error.message);
        assert_eq!(run(Some("#3"), &[A, B]).0.unwrap_err().code, 2);
    }

    #[test]
    fn what_could_not_be_read_is_said_and_is_never_exit_0() {
        let (code, out, err) = run(None, &[A, "{", B]);
        assert_eq!(code.unwrap(), 4);
        assert!(out.contains("a  ") && err.ends_with("not shown: 1 malformed\n"), "{out}{err}");
        assert_eq!(run(Some("a"), &["{", A]).0.unwrap(), 4);
    }

    #[test]
    fn a_long_list_is_printed_as_it_is_read() {
        let many = vec![A; 1234];
        let out = run(None, &many).1;
        assert_eq!(out.lines().count(), 1235);
        assert!(out.lines().skip(1).all(|l| Some(l) == out.lines().nth(1)));
    }

    /// A reader that closes the pipe.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_quiet_and_does_not_hide_what_was_not_read() {
        let screen = Screen { width: 80, color: false, redactor: Redactor::default() };
        let code = |input: &[&str]| {
            show(
                &args(Some("a")),
                &screen,
                &file(),
                &mut lines(input),
                &mut Unread::default(),
                &mut Closed,
                &mut io::sink(),
            )
            .unwrap()
        };
        assert_eq!(code(&[A]), 0);
        assert_eq!(code(&["{", A]), 4);
    }
}
