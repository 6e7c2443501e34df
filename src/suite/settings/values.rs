//! What is written, read as what a key takes; `None` is a value that the key does not take.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::layers::{Given, Raw};
use super::{Keep, Reports, When};
use crate::ledger::LONGEST_NAME;
use crate::model::{NanoUsd, duration};

pub(super) fn integer(given: &Given, min: u64, max: u64) -> Option<u64> {
    let n = match &given.raw {
        Raw::Integer(n) => u64::try_from(*n).ok()?,
        // Numbers are numbers in the file; only variables and flags are text.
        Raw::Text(text) if given.place.is_none() => text.trim().parse().ok()?,
        _ => return None,
    };
    (min..=max).contains(&n).then_some(n)
}

pub(super) fn flag(given: &Given, _: &Path) -> Option<bool> {
    match &given.raw {
        Raw::Bool(b) => Some(*b),
        Raw::Text(text) if given.place.is_none() => match text.trim() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn word(given: &Given) -> Option<&str> {
    match &given.raw {
        Raw::Text(text) => Some(text.trim()),
        _ => None,
    }
}

pub(super) fn keep(given: &Given, _: &Path) -> Option<Keep> {
    [Keep::Failed, Keep::All, Keep::None].into_iter().find(|k| word(given) == Some(k.name()))
}

pub(super) fn reports(given: &Given, _: &Path) -> Option<Reports> {
    Reports::EVERY.into_iter().find(|r| word(given) == Some(r.name()))
}

pub(super) fn when(given: &Given, _: &Path) -> Option<When> {
    [When::Auto, When::Always, When::Never].into_iter().find(|w| word(given) == Some(w.name()))
}

/// A path: of the file relative to the file, else to the working directory. Below the working directory it stays
/// short.
pub(super) fn path(given: &Given, cwd: &Path) -> Option<PathBuf> {
    let text = match &given.raw {
        Raw::Text(text) if !text.is_empty() => text,
        _ => return None,
    };
    let Some(base) = &given.base else { return Some(PathBuf::from(text)) };
    let full = base.join(text);
    Some(full.strip_prefix(cwd).map_or_else(|_| full.clone(), Path::to_owned))
}

/// A name of a person.
pub(super) fn name(given: &Given) -> Option<String> {
    let Raw::Text(text) = &given.raw else { return None };
    let name = text.trim();
    let sound = !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.contains(char::is_control);
    sound.then(|| name.to_owned())
}

/// A path, or none at all.
pub(super) fn cache_path(given: &Given, cwd: &Path) -> Option<Option<PathBuf>> {
    if word(given) == Some("off") { Some(None) } else { path(given, cwd).map(Some) }
}

/// A duration, or no end.
pub(super) fn kept_for(given: &Given, _: &Path) -> Option<Option<Duration>> {
    let word = word(given)?;
    if word == "forever" { Some(None) } else { duration::parse(word).ok().map(Some) }
}

/// An amount of US dollars.
pub(super) fn amount(given: &Given) -> Option<NanoUsd> {
    let usd = match &given.raw {
        Raw::Integer(n) => *n as f64,
        Raw::Float(n) => *n,
        Raw::Text(text) if given.place.is_none() => text.trim().parse().ok()?,
        _ => return None,
    };
    NanoUsd::from_usd(usd).filter(|amount| amount.0 >= 0)
}

/// A size in bytes: a number, or a number with a unit.
pub(super) fn size(given: &Given, _: &Path) -> Option<usize> {
    match &given.raw {
        Raw::Integer(n) => usize::try_from(*n).ok().filter(|n| *n > 0),
        Raw::Text(text) => bytes(text),
        Raw::Bool(_) | Raw::Float(_) => None,
    }
}

/// Bytes as people write them, such as `64MiB`; `None` for none, and for what is no size.
pub fn bytes(text: &str) -> Option<usize> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit: u64 = match text[digits..].trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    let bytes = text[..digits].parse::<u64>().ok()?.checked_mul(unit)?;
    usize::try_from(bytes).ok().filter(|n| *n > 0)
}
