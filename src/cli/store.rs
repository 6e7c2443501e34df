//! `seatrial store`: what is in the store, copies of it, and what is kept for how long.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::stored::Opened;
use super::{Context, Failure};
use crate::checks::system::words;
use crate::eval::exit;
use crate::ledger::Millis;
use crate::model::duration;
use crate::promote::book::unbelievable;
use crate::report::safe;
use crate::store::db::{Info, Seen, Unsound};

/// Arguments of `seatrial store`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial store info
  seatrial store backup seatrial-2026-01-31.db
  seatrial store export > everything.jsonl
  seatrial store import everything.jsonl --store 'postgres://me:{{ env.DB_PASSWORD }}@host/seatrial'
  seatrial store purge --older-than 90d

The store holds runs with their verdicts, what goes to people, what they say, and what was promoted: a SQLite file beside \
seatrial.toml, or a PostgreSQL database (`store`, SEATRIAL_STORE, --store). A backup is made while others go on reading \
and writing, and is a store itself. An export holds everything but people and their logins, sessions included; it goes \
from SQLite to PostgreSQL and back. What is taken in is held against itself first: decisions against the labels behind them, \
names against what they follow from, promotions against their chain. Who gave a label nobody can tell from it: whoever takes \
an export in vouches for that. Purging takes out the sessions, and leaves verdicts, labels and digests; with the \
setting `keep_content` it happens by itself.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
    /// Which store, instead of the one that the settings name.
    #[arg(long, global = true, value_name = "WHERE")]
    store: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Say what is in it.
    Info {
        /// Look through all of it for damage, and for what does not add up.
        #[arg(long)]
        check: bool,
        /// Print one machine-readable line.
        #[arg(long)]
        json: bool,
    },
    /// Write a copy of a SQLite store to a new file, while others use it.
    Backup {
        /// The new file.
        file: PathBuf,
    },
    /// Give unused room back.
    Vacuum,
    /// Write everything as lines of JSON.
    Export {
        /// The new file; standard output without it.
        file: Option<PathBuf>,
    },
    /// Take an export into an empty store, all of it or nothing: what does not add up is refused.
    Import {
        /// The export.
        file: PathBuf,
    },
    /// Take sessions out that are old enough; verdicts, labels and digests stay.
    Purge {
        /// How old, such as `90d`; without it, what `keep_content` says.
        #[arg(long, value_name = "DURATION")]
        older_than: Option<String>,
        /// Also those that somebody still has to read.
        #[arg(long)]
        all: bool,
        /// Only say what would be taken out.
        #[arg(long)]
        dry_run: bool,
    },
}

impl Args {
    /// The settings among the flags.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        self.store.iter().map(|store| ("store", store.clone())).collect()
    }
}

/// Does it.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let now = jiff::Timestamp::now().as_millisecond();
    let opened = context.needed_store()?;
    match &args.what {
        What::Info { check, json } => info(&opened, *check, *json, context),
        What::Backup { file } => backup(&opened, &context.cwd.join(file), now, context),
        What::Vacuum => {
            opened.wait(opened.store().vacuum())?;
            Ok(exit::PASSED)
        }
        What::Export { file } => export(&opened, file.as_deref(), now, context),
        What::Import { file } => import(&opened, &context.cwd.join(file), context),
        What::Purge { older_than, all, dry_run } => {
            let kept = match older_than {
                Some(text) => {
                    duration::parse(text).map_err(|why| Failure::usage(format_args!("--older-than: {why}")))?
                }
                None => context.settings.keep_content.value.ok_or_else(|| {
                    Failure::usage("say how old with --older-than, such as `--older-than 90d`, or set `keep_content`")
                })?,
            };
            purge(&opened, before(now, kept), (*all, *dry_run), now, context)
        }
    }
}

/// The moment that lies so long before.
pub(super) fn before(now: Millis, kept: std::time::Duration) -> Millis {
    now.saturating_sub(Millis::try_from(kept.as_millis()).unwrap_or(Millis::MAX))
}

/// Says that session content leaves the store.
fn note(opened: &Opened, what: &str, now: Millis) -> Result<(), Failure> {
    let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    let who = user.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned());
    let (what, origin) = (what.to_owned(), "terminal".to_owned());
    let seen = Seen { at: now, who, what, item: None, session: None, origin, why: None };
    opened.wait(opened.store().seen(&seen))
}

fn info(opened: &Opened, check: bool, json: bool, context: &Context) -> Result<u8, Failure> {
    let info = opened.wait(opened.store().info())?;
    let mut damage = if check { opened.wait(opened.store().damage())? } else { Unsound::default() };
    if check
        && damage.is_none()
        && let Some(why) = unbelievable(opened.wait(opened.store().promotion_log())?)
    {
        damage.add(why);
    }
    let code = if damage.is_none() { exit::PASSED } else { exit::INCOMPLETE };
    let Info { form, rows, bytes, sessions, purged } = info;
    if json {
        let rows: serde_json::Map<_, _> = rows.iter().map(|(name, n)| ((*name).to_owned(), (*n).into())).collect();
        let line = serde_json::json!({
            "schema": 1, "store": opened.store().shown(), "form": form, "bytes": bytes, "rows": rows,
            "sessions": { "kept": sessions.0, "bytes": sessions.1, "purged": purged },
            "damage": check.then_some(damage.told), "damaged": check.then_some(damage.all),
        });
        return context.print(format!("{line}\n").as_bytes(), code);
    }
    let mut text = format!("store     {}\nform      {form}\nbytes     {bytes}\n", opened.store().shown());
    for (name, n) in rows {
        let name = if name == "promotion_log" { "promoted" } else { name };
        text.push_str(&format!("{name:9} {n}\n"));
    }
    text.push_str(&format!("sessions  {} to read, {} bytes; {purged} purged\n", sessions.0, sessions.1));
    if check {
        let told = damage.told.len() as u64;
        let all = match damage.all {
            0 => "none".to_owned(),
            n if n > told => format!("{n}, of which these are the first {told}"),
            n => n.to_string(),
        };
        text.push_str(&format!("damage    {all}\n"));
        damage.told.iter().for_each(|what| text.push_str(&format!("  {}\n", what.replace('\n', "\n  "))));
    }
    context.print(crate::report::safe::terminal(&text).as_bytes(), code)
}

/// A new file for its owner's eyes only; one that is there is left alone.
fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn unwritten(path: &Path, why: &io::Error) -> Failure {
    match why.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(format_args!("{} is there already", path.display())),
        _ => Failure::write(&path.display().to_string(), why),
    }
}

fn backup(opened: &Opened, file: &Path, now: Millis, context: &Context) -> Result<u8, Failure> {
    if opened.store().file().is_none() {
        return Err(Failure::usage(format_args!(
            "the store {} is on a server: save it with `pg_dump --schema=seatrial`, or with `seatrial store export`",
            opened.store().shown()
        )));
    }
    new_file(file).map_err(|why| unwritten(file, &why))?;
    note(opened, "backup", now)?;
    if let Err(failure) = opened.wait(opened.store().backup(file)) {
        // What is not whole is no copy.
        let _ = std::fs::remove_file(file);
        return Err(failure);
    }
    context.note(&format!("{} is a copy of {}\n", file.display(), opened.store().shown()));
    Ok(exit::PASSED)
}

fn export(opened: &Opened, file: Option<&Path>, now: Millis, context: &Context) -> Result<u8, Failure> {
    note(opened, "export", now)?;
    let Some(path) = file.map(|file| context.cwd.join(file)) else {
        let mut out = BufWriter::new(io::stdout());
        let written = opened.wait(opened.store().export(&mut out))?;
        return written.map(|_| exit::PASSED).map_err(|why| Failure::write("the export", &why));
    };
    let mut out = BufWriter::new(new_file(&path).map_err(|why| unwritten(&path, &why))?);
    let written = opened.wait(opened.store().export(&mut out))?;
    let rows = written.and_then(|rows| out.flush().and_then(|()| out.get_ref().sync_all()).map(|()| rows));
    let rows = rows.map_err(|why| Failure::write(&path.display().to_string(), &why))?;
    context.note(&format!("{rows} rows are in {}\n", path.display()));
    Ok(exit::PASSED)
}

fn import(opened: &Opened, file: &Path, context: &Context) -> Result<u8, Failure> {
    let shown = file.display();
    let lines = File::open(file).map_err(|why| Failure::usage(format_args!("{shown}: {why}")))?;
    let taken = opened.wait(opened.store().take_in(&mut BufReader::with_capacity(1 << 20, lines), unbelievable))?;
    let rows = taken.map_err(|why| {
        let nothing = "help: nothing of it was taken in";
        Failure::usage(format_args!(
            "{}: {}\n{nothing}",
            safe::line(&shown.to_string()),
            safe::terminal(&why.to_string())
        ))
    })?;
    context.note(&format!("{rows} rows of {shown} are in {}\n", opened.store().shown()));
    Ok(exit::PASSED)
}

fn purge(
    opened: &Opened,
    before: Millis,
    (all, dry_run): (bool, bool),
    now: Millis,
    context: &Context,
) -> Result<u8, Failure> {
    let purged = opened.wait(opened.store().purge(before, all, dry_run, now))?;
    let verb = match (dry_run, purged.sessions) {
        (true, _) => "would be",
        (false, 1) => "was",
        (false, _) => "were",
    };
    let sessions = words::counted(purged.sessions, "session");
    let mut text = format!("{sessions} {verb} taken out, {} bytes\n", purged.bytes);
    if purged.spared > 0 {
        text.push_str(&format!(
            "{} are as old, and somebody has yet to read them (--all takes them, too)\n",
            purged.spared
        ));
    }
    context.print(text.as_bytes(), exit::PASSED)
}
