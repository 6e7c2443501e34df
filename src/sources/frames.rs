//! Element boundaries in a stream of binary messages: with a length before each, or the fields of one message.
//!
//! A wrong length cannot be told from a right one by itself, and behind it nothing can be found again. Every message
//! begins with the same byte, so that the first one that does not is where the rest of the file is given up.

use super::scan::{Found, Limits, Pending};
use crate::formats::Prefix;
use crate::model::{LeftOut, Problem};

/// Longest number of variable length, in bytes.
const MAX_VARINT: usize = 10;

/// Splits a stream into its messages, fed block by block.
#[derive(Debug)]
pub(super) struct Frames {
    prefix: Prefix,
    tag: u8,
    max_element: u64,
    /// Bytes fed so far.
    position: u64,
    state: State,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A length, of which some bytes may have been seen; with [`Prefix::None`] also the tag before it.
    Header { start: u64, seen: [u8; MAX_VARINT + 1], len: usize },
    /// The message from `start` up to, not including, `end`. `checked` once its first byte was seen.
    Message { start: u64, end: u64, checked: bool },
    /// Beyond recovery.
    Lost,
}

impl Frames {
    /// A splitter whose first byte lies at `position` of the stream.
    pub fn new(prefix: Prefix, tag: u8, limits: Limits, position: u64) -> Self {
        let state = State::header(position);
        Self { prefix, tag, max_element: limits.max_element, position, state }
    }

    /// The message that has begun and not ended.
    pub fn pending(&self) -> Option<Pending> {
        match self.state {
            State::Header { start, len, .. } if self.prefix == Prefix::None && len > 0 => {
                Some(Pending { start, doomed: false })
            }
            State::Message { start, end, .. } => Some(Pending { start, doomed: end - start > self.max_element }),
            _ => None,
        }
    }

    /// Whether reading on is of no use.
    pub fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// Takes the next bytes of the stream and reports the messages that end in them.
    pub fn feed(&mut self, block: &[u8], found: &mut impl FnMut(Found)) {
        let base = self.position;
        let mut at = 0;
        loop {
            self.position = base + at as u64;
            match self.state {
                // Also of no bytes: a message may be empty.
                State::Message { start, end, .. } if self.position == end => {
                    found(self.message(start, end));
                    self.state = State::header(end);
                }
                _ if at == block.len() => return,
                State::Message { checked: false, .. } if block[at] != self.tag => {
                    return self.lose(
                        "no message begins here, so that the length before it or before an earlier one is wrong",
                        found,
                    );
                }
                State::Message { start, end, .. } => {
                    self.state = State::Message { start, end, checked: true };
                    let left = usize::try_from(end - self.position).unwrap_or(usize::MAX);
                    at += left.min(block.len() - at);
                }
                State::Header { start, mut seen, len } => {
                    seen[len] = block[at];
                    at += 1;
                    self.state = State::Header { start, seen, len: len + 1 };
                    self.header(start, &seen[..=len], found);
                }
                State::Lost => {
                    self.position = base + block.len() as u64;
                    return;
                }
            }
        }
    }

    /// Looks whether the bytes of a header are complete; the last of them is new.
    fn header(&mut self, start: u64, seen: &[u8], found: &mut impl FnMut(Found)) {
        let behind = start + seen.len() as u64;
        let varint = |bytes: &[u8]| {
            let mut bytes = bytes;
            bytes.last().is_some_and(|b| *b < 0x80).then(|| prost::encoding::decode_varint(&mut bytes).ok())
        };
        let length = match self.prefix {
            Prefix::None if seen[0] != self.tag => {
                return self.lose("no field of the message begins here: it is damaged", found);
            }
            Prefix::None => varint(&seen[1..]),
            Prefix::Fixed32 => <[u8; 4]>::try_from(seen).ok().map(|b| Some(u64::from(u32::from_be_bytes(b)))),
            Prefix::Varint => varint(seen),
        };
        let too_long = seen.len() >= MAX_VARINT + usize::from(self.prefix == Prefix::None);
        match length {
            Some(Some(length)) => {
                let begins = if self.prefix == Prefix::None { start } else { behind };
                let checked = self.prefix == Prefix::None;
                // A length beyond all bounds ends behind every file, which is when it is reported.
                let end = behind.saturating_add(length);
                self.state = State::Message { start: begins, end, checked };
            }
            Some(None) => self.lose("a length that is no number", found),
            None if too_long => self.lose("a length without an end", found),
            None => {}
        }
    }

    fn message(&self, start: u64, end: u64) -> Found {
        let size = end - start;
        if size <= self.max_element {
            return Found::Element { start, end };
        }
        let max = self.max_element;
        let message = format!("an element of {size} bytes; the limit is {max}");
        Found::Damaged(Problem::new(LeftOut::TooLarge, message).at(start))
    }

    /// Reports damage behind which nothing can be told apart, at the byte last looked at.
    fn lose(&mut self, message: &str, found: &mut impl FnMut(Found)) {
        self.state = State::Lost;
        found(Found::Damaged(Problem::new(LeftOut::Malformed, message).at(self.position)));
    }

    /// Says that the stream has ended, and reports what that cuts off.
    pub fn finish(&mut self, found: &mut impl FnMut(Found)) {
        let (start, message) = match self.state {
            State::Header { len: 0, .. } | State::Lost => return,
            State::Header { start, .. } => (start, "the file ends within the length that begins here".to_owned()),
            State::Message { start, end, .. } => {
                let (size, there) = (end - start, self.position - start);
                let what = "the file ends within the message that begins here";
                (start, format!("{what}, or the length before it is wrong: {there} of {size} bytes are there"))
            }
        };
        self.state = State::Lost;
        found(Found::Damaged(Problem::new(LeftOut::Truncated, message).at(start)));
    }
}

impl State {
    fn header(start: u64) -> Self {
        State::Header { start, seen: [0; MAX_VARINT + 1], len: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { max_element: 40, max_depth: 3 };
    const TAG: u8 = 0x0a;

    fn found(prefix: Prefix, bytes: &[u8], block: usize) -> Vec<Found> {
        let mut all = Vec::new();
        let mut frames = Frames::new(prefix, TAG, LIMITS, 0);
        for part in bytes.chunks(block) {
            frames.feed(part, &mut |f| all.push(f));
            assert!(frames.pending().is_none_or(|p| p.start <= frames.position));
        }
        frames.finish(&mut |f| all.push(f));
        all
    }

    /// What each find is, in a word or as its range.
    fn told(prefix: Prefix, bytes: &[u8]) -> Vec<String> {
        let tell = |f: &Found| match f {
            Found::Element { start, end } => format!("{start}..{end}"),
            Found::Damaged(p) => format!("{} at {}", p.kind.name(), p.offset.unwrap()),
            Found::Member { .. } | Found::AtLine(_) => unreachable!(),
        };
        found(prefix, bytes, 1000).iter().map(tell).collect()
    }

    /// Messages of these sizes with their lengths before them.
    fn framed(prefix: Prefix, sizes: &[usize]) -> Vec<u8> {
        let mut out = Vec::new();
        for &size in sizes {
            match prefix {
                Prefix::Fixed32 => out.extend_from_slice(&(size as u32).to_be_bytes()),
                Prefix::Varint => prost::encoding::encode_varint(size as u64, &mut out),
                Prefix::None => {
                    out.push(TAG);
                    prost::encoding::encode_varint(size as u64, &mut out);
                }
            }
            out.extend(std::iter::repeat_n(TAG, size));
        }
        out
    }

    #[test]
    fn a_length_before_each_message_tells_where_it_ends() {
        assert_eq!(told(Prefix::Fixed32, &framed(Prefix::Fixed32, &[3, 0, 5])), ["4..7", "11..11", "15..20"]);
        assert_eq!(told(Prefix::Varint, &framed(Prefix::Varint, &[3, 0, 5])), ["1..4", "5..5", "6..11"]);
        assert_eq!(told(Prefix::Varint, b""), [""; 0]);
    }

    #[test]
    fn the_fields_of_one_message_are_its_elements_with_their_tags() {
        assert_eq!(told(Prefix::None, &framed(Prefix::None, &[3, 0, 5])), ["0..5", "5..7", "7..14"]);
    }

    #[test]
    fn a_large_message_is_left_out_and_the_next_is_read() {
        for prefix in [Prefix::Fixed32, Prefix::Varint, Prefix::None] {
            let told = told(prefix, &framed(prefix, &[2, 200, 2]));
            assert!(told.len() == 3 && told[1].starts_with("too_large at"), "{told:?}");
        }
    }

    #[test]
    fn a_message_that_the_file_cuts_off_is_truncated() {
        let bytes = framed(Prefix::Fixed32, &[3, 9]);
        assert_eq!(told(Prefix::Fixed32, &bytes[..15]), ["4..7", "truncated at 11"]);
        assert_eq!(told(Prefix::Fixed32, &bytes[..9]), ["4..7", "truncated at 7"], "within the length");
        assert_eq!(told(Prefix::None, &[TAG, 5, TAG]), ["truncated at 0"]);
        assert_eq!(told(Prefix::None, &[TAG]), ["truncated at 0"]);
    }

    #[test]
    fn a_wrong_length_is_one_problem_and_the_rest_is_given_up() {
        let mut short = framed(Prefix::Fixed32, &[3, 3, 3]);
        short[3] = 2;
        assert_eq!(told(Prefix::Fixed32, &short), ["4..6", "malformed at 10"]);
        let mut long = framed(Prefix::Fixed32, &[3, 3, 3]);
        long[3] = 5;
        assert_eq!(told(Prefix::Fixed32, &long), ["4..9", "truncated at 13"]);
        let mut far = framed(Prefix::Fixed32, &[3, 3]);
        far[0] = 0xff;
        assert_eq!(told(Prefix::Fixed32, &far), ["truncated at 4"], "and nothing of it is kept");
        assert_eq!(told(Prefix::Varint, &[0xff; 30]), ["malformed at 9"]);
        assert_eq!(told(Prefix::None, &[TAG, 1, TAG, 0x7b, 1]), ["0..3", "malformed at 3"]);
        let huge = [TAG, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, TAG];
        assert_eq!(told(Prefix::None, &huge), ["truncated at 0"]);
    }

    proptest! {
        #[test]
        fn any_block_size_finds_the_same(
            sizes in prop::collection::vec(0usize..60, 0..20), which in 0usize..3, block in 1usize..50,
            edit in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let prefix = [Prefix::Fixed32, Prefix::Varint, Prefix::None][which];
            let mut bytes = framed(prefix, &sizes);
            if let (Some((at, byte)), false) = (edit, bytes.is_empty()) {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            } else {
                prop_assert_eq!(found(prefix, &bytes, block).len(), sizes.len());
            }
            prop_assert_eq!(found(prefix, &bytes, block), found(prefix, &bytes, usize::MAX));
        }
    }
}
