//! A message: a head in JSON, and parts of bytes behind it, packed together.
//!
//! What arrives was written by a process of the same version, but over a network: lengths are checked before anything is
//! taken from them, and nothing is unpacked to more than it may have.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The most that a message may unpack to, in bytes.
const MOST: usize = 1 << 30;

/// What begins every message: a name, and the version of what follows.
const MAGIC: &[u8; 4] = b"sea1";

/// Bytes before what is packed: [`MAGIC`], and the length of it unpacked.
const BEFORE: usize = 8;

/// Why a message cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a message that is none of this version of seatrial: {0}")]
pub struct Unreadable(String);

fn unreadable(why: impl ToString) -> Unreadable {
    Unreadable(why.to_string())
}

/// A head and parts as a message.
///
/// # Errors
/// The head cannot be JSON, or there is more than a message may hold.
pub fn pack(head: &impl Serialize, parts: &[&[u8]]) -> Result<Vec<u8>, Unreadable> {
    let head = serde_json::to_vec(head).map_err(unreadable)?;
    let all: usize = parts.iter().map(|part| part.len() + 4).sum::<usize>() + head.len() + 8;
    if all > MOST {
        return Err(unreadable(format!("{all} bytes are more than a message may hold ({MOST})")));
    }
    let mut plain = Vec::with_capacity(all);
    let mut put = |bytes: &[u8]| {
        // Shorter than `MOST`.
        plain.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        plain.extend_from_slice(bytes);
    };
    put(&head);
    parts.iter().for_each(|part| put(part));
    let mut out = Vec::with_capacity(BEFORE + plain.len() / 2);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&(plain.len() as u32).to_le_bytes());
    out.extend_from_slice(&lz4_flex::block::compress(&plain));
    Ok(out)
}

/// A message that was unpacked.
pub struct Frame {
    plain: Vec<u8>,
    head: std::ops::Range<usize>,
    parts: Vec<std::ops::Range<usize>>,
}

impl Frame {
    /// Unpacks a message.
    ///
    /// # Errors
    /// It is none, or was cut.
    pub fn unpack(message: &[u8]) -> Result<Self, Unreadable> {
        let (before, packed) = message.split_at_checked(BEFORE).ok_or_else(|| unreadable("it is too short"))?;
        let (magic, length) = before.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(unreadable("it begins otherwise"));
        }
        let length = length.try_into().map(u32::from_le_bytes).map_err(unreadable)? as usize;
        if length > MOST {
            return Err(unreadable(format!("it says that it holds {length} bytes")));
        }
        let plain = lz4_flex::block::decompress(packed, length).map_err(unreadable)?;
        if plain.len() != length {
            return Err(unreadable("it was cut"));
        }
        let (mut at, mut found) = (0, Vec::new());
        while at < plain.len() {
            let length = plain.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
            let length = length.ok_or_else(|| unreadable("it was cut"))? as usize;
            let part = at + 4..(at + 4).saturating_add(length);
            at = part.end;
            found.push(part);
        }
        if at != plain.len() || found.is_empty() {
            return Err(unreadable("it was cut"));
        }
        let head = found.remove(0);
        Ok(Self { plain, head, parts: found })
    }

    /// The head.
    ///
    /// # Errors
    /// It is not what was expected.
    pub fn head<T: DeserializeOwned>(&self) -> Result<T, Unreadable> {
        serde_json::from_slice(&self.plain[self.head.clone()]).map_err(unreadable)
    }

    /// How many parts there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// A part, from 0.
    ///
    /// # Errors
    /// There is none.
    pub fn part(&self, index: usize) -> Result<&[u8], Unreadable> {
        let range = self.parts.get(index).ok_or_else(|| unreadable(format!("part {index} is missing")))?;
        Ok(&self.plain[range.clone()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written_and_any_cut_of_it_is_an_error() {
        let message = pack(&("head", 7), &[b"one", b"", &[0; 1000]]).unwrap();
        let frame = Frame::unpack(&message).unwrap();
        assert_eq!(frame.head::<(String, u32)>().unwrap(), ("head".to_owned(), 7));
        assert_eq!((frame.len(), frame.part(0), frame.part(1)), (3, Ok(&b"one"[..]), Ok(&b""[..])));
        assert!(frame.part(3).is_err() && frame.head::<u32>().is_err());
        for length in 0..message.len() {
            assert!(Frame::unpack(&message[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_message_cannot_ask_for_more_memory_than_it_may_have() {
        let mut message = pack(&1, &[]).unwrap();
        message[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Frame::unpack(&message).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_message_makes_reading_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let mut framed = MAGIC.to_vec();
            framed.extend_from_slice(&bytes);
            let _ = (Frame::unpack(&bytes), Frame::unpack(&framed));
        }
    }
}
