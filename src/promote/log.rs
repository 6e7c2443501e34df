//! The log of promotions: append-only, each entry chained to the one before by its hash.
//!
//! h(i) = SHA-256(h(i-1) || canonical JSON of entry i), with 32 zero bytes as h(0); canonical is RFC 8785
//! ([`crate::model::json::canonical`]). An entry that is changed, taken out or moved breaks every hash after it. That the
//! end was cut off, a chain alone does not show: for that, the head is kept elsewhere ([`check`]).
//!
//! An entry may be signed, too, as the payload of DSSE ([`super::dsse`]): then nobody without the key can write one.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::dsse::{self, Signed};
use super::event::Event;
use super::keys::Secret;
use super::moment::Moment;
use crate::model::digest::{Algorithm, Digest};
use crate::model::json::canonical::canonical;

/// What a signed entry is, for the signature.
pub const ENTRY_TYPE: &str = "application/vnd.seatrial.promotion+json";

/// The version of entries.
pub const SCHEMA: u32 = 1;

/// The longest line of an exported log that is read, in bytes.
const LONGEST: usize = 1 << 20;

/// What is hashed and signed of an entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The version of its form.
    pub schema: u32,
    /// Its place, from 1.
    pub seq: u64,
    /// The hash of the entry before; zeros before the first.
    pub prev: Digest,
    /// When it was written; never before the entry before.
    pub at: Moment,
    /// Who did it, as they named themselves; `rule` where nobody did.
    pub by: String,
    /// What was done.
    #[serde(flatten)]
    pub event: Event,
}

/// An entry as it is stored: the very text that was hashed.
#[derive(Debug, Clone, PartialEq)]
pub struct Sealed {
    /// Its place, from 1.
    pub seq: u64,
    /// h(i).
    pub hash: Digest,
    /// The canonical JSON of the entry.
    pub body: String,
    /// Who vouches for it.
    pub signatures: Vec<Signed>,
}

/// A line of an exported log.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    hash: Digest,
    entry: Value,
    #[serde(default)]
    signatures: Vec<Signed>,
}

/// Why a log is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq} of the log: {why}")]
pub struct Broken {
    /// The first entry at fault.
    pub seq: u64,
    /// Why.
    pub why: String,
}

impl Broken {
    pub(super) fn new(seq: u64, why: impl Into<String>) -> Self {
        Self { seq, why: why.into() }
    }
}

/// The head of an empty log.
pub const fn genesis() -> Digest {
    Digest { algorithm: Algorithm::Sha256, bytes: [0; 32] }
}

/// The hash of an entry.
pub fn chained(prev: &Digest, body: &str) -> Digest {
    let bytes = Sha256::new().chain_update(prev.bytes).chain_update(body.as_bytes()).finalize().into();
    Digest { algorithm: Algorithm::Sha256, bytes }
}

/// The head of a log: what its last entry hashes to.
pub fn head(log: &[Sealed]) -> Digest {
    log.last().map_or_else(genesis, |last| last.hash)
}

impl Entry {
    /// The entry that would follow a log.
    pub fn after(log: &[Sealed], at: Moment, by: &str, event: Event) -> Self {
        let seq = log.last().map_or(0, |last| last.seq) + 1;
        Self { schema: SCHEMA, seq, prev: head(log), at, by: by.to_owned(), event }
    }

    /// The entry as it is stored, signed where there is a key.
    ///
    /// # Errors
    /// That it has no canonical form.
    pub fn seal(&self, key: Option<&Secret>) -> Result<Sealed, Broken> {
        let fault = |why: String| Broken::new(self.seq, why);
        let value = serde_json::to_value(self).map_err(|why| fault(why.to_string()))?;
        let body = canonical(&value).map_err(|why| fault(why.to_string()))?;
        let signatures = key.map(|key| dsse::sign(ENTRY_TYPE, body.as_bytes(), key)).into_iter().collect();
        Ok(Sealed { seq: self.seq, hash: chained(&self.prev, &body), body, signatures })
    }
}

/// Reads a log and checks its chain: that places follow each other, each hash is that of its text and of the hash before,
/// and no time goes back.
///
/// # Errors
/// The first entry that is not what it has to be.
pub fn open(log: &[Sealed]) -> Result<Vec<Entry>, Broken> {
    let (mut prev, mut last) = (genesis(), None::<Moment>);
    let mut entries = Vec::with_capacity(log.len());
    for (index, sealed) in log.iter().enumerate() {
        let seq = index as u64 + 1;
        let fault = |why: String| Broken::new(seq, why);
        if sealed.seq != seq {
            return Err(fault(format!("entry {} stands in its place: one was taken out or moved", sealed.seq)));
        }
        if chained(&prev, &sealed.body) != sealed.hash {
            return Err(fault("its hash is not that of its content after the entry before: it was changed".to_owned()));
        }
        let value: Value = serde_json::from_str(&sealed.body).map_err(|why| fault(why.to_string()))?;
        if canonical(&value).as_deref() != Ok(sealed.body.as_str()) {
            return Err(fault("its content is not in canonical form".to_owned()));
        }
        if value.get("schema").and_then(Value::as_u64).is_none_or(|schema| schema > u64::from(SCHEMA)) {
            return Err(fault("it was written by a newer version of seatrial".to_owned()));
        }
        let entry: Entry = serde_json::from_value(value).map_err(|why| fault(format!("it is no entry: {why}")))?;
        if entry.seq != seq || entry.prev != prev {
            return Err(fault("it says that it stands elsewhere".to_owned()));
        }
        if let Some(last) = last.filter(|last| *last > entry.at) {
            return Err(fault(format!("it was written at {}, before the entry before it ({last})", entry.at)));
        }
        (prev, last) = (sealed.hash, Some(entry.at));
        entries.push(entry);
    }
    Ok(entries)
}

/// That a log holds a head which was kept elsewhere: with it, everything up to it.
///
/// # Errors
/// That the log was cut off before it, or written anew.
pub fn check(log: &[Sealed], kept: &Digest) -> Result<(), String> {
    if *kept == genesis() || log.iter().any(|sealed| sealed.hash == *kept) {
        return Ok(());
    }
    Err(format!(
        "the head {kept} is not in the log, whose {} entries end with {}: its end was cut off, or it was written anew",
        log.len(),
        head(log)
    ))
}

/// The log as lines of JSON.
///
/// # Errors
/// Those of serde_json.
pub fn export(log: &[Sealed]) -> serde_json::Result<String> {
    let mut out = String::new();
    for sealed in log {
        let entry = serde_json::from_str(&sealed.body)?;
        let line = Line { hash: sealed.hash, entry, signatures: sealed.signatures.clone() };
        out.push_str(&serde_json::to_string(&line)?);
        out.push('\n');
    }
    Ok(out)
}

/// Reads an exported log. What its entries say is not checked yet ([`open`]).
///
/// # Errors
/// The first line that is none of a log.
pub fn import(text: &str) -> Result<Vec<Sealed>, Broken> {
    let mut log = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let fault = |why: String| Broken::new(index as u64 + 1, why);
        if line.len() > LONGEST {
            return Err(fault(format!("its line is longer than {LONGEST} bytes")));
        }
        let line: Line = serde_json::from_str(line).map_err(|why| fault(format!("no line of a log: {why}")))?;
        let body = canonical(&line.entry).map_err(|why| fault(why.to_string()))?;
        let seq = line.entry.get("seq").and_then(Value::as_u64).unwrap_or(0);
        log.push(Sealed { seq, hash: line.hash, body, signatures: line.signatures });
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promote::testing::{at, log_of};
    use proptest::prelude::*;

    fn five() -> Vec<Sealed> {
        log_of(5)
    }

    #[test]
    fn a_log_survives_its_export_and_its_chain_is_the_formula() {
        let log = five();
        assert_eq!(open(&log).unwrap().len(), 5);
        let read = import(&export(&log).unwrap()).unwrap();
        assert_eq!(read, log);
        let mut hash = [0u8; 32];
        for sealed in &log {
            hash = Sha256::digest([&hash[..], sealed.body.as_bytes()].concat()).into();
        }
        assert_eq!(head(&log).bytes, hash);
        assert_eq!(head(&[]), genesis());
        assert!(open(&[]).unwrap().is_empty());
    }

    #[test]
    fn whatever_is_changed_taken_out_or_moved_is_found() {
        let log = five();
        let mut changed = log.clone();
        changed[2].body = changed[2].body.replace("maria", "marta");
        assert_eq!(open(&changed).unwrap_err().seq, 3);
        let mut rehashed = changed.clone();
        rehashed[2].hash = chained(&rehashed[1].hash, &rehashed[2].body);
        assert_eq!(open(&rehashed).unwrap_err().seq, 4, "the next one says so");
        let mut without = log.clone();
        without.remove(1);
        assert_eq!(open(&without).unwrap_err().seq, 2);
        let mut moved = log.clone();
        moved.swap(1, 2);
        assert_eq!(open(&moved).unwrap_err().seq, 2);
        let mut twice = log.clone();
        twice.insert(1, log[1].clone());
        assert_eq!(open(&twice).unwrap_err().seq, 3);
    }

    #[test]
    fn a_cut_end_shows_by_the_head_alone() {
        let log = five();
        let kept = head(&log);
        assert!(open(&log[..3]).is_ok());
        assert!(check(&log[..3], &kept).unwrap_err().contains("cut off"));
        assert_eq!(check(&log, &kept), Ok(()));
        assert_eq!(check(&log, &log[2].hash), Ok(()), "an older head is a part of it");
    }

    #[test]
    fn a_time_that_goes_back_breaks_the_log() {
        let mut log = five();
        let Event::Drafted { .. } = open(&log).unwrap()[0].event else { panic!("a draft") };
        let event = open(&log).unwrap()[0].event.clone();
        log.push(Entry::after(&log, at(0), "maria", event).seal(None).unwrap());
        assert!(open(&log).unwrap_err().why.contains("before the entry before it"));
    }

    #[test]
    fn lines_that_are_none_are_named() {
        let text = export(&five()).unwrap();
        let second = text.replacen("\n{", "\n[", 1);
        assert_eq!(import(&second).unwrap_err().seq, 2);
        let newer = "{\"hash\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\",\"entry\":{\"schema\":9,\"seq\":1}}";
        let mut newer = import(newer).unwrap();
        newer[0].hash = chained(&genesis(), &newer[0].body);
        assert!(open(&newer).unwrap_err().why.contains("newer version"));
    }

    proptest! {
        /// Any byte of an exported log that is changed breaks it, or changed nothing that it says.
        #[test]
        fn no_byte_can_be_changed(at in 0usize..4000, to in 0x20u8..0x7f) {
            let log = five();
            let mut bytes = export(&log).unwrap().into_bytes();
            let at = at % bytes.len();
            prop_assume!(bytes[at] != b'\n' && bytes[at] != to);
            bytes[at] = to;
            let text = String::from_utf8(bytes).unwrap();
            if let Ok(read) = import(&text) && open(&read).is_ok() {
                prop_assert_eq!(read, log);
            }
        }
    }
}
