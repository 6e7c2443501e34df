//! Unpacking requests, no further than they may be large.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::answer::Refusal;
use super::inbox::{Inbox, Room};

/// How much is unpacked at once.
const STEP: usize = 256 << 10;

/// What was packed by gzip.
pub(super) fn gzip(inbox: &Inbox, room: &mut Room, packed: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (mut all, mut reader) = (Vec::new(), MultiGzDecoder::new(packed));
    loop {
        inbox.make_room(room, STEP)?;
        let read = (&mut reader).take(STEP as u64).read_to_end(&mut all);
        let read = read.map_err(|why| Refusal::Malformed(format!("it cannot be unpacked: {why}")))?;
        if all.len() > inbox.largest() {
            return Err(too_large(inbox.largest()));
        }
        if read < STEP {
            return Ok(all);
        }
    }
}

pub(super) fn too_large(most: usize) -> Refusal {
    Refusal::TooLarge(format!("it has more than {most} bytes unpacked; send smaller batches"))
}
