//! `seatrial review release`: lets reviewers read a session again that is under quarantine.

use serde_json::json;

use super::opened::{Opened, now};
use crate::cli::context::{Context, Failure};
use crate::eval::exit;
use crate::ledger::line::rfc3339;
use crate::model::digest::Digest;
use crate::report::safe;
use crate::review::words::count;
use crate::store::db::{Released, Role};

/// Arguments of `seatrial review release`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seatrial review release chat-4711 --reason \"The address is the shop's own.\" --as eve
  seatrial review release sbgvszv7 --reason \"Made up for a test.\"      the version that an item is about

Where a check of [watch.quarantine] failed, adjudicators and admins alone may read the session. Released, it may be read by \
everybody who reviews; what is asked of people stays as it is. By its id, all versions of a session are released that are in \
the queue by now. A version that is evaluated later, because more of the session came, is under quarantine again where a check \
of high risk fails; the same version is not, however often it is evaluated. Who released it, when and why is in the audit \
trail, and a release is not taken back.

Where the store has users (`seatrial review user`) it takes the role of an adjudicator. Exit codes: 0; 2 when it is refused, \
or the session is not under quarantine; 5 when the store cannot be written.")]
pub struct Args {
    /// The id of the session, or an item about it: its name, or the beginning of it.
    #[arg(value_name = "SESSION")]
    session: String,
    /// Why it may be read.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Print one line of JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Let reviewers read a session again that is under quarantine.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let why = args.reason.trim();
    if why.is_empty() {
        return Err(Failure::usage("`--reason` says nothing: whoever reads the trail wants to know why"));
    }
    let (opened, who) = Opened::to_say(why, Role::Adjudicator, context)?;
    let (id, versions) = meant(&args.session, &opened)?;
    let released = opened.store.release_quarantine(&versions, (&who, why), "terminal", now());
    let released = opened.wait(released)?.map_err(Failure::usage)?;
    if released.is_empty() {
        return Err(is_not(&id, &versions, &opened)?);
    }
    let text = if args.json { line(&id, &released) } else { said(&id, &released) };
    context.print(format!("{text}\n").as_bytes(), exit::PASSED)
}

/// The session that is meant, and the versions of it.
fn meant(named: &str, opened: &Opened) -> Result<(String, Vec<Digest>), Failure> {
    let versions = opened.wait(opened.store.versions(named))?;
    if !versions.is_empty() {
        return Ok((named.to_owned(), versions));
    }
    let item = opened.find(named)?.ok_or_else(|| {
        let named = safe::line(named);
        Failure::usage(format_args!(
            "nobody is asked about a session `{named}`, and no item is called so\nhelp: `seatrial review list` lists what is \
             asked, and `seatrial review show ITEM` says about which session"
        ))
    })?;
    Ok((item.session_id.clone(), vec![item.key.session]))
}

/// That there is nothing to release.
fn is_not(id: &str, versions: &[Digest], opened: &Opened) -> Result<Failure, Failure> {
    let before = opened.wait(opened.store.release_of(versions))?;
    let by = before.map(|seen| format!(": {} released it at {}", safe::line(&seen.who), rfc3339(seen.at)));
    let id = safe::line(id);
    Ok(Failure::usage(format_args!("the session {id} is not under quarantine{}", by.unwrap_or_default())))
}

fn items(released: &[Released]) -> usize {
    released.iter().map(|version| version.items.len()).sum()
}

fn said(id: &str, released: &[Released]) -> String {
    let versions = match released.len() {
        1 => String::new(),
        n => format!(", in {n} versions"),
    };
    let items = count(items(released) as u64, "item is", "items are");
    format!("{} is released{versions}: reviewers may read it ({items} about it)", safe::line(id))
}

fn line(id: &str, released: &[Released]) -> String {
    let versions: Vec<_> = released.iter().map(|version| version.session.to_string()).collect();
    let items: Vec<_> = released.iter().flat_map(|version| &version.items).collect();
    json!({ "schema": 1, "exit_code": exit::PASSED, "session": id, "released": versions, "items": items }).to_string()
}
