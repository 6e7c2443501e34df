//! `--from`: a folder, a stream of NATS JetStream, or a table of PostgreSQL.

use std::borrow::Cow;
use std::path::Path;

use super::Args;
use super::standing::folder_source;
use crate::cli::context::{Context, Failure};
use crate::cli::stored::Opened;
use crate::fleet::address::Address;
use crate::net::percent;
use crate::net::secret::{self, Secretive};
use crate::suite::settings::store_shown;
use crate::watch::sources::table::Columns;
use crate::watch::sources::{Nats, Source, Table};

/// What is named.
enum Named<'n> {
    Folder,
    Stream(&'n str),
    Table(&'n str),
}

fn named(text: &str) -> Named<'_> {
    let begins = |schemes: &[&str]| schemes.iter().any(|scheme| text.starts_with(scheme));
    if begins(&["nats://", "tls://"]) {
        Named::Stream(text)
    } else if begins(&["postgres://", "postgresql://"]) {
        Named::Table(text)
    } else {
        Named::Folder
    }
}

/// The source that `--from` names.
///
/// # Errors
/// There is no such folder, or the address is none.
pub fn source(args: &Args, context: &Context, opened: &Opened, from: &Path) -> Result<Box<dyn Source>, Failure> {
    let text = from.to_string_lossy();
    let handle = opened.runtime().handle().clone();
    match named(&text) {
        Named::Folder => Ok(Box::new(folder_source(args, context, opened, from)?)),
        Named::Stream(text) => {
            let address: Address = text.parse().map_err(|why| Failure::usage(format_args!("`--from`: {why}")))?;
            let path = text.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
            if path.is_none_or(|(_, stream)| stream.is_empty()) {
                let why = format_args!("`--from`: name the stream, such as {}", address);
                return Err(Failure::usage(why));
            }
            let places = opened.wait(opened.store().places(&Nats::called(&address)))?;
            Ok(Box::new(Nats::new(handle, address, &places)))
        }
        Named::Table(text) => {
            let wrong = |why: String| Failure::usage(format_args!("`--from`: {why}"));
            let (front, query) = text.split_once('?').unwrap_or((text, ""));
            let (columns, rest) = Columns::of(query).map_err(wrong)?;
            let front = if rest.is_empty() { front.to_owned() } else { format!("{front}?{rest}") };
            let shown = store_shown(&front);
            let written = Secretive::parse(&front).map_err(wrong)?;
            let encode = |value: &str| percent::encode(value.as_bytes(), b"");
            let url = written.fill_with(&secret::of_environment, &encode).map_err(wrong)?;
            let places = opened.wait(opened.store().places(&Table::called(&shown, &columns)))?;
            Ok(Box::new(Table::new(handle, url, &shown, columns, &places)))
        }
    }
}

/// How a source is told of, without passwords.
pub fn shown(from: &Path) -> String {
    let text: Cow<'_, str> = from.to_string_lossy();
    match named(&text) {
        Named::Folder => format!("reading {text} as it grows"),
        Named::Stream(text) => {
            format!(
                "reading the stream {}",
                text.parse::<Address>().map_or_else(|_| text.to_owned(), |address| address.to_string())
            )
        }
        Named::Table(text) => {
            let (front, query) = text.split_once('?').unwrap_or((text, ""));
            let table = Columns::of(query).map(|(columns, _)| columns.table).unwrap_or_default();
            format!("reading the table {table} of {}", store_shown(front))
        }
    }
}
